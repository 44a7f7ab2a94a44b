//! What goroutines wait on, and how deep their stacks are, against what the program was told to play
//! (`lab/programs/waits`).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use std::path::{Path, PathBuf};
use std::process::Command;

use lastgasp_diagnosis::facts::{Group, WaitsOn};
use lastgasp_diagnosis::{Facts, starts_a_collection};
use lastgasp_lab::build::{Mode, cache_dir};
use lastgasp_lab::oracle::Oracle;
use lastgasp_lab::toolchain::find_or_fetch;

/// A capture of the program, played with these arguments.
fn facts(minor: u16, mode: Mode, args: &[&str]) -> Option<Facts> {
    let toolchain = find_or_fetch(minor, &cache_dir()).map_err(|e| eprintln!("SKIPPED: {e:#}")).ok()?;
    let program =
        Oracle::start_program_with(&toolchain, mode, "lab/programs/waits", args, "asyncpreemptoff=1").unwrap();
    let store = tempfile::tempdir().unwrap();
    Some(lastgasp_store::read(&capture(program.pid(), store.path())).unwrap())
}

fn capture(pid: i32, store: &Path) -> PathBuf {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lastgasp"));
    let out = command.args(["capture", &pid.to_string(), "--out"]).arg(store).output().unwrap();
    let complaints = String::from_utf8_lossy(&out.stderr);
    assert!(matches!(out.status.code(), Some(0 | 3)), "{complaints}");
    PathBuf::from(String::from_utf8_lossy(&out.stdout).lines().last().unwrap())
}

/// The groups in whose stacks a function stands, one for each `go` statement.
fn groups<'a>(facts: &'a Facts, function: &str) -> Vec<&'a Group> {
    let stands = |g: &&Group| g.stack.iter().any(|i| facts.frames[*i as usize].function == function);
    facts.goroutines.groups.iter().filter(stands).collect()
}

fn what_they_wait_on(minor: u16, mode: Mode) {
    let Some(facts) = facts(minor, mode, &["-deep", "0"]) else { return };
    assert_eq!(facts.capture.gaps, []);
    let on = |objects, most, known| Some(WaitsOn { objects, most, known });
    for (function, counts) in [
        // One lock.
        ("main.waitForLock", &[(7, on(1, 7, 7), None)][..]),
        ("main.waitToRead", &[(3, on(1, 3, 3), None)]),
        ("main.waitForGroup", &[(2, on(1, 2, 2), None)]),
        // One channel, and one for each.
        ("main.receive", &[(5, on(1, 5, 5), None), (4, on(4, 1, 4), None)]),
        // One and one for each.
        ("main.choose", &[(6, on(7, 6, 6), None)]),
        ("main.read", &[(9, None, Some(9)), (4, None, Some(0))]),
    ] {
        let got: Vec<_> = groups(&facts, function).iter().map(|g| (g.count, g.waits_on, g.no_deadline)).collect();
        assert_eq!(got, counts, "Go 1.{minor} {}, {function}", mode.name());
    }
    // Since the collection before they began to wait.
    let lock = groups(&facts, "main.waitForLock")[0];
    let age = facts.target.age_ms.unwrap();
    assert!(
        (200..=age).contains(&lock.oldest_wait_ms) && lock.waited_ms_median == lock.oldest_wait_ms,
        "{lock:?} {age}"
    );
    assert_eq!(lock.stack_bytes, facts.goroutines.list.kinds.iter().map(|k| k.stack_bytes).min().unwrap() * 7);
}

