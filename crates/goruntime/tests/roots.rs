//! What keeps objects, against programs that planted them (`lab/programs/rooted`, `objects`, `holders`) and
//! against the collector's own marks: what is found live is what a collection has just kept, to the byte
//! nearly; what the program does not use any more is not, though words that point to it still stand there.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::{Duration, Instant};

use lastgasp_goruntime::{
    Gap, HeapObjects, Mark, MemStats, NotedRoot, PointerReader, PointerVisitor, RootNote, Runtime, SpanTable,
    StackPlace, StackReader, StackTally, Symbolizer, Unsure, due_roots, special_roots, specials, type_name,
    variable_pointers,
};
use lastgasp_inferior::{Addr, BlockCache, LiveProcess, Memory, ThreadRegisters, thread_ids};
use lastgasp_lab::build::{Mode, cache_dir};
use lastgasp_lab::oracle::Oracle;
use lastgasp_lab::toolchain::{Toolchain, find_or_fetch};
use nix::sys::ptrace;
use nix::sys::wait::waitpid;
use nix::unistd::Pid;
use serde::Deserialize;

#[derive(Deserialize)]
struct Truth {
    objects: Vec<Planted>,
}

#[derive(Deserialize)]
struct Planted {
    name: String,
    addr: u64,
    live: bool,
    late: bool,
}

#[derive(Deserialize)]
struct Stats {
    heap_alloc: u64,
}

fn toolchain(minor: u16) -> Option<Toolchain> {
    find_or_fetch(minor, &cache_dir()).map_err(|e| eprintln!("SKIPPED: {e:#}")).ok()
}

/// Why an object is live: the root, and the frame where there is one.
type Why = String;

/// What is live, by a walk that is as simple as can be.
struct Reach {
    heap: HeapObjects,
    live: Vec<bool>,
    /// Of these what is held by more than words which may be no pointers.
    sure: Vec<bool>,
    /// By object that a root holds.
    held: HashMap<u32, Why>,
    types: HashMap<u32, Addr>,
    /// Pointers that finalizers and the like hold.
    notes: BTreeMap<RootNote, u64>,
    tally: StackTally,
    stacks: Duration,
}

struct Edges {
    to: Vec<Vec<u32>>,
    types: HashMap<u32, Addr>,
}

struct Visitor<'a>(&'a HeapObjects, Edges);

impl PointerVisitor for Visitor<'_> {
    fn object_type(&mut self, object: u32, type_at: Addr) {
        self.1.types.insert(object, type_at);
    }

    fn pointer(&mut self, object: u32, _: u64, to: Addr) {
        if let Some(target) = self.0.number_of(to) {
            self.1.to[object as usize].push(target);
        }
    }
}

