//! Waits inside of libraries that everybody uses: what they are about, and what ends them. A pile in one of
//! these is told by its library's own name, since "a select" says nothing to who never wrote one.

use crate::facts::{Facts, Group};
use crate::owner::{frame, is_standard_library};

/// A function that goroutines wait in.
pub(crate) struct LibraryWait {
    function: &'static str,
    /// What they wait for.
    pub(crate) what: &'static str,
    /// What ends it.
    pub(crate) cure: &'static str,
}

/// Those in which somebody may also wait who has nothing to do: the other end need not have anything to say.
const MAY_BE_IDLE: [&str; 6] =
    ["net.(*pipe).", "io.(*pipe).", "google.golang.org/grpc", WEBSOCKETS[0], WEBSOCKETS[1], WEBSOCKETS[2]];

/// Functions that read the next message of a websocket.
const WEBSOCKETS: [&str; 3] = [
    "github.com/gorilla/websocket.(*Conn).read",
    "github.com/coder/websocket.(*Conn).read",
    "nhooyr.io/websocket.(*Conn).read",
];

/// Who waits there does so as long as the connection lives: a slow dependency it is not (seen blind: sessions
/// of couriers whose loggers got longer with every message, "see why the other end is slow to answer").
const fn websocket(function: &'static str) -> LibraryWait {
    LibraryWait {
        function,
        what: "the next message of a websocket",
        cure: "They live as long as their connections: see what a message leaves behind in each (a buffer, a list, fields of a logger), and make that smaller; bound how many are open, and close those whose peer is gone (a deadline for pongs).",
    }
}

impl LibraryWait {
    /// Whether who reads there may just have nothing to do.
    pub(crate) fn may_be_idle(&self) -> bool {
        MAY_BE_IDLE.contains(&self.function)
    }
}

const SEMAPHORE: &str = "golang.org/x/sync/semaphore.(*Weighted).Acquire";

/// By function, or by the beginning of its name. The innermost on a stack decides.
const KNOWN: [LibraryWait; 22] = [
    LibraryWait {
        function: "database/sql.(*DB).conn",
        what: "a connection of a database pool that is used up",
        cure: "See what keeps the pool's connections: slow queries, rows or transactions that are not closed; and give who waits a context with a deadline.",
    },
    LibraryWait {
        function: "net.(*pipe).",
        what: "the other end of a net.Pipe, without a buffer between",
        cure: "See why the other end does not read or write; set a deadline (SetDeadline).",
    },
    LibraryWait {
        function: "net/http.(*Transport).getConn",
        what: "a connection to a server",
        cure: "See why the server takes no more connections, or raise what the client may open (MaxConnsPerHost); give requests a timeout.",
    },
    LibraryWait {
        function: "net/http.(*http2",
        what: "a stream of an HTTP/2 connection",
        cure: "See why the other end does not answer; give requests a timeout.",
    },
    LibraryWait {
        function: SEMAPHORE,
        what: "a weighted semaphore",
        cure: "See who holds its weight, and why it is not released.",
    },
    LibraryWait {
        function: "google.golang.org/grpc",
        what: "a gRPC stream",
        cure: "See why the other end does not answer; give calls a deadline.",
    },
    LibraryWait {
        function: "os/exec.(*Cmd).",
        what: "a child process",
        cure: "See why the child does not end; bound how many run at a time (CommandContext).",
    },
    LibraryWait {
        function: "io.(*pipe).",
        what: "the other end of an io.Pipe",
        cure: "See why the other end does not read or write; close it with an error when it is given up.",
    },
    websocket(WEBSOCKETS[0]),
    websocket(WEBSOCKETS[1]),
    websocket(WEBSOCKETS[2]),
    LibraryWait {
        function: "golang.org/x/sync/singleflight.(*Group).",
        what: "the one call of a key that all of them share (singleflight)",
        cure: "See what the call that runs waits for, and give it a deadline of its own; let who waits give up (DoChan with a context).",
    },
    LibraryWait {
        function: "golang.org/x/sync/errgroup.(*Group).Go",
        what: "room in an errgroup (SetLimit)",
        cure: "See what the goroutines of the group wait for; bound how many callers may wait for room.",
    },
    LibraryWait {
        function: "golang.org/x/time/rate.(*Limiter).",
        what: "their turn by a rate limiter",
        cure: "More come than the rate lets through: refuse what is beyond it (Allow), or bound how many may wait and for how long.",
    },
    LibraryWait {
        function: "go.opentelemetry.io/otel/sdk/trace.(*batchSpanProcessor).enqueueBlockOnQueueFull",
        what: "room in OpenTelemetry's queue of spans",
        cure: "See why spans are not exported; take WithBlocking away, so that spans are dropped when the queue is full, and bound an export's time (WithExportTimeout).",
    },
    LibraryWait {
        function: "github.com/redis/go-redis/v9/internal/pool.(*ConnPool).waitTurn",
        what: "a connection of a Redis client's pool that is used up",
        cure: "See what keeps the pool's connections (slow commands, subscriptions that are not closed), or raise PoolSize; give who waits a deadline (PoolTimeout, a context).",
    },
    LibraryWait {
        function: "github.com/jackc/puddle/v2.(*Pool[",
        what: "a connection of a pgx pool that is used up",
        cure: "See what keeps the pool's connections: slow queries, rows or transactions that are not closed; and give who waits a context with a deadline.",
    },
    LibraryWait {
        function: "go.mongodb.org/mongo-driver/x/mongo/driver/topology.(*pool).checkOut",
        what: "a connection of a MongoDB client's pool that is used up",
        cure: "See what keeps the pool's connections (slow queries, cursors and sessions that are not closed); give who waits a context with a deadline.",
    },
    LibraryWait {
        function: "github.com/nats-io/nats.go.(*Conn).requestWithContext",
        what: "the answer to a NATS request",
        cure: "See why nobody answers in time; give requests a deadline, and bound how many wait.",
    },
    LibraryWait {
        function: "github.com/segmentio/kafka-go.(*Writer).",
        what: "Kafka to take what they write",
        cure: "See why the brokers do not take it; give writes a deadline (WriteTimeout, a context), and bound how many wait.",
    },
    LibraryWait {
        function: "go.etcd.io/bbolt.(*DB).beginRWTx",
        what: "their turn to write to a bbolt database (one writes at a time)",
        cure: "See which write transaction is long, or not ended (Commit, Rollback); gather small writes (DB.Batch).",
    },
    LibraryWait {
        function: "go.etcd.io/bbolt.(*DB).beginTx",
        what: "a bbolt database that is about to grow",
        cure: "See which read transaction stays open (Rollback): the database cannot map more memory until it ends.",
    },
];

