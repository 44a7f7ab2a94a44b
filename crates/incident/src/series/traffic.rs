//! What balancers, callers and dependencies count of a service, each role as one series: first attempts, and
//! what came on top of them.

use std::collections::BTreeMap;

use crate::evidence::{MetricPoint, MetricRole, MetricSeries, UnixMs};

/// A series of a role, of all callers and instances together.
#[derive(Clone, Debug, PartialEq)]
pub struct Total {
    /// Role.
    pub role: MetricRole,
    /// Of whom: the service, or a dependency of it.
    pub service: String,
    /// Whether it is a dependency.
    pub is_dependency: bool,
    /// Feeds that it comes from.
    pub source: String,
    /// Points.
    pub points: Vec<MetricPoint>,
    /// Milliseconds between them.
    pub step_ms: u64,
    /// Milliseconds of which each value is the mean; 0: of a moment, or not known.
    pub window_ms: u64,
}

/// All that is counted of a service and its dependencies.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Traffic {
    /// One series a role and service.
    pub totals: Vec<Total>,
    /// Whether first attempts were reckoned from attempts and retries.
    pub first_attempts_reckoned: bool,
}

impl Traffic {
    /// Of a service: series about it, and those about dependencies.
    #[must_use]
    pub fn of(series: &[MetricSeries], service: &str) -> Self {
        let mut groups: BTreeMap<(String, String, bool), Vec<&MetricSeries>> = BTreeMap::new();
        for s in series.iter().filter(|s| s.subject.is_dependency || is_about(&s.subject.service, service)) {
            let key = (s.role.name().to_owned(), s.subject.service.clone(), s.subject.is_dependency);
            groups.entry(key).or_default().push(s);
        }
        let totals = groups.into_iter().filter_map(|((role, service, is_dependency), all)| {
            let role = MetricRole::from(role.as_str());
            // One feed's view: a balancer and a caller count the same requests.
            let of_source = |s: &str| all.iter().copied().filter(|o| o.source == s).collect::<Vec<_>>();
            let fullest = all.iter().max_by_key(|s| {
                (of_source(&s.source).iter().map(|o| o.points.len()).sum::<usize>(), std::cmp::Reverse(&s.source))
            })?;
            let mut mine = of_source(&fullest.source);
            // A series of all callers, or of all instances, is not added to those of each.
            if mine.iter().any(|s| s.subject.caller.is_empty()) {
                mine.retain(|s| s.subject.caller.is_empty());
            }
            if mine.iter().any(|s| s.subject.instance.is_empty()) {
                mine.retain(|s| s.subject.instance.is_empty());
            }
            let step_ms = mine.iter().map(|s| s.step_ms).max().unwrap_or(0);
            let window_ms = mine.iter().map(|s| s.window_ms()).max().unwrap_or(0);
            let by = if matches!(role, MetricRole::Latency) { Joined::Most } else { Joined::Sum };
            let points = joined(&mine, step_ms, by);
            Some(Total { role, service, is_dependency, source: fullest.source.clone(), points, step_ms, window_ms })
        });
        let mut out = Self { totals: totals.collect(), first_attempts_reckoned: false };
        out.reckon_first_attempts();
        out
    }

    /// The series of a role about the service itself.
    #[must_use]
    pub fn role(&self, role: &MetricRole) -> Option<&Total> {
        self.totals.iter().filter(|t| !t.is_dependency && t.role == *role).max_by_key(|t| t.points.len())
    }

    /// Attempts less retries, where both are counted by one feed and first attempts are not.
    fn reckon_first_attempts(&mut self) {
        if self.role(&MetricRole::FirstAttempts).is_some() {
            return;
        }
        let (Some(all), Some(again)) = (self.role(&MetricRole::Attempts), self.role(&MetricRole::Retries)) else {
            return;
        };
        if all.source != again.source {
            return;
        }
        let retries: BTreeMap<UnixMs, f64> = again.points.iter().map(|p| (p.unix_ms, p.value)).collect();
        let first = all.points.iter().filter_map(|p| {
            Some(MetricPoint { unix_ms: p.unix_ms, value: (p.value - retries.get(&p.unix_ms)?).max(0.0) })
        });
        let total = Total { role: MetricRole::FirstAttempts, points: first.collect(), ..all.clone() };
        self.totals.push(total);
        self.first_attempts_reckoned = true;
    }
}

/// Whether a metric's service is this one: balancers name backends `be_resource-service`, callers a host
/// name.
#[must_use]
pub fn is_about(metric: &str, service: &str) -> bool {
    metric.is_empty() || metric == service || (service.len() >= 4 && metric.contains(service))
}

#[derive(Clone, Copy, PartialEq)]
enum Joined {
    Sum,
    Most,
}

/// Series on one grid of time: the last value of each in a step.
fn joined(all: &[&MetricSeries], step_ms: u64, by: Joined) -> Vec<MetricPoint> {
    if let [one] = all {
        return one.points.clone();
    }
    let step = i64::try_from(step_ms).unwrap_or(0).max(1000);
    let mut sums: BTreeMap<UnixMs, f64> = BTreeMap::new();
    for s in all {
        let mine: BTreeMap<UnixMs, f64> = s.points.iter().map(|p| (p.unix_ms.div_euclid(step), p.value)).collect();
        for (at, value) in mine {
            let sum = sums.entry(at).or_insert(0.0);
            *sum = if by == Joined::Sum { *sum + value } else { sum.max(value) };
        }
    }
    sums.into_iter().map(|(at, value)| MetricPoint { unix_ms: at.saturating_mul(step), value }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::MetricSubject;

    fn series(role: &str, source: &str, caller: &str, values: &[f64]) -> MetricSeries {
        MetricSeries {
            role: role.into(),
            source: source.into(),
            step_ms: 1000,
            subject: MetricSubject { service: "svc".into(), caller: caller.into(), ..MetricSubject::default() },
            points: values
                .iter()
                .enumerate()
                .map(|(i, v)| MetricPoint { unix_ms: i as i64 * 1000, value: *v })
                .collect(),
            ..MetricSeries::default()
        }
    }

    #[test]
    fn callers_are_added_and_feeds_are_not() {
        let all = [
            series("attempts", "haproxy", "a", &[1.0, 2.0]),
            series("attempts", "haproxy", "b", &[10.0, 20.0]),
            series("attempts", "caller", "a", &[1.0]),
        ];
        let got = Traffic::of(&all, "svc");
        let values: Vec<f64> = got.role(&MetricRole::Attempts).unwrap().points.iter().map(|p| p.value).collect();
        assert_eq!(values, [11.0, 22.0]);
        assert_eq!(Traffic::of(&all, "other").totals, []);
    }

    #[test]
    fn first_attempts_are_what_is_left() {
        let all = [series("attempts", "haproxy", "", &[100.0, 180.0]), series("retries", "haproxy", "", &[0.0, 79.0])];
        let got = Traffic::of(&all, "svc");
        let values: Vec<f64> = got.role(&MetricRole::FirstAttempts).unwrap().points.iter().map(|p| p.value).collect();
        assert_eq!((values.as_slice(), got.first_attempts_reckoned), (&[100.0, 101.0][..], true));
        assert!(
            Traffic::of(&all[..1], "svc").role(&MetricRole::FirstAttempts).is_none(),
            "without retries nobody knows"
        );
    }
}