fn reach(rt: &Runtime, mem: &dyn Memory, registers: &[ThreadRegisters]) -> Reach {
    let mut gaps: Vec<Gap> = Vec::new();
    let heap = HeapObjects::read(rt, mem, &mut gaps).unwrap();
    let mut visitor = Visitor(&heap, Edges { to: vec![Vec::new(); heap.len() as usize], types: HashMap::new() });
    let mut reader = PointerReader::new(rt, mem, &heap);
    reader.read_all(&mut visitor);
    reader.finish(&mut gaps);
    let edges = visitor.1;

    let mut held: HashMap<u32, Why> = HashMap::new();
    let (mut surely, mut perhaps) = (HashSet::new(), HashSet::new());
    let mut hold_so = |to: Addr, sure: bool, why: &dyn Fn() -> Why| {
        if let Some(object) = heap.number_of(to) {
            held.entry(object).or_insert_with(why);
            if sure {
                surely.insert(object)
            } else {
                perhaps.insert(object)
            };
        }
    };
    let mut hold = |to: Addr, why: &dyn Fn() -> Why| hold_so(to, true, why);
    variable_pointers(rt, mem, &mut gaps, |section, at, to| hold(to, &|| format!("{} {at}", section.name)));
    let cached = BlockCache::new(mem);
    let symbols = Symbolizer::new(&cached, &rt.module, rt.layout);
    let began = Instant::now();
    let mut stacks = StackReader::new(rt, mem, &symbols, registers);
    for g in stacks.goroutines(&mut gaps) {
        stacks.read(g, &mut |root| {
            hold_so(root.to, !root.unsure, &|| {
                let frame = match root.place {
                    StackPlace::Frame(pc) => symbols.innermost(pc).map_or_else(String::new, |f| f.function),
                    StackPlace::Goroutine => "itself".into(),
                };
                format!("goroutine {} {frame}{}", root.goid, if root.unsure { " perhaps" } else { "" })
            });
        });
    }
    let tally = stacks.finish(&mut gaps);
    let stacks = began.elapsed();
    let mut hold = |to: Addr, why: &dyn Fn() -> Why| hold_so(to, true, why);
    let all = specials(rt, mem, &heap, &mut gaps);
    let mut notes = BTreeMap::new();
    let mut noted = |root: NotedRoot| {
        *notes.entry(root.note).or_default() += 1;
        hold(root.to, &|| root.note.name().into());
    };
    special_roots(rt, mem, &heap, &all, &mut gaps, &mut noted);
    due_roots(rt, mem, &symbols, &mut noted).unwrap();
    // A span may be half made at the moment of the stop, and the list of one that a sweep is at half relinked
    // (seen once: churn of Go 1.23, 4 lists of some thousands): said, and there is no graph then.
    let at_work = |why: &str| why.contains("were being changed") || why.contains("lists of spans could not be read");
    assert!(gaps.iter().all(|g| at_work(&g.why)), "{gaps:?}");

    let mut live = vec![false; heap.len() as usize];
    let mut walk = |from: HashSet<u32>| {
        let mut todo: Vec<u32> = from.into_iter().collect();
        while let Some(object) = todo.pop() {
            if !std::mem::replace(&mut live[object as usize], true) {
                todo.extend(&edges.to[object as usize]);
            }
        }
        live.clone()
    };
    let sure = walk(surely);
    walk(perhaps);
    Reach { heap, live, sure, held, types: edges.types, notes, tally, stacks }
}

/// Objects that the marks and we do not agree on.
struct Differences {
    live_bytes: u64,
    /// Of these what the last collection kept.
    kept_bytes: u64,
    marked: u64,
    /// Kept by the last collection, and not held by anything that we know: let go of since, or missing.
    only_marked: BTreeMap<String, u64>,
    only_marked_bytes: u64,
    /// Found dead by the last collection, not swept yet, and held all the same: there must be none.
    garbage: Vec<Why>,
}

fn compare(rt: &Runtime, mem: &dyn Memory, reach: &Reach) -> Differences {
    let mut found = Differences {
        live_bytes: 0,
        kept_bytes: 0,
        marked: 0,
        only_marked: BTreeMap::new(),
        only_marked_bytes: 0,
        garbage: Vec::new(),
    };
    for o in reach.heap.iter() {
        let live = reach.live[o.number as usize];
        found.live_bytes += if live { o.size } else { 0 };
        found.kept_bytes += if live && o.mark == Mark::Marked { o.size } else { 0 };
        found.marked += u64::from(o.mark == Mark::Marked);
        match o.mark {
            Mark::Marked if !live => {
                let name = reach.types.get(&o.number).and_then(|t| type_name(rt, mem, *t)).map(|t| t.0);
                *found.only_marked.entry(name.unwrap_or_else(|| format!("{} bytes", o.size))).or_default() += 1;
                found.only_marked_bytes += o.size;
            }
            Mark::Garbage if reach.sure[o.number as usize] => {
                found.garbage.push(reach.held.get(&o.number).cloned().unwrap_or_else(|| "behind another".into()));
            }
            _ => {}
        }
    }
    found
}

struct Stopped(Vec<Pid>);

