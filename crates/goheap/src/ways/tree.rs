//! The top of the dominator tree, nodes of one parent and name as one: what a treemap shows.

use lastgasp_heapgraph::{Holder, ObjectId, Retained};
use rustc_hash::FxHashMap;

use super::leaders::{Leader, leaders};
use crate::heap::Heap;

/// Nodes of the tree that are looked at before they are merged.
const LOOKED_AT: usize = 20_000;

/// Part of what is live, as one in so many, from which on it is asked who leads to objects that nobody holds
/// alone.
const SHARED_ONE_IN: u64 = 4;

/// Name of an object of which the type is not known.
const UNKNOWN: &str = "unknown";
/// Objects of types that are not known, each below the other, from which on they are taken for links of a
/// list.
const MOST_UNKNOWN: usize = 8;

/// A node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TreeNode {
    /// Index of its parent, before it; none of the first.
    pub parent: Option<usize>,
    /// Root's name, or the type of an object.
    pub name: String,
    /// `heap`, `global`, `goroutine`, `runtime`, `object`, `others`.
    pub kind: &'static str,
    /// How many are merged here.
    pub count: u64,
    /// Their own bytes.
    pub own_bytes: u64,
    /// What they retain.
    pub retained: Retained,
    /// Of objects that no root keeps alone: who leads to them.
    pub led_to_by: Vec<Leader>,
}

/// At most `most` nodes, and what is left of each parent as `others`.
#[must_use]
pub fn dominator_tree(heap: &Heap<'_>, most: usize) -> Vec<TreeNode> {
    let top = heap.dominators.top(&heap.graph, LOOKED_AT);
    let mut nodes: Vec<TreeNode> = Vec::new();
    let mut merged: Vec<usize> = Vec::with_capacity(top.len());
    let mut known: FxHashMap<(usize, &'static str, String, bool), usize> = FxHashMap::default();
    for (i, node) in top.iter().enumerate() {
        let parent = merged.get(node.dominator).copied().unwrap_or(0);
        let (kind, name, own_bytes) = described(heap, node.holder);
        if i == 0 {
            merged.push(0);
            nodes.push(TreeNode { name, kind, count: 1, retained: node.retained, ..TreeNode::default() });
            continue;
        }
        // A goroutine within its group, a link within its list: the same thing. Of what is not known nobody
        // knows that.
        let is_alike = nodes.get(parent).is_some_and(|p| p.kind == kind && p.name == name);
        if is_alike && (name != UNKNOWN || unknown_above(&nodes, parent) >= MOST_UNKNOWN) {
            merged.push(parent);
            if let Some(parent) = nodes.get_mut(parent) {
                parent.own_bytes += own_bytes;
                parent.count += u64::from(kind == "object");
            }
            continue;
        }
        // One that keeps more than all else together is itself, however many are alike (seen blind: a cache
        // of pictures, and one of profiles, of the same library: "2 ristretto.Cache keep 191 MB").
        let is_most = parent == 0 && kind == "object" && node.retained.bytes > heap.live().bytes / 2;
        let index = *known.entry((parent, kind, name.clone(), is_most)).or_insert_with(|| {
            nodes.push(TreeNode { parent: Some(parent), name, kind, ..TreeNode::default() });
            nodes.len() - 1
        });
        merged.push(index);
        if let Some(known) = nodes.get_mut(index) {
            known.count += 1;
            known.own_bytes += own_bytes;
            known.retained.bytes += node.retained.bytes;
            known.retained.objects = known.retained.objects.saturating_add(node.retained.objects);
        }
    }
    let shared: Vec<(ObjectId, usize)> = top
        .iter()
        .zip(&merged)
        .filter_map(|(node, at)| {
            let Holder::Object(object) = node.holder else { return None };
            // A part of what is live, below no root.
            let is_large = |n: &TreeNode| n.retained.bytes >= heap.live().bytes / SHARED_ONE_IN && n.parent == Some(0);
            (node.dominator == 0 && nodes.get(*at).is_some_and(is_large)).then_some((object, *at))
        })
        .collect();
    for (at, leaders) in leaders(heap, &shared) {
        if let Some(node) = nodes.get_mut(at) {
            node.led_to_by = leaders;
        }
    }
    with_others(largest(nodes, most))
}

fn described(heap: &Heap<'_>, holder: Holder) -> (&'static str, String, u64) {
    match holder {
        Holder::All => ("heap", "live heap".to_owned(), 0),
        Holder::Object(object) => {
            let name = heap.type_of(object).map_or(UNKNOWN, |(_, name)| name);
            ("object", name.to_owned(), heap.graph.layout().bytes(object))
        }
        root => match heap.root_name(root) {
            Some(name) => (name.kind.name(), name.name.clone(), 0),
            None => ("others", String::new(), 0),
        },
    }
}

/// Those that retain most, none without its parent.
fn largest(nodes: Vec<TreeNode>, most: usize) -> Vec<TreeNode> {
    let mut order: Vec<usize> = (0..nodes.len()).collect();
    let retained = |i: usize| nodes.get(i).map_or(0, |n| n.retained.bytes);
    order.sort_by_key(|i| (std::cmp::Reverse(retained(*i)), *i));
    order.truncate(most.max(1));
    order.sort_unstable();
    let mut places: FxHashMap<usize, usize> = FxHashMap::default();
    let mut out: Vec<TreeNode> = Vec::with_capacity(order.len());
    for i in order {
        let Some(node) = nodes.get(i) else { continue };
        let parent = match node.parent {
            None => None,
            // Merged nodes may retain more together than a part of their parent that was cut.
            Some(parent) => match places.get(&parent) {
                Some(place) => Some(*place),
                None => continue,
            },
        };
        places.insert(i, out.len());
        out.push(TreeNode { parent, ..node.clone() });
    }
    out
}

/// How many nodes of unknown types there are from one upwards, each below the other.
fn unknown_above(nodes: &[TreeNode], from: usize) -> usize {
    let above = std::iter::successors(nodes.get(from), |n| n.parent.and_then(|p| nodes.get(p)));
    above.take_while(|n| n.name == UNKNOWN).take(MOST_UNKNOWN).count()
}

/// What is in a node and in none of those below it.
fn with_others(mut nodes: Vec<TreeNode>) -> Vec<TreeNode> {
    let mut below = vec![Retained::default(); nodes.len()];
    for node in &nodes {
        if let Some(sum) = node.parent.and_then(|p| below.get_mut(p)) {
            sum.bytes += node.retained.bytes;
            sum.objects = sum.objects.saturating_add(node.retained.objects);
        }
    }
    let with_children: Vec<usize> = (0..nodes.len()).filter(|i| below.get(*i).is_some_and(|b| b.bytes > 0)).collect();
    for i in with_children {
        let (Some(node), Some(sum)) = (nodes.get(i), below.get(i)) else { continue };
        let bytes = node.retained.bytes.saturating_sub(sum.bytes).saturating_sub(node.own_bytes);
        if bytes > 0 {
            let objects = node.retained.objects.saturating_sub(sum.objects);
            let retained = Retained { bytes, objects };
            let name = "smaller ones, and what several hold together".to_owned();
            let kind = "others";
            nodes.push(TreeNode { parent: Some(i), name, kind, count: 1, retained, ..TreeNode::default() });
        }
    }
    nodes
}
