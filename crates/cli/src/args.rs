//! Arguments, and the help that is made from them.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use lastgasp_agent::config::{WatchFlags, size, time};

/// The flight recorder and doctor for Go services' memory.
///
/// Watches Go processes from outside, takes evidence in the seconds before (and two seconds after) an OOM
/// kill, and names the line of code that did it.
/// Exit codes: 0 fine, 1 findings, 2 usage or nothing could be done, 3 written with gaps.
#[derive(Debug, Parser)]
#[command(name = "lastgasp", version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Whether the target's memory is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub(crate) struct KeepFlags {
    /// Keep the process's own memory too (heap, variables, stacks) as memory.core: it holds user data. The
    /// capture can then be decoded again, and gdb opens it
    #[arg(long)]
    pub(crate) keep_memory: bool,
    /// Most bytes of the process's own memory in memory.core, or with K, M, G, T (1024-based); the evidence
    /// and the executable's constants come on top [default: half of what is free on the disk]
    #[arg(long, value_name = "SIZE", value_parser = size, requires = "keep_memory")]
    pub(crate) keep_memory_max: Option<u64>,
}

/// Whether the heap of a live process is read as a graph.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub(crate) struct HeapFlags {
    /// Read the heap of a process as a graph too: what is live, who keeps it, what is there twice. It stands
    /// still for longer; how long is said beforehand. Of a core file that is done in any case
    #[arg(long)]
    pub(crate) heap: bool,
    /// Longest time that a process stands still for --heap, up to 10s; what does not fit is read while it
    /// runs on, and what is garbage is then not told
    #[arg(long, value_name = "TIME", value_parser = stop_time, default_value = "500ms", requires = "heap")]
    pub(crate) max_stop: Duration,
    /// Most memory for reckoning the graph, or with K, M, G, T (1024-based)
    #[arg(long, value_name = "SIZE", value_parser = size, default_value = "1G", requires = "heap")]
    pub(crate) heap_memory: u64,
}

/// What is joined to the compiler's word, and where that comes from.
#[derive(Clone, Debug, PartialEq, Args)]
pub(crate) struct EscapeFlags {
    /// What it allocates: a capture's folder, a heap profile (heap.pb.gz), a process number, a core file, or
    /// the address of a pprof server (http://host:6060/debug/pprof/heap)
    #[arg(long, value_name = "CAPTURE|FILE|PID|URL")]
    pub(crate) with: String,
    /// The text of go build -gcflags=all=-m=2, in place of asking the toolchain
    #[arg(long, value_name = "FILE")]
    pub(crate) build_log: Option<PathBuf>,
    /// Folder of the module, in which go runs
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) dir: PathBuf,
    /// The go command
    #[arg(long, value_name = "FILE", default_value = "go")]
    pub(crate) go: PathBuf,
    /// Build tags, as go build -tags takes them
    #[arg(long, value_name = "TAGS")]
    pub(crate) tags: Option<String>,
    /// Seconds that a pprof server is asked to look
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=600))]
    pub(crate) seconds: u32,
    /// Sites that the text shows
    #[arg(long, value_name = "NUMBER", default_value_t = 20)]
    pub(crate) top: usize,
    /// Form
    #[arg(long, value_enum, default_value_t = AnswerFormat::Text)]
    pub(crate) format: AnswerFormat,
}

/// What else findings are held against.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub(crate) struct WithFlags {
    /// Rank findings by what was seen of them: in a capture's folder, a process, a core file; of a heap
    /// profile or a pprof server what is allocated alone
    #[arg(long, value_name = "CAPTURE|PID|FILE|URL")]
    pub(crate) with: Option<String>,
    /// Ask the Go toolchain for types: findings become typed, or go. It compiles what the packages import
    #[arg(long)]
    pub(crate) typed: bool,
    /// The go command
    #[arg(long, value_name = "FILE", default_value = "go")]
    pub(crate) go: PathBuf,
    /// The last revision known to be good, or a capture of it: lines of the verdict's functions that changed
    /// since are told
    #[arg(long, value_name = "REVISION|CAPTURE", requires = "with")]
    pub(crate) good: Option<String>,
}

