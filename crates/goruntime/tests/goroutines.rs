//! Goroutines in every state (`lab/programs/goroutines`): state, calls, creators, labels and ancestors, from
//! a copy alone. What Go itself prints of them is compared line by line in `cli/tests/goroutines.rs`;
//! goroutines that run are in `recorder/tests/goroutines.rs`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use std::collections::BTreeMap;

use lastgasp_goruntime::{
    CopySource, Evidence, EvidencePlan, Extent, Goroutine, LabelSalt, Runtime, Status, Symbolizer,
    decode_all_goroutines, is_system,
};
use lastgasp_inferior::{BlockCache, Layered, LiveProcess};
use lastgasp_lab::build::{Mode, cache_dir};
use lastgasp_lab::goroutines::Goroutines;
use lastgasp_lab::toolchain::find_or_fetch;
use lastgasp_report::printed_name;

/// The states that the program plants: (a call on the stack, state, how many at least).
const PLANTED: &[(&str, &str, usize)] = &[
    ("main.park.func1", "chan receive", 1),
    ("main.park.func2", "chan send", 1),
    ("main.park.func3", "chan receive (nil chan)", 1),
    ("main.park.func4", "select (no cases)", 1),
    ("main.park.func5", "select", 1),
    ("main.(*server).handle", "chan receive", 3),
    ("main.(*server).wait", "chan receive", 3),
    ("sync.(*Cond).Wait", "sync.Cond.Wait", 1),
    ("time.Sleep", "sleep", 1),
    ("main.blockingRead", "syscall", 1),
    ("main.locked", "chan receive", 1),
    ("main.labelled", "chan receive", 2),
    ("main.chain", "chan receive", 5),
    ("main.generic[...]", "chan receive", 2),
    ("main.panicking", "chan receive", 1),
    ("runtime.gopanic", "chan receive", 2),
    ("runtime.sigpanic", "chan receive", 1),
    ("main.deep", "chan receive", 1),
    ("net.(*netFD).accept", "IO wait", 1),
    ("os.(*File).Read", "IO wait", 1),
];

fn check(minor: u16, mode: Mode) {
    let binary = match find_or_fetch(minor, &cache_dir()).and_then(|t| Goroutines::build(&t, mode)) {
        Ok(b) => b,
        Err(e) => {
            eprintln!("SKIPPED: Go 1.{minor} {}: {e:#}", mode.name());
            assert!(e.to_string().contains("no Go 1."), "only a missing toolchain may skip: {e:#}");
            return;
        }
    };
    let program = Goroutines::start(&binary, &[], "tracebackancestors=3").unwrap();
    let live = LiveProcess::open(program.pid()).unwrap();
    let rt = Runtime::discover(live.image(), live.bias(), &live).unwrap();
    let mut plan = EvidencePlan::default();
    plan.update(&rt, &live);
    let source = CopySource { runtime: &rt, plan: &plan, mem: &live, registers: &[] };
    let mut evidence = Evidence::with_room(&source, Extent::Whole, 64 << 20);
    evidence.copy(&source, Extent::Whole);
    evidence.finish();
    assert_eq!(evidence.gaps, []);
    let file = live.image().memory(live.bias(), &rt.constant_ranges()).unwrap();
    let constants = BlockCache::new(Layered { top: file, bottom: &evidence.snapshot });
    let symbols = Symbolizer::new(&constants, &rt.module, rt.layout);
    let mut gaps = Vec::new();
    let salt = LabelSalt::default();
    let all = decode_all_goroutines(&rt, &evidence.snapshot, &symbols, &[], &salt, &mut gaps);
    assert_eq!(gaps, []);
    assert!(all.dead < 200, "{}", all.dead);
    let user: Vec<&Goroutine> = all.live.iter().filter(|g| !is_system(g)).collect();
    for g in &user {
        // A thread of C is here at home in Go: what it waits in began in C.
        assert_eq!((&g.cut, g.left_out), (&None, false), "{g:#?}");
        assert_eq!(g.stack.last().unwrap().frame.function, "runtime.goexit", "{g:#?}");
    }
    for (call, state, least) in PLANTED {
        let found = user.iter().filter(|g| {
            let s = if g.wait_reason.is_empty() { g.status.name() } else { g.wait_reason };
            // Locks have had reasons of their own since Go 1.20, and `WaitGroup` since 1.24.
            s == *state && g.calls().any(|c| printed_name(&c.frame.function, minor) == *call)
        });
        let n = found.count();
        assert!(n >= *least, "{n} of {least} in {call} with {state:?}: {:#?}", summary(&user));
    }
    let with = |function: &str| -> Vec<&&Goroutine> {
        user.iter().filter(|g| g.calls().any(|c| c.frame.function == function)).collect()
    };
    assert!(with("main.locked").iter().all(|g| g.locked));
    let deep = with("main.deep");
    assert_eq!(deep[0].calls().filter(|c| c.frame.function == "main.deep").count(), 31 + 251);
    // The finalizer goroutine is the user's while it runs the user's code.
    assert!(user.iter().any(|g| matches!(g.start_function.as_str(), "runtime.runfinq" | "runtime.runFinalizers")));
    if minor >= 23 {
        assert!(user.iter().filter(|g| g.wait_reason == "coroutine").count() >= 2, "{:#?}", summary(&user));
    }
    if mode == Mode::CgoPieStripped {
        let in_c = user
            .iter()
            .filter(|g| g.status == Status::Syscall && g.calls().any(|c| c.function.starts_with("main._Cfunc")));
        assert_eq!(in_c.count(), 1, "{:#?}", summary(&user));
        let back = with("main.intoGo");
        assert_eq!(back.len(), 2, "{:#?}", summary(&user));
        let names = |g: &Goroutine| g.calls().map(|c| c.frame.function.clone()).collect::<Vec<_>>();
        assert!(back.iter().any(|g| names(g).iter().any(|n| n == "main._Cfunc_backIntoGo")), "through C and back");
        assert!(
            back.iter().any(|g| g.start_function.is_empty() && g.locked),
            "from a thread of C: {:#?}",
            summary(&user)
        );
    }
    labels(&with("main.labelled"));
    creation(&with("main.chain"), minor);
    // Another capture has another salt.
    let again = decode_all_goroutines(&rt, &evidence.snapshot, &symbols, &[], &LabelSalt::default(), &mut gaps);
    let hashes =
        |all: &[Goroutine]| -> Vec<u64> { all.iter().flat_map(|g| g.labels.iter().map(|l| l.value_hash)).collect() };
    assert_ne!(hashes(&all.live), hashes(&again.live));
}

