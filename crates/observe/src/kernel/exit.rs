//! How a process ended that is not our child: by its exit status where it is to be had, and by the counters
//! of the kernel's OOM killer.

use std::fs::File;
use std::os::fd::{AsFd as _, OwnedFd};

use lastgasp_inferior::Stat;
use nix::sys::signal::Signal;
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;

use crate::kernel::cgroup::Cgroup;
use crate::kernel::files::read_text;
use crate::kernel::limit::LimitUsage;
use crate::kernel::machine::Machine;
use crate::kernel::sys::reaped_status;

/// OOM counters of a target's group, of those above it, and of the machine, as they stood while it lived. The
/// files stay open: a container's group is removed within milliseconds of its end.
#[derive(Debug)]
pub struct OomCounters {
    groups: Vec<(File, Counts)>,
    machine: u64,
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
    /// The target's own group has lost a process for memory.
    pub own_kills: bool,
    /// The group, or one above it, has run out of memory by itself; v2 alone.
    pub group_ooms: bool,
    /// Some process of the machine was killed for memory.
    pub machine: bool,
}

impl OomCounters {
    /// As they stand now.
    pub fn note(limit_usage: &LimitUsage, machine: &Machine) -> Self {
        let levels = limit_usage.own().into_iter().flat_map(Cgroup::levels);
        let opened = levels.filter_map(|g| File::open(g.events_file()).ok());
        let noted = |file: File| {
            let now = counts(&file).unwrap_or_default();
            (file, now)
        };
        let groups = opened.map(noted).collect();
        Self { groups, machine: machine.oom_kills() }
    }

    /// What has happened since.
    pub fn risen(&self, machine: &Machine) -> Risen {
        let now: Vec<Option<Counts>> = self.groups.iter().map(|(file, _)| counts(file)).collect();
        let risen = |i: usize, of: fn(&Counts) -> u64| {
            let now = now.get(i).copied().flatten();
            self.groups.get(i).zip(now).is_some_and(|((_, then), now)| of(&now) > of(then))
        };
        Risen {
            own_kills: risen(0, |c| c.kills),
            group_ooms: (0..now.len()).any(|i| risen(i, |c| c.ooms)),
            machine: machine.oom_kills() > self.machine,
        }
    }
}

/// What a group's events file says; `None` where the group is gone.
pub(crate) fn counts(file: &File) -> Option<Counts> {
    let text = read_text::<512>(file)?;
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
