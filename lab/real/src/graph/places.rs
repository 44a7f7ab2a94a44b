//! Where the address of an object stands at all, whether or not anybody calls it a pointer: of an object that
//! the collector kept and the graph did not reach that is nearly the answer. The collector takes every word
//! for a pointer in a frame that it interrupts between two calls, so one that stands in a stack alone, in no
//! word that is live there, may be kept by that; what stands outside of heap and stacks is a root.

use lastgasp_goheap::Heap;
use lastgasp_goruntime::{Runtime, each_goroutine};
use lastgasp_inferior::{Addr, AddrRange, CoreFile, Memory};

/// Places that are told.
const TOLD: usize = 6;
/// Bytes that are looked through at once.
const WINDOW: u64 = 1 << 20;

/// The places, in words; none if it stands nowhere.
pub(super) fn places(rt: &Runtime, heap: &Heap<'_>, core: &CoreFile, object: AddrRange) -> Vec<String> {
    let g = &rt.layout.g;
    let mut stacks = Vec::new();
    each_goroutine(rt, core, |goid, at| {
        let word = |offset: u64| core.ptr(at.plus(offset)).unwrap_or_default();
        stacks.push((AddrRange { start: word(g.stack_lo), end: word(g.stack_hi) }, word(g.sched_sp), goid));
    });
    let mut out = Vec::new();
    let mut bytes = vec![0; WINDOW as usize];
    for range in core.ranges() {
        for from in (range.start.0..range.end.0).step_by(WINDOW as usize) {
            let Some(window) = bytes.get_mut(..WINDOW.min(range.end.0 - from) as usize) else { continue };
            if core.read(Addr(from), window).is_err() {
                continue;
            }
            out.extend(leading_to(window, from, object).map(|at| name(heap, &stacks, at)));
        }
    }
    let more = out.len().saturating_sub(TOLD);
    out.truncate(TOLD);
    out.extend((more > 0).then(|| format!("{more} more")));
    out
}

/// Where the words of memory from an address on lead into an object.
fn leading_to(window: &[u8], from: u64, object: AddrRange) -> impl Iterator<Item = Addr> {
    let words = (0..).zip(window.as_chunks::<8>().0);
    words
        .filter(move |(_, word)| object.contains(Addr(u64::from_le_bytes(**word))))
        .map(move |(i, _)| Addr(from + i * 8))
}

/// What a place is.
fn name(heap: &Heap<'_>, stacks: &[(AddrRange, Addr, u64)], at: Addr) -> String {
    if let Some((_, sp, goid)) = stacks.iter().find(|(stack, ..)| stack.contains(at)) {
        let place = if at < *sp { "below the frames" } else { "in the frames" };
        return format!("{at} {place} of goroutine {goid}");
    }
    let layout = heap.graph.layout();
    match (heap.objects.find(at), layout.span_at(at.0)) {
        (Some(o), _) => {
            let id = layout.object_at(o.start.0);
            let is_live = id.is_some_and(|id| heap.dominators.live().contains(id.0 as usize));
            let of = id.and_then(|id| heap.type_of(id)).map_or("an unknown type", |(_, name)| name);
            let state = if is_live { "live" } else { "not reached" };
            format!("{at} in an object at {} of {of}, {:?}, {state}", o.start, o.mark)
        }
        (None, Some(span))
            if layout
                .spans()
                .nth(span)
                .is_some_and(|(s, _)| at.0 - s.base < s.slot_bytes.saturating_mul(u64::from(s.slots))) =>
        {
            format!("{at} in a free slot")
        }
        _ => format!("{at} outside of objects and stacks"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_into_an_object_are_seen_and_no_others() {
        let words = [0xc000_0010u64, 0xc000_0000, 0xc000_000f, 0, 0xbfff_ffff, 0xc000_0008];
        let window: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
        let object = AddrRange::sized(Addr(0xc000_0000), 16);
        let found: Vec<u64> = leading_to(&window, 0x1000, object).map(|at| at.0).collect();
        assert_eq!(found, [0x1008, 0x1010, 0x1028]);
    }
}
