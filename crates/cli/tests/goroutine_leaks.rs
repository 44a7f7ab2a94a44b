//! Which goroutines can never be woken: of a program that knows it of each of its own
//! (`lab/programs/leaked`), and beside what Go 1.27 says of itself of the programs of its own test. The same
//! is said of a live process, of core files of it, of what was kept of it, and of the dead.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use lastgasp_lab::build::{Mode, build, cache_dir, repo_root};
use lastgasp_lab::leaks::{Parked, Seen, go_programs};
use lastgasp_lab::toolchain::{Toolchain, find_or_fetch};
use serde_json::Value;

fn lastgasp() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_lastgasp"))
}

fn toolchain(minor: u16) -> Option<Toolchain> {
    find_or_fetch(minor, &cache_dir()).map_err(|e| eprintln!("SKIPPED: {e:#}")).ok()
}

fn live(program: &Parked) -> Seen {
    Seen::of(lastgasp(), &program.pid().to_string(), &["--heap", "--max-stop", "5s"]).unwrap()
}

/// Ours, with what must be said of each of its goroutines.
fn leaked(toolchain: &Toolchain, mode: Mode, args: &[&str]) -> (Parked, Vec<(String, u64, String)>) {
    let binary = build(toolchain, mode, &repo_root().join("lab/programs/leaked"), ".").unwrap();
    let mut command = Command::new(binary);
    command.args(args);
    let program = Parked::start(command).unwrap();
    let truth: Value = serde_json::from_slice(&std::fs::read(program.dir().join("truth.json")).unwrap()).unwrap();
    let text = |case: &Value, name: &str| case[name].as_str().unwrap().to_owned();
    let cases = truth.as_array().unwrap().iter();
    let cases = cases.map(|c| (text(c, "name"), c["goid"].as_u64().unwrap(), text(c, "want"))).collect();
    (program, cases)
}

/// What is said of goroutines and is not what it must be.
fn wrong(minor: u16, mode: Mode) -> Vec<String> {
    let Some(toolchain) = toolchain(minor) else { return Vec::new() };
    let (program, cases) = leaked(&toolchain, mode, &[]);
    let seen = live(&program);
    assert_eq!(seen.no_proof, Vec::<String>::new());
    let mut wrong = Vec::new();
    for (name, goid, want) in &cases {
        let found = seen.wake_up.get(goid).map_or("not blocked", String::as_str);
        // Its timer may have woken it at just that moment.
        let runs = found == "not blocked" && name.starts_with("ticks");
        if found != want && !runs {
            let by = seen.by.get(goid).map_or("", String::as_str);
            wrong.push(format!("go1.{minor} {}: {goid} {name}: {found} by {by:?}, it is {want}", mode.name()));
        }
    }
    eprintln!("go1.{minor} {}: {} cases, {} wrong, {:?}", mode.name(), cases.len(), wrong.len(), seen.took);
    wrong
}

/// The same, and of another start where the first was caught with main's frame between two safe points: what
/// its registers and slots held then, it still has, and whoever could be found by that is reachable (seen
/// once in some tens of starts on a busy machine, Go 1.24). Nothing is said to be leaked by that that is not.
fn wrong_again(minor: u16, mode: Mode) -> Vec<String> {
    let first = wrong(minor, mode);
    let by_main = |w: &String| w.contains("reachable by \"goroutine 1 in main.main\"");
    if !first.is_empty() && first.iter().all(by_main) { wrong(minor, mode) } else { first }
}

