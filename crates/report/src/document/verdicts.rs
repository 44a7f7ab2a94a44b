//! Verdicts on blocked goroutines: of a capture's groups in the report, of each in `goroutines.json`.

use lastgasp_diagnosis::facts::{self, Facts};
use lastgasp_diagnosis::{GoroutineVerdicts, Tier};
use serde::Serialize;
use serde_json::{Value, json};

use super::findings::Rival;

/// Verdicts that the report has; all of them, up to [`MOST_IN_FILE`], are in `goroutines.json`.
const MOST_IN_REPORT: usize = 200;
/// Verdicts of the file.
const MOST_IN_FILE: usize = 100_000;
/// Things that one goroutine waits for: those of a `select` are few.
const MOST_WAITS: usize = 64;
/// Referrers of one lock that are told.
const MOST_REFERRERS: usize = 8;

/// An element of `goroutines.verdicts`.
#[derive(Debug, Serialize)]
pub(super) struct Verdict<'a> {
    goid: u64,
    tier: &'static str,
    code: &'a str,
    cause: &'a str,
    sureness: &'static str,
    wake_up: &'a str,
    woken_by: &'a str,
    waits_on: Vec<WaitsOn<'a>>,
    holders: Vec<Holder<'a>>,
    created_by: Option<Spot<'a>>,
    waits_in: Option<Spot<'a>>,
    waited_ns_at_least: u64,
    retained_bytes: Option<u64>,
    go_says_leaked: bool,
}

/// An element of `waits_on`.
#[derive(Debug, Serialize)]
struct WaitsOn<'a> {
    operation: &'a str,
    kind: Option<&'a str>,
    address: Option<String>,
    element_type: Option<&'a str>,
    way: Option<&'a str>,
    length: Option<u64>,
    capacity: Option<u64>,
    closed: Option<bool>,
    timer_period_ns: Option<u64>,
    senders: Option<u64>,
    receivers: Option<u64>,
    waiters: Option<u64>,
    missing_done: Option<i64>,
    locked: Option<bool>,
    readers: Option<u64>,
    deadline: Option<bool>,
    deadline_in_ns: Option<i64>,
    fd: Option<i64>,
    what: Option<&'a str>,
    peer: Option<&'a str>,
    connection_state: Option<&'a str>,
    receive_queue_bytes: Option<u64>,
    send_queue_bytes: Option<u64>,
    reach: Option<&'a str>,
    referrers: Vec<Referrer<'a>>,
}

/// An element of `referrers`.
#[derive(Debug, Serialize)]
struct Referrer<'a> {
    goid: Option<u64>,
    place: &'a str,
    name: &'a str,
    can_run: bool,
}

/// An element of `holders`.
#[derive(Debug, Serialize)]
struct Holder<'a> {
    goid: u64,
    function: &'a str,
    does: &'a str,
    sign: &'a str,
    sureness: &'static str,
}

/// A place in the program.
#[derive(Debug, Serialize)]
struct Spot<'a> {
    function: &'a str,
    file: &'a str,
    line: u32,
}

/// An element of `goroutines.verdict_groups`.
#[derive(Debug, Serialize)]
pub(super) struct VerdictGroup<'a> {
    count: u64,
    tier: &'static str,
    code: &'a str,
    cause: &'a str,
    sureness: &'static str,
    created_by: Option<Spot<'a>>,
    starts: &'a str,
    waits_in: Option<Spot<'a>>,
    retained_bytes: Option<u64>,
    stack_bytes: u64,
    oldest_wait_ns: u64,
    growing: bool,
    over_time: Option<OverTime>,
    sentence: &'a str,
    cure: &'a str,
    examples: &'a [u64],
    waits_on: Vec<WaitsOn<'a>>,
    holders: Vec<Holder<'a>>,
    rivals: Vec<Rival<'a>>,
}

/// The field `goroutines.wait_for`.
#[derive(Debug, Serialize)]
pub(super) struct WaitFor<'a> {
    nodes: Vec<WaitNode<'a>>,
    edges: Vec<WaitEdge<'a>>,
}

/// An element of `nodes`.
#[derive(Debug, Serialize)]
struct WaitNode<'a> {
    goid: u64,
    function: &'a str,
    does: &'a str,
    alike: u64,
    in_ring: bool,
}

/// An element of `edges`.
#[derive(Debug, Serialize)]
struct WaitEdge<'a> {
    from: u64,
    lock: &'a str,
    address: Option<String>,
    to: Option<u64>,
    sureness: &'static str,
}

