//! `lastgasp run`: a command under the recorder.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::PathBuf;
use std::process::{Child, Command};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use lastgasp_goruntime::{DiscoverError, Gauges};
use lastgasp_inferior::{Usage, resident_bytes};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;

use crate::cgroup::{Cgroup, Mounts, OwnCgroup};
use crate::discover::{Discoverer, descendants};
use crate::gauge::Gauge;
use crate::journal::{self, Journal};
use crate::locations::Locations;
use crate::pin::Pin;
use crate::policy::{self, Action, Policy, State};
use crate::profiling::{Profiling, RATE};
use crate::sampler::{PROFILING_ON, Sample, Timeline};
use crate::signals::Signals;
use crate::stop::Stopper;
use crate::sys::{pidfd_open, run_before_others};
use crate::take::{Circumstances, Phase, Reason, Taken, take};
use crate::target::{AttachError, Target};
use crate::watchdog::Watchdog;

/// The hidden subcommand that enters cgroups and then becomes the command.
pub const ENTER_SUBCOMMAND: &str = "enter";

/// What to run, and how.
#[derive(Clone, Debug)]
pub struct Config {
    /// The command and its arguments.
    pub command: Vec<OsString>,
    /// Limit of the group of its own.
    pub memory_max: Option<u64>,
    /// Where captures go; the journal stands there too.
    pub store: PathBuf,
    /// When to act.
    pub policy: Policy,
    /// Whether to switch on the memory profile of a program that keeps none.
    pub enable_profiling: bool,
    /// Tells the user something at once.
    pub say: fn(&str),
}

/// How it went.
#[derive(Debug)]
pub struct Outcome {
    /// How the command ended.
    pub status: WaitStatus,
    /// Whether the kernel's OOM killer ended a process of the command.
    pub oom_killed: bool,
    /// Whether a Go process was found and watched.
    pub watched: bool,
    /// What could not be done, for the user.
    pub notes: Vec<String>,
}

/// Runs the command to its end. `sink` gets what was taken, on a thread of its own, in the order of taking.
///
/// # Errors
/// The command could not be started.
pub fn run(config: &Config, sink: impl FnMut(Taken) + Send + 'static) -> io::Result<Outcome> {
    if config.command.is_empty() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "no command"));
    }
    let mut notes = journal::recover(&config.store);
    let signals = Signals::block();
    let mounts = Mounts::detect();
    let (sender, receiver) = mpsc::channel::<Taken>();
    let worker = std::thread::Builder::new().name("decode".into()).spawn(move || receiver.iter().for_each(sink))?;
    let group = match OwnCgroup::create(&mounts, &format!("lastgasp-run-{}", std::process::id()), config.memory_max) {
        Ok(group) => Some(group),
        Err(e) => {
            notes.push(format!(
                "no cgroup of its own ({e}): no limit was set and the process is watched by its RSS; run as root"
            ));
            None
        }
    };
    let dirs = group.as_ref().map(|g| g.dirs().to_vec()).unwrap_or_default();
    let journal = match Journal::open(&config.store, &dirs, &dirs) {
        Ok(j) => Some(j),
        Err(e) => {
            notes.push(format!(
                "no journal in {} ({e}): the target will be stopped by ptrace only",
                config.store.display()
            ));
            None
        }
    };
    let freezer = group.as_ref().and_then(|g| g.cgroup.freezer.clone());
    let watchdog = if dirs.is_empty() {
        None
    } else {
        Watchdog::start(&dirs).map_err(|e| notes.push(format!("no watchdog: {e}"))).ok()
    };
    let stopper = match (freezer, watchdog, &journal) {
        (Some(dir), Some(watchdog), Some(_)) => Stopper::Freezer(dir, watchdog),
        _ => Stopper::by_ptrace(),
    };
    let child = spawn(config, &dirs)?;
    // After the command was started: it must not inherit this.
    run_before_others();
    let mut watch = Watch {
        config,
        mounts,
        group: group.as_ref().map(|g| &g.cgroup),
        stopper,
        child,
        signals,
        timeline: Timeline::default(),
        notes,
        sender,
        discoverer: Discoverer::default(),
        locations: Locations::of_user(),
        refused: Vec::new(),
        last_usage: None,
        oom_killed: false,
        watched: false,
        ended: None,
    };
    let status = watch.until_the_end();
    let Watch { stopper, notes, sender, oom_killed, watched, .. } = watch;
    drop(sender);
    let _ = worker.join();
    let removed = group.is_none_or(OwnCgroup::remove);
    if removed {
        if let Stopper::Freezer(_, watchdog) = stopper {
            watchdog.dismiss();
        }
    } else if let Some(journal) = journal {
        // The command left a process behind: the watchdog stays with it, and so does what the next start needs if that dies too.
        journal.keep();
    }
    Ok(Outcome { status, oom_killed, watched, notes })
}

