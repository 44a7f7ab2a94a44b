//! Retaining paths: from a root to an object, the shortest first, and many of them merged.

use rustc_hash::FxHashMap;

use crate::bits::{Bits, Ranked};
use crate::graph::{ALL, Graph, Holder, NONE};
use crate::layout::ObjectId;
use crate::retained::Retained;
use crate::roots::RootId;

/// A shortest path to every object that roots reach; of equally short ones that of the lowest root, through
/// the words that come first.
#[derive(Clone, Debug)]
pub struct Paths {
    /// The node before each, `NONE` where there is no path.
    before: Vec<u32>,
    /// Nodes by length of path.
    order: Vec<u32>,
}

/// A step that paths have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Index of the step before it; the first has itself.
    pub before: usize,
    /// What [`Paths::merged`] was told of it.
    pub label: u64,
    /// Whether it stands for a run of steps of one label: the links of a list.
    pub repeats: bool,
    /// Objects of the set whose paths go through it or end here.
    pub through: Retained,
    /// Those whose paths end here, or go on in steps for which there was no room.
    pub ending: Retained,
}

/// At which step of merged paths the path to each node ends.
#[derive(Clone, Debug)]
pub struct Ends {
    /// By node, `NONE` where there is none.
    steps: Vec<u32>,
}

impl Ends {
    /// The step of an object; `None` of garbage and of a folded leaf, and of what was not asked for nor lies
    /// on the way there.
    pub fn of(&self, graph: &Graph, object: ObjectId) -> Option<u32> {
        let step = *self.steps.get(graph.node_of(object.0)? as usize)?;
        (step != NONE).then_some(step)
    }
}

impl Paths {
    /// Paths from all roots through what `enter` lets pass, asked of roots and objects with numbers of their
    /// own. Takes 8 bytes for each.
    pub fn of(graph: &Graph, enter: impl Fn(Holder) -> bool) -> Self {
        let mut before = vec![NONE; graph.nodes()];
        let mut order = Vec::with_capacity(graph.nodes());
        let mut meet = |from: u32, node: u32, holder: Holder, order: &mut Vec<u32>| {
            if before[node as usize] == NONE && enter(holder) {
                before[node as usize] = from;
                order.push(node);
            }
        };
        for root in (0..graph.roots().len() as u32).map(RootId) {
            meet(ALL, graph.node_of_root(root), Holder::Root(root), &mut order);
        }
        let mut at = 0;
        while let Some(node) = order.get(at).copied() {
            at += 1;
            let mut each = |to: u32| {
                if let Some(next) = graph.node_of(to) {
                    meet(node, next, Holder::Object(ObjectId(to)), &mut order);
                }
            };
            match graph.holder(node) {
                Some(Holder::Root(root)) => graph.roots().held_by(root).for_each(|o| each(o.0)),
                Some(Holder::Object(object)) => graph.edges.of(object.0, each),
                _ => {}
            }
        }
        Self { before, order }
    }

    /// The shortest path to an object: a root, objects, the object itself. `None` for garbage, and what is
    /// reached only through what was not entered.
    pub fn to(&self, graph: &Graph, object: ObjectId) -> Option<Vec<Holder>> {
        let mut path = Vec::new();
        let mut node = match graph.node_of(object.0) {
            Some(node) => node,
            None => {
                path.push(Holder::Object(object));
                graph.holder_of_leaf(object).and_then(|h| graph.node(h))?
            }
        };
        while node != ALL {
            path.push(graph.holder(node)?);
            node = *self.before.get(node as usize).filter(|before| **before != NONE)?;
        }
        path.reverse();
        Some(path)
    }

    /// Goes along the shortest paths to all of `ends`, each step once, however many share it: `step` is told
    /// what it came to before (0 before a root), from where it goes and where to, and what it comes to is the
    /// number of that. Steps from one thing come in a row. Gives the numbers of `ends`; `None` for garbage
    /// and for folded leaves. Takes a bit for each node, and four bytes for each on the paths.
    pub fn along(
        &self,
        graph: &Graph,
        ends: &[Holder],
        mut step: impl FnMut(u32, Holder, Holder) -> u32,
    ) -> Vec<Option<u32>> {
        let mut wanted = Bits::new(graph.nodes());
        let node_of = |end: &Holder| {
            let node = graph.node(*end)?;
            (*self.before.get(node as usize)? != NONE).then_some(node)
        };
        for node in ends.iter().filter_map(node_of) {
            wanted.insert(node as usize);
        }
        for node in self.order.iter().rev().filter(|n| **n != ALL) {
            if wanted.contains(*node as usize) {
                wanted.insert(self.before[*node as usize] as usize);
            }
        }
        let Some(wanted) = Ranked::new(wanted) else { return vec![None; ends.len()] };
        let mut numbers = vec![0; wanted.count() as usize];
        for node in self.order.iter().copied() {
            let Some(rank) = wanted.rank(node) else { continue };
            let before = self.before[node as usize];
            let (Some(from), Some(to)) = (graph.holder(before), graph.holder(node)) else { continue };
            let above = if before == ALL { None } else { wanted.rank(before) };
            let above = above.map_or(0, |above| numbers[above as usize]);
            numbers[rank as usize] = step(above, from, to);
        }
        ends.iter().map(|end| wanted.rank(node_of(end)?).map(|rank| numbers[rank as usize])).collect()
    }

