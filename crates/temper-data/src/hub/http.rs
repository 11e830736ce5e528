//! Requests to the Hub: redirects that do not carry the token away, timeouts, another try after what may pass.

use super::Hub;
use std::io::Read;
use std::time::Duration;
use ureq::http::{Response, StatusCode, header};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Body};

/// Tries of one request, or of one download without a new byte, before it fails.
pub(crate) const TRIES: u32 = 5;
const REDIRECTS: usize = 10;
const CONNECT: Duration = Duration::from_secs(20);
/// Time without a byte after which a connection is given up.
const SILENCE: Duration = Duration::from_secs(30);

/// Why there is no answer, or not the one that was hoped for.
#[derive(Debug)]
pub(crate) enum Failure {
    /// An answer with another status than 2xx.
    Status { status: u16, code: Option<String>, message: String },
    /// No connection, or it broke; `passing` where another try may do.
    Connection { what: String, passing: bool },
    /// An answer that is not what the Hub says.
    Strange(String),
}

/// What a file's headers say.
#[derive(Debug)]
pub(crate) struct Head {
    /// Name of the content: SHA-256 of large files, git's digest of small ones.
    pub etag: String,
    pub size: Option<u64>,
}

/// Sends requests for one [`Hub`].
pub(crate) struct Client<'a> {
    hub: &'a Hub,
    agent: Agent,
}

