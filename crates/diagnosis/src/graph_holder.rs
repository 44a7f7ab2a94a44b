//! Who keeps most of the live heap, by which way, of which type: from the heap's graph. Pure.
//!
//! An answer for every program, profiled or not: of one that keeps no profile it says what grew and who holds
//! it, where nobody can say which line allocated it.

use crate::facts::{Facts, GraphFacts, GraphPath, GraphRoot, GraphSite};
use crate::graph_certainty::{holder_text, share_of_live};
use crate::thresholds::one_root_holds_most::MOST;
use crate::units::{bytes, count, percent};
use crate::way::{starts_at, way};
use crate::window::Window;

/// A holder with what it keeps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct GraphHolder<'a> {
    /// The package variable, or the goroutines in one function.
    pub(crate) root: &'a GraphRoot,
    /// Part of the live bytes that it alone keeps alive.
    pub(crate) share: f64,
    /// The way from it by which most bytes are kept, where that is known.
    pub(crate) path: Option<&'a GraphPath>,
    /// Where most of what it keeps was allocated, as far as a profile has samples of it.
    pub(crate) site: Option<&'a GraphSite>,
}

impl<'a> GraphHolder<'a> {
    /// The holder that keeps more of the live heap than all others together; `None` without a graph, or where
    /// nobody does.
    pub(crate) fn of(facts: &'a Facts) -> Option<Self> {
        let it = Self::largest(facts.graph.as_ref()?)?;
        (it.share >= MOST).then_some(it)
    }

    /// The holder that keeps most, however little that is; `None` where none is known.
    pub(crate) fn largest(g: &'a GraphFacts) -> Option<Self> {
        let root = g.roots.iter().rev().max_by_key(|r| r.retained_bytes).filter(|r| r.retained_bytes > 0)?;
        let from = |words: &str| starts_at(words, &root.name);
        let paths = g.paths.iter().filter(|p| p.steps.first().is_some_and(|s| from(s)));
        let sites = g.sites.iter().filter(|s| from(&s.kept_by));
        Some(Self {
            root,
            share: share_of_live(g, root.retained_bytes).min(1.0),
            path: paths.rev().max_by_key(|p| p.bytes),
            site: sites.rev().max_by_key(|s| s.bytes),
        })
    }

    /// Part of a growth that what it keeps must have come in: what the process had used before holds no more
    /// than that of it. 0 where all of it may have been there before.
    pub(crate) fn surely_of(&self, w: &Window) -> f64 {
        let new = self.root.retained_bytes.saturating_sub(w.start_bytes);
        (new as f64 / w.growth().max(1) as f64).min(1.0)
    }

    /// Type of most of what it keeps; `None` where it is not known, or is less than half of it.
    pub(crate) fn mostly(&self) -> Option<&'a str> {
        let half = self.root.mostly_bytes.saturating_mul(2) >= self.root.retained_bytes;
        (half && !self.root.mostly.is_empty()).then_some(self.root.mostly.as_str())
    }

    /// The way in words of the source, where it leads to a good part of what it keeps:
    /// `global main.cache .avids -> []int64`.
    pub(crate) fn way(&self) -> Option<String> {
        let path = self.path.filter(|p| p.bytes.saturating_mul(4) >= self.root.retained_bytes)?;
        Some(way(&path.steps, &path.type_name))
    }

    /// `main.cache`, `158 goroutines in main.ugcTab`.
    pub(crate) fn name(&self) -> String {
        holder_text(&self.root.name, self.root.goroutines)
    }

    /// `main.cache keeps 1.20 GB in 31,000 objects alive (60 % of what is live), most of it []int64, by way of
    /// global main.cache .avids -> []int64`.
    pub(crate) fn text(&self) -> String {
        let keeps = if self.root.goroutines > 1 { "keep" } else { "keeps" };
        let mut out = format!(
            "{} {keeps} {} in {} objects alive ({} of what is live)",
            self.name(),
            bytes(self.root.retained_bytes),
            count(self.root.objects),
            percent(self.share)
        );
        if let Some(kind) = self.mostly() {
            out.push_str(&format!(", most of it {kind}"));
        }
        if let Some(way) = self.way() {
            out.push_str(&format!(", by way of {way}"));
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph() -> GraphFacts {
        let root = |name: &str, bytes| GraphRoot {
            kind: "global".into(),
            name: name.into(),
            objects: 9,
            retained_bytes: bytes,
            mostly: "[]int64".into(),
            mostly_bytes: bytes / 10 * 9,
            ..GraphRoot::default()
        };
        let path = |steps: &[&str], bytes| GraphPath {
            steps: steps.iter().map(|s| (*s).to_owned()).collect(),
            type_name: "[]int64".into(),
            bytes,
            ..GraphPath::default()
        };
        GraphFacts {
            live_bytes: 1_000,
            roots: vec![root("main.cache", 700), root("main.caches", 200)],
            paths: vec![
                path(&["global main.caches", ".x"], 200),
                path(&["global main.cache", ".small"], 10),
                path(&["global main.cache", ".avids", "[]int64"], 650),
            ],
            ..GraphFacts::default()
        }
    }

    #[test]
    fn the_holder_is_told_with_type_way_and_share() {
        let facts = Facts { graph: Some(graph()), ..Facts::default() };
        let it = GraphHolder::of(&facts).unwrap();
        assert_eq!(
            it.text(),
            "main.cache keeps 700 B in 9 objects alive (70 % of what is live), most of it []int64, by way of \
             global main.cache .avids -> []int64"
        );
        // A way to little of it explains nothing.
        let mut g = graph();
        g.paths.truncate(2);
        assert_eq!(GraphHolder::largest(&g).unwrap().way(), None);
    }

    #[test]
    fn nobody_holds_most_where_nobody_does() {
        let mut g = graph();
        g.roots.remove(0);
        assert_eq!(GraphHolder::largest(&g).unwrap().root.name, "main.caches");
        assert!(GraphHolder::of(&Facts { graph: Some(g), ..Facts::default() }).is_none());
        assert!(GraphHolder::of(&Facts::default()).is_none());
        assert!(GraphHolder::largest(&GraphFacts::default()).is_none());
    }

    #[test]
    fn what_was_used_before_may_be_what_it_keeps() {
        let g = graph();
        let it = GraphHolder::largest(&g).unwrap();
        let w = |start_bytes, end_bytes| Window { start_bytes, end_bytes, ..Window::default() };
        assert_eq!(it.surely_of(&w(200, 1_200)), 0.5);
        assert_eq!(it.surely_of(&w(700, 1_700)), 0.0);
        assert_eq!(it.surely_of(&w(0, 100)), 1.0);
    }
}
