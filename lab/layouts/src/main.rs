//! `cargo xtask layouts`: the decoder's tables of offsets. A program of its own, for it must build when the
//! decoder, whose tables it makes, does not.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use anyhow::Result;
use clap::Parser;

mod experiments;
mod patches;
mod tables;

/// Write crates/goruntime/src/layout/go1_*.rs from the DWARF of a probe program built with each Go release
#[derive(Parser)]
#[command(name = "cargo xtask layouts")]
struct Cli {
    /// Only these minors (default: all that are listed)
    #[arg(long = "minor")]
    minors: Vec<u16>,
    /// Compare with the files instead of writing them
    #[arg(long)]
    check: bool,
    /// Compare the first patch release of each minor with the last instead: fails if a field that we read
    /// moved
    #[arg(long)]
    patches: bool,
    /// Build with each GOEXPERIMENT instead, and write which of them move a field that we read
    #[arg(long)]
    experiments: bool,
}

fn main() -> Result<()> {
    match Cli::parse() {
        Cli { minors, patches: true, .. } => patches::run(&minors),
        Cli { minors, check, experiments: true, .. } => experiments::run(&minors, check),
        Cli { minors, check, .. } => tables::run(&minors, check),
    }
}
