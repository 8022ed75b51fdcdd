//! The user at a group that was stopped (`--break`): which device to enter, and when to go on; and the user who is asked for
//! the values of a message (`--only`).
//!
//! | module | is |
//! |---|---|
//! | `terminal` | the terminal's keys and settings |
//! | `line` | a line typed key by key |
//! | `stage` | the terminal shared with the live view |
//! | `visit` | the terminal lent to a device |

mod line;
mod stage;
mod terminal;
mod visit;

use std::io::Write;

use convoke_run::{Ask, Entrance, Found, Stop};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::view::{Paint, safe};
pub(crate) use line::Line;
pub(crate) use stage::Stage;
pub(crate) use terminal::{Keys, restore};

/// Members that are listed in a question; of more their labels are asked for.
const LISTED: usize = 8;

/// Talks to the user at each stop and for each message, until there is none any more or the run is cancelled.
pub(crate) async fn attend(
    mut stops: mpsc::UnboundedReceiver<Stop>,
    mut asks: mpsc::UnboundedReceiver<Ask>,
    stage: Stage,
    cancel: CancellationToken,
) {
    loop {
        tokio::select! {
            Some(stop) = stops.recv() => {
                if !cancel.is_cancelled() {
                    at(&stop, &stage, &cancel).await;
                }
                stage.ask(Vec::new());
                drop(stop);
            }
            Some(ask) = asks.recv() => {
                if let Some(values) = values(&ask, &stage, &cancel).await {
                    // Who asked may have ended meanwhile.
                    let _ = ask.reply.send(values);
                }
                stage.ask(Vec::new());
            }
            else => return,
        }
    }
}

/// The values of a message, a line each; none when the user cannot say.
async fn values(ask: &Ask, stage: &Stage, cancel: &CancellationToken) -> Option<Vec<(String, String)>> {
    let keys = Keys::take().ok()?;
    let paint = Paint::for_stdout();
    let (mut line, mut note, mut values) = (Line::default(), String::new(), ask.known.clone());
    loop {
        let what = format!("{} waits for {}, which {} would send", ask.waiter, ask.message_id, ask.sender);
        let mut lines = vec![paint.odd(&safe(&what))];
        lines.extend(values.iter().map(|(key, value)| format!("  {}={}", safe(key), safe(value))));
        let open = ask.wanted.iter().filter(|(key, _)| values.iter().all(|(given, _)| given != key));
        lines
            .extend(open.map(|(key, shown)| format!("  {} is not known: in the job it is {}", safe(key), safe(shown))));
        lines.push("its values as KEY=VALUE, an empty line when there are no more; no limit runs meanwhile".into());
        if !note.is_empty() {
            lines.push(paint.bad(&safe(&note)));
        }
        lines.push(format!("> {}{}", safe(&line.text()), paint.cursor()));
        stage.ask(lines);
        let pressed = tokio::select! {
            biased;
            () = cancel.cancelled() => return None,
            pressed = keys.read() => pressed?,
        };
        for key in pressed {
            let Some(text) = line.key(key) else { continue };
            note.clear();
            match text.trim().split_once('=') {
                _ if text.trim().is_empty() => return Some(values),
                Some((key, value)) if !key.is_empty() => {
                    values.retain(|(given, _)| given != key);
                    values.push((key.to_owned(), value.to_owned()));
                }
                _ => note = format!("{text:?} is no KEY=VALUE"),
            }
        }
    }
}

/// What the user wants.
#[derive(Debug, PartialEq, Eq)]
enum Wish {
    Enter(u32),
    GoOn,
    GoOnForGood,
    Cancel,
    Unclear(String),
}

async fn at(stop: &Stop, stage: &Stage, cancel: &CancellationToken) {
    let Ok(keys) = Keys::take() else { return };
    let entrances = stop.entrances();
    let (mut line, mut note) = (Line::default(), String::new());
    loop {
        stage.ask(question(stop.message_id(), &entrances, &note, &line.text()));
        let pressed = tokio::select! {
            biased;
            () = cancel.cancelled() => return,
            pressed = keys.read() => pressed,
        };
        // Without a terminal nobody can say when to go on.
        let Some(pressed) = pressed else { return };
        for key in pressed {
            let Some(text) = line.key(key) else { continue };
            note.clear();
            match wish(&text, &entrances) {
                Wish::GoOn => return,
                Wish::GoOnForGood => return stop.stop_no_more(),
                Wish::Cancel => return cancel.cancel(),
                Wish::Unclear(why) => note = why,
                Wish::Enter(sub_id) => note = enter(stop, sub_id, &entrances, stage, &keys, cancel).await,
            }
        }
    }
}

