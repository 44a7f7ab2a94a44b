//! What a semaphore is part of, and the words of that. Source: package `sync` (from Go 1.24 on
//! `internal/sync` too), `internal/poll/fd_mutex.go`.
//!
//! The runtime's reason says which of them it is, from Go 1.20 or 1.24 on; before, and for what is made of
//! them (`sync.Once`, the mutex inside an `RWMutex`), the calls of who waits do. Where neither does, it is a
//! semaphore.

use lastgasp_inferior::{Addr, Memory};

use super::found::{MutexState, RwMutexState, WaitGroupState, What};
use super::read_many::half;
use crate::goroutine::Goroutine;
use crate::goroutine::wait_reason::Operation;
use crate::runtime::Runtime;

/// `mutexLocked`, `mutexWoken`, `mutexStarving`; behind them those that wait.
const LOCKED: u32 = 1;
const WOKEN: u32 = 2;
const STARVING: u32 = 4;
const WAITERS_SHIFT: u32 = 3;
/// `rwmutexMaxReaders`: what a writer takes from the count of readers.
const MAX_READERS: i64 = 1 << 30;
/// `waitGroupBubbleFlag` (from Go 1.25): in the half of those that wait.
const BUBBLE: u32 = 1 << 31;
/// Calls that are looked at: those of the runtime and of package `sync` are fewer.
const MOST_CALLS: usize = 24;

/// A lock that a goroutine waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lock {
    pub(super) operation: Operation,
    /// Its first word; of what is not known the semaphore.
    pub(super) at: Addr,
    pub(super) kind: LockKind,
    /// What it is the inner part of.
    pub(super) part_of: &'static str,
}

/// Which of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum LockKind {
    Mutex,
    RwMutex,
    WaitGroup,
    Semaphore,
}

/// What the calls of who waits say, innermost first.
fn by_calls(goroutine: &Goroutine) -> (Option<Operation>, &'static str) {
    let mut found = None;
    let mut part_of = "";
    for call in goroutine.stack.iter().take(MOST_CALLS) {
        // From Go 1.24 on a `sync.Mutex` is one of `internal/sync`, which the method of the same name calls.
        let name = call.frame.function.strip_prefix("internal/").unwrap_or(&call.frame.function);
        match name {
            // An allocation that waits until another one has started the collection, or ended its marking
            // (`mgc.go`: `work.startSema`, `work.markDoneSema`, `worldsema`).
            "runtime.gcStart" | "runtime.gcMarkDone" => return (Some(Operation::Collector), ""),
            _ if name.starts_with("runtime.") || name.starts_with("sync.runtime_") => {}
            "sync.(*Mutex).lockSlow" | "sync.(*Mutex).Lock" => found = Some(Operation::Lock),
            // The mutex of the writers, or the semaphore itself.
            "sync.(*RWMutex).Lock" => return (Some(Operation::WriteLock), ""),
            "sync.(*RWMutex).RLock" => return (Some(Operation::ReadLock), ""),
            "sync.(*WaitGroup).Wait" => found = Some(Operation::WaitGroup),
            // Of the extended library, vendored or not, and of the standard library's own copy.
            _ if found == Some(Operation::WaitGroup) => {
                let is = |what: &str| name.ends_with(what) || name.contains(&format!("{what}."));
                part_of = match () {
                    () if is("singleflight.(*Group).Do") => "singleflight.Group",
                    () if is("errgroup.(*Group).Wait") => "errgroup.Group",
                    () => "",
                };
                break;
            }
            "sync.(*Once).doSlow" | "sync.(*Once).Do" => return (found, "sync.Once"),
            _ if name.starts_with("sync.(*Map).") => return (found, "sync.Map"),
            // What a `sync.Map` is from Go 1.24 on, and others beside it.
            _ if name.starts_with("sync.(*HashTrieMap[") => return (found, "internal/sync.HashTrieMap"),
            _ if name.starts_with("poll.runtime_") => {}
            _ if name.starts_with("poll.(*fdMutex).") || name.starts_with("poll.(*FD).") => {
                return (found, "internal/poll.FD");
            }
            _ => break,
        }
    }
    (found, part_of)
}

