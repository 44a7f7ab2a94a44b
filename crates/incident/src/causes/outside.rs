//! Causes from outside the process: traffic, dependencies, the limit, the node.

use lastgasp_diagnosis::units::{bytes, percent, plural};

use super::weights::{
    ANOTHER_STORY, BASE_CHANGE, BASE_OTHER, DOES_NOT, FINDING, FINDS_OTHER, FITS, JUMP_AGAINST_OTHERS, ROSE_AFTER,
    ROSE_BEFORE, ROSE_WITH, STEADY,
};
use super::{Cause, Kind, Scene, capacity, pace};
use crate::causes::changes::{time, weigh};
use crate::cohorts::Says;
use crate::evidence::{CaptureSummary, Change, ChangeKind, Ending};
use crate::life::Life;
use crate::order::{Onset, Relation};
use crate::series::shift::LEAST_PART;
use crate::statistics::robust::median;

pub(super) fn causes(scene: &Scene<'_>) -> Vec<Cause> {
    let mut out = vec![traffic(scene)];
    out.extend(dependencies(scene));
    out.extend(limit(scene));
    out.extend(node(scene));
    out
}

/// What the order says of a series as a cause; `None` where it is not known.
fn of_series(o: &Onset) -> Option<f64> {
    Some(match o.relation {
        Relation::Before => ROSE_BEFORE,
        Relation::Together => ROSE_WITH,
        Relation::After => ROSE_AFTER,
        Relation::Steady => STEADY,
        Relation::Reference | Relation::Unknown => return None,
    })
}

fn jump_speaks_against(scene: &Scene<'_>, cause: &mut Cause) {
    if let Some(j) = scene.jump_of_the_growth() {
        let text =
            format!("{} of the growth is copies of what jumped in {}", percent(j.of_growth), j.best.collection.owner);
        cause.term("in the heaps", JUMP_AGAINST_OTHERS, text);
    }
}

/// Adds the nearest change of a kind, if there is one.
fn with_change(scene: &Scene<'_>, cause: &mut Cause, is: impl Fn(&Change) -> bool) {
    let mine = scene.changes.iter().enumerate().filter(|(_, c)| is(c) && scene.before_onset(c.at_unix_ms) >= -2000);
    if let Some((index, change)) = mine.min_by_key(|(_, c)| scene.before_onset(c.at_unix_ms).unsigned_abs()) {
        weigh(scene, change, cause);
        cause.terms.retain(|t| t.name != "name");
        cause.change = Some(index);
        cause.at = cause.at.or(Some(change.at_unix_ms));
    }
}

