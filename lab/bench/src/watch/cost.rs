//! `bench-watch cost`: processor time, memory and descriptors of the daemon with many calm Go containers.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use clap::Args;
use lastgasp_lab::build::{Mode, cache_dir};
use lastgasp_lab::machine::{lastgasp, machine};
use lastgasp_lab::toolchain;

use super::account::{
    cpu, cpu_by_thread, cpu_of_ended_children, descriptors, family, memory, rollup, started, threads,
};
use super::daemon::Daemon;
use super::victim::{Programs, Victim};

#[derive(Args)]
pub(crate) struct Options {
    /// Containers
    #[arg(long, default_value_t = 100)]
    containers: usize,
    /// Seconds of each measurement
    #[arg(long, default_value_t = 60)]
    seconds: u64,
}

/// A limit in bytes, and what that means for the watch.
const LIMITS: [(u64, &str); 2] = [
    (512 << 20, "limit 512 MB: the machine could fill it within a second, so the memory is held all the time"),
    (16 << 30, "limit 16 GB: out of reach within a second"),
];

/// Arguments of the daemon.
const WAYS: [(&str, &str); 2] =
    [("by cgroup alone", "[watch]\nsample = \"1d\"\n"), ("with the flight ring (light samples)", "")];

pub(super) fn run(options: &Options) -> Result<()> {
    let lastgasp = lastgasp()?;
    let toolchain = toolchain::any(&cache_dir())?;
    let mut programs = Programs::new("idle")?;
    let program = programs.add(&toolchain, Mode::Stripped, "idle")?;
    let n = options.containers;
    let mut out = machine(&format!(
        "lab/programs/idle, {} stripped, {n} processes in {n} cgroups, {} s each",
        toolchain.version, options.seconds
    ))?;
    for (limit, meaning) in LIMITS {
        let idle = (0..n).map(|i| Victim::start(&lastgasp, &program, i, limit, &[])).collect::<Result<Vec<_>>>()?;
        writeln!(out, "\n{meaning}")?;
        for (way, config) in WAYS {
            let mut daemon = Daemon::start(&lastgasp, &programs.service, config)?;
            settle(&daemon, n)?;
            // Helpers that were started and have ended meanwhile are part of the price.
            let used = || {
                let ended = cpu_of_ended_children(daemon.pid());
                family(daemon.pid()).iter().map(|pid| cpu(*pid)).sum::<Duration>() + ended
            };
            let (others, before) = (started(), used());
            let (threads_before, began) = (cpu_by_thread(daemon.pid()), Instant::now());
            std::thread::sleep(Duration::from_secs(options.seconds));
            let percent = 100.0 * used().saturating_sub(before).as_secs_f64() / began.elapsed().as_secs_f64();
            let mut shares: Vec<(f64, String)> = cpu_by_thread(daemon.pid())
                .into_iter()
                .map(|(name, now)| {
                    let before = threads_before.get(&name).copied().unwrap_or_default();
                    (100.0 * now.saturating_sub(before).as_secs_f64() / began.elapsed().as_secs_f64(), name)
                })
                .filter(|(share, _)| *share >= 0.005)
                .collect();
            shares.sort_by(|a, b| b.0.total_cmp(&a.0));
            let shares: Vec<String> = shares.into_iter().map(|(share, name)| format!("{name} {share:.2} %")).collect();
            let own = family(daemon.pid());
            let all = |of: &dyn Fn(i32) -> f64| own.iter().map(|pid| of(*pid)).sum::<f64>();
            let mb = |key: &str| all(&|pid| memory(pid, key) as f64 / 1e6);
            writeln!(
                out,
                "  {way}\n    processor          {percent:.3} % of a core = {:.3} % per 100 watched\n    by thread          {}\n    \
                 others             {:.1} processes or threads started per second on this machine meanwhile\n    \
                 RSS                {:.1} MB, {:.1} MB at most (daemon {:.1}, watchdog and helpers {:.1})\n    \
                 PSS                {:.1} MB (daemon {:.1}; what all have of one file is counted once), {:.1} MB of it written to by one process alone\n    \
                 descriptors        {} ({:.1} for each), threads {}",
                percent * 100.0 / n as f64,
                shares.join(", "),
                (started() - others) as f64 / began.elapsed().as_secs_f64(),
                mb("VmRSS"),
                mb("VmHWM"),
                memory(daemon.pid(), "VmRSS") as f64 / 1e6,
                mb("VmRSS") - memory(daemon.pid(), "VmRSS") as f64 / 1e6,
                all(&|pid| rollup(pid, "Pss") as f64 / 1e6),
                rollup(daemon.pid(), "Pss") as f64 / 1e6,
                all(&|pid| rollup(pid, "Private_Dirty") as f64 / 1e6),
                all(&|pid| descriptors(pid) as f64),
                descriptors(daemon.pid()) as f64 / n as f64,
                all(&|pid| threads(pid) as f64),
            )?;
            eprintln!("{meaning}, {way}: {percent:.3} %");
            daemon.stop()?;
        }
        drop(idle);
    }
    super::results::keep("cost", &out)
}

/// Until all are watched and have been looked at for a while.
fn settle(daemon: &Daemon, n: usize) -> Result<()> {
    let began = Instant::now();
    let watched = || daemon.watched();
    while watched() < n {
        if began.elapsed() > Duration::from_secs(60) {
            bail!("{} of {n} are watched\n{}", watched(), daemon.log());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    std::thread::sleep(Duration::from_secs(15));
    Ok(())
}
