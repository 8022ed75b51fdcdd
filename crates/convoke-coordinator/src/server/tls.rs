//! TLS, on ports of its own, for dispatchers of ours.
//!
//! The handshake is the connection's own task, has a limit in time and counts as a connection, so it delays nobody. What
//! does not become TLS is said in the log once; whoever speaks the protocol in clear is told so with a nack.
//!
//! Certificate, key and CA are read at start, and again by [`Tls::reload`]; a connection keeps those with which it began.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{AlertDescription, CertificateError, Error, ServerConfig};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::Shared;
use super::closing::close;
use super::connection::write;
use super::stream::Stream;
use crate::pem::{self, TlsError};
use crate::wire::{Reply, frame};

/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// The first byte of a TLS connection.
const HELLO: u8 = 0x16;

/// Where the coordinator's certificate is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, followed by those that issued it.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// Who issues the certificates of clients. Without it clients need none.
    pub client_ca: Option<PathBuf>,
}

/// What a TLS port needs. Clones are the same.
#[derive(Clone, Debug)]
pub struct Tls(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    files: TlsFiles,
    config: RwLock<Arc<ServerConfig>>,
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// They cannot be read, or do not fit together.
    pub fn open(files: TlsFiles) -> Result<Self, TlsError> {
        let config = RwLock::new(Arc::new(configuration(&files)?));
        Ok(Self(Arc::new(Inner { files, config })))
    }

    /// Reads the files again, for connections that come from now on.
    ///
    /// # Errors
    /// As [`Tls::open`]; then nothing changes.
    pub fn reload(&self) -> Result<(), TlsError> {
        let config = Arc::new(configuration(&self.0.files)?);
        *self.0.config.write().unwrap_or_else(PoisonError::into_inner) = config;
        Ok(())
    }

    fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.0.config.read().unwrap_or_else(PoisonError::into_inner)))
    }

    /// Makes a connection one of TLS; none when it does not become one, and is closed.
    pub(super) async fn accept(&self, shared: &Shared, tcp: TcpStream, peer: SocketAddr) -> Option<Stream> {
        let limit = HANDSHAKE.min(shared.settings.request_time);
        let shaken = tokio::select! {
            shaken = timeout(limit, self.shake(tcp)) => shaken.unwrap_or(Err(NoTls::Silent)),
            () = shared.end.cancelled() => return None,
        };
        match shaken {
            Ok(stream) => return Some(stream),
            Err(NoTls::Silent) => shared.observer.unread(peer, "late", "the TLS handshake was not finished in time"),
            Err(NoTls::Gone) => shared.observer.unread(peer, "gone", "the caller is gone"),
            Err(NoTls::Clear(tcp)) => {
                shared.observer.unread(peer, "tls", "the caller speaks in clear, and this port takes only TLS");
                let why = "this port takes only TLS: give --tls-ca, or name the port that is without".to_owned();
                let mut stream = Stream::Clear(tcp);
                if write(shared, &mut stream, &frame(&Reply::Nack(why).to_text(true))).await {
                    close(&mut stream, false, &shared.end).await;
                }
            }
            Err(NoTls::Failed(error, tcp)) => {
                shared.observer.unread(peer, "tls", &words(&error));
                // What was sent is read, or the word of what is wrong would be lost.
                close(&mut Stream::Clear(tcp), false, &shared.end).await;
            }
        }
        None
    }

    async fn shake(&self, tcp: TcpStream) -> Result<Stream, NoTls> {
        let mut first = [0];
        match tcp.peek(&mut first).await {
            Ok(count) if count > 0 && first != [HELLO] => return Err(NoTls::Clear(tcp)),
            Ok(count) if count > 0 => {}
            _ => return Err(NoTls::Gone),
        }
        let accepted = self.acceptor().accept(tcp).into_fallible().await;
        let tls = accepted.map_err(|(error, tcp)| NoTls::Failed(error, tcp))?;
        Ok(Stream::Tls(Box::new(tls)))
    }
}

enum NoTls {
    Silent,
    Gone,
    Clear(TcpStream),
    Failed(io::Error, TcpStream),
}

fn configuration(files: &TlsFiles) -> Result<ServerConfig, TlsError> {
    let (certificates, key) = (pem::certificates(&files.certificate)?, pem::key(&files.key)?);
    let builder = ServerConfig::builder_with_provider(pem::provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|error| pem::no_pair(&files.certificate, &error))?;
    let builder = match &files.client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let roots = Arc::new(pem::authorities(path)?);
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, pem::provider()).build();
            builder.with_client_cert_verifier(verifier.map_err(|error| TlsError::invalid(path, error.to_string()))?)
        }
    };
    let mut config =
        builder.with_single_cert(certificates, key).map_err(|error| pem::no_pair(&files.certificate, &error))?;
    // A resumed session would outlive the certificates it was begun with.
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    Ok(config)
}

/// Why a handshake failed, as one reads it in the log.
fn words(error: &io::Error) -> String {
    match pem::cause(error) {
        Some(Error::NoCertificatesPresented) => "the caller has no certificate (--tls-cert)".to_owned(),
        Some(Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. })) => {
            "the caller's certificate has expired".to_owned()
        }
        Some(Error::InvalidCertificate(CertificateError::UnknownIssuer)) => {
            "the caller's certificate is of a CA that is not known here (--tls-client-ca)".to_owned()
        }
        Some(Error::InvalidCertificate(why)) => format!("the caller's certificate is refused: {why}"),
        Some(Error::AlertReceived(AlertDescription::CertificateExpired)) => {
            "the caller refuses this coordinator's certificate: it has expired".to_owned()
        }
        Some(Error::AlertReceived(AlertDescription::UnknownCA)) => {
            "the caller refuses this coordinator's certificate: it does not know its CA".to_owned()
        }
        Some(Error::AlertReceived(AlertDescription::BadCertificate)) => {
            "the caller refuses this coordinator's certificate: it is for another name, or bad".to_owned()
        }
        Some(Error::AlertReceived(alert)) => format!("the caller ended the handshake: {alert:?}"),
        Some(error) => error.to_string(),
        None if error.kind() == io::ErrorKind::UnexpectedEof => "the caller left during the handshake".to_owned(),
        None => error.to_string(),
    }
}
