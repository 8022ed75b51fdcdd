//! A coordinator on a loopback port, and a caller that sends what it is told to.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use convoke_coordinator::store::Store;
use convoke_coordinator::{Listeners, Server, ServerSettings};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// Long enough never to pass in a test that goes well.
pub(crate) const LONG: Duration = Duration::from_secs(20);

pub(crate) struct Coordinator {
    pub(crate) address: SocketAddr,
    end: CancellationToken,
    task: JoinHandle<()>,
}

impl Coordinator {
    pub(crate) fn start() -> Self {
        Self::with(ServerSettings::default(), None)
    }

    pub(crate) fn with(settings: ServerSettings, store: Option<Arc<dyn Store>>) -> Self {
        Self::started(settings, store, |_| {})
    }

    /// The same, with something done before it serves.
    pub(crate) fn started(
        settings: ServerSettings,
        store: Option<Arc<dyn Store>>,
        before: impl FnOnce(&Server),
    ) -> Self {
        let listeners = Listeners::bind(&["127.0.0.1:0".parse().unwrap()]).unwrap();
        let server = Server::new(settings, listeners, store).unwrap();
        before(&server);
        let (address, end) = (server.addresses()[0], CancellationToken::new());
        let task = tokio::spawn(server.run(end.clone()));
        Self { address, end, task }
    }

    /// Ends in order.
    pub(crate) async fn end(self) {
        self.end.cancel();
        timeout(LONG, self.task).await.unwrap().unwrap();
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends these bytes, half-closes, and gives all that comes back.
    pub(crate) async fn bytes(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect().await;
        stream.write_all(bytes).await.unwrap();
        stream.shutdown().await.unwrap();
        read(&mut stream).await
    }

    /// The reply to a request that comes from another address of this machine, without its frame.
    pub(crate) async fn from(&self, address: [u8; 4], json: &str) -> String {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from((address, 0))).unwrap();
        let mut stream = socket.connect(self.address).await.unwrap();
        stream.write_all(&framed(json)).await.unwrap();
        unframed(&read(&mut stream).await)
    }

    /// The reply to a request as LAVA's clients send it, without its frame; empty when the connection was closed.
    pub(crate) async fn json(&self, json: &str) -> String {
        unframed(&self.bytes(&framed(json)).await)
    }

    /// A request of a member of role `peer` of the group `g`.
    pub(crate) async fn ask(&self, member: &str, request: &str, more: &str) -> String {
        self.json(&request_of(member, "peer", request, more)).await
    }

    /// Registers members of a complete group `g`: `(name, role)`.
    pub(crate) async fn assemble(&self, members: &[(&str, &str)]) {
        for (name, role) in members {
            let size = format!(r#", "group_size": {}"#, members.len());
            self.json(&request_of(name, role, "group_data", &size)).await;
        }
    }
}

pub(crate) fn request_of(member: &str, role: &str, request: &str, more: &str) -> String {
    format!(
        r#"{{"hostname": "w", "client_name": "{member}", "group_name": "g", "role": "{role}", "request": "{request}"{more}}}"#
    )
}

pub(crate) fn framed(json: &str) -> Vec<u8> {
    format!("{:08X}{json}", json.len()).into_bytes()
}

pub(crate) async fn read(stream: &mut TcpStream) -> String {
    let mut reply = Vec::new();
    timeout(LONG, stream.read_to_end(&mut reply)).await.expect("a reply or a close").unwrap();
    String::from_utf8(reply).unwrap()
}

/// Takes a reply out of its frame, whose number has to be right.
#[track_caller]
pub(crate) fn unframed(reply: &str) -> String {
    if reply.is_empty() {
        return String::new();
    }
    let (header, text) = reply.split_at(8);
    assert_eq!(header, format!("{:08X}", text.len()), "{reply}");
    assert!(text.is_ascii(), "{text}");
    text.to_owned()
}

pub(crate) const ACK: &str = r#"{"response": "ack"}"#;
pub(crate) const NACK: &str = r#"{"response": "nack"}"#;
pub(crate) const WAIT: &str = r#"{"response": "wait"}"#;

pub(crate) fn ack_with(message: &str) -> String {
    format!(r#"{{"response": "ack", "message": {message}}}"#)
}

pub(crate) fn id(id: &str) -> String {
    format!(r#", "messageID": "{id}""#)
}
