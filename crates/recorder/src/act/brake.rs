//! The brake: a limit of somebody else's group that we change for a few seconds, so that a target that eats
//! memory faster than we can look is slowed down by the kernel itself.
//!
//! v2: `memory.high` a little above what is used. Who allocates beyond it is put to sleep, the longer the
//! further (`Documentation/admin-guide/cgroup-v2.rst`). v1, only where asked for: `memory.oom_control` 1,
//! with which the group waits at its limit instead of being killed (`cgroup-v1/memory.rst`, 10).
//!
//! What we write is noted in the journal and told to the watchdog before; it is taken back when the [`Brake`]
//! is dropped, when its time is over, when we stall for half a second, when we die, and at the next start;
//! and only where the file still holds what we wrote: somebody may have set a limit of his own since.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use lastgasp_observe::kernel::cgroup::Cgroup;

use crate::guard::{Panicked, spawn_guarded};
use crate::undo::cgroup_file::write;
use crate::undo::cgroup_limit::{CgroupLimitChange, value};
use crate::undo::journal::Journal;
use crate::undo::watchdog::Watchdog;

/// A brake that is set. Dropping it takes it back.
#[derive(Debug)]
pub(crate) struct Brake {
    set_at: Instant,
    /// `None` when it is being taken back.
    set: Option<Set>,
}

#[derive(Debug)]
struct Set {
    change: CgroupLimitChange,
    watchdog: Arc<Watchdog>,
    /// The thread that writes it.
    writer: JoinHandle<Result<(), Panicked>>,
    _journal: Journal,
}

impl Set {
    fn take_back(self) {
        // What it writes after this would stay.
        let _ = self.writer.join();
        let file = &self.change.file;
        if self.change.undo() || value(file).is_none_or(|v| v != self.change.ours) {
            self.watchdog.after_brake(file);
        }
    }
}

/// What becomes of a limit that somebody else has set where the brake would stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OthersLimit {
    /// It stands, and there is no brake.
    Respected,
    /// The brake takes its place, as long as it stands.
    Overridden,
}

/// How far beyond what is used a brake stands.
const ABOVE: f64 = 1.02;
/// And not below this share of the limit: what is slowed down must be near its end.
const SHARE: f64 = 0.93;

/// Where the brake of a group with that limit stands, in whole pages; `None` where it would be beyond the
/// limit.
#[must_use]
pub(crate) fn height(usage: u64, limit: u64) -> Option<u64> {
    let high = ((usage as f64 * ABOVE).max(limit as f64 * SHARE) as u64) & !4095;
    (high < limit).then_some(high)
}

impl Brake {
    /// Sets `memory.high` of a v2 group for `most`. One that somebody else has set (Kubernetes' MemoryQoS) is
    /// refused, unless it is to be overridden.
    ///
    /// # Errors
    /// The group is gone, is of v1, has one already, or must not be written: nothing was changed then. Needs
    /// write access to the group.
    pub(crate) fn high(
        group: &Cgroup,
        limit: u64,
        most: Duration,
        others: OthersLimit,
        store: &Path,
        watchdog: &Arc<Watchdog>,
    ) -> io::Result<Self> {
        if !group.v2 {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "cgroup v1 has no memory.high"));
        }
        let file = group.memory.join("memory.high");
        let usage = group.usage().ok_or(io::ErrorKind::NotFound)?;
        let high = height(usage, limit).ok_or_else(|| io::Error::other("too near to the limit for a tripwire"))?;
        let saved = value(&file).ok_or(io::ErrorKind::NotFound)?;
        if saved != "max" && others == OthersLimit::Respected {
            return Err(io::Error::other(format!("{} is {saved} already: somebody else brakes here", file.display())));
        }
        if saved.parse::<u64>().is_ok_and(|s| s <= high) {
            return Err(io::Error::other("a lower one is set already"));
        }
        Self::set(CgroupLimitChange { file, ours: high.to_string(), saved }, most, store, watchdog)
    }

    /// Has a v1 group wait at its limit instead of being killed, for `most`.
    ///
    /// # Errors
    /// As [`Brake::high`].
    pub(crate) fn oom_kill_disable(
        group: &Cgroup,
        most: Duration,
        store: &Path,
        watchdog: &Arc<Watchdog>,
    ) -> io::Result<Self> {
        if group.v2 {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "cgroup v2 has no memory.oom_control"));
        }
        let file = group.memory.join("memory.oom_control");
        match value(&file).ok_or(io::ErrorKind::NotFound)?.as_str() {
            "0" => Self::set(CgroupLimitChange { file, ours: "1".into(), saved: "0".into() }, most, store, watchdog),
            _ => Err(io::Error::other("its OOM killer is off already: somebody else brakes here")),
        }
    }

    fn set(change: CgroupLimitChange, most: Duration, store: &Path, watchdog: &Arc<Watchdog>) -> io::Result<Self> {
        let journal = Journal::of_brake(store, &change)?;
        watchdog.before_brake(&change, most)?;
        // The write reclaims memory before it returns, for fifty milliseconds and more; the limit holds from
        // its beginning. So nobody waits for it.
        let (file, ours) = (change.file.clone(), change.ours.clone());
        let writer = spawn_guarded("tripwire", 64 << 10, move || drop(write(&file, &ours)))?;
        let set = Set { change, watchdog: Arc::clone(watchdog), writer, _journal: journal };
        Ok(Self { set_at: Instant::now(), set: Some(set) })
    }

    /// How long it has been set.
    #[must_use]
    pub(crate) fn age(&self) -> Duration {
        self.set_at.elapsed()
    }
}

impl Drop for Brake {
    fn drop(&mut self) {
        let Some(set) = self.set.take() else { return };
        if set.writer.is_finished() {
            return set.take_back();
        }
        // Should there be no thread to be had, the watchdog does it.
        let _ = spawn_guarded("tripwire", 64 << 10, move || set.take_back());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tripwire_stands_above_what_is_used_and_below_the_limit() {
        assert_eq!(height(500 << 20, 1000 << 20), Some(((930 << 20) as f64 * 1.0) as u64 & !4095));
        assert_eq!(height(950 << 20, 1000 << 20), Some(((969.0 * f64::from(1 << 20)) as u64) & !4095));
        assert_eq!(height(990 << 20, 1000 << 20), None);
    }
}
