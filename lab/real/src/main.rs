//! `cargo xtask real`: programs that we did not write, under load, compared with what they say of themselves;
//! then made to die of memory, and the reports of that held against the truth.
//! What is built: `lib.rs`.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use clap::Parser;
use lastgasp_deaths::expect::Causes;
use lastgasp_goruntime::Runtime;
use lastgasp_inferior::ElfImage;
use lastgasp_lab::build::{Mode, cache_dir, repo_root};
use lastgasp_lab::machine::{lastgasp, machine};
use lastgasp_real::deaths::{self, Truth};
use lastgasp_real::play::Playing;
use lastgasp_real::program::Program;
use lastgasp_real::{PROGRAMS, fetch, graph, heap, leaks, numbers, stacks};
use serde_json::Value;

/// Most looks for one at which no GC cycle ended between the program's two answers.
const HEAP_ROUNDS: usize = 60;
/// After so many of them the load is halved.
const EASE_AFTER: usize = 15;
/// Looks at the goroutines: each under the same load, each at another moment.
const STACK_ROUNDS: usize = 8;
/// How long the program is asked on, without captures, where a capture has shown a goroutine parked at a
/// place that it has not shown yet. What is still unconfirmed then is printed, and may be one in a hundred.
const CONFIRM: Duration = Duration::from_secs(20);
/// Most looks at the figures: they move, and so may they all.
const NUMBER_ROUNDS: usize = 20;
/// Differences that are printed one by one.
const SHOWN: usize = 12;

/// One line of the table.
#[derive(Default)]
struct Row {
    name: String,
    go: String,
    mode: &'static str,
    bytes: u64,
    sites: String,
    sites_in_use: usize,
    goroutines: String,
    all_rounds: String,
    unconfirmed: usize,
    numbers: String,
    build: String,
    found: f64,
    restless: String,
    requests: u64,
    /// Why the cell fails; empty if it passes.
    failures: Vec<String>,
}

/// Build large Go programs that others wrote, put load on them, and compare what lastgasp says of them with
/// their own pprof output; then have them die of memory, and hold the reports against the truth.
#[derive(Parser)]
#[command(name = "cargo xtask real")]
struct Cli {
    /// Only these programs (default: all)
    #[arg(long, alias = "only", value_delimiter = ',')]
    programs: Vec<String>,
    /// Only their deaths of memory (as root)
    #[arg(long)]
    deaths: bool,
    /// Of the deaths only those of these loads (default: all)
    #[arg(long, value_delimiter = ',', requires = "deaths")]
    loads: Vec<String>,
    /// Play none of the deaths: judge anew what was kept of the last ones
    #[arg(long, requires = "deaths")]
    again: bool,
    /// Only the heap graph
    #[arg(long, conflicts_with = "deaths")]
    graph: bool,
    /// Only goroutines, of all programs at once for so many minutes: none of them is leaked
    #[arg(long, value_name = "MINUTES", conflicts_with_all = ["deaths", "graph"])]
    leaks: Option<u64>,
    /// Only this mode (plain, stripped) of the heap graph
    #[arg(long, requires = "graph")]
    mode: Option<String>,
    /// Seconds of load before the first comparison
    #[arg(long, default_value_t = 5)]
    load: u64,
    /// This lastgasp, instead of building one
    #[arg(long)]
    lastgasp: Option<PathBuf>,
}

fn main() -> Result<()> {
    let cli = Cli::parse();
    let only = &cli.programs;
    if let Some(unknown) = only.iter().find(|o| PROGRAMS.iter().all(|p| p.name != o.as_str())) {
        bail!("{unknown}: not one of {}", PROGRAMS.iter().map(|p| p.name).collect::<Vec<_>>().join(", "));
    }
    let lastgasp = match &cli.lastgasp {
        Some(given) => std::path::absolute(given)?,
        None => lastgasp()?,
    };
    if let Some(minutes) = cli.leaks {
        return accuse(only, Duration::from_secs(minutes * 60), &lastgasp);
    }
    // What follows is played even where a comparison failed.
    let compared = if cli.deaths || cli.graph { Ok(()) } else { compare(only, cli.load, &lastgasp) };
    let graphs = if cli.deaths { Ok(()) } else { graphs(&cli, &lastgasp) };
    let died = if cli.graph { Ok(()) } else { have_die(&cli, &lastgasp) };
    compared.and(graphs).and(died)
}

