//! `cargo xtask bench-read`: what it costs to take evidence of a large process, beside what the kernel needs
//! to copy as many bytes in the same run.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, IoSliceMut};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use lastgasp_lab::build::{Mode, build, cache_dir, repo_root};
use lastgasp_lab::machine::{lastgasp, machine};
use lastgasp_lab::toolchain;
use nix::sys::uio::{RemoteIoVec, process_vm_readv};
use nix::unistd::Pid;
use serde_json::Value;

/// A process to be read.
struct Size {
    sites: u64,
    goroutines: u64,
    heap: u64,
}

const SIZES: &[Size] = &[
    Size { sites: 20_000, goroutines: 10_000, heap: 1 << 30 },
    Size { sites: 1_000, goroutines: 100_000, heap: 64 << 20 },
];

/// One capture.
struct Look {
    stopped: Duration,
    decoded: Duration,
    whole: Duration,
    peak_rss: u64,
    bytes: u64,
    plain: Duration,
}

/// Reads each size `times` times; prints and keeps the figures.
pub(crate) fn run(times: usize) -> Result<()> {
    let lastgasp = lastgasp()?;
    let toolchain = toolchain::any(&cache_dir())?;
    let program = build(&toolchain, Mode::Stripped, &repo_root().join("lab/programs/big"), ".")?;
    let mut out = machine(&format!("lab/programs/big, {} stripped, {times} captures of each", toolchain.version))?;
    for size in SIZES {
        let mut target = Target::start(&program, size)?;
        let mut looks = Vec::new();
        for _ in 0..times {
            looks.push(look(&lastgasp, &target)?);
        }
        target.end();
        summarise(&mut out, size, &looks)?;
    }
    print!("{out}");
    std::fs::write(repo_root().join("benches/results/read.txt"), out)?;
    Ok(())
}

struct Target(Child);

impl Target {
    fn start(program: &Path, size: &Size) -> Result<Self> {
        let mut child = Command::new(program)
            .env("GODEBUG", "memprofilerate=4096")
            .args(["-sites", &size.sites.to_string(), "-goroutines", &size.goroutines.to_string()])
            .args(["-heap", &size.heap.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("stdout")?).read_line(&mut line)?;
        if !line.starts_with("READY") {
            bail!("lab/programs/big said {line:?}");
        }
        Ok(Self(child))
    }

    fn end(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        self.end();
    }
}

fn look(lastgasp: &Path, target: &Target) -> Result<Look> {
    let store = tempfile::tempdir()?;
    let pid = target.0.id();
    let began = Instant::now();
    let child = Command::new(lastgasp)
        .args(["capture", &pid.to_string(), "--out"])
        .arg(store.path())
        .env("LASTGASP_LOG", "debug")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let captor = child.id();
    // Its peak is asked while it lives: what it said last before it ended is within a look of the truth.
    let peak = std::thread::spawn(move || {
        let mut most = 0;
        while let Ok(status) = std::fs::read_to_string(format!("/proc/{captor}/status")) {
            let kib =
                status.lines().find_map(|l| l.strip_prefix("VmHWM:")?.split_whitespace().next()?.parse::<u64>().ok());
            match kib {
                Some(kib) => most = most.max(kib * 1024),
                None => break,
            }
            std::thread::sleep(Duration::from_micros(500));
        }
        most
    });
    let done = child.wait_with_output()?;
    let whole = began.elapsed();
    let said = String::from_utf8_lossy(&done.stderr);
    // 3: with gaps (of a hundred thousand goroutines not all stacks are copied).
    if !matches!(done.status.code(), Some(0 | 3)) {
        bail!("capture: {said}");
    }
    let path = String::from_utf8(done.stdout)?;
    let report = Command::new(lastgasp).args(["report", "--format", "json", path.trim()]).output()?;
    let report: Value = serde_json::from_slice(&report.stdout)?;
    let number = |v: &Value| v.as_u64().context("a number");
    let bytes = number(&report["provenance"]["bytes_copied"])?;
    let decoded = said
        .lines()
        .find(|l| l.contains("decoded"))
        .and_then(|l| l.split("us=").nth(1)?.split_whitespace().next()?.parse().ok())
        .with_context(|| format!("no `decoded us=` in {said}"))?;
    Ok(Look {
        stopped: Duration::from_nanos(number(&report["capture"]["stopped_ns"])?),
        decoded: Duration::from_micros(decoded),
        whole,
        peak_rss: peak.join().unwrap_or(0),
        bytes,
        plain: plain_copy(pid as i32, bytes as usize)?,
    })
}

/// As many bytes of the target's heap in the kernel's own way: one call for each 4 MiB that are there, into
/// memory that is there.
fn plain_copy(pid: i32, bytes: usize) -> Result<Duration> {
    let maps = std::fs::read_to_string(format!("/proc/{pid}/smaps"))?;
    let mut largest = (0, 0, 0);
    let mut range = (0, 0);
    for line in maps.lines() {
        if let Some((start, end)) = line.split_whitespace().next().and_then(|w| w.split_once('-')) {
            if let (Ok(start), Ok(end)) = (usize::from_str_radix(start, 16), usize::from_str_radix(end, 16)) {
                range = (start, end);
            }
        } else if let Some(rss) =
            line.strip_prefix("Rss:").and_then(|r| r.split_whitespace().next()?.parse::<usize>().ok())
        {
            largest = largest.max((rss * 1024, range.0, range.1));
        }
    }
    let (_, start, end) = largest;
    let len = bytes.min(end - start);
    let mut buffer = vec![1u8; len];
    let began = Instant::now();
    for (i, part) in buffer.chunks_mut(4 << 20).enumerate() {
        let (base, len) = (start + i * (4 << 20), part.len());
        process_vm_readv(Pid::from_raw(pid), &mut [IoSliceMut::new(part)], &[RemoteIoVec { base, len }])?;
    }
    Ok(began.elapsed())
}

fn summarise(out: &mut String, size: &Size, looks: &[Look]) -> Result<()> {
    let median = |of: &dyn Fn(&Look) -> f64| {
        let mut all: Vec<f64> = looks.iter().map(of).collect();
        all.sort_by(f64::total_cmp);
        (all.get(all.len() / 2).copied().unwrap_or(0.0), all.last().copied().unwrap_or(0.0))
    };
    let ms = |d: Duration| d.as_secs_f64() * 1e3;
    writeln!(out, "\n{} sites, {} goroutines, {} MB heap", size.sites, size.goroutines, size.heap >> 20)?;
    let mut line = |what: &str, unit: &str, of: &dyn Fn(&Look) -> f64| {
        let (middle, most) = median(of);
        writeln!(out, "  {what:<44} {middle:.2} {unit} median, {most:.2} {unit} maximum")
    };
    line("bytes copied", "MB", &|l| l.bytes as f64 / 1e6)?;
    line("target stood still (stop, copy, spans, go)", "ms", &|l| ms(l.stopped))?;
    line("process_vm_readv of as many bytes", "ms", &|l| ms(l.plain))?;
    line("ratio", "x", &|l| ms(l.stopped) / ms(l.plain))?;
    line("decoding", "ms", &|l| ms(l.decoded))?;
    line("the whole command, start to fsynced folder", "ms", &|l| ms(l.whole))?;
    line("peak RSS of lastgasp", "MB", &|l| l.peak_rss as f64 / 1e6)?;
    Ok(())
}
