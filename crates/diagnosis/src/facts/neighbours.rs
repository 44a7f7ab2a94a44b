//! The other processes that count against the target's limit.

use serde::{Deserialize, Serialize};

use super::bounded::{MAX_FEW, at_most};

/// Other processes of the memory cgroup whose limit counts, and of the groups below it. Of each there is its
/// name (`/proc/PID/comm`), and neither arguments nor environment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Neighbours {
    /// Path of the group whose limit counts.
    pub group: String,
    /// Time of the look at them in milliseconds on the timeline's clock.
    pub as_of_ms: u64,
    /// By name, the most bytes first; of very many names the smallest are left out.
    #[serde(deserialize_with = "at_most::<_, _, MAX_FEW>")]
    pub others: Vec<Neighbour>,
    /// Resident bytes of all of them, those left out of `others` included.
    pub rss_bytes: u64,
    /// Processes of the group for which there was no time: of those that are told there may be so many more.
    pub not_seen: u64,
}

/// Processes of one name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Neighbour {
    /// Their name, as `/proc/PID/comm` has it.
    pub name: String,
    /// Number of them.
    pub processes: u64,
    /// Of them descendants of the target.
    pub children: u64,
    /// Their process numbers as seen from the host, the first few.
    #[serde(deserialize_with = "at_most::<_, _, MAX_FEW>")]
    pub pids: Vec<i32>,
    /// Their resident bytes.
    pub rss_bytes: u64,
}
