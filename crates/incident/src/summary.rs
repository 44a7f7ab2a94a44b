//! A capture in brief: what an incident needs of its facts and of what the rules say of them. Bounded in
//! every list, so that thousands of them can be read at once.

use std::collections::BTreeMap;

use lastgasp_diagnosis::facts::{Facts, Frame, GraphCensus, GraphRoot, Sample};
use lastgasp_diagnosis::units::short;
use lastgasp_diagnosis::{Culprit, Diagnosis, Finding, Subject, Tier, Told, Window};

use crate::evidence::{
    Build, CallsSummary, CaptureSummary, CollectionLook, CollectionSummary, CopiesSummary, FindingSummary,
    GrowthSummary, HeapNumbers, LimitBuys, MetricPoint, NotIt, OnsetSummary, Place, SitePart, UnixMs, WindowSummary,
};
use crate::sized::by_size;

/// Most points of a series.
const MAX_POINTS: usize = 64;
/// Most parts of the allocation vector.
const MAX_PARTS: usize = 24;
/// Most collections, and most looks at each.
const MAX_COLLECTIONS: usize = 10;
const MAX_LOOKS: usize = 16;
/// Seconds that a process must have lived for its pace to be known.
const MIN_LIFE_SECONDS: f64 = 3.0;
/// Most findings, copies and the like.
const MAX_FEW: usize = 8;
/// Elements from which a collection is worth remembering, jumped or not.
const MIN_ELEMENTS: u64 = 64;

/// Sums up a capture: its own facts, and what the rules say of them. `folder` is the name of its folder,
/// `cause` and `light` are its manifest's.
#[must_use]
pub fn summary(facts: &Facts, diagnosis: &Diagnosis, folder: &str, cause: &str, light: bool) -> CaptureSummary {
    let (capture, target) = (&facts.capture, &facts.target);
    let taken = facts.unix_ms(capture.t_ms).unwrap_or(0);
    let started = match (target.started_unix, facts.age_ms()) {
        (0, None) => 0,
        (_, Some(age)) => taken.saturating_sub(i64::try_from(age).unwrap_or(0)),
        (seconds, None) => i64::try_from(seconds).unwrap_or(0).saturating_mul(1000),
    };
    CaptureSummary {
        schema: CaptureSummary::SCHEMA.to_owned(),
        folder: folder.to_owned(),
        path: String::new(),
        taken_unix_ms: taken,
        phase: capture.phase.name().to_owned(),
        reason: capture.reason.name().to_owned(),
        light,
        service: target.service.clone(),
        instance: instance(target.container.as_deref(), &target.cgroup),
        pid: target.pid,
        started_unix_ms: started,
        container: target.container.clone().unwrap_or_default(),
        build: build(facts),
        place: Place { kernel: capture.kernel.clone(), cgroup: target.cgroup.clone(), ..Place::default() },
        limit_bytes: target.limit_bytes,
        cause: cause.to_owned(),
        findings: diagnosis.findings.iter().take(MAX_FEW).map(|f| finding(facts, f)).collect(),
        growth: growth(facts, diagnosis),
        window: window(facts, diagnosis),
        goroutines: goroutines(facts, diagnosis),
        heap: heap(facts),
        census: census(facts),
        copies: copies(facts),
        memory: series(facts, |s| s.usage_bytes),
        goroutine_count: series(facts, |s| s.goroutines),
        how: diagnosis.heap.as_ref().map_or_else(String::new, |h| h.how.to_owned()),
        calls: calls(diagnosis),
        limits: diagnosis.limits.iter().map(limit_buys).collect(),
        not_it: not_it(diagnosis),
        gaps: capture.gaps.iter().take(MAX_FEW).map(|g| format!("{}: {}", g.what, g.why)).collect(),
    }
}

/// What is restarted: the container, else the last word of the group's path.
fn instance(container: Option<&str>, cgroup: &str) -> String {
    container.map_or_else(|| cgroup.rsplit('/').next().unwrap_or_default().to_owned(), str::to_owned)
}

fn build(facts: &Facts) -> Build {
    let target = &facts.target;
    let vcs = target.vcs.clone().unwrap_or_default();
    Build {
        version: target.module.version.clone(),
        revision: vcs.revision,
        revision_unix_ms: vcs.time.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond),
        modified: vcs.modified == "true",
        build_id: target.build_id.clone().unwrap_or_default(),
        go_version: target.go_version.clone(),
        file_unix_ms: None,
    }
}

