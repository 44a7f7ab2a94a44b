//! What lastgasp is measured by, on real Go programs in real cgroups; results are kept in `benches/results/`.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use anyhow::Result;
use clap::Parser;

mod escapes;
mod goroutines;
mod graphs;
mod heap;
mod incident;
mod read;
mod watch;

/// Measure lastgasp on real Go programs
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Chore {
    /// Kill the lab's incident again and again under lastgasp and print how well it was recorded
    Bench {
        /// Kills each way (freeze and pin, pin only, freeze only)
        #[arg(long, default_value_t = 20)]
        kills: usize,
        /// Seconds of calm before the big config
        #[arg(long, default_value_t = 12)]
        calm: u64,
    },
    /// Take captures of a large process and compare the time that it stands still with what the kernel needs
    /// to copy as many bytes
    BenchRead {
        /// Captures of each size
        #[arg(long, default_value_t = 15)]
        times: usize,
    },
    /// Kill the lab's incident again and again and count after how many kills the heap graph was whole
    BenchGraphs(graphs::Options),
    /// Have the heap of a large process and of its core read as a graph, beside goref and viewcore
    BenchHeap(heap::Options),
    /// Say which goroutines can never be woken, beside Go's own goroutineleak profile
    BenchGoroutines(goroutines::Options),
    /// Say how much of what programs allocate gets a reason, and rank it beside pprof
    BenchEscapes(escapes::CoverageOptions),
    /// Hold what is advised about allocations against what it saves
    BenchAdvice(escapes::AdviceOptions),
    /// Have tenants without rights try to end `lastgasp watch`, or to blind it, while a program beside them
    /// dies
    BenchHostile(watch::hostile::Options),
    /// Measure `lastgasp watch` on real Go programs: kills, storms, what it costs, how long it lasts
    BenchWatch {
        #[command(subcommand)]
        bench: watch::Bench,
    },
}

fn main() -> Result<()> {
    match Chore::parse() {
        Chore::Bench { kills, calm } => incident::run(kills, calm),
        Chore::BenchRead { times } => read::run(times),
        Chore::BenchGraphs(options) => graphs::run(&options),
        Chore::BenchHeap(options) => heap::run(&options),
        Chore::BenchGoroutines(options) => goroutines::run(&options),
        Chore::BenchEscapes(options) => escapes::run_coverage(&options),
        Chore::BenchAdvice(options) => escapes::run_advice(&options),
        Chore::BenchHostile(options) => watch::hostile::run(&options),
        Chore::BenchWatch { bench } => watch::run(&bench),
    }
}
