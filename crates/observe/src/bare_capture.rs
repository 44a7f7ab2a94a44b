//! A raw capture with nothing but what every one has: whoever takes one adds what it knows.

use std::sync::Arc;
use std::time::SystemTime;

use lastgasp_goruntime::{Evidence, Runtime, SpanTable};
use lastgasp_inferior::LoadedImage;

use crate::raw_capture::{Binary, Phase, RawCapture, Reason, Spans};
use crate::stillness::Stillness;
use crate::target::baselines::BaselineHistory;
use crate::target::census::CensusHistory;
use crate::target::identity::Identity;
use crate::target::timeline::Timeline;

impl RawCapture {
    /// Taken just now, and nothing known around it: to be completed by struct update, so that neither a
    /// process nor a core file has to say what it does not know.
    #[must_use]
    pub fn bare(
        (phase, reason): (Phase, Reason),
        stillness: Stillness,
        identity: Identity,
        runtime: Runtime,
        loaded: Arc<LoadedImage>,
        evidence: Evidence,
    ) -> Self {
        Self {
            phase,
            reason,
            at: SystemTime::now(),
            t_ms: 0,
            identity,
            runtime,
            binary: Binary::of(loaded),
            bytes_copied: evidence.snapshot.len() as u64,
            evidence,
            registers: Vec::new(),
            usage: None,
            gauges_at_usage: None,
            age: None,
            neighbours: None,
            spans: None,
            residency: None,
            residency_t_ms: 0,
            charge: None,
            limit: None,
            stopped: stillness.stopped(),
            timeline: Timeline::default(),
            baselines: BaselineHistory::default(),
            census: CensusHistory::default(),
            monotonic_ns: None,
        }
    }
}

impl Spans {
    /// A table that was read while the target was so still.
    #[must_use]
    pub fn read(table: SpanTable, stillness: Stillness) -> Self {
        Self { table, running: !stillness.is_still() }
    }
}
