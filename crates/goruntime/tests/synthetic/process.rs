//! A make-believe process and the runtime that discovery would have found in it: for the tests here and the
//! fuzz targets.

use lastgasp_goruntime::{
    CopySource, Evidence, EvidencePlan, Extent, Gap, Globals, GoVersion, HeapObjects, MemStats, ModuleData,
    PointerReader, PointerVisitor, Runtime, SpanTable, Symbolizer, decode_goroutines, decode_profile, layout, waits,
};
use lastgasp_inferior::{Addr, AddrRange, Arch, Memory};
use lastgasp_synth::{Flavour, FunctionSpec, Goroutine, Process, Record, Site, Span, SpanState, Sweep, TypeSpec};

const FUNCTIONS: &[FunctionSpec<'static>] = &[
    ("main.main", 10, 40, false, None),
    ("main.build", 20, 24, false, None),
    ("main.handle", 30, 120, false, Some("main.small")),
    ("runtime.gopark", 40, 16, false, None),
    ("runtime.goexit", 50, 0, true, None),
    // Those that a stripped binary is read by.
    ("runtime.mProf_FlushLocked", 60, 8, false, None),
    ("runtime.mProf_Flush", 61, 8, false, None),
    ("runtime.mProf_Free", 62, 8, false, None),
    ("runtime.mProf_PostSweep", 63, 8, false, None),
    ("runtime.allocmcache", 64, 8, false, None),
    ("runtime.allocmcache.func1", 65, 8, false, None),
    ("runtime.forEachGRace", 66, 8, false, None),
    ("runtime.mexit", 67, 8, false, None),
    ("runtime.gcControllerCommit", 68, 8, false, None),
    ("runtime.(*mcache).allocLarge", 69, 8, false, None),
    ("runtime.gcSweep", 70, 8, false, None),
    ("runtime.freeSomeWbufs", 71, 8, false, None),
    ("runtime.markroot", 72, 8, false, None),
    ("runtime.queuefinalizer", 73, 8, false, None),
    ("runtime.(*activeSweep).end", 74, 8, false, None),
];

/// Labels: more than one bucket of an old map holds, so that one overflows.
pub const LABELS: &[(&str, &str)] =
    &[("request", "a"), ("tenant", "b"), ("empty", ""), ("route", "/users"), ("worker", "7")];

