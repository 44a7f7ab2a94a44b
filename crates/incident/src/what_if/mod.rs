//! What would have been, if: each with an interval and a word on how it was reckoned. Closed forms of a few
//! measured numbers; where one of them is not known nothing is said.

mod numbers;

pub use numbers::Numbers;

use lastgasp_diagnosis::units::{bytes, count, seconds};

use crate::causes::Scene;
use crate::order::Relation;

/// Relative error of a number that is estimated from one moment of one process. Chosen: the what-ifs of the
/// lab lie within it.
const ROUGH: f64 = 0.25;

/// What it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Peak of memory in bytes.
    PeakBytes,
    /// Seconds that are gained before the kill.
    Seconds,
}

impl Measure {
    /// As in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::PeakBytes => "peak_bytes",
            Self::Seconds => "seconds",
        }
    }
}

/// A what-if.
#[derive(Clone, Debug, PartialEq)]
pub struct WhatIf {
    /// `limit`, `share-one-copy`, `concurrency-cap`, ...
    pub code: &'static str,
    /// What would be done.
    pub act: String,
    /// Of what the value is.
    pub measure: Measure,
    /// Value; infinite seconds: it would not have died.
    pub value: f64,
    /// Low end.
    pub low: f64,
    /// High end.
    pub high: f64,
    /// Whether it would have saved the process.
    pub saves: Option<bool>,
    /// How it was reckoned.
    pub method: String,
    /// In words.
    pub text: String,
}

/// All that can be reckoned.
#[must_use]
pub(crate) fn what_ifs(scene: &Scene<'_>) -> Vec<WhatIf> {
    let n = Numbers::of(scene);
    let mut out = limits(&n);
    out.extend(soft_limit(&n));
    out.extend(collector(&n));
    out.extend(shared(&n));
    out.extend(cap(&n));
    out.extend(timeout(&n));
    out.extend(retries(scene, &n));
    out.extend(fallback(&n));
    out
}

fn within(peak: f64, limit: Option<f64>) -> Option<bool> {
    limit.map(|l| peak < l)
}

fn peak(code: &'static str, act: String, value: f64, error: f64, n: &Numbers, method: String) -> WhatIf {
    let (low, high) = (value * (1.0 - error), value * (1.0 + error));
    let saves = match (within(high, n.limit), within(low, n.limit)) {
        (Some(true), _) => Some(true),
        (_, Some(false)) => Some(false),
        _ => None,
    };
    let end = match saves {
        Some(true) => "below the limit",
        Some(false) => "beyond the limit",
        None => "it may or may not fit",
    };
    let text = format!("{act}: peak {} [{}-{}], {end}", bytes(value as u64), bytes(low as u64), bytes(high as u64));
    WhatIf { code, act, measure: Measure::PeakBytes, value, low, high, saves, method, text }
}

/// Larger limits: how long each would have lasted, and what no limit would.
fn limits(n: &Numbers) -> Vec<WhatIf> {
    let (Some(limit), Some(rate)) = (n.limit, n.rate) else { return Vec::new() };
    let (low, high) = n.rate_between;
    let demand = n.demand();
    [1.5, 2.0, 8.0]
        .into_iter()
        .map(|factor| {
            let more = limit * (factor - 1.0);
            let act = format!("limit {}", bytes((limit * factor) as u64));
            let buys = |rate: f64| if rate > 0.0 { more / rate } else { f64::INFINITY };
            let fits = demand.is_some_and(|d| d * (1.0 + ROUGH) < limit * factor);
            let (value, low, high) =
                if fits { (f64::INFINITY, buys(rate), f64::INFINITY) } else { (buys(rate), buys(high), buys(low)) };
            let why = match demand {
                Some(d) if fits => format!("; all calls together need about {}", bytes(d as u64)),
                Some(d) => format!("; all calls together need about {}, and more if they keep coming", bytes(d as u64)),
                None => String::new(),
            };
            let text = if fits {
                format!("{act}: would have held{why}")
            } else {
                format!(
                    "{act}: buys {} [{}-{}]{why}",
                    seconds(value),
                    seconds(low),
                    if high.is_finite() { seconds(high) } else { "?".into() }
                )
            };
            WhatIf {
                code: "limit",
                act,
                measure: Measure::Seconds,
                value,
                low,
                high,
                saves: Some(fits),
                method:
                    "what the limit adds, by the rate of the growth (its 10th and 90th percentile over all captures)"
                        .into(),
                text,
            }
        })
        .collect()
}

/// memory.high as a brake: it slows and frees nothing.
fn soft_limit(n: &Numbers) -> Option<WhatIf> {
    let (limit, held) = (n.limit?, n.held?);
    let saves = held < limit * 0.9 && !n.grows_on;
    let text = format!(
        "soft limit (memory.high) at 90 %: slows what allocates and frees nothing; {} of {} is in use by what is alive{}",
        bytes(held as u64),
        bytes(limit as u64),
        if saves {
            ", so that a collection in that time would end it"
        } else {
            ": the pause ends at the limit all the same, as more comes"
        }
    );
    Some(WhatIf {
        code: "soft-limit",
        act: "memory.high at 90 % of the limit".into(),
        measure: Measure::PeakBytes,
        value: if saves { held } else { limit },
        low: held.min(limit),
        high: limit,
        saves: Some(saves),
        method: "what is alive against the limit; a brake changes neither".into(),
        text,
    })
}

