//! The stages that the tests start.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsFd;

use convoke_children::foreign::{self, Foreign};
use convoke_children::{Control, StageEntry, StageFailure, launch};

pub(crate) const ALL: &[(&str, StageEntry)] = &[
    ("echo", StageEntry::Controlled(echo)),
    ("fail", StageEntry::Controlled(fail)),
    ("hand-over", StageEntry::Controlled(hand_over)),
    ("orphan", StageEntry::Orphan(orphan)),
    ("run", StageEntry::Controlled(run)),
];

/// Answers each message with it, and writes it to the descriptor that came along.
fn echo(control: Control) -> Result<(), StageFailure> {
    loop {
        let Ok((text, fds)) = control.recv::<String>() else { return Ok(()) };
        for fd in fds {
            File::from(fd).write_all(text.as_bytes())?;
        }
        let (mut reader, writer) = std::io::pipe()?;
        std::io::Write::write_all(&mut &writer, b"from the stage")?;
        drop(writer);
        control.send(&text, &[reader.as_fd()])?;
        let _ = reader.read(&mut []);
    }
}

fn fail(control: Control) -> Result<(), StageFailure> {
    let (text, _) = control.recv::<String>()?;
    Err(StageFailure::new(format!("cannot {text}")))
}

fn hand_over(control: Control) -> Result<(), StageFailure> {
    control.recv::<()>()?;
    let orphan = launch::hand_over(&control, "orphan")?;
    Ok(control.send(&"handed over", &[orphan.as_fd()])?)
}

fn orphan(control: Control) -> Result<(), StageFailure> {
    control.send(&"orphan", &[])?;
    Ok(control.wait_eof()?)
}

/// Runs `sh -c TEXT`.
fn run(control: Control) -> Result<(), StageFailure> {
    let (program, script) = control.recv::<(String, String)>()?.0;
    let foreign = Foreign {
        program: program.into(),
        args: vec!["-c".into(), script.into()],
        environment: vec![("ADDED".into(), "yes".into())],
        directory: Some("/".into()),
    };
    let output = foreign::run(&control, &foreign)?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok(control.send(&(output.status.code(), text(output.stdout), text(output.stderr)), &[])?)
}
