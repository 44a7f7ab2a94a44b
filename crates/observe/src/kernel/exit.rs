//! How a process ended that is not our child: by its exit status where it is to be had, and by the counters
//! of the kernel's OOM killer.

use std::fs::File;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lastgasp_inferior::Stat;
use nix::sys::signal::Signal;
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;

use crate::kernel::cgroup::Cgroup;
use crate::kernel::files::{open_shared, read_text};
use crate::kernel::limit::LimitUsage;
use crate::kernel::machine::Machine;
use crate::kernel::sys::reaped_status;

/// OOM counters of a target's group, of those above it, and of the machine, as they stood while it lived.
/// That of its own group stays open, since it is read near the end at every look: a container's group is
/// removed within milliseconds of its end, and says nothing any more.
///
/// Who loses that race knows all the same: what its own group had counted at the last look is remembered, and
/// on cgroup v2 the groups above count what happens below them and stay. Seen under systemd, whose own
/// bookkeeping removes a service's group as soon as the last process of it has ended: one kill in four was
/// taken for an end by itself (VM case `systemd`).
#[derive(Debug)]
pub struct OomCounters {
    /// Innermost first.
    groups: Vec<Counter>,
    machine: u64,
    /// Whether groups above count what happens below them (cgroup v2): what they do not say was not so.
    counts_below: bool,
    /// The machine's at the last look of [`OomCounters::look_at_machine`], and at the one before it.
    machine_before: [Option<(u64, Instant)>; 2],
}

/// One group's counters.
#[derive(Debug)]
struct Counter {
    file: Events,
    /// When the process came under watch.
    noted: Counts,
    /// At the last look of [`OomCounters::keep_up`], and at the one before it.
    last: (Counts, Instant),
    earlier: (Counts, Instant),
    /// When a look first saw that a process of it had been killed, the last time that it did.
    lost_one: Option<Instant>,
}

/// Where a group's counters stand.
#[derive(Debug)]
enum Events {
    /// Open, for all who are watched in that group.
    Open(Arc<File>),
    /// Opened for each reading: what is above stays, and is read seldom.
    At(PathBuf),
}

impl Events {
    /// What they say; `None` where the group is gone.
    fn counts(&self) -> Option<Counts> {
        match self {
            Self::Open(file) => counts(file),
            Self::At(path) => counts(&File::open(path).ok()?),
        }
    }
}

/// What a group has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Processes of it killed for memory, whoever ran out of it.
    pub kills: u64,
    /// Times that this group, or one below it, ran out of memory by itself; v1 does not say.
    pub ooms: u64,
}

/// Which of them have risen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Risen {
    /// The target's own group has lost a process for memory, not longer ago than it takes to die; where that
    /// group is gone, a group above it has, a moment ago.
    pub own_kills: bool,
    /// Processes of the target's own group killed for memory since it came under watch, itself among them.
    pub own_total: u64,
    /// The group, or one above it, has run out of memory by itself; v2 alone.
    pub group_ooms: bool,
    /// Some process of the machine was killed for memory.
    pub machine: bool,
    /// The target's own group is gone without having counted a kill, and no group above it that is left
    /// counts for it (cgroup v1), while some process of the machine was killed for memory within a moment.
    pub machine_for_a_group_that_is_gone: bool,
}

/// A kill that a group above has counted is taken for the target's own for so long: it has other groups below
/// it too, and what they lost earlier says nothing.
const A_MOMENT: Duration = Duration::from_secs(3);

/// A kill that the target's own group has counted is taken for the target's own for so long: the kernel
/// counts first, and gigabytes take seconds to be given back before anybody is told of the end. A kill of
/// long ago was a neighbour's, and says nothing of how the target ended (a child that the kernel chose first,
/// and a SIGKILL of an operator an hour later).
const TO_DIE: Duration = Duration::from_secs(10);

/// Where is counted what becomes of a process: in its own group, and in those above it only where they count
/// what happens below them. On version 1 they count their own processes, which says nothing of this one.
fn events_of(levels: impl Iterator<Item = Cgroup>, counts_below: bool) -> impl Iterator<Item = Events> {
    levels.take(if counts_below { usize::MAX } else { 1 }).enumerate().filter_map(|(i, group)| {
        let path = group.events_file();
        let own = if i == 0 { open_shared(&path).ok().map(Events::Open) } else { None };
        own.or_else(|| path.is_file().then_some(Events::At(path)))
    })
}

