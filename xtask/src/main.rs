//! The project's chores. `cargo xtask help` lists them.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use anyhow::Result;
use clap::{Parser, Subcommand};

mod bench;
mod demo;
mod layouts;
mod real;

/// The project's chores.
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Build everything and play the lab's incident under lastgasp: ends with the verdict and the path of the HTML report
    Demo,
    /// Kill the lab's incident again and again under lastgasp and print how well it was recorded
    Bench {
        /// Kills each way (freeze and pin, pin only, freeze only)
        #[arg(long, default_value_t = 20)]
        kills: usize,
        /// Seconds of calm before the big config
        #[arg(long, default_value_t = 12)]
        calm: u64,
    },
    /// Build large Go programs that others wrote, put load on them, and compare what lastgasp says of them with their own pprof output
    Real {
        /// Only these programs (default: all)
        #[arg(long = "only")]
        only: Vec<String>,
        /// Seconds of load before the first comparison
        #[arg(long, default_value_t = 5)]
        load: u64,
        /// This lastgasp, instead of building one
        #[arg(long)]
        lastgasp: Option<std::path::PathBuf>,
    },
    /// Write crates/goruntime/src/layout/go1_*.rs from the DWARF of a probe program built with each Go release
    Layouts {
        /// Only these minors (default: all that are listed)
        #[arg(long = "minor")]
        minors: Vec<u16>,
        /// Compare with the files instead of writing them
        #[arg(long)]
        check: bool,
    },
}

fn main() -> Result<()> {
    match Cli::parse().chore {
        Chore::Demo => demo::run(),
        Chore::Bench { kills, calm } => bench::run(kills, calm),
        Chore::Real { only, load, lastgasp } => real::run(&only, load, lastgasp),
        Chore::Layouts { minors, check } => layouts::run(&minors, check),
    }
}
