//! Stopping a target for the time of a copy, and letting it go again whatever happens.
//!
//! By ptrace, and never by `cgroup.freeze` or SIGSTOP: whatever ends us, and whoever is ended with us, the
//! kernel lets go of what a thread of ours has seized (ptrace(2), "If the tracer dies"). What is frozen stays
//! frozen until somebody thaws it, and a container's end, or `pkill -9`, ends a watchdog in the same moment
//! as whom it watches (seen: 1 of 2 left frozen).

use std::collections::BTreeMap;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use lastgasp_inferior::{Stat, ThreadRegisters, thread_ids};
use nix::errno::Errno;
use nix::sys::ptrace;
use nix::unistd::Pid;

use crate::act::ptrace::{TraceStop, trace_detach, trace_stop};
use crate::guard::{Panicked, USUAL_STACK, spawn_guarded};
use crate::undo::watchdog::{LONGEST_HOLD, PATIENCE, Watchdog};

/// How a target can be stopped.
#[derive(Clone, Debug)]
pub struct Stopper(Way);

#[derive(Clone, Debug)]
enum Way {
    /// `PTRACE_SEIZE` of every thread, from a thread of ours that lives no longer than the stop: when it
    /// ends, for whatever reason, the kernel lets go of every thread of the target that it still holds.
    /// Should we be stopped ourselves meanwhile (Ctrl-Z, a paused container), a watchdog ends us.
    Ptrace(Option<Arc<Watchdog>>),
    /// The same, for as long as a person wishes: needs the watchdog.
    PtraceFor(Arc<Watchdog>, Duration),
}

/// A target that stands still. Dropping lets it go.
#[derive(Debug)]
pub struct Stopped<'a> {
    how: How<'a>,
    since: Instant,
    /// When all that was stopped stood.
    standing: Instant,
    /// Where its threads stand, as far as was to be had.
    pub registers: Vec<ThreadRegisters>,
    /// Threads of which there was no time to ask where they stand.
    pub threads_not_read: usize,
    /// What went wrong, if anything.
    pub trouble: Option<String>,
    /// Not a single thread could be stopped.
    nothing: bool,
    /// How many were.
    threads: usize,
    /// After this it was let go, whatever we do.
    longest: Duration,
}

