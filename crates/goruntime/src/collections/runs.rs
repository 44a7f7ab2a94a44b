//! Runs of slots, buckets or groups, read in pieces: many small arrays by one kernel call, a large one by
//! several, all through one buffer.

use lastgasp_inferior::{Addr, Memory, Part, ReadCause, ReadError};

use super::budget::{Broken, ReadBudget};

/// Bytes that are read at once.
const BUFFER: usize = 256 << 10;
/// Pieces of one kernel call.
const MOST_PARTS: usize = 512;

/// Neighbouring runs of one length.
#[derive(Clone, Copy, Debug)]
pub(super) struct Runs {
    /// The first.
    pub(super) at: Addr,
    /// How many.
    pub(super) count: u64,
}

/// Told of a bucket or group: where it stands, its bytes, a bit for each slot that is taken.
pub(super) type RunVisitor<'a> = dyn FnMut(Addr, &[u8], u8, &mut ReadBudget) -> Result<(), Broken> + 'a;

/// Reads runs of `run_bytes` each and hands them to `f` one by one, in order.
pub(super) fn each_run(
    mem: &dyn Memory,
    buffer: &mut Vec<u8>,
    runs: impl IntoIterator<Item = Runs>,
    run_bytes: u64,
    budget: &mut ReadBudget,
    mut f: impl FnMut(Addr, &[u8]) -> Result<(), Broken>,
) -> Result<(), Broken> {
    let Some(size) = usize::try_from(run_bytes).ok().filter(|s| (8..=BUFFER).contains(s)) else {
        return Err(Broken::Senseless("a bucket or group of no believable size"));
    };
    buffer.resize(BUFFER, 0);
    let mut runs = runs.into_iter();
    let mut rest = Runs { at: Addr::NULL, count: 0 };
    loop {
        // What the buffer holds of what is left.
        let mut pieces: Vec<(Addr, usize)> = Vec::new();
        let mut free = BUFFER / size;
        while free > 0 && pieces.len() < MOST_PARTS {
            if rest.count == 0 {
                match runs.next() {
                    Some(next) => rest = next,
                    None => break,
                }
                continue;
            }
            let n = rest.count.min(free as u64) as usize;
            budget.take((n * size) as u64)?;
            pieces.push((rest.at, n * size));
            rest = Runs { at: rest.at.plus((n * size) as u64), count: rest.count - n as u64 };
            free -= n;
        }
        if pieces.is_empty() {
            return Ok(());
        }
        let mut left = buffer.as_mut_slice();
        let mut parts = Vec::with_capacity(pieces.len());
        for (addr, len) in pieces {
            let (buf, tail) = left.split_at_mut(len.min(left.len()));
            parts.push(Part { addr, buf, ok: false });
            left = tail;
        }
        mem.read_parts(&mut parts);
        for part in &parts {
            if !part.ok {
                let cause = ReadCause::Absent;
                return Err(ReadError { addr: part.addr, len: part.buf.len(), cause }.into());
            }
            for (i, run) in (0u64..).zip(part.buf.chunks_exact(size)) {
                f(part.addr.plus(i * run_bytes), run)?;
            }
        }
    }
}