fn traffic(scene: &Scene<'_>) -> Cause {
    let mut cause = Cause::new(Kind::Traffic, "first attempts", BASE_OTHER);
    let first = scene.series("first attempts");
    let retries = scene.series("retries");
    let all = scene.series("attempts");
    let mut is_storm = false;
    let rose_first = |o: &&Onset| o.relation.may_be_first();
    let left = scene.left.filter(|_| !first.is_some_and(|o| rose_first(&o)));
    let others_slow = scene.order.iter().find(|o| fails_first(scene, o));
    match (first, all) {
        (Some(o), _) if of_series(o).is_some() => {
            cause.term("first attempts", of_series(o).unwrap_or(0.0), told(o));
            cause.at = o.at;
            if let Some(r) = storm(scene).filter(|_| o.relation == Relation::Steady && left.is_none()) {
                // More attempts without more first ones are retries, whoever counts them.
                cause.key = "retries".into();
                cause.at = r.at;
                let text = format!("{}, and no more first attempts", told(r));
                cause.term("retries", of_series(r).unwrap_or(0.0) - STEADY, text);
                if let Some(f) = others_slow {
                    cause.term("what fails", ANOTHER_STORY * 2.0, told(f));
                }
                is_storm = true;
            }
        }
        // Without retries counted apart more attempts may be either: half of what they would say.
        (_, Some(o)) if of_series(o).is_some() => {
            let half = of_series(o).unwrap_or(0.0) / 2.0;
            cause.term("attempts", half, format!("{}; which of them are retries is not known", told(o)));
            cause.key = "attempts".into();
            cause.at = o.at;
        }
        // It is counted, and when it rose tells nothing.
        (Some(o), _) | (None, Some(o)) => {
            let text = format!("{}; whether that came before memory grew is not known", told(o));
            cause.term("first attempts", 0.0, text);
        }
        (None, None) => {
            cause.term("first attempts", 0.0, "unknown: no metrics of the balancer or callers are connected");
        }
    }
    if let Some(l) = left {
        // Who counts requests knows that they stayed as many; else half of what that would say.
        let weight = if l.is_first { ROSE_BEFORE } else { ROSE_WITH };
        let is_steady = first.is_some_and(|o| o.relation == Relation::Steady);
        cause.term("who is left", if is_steady { weight - STEADY } else { weight / 2.0 }, l.text());
        cause.key = "requests for each instance".into();
        cause.at = Some(l.at);
        if let Some(f) = others_slow {
            cause.term("what fails", ANOTHER_STORY * 2.0, told(f));
        }
    }
    jump_speaks_against(scene, &mut cause);
    // What stays alive in a pile of calls that came with it is theirs too, where more calls are counted (seen
    // in lab/cluster: a storm of retries, and of eight captures six named what stays alive).
    let more = is_storm || first.is_some_and(|o| rose_first(&o));
    let piles = scene.part(|c| {
        matches!(c.how.as_str(), "calls-at-work" | "waiting-calls")
            || c.finding("goroutine-growth").is_some()
            || (more && super::seen::calls_came_with_it(c))
    });
    if !scene.captures.is_empty() {
        let text = format!("calls in flight hold the growth, or came with it, in {} of the captures", percent(piles));
        cause.term("captures", if piles > 0.5 { FITS / 2.0 } else { FINDS_OTHER }, text);
    }
    let is_mine =
        |c: &Change| matches!(c.kind, ChangeKind::Traffic | ChangeKind::Scale) || (is_storm && is_of_giving_up(c));
    with_change(scene, &mut cause, is_mine);
    if is_storm {
        cause.terms.retain(|t| t.name != "scope");
    }
    let rose = first.filter(rose_first).or_else(|| retries.filter(rose_first));
    let levels = match left {
        Some(l) => Some((1.0, l.times())),
        None => rose.and_then(|o| o.levels),
    };
    let outpaces = pace::of_requests(scene, &mut cause, levels, is_storm);
    // As many more calls must explain it: what each holds did not change as far as is seen.
    let rose = rose.or_else(|| storm(scene).filter(|_| is_storm));
    let levels = rose.and_then(|o| o.levels);
    let enough = levels.is_some_and(|(a, b)| b > a * 1.3);
    let came_first = match left {
        Some(l) if others_slow.is_some() || l.times() < capacity::ENOUGH => false,
        Some(l) => l.is_first && first.is_some_and(|o| o.relation == Relation::Steady),
        None => enough && first.is_some_and(|o| o.relation == Relation::Before),
    };
    cause.decisive = came_first && !outpaces && scene.jump_of_the_growth().is_none() && piles > 0.5;
    cause.sentence = match levels {
        _ if left.is_some() => left.map_or_else(String::new, capacity::Left::text),
        Some((a, b)) => format!("{} rose from {a:.0} to {b:.0} per second before memory grew", cause.key),
        None => "more requests than it can hold".into(),
    };
    cause.undo = "shed load: limit what is admitted, or add instances".into();
    cause
}

/// The series that tells of a storm of retries: attempts, retries or timeouts that rose before memory or with
/// it, the first of them.
fn storm<'s>(scene: &'s Scene<'_>) -> Option<&'s Onset> {
    let rose = |o: &&Onset| o.relation.may_be_first();
    // Who gives up early tries again; whether that began before the first death a slow scrape does not tell,
    // and whose timeout was changed just before may wait between two tries (seen in lab/cluster: callers told
    // to give up after 800 ms, timeouts 3.3 s before memory, attempts 2.7 s after it).
    let more = scene
        .series("attempts")
        .is_some_and(|a| rose(&a) || a.with_deaths || (a.is_more() && (was_told(scene) || is_counted_late(scene, a))));
    let known = enough(scene, &["retries", "attempts", "timeouts"]).filter(|o| o.series != "timeouts" || more);
    known.min_by_key(|o| (o.relation != Relation::Before, o.at))
}

