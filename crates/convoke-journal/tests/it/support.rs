//! A small run for the tests.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

use convoke_journal::{Body, Event, Reader, View};

/// Runs a future on this thread; recording needs no runtime.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::park(),
        }
    }
}

/// A view that keeps everything.
#[derive(Clone, Default)]
pub(crate) struct Keep(pub(crate) Arc<Mutex<Vec<Event>>>);

impl View for Keep {
    fn event(&mut self, event: &Event) {
        self.0.lock().unwrap().push(event.clone());
    }

    fn finish(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

pub(crate) fn read(path: &std::path::Path) -> Vec<Event> {
    Reader::open(path).unwrap().map(Result::unwrap).collect()
}

pub(crate) fn run_started() -> Body {
    Body::RunStarted {
        version: convoke_journal::event::VERSION,
        program: "convoke 0.1.0".into(),
        job_file: "job.yaml".into(),
        job_name: "two members".into(),
        group: "g".into(),
        rehearsal: false,
        members: Vec::new(),
        secrets: 0,
    }
}

/// The console bytes of a member, all of them.
pub(crate) fn console(events: &[Event], member: u32) -> Vec<u8> {
    let own = events.iter().filter(|event| event.member == Some(member));
    own.filter_map(|event| event.body.console_bytes()).flat_map(|bytes| bytes.into_owned()).collect()
}

pub(crate) fn fixture(name: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}
