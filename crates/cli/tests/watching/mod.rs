//! What the tests of `lastgasp watch` share: the daemon, victims in groups of their own, and what the
//! captures say. No test file uses all of it.
#![allow(dead_code, unreachable_pub)]

use std::fs;
use std::io::Write as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use lastgasp_lab::build::{Mode, build, cache_dir, repo_root};
use lastgasp_lab::page::{LOG_FORMAT, Log};
use lastgasp_lab::toolchain;
use lastgasp_observe::kernel::cgroup::Mounts;
use lastgasp_recorder::own_cgroup::OwnCgroup;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

pub mod descriptors;

/// How long anything is waited for that must come: it costs nothing where it does, and on a machine that has
/// other work a build without optimisation may take ten times as long as alone.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A victim's limit, where nothing else is said.
pub const LIMIT: u64 = 128 << 20;

/// Two tests at a time: most of their time they wait for a daemon, or for memory to fill.
const AT_ONCE: usize = 2;

static BUSY: Mutex<usize> = Mutex::new(0);
static FREE: Condvar = Condvar::new();

/// Places among those that run; given back when dropped.
pub struct Turn(usize);

pub fn turn() -> Turn {
    places(1)
}

/// For a test that counts what a daemon holds open or uses: nobody else starts processes meanwhile, for each
/// of which it starts workers.
pub fn alone() -> Turn {
    places(AT_ONCE)
}

fn places(count: usize) -> Turn {
    let busy = BUSY.lock().unwrap_or_else(PoisonError::into_inner);
    let full = |busy: &mut usize| *busy + count > AT_ONCE;
    *FREE.wait_while(busy, full).unwrap_or_else(PoisonError::into_inner) += count;
    Turn(count)
}

impl Drop for Turn {
    fn drop(&mut self) {
        *BUSY.lock().unwrap_or_else(PoisonError::into_inner) -= self.0;
        FREE.notify_all();
    }
}

/// `lab/programs/dies` under a name of its own, so that what others run on this machine is not watched.
pub fn program(name: &str) -> PathBuf {
    program_of("dies", name)
}

/// The same of another program of the lab.
pub fn program_of(lab: &str, name: &str) -> PathBuf {
    let toolchain = toolchain::any(&cache_dir()).unwrap();
    let built = build(&toolchain, Mode::Stripped, &repo_root().join("lab/programs").join(lab), ".").unwrap();
    let folder = tempfile::Builder::new().prefix("lastgasp-dies-").tempdir_in("/dev/shm").unwrap().keep();
    fs::copy(built, folder.join(name)).unwrap();
    folder.join(name)
}

/// The program under test.
pub fn lastgasp() -> Command {
    Command::new(env!("CARGO_BIN_EXE_lastgasp"))
}

/// Removes what [`program`] made.
pub fn forget(program: &Path) {
    let _ = fs::remove_dir_all(program.parent().unwrap());
}

/// `lastgasp watch`; what it says is printed when it goes, for the case that the test fails.
pub struct Daemon {
    pub child: Child,
    pub log: Log,
    _files: [tempfile::NamedTempFile; 2],
}

impl Daemon {
    pub fn start(store: &Path, service: &str, more: &[&str]) -> Self {
        Self::start_by(lastgasp(), store, service, "", more)
    }

    /// As [`Daemon::start`], with a command that becomes lastgasp (`nsenter ... lastgasp`), and with that in
    /// its configuration (TOML).
    pub fn start_by(command: Command, store: &Path, service: &str, config: &str, more: &[&str]) -> Self {
        let daemon = Self::begin(command, store, service, config, more);
        assert!(wait_for(|| daemon.log.is_healthy().then_some(())).is_some(), "it does not begin:\n{}", daemon.log());
        daemon
    }

