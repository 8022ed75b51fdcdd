//! One request to a server, blocking: redirects, time limits, trust; no retries.
//!
//! What the job sends along (tokens) goes to the server that the job names, and to no other that it leads to. Bodies are
//! asked for as they are, without a content coding, since it is the file that counts.
//!
//! Servers' certificates are checked against `SSL_CERT_FILE`, else the machine's own bundle, else Mozilla's.

use std::io::{self, Read};
use std::time::Duration;

use ureq::http::HeaderMap;
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};

use crate::error::Error;
use crate::place::shown;

/// How long a server may be silent before it is given up: while it is connected to, until it answers, between two pieces.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// Servers that a request may be led on to.
const REDIRECTS: usize = 10;

/// A request.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// `http://` or `https://`.
    pub url: &'a str,
    /// What the job sends along.
    pub headers: &'a [(String, String)],
    /// What we send along: ranges and conditions.
    pub conditions: &'a [(&'static str, String)],
    /// See [`PATIENCE`].
    pub patience: Duration,
}

/// An answer, of whatever status but a redirect.
pub struct Response {
    /// Status code.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    /// The body as it was sent.
    pub body: Box<dyn Read + Send>,
}

impl Response {
    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok().map(str::trim)
    }
}

/// Asks a server, follows where it leads.
///
/// # Errors
/// A job error when the URL is none, or leads round in circles; a lab error when the server cannot be reached or trusted.
pub fn request(request: &Request<'_>) -> Result<Response, Error> {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .timeout_resolve(Some(request.patience))
        .timeout_connect(Some(request.patience))
        .timeout_recv_response(Some(request.patience))
        .tls_config(TlsConfig::builder().root_certs(roots()?).build())
        .user_agent(concat!("convoke/", env!("CARGO_PKG_VERSION")))
        .build();
    let agent = ureq::Agent::new_with_config(config);
    let mut url = request.url.to_owned();
    for _ in 0..=REDIRECTS {
        let mut call = agent.get(&url).header("accept-encoding", "identity");
        if origin(&url) == origin(request.url) {
            for (name, value) in request.headers {
                call = call.header(name, value);
            }
        }
        for (name, value) in request.conditions {
            call = call.header(*name, value);
        }
        let response = call.call().map_err(|error| failed(&url, &error))?;
        let status = response.status().as_u16();
        let (parts, body) = response.into_parts();
        let location = parts.headers.get("location").and_then(|location| location.to_str().ok());
        match location.filter(|_| matches!(status, 301 | 302 | 303 | 307 | 308)) {
            None => {
                let body = Box::new(body.into_reader());
                return Ok(Response { status, headers: parts.headers, body });
            }
            Some(location) => {
                let next = join(&url, location);
                if !next.starts_with("http://") && !next.starts_with("https://") {
                    return Err(Error::job(format!("{} leads to {}, which is not http", shown(&url), shown(&next))));
                }
                url = next;
            }
        }
    }
    Err(Error::job(format!("{} leads from address to address, {REDIRECTS} times", shown(request.url))))
}

/// What an answer without success means.
pub fn refused(place: &str, status: u16) -> Error {
    let why = match status {
        401 | 403 => "; are `headers` with a token needed?",
        404 | 410 => ": there is no such file",
        _ => "",
    };
    let message = format!("cannot download {place}: the server answers {status}{why}");
    if status >= 500 || [408, 425, 429].contains(&status) { Error::lab(message) } else { Error::job(message) }
}

/// The body of a file that is read from its beginning, once.
///
/// # Errors
/// As [`request`], and when the server does not have the file.
pub fn open(url: &str, headers: &[(String, String)]) -> Result<Box<dyn Read + Send>, Error> {
    let response = request(&Request { url, headers, conditions: &[], patience: PATIENCE })?;
    match response.status {
        200..=299 => Ok(response.body),
        status => Err(refused(&shown(url), status)),
    }
}

