//! One file per subcommand.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod capture;
mod config;
mod ps;
mod report;
mod run;
mod watch;

use std::io::Write as _;
use std::os::unix::process::CommandExt as _;

use anyhow::{Context as _, Result};
use lastgasp_recorder::policy::{Mode, Policy};
use lastgasp_recorder::run::Config;
use lastgasp_recorder::{own_cgroup, pin_probe, watchdog};

use crate::args::Command;
use crate::exit::Exit;

/// Carries out a command.
pub(crate) fn dispatch(command: Command) -> Result<Exit> {
    match command {
        Command::Ps { json, look } => ps::ps(json, look),
        Command::Capture { subject, exe, out, no_stop, enable_profiling } => {
            capture::capture(&subject, exe.as_deref(), &out, no_stop, enable_profiling)
        }
        Command::Run { memory_max, store, no_freeze, no_pin, enable_profiling, command } => {
            let policy = Policy {
                mode: if no_freeze { Mode::Observe } else { Mode::Freeze },
                pin: !no_pin,
                ..Policy::default()
            };
            let say = |line: &str| complain(&format!("lastgasp: {line}"));
            run::run(Config { command, memory_max, store, policy, enable_profiling, say })
        }
        Command::Watch { flags } => watch::watch(flags),
        Command::Config { flags, json, markdown } => config::config(&flags, json, markdown),
        Command::Undo { store } => Ok(watch::undo(&store)),
        Command::Report { subject, exe, format, out, fail_on } => {
            report::report(&subject, exe.as_deref(), format, out.as_deref(), fail_on)
        }
        Command::Watchdog { dirs } => {
            watchdog::serve(&dirs);
            Ok(Exit::Fine)
        }
        Command::PinVictim => {
            pin_probe::victim();
            Ok(Exit::Fine)
        }
        Command::Enter { cgroups, command } => {
            own_cgroup::enter(&cgroups).context("entering the cgroup")?;
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
