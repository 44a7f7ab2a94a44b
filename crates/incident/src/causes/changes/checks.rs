//! The six questions of first aid: release, configuration, code, platform and tools, dependencies, admin
//! platforms. Each has an answer, and where nobody tells of such changes the answer is that.

use lastgasp_diagnosis::units::{count, plural};

use crate::causes::{Cause, Kind, Scene};
use crate::clock::clock;
use crate::cohorts::version;
use crate::evidence::{Change, ChangeKind, UnixMs};

/// Time before the onset of which the rows tell.
const BEFORE_MS: i64 = 24 * 3_600_000;

/// Changes of a row that are told one by one.
const MAX_TOLD: usize = 16;

/// The answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckState {
    /// There was such a change.
    Found,
    /// Who would know tells of none.
    NotFound,
    /// Nobody tells of such changes.
    NoFeed,
}

impl CheckState {
    /// As in JSON and for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::NotFound => "not found",
            Self::NoFeed => "NO FEED CONNECTED",
        }
    }
}

/// A row.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// `release`, `config`, `code`, `platform`, `dependency`, `admin`.
    pub name: &'static str,
    /// Title for people.
    pub title: &'static str,
    /// The answer.
    pub state: CheckState,
    /// In words: which, when, and what to roll back to.
    pub text: String,
    /// Changes that it is about, the likeliest first; of many the first.
    pub changes: Vec<Change>,
}

/// The six rows, always. `causes` are ranked.
#[must_use]
pub(crate) fn checks(scene: &Scene<'_>, causes: &[Cause]) -> Vec<Check> {
    let rows: [(&'static str, &'static str, &[ChangeKind]); 6] = [
        ("release", "release", &[ChangeKind::Release]),
        ("config", "configuration", &[ChangeKind::Config, ChangeKind::Environment, ChangeKind::Limit]),
        ("code", "code", &[ChangeKind::Code]),
        ("platform", "platform and tools", &[ChangeKind::Platform, ChangeKind::Scale, ChangeKind::Traffic]),
        ("dependency", "dependencies", &[ChangeKind::Dependency]),
        ("admin", "admin platform", &[ChangeKind::Admin]),
    ];
    rows.into_iter().map(|(name, title, kinds)| row(scene, causes, name, title, kinds)).collect()
}

fn row(scene: &Scene<'_>, causes: &[Cause], name: &'static str, title: &'static str, kinds: &[ChangeKind]) -> Check {
    let from = scene.onset.saturating_sub(BEFORE_MS);
    let in_time = |c: &Change| c.at_unix_ms >= from && c.at_unix_ms <= scene.between.1;
    // A configuration that a platform has published is a change of that platform too.
    let is_of =
        |c: &Change| kinds.contains(&c.kind) || (name == "admin" && c.kind == ChangeKind::Config && is_platform(&c.by));
    let mut mine: Vec<usize> =
        scene.changes.iter().enumerate().filter(|(_, c)| is_of(c) && in_time(c)).map(|(i, _)| i).collect();
    // Of a month there may be a hundred thousand: each is looked up, and not looked for.
    let odds: std::collections::BTreeMap<usize, f64> =
        causes.iter().rev().filter_map(|c| Some((c.change?, c.log_odds))).collect();
    let stands_for = |i: &usize| scene.stands_for.get(*i).copied().unwrap_or(*i);
    let of = |i: &usize| odds.get(&stands_for(i)).copied().unwrap_or(f64::NEG_INFINITY);
    mine.sort_by(|a, b| of(b).total_cmp(&of(a)).then(b.cmp(a)));
    let connected: Vec<&str> = scene
        .feeds
        .iter()
        .filter(|f| f.kinds.iter().any(|k| kinds.contains(k)) && f.since_unix_ms > 0 && f.since_unix_ms <= scene.onset)
        .map(|f| f.source.as_str())
        .collect();
    let holes: Vec<&str> = scene
        .feeds
        .iter()
        .filter(|f| {
            f.kinds.iter().any(|k| kinds.contains(k))
                && connected.contains(&f.source.as_str())
                && !f.covers(scene.onset.saturating_sub(3_600_000).max(f.since_unix_ms), scene.onset)
        })
        .map(|f| f.source.as_str())
        .collect();
    let hole = if holes.is_empty() { String::new() } else { format!("; {} had a hole in that time", holes.join(", ")) };
    let inside = inside(scene, causes, name);
    let feed = if connected.is_empty() {
        "no feed of such changes is connected".to_owned()
    } else {
        format!("by {}", connected.join(", "))
    };
    let (state, text) = match (mine.as_slice(), inside, connected.is_empty()) {
        ([], Some((state, text)), _) => (state, format!("{text}; {feed}{hole}")),
        ([], None, false) => (CheckState::NotFound, format!("none in the 24 h before, {feed}{hole}")),
        ([], None, true) => {
            (CheckState::NoFeed, "lastgasp does not see these changes: ask whoever makes them".to_owned())
        }
        (mine, inside, _) => {
            let shown = mine.iter().take(3).filter_map(|i| Some(one(scene, scene.changes.get(*i)?, *i, causes)));
            let more = if mine.len() > 3 { format!(", and {} more", mine.len() - 3) } else { String::new() };
            let also = inside.map_or_else(String::new, |(_, t)| format!("; {t}"));
            (CheckState::Found, format!("{}{more}{also}{hole}", shown.collect::<Vec<_>>().join("; ")))
        }
    };
    let told = mine.iter().take(MAX_TOLD).filter_map(|i| scene.changes.get(*i));
    Check { name, title, state, text, changes: told.map(|c| (*c).clone()).collect() }
}

