//! `bench-watch storm`: many victims of one cause within a second; every one is to be captured, at least
//! lightly.

use std::fmt::Write as _;
use std::os::unix::process::ExitStatusExt as _;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Result, bail};
use clap::Args;
use lastgasp_lab::build::{Mode, cache_dir};
use lastgasp_lab::machine::{lastgasp, machine};
use lastgasp_lab::toolchain;

use super::daemon::{Daemon, times};
use super::store;
use super::victim::{Programs, Victim};

const TRUTH: &str = "main.growA";
const LIMIT: u64 = 40 << 20;
/// Held before the storm: what is left is used up by all within a second.
const BASE: u64 = 18 << 20;

#[derive(Args)]
pub(crate) struct Options {
    /// How many die at once
    #[arg(long, default_value_t = 50)]
    victims: usize,
    /// How often
    #[arg(long, default_value_t = 3)]
    rounds: usize,
}

pub(super) fn run(options: &Options) -> Result<()> {
    let lastgasp = lastgasp()?;
    let toolchain = toolchain::any(&cache_dir())?;
    let mut programs = Programs::new("storm")?;
    let program = programs.add(&toolchain, Mode::Stripped, "dies")?;
    let what = format!(
        "lab/programs/dies, {} stripped, {} victims of {} MB that hold {} MB",
        toolchain.version,
        options.victims,
        LIMIT >> 20,
        BASE >> 20
    );
    let mut out = machine(&what)?;
    let mut missed = 0;
    for round in 1..=options.rounds {
        let mut daemon = Daemon::start(&lastgasp, &programs.service, "")?;
        // Time for all to start: they hold what they hold, and wait for the moment.
        let starting = Duration::from_millis(3000 + 60 * options.victims as u64);
        let moment = (SystemTime::UNIX_EPOCH.elapsed()? + starting).as_millis();
        let args: Vec<String> =
            ["-rate", "0", "-base", &BASE.to_string(), "-at", &moment.to_string()].map(str::to_owned).into();
        let began = Instant::now();
        let victims = (0..options.victims).map(|n| Victim::start(&lastgasp, &program, n, LIMIT, &args));
        let mut victims = victims.collect::<Result<Vec<Victim>>>()?;
        let early = began.elapsed() > starting;
        let mut deaths = vec![None; victims.len()];
        while deaths.iter().any(Option::is_none) {
            if began.elapsed() > starting + Duration::from_secs(60) {
                bail!("not all have died");
            }
            for (victim, death) in victims.iter_mut().zip(&mut deaths).filter(|(_, d)| d.is_none()) {
                *death = victim.child.try_wait()?.map(|status| (began.elapsed(), status));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        daemon.stop()?;
        let seen = store::read(&daemon.store())?;
        let ends: Vec<Duration> = deaths.iter().flatten().map(|(at, _)| *at).collect();
        let spread =
            ends.iter().max().zip(ends.iter().min()).map_or(0.0, |(last, first)| (*last - *first).as_secs_f64());
        let other = deaths.iter().flatten().filter(|(_, status)| status.signal() != Some(9)).count();
        let (mut complete, mut whole, mut light, mut misses) = (0, 0, 0, String::new());
        for victim in &victims {
            let own: Vec<_> = seen.iter().filter(|s| s.pid == victim.pid()).collect();
            // Of many at once the profile alone is copied, which is no complete capture and names the line
            // all the same.
            let named: Vec<_> = own.iter().filter(|s| s.culprit == TRUTH).collect();
            if !named.is_empty() {
                let is_whole = named.iter().any(|s| !s.light);
                whole += usize::from(is_whole);
                light += usize::from(!is_whole);
                complete += usize::from(named.iter().any(|s| s.complete));
                continue;
            }
            missed += 1;
            writeln!(misses, "  missed process {}", victim.pid())?;
            own.iter().try_for_each(|s| writeln!(misses, "{}", s.explain()))?;
            daemon.log_of(victim.pid()).iter().try_for_each(|l| writeln!(misses, "    log: {}", l.trim()))?;
        }
        writeln!(
            out,
            "\nround {round}\n  all died within                    {spread:.2} s{}{}\n  captured and named                 {} of {}: {whole} whole, {light} light; {complete} by a complete capture",
            if other > 0 { format!(" ({other} otherwise than by a kill)") } else { String::new() },
            if early { " (some started after the moment)" } else { "" },
            whole + light,
            victims.len()
        )?;
        out.push_str(&times(&daemon.captured())?);
        out.push_str(&misses);
    }
    super::results::keep("storm", &out)?;
    if missed > 0 {
        bail!("{missed} were missed");
    }
    Ok(())
}
