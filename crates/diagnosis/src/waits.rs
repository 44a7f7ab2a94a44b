//! What goroutines wait for, told by the reason that the runtime notes and the calls that they wait in.

use crate::facts::{Facts, Frame, GoroutineState, Group};
use crate::owner::frame;

/// What a goroutine does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Doing {
    /// It runs, is ready to, or helps the collector so that it may go on.
    Working,
    /// It waits for something of the program's or of the world's.
    Waiting(Wait),
}

/// What it waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Wait {
    /// A `sync.Mutex`.
    Mutex,
    /// A `sync.RWMutex`, to read or to write.
    RwMutex,
    /// A `sync.WaitGroup`.
    AllDone,
    /// A `sync.Cond`.
    Cond,
    /// A `sync.Once` that another runs.
    Once,
    /// A semaphore of the runtime, and none of the above.
    Semaphore,
    /// Somebody to receive.
    ChanSend,
    /// Somebody to send.
    ChanReceive,
    /// A channel that is nil: nobody can.
    NilChan,
    /// One of several channels.
    Select,
    /// Nothing at all: `select {}`.
    Forever,
    /// A socket or a pipe.
    Io,
    /// A system call, or C.
    Syscall,
    /// Time.
    Sleep,
    /// Anything else.
    Other,
}

impl Wait {
    /// `a mutex`, `I/O`.
    pub(crate) fn what(self) -> &'static str {
        match self {
            Self::Mutex => "a mutex",
            Self::RwMutex => "a read-write lock",
            Self::AllDone => "a WaitGroup",
            Self::Cond => "a condition variable",
            Self::Once => "a sync.Once that another one runs",
            Self::Semaphore => "a semaphore",
            Self::ChanSend => "somebody to receive from their channel",
            Self::ChanReceive => "somebody to send to their channel",
            Self::NilChan => "a channel that is nil",
            Self::Select => "one of several channels (select)",
            Self::Forever => "nothing (select without cases)",
            Self::Io => "I/O",
            Self::Syscall => "a system call, or C",
            Self::Sleep => "time to pass",
            Self::Other => "something that has no common name",
        }
    }

    /// Whether nothing but another goroutine ends it. Of several cases of a select one may come from
    /// elsewhere.
    pub(crate) fn is_for_a_goroutine(self) -> bool {
        match self {
            Self::Mutex | Self::RwMutex | Self::AllDone | Self::Cond | Self::Once | Self::Semaphore => true,
            Self::ChanSend | Self::ChanReceive | Self::NilChan | Self::Forever => true,
            Self::Select | Self::Io | Self::Syscall | Self::Sleep | Self::Other => false,
        }
    }

    /// Whether it is one of the locks.
    pub(crate) fn is_lock(self) -> bool {
        matches!(self, Self::Mutex | Self::RwMutex | Self::Once)
    }
}

/// Reasons with which the runtime parks a goroutine that is at work: it helps the collector, or waits for it.
const FOR_THE_COLLECTOR: [&str; 9] = [
    "GC assist marking",
    "GC assist wait",
    "GC sweep wait",
    "GC weak to strong wait",
    "wait for GC cycle",
    "garbage collection",
    "garbage collection scan",
    "stopping the world",
    "preempted",
];

/// Calls of the runtime in which an allocation waits with a reason that semaphores of programs have too: many
/// allocate at once, and one of them starts the collection or stops the world (`mgc.go`: `work.startSema`;
/// `proc.go`: `worldsema`). Seen in the lab's `nightly-statements` on a slow machine: calls at work were told
/// as
/// waiting for a semaphore, surely.
const STARTS_A_COLLECTION: [&str; 4] =
    ["runtime.gcStart", "runtime.stopTheWorld", "runtime.stopTheWorldGC", "runtime.gcMarkDone"];

/// Whether what the runtime calls `semacquire` is an allocation that waits for the collector: those
/// goroutines are at work.
#[must_use]
pub fn starts_a_collection(facts: &Facts, group: &Group) -> bool {
    group.wait_reason == "semacquire" && is_in_one_of(facts, group, &STARTS_A_COLLECTION)
}

