//! Who tells of changes and metrics. Absence of a feed is not absence of change.

use serde::{Deserialize, Serialize};

use super::UnixMs;
use super::kind::ChangeKind;

/// A source of changes or of metrics, and how far it can be relied on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct FeedState {
    /// Its name: what [`super::Change::source`] and [`super::MetricSeries::source`] say.
    pub source: String,
    /// Kinds of change that it tells of; empty of a source of metrics.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<ChangeKind>,
    /// Whether it tells of metrics.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub metrics: bool,
    /// Whether it is connected now.
    pub connected: bool,
    /// Since when it has been; 0 if never.
    pub since_unix_ms: UnixMs,
    /// When it last said anything, be it that there is nothing new; 0 if that was not noted.
    pub last_unix_ms: UnixMs,
    /// By how many milliseconds its clock is before ours, where that could be measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skew_ms: Option<i64>,
    /// Where it comes from and how fresh it is, or why it is not connected; for people.
    pub detail: String,
    /// Times in which it said nothing though it should have.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub holes: Vec<Hole>,
}

/// A time without news.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Hole {
    /// Its begin.
    pub from_unix_ms: UnixMs,
    /// Its end; absent while it lasts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to_unix_ms: Option<UnixMs>,
    /// The reason.
    pub why: String,
}

impl FeedState {
    /// Whether it was connected, without a hole, for the whole of a time.
    #[must_use]
    pub fn covers(&self, from: UnixMs, to: UnixMs) -> bool {
        let hole = |h: &Hole| h.from_unix_ms < to && h.to_unix_ms.is_none_or(|end| end > from);
        self.since_unix_ms > 0
            && self.since_unix_ms <= from
            && (self.connected || self.last_unix_ms >= to)
            && !self.holes.iter().any(hole)
    }
}
