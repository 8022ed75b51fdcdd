//! The same requests to Debian's lava-coordinator and to ours: byte for byte the same replies, wherever
//! coordinator-protocol.md says that the two agree. What §7.1 lists is left out of the sequences; the rest is random.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::harness::*;
use crate::random::Random;

const SEQUENCES: u64 = 25;
const STEPS: usize = 40;
const IDS: [&str; 3] = ["m", "M", "nack"];
/// As Python writes them, and so that it writes them again after it has read them.
const VALUES: [&str; 6] = [
    "{}",
    r#"{"one": "1", "two": "2"}"#,
    r#"{"z": 1, "a": [1, 2.5, null], "m": {"k": true}}"#,
    r#"{"u": "\u00fc\ud83d\ude00", "q": "\"\\\n"}"#,
    r#"{"big": 123456789012345678901234567890}"#,
    r#"{"empty": ""}"#,
];

/// Debian's.
struct Lava {
    process: Child,
    address: SocketAddr,
    _dir: tempfile::TempDir,
}

impl Lava {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        // Free a moment ago.
        let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let config = dir.path().join("coordinator.conf");
        let text = format!(r#"{{"port": {}, "blocksize": 4096, "poll_delay": 1}}"#, address.port());
        std::fs::write(&config, text).unwrap();
        let log = dir.path().join("log");
        let process = Command::new("lava-coordinator")
            .args(["--loglevel", "INFO", "--logfile"])
            .arg(&log)
            .arg("--config")
            .arg(&config)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("lava-coordinator is installed by `cargo xtask setup`");
        let lava = Self { process, address, _dir: dir };
        let ready = "timeout 60 tail -n +1 -F \"$1\" 2>/dev/null | grep -q -m 1 'Ready to accept'";
        let listens = Command::new("sh").args(["-c", ready, "sh"]).arg(&log).status().unwrap();
        assert!(listens.success(), "lava-coordinator never listened: {:?}", std::fs::read_to_string(&log));
        lava
    }

    /// The reply without its frame.
    async fn json(&mut self, json: &str) -> String {
        let connected = timeout(LONG, TcpStream::connect(self.address)).await.expect("lava-coordinator lives");
        let mut stream = connected.expect("lava-coordinator listens");
        stream.write_all(&framed(json)).await.unwrap();
        stream.shutdown().await.unwrap();
        unframed(&read(&mut stream).await)
    }
}

impl Drop for Lava {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Both coordinators, and what happens in the group.
struct Pair {
    lava: Lava,
    ours: Coordinator,
    random: Random,
    group: String,
    /// The role of each member.
    roles: Vec<&'static str>,
    sent: Vec<BTreeSet<usize>>,
    said: Vec<String>,
}

impl Pair {
    fn request(&self, member: usize, request: &str, more: &str) -> String {
        let (group, role) = (&self.group, self.roles[member]);
        format!(
            r#"{{"hostname": "w", "client_name": "{member}", "group_name": "{group}", "role": "{role}", "request": "{request}"{more}}}"#
        )
    }

    /// Both have to say the same.
    async fn same(&mut self, member: usize, request: &str, more: &str) -> String {
        let json = self.request(member, request, more);
        let theirs = self.lava.json(&json).await;
        self.compare(json, theirs).await
    }

    async fn compare(&mut self, json: String, theirs: String) -> String {
        let ours = self.ours.json(&json).await;
        self.said.push(format!("{json}\n  {theirs}"));
        assert_eq!(ours, theirs, "after\n{}", self.said.join("\n"));
        ours
    }

    fn member(&mut self) -> usize {
        self.random.below(self.roles.len())
    }

