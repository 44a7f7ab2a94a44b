//! Where objects are: spans of equal slots, and a number for each slot.

use rustc_hash::FxHashMap;

use crate::bits::Bits;
use crate::retained::Retained;

/// Bytes of a page of the index, as of Go's own.
const PAGE: u64 = 8 << 10;
/// Most pages that the index has an entry for: 128 MiB for a heap spread over 64 GiB. Where spans lie further
/// apart, addresses are found by halving; and where nearly all of these pages would be none of a span.
const MAX_INDEX: u64 = 8 << 20;
const MAX_SPARSE: u64 = 64;
/// So few pages have an entry in any case.
const FEW_PAGES: u64 = 1 << 16;
/// Most slots that are numbered: 32 MiB a set of them.
pub const MAX_SLOTS: u64 = 1 << 28;

/// An object's number: its slot, counted through all spans. Free slots have numbers too, and those of a span
/// begin at a multiple of 64, so a number sizes sets of bits and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId(pub u32);

/// A run of equal slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Address of the first slot.
    pub base: u64,
    /// Bytes of a slot.
    pub slot_bytes: u64,
    /// How many there are.
    pub slots: u32,
}

impl Span {
    /// Address behind the last slot, if there is one below 2^64.
    fn end(&self) -> Option<u64> {
        self.slot_bytes.checked_mul(u64::from(self.slots)).and_then(|bytes| self.base.checked_add(bytes))
    }
}

/// A span that is kept.
#[derive(Clone, Copy, Debug)]
struct Placed {
    span: Span,
    /// Number of the first slot.
    first: u32,
}

/// How addresses in a span are divided: most spans are divided like many others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Division {
    slot_bytes: u64,
    slots: u32,
    /// 2^32 / slot_bytes, rounded up, where multiplying by it is exact in the whole span; else 0.
    reciprocal: u32,
}

impl Division {
    fn of(span: &Span) -> Self {
        Self { slot_bytes: span.slot_bytes, slots: span.slots, reciprocal: reciprocal(span) }
    }

    #[inline]
    fn slot(&self, offset: u64) -> Option<u32> {
        // The reciprocal is exact in the span alone. Its bytes are below 2^64: `end` has looked.
        if offset >= self.slot_bytes * u64::from(self.slots) {
            return None;
        }
        let slot = match self.reciprocal {
            0 => offset / self.slot_bytes,
            by => (offset * u64::from(by)) >> 32,
        };
        Some(slot as u32)
    }
}

/// What is asked of an address, page by page and in one place: pointers lead anywhere, and each place in
/// memory that is looked at for one is waited for.
#[derive(Clone, Copy, Debug)]
struct Page {
    /// The last span that begins in it or before.
    span: u32,
    /// Number of its first slot.
    first: u32,
    /// Pages from its first one.
    back: u32,
    /// How it is divided.
    division: u32,
}

/// Where an address leads.
struct Located {
    span: usize,
    slot: ObjectId,
    slot_bytes: u64,
    /// Bytes from the slot's start.
    offset: u64,
}

/// `offset * reciprocal >> 32` is the quotient as long as offset * (reciprocal * slot_bytes - 2^32) < 2^32.
fn reciprocal(span: &Span) -> u32 {
    let Ok(bytes) = u32::try_from(span.slot_bytes) else { return 0 };
    if bytes < 2 {
        return 0;
    }
    let by = (1u64 << 32).div_ceil(u64::from(bytes));
    let error = u128::from(by) * u128::from(bytes) - (1 << 32);
    let largest = u128::from(span.slot_bytes) * u128::from(span.slots);
    if error * largest < 1 << 32 && largest < 1 << 32 { by as u32 } else { 0 }
}

/// Spans by address, their slots numbered, and which slots hold an object.
#[derive(Clone, Debug, Default)]
pub struct HeapLayout {
    spans: Vec<Placed>,
    refused: usize,
    /// Start of the first page of the index.
    origin: u64,
    /// The index; empty where that would be too many pages, or most of them of no span, or where a span
    /// begins within a page.
    pages: Vec<Page>,
    divisions: Vec<Division>,
    /// The span of each 64 numbers.
    span_of: Vec<u32>,
    allocated: Bits,
}

