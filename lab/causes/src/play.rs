//! One play: a program, sick or repaired, at rest; captured alive, and on request as a core file.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use lastgasp_lab::build::{Mode, build_all_as};
use lastgasp_lab::toolchain::Toolchain;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tempfile::TempDir;

use crate::expect::module;
use crate::said::{Said, groups, verdicts};

/// Time between a program's READY and the capture: waits are to have an age, and what must be older than a
/// second to count is.
const REST: Duration = Duration::from_millis(1300);

/// The program with what waits in healthy programs, and that of them that needs a C compiler.
pub const HEALTHY: [&str; 2] = ["healthy", "healthy-cgo"];

/// Programs, built with one toolchain in one mode.
#[derive(Clone, Debug)]
pub struct Programs {
    folder: PathBuf,
    /// Toolchain and mode, for tables.
    pub name: String,
}

/// What a program says of one of its shapes.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Planted {
    /// The shape.
    pub shape: String,
    /// Goroutines by role.
    pub roles: BTreeMap<String, Vec<u64>>,
    /// What else is known.
    #[serde(default)]
    pub facts: BTreeMap<String, String>,
}

/// What was seen of a play.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// What the program says.
    pub planted: Vec<Planted>,
    /// What the report says of goroutines.
    pub said: Vec<Said>,
    /// Groups of the report: count, tier, code.
    pub groups: Vec<(u64, String, String)>,
    /// Why nothing is proved, as the report has it.
    pub no_proof: String,
    /// Differences between the verdicts on the living process and on its core; empty without a core.
    pub core_differs: Vec<String>,
    /// Nanoseconds that the process stood still.
    pub stopped_ns: u64,
}

/// What to play.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Play {
    /// Name of the program.
    pub name: String,
    /// Whether it is the repaired one.
    pub repaired: bool,
}

impl Play {
    /// `NAME` or `NAME/repaired`.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{}{}", self.name, if self.repaired { "/repaired" } else { "" })
    }
}

impl Programs {
    /// Builds all. Those that need a C compiler are left out where there is none.
    ///
    /// # Errors
    /// What the compiler said.
    pub fn build(toolchain: &Toolchain, mode: Mode) -> Result<Self> {
        let folder = build_all_as(toolchain, mode, &module(), "", &HEALTHY[1..], &format!("causes-{}", mode.name()))?;
        Ok(Self { folder, name: format!("{} {}", toolchain.version, mode.name()) })
    }

    /// Whether it was built.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.folder.join(name).exists()
    }

    /// Forgets them: of all minors in all modes they take gigabytes.
    ///
    /// # Errors
    /// The system's.
    pub fn delete(self) -> Result<()> {
        Ok(fs::remove_dir_all(self.folder)?)
    }
}