/// Whether what failed and was tried again is a good part of what is asked: less explains no death. (Seen in
/// lab/cluster: 1.8 timeouts a second of 24 requests, and exports that killed five seconds later were told as
/// a storm of retries.)
fn explains(scene: &Scene<'_>, o: &Onset) -> bool {
    let asked = ["attempts", "first attempts"].into_iter().find_map(|name| scene.series(name)?.levels);
    match (asked, o.levels) {
        (Some((asked, _)), Some((was, now))) if asked > 0.0 => now - was >= asked * LEAST_PART,
        _ => true,
    }
}

/// Whether more attempts are no retries, which are counted by themselves and came later or not at all, and no
/// more than what callers ask for now beside what they had asked before: where that is answered sooner, both
/// end at once for a while. (Seen in lab/cluster: a caller asked for something that is answered at once; what
/// it had asked before was counted as it ended, six seconds later, and both together were told as a storm.)
fn are_both_at_once(scene: &Scene<'_>, attempts: &Onset) -> bool {
    /// Twice as many, and some noise.
    const BOTH: f64 = 2.25;
    let retries = scene.series("retries").filter(|o| matches!(o.relation, Relation::After | Relation::Steady));
    let Some(retried) = retries.map(|o| o.levels.map_or(0.0, |(_, now)| now)) else { return false };
    attempts.levels.is_some_and(|(was, now)| now - retried <= was * BOTH)
}

/// Whether it is of a caller's timeouts and retries: they reach the service that is called all the same.
fn is_of_giving_up(c: &Change) -> bool {
    let key = c.key.to_lowercase();
    c.kind == ChangeKind::Config
        && ["timeout", "retr", "deadline", "backoff", "hedg"].iter().any(|word| key.contains(word))
}

/// Whether attempts rose with timeouts, but for the time that an answer takes: what is counted when it ends
/// is seen so much later (seen in lab/cluster: answers after 6.0 s, and the attempts of a backend of HAProxy
/// rose 6.0 s after timeouts).
fn is_counted_late(scene: &Scene<'_>, attempts: &Onset) -> bool {
    let rose = scene.series("timeouts").and_then(|o| o.at).zip(attempts.at);
    let ends_after = scene.order.iter().filter(|o| o.series.starts_with("latency of ")).map(level_before_ms).max();
    rose.is_some_and(|(timeouts, at)| at.saturating_sub(timeouts) <= ends_after.unwrap_or(0) + 1_000)
}

/// The level before of a series in seconds, in milliseconds; 0 if it is not known. At most a minute.
fn level_before_ms(o: &Onset) -> i64 {
    o.levels.map_or(0, |(before, _)| (before * 1e3).clamp(0.0, 60e3) as i64)
}

/// Whether such a change came just before timeouts rose.
fn was_told(scene: &Scene<'_>) -> bool {
    /// From a change to what it makes: it is handed out and read.
    const SOON_MS: i64 = 15_000;
    let rose = scene.series("timeouts").and_then(|o| o.at);
    let soon = |c: &Change| rose.is_some_and(|at| (-2_000..=SOON_MS).contains(&at.saturating_sub(c.at_unix_ms)));
    scene.changes.iter().any(|c| is_of_giving_up(c) && soon(c))
}

/// Whether a storm of retries began before a series of a dependency did: who is asked ten times as often
/// fails.
fn follows_storm(scene: &Scene<'_>, o: &Onset) -> bool {
    let begin = storm(scene).and_then(|s| s.at);
    begin.zip(o.at).is_some_and(|(storm, at)| at.saturating_sub(storm) > crate::order::SAME_MS)
}

/// Whether a dependency failed or was slow before memory grew or with it: what is tried again is then its
/// consequence.
fn fails_first(scene: &Scene<'_>, o: &Onset) -> bool {
    if follows_storm(scene, o) {
        return false;
    }
    let of_dependency = o.series.starts_with("latency of ") || o.series.starts_with("errors of ");
    (of_dependency || answers_later(scene, o)) && o.relation.may_be_first()
}

