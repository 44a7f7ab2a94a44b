//! What was copied out of a target: pieces of memory, held in one buffer that is sized before the target
//! stands still.

use std::collections::BTreeMap;

use crate::addr::{Addr, AddrRange};
use crate::memory::{Memory, ReadCause, ReadError};
use crate::windows::{BATCH, Batch, read_all};

/// A sparse copy of an address space. Later pieces win over earlier ones where they overlap.
#[derive(Debug, Default, Clone)]
pub struct Snapshot {
    data: Vec<u8>,
    /// Bytes of it that hold something; what is behind them is room.
    used: usize,
    /// (first address, offset in `data`, length), sorted by address once sealed.
    pieces: Vec<(u64, usize, usize)>,
    sealed: bool,
    budget: usize,
    refused: usize,
    /// Where windows are read into before they are taken apart, by one thread each.
    scratch: [Vec<u8>; 2],
}

impl Snapshot {
    /// Room for `bytes`, touched now so that no page fault of ours falls into the time the target stands
    /// still. Copies over the budget are refused and counted.
    #[must_use]
    pub fn with_budget(bytes: usize, pieces: usize) -> Self {
        let touched = |bytes| vec![1; bytes];
        Self {
            data: touched(bytes),
            used: 0,
            pieces: Vec::with_capacity(pieces),
            sealed: false,
            budget: bytes,
            refused: 0,
            // The second is for copies of several batches.
            scratch: [touched(bytes.min(BATCH)), touched(if bytes > 2 * BATCH { BATCH } else { 0 })],
        }
    }

    /// The same without touching it: where nobody stands still for the copy.
    #[must_use]
    pub fn with_untouched_budget(bytes: usize, pieces: usize) -> Self {
        Self { data: Vec::with_capacity(bytes), pieces: Vec::with_capacity(pieces), budget: bytes, ..Self::default() }
    }

    /// Copies `len` bytes at `addr` from `from`. Gives whether all of it was read.
    pub fn copy(&mut self, from: &dyn Memory, addr: Addr, len: usize) -> bool {
        let at = self.used;
        let Some(room) = self.room(len) else {
            self.refused += len;
            return false;
        };
        if from.read(addr, room).is_err() {
            return false;
        }
        self.used += len;
        self.pieces.push((addr.0, at, len));
        self.sealed = false;
        true
    }

    /// Copies many ranges with as few kernel calls as possible, and by two threads if they are large
    /// (`windows.rs`). Gives how many could not be read.
    pub fn copy_all(&mut self, from: &dyn Memory, ranges: &[(Addr, usize)]) -> usize {
        let batches = Batch::all_of(ranges);
        let bytes = batches.iter().map(Batch::bytes).fold(0, usize::saturating_add);
        self.sealed = false;
        if self.room(bytes).is_some() {
            return self.copy_batches(from, &batches);
        }
        let mut failed = 0;
        for batch in &batches {
            failed += if from.is_late() {
                batch.ranges().len()
            } else if self.room(batch.bytes()).is_some() {
                self.copy_batches(from, std::slice::from_ref(batch))
            } else {
                // What there is room for.
                batch.ranges().iter().filter(|(addr, len)| !self.copy(from, *addr, *len)).count()
            };
        }
        failed
    }

    /// Copies batches that there is room for.
    fn copy_batches(&mut self, from: &dyn Memory, batches: &[Batch<'_>]) -> usize {
        let mut scratch = std::mem::take(&mut self.scratch);
        let bytes = batches.iter().map(Batch::bytes).sum();
        let mut start = self.used;
        let all = self.room(bytes).map(|room| read_all(from, batches, room, &mut scratch)).unwrap_or_default();
        self.scratch = scratch;
        let mut failed = 0;
        for (batch, done) in batches.iter().zip(all) {
            failed += done.failed;
            // Behind one that was not read all others move up.
            for (addr, at, len) in done.pieces {
                let at = start + at;
                if at != self.used {
                    self.data.copy_within(at..at + len, self.used);
                }
                self.pieces.push((addr.0, self.used, len));
                self.used += len;
            }
            start += batch.bytes();
        }
        failed
    }

    /// A place in the order of copying, for [`Snapshot::pieces_since`].
    #[must_use]
    pub fn mark(&self) -> usize {
        self.pieces.len()
    }

    /// What was copied since a mark, in that order; only before sealing.
    pub fn pieces_since(&self, mark: usize) -> impl Iterator<Item = (Addr, &[u8])> {
        let pieces = self.pieces.get(mark..).unwrap_or_default();
        pieces.iter().filter_map(|(a, at, len)| Some((Addr(*a), self.data.get(*at..*at + *len)?)))
    }

    /// Adds bytes that the caller has.
    pub fn insert(&mut self, addr: Addr, bytes: &[u8]) {
        self.data.truncate(self.used);
        self.data.extend_from_slice(bytes);
        self.pieces.push((addr.0, self.used, bytes.len()));
        self.used = self.data.len();
        self.sealed = false;
    }

    /// Bytes that the copy holds, all pieces together.
    #[must_use]
    pub fn len(&self) -> usize {
        self.used
    }

    /// Whether nothing was copied.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.used == 0
    }