impl HeapLayout {
    /// Numbers the slots of `spans`, which may come in any order. What is empty, wraps around, overlaps an
    /// earlier one or goes beyond [`MAX_SLOTS`] is refused and counted. No slot is allocated yet.
    pub fn new(mut spans: Vec<Span>) -> Self {
        let given = spans.len();
        spans.sort_by_key(|s| (s.base, s.slots, s.slot_bytes));
        let mut out = Self::default();
        let (mut end, mut next) = (0, 0u64);
        for span in spans {
            let numbers = u64::from(span.slots).next_multiple_of(64);
            let (Some(to), true) = (span.end(), next + numbers <= MAX_SLOTS) else { continue };
            if to == span.base || span.base < end {
                continue;
            }
            out.span_of.resize(((next + numbers) / 64) as usize, out.spans.len() as u32);
            out.spans.push(Placed { span, first: next as u32 });
            (end, next) = (to, next + numbers);
        }
        out.refused = given - out.spans.len();
        out.allocated = Bits::new(next as usize);
        out.index(end);
        out
    }

    fn index(&mut self, end: u64) {
        let Some(first) = self.spans.first() else { return };
        self.origin = first.span.base / PAGE * PAGE;
        let pages = (end - self.origin) / PAGE + 1;
        let begin_pages = self.spans.iter().all(|s| s.span.base.is_multiple_of(PAGE));
        let used = self.spans.iter().map(|s| (s.span.slot_bytes * u64::from(s.span.slots)).div_ceil(PAGE));
        let used = used.fold(0, u64::saturating_add).saturating_mul(MAX_SPARSE).max(FEW_PAGES);
        if pages > MAX_INDEX.min(used) || !begin_pages {
            return;
        }
        let mut numbers: FxHashMap<Division, u32> = FxHashMap::default();
        self.pages.reserve_exact(pages as usize);
        for (span, placed) in self.spans.iter().enumerate() {
            let next = self.spans.get(span + 1).map_or(pages, |next| (next.span.base - self.origin) / PAGE);
            let division = *numbers.entry(Division::of(&placed.span)).or_insert_with_key(|division| {
                self.divisions.push(*division);
                (self.divisions.len() - 1) as u32
            });
            let mut page = Page { span: span as u32, first: placed.first, back: 0, division };
            while (self.pages.len() as u64) < next {
                self.pages.push(page);
                page.back += 1;
            }
        }
    }

    /// How many spans were not believed.
    pub fn refused(&self) -> usize {
        self.refused
    }

