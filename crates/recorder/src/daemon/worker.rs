//! A worker: a thread that watches one process in danger closely, strikes, and reads what a kill has left of
//! it.

use std::os::fd::{AsFd as _, BorrowedFd};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use lastgasp_goruntime::{Extent, Gap};
use lastgasp_observe::kernel::limit::LimitUsage;
use lastgasp_observe::kernel::machine::Machine;
use lastgasp_observe::raw_capture::{Phase, RawCapture, Reason};
use lastgasp_observe::target::Target;
use lastgasp_observe::target::baselines::BaselineHistory;
use lastgasp_observe::target::timeline::Sample;
use nix::sys::eventfd::EventFd;

use super::assignment::LEAVE;
use super::gate::{Place, Share};
use super::settings::{BrakeRules, Settings};
use super::shared::{Captured, Common};
use super::status::count;
use super::target_status::TargetStatus;
use crate::act::brake::{Brake, OthersLimit};
use crate::act::stop::Stopper;
use crate::decide::graph_turn::GraphRules;
use crate::decide::policy::BrakeAct;
use crate::take::dead_heap::{Surroundings, turn_for};
use crate::take::keeper::Hold;
use crate::take::leak_look::{LETTING_GO, LeakLook, LeakRules};
use crate::take::{CaptureContext, take_and};
use crate::watch::actor::{Actor, Sleeper, Woken};
use crate::watch::decisions::Decided;
use crate::watch::default_actor::{self, Notes, take_in_time};
use crate::watch::stop_reason::StopReason;
use crate::watch::target_watch::TargetWatch;
use crate::watch::watch_loop::Rules;

/// A worker stays until it has been calm for so long.
const CALM_AGAIN: Duration = Duration::from_secs(15);

/// Attempts to stop a calm process for a look at its goroutines, and the pause between them.
const STOPS: usize = 4;
const BETWEEN_STOPS: Duration = Duration::from_millis(250);

/// What a worker is called for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// To watch a process in danger.
    Watch,
    /// To read what is left of one that has ended.
    ReadTheDead,
    /// To take a capture of a calm one whose goroutines seem to leak.
    LookForALeak,
}

/// Does a worker's task; gives why it is done.
pub(crate) fn watch_closely(
    watch: &mut TargetWatch,
    rules: Rules<'_>,
    actor: &mut dyn Actor,
    task: Task,
) -> StopReason {
    let mut machine = Machine::detect();
    match task {
        Task::Watch => watch.watch_loop(rules, &mut machine, actor, Some(CALM_AGAIN)),
        Task::ReadTheDead => {
            let ended = watch.after_death(rules, &mut machine, actor);
            watch.pin = None;
            StopReason::Ended(ended)
        }
        Task::LookForALeak => {
            watch.look_for_a_leak(&mut machine, actor);
            StopReason::Calm
        }
    }
}

/// The actor of one worker.
pub(crate) struct Worker {
    common: Arc<Common>,
    status: Arc<Mutex<TargetStatus>>,
    /// Written by a [`super::assignment::Call`].
    wakeup: Arc<EventFd>,
    brake: Option<Brake>,
    /// How long a brake may stand.
    brake_time: Duration,
    brake_rules: BrakeRules,
    graph: Option<GraphRules>,
    leaks: Option<LeakRules>,
    /// When the process was last looked at: what a strike answers to has happened since.
    looked: Instant,
    /// When it last woke: the look that decides begins then, and an end has been heard of.
    woken: Instant,
    notes: Notes,
}

impl Worker {
    /// A worker that begins now.
    pub(crate) fn new(
        common: Arc<Common>,
        status: Arc<Mutex<TargetStatus>>,
        wakeup: Arc<EventFd>,
        settings: &Settings,
    ) -> Self {
        Self {
            common,
            status,
            wakeup,
            brake: None,
            brake_time: settings.policy.brake,
            brake_rules: settings.brake,
            graph: settings.graph,
            leaks: settings.leaks.clone(),
            looked: Instant::now(),
            woken: Instant::now(),
            notes: Notes::default(),
        }
    }
}

