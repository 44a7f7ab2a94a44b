//! Causes inside the process, by what its captures say: the collector, leaks, goroutines, memory outside the
//! heap, and the code that is asked for too much.

use lastgasp_diagnosis::units::{bytes, percent, seconds};

use super::seen::{
    LEAKED, OF_NO_CALL, WAITS_FOR_NOBODY, fills_files, leaks_goroutines, one_call_holds_it, waits_for_nobody,
};
use super::weights::{
    AT_ONCE_AGAINST_LEAK, BASE_OTHER, BY_AGE, DISCRIMINATES, FINDING, FINDS_OTHER, FITS, JUMP_AGAINST_OTHERS, STEADY,
};
use super::{Cause, Kind, Scene, is_of_the_collector};
use crate::cohorts::{Label, Says};
use crate::evidence::{CaptureSummary, ChangeKind, Generation};
use crate::order::Relation;

/// From here on a capture's own verdict counts as sure.
const SURE: f64 = 0.75;
/// Growth over less than this is no slow leak; over more than that it may be.
const FAST_MS: i64 = 30_000;
const SLOW_MS: i64 = 180_000;

pub(super) fn causes(scene: &Scene<'_>) -> Vec<Cause> {
    [gc(scene), leak(scene), goroutine_leak(scene), off_heap(scene), code_path(scene)].into_iter().flatten().collect()
}

fn against_jump(scene: &Scene<'_>, cause: &mut Cause) {
    if let Some(j) = scene.jump_of_the_growth() {
        let text =
            format!("{} of the growth is copies of what jumped in {}", percent(j.of_growth), j.best.collection.owner);
        cause.term("in the heaps", JUMP_AGAINST_OTHERS, text);
    }
}

fn said(scene: &Scene<'_>, codes: &[&str]) -> String {
    let of = scene.captures.iter().flat_map(|c| &c.findings).find(|f| codes.contains(&f.code.as_str()));
    of.map_or_else(String::new, |f| f.sentence.clone())
}

fn gc(scene: &Scene<'_>) -> Option<Cause> {
    let codes = ["collector-off", "collector-headroom"];
    let found: Vec<(f64, f64)> = codes.iter().map(|c| scene.finding(c)).collect();
    let (sure, part) = found.into_iter().max_by(|a, b| (a.0 * a.1).total_cmp(&(b.0 * b.1)))?;
    let set = |g: &Generation| (g.gogc, g.gomemlimit);
    // Of one instance the life before had other settings.
    let other = scene.dead.iter().find_map(|l| {
        let before = scene.all.iter().filter(|o| {
            o.of.instance == l.of.instance && o.of.started_unix_ms < l.of.started_unix_ms && o.of.gogc.is_some()
        });
        let before = before.max_by_key(|o| o.of.started_unix_ms)?;
        (l.of.gogc.is_some() && set(&before.of) != set(&l.of)).then(|| (before.of.clone(), l.of.clone()))
    });
    let busy = scene.part(|c| c.heap.gc_cpu_share.is_some_and(|s| s > 0.3) && c.heap.gomemlimit.is_some());
    let change = scene.changes.iter().enumerate().rev().find(|(_, c)| {
        matches!(c.kind, ChangeKind::Environment | ChangeKind::Config)
            && is_of_the_collector(&c.key)
            && scene.before_onset(c.at_unix_ms) >= -2000
    });
    let tells = ["GOGC", "GOMEMLIMIT"].iter().any(|name| tells_who_dies(scene, name).is_some());
    if part <= 0.0 && other.is_none() && busy <= 0.0 && change.is_none() && !tells {
        return None;
    }
    let off = scene.part(|c| c.heap.gogc.is_some_and(|g| g < 0)) > 0.5;
    // Where the collector was off before as well the soft limit is what held it (seen blind in lab/cluster:
    // MiB typed as GiB beside GOGC=off, and "put GOGC back to off").
    let limit_alone = other.as_ref().is_some_and(|(was, now)| was.gogc == now.gogc);
    let key = match (off, busy > 0.5) {
        _ if limit_alone => "GOMEMLIMIT",
        (true, _) => "GOGC=off",
        (false, true) => "GOMEMLIMIT",
        (false, false) => "GOGC",
    };
    let mut cause = Cause::new(Kind::Gc, key, BASE_OTHER);
    let may_be = scene.part(may_be_garbage) > 0.5;
    if part > 0.0 {
        cause.term("captures", FINDING * sure.max(0.5) * part, said(scene, &codes));
    } else if may_be {
        let text = "the collector's goal lay beyond the limit, and whether what came was garbage no capture could tell";
        cause.term("captures", 0.0, text);
    } else {
        cause.term("captures", FINDS_OTHER, "no capture says that the collector ran too late");
    }
    let tells = who_died(scene, key, part > 0.0 || may_be, &mut cause);
    if let Some((was, now)) = &other {
        let show = |g: &Generation| format!("GOGC {}, GOMEMLIMIT {}", percent_of(g), soft_limit_of(g));
        cause.term("settings", FITS, format!("{} before, {} now", show(was), show(now)));
        cause.at = Some(now.started_unix_ms);
    }
    if busy > 0.0 {
        cause.term("work", FITS * busy, "the collector takes more than a third of the processor, at GOMEMLIMIT");
    }
    if let Some((index, c)) = change {
        cause.terms.push(crate::causes::changes::time(scene, c));
        cause.change = Some(index);
        cause.at = cause.at.or(Some(c.at_unix_ms));
    }
    against_jump(scene, &mut cause);
    cause.decisive = (sure >= 0.6 && part > 0.5 || tells) && scene.jump_of_the_growth().is_none();
    cause.sentence = said(scene, &codes);
    if cause.sentence.is_empty() {
        cause.sentence = match tells_who_dies(scene, setting_of(key)) {
            Some(label) if other.is_none() && change.is_none() => label.text.clone(),
            _ => "the collector's settings were changed".into(),
        };
    }
    cause.undo = match &other {
        Some((was, now)) => put_back(was, now),
        None => "set GOMEMLIMIT to nine tenths of the limit, and GOGC to 100".into(),
    };
    Some(cause)
}

