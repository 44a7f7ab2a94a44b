//! An attendant: a thread that watches one process in danger closely, strikes, and reads what a kill has left of it.

use std::os::fd::{AsFd as _, BorrowedFd};
use std::path::PathBuf;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use lastgasp_goruntime::MemStats;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::EventFd;

use super::gate::{Budget, Gate, Share};
use super::settings::Settings;
use super::status::{Counters, count};
use super::vitals::Vitals;
use crate::attend::{Hands, Ward, Woken};
use crate::cgroup::Mounts;
use crate::gauge::Gauge;
use crate::policy::Step;
use crate::sampler::Sample;
use crate::stop::Stopper;
use crate::take::{Circumstances, Extent, Phase, Taken, take};
use crate::target::Target;
use crate::tripwire::Tripwire;
use crate::watchdog::Watchdog;

/// What rings an attendant's bell: the kernel's notice that memory runs out, any number of them.
pub(super) const LOOK: u64 = 1;
/// Or somebody who wants it back. More than all notices together can be.
pub(super) const LEAVE: u64 = 1 << 32;

/// Evidence on its way to be written.
#[derive(Debug)]
pub struct Captured {
    /// The evidence.
    pub taken: Taken,
    /// When the copy began.
    pub began: Instant,
    /// How long before that it was found out: from the begin of the look that decided, or from when its end was heard of.
    pub answered: Duration,
    /// How long before that the crossing can have been at most: from the last look that did not show it.
    pub detected: Duration,
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
    /// Where the journal stands.
    pub(crate) store: PathBuf,
    watchdog: Mutex<Option<Arc<Watchdog>>>,
}

impl Common {
    pub(crate) fn new(settings: &Settings, captured: Sender<Captured>, counters: Arc<Mutex<Counters>>) -> Self {
        Self {
            gate: Gate::new(settings.concurrent_stops),
            budget: Budget::new(settings.memory),
            captured,
            counters,
            store: settings.store.clone(),
            watchdog: Mutex::new(Watchdog::start(&[]).ok().map(Arc::new)),
        }
    }

    /// The watchdog; started again if somebody has killed it. `None` where that fails: then nothing is done that it would have to undo.
    pub(crate) fn watchdog(&self) -> Option<Arc<Watchdog>> {
        let mut watchdog = self.watchdog.lock().unwrap_or_else(PoisonError::into_inner);
        if !watchdog.as_ref().is_some_and(|w| w.is_alive()) {
            *watchdog = Watchdog::start(&[]).ok().map(Arc::new);
            count(&self.counters, |c| c.watchdog_restarts += 1);
            tracing::warn!("the watchdog had ended: started again");
        }
        watchdog.clone()
    }
}

impl Drop for Common {
    fn drop(&mut self) {
        if let Some(watchdog) = self.watchdog.get_mut().unwrap_or_else(PoisonError::into_inner).take() {
            watchdog.dismiss();
        }
    }
}

/// The hands of one attendant.
pub(crate) struct Attendant {
    pub(crate) common: Arc<Common>,
    pub(crate) vitals: Arc<Mutex<Vitals>>,
    /// Rung with [`LOOK`] or [`LEAVE`].
    pub(crate) bell: Arc<EventFd>,
    /// How to stop it; found out when it is first needed.
    pub(crate) stopper: Option<Stopper>,
    pub(crate) tripwire: Option<Tripwire>,
    /// How long a tripwire may stand.
    pub(crate) brake: Duration,
    pub(crate) brake_rules: BrakeRules,
    /// When the process was last looked at: what a strike answers to has happened since.
    pub(crate) looked: Instant,
    /// When it last woke: the look that decides begins then, and an end has been heard of.
    pub(crate) woken: Instant,
    pub(crate) notes: Vec<String>,
}

/// What braking may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BrakeRules {
    /// Also where somebody else has set a `memory.high` (Kubernetes' MemoryQoS).
    pub over_others: bool,
    /// On cgroup v1, where there is no `memory.high`: have the group wait at its limit instead of being killed.
    pub v1_oom_kill_disable: bool,
}

impl Attendant {
    /// How to stop it now: a watchdog that was started again is another one.
    fn stopper(&mut self, pid: i32) -> Stopper {
        let watchdog = self.common.watchdog();
        let stale = watchdog.is_none() || self.stopper.as_ref().is_none_or(|s| !s.is_watched_by(watchdog.as_ref()));
        if stale {
            self.stopper = Some(match &watchdog {
                Some(watchdog) => Stopper::of_guest(pid, &Mounts::detect(), &self.common.store, watchdog),
                None => Stopper::Ptrace(None),
            });
        }
        self.stopper.clone().unwrap_or(Stopper::Ptrace(None))
    }
}

