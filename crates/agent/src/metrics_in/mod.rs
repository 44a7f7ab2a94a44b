//! Metrics that others count: what balancers and callers know of attempts, retries, errors, timeouts and
//! requests in flight. From Prometheus' HTTP API ([`api`]), or, where there is none, straight from a page in
//! its text format ([`text`], [`rates`]). Which metric counts what, the configuration says, or a preset
//! ([`presets`]); a role without a name is unknown, and stays unknown.
//!
//! A thread for each source, so that one that hangs holds up nothing; what it did not say is a hole of its
//! feed.

mod api;
mod presets;
mod rates;
pub(crate) mod selector;
pub(crate) mod text;

use std::collections::BTreeMap;
use std::io::Read as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use lastgasp_incident::evidence::{MetricPoint, MetricRole, MetricSeries, MetricSubject, UnixMs};
use lastgasp_recorder::guard::{guarded, spawn_guarded};
use ureq::Agent;
use ureq::tls::{RootCerts, TlsConfig};

use crate::changes::events::{Events, now_ms};
use crate::changes::mapping::clean;
use crate::config::{MetricsSource, MetricsType};

const THREAD: &str = "metrics-in";
/// Largest answer: a page of a large balancer has a few megabytes.
const MAX_ANSWER: u64 = 16 << 20;
/// Points are written after so long, or so many.
const WRITE: Duration = Duration::from_secs(5);
const MAX_POINTS: usize = 2000;

/// Threads of the sources that are configured, by name.
#[derive(Debug)]
pub(crate) struct Sources {
    events: Events,
    running: BTreeMap<String, (MetricsSource, Arc<AtomicBool>)>,
}

impl Sources {
    pub(crate) fn start(wanted: &BTreeMap<String, MetricsSource>, events: Events) -> Self {
        let mut all = Self { events, running: BTreeMap::new() };
        all.replace(wanted);
        all
    }

    /// Starts and ends sources so that they are as configured; those that stay the same go on.
    pub(crate) fn replace(&mut self, wanted: &BTreeMap<String, MetricsSource>) {
        self.running.retain(|name, (source, stop)| {
            let stays = wanted.get(name) == Some(source);
            if !stays {
                stop.store(true, Ordering::Relaxed);
                self.events.forget(&feed_of(name, source));
            }
            stays
        });
        for (name, source) in wanted {
            if self.running.contains_key(name) {
                continue;
            }
            let stop = Arc::new(AtomicBool::new(false));
            let feed = feed_of(name, source);
            self.events.expect(&feed, &[], true, &source.url);
            let taken = Taken { feed, source: source.clone(), events: self.events.clone(), over: Arc::clone(&stop) };
            if let Err(e) = spawn_guarded(THREAD, 512 << 10, move || taken.run()) {
                tracing::error!(source = name, "no thread for it: {e}");
            }
            self.running.insert(name.clone(), (source.clone(), stop));
        }
    }
}

fn feed_of(name: &str, source: &MetricsSource) -> String {
    let kind = match source.is {
        MetricsType::Prometheus => "prometheus",
        MetricsType::Scrape => "scrape",
    };
    format!("{kind}:{}", clean(name))
}

/// A value of a role at a moment.
#[derive(Clone, Debug, PartialEq)]
struct Value {
    role: MetricRole,
    name: String,
    unit: &'static str,
    at: UnixMs,
    value: f64,
}

/// One source, as it is taken.
struct Taken {
    feed: String,
    source: MetricsSource,
    events: Events,
    over: Arc<AtomicBool>,
}

