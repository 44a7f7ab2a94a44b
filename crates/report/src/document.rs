//! The report as one JSON document: the contract of docs/formats/report-json.md. The HTML page carries it and
//! computes nothing of its own.

use lastgasp_diagnosis::facts::{Amount, Facts, Frame, Group, Site};
use lastgasp_diagnosis::{Diagnosis, Finding, nothing_found};
use serde_json::{Value, json};

use crate::memory::{heap, memory};

/// Sites and goroutine groups that are listed one by one.
const MOST_SITES: usize = 400;
const MOST_GROUPS: usize = 200;
/// Samples of the timeline.
const MOST_SAMPLES: usize = 1200;

/// The document. `path` is where the capture stands, if it does.
#[must_use]
pub fn document(facts: &Facts, d: &Diagnosis, path: Option<&str>) -> Value {
    json!({
        "schema": "lastgasp.report/1",
        "capture": capture(facts, path),
        "target": target(facts),
        "verdict": verdict(facts, d),
        "findings": d.findings.iter().map(finding).collect::<Vec<_>>(),
        "do_now": d.verdict().map(|f| f.do_now.iter().map(|(text, effect)| json!({"text": text, "effect": effect})).collect::<Vec<_>>()).unwrap_or_default(),
        "not_it": d.ruled_out.iter().map(|n| json!({"suspect": n.suspect, "because": n.because, "source": n.source.name()})).collect::<Vec<_>>(),
        "feeds": feeds(),
        "unknown": d.unknown,
        "window": window(d),
        "limit_what_if": d.limits.iter().map(|l| json!({"limit_bytes": l.limit, "buys_seconds": l.seconds, "low_seconds": l.low, "high_seconds": l.high})).collect::<Vec<_>>(),
        "memory": memory(facts),
        "heap": heap(facts),
        "gc": gc(facts),
        "profile": profile(facts, d),
        "pprof": pprof(facts, d),
        "goroutines": goroutines(facts, d),
        "timeline": timeline(facts, d),
        "provenance": {
            "lastgasp_version": facts.capture.lastgasp_version,
            "kernel": facts.capture.kernel,
            "layout": facts.target.layout,
            "bytes_copied": facts.capture.bytes_copied,
            "notes": notes(facts),
        },
    })
}

fn capture(facts: &Facts, path: Option<&str>) -> Value {
    let c = &facts.capture;
    let id = path.and_then(|p| p.trim_end_matches('/').rsplit('/').next());
    let gaps: Vec<Value> = c.gaps.iter().map(|(what, why)| json!({"what": what, "why": why})).collect();
    json!({
        "id": id, "path": path, "phase": c.phase, "reason": c.reason, "taken_at": c.taken_at,
        "complete": c.gaps.is_empty(), "stopped_ns": c.stopped_ns, "gaps": gaps,
    })
}

fn target(facts: &Facts) -> Value {
    let t = &facts.target;
    let started_at = jiff::Timestamp::from_second(t.started_unix.cast_signed())
        .ok()
        .filter(|_| t.started_unix > 0)
        .map(|t| t.to_string());
    json!({
        "pid": t.pid, "service": t.service, "go_version": t.go_version,
        "module": {"path": t.module.0, "version": t.module.1},
        "vcs": t.vcs.as_ref().map(|(revision, time, modified)| json!({"revision": revision, "time": time, "modified": modified == "true"})),
        "build_id": t.build_id, "stripped": t.stripped, "cgroup": t.cgroup, "container": t.container,
        "limit_bytes": t.limit_bytes, "limit_source": t.limit_source, "started_at": started_at,
    })
}

fn verdict(facts: &Facts, d: &Diagnosis) -> Value {
    let Some(f) = d.verdict() else {
        return json!({"level": "none", "title": "no finding", "sentence": nothing_found(facts)});
    };
    json!({
        "level": f.level.name(), "code": f.code, "title": f.title, "sentence": f.sentence, "confidence": f.confidence(),
        "confidence_terms": f.factors.iter().map(|c| json!({"term": c.name, "value": c.value})).collect::<Vec<_>>(),
        "site": f.site, "facts": evidence(f), "cure": f.cure,
    })
}

fn evidence(f: &Finding) -> Vec<Value> {
    f.evidence.iter().map(|e| json!({"text": e.text, "source": e.source.name()})).collect()
}

fn finding(f: &Finding) -> Value {
    json!({
        "code": f.code, "level": f.level.name(), "title": f.title, "sentence": f.sentence,
        "confidence": f.confidence(), "evidence": evidence(f), "cure": f.cure,
    })
}

