//! The runtime's lists of its own that lead to what is the program's: by symbol, and in a stripped program by
//! what they lead to.
//!
//! - Pools (`sync/pool.go`): a pool has things for a collection or two after they were used last, and what
//!   these lead to (the connection of a compressor, its server, whatever that serves) is a pool's by
//!   accident. The list of all pools leads to whatever each pool stands in.
//! - Processors (`runtime/runtime2.go`, `p`): each has its timers, and each timer a pointer back to them,
//!   since Go 1.23. So who holds a timer of its own leads to all that any timer keeps.

use lastgasp_heapgraph::{HeapLayout, ObjectId};
use lastgasp_inferior::{Addr, Memory};

use super::{Holders, RootName, Stand};

/// Bytes of a `sync.Pool` (`sync/pool.go`): `local`, `localSize`, `victim`, `victimSize`, `New`.
const POOL: u64 = 40;
/// Bytes of what a pool has for each processor, at least (`poolLocal`, padded to 128).
const LOCAL: u64 = 128;
/// Processors that are believed, at most.
const MAX_PROCESSORS: u64 = 4096;
/// Pools of one list that are believed, at most: a program has some dozens; one for each client some
/// thousands.
const MAX_POOLS: u64 = 1 << 16;
/// Bytes of a processor, at least: 9 to 14 thousand of the known releases.
const PROCESSOR: u64 = 4096;
/// Bytes of a header before an object with pointers (`runtime/mbitmap.go`, `mallocHeaderSize`).
const HEADER: u64 = 8;
/// The runtime's list of processors.
pub(crate) const ALL_PROCESSORS: &str = "runtime.allp";
/// The highest status of one (`_Pdead`).
const DEAD: u64 = 4;

/// Processors, and the arrays of the runtime that list them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Processors {
    /// The processors, sorted.
    pub(crate) all: Vec<ObjectId>,
    /// What leads to them.
    pub(crate) lists: Vec<ObjectId>,
}

impl Holders {
    /// Finds processors and pools by their lists; in a stripped program pools only as far as they have as
    /// many local lists as there are processors.
    pub(super) fn find_lists(&mut self, mem: &dyn Memory, layout: &HeapLayout) {
        let mut processors = Processors::default();
        for (name, stand) in self.named.iter_mut().zip(&self.stands) {
            // A word that no symbol names, or the list.
            let is_word = name.at != Addr(0) && processors.lists.is_empty();
            if (is_word || name.name == ALL_PROCESSORS)
                && let Some((list, found)) = processors_of(mem, layout, stand.range.start)
            {
                name.call(is_word, ALL_PROCESSORS);
                processors.lists.push(list);
                processors.all.extend(found);
            }
        }
        processors.all.sort_unstable();
        processors.all.dedup();
        // Those that are filled, and those from before the last collection: no more lists than two, however
        // many words a program has for them.
        let (mut pools, mut lists) = (Vec::new(), 0);
        for (name, stand) in self.named.iter_mut().zip(&self.stands) {
            let is_word = name.at != Addr(0) && !processors.all.is_empty() && lists < 2;
            if (is_word || is_list_of_pools(&name.name))
                && let Some(found) = pools_of(mem, layout, stand.range.start, processors.all.len() as u64)
            {
                name.call(is_word, "sync.allPools");
                pools.extend(found);
                lists += 1;
            }
        }
        pools.sort_unstable();
        pools.dedup();
        (self.pools, self.processors) = (pools, processors);
    }

    /// Whether a variable, or a word of one, leads to what lies in a pool, and to nothing else.
    pub(super) fn is_of_pool(&self, stand: Stand) -> bool {
        let before = self.pools.partition_point(|pool| *pool <= stand.range.start).checked_sub(1);
        let pool = before.and_then(|i| self.pools.get(i));
        pool.is_some_and(|pool| stand.range.end.0 <= pool.0.saturating_add(POOL))
    }
}

impl RootName {
    /// Gives a word of package variables that has no name one.
    fn call(&mut self, is_word: bool, name: &str) {
        if is_word {
            name.clone_into(&mut self.name);
            self.at = Addr(0);
        }
    }
}

