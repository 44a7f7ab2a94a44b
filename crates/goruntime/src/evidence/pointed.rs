//! Copying what stands behind pointers of goroutines: label sets, lists of ancestors.

use lastgasp_inferior::{Addr, Memory};
use rustc_hash::FxHashSet;

use super::collector::{Collector, CopySource, Leads, Room, Sink};
use super::extent::Extent;
use crate::gap::Gap;
use crate::goroutine::{ancestors, labels};
use crate::ranges::merge;
use crate::runtime::Runtime;

/// Most label sets and ancestor lists that are copied, each: they are found by pointers, one read after the
/// other.
const MAX_POINTED: usize = 1000;

/// Tells of each piece of memory behind such a pointer: where it is, and its bytes.
type Extents = fn(&Runtime, &dyn Memory, Addr, &mut dyn FnMut(Addr, u64));

/// What stands behind one pointer of each goroutine: those that the collector of goroutines came across.
pub(super) struct Pointed {
    name: &'static str,
    leads: fn(&mut Leads) -> &mut FxHashSet<Addr>,
    extents: Extents,
}

/// The label sets of goroutines.
pub(super) static LABELS: Pointed =
    Pointed { name: "label sets", leads: |leads| &mut leads.labels, extents: labels::extents };

/// The lists of ancestors of goroutines (`GODEBUG=tracebackancestors=N`).
pub(super) static ANCESTORS: Pointed =
    Pointed { name: "lists of ancestors", leads: |leads| &mut leads.ancestors, extents: ancestors::extents };

impl Collector for Pointed {
    fn name(&self) -> &'static str {
        self.name
    }

    fn extent(&self) -> Extent {
        Extent::Whole
    }

    /// Some hundred bytes each, and few are different.
    fn room(&self, _: &CopySource<'_>) -> Room {
        Room { bytes: 384 << 10, pieces: 1024 }
    }

    fn copy(&self, from: &CopySource<'_>, into: &mut Sink<'_>) {
        let at = std::mem::take((self.leads)(into.leads));
        copy_pointed(into, from.mem, self.name, &at, |at, visit| (self.extents)(from.runtime, from.mem, at, visit));
    }
}

/// What stands behind pointers of goroutines, `walk` telling its extents.
fn copy_pointed(
    into: &mut Sink<'_>,
    mem: &dyn Memory,
    what: &str,
    at: &FxHashSet<Addr>,
    walk: impl Fn(Addr, &mut dyn FnMut(Addr, u64)),
) {
    let mut sorted: Vec<Addr> = at.iter().copied().collect();
    sorted.sort_unstable();
    if sorted.len() > MAX_POINTED {
        let why = format!("more than {MAX_POINTED}: not copied, so that the target need not stand still for them");
        into.gaps.push(Gap::new(format!("{} {what}", sorted.len() - MAX_POINTED), why));
        sorted.truncate(MAX_POINTED);
    }
    let mut ranges = Vec::new();
    for at in sorted {
        walk(at, &mut |start, len| ranges.extend((len > 0).then_some((start, len as usize))));
    }
    // What could not be copied cannot be decoded, which says so.
    into.snapshot.copy_all(mem, &merge(ranges));
}

#[cfg(test)]
mod tests {
    use lastgasp_inferior::Snapshot;

    use super::super::fixture::{FLAVOURS, Fixture};
    use super::super::goroutines::Goroutines;
    use super::super::runtime_variables::RuntimeVariables;
    use super::*;
    use crate::goroutine::LabelSalt;

    #[test]
    fn so_many_and_no_more() {
        let f = Fixture::many(4000);
        let start = 0xc0_0000_0000;
        let at: FxHashSet<Addr> = (0..MAX_POINTED as u64 + 7).map(|i| Addr(start + i * 8)).collect();
        let mut snapshot = Snapshot::with_budget(1 << 20, 64);
        let (mut gaps, mut leads) = (Vec::new(), Leads::default());
        let mut into = Sink { snapshot: &mut snapshot, gaps: &mut gaps, leads: &mut leads };
        copy_pointed(&mut into, &f.process, "label sets", &at, |at, visit| visit(at, 8));
        let why = "more than 1000: not copied, so that the target need not stand still for them";
        assert_eq!(gaps, [Gap::new("7 label sets", why)]);
        assert_eq!(snapshot.len(), MAX_POINTED * 8);
    }

    #[test]
    fn labels_are_in_the_copy() {
        for flavour in FLAVOURS {
            let f = Fixture::whole(flavour);
            let copy = f.copied(&[&RuntimeVariables, &Goroutines, &LABELS]);
            assert_eq!(copy.gaps, []);
            let salt = LabelSalt::default();
            let at = f.field(1, f.runtime.layout.g.labels);
            let there = labels::decode(&f.runtime, &copy.snapshot, at, &salt).unwrap();
            assert_eq!(there, labels::decode(&f.runtime, &f.process, at, &salt).unwrap());
            assert_eq!(there.len(), 5);
        }
    }

    #[test]
    fn ancestors_are_in_the_copy() {
        for flavour in FLAVOURS {
            let f = Fixture::whole(flavour);
            let copy = f.copied(&[&RuntimeVariables, &Goroutines, &ANCESTORS]);
            assert_eq!(copy.gaps, []);
            let at = f.field(1, f.runtime.layout.g.ancestors);
            let mut extents = Vec::new();
            ancestors::extents(&f.runtime, &f.process, at, &mut |start, len| extents.push((start, len as usize)));
            assert!(extents.len() >= 3, "the list, and the stacks of two: {extents:?}");
            for (start, len) in extents {
                let read = |mem: &dyn Memory| mem.bytes(start, len, 1 << 16).unwrap();
                assert_eq!(read(&copy.snapshot), read(&f.process));
            }
        }
    }
}
