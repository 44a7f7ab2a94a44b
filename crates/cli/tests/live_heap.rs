//! The heap as a graph of a process that lives, and of one that the kernel has killed: the same as a core's,
//! and never at the cost of the capture, whatever becomes of the worker that makes it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use lastgasp_lab::build::{Mode, build, cache_dir, repo_root};
use lastgasp_lab::oracle::Oracle;
use lastgasp_lab::toolchain::find_or_fetch;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

const LASTGASP: &str = env!("CARGO_BIN_EXE_lastgasp");

fn program(name: &str, minor: u16, mode: Mode) -> Option<PathBuf> {
    let toolchain = find_or_fetch(minor, &cache_dir()).map_err(|e| eprintln!("SKIPPED: {e:#}")).ok()?;
    Some(build(&toolchain, mode, &repo_root().join("lab/programs").join(name), ".").unwrap())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn lastgasp(args: &[&str]) -> Output {
    Command::new(LASTGASP).args(args).output().unwrap()
}

fn document(subject: &Path) -> Value {
    let out = lastgasp(&["report", "--format", "json", subject.to_str().unwrap()]);
    assert!(matches!(out.status.code(), Some(0 | 3)), "{}", text(&out.stderr));
    serde_json::from_slice(&out.stdout).unwrap()
}

/// Takes a capture with its graph; gives the folder and what was said.
fn capture(pid: i32, store: &Path, more: &[&str]) -> (PathBuf, String, Option<i32>) {
    let pid = pid.to_string();
    let out = lastgasp(&[&["capture", &pid, "--heap", "--out", store.to_str().unwrap()], more].concat());
    (PathBuf::from(text(&out.stdout).trim()), text(&out.stderr), out.status.code())
}

fn number(v: &Value) -> u64 {
    v.as_u64().unwrap_or_else(|| panic!("{v} is no number"))
}

/// What a graph says beside where and how it was read.
fn without_place(graph: &Value) -> Value {
    let mut graph = graph.clone();
    for field in ["source", "stopped_ns", "took_ns"] {
        graph.as_object_mut().unwrap().remove(field);
    }
    graph
}

/// Live, kept, and as a core: one graph. It may stand still for as long as a busy machine wants.
fn live_is_as_a_core(minor: u16, mode: Mode) {
    let Some(holders) = program("holders", minor, mode) else { return };
    let mut running = Oracle::start_still(&holders).unwrap();
    let truth: Value = serde_json::from_slice(&running.truth().unwrap()).unwrap();
    let store = tempfile::tempdir().unwrap();
    let (folder, said, code) = capture(running.pid(), store.path(), &["--keep-memory", "--max-stop", "10s"]);
    assert!(said.contains("will stand still for about") && said.contains("stood still for"), "{said}");
    assert_eq!(code, Some(0), "{said}");
    let live = document(&folder);
    let graph = &live["graph"];
    assert_eq!((&graph["source"], &graph["of_one_moment"]), (&"live".into(), &true.into()), "{graph:#}");
    assert!(number(&graph["stopped_ns"]) > 0 && live["capture"]["complete"] == true);
    let (live_bytes, alloc) = (number(&graph["live_bytes"]), number(&truth["heap_alloc"]));
    assert!(live_bytes.abs_diff(alloc) * 50 <= alloc, "{live_bytes} live, the program says {alloc}");
    // What was kept of it, when it is gone.
    let pattern = fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap();
    kill(Pid::from_raw(running.pid()), Signal::SIGABRT).unwrap();
    running.wait().unwrap();
    assert_eq!(&document(&folder)["graph"], graph);
    // Of its memory the same is made: it was kept while the process stood still.
    let of_memory = document(&folder.join("memory.core"));
    assert_eq!(&of_memory["graph"]["source"], "core", "{:#}", of_memory["capture"]);
    let named_by = |graph: &Value| -> Value {
        let mut graph = without_place(graph);
        // Names of variables are the symbol table's, which is not in it: without it each word is one.
        // Of a live process types are followed for a short time alone.
        let is_same = |name: &str| !name.starts_with("shared") && !name.starts_with("typed");
        graph.as_object_mut().unwrap().retain(|name, v| (v.is_number() || v.is_boolean()) && is_same(name));
        graph
    };
    assert_eq!(named_by(&of_memory["graph"]), named_by(graph));
    if pattern.starts_with('|') || pattern.starts_with('/') {
        return eprintln!("SKIPPED: the kernel sends core files elsewhere (core_pattern is {})", pattern.trim());
    }
    let entries = fs::read_dir(running.dir()).unwrap().flatten().map(|e| e.path());
    let core = entries.into_iter().find(|p| p.file_name().unwrap().to_string_lossy().starts_with("core")).unwrap();
    let of_core = document(&core);
    let (live, core) = (without_place(graph), without_place(&of_core["graph"]));
    for field in ["objects", "live_bytes", "garbage_objects", "garbage_bytes"] {
        assert_eq!(live[field], core[field], "{field}");
    }
    let named = |graph: &Value| -> Vec<(String, u64)> {
        let roots = graph["roots"].as_array().unwrap().iter();
        let of_program = roots.filter(|r| r["kind"] != "runtime");
        of_program.map(|r| (r["name"].as_str().unwrap().to_owned(), number(&r["retained_bytes"]))).collect()
    };
    assert_eq!(named(&live), named(&core));
}

#[test]
fn go1_22() {
    live_is_as_a_core(22, Mode::Plain);
}

#[test]
fn go1_26_stripped() {
    live_is_as_a_core(26, Mode::Stripped);
}

/// Killed for memory, and the graph is in the capture of its death, whole, with who holds it.
#[test]
fn the_heap_of_the_dead() {
    if !nix::unistd::geteuid().is_root() {
        return eprintln!("SKIPPED: needs root to make a cgroup");
    }
    let Some(dies) = program("dies", 26, Mode::Plain) else { return };
    let store = tempfile::tempdir().unwrap();
    let run = |name: &str, command: &[&str]| {
        let store = store.path().join(name);
        let args = ["run", "--memory-max", "120M", "--store", store.to_str().unwrap(), "--"];
        let out = lastgasp(&[&args[..], command].concat());
        let said = text(&out.stdout) + &text(&out.stderr);
        let dead = lastgasp_dead(&store);
        (dead, said, out.status.code())
    };
    let dies = dies.to_str().unwrap();
    // Calm for longer than what tells a start from a leak (a second): at its edge one of the two deaths was
    // read as a start that loads, and its confidence is another.
    let (dead, said, code) = run("alone", &[dies, "-rate", "1e8", "-after", "2500ms"]);
    let Some(dead) = dead else {
        assert!(said.contains("pin") || said.contains("armed"), "{said}");
        return eprintln!("SKIPPED: no memory after a kill here: {said}");
    };
    assert!(matches!(code, Some(1 | 3)), "{said}");
    let document_of_death = document(&dead);
    let graph = &document_of_death["graph"];
    assert_eq!(graph["source"], "dead", "{document_of_death:#}");
    let keep = &graph["roots"][0];
    assert_eq!((&keep["kind"], &keep["name"]), (&"global".into(), &"main.keep".into()), "{graph:#}");
    assert!(number(&keep["retained_bytes"]) > 90 << 20, "{keep}");
    // It was printed at once, and the page has it.
    assert!(said.contains("main.keep holds"), "{said}");
    assert!(fs::read_to_string(dead.join("report.txt")).unwrap().contains("main.keep holds"));
    // Nobody lives on what is held of the dead: a sleeper in its group is reason enough to let go, and no
    // verdict is the weaker for that. It sleeps from before: a shell that forked one after the death was
    // itself killed for memory while the dead was copied, and then nobody was left
    // (docs/operations/install.md).
    let script = format!("sleep 5 & {dies} -rate 1e8 -after 2500ms; wait");
    let (dead, ..) = run("with-a-shell", &["sh", "-c", &script]);
    let document_beside = document(&dead.unwrap());
    assert!(document_beside["graph"].is_null(), "{document_beside:#}");
    let gaps = document_beside["capture"]["gaps"].as_array().unwrap();
    let why = gaps.iter().find(|g| g["what"] == "heap graph").unwrap()["why"].as_str().unwrap();
    assert!(why.starts_with("not made: ") && why.contains(" is in the group that ran out of memory"), "{why}");
    assert_eq!(document_beside["capture"]["complete"], document_of_death["capture"]["complete"]);
    let sureness = |d: &Value| d["verdict"]["confidence"].as_f64().unwrap_or_default();
    assert!(
        (sureness(&document_beside) - sureness(&document_of_death)).abs() < 0.15,
        "ALONE {:#}\nBESIDE {:#}",
        document_of_death["verdict"],
        document_beside["verdict"]
    );
}

/// The capture from after the kill.
fn lastgasp_dead(store: &Path) -> Option<PathBuf> {
    let all = fs::read_dir(store).unwrap().flatten().map(|e| e.path());
    all.into_iter().find(|p| p.to_string_lossy().contains("post-kill") && p.join("manifest.json").exists())
}

/// The worker of a process.
fn worker_of(parent: u32) -> Option<i32> {
    let all = fs::read_dir("/proc").unwrap().flatten().filter_map(|e| e.file_name().to_str()?.parse::<i32>().ok());
    let is_worker = |pid: &i32| {
        let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        line.ends_with("worker\0") && status.contains(&format!("\nPPid:\t{parent}\n"))
    };
    all.into_iter().find(is_worker)
}

/// Killed in the middle, or out of its memory: a named gap, and a capture all the same, of a process that
/// runs on.
#[test]
fn a_worker_that_is_lost_costs_the_graph_alone() {
    let Some(big) = program("big", 26, Mode::Plain) else { return };
    let mut running = Command::new(big)
        .args(["-heap", "60000000", "-sites", "500", "-goroutines", "100"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut ready = [0; 5];
    std::io::Read::read_exact(running.stdout.as_mut().unwrap(), &mut ready).unwrap();
    let (pid, store) = (running.id() as i32, tempfile::tempdir().unwrap());
    let (folder, said, code) = capture(pid, store.path(), &["--heap-memory", "4M"]);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("heap graph: its worker ended by memory budget of 4 MiB"), "{said}");
    let lost = document(&folder);
    assert!(lost["graph"].is_null() && lost["capture"]["complete"] == true, "{:#}", lost["capture"]);

    let mut taking = Command::new(LASTGASP);
    taking.args(["capture", &pid.to_string(), "--heap", "--max-stop", "10s", "--out"]).arg(store.path());
    let taking = taking.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let until = Instant::now() + Duration::from_secs(20);
    let worker = loop {
        match worker_of(taking.id()) {
            Some(worker) => break worker,
            None => assert!(Instant::now() < until, "no worker was started"),
        }
    };
    kill(Pid::from_raw(worker), Signal::SIGKILL).unwrap();
    let out = taking.wait_with_output().unwrap();
    let said = text(&out.stderr);
    assert_eq!(out.status.code(), Some(3), "{said}");
    assert!(
        said.contains("heap graph: its worker ended by SIGKILL") || said.contains("heap graph: Broken pipe"),
        "{said}"
    );
    let state = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    assert!(!state.contains(") t ") && !state.contains(") T "), "it runs on: {state}");
    running.kill().unwrap();
    running.wait().unwrap();
}

/// What does not fit is read while it runs on, and then nothing is called garbage.
#[test]
fn a_short_stop_is_kept_and_its_price_is_said() {
    let Some(big) = program("big", 26, Mode::Plain) else { return };
    let mut running = Command::new(big)
        .args(["-heap", "1000000000", "-sites", "2000", "-goroutines", "100"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut ready = [0; 5];
    std::io::Read::read_exact(running.stdout.as_mut().unwrap(), &mut ready).unwrap();
    let store = tempfile::tempdir().unwrap();
    let (folder, said, _) = capture(running.id() as i32, store.path(), &["--max-stop", "25ms"]);
    running.kill().unwrap();
    running.wait().unwrap();
    assert!(folder.is_dir(), "{said}");
    let found = document(&folder);
    assert!(number(&found["capture"]["stopped_ns"]) < 100_000_000, "{said}");
    let graph = &found["graph"];
    if graph.is_null() || graph["of_one_moment"] == true {
        // On a fast machine it fitted; on a slow one it was not read at all.
        return eprintln!("SKIPPED: it was read in time, or not at all: {said}");
    }
    assert_eq!((number(&graph["garbage_bytes"]), number(&graph["garbage_objects"])), (0, 0));
    let gaps = graph["gaps"].to_string();
    assert!(gaps.contains("not told apart") && gaps.contains("ran on after 25 ms"), "{gaps}");
}
