//! One process, watched closely by a thread of its own: sampled, armed, struck, and read after its death. `run` attends its command so from the beginning to the
//! end; the daemon does it with those in danger.

use std::fs::File;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use lastgasp_inferior::Addr;
use lastgasp_observe::kernel::exit::{OomCounters, Risen, by_sigkill, how_it_ended};
use lastgasp_observe::kernel::limit::LimitUsage;
use lastgasp_observe::kernel::machine::Machine;
use lastgasp_observe::kernel::sys::pidfd_open;
use lastgasp_observe::raw_capture::{Phase, Reason};
use lastgasp_observe::target::Target;
use lastgasp_observe::target::identity::Identity;
use lastgasp_observe::target::timeline::{Clock, Sample, Timeline};
use nix::sys::wait::WaitStatus;

use super::history::{Record, lock};
use crate::act::stop::STOP_TIMEOUT_OF_THE_ONLY_COPY;
use crate::decide::forecast::Point;
use crate::decide::policy::{self, Acts, Exit, Hold, Policy, State, after_exit};
use crate::pin::Pin;
use crate::take::CaptureContext;

/// A process under watch, with what the watch of it needs.
#[derive(Debug)]
pub(crate) struct Ward {
    /// Process number.
    pub(crate) pid: i32,
    /// Who it is.
    pub(crate) identity: Identity,
    /// What is known and remembered of it. Reading its memory can hang where the kernel holds its address space; nobody who must not hang locks this.
    pub(crate) record: Arc<Mutex<Record>>,
    /// How much of which limit it uses.
    pub(crate) limit_usage: LimitUsage,
    /// What the policy remembers.
    pub(crate) memory: policy::Memory,
    /// Its address space, held.
    pub(crate) pin: Option<Pin>,
    /// Readable when it has ended.
    pub(crate) exit: Option<OwnedFd>,
    /// The timeline's.
    pub(crate) clock: Clock,
    /// The latest looks, oldest first, all against one and the same limit: what the forecast is made of.
    points: Vec<Point>,
    series: u64,
    moves: u64,
    counters: OomCounters,
    mem: Option<File>,
    readable: Addr,
    image: Option<Vec<u8>>,
}

/// How long an attendant looks on before it takes a process for one that does not grow.
const SEEN_TO_BE_STEADY: Duration = Duration::from_secs(1);

/// Why a process is attended no longer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Left {
    /// It has ended.
    Ended(Ended),
    /// It has become another program by exec.
    Replaced,
    /// It has been calm for long.
    Calm,
    /// Somebody wants us elsewhere.
    CalledAway,
}

/// How a process ended, and what we have of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Ended {
    /// Its wait status, if that is known.
    pub(crate) status: Option<WaitStatus>,
    /// Killed by the kernel for memory.
    pub(crate) oom: bool,
    /// Killed.
    pub(crate) killed: bool,
    /// Why it could not be read afterwards, if it should have been.
    pub(crate) unread: Option<String>,
}

/// Why a sleep is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Woken {
    /// Time.
    Due,
    /// The process has ended.
    Exited,
    /// Somebody wants us elsewhere.
    CalledAway,
}

