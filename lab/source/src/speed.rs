//! A million lines: seconds and memory.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result};
use lastgasp_gosource::check;
use lastgasp_gosource::project::{Options, load};

/// Lines that are wanted.
const LINES: usize = 1_000_000;

/// The standard library, and modules of the cache until there are a million lines.
pub(crate) fn table() -> Result<String> {
    let go = |what: &str| -> Option<PathBuf> {
        let out = Command::new("go").args(["env", what]).output().ok()?;
        Some(PathBuf::from(String::from_utf8(out.stdout).ok()?.trim()))
    };
    let Some(root) = go("GOROOT") else { return Ok("SKIPPED speed: no Go to take source from\n".into()) };
    let mut folders = vec![root.join("src")];
    let mut lines = lines_of(&root.join("src"))?;
    if let Some(cache) = go("GOMODCACHE") {
        for module in
            ["github.com/prometheus/prometheus", "go.etcd.io/etcd", "github.com/caddyserver", "github.com", "k8s.io"]
        {
            if lines < LINES && cache.join(module).is_dir() {
                lines += lines_of(&cache.join(module))?;
                folders.push(cache.join(module));
            }
        }
    }
    measured(&folders.iter().map(PathBuf::as_path).collect::<Vec<_>>())
}

fn lines_of(folder: &Path) -> Result<usize> {
    let options = Options::default();
    let project = load(folder, &[], &options).map_err(anyhow::Error::msg)?;
    let mut lines = 0;
    for f in project.packages.iter().flat_map(|p| &p.files) {
        lines += std::fs::read(&f.path).map_or(0, |b| b.iter().filter(|b| **b == b'\n').count());
    }
    Ok(lines)
}

/// Reads folders and says how long that took and how much memory the process had at most.
pub(crate) fn measured(folders: &[&Path]) -> Result<String> {
    let mut out = String::new();
    let options = Options::default();
    let start = Instant::now();
    let (mut lines, mut files, mut packages, mut findings) = (0, 0, 0, 0);
    for folder in folders {
        let project = load(folder, &[], &options).map_err(anyhow::Error::msg)?;
        let checked = check(&project, options.max_bytes);
        lines += checked.lines;
        files += checked.files;
        packages += checked.packages;
        findings += checked.findings.len();
    }
    let seconds = start.elapsed().as_secs_f64();
    let peak = peak_bytes()?;
    let threads = std::thread::available_parallelism()?;
    let processor = processor_seconds()?;
    writeln!(
        out,
        "Speed: {lines} lines, {files} files, {packages} packages, {findings} findings (hints among them): {seconds:.1} s on {threads} \
         processors, {processor:.1} s of processor time; a million lines {:.2} s, {:.2} s of processor time; at most {} MB of memory",
        seconds * LINES as f64 / lines.max(1) as f64,
        processor * LINES as f64 / lines.max(1) as f64,
        peak / 1_000_000
    )?;
    Ok(out)
}

/// `VmHWM` of this process.
fn peak_bytes() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|l| l.starts_with("VmHWM:")).context("no VmHWM")?;
    let kib: u64 = line.split_whitespace().nth(1).context("no number")?.parse()?;
    Ok(kib * 1024)
}

/// Processor time of this process in user mode and in the kernel: on a machine that others use it says more
/// than the clock on the wall. Linux counts it in hundredths of a second.
fn processor_seconds() -> Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    // The name may hold anything, and ends with the last parenthesis.
    let (_, rest) = stat.rsplit_once(')').context("no name")?;
    let ticks = rest.split_whitespace().skip(11).take(2).map(str::parse::<f64>);
    Ok(ticks.sum::<Result<f64, _>>()? / 100.0)
}
