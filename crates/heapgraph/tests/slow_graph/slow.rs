//! The slow algorithm: a map of who points to whom, walked anew for every question.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use lastgasp_heapgraph::{Holder, Retained};

/// Who points to whom.
#[derive(Default)]
pub(crate) struct Slow {
    pointers: BTreeMap<Holder, BTreeSet<Holder>>,
    /// Of each object.
    pub(crate) bytes: BTreeMap<Holder, u64>,
}

impl Slow {
    pub(crate) fn point(&mut self, from: Holder, to: Holder) {
        self.pointers.entry(from).or_default().insert(to);
    }

    pub(crate) fn points(&self, from: Holder) -> bool {
        self.pointers.get(&from).is_some_and(|to| to.iter().any(|to| *to != from))
    }

    pub(crate) fn is_pointer(&self, from: Holder, to: Holder) -> bool {
        self.pointers.get(&from).is_some_and(|all| all.contains(&to))
    }

    /// Who points to it: roots, then objects; itself is none.
    pub(crate) fn pointing_to(&self, to: Holder) -> Vec<Holder> {
        self.pointers.iter().filter(|(from, all)| **from != to && all.contains(&to)).map(|(from, _)| *from).collect()
    }

    /// All there are.
    pub(crate) fn holders(&self) -> BTreeSet<Holder> {
        let pointing = self.pointers.iter().flat_map(|(from, to)| to.iter().chain([from]));
        pointing.chain(self.bytes.keys()).chain([&Holder::All]).copied().collect()
    }

    /// What is reached without entering what `enter` refuses.
    pub(crate) fn reach(&self, enter: impl Fn(Holder) -> bool) -> BTreeSet<Holder> {
        let mut seen = BTreeSet::new();
        let mut waiting = vec![Holder::All];
        while let Some(at) = waiting.pop() {
            if enter(at) && seen.insert(at) {
                waiting.extend(self.pointers.get(&at).into_iter().flatten());
            }
        }
        seen
    }

    pub(crate) fn weight(&self, set: &BTreeSet<Holder>) -> Retained {
        let bytes = set.iter().filter_map(|h| self.bytes.get(h));
        Retained { bytes: bytes.clone().sum(), objects: bytes.count() as u32 }
    }

    fn dominators(&self, of: Holder) -> BTreeSet<Holder> {
        self.holders().into_iter().filter(|x| !self.reach(|h| h != *x).contains(&of)).collect()
    }

    /// The dominator that all other dominators dominate.
    pub(crate) fn dominator(&self, of: Holder) -> Option<Holder> {
        if of == Holder::All || !self.reach(|_| true).contains(&of) {
            return None;
        }
        let mut all = self.dominators(of);
        all.remove(&of);
        all.into_iter().max_by_key(|d| self.dominators(*d).len())
    }

    /// The nearest dominator that is no object.
    pub(crate) fn owner(&self, of: Holder) -> Holder {
        let outside = self.dominators(of).into_iter().filter(|d| !matches!(d, Holder::Object(_)));
        outside.max_by_key(|d| self.dominators(*d).len()).unwrap()
    }

    /// Steps of the shortest path, its root and the object counted.
    pub(crate) fn distance(&self, to: Holder, from: impl Fn(Holder) -> bool) -> Option<usize> {
        let roots = self.reach(|h| !matches!(h, Holder::Object(_)) && from(h));
        let mut waiting: VecDeque<(Holder, usize)> =
            roots.into_iter().filter(|h| matches!(h, Holder::Root(_))).map(|r| (r, 1)).collect();
        let mut seen = BTreeSet::new();
        while let Some((at, length)) = waiting.pop_front() {
            if at == to {
                return Some(length);
            }
            if seen.insert(at) {
                waiting.extend(self.pointers.get(&at).into_iter().flatten().map(|next| (*next, length + 1)));
            }
        }
        None
    }
}
