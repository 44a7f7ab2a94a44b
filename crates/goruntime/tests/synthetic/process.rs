//! A make-believe process and the runtime that discovery would have found in it: for the tests here and the fuzz targets.

use lastgasp_goruntime::{
    Evidence, EvidencePlan, Gap, Globals, GoVersion, ModuleData, Runtime, Symbolizer, decode_goroutines,
    decode_profile, layout,
};
use lastgasp_inferior::{AddrRange, Memory};
use lastgasp_synth::{Flavour, FunctionSpec, Goroutine, Process, Record, Site};

const FUNCTIONS: &[FunctionSpec<'static>] = &[
    ("main.main", 10, 40, false, None),
    ("main.build", 20, 24, false, None),
    ("main.handle", 30, 120, false, Some("main.small")),
    ("runtime.gopark", 40, 16, false, None),
    ("runtime.goexit", 50, 0, true, None),
];

/// A small process with two sites and three goroutines that live.
pub fn whole(flavour: Flavour) -> Process {
    let record = |allocs, frees| Record { allocs, frees };
    let sites = [
        Site { stack: vec![1, 2], size: 64, active: record(10, 4), future: [record(1, 0), record(2, 1), record(4, 0)] },
        Site { stack: vec![2], size: 1024, active: record(3, 3), future: [record(0, 0); 3] },
    ];
    let goroutines = [
        Goroutine { goid: 1, status: 4, wait_reason: 2, stack: vec![3, 0, 4] },
        Goroutine { goid: 7, status: 1, wait_reason: 0, stack: vec![1, 2, 4] },
        Goroutine { goid: 8, status: 3, wait_reason: 0, stack: vec![2, 4] },
        Goroutine { goid: 9, status: 6, wait_reason: 0, stack: vec![] },
    ];
    Process::build(flavour, FUNCTIONS, &sites, &goroutines)
}

/// The runtime as discovery would have found it.
pub fn runtime(p: &Process, flavour: Flavour) -> Runtime {
    let at = p.at;
    let minor = if flavour == Flavour::Go22 { 22 } else { 27 };
    let module = ModuleData {
        types: AddrRange::default(),
        pc_header: at.funcnametab.0,
        funcnametab: at.funcnametab,
        cutab: at.cutab,
        filetab: at.filetab,
        pctab: at.pctab,
        pclntable: at.pclntable,
        ftab: at.ftab,
        pcs: AddrRange { start: at.text, end: at.etext },
        text: at.text,
        gofunc: at.gofunc,
        variables: AddrRange::sized(at.variables, 64),
    };
    let globals = Globals {
        mbuckets: at.mbuckets,
        mprof_cycle: at.mprof_cycle,
        mem_profile_rate: at.mem_profile_rate,
        allglen: at.allglen,
        allgptr: at.allgptr,
        allm: at.allm,
        ..Globals::default()
    };
    Runtime {
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
    decode_goroutines(rt, mem, &symbols, &[], &mut gaps);
    let mut plan = EvidencePlan::default();
    gaps.extend(plan.update(rt, mem));
    let mut copy = Evidence::with_room(rt, &plan, 8 << 20);
    copy.copy(rt, &plan, mem);
    copy.finish();
    gaps
}
