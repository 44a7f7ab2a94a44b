//! Pointers to what is waited for, with their exact values.
//!
//! The graph knows slots. Of most that is enough: a lock within a struct is had by whoever has a pointer into
//! that struct. Tiny objects without pointers share slots of 16 bytes: a lone `sync.Mutex` lies beside a
//! counter, a boxed number, a short string, and a pointer to those leads to no mutex. The collector cannot
//! tell (so Go's own goroutineleak profile finds none of a thousand such mutexes); the pointer's value can.

use lastgasp_goruntime::HeapObjects;
use lastgasp_heapgraph::{Bits, HeapLayout, ObjectId};
use lastgasp_inferior::Addr;

/// Pointers that are kept, of objects and of roots each: 96 MB at most.
const MOST: usize = 4 << 20;
/// Bytes of a `sync.Mutex`.
const MUTEX: u64 = 8;
/// Bytes of tiny objects are fewer than those of their slot.
const LARGEST_BEFORE: u64 = 16 - 1 - MUTEX;

/// What is waited for, while the heap is read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watched {
    slots: Bits,
    /// What stands in no slot, sorted: on stacks, in package variables, elsewhere.
    pub(crate) elsewhere: Vec<Addr>,
}

impl Watched {
    /// Where these addresses stand, as far as that is in the heap.
    pub(crate) fn of(layout: &HeapLayout, addresses: &[Addr]) -> Self {
        if addresses.is_empty() {
            return Self::default();
        }
        let mut slots = Bits::new(layout.bound());
        let mut elsewhere = Vec::new();
        for at in addresses {
            match layout.object_at(at.0) {
                Some(slot) => drop(slots.insert(slot.0 as usize)),
                None => elsewhere.push(*at),
            }
        }
        elsewhere.sort_unstable();
        elsewhere.dedup();
        Self { slots, elsewhere }
    }

    /// Whether something is waited for in that slot.
    pub(crate) fn has(&self, slot: ObjectId) -> bool {
        self.slots.contains(slot.0 as usize)
    }
}

/// Pointers to what is watched, by who has them.
#[derive(Clone, Debug)]
pub(crate) struct Pointed<Who> {
    /// In the order in which they were read.
    pub(crate) all: Vec<(Who, Addr)>,
    /// Whether there were more than are kept.
    pub(crate) is_full: bool,
}

impl<Who> Default for Pointed<Who> {
    fn default() -> Self {
        Self { all: Vec::new(), is_full: false }
    }
}

impl<Who: PartialEq> Pointed<Who> {
    /// Keeps a pointer.
    pub(crate) fn add(&mut self, who: Who, to: Addr) {
        if self.all.last().is_some_and(|(last, at)| *last == who && *at == to) {
            return;
        }
        if self.all.len() < MOST {
            self.all.push((who, to));
        } else {
            self.is_full = true;
        }
    }

    /// Takes in what another part of the heap has.
    pub(crate) fn append(&mut self, other: Self) {
        self.is_full |= other.is_full || self.all.len() + other.all.len() > 2 * MOST;
        let room = (2 * MOST).saturating_sub(self.all.len());
        self.all.extend(other.all.into_iter().take(room));
    }
}

/// Whether a pointer may lead to a mutex in its slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owns {
    /// It is one to another object.
    Never,
    /// It may.
    Perhaps,
    /// It does where it is one to an object as large as the slot, and none of the tiny ones.
    IfLarge,
}

/// Whether a pointer may be one to the object that a mutex in a slot of tiny objects is of, at the mutex or
/// before it, or into the mutex itself. Tiny objects are smaller than their slot, so none that begins eight
/// bytes before a mutex reaches to the mutex's end; but slots of that size hold objects of sixteen bytes too
/// (`struct { n int64; mu sync.Mutex }`), in the same spans. One that begins behind it is another.
pub(crate) fn may_own(mutex: Addr, pointer: Addr) -> Owns {
    match mutex.0.checked_sub(pointer.0) {
        Some(0..=LARGEST_BEFORE) => Owns::Perhaps,
        Some(_) => Owns::IfLarge,
        None if pointer.0 - mutex.0 < MUTEX => Owns::Perhaps,
        None => Owns::Never,
    }
}

/// Whether what a pointer leads to, where its size is known, reaches to a mutex behind it. Nobody comes from
/// a number to the lock that stands beside it.
pub(crate) fn reaches(mutex: Addr, pointer: Addr, pointee_bytes: Option<u64>) -> bool {
    pointee_bytes.is_none_or(|bytes| pointer.0.saturating_add(bytes) > mutex.0)
}

/// Whether several tiny objects may share the slot at an address.
pub(crate) fn is_tiny(objects: &HeapObjects, at: Addr) -> bool {
    let found = objects.find(at).and_then(|o| objects.spans().get(o.span));
    found.is_some_and(lastgasp_goruntime::ObjectSpan::is_tiny)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_neighbour_in_a_tiny_block_owns_no_mutex() {
        use Owns::{IfLarge, Never, Perhaps};
        let block = 0xc0_0001_0010;
        let owns = |mutex: u64| (0..16u64).map(|p| may_own(Addr(block + mutex), Addr(block + p))).collect::<Vec<_>>();
        assert_eq!(owns(0), [[Perhaps; 8], [Never; 8]].concat());
        // The mutex of a `sync.Once` is four bytes behind its start.
        assert_eq!(owns(4), [&[Perhaps; 12][..], &[Never; 4]].concat());
        assert_eq!(owns(8), [&[IfLarge][..], &[Perhaps; 15]].concat());
        let reaches = |from: u64, bytes| reaches(Addr(block + 8), Addr(block + from), bytes);
        assert!(!reaches(4, Some(4)), "an int32 right before it");
        assert!(reaches(4, Some(12)) && reaches(0, Some(16)), "structs that it is a part of");
        assert!(reaches(0, None) && reaches(8, Some(8)));
    }
}
