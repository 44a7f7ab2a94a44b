//! How much of which limit is used: the limit that will be reached first, of the group, those above it, and
//! the machine; and what counts against that one, which other groups' memory may be part of. What is read at
//! every look stays open, which then costs two microseconds, for all who are in that group together; what is
//! read once in a while is opened for that.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lastgasp_inferior::{address_space, start_time};

use crate::kernel::cgroup::{Cgroup, Mounts};
use crate::kernel::files::{means_out_of_descriptors, open_shared, read_number, read_text};
use crate::kernel::limit_file::LimitFile;
use crate::kernel::machine::Machine;

/// How memory counts against a limit.
#[derive(Debug)]
pub struct LimitUsage {
    pid: i32,
    /// When it started: of a process that takes its number nothing is believed.
    started: Option<u64>,
    /// Where it may be moved; not looked for in a group that we made for it.
    mounts: Option<Mounts>,
    /// What its `/proc/PID/cgroup` said when it was last read.
    membership: Option<String>,
    /// The target's own group, for its OOM counter.
    own: Option<Cgroup>,
    /// The group and those above it, as far as they can have a limit, innermost first.
    levels: Vec<Level>,
    /// Whether some could not be opened for want of descriptors: tried again when limits are read again.
    incomplete: bool,
    /// Which of them will be reached first; without one the RSS counts.
    nearest: Option<usize>,
    /// Bytes, and who says so.
    pub limit: Option<(u64, String)>,
    /// `--memory-max` where it could not be set.
    wished: Option<u64>,
    refreshed: Instant,
    /// Raised whenever the limit that counts is another one, or has another value: usage before and after are
    /// not one series.
    changes: u64,
    /// Raised whenever it was moved into another group.
    moves: u64,
}

/// A group that has a limit or can be given one.
#[derive(Debug)]
struct Level {
    group: Cgroup,
    /// Where its limit stands.
    file: Arc<LimitFile>,
    /// `u64::MAX`: none now.
    bytes: u64,
    /// What is charged; kept open where there is a limit.
    usage: Option<Arc<File>>,
    source: String,
    /// Page cache that the kernel would drop before it kills, as last read.
    droppable: u64,
    droppable_at: Instant,
    /// What was used in all at about that time.
    used_then: u64,
}

/// Page cache is read again after this time where it could matter.
const CACHE_AGE: Duration = Duration::from_millis(100);

impl Level {
    fn of(group: Cgroup) -> io::Result<Self> {
        let file = LimitFile::shared(group.limit_file());
        let bytes = file.limit(Duration::ZERO)?.ok_or(io::ErrorKind::NotFound)?;
        let source = file.path().display().to_string();
        let mut level =
            Self { group, file, bytes, usage: None, source, droppable: 0, droppable_at: Instant::now(), used_then: 0 };
        level.open_usage()?;
        Ok(level)
    }

    /// Has what is charged at hand where there is a limit, and not where there is none.
    fn open_usage(&mut self) -> io::Result<()> {
        if self.bytes == u64::MAX {
            self.usage = None;
        } else if self.usage.is_none() {
            let usage = open_shared(&self.group.usage_file())?;
            self.used_then = read_number(&usage).unwrap_or(0);
            self.usage = Some(usage);
            self.read_droppable();
        }
        Ok(())
    }

    /// The limit that is written there now, or was not longer ago than that. Of a group that is gone, and
    /// whose name another one may have by now, nothing: what is charged, by the file that was open, would not
    /// be to be read any more.
    fn limit_now(&self, at_most: Duration) -> Option<u64> {
        let limit = self.file.limit(at_most).ok().flatten()?;
        self.usage.as_ref().is_none_or(|usage| read_number(usage).is_some()).then_some(limit)
    }

    fn read_droppable(&mut self) {
        self.droppable_at = Instant::now();
        let text = File::open(self.group.memory.join("memory.stat")).ok().and_then(|file| read_text::<8192>(&file));
        self.droppable = text.map_or(0, |t| self.group.droppable_in(&t));
    }

