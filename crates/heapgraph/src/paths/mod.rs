//! Retaining paths: from a root to an object, the shortest first, and many of them merged.

mod search;
mod steps;

use rustc_hash::FxHashMap;

use crate::bits::{Bits, Ranked};
use crate::graph::{Graph, Holder, NONE};
use crate::layout::ObjectId;
use crate::retained::Retained;
use crate::roots::RootId;
use search::search;
use steps::Tree;

/// A shortest path to every object that roots reach; of equally short ones that of the lowest root, through
/// the words that come first.
///
/// Paths are found by their length, so what was met from one place stands in a row, and behind what was met
/// from what was gone on from before: two bits for each say which is before which.
#[derive(Clone, Debug)]
pub struct Paths {
    /// Nodes that have a path.
    met: Bits,
    /// By length of path: nodes of roots first, so many; then objects by their own numbers.
    order: Vec<u32>,
    roots: usize,
    turns: Turns,
    /// For each turn a member for each that was met in it, then one that is none.
    links: Ranked,
}

/// In which turn each place of the order was gone on from: roots first, then what they lead to, then the
/// roots that come last, then what only these lead to. In the order all roots stand before all objects.
#[derive(Clone, Copy, Debug, Default)]
struct Turns {
    /// Roots that came first.
    first: u32,
    /// Those that came last.
    last: u32,
    /// Objects that were met before these.
    early: u32,
}

impl Turns {
    /// The place that was gone on from in a turn.
    fn place(self, turn: u32) -> u32 {
        match turn.checked_sub(self.first) {
            None => turn,
            Some(n) if n < self.early => turn + self.last,
            Some(n) if n - self.early < self.last => turn - self.early,
            Some(_) => turn,
        }
    }
}

/// A step that paths have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Index of the step before it; the first has itself.
    pub before: usize,
    /// What [`Paths::merged`] was told of it.
    pub label: u64,
    /// Whether it stands for a run of steps of one label, the links of a list, or begins a pair of steps that
    /// comes again.
    pub repeats: bool,
    /// Objects of the set whose paths go through it or end here.
    pub through: Retained,
    /// Those whose paths end here, or go on in steps for which there was no room.
    pub ending: Retained,
}

/// At which step of merged paths the path to each node ends.
#[derive(Clone, Debug)]
pub struct Ends {
    /// By node, or by the dense number of those that were asked for; `NONE` where there is none.
    steps: Vec<u32>,
    nodes: Option<Ranked>,
}

impl Ends {
    /// The step of an object; `None` of garbage and of a folded leaf, and of what was not asked for nor lies
    /// on the way there.
    pub fn of(&self, graph: &Graph, object: ObjectId) -> Option<u32> {
        self.at(graph.node_of(object.0)?)
    }

    fn index(&self, node: u32) -> Option<usize> {
        self.nodes.as_ref().map_or(Some(node), |nodes| nodes.rank(node)).map(|index| index as usize)
    }

    fn at(&self, node: u32) -> Option<u32> {
        self.steps.get(self.index(node)?).copied().filter(|step| *step != NONE)
    }

    fn put(&mut self, node: u32, step: u32) {
        if let Some(place) = self.index(node).and_then(|index| self.steps.get_mut(index)) {
            *place = step;
        }
    }
}

impl Paths {
    /// Paths from all roots through what `enter` lets pass, asked of roots and objects with numbers of their
    /// own. Takes about four and a half bytes for each.
    pub fn of(graph: &Graph, enter: impl Fn(Holder) -> bool) -> Self {
        Self::search(graph, enter, |_| false, None)
    }

    /// The same, where some roots come `last`: what any other root leads to, by however long a way, is not
    /// told by way of these.
    pub fn with_last(graph: &Graph, enter: impl Fn(Holder) -> bool, last: impl Fn(RootId) -> bool) -> Self {
        Self::search(graph, enter, last, None)
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
        Self::search(graph, enter, |_| false, Some((wanted, left)))
    }

    fn search(
        graph: &Graph,
        enter: impl Fn(Holder) -> bool,
        last: impl Fn(RootId) -> bool,
        wanted: Option<(Bits, usize)>,
    ) -> Self {
        // There are below 2^30 nodes, and two links for each.
        search(graph, enter, last, wanted).unwrap_or_else(|_| Self {
            met: Bits::default(),
            order: Vec::new(),
            roots: 0,
            turns: Turns::default(),
            links: Ranked::default(),
        })
    }

