//! One process, watched closely by a thread of its own: sampled, armed, struck, and read after its death.
//! `run` watches its command so from the beginning to the end; the daemon does it with those in danger.

use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lastgasp_observe::kernel::exit::{Risen, by_sigkill, how_it_ended};
use lastgasp_observe::kernel::machine::Machine;
use lastgasp_observe::raw_capture::{Phase, Reason};

use super::actor::{Actor, Woken};
use super::history::{TargetHistory, lock};
use super::target_watch::{ExitReport, StopReason, TargetWatch};
use crate::act::stop::STOP_TIMEOUT_OF_THE_ONLY_COPY;
use crate::decide::forecast::Point;
use crate::decide::policy::{Acts, Exit, Hold, Policy, State, after_exit};

/// How long a worker looks on before it takes a process for one that does not grow.
const SEEN_TO_BE_STEADY: Duration = Duration::from_secs(1);

impl TargetWatch {
    /// Watches it to its end, or until it has been calm for `until_calm`.
    pub(crate) fn watch_loop(
        &mut self,
        policy: &Policy,
        machine: &mut Machine,
        actor: &mut dyn Actor,
        until_calm: Option<Duration>,
    ) -> StopReason {
        let history = Arc::clone(&self.history);
        // Whom we are called to is in danger until it is seen to be steady: to note a baseline first, which
        // takes milliseconds, and tens of them on a busy machine, was once too late for the only copy of 64
        // MB that were filled in 60 ms.
        let (came, mut steady) = (Instant::now(), false);
        let mut calm_since = Instant::now();
        let mut looked_around = Instant::now();
        loop {
            let state = self.memory.state;
            let mut history = lock(&history);
            let old = self.limit_usage.age() > Duration::from_millis(if state == State::Watch { 1000 } else { 100 });
            if old || (self.limit_usage.is_of_group() && self.limit_usage.is_outdated(machine)) {
                machine.refresh(Duration::from_millis(100));
                self.refresh_limits(|| history.target.process.rss().unwrap_or(0), machine);
                if self.is_replaced() {
                    history.timeline.note("exit", "became another program");
                    self.pin = None;
                    return StopReason::Replaced;
                }
            }
            // The dead have no RSS: near the end it is noted at every look.
            if state == State::Armed || history.last_usage.is_none_or(|(_, t)| history.timeline.now_ms() >= t + 1000) {
                let now = history.timeline.now_ms();
                history.last_usage = history.target.process.usage().map(|u| (u, now)).or(history.last_usage);
            }
            history.is_now_in(&self.identity.cgroup);
            let Some(sample) = history.sample(&mut self.limit_usage) else { break };
            history.timeline.push(sample);
            history.keep_up(steady, state);
            let step = self.decide(policy, Point { t_ms: sample.t_ms, bytes: sample.usage });
            steady = came.elapsed() > SEEN_TO_BE_STEADY && step.time_to_oom().is_none_or(|t| t > 60.0);
            self.act(step.acts, policy.pin_keeps, &mut history, actor, step.time_to_oom());
            actor.seen(&sample, &step, self);
            drop(history);
            match actor.sleep(self.exit.as_ref().map(|e| e.as_fd()), step.sleep) {
                Woken::Exited => break,
                Woken::CalledAway => return StopReason::CalledAway,
                Woken::Due if self.exit.is_none() && lastgasp_inferior::start_time(self.pid).is_none() => break,
                Woken::Due => {}
            }
            if self.memory.state > State::Watch {
                calm_since = Instant::now();
            } else if until_calm.is_some_and(|enough| calm_since.elapsed() > enough) {
                return StopReason::Calm;
            } else if looked_around.elapsed() > Duration::from_secs(1) {
                looked_around = Instant::now();
                if actor.looks_elsewhere(&sample, self.pid) {
                    return StopReason::CalledAway;
                }
            }
        }
        let ended = self.after_death(policy, machine, actor);
        self.pin = None;
        StopReason::Ended(ended)
    }

