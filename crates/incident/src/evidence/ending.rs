//! How the life of a process ended.

use serde::{Deserialize, Serialize};

/// How the life of a process ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// It lives, as far as is known.
    #[default]
    Running,
    /// The kernel killed it as memory ran out in its group.
    OomKill,
    /// The kernel killed it as memory of the whole node ran out.
    NodeOomKill,
    /// Somebody else killed it, with SIGKILL.
    Killed,
    /// It was told to end, by SIGTERM, and did.
    Stopped,
    /// It ended by itself.
    Exited,
    /// It ended by itself, with a fault: a panic, a failed status.
    Crashed,
    /// It is gone; how is not known.
    Gone,
    /// A name that this version does not know.
    #[serde(untagged)]
    Unknown(String),
}

impl Ending {
    /// As it is stored and as contracts have it.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Running => "running",
            Self::OomKill => "oom-kill",
            Self::NodeOomKill => "node-oom-kill",
            Self::Killed => "killed",
            Self::Stopped => "stopped",
            Self::Exited => "exited",
            Self::Crashed => "crashed",
            Self::Gone => "gone",
            Self::Unknown(name) => name,
        }
    }

    /// Whether memory ran out.
    #[must_use]
    pub fn is_out_of_memory(&self) -> bool {
        matches!(self, Self::OomKill | Self::NodeOomKill)
    }
}
