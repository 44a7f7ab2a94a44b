//! The heap as a graph held against a program that knows all of it (`lab/programs/heaps`), over Go's minors,
//! stripped and not: sums, objects by type, who keeps what, collections, copies of one content, waste. What
//! is compared stands in `lab/matrix/src/graph`; `cargo xtask matrix` asks the same of every release.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use std::path::Path;

use lastgasp_lab::build::{Mode, cache_dir};
use lastgasp_lab::toolchain::{Toolchain, find_or_fetch};
use lastgasp_matrix::{Outcome, compare_graph, compare_graph_unprofiled};

type Compare = fn(&Toolchain, Mode, &Path) -> anyhow::Result<Outcome>;

fn equals_what_was_planted(minor: u16, mode: Mode, compare: Compare) {
    let pattern = std::fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap();
    if pattern.starts_with('|') || pattern.starts_with('/') {
        eprintln!("SKIPPED: the kernel sends core files elsewhere (core_pattern is {})", pattern.trim());
        return;
    }
    let toolchain = match find_or_fetch(minor, &cache_dir()) {
        Ok(toolchain) => toolchain,
        Err(e) => return eprintln!("SKIPPED: {e:#}"),
    };
    let found = compare(&toolchain, mode, Path::new(env!("CARGO_BIN_EXE_lastgasp"))).unwrap();
    let problems: Vec<String> = found.problems.iter().map(|p| format!("{}: {}", p.what, p.detail)).collect();
    assert!(problems.is_empty(), "go1.{minor} {}:\n{}", mode.name(), problems.join("\n"));
}

/// Without a memory profile: copies with who holds them, and never a wrong place where they were built.
#[test]
fn unprofiled() {
    for (minor, mode) in [(26, Mode::Stripped), (19, Mode::Stripped), (22, Mode::Plain)] {
        equals_what_was_planted(minor, mode, compare_graph_unprofiled);
    }
}

macro_rules! of {
    ($($name:ident: $minor:expr, $mode:expr;)*) => {
        $(#[test] fn $name() { equals_what_was_planted($minor, $mode, compare_graph); })*
    };
}

of! {
    go1_19: 19, Mode::Plain;
    go1_19_stripped: 19, Mode::Stripped;
    go1_22: 22, Mode::Plain;
    go1_22_stripped: 22, Mode::Stripped;
    go1_24: 24, Mode::Plain;
    go1_24_stripped: 24, Mode::Stripped;
    go1_25_stripped: 25, Mode::Stripped;
    go1_26: 26, Mode::Plain;
    go1_26_stripped: 26, Mode::Stripped;
    go1_27: 27, Mode::Plain;
    go1_27_stripped: 27, Mode::Stripped;
}
