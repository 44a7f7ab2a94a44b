//! Programs that keep no memory profile: what is said of them as they are, and `--enable-profiling`, the only
//! write into a target, with its undoing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use lastgasp_lab::build::{Mode, cache_dir};
use lastgasp_lab::oracle::Oracle;
use lastgasp_lab::toolchain::find_or_fetch;
use serde_json::Value;

/// `lab/programs/churn` never refers to `runtime.MemProfile`: the linker has switched its profile off.
fn churn(minor: u16) -> Option<Oracle> {
    let toolchain = find_or_fetch(minor, &cache_dir()).map_err(|e| eprintln!("SKIPPED: {e:#}")).ok()?;
    Some(Oracle::start_program(&toolchain, Mode::Stripped, "lab/programs/churn").unwrap())
}

fn lastgasp(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lastgasp")).args(args).output().unwrap()
}

fn report(subject: &str) -> Value {
    let out = lastgasp(&["report", "--format", "json", subject]);
    serde_json::from_slice(&out.stdout).unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&out.stderr)))
}

fn rate(pid: i32) -> u64 {
    report(&pid.to_string())["profile"]["rate_bytes"].as_u64().unwrap()
}

fn switched_on_and_off(minor: u16) {
    let Some(churn) = churn(minor) else { return };
    let pid = churn.pid().to_string();
    wait_for(|| report(&pid)["heap"]["object_bytes"].as_u64().unwrap() > 20 << 20);
    let before = report(&pid);
    assert_eq!(before["profile"]["rate_bytes"], 0);
    // Without sites there is still the heap, exact.
    assert_eq!(before["heap"]["source"], "exact");
    let store = tempfile::tempdir().unwrap();
    let out = lastgasp(&["capture", &pid, "--enable-profiling", "2", "--out", store.path().to_str().unwrap()]);
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(matches!(out.status.code(), Some(0 | 3)), "{said}");
    assert!(said.contains("wrote 524288 to runtime.MemProfileRate of process"), "{said}");
    let capture = report(String::from_utf8(out.stdout).unwrap().trim());
    assert_eq!(capture["profile"]["rate_bytes"], 524_288);
    let sites = capture["profile"]["sites"].as_array().unwrap();
    assert_eq!(sites[0]["function"], "main.churn", "{sites:#?}");
    assert!(sites[0]["current"]["bytes"].as_u64().unwrap() > 5 << 20, "{}", sites[0]);
    let unknown = capture["unknown"].to_string();
    assert!(unknown.contains("before lastgasp switched the memory profile on"), "{unknown}");
    assert_eq!(rate(churn.pid()), 0);
    let journals = std::fs::read_dir(store.path().join(".journal")).unwrap().count();
    assert_eq!(journals, 0);
}

#[test]
fn go1_20() {
    switched_on_and_off(20);
}

#[test]
fn go1_22() {
    switched_on_and_off(22);
}

#[test]
fn go1_24() {
    switched_on_and_off(24);
}

#[test]
fn go1_27() {
    switched_on_and_off(27);
}

#[test]
fn a_profile_that_is_on_is_left_alone() {
    let Ok(toolchain) = find_or_fetch(24, &cache_dir()) else { return eprintln!("SKIPPED: no Go 1.24") };
    let oracle = Oracle::start(&toolchain, Mode::Stripped).unwrap();
    let store = tempfile::tempdir().unwrap();
    let pid = oracle.pid().to_string();
    let out = lastgasp(&["capture", &pid, "--enable-profiling", "1", "--out", store.path().to_str().unwrap()]);
    assert_eq!(out.status.code(), Some(2));
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(said.contains("is on already") && said.contains("nothing was written"), "{said}");
    // Where the journal cannot be written nothing else is, either.
    let Some(churn) = churn(24) else { return };
    let file = store.path().join("a-file");
    std::fs::write(&file, "").unwrap();
    let out =
        lastgasp(&["capture", &churn.pid().to_string(), "--enable-profiling", "1", "--out", file.to_str().unwrap()]);
    assert_eq!(out.status.code(), Some(2), "{}", String::from_utf8_lossy(&out.stderr));
    assert_eq!(rate(churn.pid()), 0);
}

/// Starts one that will keep the profile on for a minute, and waits until it is on.
fn held_on(churn: &Oracle, store: &Path) -> Child {
    let child = Command::new(env!("CARGO_BIN_EXE_lastgasp"))
        .args(["capture", &churn.pid().to_string(), "--enable-profiling", "60", "--out"])
        .arg(store)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_for(|| rate(churn.pid()) == 524_288);
    child
}

fn wait_for(what: impl Fn() -> bool) {
    let started = Instant::now();
    while !what() {
        assert!(started.elapsed() < Duration::from_secs(10));
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn killed_meanwhile_its_watchdog_switches_off() {
    let Some(churn) = churn(24) else { return };
    let store = tempfile::tempdir().unwrap();
    let mut child = held_on(&churn, store.path());
    child.kill().unwrap();
    child.wait().unwrap();
    wait_for(|| rate(churn.pid()) == 0);
}

#[test]
fn with_its_watchdog_killed_the_next_start_switches_off() {
    let Some(churn) = churn(24) else { return };
    let store = tempfile::tempdir().unwrap();
    let mut child = held_on(&churn, store.path());
    let children = std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", child.id())).unwrap();
    // Its watchdog is the only child that it has.
    let watchdog: i32 = children.trim().parse().unwrap();
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(watchdog), nix::sys::signal::Signal::SIGKILL).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(rate(churn.pid()), 524_288, "nobody is left to switch it off");
    let out = lastgasp(&["capture", &churn.pid().to_string(), "--out", store.path().to_str().unwrap()]);
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(said.contains("switched a memory profile off again"), "{said}");
    assert_eq!(rate(churn.pid()), 0);
}