    /// Bytes that it may hold.
    #[must_use]
    pub fn budget(&self) -> usize {
        self.budget
    }

    /// Bounds what it may hold from here on: whoever copies next has so much and no more. What it was made
    /// with is the most that room was made for.
    pub fn set_budget(&mut self, bytes: usize) {
        self.budget = bytes;
    }

    /// Bytes that the budget refused.
    #[must_use]
    pub fn refused(&self) -> usize {
        self.refused
    }

    /// Sorts and flattens; must be called before reading.
    pub fn seal(&mut self) {
        let mut flat = BTreeMap::new();
        for (addr, at, len) in self.pieces.drain(..) {
            lay_over(&mut flat, addr, at, len);
        }
        self.pieces.extend(flat.into_iter().map(|(addr, (at, len))| (addr, at, len)));
        // The room that was made and not needed: of a large process tens of megabytes.
        self.data.truncate(self.used);
        self.data.shrink_to_fit();
        self.pieces.shrink_to_fit();
        self.scratch = Default::default();
        self.sealed = true;
    }

    /// The addresses that it holds, in their order; what touches is one. Only after sealing.
    #[must_use]
    pub fn ranges(&self) -> Vec<AddrRange> {
        debug_assert!(self.sealed || self.pieces.is_empty(), "asked before seal");
        let mut out: Vec<AddrRange> = Vec::new();
        for (addr, _, len) in &self.pieces {
            let range = AddrRange::sized(Addr(*addr), *len as u64);
            match out.last_mut() {
                Some(last) if last.end == range.start => last.end = range.end,
                _ if range.is_empty() => {}
                _ => out.push(range),
            }
        }
        out
    }

    /// Room for so many bytes behind what is there, within the budget.
    fn room(&mut self, len: usize) -> Option<&mut [u8]> {
        let end = self.used.checked_add(len).filter(|end| *end <= self.budget)?;
        if self.data.len() < end {
            self.data.resize(end, 0);
        }
        self.data.get_mut(self.used..end)
    }
}

/// Lays a piece over those that are there: what it covers of them is cut away.
fn lay_over(flat: &mut BTreeMap<u64, (usize, usize)>, addr: u64, at: usize, len: usize) {
    let end = addr.saturating_add(len as u64);
    let first = flat.range(..=addr).next_back().map_or(addr, |(a, _)| *a);
    let hit: Vec<(u64, (usize, usize))> = flat.range(first..end.max(first)).map(|(a, v)| (*a, *v)).collect();
    for (old, (old_at, old_len)) in hit {
        let old_end = old.saturating_add(old_len as u64);
        if old_end <= addr {
            continue;
        }
        flat.remove(&old);
        if old < addr {
            flat.insert(old, (old_at, (addr - old) as usize));
        }
        if old_end > end {
            let skip = (end - old) as usize;
            flat.insert(end, (old_at + skip, old_len - skip));
        }
    }
    flat.insert(addr, (at, len));
}