    /// What stands at a place of the order.
    fn placed(&self, graph: &Graph, at: u32) -> Option<Holder> {
        let entry = *self.order.get(at as usize)?;
        if (at as usize) < self.roots { graph.holder(entry) } else { Some(Holder::Object(ObjectId(entry))) }
    }

    /// The place before another; `None` of roots.
    fn before(&self, at: u32) -> Option<u32> {
        let met = at.checked_sub(self.roots as u32)?;
        // Behind those of each turn stands one link that is none.
        self.links.select(met).map(|link| self.turns.place(link - met))
    }

    /// The places of some of what has a path.
    fn places_of(&self, graph: &Graph, of: &[Holder]) -> FxHashMap<Holder, u32> {
        let mut objects = Bits::new(graph.layout().bound());
        let mut nodes: FxHashMap<u32, Holder> = FxHashMap::default();
        let mut left = 0;
        for holder in of {
            let Some(node) = graph.node(*holder).filter(|node| self.met.contains(*node as usize)) else { continue };
            left += usize::from(match holder {
                Holder::Object(object) => objects.insert(object.0 as usize),
                other => nodes.insert(node, *other).is_none(),
            });
        }
        let mut places = FxHashMap::default();
        for (at, entry) in (0..).zip(&self.order) {
            if left == places.len() {
                break;
            }
            if (at as usize) < self.roots {
                places.extend(nodes.get(entry).map(|holder| (*holder, at)));
            } else if objects.contains(*entry as usize) {
                places.insert(Holder::Object(ObjectId(*entry)), at);
            }
        }
        places
    }

    /// Takes a place and all on the way to it into a set, up to what is in it.
    fn climb(&self, at: u32, set: &mut Bits) {
        let mut next = Some(at);
        while let Some(at) = next.filter(|at| set.insert(*at as usize)) {
            next = self.before(at);
        }
    }

    /// The shortest path to an object: a root, objects, the object itself. `None` for garbage, and what is
    /// reached only through what was not entered.
    pub fn to(&self, graph: &Graph, object: ObjectId) -> Option<Vec<Holder>> {
        let mut path = Vec::new();
        let mut last = Holder::Object(object);
        if graph.is_folded(object) {
            path.push(last);
            last = graph.holder_of_leaf(object)?;
        }
        let mut next = self.places_of(graph, &[last]).get(&last).copied();
        next?;
        while let Some(at) = next {
            path.push(self.placed(graph, at)?);
            next = self.before(at);
        }
        path.reverse();
        Some(path)
    }

    /// Goes along the shortest paths to all of `ends`, each step once, however many share it: `step` is told
    /// what it came to before (0 before a root), from where it goes and where to, and what it comes to is the
    /// number of that. Steps from one thing come in a row. Gives the numbers of `ends`; `None` for garbage
    /// and for folded leaves. Takes a bit for each object and node, and four bytes for each on the paths.
    pub fn along(
        &self,
        graph: &Graph,
        ends: &[Holder],
        mut step: impl FnMut(u32, Holder, Holder) -> u32,
    ) -> Vec<Option<u32>> {
        let places = self.places_of(graph, ends);
        let mut wanted = Bits::new(self.order.len());
        places.values().for_each(|at| self.climb(*at, &mut wanted));
        let Some(wanted) = Ranked::new(wanted) else { return vec![None; ends.len()] };
        let mut numbers: Vec<u32> = Vec::with_capacity(wanted.count() as usize);
        for at in wanted.bits().iter().map(|at| at as u32) {
            let before = self.before(at);
            let from = before.map_or(Some(Holder::All), |before| self.placed(graph, before));
            // What it was met from stands before it.
            let above = before.and_then(|before| wanted.rank(before)).map_or(0, |above| numbers[above as usize]);
            let number = from.zip(self.placed(graph, at)).map_or(0, |(from, to)| step(above, from, to));
            numbers.push(number);
        }
        let number = |end: &Holder| wanted.rank(*places.get(end)?).map(|rank| numbers[rank as usize]);
        ends.iter().map(number).collect()
    }

