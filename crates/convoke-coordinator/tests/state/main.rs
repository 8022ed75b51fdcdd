//! The state directory as a process that dies finds it: a child appends and says what was acknowledged, the parent kills
//! it. The child is this program again, told by its first argument.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod child;
mod full;
mod kill;

use libtest_mimic::{Arguments, Trial};

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["append", dir] => return child::append(dir.as_ref()),
        ["fill", dir] => return full::fill(dir.as_ref()),
        _ => {}
    }
    let trials = vec![
        Trial::test("a_killed_writer_has_kept_what_it_acknowledged", || {
            kill::check();
            Ok(())
        }),
        Trial::test("a_full_disk_loses_nothing_and_is_gone_on_with", || {
            full::check();
            Ok(())
        }),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}
