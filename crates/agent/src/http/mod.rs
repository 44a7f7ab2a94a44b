//! `/metrics`, `/healthz` and `/status`, pages that are only read, and what is told by POST; over the
//! standard library's sockets.
//!
//! To read the pages there are no passwords, and so it listens on loopback unless told otherwise. Whoever
//! connects can cost us little: the head of a request is 8 KiB at most, a body is not read before the site
//! has agreed to it and to its size, both have two seconds to come and two for the answer to be taken, and
//! eight are served at a time. Of more the oldest that says nothing, or does not take what it asked for, is
//! hung up on: eight who keep silent keep nobody else from an answer.

pub(crate) mod request;

use std::collections::BTreeMap;
use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use lastgasp_recorder::guard::{guarded, spawn_guarded};

use request::{BadHead, Framing, Head};

/// Largest head of a request, in bytes, and the longest time that it may take to come, and its answer to go.
const MAX_REQUEST_BYTES: usize = 8 << 10;
const TIMEOUT: Duration = Duration::from_secs(2);
/// Connections that are open at a time.
const MAX_CONNECTIONS: usize = 8;
/// Most bytes that are written between two looks at the clock.
const PIECE: usize = 64 << 10;

/// Answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) body: String,
}

/// Content type of Prometheus' text format.
pub(crate) const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";
/// Content type of JSON.
pub(crate) const JSON: &str = "application/json; charset=utf-8";
/// Content type of plain text.
pub(crate) const PLAIN: &str = "text/plain; charset=utf-8";

/// What is served.
pub(crate) trait Site: Send + Sync {
    /// A page that is read.
    fn page(&self, path: &str) -> Option<Answer>;

    /// Whether something may be told by POST, by the head of the request alone: the most bytes of its body,
    /// or the answer that refuses it.
    fn may_post(&self, head: &Head) -> Result<usize, Answer> {
        let _ = head;
        Err(Answer::plain("405 Method Not Allowed", "GET is all that there is"))
    }

    /// Takes what is told by POST, after [`Site::may_post`] has agreed to it.
    fn post(&self, head: &Head, body: &[u8]) -> Answer {
        let _ = (head, body);
        Answer::plain("404 Not Found", "nothing is taken here")
    }
}

impl<F: Fn(&str) -> Option<Answer> + Send + Sync> Site for F {
    fn page(&self, path: &str) -> Option<Answer> {
        self(path)
    }
}

impl Answer {
    pub(crate) fn plain(status: &'static str, body: &str) -> Self {
        Self { status, kind: PLAIN, body: format!("{body}\n") }
    }
}

/// Serves `pages` from a thread of its own until the process ends; gives the address, whose port may have
/// been 0.
///
/// # Errors
/// The address is not ours or in use.
pub(crate) fn serve(address: SocketAddr, pages: impl Site + 'static) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind(address)?;
    let bound = listener.local_addr()?;
    let pages = Arc::new(pages);
    // Served again after a panic: the socket is still ours.
    spawn_guarded("http", 128 << 10, move || while guarded("http", || accept(&listener, &pages)).is_err() {})?;
    Ok(bound)
}

/// Gives each connection a thread; does not end.
fn accept(listener: &TcpListener, pages: &Arc<impl Site + 'static>) {
    let connections = Arc::new(Mutex::new(Connections::default()));
    for stream in listener.incoming() {
        let Ok(stream) = stream.map(Arc::new) else {
            // Out of descriptors, most likely: not a reason to spin.
            std::thread::sleep(Duration::from_millis(100));
            continue;
        };
        let Some(id) = lock(&connections).admit(&stream) else { continue };
        let open = Open { id, connections: Arc::clone(&connections) };
        let pages = Arc::clone(pages);
        // Where there is no thread, `open` goes with the closure.
        let _ = spawn_guarded("http-client", 256 << 10, move || converse(&stream, &open, &*pages));
    }
}

/// Open connections by number: the oldest first.
#[derive(Debug, Default)]
struct Connections {
    next: u64,
    open: BTreeMap<u64, Connection>,
}

