//! A third of the lab's ways to die of memory (`lab/deaths`), each program with or without a memory profile,
//! in a real cgroup until the kernel kills it: no report may be sure and wrong, and most have to be right.
//! `cargo xtask deaths` plays all. Needs root and Go; skips loudly without.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::path::Path;
use std::sync::Mutex;
use std::thread;

use lastgasp_deaths::expect::{Causes, Expect};
use lastgasp_deaths::play::{Play, Programs, play};
use lastgasp_deaths::tally::{Tally, line, of_ci, render};
use lastgasp_lab::build::cache_dir;
use lastgasp_lab::toolchain;

#[test]
fn a_third_of_the_ways_to_die() {
    if !nix::unistd::geteuid().is_root() {
        return eprintln!("SKIPPED: needs root to make a cgroup");
    }
    let toolchain = match toolchain::any(&cache_dir()) {
        Ok(t) => t,
        Err(e) => return eprintln!("SKIPPED: {e:#}"),
    };
    let (expect, causes) = (Expect::load().unwrap(), Causes::load().unwrap());
    let programs = Programs::build(&toolchain.gently(), &expect).unwrap();
    let lastgasp = Path::new(env!("CARGO_BIN_EXE_lastgasp"));
    let (could, cannot): (Vec<_>, Vec<_>) = of_ci(&expect).into_iter().partition(|one| programs.has(one));
    for one in cannot {
        eprintln!("SKIPPED: {}: no C compiler", one.id());
    }
    // Two at a time: a death is seconds of waiting for a program to fill its limit.
    let (waiting, played) = (Mutex::new(could.iter()), Mutex::new(Vec::new()));
    thread::scope(|s| {
        for _ in 0..2 {
            s.spawn(|| {
                let next = || -> Option<&Play<'_>> { waiting.lock().unwrap().next() };
                while let Some(one) = next() {
                    let row = play(lastgasp, &programs, one, &causes).unwrap();
                    eprintln!("{}", line(&row));
                    played.lock().unwrap().push(row);
                }
            });
        }
    });
    let mut played = played.into_inner().unwrap();
    played.sort_by_key(|row| row.id());
    let tally = Tally::of(&played);
    let table = render("", &played);
    let unknown: Vec<&String> = tally.sure_and_wrong.iter().filter(|id| !expect.ci.known_wrong.contains(id)).collect();
    assert!(unknown.is_empty(), "sure and wrong: {unknown:?}\n{table}");
    assert!(tally.site.value() >= expect.ci.site && tally.cause.value() >= expect.ci.cause, "{table}");
}
