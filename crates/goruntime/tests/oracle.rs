//! The decoders against a real Go program that knows its own numbers (`lab/programs/oracle`), for several Go
//! versions and link modes: the same check as `cargo xtask matrix`, which runs all of them. Skips a version
//! loudly when its toolchain can neither be found nor fetched.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use lastgasp_lab::build::{Mode, cache_dir};
use lastgasp_lab::oracle::Oracle;
use lastgasp_lab::toolchain::{Toolchain, find_or_fetch, of_table};
use lastgasp_matrix::compare;

fn check(minor: u16, mode: Mode) {
    check_with(find_or_fetch(minor, &cache_dir()), minor, mode);
}

fn check_with(toolchain: anyhow::Result<Toolchain>, minor: u16, mode: Mode) {
    let oracle = match toolchain.and_then(|t| Oracle::start(&t, mode)) {
        Ok(o) => o,
        Err(e) => {
            let why = format!("{e:#}");
            eprintln!("SKIPPED: Go 1.{minor} {}: {why}", mode.name());
            assert!(
                why.contains("no Go 1.") || why.contains("no musl-gcc"),
                "only a missing toolchain may skip: {why}"
            );
            return;
        }
    };
    let outcome = compare(&oracle, mode).unwrap();
    assert_eq!(outcome.problems, []);
    assert!(outcome.goroutines >= 25 && (outcome.sites >= 3 || !mode.has_profile()), "{outcome:?}");
}

macro_rules! matrix {
    ($($name:ident: $minor:expr, $mode:expr;)*) => { $(#[test] fn $name() { check($minor, $mode); })* };
}

// Every minor stripped; the oldest, a middle one and the newest with symbols too; every mode with the newest.
// `cargo xtask matrix` runs all of it.
matrix! {
    go1_19_plain: 19, Mode::Plain;
    go1_19_stripped: 19, Mode::Stripped;
    go1_19_c_shared: 19, Mode::CShared;
    go1_20_stripped: 20, Mode::Stripped;
    go1_21_stripped: 21, Mode::Stripped;
    go1_22_plain: 22, Mode::Plain;
    go1_22_stripped: 22, Mode::Stripped;
    go1_22_pie_stripped: 22, Mode::PieStripped;
    go1_22_cgo_pie: 22, Mode::CgoPieStripped;
    go1_22_no_pprof: 22, Mode::NoPprof;
    go1_23_stripped: 23, Mode::Stripped;
    go1_24_stripped: 24, Mode::Stripped;
    go1_25_stripped: 25, Mode::Stripped;
    go1_26_stripped: 26, Mode::Stripped;
    go1_27_plain: 27, Mode::Plain;
    go1_27_stripped: 27, Mode::Stripped;
    go1_27_pie: 27, Mode::Pie;
    go1_27_pie_stripped: 27, Mode::PieStripped;
    go1_27_cgo: 27, Mode::Cgo;
    go1_27_cgo_pie: 27, Mode::CgoPieStripped;
    go1_27_c_shared: 27, Mode::CShared;
    go1_27_no_pprof: 27, Mode::NoPprof;
    go1_27_static: 27, Mode::Static;
    go1_27_musl: 27, Mode::Musl;
}

/// Before 1.23.12 and 1.24.6 moved fields of `m`: the tables that the newest patch release of a minor does
/// not use.
#[test]
fn first_patch_releases_of_minors_that_changed_under_way() {
    for minor in [23, 24] {
        check_with(of_table(minor, 0, &cache_dir()), minor, Mode::Stripped);
    }
}

/// An experiment that moves nothing that we read. (One that does is refused by name:
/// `experiments_that_move_a_field_are_refused_by_name`, and the matrix.)
#[test]
fn go1_27_nogreenteagc() {
    let toolchain = find_or_fetch(27, &cache_dir()).map(|t| t.with_experiment("nogreenteagc"));
    check_with(toolchain, 27, Mode::Stripped);
}
