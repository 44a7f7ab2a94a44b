//! HTTP between the lab and its own programs.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::record::{Told, now_ms};

/// Longest body of a webhook that is kept.
const MOST: usize = 1 << 20;

/// A client.
#[derive(Clone, Debug)]
pub(super) struct Web(ureq::Agent);

impl Web {
    pub(super) fn new() -> Self {
        let config =
            ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(30))).http_status_as_error(false);
        Self(config.build().into())
    }

    pub(super) fn get(&self, url: &str) -> Result<String> {
        let mut answer = self.0.get(url).call().with_context(|| url.to_owned())?;
        let said = answer.body_mut().with_config().limit(1 << 20).read_to_string()?;
        if !answer.status().is_success() {
            bail!("{url}: {} {}", answer.status(), said.trim());
        }
        Ok(said)
    }

    /// With a token, if there is one.
    pub(super) fn post(&self, url: &str, kind: &str, token: Option<&str>, body: &str) -> Result<String> {
        let mut request = self.0.post(url).header("Content-Type", kind);
        if let Some(token) = token {
            request = request.header("Authorization", &format!("Bearer {token}"));
        }
        let mut answer = request.send(body).with_context(|| url.to_owned())?;
        let said = answer.body_mut().with_config().limit(1 << 20).read_to_string()?;
        if !answer.status().is_success() {
            bail!("{url}: {} {}", answer.status(), said.trim());
        }
        Ok(said)
    }
}

/// Who takes the daemon's webhooks: what came, and when.
#[derive(Debug)]
pub(super) struct Hook {
    pub(super) port: u16,
    told: Arc<Mutex<Vec<Told>>>,
}

impl Hook {
    pub(super) fn listen() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let told = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&told);
        // It ends with us.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if let Some(body) = body(stream) {
                    into.lock().unwrap_or_else(PoisonError::into_inner).push(Told { at_unix_ms: now_ms(), body });
                }
            }
        });
        Ok(Self { port, told })
    }

    pub(super) fn told(&self) -> Vec<Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Reads one request and says that it is well.
fn body(mut stream: TcpStream) -> Option<String> {
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    let mut bytes = Vec::new();
    let mut block = [0; 4096];
    let mut length = None;
    loop {
        let head = bytes.windows(4).position(|w| w == b"\r\n\r\n").map(|at| at + 4);
        if let (Some(head), None) = (head, length) {
            let text = String::from_utf8_lossy(&bytes[..head]).to_lowercase();
            length = Some(
                text.lines().find_map(|l| l.strip_prefix("content-length:")?.trim().parse::<usize>().ok()).unwrap_or(0),
            );
        }
        if let (Some(head), Some(length)) = (head, length)
            && bytes.len() >= head.saturating_add(length)
        {
            let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
            return Some(String::from_utf8_lossy(&bytes[head..]).into_owned());
        }
        let n = stream.read(&mut block).ok()?;
        if n == 0 || bytes.len() > MOST {
            return None;
        }
        bytes.extend_from_slice(&block[..n]);
    }
}
