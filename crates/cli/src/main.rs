//! The binary: arguments, exit codes, and the way of one capture through the house ([`lastgasp_decode`], [`lastgasp_store`]).

mod args;
mod commands;
mod config;
mod daemon;
mod exit;
mod log;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    let cli = match args::Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => {
            let _ = e.print();
            return if e.use_stderr() { exit::Exit::Usage.into() } else { ExitCode::SUCCESS };
        }
    };
    // The daemon's log is as its configuration wants it.
    if !matches!(cli.command, args::Command::Watch { .. }) {
        log::start();
    }
    match commands::dispatch(cli.command) {
        Ok(exit) => exit.into(),
        Err(e) => {
            // Paths and names in it may be the target's.
            let text = format!("lastgasp: {e:#}");
            let lines: Vec<_> = text.lines().map(lastgasp_report::printable).collect();
            commands::complain(&lines.join("\n"));
            exit::Exit::Usage.into()
        }
    }
}
