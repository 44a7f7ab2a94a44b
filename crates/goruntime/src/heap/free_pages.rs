//! Pages of the heap that hold something, and those that hold nothing: those of its arenas that stand in no
//! span in use. Whoever keeps a process's memory can do without these.

use std::collections::BTreeSet;

use lastgasp_inferior::{Addr, AddrRange, Memory, Ranges};

use super::mspan::{CHUNK, HEAP_ARENA_BYTES, array, read_spans};
use crate::runtime::Runtime;

/// Most pieces that pages in use may lie in: a heap that is more in pieces than that has no free pages worth
/// the trouble.
const MAX_PIECES: usize = 1 << 20;
/// Pieces that are noted before they are put together.
const PENDING: usize = 1 << 16;

/// The free pages of the heap, by its span table as it is now. `None` where any of it cannot be read: then
/// nobody can tell.
#[must_use]
pub fn free_pages(rt: &Runtime, mem: &dyn Memory) -> Option<Ranges> {
    let Pages { arenas, used } = pages(rt, mem)?;
    let arena = |number: &u64| AddrRange::sized(Addr(number.saturating_mul(HEAP_ARENA_BYTES)), HEAP_ARENA_BYTES);
    Some(Ranges::union(arenas.iter().map(arena)).minus(&used))
}

/// The pages of the heap that stand in spans in use, stacks among them. `None` as [`free_pages`].
#[must_use]
pub fn used_pages(rt: &Runtime, mem: &dyn Memory) -> Option<Ranges> {
    pages(rt, mem).map(|pages| pages.used)
}

/// What the span table says of pages.
struct Pages {
    /// Numbers of the arenas that spans stand in.
    arenas: BTreeSet<u64>,
    used: Ranges,
}

fn pages(rt: &Runtime, mem: &dyn Memory) -> Option<Pages> {
    let (at, len, _) = array(rt, mem).ok()?;
    let mut arenas = BTreeSet::new();
    let mut used = Ranges::default();
    let mut pending: Vec<AddrRange> = Vec::new();
    for first in (0..len).step_by(CHUNK) {
        let n = CHUNK.min((len - first) as usize);
        let words = mem.bytes(at.plus(first * 8), n * 8, CHUNK * 8).ok()?;
        let (spans, lost) = read_spans(rt, mem, &words);
        if lost > 0 {
            return None;
        }
        for span in spans {
            let range = span.range();
            if !range.is_empty() && !range.start.is_null() {
                arenas.insert(range.start.0 / HEAP_ARENA_BYTES);
                pending.extend(span.is_in_use().then_some(range));
            }
        }
        if pending.len() > PENDING {
            used = Ranges::union(used.as_slice().iter().copied().chain(pending.drain(..)));
            if used.as_slice().len() > MAX_PIECES {
                return None;
            }
        }
    }
    let used = Ranges::union(used.as_slice().iter().copied().chain(pending));
    Some(Pages { arenas, used })
}