fn at(frame: &Frame) -> String {
    if frame.file.is_empty() { String::new() } else { format!("{}:{}", short(&frame.file), frame.line) }
}

fn finding(facts: &Facts, f: &Finding) -> FindingSummary {
    let site = f.site.and_then(|i| facts.profile.sites.get(i)).and_then(|s| s.stack.first());
    let holder = holder(facts, f);
    let rivals = |told: Told| f.rivals.iter().filter(|r| r.told == told).map(|r| r.cause.to_owned()).collect();
    FindingSummary {
        code: f.code.to_owned(),
        subject: f.subject.to_string(),
        fingerprint: f.fingerprint(),
        confidence: f.confidence(),
        level: f.level.name().to_owned(),
        title: f.title.clone(),
        sentence: f.sentence.clone(),
        at: site.and_then(|i| facts.frames.get(*i as usize)).map(at).unwrap_or_default(),
        ruled_out: rivals(Told::Apart),
        open_rivals: rivals(Told::NotApart),
        cure: f.cure.clone(),
        goroutines: holder.map(|r| r.goroutines),
        grows_in: holder.iter().flat_map(|r| r.grows_in()).take(MAX_FEW).map(|p| p.function.clone()).collect(),
    }
}

/// The root that a finding says holds most; `None` of other findings.
fn holder<'f>(facts: &'f Facts, f: &Finding) -> Option<&'f GraphRoot> {
    let Subject::Holder { name } = &f.subject else { return None };
    let roots = facts.graph.iter().flat_map(|g| &g.roots);
    roots.filter(|r| r.name == *name).max_by_key(|r| r.retained_bytes)
}

fn growth(facts: &Facts, diagnosis: &Diagnosis) -> GrowthSummary {
    let g = &diagnosis.growth;
    let mut parts: BTreeMap<&str, u64> = BTreeMap::new();
    for (site, grown) in facts.profile.sites.iter().zip(&g.by_site) {
        let function = site.stack.first().and_then(|i| facts.frames.get(*i as usize)).map(|f| f.function.as_str());
        if let Some(function) = function.filter(|_| grown.bytes > 0) {
            let sum = parts.entry(function).or_default();
            *sum = sum.saturating_add(grown.bytes);
        }
    }
    let mut parts: Vec<SitePart> =
        parts.into_iter().map(|(f, bytes)| SitePart { function: f.to_owned(), bytes }).collect();
    parts.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.function.cmp(&b.function)));
    parts.truncate(MAX_PARTS);
    let c = g.culprit.as_ref();
    GrowthSummary {
        has_baseline: g.has_baseline,
        bytes: g.total.bytes,
        culprit: c.map_or_else(String::new, |c| c.frame.function.clone()),
        culprit_at: c.map(|c| at(&c.frame)).unwrap_or_default(),
        caller: c.and_then(|c| c.caller.as_ref()).map_or_else(String::new, |f| f.function.clone()),
        share: c.map_or(0.0, |c| c.share),
        allocated_bytes: c.map_or(0, |c| c.allocated.bytes),
        pace: c.and_then(|c| pace(facts, c)),
        samples: c.map_or(0, |c| c.samples),
        parts,
    }
}

/// The culprit's bytes a second since the baseline, against those of the life before it: who is asked twice
/// as often allocates twice as fast, who is asked for more data, or by other code, many times as fast. What
/// was allocated before counts as one sample at the least.
fn pace(facts: &Facts, c: &Culprit) -> Option<f64> {
    let since = facts.seconds_since_baseline()?;
    let before = facts.age_at(facts.profile.baseline_t_ms?)? as f64 / 1e3;
    let sample = facts.profile.rate.max(1) as f64;
    if since <= 0.0 || before < MIN_LIFE_SECONDS || c.allocated.bytes as f64 <= sample {
        return None;
    }
    let rate_before = (c.allocated_before.bytes as f64).max(sample) / before;
    Some(c.allocated.bytes as f64 / since / rate_before)
}

