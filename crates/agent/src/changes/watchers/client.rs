//! Requests to configuration servers: bounded in time and in bytes, answers read as they come.

use std::io::{ErrorKind, Read};
use std::path::PathBuf;
use std::time::Duration;

use ureq::Agent;
use ureq::http::Response;
use ureq::tls::{RootCerts, TlsConfig};

use crate::config::Feed;

/// Most bytes of one answer.
const MAX_ANSWER: u64 = 512 << 20;
/// Longest time to be connected.
const CONNECT: Duration = Duration::from_secs(3);
/// Time beyond that for which a server was asked to think.
const GRACE: Duration = Duration::from_secs(5);

/// Who asks a server.
#[derive(Debug)]
pub(super) struct Client {
    agent: Agent,
    url: String,
    token_file: PathBuf,
    pub(super) round: Duration,
}

/// An answer, whose body is still to come.
pub(super) struct Reply {
    pub(super) status: u16,
    response: Response<ureq::Body>,
}

impl Client {
    pub(super) fn new(feed: &Feed) -> Self {
        Self::waiting(feed, feed.round.0)
    }

    /// One that waits for an answer for so long.
    pub(super) fn waiting(feed: &Feed, round: Duration) -> Self {
        let agent: Agent = Agent::config_builder()
            .timeout_connect(Some(CONNECT))
            .timeout_send_request(Some(GRACE))
            .timeout_send_body(Some(GRACE))
            .timeout_recv_response(Some(round + GRACE))
            .timeout_recv_body(Some(round + GRACE))
            .max_redirects(0)
            .http_status_as_error(false)
            .user_agent(concat!("lastgasp/", env!("CARGO_PKG_VERSION")))
            .tls_config(TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build())
            .build()
            .into();
        let url = feed.url.trim_end_matches('/').to_owned();
        Self { agent, url, token_file: feed.token_file.clone(), round }
    }

    /// What the server wants to be shown, read each time; `None`: nothing is configured.
    pub(super) fn secret(&self) -> Result<Option<String>, String> {
        if self.token_file.as_os_str().is_empty() {
            return Ok(None);
        }
        let text = std::fs::read_to_string(&self.token_file);
        text.map(|t| Some(t.trim().to_owned())).map_err(|e| format!("{}: {e}", self.token_file.display()))
    }

    pub(super) fn get(&self, path: &str, headers: &[(&str, &str)]) -> Result<Reply, String> {
        let mut request = self.agent.get(format!("{}{path}", self.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.reply(request.call())
    }

    pub(super) fn post(&self, path: &str, kind: &str, headers: &[(&str, &str)], body: &str) -> Result<Reply, String> {
        let mut request = self.agent.post(format!("{}{path}", self.url)).content_type(kind);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.reply(request.send(body))
    }

    fn reply(&self, sent: Result<Response<ureq::Body>, ureq::Error>) -> Result<Reply, String> {
        match sent {
            Ok(response) => Ok(Reply { status: response.status().as_u16(), response }),
            // A query may hold a secret; the address is known to whoever wrote the configuration.
            Err(e) => Err(format!("{}: {}", self.url, without_query(&e.to_string()))),
        }
    }
}

fn without_query(text: &str) -> String {
    text.split_whitespace().map(|w| w.split('?').next().unwrap_or_default()).collect::<Vec<_>>().join(" ")
}

impl Reply {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.response.headers().get(name)?.to_str().ok()
    }

    /// An error unless it is a success.
    pub(super) fn success(self) -> Result<Self, String> {
        if (200..300).contains(&self.status) {
            return Ok(self);
        }
        let status = self.status;
        let words = self.text(1024).unwrap_or_default();
        Err(format!("it answers {status}: {words}"))
    }

    /// Reads the body piece by piece, to its end or until `each` has enough. Whether it ended by itself; a
    /// pause that was too long is no error.
    pub(super) fn read(self, mut each: impl FnMut(&[u8]) -> Result<bool, String>) -> Result<bool, String> {
        let mut reader = self.response.into_body().into_reader().take(MAX_ANSWER);
        let mut piece = vec![0; 16 << 10];
        let mut all = 0;
        loop {
            match reader.read(&mut piece) {
                Ok(0) if all == MAX_ANSWER => return Err("an answer that is too long".into()),
                Ok(0) => return Ok(true),
                Ok(n) => {
                    all += n as u64;
                    if each(piece.get(..n).unwrap_or_default())? {
                        return Ok(false);
                    }
                }
                Err(e) if is_timeout(&e) => return Ok(false),
                Err(e) => return Err(e.to_string()),
            }
        }
    }

    /// A short body.
    pub(super) fn text(self, most: usize) -> Result<String, String> {
        let mut all = Vec::new();
        self.read(|bytes| {
            all.extend(bytes.iter().take(most.saturating_sub(all.len())));
            Ok(all.len() >= most)
        })?;
        Ok(String::from_utf8_lossy(&all).into_owned())
    }
}

fn is_timeout(e: &std::io::Error) -> bool {
    let inner = e.get_ref().and_then(|e| e.downcast_ref::<ureq::Error>());
    matches!(e.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock) || matches!(inner, Some(ureq::Error::Timeout(_)))
}

/// Percent-encoding of everything but letters, digits and `-._~`.
pub(super) fn encoded(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

/// The same undone; `None` of what is none.
pub(super) fn decoded(text: &str) -> Option<String> {
    let mut out = Vec::new();
    let mut bytes = text.bytes();
    while let Some(b) = bytes.next() {
        out.push(match b {
            b'%' => {
                let two = [bytes.next()?, bytes.next()?];
                u8::from_str_radix(std::str::from_utf8(&two).ok()?, 16).ok()?
            }
            b'+' => b' ',
            b => b,
        });
    }
    String::from_utf8(out).ok()
}
