//! `memory.core`: the raw capture and the target's memory, in the capture's folder. User data; written only
//! where a person has asked for it.

use lastgasp_capture::{GapEntry, MEMORY, Writer};
use lastgasp_observe::raw_capture::{RawCapture, Source};

/// Memory to be kept.
#[derive(Clone, Copy, Debug)]
pub struct KeepMemory<'a> {
    /// What was taken, and is decoded.
    pub raw: &'a RawCapture,
    /// Release of the kernel where it was taken.
    pub kernel: &'a str,
    /// Where other memory of the target can be read; without it the evidence alone is kept.
    pub source: Option<&'a Source>,
    /// Most bytes of memory; half of what is free on the disk in any case.
    pub max_bytes: Option<u64>,
}

/// Room that is left on a disk for what comes after it.
const LEFT_FREE: u64 = 8 << 20;

/// Writes it; gives what is missing of it. That it could not be written at all is no reason to lose the
/// capture.
pub(crate) fn add_memory(w: &mut Writer, keep: &KeepMemory<'_>) -> Vec<GapEntry> {
    let half = w.free_bytes().map_or(u64::MAX, |free| free / 2);
    let max = keep.max_bytes.unwrap_or(u64::MAX).min(half);
    let gap = |why: String| GapEntry { what: MEMORY.into(), why };
    let least = keep.raw.evidence.snapshot.len() as u64;
    if max < least {
        return vec![gap(format!(
            "not written: {least} bytes of evidence alone are more than the {max} that it may have"
        ))];
    }
    let go_on = || keep.source.is_none_or(Source::go_on);
    let other = keep.source.map(|s| s.other(keep.raw, &go_on));
    let written = w.add_stream(MEMORY, |out| {
        let saved = keep.raw.save(out, keep.kernel, other.as_ref(), max)?;
        Ok((saved.out, saved.gaps))
    });
    match written {
        Ok(_) if w.free_bytes().is_some_and(|free| free < LEFT_FREE) => {
            w.give_up(MEMORY);
            vec![gap("not kept: the disk is full".into())]
        }
        Ok(gaps) => gaps.into_iter().map(|g| GapEntry { what: g.what, why: g.why }).collect(),
        Err(e) => vec![gap(format!("not kept: {e}"))],
    }
}
