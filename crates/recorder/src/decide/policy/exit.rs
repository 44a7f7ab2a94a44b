//! After a process has ended: what it was, and how long its memory is held. Pure.

use std::time::Duration;

/// What is known of the end of a process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Exit {
    /// Whether a SIGKILL ended it; `None` where that is not to be known.
    pub(crate) by_sigkill: Option<bool>,
    /// Whether its group has counted an OOM kill lately.
    pub(crate) own_kills: bool,
    /// Processes of its group that the kernel has killed for memory while it was watched, itself among them.
    pub(crate) group_lost: u64,
    /// Whether a group at or above its own has run out of memory by itself since; cgroup v1 does not say.
    pub(crate) group_ooms: bool,
    /// Whether the machine has counted an OOM kill since, of whomever.
    pub(crate) machine_kills: bool,
    /// Whether its group is gone without having said anything, while the machine counted an OOM kill within a
    /// moment (cgroup v1, where no group above counts for it).
    pub(crate) likely_memory: bool,
    /// Whether the machine has hardly anything left.
    pub(crate) machine_low_on_memory: bool,
}

/// What it was, and what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hold {
    /// Its group ran out of memory: the kernel takes the memory away itself after two seconds, so it may be
    /// held until shortly before that.
    OomKill(Duration),
    /// The whole machine ran out of memory: gigabytes that are held would hurt everybody, so they are let go
    /// at once.
    MachineOomKill,
    /// Killed by somebody. Nobody takes the memory away while it is held, so that is not for long.
    Kill(Duration),
    /// It ended by itself.
    Exit,
}

impl Exit {
    /// Processes of its group that the kernel has killed for memory beside it.
    pub(crate) fn others_lost(&self, hold: &Hold) -> u64 {
        let itself = self.own_kills && matches!(hold, Hold::OomKill(_) | Hold::MachineOomKill);
        self.group_lost.saturating_sub(u64::from(itself))
    }
}

/// Longest hold after a kill that was no OOM kill.
const AFTER_A_KILL: Duration = Duration::from_secs(1);

/// Decides; `most` is the longest hold that is allowed.
#[must_use]
pub(crate) fn after_exit(exit: &Exit, most: Duration) -> Hold {
    match exit.by_sigkill {
        Some(false) => return Hold::Exit,
        Some(true) if !exit.own_kills => {
            // A group that was removed already cannot say; the machine counts every one.
            return if exit.machine_kills && exit.machine_low_on_memory {
                Hold::MachineOomKill
            } else {
                Hold::Kill(most.min(AFTER_A_KILL))
            };
        }
        None if !exit.own_kills => return Hold::Exit,
        _ => {}
    }
    if exit.machine_low_on_memory && !exit.group_ooms { Hold::MachineOomKill } else { Hold::OomKill(most) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX_HOLD: Duration = Duration::from_millis(1800);

    #[test]
    fn others_that_the_kernel_killed_are_counted() {
        let exit = Exit { own_kills: true, group_lost: 3, ..Exit::default() };
        assert_eq!(exit.others_lost(&Hold::OomKill(MAX_HOLD)), 2);
        assert_eq!(exit.others_lost(&Hold::Kill(MAX_HOLD)), 3, "none of them was this one");
        assert_eq!(Exit::default().others_lost(&Hold::Exit), 0);
    }

    #[test]
    fn what_an_end_was() {
        let killed = Exit { by_sigkill: Some(true), ..Exit::default() };
        let oom = Exit { own_kills: true, machine_kills: true, ..killed };
        assert_eq!(after_exit(&Exit { by_sigkill: Some(false), ..oom }, MAX_HOLD), Hold::Exit);
        assert_eq!(after_exit(&Exit::default(), MAX_HOLD), Hold::Exit);
        assert_eq!(after_exit(&killed, MAX_HOLD), Hold::Kill(AFTER_A_KILL));
        assert_eq!(after_exit(&oom, MAX_HOLD), Hold::OomKill(MAX_HOLD));
        assert_eq!(after_exit(&Exit { by_sigkill: None, ..oom }, MAX_HOLD), Hold::OomKill(MAX_HOLD));
        // The machine is short because of this very group, whose own limit it was: v2 says so.
        let short = Exit { machine_low_on_memory: true, ..oom };
        assert_eq!(after_exit(&Exit { group_ooms: true, ..short }, MAX_HOLD), Hold::OomKill(MAX_HOLD));
        assert_eq!(after_exit(&short, MAX_HOLD), Hold::MachineOomKill);
        assert_eq!(after_exit(&Exit { own_kills: false, ..short }, MAX_HOLD), Hold::MachineOomKill);
    }
}