#[test]
fn each_is_what_it_is_in_every_release() {
    let wrong: Vec<String> = (19..=27).flat_map(|minor| wrong_again(minor, Mode::Plain)).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn each_is_what_it_is_in_a_stripped_binary() {
    let wrong: Vec<String> = [19, 23, 27].into_iter().flat_map(|minor| wrong_again(minor, Mode::Stripped)).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A thread that has just parked a goroutine has the channels of that in its registers and on its own stack,
/// and one that is about to wake it has its timer.
#[test]
fn a_ticker_is_for_ever_whenever_one_looks() {
    const LOOKS: usize = 12;
    for minor in [19, 23, 27] {
        let Some(toolchain) = toolchain(minor) else { continue };
        let (program, cases) = leaked(&toolchain, Mode::Stripped, &["ticks", "6"]);
        let mut running = 0;
        for _ in 0..LOOKS {
            let seen = live(&program);
            for (name, goid, want) in &cases {
                match seen.wake_up.get(goid) {
                    None if name.starts_with("ticks") => running += 1,
                    found => assert_eq!(found, Some(want), "go1.{minor} {goid} {name} {:?}", seen.by.get(goid)),
                }
            }
        }
        eprintln!("go1.{minor}: {} of {} were running", running, LOOKS * cases.len() / 2);
    }
}

/// Go 1.27 finds none: what lies beside each mutex is in use.
#[test]
fn lone_mutexes_in_tiny_blocks() {
    let Some(toolchain) = toolchain(27) else { return };
    let (mut program, cases) = leaked(&toolchain, Mode::Plain, &["tiny", "1000"]);
    let seen = live(&program);
    let own = program.own_word().unwrap();
    let proved = seen.proved();
    eprintln!("{} of {} proved, Go finds {}", proved.len(), cases.len(), own.leaked.len());
    assert!(cases.iter().all(|(_, goid, _)| proved.contains(goid)), "{} of {}", proved.len(), cases.len());
}

/// Some of Go's own, one of each kind: nothing that Go finds is missed.
#[test]
fn nothing_is_missed_that_go_finds() {
    const SOME: [&str; 12] = [
        "NilRecv",
        "Select",
        "WaitGroup",
        "MutexStack",
        "Cond",
        "RWMutexLock",
        "Mixed",
        "NoLeakGlobal",
        "DoubleSend",
        "Cockroach7504",
        "Etcd6708",
        "Grpc660",
    ];
    let Some(toolchain) = toolchain(27) else { return };
    let all = go_programs(&toolchain).unwrap();
    for program in all.iter().filter(|p| SOME.contains(&p.name.as_str())) {
        let mut parked = Parked::start_go(program).unwrap();
        assert!(parked.rests(Duration::from_secs(5)));
        let (seen, own) = (live(&parked), parked.own_word().unwrap());
        let proved = seen.proved();
        eprintln!("{}: Go {}, ours {}", program.name, own.leaked.len(), proved.len());
        let missed: Vec<_> =
            own.leaked.difference(&proved).map(|id| (id, seen.wake_up.get(id), seen.by.get(id))).collect();
        assert!(missed.is_empty(), "{}: {missed:?} {:?}", program.name, seen.no_proof);
        assert_eq!(program.name == "NoLeakGlobal", proved.is_empty(), "{}", program.name);
    }
}

/// Takes a capture of something, and reads the verdicts in it; with its folder.
fn verdicts(subject: &str, store: &Path, more: &[&str]) -> (Value, PathBuf) {
    for _ in 0..5 {
        let mut command = Command::new(lastgasp());
        let out = command.args(["capture", subject, "--out"]).arg(store).args(more).output().unwrap();
        let (text, said) = (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
        assert!(matches!(out.status.code(), Some(0 | 3)), "{subject}: {text}{said}");
        let folder = PathBuf::from(text.lines().last().unwrap());
        // On a busy machine a thread may not stop in time: then there is no graph.
        if let Ok(text) = std::fs::read(folder.join("goroutines.json")) {
            return (serde_json::from_slice(&text).unwrap(), folder);
        }
        eprintln!("once more: {said}");
    }
    panic!("{subject} has no verdicts");
}

/// Without what stands in the frames of who runs: that is now here and now in a register (seen once in CI:
/// the loop of `runner`, which led to its channel in gcore's copy and not in ours, a moment before).
fn without_running_frames(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::Array(all)) = fields.get_mut("referrers") {
                all.retain(|r| r["can_run"] != true || r["place"] != "frame");
            }
            fields.values_mut().for_each(without_running_frames);
        }
        Value::Array(all) => all.iter_mut().for_each(without_running_frames),
        _ => {}
    }
}

