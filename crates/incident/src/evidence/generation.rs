//! One life of one process: series are never joined over two of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::UnixMs;
use super::climb::Climb;
use super::ending::Ending;

/// One life of one process.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Generation {
    /// Service, as captures name it: base name of the executable.
    pub service: String,
    /// What is restarted: name of the container, pod, cgroup or host. The same for all lives of it.
    pub instance: String,
    /// Container id; empty where there is none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub container: String,
    /// Process number as seen from the host.
    pub pid: i32,
    /// Start of the process; 0 if it is not known.
    pub started_unix_ms: UnixMs,
    /// When it came under watch; 0 if it was never.
    #[serde(skip_serializing_if = "is_zero")]
    pub first_seen_unix_ms: UnixMs,
    /// When it was last seen alive; 0 if that was not noted.
    #[serde(skip_serializing_if = "is_zero")]
    pub last_seen_unix_ms: UnixMs,
    /// Its end; absent while it lives.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_unix_ms: Option<UnixMs>,
    /// How it ended.
    pub ending: Ending,
    /// What was built.
    pub build: Build,
    /// Where it ran.
    pub place: Place,
    /// Memory limit that applied, in bytes, at its end or now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit_bytes: Option<u64>,
    /// Soft limit (`memory.high`), in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub soft_limit_bytes: Option<u64>,
    /// GOGC in percent, -1: off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gogc: Option<i32>,
    /// GOMEMLIMIT in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gomemlimit: Option<u64>,
    /// Most bytes that its group was seen to use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peak_bytes: Option<u64>,
    /// How its memory climbs; absent while it does not, or not steadily.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub climb: Option<Climb>,
    /// Other labels that cohorts may be made of: `config_set`, `zone`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // As serde wants it.
fn is_zero(n: &UnixMs) -> bool {
    *n == 0
}

/// What was built.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Build {
    /// Version of the main module, or of the release.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// Commit (`vcs.revision`).
    #[serde(skip_serializing_if = "String::is_empty")]
    pub revision: String,
    /// Time of the commit (`vcs.time`); absent if it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision_unix_ms: Option<UnixMs>,
    /// Whether the sources were modified (`vcs.modified`).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub modified: bool,
    /// GNU build id in hex.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub build_id: String,
    /// Go version, as in `go1.22.10`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub go_version: String,
    /// When the executable's file was written: built or laid there; absent if it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_unix_ms: Option<UnixMs>,
}

impl Build {
    /// What tells versions apart, the first that is known of version, revision, build id; empty where nothing
    /// is. `(devel)` is no version.
    #[must_use]
    pub fn label(&self) -> &str {
        let version = if self.version == "(devel)" { "" } else { self.version.as_str() };
        [version, self.revision.as_str(), self.build_id.as_str()].into_iter().find(|s| !s.is_empty()).unwrap_or("")
    }
}

/// Where a process ran.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Place {
    /// Data centre.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub data_centre: String,
    /// Node: name of the host.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub node: String,
    /// Image of the container.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub image: String,
    /// Release of the kernel.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub kernel: String,
    /// Path of its memory cgroup.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub cgroup: String,
}
