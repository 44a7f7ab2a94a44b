//! What was copied out of a target: pieces of memory, held in one buffer that is sized before the target stands still.

use std::collections::BTreeMap;

use crate::{Addr, Memory, Part, ReadCause, ReadError};

/// A sparse copy of an address space. Later pieces win over earlier ones where they overlap.
#[derive(Debug, Default, Clone)]
pub struct Snapshot {
    data: Vec<u8>,
    /// (first address, offset in `data`, length), sorted by address once sealed.
    pieces: Vec<(u64, usize, usize)>,
    sealed: bool,
    budget: usize,
    refused: usize,
}

impl Snapshot {
    /// Room for `bytes`, touched now so that no page fault of ours falls into the time the target stands still. Copies over the budget are refused and
    /// counted.
    #[must_use]
    pub fn with_budget(bytes: usize, pieces: usize) -> Self {
        let mut data = vec![1; bytes];
        data.clear();
        Self { data, pieces: Vec::with_capacity(pieces), sealed: false, budget: bytes, refused: 0 }
    }

    /// Copies `len` bytes at `addr` from `from`. Gives whether all of it was read.
    pub fn copy(&mut self, from: &dyn Memory, addr: Addr, len: usize) -> bool {
        let Some(at) = self.room(len) else { return false };
        let ok = self.data.get_mut(at..).is_some_and(|b| from.read(addr, b).is_ok());
        if ok {
            self.pieces.push((addr.0, at, len));
            self.sealed = false;
        } else {
            self.data.truncate(at);
        }
        ok
    }

    /// Copies many ranges with as few kernel calls as possible. Gives how many could not be read.
    pub fn copy_all(&mut self, from: &dyn Memory, ranges: &[(Addr, usize)]) -> usize {
        let mut failed = 0;
        for batch in ranges.chunks(512) {
            let total: usize = batch.iter().map(|(_, len)| *len).sum();
            let Some(start) = self.room(total) else {
                failed += batch.iter().filter(|(a, len)| !self.copy(from, *a, *len)).count();
                continue;
            };
            let mut parts = Vec::with_capacity(batch.len());
            let mut rest = self.data.get_mut(start..).unwrap_or_default();
            for (addr, len) in batch {
                let (buf, tail) = rest.split_at_mut((*len).min(rest.len()));
                parts.push(Part { addr: *addr, buf, ok: false });
                rest = tail;
            }
            from.read_parts(&mut parts);
            let mut at = start;
            for p in &parts {
                if p.ok {
                    self.pieces.push((p.addr.0, at, p.buf.len()));
                } else {
                    failed += 1;
                }
                at += p.buf.len();
            }
            self.sealed = false;
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
        let at = self.data.len();
        self.data.extend_from_slice(bytes);
        self.pieces.push((addr.0, at, bytes.len()));
        self.sealed = false;
    }

    /// Bytes held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.data.len()
    }

    /// Whether nothing was copied.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
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
        self.sealed = true;
    }

    fn room(&mut self, len: usize) -> Option<usize> {
        let at = self.data.len();
        if at.checked_add(len)? > self.budget {
            self.refused += len;
            return None;
        }
        self.data.resize(at + len, 0);
        Some(at)
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
    }

    proptest! {
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
            for (i, want) in model.iter().enumerate() {
                let mut b = [0];
                prop_assert_eq!(s.read(Addr(i as u64), &mut b).ok().map(|()| b[0]), *want);
            }
        }
    }
}
