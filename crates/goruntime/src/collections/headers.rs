//! How many elements a collection has and how many it has room for, from its header alone: one small read
//! each, and of many known ones as few kernel calls as there are five hundreds of them. Source:
//! `runtime/map.go` (`hmap`), `internal/runtime/maps/map.go` (`Map`), `runtime/chan.go` (`hchan`).

use lastgasp_inferior::{Addr, AddrRange, Memory, Part};

use super::budget::Broken;
use super::sequences::{SliceHeader, StringHeader};
use super::words::{byte, word};
use crate::layout::{self, HMap};
use crate::runtime::Runtime;
use crate::types::{MAP_SLOTS, MapForm, TABLE_SLOTS};

/// Bytes of a header that are read: all that is asked for stands in these.
const BYTES: usize = 48;
/// Most buckets of a map are two to the power of this: more memory than there is.
const MAX_B: u8 = 40;
/// Most elements that a header is believed.
const MAX_ELEMENTS: u64 = 1 << 44;
/// Headers of one kernel call, as `process_vm_readv` takes them: Linux's `UIO_MAXIOV` is twice that.
const BATCH: usize = 512;
/// Bytes of the largest piece of memory that is read for the headers in it.
const PIECE: u64 = 2048;

/// What a header is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HeaderKind {
    /// A map, of the form that the release has.
    Map,
    /// A slice: the header is the variable, field or element that holds it.
    Slice,
    /// A string, likewise.
    String,
    /// A channel.
    Chan,
}

/// A collection whose header is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KnownHeader {
    /// Where the header stands.
    pub at: Addr,
    /// What it is of.
    pub kind: HeaderKind,
}

/// What a header says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeaderReading {
    /// Elements: of a map its keys, of a channel what waits in it, of a string bytes.
    pub elements: u64,
    /// Elements that there is room for. Of a map with groups in tables it is the most that so many tables
    /// can have, for which tables there are the header does not say.
    pub capacity: u64,
    /// What stands behind it: the array, of a map with tables their directory; null where there is none.
    pub array: Addr,
    /// What stays the same as long as it is the same collection: a map's random seed, of which it gets
    /// another when it is emptied; a channel's element and size. 0 of slices and strings.
    pub identity: u64,
}

/// What of the runtime's structures a header is read by.
#[derive(Clone, Copy, Debug)]
pub(crate) enum MapFields {
    /// Offsets of `count`, `B`, `buckets`, `oldbuckets`, `flags`; and of `hash0`.
    Buckets([u64; 5], u64),
    /// Offsets of `used`, `dirPtr`, `dirLen`; and of `seed`.
    Groups([u64; 3], u64),
}

impl MapFields {
    /// Those of a runtime; `None` where the table lacks them.
    pub(crate) fn of(rt: &Runtime) -> Option<Self> {
        Self::in_layout(rt.layout, MapForm::of(&rt.version))
    }

    fn in_layout(table: &'static layout::Layout, form: MapForm) -> Option<Self> {
        match form {
            MapForm::Buckets => {
                // Built with `noswissmap`, Go 1.24 and 1.25 have the `hmap` of 1.23 as far as it is read
                // here (`runtime/map_noswiss.go`; `clearSeq` came behind these).
                let of = |l: &'static layout::Layout| {
                    let HMap { count, b, buckets, oldbuckets, flags, hash0, .. } = l.hmap;
                    Some(Self::Buckets([count?, b?, buckets?, oldbuckets?, flags?], hash0?))
                };
                of(table).or_else(|| of(layout::for_minor(23)?))
            }
            MapForm::Groups => {
                let m = &table.swiss_map;
                Some(Self::Groups([m.used?, m.dir_ptr?, m.dir_len?], m.seed?))
            }
        }
    }
}

