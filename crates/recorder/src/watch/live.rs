//! A live target, as the watch loop sees it.

use std::os::fd::{AsFd as _, BorrowedFd};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use lastgasp_observe::kernel::exit::{Risen, by_sigkill, how_it_ended};
use lastgasp_observe::kernel::machine::Machine;
use lastgasp_observe::raw_capture::{Phase, Reason};
use lastgasp_observe::target::timeline::{LAST_LOOK, Sample};
use nix::sys::wait::WaitStatus;

use super::actor::Actor;
use super::decisions::{Decided, Decisions};
use super::history::{TargetHistory, lock};
use super::observed::{Limit, Observed, Pace, Taking};
use super::oom_notice::OomNotice;
use super::stop_reason::{ExitReport, StopReason};
use super::target_watch::TargetWatch;
use super::watch_loop::{Rules, after_death, watch_loop};
use crate::act::stop::STOP_TIMEOUT_ON_DEMAND;
use crate::decide::collector::collects_at;
use crate::decide::policy::{BrakeAct, Exit, Mode, State, Step};
use crate::take::{CaptureContext, from_the_flight_ring};

/// A watch, with the history that it has for itself as long as it goes on.
struct Live<'a> {
    watch: &'a mut TargetWatch,
    history: MutexGuard<'a, TargetHistory>,
    machine: &'a mut Machine,
    /// How it ended, if that was asked before its history was had.
    end: Option<End>,
    /// The usage up to which growth is the collector's ordinary climb, at the last look.
    collects_at: Option<u64>,
}

impl<'a> Live<'a> {
    /// A watch, with its history as soon as that is to be had. Whoever samples it lightly has it for as long
    /// as he is answered, which on a busy machine is long and where its memory is silent a second: he is told
    /// to leave off. Until the end of this nobody is waited for.
    fn of(
        watch: &'a mut TargetWatch,
        history: &'a Mutex<TargetHistory>,
        machine: &'a mut Machine,
        end: Option<End>,
    ) -> Self {
        let mut history = match history.try_lock() {
            Ok(history) => history,
            Err(_) => {
                if let Some(foreign) = &watch.foreign {
                    foreign.hurry(true);
                }
                let mut history = lock(history);
                history.was_interrupted();
                history
            }
        };
        history.danger();
        Self { watch, history, machine, end, collects_at: None }
    }
}

impl Drop for Live<'_> {
    fn drop(&mut self) {
        self.history.calm();
        if let Some(foreign) = &self.watch.foreign {
            foreign.hurry(false);
        }
    }
}

/// Evidence that was taken so shortly before a death is of that death.
const IN_THIS_CRISIS: Duration = Duration::from_secs(60);

/// How a process ended.
type End = (Option<WaitStatus>, Exit);

impl TargetWatch {
    /// Watches it to its end, or until it has been calm for `until_calm`.
    pub(crate) fn watch_loop(
        &mut self,
        rules: Rules<'_>,
        machine: &mut Machine,
        actor: &mut dyn Actor,
        until_calm: Option<Duration>,
    ) -> StopReason {
        // Where a group's file may be written; nothing of it changes.
        if rules.policy.mode > Mode::Observe {
            self.listen_for_ooms();
        }
        let history = Arc::clone(&self.history);
        let reason = watch_loop(&mut Live::of(self, &history, machine, None), rules, actor, until_calm);
        // One descriptor fewer for the calm.
        self.oom_notice = None;
        reason
    }

    /// Reads what is left of one that has ended.
    pub(crate) fn after_death(&mut self, rules: Rules<'_>, machine: &mut Machine, actor: &mut dyn Actor) -> ExitReport {
        // Before its history is waited for, which whoever samples it lightly may have: its group may be
        // removed in the next millisecond, and itself be reaped, and nobody says how it ended then.
        let (died, end) = (Instant::now(), Some(self.end(machine)));
        self.limit_usage.read_last_words();
        let history = Arc::clone(&self.history);
        after_death(&mut Live::of(self, &history, machine, end), died, rules, actor)
    }