/// Whether it is of a heap that the collector would not have come to before the limit, by its settings, and
/// of which nobody knows what of it is garbage: its references were not followed, and no mark was sure
/// either.
fn may_be_garbage(c: &CaptureSummary) -> bool {
    let loosened =
        c.heap.gogc.is_some_and(|g| !(0..=100).contains(&g)) && !is_held_softly(c.heap.gomemlimit, c.limit_bytes);
    let beyond = c.heap.gogc.is_some_and(|g| g < 0) || c.heap.goal_bytes.zip(c.limit_bytes).is_some_and(|(g, l)| g > l);
    let is_alive = c.how == "stays-alive" && c.verdict().is_some_and(|v| v.confidence >= SURE);
    loosened && beyond && c.heap.garbage_bytes.is_none() && !is_alive
}

/// Whether a GOMEMLIMIT acts before the limit does, whatever GOGC is.
fn is_held_softly(soft: Option<u64>, limit: Option<u64>) -> bool {
    soft.zip(limit).is_some_and(|(soft, limit)| soft < limit)
}

/// The setting that a key is about: `GOGC` of `GOGC=off`.
fn setting_of(key: &str) -> &str {
    key.split('=').next().unwrap_or(key)
}

/// The label by which those with one setting die and those with another do not, where it is a setting by
/// which memory grows, and no other label does so as well (seen blind in lab/cluster: GOGC=600 for three of
/// six, "the GOGC tells who dies", and another cause was named).
fn tells_who_dies<'s>(scene: &'s Scene<'_>, name: &str) -> Option<&'s Label> {
    let label = scene.label(name).filter(|l| l.says == Says::Discriminates)?;
    let others = scene.labels.iter().filter(|l| l.says == Says::Discriminates && setting_of(&l.name) != name);
    let alone = others.filter(|l| !is_of_the_collector(&l.name)).count() == 0;
    (alone && is_looser(scene, label)).then_some(label)
}

/// What who dies says of a setting: as of a version, where captures do not say that it is something else.
/// Whether that decides.
fn who_died(scene: &Scene<'_>, key: &str, may_be: bool, cause: &mut Cause) -> bool {
    let Some(label) = tells_who_dies(scene, setting_of(key)) else { return false };
    cause.term("who died", if may_be { DISCRIMINATES } else { DISCRIMINATES / 2.0 }, label.text.clone());
    may_be
}

