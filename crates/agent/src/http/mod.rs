//! `/metrics`, `/healthz` and `/status`, pages that are only read, and what is told by POST; over the
//! standard library's sockets.
//!
//! To read the pages there are no passwords, and so it listens on loopback unless told otherwise, or at a
//! socket of the file system. Whoever connects can cost us little: the head of a request is 8 KiB at most, a
//! body is not read before the site has agreed to it and to its size, both have two seconds to come and two
//! for the answer to be taken, and eight are served at a time, four of one peer. Of more the oldest that says
//! nothing, or does not take what it asked for, is hung up on: eight who keep silent keep nobody else from an
//! answer. When all eight wait for us, whoever asks for the health is answered all the same.

pub(crate) mod request;
mod stream;

use std::collections::BTreeMap;
use std::io::{self, Read as _, Write as _};
use std::net::Shutdown;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use lastgasp_recorder::guard::{guarded, spawn_guarded};

use request::{BadHead, Framing, Head};
pub(crate) use stream::Address;
use stream::{Listener, Peer, Stream};

/// Largest head of a request, in bytes, and the longest time that it may take to come, and its answer to go.
const MAX_REQUEST_BYTES: usize = 8 << 10;
const TIMEOUT: Duration = Duration::from_secs(2);
/// Connections that are open at a time, and those of one peer.
const MAX_CONNECTIONS: usize = 8;
const MAX_OF_A_PEER: usize = 4;
/// Beside them those that are asked what they want, and answered if that is the health.
const MAX_AT_THE_DOOR: usize = 4;
/// The page that is answered whatever else goes on.
const HEALTH: &str = "/healthz";
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
pub(crate) fn serve(address: &Address, pages: impl Site + 'static) -> io::Result<Address> {
    let (listener, bound) = Listener::bind(address)?;
    let pages = Arc::new(pages);
    // Served again after a panic: the socket is still ours.
    spawn_guarded("http", 128 << 10, move || while guarded("http", || accept(&listener, &pages)).is_err() {})?;
    Ok(bound)
}

