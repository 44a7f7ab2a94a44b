//! Copying threads and the stacks that they stand on.

use lastgasp_inferior::{Addr, AddrRange, Memory, ThreadRegisters};

use super::sink::Sink;
use crate::bounds::STACK_BOUND;
use crate::goroutine::g::{self, RawG, m_extent, stack_of};
use crate::goroutine::thread_state::{ThreadState, thread_states};
use crate::runtime::Runtime;

/// Most of a thread's own stack (`g0`, `gsignal`) that is copied.
const THREAD_STACK_BOUND: u64 = 32 << 10;

/// All threads, and the stacks of those that work for a goroutine.
pub(super) fn copy_threads(into: &mut Sink<'_>, rt: &Runtime, mem: &dyn Memory, registers: &[ThreadRegisters]) {
    let len = m_extent(rt);
    let mut at = Vec::new();
    let threads = g::threads(rt, mem, &mut |m| at.push((m, len)));
    // The bounds of the stacks of threads that work for a goroutine.
    for m in at.clone() {
        if threads.get(&m.0.0).is_some_and(|t| !t.curg.is_null()) {
            for offset in [rt.layout.m.g0, rt.layout.m.gsignal] {
                at.extend(mem.ptr(m.0.plus(offset)).ok().filter(|g| !g.is_null()).map(|g| (g, 16)));
            }
        }
    }
    into.snapshot.copy_all(mem, &at);
    let mut sorted: Vec<(u64, ThreadState)> =
        thread_states(&threads, registers, &|g| stack_of(rt, mem, g)).into_iter().collect();
    sorted.retain(|(_, s)| !s.m.curg.is_null());
    sorted.sort_unstable_by_key(|(m, _)| *m);
    for (_, s) in sorted {
        copy_stacks_of(into, rt, mem, &s);
    }
}

/// The stacks that a thread which works for a goroutine stands on.
fn copy_stacks_of(into: &mut Sink<'_>, rt: &Runtime, mem: &dyn Memory, s: &ThreadState) {
    let Some(raw) = mem
        .bytes(s.m.curg, rt.layout.g.sizeof as usize, 1 << 12)
        .ok()
        .and_then(|b| RawG::parse(rt, &b))
        .filter(|g| g.status().is_some() && g.resume().is_none())
    else {
        return;
    };
    let own = raw.stack;
    // Its innermost frame is at one of these; unless a signal handler hides it.
    let noted = [s.sp, s.m.vdso_sp, raw.sched_sp].into_iter().filter(|sp| own.contains(*sp)).min();
    let hidden = !own.contains(s.sp) && s.m.gsignal.contains(s.sp);
    let low = match noted {
        Some(sp) if !hidden => sp.0,
        _ => own.start.0.max(own.end.0.saturating_sub(STACK_BOUND)),
    };
    if own.start.0 <= low && low < own.end.0 {
        into.snapshot.copy(mem, Addr(low), (own.end.0 - low).min(STACK_BOUND) as usize);
    }
    for sp in [s.sp, s.m.vdso_sp].into_iter().filter(|sp| !sp.is_null() && !own.contains(*sp)) {
        match [s.m.g0, s.m.gsignal].into_iter().find(|stack| stack.contains(sp)) {
            Some(stack) => {
                let len = (stack.end.0 - sp.0).min(THREAD_STACK_BOUND) as usize;
                // The runtime guesses where the stack of the first thread ends, and of those that C made.
                if !into.snapshot.copy(mem, sp, len) {
                    copy_pages(into, mem, AddrRange::sized(sp, len as u64));
                }
            }
            None => copy_pages(into, mem, AddrRange::sized(sp, THREAD_STACK_BOUND)),
        }
        // Interrupted in a handler, it may stand on g0 below.
        if s.m.gsignal.contains(sp) && !s.m.g0.is_empty() {
            let start = s.m.g0.start.0.max(s.m.g0.end.0.saturating_sub(THREAD_STACK_BOUND));
            copy_pages(into, mem, AddrRange { start: Addr(start), end: s.m.g0.end });
        }
    }
}

/// As much of a range as can be read, page by page from its start.
fn copy_pages(into: &mut Sink<'_>, mem: &dyn Memory, range: AddrRange) {
    /// The smallest that any kernel has; larger ones are multiples.
    const PAGE: u64 = 4096;
    let mut at = range.start.0;
    while at < range.end.0 {
        let next = (at / PAGE + 1).saturating_mul(PAGE).min(range.end.0);
        into.snapshot.copy(mem, Addr(at), (next - at) as usize);
        at = next;
    }
}
