//! Collections that the flight ring knows, and those of the heap's graph, as one list. Pure.

use super::graph::{GraphCensus, GraphFacts};
use super::whole::Facts;

/// A collection, with the graph that it is of; without where the flight ring alone knows it.
pub(crate) type Collection<'a> = (&'a GraphCensus, Option<&'a GraphFacts>);

impl Facts {
    /// Tells the collections of the graph what the flight ring knows of them: the same by where they stand.
    /// To be called whenever one of both is new.
    pub fn join_census(&mut self) {
        let Some(graph) = &mut self.graph else { return };
        // Of several that are merged by their words one may be known, and which is not said.
        for row in graph.census.iter_mut().filter(|c| c.at != 0 && c.count == 1) {
            let known = self.census.iter().find(|k| k.at == row.at && k.kind == row.kind && k.elements > 0);
            if let Some(known) = known.filter(|k| k.elements == row.elements) {
                row.before = known.before;
                row.before_ms_ago = known.before_ms_ago;
                row.looks.clone_from(&known.looks);
            }
        }
    }

    /// All collections: those of the graph, then those that the flight ring alone knows.
    pub(crate) fn collections(&self) -> impl Iterator<Item = Collection<'_>> {
        let of_graph = self.graph.iter().flat_map(|g| g.census.iter().map(move |c| (c, Some(g))));
        let in_graph = |k: &GraphCensus| {
            self.graph.iter().flat_map(|g| &g.census).any(|c| c.at == k.at && c.at != 0 && c.count == 1)
        };
        of_graph.chain(self.census.iter().filter(move |k| !in_graph(k)).map(|k| (k, None)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collection_is_told_once_with_what_both_know() {
        let row = |at, elements| GraphCensus { at, elements, kind: "slice".into(), count: 1, ..GraphCensus::default() };
        let known = |at, elements| GraphCensus { before: Some(312), before_ms_ago: Some(4000), ..row(at, elements) };
        let graph = GraphFacts {
            census: vec![row(0x1000, 230_000), row(0x2000, 5), GraphCensus { count: 9, ..row(0x3000, 7) }],
            ..GraphFacts::default()
        };
        let census = vec![known(0x1000, 230_000), known(0x2000, 6), known(0x3000, 7), known(0x4000, 8)];
        let mut facts = Facts { graph: Some(graph), census, ..Facts::default() };
        facts.join_census();
        let before: Vec<_> = facts.graph.iter().flat_map(|g| &g.census).map(|c| c.before).collect();
        assert_eq!(before, [Some(312), None, None]);
        let all: Vec<_> = facts.collections().map(|(c, g)| (c.at, g.is_some())).collect();
        assert_eq!(all, [(0x1000, true), (0x2000, true), (0x3000, true), (0x3000, false), (0x4000, false)]);
    }
}