impl Worker {
    /// Takes a capture of a calm process, whose heap is read in the same stop. Which is short: what is not
    /// read by then is read while it runs on.
    fn take_with_heap(
        &mut self,
        target: &Target,
        context: CaptureContext<'_>,
        mut share: Share,
        place: Place,
    ) -> Result<(), String> {
        let rules = self.leaks.clone().ok_or("it is not to be looked for leaks (leaks.enabled)")?;
        let watchdog = self.common.watchdog().ok_or("there is no watchdog to let it go")?;
        let mut reader = rules.readers.start(&target.process).map_err(|e| format!("no reader of its heap: {e}"))?;
        let stopper = Stopper::by_ptrace_within(&watchdog, rules.stop);
        let (mut whole, mut begun) = (false, Err("the process could not be stopped".to_owned()));
        let mut attempt = || {
            let again = CaptureContext { limit: context.limit.clone(), ..context };
            let began = Instant::now();
            let raw = take_and(target, Some(&stopper), again, &mut |raw| {
                begun = reader.begin(raw).map_err(|e| e.to_string());
                whole = begun.is_ok() && reader.has_read(began + rules.stop.saturating_sub(LETTING_GO));
                None
            });
            (began, raw, begun.is_ok())
        };
        let (mut began, mut raw, mut done) = attempt();
        // On a busy machine some thread may not stop in time, and then it runs on at once (seen at a load of
        // 20 on two processors: test `a_leak_that_grows_is_captured_once_and_told`).
        for _ in 1..STOPS {
            if done {
                break;
            }
            std::thread::sleep(BETWEEN_STOPS);
            (began, raw, done) = attempt();
        }
        drop(place);
        share.settle(raw.evidence.snapshot.len() as u64);
        count(&self.common.counters, |c| c.freeze_seconds.add(raw.stopped));
        begun?;
        let ms = rules.stop.as_millis();
        let moved = (!whole).then(|| format!("it ran on after {ms} ms (leaks.stop), before all was read"));
        let (answered, detected) = (began.duration_since(self.woken), began.duration_since(self.looked));
        let leak = Some(LeakLook { reader, moved });
        let _ = self.common.captured.send(Captured { raw, began, answered, detected, share, dead: None, leak });
        Ok(())
    }
}

impl Sleeper for Worker {
    fn sleep(&mut self, exit: Option<BorrowedFd<'_>>, at_most: Duration) -> Woken {
        let before = Instant::now();
        let ready = default_actor::sleep(exit, Some(self.wakeup.as_fd()), at_most);
        self.woken = Instant::now();
        match (ready.exited, ready.other) {
            (true, _) => {
                // Known at once: it cannot have died before this sleep.
                self.looked = self.looked.max(before);
                Woken::Exited
            }
            // Looked at at once if it was only the kernel's notice.
            (_, true) => match self.wakeup.read() {
                Ok(rung) if rung >= LEAVE => Woken::CalledAway,
                _ => Woken::Told,
            },
            _ => Woken::Due,
        }
    }
}

impl Actor for Worker {
    fn take(&mut self, target: &Target, context: CaptureContext<'_>, until: Instant) -> Result<(), String> {
        let common = Arc::clone(&self.common);
        let Some(place) = self.common.gate.enter(until) else {
            count(&common.counters, |c| c.captures_dropped += 1);
            return Err("others were nearer to their end, and then there was no time left".into());
        };
        let phase = context.phase;
        let (share, extent) = match self.common.budget.reserve(target.room(Extent::Whole)) {
            Some(share) => (share, Extent::Whole),
            // Too much waits to be written: the profile alone, which names the culprit, and where there is no
            // room even for that, nothing.
            None => match self.common.budget.reserve(target.room(Extent::Profile)) {
                Some(share) => (share, Extent::Profile),
                None => {
                    count(&common.counters, |c| c.captures_dropped += 1);
                    return Err("too much evidence waits to be written (limits.memory)".into());
                }
            },
        };
        if context.reason == Reason::Leak {
            return self.take_with_heap(target, CaptureContext { extent, ..context }, share, place);
        }
        let mut share = share;
        let began = Instant::now();
        let stopper = (phase == Phase::PreKill).then(|| Stopper::by_ptrace_with(self.common.watchdog()));
        let group = context.group.cloned();
        let (mut raw, worthless) = take_in_time(target, stopper.as_ref(), CaptureContext { extent, ..context });
        drop(place);
        share.settle(raw.evidence.snapshot.len() as u64);
        let (answered, detected) = (began.duration_since(self.woken), began.duration_since(self.looked));
        let stopped = raw.stopped;
        count(&common.counters, |c| {
            c.detect_seconds.add(detected);
            if phase == Phase::PreKill {
                c.strikes += 1;
                c.freeze_seconds.add(stopped);
            }
        });
        if let Some(why) = worthless {
            return Err(why);
        }
        TargetStatus::change(&self.status, |s| {
            s.captures += 1;
            s.last_capture_unix = SystemTime::UNIX_EPOCH.elapsed().ok().map(|since| since.as_secs());
            s.baselines = target.baselines.times().len() as u64;
        });
        if phase != Phase::PostKill {
            let _ =
                self.common.captured.send(Captured { raw, began, answered, detected, share, dead: None, leak: None });
            return Ok(());
        }
        let mut surroundings = Surroundings::of(target, group);
        let turn = turn_for(&mut raw, self.graph, &self.common.turns, &mut surroundings, until);
        let (hold, release) = Hold::until(until);
        let dead = turn.as_ref().map(|_| hold.dead(&target.process));
        drop(hold);
        let is_held = dead.is_some();
        let sent = self.common.captured.send(Captured { raw, began, answered, detected, share, dead, leak: None });
        let let_go = (sent.is_ok() && is_held).then(|| release.wait(|| surroundings.let_go())).flatten();
        if let Some(why) = let_go {
            tracing::info!(pid = target.process.pid(), "its memory was let go before its graph was made: {why}");
        }
        Ok(())
    }

