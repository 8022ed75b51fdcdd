//! TLS on a port of its own.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::time::Duration;

use convoke_coordinator::{
    Access, CallOptions, ClientTls, ClientTlsFiles, GroupClient, Listeners, Server, ServerSettings, TcpClient,
    TcpSettings, Tls, TlsFiles,
};
use convoke_group::{Answer, Call, GroupName, MemberName, MessageId, RoleName};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::certificates::Certificates;
use crate::harness::*;

struct Coordinator {
    clear: SocketAddr,
    tls: SocketAddr,
    end: CancellationToken,
    task: JoinHandle<()>,
}

impl Coordinator {
    fn start(tls: Tls) -> Self {
        Self::with(ServerSettings::default(), tls)
    }

    fn with(settings: ServerSettings, tls: Tls) -> Self {
        let listen = || Listeners::bind(&["127.0.0.1:0".parse().unwrap()]).unwrap();
        let server = Server::new(settings, listen(), None).unwrap().with_tls(listen(), tls);
        let (clear, tls, end) = (server.addresses()[0], server.tls_addresses()[0], CancellationToken::new());
        let task = tokio::spawn(server.run(end.clone()));
        Self { clear, tls, end, task }
    }

    async fn end(self) {
        self.end.cancel();
        timeout(LONG, self.task).await.unwrap().unwrap();
    }
}

fn opened(files: TlsFiles) -> Tls {
    Tls::open(files).unwrap()
}

fn client(member: &str, host: &str, port: SocketAddr, size: usize, files: Option<ClientTlsFiles>) -> TcpClient {
    let settings = TcpSettings {
        coordinator: format!("{host}:{}", port.port()),
        group: GroupName::new("g"),
        size: NonZeroUsize::new(size).unwrap(),
        member: MemberName::new(member),
        role: RoleName::new("peer"),
        hostname: "w".into(),
        poll_delay: Duration::from_millis(10),
    };
    let tls = files.map(|files| ClientTls::open(&files).unwrap());
    TcpClient::with_access(settings, Access { token: None, tls })
}

async fn done(client: &TcpClient, call: Call) {
    let options = CallOptions { limit: Some(LONG), ..CallOptions::default() };
    match client.call(call, options).await {
        Answer::Done { .. } => {}
        Answer::Refused { refusal } => panic!("{refusal}"),
    }
}

/// Why the group cannot be assembled.
async fn refusal(client: TcpClient) -> String {
    let options = CallOptions { limit: Some(Duration::from_millis(300)), ..CallOptions::default() };
    match client.call(Call::Assemble, options).await {
        Answer::Done { .. } => panic!("it was let in"),
        Answer::Refused { refusal } => refusal.to_string(),
    }
}

#[tokio::test]
async fn members_meet_over_tls_and_in_clear() {
    let files = Certificates::new();
    let coordinator = Coordinator::start(opened(files.server("server", Some("ca"))));
    let a = client("a", "localhost", coordinator.tls, 2, Some(files.client("ca", Some("client"))));
    let b = client("b", "localhost", coordinator.clear, 2, None);
    tokio::join!(done(&a, Call::Assemble), done(&b, Call::Assemble));
    for _ in 0..10 {
        let sync = || Call::Sync { message_id: MessageId::new("s") };
        tokio::join!(done(&a, sync()), done(&b, sync()));
    }
    let large = serde_json::json!({"k": "x".repeat(500_000)});
    done(&a, Call::Send { message_id: MessageId::new("m"), message: large }).await;
    done(&b, Call::Wait { message_id: MessageId::new("m") }).await;
    done(&a, Call::Wait { message_id: MessageId::new("m") }).await;
    tokio::join!(a.finish(), b.finish());
    coordinator.end().await;
}

#[tokio::test]
async fn what_is_wrong_with_a_certificate_is_said() {
    let files = Certificates::new();
    let (ca, other) = (files.issuer("ca"), files.issuer("other"));
    files.issue(&ca, "server", "localhost", false);
    files.issue(&ca, "expired", "localhost", true);
    files.issue(&ca, "elsewhere", "elsewhere.example", false);
    files.issue(&ca, "client", "c", false);
    files.issue(&ca, "expired-client", "c", true);
    files.issue(&other, "foreign-client", "c", false);
    for (server, ca, own, says) in [
        ("server", "other", Some("client"), "cannot be trusted: its certificate is not of the CA that was given"),
        ("expired", "ca", Some("client"), "cannot be trusted: its certificate has expired"),
        ("elsewhere", "ca", Some("client"), "cannot be trusted: its certificate is for another name"),
        ("server", "ca", None, "wants a certificate of this client: give --tls-cert and --tls-key"),
        ("server", "ca", Some("expired-client"), "refuses this client's certificate: it has expired"),
        ("server", "ca", Some("foreign-client"), "refuses this client's certificate: it does not know its CA"),
    ] {
        let coordinator = Coordinator::start(opened(files.server(server, Some("ca"))));
        let said = refusal(client("a", "localhost", coordinator.tls, 1, Some(files.client(ca, own)))).await;
        assert!(said.contains(says), "{server} {own:?}: {said}");
        coordinator.end().await;
    }
}