/// Whether those who die by a label let their heaps grow larger than any other that was at risk.
fn is_looser(scene: &Scene<'_>, label: &Label) -> bool {
    // How large a heap may grow: off and none come last, and a soft limit below the limit first.
    let room = |g: &Generation| match label.name.as_str() {
        _ if is_held_softly(g.gomemlimit, g.limit_bytes) => 0,
        "GOGC" => g.gogc.map_or(100, |n| if n < 0 { u64::MAX } else { n.unsigned_abs().into() }),
        _ => g.gomemlimit.unwrap_or(u64::MAX),
    };
    let value = |g: &Generation| if label.name == "GOGC" { percent_of(g) } else { soft_limit_of(g) };
    let is_at_risk = |g: &&Generation| label.cohorts.iter().any(|c| c.value == value(g));
    let highest = |dies: bool| {
        let lives = scene.all.iter().map(|l| &l.of).filter(is_at_risk);
        lives.filter(|g| (value(g) == label.culprit) == dies).map(room).max()
    };
    highest(true) > highest(false)
}

/// GOGC of a life, as it is set: `off`, `100`.
fn percent_of(life: &Generation) -> String {
    life.gogc.map_or_else(|| "100".to_owned(), |n| if n < 0 { "off".into() } else { n.to_string() })
}

/// GOMEMLIMIT of a life: `126 MB`, `none`.
fn soft_limit_of(life: &Generation) -> String {
    life.gomemlimit.map_or_else(|| "none".into(), bytes)
}

/// What is undone of settings of the collector: what differs.
fn put_back(was: &Generation, now: &Generation) -> String {
    let percent = (was.gogc != now.gogc).then(|| format!("GOGC back to {}", percent_of(was)));
    let limit = (was.gomemlimit != now.gomemlimit).then(|| format!("GOMEMLIMIT back to {}", soft_limit_of(was)));
    format!("put {}", percent.into_iter().chain(limit).collect::<Vec<_>>().join(" and "))
}

fn leak(scene: &Scene<'_>) -> Option<Cause> {
    let alive = scene.part_that_know(|c| c.how == "stays-alive");
    let told_alive = scene.captures.iter().filter(|c| c.how == "stays-alive").filter_map(|c| c.verdict());
    let alive_sure = told_alive.map(|v| v.confidence).fold(0.0, f64::max);
    let (sure, grows) = scene.finding("collection-only-grows");
    let (held_sure, held) = scene.finding("one-root-holds-most");
    let retained = scene.finding("slice-retention");
    let leaks = scene
        .part_that_know(|c| c.verdict().is_some_and(|f| f.title.contains("leak") || f.title.contains("stays alive")));
    if alive <= 0.0 && grows <= 0.0 && leaks <= 0.0 {
        return None;
    }
    let owner = scene
        .captures
        .iter()
        .filter_map(|c| c.finding("collection-only-grows").or_else(|| c.finding("one-root-holds-most")))
        .next();
    let (function, _) = scene.culprit();
    let caller = scene.best.map_or("", |c| c.growth.caller.as_str());
    // An offset in a stripped binary is nobody's name: the code that fills it is.
    let is_named = |f: &&crate::evidence::FindingSummary| !super::names::is_offset(&f.subject);
    let code = if caller.is_empty() { function.as_str() } else { caller };
    // Of a slice without a name the code that appends to it stores what it keeps.
    let stores = owner.filter(|f| !is_named(f)).and_then(|f| match f.grows_in.as_slice() {
        [one] => Some(one.clone()),
        _ => None,
    });
    let keeper = owner.filter(is_named).map(|f| f.subject.clone()).or_else(|| stores.clone());
    let key = keeper.clone().unwrap_or_else(|| code.to_owned());
    let mut cause = Cause::new(Kind::Leak, key, BASE_OTHER);
    if alive > 0.0 || leaks > 0.0 {
        cause.term(
            "captures",
            FITS * 1.5 * alive.max(leaks),
            format!("what was allocated stays alive in {} of the captures", percent(alive.max(leaks))),
        );
    }
    if alive_sure >= SURE {
        let text = format!("collections ran meanwhile and found it alive (a capture is {} sure)", percent(alive_sure));
        cause.term("found alive", FITS * alive, text);
    }
    if grows > 0.0 {
        cause.term("only grows", FINDING / 2.0 * sure.max(0.5) * grows, said(scene, &["collection-only-grows"]));
    }
    let by_variable = scene.captures.iter().filter_map(|c| c.finding("one-root-holds-most")).any(|f| f.holders() == 0);
    if held > 0.0 && by_variable {
        cause.term("held", FITS * held_sure * held, said(scene, &["one-root-holds-most"]));
    }
    if retained.1 > 0.0 {
        cause.term("retained", FITS * retained.0 * retained.1, said(scene, &["slice-retention"]));
    }
    let by_one_call = scene.part_that_know(one_call_holds_it);
    if by_one_call > 0.5 {
        let text = "one call at work holds it: it is alive for as long as that runs";
        cause.term("of one call", FINDS_OTHER - FITS * alive, text);
    }
    let took: Vec<f64> = scene
        .captures
        .iter()
        .filter_map(|c| c.window)
        .map(|w| w.end_unix_ms.saturating_sub(w.onset_unix_ms) as f64)
        .collect();
    if let Some(ms) = crate::statistics::robust::median(&took) {
        let text = format!("memory grew for {}", seconds(ms / 1e3));
        if ms >= SLOW_MS as f64 {
            cause.term("pace", FITS, text);
        } else if ms <= FAST_MS as f64 && alive_sure < SURE {
            cause.term("pace", -FITS / 2.0, text);
        }
    }
    match &scene.spread {
        Some(s) if s.by_age => cause.term("times of death", BY_AGE, s.text.clone()),
        Some(s) if s.common => cause.term("times of death", AT_ONCE_AGAINST_LEAK, s.text.clone()),
        _ => {}
    }
    against_jump(scene, &mut cause);
    if scene.part_that_know(leaks_goroutines) > 0.5 {
        cause.term("goroutines", FINDS_OTHER, "goroutines that nothing will wake hold it");
    }
    let at_once = scene.spread.as_ref().is_some_and(|s| s.common);
    // Named after who allocates it, it is not sure: who stores it may be another function, on no stack any
    // more (seen in lab/cluster: `keepHead` keeps three bytes of what its caller had allocated).
    cause.decisive = keeper.is_some()
        && by_one_call <= 0.5
        && !at_once
        && scene.jump_of_the_growth().is_none()
        && ((alive > 0.5 && alive_sure >= SURE)
            || (grows > 0.5 && sure >= 0.6)
            || (held > 0.5 && by_variable && held_sure >= 0.6));
    let by = if caller.is_empty() || caller == function { String::new() } else { format!(", called from {caller}") };
    cause.sentence = match owner {
        Some(f) if !function.is_empty() && !f.sentence.contains(&function) => {
            format!("{}; it is allocated in {function}{by}", f.sentence.trim_end_matches('.'))
        }
        Some(f) => f.sentence.clone(),
        None => format!("what {function}{by} allocates is never let go"),
    };
    if let Some(stores) = &stores {
        cause.sentence = format!("{}; {stores} puts it there", cause.sentence.trim_end_matches('.'));
    }
    if keeper.is_none() {
        cause.sentence = format!("{}; which code keeps it is not seen", cause.sentence.trim_end_matches('.'));
    }
    cause.undo = "restart instances one by one to gain time; then fix what keeps it".into();
    Some(cause)
}

