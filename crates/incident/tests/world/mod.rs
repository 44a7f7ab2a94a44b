//! A made-up world of a service: instances that live and die, with the captures that a recorder would have
//! left.

use lastgasp_incident::Incident;
use lastgasp_incident::evidence::{
    Build, CallsSummary, CaptureSummary, Change, ChangeKind, CollectionLook, CollectionSummary, CopiesSummary, Ending,
    Evidence, FeedState, FindingSummary, Generation, GrowthSummary, HeapNumbers, MetricPoint, MetricRole, MetricSeries,
    MetricSubject, OnsetSummary, Place, Scope, SitePart, UnixMs, WindowSummary,
};

/// The moment of the first trouble.
pub(crate) const T0: UnixMs = 1_795_717_264_000;

/// What an instance is like.
#[derive(Clone, Debug)]
pub(crate) struct Kind {
    pub(crate) code: &'static str,
    pub(crate) subject: &'static str,
    pub(crate) title: &'static str,
    pub(crate) confidence: f64,
    pub(crate) how: &'static str,
    /// Seconds over which memory grows.
    pub(crate) seconds: i64,
    pub(crate) limit: u64,
    pub(crate) start: u64,
    pub(crate) at_rest: bool,
    /// Seconds from memory's onset to goroutines'; none: they did not pile up.
    pub(crate) goroutines: Option<i64>,
    pub(crate) leaked: u64,
    pub(crate) waits_for: &'static str,
    /// Elements before and after a jump, seconds from it to memory's onset, and the owner.
    pub(crate) jump: Option<(u64, u64, i64, &'static str)>,
    pub(crate) looks: bool,
    pub(crate) gogc: i32,
    pub(crate) pace: Option<f64>,
    pub(crate) more: Vec<FindingSummary>,
}

pub(crate) fn finding(code: &str, subject: &str, title: &str, confidence: f64) -> FindingSummary {
    FindingSummary {
        code: code.into(),
        subject: subject.into(),
        fingerprint: format!("{code}{subject}"),
        confidence,
        level: "critical".into(),
        title: title.into(),
        sentence: format!("{subject}: {title}"),
        ..FindingSummary::default()
    }
}

impl Default for Kind {
    fn default() -> Self {
        Self {
            code: "heap-growth",
            subject: "main.build",
            title: "every call builds its own copy of something large",
            confidence: 0.75,
            how: "calls-at-work",
            seconds: 4,
            limit: 860_000_000,
            start: 200_000_000,
            at_rest: true,
            goroutines: None,
            leaked: 0,
            waits_for: "",
            jump: None,
            looks: true,
            gogc: 100,
            pace: None,
            more: Vec::new(),
        }
    }
}

/// One life, and its capture.
pub(crate) struct Instance {
    pub(crate) name: String,
    pub(crate) version: &'static str,
    pub(crate) started: UnixMs,
    /// When memory begins to grow; none: it lives on.
    pub(crate) onset: Option<UnixMs>,
    pub(crate) kind: Kind,
    pub(crate) light: bool,
}

/// A world.
#[derive(Default)]
pub(crate) struct World {
    pub(crate) evidence: Evidence,
    pids: i32,
}

impl World {
    pub(crate) fn new() -> Self {
        Self { evidence: Evidence { now_unix_ms: T0 + 600_000, ..Evidence::default() }, pids: 1000 }
    }

