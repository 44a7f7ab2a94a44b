//! Blocked goroutines for a terminal: the section of the report, and the answer of `why goroutine:ID`.

use std::fmt::Write as _;

use lastgasp_diagnosis::facts::{Facts, Referrer, ReferrerPlace, Wait};
use lastgasp_diagnosis::units::{bytes, count, plural, seconds, short};
use lastgasp_diagnosis::{GoroutineVerdict, GoroutineVerdicts, Spot, Tier, VerdictGroup, causes};
use serde_json::Value;

use crate::document::goroutine_document;
use crate::printable::printable;

/// Groups that are told.
const MOST_GROUPS: usize = 6;
/// Who has a pointer to what is waited for: so many are told.
const MOST_REFERRERS: usize = 6;

/// The lines of the section; empty where no goroutine was followed and no order is known.
pub(crate) fn blocked_lines(all: &GoroutineVerdicts) -> Vec<String> {
    let mut lines = Vec::new();
    if all.total > 0 {
        let tiers = Tier::ALL.iter().filter(|t| all.tiers.of(**t) > 0);
        let tiers: Vec<String> = tiers.map(|t| format!("{} {}", count(all.tiers.of(*t)), t.name())).collect();
        lines.push(format!("{}: {}", plural(all.total, "goroutine"), tiers.join(", ")));
    }
    if !all.no_proof.is_empty() {
        lines.push(format!("nothing is proved: {}", all.no_proof.join("; ")));
    }
    let told: Vec<&VerdictGroup> = all.groups.iter().filter(|g| g.tier.is_trouble()).collect();
    lines.extend(told.iter().take(MOST_GROUPS).map(|g| group_line(g)));
    if told.len() > MOST_GROUPS {
        let rest: u64 = told.iter().skip(MOST_GROUPS).map(|g| g.count).fold(0, u64::saturating_add);
        lines.push(format!("{:>7} x in {} more", count(rest), plural((told.len() - MOST_GROUPS) as u64, "group")));
    }
    lines.extend(all.leak.as_ref().map(|l| l.sentence.clone()));
    // Goroutines that came first are often those of the load (the recorded incident): no line of it.
    lines.extend(all.onsets.as_ref().filter(|o| o.consequence).map(|o| o.sentence.clone()));
    lines
}

fn group_line(g: &VerdictGroup) -> String {
    let mut line = format!("{:>7} x {} {}", count(g.count), g.tier.name(), g.code);
    if let Some(s) = &g.waits_in {
        // Writing into a String cannot fail.
        let _ = write!(line, " in {}", s.function);
    }
    if let Some(s) = &g.created_by {
        let _ = write!(line, ", started by {}", s.function);
    }
    if let Some(n) = g.retained_bytes.filter(|n| *n > 0) {
        let _ = write!(line, ", holding {}", bytes(n));
    }
    if let Some(h) = g.holders.first() {
        let _ = write!(line, "; goroutine {} in {} {} ({})", h.goroutine, h.function, h.does, h.sureness.name());
    }
    line
}

/// The number in `goroutine:7`.
#[must_use]
pub fn asked_goroutine(asked: &str) -> Option<u64> {
    asked.strip_prefix("goroutine:")?.parse().ok()
}

/// What is known of one blocked goroutine; `None` where it is not among those that were followed.
#[must_use]
pub fn why_goroutine_text(facts: &Facts, all: &GoroutineVerdicts, id: u64) -> Option<String> {
    let v = all.goroutine(id)?;
    let b = facts.graph.as_ref()?.blocked.as_ref()?;
    let g = b.each.get(v.blocked)?;
    let mut lines = vec![head(v)];
    if let Some(group) = all.groups.get(v.group) {
        lines.push(place("waits in", group.waits_in.as_ref()));
        lines.push(place("started by", group.created_by.as_ref()));
        if group.count > 1 {
            lines.push(format!("{} more like it", count(group.count - 1)));
        }
    }
    if g.waited_ns_at_least > 0 {
        lines.push(format!("has waited for {} at least", seconds(g.waited_ns_at_least as f64 / 1e9)));
    }
    lines.extend(g.retained_bytes.map(|n| format!("alone holds {}", bytes(n))));
    for (i, w) in g.waits.iter().enumerate() {
        let case = if g.waits.len() > 1 { format!("case {}: ", i + 1) } else { String::new() };
        lines.push(format!("{case}{}", wait_line(facts, w)));
        lines.extend(referrer_lines(facts, w));
    }
    let by = if g.by.is_empty() { String::new() } else { format!(": {}", g.by) };
    lines.push(format!("can be woken by {}{by}", woken_by(g.wake_up.name())));
    if g.go_says_leaked {
        lines.push("Go's own leak profile has found it too".into());
    }
    lines.extend(v.holders.iter().map(|h| {
        format!("{} holder: goroutine {} in {} {} ({})", h.sureness.name(), h.goroutine, h.function, h.does, h.sign)
    }));
    lines.extend(v.rivals.iter().map(|r| format!("or else: {} (what would tell: {})", r.cause, r.because)));
    if let Some(info) = causes().into_iter().find(|i| i.code == v.code) {
        let cure = all.groups.get(v.group).map_or("", |g| g.cure.as_str());
        lines.push(format!("cure: {cure}"));
        lines.push(format!("more: lastgasp explain {}", info.code));
    }
    lines.retain(|l| !l.is_empty());
    Some(lines.iter().map(|l| format!("{}\n", printable(l))).collect())
}