/// Types of large objects.
pub const TYPES: &[TypeSpec<'static>] = &[("main.block", 32768, true), ("[]*main.Order", 8, false)];

/// Spans of every kind.
pub const SPANS: &[Span] = {
    const SMALL: Span = Span {
        state: SpanState::InUse,
        size_class: 5,
        noscan: false,
        pages: 1,
        elem_size: 64,
        slots: 124,
        objects: 100,
        sweep: Sweep::Done,
        marked: 0,
        large_type: None,
    };
    const LARGE: Span = Span {
        size_class: 0,
        pages: 5,
        elem_size: 40960,
        slots: 1,
        objects: 1,
        large_type: Some(0),
        marked: 1,
        ..SMALL
    };
    &[
        SMALL,
        Span { objects: 3, ..SMALL },
        Span { sweep: Sweep::Due, objects: 50, marked: 20, ..SMALL },
        Span { sweep: Sweep::Cached, objects: 40, marked: 10, ..SMALL },
        // Over 512 bytes: marks beside the span in every release.
        Span {
            size_class: 32,
            noscan: true,
            elem_size: 1024,
            slots: 8,
            objects: 8,
            sweep: Sweep::Due,
            marked: 5,
            ..SMALL
        },
        LARGE,
        Span { pages: 16, elem_size: 131_072, large_type: Some(1), sweep: Sweep::Due, ..LARGE },
        Span { noscan: true, large_type: None, sweep: Sweep::Due, marked: 0, ..LARGE },
        Span { noscan: true, large_type: None, pages: 128, elem_size: 1 << 20, ..LARGE },
        Span { state: SpanState::Manual, pages: 4, ..SMALL },
        Span { state: SpanState::Dead, ..SMALL },
    ]
};

/// Types of objects that have one: of the first are those with headers.
pub const OBJECT_TYPES: &[TypeSpec<'static>] = &[("main.record", 256, false), ("main.block", 4096, true)];

/// Spans whose objects stand in memory: with their maps in the span, in the types that their headers name, in
/// the type that the span names.
pub const OBJECT_SPANS: &[Span] = {
    const SMALL: Span = Span {
        state: SpanState::InUse,
        size_class: 5,
        noscan: false,
        pages: 1,
        elem_size: 64,
        slots: 120,
        objects: 100,
        sweep: Sweep::Done,
        marked: 60,
        large_type: None,
    };
    &[
        SMALL,
        Span { sweep: Sweep::Due, objects: 50, marked: 20, ..SMALL },
        Span { noscan: true, ..SMALL },
        Span { size_class: 32, elem_size: 1024, slots: 8, objects: 6, marked: 6, ..SMALL },
        Span {
            size_class: 0,
            pages: 5,
            elem_size: 40960,
            slots: 1,
            objects: 1,
            marked: 1,
            large_type: Some(1),
            ..SMALL
        },
    ]
};

/// The process, with objects.
pub fn with_objects(flavour: Flavour) -> Process {
    let mut p = Process::build(flavour, FUNCTIONS, &[], &[Goroutine { goid: 1, status: 4, ..Goroutine::default() }]);
    p.with_objects(flavour, OBJECT_SPANS, OBJECT_TYPES);
    p.with_module(flavour);
    p
}

/// Adds up what the heap's objects point to.
#[derive(Default)]
pub struct Pointers {
    pub pointers: u64,
    pub types: u64,
}

impl PointerVisitor for Pointers {
    fn object_type(&mut self, _object: u32, _type_at: Addr) {
        self.types += 1;
    }

    fn pointer(&mut self, _object: u32, _offset: u64, _to: Addr) {
        self.pointers += 1;
    }
}

/// Objects and pointers, over whatever stands in memory.
pub fn decode_objects(rt: &Runtime, mem: &dyn Memory) -> Vec<Gap> {
    let mut gaps = Vec::new();
    let Some(heap) = HeapObjects::read(rt, mem, &mut gaps) else { return gaps };
    let mut reader = PointerReader::new(rt, mem, &heap);
    reader.read_all(&mut Pointers::default());
    for object in heap.iter().step_by(37) {
        let _ = (heap.get(object.number), heap.find(object.start.plus(object.size / 2)));
        let _ = reader.of(object.number);
    }
    reader.finish(&mut gaps);
    gaps
}

/// A small process with two sites and three goroutines that live.
pub fn whole(flavour: Flavour) -> Process {
    let record = |allocs, frees| Record { allocs, frees };
    let sites = [
        Site { stack: vec![1, 2], size: 64, active: record(10, 4), future: [record(1, 0), record(2, 1), record(4, 0)] },
        Site { stack: vec![2], size: 1024, active: record(3, 3), future: [record(0, 0); 3] },
    ];
    let goroutines = [
        Goroutine { goid: 1, status: 4, wait_reason: 2, stack: vec![3, 0, 4], ..Goroutine::default() },
        Goroutine {
            goid: 7,
            status: 1,
            wait_reason: 0,
            stack: vec![1, 2, 4],
            labels: LABELS.to_vec(),
            ancestors: vec![(5, vec![0, 2]), (1, vec![1])],
        },
        Goroutine {
            goid: 8,
            status: 3,
            wait_reason: 0,
            stack: vec![2, 4],
            labels: vec![("request", "a")],
            ..Goroutine::default()
        },
        Goroutine { goid: 9, status: 6, ..Goroutine::default() },
    ];
    let mut p = Process::build(flavour, FUNCTIONS, &sites, &goroutines);
    p.with_heap(flavour, SPANS, TYPES);
    p.with_module(flavour);
    p
}

/// The runtime as discovery would have found it.
pub fn runtime(p: &Process, flavour: Flavour) -> Runtime {
    let at = p.at;
    let minor = if flavour == Flavour::Go22 { 22 } else { 27 };
    let module = ModuleData {
        at: Process::module_data(),
        types: AddrRange::sized(at.types.0, at.types.1),
        pc_header: at.pc_header,
        funcnametab: at.funcnametab,
        cutab: at.cutab,
        filetab: at.filetab,
        pctab: at.pctab,
        pclntable: at.pclntable,
        ftab: at.ftab,
        pcs: AddrRange { start: at.text, end: at.etext },
        text: at.text,
        gofunc: at.gofunc,
        variables: AddrRange::sized(at.variables, 0x2_0000),
    };
    let globals = Globals {
        mbuckets: at.mbuckets,
        mprof_cycle: at.mprof_cycle,
        mem_profile_rate: at.mem_profile_rate,
        allglen: at.allglen,
        allgptr: at.allgptr,
        allm: at.allm,
        mheap: at.mheap,
        gc_controller: at.gc_controller,
        memstats: at.memstats,
        gcphase: at.gcphase,
    };
    Runtime {
        arch: Arch::Amd64,
        version: GoVersion { minor, text: format!("go1.{minor}.0") },
        build_info: Default::default(),
        layout: layout::for_minor(minor).unwrap(),
        module,
        globals,
    }
}

/// Everything there is, over whatever stands in memory.
pub fn decode_all(rt: &Runtime, mem: &dyn Memory) -> Vec<Gap> {
    let mut gaps = Vec::new();
    let symbols = Symbolizer::new(mem, &rt.module, rt.layout);
    let profile = decode_profile(rt, mem, &mut gaps);
    for b in &profile.buckets {
        let _ = (profile.current(b), profile.published(b), profile.burst(b));
        for pc in &b.stack {
            let _ = symbols.frames(*pc);
        }
    }
    let goroutines = decode_goroutines(rt, mem, &symbols, &[], &mut gaps);
    // What it stumbles over is a gap of its own.
    drop(waits::waiting(rt, mem, &symbols, &goroutines, &mut Vec::new()));
    if let Some(mut table) = SpanTable::read(rt, mem, &mut gaps) {
        table.name_types(rt, mem);
    }
    let _ = MemStats::read(rt, mem);
    let mut plan = EvidencePlan::default();
    gaps.extend(plan.update(rt, mem));
    let source = CopySource { runtime: rt, plan: &plan, mem, registers: &[] };
    let mut copy = Evidence::with_room(&source, Extent::Whole, 8 << 20);
    copy.copy(&source, Extent::Whole);
    copy.finish();
    gaps
}
