//! A coordinator that keeps strangers out: tokens and TLS from the command line.

use std::fs::Permissions;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use crate::dispatch::{JOB, exchanged, members};
use crate::harness::{Place, Run, User};

const TOKEN: &str = "0123456789abcdef-the-token";

/// How long it may take to say something that it is known to say; the longest, so that a test ends that waits in vain.
const SAYS: Duration = Duration::from_secs(60);

/// A coordinator whose log is read while it runs.
struct Coordinator {
    child: Child,
    log: Receiver<String>,
    said: String,
    clear: u16,
    tls: u16,
}

impl Coordinator {
    /// Starts it with a port in clear and one with TLS.
    fn start(dir: &Path, arguments: &[&str]) -> Self {
        let mut child = command(dir, &["--listen", "127.0.0.1:0", "--listen-tls", "127.0.0.1:0"])
            .args(["--tls-cert", "server.pem", "--tls-key", "server.key"])
            .args(arguments)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (line, log) = channel();
        std::thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|said| line.send(said)));
        let mut this = Self { child, log, said: String::new(), clear: 0, tls: 0 };
        this.clear = port(&this.says("listening on 127.0.0.1:"));
        this.tls = port(&this.says("listening for TLS on 127.0.0.1:"));
        this.says("open ");
        this
    }

    /// Reads the log up to a line that has this text, and gives what comes behind it.
    #[track_caller]
    fn says(&mut self, text: &str) -> String {
        loop {
            let line = self.log.recv_timeout(SAYS);
            let line = line.unwrap_or_else(|_| panic!("it never said {text:?}:\n{}", self.said));
            self.said.push_str(&line);
            self.said.push('\n');
            if let Some((_, rest)) = line.split_once(text) {
                return rest.trim_end().to_owned();
            }
        }
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
    }

    /// The reply to a request in clear that makes a group.
    fn ask(&self, token: &str) -> String {
        let json = format!(
            r#"{{"hostname": "w", "client_name": "a", "group_name": "of {token}", "role": "r", "group_size": 2, "request": "group_data", "convoke_token": "{token}"}}"#
        );
        say(self.clear, format!("{:08X}{json}", json.len()).as_bytes())
    }

    /// Ends it, and gives everything it ever said.
    fn end(mut self) -> String {
        self.signal(Signal::SIGTERM);
        for line in &self.log {
            self.said.push_str(&line);
            self.said.push('\n');
        }
        assert_eq!(self.child.wait().unwrap().code(), Some(0), "{}", self.said);
        std::mem::take(&mut self.said)
    }
}

impl Drop for Coordinator {
    fn drop(&mut self) {
        // It has ended already unless the test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn port(text: &str) -> u16 {
    text.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap()
}

fn say(port: u16, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(bytes).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).unwrap();
    String::from_utf8_lossy(&reply).into_owned()
}

fn command(dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_convoke"));
    command.arg("coordinator").args(arguments).current_dir(dir).stdin(Stdio::null()).stdout(Stdio::null());
    command
}

/// A CA, and certificates of it for `localhost` and for a dispatcher.
fn certificates(place: &Place) {
    let mut parameters = CertificateParams::new(Vec::new()).unwrap();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap();
    place.write("ca.pem", ca.pem());
    for (file, name) in [("server", "localhost"), ("client", "dispatcher")] {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &ca).unwrap();
        place.write(&format!("{file}.pem"), certificate.pem());
        place.write(&format!("{file}.key"), key.serialize_pem());
    }
}

/// A place with certificates and a list of tokens.
fn place() -> Place {
    let place = Place::new(User::Root);
    certificates(&place);
    place.write("tokens", format!("# of this lab\n{TOKEN}\n"));
    place
}

const GUARDED: [&str; 5] = ["--token-file", "tokens", "--require-token", "--tls-client-ca", "ca.pem"];

#[test]
fn two_dispatchers_with_token_and_certificate_meet_where_strangers_are_refused() {
    let place = place();
    let here = place.path("");
    members(&place, JOB, "one");
    place.write("token", TOKEN);
    let arguments = [&GUARDED[..], &["--loglevel", "DEBUG", "--state", "state"]].concat();
    let coordinator = Coordinator::start(&here, &arguments);
    let address = format!("localhost:{}", coordinator.tls);
    let dispatch = |role: &str, output: &str, access: &[&str]| {
        let member = format!("{role}.yaml");
        let usual = ["dispatch", &member, "--device", "device.yaml", "--coordinator", &address, "--output", output];
        place.command(&[&usual[..], access].concat())
    };
    let access = ["--tls-ca", "ca.pem", "--tls-cert", "client.pem", "--tls-key", "client.key", "--token-file", "token"];
    let runs = ["server", "client"].map(|role| dispatch(role, role, &access).spawn().unwrap());
    let ended =
        |(child, dir): (Child, &str)| Run { ended: child.wait_with_output().unwrap().into(), dir: place.path(dir) };
    let [server, client] = runs;
    exchanged(&[ended((server, "server")), ended((client, "client"))]);

    // A certificate alone is not enough: the command line is wrong.
    let ended = dispatch("server", "stranger", &access[..6]).output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr).into_owned() + &String::from_utf8_lossy(&ended.stdout);
    assert_eq!(ended.status.code(), Some(2), "{said}");
    assert!(said.contains("only those who have a token"), "{said}");
    let log = coordinator.end();
    assert!(log.contains("this coordinator serves only those who have a token"), "{log}");
    assert!(!log.contains(TOKEN), "{log}");
    let journal = std::fs::read_to_string(place.path("server/journal.jsonl")).unwrap();
    assert!(!journal.contains(TOKEN));
}

