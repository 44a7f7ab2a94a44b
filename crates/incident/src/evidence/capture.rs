//! What an incident needs of one capture: some kilobytes, where the capture's own facts may be megabytes.

use serde::{Deserialize, Serialize};

use super::UnixMs;
use super::between::Between;
use super::collection::{CollectionSummary, CopiesSummary};
use super::generation::{Build, Place};
use super::metric::MetricPoint;

/// What an incident needs of one capture.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CaptureSummary {
    /// Name and version of this form: [`CaptureSummary::SCHEMA`].
    pub schema: String,
    /// Name of its folder.
    pub folder: String,
    /// Path of its folder, as it was found; not stored.
    #[serde(skip)]
    pub path: String,
    /// When it was taken.
    pub taken_unix_ms: UnixMs,
    /// Moment in the life of the target: `pre-kill`, `post-kill`, `manual`, `core`.
    pub phase: String,
    /// Why it was taken: `forecast`, `oom-kill`, `killed`, `manual`, `leak`.
    pub reason: String,
    /// Whether it is one of many of its cause, and has the culprit alone.
    pub light: bool,
    /// Service.
    pub service: String,
    /// What is restarted: name of the container or group.
    pub instance: String,
    /// Process number.
    pub pid: i32,
    /// Start of the process; 0 if it is not known.
    pub started_unix_ms: UnixMs,
    /// Container id; empty where there is none.
    pub container: String,
    /// What was built.
    pub build: Build,
    /// Where it ran.
    pub place: Place,
    /// Memory limit that applied.
    pub limit_bytes: Option<u64>,
    /// Fingerprint of its cause (the manifest's `cause`); empty where nobody has asked.
    pub cause: String,
    /// What the rules found, the verdict first.
    pub findings: Vec<FindingSummary>,
    /// What grew.
    pub growth: GrowthSummary,
    /// When it grew.
    pub window: Option<WindowSummary>,
    /// Goroutines: when they piled up.
    pub goroutines: OnsetSummary,
    /// The heap in numbers.
    pub heap: HeapNumbers,
    /// Collections: those that jumped, and the largest.
    pub census: Vec<CollectionSummary>,
    /// Collections of equal content.
    pub copies: Vec<CopiesSummary>,
    /// Usage against the limit along the watch, in bytes, thinned.
    pub memory: Vec<MetricPoint>,
    /// Goroutines along the watch, thinned.
    pub goroutine_count: Vec<MetricPoint>,
    /// How the heap was used up: `calls-at-work`, `waiting-calls`, `stays-alive`, ...; empty where it was not
    /// the heap.
    pub how: String,
    /// Calls in flight of the code that holds the growth.
    pub calls: CallsSummary,
    /// What larger limits would buy, by the capture's own window.
    pub limits: Vec<LimitBuys>,
    /// Suspects that the capture's evidence speaks against: what, and why.
    pub not_it: Vec<NotIt>,
    /// What could not be read, in words.
    pub gaps: Vec<String>,
}

/// Calls in flight.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CallsSummary {
    /// The function that they are calls of; empty where there are none.
    pub function: String,
    /// How many.
    pub total: u64,
    /// Of them those that wait for the same.
    pub waiting: u64,
    /// Of all of them those that a server has called, so that they are calls for certain; absent where
    /// that was not counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub served: Option<u64>,
    /// What those wait for.
    pub waits_for: String,
    /// Bytes that each holds.
    pub bytes_each: Option<u64>,
}

/// What a larger limit would buy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LimitBuys {
    /// The limit in bytes.
    pub limit_bytes: u64,
    /// Seconds until it would be reached too; absent where it would not be.
    pub seconds: Option<f64>,
    /// The same at the highest rate.
    pub low: Option<f64>,
    /// At the lowest.
    pub high: Option<f64>,
}

/// A suspect that the evidence speaks against.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NotIt {
    /// The suspect.
    pub suspect: String,
    /// What speaks against it.
    pub because: String,
}

impl CaptureSummary {
    /// Name and version of this form.
    pub const SCHEMA: &str = "lastgasp.capture-summary/1";

    /// Whether it is of a process that the kernel had killed for memory.
    #[must_use]
    pub fn is_of_a_kill(&self) -> bool {
        self.phase == "post-kill" && self.reason == "oom-kill"
    }

    /// The first finding: what the capture by itself says.
    #[must_use]
    pub fn verdict(&self) -> Option<&FindingSummary> {
        self.findings.first()
    }

