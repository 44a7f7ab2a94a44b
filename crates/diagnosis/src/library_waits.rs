//! Waits inside of libraries that everybody uses: what they are about, and what ends them. A pile in one of
//! these is told by its library's own name, since "a select" says nothing to who never wrote one.

use crate::facts::{Facts, Group};
use crate::owner::frame;

/// A function that goroutines wait in.
pub(crate) struct LibraryWait {
    function: &'static str,
    /// What they wait for.
    pub(crate) what: &'static str,
    /// What ends it.
    pub(crate) cure: &'static str,
}

/// By function, or by the beginning of its name. The innermost on a stack decides.
const KNOWN: [LibraryWait; 9] = [
    LibraryWait {
        function: "net/http.(*persistConn).",
        what: "the rest of HTTP responses (bodies that nobody reads or closes)",
        cure: "Close the body of every response, also where it is not read: each that is left open keeps a connection, two goroutines and their buffers.",
    },
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
        function: "golang.org/x/sync/semaphore.(*Weighted).Acquire",
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
];

/// The library's wait that a group is in, if it is a known one.
pub(crate) fn library_wait(facts: &Facts, group: &Group) -> Option<&'static LibraryWait> {
    let functions = group.stack.iter().filter_map(|i| frame(facts, *i)).map(|f| f.function.as_str());
    functions.filter_map(|f| KNOWN.iter().find(|k| f.starts_with(k.function))).next()
}