fn spawn(config: &Config, dirs: &[PathBuf]) -> io::Result<Child> {
    let mut command = if dirs.is_empty() {
        let mut c = Command::new(config.command.first().ok_or(io::ErrorKind::InvalidInput)?);
        c.args(config.command.iter().skip(1));
        c
    } else {
        // It enters the groups itself before it becomes the command: not a byte of the command's is charged elsewhere.
        let mut c = Command::new("/proc/self/exe");
        c.arg(ENTER_SUBCOMMAND);
        for dir in dirs {
            c.arg("--cgroup").arg(dir);
        }
        c.arg("--").args(&config.command);
        c
    };
    command.spawn().map_err(|e| {
        io::Error::new(
            e.kind(),
            format!("{}: {e}", config.command.first().map_or_else(String::new, |c| c.to_string_lossy().into_owned())),
        )
    })
}

struct Watch<'a> {
    config: &'a Config,
    mounts: Mounts,
    group: Option<&'a Cgroup>,
    stopper: Stopper,
    child: Child,
    signals: Signals,
    timeline: Timeline,
    notes: Vec<String>,
    sender: mpsc::Sender<Taken>,
    discoverer: Discoverer,
    locations: Locations,
    /// Processes that will never be readable.
    refused: Vec<i32>,
    last_usage: Option<(Usage, u64)>,
    oom_killed: bool,
    watched: bool,
    ended: Option<WaitStatus>,
}

