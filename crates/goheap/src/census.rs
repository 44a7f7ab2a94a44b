//! The largest collections: maps, slices, strings and channels, by elements and by bytes, with the way by
//! which each is kept.

use lastgasp_goruntime::TypeReader;
use lastgasp_heapgraph::ObjectId;
use lastgasp_inferior::Addr;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::collections::arrays::{Arrays, From, unknown_elements};
use crate::collections::channels::FoundChan;
use crate::collections::maps::FoundMap;
use crate::copies::retained;
use crate::heap::Heap;
use crate::ways::Ways;

/// Of each of both orders so many are kept before those of one owner and type are put together.
const LARGEST: usize = 2000;

/// What kind of collection it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CollectionKind {
    /// `map[K]V`.
    Map,
    /// `[]T`.
    Slice,
    /// `string`.
    String,
    /// `chan T`.
    Chan,
}

impl CollectionKind {
    /// As the document has it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Map => "map",
            Self::Slice => "slice",
            Self::String => "string",
            Self::Chan => "chan",
        }
    }
}

/// A collection, or several of one owner's words and type.
#[derive(Clone, Debug, PartialEq)]
pub struct Counted {
    /// What it is.
    pub kind: CollectionKind,
    /// The way by which it is kept.
    pub owner: String,
    /// As `%T` spells it.
    pub type_name: String,
    /// Elements; of several all together.
    pub elements: u64,
    /// Elements that there is room for, likewise.
    pub capacity: u64,
    /// Bytes of the arrays behind it.
    pub bytes: u64,
    /// What it keeps alive alone.
    pub retained_bytes: u64,
    /// How many they are.
    pub count: u64,
    /// Where the largest one's header stands, to look again; null where it is not known.
    pub header: Addr,
    /// Where the largest one stands, by which it is known again: of a slice or string its array.
    pub at: Addr,
}

/// A collection, before its owner is asked for.
struct Found {
    kind: CollectionKind,
    type_name: String,
    elements: u64,
    capacity: u64,
    bytes: u64,
    object: ObjectId,
    header: Addr,
    at: Addr,
}

/// The largest of the heap.
pub(crate) fn census(
    heap: &Heap<'_>,
    types: &mut TypeReader<'_>,
    maps: &[FoundMap],
    channels: &[FoundChan],
    arrays: &Arrays,
    ways: &Ways<'_, '_>,
) -> Vec<Counted> {
    let layout = heap.graph.layout();
    let mut all: Vec<Found> = Vec::new();
    // What a map or channel is made of is none of its own.
    let mut parts: FxHashSet<ObjectId> = FxHashSet::default();
    for m in maps {
        parts.extend(m.arrays.arrays.iter().chain(&m.arrays.tables).filter_map(|a| layout.object_at(a.0)));
        all.push(Found {
            kind: CollectionKind::Map,
            type_name: m.type_name(),
            elements: m.arrays.elements,
            capacity: m.arrays.slots,
            bytes: m.bytes,
            object: m.object,
            header: m.at,
            at: m.at,
        });
    }
    for c in channels {
        parts.extend(c.buffer);
        all.push(Found {
            kind: CollectionKind::Chan,
            type_name: format!("chan {}", c.elem_name),
            elements: c.header.len,
            capacity: c.header.cap,
            bytes: c.buffer.map_or(0, |b| layout.bytes(b)) + layout.bytes(c.object),
            object: c.object,
            header: c.at,
            at: c.at,
        });
    }
    parts.extend(channels.iter().map(|c| c.object));
    for a in arrays.all.iter().filter(|a| !parts.contains(&a.object)) {
        let Some(s) = a.longest else { continue };
        let (kind, type_name) = match s.elem.and_then(|e| types.get(e)) {
            Some(elem) => (CollectionKind::Slice, format!("[]{}", elem.name)),
            None if s.is_string => (CollectionKind::String, "string".to_owned()),
            None => (CollectionKind::Slice, unknown_elements(s.elem_bytes)),
        };
        let header = match s.from {
            From::Variable(at) => at,
            From::Object(object, offset) => Addr(layout.address(object).unwrap_or(0)).plus(offset),
        };
        all.push(Found {
            kind,
            type_name,
            elements: s.len,
            capacity: if s.is_string { s.len } else { s.cap },
            bytes: layout.bytes(a.object),
            object: a.object,
            header,
            at: Addr(layout.address(a.object).unwrap_or(0)).plus(heap.header_of(a.object)),
        });
    }
    let mut kept: Vec<Found> = Vec::new();
    all.sort_by_key(|f| std::cmp::Reverse((f.bytes, f.elements)));
    let rest = all.split_off(all.len().min(LARGEST));
    kept.extend(all);
    let mut rest = rest;
    rest.sort_by_key(|f| std::cmp::Reverse((f.elements, f.bytes)));
    rest.truncate(LARGEST);
    kept.extend(rest);
    let mut merged: FxHashMap<(CollectionKind, String, String), Counted> = FxHashMap::default();
    let objects: Vec<ObjectId> = kept.iter().map(|f| f.object).collect();
    for (f, way) in kept.into_iter().zip(ways.to_many(&objects)) {
        let owner = way.join(" ");
        let alone = retained(heap, f.object).max(layout.bytes(f.object));
        let entry = merged.entry((f.kind, owner.clone(), f.type_name.clone())).or_insert_with(|| Counted {
            kind: f.kind,
            owner,
            type_name: f.type_name,
            elements: 0,
            capacity: 0,
            bytes: 0,
            retained_bytes: 0,
            count: 0,
            header: f.header,
            at: f.at,
        });
        entry.elements += f.elements;
        entry.capacity += f.capacity;
        entry.bytes += f.bytes;
        entry.retained_bytes += alone;
        entry.count += 1;
    }
    let mut out: Vec<Counted> = merged.into_values().collect();
    out.sort_by(|a, b| (b.bytes, b.elements, &a.owner).cmp(&(a.bytes, a.elements, &b.owner)));
    out
}