fn told(o: &Onset) -> String {
    let lag = o.lag_ms.map_or_else(String::new, |ms| {
        let s = lastgasp_diagnosis::units::seconds(ms.unsigned_abs() as f64 / 1e3);
        if ms < 0 { format!(", {s} before memory") } else { format!(", {s} after memory") }
    });
    format!("{}{lag}", o.text)
}

fn dependencies(scene: &Scene<'_>) -> Vec<Cause> {
    // Goroutines that the program has started itself, and that no call waits for, are no calls.
    let of_call = |c: &CaptureSummary| !super::seen::waits_for_nobody(c);
    let waiting = scene.part(|c| (c.how == "waiting-calls" || c.finding("waiting-calls").is_some()) && of_call(c));
    // Calls may build something and wait with it: most of them wait then too.
    let wait_too = scene.part(|c| c.calls.total > 0 && c.calls.waiting * 2 > c.calls.total && of_call(c));
    let waits_out = scene.part(|c| {
        let outside = ["io-without-deadline", "response-body-not-closed"];
        c.calls.waits_for == "I/O" || outside.iter().any(|code| c.finding(code).is_some())
    });
    let leaked = scene.part_that_know(super::seen::leaks_goroutines);
    let of_nobody = scene.part(super::seen::waits_for_nobody);
    let slow: Vec<&Onset> = scene
        .order
        .iter()
        .filter(|o| {
            o.series.starts_with("latency of ")
                || o.series.starts_with("errors of ")
                || o.series.starts_with("timeouts of ")
                || answers_later(scene, o)
        })
        .collect();
    let mut names: Vec<String> =
        slow.iter().filter_map(|o| o.series.split_once(" of ").map(|(_, n)| n.to_owned())).collect();
    names.sort();
    names.dedup();
    if names.is_empty() {
        // Without metrics of it a dependency has a name only if somebody tells that it was changed.
        let changed = scene
            .changes
            .iter()
            .filter(|c| c.kind == ChangeKind::Dependency && scene.before_onset(c.at_unix_ms) >= -2000);
        let nearest = changed.min_by_key(|c| scene.before_onset(c.at_unix_ms)).map(|c| c.key.clone());
        if waiting < 0.25 && nearest.is_none() && !(wait_too > 0.5 && pace::lasts_longer(scene)) {
            return Vec::new();
        }
        names.push(nearest.unwrap_or_default());
    }
    let mut out = Vec::new();
    for name in names {
        let place = scene.best.map(|c| c.calls.function.clone()).unwrap_or_default();
        let key = if name.is_empty() { super::names::short_function(&place).to_owned() } else { name.clone() };
        let mut cause = Cause::new(Kind::Dependency, key, BASE_OTHER);
        let mine: Vec<&&Onset> =
            slow.iter().filter(|o| o.series.ends_with(&format!(" of {name}")) && !name.is_empty()).collect();
        // Of two that say as much the one that began first.
        let weight = |o: &Onset| match of_series(o)? {
            l if l > 0.0 && !o.series.starts_with("in-flight of ") && follows_storm(scene, o) => Some(ROSE_AFTER),
            l => Some(l),
        };
        let known = mine.iter().filter_map(|o| Some((weight(o)?, o)));
        let most = known.max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.at.cmp(&a.1.at)));
        match most {
            Some((log_odds, o)) => {
                cause.term("its own series", log_odds, told(o));
                cause.at = o.at;
            }
            None => cause.term("its own series", 0.0, "unknown: no metrics of dependencies are connected"),
        }
        // Calls to the service pile up before memory grows, and not more are made: they wait for somebody.
        let piled =
            scene.relation("in flight") == Relation::Before && scene.relation("first attempts") == Relation::Steady;
        let piled = piled && most.is_some_and(|(l, _)| (ROSE_WITH..ROSE_BEFORE).contains(&l));
        if piled {
            let text = scene.series("in flight").map(told).unwrap_or_default();
            cause.term("calls in flight", ROSE_BEFORE - ROSE_WITH, format!("{text}, and no more first attempts"));
        }
        let fails = most.is_some_and(|(l, o)| l > 0.0 && !o.series.starts_with("latency of "));
        let again = tried_again(scene);
        if !scene.captures.is_empty() {
            let part = if waiting > 0.5 { waiting } else { waiting.max(wait_too) };
            let text = format!("calls that wait hold the growth in {} of the captures", percent(part));
            let log_odds = if waiting > 0.5 {
                FITS * 1.4
            } else if wait_too > 0.5 {
                FITS / 2.0
            } else if (fails && again.is_some()) || of_nobody > 0.5 {
                // Who fails at once makes nobody wait: what it brings is asked for again. And that those who
                // wait are of no call is said below.
                0.0
            } else {
                FINDS_OTHER
            };
            cause.term("captures", log_odds, text);
        }
        if let Some(o) = again.filter(|_| fails && waiting <= 0.5) {
            cause.term("tried again", FITS, format!("what fails is tried again: {}", o.text));
        }
        if waits_out > 0.5 {
            cause.term("what they wait for", 0.8, "they wait for the outside, without a deadline or for long");
        }
        if of_nobody > 0.5 {
            cause.term("of no call", -FITS, super::seen::WAITS_FOR_NOBODY);
        }
        if leaked > 0.5 {
            cause.term("leaked", FINDS_OTHER, "nothing can wake most of them any more: no answer would");
        }
        jump_speaks_against(scene, &mut cause);
        let outpaces = pace::of_waiting(scene, &mut cause);
        with_change(scene, &mut cause, |c| c.kind == ChangeKind::Dependency);
        cause.decisive = !outpaces
            && most.is_some_and(|(l, _)| l >= ROSE_BEFORE || piled)
            && (waiting > 0.5 || wait_too > 0.5)
            && leaked < 0.5
            && scene.jump_of_the_growth().is_none()
            // Errors alone hold nobody; and what jumped in the heaps meanwhile is a rival (seen in
            // lab/cluster: a canary's restart made errors, three seconds before a configuration came that no
            // feed told of).
            && !(scene.jumps.first().is_some_and(|j| j.lives * 2 > j.of) && is_of_errors(most.map(|(_, o)| **o)));
        let who = if name.is_empty() { "a service that it calls".to_owned() } else { name };
        cause.sentence = match most.and_then(|(_, o)| o.levels) {
            Some((a, b)) if b > a && is_of_errors(most.map(|(_, o)| **o)) => {
                format!("{who} fails ({} -> {} a second), and what fails is tried again", number(a), number(b))
            }
            Some((a, b)) if b > a && most.is_some_and(|(_, o)| o.series.starts_with("in-flight of ")) => {
                format!(
                    "{who} became slow ({} -> {} calls in flight to it) and calls pile up behind it",
                    number(a),
                    number(b)
                )
            }
            Some((a, b)) if b > a => {
                format!("{who} became slow ({} -> {}) and calls pile up behind it", number(a), number(b))
            }
            _ => format!(
                "calls wait{} for {who} and hold what grew",
                if place.is_empty() { String::new() } else { format!(" in {place}") }
            ),
        };
        cause.undo = "set a deadline on the call, or switch to the fallback".into();
        out.push(cause);
    }
    out
}

