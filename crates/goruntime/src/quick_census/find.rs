//! New collections, found in the heap of a process that runs, a bounded part of it at a time: from the words
//! that package variables and waiting goroutines hold, breadth first, through whatever words of an object
//! point to another. What an object is comes from its slot alone; a word that only looks like a pointer costs
//! a small read.

use std::collections::VecDeque;

use lastgasp_inferior::{Addr, Memory, Part};
use rustc_hash::FxHashSet;

use super::way::{Anchor, Hop, StackAnchor, Way};
use crate::binary::pclntab::Symbolizer;
use crate::collections::headers::{HeaderKind, MapFields, map_of};
use crate::collections::words::word;
use crate::goroutine::g::{RawG, distinct, pointers};
use crate::heap::slots::{Slot, SlotFinder};
use crate::heap::variables::variable_pointers;
use crate::roots::{StackPlace, StackReader};
use crate::runtime::Runtime;

/// How far is looked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FindLimits {
    /// Objects that are looked into.
    pub objects: usize,
    /// Bytes of them.
    pub bytes: usize,
    /// Words on the way from the first one.
    pub hops: usize,
    /// Collections that are kept.
    pub collections: usize,
    /// Goroutines, the oldest first.
    pub goroutines: usize,
}

impl Default for FindLimits {
    fn default() -> Self {
        Self { objects: 20_000, bytes: 16 << 20, hops: 6, collections: 1000, goroutines: 64 }
    }
}

/// Elements from which on a collection is worth to be known, and from which on one that a package variable
/// itself holds.
const MIN_ELEMENTS: u64 = 64;
const MIN_OF_VARIABLE: u64 = 8;
/// Bytes of an object that are looked into, and of the array behind a slice, whose elements are alike.
const OBJECT_BYTES: u64 = 2048;
const ARRAY_BYTES: u64 = 512;
/// Objects that are looked into at once.
const BATCH: usize = 128;
/// Words of package variables that are looked at.
const MAX_VARIABLES: usize = 1 << 16;
/// Goroutines that are looked at for the oldest, and so many of them at once.
const MAX_GOROUTINES: usize = 1 << 14;
const GOROUTINES_AT_ONCE: usize = 512;
/// A goroutine whose stack has more in use is not looked at.
const MAX_STACK: u64 = 64 << 10;
/// Bytes of a map's header, in all releases.
const MAP_SIZE: u64 = 48;
/// Spans of large objects are whole pages.
const PAGE: u64 = 8192;

/// Where a search is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Stacks,
    Variables,
    Objects,
    Done,
}

/// A word that points to an object.
#[derive(Clone, Copy, Debug)]
struct Node {
    /// The word in whose object it stands; none for a first word.
    parent: Option<u32>,
    hop: Hop,
    /// Of a first word: which anchor.
    anchor: u32,
    value: Addr,
    slot: Slot,
    hops: usize,
    /// Whether it is an array behind a slice.
    array: bool,
}

/// A collection that was found.
#[derive(Clone, Copy, Debug)]
struct Found {
    /// The word in whose object the last hop goes; with no hop it is the first word itself.
    node: Option<u32>,
    anchor: u32,
    hop: Option<Hop>,
    kind: HeaderKind,
    hops: usize,
    elements: u64,
}

/// A search, done step by step.
#[derive(Debug)]
pub struct Finder {
    limits: FindLimits,
    stage: Stage,
    slots: Option<SlotFinder>,
    anchors: Vec<Anchor>,
    nodes: Vec<Node>,
    queue: VecDeque<u32>,
    /// First words of other goroutines than the first: they come behind package variables.
    later: Vec<(StackAnchor, Slot)>,
    seen: FxHashSet<Addr>,
    arrays: FxHashSet<Addr>,
    found: Vec<Found>,
    objects: usize,
    bytes: usize,
}

impl Finder {
    /// A search that begins.
    #[must_use]
    pub fn new(limits: FindLimits) -> Self {
        Self {
            limits,
            stage: Stage::Stacks,
            slots: None,
            anchors: Vec::new(),
            nodes: Vec::new(),
            queue: VecDeque::new(),
            later: Vec::new(),
            seen: FxHashSet::default(),
            arrays: FxHashSet::default(),
            found: Vec::new(),
            objects: 0,
            bytes: 0,
        }
    }

    /// Whether the next part reads the binary's constants.
    #[must_use]
    pub fn reads_constants(&self) -> bool {
        self.stage == Stage::Stacks
    }

