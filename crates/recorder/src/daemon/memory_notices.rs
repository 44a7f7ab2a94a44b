//! Whom the kernel's word about a group is for. A group's alarm ([`super::memory_alarm`]) is shared by all
//! watched processes that its limit counts for, those of groups below it too: one descriptor per group with a
//! limit, and one for them all. It goes with the last of those processes, and is set anew when the limit is
//! another.
//!
//! A notice only brings a look forward. Nobody sleeps longer because there is an alarm: what the kernel does
//! not say, looking finds as before.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use lastgasp_observe::kernel::cgroup::Cgroup;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollTimeout};

use super::memory_alarm::MemoryAlarm;

/// All alarms.
#[derive(Debug)]
pub(crate) struct MemoryNotices {
    epoll: Epoll,
    groups: BTreeMap<PathBuf, Group>,
    /// The groups' numbers in epoll's events.
    names: BTreeMap<u64, PathBuf>,
    /// How many groups each process is told of by.
    followed: BTreeMap<i32, usize>,
    next: u64,
    /// When the first of those that rest is listened to again, or earlier: it may be gone. Asked for at each
    /// waking, and so not looked for among all groups then.
    rested: Option<Instant>,
    /// Whether a cgroup's files may be written to be told.
    may_write: bool,
}

#[derive(Debug)]
struct Group {
    number: u64,
    limit: u64,
    /// `None`: cannot be had, or the group is gone.
    alarm: Option<MemoryAlarm>,
    targets: BTreeSet<i32>,
    rest: Rest,
    /// Not listened to before.
    deaf_until: Option<Instant>,
}

impl MemoryNotices {
    /// None yet. Where `may_write` is not set (`observe` mode) version 1 is not asked, since asking is a
    /// write to a group's file; it changes nothing in the group, but that nothing is written is a promise
    /// that is easier to hold to than a promise of harmless writes.
    ///
    /// # Errors
    /// The system's error.
    pub(crate) fn new(may_write: bool) -> io::Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let (groups, names, followed) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Ok(Self { epoll, groups, names, followed, next: 0, rested: None, may_write })
    }

    /// Whether files may be written from now on.
    pub(crate) fn allow(&mut self, may_write: bool) {
        if self.may_write == may_write {
            return;
        }
        self.may_write = may_write;
        for group in self.groups.values_mut() {
            // Set anew, or not, when its processes are looked at next.
            (group.alarm, group.limit) = (None, 0);
        }
    }

    /// These are the limits that count for `pid` now, with their groups.
    pub(crate) fn follow<'a>(&mut self, pid: i32, limits: impl Iterator<Item = (&'a Cgroup, u64)> + Clone) {
        let known = |(g, limit): (&Cgroup, u64)| {
            self.groups.get(&g.memory).is_some_and(|k| k.limit == limit && k.targets.contains(&pid))
        };
        // Nearly always: nothing has changed.
        let number = limits.clone().count();
        if self.followed.get(&pid).copied().unwrap_or(0) == number && limits.clone().all(known) {
            return;
        }
        let folders: BTreeSet<&Path> = limits.clone().map(|(g, _)| g.memory.as_path()).collect();
        self.leave(pid, |folder| !folders.contains(folder));
        for (group, limit) in limits {
            self.listen(pid, group, limit);
        }
        self.followed.insert(pid, number);
    }

    /// Whether the kernel tells of the growth of each group whose limit counts for `pid`, and of the group
    /// that runs out.
    pub(crate) fn tell_of(&self, pid: i32) -> bool {
        let counting = || self.groups.values().filter(|g| g.targets.contains(&pid));
        counting().next().is_some() && counting().all(|g| g.alarm.as_ref().is_some_and(MemoryAlarm::tells_of_growth))
    }

    /// `pid` is watched no longer.
    pub(crate) fn forget(&mut self, pid: i32) {
        self.leave(pid, |_| true);
        self.followed.remove(&pid);
    }

    fn leave(&mut self, pid: i32, of: impl Fn(&Path) -> bool) {
        self.groups.retain(|folder, group| {
            if of(folder) && group.targets.remove(&pid) && group.targets.is_empty() {
                // Closing its descriptor takes it out of epoll and undoes what was announced.
                self.names.remove(&group.number);
                return false;
            }
            true
        });
    }

    fn listen(&mut self, pid: i32, cgroup: &Cgroup, limit: u64) {
        let next = self.next;
        let group = self.groups.entry(cgroup.memory.clone()).or_insert_with(|| Group {
            number: next,
            limit: 0,
            alarm: None,
            targets: BTreeSet::new(),
            rest: Rest::default(),
            deaf_until: None,
        });
        if group.number == next {
            self.next += 1;
            self.names.insert(next, cgroup.memory.clone());
        }
        // Where none is set, who is new may be in a group made anew under the name of one that is gone.
        let is_new = group.targets.insert(pid);
        if group.limit == limit && (group.alarm.is_some() || !is_new) {
            return;
        }
        // The old one is closed first.
        (group.limit, group.alarm, group.deaf_until) = (limit, None, None);
        if !cgroup.v2 && !self.may_write {
            return;
        }
        match MemoryAlarm::set(cgroup, limit) {
            Ok(alarm) => {
                let event = EpollEvent::new(alarm.interest(), group.number);
                group.alarm = self.epoll.add(&alarm, event).is_ok().then_some(alarm);
            }
            Err(e) => tracing::debug!("{} is looked at by the clock alone: {e}", cgroup.memory.display()),
        }
    }

    /// The processes that are to be looked at now.
    pub(crate) fn heard(&mut self, now: Instant) -> BTreeSet<i32> {
        let mut events = [EpollEvent::empty(); 64];
        let mut pids = BTreeSet::new();
        let n = self.epoll.wait(&mut events, EpollTimeout::ZERO).unwrap_or(0);
        for event in events.get(..n).unwrap_or_default() {
            let Some(group) = self.names.get(&event.data()).and_then(|name| self.groups.get_mut(name)) else {
                continue;
            };
            pids.extend(&group.targets);
            // It went off for the last time if its group is gone: the processes are looked at, and found to
            // have ended.
            if group.alarm.as_ref().is_some_and(MemoryAlarm::acknowledge) {
                let until = now + group.rest.after_a_notice(now);
                group.deaf_until = Some(until);
                self.rested = Some(self.rested.map_or(until, |first| first.min(until)));
            } else {
                group.alarm = None;
            }
        }
        pids
    }

    /// When [`MemoryNotices::listen_again`] is due.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.rested
    }

    /// Listens again to those that have rested. What was said meanwhile is heard now.
    pub(crate) fn listen_again(&mut self, now: Instant) {
        if self.rested.is_none_or(|first| first > now) {
            return;
        }
        for group in self.groups.values_mut().filter(|g| g.deaf_until.is_some_and(|until| until <= now)) {
            group.deaf_until = None;
            if let Some(alarm) = &group.alarm {
                let _ = self.epoll.modify(alarm, &mut EpollEvent::new(alarm.interest(), group.number));
            }
        }
        self.rested = self.groups.values().filter_map(|g| g.deaf_until).min();
    }
}

