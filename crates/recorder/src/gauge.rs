//! How much of which limit is used: the limit that will be reached first, of the group, those above it, and the machine; and what counts against that one, which
//! other groups' memory may be part of. The files stay open: a look costs two microseconds.

use std::fs::File;
use std::time::{Duration, Instant};

use lastgasp_inferior::resident_bytes;

use crate::cgroup::{Cgroup, Mounts};
use crate::machine::{Machine, read_number, read_text};

/// How memory counts against a limit.
#[derive(Debug)]
pub struct Gauge {
    pid: i32,
    /// Where it may be moved; not looked for in a group that we made for it.
    mounts: Option<Mounts>,
    /// The target's own group, for its OOM counter.
    own: Option<Cgroup>,
    /// The group and those above it, as far as they can have a limit, innermost first.
    levels: Vec<Level>,
    /// Which of them will be reached first; without one the RSS counts.
    nearest: Option<usize>,
    /// Bytes, and who says so.
    pub limit: Option<(u64, String)>,
    /// `--memory-max` where it could not be set.
    wished: Option<u64>,
    refreshed: Instant,
    /// Raised whenever the limit that counts is another one, or has another value: usage before and after are not one series.
    changes: u64,
    /// Raised whenever it was moved into another group.
    moves: u64,
}

/// A group that has a limit or can be given one.
#[derive(Debug)]
struct Level {
    group: Cgroup,
    /// `u64::MAX`: none now.
    bytes: u64,
    limit: File,
    usage: File,
    stat: File,
    source: String,
    /// Page cache that the kernel would drop before it kills, as last read.
    droppable: u64,
    droppable_at: Instant,
}

/// Page cache is read again after this time where it could matter.
const CACHE_AGE: Duration = Duration::from_millis(100);

/// What a limit file says; `u64::MAX` for no limit.
fn limit_in(file: &File) -> u64 {
    read_number(file).and_then(Cgroup::as_limit).unwrap_or(u64::MAX)
}

impl Level {
    fn of(group: Cgroup) -> Option<Self> {
        let limit = File::open(group.limit_file()).ok()?;
        let bytes = limit_in(&limit);
        let usage = File::open(group.usage_file()).ok()?;
        let stat = File::open(group.memory.join("memory.stat")).ok()?;
        let source = group.limit_file().display().to_string();
        let mut level = Self { group, bytes, limit, usage, stat, source, droppable: 0, droppable_at: Instant::now() };
        level.read_droppable();
        Some(level)
    }

    fn read_droppable(&mut self) {
        self.droppable_at = Instant::now();
        self.droppable = read_text::<8192>(&self.stat).map_or(0, |t| self.group.droppable_in(&t));
    }

    /// Bytes that count. Page cache matters only where much is used, and near the limit the kernel drops it under us: there it is read at every look.
    fn used(&mut self) -> Option<u64> {
        let raw = read_number(&self.usage)?;
        let close = raw > self.bytes / 20 * 19;
        if (raw > self.bytes / 2 && self.droppable_at.elapsed() > CACHE_AGE) || (close && self.droppable > 0) {
            self.read_droppable();
        }
        Some(raw.saturating_sub(self.droppable))
    }
}

fn levels_of(group: &Cgroup) -> Vec<Level> {
    group.levels().filter_map(Level::of).collect()
}

impl Gauge {
    /// The limit that applies to `pid` now. `group` is the group of its own, if it has one; `wished` a limit that was asked for.
    #[must_use]
    pub fn of(
        pid: i32,
        rss: u64,
        group: Option<&Cgroup>,
        wished: Option<u64>,
        mounts: &Mounts,
        machine: &Machine,
    ) -> Self {
        let own = group.cloned().or_else(|| Cgroup::of(pid, mounts));
        let mut gauge = Self {
            pid,
            mounts: group.is_none().then(|| mounts.clone()),
            levels: own.as_ref().map(levels_of).unwrap_or_default(),
            own,
            nearest: None,
            limit: None,
            wished: wished.filter(|_| group.is_none()),
            refreshed: Instant::now(),
            changes: 0,
            moves: 0,
        };
        gauge.choose(rss, machine);
        gauge
    }

    /// Reads the limits again, and which of them is nearest; also of groups that had none before, and of the one that it was moved to.
    pub fn refresh(&mut self, rss: u64, machine: &Machine) {
        self.refreshed = Instant::now();
        self.follow();
        for level in &mut self.levels {
            level.bytes = limit_in(&level.limit);
        }
        self.choose(rss, machine);
    }

