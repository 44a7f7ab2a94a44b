//! `/metrics`: what the daemon knows, in Prometheus' text format. Names and meanings:
//! docs/operations/metrics.md, which a test holds against this.
//!
//! Labels are few and bounded by what runs on the node: `service`, `container` (or the systemd unit, or
//! `-`), `pod`. Two processes of one service in one container are one series: sums, and the nearer end.

use std::collections::BTreeMap;
use std::fmt;

use lastgasp_diagnosis::Tier;
use lastgasp_recorder::daemon::status::{BOUNDS_MS, Histogram, Status, TargetStatus};
use lastgasp_recorder::pin_window::PinWindow;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet, prometheus_text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use crate::self_stats::SelfStats;
use crate::status::danger;

/// What one scrape tells.
#[derive(Debug)]
pub(crate) struct Scrape {
    /// What the watch knows.
    pub(crate) status: Status,
    /// What the daemon knows of itself.
    pub(crate) own: SelfStats,
}

/// Scrape in Prometheus' text format.
pub(crate) fn text(scrape: Scrape) -> String {
    let mut registry = Registry::with_prefix("lastgasp");
    registry.register_collector(Box::new(scrape));
    let mut out = String::new();
    // Writing to a string does not fail.
    let _ = prometheus_text::encode(&mut out, &registry);
    out
}

/// Sums over the processes of one service in one container.
#[derive(Debug, Default)]
struct Series {
    processes: u64,
    usage: u64,
    limit: Option<u64>,
    rss: u64,
    heap_live: u64,
    goroutines: u64,
    leaked: Option<u64>,
    slope: Option<f64>,
    time_to_oom: Option<f64>,
    pinned: u64,
    danger: u64,
}

impl Series {
    fn add(&mut self, target: &TargetStatus) {
        self.processes += 1;
        // Of one group: the same charge, seen from several processes.
        self.usage = self.usage.max(target.usage_bytes);
        self.limit = self.limit.into_iter().chain(target.limit_bytes).min();
        self.rss += target.rss_bytes;
        self.heap_live += target.heap_live_bytes;
        self.goroutines += target.goroutines;
        self.leaked = self.leaked.into_iter().chain(target.leaked_goroutines).reduce(|a, b| a + b);
        self.slope = self.slope.into_iter().chain(target.slope_bytes_per_second).reduce(f64::max);
        let likely = target.time_to_oom_seconds.map(|(_, likely, _)| likely);
        self.time_to_oom = self.time_to_oom.into_iter().chain(likely).reduce(f64::min);
        self.pinned += u64::from(target.pinned);
        self.danger = self.danger.max(danger(target.state).0);
    }
}

/// What tells series apart.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct SeriesKey {
    service: String,
    container: String,
    pod: String,
}

impl SeriesKey {
    /// A process's; one outside of containers is known by its systemd unit.
    fn of(target: &TargetStatus) -> Self {
        Self {
            service: target.service.clone(),
            container: target.container.as_deref().or(target.unit.as_deref()).unwrap_or("-").to_owned(),
            pod: target.pod.clone().unwrap_or_default(),
        }
    }

