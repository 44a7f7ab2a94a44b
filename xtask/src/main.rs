//! The project's chores. `cargo xtask help` lists them.
//!
//! Small, and without a library for arguments: it is what a new machine builds first, while nothing else can
//! be said. Chores that need much are programs of their own, built when they are called.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use lastgasp_lab::machine::cargo;

mod chores;
mod demo;
mod dist;
mod goldens;
mod incident;
mod test;
mod tidy;
mod vm;

use chores::{CHORES, Doer};

fn main() -> ExitCode {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.is_empty() || matches!(arguments[0].as_str(), "help" | "--help" | "-h") {
        print!("{}", chores::help());
        return ExitCode::SUCCESS;
    }
    let name = arguments.remove(0);
    match carry_out(&name, &arguments) {
        Ok(code) => code,
        Err(e) => {
            eprintln!("cargo xtask {name}: {e:#}");
            ExitCode::FAILURE
        }
    }
}

fn carry_out(name: &str, arguments: &[String]) -> Result<ExitCode> {
    let chore = CHORES.iter().find(|c| c.name == name).with_context(|| format!("no such chore\n{}", chores::help()))?;
    let done = match chore.doer {
        Doer::Program(package) => return program(package, arguments),
        Doer::ProgramNamed(package) => return program(package, &[&[name.to_owned()], arguments].concat()),
        Doer::Incident => return incident::run(arguments),
        Doer::Test => return test::run(arguments),
        Doer::Vm => vm::run(&cases(arguments)?),
        Doer::Demo | Doer::Dist | Doer::Goldens | Doer::Tidy if !arguments.is_empty() => bail!("it takes no arguments"),
        Doer::Demo => demo::run(),
        Doer::Dist => dist::run(),
        Doer::Goldens => goldens::run(),
        Doer::Tidy => tidy::run(),
    };
    done.map(|()| ExitCode::SUCCESS)
}

/// `--cases A,B`.
fn cases(arguments: &[String]) -> Result<Vec<String>> {
    match arguments {
        [] => Ok(Vec::new()),
        [flag, list] if flag == "--cases" => Ok(list.split(',').map(str::to_owned).collect()),
        _ => bail!("usage: cargo xtask vm [--cases A,B]; names: lab/vm/guest.sh"),
    }
}

/// A chore that is a program of its own, built and run; it says itself what went wrong.
fn program(package: &str, arguments: &[String]) -> Result<ExitCode> {
    let status = cargo().args(["run", "--quiet", "-p", package, "--"]).args(arguments).status()?;
    Ok(status.code().and_then(|c| u8::try_from(c).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}