    async fn sequence(&mut self, number: u64) {
        self.group = format!("group {number}");
        self.said.clear();
        self.roles = (0..2 + self.random.below(3)).map(|_| ["server", "client"][self.random.below(2)]).collect();
        self.sent = vec![BTreeSet::new(); IDS.len()];
        let size = format!(r#", "group_size": {}"#, self.roles.len());
        self.same(0, "lava_wait", r#", "messageID": "m""#).await;
        for member in 0..self.roles.len() {
            self.same(member, "group_data", &size).await;
        }
        for step in 0..STEPS {
            let (member, which) = (self.member(), self.random.below(IDS.len()));
            let message_id = id(IDS[which]);
            match self.random.below(10) {
                0..3 => {
                    let value = VALUES[self.random.below(VALUES.len())];
                    self.sent[which].insert(member);
                    let reply = self.same(member, "lava_send", &format!(r#"{message_id}, "message": {value}"#)).await;
                    assert_eq!(reply, ACK);
                }
                3 | 4 => drop(self.same(member, "lava_wait", &message_id).await),
                // Before anybody has sent: D8.
                5 if !self.sent[which].is_empty() => drop(self.same(member, "lava_wait_all", &message_id).await),
                6 if self.agree_on_role(member, which) => {
                    let role = self.other_role(member);
                    self.same(member, "lava_wait_all", &format!(r#"{message_id}, "waitrole": "{role}""#)).await;
                }
                7 => self.sync(step).await,
                8 => drop(self.same(member, "group_data", &size).await),
                9 => drop(self.same(member, ["complete", "lava-send", "nothing"][which], &message_id).await),
                _ => {}
            }
        }
        self.bundles().await;
        for member in 0..self.roles.len() {
            assert_eq!(self.same(member, "clear_group", &size).await, ACK);
        }
        assert_eq!(self.same(0, "lava_wait", r#", "messageID": "m""#).await, NACK);
    }

    fn other_role(&self, member: usize) -> &'static str {
        if self.roles[member] == "server" { "client" } else { "server" }
    }

    /// Whether D1, D2, D8, and a role that nobody has, are out of the way: all of the role have sent, or its first member
    /// has not while somebody else has and the asker's own role has not as a whole.
    fn agree_on_role(&self, member: usize, id: usize) -> bool {
        let role = self.other_role(member);
        let of = |role: &str| (0..self.roles.len()).filter(|m| self.roles[*m] == role).collect::<Vec<_>>();
        let sent = &self.sent[id];
        let (waited, own) = (of(role), of(self.roles[member]));
        let Some(first) = waited.first() else { return false };
        let all = |members: &[usize]| members.iter().all(|member| sent.contains(member));
        all(&waited) || !sent.is_empty() && !sent.contains(first) && !all(&own)
    }

    /// Every member comes, in any order, asks now and then before all have come, and once more after that. Each sync has
    /// an ID of its own (D5, D6).
    async fn sync(&mut self, step: usize) {
        let s = id(&format!("sync {step}"));
        let mut members: Vec<usize> = (0..self.roles.len()).collect();
        for place in (1..members.len()).rev() {
            let with = self.random.below(place + 1);
            members.swap(place, with);
        }
        let Some((last, others)) = members.split_last() else { return };
        for member in others {
            for _ in 0..1 + self.random.below(2) {
                assert_eq!(self.same(*member, "lava_sync", &s).await, WAIT);
            }
        }
        // Python lets the last one wait for a poll too (§4.6).
        let json = self.request(*last, "lava_sync", &s);
        assert_eq!(self.lava.json(&json).await, WAIT);
        let theirs = self.lava.json(&json).await;
        self.compare(json, theirs).await;
        for member in others {
            self.same(*member, "lava_sync", &s).await;
        }
    }

    async fn bundles(&mut self) {
        for member in 1..self.roles.len() {
            let bundle = VALUES[self.random.below(VALUES.len())];
            self.same(member, "aggregate", &format!(r#", "sub_id": "7.{member}", "bundle": {bundle}"#)).await;
        }
        for _ in 0..4 {
            self.same(0, "aggregate", r#", "sub_id": "7.0", "bundle": {"a": 1}"#).await;
        }
    }
}

#[tokio::test]
async fn what_both_promise_both_say_alike() {
    let (lava, ours, random) = (Lava::start(), Coordinator::start(), Random::new(1));
    let (group, roles, sent, said) = (String::new(), Vec::new(), Vec::new(), Vec::new());
    let mut pair = Pair { lava, ours, random, group, roles, sent, said };
    for number in 0..SEQUENCES {
        pair.sequence(number).await;
    }
    assert_eq!(pair.lava.process.try_wait().unwrap(), None, "lava-coordinator has died");
    pair.ours.end().await;
}
