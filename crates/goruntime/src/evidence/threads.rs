//! Copying threads and the stacks that they stand on.

use lastgasp_inferior::{Addr, AddrRange, Memory};

use super::collector::{Collector, CopySource, Room, Sink};
use super::extent::Extent;
use crate::bounds::STACK_BOUND;
use crate::goroutine::g::{self, RawG, m_extent, stack_of};
use crate::goroutine::thread_state::{ThreadState, thread_states};
use crate::runtime::Runtime;

/// Most of a thread's own stack (`g0`, `gsignal`) that is copied.
const THREAD_STACK_BOUND: u64 = 32 << 10;

/// All threads, and the stacks of those that work for a goroutine.
pub(super) struct Threads;

impl Collector for Threads {
    fn name(&self) -> &'static str {
        "threads"
    }

    fn extent(&self) -> Extent {
        Extent::Whole
    }

    /// A `m` has some hundred bytes; of the stacks that threads stand on, those of goroutines are counted
    /// with the goroutines'.
    fn room(&self, _: &CopySource<'_>) -> Room {
        Room { bytes: 1 << 20, pieces: 1024 }
    }

    /// What could not be copied here cannot be decoded, which says so.
    fn copy(&self, from: &CopySource<'_>, into: &mut Sink<'_>) {
        let (rt, mem) = (from.runtime, from.mem);
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
            thread_states(&threads, from.registers, &|g| stack_of(rt, mem, g)).into_iter().collect();
        sorted.retain(|(_, s)| !s.m.curg.is_null());
        sorted.sort_unstable_by_key(|(m, _)| *m);
        for (_, s) in sorted {
            copy_stacks_of(into, rt, mem, &s);
        }
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

#[cfg(test)]
mod tests {
    use lastgasp_inferior::ThreadRegisters;
    use lastgasp_synth::return_address;

    use super::super::fixture::{FLAVOURS, Fixture};
    use super::*;

    /// The make-believe process has one thread; made to run the second goroutine, it stands on its stack.
    fn running(flavour: lastgasp_synth::Flavour) -> (Fixture, AddrRange) {
        let mut f = Fixture::whole(flavour);
        let (g, layout) = (f.goroutine(1), f.runtime.layout);
        let m = f.process.ptr(f.process.at.allm).unwrap();
        f.process.overwrite(m.plus(layout.m.curg), g.0);
        f.process.overwrite(g.plus(layout.g.atomicstatus), 2);
        let bound = |offset| f.process.ptr(g.plus(offset)).unwrap();
        let stack = AddrRange { start: bound(layout.g.stack_lo), end: bound(layout.g.stack_hi) };
        (f, stack)
    }

    #[test]
    fn threads_are_in_the_copy_and_the_stack_that_one_stands_on() {
        for flavour in FLAVOURS {
            let (mut f, stack) = running(flavour);
            let sp = Addr(stack.end.0 - 512);
            f.registers = vec![ThreadRegisters::at(4711, sp, return_address(1))];
            let copy = f.copied(&[&super::super::runtime_variables::RuntimeVariables, &Threads]);
            assert_eq!(copy.gaps, []);
            let found = g::threads(&f.runtime, &copy.snapshot, &mut |_| {});
            assert_eq!(found.values().map(|m| m.tid).collect::<Vec<_>>(), [4711]);
            assert!(copy.snapshot.bytes(sp, 512, 4096).is_ok());
            assert!(copy.snapshot.u64(Addr(sp.0 - 8)).is_err(), "below the stack pointer there is nothing");
        }
    }

    #[test]
    fn a_thread_that_nobody_stopped_has_no_stack_here() {
        let (f, stack) = running(FLAVOURS[0]);
        let copy = f.copied(&[&Threads]);
        assert!(copy.snapshot.u64(Addr(stack.end.0 - 8)).is_err());
    }
}
