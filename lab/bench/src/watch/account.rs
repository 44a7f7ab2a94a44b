//! What processes use: processor time, memory, descriptors.

use std::collections::BTreeMap;
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

/// The same of children that a process had and has waited for; in hundredths of a second.
pub(super) fn cpu_of_ended_children(pid: i32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // `cutime` and `cstime`, the 16th and 17th: the name, which may hold anything, ends with the last
    // bracket.
    let after = stat.rsplit(')').next().unwrap_or_default();
    let ticks: u64 = after.split_whitespace().skip(13).take(2).filter_map(|n| n.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

/// A line of `/proc/PID/smaps_rollup` in bytes: `Pss`, in which what several processes have mapped is counted
/// once, by parts; `Private_Dirty`.
pub(super) fn rollup(pid: i32, key: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let line = text.lines().find_map(|l| l.strip_prefix(key)?.strip_prefix(':'));
    line.and_then(|l| l.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) * 1024
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

/// Processor time of each kind of thread so far, by its name.
pub(super) fn cpu_by_thread(pid: i32) -> BTreeMap<String, Duration> {
    let mut all: BTreeMap<String, Duration> = BTreeMap::new();
    for thread in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
        let read = |file: &str| fs::read_to_string(thread.path().join(file)).unwrap_or_default();
        let ns = read("schedstat").split_whitespace().next().and_then(|n| n.parse().ok()).unwrap_or(0);
        *all.entry(read("comm").trim().to_owned()).or_default() += Duration::from_nanos(ns);
    }
    all
}

/// Processes that this machine has started since it booted: the daemon looks at each new one, whoever's it
/// is.
pub(super) fn started() -> u64 {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    stat.lines().find_map(|l| l.strip_prefix("processes ")?.trim().parse().ok()).unwrap_or(0)
}