    /// Does a part of it, of a millisecond or so; gives whether there is more to do. `symbols` must be able
    /// to read the binary's constants.
    pub fn step(&mut self, rt: &Runtime, mem: &dyn Memory, symbols: &Symbolizer<'_>) -> bool {
        self.stage = match self.stage {
            Stage::Stacks => {
                self.stacks(rt, mem, symbols);
                Stage::Variables
            }
            Stage::Variables => {
                self.variables(rt, mem);
                Stage::Objects
            }
            Stage::Objects => {
                if self.objects_step(rt, mem) {
                    Stage::Objects
                } else {
                    Stage::Done
                }
            }
            Stage::Done => Stage::Done,
        };
        self.stage != Stage::Done
    }

    /// What was found so far: the nearest to where the ways begin, of those the largest.
    #[must_use]
    pub fn ways(&mut self) -> Vec<Way> {
        self.found.sort_by_key(|f| (f.hops, std::cmp::Reverse(f.elements)));
        self.found.truncate(self.limits.collections);
        self.found.iter().filter_map(|f| self.way(f)).collect()
    }

    fn way(&self, found: &Found) -> Option<Way> {
        let mut hops: Vec<Hop> = found.hop.into_iter().collect();
        let mut anchor = found.anchor;
        let mut at = found.node;
        while let Some(node) = at.and_then(|i| self.nodes.get(i as usize)) {
            anchor = node.anchor;
            at = node.parent;
            if at.is_some() {
                hops.push(node.hop);
            }
            if hops.len() > self.limits.hops + 2 {
                return None;
            }
        }
        hops.reverse();
        Some(Way { anchor: *self.anchors.get(anchor as usize)?, hops, kind: found.kind })
    }

    /// First words of goroutines that wait, the oldest goroutines first.
    fn stacks(&mut self, rt: &Runtime, mem: &dyn Memory, symbols: &Symbolizer<'_>) {
        let mut gaps = Vec::new();
        let all = distinct(pointers(rt, mem, &mut gaps).1, rt.layout.g.sizeof, &mut gaps);
        let Some(first) = all.first() else { return };
        let mut slots = SlotFinder::near(*first);
        let mut oldest: Vec<(u64, Addr, u64)> = Vec::new();
        let size = rt.layout.g.sizeof as usize;
        let mut bytes = vec![0u8; size * GOROUTINES_AT_ONCE.min(all.len())];
        for chunk in all.get(..MAX_GOROUTINES.min(all.len())).unwrap_or_default().chunks(GOROUTINES_AT_ONCE) {
            let places = chunk.iter().zip(bytes.chunks_exact_mut(size.max(1)));
            let mut parts: Vec<Part<'_>> = places.map(|(g, buf)| Part { addr: *g, buf, ok: false }).collect();
            mem.read_parts(&mut parts);
            oldest.extend(parts.iter().filter(|part| part.ok).filter_map(|part| {
                let raw = RawG::parse(rt, part.buf)?;
                raw.resume()?;
                (raw.used_bytes() <= MAX_STACK).then_some((raw.goid, part.addr, raw.stack.end.0))
            }));
        }
        oldest.sort_unstable();
        oldest.truncate(self.limits.goroutines);
        let mut reader = StackReader::new(rt, mem, symbols, &[]);
        let mut words: Vec<(StackAnchor, Addr)> = Vec::new();
        for (goid, g, top) in oldest {
            reader.read(g, &mut |root| {
                let (StackPlace::Frame(pc), Some((at, sp)), false) = (root.place, root.word, root.unsure) else {
                    return;
                };
                let below = |at: u64| top.checked_sub(at);
                if let (Some(word), Some(pc_word)) = (below(at.0), sp.0.checked_sub(8).and_then(below)) {
                    let anchor = StackAnchor { g, goid, word, pc_word, pc: pc.plus(1), object: root.to };
                    words.push((anchor, root.to));
                }
            });
        }
        // The frame must be told again by its return address: not of the innermost one.
        words.retain(|(a, _)| {
            let at = self.top_of(a, mem, rt);
            at.is_some_and(|at| mem.ptr(at) == Ok(a.pc))
        });
        let places: Vec<Addr> = words.iter().map(|(_, to)| *to).collect();
        let found = slots.find(rt, mem, &places);
        let main = words.first().map(|(a, _)| a.goid);
        for ((anchor, to), slot) in words.into_iter().zip(found) {
            let Some(slot) = slot.filter(|s| !s.noscan) else { continue };
            if Some(anchor.goid) == main {
                self.root(Anchor::Stack(anchor), to, slot);
            } else {
                self.later.push((anchor, slot));
            }
        }
        self.slots = Some(slots);
    }

