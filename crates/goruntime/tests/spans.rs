//! The span table against what real Go programs say of themselves (`lab/programs/oracle`), and, of one that
//! allocates and forgets without end (`lab/programs/churn`), against the pacer's own count at any moment,
//! with spans that wait for the sweeper.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use std::time::{Duration, Instant};

use lastgasp_goruntime::{MemStats, Runtime, SpanTable, free_pages};
use lastgasp_inferior::{LiveProcess, thread_ids};
use lastgasp_lab::build::{Mode, cache_dir};
use lastgasp_lab::oracle::Oracle;
use lastgasp_lab::toolchain::{Toolchain, find_or_fetch};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ProgramMemStats {
    heap_alloc: u64,
    heap_inuse: u64,
    heap_objects: u64,
    by_size: Vec<BySize>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct BySize {
    size: u64,
    mallocs: u64,
    frees: u64,
}

fn toolchain(minor: u16) -> Option<Toolchain> {
    find_or_fetch(minor, &cache_dir()).map_err(|e| eprintln!("SKIPPED: {e:#}")).ok()
}

fn within(ours: u64, theirs: u64, share: f64) -> bool {
    ours.abs_diff(theirs) as f64 <= theirs as f64 * share
}

/// Every page of an arena is in a span in use or free: at a moment when nothing moves. The process runs on
/// while both are read (seen: the stack of a goroutine, 32 KiB, between the two), and so this is tried again.
fn every_page_is_in_a_span_or_free(rt: &Runtime, live: &LiveProcess) {
    let mut counted = (0, 1);
    for _ in 0..50 {
        let spans = SpanTable::read(rt, live, &mut Vec::new()).unwrap();
        let free = free_pages(rt, live).unwrap();
        assert!(free.bytes() > 0);
        let arenas: u64 = spans.arenas.iter().map(|a| a.len()).sum();
        counted = (free.bytes() + spans.span_bytes() + spans.manual_bytes, arenas);
        if counted.0 == counted.1 {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("never equal: {counted:?}");
}

fn as_the_program_counts(minor: u16, mode: Mode) {
    let Some(toolchain) = toolchain(minor) else { return };
    let oracle = Oracle::start(&toolchain, mode).unwrap();
    let truth: ProgramMemStats = serde_json::from_slice(&oracle.mem_stats().unwrap()).unwrap();
    let live = LiveProcess::open(oracle.pid()).unwrap();
    let rt = Runtime::discover(live.image(), live.bias(), &live).unwrap();
    let mut gaps = Vec::new();
    let spans = SpanTable::read(&rt, &live, &mut gaps).unwrap();
    assert_eq!(gaps, []);
    // It has allocated a little since it took them: the statistics as JSON.
    assert!(within(spans.span_bytes(), truth.heap_inuse, 0.01), "{} {}", spans.span_bytes(), truth.heap_inuse);
    assert!(within(spans.object_bytes(), truth.heap_alloc, 0.01), "{} {}", spans.object_bytes(), truth.heap_alloc);
    assert!(spans.objects().abs_diff(truth.heap_objects) < 600, "{} {}", spans.objects(), truth.heap_objects);
    let stats = MemStats::read(&rt, &live).unwrap();
    assert_eq!(spans.span_bytes(), stats.heap_in_use);
    every_page_is_in_a_span_or_free(&rt, &live);
    let mut compared = 0;
    for (size, theirs) in truth.by_size.iter().map(|c| (c.size, c.mallocs - c.frees)).filter(|(_, n)| *n > 50) {
        let ours: u64 = spans.classes.iter().filter(|c| c.elem_size == size).map(|c| c.objects).sum();
        // Slots of 16 bytes hold several tiny objects each.
        if size > 16 {
            assert!(ours.abs_diff(theirs) <= 100, "size {size}: {ours} against {theirs}");
            compared += 1;
        }
    }
    assert!(compared >= 5, "{compared} classes");
    // 64 buffers of 1 MiB without pointers.
    let buffers = spans.large.iter().filter(|o| o.bytes == 1 << 20 && o.noscan).map(|o| o.count).sum::<u64>();
    assert!(buffers >= 64, "{buffers}");
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

fn at_any_moment_of_a_collection(minor: u16, mode: Mode) {
    let Some(toolchain) = toolchain(minor) else { return };
    let churn = Oracle::start_program(&toolchain, mode, "lab/programs/churn").unwrap();
    let live = LiveProcess::open(churn.pid()).unwrap();
    std::thread::sleep(Duration::from_millis(500));
    let rt = Runtime::discover(live.image(), live.bias(), &live).unwrap();
    let (mut compared, mut with_garbage, mut most) = (0, 0, 0.0f64);
    let mut typed = false;
    for _ in 0..500 {
        // How often a moment between two marks is met depends on the machine.
        if compared >= 15 && with_garbage >= 3 && (typed || minor < 22) {
            break;
        }
        stop(churn.pid());
        let mut gaps = Vec::new();
        let mut spans = SpanTable::read(&rt, &live, &mut gaps).unwrap();
        let stats = MemStats::read(&rt, &live).unwrap();
        spans.name_types(&rt, &live);
        kill(Pid::from_raw(churn.pid()), Signal::SIGCONT).unwrap();
        assert_eq!(gaps, []);
        // A span can be half made at the moment of the stop, not more.
        assert!(within(spans.span_bytes(), stats.heap_in_use, 0.01), "{} {}", spans.span_bytes(), stats.heap_in_use);
        // Between two marks the pacer's live heap is what the last mark found, and every span that was handed
        // out since, as a whole.
        if stats.gc_phase == 0 && stats.gc_cycles > 2 {
            let alive = spans.object_bytes() - spans.garbage_bytes();
            most = most.max((alive as f64 / stats.heap_live as f64 - 1.0).abs());
            compared += 1;
            with_garbage += usize::from(spans.garbage_bytes() > spans.object_bytes() / 50);
        }
        typed |= spans
            .large
            .iter()
            .filter_map(|o| o.element.as_ref())
            .any(|(name, size)| name == "main.block" && *size == 32768);
        std::thread::sleep(Duration::from_millis(7));
    }
    eprintln!(
        "go1.{minor}: {compared} moments, {with_garbage} with garbage to sweep, off by {:.2} % at most",
        most * 100.0
    );
    assert!(compared >= 5 && with_garbage >= 1, "{compared} {with_garbage}");
    // The pacer counts spans that a P has been handed as full: two Ps (main.go), a span of each class each.
    assert!(most < 0.06, "{most}");
    // 4096 pointers are 32 KiB: a span of its own, and from Go 1.22 its type is kept.
    assert!(typed || minor < 22, "no main.block among the large objects");
}

macro_rules! cells {
    ($($name:ident: $check:ident, $minor:expr, $mode:expr;)*) => { $(#[test] fn $name() { $check($minor, $mode); })* };
}

cells! {
    counts_go1_20: as_the_program_counts, 20, Mode::Stripped;
    counts_go1_22: as_the_program_counts, 22, Mode::Stripped;
    counts_go1_24: as_the_program_counts, 24, Mode::Plain;
    counts_go1_27: as_the_program_counts, 27, Mode::Stripped;
    moments_go1_20: at_any_moment_of_a_collection, 20, Mode::Stripped;
    moments_go1_24: at_any_moment_of_a_collection, 24, Mode::Stripped;
    moments_go1_27: at_any_moment_of_a_collection, 27, Mode::Stripped;
}
