//! I/O without a deadline. The page: `io-without-deadline.md`.

use crate::facts::Wait;
use crate::rival::Rival;

use super::super::scene::Seen;
use super::super::verdict::Sureness;
use super::super::words;
use super::cause::{Case, Cause, Judged, RuleInfo, Scene};

/// The cause.
pub(in super::super) struct IoWithoutDeadline;

impl Cause for IoWithoutDeadline {
    const INFO: RuleInfo = RuleInfo {
        code: "io-without-deadline",
        title: "I/O without a deadline",
        doc: include_str!("io-without-deadline.md"),
    };
    const CURE: &'static str = "Give what {place} waits for a deadline (SetDeadline, a client's Timeout, a server's ReadTimeout, WriteTimeout and IdleTimeout, a context), and bound how many may wait at a time.";

    fn check(scene: &Scene<'_>, case: &Case<'_>) -> Option<Judged> {
        if let Some(reader) = asks_without_deadline(scene, &case.seen) {
            let clause = format!(
                "it has asked over HTTP without a timeout; goroutine {}, which reads the answer, {}",
                reader.g.id,
                words::does(scene, reader.g.id)
            );
            let rivals = vec![Rival::open("a peer that will answer", "the peer's own state")];
            return Some(Judged::sure(clause).with(Sureness::Probable, rivals));
        }
        let io = |w: &&Wait| words::is_io(&w.operation);
        let wait = case.seen.only().filter(io)?;
        let o = scene.object(wait)?;
        o.descriptor.as_ref().filter(|d| d.has_deadline == Some(false) && !d.peer_within)?;
        let clause = format!("no deadline is set on {}", words::object(o));
        let rivals = vec![Rival::open(
            "a peer that will answer",
            "the peer's own state: that nothing here ends the wait is read, what the other end does is not",
        )];
        Some(Judged::sure(clause).with(Sureness::Sure, rivals))
    }
}

/// Functions in which goroutines wait for the world without a deadline and nothing is wrong: listeners,
/// connections that are kept for the next request, servers of datagrams, signals.
const IDLE: [&str; 14] = [
    "internal/poll.(*FD).Accept",
    "net.(*netFD).accept",
    "net/http.(*persistConn).readLoop",
    "net/http.(*connReader).backgroundRead",
    "net/http.(*conn).readRequest",
    "net/http.(*http2",
    "net/http/internal/http2.",
    "golang.org/x/net/http2.",
    "google.golang.org/grpc/internal/transport.",
    "internal/poll.(*FD).ReadFrom",
    "internal/poll.(*FD).ReadMsg",
    "os/signal.",
    "os/exec.",
    "os.(*Process).",
];

/// Where a server waits for the first bytes of the next request of a connection.
const SERVES: &str = "net/http.(*conn).serve";
const PEEKS: &str = "bufio.(*Reader).Peek";

/// Whether a wait for I/O is one of those that are meant to last.
pub(in super::super) fn is_idle(seen: &Seen<'_>) -> bool {
    // Between two requests; inside of a handler the same connection is something else.
    IDLE.iter().any(|f| seen.view.is_in(f)) || seen.view.is_in(SERVES) && seen.view.is_in(PEEKS)
}

/// The reader of the connection over which a goroutine has asked with Go's HTTP client and waits for the
/// answer, where that reads without a deadline and the asker has no timer of its own.
pub(in super::super) fn asks_without_deadline<'a>(scene: &'a Scene<'_>, seen: &Seen<'_>) -> Option<Seen<'a>> {
    if !seen.view.is_in("net/http.(*persistConn).roundTrip") || seen.g.by.contains("timer") {
        return None;
    }
    let objects = || seen.g.waits.iter().filter_map(|w| scene.object(w));
    if objects().any(|o| o.is_timer) {
        return None;
    }
    let reads = |s: &Seen<'_>| {
        let wait = s.only().filter(|w| words::is_io(&w.operation));
        let descriptor = wait.and_then(|w| scene.object(w)).and_then(|o| o.descriptor.as_ref());
        s.view.is_in("net/http.(*persistConn).readLoop") && descriptor.is_some_and(|d| d.has_deadline == Some(false))
    };
    // The channel by which it gets the answer lies with the reader, or in what the reader has.
    let ids = objects().flat_map(|o| &o.referrers).map(|r| r.goroutine);
    let mut ids = ids.chain([seen.g.by_goroutine]).filter(|id| *id != 0);
    ids.find_map(|id| scene.blocked_by_id(id).filter(reads))
}
