//! Copying threads, goroutines, their stacks, labels and ancestors.

use lastgasp_inferior::{Addr, AddrRange, Memory, ThreadRegisters};
use rustc_hash::FxHashSet;

use super::{Evidence, merge};
use crate::bounds::{RECONSTRUCT_WINDOW, STACK_BOUND, STACKS_BOUND};
use crate::gap::Gap;
use crate::goroutine::crowd::{Candidate, choose};
use crate::goroutine::g::{self, RawG, m_extent, pointers, sorted, stack_of};
use crate::goroutine::unwind::{Standing, standings};
use crate::goroutine::{ancestors, labels};
use crate::runtime::Runtime;

/// Most of a thread's own stack (`g0`, `gsignal`) that is copied.
const THREAD_STACK_BOUND: u64 = 32 << 10;
/// Most label sets and ancestor lists that are copied, each: they are found by pointers, one read after the other.
const MAX_POINTED: usize = 1000;

impl Evidence {
    pub(super) fn copy_threads(&mut self, rt: &Runtime, mem: &dyn Memory, registers: &[ThreadRegisters]) {
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
        self.snapshot.copy_all(mem, &at);
        let mut sorted: Vec<(u64, Standing)> =
            standings(&threads, registers, &|g| stack_of(rt, mem, g)).into_iter().collect();
        sorted.retain(|(_, s)| !s.m.curg.is_null());
        sorted.sort_unstable_by_key(|(m, _)| *m);
        for (_, s) in sorted {
            self.copy_stacks_of(rt, mem, &s);
        }
    }

    /// The stacks that a thread which works for a goroutine stands on.
    fn copy_stacks_of(&mut self, rt: &Runtime, mem: &dyn Memory, s: &Standing) {
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
            self.snapshot.copy(mem, Addr(low), (own.end.0 - low).min(STACK_BOUND) as usize);
        }
        for sp in [s.sp, s.m.vdso_sp].into_iter().filter(|sp| !sp.is_null() && !own.contains(*sp)) {
            match [s.m.g0, s.m.gsignal].into_iter().find(|stack| stack.contains(sp)) {
                Some(stack) => {
                    let len = (stack.end.0 - sp.0).min(THREAD_STACK_BOUND) as usize;
                    // The runtime guesses where the stack of the first thread ends, and of those that C made.
                    if !self.snapshot.copy(mem, sp, len) {
                        self.copy_pages(mem, AddrRange::sized(sp, len as u64));
                    }
                }
                None => self.copy_pages(mem, AddrRange::sized(sp, THREAD_STACK_BOUND)),
            }
            // Interrupted in a handler, it may stand on g0 below.
            if s.m.gsignal.contains(sp) && !s.m.g0.is_empty() {
                let start = s.m.g0.start.0.max(s.m.g0.end.0.saturating_sub(THREAD_STACK_BOUND));
                self.copy_pages(mem, AddrRange { start: Addr(start), end: s.m.g0.end });
            }
        }
    }

    /// As much of a range as can be read, page by page from its start.
    fn copy_pages(&mut self, mem: &dyn Memory, range: AddrRange) {
        const PAGE: u64 = 4096;
        let mut at = range.start.0;
        while at < range.end.0 {
            let next = (at / PAGE + 1).saturating_mul(PAGE).min(range.end.0);
            self.snapshot.copy(mem, Addr(at), (next - at) as usize);
            at = next;
        }
    }

    pub(super) fn copy_goroutines(&mut self, rt: &Runtime, mem: &dyn Memory) {
        let (array, pointers) = pointers(rt, mem, &mut self.gaps);
        self.snapshot.copy(mem, array.start, array.len() as usize);
        let size = rt.layout.g.sizeof as usize;
        // Decoding says what is left out here.
        let sorted = sorted(pointers, rt.layout.g.sizeof);
        let gs = merge(sorted.iter().map(|a| (*a, size)).collect());
        let mark = self.snapshot.mark();
        let mut failed = self.snapshot.copy_all(mem, &gs);
        let mut stacks = Vec::with_capacity(sorted.len());
        let (mut labelled, mut descended) = (FxHashSet::default(), FxHashSet::default());
        // What was just copied tells where the stacks stand. Both lists are sorted by address.
        let mut next = sorted.iter().peekable();
        for (start, bytes) in self.snapshot.pieces_since(mark) {
            while let Some(at) = next.peek().copied().copied().filter(|a| a.0 < start.0 + bytes.len() as u64) {
                next.next();
                let skip = at.0.saturating_sub(start.0) as usize;
                let Some(raw) = bytes.get(skip..skip + size).and_then(|b| RawG::parse(rt, b)) else { continue };
                let bound = if raw.resume().is_some() { STACK_BOUND } else { RECONSTRUCT_WINDOW };
                if let Some(used) = raw.used_stack(bound) {
                    stacks.push(Candidate { kind: raw.kind(), start: used.start, len: used.len() as usize });
                    labelled.extend(Some(raw.labels).filter(|a| !a.is_null()));
                    descended.extend(Some(raw.ancestors).filter(|a| !a.is_null()));
                }
            }
        }
        failed += self.snapshot.copy_all(mem, &choose(&stacks, STACKS_BOUND));
        if failed > 0 {
            self.gaps.push(Gap::new("goroutines", format!("{failed} pieces could not be read")));
        }
        self.copy_pointed(mem, "label sets", labelled, |at, visit| labels::extents(rt, mem, at, visit));
        self.copy_pointed(mem, "lists of ancestors", descended, |at, visit| ancestors::extents(rt, mem, at, visit));
    }

    /// What stands behind pointers of goroutines, `walk` telling its extents.
    fn copy_pointed(
        &mut self,
        mem: &dyn Memory,
        what: &str,
        at: FxHashSet<Addr>,
        walk: impl Fn(Addr, &mut dyn FnMut(Addr, u64)),
    ) {
        let mut sorted: Vec<Addr> = at.into_iter().collect();
        sorted.sort_unstable();
        if sorted.len() > MAX_POINTED {
            let why = format!("more than {MAX_POINTED}: not copied, so that the target need not stand still for them");
            self.gaps.push(Gap::new(format!("{} {what}", sorted.len() - MAX_POINTED), why));
            sorted.truncate(MAX_POINTED);
        }
        let mut ranges = Vec::new();
        for at in sorted {
            walk(at, &mut |start, len| ranges.extend((len > 0).then_some((start, len as usize))));
        }
        // What could not be copied cannot be decoded, which says so.
        self.snapshot.copy_all(mem, &merge(ranges));
    }
}