/// Holds the heap graph of every program, in both modes, under load and parked, against what the collector
/// marks. Fails if a row does.
fn graphs(cli: &Cli, lastgasp: &Path) -> Result<()> {
    let only = &cli.programs;
    let mut rows = Vec::new();
    for program in PROGRAMS.iter().filter(|p| only.is_empty() || only.iter().any(|o| o == p.name)) {
        for mode in [Mode::Plain, Mode::Stripped] {
            if cli.mode.as_ref().is_some_and(|m| m != mode.name()) {
                continue;
            }
            let built = fetch::build(program, mode)?;
            for row in graph::play(lastgasp, program, &built.binary, Duration::from_secs(cli.load)) {
                let row = graph::Row {
                    program: format!("{} {}", program.name, program.version),
                    go: built.toolchain.version.clone(),
                    mode: mode.name().to_owned(),
                    ..row
                };
                eprintln!("{}", graph::table::line(&row));
                for f in &row.failures {
                    eprintln!("FAILED {} {} {}: {f}", row.program, row.mode, row.state);
                }
                rows.push(row);
            }
        }
    }
    let header = machine("heap graphs of programs of others, held against what the collector marks")?;
    let table = graph::table::render(&header, &rows);
    print!("\n{table}");
    if only.is_empty() && cli.mode.is_none() {
        let results = repo_root().join("benches/results");
        std::fs::write(results.join("real-graph.txt"), &table)?;
        std::fs::write(results.join("real-graph.json"), serde_json::to_string_pretty(&rows)? + "\n")?;
    }
    let failed = rows.iter().filter(|r| !r.failures.is_empty()).count();
    if failed > 0 {
        bail!("{failed} of {} heap graphs failed", rows.len());
    }
    Ok(())
}

/// Looks at goroutines of all programs, stripped, under load. Fails if one is said to be leaked.
fn accuse(only: &[String], how_long: Duration, lastgasp: &Path) -> Result<()> {
    let mut built = Vec::new();
    for program in PROGRAMS.iter().filter(|p| only.is_empty() || only.iter().any(|o| o == p.name)) {
        eprintln!("{} {}: building unless the cache has it ...", program.name, program.version);
        built.push((program, fetch::build(program, Mode::Stripped)?));
    }
    let programs: Vec<_> =
        built.iter().map(|(program, b)| (*program, &*b.binary, b.toolchain.version.as_str())).collect();
    let rows = leaks::play(lastgasp, &programs, how_long, &mut |line| eprintln!("{line}"))?;
    let header = machine("goroutines of programs of others under load, of which none is leaked, and what is said")?;
    let table = leaks::render(&header, &rows);
    print!("\n{table}");
    if only.is_empty() {
        std::fs::write(repo_root().join("benches/results/real-leaks.txt"), &table)?;
    }
    let failures: Vec<_> =
        rows.iter().flat_map(|r| leaks::failures(r).into_iter().map(|f| format!("{}: {f}", r.program))).collect();
    for f in &failures {
        eprintln!("FAILED {f}");
    }
    if !failures.is_empty() {
        bail!("{} of {} programs failed", failures.len(), rows.len());
    }
    Ok(())
}

/// Has every program die of every load that it has. Fails if a report is sure of what is wrong, finds
/// nothing, or an aim is missed.
fn have_die(cli: &Cli, lastgasp: &Path) -> Result<()> {
    let (only, loads) = (&cli.programs, &cli.loads);
    let (truth, causes) = (Truth::load()?, Causes::load()?);
    let keep = cache_dir().join("real-deaths");
    let chosen = |names: &[String], name: &String| names.is_empty() || names.contains(name);
    let mut died = Vec::new();
    for death in truth.death.iter().filter(|d| chosen(only, &d.program) && chosen(loads, &d.load)) {
        let program = PROGRAMS.iter().find(|p| p.name == death.program).context("no such program")?;
        let row = if cli.again {
            deaths::again(lastgasp, death, &causes, &keep)?
        } else {
            eprintln!("{}: building unless the cache has it ...", death.id());
            let built = fetch::build(program, Mode::Stripped)?;
            deaths::play(lastgasp, &built.binary, death, &causes, &keep)?
        };
        eprintln!("{}", deaths::line(&row));
        died.push(row);
    }
    let header = machine("programs of others that die of memory by load, under lastgasp run, and what is said of it")?;
    let table = deaths::render(&header, &died);
    print!("\n{table}");
    println!("captures, and reports as text: {}", keep.display());
    if only.is_empty() && loads.is_empty() && !cli.again {
        std::fs::write(repo_root().join("benches/results/real-deaths.txt"), &table)?;
    }
    let failures = deaths::failures(&died, truth.aims);
    for f in &failures {
        eprintln!("FAILED {f}");
    }
    if !failures.is_empty() {
        bail!("of {} deaths: {} failures", died.len(), failures.len());
    }
    Ok(())
}