#[derive(Debug)]
struct Connection {
    stream: Arc<TcpStream>,
    stage: Stage,
}

/// How far a conversation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// We wait for its request.
    Asks,
    /// Its page is being made: it has done its part, and waits for us.
    WaitsForUs,
    /// It takes its answer, and took something of it last then.
    Takes(Instant),
}

/// Who has not taken anything of an answer for so long may be hung up on.
const DEAF: Duration = Duration::from_millis(300);

impl Connections {
    /// Takes a new one in, by its number. Where there are as many as may be, the oldest that says nothing, or
    /// else the oldest that takes nothing of its answer, is hung up on; `None` where there is none, which
    /// lasts some seconds at most. Who takes an answer is not cut short by who comes after it, however many
    /// they are.
    fn admit(&mut self, stream: &Arc<TcpStream>) -> Option<u64> {
        if self.open.len() >= MAX_CONNECTIONS {
            let oldest = |of: fn(Stage) -> bool| self.open.iter().find(|(_, c)| of(c.stage)).map(|(id, _)| *id);
            let deaf = |stage| matches!(stage, Stage::Takes(last) if last.elapsed() > DEAF);
            let oldest = oldest(|stage| stage == Stage::Asks).or_else(|| oldest(deaf))?;
            // Its thread wakes with an error.
            let _ = self.open.remove(&oldest)?.stream.shutdown(Shutdown::Both);
        }
        self.next += 1;
        self.open.insert(self.next, Connection { stream: Arc::clone(stream), stage: Stage::Asks });
        Some(self.next)
    }
}

fn lock(connections: &Mutex<Connections>) -> MutexGuard<'_, Connections> {
    connections.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One connection's place among them, given back when it is dropped.
#[derive(Debug)]
struct Open {
    id: u64,
    connections: Arc<Mutex<Connections>>,
}

impl Open {
    /// How far it is from now on; an error if it was hung up on.
    fn is_at(&self, stage: Stage) -> io::Result<()> {
        let mut connections = lock(&self.connections);
        let own = connections.open.get_mut(&self.id).ok_or(io::ErrorKind::ConnectionAborted)?;
        own.stage = stage;
        Ok(())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        lock(&self.connections).open.remove(&self.id);
    }
}

fn converse(stream: &TcpStream, open: &Open, site: &dyn Site) -> io::Result<()> {
    let mut incoming = Incoming { stream, began: Instant::now(), bytes: Vec::new() };
    while !is_whole(&incoming.bytes) && incoming.bytes.len() < MAX_REQUEST_BYTES {
        // Slow writers are not waited for a byte at a time.
        match incoming.more()? {
            More::Came => {}
            More::Ended => break,
            More::TooSlow => return Ok(()),
        }
    }
    let is_head = incoming.bytes.starts_with(b"HEAD ");
    let asked = match posted(&incoming.bytes, stream, site) {
        // Read while it still asks: who is slow with it may be hung up on.
        Some(Ok((head, length, limit))) => match incoming.body(&head, length, limit)? {
            Ok(body) => Asked::Told(head, body),
            Err(refused) => Asked::Refused(refused),
        },
        Some(Err(refused)) => Asked::Refused(refused),
        None => Asked::Page,
    };
    open.is_at(Stage::WaitsForUs)?;
    // What one page cannot say, the next one may.
    let answer = guarded("http-client", || match &asked {
        Asked::Page => answer(&incoming.bytes, site),
        Asked::Told(head, body) => site.post(head, body),
        Asked::Refused(answer) => answer.clone(),
    })
    .unwrap_or_else(|_| Answer::plain("500 Internal Server Error", "this page cannot be made: the log says why"));
    open.is_at(Stage::Takes(Instant::now()))?;
    let mut out = format!(
        "HTTP/1.1 {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        answer.status,
        answer.kind,
        answer.body.len()
    );
    if !is_head {
        out += &answer.body;
    }
    let began = Instant::now();
    for piece in out.as_bytes().chunks(PIECE) {
        // Nor are slow readers.
        let Some(left) = left(began) else { return Ok(()) };
        stream.set_write_timeout(Some(left))?;
        (&*stream).write_all(piece)?;
        open.is_at(Stage::Takes(Instant::now()))?;
    }
    (&*stream).flush()?;
    if matches!(asked, Asked::Refused(_)) {
        incoming.drain();
    }
    Ok(())
}

