//! The maps of a heap, whether or not anything names them. A header names neither its type nor its array's,
//! but what it says must fit what stands behind it word by word: a directory of as many tables as the header
//! says, each at the place that it names itself, with as many keys together as the header counts; or an
//! array of 2^B buckets of a size that a map type of the program has, with as many marked slots as counted.
//! What fits all of that is a map. Its type is told by its holder, else by its array's (which has it in
//! front, from Go 1.22 on, where it holds pointers), else by size where only one type of the program fits.

use std::sync::Arc;

use lastgasp_goruntime::collections::{MapArrays, MapReader, ReadBudget, guess_map};
use lastgasp_goruntime::types::{Kind, MAP_SLOTS, MapForm, MapLayout};
use lastgasp_goruntime::{GoType, ObjectSpan, TypeReader};
use lastgasp_heapgraph::ObjectId;
use lastgasp_inferior::Addr;
use rustc_hash::FxHashMap;

use super::map_types::{MapType, MapTypes};
use super::slots::smaller_slot;
use super::what::What;
use crate::heap::Heap;

/// Bytes of a map's header (`hmap`, `maps.Map`), which is a size class; of an `hmap` of Go 1.24 and 1.25 the
/// slot has 64.
const HEADER: u64 = 48;
const LATE_HEADER: u64 = 64;
/// Types that are tried on one map of buckets whose array says none.
const MAX_TRIED: usize = 32;
/// Entries that are looked at to tell types apart.
const MAX_ENTRIES: u64 = 4096;
/// Bytes of a bucket's or group's hash or control bytes.
const CONTROL: u64 = 8;

/// A map.
#[derive(Clone, Debug)]
pub(crate) struct FoundMap {
    /// Its header.
    pub(crate) at: Addr,
    /// The object in which the header stands; of one on a stack what the header leads to.
    pub(crate) object: ObjectId,
    /// Its type, where it is known.
    pub(crate) of: Option<Arc<MapType>>,
    /// How its slots stand; of a map of which only the size of its slots is known, each is one key without a
    /// value.
    pub(crate) layout: MapLayout,
    /// Bytes of a key and of a value in that layout.
    pub(crate) sizes: (u64, u64),
    /// What stands behind it.
    pub(crate) arrays: MapArrays,
    /// Bytes of all of that, overflow buckets too.
    pub(crate) bytes: u64,
}

impl FoundMap {
    /// As `%T` spells it; of a map of which the type is not known the bytes of a slot.
    pub(crate) fn type_name(&self) -> String {
        match &self.of {
            Some(of) => of.name.to_string(),
            None => unknown_map(self.sizes.0 + self.sizes.1),
        }
    }
}

/// What a map is called of which only the bytes of a key with its value are known.
pub(crate) fn unknown_map(slot: u64) -> String {
    format!("map of unknown ({slot} bytes each)")
}

/// Finds those of the heap that have `least` elements or room for as many.
pub(crate) struct MapFinder<'h, 't> {
    heap: &'h Heap<'h>,
    types: &'t mut TypeReader<'h>,
    map_types: &'t MapTypes,
    reader: MapReader<'h>,
    least: u64,
    /// Answers for maps whose arrays and element counts are alike.
    pub(crate) unread: u64,
}

impl<'h, 't> MapFinder<'h, 't> {
    pub(crate) fn new(heap: &'h Heap<'h>, types: &'t mut TypeReader<'h>, map_types: &'t MapTypes, least: u64) -> Self {
        // Arrays without pointers are content.
        let reader = MapReader::new(heap.runtime, heap.contents);
        Self { heap, types, map_types, reader, least, unread: 0 }
    }

