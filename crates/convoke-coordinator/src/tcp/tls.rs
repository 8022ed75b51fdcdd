//! TLS to a coordinator of ours. Nothing is sent to one whose certificate does not come from the CA that was given.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{AlertDescription, CertificateError, ClientConfig, Error};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::stream::Stream;
use crate::pem::{self, TlsError};

/// Where a client's certificates are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientTlsFiles {
    /// Who issues the certificates of coordinators.
    pub ca: PathBuf,
    /// The client's own certificate, followed by those that issued it, and its private key.
    pub own: Option<(PathBuf, PathBuf)>,
}

/// What a client needs for TLS.
#[derive(Clone)]
pub struct ClientTls(TlsConnector);

impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientTls")
    }
}

impl ClientTls {
    /// Reads the files.
    ///
    /// # Errors
    /// They cannot be read, or do not fit together.
    pub fn open(files: &ClientTlsFiles) -> Result<Self, TlsError> {
        let roots = pem::authorities(&files.ca)?;
        let builder = ClientConfig::builder_with_provider(pem::provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(|error| pem::no_pair(&files.ca, &error))?
            .with_root_certificates(roots);
        let config = match &files.own {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => builder
                .with_client_auth_cert(pem::certificates(certificate)?, pem::key(key)?)
                .map_err(|error| pem::no_pair(certificate, &error))?,
        };
        Ok(Self(TlsConnector::from(Arc::new(config))))
    }

    /// Makes a connection to `coordinator` (`HOST:PORT`) one of TLS; the error says what is wrong with that coordinator.
    pub(super) async fn connect(&self, coordinator: &str, tcp: TcpStream) -> Result<Stream, String> {
        let host = host(coordinator);
        let name = ServerName::try_from(host.to_owned()).map_err(|_| format!("has no name for TLS: {host}"))?;
        let tls = self.0.connect(name, tcp).await.map_err(|error| {
            words(&error).unwrap_or_else(|| match error.kind() {
                io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => {
                    "closed the connection during the TLS handshake: is this its TLS port?".to_owned()
                }
                _ => format!("does not speak TLS: {error}"),
            })
        })?;
        Ok(Stream::Tls(Box::new(tls)))
    }
}

fn host(coordinator: &str) -> &str {
    let host = coordinator.rsplit_once(':').map_or(coordinator, |(host, _)| host);
    host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host)
}

/// What an error of TLS means for who has to mend it; none when TLS has nothing to do with it.
pub(super) fn words(error: &io::Error) -> Option<String> {
    let alert = |why: &str| format!("refuses this client's certificate: {why} (--tls-cert)");
    Some(match pem::cause(error)? {
        Error::InvalidCertificate(why) => match why {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "cannot be trusted: its certificate has expired".to_owned()
            }
            CertificateError::UnknownIssuer => {
                "cannot be trusted: its certificate is not of the CA that was given (--tls-ca)".to_owned()
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "cannot be trusted: its certificate is for another name than it was asked by".to_owned()
            }
            why => format!("cannot be trusted: {why}"),
        },
        Error::InvalidMessage(_) => "does not speak TLS on this port: name its TLS port".to_owned(),
        Error::AlertReceived(AlertDescription::CertificateRequired) => {
            "wants a certificate of this client: give --tls-cert and --tls-key".to_owned()
        }
        Error::AlertReceived(AlertDescription::CertificateExpired) => alert("it has expired"),
        Error::AlertReceived(AlertDescription::UnknownCA) => alert("it does not know its CA"),
        Error::AlertReceived(AlertDescription::BadCertificate | AlertDescription::DecryptError) => alert("it is bad"),
        Error::AlertReceived(other) => format!("ended the TLS connection: {other:?}"),
        error => format!("does not speak TLS as it should: {error}"),
    })
}