fn is_of_errors(o: Option<&Onset>) -> bool {
    o.is_some_and(|o| o.series.starts_with("errors of "))
}

/// Whether more calls of a dependency are in flight, and not more are made: each takes longer, by Little's
/// law. It shows seconds before its latency does, which is measured when a call ends (seen in lab/cluster:
/// answers after 15 s, deaths after 10).
pub(super) fn answers_later(scene: &Scene<'_>, o: &Onset) -> bool {
    /// Calls in flight must be so many times as many.
    const TIMES: f64 = 1.5;
    /// A rate is one of the last seconds: it is seen to rise so much later than what is counted at once, or
    /// as much later as its window is wide.
    const RATE_LAG_MS: i64 = 5_000;
    let Some(name) = o.series.strip_prefix("in-flight of ") else { return false };
    // And what is counted when it ends, later by the time that an answer takes.
    let ends_after = scene.series(&format!("latency of {name}")).map_or(0, |o| level_before_ms(o) + 1_000);
    // What rose clearly later does not explain it (seen in lab/cluster: 96 to 602 calls in flight, and 16 s
    // later, as the first instance died, all were tried again). What rose just after it does, whether memory
    // grew in between or not: callers that gave up early had their attempts seen 4 s after their calls.
    let rose = |series: &str| {
        scene.series(series).is_some_and(|a| {
            let lag = RATE_LAG_MS.max(i64::try_from(a.window_ms).unwrap_or(i64::MAX)).max(ends_after);
            a.is_more() && a.at.zip(o.at).is_some_and(|(a, o)| a.saturating_sub(o) <= lag)
        })
    };
    o.levels.is_some_and(|(a, b)| b >= a * TIMES)
        && !rose(&format!("attempts of {name}"))
        && !rose("first attempts")
        && !rose("retries")
}

