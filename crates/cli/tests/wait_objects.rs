//! What each goroutine waits for, against a program that knows it of its own (`lab/programs/awaited`):
//! addresses, queues, states of locks, missing calls of Done, deadlines, peers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use lastgasp_decode::{Provenance, WholeMemory, decode_with_memory};
use lastgasp_diagnosis::facts::{BlockedGoroutine, BlockedGoroutines, GraphFacts, WaitObject, WaitObjectKind};
use lastgasp_inferior::CoreFile;
use lastgasp_lab::build::{Mode, build, cache_dir, repo_root};
use lastgasp_lab::oracle::Oracle;
use lastgasp_lab::toolchain::find_or_fetch;
use lastgasp_observe::core::take_core;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::Deserialize;

/// One thing that a goroutine waits for, as the program has it.
#[derive(Clone, Debug, Default, Deserialize)]
struct Wait {
    operation: String,
    kind: String,
    address: u64,
    #[serde(rename = "type")]
    type_name: String,
    length: u64,
    capacity: u64,
    closed: bool,
    is_timer: bool,
    timer_in: i64,
    senders: u64,
    receivers: u64,
    waiters: u64,
    part_of: String,
    locked: bool,
    readers: u64,
    waiting_readers: u64,
    writer: bool,
    missing_done: Option<i64>,
    fd: i64,
    what: String,
    local: String,
    peer: String,
    has_deadline: bool,
    deadline_in: i64,
}

#[derive(Clone, Debug, Deserialize)]
struct Goroutine {
    name: String,
    id: u64,
    waits: Vec<Wait>,
    wakes_in: i64,
    in_bubble: bool,
}

/// How the memory was come by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    /// A process that stands still.
    Live,
    /// A core file: it has no clock, and nothing of the kernel.
    Core,
}

/// Seconds that may pass between the program's own clock and the capture's.
const SLACK: i64 = 120;

fn is_near(ns: Option<i64>, seconds: i64) -> bool {
    ns.is_some_and(|ns| (ns / 1_000_000_000 - seconds).abs() < SLACK)
}

fn capture(pid: i32, store: &Path) -> PathBuf {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lastgasp"));
    command.args(["capture", &pid.to_string(), "--heap", "--max-stop", "10s", "--out"]).arg(store);
    let out = command.output().unwrap();
    let complaints = String::from_utf8_lossy(&out.stderr);
    assert!(matches!(out.status.code(), Some(0 | 3)), "{complaints}");
    PathBuf::from(String::from_utf8_lossy(&out.stdout).lines().last().unwrap())
}

/// What is to be the same, as text: of what the program knows, and of what was found.
fn told(wait: &Wait, by: By) -> String {
    let w = wait;
    let mut out = format!("{} {}", w.operation, w.kind);
    match w.kind.as_str() {
        "channel" => {
            out += &format!(
                " {:#x} {} {}/{} closed {} timer {} in {} senders {} receivers {}",
                w.address, w.type_name, w.length, w.capacity, w.closed, w.is_timer, w.timer_in, w.senders, w.receivers
            );
        }
        "mutex" | "rwmutex" => {
            if w.part_of.is_empty() {
                out += &format!(" {:#x}", w.address);
            }
            out += &format!(
                " part of {:?} locked {} readers {} waiting {} writer {} waiters {}",
                w.part_of, w.locked, w.readers, w.waiting_readers, w.writer, w.waiters
            );
        }
        "waitgroup" => out += &format!(" {:#x} missing {:?} waiters {}", w.address, w.missing_done, w.waiters),
        "cond" => out += &format!(" {:#x} waiters {}", w.address, w.waiters),
        "semaphore" => out += &format!(" part of {:?} waiters {}", w.part_of, w.waiters),
        "descriptor" => {
            out += &format!(" fd {} deadline {} in {} waiters {}", w.fd, w.has_deadline, w.deadline_in, w.waiters);
            if by == By::Live {
                out += &format!(" {} {} {}", w.what, w.local, w.peer);
            }
        }
        _ => {}
    }
    out
}

