//! `lastgasp watch`: how early it knows. New processes, the kernel's notices, the trial of the pin; and what
//! must not alarm it.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use lastgasp_lab::build::{Mode, build, cache_dir, repo_root};
use lastgasp_lab::toolchain;
use lastgasp_observe::kernel::cgroup::{Cgroup, Mounts};
use lastgasp_recorder::own_cgroup::OwnCgroup;
use lastgasp_recorder::pin_probe::{Probe, SUBCOMMAND};
use lastgasp_recorder::pin_window::PinWindow;
use serde_json::Value;
use watching::descriptors::Descriptors;
use watching::{PATIENCE, alone, turn};

mod watching;

const LIMIT: u64 = 128 << 20;

/// A program of the lab under a name of its own, in a folder that goes with it.
fn program(lab: &str, name: &str) -> (tempfile::TempDir, PathBuf) {
    let toolchain = toolchain::any(&cache_dir()).unwrap();
    let built = build(&toolchain, Mode::Stripped, &repo_root().join("lab/programs").join(lab), ".").unwrap();
    let folder = tempfile::Builder::new().prefix("lastgasp-early-").tempdir().unwrap();
    let program = folder.path().join(name);
    fs::copy(built, &program).unwrap();
    (folder, program)
}

/// The daemon, with a store of its own.
struct Daemon {
    daemon: watching::Daemon,
    store: tempfile::TempDir,
}

impl Daemon {
    /// Starts it and does not wait.
    fn begin(service: &str) -> Self {
        let store = tempfile::tempdir().unwrap();
        let daemon = watching::Daemon::begin(watching::lastgasp(), &store.path().join("store"), service, "", &[]);
        Self { daemon, store }
    }

    /// Starts it, and waits until it watches.
    fn start(service: &str) -> Self {
        let daemon = Self::begin(service);
        let healthy = watching::wait_for(|| daemon.daemon.log.is_healthy().then_some(()));
        assert!(healthy.is_some(), "it does not begin:\n{}", daemon.log());
        daemon
    }

    fn log(&self) -> String {
        self.daemon.log()
    }