/// A map's header, from its bytes; `None` for what is none.
pub(crate) fn map_of(fields: MapFields, bytes: &[u8]) -> Option<HeaderReading> {
    let reading = match fields {
        MapFields::Buckets([count, b, buckets, ..], hash0) => {
            let (elements, b, array) = (word(bytes, count), byte(bytes, b), Addr(word(bytes, buckets)));
            if b > MAX_B {
                return None;
            }
            let capacity = if array.is_null() { 0 } else { MAP_SLOTS << b };
            HeaderReading { elements, capacity, array, identity: word(bytes, hash0) & 0xffff_ffff }
        }
        MapFields::Groups([used, dir_ptr, dir_len], seed) => {
            let (elements, array, tables) = (word(bytes, used), Addr(word(bytes, dir_ptr)), word(bytes, dir_len));
            let capacity = match tables {
                _ if array.is_null() => 0,
                0 => MAP_SLOTS,
                n if n.is_power_of_two() && n < MAX_ELEMENTS / TABLE_SLOTS => n * TABLE_SLOTS,
                _ => return None,
            };
            if elements > capacity {
                return None;
            }
            HeaderReading { elements, capacity, array, identity: word(bytes, seed) }
        }
    };
    (reading.elements < MAX_ELEMENTS && (!reading.array.is_null() || reading.elements == 0)).then_some(reading)
}

/// What some bytes would lead to if they are the header of a map with more than a group of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapGuess {
    /// The directory of tables, or the array of buckets.
    pub array: Addr,
    /// The array that a map of buckets grows out of; null where it does not.
    pub old: Addr,
    /// Slots that it has at least, without those of tables that were split.
    pub slots: u64,
}

/// Whether bytes may be a map's header, by what of it no other value has: to be held against what stands
/// behind it. `bytes` begin where the header would.
#[must_use]
pub fn guess_map(form: MapForm, bytes: &[u8]) -> Option<MapGuess> {
    if bytes.len() < BYTES {
        return None;
    }
    match form {
        // used, seed, directory, its length, its depth and 64 less it.
        MapForm::Groups => {
            let (used, len, depth) = (word(bytes, 0), word(bytes, 24), byte(bytes, 32));
            let fits = depth < 32 && len == 1u64 << depth && used <= len << 10 && byte(bytes, 33) == 64 - depth;
            fits.then(|| MapGuess { array: Addr(word(bytes, 16)), old: Addr::NULL, slots: used })
        }
        // count, flags, B, the number of overflow buckets, seed, buckets, old buckets, how many are moved.
        MapForm::Buckets => {
            let (count, flags, b) = (word(bytes, 0), byte(bytes, 8), byte(bytes, 9));
            let fits = flags < 32 && (1..MAX_B).contains(&b) && count <= MAP_SLOTS << (b + 1);
            let (array, old) = (Addr(word(bytes, 16)), Addr(word(bytes, 24)));
            fits.then(|| MapGuess { array, old, slots: MAP_SLOTS << b })
        }
    }
}

/// Offset of the word in a map's header that leads to its directory or array, in both forms.
pub const MAP_ARRAY: u64 = 16;
/// Bytes of a map's header that are read.
pub const MAP_HEADER: usize = BYTES;

/// The header of a map.
///
/// # Errors
/// [`Broken`]: it cannot be read, or is none.
pub fn map_header(rt: &Runtime, mem: &dyn Memory, at: Addr) -> Result<HeaderReading, Broken> {
    let mut bytes = [0; BYTES];
    mem.read(at, &mut bytes)?;
    let fields = MapFields::of(rt).ok_or(Broken::Senseless("maps of this release are not read"))?;
    map_of(fields, &bytes).ok_or(Broken::Senseless("no map's header"))
}

/// Reads headers of known collections again and again, its room made once.
#[derive(Debug)]
pub struct HeaderReader {
    map: Option<MapFields>,
    /// `qcount`, `dataqsiz`, `buf`, `elemtype`.
    chan: [u64; 4],
    bytes: Vec<u8>,
}

impl HeaderReader {
    /// A reader for a process.
    #[must_use]
    pub fn new(rt: &Runtime) -> Self {
        Self::of_layout(rt.layout, MapForm::of(&rt.version))
    }

    /// A reader by a layout alone, and the form of its maps.
    #[must_use]
    pub fn of_layout(layout: &'static layout::Layout, form: MapForm) -> Self {
        let c = &layout.hchan;
        let chan = [c.qcount, c.dataqsiz, c.buf, c.elemtype];
        Self { map: MapFields::in_layout(layout, form), chan, bytes: vec![0; BATCH * PIECE as usize / 4] }
    }

