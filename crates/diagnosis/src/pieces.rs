//! Small pieces of large texts and arrays that keep all of what they were cut from, where that is most of
//! what is alive: a bound would keep fewer of them, and a copy nearly nothing. Pure.

use crate::facts::{GraphFacts, GraphWaste};
use crate::graph_certainty::share_of_live;
use crate::thresholds::one_root_holds_most::MOST;
use crate::units::{bytes, plural};

/// Such pieces, of one owner.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Pieces<'a> {
    waste: &'a GraphWaste,
}

impl<'a> Pieces<'a> {
    /// Those that waste most, if that is most of what is alive.
    pub(crate) fn of(graph: &'a GraphFacts) -> Option<Self> {
        let cut = graph.waste.iter().filter(|w| matches!(w.kind.as_str(), "subslice" | "substring"));
        let waste = cut.max_by_key(|w| w.wasted_bytes).filter(|w| share_of_live(graph, w.wasted_bytes) >= MOST)?;
        Some(Self { waste })
    }

    /// `4,018 small strings keep the texts that they were cut from: 115 MB, of which 204 kB are used`.
    pub(crate) fn text(&self) -> String {
        let w = self.waste;
        let (piece, whole) = match self.is_text() {
            true => ("small string", "texts"),
            false => ("small slice", "arrays"),
        };
        format!(
            "{} keep the whole {whole} that they were cut from: {}, of which {} are used",
            plural(w.count, piece),
            bytes(w.kept_bytes),
            bytes(w.used_bytes)
        )
    }

    /// What to do about them.
    pub(crate) fn cure(&self) -> String {
        let (piece, copy) = match self.is_text() {
            true => ("text", "strings.Clone(s[i:j])"),
            false => ("array", "slices.Clone(a[i:j])"),
        };
        format!(
            "Keep a copy of the piece ({copy}) where {} gets it: each keeps the whole {piece} that it was cut from, {} in all, of which {} are used.",
            self.waste.owner,
            bytes(self.waste.kept_bytes),
            bytes(self.waste.used_bytes)
        )
    }

    fn is_text(&self) -> bool {
        self.waste.kind == "substring"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_told_where_they_keep_most() {
        let waste = |kind: &str, wasted_bytes| GraphWaste {
            kind: kind.into(),
            owner: "global main.byID [...]".into(),
            count: 4_018,
            kept_bytes: wasted_bytes + 204_000,
            used_bytes: 204_000,
            wasted_bytes,
            ..GraphWaste::default()
        };
        let graph = |waste| GraphFacts { live_bytes: 120_000_000, waste: vec![waste], ..GraphFacts::default() };
        let g = graph(waste("substring", 115_000_000));
        let said = "4,018 small strings keep the whole texts that they were cut from: 115 MB, of which 204 kB are used";
        assert_eq!(Pieces::of(&g).unwrap().text(), said);
        assert!(Pieces::of(&g).unwrap().cure().starts_with("Keep a copy of the piece (strings.Clone(s[i:j])) where "));
        let g = graph(waste("subslice", 115_000_000));
        assert!(Pieces::of(&g).unwrap().text().starts_with("4,018 small slices keep the whole arrays"));
        assert_eq!(Pieces::of(&graph(waste("substring", 30_000_000))), None);
        assert_eq!(Pieces::of(&graph(waste("overcapacity", 115_000_000))), None);
    }
}
