//! The binary: arguments, exit codes, one file a command.

mod args;
mod commands;
mod exit;
mod output;

use std::process::ExitCode;

use clap::Parser as _;
use lastgasp_agent::log;
use lastgasp_recorder::own_process::keep_few_heaps;

fn main() -> ExitCode {
    let cli = match args::Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => {
            let _ = e.print();
            return if e.use_stderr() { exit::Exit::Usage.into() } else { ExitCode::SUCCESS };
        }
    };
    // Not a worker: before glibc gives the end of a thread's heap back it reads a file of /proc once, which
    // its filter ends it for (seen: graphs of the dead without census and copies; test
    // `go1_26_with_the_graph`).
    if !matches!(cli.command, args::Command::Worker) {
        keep_few_heaps();
    }
    // The daemon's log is as its configuration wants it; a worker has one line and no other.
    if !matches!(cli.command, args::Command::Watch { .. } | args::Command::Worker) {
        log::start();
    }
    match commands::dispatch(cli.command) {
        Ok(exit) => exit.into(),
        Err(e) => {
            // Paths and names in it may be the target's.
            let text = format!("lastgasp: {e:#}");
            let lines: Vec<_> = text.lines().map(lastgasp_report::printable).collect();
            output::complain(&lines.join("\n"));
            exit::Exit::Usage.into()
        }
    }
}
