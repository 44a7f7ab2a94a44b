//! What lastgasp reads of the oracle against what the oracle says of itself. `cargo test` and
//! `cargo xtask matrix` run this same check.
//!
//! A crate of its own, and not a part of the harness: `xtask`, which makes the decoder's tables, must build
//! when they do not.

mod graph;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use lastgasp_goruntime::{
    CopySource, Counts, Evidence, EvidencePlan, Extent, Frame, Gap, Goroutine, MemStats, Runtime, SpanTable, Status,
    Symbolizer, decode_goroutines, decode_profile, is_system, unsample,
};
use lastgasp_inferior::{Addr, BlockCache, Layered, LiveProcess, Memory, thread_ids};
use lastgasp_lab::build::Mode;
use lastgasp_lab::oracle::Oracle;
use lastgasp_report::printed_name;
use serde::Deserialize;

pub use graph::{compare_graph, compare_graph_unprofiled, judge_graph};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Truth {
    version: String,
    rate: u64,
    profile: Option<Vec<Record>>,
    goroutines: String,
    #[serde(rename = "GCPercent")]
    gc_percent: i32,
    unpublished: u64,
    path: String,
    module: String,
    settings: BTreeMap<String, String>,
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

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ProgramMemStats {
    #[serde(rename = "NumGC")]
    num_gc: u32,
    total_alloc: u64,
    heap_alloc: u64,
    heap_inuse: u64,
    heap_objects: u64,
    heap_idle: u64,
    stack_sys: u64,
    #[serde(rename = "MSpanSys")]
    mspan_sys: u64,
    #[serde(rename = "MCacheSys")]
    mcache_sys: u64,
    buck_hash_sys: u64,
    #[serde(rename = "GCSys")]
    gc_sys: u64,
    other_sys: u64,
}

/// How a comparison went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Sites of the memory profile that were compared.
    pub sites: usize,
    /// Goroutines, of both sides.
    pub goroutines: usize,
    /// Stacks that are equal frame by frame.
    pub stacks: usize,
    /// What is not equal.
    pub problems: Vec<Problem>,
    /// What is known to be missing, and is: no problem until it can be told.
    pub not_yet: BTreeSet<&'static str>,
}

/// Something that is not equal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// In a word or two, for a cell of a table.
    pub what: &'static str,
    /// Both sides.
    pub detail: String,
}

impl Outcome {
    fn note(&mut self, what: &'static str, detail: impl Into<String>) {
        self.problems.push(Problem { what, detail: detail.into() });
    }

    fn equal<T: PartialEq + std::fmt::Debug>(&mut self, what: &'static str, name: &str, ours: &T, theirs: &T) {
        if ours != theirs {
            self.note(what, format!("{name}: {ours:?}, and the process says {theirs:?}"));
        }
    }

    /// Within one percent, or two stacks of threads: the runtime does not stand still when it was asked (it
    /// starts a thread, frees a stack).
    fn near(&mut self, what: &'static str, name: &str, ours: u64, theirs: u64) {
        self.within(what, name, ours, theirs, 64 << 10);
    }

    /// Within one percent, or `slack` bytes.
    fn within(&mut self, what: &'static str, name: &str, ours: u64, theirs: u64, slack: u64) {
        if ours.abs_diff(theirs) > (theirs / 100).max(slack) {
            self.note(what, format!("{name}: {ours}, and the process says {theirs}"));
        }
    }

    fn none(&mut self, what: &'static str, gaps: &[Gap]) {
        for g in gaps {
            self.note(what, format!("gap: {}: {}", g.what, g.why));
        }
    }
}

