//! Pointers between objects, as they are found, one pass, in about two bytes each.
//!
//! Objects that were allocated one after another mostly point to objects that were allocated one after
//! another, so a pointer is kept as the difference to what the same word of the object before points to. Each
//! sixteen slots begin anew, so that the pointers of any object are found at once.

use crate::layout::{HeapLayout, ObjectId};

/// Slots that are decoded together.
pub(crate) const BLOCK: u32 = 16;
/// Words of an object that are predicted from the object before it; those behind, from the word before.
const PREDICTED: usize = 4;
/// Degrees below this one stand in the head of an object's pointers.
const LONG: usize = 15;

/// Pointers that are written together. An object with more has several entries, one behind another, so that
/// a slice of a gigabyte needs no second one beside it.
const TOGETHER: usize = 1 << 16;

/// What was given to an [`EdgeWriter`] and is not in the graph.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refused {
    /// Pointers to where no span is: to globals, stacks, code; or no pointers at all.
    pub outside: u64,
    /// Pointers to free slots.
    pub to_free: u64,
    /// Objects that came out of order, are free, or no slots: their pointers are not taken.
    pub objects: u64,
    /// Pointers for which there was no room: a part holds 4 GiB of them.
    pub too_many: u64,
}

impl Refused {
    pub(crate) fn add(&mut self, other: &Self) {
        self.outside += other.outside;
        self.to_free += other.to_free;
        self.objects += other.objects;
        self.too_many += other.too_many;
    }
}

/// Takes the pointers of objects in the order of their numbers, as they are read.
///
/// Several may write at once, each its own spans: [`crate::Graph::new`] puts the parts together.
#[derive(Debug)]
pub struct EdgeWriter<'a> {
    layout: &'a HeapLayout,
    part: EdgePart,
    /// The object whose pointers come, if they are taken.
    from: Option<ObjectId>,
    /// The last that was good: order is held against it.
    last: Option<ObjectId>,
    targets: Vec<u32>,
    predictor: Predictor,
}

/// What one writer was given: pointers of the objects of some spans.
#[derive(Clone, Debug, Default)]
pub struct EdgePart {
    /// First block that has pointers.
    first: u32,
    /// Where each block begins in `bytes`.
    starts: Vec<u32>,
    bytes: Vec<u8>,
    pub(crate) edges: u64,
    pub(crate) refused: Refused,
}

impl<'a> EdgeWriter<'a> {
    /// A writer of pointers between the objects of `layout`.
    pub fn new(layout: &'a HeapLayout) -> Self {
        let part = EdgePart::default();
        Self { layout, part, from: None, last: None, targets: Vec::new(), predictor: Predictor::new(0) }
    }

    /// Begins an object, or goes on with the one of before: pointers that follow are its own. Numbers must
    /// ascend; returns whether its pointers are taken.
    pub fn object(&mut self, from: ObjectId) -> bool {
        if self.from == Some(from) {
            return true;
        }
        self.flush();
        let good = self.layout.is_allocated(from) && self.last.is_none_or(|last| from >= last);
        if good {
            self.last = Some(from);
        } else {
            self.part.refused.objects += 1;
        }
        self.from = good.then_some(from);
        good
    }

    /// A word of the object that was begun last: the address that it holds. Returns the object it points to.
    /// An object's pointers to itself, and those that point where the word before does, are left out: they
    /// keep nothing alive that would not be without them.
    pub fn pointer(&mut self, address: u64) -> Option<ObjectId> {
        self.pointer_sized(address).map(|(to, _)| to)
    }

    /// As [`EdgeWriter::pointer`], with the bytes of that object's slot.
    pub fn pointer_sized(&mut self, address: u64) -> Option<(ObjectId, u64)> {
        let Some((to, bytes)) = self.layout.sized_slot_at(address) else {
            self.part.refused.outside += 1;
            return None;
        };
        if !self.layout.is_allocated(to) {
            self.part.refused.to_free += 1;
            return None;
        }
        if self.from != Some(to) && self.targets.last() != Some(&to.0) {
            self.targets.push(to.0);
            if self.targets.len() == TOGETHER {
                self.flush();
            }
        }
        Some((to, bytes))
    }

