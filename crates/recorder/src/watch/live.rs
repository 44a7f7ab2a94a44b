//! A live target, as the watch loop sees it.

use std::os::fd::{AsFd as _, BorrowedFd};
use std::sync::{Arc, MutexGuard};
use std::time::{Duration, Instant};

use lastgasp_observe::kernel::exit::{Risen, by_sigkill, how_it_ended};
use lastgasp_observe::kernel::machine::Machine;
use lastgasp_observe::target::timeline::Sample;
use nix::sys::wait::WaitStatus;

use super::actor::Actor;
use super::decisions::{Decided, Decisions};
use super::history::{TargetHistory, lock};
use super::observed::{Limit, Observed, Pace, Taking};
use super::stop_reason::{ExitReport, StopReason};
use super::target_watch::TargetWatch;
use super::watch_loop::{Rules, after_death, watch_loop};
use crate::decide::policy::{BrakeAct, Exit, State, Step};

/// A watch, with the history that it has for itself as long as it goes on.
struct Live<'a> {
    watch: &'a mut TargetWatch,
    history: MutexGuard<'a, TargetHistory>,
    machine: &'a mut Machine,
    /// Which OOM counters had risen when its end was heard of, if that was before all this.
    at_once: Option<Risen>,
}

impl TargetWatch {
    /// Watches it to its end, or until it has been calm for `until_calm`.
    pub(crate) fn watch_loop(
        &mut self,
        rules: Rules<'_>,
        machine: &mut Machine,
        actor: &mut dyn Actor,
        until_calm: Option<Duration>,
    ) -> StopReason {
        let history = Arc::clone(&self.history);
        watch_loop(&mut Live { watch: self, history: lock(&history), machine, at_once: None }, rules, actor, until_calm)
    }

    /// Reads what is left of one that has ended.
    pub(crate) fn after_death(&mut self, rules: Rules<'_>, machine: &mut Machine, actor: &mut dyn Actor) -> ExitReport {
        // Before all else, and before its history is waited for: its group may be removed in the next
        // millisecond, and says nothing then.
        let (died, at_once) = (Instant::now(), Some(self.counters.risen(machine)));
        let history = Arc::clone(&self.history);
        after_death(&mut Live { watch: self, history: lock(&history), machine, at_once }, died, rules, actor)
    }
}

impl Live<'_> {
    /// Which OOM counters have risen. They are raised before the signal is sent, but a slow kernel is given a
    /// moment where it matters.
    fn risen(&self, by_sigkill: Option<bool>) -> Risen {
        let risen = self.watch.counters.risen(self.machine);
        if risen.own_kills || by_sigkill == Some(false) {
            return risen;
        }
        std::thread::sleep(Duration::from_millis(2));
        self.watch.counters.risen(self.machine)
    }
}

impl Observed for Live<'_> {
    fn pid(&self) -> i32 {
        self.watch.pid
    }

    fn now(&self) -> Instant {
        Instant::now()
    }

    fn decisions(&mut self) -> &mut Decisions {
        &mut self.watch.decisions
    }

    fn decided<'a>(&'a self, usage: u64, step: &'a Step) -> Decided<'a> {
        self.watch.decided(usage, step)
    }

    fn refresh_limits(&mut self, older_than: Duration) -> bool {
        let usage = &mut self.watch.limit_usage;
        if usage.age() <= older_than && !(usage.is_of_group() && usage.is_outdated(self.machine)) {
            return false;
        }
        self.machine.refresh(Duration::from_millis(100));
        let process = &self.history.target.process;
        self.watch.refresh_limits(|| process.rss().unwrap_or(0), self.machine);
        true
    }

    fn is_replaced(&self) -> bool {
        self.watch.is_replaced()
    }

    fn sample(&mut self, state: State) -> Option<Sample> {
        let history = &mut *self.history;
        // The dead have no RSS: near the end it is noted at every look.
        if state == State::Armed || history.last_usage.is_none_or(|(_, t)| history.timeline.now_ms() >= t + 1000) {
            let now = history.timeline.now_ms();
            history.last_usage = history.target.process.usage().map(|u| (u, now)).or(history.last_usage);
        }
        history.is_now_in(&self.watch.identity.cgroup);
        let sample = history.sample(&mut self.watch.limit_usage)?;
        history.timeline.push(sample);
        Some(sample)
    }

    fn keep_up(&mut self, pace: Pace, state: State) {
        self.history.keep_up(pace, state);
    }

    fn limit(&self) -> Option<Limit> {
        let usage = &self.watch.limit_usage;
        usage.limit.as_ref().map(|l| Limit { bytes: l.0, of_group: usage.is_of_group() })
    }

    fn exit(&self) -> Option<BorrowedFd<'_>> {
        self.watch.exit.as_ref().map(|e| e.as_fd())
    }

    fn is_alive(&self) -> bool {
        lastgasp_inferior::start_time(self.watch.pid).is_some()
    }

    fn end(&mut self) -> (Option<WaitStatus>, Exit) {
        // Before all else: its group may be removed in the next millisecond, and says nothing then.
        let at_once = self.at_once.unwrap_or_else(|| self.watch.counters.risen(self.machine));
        let status = how_it_ended(self.watch.pid, self.watch.exit.as_ref());
        let by_sigkill = status.as_ref().map(by_sigkill);
        let risen = if at_once.own_kills { at_once } else { self.risen(by_sigkill) };
        self.machine.refresh(Duration::ZERO);
        let exit = Exit {
            by_sigkill,
            own_kills: risen.own_kills,
            group_ooms: risen.group_ooms,
            machine_kills: risen.machine,
            machine_low_on_memory: self.machine.is_low_on_memory(),
        };
        self.history.is_now_in(&self.watch.identity.cgroup);
        (status, exit)
    }

    fn is_readable(&self) -> bool {
        self.history.target.is_readable()
    }

    fn last_sample(&mut self, usage: Option<u64>) {
        self.history.last_sample(usage);
    }

    fn note(&mut self, kind: &'static str, text: String) {
        self.history.timeline.note(kind, text);
    }

    fn hold(&mut self) -> Result<(), String> {
        self.watch.arm()
    }

    fn release(&mut self) {
        self.watch.pin = None;
    }

    fn is_held(&self) -> bool {
        self.watch.pin.is_some()
    }

    fn take(&mut self, actor: &mut dyn Actor, taking: Taking) -> Result<(), String> {
        let mut context = self.history.context(taking.phase, taking.reason, self.watch.limit_usage.limit.clone());
        context.patience = taking.patience.unwrap_or(context.patience);
        actor.take(&self.history.target, context, taking.until)
    }

    fn brake(&mut self, actor: &mut dyn Actor, act: BrakeAct) -> Result<bool, String> {
        actor.brake(act, &self.watch.limit_usage)
    }
}
