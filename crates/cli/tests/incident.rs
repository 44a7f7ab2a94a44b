//! The incident end to end: a real service, a real cgroup, a real OOM kill, for several Go versions and link
//! modes. Needs root; skips loudly without.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lastgasp_lab::build::{Mode, cache_dir};
use lastgasp_lab::incident::{Expect, Moment, Played, Programs, Script, play_telling};
use lastgasp_lab::incident_graph::{copies_missed, said_of_copies, unsaid};
use lastgasp_lab::incident_restart::play_restart;
use lastgasp_lab::toolchain::find_or_fetch;
use serde_json::Value;

/// One service at a time dies: that wants both processors of a small machine, and its timing matters. The
/// others are built and live through their calm meanwhile, which takes longer and costs little.
static STAGE: Mutex<()> = Mutex::new(());

struct Scene {
    expect: Expect,
    played: Played,
    store: tempfile::TempDir,
    survivors: tempfile::TempDir,
    /// Groups that it left behind.
    left: Vec<PathBuf>,
}

/// `None` if it had to be skipped, which was said.
fn stage(minor: u16, mode: Mode, run_args: &[&str], service_args: &[&str], after: u64) -> Option<Scene> {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("SKIPPED: needs root to make a cgroup");
        return None;
    }
    let toolchain = match find_or_fetch(minor, &cache_dir()) {
        Ok(t) => t,
        Err(e) => {
            eprintln!("SKIPPED: {e:#}");
            return None;
        }
    };
    let programs = Programs::build(&toolchain.gently(), mode).unwrap();
    let expect = Expect::load().unwrap();
    let (store, survivors) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let script = Script {
        lastgasp: env!("CARGO_BIN_EXE_lastgasp").into(),
        run_args: run_args.iter().map(|a| (*a).to_owned()).collect(),
        service_args: service_args.iter().map(|a| (*a).to_owned()).collect(),
        calm: Duration::from_secs(10),
        after: Duration::from_secs(after),
        store: store.path().into(),
        survivors: Some(survivors.path().into()),
    };
    let turn = RefCell::new(None);
    let played = play_telling(&programs, &expect, &script, &|moment| match moment {
        Moment::Serving | Moment::Published => {}
        Moment::Ready => drop(turn.replace(Some(STAGE.lock().unwrap_or_else(PoisonError::into_inner)))),
        Moment::Ended => drop(turn.take()),
    });
    let played = played.unwrap();
    let left = cgroups_left(played.pid);
    Some(Scene { expect, played, store, survivors, left })
}

fn report(capture: &PathBuf) -> Value {
    let out = Command::new(env!("CARGO_BIN_EXE_lastgasp"))
        .args(["report", "--format", "json"])
        .arg(capture)
        .output()
        .unwrap();
    serde_json::from_slice(&out.stdout).unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&out.stderr)))
}

/// Of the captures of a play those of one phase.
fn captures(scene: &Scene, phase: &str) -> Vec<PathBuf> {
    let all = scene.played.captures(scene.store.path());
    all.into_iter().filter(|p| p.file_name().unwrap().to_string_lossy().contains(phase)).collect()
}

fn names_the_culprit(scene: &Scene, capture: &PathBuf) {
    let r = report(capture);
    let culprit = &scene.expect.culprit;
    let line = culprit.line().unwrap();
    let sentence = r["verdict"]["sentence"].as_str().unwrap();
    let place = format!("{} ({}:{line})", culprit.function, culprit.file);
    assert!(sentence.starts_with(&place), "{sentence}\nshould start with {place}");
    assert!(sentence.contains(&culprit.caller), "{sentence}");
    assert!(r["capture"]["complete"] == true || only_the_machine_was_busy(capture, &r), "{}", r["capture"]["gaps"]);
    assert_eq!(r["verdict"]["level"], "critical");
    // The slices of the ledger sum to the RSS.
    let slices: i64 = r["memory"]["buckets"].as_array().unwrap().iter().map(|b| b["bytes"].as_i64().unwrap()).sum();
    assert_eq!(Some(slices), r["memory"]["rss_bytes"].as_i64());
    near_the_truth(scene, capture, &r);
    // More than pprof would have shown, unless a GC cycle published it all just now.
    let (current, published) =
        (r["pprof"]["site_current_bytes"].as_u64().unwrap(), r["pprof"]["site_published_bytes"].as_u64().unwrap());
    assert!(current > published, "{current} {published}");
}

