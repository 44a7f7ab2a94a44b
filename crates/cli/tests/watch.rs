//! `lastgasp watch` on real processes: kills, many kills at once, its own death, what it must leave alone.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use lastgasp_lab::build::{Mode, build, cache_dir, repo_root};
use lastgasp_lab::toolchain;
use lastgasp_recorder::cgroup::{Mounts, OwnCgroup};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

const LIMIT: u64 = 128 << 20;

/// `lab/dies` under a name of its own, so that what others run on this machine is not watched.
fn program(name: &str) -> PathBuf {
    let toolchain = toolchain::any(&cache_dir()).unwrap();
    let built = build(&toolchain, Mode::Stripped, &repo_root().join("lab/dies"), ".").unwrap();
    let folder = tempfile::Builder::new().prefix("lastgasp-dies-").tempdir_in("/dev/shm").unwrap().keep();
    fs::copy(built, folder.join(name)).unwrap();
    folder.join(name)
}

struct Daemon(Child);

/// One at a time: each wants both processors.
static TURN: std::sync::Mutex<()> = std::sync::Mutex::new(());

fn turn() -> std::sync::MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl Daemon {
    fn start(store: &Path, service: &str, more: &[&str]) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_lastgasp"))
            .args(["watch", "--store"])
            .arg(store)
            .args(["--service", service])
            .args(more)
            .env("LASTGASP_LOG", "info")
            .env("LASTGASP_CACHE_DIR", "")
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(500));
        Self(child)
    }

    /// Ends it as a service manager does, and waits until all is written.
    fn stop(mut self) {
        kill(Pid::from_raw(self.0.id() as i32), Signal::SIGTERM).unwrap();
        let began = Instant::now();
        while self.0.try_wait().unwrap().is_none() {
            assert!(began.elapsed() < Duration::from_secs(60), "it does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
        assert!(self.0.wait().unwrap().success());
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct Victim {
    group: OwnCgroup,
    child: Child,
}

/// Starts the program in a group of its own; `None`, loudly, where no groups can be made.
fn victim(program: &Path, number: usize, args: &[&str]) -> Option<Victim> {
    let name = format!("lastgasp-watch-{}-{number}", std::process::id());
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
    let child = enter.arg("--").arg(program).args(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    Some(Victim { group, child })
}

impl Victim {
    fn wait(mut self) -> i32 {
        use std::os::unix::process::ExitStatusExt as _;
        let pid = self.child.id() as i32;
        let status = self.child.wait().unwrap();
        assert_eq!(status.signal(), Some(9), "killed by the kernel");
        assert!(self.group.remove());
        pid
    }
}

/// What the captures of a process say: phase, light, culprit.
fn captures(store: &Path, pid: i32) -> Vec<(String, bool, String)> {
    let json = |path: PathBuf| -> Value { serde_json::from_slice(&fs::read(path).unwrap()).unwrap() };
    let mut found = Vec::new();
    for folder in fs::read_dir(store).unwrap().map(|e| e.unwrap().path()) {
        if !folder.file_name().unwrap().to_string_lossy().contains(&format!("-{pid}-")) {
            continue;
        }
        let manifest = json(folder.join("manifest.json"));
        // On a busy machine a living target may not stand still in time, and the capture says so; a dead one has no excuse.
        assert!(manifest["complete"] == true || manifest["phase"] == "pre-kill", "{}", manifest["gaps"]);
        let verdict = json(folder.join("findings.json"))["verdict"]["sentence"].as_str().unwrap_or("").to_owned();
        if !verdict.contains("main.growA") {
            let text = |name: &str| fs::read_to_string(folder.join(name)).unwrap_or_default();
            println!("{}\n{}", text("report.txt"), text("timeline.jsonl"));
        }
        found.push((manifest["phase"].as_str().unwrap().to_owned(), manifest["light"] == true, verdict));
    }
    found
}

fn forget(program: &Path) {
    let _ = fs::remove_dir_all(program.parent().unwrap());
}

/// One after the other and slow enough to be seen coming: struck before, and read after.
#[test]
fn a_kill_is_captured_before_and_after() {
    let _turn = turn();
    let (program, store) = (program("dies-one"), tempfile::tempdir().unwrap());
    let daemon = Daemon::start(store.path(), "dies-one", &[]);
    let Some(victim) = victim(&program, 0, &["-after", "1s", "-rate", "100000000"]) else { return };
    let pid = victim.wait();
    daemon.stop();
    let found = captures(store.path(), pid);
    for phase in ["pre-kill", "post-kill"] {
        assert!(found.iter().any(|(p, ..)| p == phase), "no {phase}: {found:?}");
    }
    assert!(found.iter().all(|(.., verdict)| verdict.contains("main.growA")), "{found:?}");
    forget(&program);
}

/// In observe mode nothing is ever stopped: there is evidence from after the kill alone.
#[test]
fn an_observer_stops_nobody() {
    let _turn = turn();
    let (program, store) = (program("dies-seen"), tempfile::tempdir().unwrap());
    let daemon = Daemon::start(store.path(), "dies-seen", &["--mode", "observe"]);
    let Some(victim) = victim(&program, 10, &["-after", "1s", "-rate", "100000000"]) else { return };
    let pid = victim.wait();
    daemon.stop();
    let phases: Vec<String> = captures(store.path(), pid).into_iter().map(|(p, ..)| p).collect();
    assert_eq!(phases, ["post-kill"]);
    forget(&program);
}

/// Twenty of the same cause at once: every one has its capture, the first three whole, the others light.
#[test]
fn twenty_die_at_once() {
    let _turn = turn();
    let (program, store) = (program("dies-many"), tempfile::tempdir().unwrap());
    let daemon = Daemon::start(store.path(), "dies-many", &[]);
    let victims: Vec<Option<Victim>> = (20..40).map(|i| victim(&program, i, &["-after", "2s", "-rate", "0"])).collect();
    let Some(victims) = victims.into_iter().collect::<Option<Vec<Victim>>>() else { return };
    let pids: Vec<i32> = victims.into_iter().map(Victim::wait).collect();
    daemon.stop();
    let mut whole = 0;
    for pid in pids {
        let found = captures(store.path(), pid);
        assert!(found.iter().any(|(.., verdict)| verdict.contains("main.growA")), "process {pid}: {found:?}");
        whole += usize::from(found.iter().any(|(_, light, _)| !light));
    }
    assert_eq!(whole, 3, "victims that were written whole");
    forget(&program);
}

/// Killed itself, at moments all over a victim's last second: the victim is never left stopped.
#[test]
fn the_daemon_killed_at_any_moment_leaves_nobody_stopped() {
    let _turn = turn();
    let program = program("dies-left");
    for round in 0..8u64 {
        let store = tempfile::tempdir().unwrap();
        let mut daemon = Daemon::start(store.path(), "dies-left", &[]);
        let Some(mut victim) = victim(&program, 50 + round as usize, &["-after", "300ms", "-rate", "60000000"]) else {
            return;
        };
        // It dies two seconds after its start.
        std::thread::sleep(Duration::from_millis(1500 + round * 90));
        daemon.0.kill().unwrap();
        daemon.0.wait().unwrap();
        // Not stopped: it goes on, and dies of memory by itself.
        let began = Instant::now();
        while victim.child.try_wait().unwrap().is_none() {
            assert!(began.elapsed() < Duration::from_secs(10), "round {round}: it stands still");
            std::thread::sleep(Duration::from_millis(20));
        }
        victim.wait();
    }
    forget(&program);
}