/// Enters a device; what to say afterwards.
async fn enter(
    stop: &Stop,
    sub_id: u32,
    entrances: &[Entrance],
    stage: &Stage,
    keys: &Keys,
    cancel: &CancellationToken,
) -> String {
    let Some(entrance) = entrances.iter().find(|entrance| entrance.sub_id == sub_id) else { return String::new() };
    let visit = match stop.enter(sub_id).await {
        Ok(visit) => visit,
        Err(why) => return format!("{} cannot be entered: {why}", entrance.label),
    };
    let found = visit.found;
    let loan = stage.lend().await;
    banner(entrance, found);
    let ended = visit::visit(visit, keys, cancel).await;
    drop(loan);
    match ended {
        visit::Ended::Left => String::new(),
        visit::Ended::Closed if found == Found::ShellOnConsole => format!("the shell on {} has ended", entrance.label),
        visit::Ended::Closed => format!("{} has closed {}", entrance.label, what(entrance)),
        visit::Ended::Abandoned => format!(
            "a program runs on at the console of {0}: enter it again and end it, or {0} will not take its answer",
            entrance.label
        ),
    }
}

fn what(entrance: &Entrance) -> &'static str {
    if entrance.another_shell { "another shell" } else { "its console" }
}

fn banner(entrance: &Entrance, found: Found) {
    let (what, hint) = match found {
        Found::AnotherShell => ("another shell", ""),
        Found::ShellOnConsole => ("a shell on its console, where the test waits", ""),
        Found::Console => ("its console", "; what you type reaches what runs there"),
    };
    let text = format!("{}, {what}, on {}: Ctrl-] leaves{hint}", entrance.label, entrance.device);
    let text = format!("{}\r\n", Paint::for_stdout().bold(&safe(&text)));
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// The lines below the block; the last one is what is typed.
fn question(message_id: &str, entrances: &[Entrance], note: &str, typed: &str) -> Vec<String> {
    let paint = Paint::for_stdout();
    let mut lines = vec![format!(
        "{} nobody is answered and no limit runs",
        paint.odd(&format!("stopped at {}:", safe(message_id)))
    )];
    if entrances.len() <= LISTED {
        let width = |text: &dyn Fn(&Entrance) -> &str| {
            entrances.iter().map(|entrance| console::measure_text_width(text(entrance))).max().unwrap_or(0)
        };
        let (labels, devices) = (width(&|entrance| &entrance.label), width(&|entrance| &entrance.device));
        for (index, entrance) in entrances.iter().enumerate() {
            let label = console::pad_str(&entrance.label, labels, console::Alignment::Left, None);
            let device = console::pad_str(&entrance.device, devices, console::Alignment::Left, None);
            let label = paint.member(entrance.sub_id, &label);
            lines.push(format!("  {}  {label}  {}  {}", index + 1, paint.dim(&device), what(entrance)));
        }
    }
    let who = if entrances.len() <= LISTED { "a number" } else { "a member's name, such as client.2," };
    lines.push(format!("{who} enters, c goes on, a goes on to the end, q cancels the run"));
    if !note.is_empty() {
        lines.push(paint.bad(&safe(note)));
    }
    lines.push(format!("> {}{}", safe(typed), paint.cursor()));
    lines
}

fn wish(text: &str, entrances: &[Entrance]) -> Wish {
    let text = text.trim();
    let label = |entrance: &&Entrance| entrance.label == text || entrance.device == text;
    let by_number = || text.parse::<usize>().ok().and_then(|number| entrances.get(number.checked_sub(1)?));
    match text {
        "c" | "continue" => Wish::GoOn,
        "a" | "all" => Wish::GoOnForGood,
        "q" | "quit" => Wish::Cancel,
        "" => Wish::Unclear(String::new()),
        _ => match by_number().or_else(|| entrances.iter().find(label)) {
            Some(entrance) => Wish::Enter(entrance.sub_id),
            None => Wish::Unclear(format!("there is no {text:?} here")),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entrances() -> Vec<Entrance> {
        let entrance = |sub_id: u32, label: &str, another_shell| Entrance {
            sub_id,
            label: label.into(),
            device: format!("dut-{sub_id}"),
            another_shell,
        };
        vec![entrance(0, "server", true), entrance(3, "client.1", false)]
    }

    #[test]
    fn a_member_is_entered_by_number_label_or_device() {
        for (text, sub_id) in [("1", 0), (" 2 ", 3), ("client.1", 3), ("dut-0", 0)] {
            assert_eq!(wish(text, &entrances()), Wish::Enter(sub_id), "{text}");
        }
        for text in ["0", "3", "-1", "clientx", "99999999999999999999"] {
            assert!(matches!(wish(text, &entrances()), Wish::Unclear(why) if why.contains(text)), "{text}");
        }
        assert_eq!([wish("c", &[]), wish("a", &[]), wish("q", &[])], [Wish::GoOn, Wish::GoOnForGood, Wish::Cancel]);
    }

    #[test]
    fn the_question_says_what_entering_gives() {
        console::set_colors_enabled(false);
        insta::assert_snapshot!(question("go", &entrances(), "there is no \"x\" here", "cl").join("\n"));
    }
}
