//! What does not answer: executables on storage that is gone, memory that is mapped from there. Who reads it
//! sleeps in the kernel, and cannot be killed; that is a worker of the daemon's, and not the daemon. It goes
//! on, captures whoever else dies, and can be ended at any moment.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use lastgasp_lab::lying_files::silent_executable;
use lastgasp_lab::silent_storage::{Silent, SilentStorage};
use lastgasp_observe::target::open;
use lastgasp_observe::target::runtime_cache::RuntimeCache;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use watching::{
    Daemon, PATIENCE, alone, forget, group, is_captured, limit_file, program, program_of, states, victim, wait_for,
};

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

/// Where a process keeps what is made to point to memory that does not answer.
#[derive(Clone, Copy)]
enum Word {
    /// What the list of goroutines is read by: of whoever is looked at for the first time.
    Goroutines,
    /// What the memory profile is read by: of whoever is watched closely.
    Buckets,
}

/// Processes whose memory does not answer, each at a page of its own: who waits for one that others wait for
/// too can be killed.
struct Tenants {
    program: PathBuf,
    storage: SilentStorage,
    all: Ended,
    /// Where the word stands by which goroutines are found: the same in all.
    goroutines: Option<u64>,
}

impl Tenants {
    /// Room for so many; `None`, loudly, where no such storage can be had.
    fn new(service: &str, folder: &Path, most: usize) -> Option<Self> {
        let program = program_of("hostile", service);
        // Others run it too.
        fs::set_permissions(program.parent().unwrap(), fs::Permissions::from_mode(0o755)).unwrap();
        let names: Vec<String> = (0..most).map(|n| format!("page-{n:03}")).collect();
        let page = Silent { bytes: vec![0; 8192], silent_from: 0 };
        let files = names.iter().map(|name| (name.as_str(), page.clone())).collect();
        let Some(storage) = SilentStorage::mount(folder, files) else {
            forget(&program);
            return None;
        };
        Some(Self { program, storage, all: Ended(Vec::new()), goroutines: None })
    }

    fn page(&self) -> PathBuf {
        self.storage.path(&format!("page-{:03}", self.all.0.len()))
    }

    /// One of a command that becomes the program; gives its number and where its page is mapped.
    fn begin(&mut self, mut command: Command) -> (i32, u64) {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let pid = child.id() as i32;
        self.all.0.push(child);
        (pid, line.trim().parse().unwrap())
    }

    /// One that answers, so that the file is known: who runs it is looked at without delay, whatever was lost
    /// over others who do.
    fn is_known(&mut self, daemon: &Daemon) {
        let mut command = Command::new(&self.program);
        command.arg("map").arg(self.page());
        let (pid, _) = self.begin(command);
        daemon.watches(pid);
    }

    /// So many of that user, silent before the daemon, which stands still meanwhile, can look at them; their
    /// numbers.
    fn silent(&mut self, daemon: &Daemon, uid: u32, count: usize) -> Vec<u32> {
        kill(Pid::from_raw(daemon.pid()), Signal::SIGSTOP).unwrap();
        let one = |_| {
            let mut command = Command::new(&self.program);
            command.arg("map").arg(self.page()).uid(uid).gid(uid);
            let (pid, at) = self.begin(command);
            let place = *self.goroutines.get_or_insert_with(|| place_of(pid, Word::Goroutines));
            falls_silent(pid, at, place);
            pid as u32
        };
        let all = (0..count).map(one).collect();
        kill(Pid::from_raw(daemon.pid()), Signal::SIGCONT).unwrap();
        all
    }

    /// All that was silent ends, and so does who waits for it.
    fn end(self) {
        let Self { program, storage, mut all, .. } = self;
        for child in &mut all.0 {
            child.kill().unwrap();
        }
        drop(storage);
        for child in &mut all.0 {
            child.wait().unwrap();
        }
        forget(&program);
    }
}

/// Where a word of its runtime stands.
fn place_of(pid: i32, word: Word) -> u64 {
    let (_, runtime) = open(pid, &RuntimeCache::in_memory()).unwrap();
    match word {
        Word::Goroutines => runtime.globals.allgptr.0,
        Word::Buckets => runtime.globals.mbuckets.0,
    }
}

/// From now on it has nothing to say there. Its runtime goes by these words only when it makes more of what
/// they lead to.
fn falls_silent(pid: i32, at: u64, place: u64) {
    let mem = fs::OpenOptions::new().write(true).open(format!("/proc/{pid}/mem")).unwrap();
    mem.write_all_at(&at.to_le_bytes(), place).unwrap();
}

