//! All evidence of a time, and who brings it.

use serde::{Deserialize, Serialize};

use super::UnixMs;
use super::capture::CaptureSummary;
use super::change::Change;
use super::feed::FeedState;
use super::generation::Generation;
use super::metric::MetricSeries;

/// Everything that an incident is told from. The order does not matter, what is there twice counts once.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Evidence {
    /// The moment of asking, by our clock: nothing is later, and what is has a wrong clock.
    pub now_unix_ms: UnixMs,
    /// Changes.
    pub changes: Vec<Change>,
    /// Lives of processes.
    pub generations: Vec<Generation>,
    /// Metrics.
    pub series: Vec<MetricSeries>,
    /// Feeds, connected or not.
    pub feeds: Vec<FeedState>,
    /// Captures.
    pub captures: Vec<CaptureSummary>,
    /// What could not be read, each with its reason.
    pub gaps: Vec<String>,
}

/// What is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// Service; `None`: all of them.
    pub service: Option<String>,
    /// Begin of the time; `None`: as far back as there is anything.
    pub since_unix_ms: Option<UnixMs>,
    /// End of the time, and the moment of asking.
    pub now_unix_ms: UnixMs,
}

/// Who brings evidence: a store on disk, several of them, later a fleet.
pub trait Loader {
    /// Why nothing could be read.
    type Error;

    /// Adds what there is of a time. What could not be read is a gap in the evidence and no error, as long as
    /// there is anything.
    ///
    /// # Errors
    /// There is nothing to read from.
    fn load(&self, query: &Query, into: &mut Evidence) -> Result<(), Self::Error>;
}
