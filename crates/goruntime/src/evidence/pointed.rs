//! Copying what stands behind pointers of goroutines.

use lastgasp_inferior::{Addr, Memory};
use rustc_hash::FxHashSet;

use super::collector::Sink;
use crate::gap::Gap;
use crate::ranges::merge;

/// Most label sets and ancestor lists that are copied, each: they are found by pointers, one read after the
/// other.
pub(super) const MAX_POINTED: usize = 1000;

/// What stands behind pointers of goroutines, `walk` telling its extents.
pub(super) fn copy_pointed(
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

    use super::super::collector::Leads;
    use super::super::fixture::Fixture;
    use super::*;

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
}