/// Plays every program in both modes and compares. Fails if a cell does.
fn compare(only: &[String], load: u64, lastgasp: &Path) -> Result<()> {
    let mut rows = Vec::new();
    for program in PROGRAMS.iter().filter(|p| only.is_empty() || only.iter().any(|o| o == p.name)) {
        for mode in [Mode::Plain, Mode::Stripped] {
            eprintln!("{} {} {}: building unless the cache has it ...", program.name, program.version, mode.name());
            let built = fetch::build(program, mode)?;
            let row = match play(program, mode, &built, lastgasp, load) {
                Ok(row) => row,
                Err(e) => Row {
                    name: format!("{} {}", program.name, program.version),
                    mode: mode.name(),
                    failures: vec![format!("{e:#}")],
                    ..Row::default()
                },
            };
            for f in &row.failures {
                eprintln!("FAILED {} {}: {f}", row.name, row.mode);
            }
            rows.push(row);
        }
    }
    let table = table(&rows)?;
    print!("{table}");
    if only.is_empty() {
        std::fs::write(repo_root().join("benches/results/real.txt"), &table)?;
    }
    let failed = rows.iter().filter(|r| !r.failures.is_empty()).count();
    if failed > 0 {
        bail!("{failed} of {} cells failed", rows.len());
    }
    Ok(())
}

fn play(program: &Program, mode: Mode, built: &fetch::Built, lastgasp: &Path, load: u64) -> Result<Row> {
    let mut row = Row {
        name: format!("{} {}", program.name, program.version),
        go: built.toolchain.version.clone(),
        mode: mode.name(),
        bytes: std::fs::metadata(&built.binary)?.len(),
        ..Row::default()
    };
    let playing = Playing::start(program, &built.binary)?;
    std::thread::sleep(Duration::from_secs(load));
    let mut eye = Eye { lastgasp, playing: &playing, found: Vec::new(), gaps: BTreeSet::new(), restless: 0 };
    compare_heap(&mut eye, &mut row)?;
    compare_stacks(&mut eye, &mut row)?;
    compare_numbers(&mut eye, &mut row)?;
    compare_build(&mut eye, &mut row, built, mode)?;
    eye.found.sort_by(f64::total_cmp);
    row.found = eye.found.get(eye.found.len() / 2).copied().unwrap_or(0.0);
    row.failures.extend(eye.gaps.iter().map(|g| format!("gap: {g}")));
    row.restless = format!("{}/{}", eye.restless, eye.found.len());
    let (done, failed) = playing.requests();
    row.requests = done;
    if done == 0 || failed > done / 10 {
        row.failures.push(format!("the load: {done} requests were answered, {failed} failed"));
    }
    Ok(row)
}

/// lastgasp, looking at the program.
struct Eye<'a> {
    lastgasp: &'a Path,
    playing: &'a Playing,
    /// Milliseconds until everything was found, one per look.
    found: Vec<f64>,
    /// What captures said they lack.
    gaps: BTreeSet<String>,
    /// Captures of a program that did not stand still: a thread of it slept in the kernel (a page or a file
    /// on its way to the disk).
    restless: usize,
}

impl Eye<'_> {
    /// `lastgasp capture PID --out DIR`; gives the folder.
    fn capture(&mut self) -> Result<PathBuf> {
        let store = self.playing.dir().join("captures");
        // One per second has a name: the last one goes.
        let _ = std::fs::remove_dir_all(&store);
        let out = Command::new(self.lastgasp)
            .args(["capture", &self.playing.pid().to_string(), "--out"])
            .arg(&store)
            .env("LASTGASP_LOG", "lastgasp=debug")
            .env("NO_COLOR", "1")
            .output()?;
        let errors = String::from_utf8_lossy(&out.stderr);
        let located = errors.lines().find(|l| l.contains("located")).and_then(|l| l.split_once("us="));
        let micros: Option<f64> = located.and_then(|(_, n)| n.split_whitespace().next()?.parse().ok());
        self.found.extend(micros.map(|us| us / 1000.0));
        for gap in errors.lines().filter_map(|l| l.strip_prefix("lastgasp: missing: ")) {
            if gap.starts_with("standstill: a thread did not stop in time") {
                self.restless += 1;
            } else {
                self.gaps.insert(gap.to_owned());
            }
        }
        let text = String::from_utf8_lossy(&out.stdout);
        let path = text.lines().last().map(PathBuf::from).filter(|p| p.is_dir());
        path.with_context(|| format!("lastgasp capture: {}: {errors}", out.status))
    }

    fn report(&mut self) -> Result<Value> {
        let path = self.capture()?;
        let out = Command::new(self.lastgasp).args(["report", "--format", "json"]).arg(&path).output()?;
        serde_json::from_slice(&out.stdout).with_context(|| path.display().to_string())
    }
}

