//! The project's chores. `cargo xtask help` lists them.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use anyhow::{Result, bail};
use clap::{Parser, Subcommand};

mod bench;
mod demo;
mod dist;
mod experiments;
mod goldens;
mod layouts;
mod patches;
mod read;
mod vm;
mod watch;

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
    /// Build the static binary (musl) and an archive of it with the systemd unit
    Dist,
    /// Kill the lab's incident again and again under lastgasp and print how well it was recorded
    Bench {
        /// Kills each way (freeze and pin, pin only, freeze only)
        #[arg(long, default_value_t = 20)]
        kills: usize,
        /// Seconds of calm before the big config
        #[arg(long, default_value_t = 12)]
        calm: u64,
    },
    /// Take captures of a large process and compare the time that it stands still with what the kernel needs to copy as many bytes
    BenchRead {
        /// Captures of each size
        #[arg(long, default_value_t = 15)]
        times: usize,
    },
    /// Measure `lastgasp watch` on real Go programs: kills, storms, what it costs, how long it lasts
    BenchWatch {
        #[command(subcommand)]
        bench: watch::Bench,
    },
    /// Play the end-to-end cases on a real cgroup v2, in a virtual machine (needs qemu-system-x86 and cpio)
    Vm {
        /// Only these, by the names that lab/vm/guest.sh lists; separated by commas
        #[arg(long, value_delimiter = ',')]
        cases: Vec<String>,
    },
    /// Build large Go programs that others wrote, put load on them, and compare what lastgasp says of them with their own pprof output
    Real {
        /// Arguments of the program: `--only`, `--load`, `--lastgasp`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Write anew what is expected of the recorded captures and of `--help` (crates/cli/tests/goldens); read the diff before you commit it
    Goldens,
    /// Write crates/goruntime/src/layout/go1_*.rs from the DWARF of a probe program built with each Go release
    Layouts {
        /// Only these minors (default: all that are listed)
        #[arg(long = "minor")]
        minors: Vec<u16>,
        /// Compare with the files instead of writing them
        #[arg(long)]
        check: bool,
        /// Compare the first patch release of each minor with the last instead: fails if a field that we read moved
        #[arg(long)]
        patches: bool,
        /// Build with each GOEXPERIMENT instead, and write which of them move a field that we read
        #[arg(long)]
        experiments: bool,
    },
    /// Build the lab's oracle with every Go minor in every mode, read it, and hold what was read against what it says of itself
    Matrix {
        /// `--minors 22,27`, `--modes plain,c-shared,experiments`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
}

fn main() -> Result<()> {
    match Cli::parse().chore {
        Chore::Demo => demo::run(),
        Chore::Dist => dist::run(),
        Chore::Bench { kills, calm } => bench::run(kills, calm),
        Chore::BenchRead { times } => read::run(times),
        Chore::BenchWatch { bench } => watch::run(&bench),
        Chore::Vm { cases } => vm::run(&cases),
        Chore::Goldens => goldens::run(),
        Chore::Real { arguments } => program("lastgasp-real", &arguments),
        Chore::Layouts { minors, patches: true, .. } => patches::run(&minors),
        Chore::Layouts { minors, check, experiments: true, .. } => experiments::run(&minors, check),
        Chore::Layouts { minors, check, .. } => layouts::run(&minors, check),
        Chore::Matrix { arguments } => program("lastgasp-matrix", &arguments),
    }
}

/// Programs of their own, for this one must build when the decoder's tables, which it makes, do not.
fn program(package: &str, arguments: &[String]) -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status =
        std::process::Command::new(cargo).args(["run", "--quiet", "-p", package, "--"]).args(arguments).status()?;
    if !status.success() {
        bail!("{package}: {status}");
    }
    Ok(())
}
