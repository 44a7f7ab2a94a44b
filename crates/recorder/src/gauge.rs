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
    /// Its `/proc/PID/cgroup`, and what that said when it was last read. Held open: of a process that takes its number it says nothing.
    membership: Option<(File, String)>,
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
    /// What was used in all at about that time.
    used_then: u64,
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
        let mut level =
            Self { group, bytes, limit, usage, stat, source, droppable: 0, droppable_at: Instant::now(), used_then: 0 };
        level.used_then = read_number(&level.usage).unwrap_or(0);
        level.read_droppable();
        Some(level)
    }

    fn read_droppable(&mut self) {
        self.droppable_at = Instant::now();
        self.droppable = read_text::<8192>(&self.stat).map_or(0, |t| self.group.droppable_in(&t));
    }

    /// Bytes that count. Page cache matters only where much is used. Near the limit the kernel drops it under us: there it is read at every look. And what has grown
    /// since it was read may be page cache again: a file that is written at a gigabyte a second was once taken for a leak.
    fn used(&mut self) -> Option<u64> {
        let mut raw = read_number(&self.usage)?;
        let close = raw > self.bytes / 20 * 19 && self.droppable > 0;
        let old = raw > self.bytes / 2 && self.droppable_at.elapsed() > CACHE_AGE;
        let grown = raw.saturating_sub(self.droppable) > self.bytes / 2 && raw > self.used_then + self.bytes / 64;
        if close || old || grown {
            self.used_then = raw;
            self.read_droppable();
            // A file that was truncated between the two readings has left both.
            raw = raw.min(read_number(&self.usage)?);
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
            membership: None,
            levels: own.as_ref().map(levels_of).unwrap_or_default(),
            own,
            nearest: None,
            limit: None,
            wished: wished.filter(|_| group.is_none()),
            refreshed: Instant::now(),
            changes: 0,
            moves: 0,
        };
        gauge.choose(|| rss, machine);
        gauge
    }

    /// Reads the limits again, and which of them is nearest; also of groups that had none before, and of the one that it was moved to.
    /// `rss` is asked for where no group's limit counts.
    pub fn refresh(&mut self, rss: impl FnOnce() -> u64, machine: &Machine) {
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
        let Some(mounts) = &self.mounts else { return };
        // Nearly always: nothing has changed.
        if let Some((file, before)) = &mut self.membership {
            match read_text::<8192>(file) {
                Some(now) if now == *before => return,
                Some(now) => *before = now,
                None => return,
            }
        } else if let Ok(file) = File::open(format!("/proc/{}/cgroup", self.pid)) {
            let now = read_text::<8192>(&file).unwrap_or_default();
            self.membership = Some((file, now));
        }
        let Some(now) = Cgroup::of(self.pid, mounts) else { return };
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

    /// Whether another limit would be reached first by now, by what is known of the limits: a neighbour may fill the pod, or the machine, between two refreshes.
    /// Costs nothing where there is one limit, and less than the machine has left; and where there is none ([`Gauge::usage_now`]).
    pub(crate) fn is_outdated(&mut self, machine: &Machine) -> bool {
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
        // A little nearer is no reason: two that are equally near must not take turns, since each turn begins a new series.
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
    pub(crate) fn limits(&self) -> impl Iterator<Item = (&Cgroup, u64)> + Clone {
        self.levels.iter().filter(|l| l.bytes < u64::MAX).map(|l| (&l.group, l.bytes))
    }

    /// Bytes that count against the limit. `rss` is asked for where no group's limit counts.
    #[must_use]
    pub fn usage(&mut self, rss: impl FnOnce() -> u64) -> u64 {
        let level = self.nearest.and_then(|i| self.levels.get_mut(i));
        level.and_then(Level::used).unwrap_or_else(rss)
    }

    /// The same; where what the machine has left is the limit, that is brought up to date too, by what is known of the machine.
    pub(crate) fn usage_now(&mut self, rss: impl FnOnce() -> u64, machine: &Machine) -> u64 {
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

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::{Child, Command, Stdio};

    use lastgasp_lab::build::{Mode, build, cache_dir, repo_root};
    use lastgasp_lab::toolchain;

    use super::*;
    use crate::cgroup::{OwnCgroup, remove_when_empty, write};

    fn group(name: &str, limit: Option<u64>) -> Option<OwnCgroup> {
        let name = format!("lastgasp-gauge-{name}-{}", std::process::id());
        match OwnCgroup::create(&Mounts::detect(), &name, limit) {
            Ok(group) => Some(group),
            Err(e) => {
                println!("SKIPPED: {e}");
                None
            }
        }
    }

    /// A program of the lab, in the group at `folder` from its first breath.
    fn play(name: &str, folder: &Path, args: &[&str]) -> Ended {
        let go = toolchain::any(&cache_dir()).unwrap();
        let program = build(&go, Mode::Stripped, &repo_root().join("lab/programs").join(name), ".").unwrap();
        let enter = format!("echo 0 > {}/cgroup.procs && exec \"$@\"", folder.display());
        let child = Command::new("sh").args(["-c", &enter, "sh"]).arg(program).args(args).stderr(Stdio::null()).spawn();
        Ended(child.unwrap())
    }

    /// Killed and reaped at the end of a test.
    struct Ended(Child);

    impl Drop for Ended {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    fn wait_until(mut done: impl FnMut() -> bool) {
        let began = Instant::now();
        while !done() {
            assert!(began.elapsed() < Duration::from_secs(20), "it does not come to that");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// A limit that is set, and changed, while we watch.
    #[test]
    fn a_first_limit_is_found_while_watching() {
        let (mounts, machine) = (Mounts::detect(), Machine::detect());
        let Some(group) = group("first", None) else { return };
        let mut gauge = Gauge::of(std::process::id() as i32, 1 << 20, Some(&group.cgroup), None, &mounts, &machine);
        let before = gauge.changes();
        for mib in [64u64, 32] {
            write(&group.cgroup.limit_file(), &(mib << 20).to_string()).unwrap();
            gauge.refresh(|| 1 << 20, &machine);
            assert_eq!(gauge.limit.as_ref().map(|l| l.0), Some(mib << 20));
        }
        assert_eq!(gauge.changes(), before + 2);
        assert!(group.remove());
    }

    /// A pod's limit is nearer than the container's own, and what counts against it is the memory of the container beside it.
    #[test]
    fn the_limit_of_the_pod_is_reached_first() {
        let (mounts, machine) = (Mounts::detect(), Machine::detect());
        let Some(pod) = group("pod", Some(96 << 20)) else { return };
        let [container, beside] = ["container", "beside"].map(|n| pod.cgroup.memory.join(n));
        if pod.cgroup.v2 {
            write(&pod.cgroup.memory.join("cgroup.subtree_control"), "+memory").unwrap();
        }
        for folder in [&container, &beside] {
            std::fs::create_dir(folder).unwrap();
        }
        let mut of_container = pod.cgroup.clone();
        of_container.memory.clone_from(&container);
        write(&of_container.limit_file(), &(64u64 << 20).to_string()).unwrap();
        let child = play("dies", &container, &["-base", "1000000", "-after", "1h"]);
        let pid = child.0.id() as i32;
        wait_until(|| Cgroup::of(pid, &mounts).is_some_and(|g| g.memory == container));
        let mut gauge = Gauge::of(pid, 1 << 20, None, None, &mounts, &machine);
        assert_eq!(gauge.limits().take(2).map(|l| l.1 >> 20).collect::<Vec<_>>(), [64, 96]);
        assert_eq!(gauge.limiting().map(|g| &g.memory), Some(&container));
        assert!(!gauge.is_outdated(&machine));
        let neighbour = play("dies", &beside, &["-base", "60000000", "-after", "1h"]);
        wait_until(|| gauge.is_outdated(&machine));
        gauge.refresh(|| 1 << 20, &machine);
        assert_eq!(gauge.limiting().map(|g| &g.memory), Some(&pod.cgroup.memory));
        assert!(!gauge.is_outdated(&machine));
        wait_until(|| gauge.usage(|| 0) > 60_000_000);
        assert_eq!(gauge.limit.as_ref().map(|l| l.0 >> 20), Some(96));
        drop((child, neighbour));
        assert!(remove_when_empty(&container) && remove_when_empty(&beside) && pod.remove());
    }

    /// Without a limit, or with one that is more than the machine has left, it is the machine's memory that will be used up.
    #[test]
    fn without_a_limit_the_machine_is_the_limit() {
        let (mounts, machine) = (Mounts::detect(), Machine::detect());
        let Some(group) = group("machine", None) else { return };
        let (pid, rss, left) = (std::process::id() as i32, 5 << 20, machine.available().unwrap());
        for limit in [None, Some(left + (1 << 40))] {
            if let Some(limit) = limit {
                write(&group.cgroup.limit_file(), &limit.to_string()).unwrap();
            }
            let mut gauge = Gauge::of(pid, rss, Some(&group.cgroup), None, &mounts, &machine);
            if gauge.limits().skip(usize::from(limit.is_some())).count() > 0 {
                return println!("SKIPPED: there is a limit above us");
            }
            assert_eq!(gauge.limit, Some((rss + left, "/proc/meminfo MemAvailable".into())));
            assert!(!gauge.is_of_group() && gauge.limiting().is_none());
            assert_eq!(gauge.usage(|| rss), rss);
        }
        assert!(group.remove());
    }

    /// A process that holds half of its group's limit and writes a large file: the kernel counts the group as full, and we do not, at no look.
    #[test]
    fn page_cache_is_no_use() {
        const LIMIT: u64 = 96 << 20;
        let (mounts, machine) = (Mounts::detect(), Machine::detect());
        let Some(group) = group("cache", Some(LIMIT)) else { return };
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("large");
        let args = ["-base", "45000000", "-file", file.to_str().unwrap()];
        let writer = play("writes", &group.cgroup.memory, &args);
        wait_until(|| file.exists());
        let pid = writer.0.id() as i32;
        let mut gauge = Gauge::of(pid, 1 << 20, Some(&group.cgroup), None, &mounts, &machine);
        let (mut raw, mut used) = (0, 0);
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(4) {
            used = used.max(gauge.usage(|| 0));
            raw = raw.max(group.cgroup.usage().unwrap());
            std::thread::sleep(Duration::from_millis(2));
        }
        println!("the kernel says up to {} %, we say up to {} %", raw * 100 / LIMIT, used * 100 / LIMIT);
        assert!(raw > LIMIT / 10 * 9, "the page cache never filled the group: nothing was tried");
        assert!(used < LIMIT / 10 * 7, "{} %", used * 100 / LIMIT);
        drop(writer);
        assert!(group.remove());
    }
}