/// Gives each connection a thread; does not end.
fn accept(listener: &Listener, pages: &Arc<impl Site + 'static>) {
    let connections = Arc::new(Mutex::new(Connections::default()));
    loop {
        let Ok(stream) = listener.accept().map(Arc::new) else {
            // Out of descriptors, most likely: not a reason to spin.
            std::thread::sleep(Duration::from_millis(100));
            continue;
        };
        let Some(id) = stream.peer().and_then(|peer| lock(&connections).admit(&stream, peer)) else { continue };
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
    stream: Arc<Stream>,
    peer: Peer,
    stage: Stage,
    /// Whether it is answered if it asks for the health, and not else.
    at_the_door: bool,
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
    /// Takes a new one in, by its number. Where there are as many as may be, of its peer or in all, the
    /// oldest of these that says nothing, or else the oldest that takes nothing of its answer, is hung up on.
    /// Where there is none, which lasts some seconds at most, it stands at the door, in the place of the
    /// oldest there that says nothing; `None` where nobody there can be hung up on either. Who takes an
    /// answer is not cut short by who comes after it, however many they are.
    fn admit(&mut self, stream: &Arc<Stream>, peer: Peer) -> Option<u64> {
        let inside = |c: &Connection| !c.at_the_door;
        let of_peer = |c: &Connection| !c.at_the_door && c.peer == peer;
        let at_the_door = !(self.make_room(MAX_OF_A_PEER, of_peer) && self.make_room(MAX_CONNECTIONS, inside));
        if at_the_door && !self.make_room(MAX_AT_THE_DOOR, |c| c.at_the_door) {
            return None;
        }
        self.next += 1;
        let connection = Connection { stream: Arc::clone(stream), peer, stage: Stage::Asks, at_the_door };
        self.open.insert(self.next, connection);
        Some(self.next)
    }

    /// Whether one more of those may be taken in: somebody is hung up on for it, if need be.
    fn make_room(&mut self, most: usize, of: impl Fn(&Connection) -> bool) -> bool {
        if self.open.values().filter(|c| of(c)).count() < most {
            return true;
        }
        let oldest = |is: fn(Stage) -> bool| self.open.iter().find(|(_, c)| of(c) && is(c.stage)).map(|(id, _)| *id);
        let deaf = |stage| matches!(stage, Stage::Takes(last) if last.elapsed() > DEAF);
        let Some(oldest) = oldest(|stage| stage == Stage::Asks).or_else(|| oldest(deaf)) else { return false };
        if let Some(connection) = self.open.remove(&oldest) {
            // Its thread wakes with an error.
            let _ = connection.stream.shutdown(Shutdown::Both);
        }
        true
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

    /// Whether it is answered whatever it asks for.
    fn is_inside(&self) -> bool {
        lock(&self.connections).open.get(&self.id).is_some_and(|own| !own.at_the_door)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        lock(&self.connections).open.remove(&self.id);
    }
}

fn converse(stream: &Stream, open: &Open, site: &dyn Site) -> io::Result<()> {
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
    let is_health = || Head::parse(&incoming.bytes).is_ok_and(|(head, _)| head.path == HEALTH);
    let asked = match posted(&incoming.bytes, stream, site) {
        _ if !open.is_inside() && !is_health() => {
            let busy = "others are served: try again in a second (at most four of one peer, and eight in all)";
            Asked::Refused(Answer::plain("503 Service Unavailable", busy))
        }
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
    let (began, mut rest) = (Instant::now(), out.as_bytes());
    while !rest.is_empty() {
        // Nor are slow readers: who takes a few bytes now and then has the same time as everybody.
        let Some(left) = left(began) else { return Ok(()) };
        stream.set_write_timeout(left)?;
        let mut line = stream;
        let taken = line.write(rest.get(..PIECE).unwrap_or(rest))?;
        rest = rest.get(taken..).unwrap_or_default();
        open.is_at(Stage::Takes(Instant::now()))?;
    }
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
fn posted(bytes: &[u8], stream: &Stream, site: &dyn Site) -> Option<Result<(Head, usize, usize), Answer>> {
    if !bytes.starts_with(b"POST ") {
        return None;
    }
    let (head, length) = Head::parse(bytes).ok()?;
    let head = Head { peer: stream.ip(), ..head };
    Some(site.may_post(&head).map(|limit| (head, length, limit)))
}

/// What comes of a request.
struct Incoming<'a> {
    stream: &'a Stream,
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
        self.stream.set_read_timeout(left)?;
        let mut line = self.stream;
        let n = line.read(&mut piece)?;
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
            let mut line = self.stream;
            line.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
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
        let _ = self.stream.set_read_timeout(LONGEST);
        let (began, mut taken, mut piece) = (Instant::now(), 0, [0; 4096]);
        while taken < MOST && began.elapsed() < LONGEST {
            let mut line = self.stream;
            match line.read(&mut piece) {
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

    use std::net::{SocketAddr, TcpStream};
    use std::os::unix::net::UnixStream;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Served on loopback, at a port that is free.
    fn serve_here(pages: impl Site + 'static) -> SocketAddr {
        match serve(&Address::Ip(([127, 0, 0, 1], 0).into()), pages).unwrap() {
            Address::Ip(bound) => bound,
            other => panic!("{other}"),
        }
    }

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
        let address = serve_here(large);
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
        let address = serve_here(pages);
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

    /// Places for connections, and a way to open one of a peer.
    fn places() -> (Arc<Mutex<Connections>>, impl Fn(u32) -> Option<Open>) {
        let all = Arc::new(Mutex::new(Connections::default()));
        let same = Arc::clone(&all);
        let open = move |user| {
            let stream = Arc::new(Stream::Unix(UnixStream::pair().unwrap().0));
            let id = lock(&same).admit(&stream, Peer::User(user))?;
            Some(Open { id, connections: Arc::clone(&same) })
        };
        (all, open)
    }

    /// The first to be hung up on is the oldest that does not wait for us.
    #[test]
    fn who_has_asked_is_not_hung_up_on() {
        let (all, open) = places();
        let mut first: Vec<Open> = (0..MAX_CONNECTIONS as u32).map(|user| open(user).unwrap()).collect();
        first[0].is_at(Stage::WaitsForUs).unwrap();
        let ninth = open(100).unwrap();
        assert!(first[1].is_at(Stage::WaitsForUs).is_err(), "hung up on");
        for waiting in first.iter().skip(2).chain([&ninth]) {
            waiting.is_at(Stage::WaitsForUs).unwrap();
        }
        assert!(!open(101).unwrap().is_inside(), "all wait for us");
        // Some take their answers: they are not cut short, until they have taken nothing for a while.
        first[2].is_at(Stage::Takes(Instant::now())).unwrap();
        assert!(!open(101).unwrap().is_inside());
        first[2].is_at(Stage::Takes(Instant::now() - 2 * DEAF)).unwrap();
        assert!(open(101).unwrap().is_inside());
        assert!(first[2].is_at(Stage::WaitsForUs).is_err(), "hung up on");
        first.remove(0);
        assert!(open(101).unwrap().is_inside(), "one has gone");
        drop((first, ninth));
        assert_eq!(lock(&all).open.len(), 0);
    }

    /// Whoever has as many as one may have displaces himself, and at the door too.
    #[test]
    fn one_peer_leaves_places_for_others() {
        let (all, open) = places();
        let mut greedy: Vec<Open> = (0..50).map(|_| open(1).unwrap()).collect();
        assert_eq!(lock(&all).open.len(), MAX_OF_A_PEER);
        assert!(greedy.iter().rev().take(MAX_OF_A_PEER).all(Open::is_inside));
        let of_greedy = greedy.split_off(50 - MAX_OF_A_PEER);
        of_greedy.iter().for_each(|open| open.is_at(Stage::WaitsForUs).unwrap());
        let more: Vec<Open> = (0..50).map(|_| open(1).unwrap()).collect();
        assert_eq!(lock(&all).open.len(), MAX_OF_A_PEER + MAX_AT_THE_DOOR);
        let others: Vec<Open> =
            (2..2 + (MAX_CONNECTIONS - MAX_OF_A_PEER) as u32).map(|user| open(user).unwrap()).collect();
        assert!(others.iter().all(Open::is_inside) && of_greedy.iter().all(Open::is_inside));
        assert!(!more.iter().any(Open::is_inside));
    }

    /// When all that may be served wait for pages that are being made, whoever asks for the health has it at
    /// once, and whoever asks for another page is told to come again.
    #[test]
    fn health_is_answered_while_all_wait() {
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let wait = Mutex::new(wait);
        static WAITING: AtomicUsize = AtomicUsize::new(0);
        let address = serve_here(move |path: &str| {
            if path == "/slow" {
                WAITING.fetch_add(1, Ordering::SeqCst);
                let _ = wait.lock().unwrap_or_else(PoisonError::into_inner).recv();
            }
            Some(Answer::plain("200 OK", path))
        });
        let slow: Vec<_> = (0..MAX_OF_A_PEER).map(|_| std::thread::spawn(move || get(address, "/slow"))).collect();
        let began = Instant::now();
        while WAITING.load(Ordering::SeqCst) < MAX_OF_A_PEER {
            assert!(began.elapsed() < Duration::from_secs(20), "they do not wait");
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(get(address, "/metrics").starts_with("HTTP/1.1 503 "));
        assert!(get(address, "/healthz").ends_with("\r\n\r\n/healthz\n"));
        for _ in &slow {
            go.send(()).unwrap();
        }
        assert!(slow.into_iter().all(|client| client.join().unwrap().ends_with("/slow\n")));
    }

    /// Heads and bodies that come a byte at a time, and answers that are taken so, end with the time for
    /// them.
    #[test]
    fn who_is_slow_has_two_seconds() {
        struct Large;
        impl Site for Large {
            fn page(&self, _: &str) -> Option<Answer> {
                Some(Answer { status: "200 OK", kind: PLAIN, body: "x".repeat(64 << 20) })
            }

            fn may_post(&self, _: &Head) -> Result<usize, Answer> {
                Ok(1000)
            }
        }
        let address = serve_here(Large);
        let ended = |mut client: TcpStream, word: &[u8]| {
            client.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
            let (began, mut answer) = (Instant::now(), Vec::new());
            loop {
                assert!(began.elapsed() < 3 * TIMEOUT, "it is not hung up on");
                let gone = client.write_all(word).is_err();
                let mut piece = [0; 1];
                match client.read(&mut piece) {
                    Ok(0) => break,
                    Ok(_) => answer.extend_from_slice(&piece),
                    Err(e) if e.kind() == io::ErrorKind::WouldBlock && !gone => {}
                    Err(_) => break,
                }
            }
            (began.elapsed(), String::from_utf8_lossy(&answer).into_owned())
        };
        let begin = |words: &str| {
            let mut client = TcpStream::connect(address).unwrap();
            client.write_all(words.as_bytes()).unwrap();
            client
        };
        let head = std::thread::spawn({
            let client = begin("GET / HTTP/1.1\r\nX: ");
            move || ended(client, b"x")
        });
        let body = std::thread::spawn({
            let client = begin("POST / HTTP/1.1\r\nContent-Length: 1000\r\n\r\n");
            move || ended(client, b"x")
        });
        assert!(head.join().unwrap().0 >= TIMEOUT / 2, "not at once");
        let (_, answer) = body.join().unwrap();
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
        // Of an answer it takes a little now and then: the buffers of the kernel have megabytes at first.
        let mut client = begin("GET / HTTP/1.1\r\n\r\n");
        let (mut began, mut piece, mut taken) = (None, vec![0; 64 << 10], 0);
        while let Ok(n) = client.read(&mut piece) {
            taken += n;
            if n == 0 {
                break;
            }
            if began.get_or_insert_with(Instant::now).elapsed() < 2 * TIMEOUT {
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        assert!(taken < 64 << 20, "cut short after its time, {taken} bytes");
    }

    /// At a socket of the file system pages are as they are elsewhere.
    #[test]
    fn a_socket_of_the_file_system_serves_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("http.sock");
        let address = Address::Unix(path.clone());
        assert_eq!(serve(&address, pages).unwrap(), address);
        let ask = |request: &str| {
            let mut client = UnixStream::connect(&path).unwrap();
            client.write_all(request.as_bytes()).unwrap();
            let mut text = String::new();
            client.read_to_string(&mut text).unwrap();
            text
        };
        assert!(ask("GET /metrics HTTP/1.1\r\n\r\n").ends_with("\r\n\r\nx 1\n"));
        assert!(ask("GET /other HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 404 "));
        let silent: Vec<_> = (0..3 * MAX_CONNECTIONS).map(|_| UnixStream::connect(&path).unwrap()).collect();
        assert!(ask("GET /metrics HTTP/1.1\r\n\r\n").ends_with("\r\n\r\nx 1\n"));
        drop(silent);
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
        let address = serve_here(Echo);
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
        let address = serve_here(|path: &str| {
            assert_ne!(path, "/bad", "made to");
            pages(path)
        });
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
