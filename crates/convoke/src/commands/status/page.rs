//! The status of a coordinator for people: narrow, the whole first, what waits longest before the rest.
//!
//! Names come from whoever can reach the coordinator, so control characters in them are shown as such and never sent to
//! the terminal.

use std::fmt::Write;

use convoke_coordinator::status::{CoordinatorStatus, Does, GroupStatus, MemberStatus, WaitStatus, Waiting};

/// Groups of which the members are shown.
const DETAILED: usize = 5;
/// The same when some were asked for.
const DETAILED_IF_ASKED: usize = 20;
/// Lines of groups before the rest is only counted.
const LINES: usize = 30;
/// Members of a group, and names in a list, before the rest is only counted.
const NAMES: usize = 40;
/// The longest name in a table.
const WIDEST: usize = 40;
/// A member that polls and has not asked for so long has probably given up; dispatchers ask every few seconds.
const SILENT: f64 = 60.0;

/// What is to be shown.
pub(super) struct Page {
    coordinator: CoordinatorStatus,
    detailed: usize,
    rows: Vec<Row>,
    /// The groups, as long as they are few.
    groups: Vec<GroupStatus>,
}

struct Row {
    name: String,
    members: usize,
    size: usize,
    waiting: usize,
    longest: Option<f64>,
    heard: f64,
}

impl Page {
    /// A page without groups yet; `asked` when only some were asked for.
    pub(super) fn new(coordinator: CoordinatorStatus, asked: bool) -> Self {
        let detailed = if asked { DETAILED_IF_ASKED } else { DETAILED };
        Self { coordinator, detailed, rows: Vec::new(), groups: Vec::new() }
    }

    pub(super) fn add(&mut self, group: GroupStatus) {
        let since = group.waits.iter().filter_map(|wait| wait.waiting.first()).map(|waiting| waiting.since);
        self.rows.push(Row {
            name: group.name.clone(),
            members: group.members.len(),
            size: group.size,
            waiting: group.waits.iter().map(|wait| wait.waiting.len()).sum(),
            longest: since.min_by(f64::total_cmp),
            heard: group.heard,
        });
        if self.groups.len() <= self.detailed {
            self.groups.push(group);
        }
    }

    /// The page; `all` with a line for every group.
    pub(super) fn text(mut self, all: bool) -> String {
        let mut text = self.summary();
        if self.rows.is_empty() {
            return text;
        }
        text.push('\n');
        if all || self.groups.len() > self.detailed {
            self.table(all, &mut text);
        } else {
            let now = self.coordinator.now;
            self.groups.sort_by(|a, b| a.name.cmp(&b.name));
            let details: Vec<String> = self.groups.iter().map(|group| detail(group, now)).collect();
            text.push_str(&details.join("\n"));
        }
        text
    }

    fn summary(&self) -> String {
        let CoordinatorStatus { program, process, started, now, addresses, durable, totals, .. } = &self.coordinator;
        let kept = if *durable { "what is acknowledged is kept" } else { "groups are in memory only" };
        let up = span(now - started);
        let mut text = format!(
            "coordinator {program}, process {process}, on {}\nsince {up}; {kept}\n{} ({} complete), {} ({} finished)\n",
            addresses.join(", "),
            count(totals.groups, "group"),
            totals.complete,
            count(totals.members, "member"),
            totals.finished,
        );
        let _ = writeln!(
            text,
            "{}, {}, {}",
            count(totals.held.all(), "held request"),
            count(totals.polling, "polling member"),
            count(totals.connections, "connection"),
        );
        if totals.unkept > 0 {
            let _ = writeln!(text, "{} with something that is not kept yet", count(totals.unkept, "group"));
        }
        text
    }

    fn table(&mut self, all: bool, text: &mut String) {
        let now = self.coordinator.now;
        self.rows.sort_by(|a, b| {
            let longest = |row: &Row| row.longest.unwrap_or(f64::MAX);
            longest(a).total_cmp(&longest(b)).then(b.heard.total_cmp(&a.heard)).then_with(|| a.name.cmp(&b.name))
        });
        let shown = if all { self.rows.len() } else { self.rows.len().min(LINES) };
        let wide = self.rows[..shown].iter().map(|row| shown_name(&row.name).chars().count()).max().unwrap_or(0).max(5);
        let _ = writeln!(text, "{:wide$}  MEMBERS  WAITING  LONGEST", "GROUP");
        for row in &self.rows[..shown] {
            let members = format!("{}/{}", row.members, row.size);
            let longest = row.longest.map_or_else(|| "-".to_owned(), |since| span(now - since));
            let _ = writeln!(text, "{:wide$}  {members:>7}  {:>7}  {longest}", shown_name(&row.name), row.waiting);
        }
        if shown < self.rows.len() {
            let more = count(self.rows.len() - shown, "more group");
            let _ = writeln!(text, "and {more}; name one to see its members, or ask with --all");
        }
    }
}

