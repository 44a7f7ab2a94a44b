//! Names of metrics that are known, by what they count.
//!
//! Each preset is of what its program's documentation says, at the version that is named. Where a program
//! counts no such thing, the role has no name: it is unknown.

use lastgasp_incident::evidence::MetricRole;

use super::selector::with_labels;
use crate::config::{MetricsSource, MetricsType, Preset};

/// How a value is made of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A counter: its rate a second.
    Rate,
    /// A gauge.
    Gauge,
}

/// A role, and what is asked for.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Named {
    pub(super) role: MetricRole,
    pub(super) kind: Kind,
    /// PromQL, or terms of metrics of a page, joined by `+` and `-`.
    pub(super) asked: String,
}

/// Terms of a preset: `+` and `-` between names with labels.
type Terms = &'static str;

/// HAProxy 2.4 to 3.0, its built-in exporter (`http-request use-service prometheus-exporter`). Retries are
/// counted where they are made (`retry_warnings`, `redispatch_warnings`); a session that was retried is one
/// request of the backend, and so attempts are both.
const HAPROXY: [Option<Terms>; 8] = [
    Some("haproxy_backend_http_requests_total + haproxy_backend_retry_warnings_total"),
    Some("haproxy_backend_http_requests_total"),
    Some("haproxy_backend_retry_warnings_total"),
    Some("haproxy_backend_http_responses_total{code=\"5xx\"}"),
    None,
    Some("haproxy_backend_current_sessions"),
    Some("haproxy_backend_total_time_average_seconds"),
    Some("haproxy_backend_active_servers"),
];

/// nginx, by nginx-prometheus-exporter of stub_status (which knows nothing of upstreams), and by nginx-vts or
/// nginx Plus under their own names: those are to be named by hand.
const NGINX: [Option<Terms>; 8] =
    [Some("nginx_http_requests_total"), None, None, None, None, Some("nginx_connections_active"), None, None];

/// Envoy 1.2x, `/stats/prometheus`. `upstream_rq_total` counts each attempt, retries among them.
const ENVOY: [Option<Terms>; 8] = [
    Some("envoy_cluster_upstream_rq_total"),
    Some("envoy_cluster_upstream_rq_total - envoy_cluster_upstream_rq_retry"),
    Some("envoy_cluster_upstream_rq_retry"),
    Some("envoy_cluster_upstream_rq_xx{envoy_response_code_class=\"5\"}"),
    Some("envoy_cluster_upstream_rq_timeout + envoy_cluster_upstream_rq_per_try_timeout"),
    Some("envoy_cluster_upstream_rq_active"),
    None,
    Some("envoy_cluster_membership_healthy"),
];

/// What a source is asked for: by its own names, or else by its preset's.
pub(super) fn names(source: &MetricsSource) -> Vec<Named> {
    let preset = match source.preset {
        Preset::None => [None; 8],
        Preset::Haproxy => HAPROXY,
        Preset::Nginx => NGINX,
        Preset::Envoy => ENVOY,
    };
    let own = &source.roles;
    let roles = [
        (MetricRole::Attempts, Kind::Rate, &own.attempts),
        (MetricRole::FirstAttempts, Kind::Rate, &own.first_attempts),
        (MetricRole::Retries, Kind::Rate, &own.retries),
        (MetricRole::Errors, Kind::Rate, &own.errors),
        (MetricRole::Timeouts, Kind::Rate, &own.timeouts),
        (MetricRole::InFlight, Kind::Gauge, &own.in_flight),
        (MetricRole::Latency, Kind::Gauge, &own.latency),
        (MetricRole::Healthy, Kind::Gauge, &own.healthy),
    ];
    roles
        .into_iter()
        .zip(preset)
        .filter_map(|((role, kind, own), preset)| {
            if !own.is_empty() {
                return Some(Named { role, kind, asked: own.clone() });
            }
            let terms = preset?;
            let asked = match source.is {
                MetricsType::Prometheus => promql(terms, kind, &source.select),
                MetricsType::Scrape => each_term(terms, |name| with_labels(name, &source.select)),
            };
            Some(Named { role, kind, asked })
        })
        .collect()
}

/// Changes every name of terms.
fn each_term(terms: &str, change: impl Fn(&str) -> String) -> String {
    let words = terms.split(' ').map(|word| if matches!(word, "+" | "-") { word.to_owned() } else { change(word) });
    words.collect::<Vec<_>>().join(" ")
}

/// Terms as PromQL: sums over all series that are chosen. A metric that is not there counts as 0 beside one
/// that is, as on a page; alone it is no value.
fn promql(terms: &str, kind: Kind, select: &str) -> String {
    each_term(terms, |name| {
        let series = with_labels(name, select);
        let one = match kind {
            Kind::Rate => format!("sum(rate({series}[1m]))"),
            Kind::Gauge => format!("sum({series})"),
        };
        if name_is_first(terms, name) { one } else { format!("({one} or vector(0))") }
    })
}

fn name_is_first(terms: &str, name: &str) -> bool {
    terms.split(' ').next() == Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(source: &MetricsSource) -> Vec<(String, String)> {
        names(source).into_iter().map(|n| (n.role.name().to_owned(), n.asked)).collect()
    }

    #[test]
    fn presets_choose_the_service() {
        let source =
            MetricsSource { preset: Preset::Haproxy, select: "proxy=\"rs\"".into(), ..MetricsSource::default() };
        let all = asked(&source);
        assert_eq!(all[0], ("attempts".into(), "sum(rate(haproxy_backend_http_requests_total{proxy=\"rs\"}[1m])) + (sum(rate(haproxy_backend_retry_warnings_total{proxy=\"rs\"}[1m])) or vector(0))".into()));
        assert_eq!(all[3].1, "sum(rate(haproxy_backend_http_responses_total{code=\"5xx\",proxy=\"rs\"}[1m]))");
        assert!(all.iter().all(|(role, _)| role != "timeouts"), "unknown to HAProxy's exporter");
        let page = MetricsSource {
            is: MetricsType::Scrape,
            preset: Preset::Envoy,
            select: "a=\"b\"".into(),
            ..MetricsSource::default()
        };
        assert_eq!(
            asked(&page)[1].1,
            "envoy_cluster_upstream_rq_total{a=\"b\"} - envoy_cluster_upstream_rq_retry{a=\"b\"}"
        );
    }

    #[test]
    fn own_names_go_over_those_of_the_preset() {
        let mut source = MetricsSource { preset: Preset::Nginx, ..MetricsSource::default() };
        source.roles.retries = "sum(rate(gw_retries_total[1m]))".into();
        let all = asked(&source);
        assert_eq!(all.iter().map(|(r, _)| r.as_str()).collect::<Vec<_>>(), ["attempts", "retries", "in-flight"]);
        assert_eq!(all[1].1, "sum(rate(gw_retries_total[1m]))");
        assert!(asked(&MetricsSource::default()).is_empty(), "without a name it is unknown");
    }
}
