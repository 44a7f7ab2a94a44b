//! A play: a world is started, what the scenario says happens to it, and what came of it is kept.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use lastgasp_lab::progress::Progress;

use crate::record::{Done, Pressure, Record, now_ms};
use crate::scenario::Scenario;
use crate::world::{Wanted, World};

/// A play that was played.
#[derive(Debug)]
pub struct Played {
    /// What was so.
    pub record: Record,
    /// The folder that it is kept in: `store`, `played.json`, logs.
    pub folder: PathBuf,
}

impl Played {
    /// The folder of captures.
    #[must_use]
    pub fn store(&self) -> PathBuf {
        self.folder.join("store")
    }
}

/// How often the state of a world is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// Plays a scenario; what is in `folder` is another play's and goes.
///
/// # Errors
/// The world could not be made. Whatever becomes of it then is in the record.
pub fn play(scenario: &Scenario, seed: u64, lastgasp: &Path, folder: &Path, progress: &Progress) -> Result<Played> {
    let wanted = Wanted { scenario, lastgasp, kept: folder, progress };
    let mut world = World::start(&wanted)?;
    let mut record = Record { scenario: scenario.name.clone(), seed, began_unix_ms: now_ms(), ..Record::default() };
    let (began, busy) = (Instant::now(), Busy::now());
    let mut acts = scenario.acts.iter().peekable();
    let (mut kills, mut last_kill_said) = (0, 0);
    let mut until = scenario.duration.duration();
    loop {
        let now = began.elapsed();
        if now >= until {
            break;
        }
        while let Some(act) = acts.next_if(|a| a.at.duration() <= now) {
            let at_unix_ms = now_ms();
            let what = match world.act(act) {
                Ok(what) => what,
                Err(e) => {
                    let why = format!("at {} ms: {e:#}", act.at.0);
                    record.failures.push(why.clone());
                    format!("FAILED: {why}")
                }
            };
            progress.say(&format!("{:5.1} s  {what}", now.as_secs_f64()));
            record.acts.push(Done { id: act.id.clone(), at_unix_ms, until_unix_ms: now_ms(), what });
        }
        let killed = world.lives().iter().filter(|l| l.ending == "oom").count();
        if killed > kills {
            if kills == 0 {
                // The story goes on for as long as actions are to come, and a while after the first kill.
                let last = scenario.acts.last().map_or(Duration::ZERO, |a| a.at.duration() + Duration::from_secs(3));
                until = until.min((now + scenario.after_kill.duration()).max(last));
            }
            kills = killed;
            if kills == 1 || kills >= last_kill_said + 3 {
                progress.say(&format!("{:5.1} s  killed for memory: {kills} so far", now.as_secs_f64()));
                last_kill_said = kills;
            }
        }
        let (ready, usage) = world.state();
        let most = usage.iter().max().copied().unwrap_or(0);
        record.usage.push((now_ms(), most));
        let most = most >> 20;
        progress.set(
            "playing",
            format!(
                "{:.0} of {:.0} s, {ready} of {} answer, up to {most} MiB, {kills} killed",
                now.as_secs_f64(),
                until.as_secs_f64(),
                usage.len()
            ),
        );
        std::thread::sleep(LOOK);
    }
    progress.set("playing", "ending; lastgasp writes what it has");
    record.ended_unix_ms = now_ms();
    record.pressure = busy.until_now();
    record.unheard = world.unheard().to_vec();
    let (lives, told) = world.finish()?;
    record.lives = lives;
    record.told = told;
    record.save(&folder.join("played.json"))?;
    progress.done(
        "playing",
        &format!("played for {:.0} s: {} kills for memory", began.elapsed().as_secs_f64(), record.kills().count()),
    );
    Ok(Played { record, folder: folder.to_owned() })
}

/// What `lastgasp incident` says of a store, as JSON.
///
/// # Errors
/// It says none.
pub fn verdict(lastgasp: &Path, service: &str, store: &Path) -> Result<serde_json::Value> {
    let out = std::process::Command::new(lastgasp)
        .args(["incident", service, "--store"])
        .arg(store)
        .args(["--format", "json"])
        .output()
        .with_context(|| lastgasp.display().to_string())?;
    serde_json::from_slice(&out.stdout)
        .with_context(|| format!("lastgasp incident: {}: {}", out.status, String::from_utf8_lossy(&out.stderr).trim()))
}

/// Processor time of the machine.
struct Busy {
    began: Instant,
    busy: f64,
    all: f64,
    waited: Option<f64>,
}

impl Busy {
    fn now() -> Self {
        let stat = std::fs::read_to_string("/proc/stat").unwrap_or_default();
        let ticks: Vec<f64> =
            stat.lines().next().unwrap_or_default().split_whitespace().skip(1).filter_map(|f| f.parse().ok()).collect();
        let idle: f64 = ticks.iter().skip(3).take(2).sum();
        let all: f64 = ticks.iter().take(8).sum();
        let pressure = std::fs::read_to_string("/proc/pressure/cpu").ok();
        let waited = pressure.and_then(|p| p.lines().next()?.rsplit_once("total=")?.1.parse::<f64>().ok());
        Self { began: Instant::now(), busy: all - idle, all, waited }
    }

    fn until_now(&self) -> Pressure {
        let now = Self::now();
        let share = |part: f64, whole: f64| if whole > 0.0 { (part / whole * 1000.0).round() / 1000.0 } else { 0.0 };
        let micros = self.began.elapsed().as_micros() as f64;
        let processor = now.waited.zip(self.waited).map(|(b, a)| share(b - a, micros));
        Pressure { processor, busy: share(now.busy - self.busy, now.all - self.all) }
    }
}