    /// Takes a capture of it, since its goroutines seem to leak; says in its log if there is none.
    pub(crate) fn look_for_a_leak(&mut self, machine: &mut Machine, actor: &mut dyn Actor) {
        /// Others may be nearer to their end, and this is no hurry.
        const AT_MOST: Duration = Duration::from_secs(2);
        let history = Arc::clone(&self.history);
        let mut live = Live::of(self, &history, machine, None);
        // What is told of its memory is of now.
        let _ = live.sample(State::Watch);
        let usage = &live.watch.limit_usage;
        let limit = (usage.limit.clone(), usage.limiting());
        let context = live.history.context(Phase::Manual, Reason::Leak, limit.0, limit.1);
        let context = CaptureContext { patience: STOP_TIMEOUT_ON_DEMAND, ..context };
        if let Err(why) = actor.take(&live.history.target, context, Instant::now() + AT_MOST) {
            tracing::info!(pid = live.watch.pid, "goroutines seem to leak, and it could not be looked at: {why}");
        }
    }

    /// How it ended, after it has.
    fn end(&mut self, machine: &mut Machine) -> End {
        // Before all else: its group may be removed in the next millisecond, and says nothing then.
        let at_once = self.counters.risen(machine);
        let status = how_it_ended(self.pid, self.exit.as_deref());
        let by_sigkill = status.as_ref().map(by_sigkill);
        let mut risen = if at_once.own_kills { at_once } else { self.risen(by_sigkill, machine) };
        // Its group is gone with what it counted. It had run out of memory, within the moment in which the
        // machine counted a kill: that was this one.
        let is_asked = !risen.own_kills && risen.machine_for_a_group_that_is_gone && by_sigkill != Some(false);
        risen.own_kills |= is_asked && self.oom_notice.as_mut().is_some_and(OomNotice::ran_out);
        tracing::debug!(pid = self.pid, ?status, ?risen, counters = ?self.counters, "has ended");
        machine.refresh(Duration::ZERO);
        let exit = Exit {
            by_sigkill,
            own_kills: risen.own_kills,
            group_lost: risen.own_total,
            group_ooms: risen.group_ooms,
            machine_kills: risen.machine,
            likely_memory: risen.machine_for_a_group_that_is_gone,
            machine_low_on_memory: machine.is_low_on_memory(),
        };
        (status, exit)
    }

    /// Which OOM counters have risen. They are raised before the signal is sent, but a slow kernel is given a
    /// moment where it matters.
    fn risen(&self, by_sigkill: Option<bool>, machine: &Machine) -> Risen {
        let risen = self.counters.risen(machine);
        if risen.own_kills || by_sigkill == Some(false) {
            return risen;
        }
        std::thread::sleep(Duration::from_millis(2));
        self.counters.risen(machine)
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
        self.watch.refresh_limits(|| process.rss().unwrap_or(0), self.machine, Duration::ZERO);
        self.watch.counters.look_at_machine(self.machine);
        true
    }

    fn is_replaced(&self) -> bool {
        self.watch.is_replaced()
    }

    fn sample(&mut self, state: State) -> Option<Sample> {
        // The kernel kills and counts, and only then does it die, which takes longer than a look.
        if state == State::Armed {
            self.watch.counters.look();
        }
        if let Some(notice) = &mut self.watch.oom_notice {
            notice.look();
        }
        let history = &mut *self.history;
        // The dead have no RSS: near the end it is noted at every look.
        let due =
            state == State::Armed || history.last_usage.is_none_or(|(_, t)| history.timeline.now_ms() >= t + 1000);
        let usage = due.then(|| history.target.process.usage()).flatten();
        history.is_now_in(&self.watch.identity.cgroup);
        let (sample, gauges) = history.sample(&mut self.watch.limit_usage)?;
        history.note_usage(usage, sample.t_ms, gauges);
        history.timeline.push(sample);
        self.collects_at = collects_at(sample.usage, &gauges);
        Some(sample)
    }

    fn collects_at(&self) -> Option<u64> {
        self.collects_at
    }

