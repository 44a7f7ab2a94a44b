//! Releases: told by feeds, or by the processes themselves, whose builds and starts need none. What counts
//! most is who dies: a version that dies alone, or all of them.

use lastgasp_diagnosis::units::{count, seconds};

use super::weights::{
    ANOTHER_STORY, BASE_CHANGE, BEFORE_AND_AFTER, DISCRIMINATES, DOES_NOT, HAD_LIVED, JUMP_AGAINST_OTHERS,
};
use super::{Cause, Kind, Scene};
use crate::changes::{is_version, time, weigh};
use crate::clock::clock;
use crate::cohorts::{Label, Says, version};
use crate::evidence::{Change, ChangeKind, UnixMs};

/// Releases that are weighed, the latest.
const MAX: usize = 16;
/// A version that had lived this much longer than it takes to die is not what kills by itself.
const LIVED: i64 = 10;

pub(super) fn causes(scene: &Scene<'_>) -> Vec<Cause> {
    let label = scene.label("version");
    let mut out = Vec::new();
    let mut told: Vec<String> = Vec::new();
    let is_release = |c: &(usize, &&Change)| {
        scene.stands(c.0)
            && matches!(c.1.kind, ChangeKind::Release | ChangeKind::Code)
            && (c.1.scope.services.is_empty() || c.1.scope.services.iter().any(|s| s == scene.service))
    };
    let mine: Vec<(usize, &&Change)> = scene.changes.iter().enumerate().filter(is_release).collect();
    for (index, change) in mine.into_iter().rev().take(MAX) {
        let key = if change.to.is_empty() { change.key.clone() } else { change.to.clone() };
        let mut cause = Cause::new(Kind::Release, key.clone(), BASE_CHANGE);
        weigh(scene, change, &mut cause);
        // Names of releases are not names of code.
        cause.terms.retain(|t| t.name != "name");
        told.push(change.to.clone());
        let put_out = put_out(scene, &change.to, change.at_unix_ms);
        told.push(put_out.clone());
        who_died(scene, label, &put_out, Some(change.at_unix_ms), &mut cause);
        cause.at = Some(change.at_unix_ms);
        cause.change = Some(index);
        let from = if change.from.is_empty() { String::new() } else { format!(" (before: {})", change.from) };
        cause.sentence = format!("release {key} of {}{from} at {}", scene.service, clock(change.at_unix_ms));
        let to = if change.from.is_empty() { "the version before" } else { change.from.as_str() };
        cause.undo = format!("roll {} back to {to}", scene.service);
        out.push(cause);
    }
    out.extend(by_processes(scene, label, &told));
    out
}

/// A version that the processes show: when its first was started, and that others of another version were
/// there before or beside it.
fn by_processes(scene: &Scene<'_>, label: Option<&Label>, told: &[String]) -> Option<Cause> {
    let mut first: std::collections::BTreeMap<String, (UnixMs, UnixMs)> = std::collections::BTreeMap::new();
    for l in scene.all.iter().filter(|l| l.of.started_unix_ms > 0) {
        let v = version(&l.of);
        if v.is_empty() {
            continue;
        }
        let known = first.entry(v).or_insert((l.of.started_unix_ms, l.of.started_unix_ms));
        known.0 = known.0.min(l.of.started_unix_ms);
        known.1 = known.1.max(l.of.started_unix_ms);
    }
    // The one whose first process came last, before memory grew.
    let before = first.iter().filter(|(_, (at, _))| scene.before_onset(*at) >= 0);
    let (newest, (at, _)) = before.max_by_key(|(_, (at, _))| *at)?;
    let other = first.iter().filter(|(v, _)| *v != newest).max_by_key(|(_, (_, last))| *last)?;
    let is_told = |t: &String| is_version(t, newest);
    if told.iter().any(is_told) {
        return None;
    }
    let mut cause = Cause::new(Kind::Release, newest.clone(), BASE_CHANGE);
    let change = Change { at_unix_ms: *at, ..Change::default() };
    cause.terms.push(time(scene, &change));
    who_died(scene, label, newest, Some(*at), &mut cause);
    cause.at = Some(*at);
    cause.sentence = format!(
        "version {newest} of {}, first started at {} by its processes (before: {}); no feed told of it",
        scene.service,
        clock(*at),
        other.0
    );
    cause.undo = format!("roll {} back to {}", scene.service, other.0);
    Some(cause)
}