    /// All of them, by address.
    pub(crate) fn all(&mut self, budget: &mut ReadBudget) -> Vec<FoundMap> {
        let heap = self.heap;
        let mut found = Vec::new();
        let mut bytes = Vec::new();
        let version = &heap.runtime.version;
        let slot = if version.minor >= 24 && MapForm::of(version) == MapForm::Buckets { LATE_HEADER } else { HEADER };
        let spans = heap.objects.spans().iter().enumerate();
        for (index, span) in spans.filter(|(_, s)| s.elem_size == slot && !s.noscan() && s.objects > 0) {
            bytes.resize(usize::try_from(span.bytes).unwrap_or(0).min(1 << 20), 0);
            if budget.bytes < span.bytes || heap.memory.read(span.start, &mut bytes).is_err() {
                self.unread += u64::from(span.objects);
                continue;
            }
            budget.bytes -= span.bytes;
            self.in_span(index, span, &bytes, budget, &mut found);
        }
        self.on_stacks(budget, &mut found);
        found
    }

    /// Those whose headers stand on stacks: what holds them is what the header leads to.
    fn on_stacks(&mut self, budget: &mut ReadBudget, found: &mut Vec<FoundMap>) {
        let (heap, layout) = (self.heap, self.heap.graph.layout());
        for map in &heap.holders.maps {
            let object = layout.object_at(map.array.0);
            let Some(object) = object.filter(|o| heap.dominators.live().contains(o.0 as usize)) else { continue };
            let mut header = [0; HEADER as usize];
            if heap.memory.read(map.at, &mut header).is_err() {
                self.unread += 1;
            } else if self.may_be(&header) {
                found.extend(self.map_at(map.at, None, object, budget));
            }
        }
    }

    fn in_span(
        &mut self,
        index: usize,
        span: &ObjectSpan,
        bytes: &[u8],
        budget: &mut ReadBudget,
        found: &mut Vec<FoundMap>,
    ) {
        let layout = self.heap.graph.layout();
        let Some(place) = layout.span_at(span.start.0) else { return };
        let taken: Vec<u8> = self.heap.objects.taken(index).collect();
        for slot in 0..span.slots {
            if taken.get(slot as usize / 8).is_none_or(|b| b >> (slot % 8) & 1 == 0) {
                continue;
            }
            let from = slot as usize * span.elem_size as usize;
            let (Some(header), Some(object)) = (bytes.get(from..from + HEADER as usize), layout.slot(place, slot))
            else {
                continue;
            };
            if self.heap.dominators.live().contains(object.0 as usize) && self.may_be(header) {
                let at = span.start.plus(u64::from(slot) * span.elem_size);
                found.extend(self.map_at(at, Some(object), object, budget));
            }
        }
    }

    /// Whether bytes may be a header of a map that is large enough.
    fn may_be(&self, header: &[u8]) -> bool {
        let form = MapForm::of(&self.heap.runtime.version);
        guess_map(form, header).is_some_and(|guess| {
            (form == MapForm::Groups || guess.slots >= self.least)
                && self.starts_object(guess.array)
                && (guess.old.is_null() || self.starts_object(guess.old))
        })
    }

    fn starts_object(&self, at: Addr) -> bool {
        let layout = self.heap.graph.layout();
        let object = layout.object_at(at.0);
        object.and_then(|o| Some(at.0 - layout.address(o)?)).is_some_and(|offset| offset <= CONTROL)
    }

