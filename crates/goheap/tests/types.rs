//! Types of objects, from core files of a program that says what stands where (`lab/programs/typed`): no type
//! is wrong, and of how much of the heap it is known.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::PathBuf;
use std::time::Instant;

use lastgasp_goheap::Heap;
use lastgasp_goruntime::{LabelSalt, Symbolizer, decode_all_goroutines};
use lastgasp_inferior::{CoreFile, Layered};
use lastgasp_lab::build::{Mode, build, cache_dir, repo_root};
use lastgasp_lab::oracle::Oracle;
use lastgasp_lab::toolchain::find_or_fetch;
use lastgasp_observe::core::take_core;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::Deserialize;

#[derive(Deserialize)]
struct Truth {
    objects: Vec<Planted>,
}

#[derive(Deserialize)]
struct Planted {
    address: u64,
    #[serde(rename = "type")]
    name: String,
}

/// A core of the program, and what it planted; `None`, said loudly, where that cannot be had.
fn core_of(program: &str, minor: u16, mode: Mode) -> Option<(Oracle, PathBuf, Vec<u8>)> {
    let pattern = fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap();
    if pattern.starts_with('|') || pattern.starts_with('/') {
        eprintln!("SKIPPED: the kernel sends core files elsewhere (core_pattern is {})", pattern.trim());
        return None;
    }
    let toolchain = find_or_fetch(minor, &cache_dir()).map_err(|e| eprintln!("SKIPPED: {e:#}")).ok()?;
    let binary = build(&toolchain, mode, &repo_root().join("lab/programs").join(program), ".").unwrap();
    let mut program = Oracle::start_still(&binary).unwrap();
    let truth = program.truth().unwrap();
    kill(Pid::from_raw(program.pid()), Signal::SIGABRT).unwrap();
    let status = program.wait().unwrap();
    let mut entries = fs::read_dir(program.dir()).unwrap().flatten().map(|e| e.path());
    let core = entries.find(|p| p.file_name().unwrap().to_string_lossy().starts_with("core"));
    let core = core.unwrap_or_else(|| panic!("no core in {}: {status}", program.dir().display()));
    Some((program, core, truth))
}

/// Of what a program says of its heap nothing is wrong; as least so much of all live bytes is typed, and of
/// those that it names.
fn types_of_what_was_planted(program: &str, minor: u16, mode: Mode, (least, least_right): (f64, f64)) {
    let Some((_program, path, truth)) = core_of(program, minor, mode) else { return };
    let truth: Truth = serde_json::from_slice(&truth).unwrap();
    let taken = take_core(&path, None).unwrap();
    let core = CoreFile::open(File::open(&path).unwrap(), "core").unwrap();
    let (constants, _) = taken.binary.constants(&taken.runtime).unwrap();
    let memory = Layered { top: &core, bottom: constants };
    let mut gaps = Vec::new();
    let symbols = Symbolizer::new(&memory, &taken.runtime.module, taken.runtime.layout);
    let salt = LabelSalt::default();
    let goroutines = decode_all_goroutines(&taken.runtime, &memory, &symbols, &taken.registers, &salt, &mut gaps);
    let began = Instant::now();
    let heap = Heap::read(&taken, &memory, &goroutines.live, &mut gaps).unwrap_or_else(|| panic!("{gaps:?}"));
    let took = began.elapsed();
    let totals = heap.by_type();
    let live: u64 = totals.iter().map(|t| t.own.bytes).sum();
    let known: u64 = totals.iter().filter(|t| t.is_known).map(|t| t.own.bytes).sum();
    let share = known as f64 / live as f64;

    let (mut right, mut unknown, mut wrong) = (0u64, 0u64, 0u64);
    let mut mistakes: BTreeMap<(&str, String), u64> = BTreeMap::new();
    let mut missed: BTreeMap<&str, u64> = BTreeMap::new();
    let layout = heap.graph.layout();
    for planted in &truth.objects {
        let object = layout.object_at(planted.address).unwrap_or_else(|| panic!("no {}", planted.name));
        let bytes = layout.bytes(object);
        match heap.type_of(object) {
            // Several tiny ones stand in a slot.
            Some((_, "tiny block")) => {}
            Some((_, name)) if name == planted.name => right += bytes,
            Some((_, name)) => {
                wrong += bytes;
                *mistakes.entry((&planted.name, name.to_owned())).or_default() += 1;
            }
            None => {
                unknown += bytes;
                *missed.entry(&planted.name).or_default() += bytes;
            }
        }
    }
    eprintln!(
        "{program} go1.{minor} {}: {:.2} % of {live} live bytes typed; {} planted: {right} right, {unknown} unknown, {wrong} wrong; {took:?}",
        mode.name(),
        share * 100.0,
        truth.objects.len(),
    );
    for t in totals.iter().filter(|t| !t.is_known).take(8) {
        eprintln!("  {:?}", t);
    }
    eprintln!("  unknown of what was planted: {missed:?}");
    assert!(mistakes.is_empty(), "{mistakes:#?}");
    assert!(share >= least, "{share}");
    let share_right = right as f64 / (right + unknown) as f64;
    assert!(share_right >= least_right, "{share_right}");
}

