//! `lastgasp run`: a command under the recorder.

use std::ffi::OsString;
use std::io;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use lastgasp_goruntime::DiscoverError;
use lastgasp_inferior::resident_bytes;
use lastgasp_observe::kernel::cgroup::{Cgroup, Mounts};
use lastgasp_observe::kernel::limit::LimitUsage;
use lastgasp_observe::kernel::machine::Machine;
use lastgasp_observe::kernel::process_tree::descendants;
use lastgasp_observe::raw_capture::{DeadMemory, Phase, RawCapture, Source};
use lastgasp_observe::target::discover::Discoverer;
use lastgasp_observe::target::runtime_cache::RuntimeCache;
use lastgasp_observe::target::timeline::{PROFILING_ON, Sample};
use lastgasp_observe::target::{AttachError, Target};
use nix::sys::signal::Signal;
use nix::sys::wait::WaitStatus;
use nix::unistd::Pid;

use crate::act::own_cgroup::OwnCgroup;
use crate::act::profiling::Profiling;
use crate::act::stop::Stopper;
use crate::decide::graph_turn::GraphRules;
use crate::decide::policy::{BrakeAct, Measured, Policy};
use crate::guard::{Panicked, USUAL_STACK, guarded, spawn_guarded};
use crate::own_process::run_before_others;
use crate::run::signals::Signals;
use crate::take::CaptureContext;
use crate::take::dead_heap::{Surroundings, Turns, turn_for};
use crate::take::keeper::{Hold, Keeper};
use crate::undo::journal::{self, Journal};
use crate::undo::profile_rate::RATE;
use crate::undo::watchdog::Watchdog;
use crate::watch::actor::{Actor, Sleeper, Woken};
use crate::watch::decisions::Decided;
use crate::watch::default_actor::{self, Notes, take_in_time};
use crate::watch::history::lock;
use crate::watch::stop_reason::StopReason;
use crate::watch::target_watch::TargetWatch;
use crate::watch::watch_loop::Rules;

/// The hidden subcommand that enters cgroups and then becomes the command.
pub(crate) const ENTER_SUBCOMMAND: &str = "enter";

/// Name of the thread that is handed evidence.
const DECODE: &str = "decode";

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
    /// Whether memory beside the evidence is to be kept: what is taken comes with where it can be read.
    pub keep_memory: bool,
    /// Whether the dead are held for a graph of their heap.
    pub graph: Option<GraphRules>,
    /// Tells the user something at once.
    pub say: fn(&str),
}

/// What was taken.
#[derive(Debug)]
pub struct Captured {
    /// The evidence.
    pub raw: RawCapture,
    /// Where other memory can be read, if it is to be kept. A dead process is held until this is dropped, no
    /// longer than it would be held anyway for its evidence.
    pub source: Option<Source>,
    /// Memory of a process that was killed for memory, held the same way, for the graph of its heap.
    pub dead: Option<DeadMemory>,
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
pub fn run(config: &Config, sink: impl FnMut(Captured) + Send + 'static) -> io::Result<Outcome> {
    if config.command.is_empty() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "no command"));
    }
    let mut notes = journal::recover(&config.store);
    let signals = Signals::block();
    let mounts = Mounts::detect();
    let (sender, receiver) = mpsc::channel::<Captured>();
    let worker = spawn_guarded(DECODE, USUAL_STACK, move || hand_to(sink, receiver))?;
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
                "no journal in {} ({e}): should lastgasp and its watchdog both be killed, the command's group is left behind",
                config.store.display()
            ));
            None
        }
    };
    let watchdog = Watchdog::start(&dirs).map_err(|e| notes.push(format!("no watchdog: {e}"))).ok().map(Arc::new);
    let stopper = Stopper::by_ptrace_with(watchdog.clone());
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
        began: Instant::now(),
        machine: Machine::detect(),
        notes: Notes::from(notes),
        sender,
        discoverer: Discoverer::default(),
        cache: RuntimeCache::of_user(),
        refused: Vec::new(),
        oom_killed: false,
        watched: false,
        ended: None,
        keeper: None,
        turns: Turns::default(),
    };
    let status = watch.until_the_end();
    let Watch { notes, sender, oom_killed, watched, .. } = watch;
    drop(sender);
    let lost = worker.join().unwrap_or_else(|_| Ok(Vec::new())).unwrap_or_else(|panicked| vec![panicked]);
    let mut notes = notes.all();
    notes.extend(lost.iter().map(|panicked| format!("a capture was lost: {panicked}")));
    let removed = group.is_none_or(OwnCgroup::remove);
    if removed {
        if let Some(watchdog) = watchdog {
            watchdog.dismiss();
        }
    } else if let Some(journal) = journal {
        // The command left a process behind: the watchdog stays with it, and so does what the next start
        // needs if that dies too.
        journal.keep();
    }
    Ok(Outcome { status, oom_killed, watched, notes })
}