#[derive(Debug)]
enum How<'a> {
    /// The thread that holds the target; it lets go when the sender is dropped, and after [`PATIENCE`] by
    /// itself.
    Ptrace(Option<mpsc::Sender<()>>, Option<JoinHandle<Result<(), Panicked>>>, Option<(&'a Watchdog, u64)>),
    Not,
}

/// Threads are stopped until so long after the begin of a stop, and asked where they stand: the copy is to be
/// made within 80 ms (`deadline.rs`), and of thousands of threads each takes some microseconds.
const STANDING_UNTIL: Duration = Duration::from_millis(55);

/// How long it takes to let one thread go (measured: 5,000 in 25 ms on two busy processors), and all of them
/// at most.
const LETTING_GO: (Duration, Duration) = (Duration::from_micros(5), Duration::from_millis(40));

/// Of more threads than this, those that have no signal to be handed on are let go by the kernel, all at
/// once, as the thread that holds them ends.
const MANY: usize = 256;

/// How long we wait for the last thread to stand: threads that allocate stop at once, and one that sleeps in
/// the kernel does no harm.
pub(crate) const STOP_TIMEOUT: Duration = Duration::from_millis(20);

/// Where this copy is the only one there will be, since nothing can be read after the kill: some dozens of
/// threads on a busy processor take so long until each has come to its turn, and stopped. What is left of 80
/// ms (`deadline.rs`) is enough for the copy.
pub(crate) const STOP_TIMEOUT_OF_THE_ONLY_COPY: Duration = Duration::from_millis(55);

/// Where a person asks for a capture of a service that is well: on a busy machine a thread may need longer,
/// and a capture of a moving target is worth less to them.
pub const STOP_TIMEOUT_ON_DEMAND: Duration = Duration::from_millis(80);

impl Stopper {
    /// By ptrace, with a watchdog if one can be started.
    #[must_use]
    pub fn by_ptrace() -> Self {
        Self(Way::Ptrace(Watchdog::start(&[]).ok().map(Arc::new)))
    }

    /// By ptrace, for as long as that at the longest, up to ten seconds. Without a watchdog nobody is held
    /// for longer than half a second.
    #[must_use]
    pub fn by_ptrace_for(longest: Duration) -> Self {
        match Watchdog::start(&[]) {
            Ok(watchdog) => Self(Way::PtraceFor(Arc::new(watchdog), longest.min(LONGEST_HOLD))),
            Err(_) => Self(Way::Ptrace(None)),
        }
    }

    /// By ptrace, for as long as that at the longest, which is less than a watchdog's patience.
    #[must_use]
    pub(crate) fn by_ptrace_within(watchdog: &Arc<Watchdog>, longest: Duration) -> Self {
        Self(Way::PtraceFor(Arc::clone(watchdog), longest.min(PATIENCE)))
    }

    /// By ptrace, without a watchdog.
    #[must_use]
    pub fn by_ptrace_alone() -> Self {
        Self(Way::Ptrace(None))
    }

    /// By ptrace, with that watchdog, if there is one.
    #[must_use]
    pub(crate) fn by_ptrace_with(watchdog: Option<Arc<Watchdog>>) -> Self {
        Self(Way::Ptrace(watchdog))
    }

    /// The longest time that it holds anybody, whatever we do.
    #[must_use]
    pub(crate) fn longest(&self) -> Duration {
        match &self.0 {
            Way::PtraceFor(_, longest) => *longest,
            _ => PATIENCE,
        }
    }

    /// Stops `pid`. Never fails: what could not be stopped is told in `trouble`, and the copy is then one of
    /// a moving target. `patience`: how long the last thread is waited for.
    pub fn stop(&self, pid: i32, patience: Duration) -> Stopped<'_> {
        match &self.0 {
            Way::Ptrace(watchdog) => trace(pid, watchdog.as_deref(), patience, PATIENCE),
            Way::PtraceFor(watchdog, longest) => trace(pid, Some(watchdog), patience, *longest),
        }
    }
}

impl Stopped<'_> {
    /// Whether it has stood still all the time: past its patience the watchdog, or the holding thread, has
    /// let it go already.
    #[must_use]
    pub fn still_holds(&self) -> bool {
        self.held_at_all() && self.since.elapsed() < self.longest
    }

    /// How long it has stood still so far, the time that stopping it took among it.
    #[must_use]
    pub(crate) fn held(&self) -> Duration {
        self.since.elapsed().min(self.longest.max(self.standing.duration_since(self.since)))
    }

    /// How long it will take until all of it runs again.
    #[must_use]
    pub(crate) fn letting_go(&self) -> Duration {
        let (each, most) = LETTING_GO;
        each.saturating_mul(u32::try_from(self.threads).unwrap_or(u32::MAX)).min(most)
    }

    /// Whether anything was stopped.
    #[must_use]
    pub(crate) fn held_at_all(&self) -> bool {
        !matches!(self.how, How::Not) && !self.nothing
    }
}

fn not_stopped(why: String) -> Stopped<'static> {
    Stopped {
        how: How::Not,
        since: Instant::now(),
        standing: Instant::now(),
        registers: Vec::new(),
        threads_not_read: 0,
        trouble: Some(format!("not stopped: {why}")),
        nothing: true,
        threads: 0,
        longest: PATIENCE,
    }
}