fn summary(user: &[&Goroutine]) -> Vec<String> {
    let names = |g: &Goroutine| g.calls().map(|c| c.frame.function.clone()).collect::<Vec<_>>().join(" < ");
    user.iter().map(|g| format!("{} {:?} {}: {:.300}", g.goid, g.status, g.wait_reason, names(g))).collect()
}

/// Keys as they are, values as hashes: equal ones are equal and nothing else can be told.
fn labels(labelled: &[&&Goroutine]) {
    let mut sets: Vec<BTreeMap<&str, u64>> =
        labelled.iter().map(|g| g.labels.iter().map(|l| (l.key.as_str(), l.value_hash)).collect()).collect();
    sets.sort_by_key(BTreeMap::len);
    assert_eq!(sets[0].keys().copied().collect::<Vec<_>>(), ["path", "tenant"]);
    assert_eq!(sets[1].len(), 14, "{sets:?}");
    assert_eq!((sets[0]["path"], sets[0]["tenant"]), (sets[1]["path"], sets[1]["tenant"]));
    assert_ne!(sets[0]["path"], sets[0]["tenant"]);
    assert_ne!(sets[1]["key00"], sets[1]["key01"]);
}

/// Who started whom: `chain(4)` in `chain(3)`'s statement and so on, ancestors up to the three that GODEBUG
/// asks for.
fn creation(chain: &[&&Goroutine], minor: u16) {
    let mut by_ancestors: Vec<&&&Goroutine> = chain.iter().collect();
    by_ancestors.sort_by_key(|g| g.goid);
    assert_eq!(chain.len(), 5);
    let ids: Vec<u64> = by_ancestors.iter().map(|g| g.goid).collect();
    for g in chain {
        let creator = g.created_by.as_ref().unwrap();
        assert!(matches!(creator.function.as_str(), "main.chain" | "main.park"), "{creator:?}");
        assert!(creator.offset.is_some());
        assert_eq!(g.parent != 0, minor >= 21);
        let nearest = &g.ancestors[0];
        let stood = nearest.stack.iter().find(|c| c.function.starts_with("main.")).unwrap();
        if creator.function == "main.chain" {
            assert!(ids.contains(&nearest.goid), "{g:#?}");
            assert_eq!(stood.function, "main.chain", "{nearest:#?}");
        } else {
            assert_eq!((nearest.goid, stood.function.as_str()), (1, "main.park"), "{nearest:#?}");
        }
    }
    assert_eq!(chain.iter().map(|g| g.ancestors.len()).max(), Some(3));
}

macro_rules! matrix {
    ($($name:ident: $minor:expr, $mode:expr;)*) => { $(#[test] fn $name() { check($minor, $mode); })* };
}

matrix! {
    go1_20_plain: 20, Mode::Plain;
    go1_20_stripped: 20, Mode::Stripped;
    go1_20_cgo: 20, Mode::CgoPieStripped;
    go1_21_stripped: 21, Mode::Stripped;
    go1_22_stripped: 22, Mode::Stripped;
    go1_23_stripped: 23, Mode::Stripped;
    go1_23_cgo: 23, Mode::CgoPieStripped;
    go1_24_stripped: 24, Mode::Stripped;
    go1_25_stripped: 25, Mode::Stripped;
    go1_26_stripped: 26, Mode::Stripped;
    go1_27_plain: 27, Mode::Plain;
    go1_27_stripped: 27, Mode::Stripped;
    go1_27_cgo: 27, Mode::CgoPieStripped;
}
