//! `cargo xtask demo`: the main job on a fresh machine, with nothing but Rust and the package registries.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use lastgasp_lab::build::{Mode, cache_dir};
use lastgasp_lab::incident::{Expect, Moment, Programs, Script, play_telling};
use lastgasp_lab::machine::{Profile, lastgasp_told};
use lastgasp_lab::toolchain::{self, Toolchain};

use crate::progress::Progress;

/// Lines of cargo's that are passed on: one in so long, and all that are no news of progress.
const PACE: Duration = Duration::from_secs(2);

const LASTGASP: &str = "building lastgasp";
const INCIDENT: &str = "building the lab's incident";
const PLAY: &str = "playing";

/// Plays the incident and prints what lastgasp says.
pub(crate) fn run() -> Result<()> {
    let progress = Progress::start();
    progress.say("building lastgasp, and the lab's incident beside it (fetching Go if it is missing) ...");
    // Side by side: the one computes, the other waits for the network first.
    let (lastgasp, incident) = std::thread::scope(|scope| {
        let other = scope.spawn(|| incident(&progress));
        (build(&progress), other.join().unwrap_or_else(|_| Err(anyhow!("a thread of the demo panicked"))))
    });
    let (lastgasp, (toolchain, programs)) = (lastgasp?, incident?);
    let expect = Expect::load()?;
    let store = cache_dir().join("demo");
    let calm = Duration::from_secs(expect.time.calm_seconds_min);
    progress.say(&format!(
        "playing: {} built with {}, limit {} MB, {} requests/s; calm for {} s, then a config of {} ids is published ...",
        expect.culprit.file,
        toolchain.version,
        expect.memory.limit_bytes / 1_000_000,
        expect.load.rate_per_second,
        calm.as_secs(),
        expect.config.ids_burst
    ));
    let script = Script {
        lastgasp,
        run_args: Vec::new(),
        service_args: Vec::new(),
        calm,
        after: Duration::from_secs(30),
        store,
    };
    let began = Instant::now();
    let played = play_telling(&programs, &expect, &script, &|moment| {
        let line = match moment {
            Moment::Serving => "the service answers; calm",
            Moment::Published => "the big config is published",
            Moment::Ended => "the service has ended; lastgasp reads and writes",
        };
        progress.set(PLAY, line);
        progress.say(line);
    });
    progress.done(PLAY, &format!("played for {} s", began.elapsed().as_secs()));
    let played = played?;
    match played.code {
        Some(_) => progress.say(&format!("the service died {:.1} s after the publish", played.lived.as_secs_f64())),
        None => progress.say(
            "the service was still alive after 30 s: without the right to make a cgroup nothing limits it; run as root",
        ),
    }
    eprintln!("{}", played.stderr);
    println!("{}", played.stdout);
    if !played.stdout.contains(&expect.culprit.function) {
        bail!("the verdict does not name {}", expect.culprit.function);
    }
    progress.say("done");
    Ok(())
}

/// lastgasp itself, with all that it has, in a profile that builds faster than the one for release and runs
/// nearly as fast.
fn build(progress: &Progress) -> Result<std::path::PathBuf> {
    progress.set(LASTGASP, "");
    let (mut crates, mut said) = (0, Instant::now());
    let built = lastgasp_told(Profile::Demo, &mut |line| {
        let line = line.trim();
        let is_news =
            ["Compiling", "Downloaded", "Downloading", "Fresh", "Checking"].iter().any(|w| line.starts_with(w));
        crates += usize::from(line.starts_with("Compiling"));
        progress.set(LASTGASP, format!("{crates} crates begun, last: {line}"));
        if !is_news || said.elapsed() >= PACE {
            said = Instant::now();
            progress.say(line);
        }
    });
    progress.done(LASTGASP, &format!("lastgasp is built, {} s from the start", progress.elapsed().as_secs()));
    built
}

/// A toolchain, and the incident's programs built with it.
fn incident(progress: &Progress) -> Result<(Toolchain, Programs)> {
    progress.set(INCIDENT, "finding or fetching Go");
    let toolchain = toolchain::any(&cache_dir()).context("a Go toolchain")?;
    progress.set(INCIDENT, format!("with {}", toolchain.version));
    let programs = Programs::build(&toolchain, Mode::Stripped)?;
    progress.done(INCIDENT, &format!("the incident is built with {}", toolchain.version));
    Ok((toolchain, programs))
}