/// Of a program's heap, how much is typed without symbols.
fn share_of(program: &str, minor: u16, mode: Mode, least: f64) {
    let Some((_program, path, _)) = core_of(program, minor, mode) else { return };
    let taken = take_core(&path, None).unwrap();
    let core = CoreFile::open(File::open(&path).unwrap(), "core").unwrap();
    let (constants, _) = taken.binary.constants(&taken.runtime).unwrap();
    let memory = Layered { top: &core, bottom: constants };
    let mut gaps = Vec::new();
    let symbols = Symbolizer::new(&memory, &taken.runtime.module, taken.runtime.layout);
    let salt = LabelSalt::default();
    let goroutines = decode_all_goroutines(&taken.runtime, &memory, &symbols, &taken.registers, &salt, &mut gaps);
    let began = Instant::now();
    let heap = Heap::read(&taken, &memory, &goroutines.live, &mut gaps).unwrap_or_else(|| panic!("{gaps:?}"));
    let took = began.elapsed();
    let totals = heap.by_type();
    let live: u64 = totals.iter().map(|t| t.own.bytes).sum();
    let known: u64 = totals.iter().filter(|t| t.is_known).map(|t| t.own.bytes).sum();
    let share = known as f64 / live as f64;
    eprintln!("{program} go1.{minor} {}: {:.2} % of {live} live bytes typed; {took:?}", mode.name(), share * 100.0);
    for t in totals.iter().filter(|t| !t.is_known).take(8) {
        eprintln!("  {t:?}");
    }
    assert!(share >= least, "{share}");
}

#[test]
fn heaps_without_symbols() {
    for (minor, mode) in [(26, Mode::Stripped), (19, Mode::Stripped), (22, Mode::Stripped), (27, Mode::PieStripped)] {
        share_of("heaps", minor, mode, 0.9);
    }
}

macro_rules! cells {
    ($($name:ident: $minor:expr, $mode:expr, $least:expr;)*) => {
        $(#[test] fn $name() { types_of_what_was_planted("typed", $minor, $mode, ($least, 0.0)); })*
    };
}

// Up to Go 1.21 the allocator notes no types: what no variable leads to (a map that a stack alone holds, and
// all of a stripped binary) starts from samples, and what is sampled is chance.
cells! {
    go1_19: 19, Mode::Plain, 0.965;
    go1_19_stripped: 19, Mode::Stripped, 0.8;
    go1_20: 20, Mode::Plain, 0.965;
    go1_20_stripped: 20, Mode::Stripped, 0.8;
    go1_21: 21, Mode::Plain, 0.965;
    go1_21_stripped: 21, Mode::Stripped, 0.8;
    go1_22: 22, Mode::Plain, 0.99;
    go1_22_stripped: 22, Mode::Stripped, 0.97;
    go1_23: 23, Mode::Plain, 0.99;
    go1_23_stripped: 23, Mode::Stripped, 0.97;
    go1_24: 24, Mode::Plain, 0.99;
    go1_24_stripped: 24, Mode::Stripped, 0.97;
    go1_25: 25, Mode::Plain, 0.99;
    go1_25_stripped: 25, Mode::Stripped, 0.97;
    go1_26: 26, Mode::Plain, 0.99;
    go1_26_stripped: 26, Mode::Stripped, 0.97;
    go1_27: 27, Mode::Plain, 0.99;
    go1_27_stripped: 27, Mode::PieStripped, 0.97;
}

// What nothing but stacks of functions under way leads to, in a program that keeps no memory profile.
#[test]
fn what_functions_were_called_with() {
    for minor in [19, 22, 24, 26, 27] {
        for mode in [Mode::Plain, if minor == 27 { Mode::PieStripped } else { Mode::Stripped }] {
            types_of_what_was_planted("handed", minor, mode, (0.0, 0.9));
        }
    }
}