fn failed(url: &str, error: &ureq::Error) -> Error {
    let place = shown(url);
    let host = origin(url);
    match error {
        ureq::Error::BadUri(_) | ureq::Error::Http(_) => Error::job(format!("cannot ask for {place}: {error}")),
        ureq::Error::HostNotFound => Error::lab(format!("cannot download {place}: there is no host {host}")),
        ureq::Error::Timeout(_) => Error::lab(format!("cannot download {place}: {host} does not answer")),
        ureq::Error::Tls(_) | ureq::Error::Rustls(_) => untrusted(&place, error),
        ureq::Error::Io(inner) if inner.kind() == io::ErrorKind::InvalidData => untrusted(&place, error),
        ureq::Error::Io(inner) => Error::lab(format!("cannot download {place}: {inner}")),
        _ => Error::lab(format!("cannot download {place}: {error}")),
    }
}

fn untrusted(place: &str, error: &ureq::Error) -> Error {
    Error::lab(format!(
        "cannot download {place}: no secure connection ({error}); a lab's own authority is named by SSL_CERT_FILE"
    ))
}

/// Bundles of certificates where machines have them.
const BUNDLES: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

fn roots() -> Result<RootCerts, Error> {
    let read = |path: &std::ffi::OsStr| -> io::Result<RootCerts> {
        let bytes = std::fs::read(path)?;
        Ok(parse_pem(&bytes)
            .filter_map(|item| match item {
                Ok(PemItem::Certificate(certificate)) => Some(certificate),
                _ => None,
            })
            .collect::<Vec<_>>()
            .into())
    };
    if let Some(path) = std::env::var_os("SSL_CERT_FILE").filter(|path| !path.is_empty()) {
        return read(&path)
            .map_err(|error| Error::lab(format!("cannot read SSL_CERT_FILE {}: {error}", path.display())));
    }
    let bundle = BUNDLES.iter().find_map(|path| read(path.as_ref()).ok());
    Ok(bundle.unwrap_or(RootCerts::WebPki))
}

/// Scheme and host of a URL, without user and password.
fn origin(url: &str) -> &str {
    let Some((_, rest)) = url.split_once("://") else { return url };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let host = &rest[..end];
    match host.rfind('@') {
        // With a password in it, it cannot be shown; the host alone tells the same.
        Some(at) => &host[at + 1..],
        None => &url[..url.len() - rest.len() + end],
    }
}

/// Where `location` leads from `url`.
fn join(url: &str, location: &str) -> String {
    if location.contains("://") {
        return location.to_owned();
    }
    let scheme = url.split_once("://").map_or(0, |(scheme, _)| scheme.len() + 3);
    if let Some(rest) = location.strip_prefix("//") {
        return format!("{}{rest}", &url[..scheme]);
    }
    let path = url[scheme..].find(['/', '?', '#']).map_or(url.len(), |at| scheme + at);
    if location.starts_with('/') {
        return format!("{}{location}", &url[..path]);
    }
    let end = url[path..].find(['?', '#']).map_or(url.len(), |at| path + at);
    let folder = url[path..end].rfind('/').map_or(path, |at| path + at);
    format!("{}/{location}", &url[..folder])
}

#[cfg(test)]
mod tests {
    use super::{join, origin};

    #[test]
    fn redirects_lead_where_they_say() {
        let url = "http://user:word@host:81/a/b?c=/d";
        assert_eq!(join(url, "https://other/x"), "https://other/x");
        assert_eq!(join(url, "//other/x"), "http://other/x");
        assert_eq!(join(url, "/x"), "http://user:word@host:81/x");
        assert_eq!(join(url, "x"), "http://user:word@host:81/a/x");
        assert_eq!(join("http://host", "x"), "http://host/x");
        assert_eq!(join("http://host", "/x"), "http://host/x");
        assert_eq!(origin(url), "host:81");
        assert_eq!(origin("http://host:81/x"), "http://host:81");
        assert_ne!(origin("http://host/x"), origin("https://host/x"));
        assert_ne!(origin("http://host/x"), origin("http://host:81/x"));
    }
}
