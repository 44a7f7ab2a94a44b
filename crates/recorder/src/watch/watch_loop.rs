//! One process, watched closely by a thread of its own: sampled, armed, struck, and read after its death.
//! `run` watches its command so from the beginning to the end; the daemon does it with those in danger.

use std::time::{Duration, Instant};

use lastgasp_observe::raw_capture::{Phase, Reason};

use super::actor::{Actor, Woken};
use super::decisions::Look;
use super::observed::{Observed, Pace, Taking};
use super::stop_reason::{ExitReport, StopReason};
use crate::act::stop::STOP_TIMEOUT_OF_THE_ONLY_COPY;
use crate::decide::forecast::Point;
use crate::decide::policy::{Acts, BrakeAct, Hold, Measured, PinAct, Policy, State, after_exit};

/// How long a worker looks on before it takes a process for one that does not grow.
const SEEN_TO_BE_STEADY: Duration = Duration::from_secs(1);

/// A lowered limit is seen within this time where nobody tells of it.
const LIMITS_SEEN: Duration = Duration::from_secs(1);

/// Part of its limit from which on a kill that nobody counted is likely to be for memory.
const NEAR_ITS_LIMIT: f64 = 0.9;

/// What the loop decides by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules<'a> {
    pub(crate) policy: &'a Policy,
    pub(crate) measured: Measured,
}

/// Watches a target to its end, or until it has been calm for `until_calm`.
pub(super) fn watch_loop(
    target: &mut dyn Observed,
    rules: Rules<'_>,
    actor: &mut dyn Actor,
    until_calm: Option<Duration>,
) -> StopReason {
    // Whom we are called to is in danger until it is seen to be steady: to note a baseline first, which
    // takes milliseconds, and tens of them on a busy machine, was once too late for the only copy of 64
    // MB that were filled in 60 ms.
    let (came, mut pace) = (target.now(), Pace::Growing);
    let (mut calm_since, mut looked_around) = (came, came);
    let mut told = false;
    loop {
        let state = target.decisions().state();
        // A limit may be lowered at any time, and nobody but the daemon is told of it.
        let limits = match state {
            _ if told => Duration::ZERO,
            State::Watch => Duration::from_millis(250),
            _ => Duration::from_millis(100),
        };
        if target.refresh_limits(limits) && target.is_replaced() {
            target.note("exit", "became another program".into());
            target.release();
            return StopReason::Replaced;
        }
        let Some(sample) = target.sample(state) else { break };
        target.keep_up(pace, state);
        let point = Point { t_ms: sample.t_ms, bytes: sample.usage };
        let (limit, collects_at) = (target.limit().map(|l| l.bytes), target.collects_at());
        let look = Look { point, limit, pinned: target.is_held(), collects_at };
        let (memory, step) = target.decisions().decide(rules.policy, rules.measured, look);
        target.decisions().remember(memory);
        let steady = target.now() - came > SEEN_TO_BE_STEADY && step.time_to_oom().is_none_or(|t| t > 60.0);
        pace = if steady { Pace::Steady } else { Pace::Growing };
        act(target, step.acts, rules.measured, actor, step.time_to_oom());
        actor.seen(&sample, &target.decided(sample.usage, &step));
        let woken = actor.sleep(target.exit(), step.sleep.min(LIMITS_SEEN));
        told = woken == Woken::Told;
        match woken {
            Woken::Exited => break,
            Woken::CalledAway => return StopReason::CalledAway,
            Woken::Due | Woken::Told if target.exit().is_none() && !target.is_alive() => break,
            Woken::Due | Woken::Told => {}
        }
        let now = target.now();
        if target.decisions().state() > State::Watch {
            calm_since = now;
        } else if until_calm.is_some_and(|enough| now - calm_since > enough) {
            return StopReason::Calm;
        } else if now - looked_around > Duration::from_secs(1) {
            looked_around = now;
            if actor.looks_elsewhere(&sample, target.pid()) {
                return StopReason::CalledAway;
            }
        }
    }
    let died = target.now();
    let ended = after_death(target, died, rules, actor);
    target.release();
    StopReason::Ended(ended)
}

