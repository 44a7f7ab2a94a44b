//! What blocked goroutines wait for.

use serde::{Deserialize, Serialize};

use super::super::bounded::{MAX_FEW, at_most};
use super::super::named::named;
use super::compact::is_default;

/// What goroutines wait for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct WaitObject {
    /// What it is.
    pub kind: WaitObjectKind,
    /// Where it stands: of a lock its first word, not its semaphore's.
    pub address: u64,
    /// Type of the elements of a channel, or of the object that a lock is part of, as `%T` spells it; empty
    /// where it is not known.
    #[serde(rename = "type")]
    #[serde(skip_serializing_if = "is_default")]
    pub type_name: String,
    /// By which way it is reached, in words of the source (`global main.cache . mu`); empty where by none
    /// that is known.
    #[serde(skip_serializing_if = "is_default")]
    pub way: String,
    /// Elements that wait in a channel's buffer.
    #[serde(skip_serializing_if = "is_default")]
    pub length: u64,
    /// Elements that it has room for: 0 of an unbuffered one.
    #[serde(skip_serializing_if = "is_default")]
    pub capacity: u64,
    /// Whether a channel is closed.
    #[serde(skip_serializing_if = "is_default")]
    pub closed: bool,
    /// Whether a timer sends on it (`time.After`, a ticker).
    #[serde(skip_serializing_if = "is_default")]
    pub is_timer: bool,
    /// Nanoseconds until that timer sends; absent without one, of one that is stopped or has fired, and where
    /// there is no clock. Negative: overdue.
    #[serde(skip_serializing_if = "is_default")]
    pub timer_in_ns: Option<i64>,
    /// Nanoseconds between two times of that timer; 0 of one that fires once.
    #[serde(skip_serializing_if = "is_default")]
    pub timer_period_ns: u64,
    /// What of a library a lock is the inner part of, by who waits for it: `sync.Once`, `sync.Map`,
    /// `internal/sync.HashTrieMap`, `internal/poll.FD`, `errgroup.Group`, `singleflight.Group`. Empty of all
    /// else.
    #[serde(skip_serializing_if = "is_default")]
    pub part_of: String,
    /// Goroutines that would send on it, those in `select`s included.
    #[serde(skip_serializing_if = "is_default")]
    pub senders: u64,
    /// Goroutines that would receive from it.
    #[serde(skip_serializing_if = "is_default")]
    pub receivers: u64,
    /// Goroutines that wait for a lock, a wait group, a condition.
    #[serde(skip_serializing_if = "is_default")]
    pub waiters: u64,
    /// State of a lock; absent of all else, and where it could not be read.
    #[serde(skip_serializing_if = "is_default")]
    pub lock: Option<LockState>,
    /// Calls of `Done` that a wait group still waits for; absent of all else. Below 0 of one that is broken.
    #[serde(skip_serializing_if = "is_default")]
    pub missing_done: Option<i64>,
    /// A descriptor, one way: who reads and who writes wait for two things. Absent of all else.
    #[serde(skip_serializing_if = "is_default")]
    pub descriptor: Option<Descriptor>,
    /// How it is reached.
    #[serde(skip_serializing_if = "is_default")]
    pub reach: WaitReach,
    /// Who has a pointer to it: goroutines first, by number; of many the first hundred.
    #[serde(deserialize_with = "at_most::<_, _, MAX_FEW>")]
    #[serde(skip_serializing_if = "is_default")]
    pub referrers: Vec<Referrer>,
    /// Referrers in all.
    #[serde(skip_serializing_if = "is_default")]
    pub referrers_total: u64,
}

named! {
    /// What goroutines wait for.
    pub enum WaitObjectKind {
        /// A channel.
        Channel = "channel",
        /// `sync.Mutex`.
        Mutex = "mutex",
        /// `sync.RWMutex`.
        RwMutex = "rwmutex",
        /// `sync.WaitGroup`.
        WaitGroup = "waitgroup",
        /// `sync.Cond`.
        Cond = "cond",
        /// A descriptor that the poller watches.
        Descriptor = "descriptor",
        /// A semaphore of the runtime.
        Semaphore = "semaphore",
    }
}

named! {
    /// How what is waited for is reached.
    pub enum WaitReach {
        /// From nothing that can still run, and from no package variable.
        Nothing = "nothing",
        /// From package variables alone.
        Globals = "globals",
        /// From something that can run.
        Runnable = "runnable",
    }
}

/// State of a lock, as its words have it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LockState {
    /// Whether a mutex, or the writers' mutex of an `RWMutex`, is locked.
    #[serde(skip_serializing_if = "is_default")]
    pub locked: bool,
    /// Of an `RWMutex`: readers that hold it now.
    #[serde(skip_serializing_if = "is_default")]
    pub readers: u64,
    /// Of an `RWMutex`: readers that wait for the writer.
    #[serde(skip_serializing_if = "is_default")]
    pub waiting_readers: u64,
    /// Whether a writer holds it, or waits for its readers: the latter where `readers` is not 0.
    #[serde(skip_serializing_if = "is_default")]
    pub writer: bool,
}

/// A descriptor and its peer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Descriptor {
    /// Its number; absent where it is not known.
    #[serde(skip_serializing_if = "is_default")]
    pub fd: Option<i64>,
    /// What it is: `tcp`, `udp`, `unix`, `pipe`, `file`, or as the kernel has it.
    #[serde(skip_serializing_if = "is_default")]
    pub what: String,
    /// Its own address.
    #[serde(skip_serializing_if = "is_default")]
    pub local: String,
    /// The other end's; empty where there is none.
    #[serde(skip_serializing_if = "is_default")]
    pub peer: String,
    /// Whether the other end is open in the process itself: of a pipe.
    #[serde(skip_serializing_if = "is_default")]
    pub peer_within: bool,
    /// State of a TCP connection, as `ss` spells it.
    #[serde(skip_serializing_if = "is_default")]
    pub state: String,
    /// Bytes that were received and not read.
    #[serde(skip_serializing_if = "is_default")]
    pub receive_queue: Option<u64>,
    /// Bytes that the peer has not acknowledged.
    #[serde(skip_serializing_if = "is_default")]
    pub send_queue: Option<u64>,
    /// Whether what is waited for has a deadline; absent where it could not be read.
    #[serde(skip_serializing_if = "is_default")]
    pub has_deadline: Option<bool>,
    /// Nanoseconds until then. Negative: overdue.
    #[serde(skip_serializing_if = "is_default")]
    pub deadline_in_ns: Option<i64>,
}

/// Who has a pointer to something that is waited for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Referrer {
    /// The goroutine; 0 of others.
    #[serde(skip_serializing_if = "is_default")]
    pub goroutine: u64,
    /// Where its pointer stands.
    #[serde(skip_serializing_if = "is_default")]
    pub place: ReferrerPlace,
    /// The function of the frame, the deferred function, or the package variable or type.
    #[serde(skip_serializing_if = "is_default")]
    pub name: String,
    /// Whether that goroutine can run, now or once it is woken.
    #[serde(skip_serializing_if = "is_default")]
    pub can_run: bool,
}

named! {
    /// Where a pointer to something that is waited for stands.
    pub enum ReferrerPlace {
        /// In an object of the heap.
        Object = "object",
        /// In a frame of a goroutine.
        Frame = "frame",
        /// Bound to a deferred call of it (`defer mu.Unlock()`).
        Deferred = "deferred",
        /// In a package variable.
        Global = "global",
        /// In a timer, a finalizer, a cleanup, or what else the runtime calls.
        Runtime = "runtime",
    }
}