impl<'a> Client<'a> {
    pub fn new(hub: &'a Hub) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            // Redirects are followed here: headers on the way count, and the token stays with the Hub.
            .max_redirects(0)
            .user_agent(concat!("temper/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(CONNECT))
            .timeout_recv_response(Some(SILENCE))
            .timeout_per_read(Some(SILENCE))
            .tls_config(TlsConfig::builder().root_certs(roots()).build())
            .build();
        Self { hub, agent: config.into() }
    }

    /// The text at an address of the Hub; tried again after what may pass.
    pub fn text(&self, url: &str) -> Result<String, Failure> {
        again(|| {
            let (response, _) = self.send(url, false, None, &mut |_| false)?;
            let mut response = accepted(response)?;
            response.body_mut().with_config().limit(1 << 28).read_to_string().map_err(connection)
        })
    }

    /// What the Hub says about a file, without its content.
    pub fn head(&self, url: &str) -> Result<Head, Failure> {
        again(|| {
            let (mut etag, mut size) = (None, None);
            // The Hub's own redirect to where a large file lies names content and size; the address after it may not.
            let mut done = |response: &Response<Body>| {
                let header = |name: &str| response.headers().get(name).and_then(|v| v.to_str().ok()).map(str::to_owned);
                etag = etag.take().or_else(|| header("x-linked-etag"));
                size = size.take().or_else(|| header("x-linked-size").and_then(|s| s.parse().ok()));
                etag.is_some()
            };
            let (response, _) = self.send(url, true, None, &mut done)?;
            let response = if response.status().is_redirection() { response } else { accepted(response)? };
            let header = |name| response.headers().get(name).and_then(|v| v.to_str().ok());
            let etag = etag.or_else(|| header(header::ETAG).map(str::to_owned));
            let size = size.or_else(|| header(header::CONTENT_LENGTH).and_then(|s| s.parse().ok()));
            let etag = etag.map(|etag| plain_etag(&etag)).ok_or_else(|| {
                Failure::Strange(
                    "its answer has no ETag, so it is not a Hub, or something changed it on the way".into(),
                )
            })?;
            // It becomes the name of a file.
            let sound = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            if etag.is_empty() || etag.starts_with('.') || etag.len() > 200 || !etag.chars().all(sound) {
                return Err(Failure::Strange(format!("its ETag `{etag}` is not one of the Hub's")));
            }
            Ok(Head { etag, size })
        })
    }

    /// The content from byte `start` on: the body, where it begins, and the whole length where it is known.
    ///
    /// A server that does not go on in the middle begins at 0.
    pub fn content(&self, url: &str, start: u64) -> Result<(impl Read + use<>, u64, Option<u64>), Failure> {
        let (response, _) = self.send(url, false, Some(start).filter(|start| *start > 0), &mut |_| false)?;
        let status = response.status();
        let response = accepted(response)?;
        let header = |name| response.headers().get(name).and_then(|v| v.to_str().ok());
        let (begin, whole) = match status {
            StatusCode::PARTIAL_CONTENT => {
                let range = header(header::CONTENT_RANGE).and_then(|range| {
                    let (span, whole) = range.strip_prefix("bytes ")?.split_once('/')?;
                    Some((span.split_once('-')?.0.parse().ok()?, whole.parse().ok()))
                });
                range.ok_or_else(|| Failure::Strange("its part of a file does not say which part".into()))?
            }
            _ => (0, header(header::CONTENT_LENGTH).and_then(|length| length.parse().ok())),
        };
        Ok((response.into_body().into_reader(), begin, whole))
    }

    /// Sends a request and follows redirects until `enough` is said. The token goes to the Hub's own address only.
    fn send(
        &self,
        url: &str,
        head: bool,
        start: Option<u64>,
        enough: &mut dyn FnMut(&Response<Body>) -> bool,
    ) -> Result<(Response<Body>, String), Failure> {
        let mut url = url.to_owned();
        let mut trusted = true;
        for _ in 0..=REDIRECTS {
            trusted &= origin(&url) == origin(&self.hub.endpoint);
            let mut request = if head { self.agent.head(&url) } else { self.agent.get(&url) };
            // A compressed answer would have another length than the file.
            request = request.header(header::ACCEPT_ENCODING, "identity");
            if let Some(token) = self.hub.token.as_ref().filter(|_| trusted) {
                request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
            }
            if let Some(start) = start {
                request = request.header(header::RANGE, format!("bytes={start}-"));
            }
            let response = request.call().map_err(connection)?;
            let location = response.headers().get(header::LOCATION).and_then(|v| v.to_str().ok()).map(str::to_owned);
            let stop = enough(&response);
            match location.filter(|_| response.status().is_redirection() && !stop) {
                Some(location) => url = absolute(&url, &location),
                None => return Ok((response, url)),
            }
        }
        Err(Failure::Strange("it redirects in a circle".into()))
    }
}

/// Whom to trust: the system's certificates (or those that `SSL_CERT_FILE` names), which know the proxies of a company; Mozilla's
/// where the system has none, as in small containers.
fn roots() -> RootCerts {
    let of_system = rustls_native_certs::load_native_certs().certs;
    match of_system.is_empty() {
        true => RootCerts::WebPki,
        false => of_system.iter().map(|der| Certificate::from_der(der).to_owned()).collect::<Vec<_>>().into(),
    }
}

/// Tries a request again after what may pass, after a while that grows.
fn again<T>(mut request: impl FnMut() -> Result<T, Failure>) -> Result<T, Failure> {
    let mut tries = 1;
    loop {
        match request() {
            Err(failure) if failure.passes() && tries < TRIES => {
                std::thread::sleep(pause(tries));
                tries += 1;
            }
            result => return result,
        }
    }
}

/// How long to wait after a number of tries in vain: 0.25 s, twice as long each time.
pub(crate) fn pause(tries: u32) -> Duration {
    Duration::from_millis(250 << tries.saturating_sub(1).min(8))
}

impl Failure {
    /// Whether another try may do.
    pub fn passes(&self) -> bool {
        match self {
            Self::Status { status, .. } => matches!(status, 408 | 429 | 500 | 502 | 503 | 504),
            Self::Connection { passing, .. } => *passing,
            Self::Strange(_) => false,
        }
    }
}

/// The answer, or what is said about a refusal.
fn accepted(mut response: Response<Body>) -> Result<Response<Body>, Failure> {
    if response.status().is_success() {
        return Ok(response);
    }
    let header = |name: &str| response.headers().get(name).and_then(|v| v.to_str().ok()).map(str::to_owned);
    let (code, message) = (header("x-error-code"), header("x-error-message"));
    let status = response.status().as_u16();
    let message = message.unwrap_or_else(|| {
        let body = response.body_mut().with_config().limit(1 << 16).read_to_string().unwrap_or_default();
        let json: Option<serde_json::Value> = serde_json::from_str(&body).ok();
        json.and_then(|json| Some(json.get("error")?.as_str()?.to_owned())).unwrap_or_default()
    });
    Err(Failure::Status { status, code, message })
}

fn connection(error: ureq::Error) -> Failure {
    use std::io::ErrorKind;
    let passing = match &error {
        // A certificate that is not trusted comes as invalid data.
        ureq::Error::Io(error) => {
            !matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::InvalidInput | ErrorKind::InvalidData)
        }
        ureq::Error::Timeout(_) | ureq::Error::Protocol(_) => true,
        _ => false,
    };
    Failure::Connection { what: error.to_string(), passing }
}

/// Without the quotes, and the mark of a weak one.
fn plain_etag(etag: &str) -> String {
    etag.trim().trim_start_matches("W/").trim_matches('"').to_owned()
}

/// Scheme, host and port.
fn origin(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default().to_ascii_lowercase();
    let scheme = scheme.to_ascii_lowercase();
    let usual = if scheme == "https" { ":443" } else { ":80" };
    format!("{scheme}://{}", host.strip_suffix(usual).unwrap_or(&host))
}

/// The address of a redirect, which may be relative.
fn absolute(from: &str, location: &str) -> String {
    if location.contains("://") {
        location.to_owned()
    } else if let Some(rest) = location.strip_prefix("//") {
        format!("{}//{rest}", from.split("//").next().unwrap_or("https:"))
    } else if location.starts_with('/') {
        format!("{}{location}", origin(from))
    } else {
        let base = from.split(['?', '#']).next().unwrap_or(from);
        format!("{}/{location}", base.rsplit_once('/').map_or(base, |(folder, _)| folder))
    }
}

/// A path in an address: everything but letters, digits and `-._~/` in percents.
pub(crate) fn escaped(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(byte as char);
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        assert_eq!(origin("https://HF.co:443/a?b"), origin("https://hf.co"));
        assert_ne!(origin("http://127.0.0.1:1/a"), origin("http://127.0.0.1:2/a"));
        assert_ne!(origin("http://hf.co/a"), origin("https://hf.co/a"));
        assert_eq!(absolute("http://h:1/a/b?c", "/d"), "http://h:1/d");
        assert_eq!(absolute("http://h:1/a/b?c", "d"), "http://h:1/a/d");
        assert_eq!(absolute("http://h:1/a", "https://x/y"), "https://x/y");
        assert_eq!(absolute("https://h/a", "//x/y"), "https://x/y");
        assert_eq!(escaped("a b/ü+1.csv"), "a%20b/%C3%BC%2B1.csv");
        assert_eq!(plain_etag("W/\"ab\""), "ab");
    }
}