/// What was tried again, as is counted, while nobody asked for more at first. Timeouts, which tell of a storm
/// too, are not among it: who gave up has not tried again yet (seen in lab/cluster: GOGC=800, timeouts from 0
/// to 7.8 a second, and the service behind was named for them).
pub(super) fn tried_again<'s>(scene: &'s Scene<'_>) -> Option<&'s Onset> {
    let first = scene.relation("first attempts").may_be_first();
    enough(scene, &["retries", "attempts"]).find(|_| !first)
}

/// Those of some series that rose before memory or with it, and by enough to explain a death.
fn enough<'s>(scene: &'s Scene<'_>, names: &'s [&str]) -> impl Iterator<Item = &'s Onset> {
    let all = names.iter().filter_map(|name| scene.series(name));
    let known = all.filter(|o| o.series != "attempts" || !are_both_at_once(scene, o));
    known.filter(|o| o.relation.may_be_first() && explains(scene, o))
}

fn number(n: f64) -> String {
    if n.abs() < 10.0 { format!("{n:.2}") } else { format!("{n:.0}") }
}

/// The limit was lowered, or had always been nearly used up.
fn limit(scene: &Scene<'_>) -> Option<Cause> {
    // Who has not died climbs for another reason (seen blind in lab/cluster: a day on which limits were
    // lowered and nobody died).
    if scene.kills == 0 {
        return None;
    }
    let mut cause = Cause::new(Kind::Limit, "memory limit", BASE_CHANGE);
    // Of each instance the limit of the life before. One that was killed at the same limit tells nothing of
    // what it was lowered from (seen in lab/cluster: four deaths in a row at 92 MB, which had been 256 MB,
    // and only the first two counted).
    let earlier = |l: &Life<'_>| {
        let same = scene.all.iter().filter(|o| o.of.instance == l.of.instance && !l.of.instance.is_empty());
        let before = same.filter(|o| o.of.started_unix_ms < l.of.started_unix_ms);
        let other = before.filter(|o| o.killed().is_none() || o.of.limit_bytes != l.of.limit_bytes);
        other.max_by_key(|o| o.of.started_unix_ms).map(|o| &o.of)
    };
    let of_service = scene
        .all
        .iter()
        .filter(|l| l.of.started_unix_ms < scene.onset && l.killed().is_none())
        .filter_map(|l| l.of.limit_bytes);
    // The middle, and not the largest: one that was seen before its limit was set is none to go by.
    let usual = median(&of_service.map(|b| b as f64).collect::<Vec<_>>()).map(|b| b as u64);
    // What others were raised to is no limit that anybody was lowered from (seen blind in lab/cluster: one
    // centre was given more, and "1.05 GB -> 168 MB" was said of the other).
    let was_raised_to = |limit: &u64| {
        let to_it = |c: &&&Change| c.kind == ChangeKind::Limit && c.size_bytes == Some(*limit);
        scene.changes.iter().filter(to_it).any(|c| c.size_bytes_before.is_some_and(|before| before < *limit))
    };
    let usual = usual.filter(|limit| !was_raised_to(limit));
    let (mut lowered, mut fits_no_more, mut known) = (0_u64, 0_u64, 0_u64);
    let (mut numbers, mut began) = (None, None::<crate::evidence::UnixMs>);
    let first: Vec<&&Life<'_>> = scene.dead.iter().filter(|l| l.killed().is_some()).collect();
    for l in &first {
        let Some(now) = l.of.limit_bytes else { continue };
        let before = earlier(l);
        let Some(was) = before.and_then(|b| b.limit_bytes).or(usual) else { continue };
        known += 1;
        if was > now + now / 50 {
            lowered += 1;
            numbers = numbers.or(Some((was, now)));
            // Started with it, and the life before had another: it was lowered in between.
            if before.is_some() {
                began = Some(began.map_or(l.of.started_unix_ms, |b| b.min(l.of.started_unix_ms)));
            }
            fits_no_more += u64::from(used_more(scene, l, now));
        }
    }
    let part = lowered as f64 / known.max(1) as f64;
    if lowered > 0 {
        let text = numbers.map_or_else(String::new, |(a, b)| {
            format!("{} -> {} in {lowered} of {known} processes that died", bytes(a), bytes(b))
        });
        cause.term("limit", FINDING * part, text);
        if fits_no_more > 0 {
            cause.term("used before", FITS, format!("{fits_no_more} of them used more than that before, and lived"));
        }
        // What others have says only something of who once had as much.
        let had = numbers.filter(|_| began.is_some());
        if let Some((peers, peak)) = had.and_then(|(was, now)| peers_above(scene, was, now)) {
            let text = format!("{} with a larger limit used up to {}, and live", plural(peers, "other"), bytes(peak));
            cause.term("used by others", FITS, text);
        }
    }
    let is_down = |c: &Change| {
        let down = c.size_bytes.zip(c.size_bytes_before).map(|(now, was)| now < was);
        // A group that was just made had none before: nothing was lowered then.
        c.kind == ChangeKind::Limit && down.unwrap_or(lowered > 0 && c.from != "none")
    };
    with_change(scene, &mut cause, is_down);
    if let (None, Some(at)) = (cause.change, began) {
        cause.terms.push(time(scene, &Change { at_unix_ms: at, ..Change::default() }));
        cause.at = Some(at);
    }
    if lowered == 0 && cause.change.is_none() {
        return None;
    }
    if cause.change.is_some() && lowered == 0 {
        cause.term("limit", FITS, "by what was told; of the processes themselves it is not known");
    }
    // What grows by several times what it rested at would have met the old limit as well.
    let under = numbers.map(|(_, now)| now);
    let of_it = scene.captures.iter().copied().find(|c| c.window.is_some() && c.limit_bytes == under);
    let mine = scene.best.filter(|c| under.is_none() || c.limit_bytes == under).or(of_it).or(scene.best);
    let grew = mine.and_then(|c| Some((c.window?, c.limit_bytes?)));
    if let Some((w, limit)) = grew {
        let rest = w.start_bytes as f64 / limit as f64;
        let text = format!("it rested at {} of its limit", percent(rest));
        // Unless as much was used before, and did no harm.
        let grew_so = fits_no_more * 2 > lowered;
        cause.term(
            "rest",
            if rest > 0.7 {
                FITS
            } else if rest < 0.5 && !grew_so {
                FINDS_OTHER
            } else {
                0.0
            },
            text,
        );
    }
    // What was full was the group above, which others filled (seen blind in lab/cluster: a neighbour that
    // took the node, and 83 MB of 210 in each of the dead).
    let (_, others) = scene.verdict("others-in-group");
    if let Some((_, now)) = numbers.filter(|_| others > 0.0) {
        let above = scene.captures.iter().filter_map(|c| c.limit_bytes).filter(|l| *l > now).max();
        let met = above.map_or_else(|| "another one".to_owned(), bytes);
        cause.term("met", DOES_NOT * others, format!("the limit that they met is {met}, and others filled it"));
    }
    jump_speaks_against(scene, &mut cause);
    cause.decisive = part > 0.5 && fits_no_more * 2 > lowered && scene.jump_of_the_growth().is_none();
    cause.sentence = numbers.map_or_else(
        || "the memory limit was lowered".to_owned(),
        |(was, now)| format!("the memory limit was lowered from {} to {}", bytes(was), bytes(now)),
    );
    cause.undo = numbers
        .map_or_else(|| "put the limit back".to_owned(), |(was, _)| format!("put the limit back to {}", bytes(was)));
    Some(cause)
}

