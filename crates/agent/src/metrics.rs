//! `/metrics`: what the daemon knows, in Prometheus' text format. Names and meanings: docs/operations/metrics.md, which a test holds against this.
//!
//! Labels are few and bounded by what runs on the node: `service`, `container` (or the systemd unit, or `-`), `pod`. Two processes of one service in one container
//! are one series: sums, and the nearer end.

use std::collections::BTreeMap;
use std::fmt;

use lastgasp_recorder::daemon::status::{BOUNDS_MS, Histogram, Status, WardStatus};
use lastgasp_recorder::pin_window::PinWindow;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet, prometheus_text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use crate::self_stats::SelfStats;

/// One scrape.
#[derive(Debug)]
pub(crate) struct Scrape {
    /// What the watch knows.
    pub(crate) status: Status,
    /// What the daemon knows of itself.
    pub(crate) own: SelfStats,
}

/// As text.
pub(crate) fn text(scrape: Scrape) -> String {
    let mut registry = Registry::with_prefix("lastgasp");
    registry.register_collector(Box::new(scrape));
    let mut out = String::new();
    // Writing to a string does not fail.
    let _ = prometheus_text::encode(&mut out, &registry);
    out
}

type Labels = [(&'static str, String); 3];

/// What is said of the processes of one service in one container.
#[derive(Debug, Default)]
struct Series {
    processes: u64,
    usage: u64,
    limit: Option<u64>,
    rss: u64,
    heap_live: u64,
    goroutines: u64,
    slope: Option<f64>,
    time_to_oom: Option<f64>,
    pinned: u64,
    danger: u64,
}

impl Series {
    fn add(&mut self, ward: &WardStatus) {
        self.processes += 1;
        // Of one group: the same charge, seen from several processes.
        self.usage = self.usage.max(ward.usage_bytes);
        self.limit = self.limit.into_iter().chain(ward.limit_bytes).min();
        self.rss += ward.rss_bytes;
        self.heap_live += ward.heap_live_bytes;
        self.goroutines += ward.goroutines;
        self.slope = self.slope.into_iter().chain(ward.slope_bytes_per_second).reduce(f64::max);
        let likely = ward.time_to_oom_seconds.map(|(_, likely, _)| likely);
        self.time_to_oom = self.time_to_oom.into_iter().chain(likely).reduce(f64::min);
        self.pinned += u64::from(ward.pinned);
        self.danger = self.danger.max(match ward.state {
            "armed" => 2,
            "alert" => 1,
            _ => 0,
        });
    }
}

impl Scrape {
    fn series(&self) -> BTreeMap<[String; 3], Series> {
        let mut series: BTreeMap<_, Series> = BTreeMap::new();
        for ward in &self.status.wards {
            let container = ward.container.as_deref().or(ward.unit.as_deref()).unwrap_or("-");
            let key = [ward.service.clone(), container.to_owned(), ward.pod.clone().unwrap_or_default()];
            series.entry(key).or_default().add(ward);
        }
        series
    }
}

/// Writes families one after the other.
struct Families<'a>(DescriptorEncoder<'a>);

impl Families<'_> {
    fn counter(&mut self, name: &str, help: &str, rows: &[(&[(&str, &str)], f64)]) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (labels, value) in rows {
            if labels.is_empty() {
                family.encode_counter::<NoLabelSet, _, f64>(value, None)?;
            } else {
                family.encode_family(labels)?.encode_counter::<NoLabelSet, _, f64>(value, None)?;
            }
        }
        Ok(())
    }

    fn gauge(&mut self, name: &str, help: &str, value: f64) -> fmt::Result {
        self.0.encode_descriptor(name, help, None, MetricType::Gauge)?.encode_gauge(&value)
    }

    fn gauges(&mut self, name: &str, help: &str, rows: &[(Labels, f64)]) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (labels, value) in rows {
            let labels = labels.each_ref().map(|(key, value)| (*key, value.as_str()));
            family.encode_family(&labels)?.encode_gauge(value)?;
        }
        Ok(())
    }

    fn histogram(&mut self, name: &str, help: &str, histogram: &Histogram) -> fmt::Result {
        let bounds = BOUNDS_MS.iter().map(|ms| ms / 1000.0).chain([f64::INFINITY]);
        let buckets: Vec<(f64, u64)> = bounds.zip(histogram.counts).collect();
        let count = histogram.counts.iter().sum();
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Histogram)?;
        family.encode_histogram::<NoLabelSet>(histogram.sum, count, &buckets, None)
    }
}

impl Collector for Scrape {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut f = Families(encoder);
        let series = self.series();
        let of = |value: fn(&Series) -> Option<f64>| -> Vec<(Labels, f64)> {
            let rows = series.iter().filter_map(|([service, container, pod], s)| {
                let labels = [("service", service.clone()), ("container", container.clone()), ("pod", pod.clone())];
                Some((labels, value(s)?))
            });
            rows.collect()
        };
        f.gauges("container_processes", "Go processes watched", &of(|s| Some(s.processes as f64)))?;
        f.gauges(
            "container_memory_usage_bytes",
            "What counts against the limit that will be reached first, without reclaimable page cache",
            &of(|s| Some(s.usage as f64)),
        )?;
        f.gauges(
            "container_memory_limit_bytes",
            "The limit that will be reached first, at whatever level of the cgroup tree, or the machine's memory",
            &of(|s| s.limit.map(|l| l as f64)),
        )?;
        f.gauges(
            "container_memory_slope_bytes_per_second",
            "Growth, by a robust estimate over the latest looks",
            &of(|s| s.slope),
        )?;
        f.gauges(
            "container_time_to_oom_seconds",
            "When the limit will be reached, likely; no value while memory does not grow",
            &of(|s| s.time_to_oom),
        )?;
        f.gauges("container_danger", "0 calm, 1 alert, 2 armed", &of(|s| Some(s.danger as f64)))?;
        f.gauges(
            "container_pinned",
            "Processes whose memory would be held after a kill",
            &of(|s| Some(s.pinned as f64)),
        )?;
        f.gauges("go_rss_bytes", "Resident memory of the watched processes", &of(|s| Some(s.rss as f64)))?;
        f.gauges(
            "go_heap_live_bytes",
            "Go heap that was live at the last mark, and what was allocated since",
            &of(|s| Some(s.heap_live as f64)),
        )?;
        f.gauges("go_goroutines", "Goroutine structures", &of(|s| Some(s.goroutines as f64)))?;

