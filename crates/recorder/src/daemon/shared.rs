//! What all workers have in common, and what they hand on.

use std::path::PathBuf;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use lastgasp_observe::raw_capture::{DeadMemory, RawCapture};

use super::gate::{Budget, Gate, Share};
use super::lives::Lives;
use super::settings::Settings;
use super::status::{Counters, count};
use crate::take::dead_heap::Turns;
use crate::take::leak_look::LeakLook;
use crate::undo::watchdog::Watchdog;

/// Evidence on its way to be written.
#[derive(Debug)]
pub struct Captured {
    /// The evidence.
    pub raw: RawCapture,
    /// When the copy began.
    pub began: Instant,
    /// How long before that it was found out: from the begin of the look that decided, or from when its end
    /// was heard of.
    pub answered: Duration,
    /// How long before that the crossing can have been at most: from the last look that did not show it.
    pub detected: Duration,
    /// Its part of the memory for evidence in flight; to be dropped when the evidence has been decoded.
    pub share: Share,
    /// Memory of a process that was killed for memory, for the graph of its heap: held until this is dropped,
    /// or for a short time at most.
    pub dead: Option<DeadMemory>,
    /// The heap of a process whose goroutines seem to leak, as it is being read.
    pub leak: Option<LeakLook>,
}

/// What all workers have in common.
#[derive(Debug)]
pub(crate) struct Common {
    pub(crate) gate: Arc<Gate>,
    pub(crate) budget: Arc<Budget>,
    pub(crate) captured: Sender<Captured>,
    /// Who is told of starts and ends.
    pub(crate) lives: Lives,
    pub(crate) counters: Arc<Mutex<Counters>>,
    /// Where the journal stands.
    pub(crate) store: PathBuf,
    /// Whose heap graph is made.
    pub(crate) turns: Turns,
    watchdog: Mutex<Option<Arc<Watchdog>>>,
}

impl Common {
    pub(crate) fn new(
        settings: &Settings,
        captured: Sender<Captured>,
        lives: Lives,
        counters: Arc<Mutex<Counters>>,
    ) -> Self {
        Self {
            gate: Gate::new(settings.concurrent_stops),
            budget: Budget::new(settings.memory),
            captured,
            lives,
            counters,
            store: settings.store.clone(),
            turns: Turns::default(),
            watchdog: Mutex::new(Watchdog::start(&[]).ok().map(Arc::new)),
        }
    }

    /// The watchdog; started again if somebody has killed it. `None` where that fails: then nothing is done
    /// that it would have to undo.
    pub(crate) fn watchdog(&self) -> Option<Arc<Watchdog>> {
        let mut watchdog = self.watchdog.lock().unwrap_or_else(PoisonError::into_inner);
        if !watchdog.as_ref().is_some_and(|w| w.is_alive()) {
            *watchdog = Watchdog::start(&[]).ok().map(Arc::new);
            count(&self.counters, |c| c.watchdog_restarts += 1);
            tracing::warn!(event = "watchdog-restarted", "the watchdog had ended: started again");
        }
        watchdog.clone()
    }
}

impl Drop for Common {
    fn drop(&mut self) {
        if let Some(watchdog) = self.watchdog.get_mut().unwrap_or_else(PoisonError::into_inner).take() {
            watchdog.dismiss();
        }
    }
}
