//! Small values that have an object each: in interfaces (`[]any` of numbers), or behind a pointer from a
//! slice that alone holds them (`[]*T` that could be `[]T`). An element then costs a pointer more, and what
//! its slot is larger than the value.

use lastgasp_goruntime::TypeReader;
use lastgasp_goruntime::types::Shape;
use lastgasp_heapgraph::{Holder, ObjectId};
use lastgasp_inferior::{Addr, BlockCache, Memory as _};

use super::found::{Found, WasteKind};
use crate::collections::arrays::{Arrays, Sequence};
use crate::heap::Heap;

/// Elements of the smallest slice that is looked at.
const LEAST: u64 = 4096;
/// Bytes of the largest value that is called small.
const SMALL: u64 = 64;
/// Elements that are looked at; what is found of them is taken for all.
const SAMPLED: u64 = 2048;
/// Bytes of an interface, and of a pointer.
const INTERFACE: u64 = 16;
const POINTER: u64 = 8;

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

/// Every so-manieth element's bytes.
fn sample(heap: &Heap<'_>, s: &Sequence) -> Vec<Vec<u8>> {
    let step = s.len.div_ceil(SAMPLED).max(1);
    let memory = BlockCache::new(heap.memory);
    let read = |i: u64| {
        let at = s.at.plus(i.saturating_mul(s.elem_bytes));
        memory.bytes(at, s.elem_bytes as usize, INTERFACE as usize).ok()
    };
    (0..s.len).step_by(step as usize).filter_map(read).collect()
}

fn word(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 8).and_then(|w| w.try_into().ok()).map_or(0, u64::from_le_bytes)
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

/// What a slice of pointers leads to, as far as it is looked at.
pub(super) struct Pointed {
    pub(super) objects: Vec<ObjectId>,
    /// Bytes of a value.
    size: u64,
    /// Elements of the slice.
    len: u64,
}

impl Pointed {
    /// Those of a slice of pointers to small values, each to another.
    fn of(heap: &Heap<'_>, types: &mut TypeReader<'_>, s: &Sequence, of: Addr) -> Option<Self> {
        let size = types.get(of).map(|t| t.size).filter(|size| (1..=SMALL).contains(size))?;
        let layout = heap.graph.layout();
        let all = sample(heap, s);
        let mut objects: Vec<ObjectId> = all.iter().filter_map(|v| layout.object_at(word(v, 0))).collect();
        objects.sort_unstable();
        objects.dedup();
        // Nil, of another's memory, twice the same, or tiny ones in one slot.
        (!all.is_empty() && objects.len() == all.len()).then_some(Self { objects, size, len: s.len })
    }

    /// Number of values that only the slice holds, bytes of them with their pointers, bytes of the values
    /// alone.
    fn numbers(&self, heap: &Heap<'_>) -> [u64; 3] {
        let count = self.objects.len() as u64;
        let kept = self.objects.iter().map(|o| heap.graph.layout().bytes(*o) + POINTER).sum();
        scaled([count, kept, count * self.size], self.len, count)
    }
}

fn scaled(of: [u64; 3], all: u64, sampled: u64) -> [u64; 3] {
    of.map(|n| (u128::from(n) * u128::from(all) / u128::from(sampled.max(1))) as u64)
}