impl Watch<'_> {
    fn until_the_end(&mut self) -> WaitStatus {
        loop {
            if let Some(status) = self.reap() {
                return status;
            }
            match self.find_target() {
                Some(target) => self.follow(target),
                None => {
                    let pause = if self.timeline.now_ms() < 5000 { 5 } else { 100 };
                    self.sleep(None, Duration::from_millis(pause));
                }
            }
        }
    }

    /// The command's status once it has ended.
    fn reap(&mut self) -> Option<WaitStatus> {
        let waited = if self.ended.is_none() { self.child.try_wait() } else { Ok(None) };
        if waited.as_ref().is_err_and(|e| e.raw_os_error() == Some(nix::errno::Errno::ECHILD as i32)) {
            self.note_once("how the command ended is not known".into());
            self.ended = Some(WaitStatus::Signaled(Pid::from_raw(self.child.id() as i32), Signal::SIGKILL, false));
        }
        if let Ok(Some(status)) = waited {
            use std::os::unix::process::ExitStatusExt as _;
            let pid = Pid::from_raw(self.child.id() as i32);
            self.ended = Some(match status.signal().and_then(|s| Signal::try_from(s).ok()) {
                Some(signal) => WaitStatus::Signaled(pid, signal, status.core_dumped()),
                None => WaitStatus::Exited(pid, status.code().unwrap_or(0)),
            });
        }
        self.ended
    }

    /// The largest Go process of the command that can be read.
    fn find_target(&mut self) -> Option<Target> {
        let pids = self.processes();
        let mut best: Option<(u64, Target)> = None;
        let own = std::fs::read_link("/proc/self/exe").ok();
        for pid in pids.into_iter().filter(|p| !self.refused.contains(p)).collect::<Vec<_>>() {
            if std::fs::read_link(format!("/proc/{pid}/exe")).ok() == own || self.discoverer.go_process(pid).is_none() {
                continue;
            }
            match Target::attach(pid, &self.mounts, &self.locations) {
                Ok(target) => {
                    let rss = target.process.rss().unwrap_or(0);
                    if best.as_ref().is_none_or(|(most, _)| rss > *most) {
                        best = Some((rss, target));
                    }
                }
                // The runtime may not have started yet: try again, for the first seconds of its life.
                Err(AttachError::Discover(DiscoverError::Unreadable { .. })) if self.timeline.now_ms() < 2000 => {}
                Err(AttachError::Open(_)) => {}
                Err(e) => {
                    self.notes.push(format!("process {pid} is not watched: {e}"));
                    self.refused.push(pid);
                }
            }
        }
        best.map(|(_, target)| target)
    }

    /// Watches one process to its end.
    fn follow(&mut self, mut target: Target) {
        let pid = target.process.pid();
        self.watched = true;
        self.timeline.note("attach", format!("process {pid}, {}", target.runtime.version));
        let exit = pidfd_open(pid);
        let _profiling = self.enable_profiling(&target);
        let mut gauge = self.gauge(&target);
        let kills_before = gauge.oom_kills();
        let mut memory = policy::Memory::default();
        let mut steady = true;
        let image = auxv(pid);
        let mut pin: Option<Pin> = None;
        let (mut refreshed, mut baseline_due, mut looked_around) = (Instant::now(), Instant::now(), Instant::now());
        loop {
            let state = memory.state;
            if gauge.refreshed.elapsed() > Duration::from_millis(if state == State::Watch { 1000 } else { 100 }) {
                gauge = self.gauge(&target);
                // Another program by exec: the old one's memory would stay charged to it as long as we held on, and what we know of it is void.
                if auxv(pid).is_some_and(|now| Some(now) != image) {
                    self.timeline.note("exit", "became another program");
                    return;
                }
            }
            // The dead have no RSS: near the end it is noted at every look.
            if state == State::Armed || self.last_usage.is_none_or(|(_, t)| self.timeline.now_ms() >= t + 1000) {
                self.last_usage = target.process.usage().map(|u| (u, self.timeline.now_ms())).or(self.last_usage);
            }
            let Some(sample) = self.sample(&target, &gauge) else {
                break;
            };
            self.timeline.push(sample);
            // A service may be steady at 70 % of its limit: what counts for a baseline is that it does not grow.
            if steady && baseline_due.elapsed() > Duration::ZERO {
                let started = Instant::now();
                target.refresh();
                target.note_baseline(sample.t_ms);
                // Calm cost at most one part in a thousand of a core, however large the profile.
                baseline_due =
                    Instant::now() + (started.elapsed() * 1000).clamp(Duration::from_secs(2), Duration::from_secs(300));
                refreshed = Instant::now();
            } else if state != State::Watch && refreshed.elapsed() > Duration::from_millis(200) {
                target.refresh();
                refreshed = Instant::now();
            }
            let limit = gauge.limit.as_ref().map(|l| l.0);
            let step = self.config.policy.step(&mut memory, &self.timeline.recent_usage(200), limit);
            steady = step.time_to_oom.is_none_or(|t| t > 60.0);
            match step.action {
                Action::Arm => match target.process.mem_file().and_then(|mem| Pin::hold(mem, target.readable())) {
                    Ok(held) => {
                        self.timeline.note("arm", "address space pinned");
                        pin = Some(held);
                    }
                    Err(e) => self.note_once(format!("not armed: {e}")),
                },
                Action::Disarm => {
                    self.timeline.note("disarm", "address space released");
                    pin = None;
                }
                Action::Strike => self.strike(&target, &gauge),
                Action::None => {}
            }
            if self.sleep(exit.as_ref(), step.sleep) || (exit.is_none() && !target.process.is_alive()) {
                break;
            }
            if state == State::Watch && looked_around.elapsed() > Duration::from_secs(1) {
                looked_around = Instant::now();
                if self.a_larger_one_than(pid, sample.rss) {
                    return;
                }
            }
        }
        self.after_death(&target, &gauge, kills_before, pin.is_some());
        drop(pin);
    }

    /// Switches the profile on if that was asked for and it is off; off again when the result is dropped.
    fn enable_profiling(&mut self, target: &Target) -> Option<Profiling> {
        let off = target.is_unprofiled();
        if !self.config.enable_profiling || !off {
            return None;
        }
        /// As long as a command may run.
        const MOST: Duration = Duration::from_secs(365 * 24 * 3600);
        match Profiling::enable(target, &self.config.store, MOST) {
            Ok(on) => {
                let pid = target.process.pid();
                self.timeline.note(
                    PROFILING_ON,
                    "the memory profile was switched on by lastgasp: what was allocated before has no site",
                );
                // At once, and not among the notes at the end.
                (self.config.say)(&format!(
                    "--enable-profiling: wrote {RATE} to runtime.MemProfileRate of process {pid} (at {}); back to 0 at the end",
                    on.addr()
                ));
                Some(on)
            }
            Err(e) => {
                self.note_once(e.to_string());
                None
            }
        }
    }

    fn strike(&mut self, target: &Target, gauge: &Gauge) {
        self.timeline.note("freeze", "memory is about to be used up: stopped and copied");
        let around = Circumstances {
            phase: Phase::PreKill,
            reason: Reason::Forecast,
            timeline: &self.timeline,
            limit: gauge.limit.clone(),
            last_usage: self.last_usage,
        };
        let taken = take(target, Some(&mut self.stopper), around);
        // Killed between the decision and the copy (seen on a starved virtual machine): without the runtime's own numbers there is nothing to say.
        if Gauges::read(&taken.runtime, &taken.evidence.snapshot).is_err() {
            self.timeline.note("freeze", "too late: it was dead before it was copied");
            return;
        }
        let _ = self.sender.send(taken);
    }

    /// The process has ended, or is about to be reaped: say how, and read what the pin has kept.
    fn after_death(&mut self, target: &Target, gauge: &Gauge, kills_before: u64, pinned: bool) {
        let pid = target.process.pid();
        let ended = how_it_ended(pid);
        // The counter is raised before the signal is sent, but give a slow kernel a moment.
        let counted = || gauge.oom_kills() > kills_before;
        let signaled = ended.is_some_and(|s| matches!(s, WaitStatus::Signaled(_, Signal::SIGKILL, _)));
        let oom = (signaled || ended.is_none())
            && (counted() || {
                std::thread::sleep(Duration::from_millis(2));
                counted()
            });
        self.oom_killed |= oom;
        let killed = signaled || oom;
        let (kind, text) = match (oom, killed) {
            (true, _) => ("oom-kill", "killed by the kernel: out of memory"),
            (false, true) => ("kill", "killed"),
            _ if ended.is_none() => ("exit", "ended (not our child: how is not known)"),
            _ => ("exit", "ended by itself"),
        };
        self.timeline.note(kind, text);
        if !killed {
            return;
        }
        if !pinned || !target.is_readable() {
            let why = match (pinned, self.config.policy.pin) {
                (true, _) => "killed, and its memory was gone at once",
                (false, true) => "killed without the pin: nothing could be read afterwards",
                (false, false) => return,
            };
            self.note_once(why.into());
            return;
        }
        let reason = if oom { Reason::OomKill } else { Reason::Killed };
        let around = Circumstances {
            phase: Phase::PostKill,
            reason,
            timeline: &self.timeline,
            limit: gauge.limit.clone(),
            last_usage: self.last_usage,
        };
        let _ = self.sender.send(take(target, None, around));
    }

    fn note_once(&mut self, note: String) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    fn gauge(&self, target: &Target) -> Gauge {
        let rss = target.process.rss().unwrap_or(0);
        Gauge::of(target.process.pid(), rss, self.group, self.config.memory_max, &self.mounts)
    }

    fn sample(&self, target: &Target, gauge: &Gauge) -> Option<Sample> {
        let rss = target.process.rss()?;
        let gauges = target.gauges()?;
        Some(Sample {
            t_ms: self.timeline.now_ms(),
            usage: gauge.usage(rss),
            rss,
            heap_live: gauges.heap_live,
            goroutines: gauges.goroutine_slots,
            gc_cycles: gauges.gc_cycles,
        })
    }
}

