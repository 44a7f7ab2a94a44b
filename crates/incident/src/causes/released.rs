//! Releases: told by feeds, or by the processes themselves, whose builds and starts need none. What counts
//! most is who dies: a version that dies alone, or all of them.

use lastgasp_diagnosis::units::{count, seconds};

use super::weights::{
    ANOTHER_STORY, BASE_CHANGE, BEFORE_AND_AFTER, DISCRIMINATES, DOES_NOT, FEW_MOST, HAD_LIVED, JUMP_AGAINST_OTHERS,
    OTHERS_DIE_LATER, OTHERS_DIE_TOO, OTHERS_LIVE_ON,
};
use super::{Cause, Kind, Scene};
use crate::causes::changes::{is_version, time, weigh};
use crate::clock::clock;
use crate::cohorts::{Cohort, Label, Says, version};
use crate::evidence::{Change, ChangeKind, UnixMs};
use crate::life::Life;
use crate::statistics::robust::median;
use crate::statistics::two_rates::ln_bayes_factor;

/// Releases that are weighed, the latest.
const MAX: usize = 16;
/// From so many times as long as this one took on processes of other versions have lived long before.
const LIVED_LONGER: f64 = 3.0;
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
    // Beside one that came later it is the older one (seen blind in lab/cluster: a canary with the cure, and
    // "the leak came with" what it had replaced).
    let older = first.iter().filter(|(v, (since, _))| *v != newest && since <= at);
    let other = older.max_by_key(|(_, (_, last))| *last)?;
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
            cause.term("who died", of_few(l, version_of), l.text.clone());
            if !others_die_too(scene, version_of, cause) {
                before_and_after(scene, version_of, at, cause);
                ran_without_it(scene, version_of, cause);
                others_live_on(scene, version_of, cause);
            }
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
    super::seen::against_others_in_the_group(scene, cause);
    if let Some(j) = jump {
        let text = format!("what fills the memory came with {}, and not with a version", j.best.collection.owner);
        cause.term("in the heaps", JUMP_AGAINST_OTHERS, text);
    }
}

/// What too few to test say: the Bayes factor of this version dying at a rate of its own.
fn of_few(label: &Label, version_of: &str) -> f64 {
    let (mine, others): (Vec<_>, Vec<_>) = label.cohorts.iter().partition(|c| is_version(version_of, &c.value));
    let sum = |of: &[&Cohort]| of.iter().fold((0, 0), |(k, n), c| (k + c.killed, n + c.lives));
    let (mine, others) = (sum(&mine), sum(&others));
    if mine.1 == 0 || others.1 == 0 {
        return 0.0;
    }
    let more = mine.0 as f64 / mine.1 as f64 > others.0 as f64 / others.1 as f64;
    let factor = ln_bayes_factor(mine, others).clamp(-FEW_MOST, FEW_MOST);
    // Others that die at a higher rate speak against it, as much as its own would for it.
    if more || factor < 0.0 { factor } else { -factor }
}

/// Whether processes of other versions died too: no code kills where it does not run. Of one that dies later
/// the load of those that died first may be the cause. (Seen in lab/cluster: a service behind became slow,
/// and a canary one second later was blamed for three deaths of the old version in the same fifth of a
/// second.)
fn others_die_too(scene: &Scene<'_>, version_of: &str, cause: &mut Cause) -> bool {
    let killed = |is_it: bool| {
        let of = scene.dead.iter().filter(move |l| {
            let v = version(&l.of);
            !v.is_empty() && is_version(version_of, &v) == is_it
        });
        of.filter_map(|l| l.killed()).collect::<Vec<UnixMs>>()
    };
    let (mine, others) = (killed(true), killed(false));
    let Some(first) = others.iter().min() else { return false };
    // As long again as the first of them took to die after memory had begun to grow.
    let soon = mine.iter().min().map_or(scene.between.0, |m| *m);
    let soon = soon.saturating_add(soon.saturating_sub(scene.onset).clamp(1000, 60_000) / 2);
    let n = count(others.len() as u64);
    if *first <= soon {
        let text = format!("{n} processes of other versions were killed as well, about when the first of its own was");
        cause.term("others die too", OTHERS_DIE_TOO, text);
    } else {
        let later = seconds(first.saturating_sub(scene.between.0) as f64 / 1e3);
        let text = format!("{n} processes of other versions were killed as well, the first of them {later} later");
        cause.term("others die too", OTHERS_DIE_LATER, text);
    }
    *first <= soon
}

