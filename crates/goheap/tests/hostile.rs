//! Heaps that lie: core files of real programs in which words were replaced by small numbers, rings,
//! addresses of other objects, of types that are none, anything. All that is said of a heap is asked of them:
//! objects, roots, types, ways, census, copies, waste, who waits for what and who can be woken. There must be
//! an end within bounded time and memory, gaps, and no panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use std::fs::{self, File};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use lastgasp_goheap::{
    Heap, Phases, Reached, ReadBefore, SurveyLimits, Ways, dominator_tree, sampled, watched_addresses,
};
use lastgasp_goruntime::waits::{self, Waiting, What};
use lastgasp_goruntime::{HeapObjects, LabelSalt, Symbolizer, decode_all_goroutines, each_goroutine, specials};
use lastgasp_inferior::{Addr, AddrRange, CoreFile, Layered, Memory, ReadError, Stat};
use lastgasp_lab::build::{Mode, build, cache_dir, repo_root};
use lastgasp_lab::oracle::Oracle;
use lastgasp_lab::toolchain::find_or_fetch;
use lastgasp_observe::core::take_core;
use lastgasp_observe::raw_capture::RawCapture;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rustc_hash::FxHashSet;

/// Most processor time that one damaged heap may take.
const LONGEST: Duration = Duration::from_secs(20);
/// Most memory that all of them together may have needed at one time, beside the core.
const MOST_MEMORY: u64 = 1 << 30;
/// Heaps damaged in each way.
const SEEDS: u64 = 6;

fn core_of(minor: u16, program: &str) -> Option<(Oracle, PathBuf)> {
    let pattern = fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap();
    if pattern.starts_with('|') || pattern.starts_with('/') {
        eprintln!("SKIPPED: the kernel sends core files elsewhere (core_pattern is {})", pattern.trim());
        return None;
    }
    let toolchain = find_or_fetch(minor, &cache_dir()).map_err(|e| eprintln!("SKIPPED: {e:#}")).ok()?;
    let binary = build(&toolchain, Mode::Stripped, &repo_root().join("lab/programs").join(program), ".").unwrap();
    let mut program = Oracle::start_still(&binary).unwrap();
    kill(Pid::from_raw(program.pid()), Signal::SIGABRT).unwrap();
    let status = program.wait().unwrap();
    let mut entries = fs::read_dir(program.dir()).unwrap().flatten().map(|e| e.path());
    let core = entries.find(|p| p.file_name().unwrap().to_string_lossy().starts_with("core"));
    let core = core.unwrap_or_else(|| panic!("no core in {}: {status}", program.dir().display()));
    Some((program, core))
}

/// What is damaged.
#[derive(Clone, Copy, Debug)]
enum Part {
    /// Objects.
    Heap,
    /// Objects, but for the addresses of types that they hold: lengths, counts, tables, pointers.
    Values,
    /// Pointers of objects: each leads to another object then, or to its own. Rings, shared ends, deep lists.
    Pointers,
    /// Stacks of goroutines, and their own structures.
    Stacks,
    /// What is noted of objects: finalizers, cleanups, samples.
    Specials,
    /// Descriptors of types.
    Types,
    /// All that the process wrote, spans and variables too.
    Everything,
}

/// Memory in which some words were replaced.
struct Damaged<'a> {
    inner: &'a (dyn Memory + Sync),
    /// Where, in order.
    ranges: Vec<AddrRange>,
    heap: Vec<AddrRange>,
    types: AddrRange,
    one_in: u64,
    part: Part,
    seed: u64,
}

fn mix(x: u64) -> u64 {
    let x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ x >> 31
}

