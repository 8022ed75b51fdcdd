//! Monitors: results in what a device prints, one monitor after the other (job-definition.md §9.2).
//!
//! Nothing is typed and nothing is needed on the device. What was printed since the boot saw its last prompt counts: the
//! console keeps it until somebody reads.

use convoke_job::console_test::Monitor;
use convoke_job::member::{BlockKind, TestKind};
use convoke_job::pipeline::PlannedAction;
use convoke_journal::ResultRecord;
use convoke_overlay::monitor::{Seen, Watch};
use serde_json::Map;
use tokio::time::Instant;

use crate::actions::cases::Cases;
use crate::actions::{Outcome, Recorded, shell};
use crate::console::{Attached, Came, ConsoleLink};
use crate::context::Context;
use crate::error::{ActionError, ErrorClass};
use crate::limits::{CONSOLE_GONE, Deadline, Nature, SCANNER_IDLE};
use crate::testshell::suites::value;

/// Runs the monitors of the action's block.
pub(crate) async fn run(ctx: &mut Context, action: &PlannedAction, deadline: &Deadline) -> Outcome {
    if ctx.options.rehearsal {
        return shell::skipped(ctx, action, "monitors watch the output of the real device");
    }
    let Some(BlockKind::Test(TestKind::Monitors(monitors))) =
        action.block.map(|block| ctx.job.blocks[block].kind.clone())
    else {
        return Ok(None);
    };
    let ctx = &*ctx;
    let Some(link) = ctx.console(action) else {
        return Err(ActionError::job(format!("{}: no boot block comes before this test", action.name)));
    };
    let attached = link.attach();
    let mut rest = Vec::new();
    let mut result = Ok(());
    for monitor in &monitors {
        let mut cases = Cases::new(&ctx.log, &monitor.name, monitor.expected.as_deref());
        if result.is_ok() {
            let watching = Watching { ctx, link, attached: &attached, action, deadline, monitor };
            result = watching.run(&mut cases, &mut rest).await;
        }
        cases.end();
    }
    attached.put_back(&rest);
    if result.is_err() {
        ctx.log.count_failure();
    }
    result.map(|()| Some(Recorded::pass(Map::new())))
}

struct Watching<'a> {
    ctx: &'a Context,
    link: &'a ConsoleLink,
    attached: &'a Attached<'a>,
    action: &'a PlannedAction,
    deadline: &'a Deadline,
    monitor: &'a Monitor,
}

impl Watching<'_> {
    /// Watches from `rest` on, what an earlier monitor has left, and leaves there what comes behind the end.
    async fn run(&self, cases: &mut Cases<'_>, rest: &mut Vec<u8>) -> Result<(), ActionError> {
        let Watching { ctx, monitor, deadline, .. } = self;
        let mut watch = Watch::new(monitor).map_err(|error| ActionError::job(error.to_string()))?;
        ctx.log.info(format_args!("monitor {}: waits for its start {:?}", monitor.name, monitor.start));
        let mut idle = Some(Instant::now() + SCANNER_IDLE);
        let mut seen = watch.feed(&std::mem::take(rest));
        loop {
            if self.seen(seen, cases) {
                *rest = watch.into_rest();
                return Ok(());
            }
            seen = tokio::select! {
                biased;
                () = ctx.cancel.cancelled() => return Err(ctx.stopped()),
                () = deadline.reached() => return Err(self.passed(&watch)),
                came = self.attached.read() => match came {
                    Ok(Came::Bytes(bytes)) => {
                        idle = Some(Instant::now() + SCANNER_IDLE);
                        watch.feed(&bytes)
                    }
                    // A monitor may well watch a reboot, or a panic that is wanted.
                    Ok(Came::Reset) => {
                        ctx.log.info("the device was reset");
                        Vec::new()
                    }
                    Ok(Came::Panicked(line)) => {
                        ctx.log.warning(format_args!("the kernel panicked: {line}"));
                        Vec::new()
                    }
                    Err(end) => {
                        let seen = watch.quiet();
                        if self.seen(seen, cases) {
                            return Ok(());
                        }
                        // Time for whoever stops this member to say so first.
                        tokio::select! {
                            biased;
                            () = ctx.cancel.cancelled() => return Err(ctx.stopped()),
                            () = tokio::time::sleep(CONSOLE_GONE) => {}
                        }
                        let mut error = self.link.ended(self.action.name, &end, &self.when(&watch));
                        if error.class == ErrorClass::Job {
                            error.class = ErrorClass::Test;
                        }
                        return Err(error);
                    }
                },
                () = tokio::time::sleep_until(idle.unwrap_or_else(Instant::now)), if idle.is_some() => {
                    idle = None;
                    watch.quiet()
                }
            };
        }
    }

    /// Records what was seen, and tells whether that was all.
    fn seen(&self, seen: Vec<Seen>, cases: &mut Cases<'_>) -> bool {
        for one in seen {
            match one {
                Seen::Start => cases.begin(),
                Seen::Result { case, result, measurement, units } => cases.report(ResultRecord {
                    case,
                    result: value(result),
                    measurement,
                    units,
                    namespace: Some(self.action.namespace.clone()),
                    ..ResultRecord::default()
                }),
                Seen::Odd(text) => self.ctx.log.warning(format_args!("monitor {}: {text}", self.monitor.name)),
                Seen::End => return true,
            }
        }
        false
    }

    fn when(&self, watch: &Watch) -> String {
        let Monitor { name, start, end, .. } = self.monitor;
        match watch.has_started() {
            true => format!(" before the end {end:?} of monitor {name} came"),
            false => format!(" before the start {start:?} of monitor {name} came"),
        }
    }

    fn passed(&self, watch: &Watch) -> ActionError {
        let mut error = self.deadline.passed(self.action.name, Nature::Test);
        error.message.push_str(&self.when(watch));
        let lines = self.link.last_lines();
        if lines.is_empty() {
            error.message.push_str("; nothing came from the console");
        } else {
            error.message.push_str(&format!("; the console's last lines: {lines}"));
        }
        error
    }
}