#[test]
fn the_log_says_who_took_the_wrong_port_or_has_no_certificate() {
    let place = place();
    let mut coordinator = Coordinator::start(&place.path(""), &GUARDED);
    assert!(say(coordinator.tls, b"00000002{}").contains("this port takes only TLS"));
    coordinator.says("the caller speaks in clear, and this port takes only TLS");
    assert_eq!(say(coordinator.clear, &[0x16, 3, 1, 2, 0]), "");
    coordinator.says("the message is one of TLS, and this port takes none");
    assert_eq!(say(coordinator.tls, b""), "");
    coordinator.end();
}

#[test]
fn tokens_and_certificates_are_read_again_on_a_hangup() {
    let place = place();
    let mut coordinator = Coordinator::start(&place.path(""), &GUARDED);
    assert!(coordinator.ask(TOKEN).contains("wait"));
    assert!(coordinator.ask("another-token-of-theirs").contains("none of this coordinator's"));
    place.write("tokens", "another-token-of-theirs\n");
    coordinator.signal(Signal::SIGHUP);
    coordinator.says("tokens: 1 tokens are read again");
    coordinator.says("certificates are read again");
    assert!(coordinator.ask("another-token-of-theirs").contains("wait"));
    assert!(coordinator.ask(TOKEN).contains("nack"));
    place.write("tokens", "short\n");
    place.write("server.pem", "nothing\n");
    coordinator.signal(Signal::SIGHUP);
    coordinator.says("the tokens stay as they were: tokens:1: a token has 16 to 1024 characters");
    coordinator.says("certificates stay as they were: ");
    assert!(coordinator.ask("another-token-of-theirs").contains("wait"));
    coordinator.end();
}

#[test]
fn what_cannot_guard_is_refused_at_start() {
    let place = place();
    place.write("empty", "\n");
    place.write("both.json", r#"{"require_token": true, "token_file": "nowhere"}"#);
    for (arguments, says) in [
        (&["--token-file", "nowhere"][..], "nowhere: cannot be read"),
        (&["--token-file", "empty"], "empty: there is no token in it"),
        (&["--config", "both.json"], "nowhere: cannot be read"),
        (&["--listen-tls", ":0"], "--listen-tls needs a certificate and its key"),
        (&["--tls-cert", "server.pem", "--tls-key", "server.key"], "add --listen-tls"),
        (&["--listen-tls", ":0", "--tls-cert", "server.pem", "--tls-key", "client.key"], "not that of the certificate"),
        (
            &["--listen-tls", "x", "--tls-cert", "server.pem", "--tls-key", "server.key"],
            "--listen-tls x: not an address",
        ),
    ] {
        let output = command(&place.path(""), arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(says), "{arguments:?}: {said}");
    }
}

#[test]
fn secrets_that_everybody_can_read_are_pointed_out() {
    let place = place();
    let may_read = |file: &str, mode| std::fs::set_permissions(place.path(file), Permissions::from_mode(mode)).unwrap();
    may_read("tokens", 0o640);
    may_read("server.key", 0o644);
    let log = Coordinator::start(&place.path(""), &GUARDED).end();
    assert!(log.contains("server.key: every user of this machine can read it: `chmod 640 server.key`"), "{log}");
    assert!(!log.contains("tokens: every user"), "{log}");
    may_read("tokens", 0o644);
    may_read("server.key", 0o600);
    let log = Coordinator::start(&place.path(""), &GUARDED).end();
    assert!(log.contains("tokens: every user") && !log.contains("key: every user"), "{log}");
}

/// The same from the configuration file.
#[test]
fn a_configuration_guards_too() {
    let place = place();
    place.write("conf", r#"{"port": 0, "token_file": "tokens", "require_token": true, "max_groups_per_address": 1}"#);
    let coordinator = Coordinator::start(&place.path(""), &["--config", "conf"]);
    assert!(coordinator.ask("another-token-of-theirs").contains("none of this coordinator's"));
    assert!(coordinator.ask(TOKEN).contains("wait"));
    let log = coordinator.end();
    assert!(log.contains("open only to those who have a token of tokens"), "{log}");
}
