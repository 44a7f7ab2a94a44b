//! `lastgasp watch`: the daemon. `lastgasp undo`: what one that was killed has left.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{channel, sync_channel};
use std::time::Duration;

use anyhow::{Context as _, Result};
use lastgasp_agent::config::{WatchFlags, load};
use lastgasp_agent::{OwnStore, Services, log, settings, start_workers};
use lastgasp_capture::Writer;
use lastgasp_recorder::daemon::Daemon;
use lastgasp_recorder::guard::{USUAL_STACK, guarded, spawn_guarded, spawn_vital};
use lastgasp_recorder::journal;
use nix::sys::signal::{SigSet, Signal};

use crate::exit::Exit;
use crate::output::{complain, say};

/// Pause after the configuration was read again: a storm of SIGHUP blinds nobody. An end that is asked for
/// meanwhile waits as long.
const BETWEEN_RELOADS: Duration = Duration::from_millis(500);

/// How long captures in flight may still be written after the supervisor has failed. A write takes
/// milliseconds, half a second on a busy disk (`benches/results/watch-storm.txt`).
const MAX_FINISHING: Duration = Duration::from_secs(10);

/// Starts and ends of processes that may wait to be written; of more of them it is known later that they are
/// gone.
const MAX_LIVES_UNTOLD: usize = 4096;

/// Watches until it is told to end.
pub(super) fn watch(flags: WatchFlags) -> Result<Exit> {
    let config = load(&flags)?.config;
    let level = log::start_daemon(&config)?;
    let store = config.store().to_owned();
    let _held = OwnStore::hold(&store).context("nothing is watched")?;
    for line in lastgasp_capture::recover(&store).into_iter().chain(journal::recover(&store)) {
        complain(&format!("lastgasp: {line}"));
    }
    // A store that cannot be written is said now, and not when the first capture is lost.
    Writer::create(&store, "probe")
        .map(drop)
        .with_context(|| format!("nothing is watched: {} (--store or store.path names another)", store.display()))?;
    // Before any thread is started, so that all inherit it.
    let signals: SigSet = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP].into_iter().collect();
    signals.thread_block().context("blocking signals")?;
    start_workers();
    let (sender, captured) = channel();
    let (lives, told_of_lives) = sync_channel(MAX_LIVES_UNTOLD);
    let daemon = Daemon::new(settings(&config), sender)?.telling_of_lives(lives);
    let handle = daemon.handle();
    let (services, writers) = Services::start(config, flags, level, handle.clone(), captured, told_of_lives)?;
    let reloading = Arc::clone(&services);
    spawn_vital("signals", USUAL_STACK, move || {
        while let Ok(signal) = signals.wait() {
            // Whatever becomes of one, the next is heard: this thread ends the daemon.
            let stopped = guarded("signals", || match signal {
                Signal::SIGHUP => {
                    reloading.reload();
                    // Any number of them meanwhile are one: whoever is watched is seen afresh at each.
                    std::thread::sleep(BETWEEN_RELOADS);
                    false
                }
                _ => {
                    handle.stop();
                    true
                }
            });
            if stopped == Ok(true) {
                return;
            }
        }
    })?;
    let ended = daemon.run().context("lastgasp watch");
    let finish = move || services.finish(writers);
    if ended.is_ok() {
        finish();
    } else {
        // What was captured is written all the same; but whoever starts us again must not wait for a worker
        // that hangs.
        let (sender, written) = channel();
        let finishing = spawn_guarded("finishing", USUAL_STACK, move || {
            finish();
            let _ = sender.send(());
        });
        if finishing.is_ok() {
            let _ = written.recv_timeout(MAX_FINISHING);
        }
    }
    ended.map(|()| Exit::Fine)
}

/// Carries out the journal.
pub(super) fn undo(store: &Path) -> Exit {
    for line in journal::recover(store) {
        say(&format!("{line}\n"));
    }
    Exit::Fine
}
