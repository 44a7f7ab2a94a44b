//! All ways of the heap, those of the same words and types as one.

use std::cell::RefCell;

use lastgasp_heapgraph::{Holder, ObjectId, Paths, Retained, Step};
use rustc_hash::FxHashMap;

use super::labels::Labels;
use crate::heap::Heap;

/// Steps that are told apart.
const MAX_STEPS: usize = 1 << 16;
/// Objects up to which the way of each is told; in a larger heap that of the large ones.
const ALL_OF: u32 = 6_000_000;
/// What is large then, in bytes.
const LARGE: u64 = 4096;

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

/// A step: its words, and the type that it leads to.
type Label = (String, String);

pub(super) fn merged(heap: &Heap<'_>, paths: &Paths, labels: &Labels<'_, '_>, most: usize) -> Vec<MergedWay> {
    let graph = &heap.graph;
    let numbers = RefCell::new((Vec::<Label>::new(), FxHashMap::<Label, u64>::default()));
    let label = |from: Holder, to: Holder| {
        let type_name = match to {
            Holder::Object(object) => heap.type_of(object).map_or_else(String::new, |(_, name)| name.to_owned()),
            _ => String::new(),
        };
        let label = (labels.words(from, to), type_name);
        let mut numbers = numbers.borrow_mut();
        if let Some(known) = numbers.1.get(&label) {
            return *known;
        }
        numbers.0.push(label.clone());
        let number = numbers.0.len() as u64 - 1;
        numbers.1.insert(label, number);
        number
    };
    let all = heap.live().objects <= ALL_OF;
    let set = |object: ObjectId| all || graph.layout().bytes(object) >= LARGE;
    // Which step each object ends at; leaves that are folded keep themselves alone.
    let mut ends: FxHashMap<u32, u32> = FxHashMap::default();
    let mut leaves: FxHashMap<usize, u64> = FxHashMap::default();
    let steps = paths.merged_telling(graph, set, label, MAX_STEPS, |object, step| {
        if graph.is_folded(object) {
            *leaves.entry(step).or_default() += graph.layout().bytes(object);
        } else {
            ends.insert(object.0, step as u32);
        }
    });
    let totals = heap.dominators.by_group(graph, steps.len(), |object| ends.get(&object.0).copied());
    let (labels, _) = numbers.into_inner();
    let mut order: Vec<usize> =
        (1..steps.len()).filter(|i| steps.get(*i).is_some_and(|s| s.ending.bytes > 0)).collect();
    let own = |i: usize| steps.get(i).map_or(Retained::default(), |s| s.ending);
    order.sort_by_key(|i| (std::cmp::Reverse(own(*i).bytes), *i));
    order.truncate(most);
    let way = |i: usize| MergedWay {
        steps: words(&steps, &labels, i),
        type_name: steps.get(i).and_then(|s| labels.get(s.label as usize)).map(|l| l.1.clone()).unwrap_or_default(),
        own: own(i),
        retained: Retained {
            bytes: totals.get(i).map_or(0, |t| t.retained.bytes) + leaves.get(&i).copied().unwrap_or_default(),
            objects: totals.get(i).map_or(0, |t| t.retained.objects).max(own(i).objects),
        },
    };
    order.into_iter().map(way).collect()
}

/// Words of the steps down to one.
fn words(steps: &[Step], labels: &[Label], mut at: usize) -> Vec<String> {
    let mut out = Vec::new();
    while at != 0 {
        let Some(step) = steps.get(at) else { break };
        if let Some((words, _)) = labels.get(step.label as usize).filter(|l| !l.0.is_empty()) {
            out.push(words.clone());
        }
        at = step.before;
    }
    out.reverse();
    out.dedup();
    out
}
