//! What goroutines wait for, as it was found: plain data.

use std::sync::Arc;

use lastgasp_inferior::Addr;

use crate::goroutine::Status;
use crate::goroutine::wait_reason::Operation;

/// What the goroutines of a process wait for, at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Goroutines that are blocked (waiting, leaked, or in a system call), the runtime's own among them, in
    /// the runtime's order.
    pub goroutines: Vec<Blocked>,
    /// What they wait for, by address, each once.
    pub objects: Vec<Awaited>,
    /// Timers that are set, whoever set them.
    pub timers: Vec<PendingTimer>,
    /// Where the processors' heaps of timers stand: arrays by which the runtime has each of them.
    pub timer_heaps: Vec<Addr>,
    /// What could not be read and could matter to whoever asks who can still be woken: goroutines, cases,
    /// timers. Nothing is proved then.
    pub unsure: Vec<String>,
}

/// A goroutine that is blocked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocked {
    /// `goid`.
    pub goid: u64,
    /// Where its `g` stands.
    pub at: Addr,
    /// Its state.
    pub status: Status,
    /// Why it waits, as the runtime spells it; empty of system calls.
    pub reason: &'static str,
    /// What it waits for: of a `select` each case, in the order of its `sudog`s, which is by address; one
    /// element of all others.
    pub cases: Vec<Case>,
    /// When its own timer wakes it from `time.Sleep`, on the runtime's clock (`nanotime`).
    pub wakes_at_ns: Option<i64>,
    /// Since when it waits at least, on that clock; 0 if it is not known.
    pub wait_since_ns: i64,
    /// Whether it lives in a `synctest` bubble, whose clock is not the runtime's.
    pub in_bubble: bool,
    /// Functions on its stack, innermost first, that lock something in a line above the one in which they
    /// stand; of those that wait for a mutex alone.
    pub locks_above: Vec<Arc<str>>,
    /// Those of them that unlock something in a line between.
    pub unlocks_since: Vec<Arc<str>>,
    /// Whether the code of its functions could be read for that.
    pub code_was_read: bool,
    /// Whether all that it waits for have it in their queues still. Who was taken out of one is about to run,
    /// whatever its state says: whoever woke it may have forgotten by what.
    pub is_queued: bool,
}

/// One thing that a goroutine waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Case {
    /// What it would do.
    pub operation: Operation,
    /// Index among [`Waiting::objects`]; `None` of what waits for none, and where it was not found.
    pub object: Option<u32>,
}

/// What goroutines wait for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Awaited {
    /// Where it stands: of a lock its first word, of a descriptor its `pollDesc`.
    pub at: Addr,
    /// Another address of it that leads to who waits: of a lock the semaphore, of a condition the list. Nil
    /// of all others.
    pub inner: Addr,
    /// What it is.
    pub what: What,
    /// What of a library it is the inner part of, by the calls of who waits: `sync.Once`, `errgroup.Group`;
    /// else empty.
    pub part_of: &'static str,
    /// Blocked goroutines that wait for it; one counts once, however many of its cases do.
    pub waiters: u64,
}

/// What it is that goroutines wait for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A channel.
    Channel(Channel),
    /// `sync.Mutex`; `None` where its words could not be read.
    Mutex(Option<MutexState>),
    /// `sync.RWMutex`.
    RwMutex(Option<RwMutexState>),
    /// `sync.WaitGroup`.
    WaitGroup(Option<WaitGroupState>),
    /// `sync.Cond`.
    Cond,
    /// A descriptor in the poller, one way: who reads and who writes wait for two things.
    Descriptor(PollState),
    /// A semaphore of which it is not known what it is part of.
    Semaphore,
}

/// A channel as it was read. What could not be read is 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Channel {
    /// Whether its header could be read, and is one.
    pub is_read: bool,
    /// Elements that wait in its buffer.
    pub len: u64,
    /// Elements that it has room for.
    pub cap: u64,
    /// Whether it is closed.
    pub closed: bool,
    /// Type of its elements as `%T` spells it; empty where it is not known.
    pub element_type: Arc<str>,
    /// When the timer that sends on it does so next, on the runtime's clock; `None` without one.
    pub timer: Option<ChannelTimer>,
    /// Goroutines in its queue of receivers, those in `select`s included.
    pub receivers: u64,
    /// Goroutines in its queue of senders.
    pub senders: u64,
}

/// A timer that sends on a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelTimer {
    /// When it does next, on the runtime's clock; `None` of one that is stopped or has fired.
    pub when_ns: Option<i64>,
    /// Nanoseconds between two times; 0 of one that fires once.
    pub period_ns: i64,
}

/// The state word of a mutex.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MutexState {
    /// Whether it is locked.
    pub locked: bool,
    /// Whether one of those that wait was woken.
    pub woken: bool,
    /// Whether it hands itself over in order of arrival.
    pub starving: bool,
    /// Those that wait, as it counts them.
    pub waiters: u64,
}

/// The words of an `RWMutex`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RwMutexState {
    /// The mutex of the writers.
    pub writers: MutexState,
    /// Readers that hold it.
    pub readers: u64,
    /// Readers that wait for the writer.
    pub waiting_readers: u64,
    /// Whether a writer holds it, or waits until its readers are gone: the latter where there are any.
    pub writer: bool,
}

/// The words of a `WaitGroup`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WaitGroupState {
    /// Calls of `Done` that are missing. Below 0 of one that is broken.
    pub missing: i64,
    /// Those that wait, as it counts them.
    pub waiters: u64,
}

/// One way of a descriptor in the poller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PollState {
    /// Its number.
    pub fd: u64,
    /// Whether it is waited for to write, else to read.
    pub write: bool,
    /// The deadline of that, on the runtime's clock: `None` without one.
    pub deadline_ns: Option<i64>,
    /// Whether the deadline is over.
    pub is_over: bool,
}

/// A timer that is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PendingTimer {
    /// Where it stands.
    pub at: Addr,
    /// When it fires, on the runtime's clock.
    pub when_ns: i64,
    /// Nanoseconds between two times; 0 of one that fires once.
    pub period_ns: i64,
    /// The function that is called: its closure, whose first word is the code.
    pub closure: Addr,
    /// The type of the argument.
    pub arg_type: Addr,
    /// The argument, or where it stands: of `time.Sleep` the `g`, of `time.After` the channel, of
    /// `time.AfterFunc` the function.
    pub arg: Addr,
    /// Whether it sends on the channel that is its argument, and does nothing else.
    pub sends: bool,
}
