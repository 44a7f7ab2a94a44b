//! The document `lastgasp.incident/1`.

use lastgasp_incident::cohorts::Label;
use lastgasp_incident::evidence::{Change, MetricPoint, UnixMs};
use lastgasp_incident::{Brief, Cause, Incident, WhatIf, rfc3339};
use serde_json::{Value, json};

/// Name and version of the form.
pub(super) const SCHEMA: &str = "lastgasp.incident/1";

/// The document of an incident; `earlier` are others of the same time, of which there is a line each.
#[must_use]
pub fn document(i: &Incident, earlier: &[Brief]) -> Value {
    json!({
        "schema": SCHEMA,
        "service": i.service,
        "incidents": earlier.len() + 1,
        "kills": i.kills,
        "nearly": i.nearly,
        "climbs": i.climbs.as_ref().map(|c| json!({
            "instances": c.instances,
            "first": c.first,
            "limit_bytes": c.limit_bytes,
            "from_bytes": c.bytes.0,
            "to_bytes": c.bytes.1,
            "seconds": round(c.seconds),
            "seen": rfc3339(c.seen),
            "seconds_left": round(c.seconds_left),
        })),
        "instances": {"killed": i.instances.0, "seen": i.instances.1},
        "window": {
            "from": rfc3339(i.between.0),
            "to": rfc3339(i.between.1),
            "onset": rfc3339(i.onset.0),
            "onset_from_rest": i.onset.1,
        },
        "sentence": i.sentence,
        "cause": {
            "kind": i.kind.name(),
            "key": i.key,
            "at": time(i.at),
            "sentence": i.causes.first().filter(|_| i.kind != lastgasp_incident::Kind::Unknown).map(|c| c.sentence.clone()),
        },
        "confidence": round(i.confidence),
        "causes": i.causes.iter().map(cause).collect::<Vec<_>>(),
        "checks": i.checks.iter().map(|c| json!({
            "name": c.name,
            "title": c.title,
            "state": c.state.name(),
            "text": c.text,
            "changes": c.changes.iter().map(change).collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
        "not_it": i.not_it.iter().map(|n| json!({"suspect": n.suspect, "because": n.because})).collect::<Vec<_>>(),
        "cohorts": i.cohorts.iter().map(label).collect::<Vec<_>>(),
        "spread": i.spread.as_ref().map(|s| json!({
            "deaths": s.deaths,
            "over_seconds": round(s.over_seconds),
            "ages_over_seconds": round(s.ages_over_seconds),
            "common_cause": s.common,
            "by_age": s.by_age,
            "text": s.text,
        })),
        "order": i.order.iter().map(|o| json!({
            "series": o.series,
            "onset": time(o.at),
            "lag": o.lag_ms.map(|ms| ms as f64 / 1e3),
            "lag_between": o.lag_between_ms.map(|(a, b)| [a as f64 / 1e3, b as f64 / 1e3]),
            "agree": o.agree,
            "of": o.of,
            "p": o.p,
            "relation": o.relation.name(),
            "before": o.levels.map(|l| round(l.0)),
            "after": o.levels.map(|l| round(l.1)),
            "text": o.text,
        })).collect::<Vec<_>>(),
        "loop": i.sustained.as_ref().map(|l| json!({
            "name": l.name, "text": l.text, "cure": l.cure, "killed_again": l.again, "of": l.of,
        })),
        "what_if": i.what_if.iter().map(what_if).collect::<Vec<_>>(),
        "do_now": i.do_now.iter().map(|a| json!({
            "act": a.act,
            "effect": a.effect,
            "seconds_to_act": a.seconds,
            "peak_bytes": a.peak.filter(|p| p.is_finite()).map(|p| p as u64),
            "ends_it": a.ends_it,
        })).collect::<Vec<_>>(),
        "unknown": i.unknown,
        "timeline": i.timeline.iter().map(|m| json!({"at": rfc3339(m.at), "kind": m.kind, "text": m.text})).collect::<Vec<_>>(),
        "captures": i.captures.iter().map(|c| json!({
            "path": c.path, "instance": c.instance, "at": rfc3339(c.at), "says": c.says, "light": c.light,
        })).collect::<Vec<_>>(),
        "earlier": earlier.iter().take(50).map(|e| json!({
            "service": e.service, "kills": e.kills, "from": rfc3339(e.between.0), "to": rfc3339(e.between.1), "nearly": e.nearly,
        })).collect::<Vec<_>>(),
    })
}

/// The document of a time without an incident.
#[must_use]
pub fn none_document(service: Option<&str>, since: UnixMs, now: UnixMs, gaps: &[String]) -> Value {
    json!({
        "schema": SCHEMA,
        "service": service,
        "incidents": 0,
        "kills": 0,
        "window": {"from": rfc3339(since), "to": rfc3339(now)},
        "cause": null,
        "confidence": null,
        "causes": [],
        "checks": [],
        "not_it": [],
        "cohorts": [],
        "order": [],
        "what_if": [],
        "do_now": [],
        "unknown": gaps,
    })
}

/// What the page draws beside the document: series and the numbers of the what-ifs.
pub(super) fn drawn(i: &Incident) -> Value {
    let n = &i.numbers;
    json!({
        "series": i.series.iter().map(|c| json!({
            "name": c.name,
            "kind": c.kind,
            "unit": c.unit,
            "of": c.of,
            "change": c.change,
            "points": c.points.iter().map(point).collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
        "curves": i.cohorts.iter().filter(|l| l.cohorts.len() > 1 || l.name == "version").map(|l| json!({
            "name": l.name,
            "groups": l.cohorts.iter().take(6).map(|c| json!({
                "value": c.value,
                "lives": c.lives,
                "steps": thin(&c.curve).map(|s| [s.at, s.survivors, s.error]).collect::<Vec<_>>(),
            })).collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
        "numbers": {
            "limit": n.limit, "rate": n.rate, "rate_low": n.rate_between.0, "rate_high": n.rate_between.1,
            "base_usage": n.base_usage, "base_live": n.base_live, "beside": n.beside, "each": n.each,
            "calls": n.calls, "arrivals": n.arrivals, "gogc_factor": n.gogc_factor, "copy": n.copy_bytes,
            "live_now": n.live_now,
        },
    })
}

/// A curve of at most so many steps as a screen has room for, its last one among them.
fn thin<T>(steps: &[T]) -> impl Iterator<Item = &T> {
    let each = steps.len().div_ceil(200).max(1);
    let last = steps.len().saturating_sub(1);
    steps.iter().enumerate().filter(move |(i, _)| i.is_multiple_of(each) || *i == last).map(|(_, s)| s)
}

fn point(p: &MetricPoint) -> Value {
    json!([p.unix_ms, p.value])
}

fn time(at: Option<UnixMs>) -> Value {
    at.map_or(Value::Null, |t| rfc3339(t).into())
}

/// Four digits are enough; what is no number is null in JSON.
fn round(x: f64) -> f64 {
    if x == 0.0 || !x.is_finite() {
        return x;
    }
    let scale = 10_f64.powi(3 - x.abs().log10().floor().clamp(-9.0, 9.0) as i32);
    (x * scale).round() / scale
}

fn cause(c: &Cause) -> Value {
    json!({
        "kind": c.kind.name(),
        "key": c.key,
        "at": time(c.at),
        "sentence": c.sentence,
        "confidence": round(c.confidence),
        "log_odds": round(c.log_odds),
        "rivals_excluded": c.decisive,
        "undo": c.undo,
        "terms": c.terms.iter().map(|t| json!({"name": t.name, "log_odds": round(t.log_odds), "text": t.text})).collect::<Vec<_>>(),
    })
}

fn change(c: &Change) -> Value {
    json!({
        "id": c.id, "kind": c.kind.name(), "key": c.key, "at": rfc3339(c.at_unix_ms), "source": c.source, "by": c.by,
        "from": c.from, "to": c.to, "elements": c.elements, "elements_before": c.elements_before, "size_bytes": c.size_bytes,
    })
}

fn label(l: &Label) -> Value {
    json!({
        "label": l.name,
        "says": l.says.name(),
        "groups": l.cohorts.iter().map(|c| json!({"value": c.value, "lives": c.lives, "killed": c.killed})).collect::<Vec<_>>(),
        "p": l.p,
        "test": l.test,
        "hazard_ratio": l.hazard.map(|h| json!({"ratio": round(h.ratio), "low": round(h.low), "high": round(h.high)})),
        "likeness": l.likeness.map(round),
        "text": l.text,
    })
}

fn what_if(w: &WhatIf) -> Value {
    let number = |x: f64| if x.is_finite() { json!(round(x)) } else { Value::Null };
    json!({
        "code": w.code,
        "act": w.act,
        "measure": w.measure.name(),
        "value": number(w.value),
        "low": number(w.low),
        "high": number(w.high),
        "saves": w.saves,
        "method": w.method,
        "text": w.text,
    })
}
