//! The heap as a graph, from core files of a program that knows who holds what (`lab/programs/holders`):
//! variables and goroutines by name with what they keep, garbage, and sums that are the span table's.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use lastgasp_lab::build::{Mode, build, cache_dir, repo_root};
use lastgasp_lab::oracle::Oracle;
use lastgasp_lab::toolchain::find_or_fetch;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

/// A core of the program, and what it says of itself; `None`, said loudly, where that cannot be had.
fn core_of(folder: &str, minor: u16, mode: Mode) -> Option<(Oracle, PathBuf, Value)> {
    let pattern = fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap();
    if pattern.starts_with('|') || pattern.starts_with('/') {
        eprintln!("SKIPPED: the kernel sends core files elsewhere (core_pattern is {})", pattern.trim());
        return None;
    }
    let toolchain = find_or_fetch(minor, &cache_dir()).map_err(|e| eprintln!("SKIPPED: {e:#}")).ok()?;
    let binary = build(&toolchain, mode, &repo_root().join(folder), ".").unwrap();
    let mut program = Oracle::start_still(&binary).unwrap();
    let truth = serde_json::from_slice(&program.truth().unwrap()).unwrap();
    kill(Pid::from_raw(program.pid()), Signal::SIGABRT).unwrap();
    let status = program.wait().unwrap();
    let mut entries = fs::read_dir(program.dir()).unwrap().flatten().map(|e| e.path());
    let core = entries.find(|p| p.file_name().unwrap().to_string_lossy().starts_with("core"));
    let core = core.unwrap_or_else(|| panic!("no core in {}: {status}", program.dir().display()));
    Some((program, core, truth))
}

fn report(subject: &Path, format: &str) -> String {
    let out = Command::new(env!("CARGO_BIN_EXE_lastgasp")).args(["report", "--format", format]).arg(subject).output();
    let out = out.unwrap();
    assert_eq!(out.status.code(), Some(0), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

fn number(v: &Value) -> u64 {
    v.as_u64().unwrap_or_else(|| panic!("{v} is no number"))
}

/// The roots whose names begin so.
fn roots<'a>(graph: &'a Value, kind: &str, name: &str) -> Vec<&'a Value> {
    let all = graph["roots"].as_array().unwrap().iter();
    all.filter(|r| r["kind"] == kind && r["name"].as_str().unwrap().starts_with(name)).collect()
}

fn who_holds_what(minor: u16, mode: Mode) {
    let Some((_program, core, truth)) = core_of("lab/programs/holders", minor, mode) else { return };
    let began = Instant::now();
    let document: Value = serde_json::from_str(&report(&core, "json")).unwrap();
    let (took, graph) = (began.elapsed(), &document["graph"]);
    let [objects, live, garbage, garbage_objects] =
        ["objects", "live_bytes", "garbage_bytes", "garbage_objects"].map(|name| number(&graph[name]));
    eprintln!(
        "go1.{minor} {}: {objects} objects, {live} bytes live, {garbage} garbage, {} typed, report in {took:?}",
        mode.name(),
        graph["typed_share"]
    );
    for r in graph["roots"].as_array().unwrap().iter().take(8) {
        eprintln!("  {r}");
    }
    assert_eq!(graph["source"], "core");
    // It stands still: there is a map of every frame.
    assert_eq!(graph["conservative"], false);
    assert_eq!(graph["roots_not_read"], Value::Array(Vec::new()));

    // All that the span table has, once; live as the program says after a collection.
    assert_eq!(live + garbage, number(&document["heap"]["object_bytes"]));
    assert_eq!(objects + garbage_objects, number(&document["heap"]["objects"]));
    let said = number(&truth["heap_alloc"]);
    // It asked before it wrote its truth down, and the runtime has begun a thread or two since.
    assert!(live.abs_diff(said) * 400 <= said, "{live} live, the program says {said}");
    let discarded = number(&truth["discarded_bytes"]);
    assert!(garbage.abs_diff(discarded) * 1000 <= discarded, "{garbage} garbage, {discarded} planted");

    // The variable, exactly.
    let cache = match mode {
        Mode::Stripped => roots(graph, "global", "holders bss+0x"),
        _ => roots(graph, "global", "main.cache"),
    };
    let planted = (number(&truth["cache_bytes"]), number(&truth["cache_objects"]));
    let found = |r: &&Value| (number(&r["retained_bytes"]), number(&r["objects"])) == planted;
    assert_eq!(cache.into_iter().filter(found).count(), 1, "{planted:?} {graph:#}");

    // The goroutines: their buffers, and no more than what the runtime needs for each. The runtime's table of
    // semaphores leads to what some of them wait for, and holds none of it.
    let held_by = |function: &str, number_of: &str, bytes: &str| {
        let (goroutines, bytes) = (number(&truth[number_of]), number(&truth[bytes]));
        let [group] = roots(graph, "goroutine", function)[..] else { panic!("{function}: {graph:#}") };
        assert_eq!(number(&group["goroutines"]), goroutines);
        assert_eq!(group["created_by"], "main.main");
        let held = number(&group["retained_bytes"]);
        assert!((bytes..bytes + goroutines * 1024).contains(&held), "{held} held, {bytes} planted: {group}");
    };
    held_by("main.holdBuffer", "workers", "buffer_bytes");
    held_by("main.waitForReport", "waiters", "report_bytes");

    // Where the code makes what is held, which no profile and no debug information tells.
    let made = graph["roots"].as_array().unwrap().iter().flat_map(|r| r["made"].as_array().unwrap());
    let made: Vec<(&str, Vec<&str>)> = made
        .map(|m| {
            let places = m["places"].as_array().unwrap().iter().map(|p| p["function"].as_str().unwrap());
            (m["type"].as_str().unwrap(), places.collect())
        })
        .collect();
    eprintln!("  made: {made:?}");
    for (of, place) in
        [("main.entry", "main.fill"), ("main.record", "main.fill"), ("main.report", "main.waitForReport")]
    {
        let told: Vec<_> = made.iter().filter(|(name, _)| *name == of).collect();
        assert!(told.iter().all(|(_, places)| *places == [place]), "{told:?}");
    }
    assert!(made.iter().any(|(_, places)| *places == ["main.fill"]), "{made:?}");

    // What has its type with it.
    if minor >= 22 {
        let types = graph["types"].as_array().unwrap();
        let record = types.iter().find(|t| t["type"] == "main.record").unwrap_or_else(|| panic!("{graph:#}"));
        assert_eq!(number(&record["objects"]), number(&truth["records"]));
        assert_eq!(number(&record["bytes"]), number(&record["retained_bytes"]));
        assert!(types.iter().any(|t| t["type"] == "[]*main.entry"), "{types:#?}");
    }

    let text = report(&core, "text");
    assert!(text.contains("64 goroutines in main.holdBuffer hold 6.8"), "{text}");
    if !mode.is_stripped() {
        assert!(text.contains("main.cache holds 2.76 MB in 10,001 objects"), "{text}");
    }
    assert!(!text.contains("does not walk the heap's references"), "{text}");

    // A capture of the core tells the same.
    let store = core.with_file_name("captures");
    let out = Command::new(env!("CARGO_BIN_EXE_lastgasp")).arg("capture").arg(&core).arg("--out").arg(&store).output();
    let capture = String::from_utf8(out.unwrap().stdout).unwrap();
    let kept: Value = serde_json::from_str(&report(Path::new(capture.trim()), "json")).unwrap();
    assert_eq!(&kept["graph"], graph);
}