/// The same as JSON (schema lastgasp.why/1).
#[must_use]
pub fn why_goroutine_json(facts: &Facts, all: &GoroutineVerdicts, asked: &str, id: u64) -> Option<Value> {
    goroutine_document(facts, all, asked, id)
}

fn head(v: &GoroutineVerdict) -> String {
    let code = if v.code.is_empty() { String::new() } else { format!(", {}", v.code) };
    format!("goroutine {}: {}{code}: {}", v.id, v.tier.name(), v.cause)
}

fn place(what: &str, s: Option<&Spot>) -> String {
    s.map_or_else(String::new, |s| format!("{what} {} ({}:{})", s.function, short(&s.file), s.line))
}

fn woken_by(wake_up: &str) -> &str {
    match wake_up {
        "nothing" => "nobody: nothing that can still run leads there",
        "only-globals" => "whoever comes by a package variable",
        "reachable" => "who can run and leads there",
        "own-timer" => "its own timer alone",
        "outside" => "the world outside",
        _ => "what is not known",
    }
}

fn wait_line(facts: &Facts, w: &Wait) -> String {
    let objects = facts.graph.as_ref().and_then(|g| g.blocked.as_ref()).map(|b| b.objects.as_slice());
    let Some(o) = w.object.and_then(|i| objects?.get(i as usize)) else {
        return format!("waits: {}", w.operation);
    };
    let mut line = format!("waits: {} {}", w.operation, o.kind);
    let mut add = |text: String| {
        line.push_str(", ");
        line.push_str(&text);
    };
    if !o.type_name.is_empty() {
        add(format!("of {}", o.type_name));
    }
    if o.address != 0 {
        add(format!("at {:#x}", o.address));
    }
    if o.kind.name() == "channel" {
        add(format!("{} of {} in its buffer", count(o.length), count(o.capacity)));
        add(if o.closed { "closed".into() } else { "open".into() });
        add(format!("{} would send, {} would receive", count(o.senders), count(o.receivers)));
    } else if o.waiters > 0 {
        add(plural(o.waiters, "waiter"));
    }
    if let Some(n) = o.missing_done {
        add(format!("{n} calls of Done missing"));
    }
    if let Some(l) = o.lock {
        add(match (l.locked || l.writer, l.readers) {
            (_, n @ 1..) => plural(n, "reader"),
            (true, _) => "locked".into(),
            (false, _) => "free".into(),
        });
    }
    if let Some(d) = &o.descriptor {
        add(format!("{} {} {}", d.what, d.peer, d.state.to_lowercase()).trim().to_owned());
        add(match d.has_deadline {
            Some(true) => "a deadline is set".into(),
            Some(false) => "no deadline is set".into(),
            None => "whether a deadline is set is not known".into(),
        });
    }
    if !o.way.is_empty() {
        add(format!("reached by {}", o.way));
    }
    line
}

fn referrer_lines(facts: &Facts, w: &Wait) -> Vec<String> {
    let blocked = facts.graph.as_ref().and_then(|g| g.blocked.as_ref());
    let Some(o) = blocked.and_then(|b| b.objects.get(w.object? as usize)) else { return Vec::new() };
    let line = |r: &Referrer| {
        let whose = if r.goroutine == 0 { String::new() } else { format!("goroutine {}, ", r.goroutine) };
        let runs = if r.can_run { ", which can run" } else { "" };
        let place = match r.place {
            ReferrerPlace::Deferred => "deferred call of",
            ReferrerPlace::Frame => "frame of",
            ReferrerPlace::Global => "package variable",
            ReferrerPlace::Object => "object",
            _ => r.place.name(),
        };
        format!("  known to {whose}{place} {}{runs}", r.name)
    };
    let mut lines: Vec<String> = o.referrers.iter().take(MOST_REFERRERS).map(line).collect();
    let rest = o.referrers_total.saturating_sub(lines.len() as u64);
    if rest > 0 {
        lines.push(format!("  and to {} more", count(rest)));
    }
    lines
}
