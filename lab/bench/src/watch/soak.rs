//! `bench-watch soak`: many Go programs that leak, ramp up, and come and go, for as long as you like; fails
//! if the daemon grows or leaves anything behind.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use clap::Args;
use lastgasp_lab::build::{Mode, cache_dir};
use lastgasp_lab::machine::{lastgasp, machine};
use lastgasp_lab::toolchain;

use super::account::{descriptors, family, memory, threads};
use super::daemon::{Daemon, times};
use super::figures::trend;
use super::store;
use super::victim::{Programs, Victim};

#[derive(Args)]
pub(crate) struct Options {
    /// How long
    #[arg(long, default_value_t = 30)]
    minutes: u64,
    /// Seconds between two looks at the daemon
    #[arg(long, default_value_t = 10)]
    every: u64,
}

/// A short-lived process each so often: 1,000 a minute.
const PASSER_BY: Duration = Duration::from_millis(60);
/// Growth over the time after warming up that is surely more than this, by twice its standard error, is a
/// leak.
const MOST_GROWTH: f64 = 2e6;
/// So long after the last program has ended all is as it was: attendants stay with the calm for fifteen
/// seconds, and limits are looked at every two.
const QUIET: Duration = Duration::from_secs(25);

/// Programs that come and go in one place, one after the other.
struct Place {
    program: PathBuf,
    limit: u64,
    args: &'static [&'static str],
    /// Killed by us after so many milliseconds; else it dies of memory.
    lives: Option<u64>,
    pause: u64,
}

/// One look at the daemon and the watchdog.
struct Look {
    second: f64,
    rss: Vec<u64>,
    descriptors: Vec<usize>,
    threads: Vec<usize>,
}

struct Stage<'a> {
    lastgasp: &'a Path,
    over: AtomicBool,
    numbers: AtomicUsize,
    died: Mutex<Vec<i32>>,
    ended: AtomicUsize,
    passed: AtomicUsize,
    trouble: Mutex<Vec<String>>,
}

