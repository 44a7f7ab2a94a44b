//! A third of the lab's programs whose goroutines wait for ever (`lab/causes`), sick and repaired, with the oldest
//! Go, one between and the newest: each goroutine that nothing will wake is found, with its cause and who holds the
//! lock, and nothing is said of those that are well. `cargo xtask causes` plays all. Needs Go; skips loudly without.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::path::Path;

use lastgasp_causes::expect::Expect;
use lastgasp_causes::judge::{judge, judge_healthy};
use lastgasp_causes::play::{Play, Programs, play};
use lastgasp_causes::tally::{Row, Tally, line, render};
use lastgasp_lab::build::{Mode, cache_dir};
use lastgasp_lab::toolchain::find_or_fetch;

fn with(minor: u16, mode: Mode) {
    let toolchain = match find_or_fetch(minor, &cache_dir()) {
        Ok(t) => t,
        Err(e) => return eprintln!("SKIPPED: {e:#}"),
    };
    let expect = Expect::load().unwrap();
    let programs = Programs::build(&toolchain.gently(), mode).unwrap();
    let lastgasp = Path::new(env!("CARGO_BIN_EXE_lastgasp"));
    let mut rows = Vec::new();
    for (name, way) in expect.ways.iter().filter(|(_, way)| way.ci) {
        for repaired in [false, true] {
            let one = Play { name: name.clone(), repaired };
            let seen = play(lastgasp, &programs, &one, false).unwrap();
            let judgement = if repaired { judge_healthy(&seen, Some(way)) } else { judge(way, &seen) };
            assert!(judgement.broken.is_empty(), "{}: {:?}", one.id(), judgement.broken);
            let row = Row {
                build: programs.name.clone(),
                play: one,
                judgement,
                no_proof: seen.no_proof,
                core_differs: Vec::new(),
                stopped_ns: seen.stopped_ns,
            };
            eprintln!("{}", line(&row));
            rows.push(row);
        }
    }
    let mistakes: Vec<String> = rows
        .iter()
        .flat_map(|r| r.judgement.mistakes.iter().map(|m| format!("{}: {m:?}", r.play.id())))
        .take(5)
        .collect();
    let missed = Tally::of(&rows).misses();
    assert!(missed.is_empty(), "{missed:?}\n{}\n{mistakes:#?}", render("", &rows));
}

#[test]
fn causes_go1_19_stripped() {
    with(19, Mode::Stripped);
}

#[test]
fn causes_go1_24_plain() {
    with(24, Mode::Plain);
}

#[test]
fn causes_go1_27_stripped() {
    with(27, Mode::Stripped);
}
