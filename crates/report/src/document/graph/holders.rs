//! Who keeps what: types, roots, allocation sites, ways, the dominator tree.

use lastgasp_diagnosis::facts::{
    GraphCalls, GraphLeader, GraphMade, GraphNode, GraphPath, GraphPlace, GraphRoot, GraphSite, GraphType,
};
use lastgasp_diagnosis::way;
use serde::Serialize;

/// Live objects of one type.
#[derive(Debug, Serialize)]
pub(super) struct Type<'a> {
    #[serde(rename = "type")]
    name: &'a str,
    objects: u64,
    bytes: u64,
    retained_bytes: u64,
}

/// What holds objects from outside the heap.
#[derive(Debug, Serialize)]
pub(super) struct Root<'a> {
    kind: &'a str,
    name: &'a str,
    #[serde(rename = "type")]
    type_name: &'a str,
    created_by: &'a str,
    objects: u64,
    retained_bytes: u64,
    goroutines: u64,
    mostly: &'a str,
    mostly_bytes: u64,
    made: Vec<Made<'a>>,
    written: Vec<Place<'a>>,
}

/// Where the program's code makes objects of one type.
#[derive(Debug, Serialize)]
pub(super) struct Made<'a> {
    #[serde(rename = "type")]
    type_name: &'a str,
    objects: u64,
    bytes: u64,
    is_added_to: bool,
    places: Vec<Place<'a>>,
}

/// Where the program's code calls functions of a library that keep something.
#[derive(Debug, Serialize)]
pub(super) struct Calls<'a> {
    call: &'a str,
    places: Vec<Place<'a>>,
}

/// A place in the program's code.
#[derive(Debug, Serialize)]
struct Place<'a> {
    function: &'a str,
    at: &'a str,
}

/// Sampled live objects of one allocation site.
#[derive(Debug, Serialize)]
pub(super) struct Site<'a> {
    stack: &'a [String],
    at: &'a str,
    #[serde(rename = "type")]
    type_name: &'a str,
    sampled: u64,
    sampled_garbage: u64,
    bytes: u64,
    retained_bytes: u64,
    kept_by: &'a str,
}

/// A way from a root.
#[derive(Debug, Serialize)]
pub(super) struct Path<'a> {
    way: String,
    steps: &'a [String],
    #[serde(rename = "type")]
    type_name: &'a str,
    objects: u64,
    bytes: u64,
    retained_bytes: u64,
}

/// A node of the dominator tree.
#[derive(Debug, Serialize)]
pub(super) struct Node<'a> {
    parent: Option<u32>,
    name: &'a str,
    kind: &'a str,
    count: u64,
    own_bytes: u64,
    objects: u64,
    retained_bytes: u64,
    led_to_by: Vec<Leader<'a>>,
}

/// Goroutines in one function, or a variable, that lead to objects which others lead to as well.
#[derive(Debug, Serialize)]
struct Leader<'a> {
    kind: &'a str,
    name: &'a str,
    goroutines: u64,
    objects: u64,
}

impl<'a> Leader<'a> {
    fn of(l: &'a GraphLeader) -> Self {
        Self { kind: &l.kind, name: &l.name, goroutines: l.goroutines, objects: l.objects }
    }
}

impl<'a> Type<'a> {
    pub(super) fn of(t: &'a GraphType) -> Self {
        Self { name: &t.name, objects: t.objects, bytes: t.bytes, retained_bytes: t.retained_bytes }
    }
}

impl<'a> Root<'a> {
    pub(super) fn of(r: &'a GraphRoot) -> Self {
        Self {
            kind: &r.kind,
            name: &r.name,
            type_name: &r.type_name,
            created_by: &r.created_by,
            objects: r.objects,
            retained_bytes: r.retained_bytes,
            goroutines: r.goroutines,
            mostly: &r.mostly,
            mostly_bytes: r.mostly_bytes,
            made: r.made.iter().map(Made::of).collect(),
            written: r.written.iter().map(Place::of).collect(),
        }
    }
}

impl<'a> Place<'a> {
    fn of(p: &'a GraphPlace) -> Self {
        Self { function: &p.function, at: &p.at }
    }
}

impl<'a> Calls<'a> {
    pub(super) fn of(c: &'a GraphCalls) -> Self {
        Self { call: &c.call, places: c.places.iter().map(Place::of).collect() }
    }
}

impl<'a> Made<'a> {
    pub(super) fn of(m: &'a GraphMade) -> Self {
        Self {
            type_name: &m.type_name,
            objects: m.objects,
            bytes: m.bytes,
            is_added_to: m.is_added_to,
            places: m.places.iter().map(Place::of).collect(),
        }
    }
}

impl<'a> Site<'a> {
    pub(super) fn of(s: &'a GraphSite) -> Self {
        Self {
            stack: &s.stack,
            at: &s.at,
            type_name: &s.type_name,
            sampled: s.sampled,
            sampled_garbage: s.sampled_garbage,
            bytes: s.bytes,
            retained_bytes: s.retained_bytes,
            kept_by: &s.kept_by,
        }
    }
}

impl<'a> Path<'a> {
    pub(super) fn of(p: &'a GraphPath) -> Self {
        Self {
            way: way(&p.steps, &p.type_name),
            steps: &p.steps,
            type_name: &p.type_name,
            objects: p.objects,
            bytes: p.bytes,
            retained_bytes: p.retained_bytes,
        }
    }
}

/// The nodes of a tree that retain most, `most` at most, in the order in which they stand: each behind its
/// parent. What a parent does not have in nodes of its own is told by the difference.
pub(super) fn tree(all: &[GraphNode], most: usize) -> Vec<Node<'_>> {
    // A node retains no more than its parent and stands behind it: of equal ones the parent is first.
    let mut order: Vec<usize> = (0..all.len()).collect();
    order.sort_by_key(|i| (std::cmp::Reverse(all.get(*i).map_or(0, |n| n.retained_bytes)), *i));
    order.truncate(most);
    order.sort_unstable();
    let mut place: Vec<Option<u32>> = vec![None; all.len()];
    let mut out = Vec::new();
    for i in order {
        let Some(n) = all.get(i) else { continue };
        let parent = n.parent.and_then(|p| place.get(p as usize).copied().flatten());
        // The first has none; of any other that names none which stands before it nothing can be drawn.
        if parent.is_none() && (i != 0 || n.parent.is_some()) {
            continue;
        }
        if let (Some(place), Ok(at)) = (place.get_mut(i), u32::try_from(out.len())) {
            *place = Some(at);
        }
        out.push(Node {
            parent,
            name: &n.name,
            kind: &n.kind,
            count: n.count,
            own_bytes: n.own_bytes,
            objects: n.objects,
            retained_bytes: n.retained_bytes,
            led_to_by: n.led_to_by.iter().map(Leader::of).collect(),
        });
    }
    out
}
