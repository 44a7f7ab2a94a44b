//! A process that is packed while it stands still: its graph is the one that is made of its memory where it
//! is, of programs of every kind of map, channel, lock and type, whatever the release.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use std::time::{Duration, Instant};

use lastgasp_decode::{ReadBefore, WholeMemory, graph_alone, pack_standing_still};
use lastgasp_diagnosis::facts::GraphFacts;
use lastgasp_goruntime::Extent;
use lastgasp_inferior::{Layered, LiveProcess, OwnPages, Stat, thread_ids};
use lastgasp_lab::build::{Mode, cache_dir};
use lastgasp_lab::oracle::Oracle;
use lastgasp_lab::toolchain::find_or_fetch;
use lastgasp_observe::kernel::cgroup::Mounts;
use lastgasp_observe::raw_capture::{Phase, RawCapture, Reason};
use lastgasp_observe::target::Target;
use lastgasp_observe::target::runtime_cache::RuntimeCache;
use lastgasp_observe::target::timeline::Timeline;
use lastgasp_recorder::take::{CaptureContext, take};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// What is said of the same heap, without how long it took.
fn timeless(graph: GraphFacts) -> GraphFacts {
    GraphFacts { phases: Vec::new(), took_ns: 0, ..graph }
}

/// Fails with what is in one list and not in the other.
fn same<T: PartialEq + std::fmt::Debug>(what: &str, packed: &[T], in_place: &[T], folder: &str) {
    let more =
        |of: &[T], than: &[T]| of.iter().filter(|one| !than.contains(one)).map(|one| format!("{one:?}")).collect();
    let (more, less): (Vec<String>, Vec<String>) = (more(packed, in_place), more(in_place, packed));
    assert!(packed == in_place, "{folder}: {what}: packed {more:#?} in place {less:#?}");
}

/// Stops a process for as long as both take, on whatever machine: longer than a tracer may.
fn stand_still(pid: i32) {
    kill(Pid::from_raw(pid), Signal::SIGSTOP).unwrap();
    let until = Instant::now() + Duration::from_secs(10);
    let is_stopped = |tid: &i32| Stat::of_thread(pid, *tid).is_none_or(|stat| stat.state() == Some('T'));
    while !thread_ids(pid).iter().all(is_stopped) {
        assert!(Instant::now() < until, "{pid} does not stop");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The graph of its memory where it is, and of what was packed.
fn both_ways(raw: &RawCapture, live: &LiveProcess) -> (GraphFacts, GraphFacts) {
    let whole = WholeMemory { is_copied: true, ..WholeMemory::of(live, "live") };
    let in_place = graph_alone(raw, whole, ReadBefore::default(), &mut |_| {}).unwrap();
    let pages = OwnPages::new(live.maps_file().unwrap(), live.page_map().unwrap().into_file());
    let stood = pack_standing_still(raw, (live, live), &pages, 1 << 30).expect("packed");
    let contents = Layered { top: &stood.memory, bottom: live };
    let whole = WholeMemory { is_copied: true, contents: &contents, ..WholeMemory::of(&stood.memory, "live") };
    let read_before = ReadBefore { objects: Some(stood.objects), ..ReadBefore::default() };
    (in_place, graph_alone(raw, whole, read_before, &mut |_| {}).unwrap())
}

fn packed_is_as_in_place(folder: &str, minor: u16, mode: Mode) {
    let Some(toolchain) = find_or_fetch(minor, &cache_dir()).map_err(|e| eprintln!("SKIPPED: {e:#}")).ok() else {
        return;
    };
    let program = Oracle::start_program_with(&toolchain, mode, folder, &["truth.json"], "").unwrap();
    program.truth().unwrap();
    stand_still(program.pid());
    let target = Target::attach(program.pid(), &Mounts::detect(), &RuntimeCache::default()).unwrap();
    let timeline = Timeline::default();
    let context = CaptureContext {
        extent: Extent::Whole,
        phase: Phase::Manual,
        reason: Reason::Manual,
        timeline: &timeline,
        limit: None,
        last_usage: None,
        last_gauges: None,
        last_neighbours: None,
        group: None,
        places: None,
        patience: Duration::from_secs(5),
        only_copy: true,
    };
    let raw = take(&target, None, context);
    let (in_place, packed) = both_ways(&raw, &target.process);
    assert!(packed.objects > 100 && packed.typed_bytes > 0, "{folder}");
    let (in_place, packed) = (timeless(in_place), timeless(packed));
    // One by one, so that it is seen what it is.
    same("gaps", &packed.gaps, &in_place.gaps, folder);
    same("types", &packed.types, &in_place.types, folder);
    same("roots", &packed.roots, &in_place.roots, folder);
    same("census", &packed.census, &in_place.census, folder);
    same("copies", &packed.copies, &in_place.copies, folder);
    same("waste", &packed.waste, &in_place.waste, folder);
    let blocked = |graph: &GraphFacts| {
        let mut blocked = graph.blocked.clone().expect("blocked");
        blocked.took_ns = 0;
        blocked
    };
    assert_eq!(blocked(&packed), blocked(&in_place), "{folder}");
    assert_eq!(GraphFacts { blocked: None, ..packed }, GraphFacts { blocked: None, ..in_place }, "{folder}");
}

macro_rules! as_in_place {
    ($($name:ident: $minor:expr, $mode:expr;)*) => {
        $(#[test] fn $name() {
            for folder in ["heaps", "awaited", "leaked", "typed", "rooted"] {
                packed_is_as_in_place(&format!("lab/programs/{folder}"), $minor, $mode);
            }
        })*
    };
}

as_in_place! {
    go1_19_stripped: 19, Mode::Stripped;
    go1_22_plain: 22, Mode::Plain;
    go1_24_plain: 24, Mode::Plain;
    go1_26_stripped: 26, Mode::Stripped;
    go1_27_stripped: 27, Mode::Stripped;
}