/// Whether a name of who made a change is that of a platform for people: not a feed's own, nor a pipeline's.
fn is_platform(by: &str) -> bool {
    let by = by.to_lowercase();
    ["admin", "ops", "console", "cms", "portal", "backoffice", "operations"].iter().any(|w| by.contains(w))
}

/// What something was changed from or to, as people write it: limits are told in bytes.
pub(crate) fn value(c: &Change, told: &str) -> String {
    match told.parse::<u64>() {
        Ok(n) if c.kind == ChangeKind::Limit => lastgasp_diagnosis::units::bytes(n),
        _ => told.to_owned(),
    }
}

fn one(scene: &Scene<'_>, c: &Change, index: usize, causes: &[Cause]) -> String {
    let (from, to) = (value(c, &c.from), value(c, &c.to));
    let versions = match (from.as_str(), to.as_str()) {
        ("", "") => String::new(),
        ("", to) => format!(" -> {to}"),
        (from, to) => format!(" {from} -> {to}"),
    };
    let size = match (c.elements_before, c.elements) {
        (Some(a), Some(b)) => {
            format!(", {} -> {} elements", lastgasp_diagnosis::units::count(a), lastgasp_diagnosis::units::count(b))
        }
        (None, Some(b)) => format!(", {}", plural(b, "element")),
        _ => String::new(),
    };
    let index = scene.stands_for.get(index).copied().unwrap_or(index);
    let cause = causes.iter().find(|k| k.change == Some(index));
    let verdict = match (cause, causes.first()) {
        (Some(c), Some(first)) if std::ptr::eq(c, first) && c.kind != Kind::Unknown => {
            " <- the likeliest cause".to_owned()
        }
        (Some(c), _) => {
            let against =
                c.terms.iter().skip(1).filter(|t| t.log_odds <= -1.0).min_by(|a, b| a.log_odds.total_cmp(&b.log_odds));
            against.map_or_else(String::new, |t| format!(" (against it: {})", t.text))
        }
        _ if scene.before_onset(c.at_unix_ms) < -2000 => " (after memory had begun to grow)".to_owned(),
        _ => String::new(),
    };
    let by = if c.by.is_empty() { &c.source } else { &c.by };
    format!("{}{versions} at {} by {by}{size}{verdict}", c.key, clock(c.at_unix_ms))
}

/// What needs no feed: builds and starts of processes, and collections that jumped.
fn inside(scene: &Scene<'_>, causes: &[Cause], name: &str) -> Option<(CheckState, String)> {
    let jump = causes.iter().find(|c| c.kind == Kind::Config && c.change.is_none() && c.log_odds > 0.0);
    match name {
        "config" => jump.map(|c| (CheckState::Found, format!("INSIDE THE HEAP: {}", c.sentence))),
        "admin" => None,
        "release" | "code" => {
            let from: UnixMs = scene.onset.saturating_sub(BEFORE_MS);
            let known: Vec<_> =
                scene.all.iter().filter(|l| l.of.started_unix_ms > 0 && !version(&l.of).is_empty()).collect();
            let mut versions: Vec<String> = known.iter().map(|l| version(&l.of)).collect();
            versions.sort();
            versions.dedup();
            let by_processes = causes
                .iter()
                .find(|c| c.kind == Kind::Release && c.change.is_none() && c.at.is_some_and(|a| a >= from));
            if let Some(c) = by_processes {
                return Some((CheckState::Found, c.sentence.clone()));
            }
            // Known only where a process was there before: else all may have been replaced.
            let before = known.iter().filter(|l| l.of.started_unix_ms < scene.onset).count();
            if versions.len() == 1 && before > 0 {
                let n = known.len() as u64;
                return Some((
                    CheckState::NotFound,
                    format!("the {} processes that are known all run {}", count(n), versions.join(", ")),
                ));
            }
            None
        }
        _ => None,
    }
}
