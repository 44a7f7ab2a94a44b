//! The channels of a heap, whether or not anything names them: an `hchan` says the type of its elements and
//! their size, and has its buffer behind it or points to it. Source: `runtime/chan.go` (`makechan`).

use lastgasp_goruntime::TypeReader;
use lastgasp_goruntime::collections::ChanHeader;
use lastgasp_heapgraph::ObjectId;
use lastgasp_inferior::{Addr, Part};
use rustc_hash::FxHashSet;

use super::slots::smaller_slot;
use crate::heap::Heap;

/// Elements that a channel must have room for to be looked for where its elements hold no pointers: then it
/// stands in front of its buffer, in an object of any size.
const LEAST_BYTES: u64 = 1024;
/// Bytes of an `hchan` that are read.
const HEAD: usize = 64;
/// Objects that are read at once.
const BATCH: usize = 512;
/// Objects that are looked at.
const MAX_OBJECTS: usize = 1 << 22;

/// A channel.
#[derive(Clone, Debug)]
pub(crate) struct FoundChan {
    pub(crate) at: Addr,
    pub(crate) object: ObjectId,
    pub(crate) header: ChanHeader,
    /// The object of its buffer, if that is another.
    pub(crate) buffer: Option<ObjectId>,
    /// Type of its elements.
    pub(crate) elem_name: String,
}

/// All that have a buffer.
pub(crate) fn channels(heap: &Heap<'_>, types: &mut TypeReader<'_>) -> Vec<FoundChan> {
    let l = &heap.runtime.layout.hchan;
    let layout = heap.graph.layout();
    let own = |slot: u64| slot >= l.sizeof && smaller_slot(slot) < l.sizeof;
    let mut places: Vec<(ObjectId, Addr)> = Vec::new();
    for (index, span) in heap.objects.spans().iter().enumerate() {
        let wanted = if span.noscan() { span.elem_size >= LEAST_BYTES } else { own(span.elem_size) };
        let Some(place) = layout.span_at(span.start.0).filter(|_| wanted && span.objects > 0) else { continue };
        let taken: Vec<u8> = heap.objects.taken(index).collect();
        for slot in (0..span.slots).filter(|s| taken.get(*s as usize / 8).is_some_and(|b| b >> (s % 8) & 1 == 1)) {
            let object = layout.slot(place, slot).filter(|o| heap.dominators.live().contains(o.0 as usize));
            if let Some(object) = object.filter(|_| places.len() < MAX_OBJECTS) {
                places.push((object, span.start.plus(u64::from(slot) * span.elem_size + span.header())));
            }
        }
    }
    // Types are asked for where an address can be one.
    let sections: Vec<_> = types.modules().sections().to_vec();
    let mut refused: FxHashSet<Addr> = FxHashSet::default();
    let mut found = Vec::new();
    let mut bytes = vec![0; BATCH * HEAD];
    for batch in places.chunks(BATCH) {
        let pieces = batch.iter().zip(bytes.chunks_exact_mut(HEAD));
        let mut parts: Vec<Part<'_>> = pieces.map(|((_, addr), buf)| Part { addr: *addr, buf, ok: false }).collect();
        heap.memory.read_parts(&mut parts);
        for ((object, at), part) in batch.iter().zip(&parts).filter(|(_, p)| p.ok) {
            let Some(header) = ChanHeader::of(heap.runtime, part.buf).filter(|h| h.cap > 0 && h.elem_bytes > 0) else {
                continue;
            };
            let of = header.elem_type;
            if refused.contains(&of) || !sections.iter().any(|s| s.contains(of)) {
                continue;
            }
            let Some(elem) = types.get(of).filter(|t| t.size == header.elem_bytes) else {
                refused.insert(of);
                continue;
            };
            let buffer = layout.object_at(header.buffer.0);
            let offset = buffer.and_then(|b| Some(header.buffer.0 - layout.address(b)?));
            let fits = match (buffer, offset, header.cap.checked_mul(header.elem_bytes)) {
                (Some(b), Some(offset), Some(len)) => offset <= l.sizeof && offset + len <= layout.bytes(b),
                _ => false,
            };
            if fits {
                let buffer = buffer.filter(|b| b != object);
                found.push(FoundChan { at: *at, object: *object, header, buffer, elem_name: elem.name.to_string() });
            }
        }
    }
    found
}