/// Whether a variable is a list of all pools (`sync/pool.go`).
pub(super) fn is_list_of_pools(name: &str) -> bool {
    matches!(name, "sync.allPools" | "sync.oldPools")
}

/// The pools of the list at an address, if it is one: a slice of pointers to pools, each with a local list
/// for each of so many processors (0: as many as they have), of those it fills now or of those from before
/// the last collection. Of these the size is gone once somebody has looked there in vain (`getSlow`).
fn pools_of(mem: &dyn Memory, layout: &HeapLayout, at: Addr, processors: u64) -> Option<Vec<Addr>> {
    let (array, _, len) = slice(mem, layout, at, MAX_POOLS)?;
    let word = |base: u64, offset: u64| mem.u64(Addr(base.checked_add(offset)?)).ok();
    let begins = |to: u64, least: u64| {
        let object = layout.object_at(to).filter(|o| layout.bytes(*o) >= least);
        object.and_then(|o| layout.address(o)).is_some_and(|at| at == to || at + HEADER == to)
    };
    let as_many = |size: u64| size == processors || processors == 0 && (1..=MAX_PROCESSORS).contains(&size);
    let mut pools = Vec::new();
    for i in 0..len {
        let pool = word(array, i * 8)?;
        let (now, size) = (word(pool, 0)?, word(pool, 8)?);
        let (before, size_before) = (word(pool, 16)?, word(pool, 24)?);
        let fills = as_many(size) && begins(now, size.saturating_mul(LOCAL));
        let had = before != 0
            && (size_before == 0 || as_many(size_before))
            && begins(before, size_before.max(processors).max(1).saturating_mul(LOCAL));
        let is_empty = |to: u64, size: u64| to == 0 && size == 0;
        if !(fills || is_empty(now, size)) || !(had || is_empty(before, size_before)) || !fills && !had {
            return None;
        }
        pools.push(Addr(pool));
    }
    Some(pools)
}

/// The processors of the list at an address, if it is one, and its array: large objects of their own, each
/// with its number and its status first, and with lists that begin in arrays of its own (`deferpool`,
/// `sudogcache`).
fn processors_of(mem: &dyn Memory, layout: &HeapLayout, at: Addr) -> Option<(ObjectId, Vec<ObjectId>)> {
    let (array, list, len) = slice(mem, layout, at, MAX_PROCESSORS)?;
    let mut all = Vec::new();
    for i in 0..len {
        let to = mem.u64(Addr(array.checked_add(i * 8)?)).ok()?;
        let object = layout.object_at(to)?;
        let first = mem.u64(Addr(to)).ok()?;
        let (number, status) = (first & 0xffff_ffff, first >> 32);
        // Since Go 1.22 a header stands before it.
        let begins = layout.address(object).is_some_and(|at| at == to || at + HEADER == to);
        let begins = begins && layout.bytes(object) >= PROCESSOR;
        // What a program numbers begins so as well.
        if !begins || number != i || status > DEAD || pointers_to_itself(mem, to) < 2 {
            return None;
        }
        all.push(object);
    }
    Some((list, all))
}

/// How many words at the beginning of a processor point into it.
fn pointers_to_itself(mem: &dyn Memory, at: u64) -> usize {
    let mut words = [0; PROCESSOR as usize - 2 * HEADER as usize];
    if mem.read(Addr(at), &mut words).is_err() {
        return 0;
    }
    let own = |word: &[u8]| {
        let to = word.try_into().map_or(0, u64::from_le_bytes);
        to > at && to < at.saturating_add(PROCESSOR)
    };
    words.chunks_exact(8).filter(|word| own(word)).count()
}

