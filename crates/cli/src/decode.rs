//! From the bytes of a capture to facts: all decoding happens here, with the target running again or dead.

mod memory;

use std::collections::BTreeMap;
use std::collections::{HashMap, HashSet};
use std::time::Instant;

use lastgasp_diagnosis::facts::{
    Amount, Capture, Event, Facts, Frame, Gc, Goroutines, Group, Profile, Rss, SCHEMA, Sample, Site, Target, Timeline,
};
use lastgasp_goruntime::{
    Call, Counts, Gap, Gauges, Goroutine, LabelSalt, MemProfile, Status, Symbolizer, decode_all_goroutines,
    decode_profile, is_system, unsample, variance,
};
use lastgasp_inferior::{Addr, AddrRange, BlockCache, Layered, Memory};
use lastgasp_recorder::take::{Phase, Reason, Taken};
use lastgasp_recorder::target::{Baseline, SiteCounts};

/// What decoding gives: facts, and the goroutines one by one for `goroutines.txt`.
pub(crate) struct Decoded {
    pub(crate) facts: Facts,
    pub(crate) goroutines: Vec<Goroutine>,
    /// Where the target's code stands.
    pub(crate) code: AddrRange,
    /// Its Go 1.`minor`.
    pub(crate) minor: u16,
    /// `CLOCK_MONOTONIC` of the copy.
    pub(crate) monotonic_ns: u64,
    /// Nanoseconds since 1970.
    pub(crate) unix_ns: i64,
}

/// Frames by index.
#[derive(Default)]
struct Frames {
    list: Vec<Frame>,
    index: HashMap<lastgasp_goruntime::Frame, u32>,
}

impl Frames {
    fn of(&mut self, f: &lastgasp_goruntime::Frame) -> u32 {
        if let Some(i) = self.index.get(f) {
            return *i;
        }
        let i = self.list.len() as u32;
        self.list.push(Frame { function: f.function.clone(), file: f.file.clone(), line: f.line });
        self.index.insert(f.clone(), i);
        i
    }
}

/// Decodes what was taken.
pub(crate) fn decode(taken: &Taken) -> Decoded {
    let started = Instant::now();
    let mut gaps = taken.evidence.gaps.clone();
    let rt = &taken.runtime;
    let mem = &taken.evidence.snapshot;
    let file = taken.loaded.image.memory(taken.loaded.bias, &rt.constant_ranges());
    let constants: Box<dyn Memory> = match file {
        Ok(file) => Box::new(BlockCache::new(Layered { top: file, bottom: mem })),
        Err(e) => {
            gaps.push(Gap::new("symbols", e.to_string()));
            Box::new(mem)
        }
    };
    let symbols = Symbolizer::new(&*constants, &rt.module, rt.layout);
    let mut frames = Frames::default();
    let profile = decode_profile(rt, mem, &mut gaps);
    let gauges = Gauges::read(rt, mem).unwrap_or_else(|e| {
        gaps.push(Gap::new("gauges", e.to_string()));
        Gauges::default()
    });
    let goroutines = decode_all_goroutines(rt, mem, &symbols, &taken.registers, &LabelSalt::default(), &mut gaps);
    let timeline = timeline(taken);
    let baseline = choose_baseline(taken, &timeline);
    let baseline = baseline.as_ref();
    // Found in its first milliseconds, with a rate of 0 for the moment (seen with Go 1.19) and no samples: nothing is mixed.
    let unborn = |b: &Baseline| b.rate == 0 && b.sites.is_empty();
    if let Some(then) = baseline.filter(|b| b.rate != profile.rate && !unborn(b)) {
        // Counts of both rates are mixed in each bucket, and nobody can tell them apart.
        let why =
            format!("the program changed MemProfileRate from {} to {} while it was watched", then.rate, profile.rate);
        gaps.push(Gap::new("exact un-sampling", why));
    }
    let mut facts = Facts {
        schema: SCHEMA.into(),
        capture: capture(taken),
        target: target(taken),
        profile: sites(&profile, baseline, &symbols, &mut frames),
        goroutines: Goroutines { dead: goroutines.dead, ..group(&goroutines.live, &mut frames) },
        gc: gc(&gauges),
        rss: taken.usage.map(|(u, t)| Rss {
            as_of_ms: t,
            rss: u.rss,
            anon: u.anon,
            file: u.file,
            shmem: u.shmem,
            swap: u.swap,
            page_tables: u.page_tables,
        }),
        heap: taken.spans.as_ref().map(memory::heap),
        residency: memory::residency(taken),
        charge: taken.charge.map(memory::charge),
        timeline,
        feeds: Vec::new(),
        frames: Vec::new(),
    };
    facts.frames = frames.list;
    // Copying and decoding stumble over the same.
    let mut said = HashSet::new();
    gaps.retain(|g| said.insert((g.what.clone(), g.why.clone())));
    facts.capture.gaps = gaps.into_iter().map(|g| (g.what, g.why)).collect();
    tracing::debug!(us = started.elapsed().as_micros() as u64, sites = facts.profile.sites.len(), "decoded");
    let unix_ns = taken.at.duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_nanos() as i64);
    let monotonic_ns = taken.monotonic_ns.unwrap_or_else(|| latest_known(&gauges, &goroutines.live));
    Decoded { facts, goroutines: goroutines.live, code: rt.module.pcs, minor: rt.layout.minor, monotonic_ns, unix_ns }
}

