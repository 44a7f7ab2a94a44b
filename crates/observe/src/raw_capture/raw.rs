//! Evidence as it was taken: bytes and a few numbers, decoded later by whoever needs them.

use std::time::{Duration, SystemTime};

use lastgasp_goruntime::{Evidence, Gap, MemStats, Runtime, SpanTable};
use lastgasp_inferior::{Resident, ThreadRegisters, Usage};

use super::binary::Binary;
use crate::kernel::cgroup::Charge;
use crate::kernel::neighbours::Neighbours;
use crate::target::baselines::BaselineHistory;
use crate::target::census::CensusHistory;
use crate::target::identity::Identity;
use crate::target::timeline::Timeline;

/// What a gap is of that says why nothing of a target was copied: all that is known is the watch before.
pub const NOTHING_COPIED: &str = "evidence";

/// Before or after a kill, or at somebody's wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The target lived.
    PreKill,
    /// The target was dead, its memory held by the pin.
    PostKill,
    /// The target lived and was not in danger: somebody asked, or its goroutines seemed to leak.
    Manual,
    /// Out of a core file.
    Core,
}

/// What made us take it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The forecast said that memory is about to be used up.
    Forecast,
    /// The kernel's OOM killer.
    OomKill,
    /// A SIGKILL that the cgroup did not count as an OOM kill.
    Killed,
    /// Somebody asked.
    Manual,
    /// Its goroutines grew in number, steadily and for long.
    Leak,
}

/// Evidence, taken.
#[derive(Debug)]
pub struct RawCapture {
    /// Before or after the kill.
    pub phase: Phase,
    /// Why it was taken.
    pub reason: Reason,
    /// When.
    pub at: SystemTime,
    /// When, on the timeline's clock.
    pub t_ms: u64,
    /// Who.
    pub identity: Identity,
    /// RuntimeLocation runtime.
    pub runtime: Runtime,
    /// What it ran.
    pub binary: Binary,
    /// The copy.
    pub evidence: Evidence,
    /// Bytes that were copied; what was copied twice counts twice.
    pub bytes_copied: u64,
    /// Registers of its threads.
    pub registers: Vec<ThreadRegisters>,
    /// Its memory use, and when that was read on the timeline's clock.
    pub usage: Option<(Usage, u64)>,
    /// The runtime's gauges of the moment when its memory use was read, where that is not the copy's.
    pub gauges_at_usage: Option<MemStats>,
    /// How long it had lived.
    pub age: Option<Duration>,
    /// The other processes that count against its limit, and when they were looked at on the timeline's
    /// clock.
    pub neighbours: Option<(Neighbours, u64)>,
    /// The heap's span table.
    pub spans: Option<Spans>,
    /// What of its mappings is resident.
    pub residency: Option<Vec<Resident>>,
    /// When that was read, on the timeline's clock.
    pub residency_t_ms: u64,
    /// What is charged to its memory cgroup.
    pub charge: Option<Charge>,
    /// The limit that applies, and where it stands.
    pub limit: Option<(u64, String)>,
    /// How long the target stood still; zero if it was dead or could not be stopped.
    pub stopped: Duration,
    /// The watch so far.
    pub timeline: Timeline,
    /// Calmer times.
    pub baselines: BaselineHistory,
    /// Its collections at calmer times, and at the capture.
    pub census: CensusHistory,
    /// `CLOCK_MONOTONIC` at the copy, which the runtime's clock is; a core file has none.
    pub monotonic_ns: Option<u64>,
}

/// A span table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spans {
    /// The table.
    pub table: SpanTable,
    /// Whether the target ran while it was read: each span is then right by itself, and the sums are of no
    /// single moment.
    pub running: bool,
}

impl RawCapture {
    /// Whether nothing of the target was copied.
    #[must_use]
    pub fn is_of_the_flight_ring(&self) -> bool {
        self.evidence.snapshot.is_empty() && self.evidence.gaps.iter().any(|g| g.what == NOTHING_COPIED)
    }

    /// Leaves out all that is not needed to tell what the memory is held by, for a second attempt at decoding
    /// what the first one stumbled over; `why` becomes a gap.
    pub fn reduce(&mut self, why: &str) {
        self.registers.clear();
        self.spans = None;
        self.residency = None;
        self.charge = None;
        self.baselines = BaselineHistory::default();
        self.census = CensusHistory::default();
        self.evidence.gaps.push(Gap::new("decoding", why));
    }
}
