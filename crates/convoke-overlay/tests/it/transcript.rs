//! A recorded console of a whole run gives the results of that run (device-side.md §11.1).

use convoke_overlay::definition::TestDefinition;
use convoke_overlay::scanner::Scanner;
use convoke_overlay::signal::Signal;

/// The recording shows CR as `^M` and ESC as `^[`.
fn console() -> Vec<u8> {
    include_str!("../fixtures/01-single-qemu.console.txt").replace("^M", "\r").replace("^[", "\u{1b}").into_bytes()
}

#[test]
fn the_single_device_console_gives_all_results() {
    let names = ["signals", "pattern", "stepfail", "kmsg", "next"];
    let suites =
        names.iter().enumerate().map(|(at, name)| (format!("{at}_{name}"), format!("9001_1.1.3.{}", 4 * at + 1)));
    let mut scanner = Scanner::new(suites.collect());
    let job: serde_json::Value = serde_saphyr::from_str(include_str!("../fixtures/01-single-qemu.job.yaml")).unwrap();
    let document = &job["actions"][2]["test"]["definitions"][1]["repository"];
    let definition = TestDefinition::from_value(document).unwrap();
    scanner.add_pattern("1_pattern", &definition.parse.unwrap()).unwrap();
    let mut signals = scanner.feed(&console());
    signals.extend(scanner.flush());
    let mut suite = String::new();
    let mut lines = Vec::new();
    for signal in signals {
        match signal {
            Signal::StartRun { suite: started, .. } => {
                lines.push(format!("start {started}"));
                suite = started;
            }
            Signal::EndRun { suite, .. } => lines.push(format!("end {suite}")),
            Signal::TestCase { case, result, measurement, units }
            | Signal::Pattern { case, result, measurement, units } => {
                let measured = measurement.map(|m| format!(" {m} {}", units.unwrap_or_default())).unwrap_or_default();
                lines.push(format!("{suite} {case} {result:?}{measured}"));
            }
            Signal::Warning { text, why } => lines.push(format!("warning {text}: {why}")),
            Signal::StartTestCase(_) | Signal::EndTestCase(_) => {}
            other => lines.push(format!("{other:?}")),
        }
    }
    insta::assert_snapshot!(lines.join("\n"));
}
