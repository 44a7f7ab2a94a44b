//! Which goroutines have an object at hand: those from whose stacks few steps lead to it. Of a queue they are
//! who fills it and who empties it, whoever else keeps it.

use std::collections::BTreeMap;

use lastgasp_heapgraph::{Holder, ObjectId};
use rustc_hash::FxHashSet;

use crate::heap::Heap;

/// Steps back from an object to a stack at most: the array of a list, the struct that has the list, the
/// struct of who works on that.
const MOST_BACK: u32 = 3;
/// Pointers to each object that are followed back. What has more of them is everybody's.
const MOST_POINTERS: usize = 64;
/// Objects that are asked about in one step, all together.
const MOST_ASKED: usize = 4096;
/// Goroutines that are told of each.
const MOST_GOROUTINES: usize = 256;

/// Of each set of objects the goroutines that have one of them at hand, the nearest first. A look at every
/// pointer for each step back, however many are asked about; none where nothing is.
pub(crate) fn at_hand(heap: &Heap<'_>, sets: &[&[ObjectId]]) -> Vec<Vec<u64>> {
    // Of each set the goroutines, with the fewest steps.
    let mut known: Vec<BTreeMap<u64, u32>> = vec![BTreeMap::new(); sets.len()];
    let of_set = |(set, objects): (usize, &&[ObjectId])| objects.iter().map(move |o| (*o, set)).collect::<Vec<_>>();
    let mut asked: Vec<(ObjectId, usize)> = sets.iter().enumerate().flat_map(of_set).collect();
    let mut seen: FxHashSet<(ObjectId, usize)> = asked.iter().copied().collect();
    for steps in 0..MOST_BACK {
        asked.truncate(MOST_ASKED);
        if asked.is_empty() {
            break;
        }
        let objects: Vec<ObjectId> = asked.iter().map(|(object, _)| *object).collect();
        let mut next = Vec::new();
        for ((_, set), holders) in asked.iter().zip(heap.graph.holders(&objects, MOST_POINTERS)) {
            let is_everybodys = holders.len() >= MOST_POINTERS;
            for holder in holders {
                match holder {
                    Holder::Root(root) => {
                        if let (Some(goid), Some(known)) = (heap.goid(root), known.get_mut(*set)) {
                            known.entry(goid).or_insert(steps);
                        }
                    }
                    Holder::Object(above) if !is_everybodys && seen.insert((above, *set)) => next.push((above, *set)),
                    _ => {}
                }
            }
        }
        asked = next;
    }
    let nearest_first = |known: BTreeMap<u64, u32>| {
        let mut all: Vec<(u32, u64)> = known.into_iter().map(|(goid, steps)| (steps, goid)).collect();
        all.sort_unstable();
        all.into_iter().map(|(_, goid)| goid).take(MOST_GOROUTINES).collect()
    };
    known.into_iter().map(nearest_first).collect()
}
