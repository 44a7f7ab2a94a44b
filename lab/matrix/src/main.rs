//! `cargo xtask matrix`: every Go minor in every way of linking it, read by lastgasp and held against what
//! the process says of itself (this crate's library). Prints a table, writes it to
//! `benches/results/matrix.txt`, fails if a cell does.
#![allow(clippy::print_stdout)]

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Context as _, Result, bail};
use clap::Parser;
use lastgasp_lab::build::{Mode, cache_dir, repo_root};
use lastgasp_lab::experiments;
use lastgasp_lab::oracle::Oracle;
use lastgasp_lab::toolchain::{RELEASES, Toolchain, of_table};
use lastgasp_matrix::{Outcome, compare};

/// Build the lab's oracle with every Go minor in every mode, read it, and hold what was read against what it
/// says of itself.
#[derive(Parser)]
#[command(name = "cargo xtask matrix")]
struct Cli {
    /// Only these minors (default: all that are listed)
    #[arg(long, value_delimiter = ',')]
    minors: Vec<u16>,
    /// Only these modes, or `experiments` (default: all)
    #[arg(long, value_delimiter = ',')]
    modes: Vec<String>,
}

fn main() -> Result<()> {
    let cli = Cli::parse();
    run(&cli.minors, &cli.modes)
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

/// Runs the matrix: all that is listed where `minors` or `modes` are empty. `experiments` is a mode of its
/// own name here.
fn run(minors: &[u16], modes: &[String]) -> Result<()> {
    let all = minors.is_empty() && modes.is_empty();
    let wanted = |name: &str| modes.is_empty() || modes.iter().any(|m| m == name);
    if let Some(unknown) = modes.iter().find(|m| Mode::named(m).is_none() && *m != "experiments") {
        bail!("no mode {unknown}; there are {} and experiments", Mode::MATRIX.map(Mode::name).join(", "));
    }
    let columns: Vec<Mode> = Mode::MATRIX.into_iter().filter(|m| wanted(m.name())).collect();
    let (mut cells, mut tried, mut versions) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    for row @ (minor, from, release) in RELEASES.iter().filter(|(m, _, _)| minors.is_empty() || minors.contains(m)) {
        let toolchain = of_table(*minor, *from, &cache_dir());
        let name = toolchain.as_ref().map_or_else(|_| format!("go{release}"), |t| t.version.clone());
        println!("{name}");
        versions.insert(row, name);
        for mode in &columns {
            let cell = toolchain.as_ref().map_or_else(|e| Cell::Untested(format!("{e:#}")), |t| cell(t, *mode));
            println!("  {}: {}", mode.name(), cell.text());
            cells.insert((row, mode.name()), cell);
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
    match compare(&oracle, mode) {
        Ok(o) if o.problems.is_empty() => Cell::Same(o),
        Ok(o) => {
            let mut short: Vec<&str> = o.problems.iter().map(|p| p.what).collect();
            short.dedup();
            let long: Vec<String> = o.problems.iter().map(|p| format!("{}: {}", p.what, p.detail)).collect();
            Cell::Different(short.join(","), long.join("\n"))
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
    columns: &[Mode],
    cells: &BTreeMap<(Row, &str), Cell>,
    tried: &BTreeMap<(Row, String), Cell>,
) -> Result<String> {
    let mut out = String::from(
        "# cargo xtask matrix, linux/amd64. ok: published profile equal to the object, all goroutines there and their stacks equal\n\
         # frame by frame, threads the kernel's, gauges within 1 % (or 64 KiB; idle heap 4 MiB) of runtime.MemStats, build information\n\
         # equal; each against what the process says of itself.\n",
    );
    if !columns.is_empty() {
        let width = |m: &Mode| m.name().len().max(8);
        write!(out, "{:10}", "")?;
        for m in columns {
            write!(out, " {:1$}", m.name(), width(m))?;
        }
        writeln!(out)?;
        for (row, version) in versions {
            write!(out, "{version:10}")?;
            for m in columns {
                write!(out, " {:1$}", cells.get(&(*row, m.name())).map_or("-", Cell::text), width(m))?;
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