impl Stopped {
    /// Stops all threads of a process, and tells their registers.
    fn new(pid: i32) -> (Self, Vec<ThreadRegisters>) {
        let (mut tids, mut registers) = (Vec::new(), Vec::new());
        // A thread that runs may make another while it is waited for: the list is read until nothing is new.
        loop {
            let new = thread_ids(pid).into_iter().map(Pid::from_raw).filter(|tid| !tids.contains(tid));
            let new: Vec<Pid> = new.collect();
            if new.is_empty() {
                break;
            }
            for tid in new {
                ptrace::attach(tid).unwrap();
                waitpid(tid, Some(nix::sys::wait::WaitPidFlag::__WALL)).unwrap();
                registers.push(ThreadRegisters::of(tid.as_raw(), &ptrace::getregs(tid).unwrap()));
                tids.push(tid);
            }
        }
        (Self(tids), registers)
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        for tid in &self.0 {
            let _ = ptrace::detach(*tid, None);
        }
    }
}

fn planted_objects_are_held_by_what_holds_them(minor: u16, mode: Mode, experiment: &str) {
    let Some(mut toolchain) = toolchain(minor) else { return };
    if !experiment.is_empty() {
        toolchain = toolchain.with_experiment(experiment);
    }
    for arguments in [&["truth.json"][..], &["truth.json", "late"], &["truth.json", "spin"]] {
        let program = Oracle::start_program_with(&toolchain, mode, "lab/programs/rooted", arguments, "").unwrap();
        let spins = arguments.contains(&"spin");
        let late = arguments.contains(&"late");
        let truth: Truth = serde_json::from_slice(&program.truth().unwrap()).unwrap();
        let stats: Stats = serde_json::from_slice(&program.mem_stats().unwrap()).unwrap();
        let live = LiveProcess::open(program.pid()).unwrap();
        let rt = Runtime::discover(live.image(), live.bias(), &live).unwrap();
        let (stopped, registers) = Stopped::new(program.pid());
        let reach = reach(&rt, &live, &registers);
        let found = compare(&rt, &live, &reach);
        let spans = SpanTable::read(&rt, &live, &mut Vec::new()).unwrap();
        drop(stopped);
        let at = format!("go1.{minor} {} {arguments:?}", mode.name());
        eprintln!(
            "{at}: {} objects, {} live bytes, {} of them older than the collection, HeapAlloc {} ({:+.3} %); {} marked, of these {:?} ({} bytes) not held; stacks \
             {:?} {:?}",
            reach.heap.len(),
            found.live_bytes,
            found.kept_bytes,
            stats.heap_alloc,
            (found.kept_bytes as f64 - stats.heap_alloc as f64) * 100.0 / stats.heap_alloc as f64,
            found.marked,
            found.only_marked,
            found.only_marked_bytes,
            reach.stacks,
            reach.tally,
        );
        assert_eq!(found.garbage, [""; 0], "{at}: held, and found dead by the collector");
        assert_eq!(reach.heap.bytes(), spans.object_bytes(), "{at}: live, garbage and free are the span table's");
        let mut wrong = Vec::new();
        for o in &truth.objects {
            let object = reach.heap.find(Addr(o.addr));
            let held = object.is_some_and(|o| reach.live[o.number as usize]);
            // The slot of what a collection took may be another's by now.
            let left_over = spins && o.name == "object whose finalizer is due";
            if held != o.live && (o.live || o.late) && !left_over {
                let why = object.and_then(|o| reach.held.get(&o.number));
                wrong.push(format!(
                    "{} ({:?}): live {}, held {held} by {why:?}",
                    o.name,
                    object.map(|o| o.mark),
                    o.live
                ));
            }
            if o.live && !o.late {
                assert_eq!(object.map(|o| o.mark), Some(Mark::Marked), "{at}: {}", o.name);
            }
        }
        assert_eq!(wrong, [""; 0], "{at}");
        assert!(truth.objects.iter().filter(|o| o.late && !o.live).count() >= if late { 4 } else { 0 });
        // What is older than the collection is what it found, to the byte. Since then the runtime may have
        // grown a list of its own (timers of a P: 16 bytes become 32); in the late run the program has let go
        // of the list of what it planted, and of what was on its stack when it collected. Of a loop without
        // calls the collector looked through the frame word by word, and took what a stack's former owner had
        // left there for pointers.
        let since = if late || spins { 8192 } else { 64 };
        assert!(found.only_marked_bytes <= since, "{at}: {:?}", found.only_marked);
        if !late && !spins {
            let off = found.live_bytes.abs_diff(reach.heap.bytes());
            assert!(off * 1000 <= reach.heap.bytes(), "{at}: {} of {}", found.live_bytes, reach.heap.bytes());
            // The program asked a moment after the collection and before this: a thread of the runtime's own
            // that began since has some 5 kB.
            let new = found.live_bytes - found.kept_bytes;
            let off = found.live_bytes.abs_diff(stats.heap_alloc).saturating_sub(new);
            assert!(off * 1000 <= stats.heap_alloc, "{at}: {} and {}", found.live_bytes, stats.heap_alloc);
        }
        // The loop runs, or has just been told to make room for another.
        let tally = &reach.tally;
        assert!((!spins || !tally.unsure.is_empty()) && tally.without_registers == 0, "{at}: {tally:?}");
        let expected = |w: &Unsure| matches!(w, Unsure::Running | Unsure::Preempted);
        assert!(tally.unsure.keys().all(expected), "{at}: {tally:?}");
        let noted = |note: RootNote| reach.notes.contains_key(&note);
        assert!(noted(RootNote::Finalizer) && noted(RootNote::DueFinalizer), "{at}: {:?}", reach.notes);
        assert_eq!((noted(RootNote::Cleanup), noted(RootNote::WeakHandle)), (minor >= 24, minor >= 24), "{at}");
        if spins {
            continue;
        }
        let frames_named = |name: &str, frame: &str| {
            let planted = truth.objects.iter().find(|o| o.name == name).unwrap();
            let object = reach.heap.find(Addr(planted.addr)).unwrap();
            let why = reach.held.get(&object.number).cloned().unwrap_or_default();
            assert!(why.contains(frame), "{at}: {name} is held by {why}");
        };
        frames_named("variable", "main.variable");
        frames_named("stack object that another points to", "main.stackObject");
        frames_named("object whose finalizer is due", RootNote::DueFinalizer.name());
    }
}