    /// A finding of a rule.
    #[must_use]
    pub fn finding(&self, code: &str) -> Option<&FindingSummary> {
        self.findings.iter().find(|f| f.code == code)
    }

    /// When memory began to grow: between the last sample of before and the first that shows it.
    #[must_use]
    pub fn onset(&self) -> Option<Between> {
        let w = self.window?;
        let earliest = w.onset_unix_ms;
        let by_points = || {
            let points = self.memory.iter().map(|p| (p.unix_ms, p.value as u64));
            WindowSummary::first_to_grow(points, earliest, (w.start_bytes, w.end_bytes))
        };
        let latest = w.onset_latest_unix_ms.or_else(by_points).unwrap_or(earliest);
        Some(Between { earliest, latest: latest.max(earliest) })
    }

    /// Bytes by which memory grew: in its window, or else by the profile; 1 at least.
    #[must_use]
    pub fn grown_bytes(&self) -> u64 {
        self.window.map_or(self.growth.bytes, |w| w.end_bytes.saturating_sub(w.start_bytes)).max(1)
    }

    /// When so much of the growth was there first, by the points of its memory.
    #[must_use]
    pub fn grown_by(&self, part: f64) -> Option<UnixMs> {
        let w = self.window?;
        let least = w.start_bytes as f64 + w.end_bytes.saturating_sub(w.start_bytes) as f64 * part;
        let after = self.memory.iter().filter(|p| p.unix_ms > w.onset_unix_ms);
        after.into_iter().find(|p| p.value >= least).map(|p| p.unix_ms)
    }

    /// Process and start: the life that it is of.
    #[must_use]
    pub fn life(&self) -> (i32, UnixMs) {
        (self.pid, self.started_unix_ms / 1000)
    }
}

/// What a rule found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct FindingSummary {
    /// Code of the rule: `heap-growth`.
    pub code: String,
    /// What it is about, in a word: a function, who keeps a collection.
    pub subject: String,
    /// Fingerprint of code and subject.
    pub fingerprint: String,
    /// Confidence, 0 to 1.
    pub confidence: f64,
    /// `info`, `warning`, `critical`.
    pub level: String,
    /// Title.
    pub title: String,
    /// Sentence.
    pub sentence: String,
    /// `file:line` of the site; empty where there is none.
    pub at: String,
    /// Other causes that were ruled out: codes or words.
    pub ruled_out: Vec<String>,
    /// Those that stand.
    pub open_rivals: Vec<String>,
    /// What would end it.
    pub cure: String,
    /// Of who holds most of the heap: how many goroutines that are, 0 where it is a variable. Absent of other
    /// findings, and in captures of before this was kept: [`FindingSummary::holders`] knows it of these too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub goroutines: Option<u64>,
    /// Of a variable without a name that holds most of the heap: functions that put into it what it keeps.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub grows_in: Vec<String>,
}

impl FindingSummary {
    /// How many goroutines hold what a finding says that one root holds; 0 where it is a variable.
    #[must_use]
    pub fn holders(&self) -> u64 {
        self.goroutines.unwrap_or_else(|| {
            // As captures of before say it: `158 goroutines in main.f keep 900 MB`.
            let (number, of) = self.sentence.split_once(' ').unwrap_or_default();
            let of_goroutines = of.starts_with("goroutine in ") || of.starts_with("goroutines in ");
            let digits = number.chars().filter(|c| *c != ',').collect::<String>();
            if of_goroutines { digits.parse().unwrap_or(0) } else { 0 }
        })
    }
}

/// What grew.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct GrowthSummary {
    /// Whether it was measured from a baseline: else it is what there was.
    pub has_baseline: bool,
    /// Bytes, over all sites.
    pub bytes: u64,
    /// Function that it is named after; empty where there is none.
    pub culprit: String,
    /// `file:line` of it.
    pub culprit_at: String,
    /// Its next caller of the program's own.
    pub caller: String,
    /// Its part, 0 to 1.
    pub share: f64,
    /// Bytes that its sites allocated since the baseline, freed or not.
    pub allocated_bytes: u64,
    /// How many times as many bytes a second its sites allocate since the baseline as in the process's life
    /// before, an upper limit where they had hardly allocated anything; absent where that is not known.
    pub pace: Option<f64>,
    /// Samples behind it.
    pub samples: u64,
    /// Growth by function that allocated, the largest first: the vector that captures are compared by.
    pub parts: Vec<SitePart>,
}

