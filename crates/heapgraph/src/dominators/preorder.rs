//! Depth-first numbers of all that roots reach.

use std::sync::{Mutex, PoisonError};

use crate::graph::{ALL, Graph, NONE, TooLarge, on_threads};

/// In a list of targets: the last of its node.
const LAST: u32 = 1 << 31;

/// A depth-first walk: the n nodes that were reached, numbered as they were met.
pub(super) struct Preorder {
    /// Number of each node, or `NONE`.
    pub(super) number: Vec<u32>,
    /// Number of the node from which each was met, by number; of the first itself.
    pub(super) parent: Vec<u32>,
    /// Pointers that the walk did not go along, `target << 32 | source` in its numbers: sorted lists.
    pub(super) crossing: Vec<Vec<u64>>,
}

/// Targets of each node: those of `node` begin at `starts[node]` and end with one marked `LAST`. Folded leaves
/// are not among them.
struct Targets {
    starts: Vec<u32>,
    targets: Vec<u32>,
}

impl Targets {
    fn new(graph: &Graph) -> Result<Self, TooLarge> {
        let pieces = graph.edges.pieces(graph.threads());
        let counts = on_threads(&pieces, graph.threads(), |piece| {
            let mut count = 0u64;
            graph.edges.each(std::slice::from_ref(piece), |_, to| {
                count += to.iter().filter(|t| graph.numbered.rank(**t).is_some()).count() as u64;
            });
            count
        });
        let mut starts = vec![NONE; graph.objects_from()];
        let mut targets = outside(graph, &mut starts);
        let all = targets.len() as u64 + counts.iter().sum::<u64>();
        if all >= u64::from(NONE) {
            return Err(TooLarge);
        }
        let outside = targets.len();
        targets.resize(all as usize, 0);
        starts.resize(graph.nodes(), NONE);

        // Each piece fills its own nodes' starts and its own targets.
        let mut work = Vec::with_capacity(pieces.len());
        let (mut nodes, mut room) = (&mut starts[graph.objects_from()..], &mut targets[outside..]);
        let (mut node, mut at) = (0, outside);
        for (piece, count) in pieces.iter().zip(counts) {
            let (from, to) = piece.slots();
            let (first, end) = (graph.numbered.rank_below(from), graph.numbered.rank_below(to));
            let (_, rest) = nodes.split_at_mut((first - node) as usize);
            let (mine, rest) = rest.split_at_mut((end - first) as usize);
            let (own, others) = room.split_at_mut(count as usize);
            work.push(Mutex::new((piece, first, mine, at as u32, own)));
            (nodes, room, node, at) = (rest, others, end, at + count as usize);
        }
        on_threads(&work, graph.threads(), |work| {
            let mut work = work.lock().unwrap_or_else(PoisonError::into_inner);
            let (piece, first, starts, at, targets) = &mut *work;
            let mut filled = 0;
            graph.edges.each(std::slice::from_ref(*piece), |from, to| {
                let Some(rank) = graph.numbered.rank(from) else { return };
                let begin = filled;
                for node in to.iter().filter_map(|t| graph.node_of(*t)) {
                    targets[filled] = node;
                    filled += 1;
                }
                if filled > begin {
                    targets[filled - 1] |= LAST;
                    starts[(rank - *first) as usize] = *at + begin as u32;
                }
            });
        });
        drop(work);
        Ok(Self { starts, targets })
    }
}

/// Targets of the nodes that are no objects.
fn outside(graph: &Graph, starts: &mut [u32]) -> Vec<u32> {
    let mut pairs: Vec<(u32, u32)> = graph.outside_nodes().collect();
    pairs.sort_unstable();
    let held = graph.roots().held().iter().filter_map(|(root, o)| Some((graph.node_of_root(*root), graph.node_of(o.0)?)));
    pairs.extend(held);
    let mut targets: Vec<u32> = Vec::with_capacity(pairs.len());
    for (i, (from, to)) in pairs.iter().enumerate() {
        if starts[*from as usize] == NONE {
            starts[*from as usize] = i as u32;
        }
        let last = pairs.get(i + 1).is_none_or(|next| next.0 != *from);
        targets.push(to | if last { LAST } else { 0 });
    }
    targets
}

impl Preorder {
    /// Walks from all roots. The way back is the parents': there is no stack.
    pub(super) fn of(graph: &Graph) -> Result<Self, TooLarge> {
        let Targets { starts, targets } = Targets::new(graph)?;
        // What is left of a node's targets and its number are asked for together.
        let mut nodes: Vec<[u32; 2]> = starts.into_iter().map(|start| [start, NONE]).collect();
        let (mut met, mut parent) = (Vec::with_capacity(nodes.len()), Vec::with_capacity(nodes.len()));
        let mut crossing = Vec::new();
        let (mut at, mut number) = (ALL, 0u32);
        nodes[at as usize][1] = 0;
        met.push(at);
        parent.push(0);
        loop {
            let next = nodes[at as usize][0];
            if next == NONE {
                if number == 0 {
                    break;
                }
                number = parent[number as usize];
                at = met[number as usize];
                continue;
            }
            let target = targets[next as usize];
            nodes[at as usize][0] = if target & LAST == 0 { next + 1 } else { NONE };
            let to = target & !LAST;
            let node = &mut nodes[to as usize];
            if node[1] != NONE {
                if node[1] != number {
                    crossing.push(u64::from(node[1]) << 32 | u64::from(number));
                }
            } else {
                node[1] = met.len() as u32;
                let leaf = node[0] == NONE;
                met.push(to);
                parent.push(number);
                if !leaf {
                    (at, number) = (to, met.len() as u32 - 1);
                }
            }
        }
        drop((targets, met));
        parent.shrink_to_fit();
        let number = nodes.into_iter().map(|[_, number]| number).collect();
        Ok(Self { number, parent, crossing: sorted(crossing, graph.threads()) })
    }
}

/// The same in a sorted list for each thread.
fn sorted(mut all: Vec<u64>, threads: usize) -> Vec<Vec<u64>> {
    let run = all.len().div_ceil(threads).max(1);
    let mut lists = Vec::new();
    while all.len() > run {
        lists.push(Mutex::new(all.split_off(all.len() - run)));
    }
    all.shrink_to_fit();
    lists.push(Mutex::new(all));
    on_threads(&lists, threads, |list| list.lock().unwrap_or_else(PoisonError::into_inner).sort_unstable());
    lists.into_iter().map(|list| list.into_inner().unwrap_or_else(PoisonError::into_inner)).collect()
}
