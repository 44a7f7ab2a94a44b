//! Bad input and bad days, on real processes: each ends in a clear message and the right exit code, and the
//! target is never left standing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use std::io::Write as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use lastgasp_lab::build::{Mode, cache_dir};
use lastgasp_lab::oracle::Oracle;
use lastgasp_lab::toolchain;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

fn lastgasp(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lastgasp")).args(args).output().unwrap()
}

fn says(out: &Output, code: i32, words: &[&str]) {
    let text = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(code), "{text}");
    for w in words {
        assert!(text.contains(w), "{text}\nshould contain {w:?}");
    }
    assert!(!text.contains("panicked"), "{text}");
}

/// A Go program that stands still, or `None` (said) if there is no toolchain.
fn oracle() -> Option<Oracle> {
    match toolchain::any(&cache_dir()) {
        Ok(t) => Some(Oracle::start(&t, Mode::Stripped).unwrap()),
        Err(e) => {
            eprintln!("SKIPPED: {e:#}");
            None
        }
    }
}

fn state(pid: i32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.get(stat.rfind(')')? + 2..)?.chars().next()
}

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

#[test]
fn what_is_no_target_is_named() {
    says(&lastgasp(&["capture", "2147483647"]), 2, &["no process 2147483647", "lastgasp ps"]);
    says(
        &lastgasp(&["report", "/no/such/folder"]),
        2,
        &["neither a capture's folder nor a core file nor a process number"],
    );
    says(&lastgasp(&["capture", "seven"]), 2, &["neither a process number nor a core file"]);
    says(&lastgasp(&["run", "--memory-max", "12x", "--", "true"]), 2, &["unknown unit"]);
    let mut sleep = Command::new("sleep").arg("30").spawn().unwrap();
    says(&lastgasp(&["capture", &sleep.id().to_string()]), 2, &["not a Go executable"]);
    sleep.kill().unwrap();
    sleep.wait().unwrap();
    let dir = tempfile::tempdir().unwrap();
    says(&lastgasp(&["report", dir.path().to_str().unwrap()]), 2, &["is not a capture"]);
}

