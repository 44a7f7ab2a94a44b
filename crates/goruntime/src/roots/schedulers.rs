//! What threads hold that run no goroutine: those of the scheduler, which may be about to wake one. A timer that
//! has fired is in no heap of timers any more, and a `sudog` that was taken out of its queue in none, while
//! the thread's own stack leads to both. Source: `runtime/proc.go` (`schedule`, `findRunnable`, `checkTimers`).
//!
//! The collector need not look there, for it begins when no thread is at that point; a process that is stopped
//! from outside is anywhere. Every word is taken for a pointer. Threads that sleep in the kernel hold nothing.

use lastgasp_inferior::{Addr, AddrRange, Memory, ThreadRegisters};

use crate::binary::pclntab::Symbolizer;
use crate::goroutine::g::{RawM, stack_of, threads};
use crate::goroutine::thread_state::thread_states;
use crate::runtime::Runtime;

/// Bytes of a thread's own stack that are looked through, from its top.
const MOST: u64 = 64 << 10;
/// Where threads without work sleep: in a futex, or for the poller.
const ASLEEP: [&str; 4] = ["runtime.futex", "runtime.epollwait", "runtime.epollpwait", "syscall.Syscall6"];

/// Calls `visit` for every word that threads which run no goroutine hold.
pub fn scheduler_words(
    rt: &Runtime,
    mem: &dyn Memory,
    symbols: &Symbolizer<'_>,
    registers: &[ThreadRegisters],
    mut visit: impl FnMut(Addr),
) {
    let mut all = threads(rt, mem, &mut |_| {});
    all.retain(|_, m| m.curg.is_null());
    for (at, m) in &mut all {
        let g0 = mem.ptr(Addr(*at).plus(rt.layout.m.g0)).ok().and_then(|g0| stack_of(rt, mem, g0));
        *m = RawM { g0: g0.unwrap_or_default(), ..*m };
    }
    let states = thread_states(&all, registers, &|_| None);
    for (at, m) in &all {
        let state = states.get(at);
        let name = state.and_then(|s| symbols.function_name(s.pc)).unwrap_or_default();
        if ASLEEP.iter().any(|asleep| name.ends_with(asleep)) {
            continue;
        }
        for word in state.and_then(|s| s.general).into_iter().flatten() {
            visit(Addr(word));
        }
        let sp = state.map(|s| s.sp).filter(|sp| m.g0.contains(*sp)).unwrap_or(m.g0.start);
        words(mem, AddrRange { start: sp.max(Addr(m.g0.end.0.saturating_sub(MOST))), end: m.g0.end }, &mut visit);
    }
}

fn words(mem: &dyn Memory, range: AddrRange, visit: &mut impl FnMut(Addr)) {
    /// Bytes that are read at once: what lies below a stack may not be there.
    const PIECE: u64 = 4096;
    let mut at = Addr(range.start.0.next_multiple_of(8));
    while at < range.end {
        let len = (range.end.0 - at.0).min(PIECE - at.0 % PIECE);
        if let Ok(bytes) = mem.bytes(at, len as usize, PIECE as usize) {
            for word in bytes.chunks_exact(8) {
                visit(Addr(word.try_into().map_or(0, u64::from_le_bytes)));
            }
        }
        at = at.plus(len);
    }
}
