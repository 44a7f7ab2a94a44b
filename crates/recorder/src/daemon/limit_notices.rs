//! The kernel's word that somebody has written to a group's limit file: `docker update`, an in-place resize
//! of a pod, `systemctl set-property`, an echo. One inotify descriptor for all groups, and one watch for each
//! file; calm costs nothing, and a lowered limit is known within a millisecond.
//!
//! A limit that was read again every few seconds was once lowered from 2 GB to 150 MB and used up before
//! that: nothing was armed, and nothing captured (`cli/tests/watch_bad_groups.rs`).
//!
//! Files of both cgroup versions tell of it: whoever writes does so through the VFS (`fsnotify_modify`), and
//! all mounts of a hierarchy, those of containers too, share their inodes. The kernel itself changes no
//! limit. Where no watch can be had (`fs.inotify.max_user_watches`), limits are read every second.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::path::{Path, PathBuf};

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, WatchDescriptor};

/// All limit files that are watched.
#[derive(Debug)]
pub(crate) struct LimitNotices {
    /// `None`: cannot be had (`fs.inotify.max_user_instances`).
    inotify: Option<Inotify>,
    files: BTreeMap<PathBuf, Watched>,
    followed: BTreeMap<i32, Followed>,
}

/// A process's files.
#[derive(Debug)]
struct Followed {
    /// As they were named last.
    files: Vec<PathBuf>,
    /// Whether of all of them is told. Asked for at every look, and so not looked up then.
    all_told: bool,
}

#[derive(Debug)]
struct Watched {
    /// `None`: could not be had.
    watch: Option<WatchDescriptor>,
    targets: BTreeSet<i32>,
}