/// Before the kill a thread of the target may not stop within 20 ms where six others want the processors too:
/// that is then said, and is all that may be missing. (Seen beside builds of others, a load of 20 on two
/// cores.)
fn only_the_machine_was_busy(capture: &Path, r: &Value) -> bool {
    let busy = |g: &Value| g["what"] == "standstill" && g["why"].as_str().unwrap().ends_with("(the machine is busy)");
    capture.to_string_lossy().contains("pre-kill") && r["capture"]["gaps"].as_array().unwrap().iter().all(busy)
}

/// The growth by lastgasp against the service's own count of its heap, within 15 % here, where everything on
/// the machine competes; the bench has the tight number. The service refreshes its truth every 5 ms if it
/// gets a processor: its last word before the kill can be a good part of a second old (seen in CI on two busy
/// cores: 24 % short). What it may have allocated since, at the rate of the whole growth twice over, widens
/// the upper bound by that much and no more.
fn near_the_truth(scene: &Scene, capture: &Path, r: &Value) {
    if capture.to_string_lossy().contains("pre-kill") {
        return;
    }
    let truth = scene.played.truth;
    let heap = truth.heap_objects.saturating_sub(truth.heap_before) as f64;
    let grown = r["profile"]["totals"]["growth"]["bytes"].as_f64().unwrap();
    let taken: jiff::Timestamp = r["capture"]["taken_at"].as_str().unwrap().parse().unwrap();
    let silent = (taken.as_nanosecond() - i128::from(truth.updated_ns)).max(0) as f64 / 1e9;
    let since = heap / scene.played.lived.as_secs_f64() * 2.0 * silent;
    assert!(silent < 2.0, "the service said nothing for {silent} s before its end");
    // What it counts has dead objects in it that were not swept yet, and the sweep goes on after its last
    // word (seen: 0.06 s old, 84 % of it in the profile): what is alive by its own count is there for
    // certain.
    let alive = (truth.full_maps * truth.map_live) as f64;
    let least = if silent > 0.02 { alive.min(heap) } else { heap };
    assert!(
        grown > least * 0.85 && grown < (heap + since) * 1.15,
        "{grown} against {heap}, of it {alive} in whole maps, {silent} s old; {:?}, {:?}",
        r["profile"]["totals"],
        r["gc"]
    );
}

/// The copies that killed it, as many as it counts itself, of the dead's heap; and the collection that
/// brought them about.
fn tells_the_copies(scene: &Scene, capture: &Path) {
    let r = report(&capture.into());
    let mut missed = copies_missed(&r, &scene.expect, &scene.played.truth);
    missed.extend(unsaid(&r, &scene.expect, &scene.played.truth));
    // What is dead is there for two seconds: a machine that is busy then, or a slow one, does not get through
    // all of it in a build without optimisation. Then that is said, and what is told is no more than there
    // is.
    let gaps = r["graph"]["gaps"].as_array().cloned().unwrap_or_default();
    let was_gone = r["graph"].is_null() || gaps.iter().any(|g| g.as_str().unwrap().contains("could not be read"));
    if !missed.is_empty() && was_gone {
        let copies = r["graph"]["copies"].as_array().cloned().unwrap_or_default();
        let most = scene.played.truth.full_maps + scene.played.truth.building;
        let big = copies.iter().filter(|c| c["elements"] == scene.expect.config.ids_burst);
        assert!(big.map(|c| c["copies"].as_u64().unwrap()).sum::<u64>() <= most, "{copies:#?}");
        return eprintln!("SKIPPED: memory was gone before all copies were compared: {missed:?} {gaps:?}");
    }
    assert!(missed.is_empty(), "{missed:#?}\n{gaps:#?}");
}

