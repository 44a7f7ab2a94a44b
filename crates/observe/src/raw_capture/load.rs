//! A saved capture, back: exactly the evidence that was decoded then. A read beyond it fails as it did,
//! whatever else the core holds.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use lastgasp_goruntime::Evidence;
use lastgasp_inferior::{Addr, CoreFile, Ranges, Snapshot};
use thiserror::Error;

use super::binary::{Binary, Parts};
use super::census::restore_census;
use super::describe::{
    restore_baselines, restore_charge, restore_gaps, restore_gauges, restore_identity, restore_neighbours,
    restore_ranges, restore_registers, restore_resident, restore_runtime, restore_spans, restore_timeline,
    restore_usage,
};
use super::raw::{Phase, RawCapture, Reason};
use super::save::{NOTE_CHECKSUM, NOTE_DESCRIPTION, checksum};
use super::stored::{StoredError, StoredRanges, StoredV1, WhenRead, parse};

/// Most evidence of one capture, in bytes: more than any recorder copies.
const MAX_EVIDENCE: u64 = 1 << 30;

/// Bytes of all groups of ranges together that are summed up: the constants of the largest programs are some
/// hundred megabytes. Holes count: a core of a few kilobytes may state them by the terabyte.
const MAX_CHECKED: u64 = 4 << 30;
/// Most groups of constants: there are three.
const MAX_GROUPS: usize = 16;

/// Why a core is not read as a saved capture.
#[derive(Debug, Error)]
pub enum LoadError {
    /// A core of somebody else.
    #[error("{0} was not written by lastgasp")]
    NotSaved(String),
    /// Its notes are not as they were written.
    #[error("{0} is damaged: {1}")]
    Damaged(String, String),
    /// Its description is of another form.
    #[error("{0}: {1}")]
    Stored(String, StoredError),
    /// Its description says what this lastgasp cannot read.
    #[error("{0}: {1}")]
    Unreadable(String, String),
}

/// A saved capture, loaded.
#[derive(Debug)]
pub struct Loaded {
    /// What was taken, and is decoded.
    pub raw: RawCapture,
    /// All that the core holds: the evidence, constants, and other memory, which may be of a later moment.
    pub core: Arc<CoreFile>,
    /// When other memory was read; `None` if there is none.
    pub other: Option<WhenRead>,
    /// Release of the kernel where it was taken.
    pub kernel: String,
    /// Version of the lastgasp that took it.
    pub lastgasp_version: String,
}

/// Whether a core was written by [`RawCapture::save`].
#[must_use]
pub fn is_saved(core: &CoreFile) -> bool {
    core.has_own_note(NOTE_DESCRIPTION)
}

impl RawCapture {
    /// Reads what [`RawCapture::save`] wrote; its checksums are tried, so that what is decoded is what was
    /// taken.
    ///
    /// # Errors
    /// [`LoadError`].
    pub fn load(core: CoreFile) -> Result<Loaded, LoadError> {
        let name = core.name().to_owned();
        let damaged = |why: &str| LoadError::Damaged(name.clone(), why.to_owned());
        if !is_saved(&core) {
            return Err(LoadError::NotSaved(name));
        }
        let text = core.own_note(NOTE_DESCRIPTION).ok_or_else(|| damaged("its description is cut short"))?;
        let sum = core.own_note(NOTE_CHECKSUM).and_then(|b| b.try_into().ok()).map(u32::from_le_bytes);
        if sum != Some(crc32fast::hash(&text)) {
            return Err(damaged("the checksum of its description is another one"));
        }
        let stored = parse(&text).map_err(|e| LoadError::Stored(name, e))?;
        Self::restored(&stored, core)
    }

    /// As [`RawCapture::load`], from a description that the caller has; it is as little believed as any
    /// other.
    ///
    /// # Errors
    /// As there.
    pub fn restored(stored: &StoredV1, core: CoreFile) -> Result<Loaded, LoadError> {
        let name = core.name().to_owned();
        Self::restore(stored, core).map_err(|e| match e {
            Refused::Damaged(why) => LoadError::Damaged(name, why.to_owned()),
            Refused::Unreadable(why) => LoadError::Unreadable(name, why),
        })
    }

