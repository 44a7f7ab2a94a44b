//! The heap as a graph, of programs that we did not write: held against the span table, and against what the
//! collector itself marks.
//!
//! A core is taken of a program twice, and it collects once in between. What the first graph
//! calls unreachable can never be reached again: whatever the collection kept of it is a root or a pointer
//! that we did not see, but for the few that the collector keeps without one ([`judge::Why`]). What the first
//! graph reaches and the collection did not keep was let go of meanwhile, or held by a word that is no
//! pointer; where neither can be, it is wrong too: a pointer into a free slot, an object that a mark found
//! dead.
//!
//! - [`seen`]: one capture, read with the product's own code.
//! - [`judge`]: two of them, compared. Pure.
//! - `places`: where the address of an object stands at all.
//! - [`table`]: the rows as text.

pub mod judge;
mod places;
pub mod seen;
pub mod table;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde::Serialize;
use serde_json::Value;

use crate::play::Playing;
use crate::program::Program;
use judge::Verdict;
use seen::Seen;

/// Pairs of captures that are tried until exactly one collection falls between both: under load others may.
const ROUNDS: usize = 12;
/// Longest stop: all memory of the largest is written in it.
const STOP: &str = "10s";

/// What is found of a program in one state.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Row {
    /// Name and version.
    pub program: String,
    /// The Go that built it.
    pub go: String,
    /// How it was built.
    pub mode: String,
    /// `loaded` or `parked`.
    pub state: String,
    /// Of both captures what is true of each alone.
    pub first: Seen,
    /// The one behind the collection.
    pub second: Seen,
    /// Whether a graph that was made of the program alive could be held against that of its core.
    pub alive: bool,
    /// Both compared.
    pub verdict: Verdict,
    /// Why it fails; empty if it passes.
    pub failures: Vec<String>,
}

/// How long clients rest before a program counts as parked.
const CALM: Duration = Duration::from_secs(2);

/// Plays a program and looks at it in both states.
pub fn play(lastgasp: &Path, program: &Program, binary: &Path, load: Duration) -> Vec<Row> {
    let failed = |state: &str, e: &anyhow::Error| Row {
        state: state.to_owned(),
        failures: vec![format!("{e:#}")],
        ..Row::default()
    };
    let playing = match Playing::start(program, binary) {
        Ok(playing) => playing,
        Err(e) => return vec![failed("loaded", &e)],
    };
    std::thread::sleep(load);
    let loaded = look(lastgasp, &playing, "loaded").unwrap_or_else(|e| failed("loaded", &e));
    playing.rest();
    std::thread::sleep(CALM);
    let parked = look(lastgasp, &playing, "parked").unwrap_or_else(|e| failed("parked", &e));
    vec![loaded, parked]
}

/// Looks at a program that plays; `state` says in which it is.
///
/// # Errors
/// A capture could not be taken or read, or collections never stood alone between two.
pub fn look(lastgasp: &Path, playing: &Playing, state: &str) -> Result<Row> {
    for round in 0..ROUNDS {
        if round > 0 && state == "loaded" {
            playing.ease();
        }
        let first = core(playing, "first")?;
        playing.collect()?;
        let second = core(playing, "second")?;
        let (before, after) = (seen::cycles(&first)?, seen::cycles(&second)?);
        // A mark that was under way knew of pointers that are gone by now.
        if before.1 != 0 || after.1 != 0 || after.0 != before.0.wrapping_add(1) {
            continue;
        }
        let mut row = compare((&first, &second), state)?;
        for core in [first, second] {
            std::fs::remove_file(core)?;
        }
        match alive(lastgasp, playing, &mut row.failures) {
            Ok(compared) => row.alive = compared,
            Err(e) => row.failures.push(format!("alive: {e:#}")),
        }
        return Ok(row);
    }
    bail!("in each of {ROUNDS} looks another collection fell between both captures");
}