impl AsFd for MemoryNotices {
    /// Readable when there is something to be [`MemoryNotices::heard`].
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.0.as_fd()
    }
}

/// How long a group is not listened to after a notice: usage that swings about a threshold, as page cache
/// does, sends thousands a second.
#[derive(Clone, Copy, Debug, Default)]
struct Rest {
    last: Option<Instant>,
    pause: Duration,
}

impl Rest {
    const SHORTEST: Duration = Duration::from_millis(5);
    const LONGEST: Duration = Duration::from_millis(320);
    /// After so long a silence the next notice is news again.
    const SILENCE: Duration = Duration::from_secs(2);

    fn after_a_notice(&mut self, now: Instant) -> Duration {
        let news = self.last.is_none_or(|last| now.saturating_duration_since(last) > Self::SILENCE);
        self.last = Some(now);
        self.pause = if news { Self::SHORTEST } else { (self.pause * 2).clamp(Self::SHORTEST, Self::LONGEST) };
        self.pause
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command, Stdio};

    use lastgasp_lab::build::{Mode, build, cache_dir, repo_root};
    use lastgasp_lab::toolchain;
    use lastgasp_observe::kernel::cgroup::Mounts;
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

    use super::*;
    use crate::act::own_cgroup::OwnCgroup;
    use crate::undo::cgroup_file::write;

    const LIMIT: u64 = 192 << 20;

    /// A group with a limit on cgroup v1, where alarms are writes; `None`, loudly, where it cannot be made.
    fn group(name: &str) -> Option<OwnCgroup> {
        let name = format!("lastgasp-notices-{name}-{}", std::process::id());
        match OwnCgroup::create(&Mounts::detect(), &name, Some(LIMIT)) {
            Ok(group) => Some(group),
            Err(e) => {
                println!("SKIPPED: {e}");
                None
            }
        }
    }

    /// `lab/programs/dies`, in the group: calm for `after` milliseconds, and then as fast as it can.
    fn dies(group: &OwnCgroup, after: u64) -> Child {
        let go = toolchain::any(&cache_dir()).unwrap();
        let program = build(&go, Mode::Stripped, &repo_root().join("lab/programs/dies"), ".").unwrap();
        let after = format!("{after}ms");
        let child = Command::new(program).args(["-rate", "0", "-after", &after]).stderr(Stdio::null()).spawn().unwrap();
        write(&group.cgroup.memory.join("cgroup.procs"), &child.id().to_string()).unwrap();
        child
    }

    fn rings(memory_notices: &MemoryNotices, within: Duration) -> bool {
        let mut fds = [PollFd::new(memory_notices.as_fd(), PollFlags::POLLIN)];
        poll(&mut fds, PollTimeout::try_from(within).unwrap()).unwrap() > 0
    }

