//! Memory beside the evidence, for whoever writes a capture while the watch goes on: where it can be read,
//! and until when.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use lastgasp_inferior::LiveProcess;
use lastgasp_observe::raw_capture::{Held, MemoryMap, Phase, Source};

/// What must be opened of a process while it lives, so that its memory can be kept when it is dead.
#[derive(Debug)]
pub(crate) struct Keeper {
    process: Arc<LiveProcess>,
    map: Arc<MemoryMap>,
}

impl Keeper {
    /// That of a process; `None` if it has ended.
    pub(crate) fn open(process: &Arc<LiveProcess>) -> Option<Self> {
        let map = MemoryMap::open(process).ok()?;
        Some(Self { process: Arc::clone(process), map: Arc::new(map) })
    }

    /// Where memory can be read beside what was taken in that phase; of the dead, with what says that it was
    /// read. Whoever holds the address space waits for that, until the given moment at most.
    pub(crate) fn source(&self, phase: Phase, until: Instant) -> (Source, Option<Release>) {
        let (process, map) = (Arc::clone(&self.process), Arc::clone(&self.map));
        if phase != Phase::PostKill {
            return (Source::running(process, map), None);
        }
        let (held, dropped) = channel();
        (Source::dead(process, map, until, Held(held)), Some(Release { dropped, until }))
    }
}

/// Waits until a dead process need not be held any longer.
#[derive(Debug)]
pub(crate) struct Release {
    dropped: Receiver<Infallible>,
    until: Instant,
}

impl Release {
    /// Until whoever reads its memory is done, or the time that was agreed is over.
    pub(crate) fn wait(self) {
        // Nothing is ever sent: it ends with the sender, or with the time.
        let _ = self.dropped.recv_timeout(self.until.saturating_duration_since(Instant::now()));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Held as long as its memory is read, and no longer than was agreed.
    #[test]
    fn the_dead_are_held_until_they_are_read() {
        let process = Arc::new(LiveProcess::open(std::process::id() as i32).unwrap());
        let keeper = Keeper::open(&process).unwrap();
        let far = Instant::now() + Duration::from_secs(3600);
        assert!(keeper.source(Phase::PreKill, far).1.is_none(), "who runs is not held");
        let (source, release) = keeper.source(Phase::PostKill, far);
        assert!(source.go_on());
        let reader = std::thread::spawn(move || drop(source));
        release.unwrap().wait();
        reader.join().unwrap();
        let (source, release) = keeper.source(Phase::PostKill, Instant::now());
        release.unwrap().wait();
        assert!(!source.go_on());
    }
}