/// How long ago an earlier life may have ended to tell what an instance uses. Chosen: a day.
const RECENT_MS: i64 = 86_400_000;

/// Whether an earlier life of the same instance, under a larger limit, used more than that and did not die of
/// it: the last one may have been too short to (seen blind in lab/cluster: a release, 14 s later a limit with
/// a digit too few, and the exports that came every 50 s).
fn used_more(scene: &Scene<'_>, l: &Life<'_>, now: u64) -> bool {
    let same = scene.all.iter().filter(|o| o.of.instance == l.of.instance && !l.of.instance.is_empty());
    let mut before = same.filter(|o| {
        let ended = o.of.ended_unix_ms.unwrap_or(o.of.last_seen_unix_ms);
        let is_recent = l.of.started_unix_ms.saturating_sub(ended) <= RECENT_MS;
        o.of.started_unix_ms < l.of.started_unix_ms && is_recent && o.killed().is_none()
    });
    before.any(|o| o.of.limit_bytes.is_some_and(|limit| limit > now) && o.of.peak_bytes.is_some_and(|p| p > now))
}

/// How many instances that still have the limit of before used more than the limit of now and live, and the
/// most that one used. Of one that was raised nothing follows.
fn peers_above(scene: &Scene<'_>, was: u64, now: u64) -> Option<(u64, u64)> {
    // Who climbs is on the way to the larger limit.
    let rests = |l: &&&Life<'_>| l.killed().is_none() && l.of.ended_unix_ms.is_none() && l.of.climb.is_none();
    let lives = scene.all.iter().filter(rests);
    let same = |limit: u64| limit.abs_diff(was) <= was / 50;
    let above = lives.filter(|l| l.of.limit_bytes.is_some_and(same)).filter_map(|l| l.of.peak_bytes);
    let above: Vec<u64> = above.filter(|peak| *peak > now).collect();
    Some((above.len() as u64, above.into_iter().max()?))
}