    /// A service manager may move a process, and remove the group that it was in: of that one the open files tell nothing any more (seen: a limit of 24 GB, the
    /// machine's, where the new group had one of 100 MB).
    fn follow(&mut self) {
        let Some(now) = self.mounts.as_ref().and_then(|m| Cgroup::of(self.pid, m)) else { return };
        // The dead are in the root or in a group that is gone.
        if Some(&now) == self.own.as_ref() || resident_bytes(self.pid).is_none_or(|rss| rss == 0) {
            return;
        }
        self.levels = levels_of(&now);
        self.own = Some(now);
        self.nearest = None;
        self.changes += 1;
        self.moves += 1;
    }

    fn choose(&mut self, rss: u64, machine: &Machine) {
        let before = (self.nearest, self.limit.as_ref().map(|l| l.0));
        let was_machine = self.nearest.is_none();
        let headrooms = self.levels.iter_mut().enumerate().filter(|(_, l)| l.bytes < u64::MAX).filter_map(|(i, l)| {
            let used = l.used()?;
            Some((l.bytes.saturating_sub(used), i))
        });
        let nearest = headrooms.min();
        // What was wished and could not be set is watched all the same, by the RSS.
        if let Some(wished) = self.wished.filter(|w| nearest.is_none_or(|(room, _)| w.saturating_sub(rss) < room)) {
            self.nearest = None;
            self.limit = Some((wished, "--memory-max, which could not be set".into()));
        } else if let Some((_, index)) = nearest.filter(|(room, _)| machine.available().is_none_or(|a| *room <= a)) {
            self.nearest = Some(index);
            self.limit = self.levels.get(index).map(|l| (l.bytes, l.source.clone()));
        } else {
            // What this machine can still give, as a limit: the RSS plus what is available.
            self.nearest = None;
            self.limit = machine.available().map(|a| (rss + a, "/proc/meminfo MemAvailable".into()));
        }
        // What the machine has left changes all the time; that alone makes no other series of it.
        let of_machine = self.nearest.is_none() && was_machine;
        if !of_machine && before != (self.nearest, self.limit.as_ref().map(|l| l.0)) {
            self.changes += 1;
        }
    }

    /// How old what is known of limits is.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.refreshed.elapsed()
    }

    /// How often the limit that counts has changed.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// How often it was moved into another group.
    #[must_use]
    pub fn moves(&self) -> u64 {
        self.moves
    }

    /// Whether the limit is a group's, and not what the machine has left.
    #[must_use]
    pub fn is_of_group(&self) -> bool {
        self.nearest.is_some()
    }

    /// The cgroup of the process itself.
    #[must_use]
    pub fn own(&self) -> Option<&Cgroup> {
        self.own.as_ref()
    }

    /// The group whose limit counts.
    #[must_use]
    pub fn limiting(&self) -> Option<&Cgroup> {
        self.levels.get(self.nearest?).map(|l| &l.group)
    }

    /// Bytes that count against the limit. `rss` is asked for where no group's limit counts.
    #[must_use]
    pub fn usage(&mut self, rss: impl FnOnce() -> u64) -> u64 {
        let level = self.nearest.and_then(|i| self.levels.get_mut(i));
        level.and_then(Level::used).unwrap_or_else(rss)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cgroup::{OwnCgroup, write};

    /// A limit that is set, and changed, while we watch.
    #[test]
    fn a_first_limit_is_found_while_watching() {
        let name = format!("lastgasp-gauge-{}", std::process::id());
        let (mounts, machine) = (Mounts::detect(), Machine::detect());
        let group = match OwnCgroup::create(&mounts, &name, None) {
            Ok(group) => group,
            Err(e) => return println!("SKIPPED: {e}"),
        };
        let mut gauge = Gauge::of(std::process::id() as i32, 1 << 20, Some(&group.cgroup), None, &mounts, &machine);
        let before = gauge.changes();
        for mib in [64u64, 32] {
            write(&group.cgroup.limit_file(), &(mib << 20).to_string()).unwrap();
            gauge.refresh(1 << 20, &machine);
            assert_eq!(gauge.limit.as_ref().map(|l| l.0), Some(mib << 20));
        }
        assert_eq!(gauge.changes(), before + 2);
        assert!(group.remove());
    }
}