fn compare((first, second): (&Path, &Path), state: &str) -> Result<Row> {
    let mut row = Row { state: state.to_owned(), ..Row::default() };
    let (marks, after) = seen::read(second, |view| (view.marks(), view.seen()))?;
    let (before, verdict) = seen::read(first, |view| (view.seen(), judge::judge(&view.objects(), &marks, view)))?;
    for (which, seen) in [("before", &before), ("after", &after)] {
        row.failures.extend(seen.problems().into_iter().map(|p| format!("{which}: {p}")));
    }
    row.failures.extend(verdict.problems());
    (row.first, row.second, row.verdict) = (before, after, verdict);
    Ok(row)
}

/// The graph that lastgasp made while the program stood still, beside that of the core which it wrote in the
/// same stop; whether both are of one moment, else there is nothing to compare.
fn alive(lastgasp: &Path, playing: &Playing, failures: &mut Vec<String>) -> Result<bool> {
    let folder = capture(lastgasp, playing)?;
    let kept = folder.join("memory.core");
    let still = seen::is_still(&kept)?;
    if still {
        let seen = seen::read(&kept, |view| view.seen())?;
        failures.extend(as_when_alive(lastgasp, &seen, &folder)?.into_iter().map(|p| format!("alive: {p}")));
    }
    Ok(still)
}

/// The graph that was made while the program stood still, beside that of its core.
fn as_when_alive(lastgasp: &Path, seen: &Seen, folder: &Path) -> Result<Vec<String>> {
    let out = Command::new(lastgasp).args(["report", "--format", "json"]).arg(folder).output()?;
    let document: Value = serde_json::from_slice(&out.stdout).with_context(|| folder.display().to_string())?;
    let graph = &document["graph"];
    let number = |v: &Value| v.as_u64().unwrap_or(u64::MAX);
    let pairs = [
        ("live objects", number(&graph["objects"]), seen.live.0),
        ("live bytes", number(&graph["live_bytes"]), seen.live.1),
        ("objects", number(&graph["objects"]).saturating_add(number(&graph["garbage_objects"])), seen.taken.0),
        ("bytes", number(&graph["live_bytes"]).saturating_add(number(&graph["garbage_bytes"])), seen.taken.1),
        ("bytes of the span table", number(&document["heap"]["object_bytes"]), seen.table.1),
    ];
    let differ = pairs.into_iter().filter(|(_, alive, core)| alive != core);
    Ok(differ.map(|(what, alive, core)| format!("{what}: {alive} read alive, {core} of its core")).collect())
}

/// A core of the program, of one moment, as gdb writes it; it goes on then.
fn core(playing: &Playing, name: &str) -> Result<PathBuf> {
    let prefix = playing.dir().join(name);
    let out = Command::new("gcore").arg("-o").arg(&prefix).arg(playing.pid().to_string()).output();
    let out = out.context("gcore, which is part of gdb")?;
    let path = playing.dir().join(format!("{name}.{}", playing.pid()));
    if !path.is_file() {
        bail!("gcore: {}: {}", out.status, String::from_utf8_lossy(&out.stderr));
    }
    Ok(path)
}

/// `lastgasp capture PID --heap --keep-memory`; gives the folder.
fn capture(lastgasp: &Path, playing: &Playing) -> Result<PathBuf> {
    let store = playing.dir().join("captures");
    let _ = std::fs::remove_dir_all(&store);
    let out = Command::new(lastgasp)
        .args(["capture", &playing.pid().to_string(), "--heap", "--max-stop", STOP, "--heap-memory", "4G"])
        .args(["--keep-memory", "--out"])
        .arg(&store)
        .env("NO_COLOR", "1")
        .output()?;
    let text = String::from_utf8_lossy(&out.stdout);
    let path = text.lines().last().map(PathBuf::from).filter(|p| p.join("memory.core").is_file());
    path.with_context(|| format!("lastgasp capture: {}: {}", out.status, String::from_utf8_lossy(&out.stderr)))
}