    /// The shortest paths to all of `set`, merged where they have steps in common, in at most `most` steps
    /// (at least one: the first stands before all roots). `label` names a step, from what holds
    /// ([`Holder::All`] before a root) to what is held: its type and the field's offset, say. Steps of one
    /// label in a row are one that repeats. A step's number is higher than that of the step before it.
    pub fn merged(
        &self,
        graph: &Graph,
        set: impl Fn(ObjectId) -> bool,
        mut label: impl FnMut(Holder, Holder) -> u64,
        most: usize,
    ) -> Vec<Step> {
        self.merged_telling(graph, Some(&set), &mut label, most, &mut |_, _| {}).0
    }

    /// As [`Paths::merged`], of all objects where no set is given; with the step at which the path to each
    /// node ends. `leaf` hears of each folded leaf of the set at which step its path ends.
    pub fn merged_telling(
        &self,
        graph: &Graph,
        set: Option<&dyn Fn(ObjectId) -> bool>,
        label: &mut dyn FnMut(Holder, Holder) -> u64,
        most: usize,
        leaf: &mut dyn FnMut(ObjectId, usize),
    ) -> (Vec<Step>, Ends) {
        let mut tree = Tree::new(most);
        let wanted = set.map(|set| self.on_the_way(graph, set));
        let mut steps = vec![NONE; graph.nodes()];
        let weight = |object| Retained { bytes: graph.layout().bytes(object), objects: 1 };
        // What is held by one comes in a row.
        let mut last = (NONE, None);
        for node in self.order.iter().copied() {
            if wanted.as_ref().is_some_and(|wanted| !wanted.contains(node as usize)) {
                continue;
            }
            let before = self.before[node as usize];
            if last.0 != before {
                last = (before, graph.holder(before));
            }
            let (Some(from), Some(to)) = (last.1, graph.holder(node)) else { continue };
            // The way from all to a root is the first step.
            let above = if before == ALL { 0 } else { steps[before as usize] };
            let step = tree.step(above, label(from, to));
            steps[node as usize] = step;
            if let Holder::Object(object) = to
                && set.is_none_or(|set| set(object))
            {
                tree.end(step, weight(object));
            }
        }
        self.leaves(graph, set, |node, holder, object| {
            let step = tree.step(steps[node as usize], label(holder, Holder::Object(object)));
            tree.end(step, weight(object));
            leaf(object, step as usize);
        });
        (tree.finish(), Ends { steps })
    }

    /// Nodes on paths to what is in the set.
    fn on_the_way(&self, graph: &Graph, set: &dyn Fn(ObjectId) -> bool) -> Bits {
        let mut wanted = Bits::new(graph.nodes());
        self.leaves(graph, Some(set), |node, _, _| {
            wanted.insert(node as usize);
        });
        for (object, node) in graph.numbered.bits().iter().zip(graph.objects_from()..) {
            if self.before[node] != NONE && set(ObjectId(object as u32)) {
                wanted.insert(node);
            }
        }
        for node in self.order.iter().rev() {
            if wanted.contains(*node as usize) {
                wanted.insert(self.before[*node as usize] as usize);
            }
        }
        wanted
    }

    /// Folded leaves in the set, with the node that holds each, if a path leads there.
    fn leaves(
        &self,
        graph: &Graph,
        set: Option<&dyn Fn(ObjectId) -> bool>,
        mut each: impl FnMut(u32, Holder, ObjectId),
    ) {
        let is_leaf = |object: u32| graph.node_of(object).is_none() && set.is_none_or(|set| set(ObjectId(object)));
        for (root, object) in graph.roots().held().iter().filter(|(_, o)| is_leaf(o.0)) {
            let node = graph.node_of_root(*root);
            if self.before[node as usize] != NONE {
                each(node, Holder::Root(*root), *object);
            }
        }
        graph.edges.each_of_all(|from, to| {
            let node = graph.node_of(from).filter(|node| self.before[*node as usize] != NONE);
            let Some(node) = node else { return };
            for leaf in to.iter().filter(|t| is_leaf(**t)) {
                each(node, Holder::Object(ObjectId(from)), ObjectId(*leaf));
            }
        });
    }
}

/// Steps as they are found.
struct Tree {
    steps: Vec<Step>,
    known: FxHashMap<(u32, u64), u32>,
    most: usize,
}

impl Tree {
    fn new(most: usize) -> Self {
        let first =
            Step { before: 0, label: 0, repeats: false, through: Retained::default(), ending: Retained::default() };
        Self { steps: vec![first], known: FxHashMap::default(), most }
    }

    /// The step of `label` behind `before`: a new one, a known one, or `before` itself where it repeats or
    /// there is no more room.
    fn step(&mut self, before: u32, label: u64) -> u32 {
        let above = self.steps[before as usize];
        if before != 0 && above.before != 0 && above.label == label {
            self.steps[before as usize].repeats = true;
            return before;
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

    fn end(&mut self, step: u32, weight: Retained) {
        self.steps[step as usize].ending.add(weight);
    }

    fn finish(mut self) -> Vec<Step> {
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
