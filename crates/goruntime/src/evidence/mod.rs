//! What to copy while the target stands still, and the copying. Nothing is decoded here beyond the pointers
//! that say where to copy from; all decoding happens later, on the copy, with the target running again.
//!
//! One kind of evidence is one collector in a file of its own; `list` has them in the order of their worth,
//! and `collector` says what adding one takes.

mod collector;
mod extent;
#[cfg(test)]
mod fixture;
mod goroutines;
mod list;
mod memory_profile;
mod plan;
mod pointed;
mod runtime_variables;
mod threads;
mod waits_on;

use lastgasp_inferior::{Memory, ReadError, Snapshot};

pub use self::collector::{CopySource, Room};
pub use self::extent::Extent;
#[cfg(test)]
pub(crate) use self::fixture::{FLAVOURS, Fixture};
pub use self::plan::EvidencePlan;
use crate::gap::Gap;
use crate::heap::memstats::MemStats;
use crate::runtime::Runtime;

/// A copy of what the decoders need.
#[derive(Debug, Default)]
pub struct Evidence {
    /// The bytes; sealed by [`Evidence::finish`].
    pub snapshot: Snapshot,
    /// What could not be copied.
    pub gaps: Vec<Gap>,
}

impl Evidence {
    /// The room that a copy of that extent needs, at most `cap` bytes.
    #[must_use]
    pub fn room(source: &CopySource<'_>, extent: Extent, cap: usize) -> Room {
        list::room(list::of(extent), source, cap)
    }

    /// With that room, touched: to be made before the target stands still.
    #[must_use]
    pub fn with_room(source: &CopySource<'_>, extent: Extent, cap: usize) -> Self {
        let room = Self::room(source, extent, cap);
        Self { snapshot: Snapshot::with_budget(room.bytes, room.pieces), gaps: Vec::new() }
    }

    /// The same for a copy that nobody stands still for: it is touched as it is used.
    #[must_use]
    pub fn with_untouched_room(source: &CopySource<'_>, extent: Extent, cap: usize) -> Self {
        let room = Self::room(source, extent, cap);
        Self { snapshot: Snapshot::with_untouched_budget(room.bytes, room.pieces), gaps: Vec::new() }
    }

    /// Copies what belongs to `extent`, what is worth most first, so that a copy that is cut short has what
    /// names the culprit.
    pub fn copy(&mut self, source: &CopySource<'_>, extent: Extent) {
        list::copy(list::of(extent), source, &mut self.snapshot, &mut self.gaps);
    }

    /// Adds what the goroutines of a finished copy wait on (channels, locks, descriptors), read from memory
    /// that may have gone on: some milliseconds for thousands of them.
    pub fn copy_waits(&mut self, runtime: &Runtime, mem: &dyn Memory) {
        waits_on::copy(runtime, &mut self.snapshot, mem);
    }

    /// Makes the copy readable; after the target runs again.
    pub fn finish(&mut self) {
        self.snapshot.seal();
    }

    /// The memory statistics by one read of memory: a tenth of what [`MemStats::read`] costs of a living
    /// process, and nearly of one moment.
    ///
    /// # Errors
    /// [`ReadError`] of the first that fails.
    pub fn memstats(runtime: &Runtime, mem: &dyn Memory) -> Result<MemStats, ReadError> {
        let plan = EvidencePlan::default();
        let source = CopySource { runtime, plan: &plan, mem, registers: &[] };
        let mut copy = Self::with_untouched_room(&source, Extent::Numbers, usize::MAX);
        copy.copy(&source, Extent::Numbers);
        copy.finish();
        // What is not read at once may still be read word by word.
        if copy.gaps.is_empty() { MemStats::read(runtime, &copy.snapshot) } else { MemStats::read(runtime, mem) }
    }
}

#[cfg(test)]
mod tests {
    use lastgasp_inferior::Addr;

    use super::fixture::{FLAVOURS, Fixture};
    use super::*;

    const CAP: usize = 96 << 20;

    /// What was measured: the sums stand here as they were before there were collectors.
    #[test]
    fn room_is_what_it_was() {
        let f = Fixture::many(3000);
        let plan = f.plan();
        let source = f.source(&plan);
        let buckets: usize = plan.ranges.iter().map(|(_, len)| *len).sum();
        let profile = Evidence::room(&source, Extent::Profile, CAP);
        assert_eq!(profile, Room { bytes: buckets + buckets / 4 + (256 << 10), pieces: plan.ranges.len() * 2 + 1024 });
        let whole = Evidence::room(&source, Extent::Whole, CAP);
        let goroutines = (3000 * 3 / 2 + 1000) * (f.runtime.layout.g.sizeof as usize + 8);
        let stacks = (3000 + 300) * 2 * 3072;
        assert_eq!(whole.bytes, buckets + buckets / 4 + goroutines + stacks.min(16 << 20) + (2 << 20));
        assert_eq!(whole.pieces, plan.ranges.len() * 2 + (3000 + 1000) * 4 + 4096);
        assert_eq!(Evidence::room(&source, Extent::Whole, 1000).bytes, 1000);
        assert_eq!(Evidence::with_room(&source, Extent::Whole, 1000).snapshot.budget(), 1000);
    }