impl OomCounters {
    /// As they stand now.
    pub fn note(limit_usage: &LimitUsage, machine: &Machine) -> Self {
        let levels = limit_usage.own().into_iter().flat_map(Cgroup::levels);
        let counts_below = limit_usage.own().is_some_and(|g| g.v2);
        Self { counts_below, ..Self::of(events_of(levels, counts_below), machine.oom_kills()) }
    }

    fn of(files: impl Iterator<Item = Events>, machine: u64) -> Self {
        let at = Instant::now();
        let noted = |file: Events| {
            let noted = file.counts().unwrap_or_default();
            Counter { file, noted, last: (noted, at), earlier: (noted, at), lost_one: None }
        };
        Self { groups: files.map(noted).collect(), machine, counts_below: false, machine_before: [None; 2] }
    }

    /// Remembers what the target's own group has counted: one reading.
    pub fn look(&mut self) {
        self.look_at(Instant::now());
    }

    fn look_at(&mut self, at: Instant) {
        if let Some((own, now)) = self.groups.first_mut().and_then(|own| own.file.counts().map(|now| (own, now))) {
            own.seen(now, at);
        }
    }

    /// Remembers what they all have counted. The two last times are kept: a kill may come right before a
    /// look.
    pub fn keep_up(&mut self) {
        let at = Instant::now();
        for group in &mut self.groups {
            if let Some(now) = group.file.counts() {
                group.earlier = group.last;
                group.seen(now, at);
            }
        }
    }

    /// Remembers what the machine has counted: one reading of some 50 µs, worth it near an end.
    pub fn look_at_machine(&mut self, machine: &Machine) {
        self.machine_at(machine.oom_kills(), Instant::now());
    }

    fn machine_at(&mut self, kills: u64, at: Instant) {
        let [_, last] = self.machine_before;
        self.machine_before = [last, Some((kills, at))];
    }

    /// What has happened since.
    pub fn risen(&self, machine: &Machine) -> Risen {
        self.risen_at(Instant::now(), machine.oom_kills())
    }

    fn risen_at(&self, at: Instant, machine: u64) -> Risen {
        let now: Vec<Option<Counts>> = self.groups.iter().map(|group| group.file.counts()).collect();
        let risen = |of: fn(&Counts) -> u64| {
            let each = self.groups.iter().zip(&now);
            each.map(move |(group, now)| of(now.as_ref().unwrap_or(&group.last.0)) > of(&group.noted))
        };
        let own = self.groups.first().zip(now.first());
        let own_is_gone = now.first().is_some_and(Option::is_none);
        let fresh = |(_, then): &(u64, Instant)| at.saturating_duration_since(*then) < A_MOMENT;
        let before = self.machine_before.into_iter().flatten().find(fresh);
        let lately = before.is_some_and(|(kills, _)| machine > kills);
        let own_kills = own.is_some_and(|(own, now)| own.has_just_lost_one(*now, at))
            || own_is_gone && self.nearest_that_is_left(&now).is_some_and(|(g, now)| g.has_lost_one(&now, at));
        Risen {
            own_kills,
            own_total: own.map_or(0, |(own, now)| own.since_noted(*now)),
            machine_for_a_group_that_is_gone: own_is_gone && lately && !own_kills && !self.counts_below,
            group_ooms: risen(|c| c.ooms).any(|it| it),
            machine: machine > self.machine,
        }
    }

    /// Of the groups above, with what it says now.
    fn nearest_that_is_left(&self, now: &[Option<Counts>]) -> Option<(&Counter, Counts)> {
        self.groups.iter().zip(now).find_map(|(group, now)| Some((group, (*now)?)))
    }
}

impl Counter {
    /// Remembers what it says now.
    fn seen(&mut self, now: Counts, at: Instant) {
        if now.kills > self.last.0.kills {
            self.lost_one = Some(at);
        }
        self.last = (now, at);
    }

    /// Kills since the process came under watch.
    fn since_noted(&self, now: Option<Counts>) -> u64 {
        now.unwrap_or(self.last.0).kills.saturating_sub(self.noted.kills)
    }

    /// Whether the target's own group has counted a kill since the last look, or a look has seen one within
    /// the time that it takes to die.
    fn has_just_lost_one(&self, now: Option<Counts>, at: Instant) -> bool {
        now.is_some_and(|now| now.kills > self.last.0.kills)
            || self.lost_one.is_some_and(|then| at.saturating_duration_since(then) < TO_DIE)
    }

