//! Goroutines that run, of `lab/programs/goroutines -busy`: stopped at a hundred moments, each must be
//! unwound to its first function from the registers of its thread, be it in its own code, allocating on the
//! system stack, assisting the GC, in the vDSO, growing its stack, in a signal handler or in C.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use std::collections::BTreeMap;
use std::time::Duration;

use lastgasp_goruntime::{
    CopySource, Evidence, EvidencePlan, Extent, Runtime, Status, Symbolizer, decode_goroutines, is_system,
};
use lastgasp_inferior::{BlockCache, Layered, LiveProcess, thread_ids};
use lastgasp_lab::build::{Mode, cache_dir};
use lastgasp_lab::goroutines::Goroutines;
use lastgasp_lab::toolchain::{any, find_or_fetch};
use lastgasp_recorder::stop::{STOP_TIMEOUT_ON_DEMAND, Stopper};

fn check(minor: u16, mode: Mode) {
    let binary = match find_or_fetch(minor, &cache_dir()).and_then(|t| Goroutines::build(&t, mode)) {
        Ok(b) => b,
        Err(e) => {
            eprintln!("SKIPPED: Go 1.{minor} {}: {e:#}", mode.name());
            assert!(e.to_string().contains("no Go 1."), "only a missing toolchain may skip: {e:#}");
            return;
        }
    };
    let program = Goroutines::start(&binary, &["-busy"], "").unwrap();
    look(program.pid(), &format!("Go 1.{minor} {}", mode.name()));
}

/// In a container the runtime's thread numbers are those of its PID namespace: threads are then told by the
/// stacks they stand on.
#[test]
fn running_in_a_pid_namespace() {
    if !nix::unistd::geteuid().is_root() {
        return eprintln!("SKIPPED: needs root for a PID namespace");
    }
    let binary = match any(&cache_dir()).and_then(|t| Goroutines::build(&t, Mode::Stripped)) {
        Ok(b) => b,
        Err(e) => return eprintln!("SKIPPED: {e:#}"),
    };
    let program = Goroutines::start_in_namespace(&binary, &["-busy"]).unwrap();
    look(program.child_pid().unwrap(), "in a namespace");
}

fn look(pid: i32, name: &str) {
    let live = LiveProcess::open(pid).unwrap();
    let rt = Runtime::discover(live.image(), live.bias(), &live).unwrap();
    let mut plan = EvidencePlan::default();
    plan.update(&rt, &live);
    let stopper = Stopper::by_ptrace_alone();
    let (mut running, mut on_system_stack, mut moments) = (0, 0, 0);
    let mut innermost: BTreeMap<String, usize> = BTreeMap::new();
    let mut bad = Vec::new();
    let samples: u64 = std::env::var("LASTGASP_TEST_SAMPLES").ok().and_then(|n| n.parse().ok()).unwrap_or(100);
    for sample in 0..samples * 3 {
        if moments == samples {
            break;
        }
        let source = CopySource { runtime: &rt, plan: &plan, mem: &live, registers: &[] };
        let mut evidence = Evidence::with_room(&source, Extent::Whole, 64 << 20);
        let mut stopped = stopper.stop(pid, STOP_TIMEOUT_ON_DEMAND);
        let registers = std::mem::take(&mut stopped.registers);
        evidence.copy(&CopySource { registers: &registers, ..source }, Extent::Whole);
        // Who stood, and who did not: for the message of a failure.
        let states = states(pid);
        let held = stopped.still_holds();
        let trouble = stopped.trouble.take();
        drop(stopped);
        if !held || trouble.is_some() {
            // A machine that is busy with other things: such a moment proves nothing either way.
            continue;
        }
        moments += 1;
        evidence.finish();
        let file = live.image().memory(live.bias(), &rt.constant_ranges()).unwrap();
        let constants = BlockCache::new(Layered { top: file, bottom: &evidence.snapshot });
        let symbols = Symbolizer::new(&constants, &rt.module, rt.layout);
        let mut gaps = evidence.gaps.clone();
        let all = decode_goroutines(&rt, &evidence.snapshot, &symbols, &registers, &mut gaps);
        assert!(all.iter().filter(|g| !is_system(g)).count() >= 30);
        for g in &all {
            let stack: Vec<String> =
                g.stack.iter().map(|c| format!("{}+{:#x}", c.frame.function, c.offset.unwrap_or(0))).collect();
            let last = g.stack.last().map_or("", |c| c.frame.function.as_str());
            let begins = leads_to(&stack, &g.start_function);
            if g.cut.is_some() || g.approximate || !matches!(last, "runtime.goexit" | "runtime.rt0_go") || !begins {
                bad.push(format!(
                    "sample {sample}: goroutine {} {:?} of {}: cut {:?}, no registers {:?}\n{stack:#?}\n{registers:?}\nstates: {states:?}",
                    g.goid, g.status, g.start_function, g.cut, g.no_registers
                ));
            }
            if g.status == Status::Running {
                running += 1;
                on_system_stack += usize::from(g.stack.iter().any(|c| c.system));
                *innermost.entry(stack.first().cloned().unwrap_or_default()).or_default() += 1;
            }
        }
        std::thread::sleep(Duration::from_millis(sample % 7));
    }
    let mut seen: Vec<_> = innermost.into_iter().collect();
    seen.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    eprintln!(
        "{name}: {moments} moments, {running} running, {on_system_stack} on system stacks; {:?}",
        &seen[..seen.len().min(12)]
    );
    assert!(bad.is_empty(), "{name}: {} of {running}:\n{}", bad.len(), bad.join("\n"));
    assert_eq!(moments, samples);
    // At most moments one of them at least is on a thread.
    assert!(running * 2 >= moments && on_system_stack > 0, "{running} running, {on_system_stack} on system stacks");
}

