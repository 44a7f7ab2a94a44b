//! Many scenarios, one after the other: played or taken as they were kept, judged, and the same again with
//! feeds taken away.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use lastgasp_lab::build::cache_dir;
use lastgasp_lab::progress::Progress;

use crate::judge::compare::{Judgement, judge};
use crate::judge::mask::{Mask, masked};
use crate::judge::tally::Row;
use crate::judge::what_if;
use crate::play::{play, verdict};
use crate::record::Record;
use crate::scenario::Scenario;

/// How a series is to go.
#[derive(Clone, Debug)]
pub struct Series {
    /// The `lastgasp` binary.
    pub lastgasp: PathBuf,
    /// See [`Scenario::seeded`].
    pub seed: u64,
    /// Whether plays that were kept are judged, and nothing is played but what is missing.
    pub again: bool,
    /// Whether each is judged with feeds taken away too.
    pub masks: bool,
}

/// The folder in which a play is kept.
#[must_use]
pub fn kept(name: &str, seed: u64) -> PathBuf {
    let plays = cache_dir().join("cluster/plays");
    if seed == 0 { plays.join(name) } else { plays.join(format!("{name}-seed-{seed}")) }
}

impl Series {
    /// Plays and judges one; the rows of it: as it was, then by mask. What could not be played or said is a
    /// row that is not counted, with its reason.
    pub fn one(&self, scenario: &Scenario, progress: &Progress) -> Vec<Row> {
        let scenario = scenario.clone().seeded(self.seed);
        let folder = kept(&scenario.name, self.seed);
        let record = self.kept_or_played(&scenario, &folder, progress);
        let record = match record {
            Ok(record) => record,
            Err(e) => return vec![Row { not_counted: format!("not played: {e:#}"), ..row(&scenario, self.seed) }],
        };
        let store = folder.join("store");
        let mut rows = vec![self.judged(&scenario, &record, &store, Mask::Nothing)];
        if self.masks {
            for mask in Mask::MASKS {
                let other = folder.join("masked");
                let made = clear(&other).and_then(|()| masked(&store, &other, mask));
                rows.push(match made {
                    Ok(()) => self.judged(&scenario, &record, &other, mask),
                    Err(e) => Row { mask, not_counted: format!("{e:#}"), ..row(&scenario, self.seed) },
                });
                let _ = clear(&other);
            }
        }
        rows
    }

    /// Plays a scenario with its cause alone, and what its verdict says would have been.
    ///
    /// # Errors
    /// The first could not be played, or nothing is said of it.
    pub fn what_ifs(&self, scenario: &Scenario, progress: &Progress) -> Result<Vec<what_if::Row>> {
        let base = what_if::base(scenario);
        let played = self.kept_or_played(&base, &kept(&format!("{}-as-it-was", base.name), self.seed), progress)?;
        let store = kept(&format!("{}-as-it-was", base.name), self.seed).join("store");
        let document = verdict(&self.lastgasp, &base.service.name, &store)?;
        let mut rows = Vec::new();
        for (n, what) in what_if::of(scenario, &document).into_iter().enumerate() {
            progress.say(&format!("{}: {}", scenario.name, what.act));
            let folder = kept(&format!("{}-what-if-{n}", scenario.name), self.seed);
            // A world that could not be made measures nothing, and is told.
            let after = self.kept_or_played(&what.scenario, &folder, progress);
            let was = after.as_ref().ok().and_then(|r| what_if::measured(&base, what.measure, &played, r));
            if let Err(e) = after {
                progress.say(&format!("{}: not played: {e:#}", what.act));
            }
            let name = scenario.name.clone();
            rows.push(what_if::Row {
                scenario: name,
                act: what.act,
                measure: what.measure,
                said: what.said,
                between: what.between,
                was,
            });
        }
        Ok(rows)
    }

    fn kept_or_played(&self, scenario: &Scenario, folder: &Path, progress: &Progress) -> Result<Record> {
        let record = Record::load(&folder.join("played.json"));
        match record.ok().filter(|r| self.again && r.scenario == scenario.name) {
            Some(record) => Ok(record),
            None => play(scenario, self.seed, &self.lastgasp, folder, progress).map(|p| p.record),
        }
    }

    fn judged(&self, scenario: &Scenario, record: &Record, store: &Path, mask: Mask) -> Row {
        let mut row = Row {
            mask,
            kills: record.kills().count(),
            told_after_ms: told_after(record),
            busy: record.pressure.busy,
            not_counted: not_as_told(scenario, record),
            ..row(scenario, self.seed)
        };
        match verdict(&self.lastgasp, &scenario.service.name, store) {
            Ok(document) => {
                row.judgement = judge(scenario, record, &document, mask);
                let file = store.parent().map(|p| p.join(format!("verdict-{}.json", mask.name())));
                let text = serde_json::to_string_pretty(&document).unwrap_or_default();
                // For who looks into it; the judgement does not need it.
                let _ = file.map(|f| fs::write(f, text));
            }
            // A command that fails is a wrong verdict, and no reason not to count it.
            Err(e) => {
                row.judgement = Judgement { sentence: format!("{e:#}"), kind: "failed".into(), ..Judgement::default() }
            }
        }
        row
    }
}

fn row(scenario: &Scenario, seed: u64) -> Row {
    let truth = format!("{} {}", scenario.truth.kind, scenario.truth.key.all().join("|"));
    Row {
        name: scenario.name.clone(),
        family: scenario.family.clone(),
        truth: truth.trim().to_owned(),
        hold_out: scenario.hold_out,
        seed,
        ..Row::default()
    }
}

/// Why a play is not what its scenario says; empty: it is.
fn not_as_told(scenario: &Scenario, record: &Record) -> String {
    let kills = record.kills().count();
    if !record.failures.is_empty() {
        return record.failures.join("; ");
    }
    if scenario.truth.lives && kills > 0 {
        return format!("{kills} were killed though nobody should be");
    }
    if !scenario.truth.lives && kills == 0 {
        return "nobody was killed".into();
    }
    String::new()
}

/// From the first kill to the first message of the daemon that is one of an incident.
fn told_after(record: &Record) -> Option<i64> {
    let kill = record.first_kill()?;
    let is_incident = |body: &str| body.contains("lastgasp.incident");
    record.told.iter().find(|t| t.at_unix_ms >= kill && is_incident(&t.body)).map(|t| t.at_unix_ms - kill)
}

fn clear(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    Ok(())
}