fn trace(pid: i32, watchdog: Option<&Watchdog>, patience: Duration, longest: Duration) -> Stopped<'_> {
    let since = Instant::now();
    // Of a process of another namespace we would stop and read whoever has its number in ours.
    if own_number_in_proc().is_some_and(|n| n != std::process::id()) {
        return not_stopped("/proc is of another process namespace than lastgasp itself: mount the right one".into());
    }
    // Without it a target may be held for longer than half a second only if somebody stops us in that very
    // moment.
    let announced = watchdog.and_then(|w| Some((w, w.before_hold(longest).ok()?)));
    let (go, wait) = mpsc::channel::<()>();
    let (report, ready) = mpsc::channel();
    // A panic of it ends the thread, and with it the kernel lets go.
    let holder = spawn_guarded("stop", USUAL_STACK, move || {
        let mut held = Held::default();
        held.seize(pid, since, patience, patience.max(STANDING_UNTIL));
        let nothing = held.threads.is_empty();
        if nothing && held.trouble.is_none() {
            held.trouble = Some("not stopped: none of its threads could be found (has it ended?)".into());
        }
        let standing = Standing {
            registers: std::mem::take(&mut held.registers),
            not_read: held.not_read,
            trouble: held.trouble.take(),
            nothing,
            threads: held.threads.len(),
        };
        let _ = report.send(standing);
        let _ = wait.recv_timeout(longest.saturating_sub(since.elapsed()));
        held.let_go();
    });
    match holder {
        Ok(holder) => {
            let Standing { registers, not_read, trouble, nothing, threads } = reported(&ready);
            Stopped {
                how: How::Ptrace(Some(go), Some(holder), announced),
                since,
                standing: Instant::now(),
                registers,
                threads_not_read: not_read,
                trouble,
                nothing,
                threads,
                longest,
            }
        }
        Err(e) => {
            if let Some((watchdog, number)) = announced {
                watchdog.after_hold(number);
            }
            not_stopped(e.to_string())
        }
    }
}

/// What the thread that stops a target says when that stands.
#[derive(Debug, Default)]
struct Standing {
    registers: Vec<ThreadRegisters>,
    /// Threads of which there was no time to ask where they stand.
    not_read: usize,
    /// What went wrong.
    trouble: Option<String>,
    /// Nothing was stopped.
    nothing: bool,
    /// How many were.
    threads: usize,
}

/// What the thread that stops it says. If that has panicked, nobody holds the target: a copy is of a program
/// that runs on, and must not be taken for one of a single moment.
fn reported(ready: &mpsc::Receiver<Standing>) -> Standing {
    ready.recv().unwrap_or_else(|_| Standing {
        trouble: Some("not stopped: the thread that was to stop it has ended".into()),
        nothing: true,
        ..Standing::default()
    })
}

/// Whether it is gone, or as good as that.
fn has_ended(pid: i32, tid: i32) -> bool {
    Stat::of_thread(pid, tid).and_then(|s| s.state()).is_none_or(|state| matches!(state, 'Z' | 'X'))
}

/// Our own number as the mounted /proc has it.
fn own_number_in_proc() -> Option<u32> {
    std::fs::read_link("/proc/self").ok()?.to_str()?.parse().ok()
}

/// The threads that the calling thread traces.
#[derive(Default)]
struct Held {
    /// By thread: the signal that it was about to be delivered when it stopped, to be handed on; `None` while
    /// it has not stopped.
    threads: BTreeMap<i32, Option<i32>>,
    registers: Vec<ThreadRegisters>,
    /// Threads that stood when there was no time any more to ask where.
    not_read: usize,
    trouble: Option<String>,
}

impl Held {
    /// New threads may appear until all that exist stand still; `most`, from `started` on, is how long they
    /// are followed, and asked where they stand.
    fn seize(&mut self, pid: i32, started: Instant, patience: Duration, most: Duration) {
        let mut refused = Vec::new();
        let until = started + most;
        // The last of them had no word to stop before this.
        let mut asked = started;
        while Instant::now() < until {
            let fresh: Vec<i32> =
                thread_ids(pid).into_iter().filter(|t| !self.threads.contains_key(t) && !refused.contains(t)).collect();
            if fresh.is_empty() && self.threads.values().all(Option::is_some) {
                return;
            }
            let (all, before) = (fresh.len(), asked);
            for (done, tid) in fresh.into_iter().enumerate() {
                asked = Instant::now();
                if asked >= until {
                    let left = all - done;
                    self.trouble = Some(format!("a thread did not stop in time ({left} more of them, of {all})"));
                    break;
                }
                let thread = Pid::from_raw(tid);
                match ptrace::seize(thread, ptrace::Options::empty()).and_then(|()| ptrace::interrupt(thread)) {
                    Ok(()) => drop(self.threads.insert(tid, None)),
                    Err(e) => {
                        refused.push(tid);
                        // ESRCH: it has ended in between. EPERM: a debugger, or it is just ending (seen with
                        // a program that ends threads all the time).
                        if e != Errno::ESRCH && !has_ended(pid, tid) {
                            self.trouble = Some(format!(
                                "not stopped: {e} (a debugger is attached, or CAP_SYS_PTRACE is missing)"
                            ));
                        }
                    }
                }
            }
            if all == 0 {
                asked = before;
            }
            self.look(until);
            if asked.elapsed() > patience && self.threads.values().any(Option::is_none) {
                self.trouble = Some("a thread did not stop in time (it sleeps in the kernel)".into());
                return;
            }
            if self.threads.values().any(Option::is_none) {
                std::thread::sleep(Duration::from_micros(50));
            }
        }
        // New threads all the time, or it was we who got no processor in time: seen on two cores beside a
        // load of 13, in one of some hundred stops, threads that ran on and were held to stand.
        self.trouble.get_or_insert_with(|| "a thread did not stop in time (the machine is busy)".into());
    }