impl<'a> WaitFor<'a> {
    pub(super) fn of(w: &'a lastgasp_diagnosis::WaitFor) -> Self {
        let node = |n: &'a lastgasp_diagnosis::WaitNode| WaitNode {
            goid: n.goroutine,
            function: &n.function,
            does: &n.does,
            alike: n.alike,
            in_ring: n.in_ring,
        };
        let edge = |e: &'a lastgasp_diagnosis::WaitEdge| WaitEdge {
            from: e.from,
            lock: &e.lock,
            address: (e.address != 0).then(|| format!("{:#x}", e.address)),
            to: e.to,
            sureness: e.sureness.name(),
        };
        Self { nodes: w.nodes.iter().map(node).collect(), edges: w.edges.iter().map(edge).collect() }
    }
}

/// The field `goroutines.tiers`.
#[derive(Debug, Serialize)]
pub(super) struct Tiers {
    proved: u64,
    suspect: u64,
    stalled: u64,
    immortal: u64,
    healthy: u64,
    blocked: u64,
}

/// The field `goroutines.onsets`.
#[derive(Debug, Serialize)]
pub(super) struct Onsets<'a> {
    goroutines_ms: u64,
    memory_ms: u64,
    goroutines_before: u64,
    goroutines_after: u64,
    order: &'static str,
    process_age_ms: Option<u64>,
    deaths_before: Option<u64>,
    grown_before: f64,
    consequence: bool,
    across: Option<Across<'a>>,
    sentence: &'a str,
}

/// The field `goroutines.onsets.across`.
#[derive(Debug, Serialize)]
struct Across<'a> {
    pid: i32,
    memory_at: Option<String>,
    died_at: Option<String>,
    goroutines_at: Option<String>,
    goroutines_at_onset: u64,
    goroutines_at_end: u64,
    culprit: Option<&'a str>,
}

/// The field `over_time` of a group.
#[derive(Debug, Serialize)]
struct OverTime {
    first: u64,
    since_ms: u64,
    now: u64,
    ms: u64,
    per_second: f64,
    per_minute: f64,
    steady: bool,
    started_per_second: Option<f64>,
    ended_per_second: Option<f64>,
}

/// The field `goroutines.leak`.
#[derive(Debug, Serialize)]
pub(super) struct Leak<'a> {
    goroutines: Option<u64>,
    seconds_to_full: Option<f64>,
    sentence: &'a str,
}

/// The field `goroutines.along`.
#[derive(Debug, Serialize)]
pub(super) struct Along {
    first: u64,
    last: u64,
    ms: u64,
    grows: bool,
    started: u64,
    started_per_second: Option<f64>,
}

fn blocked(facts: &Facts) -> Option<&facts::BlockedGoroutines> {
    facts.graph.as_ref()?.blocked.as_ref()
}

fn text(s: &str) -> Option<&str> {
    Some(s).filter(|s| !s.is_empty())
}

fn spot(s: &lastgasp_diagnosis::Spot) -> Spot<'_> {
    Spot { function: &s.function, file: &s.file, line: s.line }
}

fn holders(of: &[lastgasp_diagnosis::Holder]) -> Vec<Holder<'_>> {
    let named = of.iter().map(|h| Holder {
        goid: h.goroutine,
        function: &h.function,
        does: &h.does,
        sign: &h.sign,
        sureness: h.sureness.name(),
    });
    named.collect()
}

fn waits_on<'a>(facts: &'a Facts, index: usize) -> Vec<WaitsOn<'a>> {
    let Some(b) = blocked(facts) else { return Vec::new() };
    let waits = b.each.get(index).map(|g| g.waits.as_slice()).unwrap_or_default();
    waits.iter().take(MOST_WAITS).map(|w| wait(b, w)).collect()
}

