//! What a saved capture says of itself: JSON in a note of its core, `lastgasp.raw/1`. Structs alone, each
//! field optional to a reader and none ever renamed or given another meaning; unknown fields are ignored.
//! Addresses and lengths are in the process's own address space, times in the unit of their name.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The name of this form.
pub(crate) const SCHEMA: &str = "lastgasp.raw/1";

/// Why a text is no saved capture.
#[derive(Debug, Error)]
pub enum StoredError {
    /// No JSON of this form.
    #[error("its description makes no sense: {0}")]
    Json(#[from] serde_json::Error),
    /// Of another form.
    #[error("its description has the form {0:?}, this lastgasp reads {SCHEMA:?}")]
    Schema(String),
}

/// Reads the text; what is missing is as it is by default.
///
/// # Errors
/// [`StoredError`].
pub fn parse(text: &[u8]) -> Result<StoredV1, StoredError> {
    let stored: StoredV1 = serde_json::from_slice(text)?;
    if stored.schema == SCHEMA { Ok(stored) } else { Err(StoredError::Schema(stored.schema)) }
}

/// When memory that is no evidence was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WhenRead {
    /// While the target ran on after the stop: each page is right by itself, and the whole is of no single
    /// moment.
    Running,
    /// While the target stood still, in the same stop as the evidence, to the last page.
    Still,
    /// When it was dead: of the moment of its death.
    Dead,
    /// Out of a core file: of the core's moment.
    Core,
    /// By a newer lastgasp, in a way that this one does not know.
    #[default]
    #[serde(other)]
    Unknown,
}

impl WhenRead {
    /// Whether it is the memory of one moment, all of it. That of the dead is of one moment too, and often
    /// not all of it: the kernel takes it away meanwhile.
    #[must_use]
    pub fn is_whole(self) -> bool {
        matches!(self, Self::Core | Self::Still)
    }
}

