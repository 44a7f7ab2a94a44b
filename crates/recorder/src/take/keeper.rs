//! Memory beside the evidence, for whoever writes a capture while the watch goes on: where it can be read,
//! and until when.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use lastgasp_inferior::LiveProcess;
use lastgasp_observe::raw_capture::{DeadMemory, Held, MemoryMap, Phase, Source};

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

    /// Where memory can be read beside what was taken in that phase. Whoever holds the address space of the
    /// dead waits for `hold`, if it is given.
    pub(crate) fn source(&self, phase: Phase, hold: Option<&Hold>) -> Source {
        let (process, map) = (Arc::clone(&self.process), Arc::clone(&self.map));
        match hold.filter(|_| phase == Phase::PostKill) {
            Some(hold) => Source::dead(process, map, hold.until, hold.held()),
            None => Source::running(process, map),
        }
    }
}

/// A dead process that is held for others to read.
#[derive(Debug)]
pub(crate) struct Hold {
    holder: Sender<Infallible>,
    until: Instant,
}

impl Hold {
    /// Until that moment at most; gives what to wait for beside it.
    pub(crate) fn until(until: Instant) -> (Self, Release) {
        let (holder, dropped) = channel();
        (Self { holder, until }, Release { dropped, until })
    }

    /// For who reads its heap.
    pub(crate) fn dead(&self, process: &Arc<LiveProcess>) -> DeadMemory {
        DeadMemory { process: Arc::clone(process), until: self.until, held: self.held() }
    }

    fn held(&self) -> Held {
        Held(self.holder.clone())
    }
}

/// Waits until a dead process need not be held any longer.
#[derive(Debug)]
pub(crate) struct Release {
    dropped: Receiver<Infallible>,
    until: Instant,
}

impl Release {
    /// Until whoever reads its memory is done, or the time that was agreed is over, or there is a reason to
    /// let go before: that is asked for many times a second, and given back.
    pub(crate) fn wait(self, mut let_go: impl FnMut() -> Option<String>) -> Option<String> {
        const ASKED_EVERY: Duration = Duration::from_millis(20);
        loop {
            let left = self.until.saturating_duration_since(Instant::now());
            // Nothing is ever sent: it ends with the sender, or with the time.
            let waited = self.dropped.recv_timeout(left.min(ASKED_EVERY));
            if waited != Err(RecvTimeoutError::Timeout) || left.is_zero() {
                return None;
            }
            if let Some(why) = let_go() {
                return Some(why);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Held as long as its memory is read, by however many, and no longer than was agreed, or than does no
    /// harm.
    #[test]
    fn the_dead_are_held_until_they_are_read() {
        let process = Arc::new(LiveProcess::open(std::process::id() as i32).unwrap());
        let keeper = Keeper::open(&process).unwrap();
        let far = Instant::now() + Duration::from_secs(3600);
        let (hold, release) = Hold::until(far);
        let (source, dead) = (keeper.source(Phase::PostKill, Some(&hold)), hold.dead(&process));
        drop(hold);
        assert!(source.go_on());
        let readers = [std::thread::spawn(move || drop(source)), std::thread::spawn(move || drop(dead))];
        assert_eq!(release.wait(|| None), None);
        readers.into_iter().for_each(|r| r.join().unwrap());
        let (hold, release) = Hold::until(Instant::now());
        let source = keeper.source(Phase::PostKill, Some(&hold));
        assert_eq!(release.wait(|| None), None);
        assert!(!source.go_on());
        let (_hold, release) = Hold::until(far);
        assert_eq!(release.wait(|| Some("others came".into())), Some("others came".into()));
        assert!(keeper.source(Phase::PreKill, None).go_on(), "who runs is not held");
    }
}
