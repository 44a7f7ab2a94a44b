//! How much of which limit is used: the limit that will be reached first, and what counts against that one, which other groups' memory may be part of.

use std::time::Instant;

use crate::cgroup::{Cgroup, Mounts};

/// How memory counts against a limit.
#[derive(Debug)]
pub struct Gauge {
    /// The target's own group, for its OOM counter.
    own: Option<Cgroup>,
    /// The group whose limit will be reached first; without one the RSS counts.
    level: Option<Cgroup>,
    /// Bytes, and who says so.
    pub limit: Option<(u64, String)>,
    droppable: u64,
    pub(crate) refreshed: Instant,
}

impl Gauge {
    /// The limit that applies to `pid` now. `group` is the group of its own, if it has one; `wished` a limit that was asked for.
    #[must_use]
    pub fn of(pid: i32, rss: u64, group: Option<&Cgroup>, wished: Option<u64>, mounts: &Mounts) -> Self {
        let own = group.cloned().or_else(|| Cgroup::of(pid, mounts));
        let found = own.as_ref().and_then(Cgroup::limit);
        let refreshed = Instant::now();
        // A limit that was wished and could not be set is watched all the same, by the RSS.
        let wished = wished.filter(|w| group.is_none() && found.as_ref().is_none_or(|(l, _)| w < &l.bytes));
        let by_rss = |limit| Self { own: own.clone(), level: None, limit, droppable: 0, refreshed };
        match (wished, found) {
            (Some(wished), _) => by_rss(Some((wished, "--memory-max, which could not be set".into()))),
            (None, Some((limit, level))) => Self {
                droppable: level.droppable(),
                own,
                level: Some(level),
                limit: Some((limit.bytes, limit.source)),
                refreshed,
            },
            (None, None) => by_rss(machine_memory(rss)),
        }
    }

    /// Whether the limit is a group's, and not what the machine has left.
    #[must_use]
    pub fn is_of_group(&self) -> bool {
        self.level.is_some()
    }

    /// The cgroup of the process itself.
    #[must_use]
    pub fn own(&self) -> Option<&Cgroup> {
        self.own.as_ref()
    }

    /// Bytes that count against the limit.
    #[must_use]
    pub fn usage(&self, rss: u64) -> u64 {
        self.level.as_ref().and_then(Cgroup::usage).map_or(rss, |u| u.saturating_sub(self.droppable))
    }

    /// OOM kills counted in the target's own group.
    #[must_use]
    pub fn oom_kills(&self) -> u64 {
        self.own.as_ref().map_or(0, Cgroup::oom_kills)
    }
}

/// What this machine can still give, as a limit for a process without one: its RSS plus what is available.
fn machine_memory(rss: u64) -> Option<(u64, String)> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let kib: u64 =
        text.lines().find_map(|l| l.strip_prefix("MemAvailable:")?.split_whitespace().next()?.parse().ok())?;
    Some((rss + kib * 1024, "/proc/meminfo MemAvailable".into()))
}
