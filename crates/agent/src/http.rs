//! `/metrics` and `/healthz`: two pages that are only read, over the standard library's sockets.
//!
//! There are no passwords, and so it listens on loopback unless told otherwise. Whoever connects can cost us
//! little: a request is 8 KiB at most, a connection lasts two seconds at most, and eight are served at a
//! time.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Largest request, in bytes, and the longest time that it may take to come.
const MAX_REQUEST_BYTES: usize = 8 << 10;
const TIMEOUT: Duration = Duration::from_secs(2);
/// Connections that are served at a time; more are closed.
const MAX_CONNECTIONS: usize = 8;

/// Answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) body: String,
}

/// Content type of Prometheus' text format.
pub(crate) const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";
/// Content type of plain text.
pub(crate) const PLAIN: &str = "text/plain; charset=utf-8";

impl Answer {
    fn plain(status: &'static str, body: &str) -> Self {
        Self { status, kind: PLAIN, body: format!("{body}\n") }
    }
}

/// Serves `pages` from a thread of its own until the process ends; gives the address, whose port may have
/// been 0.
///
/// # Errors
/// The address is not ours or in use.
pub(crate) fn serve(
    address: SocketAddr,
    pages: impl Fn(&str) -> Option<Answer> + Send + Sync + 'static,
) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind(address)?;
    let bound = listener.local_addr()?;
    let (pages, busy) = (Arc::new(pages), Arc::new(AtomicUsize::new(0)));
    std::thread::Builder::new().name("http".into()).stack_size(128 << 10).spawn(move || {
        for stream in listener.incoming() {
            let Ok(stream) = stream else {
                // Out of descriptors, most likely: not a reason to spin.
                std::thread::sleep(Duration::from_millis(100));
                continue;
            };
            if busy.fetch_add(1, Ordering::AcqRel) >= MAX_CONNECTIONS {
                busy.fetch_sub(1, Ordering::AcqRel);
                continue;
            }
            let (pages, done) = (Arc::clone(&pages), Arc::clone(&busy));
            let thread = std::thread::Builder::new().name("http-client".into()).stack_size(256 << 10);
            let spawned = thread.spawn(move || {
                let _ = converse(&stream, &*pages);
                done.fetch_sub(1, Ordering::AcqRel);
            });
            if spawned.is_err() {
                busy.fetch_sub(1, Ordering::AcqRel);
            }
        }
    })?;
    Ok(bound)
}

fn converse(mut stream: &TcpStream, pages: &dyn Fn(&str) -> Option<Answer>) -> io::Result<()> {
    stream.set_write_timeout(Some(TIMEOUT))?;
    let began = Instant::now();
    let mut request = Vec::new();
    let mut piece = [0; 1024];
    while !is_whole(&request) && request.len() < MAX_REQUEST_BYTES {
        // Slow writers are not waited for a byte at a time.
        let left = TIMEOUT.saturating_sub(began.elapsed());
        if left.is_zero() {
            return Ok(());
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut piece)? {
            0 => break,
            n => request.extend_from_slice(piece.get(..n).unwrap_or_default()),
        }
    }
    let answer = answer(&request, pages);
    let head = format!(
        "HTTP/1.1 {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        answer.status,
        answer.kind,
        answer.body.len()
    );
    stream.write_all(head.as_bytes())?;
    if !request.starts_with(b"HEAD ") {
        stream.write_all(answer.body.as_bytes())?;
    }
    stream.flush()
}

fn is_whole(request: &[u8]) -> bool {
    request.windows(4).any(|w| w == b"\r\n\r\n") || request.windows(2).any(|w| w == b"\n\n")
}

/// Answer to the bytes of a request.
pub(crate) fn answer(request: &[u8], pages: &dyn Fn(&str) -> Option<Answer>) -> Answer {
    if !is_whole(request) {
        return Answer::plain("400 Bad Request", "not a request, or longer than 8 KiB");
    }
    let line = request.split(|b| *b == b'\n').next().unwrap_or_default();
    let line = std::str::from_utf8(line).unwrap_or_default();
    let mut words = line.split_ascii_whitespace();
    let (Some(method), Some(target), Some(version)) = (words.next(), words.next(), words.next()) else {
        return Answer::plain("400 Bad Request", "not a request");
    };
    if !version.starts_with("HTTP/1.") {
        return Answer::plain("505 HTTP Version Not Supported", "HTTP/1.1 is spoken here");
    }
    if !matches!(method, "GET" | "HEAD") {
        return Answer::plain("405 Method Not Allowed", "GET is all that there is");
    }
    let path = target.split('?').next().unwrap_or_default();
    pages(path).unwrap_or_else(|| Answer::plain("404 Not Found", "there are /metrics and /healthz"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pages(path: &str) -> Option<Answer> {
        (path == "/metrics").then(|| Answer { status: "200 OK", kind: PROMETHEUS, body: "x 1\n".into() })
    }

    #[test]
    fn requests_and_answers() {
        let status = |request: &str| answer(request.as_bytes(), &pages).status;
        assert_eq!(status("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"), "200 OK");
        assert_eq!(status("GET /metrics?name=a HTTP/1.0\r\n\r\n"), "200 OK");
        assert_eq!(status("GET / HTTP/1.1\r\n\r\n"), "404 Not Found");
        assert_eq!(status("POST /metrics HTTP/1.1\r\n\r\n"), "405 Method Not Allowed");
        assert_eq!(status("GET /metrics HTTP/2\r\n\r\n"), "505 HTTP Version Not Supported");
        assert_eq!(status("GET /metrics HTTP/1.1\r\n"), "400 Bad Request");
        assert_eq!(status("\r\n\r\n"), "400 Bad Request");
    }

    /// Somebody who connects and says nothing keeps nobody else from an answer.
    #[test]
    fn silent_clients_do_not_block_others() {
        let address = serve(([127, 0, 0, 1], 0).into(), pages).unwrap();
        let silent: Vec<_> = (0..MAX_CONNECTIONS - 1).map(|_| TcpStream::connect(address).unwrap()).collect();
        let mut client = TcpStream::connect(address).unwrap();
        client.write_all(b"GET /metrics HTTP/1.1\r\n\r\n").unwrap();
        let mut text = String::new();
        client.read_to_string(&mut text).unwrap();
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n") && text.ends_with("\r\n\r\nx 1\n"), "{text}");
        drop(silent);
    }

    proptest! {
        #[test]
        fn no_request_is_feared(request in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = answer(&request, &pages);
        }
    }
}