/// What a semaphore is part of. `reason` is what the runtime says of the wait.
pub(super) fn identify(
    rt: &Runtime,
    semaphore: Addr,
    reason: Option<Operation>,
    goroutine: Option<&Goroutine>,
) -> Lock {
    let (called, part_of) = goroutine.map_or((None, ""), by_calls);
    let l = rt.layout;
    let before = |offset: Option<u64>| offset.and_then(|o| semaphore.0.checked_sub(o)).map(Addr);
    let writers = l.mutex.sema.zip(l.rw_mutex.w).map(|(sema, w)| sema + w);
    // The runtime calls the mutex inside an `RWMutex` a mutex, and so it is.
    let operation = match (reason, called) {
        (Some(Operation::Lock), Some(Operation::WriteLock)) => Some((Operation::WriteLock, before(writers))),
        (Some(Operation::WriteLock), _) => Some((Operation::WriteLock, before(l.rw_mutex.writer_sem))),
        // Without a reason it may be either: the calls between say which.
        (None, Some(Operation::WriteLock)) => {
            let inner = goroutine.is_some_and(has_inner_lock);
            let at = before(if inner { writers } else { l.rw_mutex.writer_sem });
            Some((Operation::WriteLock, at))
        }
        (Some(Operation::ReadLock), _) | (None, Some(Operation::ReadLock)) => {
            Some((Operation::ReadLock, before(l.rw_mutex.reader_sem)))
        }
        (Some(Operation::WaitGroup), _) | (None, Some(Operation::WaitGroup)) => {
            Some((Operation::WaitGroup, before(l.wait_group.sema)))
        }
        (None, Some(Operation::Collector)) => Some((Operation::Collector, Some(semaphore))),
        (Some(Operation::Lock), _) | (None, Some(Operation::Lock)) => Some((Operation::Lock, before(l.mutex.sema))),
        _ => None,
    };
    let kind = |operation| match operation {
        Operation::Lock => LockKind::Mutex,
        Operation::ReadLock | Operation::WriteLock => LockKind::RwMutex,
        Operation::WaitGroup => LockKind::WaitGroup,
        _ => LockKind::Semaphore,
    };
    match operation {
        Some((operation, Some(at))) => Lock { operation, at, kind: kind(operation), part_of },
        _ => Lock { operation: Operation::Semaphore, at: semaphore, kind: LockKind::Semaphore, part_of },
    }
}

/// Whether a mutex is locked before the first function that is none's.
fn has_inner_lock(goroutine: &Goroutine) -> bool {
    let names = goroutine.stack.iter().take(MOST_CALLS).map(|c| c.frame.function.as_str());
    let names = names.map(|n| n.strip_prefix("internal/").unwrap_or(n));
    names.take_while(|n| *n != "sync.(*RWMutex).Lock").any(|n| n.starts_with("sync.(*Mutex)."))
}

/// The words of a lock.
pub(super) fn state(rt: &Runtime, mem: &dyn Memory, lock: &Lock) -> What {
    let l = rt.layout;
    match lock.kind {
        LockKind::Mutex => What::Mutex(l.mutex.state.and_then(|state| mem.u32(lock.at.plus(state)).ok()).map(mutex)),
        LockKind::RwMutex => What::RwMutex(rw_mutex(rt, mem, lock.at)),
        LockKind::WaitGroup => {
            let state = l.wait_group.state.and_then(|state| mem.u64(lock.at.plus(state)).ok());
            What::WaitGroup(state.map(|state| wait_group(l.minor, state)))
        }
        LockKind::Semaphore => What::Semaphore,
    }
}

fn mutex(state: u32) -> MutexState {
    MutexState {
        locked: state & LOCKED != 0,
        woken: state & WOKEN != 0,
        starving: state & STARVING != 0,
        waiters: (state >> WAITERS_SHIFT).into(),
    }
}

fn rw_mutex(rt: &Runtime, mem: &dyn Memory, at: Addr) -> Option<RwMutexState> {
    let l = &rt.layout.rw_mutex;
    let bytes = mem.bytes(at, l.sizeof? as usize, 64).ok()?;
    let signed = |offset: Option<u64>| Some(i64::from(half(&bytes, offset?).cast_signed()));
    let (count, leaving) = (signed(l.reader_count)?, signed(l.reader_wait)?);
    let writers = mutex(half(&bytes, l.w? + rt.layout.mutex.state?));
    let unsigned = |n: i64| n.max(0).unsigned_abs();
    Some(if count >= 0 {
        RwMutexState { writers, readers: unsigned(count), waiting_readers: 0, writer: false }
    } else {
        // A writer has announced itself: those that it waits for, and those that wait for it.
        let readers = unsigned(leaving);
        let waiting_readers = unsigned(count + MAX_READERS).saturating_sub(readers);
        RwMutexState { writers, readers, waiting_readers, writer: true }
    })
}

fn wait_group(minor: u16, state: u64) -> WaitGroupState {
    let waiters = state as u32;
    let waiters = if minor >= 25 { waiters & !BUBBLE } else { waiters };
    WaitGroupState { missing: i64::from(((state >> 32) as u32).cast_signed()), waiters: waiters.into() }
}
