//! What the daemon knows, as plain data: for metrics, health checks, and later a terminal view.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

pub use super::target_status::TargetStatus;
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
    /// What the probe of the pin at the start gave; `None` as long as it is not known.
    pub pin_window: Option<PinWindow>,
    /// What is wrong, a sentence each; empty while all is well.
    pub problems: Vec<String>,
    /// By process number.
    pub targets: Vec<TargetStatus>,
    /// Since the start.
    pub counters: Counters,
}

/// Counted since the start.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counters {
    /// Go processes found.
    pub discovered: u64,
    /// From a process's exec (where the kernel does not tell of that: its start) until it was watched; of
    /// those that came after us.
    pub ready_seconds: Histogram,
    /// Go processes that cannot be read.
    pub refused: u64,
    /// Looks at processes that were put off since this one was out of descriptors.
    pub put_off: u64,
    /// Watched processes killed for memory.
    pub oom_kills: u64,
    /// Watched processes killed otherwise.
    pub kills: u64,
    /// Looks that were brought forward since the kernel said that a group's memory runs out.
    pub notices: u64,
    /// Targets stopped because of a forecast.
    pub strikes: u64,
    /// Brakes set.
    pub brakes: u64,
    /// Captures written whole.
    pub captures_full: u64,
    /// Captures written of which another of the same cause is whole.
    pub captures_light: u64,
    /// Looks at processes whose goroutines seemed to leak, that found a leak; their captures are kept.
    pub leaks_found: u64,
    /// Looks that found none; what they took is thrown away.
    pub leaks_not_found: u64,
    /// Captures that could not be written.
    pub captures_failed: u64,
    /// Captures that could not be taken.
    pub captures_dropped: u64,
    /// How long targets stood still.
    pub freeze_seconds: Histogram,
    /// How long brakes were set, seconds in all.
    pub brake_seconds_total: f64,
    /// From the look that showed the danger, or the death, to the begin of the copy.
    pub detect_seconds: Histogram,
    /// From the begin of the copy to the fsynced capture.
    pub evidence_seconds: Histogram,
    /// Times that the watchdog had to be started again.
    pub watchdog_restarts: u64,
    /// Workers that were lost over a process's files or memory; each was replaced.
    pub workers_lost: u64,
    /// Workers that were killed and have not ended, since they sleep in the kernel; a number of now.
    pub workers_stuck: u64,
    /// Panics of this process's threads that were caught ([`crate::guard`]).
    pub thread_panics: u64,
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
