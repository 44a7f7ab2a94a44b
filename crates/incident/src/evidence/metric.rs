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