fn goroutine_leak(scene: &Scene<'_>) -> Option<Cause> {
    let leaked = scene.part_that_know(leaks_goroutines);
    let (sure, grown) = scene.finding("goroutine-growth");
    let (waits_sure, waits) = scene.verdict("waiting-calls");
    if leaked <= 0.0 && grown <= 0.0 && waits <= 0.0 {
        return None;
    }
    let of = |c: &&&CaptureSummary| leaks_goroutines(c) || c.finding("goroutine-growth").is_some();
    let mut held = scene.captures.iter().filter_map(|c| c.finding("one-root-holds-most"));
    let held = held.find(|f| f.holders() > 0);
    let subject = scene.captures.iter().find(of).and_then(|c| {
        let goroutine_codes = |f: &&crate::evidence::FindingSummary| {
            !f.code.contains("heap")
                && !f.code.contains("copies")
                && !f.code.contains("holds-most")
                && f.subject != "-"
                && !f.code.starts_with("collection")
                && f.code != "waiting-calls"
        };
        c.findings.iter().find(goroutine_codes)
    });
    let key = subject.or(held).map_or_else(|| scene.culprit().0, |f| f.subject.clone());
    let mut cause = Cause::new(Kind::GoroutineLeak, key, BASE_OTHER);
    if leaked > 0.0 {
        let n = scene.captures.iter().map(|c| c.goroutines.leaked).max().unwrap_or(0);
        cause.term(
            "leaked",
            FINDING * leaked,
            format!("up to {n} goroutines that nothing will wake, in {} of the captures", percent(leaked)),
        );
    }
    if grown > 0.0 {
        cause.term("captures", FITS * 1.5 * sure.max(0.4) * grown, said(scene, &["goroutine-growth"]));
    }
    if leaked <= 0.0 && waits > 0.0 {
        cause.term("waiting", FITS * 1.4 * waits, "goroutines wait, and hold what grew");
    }
    // Where somebody counts calls: those who wait for a dependency are calls in flight, those who leaked are
    // of none.
    let waiting = scene.best.map_or(0, |c| c.calls.waiting.max(c.goroutines.leaked)) as f64;
    let in_flight = scene.series("in flight").and_then(|o| o.levels).map(|(a, b)| a.max(b));
    let in_flight = in_flight.filter(|_| waiting >= LEAKED as f64);
    let of_nobody = scene.part(waits_for_nobody) > 0.5;
    // Of one process its share of them, as balancers spread them; but where servers' calls wait, those that
    // callers have given up may be at work still, and are not counted (seen in lab/cluster: a caller that
    // gave up early, and 192 waited where 30 were in flight).
    let share = if of_nobody { scene.instances_before() } else { 1 };
    let each = in_flight.map(|calls| (calls, calls / share as f64));
    let of_no_call = each.is_some_and(|(_, each)| waiting > each.max(1.0) * OF_NO_CALL);
    if let Some((calls, each)) = each.filter(|_| of_no_call || (leaked <= 0.0 && !of_nobody)) {
        let text = format!(
            "{waiting:.0} goroutines of one process wait, and {calls:.0} calls are in flight to the service{}",
            if share > 1 { format!(", some {each:.0} of them to each process") } else { String::new() }
        );
        cause.term("of no call", if of_no_call { FITS } else { -FITS / 2.0 }, text);
    } else if of_nobody {
        cause.term("of no call", FITS / 2.0, WAITS_FOR_NOBODY);
    }
    match scene.relation("goroutines") {
        Relation::Before => {
            cause.term("order", 1.0, scene.series("goroutines").map(|o| o.text.clone()).unwrap_or_default())
        }
        Relation::After | Relation::Steady => {
            // Slow leaks of large things need no pile.
            let weight = if leaked > 0.5 { STEADY / 4.0 } else { STEADY };
            cause.term("order", weight, scene.series("goroutines").map(|o| o.text.clone()).unwrap_or_default());
        }
        _ => {}
    }
    match &scene.spread {
        Some(s) if s.by_age => cause.term("times of death", BY_AGE, s.text.clone()),
        Some(s) if s.common => cause.term("times of death", AT_ONCE_AGAINST_LEAK / 2.0, s.text.clone()),
        _ => {}
    }
    if scene.part(|c| c.how == "calls-at-work") > 0.5 && leaked < 0.5 {
        cause.term("at work", FINDS_OTHER, "the calls in flight are at work, and not stuck");
    }
    against_jump(scene, &mut cause);
    let waits_alone = waits > 0.5 && waits_sure >= SURE && of_no_call;
    cause.decisive = (leaked > 0.5 || waits_alone) && scene.jump_of_the_growth().is_none();
    let waits_for = scene.best.and_then(|c| c.finding("waiting-calls"));
    cause.sentence = match (subject, waits_for, held) {
        (Some(f), ..) => f.sentence.clone(),
        (None, Some(f), Some(h)) => format!("{}; {}", f.sentence.trim_end_matches('.'), h.sentence),
        (None, Some(f), None) | (None, None, Some(f)) => f.sentence.clone(),
        (None, None, None) => "goroutines pile up and nothing wakes them".into(),
    };
    let subject = subject.or(waits_for).or(held);
    cause.undo = subject.map_or_else(|| "restart instances one by one to gain time".into(), |f| f.cure.clone());
    Some(cause)
}

