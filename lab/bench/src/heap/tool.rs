//! One run of a tool, with what it cost.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use nix::sys::resource::{UsageWho, getrusage};

/// What a run cost.
#[derive(Clone, Copy)]
pub(super) struct Cost {
    /// Seconds.
    pub(super) wall: f64,
    /// Seconds of processor time, of the tool and of all whom it started and waited for.
    pub(super) cpu: f64,
    /// Most bytes of anonymous memory that they had at one time; looked at every two milliseconds.
    pub(super) peak: u64,
}

/// Runs it and gives what it said. Exit code 3 of ours means: with gaps.
pub(super) fn run_tool(tool: &Path, args: &[&str], paths: &[&Path]) -> Result<(Cost, String)> {
    let (before, began) = (processor_time()?, Instant::now());
    let child = Command::new(tool).args(args).args(paths).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let child = child.with_context(|| tool.display().to_string())?;
    let (pid, ended) = (child.id(), AtomicBool::new(false));
    let (out, peak) = std::thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let mut most = 0;
            while !ended.load(Ordering::Relaxed) {
                most = most.max(memory_of_all(pid));
                std::thread::sleep(Duration::from_millis(2));
            }
            most
        });
        let out = child.wait_with_output();
        ended.store(true, Ordering::Relaxed);
        (out, watch.join().unwrap_or(0))
    });
    let (out, wall) = (out?, began.elapsed().as_secs_f64());
    if !matches!(out.status.code(), Some(0 | 3)) {
        bail!("{}: {}: {}", tool.display(), out.status, String::from_utf8_lossy(&out.stderr));
    }
    let cost = Cost { wall, cpu: processor_time()? - before, peak };
    Ok((cost, String::from_utf8_lossy(&out.stdout).into_owned()))
}

/// Of all children that were waited for.
fn processor_time() -> Result<f64> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let seconds = |t: nix::sys::time::TimeVal| t.tv_sec() as f64 + t.tv_usec() as f64 / 1e6;
    Ok(seconds(usage.user_time()) + seconds(usage.system_time()))
}

/// Anonymous memory of a process and of all below it.
fn memory_of_all(root: u32) -> u64 {
    let mut parents = HashMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|n| n.parse::<u32>().ok()) else { continue };
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        // Behind the name, which may hold anything: state, parent.
        let parent = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse::<u32>().ok());
        parents.extend(parent.map(|parent| (pid, parent)));
    }
    let is_below = |pid: u32| {
        let mut at = pid;
        for _ in 0..8 {
            if at == root {
                return true;
            }
            match parents.get(&at) {
                Some(parent) => at = *parent,
                None => return false,
            }
        }
        false
    };
    let mut all: Vec<u32> = parents.keys().copied().filter(|pid| is_below(*pid)).collect();
    all.sort_unstable();
    let anonymous = |pid: u32| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let line = |l: &str| l.strip_prefix("RssAnon:")?.split_whitespace().next()?.parse::<u64>().ok();
        status.lines().find_map(line).unwrap_or(0) * 1024
    };
    all.into_iter().map(anonymous).sum()
}