    /// The spans by address, each with the number of its first slot.
    pub fn spans(&self) -> impl ExactSizeIterator<Item = (Span, ObjectId)> + '_ {
        self.spans.iter().map(|s| (s.span, ObjectId(s.first)))
    }

    /// Bound of all numbers.
    pub fn bound(&self) -> usize {
        self.span_of.len() * 64
    }

    /// Index of the last span that begins at or below `address`, in the order of [`HeapLayout::spans`].
    pub fn span_at(&self, address: u64) -> Option<usize> {
        let offset = address.checked_sub(self.origin)?;
        if !self.pages.is_empty() {
            return self.pages.get(usize::try_from(offset / PAGE).ok()?).map(|page| page.span as usize);
        }
        self.spans.partition_point(|s| s.span.base <= address).checked_sub(1)
    }

    #[inline]
    fn locate(&self, address: u64) -> Option<Located> {
        let offset = address.checked_sub(self.origin)?;
        if self.pages.is_empty() {
            return self.locate_by_halving(address);
        }
        let page = self.pages.get(usize::try_from(offset / PAGE).ok()?)?;
        let division = &self.divisions[page.division as usize];
        let offset = offset % PAGE + u64::from(page.back) * PAGE;
        let slot = division.slot(offset)?;
        Some(Located {
            span: page.span as usize,
            slot: ObjectId(page.first + slot),
            slot_bytes: division.slot_bytes,
            offset: offset - u64::from(slot) * division.slot_bytes,
        })
    }

    #[cold]
    fn locate_by_halving(&self, address: u64) -> Option<Located> {
        let span = self.span_at(address)?;
        let Placed { span: Span { base, slot_bytes, slots }, first } = self.spans[span];
        let offset = address - base;
        // To find the reciprocal takes longer than the one division.
        let slot = Division { slot_bytes, slots, reciprocal: 0 }.slot(offset)?;
        Some(Located { span, slot: ObjectId(first + slot), slot_bytes, offset: offset - u64::from(slot) * slot_bytes })
    }

    /// The slot that `address` points into, whether or not it holds an object.
    pub fn slot_at(&self, address: u64) -> Option<ObjectId> {
        self.locate(address).map(|at| at.slot)
    }

    /// The same with its bytes.
    pub(crate) fn sized_slot_at(&self, address: u64) -> Option<(ObjectId, u64)> {
        self.locate(address).map(|at| (at.slot, at.slot_bytes))
    }

    /// The object that `address` points to, or into.
    pub fn object_at(&self, address: u64) -> Option<ObjectId> {
        self.slot_at(address).filter(|o| self.is_allocated(*o))
    }

    /// The same with the index of its span, and how many bytes behind its slot's start that is: all that who
    /// follows pointers asks, looked up once.
    pub fn place_of(&self, address: u64) -> Option<(ObjectId, usize, u64)> {
        let at = self.locate(address)?;
        self.is_allocated(at.slot).then_some((at.slot, at.span, at.offset))
    }

    /// Marks slots of a span (by its index) as allocated: bit `i % 8` of byte `i / 8` is slot `i`, as in the
    /// runtime's own bitmaps. Bits beyond the last slot are ignored.
    pub fn allocate(&mut self, span: usize, bits: impl IntoIterator<Item = u8>) {
        let Some(placed) = self.spans.get(span) else { return };
        let (first, slots) = (placed.first as usize, placed.span.slots as usize);
        let words = &mut self.allocated.words_mut()[first / 64..];
        for (i, byte) in bits.into_iter().take(slots.div_ceil(8)).enumerate() {
            let there = (slots - i * 8).min(8);
            words[i / 8] |= (u64::from(byte) & ((1 << there) - 1)) << (i % 8 * 8);
        }
    }

    /// Marks all slots of a span as allocated.
    pub fn allocate_all(&mut self, span: usize) {
        self.allocate(span, std::iter::repeat(0xff));
    }

    /// Marks one slot as allocated.
    pub fn allocate_slot(&mut self, slot: ObjectId) {
        if self.placed(slot).is_some() {
            self.allocated.insert(slot.0 as usize);
        }
    }

    /// Whether a slot holds an object.
    pub fn is_allocated(&self, slot: ObjectId) -> bool {
        self.allocated.contains(slot.0 as usize)
    }

    /// All objects, by number.
    pub fn allocated(&self) -> &Bits {
        &self.allocated
    }

    fn placed(&self, slot: ObjectId) -> Option<&Placed> {
        let placed = &self.spans[*self.span_of.get(slot.0 as usize / 64)? as usize];
        (slot.0 - placed.first < placed.span.slots).then_some(placed)
    }

    /// The number of a span's slot, the span by its index.
    pub fn slot(&self, span: usize, slot: u32) -> Option<ObjectId> {
        self.spans.get(span).filter(|p| slot < p.span.slots).map(|p| ObjectId(p.first + slot))
    }

    /// Index of the span that a slot is of.
    pub fn span_of(&self, slot: ObjectId) -> Option<usize> {
        self.placed(slot).map(|_| self.span_of[slot.0 as usize / 64] as usize)
    }

    /// Address of a slot.
    pub fn address(&self, slot: ObjectId) -> Option<u64> {
        self.placed(slot).map(|p| p.span.base + u64::from(slot.0 - p.first) * p.span.slot_bytes)
    }

    /// Bytes of a slot: those of its size class, which is what an object costs. 0 for what is no slot.
    pub fn bytes(&self, slot: ObjectId) -> u64 {
        self.placed(slot).map_or(0, |p| p.span.slot_bytes)
    }

    /// Count and bytes of all objects.
    pub fn total(&self) -> (u64, u64) {
        self.count(&self.allocated)
    }

    /// The same of a set of objects of this layout.
    pub(crate) fn total_of(&self, objects: &Bits) -> Retained {
        let (count, bytes) = self.count(objects);
        // There are at most `MAX_SLOTS`.
        Retained { bytes, objects: count as u32 }
    }

    fn count(&self, set: &Bits) -> (u64, u64) {
        let words = set.words();
        let of = |p: &Placed| {
            let from = (p.first as usize / 64).min(words.len());
            let to = (from + p.span.slots.div_ceil(64) as usize).min(words.len());
            words[from..to].iter().map(|w| u64::from(w.count_ones())).sum::<u64>()
        };
        self.spans.iter().fold((0, 0), |(count, bytes), p| {
            let n = of(p);
            // Spans do not overlap: all bytes together are below 2^64.
            (count + n, bytes + n * p.span.slot_bytes)
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn span(base: u64, slot_bytes: u64, slots: u32) -> Span {
        Span { base, slot_bytes, slots }
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let spans = vec![
            span(0x4000, 64, 128),
            span(0x5000, 8, 1),
            span(0x8000, 0, 5),
            span(0xa000, 16, 0),
            span(u64::MAX - 100, 64, 2),
            span(0x10_0000, 1, u32::MAX),
            span(1 << 62, 1 << 60, 1),
        ];
        let mut layout = HeapLayout::new(spans);
        assert_eq!(layout.refused(), 5);
        assert_eq!(layout.object_at(0x4000), None);
        layout.allocate_all(0);
        layout.allocate(1, [0xff]);
        layout.allocate(7, [1]);
        layout.allocate_slot(ObjectId(500));
        assert_eq!(layout.total(), (129, 64 * 128 + (1 << 60)));
        assert_eq!(layout.object_at(0x4000 + 65), Some(ObjectId(1)));
        assert_eq!(layout.object_at((1 << 62) + 12345), Some(ObjectId(128)));
        assert_eq!(layout.object_at((1 << 62) + (1 << 60)), None);
        assert_eq!((layout.object_at(0), layout.object_at(u64::MAX), layout.object_at(0x6000)), (None, None, None));
        assert_eq!((layout.address(ObjectId(129)), layout.bytes(ObjectId(u32::MAX))), (None, 0));
        assert_eq!(HeapLayout::new(Vec::new()).object_at(7), None);
    }

    #[test]
    fn what_lies_behind_a_span_is_none_of_its_slots() {
        // So far apart that there is no index.
        let spans = [span(0x1_0000, 48, 170), span(1 << 40, 24, 100), span(1 << 60, 4096, 1)];
        let mut layout = HeapLayout::new(spans.to_vec());
        (0..3).for_each(|i| layout.allocate_all(i));
        for s in spans {
            let end = s.end().unwrap();
            assert!(layout.object_at(end - 1).is_some());
            for by in [0, 1, 48, 1 << 20, 1 << 33, 1 << 39, 1 << 59] {
                assert_eq!(layout.object_at(end + by), None, "{end:x} + {by:x}");
            }
        }
        assert_eq!(layout.object_at(u64::MAX), None);
    }

    proptest! {
        #[test]
        fn addresses_and_numbers_are_each_others_inverse(
            gaps in prop::collection::vec((0u64..40_000, 1u64..70_000, 1u32..200), 1..40),
            far in any::<bool>(),
            begin_pages in any::<bool>(),
        ) {
            let mut at = 0xc0_0000_0000;
            let mut spans = Vec::new();
            for (gap, slot_bytes, slots) in gaps {
                at += gap;
                if begin_pages {
                    at = at.next_multiple_of(PAGE);
                }
                spans.push(span(at, slot_bytes, slots));
                at += slot_bytes * u64::from(slots);
            }
            if far {
                spans.push(span(1 << 46, 4096, 3));
            }
            let mut layout = HeapLayout::new(spans.iter().rev().copied().collect());
            prop_assert!(!layout.pages.is_empty() || far || !begin_pages, "they are looked up by page");
            for (i, span) in spans.iter().enumerate() {
                layout.allocate_all(i);
                let end = span.end().unwrap();
                let next = spans.get(i + 1).map(|next| next.base);
                prop_assert_eq!(layout.slot_at(end).is_some(), next == Some(end));
                prop_assert_eq!(layout.span_at(end - 1), Some(i));
                for slot in 0..span.slots {
                    let address = span.base + u64::from(slot) * span.slot_bytes;
                    let object = layout.object_at(address).unwrap();
                    prop_assert_eq!(layout.address(object), Some(address));
                    prop_assert_eq!(layout.span_of(object), Some(i));
                    prop_assert_eq!(layout.slot(i, slot), Some(object));
                    prop_assert_eq!(layout.object_at(address + span.slot_bytes - 1), Some(object));
                    let last = span.slot_bytes - 1;
                    prop_assert_eq!(layout.place_of(address + last), Some((object, i, last)));
                }
            }
            prop_assert_eq!(layout.total().0, spans.iter().map(|s| u64::from(s.slots)).sum::<u64>());
        }
    }
}
