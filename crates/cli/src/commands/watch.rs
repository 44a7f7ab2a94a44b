//! `lastgasp watch`: the daemon.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::channel;

use anyhow::{Context as _, Result};
use lastgasp_capture::retention::Quota;
use lastgasp_recorder::journal;
use lastgasp_recorder::watch::{Daemon, Settings};
use nix::sys::signal::{SigSet, Signal};

use super::complain;
use crate::daemon::archive::{Archive, Rules};
use crate::daemon::scribe::Scribes;
use crate::exit::Exit;

/// Watches until it is told to end.
pub(super) fn watch(store: PathBuf) -> Result<Exit> {
    for line in lastgasp_capture::recover(&store).into_iter().chain(journal::recover(&store)) {
        complain(&format!("lastgasp: {line}"));
    }
    // Before any thread is started, so that all inherit it.
    let signals: SigSet = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP].into_iter().collect();
    signals.thread_block().context("blocking signals")?;
    let (sender, captured) = channel();
    let daemon = Daemon::new(Settings { store: store.clone(), ..Settings::default() }, sender)?;
    let handle = daemon.handle();
    let rules = Rules { quota: Quota { bytes: 2 << 30, captures: 500 }, full_per_cause: 3, cause_window_ms: 3_600_000 };
    let archive = Arc::new(Archive::open(&store, rules));
    let scribes = Scribes::start(captured, &archive, &handle, |_| {})?;
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
