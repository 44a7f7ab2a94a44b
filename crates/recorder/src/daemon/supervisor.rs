//! The lookout: one thread for all calm processes. It hears of new ones and of ends, looks at cgroups, and calls an attendant when one is in danger. It never
//! reads a process's memory, and so it never hangs with one.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::io;
use std::os::fd::AsFd as _;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use lastgasp_observe::kernel::container::home;
use lastgasp_observe::kernel::files::release;
use lastgasp_observe::kernel::machine::{Machine, fastest_growth};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::{EfdFlags, EventFd};

use super::attach::{Arrived, Attachers, Depth, Looked};
use super::attach_latency::Readiness;
use super::calm_sampler::{Job, Sampler};
use super::library_rescan::SecondLooks;
use super::memory_notices::Notices;
use super::messages::{Inbox, Message};
use super::pin_probe_thread::Running;
use super::process_events::Arrivals;
use super::settings::Settings;
use super::shared::Common;
use super::status::{Status, count};
use super::target_status::Vitals;
use super::worker::{Attendant, LEAVE, LOOK};
use crate::decide::forecast::Point;
use crate::decide::pin_window::PinWindow;
use crate::decide::policy::{Mode, State};
use crate::own_process::run_before_others;
use crate::watch::watch_loop::{Left, Ward};

/// Marks in epoll's events, beside process numbers.
const ARRIVALS: u64 = u64::MAX;
const BELL: u64 = u64::MAX - 1;
const NOTICES: u64 = u64::MAX - 2;
/// Looks that are due within this time are taken together: one waking for many.
const TOGETHER: Duration = Duration::from_millis(16);
/// Looks that are far apart are due at the same few moments of a second, for all processes: a waking costs more than a look.
const MOMENT: Duration = Duration::from_millis(250);
/// How often limits are read again, and whether a process is still in its group: after a quarter of the time that it is watched for, within these. A new process may
/// be moved into its group, and be given its limit, after its start; later that is seldom.
const LIMITS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(15));
/// An attendant stays until it has been calm for so long.
const CALM_AGAIN: Duration = Duration::from_secs(15);
/// How long a process may take until its Go runtime can be read.
const BIRTH: Duration = Duration::from_secs(10);

/// Everything that the lookout knows.
pub(crate) struct Lookout {
    settings: Arc<Settings>,
    /// The same, for others.
    shared: Arc<Mutex<Arc<Settings>>>,
    inbox: Inbox,
    common: Arc<Common>,
    epoll: Epoll,
    arrivals: Arrivals,
    attachers: Attachers,
    sampler: Sampler,
    notices: Notices,
    pin_window: Option<PinWindow>,
    _trial: Option<Running>,
    machine: Machine,
    started: Instant,
    started_unix: u64,
    watched: BTreeMap<i32, Watched>,
    due: BinaryHeap<Reverse<(Instant, i32)>>,
    /// Go processes whose runtime has not started, with when they are looked at next and when they were first seen.
    newborn: BTreeMap<i32, (Instant, Instant)>,
    /// Those that are no Go programs, and may load a Go library yet.
    second_looks: SecondLooks,
    readiness: Readiness,
    /// Processes that are not watched, by number, with their start time: not to be looked at again at every scan.
    passed: BTreeMap<i32, u64>,
    stopping: bool,
}

/// A process under watch.
struct Watched {
    post: Post,
    vitals: Arc<Mutex<Vitals>>,
    /// When its next look is due; older entries of the heap are void.
    due: Instant,
    sampled: Instant,
    busy: Arc<AtomicBool>,
}

/// Who watches it.
enum Post {
    Lookout(Box<Ward>),
    /// Rung to call the attendant away.
    Attendant(Arc<EventFd>),
}

