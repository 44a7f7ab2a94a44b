//! Immediate dominators: Semi-NCA (Georgiadis, Linear-Time Algorithms for Dominators and Related Problems,
//! 2005), in numbers of a depth-first walk.
//!
//! What dominates a node lies on the walk's way to it, so every number here is compared and none looked up.
//! Four things keep it small. Only pointers beside the walk's own are put in the order of targets, since a
//! node that is met once needs none. What is found of a node is kept where its list of them began. What
//! `evaluate` climbs it turns around, as a garbage collector does, in place of a stack. And the last step
//! climbs by jumps (Myers, An applicative random-access stack, 1983): by single steps it takes a square of
//! steps where a list's values are held by an index too (`a_list_with_an_index`).

use super::preorder::Crossing;

/// Turns `parent`, of a depth-first walk by number, into immediate dominators by number; the first has
/// itself.
///
/// `crossing` has the other pointers; `room` is memory for as many numbers. Gives more of that back.
pub(super) fn immediate_dominators(
    parent: Vec<u32>,
    mut crossing: Crossing,
    room: Vec<u32>,
) -> (Vec<u32>, [Vec<u32>; 3]) {
    // Lowest number of those found so far between a node (included) and the ancestor up to which it has
    // climbed (excluded).
    let mut label = room;
    label.clone_from(&parent);
    let mut ancestor = parent.clone();
    for v in (1..parent.len() as u32).rev() {
        let mut lowest = parent[v as usize];
        for source in crossing.of(v).iter().copied() {
            lowest = lowest.min(if source < v { source } else { evaluate(&mut ancestor, &mut label, source, v) });
        }
        crossing.done(v, lowest);
        label[v as usize] = lowest;
    }
    let mut dominator = parent;
    let semi = crossing.into_done();
    nearest_ancestors(&mut dominator, &semi, &mut label, &mut ancestor);
    (dominator, [semi, label, ancestor])
}

/// The lowest label from `source` up to below what is not above `v`: all that lies above `v` in number is
/// done. What was climbed points there directly afterwards.
fn evaluate(ancestor: &mut [u32], label: &mut [u32], source: u32, v: u32) -> u32 {
    // Up, turning every pointer around to where it came from; the first to itself.
    let (mut at, mut below) = (source as usize, source as usize);
    while ancestor[at] > v {
        let above = ancestor[at] as usize;
        ancestor[at] = below as u32;
        (below, at) = (at, above);
    }
    // And down.
    let top = ancestor[at];
    let mut lowest = label[at];
    while at != source as usize {
        at = below;
        below = ancestor[at] as usize;
        lowest = lowest.min(label[at]);
        label[at] = lowest;
        ancestor[at] = top;
    }
    lowest
}

/// The last step: a node's dominator is the nearest dominator of its parent, or the parent, whose number is
/// not above the node's `semi`, which stands one place behind it. First `dominator` has the parents; both
/// slices at the end are room.
fn nearest_ancestors(dominator: &mut [u32], semi: &[u32], depth: &mut [u32], jump: &mut [u32]) {
    if let (Some(depth), Some(jump)) = (depth.first_mut(), jump.first_mut()) {
        (*depth, *jump) = (0, 0);
    }
    for v in 1..dominator.len() {
        let mut at = dominator[v] as usize;
        let semi = semi[v + 1];
        while at > semi as usize {
            at = if jump[at] > semi { jump[at] } else { dominator[at] } as usize;
        }
        dominator[v] = at as u32;
        depth[v] = depth[at] + 1;
        let far = jump[at] as usize;
        let farther = jump[far];
        let even = depth[at] - depth[far] == depth[far] - depth[farther as usize];
        jump[v] = if even { farther } else { at as u32 };
    }
}