impl Damaged<'_> {
    /// What stands at an address instead of what stood there.
    fn word(&self, at: u64, stood: Option<u64>) -> Option<u64> {
        if let (Part::Values, Some(word)) = (self.part, stood)
            && self.types.contains(Addr(word))
        {
            return None;
        }
        if matches!(self.part, Part::Pointers) {
            let is_pointer = |word: u64| {
                let next = self.heap.partition_point(|s| s.start.0 <= word);
                next.checked_sub(1).is_some_and(|i| self.heap[i].contains(Addr(word)))
            };
            stood.filter(|word| is_pointer(*word))?;
        }
        let x = mix(at.wrapping_add(self.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
        let y = mix(x);
        if !x.is_multiple_of(self.one_in) {
            return None;
        }
        let pointer = || {
            let span = self.heap[(y >> 16) as usize % self.heap.len()];
            span.start.0 + (y >> 3) % span.len() / 8 * 8
        };
        if matches!(self.part, Part::Pointers) {
            return Some(if y.is_multiple_of(4) { at } else { pointer() });
        }
        Some(match y % 10 {
            0 => y >> 8 & 0xff,
            1 => (y >> 8) % (1 << 40),
            2 => 1 << (y >> 8 & 63),
            3 => u64::MAX - (y >> 8 & 0xff),
            // Rings of one, and of two.
            4 => at,
            5 => at ^ 0x40,
            6 | 7 => pointer(),
            8 => self.types.start.0 + (y >> 8) % self.types.len() / 8 * 8,
            _ => y,
        })
    }
}

impl Memory for Damaged<'_> {
    fn read(&self, addr: Addr, buf: &mut [u8]) -> Result<(), ReadError> {
        self.inner.read(addr, buf)?;
        let end = addr.0 + buf.len() as u64;
        let first = self.ranges.partition_point(|r| r.end <= addr);
        for range in self.ranges.iter().skip(first).take_while(|r| r.start.0 < end) {
            let from = range.start.0.max(addr.0) / 8 * 8;
            for at in (from..range.end.0.min(end)).step_by(8) {
                let stood = at.checked_sub(addr.0).and_then(|i| buf.get(i as usize..i as usize + 8));
                let stood = stood.map(|word| u64::from_le_bytes(word.try_into().unwrap()));
                let Some(word) = self.word(at, stood) else { continue };
                for (at, byte) in (at..).zip(word.to_le_bytes()) {
                    let place = at.checked_sub(addr.0).and_then(|i| buf.get_mut(i as usize));
                    place.into_iter().for_each(|b| *b = byte);
                }
            }
        }
        Ok(())
    }
}

/// Processor time of this process, all its threads.
fn processor_time() -> Duration {
    Stat::of_process(std::process::id() as i32).unwrap().processor_time().unwrap()
}

