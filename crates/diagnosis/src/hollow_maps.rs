//! Maps that have room for many more elements than they have, and are most of what is alive: a Go map never
//! shrinks, so that one that was emptied keeps what its fullest moment took. Pure.
//!
//! Seen blind: a wheel of 48 slots, of which three are in use; the other maps have no element and are 84 % of
//! what is live. "Bound it" is no cure where it is bounded already.

use crate::facts::{GraphFacts, GraphWaste};
use crate::graph_certainty::share_of_live;
use crate::thresholds::one_root_holds_most::MOST;
use crate::units::{bytes, percent, plural};

/// Such maps, of one owner.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct HollowMaps<'a> {
    waste: &'a GraphWaste,
    /// Part of the live bytes that they take for nothing.
    share: f64,
}

impl<'a> HollowMaps<'a> {
    /// Those that waste most, if that is most of what is alive.
    pub(crate) fn of(graph: &'a GraphFacts) -> Option<Self> {
        Self::from(graph, MOST).filter(|_| graph.of_one_moment)
    }

    /// Those that waste most, if that is such a part of what is alive.
    pub(crate) fn from(graph: &'a GraphFacts, share: f64) -> Option<Self> {
        let is_map = |w: &&GraphWaste| w.kind == "oversized" || w.kind == "empty" && w.type_name.starts_with("map[");
        let waste = graph.waste.iter().filter(|w| w.wasted_bytes > 0).filter(is_map).max_by_key(|w| w.wasted_bytes)?;
        let it = Self { waste, share: share_of_live(graph, waste.wasted_bytes) };
        (it.share >= share).then_some(it)
    }

    /// What is known of them.
    pub(crate) fn waste(&self) -> &'a GraphWaste {
        self.waste
    }

    /// `20 maps of main.wheel .ids (map[main.id]uint16) take 112 MB and have no element: 112 MB is room for
    /// elements that are not there (84 % of what is live)`.
    pub(crate) fn text(&self) -> String {
        let w = self.waste;
        let kind = if w.type_name.is_empty() { String::new() } else { format!(" ({})", w.type_name) };
        let (is, have) = if w.count == 1 { ("takes", "has") } else { ("take", "have") };
        let few = match w.kind.as_str() {
            "empty" => format!("{have} no element"),
            _ => format!("{have} use for {} of it", bytes(w.used_bytes)),
        };
        format!(
            "{} of {}{kind} {is} {} and {few}: {} is room for elements that are not there ({} of what is live)",
            plural(w.count, "map"),
            w.owner,
            bytes(w.kept_bytes),
            bytes(w.wasted_bytes),
            percent(self.share.min(1.0))
        )
    }

    /// What to do about them.
    pub(crate) fn cure(&self) -> String {
        format!(
            "Make {} anew when most of it has been deleted (copy what is left into a new map), or make it smaller where it is made with a size.",
            self.waste.owner
        )
    }
}