/// What could tell of a change, and does not yet: said aloud, since absence of a feed is not absence of
/// change.
fn feeds() -> Vec<Value> {
    ["releases", "configuration", "admin platforms", "dependencies and base platform"]
        .iter()
        .map(|name| json!({"name": name, "state": "NO FEED CONNECTED", "detail": "lastgasp does not see these changes: ask whoever makes them"}))
        .collect()
}

fn window(d: &Diagnosis) -> Value {
    d.window.as_ref().map_or(Value::Null, |w| {
        json!({
            "seconds": w.seconds(), "onset_ms": w.onset_ms, "end_ms": w.end_ms, "start_bytes": w.start_bytes, "end_bytes": w.end_bytes,
            "growth_bytes": w.growth(), "rate_bytes_per_s": w.rate, "rate_low_bytes_per_s": w.rate_low,
            "rate_high_bytes_per_s": w.rate_high, "gc_cycles": w.gc_cycles,
        })
    })
}

fn gc(facts: &Facts) -> Value {
    let g = &facts.gc;
    let phase = match g.phase {
        0 => "off",
        1 => "mark",
        2 => "mark termination",
        _ => "unknown",
    };
    json!({
        "cycles": g.cycles, "percent": g.percent, "memory_limit_bytes": g.memory_limit, "heap_live_bytes": g.heap_live,
        "heap_marked_bytes": g.heap_marked, "heap_goal_bytes": g.heap_goal, "phase": phase,
        "heap_in_use_bytes": g.heap_in_use, "heap_idle_bytes": g.heap_free, "heap_released_bytes": g.heap_released,
        "stacks_bytes": g.stacks, "metadata_bytes": g.metadata,
    })
}

fn amount(a: Amount) -> Value {
    json!({"bytes": a.bytes, "objects": a.objects})
}

fn frame(f: &Frame) -> Value {
    json!({"function": f.function, "file": f.file, "line": f.line})
}

fn stack(facts: &Facts, indices: &[u32]) -> Vec<Value> {
    indices.iter().filter_map(|i| facts.frames.get(*i as usize)).map(frame).collect()
}

fn counters(s: &Site, growth: Amount, has_baseline: bool) -> Value {
    let baseline = has_baseline.then(|| amount(s.baseline));
    let growth = has_baseline.then(|| amount(growth));
    json!({"current": amount(s.current), "published": amount(s.published), "baseline": baseline, "growth": growth, "burst": amount(s.burst)})
}

fn profile(facts: &Facts, d: &Diagnosis) -> Value {
    let p = &facts.profile;
    let has_baseline = d.growth.has_baseline;
    let mut order: Vec<usize> = (0..p.sites.len()).collect();
    let grown = |i: usize| d.growth.by_site.get(i).copied().unwrap_or_default();
    let key =
        |i: &usize| (if has_baseline { grown(*i).bytes } else { 0 }, p.sites.get(*i).map_or(0, |s| s.current.bytes));
    order.sort_by_key(|i| (std::cmp::Reverse(key(i)), *i));
    let sum = |indices: &[usize]| {
        let mut total = Site::default();
        let mut growth = Amount::default();
        for (i, s) in indices.iter().filter_map(|i| Some((*i, p.sites.get(*i)?))) {
            total.current = total.current.plus(s.current);
            total.published = total.published.plus(s.published);
            total.baseline = total.baseline.plus(s.baseline);
            total.burst = total.burst.plus(s.burst);
            total.samples = total.samples.saturating_add(s.samples);
            growth = growth.plus(grown(i));
        }
        (total, growth)
    };
    let (shown, rest) = order.split_at(order.len().min(MOST_SITES));
    let mut sites: Vec<Value> =
        shown.iter().filter_map(|i| Some(site(facts, *i, p.sites.get(*i)?, grown(*i), has_baseline))).collect();
    if !rest.is_empty() {
        let (total, growth) = sum(rest);
        let mut other = counters(&total, growth, has_baseline);
        other["id"] = json!(-1);
        other["function"] = json!("(other sites)");
        sites.push(other);
    }
    let (total, growth) = sum(&order);
    json!({"rate_bytes": p.rate, "baseline_ms": p.baseline_t_ms, "totals": counters(&total, growth, has_baseline), "sites": sites})
}

fn site(facts: &Facts, id: usize, s: &Site, growth: Amount, has_baseline: bool) -> Value {
    let mut out = counters(s, growth, has_baseline);
    let top = s.stack.first().and_then(|i| facts.frames.get(*i as usize)).cloned().unwrap_or_default();
    out["id"] = json!(id);
    out["function"] = json!(top.function);
    out["file"] = json!(top.file);
    out["line"] = json!(top.line);
    out["stack"] = json!(stack(facts, &s.stack));
    out["samples"] = json!(s.samples);
    out["error_bytes"] = json!(s.error_bytes);
    let (low, high) = s.range_bytes();
    out["range_bytes"] = json!([low, high]);
    if let Some(seconds) = facts.seconds_since_baseline() {
        let (allocated, freed) = s.since_baseline();
        let rate = |a: Amount| json!({"bytes_per_s": (a.bytes as f64 / seconds) as u64, "objects_per_s": (a.objects as f64 / seconds) as u64});
        out["rates"] = json!({"allocated": rate(allocated), "freed": rate(freed), "seconds": seconds});
    }
    out
}