/// What a group of goroutines does.
pub(crate) fn doing(facts: &Facts, group: &Group) -> Doing {
    match group.state {
        GoroutineState::Running | GoroutineState::Runnable | GoroutineState::CopyStack | GoroutineState::Preempted => {
            return Doing::Working;
        }
        GoroutineState::Syscall => return Doing::Waiting(Wait::Syscall),
        _ => {}
    }
    let reason = group.wait_reason.as_str();
    if FOR_THE_COLLECTOR.contains(&reason) {
        return Doing::Working;
    }
    if starts_a_collection(facts, group) {
        return Doing::Working;
    }
    Doing::Waiting(match reason {
        "sync.Mutex.Lock" if is_in(facts, group, "sync.(*Once).") => Wait::Once,
        "sync.Mutex.Lock" if is_in(facts, group, "sync.(*RWMutex).") => Wait::RwMutex,
        "sync.Mutex.Lock" => Wait::Mutex,
        "sync.RWMutex.RLock" | "sync.RWMutex.Lock" => Wait::RwMutex,
        "sync.WaitGroup.Wait" => Wait::AllDone,
        "sync.Cond.Wait" => Wait::Cond,
        "semacquire" => semaphore(facts, group),
        "chan send" => Wait::ChanSend,
        "chan receive" => Wait::ChanReceive,
        "chan send (nil chan)" | "chan receive (nil chan)" => Wait::NilChan,
        "select" => Wait::Select,
        "select (no cases)" => Wait::Forever,
        "IO wait" => Wait::Io,
        "sleep" => Wait::Sleep,
        _ => Wait::Other,
    })
}

/// Go before 1.20 has one reason for all of `sync`; the calls tell.
fn semaphore(facts: &Facts, group: &Group) -> Wait {
    let known = [
        ("sync.(*Once).", Wait::Once),
        ("sync.(*RWMutex).", Wait::RwMutex),
        ("sync.(*Mutex).", Wait::Mutex),
        ("sync.(*WaitGroup).", Wait::AllDone),
    ];
    known.into_iter().find(|(of, _)| is_in(facts, group, of)).map_or(Wait::Semaphore, |(_, wait)| wait)
}

/// Whether one of the innermost calls is a method of that type.
fn is_in(facts: &Facts, group: &Group, method_of: &str) -> bool {
    let innermost = group.stack.iter().take(10).filter_map(|i| frame(facts, *i));
    innermost.take_while(|f| is_of_the_wait(&f.function)).any(|f| f.function.starts_with(method_of))
}

/// Whether one of the innermost calls is one of those.
fn is_in_one_of(facts: &Facts, group: &Group, functions: &[&str]) -> bool {
    let innermost = group.stack.iter().take(10).filter_map(|i| frame(facts, *i));
    innermost.take_while(|f| f.function.starts_with("runtime.")).any(|f| functions.contains(&f.function.as_str()))
}

/// Whether who waits so has something to do and cannot: a lock, a receiver, an end that does not read. Who
/// waits to receive, to read or in a select may be without work.
pub(crate) fn is_held_up(facts: &Facts, group: &Group) -> bool {
    match doing(facts, group) {
        Doing::Waiting(Wait::Mutex | Wait::RwMutex | Wait::Once | Wait::ChanSend) => true,
        Doing::Waiting(Wait::Io) => is_writing(facts, group),
        _ => false,
    }
}

/// Whether I/O that is waited for is a write: the other end does not read.
pub(crate) fn is_writing(facts: &Facts, group: &Group) -> bool {
    let mut innermost = group.stack.iter().filter_map(|i| frame(facts, *i)).map(|f| f.function.as_str());
    innermost.any(|f| f == "internal/poll.(*pollDesc).waitWrite" || f.starts_with("internal/poll.(*FD).Write"))
}

