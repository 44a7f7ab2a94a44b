//! The kernel's word that a group's memory runs out: one descriptor per group, whatever the number of
//! thresholds.
//!
//! | cgroup | what wakes | what it costs |
//! |---|---|---|
//! | v1 | usage crosses a threshold, either way, or the group runs out: one eventfd, announced in `cgroup.event_control` | one write for each threshold; undone by closing it, or by the kernel when we die |
//! | v2 | a counter of `memory.events` has risen: the limit was reached, or `memory.high` | nothing is written |
//!
//! Kernel: `Documentation/admin-guide/cgroup-v1/memory.rst` (9, 10), `cgroup-v2.rst` (`memory.events`). Page
//! cache counts for the kernel, and so a word of its is a hint to look, and no more.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd};
use std::path::PathBuf;

use lastgasp_observe::kernel::cgroup::Cgroup;
use lastgasp_observe::kernel::files::read_text;
use nix::sys::epoll::EpollFlags;
use nix::sys::eventfd::{EfdFlags, EventFd};

use crate::undo::cgroup_file::write;

/// Percent of the limit at which v1 wakes us: two on the way out of the calm, which a sprint is seen by (64 MB
/// are filled within 20 ms), where the policy turns to alert, to armed, and three on the rest of the way.
const THRESHOLDS: [u64; 7] = [30, 45, 60, 75, 85, 92, 97];

/// What wakes us.
#[derive(Debug)]
pub(crate) enum MemoryAlarm {
    /// Version 1; the path is the group's.
    Thresholds(EventFd, PathBuf),
    /// Version 2.
    Events(File),
}

impl MemoryAlarm {
    /// Has the kernel wake us as `group` approaches `limit` (bytes).
    ///
    /// # Errors
    /// The system's error: the group is gone, or (v1) its files cannot be written.
    pub(crate) fn set(group: &Cgroup, limit: u64) -> io::Result<Self> {
        if group.v2 { Self::on_events(File::open(group.events_file())?) } else { Self::on_thresholds(group, limit) }
    }

    /// Whenever the kernel says that a cgroup's file has changed.
    fn on_events(file: File) -> io::Result<Self> {
        let alarm = Self::Events(file);
        // What was before is no news: of a file that was never read the kernel says that it has changed.
        if alarm.acknowledge() { Ok(alarm) } else { Err(io::ErrorKind::NotFound.into()) }
    }

    fn on_thresholds(group: &Cgroup, limit: u64) -> io::Result<Self> {
        let wakeup = EventFd::from_value_and_flags(0, EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
        let control = group.memory.join("cgroup.event_control");
        let ring = wakeup.as_fd().as_raw_fd();
        // The files that are named need not stay open.
        let usage = File::open(group.usage_file())?;
        for percent in THRESHOLDS {
            let bytes = limit / 100 * percent;
            write(&control, &format!("{ring} {} {bytes}", usage.as_raw_fd()))?;
        }
        let oom = File::open(group.events_file())?;
        write(&control, &format!("{ring} {}", oom.as_raw_fd()))?;
        Ok(Self::Thresholds(wakeup, group.memory.clone()))
    }

    /// What epoll is to wait for; once, as a group that is gone would wake us for ever.
    pub(crate) fn interest(&self) -> EpollFlags {
        let what = match self {
            Self::Thresholds(..) => EpollFlags::EPOLLIN,
            Self::Events(_) => EpollFlags::EPOLLPRI,
        };
        what | EpollFlags::EPOLLONESHOT
    }

    /// Whether it rings on the way to the limit, and not only there.
    pub(crate) fn tells_of_growth(&self) -> bool {
        matches!(self, Self::Thresholds(..))
    }

    /// Has been heard; gives whether the group still exists.
    pub(crate) fn acknowledge(&self) -> bool {
        match self {
            Self::Thresholds(wakeup, folder) => {
                let _ = wakeup.read();
                folder.is_dir()
            }
            // The kernel takes a reading of the file for it.
            Self::Events(file) => read_text::<512>(file).is_some_and(|text| !text.is_empty()),
        }
    }
}

impl AsFd for MemoryAlarm {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Thresholds(wakeup, _) => wakeup.as_fd(),
            Self::Events(file) => file.as_fd(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::time::Duration;

    use lastgasp_observe::kernel::cgroup::Mounts;
    use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent};

    use super::*;
    use crate::undo::cgroup_file::remove_when_empty;

    fn wakes(epoll: &Epoll, within_ms: u16) -> bool {
        epoll.wait(&mut [EpollEvent::empty()], within_ms).unwrap() > 0
    }

    /// Version 2's way, on a real file of a real v2 group that the kernel tells of in the same manner
    /// (`cgroup.events`: a process comes, a process goes); and its removal, after which the kernel says
    /// "changed" for ever.
    #[test]
    fn a_file_of_version_2_tells_of_changes_and_of_its_end() {
        let Some(unified) = Mounts::detect().unified else { return println!("SKIPPED: no cgroup v2") };
        let group = unified.join(format!("lastgasp-alarm-{}", std::process::id()));
        if let Err(e) = std::fs::create_dir(&group) {
            return println!("SKIPPED: {e}");
        }
        let alarm = MemoryAlarm::on_events(File::open(group.join("cgroup.events")).unwrap()).unwrap();
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).unwrap();
        epoll.add(&alarm, EpollEvent::new(alarm.interest(), 1)).unwrap();
        assert!(!wakes(&epoll, 50), "nothing has happened yet");
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        write(&group.join("cgroup.procs"), &child.id().to_string()).unwrap();
        assert!(wakes(&epoll, 5000));
        assert!(alarm.acknowledge());
        epoll.modify(&alarm, &mut EpollEvent::new(alarm.interest(), 1)).unwrap();
        assert!(!wakes(&epoll, 50), "heard already");
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(wakes(&epoll, 5000));
        assert!(alarm.acknowledge());
        epoll.modify(&alarm, &mut EpollEvent::new(alarm.interest(), 1)).unwrap();
        assert!(remove_when_empty(&group));
        // Not told of the end; who asks again is told for ever that the file has changed.
        epoll.modify(&alarm, &mut EpollEvent::new(alarm.interest(), 1)).unwrap();
        assert!(wakes(&epoll, 5000));
        assert!(!alarm.acknowledge(), "it is gone");
        let mut woken = 0;
        for _ in 0..20 {
            woken += u32::from(wakes(&epoll, 5));
            std::thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(woken, 0, "and not again");
    }
}
