//! `cargo xtask matrix`: every Go minor in every way of linking it, read by lastgasp and held against what
//! the process says of itself (this crate's library). Prints a table, writes it to
//! `benches/results/matrix.txt`, fails if a cell does.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::Parser;
use lastgasp_lab::build::{Mode, cache_dir, repo_root};
use lastgasp_lab::experiments;
use lastgasp_lab::machine::lastgasp;
use lastgasp_lab::oracle::Oracle;
use lastgasp_lab::toolchain::{RELEASES, Toolchain, of_table};
use lastgasp_matrix::{Outcome, Problem, compare, compare_graph};

/// Build the lab's oracle with every Go minor in every mode, read it, and hold what was read against what it
/// says of itself.
#[derive(Parser)]
#[command(name = "cargo xtask matrix")]
struct Cli {
    /// Only these minors (default: all that are listed)
    #[arg(long, value_delimiter = ',')]
    minors: Vec<u16>,
    /// Only these modes, or `graph`, or `experiments` (default: all)
    #[arg(long, value_delimiter = ',')]
    modes: Vec<String>,
    /// Who reads cores for the column `graph` (default: built for release)
    #[arg(long)]
    lastgasp: Option<PathBuf>,
}

/// The column of the heap as a graph, which is of no single mode.
const GRAPH: &str = "graph";
/// Those in which its program is built: variables have names in the first.
const GRAPH_MODES: [Mode; 2] = [Mode::Plain, Mode::Stripped];

fn main() -> Result<()> {
    let cli = Cli::parse();
    run(&cli)
}

/// An entry of [`RELEASES`].
type Row = &'static (u16, u16, &'static str);

/// How a cell came out.
enum Cell {
    Same(Outcome),
    /// In a word or two, and in full.
    Different(String, String),
    /// What the machine lacks.
    Untested(String),
    /// lastgasp refuses such a binary by name, as its table says it should.
    Refused,
}

impl Cell {
    fn text(&self) -> &str {
        match self {
            Self::Same(_) => "ok",
            Self::Different(short, _) => short,
            Self::Untested(_) => "untested",
            Self::Refused => "refused",
        }
    }
}

/// Runs the matrix: all that is listed where `minors` or `modes` are empty. `graph` and `experiments` are
/// modes of their own names here.
fn run(cli: &Cli) -> Result<()> {
    let (minors, modes) = (&cli.minors, &cli.modes);
    let all = minors.is_empty() && modes.is_empty();
    let wanted = |name: &str| modes.is_empty() || modes.iter().any(|m| m == name);
    if let Some(unknown) = modes.iter().find(|m| Mode::named(m).is_none() && !matches!(&***m, "experiments" | GRAPH)) {
        bail!("no mode {unknown}; there are {}, graph and experiments", Mode::MATRIX.map(Mode::name).join(", "));
    }
    let modes: Vec<Mode> = Mode::MATRIX.into_iter().filter(|m| wanted(m.name())).collect();
    let mut columns: Vec<&str> = modes.iter().map(|m| m.name()).collect();
    let reader = match &cli.lastgasp {
        _ if !wanted(GRAPH) => None,
        Some(path) => Some(path.clone()),
        None => Some(lastgasp()?),
    };
    columns.extend(reader.as_ref().map(|_| GRAPH));
    let (mut cells, mut tried, mut versions) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    for row @ (minor, from, release) in RELEASES.iter().filter(|(m, _, _)| minors.is_empty() || minors.contains(m)) {
        let toolchain = of_table(*minor, *from, &cache_dir());
        let name = toolchain.as_ref().map_or_else(|_| format!("go{release}"), |t| t.version.clone());
        println!("{name}");
        versions.insert(row, name);
        for mode in &modes {
            let cell = toolchain.as_ref().map_or_else(|e| Cell::Untested(format!("{e:#}")), |t| cell(t, *mode));
            println!("  {}: {}", mode.name(), cell.text());
            cells.insert((row, mode.name()), cell);
        }
        if let Some(lastgasp) = &reader {
            let cell = toolchain.as_ref().map_or_else(|e| Cell::Untested(format!("{e:#}")), |t| graph(t, lastgasp));
            println!("  {GRAPH}: {}", cell.text());
            cells.insert((row, GRAPH), cell);
        }
        if let Some(toolchain) = toolchain.as_ref().ok().filter(|_| wanted("experiments")) {
            for experiment in experiments::of(toolchain)? {
                let cell = experimental(&toolchain.with_experiment(&experiment));
                println!("  GOEXPERIMENT={experiment}: {}", cell.text());
                tried.insert((row, experiment), cell);
            }
        }
    }
    let text = render(&versions, &columns, &cells, &tried)?;
    println!("\n{text}");
    if all {
        let file = repo_root().join("benches/results/matrix.txt");
        std::fs::write(&file, &text).with_context(|| file.display().to_string())?;
    }
    let different = |c: &&Cell| matches!(c, Cell::Different(..));
    let failed = cells.values().filter(different).count() + tried.values().filter(different).count();
    if failed > 0 {
        bail!("{failed} cells of the matrix do not agree");
    }
    Ok(())
}