    /// Bytes that count. Page cache matters only where much is used. Near the limit the kernel drops it under
    /// us: there it is read at every look. And what has grown since it was read may be page cache again: a
    /// file that is written at a gigabyte a second was once taken for a leak.
    fn used(&mut self) -> Option<u64> {
        let usage = Arc::clone(self.usage.as_ref()?);
        let mut raw = read_number(&usage)?;
        let close = raw > self.bytes / 20 * 19 && self.droppable > 0;
        let old = raw > self.bytes / 2 && self.droppable_at.elapsed() > CACHE_AGE;
        let grown = raw.saturating_sub(self.droppable) > self.bytes / 2 && raw > self.used_then + self.bytes / 64;
        if close || old || grown {
            self.used_then = raw;
            self.read_droppable();
            // A file that was truncated between the two readings has left both.
            raw = raw.min(read_number(&usage)?);
        }
        Some(raw.saturating_sub(self.droppable))
    }
}

impl LimitUsage {
    /// The limit that applies to `pid` now. `group` is the group of its own, if it has one; `wished` a limit
    /// that was asked for.
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
        let mut limit_usage = Self {
            pid,
            started: start_time(pid),
            mounts: group.is_none().then(|| mounts.clone()),
            membership: None,
            levels: Vec::new(),
            incomplete: false,
            own,
            nearest: None,
            limit: None,
            wished: wished.filter(|_| group.is_none()),
            refreshed: Instant::now(),
            changes: 0,
            moves: 0,
        };
        limit_usage.open_levels();
        limit_usage.choose(|| rss, machine);
        limit_usage
    }

    fn open_levels(&mut self) {
        let tried = self.own.iter().flat_map(Cgroup::levels).map(Level::of);
        (self.levels, self.incomplete) = (Vec::new(), false);
        for level in tried.collect::<Vec<_>>() {
            match level {
                Ok(level) => self.levels.push(level),
                Err(e) => self.incomplete |= means_out_of_descriptors(&e),
            }
        }
    }

    /// Reads the limits again, and which of them is nearest; also of groups that had none before, and of the
    /// one that it was moved to. What another process's refresh has read will do if it is not older than
    /// `at_most`. `rss` is asked for where no group's limit counts.
    pub fn refresh(&mut self, rss: impl FnOnce() -> u64, machine: &Machine, at_most: Duration) {
        self.refreshed = Instant::now();
        self.follow();
        if self.incomplete {
            self.open_levels();
            (self.nearest, self.changes) = (None, self.changes + 1);
        }
        for level in &mut self.levels {
            level.bytes = level.limit_now(at_most).unwrap_or(u64::MAX);
            // Should no descriptor be left, this level does not count until there is one: tried at each time.
            let _ = level.open_usage();
        }
        self.choose(rss, machine);
    }

    /// Reads the limits of one that has just died, as far as its groups still say them: one that was written
    /// to since the last look is what it died at. On cgroup v2 the kernel kills within the very write that
    /// lowers a limit below what is used, and nobody has looked since.
    pub fn read_last_words(&mut self) {
        let mut written = None;
        for (i, level) in self.levels.iter_mut().enumerate() {
            if let Some(now) = level.limit_now(Duration::ZERO).filter(|now| *now != level.bytes) {
                level.bytes = now;
                written = (now < u64::MAX).then_some(i).or(written);
            }
        }
        if let Some(level) = written.and_then(|i| self.levels.get(i)) {
            (self.nearest, self.limit) = (written, Some((level.bytes, level.source.clone())));
            self.changes += 1;
        }
    }

    /// A service manager may move a process, and remove the group that it was in: of that one the open files
    /// tell nothing any more (seen: a limit of 24 GB, the machine's, where the new group had one of 100 MB).
    fn follow(&mut self) {
        let Some(mounts) = &self.mounts else { return };
        // Nearly always: nothing has changed.
        let text = File::open(format!("/proc/{}/cgroup", self.pid)).ok().and_then(|file| read_text::<8192>(&file));
        let Some(text) = text else { return };
        if self.membership.as_ref() == Some(&text) {
            return;
        }
        // Another process of its number.
        if start_time(self.pid) != self.started {
            return;
        }
        self.membership = Some(text);
        let Some(now) = Cgroup::of(self.pid, mounts) else { return };
        // The dead are in the root or in a group that is gone.
        if Some(&now) == self.own.as_ref() || address_space(self.pid).is_none() {
            return;
        }
        self.own = Some(now);
        self.open_levels();
        self.nearest = None;
        self.changes += 1;
        self.moves += 1;
    }

    fn choose(&mut self, rss: impl FnOnce() -> u64, machine: &Machine) {
        let before = (self.nearest, self.limit.as_ref().map(|l| l.0));
        let was_machine = self.nearest.is_none();
        let headrooms = self.levels.iter_mut().enumerate().filter(|(_, l)| l.bytes < u64::MAX).filter_map(|(i, l)| {
            let used = l.used()?;
            Some((l.bytes.saturating_sub(used), i))
        });
        let nearest = headrooms.min();
        let of_group = nearest.filter(|(room, _)| machine.available().is_none_or(|a| *room <= a));
        let rss = if self.wished.is_some() || of_group.is_none() { rss() } else { 0 };
        // What was wished and could not be set is watched all the same, by the RSS.
        if let Some(wished) = self.wished.filter(|w| nearest.is_none_or(|(room, _)| w.saturating_sub(rss) < room)) {
            self.nearest = None;
            self.limit = Some((wished, "--memory-max, which could not be set".into()));
        } else if let Some((_, index)) = of_group {
            self.nearest = Some(index);
            self.limit = self.levels.get(index).map(|l| (l.bytes, l.source.clone()));
        } else {
            self.nearest = None;
            self.limit = left_of(machine, rss);
        }
        // What the machine has left changes all the time; that alone makes no other series of it.
        let of_machine = self.nearest.is_none() && was_machine;
        if !of_machine && before != (self.nearest, self.limit.as_ref().map(|l| l.0)) {
            self.changes += 1;
        }
    }

    /// Whether another limit would be reached first by now, by what is known of the limits: a neighbour may
    /// fill the pod, or the machine, between two refreshes. Costs nothing where there is one limit, and less
    /// than the machine has left; and where there is none ([`LimitUsage::usage_now`]).
    pub fn is_outdated(&mut self, machine: &Machine) -> bool {
        let Some((index, level)) = self.nearest.and_then(|i| Some((i, self.levels.get_mut(i)?))) else {
            return self.wished.is_some() || self.limits().next().is_some();
        };
        let left = machine.available().unwrap_or(u64::MAX);
        let (limit, alone) = (level.bytes, self.levels.iter().filter(|l| l.bytes < u64::MAX).count() == 1);
        if alone && left >= limit {
            return false;
        }
        let room = |level: &mut Level| Some(level.bytes.saturating_sub(level.used()?));
        let Some(here) = self.levels.get_mut(index).and_then(room) else { return true };
        let others = self.levels.iter_mut().enumerate().filter(|(i, l)| *i != index && l.bytes < u64::MAX);
        let nearest = others.filter_map(|(_, l)| room(l)).chain([left]).min().unwrap_or(u64::MAX);
        // A little nearer is no reason: two that are equally near must not take turns, since each turn begins
        // a new series.
        nearest.saturating_add(limit / 64) < here
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

    /// All limits that hold for it, with their groups, innermost first: bytes.
    pub fn limits(&self) -> impl Iterator<Item = (&Cgroup, u64)> + Clone {
        self.levels.iter().filter(|l| l.bytes < u64::MAX).map(|l| (&l.group, l.bytes))
    }

    /// Files in which a limit for it stands, or may be written to, innermost first.
    pub fn limit_files(&self) -> impl Iterator<Item = &Path> + Clone {
        self.levels.iter().map(|l| l.file.path())
    }

    /// Bytes that count against the limit. `rss` is asked for where no group's limit counts.
    #[must_use]
    pub fn usage(&mut self, rss: impl FnOnce() -> u64) -> u64 {
        let level = self.nearest.and_then(|i| self.levels.get_mut(i));
        level.and_then(Level::used).unwrap_or_else(rss)
    }

    /// The same; where what the machine has left is the limit, that is brought up to date too, by what is
    /// known of the machine.
    pub fn usage_now(&mut self, rss: impl FnOnce() -> u64, machine: &Machine) -> u64 {
        let of_machine = self.nearest.is_none() && self.wished.is_none();
        let usage = self.usage(rss);
        if of_machine {
            self.limit = left_of(machine, usage);
        }
        usage
    }
}

/// What this machine can still give, as a limit: the RSS plus what is available.
fn left_of(machine: &Machine, rss: u64) -> Option<(u64, String)> {
    machine.available().map(|a| (rss + a, "/proc/meminfo MemAvailable".into()))
}
