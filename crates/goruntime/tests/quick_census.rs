//! A configuration that is replaced as a whole (`lab/programs/swapped`): found when it is small, and seen to
//! be large at the next look, without a stop, a symbol table or types.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use lastgasp_goruntime::collections::HeaderKind;
use lastgasp_goruntime::quick_census::{Anchor, FindLimits, Finder, KnownWays, Way};
use lastgasp_goruntime::{Runtime, Symbolizer};
use lastgasp_inferior::{BlockCache, LiveProcess};
use lastgasp_lab::build::{Mode, build, cache_dir, repo_root};
use lastgasp_lab::toolchain::find_or_fetch;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

struct Running(Child, BufReader<std::process::ChildStdout>);

impl Running {
    fn until(&mut self, line: &str) {
        let mut read = String::new();
        while read.trim() != line {
            read.clear();
            assert!(self.1.read_line(&mut read).unwrap() > 0, "it ended before {line}");
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn is_seen(minor: u16, mode: Mode) {
    let toolchain = match find_or_fetch(minor, &cache_dir()) {
        Ok(toolchain) => toolchain,
        Err(e) => return eprintln!("SKIPPED: {e:#}"),
    };
    let binary = build(&toolchain, mode, &repo_root().join("lab/programs/swapped"), ".").unwrap();
    let mut child = Command::new(binary).stdout(Stdio::piped()).spawn().unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    let mut running = Running(child, out);
    running.until("ready");
    // It comes to rest.
    std::thread::sleep(std::time::Duration::from_millis(200));
    let pid = running.0.id() as i32;
    let live = LiveProcess::open(pid).unwrap();
    let rt = Runtime::discover(live.image(), live.bias(), &live).unwrap();
    let constants = BlockCache::new(&live);
    let symbols = Symbolizer::new(&constants, &rt.module, rt.layout);
    let mut search = Finder::new(FindLimits::default());
    let mut steps = Vec::new();
    loop {
        let began = Instant::now();
        let more = search.step(&rt, &live, &symbols);
        steps.push(began.elapsed().as_micros());
        if !more {
            break;
        }
    }
    let ways = search.ways();
    let known = KnownWays::new(&ways);
    let began = Instant::now();
    let before = known.look(&rt, &live);
    eprintln!("go1.{minor} {mode:?}: {} ways, look {:?}, steps {steps:?} us", ways.len(), began.elapsed());
    assert!(before.iter().all(Option::is_some), "{before:?}");
    let of = |look: &[Option<_>], elements: u64, kind: HeaderKind| -> Vec<Way> {
        let is = |r: &Option<lastgasp_goruntime::quick_census::QuickReading>| r.is_some_and(|r| r.elements == elements);
        ways.iter().zip(look).filter(|(w, r)| w.kind == kind && is(r)).map(|(w, _)| w.clone()).collect()
    };
    let slices = of(&before, 312, HeaderKind::Slice);
    let maps = of(&before, 312, HeaderKind::Map);
    assert_eq!((slices.len(), maps.len()), (1, 2), "{ways:#?}\n{before:?}");
    assert!(maps.iter().any(|w| matches!(w.anchor, Anchor::Variable(_)) && w.hops.is_empty()), "{maps:?}");
    kill(Pid::from_raw(pid), Signal::SIGUSR1).unwrap();
    running.until("published 230000");
    std::thread::sleep(std::time::Duration::from_millis(200));
    let after = known.look(&rt, &live);
    assert_eq!(of(&after, 230_000, HeaderKind::Slice), slices, "{after:?}");
    assert_eq!(of(&after, 230_000, HeaderKind::Map), maps, "{after:?}");
}

#[test]
fn go1_19_stripped() {
    is_seen(19, Mode::Stripped);
}

#[test]
fn go1_22_stripped() {
    is_seen(22, Mode::Stripped);
}

#[test]
fn go1_24() {
    is_seen(24, Mode::Plain);
}

#[test]
fn go1_26_stripped() {
    is_seen(26, Mode::Stripped);
}

#[test]
fn go1_27_stripped() {
    is_seen(27, Mode::Stripped);
}