/// Hands evidence on, one after the other; gives the panics, each of which cost one.
fn hand_to<T>(mut sink: impl FnMut(T), evidence: mpsc::Receiver<T>) -> Vec<Panicked> {
    let one = |raw| {
        // Not before there is something: the command was not started yet then, and must not inherit it. What
        // is not on disk yet may be lost, and the heap of the dead is there for two seconds; a worker that
        // reads it inherits this. (Seen: beside a busy loop for each processor, no graph of ten was whole.)
        run_before_others();
        guarded(DECODE, || sink(raw)).err()
    };
    evidence.into_iter().filter_map(one).collect()
}

fn spawn(config: &Config, dirs: &[PathBuf]) -> io::Result<Child> {
    let mut command = if dirs.is_empty() {
        let mut c = Command::new(config.command.first().ok_or(io::ErrorKind::InvalidInput)?);
        c.args(config.command.iter().skip(1));
        c
    } else {
        // It enters the groups itself before it becomes the command: not a byte of the command's is charged
        // elsewhere.
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
    began: Instant,
    machine: Machine,
    notes: Notes,
    sender: mpsc::Sender<Captured>,
    discoverer: Discoverer,
    cache: RuntimeCache,
    /// Processes that will never be readable.
    refused: Vec<i32>,
    oom_killed: bool,
    watched: bool,
    ended: Option<WaitStatus>,
    /// Of the process that is watched, if its memory is to be kept.
    keeper: Option<Keeper>,
    turns: Turns,
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
                    let pause = if self.began.elapsed() < Duration::from_secs(5) { 5 } else { 100 };
                    let _ = self.sleep(None, Duration::from_millis(pause));
                }
            }
        }
    }

    /// The command's status once it has ended.
    fn reap(&mut self) -> Option<WaitStatus> {
        let waited = if self.ended.is_none() { self.child.try_wait() } else { Ok(None) };
        if waited.as_ref().is_err_and(|e| e.raw_os_error() == Some(nix::errno::Errno::ECHILD as i32)) {
            self.notes.add("how the command ended is not known");
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
            match Target::attach(pid, &self.mounts, &self.cache) {
                Ok(target) => {
                    let rss = target.process.rss().unwrap_or(0);
                    if best.as_ref().is_none_or(|(most, _)| rss > *most) {
                        best = Some((rss, target));
                    }
                }
                // The runtime may not have started yet: try again, for the first seconds of its life.
                Err(AttachError::Discover(DiscoverError::Unreadable { .. }))
                    if self.began.elapsed() < Duration::from_secs(2) => {}
                Err(AttachError::Open(_)) => {}
                Err(e) => {
                    self.notes.add(&format!("process {pid} is not watched: {e}"));
                    self.refused.push(pid);
                }
            }
        }
        best.map(|(_, target)| target)
    }

    /// Watches one process to its end.
    fn follow(&mut self, target: Target) {
        self.watched = true;
        let profiling = self.enable_profiling(&target);
        self.keeper = if self.config.keep_memory { Keeper::open(&target.process) } else { None };
        let rss = target.process.rss().unwrap_or(0);
        let limit_usage =
            LimitUsage::of(target.process.pid(), rss, self.group, self.config.memory_max, &self.mounts, &self.machine);
        let mut watch = TargetWatch::new(target, limit_usage, &self.machine);
        if profiling.is_some() {
            let what = "the memory profile was switched on by lastgasp: what was allocated before has no site";
            lock(&watch.history).timeline.note(PROFILING_ON, what);
        }
        lock(&watch.history).first_look(&mut watch.limit_usage);
        let mut machine = Machine::detect();
        let rules = Rules { policy: &self.config.policy, measured: Measured::default() };
        if let StopReason::Ended(ended) = watch.watch_loop(rules, &mut machine, self, None) {
            self.oom_killed |= ended.oom;
            if let Some(why) = ended.unread {
                self.notes.add(&why);
            }
        }
        drop(profiling);
    }

    /// Switches the profile on if that was asked for and it is off; off again when the result is dropped.
    fn enable_profiling(&mut self, target: &Target) -> Option<Profiling> {
        let off = target.is_unprofiled();
        if !self.config.enable_profiling || !off {
            return None;
        }
        /// As long as a command may run.
        const MAX_TIME: Duration = Duration::from_secs(365 * 24 * 3600);
        match Profiling::enable(target, &self.config.store, MAX_TIME) {
            Ok(on) => {
                let pid = target.process.pid();
                // At once, and not among the notes at the end.
                (self.config.say)(&format!(
                    "--enable-profiling: wrote {RATE} to runtime.MemProfileRate of process {pid} (at {}); back to 0 at the end",
                    on.addr()
                ));
                Some(on)
            }
            Err(e) => {
                self.notes.add(&e.to_string());
                None
            }
        }
    }
}

