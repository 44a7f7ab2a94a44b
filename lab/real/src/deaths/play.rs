//! One death: a program under `lastgasp run` in a group of its own, with its load on it until the kernel
//! kills.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use lastgasp_deaths::expect::Causes;
use lastgasp_deaths::judge::{Judgement, judge};
use lastgasp_deaths::play::{best, captures, ended, report, stage};
use serde_json::Value;

use super::loads::doom;
use super::truth::Death;
use crate::plans::Deed;
use crate::play::wait;
use crate::web::Web;

/// Calm between the program's first answer and its load.
const CALM: Duration = Duration::from_millis(1500);
/// Longest that a program lives under its load.
const LONGEST: Duration = Duration::from_secs(60);

/// How it went.
#[derive(Clone, Debug)]
pub struct Died {
    /// `caddy/buffered-uploads`.
    pub id: String,
    /// From the load's beginning to the end of `lastgasp run`.
    pub seconds: f64,
    /// What the report of the death says, joined from all its captures; what was wrong if there is none.
    pub judgement: Judgement,
    /// What each capture of it says alone, in the order of their names.
    pub captures: Vec<Said>,
}

/// What the report of one capture says without the others of the death, as a webhook had it that was sent
/// before the end.
#[derive(Clone, Debug)]
pub struct Said {
    /// `pre-kill`, `post-kill`, `manual`.
    pub phase: String,
    /// The report's verdict.
    pub judgement: Judgement,
    /// What the ledger does not explain, as a share of the resident memory; none without a ledger.
    pub unknown: Option<f64>,
}

/// Has `binary` die and judges what was written. Captures are kept in a folder of `keep`, and the reports
/// beside it as text.
///
/// # Errors
/// It could not be staged. A program that does not die, or of which nothing is captured, is a row like any
/// other.
pub fn play(lastgasp: &Path, binary: &Path, death: &Death, causes: &Causes, keep: &Path) -> Result<Died> {
    let stage = stage()?;
    let at = |name: &str| stage.path().join(name);
    let program = at(&death.program);
    // From memory, for the reason that lab/deaths has.
    fs::copy(binary, &program).with_context(|| binary.display().to_string())?;
    // On the disk: what a program writes into a folder in memory would be charged to its group.
    let data = tempfile::Builder::new().prefix("lastgasp-real-").tempdir()?;
    let plan = doom(&death.program, &death.load, data.path())?;
    let mut run = Command::new(lastgasp);
    run.arg("run").args(["--memory-max", &(death.limit << 20).to_string(), "--store"]).arg(at("store"));
    run.arg("--").arg(&program).args(&plan.args).current_dir(data.path());
    for home in ["HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"] {
        run.env(home, data.path());
    }
    run.env_remove("GOGC").env_remove("GOMEMLIMIT").env_remove("GODEBUG");
    run.stdin(Stdio::null()).stdout(fs::File::create(at("stdout"))?).stderr(fs::File::create(at("stderr"))?);
    let mut child = run.spawn().with_context(|| lastgasp.display().to_string())?;

    let way = death.way();
    let nothing = |why: String| Died {
        id: death.id(),
        seconds: 0.0,
        judgement: Judgement::of_nothing(&way, true, why),
        captures: Vec::new(),
    };
    let answers = wait(&Web::new(), &mut child, &plan.ready);
    if let Err(e) = answers {
        ended(child, Duration::ZERO)?;
        return Ok(nothing(format!("{e:#}")));
    }
    std::thread::sleep(CALM);
    let began = Instant::now();
    let load = match (plan.clients)() {
        Ok(deeds) => Load::put(deeds),
        Err(e) => {
            ended(child, Duration::ZERO)?;
            return Ok(nothing(format!("its load: {e:#}")));
        }
    };
    let died = ended(child, LONGEST)?;
    let seconds = began.elapsed().as_secs_f64();
    load.end();
    if !died {
        return Ok(nothing(format!("it did not die within {} s", LONGEST.as_secs())));
    }
    let Some(best) = best(&fs::read_to_string(at("stdout"))?) else {
        let err = fs::read_to_string(at("stderr"))?;
        return Ok(nothing(format!("no capture: {}", err.lines().next_back().unwrap_or_default())));
    };
    let kept = kept(keep, death);
    let _ = fs::remove_dir_all(&kept);
    fs::create_dir_all(keep)?;
    copy(&at("store"), &kept)?;
    let name = best.file_name().unwrap_or_default().to_string_lossy();
    fs::write(kept.join(PLAYED), format!("{seconds:.1} {name}"))?;
    again(lastgasp, death, causes, keep)
}

