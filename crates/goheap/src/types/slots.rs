//! How large the object in a slot may have been: what fits, and what a smaller slot would have held. Source:
//! `runtime/sizeclasses.go` (the same in Go 1.19 to 1.27), `runtime/msize.go` (`roundupsize`).

use lastgasp_goruntime::{HeapObjects, ObjectSpan};
use lastgasp_heapgraph::{HeapLayout, ObjectId};
use rustc_hash::FxHashMap;

/// `class_to_size`, in bytes.
const CLASSES: [u64; 67] = [
    8, 16, 24, 32, 48, 64, 80, 96, 112, 128, 144, 160, 176, 192, 208, 224, 240, 256, 288, 320, 352, 384, 416, 448, 480,
    512, 576, 640, 704, 768, 896, 1024, 1152, 1280, 1408, 1536, 1792, 2048, 2304, 2688, 3072, 3200, 3456, 4096, 4864,
    5120, 5376, 6144, 6528, 6784, 6912, 8192, 9472, 9728, 10240, 10880, 12288, 13568, 14336, 16384, 18432, 19072,
    20480, 21760, 24576, 27264, 28672,
];
/// The largest of them, behind which objects have pages of their own.
const LARGEST: u64 = 32768;
/// Bytes of a page of the runtime's.
const PAGE: u64 = 8192;

/// What the slots of a span are, as far as types ask for it. Spans of one size class have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SlotClass {
    /// Bytes of the runtime's own in front of the object.
    pub(crate) header: u64,
    /// Bytes of a slot.
    pub(crate) slot_bytes: u64,
    /// Bytes of the next smaller slot there is.
    smaller: u64,
    /// Whether its objects hold no pointers.
    pub(crate) noscan: bool,
    /// Whether several tiny objects may share a slot.
    pub(crate) tiny: bool,
}

impl SlotClass {
    fn of(span: &ObjectSpan) -> Self {
        let smaller = if span.elem_size > LARGEST {
            span.elem_size.saturating_sub(PAGE).max(LARGEST)
        } else {
            CLASSES.iter().copied().filter(|c| *c < span.elem_size).max().unwrap_or(0)
        };
        Self { header: span.header(), slot_bytes: span.elem_size, smaller, noscan: span.noscan(), tiny: span.is_tiny() }
    }

    /// Bytes of the largest object that a slot holds.
    pub(crate) fn room(&self) -> u64 {
        self.slot_bytes.saturating_sub(self.header)
    }

    /// Whether an object of so many bytes has a slot of this size, and no smaller one. Objects over 32 KiB
    /// less a header have whole pages: there the header is the span's, and the bytes before it count as well.
    pub(crate) fn holds(&self, bytes: u64) -> bool {
        // A large object with pointers was put to whole pages as its header did not fit any more.
        let smaller = if self.slot_bytes > LARGEST { self.smaller.saturating_sub(8) } else { self.smaller };
        bytes <= self.room() && bytes.saturating_add(self.header) > smaller
    }
}

/// Those of all spans, by their place in the layout. Every pointer asks for that of where it leads, so each
/// class is there once and spans name it in four bytes.
pub(crate) struct Slots {
    classes: Vec<SlotClass>,
    of: Vec<u32>,
    /// Index of each span in the runtime's list.
    spans: Vec<usize>,
}

impl Slots {
    pub(crate) fn new(layout: &HeapLayout, objects: &HeapObjects) -> Self {
        let none = SlotClass { header: 0, slot_bytes: 0, smaller: 0, noscan: true, tiny: false };
        let mut out = Self { classes: Vec::new(), of: Vec::new(), spans: Vec::new() };
        let mut numbers: FxHashMap<SlotClass, u32> = FxHashMap::default();
        for (span, _) in layout.spans() {
            let index = objects.spans().binary_search_by_key(&span.base, |s| s.start.0).ok();
            let class = index.and_then(|index| objects.spans().get(index)).map_or(none, SlotClass::of);
            let number = *numbers.entry(class).or_insert_with(|| {
                out.classes.push(class);
                (out.classes.len() - 1) as u32
            });
            out.of.push(number);
            out.spans.push(index.unwrap_or(usize::MAX));
        }
        out
    }

    /// That of an object, and its place among the layout's spans.
    pub(crate) fn of(&self, layout: &HeapLayout, object: ObjectId) -> Option<(usize, SlotClass)> {
        let place = layout.span_of(object)?;
        Some((place, self.class(place)?))
    }

    /// That of the span at a place.
    pub(crate) fn class(&self, place: usize) -> Option<SlotClass> {
        self.classes.get(*self.of.get(place)? as usize).copied()
    }

    /// Index in the runtime's list of the span at a place.
    pub(crate) fn span(&self, place: usize) -> Option<usize> {
        self.spans.get(place).copied()
    }

    /// Those of all spans.
    pub(crate) fn all(&self) -> impl Iterator<Item = &SlotClass> + '_ {
        self.of.iter().filter_map(|class| self.classes.get(*class as usize))
    }

    /// Index in the runtime's list of all spans.
    pub(crate) fn spans(&self) -> &[usize] {
        &self.spans
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_has_one_slot() {
        let class = |slot_bytes: u64, header| {
            let smaller = CLASSES.iter().copied().filter(|c| *c < slot_bytes).max().unwrap_or(0);
            SlotClass { header, slot_bytes, smaller, noscan: false, tiny: false }
        };
        let held = |bytes: u64| {
            let all = CLASSES.iter().filter(|c| class(**c, 0).holds(bytes));
            all.copied().collect::<Vec<_>>()
        };
        assert_eq!((held(1), held(24), held(25), held(513)), (vec![8], vec![24], vec![32], vec![576]));
        assert!(class(576, 8).holds(568) && !class(576, 8).holds(569) && class(640, 8).holds(569));
        assert!(!class(64, 0).holds(8), "a pointer to the first field says nothing of the whole");
    }
}