#[test]
fn a_process_of_somebody_else_is_refused_with_the_cure() {
    if !is_root() {
        return eprintln!("SKIPPED: needs root, to be somebody else");
    }
    let Some(target) = oracle() else { return };
    // The binary may stand where nobody may look.
    let dir = tempfile::tempdir_in("/tmp").unwrap();
    std::fs::set_permissions(dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let copy = dir.path().join("lastgasp");
    std::fs::copy(env!("CARGO_BIN_EXE_lastgasp"), &copy).unwrap();
    // A store of their own: that it can be written is asked first.
    let store = dir.path().join("store");
    std::fs::create_dir(&store).unwrap();
    std::os::unix::fs::chown(&store, Some(65534), Some(65534)).unwrap();
    let mut capture = Command::new(&copy);
    capture.args(["capture", &target.pid().to_string(), "--out"]).arg(&store).uid(65534).gid(65534);
    let out = capture.output().unwrap();
    says(&out, 2, &["no permission", "CAP_SYS_PTRACE", "run as root"]);
}

/// The version in a real binary, overwritten: an unknown minor is refused by name, whatever else would fit.
#[test]
fn an_unknown_go_minor_is_refused() {
    let Ok(t) = toolchain::any(&cache_dir()) else {
        return eprintln!("SKIPPED: no Go toolchain");
    };
    let binary = Oracle::build(&t, Mode::Stripped).unwrap();
    let mut bytes = std::fs::read(binary).unwrap();
    let magic = b"\xff Go buildinf:";
    let at = (0..bytes.len() - 64).step_by(16).find(|i| bytes[*i..].starts_with(magic)).unwrap() + 33;
    assert!(bytes[at..].starts_with(b"go1."));
    bytes[at + 4..at + 6].copy_from_slice(b"99");
    let dir = tempfile::tempdir().unwrap();
    let odd = dir.path().join("odd");
    std::fs::write(&odd, bytes).unwrap();
    std::fs::set_permissions(&odd, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let target = Oracle::start_binary(&odd).unwrap();
    says(&lastgasp(&["capture", &target.pid().to_string()]), 2, &["go1.99", "is not supported", "never guessed"]);
}

#[test]
fn a_store_that_cannot_be_written_says_the_cure() {
    let Some(target) = oracle() else { return };
    let out = lastgasp(&["capture", &target.pid().to_string(), "--out", "/proc/nowhere"]);
    says(&out, 2, &["/proc/nowhere", "nothing was taken", "give another folder with --out"]);
    assert_ne!(state(target.pid()), Some('t'));
}

/// Before a process is even looked for, let alone stopped: its evidence would be thrown away.
#[test]
fn the_store_is_tried_first() {
    says(&lastgasp(&["capture", "2147483647", "--out", "/proc/nowhere"]), 2, &["/proc/nowhere", "--out"]);
    // And what was made for nothing is removed again; what was there is not.
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    says(&lastgasp(&["capture", "2147483647", "--out", store.to_str().unwrap()]), 2, &["no process 2147483647"]);
    assert!(!store.exists());
    std::fs::create_dir(&store).unwrap();
    says(&lastgasp(&["capture", "2147483647", "--out", store.to_str().unwrap()]), 2, &["no process 2147483647"]);
    assert_eq!(std::fs::read_dir(&store).unwrap().count(), 0);
}

/// A store where anybody can write, as in `/tmp`: what others put there is said and left alone, and a capture
/// is taken all the same.
#[test]
fn a_store_that_others_prepared_is_not_obeyed() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let Some(target) = oracle() else { return };
    let dir = tempfile::tempdir().unwrap();
    let (store, victim) = (dir.path().join("store"), dir.path().join("victim"));
    std::fs::create_dir(&store).unwrap();
    std::fs::set_permissions(&store, std::fs::Permissions::from_mode(0o1777)).unwrap();
    std::fs::create_dir(&victim).unwrap();
    std::fs::write(victim.join("1x1.json"), "not a journal").unwrap();
    symlink(&victim, store.join(".journal")).unwrap();
    symlink(&victim, store.join(".partial-1-svc")).unwrap();
    nix::unistd::mkfifo(&store.join(".partial-2-svc"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let out = lastgasp(&["capture", &target.pid().to_string(), "--out", store.to_str().unwrap()]);
    says(&out, 0, &["cannot be trusted", "give another folder with --store or --out"]);
    assert_eq!(std::fs::read_to_string(victim.join("1x1.json")).unwrap(), "not a journal");
    let capture = String::from_utf8(out.stdout).unwrap();
    // A capture whose manifest was replaced by a pipe is refused at once.
    let manifest = Path::new(capture.trim()).join("manifest.json");
    std::fs::remove_file(&manifest).unwrap();
    nix::unistd::mkfifo(&manifest, nix::sys::stat::Mode::S_IRWXU).unwrap();
    says(&lastgasp(&["report", capture.trim()]), 2, &["is not a capture", "not a plain file"]);
}

/// A disk of 16 kB: no capture, no rest of one, and a message that says what to do.
#[test]
fn a_full_disk_leaves_nothing_half_written() {
    if !is_root() {
        return eprintln!("SKIPPED: needs root to mount a small disk");
    }
    let Some(target) = oracle() else { return };
    let dir = tempfile::tempdir().unwrap();
    let mount =
        Command::new("mount").args(["-t", "tmpfs", "-o", "size=16k", "tmpfs"]).arg(dir.path()).status().unwrap();
    if !mount.success() {
        return eprintln!("SKIPPED: cannot mount a tmpfs");
    }
    let out = lastgasp(&["capture", &target.pid().to_string(), "--out", dir.path().to_str().unwrap()]);
    let left = std::fs::read_dir(dir.path()).unwrap().count();
    Command::new("umount").arg(dir.path()).status().unwrap();
    says(&out, 2, &["free some space"]);
    assert_eq!(left, 0);
    assert_ne!(state(target.pid()), Some('t'));
}

/// Captures of processes that end while they are captured: an error or a capture with gaps, never a panic,
/// never a hang.
#[test]
fn a_target_that_ends_while_captured() {
    let Ok(t) = toolchain::any(&cache_dir()) else {
        return eprintln!("SKIPPED: no Go toolchain");
    };
    let binary = Oracle::build(&t, Mode::Stripped).unwrap();
    let store = tempfile::tempdir().unwrap();
    for i in 0..20u64 {
        let target = Oracle::start_binary(&binary).unwrap();
        let capture = spawn(&["capture", &target.pid().to_string(), "--out", store.path().to_str().unwrap()]);
        std::thread::sleep(Duration::from_micros(700 * i));
        drop(target);
        let out = capture.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&out.stderr);
        assert!(matches!(out.status.code(), Some(0 | 2 | 3)), "{:?} {text}", out.status);
        assert!(!text.contains("panicked"), "{text}");
    }
    for capture in std::fs::read_dir(store.path()).unwrap() {
        let path = capture.unwrap().path();
        let out = lastgasp(&["report", path.to_str().unwrap()]);
        assert!(matches!(out.status.code(), Some(0 | 3)), "{}", String::from_utf8_lossy(&out.stderr));
    }
}

/// lastgasp killed at any moment of a capture: the target runs on, and the store holds whole captures or
/// nothing after the next start.
#[test]
fn lastgasp_killed_while_it_captures() {
    let Some(target) = oracle() else { return };
    let store = tempfile::tempdir().unwrap();
    let (pid, out) = (target.pid().to_string(), store.path().to_str().unwrap().to_owned());
    for i in 0..25u64 {
        let mut capture = spawn(&["capture", &pid, "--out", &out]);
        std::thread::sleep(Duration::from_micros(900 * i));
        capture.kill().unwrap();
        capture.wait().unwrap();
        runs_again(target.pid());
    }
    // On a busy machine a thread may not stop in time, which the capture says.
    let last = lastgasp(&["capture", &pid, "--out", &out]);
    let said = String::from_utf8_lossy(&last.stderr);
    assert!(last.status.success() || said.contains("in time"), "{said}");
    for entry in std::fs::read_dir(store.path()).unwrap() {
        let path = entry.unwrap().path();
        assert!(!path.file_name().unwrap().to_string_lossy().starts_with(".partial"), "{}", path.display());
        assert!(matches!(lastgasp(&["report", path.to_str().unwrap()]).status.code(), Some(0 | 3)));
    }
}

/// lastgasp run killed at any moment: the command lives on, is not frozen, and its cgroup goes when it ends.
#[test]
fn lastgasp_killed_while_it_runs_a_command() {
    let Ok(t) = toolchain::any(&cache_dir()) else {
        return eprintln!("SKIPPED: no Go toolchain");
    };
    let binary = Oracle::build(&t, Mode::Stripped).unwrap();
    for i in 0..6u64 {
        let store = tempfile::tempdir().unwrap();
        let truth = store.path().join("truth");
        let mut run = Command::new(env!("CARGO_BIN_EXE_lastgasp"))
            .args(["run", "--store", store.path().to_str().unwrap(), "--"])
            .arg(&binary)
            .arg(&truth)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Held open: the command ends when its input does.
        let input = run.stdin.take();
        let service = wait_for(|| child_of(run.id(), "oracle")).expect("the command runs");
        std::thread::sleep(Duration::from_millis(37 * i));
        let cgroup = cgroup_of(service);
        run.kill().unwrap();
        run.wait().unwrap();
        runs_again(service);
        drop(input);
        assert!(
            wait_for(|| state(service).is_none_or(|s| s == 'Z').then_some(())).is_some(),
            "the command ends by itself"
        );
        if cgroup.contains("lastgasp-run-") {
            let gone = || !Path::new("/sys/fs/cgroup/memory").join(cgroup.trim_start_matches('/')).exists();
            assert!(wait_for(|| gone().then_some(())).is_some(), "{cgroup} was left behind");
        }
    }
}

/// `run` hands the command's own exit code on, and says when there was nothing to watch.
#[test]
fn run_is_transparent() {
    let store = tempfile::tempdir().unwrap();
    let s = store.path().to_str().unwrap();
    says(&lastgasp(&["run", "--store", s, "--", "sh", "-c", "exit 7"]), 7, &["no Go process was seen"]);
    says(&lastgasp(&["run", "--store", s, "--", "/no/such/program"]), 127, &["/no/such/program"]);
    assert_eq!(std::fs::read_dir(store.path().join(".journal")).map(Iterator::count).unwrap_or(0), 0);
}

/// Damage in a capture: named, not believed.
#[test]
fn a_damaged_capture_is_named() {
    let Some(target) = oracle() else { return };
    let store = tempfile::tempdir().unwrap();
    let out = lastgasp(&["capture", &target.pid().to_string(), "--out", store.path().to_str().unwrap()]);
    let path = String::from_utf8(out.stdout).unwrap();
    let path = Path::new(path.trim());
    std::fs::OpenOptions::new().append(true).open(path.join("facts.json.gz")).unwrap().write_all(b"x").unwrap();
    says(&lastgasp(&["report", path.to_str().unwrap()]), 2, &["facts.json.gz is damaged", "checksum"]);
    std::fs::write(path.join("manifest.json"), b"{").unwrap();
    says(&lastgasp(&["report", path.to_str().unwrap()]), 2, &["is not a capture"]);
}

fn spawn(args: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_lastgasp"))
        .args(args)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Neither stopped nor traced nor frozen, at the latest after what the watchdog is allowed.
fn runs_again(pid: i32) {
    let frozen = || {
        let unified = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
        let path =
            unified.lines().find_map(|l| l.strip_prefix("0::")).unwrap_or("/").trim_start_matches('/').to_owned();
        let roots = ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"];
        roots.iter().any(|r| {
            std::fs::read_to_string(Path::new(r).join(&path).join("cgroup.freeze")).is_ok_and(|t| t.trim() == "1")
        })
    };
    let free = wait_for(|| (!matches!(state(pid), Some('t' | 'T')) && !frozen()).then_some(()));
    assert!(free.is_some(), "process {pid} was left in state {:?}", state(pid));
}

fn wait_for<T>(mut check: impl FnMut() -> Option<T>) -> Option<T> {
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(10) {
        if let Some(t) = check() {
            return Some(t);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    None
}

fn child_of(pid: u32, name: &str) -> Option<i32> {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
    children
        .split_whitespace()
        .filter_map(|c| c.parse().ok())
        .find(|c: &i32| std::fs::read_to_string(format!("/proc/{c}/comm")).is_ok_and(|n| n.trim() == name))
}

fn cgroup_of(pid: i32) -> String {
    let text = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
    text.lines().find_map(|l| l.split_once(":memory:").map(|(_, p)| p.to_owned())).unwrap_or_default()
}

/// Stopped itself (Ctrl-Z, a paused container) in the moment in which it holds a target, lastgasp is ended by
/// its watchdog, and the target runs on.
#[test]
fn stopped_while_it_holds_a_target() {
    let Ok(toolchain) = toolchain::find_or_fetch(24, &cache_dir()) else { return eprintln!("SKIPPED: no Go 1.24") };
    let churn = Oracle::start_program(&toolchain, Mode::Stripped, "lab/programs/churn").unwrap();
    let store = tempfile::tempdir().unwrap();
    let traced = || state(churn.pid()) == Some('t');
    for _ in 0..50 {
        let mut lastgasp = Command::new(env!("CARGO_BIN_EXE_lastgasp"))
            .args(["capture", &churn.pid().to_string(), "--out"])
            .arg(store.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let pid = Pid::from_raw(lastgasp.id() as i32);
        let mut ended = false;
        while !traced() && !ended {
            ended = lastgasp.try_wait().unwrap().is_some();
        }
        if ended {
            // Never seen holding: its number may be another's by now.
            continue;
        }
        kill(pid, Signal::SIGSTOP).unwrap();
        std::thread::sleep(Duration::from_millis(20));
        if !traced() {
            // Too late: it had let go already.
            let _ = kill(pid, Signal::SIGKILL);
            lastgasp.wait().unwrap();
            continue;
        }
        let since = Instant::now();
        while traced() {
            assert!(since.elapsed() < Duration::from_secs(10), "the target is still held");
            std::thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(lastgasp.wait().unwrap().signal(), Some(9), "ended by its watchdog");
        return;
    }
    eprintln!("SKIPPED: not caught holding in fifty tries");
}