/// The version of the processes that a release has put out: that of its name, or else, where no process has
/// one of that name, the one whose first process was started soonest after it.
fn put_out(scene: &Scene<'_>, named: &str, at: UnixMs) -> String {
    /// Until its first process is there.
    const SOON_MS: i64 = 10 * 60_000;
    let mut first: std::collections::BTreeMap<String, UnixMs> = std::collections::BTreeMap::new();
    for l in scene.all.iter().filter(|l| l.of.started_unix_ms > 0) {
        let v = version(&l.of);
        let known = first.entry(v).or_insert(l.of.started_unix_ms);
        *known = (*known).min(l.of.started_unix_ms);
    }
    if let Some((v, _)) = first.iter().find(|(v, _)| is_version(named, v)) {
        return v.clone();
    }
    let soon = first
        .iter()
        .filter(|(v, t)| !v.is_empty() && **t >= at.saturating_sub(2_000) && **t <= at.saturating_add(SOON_MS));
    soon.min_by_key(|(_, t)| **t).map_or_else(|| named.to_owned(), |(v, _)| v.clone())
}

/// What the cohorts say of a version.
fn who_died(scene: &Scene<'_>, label: Option<&Label>, version_of: &str, at: Option<UnixMs>, cause: &mut Cause) {
    let jump = scene.jump_of_the_growth();
    match label {
        Some(l) if l.says == Says::Discriminates => {
            let is_it = version_of.is_empty() || is_version(version_of, &l.culprit);
            cause.term("who died", if is_it { DISCRIMINATES } else { DOES_NOT }, l.text.clone());
            cause.decisive = is_it && !version_of.is_empty() && jump.is_none();
        }
        Some(l) if l.says == Says::DoesNot => cause.term("who died", DOES_NOT, l.text.clone()),
        Some(l) => {
            cause.term("who died", 0.0, l.text.clone());
            before_and_after(scene, version_of, at, cause);
        }
        None => cause.term("who died", 0.0, "unknown: no version is known of the processes"),
    }
    // Whoever is asked more often, or waits for somebody slow, needs no release to die.
    let other = scene.order.iter().find(|o| {
        let outside =
            o.series == "first attempts" || o.series.starts_with("latency of ") || o.series.starts_with("errors of ");
        let outside = outside || super::outside::answers_later(scene, o);
        outside && o.relation == crate::order::Relation::Before
    });
    if let Some(o) = other {
        cause.term("series", ANOTHER_STORY, o.text.clone());
    }
    let (sure, others) = scene.verdict("others-in-group");
    if others > 0.5 && sure >= 0.6 && scene.part_of_lives(super::seen::fills_files) <= 0.5 {
        cause.term("captures", ANOTHER_STORY * 2.0, "others fill the group, and not this service");
    }
    if let Some(j) = jump {
        let text = format!("what fills the memory came with {}, and not with a version", j.best.collection.owner);
        cause.term("in the heaps", JUMP_AGAINST_OTHERS, text);
    }
}

/// Where all were replaced: did those before live, and for how long did this version live before it died?
fn before_and_after(scene: &Scene<'_>, version_of: &str, at: Option<UnixMs>, cause: &mut Cause) {
    let Some(at) = at else { return };
    let is_of = |l: &&&crate::life::Life<'_>| is_version(version_of, &version(&l.of));
    let before: Vec<_> =
        scene.all.iter().filter(|l| !is_of(l) && l.of.started_unix_ms > 0 && l.of.started_unix_ms < at).collect();
    let lived = before
        .iter()
        .map(|l| at.min(l.of.ended_unix_ms.unwrap_or(at)).saturating_sub(l.of.started_unix_ms))
        .max()
        .unwrap_or(0);
    let died_before = before.iter().filter(|l| l.killed().is_some_and(|k| k < at)).count();
    let took = scene.onset.saturating_sub(at).max(1000);
    if !before.is_empty() && died_before == 0 && lived >= took {
        let text = format!(
            "{} processes of other versions had lived for {} and more without a kill; this one grew {} after it came",
            count(before.len() as u64),
            seconds(lived as f64 / 1e3),
            seconds(took as f64 / 1e3)
        );
        cause.term("before and after", BEFORE_AND_AFTER, text);
    } else if died_before > 0 {
        let text = format!("{died_before} processes of other versions had been killed before it came");
        cause.term("before and after", DOES_NOT / 2.0, text);
    }
    let growth = scene.best.and_then(|c| c.window).map_or(0, |w| w.end_unix_ms.saturating_sub(w.onset_unix_ms));
    if scene.onset_is_known && growth > 0 && took > growth.saturating_mul(LIVED) && took > 3_600_000 {
        let text = format!(
            "it had been there for {} when memory began to grow, within {}",
            seconds(took as f64 / 1e3),
            seconds(growth as f64 / 1e3)
        );
        cause.term("had lived", HAD_LIVED, text);
    }
}