impl Memory for Snapshot {
    fn read(&self, addr: Addr, buf: &mut [u8]) -> Result<(), ReadError> {
        debug_assert!(self.sealed || self.pieces.is_empty(), "read before seal");
        let error = ReadError { addr, len: buf.len(), cause: ReadCause::Absent };
        let mut i = self.pieces.partition_point(|p| p.0 <= addr.0).checked_sub(1).ok_or(error)?;
        let mut done = 0usize;
        while done < buf.len() {
            let here = addr.0.checked_add(done as u64).ok_or(error)?;
            let &(start, at, len) = self.pieces.get(i).ok_or(error)?;
            let skip = here.checked_sub(start).ok_or(error)? as usize;
            if skip >= len {
                return Err(error);
            }
            let take = (len - skip).min(buf.len() - done);
            let from = self.data.get(at + skip..at + skip + take).ok_or(error)?;
            buf.get_mut(done..done + take).ok_or(error)?.copy_from_slice(from);
            done += take;
            i += 1;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    struct Ramp;

    impl Memory for Ramp {
        fn read(&self, addr: Addr, buf: &mut [u8]) -> Result<(), ReadError> {
            for (i, b) in buf.iter_mut().enumerate() {
                *b = (addr.0 + i as u64) as u8;
            }
            Ok(())
        }
    }

    #[test]
    fn reads_across_neighbours_and_not_across_holes() {
        let mut s = Snapshot::with_budget(1000, 4);
        assert!(s.copy(&Ramp, Addr(100), 10));
        assert!(s.copy(&Ramp, Addr(110), 10));
        assert!(s.copy(&Ramp, Addr(200), 10));
        s.seal();
        let mut b = [0; 12];
        s.read(Addr(105), &mut b).unwrap();
        assert_eq!(b[0], 105);
        assert_eq!(b[11], 116);
        assert!(s.read(Addr(115), &mut b).is_err());
        assert!(s.read(Addr(0), &mut b).is_err());
    }

    #[test]
    fn the_budget_refuses_and_counts() {
        let mut s = Snapshot::with_budget(16, 4);
        assert!(s.copy(&Ramp, Addr(0), 10));
        assert!(!s.copy(&Ramp, Addr(100), 10));
        assert_eq!(s.refused(), 10);
        assert_eq!(s.copy_all(&Ramp, &[(Addr(50), 4), (Addr(60), 4)]), 1);
        s.set_budget(s.budget() + 1);
        assert!(s.copy(&Ramp, Addr(200), 3) && !s.copy(&Ramp, Addr(300), 1));
    }

    /// Memory with a hole of a page, counting the pieces that it is asked for.
    struct Holed(std::cell::Cell<usize>);

    impl Memory for Holed {
        fn read(&self, addr: Addr, buf: &mut [u8]) -> Result<(), ReadError> {
            self.0.set(self.0.get() + 1);
            let end = addr.0 + buf.len() as u64;
            if addr.0 < 0x3000 && end > 0x2000 {
                return Err(ReadError { addr, len: buf.len(), cause: ReadCause::Absent });
            }
            Ramp.read(addr, buf)
        }
    }

    #[test]
    fn neighbours_are_read_as_one_and_kept_as_they_were_asked_for() {
        let memory = Holed(std::cell::Cell::new(0));
        let mut s = Snapshot::with_budget(4 << 20, 64);
        // Eight ranges of 100 bytes, 2 KiB apart: one piece. Then two with the hole between them: each by
        // itself. Then one larger than the room.
        let mut ranges: Vec<_> = (0..8).map(|i| (Addr(0x10_0000 + i * 2048), 100)).collect();
        ranges.extend([(Addr(0x1ff0), 16), (Addr(0x2800), 16), (Addr(0x3000), 16), (Addr(0x100_0000), 2 << 20)]);
        assert_eq!(s.copy_all(&memory, &ranges), 1);
        assert!(memory.0.get() <= 7, "{}", memory.0.get());
        s.seal();
        assert_eq!(s.len(), 8 * 100 + 2 * 16 + (2 << 20));
        for (addr, len) in ranges.iter().filter(|(a, _)| a.0 != 0x2800) {
            let mut b = vec![0; *len];
            s.read(*addr, &mut b).unwrap();
            assert_eq!((b[0], b[len - 1]), (addr.0 as u8, (addr.0 + *len as u64 - 1) as u8));
        }
        assert!(s.u8(Addr(0x10_0000 + 1000)).is_err(), "what stands between was not asked for");
    }

    proptest! {
        /// However ranges lie, and whatever is absent: the same bytes as one by one.
        #[test]
        fn as_one_by_one(ranges in proptest::collection::vec((0u64..0x6000, 1usize..3000), 1..40)) {
            let ranges: Vec<_> = ranges.into_iter().map(|(a, len)| (Addr(a), len)).collect();
            let memory = Holed(std::cell::Cell::new(0));
            let (mut together, mut single) = (Snapshot::with_budget(4 << 20, 64), Snapshot::with_budget(4 << 20, 64));
            let failed = together.copy_all(&memory, &ranges);
            let one_by_one = ranges.iter().filter(|(a, len)| !single.copy(&memory, *a, *len)).count();
            prop_assert_eq!(failed, one_by_one);
            together.seal();
            single.seal();
            for a in (0..0x9000).step_by(7) {
                prop_assert_eq!(together.u8(Addr(a)).ok(), single.u8(Addr(a)).ok());
            }
        }

        /// Whatever overlaps: the newest bytes win, and what nobody copied cannot be read.
        #[test]
        fn newest_wins(pieces in proptest::collection::vec((0u64..64, 1usize..24, any::<u8>()), 1..12)) {
            let mut s = Snapshot::default();
            let mut model = [None; 128];
            for (addr, len, value) in &pieces {
                s.insert(Addr(*addr), &vec![*value; *len]);
                for slot in &mut model[*addr as usize..*addr as usize + len] {
                    *slot = Some(*value);
                }
            }
            s.seal();
            let ranges = s.ranges();
            prop_assert!(ranges.windows(2).all(|w| w[0].end < w[1].start));
            for (i, want) in model.iter().enumerate() {
                prop_assert_eq!(ranges.iter().any(|r| r.contains(Addr(i as u64))), want.is_some());
                let mut b = [0];
                prop_assert_eq!(s.read(Addr(i as u64), &mut b).ok().map(|()| b[0]), *want);
            }
        }
    }
}
