//! The lab's incident under lastgasp, told as it goes: `lastgasp-demo LASTGASP [SECONDS]`, where so many
//! seconds have passed since somebody began to wait. `cargo xtask demo` builds both and calls it.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use lastgasp_lab::build::{Mode, cache_dir};
use lastgasp_lab::incident::{Expect, Moment, Played, Programs, Script, document, play_telling};
use lastgasp_lab::incident_graph::{copies_missed, said_of_copies, unsaid};
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
        survivors: None,
    };
    let stage = Stage { programs: &programs, expect: &expect, progress: &progress };
    let repaired = Script {
        service_args: vec!["-fixed".into()],
        calm: REPAIRED_CALM,
        after: REPAIRED_AFTER,
        store: script.store.join("repaired"),
        survivors: Some(script.store.join("repaired")),
        ..script.clone()
    };
    let played = stage.play(&script)?;
    let Some(_) = played.code else {
        eprintln!("{}", played.stderr);
        println!("{}", played.stdout);
        bail!(
            "the service was still alive after 30 s: without the right to make a cgroup nothing limits it; run as root"
        );
    };
    progress.say(&format!("the service died {:.1} s after the publish", played.lived.as_secs_f64()));
    progress.say("the same service, repaired (-fixed), under the same load and the same config ...");
    let survived = stage.play(&repaired)?;
    let of_repaired = repaired_says(&repaired, &expect, &survived)?;
    eprintln!("{}", played.stderr);
    println!("{}", played.stdout);
    if !played.stdout.contains(&expect.culprit.function) {
        bail!("the verdict does not name {}", expect.culprit.function);
    }
    let after = |p: &PathBuf| p.to_string_lossy().ends_with("post-kill");
    let capture = played.captures(&script.store).into_iter().rfind(after).context("no capture after the kill")?;
    let document = document(&script.lastgasp, &capture)?;
    let mut missed = copies_missed(&document, &expect, &played.truth);
    missed.extend(unsaid(&document, &expect));
    if !missed.is_empty() {
        bail!("the copies are not told as the service counts them: {}", missed.join("; "));
    }
    for line in ending(&document) {
        println!("{line}");
    }
    println!("{of_repaired}");
    Ok(())
}

/// Calm of the repaired service before the big config: by then as many calls wait as ever will.
const REPAIRED_CALM: Duration = Duration::from_secs(10);
/// And how long it is looked on afterwards: twice as long as the other one lives.
const REPAIRED_AFTER: Duration = Duration::from_secs(10);

/// Where plays are played.
struct Stage<'a> {
    programs: &'a Programs,
    expect: &'a Expect,
    progress: &'a Progress,
}

impl Stage<'_> {
    fn play(&self, script: &Script) -> Result<Played> {
        let began = Instant::now();
        let played = play_telling(self.programs, self.expect, script, &|moment| {
            let line = match moment {
                Moment::Serving => "the service answers; calm",
                Moment::Ready => return,
                Moment::Published => "the big config is published",
                Moment::Ended => "the service has ended, or its time is over; lastgasp reads and writes",
            };
            self.progress.set(PLAY, line);
            self.progress.say(line);
        });
        self.progress.done(PLAY, &format!("played for {} s", began.elapsed().as_secs()));
        played
    }
}

/// That of the repaired service nothing of the kind is said: it lives, nothing is captured of it, and a look
/// at its living heap finds no copies.
fn repaired_says(script: &Script, expect: &Expect, survived: &Played) -> Result<String> {
    let (None, Some(look)) = (survived.code, &survived.survivor) else {
        bail!("the repaired service has died:\n{}\n{}", survived.stdout, survived.stderr);
    };
    let document = document(&script.lastgasp, look)?;
    if document["graph"].is_null() {
        bail!("no graph of the repaired service: {}", document["capture"]["gaps"]);
    }
    let said = said_of_copies(&document, expect);
    if !said.is_empty() || survived.stdout.contains("VERDICT") {
        bail!("of the repaired service copies are told: {}\n{}", said.join("; "), survived.stdout);
    }
    Ok(format!(
        "REPAIRED the same service with -fixed, after the same config: alive, never captured, no copies in its live heap of {} objects",
        document["graph"]["objects"]
    ))
}

/// The two findings that the demo is about.
fn ending(document: &serde_json::Value) -> Vec<String> {
    let findings = document["findings"].as_array().map_or(&[][..], Vec::as_slice);
    let wanted = [("copies-of-one-content", "COPIES  "), ("collection-jumped", "CONFIG  ")];
    let said = wanted.iter().filter_map(|(code, head)| {
        let found = findings.iter().find(|f| f["code"] == *code)?;
        Some(format!("{head} {}", found["sentence"].as_str().unwrap_or_default()))
    });
    said.collect()
}
