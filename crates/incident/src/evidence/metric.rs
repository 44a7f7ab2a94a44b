//! What balancers, callers and dependencies count.

use serde::{Deserialize, Serialize};

use super::UnixMs;
use super::kind::MetricRole;

/// A series of a metric. Counters are stored as rates: who reads them knows about their resets.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct MetricSeries {
    /// What it counts.
    pub role: MetricRole,
    /// Name as its source has it: `haproxy_backend_http_requests_total`.
    pub name: String,
    /// Feed that it comes from, the same as [`super::FeedState::source`]: `prometheus`, `scrape:haproxy`.
    pub source: String,
    /// What it is about.
    pub subject: MetricSubject,
    /// Unit of the values: `1/s` of rates, `1` of gauges, `s` of latencies.
    pub unit: String,
    /// Milliseconds between two points as they should come; 0 if that is not known. A longer time between two
    /// points is a hole.
    pub step_ms: u64,
    /// Points, oldest first.
    pub points: Vec<MetricPoint>,
}

impl MetricSeries {
    /// Milliseconds of which each value is the mean: the widest range of what was asked for, which is the
    /// series' name (PromQL: `rate(x[1m])`, `avg_over_time(y[1h30m:15s])`); 0 if it names none. What changes
    /// at once is seen to change over so long.
    #[must_use]
    pub fn window_ms(&self) -> u64 {
        let (mut widest, mut quote, mut range) = (0, None, None::<String>);
        let mut letters = self.name.chars();
        while let Some(c) = letters.next() {
            match (quote, c) {
                // What is in quotes is a label's value: `{path=~"[0-9]+s"}`.
                (Some(_), '\\') => drop(letters.next()),
                (Some(q), _) => quote = quote.filter(|_| c != q),
                (None, '"' | '\'' | '`') => quote = Some(c),
                (None, '[') => range = Some(String::new()),
                (None, ']' | ':') => widest = widest.max(range.take().map_or(0, |r| duration_ms(&r).unwrap_or(0))),
                (None, _) => range.iter_mut().for_each(|r| r.push(c)),
            }
        }
        widest
    }
}

/// A duration as PromQL writes it (`5m`, `1h30m`, `1500ms`); `None` if it is none.
fn duration_ms(text: &str) -> Option<u64> {
    const UNITS: [(&str, u64); 7] = [
        ("ms", 1),
        ("s", 1000),
        ("m", 60_000),
        ("h", 3_600_000),
        ("d", 86_400_000),
        ("w", 604_800_000),
        ("y", 31_536_000_000),
    ];
    let (mut sum, mut rest) = (0_u64, text.trim());
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, after) = rest.split_at_checked(digits)?;
        let letters = after.len() - after.trim_start_matches(|c: char| c.is_ascii_lowercase()).len();
        let (unit, after) = after.split_at_checked(letters)?;
        let (_, each) = UNITS.iter().find(|(name, _)| *name == unit)?;
        sum = sum.checked_add(number.parse::<u64>().ok()?.checked_mul(*each)?)?;
        rest = after;
    }
    Some(sum)
}

/// What a metric is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct MetricSubject {
    /// Service that is asked: the one that dies, or a dependency of it.
    pub service: String,
    /// Who asks; empty: all of them.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub caller: String,
    /// One instance; empty: all of them.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub instance: String,
    /// Whether it is a dependency of the services that are watched, and not one of them.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_dependency: bool,
}

/// A value at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct MetricPoint {
    /// When.
    #[serde(rename = "t")]
    pub unix_ms: UnixMs,
    /// Value.
    #[serde(rename = "v")]
    pub value: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_widest_range_of_what_was_asked_for() {
        let window = |name: &str| MetricSeries { name: name.into(), ..MetricSeries::default() }.window_ms();
        assert_eq!(window("sum(rate(x_total[1m]))"), 60_000);
        assert_eq!(window("sum(rate(a[5s])) + sum(rate(b{code=\"5xx\"}[1m30s]))"), 90_000);
        assert_eq!(window("avg_over_time(rate(a[30s])[5m:15s])"), 300_000);
        assert_eq!(window("haproxy_backend_current_sessions"), 0, "of no time");
        assert_eq!(window("rate(x{path=~\"[9]s[1h]\\\"[2h]\"}[15s])"), 15_000, "what is in quotes is no range");
        for not_known in ["rate(x[$__rate_interval])", "rate(x[1])", "rate(x[", "x]", "rate(x[99999999999999y])"] {
            assert_eq!(window(not_known), 0, "{not_known}");
        }
    }
}
