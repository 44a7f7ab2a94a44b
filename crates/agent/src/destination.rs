//! Where captures are written to, and who is told of one that has been.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use lastgasp_diagnosis::cause;
use lastgasp_recorder::daemon::Handle;
use lastgasp_store::{Archive, Form, Told};

use crate::graph_limits::GraphLimits;
use crate::recent_captures::{RecentCapture, RecentCaptures};
use crate::self_stats::Counts;
use crate::webhook::{Event, Webhooks, event};

/// Who is told of captures, and where they are written to.
#[derive(Clone, Debug)]
pub(crate) struct Destination {
    pub(crate) archive: Arc<Archive>,
    pub(crate) recent: Arc<RecentCaptures>,
    pub(crate) handle: Handle,
    pub(crate) webhooks: Arc<Mutex<Webhooks>>,
    pub(crate) graph_limits: GraphLimits,
    pub(crate) counts: Arc<Counts>,
}

impl Destination {
    /// Tells webhooks of a capture that has been written, and of which more will be told: nobody waits for
    /// the graph of its heap to know that somebody was killed.
    pub(crate) fn announce(&self, stored: &Stored<'_>) {
        self.webhooks.lock().unwrap_or_else(PoisonError::into_inner).send(&event_of(stored));
    }

    /// The same capture, with the graph of its heap.
    pub(crate) fn tell_more(&self, stored: &Stored<'_>) {
        self.note(stored);
        self.webhooks.lock().unwrap_or_else(PoisonError::into_inner).send(&event_of(stored).told_again());
    }

    /// Tells of a capture that has been written.
    pub(crate) fn tell(&self, stored: &Stored<'_>) {
        self.note(stored);
        self.announce(stored);
    }

    fn note(&self, stored: &Stored<'_>) {
        let Stored { told, path, form } = stored;
        let Told { facts, diagnosis, .. } = told;
        self.counts.add_blocked(&diagnosis.goroutines.tiers);
        self.recent.add(RecentCapture {
            pid: facts.target.pid,
            service: facts.target.service.clone(),
            phase: facts.capture.phase.to_string(),
            taken_at: facts.capture.taken_at.clone(),
            light: *form == Form::Light,
            path: path.clone(),
            verdict: diagnosis.verdict().map(|v| (v.code, v.sentence.clone())),
        });
    }
}

fn event_of(stored: &Stored<'_>) -> Event {
    let Stored { told: Told { facts, diagnosis, .. }, path, form } = stored;
    event(facts, diagnosis, &cause(facts, diagnosis), path, *form)
}

/// A capture that stands in the store.
pub(crate) struct Stored<'a> {
    pub(crate) told: Told<'a>,
    pub(crate) path: PathBuf,
    pub(crate) form: Form,
}
