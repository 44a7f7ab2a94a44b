//! The incident, told: one verdict with all that it rests on. Whoever prints it computes nothing more.

use lastgasp_diagnosis::units::{count, seconds};

use crate::causes::changes::{Check, CheckState, checks};
use crate::causes::{Cause, Kind, Scene, causes};
use crate::clean::clean;
use crate::climbs::Climbs;
use crate::clock::clock;
use crate::cohorts::{Label, Says, Spread};
use crate::do_now::{Act, acts};
use crate::evidence::{Evidence, MetricPoint, NotIt, UnixMs};
use crate::group::{Group, group};
use crate::life::{Life, lives, services};
use crate::order::{Loop, Onset, Relation};
use crate::what_if::{WhatIf, what_ifs};

/// Most causes, not-its and the like that are told.
const MAX_CAUSES: usize = 8;
/// Below this no cause is named in the sentence.
const NAMED: f64 = 0.3;

/// An incident.
#[derive(Clone, Debug, PartialEq)]
pub struct Incident {
    /// Service.
    pub service: String,
    /// Processes that the kernel killed for memory.
    pub kills: u64,
    /// Processes that were in trouble and were not killed.
    pub nearly: u64,
    /// Instances that were killed, and those that lived in that time.
    pub instances: (u64, u64),
    /// First trouble and last.
    pub between: (UnixMs, UnixMs),
    /// Where nobody has died: in whom memory climbs, and how long it takes at this pace.
    pub climbs: Option<Climbs>,
    /// When memory began to grow; and whether that was seen from rest.
    pub onset: (UnixMs, bool),
    /// The verdict in a sentence.
    pub sentence: String,
    /// Causes, ranked; empty where nothing speaks for any.
    pub causes: Vec<Cause>,
    /// Kind of the verdict: the first cause's, or unknown.
    pub kind: Kind,
    /// Its key; empty where unknown.
    pub key: String,
    /// When it began.
    pub at: Option<UnixMs>,
    /// How sure it is, 0 to 1.
    pub confidence: f64,
    /// The six rows.
    pub checks: Vec<Check>,
    /// Suspects that the evidence speaks against.
    pub not_it: Vec<NotIt>,
    /// Labels with their groups.
    pub cohorts: Vec<Label>,
    /// Times of death.
    pub spread: Option<Spread>,
    /// Onsets.
    pub order: Vec<Onset>,
    /// The loop that sustains it.
    pub sustained: Option<Loop>,
    /// What-ifs.
    pub what_if: Vec<WhatIf>,
    /// What to do, the quickest that helps first.
    pub do_now: Vec<Act>,
    /// What is not known.
    pub unknown: Vec<String>,
    /// What happened, by time.
    pub timeline: Vec<Moment>,
    /// Series for the timeline.
    pub series: Vec<Curve>,
    /// Captures, the one that tells most first.
    pub captures: Vec<CaptureRef>,
    /// Numbers that what-ifs are reckoned from.
    pub numbers: crate::what_if::Numbers,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// When.
    pub at: UnixMs,
    /// `change`, `jump`, `onset`, `kill`, `start`, `series`.
    pub kind: &'static str,
    /// In words.
    pub text: String,
}

/// A series for the timeline.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// What it is.
    pub name: String,
    /// `memory`, `goroutines`, `metric`, `census`.
    pub kind: &'static str,
    /// Unit: `B`, `1`, `1/s`, `s`.
    pub unit: String,
    /// Instance and generation; empty of those of the whole service.
    pub of: String,
    /// Points.
    pub points: Vec<MetricPoint>,
    /// Where it changed.
    pub change: Option<UnixMs>,
}

/// A capture of the incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaptureRef {
    /// Path, or name where that is not known.
    pub path: String,
    /// Instance.
    pub instance: String,
    /// When.
    pub at: UnixMs,
    /// What it says.
    pub says: String,
    /// Whether it is light.
    pub light: bool,
}

/// An incident in a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Brief {
    /// Service.
    pub service: String,
    /// Processes that were killed.
    pub kills: u64,
    /// Processes that were in trouble and were not killed.
    pub nearly: u64,
    /// First trouble and last.
    pub between: (UnixMs, UnixMs),
}