fn stuck(daemon: &Daemon) -> u64 {
    daemon.log.status().unwrap()["counters"]["workers_stuck"].as_u64().unwrap()
}

/// Waits until so many of its workers sleep in the kernel.
fn sleep(daemon: &Daemon, wanted: std::ops::RangeInclusive<u64>, at_most: Duration) {
    let began = Instant::now();
    while !wanted.contains(&stuck(daemon)) {
        assert!(began.elapsed() < at_most, "{} of {wanted:?} sleep:\n{}", stuck(daemon), daemon.log());
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Threads of a process that wait for an answer of a FUSE file system.
fn waiting(pid: i32) -> usize {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
    let place = |task: fs::DirEntry| fs::read_to_string(task.path().join("wchan")).unwrap_or_default();
    tasks.map(place).filter(|place| place.contains("request_wait_answer")).count()
}

/// Children of a process that sleep where no signal wakes them.
fn asleep(parent: i32) -> Vec<u32> {
    let tasks = fs::read_dir(format!("/proc/{parent}/task")).unwrap().flatten();
    let children = tasks.map(|task| fs::read_to_string(task.path().join("children")).unwrap_or_default());
    let all = children.flat_map(|text| text.split_whitespace().map(|n| n.parse().unwrap()).collect::<Vec<u32>>());
    all.filter(|pid| states(*pid).contains('D')).collect()
}

/// Memory of a process that is its alone.
fn own_memory(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("RssAnon:")).unwrap_or_default();
    line.split_whitespace().next().map_or(0, |kib| kib.parse::<u64>().unwrap() << 10)
}

/// A user, and root in a group, make four workers sleep each and not one more, however many of their
/// processes do not answer; root in another group is recognised and captured meanwhile. When the storage is
/// gone nobody sleeps any more.
#[test]
fn one_tenant_makes_few_workers_sleep() {
    let _turn = alone();
    let (service, store, folder) = ("silent-few", tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let real = program(service);
    let Some(mut tenants) = Tenants::new(service, folder.path(), 15) else { return forget(&real) };
    let daemon = Daemon::start(store.path(), service, &[]);
    tenants.is_known(&daemon);
    let of_user = tenants.silent(&daemon, 61_000, 7);
    sleep(&daemon, 4..=4, PATIENCE);
    // Their turns come, and their pauses end.
    // One that is slow to die counts for that moment.
    let stays = |wanted: u64| {
        let (began, mut as_wanted) = (Instant::now(), Instant::now());
        while began.elapsed() < Duration::from_secs(8) {
            let now = stuck(&daemon);
            as_wanted = if now == wanted { Instant::now() } else { as_wanted };
            assert!(now >= wanted && as_wanted.elapsed() < Duration::from_secs(3), "{now}, not {wanted}");
            std::thread::sleep(Duration::from_millis(100));
        }
    };
    stays(4);
    let of_root = tenants.silent(&daemon, 0, 7);
    sleep(&daemon, 8..=8, PATIENCE);
    stays(8);
    let lost: BTreeSet<u64> = daemon.log.events("worker-lost").iter().filter_map(|e| e["pid"].as_u64()).collect();
    let among = |pids: &[u32]| pids.iter().filter(|pid| lost.contains(&u64::from(**pid))).count();
    assert_eq!((among(&of_user), among(&of_root)), (4, 4), "{}", daemon.log());
    // Another child may wait for a page at that moment.
    let eight = || Some(asleep(daemon.pid())).filter(|all| all.len() == 8);
    let sleepers = wait_for(eight).unwrap();
    let most = sleepers.iter().map(|pid| own_memory(*pid)).max().unwrap();
    println!("{} kB of each sleeper's own at most", most >> 10);
    assert!(most < 8 << 20, "{most}");
    goes_on(&daemon, &real, 530, store.path());
    tenants.end();
    sleep(&daemon, 0..=0, PATIENCE);
    daemon.stop();
    forget(&real);
}

/// Many users make all workers sleep that there may be: no more are started then, and those that waited may
/// hang too. Half of that is said by `/healthz`; who is under watch already is captured when it dies; and
/// when the storage is gone all is as before, also for who came meanwhile.
#[test]
fn who_is_watched_is_captured_while_all_workers_sleep() {
    const ALL: u64 = 64;
    /// With those that were in use or waited just then, six of each kind at most.
    const MOST: u64 = ALL + 12;
    let _turn = alone();
    let (service, store, folder) = ("silent-many", tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let real = program(service);
    let Some(mut tenants) = Tenants::new(service, folder.path(), 97) else { return forget(&real) };
    let daemon = Daemon::start(store.path(), service, &[]);
    // Its time passes while it stands still: it grows as soon as it runs again.
    let Some(mut victim) = victim(&real, 531, &["-after", "20s", "-rate", "100000000"]) else { return };
    daemon.watches(victim.pid());
    kill(Pid::from_raw(victim.pid()), Signal::SIGSTOP).unwrap();
    tenants.is_known(&daemon);
    let began = Instant::now();
    for user in 0..8 {
        tenants.silent(&daemon, 62_000 + user, 4);
    }
    sleep(&daemon, ALL / 2..=ALL / 2, PATIENCE * 4);
    assert!(wait_for(|| (!daemon.log.is_healthy()).then_some(())).is_some(), "it says that all is well");
    for user in 8..24 {
        tenants.silent(&daemon, 62_000 + user, 4);
    }
    sleep(&daemon, ALL..=MOST, PATIENCE * 4);
    println!("all sleep after {:.0} s", began.elapsed().as_secs_f64());
    let mut new = Command::new(&real).args(["-after", "10m"]).stdout(Stdio::null()).spawn().unwrap();
    let until = Instant::now() + Duration::from_secs(10);
    while Instant::now() < until {
        assert!((ALL..=MOST).contains(&stuck(&daemon)), "{}", stuck(&daemon));
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(began.elapsed() > Duration::from_secs(20), "the victim's time is not over");
    kill(Pid::from_raw(victim.pid()), Signal::SIGCONT).unwrap();
    victim.is_killed();
    let pid = victim.wait();
    tenants.end();
    sleep(&daemon, 0..=0, PATIENCE);
    daemon.watches(new.id() as i32);
    assert!(wait_for(|| daemon.log.is_healthy().then_some(())).is_some());
    new.kill().unwrap();
    new.wait().unwrap();
    daemon.stop();
    is_captured(store.path(), pid);
    forget(&real);
}

/// A process that is in danger is read by the daemon itself, which waits for no worker; let its memory fall
/// silent then, and one thread of the daemon sleeps. Others are watched and captured, and the daemon ends
/// with that storage and not before.
#[test]
fn who_falls_silent_in_danger_holds_one_thread() {
    let _turn = alone();
    let (service, store, folder) = ("silent-danger", tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let real = program(service);
    let Some(mut tenants) = Tenants::new(service, folder.path(), 1) else { return forget(&real) };
    let Some(group) = group(532, Some(128 << 20)) else { return };
    let mut daemon = Daemon::start(store.path(), service, &[]);
    let mut command = watching::lastgasp();
    command.arg("enter");
    for dir in group.dirs() {
        command.arg("--cgroup").arg(dir);
    }
    command.arg("--").arg(&tenants.program).arg("map").arg(tenants.page()).arg("64");
    let (pid, at) = tenants.begin(command);
    daemon.watches(pid);
    let place = place_of(pid, Word::Buckets);
    // It uses four fifths of that.
    fs::write(limit_file(&group.cgroup.memory), (80 << 20).to_string()).unwrap();
    let armed = || {
        let status = daemon.log.status()?;
        let targets = status["targets"].as_array()?.clone();
        targets.iter().any(|t| t["pid"] == pid && t["danger"] == "armed").then_some(())
    };
    assert!(wait_for(armed).is_some(), "{:?}", daemon.log.status());
    falls_silent(pid, at, place);
    assert!(wait_for(|| (waiting(daemon.pid()) > 0).then_some(())).is_some(), "nothing of it sleeps");
    goes_on(&daemon, &real, 533, store.path());
    assert_eq!(waiting(daemon.pid()), 1, "one thread and no more");
    kill(Pid::from_raw(daemon.pid()), Signal::SIGKILL).unwrap();
    std::thread::sleep(Duration::from_secs(2));
    assert!(daemon.child.try_wait().unwrap().is_none(), "the page says that it cannot be ended: mend the page");
    tenants.end();
    assert!(wait_for(|| daemon.child.try_wait().unwrap()).is_some(), "it ends with the storage");
    assert!(wait_for(|| states(pid as u32).is_empty().then_some(())).is_some());
    let _ = group.remove();
    forget(&real);
}