        let c = &self.status.counters;
        let n = |n: u64| -> [(&[(&str, &str)], f64); 1] { [(&[], n as f64)] };
        f.counter("discovered", "Go processes found", &n(c.discovered))?;
        f.counter("refused", "Go processes that cannot be read", &n(c.refused))?;
        f.counter("oom_kills", "Watched processes killed for memory", &n(c.oom_kills))?;
        f.counter("kills", "Watched processes killed otherwise", &n(c.kills))?;
        f.counter("strikes", "Targets stopped because of a forecast", &n(c.strikes))?;
        f.counter("tripwires", "Tripwires (memory.high) set", &n(c.tripwires))?;
        f.counter(
            "captures",
            "Captures by what became of them: full, light (another of the cause is full), failed (could not be written), dropped (could not be taken)",
            &[
                (&[("result", "full")], c.captures_full as f64),
                (&[("result", "light")], c.captures_light as f64),
                (&[("result", "failed")], c.captures_failed as f64),
                (&[("result", "dropped")], c.captures_dropped as f64),
            ],
        )?;
        f.counter("brake_seconds", "How long tripwires stood", &[(&[], c.brake_seconds_total)])?;
        f.counter("watchdog_restarts", "Times that the watchdog had to be started again", &n(c.watchdog_restarts))?;
        f.counter(
            "reloads",
            "Times that the configuration was read again",
            &[(&[("result", "ok")], c.reloads as f64), (&[("result", "failed")], self.own.reloads_failed as f64)],
        )?;
        f.counter(
            "webhooks",
            "Messages by what became of them",
            &[
                (&[("result", "sent")], self.own.webhooks_sent as f64),
                (&[("result", "failed")], self.own.webhooks_failed as f64),
            ],
        )?;
        f.histogram("freeze_seconds", "How long targets stood still", &c.freeze_seconds)?;
        f.histogram("ready_seconds", "From the exec of a Go process to the watch of it", &c.ready_seconds)?;
        f.histogram(
            "detect_seconds",
            "From the look that showed the danger, or the death, to the begin of the copy",
            &c.detect_seconds,
        )?;
        f.histogram("evidence_seconds", "From the begin of the copy to the capture on disk", &c.evidence_seconds)?;

        if let Some(PinWindow::Measured(window)) = &self.status.pin_window {
            f.gauge(
                "pin_window_seconds",
                "How long memory could be read after an OOM kill at the trial when the daemon was first started since boot; no value where it could not be tried",
                window.as_secs_f64(),
            )?;
        }
        f.gauge("agent_memory_bytes", "Resident memory of the daemon", self.own.rss as f64)?;
        f.counter("agent_cpu_seconds", "Processor time of the daemon", &[(&[], self.own.cpu_seconds)])?;
        f.gauge("agent_open_files", "Descriptors of the daemon", self.own.descriptors as f64)?;
        f.gauge(
            "agent_start_time_seconds",
            "When the daemon was started, since 1970",
            self.status.started_unix as f64,
        )?;
        f.gauge(
            "process_events",
            "1 if the kernel tells of new processes, 0 if they are looked for",
            f64::from(u8::from(self.status.process_events)),
        )?;
        f.gauge("store_bytes", "Bytes of the captures in the store", self.own.store.1 as f64)?;
        f.gauge("store_captures", "Captures in the store", self.own.store.0 as f64)?;
        let labels = [("version", env!("CARGO_PKG_VERSION")), ("mode", self.status.mode)];
        let mut family =
            f.0.encode_descriptor("build_info", "1; version and mode are its labels", None, MetricType::Gauge)?;
        family.encode_family(&labels)?.encode_gauge(&1u64)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    fn scrape() -> Scrape {
        let ward = |pid: i32, usage: u64, tto: Option<f64>| WardStatus {
            pid,
            service: "svc \"a\"\\".into(),
            container: Some("0123".into()),
            state: "armed",
            usage_bytes: usage,
            limit_bytes: Some(1000),
            rss_bytes: 10,
            time_to_oom_seconds: tto.map(|t| (t, t, t)),
            ..WardStatus::default()
        };
        let mut status = Status {
            mode: "freeze",
            pin_window: Some(PinWindow::Measured(std::time::Duration::from_secs(2))),
            wards: vec![ward(1, 500, None), ward(2, 600, Some(7.5))],
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

    /// For the page: `cargo test -p lastgasp-agent metrics -- --nocapture`.
    #[test]
    fn the_page() {
        let mut table = String::new();
        for line in text(scrape()).lines().filter_map(|l| l.strip_prefix("# HELP ")) {
            let (name, help) = line.split_once(' ').unwrap();
            let _ = writeln!(table, "| `{name}` | {help} |");
        }
        println!("{table}");
        assert!(table.lines().count() > 30);
    }
}
