//! Stopping a target for the time of a copy, and letting it go again whatever happens.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use lastgasp_inferior::{Addr, ThreadRegisters, thread_ids, thread_registers};
use nix::sys::ptrace;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::cgroup;
use crate::watchdog::Watchdog;

/// How a target can be stopped.
#[derive(Debug)]
pub enum Stopper {
    /// `cgroup.freeze` of a group of our own: fastest, and it needs the watchdog, since it would outlive us.
    Freezer(PathBuf, Watchdog),
    /// `PTRACE_SEIZE` of every thread: the kernel lets go of them if we die.
    Ptrace,
}

/// A target that stands still. Dropping lets it go.
#[derive(Debug)]
pub struct Stopped<'a> {
    how: How<'a>,
    /// Where its threads stand, as far as was to be had.
    pub registers: Vec<ThreadRegisters>,
    /// What went wrong, if anything.
    pub trouble: Option<String>,
}

#[derive(Debug)]
enum How<'a> {
    Freezer(&'a PathBuf, &'a mut Watchdog),
    Ptrace(BTreeSet<i32>),
    Not,
}

/// How long we wait for the last thread to stand: threads that allocate stop at once, and one that sleeps in the kernel does no harm.
const PATIENCE: Duration = Duration::from_millis(20);

impl Stopper {
    /// Stops `pid`. Never fails: what could not be stopped is told in `trouble`, and the copy is then one of a moving target.
    pub fn stop(&mut self, pid: i32) -> Stopped<'_> {
        match self {
            Self::Freezer(dir, watchdog) => freeze(dir, watchdog, pid),
            Self::Ptrace => seize(pid),
        }
    }
}

fn freeze<'a>(dir: &'a PathBuf, watchdog: &'a mut Watchdog, pid: i32) -> Stopped<'a> {
    let attempt = watchdog
        .before_freeze(dir)
        .and_then(|()| cgroup::write(&dir.join("cgroup.freeze"), "1"));
    if let Err(e) = attempt {
        watchdog.after_thaw();
        return Stopped {
            how: How::Not,
            registers: Vec::new(),
            trouble: Some(format!("not stopped: {e}")),
        };
    }
    let started = Instant::now();
    let events = dir.join("cgroup.events");
    while started.elapsed() < PATIENCE && !std::fs::read_to_string(&events).is_ok_and(|t| t.contains("frozen 1")) {
        std::thread::sleep(Duration::from_micros(200));
    }
    let registers = thread_ids(pid)
        .into_iter()
        .filter_map(|tid| thread_registers(pid, tid))
        .collect();
    Stopped {
        how: How::Freezer(dir, watchdog),
        registers,
        trouble: None,
    }
}

fn seize(pid: i32) -> Stopped<'static> {
    let started = Instant::now();
    let mut seized = BTreeSet::new();
    let mut registers = Vec::new();
    let mut trouble = None;
    // New threads may appear until all that exist stand still.
    loop {
        let fresh: Vec<i32> = thread_ids(pid).into_iter().filter(|t| !seized.contains(t)).collect();
        if fresh.is_empty() {
            break;
        }
        let mut progress = false;
        for tid in fresh {
            let thread = Pid::from_raw(tid);
            match ptrace::seize(thread, ptrace::Options::empty()).and_then(|()| ptrace::interrupt(thread)) {
                Ok(()) => {
                    seized.insert(tid);
                    progress = true;
                    if wait_for_stop(thread, started) {
                        registers.extend(ptrace::getregs(thread).map(|r| ThreadRegisters {
                            tid,
                            sp: Addr(r.rsp),
                            pc: Addr(r.rip),
                        }));
                    } else {
                        trouble = Some("a thread did not stop in time (it sleeps in the kernel)".to_owned());
                    }
                }
                // It has ended in between.
                Err(nix::errno::Errno::ESRCH) => {}
                Err(e) => {
                    trouble = Some(format!(
                        "not stopped: {e} (a debugger is attached, or CAP_SYS_PTRACE is missing)"
                    ));
                }
            }
        }
        if !progress || started.elapsed() > PATIENCE * 10 {
            break;
        }
    }
    Stopped {
        how: How::Ptrace(seized),
        registers,
        trouble,
    }
}

fn wait_for_stop(thread: Pid, started: Instant) -> bool {
    while started.elapsed() < PATIENCE * 5 {
        match waitpid(thread, Some(WaitPidFlag::WNOHANG | WaitPidFlag::__WALL)) {
            Ok(WaitStatus::StillAlive) => std::thread::sleep(Duration::from_micros(50)),
            Ok(WaitStatus::PtraceEvent(..) | WaitStatus::Stopped(..)) => return true,
            _ => return false,
        }
    }
    false
}

impl Drop for Stopped<'_> {
    fn drop(&mut self) {
        match &mut self.how {
            How::Freezer(dir, watchdog) => {
                // A failure here leaves the watchdog, which thaws in half a second.
                if cgroup::write(&dir.join("cgroup.freeze"), "0").is_ok() {
                    watchdog.after_thaw();
                }
            }
            How::Ptrace(threads) => {
                for tid in threads.iter() {
                    let thread = Pid::from_raw(*tid);
                    if ptrace::detach(thread, None) == Err(nix::errno::Errno::ESRCH) {
                        // Not in a stop yet: a detach needs one.
                        wait_for_stop(thread, Instant::now());
                        let _ = ptrace::detach(thread, None);
                    }
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
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        stat[stat.rfind(')').unwrap() + 2..].chars().next().unwrap()
    }

    #[test]
    fn ptrace_stops_and_lets_go() {
        let mut child = std::process::Command::new("sh")
            .args(["-c", "while :; do :; done"])
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(50));
        let mut stopper = Stopper::Ptrace;
        let stopped = stopper.stop(child.id() as i32);
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
}