fn detail(group: &GroupStatus, now: f64) -> String {
    let GroupStatus { name, size, members, waits, .. } = group;
    let mut text = format!("group {}: ", plain(name));
    let _ = match members.len() {
        registered if registered >= *size => writeln!(text, "{}", count(*size, "member")),
        registered => writeln!(text, "{registered} of {}", count(*size, "member")),
    };
    let shown = &members[..members.len().min(NAMES)];
    let width = |of: fn(&MemberStatus) -> &str| shown.iter().map(|it| shown_name(of(it)).chars().count()).max();
    let (wide, role) = (width(|it| it.name.as_str()).unwrap_or(0), width(|it| it.role.as_str()).unwrap_or(0));
    for member in shown {
        let (name, of) = (shown_name(member.name.as_str()), shown_name(member.role.as_str()));
        let _ = writeln!(text, "  {name:wide$}  {of:role$}  {}", does(member, waits, now));
    }
    if shown.len() < members.len() {
        let _ = writeln!(text, "  and {}", count(members.len() - shown.len(), "more member"));
    }
    for wait in waits {
        let who: Vec<String> = wait.waiting.iter().map(|waiting| plain(waiting.member.as_str())).collect();
        let verb = if who.len() == 1 { "waits" } else { "wait" };
        let _ = writeln!(text, "  {}: {} {verb}", plain(&wait.call), list(&who));
        let _ = writeln!(text, "    {}", missing(wait));
    }
    text
}

fn does(member: &MemberStatus, waits: &[WaitStatus], now: f64) -> String {
    match member.does {
        Does::Waits | Does::Polls => {
            let own = |wait: &'_ &WaitStatus| wait.waiting.iter().any(|waiting| waiting.member == member.name);
            let Some(wait) = waits.iter().find(own) else { return "waits".to_owned() };
            let Some(waiting) = wait.waiting.iter().find(|waiting| waiting.member == member.name) else {
                return "waits".to_owned();
            };
            format!("waits for {}: {}{}", span(now - waiting.since), plain(&wait.call), remark(waiting, now))
        }
        Does::Finished => "has finished".to_owned(),
        Does::Left => {
            let why = member.why.as_deref().filter(|why| !why.is_empty());
            format!("left{}", why.map(|why| format!(": {}", plain(why))).unwrap_or_default())
        }
        Does::Works => match &member.last {
            Some(last) => {
                let id = last.message_id.as_str();
                let id = if id.is_empty() { String::new() } else { format!(" {}", plain(id)) };
                format!("works; {}{id} {} ago", last.request, span(now - last.at))
            }
            None => "not heard of since the coordinator began to serve".to_owned(),
        },
    }
}

fn remark(waiting: &Waiting, now: f64) -> String {
    match waiting.until {
        _ if !waiting.held && now - waiting.asked > SILENT => {
            format!(" (has not asked for {})", span(now - waiting.asked))
        }
        Some(until) if waiting.held => format!(" (gives up in {})", span(until - now)),
        _ => String::new(),
    }
}

fn missing(wait: &WaitStatus) -> String {
    let mut names: Vec<String> = wait.missing.iter().map(|name| plain(name.as_str())).collect();
    if wait.unregistered > 0 {
        names.push(format!("{} that did not register", count(wait.unregistered, "member")));
    }
    match (names.is_empty(), wait.request.as_str()) {
        _ if wait.satisfied => "is satisfied, and answered when asked for again".to_owned(),
        (true, _) => "nobody is left who could send".to_owned(),
        (false, "group_data") => format!("missing: {}", list(&names)),
        (false, "lava_wait") => format!("nobody has sent, of {}", list(&names)),
        (false, "lava_sync") => format!("not arrived: {}", list(&names)),
        (false, _) => format!("not sent by {}", list(&names)),
    }
}

fn list(names: &[String]) -> String {
    if names.len() <= NAMES {
        return names.join(", ");
    }
    format!("{} and {} more", names[..NAMES].join(", "), names.len() - NAMES)
}

fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// Text that does nothing to a terminal.
fn plain(text: &str) -> String {
    if text.is_empty() || text.chars().any(char::is_control) { format!("{text:?}") } else { text.to_owned() }
}

/// The same, cut to what fits into a table.
fn shown_name(text: &str) -> String {
    let text = plain(text);
    match text.char_indices().nth(WIDEST) {
        Some(_) => text.chars().take(WIDEST - 1).chain(['…']).collect(),
        None => text,
    }
}

/// A span of time in at most two units.
fn span(seconds: f64) -> String {
    let seconds = seconds.max(0.0) as u64;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, _, _) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}