/// The program's answers before and after are the same only if no cycle was published in between: then ours
/// must be the same, too.
fn compare_heap(eye: &mut Eye<'_>, row: &mut Row) -> Result<()> {
    for round in 0..HEAP_ROUNDS {
        if round > 0 && round.is_multiple_of(EASE_AFTER) {
            eye.playing.ease();
        }
        let before = heap::parse(&eye.playing.heap()?)?;
        let path = eye.capture()?;
        let after = heap::parse(&eye.playing.heap()?)?;
        if before != after {
            continue;
        }
        let ours = heap::parse(&std::fs::read(path.join("heap.published.pb.gz"))?)?;
        let got = heap::compare(&before, &ours);
        row.sites = format!("{}/{}", got.equal, got.total);
        row.sites_in_use = before.sites.values().filter(|v| v[2] > 0).count();
        if before.rate != ours.rate {
            row.failures.push(format!("the profile's rate: the program {}, lastgasp {}", before.rate, ours.rate));
        }
        for (stack, said, our) in got.differ.iter().take(SHOWN) {
            let stack: String = stack.iter().map(|(f, file, line)| format!("\n    {f} {file}:{line}")).collect();
            row.failures.push(format!("a site: the program {said:?}, lastgasp {our:?}{stack}"));
        }
        if got.total == 0 || got.equal != got.total {
            row.failures.push(format!("{} of {} sites are equal", got.equal, got.total));
        }
        return Ok(());
    }
    row.failures.push(format!("a GC cycle ended in each of {HEAP_ROUNDS} windows: the profiles could not be compared"));
    Ok(())
}

fn compare_stacks(eye: &mut Eye<'_>, row: &mut Row) -> Result<()> {
    let mut rounds = stacks::Rounds::default();
    for _ in 0..STACK_ROUNDS {
        let before = stacks::parse(&eye.playing.goroutines()?);
        let path = eye.capture()?;
        let after = stacks::parse(&eye.playing.goroutines()?);
        let ours = stacks::parse(&std::fs::read_to_string(path.join("goroutines.txt"))?);
        rounds.add(&before, &after, &ours);
    }
    let began = Instant::now();
    while !rounds.unconfirmed().is_empty() && began.elapsed() < CONFIRM {
        rounds.hear(&stacks::parse(&eye.playing.goroutines()?));
    }
    let (wrong, unconfirmed) = (rounds.wrong(), rounds.unconfirmed());
    row.goroutines = format!("{}/{}", rounds.best.0, rounds.best.1);
    row.all_rounds = format!("{}/{}", rounds.equal, rounds.compared);
    row.unconfirmed = unconfirmed.len();
    row.failures.extend(wrong.iter().take(SHOWN).cloned());
    if !wrong.is_empty() || rounds.compared == 0 {
        row.failures.push(format!("{} of {} goroutines are wrong", wrong.len(), rounds.compared));
    }
    for g in unconfirmed.iter().take(SHOWN) {
        eprintln!("unconfirmed: {g}");
    }
    if unconfirmed.len() * 100 > rounds.compared {
        row.failures.push(format!("{} of {} goroutines are unconfirmed", unconfirmed.len(), rounds.compared));
    }
    Ok(())
}

fn compare_numbers(eye: &mut Eye<'_>, row: &mut Row) -> Result<()> {
    let mut last = (0, Vec::new());
    for _ in 0..NUMBER_ROUNDS {
        let before = eye.playing.numbers()?;
        let ours = numbers::from_report(&eye.report()?);
        let after = eye.playing.numbers()?;
        last = numbers::compare(&before, &after, &ours);
        if last.0 > 0 && last.1.is_empty() {
            break;
        }
    }
    let (compared, differ) = last;
    row.numbers = format!("{}/{compared}", compared - differ.len());
    row.failures.extend(differ);
    if compared == 0 {
        row.failures.push("no figure could be compared".into());
    }
    Ok(())
}