    /// The shortest paths to all of `set`, merged where they have steps in common, in at most `most` steps
    /// (at least one: the first stands before all roots). `label` names a step, from what holds
    /// ([`Holder::All`] before a root) to what is held: its type and the field's offset, say. Steps of one
    /// label in a row are one that repeats, and so is a pair of them. A step's number is higher than that of
    /// the step before it.
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
        let wanted = set.map(|set| leaves_of(graph, set));
        let (places, nodes) = match set.zip(wanted.as_ref()) {
            Some((set, wanted)) => {
                let (places, nodes) = self.on_the_way(graph, set, wanted);
                (Some(places), Ranked::new(nodes))
            }
            None => (None, None),
        };
        let count = nodes.as_ref().map_or(graph.nodes(), |nodes| nodes.count() as usize);
        let mut ends = Ends { steps: vec![NONE; count], nodes };
        let weight = |object| Retained { bytes: graph.layout().bytes(object), objects: 1 };
        // What is held by one comes in a row. The way from all to a root is the first step.
        let mut last = (None, Some((Holder::All, 0)));
        let mut each = |at: u32, before: Option<u32>| {
            let Some(to) = self.placed(graph, at) else { return };
            if last.0 != before {
                let from = before.and_then(|before| self.placed(graph, before));
                last = (before, from.and_then(|from| Some((from, ends.at(graph.node(from)?)?))));
            }
            let (Some((from, above)), Some(node)) = (last.1, graph.node(to)) else { return };
            let step = tree.step(above, label(from, to));
            ends.put(node, step);
            if let Holder::Object(object) = to
                && set.is_none_or(|set| set(object))
            {
                tree.end(step, weight(object));
            }
        };
        match &places {
            Some(places) => places.iter().map(|at| at as u32).for_each(|at| each(at, self.before(at))),
            None => self.each_in_order(each),
        }
        self.leaves(graph, wanted.as_ref(), |node, holder, object| {
            let Some(above) = ends.at(node) else { return };
            let step = tree.step(above, label(holder, Holder::Object(object)));
            tree.end(step, weight(object));
            leaf(object, step as usize);
        });
        (tree.finish(), ends)
    }

    /// Calls `each` with every place, in their order, and with the place before it.
    fn each_in_order(&self, mut each: impl FnMut(u32, Option<u32>)) {
        let roots = self.roots as u32;
        (0..roots).for_each(|at| each(at, None));
        for (met, link) in (0..).zip(self.links.bits().iter()) {
            each(roots + met, Some(self.turns.place(link as u32 - met)));
        }
    }

    /// What lies on paths to what is in the set, and to `leaves`: places, and nodes.
    fn on_the_way(&self, graph: &Graph, set: &dyn Fn(ObjectId) -> bool, leaves: &Bits) -> (Bits, Bits) {
        let (mut places, mut nodes) = (Bits::new(self.order.len()), Bits::new(graph.nodes()));
        // Who holds leaves, first.
        self.leaves(graph, Some(leaves), |node, _, _| {
            nodes.insert(node as usize);
        });
        for (at, entry) in (0u32..).zip(&self.order) {
            let is_root = (at as usize) < self.roots;
            let node = if is_root { Some(*entry) } else { graph.node_of(*entry) };
            let is_end = node.is_some_and(|node| nodes.contains(node as usize));
            if is_end || !is_root && set(ObjectId(*entry)) {
                self.climb(at, &mut places);
            }
        }
        for at in places.iter().map(|at| at as u32) {
            if let Some(node) = self.placed(graph, at).and_then(|to| graph.node(to)) {
                nodes.insert(node as usize);
            }
        }
        (places, nodes)
    }

    /// Folded leaves, those that are wanted or all, with the node that holds each, if a path leads there.
    fn leaves(&self, graph: &Graph, wanted: Option<&Bits>, mut each: impl FnMut(u32, Holder, ObjectId)) {
        let is_leaf = |object: u32| match wanted {
            Some(wanted) => wanted.contains(object as usize),
            None => graph.node_of(object).is_none(),
        };
        for (root, object) in graph.roots().held().iter().filter(|(_, o)| is_leaf(o.0)) {
            let node = graph.node_of_root(*root);
            if self.met.contains(node as usize) {
                each(node, Holder::Root(*root), *object);
            }
        }
        graph.edges.each_of_all(|from, to| {
            let mut leaves = to.iter().copied().filter(|to| is_leaf(*to)).peekable();
            if leaves.peek().is_some()
                && let Some(node) = graph.node_of(from).filter(|node| self.met.contains(*node as usize))
            {
                leaves.for_each(|leaf| each(node, Holder::Object(ObjectId(from)), ObjectId(leaf)));
            }
        });
    }
}

/// Folded leaves of a set: each is asked for once, in the order of memory, and not for every pointer.
fn leaves_of(graph: &Graph, set: &dyn Fn(ObjectId) -> bool) -> Bits {
    let mut wanted = Bits::new(graph.layout().bound());
    let leaves = graph.layout().allocated().iter().filter(|o| !graph.numbered.bits().contains(*o));
    for leaf in leaves.filter(|o| set(ObjectId(*o as u32))) {
        wanted.insert(leaf);
    }
    wanted
}