fn window(facts: &Facts, diagnosis: &Diagnosis) -> Option<WindowSummary> {
    let w = diagnosis.window.as_ref()?;
    // At rest: at half of the growth's own length before it, and three seconds at least.
    let first = facts.timeline.samples.first()?.t_ms;
    let rested = w.onset_ms.saturating_sub(first) >= ((w.end_ms.saturating_sub(w.onset_ms)) / 2).max(3000);
    Some(WindowSummary {
        onset_unix_ms: facts.unix_ms(w.onset_ms)?,
        onset_latest_unix_ms: seen_to_grow(facts, w).and_then(|ms| facts.unix_ms(ms)),
        end_unix_ms: facts.unix_ms(w.end_ms)?,
        start_bytes: w.start_bytes,
        end_bytes: w.end_bytes,
        rate: w.rate,
        rate_low: w.rate_low,
        rate_high: w.rate_high,
        gc_cycles: w.gc_cycles,
        at_limit_ms: w.at_limit_ms,
        was_at_rest: rested,
    })
}

/// When the first sample was taken in which a twentieth of the growth can be seen.
fn seen_to_grow(facts: &Facts, w: &Window) -> Option<u64> {
    let samples = facts.timeline.samples.iter().map(|s| (s.t_ms, s.usage_bytes));
    WindowSummary::first_to_grow(samples, w.onset_ms, (w.start_bytes, w.end_bytes))
}

fn goroutines(facts: &Facts, diagnosis: &Diagnosis) -> OnsetSummary {
    let onsets = diagnosis.goroutines.onsets.as_ref();
    let memory_ms = diagnosis.window.as_ref().map(|w| w.onset_ms);
    let samples = || facts.timeline.samples.iter().filter(|s| s.goroutines > 0);
    let at = |ms: u64| samples().rev().find(|s| s.t_ms <= ms).map(|s| s.goroutines);
    let of_tier = |t: Tier| diagnosis.goroutines.tiers.of(t);
    OnsetSummary {
        onset_unix_ms: onsets.and_then(|o| facts.unix_ms(o.goroutines_ms)),
        memory_onset_unix_ms: memory_ms.and_then(|ms| facts.unix_ms(ms)),
        at_memory_onset: memory_ms.and_then(at),
        at_end: samples().next_back().map_or(facts.goroutines.total, |s| s.goroutines),
        in_flight: diagnosis.heap.as_ref().filter(|h| h.calls > 0).map(|h| h.calls),
        is_consequence: onsets.map(|o| o.consequence || o.across.is_some()),
        leaked: of_tier(Tier::Proved) + of_tier(Tier::Suspect),
        stack_bytes: facts.gc.stacks,
    }
}

fn heap(facts: &Facts) -> HeapNumbers {
    let gc = facts.gc.is_known().then_some(&facts.gc);
    let graph = facts.graph.as_ref();
    let known = facts.gauges_at_rss.as_ref().unwrap_or(&facts.gc).known();
    let elsewhere = facts.residency.as_ref().map(|r| r.elsewhere);
    // Of the dead the RSS is from before the copy: then what grew in between would count as outside.
    let same_moment = |r: &lastgasp_diagnosis::facts::Rss| {
        facts.gauges_at_rss.is_some() || r.as_of_ms.abs_diff(facts.capture.t_ms) < 50
    };
    let outside = facts.rss.as_ref().filter(|r| same_moment(r)).map(|r| r.anon.saturating_sub(known));
    HeapNumbers {
        gogc: gc.map(|g| g.percent),
        gomemlimit: gc.and_then(|g| g.memory_limit),
        marked_bytes: gc.map(|g| g.heap_marked),
        live_bytes: gc.map(|g| g.heap_live),
        goal_bytes: gc.and_then(|g| g.heap_goal),
        base_bytes: facts.at_baseline().map(|(g, _)| g.heap_marked).filter(|n| *n > 0),
        reachable_bytes: graph.map(|g| g.live_bytes),
        garbage_bytes: graph.map(|g| g.garbage_bytes),
        off_heap_bytes: elsewhere.or(outside),
        file_cache_bytes: facts.charge.as_ref().map(|c| c.file),
        gc_cpu_share: gc.and_then(|g| g.cpu_share),
        neighbour_bytes: facts.neighbours.as_ref().map(|n| n.rss_bytes),
    }
}