/// Most memory that this process has had, in bytes.
fn peak() -> u64 {
    let text = fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find_map(|l| l.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

fn heaps_that_lie(minor: u16, program: &str) {
    let Some((_program, path)) = core_of(minor, program) else { return };
    let taken = take_core(&path, None).unwrap();
    let rt = &taken.runtime;
    let core = CoreFile::open(File::open(&path).unwrap(), "core").unwrap();
    let (constants, _) = taken.binary.constants(rt).unwrap();
    let memory = Layered { top: &core, bottom: constants };
    let objects = HeapObjects::read(rt, &memory, &mut Vec::new()).unwrap();
    let heap: Vec<AddrRange> = objects.spans().iter().map(lastgasp_goruntime::ObjectSpan::range).collect();
    let notes = specials(rt, &memory, &objects, &mut Vec::new());
    let mut goroutines = Vec::new();
    each_goroutine(rt, &memory, |_, at| {
        goroutines.push(AddrRange::sized(at, 400));
        if let (Ok(start), Ok(end)) = (memory.ptr(at), memory.ptr(at.plus(8))) {
            goroutines.push(AddrRange { start, end });
        }
    });
    goroutines.sort_by_key(|r| r.start);
    // Without their own structures, deferred calls and the list of all of them there is no graph.
    let mut own: Vec<Addr> = goroutines.iter().map(|g| g.start).collect();
    own.extend(memory.ptr(rt.globals.allgptr));
    each_goroutine(rt, &memory, |_, at| {
        let next = |at: &Addr| memory.ptr(at.plus(rt.layout.deferred.link)).ok();
        let first = memory.ptr(at.plus(rt.layout.g.defers)).ok();
        own.extend(std::iter::successors(first, next).take_while(|at| !at.is_null()).take(100));
    });
    let values: Vec<AddrRange> = heap.iter().copied().filter(|s| !own.iter().any(|at| s.contains(*at))).collect();
    let mut records: Vec<AddrRange> = notes.iter().map(|s| AddrRange::sized(s.at, 48)).collect();
    records.sort_by_key(|r| r.start);
    let mut written: Vec<AddrRange> = core.ranges().collect();
    written.sort_by_key(|r| r.start);
    let before = peak();
    let (mut graphs, mut all) = (0, 0);
    let parts = [Part::Heap, Part::Values, Part::Pointers, Part::Stacks, Part::Specials, Part::Types, Part::Everything];
    for part in parts {
        let (ranges, rates) = match part {
            Part::Heap => (heap.clone(), [2, 16, 1000]),
            Part::Values => (values.clone(), [2, 30, 1000]),
            Part::Pointers => (values.clone(), [1, 3, 100]),
            Part::Stacks => (goroutines.clone(), [3, 20, 300]),
            Part::Specials => (records.clone(), [2, 8, 40]),
            Part::Types => (vec![rt.module.types], [3, 30, 1000]),
            Part::Everything => (written.clone(), [10, 1000, 100_000]),
        };
        for (seed, one_in) in (0..SEEDS).zip(rates.into_iter().cycle()) {
            let (ranges, heap) = (ranges.clone(), heap.clone());
            let lies = Damaged { inner: &memory, ranges, heap, types: rt.module.types, one_in, part, seed };
            let began = processor_time();
            let mut gaps = Vec::new();
            let symbols = Symbolizer::new(&lies, &rt.module, rt.layout);
            let salt = LabelSalt::default();
            let found = decode_all_goroutines(rt, &lies, &symbols, &taken.registers, &salt, &mut gaps);
            // Those of before have no say in whether there is a graph.
            let mut gaps = Vec::new();
            let heap = Heap::read(&taken, &lies, &found.live, &mut gaps);
            all += 1;
            graphs += u32::from(heap.is_some());
            assert!(heap.is_some() || !gaps.is_empty(), "no graph, and nothing says why");
            if let Some(heap) = &heap {
                let ways = Ways::of(heap);
                let merged = ways.merging().merged(300);
                let live = heap.live();
                assert!(u64::from(live.objects) <= heap.taken.0 && live.bytes <= heap.taken.1);
                assert!(merged.iter().all(|w| w.own.bytes <= live.bytes && w.retained.bytes <= live.bytes));
                let _ = (heap.by_type_and_root(), heap.roots().count(), heap.roots_not_read());
                let _ = (dominator_tree(heap, 500), sampled(heap).len());
                let survey = heap.survey(SurveyLimits::default(), &mut gaps, &mut Phases::default());
                assert!(survey.census.len() <= objects.len() as usize * 2);
            }
            let took = processor_time() - began;
            eprintln!(
                "{program} go1.{minor}: {part:?}, one word in {one_in}: {took:?}, graph {}, {gaps:?}",
                heap.is_some()
            );
            assert!(took < LONGEST, "{part:?}, one in {one_in}, seed {seed}: {took:?}");
        }
    }
    // The kernel counts pages for each processor by itself, so that a later look may show less (seen once).
    let more = peak().saturating_sub(before);
    eprintln!("{program} go1.{minor}: {graphs} of {all} had a graph; {} MB", more >> 20);
    assert!(more < MOST_MEMORY, "{more} bytes");
    // Whatever objects hold beside the types of others: there is a graph.
    assert!(graphs > 2 * SEEDS as u32, "{graphs} of {all}");
}

#[test]
fn newest() {
    heaps_that_lie(27, "holders");
}

#[test]
fn with_bitmaps() {
    heaps_that_lie(19, "holders");
}

#[test]
fn with_headers_and_old_maps() {
    heaps_that_lie(22, "heaps");
}

/// What goroutines wait by: their `sudog`s, and what stands at the heads of the queues that these are in.
fn places_of_waits(rt: &lastgasp_goruntime::Runtime, memory: &dyn Memory, waiting: &Waiting) -> Vec<AddrRange> {
    let l = rt.layout;
    let mut all = Vec::new();
    each_goroutine(rt, memory, |_, g| {
        let mut at = memory.ptr(g.plus(l.g.waiting)).unwrap_or_default();
        for _ in 0..8 {
            if at.is_null() {
                break;
            }
            all.push(AddrRange::sized(at, l.sudog.sizeof));
            at = memory.ptr(at.plus(l.sudog.waitlink)).unwrap_or_default();
        }
    });
    for object in waiting.objects.iter().filter(|o| matches!(o.what, What::Channel(_))) {
        all.extend([l.hchan.recvq, l.hchan.sendq].map(|queue| AddrRange::sized(object.at.plus(queue), 16)));
    }
    all.sort_by_key(|r| r.start);
    all.dedup_by(|a, b| a.start < b.end);
    all
}

/// Who is proved to wait for ever, by number, and why nobody is.
fn proved(taken: &RawCapture, memory: &(dyn Memory + Sync)) -> (Vec<u64>, Vec<String>, Waiting) {
    let rt = &taken.runtime;
    let symbols = Symbolizer::new(memory, &rt.module, rt.layout);
    let salt = LabelSalt::default();
    let found = decode_all_goroutines(rt, memory, &symbols, &taken.registers, &salt, &mut Vec::new());
    let waiting = waits::waiting(rt, memory, &symbols, &found.live, &mut Vec::new());
    let (watched, mut gaps, mut phases) = (watched_addresses(&waiting), Vec::new(), Phases::default());
    let goroutines = (&*found.live, &*watched);
    let heap = Heap::read_telling(
        taken,
        memory,
        goroutines,
        &mut gaps,
        &mut || {},
        (None, ReadBefore::default()),
        &mut phases,
    );
    let Some(heap) = heap else { return (Vec::new(), vec!["no graph".into()], waiting) };
    let alive = heap.liveness(&waiting);
    let _ = heap.referrers(&waiting, &alive, 100);
    let lost = waiting.goroutines.iter().zip(&alive.goroutines).filter(|(_, (reached, _))| *reached == Reached::Never);
    let lost = lost.map(|(g, _)| g.goid).collect();
    let no_proof: Vec<String> = alive.gaps.iter().chain(&waiting.unsure).cloned().collect();
    (if no_proof.is_empty() { lost } else { Vec::new() }, no_proof, waiting)
}

/// Memory that answers now so and now so: of a target that moves while it is read.
struct Moving<'a> {
    now: &'a (dyn Memory + Sync),
    then: Damaged<'a>,
    reads: AtomicU64,
}

impl Memory for Moving<'_> {
    fn read(&self, addr: Addr, buf: &mut [u8]) -> Result<(), ReadError> {
        let turn = self.reads.fetch_add(1, Ordering::Relaxed);
        if mix(turn).is_multiple_of(2) { self.now.read(addr, buf) } else { self.then.read(addr, buf) }
    }
}