    /// A plan of calm times, and half as many goroutines again when it comes to the copy.
    #[test]
    fn room_suffices_for_half_as_many_again() {
        let (calm, crisis) = (Fixture::many(2000), Fixture::many(3000));
        let plan = calm.plan();
        let source = crisis.source(&plan);
        let room = Evidence::room(&calm.source(&plan), Extent::Whole, CAP);
        let mut copy = Evidence { snapshot: Snapshot::with_budget(room.bytes, room.pieces), gaps: Vec::new() };
        copy.copy(&source, Extent::Whole);
        assert_eq!((copy.snapshot.refused(), copy.gaps), (0, Vec::new()));
        assert!(copy.snapshot.mark() <= room.pieces);
    }

    #[test]
    fn a_shorter_copy_is_the_beginning_of_a_longer_one() {
        for flavour in FLAVOURS {
            let f = Fixture::whole(flavour);
            let plan = f.plan();
            let source = f.source(&plan);
            let copies = [Extent::Numbers, Extent::Profile, Extent::Whole].map(|extent| {
                let mut copy = Evidence::with_room(&source, extent, CAP);
                copy.copy(&source, extent);
                assert_eq!(copy.gaps, []);
                copy.snapshot.pieces_since(0).map(|(a, b)| (a, b.to_vec())).collect::<Vec<_>>()
            });
            assert!(copies.windows(2).all(|w| w[0].len() < w[1].len() && w[1].starts_with(&w[0])));
        }
    }

    /// Memory that notes what was read of it.
    struct Noted<'a> {
        of: &'a Fixture,
        read: std::sync::Mutex<Vec<(Addr, usize)>>,
    }

    impl Memory for Noted<'_> {
        fn read(&self, addr: Addr, buf: &mut [u8]) -> Result<(), ReadError> {
            self.of.read(addr, buf)?;
            self.read.lock().unwrap().push((addr, buf.len()));
            Ok(())
        }
    }

    /// The rule of docs/adr/0008-what-is-foreign-is-read-by-workers.md: while a target stands still, or is
    /// dead, whoever copies only copies. Whatever is read is in the copy, and so are the pointers that lead
    /// to it; who decodes reads what no copy has (names, tables of code and types), or reads again and again.
    #[test]
    fn while_it_copies_nothing_is_read_but_what_is_kept() {
        let fixtures = FLAVOURS.map(Fixture::whole).into_iter();
        for f in fixtures.chain([Fixture::many(3000), Fixture::deep(40, 60, 3)]) {
            let plan = f.plan();
            let room = f.source(&plan);
            let mut copy = Evidence::with_room(&room, Extent::Whole, CAP);
            let noted = Noted { of: &f, read: Default::default() };
            copy.copy(&CopySource { mem: &noted, ..room }, Extent::Whole);
            copy.finish();
            let read = noted.read.into_inner().unwrap();
            // Pieces that stand near each other are read in one go, with what is between them.
            let kept = |at: u64| copy.snapshot.u8(Addr(at)).is_ok();
            let lost = |(at, len): &&(Addr, usize)| !kept(at.0) || !kept(at.0 + *len as u64 - 1);
            let lost: Vec<_> = read.iter().filter(|(_, len)| *len > 0).filter(lost).collect();
            assert!(lost.is_empty(), "read and not copied, of {} pieces: {lost:x?}", read.len());
            let bytes: usize = read.iter().map(|(_, len)| len).sum();
            // What is between is a page at most; who decodes what it copies reads most of it many times over.
            let most = 8 * copy.snapshot.len() + (64 << 10);
            assert!(bytes <= most, "{bytes} bytes read for {} copied", copy.snapshot.len());
        }
    }

    /// Too little room for all: the profile is whole, and what is worth less says what it lacks.
    #[test]
    fn what_is_worth_most_is_there_when_room_is_short() {
        let f = Fixture::many(3000);
        let plan = f.plan();
        let source = f.source(&plan);
        let mut copy = Evidence::with_room(&source, Extent::Whole, 64 << 10);
        copy.copy(&source, Extent::Whole);
        let last = copy.gaps.last().unwrap();
        assert!(last.what.ends_with(" bytes of goroutines"), "{:?}", copy.gaps);
        assert_eq!(last.why, "over the byte budget of one capture");
        copy.finish();
        let mut gaps = Vec::new();
        assert_eq!(crate::decode_profile(&f.runtime, &copy.snapshot, &mut gaps).buckets.len(), 1);
        assert!(MemStats::read(&f.runtime, &copy.snapshot).is_ok());
        assert_eq!(gaps, []);
    }

    #[test]
    fn numbers_are_read_at_once_or_word_by_word() {
        let mut f = Fixture::whole(FLAVOURS[0]);
        let want = MemStats::read(&f.runtime, &f).unwrap();
        assert_eq!(Evidence::memstats(&f.runtime, &f).unwrap(), want);
        // No part of the statistics, and not to be read.
        f.runtime.globals.allm = lastgasp_inferior::Addr(0x10);
        assert_eq!(Evidence::memstats(&f.runtime, &f).unwrap(), want);
    }
}