/// `go tool pprof -top` opens the profile and shows the same top site and the same total.
fn pprof_agrees(scene: &Scene, capture: &PathBuf) {
    let Ok(toolchain) = find_or_fetch(26, &cache_dir()) else {
        return eprintln!("SKIPPED: go tool pprof");
    };
    let out = toolchain
        .command()
        .args(["tool", "pprof", "-top", "-unit=B"])
        .arg(capture.join("heap.pb.gz"))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&out.stdout);
    let total: u64 =
        text.split("of ").nth(1).and_then(|t| t.split('B').next()).and_then(|n| n.trim().parse().ok()).unwrap_or(0);
    let r = report(capture);
    assert_eq!(Some(total), r["profile"]["totals"]["current"]["bytes"].as_u64(), "{text}");
    let first = text.lines().find(|l| l.contains('%') && l.contains("main.")).unwrap_or("");
    assert!(
        first.ends_with(&scene.expect.culprit.function)
            || first.contains(&format!("{} ", scene.expect.culprit.function)),
        "{text}"
    );
    assert!(text.contains("Type: inuse_space"), "{text}");
}

fn dies_and_is_explained(minor: u16, mode: Mode) {
    let Some(scene) = stage(minor, mode, &[], &[], 25) else {
        return;
    };
    let played = &scene.played;
    assert_eq!(played.code, Some(1), "{}\n{}", played.stdout, played.stderr);
    assert!(played.stdout.starts_with("\nVERDICT"), "{}", played.stdout);
    let after = captures(&scene, "post-kill");
    assert_eq!(after.len(), 1, "{}\n{}", played.stdout, played.stderr);
    names_the_culprit(&scene, &after[0]);
    tells_the_copies(&scene, &after[0]);
    pprof_agrees(&scene, &after[0]);
    for before in captures(&scene, "pre-kill") {
        names_the_culprit(&scene, &before);
    }
    assert!(scene.left.is_empty(), "{:?}", scene.left);
}

/// Folders of groups that this `lastgasp run` made and did not remove.
fn cgroups_left(pid: u32) -> Vec<PathBuf> {
    let name = format!("lastgasp-run-{pid}");
    let mut left = Vec::new();
    let mut dirs = vec![PathBuf::from("/sys/fs/cgroup")];
    while let Some(dir) = dirs.pop() {
        for entry in
            std::fs::read_dir(dir).into_iter().flatten().flatten().filter(|e| e.file_type().is_ok_and(|t| t.is_dir()))
        {
            if entry.file_name().to_string_lossy() == name {
                left.push(entry.path());
            }
            dirs.push(entry.path());
        }
    }
    left
}

