//! Memory in bytes: the runtime's gauges, its span table, the RSS, the resident mappings, the charge of the
//! cgroup.

use serde::{Deserialize, Serialize};

use super::bounded::{MAX_FEW, at_most};

/// The runtime's gauges of its memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Gc {
    /// Collections finished since the start.
    pub cycles: u32,
    /// GOGC in percent; -1: off.
    pub percent: i32,
    /// GOMEMLIMIT; absent if there is none.
    pub memory_limit: Option<u64>,
    /// Bytes live at the last mark, and those allocated since.
    pub heap_live: u64,
    /// Bytes live at the last mark.
    pub heap_marked: u64,
    /// Heap size at which the next cycle should end; absent where GOGC is off.
    pub heap_goal: Option<u64>,
    /// Bytes of spans that hold objects.
    pub heap_in_use: u64,
    /// Bytes of free pages that were not returned to the kernel.
    pub heap_free: u64,
    /// Bytes of free pages that were returned.
    pub heap_released: u64,
    /// Bytes of stacks.
    pub stacks: u64,
    /// Bytes of the runtime's own tables: mspan, mcache, profile, GC, other.
    pub metadata: u64,
    /// Phase of the collector: 0 off, 1 mark, 2 mark termination.
    pub phase: u32,
    /// Share of processor time that the collector has taken since the start, 0 to 1, as of the end of the
    /// last collection; absent if it was not read.
    pub cpu_share: Option<f64>,
    /// Milliseconds since the last collection ended; absent if it was not read, or there was none.
    pub last_gc_ms_ago: Option<u64>,
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

/// Memory of the process by `/proc/PID/status`, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rss {
    /// Time of the reading in milliseconds on the timeline's clock. The gauges of that moment are
    /// `gauges_at_rss`, or else those of the copy (`capture.t_ms`). Captures of before lack the former, and
    /// of the dead this is the last look alive, maybe long before the copy (785 ms in the golden
    /// `dies-four-threads-go1.25.5-pre-kill`, of a process that grew by 553 MB/s): a rule that compares the
    /// two compares their times first.
    pub as_of_ms: u64,
    /// Resident memory, the sum of the three kinds below.
    pub rss: u64,
    /// Resident anonymous memory.
    pub anon: u64,
    /// Resident pages of files.
    pub file: u64,
    /// Resident shared memory: tmpfs, shared anonymous.
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
    /// Bytes of spans that hold objects.
    pub span_bytes: u64,
    /// Bytes of slots that hold an object.
    pub object_bytes: u64,
    /// Objects; several tiny ones in a slot count as one.
    pub objects: u64,
    /// Objects that the last GC found dead and that are not swept yet.
    pub garbage_bytes: u64,
    /// Small objects by slot size, those with pointers first.
    #[serde(deserialize_with = "at_most::<_, _, MAX_FEW>")]
    pub classes: Vec<HeapClass>,
    /// Large objects (over 32 KiB), alike ones together and all of them counted, the most bytes first. Of
    /// very many kinds those of the fewest bytes are left out. (Captures of 0.1.0 have 256 objects at most,
    /// the largest.)
    #[serde(deserialize_with = "at_most::<_, _, MAX_FEW>")]
    pub large: Vec<LargeObjects>,
    /// Large objects that are not in `large`.
    pub large_left_out: LeftOut,
}

/// Objects that a list has no room for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LeftOut {
    /// Number of objects.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Objects of one size class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HeapClass {
    /// Size of a slot.
    pub size: u64,
    /// Whether they hold no pointers.
    pub noscan: bool,
    /// Number of spans.
    pub spans: u64,
    /// Bytes of those spans.
    pub span_bytes: u64,
    /// Number of slots that hold an object.
    pub objects: u64,
    /// Of them dead and not swept yet.
    pub garbage: u64,
}

/// Large objects of the same size and type.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LargeObjects {
    /// Number of objects.
    pub count: u64,
    /// Size of each.
    pub size: u64,
    /// Whether they hold no pointers; then the runtime keeps no type.
    pub noscan: bool,
    /// Type of their elements; absent if the runtime keeps none.
    pub element: Option<String>,
    /// Size of an element.
    pub element_size: u64,
}

/// Resident anonymous memory by what it is for, in bytes (`/proc/PID/smaps`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Residency {
    /// Time of the reading in milliseconds on the timeline's clock; of the dead the last one alive. 0 in
    /// captures of before, whose readings are of `capture.t_ms`.
    pub as_of_ms: u64,
    /// In the Go heap's arenas: objects, stacks of goroutines, idle pages.
    pub go_heap: u64,
    /// In mappings that the Go runtime has named as its own (Go 1.25 and newer, kernels with
    /// `CONFIG_ANON_VMA_NAME`).
    pub go_named: u64,
    /// Written pages of files, and bss: package-level variables.
    pub program_data: u64,
    /// The first thread's stack.
    pub stack: u64,
    /// All other: the runtime's tables where they are not named, stacks of threads, cgo, memory mapped by the
    /// program.
    pub elsewhere: u64,
    /// Of all of these in huge pages.
    pub huge: u64,
}

/// What is charged to a memory cgroup, in bytes (`memory.stat`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Charge {
    /// The whole charge.
    pub usage: u64,
    /// Anonymous memory of all processes of the group.
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

impl HeapClass {
    /// Bytes of the slots that hold an object.
    #[must_use]
    pub fn object_bytes(&self) -> u64 {
        self.objects.saturating_mul(self.size)
    }
}

impl LargeObjects {
    /// Bytes of all of them.
    #[must_use]
    pub fn total_bytes(&self) -> u64 {
        self.count.saturating_mul(self.size)
    }
}
