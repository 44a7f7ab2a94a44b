//! Goroutines as they were decoded. Source: `runtime/traceback.go` (`goroutineheader`, `isSystemGoroutine`).

use std::sync::Arc;

use super::ancestors::Ancestor;
use super::calls::{Call, CallSite};
use super::labels::Label;
use super::status::Status;
use super::waits_on::WaitsOn;

/// A goroutine at the moment of the copy: state, calls, creator, labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Goroutine {
    /// `goid`: unique within the process, never given twice.
    pub goid: u64,
    /// State: `atomicstatus`.
    pub status: Status,
    /// Why it waits; empty unless waiting.
    pub wait_reason: &'static str,
    /// About when it began to wait, `nanotime`; 0 if no GC has seen it waiting. The first that does notes the
    /// end of the GC before it (`work.tstart` in `mgcmark.go`), after which the wait began: it is shorter, by
    /// the time between two collections at most.
    pub wait_since_ns: i64,
    /// Creator (from Go 1.21).
    pub parent: u64,
    /// The `go` statement; `None` for the first goroutine.
    pub created_by: Option<Arc<CallSite>>,
    /// Those before its creator, if the program keeps them.
    pub ancestors: Arc<[Ancestor]>,
    /// Name of its first function.
    pub start_function: Arc<String>,
    /// Its calls, innermost first. Goroutines that do the same share one list.
    pub stack: Arc<[Call]>,
    /// Why the stack ends early.
    pub cut: Option<String>,
    /// Whether the stack was reconstructed without registers.
    pub approximate: bool,
    /// Why registers did not tell where it stood, if it is approximate or has no stack at all.
    pub no_registers: Option<String>,
    /// Whether its stack was left out of the copy, there being too many: `stack` is then that of another that
    /// stopped at the same instruction.
    pub left_out: bool,
    /// Whether it is locked to its thread.
    pub locked: bool,
    /// Profiler labels, by key.
    pub labels: Arc<[Label]>,
    /// Size of its stack in bytes.
    pub stack_bytes: u64,
    /// Bytes of it that are in use; 0 of one that runs, and it is not known how far.
    pub stack_used: u64,
    /// What it waits on.
    pub waits_on: WaitsOn,
    /// How deep its stack is.
    pub depth: Depth,
}

/// Number of calls on a stack.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Depth {
    /// Calls, those that the compiler made left out; 0 if nothing is known.
    pub calls: u64,
    /// Whether not all of them were seen: the rest of the stack that is in use is taken to have calls of the
    /// same size.
    pub estimated: bool,
}

/// Calls of a stack, without those that the compiler made and where every stack begins.
pub(crate) fn depth_of(stack: &[Call]) -> usize {
    stack.iter().filter(|c| !c.elided && c.frame.function != "runtime.goexit").count()
}

impl Depth {
    /// Of a stack of which `seen` calls took `walked` of the `used` bytes; `whole` says that there are no
    /// more.
    pub(crate) fn of(seen: usize, walked: u64, used: u64, whole: bool) -> Self {
        let seen = seen as u64;
        if whole || walked == 0 {
            return Self { calls: seen, estimated: !whole && seen > 0 };
        }
        let calls = u128::from(seen) * u128::from(used) / u128::from(walked);
        Self { calls: seen.max(u64::try_from(calls).unwrap_or(u64::MAX)), estimated: true }
    }
}

impl Goroutine {
    /// Its calls as a profile shows them: without those that the compiler made.
    pub fn calls(&self) -> impl Iterator<Item = &Call> {
        self.stack.iter().filter(|c| !c.elided)
    }
}

/// All goroutines of a moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Goroutines {
    /// Those that are there, in the runtime's own order.
    pub live: Vec<Goroutine>,
    /// Slots of goroutines that have ended, free for the next: as many as there were more at the peak.
    pub dead: u64,
    /// Slots kept for threads of C.
    pub extra_threads: u64,
    /// Slots that could not be read, of which it is not known what they are: of a million goroutines only
    /// some are copied.
    pub unread: u64,
}

/// Whether the runtime counts it as one of its own (`isSystemGoroutine`): hidden in Go's own listings.
#[must_use]
pub fn is_system(g: &Goroutine) -> bool {
    let start = g.start_function.as_str();
    // The finalizer and cleanup goroutines are the user's while they run the user's code.
    if matches!(start, "runtime.runfinq" | "runtime.runFinalizers" | "runtime.runCleanups") {
        return g.stack.iter().all(|f| f.frame.function.starts_with("runtime."));
    }
    is_system_start(start)
}

/// Whether goroutines that begin with this function are the runtime's own, whatever they do now.
pub(crate) fn is_system_start(start: &str) -> bool {
    let users = ["runtime.main", "runtime.handleAsyncEvent", "runtime.rt0_go", "runtime.corostart"];
    start.starts_with("runtime.") && !users.contains(&start)
}
