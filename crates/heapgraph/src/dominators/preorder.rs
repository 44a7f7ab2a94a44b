//! Depth-first numbers of all that roots reach.

use std::sync::{Mutex, PoisonError};

use crate::bits::Bits;
use crate::graph::{ALL, Graph, Holder, NONE, TooLarge, on_threads};
use crate::layout::ObjectId;
use crate::roots::RootId;

/// In a list of targets: the last of its node.
const LAST: u32 = 1 << 31;
/// In place of a target whose pointer says nothing any more. No number is that high.
const DONE: u32 = !LAST;

/// A depth-first walk: the n nodes that were reached, numbered as they were met.
pub(super) struct Preorder {
    /// Number of each node, or `NONE`.
    pub(super) number: Vec<u32>,
    /// Number of the node from which each was met, by number; of the first itself.
    pub(super) parent: Vec<u32>,
    pub(super) crossing: Crossing,
    /// Memory that is not used any more, for numbers of as many.
    pub(super) room: Vec<u32>,
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
    /// Walks from all roots, those of the lowest rank first. The way back is where each was met from: there
    /// is no stack. Pointers that it does not go along are noted in the list of targets itself, each as its
    /// target's number in place of the target's node: there is no list beside it.
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
        // By number: what stands beside where the walk is was met shortly before.
        let (mut parent, mut order) = (Vec::with_capacity(nodes.len()), Vec::with_capacity(nodes.len()));
        parent.push(0);
        order.push(ALL);
        nodes[ALL as usize].number = 0;
        let (mut at, mut number) = (ALL, 0);
        loop {
            let next = nodes[at as usize].next;
            if next == NONE {
                if at == ALL {
                    break;
                }
                number = parent[number as usize];
                at = order[number as usize];
                continue;
            }
            let met = order.len() as u32;
            if next.is_multiple_of(AHEAD) {
                look_ahead(&targets, next, &nodes);
            }
            let slot = &mut targets[next as usize];
            let (to, last) = (*slot & !LAST, *slot & LAST);
            nodes[at as usize].next = if last == 0 { next + 1 } else { NONE };
            *slot = DONE | last;
            if at == ALL && ranks[to as usize] != rank {
                (rank, floor) = (ranks[to as usize], met);
            }
            let node = &mut nodes[to as usize];
            if node.number != NONE {
                if at < objects_from && node.number < floor {
                    let pair = (graph.holder(at), graph.holder(to));
                    left.extend(if let (Some(Holder::Root(r)), Some(Holder::Object(o))) = pair {
                        Some((r, o))
                    } else {
                        None
                    });
                } else if node.number != number {
                    *slot = node.number | last;
                }
                continue;
            }
            node.number = met;
            parent.push(number);
            order.push(to);
            if node.next != NONE {
                (at, number) = (to, met);
                look_ahead(&targets, node.next, &nodes);
            }
        }
        // In the same memory, half of which is then let go.
        let mut number: Vec<u32> = nodes.into_iter().map(|node| node.number).collect();
        number.shrink_to_fit();
        let pointing = only_crossing(&number, &pointing, &mut targets);
        targets.shrink_to(parent.len());
        let crossing = Crossing::new(&number, order, &pointing, &targets);
        targets.clear();
        targets.shrink_to(parent.len());
        Ok(Self { number, parent, crossing, room: targets, left })
    }
}

/// Lets go of what in a list of targets says nothing any more, and all of nodes that were not reached; gives
/// the nodes whose lists are not empty. What is then left is half of it, and stands beside as much again.
fn only_crossing(number: &[u32], pointing: &Bits, targets: &mut Vec<u32>) -> Bits {
    let mut left = Bits::new(number.len());
    let (mut read, mut written) = (0, 0);
    for node in pointing.iter() {
        let begin = written;
        while let Some(target) = targets.get(read).copied() {
            read += 1;
            // Of what was not reached the targets are nodes still.
            if target & !LAST != DONE && number[node] != NONE {
                targets[written] = target & !LAST;
                written += 1;
            }
            if target & LAST != 0 {
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

/// Looks at what the next targets of a node know, all at once: each stands somewhere else in memory, and who
/// waits for one after another waits most of the time.
fn look_ahead(targets: &[u32], next: u32, nodes: &[Visit]) {
    let mut seen = 0;
    for target in targets[next as usize..].iter().take(AHEAD as usize) {
        seen ^= nodes[(target & !LAST) as usize].number;
        if target & LAST != 0 {
            break;
        }
    }
    std::hint::black_box(seen);
}

/// So many zeros, in memory that is there already: what is asked of the kernel anew is the slowest there is.
pub(super) fn zeroed(count: usize, mut room: Vec<u32>) -> Vec<u32> {
    room.clear();
    room.resize(count, 0);
    room
}

/// Pointers that a walk did not go along, by target, all in its numbers.
pub(super) struct Crossing {
    /// Where the sources of each target begin, and at the end where those of the last end.
    starts: Vec<u32>,
    sources: Vec<u32>,
}

impl Crossing {
    /// Of the targets of all `pointing` nodes, one list behind another, that a walk which came by the nodes
    /// in
    /// `met` did not go along.
    fn new(number: &[u32], met: Vec<u32>, pointing: &Bits, targets: &[u32]) -> Self {
        let each = |told: &mut dyn FnMut(u32, u32)| {
            let mut lists = targets.split_inclusive(|target| target & LAST != 0);
            for (node, list) in pointing.iter().zip(&mut lists) {
                let source = number[node];
                list.iter().for_each(|target| told(source, target & !LAST));
            }
        };
        // First how many there are up to each; filled in from its end, each comes to its start.
        let mut starts = zeroed(met.len() + 1, met);
        each(&mut |_, target| starts[target as usize] += 1);
        let mut sum = 0;
        for start in &mut starts {
            sum += *start;
            *start = sum;
        }
        let mut sources = vec![0u32; sum as usize];
        each(&mut |source, target| {
            let at = &mut starts[target as usize];
            *at -= 1;
            sources[*at as usize] = source;
        });
        Self { starts, sources }
    }

    /// Who points to one.
    pub(super) fn of(&self, target: u32) -> &[u32] {
        let at = target as usize;
        &self.sources[self.starts[at] as usize..self.starts[at + 1] as usize]
    }

    /// Says what was found of a target; then nothing is asked any more of it or of those behind it. It takes
    /// the place of what said where their sources begin.
    pub(super) fn done(&mut self, target: u32, found: u32) {
        self.starts[target as usize + 1] = found;
    }

    /// What was said of each target, one place behind it.
    pub(super) fn into_done(self) -> Vec<u32> {
        self.starts
    }
}
