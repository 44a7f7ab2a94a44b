//! The decoders against a make-believe process whose layouts were typed in independently: whole, and damaged in every way that proptest thinks of.

use lastgasp_goruntime::{
    Evidence, EvidencePlan, Gap, Globals, GoVersion, ModuleData, Runtime, Status, Symbolizer, decode_goroutines, decode_profile, layout,
};
use lastgasp_inferior::{Addr, AddrRange, Memory};
use lastgasp_synth::{Flavour, FunctionSpec, Goroutine, Process, Record, Site};
use proptest::prelude::*;

const FUNCTIONS: &[FunctionSpec<'static>] = &[
    ("main.main", 10, 40, false, None),
    ("main.build", 20, 24, false, None),
    ("main.handle", 30, 120, false, Some("main.small")),
    ("runtime.gopark", 40, 16, false, None),
    ("runtime.goexit", 50, 0, true, None),
];

fn whole(flavour: Flavour) -> Process {
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
fn runtime(p: &Process, flavour: Flavour) -> Runtime {
    let at = p.at;
    let minor = if flavour == Flavour::Go22 { 22 } else { 27 };
    let module = ModuleData {
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

#[test]
fn a_whole_process_is_read_as_it_was_built() {
    for flavour in [Flavour::Go22, Flavour::Go27] {
        let p = whole(flavour);
        let rt = runtime(&p, flavour);
        let symbols = Symbolizer::new(&p, &rt.module, rt.layout);
        let mut gaps = Vec::new();

        let profile = decode_profile(&rt, &p, &mut gaps);
        assert_eq!(profile.buckets.len(), 2);
        let b = &profile.buckets[0];
        assert_eq!((profile.current(b).1.objects, profile.current(b).1.bytes), (12, 12 * 64));
        assert_eq!(profile.published(b).1.objects, 6);
        assert_eq!(profile.burst(b).objects, 1, "cycle 4: slot 0 takes new allocations");
        let names: Vec<String> = b.stack.iter().map(|pc| symbols.innermost(Addr(pc.0 - 1)).unwrap().function).collect();
        assert_eq!(names, ["main.build", "main.handle"]);

        let all = decode_goroutines(&rt, &p, &symbols, &[], &mut gaps);
        assert_eq!(gaps, []);
        assert_eq!(all.iter().map(|g| g.goid).collect::<Vec<_>>(), [1, 7, 8]);
        let stacks: Vec<Vec<&str>> = all.iter().map(|g| g.stack.iter().map(|f| f.function.as_str()).collect()).collect();
        assert_eq!(stacks[0], ["runtime.gopark", "main.main", "runtime.goexit"]);
        assert_eq!(stacks[1], ["main.build", "main.handle", "runtime.goexit"]);
        assert_eq!((all[0].wait_reason, all[1].status, all[2].status), ("IO wait", Status::Runnable, Status::Syscall));
        assert!(all.iter().all(|g| g.cut.is_none()));
        assert_eq!((all[0].stack[1].file.as_str(), all[0].stack[1].line), ("synth/main.go", 10));
    }
}

#[test]
fn inlined_calls_are_frames_of_their_own() {
    let p = whole(Flavour::Go22);
    let rt = runtime(&p, Flavour::Go22);
    let symbols = Symbolizer::new(&p, &rt.module, rt.layout);
    let second_half = Addr(p.at.text.0 + 2 * 64 + 40);
    let names: Vec<String> = symbols.frames(second_half).into_iter().map(|f| format!("{}:{}", f.function, f.line)).collect();
    assert_eq!(names, ["main.small:31", "main.handle:30"]);
}

/// Everything there is, over whatever stands in memory.
fn decode_all(rt: &Runtime, mem: &dyn Memory) -> Vec<Gap> {
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn damage_makes_gaps_and_never_a_panic(hits in proptest::collection::vec((any::<u32>(), any::<u8>()), 1..40), new: bool) {
        let flavour = if new { Flavour::Go27 } else { Flavour::Go22 };
        let mut p = whole(flavour);
        let rt = runtime(&p, flavour);
        p.damage(&hits);
        decode_all(&rt, &p);
    }

    /// Damage where it hurts most: the variables, bucket headers and goroutines themselves.
    #[test]
    fn hostile_pointers_end(word in any::<u64>(), slot in 0u64..6) {
        let flavour = Flavour::Go27;
        let mut p = whole(flavour);
        let rt = runtime(&p, flavour);
        let at = p.at.variables.0 + slot * 8;
        p.overwrite(Addr(at), word);
        decode_all(&rt, &p);
    }
}

/// A list that bites its own tail ends, and says so.
#[test]
fn a_ring_of_buckets_is_a_gap() {
    let mut p = whole(Flavour::Go22);
    let rt = runtime(&p, Flavour::Go22);
    let head = p.u64(p.at.mbuckets).unwrap();
    p.overwrite(Addr(head + 8), head);
    let mut gaps = Vec::new();
    assert_eq!(decode_profile(&rt, &p, &mut gaps).buckets.len(), 1);
    assert!(gaps[0].why.contains("does not end"), "{gaps:?}");
}