/// A request of `net/http`'s client that was sent.
const ANSWER: LibraryWait = LibraryWait {
    function: "net/http.(*persistConn).roundTrip",
    what: "the answer of an HTTP server",
    cure: "Give requests a timeout (http.Client.Timeout, or a context with a deadline); see why the other end does not answer.",
};

/// Goroutines of connections whose answer has begun, and somebody reads it.
const BEING_READ: LibraryWait = LibraryWait {
    function: "net/http.(*persistConn).readLoop",
    what: "the rest of HTTP responses that others read",
    cure: "See why the other end does not end what it has begun to answer; give requests a timeout (http.Client.Timeout, or a context with a deadline).",
};

/// The same, and nobody reads it.
const UNREAD: LibraryWait = LibraryWait {
    function: "net/http.(*persistConn).readLoop",
    what: "the rest of HTTP responses (bodies that nobody reads or closes)",
    cure: "Close the body of every response, also where it is not read: each that is left open keeps a connection, two goroutines and their buffers.",
};

/// Those of connections that are idle, or whose answer has not begun.
const NEXT_ANSWER: LibraryWait = LibraryWait {
    function: "net/http.(*persistConn).",
    what: "the next answer on connections of an HTTP client, or for a next request",
    cure: "Bound the connections (MaxConnsPerHost, MaxIdleConnsPerHost, IdleConnTimeout; one http.Client for all, not one each), and give requests a timeout.",
};

/// What part of a pile others must be to explain it.
const HALF: u64 = 2;

/// The library's wait that a group is in, if it is a known one.
pub(crate) fn library_wait(facts: &Facts, group: &Group) -> Option<&'static LibraryWait> {
    let is_in = |g: &Group, function: &str| {
        g.stack.iter().filter_map(|i| frame(facts, *i)).any(|f| f.function.starts_with(function))
    };
    // Who reads a response waits for I/O like anybody who reads.
    let reads = |g: &Group| is_in(g, "net/http.(*bodyEOFSignal).");
    if reads(group) {
        return None;
    }
    if is_in(group, "net/http.(*persistConn).roundTrip") {
        return Some(&ANSWER);
    }
    let begun = |g: &Group| is_in(g, "net/http.(*persistConn).readLoop") && !is_in(g, "net/http.(*persistConn).Read");
    if is_in(group, "net/http.(*persistConn).") {
        let count = |is: &dyn Fn(&Group) -> bool| -> u64 {
            facts.goroutines.groups.iter().filter(|g| is(g)).map(|g| g.count).fold(0, u64::saturating_add)
        };
        let most = |n: u64| n.saturating_mul(HALF) >= group.count;
        // A connection has one that reads and one that writes: of a body that nobody reads both wait, and so
        // they do while somebody reads it (seen in lab/deaths, price-feed: an exchange that begins its
        // answers, and "bodies that nobody reads").
        return Some(match (most(count(&begun)), most(count(&reads))) {
            (true, true) => &BEING_READ,
            (true, false) => &UNREAD,
            (false, _) => &NEXT_ANSWER,
        });
    }
    // What is further out than the program's own code, or than another library, has only called these (seen
    // blind: handlers of a gRPC server that wait for the queue of a tracer, "for a gRPC stream").
    let mut stack = group.stack.iter().filter_map(|i| frame(facts, *i)).peekable();
    while let Some(f) = stack.next() {
        if let Some(known) = known(&f.function) {
            // A pool of connections waits in a semaphore of its own.
            let mut of_a_pool = || stack.peek().and_then(|f| self::known(&f.function));
            return Some(if known.function == SEMAPHORE { of_a_pool().unwrap_or(known) } else { known });
        }
        if !is_standard_library(&f.function, &facts.target.module.path) {
            return None;
        }
    }
    None
}

