//! `lastgasp ps` on real processes: many, in another mount namespace, in a container's group, without
//! permission. Skips loudly what cannot be had here.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr)]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use lastgasp_lab::build::{Mode, build, cache_dir, repo_root};
use lastgasp_lab::toolchain::{self, Toolchain};
use serde_json::Value;

/// A process that is ended with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    /// Starts it; returns once it has said READY, and with that once its runtime is up.
    fn start(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let running = Self(child);
        assert_eq!(line, "READY\n");
        running
    }

    fn pid(&self) -> u64 {
        self.0.id().into()
    }
}

fn toolchain() -> Option<Toolchain> {
    toolchain::any(&cache_dir()).map_err(|e| eprintln!("SKIPPED: {e:#}")).ok()
}

fn idle(go: &Toolchain) -> PathBuf {
    build(go, Mode::Stripped, &repo_root().join("lab/programs/idle"), ".").unwrap()
}

fn lastgasp(cache: &Path) -> Command {
    let mut c = Command::new(env!("CARGO_BIN_EXE_lastgasp"));
    c.env("LASTGASP_CACHE_DIR", cache).arg("ps");
    c
}

fn ps(cache: &Path) -> Value {
    let out = lastgasp(cache).arg("--json").output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    serde_json::from_slice(&out.stdout).unwrap()
}

fn row(listing: &Value, pid: u64) -> &Value {
    let rows = listing["processes"].as_array().unwrap();
    rows.iter().find(|r| r["pid"] == pid).unwrap_or_else(|| panic!("{pid} is not in {listing}"))
}

/// What `go version -m` says of a binary: a `mod` or `build` line's value.
fn says(go: &Toolchain, binary: &Path, line: &str) -> Option<String> {
    let out = go.command().args(["version", "-m"]).arg(binary).output().unwrap();
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    text.lines().find_map(|l| Some(l.trim().strip_prefix(line)?.to_owned()))
}

#[test]
fn many_instances_are_listed_by_number_and_known_the_second_time() {
    let Some(go) = toolchain() else { return };
    let binary = idle(&go);
    let cache = tempfile::tempdir().unwrap();
    let all: Vec<Running> = (0..60).map(|_| Running::start(&mut Command::new(&binary))).collect();
    let entry = || -> Vec<(PathBuf, std::time::SystemTime)> {
        let mut files: Vec<_> = fs::read_dir(cache.path()).unwrap().map(|e| e.unwrap().path()).collect();
        files.sort();
        files.into_iter().map(|f| (f.clone(), f.metadata().unwrap().modified().unwrap())).collect()
    };
    let began = Instant::now();
    let first = ps(cache.path());
    let cold = began.elapsed();
    let known = entry();
    let began = Instant::now();
    let second = ps(cache.path());
    eprintln!("60 instances: {cold:?}, then {:?}", began.elapsed());

    let revision = says(&go, &binary, "build\tvcs.revision=");
    for listing in [&first, &second] {
        let pids: Vec<u64> =
            listing["processes"].as_array().unwrap().iter().map(|r| r["pid"].as_u64().unwrap()).collect();
        assert!(pids.is_sorted(), "{pids:?}");
        for p in &all {
            let r = row(listing, p.pid());
            assert_eq!((&r["service"], &r["problem"]), (&"idle".into(), &Value::Null));
            assert_eq!(r["go_version"], go.version.as_str());
            assert_eq!((&r["stripped"], &r["profile_on"]), (&true.into(), &false.into()), "it links no runtime/pprof");
            assert_eq!(r["module"]["path"], "idle");
            // The same moment under the name of the other contracts, and under the one that it had first.
            let at: jiff::Timestamp = r["started_at"].as_str().unwrap().parse().unwrap();
            assert_eq!(r["started_at_unix"].as_i64(), Some(at.as_second()));
            assert_eq!(r["vcs_revision"].as_str(), revision.as_deref());
            // main; with those of the runtime, and those that have ended, there are more structures.
            assert_eq!(r["goroutines"], 1, "{r}");
            assert!((2..20).contains(&r["goroutine_structures"].as_u64().unwrap()), "{r}");
            assert!(r["rss_bytes"].as_u64().unwrap() > 500_000, "{r}");
            assert_eq!(r["time_to_oom_seconds"], Value::Null);
        }
        let notes = listing["notes"].to_string();
        assert!(notes.contains("time to OOM unknown: one look cannot tell who grows"), "{notes}");
    }
    // Other tests' Go programs run too, so there may be more entries; ours is there, and was not written a
    // second time.
    assert!(!known.is_empty());
    let later = entry();
    assert!(known.iter().all(|k| later.contains(k)), "{known:?} {later:?}");
}

