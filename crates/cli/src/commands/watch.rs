//! `lastgasp watch`: the daemon.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use anyhow::{Context as _, Result};
use lastgasp_capture::Writer;
use lastgasp_capture::retention::Quota;
use lastgasp_recorder::journal;
use lastgasp_recorder::policy::{Mode, Policy};
use lastgasp_recorder::watch::{Daemon, Settings};
use nix::sys::signal::{SigSet, Signal};

use super::complain;
use crate::args::WatchMode;
use crate::daemon::archive::{Archive, Rules};
use crate::daemon::scribe::Scribes;
use crate::exit::Exit;

/// Watches until it is told to end.
pub(super) fn watch(
    store: &Path,
    mode: WatchMode,
    max_bytes: u64,
    services: Vec<String>,
    pin: bool,
    light_sample: Option<u64>,
) -> Result<Exit> {
    for line in lastgasp_capture::recover(store).into_iter().chain(journal::recover(store)) {
        complain(&format!("lastgasp: {line}"));
    }
    // A store that cannot be written is said now, and not when the first capture is lost.
    Writer::create(store, "probe").map(drop).with_context(|| format!("nothing is watched: {}", store.display()))?;
    // Before any thread is started, so that all inherit it.
    let signals: SigSet = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP].into_iter().collect();
    signals.thread_block().context("blocking signals")?;
    let (sender, captured) = channel();
    let mode = match mode {
        WatchMode::Observe => Mode::Observe,
        WatchMode::Freeze => Mode::Freeze,
        WatchMode::Brake => Mode::Brake,
    };
    let defaults = Settings::default();
    let settings = Settings {
        store: store.to_owned(),
        policy: Policy { mode, pin, ..defaults.policy },
        light_sample: light_sample.map_or(defaults.light_sample, Duration::from_secs),
        wanted: Arc::new(move |s| services.is_empty() || services.iter().any(|wanted| wanted == s.service)),
        ..defaults
    };
    let daemon = Daemon::new(settings, sender)?;
    let handle = daemon.handle();
    let rules =
        Rules { quota: Quota { bytes: max_bytes, captures: 500 }, full_per_cause: 3, cause_window_ms: 3_600_000 };
    let archive = Arc::new(Archive::open(store, rules));
    let scribes = Scribes::start(captured, &archive, &handle)?;
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        while let Ok(signal) = signals.wait() {
            if signal != Signal::SIGHUP {
                return handle.stop();
            }
        }
    })?;
    daemon.run().context("lastgasp watch")?;
    scribes.finish();
    Ok(Exit::Fine)
}
