//! Arrays of which little is within reach: `a = b[:3]` keeps all of `b`'s array alive, for the collector
//! keeps objects whole.
//!
//! Of a slice that ends where its array does, what lies behind its length may be room that was made ahead,
//! as `append` and `make` make it, or elements that were there once: room that was never used is zero. What
//! has been cut to nothing (`b[:0]`) is a buffer that will be filled again, and so is that of a
//! `bytes.Buffer` or of `bufio`: these are not told. Of another slice from an array's start it cannot be told
//! whether its owner fills it again.

use lastgasp_goruntime::TypeReader;
use lastgasp_goruntime::types::Shape;
use lastgasp_heapgraph::{Holder, ObjectId};
use lastgasp_inferior::Addr;
use rustc_hash::FxHashSet;

use super::found::{Found, WasteKind};
use crate::collections::arrays::{Array, Arrays, From, Sequence, unknown_elements};
use crate::collections::maps::FoundMap;
use crate::collections::what::What;
use crate::copies::retained;
use crate::heap::Heap;

/// An array of which this part at most is used is told as kept for the sake of it.
const MOST_USED: f64 = 0.5;
/// One that was made ahead is told where this part at most is used: `append` doubles.
const MOST_FILLED: f64 = 0.25;
/// Bytes behind a slice's length in which something other than zero is looked for.
const MAX_LOOK: u64 = 16 << 20;
/// Elements of a slice whose own keep is looked up one by one.
const MAX_ELEMENTS: u64 = 4096;
/// Bytes that are read at once.
const WINDOW: u64 = 256 << 10;

pub(super) fn add(heap: &Heap<'_>, types: &mut TypeReader<'_>, maps: &[FoundMap], arrays: &Arrays, found: &mut Found) {
    let layout = heap.graph.layout();
    // What maps are made of is theirs.
    let of_maps: FxHashSet<ObjectId> =
        maps.iter().flat_map(|m| &m.arrays.arrays).filter_map(|a| layout.object_at(a.0)).collect();
    for array in arrays.all.iter().filter(|a| !a.whole && !of_maps.contains(&a.object)) {
        let Some(longest) = array.longest else { continue };
        let (own, used) = (layout.bytes(array.object), array.used_bytes());
        if used as f64 > own as f64 * MOST_USED {
            continue;
        }
        let kind = kind_of(heap, array, &longest);
        if kind != WasteKind::Overcapacity && (longest.len == 0 || is_buffer(heap, types, &longest)) {
            continue;
        }
        if kind == WasteKind::Overcapacity && used as f64 > own as f64 * MOST_FILLED {
            continue;
        }
        let type_name = match longest.elem.and_then(|e| types.get(e)) {
            Some(elem) => format!("[]{}", elem.name),
            None if longest.is_string => "string".into(),
            None => unknown_elements(longest.elem_bytes),
        };
        // What only the elements out of reach keep is kept for nothing too.
        let kept = retained(heap, array.object).max(own).saturating_sub(kept_by_used(heap, array, &longest));
        found.add(kind, array.object, type_name, [1, kept, used]);
    }
}

fn kind_of(heap: &Heap<'_>, array: &Array, longest: &Sequence) -> WasteKind {
    if longest.is_string {
        return WasteKind::Substring;
    }
    let layout = heap.graph.layout();
    let header = heap.header_of(array.object);
    let is_start = array.used.0 <= header;
    let (Some(start), end) = (layout.address(array.object), layout.bytes(array.object)) else {
        return WasteKind::Subslice;
    };
    if is_start && array.to_end && is_zero(heap, Addr(start).plus(array.used.1), end.saturating_sub(array.used.1)) {
        return WasteKind::Overcapacity;
    }
    WasteKind::Subslice
}

/// Whether a slice is the field of a type that fills it again and again.
fn is_buffer(heap: &Heap<'_>, types: &mut TypeReader<'_>, s: &Sequence) -> bool {
    const BUFFERS: [&str; 5] = ["bytes.Buffer", "bufio.Reader", "bufio.Writer", "bufio.Scanner", "strings.Builder"];
    const MAX_DEPTH: usize = 16;
    let From::Object(holder, offset) = s.from else { return false };
    let (What::One(of) | What::Array(of)) = heap.what(types, holder) else { return false };
    let mut offset = offset.saturating_sub(heap.header_of(holder));
    let mut of = types.get(of);
    for _ in 0..MAX_DEPTH {
        let Some(here) = of.filter(|t| t.size > 0) else { return false };
        if BUFFERS.contains(&&*here.name) {
            return true;
        }
        offset %= here.size;
        of = match &here.shape {
            Shape::Struct { fields } => {
                let behind = fields.partition_point(|f| f.offset <= offset);
                let Some(field) = behind.checked_sub(1).and_then(|i| fields.get(i)) else { return false };
                offset -= field.offset;
                types.get(field.type_at)
            }
            Shape::Array { elem, .. } => types.get(*elem),
            _ => return false,
        };
    }
    false
}

/// Whether memory is all zero; of much of it as far as it is looked at.
fn is_zero(heap: &Heap<'_>, at: Addr, len: u64) -> bool {
    let len = len.min(MAX_LOOK);
    let mut buffer = vec![0; WINDOW.min(len) as usize];
    for from in (0..len).step_by(WINDOW as usize) {
        let Some(bytes) = buffer.get_mut(..WINDOW.min(len - from) as usize) else { break };
        if heap.contents.read(at.plus(from), bytes).is_err() || bytes.iter().any(|b| *b != 0) {
            return false;
        }
    }
    true
}

/// Bytes that the elements within reach keep alive alone.
fn kept_by_used(heap: &Heap<'_>, array: &Array, longest: &Sequence) -> u64 {
    let bytes = longest.len.saturating_mul(longest.elem_bytes);
    if longest.len > MAX_ELEMENTS || bytes > WINDOW {
        return 0;
    }
    let Ok(read) = heap.contents.bytes(longest.at, bytes as usize, WINDOW as usize) else { return 0 };
    let layout = heap.graph.layout();
    let words = read.chunks_exact(8).map(|w| w.try_into().map_or(0, u64::from_le_bytes));
    let objects: FxHashSet<ObjectId> =
        words.filter_map(|w| layout.object_at(w)).filter(|o| *o != array.object).collect();
    let dominated = |o: &ObjectId| {
        // One that is folded has one holder, which is this array.
        if heap.graph.is_folded(*o) {
            return true;
        }
        let dominator = heap.dominators.dominator(&heap.graph, Holder::Object(*o));
        dominator == Some(Holder::Object(array.object))
    };
    objects.iter().filter(|o| dominated(o)).map(|o| retained(heap, *o)).sum()
}