pub(super) fn run(options: &Options) -> Result<()> {
    let lastgasp = lastgasp()?;
    let toolchain = toolchain::any(&cache_dir())?;
    let mut programs = Programs::new("soak")?;
    let mut add = |name: &str| programs.add(&toolchain, Mode::Stripped, name);
    let (dies, idle, churn) = (add("dies")?, add("idle")?, add("churn")?);
    let mut out = machine(&format!(
        "lab/programs/dies, idle, churn, {} stripped, {} minutes",
        toolchain.version, options.minutes
    ))?;
    let mut daemon = Daemon::start(&lastgasp, &programs.service, "")?;
    let stage = Stage {
        lastgasp: &lastgasp,
        over: AtomicBool::new(false),
        numbers: AtomicUsize::new(0),
        died: Mutex::default(),
        ended: AtomicUsize::new(0),
        passed: AtomicUsize::new(0),
        trouble: Mutex::default(),
    };
    // Those that live all the time.
    let mut stay = Vec::new();
    for (program, limit) in [(&idle, 256 << 20), (&idle, 1 << 30), (&churn, 1 << 30)].iter().cycle().take(9) {
        stay.push(stage.start(program, *limit, &[])?);
    }
    std::thread::sleep(QUIET);
    let began = Instant::now();
    let look = || {
        let own = family(daemon.pid());
        let all = |of: &dyn Fn(i32) -> usize| own.iter().map(|pid| of(*pid)).collect();
        Look {
            second: began.elapsed().as_secs_f64(),
            rss: own.iter().map(|pid| memory(*pid, "VmRSS")).collect(),
            descriptors: all(&descriptors),
            threads: all(&threads),
        }
    };
    let before = look();
    let mut looks = Vec::new();
    let place =
        |program: &PathBuf, limit, args, lives, pause| Place { program: program.clone(), limit, args, lives, pause };
    let places = [
        // Leaks.
        place(&dies, 96 << 20, &["-rate", "4000000", "-after", "500ms"], None, 1000),
        place(&dies, 128 << 20, &["-rate", "8000000", "-after", "2s"], None, 1000),
        place(&dies, 256 << 20, &["-rate", "20000000", "-threads", "4"], None, 1000),
        // Ramps.
        place(&dies, 128 << 20, &["-rate", "300000000", "-after", "3s"], None, 2000),
        place(&dies, 192 << 20, &["-rate", "0", "-after", "5s", "-threads", "8"], None, 4000),
        // Restarts: of a calm one, of one in danger.
        place(&idle, 64 << 20, &[], Some(1500), 100),
        place(&churn, 256 << 20, &[], Some(4000), 500),
        place(&dies, 128 << 20, &["-rate", "60000000", "-after", "200ms"], Some(1700), 300),
    ];
    std::thread::scope(|scope| {
        places.iter().for_each(|p| drop(scope.spawn(|| stage.play(p))));
        scope.spawn(|| stage.pass_by());
        let until = began + Duration::from_secs(options.minutes * 60);
        while Instant::now() < until {
            std::thread::sleep(Duration::from_secs(options.every).min(until - Instant::now()));
            let l = look();
            eprintln!(
                "{:5.0} s: RSS {:?} KB, descriptors {:?}, threads {:?}; {} died, {} ended",
                l.second,
                l.rss.iter().map(|r| r / 1024).collect::<Vec<_>>(),
                l.descriptors,
                l.threads,
                stage.died.lock().unwrap_or_else(PoisonError::into_inner).len(),
                stage.ended.load(Ordering::Relaxed)
            );
            looks.push(l);
        }
        stage.over.store(true, Ordering::Relaxed);
    });
    std::thread::sleep(QUIET);
    let after = look();
    for victim in &stay {
        let state = std::fs::read_to_string(format!("/proc/{}/status", victim.pid())).unwrap_or_default();
        let state = state.lines().find_map(|l| l.strip_prefix("State:")).unwrap_or("gone").trim().to_owned();
        if !state.starts_with(['S', 'R']) {
            stage.complain(format!("process {}, which should live, is in state {state}", victim.pid()));
        }
    }
    stay.into_iter().for_each(|v| stage.strike_the_set(v));
    daemon.stop()?;
    let left = std::fs::read_dir(daemon.store().join(".journal")).map_or(0, Iterator::count);
    if left > 0 {
        stage.complain(format!("{left} journals are left"));
    }
    tell(&mut out, &stage, &before, &looks, &after)?;
    let seen = store::read(&daemon.store())?;
    let died = stage.died.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let logged = daemon.captured();
    let without = died.iter().filter(|pid| !logged.iter().any(|c| c.pid == **pid)).count();
    writeln!(
        out,
        "  died of memory {}, of them without any capture {without}; ended otherwise {}; passers-by {}; captures written {}, kept {} (complete {})",
        died.len(),
        stage.ended.load(Ordering::Relaxed),
        stage.passed.load(Ordering::Relaxed),
        logged.len(),
        seen.len(),
        seen.iter().filter(|s| s.complete).count()
    )?;
    out.push_str(&times(&logged)?);
    let trouble = std::mem::take(&mut *stage.trouble.lock().unwrap_or_else(PoisonError::into_inner));
    trouble.iter().try_for_each(|t| writeln!(out, "  FAILED: {t}"))?;
    if trouble.is_empty() {
        writeln!(out, "  nothing frozen, no limit changed, no group and no journal left")?;
    }
    super::results::keep("soak", &out)?;
    if !trouble.is_empty() {
        bail!("{}", trouble.join("; "));
    }
    Ok(())
}

