//! Objects and bytes of many nodes, side by side in eight bytes where that is enough: slots of Go's heap are
//! multiples of eight, so a heap below 32 GiB is counted in eights.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicU32, AtomicU64};

use crate::layout::HeapLayout;
use crate::retained::Retained;

/// Objects and bytes by number.
#[derive(Clone, Debug)]
pub(super) enum Sums {
    /// Objects in the lower half, bytes in units of eight in the upper one: no sum of a half carries over.
    Eights(Vec<u64>),
    /// As they are.
    Bytes(Vec<u64>, Vec<u32>),
}

impl Sums {
    /// Those of one number.
    pub(super) fn get(&self, at: u32) -> Retained {
        match self {
            Self::Eights(sums) => {
                let both = sums[at as usize];
                Retained { bytes: (both >> 32) * 8, objects: both as u32 }
            }
            Self::Bytes(bytes, objects) => Retained { bytes: bytes[at as usize], objects: objects[at as usize] },
        }
    }

    /// Adds each to that of `above`, which has a lower number, the last first.
    pub(super) fn add_up(&mut self, above: &[u32]) {
        match self {
            Self::Eights(sums) => (1..above.len()).rev().for_each(|v| sums[above[v] as usize] += sums[v]),
            Self::Bytes(bytes, objects) => {
                for v in (1..above.len()).rev() {
                    bytes[above[v] as usize] += bytes[v];
                    objects[above[v] as usize] += objects[v];
                }
            }
        }
    }
}

/// Sums that several threads add to at once: what they come to does not depend on who comes first.
pub(super) enum Counting {
    Eights(Vec<AtomicU64>),
    Bytes(Vec<AtomicU64>, Vec<AtomicU32>),
}

impl Counting {
    /// Of `n` numbers, nothing yet; what is added is objects of `layout`, each once.
    pub(super) fn new(layout: &HeapLayout, n: usize) -> Self {
        let in_eights = layout.spans().all(|(span, _)| span.slot_bytes.is_multiple_of(8));
        let none = || (0..n).map(|_| AtomicU64::new(0)).collect();
        if in_eights && layout.total().1 / 8 <= u64::from(u32::MAX) {
            Self::Eights(none())
        } else {
            Self::Bytes(none(), (0..n).map(|_| AtomicU32::new(0)).collect())
        }
    }

    /// Adds an object of so many bytes.
    pub(super) fn add(&self, at: u32, bytes: u64) {
        match self {
            Self::Eights(sums) => {
                sums[at as usize].fetch_add((bytes / 8) << 32 | 1, Relaxed);
            }
            Self::Bytes(sums, objects) => {
                sums[at as usize].fetch_add(bytes, Relaxed);
                objects[at as usize].fetch_add(1, Relaxed);
            }
        }
    }

    pub(super) fn finish(self) -> Sums {
        let plain = |sums: Vec<AtomicU64>| sums.into_iter().map(AtomicU64::into_inner).collect();
        match self {
            Self::Eights(sums) => Sums::Eights(plain(sums)),
            Self::Bytes(sums, objects) => {
                Sums::Bytes(plain(sums), objects.into_iter().map(AtomicU32::into_inner).collect())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::Span;

    #[test]
    fn both_forms_have_the_same_sums() {
        for (slot_bytes, slots, in_eights) in
            [(16, 4, true), (12, 4, false), (8 << 30, 3, true), (8 << 30, 4, false), (1 << 40, 4, false)]
        {
            let mut layout = HeapLayout::new(vec![Span { base: 0x1000, slot_bytes, slots }]);
            layout.allocate_all(0);
            let counting = Counting::new(&layout, 4);
            assert_eq!(matches!(counting, Counting::Eights(_)), in_eights, "{slot_bytes}");
            (0..slots).for_each(|slot| counting.add([3, 1, 2, 3][slot as usize], slot_bytes));
            let mut sums = counting.finish();
            sums.add_up(&[0, 0, 1, 0]);
            let of = |n: u32| Retained { bytes: u64::from(n) * slot_bytes, objects: n };
            assert_eq!([0, 1, 2, 3].map(|at| sums.get(at)), [of(slots), of(2), of(1), of(slots - 2)]);
        }
    }
}