    fn keep_up(&mut self, pace: Pace, state: State) {
        self.history.keep_up(pace, state);
        if state == State::Armed {
            self.history.near_its_end(self.watch.limit_usage.limiting());
        }
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
        let end = self.end.take().unwrap_or_else(|| {
            let end = self.watch.end(self.machine);
            self.watch.limit_usage.read_last_words();
            end
        });
        self.history.is_now_in(&self.watch.identity.cgroup);
        end
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
        let usage = &self.watch.limit_usage;
        let mut context = self.history.context(taking.phase, taking.reason, usage.limit.clone(), usage.limiting());
        context.only_copy = taking.patience.is_some();
        context.patience = taking.patience.unwrap_or(context.patience);
        let now = context.timeline.now_ms();
        actor.take(&self.history.target, context, taking.until)?;
        self.history.taken_ms = Some(now);
        Ok(())
    }

    fn leave_what_is_known(&mut self, actor: &mut dyn Actor, reason: Reason, why: &str) {
        let now = self.history.timeline.now_ms();
        if self.history.taken_ms.is_some_and(|taken| now <= taken + IN_THIS_CRISIS.as_millis() as u64) {
            return;
        }
        // Looks of calm times are in no sample, and the dead have no usage.
        if let Some(last) = self.watch.decisions.last() {
            let before = now.saturating_sub(last.t_ms);
            self.history.timeline.note(LAST_LOOK, format!("{} bytes in use {before} ms before the end", last.bytes));
        }
        let usage = &self.watch.limit_usage;
        let context = self.history.context(Phase::PostKill, reason, usage.limit.clone(), usage.limiting());
        actor.hand_on(from_the_flight_ring(&self.history.target, context, why));
    }

