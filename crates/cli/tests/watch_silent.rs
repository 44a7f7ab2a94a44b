//! What does not answer: executables on storage that is gone, memory that is mapped from there. Who reads it
//! sleeps in the kernel, and cannot be killed; that is a worker of the daemon's, and not the daemon. It goes
//! on, captures whoever else dies, and can be ended at any moment.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use lastgasp_lab::lying_files::silent_executable;
use lastgasp_lab::silent_storage::{Silent, SilentStorage};
use lastgasp_observe::target::open;
use lastgasp_observe::target::runtime_cache::RuntimeCache;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use watching::{Daemon, PATIENCE, alone, forget, is_captured, program, program_of, victim, wait_for};

mod watching;

/// Ends them, whatever becomes of the test. They must not be waited for: one that sleeps in the kernel ends
/// with its storage.
struct Ended(Vec<Child>);

impl Drop for Ended {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
        }
    }
}

/// Whoever dies meanwhile is captured, and the daemon is well.
fn goes_on(daemon: &Daemon, real: &Path, number: usize, store: &Path) {
    let Some(victim) = victim(real, number, &["-after", "3s", "-rate", "100000000"]) else { return };
    daemon.watches(victim.pid());
    assert!(daemon.log.is_healthy(), "{}", daemon.log());
    let pid = victim.wait();
    let last = |e: &serde_json::Value| e["pid"] == pid && e["phase"] == "post-kill";
    let written = || daemon.log.events("captured").iter().any(last).then_some(());
    assert!(wait_for(written).is_some(), "{}", daemon.log());
    assert!(daemon.log.is_healthy());
    is_captured(store, pid);
}

/// Killed, it is gone at once: a thread of it that slept in the kernel would keep it as a zombie that nobody
/// can start anew.
fn can_be_killed(mut daemon: Daemon) {
    let began = Instant::now();
    kill(Pid::from_raw(daemon.pid()), Signal::SIGKILL).unwrap();
    while daemon.child.try_wait().unwrap().is_none() {
        assert!(began.elapsed() < PATIENCE, "it cannot be killed");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn lost(daemon: &Daemon, child: &Child) -> usize {
    daemon.log.events("worker-lost").iter().filter(|e| e["pid"] == child.id()).count()
}

#[test]
fn storage_that_does_not_answer_ends_and_blinds_no_daemon() {
    let _turn = alone();
    let (service, store, folder) = ("silent-files", tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let real = program(service);
    let files = ["silent-files-a", "silent-files-b"].map(|name| (name, silent_executable())).to_vec();
    let Some(storage) = SilentStorage::mount(folder.path(), files) else { return forget(&real) };
    let daemon = Daemon::start(store.path(), "silent-files*", &[]);
    let start = |name: &str| Command::new(storage.path(name)).stdout(Stdio::null()).spawn().unwrap();
    let all = Ended(["silent-files-a", "silent-files-b"].map(start).into());
    for child in &all.0 {
        assert!(wait_for(|| (lost(&daemon, child) > 0).then_some(())).is_some(), "nothing was lost:\n{}", daemon.log());
    }
    // No open is answered either, of a file that the daemon has not seen.
    storage.opens_no_more();
    goes_on(&daemon, &real, 520, store.path());
    let counted = daemon.log.status().unwrap()["counters"]["workers_lost"].as_u64().unwrap();
    println!("{counted} workers lost");
    assert!((2..12).contains(&counted), "tried less and less often: {counted}");
    can_be_killed(daemon);
    drop(all);
    drop(storage);
    forget(&real);
}

/// A page of the list of goroutines is in a file that does not answer: before it is found, and when it is
/// watched already.
#[test]
fn memory_that_does_not_answer_ends_and_blinds_no_daemon() {
    let _turn = alone();
    let (service, store, folder) = ("silent-memory", tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let real = program(service);
    let mapping = program_of("hostile", service);
    let page = Silent { bytes: vec![0; 8192], silent_from: 0 };
    let Some(storage) = SilentStorage::mount(folder.path(), vec![("page", page)]) else { return forget(&real) };
    let mut all = Ended(Vec::new());
    let mut start = || {
        let mut command = Command::new(&mapping);
        let mut child =
            command.arg("map").arg(storage.path("page")).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let pid = child.id() as i32;
        all.0.push(child);
        (pid, line.trim().parse::<u64>().unwrap())
    };
    // Its runtime goes by the list itself and not by this pointer to it.
    let silence = |pid: i32, at: u64| {
        let (_, runtime) = open(pid, &RuntimeCache::in_memory()).unwrap();
        let mem = std::fs::OpenOptions::new().write(true).open(format!("/proc/{pid}/mem")).unwrap();
        mem.write_all_at(&at.to_le_bytes(), runtime.globals.allgptr.0).unwrap();
    };
    let (before, at) = start();
    silence(before, at);
    let daemon = Daemon::start(store.path(), service, &[]);
    let (after, at) = start();
    daemon.watches(after);
    silence(after, at);
    for child in &all.0 {
        assert!(wait_for(|| (lost(&daemon, child) > 0).then_some(())).is_some(), "nothing was lost:\n{}", daemon.log());
    }
    assert!(!daemon.log.has("watched", before));
    goes_on(&daemon, &real, 521, store.path());
    let counted = daemon.log.status().unwrap()["counters"]["workers_lost"].as_u64().unwrap();
    println!("{counted} workers lost");
    assert!((2..12).contains(&counted), "tried less and less often: {counted}");
    can_be_killed(daemon);
    drop(all);
    drop(storage);
    forget(&real);
    forget(&mapping);
}
