//! The decoders against a real Go program that knows its own numbers (`lab/oracle`), for several Go versions and link modes. Skips a version loudly when
//! its toolchain can neither be found nor fetched.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use std::collections::BTreeMap;

use anyhow::Result;
use lastgasp_goruntime::{
    Evidence, EvidencePlan, Frame, Gauges, Goroutine, Runtime, Status, Symbolizer, decode_goroutines, decode_profile,
    is_system,
};
use lastgasp_inferior::{Addr, BlockCache, Layered, LiveProcess, Memory};
use lastgasp_lab::build::{Mode, cache_dir};
use lastgasp_lab::toolchain::find_or_fetch;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Truth {
    version: String,
    rate: u64,
    profile: Vec<Record>,
    goroutines: String,
    #[serde(rename = "NumGC")]
    num_gc: u32,
    heap_alloc: u64,
    #[serde(rename = "GCPercent")]
    gc_percent: i32,
    unpublished: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Record {
    alloc_objects: u64,
    alloc_bytes: u64,
    free_objects: u64,
    free_bytes: u64,
    stack: Option<Vec<String>>,
}

struct Oracle {
    process: lastgasp_lab::oracle::Oracle,
    truth: Truth,
}

impl Oracle {
    fn start(minor: u16, mode: Mode) -> Result<Self> {
        let process = lastgasp_lab::oracle::Oracle::start(&find_or_fetch(minor, &cache_dir())?, mode)?;
        let truth = serde_json::from_slice(&process.truth()?)?;
        Ok(Self { process, truth })
    }
}

fn frame_line(f: &Frame) -> String {
    format!("{} {}:{}", f.function, f.file, f.line)
}

/// Everything that the decoders say, from a copy alone (the process is not asked again).
fn check(minor: u16, mode: Mode) {
    let oracle = match Oracle::start(minor, mode) {
        Ok(o) => o,
        Err(e) => {
            eprintln!("SKIPPED: Go 1.{minor} {}: {e:#}", mode.name());
            assert!(e.to_string().contains("no Go 1."), "only a missing toolchain may skip: {e:#}");
            return;
        }
    };
    let truth = &oracle.truth;
    let live = LiveProcess::open(oracle.process.pid()).unwrap();
    let rt = Runtime::discover(live.image(), live.bias(), &live).unwrap();
    assert_eq!(rt.version.text, truth.version);
    assert_eq!(live.image().is_stripped(), mode != Mode::Plain);

    let mut plan = EvidencePlan::default();
    assert_eq!(plan.update(&rt, &live), []);
    let mut evidence = Evidence::with_room(&rt, &plan, 64 << 20);
    evidence.copy(&rt, &plan, &live);
    evidence.finish();
    assert_eq!(evidence.gaps, []);

    let file = live.image().memory(live.bias(), &rt.constant_ranges()).unwrap();
    let constants = BlockCache::new(Layered { top: file, bottom: &evidence.snapshot });
    let symbols = Symbolizer::new(&constants, &rt.module, rt.layout);
    profile_is_equal(&rt, &evidence.snapshot, &symbols, truth);
    goroutines_are_equal(&rt, &evidence.snapshot, &symbols, truth);

    let gauges = Gauges::read(&rt, &evidence.snapshot).unwrap();
    assert_eq!(gauges.gc_cycles, truth.num_gc);
    assert_eq!(gauges.gc_percent, truth.gc_percent);
    let off = gauges.heap_live.abs_diff(truth.heap_alloc) as f64 / truth.heap_alloc as f64;
    assert!(off < 0.02, "heap_live {} against {}", gauges.heap_live, truth.heap_alloc);
}

/// Published: every record of runtime.MemProfile, to the object. Current: what was allocated after the last GC shows, un-sampled, within 20 %.
fn profile_is_equal(rt: &Runtime, mem: &dyn Memory, symbols: &Symbolizer<'_>, truth: &Truth) {
    let mut gaps = Vec::new();
    let profile = decode_profile(rt, mem, &mut gaps);
    assert_eq!(gaps, []);
    assert_eq!(profile.rate, truth.rate);
    let stack = |pcs: &[Addr]| -> Vec<String> {
        let frames = pcs.iter().filter_map(|pc| symbols.innermost(Addr(pc.0 - 1)));
        frames.map(|f| frame_line(&f)).collect()
    };
    let mut ours: BTreeMap<Vec<String>, [u64; 4]> = BTreeMap::new();
    let mut unpublished = 0;
    for b in &profile.buckets {
        let (alloc, in_use) = profile.published(b);
        let lines = stack(&b.stack);
        if lines.iter().any(|l| l.starts_with("main.unpublished ")) {
            assert_eq!(alloc.objects, 0, "nothing of it is published yet");
            unpublished += lastgasp_goruntime::unsample(profile.current(b).1, profile.rate).bytes;
        }
        let sum = ours.entry(lines).or_default();
        for (s, v) in
            sum.iter_mut().zip([alloc.objects, alloc.bytes, alloc.objects - in_use.objects, alloc.bytes - in_use.bytes])
        {
            *s += v;
        }
    }
    let mut theirs: BTreeMap<Vec<String>, [u64; 4]> = BTreeMap::new();
    for r in &truth.profile {
        let sum = theirs.entry(r.stack.clone().unwrap_or_default()).or_default();
        for (s, v) in sum.iter_mut().zip([r.alloc_objects, r.alloc_bytes, r.free_objects, r.free_bytes]) {
            *s += v;
        }
    }
    ours.retain(|_, v| v[0] > 0);
    theirs.retain(|_, v| v[0] > 0);
    assert_eq!(ours, theirs);
    assert!(theirs.len() >= 3, "the oracle planted more than that");
    let off = unpublished.abs_diff(truth.unpublished) as f64 / truth.unpublished as f64;
    assert!(off < 0.2, "unpublished: {unpublished} against {}", truth.unpublished);
}

/// goroutine number -> (state, frames as "function file:line").
fn parse_stacks(text: &str) -> BTreeMap<u64, (String, Vec<String>)> {
    let mut out = BTreeMap::new();
    for block in text.split("\n\n") {
        let mut lines = block.lines();
        let Some(head) = lines.next().and_then(|l| l.strip_prefix("goroutine ")) else {
            continue;
        };
        let (id, state) = head.split_once(" [").unwrap();
        let mut frames = Vec::new();
        while let (Some(call), Some(at)) = (lines.next(), lines.next()) {
            let call = call.strip_prefix("created by ").map_or(call, |c| c.split(" in goroutine").next().unwrap_or(c));
            let function = if call.ends_with(')') { &call[..call.rfind('(').unwrap()] } else { call };
            let place = at.trim().split(" +0x").next().unwrap();
            frames.push(format!("{function} {place}"));
        }
        out.insert(id.parse().unwrap(), (state.trim_end_matches("]:").split(", ").next().unwrap().to_owned(), frames));
    }
    out
}

/// What Go's traceback hides: the runtime's own frames below the top, and wrappers.
fn as_go_prints(g: &Goroutine) -> Vec<String> {
    let hidden = |f: &Frame| f.function.starts_with("runtime.") && !f.function.starts_with("runtime.gopanic");
    let created = g.created_by.iter().map(|c| &c.frame);
    g.calls().map(|c| &c.frame).filter(|f| !hidden(f)).chain(created).map(frame_line).collect()
}

fn goroutines_are_equal(rt: &Runtime, mem: &dyn Memory, symbols: &Symbolizer<'_>, truth: &Truth) {
    let mut gaps = Vec::new();
    let all = decode_goroutines(rt, mem, symbols, &[], &mut gaps);
    assert_eq!(gaps, []);
    let theirs = parse_stacks(&truth.goroutines);
    let ours: BTreeMap<u64, &Goroutine> = all.iter().filter(|g| !is_system(g)).map(|g| (g.goid, g)).collect();
    assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>());
    let mut equal = 0;
    for (id, (state, frames)) in &theirs {
        let g = ours[id];
        // The one that wrote the truth, and the one that spins, have moved on.
        let spins = g.start_function == "main.spin";
        if *id == 1 || spins {
            assert!(g.stack.iter().any(|f| f.function == if spins { "main.spin" } else { "main.main" }), "{g:?}");
            continue;
        }
        assert_eq!(g.cut, None, "goroutine {id}: {:?}", g.stack);
        let our_state = if g.status == Status::Waiting { g.wait_reason } else { g.status.name() };
        assert_eq!(our_state, state, "goroutine {id}");
        assert_eq!(as_go_prints(g), *frames, "goroutine {id}");
        equal += 1;
    }
    assert!(equal >= 25, "{equal} goroutines were compared");
    let system = all.iter().filter(|g| is_system(g)).count();
    assert!(system >= 3, "{system} system goroutines");
    assert!(all.iter().all(|g| g.status == Status::Running || g.cut.is_none()), "{all:#?}");
}

