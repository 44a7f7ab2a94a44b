//! A capture and its target: how the evidence was taken, and of which process.

use serde::{Deserialize, Serialize};

use super::bounded::{MAX_FEW, at_most};
use super::named::named;

named! {
    /// Moment of a capture in the life of its target.
    pub enum Phase {
        /// Stopped and copied, because the forecast said so.
        PreKill = "pre-kill",
        /// Copied from the dead process's memory.
        PostKill = "post-kill",
        /// Asked for by a person.
        Manual = "manual",
        /// Out of a core file.
        Core = "core",
    }
}

named! {
    /// Reason of a capture.
    pub enum Reason {
        /// The forecast: memory was about to run out.
        Forecast = "forecast",
        /// The kernel killed the target for want of memory.
        OomKill = "oom-kill",
        /// Somebody else killed it.
        Killed = "killed",
        /// A person asked.
        Manual = "manual",
        /// The watch saw its goroutines grow in number, steadily.
        Leak = "leak",
    }
}

/// Circumstances of a capture.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Capture {
    /// Moment in the life of the target.
    pub phase: Phase,
    /// Why it was taken.
    pub reason: Reason,
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
    pub gaps: Vec<Gap>,
    /// Version of the lastgasp that took it, as `lastgasp --version` says it.
    pub lastgasp_version: String,
    /// Release of the kernel, as `uname -r` says it.
    pub kernel: String,
}

/// What the gap is of that says why there is no heap graph. That is no gap of the evidence: a verdict that
/// does not rest on the graph is none the weaker without it, and one that does is not given.
pub const HEAP_GRAPH: &str = "heap graph";

impl Capture {
    /// Whether all that facts are made of was read. Memory that a person wanted to keep beside that is no
    /// evidence.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        /// What gaps of such memory are about.
        const MEMORY: &str = "memory.core";
        self.gaps.iter().all(|g| g.what == MEMORY || g.what == HEAP_GRAPH)
    }

    /// Whether nothing is missing that was to be there: all that facts are made of, and memory that was to be
    /// kept.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.gaps.iter().all(|g| g.what == HEAP_GRAPH)
    }
}

/// Something that could not be read. (`lastgasp.facts/1` has a pair of strings here, which reads the same.)
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Gap {
    /// What is missing.
    pub what: String,
    /// The reason.
    pub why: String,
}

impl Gap {
    /// A gap.
    pub fn new(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self { what: what.into(), why: why.into() }
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
    /// The Go minor whose layout table was used, and where that was learned: for people.
    pub layout: String,
    /// The same as a number: 22 for Go 1.22; 0 if it is not known (`lastgasp.facts/1`).
    pub go_minor: u16,
    /// Main module from the build info.
    pub module: Module,
    /// Commit that it was built from; absent if the build info has none.
    pub vcs: Option<Vcs>,
    /// GNU build id in hex.
    pub build_id: Option<String>,
    /// Whether there is no symbol table.
    pub stripped: bool,
    /// Range of addresses of its code; absent in `lastgasp.facts/1`.
    pub code: Option<Code>,
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
    /// Milliseconds that the process had lived when it was copied, or when it was killed; absent if it is not
    /// known.
    pub age_ms: Option<u64>,
    /// Whether it was built with `-race`: the race detector keeps shadow memory, several times what the
    /// program uses.
    pub race: bool,
}

/// The main module. (`lastgasp.facts/1` has a pair of strings here, which reads the same.)
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Module {
    /// Its path; of a build outside of any module what the path of the main package says; else empty.
    pub path: String,
    /// Its version, as in `v1.2.3` or `(devel)`.
    pub version: String,
}

/// The commit that the target was built from. (`lastgasp.facts/1` has three strings here, which read the
/// same.)
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Vcs {
    /// `vcs.revision` of the build info.
    pub revision: String,
    /// `vcs.time`, RFC 3339.
    pub time: String,
    /// `vcs.modified` as it stands there: `true`, `false` or empty.
    pub modified: String,
}

/// Where the target's code stood: the mapping of a pprof profile, and what program counters are counted from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Code {
    /// Address of its first byte.
    pub start: u64,
    /// Address behind its last byte.
    pub end: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_beside_the_evidence_is_no_evidence() {
        let capture =
            |what: &[&str]| Capture { gaps: what.iter().map(|w| Gap::new(*w, "lost")).collect(), ..Capture::default() };
        assert!(capture(&[]).is_whole() && capture(&["memory.core"]).is_whole() && capture(&[HEAP_GRAPH]).is_whole());
        assert!(capture(&[HEAP_GRAPH]).is_complete() && !capture(&["memory.core", HEAP_GRAPH]).is_complete());
        assert!(!capture(&["memory.core", "goroutines"]).is_whole());
    }
}