/// Queues in circles, `sudog`s that point anywhere, waits that move while they are read: there is an end, and
/// of nobody whose own wait is as it was is anything proved that was not true.
fn waits_that_lie(minor: u16) {
    let Some((_program, path)) = core_of(minor, "awaited") else { return };
    let taken = take_core(&path, None).unwrap();
    let rt = &taken.runtime;
    let core = CoreFile::open(File::open(&path).unwrap(), "core").unwrap();
    let (constants, _) = taken.binary.constants(rt).unwrap();
    let memory = Layered { top: &core, bottom: constants };
    let objects = HeapObjects::read(rt, &memory, &mut Vec::new()).unwrap();
    let heap: Vec<AddrRange> = objects.spans().iter().map(lastgasp_goruntime::ObjectSpan::range).collect();
    let (truth, no_proof, waiting) = proved(&taken, &memory);
    assert_eq!(no_proof, Vec::<String>::new());
    let ranges = places_of_waits(rt, &memory, &waiting);
    assert!(ranges.len() >= 40, "{}", ranges.len());
    let damaged = |one_in, seed| Damaged {
        inner: &memory,
        ranges: ranges.clone(),
        heap: heap.clone(),
        types: rt.module.types,
        one_in,
        part: Part::Heap,
        seed,
    };
    let (mut said, mut refused) = (0, 0);
    for (seed, one_in) in (0..SEEDS * 2).zip([2, 20, 200, 2000].into_iter().cycle()) {
        let lies = damaged(one_in, seed);
        let began = processor_time();
        let (found, no_proof, _) = proved(&taken, &lies);
        // Whoever waits by words that were replaced may be anybody's.
        let mut touched = FxHashSet::default();
        each_goroutine(rt, &memory, |_, g| {
            let own = memory.ptr(g.plus(rt.layout.g.waiting)).unwrap_or_default();
            let ends = own.0.saturating_add(rt.layout.sudog.sizeof);
            if (own.0..ends).step_by(8).any(|at| lies.word(at, None).is_some()) {
                touched.extend(memory.u64(g.plus(rt.layout.g.goid)));
            }
        });
        let wrong: Vec<_> = found.iter().filter(|id| !truth.contains(id) && !touched.contains(id)).collect();
        assert!(wrong.is_empty(), "go1.{minor}, one in {one_in}, seed {seed}: {wrong:?}");
        said += u32::from(no_proof.is_empty());
        refused += u32::from(!no_proof.is_empty());
        let moving = Moving { now: &memory, then: damaged(one_in, seed), reads: AtomicU64::new(seed) };
        let _ = proved(&taken, &moving);
        let took = processor_time() - began;
        assert!(took < LONGEST, "go1.{minor}, one in {one_in}, seed {seed}: {took:?}");
    }
    eprintln!("go1.{minor}: {} proved; damaged {said} times something, {refused} times nothing", truth.len());
    assert!(refused > 0, "no damage was seen");
}

#[test]
fn waits_of_the_newest() {
    waits_that_lie(27);
}

#[test]
fn waits_by_the_table_of_semaphores() {
    waits_that_lie(22);
}