/// Threads of a process with the letters of their states.
fn states(pid: i32) -> Vec<(i32, char)> {
    let state = |tid| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/task/{tid}/stat")).unwrap_or_default();
        stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next()).unwrap_or('?')
    };
    thread_ids(pid).into_iter().map(|tid| (tid, state(tid))).collect()
}

/// Whether a stack (innermost first, `function+offset`) ends in the goroutine's first function, or was left
/// by it.
fn leads_to(stack: &[String], first: &str) -> bool {
    // What C brought into Go has no first function of its own; a wrapper of the compiler's is elided.
    if first.is_empty() || first.contains("gowrap") {
        return true;
    }
    // Its first function has returned: it stands at the instruction that was returned to, `goexit+1` (seen
    // once, Go
    // 1.26 in a fresh clone), or in what that calls.
    let has_returned = stack.first().is_some_and(|f| f == "runtime.goexit+0x1")
        || stack.iter().any(|f| f.starts_with("runtime.goexit1"));
    has_returned || stack.iter().any(|f| f.starts_with(first))
}

#[test]
fn a_goroutine_that_has_returned_has_left_its_first_function() {
    let stack = |calls: &[&str]| calls.iter().map(|c| (*c).to_owned()).collect::<Vec<_>>();
    let lost = stack(&["runtime.goexit+0x1"]);
    assert!(leads_to(&lost, "main.churn.func1"));
    assert!(leads_to(&stack(&["runtime.goexit1+0x12", "runtime.goexit+0x6"]), "main.churn.func1"));
    assert!(leads_to(&stack(&["main.leaf+0x4", "main.churn.func1+0x20", "runtime.goexit+0x1"]), "main.churn.func1"));
    // Unwound past its first function: what the tests are there to see.
    assert!(!leads_to(&stack(&["main.leaf+0x4", "runtime.goexit+0x1"]), "main.churn.func1"));
    assert!(!leads_to(&stack(&["runtime.gopark+0xce", "runtime.goexit+0x1"]), "main.churn.func1"));
    assert!(!leads_to(&[], "main.churn.func1"));
}

macro_rules! matrix {
    ($($name:ident: $minor:expr, $mode:expr;)*) => { $(#[test] fn $name() { check($minor, $mode); })* };
}

matrix! {
    running_go1_20_stripped: 20, Mode::Stripped;
    running_go1_20_cgo: 20, Mode::CgoPieStripped;
    running_go1_23_plain: 23, Mode::Plain;
    running_go1_23_cgo: 23, Mode::CgoPieStripped;
    running_go1_24_stripped: 24, Mode::Stripped;
    running_go1_26_stripped: 26, Mode::Stripped;
    running_go1_27_stripped: 27, Mode::Stripped;
    running_go1_27_cgo: 27, Mode::CgoPieStripped;
}