impl LimitNotices {
    /// None yet.
    pub(crate) fn new() -> Self {
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK);
        let inotify = inotify.inspect_err(|e| tracing::warn!("limits are read every second: no inotify ({e})")).ok();
        Self { inotify, files: BTreeMap::new(), followed: BTreeMap::new() }
    }

    /// Readable when there is something to be [`LimitNotices::heard`].
    pub(crate) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.inotify.as_ref().map(|i| i.as_fd())
    }

    /// These are the files in which a limit for `pid` may stand, now.
    pub(crate) fn follow<P: AsRef<Path>>(&mut self, pid: i32, files: impl Iterator<Item = P> + Clone) {
        // Nearly always: nothing has changed. By the bytes: names of groups are long, and to compare paths is
        // to take both apart.
        let same = |(now, known): (P, &PathBuf)| now.as_ref().as_os_str() == known.as_os_str();
        let as_known =
            |known: &Followed| files.clone().count() == known.files.len() && files.clone().zip(&known.files).all(same);
        if self.followed.get(&pid).is_some_and(as_known) {
            return;
        }
        let files: Vec<PathBuf> = files.map(|file| file.as_ref().to_owned()).collect();
        self.leave(pid, |file| !files.iter().any(|f| f == file));
        let mut all_told = true;
        for file in &files {
            // Of a file that is watched already it is the same watch, unless the group was made anew under
            // its name: the kernel says nothing when one is removed, and the old watch hears nothing of the
            // new one (seen on 6.18, version 1; a service that is started again while its dead are read).
            let inotify = self.inotify.as_ref();
            let watch = inotify.and_then(|i| i.add_watch(file, AddWatchFlags::IN_MODIFY).ok());
            let watched = self.files.entry(file.clone()).or_insert_with(|| Watched { watch, targets: BTreeSet::new() });
            if watched.watch != watch {
                if let (Some(old), Some(inotify)) = (watched.watch, inotify) {
                    let _ = inotify.rm_watch(old);
                }
                watched.watch = watch;
            }
            watched.targets.insert(pid);
            all_told &= watched.watch.is_some();
        }
        self.followed.insert(pid, Followed { files, all_told });
    }

    /// Whether each change of a limit for `pid` is told of.
    pub(crate) fn tell_of(&self, pid: i32) -> bool {
        // Who has no group has no limit that could be written.
        self.followed.get(&pid).is_none_or(|followed| followed.all_told)
    }

    /// `pid` is watched no longer.
    pub(crate) fn forget(&mut self, pid: i32) {
        self.leave(pid, |_| true);
        self.followed.remove(&pid);
    }

    fn leave(&mut self, pid: i32, of: impl Fn(&Path) -> bool) {
        let inotify = self.inotify.as_ref();
        for file in self.followed.get(&pid).into_iter().flat_map(|f| &f.files).filter(|f| of(f)) {
            let Some(watched) = self.files.get_mut(file) else { continue };
            watched.targets.remove(&pid);
            if watched.targets.is_empty()
                && let Some(Watched { watch: Some(watch), .. }) = self.files.remove(file)
                && let Some(inotify) = inotify
            {
                // Of a group that is gone the kernel may have taken it back already.
                let _ = inotify.rm_watch(watch);
            }
        }
    }

    /// The processes whose limits may be others now.
    pub(crate) fn heard(&mut self) -> BTreeSet<i32> {
        let mut pids = BTreeSet::new();
        let Some(inotify) = &self.inotify else { return pids };
        // What is left over is heard at the next turn.
        let events = inotify.read_events().unwrap_or_default();
        for event in events {
            if event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW) {
                // Who writes as much is not known: everybody.
                pids.extend(self.followed.keys());
            } else if event.mask.contains(AddWatchFlags::IN_MODIFY) {
                let of = self.files.values().filter(|w| w.watch == Some(event.wd));
                pids.extend(of.flat_map(|w| &w.targets));
            } else if event.mask.contains(AddWatchFlags::IN_IGNORED) {
                // Gone with its group; the number is never used again.
                for watched in self.files.values_mut().filter(|w| w.watch == Some(event.wd)) {
                    watched.watch = None;
                    for pid in &watched.targets {
                        if let Some(followed) = self.followed.get_mut(pid) {
                            followed.all_told = false;
                        }
                    }
                }
            }
        }
        pids
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use lastgasp_observe::kernel::cgroup::Mounts;
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

    use super::*;
    use crate::act::own_cgroup::OwnCgroup;
    use crate::undo::cgroup_file::remove_when_empty;

    fn heard(notices: &mut LimitNotices, within_ms: u64) -> Vec<i32> {
        let timeout = PollTimeout::try_from(Duration::from_millis(within_ms)).unwrap();
        poll(&mut [PollFd::new(notices.fd().unwrap(), PollFlags::POLLIN)], timeout).unwrap();
        notices.heard().into_iter().collect()
    }

    /// Whoever writes: each time, and whose processes' limit that is.
    fn told_of_writes(file: &Path, values: [&str; 2], remove: impl FnOnce()) {
        let mut notices = LimitNotices::new();
        let other = tempfile::NamedTempFile::new().unwrap();
        let files = [file.to_path_buf(), other.path().to_path_buf()];
        for pid in [1, 2, 1] {
            notices.follow(pid, files[..1].iter().cloned());
        }
        notices.follow(3, files[1..].iter().cloned());
        assert!([1, 2, 3].iter().all(|pid| notices.tell_of(*pid)) && notices.files.len() == 2);
        assert_eq!(heard(&mut notices, 20), [0_i32; 0], "nothing has happened yet");
        for value in values {
            std::fs::write(file, value).unwrap();
            assert_eq!(heard(&mut notices, 2000), [1, 2]);
            // To read it is no change.
            std::fs::read(file).unwrap();
            assert_eq!(heard(&mut notices, 20), [0_i32; 0]);
        }
        notices.forget(1);
        // Moved into another group: the old one's limit is nothing to it any more.
        notices.follow(2, files[1..].iter().cloned());
        std::fs::write(file, values[0]).unwrap();
        assert_eq!(heard(&mut notices, 20), [0_i32; 0]);
        notices.follow(2, files.iter().cloned());
        assert!(notices.tell_of(2) && notices.tell_of(3));
        remove();
        heard(&mut notices, 20);
        for pid in [2, 3] {
            notices.forget(pid);
        }
        assert!(notices.files.is_empty() && notices.followed.is_empty());
        assert_eq!(heard(&mut notices, 20), [0_i32; 0]);
    }

    #[test]
    fn a_written_limit_is_told_of() {
        let name = format!("lastgasp-limits-{}", std::process::id());
        match OwnCgroup::create(&Mounts::detect(), &name, Some(256 << 20)) {
            Ok(group) => {
                let file = group.cgroup.limit_file();
                let both = group.cgroup.memory.join("memory.memsw.limit_in_bytes");
                let _ = std::fs::write(both, (1u64 << 40).to_string());
                told_of_writes(&file, ["200000000", "150000000"], || assert!(group.remove()));
            }
            Err(e) => println!("SKIPPED: {e}"),
        }
    }

    /// A service that is started again under its group's name while its dead are still read: who is new there
    /// is told of what is written to the new group, and not to the one that is gone.
    #[test]
    fn a_group_made_anew_under_its_name_is_told_of() {
        let name = format!("lastgasp-anew-{}", std::process::id());
        let made = || OwnCgroup::create(&Mounts::detect(), &name, Some(256 << 20));
        let first = match made() {
            Ok(first) => first,
            Err(e) => return println!("SKIPPED: {e}"),
        };
        let (file, mut notices) = (first.cgroup.limit_file(), LimitNotices::new());
        notices.follow(1, std::iter::once(&file));
        assert!(first.remove());
        let second = made().unwrap();
        notices.follow(2, std::iter::once(&file));
        assert!(notices.tell_of(2));
        heard(&mut notices, 20);
        std::fs::write(&file, "200000000").unwrap();
        assert_eq!(heard(&mut notices, 2000), [1, 2]);
        assert!(second.remove());
    }

    /// Version 2's files are told of in the same manner, on one that exists without the memory controller.
    #[test]
    fn files_of_version_2_are_told_of() {
        let Some(unified) = Mounts::detect().unified else { return println!("SKIPPED: no cgroup v2") };
        let group = unified.join(format!("lastgasp-limits-{}", std::process::id()));
        if let Err(e) = std::fs::create_dir(&group) {
            return println!("SKIPPED: {e}");
        }
        told_of_writes(&group.join("cgroup.max.depth"), ["5", "6"], || assert!(remove_when_empty(&group)));
    }

    /// A watch that the kernel has taken back tells of nothing; other files are as before, and so is whoever
    /// has another one by now.
    #[test]
    fn what_is_gone_is_told_of_no_more() {
        let [gone, other] = [(); 2].map(|()| tempfile::NamedTempFile::new().unwrap());
        let mut notices = LimitNotices::new();
        for (pid, files) in [(1, [other.path(), gone.path()]), (2, [gone.path(), other.path()])] {
            notices.follow(pid, files.into_iter());
        }
        notices.follow(3, [other.path()].into_iter());
        assert!([1, 2, 3].iter().all(|pid| notices.tell_of(*pid)));
        gone.close().unwrap();
        heard(&mut notices, 2000);
        assert_eq!([1, 2, 3].map(|pid| notices.tell_of(pid)), [false, false, true]);
        notices.follow(1, [other.path()].into_iter());
        assert_eq!([1, 2, 3].map(|pid| notices.tell_of(pid)), [true, false, true]);
    }

    #[test]
    fn where_no_watch_can_be_had_nothing_is_promised() {
        let mut notices = LimitNotices::new();
        notices.follow(1, [PathBuf::from("/proc/self/none")].into_iter());
        assert!(!notices.tell_of(1));
        let mut none = LimitNotices { inotify: None, ..LimitNotices::new() };
        none.follow(1, [PathBuf::from("/proc/self/limits")].into_iter());
        assert!(!none.tell_of(1) && none.heard().is_empty() && none.fd().is_none());
        none.forget(1);
        assert!(none.files.is_empty());
        assert!(none.tell_of(2), "who has no group has no limit that could be written");
    }
}
