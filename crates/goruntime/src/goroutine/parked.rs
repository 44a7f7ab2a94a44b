//! The innermost frames of a goroutine that waits. Where it waits for a semaphore, or in the poller, nothing
//! leads from its `g` there, but the pointer stands in its stack: the functions that parked it need it when
//! they go on.

use lastgasp_inferior::Addr;

use super::g::RawG;
use crate::runtime::Runtime;

/// Bytes of the stack, from the innermost frame on, in which the pointer stands: those of `gopark`,
/// `semacquire1` and `netpollblock` have 300 together.
pub(crate) const WINDOW: u64 = 768;
/// End of the address space of programs.
const END: u64 = 1 << 47;
/// Nothing stands below.
const START: u64 = 1 << 16;

/// The innermost part of its stack.
pub(crate) fn window(raw: &RawG) -> Option<(Addr, usize)> {
    let used = raw.used_stack(WINDOW)?;
    Some((used.start, used.len() as usize))
}

/// Words of the stack that may point to what is looked for, on the heap.
pub(crate) fn candidates<'a>(rt: &'a Runtime, raw: &'a RawG, words: &'a [u8]) -> impl Iterator<Item = Addr> + 'a {
    let words = words.chunks_exact(8).map(|w| Addr(w.try_into().map_or(0, u64::from_le_bytes)));
    words.filter(|a| may_lead_out(rt, raw, *a) && !rt.module.variables.contains(*a))
}

/// Whether a word of a goroutine's stack may point to a structure of the runtime or of `sync` that stands
/// elsewhere: on the heap, or among package variables.
pub(crate) fn may_lead_out(rt: &Runtime, raw: &RawG, word: Addr) -> bool {
    (START..END).contains(&word.0)
        && word.0.is_multiple_of(8)
        && !raw.stack.contains(word)
        && !rt.module.pcs.contains(word)
}