/// How a kind of source is asked.
trait Ask {
    /// Asks for the values of now; for what was missed since the last answer too, where it keeps that.
    fn ask(&mut self, http: &Http<'_>, now: UnixMs) -> Result<Vec<Value>, String>;
}

impl Taken {
    fn run(&self) {
        let agent: Agent = Agent::config_builder()
            .timeout_global(Some(self.source.timeout.0))
            .max_redirects(0)
            .http_status_as_error(false)
            .user_agent(concat!("lastgasp/", env!("CARGO_PKG_VERSION")))
            .tls_config(TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build())
            .build()
            .into();
        let http = Http { agent, source: &self.source };
        let mut ask = self.asker();
        let mut waiting: Vec<Value> = Vec::new();
        let mut written = Instant::now();
        while !self.over.load(Ordering::Relaxed) {
            let began = Instant::now();
            match guarded(THREAD, || ask.ask(&http, now_ms())).unwrap_or_else(|panicked| Err(panicked.to_string())) {
                Ok(values) => {
                    self.events.heard(&self.feed);
                    waiting.extend(values);
                }
                Err(why) => self.events.lost(&self.feed, &clean(&why)),
            }
            if written.elapsed() + self.source.every.0 > WRITE || waiting.len() >= MAX_POINTS {
                self.events.note_series(&self.series(std::mem::take(&mut waiting)));
                written = Instant::now();
            }
            let mut left = self.source.every.0.saturating_sub(began.elapsed());
            while !left.is_zero() && !self.over.load(Ordering::Relaxed) {
                let piece = left.min(Duration::from_millis(200));
                std::thread::sleep(piece);
                left -= piece;
            }
        }
    }

    fn asker(&self) -> Box<dyn Ask> {
        let names = presets::names(&self.source);
        match self.source.is {
            MetricsType::Prometheus => Box::new(api::Api::new(names, self.source.every.0)),
            MetricsType::Scrape => Box::new(rates::Scrape::new(names)),
        }
    }

    /// Values as series, a point each.
    fn series(&self, values: Vec<Value>) -> Vec<MetricSeries> {
        let mut all: Vec<MetricSeries> = Vec::new();
        for Value { role, name, unit, at, value } in values {
            let point = MetricPoint { unix_ms: at, value };
            if let Some(series) = all.iter_mut().find(|s| s.role == role && s.name == name) {
                series.points.push(point);
                continue;
            }
            all.push(MetricSeries {
                role,
                name,
                source: self.feed.clone(),
                subject: MetricSubject {
                    service: self.source.service.clone(),
                    caller: self.source.caller.clone(),
                    instance: String::new(),
                    is_dependency: self.source.dependency,
                },
                unit: unit.to_owned(),
                step_ms: u64::try_from(self.source.every.0.as_millis()).unwrap_or(0),
                points: vec![point],
            });
        }
        all
    }
}

/// Requests to a source, bounded.
struct Http<'a> {
    agent: Agent,
    source: &'a MetricsSource,
}

impl Http<'_> {
    /// A whole answer; `path` is put behind the address.
    fn get(&self, path: &str) -> Result<Vec<u8>, String> {
        let url = format!("{}{path}", self.source.url.trim_end_matches('/'));
        let mut request = self.agent.get(&url);
        if !self.source.token_file.as_os_str().is_empty() {
            let token = std::fs::read_to_string(&self.source.token_file);
            let token = token.map_err(|e| format!("{}: {e}", self.source.token_file.display()))?;
            request = request.header("Authorization", &format!("Bearer {}", token.trim()));
        }
        let answer = request.call().map_err(|e| format!("{}: {e}", self.source.url))?;
        let status = answer.status().as_u16();
        let mut body = Vec::new();
        let mut reader = answer.into_body().into_reader().take(MAX_ANSWER + 1);
        reader.read_to_end(&mut body).map_err(|e| format!("{}: {e}", self.source.url))?;
        if body.len() as u64 > MAX_ANSWER {
            return Err(format!("{}: an answer of more than {MAX_ANSWER} bytes", self.source.url));
        }
        if status == 200 {
            return Ok(body);
        }
        let words: String = String::from_utf8_lossy(&body).chars().take(200).collect();
        Err(format!("{}: it answers {status}: {words}", self.source.url))
    }
}

/// Reads bytes as an answer of Prometheus.
pub(crate) fn read_answer(bytes: &[u8]) {
    let _ = api::points(bytes);
}

#[cfg(test)]
mod tests;
