//! Immediate dominators: Semi-NCA (Georgiadis, Linear-Time Algorithms for Dominators and Related Problems,
//! 2005), in numbers of a depth-first walk.
//!
//! What dominates a node lies on the walk's way to it, so every number here is compared and none looked up.
//! Four things keep it small. Only pointers beside the walk's own are put in the order of targets, since a
//! node that is met once needs none; and that a part of the targets at a time, the last first, as they are
//! asked for. What is known of a node alone that is done is written from the last on, and takes no memory
//! before. What `evaluate` climbs it turns around, as a garbage collector does, in place of a stack. And the
//! last step climbs by jumps (Myers, An applicative random-access stack, 1983): by single steps it takes a
//! square of steps where a list's values are held by an index too (`a_list_with_an_index`).

use super::preorder::{ByTarget, Crossing};

/// Parts of the targets whose sources are sorted at a time, and targets of the smallest part.
const PARTS: u32 = 8;
const LEAST_PART: u32 = 1 << 16;

/// Two numbers of one node, which are asked for together.
pub(super) type Two = [u32; 2];

/// Of what is done: the ancestor up to which it has climbed; then its label, the lowest number of those found
/// so far between it (included) and that (excluded).
const ANCESTOR: usize = 0;

/// Turns `parent`, of a depth-first walk by number, into immediate dominators by number; the first has
/// itself.
///
/// `crossing` has the other pointers, `number` the numbers of their nodes. Gives memory back for as many
/// numbers, and as many pairs of them.
pub(super) fn immediate_dominators(
    parent: Vec<u32>,
    mut crossing: Crossing,
    number: &[u32],
) -> (Vec<u32>, (Vec<u32>, Vec<Two>)) {
    let count = parent.len() as u32;
    let mut semi = vec![0u32; parent.len()];
    let mut climbed: Vec<Two> = vec![[0; 2]; parent.len()];
    let mut sources = ByTarget::default();
    let mut end = count;
    while end > 1 {
        let first = end.saturating_sub(count.div_ceil(PARTS).max(LEAST_PART)).max(1);
        crossing.take_from(first, end, number, &mut sources);
        for v in (first..end).rev() {
            let above = parent[v as usize];
            let mut lowest = above;
            for source in sources.of(v).iter().copied() {
                lowest = lowest.min(if source < v { source } else { evaluate(&mut climbed, source, v) });
            }
            semi[v as usize] = lowest;
            climbed[v as usize] = [above, lowest];
        }
        end = first;
    }
    drop((crossing, sources));
    let mut dominator = parent;
    nearest_ancestors(&mut dominator, &semi, &mut climbed);
    (dominator, (semi, climbed))
}

/// The lowest label from `source` up to below what is not above `v`: all that lies above `v` in number is
/// done. What was climbed points there directly afterwards.
fn evaluate(climbed: &mut [Two], source: u32, v: u32) -> u32 {
    // Up, turning every pointer around to where it came from; the first to itself.
    let (mut at, mut below) = (source as usize, source as usize);
    while climbed[at][ANCESTOR] > v {
        let above = climbed[at][ANCESTOR] as usize;
        climbed[at][ANCESTOR] = below as u32;
        (below, at) = (at, above);
    }
    // And down.
    let [top, mut lowest] = climbed[at];
    while at != source as usize {
        at = below;
        let [came_from, label] = climbed[at];
        below = came_from as usize;
        lowest = lowest.min(label);
        climbed[at] = [top, lowest];
    }
    lowest
}

/// How far down the tree of dominators a node is, and the one to which it jumps up.
const DEPTH: usize = 0;
const JUMP: usize = 1;

/// The last step: a node's dominator is the nearest dominator of its parent, or the parent, whose number is
/// not above the node's `semi`. First `dominator` has the parents; `room` is memory for as many.
fn nearest_ancestors(dominator: &mut [u32], semi: &[u32], room: &mut [Two]) {
    if let Some(first) = room.first_mut() {
        *first = [0, 0];
    }
    for v in 1..dominator.len() {
        let mut at = dominator[v] as usize;
        let semi = semi[v];
        while at > semi as usize {
            let jump = room[at][JUMP];
            at = if jump > semi { jump } else { dominator[at] } as usize;
        }
        dominator[v] = at as u32;
        let [depth, far] = room[at];
        let [depth_of_far, farther] = room[far as usize];
        let even = depth - depth_of_far == depth_of_far - room[farther as usize][DEPTH];
        room[v] = [depth + 1, if even { farther } else { at as u32 }];
    }
}
