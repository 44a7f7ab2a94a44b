//! Small values that have an object each: in interfaces (`[]any` of numbers), or behind a pointer from a
//! slice that alone holds them (`[]*T` that could be `[]T`). An element then costs a pointer more, and what
//! its slot is larger than the value.

use lastgasp_goruntime::TypeReader;
use lastgasp_goruntime::types::Shape;
use lastgasp_heapgraph::{Holder, ObjectId};
use lastgasp_inferior::Addr;

use super::found::{Found, WasteKind};
use super::pointed::{INTERFACE, Pointed, SMALL, sample, scaled, word};
use crate::collections::arrays::{Arrays, Sequence};
use crate::heap::Heap;

/// Elements of the smallest slice that is looked at.
const LEAST: u64 = 4096;
pub(super) fn add(heap: &Heap<'_>, types: &mut TypeReader<'_>, arrays: &Arrays, found: &mut Found) {
    for array in &arrays.all {
        let Some(s) = array.longest.filter(|s| s.len >= LEAST) else { continue };
        let Some(elem) = s.elem.and_then(|e| types.get(e)) else { continue };
        let type_name = || format!("[]{}", elem.name);
        match &elem.shape {
            Shape::Interface { methods } => {
                if let Some(numbers) = boxed(heap, types, &s, *methods > 0) {
                    found.add(WasteKind::Boxed, array.object, type_name(), numbers);
                }
            }
            Shape::Pointer { elem } => {
                found.pointed.extend(Pointed::of(heap, types, &s, *elem).map(|p| (array.object, type_name(), p)));
            }
            _ => {}
        }
    }
}

/// Adds slices of pointers to what they alone hold: who else points to one of these needs them apart.
pub(super) fn settle(heap: &Heap<'_>, found: &mut Found) {
    let pointed = std::mem::take(&mut found.pointed);
    let all: Vec<ObjectId> = pointed.iter().flat_map(|(.., p)| &p.objects).copied().collect();
    let mut holders = heap.only_holders(&all).into_iter();
    for (array, type_name, p) in pointed {
        let own = holders.by_ref().take(p.objects.len()).filter(|by| *by == Some(Holder::Object(array))).count();
        if own == p.objects.len() {
            found.add(WasteKind::PointerSlice, array, type_name, p.numbers(heap));
        }
    }
}

/// Number of boxes, bytes of them with their interfaces, bytes of the values alone.
fn boxed(heap: &Heap<'_>, types: &mut TypeReader<'_>, s: &Sequence, table: bool) -> Option<[u64; 3]> {
    let layout = heap.graph.layout();
    let all = sample(heap, s);
    let (mut count, mut kept, mut used) = (0u64, 0, 0);
    for value in &all {
        let (first, data) = (Addr(word(value, 0)), word(value, 8));
        if first.is_null() {
            continue;
        }
        let of = if table { types.of_itab(first) } else { types.get(first) };
        // Pointers stand in the interface itself; small numbers have a place that all share.
        let Some(of) = of.filter(|of| !of.direct_iface && of.size > 0 && of.size <= SMALL) else { continue };
        let Some(object) = layout.object_at(data) else { continue };
        count += 1;
        // Several tiny values share a slot of 16 bytes.
        let slot = layout.bytes(object);
        let own = if of.noscan() && of.size < 16 && slot == 16 { of.size.next_power_of_two() } else { slot };
        kept += own + INTERFACE;
        used += of.size;
    }
    (count * 2 > all.len() as u64).then(|| scaled([count, kept, used], s.len, all.len() as u64))
}