/// What somebody wants.
enum Asked {
    Page,
    Told(Head, Vec<u8>),
    Refused(Answer),
}

/// Whether a request is one by POST that the site agrees to: its head, the head's length, and how much may
/// follow.
fn posted(bytes: &[u8], stream: &TcpStream, site: &dyn Site) -> Option<Result<(Head, usize, usize), Answer>> {
    if !bytes.starts_with(b"POST ") {
        return None;
    }
    let (head, length) = Head::parse(bytes).ok()?;
    let head = Head { peer: stream.peer_addr().ok().map(|a| a.ip()), ..head };
    Some(site.may_post(&head).map(|limit| (head, length, limit)))
}

/// What comes of a request.
struct Incoming<'a> {
    stream: &'a TcpStream,
    began: Instant,
    bytes: Vec<u8>,
}

enum More {
    Came,
    Ended,
    TooSlow,
}

impl Incoming<'_> {
    fn more(&mut self) -> io::Result<More> {
        let mut piece = [0; 4096];
        let Some(left) = left(self.began) else { return Ok(More::TooSlow) };
        self.stream.set_read_timeout(Some(left))?;
        let n = self.stream.read(&mut piece)?;
        self.bytes.extend_from_slice(piece.get(..n).unwrap_or_default());
        Ok(if n == 0 { More::Ended } else { More::Came })
    }

    /// The body behind a head of that length, or the answer that refuses it.
    fn body(&mut self, head: &Head, length: usize, limit: usize) -> io::Result<Result<Vec<u8>, Answer>> {
        let mut framing = match head.framing(limit) {
            Ok(framing) => framing,
            Err((status, why)) => return Ok(Err(Answer::plain(status, why))),
        };
        if head.header("expect").is_some_and(|e| e.eq_ignore_ascii_case("100-continue")) {
            self.stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        let mut body = self.bytes.split_off(length.min(self.bytes.len()));
        // The head is read: what comes from here on is of the body (seen: a body in a packet of its own was
        // read with the head before it).
        self.bytes.clear();
        loop {
            match &mut framing {
                Framing::Length(n) if body.len() >= *n => {
                    body.truncate(*n);
                    return Ok(Ok(body));
                }
                Framing::Length(_) => {}
                Framing::Chunked(chunked) => match chunked.push(&std::mem::take(&mut body)) {
                    Ok(true) => return Ok(Ok(std::mem::take(&mut chunked.body))),
                    Ok(false) => {}
                    Err((status, why)) => return Ok(Err(Answer::plain(status, why))),
                },
            }
            let more = self.more();
            body.append(&mut self.bytes);
            match more {
                Ok(More::Came) => {}
                Ok(More::Ended) => return Ok(Err(Answer::plain("400 Bad Request", "the body ends too early"))),
                // A read that timed out, too.
                Ok(More::TooSlow) | Err(_) => {
                    return Ok(Err(Answer::plain("408 Request Timeout", "the body did not come in time")));
                }
            }
        }
    }

    /// Reads on for a moment what was refused: an answer to somebody who still writes would be lost with
    /// the connection.
    fn drain(&mut self) {
        const MOST: usize = 512 << 10;
        const LONGEST: Duration = Duration::from_millis(300);
        let _ = self.stream.shutdown(Shutdown::Write);
        let _ = self.stream.set_read_timeout(Some(LONGEST));
        let (began, mut taken, mut piece) = (Instant::now(), 0, [0; 4096]);
        while taken < MOST && began.elapsed() < LONGEST {
            match self.stream.read(&mut piece) {
                Ok(n) if n > 0 => taken += n,
                _ => return,
            }
        }
    }
}

/// What is left of the time for a request, or for an answer, that began then.
fn left(began: Instant) -> Option<Duration> {
    Some(TIMEOUT.saturating_sub(began.elapsed())).filter(|left| !left.is_zero())
}