/// The latest time that the runtime itself has noted: what a core file has instead of a clock. Waits are then counted up to the last GC.
fn latest_known(gauges: &Gauges, goroutines: &[Goroutine]) -> u64 {
    let waits = goroutines.iter().map(|g| g.wait_since_ns.unsigned_abs());
    waits.chain([gauges.last_gc_ns]).max().unwrap_or(0)
}

fn capture(taken: &Taken) -> Capture {
    let phase = match taken.phase {
        Phase::PreKill => "pre-kill",
        Phase::PostKill => "post-kill",
        Phase::Manual => "manual",
        Phase::Core => "core",
    };
    let reason = match taken.reason {
        Reason::Forecast => "forecast",
        Reason::OomKill => "oom-kill",
        Reason::Killed => "killed",
        Reason::Manual => "manual",
    };
    let taken_at = jiff::Timestamp::try_from(taken.at).map(|t| format!("{t:.3}")).unwrap_or_default();
    Capture {
        phase: phase.into(),
        reason: reason.into(),
        taken_at,
        t_ms: taken.t_ms,
        stopped_ns: taken.stopped.as_nanos() as u64,
        bytes_copied: taken.evidence.snapshot.len() as u64,
        gaps: Vec::new(),
        lastgasp_version: env!("CARGO_PKG_VERSION").into(),
        kernel: std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().into(),
    }
}

fn target(taken: &Taken) -> Target {
    let info = &taken.runtime.build_info;
    let setting = |k: &str| info.setting(k).unwrap_or_default().to_owned();
    let revision = setting("vcs.revision");
    let image = &taken.loaded.image;
    Target {
        pid: taken.identity.pid,
        service: taken.identity.service.clone(),
        go_version: taken.runtime.version.text.clone(),
        layout: format!("go1.{} (from {})", taken.runtime.layout.minor, taken.runtime.layout.source),
        module: (info.module.path.clone(), info.module.version.clone()),
        vcs: (!revision.is_empty()).then(|| (revision, setting("vcs.time"), setting("vcs.modified"))),
        build_id: image.build_id().map(str::to_owned),
        stripped: image.is_stripped(),
        cgroup: taken.identity.cgroup.clone(),
        container: taken.identity.container.clone(),
        limit_bytes: taken.limit.as_ref().map(|l| l.0),
        limit_source: taken.limit.as_ref().map(|l| l.1.clone()),
        started_unix: taken.identity.started_unix,
    }
}

fn timeline(taken: &Taken) -> Timeline {
    let sample = |s: &lastgasp_recorder::sampler::Sample| Sample {
        t_ms: s.t_ms,
        usage_bytes: s.usage,
        rss_bytes: s.rss,
        heap_live_bytes: s.heap_live,
        goroutines: s.goroutines,
        gc_cycles: s.gc_cycles,
    };
    Timeline {
        samples: taken.timeline.samples.iter().map(sample).collect(),
        events: taken
            .timeline
            .events
            .iter()
            .map(|e| Event { t_ms: e.t_ms, kind: e.kind.into(), text: e.text.clone() })
            .collect(),
    }
}

/// The look nearest to when the growth began, hardly later than that; the first there is if all came later.
fn choose_baseline(taken: &Taken, timeline: &Timeline) -> Option<Baseline> {
    let facts = Facts { timeline: timeline.clone(), ..Facts::default() };
    let (onset, latest) = match lastgasp_diagnosis::window(&facts) {
        Some(w) => (w.onset_ms, w.onset_ms + (w.end_ms - w.onset_ms) / 20),
        None => (taken.t_ms, taken.t_ms),
    };
    let times = taken.flight.times();
    let early = times.iter().enumerate().filter(|(_, t)| **t <= latest);
    taken.flight.look(early.min_by_key(|(_, t)| t.abs_diff(onset)).map_or(0, |(i, _)| i))
}

