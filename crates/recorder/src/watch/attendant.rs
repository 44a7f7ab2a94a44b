//! An attendant: a thread that watches one process in danger closely, strikes, and reads what a kill has left of it.

use std::os::fd::{AsFd as _, BorrowedFd};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use lastgasp_goruntime::Gauges;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::EventFd;

use super::gate::{Budget, Gate, Share};
use super::status::Counters;
use super::vitals::Vitals;
use crate::attend::{Hands, Ward, Woken};
use crate::policy::Step;
use crate::sampler::Sample;
use crate::stop::Stopper;
use crate::take::{Circumstances, Extent, Phase, Taken, take};
use crate::target::Target;

/// Evidence on its way to be written.
#[derive(Debug)]
pub struct Captured {
    /// The evidence.
    pub taken: Taken,
    /// When the copy began.
    pub began: Instant,
    /// Its part of the memory for evidence in flight; to be dropped when the evidence has been decoded.
    pub share: Share,
}

/// What all attendants have in common.
#[derive(Debug)]
pub(crate) struct Common {
    pub(crate) gate: Arc<Gate>,
    pub(crate) budget: Arc<Budget>,
    pub(crate) captured: Sender<Captured>,
    pub(crate) counters: Arc<Mutex<Counters>>,
}

/// The hands of one attendant.
pub(crate) struct Attendant {
    pub(crate) common: Arc<Common>,
    pub(crate) vitals: Arc<Mutex<Vitals>>,
    /// Rung when it is wanted elsewhere.
    pub(crate) bell: Arc<EventFd>,
    pub(crate) stopper: Stopper,
    /// When the process was last looked at: what a strike answers to has happened since.
    pub(crate) looked: Instant,
    pub(crate) notes: Vec<String>,
}

impl Hands for Attendant {
    fn sleep(&mut self, exit: Option<BorrowedFd<'_>>, at_most: Duration) -> Woken {
        let timeout = PollTimeout::try_from(at_most).unwrap_or(PollTimeout::ZERO);
        let ready = |fd: &PollFd<'_>| fd.revents().is_some_and(|r| r.intersects(PollFlags::POLLIN));
        let mut fds = vec![PollFd::new(self.bell.as_fd(), PollFlags::POLLIN)];
        fds.extend(exit.map(|e| PollFd::new(e, PollFlags::POLLIN)));
        let before = Instant::now();
        let _ = poll(&mut fds, timeout);
        match (fds.get(1).is_some_and(ready), fds.first().is_some_and(ready)) {
            (true, _) => {
                // Known at once: it cannot have died before this sleep.
                self.looked = self.looked.max(before);
                Woken::Exited
            }
            (_, true) => Woken::CalledAway,
            _ => Woken::Due,
        }
    }

    fn take(&mut self, target: &Target, around: Circumstances<'_>, until: Instant) -> Result<(), String> {
        let count = |change: &dyn Fn(&mut Counters)| {
            change(&mut self.common.counters.lock().unwrap_or_else(PoisonError::into_inner));
        };
        let Some(place) = self.common.gate.enter(until) else {
            count(&|c| c.captures_dropped += 1);
            return Err("others were nearer to their end, and then there was no time left".into());
        };
        let phase = around.phase;
        let (share, extent) = match self.common.budget.reserve(target.room(Extent::Whole)) {
            Some(share) => (share, Extent::Whole),
            // Too much waits to be written: the profile alone, which names the culprit, and where there is no room even for that, nothing.
            None => match self.common.budget.reserve(target.room(Extent::Profile)) {
                Some(share) => (share, Extent::Profile),
                None => {
                    count(&|c| c.captures_dropped += 1);
                    return Err("too much evidence waits to be written (limits.memory)".into());
                }
            },
        };
        let mut share = share;
        let began = Instant::now();
        let stopper = (phase == Phase::PreKill).then_some(&mut self.stopper);
        let taken = take(target, stopper, Circumstances { extent, ..around });
        drop(place);
        share.settle(taken.evidence.snapshot.len() as u64);
        let detected = began.duration_since(self.looked);
        let stopped = taken.stopped;
        count(&|c| {
            c.detect_seconds.add(detected);
            if phase == Phase::PreKill {
                c.strikes += 1;
                c.freeze_seconds.add(stopped);
            }
        });
        // Killed between the decision and the copy: without the runtime's own numbers there is nothing to say.
        if Gauges::read(&taken.runtime, &taken.evidence.snapshot).is_err() {
            return Err(match phase {
                Phase::PreKill => "too late: it was dead before it was copied".into(),
                _ => "its memory was gone before it was copied".into(),
            });
        }
        Vitals::of(&self.vitals, |v| v.0.captures += 1);
        let _ = self.common.captured.send(Captured { taken, began, share });
        Ok(())
    }

    fn seen(&mut self, sample: &Sample, step: &Step, ward: &Ward) {
        self.looked = Instant::now();
        Vitals::of(&self.vitals, |v| {
            v.sampled(sample);
            v.decided(sample.usage, step, ward);
        });
    }

    fn note(&mut self, note: String) {
        if !self.notes.contains(&note) {
            tracing::warn!("{note}");
            Vitals::of(&self.vitals, |v| v.0.problem = Some(note.clone()));
            self.notes.push(note);
        }
    }
}
