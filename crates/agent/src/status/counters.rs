//! What has been counted since the start, in the status document: what `/metrics` counts too.

use lastgasp_recorder::daemon::status::{BOUNDS_MS, Counters as Counted, Histogram};
use serde::Serialize;

use crate::self_stats::SelfStats;

#[derive(Debug, Serialize)]
pub(super) struct Counters<'a> {
    discovered: u64,
    refused: u64,
    put_off: u64,
    oom_kills: u64,
    kills: u64,
    notices: u64,
    strikes: u64,
    brakes: u64,
    brake_seconds: f64,
    captures_full: u64,
    captures_light: u64,
    captures_failed: u64,
    captures_dropped: u64,
    leaks_found: u64,
    leaks_not_found: u64,
    watchdog_restarts: u64,
    thread_panics: u64,
    workers_lost: u64,
    workers_stuck: u64,
    reloads: u64,
    reloads_failed: u64,
    webhooks_sent: u64,
    webhooks_failed: u64,
    ready: Times<'a>,
    detect: Times<'a>,
    freeze: Times<'a>,
    evidence: Times<'a>,
}

/// How often what took how long.
#[derive(Debug, Serialize)]
struct Times<'a> {
    count: u64,
    seconds: f64,
    bounds_ms: &'static [f64],
    counts: &'a [u64],
}

impl<'a> Counters<'a> {
    pub(super) fn of(counted: &'a Counted, own: &SelfStats) -> Self {
        Self {
            discovered: counted.discovered,
            refused: counted.refused,
            put_off: counted.put_off,
            oom_kills: counted.oom_kills,
            kills: counted.kills,
            notices: counted.notices,
            strikes: counted.strikes,
            brakes: counted.brakes,
            brake_seconds: counted.brake_seconds_total,
            captures_full: counted.captures_full,
            captures_light: counted.captures_light,
            captures_failed: counted.captures_failed,
            captures_dropped: counted.captures_dropped,
            leaks_found: counted.leaks_found,
            leaks_not_found: counted.leaks_not_found,
            watchdog_restarts: counted.watchdog_restarts,
            thread_panics: counted.thread_panics,
            workers_lost: counted.workers_lost,
            workers_stuck: counted.workers_stuck,
            reloads: counted.reloads,
            reloads_failed: own.reloads_failed,
            webhooks_sent: own.webhooks_sent,
            webhooks_failed: own.webhooks_failed,
            ready: Times::of(&counted.ready_seconds),
            detect: Times::of(&counted.detect_seconds),
            freeze: Times::of(&counted.freeze_seconds),
            evidence: Times::of(&counted.evidence_seconds),
        }
    }
}

impl<'a> Times<'a> {
    fn of(histogram: &'a Histogram) -> Self {
        Self {
            count: histogram.counts.iter().sum(),
            seconds: histogram.sum,
            bounds_ms: &BOUNDS_MS,
            counts: &histogram.counts,
        }
    }
}