    /// The map at an address, if one stands there: with the object in which its header is, and the one that
    /// stands for all of it.
    fn map_at(
        &mut self,
        at: Addr,
        header: Option<ObjectId>,
        object: ObjectId,
        budget: &mut ReadBudget,
    ) -> Option<FoundMap> {
        let arrays = self.reader.arrays(at, budget).ok()?;
        if arrays.counted != arrays.elements || arrays.elements.max(arrays.slots) < self.least {
            return None;
        }
        let graph_layout = self.heap.graph.layout();
        let objects = arrays.arrays.iter().map(|a| graph_layout.object_at(a.0));
        let objects: Option<Vec<ObjectId>> = objects.collect();
        let objects = objects?;
        let of = match header.map_or(What::Unknown, |header| self.heap.what(self.types, header)) {
            What::Map(of) => Some(Arc::new(MapType::of(self.types, of)?)),
            What::Unknown => None,
            _ => return None,
        };
        let of = of.or_else(|| {
            objects.iter().find_map(|o| match self.heap.what(self.types, *o) {
                What::Runs(run) => self.map_types.of_run(run),
                What::RunsOf(map) => MapType::of(self.types, map).map(Arc::new),
                _ => None,
            })
        });
        let found = match MapForm::of(&self.heap.runtime.version) {
            MapForm::Groups => self.with_groups(at, of, &arrays, &objects, budget)?,
            MapForm::Buckets => self.with_buckets(at, of, &arrays, &objects, budget)?,
        };
        let (of, layout, sizes, overflow) = found;
        let mut all: Vec<ObjectId> = objects;
        all.extend(arrays.tables.iter().chain(&overflow).filter_map(|a| graph_layout.object_at(a.0)));
        all.sort_unstable();
        all.dedup();
        let bytes = all.iter().map(|o| graph_layout.bytes(*o)).sum();
        Some(FoundMap { at, object, of, layout, sizes, arrays, bytes })
    }

    /// Bytes that one of `count` runs in an object may have, the smallest and the largest.
    fn run_bytes(&self, object: ObjectId, count: u64) -> (u64, u64) {
        let slot = self.heap.graph.layout().bytes(object);
        let smaller = smaller_slot(slot);
        ((smaller / count.max(1)).max(CONTROL), slot / count.max(1))
    }

    fn with_groups(
        &mut self,
        at: Addr,
        of: Option<Arc<MapType>>,
        arrays: &MapArrays,
        objects: &[ObjectId],
        budget: &mut ReadBudget,
    ) -> Option<Found> {
        if let Some(of) = of {
            return Some((Some(Arc::clone(&of)), of.layout.clone(), of.sizes(), Vec::new()));
        }
        // Tables of one map have groups of one size; the largest array says it most exactly.
        let slots = arrays.slots;
        let largest = objects.iter().copied().max_by_key(|o| self.heap.graph.layout().bytes(*o))?;
        // With more than one table each has as many slots as the largest, or half.
        let count = if objects.len() == 1 { slots / MAP_SLOTS } else { self.groups_of(largest, arrays, objects)? };
        let (least, most) = self.run_bytes(largest, count);
        let noscan = self.heap.is_noscan_object(largest);
        let fits = |t: &MapType| (least + 1..=most).contains(&t.layout.run_bytes) && t.noscan == noscan;
        let mut fitting: Vec<Arc<MapType>> = self.map_types.fitting(fits).cloned().collect();
        fitting.sort_by_key(|t| t.of.at);
        let first = Arc::clone(fitting.first()?);
        let known = |t: Arc<MapType>| Some((Some(Arc::clone(&t)), t.layout.clone(), t.sizes(), Vec::new()));
        if fitting.len() == 1 {
            return known(first);
        }
        // Groups of one size: what a slot has is told, but not what of it is the key.
        if !noscan || fitting.iter().any(|t| t.layout.run_bytes != first.layout.run_bytes) {
            return None;
        }
        let stride = (first.layout.run_bytes - CONTROL) / MAP_SLOTS;
        let layout = MapLayout {
            key: Addr::NULL,
            elem: Addr::NULL,
            run: Addr::NULL,
            keys_at: CONTROL,
            key_stride: stride,
            elems_at: CONTROL,
            elem_stride: 0,
            indirect_key: false,
            indirect_elem: false,
            ..first.layout.clone()
        };
        let written = self.written(at, &layout, stride, budget);
        fitting.retain(|t| covers(t, &written));
        match fitting.as_slice() {
            [only] => known(Arc::clone(only)),
            _ => Some((None, layout, (stride, 0), Vec::new())),
        }
    }

    /// Of each byte of a slot the bits that any of some entries has.
    fn written(&mut self, at: Addr, layout: &MapLayout, stride: u64, budget: &mut ReadBudget) -> Vec<u8> {
        let mut written = vec![0; stride as usize];
        let mut entries = 0;
        self.reader.walk(at, layout, (stride, 0), budget, |e| {
            written.iter_mut().zip(e.key).for_each(|(all, byte)| *all |= byte);
            entries += 1;
            entries < MAX_ENTRIES
        });
        written
    }