/// Those that changed most, then the largest.
fn census(facts: &Facts) -> Vec<CollectionSummary> {
    let in_graph = |c: &GraphCensus| facts.graph.iter().flat_map(|g| &g.census).any(|o| o.at == c.at && o.at != 0);
    let of_graph = facts.graph.iter().flat_map(|g| &g.census);
    let all = of_graph.chain(facts.census.iter().filter(|c| !in_graph(c)));
    let mut all: Vec<&GraphCensus> =
        all.filter(|c| c.elements >= MIN_ELEMENTS || c.before.is_some_and(|b| b >= MIN_ELEMENTS)).collect();
    let factor = |c: &GraphCensus| match c.before {
        Some(before) => (c.elements.max(1) as f64 / before.max(1) as f64).ln().abs(),
        None => 0.0,
    };
    all.sort_by(|a, b| {
        let by = factor(b).total_cmp(&factor(a)).then(b.retained_bytes.cmp(&a.retained_bytes));
        by.then(b.elements.cmp(&a.elements)).then_with(|| a.owner.cmp(&b.owner))
    });
    all.truncate(MAX_COLLECTIONS);
    all.into_iter().map(|c| collection(facts, c)).collect()
}

fn collection(facts: &Facts, c: &GraphCensus) -> CollectionSummary {
    let taken = facts.unix_ms(facts.capture.t_ms).unwrap_or(0);
    let when = |ago: u64| -> UnixMs { taken.saturating_sub(i64::try_from(ago).unwrap_or(0)) };
    let look = |(ago, elements): &(u64, u64)| CollectionLook { unix_ms: when(*ago), elements: *elements };
    let mut looks: Vec<CollectionLook> = c.looks.iter().map(look).collect();
    if let (true, Some(before), Some(ago)) = (looks.is_empty(), c.before, c.before_ms_ago) {
        looks.push(CollectionLook { unix_ms: when(ago), elements: before });
    }
    looks.sort_by_key(|l| l.unix_ms);
    looks.drain(..looks.len().saturating_sub(MAX_LOOKS));
    CollectionSummary {
        owner: c.owner.clone(),
        type_name: c.type_name.clone(),
        kind: c.kind.clone(),
        elements: c.elements,
        bytes: c.retained_bytes.max(c.bytes),
        looks,
        count: c.count.max(1),
        is_global: c.owner.starts_with("global "),
    }
}

fn copies(facts: &Facts) -> Vec<CopiesSummary> {
    let rows = facts.graph.iter().flat_map(|g| &g.copies).take(MAX_FEW);
    rows.map(|c| CopiesSummary {
        type_name: c.type_name.clone(),
        copies: c.copies,
        elements: c.elements,
        bytes_each: c.bytes_each,
        total_bytes: c.total_bytes,
        savable_bytes: c.savable_bytes,
        equal: c.equal.clone(),
        site: c.site.clone(),
        site_at: short(&c.site_at).to_owned(),
        goroutines: c.holders.iter().map(|h| h.goroutines).fold(0, u64::saturating_add),
        held_in: c.holders.first().map_or_else(String::new, |h| h.function.clone()),
    })
    .chain(by_size(facts))
    .collect()
}

/// A series of the watch, the last points close together and older ones thinned out.
fn series(facts: &Facts, of: impl Fn(&Sample) -> u64) -> Vec<MetricPoint> {
    let samples = &facts.timeline.samples;
    let (Some(first), Some(last)) = (samples.first(), samples.last()) else { return Vec::new() };
    let point = |s: &Sample| Some(MetricPoint { unix_ms: facts.unix_ms(s.t_ms)?, value: of(s) as f64 });
    // Half of the points in the last sixth of the time: there is the story.
    let (span, half) = (last.t_ms.saturating_sub(first.t_ms), MAX_POINTS as u64 / 2);
    let late = last.t_ms.saturating_sub(span / 6);
    let mut due = first.t_ms;
    let mut out = Vec::new();
    for s in samples.iter().filter(|s| of(s) > 0) {
        if s.t_ms < due && s.t_ms != last.t_ms {
            continue;
        }
        let step = if s.t_ms >= late { span / 6 / half } else { span * 5 / 6 / half };
        due = s.t_ms.saturating_add(step.max(1));
        out.extend(point(s));
        if out.len() > MAX_POINTS + 1 {
            break;
        }
    }
    out
}

fn calls(diagnosis: &Diagnosis) -> CallsSummary {
    let Some(h) = diagnosis.heap.as_ref() else { return CallsSummary::default() };
    CallsSummary {
        function: h.calls_of.clone(),
        total: h.calls,
        waiting: h.waiting,
        served: (h.calls > 0).then_some(h.served),
        waits_for: h.waits_for.to_owned(),
        bytes_each: h.bytes_each,
    }
}

