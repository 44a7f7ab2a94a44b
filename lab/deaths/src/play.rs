//! One play: a program under `lastgasp run` in a group of its own, until the kernel kills it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use lastgasp_lab::build::build_all;
use lastgasp_lab::toolchain::Toolchain;
use serde_json::Value;
use tempfile::TempDir;

use crate::expect::{Causes, Expect, Way, home, program};
use crate::judge::{Judgement, judge};

/// Longest that a program lives. The slowest takes 8 s on two cores of their own.
const LONGEST: Duration = Duration::from_secs(30);

/// The programs, built.
#[derive(Clone, Debug)]
pub struct Programs {
    profiled: PathBuf,
    unprofiled: PathBuf,
}

/// What to play.
#[derive(Clone, Copy, Debug)]
pub struct Play<'a> {
    /// Name of the way.
    pub name: &'a str,
    /// Its truth.
    pub way: &'a Way,
    /// Whether it keeps a memory profile.
    pub profiled: bool,
}

/// How it went.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Played {
    /// Name of the way.
    pub way: String,
    /// Whether it kept a memory profile.
    pub profiled: bool,
    /// Seconds from the start to the end of `lastgasp run`.
    pub seconds: f64,
    /// What the report of the capture that `run` calls the best says.
    pub judgement: Judgement,
    /// What the others of the store say, in the order of their names.
    pub others: Vec<Other>,
}

/// A capture beside the best.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Other {
    /// Phase and number, as the folder's name ends.
    pub capture: String,
    /// What it says.
    pub judgement: Judgement,
}

impl Play<'_> {
    /// `WAY/profiled` or `WAY/unprofiled`.
    #[must_use]
    pub fn id(&self) -> String {
        id(self.name, self.profiled)
    }
}

impl Played {
    /// The same without captures that say what the best says.
    #[must_use]
    pub fn brief(&self) -> Self {
        let same = |o: &Other| {
            let (a, b) = (&o.judgement, &self.judgement);
            a.title == b.title && a.function == b.function && a.sure_and_wrong == b.sure_and_wrong
        };
        let mut brief = self.clone();
        brief.others.retain(|o| !same(o));
        brief
    }

    /// As that of [`Play`].
    #[must_use]
    pub fn id(&self) -> String {
        id(&self.way, self.profiled)
    }
}

fn id(way: &str, profiled: bool) -> String {
    format!("{way}/{}", if profiled { "profiled" } else { "unprofiled" })
}

impl Programs {
    /// Builds all: stripped and without paths, as images hold them. The one that needs a C compiler is left
    /// out where there is none.
    ///
    /// # Errors
    /// What the compiler said.
    pub fn build(toolchain: &Toolchain, expect: &Expect) -> Result<Self> {
        let module = home().join("ways");
        let cgo: Vec<&str> = expect.ways.iter().filter(|(_, w)| w.cgo).map(|(n, _)| n.as_str()).collect();
        let one = |folder: &str, tags: &str| build_all(toolchain, &module, tags, &cgo, folder);
        Ok(Self { profiled: one("deaths-profiled", "")?, unprofiled: one("deaths-unprofiled", "unprofiled")? })
    }

    fn of(&self, play: &Play<'_>) -> PathBuf {
        if play.profiled { &self.profiled } else { &self.unprofiled }.join(play.name)
    }

    /// Whether it was built.
    #[must_use]
    pub fn has(&self, play: &Play<'_>) -> bool {
        self.of(play).exists()
    }
}

