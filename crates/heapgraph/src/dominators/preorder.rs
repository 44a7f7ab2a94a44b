//! Depth-first numbers of all that roots reach.

use std::sync::{Mutex, PoisonError};

use crate::bits::Bits;
use crate::graph::{ALL, Graph, Holder, NONE, TooLarge, on_threads};
use crate::layout::ObjectId;
use crate::roots::RootId;

/// In a list of targets: the last of its node.
const LAST: u32 = 1 << 31;
/// The walk went along this pointer: what stands there is the number of what it met by it.
const TREE: u32 = 1 << 30;
/// What of an entry is a node or a number: there are fewer (`Graph::with_roots`).
const VALUE: u32 = TREE - 1;
/// In place of a target whose pointer says nothing any more. No number is that high.
const DONE: u32 = VALUE;

/// A depth-first walk: the n nodes that were reached, numbered as they were met.
pub(super) struct Preorder {
    /// Number of each node, or `NONE`.
    pub(super) number: Vec<u32>,
    /// Number of the node from which each was met, by number; of the first itself.
    pub(super) parent: Vec<u32>,
    pub(super) crossing: Crossing,
    /// What roots hold that those of a lower rank reach: these pointers were not gone along.
    pub(super) left: Vec<(RootId, ObjectId)>,
}

/// Targets of each node: those of a node begin at its `next` and end with one marked `LAST`. Folded leaves
/// are not among them.
struct Targets {
    nodes: Vec<Visit>,
    targets: Vec<u32>,
}

impl Targets {
    fn new(graph: &Graph, ranks: &[u32]) -> Result<Self, TooLarge> {
        let pieces = graph.pieces();
        let runs = graph.counted_runs(&pieces);
        let fresh = Visit { number: NONE, next: NONE };
        let mut nodes = Vec::with_capacity(graph.nodes());
        nodes.resize(graph.objects_from(), fresh);
        let mut targets = outside(graph, ranks, &mut nodes);
        let all = targets.len() as u64 + runs.iter().map(|(_, count)| count).sum::<u64>();
        if all >= u64::from(NONE) {
            return Err(TooLarge);
        }
        let outside = targets.len();
        targets.resize(all as usize, 0);
        nodes.resize(graph.nodes(), fresh);

        // Each run fills its own nodes' starts and its own targets.
        let mut work = Vec::with_capacity(runs.len());
        let (mut objects, mut room) = (&mut nodes[graph.objects_from()..], &mut targets[outside..]);
        let (mut object, mut at) = (0, outside);
        for (run, count) in runs {
            let (Some(first), Some(last)) = (run.first(), run.last()) else { continue };
            let (from, to) = (first.slots().0, last.slots().1);
            let (first, end) = (graph.numbered.rank_below(from), graph.numbered.rank_below(to));
            let (_, rest) = objects.split_at_mut((first - object) as usize);
            let (mine, rest) = rest.split_at_mut((end - first) as usize);
            let (own, others) = room.split_at_mut(count as usize);
            work.push(Mutex::new((run, first, mine, at as u32, own)));
            (objects, room, object, at) = (rest, others, end, at + count as usize);
        }
        on_threads(&work, graph.threads(), |work| {
            let mut work = work.lock().unwrap_or_else(PoisonError::into_inner);
            let (run, first, nodes, at, targets) = &mut *work;
            let mut filled = 0;
            graph.edges.each(run, |from, to| {
                let Some(rank) = graph.numbered.rank(from) else { return };
                let begin = filled;
                for (to, node) in to.iter().filter_map(|t| Some((*t, graph.node_of(*t)?))) {
                    // A pointer to itself says nothing either.
                    let itself = graph.objects_from() as u32 + rank;
                    targets[filled] = if graph.is_cut(from, to) { itself } else { node };
                    filled += 1;
                }
                if filled > begin {
                    targets[filled - 1] |= LAST;
                    let start = &mut nodes[(rank - *first) as usize].next;
                    if *start == NONE {
                        *start = *at + begin as u32;
                    } else {
                        // More pointers of the same object.
                        targets[begin - 1] &= !LAST;
                    }
                }
            });
        });
        drop(work);
        Ok(Self { nodes, targets })
    }
}

