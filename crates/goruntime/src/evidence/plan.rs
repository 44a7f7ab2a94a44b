//! What is known of a target before it is copied: kept up to date while it is well.

use lastgasp_inferior::{Addr, Memory};
use rustc_hash::FxHashSet;

use crate::bounds::{MAX_BUCKET_BYTES, MAX_BUCKETS, MAX_GOROUTINES};
use crate::gap::Gap;
use crate::profile_bucket::bucket_extent;
use crate::ranges::merge;
use crate::runtime::Runtime;

/// What is known before the crisis: where the buckets stand, and how many goroutines there are.
#[derive(Clone, Debug, Default)]
pub struct EvidencePlan {
    pub(super) known: FxHashSet<Addr>,
    /// Pieces that hold the known buckets: address and bytes, sorted and merged.
    pub(super) ranges: Vec<(Addr, usize)>,
    /// `allglen` at the last update, bounded.
    pub(super) goroutines: u64,
}

impl EvidencePlan {
    /// Brings the plan up to date: walks buckets that were added since the last call (all of them at the
    /// first), counts goroutines. Reads a running target: buckets never move and are never freed, new ones
    /// are added at the head.
    pub fn update(&mut self, rt: &Runtime, mem: &dyn Memory) -> Vec<Gap> {
        let mut gaps = Vec::new();
        // Who reads for us was told to leave off, or the process is gone, or gave an old page that a bucket
        // was written to since (seen from outside: 19 sites of some fifty, and not the one that mattered): of
        // half a walk nothing is kept, since the next one ends at the newest that is known, and the older
        // ones would never be found.
        let fresh = self.walk_new(rt, mem, &mut gaps).unwrap_or_default();
        let slots = mem.u64(rt.globals.allglen);
        if slots.is_err() && !gaps.is_empty() {
            return gaps;
        }
        if !fresh.is_empty() {
            let mut ranges = std::mem::take(&mut self.ranges);
            self.known.extend(fresh.iter().map(|(a, _)| *a));
            ranges.extend(fresh);
            self.ranges = merge(ranges);
        }
        // A foreign number that sizes memory of ours: bounded (test `hostile_pointers_end`).
        self.goroutines = slots.unwrap_or(0).min(MAX_GOROUTINES);
        gaps
    }

    /// Buckets that are not in the plan yet, newest first, with their lengths; `None` where one could not be
    /// read, and so what is behind it not found.
    fn walk_new(&self, rt: &Runtime, mem: &dyn Memory, gaps: &mut Vec<Gap>) -> Option<Vec<(Addr, usize)>> {
        let mut fresh = Vec::new();
        let mut at = match mem.ptr(rt.globals.mbuckets) {
            Ok(head) => head,
            Err(e) => {
                gaps.push(Gap::new("memory profile", e.to_string()));
                return None;
            }
        };
        let mut seen = FxHashSet::default();
        let mut bytes: usize = self.ranges.iter().map(|(_, len)| *len).sum();
        while !at.is_null() && !self.known.contains(&at) && seen.insert(at) {
            let buckets = self.known.len() + fresh.len();
            if buckets >= MAX_BUCKETS || bytes >= MAX_BUCKET_BYTES {
                let why = format!("more than {buckets} sites of {bytes} bytes are more than is read: the oldest");
                gaps.push(Gap::new("memory profile", why));
                break;
            }
            match bucket_extent(rt, mem, at) {
                Ok((next, len)) => {
                    fresh.push((at, len));
                    bytes += len;
                    at = next;
                }
                Err(e) => {
                    gaps.push(Gap::new("memory profile", e));
                    return None;
                }
            }
        }
        Some(fresh)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use lastgasp_inferior::ReadError;

    use super::super::fixture::{FLAVOURS, Fixture};
    use super::*;

    /// A process of which one bucket reads as it was before it was written, for as long as that is so.
    struct Stale<'a> {
        process: &'a Fixture,
        bucket: Addr,
        is_old: Cell<bool>,
    }

    impl Memory for Stale<'_> {
        fn read(&self, addr: Addr, buf: &mut [u8]) -> Result<(), ReadError> {
            self.process.read(addr, buf)?;
            if addr == self.bucket && self.is_old.get() {
                buf.fill(0);
            }
            Ok(())
        }
    }

    /// Whoever reads for us remembers pages for a while: a bucket in one of them is not there yet, and those
    /// behind it are found at the next look.
    #[test]
    fn what_stands_behind_a_page_of_before_is_found_later() {
        for flavour in FLAVOURS {
            let f = Fixture::whole(flavour);
            let head = f.process.ptr(f.process.at.mbuckets).unwrap();
            let (older, _) = bucket_extent(&f.runtime, &f, head).unwrap();
            let stale = Stale { process: &f, bucket: older, is_old: Cell::new(true) };
            let mut plan = EvidencePlan::default();
            assert_eq!(plan.update(&f.runtime, &stale).len(), 1, "it is said");
            stale.is_old.set(false);
            assert_eq!((plan.update(&f.runtime, &stale), plan.known.len()), (Vec::new(), 2));
        }
    }

    /// A list without end is any process's to make: what is over the bound is not read, and is said.
    #[test]
    fn sites_are_bounded_in_number_and_in_bytes() {
        let f = Fixture::whole(FLAVOURS[0]);
        let mut plan = EvidencePlan::default();
        assert_eq!((plan.update(&f.runtime, &f), plan.known.len()), (Vec::new(), 2));
        let far = |i: usize| Addr((1 << 50) | (i as u64 * 8));
        let many = EvidencePlan { known: (0..MAX_BUCKETS).map(far).collect(), ..EvidencePlan::default() };
        let large = EvidencePlan { ranges: vec![(far(0), MAX_BUCKET_BYTES)], ..EvidencePlan::default() };
        for (mut plan, number) in [(many, MAX_BUCKETS), (large, 0)] {
            let gaps = plan.update(&f.runtime, &f);
            assert!(gaps.len() == 1 && gaps[0].what == "memory profile", "{gaps:?}");
            assert_eq!(plan.known.len(), number, "no more are followed");
        }
    }
}