    fn flush(&mut self) {
        let Some(from) = self.from.filter(|_| !self.targets.is_empty()) else {
            self.targets.clear();
            return;
        };
        let part = &mut self.part;
        // Five bytes are the longest a number has.
        if part.bytes.len() as u64 + 5 * (self.targets.len() as u64 + 2) > u64::from(u32::MAX) {
            part.refused.too_many += self.targets.len() as u64;
            self.targets.clear();
            return;
        }
        let block = from.0 / BLOCK;
        if part.starts.is_empty() {
            part.first = block;
        }
        let blocks = (block - part.first) as usize + 1;
        if part.starts.len() < blocks {
            part.starts.resize(blocks, part.bytes.len() as u32);
            self.predictor = Predictor::new(from.0);
        }
        let (slot, degree) = ((from.0 % BLOCK) as u8, self.targets.len());
        part.bytes.push(slot | (if degree < LONG { degree as u8 } else { 0 }) << 4);
        if degree >= LONG {
            put(&mut part.bytes, degree as u32);
        }
        for (i, to) in self.targets.iter().enumerate() {
            let delta = to.wrapping_sub(self.predictor.expected(i)) as i32;
            put(&mut part.bytes, ((delta << 1) ^ (delta >> 31)) as u32);
            self.predictor.saw(i, *to);
        }
        part.edges += degree as u64;
        self.targets.clear();
    }

    /// All that was taken.
    pub fn finish(mut self) -> EdgePart {
        self.flush();
        self.part.bytes.shrink_to_fit();
        self.part.starts.shrink_to_fit();
        self.part
    }
}

/// What the next pointer is expected to be.
#[derive(Debug, Default)]
struct Predictor {
    words: [u32; PREDICTED],
    last: u32,
}

impl Predictor {
    fn new(at: u32) -> Self {
        let block = at / BLOCK * BLOCK;
        Self { words: [block; PREDICTED], last: block }
    }

    fn expected(&self, word: usize) -> u32 {
        self.words.get(word).copied().unwrap_or(self.last)
    }

    fn saw(&mut self, word: usize, to: u32) {
        if let Some(w) = self.words.get_mut(word) {
            *w = to;
        }
        self.last = to;
    }
}

fn put(bytes: &mut Vec<u8>, mut n: u32) {
    while n >= 0x80 {
        bytes.push(n as u8 | 0x80);
        n >>= 7;
    }
    bytes.push(n as u8);
}

fn take(bytes: &mut &[u8]) -> u32 {
    let (mut n, mut shift) = (0u32, 0);
    while let Some((byte, rest)) = bytes.split_first() {
        *bytes = rest;
        n |= u32::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 || shift >= 32 {
            break;
        }
    }
    n
}

impl EdgePart {
    fn end(&self) -> u32 {
        self.first + self.starts.len() as u32
    }

    fn block(&self, block: u32) -> &[u8] {
        let at = (block - self.first) as usize;
        let to = self.starts.get(at + 1).map_or(self.bytes.len(), |to| *to as usize);
        &self.bytes[self.starts[at] as usize..to]
    }

    /// Calls `each` for every object of a block that has pointers, for some more than once in a row.
    fn decode(&self, block: u32, targets: &mut Vec<u32>, mut each: impl FnMut(u32, &[u32])) {
        let mut bytes = self.block(block);
        let mut predictor = Predictor::new(block * BLOCK);
        while let Some((head, rest)) = bytes.split_first() {
            bytes = rest;
            let degree = match head >> 4 {
                0 => take(&mut bytes) as usize,
                short => short as usize,
            };
            targets.clear();
            for i in 0..degree {
                let coded = take(&mut bytes);
                let to = predictor.expected(i).wrapping_add((coded >> 1) ^ (coded & 1).wrapping_neg());
                predictor.saw(i, to);
                targets.push(to);
            }
            each(block * BLOCK + u32::from(head & 15), targets);
        }
    }
}

/// All pointers, by the object that holds them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Edges {
    /// In the order of their blocks.
    parts: Vec<EdgePart>,
}

/// Where in a block the pointers of single objects are looked up.
#[derive(Debug, Default)]
pub(crate) struct Cursor<'e> {
    block: Option<u32>,
    /// What is left of it.
    bytes: &'e [u8],
    predictor: Predictor,
    /// The first of its slots that is not gone by.
    done: u32,
}

/// Blocks of one part: a piece of work.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    part: usize,
    from: u32,
    to: u32,
}

impl Piece {
    /// Slots that lie in it, as a range.
    pub(crate) fn slots(&self) -> (u32, u32) {
        (self.from * BLOCK, self.to * BLOCK)
    }
}