macro_rules! matrix {
    ($($name:ident: $minor:expr, $mode:expr;)*) => { $(#[test] fn $name() { check($minor, $mode); })* };
}

matrix! {
    go1_20_stripped: 20, Mode::Stripped;
    go1_20_plain: 20, Mode::Plain;
    go1_21_stripped: 21, Mode::Stripped;
    go1_22_plain: 22, Mode::Plain;
    go1_22_stripped: 22, Mode::Stripped;
    go1_22_pie: 22, Mode::PieStripped;
    go1_22_cgo_pie: 22, Mode::CgoPieStripped;
    go1_27_cgo_pie: 27, Mode::CgoPieStripped;
    go1_23_stripped: 23, Mode::Stripped;
    go1_24_plain: 24, Mode::Plain;
    go1_24_stripped: 24, Mode::Stripped;
    go1_25_stripped: 25, Mode::Stripped;
    go1_26_stripped: 26, Mode::Stripped;
    go1_26_pie: 26, Mode::PieStripped;
    go1_27_plain: 27, Mode::Plain;
    go1_27_stripped: 27, Mode::Stripped;
    go1_27_pie: 27, Mode::PieStripped;
}

/// The addresses that code yields in a stripped binary are those that the symbol table of the plain one names: same source, so same rules.
#[test]
fn rules_agree_with_the_symbol_table() {
    for minor in [20, 21, 22, 23, 24, 25, 26, 27] {
        let Ok(oracle) = Oracle::start(minor, Mode::Plain) else {
            eprintln!("SKIPPED: Go 1.{minor}");
            continue;
        };
        let live = LiveProcess::open(oracle.process.pid()).unwrap();
        let rt = Runtime::discover(live.image(), live.bias(), &live).unwrap();
        assert_eq!(rt.globals_by_code(&live).unwrap(), rt.globals, "Go 1.{minor}");
    }
}