/// Incidents of one service, or of all, in a line each: that of kills before what was nearly one, the newest
/// first.
#[must_use]
pub fn briefs(evidence: &Evidence, service: Option<&str>) -> Vec<Brief> {
    let names = services(evidence);
    let mut out = Vec::new();
    for name in names.iter().filter(|n| service.is_none_or(|s| s == n.as_str())) {
        for g in group(&lives(evidence, name)) {
            out.push(Brief {
                service: name.clone(),
                kills: g.killed.len() as u64,
                nearly: g.nearly.len() as u64,
                between: (g.from, g.to),
            });
        }
    }
    out.sort_by(|a, b| {
        let by = (b.kills > 0).cmp(&(a.kills > 0)).then(b.between.1.cmp(&a.between.1));
        by.then(b.kills.cmp(&a.kills)).then_with(|| a.service.cmp(&b.service))
    });
    out
}

/// The first of [`briefs`], told whole, and the others in a line each; `None` of a calm time. Evidence is put
/// right first; what was done is among what is unknown.
#[must_use]
pub fn newest(evidence: Evidence, service: Option<&str>) -> Option<(Incident, Vec<Brief>)> {
    let evidence = clean(evidence);
    let mut all = briefs(&evidence, service).into_iter();
    let first = all.next()?;
    let lives = lives(&evidence, &first.service);
    let g = group(&lives).into_iter().find(|g| (g.from, g.to) == first.between)?;
    Some((of_group(&evidence, &first.service, &lives, &g), all.collect()))
}

/// All incidents of one service, or of all, each told whole, in the order of [`briefs`].
#[must_use]
pub fn incidents(evidence: Evidence, service: Option<&str>) -> Vec<Incident> {
    let evidence = clean(evidence);
    let all = briefs(&evidence, service);
    let told = all.iter().filter_map(|b| {
        let lives = lives(&evidence, &b.service);
        let g = group(&lives).into_iter().find(|g| (g.from, g.to) == b.between)?;
        Some(of_group(&evidence, &b.service, &lives, &g))
    });
    told.collect()
}