/// Of a program that holds each object for one reason alone: goroutines by the frame, finalizers that are set
/// and that are due, cleanups.
fn by_which_frame_and_finalizer(minor: u16, mode: Mode) {
    let Some((program, core, _)) = core_of("lab/programs/rooted", minor, mode) else { return };
    let stats: Value = serde_json::from_slice(&program.mem_stats().unwrap()).unwrap();
    let document: Value = serde_json::from_str(&report(&core, "json")).unwrap();
    let graph = &document["graph"];
    let (live, said) = (number(&graph["live_bytes"]), number(&stats["heap_alloc"]));
    eprintln!("go1.{minor} {}: {live} live, HeapAlloc {said}", mode.name());
    // A thread that begins after the program has asked takes some 5 kB.
    assert!(live.abs_diff(said) <= said / 1000 + 6000, "{live} live, the program says {said}");
    // Slots of 1152 bytes are the smallest that hold 1024 with a header.
    let planted = |name: &str| {
        let [root] = roots(graph, "finalizer", name)[..] else { panic!("{name}: {:#}", graph["roots"]) };
        assert!(number(&root["retained_bytes"]) >= 1024, "{root}");
    };
    planted("main.fixedFinalizer.func1");
    planted("main.dueFinalizer.func1 (waits to be run)");
    if minor >= 26 {
        planted("main.use (cleanup)");
    }
    let ways: Vec<String> = graph["paths"].as_array().unwrap().iter().map(ToString::to_string).collect();
    for frame in ["main.variable", "main.stackObject", "main.argument", "main.results"] {
        let step = format!("[frame {frame}]");
        let found = ways.iter().any(|w| w.contains("goroutines in main.park") && w.contains(&step));
        assert!(found, "{step}: {ways:#?}");
    }
}

#[test]
fn frames_go1_21_stripped() {
    by_which_frame_and_finalizer(21, Mode::Stripped);
}

#[test]
fn frames_go1_26() {
    by_which_frame_and_finalizer(26, Mode::Plain);
}

/// Pointers by the arena's bitmap, and no types in the heap.
#[test]
fn go1_20_stripped() {
    who_holds_what(20, Mode::Stripped);
}

#[test]
fn go1_22() {
    who_holds_what(22, Mode::Plain);
}

#[test]
fn go1_26() {
    who_holds_what(26, Mode::Plain);
}

#[test]
fn go1_27_pie() {
    who_holds_what(27, Mode::Pie);
}

#[test]
fn go1_26_stripped() {
    who_holds_what(26, Mode::Stripped);
}
