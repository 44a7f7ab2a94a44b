//! Copying the buckets of the memory profile.

use super::collector::{Collector, CopySource, Room, Sink};
use super::extent::Extent;
use crate::bounds::MAX_BUCKETS;
use crate::gap::Gap;
use crate::profile_bucket::bucket_extent;

/// The buckets of the memory profile: those of the plan, and those that were added since.
pub(super) struct MemoryProfile;

impl Collector for MemoryProfile {
    fn name(&self) -> &'static str {
        "memory profile"
    }

    fn extent(&self) -> Extent {
        Extent::Profile
    }

    /// What is known, and a quarter more: a dying service takes roads that it never took.
    fn room(&self, of: &CopySource<'_>) -> Room {
        let buckets: usize = of.plan.ranges.iter().map(|(_, len)| *len).sum();
        Room { bytes: buckets + buckets / 4 + (192 << 10), pieces: of.plan.ranges.len() * 2 + 1008 }
    }

    fn copy(&self, from: &CopySource<'_>, into: &mut Sink<'_>) {
        let mut failed = into.snapshot.copy_all(from.mem, &from.plan.ranges);
        // Sites that appeared since the plan was made: few, read one by one until the list reaches what is
        // known.
        let mut at = from.mem.ptr(from.runtime.globals.mbuckets).unwrap_or_default();
        let mut seen = 0;
        while !at.is_null() && !from.plan.known.contains(&at) && seen < MAX_BUCKETS {
            seen += 1;
            match bucket_extent(from.runtime, from.mem, at) {
                Ok((next, len)) => {
                    failed += usize::from(!into.snapshot.copy(from.mem, at, len));
                    at = next;
                }
                Err(e) => {
                    into.gaps.push(Gap::new(self.name(), e));
                    break;
                }
            }
        }
        if failed > 0 {
            into.gaps.push(Gap::new(self.name(), format!("{failed} pieces could not be read")));
        }
    }
}

#[cfg(test)]
mod tests {
    use lastgasp_inferior::{Addr, Memory as _};

    use super::super::fixture::{FLAVOURS, Fixture};
    use super::super::plan::EvidencePlan;
    use super::super::runtime_variables::RuntimeVariables;
    use super::*;
    use crate::heap::memprofile::decode_profile;

    /// Known before or not: every bucket is in the copy.
    #[test]
    fn buckets_are_copied_with_a_plan_and_without() {
        for flavour in FLAVOURS {
            let f = Fixture::whole(flavour);
            let here = decode_profile(&f.runtime, &f, &mut Vec::new());
            assert_eq!(here.buckets.len(), 2);
            for plan in [EvidencePlan::default(), f.plan()] {
                let copy = f.copied_with(&plan, &[&RuntimeVariables, &MemoryProfile]);
                assert_eq!(copy.gaps, []);
                let mut gaps = Vec::new();
                let there = decode_profile(&f.runtime, &copy.snapshot, &mut gaps);
                assert_eq!((format!("{:?}", there.buckets), gaps), (format!("{:?}", here.buckets), Vec::new()));
            }
        }
    }

    #[test]
    fn a_broken_list_is_a_gap_and_the_others_are_there() {
        let mut f = Fixture::whole(FLAVOURS[1]);
        let head = f.process.u64(f.process.at.mbuckets).unwrap();
        f.process.overwrite(Addr(head + 8), 0x10);
        let copy = f.copied_with(&EvidencePlan::default(), &[&MemoryProfile]);
        assert_eq!(copy.gaps.iter().map(|g| g.what.as_str()).collect::<Vec<_>>(), ["memory profile"]);
        assert!(copy.snapshot.u64(Addr(head)).is_ok());
    }
}