fn act(target: &mut dyn Observed, acts: Acts, measured: Measured, actor: &mut dyn Actor, time_to_oom: Option<f64>) {
    match acts.pin {
        Some(PinAct::Hold) => match target.hold() {
            Ok(()) => target.note("arm", "address space pinned".into()),
            Err(e) => actor.note(format!("not armed: {e}")),
        },
        Some(PinAct::Release) => {
            target.note("disarm", "address space released".into());
            target.release();
        }
        None => {}
    }
    if let Some(act) = acts.brake {
        let done = target.brake(actor, act);
        let text = match act {
            BrakeAct::Set => "tripwire set",
            BrakeAct::TakeBack => "tripwire taken back",
        };
        if act == BrakeAct::Set && !matches!(done, Ok(true)) {
            target.decisions().brake_failed();
        }
        match done {
            Ok(true) => target.note("brake", text.into()),
            Ok(false) => {}
            Err(e) => actor.note(format!("no brake: {e}")),
        }
    }
    if acts.strike {
        target.note("freeze", "memory is about to be used up: stopped and copied".into());
        let left = Duration::from_secs_f64(time_to_oom.unwrap_or(0.25).clamp(0.1, 5.0));
        // What is held can be counted on after a kill, or this is the only copy.
        let only_copy = !target.is_held() || !measured.pin_keeps;
        let taking = Taking {
            phase: Phase::PreKill,
            reason: Reason::Forecast,
            patience: only_copy.then_some(STOP_TIMEOUT_OF_THE_ONLY_COPY),
            until: target.now() + left,
        };
        if let Err(why) = target.take(actor, taking) {
            tracing::info!(pid = target.pid(), "struck in vain: {why}");
            target.note("freeze", why);
        }
    }
}

/// The process has ended, or is about to be reaped, since `died`: says how, and reads what the pin has kept.
/// Of one that was killed for memory and cannot be read what is known without that is kept.
pub(super) fn after_death(
    target: &mut dyn Observed,
    died: Instant,
    rules: Rules<'_>,
    actor: &mut dyn Actor,
) -> ExitReport {
    let (ended, read) = read_the_dead(target, died, rules, actor);
    let reason = if ended.oom { Reason::OomKill } else { Reason::Killed };
    // Who was killed out of the calm by somebody has not died of memory.
    if !read && (ended.oom || (ended.killed && target.is_held())) {
        let why = ended.unread.as_deref().unwrap_or("killed, and its memory was not held (pin.enabled)");
        target.leave_what_is_known(actor, reason, why);
    }
    ended
}

/// How it ended, and whether it was read.
fn read_the_dead(
    target: &mut dyn Observed,
    died: Instant,
    rules: Rules<'_>,
    actor: &mut dyn Actor,
) -> (ExitReport, bool) {
    let (status, exit) = target.end();
    let hold = after_exit(&exit, rules.policy.hold);
    // What its group would have said nobody can ask: inference, and said as that.
    let near_its_limit = target
        .limit()
        .filter(|l| l.of_group)
        .is_some_and(|l| target.decisions().last().is_some_and(|p| p.bytes as f64 >= l.bytes as f64 * NEAR_ITS_LIMIT));
    let (kind, text) = match hold {
        Hold::OomKill(_) => ("oom-kill", "killed by the kernel: out of memory"),
        Hold::MachineOomKill => ("oom-kill", "killed by the kernel: the whole machine was out of memory"),
        Hold::Kill(_) if exit.likely_memory && near_its_limit => (
            "kill",
            "killed, most likely for memory: it was near its limit, its group was removed before it could be asked, and the machine counted an OOM kill within the same 3 s",
        ),
        Hold::Kill(_) => ("kill", "killed"),
        Hold::Exit if status.is_none() => ("exit", "ended (not our child: how is not known)"),
        Hold::Exit => ("exit", "ended by itself"),
    };
    target.note(kind, text.into());
    if let Some(others) = std::num::NonZeroU64::new(exit.others_lost(&hold)) {
        let processes = if others.get() == 1 { "process" } else { "processes" };
        target.note(
            "neighbours-killed",
            format!("the kernel has killed {others} other {processes} of its group for memory while it was watched"),
        );
    }
    let oom = matches!(hold, Hold::OomKill(_) | Hold::MachineOomKill);
    let machine = matches!(hold, Hold::MachineOomKill);
    let mut ended = ExitReport { status, oom, machine, killed: hold != Hold::Exit, died: Some(died), unread: None };
    let until = match hold {
        Hold::OomKill(most) | Hold::Kill(most) => died + most,
        Hold::MachineOomKill => {
            target.release();
            ended.unread = Some("killed because the whole machine was out of memory: it was let go at once".into());
            return (ended, false);
        }
        Hold::Exit => return (ended, false),
    };
    if !target.is_held() || !target.is_readable() {
        ended.unread = match (target.is_held(), rules.policy.pin) {
            (true, _) => Some("killed, and its memory was gone at once".into()),
            (false, true) => Some("killed without the pin: nothing could be read afterwards".into()),
            (false, false) => None,
        };
        return (ended, false);
    }
    // Whose group ran out of memory had used all of it, whenever we looked last.
    let all = target.limit().filter(|l| oom && l.of_group).map(|l| l.bytes);
    let last = target.decisions().last().map(|p| p.bytes);
    target.last_sample(all.or(last));
    let reason = if oom { Reason::OomKill } else { Reason::Killed };
    ended.unread = target.take(actor, Taking { phase: Phase::PostKill, reason, patience: None, until }).err();
    let read = ended.unread.is_none();
    (ended, read)
}
