//! `convoke coordinator`: serves groups until it is told to end.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use convoke_coordinator::store::{FileStore, Store};
use convoke_coordinator::{Configuration, DEFAULT_PORT, Listeners, Server, ServerSettings};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::service::Manager;
use crate::arguments::CoordinatorArguments;
use crate::commands::guarding::Guarding;
use crate::failure::Failure;
use crate::log;

/// Where LAVA's coordinator and its dispatchers have their configuration.
const LAVA_CONFIG: &str = "/etc/lava-coordinator/lava-coordinator.conf";

pub(crate) fn coordinator(arguments: &CoordinatorArguments) -> Result<ExitCode, Failure> {
    // Written to its end when this returns.
    let _log = log::start(arguments.logfile.as_deref(), arguments.loglevel)?;
    let configured = configuration(arguments.config.as_deref())?;
    let configuration = configured.clone().unwrap_or_default();
    let port = configuration.port.unwrap_or(DEFAULT_PORT);
    let listen = arguments.listen.iter().map(|text| address("--listen", text, port)).collect::<Result<Vec<_>, _>>()?;
    let metrics = arguments.metrics.as_deref().map(metrics_address).transpose()?;
    let guarding = Guarding::read(&arguments.guard, &configuration)?;
    let mut settings = ServerSettings { guard: guarding.guard(), ..configuration.settings() };
    if let Some(files) = raise_open_files()
        && let Some(asked) = settings.fit(files)
    {
        tracing::warn!(
            "max_connections is {} and not {asked}: the system allows {files} open files (`ulimit -Hn`, LimitNOFILE= of a \
             unit)",
            settings.connections
        );
    }
    let store = arguments.state.as_deref().map(open_state).transpose()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Lab(format!("the machine gives no threads: {error}")))?;
    runtime.block_on(async {
        let end = CancellationToken::new();
        let mut terminate = listen_for(SignalKind::terminate())?;
        let mut hangup = listen_for(SignalKind::hangup())?;
        let mut interrupt = listen_for(SignalKind::interrupt())?;
        let listeners = if !listen.is_empty() {
            Listeners::bind(&listen)
        } else if configured.is_some() {
            Listeners::bind_all(port)
        } else {
            Listeners::bind_loopback(port)
        };
        let listeners = listeners.map_err(|error| Failure::Lab(error.to_string()))?;
        let server = Server::new(settings, listeners, store).map_err(|error| Failure::Lab(error.to_string()))?;
        for address in server.addresses() {
            tracing::info!("listening on {address}");
        }
        if listen.is_empty() && configured.is_some() {
            tracing::info!("listening on all addresses, as remote dispatchers need it; --listen restricts it");
        } else if listen.is_empty() {
            tracing::info!("there is no {LAVA_CONFIG}: listening for this machine only; --listen :{port} opens it to others");
        }
        let server = guarding.attach(server)?;
        if let Some(address) = metrics {
            let address = server.tell_metrics(address).map_err(|error| Failure::Lab(format!("--metrics {error}")))?;
            tracing::info!("metrics at http://{address}/metrics");
        }
        if let Err(error) = server.tell_status() {
            tracing::warn!(%error, "no status can be asked: another coordinator of this machine has the port on another address");
        }
        let (ending, watch) = (end.clone(), server.watch());
        let manager = Manager::of_environment();
        let serving = server.run(end);
        let reassuring = manager.reassure(&watch);
        tokio::pin!(serving, reassuring);
        manager.ready();
        loop {
            tokio::select! {
                () = &mut serving => break,
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
                _ = hangup.recv() => guarding.reload(),
                () = &mut reassuring => {}
            }
        }
        tracing::info!("ending");
        manager.stopping();
        ending.cancel();
        serving.await;
        Ok(ExitCode::SUCCESS)
    })
}

/// The configuration, when there is a file. One that is named has to be there.
fn configuration(path: Option<&Path>) -> Result<Option<Configuration>, Failure> {
    let named = path.is_some();
    let path = path.unwrap_or(Path::new(LAVA_CONFIG));
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound && !named => return Ok(None),
        Err(error) => return Err(Failure::User(format!("{}: cannot be read: {error}", path.display()))),
    };
    let read = Configuration::read(&text).map_err(|error| Failure::User(format!("{}:{error}", path.display())))?;
    for key in Configuration::unknown_keys(&text) {
        tracing::warn!(key, "{}: there is no such key, it is ignored", path.display());
    }
    Ok(Some(read))
}

/// Opens the state directory; what was wrong with it is mended and said.
fn open_state(dir: &Path) -> Result<Arc<dyn Store>, Failure> {
    let (store, notes) = FileStore::open(dir).map_err(|error| Failure::Lab(error.to_string()))?;
    for note in notes {
        tracing::warn!("{note}");
    }
    Ok(Arc::new(store))
}

/// `ADDRESS:PORT` or `:PORT`.
fn metrics_address(text: &str) -> Result<SocketAddr, Failure> {
    let full = if text.starts_with(':') { format!("0.0.0.0{text}") } else { text.to_owned() };
    let wrong = || format!("--metrics {text}: not an address and port: as in 127.0.0.1:9307, [::1]:9307 or :9307");
    full.parse().map_err(|_| Failure::User(wrong()))
}

/// `ADDRESS:PORT`, `ADDRESS` or `:PORT`.
pub(crate) fn address(option: &str, text: &str, port: u16) -> Result<SocketAddr, Failure> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    if let Ok(ip) = bare.parse::<IpAddr>() {
        return Ok(SocketAddr::from((ip, port)));
    }
    if let Some(Ok(port)) = text.strip_prefix(':').map(str::parse) {
        return Ok(SocketAddr::from(([0, 0, 0, 0], port)));
    }
    let example = "as in 192.0.2.1:3079, [2001:db8::1]:3079, 192.0.2.1 or :3079";
    Err(Failure::User(format!("{option} {text}: not an address and port: {example}")))
}

fn listen_for(kind: SignalKind) -> Result<tokio::signal::unix::Signal, Failure> {
    signal(kind).map_err(|error| Failure::Lab(format!("signals cannot be listened to: {error}")))
}

/// Every held request is an open file; the system's usual limit is low, and may be raised to a higher one. Returns the limit
/// that there is then, when there is one.
fn raise_open_files() -> Option<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current == maximum || setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).is_ok() {
        return maximum;
    }
    tracing::warn!("the limit of open files cannot be raised");
    current
}
