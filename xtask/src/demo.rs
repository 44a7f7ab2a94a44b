//! `cargo xtask demo`: the main job on a fresh machine, with nothing but Rust and the package registries.

use std::time::Duration;

use anyhow::{Result, bail};
use lastgasp_lab::build::{Mode, cache_dir};
use lastgasp_lab::incident::{Expect, Programs, Script, play};
use lastgasp_lab::machine::lastgasp;
use lastgasp_lab::toolchain;

/// Plays the incident and prints what lastgasp says.
pub(crate) fn run() -> Result<()> {
    eprintln!("building lastgasp ...");
    let lastgasp = lastgasp()?;
    eprintln!("building the lab's incident (fetching Go if it is missing) ...");
    let toolchain = toolchain::any(&cache_dir())?;
    let programs = Programs::build(&toolchain, Mode::Stripped)?;
    let expect = Expect::load()?;
    let store = cache_dir().join("demo");
    let calm = Duration::from_secs(expect.time.calm_seconds_min);
    eprintln!(
        "playing: {} built with {}, limit {} MB, {} requests/s; calm for {} s, then a config of {} ids is published ...",
        expect.culprit.file,
        toolchain.version,
        expect.memory.limit_bytes / 1_000_000,
        expect.load.rate_per_second,
        calm.as_secs(),
        expect.config.ids_burst
    );
    let script = Script {
        lastgasp,
        run_args: Vec::new(),
        service_args: Vec::new(),
        calm,
        after: Duration::from_secs(30),
        store,
    };
    let played = play(&programs, &expect, &script)?;
    match played.code {
        Some(_) => eprintln!("the service died {:.1} s after the publish", played.lived.as_secs_f64()),
        None => eprintln!(
            "the service was still alive after 30 s: without the right to make a cgroup nothing limits it; run as root"
        ),
    }
    eprintln!("{}", played.stderr);
    println!("{}", played.stdout);
    if !played.stdout.contains(&expect.culprit.function) {
        bail!("the verdict does not name {}", expect.culprit.function);
    }
    Ok(())
}