/// What was found, in the program's form.
fn found(object: Option<&WaitObject>, operation: &str, wanted: &Wait, by: By) -> Wait {
    let Some(o) = object else { return Wait { operation: operation.into(), ..Wait::default() } };
    let lock = o.lock.unwrap_or_default();
    let fd = o.descriptor.clone().unwrap_or_default();
    // As the program has it, if it is near that; a core file has no clock.
    let near = |ns: Option<i64>, wanted: i64| if by == By::Core || is_near(ns, wanted) { wanted } else { -1 };
    let timer_in = if wanted.timer_in == 0 { 0 } else { near(o.timer_in_ns, wanted.timer_in) };
    let deadline_in = if wanted.deadline_in == 0 { 0 } else { near(fd.deadline_in_ns, wanted.deadline_in) };
    if o.kind == WaitObjectKind::Descriptor {
        assert!(fd.has_deadline.is_some(), "{o:?}");
    }
    Wait {
        operation: operation.into(),
        kind: o.kind.name().into(),
        address: o.address,
        type_name: o.type_name.clone(),
        length: o.length,
        capacity: o.capacity,
        closed: o.closed,
        is_timer: o.is_timer,
        timer_in,
        senders: o.senders,
        receivers: o.receivers,
        waiters: o.waiters,
        part_of: o.part_of.clone(),
        locked: lock.locked,
        readers: lock.readers,
        waiting_readers: lock.waiting_readers,
        writer: lock.writer,
        missing_done: o.missing_done,
        fd: fd.fd.unwrap_or(-1),
        what: fd.what,
        local: fd.local,
        peer: fd.peer,
        has_deadline: fd.has_deadline.unwrap_or_default(),
        deadline_in,
    }
}

/// Holds the facts against the truth; gives how many waits were compared.
fn compare(truth: &[Goroutine], blocked: &BlockedGoroutines, by: By, minor: u16) -> usize {
    let by_id: HashMap<u64, &BlockedGoroutine> = blocked.each.iter().map(|g| (g.id, g)).collect();
    let mut compared = 0;
    let mut wrong = Vec::new();
    for g in truth {
        let Some(found_of) = by_id.get(&g.id) else {
            wrong.push(format!("{} {}: not among those that are blocked", g.name, g.id));
            continue;
        };
        let mut want: Vec<String> = g.waits.iter().map(|w| told(w, by)).collect();
        let mut got: Vec<String> = Vec::new();
        for w in &found_of.waits {
            let object = w.object.map(|i| &blocked.objects[i as usize]);
            let wanted = g.waits.iter().find(|w| object.is_some_and(|o| o.address == w.address));
            let wanted = wanted.or(g.waits.first()).unwrap();
            let mut found = found(object, w.operation.name(), wanted, by);
            // From Go 1.23 on a channel knows its timer, stopped or not, unless the module is older.
            found.is_timer &= g.name != "timer-stopped";
            got.push(told(&found, by));
        }
        want.sort();
        got.sort();
        if want != got {
            wrong.push(format!("{} {}:\n   want {want:#?}\n   got {got:#?}", g.name, g.id));
        }
        let wakes = found_of.wakes_in_ns;
        if by == By::Live && (if g.wakes_in == 0 { wakes.is_some() } else { !is_near(wakes, g.wakes_in) }) {
            wrong.push(format!("{} {}: wakes in {} s, found {wakes:?}", g.name, g.id, g.wakes_in));
        }
        if found_of.in_bubble != g.in_bubble {
            wrong.push(format!("{} {}: in a bubble: {}", g.name, g.id, found_of.in_bubble));
        }
        compared += got.len();
    }
    assert!(wrong.is_empty(), "Go 1.{minor}, {by:?}: {} of {} wrong\n{}", wrong.len(), truth.len(), wrong.join("\n"));
    compared
}

/// What a capture says of the process. A thread that sleeps in the kernel (it writes, and the machine is
/// busy) does not stop in time: then it is taken once more.
fn live(pid: i32) -> GraphFacts {
    let mut gaps = Vec::new();
    for _ in 0..3 {
        let store = tempfile::tempdir().unwrap();
        let facts = lastgasp_store::read(&capture(pid, store.path())).unwrap();
        match facts.graph {
            Some(graph) => return graph,
            None => gaps = facts.capture.gaps,
        }
    }
    panic!("no graph: {gaps:?}")
}

fn held_against_the_program(truth: &[Goroutine], graph: &GraphFacts, by: By, minor: u16, mode: Mode) {
    assert!(truth.len() > 50, "{}", truth.len());
    let blocked = graph.blocked.as_ref().unwrap();
    assert!(!graph.gaps.iter().any(|g| g.starts_with("waits")), "{:?}", graph.gaps);
    let compared = compare(truth, blocked, by, minor);
    // All of them are there.
    assert!(blocked.total >= truth.len() as u64 && compared >= truth.len(), "{} {compared}", blocked.total);
    let of = |is: fn(&Wait) -> bool| truth.iter().flat_map(|g| &g.waits).filter(|w| is(w)).count();
    let peers = if by == By::Live { " and peer" } else { "" };
    eprintln!(
        "Go 1.{minor} {}, {by:?}: {compared} waits of {} goroutines as the program has them: {} of descriptors with \
         their deadline{peers}, {} of wait groups with their missing Done",
        mode.name(),
        truth.len(),
        of(|w| w.kind == "descriptor"),
        of(|w| w.kind == "waitgroup"),
    );
}

