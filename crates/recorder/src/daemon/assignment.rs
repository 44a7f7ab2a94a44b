//! Who watches a process, and how it changes hands: the supervisor keeps the watch while all is calm, a
//! worker has it in danger, and gives it back or loses it with a panic. A worker is called by its wakeup, and
//! called away when nobody is left to take the watch back from it.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::eventfd::{EfdFlags, EventFd};

use crate::guard::{Panicked, guarded, spawn_guarded};

/// What is written to a worker's wakeup: the kernel's notice that memory runs out, any number of them.
const LOOK: u64 = 1;
/// Or somebody who wants it back. More than all notices together can be.
pub(super) const LEAVE: u64 = 1 << 32;

/// Name of workers' threads.
const NAME: &str = "attend";
/// Stack of a worker, bytes.
const STACK: usize = 512 << 10;

/// Who has the watch `W` of a process.
#[derive(Debug)]
pub(crate) enum Assignment<W> {
    /// The supervisor.
    Supervisor(W),
    /// A thread of its own.
    Worker(Call),
}

/// The way to a worker. Dropped, it calls the worker away: who does not know of it any more does not wait for
/// what it watches, and a supervisor that panics leaves nobody behind.
#[derive(Debug)]
pub(crate) struct Call(Arc<EventFd>);

impl Call {
    /// Has it look at once.
    pub(crate) fn look(&self) {
        let _ = self.0.write(LOOK);
    }

    /// Wants its watch back.
    pub(crate) fn leave(&self) {
        let _ = self.0.write(LEAVE);
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.leave();
    }
}

/// Why a watch did not come to a worker.
#[derive(Debug)]
pub(crate) enum NoWorker {
    /// No descriptor for its wakeup: the watch stays where it is.
    Kept,
    /// No thread: the watch is gone with what it would have done.
    Lost(io::Error),
}

impl<W: Send + 'static> Assignment<W> {
    /// Hands the watch to a thread of its own, if the supervisor has it: that does `work` with it, and
    /// `done` is told what came of that; of a panic, that the watch is lost.
    pub(crate) fn hand_over<T>(
        &mut self,
        work: impl FnOnce(W, Arc<EventFd>) -> T + Send + 'static,
        done: impl FnOnce(Result<T, Panicked>) + Send + 'static,
    ) -> Result<(), NoWorker> {
        if matches!(self, Self::Worker(_)) {
            return Ok(());
        }
        let wakeup = EventFd::from_value_and_flags(0, EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK);
        let wakeup = wakeup.map(Arc::new).map_err(|_| NoWorker::Kept)?;
        let Self::Supervisor(watch) = std::mem::replace(self, Self::Worker(Call(Arc::clone(&wakeup)))) else {
            return Ok(());
        };
        let watch_it = move || done(guarded(NAME, || work(watch, wakeup)));
        spawn_guarded(NAME, STACK, watch_it).map(drop).map_err(NoWorker::Lost)
    }
}

/// A process whose worker panicked is found anew at once; if it happens again within this time, after a pause
/// that doubles, up to this time.
const PAUSES: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(60));

/// Processes whose workers panicked: when last, and how long was waited then.
#[derive(Debug, Default)]
pub(crate) struct Relapses(BTreeMap<i32, (Instant, Duration)>);

impl Relapses {
    /// How long to wait until a process is found anew whose worker has panicked: what panics at every look
    /// must not keep two processors and the log busy.
    pub(crate) fn pause(&mut self, pid: i32, now: Instant) -> Duration {
        self.0.retain(|_, (at, pause)| now.duration_since(*at) < *pause + PAUSES.1);
        let pause = match self.0.get(&pid) {
            None => Duration::ZERO,
            Some((_, last)) => (*last * 2).clamp(PAUSES.0, PAUSES.1),
        };
        self.0.insert(pid, (now, pause));
        pause
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    /// The worker's side of its wakeup: waits, and gives what was written.
    fn wait(wakeup: &EventFd) -> u64 {
        loop {
            match wakeup.read() {
                Ok(n) => return n,
                Err(_) => std::thread::sleep(Duration::from_millis(1)),
            }
        }
    }

    #[test]
    fn a_watch_goes_to_one_worker_and_comes_back() {
        let (tell, told) = channel();
        let mut assignment = Assignment::Supervisor("watch");
        let work = |watch, wakeup: Arc<EventFd>| (watch, wait(&wakeup), wait(&wakeup));
        assignment.hand_over(work, move |back| tell.send(back).unwrap()).unwrap();
        let Assignment::Worker(call) = &assignment else { panic!("{assignment:?}") };
        call.look();
        std::thread::sleep(Duration::from_millis(20));
        call.leave();
        assignment.hand_over(|_, _| unreachable!("it has one"), |_: Result<(), _>| ()).unwrap();
        let (watch, first, second) = told.recv().unwrap().unwrap();
        assert!(watch == "watch" && first < LEAVE && first + second >= LEAVE);
    }

    /// What was held of the target is let go in the unwinding, and the supervisor is told.
    #[test]
    fn a_worker_that_panics_says_so_and_holds_nothing() {
        struct Held(std::sync::mpsc::Sender<&'static str>);
        impl Drop for Held {
            fn drop(&mut self) {
                let _ = self.0.send("let go");
            }
        }
        let (tell, told) = channel();
        let (dropped, drops) = channel();
        let mut assignment = Assignment::Supervisor(Held(dropped));
        let work = |watch: Held, _| assert!(watch.0.send("held").is_err(), "odd bytes");
        assignment.hand_over(work, move |back| tell.send(back).unwrap()).unwrap();
        assert_eq!(told.recv().unwrap().unwrap_err().to_string(), "attend panicked: odd bytes");
        assert_eq!(drops.iter().collect::<Vec<_>>(), ["held", "let go"]);
    }

    /// As when the supervisor itself panics, or ends with an error.
    #[test]
    fn a_worker_whose_supervisor_is_gone_is_called_away() {
        let (tell, told) = channel();
        let mut assignment = Assignment::Supervisor(());
        assignment.hand_over(|(), wakeup| wait(&wakeup), move |back| tell.send(back).unwrap()).unwrap();
        let ended = guarded("supervisor", move || {
            let _workers = [assignment];
            panic!("of a bug")
        });
        assert_eq!(ended.map(|()| "well").unwrap_err().message, "of a bug");
        assert!(told.recv_timeout(Duration::from_secs(10)).unwrap().unwrap() >= LEAVE);
    }

    #[test]
    fn who_panics_again_and_again_is_found_anew_ever_more_rarely() {
        let (mut relapses, mut now, began) = (Relapses::default(), Instant::now(), Instant::now());
        let mut pauses = Vec::new();
        for _ in 0..12 {
            let pause = relapses.pause(1, now);
            pauses.push(pause);
            now += pause + Duration::from_millis(5);
        }
        assert!(pauses[0].is_zero() && pauses[1] == PAUSES.0 && pauses[11] == PAUSES.1 && pauses.is_sorted());
        assert!(relapses.pause(2, began).is_zero(), "another process");
        assert!(relapses.pause(1, now + 3 * PAUSES.1).is_zero(), "it was well for long");
    }
}