    pub(crate) fn add(&mut self, i: Instance) {
        self.pids += 1;
        let (pid, k) = (self.pids, &i.kind);
        let end = i.onset.map(|t| t + k.seconds * 1000);
        let build = Build { version: i.version.into(), go_version: "go1.26.8".into(), ..Build::default() };
        let place = Place {
            data_centre: if pid % 2 == 0 { "dc1" } else { "dc2" }.into(),
            node: "n1".into(),
            ..Place::default()
        };
        self.evidence.generations.push(Generation {
            service: "svc".into(),
            instance: i.name.clone(),
            pid,
            started_unix_ms: i.started,
            first_seen_unix_ms: i.started,
            last_seen_unix_ms: end.unwrap_or(T0 + 600_000),
            ended_unix_ms: end,
            ending: if end.is_some() { Ending::OomKill } else { Ending::Running },
            build: build.clone(),
            place: place.clone(),
            limit_bytes: Some(k.limit),
            gogc: Some(k.gogc),
            peak_bytes: Some(if end.is_some() { k.limit } else { k.start }),
            ..Generation::default()
        });
        let (Some(onset), Some(end)) = (i.onset, end) else { return };
        let grown = k.limit - k.start;
        let mut census = Vec::new();
        if k.looks {
            let steady = |owner: &str, n: u64| CollectionSummary {
                owner: owner.into(),
                kind: "map".into(),
                elements: n,
                count: 1,
                is_global: true,
                looks: (1..=8).rev().map(|j| CollectionLook { unix_ms: end - j * 2000, elements: n }).collect(),
                ..CollectionSummary::default()
            };
            census.push(steady("global main.catalogue .byID", 121_742));
        }
        let mut copies = Vec::new();
        if let Some((before, after, ahead, owner)) = k.jump {
            let at = onset - ahead * 1000;
            let look = |t: UnixMs| CollectionLook { unix_ms: t, elements: if t < at { before } else { after } };
            census.push(CollectionSummary {
                owner: owner.into(),
                kind: "slice".into(),
                elements: after,
                count: 1,
                bytes: 8 * after,
                is_global: owner.starts_with("global"),
                looks: (0..10).map(|j| look(at - 9_000 + j * 2000)).filter(|l| l.unix_ms < end).collect(),
                ..CollectionSummary::default()
            });
            if k.how == "calls-at-work" {
                let total = grown * 8 / 10;
                copies.push(CopiesSummary {
                    type_name: "map[int64]struct {}".into(),
                    copies: total / 7_200_000,
                    elements: after,
                    bytes_each: 7_200_000,
                    total_bytes: total,
                    savable_bytes: total,
                    equal: "content".into(),
                    site: k.subject.into(),
                    ..CopiesSummary::default()
                });
            }
        }
        let mut findings = vec![finding(k.code, k.subject, k.title, k.confidence)];
        findings.extend(k.more.iter().cloned());
        let usage = |j: i64| MetricPoint {
            unix_ms: onset + j * k.seconds * 100,
            value: (k.start + grown * j as u64 / 10) as f64,
        };
        self.evidence.captures.push(CaptureSummary {
            schema: CaptureSummary::SCHEMA.into(),
            folder: format!("c-{}-{pid}", i.name),
            taken_unix_ms: end,
            phase: "post-kill".into(),
            reason: "oom-kill".into(),
            light: i.light,
            service: "svc".into(),
            instance: i.name,
            pid,
            started_unix_ms: i.started,
            build,
            place,
            limit_bytes: Some(k.limit),
            findings,
            growth: GrowthSummary {
                has_baseline: true,
                bytes: grown,
                culprit: k.subject.into(),
                culprit_at: "svc/server.go:71".into(),
                caller: "main.(*Server).ugcTab".into(),
                share: 0.9,
                pace: k.pace,
                parts: vec![SitePart { function: k.subject.into(), bytes: grown }],
                ..GrowthSummary::default()
            },
            window: Some(WindowSummary {
                onset_unix_ms: onset,
                end_unix_ms: end,
                start_bytes: k.start,
                end_bytes: k.limit,
                rate: grown as f64 / k.seconds as f64,
                rate_low: grown as f64 / k.seconds as f64 * 0.6,
                rate_high: grown as f64 / k.seconds as f64 * 1.5,
                was_at_rest: k.at_rest,
                ..WindowSummary::default()
            }),
            goroutines: OnsetSummary {
                onset_unix_ms: k.goroutines.map(|s| onset + s * 1000),
                memory_onset_unix_ms: Some(onset),
                at_memory_onset: Some(180),
                at_end: if k.goroutines.is_some() || k.leaked > 0 { 20_000 } else { 200 },
                is_consequence: k.goroutines.map(|s| s > 0),
                leaked: k.leaked,
                ..OnsetSummary::default()
            },
            heap: HeapNumbers {
                gogc: Some(k.gogc),
                base_bytes: Some(k.start * 8 / 10),
                live_bytes: Some(k.limit * 9 / 10),
                marked_bytes: Some(k.limit * 7 / 10),
                reachable_bytes: Some(k.limit * 8 / 10),
                garbage_bytes: Some(k.limit / 10),
                ..HeapNumbers::default()
            },
            census,
            copies,
            memory: (0..=10).map(usage).collect(),
            how: k.how.into(),
            calls: CallsSummary {
                function: "main.(*Server).ugcTab".into(),
                total: 120,
                served: Some(120),
                waiting: if k.waits_for.is_empty() { 0 } else { 118 },
                waits_for: k.waits_for.into(),
                bytes_each: Some(4_000_000),
            },
            ..CaptureSummary::default()
        });
    }

