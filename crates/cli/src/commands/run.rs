//! `lastgasp run -- CMD`.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result};
use lastgasp_agent::provenance;
use lastgasp_decode::decode;
use lastgasp_diagnosis::{Facts, diagnose};
use lastgasp_recorder::run::{Captured, Config, Outcome};
use lastgasp_report::terminal;
use lastgasp_store::{Form, KeepMemory, StoreError, write_keeping};
use nix::sys::wait::WaitStatus;

use crate::exit::Exit;
use crate::output::{complain, say};

/// What was captured in this run, and where it was written if it could be.
type Written = Vec<(Option<PathBuf>, Facts)>;

/// Runs a command under the recorder and reports what it died of.
///
/// `max_bytes` bounds the memory that is kept, if it is.
pub(super) fn run(config: Config, max_bytes: Option<u64>) -> Result<Exit> {
    for line in lastgasp_capture::recover(&config.store) {
        complain(&format!("lastgasp: {line}"));
    }
    let written = Arc::new(Mutex::new(Written::new()));
    let (captures, folder) = (Arc::clone(&written), config.store.clone());
    let sink = move |captured: Captured| {
        let provenance = provenance();
        let Captured { raw, source } = captured;
        let decoded = decode(&raw, &provenance);
        let diagnosis = diagnose(&decoded.facts);
        let memory = source.as_ref().map(|source| KeepMemory {
            raw: &raw,
            kernel: &provenance.kernel,
            source: Some(source),
            max_bytes,
        });
        let written = write_keeping(&folder, &decoded, &diagnosis, Form::Whole, memory.as_ref());
        // Its bytes have been read: a large process's are tens of megabytes.
        drop((raw, source));
        let told = |e: StoreError| complain(&format!("lastgasp: a capture could not be written: {e:#}"));
        let written = written.map_err(told).ok();
        for gap in written.iter().flat_map(|w| &w.gaps) {
            complain(&format!("lastgasp: missing: {}: {}", gap.what, gap.why));
        }
        let path = written.map(|w| w.path);
        tracing::info!(path = ?path, "captured");
        captures.lock().unwrap_or_else(PoisonError::into_inner).push((path, decoded.facts));
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

/// The capture that tells most of the end: of those of the last seconds the one with sites and without gaps,
/// and of these the last.
fn best(written: &Written) -> Option<&(Option<PathBuf>, Facts)> {
    let last = written.iter().map(|(_, f)| f.capture.t_ms).max()?;
    let worth = |f: &Facts| (!f.profile.sites.is_empty(), f.capture.gaps.is_empty(), f.capture.t_ms);
    written.iter().filter(|(_, f)| f.capture.t_ms + 10_000 >= last).max_by_key(|(_, f)| worth(f))
}

fn conclude(outcome: &Outcome, written: &Written) -> Exit {
    if let Some((path, facts)) = best(written) {
        let diagnosis = diagnose(facts);
        say(&format!("\n{}", terminal(facts, &diagnosis)));
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
            return if facts.capture.gaps.is_empty() { Exit::Findings } else { Exit::Partial };
        }
    }
    match outcome.status {
        WaitStatus::Exited(_, code) => Exit::Command(u8::try_from(code & 0xff).unwrap_or(1)),
        WaitStatus::Signaled(_, signal, _) => Exit::Command(u8::try_from(128 + signal as i32).unwrap_or(1)),
        _ => Exit::Usage,
    }
}
