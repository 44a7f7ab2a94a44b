//! Copying the label sets of goroutines.

use super::collector::{Collector, CopySource, Room, Sink};
use super::extent::Extent;
use super::pointed::copy_pointed;
use crate::goroutine::labels;

/// The label sets of goroutines, those that the collector of goroutines came across.
pub(super) struct Labels;

impl Collector for Labels {
    fn name(&self) -> &'static str {
        "label sets"
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
        let at = std::mem::take(&mut into.leads.labels);
        copy_pointed(into, mem, self.name(), &at, |at, visit| labels::extents(rt, mem, at, visit));
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{FLAVOURS, Fixture};
    use super::super::goroutines::Goroutines;
    use super::super::runtime_variables::RuntimeVariables;
    use super::*;
    use crate::goroutine::LabelSalt;

    #[test]
    fn labels_are_in_the_copy() {
        for flavour in FLAVOURS {
            let f = Fixture::whole(flavour);
            let copy = f.copied(&[&RuntimeVariables, &Goroutines, &Labels]);
            assert_eq!(copy.gaps, []);
            let salt = LabelSalt::default();
            let at = f.field(1, f.runtime.layout.g.labels);
            let there = labels::decode(&f.runtime, &copy.snapshot, at, &salt).unwrap();
            assert_eq!(there, labels::decode(&f.runtime, &f.process, at, &salt).unwrap());
            assert_eq!(there.len(), 5);
        }
    }
}