fn of_group(evidence: &Evidence, service: &str, lives: &[Life<'_>], g: &Group) -> Incident {
    let scene = Scene::of(evidence, service, lives, g);
    let mut ranked = causes(&scene);
    let checks = checks(&scene, &ranked);
    let what_if = what_ifs(&scene);
    let do_now = acts(&scene, &ranked, &what_if);
    let not_it = not_it(&scene, &ranked);
    let unknown = unknown(&scene, evidence, &checks);
    let first = ranked.first().filter(|c| c.confidence >= NAMED && c.evidence() > 0.0);
    let (kind, key, at, confidence) =
        first.map_or((Kind::Unknown, String::new(), None, 0.0), |c| (c.kind, c.key.clone(), c.at, c.confidence));
    let confidence = if first.is_none() { 1.0 - ranked.first().map_or(0.0, |c| c.confidence) } else { confidence }
        .min(crate::causes::weights::MOST);
    let confidence = if first.is_none() { confidence.min(0.5) } else { confidence };
    let instances = instances(&scene);
    let climbs = Climbs::of(&scene);
    let sentence = sentence(&scene, first, instances, climbs.as_ref(), &checks);
    let curves = curves(&scene);
    ranked.truncate(MAX_CAUSES);
    Incident {
        service: service.to_owned(),
        kills: scene.kills,
        nearly: scene.dead.len() as u64 - scene.kills.min(scene.dead.len() as u64),
        instances,
        between: scene.between,
        climbs,
        onset: (scene.onset, scene.onset_is_known),
        sentence,
        kind,
        key,
        at,
        confidence,
        checks,
        not_it,
        cohorts: scene.labels.clone(),
        spread: scene.spread.clone(),
        order: scene.order.clone(),
        sustained: scene.sustained.clone(),
        what_if,
        do_now,
        unknown,
        timeline: timeline(&scene),
        series: curves,
        captures: captures(&scene),
        numbers: crate::what_if::Numbers::of(&scene),
        causes: ranked,
    }
}

/// Instances that were killed, of those that lived then.
fn instances(scene: &Scene<'_>) -> (u64, u64) {
    let names = |dead: bool| {
        let of = scene.all.iter().filter(|l| {
            let ended = l.of.ended_unix_ms.unwrap_or(i64::MAX);
            let there = l.of.started_unix_ms.max(l.of.first_seen_unix_ms) <= scene.between.1 && ended >= scene.onset;
            let killed = l.killed().is_some_and(|k| k >= scene.between.0 && k <= scene.between.1);
            if dead { killed } else { there || killed }
        });
        let mut names: Vec<(&str, i32)> =
            of.map(|l| (l.of.instance.as_str(), if l.of.instance.is_empty() { l.of.pid } else { 0 })).collect();
        names.sort_unstable();
        names.dedup();
        names.len() as u64
    };
    (names(true), names(false))
}

fn sentence(
    scene: &Scene<'_>,
    cause: Option<&Cause>,
    (killed, of): (u64, u64),
    climbs: Option<&Climbs>,
    checks: &[Check],
) -> String {
    let span = scene.between.1.saturating_sub(scene.between.0);
    let within =
        if scene.kills > 1 && span > 0 { format!(" within {}", seconds(span as f64 / 1e3)) } else { String::new() };
    let who = match (scene.kills, killed, of) {
        (0, _, of) if climbs.is_some() => climbs.map_or_else(String::new, |c| c.text(scene.service, of)),
        (0, ..) => format!(
            "{} was about to run out of memory in {} processes and was not killed",
            scene.service,
            count(scene.dead.len() as u64)
        ),
        (k, i, of) => format!(
            "{} of {} instances of {} were killed for memory, {} kills{within} from {} on",
            count(i),
            count(of.max(i)),
            scene.service,
            count(k),
            clock(scene.between.0)
        ),
    };
    let (culprit, at) = scene.culprit();
    let place = if culprit.is_empty() {
        String::new()
    } else {
        let at = if at.is_empty() { String::new() } else { format!(" ({at})") };
        let share = scene.best.map(|c| c.growth.share).filter(|s| *s > 0.0);
        let part =
            share.map_or_else(String::new, |s| format!(": {} of the growth", lastgasp_diagnosis::units::percent(s)));
        format!("; memory was allocated in {culprit}{at}{part}")
    };
    let missing: Vec<&str> = checks.iter().filter(|c| c.state == CheckState::NoFeed).map(|c| c.title).collect();
    let blind = if missing.is_empty() { String::new() } else { format!("; NO FEED CONNECTED: {}", missing.join(", ")) };
    match cause {
        Some(c) => {
            let hedge = if c.confidence >= 0.8 { "" } else { "probably " };
            format!("{who}; {hedge}because {}{place}{blind}", c.sentence.trim_end_matches('.'))
        }
        None => format!("{who}; why is not known{place}{blind}"),
    }
}

/// Suspects that the evidence speaks against, those of the notes' dead ends first.
fn not_it(scene: &Scene<'_>, ranked: &[Cause]) -> Vec<NotIt> {
    let mut out: Vec<NotIt> = Vec::new();
    let mut add = |suspect: String, because: String| {
        if !out.iter().any(|n| n.suspect == suspect) {
            out.push(NotIt { suspect, because });
        }
    };
    if let Some(l) = scene.label("version").filter(|l| l.says == Says::DoesNot && l.cohorts.len() > 1) {
        add("the version (a rollback does not help)".into(), l.text.clone());
    }
    for o in &scene.order {
        let lag = o
            .lag_ms
            .map_or_else(String::new, |ms| format!(", {} after memory", seconds(ms.unsigned_abs() as f64 / 1e3)));
        let p = o.p.map_or_else(String::new, |p| {
            format!(", in {} of {} processes (sign test p = {})", o.agree, o.of, crate::cohorts::chance(p))
        });
        match (o.series.as_str(), o.relation) {
            ("goroutines", Relation::Steady) => add(
                "a goroutine leak".into(),
                o.text.clone()
                    + &o.p.map_or_else(String::new, |p| format!(" (sign test p = {})", crate::cohorts::chance(p))),
            ),
            ("goroutines", Relation::After) => {
                add("goroutines that piled up first".into(), format!("{}{lag}{p}: a consequence", o.text))
            }
            ("first attempts", Relation::Steady) => add("more traffic".into(), o.text.clone()),
            ("retries" | "errors" | "timeouts" | "attempts", Relation::After) => {
                add(format!("{} as the trigger", o.series), format!("{}{lag}{p}: a consequence", o.text));
            }
            (name, Relation::After) if name.starts_with("latency of ") || name.starts_with("errors of ") => {
                add(
                    format!("the dependency {}", name.split_once(" of ").map_or("", |n| n.1)),
                    format!("{}{lag}: a consequence", o.text),
                );
            }
            _ => {}
        }
    }
    raised_limits(scene, &mut add);
    for c in ranked.iter().skip(1).filter(|c| c.change.is_some() && c.log_odds < -1.0).take(4) {
        let against =
            c.terms.iter().skip(1).filter(|t| t.log_odds < 0.0).min_by(|a, b| a.log_odds.total_cmp(&b.log_odds));
        if let Some(t) = against {
            add(format!("{} {}", c.kind.name(), c.key), t.text.clone());
        }
    }
    if let Some(c) = scene.best {
        for n in &c.not_it {
            // What captures say of a process that was started after the first deaths is not said against
            // them.
            add(n.suspect.clone(), n.because.clone());
        }
    }
    if let Some(s) = scene.spread.as_ref().filter(|s| s.common) {
        add("a slow leak".into(), s.text.clone());
    }
    out.truncate(10);
    out
}

/// A limit that was raised, in vain.
fn raised_limits(scene: &Scene<'_>, add: &mut impl FnMut(String, String)) {
    for l in scene.dead.iter().filter(|l| l.killed().is_some()) {
        let same = scene.dead.iter().filter(|o| {
            o.of.instance == l.of.instance && o.of.started_unix_ms < l.of.started_unix_ms && !l.of.instance.is_empty()
        });
        let Some(was) = same.max_by_key(|o| o.of.started_unix_ms).and_then(|o| o.of.limit_bytes) else { continue };
        if let Some(now) = l.of.limit_bytes.filter(|n| *n > was + was / 50) {
            let (was, now) = (lastgasp_diagnosis::units::bytes(was), lastgasp_diagnosis::units::bytes(now));
            add(
                "the limit".into(),
                format!("it was raised from {was} to {now} for {}, which was killed again", l.of.instance),
            );
            return;
        }
    }
}

fn unknown(scene: &Scene<'_>, evidence: &Evidence, checks: &[Check]) -> Vec<String> {
    let mut out = Vec::new();
    for c in checks.iter().filter(|c| c.state == CheckState::NoFeed) {
        out.push(format!("{}: NO FEED CONNECTED", c.title));
    }
    if scene.traffic.totals.is_empty() {
        out.push("traffic, retries, errors: no metrics are connected, so that nothing is said of them".into());
    } else if scene.traffic.first_attempts_reckoned {
        out.push("first attempts are reckoned: attempts less retries".into());
    }
    let without = scene.dead.iter().filter(|l| l.captures.is_empty()).count();
    if without > 0 && scene.is_alive() {
        out.push(format!(
            "nobody has died and of {without} of {} processes there is no capture: what holds the memory that grows is \
             not known (lastgasp capture PID --heap), and whether it comes to rest",
            scene.dead.len()
        ));
    } else if without > 0 {
        out.push(format!("of {without} of the {} that died there is no capture", scene.dead.len()));
    }
    let light = scene.captures.iter().filter(|c| c.light).count();
    if light > 0 {
        out.push(format!(
            "{light} of {} captures are light: they name the culprit and not what holds it",
            scene.captures.len()
        ));
    }
    if scene.looked_at == 0 && !scene.captures.is_empty() {
        out.push("no heap's collections were looked at before memory grew: whether one has jumped is not known".into());
    }
    if !scene.onset_is_known {
        out.push("no process was seen at rest before its memory grew: what came first is not known".into());
    }
    if scene.labels.iter().all(|l| l.name != "version") {
        out.push("versions of the processes are not known".into());
    }
    out.extend(evidence.gaps.iter().take(12).cloned());
    out
}

fn timeline(scene: &Scene<'_>) -> Vec<Moment> {
    let mut out: Vec<Moment> = Vec::new();
    let mut add = |at, kind, text: String| out.push(Moment { at, kind, text });
    let from = scene.onset.saturating_sub(24 * 3_600_000);
    for c in scene.changes.iter().filter(|c| c.at_unix_ms >= from).rev().take(32) {
        let n = c.elements.map_or_else(String::new, |n| format!(", {} elements", count(n)));
        let to = crate::causes::changes::value(c, &c.to);
        let to = if to.is_empty() { to } else { format!(" -> {to}") };
        add(
            c.at_unix_ms,
            "change",
            format!("{} {}{to}{n} (by {})", c.kind.name(), c.key, if c.by.is_empty() { &c.source } else { &c.by }),
        );
    }
    if let Some(j) = scene.jumps.first() {
        // Between two looks: before memory grew, where that is possible.
        let at = j.latest.min(scene.onset.max(j.earliest));
        let text = format!(
            "in the heap: {} {} -> {} elements (seen between {} and {})",
            j.best.collection.owner,
            count(j.before),
            count(j.after),
            clock(j.earliest),
            clock(j.latest)
        );
        add(at, "jump", text);
    }
    add(scene.onset, "onset", "memory begins to grow".into());
    for o in scene.order.iter().filter(|o| !matches!(o.series.as_str(), "memory" | "census")) {
        if let Some(at) = o.at.filter(|_| o.relation != Relation::Steady) {
            add(at, "series", o.text.clone());
        }
    }
    if let Some(c) = Climbs::of(scene) {
        add(
            c.seen,
            "series",
            format!("memory of {} is at {} and climbs", c.first, lastgasp_diagnosis::units::bytes(c.bytes.1)),
        );
    }
    let kills: Vec<UnixMs> = scene.dead.iter().filter_map(|l| l.killed()).collect();
    // Every kill of a few; of many the first, the middle and the last.
    let shown: Vec<usize> = match kills.len() {
        n if n <= 12 => (0..n).collect(),
        n => vec![0, n / 2, n - 1],
    };
    for i in shown {
        let Some(at) = kills.get(i) else { continue };
        let who = scene.dead.iter().filter(|l| l.killed().is_some()).nth(i).map_or("", |l| l.of.instance.as_str());
        add(*at, "kill", format!("kill {} of {}: {who}", i + 1, kills.len()));
    }
    out.sort_by(|a, b| a.at.cmp(&b.at).then_with(|| a.text.cmp(&b.text)));
    out
}

/// Curves of the lives that tell most, and of the metrics.
fn curves(scene: &Scene<'_>) -> Vec<Curve> {
    const LIVES: usize = 8;
    const POINTS: usize = 240;
    let mut out = Vec::new();
    for life in scene.dead.iter().take(LIVES) {
        let Some(c) = life.best() else { continue };
        let of = format!("{} pid {}", life.of.instance, life.of.pid);
        for (name, kind, unit, points, change) in [
            ("memory", "memory", "B", &c.memory, c.window.map(|w| w.onset_unix_ms)),
            ("goroutines", "goroutines", "1", &c.goroutine_count, c.goroutines.onset_unix_ms),
        ] {
            if !points.is_empty() {
                out.push(Curve {
                    name: name.into(),
                    kind,
                    unit: unit.into(),
                    of: of.clone(),
                    points: points.clone(),
                    change,
                });
            }
        }
    }
    if let Some(j) = scene.jumps.first() {
        let mut points: Vec<MetricPoint> = j
            .best
            .collection
            .looks
            .iter()
            .map(|l| MetricPoint { unix_ms: l.unix_ms, value: l.elements as f64 })
            .collect();
        points.push(MetricPoint { unix_ms: j.best.capture.taken_unix_ms, value: j.best.collection.elements as f64 });
        out.push(Curve {
            name: format!("elements of {}", j.best.collection.owner),
            kind: "census",
            unit: "1".into(),
            of: String::new(),
            points,
            change: Some(j.latest),
        });
    }
    let (from, to) = (scene.onset.saturating_sub(1_800_000), scene.between.1.saturating_add(300_000));
    for t in scene.traffic.totals.iter().take(16) {
        let points: Vec<MetricPoint> =
            t.points.iter().copied().filter(|p| p.unix_ms >= from && p.unix_ms <= to).collect();
        let each = points.len().div_ceil(POINTS).max(1);
        let points: Vec<MetricPoint> = points.into_iter().step_by(each).collect();
        let name = if t.is_dependency {
            format!("{} of {}", t.role.name(), t.service)
        } else {
            t.role.name().replace('-', " ")
        };
        let change = scene.series(&name).and_then(|o| o.at);
        if !points.is_empty() {
            let unit = if t.role.name() == "latency" { "s" } else { "1/s" };
            out.push(Curve { name, kind: "metric", unit: unit.into(), of: String::new(), points, change });
        }
    }
    out
}

fn captures(scene: &Scene<'_>) -> Vec<CaptureRef> {
    let mut all: Vec<_> = scene.captures.clone();
    all.sort_by_key(|c| (scene.best.is_none_or(|b| b.folder != c.folder), c.taken_unix_ms));
    let of = |c: &&crate::evidence::CaptureSummary| CaptureRef {
        path: if c.path.is_empty() { c.folder.clone() } else { c.path.clone() },
        instance: c.instance.clone(),
        at: c.taken_unix_ms,
        says: c.verdict().map_or_else(|| "nothing was found".into(), |f| format!("{}: {}", f.subject, f.title)),
        light: c.light,
    };
    all.iter().take(64).map(of).collect()
}
