//! What a capture knows, in a form that outlives the process: no addresses, no user data. Stored in the capture as `facts.json`, which is lastgasp's own
//! working copy; the standard files beside it are for everybody else.

mod stored;

use serde::{Deserialize, Serialize};

pub use stored::from_json;
use stored::{FEW, SAMPLES, SITES, at_most};

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
    /// The heap by its span table; absent if it was not read.
    pub heap: Option<Heap>,
    /// Memory of the process as the kernel counts it; absent if it was never seen alive.
    pub rss: Option<Rss>,
    /// What of its mappings is resident; absent for the dead.
    pub residency: Option<Residency>,
    /// What is charged to its memory cgroup; absent where there is none.
    pub charge: Option<Charge>,
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
    #[serde(deserialize_with = "at_most::<_, _, SITES>")]
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
    /// Allocated up to the baseline.
    pub baseline_allocated: Amount,
    /// Allocated since the last mark termination.
    pub burst: Amount,
    /// Samples behind `current`.
    pub samples: u64,
    /// One standard error of `current.bytes`: each object of size s was sampled with p = 1 - exp(-s/rate), so n samples of it err by
    /// s * sqrt(n * (1 - p)) / p. Objects much larger than the rate are all sampled and err by nothing.
    pub error_bytes: u64,
}

impl Site {
    /// Bytes between which `current.bytes` lies with 95 % confidence, given how few samples there are: a site of one sample may be a fifth of what it seems, or
    /// several times as much. Poisson bounds (Byar's approximation) for as many samples as the standard error is worth.
    #[must_use]
    pub fn range_bytes(&self) -> (u64, u64) {
        const Z: f64 = 1.96;
        let (estimate, error) = (self.current.bytes as f64, self.error_bytes as f64);
        if error < 1.0 || estimate < 1.0 {
            return (self.current.bytes, self.current.bytes);
        }
        let n = (estimate / error).powi(2);
        let low = n * (1.0 - 1.0 / (9.0 * n) - Z / (3.0 * n.sqrt())).max(0.0).powi(3);
        let m = n + 1.0;
        let high = m * (1.0 - 1.0 / (9.0 * m) + Z / (3.0 * m.sqrt())).powi(3);
        ((estimate * low / n) as u64, (estimate * high / n) as u64)
    }

    /// What was allocated and what was freed since the baseline.
    #[must_use]
    pub fn since_baseline(&self) -> (Amount, Amount) {
        let allocated = self.allocated.minus(self.baseline_allocated);
        // Un-sampling rounds each count by itself: freed = allocated - what is more in use, which may be less.
        let freed = |allocated: u64, now: u64, then: u64| allocated.saturating_add(then).saturating_sub(now);
        let freed = Amount {
            bytes: freed(allocated.bytes, self.current.bytes, self.baseline.bytes),
            objects: freed(allocated.objects, self.current.objects, self.baseline.objects),
        };
        (allocated, freed)
    }
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
    #[serde(deserialize_with = "at_most::<_, _, SITES>")]
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

/// The heap's span table, in bytes: exact, profile or no profile.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Heap {
    /// Whether the target ran while it was read: the sums are then of no single moment.
    pub running: bool,
    /// Spans that hold objects.
    pub span_bytes: u64,
    /// Slots that hold an object.
    pub object_bytes: u64,
    /// Objects; several tiny ones in a slot count as one.
    pub objects: u64,
    /// Objects that the last GC found dead and that are not swept yet.
    pub garbage_bytes: u64,
    /// Small objects by slot size, those with pointers first.
    #[serde(deserialize_with = "at_most::<_, _, FEW>")]
    pub classes: Vec<HeapClass>,
    /// Large objects (over 32 KiB), alike ones together, the most bytes first. Of very many the smallest are left out.
    #[serde(deserialize_with = "at_most::<_, _, FEW>")]
    pub large: Vec<LargeObjects>,
}

