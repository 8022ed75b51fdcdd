//! Which members share a column, and in which rows their acts stand.
//!
//! Members that do the same share a column; whatever depends on single members is then a question about columns. The
//! acts of the columns are placed one after the other in an order in which they can happen:
//!
//! | act | begins | ends |
//! |---|---|---|
//! | send | the row after its member's last act, below every earlier send | at once |
//! | wait, wait-all, sync | the row after its member's last act | in the last row of what satisfies it |
//! | anything else | the row after its member's last act | at once |

use std::borrow::Cow;
use std::collections::HashMap;

use super::acts::{Act, Doing, What, Who};
use super::label::label;
use super::{Cell, Column, End, Kind};

/// Columns, rows and cells.
pub(crate) struct Laid {
    pub(crate) columns: Vec<Column>,
    pub(crate) rows: usize,
    pub(crate) cells: Vec<Cell>,
}

/// An act of a column: its number among those of the column.
type Seat = (usize, usize);

/// Lays out what members do. `sequences` are indices into `acts`, one list a member, in the order of its doing; `needs`
/// gives the acts that satisfy one.
pub(crate) fn lay<'n>(
    who: &[Who<'_>],
    acts: &[Act<'_>],
    sequences: &[Vec<usize>],
    needs: &dyn Fn(usize) -> Cow<'n, [usize]>,
) -> Laid {
    let groups = groups(who, acts, sequences);
    let seats = seats(acts.len(), &groups, sequences);
    let cells_of = vec![Vec::new(); groups.len()];
    let mut placing = Placing {
        groups: &groups,
        acts,
        sequences,
        needs,
        seats: &seats,
        cells_of,
        cells: Vec::new(),
        rows: 0,
        sends: 0,
    };
    for seat in order(&groups, acts, sequences) {
        placing.place(seat);
    }
    let columns = groups.iter().map(|members| {
        let members: Vec<Who<'_>> = members.iter().map(|member| who[*member]).collect();
        Column {
            label: label(&members),
            role: members[0].role.to_owned(),
            members: members.iter().map(|member| member.sub_id).collect(),
        }
    });
    Laid { columns: columns.collect(), rows: placing.rows, cells: placing.finish() }
}

/// The members of each column.
fn groups(who: &[Who<'_>], acts: &[Act<'_>], sequences: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let mut known: HashMap<(&str, Doing<'_, '_>), usize> = HashMap::new();
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for (member, sequence) in sequences.iter().enumerate() {
        let column = *known.entry((who[member].role, Doing { acts, sequence })).or_insert_with(|| {
            groups.push(Vec::new());
            groups.len() - 1
        });
        groups[column].push(member);
    }
    groups
}

/// Where each act sits.
fn seats(count: usize, groups: &[Vec<usize>], sequences: &[Vec<usize>]) -> Vec<Option<Seat>> {
    let mut seats = vec![None; count];
    for (column, members) in groups.iter().enumerate() {
        for member in members {
            for (position, act) in sequences[*member].iter().enumerate() {
                seats[*act] = Some((column, position));
            }
        }
    }
    seats
}

/// The acts of the columns in an order in which they can happen: each stands where the first of its members comes to it.
/// What it needs stands before it then, because what that member needed did.
fn order(groups: &[Vec<usize>], acts: &[Act<'_>], sequences: &[Vec<usize>]) -> Vec<Seat> {
    let mut all = Vec::new();
    for (column, members) in groups.iter().enumerate() {
        let length = members.first().map_or(0, |member| sequences[*member].len());
        for position in 0..length {
            let first = members.iter().map(|member| acts[sequences[*member][position]].order).min();
            all.push((first.unwrap_or_default(), position, column));
        }
    }
    all.sort_unstable();
    all.into_iter().map(|(_, position, column)| (column, position)).collect()
}

struct Placing<'a, 'b, 'n> {
    groups: &'b [Vec<usize>],
    acts: &'b [Act<'a>],
    sequences: &'b [Vec<usize>],
    needs: &'b dyn Fn(usize) -> Cow<'n, [usize]>,
    seats: &'b [Option<Seat>],
    /// The cell of each act of each column.
    cells_of: Vec<Vec<usize>>,
    cells: Vec<Cell>,
    rows: usize,
    /// The first row below all sends.
    sends: usize,
}

impl Placing<'_, '_, '_> {
    fn place(&mut self, (column, position): Seat) {
        let members = &self.groups[column];
        let act = &self.acts[self.sequences[members[0]][position]];
        let free = match self.cells_of[column].last() {
            Some(&last) => {
                self.close(last, (column, position - 1));
                // Its member has gone on, though what it waited for did not come.
                *self.cells[last].until.get_or_insert(self.rows - 1) + 1
            }
            None => 0,
        };
        let kind = act.what.kind();
        let row = if kind == Kind::Send { free.max(self.sends) } else { free };
        if kind == Kind::Send {
            self.sends = row + 1;
        }
        self.rows = self.rows.max(row + 1);
        let (mut id, mut role, mut action) = (None, None, None);
        if let What::Call { kind, id: text, role: of, action: by } = &act.what {
            id = (*kind != Kind::Assemble).then(|| text.to_string());
            role = of.as_ref().map(ToString::to_string);
            action = by.as_ref().map(ToString::to_string);
        }
        self.cells_of[column].push(self.cells.len());
        self.cells.push(Cell {
            column,
            row,
            until: Some(row),
            kind,
            text: act.what.text(),
            id,
            role,
            action,
            limit_s: act.limit_s,
            earliest_s: act.over_s.0,
            latest_s: act.over_s.1,
            end: act.end,
            from: Vec::new(),
            notes: act.notes.clone(),
            place: act.place.clone(),
            came: members
                .iter()
                .filter_map(|member| self.acts[self.sequences[*member][position]].came.clone())
                .collect(),
        });
    }

    /// Says in which row a cell is over. What it needs has a place by the time that its member goes on.
    fn close(&mut self, cell: usize, seat: Seat) {
        let index = self.sequences[self.groups[seat.0][0]][seat.1];
        let mut from: Vec<usize> = (self.needs)(index)
            .iter()
            .filter_map(|need| self.seats[*need])
            .filter_map(|(column, position)| self.cells_of[column].get(position).copied())
            .collect();
        from.sort_unstable();
        from.dedup();
        let row = self.cells[cell].row;
        self.cells[cell].until = match self.acts[index].end {
            End::Done => Some(from.iter().map(|other| self.cells[*other].row).max().unwrap_or(row).max(row)),
            End::Unknown | End::NotReached => Some(row),
            End::Never if self.cells[cell].kind == Kind::Stopped => Some(row),
            End::Never => None,
        };
        self.cells[cell].from = from;
    }

    fn finish(mut self) -> Vec<Cell> {
        for column in 0..self.groups.len() {
            let cells = self.cells_of[column].clone();
            if let Some(&last) = cells.last() {
                self.close(last, (column, cells.len() - 1));
            }
        }
        self.cells
    }
}
