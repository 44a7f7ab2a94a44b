//! `goroutines.txt` and `goroutines.pb.gz` of `lastgasp capture PID` against what the program wrote of itself
//! a moment before (`lab/programs/goroutines`).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use lastgasp_lab::build::{Mode, cache_dir};
use lastgasp_lab::goroutines::Goroutines;
use lastgasp_lab::toolchain::{Toolchain, any, find_or_fetch};

/// The program running, and its toolchain.
fn program(minor: u16, mode: Mode, args: &[&str], godebug: &str) -> Option<(Goroutines, Toolchain)> {
    let toolchain = match find_or_fetch(minor, &cache_dir()) {
        Ok(t) => t,
        Err(e) => {
            eprintln!("SKIPPED: {e:#}");
            assert!(e.to_string().contains("no Go 1."), "only a missing toolchain may skip: {e:#}");
            return None;
        }
    };
    let binary = Goroutines::build(&toolchain, mode).unwrap();
    Some((Goroutines::start(&binary, args, godebug).unwrap(), toolchain))
}

/// A capture of a target that stood still. On a busy machine a thread may not stop in time, and lastgasp says
/// so: then once more.
fn capture(pid: i32, store: &Path) -> PathBuf {
    for _ in 0..5 {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lastgasp"));
        let out = command.args(["capture", &pid.to_string(), "--out"]).arg(store).output().unwrap();
        let (text, complaints) = (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
        if out.status.code() == Some(3) && complaints.contains("in time (") {
            eprintln!("{complaints}");
            continue;
        }
        assert!(out.status.success(), "{text}{complaints}");
        return PathBuf::from(text.lines().last().unwrap());
    }
    panic!("it never stood still");
}

/// The blocks of a traceback, argument values left out as we leave them out.
fn blocks(text: &str) -> Vec<String> {
    text.trim_end()
        .split("\n\n")
        .map(|block| block.lines().map(|l| format!("{}\n", without_arguments(l))).collect::<String>())
        .collect()
}

fn without_arguments(line: &str) -> String {
    let is_call = line.ends_with(')') && !line.starts_with(['\t', '[']) && !line.starts_with("goroutine ");
    // The last opening parenthesis that is at depth 0 of what ends the line: values may be of structures, in
    // braces.
    match line.rfind('(').filter(|_| is_call) {
        Some(open) if !line.ends_with("()") => format!("{}(...)", &line[..open]),
        _ => line.to_owned(),
    }
}

fn text_is_what_go_prints(minor: u16, mode: Mode, godebug: &str) {
    let Some((program, _)) = program(minor, mode, &[], godebug) else { return };
    let store = tempfile::tempdir().unwrap();
    let folder = capture(program.pid(), store.path());
    let mut ours = std::fs::read_to_string(folder.join("goroutines.txt")).unwrap();
    if minor < 21 {
        // Go 1.20 forgets to say that it leaves frames out.
        assert!(ours.contains("...additional frames elided...\n"));
        ours = ours.replace("...additional frames elided...\n", "");
    }
    let theirs = String::from_utf8(program.truth("stacks.txt").unwrap()).unwrap();
    // The one that wrote the truth has moved on; Go prints it first.
    let not_main = |b: &String| !b.starts_with("goroutine 1 ");
    let ours: Vec<String> = blocks(&ours).into_iter().filter(not_main).collect();
    let theirs: Vec<String> = blocks(&theirs).into_iter().filter(not_main).collect();
    for (o, t) in ours.iter().zip(&theirs) {
        assert_eq!(o, t, "Go 1.{minor} {}", mode.name());
    }
    assert_eq!(ours.len(), theirs.len());
    assert!(ours.len() >= 30, "{} goroutines", ours.len());
    let whole = ours.concat();
    assert!(whole.contains(", locked to thread]:"));
    assert!(minor < 21 || whole.contains("frames elided...\n"));
    assert!(!whole.contains("secret") && !whole.contains("/users/42"), "no user data");
    if !godebug.is_empty() {
        assert!(whole.contains("[originating from goroutine "));
    }
}

macro_rules! texts {
    ($($name:ident: $minor:expr, $mode:expr, $godebug:expr;)*) => {
        $(#[test] fn $name() { text_is_what_go_prints($minor, $mode, $godebug); })*
    };
}

texts! {
    text_go1_20_plain: 20, Mode::Plain, "";
    text_go1_20_stripped: 20, Mode::Stripped, "tracebackancestors=3";
    text_go1_20_cgo: 20, Mode::CgoPieStripped, "";
    text_go1_21_stripped: 21, Mode::Stripped, "";
    text_go1_22_stripped: 22, Mode::Stripped, "";
    text_go1_23_stripped: 23, Mode::Stripped, "tracebackancestors=3";
    text_go1_23_cgo: 23, Mode::CgoPieStripped, "";
    text_go1_24_stripped: 24, Mode::Stripped, "";
    text_go1_25_stripped: 25, Mode::Stripped, "";
    text_go1_26_stripped: 26, Mode::Stripped, "";
    text_go1_27_stripped: 27, Mode::Stripped, "tracebackancestors=3";
    text_go1_27_plain: 27, Mode::Plain, "";
    text_go1_27_cgo: 27, Mode::CgoPieStripped, "";
}

fn pprof(tool: &Toolchain, args: &[&str], file: &Path) -> String {
    let out = tool.command().args(["tool", "pprof"]).args(args).arg(file).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

/// `go tool pprof -top` of both profiles: everything equal but the line with the time, and the row order of
/// equal numbers.
fn profile_is_what_go_writes(minor: u16, mode: Mode) {
    let Some((program, _)) = program(minor, mode, &["-profile-only"], "") else { return };
    let Ok(tool) = any(&cache_dir()) else { return };
    let store = tempfile::tempdir().unwrap();
    let folder = capture(program.pid(), store.path());
    let (ours, theirs) = (folder.join("goroutines.pb.gz"), program.path("goroutine.pb.gz"));
    let rows = |file: &Path| -> Vec<String> {
        // The goroutine that wrote the truth stood elsewhere.
        let text = pprof(&tool, &["-top", "-nodecount=0", "-nodefraction=0", "-ignore=^main.main$"], file);
        let mut rows: Vec<String> = text.lines().filter(|l| !l.starts_with("Time:")).map(str::to_owned).collect();
        rows.sort();
        rows
    };
    assert_eq!(rows(&ours), rows(&theirs), "Go 1.{minor} {}", mode.name());
    assert!(rows(&ours).len() > 40);
    // Stack by stack, with files, lines and inlined calls.
    let traces = |file: &Path| -> BTreeMap<String, usize> {
        let text = pprof(&tool, &["-traces", "-lines", "-ignore=^main.main$"], file);
        let mut out = BTreeMap::new();
        for t in text.split("-----------+-------------------------------------------------------").skip(1) {
            let lines = t.lines().filter(|l| !l.trim().is_empty()).map(|l| format!("{}\n", value_hidden(l)));
            *out.entry(lines.collect::<String>()).or_default() += 1;
        }
        out
    };
    assert_eq!(traces(&ours), traces(&theirs), "Go 1.{minor} {}", mode.name());
}

/// Label values are hashed; keys are as Go has them.
fn value_hidden(line: &str) -> String {
    let label = line
        .split_once(": ")
        .filter(|(key, _)| ["path", "tenant"].contains(&key.trim()) || key.trim().starts_with("key"));
    label.map_or_else(|| line.to_owned(), |(key, _)| key.to_owned())
}

macro_rules! profiles {
    ($($name:ident: $minor:expr, $mode:expr;)*) => { $(#[test] fn $name() { profile_is_what_go_writes($minor, $mode); })* };
}

profiles! {
    profile_go1_20_stripped: 20, Mode::Stripped;
    profile_go1_23_stripped: 23, Mode::Stripped;
    profile_go1_24_plain: 24, Mode::Plain;
    profile_go1_27_stripped: 27, Mode::Stripped;
    profile_go1_27_cgo: 27, Mode::CgoPieStripped;
}

/// More stacks than are copied: what is rare is there whole, and the crowd is counted right, since those left
/// out are counted with their like.
#[test]
fn a_crowd_is_counted_right() {
    const CROWD: usize = 60_000;
    let Some((program, tool)) = program(26, Mode::Stripped, &["-crowd", &CROWD.to_string()], "") else { return };
    let store = tempfile::tempdir().unwrap();
    let out = Command::new(env!("CARGO_BIN_EXE_lastgasp"))
        .args(["capture", &program.pid().to_string(), "--out"])
        .arg(store.path())
        .output()
        .unwrap();
    let complaint = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(3), "{complaint}");
    assert!(complaint.contains("counted with others of the same `go` statement"), "{complaint}");
    let folder = PathBuf::from(String::from_utf8_lossy(&out.stdout).lines().last().unwrap());
    let text = std::fs::read_to_string(folder.join("goroutines.txt")).unwrap();
    assert!(text.lines().filter(|l| l.starts_with("goroutine ")).count() > CROWD);
    // Of those left out: where they stopped, and that there is more.
    let left_out = text
        .split("\n\n")
        .filter(|b| b.contains("\n...additional frames elided...\ncreated by main.park in goroutine 1\n"));
    assert!(left_out.clone().count() > 1000);
    assert!(left_out.into_iter().all(|b| b.contains("]:\nruntime.gopark(...)\n")));
    // Every depth that occurs once in a thousand.
    let top = pprof(&tool, &["-traces", "-focus=main.member.func1"], &folder.join("goroutines.pb.gz"));
    let rare: usize = top.lines().filter(|l| l.contains("runtime.gopark")).count();
    assert_eq!(rare, 50, "{top}");
    let rows = pprof(&tool, &["-top", "-nodecount=0", "-nodefraction=0"], &folder.join("goroutines.pb.gz"));
    let cumulated = |function: &str| -> usize {
        let row =
            rows.lines().find(|l| l.split_whitespace().nth(5) == Some(function)).unwrap_or_else(|| panic!("{rows}"));
        row.split_whitespace().nth(3).unwrap().parse().unwrap()
    };
    assert_eq!(cumulated("main.query"), CROWD - CROWD / 10);
    assert_eq!(cumulated("main.member"), CROWD);
    assert_eq!(cumulated("main.member.func1"), CROWD / 1000);
}
