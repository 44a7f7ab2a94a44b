//! Goroutines of programs that we did not write: under load for minutes, looked at again and again. None of
//! them leaks, so each goroutine that is said to be leaked is wrongly accused.
//!
//! That they do not leak is taken from themselves: they are released, and what they said of a leak would be
//! read in their own goroutine profile. A look that accuses somebody fails, with the sentence.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use lastgasp_deaths::play::report;
use serde::Serialize;
use serde_json::Value;

use crate::play::Playing;
use crate::program::Program;

/// Between two looks at the same program.
const EVERY: Duration = Duration::from_secs(20);
/// Longest that one stands still for a look.
const STOP: &str = "5s";

/// What was said of one program in all looks together.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Row {
    /// Name and version.
    pub program: String,
    /// The Go that built it.
    pub go: String,
    /// Looks that were taken.
    pub looks: u64,
    /// Looks in which nothing could be proved, and why in the last of them.
    pub without_proof: (u64, String),
    /// Goroutines that waited, all looks together.
    pub blocked: u64,
    /// Of these that are said to be leaked, and that may be.
    pub proved: u64,
    /// See there.
    pub suspect: u64,
    /// That wait for something outside without a deadline.
    pub stalled: u64,
    /// Requests that it answered meanwhile.
    pub requests: u64,
    /// The longest that it stood still, milliseconds.
    pub stopped_ms: u64,
    /// What is wrong; empty if nothing is.
    pub failures: Vec<String>,
}

/// Plays all of them at the same time for so long, and looks at one after the other; `tell` hears how far it
/// is.
///
/// # Errors
/// One did not start.
pub fn play(
    lastgasp: &Path,
    programs: &[(&Program, &Path, &str)],
    how_long: Duration,
    tell: &mut dyn FnMut(&str),
) -> Result<Vec<Row>> {
    let mut playing = Vec::new();
    for (program, binary, go) in programs {
        let one = Playing::start(program, binary)?;
        // They share the processors.
        one.ease();
        let name = format!("{} {}", program.name, program.version);
        playing.push((one, Row { program: name, go: (*go).to_owned(), ..Row::default() }));
    }
    let until = Instant::now() + how_long;
    while Instant::now() < until {
        let began = Instant::now();
        for (one, row) in &mut playing {
            if let Err(e) = look(lastgasp, one, row) {
                row.failures.push(format!("{e:#}"));
            }
            row.requests = one.requests().0;
        }
        let left = until.saturating_duration_since(Instant::now());
        tell(&format!("{} s left: {}", left.as_secs(), said(&playing)));
        std::thread::sleep(EVERY.saturating_sub(began.elapsed()).min(left));
    }
    Ok(playing.into_iter().map(|(_, row)| row).collect())
}

fn said(playing: &[(Playing, Row)]) -> String {
    let each = |(_, r): &(Playing, Row)| format!("{} {}/{}", r.program, r.proved + r.suspect, r.blocked);
    playing.iter().map(each).collect::<Vec<_>>().join(", ")
}

/// One look: taken, and added to the row.
fn look(lastgasp: &Path, playing: &Playing, row: &mut Row) -> Result<()> {
    let store = tempfile::tempdir()?;
    let mut capture = Command::new(lastgasp);
    capture.args(["capture", &playing.pid().to_string(), "--heap", "--max-stop", STOP, "--out"]).arg(store.path());
    let out = capture.output().with_context(|| lastgasp.display().to_string())?;
    if !matches!(out.status.code(), Some(0 | 3)) {
        bail!("{capture:?}: {}", String::from_utf8_lossy(&out.stderr));
    }
    let folder = PathBuf::from(String::from_utf8_lossy(&out.stdout).trim());
    add(row, &report(lastgasp, &folder)?);
    Ok(())
}

/// Adds what a report says of goroutines.
pub fn add(row: &mut Row, document: &Value) {
    let goroutines = &document["goroutines"];
    let number = |name: &str| goroutines["tiers"][name].as_u64().unwrap_or_default();
    row.looks += 1;
    row.blocked += number("blocked");
    row.stalled += number("stalled");
    row.proved += number("proved");
    row.suspect += number("suspect");
    let stopped = document["graph"]["stopped_ns"].as_u64().unwrap_or_default() / 1_000_000;
    row.stopped_ms = row.stopped_ms.max(stopped);
    let no_proof = goroutines["no_proof"].as_array().filter(|all| !all.is_empty());
    if let Some(why) = no_proof {
        row.without_proof.0 += 1;
        row.without_proof.1 = why.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("; ");
    } else if number("blocked") == 0 {
        row.without_proof = (row.without_proof.0 + 1, "no graph".to_owned());
    }
    let groups = goroutines["verdict_groups"].as_array().into_iter().flatten();
    let accused = groups.filter(|g| matches!(g["tier"].as_str(), Some("proved" | "suspect")));
    row.failures.extend(accused.map(|g| format!("{}: {}", g["tier"], g["sentence"].as_str().unwrap_or_default())));
}

/// What fails of a row: somebody was accused, or too few looks could have accused anybody.
#[must_use]
pub fn failures(row: &Row) -> Vec<String> {
    let mut out = row.failures.clone();
    let (without, why) = &row.without_proof;
    if row.looks == 0 || *without * 2 > row.looks {
        out.push(format!("in {without} of {} looks nothing could be proved: {why}", row.looks));
    }
    out
}

/// The rows as text, under what was played where.
#[must_use]
pub fn render(header: &str, rows: &[Row]) -> String {
    let mut out = format!(
        "{header}\n\n{:<28} {:<10} {:>6} {:>9} {:>8} {:>7} {:>8} {:>8} {:>9} {:>11}  result\n",
        "program", "Go", "looks", "no proof", "blocked", "proved", "suspect", "stalled", "requests", "longest ms"
    );
    for r in rows {
        let result = if failures(r).is_empty() { "ok" } else { "FAILED" };
        out += &format!(
            "{:<28} {:<10} {:>6} {:>9} {:>8} {:>7} {:>8} {:>8} {:>9} {:>11}  {result}\n",
            r.program,
            r.go,
            r.looks,
            r.without_proof.0,
            r.blocked,
            r.proved,
            r.suspect,
            r.stalled,
            r.requests,
            r.stopped_ms
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn who_is_accused_fails_and_so_does_who_never_could_be() {
        let tiers = |proved: u64| json!({"blocked": 10, "proved": proved, "suspect": 0, "stalled": 1});
        let well = json!({"goroutines": {"tiers": tiers(0), "no_proof": [], "verdict_groups": []}});
        let mut row = Row::default();
        add(&mut row, &well);
        assert!(failures(&row).is_empty() && row.blocked == 10 && row.stalled == 1);
        let group = json!({"tier": "proved", "sentence": "one is leaked"});
        add(&mut row, &json!({"goroutines": {"tiers": tiers(1), "no_proof": [], "verdict_groups": [group]}}));
        assert_eq!(failures(&row).len(), 1, "{row:?}");
        let mut blind = Row::default();
        let moved = json!({"goroutines": {"tiers": tiers(0), "no_proof": ["it ran on"], "verdict_groups": []}});
        add(&mut blind, &moved);
        add(&mut blind, &json!({}));
        assert_eq!(blind.without_proof.0, 2);
        assert_eq!(failures(&blind).len(), 1);
    }
}