/// What an attendant can have done, and where it sleeps.
pub(crate) trait Hands {
    /// Sleeps for that time, or until the process behind `exit` ends.
    fn sleep(&mut self, exit: Option<BorrowedFd<'_>>, at_most: Duration) -> Woken;
    /// Takes evidence and hands it on; the target is stopped for it if it lives. Gives why there is none, if so. What is taken after `until` is worth nothing.
    fn take(&mut self, target: &Target, context: CaptureContext<'_>, until: Instant) -> Result<(), String>;
    /// Sets the tripwire or takes it back; gives whether anything was done.
    fn brake(&mut self, _on: bool, _gauge: &LimitUsage) -> Result<bool, String> {
        Ok(false)
    }
    /// A look was taken.
    fn seen(&mut self, _sample: &Sample, _step: &policy::Step, _ward: &Ward) {}
    /// Whether there is something else to attend to, now that it is calm.
    fn looks_elsewhere(&mut self, _sample: &Sample, _pid: i32) -> bool {
        false
    }
    /// Something could not be done.
    fn note(&mut self, note: String);
}

impl Ward {
    /// A process to be watched. `limit_usage` says what it may use.
    pub(crate) fn new(target: Target, limit_usage: LimitUsage, machine: &Machine) -> Self {
        let pid = target.process.pid();
        let mut timeline = Timeline::default();
        timeline.note("attach", format!("process {pid}, {}", target.runtime.version));
        Self {
            pid,
            identity: target.identity.clone(),
            counters: OomCounters::note(&limit_usage, machine),
            exit: pidfd_open(pid),
            clock: timeline.clock(),
            mem: target.process.mem_file().ok(),
            readable: target.readable(),
            image: auxv(pid),
            // Else the first refresh, which may be in the crisis, would forget all points.
            series: limit_usage.changes(),
            limit_usage,
            memory: policy::Memory::default(),
            pin: None,
            points: Vec::new(),
            moves: 0,
            record: Arc::new(Mutex::new(Record::new(target, timeline))),
        }
    }

    /// Holds its address space.
    pub(crate) fn arm(&mut self) -> Result<(), String> {
        let mem = self.mem.as_ref().ok_or("its memory file is not open".to_owned());
        let held = mem.and_then(|m| {
            Pin::hold(m.try_clone().map_err(|e| e.to_string())?, self.readable).map_err(|e| e.to_string())
        });
        // What is not held must not be thought to be: the sleeps are longer then.
        self.memory.pinned = held.is_ok();
        self.pin = Some(held?);
        Ok(())
    }

    /// Whether it has become another program by exec: the old one's memory would stay charged to it as long as we held on, and what we know of it is void.
    pub(crate) fn is_replaced(&self) -> bool {
        auxv(self.pid).is_some_and(|now| Some(now) != self.image)
    }

    /// Bytes in use as last seen, and how many milliseconds ago that was.
    pub(crate) fn last_look(&self) -> (u64, u64) {
        self.points.last().map_or((0, 0), |p| (p.bytes, self.clock.now_ms().saturating_sub(p.t_ms)))
    }

    /// Brings the limit up to date.
    pub(crate) fn refresh_limits(&mut self, rss: impl FnOnce() -> u64, machine: &Machine) {
        self.limit_usage.refresh(rss, machine);
        if self.limit_usage.changes() != self.series {
            self.series = self.limit_usage.changes();
            self.points.clear();
        }
        if self.limit_usage.moves() != self.moves {
            self.moves = self.limit_usage.moves();
            // A kill in the new group is counted there.
            self.counters = OomCounters::note(&self.limit_usage, machine);
            self.identity.cgroup = self.limit_usage.own().map(|g| g.path.clone()).unwrap_or_default();
            tracing::debug!(pid = self.pid, cgroup = self.identity.cgroup, "moved into another group");
        }
    }

    /// Notes a look, and decides.
    pub(crate) fn decide(&mut self, policy: &Policy, point: Point) -> policy::Step {
        /// What the forecast looks at, and what is kept before the older half goes.
        const RECENT: usize = 200;
        if self.points.len() >= 2 * RECENT {
            self.points.drain(..RECENT);
        }
        self.points.push(point);
        let recent = self.points.get(self.points.len().saturating_sub(RECENT)..).unwrap_or_default();
        policy.step(&mut self.memory, recent, self.limit_usage.limit.as_ref().map(|l| l.0))
    }

    /// Watches it to its end, or until it has been calm for `until_calm`.
    pub(crate) fn attend(
        &mut self,
        policy: &Policy,
        machine: &mut Machine,
        hands: &mut dyn Hands,
        until_calm: Option<Duration>,
    ) -> Left {
        let record = Arc::clone(&self.record);
        // Whom we are called to is in danger until it is seen to be steady: to note a baseline first, which takes milliseconds, and tens of them on a busy machine, was once
        // too late for the only copy of 64 MB that were filled in 60 ms.
        let (came, mut steady) = (Instant::now(), false);
        let mut calm_since = Instant::now();
        let mut looked_around = Instant::now();
        loop {
            let state = self.memory.state;
            let mut record = lock(&record);
            let old = self.limit_usage.age() > Duration::from_millis(if state == State::Watch { 1000 } else { 100 });
            if old || (self.limit_usage.is_of_group() && self.limit_usage.is_outdated(machine)) {
                machine.refresh(Duration::from_millis(100));
                self.refresh_limits(|| record.target.process.rss().unwrap_or(0), machine);
                if self.is_replaced() {
                    record.timeline.note("exit", "became another program");
                    self.pin = None;
                    return Left::Replaced;
                }
            }
            // The dead have no RSS: near the end it is noted at every look.
            if state == State::Armed || record.last_usage.is_none_or(|(_, t)| record.timeline.now_ms() >= t + 1000) {
                let now = record.timeline.now_ms();
                record.last_usage = record.target.process.usage().map(|u| (u, now)).or(record.last_usage);
            }
            record.is_now_in(&self.identity.cgroup);
            let Some(sample) = record.sample(&mut self.limit_usage) else { break };
            record.timeline.push(sample);
            record.keep_up(steady, state);
            let step = self.decide(policy, Point { t_ms: sample.t_ms, bytes: sample.usage });
            steady = came.elapsed() > SEEN_TO_BE_STEADY && step.time_to_oom().is_none_or(|t| t > 60.0);
            self.act(step.acts, policy.pin_keeps, &mut record, hands, step.time_to_oom());
            hands.seen(&sample, &step, self);
            drop(record);
            match hands.sleep(self.exit.as_ref().map(|e| e.as_fd()), step.sleep) {
                Woken::Exited => break,
                Woken::CalledAway => return Left::CalledAway,
                Woken::Due if self.exit.is_none() && lastgasp_inferior::start_time(self.pid).is_none() => break,
                Woken::Due => {}
            }
            if self.memory.state > State::Watch {
                calm_since = Instant::now();
            } else if until_calm.is_some_and(|enough| calm_since.elapsed() > enough) {
                return Left::Calm;
            } else if looked_around.elapsed() > Duration::from_secs(1) {
                looked_around = Instant::now();
                if hands.looks_elsewhere(&sample, self.pid) {
                    return Left::CalledAway;
                }
            }
        }
        let ended = self.after_death(policy, machine, hands);
        self.pin = None;
        Left::Ended(ended)
    }

    /// `pin_keeps`: whether what is held can be counted on after a kill.
    fn act(
        &mut self,
        acts: Acts,
        pin_keeps: bool,
        record: &mut Record,
        hands: &mut dyn Hands,
        time_to_oom: Option<f64>,
    ) {
        match acts.pin {
            Some(true) => match self.arm() {
                Ok(()) => record.timeline.note("arm", "address space pinned"),
                Err(e) => hands.note(format!("not armed: {e}")),
            },
            Some(false) => {
                record.timeline.note("disarm", "address space released");
                self.pin = None;
            }
            None => {}
        }
        if let Some(on) = acts.trip {
            let done = hands.brake(on, &self.limit_usage);
            if on && !matches!(done, Ok(true)) {
                self.memory.trip_failed();
            }
            match done {
                Ok(true) => record.timeline.note("brake", if on { "tripwire set" } else { "tripwire taken back" }),
                Ok(false) => {}
                Err(e) => hands.note(format!("no brake: {e}")),
            }
        }
        if acts.strike {
            record.timeline.note("freeze", "memory is about to be used up: stopped and copied");
            let patience = Duration::from_secs_f64(time_to_oom.unwrap_or(0.25).clamp(0.1, 5.0));
            let mut context = record.context(Phase::PreKill, Reason::Forecast, self.limit_usage.limit.clone());
            if self.pin.is_none() || !pin_keeps {
                context.patience = STOP_TIMEOUT_OF_THE_ONLY_COPY;
            }
            if let Err(why) = hands.take(&record.target, context, Instant::now() + patience) {
                tracing::info!(pid = self.pid, "struck in vain: {why}");
                record.timeline.note("freeze", why);
            }
        }
    }

    /// The process has ended, or is about to be reaped: say how, and read what the pin has kept.
    pub(crate) fn after_death(&mut self, policy: &Policy, machine: &mut Machine, hands: &mut dyn Hands) -> Ended {
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
        let mut record = lock(&self.record);
        record.is_now_in(&self.identity.cgroup);
        let (kind, text) = match hold {
            Hold::OomKill(_) => ("oom-kill", "killed by the kernel: out of memory"),
            Hold::MachineOomKill => ("oom-kill", "killed by the kernel: the whole machine was out of memory"),
            Hold::Kill(_) => ("kill", "killed"),
            Hold::Exit if status.is_none() => ("exit", "ended (not our child: how is not known)"),
            Hold::Exit => ("exit", "ended by itself"),
        };
        record.timeline.note(kind, text);
        let oom = matches!(hold, Hold::OomKill(_) | Hold::MachineOomKill);
        let mut ended = Ended { status, oom, killed: hold != Hold::Exit, unread: None };
        let until = match hold {
            Hold::OomKill(most) | Hold::Kill(most) => died + most,
            Hold::MachineOomKill => {
                self.pin = None;
                ended.unread = Some("killed because the whole machine was out of memory: it was let go at once".into());
                return ended;
            }
            Hold::Exit => return ended,
        };
        if self.pin.is_none() || !record.target.is_readable() {
            ended.unread = match (self.pin.is_some(), policy.pin) {
                (true, _) => Some("killed, and its memory was gone at once".into()),
                (false, true) => Some("killed without the pin: nothing could be read afterwards".into()),
                (false, false) => None,
            };
            return ended;
        }
        // Whose group ran out of memory had used all of it, whenever we looked last.
        let all = self.limit_usage.limit.as_ref().filter(|_| oom && self.limit_usage.is_of_group()).map(|l| l.0);
        record.last_sample(all.or(self.points.last().map(|p| p.bytes)));
        let reason = if oom { Reason::OomKill } else { Reason::Killed };
        let context = record.context(Phase::PostKill, reason, self.limit_usage.limit.clone());
        ended.unread = hands.take(&record.target, context, until).err();
        ended
    }

    /// Which OOM counters have risen. They are raised before the signal is sent, but a slow kernel is given a moment where it matters.
    fn risen(&self, matters: bool, machine: &Machine) -> Risen {
        let risen = self.counters.risen(machine);
        if risen.own_kills || !matters {
            return risen;
        }
        std::thread::sleep(Duration::from_millis(2));
        self.counters.risen(machine)
    }
}

/// The kernel's words to the program at its start, which hold random addresses: they change with every exec and with nothing else.
fn auxv(pid: i32) -> Option<Vec<u8>> {
    std::fs::read(format!("/proc/{pid}/auxv")).ok().filter(|b| !b.is_empty())
}
