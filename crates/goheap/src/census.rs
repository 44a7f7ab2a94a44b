//! The largest collections: maps, slices, strings and channels, by elements and by bytes, with the way by
//! which each is kept.

use std::cmp::Reverse;

use lastgasp_goruntime::TypeReader;
use lastgasp_heapgraph::ObjectId;
use lastgasp_inferior::Addr;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::at_hand::at_hand;
use crate::collections::arrays::{Arrays, From, Sequence, unknown_elements};
use crate::collections::channels::FoundChan;
use crate::collections::maps::FoundMap;
use crate::collections::what::What;
use crate::copies::retained;
use crate::heap::Heap;

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
    /// Of one that keeps much of the heap and may be a queue: goroutines that have it at hand, the nearest
    /// first.
    pub at_hand: Vec<u64>,
}

/// A collection, before its owner is asked for.
pub(crate) struct Found {
    kind: CollectionKind,
    type_name: String,
    elements: u64,
    capacity: u64,
    bytes: u64,
    pub(crate) object: ObjectId,
    /// Whether its array is a small part of something larger, which keeps more than it.
    is_part: bool,
    header: Addr,
    at: Addr,
}

/// The largest of the heap.
pub(crate) fn largest(
    heap: &Heap<'_>,
    types: &mut TypeReader<'_>,
    maps: &[FoundMap],
    channels: &[FoundChan],
    arrays: &Arrays,
) -> Vec<Found> {
    let layout = heap.graph.layout();
    // What a map or channel is made of is none of its own.
    let mut parts: FxHashSet<ObjectId> = FxHashSet::default();
    for m in maps {
        parts.extend(m.arrays.arrays.iter().chain(&m.arrays.tables).filter_map(|a| layout.object_at(a.0)));
    }
    parts.extend(channels.iter().flat_map(|c| c.buffer.into_iter().chain([c.object])));
    let of_channel = |c: &FoundChan| c.buffer.map_or(0, |b| layout.bytes(b)) + layout.bytes(c.object);
    // Bytes and elements of each first, and its place among all: there are hundreds of thousands, and the
    // rest is asked of few.
    let (of_maps, of_channels) = (maps.len(), channels.len());
    let each = maps.iter().map(|m| Some((m.bytes, m.arrays.elements)));
    let each = each.chain(channels.iter().map(|c| Some((of_channel(c), c.header.len))));
    let each = each.chain(arrays.all.iter().map(|a| {
        let longest = a.longest.as_ref().filter(|_| !parts.contains(&a.object))?;
        Some((layout.bytes(a.object), longest.len))
    }));
    let all = (0..).zip(each).filter_map(|(at, of)| of.map(|(bytes, elements)| (bytes, elements, at)));
    most(all.collect())
        .into_iter()
        .filter_map(|(bytes, elements, at)| {
            let of = match at as usize {
                at if at < of_maps => Counting::Map(maps.get(at)?),
                at if at < of_maps + of_channels => Counting::Chan(channels.get(at - of_maps)?),
                at => {
                    let array = arrays.all.get(at - of_maps - of_channels)?;
                    Counting::Array(array.object, array.longest.as_ref()?)
                }
            };
            Some(found(heap, types, of, bytes, elements))
        })
        .collect()
}

/// Of bytes, elements and place those of the most bytes, and of the rest those of the most elements; equal
/// ones by their places.
fn most(mut all: Vec<(u64, u64, u32)>) -> Vec<(u64, u64, u32)> {
    let by_bytes = |(bytes, elements, at): &(u64, u64, u32)| (Reverse((*bytes, *elements)), *at);
    let by_elements = |(bytes, elements, at): &(u64, u64, u32)| (Reverse((*elements, *bytes)), *at);
    if all.len() > LARGEST {
        all.select_nth_unstable_by_key(LARGEST, by_bytes);
    }
    let mut rest = all.split_off(all.len().min(LARGEST));
    all.sort_unstable_by_key(by_bytes);
    rest.sort_unstable_by_key(by_elements);
    rest.truncate(LARGEST);
    all.append(&mut rest);
    all
}

