//! Who is let in to a coordinator, as options and configuration say: tokens, and ports with TLS.
//!
//! An option goes before the configuration's key of the same name. The files are read at start, where anything wrong with
//! them ends the program, and again on SIGHUP, where it is logged and changes nothing.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use convoke_coordinator::wire::Token;
use convoke_coordinator::{
    Configuration, DEFAULT_TLS_PORT, Guard, Listeners, Server, Tls, TlsFiles, TokensError, read_tokens,
};

use crate::arguments::GuardArguments;
use crate::commands::coordinator::address;
use crate::failure::Failure;

/// What is read again on SIGHUP.
pub(crate) struct Guarding {
    guard: Guard,
    token_file: Option<PathBuf>,
    tls: Option<TlsPorts>,
}

/// Ports with TLS.
struct TlsPorts {
    addresses: Vec<SocketAddr>,
    tls: Tls,
    asks_for_certificates: bool,
}

impl Guarding {
    pub(crate) fn read(arguments: &GuardArguments, configuration: &Configuration) -> Result<Self, Failure> {
        let token_file = arguments.token_file.clone().or_else(|| configuration.token_file.clone());
        let tokens = token_file.as_deref().map(tokens).transpose()?.unwrap_or_default();
        let require = arguments.require_token || configuration.require_token;
        let tls = tls(arguments, configuration)?;
        let key = arguments.tls_key.as_deref().or(configuration.tls_key.as_deref());
        for path in token_file.as_deref().into_iter().chain(key.filter(|_| tls.is_some())) {
            warn_of_readers(path);
        }
        Ok(Self { guard: Guard::new(&tokens, require), token_file, tls })
    }

    pub(crate) fn guard(&self) -> Guard {
        self.guard.clone()
    }

    /// Adds the ports with TLS, and says who is let in.
    pub(crate) fn attach(&self, mut server: Server) -> Result<Server, Failure> {
        if let Some(ports) = &self.tls {
            let listeners = Listeners::bind(&ports.addresses).map_err(|error| Failure::Lab(error.to_string()))?;
            server = server.with_tls(listeners, ports.tls.clone());
            let who = if ports.asks_for_certificates { ", for those who have a certificate" } else { "" };
            for address in server.tls_addresses() {
                tracing::info!("listening for TLS on {address}{who}");
            }
        }
        match (self.guard.is_open(), &self.token_file) {
            (true, _) => tracing::info!("open to everybody who can connect: --require-token keeps strangers out"),
            (false, Some(path)) => tracing::info!("open only to those who have a token of {}", path.display()),
            (false, None) => {
                tracing::info!("open only to those who have a token; the first member of a group chooses it")
            }
        }
        Ok(server)
    }

    /// Reads the files again.
    pub(crate) fn reload(&self) {
        if self.token_file.is_none() && self.tls.is_none() {
            tracing::info!("SIGHUP: there are no tokens or certificates to read again; the log file needs none");
        }
        if let Some(path) = &self.token_file {
            match tokens(path) {
                Ok(tokens) => {
                    self.guard.replace(&tokens);
                    tracing::info!("{}: {} tokens are read again", path.display(), tokens.len());
                    warn_of_readers(path);
                }
                Err(error) => tracing::error!("the tokens stay as they were: {error}"),
            }
        }
        if let Some(ports) = &self.tls {
            match ports.tls.reload() {
                Ok(()) => tracing::info!("certificates are read again, for new connections"),
                Err(error) => tracing::error!("certificates stay as they were: {error}"),
            }
        }
    }
}

/// A secret that every user of the machine can read is none.
fn warn_of_readers(path: &Path) {
    if std::fs::metadata(path).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o004 != 0) {
        let path = path.display();
        tracing::warn!(
            "{path}: every user of this machine can read it: `chmod 640 {path}`, with the group that needs it"
        );
    }
}

/// Reads a file with tokens.
pub(crate) fn tokens(path: &Path) -> Result<Vec<Token>, Failure> {
    let at = path.display();
    let text =
        std::fs::read_to_string(path).map_err(|error| Failure::User(format!("{at}: cannot be read: {error}")))?;
    read_tokens(&text).map_err(|error| {
        let blank = if matches!(error, TokensError::Line { .. }) { "" } else { " " };
        Failure::User(format!("{at}:{blank}{error}"))
    })
}

fn tls(arguments: &GuardArguments, configuration: &Configuration) -> Result<Option<TlsPorts>, Failure> {
    let listen = if arguments.listen_tls.is_empty() { &configuration.listen_tls } else { &arguments.listen_tls };
    let given = |option: &Option<PathBuf>, key: &Option<PathBuf>| option.clone().or_else(|| key.clone());
    let certificate = given(&arguments.tls_cert, &configuration.tls_cert);
    let key = given(&arguments.tls_key, &configuration.tls_key);
    let client_ca = given(&arguments.tls_client_ca, &configuration.tls_client_ca);
    match (listen.as_slice(), certificate, key) {
        ([], None, None) if client_ca.is_none() => Ok(None),
        ([], ..) => Err(Failure::User("certificates are given and no port for TLS: add --listen-tls ADDR".into())),
        (_, Some(certificate), Some(key)) => {
            let addresses =
                listen.iter().map(|text| address("--listen-tls", text, DEFAULT_TLS_PORT)).collect::<Result<_, _>>()?;
            let asks_for_certificates = client_ca.is_some();
            let tls = Tls::open(TlsFiles { certificate, key, client_ca });
            let tls = tls.map_err(|error| Failure::User(error.to_string()))?;
            Ok(Some(TlsPorts { addresses, tls, asks_for_certificates }))
        }
        _ => Err(Failure::User("--listen-tls needs a certificate and its key: give --tls-cert and --tls-key".into())),
    }
}