/// One site per visible stack: buckets that differ only in size class or in the runtime's own frames are one place to a reader.
fn sites(profile: &MemProfile, baseline: Option<&Baseline>, symbols: &Symbolizer<'_>, frames: &mut Frames) -> Profile {
    let before: HashMap<Addr, SiteCounts> =
        baseline.map(|b| b.sites.iter().map(|s| (s.addr, *s)).collect()).unwrap_or_default();
    let amount = |raw: Counts| {
        let c = unsample(raw, profile.rate);
        Amount { bytes: c.bytes, objects: c.objects }
    };
    let mut by_stack: BTreeMap<Vec<u32>, (Site, f64)> = BTreeMap::new();
    for b in &profile.buckets {
        let (allocated, current) = profile.current(b);
        let (published_allocated, published) = profile.published(b);
        let stack = visible(&b.stack, symbols);
        let stack: Vec<u32> = stack.iter().map(|f| frames.of(f)).collect();
        let (site, spread) = by_stack.entry(stack).or_default();
        site.current = site.current.plus(amount(current));
        site.allocated = site.allocated.plus(amount(allocated));
        site.published = site.published.plus(amount(published));
        site.published_allocated = site.published_allocated.plus(amount(published_allocated));
        site.burst = site.burst.plus(amount(profile.burst(b)));
        let then = before.get(&b.addr).copied().unwrap_or_default();
        site.baseline = site.baseline.plus(amount(then.in_use));
        site.baseline_allocated = site.baseline_allocated.plus(amount(then.allocated));
        site.samples += current.objects;
        *spread += variance(current, profile.rate);
    }
    let mut sites: Vec<Site> = by_stack
        .into_iter()
        .map(|(stack, (s, spread))| Site { stack, error_bytes: spread.sqrt() as u64, ..s })
        .collect();
    // Stable: equal amounts keep the order of their stacks.
    sites.sort_by_key(|s| std::cmp::Reverse(s.current.bytes));
    Profile {
        rate: profile.rate,
        baseline_t_ms: baseline.map(|b| b.t_ms),
        baseline_gc: baseline.map(|b| gc(&b.gauges)),
        sites,
    }
}

/// Where every goroutine's stack ends: it says nothing, and pprof leaves it out (`allFrames` in runtime/pprof/proto.go). Seen against real programs'
/// own profiles (`cargo xtask real`).
fn is_bottom(f: &lastgasp_goruntime::Frame) -> bool {
    f.function == "runtime.goexit"
}

/// The frames of an allocation stack, the runtime's own at the top left out as pprof does (`hideRuntime`), unless there are no others.
fn visible(stack: &[Addr], symbols: &Symbolizer<'_>) -> Vec<lastgasp_goruntime::Frame> {
    // pprof asks who stands at the return address, not at the call before it: where inlined code of another package follows the call, it stops hiding there.
    // Seen in nats-server (`itabsinit`, Go 1.27; `cargo xtask real`).
    let hidden = |pc: &Addr| {
        symbols
            .innermost(*pc)
            .is_some_and(|f| f.function.starts_with("runtime.") || f.function.starts_with("internal/runtime/"))
    };
    let first = stack.iter().position(|pc| !hidden(pc)).unwrap_or(0);
    let shown = logical(stack.get(first..).unwrap_or_default(), symbols);
    if shown.is_empty() { logical(stack, symbols) } else { shown }
}

/// Return addresses to frames.
fn logical(stack: &[Addr], symbols: &Symbolizer<'_>) -> Vec<lastgasp_goruntime::Frame> {
    let call = |pc: &Addr| Addr(pc.0.saturating_sub(1));
    let Some((last, above)) = stack.split_last() else { return Vec::new() };
    let above = above.iter().filter_map(|pc| symbols.innermost(call(pc)));
    // A stack deeper than the runtime keeps may end within a function that was inlined: those around it are known all the same, and pprof shows them. Seen in
    // caddy's deep regexps (`cargo xtask real`).
    above.chain(symbols.frames(call(last))).filter(|f| !is_bottom(f)).collect()
}

/// What goroutines of a group have in common.
type Key = (Vec<u32>, &'static str, &'static str, Option<u32>, bool);

/// Goroutines whose stacks were left out of the copy count with those like them; `decode_all_goroutines` has said so.
fn group(goroutines: &[Goroutine], frames: &mut Frames) -> Goroutines {
    let mut groups: BTreeMap<Key, u64> = BTreeMap::new();
    // Goroutines that do the same share one list of calls.
    let mut known: HashMap<*const Call, Vec<u32>> = HashMap::new();
    let mut out = Goroutines::default();
    for g in goroutines {
        out.stack_bytes = out.stack_bytes.saturating_add(g.stack_bytes);
        if is_system(g) {
            continue;
        }
        out.total += 1;
        out.running += u64::from(g.status == Status::Running);
        let stack = known
            .entry(g.stack.as_ptr())
            .or_insert_with(|| g.calls().filter(|c| !is_bottom(&c.frame)).map(|c| frames.of(&c.frame)).collect());
        let created = g.created_by.as_ref().map(|c| frames.of(&c.frame));
        *groups.entry((stack.clone(), g.status.name(), g.wait_reason, created, g.approximate)).or_default() += 1;
    }
    out.groups = groups
        .into_iter()
        .map(|((stack, state, reason, created_by, approximate), count)| Group {
            count,
            state: state.into(),
            wait_reason: reason.into(),
            stack,
            created_by,
            approximate,
        })
        .collect();
    out.groups.sort_by_key(|g| std::cmp::Reverse(g.count));
    out
}

fn gc(g: &Gauges) -> Gc {
    Gc {
        cycles: g.gc_cycles,
        percent: g.gc_percent,
        memory_limit: g.memory_limit,
        heap_live: g.heap_live,
        heap_marked: g.heap_marked,
        heap_goal: g.heap_goal,
        heap_in_use: g.heap_in_use,
        heap_free: g.heap_free,
        heap_released: g.heap_released,
        stacks: g.stacks,
        metadata: g.metadata,
        phase: g.gc_phase,
    }
}