/// Array, its object, and length of the slice at an address, if it is one of at most so many pointers.
fn slice(mem: &dyn Memory, layout: &HeapLayout, at: Addr, most: u64) -> Option<(u64, ObjectId, u64)> {
    let word = |offset: u64| mem.u64(Addr(at.0.checked_add(offset)?)).ok();
    let (array, len, cap) = (word(0)?, word(8)?, word(16)?);
    if len == 0 || len > cap || cap > most {
        return None;
    }
    let object = layout.object_at(array).filter(|o| layout.bytes(*o) >= cap.saturating_mul(8))?;
    Some((array, object, len))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use lastgasp_heapgraph::Span;
    use lastgasp_inferior::ReadError;

    use super::*;

    /// Words by address; what is not among them reads as nothing.
    struct Words(BTreeMap<u64, u64>);

    impl Memory for Words {
        fn read(&self, addr: Addr, buf: &mut [u8]) -> Result<(), ReadError> {
            for (i, out) in (0..).zip(buf.chunks_mut(8)) {
                let word = self.0.get(&(addr.0 + i * 8)).copied().unwrap_or(0).to_le_bytes();
                out.copy_from_slice(word.get(..out.len()).unwrap_or_default());
            }
            Ok(())
        }
    }

    /// Small objects of 64 bytes from 0x10000 on, large ones of 8 kB from 0x20000 on.
    fn layout() -> HeapLayout {
        let small = Span { base: 0x1_0000, slot_bytes: 64, slots: 16 };
        let large = Span { base: 0x2_0000, slot_bytes: 8192, slots: 4 };
        let mut layout = HeapLayout::new(vec![small, large]);
        (0..2).for_each(|span| layout.allocate_all(span));
        layout
    }

    fn words(of: &[(u64, u64)]) -> Words {
        Words(of.iter().copied().collect())
    }

    #[test]
    fn pools_are_known_by_their_local_lists() {
        // A list of two; the second was emptied by a collection, and has what it had before.
        let list = [(0x500, 0x1_0000), (0x508, 2), (0x510, 4), (0x1_0000, 0x700), (0x1_0008, 0x800)];
        let pools = [(0x700, 0x2_0000), (0x708, 8), (0x810, 0x2_2000), (0x818, 8)];
        let all: Vec<(u64, u64)> = list.into_iter().chain(pools).collect();
        let with = |more: &[(u64, u64)]| words(&all.iter().chain(more).copied().collect::<Vec<_>>());
        let found = |w: &Words, n| pools_of(w, &layout(), Addr(0x500), n);
        let both = Some(vec![Addr(0x700), Addr(0x800)]);
        assert_eq!(
            (found(&with(&[]), 8), found(&with(&[]), 0), found(&with(&[]), 4)),
            (both.clone(), both.clone(), None)
        );
        // Somebody has looked in vain for what it had before.
        assert_eq!(found(&with(&[(0x818, 0)]), 8), both);
        // Slices have a capacity where a pool has what it had before; rows of a table are not as large, and
        // may begin anywhere.
        for wrong in [(0x710, 8), (0x708, 9), (0x700, 0x1_0040), (0x700, 0x2_0040), (0x508, 5), (0x1_0008, 0x900)] {
            assert_eq!(found(&with(&[wrong]), 8), None, "{wrong:?}");
        }
    }

    #[test]
    fn processors_are_known_by_their_numbers_and_lists() {
        // The second stands behind a header, as since Go 1.22.
        let list = [(0x500, 0x1_0000), (0x508, 2), (0x510, 2), (0x1_0000, 0x2_0000), (0x1_0008, 0x2_2008)];
        let heads = [(0x2_0000, 1 << 32), (0x2_2008, 1)];
        let own = [(0x2_0068, 0x2_0080), (0x2_0900, 0x2_0920), (0x2_2070, 0x2_2088), (0x2_2908, 0x2_2928)];
        let all: Vec<(u64, u64)> = list.into_iter().chain(heads).chain(own).collect();
        let with = |more: &[(u64, u64)]| words(&all.iter().chain(more).copied().collect::<Vec<_>>());
        let found = |w: &Words| processors_of(w, &layout(), Addr(0x500)).map(|(_, all)| all.len());
        assert_eq!((found(&with(&[])), found(&with(&[(0x508, 1)]))), (Some(2), Some(1)));
        // Another number, no status, in the middle of an object, a small one, a longer list than there is;
        // workers of the program's, whose lists are elsewhere.
        for wrong in [
            (0x2_2008, 2),
            (0x2_2008, 1 + (9 << 32)),
            (0x1_0008, 0x2_2010),
            (0x1_0008, 0x1_0080),
            (0x508, 3),
            (0x2_2908, 0x1_0000),
        ] {
            assert_eq!(found(&with(&[wrong])), None, "{wrong:?}");
        }
    }
}
