//! The flow as it happened: one column a member, calls in rows so that a call stands below everything it depended on.
//!
//! A call depends on the member's call before it; a wait also on the sends that it took; the syncs of one round stand in one
//! row. Row numbers are the longest ways through these, so the same calls give the same table however fast the machines were.

use super::Story;

/// The table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flow {
    /// Members by `sub_id`, in order.
    pub columns: Vec<u32>,
    /// Rows from the top; in each row one cell a column: the calls there, by index in the story's calls.
    pub rows: Vec<Vec<Vec<usize>>>,
}

/// Makes it.
pub(super) fn of(story: &Story) -> Flow {
    let columns: Vec<u32> = story.lanes.iter().map(|lane| lane.sub_id).collect();
    let shown = |index: usize| story.calls[index].call != "group_data";
    // Calls of one round are one node, all others are nodes of their own.
    let mut node: Vec<usize> = (0..story.calls.len()).collect();
    for barrier in &story.barriers {
        for call in &barrier.calls {
            node[*call] = barrier.calls[0];
        }
    }
    let mut edges: Vec<(usize, usize)> = Vec::new();
    for column in &columns {
        let own: Vec<usize> =
            (0..story.calls.len()).filter(|index| story.calls[*index].member == *column && shown(*index)).collect();
        edges.extend(own.windows(2).map(|pair| (node[pair[0]], node[pair[1]])));
    }
    for message in &story.messages {
        edges.extend(message.send.map(|send| (node[send], node[message.wait])));
    }
    let depth = longest(story.calls.len(), &edges);
    let mut rows: Vec<Vec<Vec<usize>>> = Vec::new();
    for index in (0..story.calls.len()).filter(|index| shown(*index)) {
        let row = depth[node[index]];
        let Some(column) = columns.iter().position(|column| *column == story.calls[index].member) else { continue };
        while rows.len() <= row {
            rows.push(vec![Vec::new(); columns.len()]);
        }
        rows[row][column].push(index);
    }
    rows.retain(|row| row.iter().any(|cell| !cell.is_empty()));
    Flow { columns, rows }
}

/// The longest way to each node. An edge within one node, and what only a damaged journal has, a way back, count nothing.
fn longest(nodes: usize, edges: &[(usize, usize)]) -> Vec<usize> {
    let mut next: Vec<Vec<usize>> = vec![Vec::new(); nodes];
    let mut open = vec![0usize; nodes];
    for (from, to) in edges.iter().filter(|(from, to)| from != to) {
        next[*from].push(*to);
        open[*to] += 1;
    }
    let mut depth = vec![0; nodes];
    let mut ready: Vec<usize> = (0..nodes).filter(|node| open[*node] == 0).collect();
    while let Some(node) = ready.pop() {
        for to in &next[node] {
            depth[*to] = depth[*to].max(depth[node] + 1);
            open[*to] -= 1;
            if open[*to] == 0 {
                ready.push(*to);
            }
        }
    }
    depth
}