/// The node, or others in the group.
fn node(scene: &Scene<'_>) -> Option<Cause> {
    let mut cause = Cause::new(Kind::Node, "node", BASE_OTHER);
    let of_node = scene.dead.iter().filter(|l| l.of.ending == Ending::NodeOomKill).count();
    let part = of_node as f64 / scene.dead.len().max(1) as f64;
    // Files in memory are the group's own: memory outside the heap.
    let (sure, others) =
        if scene.part_of_lives(super::seen::fills_files) > 0.5 { (0.0, 0.0) } else { scene.verdict("others-in-group") };
    let below = scene.part(|c| {
        let usage = c.memory.last().map_or(0.0, |p| p.value);
        c.is_of_a_kill() && c.limit_bytes.is_some_and(|l| usage > 0.0 && usage < 0.8 * l as f64) && c.window.is_none()
    });
    let by_node = scene.label("node").filter(|l| l.says == Says::Discriminates);
    if part < 0.01 && others < 0.01 && below < 0.5 && by_node.is_none() {
        return None;
    }
    if part > 0.0 {
        cause.term(
            "how they ended",
            FINDING * part,
            format!("the kernel killed {of_node} for want of memory of the whole node"),
        );
    }
    if others > 0.0 {
        cause.term(
            "captures",
            FINDING * sure * others,
            format!("others fill the group in {} of the captures", percent(others)),
        );
    }
    if below >= 0.5 {
        cause.term("used", FITS, "they were killed far below their limit, and had not grown");
    }
    if let Some(l) = by_node {
        cause.term("who died", FITS, l.text.clone());
        cause.key = l.culprit.clone();
    }
    jump_speaks_against(scene, &mut cause);
    cause.decisive = (part > 0.5 || (others > 0.5 && sure >= 0.7)) && scene.jump_of_the_growth().is_none();
    let who = scene.captures.iter().filter_map(|c| c.finding("others-in-group")).map(|f| f.sentence.clone()).next();
    cause.sentence = who.unwrap_or_else(|| "not the process itself: its node ran out of memory".into());
    cause.undo = "move what fills the node or the group, or give it a group of its own".into();
    Some(cause)
}