    /// Sudden growth in a calm group: how much earlier its processes are looked at than by the clock alone,
    /// which looks every 250 ms where the pin is on.
    #[test]
    fn sudden_growth_is_told_of() {
        let Some(group) = group("grows") else { return };
        let mut memory_notices = MemoryNotices::new(true).unwrap();
        let mut earlier = Vec::new();
        for round in 0..6u64 {
            let began = Instant::now();
            let mut child = dies(&group, 400 + round * 43);
            memory_notices.follow(7, [(&group.cgroup, LIMIT)].into_iter());
            assert!(rings(&memory_notices, Duration::from_secs(20)), "the kernel said nothing");
            let (heard, now) = (memory_notices.heard(Instant::now()), began.elapsed().as_secs_f64() * 1e3);
            let usage = group.cgroup.usage().unwrap();
            assert_eq!(heard, BTreeSet::from([7]));
            child.wait().unwrap();
            let lived = began.elapsed().as_secs_f64() * 1e3 - now;
            let by_the_clock = 250.0 - now % 250.0;
            println!(
                "woken at {:.0} % of the limit, {lived:.0} ms before its end; by the clock {by_the_clock:.0} ms later{}",
                usage as f64 / LIMIT as f64 * 100.0,
                if by_the_clock > lived { ": too late" } else { "" }
            );
            earlier.push(by_the_clock);
            memory_notices.forget(7);
            assert!(
                memory_notices.groups.is_empty()
                    && memory_notices.names.is_empty()
                    && memory_notices.followed.is_empty()
            );
        }
        println!("earlier by {:.0} ms on average", earlier.iter().sum::<f64>() / earlier.len() as f64);
        assert!(group.remove());
    }

    /// Two processes of one group have one alarm. It stays until the last is gone, and follows the limit.
    #[test]
    fn an_alarm_is_shared_and_follows_the_limit() {
        let Some(group) = group("shared") else { return };
        let mut memory_notices = MemoryNotices::new(true).unwrap();
        // So high that nothing will reach it.
        for pid in [1, 2, 1, 2] {
            memory_notices.follow(pid, [(&group.cgroup, 1 << 40)].into_iter());
        }
        assert_eq!(memory_notices.groups.len(), 1);
        memory_notices.forget(1);
        let first = &memory_notices.groups[&group.cgroup.memory];
        assert!(first.alarm.is_some() && first.targets == BTreeSet::from([2]));
        let mut child = dies(&group, 300);
        memory_notices.follow(2, [(&group.cgroup, LIMIT)].into_iter());
        assert!(rings(&memory_notices, Duration::from_secs(20)), "set anew, at the new limit");
        child.wait().unwrap();
        // It has no limit any more.
        memory_notices.follow(2, std::iter::empty());
        assert!(memory_notices.groups.is_empty());
        assert!(group.remove());
    }

    /// Where nothing may be written nothing is.
    #[test]
    fn an_observer_is_told_nothing_by_version_1() {
        let Some(group) = group("observed") else { return };
        let mut memory_notices = MemoryNotices::new(false).unwrap();
        memory_notices.follow(1, [(&group.cgroup, LIMIT)].into_iter());
        assert_eq!(memory_notices.groups[&group.cgroup.memory].alarm.is_some(), group.cgroup.v2);
        memory_notices.allow(true);
        memory_notices.follow(1, [(&group.cgroup, LIMIT)].into_iter());
        assert!(memory_notices.groups[&group.cgroup.memory].alarm.is_some());
        drop(memory_notices);
        assert!(group.remove());
    }

    /// A group that is removed under us rings, and then never again.
    #[test]
    fn a_group_that_is_gone_does_not_keep_us_awake() {
        let Some(group) = group("gone") else { return };
        let mut memory_notices = MemoryNotices::new(true).unwrap();
        memory_notices.follow(1, [(&group.cgroup, LIMIT)].into_iter());
        let folder = group.cgroup.memory.clone();
        assert!(group.remove());
        let mut rung = 0;
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(1) {
            if rings(&memory_notices, Duration::from_millis(50)) {
                rung += 1;
                memory_notices.heard(Instant::now());
            }
            memory_notices.listen_again(Instant::now());
        }
        println!("rung {rung} times");
        assert!((1..=3).contains(&rung), "{rung}");
        assert!(memory_notices.groups[&folder].alarm.is_none() && memory_notices.due().is_none());
        memory_notices.forget(1);
        assert!(memory_notices.groups.is_empty());
    }

    #[test]
    fn who_rings_without_end_is_listened_to_ever_more_rarely() {
        let (mut rest, mut now) = (Rest::default(), Instant::now());
        let mut heard = 0;
        let end = now + Duration::from_secs(60);
        while now < end {
            now += rest.after_a_notice(now);
            heard += 1;
        }
        assert!(heard < 200, "{heard} times in a minute");
        assert_eq!(rest.after_a_notice(now + Duration::from_secs(3)), Rest::SHORTEST);
    }
}