/// What `go version -m` prints of the binary, beside what lastgasp reads of it.
fn compare_build(eye: &mut Eye<'_>, row: &mut Row, built: &fetch::Built, mode: Mode) -> Result<()> {
    let out = built.toolchain.command().args(["version", "-m"]).arg(&built.binary).output()?;
    let text = String::from_utf8_lossy(&out.stdout);
    let image = ElfImage::open(std::fs::File::open(&built.binary)?, built.binary.display().to_string())?;
    let info = Runtime::build_info(&image)?;
    let report = eye.report()?;
    let mut ours = vec![format!("path\t{}", info.path), format!("mod\t{}\t{}", info.module.path, info.module.version)];
    ours.extend(info.settings.iter().map(|(k, v)| format!("build\t{k}={v}")));
    let mut said: Vec<String> = Vec::new();
    for line in text.lines().skip(1).map(str::trim) {
        match line.split('\t').collect::<Vec<_>>().as_slice() {
            // The checksum is not kept.
            ["mod", path, version, ..] => said.push(format!("mod\t{path}\t{version}")),
            ["path" | "build", ..] => said.push(line.to_owned()),
            _ => {}
        }
    }
    let version = text.lines().next().and_then(|l| l.rsplit_once(": ")).map_or("", |(_, v)| v);
    let mut checks = vec![
        ("Go version of the build info", version.to_owned(), info.go_version.clone()),
        ("Go version of the report", version.to_owned(), report["target"]["go_version"].as_str().unwrap_or("").into()),
        (
            "main module of the report",
            said.iter().find_map(|l| l.strip_prefix("mod\t")).unwrap_or("").to_owned(),
            ["path", "version"].map(|k| report["target"]["module"][k].as_str().unwrap_or("")).join("\t"),
        ),
        (
            "stripped",
            (mode == Mode::Stripped).to_string(),
            report["target"]["stripped"].as_bool().unwrap_or_default().to_string(),
        ),
    ];
    let lines = said.len().max(ours.len());
    let at = |v: &[String], i: usize| v.get(i).cloned().unwrap_or_default();
    checks.extend((0..lines).map(|i| ("a line of the build info", at(&said, i), at(&ours, i))));
    let total = checks.len();
    checks.retain(|(_, said, our)| said != our);
    row.build = format!("{}/{total}", total - checks.len());
    row.failures.extend(checks.iter().map(|(what, said, our)| format!("{what}: Go says {said:?}, lastgasp {our:?}")));
    Ok(())
}

fn table(rows: &[Row]) -> Result<String> {
    let mut out = machine("programs of others under load, their own pprof output as the oracle")?;
    let _ = writeln!(
        out,
        "\n{:<24} {:<10} {:<9} {:>7}  {:>11} {:>7}  {:>10} {:>10} {:>11}  {:>7} {:>6} {:>9} {:>8} {:>9}  result",
        "program",
        "Go",
        "mode",
        "MB",
        "sites",
        "in use",
        "goroutines",
        "all looks",
        "unconfirmed",
        "numbers",
        "build",
        "found",
        "restless",
        "requests"
    );
    for r in rows {
        let _ = writeln!(
            out,
            "{:<24} {:<10} {:<9} {:>7.1}  {:>11} {:>7}  {:>10} {:>10} {:>11}  {:>7} {:>6} {:>6.1} ms {:>8} {:>9}  {}",
            r.name,
            r.go,
            r.mode,
            r.bytes as f64 / 1e6,
            r.sites,
            r.sites_in_use,
            r.goroutines,
            r.all_rounds,
            r.unconfirmed,
            r.numbers,
            r.build,
            r.found,
            r.restless,
            r.requests,
            if r.failures.is_empty() { "ok" } else { "FAILED" }
        );
    }
    out += "\nsites: allocation stacks of the published profile with equal alloc and in-use objects and bytes, of all that either shows (no GC cycle ended \
            between the program's two answers)\ngoroutines: parked with the same stack before and after, and shown so by the capture (the best look; all looks: \
            the rest was seen on its way)\nunconfirmed: of those on their way, seen parked where the program did not show one within 20 s\nnumbers: runtime.MemStats within 2 %, GC cycles exactly; build: lines of \
            `go version -m`; found: milliseconds until the runtime was located, median of all captures; restless: captures that say of themselves that \
            a thread slept in the kernel and could not be stopped in time, of all\n";
    Ok(out)
}
