//! Copying goroutines and their stacks.

use super::collector::{Collector, CopySource, Room, Sink};
use super::extent::Extent;
use crate::bounds::{MAX_GOROUTINES, RECONSTRUCT_WINDOW, STACK_BOUND, STACKS_BOUND};
use crate::gap::Gap;
use crate::goroutine::g::{RawG, pointers, sorted};
use crate::goroutine::stack_sampling::{Candidate, choose};
use crate::heap::memstats::MemStats;
use crate::ranges::merge;

/// All goroutines with their stacks, as many of those as [`STACKS_BOUND`] allows. Their labels and ancestors
/// are leads for those that come after.
pub(super) struct Goroutines;

impl Collector for Goroutines {
    fn name(&self) -> &'static str {
        "goroutines"
    }

    fn extent(&self) -> Extent {
        Extent::Whole
    }

    /// Half as many goroutines again as there are now, since a dying service has more of them in a moment.
    /// Not more: to touch 12 MB took 7 to 20 ms, and small services that grow fast were dead before the copy.
    fn room(&self, of: &CopySource<'_>) -> Room {
        let stats = MemStats::read(of.runtime, of.mem).ok();
        let now = stats.map_or(0, |g| g.goroutine_slots).min(MAX_GOROUTINES).max(of.plan.goroutines);
        let slots = now.saturating_mul(3) / 2 + 1000;
        let goroutines = slots.saturating_mul(of.runtime.layout.g.sizeof + 8) as usize;
        // Few goroutines may have deep stacks.
        let deep = stats.map_or(0, |g| g.stacks.min(STACKS_BOUND as u64)) as usize;
        let stacks = ((now as usize + 300) * 2 * 3072).max(deep).min(STACKS_BOUND);
        Room { bytes: goroutines + stacks, pieces: (of.plan.goroutines as usize + 1000) * 4 }
    }

    fn copy(&self, from: &CopySource<'_>, into: &mut Sink<'_>) {
        let (rt, mem) = (from.runtime, from.mem);
        let (array, pointers) = pointers(rt, mem, into.gaps);
        into.snapshot.copy(mem, array.start, array.len() as usize);
        let size = rt.layout.g.sizeof as usize;
        // To sort a million, to join their places and to choose among their stacks takes tens of milliseconds
        // each, in which the target stands still: who has no time to read has none for that either (seen: 262
        // ms in a strike, of a program of a million goroutines).
        let no_time = |into: &mut Sink<'_>, left: &str| {
            let late = mem.is_late();
            if late {
                into.gaps.push(Gap::new(self.name(), format!("there was no time for {left}")));
            }
            late
        };
        if no_time(into, "any of them") {
            return;
        }
        // Decoding says what is left out here.
        let sorted = sorted(pointers, rt.layout.g.sizeof);
        let gs = merge(sorted.iter().map(|a| (*a, size)).collect());
        if no_time(into, "any of them") {
            return;
        }
        let mark = into.snapshot.mark();
        let mut failed = into.snapshot.copy_all(mem, &gs);
        let mut stacks = Vec::with_capacity(sorted.len());
        // What was just copied tells where the stacks stand. Both lists are sorted by address.
        let mut next = sorted.iter().peekable();
        for (n, (start, bytes)) in into.snapshot.pieces_since(mark).enumerate() {
            // A piece is 64 kB at most.
            if n % 64 == 0 && mem.is_late() {
                break;
            }
            while let Some(at) = next.peek().copied().copied().filter(|a| a.0 < start.0 + bytes.len() as u64) {
                next.next();
                let skip = at.0.saturating_sub(start.0) as usize;
                let Some(raw) = bytes.get(skip..skip + size).and_then(|b| RawG::parse(rt, b)) else { continue };
                let bound = if raw.resume().is_some() { STACK_BOUND } else { RECONSTRUCT_WINDOW };
                if let Some(used) = raw.used_stack(bound) {
                    stacks.push(Candidate { kind: raw.kind(), start: used.start, len: used.len() as usize });
                    into.leads.labels.extend(Some(raw.labels).filter(|a| !a.is_null()));
                    into.leads.ancestors.extend(Some(raw.ancestors).filter(|a| !a.is_null()));
                }
            }
        }
        if no_time(into, "their stacks") {
            return;
        }
        failed += into.snapshot.copy_all(mem, &choose(&stacks, STACKS_BOUND));
        if failed > 0 {
            into.gaps.push(Gap::new(self.name(), format!("{failed} pieces could not be read")));
        }
    }
}

#[cfg(test)]
mod tests {
    use lastgasp_inferior::{Addr, Memory, ReadCause, ReadError, Snapshot};

    use super::super::fixture::{FLAVOURS, Fixture};
    use super::super::runtime_variables::RuntimeVariables;
    use super::super::{Evidence, list};
    use super::*;
    use crate::binary::pclntab::Symbolizer;
    use crate::goroutine::decode_goroutines;

    #[test]
    fn goroutines_are_in_the_copy_with_their_stacks() {
        for flavour in FLAVOURS {
            let f = Fixture::whole(flavour);
            let copy = f.copied(&[&RuntimeVariables, &Goroutines]);
            assert_eq!(copy.gaps, []);
            let symbols = Symbolizer::new(&f.process, &f.runtime.module, f.runtime.layout);
            let read = |mem| decode_goroutines(&f.runtime, mem, &symbols, &[], &mut Vec::new());
            let names = |all: Vec<crate::Goroutine>| -> Vec<(u64, Vec<String>)> {
                let functions = |g: &crate::Goroutine| g.stack.iter().map(|c| c.frame.function.clone()).collect();
                all.iter().map(|g| (g.goid, functions(g))).collect()
            };
            let there = names(read(&copy.snapshot));
            assert_eq!(there, names(read(&f.process)));
            assert_eq!(there.len(), 3);
        }
    }

