//! Goroutines along the watch: how many lived, how many had been started, and by which `go` statements.

use serde::{Deserialize, Serialize};

use super::bounded::{MAX_FEW, MAX_SERIES, at_most};
use super::frame::Frame;

/// Looks at the goroutines during the watch, the runtime's own among them. They are taken where there can be
/// news, and thinned out with age.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct GoroutineLooks {
    /// The looks, oldest first.
    #[serde(deserialize_with = "at_most::<_, _, MAX_SERIES>")]
    pub looks: Vec<GoroutineLook>,
    /// The `go` statements that had started most of them at any look.
    #[serde(deserialize_with = "at_most::<_, _, MAX_FEW>")]
    pub sites: Vec<StartedAt>,
}

/// One look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct GoroutineLook {
    /// Milliseconds since the watch began.
    pub t_ms: u64,
    /// Goroutines that lived.
    pub live: u64,
    /// The highest number that one of them had: about so many had been started since the process began.
    pub newest: u64,
    /// One in so many structures was looked at: of more than one the counts are estimates.
    pub one_in: u64,
}

/// Goroutines of one `go` statement along the watch.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StartedAt {
    /// The `go` statement.
    pub created_by: Frame,
    /// How many lived at each look; null where there were few, and others were noted.
    #[serde(deserialize_with = "at_most::<_, _, MAX_SERIES>")]
    pub counts: Vec<Option<u64>>,
}

impl GoroutineLooks {
    /// Whether there was none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.looks.is_empty()
    }

    /// Looks at which the goroutines of a `go` statement were counted: when, and how many.
    #[must_use]
    pub fn of(&self, created_by: &Frame) -> Vec<(u64, u64)> {
        let site = self.sites.iter().find(|s| s.created_by == *created_by);
        let counts = site.into_iter().flat_map(|s| self.looks.iter().zip(&s.counts));
        counts.filter_map(|(look, count)| Some((look.t_ms, (*count)?))).collect()
    }
}