    /// Groups in an array of a map with several tables: all have 128 or 64.
    fn groups_of(&self, object: ObjectId, arrays: &MapArrays, objects: &[ObjectId]) -> Option<u64> {
        let layout = self.heap.graph.layout();
        let alike = objects.iter().filter(|o| layout.bytes(**o) == layout.bytes(object)).count() as u64;
        let all = alike == objects.len() as u64;
        // Of equal arrays each has its share.
        let share = arrays.slots / MAP_SLOTS / alike.max(1);
        if all { Some(share) } else { Some(128) }
    }

    fn with_buckets(
        &mut self,
        at: Addr,
        of: Option<Arc<MapType>>,
        arrays: &MapArrays,
        objects: &[ObjectId],
        budget: &mut ReadBudget,
    ) -> Option<Found> {
        let tried: Vec<Arc<MapType>> = match of {
            Some(of) => vec![of],
            None => {
                let first = *objects.first()?;
                let count = arrays.slots / MAP_SLOTS;
                // From 16 buckets on an array has some for overflow too, one for each sixteen and what room
                // there is behind them.
                let made = if count >= 16 { count + count / 16 } else { count };
                let (least, most) = (self.run_bytes(first, made).0, self.run_bytes(first, made).1);
                let noscan = self.heap.is_noscan_object(first);
                let fits = |t: &MapType| (least + 1..=most).contains(&t.layout.run_bytes) && t.noscan == noscan;
                let mut fitting: Vec<_> = self.map_types.fitting(fits).cloned().collect();
                fitting.sort_by_key(|t| t.of.at);
                fitting.truncate(MAX_TRIED);
                fitting
            }
        };
        // Those of one size of buckets find the same slots.
        let mut answers: FxHashMap<u64, Option<Vec<Addr>>> = FxHashMap::default();
        let mut whole = Vec::new();
        for t in tried {
            let answer = answers.entry(t.layout.run_bytes).or_insert_with(|| {
                let walk = self.reader.walk(at, &t.layout, (0, 0), budget, |_| true);
                walk.is_whole().then_some(walk.overflow)
            });
            if let Some(overflow) = answer {
                whole.push((Arc::clone(&t), overflow.clone()));
            }
        }
        match <[_; 1]>::try_from(whole) {
            Ok([(of, overflow)]) => Some((Some(Arc::clone(&of)), of.layout.clone(), of.sizes(), overflow)),
            Err(several) => {
                // Buckets of one size: keys and values stand in the same bytes, whichever is longer.
                let (first, overflow) = several.first()?.clone();
                let alike = several.iter().all(|(t, _)| t.sizes() == first.sizes() && t.noscan && first.noscan);
                let layout = MapLayout { key: Addr::NULL, elem: Addr::NULL, run: Addr::NULL, ..first.layout.clone() };
                alike.then(|| (None, layout, first.sizes(), overflow))
            }
        }
    }
}

/// Whether a type has a key or a value wherever something was written in slots: what stands between and
/// behind them is never written. A `bool` is 0 or 1.
fn covers(of: &MapType, written: &[u8]) -> bool {
    let elem_at = of.layout.elems_at.saturating_sub(of.layout.keys_at);
    let part = |at: u64, t: &GoType| (at..at.saturating_add(t.size), t.kind == Kind::Bool);
    let parts = [part(0, &of.key), part(elem_at, &of.elem)];
    (0u64..)
        .zip(written)
        .filter(|(_, bits)| **bits != 0)
        .all(|(at, bits)| parts.iter().any(|(range, is_bool)| range.contains(&at) && (!is_bool || *bits == 1)))
}

/// Type, layout, bytes of a key and a value, overflow buckets.
type Found = (Option<Arc<MapType>>, MapLayout, (u64, u64), Vec<Addr>);