fn is_whole(request: &[u8]) -> bool {
    request.windows(4).any(|w| w == b"\r\n\r\n") || request.windows(2).any(|w| w == b"\n\n")
}

/// Answer to the bytes of a request for a page.
pub(crate) fn answer(request: &[u8], site: &dyn Site) -> Answer {
    if !is_whole(request) {
        return Answer::plain("400 Bad Request", "not a request, or longer than 8 KiB");
    }
    let head = match Head::parse(request) {
        Ok((head, _)) => head,
        Err(BadHead::NoRequest) => return Answer::plain("400 Bad Request", "not a request"),
        Err(BadHead::Version) => return Answer::plain("505 HTTP Version Not Supported", "HTTP/1.1 is spoken here"),
    };
    if !matches!(head.method.as_str(), "GET" | "HEAD") {
        return Answer::plain("405 Method Not Allowed", "GET is all that there is");
    }
    let none = || Answer::plain("404 Not Found", "there are /metrics, /healthz and /status");
    site.page(&head.path).unwrap_or_else(none)
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

    fn get(address: SocketAddr, path: &str) -> String {
        let mut client = TcpStream::connect(address).unwrap();
        client.write_all(format!("GET {path} HTTP/1.1\r\n\r\n").as_bytes()).unwrap();
        let mut text = String::new();
        client.read_to_string(&mut text).unwrap();
        text
    }

    /// Who connects and says nothing keeps nobody else from an answer, however many they are; nor who asks
    /// and does not take the answer.
    #[test]
    fn silent_clients_do_not_block_others() {
        let large = |path: &str| {
            let body = if path == "/large" { "x".repeat(64 << 20) } else { "x 1\n".into() };
            Some(Answer { status: "200 OK", kind: PROMETHEUS, body })
        };
        let address = serve(([127, 0, 0, 1], 0).into(), large).unwrap();
        let began = Instant::now();
        for many in [MAX_CONNECTIONS - 1, MAX_CONNECTIONS, 3 * MAX_CONNECTIONS] {
            let silent: Vec<_> = (0..many).map(|_| TcpStream::connect(address).unwrap()).collect();
            let text = get(address, "/metrics");
            assert!(text.starts_with("HTTP/1.1 200 OK\r\n") && text.ends_with("\r\n\r\nx 1\n"), "{many}: {text}");
            drop(silent);
        }
        let mut deaf: Vec<_> = (0..MAX_CONNECTIONS).map(|_| TcpStream::connect(address).unwrap()).collect();
        for client in &mut deaf {
            client.write_all(b"GET /large HTTP/1.1\r\n\r\n").unwrap();
        }
        // Until the pages are made, they wait for us; then we wait for them.
        while get_once(address).is_none() {
            assert!(began.elapsed() < TIMEOUT, "only since their time was over");
        }
        drop(deaf);
    }

    /// Eight quick clients, and many times eight, do not cut a page that is being taken slowly.
    #[test]
    fn a_page_that_is_taken_slowly_is_whole() {
        const LARGE: usize = 16 << 20;
        let pages = |path: &str| {
            let body = "x".repeat(if path == "/large" { LARGE } else { 4 });
            Some(Answer { status: "200 OK", kind: PROMETHEUS, body })
        };
        let address = serve(([127, 0, 0, 1], 0).into(), pages).unwrap();
        let mut slow = TcpStream::connect(address).unwrap();
        slow.write_all(b"GET /large HTTP/1.1\r\n\r\n").unwrap();
        let (mut taken, mut piece) = (0, vec![0; 256 << 10]);
        let mut round = 0;
        loop {
            let n = slow.read(&mut piece).unwrap();
            if n == 0 {
                break;
            }
            taken += n;
            round += 1;
            if round % 8 == 0 && round <= 64 {
                let silent: Vec<_> = (0..2 * MAX_CONNECTIONS).map(|_| TcpStream::connect(address).unwrap()).collect();
                std::thread::sleep(Duration::from_millis(5));
                drop(silent);
            }
        }
        assert!(taken > LARGE, "{taken} bytes");
    }

    /// As [`get`], where one may be hung up on.
    fn get_once(address: SocketAddr) -> Option<String> {
        let mut client = TcpStream::connect(address).ok()?;
        client.write_all(b"GET /metrics HTTP/1.1\r\n\r\n").ok()?;
        let mut text = String::new();
        client.read_to_string(&mut text).ok()?;
        text.ends_with("x 1\n").then_some(text)
    }

    /// The first to be hung up on is the oldest that does not wait for us.
    #[test]
    fn who_has_asked_is_not_hung_up_on() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let connect = || Arc::new(TcpStream::connect(listener.local_addr().unwrap()).unwrap());
        let all = Arc::new(Mutex::new(Connections::default()));
        let open = || {
            let id = lock(&all).admit(&connect())?;
            Some(Open { id, connections: Arc::clone(&all) })
        };
        let mut first: Vec<Open> = (0..MAX_CONNECTIONS).map(|_| open().unwrap()).collect();
        first[0].is_at(Stage::WaitsForUs).unwrap();
        let ninth = open().unwrap();
        assert!(first[1].is_at(Stage::WaitsForUs).is_err(), "hung up on");
        for waiting in first.iter().skip(2).chain([&ninth]) {
            waiting.is_at(Stage::WaitsForUs).unwrap();
        }
        assert!(open().is_none(), "all wait for us");
        // Some take their answers: they are not cut short, until they have taken nothing for a while.
        first[2].is_at(Stage::Takes(Instant::now())).unwrap();
        assert!(open().is_none());
        first[2].is_at(Stage::Takes(Instant::now() - 2 * DEAF)).unwrap();
        drop(open().unwrap());
        assert!(first[2].is_at(Stage::WaitsForUs).is_err(), "hung up on");
        first.remove(0);
        assert!(open().is_some(), "one has gone");
        drop((first, ninth));
        assert_eq!(lock(&all).open.len(), 0);
    }

    /// A site that says what it was told.
    struct Echo;

    impl Site for Echo {
        fn page(&self, _: &str) -> Option<Answer> {
            None
        }

        fn may_post(&self, _: &Head) -> Result<usize, Answer> {
            Ok(1000)
        }

        fn post(&self, _: &Head, body: &[u8]) -> Answer {
            Answer::plain("200 OK", &String::from_utf8_lossy(body))
        }
    }

    /// Clients write head and body at once, or one after the other, or byte by byte.
    #[test]
    fn a_body_is_the_same_in_however_many_packets_it_comes() {
        let address = serve(([127, 0, 0, 1], 0).into(), Echo).unwrap();
        let whole = b"POST /told HTTP/1.1\r\nContent-Length: 11\r\n\r\nhello world";
        let head = whole.len() - 11;
        for cuts in [vec![], vec![head], vec![head + 5], vec![10, head - 2, head, head + 1]] {
            let mut client = TcpStream::connect(address).unwrap();
            client.set_nodelay(true).unwrap();
            let ends = cuts.iter().copied().chain([whole.len()]);
            let mut from = 0;
            for to in ends {
                client.write_all(&whole[from..to]).unwrap();
                std::thread::sleep(Duration::from_millis(30));
                from = to;
            }
            let mut text = String::new();
            client.read_to_string(&mut text).unwrap();
            assert!(text.ends_with("\r\n\r\nhello world\n"), "{cuts:?}: {text}");
        }
    }

    #[test]
    fn a_page_that_panics_is_one_page() {
        let address = serve(([127, 0, 0, 1], 0).into(), |path: &str| {
            assert_ne!(path, "/bad", "made to");
            pages(path)
        })
        .unwrap();
        for _ in 0..2 * MAX_CONNECTIONS {
            assert!(get(address, "/bad").starts_with("HTTP/1.1 500 "));
        }
        assert!(get(address, "/metrics").starts_with("HTTP/1.1 200 OK\r\n"));
    }

    proptest! {
        #[test]
        fn no_request_is_feared(request in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = answer(&request, &pages);
        }
    }
}
