//! The heap as a graph: who keeps what, what is there twice, what is kept and not used.
//!
//! - `holders`: types, roots, allocation sites, ways, the dominator tree.
//! - `collections`: the census of collections, copies of one content, waste.
//! - `why`: the answer to a question about some of it.
//!
//! The document has the first of each list, which are the largest; the files of a capture have all of them.

mod collections;
mod holders;
mod why;

use lastgasp_diagnosis::facts::GraphFacts;
use serde::Serialize;
use serde_json::{Value, json};

pub(crate) use why::why_document;

use collections::{Census, Copies, Waste};
use holders::{Calls, Made, Node, Path, Root, Site, Type, tree};

/// Elements of each list but the tree.
const MOST: usize = 60;
/// Nodes of the dominator tree: what the page's treemap can show.
const MOST_NODES: usize = 300;

/// The field `graph`.
#[derive(Debug, Serialize)]
pub(super) struct Graph<'a> {
    source: &'a str,
    objects: u64,
    live_bytes: u64,
    garbage_objects: u64,
    garbage_bytes: u64,
    typed_bytes: u64,
    typed_share: f64,
    conservative: bool,
    conservative_goroutines: u64,
    of_one_moment: bool,
    stopped_ns: u64,
    roots_not_read: &'a [String],
    gaps: &'a [String],
    shared_objects: u64,
    shared_bytes: u64,
    shared_made: Vec<Made<'a>>,
    library_calls: Vec<Calls<'a>>,
    types: Vec<Type<'a>>,
    roots: Vec<Root<'a>>,
    sites: Vec<Site<'a>>,
    paths: Vec<Path<'a>>,
    tree: Vec<Node<'a>>,
    census: Vec<Census<'a>>,
    copies: Vec<Copies<'a>>,
    waste: Vec<Waste<'a>>,
}

impl<'a> Graph<'a> {
    pub(super) fn of(g: &'a GraphFacts) -> Self {
        Self {
            source: &g.source,
            objects: g.objects,
            live_bytes: g.live_bytes,
            garbage_objects: g.garbage_objects,
            garbage_bytes: g.garbage_bytes,
            typed_bytes: g.typed_bytes,
            typed_share: g.typed_share(),
            conservative: g.conservative,
            conservative_goroutines: g.conservative_goroutines,
            of_one_moment: g.of_one_moment,
            stopped_ns: g.stopped_ns,
            roots_not_read: first(&g.roots_not_read),
            gaps: first(&g.gaps),
            shared_objects: g.shared_objects,
            shared_bytes: g.shared_bytes,
            shared_made: g.shared_made.iter().map(Made::of).collect(),
            library_calls: g.library_calls.iter().map(Calls::of).collect(),
            types: first(&g.types).iter().map(Type::of).collect(),
            roots: first(&g.roots).iter().map(Root::of).collect(),
            sites: first(&g.sites).iter().map(Site::of).collect(),
            paths: first(&g.paths).iter().map(Path::of).collect(),
            tree: tree(&g.tree, MOST_NODES),
            census: first(&g.census).iter().map(Census::of).collect(),
            copies: first(&g.copies).iter().map(Copies::of).collect(),
            waste: first(&g.waste).iter().map(Waste::of).collect(),
        }
    }
}

fn first<T>(all: &[T]) -> &[T] {
    all.get(..MOST).unwrap_or(all)
}

/// `types.json` of a capture: all types, holders and ways that its graph has.
#[must_use]
pub fn types_file(g: &GraphFacts) -> Value {
    json!({
        "schema": "lastgasp.types/1",
        "source": g.source,
        "live_bytes": g.live_bytes,
        "typed_bytes": g.typed_bytes,
        "types": all(&g.types, Type::of),
        "roots": all(&g.roots, Root::of),
        "sites": all(&g.sites, Site::of),
        "paths": all(&g.paths, Path::of),
    })
}

/// `census.json` of a capture: all collections that its graph names, copies and waste.
#[must_use]
pub fn census_file(g: &GraphFacts) -> Value {
    json!({
        "schema": "lastgasp.census/1",
        "source": g.source,
        "live_bytes": g.live_bytes,
        "census": all(&g.census, Census::of),
        "copies": all(&g.copies, Copies::of),
        "waste": all(&g.waste, Waste::of),
    })
}

/// A list as JSON. Its keys are strings, and no value refuses to be written.
fn all<'a, T, S: Serialize>(list: &'a [T], of: impl Fn(&'a T) -> S) -> Value {
    let list: Vec<S> = list.iter().map(of).collect();
    serde_json::to_value(list).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use lastgasp_diagnosis::facts::{GraphCensus, GraphNode, GraphType};

    use super::*;

    #[test]
    fn the_document_has_the_largest_and_the_files_have_all() {
        let kind = |i: u64| GraphType { name: format!("main.t{i}"), bytes: 1000 - i, ..GraphType::default() };
        let one = |i: u64| GraphCensus { owner: format!("global main.v{i}"), ..GraphCensus::default() };
        let g = GraphFacts {
            types: (0..200).map(kind).collect(),
            census: (0..200).map(one).collect(),
            ..GraphFacts::default()
        };
        let document = serde_json::to_value(Graph::of(&g)).unwrap();
        assert_eq!(document["types"].as_array().unwrap().len(), MOST);
        assert_eq!(document["types"][0]["type"], "main.t0");
        assert_eq!(types_file(&g)["types"].as_array().unwrap().len(), 200);
        assert_eq!(census_file(&g)["census"][199]["owner"], "global main.v199");
    }

    /// Of a tree that is too large the nodes that retain most are left, each behind its parent.
    #[test]
    fn a_large_tree_is_cut_at_its_leaves() {
        let node = |parent, bytes| GraphNode { parent, retained_bytes: bytes, ..GraphNode::default() };
        let all = [node(None, 100), node(Some(0), 10), node(Some(1), 10), node(Some(0), 80), node(Some(3), 70)];
        let cut = serde_json::to_value(tree(&all, 3)).unwrap();
        let said: Vec<(Option<u64>, u64)> = cut
            .as_array()
            .unwrap()
            .iter()
            .map(|n| (n["parent"].as_u64(), n["retained_bytes"].as_u64().unwrap()))
            .collect();
        assert_eq!(said, [(None, 100), (Some(0), 80), (Some(1), 70)]);
        // Of what lies nothing is made: a parent behind its child, one that is not there.
        let lies = [node(Some(7), 5), node(Some(1), 4), node(Some(0), 3)];
        assert_eq!(serde_json::to_value(tree(&lies, 9)).unwrap().as_array().unwrap().len(), 0);
    }
}
