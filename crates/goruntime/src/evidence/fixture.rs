//! A make-believe process for the tests of collectors.

use lastgasp_inferior::{Addr, Memory, ReadError, Snapshot, ThreadRegisters};
use lastgasp_synth::{Flavour, Goroutine, Process, Site};

use super::Evidence;
use super::collector::{Collector, CopySource};
use super::list;
use super::plan::EvidencePlan;
use crate::runtime::Runtime;

/// The make-believe process of the integration tests, for unit tests too.
#[allow(dead_code, unreachable_pub)]
#[path = "../../tests/synthetic/process.rs"]
mod synthetic;

/// Both kinds of releases.
pub(crate) const FLAVOURS: [Flavour; 2] = [Flavour::Go22, Flavour::Go27];
/// Of its memory.
const PAGE: u64 = 4096;
/// More than any test copies.
const CAP: usize = 96 << 20;

/// A process, its runtime, and where its threads stand.
pub(crate) struct Fixture {
    pub(crate) process: Process,
    pub(crate) runtime: Runtime,
    pub(crate) registers: Vec<ThreadRegisters>,
}

/// Memory in pages: of a real process nothing that stands in one is absent, and of this one there are but the
/// structures themselves. What is between them reads as zeroes.
impl Memory for Fixture {
    fn read(&self, addr: Addr, buf: &mut [u8]) -> Result<(), ReadError> {
        let whole = self.process.read(addr, buf);
        let byte = |at: u64| self.process.u8(Addr(at)).ok();
        let mut at = addr.0;
        while let Some(rest) = buf.get_mut((at - addr.0) as usize..).filter(|b| whole.is_err() && !b.is_empty()) {
            let page = at / PAGE * PAGE;
            if !(page..page + PAGE).any(|a| byte(a).is_some()) {
                return whole;
            }
            for b in rest.iter_mut().take((page + PAGE - at) as usize) {
                *b = byte(at).unwrap_or(0);
                at += 1;
            }
        }
        Ok(())
    }
}

impl Fixture {
    /// Two sites, four goroutines, labels and ancestors.
    pub(crate) fn whole(flavour: Flavour) -> Self {
        Self::of(synthetic::whole(flavour), flavour)
    }

    /// So many goroutines that wait, and one site.
    pub(crate) fn many(goroutines: u64) -> Self {
        let goroutine = |goid| Goroutine { goid, status: 4, wait_reason: 2, stack: vec![0, 1], ..Goroutine::default() };
        let all: Vec<Goroutine> = (1..=goroutines).map(goroutine).collect();
        let functions = &[("runtime.gopark", 40, 16, false, None), ("main.main", 10, 40, true, None)];
        let site = Site { stack: vec![1], size: 64, ..Site::default() };
        let mut process = Process::build(Flavour::Go27, functions, &[site], &all);
        process.with_heap(Flavour::Go27, synthetic::SPANS, synthetic::TYPES);
        Self::of(process, Flavour::Go27)
    }

    /// So many goroutines in a recursion of about so many calls, each `spread` calls deeper than the one
    /// before.
    pub(crate) fn deep(goroutines: u64, calls: usize, spread: usize) -> Self {
        let stack = |i: u64| [vec![0], vec![1; calls + i as usize * spread], vec![2]].concat();
        let goroutine =
            |i| Goroutine { goid: i + 1, status: 4, wait_reason: 2, stack: stack(i), ..Goroutine::default() };
        let all: Vec<Goroutine> = (0..goroutines).map(goroutine).collect();
        let functions = &[
            ("runtime.gopark", 40, 16, false, None),
            ("main.main", 10, 40, false, None),
            ("runtime.goexit", 50, 0, true, None),
        ];
        let site = Site { stack: vec![1], size: 64, ..Site::default() };
        let mut process = Process::build(Flavour::Go27, functions, &[site], &all);
        process.with_heap(Flavour::Go27, synthetic::SPANS, synthetic::TYPES);
        Self::of(process, Flavour::Go27)
    }

    fn of(process: Process, flavour: Flavour) -> Self {
        let runtime = synthetic::runtime(&process, flavour);
        Self { process, runtime, registers: Vec::new() }
    }

    pub(super) fn plan(&self) -> EvidencePlan {
        let mut plan = EvidencePlan::default();
        assert_eq!(plan.update(&self.runtime, self), []);
        plan
    }

    pub(super) fn source<'a>(&'a self, plan: &'a EvidencePlan) -> CopySource<'a> {
        CopySource { runtime: &self.runtime, plan, mem: self, registers: &self.registers }
    }

    /// What these copy into the room that they ask for, which must suffice.
    pub(super) fn copied(&self, collectors: &[&dyn Collector]) -> Evidence {
        self.copied_with(&self.plan(), collectors)
    }

    pub(super) fn copied_with(&self, plan: &EvidencePlan, collectors: &[&dyn Collector]) -> Evidence {
        let source = self.source(plan);
        let room = list::room(collectors, &source, CAP);
        let mut copy = Evidence { snapshot: Snapshot::with_budget(room.bytes, room.pieces), gaps: Vec::new() };
        list::copy(collectors, &source, &mut copy.snapshot, &mut copy.gaps);
        assert_eq!(copy.snapshot.refused(), 0);
        assert!(copy.snapshot.mark() <= room.pieces, "{} pieces in {room:?}", copy.snapshot.mark());
        copy.finish();
        copy
    }

    /// Where the goroutine of that index stands.
    pub(crate) fn goroutine(&self, index: u64) -> Addr {
        let array = self.process.ptr(self.process.at.allgptr).unwrap();
        self.process.ptr(array.plus(index * 8)).unwrap()
    }

    /// A pointer in it.
    pub(crate) fn field(&self, index: u64, offset: u64) -> Addr {
        self.process.ptr(self.goroutine(index).plus(offset)).unwrap()
    }
}