#[tokio::test]
async fn who_takes_the_wrong_port_is_told() {
    let files = Certificates::new();
    let coordinator = Coordinator::start(opened(files.server("server", None)));
    let clear = refusal(client("a", "localhost", coordinator.tls, 1, None)).await;
    assert!(clear.contains("this port takes only TLS: give --tls-ca, or name the port that is without"), "{clear}");
    let tls = refusal(client("a", "localhost", coordinator.clear, 1, Some(files.client("ca", None)))).await;
    assert!(tls.contains("closed the connection during the TLS handshake: is this its TLS port?"), "{tls}");
    // LAVA's dispatcher is refused in words that it understands.
    let mut lava = TcpStream::connect(coordinator.tls).await.unwrap();
    lava.write_all(&framed(&request_of("a", "peer", "lava_wait", &id("m")))).await.unwrap();
    lava.shutdown().await.unwrap();
    assert!(unframed(&read(&mut lava).await).starts_with(r#"{"response": "nack""#));
    coordinator.end().await;
}

#[tokio::test]
async fn a_handshake_that_does_not_go_on_is_ended_and_delays_nobody() {
    let files = Certificates::new();
    let settings = ServerSettings { request_time: Duration::from_millis(500), ..ServerSettings::default() };
    let coordinator = Coordinator::with(settings, opened(files.server("server", None)));
    let mut silent = Vec::new();
    for place in 0..100 {
        let mut stream = TcpStream::connect(coordinator.tls).await.unwrap();
        if place % 2 == 0 {
            stream.write_all(&[0x16, 3, 1]).await.unwrap();
        }
        silent.push(stream);
    }
    let member = client("a", "localhost", coordinator.tls, 1, Some(files.client("ca", None)));
    done(&member, Call::Assemble).await;
    member.finish().await;
    for mut stream in silent {
        // Closed, with or without a reset.
        let _ = timeout(LONG, tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut Vec::new())).await.unwrap();
    }
    coordinator.end().await;
}

#[tokio::test]
async fn certificates_are_read_again_and_bad_ones_change_nothing() {
    let files = Certificates::new();
    let tls = opened(files.server("server", None));
    let coordinator = Coordinator::start(tls.clone());
    let renewed = files.issuer("renewed");
    files.issue(&renewed, "server", "localhost", false);
    let reaches = async |ca: &str| {
        let member = client("a", "localhost", coordinator.tls, 1, Some(files.client(ca, None)));
        done(&member, Call::Assemble).await;
        member.finish().await;
    };
    reaches("ca").await;
    tls.reload().unwrap();
    reaches("renewed").await;
    files.write("server.key", "no key");
    assert!(tls.reload().is_err());
    reaches("renewed").await;
    coordinator.end().await;
}

#[test]
fn what_is_wrong_with_a_file_is_said() {
    let files = Certificates::new();
    files.write("empty.pem", "");
    files.write("empty.key", "");
    files.write("mixed.pem", &std::fs::read_to_string(files.path("server.pem")).unwrap());
    files.write("mixed.key", &std::fs::read_to_string(files.path("client.key")).unwrap());
    files.write("half.pem", &std::fs::read_to_string(files.path("server.pem")).unwrap());
    files.write("half.key", "-----BEGIN PRIVATE KEY-----\nMIIB\n");
    for (server, client_ca, says) in [
        ("nowhere", None, "nowhere.pem: cannot be read"),
        ("empty", None, "empty.pem: there is no certificate in it"),
        ("mixed", None, "mixed.pem: the key is not that of the certificate"),
        ("half", None, "half.key: no private key in PEM"),
        ("server", Some("empty"), "empty.pem: there is no certificate in it"),
    ] {
        let said = Tls::open(files.server(server, client_ca)).unwrap_err().to_string();
        assert!(said.contains(says), "{said}");
    }
    let said = ClientTls::open(&files.client("ca", Some("mixed"))).unwrap_err().to_string();
    assert!(said.contains("the key is not that of the certificate"), "{said}");
}