    /// Where the return address of an anchor's frame stands.
    fn top_of(&self, anchor: &StackAnchor, mem: &dyn Memory, rt: &Runtime) -> Option<Addr> {
        let top = mem.u64(anchor.g.plus(rt.layout.g.stack_hi)).ok()?;
        top.checked_sub(anchor.pc_word).map(Addr)
    }

    fn root(&mut self, anchor: Anchor, value: Addr, slot: Slot) {
        if slot.noscan || !self.seen.insert(slot.start) {
            return;
        }
        self.anchors.push(anchor);
        let anchor = self.anchors.len() as u32 - 1;
        self.push(Node { parent: None, hop: Hop::default(), anchor, value, slot, hops: 0, array: false });
    }

    fn push(&mut self, node: Node) {
        self.nodes.push(node);
        self.queue.push_back(self.nodes.len() as u32 - 1);
    }

    fn variables(&mut self, rt: &Runtime, mem: &dyn Memory) {
        let Some(mut slots) = self.slots.take() else { return };
        let mut words: Vec<(Addr, Addr)> = Vec::new();
        variable_pointers(rt, mem, &mut Vec::new(), |_, at, to| {
            if slots.is_plausible(to) && words.len() < MAX_VARIABLES {
                words.push((at, to));
            }
        });
        // All goroutines: the runtime's own list of them.
        self.arrays.extend(mem.ptr(rt.globals.allgptr));
        for chunk in words.chunks(4096) {
            let places: Vec<Addr> = chunk.iter().map(|(_, to)| *to).collect();
            let found = slots.find(rt, mem, &places);
            let starts: Vec<(Addr, Slot)> = chunk
                .iter()
                .zip(&found)
                .filter_map(|((at, to), slot)| slot.filter(|s| s.object() == *to).map(|s| (*at, s)))
                .collect();
            let mut bytes = vec![0u8; starts.len() * 24];
            let mut parts: Vec<Part<'_>> = starts
                .iter()
                .zip(bytes.chunks_exact_mut(24))
                .map(|((at, _), buf)| Part { addr: *at, buf, ok: false })
                .collect();
            mem.read_parts(&mut parts);
            let slices: FxHashSet<Addr> = starts
                .iter()
                .zip(&parts)
                .filter(|((_, slot), part)| part.ok && slice_of(part.buf, 0, *slot).is_some())
                .map(|((at, _), _)| *at)
                .collect();
            for ((at, slot), part) in starts.iter().zip(&parts) {
                let Some(elements) = part.ok.then(|| slice_of(part.buf, 0, *slot)).flatten() else { continue };
                if elements >= MIN_OF_VARIABLE && self.arrays.insert(slot.start) {
                    self.anchors.push(Anchor::Variable(*at));
                    let anchor = self.anchors.len() as u32 - 1;
                    self.found.push(Found {
                        node: None,
                        anchor,
                        hop: None,
                        kind: HeaderKind::Slice,
                        hops: 0,
                        elements,
                    });
                }
            }
            for ((at, to), slot) in chunk.iter().zip(found) {
                let Some(slot) = slot.filter(|s| !s.noscan) else { continue };
                let before = self.nodes.len();
                self.root(Anchor::Variable(*at), *to, slot);
                if let Some(node) = self.nodes.get_mut(before) {
                    node.array = slices.contains(at);
                }
            }
        }
        for (anchor, slot) in std::mem::take(&mut self.later) {
            self.root(Anchor::Stack(anchor), anchor.object, slot);
        }
        self.slots = Some(slots);
    }