impl Hands for Attendant {
    fn sleep(&mut self, exit: Option<BorrowedFd<'_>>, at_most: Duration) -> Woken {
        let timeout = PollTimeout::try_from(at_most).unwrap_or(PollTimeout::ZERO);
        let ready = |fd: &PollFd<'_>| fd.revents().is_some_and(|r| r.intersects(PollFlags::POLLIN));
        let mut fds = vec![PollFd::new(self.bell.as_fd(), PollFlags::POLLIN)];
        fds.extend(exit.map(|e| PollFd::new(e, PollFlags::POLLIN)));
        let before = Instant::now();
        let _ = poll(&mut fds, timeout);
        self.woken = Instant::now();
        match (fds.get(1).is_some_and(ready), fds.first().is_some_and(ready)) {
            (true, _) => {
                // Known at once: it cannot have died before this sleep.
                self.looked = self.looked.max(before);
                Woken::Exited
            }
            // Looked at at once if it was only the kernel's notice: as if its time had come.
            (_, true) if self.bell.read().is_ok_and(|rung| rung >= LEAVE) => Woken::CalledAway,
            _ => Woken::Due,
        }
    }

    fn take(&mut self, target: &Target, around: Circumstances<'_>, until: Instant) -> Result<(), String> {
        let common = Arc::clone(&self.common);
        let Some(place) = self.common.gate.enter(until) else {
            count(&common.counters, |c| c.captures_dropped += 1);
            return Err("others were nearer to their end, and then there was no time left".into());
        };
        let phase = around.phase;
        let (share, extent) = match self.common.budget.reserve(target.room(Extent::Whole)) {
            Some(share) => (share, Extent::Whole),
            // Too much waits to be written: the profile alone, which names the culprit, and where there is no room even for that, nothing.
            None => match self.common.budget.reserve(target.room(Extent::Profile)) {
                Some(share) => (share, Extent::Profile),
                None => {
                    count(&common.counters, |c| c.captures_dropped += 1);
                    return Err("too much evidence waits to be written (limits.memory)".into());
                }
            },
        };
        let mut share = share;
        let began = Instant::now();
        let stopper = (phase == Phase::PreKill).then(|| self.stopper(target.process.pid()));
        let taken = take(target, stopper.as_ref(), Circumstances { extent, ..around });
        drop(place);
        share.settle(taken.evidence.snapshot.len() as u64);
        let (answered, detected) = (began.duration_since(self.woken), began.duration_since(self.looked));
        let stopped = taken.stopped;
        count(&common.counters, |c| {
            c.detect_seconds.add(detected);
            if phase == Phase::PreKill {
                c.strikes += 1;
                c.freeze_seconds.add(stopped);
            }
        });
        // Killed between the decision and the copy: without the runtime's own numbers there is nothing to say.
        let dead = phase == Phase::PreKill && stopped.is_zero() && !target.process.is_alive();
        if dead || MemStats::read(&taken.runtime, &taken.evidence.snapshot).is_err() {
            return Err(match phase {
                Phase::PreKill => "too late: it was dead before it was copied".into(),
                _ => "its memory was gone before it was copied".into(),
            });
        }
        Vitals::of(&self.vitals, |v| v.0.captures += 1);
        let _ = self.common.captured.send(Captured { taken, began, answered, detected, share });
        Ok(())
    }

    fn brake(&mut self, on: bool, gauge: &Gauge) -> Result<bool, String> {
        if !on {
            let Some(tripwire) = self.tripwire.take() else { return Ok(false) };
            count(&self.common.counters, |c| c.brake_seconds_total += tripwire.age().as_secs_f64());
            return Ok(true);
        }
        let (Some(group), Some((limit, _))) = (gauge.limiting(), &gauge.limit) else {
            return Err("no group's limit is near".into());
        };
        let watchdog = self.common.watchdog().ok_or("there is no watchdog to take it back")?;
        let set = if group.v2 {
            let over_others = self.brake_rules.over_others;
            Tripwire::high(group, *limit, self.brake, over_others, &self.common.store, &watchdog)
        } else if self.brake_rules.v1_oom_kill_disable {
            Tripwire::oom_kill_disable(group, self.brake, &self.common.store, &watchdog)
        } else {
            return Err("cgroup v1 has no memory.high, and brake.v1_oom_kill_disable is not set".into());
        };
        self.tripwire = Some(set.map_err(|e| e.to_string())?);
        count(&self.common.counters, |c| c.tripwires += 1);
        Ok(true)
    }

    fn seen(&mut self, sample: &Sample, step: &Step, ward: &Ward) {
        self.looked = Instant::now();
        if self.tripwire.is_some()
            && let Some(watchdog) = self.common.watchdog()
        {
            watchdog.beat();
        }
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