fn pprof(facts: &Facts, d: &Diagnosis) -> Value {
    use lastgasp_diagnosis::units::bytes;
    let sum = |of: &dyn Fn(&Site) -> u64| facts.profile.sites.iter().map(of).fold(0, u64::saturating_add);
    let (current, published) = (sum(&|s| s.current.bytes), sum(&|s| s.published.bytes));
    let Some(c) = &d.growth.culprit else {
        return json!({"total_published_bytes": published, "total_current_bytes": current});
    };
    let sentence = format!(
        "/debug/pprof/heap would have shown {} for {} in this moment; the runtime already held {}.",
        bytes(c.published.bytes),
        c.frame.function,
        bytes(c.current.bytes)
    );
    json!({
        "sentence": sentence, "site_published_bytes": c.published.bytes, "site_current_bytes": c.current.bytes,
        "total_published_bytes": published, "total_current_bytes": current,
    })
}

fn goroutines(facts: &Facts, d: &Diagnosis) -> Value {
    let g = &facts.goroutines;
    let culprit = d.growth.culprit.as_ref();
    let name = culprit.map(|c| c.caller.as_ref().map_or(c.frame.function.as_str(), |f| f.function.as_str()));
    let inside = |stack: &[u32]| {
        name.is_some_and(|n| stack.iter().any(|i| facts.frames.get(*i as usize).is_some_and(|f| f.function == n)))
    };
    let mut by_state: std::collections::BTreeMap<&str, u64> = std::collections::BTreeMap::new();
    for group in &g.groups {
        let n = by_state.entry(state(group)).or_default();
        *n = group.count.saturating_add(*n);
    }
    let groups: Vec<Value> = g
        .groups
        .iter()
        .take(MOST_GROUPS)
        .map(|group| {
            json!({
                "count": group.count, "state": group.state, "wait_reason": group.wait_reason, "stack": stack(facts, &group.stack),
                "created_by": group.created_by.and_then(|i| facts.frames.get(i as usize)).map(frame),
                "in_site": inside(&group.stack), "approximate": group.approximate,
            })
        })
        .collect();
    json!({
        "total": g.total, "running": g.running, "stack_bytes": g.stack_bytes,
        "in_site": culprit.map(|c| c.in_flight(facts)), "site_function": name,
        "by_state": by_state.iter().map(|(s, n)| json!({"state": s, "count": n})).collect::<Vec<_>>(), "groups": groups,
    })
}

fn state(group: &Group) -> &str {
    if group.wait_reason.is_empty() { &group.state } else { &group.wait_reason }
}

fn timeline(facts: &Facts, d: &Diagnosis) -> Value {
    let all = &facts.timeline.samples;
    // The last samples are the story; older ones are thinned.
    let step = all.len().div_ceil(MOST_SAMPLES).max(1);
    let samples: Vec<Value> = all
        .iter()
        .enumerate()
        .filter(|(i, _)| (all.len() - 1 - i).is_multiple_of(step))
        .map(|(_, s)| {
            json!({
                "t_ms": s.t_ms, "usage_bytes": s.usage_bytes, "rss_bytes": s.rss_bytes, "heap_live_bytes": s.heap_live_bytes,
                "goroutines": s.goroutines, "gc_cycles": s.gc_cycles,
            })
        })
        .collect();
    let mut events: Vec<Value> =
        facts.timeline.events.iter().map(|e| json!({"t_ms": e.t_ms, "kind": e.kind, "text": e.text})).collect();
    if let Some(w) = &d.window {
        events.push(json!({"t_ms": w.onset_ms, "kind": "onset", "text": "memory begins to grow"}));
    }
    events.push(json!({"t_ms": facts.capture.t_ms, "kind": "capture", "text": "this capture"}));
    events.sort_by_key(|e| e["t_ms"].as_u64());
    json!({"samples": samples, "events": events, "limit_bytes": facts.target.limit_bytes})
}

fn notes(facts: &Facts) -> Vec<String> {
    let mut out = vec![
        "profile figures are estimates from the runtime's samples (un-sampled with the process's own rate)".to_owned(),
        "goroutine counts of the timeline are structures in existence: they never go down".to_owned(),
    ];
    if facts.capture.phase == "post-kill" {
        out.push("read from the dead process's memory, which lastgasp held for a moment".into());
    }
    out
}