impl Edges {
    /// Puts parts together; those that overlap an earlier one are dropped. Returns what was refused in all.
    pub(crate) fn new(mut parts: Vec<EdgePart>) -> (Self, Refused) {
        let mut refused = Refused::default();
        parts.iter().for_each(|p| refused.add(&p.refused));
        parts.retain(|p| !p.starts.is_empty());
        parts.sort_by_key(|p| p.first);
        let mut end = 0;
        parts.retain(|p| {
            let good = p.first >= end;
            if good {
                end = p.end();
            } else {
                refused.too_many += p.edges;
            }
            good
        });
        (Self { parts }, refused)
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u64 {
        self.parts.iter().map(|p| p.edges).sum()
    }

    /// Bytes they take.
    pub(crate) fn memory(&self) -> usize {
        self.parts.iter().map(|p| p.bytes.len() + p.starts.len() * 4).sum()
    }

    /// Calls `each` with the objects that `object` points to, in the order of its words.
    pub(crate) fn of(&self, object: u32, each: impl FnMut(u32)) {
        self.of_next(&mut Cursor::default(), object, each);
    }

    /// Looks at where the pointers of an object's block begin, and gives a byte of them: who asks for many
    /// objects afterwards does not wait for each of them in turn.
    pub(crate) fn glance(&self, object: u32) -> u8 {
        let block = object / BLOCK;
        let at = self.parts.partition_point(|p| p.first <= block);
        let part = at.checked_sub(1).map(|at| &self.parts[at]);
        let byte = part.and_then(|p| p.bytes.get(*p.starts.get((block - p.first) as usize)? as usize));
        byte.copied().unwrap_or(0)
    }

    /// As [`Edges::of`]; where `cursor` stands in the same block before the object, it goes on from there.
    pub(crate) fn of_next<'e>(&'e self, cursor: &mut Cursor<'e>, object: u32, mut each: impl FnMut(u32)) {
        let (block, wanted) = (object / BLOCK, object % BLOCK);
        if cursor.block != Some(block) || cursor.done > wanted {
            let at = self.parts.partition_point(|p| p.first <= block);
            let part = at.checked_sub(1).map(|at| &self.parts[at]).filter(|p| block < p.end());
            cursor.bytes = part.map_or(&[][..], |part| part.block(block));
            (cursor.block, cursor.predictor) = (Some(block), Predictor::new(block * BLOCK));
        }
        while let Some((head, rest)) = cursor.bytes.split_first() {
            let slot = u32::from(head & 15);
            if slot > wanted {
                break;
            }
            let mut bytes = rest;
            let degree = match head >> 4 {
                0 => take(&mut bytes) as usize,
                short => short as usize,
            };
            for i in 0..degree {
                let coded = take(&mut bytes);
                let to = cursor.predictor.expected(i).wrapping_add((coded >> 1) ^ (coded & 1).wrapping_neg());
                cursor.predictor.saw(i, to);
                if slot == wanted {
                    each(to);
                }
            }
            cursor.bytes = bytes;
        }
        cursor.done = wanted + 1;
    }

    /// Pieces of about equal bytes, at least `count` where there is enough, in the order of their objects.
    pub(crate) fn pieces(&self, count: usize) -> Vec<Piece> {
        let bytes: usize = self.parts.iter().map(|p| p.bytes.len()).sum();
        let each = bytes.div_ceil(count.max(1)).max(1);
        let mut out = Vec::new();
        for (part, p) in self.parts.iter().enumerate() {
            let mut from = 0;
            while from < p.starts.len() {
                let goal = p.starts[from] as usize + each;
                let to = p.starts.partition_point(|s| (*s as usize) < goal).max(from + 1);
                out.push(Piece { part, from: p.first + from as u32, to: p.first + to as u32 });
                from = to;
            }
        }
        out
    }

    /// Calls `each` for every object of the pieces that has pointers, in their order; for one with very many
    /// more than once in a row.
    pub(crate) fn each(&self, pieces: &[Piece], mut each: impl FnMut(u32, &[u32])) {
        let mut targets = Vec::new();
        for piece in pieces {
            for block in piece.from..piece.to {
                self.parts[piece.part].decode(block, &mut targets, &mut each);
            }
        }
    }

