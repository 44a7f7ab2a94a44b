//! The kernel's word that a group of cgroup v1 has run out of memory, kept beyond the group. What such a
//! group has counted goes with it, no group above counts for it, and a group may be removed within a
//! millisecond of a kill: then an eventfd, which is ours, still has the word.
//!
//! The kernel writes to it once for each time that the group, or one above it, has run out (before it kills),
//! and once more as it forgets the group. So while the group is there any word is of memory; of a group that
//! is gone two words are, one alone may be either, and is waited for another: the kernel forgets a group some
//! ten milliseconds after its folder has gone (an RCU grace period). On version 2 groups above count, and
//! none of this is needed. Kernel: `Documentation/admin-guide/cgroup-v1/memory.rst` (10),
//! mm/memcontrol-v1.c (`mem_cgroup_oom_notify`, `memcg_event_remove`).

use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use lastgasp_observe::kernel::cgroup::Cgroup;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};

use crate::undo::cgroup_file::write;

/// A word that is older says nothing of an end now.
const A_MOMENT: Duration = Duration::from_secs(3);

/// How long the second word is waited for. Meanwhile nothing is lost: memory is held for seconds.
const MOST_WAIT: Duration = Duration::from_millis(100);

/// What the kernel has said of a group.
#[derive(Debug)]
pub(crate) struct OomNotice {
    words: EventFd,
    group: PathBuf,
    heard: Heard,
}

/// Words so far. Pure.
#[derive(Clone, Copy, Debug, Default)]
struct Heard {
    /// The last one while the group was there.
    while_there: Option<Instant>,
    /// Those since it is gone.
    since_gone: u64,
}

/// What they come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Says {
    RanOut,
    Nothing,
    /// The next word tells.
    NotYet,
}

impl Heard {
    fn hear(&mut self, words: u64, there: bool, at: Instant) {
        match (words, there) {
            (0, _) => {}
            (_, true) => self.while_there = Some(at),
            (_, false) => self.since_gone = self.since_gone.saturating_add(words),
        }
    }

    fn says(&self, at: Instant) -> Says {
        let fresh = |heard: &Instant| at.saturating_duration_since(*heard) < A_MOMENT;
        match (self.while_there.filter(fresh), self.since_gone) {
            (Some(_), _) | (_, 2..) => Says::RanOut,
            (None, 1) => Says::NotYet,
            (None, 0) => Says::Nothing,
        }
    }
}