/// GOGC and GOMEMLIMIT: they can free garbage, and nothing else.
fn collector(n: &Numbers) -> Option<WhatIf> {
    let (live, beside) = (n.live_now?, n.beside?);
    let value = live + beside;
    let garbage = n.garbage.map_or_else(String::new, |g| format!("; {} of the heap is garbage", bytes(g as u64)));
    let mut w = peak(
        "gomemlimit",
        "GOMEMLIMIT below the limit, or a smaller GOGC".into(),
        value,
        0.1,
        n,
        format!("what is alive and what is no heap: a collector can free the rest{garbage}"),
    );
    if w.saves == Some(false) || n.grows_on {
        w.saves = Some(false);
        w.text = format!("GOMEMLIMIT, GOGC: cannot hold it: {} is alive{garbage}, and more comes", bytes(live as u64));
    }
    Some(w)
}

/// One shared copy instead of many.
fn shared(n: &Numbers) -> Option<WhatIf> {
    let (each, base) = (n.copy_bytes?, n.base_usage?);
    let copies = n.copies.unwrap_or(0.0);
    // The shared one, and a second while it is replaced.
    Some(peak(
        "share-one-copy",
        format!("one shared copy instead of {}", count(copies as u64)),
        base + 2.0 * each,
        ROUGH / 2.0,
        n,
        "what was in use before it grew, and two of the copies: the shared one and the next while it is built".into(),
    ))
}

/// At most so many calls at a time.
fn cap(n: &Numbers) -> Option<WhatIf> {
    let (limit, base, each) = (n.limit?, n.base_live?, n.each?);
    let beside = n.beside.unwrap_or(0.0);
    let g = n.gogc_factor?;
    // L >= beside + g * (B + n * M)
    let most = ((limit * 0.95 - beside) / g - base) / each;
    if most < 1.0 {
        let text = format!(
            "no number of calls fits: each holds {}, and the base heap with the collector's room takes {}",
            bytes(each as u64),
            bytes((base * g + beside) as u64)
        );
        return Some(WhatIf {
            code: "concurrency-cap",
            act: "fewer calls at a time".into(),
            measure: Measure::PeakBytes,
            value: beside + g * (base + each),
            low: 0.0,
            high: f64::INFINITY,
            saves: Some(false),
            method: "(limit - rest) / GOGC factor - base heap, by bytes a call".into(),
            text,
        });
    }
    let (n_calls, value) = (most.floor(), beside + g * (base + most.floor() * each));
    let now = n.calls.map_or_else(String::new, |c| format!("; there were {}", count(c as u64)));
    let mut w = peak(
        "concurrency-cap",
        format!("at most {} calls at a time", count(n_calls as u64)),
        value,
        0.05,
        n,
        "beside + GOGC factor * (base heap + calls * bytes a call)".into(),
    );
    w.text = format!(
        "at most {} calls at a time [{}-{}]: peak {}, under the limit{now}",
        count(n_calls as u64),
        count((most * (1.0 - ROUGH)) as u64),
        count((most * (1.0 + ROUGH)) as u64),
        bytes(value as u64)
    );
    w.saves = Some(true);
    Some(w)
}

/// A timeout of callers, where a call ends as its caller goes away: so many fewer in flight.
fn timeout(n: &Numbers) -> Option<WhatIf> {
    let (base, each, arrivals) = (n.base_live?, n.each?, n.arrivals?);
    let (beside, g) = (n.beside.unwrap_or(0.0), n.gogc_factor?);
    const SECONDS: f64 = 0.05;
    let calls = arrivals * SECONDS;
    let mut w = peak("timeout", "callers' timeout 50 ms".into(), beside + g * (base + calls.max(1.0) * each), ROUGH, n, "calls in flight = arrivals * timeout (Little), if a call ends when its caller goes away; if it does not, nothing changes".into());
    w.text += " (if the service stops a call whose caller has gone)";
    Some(w)
}

/// Retries switched off.
fn retries(scene: &Scene<'_>, n: &Numbers) -> Option<WhatIf> {
    let (_, again) = scene.series("retries")?.levels?;
    let (_, all) = scene.series("attempts").and_then(|o| o.levels)?;
    // The two levels are of different moments where there are more retries than attempts: nothing follows.
    if again <= 0.0 || again >= all * 0.95 {
        return None;
    }
    let part = again / all;
    let rate = n.rate?;
    let limit = n.limit?;
    let base = n.base_usage?;
    let now = (limit - base) / rate;
    let then = now / (1.0 - part);
    let whom = match scene.relation("retries") {
        Relation::After => " for those that are restarted",
        _ => "",
    };
    Some(WhatIf {
        code: "retries-off",
        act: "no retries".into(),
        measure: Measure::Seconds,
        value: then - now,
        low: (then - now) * (1.0 - ROUGH),
        high: (then - now) * (1.0 + ROUGH),
        saves: None,
        method: "the rate of the growth less the part of attempts that are retries".into(),
        text: format!(
            "no retries: {again:.0} of {all:.0} attempts/s fewer, {} later{whom}; by itself it ends nothing",
            seconds(then - now)
        ),
    })
}

/// A fallback in the callers: no calls at all.
fn fallback(n: &Numbers) -> Option<WhatIf> {
    let base = n.base_usage?;
    n.each?;
    Some(peak(
        "fallback",
        "callers fall back and do not call".into(),
        base,
        ROUGH / 2.0,
        n,
        "what was in use before it grew: nothing is built where nobody asks".into(),
    ))
}
