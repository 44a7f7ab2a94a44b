//! The supervisor: one thread for all calm processes. It hears of new ones and of ends, looks at cgroups, and
//! calls a worker when one is in danger. It never reads a process's memory, and so it never hangs with one.
//! Who comes under watch is [`super::admission`]'s to say, when a look is due [`super::schedule`]'s, and how
//! a watch changes hands [`super::assignment`]'s.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::AsFd as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use lastgasp_observe::kernel::files::release;
use lastgasp_observe::kernel::machine::{Machine, fastest_growth};
use lastgasp_observe::target::discover::Depth;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use super::DESCRIPTORS;
use super::admission::{Admission, Admitted, Known};
use super::assignment::{Assignment, NoWorker, Relapses};
use super::attach::{Attached, Attachers, Looked};
use super::calm_sampler::{CalmSampler, Job};
use super::limit_notices::LimitNotices;
use super::lives::{HowItEnded, LifeNotice};
use super::memory_notices::MemoryNotices;
use super::messages::{Inbox, Message};
use super::pin_probe_thread::ProbeThread;
use super::process_events::ProcessEvents;
use super::schedule::{LIMITS, Schedule, limits_again};
use super::settings::Settings;
use super::shared::Common;
use super::status::{Counters, Status, count};
use super::target_status::TargetStatus;
use super::worker::{Task, Worker, watch_closely};
use crate::decide::leak::LeakTurns;
use crate::decide::pin_window::PinWindow;
use crate::decide::policy::{Measured, Mode, PinAct, State};
use crate::guard::{Panicked, panics};
use crate::own_process::run_before_others;
use crate::watch::stop_reason::{ExitReport, StopReason};
use crate::watch::target_watch::TargetWatch;
use crate::watch::watch_loop::Rules;

/// Marks in epoll's events, beside process numbers.
const PROCESS_EVENTS: u64 = u64::MAX;
const WAKEUP: u64 = u64::MAX - 1;
const MEMORY_NOTICES: u64 = u64::MAX - 2;
const LIMIT_NOTICES: u64 = u64::MAX - 3;

/// Which of a process's limits are read again at a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Limits {
    /// None, unless it is time for that.
    WhenDue,
    /// All: there is reason to think that they are others now.
    Now,
}

/// Everything that the supervisor knows.
pub(crate) struct Supervisor {
    settings: Arc<Settings>,
    /// The same, for others.
    shared: Arc<Mutex<Arc<Settings>>>,
    inbox: Inbox,
    common: Arc<Common>,
    epoll: Epoll,
    admission: Admission,
    calm_sampler: CalmSampler,
    memory_notices: MemoryNotices,
    limit_notices: LimitNotices,
    pin_window: Option<PinWindow>,
    _probe_thread: Option<ProbeThread>,
    machine: Machine,
    measured: Measured,
    started_unix: u64,
    watched: BTreeMap<i32, Watched>,
    schedule: Schedule,
    relapses: Relapses,
    leak_turns: LeakTurns,
    /// When it was last said that descriptors have run out.
    said_put_off: Option<Instant>,
    /// When somebody was put off last for want of them.
    put_off: Option<Instant>,
    stopping: bool,
}

/// A process under watch.
struct Watched {
    assignment: Assignment<Box<TargetWatch>>,
    status: Arc<Mutex<TargetStatus>>,
    sampled: Instant,
    busy: Arc<AtomicBool>,
    /// Whether its goroutines seem to leak: set by who samples it.
    leaking: Arc<AtomicBool>,
}