/// Whether what is held and dead can be of an object that is being made: its slot is taken, and its memory
/// not cleared yet, so that what lay there before leads to the dead (seen twice, Go 1.20: one object behind
/// another; all that one goroutine in `mallocgc` held). Too much is held then, which is safe. A package
/// variable that leads to the dead is another matter.
fn is_of_an_allocation(garbage: &[Why]) -> bool {
    let goroutines: BTreeSet<_> =
        garbage.iter().filter(|w| *w != "behind another").filter_map(|w| w.split_whitespace().nth(1)).collect();
    let is_in_allocation = garbage.iter().any(|w| w.ends_with("runtime.mallocgc"));
    match goroutines.len() {
        0 => !garbage.is_empty(),
        1 => is_in_allocation && goroutines.iter().all(|id| id.parse::<u64>().is_ok()),
        _ => false,
    }
}

/// Of programs that run and collect: nothing that the last collection found dead is held, whatever threads do
/// at the moment (write barriers, stacks that grow, signals, the vDSO), but by words that may be no pointers.
fn nothing_dead_is_held(minor: u16, mode: Mode) {
    let Some(toolchain) = toolchain(minor) else { return };
    for (folder, arguments) in [
        ("lab/programs/churn", &[][..]),
        ("lab/programs/goroutines", &["-busy", "."]),
        ("lab/programs/waits", &["-shared", "10000"]),
    ] {
        let program = Oracle::start_program_with(&toolchain, mode, folder, arguments, "").unwrap();
        let live = LiveProcess::open(program.pid()).unwrap();
        std::thread::sleep(Duration::from_millis(300));
        let rt = Runtime::discover(live.image(), live.bias(), &live).unwrap();
        let (mut looks, mut garbage, mut only_perhaps, mut unsure, mut stacks) = (0, 0, 0, BTreeMap::new(), None);
        let mut odd = 0;
        // On a busy machine it marks nearly all the time (seen beside builds: 2 looks of 60 tries).
        let until = Instant::now() + Duration::from_secs(20);
        while looks < 6 && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(3));
            let (stopped, registers) = Stopped::new(program.pid());
            let stats = MemStats::read(&rt, &live).unwrap();
            // While it marks, marks are of two cycles.
            if stats.gc_phase != 0 || stats.gc_cycles < 2 && folder != "lab/programs/waits" {
                continue;
            }
            let reach = reach(&rt, &live, &registers);
            let found = compare(&rt, &live, &reach);
            drop(stopped);
            looks += 1;
            if odd < 2 && is_of_an_allocation(&found.garbage) {
                odd += 1;
                eprintln!("go1.{minor} {folder}: of an allocation: {:?}", found.garbage);
                continue;
            }
            assert_eq!(found.garbage, [""; 0], "go1.{minor} {folder}: held, and found dead by the collector");
            garbage += reach.heap.iter().filter(|o| o.mark == Mark::Garbage).count();
            let perhaps = reach.live.iter().zip(&reach.sure).filter(|(live, sure)| **live && !**sure).count();
            only_perhaps += perhaps;
            reach.tally.unsure.iter().for_each(|(why, n)| *unsure.entry(*why).or_insert(0) += n);
            // But by tables that do not agree there is a map of every frame.
            assert_eq!(reach.tally.unsure.get(&Unsure::NoMap), None, "go1.{minor} {folder}: {:?}", reach.tally);
            stacks = Some((reach.stacks, reach.tally.goroutines, reach.tally.frames));
        }
        eprintln!(
            "go1.{minor} {folder}: {looks} looks, {garbage} objects dead and not swept, {only_perhaps} held by words alone; \
             {unsure:?}; {stacks:?}"
        );
        assert!(looks >= 3, "go1.{minor} {folder}: {looks}");
    }
}