/// Targets of the nodes that are no objects; of all roots together in the order of ranks.
fn outside(graph: &Graph, ranks: &[u32], nodes: &mut [Visit]) -> Vec<u32> {
    let mut pairs: Vec<(u32, u32)> = graph.outside_nodes().collect();
    pairs.sort_unstable_by_key(|(from, to)| (*from, ranks.get(*to as usize), *to));
    let held =
        graph.roots().held().iter().filter_map(|(root, o)| Some((graph.node_of_root(*root), graph.node_of(o.0)?)));
    pairs.extend(held);
    let mut targets: Vec<u32> = Vec::with_capacity(pairs.len());
    for (i, (from, to)) in pairs.iter().enumerate() {
        let start = &mut nodes[*from as usize].next;
        if *start == NONE {
            *start = i as u32;
        }
        let last = pairs.get(i + 1).is_none_or(|next| next.0 != *from);
        targets.push(to | if last { LAST } else { 0 });
    }
    targets
}

/// What the walk knows of a node; asked for together.
#[derive(Clone, Copy)]
struct Visit {
    number: u32,
    /// The next of its targets, `NONE` behind the last.
    next: u32,
}

/// Of each node that is no object its rank: of a group that of its first root.
fn ranks(graph: &Graph, rank: &dyn Fn(RootId) -> u32) -> Vec<u32> {
    let mut ranks = vec![u32::MAX; graph.objects_from()];
    ranks[ALL as usize] = 0;
    for root in (0..graph.roots().len() as u32).map(RootId) {
        let own = rank(root);
        ranks[graph.node_of_root(root) as usize] = own;
        if let Some(group) = graph.roots().group_of(root).map(|g| graph.node_of_group(g) as usize)
            && ranks[group] == u32::MAX
        {
            ranks[group] = own;
        }
    }
    ranks
}

impl Preorder {
    /// Walks from all roots, those of the lowest rank first. There is no stack: while the walk is below a
    /// pointer, what is above it stands in that pointer's place (Schorr, Waite, An efficient
    /// machine-independent procedure for garbage collection, 1967), and then the number of what was met by
    /// it. Of what was met before only that is asked, a bit: its number is looked up when the walk is over,
    /// where nobody waits for one before he asks for the next.
    pub(super) fn of(graph: &Graph, rank: &dyn Fn(RootId) -> u32) -> Result<Self, TooLarge> {
        let ranks = ranks(graph, rank);
        let Targets { mut nodes, mut targets } = Targets::new(graph, &ranks)?;
        let objects_from = graph.objects_from() as u32;
        // The rank that is walked from, and how many nodes lower ones have reached.
        let (mut rank, mut floor) = (0, 0);
        let mut left = Vec::new();
        let mut pointing = Bits::new(nodes.len());
        for at in nodes.iter().enumerate().filter(|(_, node)| node.next != NONE).map(|(at, _)| at) {
            pointing.insert(at);
        }
        nodes[ALL as usize].number = 0;
        let mut seen = Bits::new(nodes.len());
        seen.insert(ALL as usize);
        // Where the walk is, from where it came, and how many nodes were met.
        let (mut at, mut number, mut above, mut met) = (ALL, 0, ALL, 1);
        loop {
            let next = nodes[at as usize].next;
            if next == NONE {
                if at == ALL {
                    break;
                }
                let from = &mut nodes[above as usize];
                let slot = &mut targets[from.next as usize];
                let (higher, last) = (*slot & VALUE, *slot & LAST);
                *slot = number | TREE | last;
                from.next = if last == 0 { from.next + 1 } else { NONE };
                (at, number, above) = (above, from.number, higher);
                continue;
            }
            if next.is_multiple_of(AHEAD) {
                look_ahead(&targets, next, &nodes, &seen);
            }
            let slot = &mut targets[next as usize];
            let (to, last) = (*slot & VALUE, *slot & LAST);
            if at == ALL && ranks[to as usize] != rank {
                (rank, floor) = (ranks[to as usize], met);
            }
            if seen.insert(to as usize) {
                let node = &mut nodes[to as usize];
                let first = node.next;
                node.number = met;
                if first == NONE {
                    *slot = met | TREE | last;
                    nodes[at as usize].next = if last == 0 { next + 1 } else { NONE };
                } else {
                    *slot = above | last;
                    (at, number, above) = (to, met, at);
                    look_ahead(&targets, first, &nodes, &seen);
                }
                met += 1;
                continue;
            }
            nodes[at as usize].next = if last == 0 { next + 1 } else { NONE };
            if to == at {
                *slot = DONE | last;
            } else if at < objects_from && nodes[to as usize].number < floor {
                *slot = DONE | last;
                if let (Some(Holder::Root(r)), Some(Holder::Object(o))) = (graph.holder(at), graph.holder(to)) {
                    left.push((r, o));
                }
            }
        }
        drop(seen);
        // In the same memory, half of which is then let go.
        let mut number: Vec<u32> = nodes.into_iter().map(|node| node.number).collect();
        number.shrink_to_fit();
        let mut parent = vec![0; met as usize];
        let pointing = only_crossing(&number, &pointing, &mut targets, &mut parent);
        targets.shrink_to_fit();
        Ok(Self { number, parent, crossing: Crossing { pointing, targets }, left })
    }
}