/// Everything that the decoders say, from a copy alone (the process is not asked again), held against what
/// the process says.
///
/// # Errors
/// The process could not be read at all; what was read and differs is in [`Outcome::problems`].
pub fn compare(oracle: &Oracle, mode: Mode) -> Result<Outcome> {
    let truth: Truth = serde_json::from_slice(&oracle.truth()?).context("the oracle's truth")?;
    let stats: ProgramMemStats = serde_json::from_slice(&oracle.mem_stats()?).context("the oracle's MemStats")?;
    let live = LiveProcess::open_wanted(oracle.pid(), |image| Runtime::build_info(image).is_ok())?;
    let rt = Runtime::discover(live.image(), live.bias(), &live)?;
    let mut out = Outcome::default();
    out.equal("build info", "version", &rt.version.text, &truth.version);
    out.equal("build info", "stripped", &live.image().is_stripped(), &mode.is_stripped());
    build_info(&mut out, &rt, &truth);
    if !live.image().is_stripped() {
        // The addresses that code yields in a stripped binary are those that the symbol table names here:
        // same source, so same rules.
        match rt.globals_by_code(&live) {
            Ok(by_code) => out.equal("rules", "variables by code", &by_code, &rt.globals),
            Err(e) => out.note("rules", e.to_string()),
        }
    }

    threads(&mut out, &rt, &live, mode);
    let mut plan = EvidencePlan::default();
    out.none("copy", &plan.update(&rt, &live));
    let source = CopySource { runtime: &rt, plan: &plan, mem: &live, registers: &[] };
    let mut evidence = Evidence::with_room(&source, Extent::Whole, 64 << 20);
    evidence.copy(&source, Extent::Whole);
    evidence.finish();
    out.none("copy", &evidence.gaps);

    let file = live.image().memory(live.bias(), &rt.constant_ranges())?;
    let constants = BlockCache::new(Layered { top: file, bottom: &evidence.snapshot });
    let symbols = Symbolizer::new(&constants, &rt.module, rt.layout);
    profile(&mut out, &rt, &evidence.snapshot, &symbols, &truth, mode);
    goroutines(&mut out, &rt, &evidence.snapshot, &symbols, &truth)?;
    gauges(&mut out, &MemStats::read(&rt, &evidence.snapshot)?, &stats, truth.gc_percent);
    spans(&mut out, &rt, &live, &stats);
    Ok(out)
}

/// The span table: the heap in bytes and objects. (By size class, and while it is swept:
/// `crates/goruntime/tests/spans.rs`.)
fn spans(out: &mut Outcome, rt: &Runtime, live: &LiveProcess, stats: &ProgramMemStats) {
    const WHAT: &str = "span table";
    let mut gaps = Vec::new();
    let Some(ours) = SpanTable::read(rt, live, &mut gaps) else { return out.none(WHAT, &gaps) };
    out.none(WHAT, &gaps);
    out.near(WHAT, "bytes of spans", ours.span_bytes(), stats.heap_inuse);
    out.near(WHAT, "bytes of objects", ours.object_bytes(), stats.heap_alloc);
    // Slots against objects: up to 16 bytes several share one; and the statistics themselves were written
    // since.
    out.within(WHAT, "objects", ours.objects(), stats.heap_objects, 600);
}