/// What is checked, and how it is told.
#[derive(Clone, Debug, Args)]
pub(crate) struct CheckFlags {
    /// Folders (all below them), files, or import paths of this module [default: .]
    #[arg(value_name = "PACKAGES|DIR")]
    pub(crate) what: Vec<String>,
    /// Form
    #[arg(long, value_enum, default_value_t = CheckFormat::Text)]
    pub(crate) format: CheckFormat,
    /// Exit with 1 if there is a finding at this level or over
    #[arg(long, value_enum, value_name = "LEVEL")]
    pub(crate) fail_on: Option<SourceLevel>,
    /// Show findings at this level or over only
    #[arg(long, value_enum, value_name = "LEVEL")]
    pub(crate) level: Option<SourceLevel>,
    /// Show hints about escapes too, which are findings only where a profile says so
    #[arg(long)]
    pub(crate) hints: bool,
    /// Leave out the findings that this file has
    #[arg(long, value_name = "FILE")]
    pub(crate) baseline: Option<PathBuf>,
    /// Write what is found now into the baseline file [default: .lastgasp-baseline.json], and print nothing
    #[arg(long)]
    pub(crate) write_baseline: bool,
    /// Check test files too
    #[arg(long)]
    pub(crate) tests: bool,
    /// Check vendor folders too
    #[arg(long)]
    pub(crate) vendor: bool,
    /// Build tags, as go build -tags has them
    #[arg(long, value_name = "TAG", value_delimiter = ',')]
    pub(crate) tags: Vec<String>,
    /// System whose files are read [default: linux]
    #[arg(long, value_name = "GOOS")]
    pub(crate) goos: Option<String>,
    /// Processor whose files are read [default: amd64]
    #[arg(long, value_name = "GOARCH")]
    pub(crate) goarch: Option<String>,
    #[command(flatten)]
    pub(crate) with: WithFlags,
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
        /// Write into the process: switch on the memory profile of a program that keeps none, wait this many
        /// seconds, capture, switch it off again
        #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3600))]
        enable_profiling: Option<u64>,
        #[command(flatten)]
        heap: HeapFlags,
        #[command(flatten)]
        keep: KeepFlags,
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
        /// Write into the process: switch on the memory profile of a program that keeps none; off again at
        /// the end
        #[arg(long)]
        enable_profiling: bool,
        /// Do not read the heap of a process that was killed for memory as a graph
        #[arg(long)]
        no_graph: bool,
        #[command(flatten)]
        keep: KeepFlags,
        /// The command and its arguments
        #[arg(last = true, required = true, value_name = "CMD")]
        command: Vec<OsString>,
    },
    /// The daemon: watch every Go process of this machine
    Watch {
        #[command(flatten)]
        flags: WatchFlags,
    },
    /// Show the daemon's configuration: each value, and where it came from
    Config {
        #[command(flatten)]
        flags: WatchFlags,
        /// As JSON (schema lastgasp.config/1)
        #[arg(long, conflicts_with = "markdown")]
        json: bool,
        /// The keys and their defaults as a table for documents
        #[arg(long)]
        markdown: bool,
    },
    /// Changes of the world: tell of one, list those that are known
    Event {
        #[command(subcommand)]
        command: EventCommand,
    },
    /// Undo what a daemon that was killed has left: thaw, put limits back, remove groups (the next `watch`
    /// with the same store does it too)
    Undo {
        /// The daemon's store
        #[arg(long, value_name = "DIR", default_value = "/var/lib/lastgasp")]
        store: PathBuf,
    },
    /// Say what a capture, a core file, or a process right now shows
    Report {
        /// A capture's folder, a store (its newest capture), a core file, or a process number
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
        /// Folder of the program's source: findings name the line, the rule and the cure there
        #[arg(long, value_name = "DIR")]
        source: Option<PathBuf>,
    },
    /// Say what keeps something alive: ways through the heap in words of the source
    Why {
        /// A capture's folder, a store (its newest capture), a core file, or a process number
        #[arg(value_name = "CAPTURE|CORE|PID")]
        subject: String,
        /// A type ([]int64), a package variable (main.cache), a function with goroutines or one that
        /// allocates (main.build, server.go:71), or a part of such a name; of a core also an address
        /// (0xc000123000). goroutine:7 asks why a goroutine is blocked, and who could wake it
        #[arg(value_name = "TYPE|ADDRESS|VARIABLE|SITE|goroutine:ID")]
        asked: String,
        /// The executable of a core file, where it is not found by itself
        #[arg(long, value_name = "FILE")]
        exe: Option<PathBuf>,
        /// Longest time that a process stands still for it, up to 10s
        #[arg(long, value_name = "TIME", value_parser = stop_time, default_value = "500ms")]
        max_stop: Duration,
        /// Form
        #[arg(long, value_enum, default_value_t = AnswerFormat::Text)]
        format: AnswerFormat,
    },
    /// Compare two captures: what grew, what appeared, what went, by type, holder, collection, site and
    /// goroutines
    Diff {
        /// The earlier: a capture's folder, a core file, or a process number
        #[arg(value_name = "BEFORE")]
        before: String,
        /// The later, likewise
        #[arg(value_name = "AFTER")]
        after: String,
        /// Form
        #[arg(long, value_enum, default_value_t = AnswerFormat::Text)]
        format: AnswerFormat,
    },
    /// Say why a service died, by all captures, changes and metrics of the time: one cause with what speaks
    /// for it, what to do now, what it is not
    Incident {
        /// Name of the service; without it that of the newest incident
        #[arg(value_name = "SERVICE")]
        service: Option<String>,
        /// How far back, as in 90m, 12h, 7d, or a time as in 2026-11-26T14:00:00Z
        #[arg(long, value_name = "T", value_parser = moment, default_value = "7d")]
        since: i64,
        /// Folder that `watch` or `run` writes captures to; may be given several times, one for each node
        #[arg(long, value_name = "DIR", default_value = "/var/lib/lastgasp")]
        store: Vec<PathBuf>,
        /// Form
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
        /// Write here instead of to standard output
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Say why values are on the heap, of those that cost memory: what the compiler decided, joined to what a
    /// process allocates. Asks the Go toolchain, which compiles the packages concerned and nothing else
    Escapes {
        /// Packages of the program, as go build takes them [default: .]
        #[arg(value_name = "PACKAGES")]
        packages: Vec<String>,
        #[command(flatten)]
        flags: EscapeFlags,
    },
    /// Read Go source for what the memory of services dies of: leaked goroutines, what is never closed or
    /// given back, containers that only grow, work that is done anew for each request. No Go is needed
    Check {
        #[command(flatten)]
        flags: CheckFlags,
    },
    /// Explain a rule, or a cause of blocked goroutines: what it finds, how sure it is, what else it could
    /// be, what to do
    Explain {
        /// Code of the rule or the cause, as a report has it; all codes without
        #[arg(value_name = "CODE")]
        code: Option<String>,
    },
    /// (internal) undoes what the recorder did to a cgroup if it dies
    #[command(hide = true, name = "watchdog")]
    Watchdog {
        /// Folders
        dirs: Vec<PathBuf>,
    },
    /// (internal) is killed for memory when the daemon tries at its start what can be read afterwards
    #[command(hide = true, name = "pin-victim")]
    PinVictim,
    /// (internal) reads foreign bytes with limits: docs/adr/0006-workers-that-can-be-lost.md
    #[command(hide = true, name = "worker")]
    Worker,
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

/// What is done with changes.
#[derive(Debug, Subcommand)]
pub(crate) enum EventCommand {
    /// Tell of a change: to the daemon, or straight into a store
    Add {
        #[command(flatten)]
        event: Box<NewEvent>,
        /// Address of the daemon
        #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:9464", conflicts_with = "store")]
        to: String,
        /// File with the token that the daemon wants (changes.token_file)
        #[arg(long, value_name = "FILE", conflicts_with = "store")]
        token_file: Option<PathBuf>,
        /// Write into this store instead: no daemon is asked
        #[arg(long, value_name = "DIR")]
        store: Option<PathBuf>,
    },
    /// List the changes that are known, and the feeds that tell of them
    List {
        /// The daemon's store
        #[arg(long, value_name = "DIR", default_value = "/var/lib/lastgasp")]
        store: PathBuf,
        /// Those of the last time alone: 30m, 2h, 1d
        #[arg(long, value_name = "TIME", value_parser = time)]
        since: Option<Duration>,
        /// As JSON Lines (docs/formats/events.md)
        #[arg(long)]
        json: bool,
    },
}

/// A change, as its flags say it.
#[derive(Debug, Args)]
pub(crate) struct NewEvent {
    /// Kind: config, release, code, platform, dependency, admin, limit, environment, scale, traffic
    #[arg(long)]
    pub(crate) kind: String,
    /// What was changed: the key of a configuration, the service that was released
    #[arg(long)]
    pub(crate) key: String,
    /// Elements of what was published
    #[arg(long, value_name = "N")]
    pub(crate) count: Option<u64>,
    /// Elements of what stood there before
    #[arg(long, value_name = "N")]
    pub(crate) count_before: Option<u64>,
    /// Bytes of what was published
    #[arg(long, value_parser = size)]
    pub(crate) size: Option<u64>,
    /// When it took effect: 2026-11-26T18:00:00Z, or seconds since 1970; now without
    #[arg(long, value_name = "TIME")]
    pub(crate) at: Option<String>,
    /// A service that it reaches
    #[arg(long, value_name = "NAME")]
    pub(crate) service: Vec<String>,
    /// A container, pod or host that it reaches
    #[arg(long, value_name = "NAME")]
    pub(crate) instance: Vec<String>,
    /// A data centre that it reaches
    #[arg(long, value_name = "NAME")]
    pub(crate) data_centre: Vec<String>,
    /// A node that it reaches
    #[arg(long, value_name = "NAME")]
    pub(crate) node: Vec<String>,
    /// Version or revision after it
    #[arg(long, value_name = "REVISION")]
    pub(crate) revision: Option<String>,
    /// Version or revision before it
    #[arg(long, value_name = "REVISION")]
    pub(crate) from: Option<String>,
    /// Name of the feed that tells of it
    #[arg(long, value_name = "NAME")]
    pub(crate) source: Option<String>,
    /// Platform or pipeline that made it
    #[arg(long, value_name = "NAME")]
    pub(crate) by: Option<String>,
    /// Identity: told twice with the same one it is one change
    #[arg(long)]
    pub(crate) id: Option<String>,
    /// A line for people
    #[arg(long)]
    pub(crate) title: Option<String>,
}

/// Form of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For a terminal
    Text,
    /// The documented contract: docs/formats
    Json,
    /// One self-contained file
    Html,
}