/// Takes out of a list of targets the pointers that the walk went along, which say where each number was met
/// from, and lets go of what says nothing any more, and of all of nodes that were not reached; what is left,
/// half of it, is by number. Gives the nodes whose lists are not empty.
fn only_crossing(number: &[u32], pointing: &Bits, targets: &mut Vec<u32>, parent: &mut [u32]) -> Bits {
    narrowed(number, pointing, targets, |source, target| {
        if source == NONE || target == DONE {
            return None;
        }
        if target & TREE != 0 {
            parent[(target & VALUE) as usize] = source;
            return None;
        }
        Some(number[target as usize])
    })
}

/// Keeps of the lists of targets of all `pointing` nodes, one behind another, what `kept` gives for them,
/// which hears the number of each node too; gives the nodes whose lists are not empty.
fn narrowed(
    number: &[u32],
    pointing: &Bits,
    targets: &mut Vec<u32>,
    mut kept: impl FnMut(u32, u32) -> Option<u32>,
) -> Bits {
    let mut left = Bits::new(number.len());
    let (mut read, mut written) = (0, 0);
    for node in pointing.iter() {
        let (begin, source) = (written, number[node]);
        while let Some(entry) = targets.get(read).copied() {
            read += 1;
            if let Some(target) = kept(source, entry & !LAST) {
                targets[written] = target;
                written += 1;
            }
            if entry & LAST != 0 {
                break;
            }
        }
        if written > begin {
            targets[written - 1] |= LAST;
            left.insert(node);
        }
    }
    targets.truncate(written);
    left
}

/// Targets that are looked at together.
const AHEAD: u32 = 8;

/// Looks at what the next targets of a node know that were not met yet, all at once: each stands somewhere
/// else in memory, and who waits for one after another waits most of the time.
fn look_ahead(targets: &[u32], next: u32, nodes: &[Visit], seen: &Bits) {
    let mut known = 0;
    for target in targets[next as usize..].iter().take(AHEAD as usize) {
        let node = (target & VALUE) as usize;
        if !seen.contains(node) {
            known ^= nodes[node].number;
        }
        if target & LAST != 0 {
            break;
        }
    }
    std::hint::black_box(known);
}

/// Pointers that a walk did not go along: the numbers of their targets, in lists by the node that holds them.
pub(super) struct Crossing {
    /// Nodes that have a list, which ends with an entry marked `LAST`.
    pointing: Bits,
    targets: Vec<u32>,
}

/// Some of them by target, all in numbers of the walk.
#[derive(Default)]
pub(super) struct ByTarget {
    /// The first target.
    first: u32,
    /// Where the sources of each target begin, and at the end where those of the last end.
    starts: Vec<u32>,
    sources: Vec<u32>,
}

impl Crossing {
    /// Takes those out that lead to `first` and above. What is sorted so a part at a time stands twice for
    /// that part alone, and what is written here and there stands near enough to be at hand.
    pub(super) fn take_from(&mut self, first: u32, end: u32, number: &[u32], into: &mut ByTarget) {
        into.first = first;
        let ByTarget { starts, sources, .. } = into;
        // First how many there are up to each; filled in from its end, each comes to its start.
        starts.clear();
        starts.resize((end - first) as usize + 1, 0);
        for at in self.targets.iter().filter_map(|target| (target & VALUE).checked_sub(first)) {
            starts[at as usize] += 1;
        }
        let mut sum = 0;
        for start in starts.iter_mut() {
            sum += *start;
            *start = sum;
        }
        sources.clear();
        sources.resize(sum as usize, 0);
        self.pointing = narrowed(number, &self.pointing, &mut self.targets, |source, target| {
            let Some(at) = target.checked_sub(first) else { return Some(target) };
            let at = &mut starts[at as usize];
            *at -= 1;
            sources[*at as usize] = source;
            None
        });
        self.targets.shrink_to_fit();
    }
}

impl ByTarget {
    /// Who points to one.
    pub(super) fn of(&self, target: u32) -> &[u32] {
        let at = (target - self.first) as usize;
        &self.sources[self.starts[at] as usize..self.starts[at + 1] as usize]
    }
}