fn wait<'a>(b: &'a facts::BlockedGoroutines, w: &'a facts::Wait) -> WaitsOn<'a> {
    let o = w.object.and_then(|i| b.objects.get(i as usize));
    let is_channel = o.is_some_and(|o| o.kind == facts::WaitObjectKind::Channel);
    let of_channel = o.filter(|_| is_channel);
    let d = o.and_then(|o| o.descriptor.as_ref());
    let referrer = |r: &'a facts::Referrer| Referrer {
        goid: Some(r.goroutine).filter(|id| *id != 0),
        place: r.place.name(),
        name: &r.name,
        can_run: r.can_run,
    };
    WaitsOn {
        operation: w.operation.name(),
        kind: o.map(|o| o.kind.name()),
        address: o.filter(|o| o.address != 0).map(|o| format!("{:#x}", o.address)),
        element_type: o.and_then(|o| text(&o.type_name)),
        way: o.and_then(|o| text(&o.way)),
        length: of_channel.map(|o| o.length),
        capacity: of_channel.map(|o| o.capacity),
        closed: of_channel.map(|o| o.closed),
        timer_period_ns: o.filter(|o| o.is_timer).map(|o| o.timer_period_ns),
        senders: of_channel.map(|o| o.senders),
        receivers: of_channel.map(|o| o.receivers),
        waiters: o.filter(|_| !is_channel).map(|o| o.waiters),
        missing_done: o.and_then(|o| o.missing_done),
        locked: o.and_then(|o| o.lock).map(|l| l.locked || l.writer || l.readers > 0),
        readers: o.filter(|o| o.kind == facts::WaitObjectKind::RwMutex).and_then(|o| o.lock).map(|l| l.readers),
        deadline: d.and_then(|d| d.has_deadline),
        deadline_in_ns: d.and_then(|d| d.deadline_in_ns),
        fd: d.and_then(|d| d.fd),
        what: d.and_then(|d| text(&d.what)),
        peer: d.and_then(|d| if d.peer_within { Some("this process") } else { text(&d.peer) }),
        connection_state: d.and_then(|d| text(&d.state)),
        receive_queue_bytes: d.and_then(|d| d.receive_queue),
        send_queue_bytes: d.and_then(|d| d.send_queue),
        reach: o.and_then(|o| text(o.reach.name())),
        referrers: o.map(|o| o.referrers.iter().take(MOST_REFERRERS).map(referrer).collect()).unwrap_or_default(),
    }
}

fn verdict<'a>(
    facts: &'a Facts,
    v: &'a lastgasp_diagnosis::GoroutineVerdict,
    all: &'a GoroutineVerdicts,
) -> Verdict<'a> {
    let g = blocked(facts).and_then(|b| b.each.get(v.blocked));
    let group = all.groups.get(v.group);
    Verdict {
        goid: v.id,
        tier: v.tier.name(),
        code: v.code,
        cause: &v.cause,
        sureness: v.sureness.name(),
        wake_up: g.map_or("", |g| g.wake_up.name()),
        woken_by: g.map_or("", |g| g.by.as_str()),
        waits_on: waits_on(facts, v.blocked),
        holders: holders(&v.holders),
        created_by: group.and_then(|g| g.created_by.as_ref()).map(spot),
        waits_in: group.and_then(|g| g.waits_in.as_ref()).map(spot),
        waited_ns_at_least: g.map_or(0, |g| g.waited_ns_at_least),
        retained_bytes: g.and_then(|g| g.retained_bytes),
        go_says_leaked: g.is_some_and(|g| g.go_says_leaked),
    }
}

/// The gravest first: those of the report are the ones that matter.
fn in_order(all: &GoroutineVerdicts) -> Vec<&lastgasp_diagnosis::GoroutineVerdict> {
    let mut order: Vec<_> = all.each.iter().collect();
    order.sort_by_key(|v| (v.tier, v.group, v.id));
    order
}

impl<'a> Verdict<'a> {
    pub(super) fn of(facts: &'a Facts, all: &'a GoroutineVerdicts) -> Vec<Self> {
        in_order(all).into_iter().take(MOST_IN_REPORT).map(|v| verdict(facts, v, all)).collect()
    }

    /// The verdict on one goroutine.
    pub(super) fn one(facts: &'a Facts, all: &'a GoroutineVerdicts, id: u64) -> Option<Self> {
        all.goroutine(id).map(|v| verdict(facts, v, all))
    }
}

impl<'a> VerdictGroup<'a> {
    pub(super) fn of(facts: &'a Facts, all: &'a GoroutineVerdicts) -> Vec<Self> {
        let one = |g: &'a lastgasp_diagnosis::VerdictGroup| Self {
            count: g.count,
            tier: g.tier.name(),
            code: g.code,
            cause: &g.cause,
            sureness: g.sureness.name(),
            created_by: g.created_by.as_ref().map(spot),
            starts: &g.starts,
            waits_in: g.waits_in.as_ref().map(spot),
            retained_bytes: g.retained_bytes,
            stack_bytes: g.stack_bytes,
            oldest_wait_ns: g.oldest_wait_ns,
            growing: g.growing,
            over_time: g.over_time.as_ref().map(OverTime::of),
            sentence: &g.sentence,
            cure: &g.cure,
            examples: &g.examples,
            waits_on: all.each.get(g.first).map(|v| waits_on(facts, v.blocked)).unwrap_or_default(),
            holders: holders(&g.holders),
            rivals: g.rivals.iter().map(Rival::of).collect(),
        };
        all.groups.iter().take(MOST_IN_REPORT).map(one).collect()
    }
}

