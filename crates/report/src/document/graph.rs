//! The heap as a graph: who keeps what.

use lastgasp_diagnosis::facts::{self, GraphFacts};
use serde::Serialize;

/// The field `graph`.
#[derive(Debug, Serialize)]
pub(super) struct Graph<'a> {
    source: &'a str,
    objects: u64,
    live_bytes: u64,
    garbage_objects: u64,
    garbage_bytes: u64,
    typed_share: f64,
    conservative: bool,
    roots_not_read: &'a [String],
    shared_objects: u64,
    shared_bytes: u64,
    types: Vec<Type<'a>>,
    roots: Vec<Root<'a>>,
}

/// Live objects of one type.
#[derive(Debug, Serialize)]
struct Type<'a> {
    #[serde(rename = "type")]
    name: &'a str,
    objects: u64,
    bytes: u64,
    retained_bytes: u64,
}

/// What holds objects from outside the heap.
#[derive(Debug, Serialize)]
struct Root<'a> {
    kind: &'a str,
    name: &'a str,
    objects: u64,
    retained_bytes: u64,
    goroutines: u64,
}

impl<'a> Graph<'a> {
    pub(super) fn of(g: &'a GraphFacts) -> Self {
        let one = |t: &'a facts::GraphType| Type {
            name: &t.name,
            objects: t.objects,
            bytes: t.bytes,
            retained_bytes: t.retained_bytes,
        };
        let root = |r: &'a facts::GraphRoot| Root {
            kind: &r.kind,
            name: &r.name,
            objects: r.objects,
            retained_bytes: r.retained_bytes,
            goroutines: r.goroutines,
        };
        Self {
            source: &g.source,
            objects: g.objects,
            live_bytes: g.live_bytes,
            garbage_objects: g.garbage_objects,
            garbage_bytes: g.garbage_bytes,
            typed_share: g.typed_share(),
            conservative: g.conservative,
            roots_not_read: &g.roots_not_read,
            shared_objects: g.shared_objects,
            shared_bytes: g.shared_bytes,
            types: g.types.iter().map(one).collect(),
            roots: g.roots.iter().map(root).collect(),
        }
    }
}
