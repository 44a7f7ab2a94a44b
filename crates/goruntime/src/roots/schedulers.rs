//! What threads hold that run no goroutine: those of the scheduler, which may be about to wake one. A timer
//! that has fired is in no heap of timers any more, and a `sudog` that was taken out of its queue in none,
//! while the thread's own stack leads to both. Source: `runtime/proc.go` (`schedule`, `findRunnable`,
//! `checkTimers`).
//!
//! The collector need not look there, for it begins when no thread is at that point; a process that is
//! stopped from outside is anywhere.

use lastgasp_inferior::{Addr, Memory, ThreadRegisters};

use super::system_stacks::SystemStacks;
use crate::binary::pclntab::Symbolizer;
use crate::goroutine::g::{RawM, stack_of, threads};
use crate::goroutine::thread_state::thread_states;
use crate::runtime::Runtime;

/// Calls `visit` for every word that threads which run no goroutine hold.
pub fn scheduler_words(
    rt: &Runtime,
    mem: &dyn Memory,
    symbols: &Symbolizer<'_>,
    registers: &[ThreadRegisters],
    mut visit: impl FnMut(Addr),
) {
    let mut idle: Vec<(u64, RawM)> =
        threads(rt, mem, &mut |_| {}).into_iter().filter(|(_, m)| m.curg.is_null()).collect();
    idle.sort_unstable_by_key(|(at, _)| *at);
    for (at, m) in &mut idle {
        let g0 = mem.ptr(Addr(*at).plus(rt.layout.m.g0)).ok().and_then(|g0| stack_of(rt, mem, g0));
        *m = RawM { g0: g0.unwrap_or_default(), ..*m };
    }
    let states = thread_states(&idle.iter().copied().collect(), registers, &|_| None);
    let mut stacks = SystemStacks::new(rt, mem, symbols);
    for (at, m) in &idle {
        match states.get(at) {
            Some(thread) => stacks.held(thread).into_iter().for_each(&mut visit),
            None => stacks.all(m.g0).into_iter().for_each(&mut visit),
        }
    }
}
