//! `cargo xtask bench-goroutines`: which goroutines can never be woken, beside what Go's own goroutineleak
//! profile says of the same process in the same state.
//!
//! - `beside`: one program, looked at by both.

mod beside;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use lastgasp_lab::build::{Mode, build, cache_dir, repo_root};
use lastgasp_lab::leaks::{GoProgram, Parked, go_programs};
use lastgasp_lab::machine::{lastgasp, machine};
use lastgasp_lab::toolchain::{Toolchain, find_or_fetch};

use beside::Beside;

/// The release whose own profile is looked at beside.
const MINOR: u16 = 27;
/// Programs that move for a while, or for ever, are looked at after this.
const REST: Duration = Duration::from_secs(8);

/// Processes of each size by which times are taken.
const CROWDS: usize = 3;

/// What is measured, and with what.
#[derive(Args)]
pub(crate) struct Options {
    /// Only the programs of Go's test with these names
    #[arg(long, value_delimiter = ',')]
    programs: Vec<String>,
    /// Times that each is played: some leak only now and then
    #[arg(long, default_value_t = 1)]
    times: usize,
    /// Goroutines of the programs by which times are taken
    #[arg(long, value_delimiter = ',', default_value = "1000,15000,100000")]
    crowds: Vec<usize>,
    /// The lastgasp to measure (default: built for release)
    #[arg(long)]
    lastgasp: Option<PathBuf>,
}

/// Plays all; prints and keeps the figures.
pub(crate) fn run(options: &Options) -> Result<()> {
    let lastgasp = options.lastgasp.clone().map_or_else(lastgasp, Ok)?;
    let toolchain = find_or_fetch(MINOR, &cache_dir())?;
    let mut out = machine(&format!("cargo xtask bench-goroutines: {}", toolchain.version))?;
    out += "blocked: goroutines at channels and locks, by Go's own dump; Go: those that its goroutineleak profile flags; ours: those that lastgasp proves.\n\
            Both look at one process in one state: it is parked where it would write its profile, a capture is taken from outside, then it writes it.\n";
    of_go(options, &lastgasp, &toolchain, &mut out)?;
    of_tiny(&lastgasp, &toolchain, &mut out)?;
    of_crowds(options, &lastgasp, &toolchain, &mut out)?;
    print!("{out}");
    let is_whole = options.programs.is_empty();
    let to = if is_whole { "benches/results/goroutines.txt" } else { "target/lab/goroutines.txt" };
    std::fs::write(repo_root().join(to), out)?;
    Ok(())
}

/// The programs of Go's own test.
fn of_go(options: &Options, lastgasp: &Path, toolchain: &Toolchain, out: &mut String) -> Result<()> {
    let wanted = |p: &GoProgram| options.programs.is_empty() || options.programs.contains(&p.name);
    let programs: Vec<GoProgram> = go_programs(toolchain)?.into_iter().filter(wanted).collect();
    writeln!(
        out,
        "\n{} programs of GOROOT/src/runtime/testdata/testgoroutineleakprofile, {} times each\n  {:<24} {:>8} {:>8} {:>8} {:>8} {:>9} {:>9}  what differs",
        programs.len(),
        options.times,
        "",
        "blocked",
        "Go",
        "ours",
        "both",
        "Go only",
        "ours only"
    )?;
    let mut all = Beside::default();
    for program in &programs {
        let mut sum = Beside::default();
        for _ in 0..options.times {
            match Parked::start_go(program).and_then(|parked| Beside::of(lastgasp, parked, REST)) {
                Ok(seen) => sum.add(seen),
                Err(e) => {
                    sum.notes.insert(format!("not seen: {e:#}"));
                }
            }
        }
        eprintln!("{}: {}", program.name, sum.line());
        writeln!(out, "  {:<24} {}", program.name, sum.line())?;
        all.add(sum);
    }
    all.notes = BTreeSet::new();
    writeln!(out, "  {:<24} {}", "all", all.line())?;
    let share = |n: usize| 100.0 * n as f64 / all.blocked.max(1) as f64;
    writeln!(
        out,
        "  of {} blocked goroutines Go flags {:.1} %, lastgasp proves {:.1} %; Go's alone: {} that were blocked when the capture was taken",
        all.blocked,
        share(all.go),
        share(all.ours),
        all.missed
    )?;
    Ok(())
}

/// Lone mutexes beside something that is in use.
fn of_tiny(lastgasp: &Path, toolchain: &Toolchain, out: &mut String) -> Result<()> {
    let program = build(toolchain, Mode::Plain, &repo_root().join("lab/programs/leaked"), ".")?;
    let mut command = Command::new(program);
    command.args(["tiny", "1000"]);
    let seen = Beside::of(lastgasp, Parked::start(command)?, REST)?;
    writeln!(
        out,
        "\n1,000 lone mutexes, each locked twice, in blocks of which another part is in use\n  Go finds {}, lastgasp {}",
        seen.go, seen.ours
    )?;
    Ok(())
}

/// How long it takes.
fn of_crowds(options: &Options, lastgasp: &Path, toolchain: &Toolchain, out: &mut String) -> Result<()> {
    let program = build(toolchain, Mode::Plain, &repo_root().join("lab/programs/leaked"), ".")?;
    out.push_str(
        "\nstopped: how long the process stood still. verdict: what each waits for and who can be woken, the graph not counted. graph: the heap's graph with that, which is reckoned when the process\n\
         runs again. all: the whole command, to a folder on the disk. Go: its goroutineleak profile in the process, its collection and text included. Each the median of three processes.\n\
         goroutines   blocked       Go     ours   stopped ms   verdict ms     graph ms       all ms        Go ms\n",
    );
    for n in &options.crowds {
        let mut seen = Vec::new();
        for _ in 0..CROWDS {
            let mut command = Command::new(&program);
            command.args(["crowd", &n.to_string()]);
            seen.push(Beside::of(lastgasp, Parked::start(command)?, REST)?);
        }
        let median = |of: fn(&Beside) -> Duration| {
            let mut all: Vec<Duration> = seen.iter().map(of).collect();
            all.sort_unstable();
            all.get(all.len() / 2).map_or(0.0, |d| d.as_secs_f64() * 1e3)
        };
        let Some(one) = seen.first() else { continue };
        writeln!(
            out,
            "{n:>10} {:>9} {:>8} {:>8} {:>12.1} {:>12.1} {:>12.1} {:>12.1} {:>12.1}",
            one.blocked,
            one.go,
            one.ours,
            median(|s| s.stopped),
            median(|s| s.verdict),
            median(|s| s.graph),
            median(|s| s.command),
            median(|s| s.own)
        )?;
    }
    Ok(())
}