    /// As [`Daemon::start_by`], and does not wait until it watches.
    pub fn begin(mut command: Command, store: &Path, service: &str, config: &str, more: &[&str]) -> Self {
        let [log, file] = [(); 2].map(|()| tempfile::NamedTempFile::new().unwrap());
        fs::write(file.path(), format!("{LOG_FORMAT}{config}")).unwrap();
        let child = command
            .args(["watch", "--listen", "127.0.0.1:0", "--config"])
            .arg(file.path())
            .arg("--store")
            .arg(store)
            .args(["--service", service])
            .args(more)
            .env("LASTGASP_LOG", "debug")
            .env("LASTGASP_CACHE_DIR", "")
            .stderr(log.reopen().unwrap())
            .spawn()
            .unwrap();
        Self { child, log: Log::new(log.path()), _files: [log, file] }
    }

    pub fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    /// All that it has said, for people.
    pub fn log(&self) -> String {
        self.log.text()
    }

    /// Waits until it watches that process.
    pub fn watches(&self, pid: i32) {
        let watched = || self.log.has("watched", pid).then_some(());
        assert!(wait_for(watched).is_some(), "process {pid} is not watched");
    }

    /// Ends it as a service manager does, and waits until all is written.
    pub fn stop(mut self) {
        kill(Pid::from_raw(self.pid()), Signal::SIGTERM).unwrap();
        let began = Instant::now();
        while self.child.try_wait().unwrap().is_none() {
            assert!(began.elapsed() < PATIENCE, "it does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
        assert!(self.child.wait().unwrap().success());
        assert!(!self.log().contains("panicked"), "{}", self.log());
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let _ = writeln!(std::io::stdout(), "{}", self.log());
        }
    }
}

/// A program in a group of its own.
pub struct Victim {
    pub group: OwnCgroup,
    pub child: Child,
}

/// A group with a limit; `None`, loudly, where none can be made.
pub fn group(number: usize, limit: Option<u64>) -> Option<OwnCgroup> {
    let name = group_name(std::process::id(), &number.to_string());
    OwnCgroup::create(&Mounts::detect(), &name, limit).map_err(|e| println!("SKIPPED: no cgroup can be made: {e}")).ok()
}

/// Name of a group of a test's process.
fn group_name(test: u32, number: &str) -> String {
    format!("lastgasp-watch-{test}-{number}")
}

/// The limit file of a group that was made.
pub fn limit_file(dir: &Path) -> PathBuf {
    let v1 = dir.join("memory.limit_in_bytes");
    if v1.exists() { v1 } else { dir.join("memory.max") }
}

/// Starts a program inside groups.
pub fn start_in(dirs: &[PathBuf], program: &Path, args: &[&str]) -> Child {
    let mut enter = Command::new(env!("CARGO_BIN_EXE_lastgasp"));
    enter.arg("enter");
    for dir in dirs {
        enter.arg("--cgroup").arg(dir);
    }
    enter.arg("--").arg(program).args(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Starts the program in a group of its own; `None`, loudly, where no groups can be made.
pub fn victim(program: &Path, number: usize, args: &[&str]) -> Option<Victim> {
    let group = group(number, Some(LIMIT))?;
    let child = start_in(group.dirs(), program, args);
    Some(Victim { group, child })
}

impl Victim {
    pub fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    /// Waits until the kernel has killed it, and removes its group.
    pub fn wait(mut self) -> i32 {
        self.is_killed();
        let pid = self.pid();
        assert!(self.group.remove());
        pid
    }

    /// Waits until the kernel has killed it; its group stays, with what it counted.
    pub fn is_killed(&mut self) {
        assert_eq!(ends(&mut self.child).signal(), Some(9), "killed by the kernel");
    }
}

/// Waits for a child's end, but not for ever.
pub fn ends(child: &mut Child) -> ExitStatus {
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        assert!(began.elapsed() < PATIENCE, "process {} stands still: {}", child.id(), states(child.id()));
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// States of a process's threads, one letter each.
pub fn states(pid: u32) -> String {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let state = |stat: String| stat.get(stat.rfind(')')? + 2..)?.chars().next();
    threads.filter_map(|t| state(fs::read_to_string(t.path().join("stat")).ok()?)).collect()
}

/// Neither stopped nor traced nor frozen, at the latest after what the watchdog is allowed and a busy machine
/// needs.
pub fn runs_again(pid: u32, group: Option<&OwnCgroup>) {
    let frozen = || {
        let of = |dir: &PathBuf| fs::read_to_string(dir.join("cgroup.freeze")).is_ok_and(|t| t.trim() == "1");
        group.is_some_and(|g| g.dirs().iter().any(of))
    };
    let free = wait_for(|| (!frozen() && !states(pid).contains(['t', 'T'])).then_some(()));
    assert!(free.is_some(), "process {pid} was left stopped: {}", states(pid));
}

/// Asks every few milliseconds, until patience is over.
pub fn wait_for<T>(mut check: impl FnMut() -> Option<T>) -> Option<T> {
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        if let Some(found) = check() {
            return Some(found);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    None
}

/// Waits until the daemon has tried the pin, which it does beside its work in its first seconds; gives what
/// that came to: `measured`, `unmeasured`, `refused`.
pub fn pin_is_tried(daemon: &Daemon) -> String {
    let tried = || daemon.log.status()?["pin_window"]["state"].as_str().map(str::to_owned);
    let Some(state) = wait_for(tried) else { panic!("the pin is not tried:\n{}", daemon.log()) };
    state
}

/// Waits until the journal is empty: what a predecessor left is undone, and what is made to try the pin has
/// come and gone.
pub fn all_is_undone(store: &Path) {
    let entries = || fs::read_dir(store.join(".journal")).map_or(0, Iterator::count);
    assert!(wait_for(|| (entries() == 0).then_some(())).is_some(), "{} entries in the journal", entries());
}

/// Whole captures of a process, by folder.
pub fn folders(store: &Path, pid: i32) -> Vec<PathBuf> {
    let all = fs::read_dir(store).into_iter().flatten().flatten().map(|e| e.path());
    let name = |p: &Path| p.file_name().unwrap_or_default().to_string_lossy().into_owned();
    all.filter(|p| !name(p).starts_with('.') && name(p).contains(&format!("-{pid}-"))).collect()
}

/// What the captures of a process say: phase, light, culprit.
pub fn captures(store: &Path, pid: i32) -> Vec<(String, bool, String)> {
    let mut found = Vec::new();
    for folder in folders(store, pid) {
        let manifest = json(&folder.join("manifest.json"));
        // On a busy machine a living target may not stand still in time, and the capture says so; a dead one
        // has no excuse.
        assert!(manifest["complete"] == true || manifest["phase"] == "pre-kill", "{}", manifest["gaps"]);
        let verdict = json(&folder.join("findings.json"))["verdict"]["sentence"].as_str().unwrap_or("").to_owned();
        if !verdict.contains("main.growA") {
            let text = |name: &str| fs::read_to_string(folder.join(name)).unwrap_or_default();
            println!("{}\n{}", text("report.txt"), text("timeline.jsonl"));
        }
        found.push((manifest["phase"].as_str().unwrap().to_owned(), manifest["light"] == true, verdict));
    }
    found
}

/// There is evidence from after the kill, and all evidence of the process names the line that allocated.
pub fn is_captured(store: &Path, pid: i32) {
    let found = captures(store, pid);
    assert!(found.iter().any(|(phase, ..)| phase == "post-kill"), "process {pid}: {found:?}");
    assert!(found.iter().all(|(.., verdict)| verdict.contains("main.growA")), "process {pid}: {found:?}");
}

pub fn json(file: &Path) -> Value {
    serde_json::from_slice(&fs::read(file).unwrap()).unwrap()
}

/// All facts of a capture.
pub fn facts_of(folder: &Path) -> Value {
    let mut text = String::new();
    let file = fs::File::open(folder.join("facts.json.gz")).unwrap();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(file), &mut text).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The limit that a capture has noted, and where it stood.
pub fn limit_of(folder: &Path) -> (u64, String) {
    let facts = facts_of(folder);
    let target = &facts["target"];
    (target["limit_bytes"].as_u64().unwrap(), target["limit_source"].as_str().unwrap_or("").to_owned())
}

/// Moments that look random and are the same in every run (SplitMix64).
pub struct Moments(pub u64);

impl Moments {
    pub fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % most
    }

    pub fn pause(&mut self, most: Duration) {
        std::thread::sleep(Duration::from_micros(self.below(most.as_micros() as u64)));
    }
}
