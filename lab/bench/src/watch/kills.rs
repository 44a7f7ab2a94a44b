//! `bench-watch kills`: of programs that die in many ways, how many have a complete capture that names the
//! line that did it.
//!
//! The daemon is started anew for every [`BATCH`] of victims: its store keeps 500 captures, and all are to be
//! judged.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use clap::{Args, ValueEnum};
use lastgasp_lab::build::{Mode, cache_dir};
use lastgasp_lab::machine::{lastgasp, machine};
use lastgasp_lab::toolchain::find_or_fetch;

use super::daemon::{Daemon, Logged, times};
use super::spread::{MINORS, Way};
use super::store::{self, Seen};
use super::victim::{Programs, Victim};

const TRUTH: &str = "main.growA";
const BATCH: usize = 60;

#[derive(Args)]
pub(crate) struct Options {
    /// Kills with each variant of the daemon
    #[arg(long, default_value_t = 1000)]
    kills: usize,
    /// Another seed gives other ways to die
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The number of the first way: to play one again
    #[arg(long, default_value_t = 0)]
    from: usize,
    /// So many at a time
    #[arg(long, default_value_t = 3)]
    side_by_side: usize,
    /// Megabytes of all limits together at a time, at least 4096
    #[arg(long, default_value_t = 8192)]
    memory: u64,
    /// Only this variant
    #[arg(long, value_enum)]
    only: Option<Variant>,
}

/// How the daemon takes evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Variant {
    /// As it does by default
    FreezeAndPin,
    /// Without holding the memory of the dead
    FreezeOnly,
}

impl Variant {
    fn config(self) -> &'static str {
        match self {
            Self::FreezeAndPin => "",
            Self::FreezeOnly => "[pin]\nenabled = false\n",
        }
    }
}

/// What one kill gave.
struct Kill {
    way: Way,
    named: bool,
    before: bool,
    after: bool,
    /// One of them has a verdict that says so.
    said: bool,
    /// Any capture names the right one, complete or not.
    at_all: bool,
    /// Whether it was not a kill at all: it ended otherwise.
    void: bool,
    explanation: String,
}

pub(super) fn run(options: &Options) -> Result<()> {
    if options.memory < 4096 {
        bail!("--memory: the largest victims have a limit of 4096 MB");
    }
    let lastgasp = lastgasp()?;
    let mut programs = Programs::new("dies")?;
    let mut paths = BTreeMap::new();
    for minor in MINORS {
        let toolchain = find_or_fetch(minor, &cache_dir())?;
        for (stripped, mode) in [(false, Mode::Plain), (true, Mode::Stripped)] {
            paths.insert((minor, stripped), programs.add(&toolchain, mode, "dies")?);
        }
    }
    let what = format!(
        "lab/programs/dies with Go 1.{}, {} kills each, seed {}, ways from #{} on, {} at a time",
        MINORS.map(|m| m.to_string()).join(", 1."),
        options.kills,
        options.seed,
        options.from,
        options.side_by_side
    );
    let mut out = machine(&what)?;
    let ways: Vec<Way> = (options.from..options.from + options.kills).map(|n| Way::of(options.seed, n)).collect();
    for variant in [Variant::FreezeAndPin, Variant::FreezeOnly] {
        if options.only.is_some_and(|only| only != variant) {
            continue;
        }
        let began = Instant::now();
        let (mut kills, mut captured) = (Vec::new(), Vec::new());
        for batch in ways.chunks(BATCH) {
            let (more, logged) = play(&lastgasp, &programs.service, &paths, variant, batch, options)?;
            for kill in more.iter().filter(|k| !k.named) {
                eprintln!("MISSED {}\n{}", kill.way, kill.explanation);
            }
            kills.extend(more);
            captured.extend(logged);
            let named = kills.iter().filter(|k| k.named).count();
            eprintln!("{variant:?}: {named} of {} named, {:.0} s", kills.len(), began.elapsed().as_secs_f64());
        }
        summarise(&mut out, variant, &kills, &captured, began.elapsed())?;
    }
    // Each by itself has a file of its own: they take long.
    match options.only {
        None => super::results::keep("kills", &out),
        Some(Variant::FreezeAndPin) => super::results::keep("kills-freeze-and-pin", &out),
        Some(Variant::FreezeOnly) => super::results::keep("kills-freeze-only", &out),
    }
}

