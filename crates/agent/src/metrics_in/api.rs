//! Prometheus' HTTP API: each role's PromQL by a range query from the last answer on, so that what was missed
//! while it did not answer is made up for, as far back as a bound.

use std::time::Duration;

use lastgasp_incident::evidence::UnixMs;
use serde_json::Value as Json;

use super::presets::{Kind, Named};
use super::{Ask, Http, Value};

/// How far back a first question goes, and one after a silence.
const BACK_MS: i64 = 600_000;
/// Points of one answer that are read.
const MAX_POINTS: usize = 11_000;
/// Points that may still change: a scrape takes a moment to be seen.
const LATE_MS: i64 = 2_000;

#[derive(Debug)]
pub(super) struct Api {
    roles: Vec<(Named, UnixMs)>,
    step: Duration,
}

impl Api {
    pub(super) fn new(names: Vec<Named>, step: Duration) -> Self {
        Self { roles: names.into_iter().map(|n| (n, 0)).collect(), step }
    }
}

impl Ask for Api {
    fn ask(&mut self, http: &Http<'_>, now: UnixMs) -> Result<Vec<Value>, String> {
        let mut all = Vec::new();
        let step = i64::try_from(self.step.as_millis()).unwrap_or(5000).max(1);
        let (mut first_error, mut answered) = (None, 0);
        for (named, until) in &mut self.roles {
            let end = now.saturating_sub(LATE_MS) / step * step;
            let begin = (*until + step).max((end - BACK_MS) / step * step);
            if begin > end {
                answered += 1;
                continue;
            }
            let path = format!(
                "/api/v1/query_range?query={}&start={}&end={}&step={}",
                encoded(&named.asked),
                seconds(begin),
                seconds(end),
                seconds(step)
            );
            // One role that cannot be answered is unknown; the others are known.
            match http.get(&path).and_then(|body| points(&body)) {
                Ok(points) => {
                    answered += 1;
                    *until = end;
                    let unit = if named.kind == Kind::Rate { "1/s" } else { "1" };
                    all.extend(points.into_iter().filter(|(at, _)| *at >= begin).map(|(at, value)| Value {
                        role: named.role.clone(),
                        name: named.asked.clone(),
                        unit,
                        at,
                        value,
                    }));
                }
                Err(why) => first_error = first_error.or(Some(format!("{}: {why}", named.role.name()))),
            }
        }
        match first_error {
            Some(why) if answered == 0 => Err(why),
            Some(why) => {
                tracing::debug!("{why}");
                Ok(all)
            }
            None => Ok(all),
        }
    }
}

fn seconds(ms: i64) -> String {
    format!("{}.{:03}", ms / 1000, ms % 1000)
}

fn encoded(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

/// Points of an answer: of several series their sum at each moment.
pub(super) fn points(body: &[u8]) -> Result<Vec<(UnixMs, f64)>, String> {
    let answer: Json = serde_json::from_slice(body).map_err(|e| format!("its answer is not JSON: {e}"))?;
    if answer.get("status").and_then(Json::as_str) != Some("success") {
        let why = answer.get("error").and_then(Json::as_str).unwrap_or("it does not say why");
        return Err(format!("it refuses: {}", why.chars().take(200).collect::<String>()));
    }
    let result = answer.pointer("/data/result").and_then(Json::as_array).ok_or("its answer has no result")?;
    let mut sums = std::collections::BTreeMap::new();
    for series in result {
        let values = series.get("values").and_then(Json::as_array);
        let single = series.get("value");
        for point in values.into_iter().flatten().chain(single).take(MAX_POINTS) {
            let at = point.get(0).and_then(Json::as_f64);
            let value = point.get(1).and_then(Json::as_str).and_then(|v| v.parse::<f64>().ok());
            if let (Some(at), Some(value)) = (at.filter(|a| (0.0..1e11).contains(a)), value.filter(|v| v.is_finite())) {
                *sums.entry((at * 1000.0).round() as UnixMs).or_insert(0.0) += value;
            }
            if sums.len() > MAX_POINTS {
                return Err("its answer has too many points".into());
            }
        }
    }
    Ok(sums.into_iter().collect())
}
