//! A capture to its description, and back.

use std::collections::BTreeMap;

use lastgasp_goruntime::{
    BuildInfo, Counts, Gap, Globals, GoroutinesBySite, LargeObject, MemStats, Module, ModuleData, Runtime, SpanClass,
    SpanTable,
};
use lastgasp_inferior::{Addr, AddrRange, Arch, Mapping, Ranges, Resident, ThreadRegisters, Usage};

use super::census::census;
use super::raw::{Phase, RawCapture, Reason, Spans};
use super::stored::{
    SCHEMA, StoredBaseline, StoredBinary, StoredCharge, StoredEvent, StoredGap, StoredGauges, StoredGoroutineLook,
    StoredIdentity, StoredLargeObject, StoredLimit, StoredModuleData, StoredNeighbour, StoredNeighbours, StoredRange,
    StoredRegisters, StoredResident, StoredRuntime, StoredSample, StoredSetting, StoredSite, StoredSpanClass,
    StoredSpans, StoredStarted, StoredTable, StoredUsage, StoredV1, StoredVariable,
};
use crate::kernel::cgroup::Charge;
use crate::kernel::neighbours::{Neighbour, Neighbours};
use crate::target::baselines::{Baseline, BaselineHistory, SiteCounts};
use crate::target::goroutine_looks::{GoroutineLook, GoroutineLooks, MAX_GOROUTINE_LOOKS};
use crate::target::identity::Identity;
use crate::target::timeline::{Event, Sample, Timeline};

/// Most baselines that are read back: a history keeps fewer.
const MAX_BASELINES: usize = 64;

const PHASES: [(Phase, &str); 4] =
    [(Phase::PreKill, "pre-kill"), (Phase::PostKill, "post-kill"), (Phase::Manual, "manual"), (Phase::Core, "core")];
const REASONS: [(Reason, &str); 5] = [
    (Reason::Leak, "leak"),
    (Reason::Forecast, "forecast"),
    (Reason::OomKill, "oom-kill"),
    (Reason::Killed, "killed"),
    (Reason::Manual, "manual"),
];

impl Phase {
    /// Its name in captures.
    #[must_use]
    pub fn name(self) -> &'static str {
        PHASES.iter().find(|(p, _)| *p == self).map_or("", |(_, name)| name)
    }

    /// That of a name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        PHASES.iter().find(|(_, n)| *n == name).map(|(p, _)| *p)
    }
}

impl Reason {
    /// Its name in captures.
    #[must_use]
    pub fn name(self) -> &'static str {
        REASONS.iter().find(|(r, _)| *r == self).map_or("", |(_, name)| name)
    }

    /// That of a name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        REASONS.iter().find(|(_, n)| *n == name).map(|(r, _)| *r)
    }
}

