//! The lab's incident under lastgasp, told as it goes: `lastgasp-demo LASTGASP [SECONDS]`, where so many
//! seconds have passed since somebody began to wait. `cargo xtask demo` builds both and calls it.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use lastgasp_lab::build::{Mode, cache_dir};
use lastgasp_lab::incident::{Expect, Moment, Programs, Script, play_telling};
use lastgasp_lab::progress::Progress;
use lastgasp_lab::toolchain;

const PLAY: &str = "playing";

fn main() -> Result<()> {
    let mut arguments = std::env::args_os().skip(1);
    let lastgasp = arguments.next().map(PathBuf::from).context("usage: lastgasp-demo LASTGASP [SECONDS]")?;
    let passed = arguments.next().and_then(|s| s.to_str()?.parse().ok()).unwrap_or(0);
    let progress = Progress::since(Duration::from_secs(passed));
    progress.set(PLAY, "building the incident");
    let toolchain = toolchain::any(&cache_dir()).context("a Go toolchain")?;
    let programs = Programs::build(&toolchain, Mode::Stripped)?;
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
            Moment::Ready => return,
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
    Ok(())
}
