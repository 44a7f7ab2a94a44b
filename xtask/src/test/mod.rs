//! `cargo xtask test`: the tests of one tier, or all, with what was skipped counted as skipped.
//!
//! It runs plain `cargo test` and reads what that prints, so that nothing must be installed for it.

mod machine;
mod outcome;
mod tiers;

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use lastgasp_lab::build::cache_dir;
use lastgasp_lab::machine::cargo;

use outcome::Outcome;
use tiers::Tier;

/// Runs a tier; fails if a test did.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    let began = Instant::now();
    let mut outcome = Outcome::default();
    let tier = |outcome: &mut Outcome, tier| {
        tiers::runs(tier).iter().try_for_each(|(targets, names)| cargo_test(outcome, targets, names))
    };
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["fast"] => tier(&mut outcome, Tier::Fast)?,
        ["go"] => tier(&mut outcome, Tier::Go)?,
        ["root"] => tier(&mut outcome, Tier::Root)?,
        ["vm"] => machine::play(&mut outcome)?,
        // The README's command, and the machine of its own after it.
        ["all"] => {
            cargo_test(&mut outcome, &[], &[])?;
            machine::play(&mut outcome)?;
        }
        _ => bail!("usage: cargo xtask test fast|go|root|vm|all"),
    }
    eprintln!("{} s", began.elapsed().as_secs());
    print!("{}", outcome.summary());
    Ok(if outcome.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// `cargo test --workspace` of those targets (all if none), and of tests by such names.
fn cargo_test(outcome: &mut Outcome, targets: &[String], names: &[String]) -> Result<()> {
    // Both of its streams in one: what cargo says of a program stands before what the program says.
    let (output, input) = std::io::pipe()?;
    let mut command = cargo();
    command.args(["test", "--workspace", "--no-fail-fast"]).args(targets);
    command.args(["--", "--show-output"]).args(names).stdout(input.try_clone()?).stderr(input);
    eprintln!("$ cargo test --workspace --no-fail-fast {} -- --show-output {}", targets.join(" "), names.join(" "));
    let mut child = command.spawn().context("cargo")?;
    // Ours of the pipe's ends that are written to.
    drop(command);
    let log = cache_dir().join("test.log");
    std::fs::create_dir_all(cache_dir())?;
    let mut log = std::fs::File::create(log)?;
    for line in BufReader::new(output).split(b'\n') {
        let line = line?;
        let line = String::from_utf8_lossy(&line);
        writeln!(log, "{line}")?;
        if outcome.line(&line) {
            println!("{line}");
        }
    }
    outcome.end(child.wait()?.success());
    Ok(())
}