/// Kills a batch under one daemon, and judges what it has written.
fn play(
    lastgasp: &Path,
    service: &str,
    paths: &BTreeMap<(u16, bool), PathBuf>,
    variant: Variant,
    ways: &[Way],
    options: &Options,
) -> Result<(Vec<Kill>, Vec<Logged>)> {
    let mut daemon = Daemon::start(lastgasp, service, variant.config())?;
    let next = AtomicUsize::new(0);
    let memory = Memory::new(options.memory << 20);
    let dead: Mutex<Vec<(Way, i32, String)>> = Mutex::default();
    std::thread::scope(|scope| {
        let one = || -> Result<()> {
            while let Some(way) = ways.get(next.fetch_add(1, Ordering::Relaxed)) {
                let program = paths.get(&(way.minor, way.stripped)).context("built")?;
                let _room = memory.take(way.limit);
                let mut victim = Victim::start(lastgasp, program, way.number, way.limit, &way.args())?;
                let status = victim.wait(Duration::from_secs(180))?;
                let end = match status {
                    Some(status) if status.signal() == Some(9) => String::new(),
                    Some(status) => format!("it ended otherwise: {status}"),
                    None => "it did not die".into(),
                };
                lock(&dead).push((way.clone(), victim.pid(), end));
            }
            Ok(())
        };
        let threads: Vec<_> = (0..options.side_by_side.max(1)).map(|_| scope.spawn(one)).collect();
        threads.into_iter().try_for_each(|t| t.join().unwrap_or_else(|_| bail!("a thread of the bench panicked")))
    })?;
    // The memory of the last one is read and written.
    daemon.stop()?;
    let seen = store::read(&daemon.store())?;
    let dead = std::mem::take(&mut *lock(&dead));
    let kills = dead.into_iter().map(|(way, pid, end)| judge(way, pid, &end, &seen, &daemon)).collect();
    Ok((kills, daemon.captured()))
}

fn judge(way: Way, pid: i32, end: &str, seen: &[Seen], daemon: &Daemon) -> Kill {
    let own: Vec<&Seen> = seen.iter().filter(|s| s.pid == pid).collect();
    let right = |phase: &str| own.iter().any(|s| s.phase == phase && s.complete && s.culprit == TRUTH);
    let (before, after) = (right("pre-kill"), right("post-kill"));
    let said = own.iter().any(|s| s.complete && s.says(TRUTH));
    let at_all = own.iter().any(|s| s.culprit == TRUTH);
    let mut explanation = String::new();
    if !(before || after) {
        if !end.is_empty() {
            explanation = format!("    {end}\n");
        }
        own.iter().for_each(|s| explanation += &format!("{}\n", s.explain()));
        daemon.log_of(pid).iter().for_each(|l| explanation += &format!("    log: {}\n", l.trim()));
    }
    Kill { way, named: before || after, before, after, said, at_all, void: !end.is_empty(), explanation }
}

fn summarise(out: &mut String, variant: Variant, all: &[Kill], captured: &[Logged], took: Duration) -> Result<()> {
    let kills: Vec<&Kill> = all.iter().filter(|k| !k.void).collect();
    let count = |of: &dyn Fn(&Kill) -> bool| kills.iter().filter(|k| of(k)).count();
    let named = count(&|k| k.named);
    writeln!(
        out,
        "\n{variant:?}\n  complete captures that name {TRUTH}   {named} of {} = {:.2} %   (before the kill {}, after it {}; with a verdict {}; {} were no kills)\n  named by any capture, complete or not    {}\n  {:.0} s in all",
        kills.len(),
        100.0 * named as f64 / kills.len().max(1) as f64,
        count(&|k| k.before),
        count(&|k| k.after),
        count(&|k| k.said),
        all.len() - kills.len(),
        count(&|k| k.at_all),
        took.as_secs_f64()
    )?;
    out.push_str(&times(captured)?);
    let mut table = |name: &str, group: &dyn Fn(&Way) -> String| -> Result<()> {
        let mut groups: BTreeMap<String, (usize, usize)> = BTreeMap::new();
        for kill in &kills {
            let (named, of) = groups.entry(group(&kill.way)).or_default();
            *named += usize::from(kill.named);
            *of += 1;
        }
        let cells: Vec<String> = groups.iter().map(|(g, (named, of))| format!("{}: {named}/{of}", g.trim())).collect();
        writeln!(out, "  by {name:<8} {}", cells.join(", "))?;
        Ok(())
    };
    table("limit", &|w| format!("{:>5} MB", w.limit >> 20))?;
    table("rate", &|w| match w.rate {
        0.0 => "as fast as it can".into(),
        r if r < 0.3e9 => "0.1-0.3 GB/s".into(),
        r if r < 0.8e9 => "0.3-0.8 GB/s".into(),
        _ => "0.8-2 GB/s".into(),
    })?;
    table("threads", &|w| format!("{:>3}", w.threads))?;
    table("Go", &|w| format!("1.{}", w.minor))?;
    table("build", &|w| if w.stripped { "stripped" } else { "plain" }.into())?;
    table("decoy", &|w| if w.decoy > 0 { "with" } else { "without" }.into())?;
    for kill in all.iter().filter(|k| !k.named) {
        writeln!(out, "  missed {}\n{}", kill.way, kill.explanation.trim_end())?;
    }
    Ok(())
}

/// Bytes of limits that may be used up at a time.
struct Memory {
    left: Mutex<u64>,
    freed: Condvar,
}

struct Room<'a>(&'a Memory, u64);

impl Memory {
    fn new(bytes: u64) -> Self {
        Self { left: Mutex::new(bytes), freed: Condvar::new() }
    }

    fn take(&self, bytes: u64) -> Room<'_> {
        let mut left = lock(&self.left);
        while *left < bytes {
            left = self.freed.wait(left).unwrap_or_else(PoisonError::into_inner);
        }
        *left -= bytes;
        Room(self, bytes)
    }
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        *lock(&self.0.left) += self.1;
        self.0.freed.notify_all();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