    /// Whether a kill was counted within the last moment. A reading that is older is no measure.
    fn has_lost_one(&self, now: &Counts, at: Instant) -> bool {
        let fresh = |(_, then): &&(Counts, Instant)| at.saturating_duration_since(*then) < A_MOMENT;
        let before = [&self.earlier, &self.last].into_iter().find(fresh);
        before.is_some_and(|(before, _)| now.kills > before.kills)
    }
}

/// What a group's events file says; `None` where the group is gone.
pub(crate) fn counts(file: &File) -> Option<Counts> {
    let text = read_text::<512>(file).filter(|text| !text.is_empty())?;
    let of = |key: &str| text.lines().find_map(|l| l.strip_prefix(key)?.trim().parse().ok()).unwrap_or(0);
    Some(Counts { kills: of("oom_kill "), ooms: of("oom ") })
}

/// How a process ended, as far as that is to be known: by our own wait if it is our child (which stays to be
/// reaped), by what `/proc` says of one that its parent has not reaped yet, and by the kernel's note of one
/// that was.
pub fn how_it_ended(pid: i32, pidfd: Option<&OwnedFd>) -> Option<WaitStatus> {
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT | WaitPidFlag::WNOHANG;
    for _ in 0..100 {
        match waitid(Id::Pid(Pid::from_raw(pid)), flags) {
            Ok(WaitStatus::StillAlive) => std::thread::sleep(std::time::Duration::from_millis(1)),
            Ok(status) => return Some(status),
            Err(_) => break,
        }
    }
    let status = zombie_status(pid).or_else(|| reaped_status(pidfd?.as_fd()))?;
    WaitStatus::from_raw(Pid::from_raw(pid), status).ok()
}

/// Whether that is a SIGKILL.
pub fn by_sigkill(status: &WaitStatus) -> bool {
    matches!(status, WaitStatus::Signaled(_, Signal::SIGKILL, _))
}