    /// A recursion of 258 goroutines with 672 MB of stacks was "258 x sleep: ?".
    #[test]
    fn deep_stacks_are_one_kind_at_any_depth() {
        /// `main.main` (40 bytes) calls itself; `runtime.gopark` is the innermost.
        const FRAME: u64 = 48;
        // All of them in part, or some of them: goroutines, calls, and how much deeper each is.
        for (n, calls, spread) in [(100, 6000, 0), (100, 6000, 3), (300, 2000, 1)] {
            let f = Fixture::deep(n, calls, spread);
            let plan = f.plan();
            let mut copy = Evidence { snapshot: Snapshot::with_budget(STACKS_BOUND * 2, 4096), gaps: Vec::new() };
            let collectors: &[&dyn Collector] = &[&RuntimeVariables, &Goroutines];
            list::copy(collectors, &f.source(&plan), &mut copy.snapshot, &mut copy.gaps);
            copy.finish();
            assert_eq!(copy.gaps, []);
            assert!(copy.snapshot.len() < STACKS_BOUND + (1 << 20), "{}", copy.snapshot.len());
            let symbols = Symbolizer::new(&f.process, &f.runtime.module, f.runtime.layout);
            let mut gaps = Vec::new();
            let all = decode_goroutines(&f.runtime, &copy.snapshot, &symbols, &[], &mut gaps);
            assert_eq!(all.len() as u64, n);
            for (i, g) in all.iter().enumerate() {
                let names: Vec<_> = g.stack.iter().take(600).map(|c| c.frame.function.as_str()).collect();
                assert_eq!((names.len(), names[0]), (600, "runtime.gopark"), "{:?}", g.cut);
                assert!(names[1..].iter().all(|n| *n == "main.main"));
                let depth = (1 + calls + i * spread) as u64;
                assert!(g.depth.calls.abs_diff(depth) <= depth / 100, "{:?} {depth}", g.depth);
                assert_eq!(g.depth.estimated, g.left_out || g.cut.is_some());
            }
            let longest = all.iter().map(|g| g.stack.len() as u64).max();
            let most = (STACK_BOUND / FRAME).min(calls as u64);
            assert!(longest.is_some_and(|l| l >= most - 1), "one goes as far as any: {longest:?}");
            let left_out = all.iter().filter(|g| g.left_out).count();
            assert_eq!(left_out > 0, n > 256, "{left_out}");
            let cut = gaps.last().unwrap();
            assert!(cut.what.ends_with(" goroutines' outermost calls"), "{gaps:?}");
            assert_eq!(cut.why, "deeper than what is copied of one stack");
        }
    }

    #[test]
    fn a_list_that_makes_no_sense_is_a_gap() {
        let mut f = Fixture::whole(FLAVOURS[0]);
        f.process.overwrite(f.process.at.allglen, u64::MAX);
        let copy = f.copied_with(&super::super::plan::EvidencePlan::default(), &[&Goroutines]);
        assert_eq!(copy.gaps, [Gap::new("goroutines", format!("allglen says {}", u64::MAX))]);
    }

    /// Memory that gives nothing any more after so many questions, as at the end of a stop's time.
    struct Late<'a> {
        of: &'a Fixture,
        left: std::cell::Cell<u32>,
    }

    impl Memory for Late<'_> {
        fn read(&self, addr: Addr, buf: &mut [u8]) -> Result<(), ReadError> {
            if self.is_late() {
                return Err(ReadError { addr, len: buf.len(), cause: ReadCause::TooLate });
            }
            self.left.set(self.left.get() - 1);
            self.of.read(addr, buf)
        }

        fn is_late(&self) -> bool {
            self.left.get() == 0
        }
    }

    /// Whenever the time is over, what is not there is said, and who would only sort and choose leaves off.
    #[test]
    fn who_has_no_time_leaves_off_at_once() {
        let f = Fixture::many(3000);
        let plan = f.plan();
        let copy = |left: u32| {
            let late = Late { of: &f, left: left.into() };
            let source = CopySource { mem: &late, ..f.source(&plan) };
            let snapshot = Snapshot::with_untouched_budget(64 << 20, 1 << 14);
            let mut copy = Evidence { snapshot, gaps: Vec::new() };
            list::copy(&[&Goroutines], &source, &mut copy.snapshot, &mut copy.gaps);
            (copy.gaps, left - late.left.get())
        };
        let (gaps, all) = copy(u32::MAX);
        assert_eq!(gaps, []);
        let mut said = std::collections::BTreeSet::new();
        for left in (0..all).step_by(6) {
            let (gaps, _) = copy(left);
            assert!(!gaps.is_empty(), "{left} of {all}");
            said.extend(gaps.into_iter().map(|gap| gap.why));
        }
        for what in ["any of them", "their stacks"] {
            assert!(said.contains(&format!("there was no time for {what}")), "{said:?}");
        }
    }

    #[test]
    fn an_absent_goroutine_is_counted_and_the_others_are_there() {
        let mut f = Fixture::whole(FLAVOURS[0]);
        let array = f.process.at.allgptr;
        let array = Memory::ptr(&f.process, array).unwrap();
        f.process.overwrite(array.plus(8), 0x5000);
        let copy = f.copied(&[&RuntimeVariables, &Goroutines]);
        assert_eq!(copy.gaps, [Gap::new("goroutines", "1 pieces could not be read")]);
        let first = f.goroutine(0);
        assert!(Memory::u64(&copy.snapshot, Addr(first.0)).is_ok());
    }
}
