//! Ways through the heap in words of the source: from a root by fields, elements and keys to an object.
//!
//! - `labels`: what one pointer is called.
//! - `merged`: all ways of the heap, those of the same words as one.
//! - `tree`: the top of the dominator tree, alike nodes as one.
//! - `mostly`: the type of most of what a root keeps.

mod labels;
mod merged;
mod mostly;
mod tree;

use lastgasp_heapgraph::{Holder, ObjectId, Paths, RootId};
use lastgasp_inferior::Addr;
use rustc_hash::FxHashMap;

use crate::heap::Heap;
use labels::Labels;
pub(crate) use labels::root_words;
pub use merged::MergedWay;
pub use mostly::{Mostly, mostly};
pub use tree::{TreeNode, dominator_tree};

/// The shortest way to every live object.
pub struct Ways<'h, 'a> {
    heap: &'h Heap<'a>,
    paths: Paths,
    labels: Labels<'h, 'a>,
}

impl<'h, 'a> Ways<'h, 'a> {
    /// Finds them. Ways through the runtime's own variables are taken where there is no other.
    #[must_use]
    pub fn of(heap: &'h Heap<'a>) -> Self {
        Self::from_those(heap, |_| true)
    }

    /// The same from some of the roots.
    #[must_use]
    pub fn from_those(heap: &'h Heap<'a>, roots: impl Fn(RootId) -> bool) -> Self {
        let enter = |holder: Holder| !matches!(holder, Holder::Root(root) if !roots(root));
        Self { heap, paths: Paths::of(&heap.graph, enter), labels: Labels::of(heap) }
    }

    /// The field of an object at an address within it: `.mu`; empty where there is none, or it is not known.
    #[must_use]
    pub fn field_at(&self, object: ObjectId, at: Addr) -> String {
        self.labels.within(object, at)
    }

    /// The way to an object in words: `global main.cache`, `.entries`, `[...]`, `.name`; empty of garbage. Of
    /// a leaf with one holder that takes a look at all pointers: [`Ways::to_many`] looks once for many.
    #[must_use]
    pub fn to(&self, object: ObjectId) -> Vec<String> {
        self.words(&self.holders(object))
    }

    /// The ways to many objects.
    #[must_use]
    pub fn to_many(&self, objects: &[ObjectId]) -> Vec<Vec<String>> {
        let graph = &self.heap.graph;
        let leaves: Vec<ObjectId> = objects.iter().copied().filter(|o| graph.is_folded(*o)).collect();
        let holders = graph.holders(&leaves, 1);
        let held_by: FxHashMap<ObjectId, Holder> =
            leaves.into_iter().zip(holders).filter_map(|(leaf, by)| Some((leaf, *by.first()?))).collect();
        let way = |object: &ObjectId| match held_by.get(object) {
            None if graph.is_folded(*object) => Vec::new(),
            None => self.holders(*object),
            Some(Holder::Object(by)) => {
                let mut path = self.holders(*by);
                if !path.is_empty() {
                    path.push(Holder::Object(*object));
                }
                path
            }
            Some(root) => vec![*root, Holder::Object(*object)],
        };
        objects.iter().map(|o| self.words(&way(o))).collect()
    }

    fn words(&self, path: &[Holder]) -> Vec<String> {
        let mut before = Holder::All;
        let mut words: Vec<String> = Vec::new();
        for holder in path {
            let label = self.labels.words(before, *holder);
            before = *holder;
            // Links of a list are one step.
            if !label.is_empty() && words.last() != Some(&label) {
                words.push(label);
            }
        }
        words
    }

    /// Holders on the way to an object, the root first.
    #[must_use]
    pub fn holders(&self, object: ObjectId) -> Vec<Holder> {
        self.paths.to(&self.heap.graph, object).unwrap_or_default()
    }

    /// All ways, merged by their words: at most `most`, those to the most bytes first.
    #[must_use]
    pub fn merged(&self, most: usize) -> Vec<MergedWay> {
        merged::merged(self.heap, &self.paths, &self.labels, most)
    }
}
