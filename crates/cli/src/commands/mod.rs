//! One file per subcommand.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod capture;
mod ps;
mod report;
mod run;

use std::io::Write as _;
use std::os::unix::process::CommandExt as _;

use anyhow::{Context as _, Result};
use lastgasp_recorder::{cgroup, watchdog};

use crate::args::Command;
use crate::exit::Exit;

/// Carries out a command.
pub(crate) fn dispatch(command: Command) -> Result<Exit> {
    match command {
        Command::Ps { json, look } => ps::ps(json, look),
        Command::Capture { pid, out, no_stop } => capture::capture(pid, &out, no_stop),
        Command::Run { memory_max, store, no_freeze, no_pin, command } => {
            run::run(memory_max, &store, !no_freeze, !no_pin, command)
        }
        Command::Report { subject, format, out, fail_on } => report::report(&subject, format, out.as_deref(), fail_on),
        Command::Watchdog { dirs } => {
            watchdog::serve(&dirs);
            Ok(Exit::Fine)
        }
        Command::Enter { cgroups, command } => {
            cgroup::enter(&cgroups).context("entering the cgroup")?;
            let mut words = command.into_iter();
            let program = words.next().context("no command")?;
            let error = std::process::Command::new(&program).args(words).exec();
            complain(&format!("lastgasp: {}: {error}", program.to_string_lossy()));
            // As a shell does: 127 not found, 126 not executable.
            Ok(Exit::Command(if error.kind() == std::io::ErrorKind::NotFound { 127 } else { 126 }))
        }
    }
}

/// To standard output; a reader that has gone (`| head`) is no error.
fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes());
    let _ = out.flush();
}

/// To standard error.
pub(crate) fn complain(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