impl Supervisor {
    pub(crate) fn new(settings: Settings, inbox: Inbox, common: Arc<Common>) -> io::Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let (process_events, trouble) = ProcessEvents::listen();
        if let Some(e) = trouble {
            tracing::warn!(
                "the kernel does not tell of new processes ({e}: needs CAP_NET_ADMIN and the host's own namespaces); they are looked for instead, 50 times a second"
            );
        }
        if let Some(fd) = process_events.fd() {
            epoll.add(fd, EpollEvent::new(EpollFlags::EPOLLIN, PROCESS_EVENTS))?;
        }
        epoll.add(inbox.wakeup.as_fd(), EpollEvent::new(EpollFlags::EPOLLIN, WAKEUP))?;
        let memory_notices = MemoryNotices::new(settings.policy.mode > Mode::Observe)?;
        epoll.add(&memory_notices, EpollEvent::new(EpollFlags::EPOLLIN, MEMORY_NOTICES))?;
        let limit_notices = LimitNotices::new();
        if let Some(fd) = limit_notices.fd() {
            epoll.add(fd, EpollEvent::new(EpollFlags::EPOLLIN, LIMIT_NOTICES))?;
        }
        let measured = Measured { fastest: fastest_growth(), ..Measured::default() };
        tracing::info!(
            gigabytes_per_second = format!("{:.1}", measured.fastest / 1e9),
            "the fastest growth that this machine can produce"
        );
        let settings = Arc::new(settings);
        let shared = Arc::new(Mutex::new(Arc::clone(&settings)));
        let probe = (settings.pin_probe && settings.policy.pin).then(|| {
            let messages = inbox.clone();
            ProbeThread::start(settings.store.clone(), move |window| messages.send(Message::PinProbed(window)))
        });
        let messages = inbox.clone();
        let attachers = Attachers::start(&shared, move |pid, looked| messages.send(Message::Looked(pid, looked)))?;
        Ok(Self {
            settings,
            shared,
            inbox,
            common,
            epoll,
            admission: Admission::new(process_events, attachers),
            calm_sampler: CalmSampler::start()?,
            memory_notices,
            limit_notices,
            pin_window: None,
            _probe_thread: probe.transpose()?,
            machine: Machine::detect(),
            measured,
            started_unix: SystemTime::UNIX_EPOCH.elapsed().map_or(0, |d| d.as_secs()),
            watched: BTreeMap::new(),
            schedule: Schedule::new(Instant::now()),
            relapses: Relapses::default(),
            leak_turns: LeakTurns::default(),
            said_put_off: None,
            put_off: None,
            stopping: false,
        })
    }

    /// Watches until it is told to stop.
    pub(crate) fn run(mut self, inbox: &Receiver<Message>) -> io::Result<()> {
        // Threads that were started before do not inherit it; workers do.
        run_before_others();
        let mut events = [EpollEvent::empty(); 64];
        loop {
            // Rounded up: epoll knows milliseconds, and asked for less than one it answers at once, hundreds
            // of times until what is due is due.
            let timeout = self.sleep() + Duration::from_micros(999);
            let timeout = EpollTimeout::try_from(timeout).unwrap_or(EpollTimeout::ZERO);
            let n = match self.epoll.wait(&mut events, timeout) {
                Ok(n) => n,
                Err(nix::errno::Errno::EINTR) => 0,
                Err(e) => return Err(e.into()),
            };
            for event in events.get(..n).unwrap_or_default() {
                match event.data() {
                    PROCESS_EVENTS => {}
                    WAKEUP => {
                        let _ = self.inbox.wakeup.read();
                    }
                    MEMORY_NOTICES => self.hear_memory_notices(),
                    LIMIT_NOTICES => self.hear_limit_notices(),
                    pid => self.ended(pid as i32),
                }
            }
            while let Ok(message) = inbox.try_recv() {
                self.hear(message);
            }
            if self.stopping {
                if self.may_leave() {
                    return Ok(());
                }
                continue;
            }
            self.memory_notices.listen_again(Instant::now());
            self.hear_process_events();
            self.look_at_all_that_are_due();
        }
    }

    /// Until something is due.
    fn sleep(&self) -> Duration {
        // Nothing is looked at any more: what is due stays due.
        if self.stopping {
            return Duration::from_millis(20);
        }
        let due = [self.schedule.due(), self.memory_notices.due(), Some(self.admission.due())];
        let next = due.into_iter().flatten().min();
        let most = Duration::from_secs(1);
        next.map_or(most, |at| at.saturating_duration_since(Instant::now())).min(most)
    }

    fn hear(&mut self, message: Message) {
        match message {
            Message::Looked(pid, looked) => self.looked(pid, looked),
            Message::Back(watch, reason) => self.back(watch, &reason),
            Message::Lost(pid) => self.lost(pid),
            Message::PinProbed(window) => self.pin_probed(window),
            Message::LeakJudged { pid, service, leaked } => self.leak_judged(pid, &service, leaked),
            Message::Settings(settings) => self.reload(*settings),
            Message::Status(answer) => {
                let _ = answer.send(self.status());
            }
            Message::Stop => {
                self.stopping = true;
                self.call_away();
            }
        }
    }

    /// The kernel says that the memory of groups runs out: their processes are looked at now, whoever does
    /// that.
    fn hear_memory_notices(&mut self) {
        for pid in self.memory_notices.heard(Instant::now()) {
            self.count(|c| c.notices += 1);
            tracing::debug!(pid, event = "notice", "the kernel says that its memory runs out");
            match self.watched.get_mut(&pid).map(|w| &mut w.assignment) {
                Some(Assignment::Worker(call)) => call.look(),
                Some(Assignment::Supervisor(watch)) => {
                    // It may be a kill already, and the group be gone when its end is heard of.
                    watch.counters.keep_up();
                    // Of what, if we know of no limit near? Of one that was written a moment ago.
                    self.look(pid, Limits::Now);
                }
                None => {}
            }
        }
    }

    /// Somebody has written to a group's limit file: the new limit counts from now on, whoever looks at its
    /// processes.
    fn hear_limit_notices(&mut self) {
        for pid in self.limit_notices.heard() {
            tracing::debug!(pid, event = "limit-notice", "a limit of its was written");
            match self.watched.get(&pid).map(|w| &w.assignment) {
                Some(Assignment::Worker(call)) => call.look(),
                Some(Assignment::Supervisor(_)) => self.look(pid, Limits::Now),
                None => {}
            }
        }
    }

    fn hear_process_events(&mut self) {
        let news = self.admission.hear();
        for pid in news.pids {
            match self.watched.get(&pid).map(|w| &w.assignment) {
                // Who is only new is looked at more than once (`process_events.rs`): no reason to disturb.
                Some(Assignment::Worker(_)) if !news.execs.iter().any(|(exec, _)| *exec == pid) => {}
                _ => self.look_at(pid),
            }
        }
        if news.all {
            let known = if news.lost { Known::Doubtful } else { Known::Certain };
            self.admission.look_at_everybody(known, |pid| self.watched.contains_key(&pid));
        }
        self.admission.look_at_due(Instant::now());
    }

    fn look_at(&mut self, pid: i32) {
        match self.watched.get(&pid).map(|w| &w.assignment) {
            Some(Assignment::Worker(call)) => call.leave(),
            // By exec: another program in the same process.
            Some(Assignment::Supervisor(watch)) if watch.is_replaced() => {
                self.forget(pid);
                self.admission.look_at(pid, Depth::Executable);
            }
            Some(Assignment::Supervisor(_)) => {}
            None => self.admission.look_at(pid, Depth::Executable),
        }
    }

    fn looked(&mut self, pid: i32, looked: Looked) {
        if self.stopping || self.watched.contains_key(&pid) {
            return;
        }
        match self.admission.decide(pid, looked, Instant::now()) {
            Admitted::Watch(attached, took) => self.watch(*attached, took),
            Admitted::Refused { service, why } => {
                tracing::warn!(pid, service, "not watched: {why}");
                self.count(|c| c.refused += 1);
            }
            Admitted::PutOff => {
                self.count(|c| c.put_off += 1);
                self.put_off = Some(Instant::now());
                if self.said_put_off.is_none_or(|said| said.elapsed() > Duration::from_secs(60)) {
                    self.said_put_off = Some(Instant::now());
                    tracing::error!(
                        event = "out-of-descriptors",
                        "no descriptor is left for process {pid}, nor for others: they are looked at again (raise LimitNOFILE: each watched process takes {DESCRIPTORS})"
                    );
                }
            }
            Admitted::Nothing => {}
        }
    }

    /// `ready`: the time since its exec, as far as that is known.
    fn watch(&mut self, attached: Attached, ready: Option<Duration>) {
        let Attached { mut watch, home, executable } = attached;
        let pid = watch.pid;
        let status = TargetStatus::new(&watch.identity, &home, &executable);
        if let Some(took) = ready {
            self.count(|c| c.ready_seconds.add(took));
        }
        tracing::debug!(
            pid,
            service = status.service,
            container = home.container,
            go = status.go_version,
            limit = watch.limit_usage.limit.as_ref().map(|l| l.0),
            ready_ms = ready.map(|took| format!("{:.1}", took.as_secs_f64() * 1e3)),
            event = "watched",
            "watched"
        );
        self.count(|c| c.discovered += 1);
        self.common.lives.tell(|| LifeNotice::Begun(Box::new(status.clone())));
        self.listen_for_limits(&mut watch);
        let now = Instant::now();
        self.watched.insert(
            pid,
            Watched {
                assignment: Assignment::Supervisor(Box::new(watch)),
                status: Arc::new(Mutex::new(status)),
                sampled: now.checked_sub(Duration::from_secs(3600)).unwrap_or(now),
                busy: Arc::new(AtomicBool::new(false)),
                leaking: Arc::new(AtomicBool::new(false)),
            },
        );
        self.listen_for_end(pid);
        self.look(pid, Limits::WhenDue);
    }

    /// Has the kernel tell of the way to its limits as they are now, and of other ones.
    fn listen_for_limits(&mut self, watch: &mut TargetWatch) {
        self.limit_notices.follow(watch.pid, watch.limit_usage.limit_files());
        self.memory_notices.follow(watch.pid, watch.limit_usage.limits());
        watch.decisions.told = self.memory_notices.tell_of(watch.pid);
    }

    fn listen_for_end(&self, pid: i32) {
        if let Some(Watched { assignment: Assignment::Supervisor(watch), .. }) = self.watched.get(&pid)
            && let Some(exit) = &watch.exit
        {
            let _ = self.epoll.add(exit, EpollEvent::new(EpollFlags::EPOLLIN, pid as u64));
        }
    }

    fn look_at_all_that_are_due(&mut self) {
        let mut round = Schedule::round(Instant::now());
        while let Some(pid) = self.schedule.next_of(&mut round) {
            self.look(pid, Limits::WhenDue);
        }
    }

    /// One look at a calm process's cgroup.
    fn look(&mut self, pid: i32, limits: Limits) {
        self.machine.refresh(Duration::from_millis(200));
        let Some(watched) = self.watched.get_mut(&pid) else { return };
        let Assignment::Supervisor(watch) = &mut watched.assignment else { return };
        // Kernels before 5.3 do not tell of ends: one that is gone must not be held on to.
        if watch.exit.is_none() && lastgasp_inferior::start_time(pid).is_none() {
            return self.ended(pid);
        }
        let rss = || lastgasp_inferior::resident_bytes(pid).unwrap_or(0);
        // Limits change seldom; which of them is nearest may change at once.
        let told_of_limits = self.limit_notices.tell_of(pid);
        let again = limits_again(Duration::from_millis(watch.clock.now_ms()), told_of_limits);
        // Two looks are hardly ever a whole second apart to the microsecond.
        let due = watch.limit_usage.age() + Duration::from_millis(20) > again.after;
        if limits == Limits::Now || due || watch.limit_usage.is_outdated(&self.machine) {
            let at_most = if limits == Limits::WhenDue && due { again.at_most } else { Duration::ZERO };
            watch.refresh_limits(rss, &self.machine, at_most);
            self.limit_notices.follow(pid, watch.limit_usage.limit_files());
            self.memory_notices.follow(pid, watch.limit_usage.limits());
            watch.decisions.told = self.memory_notices.tell_of(pid);
            // Where nobody tells of an exec, it is looked for: what was held of the old program would stay
            // charged.
            if !self.admission.has_events() && watch.is_replaced() {
                self.forget(pid);
                return self.admission.look_at(pid, Depth::Executable);
            }
        }
        let usage = watch.limit_usage.usage_now(rss, &self.machine);
        let (memory, step) = watch.decide(&self.settings.policy, self.measured, usage);
        let danger = memory.state() > State::Watch || step.acts.strike || step.acts.brake.is_some();
        // In danger the worker decides afresh.
        if !danger {
            watch.decisions.remember(memory);
            match step.acts.pin {
                Some(PinAct::Hold) => {
                    if let Err(e) = watch.arm() {
                        TargetStatus::change(&watched.status, |s| s.problem = Some(format!("not armed: {e}")));
                    }
                }
                Some(PinAct::Release) => watch.pin = None,
                None => {}
            }
        }
        TargetStatus::change(&watched.status, |s| s.decided(&watch.decided(usage, &step)));
        if watched.sampled.elapsed() >= self.settings.calm_sample {
            watched.sampled = Instant::now();
            self.calm_sampler.sample(Job {
                census: self.settings.census,
                history: Arc::clone(&watch.history),
                status: Arc::clone(&watched.status),
                usage,
                busy: Arc::clone(&watched.busy),
                leaking: Arc::clone(&watched.leaking),
            });
        }
        // Who is not told of another limit looks for it.
        let sleep = if told_of_limits { step.sleep } else { step.sleep.min(LIMITS.0) };
        self.schedule.set_after(pid, Instant::now(), sleep);
        let seems_to_leak = watched.leaking.swap(false, Ordering::AcqRel);
        if danger {
            self.start_worker(pid, Task::Watch);
        } else if seems_to_leak && self.may_look_for_a_leak(pid) {
            self.start_worker(pid, Task::LookForALeak);
        }
    }

    /// Whether a process may be stopped for a look at its goroutines; takes its turn.
    fn may_look_for_a_leak(&mut self, pid: i32) -> bool {
        let may_stop = self.settings.leaks.is_some() && self.settings.policy.mode > Mode::Observe;
        let service = self.watched.get(&pid).map(|w| TargetStatus::change(&w.status, |s| s.service.clone()));
        may_stop && service.is_some_and(|service| self.leak_turns.take(&service, Instant::now()))
    }

    /// A look at a process whose goroutines seemed to leak is judged.
    fn leak_judged(&mut self, pid: i32, service: &str, leaked: Option<u64>) {
        let pause = self.settings.leaks.as_ref().map(|l| l.pause).unwrap_or_default();
        self.leak_turns.judged(service, leaked.is_some(), pause, Instant::now());
        self.count(|c| {
            c.leaks_found += u64::from(leaked.is_some());
            c.leaks_not_found += u64::from(leaked.is_none());
        });
        if let Some(watched) = self.watched.get(&pid) {
            TargetStatus::change(&watched.status, |s| s.leaked_goroutines = leaked);
        }
    }

    /// A calm process has ended.
    fn ended(&mut self, pid: i32) {
        self.start_worker(pid, Task::ReadTheDead);
    }

    /// Hands a process to a thread of its own.
    fn start_worker(&mut self, pid: i32, task: Task) {
        let Some(watched) = self.watched.get_mut(&pid) else { return };
        let Assignment::Supervisor(watch) = &watched.assignment else { return };
        let exit = watch.exit.as_ref();
        if let Some(exit) = exit {
            let _ = self.epoll.delete(exit);
        }
        let (common, status) = (Arc::clone(&self.common), Arc::clone(&watched.status));
        let (settings, measured, inbox) = (Arc::clone(&self.settings), self.measured, self.inbox.clone());
        let work = move |mut watch: Box<TargetWatch>, wakeup| {
            let mut actor = Worker::new(common, status, wakeup, &settings);
            let reason = watch_closely(&mut watch, Rules { policy: &settings.policy, measured }, &mut actor, task);
            (watch, reason)
        };
        let done = move |back: Result<(Box<TargetWatch>, StopReason), Panicked>| {
            inbox.send(match back {
                Ok((watch, reason)) => Message::Back(watch, reason),
                Err(_) => Message::Lost(pid),
            });
        };
        match watched.assignment.hand_over(work, done) {
            Ok(()) => {}
            Err(NoWorker::Kept) => self.listen_for_end(pid),
            Err(NoWorker::Lost(e)) => {
                // Its watch went with the closure: the scan finds the process again.
                tracing::error!(pid, "no thread to watch it closely: {e}; it is found anew");
                self.forget(pid);
            }
        }
    }

    /// A worker has panicked, and the watch that it had is gone; what it held and had stopped was let go in
    /// the unwinding. The process is found anew.
    fn lost(&mut self, pid: i32) {
        let pause = self.relapses.pause(pid, Instant::now());
        tracing::error!(
            pid,
            again_in_ms = pause.as_millis() as u64,
            "its watch was lost with a panic: it is found anew"
        );
        self.forget(pid);
        self.admission.look_at_later(pid, Instant::now() + pause);
    }

    /// A worker is done.
    fn back(&mut self, watch: Box<TargetWatch>, reason: &StopReason) {
        let pid = watch.pid;
        match reason {
            StopReason::Ended(ended) => {
                self.count(|c| {
                    c.oom_kills += u64::from(ended.oom);
                    c.kills += u64::from(ended.killed && !ended.oom);
                });
                self.tell_of_end(pid, ended);
                if let Some(why) = &ended.unread {
                    self.count(|c| c.captures_dropped += 1);
                    let container = watch.identity.container.as_deref();
                    tracing::warn!(pid, container, "no evidence from after its death: {why}");
                }
                if ended.oom {
                    let (last_usage, age_ms) = watch.last_look();
                    tracing::info!(
                        pid,
                        service = watch.identity.service,
                        container = watch.identity.container.as_deref(),
                        strikes = watch.decisions.all_strikes(),
                        last_usage,
                        age_ms,
                        event = "oom-kill",
                        "killed by the kernel: out of memory"
                    );
                } else {
                    tracing::debug!(
                        pid,
                        service = watch.identity.service,
                        killed = ended.killed,
                        event = "ended",
                        "ended"
                    );
                }
                self.forget(pid);
                // A number that was used again at once.
                self.admission.look_at(pid, Depth::Executable);
            }
            StopReason::Replaced => {
                self.forget(pid);
                self.admission.look_at(pid, Depth::Executable);
            }
            // By another configuration meanwhile.
            StopReason::Calm | StopReason::CalledAway if !self.is_wanted(&watch) => {
                self.forget(pid);
                self.admission.pass(pid);
            }
            StopReason::Calm | StopReason::CalledAway => {
                let mut watch = watch;
                // Its worker may have seen other limits.
                self.listen_for_limits(&mut watch);
                if let Some(watched) = self.watched.get_mut(&pid) {
                    watched.assignment = Assignment::Supervisor(watch);
                    self.schedule.set(pid, Instant::now());
                    self.listen_for_end(pid);
                    self.look_at(pid);
                }
            }
        }
    }

    fn tell_of_end(&self, pid: i32, ended: &ExitReport) {
        let Some(watched) = self.watched.get(&pid) else { return };
        self.common.lives.tell(|| LifeNotice::Ended {
            status: Box::new(TargetStatus::change(&watched.status, |s| s.clone())),
            how: HowItEnded::of(ended),
            ago: ended.died.map(|died| died.elapsed()).unwrap_or_default(),
        });
    }

    /// It is watched no longer, whoever did.
    fn forget(&mut self, pid: i32) {
        self.memory_notices.forget(pid);
        self.limit_notices.forget(pid);
        self.schedule.forget(pid);
        if let Some(Watched { assignment: Assignment::Supervisor(watch), .. }) = self.watched.remove(&pid)
            && let Some(exit) = &watch.exit
        {
            let _ = self.epoll.delete(exit);
        }
    }

    fn call_away(&self) {
        for watched in self.watched.values() {
            if let Assignment::Worker(call) = &watched.assignment {
                call.leave();
            }
        }
    }

    /// Whether all workers are back; a little longer than a dead one's memory can be read is waited for them.
    fn may_leave(&self) -> bool {
        !self.watched.values().any(|w| matches!(w.assignment, Assignment::Worker(_)))
    }

    /// What holding memory is worth here is known now.
    fn pin_probed(&mut self, window: PinWindow) {
        let keeps = window.keeps(&release());
        match &window {
            PinWindow::Measured(_) if keeps => tracing::info!("{window}"),
            PinWindow::Unmeasured { .. } if keeps => tracing::warn!("{window}"),
            _ => tracing::error!(
                "{window}. Evidence hangs on the copy before the end alone: processes are looked at more often and stopped twice as early"
            ),
        }
        self.pin_window = Some(window);
        if self.measured.pin_keeps != keeps {
            self.measured.pin_keeps = keeps;
            self.call_away();
        }
    }

    fn reload(&mut self, settings: Settings) {
        self.memory_notices.allow(settings.policy.mode > Mode::Observe);
        self.settings = Arc::new(settings);
        *self.shared.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&self.settings);
        self.common.gate.resize(self.settings.concurrent_stops);
        self.common.budget.resize(self.settings.memory);
        self.count(|c| c.reloads += 1);
        // Workers come back and are sent again with the new ones; who is watched and who is not is seen
        // afresh.
        self.call_away();
        let calm = self.watched.iter().filter_map(|(pid, watched)| match &watched.assignment {
            Assignment::Supervisor(watch) if !self.is_wanted(watch) => Some(*pid),
            _ => None,
        });
        for pid in calm.collect::<Vec<i32>>() {
            self.forget(pid);
        }
        self.admission.forget_passed();
        self.admission.look_at_everybody(Known::Doubtful, |pid| self.watched.contains_key(&pid));
    }

    fn is_wanted(&self, watch: &TargetWatch) -> bool {
        let home = self.settings.identities.home(watch.pid, &watch.identity.cgroup);
        self.settings.wants(&watch.identity, &home)
    }

    fn status(&self) -> Status {
        let losses = self.settings.foreign.losses();
        let too_many = losses.too_many.then(|| {
            let stuck = losses.stuck;
            format!("{stuck} workers hang in the kernel over processes whose files or memory do not answer: soon no more are started, and new programs are not recognised")
        });
        Status {
            problems: too_many.into_iter().chain(self.put_off_lately()).collect(),
            started_unix: self.started_unix,
            mode: self.settings.policy.mode.name(),
            process_events: self.admission.has_events(),
            pin_window: self.pin_window.clone(),
            targets: self.watched.values().map(|w| TargetStatus::change(&w.status, |s| s.clone())).collect(),
            counters: Counters {
                thread_panics: panics(),
                workers_lost: losses.lost,
                workers_stuck: losses.stuck,
                ..self.common.counters.lock().unwrap_or_else(PoisonError::into_inner).clone()
            },
        }
    }

    /// That somebody could not be looked at a moment ago, for want of descriptors.
    fn put_off_lately(&self) -> Option<String> {
        const LATELY: Duration = Duration::from_secs(30);
        self.put_off.filter(|at| at.elapsed() < LATELY).map(|_| {
            "no descriptor is left: new programs are not watched until others have ended (raise LimitNOFILE)".into()
        })
    }

    fn count(&self, change: impl FnOnce(&mut Counters)) {
        count(&self.common.counters, change);
    }
}
