//! The heap's objects and what they point to, against a program that planted them
//! (`lab/programs/objects`), and against the span table of one that allocates and forgets without end
//! (`lab/programs/churn`).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use lastgasp_goruntime::{
    Gap, HeapObjects, Mark, MemStats, PointerMap, PointerReader, PointerVisitor, Runtime, SpanTable, type_name,
};
use lastgasp_inferior::{Addr, LiveProcess, thread_ids};
use lastgasp_lab::build::{Mode, cache_dir};
use lastgasp_lab::oracle::Oracle;
use lastgasp_lab::toolchain::{Toolchain, find_or_fetch};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::Deserialize;

#[derive(Deserialize)]
struct Truth {
    objects: Vec<Planted>,
    held: Vec<u64>,
    freed: Vec<u64>,
    sizes: Vec<u64>,
}

#[derive(Deserialize)]
struct Planted {
    name: String,
    addr: u64,
    size: u64,
    #[serde(rename = "type")]
    kind: String,
    noscan: bool,
    pointers: Vec<(u64, u64)>,
    late: bool,
}

#[derive(Deserialize)]
struct Stats {
    heap_alloc: u64,
    heap_objects: u64,
}

fn toolchain(minor: u16) -> Option<Toolchain> {
    find_or_fetch(minor, &cache_dir()).map_err(|e| eprintln!("SKIPPED: {e:#}")).ok()
}

/// Everything that the reader tells, by object.
#[derive(Default)]
struct Told {
    types: HashMap<u32, Addr>,
    pointers: HashMap<u32, Vec<(u64, u64)>>,
    targets: HashSet<u64>,
    /// Span and slot of each object that was gone into, in order.
    places: Vec<(u32, usize, u32)>,
}

impl PointerVisitor for Told {
    fn object(&mut self, span: usize, slot: u32, object: u32) {
        self.places.push((object, span, slot));
    }

    fn object_type(&mut self, object: u32, type_at: Addr) {
        assert_eq!(self.types.insert(object, type_at), None);
    }

    fn pointer(&mut self, object: u32, offset: u64, to: Addr) {
        self.pointers.entry(object).or_default().push((offset, to.0));
        self.targets.insert(to.0);
    }
}

/// Bytes of the slot that the runtime takes for so many: from Go 1.22 on with a header, where one is needed.
fn slot(minor: u16, sizes: &[u64], o: &Planted) -> u64 {
    let header = if minor >= 22 && !o.noscan && o.size > 512 { 8 } else { 0 };
    let large = if header > 0 { o.size + header > 32768 } else { o.size > 32768 };
    if large {
        return o.size.next_multiple_of(8192);
    }
    *sizes.iter().find(|s| **s >= o.size + header).expect("a size class")
}