    /// Notes who has stopped since the last look, and where they stand, as long as there is time.
    fn look(&mut self, until: Instant) {
        let mut gone = Vec::new();
        for (tid, stop) in self.threads.iter_mut().filter(|(_, s)| s.is_none()) {
            match trace_stop(*tid) {
                TraceStop::NotYet => continue,
                TraceStop::Trap => *stop = Some(0),
                TraceStop::Signal(signal) => *stop = Some(signal),
                TraceStop::Gone => {
                    gone.push(*tid);
                    continue;
                }
            }
            if Instant::now() >= until {
                self.not_read += 1;
                continue;
            }
            let registers = ptrace::getregs(Pid::from_raw(*tid));
            self.registers.extend(registers.map(|r| ThreadRegisters::of(*tid, &r)));
        }
        for tid in gone {
            self.threads.remove(&tid);
        }
    }

    /// Detaches all that stand. Who has not stopped yet is let go by the kernel when this thread ends; and so
    /// are those of many that have no signal to be handed on, since one by one takes as long as to seize
    /// them.
    fn let_go(&mut self) {
        self.look(Instant::now());
        let many = self.threads.len() > MANY;
        for (tid, stop) in &self.threads {
            if let Some(signal) = stop.filter(|signal| !many || *signal != 0) {
                let _ = trace_detach(*tid, signal);
            }
        }
    }
}