macro_rules! waits {
    ($($name:ident: $minor:expr, $mode:expr;)*) => { $(#[test] fn $name() { what_they_wait_on($minor, $mode); })* };
}

waits! {
    waits_go1_19_stripped: 19, Mode::Stripped;
    waits_go1_20_stripped: 20, Mode::Stripped;
    waits_go1_21_plain: 21, Mode::Plain;
    waits_go1_22_stripped: 22, Mode::Stripped;
    waits_go1_23_stripped: 23, Mode::Stripped;
    waits_go1_24_cgo: 24, Mode::CgoPieStripped;
    waits_go1_25_stripped: 25, Mode::Stripped;
    waits_go1_26_stripped: 26, Mode::Stripped;
    waits_go1_27_stripped: 27, Mode::Stripped;
    waits_go1_27_cgo: 27, Mode::CgoPieStripped;
}

/// A recursion of 258 goroutines was "258 x sleep: ?".
fn a_deep_recursion(minor: u16) {
    // More than are copied as far as stacks are copied at all.
    let Some(facts) = facts(minor, Mode::Stripped, &["-deep", "120", "-depth", "3000"]) else { return };
    let deep = groups(&facts, "main.walk");
    let [group] = deep[..] else { panic!("{deep:?}") };
    assert_eq!(group.count, 120);
    let repeats = group.repeats.unwrap();
    assert_eq!(facts.frames[repeats.frame as usize].function, "main.walk");
    assert!(repeats.times > 100, "{repeats:?}");
    // Every second call of `main.walk` goes through `main.leaf`.
    let depth = 3119 / 2 * 3;
    assert!(group.depth_estimated && group.depth.abs_diff(depth) < depth / 20, "{} against {depth}", group.depth);
    assert!(group.stack_bytes >= 120 << 20 && group.stack.len() < 10, "{group:?}");
}

#[test]
fn deep_go1_19() {
    a_deep_recursion(19);
}

#[test]
fn deep_go1_22() {
    a_deep_recursion(22);
}

#[test]
fn deep_go1_26() {
    a_deep_recursion(26);
}

#[test]
fn those_that_never_ran_stand_at_their_go_statement() {
    let Some(facts) = facts(26, Mode::Stripped, &["-unrun", "50", "-deep", "0"]) else { return };
    let never = groups(&facts, "main.neverRun");
    let [group] = never[..] else { panic!("{never:?}") };
    assert_eq!((group.count, group.state.name(), group.depth), (50, "runnable", 1));
}

/// Many that allocate at once wait for a collection to begin or end with the runtime's word for a semaphore
/// (seen: calls at work told as waiting for one, in one of many runs of `lab/deaths`' nightly-statements).
fn a_rush_of_allocations(minor: u16) {
    let Some(toolchain) = find_or_fetch(minor, &cache_dir()).map_err(|e| eprintln!("SKIPPED: {e:#}")).ok() else {
        return;
    };
    let args = ["-rush", "200", "-deep", "0"];
    let program =
        Oracle::start_program_with(&toolchain, Mode::Stripped, "lab/programs/waits", &args, "asyncpreemptoff=0")
            .unwrap();
    // Which moment it is that is caught is chance.
    for _ in 0..40 {
        let store = tempfile::tempdir().unwrap();
        let facts = lastgasp_store::read(&capture(program.pid(), store.path())).unwrap();
        let all = groups(&facts, "main.build");
        let told: Vec<_> = all.iter().filter(|g| g.wait_reason == "semacquire").collect();
        assert!(told.iter().all(|g| starts_a_collection(&facts, g)), "Go 1.{minor}: {told:?}");
        let others = groups(&facts, "main.waitForGroup");
        assert!(!others.is_empty() && !others.iter().any(|g| starts_a_collection(&facts, g)), "Go 1.{minor}");
        if !told.is_empty() {
            return;
        }
    }
    panic!("Go 1.{minor}: none was caught");
}

#[test]
fn a_rush_go1_19() {
    a_rush_of_allocations(19);
}

#[test]
fn a_rush_go1_23() {
    a_rush_of_allocations(23);
}

#[test]
fn a_rush_go1_27() {
    a_rush_of_allocations(27);
}

/// Of very many a sample is looked at, and what is rare is known whole.
#[test]
fn a_crowd_at_one_lock() {
    let Some(facts) = facts(26, Mode::Stripped, &["-locked", "20000", "-deep", "0"]) else { return };
    let crowd = groups(&facts, "main.waitForLock")[0];
    let on = crowd.waits_on.unwrap();
    assert_eq!((crowd.count, on.objects, on.most), (20_000, 1, 20_000));
    assert!((3000..20_000).contains(&on.known), "{on:?}");
    let rare = groups(&facts, "main.waitToRead")[0];
    assert_eq!(rare.waits_on, Some(WaitsOn { objects: 1, most: 3, known: 3 }));
}