/// The library's wait that a function is; what it starts, or is given, is another's.
fn known(function: &str) -> Option<&'static LibraryWait> {
    let is_it = |k: &&LibraryWait| function.strip_prefix(k.function).is_some_and(|rest| !rest.starts_with(".func"));
    KNOWN.iter().find(is_it)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Frame;

    /// What the first of some groups waits for; each by its functions, the innermost first.
    fn first(groups: &[(u64, &[&str])]) -> Option<&'static str> {
        let mut facts = Facts::default();
        for (count, functions) in groups {
            let stack = functions.iter().map(|name| {
                facts.frames.push(Frame { function: (*name).into(), ..Frame::default() });
                facts.frames.len() as u32 - 1
            });
            let group = Group { count: *count, stack: stack.collect(), ..Group::default() };
            facts.goroutines.groups.push(group);
        }
        library_wait(&facts, &facts.goroutines.groups[0]).map(|known| known.what)
    }

    #[test]
    fn a_response_is_unread_only_if_nobody_reads_it() {
        let loops: (u64, &[&str]) = (90, &["runtime.selectgo", "net/http.(*persistConn).readLoop"]);
        let writes: (u64, &[&str]) = (90, &["runtime.selectgo", "net/http.(*persistConn).writeLoop"]);
        let idle: (u64, &[&str]) =
            (90, &["net.(*conn).Read", "net/http.(*persistConn).Read", "net/http.(*persistConn).readLoop"]);
        let reads: (u64, &[&str]) =
            (90, &["net.(*conn).Read", "net/http.(*persistConn).Read", "net/http.(*bodyEOFSignal).Read", "main.quote"]);
        let asks: (u64, &[&str]) = (90, &["runtime.selectgo", "net/http.(*persistConn).roundTrip", "main.ask"]);
        assert_eq!(first(&[writes, loops]), Some(UNREAD.what));
        assert_eq!(first(&[loops, writes]), Some(UNREAD.what));
        assert_eq!(first(&[loops, writes, reads]), Some(BEING_READ.what));
        assert_eq!(first(&[writes, loops, reads]), Some(BEING_READ.what));
        assert_eq!(first(&[reads, loops, writes]), None, "I/O, with a deadline or without");
        assert_eq!(first(&[writes, idle]), Some(NEXT_ANSWER.what));
        assert_eq!(first(&[idle, writes]), Some(NEXT_ANSWER.what));
        assert_eq!(first(&[asks, idle, writes]), Some(ANSWER.what));
    }

    #[test]
    fn the_innermost_of_a_library_decides() {
        assert_eq!(first(&[(9, &["io.(*pipe).read", "os/exec.(*Cmd).Wait"])]), Some("the other end of an io.Pipe"));
        assert_eq!(first(&[(9, &["runtime.gopark", "main.work"])]), None);
        let served = "google.golang.org/grpc.(*Server).handleStream";
        assert_eq!(first(&[(9, &["runtime.selectgo", "main.(*queue).put", served])]), None);
        assert_eq!(first(&[(9, &["runtime.selectgo", "example.com/x/bus.(*Bus).put", served])]), None);
        let stream = ["runtime.selectgo", "google.golang.org/grpc.(*clientStream).RecvMsg", "main.work"];
        assert_eq!(first(&[(9, &stream)]), Some("a gRPC stream"));
        let semaphore = "golang.org/x/sync/semaphore.(*Weighted).Acquire";
        assert_eq!(first(&[(9, &["runtime.selectgo", semaphore, "main.work"])]), Some("a weighted semaphore"));
        let pool = "github.com/jackc/puddle/v2.(*Pool[go.shape.*uint8]).acquire";
        let said = Some("a connection of a pgx pool that is used up");
        assert_eq!(first(&[(9, &["runtime.selectgo", semaphore, pool, "main.work"])]), said);
        assert_eq!(first(&[(9, &["golang.org/x/sync/errgroup.(*Group).Go.func1"])]), None);
        let reads = ["internal/poll.(*FD).Read", "bufio.(*Reader).Peek", "github.com/gorilla/websocket.(*Conn).read"];
        assert_eq!(first(&[(9, &reads)]), Some("the next message of a websocket"));
        let tracer = "go.opentelemetry.io/otel/sdk/trace.(*batchSpanProcessor).enqueueBlockOnQueueFull";
        let said = Some("room in OpenTelemetry's queue of spans");
        assert_eq!(first(&[(9, &["runtime.selectgo", tracer, "main.work", served])]), said);
    }
}