impl Lookout {
    pub(crate) fn new(mut settings: Settings, inbox: Inbox, common: Arc<Common>) -> io::Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let (arrivals, trouble) = Arrivals::listen();
        if let Some(e) = trouble {
            tracing::warn!(
                "the kernel does not tell of new processes ({e}: needs CAP_NET_ADMIN and the host's own namespaces); they are looked for instead, 50 times a second"
            );
        }
        if let Some(fd) = arrivals.fd() {
            epoll.add(fd, EpollEvent::new(EpollFlags::EPOLLIN, ARRIVALS))?;
        }
        epoll.add(inbox.bell.as_fd(), EpollEvent::new(EpollFlags::EPOLLIN, BELL))?;
        let notices = Notices::new(settings.policy.mode > Mode::Observe)?;
        epoll.add(&notices, EpollEvent::new(EpollFlags::EPOLLIN, NOTICES))?;
        settings.policy.fastest = fastest_growth();
        tracing::info!(
            gigabytes_per_second = format!("{:.1}", settings.policy.fastest / 1e9),
            "the fastest growth that this machine can produce"
        );
        let settings = Arc::new(settings);
        let shared = Arc::new(Mutex::new(Arc::clone(&settings)));
        let trial = (settings.pin_trial && settings.policy.pin).then(|| {
            let letters = inbox.clone();
            Running::start(settings.store.clone(), move |window| letters.send(Message::PinTried(window)))
        });
        let letters = inbox.clone();
        let attachers = Attachers::start(&shared, move |pid, looked| letters.send(Message::Looked(pid, looked)))?;
        Ok(Self {
            settings,
            shared,
            inbox,
            common,
            epoll,
            arrivals,
            attachers,
            sampler: Sampler::start()?,
            notices,
            pin_window: None,
            _trial: trial.transpose()?,
            machine: Machine::detect(),
            started: Instant::now(),
            started_unix: SystemTime::UNIX_EPOCH.elapsed().map_or(0, |d| d.as_secs()),
            watched: BTreeMap::new(),
            due: BinaryHeap::new(),
            newborn: BTreeMap::new(),
            second_looks: SecondLooks::default(),
            readiness: Readiness::new(),
            passed: BTreeMap::new(),
            stopping: false,
        })
    }

    /// Watches until it is told to stop.
    pub(crate) fn keep_watch(mut self, inbox: &Receiver<Message>) -> io::Result<()> {
        // Threads that were started before do not inherit it; attendants do.
        run_before_others();
        let mut events = [EpollEvent::empty(); 64];
        loop {
            // Rounded up: epoll knows milliseconds, and asked for less than one it answers at once, hundreds of times until what is due is due.
            let timeout = self.sleep() + Duration::from_micros(999);
            let timeout = EpollTimeout::try_from(timeout).unwrap_or(EpollTimeout::ZERO);
            let n = match self.epoll.wait(&mut events, timeout) {
                Ok(n) => n,
                Err(nix::errno::Errno::EINTR) => 0,
                Err(e) => return Err(e.into()),
            };
            for event in events.get(..n).unwrap_or_default() {
                match event.data() {
                    ARRIVALS => {}
                    BELL => {
                        let _ = self.inbox.bell.read();
                    }
                    NOTICES => self.hear_notices(),
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
            self.notices.listen_again(Instant::now());
            self.hear_of_arrivals();
            self.look_at_all_that_are_due();
        }
    }

    /// Until something is due.
    fn sleep(&self) -> Duration {
        // Nothing is looked at any more: what is due stays due.
        if self.stopping {
            return Duration::from_millis(20);
        }
        let due = self.due.peek().map(|Reverse((at, _))| *at);
        let newborn = self.newborn.values().map(|(at, _)| *at).min();
        let next = [due, newborn, self.second_looks.due(), self.notices.due()]
            .into_iter()
            .flatten()
            .chain([self.arrivals.due()])
            .min();
        let most = Duration::from_secs(1);
        next.map_or(most, |at| at.saturating_duration_since(Instant::now())).min(most)
    }

    fn hear(&mut self, message: Message) {
        match message {
            Message::Looked(pid, looked) => self.looked(pid, looked),
            Message::Back(ward, left) => self.back(ward, &left),
            Message::PinTried(window) => self.pin_tried(window),
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

    /// The kernel says that the memory of groups runs out: their processes are looked at now, whoever does that.
    fn hear_notices(&mut self) {
        for pid in self.notices.heard(Instant::now()) {
            self.count(|c| c.notices += 1);
            tracing::debug!(pid, "the kernel says that its memory runs out");
            match self.watched.get(&pid).map(|w| &w.post) {
                Some(Post::Attendant(bell)) => drop(bell.write(LOOK)),
                Some(Post::Lookout(_)) => self.look(pid),
                None => {}
            }
        }
    }

    fn hear_of_arrivals(&mut self) {
        let news = self.arrivals.news();
        for pid in news.pids {
            // It has become another program, or is a new process with a number that was used before.
            self.passed.remove(&pid);
            self.second_looks.forget(pid);
            match self.watched.get(&pid).map(|w| &w.post) {
                // Who is only new is looked at more than once (`process_events.rs`): no reason to disturb.
                Some(Post::Attendant(_)) if !news.execs.iter().any(|(exec, _)| *exec == pid) => {}
                _ => self.look_at(pid),
            }
        }
        self.readiness.heard(news.execs);
        if news.all {
            self.look_at_everybody(news.lost);
        }
        let now = Instant::now();
        let due: Vec<i32> = self.newborn.iter().filter(|(_, (at, _))| *at <= now).map(|(pid, _)| *pid).collect();
        for pid in due {
            if let Some((at, _)) = self.newborn.get_mut(&pid) {
                // Until the answer is there.
                *at = now + BIRTH;
            }
            self.attachers.look_at(pid, Depth::Libraries);
        }
        for pid in self.second_looks.take_due(now) {
            self.attachers.look_at(pid, Depth::Libraries);
        }
    }

    fn look_at(&mut self, pid: i32) {
        match self.watched.get(&pid).map(|w| &w.post) {
            Some(Post::Attendant(bell)) => drop(bell.write(LEAVE)),
            // By exec: another program in the same process.
            Some(Post::Lookout(ward)) if ward.is_replaced() => {
                self.forget(pid);
                self.attachers.look_at(pid, Depth::Executable);
            }
            Some(Post::Lookout(_)) => {}
            None => self.attachers.look_at(pid, Depth::Executable),
        }
    }

    /// Everybody who is not known yet. `doubtful`: what is known of numbers may be of others that had them before. With events that is heard of: who takes a number and
    /// becomes a program is in one, and asking the kernel for the start of each process costs 30 microseconds.
    fn look_at_everybody(&mut self, doubtful: bool) {
        let pids = std::fs::read_dir("/proc")
            .map(|d| d.filter_map(|e| e.ok()?.file_name().to_str()?.parse::<i32>().ok()).collect::<BTreeSet<_>>());
        let pids = pids.unwrap_or_default();
        self.passed.retain(|pid, _| pids.contains(pid));
        self.readiness.only(&pids);
        for pid in pids {
            let known = self.watched.contains_key(&pid)
                || self.newborn.contains_key(&pid)
                || self.second_looks.knows(pid)
                || self
                    .passed
                    .get(&pid)
                    .is_some_and(|start| !doubtful || lastgasp_inferior::start_time(pid) == Some(*start));
            if !known {
                self.attachers.look_at(pid, Depth::Libraries);
            }
        }
    }

    fn looked(&mut self, pid: i32, looked: Looked) {
        if self.stopping || self.watched.contains_key(&pid) {
            return;
        }
        let now = Instant::now();
        if !matches!(looked, Looked::Other(_)) {
            self.second_looks.forget(pid);
        }
        match looked {
            Looked::NotYet => {
                let (_, since) = *self.newborn.get(&pid).unwrap_or(&(now, now));
                // Ever more rarely, and never later than by a quarter of the time that its start takes (from a cold disk: some 50 ms).
                let pause = (now.duration_since(since) / 4).clamp(Duration::from_millis(1), Duration::from_millis(250));
                if now.duration_since(since) < BIRTH {
                    self.newborn.insert(pid, (now + pause, since));
                } else {
                    self.newborn.remove(&pid);
                    self.pass(pid);
                }
                return;
            }
            Looked::Ward(arrived) => self.watch(*arrived),
            Looked::Refused { service, why } => {
                if self.pass(pid) {
                    tracing::warn!(pid, service, "not watched: {why}");
                    self.count(|c| c.refused += 1);
                }
            }
            Looked::Excluded => {
                self.pass(pid);
            }
            Looked::Other(Depth::Executable) => self.second_looks.begin(pid, now),
            Looked::Other(Depth::Libraries) => {
                if !self.second_looks.in_vain(pid) {
                    self.pass(pid);
                }
            }
            Looked::NoProcess => self.arrivals.no_process(pid),
        }
        self.newborn.remove(&pid);
        self.readiness.decided(pid);
    }

    /// Not to be looked at again; gives whether that is new.
    fn pass(&mut self, pid: i32) -> bool {
        lastgasp_inferior::start_time(pid).is_some_and(|start| self.passed.insert(pid, start) != Some(start))
    }

    fn watch(&mut self, arrived: Arrived) {
        let Arrived { mut ward, home, executable } = arrived;
        let pid = ward.pid;
        let vitals = Vitals::new(&ward.identity, &home, &executable);
        let ready = self.readiness.of(pid, executable.start_time);
        if let Some(took) = ready {
            self.count(|c| c.ready_seconds.add(took));
        }
        tracing::debug!(
            pid,
            service = vitals.0.service,
            container = home.container,
            go = vitals.0.go_version,
            limit = ward.limit_usage.limit.as_ref().map(|l| l.0),
            ready_ms = ready.map(|took| format!("{:.1}", took.as_secs_f64() * 1e3)),
            "watched"
        );
        self.count(|c| c.discovered += 1);
        self.notices.follow(pid, ward.limit_usage.limits());
        ward.memory.told = self.notices.tell_of(pid);
        let now = Instant::now();
        self.watched.insert(
            pid,
            Watched {
                post: Post::Lookout(Box::new(ward)),
                vitals: Arc::new(Mutex::new(vitals)),
                due: now,
                sampled: now.checked_sub(Duration::from_secs(3600)).unwrap_or(now),
                busy: Arc::new(AtomicBool::new(false)),
            },
        );
        self.listen_for_end(pid);
        self.look(pid);
    }

    fn listen_for_end(&self, pid: i32) {
        if let Some(Watched { post: Post::Lookout(ward), .. }) = self.watched.get(&pid)
            && let Some(exit) = &ward.exit
        {
            let _ = self.epoll.add(exit, EpollEvent::new(EpollFlags::EPOLLIN, pid as u64));
        }
    }

    fn look_at_all_that_are_due(&mut self) {
        let now = Instant::now();
        let mut looked = false;
        while let Some(Reverse((at, pid))) = self.due.peek().copied() {
            // The first one was waited for; others that are nearly due are taken along.
            if at > now + if looked { TOGETHER } else { Duration::ZERO } {
                break;
            }
            self.due.pop();
            if self.watched.get(&pid).is_some_and(|w| w.due == at) {
                self.look(pid);
                looked = true;
            }
        }
    }

    /// One look at a calm process's cgroup.
    fn look(&mut self, pid: i32) {
        self.machine.refresh(Duration::from_millis(200));
        let Some(watched) = self.watched.get_mut(&pid) else { return };
        let Post::Lookout(ward) = &mut watched.post else { return };
        // Kernels before 5.3 do not tell of ends: one that is gone must not be held on to.
        if ward.exit.is_none() && lastgasp_inferior::start_time(pid).is_none() {
            return self.ended(pid);
        }
        let rss = || lastgasp_inferior::resident_bytes(pid).unwrap_or(0);
        // Limits change seldom; which of them is nearest may change at once.
        let limits = Duration::from_millis(ward.clock.now_ms() / 4).clamp(LIMITS.0, LIMITS.1);
        if ward.limit_usage.age() > limits || ward.limit_usage.is_outdated(&self.machine) {
            ward.refresh_limits(rss, &self.machine);
            self.notices.follow(pid, ward.limit_usage.limits());
            ward.memory.told = self.notices.tell_of(pid);
            // Where nobody tells of an exec, it is looked for: what was held of the old program would stay charged.
            if !self.arrivals.has_events() && ward.is_replaced() {
                self.forget(pid);
                return self.attachers.look_at(pid, Depth::Executable);
            }
        }
        let usage = ward.limit_usage.usage_now(rss, &self.machine);
        let point = Point { t_ms: ward.clock.now_ms(), bytes: usage };
        let before = ward.memory.clone();
        let step = ward.decide(&self.settings.policy, point);
        let danger = ward.memory.state > State::Watch || step.acts.strike || step.acts.trip.is_some();
        if danger {
            // The attendant decides afresh.
            ward.memory = before;
        } else {
            match step.acts.pin {
                Some(true) => {
                    if let Err(e) = ward.arm() {
                        Vitals::of(&watched.vitals, |v| v.0.problem = Some(format!("not armed: {e}")));
                    }
                }
                Some(false) => ward.pin = None,
                None => {}
            }
        }
        Vitals::of(&watched.vitals, |v| v.decided(usage, &step, ward));
        if watched.sampled.elapsed() >= self.settings.light_sample {
            watched.sampled = Instant::now();
            self.sampler.sample(Job {
                record: Arc::clone(&ward.record),
                vitals: Arc::clone(&watched.vitals),
                usage,
                busy: Arc::clone(&watched.busy),
            });
        }
        watched.due = together(self.started, Instant::now() + step.sleep, step.sleep);
        self.due.push(Reverse((watched.due, pid)));
        if danger {
            self.call_attendant(pid, false);
        }
    }

    /// A calm process has ended.
    fn ended(&mut self, pid: i32) {
        self.call_attendant(pid, true);
    }

    /// Hands a process to a thread of its own; `dead`: to read what is left of it.
    fn call_attendant(&mut self, pid: i32, dead: bool) {
        let Some(watched) = self.watched.get_mut(&pid) else { return };
        let bell = EventFd::from_value_and_flags(0, EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK);
        let Ok(bell) = bell.map(Arc::new) else { return };
        let post = std::mem::replace(&mut watched.post, Post::Attendant(Arc::clone(&bell)));
        let Post::Lookout(mut ward) = post else {
            watched.post = post;
            return;
        };
        if let Some(exit) = &ward.exit {
            let _ = self.epoll.delete(exit);
        }
        let mut hands = Attendant {
            common: Arc::clone(&self.common),
            vitals: Arc::clone(&watched.vitals),
            bell,
            stopper: None,
            tripwire: None,
            brake: self.settings.policy.brake,
            brake_rules: self.settings.brake,
            looked: Instant::now(),
            woken: Instant::now(),
            notes: Vec::new(),
        };
        let (policy, inbox) = (self.settings.policy.clone(), self.inbox.clone());
        let attend = move || {
            let mut machine = Machine::detect();
            let left = if dead {
                let ended = ward.after_death(&policy, &mut machine, &mut hands);
                ward.pin = None;
                Left::Ended(ended)
            } else {
                ward.attend(&policy, &mut machine, &mut hands, Some(CALM_AGAIN))
            };
            inbox.send(Message::Back(ward, left));
        };
        let thread = std::thread::Builder::new().name("attend".into()).stack_size(512 << 10).spawn(attend);
        if let Err(e) = thread {
            // Its ward went with the closure: the scan finds the process again.
            tracing::error!(pid, "no attendant: {e}");
            self.forget(pid);
        }
    }

    /// An attendant is done.
    fn back(&mut self, ward: Box<Ward>, left: &Left) {
        let pid = ward.pid;
        match left {
            Left::Ended(ended) => {
                self.count(|c| {
                    c.oom_kills += u64::from(ended.oom);
                    c.kills += u64::from(ended.killed && !ended.oom);
                });
                if let Some(why) = &ended.unread {
                    self.count(|c| c.captures_dropped += 1);
                    tracing::warn!(pid, "no evidence from after its death: {why}");
                }
                if ended.oom {
                    let (last_usage, age_ms) = ward.last_look();
                    tracing::info!(
                        pid,
                        service = ward.identity.service,
                        strikes = ward.memory.strikes,
                        last_usage,
                        age_ms,
                        "killed by the kernel: out of memory"
                    );
                } else {
                    tracing::debug!(pid, service = ward.identity.service, killed = ended.killed, "ended");
                }
                self.forget(pid);
                // A number that was used again at once.
                self.attachers.look_at(pid, Depth::Executable);
            }
            Left::Replaced => {
                self.forget(pid);
                self.attachers.look_at(pid, Depth::Executable);
            }
            // By another configuration meanwhile.
            Left::Calm | Left::CalledAway if !self.is_wanted(&ward) => {
                self.forget(pid);
                self.pass(pid);
            }
            Left::Calm | Left::CalledAway => {
                if let Some(watched) = self.watched.get_mut(&pid) {
                    watched.post = Post::Lookout(ward);
                    watched.due = Instant::now();
                    self.due.push(Reverse((watched.due, pid)));
                    self.listen_for_end(pid);
                    self.look_at(pid);
                }
            }
        }
    }

    /// It is watched no longer, whoever did.
    fn forget(&mut self, pid: i32) {
        self.notices.forget(pid);
        if let Some(Watched { post: Post::Lookout(ward), .. }) = self.watched.remove(&pid)
            && let Some(exit) = &ward.exit
        {
            let _ = self.epoll.delete(exit);
        }
    }

    fn call_away(&self) {
        for watched in self.watched.values() {
            if let Post::Attendant(bell) = &watched.post {
                let _ = bell.write(LEAVE);
            }
        }
    }

    /// Whether all attendants are back; a little longer than a dead one's memory can be read is waited for them.
    fn may_leave(&self) -> bool {
        !self.watched.values().any(|w| matches!(w.post, Post::Attendant(_)))
    }

    /// What holding memory is worth here is known now.
    fn pin_tried(&mut self, window: PinWindow) {
        let keeps = window.keeps(&release());
        match &window {
            PinWindow::Measured(_) if keeps => tracing::info!("{window}"),
            PinWindow::Unmeasured { .. } if keeps => tracing::warn!("{window}"),
            _ => tracing::error!(
                "{window}. Evidence hangs on the copy before the end alone: processes are looked at more often and stopped twice as early"
            ),
        }
        self.pin_window = Some(window);
        if self.settings.policy.pin_keeps != keeps {
            let mut settings = Settings::clone(&self.settings);
            settings.policy.pin_keeps = keeps;
            self.use_settings(settings);
            self.call_away();
        }
    }

    fn use_settings(&mut self, settings: Settings) {
        self.settings = Arc::new(settings);
        *self.shared.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&self.settings);
    }

    fn reload(&mut self, settings: Settings) {
        let mut settings = settings;
        // Measured, and not configured.
        settings.policy.fastest = self.settings.policy.fastest;
        settings.policy.pin_keeps = self.settings.policy.pin_keeps;
        self.notices.allow(settings.policy.mode > Mode::Observe);
        self.use_settings(settings);
        self.common.gate.resize(self.settings.concurrent_stops);
        self.common.budget.resize(self.settings.memory);
        self.count(|c| c.reloads += 1);
        // Attendants come back and are sent again with the new ones; who is watched and who is not is seen afresh.
        self.call_away();
        let calm = self.watched.iter().filter_map(|(pid, watched)| match &watched.post {
            Post::Lookout(ward) if !self.is_wanted(ward) => Some(*pid),
            _ => None,
        });
        for pid in calm.collect::<Vec<i32>>() {
            self.forget(pid);
        }
        self.passed.clear();
        self.look_at_everybody(true);
    }

    fn is_wanted(&self, ward: &Ward) -> bool {
        self.settings.wants(&ward.identity, &home(&ward.identity.cgroup))
    }

    fn status(&self) -> Status {
        Status {
            started_unix: self.started_unix,
            mode: self.settings.policy.mode.name(),
            process_events: self.arrivals.has_events(),
            pin_window: self.pin_window.clone(),
            wards: self.watched.values().map(|w| Vitals::of(&w.vitals, |v| v.0.clone())).collect(),
            counters: self.common.counters.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }

    fn count(&self, change: impl FnOnce(&mut super::status::Counters)) {
        count(&self.common.counters, change);
    }
}

/// The moment at or before `due`, for sleeps that are long: never later than the policy wants it.
fn together(started: Instant, due: Instant, sleep: Duration) -> Instant {
    if sleep < 2 * MOMENT {
        return due;
    }
    let since = due.duration_since(started);
    due - Duration::from_nanos((since.as_nanos() % MOMENT.as_nanos()) as u64)
}
