//! Which goroutines have an object at hand: those from whose stacks few steps lead to it. Of a queue they are
//! who fills it and who empties it, whoever else keeps it.

use std::collections::BTreeMap;

use lastgasp_heapgraph::{Holder, ObjectId, RootId};
use rustc_hash::{FxHashMap, FxHashSet};

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
        for (goid, set) in on_stacks(heap, &asked) {
            known.get_mut(set).into_iter().for_each(|known| {
                known.entry(goid).or_insert(steps);
            });
        }
        let objects: Vec<ObjectId> = asked.iter().map(|(object, _)| *object).collect();
        let mut next = Vec::new();
        for ((_, set), holders) in asked.iter().zip(heap.graph.holders(&objects, MOST_POINTERS)) {
            if holders.len() >= MOST_POINTERS {
                continue;
            }
            let above = holders.into_iter().filter_map(|holder| match holder {
                Holder::Object(above) => Some((above, *set)),
                _ => None,
            });
            next.extend(above.filter(|above| seen.insert(*above)));
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

/// Goroutines on whose stacks one of the objects is, each with the object's set. What a variable holds is
/// there too: in the graph goroutines do not hold that.
fn on_stacks(heap: &Heap<'_>, asked: &[(ObjectId, usize)]) -> Vec<(u64, usize)> {
    let mut sets: FxHashMap<ObjectId, Vec<usize>> = FxHashMap::default();
    for (object, set) in asked {
        sets.entry(*object).or_default().push(*set);
    }
    let roots = &heap.awaited.roots;
    let goroutines = (0..roots.len() as u32).map(RootId).filter_map(|root| Some((root, heap.goid(root)?)));
    let mut out = Vec::new();
    for (root, goid) in goroutines {
        let of = roots.held_by(root).filter_map(|object| sets.get(&object)).flatten();
        out.extend(of.map(|set| (goid, *set)));
    }
    out
}