/// The chain of `m` ends, and names the threads that the kernel knows: all of them, but for those of C. (Go
/// 1.23.12 read with the table of 1.23.9 fails here.)
fn threads(out: &mut Outcome, rt: &Runtime, live: &LiveProcess, mode: Mode) {
    // A thread that has just begun is in one list and not in the other yet.
    let mut why = String::new();
    for _ in 0..20 {
        match threads_now(rt, live, mode) {
            Ok(()) => return,
            Err(e) => why = e.to_string(),
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    out.note("threads", why);
}

fn threads_now(rt: &Runtime, live: &LiveProcess, mode: Mode) -> Result<()> {
    let before: BTreeSet<i32> = thread_ids(live.pid()).into_iter().collect();
    let (l, mut ours, mut seen) = (&rt.layout.m, BTreeSet::new(), BTreeSet::new());
    let mut at = live.ptr(rt.globals.allm)?;
    while !at.is_null() && seen.insert(at) && seen.len() < 1000 {
        // One that waits for a thread of C to call has no number yet.
        ours.extend(Some(live.u64(at.plus(l.procid))? as i32).filter(|tid| *tid != 0));
        at = live.ptr(at.plus(l.alllink))?;
    }
    let after: BTreeSet<i32> = thread_ids(live.pid()).into_iter().collect();
    if !at.is_null() || !ours.is_subset(&after) || (!mode.uses_cgo() && !before.is_subset(&ours)) || ours.len() < 3 {
        bail!("{ours:?}, and the kernel says {after:?}");
    }
    Ok(())
}

/// As `debug.ReadBuildInfo` has it, which takes the quotes off a setting.
fn build_info(out: &mut Outcome, rt: &Runtime, truth: &Truth) {
    out.equal("build info", "path", &rt.build_info.path, &truth.path);
    out.equal("build info", "module", &rt.build_info.module.path, &truth.module);
    let plain = |v: &str| v.strip_prefix('"').and_then(|v| v.strip_suffix('"')).unwrap_or(v).to_owned();
    let ours: BTreeMap<String, String> = rt.build_info.settings.iter().map(|(k, v)| (k.clone(), plain(v))).collect();
    out.equal("build info", "settings", &ours, &truth.settings);
}

/// Published: every record of runtime.MemProfile, to the object. Current: what was allocated after the last
/// GC shows, un-sampled, within 20 %.
fn profile(out: &mut Outcome, rt: &Runtime, mem: &dyn Memory, symbols: &Symbolizer<'_>, truth: &Truth, mode: Mode) {
    const WHAT: &str = "profile";
    let mut gaps = Vec::new();
    let profile = decode_profile(rt, mem, &mut gaps);
    out.none(WHAT, &gaps);
    out.equal(WHAT, "rate", &profile.rate, &truth.rate);
    out.equal(WHAT, "profiling", &(profile.rate > 0), &mode.has_profile());
    if !mode.has_profile() {
        // What was allocated before the runtime learned that the profile is off stays (Go 1.27: one bucket).
        if profile.buckets.len() > 1 {
            out.note(WHAT, format!("{} buckets with the profile off", profile.buckets.len()));
        }
        return;
    }
    let stack = |pcs: &[Addr]| -> Vec<String> {
        let frames = pcs.iter().filter_map(|pc| symbols.innermost(Addr(pc.0.saturating_sub(1))));
        frames.map(|f| frame_line(&f, rt.layout.minor)).collect()
    };
    let mut ours: BTreeMap<Vec<String>, [u64; 4]> = BTreeMap::new();
    let mut unpublished = 0;
    for b in &profile.buckets {
        let (alloc, in_use) = profile.published(b);
        let lines = stack(&b.stack);
        if lines.iter().any(|l| l.starts_with("main.unpublished ")) {
            out.equal(WHAT, "what is not published yet", &alloc, &Counts::default());
            unpublished += unsample(profile.current(b).1, profile.rate).bytes;
        }
        let sum = ours.entry(lines).or_default();
        let freed = [alloc.objects.wrapping_sub(in_use.objects), alloc.bytes.wrapping_sub(in_use.bytes)];
        for (s, v) in sum.iter_mut().zip([alloc.objects, alloc.bytes, freed[0], freed[1]]) {
            *s += v;
        }
    }
    let mut theirs: BTreeMap<Vec<String>, [u64; 4]> = BTreeMap::new();
    for r in truth.profile.iter().flatten() {
        let sum = theirs.entry(r.stack.clone().unwrap_or_default()).or_default();
        for (s, v) in sum.iter_mut().zip([r.alloc_objects, r.alloc_bytes, r.free_objects, r.free_bytes]) {
            *s += v;
        }
    }
    ours.retain(|_, v| v[0] > 0);
    theirs.retain(|_, v| v[0] > 0);
    out.equal(WHAT, "sites", &ours.len(), &theirs.len());
    for (stack, counts) in &theirs {
        let site = stack.first().map_or("a site without frames", String::as_str);
        out.equal(WHAT, &format!("{site} ({} frames)", stack.len()), &ours.get(stack), &Some(counts));
    }
    if theirs.len() < 3 {
        out.note(WHAT, format!("only {} sites: the oracle planted more than that", theirs.len()));
    }
    if unpublished.abs_diff(truth.unpublished) as f64 > truth.unpublished as f64 / 5.0 {
        out.note(WHAT, format!("unpublished: {unpublished}, and the process says {}", truth.unpublished));
    }
    out.sites = theirs.len();
}

fn gauges(out: &mut Outcome, ours: &MemStats, stats: &ProgramMemStats, gc_percent: i32) {
    const WHAT: &str = "gauges";
    out.equal(WHAT, "GC cycles", &ours.gc_cycles, &stats.num_gc);
    out.equal(WHAT, "GOGC", &ours.gc_percent, &gc_percent);
    out.near(WHAT, "heap live", ours.heap_live, stats.heap_alloc);
    out.near(WHAT, "heap in use", ours.heap_in_use, stats.heap_inuse);
    // The heap grows by 4 MiB, and one small span may be what makes it grow.
    let idle = ours.heap_free + ours.heap_released;
    out.within(WHAT, "heap free and returned", idle, stats.heap_idle, (4 << 20) + (64 << 10));
    out.near(WHAT, "ever allocated", ours.total_alloc, stats.total_alloc);
    // A thread that the runtime starts between the program's own reading and ours takes 16 KiB for its own
    // stack, of spans of 32 KiB (`malg` in proc.go, `stackalloc` in stack.go): a handful on a busy machine.
    // Seen: three spans more, in one of some hundred runs.
    let slack = if ours.stacks > stats.stack_sys { 6 * (32 << 10) } else { 64 << 10 };
    out.within(WHAT, "stacks", ours.stacks, stats.stack_sys, slack);
    let metadata = stats.mspan_sys + stats.mcache_sys + stats.buck_hash_sys + stats.gc_sys + stats.other_sys;
    // The runtime takes it in pieces of 256 KiB (persistentChunkSize in malloc.go). Seen once, Go 1.25: one
    // more between the program's own reading and ours.
    out.within(WHAT, "metadata", ours.metadata, metadata, (256 << 10) + (64 << 10));
}

/// As Go prints a frame: type arguments as `[...]`.
fn frame_line(f: &Frame, minor: u16) -> String {
    format!("{} {}:{}", printed_name(&f.function, minor), f.file, f.line)
}

/// A goroutine as `runtime.Stack` prints it.
#[derive(Debug)]
struct Printed {
    goid: u64,
    state: String,
    /// "function file:line", the `go` statement last.
    frames: Vec<String>,
}

fn parse_stacks(text: &str) -> Result<Vec<Printed>> {
    let mut out = Vec::new();
    for block in text.split("\n\n") {
        let mut lines = block.lines();
        let Some(head) = lines.next().and_then(|l| l.strip_prefix("goroutine ")) else {
            continue;
        };
        let (id, state) = head.split_once(" [").with_context(|| head.to_owned())?;
        let mut frames = Vec::new();
        while let (Some(call), Some(at)) = (lines.next(), lines.next()) {
            let call = call.strip_prefix("created by ").map_or(call, |c| c.split(" in goroutine").next().unwrap_or(c));
            let function = if call.ends_with(')') { call.rsplit_once('(').map_or(call, |(f, _)| f) } else { call };
            frames.push(format!("{function} {}", at.trim().split(" +0x").next().unwrap_or(at)));
        }
        let state = state.trim_end_matches("]:").split(", ").next().unwrap_or(state).to_owned();
        out.push(Printed { goid: id.parse().with_context(|| head.to_owned())?, state, frames });
    }
    Ok(out)
}

/// What Go's traceback hides: the runtime's own frames below the top, and wrappers.
fn as_go_prints(g: &Goroutine, minor: u16) -> Vec<String> {
    let hidden = |f: &Frame| f.function.starts_with("runtime.") && !f.function.starts_with("runtime.gopanic");
    let created = g.created_by.iter().map(|c| &c.frame);
    g.calls().map(|c| &c.frame).filter(|f| !hidden(f)).chain(created).map(|f| frame_line(f, minor)).collect()
}

fn goroutines(
    out: &mut Outcome,
    rt: &Runtime,
    mem: &dyn Memory,
    symbols: &Symbolizer<'_>,
    truth: &Truth,
) -> Result<()> {
    const WHAT: &str = "goroutines";
    let mut gaps = Vec::new();
    let all = decode_goroutines(rt, mem, symbols, &[], &mut gaps);
    out.none(WHAT, &gaps);
    let theirs = parse_stacks(&truth.goroutines)?;
    let ours: BTreeMap<u64, &Goroutine> = all.iter().filter(|g| !is_system(g)).map(|g| (g.goid, g)).collect();
    let mut numbers: Vec<u64> = theirs.iter().map(|t| t.goid).collect();
    numbers.sort_unstable();
    out.equal(WHAT, "numbers", &ours.keys().copied().collect::<Vec<_>>(), &numbers);
    out.goroutines = numbers.len();
    // The first is the one that wrote the truth: it and the one that spins have moved on since.
    let writer = theirs.first().map_or(0, |t| t.goid);
    for t in &theirs {
        let Some(g) = ours.get(&t.goid) else { continue };
        let moved = match g.start_function.as_str() {
            "main.spin" => Some("main.spin"),
            _ if t.goid == writer => Some("main.observe"),
            _ => None,
        };
        if let Some(function) = moved {
            if !g.stack.iter().any(|f| f.function == function) {
                out.note(WHAT, format!("goroutine {}: {function} is not on its stack: {g:?}", t.goid));
            }
            continue;
        }
        let state = if g.status == Status::Waiting { g.wait_reason } else { g.status.name() };
        let frames = as_go_prints(g, rt.layout.minor);
        let name = format!("goroutine {}", t.goid);
        out.equal(WHAT, &name, &g.cut, &None);
        out.equal(WHAT, &name, &state, &t.state.as_str());
        out.equal(WHAT, &name, &frames, &t.frames);
        out.stacks += usize::from(g.cut.is_none() && frames == t.frames);
    }
    if out.stacks < 25 {
        out.note(WHAT, format!("only {} stacks are equal: the oracle planted more than that", out.stacks));
    }
    let system = all.iter().filter(|g| is_system(g)).count();
    if system < 3 {
        out.note(WHAT, format!("only {system} of the runtime's own goroutines: every program has more"));
    }
    for g in all.iter().filter(|g| g.status != Status::Running && g.cut.is_some()) {
        out.note(WHAT, format!("goroutine {} ends early: {:?}", g.goid, g.cut));
    }
    Ok(())
}