fn waits_are_known(minor: u16, mode: Mode, godebug: &str) {
    let Some(toolchain) = find_or_fetch(minor, &cache_dir()).map_err(|e| eprintln!("SKIPPED: {e:#}")).ok() else {
        return;
    };
    let program =
        Oracle::start_program_with(&toolchain, mode, "lab/programs/awaited", &["truth.json"], godebug).unwrap();
    let truth: Vec<Goroutine> = serde_json::from_slice(&program.truth().unwrap()).unwrap();
    held_against_the_program(&truth, &live(program.pid()), By::Live, minor, mode);
}

/// The same of a core file, which has neither a clock nor sockets.
fn waits_are_known_of_a_core(minor: u16, mode: Mode) {
    let pattern = fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap();
    if pattern.starts_with('|') || pattern.starts_with('/') {
        return eprintln!("SKIPPED: the kernel sends core files elsewhere (core_pattern is {})", pattern.trim());
    }
    let Some(toolchain) = find_or_fetch(minor, &cache_dir()).map_err(|e| eprintln!("SKIPPED: {e:#}")).ok() else {
        return;
    };
    let binary = build(&toolchain, mode, &repo_root().join("lab/programs/awaited"), ".").unwrap();
    let mut program = Oracle::start_still(&binary).unwrap();
    let truth: Vec<Goroutine> = serde_json::from_slice(&program.truth().unwrap()).unwrap();
    kill(Pid::from_raw(program.pid()), Signal::SIGABRT).unwrap();
    program.wait().unwrap();
    let entries = fs::read_dir(program.dir()).unwrap().flatten().map(|e| e.path());
    let core = entries.into_iter().find(|p| p.file_name().unwrap().to_string_lossy().starts_with("core")).unwrap();
    let raw = take_core(&core, None).unwrap();
    let memory = CoreFile::open(fs::File::open(&core).unwrap(), "core").unwrap();
    let whole = WholeMemory::of(&memory, "core");
    let facts = decode_with_memory(&raw, &Provenance::default(), Some(whole)).facts;
    let graph = facts.graph.unwrap_or_else(|| panic!("no graph: {:?}", facts.capture.gaps));
    held_against_the_program(&truth, &graph, By::Core, minor, mode);
}

macro_rules! known {
    ($($name:ident: $minor:expr, $mode:expr, $godebug:expr;)*) => {
        $(#[test] fn $name() { waits_are_known($minor, $mode, $godebug); })*
    };
}

known! {
    go1_19_plain: 19, Mode::Plain, "";
    go1_19_stripped: 19, Mode::Stripped, "";
    go1_20_stripped: 20, Mode::Stripped, "";
    go1_21_stripped: 21, Mode::Stripped, "";
    go1_22_plain: 22, Mode::Plain, "";
    go1_22_stripped: 22, Mode::Stripped, "";
    go1_23_stripped: 23, Mode::Stripped, "asynctimerchan=0";
    go1_24_plain: 24, Mode::Plain, "";
    go1_24_stripped: 24, Mode::Stripped, "asynctimerchan=0";
    go1_25_stripped: 25, Mode::Stripped, "";
    go1_26_plain: 26, Mode::Plain, "";
    go1_26_stripped: 26, Mode::Stripped, "asynctimerchan=0";
    go1_27_plain: 27, Mode::Plain, "";
    go1_27_stripped: 27, Mode::Stripped, "";
    go1_27_cgo: 27, Mode::CgoPieStripped, "";
}

macro_rules! known_of_a_core {
    ($($name:ident: $minor:expr, $mode:expr;)*) => {
        $(#[test] fn $name() { waits_are_known_of_a_core($minor, $mode); })*
    };
}

known_of_a_core! {
    core_go1_19_stripped: 19, Mode::Stripped;
    core_go1_22_stripped: 22, Mode::Stripped;
    core_go1_24_plain: 24, Mode::Plain;
    core_go1_26_stripped: 26, Mode::Stripped;
    core_go1_27_stripped: 27, Mode::Stripped;
}