/// Processes of the same version that are older than the dead were, and live: what kills comes not to all who
/// run it.
fn others_live_on(scene: &Scene<'_>, version_of: &str, cause: &mut Cause) {
    let is_of = |l: &&&Life<'_>| is_version(version_of, &version(&l.of)) && l.of.started_unix_ms > 0;
    let ages =
        scene.dead.iter().filter(|l| is_of(l)).filter_map(|l| Some(l.killed()?.saturating_sub(l.of.started_unix_ms)));
    let Some(oldest) = ages.max() else { return };
    let alive = scene.all.iter().filter(is_of).filter(|l| {
        let until = l.of.ended_unix_ms.unwrap_or(scene.between.1);
        // Those that were started a moment later are as old, if they live when the last of the dead has died.
        let enough = oldest.saturating_sub(oldest / 10);
        l.killed().is_none() && until.saturating_sub(l.of.started_unix_ms) >= enough
    });
    let (alive, dead) = (alive.count(), scene.dead.iter().filter(|l| is_of(l)).count());
    if alive > 0 {
        let text = format!("{alive} processes of this version are as old as the dead were, and live");
        cause.term("others live on", OTHERS_LIVE_ON * alive as f64 / (alive + dead) as f64, text);
    }
}

/// Whether its processes had run at rest for some time, and then the place of the growth began to allocate
/// many times as fast as in their life before: what a version does by itself it does from its start. (Seen in
/// lab/cluster: exports were asked for seven seconds after a harmless release, in its own processes, and the
/// release was named.)
fn ran_without_it(scene: &Scene<'_>, version_of: &str, cause: &mut Cause) {
    /// So long at the least, with requests, and so many times as fast.
    const LEAST_MS: i64 = 5_000;
    const MANY_TIMES: f64 = 100.0;
    let mine = scene.dead.iter().filter(|l| l.of.started_unix_ms > 0 && is_version(version_of, &version(&l.of)));
    let known: Vec<(i64, f64)> = mine
        .filter_map(|l| {
            let rested = l.memory_onset()?.earliest.saturating_sub(l.of.started_unix_ms);
            Some((rested, l.best()?.growth.pace?))
        })
        .collect();
    let longest = known.iter().filter(|(rested, pace)| *rested >= LEAST_MS && *pace >= MANY_TIMES);
    let (n, longest) = longest.fold((0, 0), |(n, most), (rested, _)| (n + 1, most.max(*rested)));
    if n * 2 > known.len() {
        let text = format!(
            "{n} of its processes had run for up to {} before the place of the growth allocated {MANY_TIMES:.0} times \
             as fast as before, and more: something set that off",
            seconds(longest as f64 / 1e3)
        );
        cause.term("ran without it", HAD_LIVED, text);
    }
}