fn off_heap(scene: &Scene<'_>) -> Option<Cause> {
    let (sure, part) = scene.finding("outside-heap");
    let cache =
        scene.part(|c| c.heap.file_cache_bytes.zip(c.limit_bytes).is_some_and(|(f, l)| f as f64 > 0.5 * l as f64));
    let files = scene.part_of_lives(fills_files);
    if part <= 0.0 && cache <= 0.0 && files <= 0.0 {
        return None;
    }
    let key = if files > part.max(cache) {
        "files in memory"
    } else if cache > part {
        "page cache"
    } else {
        "outside the Go heap"
    };
    let mut cause = Cause::new(Kind::OffHeap, key, BASE_OTHER);
    if files > 0.0 {
        let text = format!("files in memory (tmpfs) fill the group in {} of the processes", percent(files));
        cause.term("files in memory", FINDING * files, text);
    }
    if part > 0.0 {
        cause.term("captures", FINDING * 1.2 * sure.max(0.4) * part, said(scene, &["outside-heap"]));
    }
    if cache > 0.0 {
        cause.term(
            "page cache",
            FITS * cache,
            format!("files fill more than half of the limit in {} of the captures", percent(cache)),
        );
    }
    against_jump(scene, &mut cause);
    cause.decisive = (part > 0.5 && sure >= 0.6 && scene.verdict("outside-heap").1 > 0.5)
        || (files > 0.5 && scene.jump_of_the_growth().is_none());
    let of_files = || {
        let all = scene.dead.iter().flat_map(|l| l.captures.iter().copied());
        let found = all.filter(|c| fills_files(c)).filter_map(|c| c.finding("others-in-group"));
        found.map(|f| f.sentence.clone()).next()
    };
    cause.sentence = of_files().unwrap_or_else(|| said(scene, &["outside-heap"]));
    if cause.sentence.is_empty() {
        cause.sentence = "files that the group has read or written fill its limit".into();
    }
    cause.undo = "restart instances one by one to gain time; then find who maps it".into();
    Some(cause)
}