/// Judges a death that was played before, by its captures as they were kept: for rules that have changed
/// since.
///
/// # Errors
/// It was not played, or its captures cannot be read.
pub fn again(lastgasp: &Path, death: &Death, causes: &Causes, keep: &Path) -> Result<Died> {
    let kept = kept(keep, death);
    let played = fs::read_to_string(kept.join(PLAYED)).with_context(|| format!("{} was not played", death.id()))?;
    let (seconds, best) = played.split_once(' ').with_context(|| format!("{PLAYED} of {}", death.id()))?;
    let best = kept.join(best);
    let way = death.way();
    let text = |capture: &Path| -> Result<String> {
        let out = Command::new(lastgasp).arg("report").arg(capture).env("NO_COLOR", "1").output()?;
        Ok(String::from_utf8_lossy(&out.stdout).into_owned())
    };
    let mut texts = format!("==== joined\n{}", text(&best)?);
    let mut said = Vec::new();
    for capture in captures(&kept)? {
        let name = capture.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let phase = ["pre-kill", "post-kill"].into_iter().find(|p| name.contains(p)).unwrap_or("manual");
        // In a folder of its own: a report joins what lies beside it.
        let folder = tempfile::tempdir()?;
        let alone = folder.path().join(&name);
        copy(&capture, &alone)?;
        let json = report(lastgasp, &alone)?;
        write!(texts, "\n==== alone: {name}\n{}", text(&alone)?)?;
        said.push(Said {
            phase: phase.to_owned(),
            judgement: judge(&json, &way, true, causes),
            unknown: unknown(&json),
        });
    }
    fs::write(kept.with_extension("txt"), texts)?;
    let judgement = judge(&report(lastgasp, &best)?, &way, true, causes);
    Ok(Died { id: death.id(), seconds: seconds.parse()?, judgement, captures: said })
}

/// File beside the kept captures of a death: seconds that it took, and the best capture's name.
const PLAYED: &str = "played";

fn kept(keep: &Path, death: &Death) -> PathBuf {
    keep.join(format!("{}-{}", death.program, death.load))
}

/// A folder, with all that is in it.
fn copy(from: &Path, to: &Path) -> Result<()> {
    ensure!(Command::new("cp").arg("-a").arg(from).arg(to).status()?.success(), "cp -a {}", from.display());
    Ok(())
}

/// The bucket `unknown` of a report's ledger, without its sign, as a share of the resident memory.
fn unknown(report: &Value) -> Option<f64> {
    let memory = &report["memory"];
    let rss = memory["rss_bytes"].as_f64().filter(|r| *r > 0.0)?;
    let buckets = memory["buckets"].as_array().filter(|b| !b.is_empty())?;
    let unknown = buckets.iter().find(|b| b["name"] == "unknown").and_then(|b| b["bytes"].as_f64());
    // A ledger that sums has no such bucket.
    Some(unknown.unwrap_or(0.0).abs() / rss)
}

/// Clients at work.
struct Load {
    ended: Arc<AtomicBool>,
    clients: Vec<JoinHandle<()>>,
}

impl Load {
    fn put(deeds: Vec<Deed>) -> Self {
        let ended: Arc<AtomicBool> = Arc::default();
        let employ = |mut deed: Deed| {
            let ended = Arc::clone(&ended);
            std::thread::spawn(move || {
                let mut i = 0;
                while !ended.load(Ordering::Relaxed) {
                    if deed(i).is_err() {
                        // It is stopped, or dead.
                        std::thread::sleep(Duration::from_millis(10));
                    }
                    i += 1;
                }
            })
        };
        let clients = deeds.into_iter().map(employ).collect();
        Self { ended, clients }
    }

    /// Tells them to end. Those that wait for a program that is gone do so with this process.
    fn end(self) {
        self.ended.store(true, Ordering::Relaxed);
        for client in self.clients.into_iter().filter(JoinHandle::is_finished) {
            let _ = client.join();
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_ledger_does_not_explain() {
        let ledger = |buckets: Value| json!({"memory": {"rss_bytes": 200, "buckets": buckets}});
        let heap = json!({"name": "heap", "bytes": 190});
        assert_eq!(unknown(&ledger(json!([heap, {"name": "unknown", "bytes": -10}]))), Some(0.05));
        assert_eq!(unknown(&ledger(json!([heap]))), Some(0.0));
        assert_eq!(unknown(&ledger(json!([]))), None);
        assert_eq!(unknown(&json!({"memory": {"rss_bytes": null, "buckets": [heap]}})), None);
    }
}
