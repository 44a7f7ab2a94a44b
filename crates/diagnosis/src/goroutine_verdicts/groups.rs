//! Goroutines of one tier and cause together, in a sentence.

use std::collections::HashMap;

use crate::facts::{Frame, WaitObject};
use crate::units::{bytes, plural, seconds};

use super::causes::{self, Cause, TooManyGoroutines};
use super::growing::Growth;
use super::scene::{KindView, Scene, Seen};
use super::thresholds::{MAX_GROUPS, TOO_MANY, VERY_MANY};
use super::tier::Tier;
use super::verdict::{GoroutineVerdict, Spot, Sureness, VerdictGroup};
use super::words;

/// Some of a group that are named by number.
const EXAMPLES: usize = 5;

/// Code of those that are told as one, wherever they stand.
const RING: &str = "lock-order-cycle";

/// What goroutines of a group have in common.
#[derive(PartialEq, Eq, Hash)]
struct Key<'a> {
    tier: Tier,
    code: &'a str,
    created_by: Option<&'a Frame>,
    waits_in: Option<&'a Frame>,
    reason: &'a str,
    holder: u64,
    sureness: Sureness,
    /// The ring that they are part of, wherever each of them stands in it.
    ring: &'a str,
}

/// Groups verdicts, the gravest and largest first; gives each the index of its group.
pub(super) fn group(scene: &Scene<'_>, growth: &Growth<'_>, each: &mut [GoroutineVerdict]) -> Vec<VerdictGroup> {
    let mut members: HashMap<Key<'_>, Vec<usize>> = HashMap::new();
    for (i, v) in each.iter().enumerate() {
        let view = scene.view(v.id);
        let ring = v.code == RING;
        let key = Key {
            tier: v.tier,
            code: v.code,
            ring: if ring { &v.cause } else { "" },
            created_by: view.created_by.filter(|_| !ring),
            waits_in: view.at.filter(|_| !ring),
            reason: if ring { "" } else { view.reason },
            holder: v.holders.first().map_or(0, |h| if is_of_many(v) { h.goroutine } else { 0 }),
            sureness: v.sureness,
        };
        members.entry(key).or_default().push(i);
    }
    let mut lists: Vec<Vec<usize>> = members.into_values().collect();
    lists.sort_by_key(|l| {
        let first = l.first().and_then(|i| each.get(*i));
        // Who waits behind somebody comes after that one.
        let behind = first.is_some_and(|v| v.code == "lock-held-by-blocked");
        (first.map(|v| v.tier), behind, std::cmp::Reverse(l.len()), first.map(|v| v.id))
    });
    let mut groups = Vec::new();
    for (index, list) in lists.into_iter().enumerate() {
        groups.extend(one(scene, growth, each, &list));
        for i in list {
            if let Some(v) = each.get_mut(i) {
                v.group = index;
            }
        }
    }
    groups
}

/// Whether a cause is one thing for many goroutines (a lock and its holder), and not for each its own.
fn is_of_many(v: &GoroutineVerdict) -> bool {
    v.code.starts_with("lock-") || matches!(v.code, "read-lock-recursion" | "slow-consumer")
}

fn one(scene: &Scene<'_>, growth: &Growth<'_>, each: &[GoroutineVerdict], list: &[usize]) -> Option<VerdictGroup> {
    let first = *list.first()?;
    let v = each.get(first)?;
    let view = scene.view(v.id);
    let members = || list.iter().filter_map(|i| each.get(*i)).filter_map(|v| scene.seen(v.blocked));
    let retained = members().filter_map(|s| s.g.retained_bytes).reduce(u64::saturating_add);
    let mut out = VerdictGroup {
        count: list.len() as u64,
        tier: v.tier,
        code: v.code,
        cause: v.cause.clone(),
        sureness: v.sureness,
        created_by: view.created_by.map(of_frame),
        starts: view.starts().to_owned(),
        waits_in: view.at.map(of_frame),
        retained_bytes: retained,
        stack_bytes: members().map(|s| s.view.stack_bytes).fold(0, u64::saturating_add),
        oldest_wait_ns: members().map(|s| s.g.waited_ns_at_least).max().unwrap_or(0),
        wakes_within_ns: wakes_within_ns(scene, members()),
        growing: growth.is_growing(view),
        over_time: growth.over_time(view),
        sentence: String::new(),
        cure: String::new(),
        examples: list.iter().take(EXAMPLES).filter_map(|i| each.get(*i)).map(|v| v.id).collect(),
        holders: v.holders.clone(),
        rivals: v.rivals.clone(),
        first,
    };
    if out.tier == Tier::Healthy && (out.count >= TOO_MANY && out.growing || out.count >= VERY_MANY) {
        out.code = TooManyGoroutines::INFO.code;
    }
    out.sentence = sentence(scene, &out, view, v);
    let place = out.waits_in.as_ref().map_or("the function", |s| s.function.as_str());
    out.cure = causes::by_code(out.code).map(|e| e.cure.replace("{place}", place)).unwrap_or_default();
    Some(out)
}

