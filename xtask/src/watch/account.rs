//! What processes use: processor time, memory, descriptors.

use std::fs;
use std::time::Duration;

use nix::time::{clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;

/// The process and all below it (the watchdog is a child of the daemon).
pub(super) fn family(pid: i32) -> Vec<i32> {
    let mut all = vec![pid];
    let mut next = 0;
    while let Some(pid) = all.get(next) {
        next += 1;
        let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
        let texts = threads.filter_map(|t| fs::read_to_string(t.path().join("children")).ok());
        let children: Vec<i32> =
            texts.flat_map(|t| t.split_whitespace().filter_map(|w| w.parse().ok()).collect::<Vec<_>>()).collect();
        all.extend(children);
    }
    all
}

/// User and system time of all threads that a process has and had, to the nanosecond; 0 if it has ended.
pub(super) fn cpu(pid: i32) -> Duration {
    let time = clock_getcpuclockid(Pid::from_raw(pid)).and_then(clock_gettime);
    time.map_or(Duration::ZERO, Duration::from)
}

/// A line of `/proc/PID/status` in bytes: `VmRSS`, `VmHWM`.
pub(super) fn memory(pid: i32, key: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix(key)?.strip_prefix(':'));
    line.and_then(|l| l.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) * 1024
}

/// Open descriptors.
pub(super) fn descriptors(pid: i32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count)
}

/// Threads.
pub(super) fn threads(pid: i32) -> usize {
    fs::read_dir(format!("/proc/{pid}/task")).map_or(0, Iterator::count)
}
