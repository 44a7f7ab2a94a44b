//! `lastgasp run -- CMD`.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use lastgasp_agent::provenance;
use lastgasp_capture::MEMORY;
use lastgasp_decode::{Decoded, decode};
use lastgasp_diagnosis::Facts;
use lastgasp_observe::raw_capture::Phase;
use lastgasp_recorder::run::{Captured, Config, Outcome};
use lastgasp_report::terminal;
use lastgasp_store::{Form, KeepMemory, StoreError, Told, rewrite, write_keeping};
use lastgasp_worker::{GraphAnswer, GraphWorker, Limits};
use nix::sys::statvfs::statvfs;
use nix::sys::wait::WaitStatus;

use crate::exit::Exit;
use crate::output::{complain, say};

/// What was captured in this run, and where it was written if it could be.
type Written = Vec<(Option<PathBuf>, Told<'static>)>;

/// Runs a command under the recorder and reports what it died of.
///
/// `max_bytes` bounds the memory that is kept, if it is.
pub(super) fn run(config: Config, max_bytes: Option<u64>) -> Result<Exit> {
    for line in lastgasp_capture::recover(&config.store) {
        complain(&format!("lastgasp: {line}"));
    }
    let written = Arc::new(Mutex::new(Written::new()));
    let (captures, folder) = (Arc::clone(&written), config.store.clone());
    let mut room = MemoryRoom::of(free_bytes(&folder));
    let graph_limits = Limits::of_a_graph(MAX_GRAPH_MEMORY, MAX_GRAPH_TIME);
    let sink = move |captured: Captured| {
        let provenance = provenance();
        let Captured { raw, source, dead } = captured;
        // Its memory lasts two seconds: it is copied while the capture is written.
        let worker = dead.as_ref().map(|dead| GraphWorker::of_the_dead(&raw, dead, graph_limits));
        let mut decoded = decode(&raw, &provenance);
        let told = Told::in_store(&decoded.facts, &folder);
        let memory = source.as_ref().map(|source| KeepMemory {
            raw: &raw,
            kernel: &provenance.kernel,
            source: Some(source),
            max_bytes: Some(room.of_one(raw.phase).min(max_bytes.unwrap_or(u64::MAX))),
        });
        let written = write_keeping(&folder, &decoded, &told, Form::Whole, memory.as_ref());
        // Its bytes have been read: a large process's are tens of megabytes.
        drop((raw, source));
        let failed = |e: StoreError| complain(&format!("lastgasp: a capture could not be written: {e:#}"));
        let written = written.map_err(failed).ok();
        for gap in written.iter().flat_map(|w| &w.gaps) {
            complain(&format!("lastgasp: missing: {}: {}", gap.what, gap.why));
        }
        let path = written.map(|w| w.path);
        room.take(path.as_deref().map_or(0, kept_bytes));
        tracing::info!(path = ?path, "captured");
        let told = told.into_owned();
        let told = match worker {
            Some(worker) => {
                let answer = worker.map_or_else(GraphAnswer::none, |w| w.answer(ASKED_EVERY, &mut || Ok(())));
                drop(dead);
                with_graph(&mut decoded, &answer, path.as_deref(), &folder)
            }
            None => told,
        };
        captures.lock().unwrap_or_else(PoisonError::into_inner).push((path, told));
    };
    let outcome = lastgasp_recorder::run::run(&config, sink).context("lastgasp run")?;
    for note in &outcome.notes {
        complain(&format!("lastgasp: {note}"));
    }
    if !outcome.watched {
        complain("lastgasp: no Go process was seen: nothing was watched");
    }
    let written = std::mem::take(&mut *written.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(conclude(&outcome, &written))
}

/// Longest time for reading and reckoning the heap of a dead process; it is held for a part of that alone
/// (`pin.hold`).
const MAX_GRAPH_TIME: Duration = Duration::from_secs(10);
/// Most memory for it.
const MAX_GRAPH_MEMORY: u64 = 1 << 30;
const ASKED_EVERY: Duration = Duration::from_secs(1);

/// A capture with the graph of its heap: written once more in its place, and told anew.
fn with_graph(decoded: &mut Decoded, answer: &GraphAnswer, path: Option<&Path>, store: &Path) -> Told<'static> {
    tracing::info!(graph = answer.graph.is_some(), gap = answer.gap, cost = ?answer.cost, "heap graph of the dead");
    answer.join(&mut decoded.facts);
    let told = Told::in_store(&decoded.facts, store);
    let written = path.map_or(Ok(()), |path| rewrite(path, decoded, &told, Form::Whole));
    if let Err(e) = written {
        complain(&format!("lastgasp: missing: the heap graph could not be written: {e:#}"));
    }
    told.into_owned()
}

/// Room on the disk for the memory that one run keeps: of a command that is struck several times before it is
/// killed each capture has all of it.
#[derive(Debug)]
struct MemoryRoom {
    left: u64,
    /// Kept for the capture after the kill, which tells more than those before it.
    reserved: u64,
}

impl MemoryRoom {
    /// Half of what is free as the run begins.
    fn of(free: u64) -> Self {
        Self { left: free / 2, reserved: free / 4 }
    }

    /// That of the next capture.
    fn of_one(&self, phase: Phase) -> u64 {
        if phase == Phase::PreKill { self.left.saturating_sub(self.reserved) } else { self.left }
    }

    fn take(&mut self, bytes: u64) {
        self.left = self.left.saturating_sub(bytes);
    }
}

/// What is free where captures go, which may be made yet; without bound if the system does not say.
fn free_bytes(store: &Path) -> u64 {
    let free = |p: &Path| statvfs(p).ok().map(|s| s.blocks_available().saturating_mul(s.fragment_size()));
    let absolute = std::path::absolute(store).unwrap_or_else(|_| store.into());
    absolute.ancestors().find_map(free).unwrap_or(u64::MAX)
}

/// What a capture's memory takes of the disk.
fn kept_bytes(capture: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata(capture.join(MEMORY)).map_or(0, |m| m.blocks().saturating_mul(512))
}

/// The capture that tells most of the end: of those of the last seconds the one that tells the death with all
/// captures of it, else the one with sites and without gaps, and of these the last.
fn best(written: &Written) -> Option<&(Option<PathBuf>, Told<'static>)> {
    let last = written.iter().map(|(_, t)| t.facts.capture.t_ms).max()?;
    let worth = |f: &Facts| (f.death.is_some(), !f.profile.sites.is_empty(), f.capture.is_complete(), f.capture.t_ms);
    let of_the_end = |f: &Facts| f.death.is_some() || f.capture.t_ms.saturating_add(10_000) >= last;
    written.iter().filter(|(_, t)| of_the_end(&t.facts)).max_by_key(|(_, t)| worth(&t.facts))
}

fn conclude(outcome: &Outcome, written: &Written) -> Exit {
    if let Some((path, Told { facts, diagnosis, .. })) = best(written) {
        say(&format!("\n{}", terminal(facts, diagnosis)));
        let absolute = |p: &Path| std::path::absolute(p).unwrap_or_else(|_| p.into()).display().to_string();
        let others: Vec<String> =
            written.iter().filter(|(p, _)| p != path).filter_map(|(p, _)| p.as_deref()).map(absolute).collect();
        if !others.is_empty() {
            say(&format!("ALSO     {}\n", others.join("\n         ")));
        }
        if let Some(shown) = path.as_deref().map(absolute) {
            say(&format!(
                "NEXT     go tool pprof -top {shown}/heap.pb.gz\nCAPTURE  {shown}\nREPORT   {shown}/report.html\n"
            ));
        }
        if outcome.oom_killed {
            return if facts.capture.is_complete() { Exit::Findings } else { Exit::Partial };
        }
    }
    match outcome.status {
        WaitStatus::Exited(_, code) => Exit::Command(u8::try_from(code & 0xff).unwrap_or(1)),
        WaitStatus::Signaled(_, signal, _) => Exit::Command(u8::try_from(128 + signal as i32).unwrap_or(1)),
        _ => Exit::Usage,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Six strikes and the kill take half of what was free and no more, and half of that is the kill's.
    #[test]
    fn one_run_does_not_fill_the_disk() {
        for (free, process, last) in
            [(100u64, 8u64, 8), (400, 8, 8), (40, 8, 8), (20, 8, 5), (u64::MAX, 1 << 40, 1 << 40)]
        {
            let mut room = MemoryRoom::of(free);
            let mut all = 0;
            for phase in [Phase::PreKill; 6].into_iter().chain([Phase::PostKill]) {
                let kept = room.of_one(phase).min(process);
                room.take(kept);
                all += kept;
                if phase == Phase::PostKill {
                    assert!(kept >= last, "{free} {kept}");
                }
            }
            assert!(all <= free / 2, "{free} {all}");
        }
        assert!(free_bytes(Path::new("/nowhere/at/all")) > 0);
    }
}
