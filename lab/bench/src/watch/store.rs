//! What stands in a store, as somebody reads it who comes later.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde_json::Value;

/// A capture.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) pid: i32,
    pub(super) phase: String,
    pub(super) light: bool,
    /// It has everything that it should have.
    pub(super) complete: bool,
    gaps: String,
    /// The function that the memory is blamed on.
    pub(super) culprit: String,
    verdict: String,
    /// The last looks before it; of a light capture there are none.
    timeline: Vec<String>,
    report: Vec<String>,
}

impl Seen {
    /// Whether its verdict blames that function. Of a service that has hardly grown when it is struck there
    /// may be a culprit and no verdict.
    pub(super) fn says(&self, truth: &str) -> bool {
        self.culprit == truth && self.verdict.contains(truth)
    }

    /// What is to be known of it where it is not what was hoped for, some lines.
    pub(super) fn explain(&self) -> String {
        let form = if self.light { " (light)" } else { "" };
        let mut out = format!(
            "    {}{form}: complete {}, culprit {}, \"{}\", gaps {}",
            self.phase, self.complete, self.culprit, self.verdict, self.gaps
        );
        let lines = self.timeline.iter().chain(if self.verdict.is_empty() { &self.report[..] } else { &[] });
        lines.for_each(|l| out += &format!("\n      {l}"));
        out
    }
}

/// All captures of a store, those of each process in the order of their names.
pub(super) fn read(store: &Path) -> Result<Vec<Seen>> {
    let mut folders: Vec<PathBuf> = fs::read_dir(store)?.filter_map(|e| Some(e.ok()?.path())).collect();
    folders.retain(|f| f.join("manifest.json").is_file());
    folders.sort();
    folders.iter().map(|f| one(f).with_context(|| f.display().to_string())).collect()
}

fn one(folder: &Path) -> Result<Seen> {
    let json = |name: &str| -> Result<Value> { Ok(serde_json::from_slice(&fs::read(folder.join(name))?)?) };
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let manifest = json("manifest.json")?;
    let timeline = fs::read_to_string(folder.join("timeline.jsonl")).unwrap_or_default();
    let lines: Vec<&str> = timeline.lines().collect();
    // Its last word is the culprit (docs/formats/capture.md: the same for two victims of the same death).
    let culprit = text(&manifest["cause"]).rsplit(' ').next().unwrap_or_default().to_owned();
    Ok(Seen {
        pid: manifest["target"]["pid"].as_i64().context("a process number")? as i32,
        phase: text(&manifest["phase"]),
        light: manifest["light"] == true,
        complete: manifest["complete"] == true,
        gaps: manifest["gaps"].to_string(),
        culprit,
        verdict: text(&json("findings.json")?["verdict"]["sentence"]),
        report: fs::read_to_string(folder.join("report.txt"))?.lines().map(str::to_owned).collect(),
        timeline: lines.iter().rev().take(12).rev().map(|l| (*l).to_owned()).collect(),
    })
}