    /// `pin_keeps`: whether what is held can be counted on after a kill.
    fn act(
        &mut self,
        acts: Acts,
        pin_keeps: bool,
        history: &mut TargetHistory,
        actor: &mut dyn Actor,
        time_to_oom: Option<f64>,
    ) {
        match acts.pin {
            Some(true) => match self.arm() {
                Ok(()) => history.timeline.note("arm", "address space pinned"),
                Err(e) => actor.note(format!("not armed: {e}")),
            },
            Some(false) => {
                history.timeline.note("disarm", "address space released");
                self.pin = None;
            }
            None => {}
        }
        if let Some(on) = acts.brake {
            let done = actor.brake(on, &self.limit_usage);
            if on && !matches!(done, Ok(true)) {
                self.memory.brake_failed();
            }
            match done {
                Ok(true) => history.timeline.note("brake", if on { "tripwire set" } else { "tripwire taken back" }),
                Ok(false) => {}
                Err(e) => actor.note(format!("no brake: {e}")),
            }
        }
        if acts.strike {
            history.timeline.note("freeze", "memory is about to be used up: stopped and copied");
            let patience = Duration::from_secs_f64(time_to_oom.unwrap_or(0.25).clamp(0.1, 5.0));
            let mut context = history.context(Phase::PreKill, Reason::Forecast, self.limit_usage.limit.clone());
            if self.pin.is_none() || !pin_keeps {
                context.patience = STOP_TIMEOUT_OF_THE_ONLY_COPY;
            }
            if let Err(why) = actor.take(&history.target, context, Instant::now() + patience) {
                tracing::info!(pid = self.pid, "struck in vain: {why}");
                history.timeline.note("freeze", why);
            }
        }
    }

    /// The process has ended, or is about to be reaped: say how, and read what the pin has kept.
    pub(crate) fn after_death(&mut self, policy: &Policy, machine: &mut Machine, actor: &mut dyn Actor) -> ExitReport {
        let died = Instant::now();
        // Before all else: its group may be removed in the next millisecond, and says nothing then.
        let at_once = self.counters.risen(machine);
        let status = how_it_ended(self.pid, self.exit.as_ref());
        let by_sigkill = status.as_ref().map(by_sigkill);
        let risen = if at_once.own_kills { at_once } else { self.risen(by_sigkill != Some(false), machine) };
        machine.refresh(Duration::ZERO);
        let exit = Exit {
            by_sigkill,
            own_kills: risen.own_kills,
            group_ooms: risen.group_ooms,
            machine_kills: risen.machine,
            machine_low_on_memory: machine.is_low_on_memory(),
        };
        let hold = after_exit(&exit, policy.hold);
        let mut history = lock(&self.history);
        history.is_now_in(&self.identity.cgroup);
        let (kind, text) = match hold {
            Hold::OomKill(_) => ("oom-kill", "killed by the kernel: out of memory"),
            Hold::MachineOomKill => ("oom-kill", "killed by the kernel: the whole machine was out of memory"),
            Hold::Kill(_) => ("kill", "killed"),
            Hold::Exit if status.is_none() => ("exit", "ended (not our child: how is not known)"),
            Hold::Exit => ("exit", "ended by itself"),
        };
        history.timeline.note(kind, text);
        let oom = matches!(hold, Hold::OomKill(_) | Hold::MachineOomKill);
        let mut ended = ExitReport { status, oom, killed: hold != Hold::Exit, unread: None };
        let until = match hold {
            Hold::OomKill(most) | Hold::Kill(most) => died + most,
            Hold::MachineOomKill => {
                self.pin = None;
                ended.unread = Some("killed because the whole machine was out of memory: it was let go at once".into());
                return ended;
            }
            Hold::Exit => return ended,
        };
        if self.pin.is_none() || !history.target.is_readable() {
            ended.unread = match (self.pin.is_some(), policy.pin) {
                (true, _) => Some("killed, and its memory was gone at once".into()),
                (false, true) => Some("killed without the pin: nothing could be read afterwards".into()),
                (false, false) => None,
            };
            return ended;
        }
        // Whose group ran out of memory had used all of it, whenever we looked last.
        let all = self.limit_usage.limit.as_ref().filter(|_| oom && self.limit_usage.is_of_group()).map(|l| l.0);
        history.last_sample(all.or(self.points.last().map(|p| p.bytes)));
        let reason = if oom { Reason::OomKill } else { Reason::Killed };
        let context = history.context(Phase::PostKill, reason, self.limit_usage.limit.clone());
        ended.unread = actor.take(&history.target, context, until).err();
        ended
    }

    /// Which OOM counters have risen. They are raised before the signal is sent, but a slow kernel is given a
    /// moment where it matters.
    fn risen(&self, matters: bool, machine: &Machine) -> Risen {
        let risen = self.counters.risen(machine);
        if risen.own_kills || !matters {
            return risen;
        }
        std::thread::sleep(Duration::from_millis(2));
        self.counters.risen(machine)
    }
}