/// Objects of one size class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HeapClass {
    /// Bytes of one slot.
    pub size: u64,
    /// Whether they hold no pointers.
    pub noscan: bool,
    /// Spans.
    pub spans: u64,
    /// Bytes of the spans.
    pub span_bytes: u64,
    /// Slots that hold an object.
    pub objects: u64,
    /// Of them dead and not swept yet.
    pub garbage: u64,
}

/// Large objects of the same size and type.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LargeObjects {
    /// How many.
    pub count: u64,
    /// Bytes of each.
    pub size: u64,
    /// Whether they hold no pointers; then the runtime keeps no type.
    pub noscan: bool,
    /// Type of their elements.
    pub element: Option<String>,
    /// Bytes of an element.
    pub element_size: u64,
}

/// Resident anonymous memory by what it is for, in bytes (`/proc/PID/smaps`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Residency {
    /// In the Go heap's arenas: objects, stacks of goroutines, idle pages.
    pub go_heap: u64,
    /// In mappings that the Go runtime has named as its own (Go 1.25 and newer, kernels with `CONFIG_ANON_VMA_NAME`).
    pub go_named: u64,
    /// Written pages of files, and bss: package-level variables.
    pub program_data: u64,
    /// The first thread's stack.
    pub stack: u64,
    /// All other: the runtime's tables where they are not named, stacks of threads, cgo, memory mapped by the program.
    pub elsewhere: u64,
    /// Of all of these in huge pages.
    pub huge: u64,
}

/// What is charged to a memory cgroup, in bytes (`memory.stat`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Charge {
    /// All.
    pub usage: u64,
    /// Anonymous memory of all its processes.
    pub anon: u64,
    /// Page cache.
    pub file: u64,
    /// tmpfs and shared anonymous memory.
    pub shmem: u64,
    /// Page tables, where the kernel tells them apart.
    pub page_tables: u64,
    /// Kernel memory, page tables included.
    pub kernel: u64,
}

/// The watch.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Timeline {
    /// Oldest first.
    #[serde(deserialize_with = "at_most::<_, _, SAMPLES>")]
    pub samples: Vec<Sample>,
    /// Oldest first.
    #[serde(deserialize_with = "at_most::<_, _, FEW>")]
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

    /// From the baseline to the capture; `None` without a baseline, or if no time went by.
    #[must_use]
    pub fn seconds_since_baseline(&self) -> Option<f64> {
        let ms = self.capture.t_ms.checked_sub(self.profile.baseline_t_ms?)?;
        (ms > 0).then_some(ms as f64 / 1e3)
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
        [self.heap_in_use, self.heap_free, self.stacks, self.metadata].into_iter().fold(0, u64::saturating_add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_samples_have_a_wide_range_and_many_a_narrow_one() {
        let site = |bytes, error_bytes| Site { current: Amount { bytes, objects: 1 }, error_bytes, ..Site::default() };
        // One sample: the exact Poisson bounds are 0.025 and 5.57.
        let (low, high) = site(1_000_000, 1_000_000).range_bytes();
        assert!(low < 60_000 && (5_000_000..6_000_000).contains(&high), "{low} {high}");
        // Ten thousand samples: two percent.
        let (low, high) = site(1_000_000, 10_000).range_bytes();
        assert!((979_000..982_000).contains(&low) && (1_018_000..1_022_000).contains(&high), "{low} {high}");
        assert_eq!(site(5, 0).range_bytes(), (5, 5));
    }

    #[test]
    fn allocated_less_freed_is_what_is_more_in_use() {
        let amount = |bytes| Amount { bytes, objects: bytes / 10 };
        let site = Site {
            current: amount(500),
            baseline: amount(200),
            allocated: amount(1000),
            baseline_allocated: amount(300),
            ..Site::default()
        };
        assert_eq!(site.since_baseline(), (amount(700), amount(400)));
    }
}
