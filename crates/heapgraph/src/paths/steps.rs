//! Steps that paths have in common, as they are found.

use rustc_hash::FxHashMap;

use super::Step;
use crate::retained::Retained;

/// Steps as they are found.
pub(super) struct Tree {
    steps: Vec<Step>,
    known: FxHashMap<(u32, u64), u32>,
    most: usize,
}

impl Tree {
    pub(super) fn new(most: usize) -> Self {
        let first =
            Step { before: 0, label: 0, repeats: false, through: Retained::default(), ending: Retained::default() };
        Self { steps: vec![first], known: FxHashMap::default(), most }
    }

    /// The step of `label` behind `before`: a new one, a known one, or `before` itself where it repeats or
    /// there is no more room.
    pub(super) fn step(&mut self, before: u32, label: u64) -> u32 {
        let above = self.steps[before as usize];
        if before != 0 && above.before != 0 && above.label == label {
            self.steps[before as usize].repeats = true;
            return before;
        }
        if let Some(step) = self.pair_that_repeats(above, label) {
            self.steps[step as usize].repeats = true;
            return step;
        }
        if let Some(step) = self.known.get(&(before, label)) {
            return *step;
        }
        if self.steps.len() >= self.most {
            return before;
        }
        let step = self.steps.len() as u32;
        let fresh = Retained::default();
        self.steps.push(Step { before: before as usize, label, repeats: false, through: fresh, ending: fresh });
        self.known.insert((before, label), step);
        step
    }

    /// The step before `above`, where a step of `label` would be the second pair of the two: links of a list
    /// that stand in arrays, as of a skip list or a tree (seen blind: windows in a skip list, told as forty
    /// ways of 5 MB each).
    fn pair_that_repeats(&self, above: Step, label: u64) -> Option<u32> {
        let (one, other) = (self.steps[above.before], above);
        let before = self.steps[one.before];
        let is_pair = other.before != 0 && one.before != 0 && before.before != 0;
        (is_pair && one.label == label && before.label == other.label).then_some(above.before as u32)
    }

    pub(super) fn end(&mut self, step: u32, weight: Retained) {
        self.steps[step as usize].ending.add(weight);
    }

    pub(super) fn finish(mut self) -> Vec<Step> {
        for i in (0..self.steps.len()).rev() {
            let ending = self.steps[i].ending;
            self.steps[i].through.add(ending);
            if i > 0 {
                let (through, before) = (self.steps[i].through, self.steps[i].before);
                self.steps[before].through.add(through);
            }
        }
        self.steps
    }
}