    /// What the headers say, in their order; `None` for one that cannot be read or says what no such header
    /// says. Nothing is stopped: each is right by itself.
    #[must_use]
    pub fn read(&mut self, mem: &dyn Memory, known: &[KnownHeader]) -> Vec<Option<HeaderReading>> {
        let (map, chan) = (self.map, self.chan);
        let mut out = vec![None; known.len()];
        let mut order: Vec<usize> = (0..known.len()).collect();
        order.sort_unstable_by_key(|i| known.get(*i).map(|k| k.at));
        let mut rest = order.as_slice();
        while !rest.is_empty() {
            // Headers that stand close together are one piece: a kernel call costs by pieces.
            let mut pieces: Vec<(AddrRange, &[usize])> = Vec::with_capacity(BATCH);
            let mut room = self.bytes.len() as u64;
            while pieces.len() < BATCH
                && let Some(first) = rest.first().and_then(|i| known.get(*i))
            {
                let near = |i: &usize| known.get(*i).is_some_and(|k| k.at.plus(len(k.kind)).0 - first.at.0 <= PIECE);
                let n = rest.iter().take_while(|i| near(i)).count().max(1);
                let (piece, others) = rest.split_at(n);
                let end = piece.iter().filter_map(|i| known.get(*i)).map(|k| k.at.plus(len(k.kind))).max();
                let range = AddrRange { start: first.at, end: end.unwrap_or(first.at) };
                if range.len() > room {
                    break;
                }
                room -= range.len();
                pieces.push((range, piece));
                rest = others;
            }
            let mut left = self.bytes.as_mut_slice();
            let mut parts: Vec<Part<'_>> = Vec::with_capacity(pieces.len());
            for (range, _) in &pieces {
                let (buf, tail) = left.split_at_mut((range.len() as usize).min(left.len()));
                parts.push(Part { addr: range.start, buf, ok: false });
                left = tail;
            }
            mem.read_parts(&mut parts);
            for ((range, piece), part) in pieces.iter().zip(&parts) {
                for i in *piece {
                    let (Some(k), Some(out)) = (known.get(*i), out.get_mut(*i)) else { continue };
                    if part.ok {
                        let from = (k.at.0 - range.start.0) as usize;
                        let bytes = part.buf.get(from..from + len(k.kind) as usize);
                        *out = bytes.and_then(|bytes| reading(map, chan, k.kind, bytes));
                    } else {
                        // A part of the piece is not there: this one may be.
                        let mut own = [0; BYTES];
                        let bytes = own.get_mut(..len(k.kind) as usize);
                        let bytes = bytes.and_then(|b| mem.read(k.at, b).ok().map(|()| &*b));
                        *out = bytes.and_then(|bytes| reading(map, chan, k.kind, bytes));
                    }
                }
            }
        }
        out
    }
}

/// Bytes that are read of a header.
fn len(kind: HeaderKind) -> u64 {
    let len = match kind {
        HeaderKind::Map | HeaderKind::Chan => BYTES,
        HeaderKind::Slice => SliceHeader::BYTES,
        HeaderKind::String => StringHeader::BYTES,
    };
    len as u64
}

fn reading(map: Option<MapFields>, chan: [u64; 4], kind: HeaderKind, bytes: &[u8]) -> Option<HeaderReading> {
    match kind {
        HeaderKind::Map => map_of(map?, bytes),
        HeaderKind::Slice => {
            let s = SliceHeader::of(bytes)?;
            Some(HeaderReading { elements: s.len, capacity: s.cap, array: s.array, identity: 0 })
        }
        HeaderKind::String => {
            let s = StringHeader::of(bytes)?;
            Some(HeaderReading { elements: s.len, capacity: s.len, array: s.data, identity: 0 })
        }
        HeaderKind::Chan => {
            let [qcount, dataqsiz, buf, elemtype] = chan;
            let (elements, capacity) = (word(bytes, qcount), word(bytes, dataqsiz));
            let sane = elements <= capacity && capacity < MAX_ELEMENTS;
            let identity = word(bytes, elemtype) ^ capacity.rotate_left(32);
            sane.then(|| HeaderReading { elements, capacity, array: Addr(word(bytes, buf)), identity })
        }
    }
}