/// A program that runs; ended when dropped.
struct Running {
    child: Child,
    dir: TempDir,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Plays it.
///
/// # Errors
/// It could not be staged, or nothing was captured.
pub fn play(lastgasp: &Path, programs: &Programs, one: &Play, core: bool) -> Result<Seen> {
    let binary = programs.folder.join(&one.name);
    let (mut running, planted) = start(&binary, one.repaired, core).with_context(|| one.id())?;
    std::thread::sleep(REST);
    let store = tempfile::tempdir()?;
    let pid = running.child.id().to_string();
    let alive = capture(lastgasp, &[&pid, "--heap", "--max-stop", "10s"], store.path()).with_context(|| one.id())?;
    let mut seen = read(lastgasp, &alive)?;
    seen.planted = planted;
    if core {
        let file = abort(&mut running)?;
        let file = file.to_string_lossy();
        let dead = capture(lastgasp, &[&file, "--exe", &binary.to_string_lossy()], store.path())?;
        seen.core_differs = differences(&seen.said, &read(lastgasp, &dead)?.said);
    }
    Ok(seen)
}

fn start(binary: &Path, repaired: bool, core: bool) -> Result<(Running, Vec<Planted>)> {
    let dir = tempfile::tempdir()?;
    let mut command = if core {
        let mut sh = Command::new("sh");
        sh.args(["-c", "ulimit -c unlimited; exec \"$0\" \"$@\" 2>/dev/null"]).arg(binary);
        sh.env("GOTRACEBACK", "crash");
        sh
    } else {
        Command::new(binary)
    };
    if repaired {
        command.arg("-healthy");
    }
    command.env_remove("GOGC").env_remove("GODEBUG").current_dir(dir.path());
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut running = Running { child, dir };
    let mut planted = Vec::new();
    let out = running.child.stdout.take().context("stdout")?;
    for line in BufReader::new(out).lines() {
        let line = line?;
        if line == "READY" {
            return Ok((running, planted));
        }
        planted.push(serde_json::from_str(&line).with_context(|| line.clone())?);
    }
    bail!("it ended: {}", running.child.wait()?)
}

/// Ends it by SIGABRT; gives the core file that it leaves.
fn abort(running: &mut Running) -> Result<PathBuf> {
    Command::new("kill").args(["-ABRT", &running.child.id().to_string()]).status()?;
    let input = running.child.stdin.take();
    running.child.wait()?;
    drop(input);
    let files = fs::read_dir(running.dir.path())?.flatten().map(|e| e.path());
    let mut cores = files.filter(|p| p.file_name().is_some_and(|n| n.to_string_lossy().starts_with("core")));
    cores.next().context("no core file: the kernel sends them elsewhere (/proc/sys/kernel/core_pattern)")
}

/// Takes a capture; gives its folder. What is not whole (exit code 3) is one too.
fn capture(lastgasp: &Path, args: &[&str], store: &Path) -> Result<PathBuf> {
    let out = Command::new(lastgasp).arg("capture").args(args).arg("--out").arg(store).output()?;
    let last = String::from_utf8_lossy(&out.stdout).lines().last().map(PathBuf::from);
    match last {
        Some(folder) if matches!(out.status.code(), Some(0 | 3)) => Ok(folder),
        _ => bail!("lastgasp capture: {}: {}", out.status, String::from_utf8_lossy(&out.stderr)),
    }
}

fn read(lastgasp: &Path, capture: &Path) -> Result<Seen> {
    let out = Command::new(lastgasp).args(["report", "--format", "json"]).arg(capture).output()?;
    let document: Value = serde_json::from_slice(&out.stdout)
        .with_context(|| format!("lastgasp report: {}", String::from_utf8_lossy(&out.stderr)))?;
    let file = capture.join("goroutines.json");
    let all: Value = fs::read(file).ok().and_then(|b| serde_json::from_slice(&b).ok()).unwrap_or_default();
    let mut said = verdicts(&all);
    if said.is_empty() {
        said = verdicts(&document);
    }
    let no_proof = &document["goroutines"]["no_proof"];
    Ok(Seen {
        said,
        groups: groups(&document),
        no_proof: if no_proof.as_array().is_none_or(Vec::is_empty) { String::new() } else { no_proof.to_string() },
        stopped_ns: document["capture"]["stopped_ns"].as_u64().unwrap_or(0),
        ..Seen::default()
    })
}

/// Verdicts that are not the same, in words.
fn differences(alive: &[Said], dead: &[Said]) -> Vec<String> {
    let of = |said: &[Said]| -> BTreeMap<u64, String> {
        said.iter().map(|s| (s.goid, format!("{} {} {:?}", s.tier, s.code, s.holders))).collect()
    };
    let (a, b) = (of(alive), of(dead));
    let ids = a.keys().chain(b.keys().filter(|id| !a.contains_key(id)));
    ids.filter(|id| a.get(id) != b.get(id))
        .map(|id| format!("goroutine {id}: alive {:?}, core {:?}", a.get(id), b.get(id)))
        .collect()
}
