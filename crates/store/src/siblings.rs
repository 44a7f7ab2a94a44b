//! Captures of the same death in a store, and deaths of the same service before it: by the manifests alone.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use lastgasp_capture::{Capture, list};
use lastgasp_diagnosis::Facts;
use lastgasp_diagnosis::facts::{DeathsBefore, Phase, Reason};
use serde_json::Value;

/// Captures from before a death that are told with it, the newest ones.
const MAX_BEFORE: usize = 4;
/// What was captured longer before the end is another story. Real services have stood at their limit for six
/// minutes before the kernel killed them (centrifugo).
const BEFORE: Duration = Duration::from_secs(15 * 60);
/// The same for a process whose start is not known: its number may be another's by then.
const BEFORE_UNSURE: Duration = Duration::from_secs(60);
/// Manifests that are opened at most: a store is where others may write too.
const MAX_OPENED: usize = 2048;
/// From a death to the start of the process after it, and from there to its own end, for the one to say
/// something of the other.
const GENERATION: Duration = Duration::from_secs(600);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Another capture of the same death.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sibling {
    pub(crate) path: PathBuf,
    /// Name of its folder.
    pub(crate) folder: String,
}

/// What stands beside a capture.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Siblings {
    /// Captures of the same process from shortly before, oldest first.
    pub(crate) before: Vec<Sibling>,
    /// The capture from after its end; of a capture from before it.
    pub(crate) after: Option<Sibling>,
    /// Deaths of the same service before.
    pub(crate) deaths_before: DeathsBefore,
    /// The capture from after the last of them before this process was started, if that was not long after.
    pub(crate) generation_before: Option<Sibling>,
}

/// A capture by its manifest.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    sibling: Sibling,
    taken: Timestamp,
    phase: Phase,
    reason: Reason,
    target: Value,
}

impl Entry {
    /// `None` of one that does not say when it was taken.
    pub(crate) fn of(path: &Path, capture: &Capture) -> Option<Self> {
        let manifest = capture.manifest();
        Some(Self {
            taken: manifest.taken_at.parse().ok()?,
            phase: manifest.phase.as_str().into(),
            reason: manifest.reason.as_str().into(),
            target: manifest.target.clone(),
            sibling: Sibling { folder: path.file_name()?.to_string_lossy().into_owned(), path: path.into() },
        })
    }

    /// Name of its folder.
    pub(crate) fn folder(&self) -> &str {
        &self.sibling.folder
    }

    /// Process, by all that tells processes of one number apart.
    fn process(&self) -> [&Value; 4] {
        ["pid", "service", "started_at", "build_id"].map(|key| &self.target[key])
    }
}

impl Siblings {
    /// Those of a capture with these facts in `store`.
    pub(crate) fn of(facts: &Facts, store: &Path) -> Self {
        Self::among(facts, &entries(store, facts.target.pid).collect::<Vec<_>>())
    }

    /// The same among captures that are known.
    pub(crate) fn among(facts: &Facts, captures: &[Entry]) -> Self {
        let Ok(taken) = facts.capture.taken_at.parse::<Timestamp>() else { return Self::default() };
        let target = &facts.target;
        let started = lastgasp_report::started_at(target.started_unix).map_or(Value::Null, Value::from);
        let build = target.build_id.clone().map_or(Value::Null, Value::from);
        let process = [&Value::from(target.pid), &Value::from(target.service.as_str()), &started, &build];
        let within = if started.is_null() { BEFORE_UNSURE } else { BEFORE };
        let (mut before, mut after, mut deaths) = (Vec::new(), Vec::new(), Vec::new());
        for e in captures {
            let same = e.process() == process;
            match e.phase {
                Phase::PreKill if same && e.taken < taken && e.taken + within >= taken => before.push(e),
                Phase::PostKill if same && e.taken > taken => after.push(e),
                Phase::PostKill if !same && e.taken < taken && is_death_of(e, &target.service) => deaths.push(e),
                _ => {}
            }
        }
        before.sort_by_key(|e| e.taken);
        after.sort_by_key(|e| e.taken);
        let newest = before.split_off(before.len().saturating_sub(MAX_BEFORE));
        Self {
            before: newest.into_iter().map(|e| e.sibling.clone()).collect(),
            after: after.first().map(|e| e.sibling.clone()),
            deaths_before: count(&deaths, taken),
            generation_before: generation_before(&deaths, target.started_unix, taken),
        }
    }
}

/// The death that a process was started after.
fn generation_before(deaths: &[&Entry], started_unix: u64, taken: Timestamp) -> Option<Sibling> {
    let started = Timestamp::from_second(i64::try_from(started_unix).ok().filter(|s| *s > 0)?).ok()?;
    // Who has run for long began with nobody that waited for it.
    if started + GENERATION < taken {
        return None;
    }
    // Starts are known in whole seconds, and a capture is taken a moment after its death.
    let near = |e: &&&Entry| e.taken <= started + Duration::from_secs(2) && e.taken + GENERATION >= started;
    deaths.iter().filter(near).max_by_key(|e| e.taken).map(|e| e.sibling.clone())
}

fn is_death_of(e: &Entry, service: &str) -> bool {
    e.reason == Reason::OomKill && e.target["service"] == *service
}

/// Deaths, each once, however many captures there are of it.
fn count(deaths: &[&Entry], taken: Timestamp) -> DeathsBefore {
    let within = |time: Duration| deaths.iter().filter(move |e| e.taken + time >= taken);
    let number = |time| within(time).map(|e| e.process().map(Value::to_string)).collect::<BTreeSet<_>>().len() as u64;
    let since = within(DAY).map(|e| e.taken).min().map(|t| format!("{t:.0}"));
    DeathsBefore { last_hour: number(HOUR), last_day: number(DAY), since, last: None }
}

/// Captures of a process number, and those from after the deaths of any: by the names of their folders, then
/// by their manifests. Folders of other users are none of ours, whatever they say.
fn entries(store: &Path, pid: i32) -> impl Iterator<Item = Entry> {
    let owner = fs::metadata(store).map(|m| m.uid()).ok();
    let ours = move |p: &PathBuf| {
        let by = fs::symlink_metadata(p).map(|m| m.uid()).ok();
        by.is_some() && (by == owner || by == Some(nix::unistd::geteuid().as_raw()))
    };
    let of_pid = format!("-{pid}-");
    let wanted = move |p: &PathBuf| {
        let name = p.file_name().unwrap_or_default().to_string_lossy();
        name.contains(&of_pid) || name.contains(Phase::PostKill.name())
    };
    // Names begin with the time: the newest ones.
    list(store).into_iter().rev().filter(wanted).take(MAX_OPENED).filter(ours).filter_map(|path| {
        let capture = Capture::open(&path).ok()?;
        Entry::of(&path, &capture)
    })
}