    fn labels(&self) -> [(&'static str, &str); 3] {
        [("service", &self.service), ("container", &self.container), ("pod", &self.pod)]
    }
}

type AllSeries = BTreeMap<SeriesKey, Series>;

impl Scrape {
    fn series(&self) -> AllSeries {
        let mut series = AllSeries::new();
        for target in &self.status.targets {
            series.entry(SeriesKey::of(target)).or_default().add(target);
        }
        series
    }
}

/// A metric family: name without prefix and unit suffix `_total`, help text, and where its values come from.
struct Family {
    name: &'static str,
    help: &'static str,
    values: Values,
}

/// Values of a family, by type.
enum Values {
    /// Gauge, one series a service, container and pod; no value where there is none.
    PerContainer(fn(&Series) -> Option<f64>),
    /// Gauge without labels; the family is left out where there is no value.
    Gauge(fn(&Scrape) -> Option<f64>),
    /// Gauge of the constant 1, whose labels are what it tells.
    Info(fn(&Scrape) -> [(&'static str, &'static str); 2]),
    /// Counter without labels.
    Counter(fn(&Scrape) -> f64),
    /// Counter by the label `result`.
    Results(&'static [Outcome]),
    /// Counter of blocked goroutines by the label `tier`.
    Tiers,
    /// Histogram in seconds.
    Histogram(fn(&Scrape) -> &Histogram),
}

/// A value of the label `result`, and the count of it.
type Outcome = (&'static str, fn(&Scrape) -> f64);

const fn family(name: &'static str, help: &'static str, values: Values) -> Family {
    Family { name, help, values }
}

/// All families, in the order of the page.
const FAMILIES: &[Family] = &[
    family("container_processes", "Go processes watched", Values::PerContainer(|s| Some(s.processes as f64))),
    family(
        "container_memory_usage_bytes",
        "What counts against the limit that will be reached first, without reclaimable page cache",
        Values::PerContainer(|s| Some(s.usage as f64)),
    ),
    family(
        "container_memory_limit_bytes",
        "The limit that will be reached first, at whatever level of the cgroup tree, or the machine's memory",
        Values::PerContainer(|s| s.limit.map(|l| l as f64)),
    ),
    family(
        "container_memory_slope_bytes_per_second",
        "Growth, by a robust estimate over the latest looks",
        Values::PerContainer(|s| s.slope),
    ),
    family(
        "container_time_to_oom_seconds",
        "When the limit will be reached, likely; no value while memory does not grow",
        Values::PerContainer(|s| s.time_to_oom),
    ),
    family("container_danger", "0 calm, 1 alert, 2 armed", Values::PerContainer(|s| Some(s.danger as f64))),
    family(
        "container_pinned",
        "Processes whose memory would be held after a kill",
        Values::PerContainer(|s| Some(s.pinned as f64)),
    ),
    family("go_rss_bytes", "Resident memory of the watched processes", Values::PerContainer(|s| Some(s.rss as f64))),
    family(
        "go_heap_live_bytes",
        "Go heap that was live at the last mark, and what was allocated since",
        Values::PerContainer(|s| Some(s.heap_live as f64)),
    ),
    family(
        "go_goroutines",
        "Goroutine structures, those of goroutines that have ended included: never fewer than at the peak",
        Values::PerContainer(|s| Some(s.goroutines as f64)),
    ),
    family(
        "go_leaked_goroutines",
        "Goroutines that were leaked when they were looked at last, since their number grew; no value where none were found",
        Values::PerContainer(|s| s.leaked.map(|n| n as f64)),
    ),
    family("discovered", "Go processes found", Values::Counter(|s| s.status.counters.discovered as f64)),
    family("refused", "Go processes that cannot be read", Values::Counter(|s| s.status.counters.refused as f64)),
    family(
        "put_off",
        "Looks at processes that were put off since the daemon was out of descriptors",
        Values::Counter(|s| s.status.counters.put_off as f64),
    ),
    family("oom_kills", "Watched processes killed for memory", Values::Counter(|s| s.status.counters.oom_kills as f64)),
    family("kills", "Watched processes killed otherwise", Values::Counter(|s| s.status.counters.kills as f64)),
    family("strikes", "Targets stopped because of a forecast", Values::Counter(|s| s.status.counters.strikes as f64)),
    family("tripwires", "Tripwires (memory.high) set", Values::Counter(|s| s.status.counters.brakes as f64)),
    family(
        "captures",
        "Captures by what became of them: full, light (another of the cause is full), failed (could not be written), dropped (could not be taken)",
        Values::Results(&[
            ("full", |s| s.status.counters.captures_full as f64),
            ("light", |s| s.status.counters.captures_light as f64),
            ("failed", |s| s.status.counters.captures_failed as f64),
            ("dropped", |s| s.status.counters.captures_dropped as f64),
        ]),
    ),
    family(
        "leak_looks",
        "Looks at processes whose goroutines grew in number, by what came of them: found (the capture is kept), none (it is thrown away)",
        Values::Results(&[
            ("found", |s| s.status.counters.leaks_found as f64),
            ("none", |s| s.status.counters.leaks_not_found as f64),
        ]),
    ),
    family("brake_seconds", "How long tripwires stood", Values::Counter(|s| s.status.counters.brake_seconds_total)),
    family(
        "watchdog_restarts",
        "Times that the watchdog had to be started again",
        Values::Counter(|s| s.status.counters.watchdog_restarts as f64),
    ),
    family(
        "thread_panics",
        "Panics of the daemon's threads that were caught; each is a bug, and said in the log",
        Values::Counter(|s| s.status.counters.thread_panics as f64),
    ),
    family(
        "workers_lost",
        "Workers that were lost over a process's files or memory; each was replaced",
        Values::Counter(|s| s.status.counters.workers_lost as f64),
    ),
    family(
        "workers_stuck",
        "Workers that were killed and have not ended, since they sleep in the kernel",
        Values::Gauge(|s| Some(s.status.counters.workers_stuck as f64)),
    ),
    family(
        "reloads",
        "Times that the configuration was read again",
        Values::Results(&[("ok", |s| s.status.counters.reloads as f64), ("failed", |s| s.own.reloads_failed as f64)]),
    ),
    family(
        "webhooks",
        "Messages by what became of them",
        Values::Results(&[("sent", |s| s.own.webhooks_sent as f64), ("failed", |s| s.own.webhooks_failed as f64)]),
    ),
    family(
        "changes",
        "Changes that were told of by what became of them: new, duplicate (known already), refused (requests, for want of a token, or of a form that is known)",
        Values::Results(&[
            ("new", |s| s.own.events.changes as f64),
            ("duplicate", |s| s.own.events.duplicates as f64),
            ("refused", |s| s.own.events.refused as f64),
        ]),
    ),
    family(
        "event_write_failures",
        "Writes of changes, metrics and lives of processes that failed",
        Values::Counter(|s| s.own.events.failed as f64),
    ),
    family(
        "feeds",
        "Feeds of changes and metrics that are known",
        Values::Gauge(|s| Some(s.own.events.feeds.0 as f64)),
    ),
    family("feeds_connected", "Feeds that speak", Values::Gauge(|s| Some(s.own.events.feeds.1 as f64))),
    family("freeze_seconds", "How long targets stood still", Values::Histogram(|s| &s.status.counters.freeze_seconds)),
    family(
        "ready_seconds",
        "From the exec of a Go process to the watch of it",
        Values::Histogram(|s| &s.status.counters.ready_seconds),
    ),
    family(
        "detect_seconds",
        "From the look that showed the danger, or the death, to the begin of the copy",
        Values::Histogram(|s| &s.status.counters.detect_seconds),
    ),
    family(
        "evidence_seconds",
        "From the begin of the copy to the capture on disk",
        Values::Histogram(|s| &s.status.counters.evidence_seconds),
    ),
    family(
        "pin_window_seconds",
        "How long memory could be read after an OOM kill at the trial when the daemon was first started since boot; no value where it could not be tried",
        Values::Gauge(pin_window),
    ),
    family(
        "blocked_goroutines",
        "Blocked goroutines in captures with a graph of the heap, by verdict (docs/goroutines.md)",
        Values::Tiers,
    ),
    family("agent_memory_bytes", "Resident memory of the daemon", Values::Gauge(|s| Some(s.own.rss as f64))),
    family("agent_cpu_seconds", "Processor time of the daemon", Values::Counter(|s| s.own.cpu_seconds)),
    family("agent_open_files", "Descriptors of the daemon", Values::Gauge(|s| Some(s.own.descriptors as f64))),
    family(
        "agent_start_time_seconds",
        "When the daemon was started, since 1970",
        Values::Gauge(|s| Some(s.status.started_unix as f64)),
    ),
    family(
        "process_events",
        "1 if the kernel tells of new processes, 0 if they are looked for",
        Values::Gauge(|s| Some(f64::from(u8::from(s.status.process_events)))),
    ),
    family("store_bytes", "Bytes of the captures in the store", Values::Gauge(|s| Some(s.own.store.1 as f64))),
    family("store_captures", "Captures in the store", Values::Gauge(|s| Some(s.own.store.0 as f64))),
    family(
        "build_info",
        "1; version and mode are its labels",
        Values::Info(|s| [("version", env!("CARGO_PKG_VERSION")), ("mode", s.status.mode)]),
    ),
];

fn pin_window(scrape: &Scrape) -> Option<f64> {
    match &scrape.status.pin_window {
        Some(PinWindow::Measured(window)) => Some(window.as_secs_f64()),
        _ => None,
    }
}

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let series = self.series();
        FAMILIES.iter().try_for_each(|family| family.encode(self, &series, &mut encoder))
    }
}

impl Values {
    fn kind(&self) -> MetricType {
        match self {
            Self::PerContainer(_) | Self::Gauge(_) | Self::Info(_) => MetricType::Gauge,
            Self::Counter(_) | Self::Results(_) | Self::Tiers => MetricType::Counter,
            Self::Histogram(_) => MetricType::Histogram,
        }
    }
}

impl Family {
    fn encode(&self, scrape: &Scrape, series: &AllSeries, to: &mut DescriptorEncoder<'_>) -> fmt::Result {
        // A family is announced before its values.
        if matches!(self.values, Values::Gauge(of) if of(scrape).is_none()) {
            return Ok(());
        }
        let mut family = to.encode_descriptor(self.name, self.help, None, self.values.kind())?;
        match self.values {
            Values::PerContainer(of) => {
                for (key, series) in series {
                    let Some(value) = of(series) else { continue };
                    family.encode_family(&key.labels())?.encode_gauge(&value)?;
                }
                Ok(())
            }
            Values::Gauge(of) => family.encode_gauge(&of(scrape).unwrap_or_default()),
            Values::Info(of) => family.encode_family(&of(scrape))?.encode_gauge(&1u64),
            Values::Counter(of) => family.encode_counter::<NoLabelSet, _, f64>(&of(scrape), None),
            Values::Results(outcomes) => outcomes.iter().try_for_each(|(result, of)| {
                let labels = [("result", *result)];
                family.encode_family(&labels)?.encode_counter::<NoLabelSet, _, f64>(&of(scrape), None)
            }),
            Values::Tiers => Tier::ALL.iter().zip(scrape.own.blocked).try_for_each(|(tier, n)| {
                let labels = [("tier", tier.name())];
                family.encode_family(&labels)?.encode_counter::<NoLabelSet, _, f64>(&(n as f64), None)
            }),
            Values::Histogram(of) => {
                let histogram = of(scrape);
                let bounds = BOUNDS_MS.iter().map(|ms| ms / 1000.0).chain([f64::INFINITY]);
                let buckets: Vec<(f64, u64)> = bounds.zip(histogram.counts).collect();
                let count = histogram.counts.iter().sum();
                family.encode_histogram::<NoLabelSet>(histogram.sum, count, &buckets, None)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    fn scrape() -> Scrape {
        let target = |pid: i32, usage: u64, tto: Option<f64>| TargetStatus {
            pid,
            service: "svc \"a\"\\".into(),
            container: Some("0123".into()),
            state: "armed",
            usage_bytes: usage,
            leaked_goroutines: Some(7),
            limit_bytes: Some(1000),
            rss_bytes: 10,
            time_to_oom_seconds: tto.map(|t| (t, t, t)),
            ..TargetStatus::default()
        };
        let mut status = Status {
            mode: "freeze",
            pin_window: Some(PinWindow::Measured(std::time::Duration::from_secs(2))),
            targets: vec![target(1, 500, None), target(2, 600, Some(7.5))],
            ..Status::default()
        };
        status.counters.freeze_seconds.add(std::time::Duration::from_millis(3));
        status.counters.freeze_seconds.add(std::time::Duration::from_secs(3));
        Scrape { status, own: SelfStats { store: (3, 4096), ..SelfStats::default() } }
    }

    #[test]
    fn processes_of_a_container_are_one_series() {
        let text = text(scrape());
        let labels = r#"{service="svc \"a\"\\",container="0123",pod=""}"#;
        for line in [
            format!("lastgasp_container_processes{labels} 2.0"),
            format!("lastgasp_container_memory_usage_bytes{labels} 600.0"),
            format!("lastgasp_go_rss_bytes{labels} 20.0"),
            format!("lastgasp_container_time_to_oom_seconds{labels} 7.5"),
            format!("lastgasp_container_danger{labels} 2.0"),
            "lastgasp_captures_total{result=\"light\"} 0.0".into(),
            "lastgasp_store_captures 3.0".into(),
            "lastgasp_build_info{version=\"0.1.0\",mode=\"freeze\"} 1".into(),
        ] {
            assert!(text.lines().any(|l| l == line), "{line}\nnot in\n{text}");
        }
        assert!(!text.contains("container_memory_slope_bytes_per_second{"), "no value where nothing grows");
    }

    #[test]
    fn buckets_add_up() {
        let text = text(scrape());
        let bucket = |le: &str| {
            text.lines().any(|l| {
                l == format!("lastgasp_freeze_seconds_bucket{{le=\"{le}\"}} {}", if le == "+Inf" { 2 } else { 1 })
            })
        };
        assert!(bucket("0.005") && bucket("0.5") && bucket("+Inf"), "{text}");
        assert!(text.lines().any(|l| l == "lastgasp_freeze_seconds_count 2"));
        // Seen when the largest float stood for infinity: a bucket more.
        assert_eq!(
            text.lines().filter(|l| l.starts_with("lastgasp_freeze_seconds_bucket")).count(),
            BOUNDS_MS.len() + 1
        );
    }

    #[test]
    fn every_metric_is_documented() {
        let page = include_str!("../../../docs/operations/metrics.md");
        let text = text(scrape());
        for family in text.lines().filter_map(|l| l.strip_prefix("# TYPE ")?.split(' ').next()) {
            assert!(page.contains(&format!("`{family}`")), "{family} is missing in docs/operations/metrics.md");
        }
    }

    /// The table in docs/operations/metrics.md is made of the families: names, order and help texts.
    #[test]
    fn the_documents_say_the_same() {
        let mut table = String::from("| metric | what it is |\n|---|---|\n");
        for Family { name, help, values } in FAMILIES {
            let total =
                if matches!(values, Values::Counter(_) | Values::Results(_) | Values::Tiers) { "_total" } else { "" };
            let _ = writeln!(table, "| `lastgasp_{name}{total}` | {help} |");
        }
        let page = include_str!("../../../docs/operations/metrics.md");
        assert!(page.contains(&table), "docs/operations/metrics.md should contain\n{table}");
    }

    /// Where the pin could not be tried there is no window to tell of, and not one of zero seconds.
    #[test]
    fn no_value_is_no_family() {
        let mut scrape = scrape();
        assert!(
            text(Scrape { status: scrape.status.clone(), own: SelfStats::default() })
                .contains("pin_window_seconds 2.0")
        );
        scrape.status.pin_window = None;
        assert!(!text(scrape).contains("pin_window"));
    }
}
