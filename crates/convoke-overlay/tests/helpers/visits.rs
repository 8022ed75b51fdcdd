//! A visitor at a console whose helper waits on the checked link: the helper gives the console to a shell, and takes it
//! back.

use convoke_overlay::link::{Frame, Kind, Reply};
use convoke_overlay::signal::DeviceRequest;

use crate::device::each_shell;
use crate::dispatcher::Dispatcher;
use crate::link::{linked, start};

/// Serves until `text` has come after what was there before.
#[track_caller]
fn until(dispatcher: &mut Dispatcher<'_>, from: usize, text: &str) -> usize {
    let end = |dispatcher: &Dispatcher<'_>| {
        let seen = &dispatcher.raw[from..];
        seen.windows(text.len()).position(|window| window == text.as_bytes()).map(|at| from + at + text.len())
    };
    dispatcher.serve(|dispatcher| end(dispatcher).is_some());
    end(dispatcher).unwrap_or_else(|| panic!("no {text:?} in {}", String::from_utf8_lossy(&dispatcher.raw)))
}

#[test]
fn a_shell_where_the_test_waits_and_the_wait_goes_on() {
    each_shell(|shell| {
        let device = linked(shell);
        let steps =
            "cd /\nexport MINE=here\nlava-wait-all one &\nlava-wait two\nwait\nlava-test-case after --result pass\n";
        let mut dispatcher = Dispatcher::new(start(&device, steps), |_| None);
        dispatcher.serve(|dispatcher| dispatcher.waiting.len() == 2);
        let before = format!("{:?}", dispatcher.console.modes());
        let mut at = dispatcher.raw.len();
        // More than once, to see that the console is as it was: also after a shell that was not asked to leave it so.
        for leave in ["\x15exit\n", "exec true\n", "\x15exit\n"] {
            let id = dispatcher.waiting[0].0;
            dispatcher.console.type_bytes(format!("{}\n", Frame::about(Kind::Visit, id, 1, 1).line()).as_bytes());
            at = until(&mut dispatcher, at, " in>");
            dispatcher.console.type_bytes(b"echo \"$MINE in $PWD $((40 + 2))\"\n");
            at = until(&mut dispatcher, at, "here in / 42");
            dispatcher.console.type_bytes(leave.as_bytes());
            at = until(&mut dispatcher, at, " out>");
            assert_eq!(format!("{:?}", dispatcher.console.modes()), before);
        }
        let waiting: Vec<(u16, DeviceRequest)> = dispatcher.waiting.drain(..).collect();
        for (id, _) in waiting {
            dispatcher.reply(id, &Reply::Ok(Vec::new()));
        }
        dispatcher.finish();
        assert_eq!(dispatcher.cases(), ["after Pass"]);
        assert_eq!(dispatcher.calls().len(), 2, "nobody has asked again or given up: {:?}", dispatcher.calls());
    });
}