/// Processes from before a release that had as much memory at their end as the dead had at that age, where
/// that was growth already; with the shortest of their lives. `None` where they are less than half of those
/// that can be compared.
fn grew_alike(scene: &Scene<'_>, before: &[&&Life<'_>], at: UnixMs) -> Option<(usize, i64)> {
    /// A younger one says nothing: a program that starts loads first.
    const OLD_ENOUGH_MS: i64 = 5_000;
    /// Part of the growth of the dead that must have been there at that age.
    const GROWN: f64 = 0.25;
    /// What others had, beside the dead at that age.
    const AS_MUCH: f64 = 0.8;
    // Of each of the dead that was seen from its start on: what it had at an age, and whether that was
    // growth.
    let at_age = |age: i64| -> Option<(f64, bool)> {
        let of = scene.dead.iter().filter_map(|l| {
            let points = &l.best()?.memory;
            let (first, last) = (points.first()?, points.last()?);
            let then = l.of.started_unix_ms.saturating_add(age);
            let had = points.iter().rev().find(|p| p.unix_ms <= then).filter(|_| last.unix_ms > then)?;
            let grown = had.value - first.value >= (last.value - first.value) * GROWN;
            Some((had.value, f64::from(u8::from(grown))))
        });
        let (had, grown): (Vec<f64>, Vec<f64>) = of.unzip();
        Some((median(&had)?, median(&grown)? > 0.5))
    };
    let compared = before.iter().filter_map(|l| {
        let ended = l.of.ended_unix_ms.filter(|e| l.killed().is_none() && *e <= at.saturating_add(60_000))?;
        let age = ended.saturating_sub(l.of.started_unix_ms);
        let (had, grown) = at_age(age).filter(|_| age >= OLD_ENOUGH_MS)?;
        Some((age, grown && l.of.peak_bytes? as f64 >= had * AS_MUCH))
    });
    let compared: Vec<(i64, bool)> = compared.collect();
    let alike: Vec<i64> = compared.iter().filter(|(_, alike)| *alike).map(|(age, _)| *age).collect();
    let youngest = alike.iter().min()?;
    (alike.len() * 2 > compared.len()).then_some((alike.len(), *youngest))
}

/// Where all were replaced: did those before live, and for how long did this version live before it died?
fn before_and_after(scene: &Scene<'_>, version_of: &str, at: Option<UnixMs>, cause: &mut Cause) {
    let Some(at) = at else { return };
    let is_of = |l: &&&Life<'_>| is_version(version_of, &version(&l.of));
    let before: Vec<_> =
        scene.all.iter().filter(|l| !is_of(l) && l.of.started_unix_ms > 0 && l.of.started_unix_ms < at).collect();
    let lived = before
        .iter()
        .map(|l| at.min(l.of.ended_unix_ms.unwrap_or(at)).saturating_sub(l.of.started_unix_ms))
        .max()
        .unwrap_or(0);
    let died_before = before.iter().filter(|l| l.killed().is_some_and(|k| k < at)).count();
    // They need not have died for that (seen blind in lab/cluster: a leak that a release and its rollback
    // both began anew, and "roll back to 1.42.0").
    if let Some((n, age)) = grew_alike(scene, &before, at) {
        let text = format!(
            "{n} of {} processes of other versions had grown as fast by the age of {}",
            count(before.len() as u64),
            seconds(age as f64 / 1e3)
        );
        cause.term("grew alike", OTHERS_DIE_TOO, text);
        return;
    }
    // What was never seen at rest may have begun long after its start: then it took as long as until a third
    // of the growth was there. (Seen in lab/cluster: memory mapped by hand from the twelfth second of a
    // harmless release on, whose growth counted from its start.)
    let grew = if scene.onset_is_known { scene.onset } else { scene.third.max(scene.onset) };
    let took = grew.saturating_sub(at).max(1000);
    if !before.is_empty() && died_before == 0 && lived >= took {
        let text = format!(
            "{} processes of other versions had lived for {} and more without a kill; this one grew {} after it came",
            count(before.len() as u64),
            seconds(lived as f64 / 1e3),
            seconds(took as f64 / 1e3)
        );
        // The longer they had lived than this one took, the more it says.
        let longer = (lived as f64 / took as f64 / LIVED_LONGER).min(1.0);
        cause.term("before and after", BEFORE_AND_AFTER * longer, text);
    } else if died_before > 0 {
        let text = format!("{died_before} processes of other versions had been killed before it came");
        cause.term("before and after", DOES_NOT / 2.0, text);
    }
    let growth = scene.best.and_then(|c| c.window).map_or(0, |w| w.end_unix_ms.saturating_sub(w.onset_unix_ms));
    // It had been at rest for long; or, all at once whatever their age, it was not: then something came to
    // all.
    let at_once = scene.spread.as_ref().is_some_and(|s| s.common);
    let long = took > growth.saturating_mul(LIVED) && (at_once || took > 3_600_000);
    if scene.onset_is_known && growth > 0 && long {
        let text = format!(
            "it had been there for {} when memory began to grow, within {}",
            seconds(took as f64 / 1e3),
            seconds(growth as f64 / 1e3)
        );
        cause.term("had lived", HAD_LIVED, text);
    }
}