macro_rules! matrix {
    ($($name:ident: $minor:expr, $mode:expr;)*) => { $(#[test] fn $name() { dies_and_is_explained($minor, $mode); })* };
}

matrix! {
    go1_22_plain: 22, Mode::Plain;
    go1_22_stripped: 22, Mode::Stripped;
    go1_24_plain: 24, Mode::Plain;
    go1_24_stripped: 24, Mode::Stripped;
    go1_27_plain: 27, Mode::Plain;
    go1_27_stripped: 27, Mode::Stripped;
}

#[test]
fn the_pin_alone_is_enough() {
    let Some(scene) = stage(26, Mode::Stripped, &["--no-freeze"], &[], 25) else {
        return;
    };
    assert!(captures(&scene, "pre-kill").is_empty());
    names_the_culprit(&scene, &captures(&scene, "post-kill")[0]);
}

#[test]
fn the_freeze_alone_is_enough() {
    let Some(scene) = stage(26, Mode::Stripped, &["--no-pin"], &[], 25) else {
        return;
    };
    assert!(captures(&scene, "post-kill").is_empty());
    names_the_culprit(&scene, captures(&scene, "pre-kill").last().unwrap());
}

/// Same load, same config, the bug fixed: nothing is forecast, nothing dies, nothing is found.
#[test]
fn the_fixed_service_is_left_alone() {
    let Some(scene) = stage(26, Mode::Stripped, &[], &["-fixed"], 15) else {
        return;
    };
    assert_eq!(scene.played.code, None, "it survived: {}", scene.played.stderr);
    assert_eq!(scene.played.captures(scene.store.path()), Vec::<PathBuf>::new());
    assert!(!scene.played.stdout.contains("VERDICT"), "{}", scene.played.stdout);
    // A look at its living heap finds no copies of what it shares.
    let look = scene.played.survivor.as_ref().unwrap();
    assert!(look.starts_with(scene.survivors.path()), "{}", look.display());
    let r = report(look);
    assert!(r["graph"]["objects"].as_u64().unwrap() > 100_000, "{:#}", r["capture"]["gaps"]);
    assert_eq!(said_of_copies(&r, &scene.expect), Vec::<String>::new());
    assert!(scene.left.is_empty(), "{:?}", scene.left);
}

/// The service dies, is started again, callers retry, goroutines explode first, and it dies again: the report
/// of the second death says that the pile is a consequence, with both onsets, which are in two processes, and
/// their order. In about one play of four the first process's own calls pile up with its memory, so that its
/// death does not tell an order either: then nothing is said, and it is played again.
#[test]
fn goroutines_that_explode_after_a_restart_are_a_consequence() {
    const PLAYS: usize = 4;
    if !nix::unistd::geteuid().is_root() {
        return eprintln!("SKIPPED: needs root to make a cgroup");
    }
    let toolchain = match find_or_fetch(26, &cache_dir()) {
        Ok(t) => t,
        Err(e) => return eprintln!("SKIPPED: {e:#}"),
    };
    let programs = Programs::build(&toolchain.gently(), Mode::Plain).unwrap();
    let _stage = STAGE.lock().unwrap_or_else(PoisonError::into_inner);
    assert!((0..PLAYS).any(|_| says_that_the_pile_is_a_consequence(&programs)), "in none of {PLAYS} plays");
}

/// Whether that is said; what is said is true in any case.
fn says_that_the_pile_is_a_consequence(programs: &Programs) -> bool {
    let (expect, store) = (Expect::load().unwrap(), tempfile::tempdir().unwrap());
    let times = (Duration::from_secs(14), Duration::from_secs(25));
    let lastgasp = Path::new(env!("CARGO_BIN_EXE_lastgasp"));
    let [first, second] = play_restart(programs, &expect, lastgasp, store.path(), times).unwrap();
    assert_eq!((first.code, second.code), (Some(1), Some(1)), "{}\n{}", first.stderr, second.stderr);
    let mut deaths: Vec<PathBuf> = std::fs::read_dir(store.path())
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.file_name().unwrap().to_string_lossy().contains("post-kill"))
        .collect();
    deaths.sort();
    assert_eq!(deaths.len(), 2, "{deaths:?}");
    // Nothing of the kind is said of the first.
    let alone = report(&deaths[0])["goroutines"]["onsets"].clone();
    assert!(alone.is_null() || alone["across"].is_null(), "{alone:#}");
    let onsets = report(&deaths[1])["goroutines"]["onsets"].clone();
    let sentence = onsets["sentence"].as_str().unwrap_or_default();
    eprintln!("{sentence}");
    if onsets["across"].is_null() {
        assert_ne!(onsets["consequence"], true, "the second was never at rest: {onsets:#}");
        return false;
    }
    assert_eq!(onsets["consequence"], true, "{onsets:#}");
    let at = |key: &str| -> jiff::Timestamp { onsets["across"][key].as_str().unwrap().parse().unwrap() };
    let [memory, died, goroutines] = ["memory_at", "died_at", "goroutines_at"].map(at);
    assert!(memory < died && died < goroutines, "{onsets:#}");
    assert_eq!(onsets["across"]["culprit"], expect.culprit.function.as_str());
    assert!(sentence.contains("memory first, a restart, then the pile"), "{sentence}");
    // And a person is told.
    assert!(second.stdout.contains("consequence of the restart"), "{}", second.stdout);
    true
}