fn planted_objects_are_found(minor: u16, mode: Mode, experiment: &str) {
    let Some(mut toolchain) = toolchain(minor) else { return };
    if !experiment.is_empty() {
        toolchain = toolchain.with_experiment(experiment);
    }
    let program = Oracle::start_program_with(&toolchain, mode, "lab/programs/objects", &["truth.json"], "").unwrap();
    let truth: Truth = serde_json::from_slice(&program.truth().unwrap()).unwrap();
    let stats: Stats = serde_json::from_slice(&program.mem_stats().unwrap()).unwrap();
    let live = LiveProcess::open(program.pid()).unwrap();
    let rt = Runtime::discover(live.image(), live.bias(), &live).unwrap();
    let began = Instant::now();
    let mut gaps = Vec::new();
    let heap = HeapObjects::read(&rt, &live, &mut gaps).unwrap();
    let listed = began.elapsed();
    let mut told = Told::default();
    let mut reader = PointerReader::new(&rt, &live, &heap);
    reader.read_all(&mut told);
    reader.finish(&mut gaps);
    eprintln!(
        "go1.{minor} {}: {} objects, {} bytes, listed in {listed:?}, all in {:?}",
        mode.name(),
        heap.len(),
        heap.bytes(),
        began.elapsed()
    );
    assert_eq!(gaps, []);

    // The sums are the span table's, and the program's own.
    let spans = SpanTable::read(&rt, &live, &mut gaps).unwrap();
    assert_eq!((u64::from(heap.len()), heap.bytes()), (spans.objects(), spans.object_bytes()));
    assert!(heap.bytes().abs_diff(stats.heap_alloc) * 100 <= stats.heap_alloc, "{} {}", heap.bytes(), stats.heap_alloc);
    assert!(u64::from(heap.len()).abs_diff(stats.heap_objects) < 600, "{} {}", heap.len(), stats.heap_objects);
    numbers_are_dense(&heap);
    every_object_with_pointers_is_gone_into(&heap, &told);

    let mut arenas = 0;
    for o in &truth.objects {
        let at = format!("go1.{minor} {} at {:#x}", o.name, o.addr);
        let found = heap.find(Addr(o.addr)).unwrap_or_else(|| panic!("{at}: not found"));
        let span = &heap.spans()[found.span];
        let end = heap.find(Addr(o.addr + o.size - 1)).map(|o| o.number);
        assert_eq!(end, Some(found.number), "{at}: its last byte");
        assert_eq!(heap.get(found.number), Some(found), "{at}");
        if span.user_arena {
            arenas += 1;
            inside_a_chunk(&told, found.number, o.addr - found.start.0, o, &at);
            continue;
        }
        assert_eq!(o.addr, found.start.0 + span.header(), "{at}: where it begins");
        assert_eq!(found.size, slot(minor, &truth.sizes, o), "{at}: {} bytes", o.size);
        assert_eq!(span.noscan(), o.noscan, "{at}");
        assert_eq!(found.mark, if o.late { Mark::New } else { Mark::Marked }, "{at}");
        let pointers: Vec<(u64, u64)> = o.pointers.iter().map(|(off, v)| (off + span.header(), *v)).collect();
        let ours = told.pointers.get(&found.number).map_or(&[][..], Vec::as_slice);
        // A list of 150,000 pairs is nothing to print.
        let differs = ours.iter().zip(&pointers).position(|(a, b)| a != b);
        assert!(
            ours == pointers,
            "{at}: {} pointers and {}, from number {differs:?} on: {:x?} and {:x?}",
            ours.len(),
            pointers.len(),
            ours.get(differs.unwrap_or(ours.len().min(pointers.len()))),
            pointers.get(differs.unwrap_or(ours.len().min(pointers.len())))
        );
        let name = told.types.get(&found.number).and_then(|t| type_name(&rt, &live, *t)).map(|t| t.0);
        match span.map {
            PointerMap::Header | PointerMap::Type(_) => {
                // Up to Go 1.23 the runtime makes a type of its own for what has a program.
                let nameless = minor < 24 && o.name.starts_with(['p', 'l', 'a']) && has_program(&o.kind);
                assert_eq!(name.as_deref(), (!nameless).then_some(o.kind.as_str()), "{at}");
            }
            _ => assert_eq!(name, None, "{at}"),
        }
    }
    assert_eq!(arenas, if experiment == "arenas" { 3 } else { 0 });
    let unheld = truth.held.iter().filter(|a| !told.targets.contains(a)).count();
    assert_eq!(unheld, 0, "values of maps that nothing points to");
    // The last of what is freed may be on a stack.
    let kept = truth.freed.iter().filter(|a| heap.find(Addr(**a)).is_some()).count();
    assert!(kept * 100 < truth.freed.len(), "{kept} of {} freed objects", truth.freed.len());
    one_object_alone(&rt, &live, &heap, &told, &truth);
}

/// Types whose pointer words are more than 2048 bytes of bits cover.
fn has_program(kind: &str) -> bool {
    matches!(kind, "main.program" | "main.late" | "main.lateArray" | "[30000]main.pair")
}

/// A user arena is one object to the runtime: what was planted in it has its pointers among the chunk's.
fn inside_a_chunk(told: &Told, number: u32, offset: u64, o: &Planted, at: &str) {
    let all = told.pointers.get(&number).expect("pointers of the chunk");
    let inside = |p: &&(u64, u64)| (offset..offset + o.size).contains(&p.0);
    let ours: Vec<(u64, u64)> = all.iter().filter(inside).map(|(off, v)| (off - offset, *v)).collect();
    assert!(ours == o.pointers, "{at}: {} and {}", ours.len(), o.pointers.len());
}

fn numbers_are_dense(heap: &HeapObjects) {
    let mut next = 0;
    let mut end = Addr(0);
    for o in heap.iter() {
        assert_eq!(o.number, next);
        assert!(o.start >= end, "by address, none in another");
        next += 1;
        end = o.start.plus(o.size);
        if next % 97 == 0 {
            assert_eq!((heap.get(o.number), heap.find(Addr(end.0 - 1))), (Some(o), Some(o)));
        }
    }
    assert_eq!((next, heap.get(next)), (heap.len(), None));
    assert_eq!(heap.find(Addr(0x1000)), None);
}

