//! All ways of the heap, those of the same words and types as one.

use lastgasp_heapgraph::{Holder, ObjectId, Paths, Retained, Step};
use rustc_hash::FxHashMap;

use super::labels::{EMPTY, Label, Labels};
use crate::heap::Heap;

/// Steps that are told apart.
const MAX_STEPS: usize = 1 << 16;
/// Objects up to which the way of each is told; in a larger heap that of the large ones.
const ALL_OF: u32 = 6_000_000;
/// What is large then, in bytes.
const LARGE: u64 = 4096;
/// The number of no type's name.
const NO_TYPE: u32 = u32::MAX;

/// Objects that are reached by the same words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MergedWay {
    /// Words of the way, the root first.
    pub steps: Vec<String>,
    /// Type of what it leads to; empty where it is not known.
    pub type_name: String,
    /// The objects themselves.
    pub own: Retained,
    /// What they keep alive.
    pub retained: Retained,
}

pub(super) fn merged(heap: &Heap<'_>, paths: &Paths, labels: &Labels<'_, '_>, most: usize) -> Vec<MergedWay> {
    let graph = &heap.graph;
    // A step's words, and the type that it leads to.
    let mut label = |from: Holder, to: Holder| {
        let of = match to {
            Holder::Object(object) => heap.types.name_number(graph.layout(), object),
            _ => None,
        };
        u64::from(labels.of_step(from, to)) << 32 | u64::from(of.unwrap_or(NO_TYPE))
    };
    let all = heap.live().objects <= ALL_OF;
    let large = |object: ObjectId| graph.layout().bytes(object) >= LARGE;
    let set: Option<&dyn Fn(ObjectId) -> bool> = if all { None } else { Some(&large) };
    // Leaves that are folded keep themselves alone.
    let mut leaves: FxHashMap<usize, u64> = FxHashMap::default();
    let (steps, ends) = paths.merged_telling(graph, set, &mut label, MAX_STEPS, &mut |object, step| {
        *leaves.entry(step).or_default() += graph.layout().bytes(object);
    });
    let totals = if all {
        heap.dominators.by_group(graph, steps.len(), |object| ends.of(graph, object))
    } else {
        // Of a large heap there are few: where all other ways end is let go before groups are made.
        let live = heap.dominators.live().iter().map(|o| ObjectId(o as u32)).filter(|o| large(*o));
        let few: Vec<(ObjectId, u32)> = live.filter_map(|o| Some((o, ends.of(graph, o)?))).collect();
        drop(ends);
        heap.dominators.of_few(graph, steps.len(), &few)
    };
    let mut order: Vec<usize> =
        (1..steps.len()).filter(|i| steps.get(*i).is_some_and(|s| s.ending.bytes > 0)).collect();
    let own = |i: usize| steps.get(i).map_or(Retained::default(), |s| s.ending);
    order.sort_by_key(|i| (std::cmp::Reverse(own(*i).bytes), *i));
    order.truncate(most);
    let way = |i: usize| MergedWay {
        steps: words(&steps, labels, i),
        type_name: steps.get(i).and_then(|s| heap.types.name_of(s.label as u32)).unwrap_or_default().to_owned(),
        own: own(i),
        retained: Retained {
            bytes: totals.get(i).map_or(0, |t| t.retained.bytes) + leaves.get(&i).copied().unwrap_or_default(),
            objects: totals.get(i).map_or(0, |t| t.retained.objects).max(own(i).objects),
        },
    };
    order.into_iter().map(way).collect()
}

/// Words of the steps down to one.
fn words(steps: &[Step], labels: &Labels<'_, '_>, mut at: usize) -> Vec<String> {
    let mut out = Vec::new();
    while at != 0 {
        let Some(step) = steps.get(at) else { break };
        let label = (step.label >> 32) as Label;
        if label != EMPTY {
            out.push(labels.spelled(label));
        }
        at = step.before;
    }
    out.reverse();
    out.dedup();
    out
}
