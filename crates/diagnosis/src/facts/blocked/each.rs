//! A blocked goroutine.

use serde::{Deserialize, Serialize};

use super::super::bounded::{MAX_FEW, at_most};
use super::super::named::named;
use super::compact::is_default;

/// A blocked goroutine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct BlockedGoroutine {
    /// `goid`.
    pub id: u64,
    /// Why it waits, as the runtime spells it (`chan receive`, `sync.Mutex.Lock`); empty of system calls.
    #[serde(skip_serializing_if = "is_default")]
    pub reason: String,
    /// What it waits for: of a `select` each case, in the order of its `sudog`s; one element of all others,
    /// of nil channels and `select {}` too, whose elements have no object.
    #[serde(deserialize_with = "at_most::<_, _, MAX_FEW>")]
    #[serde(skip_serializing_if = "is_default")]
    pub waits: Vec<Wait>,
    /// Whether anything can still wake it.
    #[serde(skip_serializing_if = "is_default")]
    pub wake_up: WakeUp,
    /// Of one that its own ticker wakes for ever and that waits for nothing else: whether nobody else leads
    /// to anything that its stack has, so that what it does is done for itself alone. False of all others,
    /// and in captures up to 0.1.0.
    #[serde(skip_serializing_if = "is_default")]
    pub for_itself: bool,
    /// Who or what can, in words of the source: the running goroutine, timer, package variable that leads
    /// to what it waits for. Empty where nothing can, or it is not known.
    #[serde(skip_serializing_if = "is_default")]
    pub by: String,
    /// The goroutine that can, where it is one; 0 of all others, and in captures up to 0.1.0.
    #[serde(skip_serializing_if = "is_default")]
    pub by_goroutine: u64,
    /// Functions on its stack, innermost first, that lock something in a line above the one in which they
    /// stand; of those that wait for a lock alone.
    #[serde(deserialize_with = "at_most::<_, _, MAX_FEW>")]
    #[serde(skip_serializing_if = "is_default")]
    pub locks_above: Vec<String>,
    /// Those of them that unlock something in a line between.
    #[serde(deserialize_with = "at_most::<_, _, MAX_FEW>")]
    #[serde(skip_serializing_if = "is_default")]
    pub unlocks_since: Vec<String>,
    /// Whether the code of its functions could be read for that.
    #[serde(skip_serializing_if = "is_default")]
    pub code_was_read: bool,
    /// Nanoseconds until its own timer wakes it (`time.Sleep`, a timer whose channel it waits for); absent
    /// without one. Negative: overdue.
    #[serde(skip_serializing_if = "is_default")]
    pub wakes_in_ns: Option<i64>,
    /// Nanoseconds that it has waited at least; 0 if it is not known.
    #[serde(skip_serializing_if = "is_default")]
    pub waited_ns_at_least: u64,
    /// Whether it lives in a `synctest` bubble, whose clock is not the process's.
    #[serde(skip_serializing_if = "is_default")]
    pub in_bubble: bool,
    /// Whether the runtime itself found it leaked (Go 1.26 and newer, after a profile was asked for).
    #[serde(skip_serializing_if = "is_default")]
    pub go_says_leaked: bool,
    /// Bytes that would be garbage without it alone: its stack not counted; absent without a graph.
    #[serde(skip_serializing_if = "is_default")]
    pub retained_bytes: Option<u64>,
}

/// One thing that a goroutine waits for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Wait {
    /// What it would do.
    pub operation: WaitOperation,
    /// Index of the object; absent of what waits for none (sleep, a nil channel, a system call), and where it
    /// was not found.
    #[serde(skip_serializing_if = "is_default")]
    pub object: Option<u32>,
}

named! {
    /// What a blocked goroutine would do.
    pub enum WaitOperation {
        /// Send on a channel.
        Send = "send",
        /// Receive from a channel.
        Receive = "receive",
        /// Send or receive: a case of a `select` of which it could not be read.
        SendOrReceive = "send-or-receive",
        /// Send on a nil channel: for ever.
        SendNil = "send-nil",
        /// Receive from a nil channel: for ever.
        ReceiveNil = "receive-nil",
        /// `select {}`: for ever.
        NoCases = "no-cases",
        /// A `select` of which every channel is nil: for ever.
        AllNil = "all-nil",
        /// Lock a `sync.Mutex`.
        Lock = "lock",
        /// Lock a `sync.RWMutex` for reading.
        ReadLock = "read-lock",
        /// Lock a `sync.RWMutex` for writing.
        WriteLock = "write-lock",
        /// `sync.WaitGroup.Wait`.
        WaitGroup = "wait-group",
        /// `sync.Cond.Wait`.
        CondWait = "cond-wait",
        /// `time.Sleep`.
        Sleep = "sleep",
        /// Read of a descriptor that the poller watches.
        Read = "read",
        /// Write to a descriptor that the poller watches.
        Write = "write",
        /// Read of a descriptor or write to it: it could not be read which.
        ReadOrWrite = "read-or-write",
        /// A semaphore of which it is not known what it is part of.
        Semaphore = "semaphore",
        /// A system call.
        SystemCall = "system-call",
        /// A call of C.
        C = "c",
        /// The collector.
        Collector = "collector",
        /// Others in its `synctest` bubble.
        Bubble = "bubble",
        /// Whoever resumes it as a coroutine (`iter.Pull`).
        Coroutine = "coroutine",
        /// Something of the runtime's own.
        Runtime = "runtime",
    }
}

named! {
    /// Whether anything can still wake a blocked goroutine.
    pub enum WakeUp {
        /// Nothing that can still run leads to what it waits for.
        Nothing = "nothing",
        /// Only package variables lead to what it waits for: whoever runs may come by that way.
        OnlyGlobals = "only-globals",
        /// A goroutine, timer, finalizer or callback that can run leads to what it waits for.
        Reachable = "reachable",
        /// Its own timer does, and nothing else leads there.
        OwnTimer = "own-timer",
        /// The world outside: a peer, a process, the kernel.
        Outside = "outside",
    }
}
