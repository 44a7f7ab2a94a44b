//! Ways through the heap in words of the source: from a root by fields, elements and keys to an object.
//!
//! - `labels`: what one pointer is called.
//! - `merged`: all ways of the heap, those of the same words as one.
//! - `tree`: the top of the dominator tree, alike nodes as one.

mod labels;
mod leaders;
mod merged;
mod tree;

use lastgasp_heapgraph::{Holder, ObjectId, Paths, RootId};
use lastgasp_inferior::Addr;
use rustc_hash::FxHashMap;

use crate::heap::Heap;
use labels::{EMPTY, Label, Labels};
pub use leaders::Leader;
pub use merged::MergedWay;
pub use tree::{TreeNode, dominator_tree};

/// Ways as they are spelled, each as what it is behind another: number 0 has no words.
#[derive(Default)]
struct Spelled {
    ways: Vec<(u32, Label)>,
    /// Of what type what each leads to is, as it was met first.
    types: Vec<Option<u32>>,
    numbers: FxHashMap<(u32, Label), u32>,
}

impl Spelled {
    /// The way that goes on from another by a step. Links of a list are one, also where they stand in arrays,
    /// and what has no name is none.
    fn step(&mut self, before: u32, label: Label, of: Option<u32>) -> u32 {
        if label == EMPTY || self.get(before).is_some_and(|(_, last)| last == label) {
            return before;
        }
        if let Some((one, last)) = self.get(before)
            && let Some((above, known)) = self.get(one)
            && known == label
            && self.type_of(one) == of
            && self.get(above).is_some_and(|(root, link)| root != 0 && link == last)
        {
            return one;
        }
        let key = (before, label);
        *self.numbers.entry(key).or_insert_with(|| {
            self.ways.push(key);
            self.types.push(of);
            self.ways.len() as u32
        })
    }

    fn type_of(&self, way: u32) -> Option<u32> {
        self.types.get((way as usize).checked_sub(1)?).copied().flatten()
    }

    fn get(&self, way: u32) -> Option<(u32, Label)> {
        self.ways.get((way as usize).checked_sub(1)?).copied()
    }

    fn words(&self, labels: &Labels<'_, '_>, mut way: u32) -> Vec<String> {
        let mut words = Vec::new();
        // What a way is behind has a lower number.
        while let Some((before, label)) = self.get(way) {
            words.push(labels.spelled(label));
            way = before;
        }
        words.reverse();
        words
    }
}

/// The shortest way to every live object, but those that only lists of pools lead to; from pools, timers and
/// what else the runtime has only where no other way leads.
pub struct Ways<'h, 'a> {
    heap: &'h Heap<'a>,
    paths: Paths,
    labels: Labels<'h, 'a>,
}

impl<'h, 'a> Ways<'h, 'a> {
    /// Finds them. By the lists of pools none is told, which a pool is in only until a collection or two
    /// after it was used last.
    #[must_use]
    pub fn of(heap: &'h Heap<'a>) -> Self {
        let enter = |holder: Holder| !matches!(holder, Holder::Root(root) if heap.holders.is_list_of_pools(root));
        let paths = Paths::with_last(&heap.graph, enter, |root| heap.holders.is_last(root));
        Self { heap, paths, labels: Labels::of(heap) }
    }

    /// The same from some of the roots, to `objects` and to nothing else.
    #[must_use]
    pub fn from_those(heap: &'h Heap<'a>, roots: impl Fn(RootId) -> bool, objects: &[ObjectId]) -> Self {
        let enter = |holder: Holder| !matches!(holder, Holder::Root(root) if !roots(root));
        Self { heap, paths: Paths::to_those(&heap.graph, enter, objects), labels: Labels::of(heap) }
    }

    /// The field of an object at an address within it: `.mu`; empty where there is none, or it is not known.
    #[must_use]
    pub fn field_at(&self, object: ObjectId, at: Addr) -> String {
        self.labels.within(object, at)
    }

    /// The ways to objects in words: `global main.cache`, `.entries`, `[...]`, `.name`; empty of garbage.
    /// What they have in common is gone along once, and of leaves with one holder that one is looked for
    /// once.
    #[must_use]
    pub fn to_many(&self, objects: &[ObjectId]) -> Vec<Vec<String>> {
        let graph = &self.heap.graph;
        let leaves: Vec<ObjectId> = objects.iter().copied().filter(|o| graph.is_folded(*o)).collect();
        let holders = self.heap.only_holders(&leaves);
        let held_by: FxHashMap<ObjectId, Holder> =
            leaves.into_iter().zip(holders).filter_map(|(leaf, by)| Some((leaf, by?))).collect();
        // What has a path, and the leaf behind that.
        let ends: Vec<(Holder, Option<ObjectId>)> = objects
            .iter()
            .map(|object| match held_by.get(object) {
                Some(by) => (*by, Some(*object)),
                None => (Holder::Object(*object), None),
            })
            .collect();
        let mut spelled = Spelled::default();
        let of = |to: Holder| match to {
            Holder::Object(object) => self.heap.types.name_number(graph.layout(), object),
            _ => None,
        };
        let nodes: Vec<Holder> = ends.iter().map(|(node, _)| *node).collect();
        let mut numbers = self
            .paths
            .along(graph, &nodes, |before, from, to| spelled.step(before, self.labels.of_step(from, to), of(to)));
        // Leaves of one holder in a row: its pointers are read once.
        let mut last: Vec<(Holder, ObjectId, usize)> =
            ends.into_iter().zip(0..).filter_map(|((by, leaf), i)| Some((by, leaf?, i))).collect();
        last.sort_unstable();
        for (by, leaf, i) in last {
            if let Some(Some(way)) = numbers.get_mut(i) {
                let leaf = Holder::Object(leaf);
                *way = spelled.step(*way, self.labels.of_step(by, leaf), of(leaf));
            }
        }
        let spelled = |way: &Option<u32>| way.map(|way| spelled.words(&self.labels, way)).unwrap_or_default();
        numbers.iter().map(spelled).collect()
    }

    /// All ways of the heap, to be merged.
    #[must_use]
    pub fn merging(&self) -> Merging<'_, 'h, 'a> {
        Merging { heap: self.heap, paths: &self.paths }
    }
}

/// Ways of a heap that are to be merged: on any thread, as words are found anew.
pub struct Merging<'w, 'h, 'a> {
    heap: &'h Heap<'a>,
    paths: &'w Paths,
}

impl Merging<'_, '_, '_> {
    /// All ways, merged by their words: at most `most`, those to the most bytes first.
    #[must_use]
    pub fn merged(&self, most: usize) -> Vec<MergedWay> {
        merged::merged(self.heap, self.paths, &Labels::of(self.heap), most)
    }
}