impl Tiers {
    pub(super) fn of(all: &GoroutineVerdicts) -> Self {
        Self {
            proved: all.tiers.of(Tier::Proved),
            suspect: all.tiers.of(Tier::Suspect),
            stalled: all.tiers.of(Tier::Stalled),
            immortal: all.tiers.of(Tier::Immortal),
            healthy: all.tiers.of(Tier::Healthy),
            blocked: all.total,
        }
    }
}

impl<'a> Across<'a> {
    fn of(a: &'a lastgasp_diagnosis::Across) -> Self {
        let at = |ms: i64| Some(format!("{:.3}", jiff::Timestamp::from_millisecond(ms).ok()?));
        Self {
            pid: a.before.pid,
            memory_at: at(a.memory_unix_ms),
            died_at: at(a.before.died_unix_ms),
            goroutines_at: at(a.goroutines_unix_ms),
            goroutines_at_onset: a.before.goroutines_at_onset,
            goroutines_at_end: a.before.goroutines_at_end,
            culprit: a.before.culprit.as_deref(),
        }
    }
}

impl<'a> Onsets<'a> {
    pub(super) fn of(o: &'a lastgasp_diagnosis::Onsets) -> Self {
        Self {
            goroutines_ms: o.goroutines_ms,
            memory_ms: o.memory_ms,
            goroutines_before: o.before,
            goroutines_after: o.after,
            order: o.order.name(),
            process_age_ms: o.process_age_ms,
            deaths_before: o.deaths_before,
            grown_before: o.grown_before,
            consequence: o.consequence,
            across: o.across.as_ref().map(Across::of),
            sentence: &o.sentence,
        }
    }
}

impl OverTime {
    fn of(o: &lastgasp_diagnosis::OverTime) -> Self {
        Self {
            first: o.first,
            since_ms: o.since_ms,
            now: o.now,
            ms: o.ms,
            per_second: o.per_second(),
            per_minute: o.per_second() * 60.0,
            steady: o.steady,
            started_per_second: o.started_per_second,
            ended_per_second: o.ended_per_second,
        }
    }
}

impl<'a> Leak<'a> {
    pub(super) fn of(all: &'a GoroutineVerdicts) -> Option<Self> {
        let leak = all.leak.as_ref()?;
        Some(Self {
            goroutines: all.groups.get(leak.group).map(|g| g.count),
            seconds_to_full: leak.seconds_to_full,
            sentence: &leak.sentence,
        })
    }
}

impl Along {
    pub(super) fn of(facts: &Facts, a: &lastgasp_diagnosis::Along) -> Self {
        // Numbers are given in order, and never twice: the highest is about how many there have been.
        let started = facts.goroutines.list.each.iter().map(|g| g.id).max().unwrap_or(0);
        let rate = facts.age_ms().filter(|ms| *ms > 0 && started > 0).map(|ms| started as f64 * 1e3 / ms as f64);
        Self { first: a.first, last: a.last, ms: a.ms, grows: a.both_halves, started, started_per_second: rate }
    }
}

/// The file `goroutines.json`: every verdict up to a hundred thousand, the gravest first, with its groups;
/// `None` where no goroutine was followed.
#[must_use]
pub fn goroutines_file(facts: &Facts, all: &GoroutineVerdicts) -> Option<Value> {
    blocked(facts)?;
    let verdicts: Vec<Verdict<'_>> =
        in_order(all).into_iter().take(MOST_IN_FILE).map(|v| verdict(facts, v, all)).collect();
    Some(json!({
        "schema": "lastgasp.goroutines/1",
        "tiers": Tiers::of(all),
        "no_proof": all.no_proof,
        "verdicts": verdicts,
        "verdict_groups": VerdictGroup::of(facts, all),
    }))
}

/// The verdict on one goroutine (schema lastgasp.why/1); `None` where it is not blocked, or not known.
#[must_use]
pub(crate) fn goroutine_document(facts: &Facts, all: &GoroutineVerdicts, asked: &str, id: u64) -> Option<Value> {
    let verdict = Verdict::one(facts, all, id)?;
    let group = all.goroutine(id).and_then(|v| all.groups.get(v.group)).map(|g| g.count);
    Some(json!({"schema": "lastgasp.why/1", "asked": asked, "goroutine": verdict, "alike": group}))
}