/// Form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum AnswerFormat {
    /// For a terminal
    Text,
    /// docs/formats/why-json.md, diff-json.md, escapes-json.md
    Json,
}

/// Form of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CheckFormat {
    /// For a terminal: the lines, with what is wrong and what to do
    Text,
    /// docs/formats/check.md
    Json,
    /// SARIF 2.1.0, for code hosts and editors
    Sarif,
    /// Annotations of GitHub Actions
    Github,
}

/// Levels of findings about source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SourceLevel {
    /// Costs something where evidence says so
    Hint,
    /// Will hurt
    Warning,
    /// Hurts
    Critical,
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

/// A moment in milliseconds since 1970: so long ago, or a time.
fn moment(text: &str) -> Result<i64, String> {
    if let Ok(at) = text.parse::<jiff::Timestamp>() {
        return Ok(at.as_millisecond());
    }
    let wrong = || format!("{text:?} is neither a time (2026-11-26T14:00:00Z) nor so long ago (90m, 12h, 7d)");
    let days = text.strip_suffix('d').and_then(|n| n.parse::<u64>().ok());
    let ago = match days {
        Some(days) => Duration::from_secs(days.checked_mul(86_400).ok_or_else(wrong)?),
        None => time(text).map_err(|_| wrong())?,
    };
    let ms = i64::try_from(ago.as_millis()).map_err(|_| wrong())?;
    Ok(jiff::Timestamp::now().as_millisecond().saturating_sub(ms))
}

/// How long somebody may stand still.
fn stop_time(text: &str) -> Result<Duration, String> {
    let time = time(text)?;
    let fits = (Duration::from_millis(10)..=Duration::from_secs(10)).contains(&time);
    if fits { Ok(time) } else { Err("give 10ms to 10s".into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses() {
        assert_eq!(pause("0.5"), Ok(0.5));
        assert!(["NaN", "inf", "-1", "0", "1e9", "x"].iter().all(|t| pause(t).is_err()));
    }

    #[test]
    fn times_to_stand_still() {
        assert_eq!(stop_time("500ms"), Ok(Duration::from_millis(500)));
        assert!(["0s", "9ms", "11s", "x", "1h"].iter().all(|t| stop_time(t).is_err()));
    }

    #[test]
    fn the_argument_definitions_are_sound() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
    }
}
