//! Retaining paths: from a root to an object, the shortest first, and many of them merged.

use rustc_hash::FxHashMap;

use crate::bits::{Bits, Ranked};
use crate::edges::Cursor;
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
    /// By length of path: nodes of roots first, so many; then objects by their own numbers.
    order: Vec<u32>,
    roots: usize,
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
        Self::search(graph, enter, None)
    }

    /// The same, for who asks for ways to `ends` and to nothing else: it ends when there is one to each.
    pub fn to_those(graph: &Graph, enter: impl Fn(Holder) -> bool, ends: &[ObjectId]) -> Self {
        let leaves: Vec<ObjectId> = ends.iter().copied().filter(|o| graph.is_folded(*o)).collect();
        let of_leaves = if leaves.is_empty() { Vec::new() } else { graph.only_holders(&leaves) };
        let mut wanted = Bits::new(graph.nodes());
        let mut left = 0;
        let holders = ends.iter().map(|o| Holder::Object(*o)).chain(of_leaves.into_iter().flatten());
        for node in holders.filter_map(|holder| graph.node(holder)) {
            left += usize::from(wanted.insert(node as usize));
        }
        Self::search(graph, enter, Some((wanted, left)))
    }

    /// Goes on until all is found, or all of `wanted`, of which so many are left.
    fn search(graph: &Graph, enter: impl Fn(Holder) -> bool, wanted: Option<(Bits, usize)>) -> Self {
        let (wanted, left) = wanted.unwrap_or((Bits::default(), usize::MAX));
        let mut found = Found { before: vec![NONE; graph.nodes()], order: Vec::new(), wanted, left };
        // What roots do not reach has no place in it: mostly nothing.
        found.order.reserve_exact(graph.nodes() - graph.roots().groups() - 1);
        for root in (0..graph.roots().len() as u32).map(RootId) {
            let node = graph.node_of_root(root);
            found.meet(ALL, node, node, || enter(Holder::Root(root)));
        }
        let roots = found.order.len();
        // A root's objects, then a handful of objects at a time. Each stands somewhere else in memory, and so
        // does what is known of its targets: who goes from one to the next waits most of the time, and what
        // is asked of many at once is waited for together.
        let mut at = 0;
        let mut batch = Batch::default();
        while at < found.order.len() && found.left > 0 {
            let from = found.order[at];
            if at < roots {
                if let Some(Holder::Root(root)) = graph.holder(from) {
                    for to in graph.roots().held_by(root) {
                        let next = graph.node_of(to.0);
                        next.into_iter().for_each(|next| {
                            found.meet(from, next, to.0, || enter(Holder::Object(to)));
                        });
                    }
                }
                at += 1;
                continue;
            }
            let end = found.order.len().min(at + BATCH);
            batch.fill(graph, &found.order[at..end], &found.before);
            at = end;
            let mut targets = batch.targets.iter();
            for (from, end) in &batch.objects {
                if found.left == 0 {
                    break;
                }
                for (next, to) in targets.by_ref().take(*end) {
                    found.meet(*from, *next, *to, || enter(Holder::Object(ObjectId(*to))));
                }
            }
        }
        let Found { before, order, .. } = found;
        Self { before, order, roots }
    }

    /// What stands at a place of the order, and its node.
    fn placed(&self, graph: &Graph, at: usize) -> Option<(u32, Holder)> {
        let entry = *self.order.get(at)?;
        if at < self.roots {
            Some((entry, graph.holder(entry)?))
        } else {
            Some((graph.node_of(entry)?, Holder::Object(ObjectId(entry))))
        }
    }

    /// All that have a path, the shortest first, each with its node.
    fn in_order<'s>(&'s self, graph: &'s Graph) -> impl DoubleEndedIterator<Item = (u32, Holder)> + 's {
        (0..self.order.len()).filter_map(move |at| self.placed(graph, at))
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
        for (node, _) in self.in_order(graph).rev() {
            if wanted.contains(node as usize) {
                wanted.insert(self.before[node as usize] as usize);
            }
        }
        let Some(wanted) = Ranked::new(wanted) else { return vec![None; ends.len()] };
        let mut numbers = vec![0; wanted.count() as usize];
        for (node, to) in self.in_order(graph) {
            let Some(rank) = wanted.rank(node) else { continue };
            let before = self.before[node as usize];
            let Some(from) = graph.holder(before) else { continue };
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
        for (node, to) in self.in_order(graph) {
            if wanted.as_ref().is_some_and(|wanted| !wanted.contains(node as usize)) {
                continue;
            }
            let before = self.before[node as usize];
            if last.0 != before {
                last = (before, graph.holder(before));
            }
            let Some(from) = last.1 else { continue };
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
        for (node, _) in self.in_order(graph).rev() {
            if wanted.contains(node as usize) {
                wanted.insert(self.before[node as usize] as usize);
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

/// Objects whose targets are asked for together.
const BATCH: usize = 64;

/// Paths as they are found.
struct Found {
    before: Vec<u32>,
    order: Vec<u32>,
    wanted: Bits,
    /// How many of those that are wanted have no path yet.
    left: usize,
}

impl Found {
    /// Comes to a node from another; `entry` is what stands for it in the order.
    fn meet(&mut self, from: u32, node: u32, entry: u32, enter: impl FnOnce() -> bool) {
        if self.before[node as usize] == NONE && enter() {
            self.before[node as usize] = from;
            self.order.push(entry);
            self.left -= usize::from(self.wanted.contains(node as usize));
        }
    }
}

/// Neighbours in the order, and where they point.
#[derive(Default)]
struct Batch {
    /// Nodes, each with how many targets it has.
    objects: Vec<(u32, usize)>,
    /// Nodes of the targets, and their objects.
    targets: Vec<(u32, u32)>,
    /// Objects alone, before it is known which of them are nodes.
    pointed: Vec<u32>,
}

impl Batch {
    /// Asks for the targets of `objects`, and looks at what `before` says of each.
    fn fill(&mut self, graph: &Graph, objects: &[u32], before: &[u32]) {
        self.objects.clear();
        self.targets.clear();
        // What is met in a row often stands in a row.
        let mut cursor = Cursor::default();
        for object in objects {
            self.pointed.clear();
            graph.edges.of_next(&mut cursor, *object, |to| self.pointed.push(to));
            let first = self.targets.len();
            self.targets.extend(self.pointed.iter().filter_map(|to| Some((graph.node_of(*to)?, *to))));
            // What was met has a node.
            self.objects.push((graph.node_of(*object).unwrap_or(ALL), self.targets.len() - first));
        }
        let seen = self.targets.iter().fold(0, |seen, (node, _)| seen ^ before[*node as usize]);
        std::hint::black_box(seen);
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
