//! `cargo xtask bench-hostile`: tenants without rights who try to end or to blind the daemon, each in his own
//! way, while a healthy program beside them dies of memory. The daemon stands in a group with the memory that
//! the unit gives it (without what it gives to heap graphs). Results are kept in
//! `benches/results/hostile.txt`.

mod tenant;
mod ways;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use lastgasp_lab::build::{Mode, cache_dir, repo_root};
use lastgasp_lab::group::Group;
use lastgasp_lab::machine::machine;
use lastgasp_lab::toolchain;

use super::daemon::Daemon;
use super::victim::{Programs, Victim};
use tenant::Setting;
use ways::{WAYS, Way};

/// What is tried.
#[derive(Args)]
pub(crate) struct Options {
    /// How often each way is tried
    #[arg(long, default_value_t = 10)]
    times: usize,
    /// These ways alone
    #[arg(long, value_delimiter = ',')]
    ways: Vec<String>,
    /// The program under test, if it is not to be built
    #[arg(long)]
    lastgasp: Option<PathBuf>,
}

/// What the unit gives the daemon (deploy/systemd/lastgasp.service), without heap graphs.
const MEMORY_MAX: u64 = 256 << 20;
/// Limit of the victim's group.
const LIMIT: u64 = 128 << 20;

/// What came of one way.
#[derive(Debug, Default)]
struct Tally {
    times: usize,
    alive: usize,
    captured: usize,
    healthy: usize,
    /// Largest resident size of the daemon itself, bytes.
    resident: u64,
    lost: u64,
    /// What was wrong, for people.
    misses: Vec<String>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let lastgasp = match &options.lastgasp {
        Some(path) => path.clone(),
        None => lastgasp_lab::machine::lastgasp()?,
    };
    let toolchain = toolchain::any(&cache_dir())?;
    let mut programs = Programs::new("hostile")?;
    let dies = programs.add(&toolchain, Mode::Stripped, "dies")?;
    let hostile = programs.add(&toolchain, Mode::Plain, "hostile")?;
    let setting = Setting::new(&programs.service, &hostile)?;
    let wanted = |way: &&Way| options.ways.is_empty() || options.ways.iter().any(|name| name == way.name);
    let mut out = String::new();
    writeln!(
        out,
        "{}\n",
        machine(&format!(
            "{} ways of tenants without rights, {} times each; the daemon in a group of {} MB",
            WAYS.iter().filter(wanted).count(),
            options.times,
            MEMORY_MAX >> 20
        ))?
    )?;
    writeln!(
        out,
        "{:<24} {:>6} {:>9} {:>9} {:>12} {:>13}",
        "way", "alive", "captured", "healthy", "RSS at most", "workers lost"
    )?;
    let mut all = Tally::default();
    for way in WAYS.iter().filter(wanted) {
        let tally = play(way, options.times, &lastgasp, &dies, &setting).with_context(|| way.name)?;
        let line = row(way.name, &tally);
        print!("{line}");
        out.push_str(&line);
        all.add(tally);
    }
    out.push_str(&row("all", &all));
    for miss in &all.misses {
        writeln!(out, "  missed: {miss}")?;
    }
    std::fs::write(repo_root().join("benches/results/hostile.txt"), &out)?;
    print!("\n{out}");
    if all.alive < all.times || all.healthy < all.times || all.captured * 100 < all.times * 99 {
        bail!("a daemon was ended, or blinded");
    }
    Ok(())
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.times += other.times;
        self.alive += other.alive;
        self.captured += other.captured;
        self.healthy += other.healthy;
        self.resident = self.resident.max(other.resident);
        self.lost += other.lost;
        self.misses.extend(other.misses);
    }
}

fn row(name: &str, t: &Tally) -> String {
    let of = |n: usize| format!("{n}/{}", t.times);
    format!(
        "{name:<24} {:>6} {:>9} {:>9} {:>9} MB {:>13}\n",
        of(t.alive),
        of(t.captured),
        of(t.healthy),
        t.resident >> 20,
        t.lost
    )
}

/// One way, so often, under one daemon: what one try leaves behind is there at the next.
fn play(way: &Way, times: usize, lastgasp: &Path, dies: &Path, setting: &Setting) -> Result<Tally> {
    let group = Group::create(&format!("lastgasp-hostile-{}", std::process::id()), MEMORY_MAX)?;
    let mut command = Command::new(lastgasp);
    command.arg("enter");
    for dir in group.dirs() {
        command.arg("--cgroup").arg(dir);
    }
    command.arg("--").arg(lastgasp);
    let mut daemon = Daemon::start_by(command, &format!("{}*", setting.service), "[graph]\nof_the_dead = false\n")?;
    let mut tally = Tally::default();
    for n in 0..times {
        tally.times += 1;
        let tried = (way.begin)(setting, &daemon)?;
        // Storage that does not answer is waited for, and only then a worker is lost over it.
        let of_pages = way.name.ends_with("connections") || way.name.ends_with("request");
        let after = if way.name.contains("silent") && !of_pages { "10s" } else { "2500ms" };
        let args = ["-after", after, "-rate", "100000000"].map(str::to_owned);
        let mut victim = Victim::start(lastgasp, dies, n, LIMIT, &args)?;
        let pid = victim.pid();
        std::thread::sleep(Duration::from_secs(1));
        // While connections are held, many that ask: each may be hung up on in the crowd, and asks again.
        let asked = || (0..3).any(|_| daemon.is_healthy());
        let first = if of_pages { (0..20).all(|_| asked()) } else { daemon.is_healthy() };
        let ended = victim.wait(Duration::from_secs(30))?;
        let captured = captured(&daemon, pid);
        let healthy = first && daemon.is_healthy();
        let alive = daemon.is_alive()?;
        tally.alive += usize::from(alive);
        tally.captured += usize::from(captured);
        tally.healthy += usize::from(healthy);
        tally.resident = tally.resident.max(daemon.resident_at_most());
        if !(alive && captured && healthy) {
            tally.misses.push(format!(
                "{} at try {}: alive {alive}, captured {captured}, healthy {healthy}; the victim ended {ended:?}; {}",
                way.name,
                n + 1,
                daemon.log_of(pid).join(" ")
            ));
        }
        drop(tried);
        victim.remove_group();
        if !alive {
            break;
        }
    }
    tally.lost = daemon.count("workers_lost").unwrap_or(0);
    if daemon.is_alive()? {
        daemon.stop()?;
    }
    drop(daemon);
    let _ = group.remove();
    Ok(tally)
}

/// Whether its death is in a capture that names who allocated.
fn captured(daemon: &Daemon, pid: i32) -> bool {
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(20) {
        let lines = daemon.log_of(pid);
        if lines.iter().any(|l| l.contains("\"post-kill\"") && l.contains("main.growA")) {
            return true;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    false
}