    /// Looks into some objects; gives whether there are more.
    fn objects_step(&mut self, rt: &Runtime, mem: &dyn Memory) -> bool {
        let Some(mut slots) = self.slots.take() else { return false };
        let mut batch: Vec<(u32, Node, usize)> = Vec::with_capacity(BATCH);
        while batch.len() < BATCH && self.objects < self.limits.objects && self.bytes < self.limits.bytes {
            let Some(i) = self.queue.pop_front() else { break };
            let Some(node) = self.nodes.get(i as usize).copied() else { break };
            let most = if node.array { ARRAY_BYTES } else { OBJECT_BYTES };
            let len = (node.slot.size.min(most) / 8 * 8) as usize;
            self.objects += 1;
            self.bytes += len;
            batch.push((i, node, len));
        }
        if batch.is_empty() {
            return false;
        }
        let mut buffer = vec![0u8; batch.iter().map(|(_, _, len)| len).sum()];
        let mut rest = buffer.as_mut_slice();
        let mut parts: Vec<Part<'_>> = Vec::with_capacity(batch.len());
        for (_, node, len) in &batch {
            let (buf, tail) = rest.split_at_mut((*len).min(rest.len()));
            parts.push(Part { addr: node.slot.start, buf, ok: false });
            rest = tail;
        }
        mem.read_parts(&mut parts);
        let mut words: Vec<(u32, u64)> = Vec::new();
        let mut places: Vec<Addr> = Vec::new();
        for (n, part) in (0..).zip(&parts).filter(|(_, p)| p.ok) {
            for offset in (0..part.buf.len() as u64).step_by(8) {
                let to = Addr(word(part.buf, offset));
                if slots.is_plausible(to) {
                    words.push((n, offset));
                    places.push(to);
                }
            }
        }
        let found = slots.find(rt, mem, &places);
        let fields = MapFields::of(rt);
        let mut told = words.iter().zip(&places).zip(&found).peekable();
        for (n, ((i, node, _), part)) in (0..).zip(batch.iter().zip(&parts)) {
            let mut own: Vec<(u64, Addr, Slot)> = Vec::new();
            while let Some((((_, offset), to), slot)) = told.next_if(|(((of, _), _), _)| *of == n) {
                own.extend(slot.map(|s| (*offset, *to, s)));
            }
            if !part.ok {
                continue;
            }
            let map = fields.filter(|_| is_of_map_size(node)).and_then(|f| map_in(f, part.buf, &own));
            match map {
                Some(elements) => self.map(*i, node, elements),
                None => self.object(*i, node, part.buf, &own, &slots),
            }
        }
        self.slots = Some(slots);
        true
    }

    fn map(&mut self, i: u32, node: &Node, elements: u64) {
        let least = if is_variable(node, &self.anchors) { MIN_OF_VARIABLE } else { MIN_ELEMENTS };
        if elements >= least {
            let hops = node.hops;
            let kind = HeaderKind::Map;
            self.found.push(Found { node: Some(i), anchor: node.anchor, hop: None, kind, hops, elements });
        }
    }

    fn object(&mut self, i: u32, node: &Node, bytes: &[u8], own: &[(u64, Addr, Slot)], slots: &SlotFinder) {
        for (offset, to, slot) in own {
            let at = node.slot.start.plus(*offset);
            let before = offset.checked_sub(8).filter(|b| *b >= node.slot.header).map_or(0, |b| word(bytes, b));
            let tag = if is_tag(before) && !slots.is_plausible(Addr(before)) { before } else { 0 };
            let hop = Hop { offset: at.0.wrapping_sub(node.value.0), tag };
            let hops = node.hops + 1;
            let elements = (slot.object() == *to).then(|| slice_of(bytes, *offset, *slot)).flatten();
            if let Some(elements) = elements.filter(|n| *n >= MIN_ELEMENTS)
                && hops <= self.limits.hops
                && self.arrays.insert(slot.start)
            {
                let kind = HeaderKind::Slice;
                self.found.push(Found { node: Some(i), anchor: node.anchor, hop: Some(hop), kind, hops, elements });
            }
            if !slot.noscan && hops <= self.limits.hops && self.seen.insert(slot.start) {
                let array = elements.is_some();
                self.push(Node { parent: Some(i), hop, anchor: node.anchor, value: *to, slot: *slot, hops, array });
            }
        }
    }
}

fn is_variable(node: &Node, anchors: &[Anchor]) -> bool {
    node.parent.is_none() && matches!(anchors.get(node.anchor as usize), Some(Anchor::Variable(_)))
}

fn is_of_map_size(node: &Node) -> bool {
    node.slot.size == MAP_SIZE && node.value == node.slot.start && !node.slot.noscan
}

/// Whether a word may be an interface's type: an address, and none of the heap.
fn is_tag(word: u64) -> bool {
    (0x1_0000..1 << 47).contains(&word) && word.is_multiple_of(8)
}

