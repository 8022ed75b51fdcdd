//! Any sequence of requests, to the whole service, beside the rules driven directly (`oracle.rs`).
//!
//! The first byte says how: to the registry with its log, where callers are held, go, and lose replies, and where it is
//! built again from its log; or over sockets to a server with a store, which is ended and started again.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use convoke_coordinator::registry::{Registry, Step as Caused, Ticket};
use convoke_coordinator::store::{Entry, Expiry, MemoryStore, Record, Store};
use convoke_coordinator::wire::{Decoded, Decoder, Json, Reply, Request, frame};
use convoke_coordinator::{Limits, Listeners, Server, ServerSettings};
use convoke_group::{GroupName, Time};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::oracle::{Expected, Number, Oracle};
use super::steps::{Asked, Step, steps};

/// One input in so many goes over sockets, which takes far longer.
const SOCKETS: u8 = 32;
/// Long enough never to pass when all is well.
const HANG: Duration = Duration::from_secs(60);
/// Pause between two looks at the store.
const LOOK: Duration = Duration::from_micros(100);

pub(crate) fn check(data: &[u8]) {
    let Some((how, bytes)) = data.split_first() else { return };
    if *how % SOCKETS == 0 { over_sockets(&steps(bytes)) } else { direct(&steps(bytes)) }
}

/// The names of calls: each member's last one.
#[derive(Default)]
struct Names {
    last: BTreeMap<(&'static str, &'static str), String>,
    made: u64,
}

impl Names {
    fn of(&mut self, asked: &Asked) -> String {
        self.made += 1;
        let fresh = format!("c{}", self.made);
        let again = asked.held.as_ref().is_some_and(|held| held.again);
        let name = self.last.entry((asked.group, asked.member)).or_insert_with(|| fresh.clone());
        if !again {
            *name = fresh;
        }
        name.clone()
    }
}

/// The registry and what is kept of its groups.
struct Kept {
    registry: Registry,
    log: BTreeMap<GroupName, Vec<Record>>,
    now: Time,
}

impl Kept {
    fn keep(&mut self, group: &GroupName, caused: &Caused) {
        let records = caused.entries.iter().map(|entry| Record { at: self.now, entry: entry.clone() });
        self.log.entry(group.clone()).or_default().extend(records);
        if caused.ended || self.log[group].is_empty() {
            self.log.remove(group);
        }
    }

    fn restart(&mut self) {
        self.registry = Registry::new(Limits::default(), Expiry::default());
        for (group, records) in std::mem::take(&mut self.log) {
            let further = self.registry.restore(group.clone(), records.clone()).expect("a group that has not ended");
            let further = further.into_iter().map(|entry| Record { at: self.now, entry });
            self.log.insert(group, records.into_iter().chain(further).collect());
        }
    }
}