/// The kernel's words to the program at its start, which hold random addresses: they change with every exec and with nothing else.
fn auxv(pid: i32) -> Option<Vec<u8>> {
    std::fs::read(format!("/proc/{pid}/auxv")).ok().filter(|b| !b.is_empty())
}

/// How a child of ours ended, without reaping it; `None` if it is not a child of ours.
fn how_it_ended(pid: i32) -> Option<WaitStatus> {
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT | WaitPidFlag::WNOHANG;
    for _ in 0..100 {
        match waitid(Id::Pid(Pid::from_raw(pid)), flags) {
            Ok(WaitStatus::StillAlive) => std::thread::sleep(Duration::from_millis(1)),
            Ok(status) => return Some(status),
            Err(_) => return None,
        }
    }
    None
}

impl Watch<'_> {
    /// Sleeps, or until the process behind `exit` ends. Gives whether it has ended.
    fn sleep(&self, exit: Option<&OwnedFd>, sleep: Duration) -> bool {
        let timeout = PollTimeout::try_from(sleep).unwrap_or(PollTimeout::ZERO);
        let ready = |fd: &PollFd<'_>| fd.revents().is_some_and(|r| r.contains(PollFlags::POLLIN));
        let mut fds: Vec<PollFd<'_>> = Vec::with_capacity(2);
        fds.extend(exit.map(|e| PollFd::new(e.as_fd(), PollFlags::POLLIN)));
        fds.extend(self.signals.fd().map(|fd| PollFd::new(fd, PollFlags::POLLIN)));
        let _ = poll(&mut fds, timeout);
        self.signals.forward(self.child.id() as i32);
        exit.is_some() && fds.first().is_some_and(ready)
    }

    /// Whether the command has meanwhile started a Go process that is clearly larger: `go run`, or a launcher written in Go.
    fn a_larger_one_than(&mut self, pid: i32, rss: u64) -> bool {
        let others = self.processes().into_iter().filter(|p| *p != pid && !self.refused.contains(p));
        let larger: Vec<i32> = others.filter(|p| resident_bytes(*p).unwrap_or(0) > rss + rss / 2 + (8 << 20)).collect();
        larger.into_iter().any(|p| self.discoverer.go_process(p).is_some())
    }

    fn processes(&self) -> Vec<i32> {
        match self.group {
            Some(group) => group.processes(),
            None => descendants(self.child.id() as i32),
        }
    }
}
