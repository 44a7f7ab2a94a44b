//! Objects and bytes of many nodes, side by side in eight bytes where that is enough: slots of Go's heap are
//! multiples of eight, so a heap below 32 GiB is counted in eights. Most nodes keep little, and when all is
//! added up theirs stand in four bytes, and those that keep more elsewhere.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicU32, AtomicU64};

use crate::layout::HeapLayout;
use crate::retained::Retained;

/// Objects and bytes by number.
#[derive(Clone, Debug)]
pub(super) enum Sums {
    /// Objects, and bytes in units of eight.
    Eights(Vec<Eights>),
    /// As they are.
    Bytes(Vec<u64>, Vec<u32>),
    /// Objects in the lowest bits, bytes in units of eight in those above; where there is no room for both,
    /// the highest bit, and the place among `large`, which are as of `Eights`.
    Small { sums: Vec<u32>, large: Vec<Eights> },
}

/// Objects, and bytes in units of eight.
type Eights = [u32; 2];

/// Bits of a small sum that count objects.
const OBJECT_BITS: u32 = 14;
/// In a small sum: it stands elsewhere.
const ELSEWHERE: u32 = 1 << 31;
/// Where more than one in so many is not small, little is saved.
const FEW: usize = 3;

/// Of eights that of both halves in four bytes, if there is room.
fn small([objects, eights]: Eights) -> Option<u32> {
    let is_small = objects < 1 << OBJECT_BITS && eights < ELSEWHERE >> OBJECT_BITS;
    is_small.then_some(eights << OBJECT_BITS | objects)
}

fn of_eights([objects, eights]: Eights) -> Retained {
    Retained { bytes: u64::from(eights) * 8, objects }
}

impl Sums {
    /// Those of one number.
    pub(super) fn get(&self, at: u32) -> Retained {
        match self {
            Self::Eights(sums) => of_eights(sums[at as usize]),
            Self::Bytes(bytes, objects) => Retained { bytes: bytes[at as usize], objects: objects[at as usize] },
            Self::Small { sums, large } => {
                let sum = sums[at as usize];
                if sum & ELSEWHERE != 0 {
                    return of_eights(large[(sum & !ELSEWHERE) as usize]);
                }
                Retained { bytes: u64::from(sum >> OBJECT_BITS) * 8, objects: sum & ((1 << OBJECT_BITS) - 1) }
            }
        }
    }

    /// In as little memory as there is to it; nothing is added any more.
    pub(super) fn packed(self) -> Self {
        let Self::Eights(mut all) = self else { return self };
        let count = all.iter().filter(|sum| small(**sum).is_none()).count();
        if count > all.len() / FEW {
            return Self::Eights(all);
        }
        let mut large = Vec::with_capacity(count);
        // In the same memory: two of them take the place of one, which is read by then.
        for at in 0..all.len() {
            let sum = all[at];
            all[at / 2][at % 2] = small(sum).unwrap_or_else(|| {
                large.push(sum);
                // There are below 2^30 nodes.
                ELSEWHERE | (large.len() - 1) as u32
            });
        }
        all.truncate(all.len().div_ceil(2));
        all.shrink_to_fit();
        Self::Small { sums: all.into_flattened(), large }
    }

    /// Adds each to that of `above`, which has a lower number, the last first.
    pub(super) fn add_up(&mut self, above: &[u32]) {
        match self {
            Self::Eights(sums) => {
                for v in (1..above.len()).rev() {
                    let [objects, eights] = sums[v];
                    let sum = &mut sums[above[v] as usize];
                    *sum = [sum[0] + objects, sum[1] + eights];
                }
            }
            Self::Bytes(bytes, objects) => {
                for v in (1..above.len()).rev() {
                    bytes[above[v] as usize] += bytes[v];
                    objects[above[v] as usize] += objects[v];
                }
            }
            // All is added up before.
            Self::Small { .. } => {}
        }
    }
}

/// Sums that several threads make at once, each of them those of other numbers.
pub(super) enum Counting {
    Eights(Vec<[AtomicU32; 2]>),
    Bytes(Vec<AtomicU64>, Vec<AtomicU32>),
}

impl Counting {
    /// Of `n` numbers, nothing yet; what is added is objects of `layout`, each once.
    pub(super) fn new(layout: &HeapLayout, n: usize) -> Self {
        let in_eights = layout.spans().all(|(span, _)| span.slot_bytes.is_multiple_of(8));
        if in_eights && layout.total().1 / 8 <= u64::from(u32::MAX) {
            Self::Eights((0..n).map(|_| [AtomicU32::new(0), AtomicU32::new(0)]).collect())
        } else {
            Self::Bytes((0..n).map(|_| AtomicU64::new(0)).collect(), (0..n).map(|_| AtomicU32::new(0)).collect())
        }
    }

    /// Adds objects, and the bytes of all of them, to a number that no other thread adds to meanwhile: to
    /// wait for each sum alone, as an addition that others may see does, takes most of the time.
    pub(super) fn add(&self, at: u32, of: Retained) {
        match self {
            Self::Eights(sums) => {
                let [objects, eights] = &sums[at as usize];
                objects.store(objects.load(Relaxed) + of.objects, Relaxed);
                eights.store(eights.load(Relaxed) + (of.bytes / 8) as u32, Relaxed);
            }
            Self::Bytes(sums, objects) => {
                let (bytes, objects) = (&sums[at as usize], &objects[at as usize]);
                bytes.store(bytes.load(Relaxed) + of.bytes, Relaxed);
                objects.store(objects.load(Relaxed) + of.objects, Relaxed);
            }
        }
    }

    pub(super) fn finish(self) -> Sums {
        match self {
            Self::Eights(sums) => Sums::Eights(sums.into_iter().map(|sum| sum.map(AtomicU32::into_inner)).collect()),
            Self::Bytes(sums, objects) => Sums::Bytes(
                sums.into_iter().map(AtomicU64::into_inner).collect(),
                objects.into_iter().map(AtomicU32::into_inner).collect(),
            ),
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
            let one = Retained { bytes: slot_bytes, objects: 1 };
            (0..slots).for_each(|slot| counting.add([3, 1, 2, 3][slot as usize], one));
            let mut sums = counting.finish();
            sums.add_up(&[0, 0, 1, 0]);
            let of = |n: u32| Retained { bytes: u64::from(n) * slot_bytes, objects: n };
            let all = [of(slots), of(2), of(1), of(slots - 2)];
            assert_eq!([0, 1, 2, 3].map(|at| sums.get(at)), all);
            let packed = sums.packed();
            assert_eq!([0, 1, 2, 3].map(|at| packed.get(at)), all, "packed");
        }
    }

    #[test]
    fn what_is_not_small_stands_in_a_table_if_there_is_little_of_it() {
        let sum = |eights: u32, objects: u32| [objects, eights];
        let most = sum((1 << 17) - 1, (1 << 14) - 1);
        let large = [sum(1 << 17, 1), sum(1, 1 << 14), sum(u32::MAX, u32::MAX)];
        for (few, ones) in [(true, 40), (false, 2)] {
            let all: Vec<Eights> =
                large.iter().copied().chain((0..ones).map(|n| sum(n, 1))).chain([most, [0; 2]]).collect();
            let packed = Sums::Eights(all.clone()).packed();
            assert_eq!(matches!(packed, Sums::Small { .. }), few);
            for (at, sum) in all.iter().enumerate() {
                assert_eq!(packed.get(at as u32), of_eights(*sum), "{at}");
            }
        }
    }
}