impl OomNotice {
    /// Has the kernel tell of that group. `Ok(None)`: it is of version 2, which counts by itself. A write to
    /// the group's `cgroup.event_control`, that changes nothing of the group and is undone by dropping this,
    /// or by the kernel when we die.
    ///
    /// # Errors
    /// The group is gone, its files cannot be written, or no descriptor is left.
    pub(crate) fn of(group: &Cgroup) -> io::Result<Option<Self>> {
        if group.v2 {
            return Ok(None);
        }
        let words = EventFd::from_value_and_flags(0, EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
        // It need not stay open.
        let of = File::open(group.events_file())?;
        let order = format!("{} {}", words.as_fd().as_raw_fd(), of.as_raw_fd());
        write(&group.memory.join("cgroup.event_control"), &order)?;
        Ok(Some(Self { words, group: group.memory.clone(), heard: Heard::default() }))
    }

    /// Hears what was said.
    pub(crate) fn look(&mut self) {
        // In this order: what was said before the group was seen to be there was not of its removal, which is
        // told of only when its folder has gone.
        let words = self.words.read().unwrap_or(0);
        if words > 0 {
            self.heard.hear(words, self.group.is_dir(), Instant::now());
        }
    }

    /// Whether the group, or one above it, has run out of memory within the last moment; of one that is gone
    /// it may take a tenth of a second to know.
    pub(crate) fn ran_out(&mut self) -> bool {
        let until = Instant::now() + MOST_WAIT;
        loop {
            self.look();
            let left = until.saturating_duration_since(Instant::now());
            match self.heard.says(Instant::now()) {
                Says::RanOut => return true,
                Says::NotYet if !left.is_zero() => {
                    let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO);
                    let _ = poll(&mut [PollFd::new(self.words.as_fd(), PollFlags::POLLIN)], timeout);
                }
                Says::Nothing | Says::NotYet => return false,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use lastgasp_lab::build::{Mode, build, cache_dir, repo_root};
    use lastgasp_lab::toolchain;
    use lastgasp_observe::kernel::cgroup::Mounts;

    use super::*;
    use crate::act::own_cgroup::OwnCgroup;

    #[test]
    fn what_words_come_to() {
        let now = Instant::now();
        let says = |words: &[(u64, bool)], later: Duration| {
            let mut heard = Heard::default();
            words.iter().for_each(|(n, there)| heard.hear(*n, *there, now));
            heard.says(now + later)
        };
        const AT_ONCE: Duration = Duration::ZERO;
        assert_eq!(says(&[], AT_ONCE), Says::Nothing);
        assert_eq!(says(&[(0, true), (0, false)], AT_ONCE), Says::Nothing);
        assert_eq!(says(&[(1, true)], AT_ONCE), Says::RanOut);
        assert_eq!(says(&[(1, true)], A_MOMENT), Says::Nothing, "of another death");
        assert_eq!(says(&[(1, false)], AT_ONCE), Says::NotYet, "its removal, or what came before");
        assert_eq!(says(&[(1, false), (1, false)], AT_ONCE), Says::RanOut);
        assert_eq!(says(&[(2, false)], AT_ONCE), Says::RanOut);
        // The removal is told of after a word that is too old.
        assert_eq!(says(&[(1, true), (1, false)], A_MOMENT), Says::NotYet);
    }

    /// A group of cgroup v1 with a notice; `None`, loudly, where there is none.
    fn noticed(name: &str) -> Option<(OwnCgroup, OomNotice)> {
        let name = format!("lastgasp-oom-{name}-{}", std::process::id());
        let group = OwnCgroup::create(&Mounts::detect(), &name, Some(64 << 20)).map_err(|e| println!("SKIPPED: {e}"));
        let group = group.ok()?;
        match OomNotice::of(&group.cgroup).unwrap() {
            Some(notice) => Some((group, notice)),
            None => {
                println!("SKIPPED: cgroup v2");
                None
            }
        }
    }

    /// Real groups that are removed as soon as the kernel lets them be: after a kill for memory it is known
    /// whatever was heard before, after another kill it is not believed.
    #[test]
    fn a_group_that_is_gone_is_known_to_have_run_out() {
        let go = toolchain::any(&cache_dir()).unwrap();
        let dies = build(&go, Mode::Stripped, &repo_root().join("lab/programs/dies"), ".").unwrap();
        for round in 0..20 {
            let by_memory = round % 2 == 0;
            let Some((group, mut notice)) = noticed(&round.to_string()) else { return };
            let after = if by_memory { "50ms" } else { "10m" };
            let mut child =
                Command::new(&dies).args(["-rate", "0", "-after", after]).stderr(Stdio::null()).spawn().unwrap();
            write(&group.cgroup.memory.join("cgroup.procs"), &child.id().to_string()).unwrap();
            if !by_memory {
                std::thread::sleep(Duration::from_millis(50));
                child.kill().unwrap();
            }
            child.wait().unwrap();
            assert!(group.remove());
            // As a worker that comes at once, or late.
            std::thread::sleep(Duration::from_millis(round * 5));
            assert_eq!(notice.ran_out(), by_memory, "round {round}: {notice:?}");
        }
    }

    /// Nobody was killed: it was removed, now or long ago.
    #[test]
    fn a_group_that_is_removed_has_not_run_out() {
        for pause in [0, 5, 20, 200] {
            let Some((group, mut notice)) = noticed(&format!("removed-{pause}")) else { return };
            assert!(!notice.ran_out());
            assert!(group.remove());
            std::thread::sleep(Duration::from_millis(pause));
            assert!(!notice.ran_out(), "after {pause} ms: {notice:?}");
        }
    }
}