macro_rules! cells {
    ($($name:ident: $check:ident, $($argument:expr),*;)*) => { $(#[test] fn $name() { $check($($argument),*); })* };
}

cells! {
    busy_go1_19: nothing_dead_is_held, 19, Mode::Stripped;
    busy_go1_20: nothing_dead_is_held, 20, Mode::Stripped;
    busy_go1_21: nothing_dead_is_held, 21, Mode::Stripped;
    busy_go1_22: nothing_dead_is_held, 22, Mode::Stripped;
    busy_go1_23: nothing_dead_is_held, 23, Mode::Stripped;
    busy_go1_24: nothing_dead_is_held, 24, Mode::Stripped;
    busy_go1_25: nothing_dead_is_held, 25, Mode::Stripped;
    busy_go1_26: nothing_dead_is_held, 26, Mode::Stripped;
    busy_go1_27: nothing_dead_is_held, 27, Mode::Stripped;
    rooted_go1_19: planted_objects_are_held_by_what_holds_them, 19, Mode::Plain, "";
    rooted_go1_19_stripped: planted_objects_are_held_by_what_holds_them, 19, Mode::Stripped, "";
    rooted_go1_20: planted_objects_are_held_by_what_holds_them, 20, Mode::Stripped, "";
    rooted_go1_21: planted_objects_are_held_by_what_holds_them, 21, Mode::Stripped, "";
    rooted_go1_22: planted_objects_are_held_by_what_holds_them, 22, Mode::Plain, "";
    rooted_go1_22_stripped: planted_objects_are_held_by_what_holds_them, 22, Mode::Stripped, "";
    rooted_go1_23: planted_objects_are_held_by_what_holds_them, 23, Mode::Stripped, "";
    rooted_go1_24: planted_objects_are_held_by_what_holds_them, 24, Mode::Stripped, "";
    rooted_go1_25: planted_objects_are_held_by_what_holds_them, 25, Mode::Stripped, "";
    rooted_go1_25_green_tea: planted_objects_are_held_by_what_holds_them, 25, Mode::Stripped, "greenteagc";
    rooted_go1_26: planted_objects_are_held_by_what_holds_them, 26, Mode::Plain, "";
    rooted_go1_26_stripped: planted_objects_are_held_by_what_holds_them, 26, Mode::Stripped, "";
    rooted_go1_27_pie: planted_objects_are_held_by_what_holds_them, 27, Mode::PieStripped, "";
    rooted_go1_27_stripped: planted_objects_are_held_by_what_holds_them, 27, Mode::Stripped, "";
}