/// What is counted.
enum Counting<'a> {
    Map(&'a FoundMap),
    Chan(&'a FoundChan),
    Array(ObjectId, &'a Sequence),
}

/// One of so many bytes and elements.
fn found(heap: &Heap<'_>, types: &mut TypeReader<'_>, of: Counting<'_>, bytes: u64, elements: u64) -> Found {
    let address = |object: ObjectId| Addr(heap.graph.layout().address(object).unwrap_or(0));
    match of {
        Counting::Map(m) => Found {
            kind: CollectionKind::Map,
            type_name: m.type_name(),
            elements,
            capacity: m.arrays.slots,
            bytes,
            object: m.object,
            is_part: false,
            header: m.at,
            at: m.at,
        },
        Counting::Chan(c) => Found {
            kind: CollectionKind::Chan,
            type_name: format!("chan {}", c.elem_name),
            elements,
            capacity: c.header.cap,
            bytes,
            object: c.object,
            is_part: false,
            header: c.at,
            at: c.at,
        },
        Counting::Array(object, s) => {
            let (kind, type_name) = match s.elem.and_then(|e| types.get(e)) {
                Some(elem) => (CollectionKind::Slice, format!("[]{}", elem.name)),
                None if s.is_string => (CollectionKind::String, "string".to_owned()),
                None => (CollectionKind::Slice, unknown_elements(s.elem_bytes)),
            };
            let header = match s.from {
                From::Variable(at) => at,
                From::Object(object, offset) => address(object).plus(offset),
            };
            let capacity = if s.is_string { s.len } else { s.cap };
            let at = address(object).plus(heap.header_of(object));
            let own = s.cap.max(s.len).saturating_mul(s.elem_bytes);
            let is_part = is_part(heap.what(types, object), own, bytes);
            let bytes = if is_part { own } else { bytes };
            Found { kind, type_name, elements, capacity, bytes, object, is_part, header, at }
        }
    }
}

/// Whether an array of `own` bytes is a small part of one value of `whole` bytes: what that keeps the array
/// does not (seen from outside: a processor of the runtime keeps all timers, 60 MB, and a list of its own of
/// a kilobyte was told as what keeps them).
fn is_part(of: What, own: u64, whole: u64) -> bool {
    matches!(of, What::One(_)) && own < whole / 2
}

/// Those of one owner and type put together; `ways` are those to each.
pub(crate) fn census(heap: &Heap<'_>, found: Vec<Found>, ways: &mut impl Iterator<Item = Vec<String>>) -> Vec<Counted> {
    let layout = heap.graph.layout();
    let mut merged: FxHashMap<(CollectionKind, String, String), (Counted, Vec<ObjectId>)> = FxHashMap::default();
    for f in found {
        let way = ways.next().unwrap_or_default();
        let owner = way.join(" ");
        let alone = if f.is_part { f.bytes } else { retained(heap, f.object).max(layout.bytes(f.object)) };
        let first = || Counted {
            kind: f.kind,
            owner: owner.clone(),
            type_name: f.type_name.clone(),
            elements: 0,
            capacity: 0,
            bytes: 0,
            retained_bytes: 0,
            count: 0,
            header: f.header,
            at: f.at,
            at_hand: Vec::new(),
        };
        let key = (f.kind, owner.clone(), f.type_name.clone());
        let (entry, objects) = merged.entry(key).or_insert_with(|| (first(), Vec::new()));
        objects.push(f.object);
        entry.elements += f.elements;
        entry.capacity += f.capacity;
        entry.bytes += f.bytes;
        entry.retained_bytes += alone;
        entry.count += 1;
    }
    let mut queues: Vec<&mut (Counted, Vec<ObjectId>)> =
        merged.values_mut().filter(|(counted, _)| may_be_a_queue(counted, heap.live().bytes)).collect();
    let sets: Vec<&[ObjectId]> = queues.iter().map(|(_, objects)| objects.as_slice()).collect();
    let found = at_hand(heap, &sets);
    for ((counted, _), goroutines) in queues.iter_mut().zip(found) {
        counted.at_hand = goroutines;
    }
    let mut out: Vec<Counted> = merged.into_values().map(|(counted, _)| counted).collect();
    out.sort_by(|a, b| (b.bytes, b.elements, &a.owner).cmp(&(a.bytes, a.elements, &b.owner)));
    out
}

/// Whether it may be what one fills and another empties, and matters: a list or a channel that keeps a good
/// part of the heap, or a few such, one for each client.
fn may_be_a_queue(of: &Counted, live_bytes: u64) -> bool {
    /// Part of what is live, one in so many.
    const PART: u64 = 4;
    /// So many are told as one.
    const FEW: u64 = 64;
    matches!(of.kind, CollectionKind::Slice | CollectionKind::Chan)
        && of.count <= FEW
        && !is_of_bytes(&of.type_name)
        && of.retained_bytes >= live_bytes / PART
}

/// Whether it is a buffer.
fn is_of_bytes(type_name: &str) -> bool {
    type_name == "[]uint8" || type_name == unknown_elements(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_bytes_then_the_most_elements_of_the_rest() {
        let all: Vec<(u64, u64, u32)> =
            (0..3 * LARGEST as u32).map(|at| (u64::from(at / 4), u64::from(at % 7), at)).collect();
        let mut plain = all.clone();
        plain.sort_by_key(|(bytes, elements, _)| Reverse((*bytes, *elements)));
        let mut rest = plain.split_off(LARGEST);
        rest.sort_by_key(|(bytes, elements, _)| Reverse((*elements, *bytes)));
        plain.extend(rest.into_iter().take(LARGEST));
        assert_eq!(most(all), plain);
        assert_eq!(most(vec![(1, 2, 0), (2, 1, 1)]), [(2, 1, 1), (1, 2, 0)]);
    }

    #[test]
    fn what_may_be_a_queue() {
        let of = |kind, retained_bytes, count| Counted {
            kind,
            owner: String::new(),
            type_name: "[]*main.job".into(),
            elements: 1000,
            capacity: 1000,
            bytes: 8000,
            retained_bytes,
            count,
            header: Addr::default(),
            at: Addr::default(),
            at_hand: Vec::new(),
        };
        let live = 100_000_000;
        assert!(may_be_a_queue(&of(CollectionKind::Slice, 80_000_000, 1), live));
        assert!(may_be_a_queue(&of(CollectionKind::Chan, 30_000_000, 5), live));
        assert!(!may_be_a_queue(&of(CollectionKind::Map, 80_000_000, 1), live), "that is looked up, not emptied");
        assert!(!may_be_a_queue(&of(CollectionKind::Slice, 8_000_000, 1), live), "it is little of the heap");
        assert!(!may_be_a_queue(&of(CollectionKind::Slice, 80_000_000, 30_000), live), "one for each of thousands");
        let buffer = Counted { type_name: "[]uint8".into(), ..of(CollectionKind::Slice, 80_000_000, 1) };
        assert!(!may_be_a_queue(&buffer, live));
    }

    #[test]
    fn a_part_of_a_value_keeps_no_more_than_itself() {
        let value = What::One(Addr(0x5000));
        assert!(is_part(value, 1024, 9728), "the list of a processor of the runtime");
        assert!(!is_part(value, 1 << 20, (1 << 20) + 64), "a ring with its array inside");
        assert!(!is_part(What::Array(Addr(0x5000)), 1024, 9728), "a slice of an array");
        assert!(!is_part(What::Unknown, 1024, 9728));
    }
}