macro_rules! stored {
    ($($(#[$doc:meta])* pub struct $name:ident { $($(#[$field_doc:meta])* pub $field:ident: $kind:ty,)* })*) => {
        $($(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
        #[serde(default)]
        pub struct $name { $($(#[$field_doc])* pub $field: $kind,)* })*
    };
}

stored! {
    /// A saved capture.
    pub struct StoredV1 {
        /// `lastgasp.raw/1`.
        pub schema: String,
        /// Version of the writer.
        pub lastgasp_version: String,
        /// `pre-kill`, `post-kill`, `manual`, `core`.
        pub phase: String,
        /// `forecast`, `oom-kill`, `killed`, `manual`, `leak`.
        pub reason: String,
        /// When it was taken, nanoseconds since 1970.
        pub taken_unix_ns: u64,
        /// The same on the timeline's clock.
        pub t_ms: u64,
        /// `CLOCK_MONOTONIC` of the copy.
        pub monotonic_ns: Option<u64>,
        /// How long the target stood still.
        pub stopped_ns: u64,
        /// Release of the kernel.
        pub kernel: String,
        /// Bytes that were copied, those copied twice counted twice.
        pub bytes_copied: u64,
        /// Who.
        pub identity: StoredIdentity,
        /// Where its runtime stands.
        pub runtime: StoredRuntime,
        /// What it ran.
        pub binary: StoredBinary,
        /// Memory of the moment of the copy: what is decoded.
        pub evidence: StoredRanges,
        /// The binary's constants, in groups by where they were read from.
        pub constants: Vec<StoredRanges>,
        /// All other memory of the core.
        pub other: Option<StoredOther>,
        /// What could not be copied.
        pub gaps: Vec<StoredGap>,
        /// Threads.
        pub registers: Vec<StoredRegisters>,
        /// Memory use.
        pub usage: Option<StoredUsage>,
        /// The gauges of the moment when memory use was read.
        pub gauges_at_usage: Option<StoredGauges>,
        /// How long it had lived.
        pub age_ms: Option<u64>,
        /// The other processes that count against its limit.
        pub neighbours: Option<StoredNeighbours>,
        /// The span table's sums.
        pub spans: Option<StoredSpans>,
        /// Mappings, and what of them is resident.
        pub residency: Option<Vec<StoredResident>>,
        /// When that was read, on the timeline's clock.
        pub residency_t_ms: u64,
        /// What is charged to the cgroup.
        pub charge: Option<StoredCharge>,
        /// The limit that applies.
        pub limit: Option<StoredLimit>,
        /// Samples of the watch.
        pub samples: Vec<StoredSample>,
        /// Events of the watch.
        pub events: Vec<StoredEvent>,
        /// The profile at calmer times, oldest first.
        pub baselines: Vec<StoredBaseline>,
        /// Collections that were known, at calmer times and at the capture.
        pub census: Option<StoredCensus>,
        /// Looks at its goroutines during the watch, oldest first.
        pub goroutine_looks: Vec<StoredGoroutineLook>,
    }

    /// A look at goroutines.
    pub struct StoredGoroutineLook {
        /// When, on the timeline's clock.
        pub t_ms: u64,
        /// Structures.
        pub slots: u64,
        /// Goroutines that lived.
        pub live: u64,
        /// The highest number that one of them had.
        pub newest: u64,
        /// One in so many was looked at.
        pub one_in: u64,
        /// The `go` statements that started most of them.
        pub sites: Vec<StoredStarted>,
        /// Whether there were others.
        pub more: bool,
    }

    /// Goroutines of one `go` statement.
    pub struct StoredStarted {
        /// The address that its call returns to.
        pub pc: u64,
        /// How many lived.
        pub count: u64,
    }

    /// The quick census.
    pub struct StoredCensus {
        /// When it was looked for the capture, on the timeline's clock.
        pub t_ms: u64,
        /// When the looks before were, oldest first.
        pub times: Vec<u64>,
        /// The collections.
        pub collections: Vec<StoredCollection>,
    }

    /// A known collection.
    pub struct StoredCollection {
        /// `map`, `slice`.
        pub kind: String,
        /// The word at which the way to it begins.
        pub anchor: StoredAnchor,
        /// From word to word.
        pub hops: Vec<StoredHop>,
        /// The numbers of elements, each at the first look that had it.
        pub changes: Vec<StoredChange>,
        /// The look at the capture.
        pub now: Option<StoredReading>,
    }

    /// A word that stays.
    pub struct StoredAnchor {
        /// Of a package variable: its address; else 0, and it is a word of a goroutine's frame.
        pub variable: u64,
        /// The `g`.
        pub g: u64,
        /// The goroutine.
        pub goid: u64,
        /// Bytes from the word to the stack's top.
        pub word: u64,
        /// Bytes from the word with the frame's return address to the stack's top.
        pub pc_word: u64,
        /// That address.
        pub pc: u64,
        /// What the word holds.
        pub object: u64,
    }

    /// A step of a way.
    pub struct StoredHop {
        /// From what a word points to to the next word, modulo 2^64.
        pub offset: u64,
        /// What the word in front of it holds, where that is a condition; else 0.
        pub tag: u64,
    }

    /// A number of elements that is another than before.
    pub struct StoredChange {
        /// The look, on the timeline's clock.
        pub t_ms: u64,
        /// Elements; 2^64 - 1 where the way led nowhere.
        pub elements: u64,
    }

    /// What a look said.
    pub struct StoredReading {
        /// Elements.
        pub elements: u64,
        /// Elements that there is room for.
        pub capacity: u64,
        /// Where the header stands.
        pub header: u64,
        /// Where the array stands.
        pub array: u64,
    }

    /// Addresses.
    pub struct StoredRanges {
        /// By address; what touches is one.
        pub ranges: Vec<StoredRange>,
        /// CRC-32 (IEEE) of their bytes, one after the other.
        pub crc32: u32,
    }

    /// A piece of memory.
    pub struct StoredRange {
        /// First address.
        pub at: u64,
        /// Bytes.
        pub len: u64,
    }

    /// Memory that is no evidence.
    pub struct StoredOther {
        /// When it was read.
        pub read: WhenRead,
        /// Bytes that should be there and are not.
        pub lost_bytes: u64,
    }

    /// Who.
    pub struct StoredIdentity {
        /// Process number.
        pub pid: i32,
        /// Name of the executable.
        pub service: String,
        /// Path of its memory cgroup.
        pub cgroup: String,
        /// Container id.
        pub container: Option<String>,
        /// When it started, seconds since 1970.
        pub started_unix: u64,
    }

    /// A Go runtime.
    pub struct StoredRuntime {
        /// Processor and system, as Go names them: `linux/amd64`.
        pub arch: String,
        /// As the binary says it.
        pub go_version: String,
        /// Path of the main package.
        pub path: String,
        /// Main module.
        pub module_path: String,
        /// Its version.
        pub module_version: String,
        /// `build` lines.
        pub settings: Vec<StoredSetting>,
        /// `runtime.moduledata`.
        pub module_data: StoredModuleData,
        /// The runtime's variables by name, without `runtime.`.
        pub variables: Vec<StoredVariable>,
    }

    /// A `build` line.
    pub struct StoredSetting {
        /// Key.
        pub key: String,
        /// Value.
        pub value: String,
    }

    /// A variable of the runtime.
    pub struct StoredVariable {
        /// Name.
        pub name: String,
        /// Address.
        pub at: u64,
    }

    /// A table.
    pub struct StoredTable {
        /// Address.
        pub at: u64,
        /// Entries, in the unit of `moduledata`.
        pub count: u64,
    }

    /// `runtime.moduledata`.
    pub struct StoredModuleData {
        /// Where it stands; 0 if that was not noted.
        pub at: u64,
        /// `pcHeader`.
        pub pc_header: u64,
        /// `funcnametab`.
        pub funcnametab: StoredTable,
        /// `cutab`.
        pub cutab: StoredTable,
        /// `filetab`.
        pub filetab: StoredTable,
        /// `pctab`.
        pub pctab: StoredTable,
        /// `pclntable`.
        pub pclntable: StoredTable,
        /// `ftab`.
        pub ftab: StoredTable,
        /// `minpc` to `maxpc`.
        pub pcs: StoredRange,
        /// `text`.
        pub text: u64,
        /// `gofunc`.
        pub gofunc: u64,
        /// `types` to `etypes`.
        pub types: StoredRange,
        /// `noptrdata` to `enoptrbss`.
        pub variables: StoredRange,
    }

    /// A binary.
    pub struct StoredBinary {
        /// GNU build id in hex.
        pub build_id: Option<String>,
        /// Whether it has no symbol table.
        pub stripped: bool,
        /// What is added to its addresses to get the process's.
        pub bias: u64,
        /// Its entry point in the process.
        pub entry: u64,
    }

    /// What is missing.
    pub struct StoredGap {
        /// What.
        pub what: String,
        /// Why.
        pub why: String,
    }

    /// A thread.
    pub struct StoredRegisters {
        /// Thread id.
        pub tid: i32,
        /// Stack pointer.
        pub sp: u64,
        /// Program counter.
        pub pc: u64,
    }

    /// Memory use, bytes.
    pub struct StoredUsage {
        /// When, on the timeline's clock.
        pub t_ms: u64,
        /// `VmRSS`.
        pub rss: u64,
        /// `RssAnon`.
        pub anon: u64,
        /// `RssFile`.
        pub file: u64,
        /// `RssShmem`.
        pub shmem: u64,
        /// `VmSwap`.
        pub swap: u64,
        /// `VmPTE`.
        pub page_tables: u64,
    }

    /// The other processes that count against a limit.
    pub struct StoredNeighbours {
        /// Path of the group.
        pub group: String,
        /// When, on the timeline's clock.
        pub t_ms: u64,
        /// By name.
        pub others: Vec<StoredNeighbour>,
        /// Resident bytes of all.
        pub rss: u64,
        /// How many there was no time for.
        pub not_seen: u64,
    }

    /// Processes of one name.
    pub struct StoredNeighbour {
        /// `/proc/PID/comm`.
        pub name: String,
        /// Number of them.
        pub processes: u64,
        /// Of them descendants of the target.
        pub children: u64,
        /// Numbers of the first few.
        pub pids: Vec<i32>,
        /// Resident bytes.
        pub rss: u64,
    }

    /// The span table's sums.
    pub struct StoredSpans {
        /// Whether the target ran while it was read.
        pub running: bool,
        /// Small objects.
        pub classes: Vec<StoredSpanClass>,
        /// Large objects with pointers, all together.
        pub large_scan: StoredSpanClass,
        /// Large objects without.
        pub large_noscan: StoredSpanClass,
        /// Bytes of large objects with pointers.
        pub large_scan_bytes: u64,
        /// Bytes of large objects without.
        pub large_noscan_bytes: u64,
        /// Large objects by size and type.
        pub large: Vec<StoredLargeObject>,
        /// Number of those that are not in `large`.
        pub large_left_out: u64,
        /// Their bytes.
        pub large_left_out_bytes: u64,
        /// Bytes of large garbage.
        pub large_garbage_bytes: u64,
        /// Bytes of spans managed by hand.
        pub manual_bytes: u64,
        /// Arenas.
        pub arenas: Vec<StoredRange>,
    }

    /// Spans of one class.
    pub struct StoredSpanClass {
        /// Bytes of one slot.
        pub elem_size: u64,
        /// Without pointers.
        pub noscan: bool,
        /// Spans.
        pub spans: u64,
        /// Bytes of the spans.
        pub span_bytes: u64,
        /// Objects.
        pub objects: u64,
        /// Of them garbage.
        pub garbage: u64,
    }

    /// Large objects that are alike.
    pub struct StoredLargeObject {
        /// Number of them; 0, written before they were counted: one.
        pub count: u64,
        /// Bytes of each.
        pub bytes: u64,
        /// Without pointers.
        pub noscan: bool,
        /// Its `abi.Type`.
        pub type_at: Option<u64>,
        /// The type's name.
        pub element: Option<String>,
        /// Bytes of one element.
        pub element_size: u64,
    }

    /// A mapping and what of it is resident, bytes.
    pub struct StoredResident {
        /// First address.
        pub at: u64,
        /// Bytes.
        pub len: u64,
        /// `rwx`, as far as it may be.
        pub access: String,
        /// Offset in the file.
        pub offset: u64,
        /// Inode of the file.
        pub inode: u64,
        /// Path or name.
        pub path: String,
        /// `Rss`.
        pub rss: u64,
        /// `Anonymous`.
        pub anon: u64,
        /// `AnonHugePages`.
        pub huge: u64,
    }

    /// What is charged to the cgroup, bytes.
    pub struct StoredCharge {
        /// All.
        pub usage: u64,
        /// Anonymous memory.
        pub anon: u64,
        /// Page cache.
        pub file: u64,
        /// tmpfs and shared memory.
        pub shmem: u64,
        /// Page tables.
        pub page_tables: u64,
        /// Kernel memory in all.
        pub kernel: u64,
    }

    /// A limit.
    pub struct StoredLimit {
        /// Bytes.
        pub bytes: u64,
        /// Who says so.
        pub source: String,
    }

    /// A look at a target.
    pub struct StoredSample {
        /// When, on the timeline's clock.
        pub t_ms: u64,
        /// Bytes that count against the limit.
        pub usage: u64,
        /// Resident bytes.
        pub rss: u64,
        /// Live heap.
        pub heap_live: u64,
        /// Goroutine structures.
        pub goroutines: u64,
        /// GC cycles.
        pub gc_cycles: u32,
    }

    /// Something that happened.
    pub struct StoredEvent {
        /// When, on the timeline's clock.
        pub t_ms: u64,
        /// Kind.
        pub kind: String,
        /// For people.
        pub text: String,
    }

    /// The profile at a calmer time.
    pub struct StoredBaseline {
        /// When, on the timeline's clock.
        pub t_ms: u64,
        /// `MemProfileRate`.
        pub rate: u64,
        /// The gauges.
        pub gauges: StoredGauges,
        /// Sites that are not as at the baseline before; one that holds nothing has gone.
        pub changed: Vec<StoredSite>,
    }

    /// Raw counts of a bucket.
    pub struct StoredSite {
        /// The bucket.
        pub at: u64,
        /// Objects allocated.
        pub allocated_objects: u64,
        /// Bytes allocated.
        pub allocated_bytes: u64,
        /// Objects in use.
        pub in_use_objects: u64,
        /// Bytes in use.
        pub in_use_bytes: u64,
    }

    /// The runtime's gauges: names and units as in `goruntime`.
    pub struct StoredGauges {
        /// GOGC in percent; -1 means off.
        pub gc_percent: i32,
        /// GOMEMLIMIT.
        pub memory_limit: Option<u64>,
        /// Heap goal.
        pub heap_goal: Option<u64>,
        /// Live heap.
        pub heap_live: u64,
        /// Live at the last mark.
        pub heap_marked: u64,
        /// In spans with objects.
        pub heap_in_use: u64,
        /// Returned.
        pub heap_released: u64,
        /// Free and kept.
        pub heap_free: u64,
        /// Ever allocated.
        pub total_alloc: u64,
        /// Ever freed.
        pub total_free: u64,
        /// Mapped and ready.
        pub mapped_ready: u64,
        /// Stacks.
        pub stacks: u64,
        /// Metadata.
        pub metadata: u64,
        /// GC cycles.
        pub gc_cycles: u32,
        /// End of the last cycle.
        pub last_gc_ns: u64,
        /// Share of the collector in processor time, millionths.
        pub gc_cpu_ppm: Option<u32>,
        /// Phase of the GC.
        pub gc_phase: u32,
        /// Goroutine structures.
        pub goroutine_slots: u64,
    }
}