/// Plays it and judges what was written.
///
/// # Errors
/// It could not be staged. A program that does not die, or of which nothing is captured, is a row like any
/// other.
pub fn play(lastgasp: &Path, programs: &Programs, play: &Play<'_>, causes: &Causes) -> Result<Played> {
    let stage = stage()?;
    let at = |name: &str| stage.path().join(name);
    // From memory: pages of a program on a disk that are charged to the group would be evicted and read again
    // at the limit, and the kernel would not kill for many seconds. All are called alike: a report's words
    // are searched for causes, and some of those are names of ways.
    fs::copy(programs.of(play), at("service")).with_context(|| play.id())?;
    let mut run = Command::new(lastgasp);
    run.arg("run").args(["--memory-max", &(play.way.limit << 20).to_string(), "--store"]).arg(at("store")).arg("--");
    if let Some(script) = &play.way.start {
        run.arg("sh").arg(program(play.name).join(script));
    }
    run.arg(at("service"));
    run.env_remove("GOGC").env_remove("GOMEMLIMIT").env_remove("GODEBUG").envs(&play.way.env);
    run.stdin(Stdio::null()).stdout(fs::File::create(at("stdout"))?).stderr(fs::File::create(at("stderr"))?);
    let began = Instant::now();
    let child = run.spawn().with_context(|| lastgasp.display().to_string())?;
    let died = ended(child, LONGEST)?;
    let seconds = began.elapsed().as_secs_f64();
    let stdout = fs::read_to_string(at("stdout"))?;
    let row =
        |judgement, others| Played { way: play.name.to_owned(), profiled: play.profiled, seconds, judgement, others };
    let nothing = |why: String| row(Judgement::of_nothing(play.way, play.profiled, why), Vec::new());
    if !died {
        return Ok(nothing(format!("it did not die within {} s", LONGEST.as_secs())));
    }
    let Some(best) = best(&stdout) else {
        let err = fs::read_to_string(at("stderr"))?;
        return Ok(nothing(format!("no capture: {}", err.lines().next_back().unwrap_or_default())));
    };
    let judged = |capture: &Path| -> Result<Judgement> {
        Ok(judge(&report(lastgasp, capture)?, play.way, play.profiled, causes))
    };
    let mut others = Vec::new();
    for capture in captures(&at("store"))?.into_iter().filter(|c| c.file_name() != best.file_name()) {
        let name = capture.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let end = ["pre-kill", "post-kill"].iter().find_map(|phase| name.find(phase).map(|at| name[at..].to_owned()));
        others.push(Other { capture: end.unwrap_or(name), judgement: judged(&capture)? });
    }
    Ok(row(judged(&best)?, others))
}

/// A folder in memory if there is one.
///
/// # Errors
/// The system's.
pub fn stage() -> Result<TempDir> {
    let builder = || tempfile::Builder::new().prefix("lastgasp-deaths-").to_owned();
    let shm = Path::new("/dev/shm");
    Ok(shm.is_dir().then(|| builder().tempdir_in(shm).ok()).flatten().map_or_else(|| builder().tempdir(), Ok)?)
}

/// The capture that `lastgasp run` calls the best, in what it printed.
#[must_use]
pub fn best(stdout: &str) -> Option<PathBuf> {
    let best = stdout.lines().filter_map(|l| l.strip_prefix("CAPTURE  /")).next_back()?;
    Some(PathBuf::from(format!("/{best}")))
}

/// The captures of a store, in the order of their names.
///
/// # Errors
/// The system's.
pub fn captures(store: &Path) -> Result<Vec<PathBuf>> {
    let mut found: Vec<PathBuf> =
        fs::read_dir(store)?.flatten().map(|e| e.path()).filter(|p| p.join("manifest.json").exists()).collect();
    found.sort();
    Ok(found)
}

/// What `lastgasp report --format json` says of a capture.
///
/// # Errors
/// It said nothing, or no JSON.
pub fn report(lastgasp: &Path, capture: &Path) -> Result<Value> {
    let out = Command::new(lastgasp).args(["report", "--format", "json"]).arg(capture).output()?;
    if out.stdout.is_empty() {
        bail!("{}: {}", capture.display(), String::from_utf8_lossy(&out.stderr));
    }
    serde_json::from_slice(&out.stdout).with_context(|| capture.display().to_string())
}

/// Waits so long for the end of `lastgasp run`; gives whether it came by itself. Else the command is asked to
/// end, and then made to.
///
/// # Errors
/// The system's.
pub fn ended(mut lastgasp: Child, longest: Duration) -> Result<bool> {
    let pid = lastgasp.id();
    for (span, signal) in
        [(longest, None), (Duration::from_secs(5), Some("-TERM")), (Duration::from_secs(5), Some("-KILL"))]
    {
        if let Some(signal) = signal {
            // `run` ends as its command does, and cleans up.
            for child in descendants(pid) {
                let _ = Command::new("kill").args([signal, &child.to_string()]).stderr(Stdio::null()).status();
            }
        }
        let deadline = Instant::now() + span;
        while Instant::now() < deadline {
            if lastgasp.try_wait()?.is_some() {
                return Ok(signal.is_none());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    lastgasp.kill()?;
    lastgasp.wait()?;
    Ok(false)
}

/// Children of a process and theirs, as of now; its watchdog is left alone.
fn descendants(pid: u32) -> Vec<u32> {
    let mut out = Vec::new();
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    for thread in threads {
        let children = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
        for child in children.split_whitespace().filter_map(|c| c.parse().ok()) {
            let own = fs::read_to_string(format!("/proc/{child}/comm")).is_ok_and(|c| c.starts_with("lastgasp"));
            if !own {
                out.push(child);
            }
            out.extend(descendants(child));
        }
    }
    out
}