/// Without what only a live process tells, its clock and its sockets, and where its sources stand.
fn without_the_kernels(value: &mut Value) {
    const ITS: [&str; 7] = [
        "connection_state",
        "deadline_in_ns",
        "oldest_wait_ns",
        "peer",
        "receive_queue_bytes",
        "send_queue_bytes",
        "waited_ns_at_least",
    ];
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _| !ITS.contains(&name.as_str()));
            fields.values_mut().for_each(without_the_kernels);
        }
        Value::Array(all) => all.iter_mut().for_each(without_the_kernels),
        _ => {}
    }
}

/// The verdict on each of these.
fn by_number(verdicts: &Value, of: &[u64]) -> BTreeMap<u64, Value> {
    let all = verdicts["verdicts"].as_array().unwrap().iter().cloned();
    let mut all: BTreeMap<u64, Value> = all.map(|v| (v["goid"].as_u64().unwrap(), v)).collect();
    all.retain(|goid, _| of.contains(goid));
    all.values_mut().for_each(without_the_kernels);
    all.values_mut().for_each(without_running_frames);
    all
}

fn equal(what: &str, found: &BTreeMap<u64, Value>, wanted: &BTreeMap<u64, Value>) {
    let numbers = |of: &BTreeMap<u64, Value>| of.keys().copied().collect::<Vec<_>>();
    assert_eq!(numbers(found), numbers(wanted), "{what}");
    for (goid, wanted) in wanted {
        assert_eq!(&found[goid], wanted, "{what}: goroutine {goid}");
    }
}

/// One program that stands still, read in five ways.
fn the_same_is_said(minor: u16, mode: Mode) {
    let Some(toolchain) = toolchain(minor) else { return };
    let (program, cases) = leaked(&toolchain, mode, &[]);
    // Those that tick are now here and now there.
    let still: Vec<u64> =
        cases.iter().filter(|(name, ..)| !name.starts_with("ticks")).map(|(_, goid, _)| *goid).collect();
    let stores: Vec<_> = (0..5).map(|_| tempfile::tempdir().unwrap()).collect();
    let pid = program.pid().to_string();
    let (live, folder) = verdicts(&pid, stores[0].path(), &["--heap", "--max-stop", "5s", "--keep-memory"]);
    assert_eq!(live["no_proof"], Value::Array(Vec::new()));
    let wanted = by_number(&live, &still);
    assert!(wanted.len() > 30, "{}", wanted.len());
    // What was kept is of the same moment: who ticks too is as it was.
    let kept = folder.join("memory.core");
    let (of_kept, _) = verdicts(kept.to_str().unwrap(), stores[1].path(), &[]);
    let all: Vec<u64> = cases.iter().map(|(_, goid, _)| *goid).collect();
    equal("memory that was kept", &by_number(&of_kept, &all), &by_number(&live, &all));
    // That a pipe's other end is in the process itself the kernel tells of a live one alone: who reads from
    // it is stalled as far as memory says.
    let tiers = |of: &Value| ["blocked", "proved", "suspect", "immortal"].map(|tier| of["tiers"][tier].clone());
    assert_eq!(tiers(&of_kept), tiers(&live));
    let report = |folder: &Path| -> Value {
        let out = Command::new(lastgasp()).args(["report", "--format", "json"]).arg(folder).output().unwrap();
        serde_json::from_slice(&out.stdout).unwrap()
    };
    let shown = report(&folder);
    equal("the report of the capture", &by_number(&shown["goroutines"], &still), &wanted);
    let core = stores[2].path().join("core");
    match Command::new("gcore").arg("-o").arg(&core).arg(&pid).output() {
        Ok(out) if out.status.success() => {
            let core = core.with_file_name(format!("core.{pid}"));
            let (found, _) = verdicts(core.to_str().unwrap(), stores[2].path(), &[]);
            assert_eq!(found["no_proof"], Value::Array(Vec::new()));
            equal("gcore", &by_number(&found, &still), &wanted);
        }
        Ok(out) => panic!("gcore: {}", String::from_utf8_lossy(&out.stderr)),
        Err(e) => eprintln!("SKIPPED: gcore (of gdb): {e}"),
    }
    let (again, _) = verdicts(&pid, stores[3].path(), &["--heap", "--max-stop", "5s"]);
    equal("live, once more", &by_number(&again, &still), &wanted);
    // One that runs on while it is read: nothing is proved.
    let (moving, _) = verdicts(&pid, stores[4].path(), &["--heap", "--no-stop"]);
    assert_ne!(moving["no_proof"], Value::Array(Vec::new()));
    let proofs = moving["verdicts"].as_array().unwrap().iter().filter(|v| v["tier"] == "proved").count();
    assert_eq!(proofs, moving["verdicts"].as_array().unwrap().iter().filter(|v| is_said_by_the_runtime(v)).count());
}