/// By address, and each once.
fn every_object_with_pointers_is_gone_into(heap: &HeapObjects, told: &Told) {
    let with_pointers = heap.iter().filter(|o| !heap.spans()[o.span].noscan());
    let expected: Vec<_> = with_pointers.map(|o| (o.number, o.span, o.slot)).collect();
    assert!(told.places == expected, "{} and {}", told.places.len(), expected.len());
    for (span, s) in heap.spans().iter().enumerate() {
        let taken: u32 = heap.taken(span).map(u8::count_ones).sum();
        assert_eq!((taken, heap.taken(span).count()), (s.objects, s.slots.div_ceil(8) as usize));
    }
}

/// Asked for one object the reader says what it says when asked for all.
fn one_object_alone(rt: &Runtime, live: &LiveProcess, heap: &HeapObjects, told: &Told, truth: &Truth) {
    let mut reader = PointerReader::new(rt, live, heap);
    for o in truth.objects.iter().step_by(411) {
        let number = heap.number_of(Addr(o.addr)).unwrap();
        let ours: Vec<(u64, u64)> = reader.of(number).into_iter().map(|(off, to)| (off, to.0)).collect();
        assert!(Some(&ours) == told.pointers.get(&number) || ours.is_empty(), "{}", o.name);
    }
}

/// Stops it, all threads.
fn stop(pid: i32) {
    kill(Pid::from_raw(pid), Signal::SIGSTOP).unwrap();
    let stands = |tid: i32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/task/{tid}/stat")).unwrap_or_default();
        stat.rsplit(')').next().is_some_and(|t| t.trim_start().starts_with(['T', 't']))
    };
    let started = Instant::now();
    while !thread_ids(pid).into_iter().all(stands) {
        assert!(started.elapsed() < Duration::from_secs(10));
        std::thread::sleep(Duration::from_micros(200));
    }
}

/// Pointers of objects that live, by what stands where they go.
struct Targets<'a> {
    heap: &'a HeapObjects,
    to_objects: u64,
    /// To objects that the last mark found dead.
    to_garbage: u64,
    /// Into a span of objects, but to none.
    to_nothing: u64,
    types: HashSet<Addr>,
}

impl PointerVisitor for Targets<'_> {
    fn object_type(&mut self, _object: u32, type_at: Addr) {
        self.types.insert(type_at);
    }

    fn pointer(&mut self, object: u32, _offset: u64, to: Addr) {
        if self.heap.get(object).unwrap().mark == Mark::Garbage {
            return;
        }
        match self.heap.find(to) {
            Some(target) if target.mark == Mark::Garbage => self.to_garbage += 1,
            Some(_) => self.to_objects += 1,
            None => self.to_nothing += u64::from(self.heap.spans().iter().any(|s| s.range().contains(to))),
        }
    }
}

