//! The heap of a dead process, copied before anything is made of it: two seconds after a kill the kernel's
//! OOM reaper takes the pages (`mm/oom_kill.c`, `OOM_REAPER_DELAY`), however firmly the address space is
//! held.
//!
//! Reading it in place piece by piece lost that race where there is much to read and little to read it with.
//! Seen: 64,000 goroutines behind one semaphore, 1.2 million objects, two compilers beside it; the graph came
//! to its goroutines 2.2 seconds after the kill.

use lastgasp_goheap::side_by_side;
use lastgasp_goruntime::used_pages;
use lastgasp_inferior::{Addr, Memory, ReadCause, ReadError};
use lastgasp_observe::raw_capture::RawCapture;

/// Bytes that are copied in one go.
const PIECE: u64 = 1 << 20;

/// A copy of a heap, in pieces by address.
#[derive(Debug)]
pub struct HeapCopy(Vec<(u64, Vec<u8>)>);

/// All pages of the heap that are in use, stacks among them, in `budget` bytes at most; of what cannot be
/// read any more it has nothing. Where they are is read of `memory`, they are read of `contents`, which need
/// not remember them, by two threads. `None` where there is more, or nobody can tell where they are.
#[must_use]
pub fn copy_of_the_dead(
    taken: &RawCapture,
    (memory, contents): (&dyn Memory, &(dyn Memory + Sync)),
    budget: u64,
) -> Option<HeapCopy> {
    let used = used_pages(&taken.runtime, memory)?;
    if used.bytes() > budget {
        return None;
    }
    let mut pieces: Vec<(u64, u64)> = Vec::new();
    for range in used.as_slice() {
        let starts = (range.start.0..range.end.0).step_by(PIECE as usize);
        pieces.extend(starts.map(|at| (at, PIECE.min(range.end.0 - at))));
    }
    let (first, second) = pieces.split_at(pieces.len() / 2);
    let (mut all, rest) = side_by_side(|| copied(contents, first), || copied(contents, second));
    all.extend(rest);
    Some(HeapCopy(all))
}

/// Those of the pieces that can be read.
fn copied(contents: &dyn Memory, pieces: &[(u64, u64)]) -> Vec<(u64, Vec<u8>)> {
    let read = |(at, len): &(u64, u64)| {
        let mut bytes = vec![0; *len as usize];
        contents.read(Addr(*at), &mut bytes).is_ok().then_some((*at, bytes))
    };
    pieces.iter().filter_map(read).collect()
}

impl HeapCopy {
    /// The bytes from an address on, as far as its piece goes.
    fn from(&self, at: u64) -> Option<&[u8]> {
        let (start, bytes) = self.0.get(self.0.partition_point(|(start, _)| *start <= at).checked_sub(1)?)?;
        bytes.get(usize::try_from(at - start).ok()?..).filter(|rest| !rest.is_empty())
    }
}

impl Memory for HeapCopy {
    fn read(&self, addr: Addr, buf: &mut [u8]) -> Result<(), ReadError> {
        let mut done = 0;
        while done < buf.len() {
            let from = addr.0.checked_add(done as u64).and_then(|at| self.from(at));
            let place = buf.get_mut(done..).unwrap_or_default();
            let Some((from, place)) = from.and_then(|from| {
                let n = from.len().min(place.len());
                from.get(..n).zip(place.get_mut(..n))
            }) else {
                return Err(ReadError { addr, len: buf.len(), cause: ReadCause::Absent });
            };
            place.copy_from_slice(from);
            done += from.len();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_over_the_end_of_a_piece_is_read_of_both() {
        let piece = |at: u64, of: u8| (at, vec![of; 16]);
        let copy = HeapCopy(vec![piece(0x1000, 1), piece(0x1010, 2), piece(0x2000, 3)]);
        let read = |at: u64| {
            let mut buf = [0; 8];
            copy.read(Addr(at), &mut buf).ok().map(|()| buf)
        };
        assert_eq!(read(0x1000), Some([1; 8]));
        assert_eq!(read(0x100c), Some([1, 1, 1, 1, 2, 2, 2, 2]));
        assert_eq!(read(0x2008), Some([3; 8]));
        for outside in [0xff8, 0xffc, 0x101c, 0x2009, u64::MAX - 3] {
            assert_eq!(read(outside), None, "{outside:#x}");
        }
    }
}