    fn restore(stored: &StoredV1, core: CoreFile) -> Result<Loaded, Refused> {
        let unknown = |what: &str, name: &str| Refused::Unreadable(format!("{what} {name:?} is not known here"));
        let phase = Phase::of_name(&stored.phase).ok_or_else(|| unknown("the phase", &stored.phase))?;
        let reason = Reason::of_name(&stored.reason).ok_or_else(|| unknown("the reason", &stored.reason))?;
        let runtime = restore_runtime(&stored.runtime).map_err(Refused::Unreadable)?;
        let held = Ranges::union(core.ranges());
        let mut left = MAX_CHECKED;
        let evidence = checked(&stored.evidence, &core, &held, &mut left)?;
        let mut constants = Vec::new();
        for group in stored.constants.iter().take(MAX_GROUPS) {
            constants.extend_from_slice(checked(group, &core, &held, &mut left)?.as_slice());
        }
        let constants = Ranges::union(constants);
        let snapshot = snapshot(&evidence, &core)?;
        let core = Arc::new(core);
        let parts = Parts {
            build_id: stored.binary.build_id.clone(),
            stripped: stored.binary.stripped,
            bias: stored.binary.bias,
            entry: Addr(stored.binary.entry),
        };
        let raw = Self {
            phase,
            reason,
            at: UNIX_EPOCH + Duration::from_nanos(stored.taken_unix_ns),
            t_ms: stored.t_ms,
            identity: restore_identity(&stored.identity),
            runtime,
            binary: Binary::saved(parts, Arc::clone(&core), constants),
            evidence: Evidence { snapshot, gaps: restore_gaps(&stored.gaps) },
            bytes_copied: stored.bytes_copied,
            registers: restore_registers(&stored.registers, core.threads()),
            usage: stored.usage.as_ref().map(restore_usage),
            gauges_at_usage: stored.gauges_at_usage.as_ref().map(restore_gauges),
            age: stored.age_ms.map(Duration::from_millis),
            neighbours: stored.neighbours.as_ref().map(restore_neighbours),
            spans: stored.spans.as_ref().map(restore_spans),
            residency: stored.residency.as_ref().map(|all| all.iter().map(restore_resident).collect()),
            residency_t_ms: stored.residency_t_ms,
            charge: stored.charge.as_ref().map(restore_charge),
            limit: stored.limit.as_ref().map(|l| (l.bytes, l.source.clone())),
            stopped: Duration::from_nanos(stored.stopped_ns),
            timeline: restore_timeline(&stored.samples, &stored.events, &stored.goroutine_looks),
            baselines: restore_baselines(&stored.baselines),
            census: restore_census(stored.census.as_ref()),
            monotonic_ns: stored.monotonic_ns,
        };
        let other = stored.other.as_ref().map(|o| o.read);
        let (kernel, lastgasp_version) = (stored.kernel.clone(), stored.lastgasp_version.clone());
        Ok(Loaded { raw, core, other, kernel, lastgasp_version })
    }
}

/// Why a description is refused.
enum Refused {
    Damaged(&'static str),
    Unreadable(String),
}

/// The ranges, if the core holds them as they were written. What a core says is bounded by what it holds, and
/// holes are bounded too: `left` bytes more are summed up.
fn checked(stored: &StoredRanges, core: &CoreFile, held: &Ranges, left: &mut u64) -> Result<Ranges, Refused> {
    let ranges = restore_ranges(&stored.ranges);
    *left = left.checked_sub(ranges.bytes()).ok_or_else(|| {
        Refused::Unreadable(format!(
            "more than {} GiB of evidence and constants: no capture has so much",
            MAX_CHECKED >> 30
        ))
    })?;
    if ranges.and(held) != ranges {
        return Err(Refused::Damaged("memory that it should hold is missing"));
    }
    match checksum(&ranges, core) {
        Ok(sum) if sum == stored.crc32 => Ok(ranges),
        _ => Err(Refused::Damaged("its memory has another checksum")),
    }
}

fn snapshot(evidence: &Ranges, core: &CoreFile) -> Result<Snapshot, Refused> {
    if evidence.bytes() > MAX_EVIDENCE {
        return Err(Refused::Unreadable(format!("{} bytes of evidence: no capture has so much", evidence.bytes())));
    }
    let mut snapshot = Snapshot::with_untouched_budget(evidence.bytes() as usize, evidence.as_slice().len());
    for r in evidence.as_slice() {
        if !snapshot.copy(core, r.start, r.len() as usize) {
            return Err(Refused::Damaged("evidence cannot be read"));
        }
    }
    snapshot.seal();
    Ok(snapshot)
}