/// What became of the daemon, and whether that is well.
fn tell(out: &mut String, stage: &Stage<'_>, before: &Look, looks: &[Look], after: &Look) -> Result<()> {
    let warm = looks.last().map_or(0.0, |l| l.second / 4.0);
    if before.rss.len() != after.rss.len() || looks.iter().any(|l| l.rss.len() != before.rss.len()) {
        stage.complain("the daemon has not the same number of processes all the time".into());
    }
    for (i, who) in ["daemon", "watchdog"].iter().enumerate() {
        let of = |l: &Look| l.rss.get(i).copied().unwrap_or(0) as f64;
        let points: Vec<(f64, f64)> = looks.iter().filter(|l| l.second >= warm).map(|l| (l.second, of(l))).collect();
        let most = points.iter().map(|p| p.1).fold(0.0, f64::max);
        let (slope, error) = trend(&points);
        let span = points.last().zip(points.first()).map_or(0.0, |(last, first)| last.0 - first.0);
        writeln!(
            out,
            "{who}\n  RSS            {:.1} MB before, {:.1} MB at most, {:.1} MB when all was quiet again\n  \
             trend          {:+.2} MB in {:.0} s (standard error {:.2}), after {warm:.0} s of warming up\n  \
             descriptors    {} before, {} at most, {} when all was quiet again; threads {}, {}, {}",
            of(before) / 1e6,
            most / 1e6,
            of(after) / 1e6,
            slope * span / 1e6,
            span,
            error * span / 1e6,
            before.descriptors.get(i).unwrap_or(&0),
            looks.iter().filter_map(|l| l.descriptors.get(i)).max().unwrap_or(&0),
            after.descriptors.get(i).unwrap_or(&0),
            before.threads.get(i).unwrap_or(&0),
            looks.iter().filter_map(|l| l.threads.get(i)).max().unwrap_or(&0),
            after.threads.get(i).unwrap_or(&0),
        )?;
        if (slope - 2.0 * error) * span > MOST_GROWTH {
            stage.complain(format!("the RSS of the {who} grows"));
        }
        if before.descriptors.get(i) != after.descriptors.get(i) {
            stage.complain(format!("descriptors of the {who} are not what they were"));
        }
    }
    Ok(())
}

impl Stage<'_> {
    fn start(&self, program: &Path, limit: u64, args: &[&str]) -> Result<Victim> {
        let args: Vec<String> = args.iter().map(|a| (*a).to_owned()).collect();
        Victim::start(self.lastgasp, program, self.numbers.fetch_add(1, Ordering::Relaxed), limit, &args)
    }

    /// One after the other, until it is over.
    fn play(&self, place: &Place) {
        while !self.over.load(Ordering::Relaxed) {
            let mut victim = match self.start(&place.program, place.limit, place.args) {
                Ok(victim) => victim,
                Err(e) => return self.complain(format!("a program could not be started: {e:#}")),
            };
            let lives = place.lives.map_or(Duration::from_secs(120), Duration::from_millis);
            match (self.wait(&mut victim, lives), place.lives) {
                (true, None) => self.died.lock().unwrap_or_else(PoisonError::into_inner).push(victim.pid()),
                (false, None) if !self.over.load(Ordering::Relaxed) => {
                    self.complain(format!("process {} did not die of memory in two minutes", victim.pid()));
                }
                _ => drop(self.ended.fetch_add(1, Ordering::Relaxed)),
            }
            self.strike_the_set(victim);
            std::thread::sleep(Duration::from_millis(place.pause));
        }
    }

    /// Whether it has ended by itself within that time; not waited for when all is over.
    fn wait(&self, victim: &mut Victim, at_most: Duration) -> bool {
        let began = Instant::now();
        while began.elapsed() < at_most && !self.over.load(Ordering::Relaxed) {
            if matches!(victim.child.try_wait(), Ok(Some(_)) | Err(_)) {
                return true;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        false
    }

    /// Ends it, and sees whether its group is as it was made and can be removed.
    fn strike_the_set(&self, mut victim: Victim) {
        victim.end();
        // What was done to a group is taken back a moment after the end, at the latest by the watchdog.
        let began = Instant::now();
        let mut changes = victim.group.changes();
        while !changes.is_empty() && began.elapsed() < Duration::from_secs(2) {
            std::thread::sleep(Duration::from_millis(20));
            changes = victim.group.changes();
        }
        for change in changes {
            self.complain(format!("the group of process {}: {change}", victim.pid()));
        }
        if !victim.remove_group() {
            self.complain("a group could not be removed".into());
        }
    }

    /// Processes that have nothing to do with us, many of them.
    fn pass_by(&self) {
        let mut due = Instant::now();
        while !self.over.load(Ordering::Relaxed) {
            let quiet = Command::new("/bin/true").stdout(Stdio::null()).status();
            self.passed.fetch_add(usize::from(quiet.is_ok()), Ordering::Relaxed);
            due += PASSER_BY;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
    }

    fn complain(&self, what: String) {
        eprintln!("FAILED: {what}");
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).push(what);
    }
}