impl Drop for Stopped<'_> {
    fn drop(&mut self) {
        match &mut self.how {
            How::Ptrace(go, holder, announced) => {
                *go = None;
                if let Some(holder) = holder.take() {
                    let _ = holder.join();
                }
                if let Some((watchdog, number)) = announced {
                    watchdog.after_hold(*number);
                }
            }
            How::Not => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(pid: u32) -> char {
        Stat::of_process(pid as i32).unwrap().state().unwrap()
    }

    /// Names what the test binary is to do: to have so many threads.
    const THREADS: &str = "LASTGASP_TEST_THREADS";

    /// As a process of its own, so many threads that sleep; as a test, nothing.
    #[test]
    fn has_threads() {
        let Ok(count) = std::env::var(THREADS).unwrap_or_default().parse::<usize>() else { return };
        for _ in 1..count {
            let sleeps = || std::thread::sleep(Duration::from_secs(120));
            drop(std::thread::Builder::new().stack_size(16 << 10).spawn(sleeps).unwrap());
        }
        println!("ready");
        std::thread::sleep(Duration::from_secs(120));
    }

    /// Of five thousand threads too no more than a tenth of a second passes until all of them run again;
    /// those for which there was no time are told.
    #[test]
    fn thousands_of_threads_stand_for_a_tenth_of_a_second_at_most() {
        const COUNT: usize = 5000;
        let mut child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "act::stop::tests::has_threads", "--nocapture"])
            .env(THREADS, COUNT.to_string())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let pid = child.id() as i32;
        let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
        assert!(lines.any(|line| line.unwrap().contains("ready")));
        let stopper = Stopper::by_ptrace_alone();
        let mut least = Duration::MAX;
        for patience in [STOP_TIMEOUT, STOP_TIMEOUT_OF_THE_ONLY_COPY, STOP_TIMEOUT, STOP_TIMEOUT_OF_THE_ONLY_COPY] {
            let began = Instant::now();
            let stopped = stopper.stop(pid, patience);
            let (stood, read, left) = (began.elapsed(), stopped.registers.len(), stopped.threads_not_read);
            let trouble = stopped.trouble.clone();
            drop(stopped);
            // The last of them runs again some milliseconds after that, by the kernel's hand.
            let traced = || thread_ids(pid).first().map(|tid| std::fs::read_to_string(format!("/proc/{tid}/status")));
            while traced().is_some_and(|text| !text.unwrap_or_default().contains("TracerPid:\t0\n")) {
                std::thread::sleep(Duration::from_micros(200));
            }
            let all = began.elapsed();
            println!("stood after {stood:?}, all ran after {all:?}; {read} read, {left} not; {trouble:?}");
            assert!(trouble.is_some() || read + left >= COUNT, "all of them, or it is said");
            least = least.min(all);
            assert!(!thread_ids(pid).iter().any(|tid| Stat::of_thread(pid, *tid).and_then(|s| s.state()) == Some('t')));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // On a busy machine the thread that stops them is given no processor for as long; not four times.
        assert!(least < Duration::from_millis(100), "{least:?}");
    }

    #[test]
    fn a_stop_that_panicked_has_held_nothing() {
        let (report, ready) = mpsc::channel::<Standing>();
        let holder = spawn_guarded("stop", USUAL_STACK, move || {
            let _report = report;
            panic!("made to");
        });
        let Standing { registers, trouble, nothing, .. } = reported(&ready);
        assert!(registers.is_empty() && nothing && trouble.is_some_and(|t| t.starts_with("not stopped")));
        assert!(holder.unwrap().join().unwrap().is_err());
    }

    #[test]
    fn ptrace_stops_and_lets_go() {
        let mut child = std::process::Command::new("sh").args(["-c", "while :; do :; done"]).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(50));
        let stopper = Stopper::by_ptrace_alone();
        let stopped = stopper.stop(child.id() as i32, STOP_TIMEOUT);
        if let Some(trouble) = &stopped.trouble {
            eprintln!("SKIPPED: {trouble}");
        } else {
            assert_eq!(state(child.id()), 't');
            assert_eq!(stopped.registers.len(), 1);
        }
        drop(stopped);
        std::thread::sleep(Duration::from_millis(20));
        assert!(matches!(state(child.id()), 'R' | 'S'), "{}", state(child.id()));
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Whoever runs out of time has not stopped its target, and says so.
    #[test]
    fn a_stop_without_time_is_no_stop() {
        let mut child = std::process::Command::new("sleep").arg("30").spawn().unwrap();
        let mut held = Held::default();
        held.seize(child.id() as i32, Instant::now(), STOP_TIMEOUT, Duration::ZERO);
        assert!(held.trouble.is_some_and(|t| t.contains("in time")));
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// A signal that arrives while we stop a thread is handed on and not eaten: Go's runtime never sends a
    /// second SIGURG while one is pending, and a lost SIGTERM is a shutdown that never comes.
    #[test]
    fn no_signal_is_lost() {
        // It answers from outside its trap: bash forgets a signal that arrives while one runs (seen: 1 of 300
        // on a busy machine, and never a loss of ours).
        let script = "trap 'heard=1' USR1; echo ready; while :; do [ $heard ] && { heard=; echo got; }; done";
        let mut child = std::process::Command::new("bash")
            .args(["-c", script])
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let pid = Pid::from_raw(child.id() as i32);
        let out = std::io::BufReader::new(child.stdout.take().unwrap());
        let (heard, hear) = mpsc::channel();
        std::thread::spawn(move || {
            for line in std::io::BufRead::lines(out) {
                let _ = heard.send(line.unwrap());
            }
        });
        let wait = || {
            hear.recv_timeout(Duration::from_secs(20)).unwrap_or_else(|e| {
                let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
                panic!("the signal was lost: {e}")
            })
        };
        assert_eq!(wait(), "ready");
        let stopper = Stopper::by_ptrace_alone();
        for _ in 0..300 {
            nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGUSR1).unwrap();
            drop(stopper.stop(pid.as_raw(), STOP_TIMEOUT));
            // Each must have been heard before the next is sent: neither the kernel nor a shell queues them.
            assert_eq!(wait(), "got");
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