/// The wait status in the last field of `/proc/PID/stat`, of one that has ended and is not reaped.
fn zombie_status(pid: i32) -> Option<i32> {
    let stat = Stat::of_process(pid)?;
    (stat.state() == Some('Z')).then(|| stat.exit_status()).flatten()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::kernel::sys::pidfd_open;

    fn orphan(script: &str) -> (i32, OwnedFd) {
        // Its parent is a shell that reaps it at once, or never.
        let out = Command::new("sh").args(["-c", script]).output().unwrap();
        let pid: i32 = String::from_utf8(out.stdout).unwrap().trim().parse().unwrap();
        (pid, pidfd_open(pid).unwrap())
    }

    #[test]
    fn events_of_a_group_are_counted() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("memory.events");
        std::fs::write(&file, "low 0\noom 2\noom_kill 1\n").unwrap();
        let counted = counts(&File::open(file).unwrap()).unwrap();
        assert_eq!((counted.kills, counted.ooms), (1, 2));
    }

    /// Its own group's stays open; those above are asked where they count for it.
    #[test]
    fn only_those_are_asked_who_count_it() {
        let folder = tempfile::tempdir().unwrap();
        let own = folder.path().join("pod/container");
        std::fs::create_dir_all(&own).unwrap();
        for group in own.ancestors().take(3) {
            std::fs::write(group.join("memory.events"), "oom 0\noom_kill 0\n").unwrap();
        }
        let group = Cgroup::at(own, folder.path().to_owned());
        let asked = |counts_below: bool| {
            let all: Vec<Events> = events_of(group.levels(), counts_below).collect();
            all.iter().map(|events| matches!(events, Events::Open(_))).collect::<Vec<_>>()
        };
        assert_eq!(asked(true), [true, false, false]);
        assert_eq!(asked(false), [true]);
    }

    /// Files of groups that count, and of one that can be removed: as the kernel's, an open one says nothing
    /// then.
    #[test]
    fn a_kill_is_known_of_a_group_that_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let [own, above] = ["own", "above"].map(|name| folder.path().join(name));
        let count =
            |path: &std::path::Path, kills: u32| std::fs::write(path, format!("oom 0\noom_kill {kills}\n")).unwrap();
        let begin = || {
            count(&own, 1);
            count(&above, 5);
            OomCounters::of(
                [Events::Open(Arc::new(File::open(&own).unwrap())), Events::At(above.clone())].into_iter(),
                0,
            )
        };
        // An empty file has no text: what a reading of a removed group's file comes to.
        let remove = || std::fs::write(&own, "").unwrap();
        let kills = |counters: &OomCounters, later: Duration| counters.risen_at(Instant::now() + later, 0).own_kills;
        const NOW: Duration = Duration::ZERO;

        let mut counters = begin();
        assert!(!kills(&counters, NOW));
        count(&own, 2);
        assert!(kills(&counters, NOW), "it says so itself");
        counters.look();
        remove();
        assert!(kills(&counters, A_MOMENT), "it had said so before it went");

        // It had not: the group above has counted one in this moment.
        let mut counters = begin();
        counters.keep_up();
        remove();
        assert!(!kills(&counters, NOW), "removed, and nobody killed");
        count(&above, 6);
        assert!(kills(&counters, NOW));
        // A look between the kill and the end.
        counters.keep_up();
        assert!(kills(&counters, NOW));
        // A neighbour's, long ago.
        counters.keep_up();
        assert!(!kills(&counters, NOW));
        // Nobody has looked for long: it may have been any time.
        count(&above, 7);
        assert!(!kills(&counters, A_MOMENT));
        // A neighbour's, and its own group is there and says that it was none of its own.
        let counters = begin();
        count(&above, 6);
        assert!(!kills(&counters, NOW));
    }

    /// A child that the kernel chose first, and the target itself ended otherwise, long after.
    #[test]
    fn a_neighbours_kill_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let own = folder.path().join("own");
        let count = |kills: u32| std::fs::write(&own, format!("oom 0\noom_kill {kills}\n")).unwrap();
        count(0);
        let mut counters = OomCounters::of(std::iter::once(Events::At(own.clone())), 0);
        count(1);
        let began = Instant::now();
        let kills = |counters: &OomCounters, later: Duration| counters.risen_at(began + later, 0).own_kills;
        assert!(kills(&counters, Duration::from_secs(60)), "nobody has looked since: it may be this one");
        counters.look_at(began);
        assert!(kills(&counters, Duration::from_secs(2)), "it takes its time to die");
        assert!(!kills(&counters, Duration::from_secs(60)));
        count(2);
        assert!(kills(&counters, Duration::from_secs(60)), "the second is its own");
        assert_eq!(counters.risen_at(began, 0).own_total, 2);
    }

    /// On cgroup v1 no group above counts what happens below it: a group that is removed within milliseconds
    /// leaves the machine's counter alone.
    #[test]
    fn of_a_group_that_is_gone_the_machine_may_tell() {
        let folder = tempfile::tempdir().unwrap();
        let own = folder.path().join("own");
        std::fs::write(&own, "oom_kill 0\n").unwrap();
        let mut counters = OomCounters::of(std::iter::once(Events::Open(Arc::new(File::open(&own).unwrap()))), 5);
        let began = Instant::now();
        let told = |counters: &OomCounters, later: Duration, machine: u64| {
            counters.risen_at(began + later, machine).machine_for_a_group_that_is_gone
        };
        counters.machine_at(7, began);
        assert!(!told(&counters, Duration::ZERO, 8), "its group is there, and says that it was none of its own");
        std::fs::write(&own, "").unwrap();
        assert!(told(&counters, Duration::ZERO, 8));
        assert!(!told(&counters, Duration::ZERO, 7), "others were killed before");
        assert!(!told(&counters, A_MOMENT, 8), "nobody has looked for long");
        counters.counts_below = true;
        assert!(!told(&counters, Duration::ZERO, 8), "a group above would have said so");
        counters.counts_below = false;
        // A look between the kill and the end.
        counters.machine_at(8, began);
        assert!(told(&counters, Duration::ZERO, 8));
        counters.machine_at(8, began);
        assert!(!told(&counters, Duration::ZERO, 8));
    }

    #[test]
    fn a_stranger_that_was_killed_is_known_to_have_been() {
        let (pid, fd) = orphan("sleep 100 >/dev/null 2>&1 & echo $!");
        nix::sys::signal::kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(100));
        match how_it_ended(pid, Some(&fd)) {
            Some(status) => assert!(by_sigkill(&status), "{status:?}"),
            None => println!("SKIPPED: reaped at once, and this kernel (before 6.15) does not tell"),
        }
    }
}
