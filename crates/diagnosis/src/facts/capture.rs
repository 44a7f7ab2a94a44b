//! A capture and its target: how the evidence was taken, and of which process.

use serde::{Deserialize, Serialize};

use super::bounded::{MAX_FEW, at_most};

/// Circumstances of a capture.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Capture {
    /// Phase: `pre-kill`, `post-kill`, `manual`, `core`.
    pub phase: String,
    /// Reason: `forecast`, `oom-kill`, `killed`, `manual`.
    pub reason: String,
    /// Wall-clock time of the copy, RFC 3339.
    pub taken_at: String,
    /// Time of the copy in milliseconds on the timeline's clock.
    pub t_ms: u64,
    /// Nanoseconds that the target stood still; 0 if it was dead or never stopped.
    pub stopped_ns: u64,
    /// Bytes of the target's memory that were copied.
    pub bytes_copied: u64,
    /// What could not be read, each with its reason.
    #[serde(deserialize_with = "at_most::<_, _, MAX_FEW>")]
    pub gaps: Vec<(String, String)>,
    /// Version of the lastgasp that took it, as `lastgasp --version` says it.
    pub lastgasp_version: String,
    /// Release of the kernel, as `uname -r` says it.
    pub kernel: String,
}

impl Capture {
    /// Whether all that facts are made of was read. Memory that a person wanted to keep beside that is no
    /// evidence.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        /// What gaps of such memory are about.
        const MEMORY: &str = "memory.core";
        self.gaps.iter().all(|(what, _)| what == MEMORY)
    }
}

/// The process that was captured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Target {
    /// Process number, as seen from the host.
    pub pid: i32,
    /// Base name of the executable.
    pub service: String,
    /// Go version from the build info, as in `go1.22.10`.
    pub go_version: String,
    /// The Go minor whose layout table was used.
    pub layout: String,
    /// Main module, path and version, from the build info.
    pub module: (String, String),
    /// Commit that it was built from: `vcs.revision`, `vcs.time`, `vcs.modified` of the build info.
    pub vcs: Option<(String, String, String)>,
    /// GNU build id in hex.
    pub build_id: Option<String>,
    /// Whether there is no symbol table.
    pub stripped: bool,
    /// Path of its memory cgroup.
    pub cgroup: String,
    /// Container id, from the path of the cgroup.
    pub container: Option<String>,
    /// Memory limit that applied, in bytes.
    pub limit_bytes: Option<u64>,
    /// File or setting that the limit stands in.
    pub limit_source: Option<String>,
    /// Start of the process in seconds since 1970; 0 if it is not known.
    pub started_unix: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_beside_the_evidence_is_no_evidence() {
        let capture = |what: &[&str]| Capture {
            gaps: what.iter().map(|w| ((*w).to_owned(), "lost".to_owned())).collect(),
            ..Capture::default()
        };
        assert!(capture(&[]).is_whole() && capture(&["memory.core"]).is_whole());
        assert!(!capture(&["memory.core", "goroutines"]).is_whole());
    }
}
