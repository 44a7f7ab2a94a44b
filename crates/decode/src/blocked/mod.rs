//! Blocked goroutines one by one, as facts: what each waits for, and the state of that.
//!
//! What is read of the runtime alone is put here; whether anybody can still wake them is reckoned over the
//! heap's graph.

mod alive;
mod descriptors;
mod most;
mod objects;

use lastgasp_diagnosis::facts::{BlockedGoroutine, BlockedGoroutines, Wait, WaitOperation};
use lastgasp_goruntime::waits::{Blocked, Operation, Waiting};
use lastgasp_goruntime::{Goroutine, Status, is_system};
use rustc_hash::FxHashSet;

pub(crate) use alive::join;
pub use descriptors::{awaited_descriptors, describe_descriptors};
pub(crate) use most::keep_most;

/// The blocked goroutines of a process, the runtime's own left out. `now_ns` is the runtime's clock
/// (`CLOCK_MONOTONIC`) at that moment; a core file has none, and then nothing is said of how long until.
pub(crate) fn blocked(waiting: &Waiting, goroutines: &[Goroutine], now_ns: Option<u64>) -> BlockedGoroutines {
    let own: FxHashSet<u64> = goroutines.iter().filter(|g| is_system(g)).map(|g| g.goid).collect();
    let now = now_ns.and_then(|now| i64::try_from(now).ok());
    // Without a clock up to the latest time that a goroutine itself has noted: still it waits at least so
    // long.
    let latest = now.or_else(|| waiting.goroutines.iter().map(|g| g.wait_since_ns).max());
    let of_program = waiting.goroutines.iter().filter(|g| !own.contains(&g.goid));
    let mut each: Vec<BlockedGoroutine> = of_program.map(|g| one(g, waiting, (now, latest))).collect();
    each.sort_by_key(|g| g.id);
    BlockedGoroutines {
        total: each.len() as u64,
        each,
        objects: objects::all(waiting, now),
        ..BlockedGoroutines::default()
    }
}

fn one(g: &Blocked, waiting: &Waiting, (now, latest): (Option<i64>, Option<i64>)) -> BlockedGoroutine {
    let waits: Vec<Wait> =
        g.cases.iter().map(|c| Wait { operation: operation(c.operation), object: c.object }).collect();
    // Of several timers among the cases of a `select` the first to fire counts.
    let timer = g.cases.iter().filter_map(|c| waiting.objects.get(c.object? as usize)).filter_map(objects::fires_at);
    let wakes_at = g.wakes_at_ns.or_else(|| timer.min());
    let waited = latest.filter(|_| g.wait_since_ns > 0 && !g.in_bubble);
    let waited = waited.map(|latest| latest.saturating_sub(g.wait_since_ns));
    BlockedGoroutine {
        id: g.goid,
        reason: g.reason.to_owned(),
        waits,
        wakes_in_ns: wakes_at.zip(now).filter(|_| !g.in_bubble).map(|(at, now)| at.saturating_sub(now)),
        waited_ns_at_least: waited.map_or(0, |ns| ns.max(0).unsigned_abs()),
        in_bubble: g.in_bubble,
        go_says_leaked: g.status == Status::Leaked,
        locks_above: g.locks_above.iter().map(ToString::to_string).collect(),
        unlocks_since: g.unlocks_since.iter().map(ToString::to_string).collect(),
        code_was_read: g.code_was_read,
        ..BlockedGoroutine::default()
    }
}

/// As facts have it. These are two lists on purpose: one is what the runtime's structures tell, the other is
/// stored, and keeps its names whatever that one calls them. A new one does not compile until it stands here.
fn operation(operation: Operation) -> WaitOperation {
    match operation {
        Operation::Send => WaitOperation::Send,
        Operation::Receive => WaitOperation::Receive,
        Operation::SendOrReceive => WaitOperation::SendOrReceive,
        Operation::SendNil => WaitOperation::SendNil,
        Operation::ReceiveNil => WaitOperation::ReceiveNil,
        Operation::NoCases => WaitOperation::NoCases,
        Operation::AllNil => WaitOperation::AllNil,
        Operation::Lock => WaitOperation::Lock,
        Operation::ReadLock => WaitOperation::ReadLock,
        Operation::WriteLock => WaitOperation::WriteLock,
        Operation::WaitGroup => WaitOperation::WaitGroup,
        Operation::CondWait => WaitOperation::CondWait,
        Operation::Semaphore => WaitOperation::Semaphore,
        Operation::Sleep => WaitOperation::Sleep,
        Operation::Read => WaitOperation::Read,
        Operation::Write => WaitOperation::Write,
        Operation::ReadOrWrite => WaitOperation::ReadOrWrite,
        Operation::SystemCall => WaitOperation::SystemCall,
        Operation::C => WaitOperation::C,
        Operation::Collector => WaitOperation::Collector,
        Operation::Bubble => WaitOperation::Bubble,
        Operation::Coroutine => WaitOperation::Coroutine,
        Operation::Runtime => WaitOperation::Runtime,
    }
}
