//! The binary: arguments, exit codes, and the way of one capture through the house ([`decode`], [`seal`]).

mod args;
mod commands;
mod daemon;
mod decode;
mod exit;
mod seal;

use std::io::IsTerminal as _;
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
    let filter = tracing_subscriber::EnvFilter::try_from_env("LASTGASP_LOG").unwrap_or_else(|_| {
        // A daemon's log is read by somebody who was not there.
        if matches!(cli.command, args::Command::Watch { .. }) { "info".into() } else { "warn".into() }
    });
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(colour)
        .without_time()
        .init();
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
