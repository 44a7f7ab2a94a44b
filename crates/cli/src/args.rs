//! Arguments, and the help that is made from them.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

/// The flight recorder and doctor for Go services' memory.
///
/// Watches Go processes from outside, takes evidence in the seconds before (and two seconds after) an OOM kill, and names the line of code that did it.
/// Exit codes: 0 fine, 1 findings, 2 usage or nothing could be done, 3 written with gaps.
#[derive(Debug, Parser)]
#[command(name = "lastgasp", version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the Go processes of this machine
    Ps {
        /// As JSON (schema lastgasp.ps/1)
        #[arg(long)]
        json: bool,
        /// Look twice, so many seconds apart: tells who grows, and the time to OOM
        #[arg(long, value_name = "SECONDS", value_parser = pause)]
        look: Option<f64>,
    },
    /// Take a capture of a process now, or of a core file; prints the folder's path as its last line
    Capture {
        /// Process number, or an ELF core file
        #[arg(value_name = "PID|CORE")]
        subject: String,
        /// The executable of a core file, where it is not found by itself
        #[arg(long, value_name = "FILE")]
        exe: Option<PathBuf>,
        /// Where the capture goes
        #[arg(long = "out", alias = "store", value_name = "DIR", default_value = "lastgasp-captures")]
        out: PathBuf,
        /// Do not stop the process while copying (the copy is then not of one moment)
        #[arg(long)]
        no_stop: bool,
        /// Write into the process: switch on the memory profile of a program that keeps none, wait this many seconds, capture, switch it off again
        #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3600))]
        enable_profiling: Option<u64>,
    },
    /// Run a command under the recorder, in a cgroup of its own where possible
    Run {
        /// Memory limit of its cgroup: bytes, or with K, M, G, T (1024-based)
        #[arg(long, value_name = "SIZE", value_parser = size)]
        memory_max: Option<u64>,
        /// Where captures go
        #[arg(long, value_name = "DIR", default_value = "lastgasp-captures")]
        store: PathBuf,
        /// Never stop the process before a kill (the pin alone)
        #[arg(long)]
        no_freeze: bool,
        /// Never hold memory after a kill (the freeze alone)
        #[arg(long)]
        no_pin: bool,
        /// Write into the process: switch on the memory profile of a program that keeps none; off again at the end
        #[arg(long)]
        enable_profiling: bool,
        /// The command and its arguments
        #[arg(last = true, required = true, value_name = "CMD")]
        command: Vec<OsString>,
    },
    /// The daemon: watch every Go process of this machine
    Watch {
        /// Where captures go
        #[arg(long, value_name = "DIR", default_value = "lastgasp-captures")]
        store: PathBuf,
        /// What may be done to a process
        #[arg(long, value_enum, default_value_t = WatchMode::Freeze)]
        mode: WatchMode,
        /// Most bytes that captures may take; the most redundant and the oldest go first
        #[arg(long, value_name = "SIZE", value_parser = size, default_value = "2G")]
        max_bytes: u64,
        /// Whom to watch, by the name of the executable; all if it is not given
        #[arg(long, value_name = "NAME")]
        service: Vec<String>,
        /// (for measurements) never hold memory after a kill: the freeze alone
        #[arg(long, hide = true)]
        no_pin: bool,
        /// (for measurements) how often a calm process's gauges are sampled
        #[arg(long, hide = true, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
        light_sample: Option<u64>,
    },
    /// Say what a capture, a core file, or a process right now shows
    Report {
        /// A capture's folder, a core file, or a process number
        #[arg(value_name = "CAPTURE|CORE|PID")]
        subject: String,
        /// The executable of a core file, where it is not found by itself
        #[arg(long, value_name = "FILE")]
        exe: Option<PathBuf>,
        /// Form
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
        /// Write here instead of to standard output
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// Exit with 1 if the verdict is at this level or over
        #[arg(long, value_enum, value_name = "LEVEL")]
        fail_on: Option<FailOn>,
    },
    /// (internal) undoes what the recorder did to a cgroup if it dies
    #[command(hide = true, name = "watchdog")]
    Watchdog {
        /// Folders
        dirs: Vec<PathBuf>,
    },
    /// (internal) enters cgroups and becomes the command
    #[command(hide = true, name = "enter")]
    Enter {
        /// Folders
        #[arg(long = "cgroup")]
        cgroups: Vec<PathBuf>,
        /// The command
        #[arg(last = true, required = true)]
        command: Vec<OsString>,
    },
}

/// What may be done to a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum WatchMode {
    /// Read it, and hold its memory after a kill; never stop it
    Observe,
    /// Stop it for the milliseconds of a copy too
    Freeze,
    /// Brake the growth of its group for seconds too (memory.high)
    Brake,
}

/// Form of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For a terminal
    Text,
    /// docs/formats/report-json.md
    Json,
    /// One self-contained file
    Html,
}

/// Levels of `--fail-on`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FailOn {
    /// Worth knowing
    Info,
    /// Will hurt
    Warning,
    /// Hurts
    Critical,
}

/// Seconds between two looks.
fn pause(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|_| format!("{text:?} is not a number"))?;
    if (0.01..=3600.0).contains(&seconds) { Ok(seconds) } else { Err("give 0.01 to 3600 seconds".into()) }
}

/// `1536M`, `2GiB`, `1000000`.
fn size(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor: u64 = match text
        .get(digits.len()..)
        .unwrap_or_default()
        .to_ascii_lowercase()
        .trim_end_matches("ib")
        .trim_end_matches('b')
    {
        "" => 1,
        "k" => 1 << 10,
        "m" => 1 << 20,
        "g" => 1 << 30,
        "t" => 1 << 40,
        other => return Err(format!("unknown unit {other:?}: use K, M, G or T")),
    };
    let n: f64 = digits.parse().map_err(|_| format!("{digits:?} is not a number"))?;
    let bytes = n * factor as f64;
    if !(1.0..=1e18).contains(&bytes) {
        return Err("out of range".into());
    }
    Ok(bytes as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        assert_eq!(size("1536M"), Ok(1536 << 20));
        assert_eq!(size("2GiB"), Ok(2 << 30));
        assert_eq!(size("1.5g"), Ok(3 << 29));
        assert_eq!(size("1000000"), Ok(1_000_000));
        assert!(size("12x").is_err() && size("").is_err() && size("-1").is_err() && size("0").is_err());
    }

    #[test]
    fn pauses() {
        assert_eq!(pause("0.5"), Ok(0.5));
        assert!(["NaN", "inf", "-1", "0", "1e9", "x"].iter().all(|t| pause(t).is_err()));
    }

    #[test]
    fn the_argument_definitions_are_sound() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
    }
}
