//! The daemon's own numbers: memory, processor time, descriptors, and counts of what stands outside
//! the watch.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::changes::events::EventStats;
use lastgasp_diagnosis::{Tier, Tiers};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;

/// The daemon's own numbers at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct SelfStats {
    /// Resident bytes.
    pub(crate) rss: u64,
    /// Processor seconds of all threads.
    pub(crate) cpu_seconds: f64,
    /// Open descriptors.
    pub(crate) descriptors: u64,
    /// Captures in the store, and their bytes.
    pub(crate) store: (usize, u64),
    /// Configurations that were wrong, and so not taken.
    pub(crate) reloads_failed: u64,
    /// Messages that arrived.
    pub(crate) webhooks_sent: u64,
    /// Messages that did not, after all attempts.
    pub(crate) webhooks_failed: u64,
    /// What came in from others.
    pub(crate) events: EventStats,
    /// Blocked goroutines in captures with a graph, by verdict, in the order of [`Tier::ALL`].
    pub(crate) blocked: [u64; 5],
}

/// Counters that threads of the daemon share.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) reloads_failed: AtomicU64,
    pub(crate) webhooks_sent: AtomicU64,
    pub(crate) webhooks_failed: AtomicU64,
    /// Blocked goroutines in captures with a graph, by verdict.
    blocked: [AtomicU64; 5],
}

impl Counts {
    /// Counts the blocked goroutines of a capture.
    pub(crate) fn add_blocked(&self, tiers: &Tiers) {
        for (tier, count) in Tier::ALL.iter().zip(&self.blocked) {
            count.fetch_add(tiers.of(*tier), Ordering::Relaxed);
        }
    }
}

impl SelfStats {
    /// Reads them (`getrusage`, `/proc/self`).
    pub(crate) fn read(counts: &Counts, store: (usize, u64)) -> Self {
        let cpu = getrusage(UsageWho::RUSAGE_SELF)
            .map_or(0, |u| u.user_time().num_microseconds() + u.system_time().num_microseconds());
        Self {
            rss: lastgasp_inferior::resident_bytes(std::process::id() as i32).unwrap_or(0),
            cpu_seconds: cpu as f64 / 1e6,
            descriptors: std::fs::read_dir("/proc/self/fd").map_or(0, |d| d.count() as u64),
            store,
            reloads_failed: counts.reloads_failed.load(Ordering::Relaxed),
            webhooks_sent: counts.webhooks_sent.load(Ordering::Relaxed),
            webhooks_failed: counts.webhooks_failed.load(Ordering::Relaxed),
            events: EventStats::default(),
            blocked: counts.blocked.each_ref().map(|n| n.load(Ordering::Relaxed)),
        }
    }
}