impl Sleeper for Watch<'_> {
    /// Signals that arrive meanwhile are handed on to the command.
    fn sleep(&mut self, exit: Option<BorrowedFd<'_>>, at_most: Duration) -> Woken {
        let ready = default_actor::sleep(exit, self.signals.fd(), at_most);
        self.signals.forward(self.child.id() as i32);
        if ready.exited { Woken::Exited } else { Woken::Due }
    }
}

impl Actor for Watch<'_> {
    fn take(&mut self, target: &Target, context: CaptureContext<'_>, until: Instant) -> Result<(), String> {
        let stopper = (context.phase == Phase::PreKill).then_some(&self.stopper);
        let group = context.group.cloned();
        let (mut raw, worthless) = take_in_time(target, stopper, context);
        // What is known of it all the same is handed on by itself ([`Actor::hand_on`]).
        if let Some(why) = worthless {
            return Err(why);
        }
        if raw.phase != Phase::PostKill {
            let source = self.keeper.as_ref().map(|k| k.source(raw.phase, None));
            let _ = self.sender.send(Captured { raw, source, dead: None });
            return Ok(());
        }
        let mut surroundings = Surroundings::of(target, group);
        let turn = turn_for(&mut raw, self.config.graph, &self.turns, &mut surroundings, until);
        let (hold, release) = Hold::until(until);
        let source = self.keeper.as_ref().map(|k| k.source(Phase::PostKill, Some(&hold)));
        let dead = turn.as_ref().map(|_| hold.dead(&target.process));
        drop(hold);
        let is_held = source.is_some() || dead.is_some();
        let is_kept = source.is_some();
        if self.sender.send(Captured { raw, source, dead }).is_ok() && is_held {
            // Who wants its memory kept has it kept, as ever.
            release.wait(|| if is_kept { None } else { surroundings.let_go() });
        }
        Ok(())
    }

    fn hand_on(&mut self, raw: RawCapture) {
        let _ = self.sender.send(Captured { raw, source: None, dead: None });
    }

    /// The group is the command's own, with the limit that its user asked for: nothing is braked there.
    fn brake(&mut self, _act: BrakeAct, _limit_usage: &LimitUsage) -> Result<bool, String> {
        Ok(false)
    }

    /// Nobody asks how it goes.
    fn seen(&mut self, _sample: &Sample, _decided: &Decided<'_>) {}

    /// Whether the command has meanwhile started a Go process that is clearly larger: `go run`, or a launcher
    /// written in Go.
    fn looks_elsewhere(&mut self, sample: &Sample, pid: i32) -> bool {
        let others = self.processes().into_iter().filter(|p| *p != pid && !self.refused.contains(p));
        let rss = sample.rss;
        let larger: Vec<i32> = others.filter(|p| resident_bytes(*p).unwrap_or(0) > rss + rss / 2 + (8 << 20)).collect();
        larger.into_iter().any(|p| self.discoverer.go_process(p).is_some())
    }

    fn note(&mut self, note: String) {
        self.notes.add(&note);
    }
}

impl Watch<'_> {
    fn processes(&self) -> Vec<i32> {
        match self.group {
            Some(group) => group.processes(),
            None => descendants(self.child.id() as i32),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One capture on which the decoding panics is the only one that is lost, and it is said.
    #[test]
    fn a_panic_costs_one_capture() {
        let (sender, evidence) = mpsc::channel();
        (0..4).for_each(|n| sender.send(n).unwrap());
        drop(sender);
        let mut written = Vec::new();
        let lost = hand_to(|n| if n == 2 { panic!("odd bytes") } else { written.push(n) }, evidence);
        assert_eq!(written, [0, 1, 3]);
        assert_eq!(lost.iter().map(ToString::to_string).collect::<Vec<_>>(), ["decode panicked: odd bytes"]);
    }
}