    /// So many instances of a kind, whose memory begins to grow one after the other from `onset` on.
    pub(crate) fn die(
        &mut self,
        n: usize,
        version: &'static str,
        started: UnixMs,
        onset: UnixMs,
        each_ms: i64,
        kind: &Kind,
    ) {
        for j in 0..n {
            let (name, kind) = (format!("rs-{j}"), kind.clone());
            let started = started - (j as i64 * 7919) % 3600 * 1000;
            self.add(Instance { name, version, started, onset: Some(onset + j as i64 * each_ms), kind, light: false });
        }
    }

    /// So many that live on.
    pub(crate) fn live(&mut self, n: usize, version: &'static str, started: UnixMs) {
        for j in 0..n {
            let name = format!("ok-{}-{j}", self.pids);
            self.add(Instance { name, version, started, onset: None, kind: Kind::default(), light: false });
        }
    }

    pub(crate) fn change(&mut self, kind: ChangeKind, key: &str, at: UnixMs) -> &mut Change {
        let id = self.evidence.changes.len().to_string();
        self.evidence.changes.push(Change {
            id,
            kind,
            key: key.into(),
            at_unix_ms: at,
            received_unix_ms: at + 500,
            source: "webhook".into(),
            ..Change::default()
        });
        self.evidence.changes.last_mut().unwrap()
    }

    pub(crate) fn feed(&mut self, source: &str, kinds: &[ChangeKind]) {
        self.evidence.feeds.push(FeedState {
            source: source.into(),
            kinds: kinds.to_vec(),
            connected: true,
            since_unix_ms: T0 - 30 * 86_400_000,
            last_unix_ms: T0 + 600_000,
            ..FeedState::default()
        });
    }

    /// A metric with a level that changes at a moment.
    pub(crate) fn metric(&mut self, role: MetricRole, service: &str, change_at: UnixMs, before: f64, after: f64) {
        let points = (0..900).map(|j| T0 - 600_000 + j * 1000).map(|t| {
            let level = if t < change_at { before } else { after };
            MetricPoint { unix_ms: t, value: level * (1.0 + ((t / 1000 * 37) % 11 - 5) as f64 / 150.0) }
        });
        self.evidence.series.push(MetricSeries {
            name: role.name().into(),
            role,
            source: "haproxy".into(),
            subject: MetricSubject {
                service: service.into(),
                is_dependency: service != "svc",
                ..MetricSubject::default()
            },
            unit: "1/s".into(),
            step_ms: 1000,
            points: points.collect(),
        });
    }
}

pub(crate) fn scope_of(service: &str) -> Scope {
    Scope { services: vec![service.into()], ..Scope::default() }
}

/// The one incident of a world.
pub(crate) fn told(world: World) -> Incident {
    let mut all = lastgasp_incident::incidents(world.evidence, Some("svc"));
    assert_eq!(all.len(), 1, "{all:#?}");
    all.remove(0)
}

/// All causes with their terms, for who looks at a test that fails.
pub(crate) fn terms(i: &Incident) -> String {
    i.causes
        .iter()
        .map(|c| {
            let terms: String =
                c.terms.iter().map(|t| format!("\n    {:+.1} {}: {}", t.log_odds, t.name, t.text)).collect();
            format!("{} {} {:.2} ({:.1}){terms}\n", c.kind.name(), c.key, c.confidence, c.log_odds)
        })
        .collect()
}