/// Its own code: where the captures name a place, and nothing outside is seen that set it off.
fn code_path(scene: &Scene<'_>) -> Option<Cause> {
    let v = scene.best?.verdict()?;
    let codes = [
        "heap-growth",
        "unprofiled-heap",
        "huge-object",
        "deep-stacks",
        "map-too-big",
        "copies-of-one-content",
        "finalizers-wait",
        "touched-late",
    ];
    if !codes.contains(&v.code.as_str()) {
        return None;
    }
    let (function, at) = scene.culprit();
    let mut cause = Cause::new(Kind::CodePath, function.clone(), BASE_OTHER);
    let same = scene.part(|c| c.verdict().is_some_and(|f| f.code == v.code && f.subject == v.subject));
    cause.term("captures", FITS * 1.4 * same, format!("{} of the captures name the same: {}", percent(same), v.title));
    if matches!(v.code.as_str(), "deep-stacks" | "huge-object") {
        cause.term("by itself", FITS, "one call is enough for it, whoever makes it");
    }
    let builds_more = super::pace::of_path(scene, &mut cause);
    match scene.relation("first attempts") {
        Relation::Steady if scene.relation("in flight") == Relation::Before && !builds_more => {
            cause.term("in flight", -FITS, "calls piled up before memory grew, and not more were made: they wait");
        }
        Relation::Steady if super::outside::tried_again(scene).is_some() => {
            cause.term("traffic", -FITS, "what had failed was tried again: it was asked more often");
        }
        Relation::Steady | Relation::Unknown if scene.left.is_some() => {
            cause.term("traffic", -FITS, "each that was left was asked more often, if as many ask");
        }
        Relation::Steady => cause.term("traffic", 0.5, "it was not asked more often"),
        Relation::Before | Relation::Together => cause.term("traffic", -FITS, "it was asked more often"),
        _ => {}
    }
    if scene.part_that_know(one_call_holds_it) > 0.5 {
        cause.term("of one call", FITS, "one call at work keeps most of what is live");
    } else if scene.part_that_know(|c| c.how == "stays-alive") > 0.5 {
        cause.term("alive", -FITS, "what it allocates stays alive: a leak rather than a path");
    }
    against_jump(scene, &mut cause);
    let place = if at.is_empty() { String::new() } else { format!(" ({at})") };
    let open = "; what set it off is not known";
    cause.sentence = format!("{function}{place}: {}{open}", v.title);
    cause.undo = v.cure.clone();
    Some(cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Beside GOGC=off GOMEMLIMIT went from 126 MB to 129 GB: "put GOGC back to off" undoes nothing.
    #[test]
    fn what_is_put_back_is_what_differs() {
        let of = |gogc, gomemlimit| Generation { gogc: Some(gogc), gomemlimit, ..Generation::default() };
        let typo = put_back(&of(-1, Some(126_000_000)), &of(-1, Some(129_000_000_000)));
        assert_eq!(typo, "put GOMEMLIMIT back to 126 MB");
        assert_eq!(put_back(&of(100, None), &of(-1, None)), "put GOGC back to 100");
        let both = put_back(&of(100, None), &of(800, Some(1_000_000_000)));
        assert_eq!(both, "put GOGC back to 100 and GOMEMLIMIT back to none");
    }
}