fn limit_buys(l: &lastgasp_diagnosis::LimitWhatIf) -> LimitBuys {
    let finite = |s: f64| s.is_finite().then_some(s);
    LimitBuys { limit_bytes: l.limit, seconds: finite(l.seconds), low: finite(l.low), high: finite(l.high) }
}

fn not_it(diagnosis: &Diagnosis) -> Vec<NotIt> {
    let of = |r: &lastgasp_diagnosis::RuledOut| NotIt { suspect: r.suspect.to_owned(), because: r.because.clone() };
    diagnosis.ruled_out.iter().take(MAX_FEW).map(of).collect()
}

#[cfg(test)]
mod tests {
    use lastgasp_diagnosis::diagnose;
    use lastgasp_diagnosis::facts::GraphFacts;

    use super::*;

    #[test]
    fn a_long_watch_is_thinned_and_keeps_its_end() {
        let mut facts = Facts::default();
        facts.capture.taken_at = "2026-11-26T10:00:00Z".into();
        facts.capture.t_ms = 3_600_000;
        facts.timeline.samples = (0..=36_000)
            .map(|i| Sample { t_ms: i * 100, usage_bytes: 1_000_000 + i * 1000, goroutines: 7, ..Sample::default() })
            .collect();
        let s = summary(&facts, &diagnose(&facts), "x", "", false);
        assert!((40..=MAX_POINTS + 2).contains(&s.memory.len()), "{}", s.memory.len());
        assert_eq!(s.memory.last().map(|p| p.value), Some(37_000_000.0));
        let late = s.memory.iter().filter(|p| p.unix_ms >= s.taken_unix_ms - 600_000).count();
        assert!(late * 2 >= s.memory.len() - 4, "{late}");
        assert!(s.memory.windows(2).all(|w| w[0].unix_ms < w[1].unix_ms));
    }

    #[test]
    fn of_nothing_there_is_nothing_to_say() {
        let facts = Facts::default();
        let s = summary(&facts, &diagnose(&facts), "x", "", true);
        assert!(s.light && s.findings.is_empty() && s.window.is_none() && s.census.is_empty());
        let again: CaptureSummary = serde_json::from_str(&serde_json::to_string(&s).unwrap()).unwrap();
        assert_eq!(again, s);
    }

    #[test]
    fn who_holds_most_is_told_with_its_number() {
        let told = |goroutines: u64| {
            let mut facts = Facts::default();
            let root = GraphRoot {
                kind: if goroutines == 0 { "global" } else { "goroutine" }.into(),
                name: "main.f".into(),
                retained_bytes: 900_000_000,
                goroutines,
                ..GraphRoot::default()
            };
            facts.graph = Some(GraphFacts { live_bytes: 1_000_000_000, roots: vec![root], ..GraphFacts::default() });
            let s = summary(&facts, &diagnose(&facts), "x", "", false);
            s.finding("one-root-holds-most").map(|f| f.goroutines)
        };
        assert_eq!((told(0), told(1), told(158)), (Some(Some(0)), Some(Some(1)), Some(Some(158))));
    }

    #[test]
    fn collections_that_jumped_come_first() {
        let row = |owner: &str, elements, before, looks: &[(u64, u64)]| GraphCensus {
            owner: owner.into(),
            elements,
            before,
            before_ms_ago: before.map(|_| 4000),
            looks: looks.to_vec(),
            ..GraphCensus::default()
        };
        let mut facts = Facts::default();
        facts.capture.taken_at = "1970-01-01T00:00:10Z".into();
        facts.census = vec![
            row("global main.big", 900_000, Some(900_000), &[]),
            row("global main.tiny", 3, Some(1), &[]),
            row("global main.ids", 230_000, Some(312), &[(6000, 312), (2000, 230_000)]),
        ];
        let s = summary(&facts, &diagnose(&facts), "x", "", false);
        let owners: Vec<&str> = s.census.iter().map(|c| c.owner.as_str()).collect();
        assert_eq!(owners, ["global main.ids", "global main.big"]);
        assert!(s.census[0].is_global);
        let looks: Vec<(UnixMs, u64)> = s.census[0].looks.iter().map(|l| (l.unix_ms, l.elements)).collect();
        assert_eq!(looks, [(4000, 312), (8000, 230_000)]);
    }
}
