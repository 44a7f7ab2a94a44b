//! What the daemon knows, as plain data: for metrics, health checks, and later a terminal view.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::decide::pin_window::PinWindow;

/// Everything at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Status {
    /// When the daemon was started, seconds since 1970.
    pub started_unix: u64,
    /// `observe`, `freeze`, `brake`.
    pub mode: &'static str,
    /// Whether the kernel tells of new processes.
    pub process_events: bool,
    /// What the trial of the pin at the start gave; `None` as long as it is not known.
    pub pin_window: Option<PinWindow>,
    /// By process number.
    pub wards: Vec<WardStatus>,
    /// Since the start.
    pub counters: Counters,
}

/// A process under watch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WardStatus {
    /// Process number.
    pub pid: i32,
    /// Name of its executable.
    pub service: String,
    /// Its container's id.
    pub container: Option<String>,
    /// Its pod's uid.
    pub pod: Option<String>,
    /// The systemd unit that it is of, outside of containers.
    pub unit: Option<String>,
    /// Path of its memory cgroup.
    pub cgroup: String,
    /// `go1.22.10`.
    pub go_version: String,
    /// Version of its main module.
    pub module_version: String,
    /// `vcs.revision` of its build.
    pub vcs_revision: Option<String>,
    /// When it started, seconds since 1970.
    pub started_unix: u64,
    /// `watch`, `alert`, `armed`.
    pub state: &'static str,
    /// Bytes that count against the limit.
    pub usage_bytes: u64,
    /// The limit that will be reached first.
    pub limit_bytes: Option<u64>,
    /// Where it stands.
    pub limit_source: Option<String>,
    /// Resident bytes.
    pub rss_bytes: u64,
    /// Go heap, live at the last mark and allocated since.
    pub heap_live_bytes: u64,
    /// Goroutine structures.
    pub goroutines: u64,
    /// Growth.
    pub slope_bytes_per_second: Option<f64>,
    /// Seconds to the limit: at least, likely, at most.
    pub time_to_oom_seconds: Option<(f64, f64, f64)>,
    /// Whether its address space is held.
    pub pinned: bool,
    /// Captures taken of it.
    pub captures: u64,
    /// What is wrong with it, or with the watch of it.
    pub problem: Option<String>,
}

/// Counted since the start.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counters {
    /// Go processes found.
    pub discovered: u64,
    /// From a process's exec (where the kernel does not tell of that: its start) until it was watched; of those that came after us.
    pub ready_seconds: Histogram,
    /// Go processes that cannot be read.
    pub refused: u64,
    /// Watched processes killed for memory.
    pub oom_kills: u64,
    /// Watched processes killed otherwise.
    pub kills: u64,
    /// Looks that were brought forward since the kernel said that a group's memory runs out.
    pub notices: u64,
    /// Targets stopped because of a forecast.
    pub strikes: u64,
    /// Tripwires set.
    pub tripwires: u64,
    /// Captures written whole.
    pub captures_full: u64,
    /// Captures written of which another of the same cause is whole.
    pub captures_light: u64,
    /// Captures that could not be written.
    pub captures_failed: u64,
    /// Captures that could not be taken.
    pub captures_dropped: u64,
    /// How long targets stood still.
    pub freeze_seconds: Histogram,
    /// How long tripwires were set, seconds in all.
    pub brake_seconds_total: f64,
    /// From the look that showed the danger, or the death, to the begin of the copy.
    pub detect_seconds: Histogram,
    /// From the begin of the copy to the fsynced capture.
    pub evidence_seconds: Histogram,
    /// Times that the watchdog had to be started again.
    pub watchdog_restarts: u64,
    /// Times that the configuration was read again.
    pub reloads: u64,
}

/// Changes counters that threads share.
pub(super) fn count(counters: &Mutex<Counters>, change: impl FnOnce(&mut Counters)) {
    change(&mut counters.lock().unwrap_or_else(PoisonError::into_inner));
}

/// Upper bounds of the buckets, in milliseconds; one more bucket takes the rest.
pub const BOUNDS_MS: [f64; 9] = [1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0];

/// How often what took how long.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Histogram {
    /// By [`BOUNDS_MS`]; each for itself, not summed up.
    pub counts: [u64; BOUNDS_MS.len() + 1],
    /// Seconds in all.
    pub sum: f64,
}

impl Histogram {
    /// Counts one.
    pub fn add(&mut self, took: Duration) {
        let ms = took.as_secs_f64() * 1000.0;
        let bucket = BOUNDS_MS.iter().position(|b| ms <= *b).unwrap_or(BOUNDS_MS.len());
        if let Some(count) = self.counts.get_mut(bucket) {
            *count += 1;
        }
        self.sum += took.as_secs_f64();
    }
}
