//! `lastgasp run -- CMD`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result};
use lastgasp_diagnosis::{Facts, diagnose};
use lastgasp_recorder::policy::Policy;
use lastgasp_recorder::run::{Config, Outcome};
use lastgasp_recorder::take::Taken;
use lastgasp_report::terminal;
use nix::sys::wait::WaitStatus;

use super::{complain, say};
use crate::decode::decode;
use crate::exit::Exit;
use crate::seal::seal;

/// Captures of this run, as they are written.
type Sealed = Vec<(PathBuf, Facts)>;

/// Runs a command under the recorder and reports what it died of.
pub(super) fn run(
    memory_max: Option<u64>,
    store: &Path,
    freeze: bool,
    pin: bool,
    command: Vec<OsString>,
) -> Result<Exit> {
    for line in lastgasp_capture::recover(store) {
        complain(&format!("lastgasp: {line}"));
    }
    let policy = Policy { freeze, pin, ..Policy::default() };
    let config = Config { command, memory_max, store: store.into(), policy };
    let sealed = Arc::new(Mutex::new(Sealed::new()));
    let (written, folder) = (Arc::clone(&sealed), store.to_owned());
    let sink = move |taken: Taken| {
        let decoded = decode(&taken);
        match seal(&folder, &decoded) {
            Ok(path) => {
                tracing::info!(path = %path.display(), "captured");
                written.lock().unwrap_or_else(PoisonError::into_inner).push((path, decoded.facts));
            }
            Err(e) => complain(&format!("lastgasp: a capture could not be written: {e:#}")),
        }
    };
    let outcome = lastgasp_recorder::run::run(&config, sink).context("lastgasp run")?;
    for note in &outcome.notes {
        complain(&format!("lastgasp: {note}"));
    }
    if !outcome.watched {
        complain("lastgasp: no Go process was seen: nothing was watched");
    }
    let sealed = std::mem::take(&mut *sealed.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(conclude(&outcome, &sealed))
}

/// The capture that tells most: after the kill if it is whole, since nothing happened after it.
fn best(sealed: &Sealed) -> Option<&(PathBuf, Facts)> {
    let worth = |f: &Facts| (!f.profile.sites.is_empty(), f.capture.gaps.is_empty(), f.capture.t_ms);
    sealed.iter().max_by_key(|(_, f)| worth(f))
}

fn conclude(outcome: &Outcome, sealed: &Sealed) -> Exit {
    if let Some((path, facts)) = best(sealed) {
        let diagnosis = diagnose(facts);
        say(&format!("\n{}", terminal(facts, &diagnosis)));
        let absolute = |p: &Path| std::path::absolute(p).unwrap_or_else(|_| p.into()).display().to_string();
        let others: Vec<String> = sealed.iter().filter(|(p, _)| p != path).map(|(p, _)| absolute(p)).collect();
        if !others.is_empty() {
            say(&format!("ALSO     {}\n", others.join("\n         ")));
        }
        let shown = absolute(path);
        say(&format!(
            "NEXT     go tool pprof -top {shown}/heap.pb.gz\nCAPTURE  {shown}\nREPORT   {shown}/report.html\n"
        ));
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
