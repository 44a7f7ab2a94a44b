//! What a daemon holds open, by what each descriptor leads to: a number alone does not say whether something
//! is kept of the dead, or was opened for good after it was counted first.
//!
//! Opened for good, and later than the daemon is well: the files of `events/` in its store (the first life,
//! change and feed that are told of make one each, the last after thirty seconds), the executable of a Go
//! program that was seen (`UNUSED_OF_GO` in recorder/src/daemon/binaries.rs), the userfaultfd of the pin, and
//! two for each worker that waits. So nobody counts right after the start, and files of events are not
//! counted at all (seen: `31 descriptors, then 34`, which were those files).

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use super::{PATIENCE, wait_for};

/// What a process holds open: how many of each kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Descriptors(BTreeMap<String, usize>);

impl Descriptors {
    /// Those that it has now.
    pub fn of(pid: i32) -> Self {
        let all = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        let targets = all.filter_map(|entry| fs::read_link(entry.path()).ok());
        Self::count(targets.map(|path| path.to_string_lossy().into_owned()))
    }

    fn count(targets: impl Iterator<Item = String>) -> Self {
        let mut kinds = BTreeMap::new();
        for target in targets.filter(|target| !is_of_events(target)) {
            // The number of a socket or a pipe says nothing; what an `anon_inode:[eventfd]` is does.
            let kind = target.trim_end_matches(|c: char| c.is_ascii_digit() || "[]".contains(c));
            let kind = if target.contains(":[") && kind.ends_with(':') { kind } else { &target };
            *kinds.entry(kind.to_owned()).or_default() += 1;
        }
        Self(kinds)
    }

    /// Those that it has once their number has been the same for two seconds.
    pub fn settled(pid: i32) -> Self {
        const STILL: Duration = Duration::from_secs(2);
        let (mut now, mut since, began) = (Self::of(pid), Instant::now(), Instant::now());
        while since.elapsed() < STILL && began.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(50));
            let next = Self::of(pid);
            if next.total() != now.total() {
                since = Instant::now();
            }
            now = next;
        }
        now
    }

    /// Waits until it has at most that many; what it has then, or else what it has beyond `before`.
    pub fn at_most(pid: i32, most: usize, before: &Self) -> Result<usize, String> {
        let few = || Some(Self::of(pid).total()).filter(|now| *now <= most);
        wait_for(few).ok_or_else(|| {
            let now = Self::of(pid);
            format!("{} descriptors, then {}, and at most {most} were to be: {}", before.total(), now.total(), {
                now.beyond(before)
            })
        })
    }

    pub fn total(&self) -> usize {
        self.0.values().sum()
    }

    /// Those that lead to `/proc` of one of these processes, or to a group of this test's.
    pub fn lead_to(&self, pids: &[i32]) -> Vec<&str> {
        let groups = format!("/{}", super::group_name(std::process::id(), ""));
        let of_one = |kind: &str| pids.iter().any(|pid| kind.starts_with(&format!("/proc/{pid}/")));
        self.0.keys().map(String::as_str).filter(|kind| of_one(kind) || kind.contains(&groups)).collect()
    }

    /// What there is more of than there was before.
    fn beyond(&self, before: &Self) -> String {
        let more = self.0.iter().filter_map(|(kind, n)| {
            let more = n.saturating_sub(before.0.get(kind).copied().unwrap_or(0));
            (more > 0).then(|| format!("{more} more {kind}"))
        });
        more.collect::<Vec<_>>().join(", ")
    }
}

impl fmt::Display for Descriptors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.beyond(&Self::default()))
    }
}

/// A file of a store's events.
fn is_of_events(target: &str) -> bool {
    let path = Path::new(target);
    path.extension().is_some_and(|e| e == "jsonl") && path.parent().is_some_and(|p| p.ends_with("events"))
}

/// One more of each dead is seen, whatever it leads to; the store's files are not taken for that.
#[test]
fn what_is_kept_of_the_dead_is_seen() {
    let count = |targets: &[&str]| Descriptors::count(targets.iter().map(|t| (*t).to_owned()));
    let before = count(&["socket:[1]", "/dev/null"]);
    let all = ["socket:[1]", "socket:[22]", "anon_inode:[pidfd]", "/s/events/feeds-1.jsonl", "/proc/7/mem"];
    let now = count(&[&all[..], &["/dev/null"]].concat());
    assert_eq!((before.total(), now.total()), (2, 5));
    assert_eq!(now.beyond(&before), "1 more /proc/7/mem, 1 more anon_inode:[pidfd], 1 more socket:");
    assert_eq!(now.lead_to(&[7, 70]), ["/proc/7/mem"]);
}