/// Growth of one function.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SitePart {
    /// Function: without lines and addresses, so that builds can be compared.
    pub function: String,
    /// Bytes.
    pub bytes: u64,
}

/// When memory grew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct WindowSummary {
    /// Begin: the last sample of before. Calm processes are sampled seconds apart.
    pub onset_unix_ms: UnixMs,
    /// The first sample in which a part of the growth can be seen: it began no later. Absent in captures of
    /// before this was kept.
    pub onset_latest_unix_ms: Option<UnixMs>,
    /// End.
    pub end_unix_ms: UnixMs,
    /// Usage at its begin.
    pub start_bytes: u64,
    /// Usage at its end.
    pub end_bytes: u64,
    /// Bytes per second over all of it.
    pub rate: f64,
    /// 10th percentile of the rate.
    pub rate_low: f64,
    /// 90th percentile of the rate.
    pub rate_high: f64,
    /// Collections finished in it.
    pub gc_cycles: u32,
    /// Milliseconds that usage then stood at the limit.
    pub at_limit_ms: u64,
    /// Whether memory had been seen at rest before it.
    pub was_at_rest: bool,
}

impl WindowSummary {
    /// When the first of samples (time, bytes) was taken that comes after the onset and shows a twentieth of
    /// the growth that led from `bytes.0` to `bytes.1`.
    pub fn first_to_grow<T: Copy + PartialOrd>(
        samples: impl IntoIterator<Item = (T, u64)>,
        onset: T,
        bytes: (u64, u64),
    ) -> Option<T> {
        let least = bytes.0.saturating_add(bytes.1.saturating_sub(bytes.0) / 20);
        samples.into_iter().find(|(at, usage)| *at > onset && *usage >= least).map(|(at, _)| at)
    }
}

/// Goroutines along the watch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct OnsetSummary {
    /// When they began to pile up; absent if they did not.
    pub onset_unix_ms: Option<UnixMs>,
    /// When memory began to grow.
    pub memory_onset_unix_ms: Option<UnixMs>,
    /// How many when memory began to grow.
    pub at_memory_onset: Option<u64>,
    /// How many at the capture.
    pub at_end: u64,
    /// Of them calls in flight of the function that the growth is named after.
    pub in_flight: Option<u64>,
    /// Whether the pile is a consequence, by the capture's own order.
    pub is_consequence: Option<bool>,
    /// Goroutines that nothing can wake, or that grow in number: those that verdicts call leaked.
    pub leaked: u64,
    /// Bytes of all stacks.
    pub stack_bytes: u64,
}

/// The heap in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct HeapNumbers {
    /// GOGC in percent, -1: off; absent if it was not read.
    pub gogc: Option<i32>,
    /// GOMEMLIMIT.
    pub gomemlimit: Option<u64>,
    /// Bytes live at the last mark.
    pub marked_bytes: Option<u64>,
    /// Bytes live at the last mark and allocated since.
    pub live_bytes: Option<u64>,
    /// Size at which the next collection should end.
    pub goal_bytes: Option<u64>,
    /// Bytes live at the last mark before the growth: the base heap.
    pub base_bytes: Option<u64>,
    /// By the heap's graph: bytes that something holds.
    pub reachable_bytes: Option<u64>,
    /// By the heap's graph: bytes that nothing holds.
    pub garbage_bytes: Option<u64>,
    /// RSS outside of what the Go runtime knows.
    pub off_heap_bytes: Option<u64>,
    /// Page cache that is charged to the group.
    pub file_cache_bytes: Option<u64>,
    /// Share of processor time that the collector took.
    pub gc_cpu_share: Option<f64>,
    /// Resident bytes of others in the group.
    pub neighbour_bytes: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_holds_is_told_and_read_from_captures_of_before() {
        let of = |goroutines, sentence: &str| {
            FindingSummary { goroutines, sentence: sentence.into(), ..FindingSummary::default() }.holders()
        };
        assert_eq!(of(Some(3), "1 goroutine in main.f keeps 9 MB"), 3);
        assert_eq!(of(None, "1 goroutine in main.f keeps 9 MB"), 1);
        assert_eq!(of(None, "1,158 goroutines in main.f keep 9 MB"), 1158);
        assert_eq!(of(None, "main.cache keeps what 158 goroutines in main.f made"), 0);
        assert_eq!(of(None, ""), 0);
    }
}