/// Channels that are nil, and no cases: the runtime itself says that nothing wakes who waits for that.
fn is_said_by_the_runtime(verdict: &Value) -> bool {
    ["nil-channel", "select-without-cases"].iter().any(|code| verdict["code"] == *code) && verdict["tier"] == "proved"
}

#[test]
fn the_same_of_a_core_and_of_what_was_kept_go1_27_stripped() {
    the_same_is_said(27, Mode::Stripped);
}

#[test]
fn the_same_of_a_core_and_of_what_was_kept_go1_22_stripped() {
    the_same_is_said(22, Mode::Stripped);
}

/// Killed for memory: what is said of its goroutines is what must be said.
#[test]
fn the_dead_have_verdicts() {
    if !nix::unistd::geteuid().is_root() {
        return eprintln!("SKIPPED: needs root to make a cgroup");
    }
    let Some(toolchain) = toolchain(26) else { return };
    let binary = build(&toolchain, Mode::Stripped, &repo_root().join("lab/programs/leaked"), ".").unwrap();
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    let mut command = Command::new(lastgasp());
    command.current_dir(dir.path()).args(["run", "--memory-max", "160M", "--store"]).arg(&store).arg("--");
    let out = command.arg(binary).arg("dies").output().unwrap();
    let said = String::from_utf8_lossy(&out.stdout) + String::from_utf8_lossy(&out.stderr);
    let mut folders = std::fs::read_dir(&store).unwrap().flatten().map(|e| e.path());
    let Some(dead) = folders.find(|p| p.to_string_lossy().contains("post-kill")) else {
        assert!(said.contains("pin") || said.contains("armed"), "{said}");
        return eprintln!("SKIPPED: no memory after a kill here: {said}");
    };
    let found: Value = serde_json::from_slice(&std::fs::read(dead.join("goroutines.json")).unwrap()).unwrap();
    let truth: Value = serde_json::from_slice(&std::fs::read(dir.path().join("truth.json")).unwrap()).unwrap();
    let is_lost = |goid: u64| {
        let one = truth.as_array().unwrap().iter().find(|c| c["goid"].as_u64() == Some(goid));
        one.is_none_or(|case| case["want"] == "nothing")
    };
    let proved = found["verdicts"].as_array().unwrap().iter().filter(|v| v["tier"] == "proved");
    let proved: Vec<u64> = proved.map(|v| v["goid"].as_u64().unwrap()).collect();
    let lost = truth.as_array().unwrap().iter().filter(|c| c["want"] == "nothing").count();
    eprintln!("{} of {lost} proved of the dead, {}", proved.len(), found["no_proof"]);
    assert!(proved.iter().all(|goid| is_lost(*goid)), "{proved:?}");
    if found["no_proof"] == Value::Array(Vec::new()) {
        assert_eq!(proved.len(), lost);
    }
}
