//! A capture and its target: how the evidence was taken, and of which process.

use serde::{Deserialize, Serialize};

use super::bounded::{FEW, at_most};

/// How a capture was taken.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Capture {
    /// `pre-kill`, `post-kill`, `manual`.
    pub phase: String,
    /// `forecast`, `oom-kill`, `killed`, `manual`.
    pub reason: String,
    /// RFC 3339.
    pub taken_at: String,
    /// When, on the timeline's clock.
    pub t_ms: u64,
    /// How long the target stood still.
    pub stopped_ns: u64,
    /// Bytes that were copied.
    pub bytes_copied: u64,
    /// What could not be read, and why.
    #[serde(deserialize_with = "at_most::<_, _, FEW>")]
    pub gaps: Vec<(String, String)>,
    /// `lastgasp --version`.
    pub lastgasp_version: String,
    /// `uname -r`.
    pub kernel: String,
}

/// Who was captured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Target {
    /// Process number.
    pub pid: i32,
    /// Name of the executable.
    pub service: String,
    /// `go1.22.10`.
    pub go_version: String,
    /// The Go minor whose layout table was used.
    pub layout: String,
    /// Main module: path and version.
    pub module: (String, String),
    /// `vcs.revision`, `vcs.time`, `vcs.modified`.
    pub vcs: Option<(String, String, String)>,
    /// GNU build id.
    pub build_id: Option<String>,
    /// Whether there is no symbol table.
    pub stripped: bool,
    /// Path of the memory cgroup.
    pub cgroup: String,
    /// Container id.
    pub container: Option<String>,
    /// The limit that applied.
    pub limit_bytes: Option<u64>,
    /// Where it stands.
    pub limit_source: Option<String>,
    /// Seconds since 1970.
    pub started_unix: u64,
}