fn cell(toolchain: &Toolchain, mode: Mode) -> Cell {
    let oracle = match Oracle::start(toolchain, mode) {
        Ok(o) => o,
        Err(e) if format!("{e:#}").contains("no musl-gcc") => return Cell::Untested(format!("{e:#}")),
        Err(e) => return Cell::Different("not built".into(), format!("{e:#}")),
    };
    of(compare(&oracle, mode))
}

/// The heap as a graph, with names and without: what differs in any mode.
fn graph(toolchain: &Toolchain, lastgasp: &Path) -> Cell {
    let mut all = Outcome::default();
    for mode in GRAPH_MODES {
        match compare_graph(toolchain, mode, lastgasp) {
            Ok(found) => {
                if !found.not_yet.is_empty() {
                    eprintln!("  {}: not told yet: {:?}", mode.name(), found.not_yet);
                }
                all.problems.extend(found.problems.into_iter().map(|p| {
                    let detail = format!("({}) {}", mode.name(), p.detail);
                    Problem { detail, ..p }
                }));
            }
            Err(e) => return of(Err(e)),
        }
    }
    of(Ok(all))
}

fn of(compared: Result<Outcome>) -> Cell {
    match compared {
        Ok(o) if o.problems.is_empty() => Cell::Same(o),
        Ok(o) => {
            let short: BTreeSet<&str> = o.problems.iter().map(|p| p.what).collect();
            let long: Vec<String> = o.problems.iter().map(|p| format!("{}: {}", p.what, p.detail)).collect();
            Cell::Different(short.into_iter().collect::<Vec<_>>().join(","), long.join("\n"))
        }
        Err(e) => Cell::Different("not read".into(), format!("{e:#}")),
    }
}

/// An experiment is read like the release itself, or refused by name.
fn experimental(toolchain: &Toolchain) -> Cell {
    match cell(toolchain, Mode::Stripped) {
        Cell::Different(_, why) if why.contains("GOEXPERIMENT") => Cell::Refused,
        other => other,
    }
}

fn render(
    versions: &BTreeMap<Row, String>,
    columns: &[&str],
    cells: &BTreeMap<(Row, &str), Cell>,
    tried: &BTreeMap<(Row, String), Cell>,
) -> Result<String> {
    let mut out = String::from(
        "# cargo xtask matrix, linux/amd64. ok: published profile equal to the object, all goroutines there and their stacks equal\n\
         # frame by frame, threads the kernel's, gauges within 1 % (or 64 KiB; idle heap 4 MiB) of runtime.MemStats, build information\n\
         # equal; each against what the process says of itself. graph: of a core of lab/programs/heaps, plain and stripped, sums, types,\n\
         # owners, collections, copies and waste are what it planted.\n",
    );
    if !columns.is_empty() {
        let width = |m: &str| m.len().max(8);
        write!(out, "{:10}", "")?;
        for m in columns {
            write!(out, " {m:0$}", width(m))?;
        }
        writeln!(out)?;
        for (row, version) in versions {
            write!(out, "{version:10}")?;
            for m in columns {
                write!(out, " {:1$}", cells.get(&(*row, *m)).map_or("-", Cell::text), width(m))?;
            }
            writeln!(out)?;
        }
        let same = cells.values().filter_map(|c| if let Cell::Same(o) = c { Some(o) } else { None });
        let (sites, goroutines, stacks) =
            same.fold((0, 0, 0), |s, o| (s.0 + o.sites, s.1 + o.goroutines, s.2 + o.stacks));
        writeln!(out, "\nCompared: {sites} sites, {goroutines} goroutines, {stacks} quiet stacks.")?;
    }
    if !tried.is_empty() {
        writeln!(out, "\nGOEXPERIMENT, each that the release's runtime names, stripped:")?;
        for (row, version) in versions {
            let theirs: Vec<String> =
                tried.iter().filter(|((r, _), _)| r == row).map(|((_, e), c)| format!("{e} {}", c.text())).collect();
            writeln!(out, "{version:10} {}", theirs.join(", "))?;
        }
    }
    let named = |row: &Row, what: &str| format!("{} {what}", versions.get(row).map_or("", String::as_str));
    let plain = cells.iter().map(|((m, mode), c)| (named(m, mode), c));
    let experiments = tried.iter().map(|((m, e), c)| (named(m, e), c));
    for (name, cell) in plain.chain(experiments) {
        match cell {
            Cell::Different(_, why) => writeln!(out, "\n{name}:\n{why}")?,
            Cell::Untested(why) => writeln!(out, "\n{name}: not tested: {why}")?,
            Cell::Same(_) | Cell::Refused => {}
        }
    }
    Ok(out)
}
