//! A target, fed with its kept corpus changed at random, where there is no cargo-fuzz: nothing tells it which
//! code an input reached, but an input describes damage to a process that is whole otherwise, so that chance
//! reaches far.
//!
//! `cargo run -p lastgasp-fuzz-bodies --example mutate -- TARGET SECONDS [SEED]`. What panics, or takes
//! longer than ten seconds, is written to a folder of the target's name in `artifacts`.
#![allow(clippy::print_stdout, clippy::print_stderr, clippy::unwrap_used, clippy::expect_used)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use lastgasp_inferior::Stat;

/// Longest input.
const MOST: usize = 4096;
/// Processor time that an input may take: the machine may be busy.
const SLOW: Duration = Duration::from_secs(10);
/// Findings after which it ends.
const ENOUGH: usize = 20;

/// Numbers by chance (splitmix64): the same of the same seed.
struct Chance(u64);

impl Chance {
    fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let x = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ x >> 31
    }

    fn below(&mut self, n: usize) -> usize {
        (self.word() % n.max(1) as u64) as usize
    }

    /// A word as hostile memory has them.
    fn hostile(&mut self) -> u64 {
        match self.below(5) {
            0 => self.word() % 64,
            1 => 1 << (self.word() % 64),
            2 => u64::MAX - self.word() % 16,
            3 => self.word() % (1 << 20),
            _ => self.word(),
        }
    }
}

fn processor_time() -> Duration {
    Stat::of_process(std::process::id() as i32).and_then(|s| s.processor_time()).unwrap_or_default()
}

/// Changes an input in one way.
fn change(input: &mut Vec<u8>, corpus: &[Vec<u8>], chance: &mut Chance) {
    let at = chance.below(input.len() + 1);
    match chance.below(8) {
        0 if at < input.len() => input[at] = chance.word() as u8,
        1 if at < input.len() => input[at] ^= 1 << chance.below(8),
        2 => {
            let n = 1 + chance.below(16);
            input.splice(at..at, (0..n).map(|_| chance.word() as u8).collect::<Vec<_>>());
        }
        3 => {
            let end = (at + 1 + chance.below(16)).min(input.len());
            input.drain(at..end);
        }
        4 => {
            let width = [1, 2, 4, 8][chance.below(4)];
            let word = chance.hostile().to_le_bytes();
            let end = (at + width).min(input.len());
            input.splice(at..end, word[..width].iter().copied());
        }
        // A piece of another.
        5 => {
            let other = &corpus[chance.below(corpus.len())];
            let from = chance.below(other.len() + 1);
            let to = (from + chance.below(256)).min(other.len());
            input.splice(at..at, other[from..to].iter().copied());
        }
        // A piece of its own once more.
        6 => {
            let to = (at + chance.below(64)).min(input.len());
            let piece = input[at..to].to_vec();
            let place = chance.below(input.len() + 1);
            input.splice(place..place, piece);
        }
        _ => input.extend((0..chance.below(64)).map(|_| chance.word() as u8).collect::<Vec<_>>()),
    }
    input.truncate(MOST);
}

fn main() {
    let mut args = std::env::args().skip(1);
    let usage = "TARGET SECONDS [SEED]";
    let (name, seconds) = (args.next().expect(usage), args.next().expect(usage));
    let seconds = Duration::from_secs(seconds.parse().expect(usage));
    let seed = args.next().map_or(1, |s| s.parse().expect(usage));
    let target = lastgasp_fuzz_bodies::ALL.iter().find(|t| t.0 == name).expect("a target of CONTRIBUTING.md").1;
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let kept = std::fs::read_dir(fuzz.join("corpus-kept").join(&name)).unwrap();
    let mut files: Vec<PathBuf> = kept.flatten().map(|f| f.path()).collect();
    files.sort();
    let mut corpus: Vec<Vec<u8>> = files.iter().map(|f| std::fs::read(f).unwrap()).collect();
    corpus.push(Vec::new());
    let artifacts = fuzz.join("artifacts").join(&name);
    // What panics is written down: its words would be many.
    std::panic::set_hook(Box::new(|info| eprintln!("{info}")));
    let (mut chance, began) = (Chance(seed), Instant::now());
    let (mut runs, mut findings, mut slowest) = (0u64, 0usize, Duration::ZERO);
    while began.elapsed() < seconds && findings < ENOUGH {
        let mut input = corpus[chance.below(corpus.len())].clone();
        for _ in 0..=chance.below(12) {
            change(&mut input, &corpus, &mut chance);
        }
        let started = processor_time();
        let survived = catch_unwind(AssertUnwindSafe(|| target(&input))).is_ok();
        let took = processor_time().saturating_sub(started);
        slowest = slowest.max(took);
        runs += 1;
        if !survived || took > SLOW {
            findings += 1;
            std::fs::create_dir_all(&artifacts).unwrap();
            let file = artifacts.join(format!("{}-{seed}-{runs}", if survived { "slow" } else { "crash" }));
            std::fs::write(&file, &input).unwrap();
            println!("{}: {took:?}", file.display());
        }
    }
    println!("{name}: {runs} inputs in {:?}, seed {seed}: {findings} findings; slowest {slowest:?}", began.elapsed());
}