/// Of a process that collects: the sums of objects and garbage are the span table's at every moment, what is
/// no garbage is what the pacer counts, and nothing of it points to garbage: the marks of a finished cycle
/// are an oracle.
fn at_any_moment_of_a_collection(minor: u16, mode: Mode) {
    let Some(toolchain) = toolchain(minor) else { return };
    let churn = Oracle::start_program(&toolchain, mode, "lab/programs/churn").unwrap();
    let live = LiveProcess::open(churn.pid()).unwrap();
    std::thread::sleep(Duration::from_millis(500));
    let rt = Runtime::discover(live.image(), live.bias(), &live).unwrap();
    let (mut with_garbage, mut compared, mut most) = (0, 0, 0.0f64);
    let (mut to_objects, mut to_garbage, mut to_nothing) = (0, 0, 0);
    for _ in 0..200 {
        if compared >= 8 && with_garbage >= 3 {
            break;
        }
        std::thread::sleep(Duration::from_millis(7));
        stop(churn.pid());
        let mut gaps: Vec<Gap> = Vec::new();
        let heap = HeapObjects::read(&rt, &live, &mut gaps).unwrap();
        let spans = SpanTable::read(&rt, &live, &mut Vec::new()).unwrap();
        let stats = MemStats::read(&rt, &live).unwrap();
        let mut targets = Targets { heap: &heap, to_objects: 0, to_garbage: 0, to_nothing: 0, types: HashSet::new() };
        let mut reader = PointerReader::new(&rt, &live, &heap);
        reader.read_all(&mut targets);
        reader.finish(&mut gaps);
        let unnamed = targets.types.iter().filter(|t| type_name(&rt, &live, **t).is_none()).count();
        kill(Pid::from_raw(churn.pid()), Signal::SIGCONT).unwrap();
        // A span may be half made at the moment of the stop.
        assert!(gaps.iter().all(|g| g.why.contains("were being changed")), "{gaps:?}");
        assert_eq!(unnamed, 0, "types that are none");
        let garbage: u64 = heap.iter().filter(|o| o.mark == Mark::Garbage).map(|o| o.size).sum();
        let off = |ours: u64, theirs: u64| ours.abs_diff(theirs) as f64 / theirs.max(1) as f64;
        assert!(off(heap.bytes(), spans.object_bytes()) < 0.001, "{} {}", heap.bytes(), spans.object_bytes());
        assert!(garbage.abs_diff(spans.garbage_bytes()) < 1 << 20, "{garbage} {}", spans.garbage_bytes());
        // While it marks, what it counts is of two cycles.
        if stats.gc_phase != 0 || stats.gc_cycles <= 2 {
            continue;
        }
        most = most.max(off(heap.bytes() - garbage, stats.heap_live));
        compared += 1;
        with_garbage += usize::from(garbage > heap.bytes() / 50);
        to_objects += targets.to_objects;
        to_garbage += targets.to_garbage;
        to_nothing += targets.to_nothing;
    }
    eprintln!(
        "go1.{minor}: {compared} moments, {with_garbage} with garbage, off by {:.2} % at most; {to_objects} pointers to \
         objects, {to_garbage} to garbage, {to_nothing} to nothing",
        most * 100.0
    );
    assert!(compared >= 5 && with_garbage >= 1 && to_objects > 100_000);
    // The pacer counts spans that a P has been handed as full (see `spans.rs`).
    assert!(most < 0.06, "{most}");
    assert!((to_garbage + to_nothing) * 100_000 < to_objects, "{to_garbage} and {to_nothing} of {to_objects}");
}

macro_rules! cells {
    ($($name:ident: $check:ident, $($argument:expr),*;)*) => { $(#[test] fn $name() { $check($($argument),*); })* };
}

cells! {
    planted_go1_19: planted_objects_are_found, 19, Mode::Plain, "";
    planted_go1_19_stripped: planted_objects_are_found, 19, Mode::Stripped, "";
    planted_go1_20: planted_objects_are_found, 20, Mode::Stripped, "";
    planted_go1_21: planted_objects_are_found, 21, Mode::Stripped, "";
    planted_go1_22: planted_objects_are_found, 22, Mode::Plain, "";
    planted_go1_22_stripped: planted_objects_are_found, 22, Mode::Stripped, "";
    planted_go1_23: planted_objects_are_found, 23, Mode::Stripped, "";
    planted_go1_24: planted_objects_are_found, 24, Mode::Plain, "";
    planted_go1_24_stripped: planted_objects_are_found, 24, Mode::Stripped, "";
    planted_go1_25: planted_objects_are_found, 25, Mode::Stripped, "";
    planted_go1_25_green_tea: planted_objects_are_found, 25, Mode::Stripped, "greenteagc";
    planted_go1_26: planted_objects_are_found, 26, Mode::Plain, "";
    planted_go1_26_stripped: planted_objects_are_found, 26, Mode::Stripped, "";
    planted_go1_26_no_green_tea: planted_objects_are_found, 26, Mode::Stripped, "nogreenteagc";
    planted_go1_27: planted_objects_are_found, 27, Mode::PieStripped, "";
    planted_go1_27_stripped: planted_objects_are_found, 27, Mode::Stripped, "";
    arenas_go1_20: planted_objects_are_found, 20, Mode::Stripped, "arenas";
    arenas_go1_22: planted_objects_are_found, 22, Mode::Stripped, "arenas";
    arenas_go1_27: planted_objects_are_found, 27, Mode::Stripped, "arenas";
    moments_go1_19: at_any_moment_of_a_collection, 19, Mode::Stripped;
    moments_go1_22: at_any_moment_of_a_collection, 22, Mode::Stripped;
    moments_go1_26: at_any_moment_of_a_collection, 26, Mode::Stripped;
}