/// Within which time timers of their own wake nearly all of them: one that comes again and again ends
/// nobody's wait.
fn wakes_within_ns<'s>(scene: &Scene<'_>, members: impl Iterator<Item = Seen<'s>>) -> Option<u64> {
    let (mut all, mut woken, mut longest) = (0u64, 0u64, 0);
    for seen in members {
        all += 1;
        let ticks = |o: &WaitObject| o.is_timer && o.timer_period_ns > 0;
        let ticker = seen.g.waits.iter().filter_map(|w| scene.object(w)).any(ticks);
        if let Some(ns) = seen.g.wakes_in_ns.filter(|_| !ticker) {
            woken += 1;
            longest = longest.max(u64::try_from(ns).unwrap_or(0));
        }
    }
    (woken > 0 && woken >= all - all / 10).then_some(longest)
}

fn of_frame(f: &Frame) -> Spot {
    Spot { function: f.function.clone(), file: f.file.clone(), line: f.line }
}

fn sentence(scene: &Scene<'_>, group: &VerdictGroup, view: &KindView<'_>, v: &GoroutineVerdict) -> String {
    let who = plural(group.count, "goroutine");
    let whose = match &group.created_by {
        Some(s) => format!("{who} that {} started", words::spot(s)),
        None if group.count == 1 => format!("goroutine {}", v.id),
        None => who,
    };
    let one = group.count == 1;
    let waits = if one { "waits" } else { "wait" };
    let ring = group.code == RING && !one;
    let whose = if ring { plural(group.count, "goroutine") } else { whose };
    let place =
        group.waits_in.as_ref().filter(|_| !ring).map_or_else(String::new, |s| format!(" in {}", words::spot(s)));
    let what = match scene.seen(v.blocked).and_then(|s| s.only()) {
        _ if ring => " for locks of each other".to_owned(),
        Some(w) => format!(" {}", words::wait_kind(w)),
        None if view.reason.is_empty() => String::new(),
        None => format!(" ({})", view.reason),
    };
    let cause = if group.cause.is_empty() { String::new() } else { format!(": {}", group.cause) };
    let they = if one { "it" } else { "they" };
    let verdict = match group.tier {
        Tier::Proved if one => "Nothing that can still run leads there: it will never be woken.".to_owned(),
        Tier::Proved => "Nothing that can still run leads there: they will never be woken.".to_owned(),
        Tier::Suspect if !scene.blocked.no_proof.is_empty() => format!(
            "Nothing was found that leads there; it is no proof, since {}.",
            scene.blocked.no_proof.join(", and ")
        ),
        Tier::Suspect if group.growing => {
            format!(
                "{} may be leaked: somebody could still wake {}, and their number grows.",
                upper(they),
                if one { "it" } else { "them" }
            )
        }
        Tier::Suspect => format!("{} may be stuck for ever: that is inference, and no proof.", upper(they)),
        Tier::Stalled if one => "It waits for the world outside, for as long as that takes.".to_owned(),
        Tier::Stalled => "They wait for the world outside, for as long as that takes.".to_owned(),
        Tier::Immortal if one => "It runs again and again, and does not end.".to_owned(),
        Tier::Immortal => "They run again and again, and do not end.".to_owned(),
        Tier::Healthy if group.code == TooManyGoroutines::INFO.code => match group.growing {
            true => "Nothing shows that they are leaked: more are started than end.".to_owned(),
            false => "Nothing shows that they are leaked, nor whether their number grows.".to_owned(),
        },
        Tier::Healthy => String::new(),
    };
    let mut more = Vec::new();
    if let Some(n) = group.retained_bytes.filter(|n| *n > 0) {
        more.push(format!("{they} alone {} {}", if one { "holds" } else { "hold" }, bytes(n)));
    }
    if group.oldest_wait_ns > 0 {
        let oldest = seconds(group.oldest_wait_ns as f64 / 1e9);
        let whom = if one { "it has" } else { "one of them has" };
        more.push(format!("{whom} waited for {oldest} at least"));
    }
    let mut out = format!("{whose} {waits}{place}{what}{cause}. {verdict}");
    if let Some(o) = group.over_time.as_ref().filter(|o| o.grows()) {
        more.push(o.in_words());
    }
    if !more.is_empty() {
        out = format!("{} {}.", out.trim_end(), upper(&more.join("; ")));
    }
    out.trim_end().to_owned()
}

fn upper(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |c| c.to_uppercase().chain(chars).collect())
}

/// At most as many groups as are told of; the rest is counted in the tiers.
pub(super) fn most(groups: &mut Vec<VerdictGroup>) {
    groups.truncate(MAX_GROUPS);
}
