//! Feeds of changes: what tells of releases, configurations and published data.

use serde::{Deserialize, Serialize};

/// A source of changes that was connected when the capture was taken.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Feed {
    /// Kind of change, as in `feeds[].name` of the report: `releases`, `configuration`, ...
    pub name: String,
    /// Where it comes from, and how fresh it was.
    pub detail: String,
}
