//! How long it takes to find everything in an unknown binary, and in one that is known:
//! `cargo bench -p lastgasp-bench --bench find [-- BINARY...]`.
//!
//! Without arguments it builds a Go program of 100 MB, stripped and plain (several minutes the first time). A
//! binary must run until its standard input ends. Beside each cold time stands what a plain sequential read
//! takes, in the same round, of as many bytes of the file as discovery read.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use lastgasp_inferior::LiveProcess;
use lastgasp_lab::big::build_big;
use lastgasp_lab::build::{Mode, cache_dir};
use lastgasp_lab::toolchain;
use lastgasp_observe::target::open;
use lastgasp_observe::target::runtime_cache::RuntimeCache;

const ROUNDS: usize = 30;

fn main() {
    // Cargo gives `--bench` along.
    let named: Vec<PathBuf> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).map(PathBuf::from).collect();
    let binaries = if named.is_empty() {
        let go = toolchain::any(&cache_dir()).unwrap();
        [Mode::Stripped, Mode::Plain].map(|mode| build_big(&go, mode).unwrap()).to_vec()
    } else {
        named
    };
    println!("milliseconds, median (maximum) of {ROUNDS}; the file is in the page cache");
    for binary in binaries {
        measure(&binary);
    }
}

fn measure(binary: &Path) {
    let size = binary.metadata().unwrap().len() as f64 / 1e6;
    println!("\n{} ({size:.0} MB)", binary.display());
    let mut child = start(binary);
    let pid = child.id() as i32;
    let folder = tempfile::tempdir().unwrap();
    open(pid, &RuntimeCache::in_folder(folder.path().into())).unwrap();

    let mut read = 0;
    let mut rounds = Rounds::default();
    for _ in 0..ROUNDS {
        let before = bytes_read();
        let cold = time(|| open(pid, &RuntimeCache::in_memory()).unwrap());
        read = bytes_read() - before;
        rounds.cold.push(cold);
        rounds.plain.push(time(|| sequential(binary, read)));
        // As another lastgasp does that comes later: all it has is the folder.
        rounds.cached.push(time(|| open(pid, &RuntimeCache::in_folder(folder.path().into())).unwrap()));
        rounds.image.push(time(|| LiveProcess::open(pid).unwrap()));
    }
    println!("  cold                      {}", spread(&mut rounds.cold));
    println!("    plain read of {:5.1} MB   {}", read as f64 / 1e6, spread(&mut rounds.plain));
    println!("  cached by build id        {}", spread(&mut rounds.cached));
    println!("    of which /proc and ELF  {}", spread(&mut rounds.image));

    let _ = child.kill();
    let _ = child.wait();
}

#[derive(Default)]
struct Rounds {
    cold: Vec<Duration>,
    plain: Vec<Duration>,
    cached: Vec<Duration>,
    image: Vec<Duration>,
}

fn start(binary: &Path) -> Child {
    let mut child = Command::new(binary).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    // A line, or the end of what it says: its runtime has started.
    let mut byte = [0];
    let _ = child.stdout.as_mut().unwrap().read(&mut byte);
    child
}

fn time<T>(work: impl FnOnce() -> T) -> Duration {
    let began = Instant::now();
    let result = work();
    let took = began.elapsed();
    drop(result);
    took
}

/// Bytes that this process has read by system calls, of whatever.
fn bytes_read() -> u64 {
    let text = std::fs::read_to_string("/proc/self/io").unwrap();
    text.lines().find_map(|l| l.strip_prefix("rchar: ")?.parse().ok()).unwrap()
}

fn sequential(file: &Path, bytes: u64) -> u64 {
    let mut file = File::open(file).unwrap().take(bytes);
    let mut buf = vec![0; 256 << 10];
    let mut sum = 0;
    loop {
        match file.read(&mut buf).unwrap() {
            0 => return sum,
            n => sum += n as u64,
        }
    }
}

fn spread(times: &mut [Duration]) -> String {
    times.sort();
    let ms = |d: &Duration| d.as_secs_f64() * 1e3;
    format!("{:7.2} ({:.2})", ms(&times[times.len() / 2]), ms(times.last().unwrap()))
}
