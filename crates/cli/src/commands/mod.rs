//! One file per subcommand.

mod capture;
mod check;
mod check_with;
mod config;
mod diff;
mod escapes;
mod event;
mod evidence_of;
mod explain;
mod heap;
mod incident;
mod ps;
mod report;
mod run;
mod stop;
mod subject;
mod watch;
mod why;

use std::os::unix::process::CommandExt as _;

use anyhow::{Context as _, Result};
use lastgasp_recorder::policy::{Mode, Policy};
use lastgasp_recorder::run::Config;
use lastgasp_recorder::{GraphRules, own_cgroup, pin_probe, watchdog};

use crate::args::Command;
use crate::exit::Exit;
use crate::output::complain;
use stop::Stop;

/// Carries out a command.
pub(crate) fn dispatch(command: Command) -> Result<Exit> {
    match command {
        Command::Ps { json, look } => ps::ps(if json { ps::Form::Json } else { ps::Form::Table }, look),
        Command::Capture { subject, exe, out, no_stop, enable_profiling, heap, keep } => {
            let stop = if no_stop { Stop::Never } else { Stop::ForTheCopy };
            capture::capture(&subject, exe.as_deref(), &out, stop, enable_profiling, &heap, &keep)
        }
        Command::Run { memory_max, store, no_freeze, no_pin, enable_profiling, no_graph, keep, command } => {
            let policy = Policy {
                mode: if no_freeze { Mode::Observe } else { Mode::Freeze },
                pin: !no_pin,
                ..Policy::default()
            };
            let say = |line: &str| complain(&format!("lastgasp: {line}"));
            let keep_memory = keep.keep_memory;
            let graph = (!no_graph).then(GraphRules::default);
            let config = Config { command, memory_max, store, policy, enable_profiling, keep_memory, graph, say };
            run::run(config, keep.keep_memory_max)
        }
        Command::Watch { flags } => watch::watch(flags),
        Command::Config { flags, json, markdown } => {
            let form = match (json, markdown) {
                (_, true) => config::Form::Markdown,
                (true, _) => config::Form::Json,
                _ => config::Form::Text,
            };
            config::config(&flags, form)
        }
        Command::Event { command } => event::event(command),
        Command::Undo { store } => Ok(watch::undo(&store)),
        Command::Report { subject, exe, format, out, fail_on, source } => {
            report::report(&subject, exe.as_deref(), format, out.as_deref(), fail_on, source.as_deref())
        }
        Command::Why { subject, asked, exe, max_stop, format } => {
            why::why(&subject, &asked, exe.as_deref(), max_stop, format)
        }
        Command::Diff { before, after, format } => diff::diff(&before, &after, format),
        Command::Incident { service, since, store, format, out } => {
            incident::incident(service.as_deref(), since, &store, format, out.as_deref())
        }
        Command::Escapes { packages, flags } => escapes::escapes(packages, &flags),
        Command::Check { flags } => check::check(&flags),
        Command::Explain { code } => explain::explain(code.as_deref()),
        Command::Watchdog { dirs } => {
            watchdog::serve(&dirs);
            Ok(Exit::Fine)
        }
        Command::Worker => {
            lastgasp_worker::become_worker().map_err(anyhow::Error::msg)?;
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