fn direct(steps: &[Step]) {
    let registry = Registry::new(Limits::default(), Expiry::default());
    let mut kept = Kept { registry, log: BTreeMap::new(), now: Time::default() };
    let (mut oracle, mut names) = (Oracle::default(), Names::default());
    let mut held: Vec<(&'static str, Number)> = Vec::new();
    let mut released: VecDeque<(&'static str, Number)> = VecDeque::new();
    for (number, step) in steps.iter().enumerate() {
        let number = number as Number + 1;
        kept.now = Time(Duration::from_secs(number));
        let (group, caused, expected) = match step {
            Step::Ask(asked) => {
                let call = names.of(asked);
                let request = request(&asked.text(&call));
                let group = GroupName::new(asked.group);
                let expected = oracle.ask(number, asked, &call);
                if expected.iter().all(|expected| expected.number != number) {
                    held.push((asked.group, number));
                }
                released.extend(expected.iter().filter(|e| e.release).map(|e| (asked.group, e.number)));
                (group, kept.registry.ask(Ticket(number), request, kept.now), expected)
            }
            Step::Odd(text, nacked) => {
                odd(text, *nacked);
                continue;
            }
            Step::Delivered { newest, reached } => {
                let next = if *newest { released.pop_back() } else { released.pop_front() };
                let Some((group, number)) = next else { continue };
                let expected = oracle.settled(group, number, *reached);
                let group = GroupName::new(group);
                let caused = kept.registry.delivered(&group, Ticket(number), *reached, kept.now);
                (group, caused, expected)
            }
            Step::Gone => {
                if held.is_empty() {
                    continue;
                }
                let (group, number) = held.remove(0);
                let expected = oracle.settled(group, number, false);
                let group = GroupName::new(group);
                (group.clone(), kept.registry.withdraw(&group, Ticket(number), kept.now), expected)
            }
            Step::Restart => {
                kept.restart();
                oracle.restarted();
                held.clear();
                released.clear();
                continue;
            }
        };
        held.retain(|(_, number)| expected.iter().all(|expected| expected.number != *number));
        kept.keep(&group, &caused);
        compare(number, step, &caused, expected);
    }
    let groups: Vec<String> = kept.log.keys().map(ToString::to_string).collect();
    assert_eq!(groups, oracle.groups(), "the groups that are kept");
}

fn request(text: &str) -> Request {
    let mut decoder = Decoder::new(1 << 20);
    decoder.push(&frame(text));
    let Decoded::Message(message) = decoder.poll() else { panic!("{text}") };
    Request::read(&message).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn odd(text: &str, nacked: bool) {
    let mut decoder = Decoder::new(1 << 20);
    decoder.push(&frame(text));
    let refused = match decoder.poll() {
        Decoded::Message(message) => Request::read(&message).is_err(),
        Decoded::Unusable(_) => true,
        Decoded::More | Decoded::Broken(_) => false,
    };
    assert_eq!(refused, nacked, "{text}");
}

#[track_caller]
fn compare(number: Number, step: &Step, caused: &Caused, mut expected: Vec<Expected>) {
    let without_reason = |reply: &Option<Reply>| match reply {
        Some(Reply::Nack(_) | Reply::Refused(_)) => Some(Reply::Nack(String::new())),
        other => other.clone(),
    };
    let mut found: Vec<_> = caused.replies.iter().map(|(ticket, reply)| (ticket.0, without_reason(reply))).collect();
    found.sort_by_key(|(number, _)| *number);
    expected.sort_by_key(|expected| expected.number);
    let expected: Vec<_> = expected.into_iter().map(|expected| (expected.number, expected.reply)).collect();
    assert_eq!(found, expected, "step {number}: {step:?}");
}

fn over_sockets(steps: &[Step]) {
    thread_local! {
        static RUNTIME: Runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    }
    RUNTIME.with(|runtime| runtime.block_on(served(steps)));
}

async fn served(steps: &[Step]) {
    let store = Arc::new(MemoryStore::default());
    let (mut oracle, mut names) = (Oracle::default(), Names::default());
    let mut server = Served::start(&store);
    for (number, step) in steps.iter().enumerate() {
        let number = number as Number + 1;
        match step {
            Step::Ask(asked) => {
                // A held request gives no sign of having been taken: everybody polls here.
                let asked = Asked { held: None, ..asked.clone() };
                let call = names.of(&asked);
                let expected = oracle.ask(number, &asked, &call);
                let [Expected { reply, release, .. }] = expected.as_slice() else { panic!("{expected:?}") };
                let collected = collected(&store, asked.group);
                let text = server.ask(&asked.text(&call)).await;
                match reply {
                    None => assert_eq!(text, "", "step {number}: {step:?}"),
                    Some(Reply::Nack(_)) => assert_eq!(word(&text), "nack", "step {number}: {step:?}"),
                    Some(reply) => assert_eq!(text, reply.to_text(asked.has_extras()), "step {number}: {step:?}"),
                }
                if *release {
                    // The server sees a moment later than the caller that the reply has arrived.
                    let seen = async {
                        while self::collected(&store, asked.group) == collected {
                            sleep(LOOK).await;
                        }
                    };
                    timeout(HANG, seen).await.expect("the reply arrives");
                    oracle.settled(asked.group, number, true);
                }
            }
            Step::Odd(text, nacked) => {
                let reply = server.ask(text).await;
                assert_eq!(word(&reply), if *nacked { "nack" } else { "" }, "step {number}: {step:?}");
            }
            Step::Delivered { .. } | Step::Gone => {}
            Step::Restart => {
                server.end().await;
                oracle.restarted();
                server = Served::start(&store);
            }
        }
    }
    server.end().await;
    let mut groups: Vec<String> = store.load().expect("memory").iter().map(|(name, _)| name.to_string()).collect();
    groups.sort();
    assert_eq!(groups, oracle.groups(), "the groups that are kept");
}

/// How many releases are known to have arrived.
fn collected(store: &MemoryStore, group: &str) -> usize {
    fn count(record: &Record) -> usize {
        match &record.entry {
            Entry::Collected { .. } => 1,
            Entry::Several(records) => records.iter().map(count).sum(),
            _ => 0,
        }
    }
    let groups = store.load().expect("memory");
    let records = groups.iter().filter(|(name, _)| name.as_str() == group).flat_map(|(_, records)| records);
    records.map(count).sum()
}

fn word(reply: &str) -> String {
    let reply = Json::parse(reply.as_bytes());
    reply.ok().and_then(|reply| Some(reply.get("response")?.as_text()?.to_owned())).unwrap_or_default()
}

struct Served {
    address: std::net::SocketAddr,
    end: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Served {
    fn start(store: &Arc<MemoryStore>) -> Self {
        let listeners = Listeners::bind(&["127.0.0.1:0".parse().expect("an address")]).expect("a port");
        let store: Arc<dyn Store> = Arc::clone(store) as _;
        let server = Server::new(ServerSettings::default(), listeners, Some(store)).expect("a server");
        let (address, end) = (server.addresses()[0], CancellationToken::new());
        let task = tokio::spawn(server.run(end.clone()));
        Self { address, end, task }
    }

    async fn end(self) {
        self.end.cancel();
        timeout(HANG, self.task).await.expect("the server ends").expect("the server has not panicked");
    }

    /// The text of the reply, without its frame; empty when there is none.
    async fn ask(&self, text: &str) -> String {
        let talk = async {
            let mut stream = TcpStream::connect(self.address).await?;
            stream.write_all(&frame(text)).await?;
            stream.shutdown().await?;
            let mut reply = String::new();
            stream.read_to_string(&mut reply).await?;
            std::io::Result::Ok(reply)
        };
        let reply = timeout(HANG, talk).await.expect("a reply or a close").expect("a connection");
        let Some((header, text)) = reply.split_at_checked(8) else { return reply };
        assert_eq!(header, format!("{:08X}", text.len()), "{reply}");
        text.to_owned()
    }
}
