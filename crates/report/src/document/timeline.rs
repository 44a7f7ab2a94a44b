//! The timeline.

use lastgasp_diagnosis::facts::{self, Facts};
use lastgasp_diagnosis::{Diagnosis, events, thinned};
use serde::Serialize;

/// The field `timeline`.
#[derive(Debug, Serialize)]
pub(super) struct Timeline {
    samples: Vec<Sample>,
    events: Vec<Event>,
    limit_bytes: Option<u64>,
}

/// An element of `timeline.samples`.
#[derive(Debug, Serialize)]
struct Sample {
    t_ms: u64,
    usage_bytes: u64,
    rss_bytes: u64,
    heap_live_bytes: u64,
    goroutines: u64,
    gc_cycles: u32,
}

/// An element of `timeline.events`.
#[derive(Debug, Serialize)]
struct Event {
    t_ms: u64,
    kind: String,
    text: String,
}

impl Timeline {
    pub(super) fn of(facts: &Facts, d: &Diagnosis) -> Self {
        let event = |e: facts::Event| Event { t_ms: e.t_ms, kind: e.kind, text: e.text };
        Self {
            samples: thinned(&facts.timeline.samples).map(Sample::of).collect(),
            events: events(facts, d.window.as_ref()).into_iter().map(event).collect(),
            limit_bytes: facts.target.limit_bytes,
        }
    }
}

impl Sample {
    fn of(s: &facts::Sample) -> Self {
        Self {
            t_ms: s.t_ms,
            usage_bytes: s.usage_bytes,
            rss_bytes: s.rss_bytes,
            heap_live_bytes: s.heap_live_bytes,
            goroutines: s.goroutines,
            gc_cycles: s.gc_cycles,
        }
    }
}
