//! `cargo xtask bench-source`: how right the rules are on labelled source, how fast a million lines are read,
//! and how much memory that takes. `-- list FOLDER` prints what is found, a line each, for
//! labelling, `-- each` every label and what is said there now: two of those tell what a change has lost.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod corpus;
mod labels;
mod peers;
mod speed;

use std::path::Path;

use anyhow::{Result, bail};
use lastgasp_gosource::project::{Options, load};
use lastgasp_gosource::{check, is_quiet};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        [] => {
            let mut report = corpus::table()?;
            report += &labels::table()?;
            report += &speed::table()?;
            print!("{report}");
            let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../benches/results/source.txt");
            std::fs::write(file, report)?;
            Ok(())
        }
        ["corpus"] => {
            print!("{}", corpus::table()?);
            Ok(())
        }
        ["labels"] => {
            print!("{}", labels::table()?);
            Ok(())
        }
        ["each"] => {
            print!("{}", labels::each()?);
            Ok(())
        }
        ["speed", folders @ ..] => {
            print!("{}", speed::measured(&folders.iter().map(Path::new).collect::<Vec<_>>())?);
            Ok(())
        }
        ["--peers", lastgasp, projects @ ..] => {
            let table = peers::table(Path::new(lastgasp), projects)?;
            print!("{table}");
            let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../benches/results/source-peers.txt");
            std::fs::write(file, table)?;
            Ok(())
        }
        ["cost", program, arguments @ ..] => peers::cost(program, arguments),
        ["list", folder] => list(Path::new(folder)),
        _ => bail!(
            "usage: cargo xtask bench-source [corpus|labels|each|speed FOLDER...|list FOLDER|--peers LASTGASP LABELS...]"
        ),
    }
}

/// Findings, a line each.
fn list(folder: &Path) -> Result<()> {
    let options = Options::default();
    let project = load(folder, &[], &options).map_err(anyhow::Error::msg)?;
    let checked = check(&project, options.max_bytes);
    for f in checked.findings.iter().filter(|f| !is_quiet(&f.code)) {
        println!("{} {} {}:{} {}", f.code, f.level.word(), f.place.file, f.place.line, f.sentence);
    }
    eprintln!(
        "{} packages, {} files, {} lines, {} gaps",
        checked.packages,
        checked.files,
        checked.lines,
        checked.gaps.len()
    );
    Ok(())
}