/// Elements of the slice whose header stands at an offset, if only a slice can have these words: its room
/// fills the slot of its array as an allocation would. Slices of bytes are buffers, and no collections.
fn slice_of(bytes: &[u8], offset: u64, slot: Slot) -> Option<u64> {
    let end = usize::try_from(offset).ok()?.checked_add(24)?;
    bytes.get(..end)?;
    let (len, cap) = (word(bytes, offset + 8), word(bytes, offset + 16));
    let room = slot.size.checked_sub(slot.header)?;
    if len == 0 || len > cap || cap > room / 2 {
        return None;
    }
    let left = room - room / cap * cap;
    // A size class wastes an eighth at most, and a large object less than a page.
    let most = if slot.size > 4 * PAGE { PAGE } else { room / 8 + 16 };
    (left < most).then_some(len)
}

/// Elements of the map whose header this is, if it is one: what it says fits together and fits the slot of
/// its array.
fn map_in(fields: MapFields, bytes: &[u8], own: &[(u64, Addr, Slot)]) -> Option<u64> {
    let read = map_of(fields, bytes)?;
    let array = own.iter().find(|(_, to, slot)| *to == read.array && slot.object() == *to).map(|(.., slot)| *slot)?;
    let room = array.size.checked_sub(array.header)?;
    let byte = |at: u64| bytes.get(at as usize).copied().unwrap_or(u8::MAX);
    match fields {
        MapFields::Buckets([_, b, _, old, flags], _) => {
            // Eight hashes and a pointer at least; and never that many more elements than room.
            let buckets = 1u64.checked_shl(byte(b).into())?;
            let old = word(bytes, old);
            let sane = byte(flags) < 32
                && buckets.checked_mul(16).is_some_and(|n| n <= room)
                && read.elements <= read.capacity.saturating_mul(4)
                && (old == 0 || own.iter().any(|(_, to, _)| to.0 == old));
            sane.then_some(read.elements)
        }
        MapFields::Groups([_, _, dir_len], _) => {
            // `globalDepth`, and the shift that goes with it, stand behind the directory's length.
            let tables = word(bytes, dir_len);
            let depth = byte(dir_len + 8);
            let shift = if depth == 0 { [64, 0] } else { [64u8.saturating_sub(depth), 64u8.saturating_sub(depth)] };
            let sane = tables > 0
                && 1u64.checked_shl(depth.into()) == Some(tables)
                && shift.contains(&byte(dir_len + 9))
                && tables.checked_mul(8).is_some_and(|n| n <= room);
            // A map of one group has eight elements at most.
            (sane || tables == 0 && read.elements <= 8).then_some(read.elements)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(words: &[u64]) -> Vec<u8> {
        words.iter().flat_map(|w| w.to_le_bytes()).collect()
    }

    fn slot(size: u64) -> Slot {
        Slot { start: Addr(0xc000_0000_0000), size, header: 0, noscan: true }
    }

    #[test]
    fn a_slice_fills_the_slot_of_its_array() {
        let of = |len, cap, size| slice_of(&bytes(&[1, len, cap]), 0, slot(size));
        assert_eq!(of(312, 312, 2688), Some(312), "312 numbers in the class of 2,688 bytes");
        assert_eq!(of(230_000, 230_000, 1_843_200), Some(230_000));
        assert_eq!((of(10, 5, 64), of(0, 8, 64), of(1, 4096, 4096)), (None, None, None));
        assert_eq!(of(1500, 1500, 4096), None, "a smaller class would have done");
    }

    #[test]
    fn a_map_of_tables_is_known_by_its_depth() {
        let array = Slot { noscan: false, ..slot(64) };
        let map = |used: u64, tables: u64, depth: u8| {
            let tail = u64::from(depth) | u64::from(64 - depth) << 8;
            bytes(&[used, 7, array.start.0, tables, tail, 0])
        };
        let own = [(16, array.start, array)];
        let fields = MapFields::Groups([0, 16, 24], 32);
        assert_eq!(map_in(fields, &map(4000, 8, 3), &own), Some(4000));
        assert_eq!(map_in(fields, &map(4000, 8, 2), &own), None);
        assert_eq!(map_in(fields, &map(4000, 16, 4), &own), None, "a directory that has no room there");
        assert_eq!(map_in(fields, &map(4000, 8, 3), &[]), None, "no array");
    }
}
