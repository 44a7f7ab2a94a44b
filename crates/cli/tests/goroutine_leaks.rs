//! Which goroutines can never be woken: of a program that knows it of each of its own
//! (`lab/programs/leaked`), and beside what Go 1.27 says of itself of the programs of its own test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use std::path::Path;
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

#[test]
fn each_is_what_it_is_in_every_release() {
    let wrong: Vec<String> = (19..=27).flat_map(|minor| wrong(minor, Mode::Plain)).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn each_is_what_it_is_in_a_stripped_binary() {
    let wrong: Vec<String> = [19, 23, 27].into_iter().flat_map(|minor| wrong(minor, Mode::Stripped)).collect();
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
