//! How long it takes from a process's exec until it is watched: until then its death is lost.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use lastgasp_inferior::clock_ticks;
use nix::time::{ClockId, clock_gettime};

/// Of processes that are being looked at.
#[derive(Debug)]
pub(crate) struct AttachLatency {
    /// When they became what they are, by the kernel's event: nanoseconds on the monotonic clock.
    execs: BTreeMap<i32, u64>,
    /// When we started, on the clock of processes' starts: since boot.
    started: Duration,
}

impl AttachLatency {
    /// From now on.
    pub(crate) fn new() -> Self {
        Self { execs: BTreeMap::new(), started: clock(ClockId::CLOCK_BOOTTIME) }
    }

    /// The kernel tells of these.
    pub(crate) fn heard(&mut self, execs: Vec<(i32, u64)>) {
        self.execs.extend(execs);
    }

    /// Whether it is watched or not is decided.
    pub(crate) fn decided(&mut self, pid: i32) {
        self.execs.remove(&pid);
    }

    /// There are no others than these.
    pub(crate) fn only(&mut self, pids: &BTreeSet<i32>) {
        self.execs.retain(|pid, _| pids.contains(pid));
    }

    /// How long it took `pid` to be watched now: from the kernel's event if there was one, else from when the
    /// process started (`start_ticks`, to 10 ms; it may have become what it is later). Of one that was there
    /// before us it says nothing.
    pub(crate) fn of(&self, pid: i32, start_ticks: u64) -> Option<Duration> {
        if let Some(ns) = self.execs.get(&pid) {
            return Some(clock(ClockId::CLOCK_MONOTONIC).saturating_sub(Duration::from_nanos(*ns)));
        }
        let start = clock_ticks(start_ticks);
        (start > self.started).then(|| clock(ClockId::CLOCK_BOOTTIME).saturating_sub(start))
    }
}

fn clock(id: ClockId) -> Duration {
    clock_gettime(id).map_or(Duration::ZERO, Duration::from)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn from_the_event_and_without_one_from_the_start() {
        let mut old = Command::new("sleep").arg("60").spawn().unwrap();
        std::thread::sleep(Duration::from_millis(50));
        let mut attach_latency = AttachLatency::new();
        std::thread::sleep(Duration::from_millis(50));
        let mut new = Command::new("sleep").arg("60").spawn().unwrap();
        let [before, after] =
            [&old, &new].map(|c| (c.id() as i32, lastgasp_inferior::start_time(c.id() as i32).unwrap()));
        std::thread::sleep(Duration::from_millis(30));
        assert_eq!(attach_latency.of(before.0, before.1), None, "it was there before");
        let started = attach_latency.of(after.0, after.1).unwrap();
        assert!(started >= Duration::from_millis(30) && started < Duration::from_secs(20), "{started:?}");
        let exec = clock(ClockId::CLOCK_MONOTONIC) - Duration::from_secs(3);
        attach_latency.heard(vec![(after.0, exec.as_nanos() as u64)]);
        assert!(attach_latency.of(after.0, after.1).unwrap() >= Duration::from_secs(3));
        attach_latency.decided(after.0);
        assert!(
            attach_latency.of(after.0, after.1).unwrap() < Duration::from_secs(20) && attach_latency.execs.is_empty()
        );
        for child in [&mut old, &mut new] {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}