    /// The same of all there are.
    pub(crate) fn each_of_all(&self, each: impl FnMut(u32, &[u32])) {
        self.each(&self.pieces(1), each);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::layout::Span;

    fn layout(slots: u32) -> HeapLayout {
        let mut layout = HeapLayout::new(vec![Span { base: 0x1000, slot_bytes: 16, slots }]);
        layout.allocate_all(0);
        layout
    }

    #[test]
    fn what_is_refused_is_counted() {
        let mut layout = HeapLayout::new(vec![Span { base: 0x1000, slot_bytes: 16, slots: 64 }]);
        layout.allocate(0, [0b0111_1111]);
        let mut w = EdgeWriter::new(&layout);
        assert_eq!(w.pointer(0x1000), Some(ObjectId(0)));
        assert!(w.object(ObjectId(3)));
        assert_eq!(w.pointer(0x1000 + 5), Some(ObjectId(0)));
        assert_eq!(w.pointer(0x1000 + 15), Some(ObjectId(0)));
        assert_eq!(w.pointer(0x1000 + 3 * 16), Some(ObjectId(3)));
        assert_eq!((w.pointer(0), w.pointer(u64::MAX), w.pointer(0x1000 + 16 * 16)), (None, None, None));
        assert!(!w.object(ObjectId(2)) && !w.object(ObjectId(30)) && !w.object(ObjectId(63)));
        w.pointer(0x1010);
        // It goes on after what was refused.
        assert!(w.object(ObjectId(3)) && w.object(ObjectId(3)));
        w.pointer(0x1040);
        assert!(w.object(ObjectId(4)));
        w.pointer(0x1010);
        let (edges, refused) = Edges::new(vec![w.finish()]);
        assert_eq!(refused, Refused { outside: 2, to_free: 1, objects: 3, too_many: 0 });
        let mut all = Vec::new();
        edges.each_of_all(|from, to| all.push((from, to.to_vec())));
        assert_eq!(all, [(3, vec![0]), (3, vec![4]), (4, vec![1])]);
        let mut of_one = Vec::new();
        edges.of(3, |to| of_one.push(to));
        assert_eq!(of_one, [0, 4]);
    }

    #[test]
    fn parts_that_overlap_are_dropped() {
        let layout = layout(64);
        let part = |from: u32| {
            let mut w = EdgeWriter::new(&layout);
            w.object(ObjectId(from));
            w.pointer(0x1000);
            w.finish()
        };
        let (edges, refused) = Edges::new(vec![part(20), part(3), EdgePart::default(), part(21)]);
        assert_eq!((edges.count(), refused.too_many), (2, 1));
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(
            objects in prop::collection::btree_map(prop_oneof![0u32..5000, 0u32..64], prop::collection::vec(0u32..5000, 0..40), 0..80),
            cut in 0u32..5000,
            pieces in 1usize..9,
            asked in prop::collection::vec(prop_oneof![0u32..5000, 0u32..64], 0..200),
        ) {
            let layout = layout(5000);
            let cut = cut / BLOCK * BLOCK;
            let mut writers = [EdgeWriter::new(&layout), EdgeWriter::new(&layout)];
            let mut expected = Vec::new();
            for (from, to) in &objects {
                let w = &mut writers[usize::from(*from >= cut)];
                prop_assert!(w.object(ObjectId(*from)));
                let mut kept: Vec<u32> = to.iter().copied().filter(|t| t != from).collect();
                kept.dedup();
                to.iter().for_each(|t| assert!(w.pointer(0x1000 + u64::from(*t) * 16 + 3).is_some()));
                if !kept.is_empty() {
                    expected.push((*from, kept));
                }
            }
            let [a, b] = writers;
            let (edges, _) = Edges::new(vec![b.finish(), a.finish()]);
            let mut got = Vec::new();
            for piece in edges.pieces(pieces) {
                edges.each(std::slice::from_ref(&piece), |from, to| got.push((from, to.to_vec())));
            }
            prop_assert_eq!(edges.count(), expected.iter().map(|e| e.1.len() as u64).sum::<u64>());
            for from in 0..5000 {
                let mut one = Vec::new();
                edges.of(from, |to| one.push(to));
                let kept = expected.iter().find(|e| e.0 == from).map_or(&[][..], |e| &e.1);
                prop_assert_eq!(&one[..], kept);
            }
            // In any order, each with what it is whether or not those near it were asked for before.
            let mut cursor = Cursor::default();
            for from in asked {
                let mut one = Vec::new();
                edges.of_next(&mut cursor, from, |to| one.push(to));
                let kept = expected.iter().find(|e| e.0 == from).map_or(&[][..], |e| &e.1);
                prop_assert_eq!(&one[..], kept, "{}", from);
            }
            prop_assert_eq!(got, expected);
        }
    }
}
