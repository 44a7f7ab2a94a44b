//! What a capture knows, in a form that outlives the process: no addresses, no user data. Stored in the capture as `facts.json`, which is lastgasp's own
//! working copy; the standard files beside it are for everybody else.

use serde::{Deserialize, Serialize};

/// Version of this form.
pub const SCHEMA: &str = "lastgasp.facts/1";

/// Everything.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// [`SCHEMA`].
    pub schema: String,
    /// How it was taken.
    pub capture: Capture,
    /// Of whom.
    pub target: Target,
    /// Frames, named by their index elsewhere.
    pub frames: Vec<Frame>,
    /// The memory profile.
    pub profile: Profile,
    /// Goroutines.
    pub goroutines: Goroutines,
    /// The runtime's gauges.
    pub gc: Gc,
    /// Memory of the process as the kernel counts it; absent if it was never seen alive.
    pub rss: Option<Rss>,
    /// The watch.
    pub timeline: Timeline,
}

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

/// A logical frame.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Frame {
    /// Function.
    pub function: String,
    /// File.
    pub file: String,
    /// Line.
    pub line: u32,
}

/// Objects and bytes, un-sampled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amount {
    /// Bytes.
    pub bytes: u64,
    /// Objects.
    pub objects: u64,
}

impl Amount {
    /// The sum.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self { bytes: self.bytes.saturating_add(other.bytes), objects: self.objects.saturating_add(other.objects) }
    }

    /// What is left; never below zero.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        Self { bytes: self.bytes.saturating_sub(other.bytes), objects: self.objects.saturating_sub(other.objects) }
    }
}

/// The memory profile.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Profile {
    /// `MemProfileRate`; 0: profiling is off.
    pub rate: u64,
    /// When the baseline was noted, on the timeline's clock; absent if there is none.
    pub baseline_t_ms: Option<u64>,
    /// The gauges at the baseline.
    pub baseline_gc: Option<Gc>,
    /// One per visible stack, the largest in-use first.
    pub sites: Vec<Site>,
}

/// An allocation stack.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Site {
    /// Indices into `frames`, innermost first, the runtime's own frames at the top left out.
    pub stack: Vec<u32>,
    /// In use, current.
    pub current: Amount,
    /// Allocated since the process started, current.
    pub allocated: Amount,
    /// In use, as pprof would have shown it.
    pub published: Amount,
    /// Allocated, as pprof would have shown it.
    pub published_allocated: Amount,
    /// In use at the baseline.
    pub baseline: Amount,
    /// Allocated since the last mark termination.
    pub burst: Amount,
    /// Samples behind `current`.
    pub samples: u64,
    /// One standard error of `current.bytes`: each object of size s was sampled with p = 1 - exp(-s/rate), so n samples of it err by
    /// s * sqrt(n * (1 - p)) / p. Objects much larger than the rate are all sampled and err by nothing.
    pub error_bytes: u64,
}

/// Goroutines.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Goroutines {
    /// Without the runtime's own.
    pub total: u64,
    /// On a thread.
    pub running: u64,
    /// Slots of goroutines that have ended: there were once as many more.
    pub dead: u64,
    /// Bytes of their stacks now.
    pub stack_bytes: u64,
    /// Same stack, state and creator, the largest first.
    pub groups: Vec<Group>,
}

/// Goroutines that do the same.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Group {
    /// How many.
    pub count: u64,
    /// `running`, `waiting`, ...
    pub state: String,
    /// Why they wait.
    pub wait_reason: String,
    /// Indices into `frames`, innermost first.
    pub stack: Vec<u32>,
    /// The `go` statement, an index into `frames`.
    pub created_by: Option<u32>,
    /// Whether a stack was reconstructed without registers.
    pub approximate: bool,
}

/// The runtime's gauges, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Gc {
    /// Cycles finished.
    pub cycles: u32,
    /// GOGC; -1 off.
    pub percent: i32,
    /// GOMEMLIMIT.
    pub memory_limit: Option<u64>,
    /// Live at the last mark and allocated since.
    pub heap_live: u64,
    /// Live at the last mark.
    pub heap_marked: u64,
    /// Where the next cycle should end; absent where GOGC is off.
    pub heap_goal: Option<u64>,
    /// In spans that hold objects.
    pub heap_in_use: u64,
    /// In free pages not returned.
    pub heap_free: u64,
    /// Returned.
    pub heap_released: u64,
    /// Stacks.
    pub stacks: u64,
    /// mspan, mcache, profile, GC, other.
    pub metadata: u64,
    /// 0 off, 1 mark, 2 mark termination.
    pub phase: u32,
}

/// As `/proc/PID/status` says, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rss {
    /// When, on the timeline's clock.
    pub as_of_ms: u64,
    /// All.
    pub rss: u64,
    /// Anonymous.
    pub anon: u64,
    /// Of files.
    pub file: u64,
    /// Shared.
    pub shmem: u64,
    /// Swapped out; not in `rss`.
    pub swap: u64,
    /// Page tables; not in `rss`, but charged to the cgroup.
    pub page_tables: u64,
}

/// The watch.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Timeline {
    /// Oldest first.
    pub samples: Vec<Sample>,
    /// Oldest first.
    pub events: Vec<Event>,
}

/// A look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sample {
    /// Milliseconds since the watch began.
    pub t_ms: u64,
    /// Bytes that count against the limit.
    pub usage_bytes: u64,
    /// Resident bytes.
    pub rss_bytes: u64,
    /// Go heap.
    pub heap_live_bytes: u64,
    /// Goroutine structures; never fewer than before.
    pub goroutines: u64,
    /// GC cycles.
    pub gc_cycles: u32,
}

/// Something that happened.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Event {
    /// When.
    pub t_ms: u64,
    /// What.
    pub kind: String,
    /// For people.
    pub text: String,
}

impl Facts {
    /// What there was at the baseline: gauges, RSS and usage of the sample next to it. `None` without a baseline.
    #[must_use]
    pub fn at_baseline(&self) -> Option<(Gc, Sample)> {
        let t = self.profile.baseline_t_ms?;
        let sample = self.timeline.samples.iter().min_by_key(|s| s.t_ms.abs_diff(t)).copied().unwrap_or_default();
        Some((self.profile.baseline_gc?, sample))
    }
}

impl Gc {
    /// Whether the gauges were read: no Go process has an empty heap.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.heap_in_use > 0
    }

    /// All memory that the runtime knows to be its own.
    #[must_use]
    pub fn known(&self) -> u64 {
        self.heap_in_use + self.heap_free + self.stacks + self.metadata
    }
}
