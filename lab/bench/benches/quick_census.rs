//! What the quick census costs: `cargo bench -p lastgasp-bench --bench quick_census`. A program with two
//! thousand collections (`lab/programs/swapped -many`) is searched, and a thousand of them are looked at
//! again.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use lastgasp_goruntime::quick_census::{FindLimits, Finder, KnownWays};
use lastgasp_goruntime::{Runtime, Symbolizer};
use lastgasp_inferior::{BlockCache, LiveProcess};
use lastgasp_lab::build::{Mode, build, cache_dir, repo_root};
use lastgasp_lab::toolchain;

const ROUNDS: usize = 1000;

fn main() {
    let go = toolchain::any(&cache_dir()).unwrap();
    let binary = build(&go, Mode::Stripped, &repo_root().join("lab/programs/swapped"), ".").unwrap();
    let mut child = Command::new(binary).arg("-many").stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    while lines.next().unwrap().unwrap() != "ready" {}
    std::thread::sleep(Duration::from_millis(200));
    let live = LiveProcess::open(child.id() as i32).unwrap();
    let rt = Runtime::discover(live.image(), live.bias(), &live).unwrap();
    let constants = BlockCache::new(&live);
    let symbols = Symbolizer::new(&constants, &rt.module, rt.layout);
    let mut search = Finder::new(FindLimits::default());
    let mut steps = Vec::new();
    loop {
        let began = Instant::now();
        let more = search.step(&rt, &live, &symbols);
        steps.push(began.elapsed());
        if !more {
            break;
        }
    }
    let all: Duration = steps.iter().sum();
    let longest = steps.iter().max().unwrap();
    let ways = search.ways();
    println!("search: {} collections in {all:.1?}, the longest of {} steps {longest:.1?}", ways.len(), steps.len());
    for n in [10, 100, 1000] {
        let known = KnownWays::new(ways.iter().take(n));
        let mut took: Vec<Duration> = (0..ROUNDS)
            .map(|_| {
                let began = Instant::now();
                let read = known.look(&rt, &live);
                let took = began.elapsed();
                assert!(read.iter().all(Option::is_some));
                took
            })
            .collect();
        took.sort_unstable();
        println!(
            "look at {:4} known: median {:.1?}, a tenth over {:.1?}; {} bytes to know them",
            known.len(),
            took[ROUNDS / 2],
            took[ROUNDS * 9 / 10],
            known.bytes()
        );
    }
    child.kill().unwrap();
    child.wait().unwrap();
}