/// All that is said of a capture beside its memory.
pub(super) fn describe(raw: &RawCapture) -> StoredV1 {
    let since_1970 = raw.at.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    StoredV1 {
        schema: SCHEMA.into(),
        lastgasp_version: env!("CARGO_PKG_VERSION").into(),
        phase: raw.phase.name().into(),
        reason: raw.reason.name().into(),
        taken_unix_ns: since_1970.as_nanos() as u64,
        t_ms: raw.t_ms,
        monotonic_ns: raw.monotonic_ns,
        stopped_ns: raw.stopped.as_nanos() as u64,
        bytes_copied: raw.bytes_copied,
        identity: identity(&raw.identity),
        runtime: runtime(&raw.runtime),
        binary: StoredBinary {
            build_id: raw.binary.build_id.clone(),
            stripped: raw.binary.stripped,
            bias: raw.binary.bias,
            entry: raw.binary.entry.0,
        },
        gaps: raw.evidence.gaps.iter().map(|g| StoredGap { what: g.what.clone(), why: g.why.clone() }).collect(),
        registers: raw.registers.iter().map(|r| StoredRegisters { tid: r.tid, sp: r.sp.0, pc: r.pc.0 }).collect(),
        usage: raw.usage.map(|(usage, t_ms)| {
            let Usage { rss, anon, file, shmem, swap, page_tables } = usage;
            StoredUsage { t_ms, rss, anon, file, shmem, swap, page_tables }
        }),
        gauges_at_usage: raw.gauges_at_usage.as_ref().map(gauges),
        age_ms: raw.age.map(|a| a.as_millis() as u64),
        neighbours: raw.neighbours.as_ref().map(|(n, t_ms)| neighbours(n, *t_ms)),
        spans: raw.spans.as_ref().map(spans),
        residency: raw.residency.as_ref().map(|all| all.iter().map(resident).collect()),
        residency_t_ms: raw.residency_t_ms,
        charge: raw.charge.map(|charge| {
            let Charge { usage, anon, file, shmem, page_tables, kernel } = charge;
            StoredCharge { usage, anon, file, shmem, page_tables, kernel }
        }),
        limit: raw.limit.as_ref().map(|(bytes, source)| StoredLimit { bytes: *bytes, source: source.clone() }),
        samples: raw.timeline.samples.iter().map(sample).collect(),
        events: raw
            .timeline
            .events
            .iter()
            .map(|e| StoredEvent { t_ms: e.t_ms, kind: e.kind.to_string(), text: e.text.clone() })
            .collect(),
        baselines: baselines(&raw.baselines),
        census: census(&raw.census),
        goroutine_looks: raw.timeline.goroutines.all().iter().map(goroutine_look).collect(),
        ..StoredV1::default()
    }
}

fn neighbours(n: &Neighbours, t_ms: u64) -> StoredNeighbours {
    let other = |n: &Neighbour| {
        let Neighbour { name, processes, children, pids, rss } = n.clone();
        StoredNeighbour { name, processes, children, pids, rss }
    };
    let others = n.others.iter().map(other).collect();
    StoredNeighbours { group: n.group.clone(), t_ms, others, rss: n.rss, not_seen: n.not_seen }
}

/// The other processes, and when they were looked at.
pub(super) fn restore_neighbours(n: &StoredNeighbours) -> (Neighbours, u64) {
    let other = |n: &StoredNeighbour| {
        let StoredNeighbour { name, processes, children, pids, rss } = n.clone();
        Neighbour { name, processes, children, pids, rss }
    };
    let others = n.others.iter().map(other).collect();
    (Neighbours { group: n.group.clone(), others, rss: n.rss, not_seen: n.not_seen }, n.t_ms)
}

fn identity(i: &Identity) -> StoredIdentity {
    let Identity { pid, service, cgroup, container, started_unix } = i.clone();
    StoredIdentity { pid, service, cgroup, container, started_unix }
}

/// Who was captured.
pub(super) fn restore_identity(i: &StoredIdentity) -> Identity {
    let StoredIdentity { pid, service, cgroup, container, started_unix } = i.clone();
    Identity { pid, service, cgroup, container, started_unix }
}

fn range(r: AddrRange) -> StoredRange {
    StoredRange { at: r.start.0, len: r.len() }
}

fn restore_range(r: &StoredRange) -> AddrRange {
    AddrRange::sized(Addr(r.at), r.len)
}

/// Ranges to their stored form.
pub(super) fn store_ranges(ranges: &Ranges) -> Vec<StoredRange> {
    ranges.as_slice().iter().copied().map(range).collect()
}

/// And back.
pub(super) fn restore_ranges(ranges: &[StoredRange]) -> Ranges {
    Ranges::union(ranges.iter().map(restore_range))
}