#[test]
fn an_executable_that_only_its_own_namespace_can_see() {
    let Some(go) = toolchain() else { return };
    if !nix::unistd::geteuid().is_root() {
        return eprintln!("SKIPPED: needs root for a mount namespace");
    }
    let dir = tempfile::tempdir().unwrap();
    let script = "mount -t tmpfs none \"$1\" && cp \"$2\" \"$1/hidden-service\" && exec \"$1/hidden-service\"";
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", script, "sh"]).arg(dir.path()).arg(idle(&go));
    let hidden = Running::start(&mut command);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "we do not see it");
    let cache = tempfile::tempdir().unwrap();
    let listing = ps(cache.path());
    let r = row(&listing, hidden.pid());
    assert_eq!((&r["service"], &r["problem"]), (&"hidden-service".into(), &Value::Null));
    assert!(r["goroutines"] == 1 && r["goroutine_structures"].as_u64().unwrap() >= 2, "{r}");
}

/// A group of the memory controller, removed with the test.
struct Group(PathBuf);

impl Drop for Group {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

/// The limit stands at the pod: what counts against it is the whole pod's memory, a neighbour's too, and not
/// the container's own.
#[test]
fn a_container_in_a_pod_with_a_limit() {
    const ID: &str = "3f2d7c0a9be1445566778899aabbccddeeff00112233445566778899aabbccdd";
    const UID: &str = "2c48913c-b29f-11e7-9350-020968147796";
    let Some(go) = toolchain() else { return };
    let controller = Path::new("/sys/fs/cgroup/memory");
    if !nix::unistd::geteuid().is_root() || !controller.join("memory.limit_in_bytes").exists() {
        return eprintln!("SKIPPED: needs root and a memory controller of cgroup v1");
    }
    let base = controller.join(format!("lastgasp-test-ps-{}", std::process::id()));
    let paths = [
        base.clone(),
        base.join(format!("pod{UID}")),
        base.join(format!("pod{UID}/{ID}")),
        base.join(format!("pod{UID}/other")),
    ];
    // Dropped last to first would leave them: children go first.
    let mut groups = Vec::new();
    for p in &paths {
        fs::create_dir(p).unwrap();
        groups.insert(0, Group(p.clone()));
    }
    fs::write(paths[1].join("memory.limit_in_bytes"), (512u64 << 20).to_string()).unwrap();
    let enter = |group: &Path, what: &str| {
        let script = format!("echo $$ > {}/cgroup.procs && exec {what}", group.display());
        Running::start(Command::new("sh").args(["-c", &script]))
    };
    let service = enter(&paths[2], &idle(&go).display().to_string());
    // The neighbour holds 64 MB of anonymous memory.
    let neighbour =
        enter(&paths[3], "sh -c 'x=$(head -c 67108864 /dev/zero | tr \"\\\\0\" x); echo READY; read -r _; echo ${#x}'");

    let cache = tempfile::tempdir().unwrap();
    let listing = ps(cache.path());
    let r = row(&listing, service.pid());
    assert_eq!((&r["container"], &r["pod_uid"]), (&ID.into(), &UID.into()), "{r}");
    assert_eq!(r["limit_bytes"], 512u64 << 20);
    assert!(r["limit_source"].as_str().unwrap().contains(&format!("pod{UID}/memory.limit_in_bytes")), "{r}");
    let usage = r["usage_bytes"].as_u64().unwrap();
    assert!(usage > 64 << 20, "the neighbour counts: {r}");
    assert!(r["rss_bytes"].as_u64().unwrap() < 32 << 20, "{r}");

    // `capture` reads the same gauge.
    let store = tempfile::tempdir().unwrap();
    let out = Command::new(env!("CARGO_BIN_EXE_lastgasp"))
        .args(["report", "--format", "json", &service.pid().to_string()])
        .env("LASTGASP_CACHE_DIR", cache.path())
        .current_dir(store.path())
        .output()
        .unwrap();
    let report: Value = serde_json::from_slice(&out.stdout).unwrap();
    let text = report.to_string();
    assert!(text.contains(&format!("pod{UID}/memory.limit_in_bytes")), "{text}");
    let seen = report["timeline"]["samples"][0]["usage_bytes"].as_u64().unwrap_or(0);
    assert!(seen > 64 << 20, "{}", report["timeline"]);
    drop((service, neighbour));
    std::thread::sleep(std::time::Duration::from_millis(50));
}

#[test]
fn who_may_not_read_is_told_once() {
    let Some(go) = toolchain() else { return };
    if !nix::unistd::geteuid().is_root() {
        return eprintln!("SKIPPED: needs root to become another user");
    }
    let _others: Vec<Running> = (0..3).map(|_| Running::start(&mut Command::new(idle(&go)))).collect();
    // Where nobody can get at it.
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let copy = dir.path().join("lastgasp");
    fs::copy(env!("CARGO_BIN_EXE_lastgasp"), &copy).unwrap();
    let own_binary = dir.path().join("nobodys-service");
    fs::copy(idle(&go), &own_binary).unwrap();
    let own = Running::start(Command::new(&own_binary).uid(65534).gid(65534));
    let run = |args: &[&str]| {
        let mut c = Command::new(&copy);
        c.arg("ps").args(args).uid(65534).gid(65534).env_clear().current_dir("/");
        let out = c.output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8_lossy(&out.stdout).into_owned()
    };
    let text = run(&[]);
    assert_eq!(text.matches("needs CAP_SYS_PTRACE: run as root").count(), 1, "{text}");
    let listing: Value = serde_json::from_str(&run(&["--json"])).unwrap();
    assert!(listing["denied"].as_u64().unwrap() >= 3, "{listing}");
    // Its own it may read.
    let r = row(&listing, own.pid());
    assert_eq!((&r["service"], &r["problem"]), (&"nobodys-service".into(), &Value::Null), "{r}");
}

/// Go all the same: named, with why it cannot be read.
#[test]
fn who_cannot_be_read_is_listed_as_refused() {
    let Some(go) = toolchain() else { return };
    let dir = tempfile::tempdir().unwrap();
    let cache = tempfile::tempdir().unwrap();
    let source = repo_root().join("lab/programs/idle");
    let of_32_bits = dir.path().join("idle386");
    let mut command = go.command();
    command.env("GOARCH", "386").env("CGO_ENABLED", "0").current_dir(&source);
    let built = command.args(["build", "-o"]).arg(&of_32_bits).arg(".").output().unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let running = Running::start(&mut Command::new(&of_32_bits));
    let listing = ps(cache.path());
    let r = row(&listing, running.pid());
    assert_eq!(r["service"], "idle386");
    assert!(r["problem"].as_str().unwrap().ends_with("a 32-bit program: only 64-bit ELF is read"), "{r}");

    let by_gccgo = dir.path().join("gccgo");
    let main = dir.path().join("main.go");
    fs::write(&main, "package main\n\nfunc main() {\n\tprintln(\"x\")\n\tselect {}\n}\n").unwrap();
    // Its own word goes to standard error, and it waits for ever.
    let built = Command::new("gccgo").arg("-o").arg(&by_gccgo).arg(&main).output();
    if !built.is_ok_and(|b| b.status.success()) {
        return eprintln!("SKIPPED: gccgo, which is not here; what it builds is told from others in goruntime");
    }
    let running = Running(Command::new(&by_gccgo).stderr(Stdio::null()).spawn().unwrap());
    std::thread::sleep(std::time::Duration::from_millis(300));
    let listing = ps(cache.path());
    assert!(row(&listing, running.pid())["problem"].as_str().unwrap().contains("built with gccgo"), "{listing}");
}

#[test]
fn two_looks_tell_who_grows() {
    let Some(go) = toolchain() else { return };
    let service = Running::start(&mut Command::new(idle(&go)));
    let cache = tempfile::tempdir().unwrap();
    let out = lastgasp(cache.path()).args(["--json", "--look", "0.1"]).output().unwrap();
    let listing: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert!(!listing["notes"].to_string().contains("one look"), "{listing}");
    let _ = row(&listing, service.pid());
    let out = lastgasp(cache.path()).args(["--look", "0"]).output().unwrap();
    assert_eq!(out.status.code(), Some(2));
}