    /// Waits until its log has that event so many times.
    fn says(&self, event: &str, times: usize) -> Vec<Value> {
        let began = Instant::now();
        loop {
            let said = self.daemon.log.events(event);
            if said.len() >= times {
                return said;
            }
            assert!(began.elapsed() < PATIENCE, "{event} not {times} times in\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn captures(&self) -> Vec<String> {
        let store = fs::read_dir(self.store.path().join("store")).unwrap();
        let names = store.map(|e| e.unwrap().file_name().into_string().unwrap());
        names.filter(|n| !n.starts_with('.') && n != "events").collect()
    }
}

/// The program in a group of its own; `None`, loudly, where no groups can be made.
struct Running {
    child: Child,
    group: Option<OwnCgroup>,
}

impl Running {
    fn start(program: &Path, number: usize, args: &[&str]) -> Option<Self> {
        let name = format!("lastgasp-early-{}-{number}", std::process::id());
        let group = match OwnCgroup::create(&Mounts::detect(), &name, Some(LIMIT)) {
            Ok(group) => group,
            Err(e) => {
                println!("SKIPPED: no cgroup can be made: {e}");
                return None;
            }
        };
        let mut enter = Command::new(env!("CARGO_BIN_EXE_lastgasp"));
        enter.arg("enter");
        for dir in group.dirs() {
            enter.arg("--cgroup").arg(dir);
        }
        enter.arg("--").arg(program).args(args).stdout(Stdio::null()).stderr(Stdio::null());
        Some(Self { child: enter.spawn().unwrap(), group: Some(group) })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        assert!(self.group.take().is_none_or(OwnCgroup::remove) || std::thread::panicking());
    }
}

/// How long it takes from a process's exec until it is watched: of a binary that was never seen, and of one
/// that was. The aim is 50 ms on a quiet machine.
#[test]
fn a_new_process_is_watched_at_once() {
    let _turn = turn();
    let (_folder, program) = program("dies", "early-found");
    let daemon = Daemon::start("early-found");
    let mut children = Vec::new();
    for i in 0..10 {
        children.push(Command::new(&program).args(["-after", "1h"]).spawn().unwrap());
        daemon.says("watched", i + 1);
    }
    for mut child in children {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let watched = daemon.daemon.log.events("watched");
    let mut times: Vec<f64> = watched.iter().filter_map(|l| l["ready_ms"].as_str()?.parse().ok()).collect();
    assert_eq!(times.len(), 10, "{}", daemon.log());
    println!("milliseconds from exec to watched: {times:.1?}; the first is of a binary that was never seen");
    times.sort_by(f64::total_cmp);
    assert!(times[times.len() / 2] < 500.0, "{times:?}");
}

/// Growth that takes an eighth of a second from three fifths of the limit to its end, out of a calm in which
/// it is looked at every 250 ms.
#[test]
fn the_kernel_says_that_memory_runs_out() {
    let _turn = alone();
    let (_folder, program) = program("dies", "early-told");
    let daemon = Daemon::start("early-told");
    watching::pin_is_tried(&daemon.daemon);
    const DEATHS: usize = 5;
    let mut before = Descriptors::default();
    for round in 0..DEATHS {
        let after = format!("{}ms", 700 + 61 * round);
        let Some(mut victim) = Running::start(&program, round, &["-rate", "400000000", "-after", &after]) else {
            return;
        };
        victim.child.wait().unwrap();
        daemon.says("oom-kill", round + 1);
        drop(victim);
        // What is opened once, for all, is open after the first.
        if round == 0 {
            before = Descriptors::settled(daemon.daemon.pid());
        }
    }
    let told = daemon.daemon.log.events("notice").len();
    println!("told {told} times of {DEATHS} deaths; captures: {:?}", daemon.captures());
    assert!(told >= DEATHS, "{}", daemon.log());
    // And lets go of the alarms when nobody is there any more: fewer than one is left of each death.
    let left = Descriptors::at_most(daemon.daemon.pid(), before.total() + DEATHS - 2, &before);
    assert!(left.is_ok(), "{left:?}");
}

/// A process that writes a large file in a small group: for the kernel the group is full all the time, and
/// yet nothing is wrong.
#[test]
fn who_writes_a_large_file_is_left_alone() {
    let _turn = turn();
    let (folder, program) = program("writes", "early-writes");
    let daemon = Daemon::start("early-writes");
    let file = folder.path().join("large");
    let file = file.to_str().unwrap();
    let Some(writer) = Running::start(&program, 20, &["-file", file]) else {
        return;
    };
    daemon.says("watched", 1);
    let group = &writer.group.as_ref().unwrap().cgroup;
    let mut highest = 0;
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(6) {
        highest = highest.max(group.usage().unwrap());
        std::thread::sleep(Duration::from_millis(20));
    }
    let told = daemon.daemon.log.events("notice").len();
    println!("up to {} % of the limit was used; told {told} times", highest * 100 / LIMIT);
    assert!(highest > LIMIT / 10 * 9, "the page cache never filled the group: nothing was tried");
    assert_eq!(daemon.captures(), [""; 0], "{}", daemon.log());
    drop(writer);
}

fn trial(mounts: &Mounts) -> PinWindow {
    let store = tempfile::tempdir().unwrap();
    let mut victim = Command::new(env!("CARGO_BIN_EXE_lastgasp"));
    victim.arg(SUBCOMMAND);
    let stop = AtomicBool::new(false);
    let window = Probe { mounts, store: store.path(), victim, stop: &stop }.make().unwrap();
    println!("{window}");
    window
}

fn group_of_trial(pid: u32) -> Option<PathBuf> {
    let own = Cgroup::of(std::process::id() as i32, &Mounts::detect())?;
    Some(own.memory.join(Probe::group_name(pid)))
}

/// The kernel's two seconds, measured. Where no group can be made a kill of our own shows that memory is
/// held, and no window is claimed.
#[test]
fn the_pin_is_tried_and_its_window_measured() {
    let _turn = turn();
    match trial(&Mounts::detect()) {
        PinWindow::Measured(window) => assert!(window > Duration::from_secs(1) && window.as_secs() <= 3, "{window:?}"),
        PinWindow::Unmeasured { why } => println!("SKIPPED: {why}"),
        PinWindow::Refused { why } => println!("SKIPPED: {why}"),
    }
    assert!(!group_of_trial(std::process::id()).is_some_and(|g| g.exists()), "its group is left");
    match trial(&Mounts::default()) {
        PinWindow::Unmeasured { why } => assert!(why.contains("no memory cgroup") && why.contains("it was kept")),
        PinWindow::Refused { why } => println!("SKIPPED: {why}"),
        PinWindow::Measured(_) => panic!("measured without a group"),
    }
}

/// The daemon says what it has found, watches meanwhile, and leaves nothing behind: at its end, stopped in
/// the midst of the trial, or killed.
#[test]
fn nothing_is_left_of_the_trial() {
    let _turn = turn();
    let daemon = Daemon::start("early-none");
    watching::pin_is_tried(&daemon.daemon);
    let pid = daemon.daemon.child.id();
    assert!(!group_of_trial(pid).is_some_and(|g| g.exists()), "left after the trial");
    let journal = daemon.store.path().join("store/.journal");
    let left = fs::read_dir(journal).map_or(0, Iterator::count);
    assert_eq!(left, 0, "the journal has something");
    drop(daemon);
    for pause in [50, 300, 900] {
        let mut daemon = Daemon::begin("early-none");
        let group = group_of_trial(daemon.daemon.child.id());
        std::thread::sleep(Duration::from_millis(pause));
        let exists = || group.as_ref().is_some_and(|g| g.exists());
        let before = exists();
        daemon.daemon.child.kill().unwrap();
        daemon.daemon.child.wait().unwrap();
        println!("killed after {pause} ms; the group existed before: {before}, and just after: {}", exists());
        let began = Instant::now();
        while group.as_ref().is_some_and(|g| g.exists()) {
            assert!(began.elapsed() < PATIENCE, "the group stays");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
