//! Copying the lists of ancestors of goroutines (`GODEBUG=tracebackancestors=N`).

use super::collector::{Collector, CopySource, Room, Sink};
use super::extent::Extent;
use super::pointed::copy_pointed;
use crate::goroutine::ancestors;

/// The lists of ancestors of goroutines (`GODEBUG=tracebackancestors=N`), those that the collector of
/// goroutines came across.
pub(super) struct Ancestors;

impl Collector for Ancestors {
    fn name(&self) -> &'static str {
        "lists of ancestors"
    }

    fn extent(&self) -> Extent {
        Extent::Whole
    }

    /// Some hundred bytes each, and few are different.
    fn room(&self, _: &CopySource<'_>) -> Room {
        Room { bytes: 384 << 10, pieces: 1024 }
    }

    fn copy(&self, from: &CopySource<'_>, into: &mut Sink<'_>) {
        let (rt, mem) = (from.runtime, from.mem);
        let at = std::mem::take(&mut into.leads.ancestors);
        copy_pointed(into, mem, self.name(), &at, |at, visit| ancestors::extents(rt, mem, at, visit));
    }
}

#[cfg(test)]
mod tests {
    use lastgasp_inferior::Memory;

    use super::super::fixture::{FLAVOURS, Fixture};
    use super::super::goroutines::Goroutines;
    use super::super::runtime_variables::RuntimeVariables;
    use super::*;

    #[test]
    fn ancestors_are_in_the_copy() {
        for flavour in FLAVOURS {
            let f = Fixture::whole(flavour);
            let copy = f.copied(&[&RuntimeVariables, &Goroutines, &Ancestors]);
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