    fn brake(&mut self, actor: &mut dyn Actor, act: BrakeAct) -> Result<bool, String> {
        actor.brake(act, &self.watch.limit_usage)
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use lastgasp_goruntime::{BuildInfo, EvidencePlan, Globals, ModuleData, Runtime};
    use lastgasp_inferior::{Addr, AddrRange, Arch, LiveProcess, Memory, ReadCause, ReadError};
    use lastgasp_observe::kernel::limit::LimitUsage;
    use lastgasp_observe::raw_capture::RawCapture;
    use lastgasp_observe::target::Target;
    use lastgasp_observe::target::baselines::BaselineHistory;
    use lastgasp_observe::target::identity::Identity;
    use lastgasp_observe::target::inspect::{ForeignMemory, ReadByAnother};

    use super::super::actor::{Sleeper, Woken};
    use super::*;
    use crate::decide::policy::{Measured, Policy};

    /// Of whom nothing is wanted.
    struct Idle;

    impl Sleeper for Idle {
        fn sleep(&mut self, _: Option<BorrowedFd<'_>>, _: Duration) -> Woken {
            Woken::Due
        }
    }

    impl Actor for Idle {
        fn take(&mut self, _: &Target, _: CaptureContext<'_>, _: Instant) -> Result<(), String> {
            Ok(())
        }

        fn hand_on(&mut self, _: RawCapture) {}

        fn brake(&mut self, _: BrakeAct, _: &LimitUsage) -> Result<bool, String> {
            Ok(false)
        }

        fn seen(&mut self, _: &Sample, _: &Decided<'_>) {}

        fn looks_elsewhere(&mut self, _: &Sample, _: i32) -> bool {
            false
        }

        fn note(&mut self, _: String) {}
    }

    /// A process that is taken for a Go program; its memory is asked for nothing.
    fn target(pid: i32) -> Target {
        let (at, table) = (Addr(0x1000), (Addr(0x1000), 2));
        let range = AddrRange::sized(at, 0x1000);
        let module = ModuleData {
            at: Addr(0),
            pc_header: at,
            funcnametab: table,
            cutab: table,
            filetab: table,
            pctab: table,
            pclntable: table,
            ftab: table,
            pcs: range,
            text: at,
            gofunc: at,
            types: range,
            variables: range,
        };
        let globals = Globals {
            mbuckets: at,
            mprof_cycle: at,
            mem_profile_rate: at,
            allglen: at,
            allgptr: at,
            allm: at,
            mheap: at,
            gc_controller: at,
            memstats: at,
            gcphase: at,
        };
        let build_info = BuildInfo { go_version: "go1.22.1".into(), ..BuildInfo::default() };
        Target {
            process: Arc::new(LiveProcess::open(pid).unwrap()),
            foreign: None,
            closely: false,
            runtime: Runtime::restored(Arch::Amd64, build_info, module, globals).unwrap(),
            plan: EvidencePlan::default(),
            baselines: BaselineHistory::default(),
            census: Default::default(),
            identity: Identity { pid, ..Identity::default() },
            gaps: Vec::new(),
        }
    }

    /// Whoever samples a calm process lightly may have its history as it dies, for as long as its memory
    /// takes to be read: its parent reaps it meanwhile, and how it ended was seen all the same.
    #[test]
    fn how_it_ended_is_asked_before_its_history_is_waited_for() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let (machine, target) = (Machine::detect(), target(child.id() as i32));
        let usage = LimitUsage::of(target.process.pid(), 0, None, Some(1 << 40), &Default::default(), &machine);
        let mut watch = TargetWatch::new(target, usage, &machine);
        // Kernels before 6.15 do not tell of one that was reaped.
        watch.exit = None;
        let history = Arc::clone(&watch.history);
        let sampled = lock(&history);
        child.kill().unwrap();
        let worker = std::thread::spawn(move || {
            let (policy, mut machine) = (Policy::default(), Machine::detect());
            watch.after_death(Rules { policy: &policy, measured: Measured::default() }, &mut machine, &mut Idle)
        });
        std::thread::sleep(Duration::from_millis(300));
        child.wait().unwrap();
        drop(sampled);
        let report = worker.join().unwrap();
        assert!(report.status.as_ref().is_some_and(by_sigkill) && report.killed, "{report:?}");
    }

    /// Answers nobody until somebody is in a hurry, as a worker that has no turn among others.
    #[derive(Debug, Default)]
    struct Starved {
        asked: AtomicUsize,
        hurried: AtomicBool,
    }

    impl Memory for Starved {
        fn read(&self, addr: Addr, buf: &mut [u8]) -> Result<(), ReadError> {
            self.asked.fetch_add(1, Ordering::SeqCst);
            while !self.hurried.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(1));
            }
            Err(ReadError { addr, len: buf.len(), cause: ReadCause::TooLate })
        }
    }

    impl ReadByAnother for Starved {
        fn hurry(&self, hurry: bool) {
            self.hurried.store(hurry, Ordering::SeqCst);
        }

        fn is_hurried(&self) -> bool {
            self.hurried.load(Ordering::SeqCst)
        }

        fn worked(&self) -> Duration {
            Duration::ZERO
        }
    }

    /// Whoever samples a calm process is not answered, and it comes into danger: its watch does not wait for
    /// that, and asks nobody while it goes on.
    #[test]
    fn nobody_who_is_in_danger_waits_for_whoever_reads_the_calm() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let (mut machine, foreign) = (Machine::detect(), Arc::new(Starved::default()));
        let target = Target { foreign: Some(Arc::clone(&foreign) as ForeignMemory), ..target(child.id() as i32) };
        let usage = LimitUsage::of(target.process.pid(), 0, None, Some(1 << 40), &Default::default(), &machine);
        let mut watch = TargetWatch::new(target, usage, &machine);
        let history = Arc::clone(&watch.history);
        let asked = || foreign.asked.load(Ordering::SeqCst);
        std::thread::scope(|threads| {
            let sampler = threads.spawn(|| lock(&history).target.calm_gauges().is_none());
            while asked() == 0 {
                std::thread::sleep(Duration::from_millis(1));
            }
            let began = Instant::now();
            let same = Arc::clone(&history);
            let live = Live::of(&mut watch, &same, &mut machine, None);
            assert!(began.elapsed() < Duration::from_millis(500), "waited for {:?}", began.elapsed());
            let before = asked();
            let _ = live.history.target.calm_gauges();
            assert_eq!(asked(), before, "it reads by itself");
            drop(live);
            assert!(sampler.join().unwrap());
        });
        assert!(!foreign.is_hurried(), "the calm are sampled again");
        let _ = foreign.hurried.swap(true, Ordering::SeqCst);
        let _ = lock(&history).target.calm_gauges();
        assert!(asked() > 1, "by somebody else, as before");
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