/// The variables by name.
fn variables(g: &Globals) -> [(&'static str, Addr); 10] {
    [
        ("mbuckets", g.mbuckets),
        ("mProfCycle", g.mprof_cycle),
        ("MemProfileRate", g.mem_profile_rate),
        ("allglen", g.allglen),
        ("allgptr", g.allgptr),
        ("allm", g.allm),
        ("mheap_", g.mheap),
        ("gcController", g.gc_controller),
        ("memstats", g.memstats),
        ("gcphase", g.gcphase),
    ]
}

fn runtime(rt: &Runtime) -> StoredRuntime {
    let table = |(at, count): (Addr, u64)| StoredTable { at: at.0, count };
    let m = &rt.module;
    let info = &rt.build_info;
    StoredRuntime {
        arch: rt.arch.name().into(),
        go_version: info.go_version.clone(),
        path: info.path.clone(),
        module_path: info.module.path.clone(),
        module_version: info.module.version.clone(),
        settings: info
            .settings
            .iter()
            .map(|(key, value)| StoredSetting { key: key.clone(), value: value.clone() })
            .collect(),
        module_data: StoredModuleData {
            at: m.at.0,
            pc_header: m.pc_header.0,
            funcnametab: table(m.funcnametab),
            cutab: table(m.cutab),
            filetab: table(m.filetab),
            pctab: table(m.pctab),
            pclntable: table(m.pclntable),
            ftab: table(m.ftab),
            pcs: range(m.pcs),
            text: m.text.0,
            gofunc: m.gofunc.0,
            types: range(m.types),
            variables: range(m.variables),
        },
        variables: variables(&rt.globals)
            .iter()
            .map(|(name, at)| StoredVariable { name: (*name).to_owned(), at: at.0 })
            .collect(),
    }
}

/// The runtime as it was located.
pub(super) fn restore_runtime(r: &StoredRuntime) -> Result<Runtime, String> {
    let table = |t: &StoredTable| (Addr(t.at), t.count);
    let m = &r.module_data;
    let module = ModuleData {
        at: Addr(m.at),
        pc_header: Addr(m.pc_header),
        funcnametab: table(&m.funcnametab),
        cutab: table(&m.cutab),
        filetab: table(&m.filetab),
        pctab: table(&m.pctab),
        pclntable: table(&m.pclntable),
        ftab: table(&m.ftab),
        pcs: restore_range(&m.pcs),
        text: Addr(m.text),
        gofunc: Addr(m.gofunc),
        types: restore_range(&m.types),
        variables: restore_range(&m.variables),
    };
    let at = |name: &str| {
        let found = r.variables.iter().find(|v| v.name == name).map(|v| Addr(v.at));
        found.filter(|a| module.variables.contains(*a)).ok_or_else(|| format!("it does not say where {name} stands"))
    };
    let globals = Globals {
        mbuckets: at("mbuckets")?,
        mprof_cycle: at("mProfCycle")?,
        mem_profile_rate: at("MemProfileRate")?,
        allglen: at("allglen")?,
        allgptr: at("allgptr")?,
        allm: at("allm")?,
        mheap: at("mheap_")?,
        gc_controller: at("gcController")?,
        memstats: at("memstats")?,
        gcphase: at("gcphase")?,
    };
    let build_info = BuildInfo {
        go_version: r.go_version.clone(),
        path: r.path.clone(),
        module: Module { path: r.module_path.clone(), version: r.module_version.clone() },
        settings: r.settings.iter().map(|s| (s.key.clone(), s.value.clone())).collect(),
    };
    let arch = Arch::of_name(&r.arch).ok_or_else(|| format!("the processor {:?} is not known here", r.arch))?;
    Runtime::restored(arch, build_info, module, globals).map_err(|e| e.to_string())
}

fn span_class(c: &SpanClass) -> StoredSpanClass {
    let SpanClass { elem_size, noscan, spans, span_bytes, objects, garbage } = *c;
    StoredSpanClass { elem_size, noscan, spans, span_bytes, objects, garbage }
}

fn restore_span_class(c: &StoredSpanClass) -> SpanClass {
    let StoredSpanClass { elem_size, noscan, spans, span_bytes, objects, garbage } = *c;
    SpanClass { elem_size, noscan, spans, span_bytes, objects, garbage }
}

fn spans(spans: &Spans) -> StoredSpans {
    let t = &spans.table;
    let [large_scan, large_noscan] = &t.large_total;
    let [large_scan_bytes, large_noscan_bytes] = t.large_bytes;
    let large = |o: &LargeObject| StoredLargeObject {
        count: o.count,
        bytes: o.bytes,
        noscan: o.noscan,
        type_at: o.type_at.map(|a| a.0),
        element: o.element.as_ref().map(|(name, _)| name.clone()),
        element_size: o.element.as_ref().map_or(0, |(_, size)| *size),
    };
    StoredSpans {
        running: spans.running,
        classes: t.classes.iter().map(span_class).collect(),
        large_scan: span_class(large_scan),
        large_noscan: span_class(large_noscan),
        large_scan_bytes,
        large_noscan_bytes,
        large: t.large.iter().map(large).collect(),
        large_left_out: t.large_left_out.0,
        large_left_out_bytes: t.large_left_out.1,
        large_garbage_bytes: t.large_garbage_bytes,
        manual_bytes: t.manual_bytes,
        arenas: t.arenas.iter().copied().map(range).collect(),
    }
}

/// The span table's sums.
pub(super) fn restore_spans(s: &StoredSpans) -> Spans {
    let large = |o: &StoredLargeObject| LargeObject {
        // Once they were stored one by one.
        count: o.count.max(1),
        bytes: o.bytes,
        noscan: o.noscan,
        type_at: o.type_at.map(Addr),
        element: o.element.as_ref().map(|name| (name.clone(), o.element_size)),
    };
    let table = SpanTable {
        classes: s.classes.iter().map(restore_span_class).collect(),
        large_total: [restore_span_class(&s.large_scan), restore_span_class(&s.large_noscan)],
        large_bytes: [s.large_scan_bytes, s.large_noscan_bytes],
        large: s.large.iter().map(large).collect(),
        large_left_out: (s.large_left_out, s.large_left_out_bytes),
        large_garbage_bytes: s.large_garbage_bytes,
        manual_bytes: s.manual_bytes,
        arenas: s.arenas.iter().map(restore_range).collect(),
    };
    Spans { table, running: s.running }
}

fn resident(r: &Resident) -> StoredResident {
    let m = &r.mapping;
    let letters = [(m.readable, 'r'), (m.writable, 'w'), (m.executable, 'x')];
    StoredResident {
        at: m.range.start.0,
        len: m.range.len(),
        access: letters.iter().filter(|(may, _)| *may).map(|(_, letter)| letter).collect(),
        offset: m.offset,
        inode: m.inode,
        path: m.path.clone(),
        rss: r.rss,
        anon: r.anon,
        huge: r.huge,
    }
}

/// A mapping.
pub(super) fn restore_resident(r: &StoredResident) -> Resident {
    let mapping = Mapping {
        range: AddrRange::sized(Addr(r.at), r.len),
        readable: r.access.contains('r'),
        writable: r.access.contains('w'),
        executable: r.access.contains('x'),
        offset: r.offset,
        inode: r.inode,
        path: r.path.clone(),
    };
    Resident { mapping, rss: r.rss, anon: r.anon, huge: r.huge }
}

/// A structure and its stored form, whose fields have the same names: one list for both directions.
macro_rules! same_fields {
    ($form:ident <=> $stored:ident, $store:ident, $restore:ident { $($field:ident),* $(,)? }) => {
        fn $store(of: &$form) -> $stored {
            let $form { $($field),* } = of.clone();
            $stored { $($field),* }
        }

        pub(super) fn $restore(of: &$stored) -> $form {
            let $stored { $($field),* } = of.clone();
            $form { $($field),* }
        }
    };
}

same_fields!(Sample <=> StoredSample, sample, restore_sample { t_ms, usage, rss, heap_live, goroutines, gc_cycles });

same_fields!(MemStats <=> StoredGauges, gauges, restore_gauges {
    gc_percent,
    memory_limit,
    heap_goal,
    heap_live,
    heap_marked,
    heap_in_use,
    heap_released,
    heap_free,
    total_alloc,
    total_free,
    mapped_ready,
    stacks,
    metadata,
    gc_cycles,
    last_gc_ns,
    gc_cpu_ppm,
    gc_phase,
    goroutine_slots,
});

/// The watch so far.
pub(super) fn restore_timeline(
    samples: &[StoredSample],
    events: &[StoredEvent],
    looks: &[StoredGoroutineLook],
) -> Timeline {
    let event = |e: &StoredEvent| Event { t_ms: e.t_ms, kind: e.kind.clone().into(), text: e.text.clone() };
    let mut timeline = Timeline::default();
    timeline.samples = samples.iter().map(restore_sample).collect();
    timeline.events = events.iter().map(event).collect();
    timeline.goroutines =
        GoroutineLooks::new(looks.iter().take(MAX_GOROUTINE_LOOKS).map(restore_goroutine_look).collect());
    timeline
}

fn goroutine_look(look: &GoroutineLook) -> StoredGoroutineLook {
    let GoroutinesBySite { slots, live, newest, one_in, ref sites, more } = look.seen;
    let sites = sites.iter().map(|(pc, count)| StoredStarted { pc: pc.0, count: *count }).collect();
    StoredGoroutineLook { t_ms: look.t_ms, slots, live, newest, one_in, sites, more }
}

fn restore_goroutine_look(look: &StoredGoroutineLook) -> GoroutineLook {
    let StoredGoroutineLook { t_ms, slots, live, newest, one_in, ref sites, more } = *look;
    let sites = sites.iter().map(|s| (Addr(s.pc), s.count)).collect();
    GoroutineLook { t_ms, seen: GoroutinesBySite { slots, live, newest, one_in, sites, more } }
}

fn site(s: &SiteCounts) -> StoredSite {
    StoredSite {
        at: s.addr.0,
        allocated_objects: s.allocated.objects,
        allocated_bytes: s.allocated.bytes,
        in_use_objects: s.in_use.objects,
        in_use_bytes: s.in_use.bytes,
    }
}

fn restore_site(s: &StoredSite) -> SiteCounts {
    SiteCounts {
        addr: Addr(s.at),
        allocated: Counts { objects: s.allocated_objects, bytes: s.allocated_bytes },
        in_use: Counts { objects: s.in_use_objects, bytes: s.in_use_bytes },
    }
}

/// Of each baseline what is not as it was at the one before: of minutes of a service's life little changes.
fn baselines(history: &BaselineHistory) -> Vec<StoredBaseline> {
    let mut before: BTreeMap<Addr, SiteCounts> = BTreeMap::new();
    let mut out = Vec::new();
    for look in (0..history.times().len()).filter_map(|i| history.look(i)) {
        let now: BTreeMap<Addr, SiteCounts> = look.sites.iter().map(|s| (s.addr, *s)).collect();
        let new = now.values().filter(|s| before.get(&s.addr) != Some(s)).map(site);
        let gone =
            before.keys().filter(|a| !now.contains_key(a)).map(|a| StoredSite { at: a.0, ..StoredSite::default() });
        let changed = new.chain(gone).collect();
        out.push(StoredBaseline { t_ms: look.t_ms, rate: look.rate, gauges: gauges(&look.gauges), changed });
        before = now;
    }
    out
}

/// The history of a target's profile.
pub(super) fn restore_baselines(stored: &[StoredBaseline]) -> BaselineHistory {
    let mut history = BaselineHistory::with_bytes(usize::MAX);
    let mut now: BTreeMap<Addr, SiteCounts> = BTreeMap::new();
    for look in stored.iter().take(MAX_BASELINES) {
        now.extend(look.changed.iter().map(|s| (Addr(s.at), restore_site(s))));
        now.retain(|_, s| s.allocated.objects > 0);
        let sites = now.values().copied().collect();
        history.push(Baseline { t_ms: look.t_ms, sites, rate: look.rate, gauges: restore_gauges(&look.gauges) });
    }
    history
}

/// What could not be copied.
pub(super) fn restore_gaps(gaps: &[StoredGap]) -> Vec<Gap> {
    gaps.iter().map(|g| Gap::new(g.what.clone(), g.why.clone())).collect()
}

/// Threads. Their general registers stand in the core's notes alone.
pub(super) fn restore_registers(registers: &[StoredRegisters], threads: &[ThreadRegisters]) -> Vec<ThreadRegisters> {
    let known: BTreeMap<_, _> = threads.iter().map(|t| ((t.tid, t.sp.0, t.pc.0), t.general)).collect();
    let general = |r: &StoredRegisters| known.get(&(r.tid, r.sp, r.pc)).copied().flatten();
    let all = registers.iter();
    all.map(|r| ThreadRegisters { general: general(r), ..ThreadRegisters::at(r.tid, Addr(r.sp), Addr(r.pc)) }).collect()
}

/// Memory use, and when it was read.
pub(super) fn restore_usage(u: &StoredUsage) -> (Usage, u64) {
    let StoredUsage { t_ms, rss, anon, file, shmem, swap, page_tables } = *u;
    (Usage { rss, anon, file, shmem, swap, page_tables }, t_ms)
}

/// What is charged to the cgroup.
pub(super) fn restore_charge(c: &StoredCharge) -> Charge {
    let StoredCharge { usage, anon, file, shmem, page_tables, kernel } = *c;
    Charge { usage, anon, file, shmem, page_tables, kernel }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn general_registers_are_those_of_the_same_thread_at_the_same_place() {
        let stored = |tid, sp| StoredRegisters { tid, sp, pc: 9 };
        let mut general = [0; 32];
        general[3] = 7;
        let of = |tid, sp| ThreadRegisters { general: Some(general), ..ThreadRegisters::at(tid, Addr(sp), Addr(9)) };
        let all = restore_registers(&[stored(1, 16), stored(2, 32), stored(3, 48)], &[of(2, 32), of(3, 40)]);
        let [first, second, third] = all[..] else { panic!("{all:?}") };
        assert_eq!((first.general, second, third.general), (None, of(2, 32), None));
    }

    /// Numbers that are all different, so that two fields that changed places are seen.
    struct Numbers(u64);

    impl Numbers {
        fn next(&mut self) -> u64 {
            self.0 += 1;
            self.0
        }
    }

    fn class(n: &mut Numbers) -> SpanClass {
        SpanClass {
            elem_size: n.next(),
            noscan: true,
            spans: n.next(),
            span_bytes: n.next(),
            objects: n.next(),
            garbage: n.next(),
        }
    }

    #[test]
    fn every_field_comes_back_in_its_place() {
        let n = &mut Numbers(0);
        let range = |n: &mut Numbers| AddrRange::sized(Addr(n.next() << 20), n.next());
        let table = SpanTable {
            classes: vec![class(n), class(n)],
            large_total: [class(n), class(n)],
            large_bytes: [n.next(), n.next()],
            large: vec![
                LargeObject { count: n.next(), bytes: n.next(), noscan: true, type_at: None, element: None },
                LargeObject {
                    count: n.next(),
                    bytes: n.next(),
                    noscan: false,
                    type_at: Some(Addr(n.next())),
                    element: Some(("main.T".into(), n.next())),
                },
            ],
            large_left_out: (n.next(), n.next()),
            large_garbage_bytes: n.next(),
            manual_bytes: n.next(),
            arenas: vec![range(n), range(n)],
        };
        let table = Spans { table, running: true };
        assert_eq!(restore_spans(&spans(&table)), table);
        for (readable, writable, executable) in [(true, false, true), (true, true, false), (false, false, false)] {
            let mapping = Mapping {
                range: range(n),
                readable,
                writable,
                executable,
                offset: n.next(),
                inode: n.next(),
                path: "/bin/service".into(),
            };
            let r = Resident { mapping, rss: n.next(), anon: n.next(), huge: n.next() };
            assert_eq!(restore_resident(&resident(&r)), r);
        }
        let g = MemStats {
            gc_percent: -1,
            memory_limit: Some(n.next()),
            heap_goal: None,
            heap_live: n.next(),
            heap_marked: n.next(),
            heap_in_use: n.next(),
            heap_released: n.next(),
            heap_free: n.next(),
            total_alloc: n.next(),
            total_free: n.next(),
            mapped_ready: n.next(),
            stacks: n.next(),
            metadata: n.next(),
            gc_cycles: n.next() as u32,
            last_gc_ns: n.next(),
            gc_cpu_ppm: Some(n.next() as u32),
            gc_phase: n.next() as u32,
            goroutine_slots: n.next(),
        };
        assert_eq!(restore_gauges(&gauges(&g)), g);
        let s = Sample {
            t_ms: n.next(),
            usage: n.next(),
            rss: n.next(),
            heap_live: n.next(),
            goroutines: n.next(),
            gc_cycles: n.next() as u32,
        };
        let e = StoredEvent { t_ms: n.next(), kind: "arm".into(), text: "pinned".into() };
        let seen = GoroutinesBySite {
            slots: n.next(),
            live: n.next(),
            newest: n.next(),
            one_in: n.next(),
            sites: vec![(Addr(n.next()), n.next())],
            more: true,
        };
        let look = GoroutineLook { t_ms: n.next(), seen };
        let restored = restore_timeline(&[sample(&s)], std::slice::from_ref(&e), &[goroutine_look(&look)]);
        assert_eq!(restored.samples, [s]);
        assert_eq!(restored.goroutines.all(), [look]);
        assert_eq!(
            (restored.events[0].t_ms, &*restored.events[0].kind, &*restored.events[0].text),
            (e.t_ms, "arm", "pinned")
        );
        let i = Identity {
            pid: 7,
            service: "s".into(),
            cgroup: "/c".into(),
            container: Some("k".into()),
            started_unix: n.next(),
        };
        assert_eq!(restore_identity(&identity(&i)), i);
        for (phase, name) in PHASES {
            assert_eq!((phase.name(), Phase::of_name(name)), (name, Some(phase)));
        }
        for (reason, name) in REASONS {
            assert_eq!((reason.name(), Reason::of_name(name)), (name, Some(reason)));
        }
    }

    proptest! {
        /// Whatever comes and goes between looks: each is as it was, and only what changed is written.
        #[test]
        fn every_baseline_comes_back(
            looks in proptest::collection::vec(proptest::collection::btree_map(1u64..12, 1u64..5, 0..8), 0..30),
        ) {
            let site = |(at, n): (&u64, &u64)| {
                let counts = |objects: u64| Counts { objects, bytes: objects * 16 };
                SiteCounts { addr: Addr(*at), allocated: counts(n * 2), in_use: counts(*n) }
            };
            let mut history = BaselineHistory::default();
            for (i, sites) in looks.iter().enumerate() {
                let sites = sites.iter().map(site).collect();
                let gauges = MemStats { heap_live: i as u64, ..MemStats::default() };
                history.push(Baseline { t_ms: i as u64 * 1000, sites, rate: 512 << 10, gauges });
            }
            let stored = baselines(&history);
            let again = restore_baselines(&stored);
            prop_assert_eq!(again.times(), history.times());
            for i in 0..history.times().len() {
                let sorted = |h: &BaselineHistory| {
                    let mut look = h.look(i).unwrap();
                    look.sites.sort_by_key(|s| s.addr);
                    (look.t_ms, look.rate, look.gauges, look.sites)
                };
                prop_assert_eq!(sorted(&again), sorted(&history));
            }
        }
    }
}