/// The innermost frame that is not of the wait itself.
pub(crate) fn innermost<'a>(facts: &'a Facts, group: &Group) -> Option<&'a Frame> {
    group.stack.iter().filter_map(|i| frame(facts, *i)).find(|f| !is_of_the_wait(&f.function))
}

/// Of the runtime or of `sync`: what a goroutine goes through until it waits.
pub(crate) fn is_of_the_wait(function: &str) -> bool {
    ["runtime.", "sync.", "internal/sync.", "internal/"].iter().any(|of| function.starts_with(of))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_waits_for_is_told_by_reason_and_calls() {
        let names = [
            "runtime.gopark",
            "sync.runtime_SemacquireMutex",
            "sync.(*Mutex).lockSlow",
            "sync.(*RWMutex).Lock",
            "sync.(*WaitGroup).Wait",
            "main.handle",
            "sync.(*Once).doSlow",
            "runtime.gcStart",
        ];
        let frames = names.map(|f| Frame { function: f.into(), ..Frame::default() });
        let facts = Facts { frames: frames.into(), ..Facts::default() };
        let of = |state: &str, reason: &str, stack: &[u32]| {
            let stack = stack.to_vec();
            doing(&facts, &Group { state: state.into(), wait_reason: reason.into(), stack, ..Group::default() })
        };
        let waits = |reason: &str, stack: &[u32]| match of("waiting", reason, stack) {
            Doing::Waiting(wait) => wait,
            Doing::Working => panic!("{reason}"),
        };
        assert_eq!(waits("semacquire", &[0, 1, 2, 5]), Wait::Mutex);
        assert_eq!(waits("semacquire", &[0, 1, 2, 3, 5]), Wait::RwMutex);
        assert_eq!(waits("semacquire", &[0, 4, 5]), Wait::AllDone);
        // What it does further out is not what it waits in.
        assert_eq!(waits("semacquire", &[0, 5, 4]), Wait::Semaphore);
        assert_eq!(waits("sync.Mutex.Lock", &[0, 1, 2, 5]), Wait::Mutex);
        assert_eq!(waits("sync.Mutex.Lock", &[0, 1, 2, 6, 5]), Wait::Once);
        assert_eq!(waits("sync.Mutex.Lock", &[0, 1, 2, 3, 5]), Wait::RwMutex);
        assert_eq!(waits("IO wait", &[0, 5]), Wait::Io);
        assert_eq!(of("runnable", "", &[5]), Doing::Working);
        assert_eq!(of("waiting", "GC assist wait", &[0, 5]), Doing::Working);
        // It allocates, and another one starts the collection.
        assert_eq!(of("waiting", "semacquire", &[0, 7, 5]), Doing::Working);
        assert_eq!(of("waiting", "semacquire", &[0, 5, 7]), Doing::Waiting(Wait::Semaphore));
        assert_eq!(of("syscall", "", &[5]), Doing::Waiting(Wait::Syscall));
    }

    #[test]
    fn who_cannot_go_on_is_told_from_who_has_no_work() {
        let names = ["internal/poll.(*pollDesc).waitWrite", "internal/poll.(*pollDesc).waitRead", "main.serve"];
        let frames = names.map(|f| Frame { function: f.into(), ..Frame::default() });
        let facts = Facts { frames: frames.into(), ..Facts::default() };
        let held_up = |reason: &str, stack: &[u32]| {
            let (stack, wait_reason) = (stack.to_vec(), reason.into());
            is_held_up(&facts, &Group { state: "waiting".into(), wait_reason, stack, ..Group::default() })
        };
        assert!(held_up("IO wait", &[0, 2]) && !held_up("IO wait", &[1, 2]) && !held_up("IO wait", &[2]));
        assert!(held_up("chan send", &[2]) && held_up("sync.Mutex.Lock", &[2]));
        assert!(!held_up("chan receive", &[2]) && !held_up("select", &[2]) && !held_up("sync.Cond.Wait", &[2]));
    }
}