    fn hand_on(&mut self, mut raw: RawCapture) {
        let began = Instant::now();
        let samples = size_of_val(raw.timeline.samples.as_slice()) as u64;
        let reserve = |bytes| self.common.budget.reserve(bytes);
        let share = reserve(samples + raw.baselines.bytes() as u64).or_else(|| {
            raw.baselines = BaselineHistory::default();
            raw.evidence.gaps.push(Gap::new("baselines", "too much evidence waits to be written (limits.memory)"));
            reserve(samples)
        });
        let Some(share) = share else { return };
        let (answered, detected) = (began.duration_since(self.woken), began.duration_since(self.looked));
        TargetStatus::change(&self.status, |s| {
            s.captures += 1;
            s.last_capture_unix = SystemTime::UNIX_EPOCH.elapsed().ok().map(|since| since.as_secs());
        });
        let _ = self.common.captured.send(Captured { raw, began, answered, detected, share, dead: None, leak: None });
    }

    fn brake(&mut self, act: BrakeAct, limit_usage: &LimitUsage) -> Result<bool, String> {
        if act == BrakeAct::TakeBack {
            let Some(brake) = self.brake.take() else { return Ok(false) };
            count(&self.common.counters, |c| c.brake_seconds_total += brake.age().as_secs_f64());
            return Ok(true);
        }
        let (Some(group), Some((limit, _))) = (limit_usage.limiting(), &limit_usage.limit) else {
            return Err("no group's limit is near".into());
        };
        let watchdog = self.common.watchdog().ok_or("there is no watchdog to take it back")?;
        let set = if group.v2 {
            let over_others = self.brake_rules.over_others;
            let others = if over_others { OthersLimit::Overridden } else { OthersLimit::Respected };
            Brake::high(group, *limit, self.brake_time, others, &self.common.store, &watchdog)
        } else if self.brake_rules.v1_oom_kill_disable {
            Brake::oom_kill_disable(group, self.brake_time, &self.common.store, &watchdog)
        } else {
            return Err("cgroup v1 has no memory.high, and brake.v1_oom_kill_disable is not set".into());
        };
        self.brake = Some(set.map_err(|e| e.to_string())?);
        count(&self.common.counters, |c| c.brakes += 1);
        Ok(true)
    }

    fn seen(&mut self, sample: &Sample, decided: &Decided<'_>) {
        self.looked = Instant::now();
        if self.brake.is_some()
            && let Some(watchdog) = self.common.watchdog()
        {
            watchdog.beat();
        }
        TargetStatus::change(&self.status, |s| {
            s.sampled(sample);
            s.decided(decided);
        });
    }

    /// Whoever has something else for it writes to its wakeup.
    fn looks_elsewhere(&mut self, _sample: &Sample, _pid: i32) -> bool {
        false
    }

    fn note(&mut self, note: String) {
        if self.notes.add(&note) {
            tracing::warn!("{note}");
            TargetStatus::change(&self.status, |s| s.problem = Some(note));
        }
    }
}
