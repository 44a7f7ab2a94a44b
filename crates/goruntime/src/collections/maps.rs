//! Maps of both kinds, walked: each key with its value.

use lastgasp_inferior::{Addr, Memory, Part, ReadCause, ReadError};

use super::budget::{Broken, ReadBudget};
use super::headers::{HeaderReading, MapFields, map_header};
use super::map_arrays::MapArrays;
use super::words::word;
use super::{buckets, groups};
use crate::runtime::Runtime;
use crate::types::{MAP_SLOTS, MapLayout};

/// Largest key or value behind a pointer that is read, in bytes. Those in slots have 128 at most
/// (`abi.MapMaxKeyBytes`).
const MAX_INDIRECT: u64 = 1 << 20;

/// A key and its value.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// Where the key stands.
    pub key_at: Addr,
    /// Its bytes.
    pub key: &'a [u8],
    /// Where the value stands.
    pub elem_at: Addr,
    /// Its bytes; none of a `struct{}`.
    pub elem: &'a [u8],
}

/// What a walk found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Walk {
    /// Keys, as the header counts them.
    pub elements: u64,
    /// Keys that were found.
    pub found: u64,
    /// Overflow buckets on the way, wherever they stand; [`MAX_OVERFLOW_KEPT`](super::MAX_OVERFLOW_KEPT) of
    /// them are kept.
    pub overflow: Vec<Addr>,
    /// Why it ended early.
    pub broken: Option<Broken>,
}

impl Walk {
    /// Whether all that the header counts was found, and nothing else.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.broken.is_none() && self.found == self.elements
    }
}

/// Reads maps of one process, through a buffer that is used again.
pub struct MapReader<'a> {
    rt: &'a Runtime,
    mem: &'a dyn Memory,
    buffer: Vec<u8>,
    /// Keys and values of a run that stand elsewhere.
    indirect: Vec<u8>,
}

impl<'a> MapReader<'a> {
    /// A reader.
    #[must_use]
    pub fn new(rt: &'a Runtime, mem: &'a dyn Memory) -> Self {
        Self { rt, mem, buffer: Vec::new(), indirect: Vec::new() }
    }

    /// The header of the map at an address.
    ///
    /// # Errors
    /// [`Broken`].
    pub fn header(&self, at: Addr) -> Result<HeaderReading, Broken> {
        map_header(self.rt, self.mem, at)
    }

    /// What stands behind the map at an address.
    ///
    /// # Errors
    /// [`Broken`].
    pub fn arrays(&self, at: Addr, budget: &mut ReadBudget) -> Result<MapArrays, Broken> {
        let header = self.header(at)?;
        match self.fields()? {
            MapFields::Buckets(fields, _) => buckets::arrays(self.mem, at, fields, header),
            MapFields::Groups(fields, _) => groups::arrays(self.rt, self.mem, at, fields, header, budget),
        }
    }

    /// Tells `f` of each key and value of the map at an address until it gives `false`. `sizes` are the bytes
    /// of a key and of a value.
    pub fn walk(
        &mut self,
        at: Addr,
        layout: &MapLayout,
        sizes: (u64, u64),
        budget: &mut ReadBudget,
        mut f: impl FnMut(Entry<'_>) -> bool,
    ) -> Walk {
        let mut walk = Walk::default();
        let result = self.try_walk(at, layout, sizes, budget, &mut walk, &mut f);
        walk.broken = result.err();
        walk
    }

    fn fields(&self) -> Result<MapFields, Broken> {
        MapFields::of(self.rt).ok_or(Broken::Senseless("maps of this release are not read"))
    }

    fn try_walk(
        &mut self,
        at: Addr,
        layout: &MapLayout,
        sizes: (u64, u64),
        budget: &mut ReadBudget,
        walk: &mut Walk,
        f: &mut dyn FnMut(Entry<'_>) -> bool,
    ) -> Result<(), Broken> {
        let header = self.header(at)?;
        walk.elements = header.elements;
        let fields = self.fields()?;
        let (mem, indirect) = (self.mem, &mut self.indirect);
        let mut found = 0;
        let mut slots = |run_at: Addr, run: &[u8], taken: u8, budget: &mut ReadBudget| {
            let mut slots = Slots { mem, layout, sizes, indirect };
            slots.tell(run_at, run, taken, budget, &mut |entry| {
                found += 1;
                f(entry)
            })
        };
        let result = match fields {
            MapFields::Buckets(fields, _) => {
                buckets::walk(mem, &mut self.buffer, at, fields, layout, budget, &mut walk.overflow, &mut slots)
            }
            MapFields::Groups(fields, _) => {
                groups::walk(self.rt, mem, &mut self.buffer, at, fields, layout, budget, &mut slots)
            }
        };
        walk.found = found;
        result
    }
}

/// The slots of a run that are taken: eight at most, a bit each.
struct Slots<'a> {
    mem: &'a dyn Memory,
    layout: &'a MapLayout,
    sizes: (u64, u64),
    indirect: &'a mut Vec<u8>,
}

impl Slots<'_> {
    fn tell(
        &mut self,
        run_at: Addr,
        run: &[u8],
        taken: u8,
        budget: &mut ReadBudget,
        f: &mut dyn FnMut(Entry<'_>) -> bool,
    ) -> Result<(), Broken> {
        let l = self.layout;
        let slots = || (0..MAP_SLOTS).filter(|i| taken >> i & 1 == 1);
        let (key_len, elem_len) = self.sizes;
        // What stands elsewhere is read for all slots at once.
        let mut places: Vec<Addr> = Vec::new();
        let mut room = 0;
        let pointed = |offset: u64| Addr(word(run, offset));
        for (is_indirect, len, offset) in [
            (l.indirect_key, key_len, MapLayout::key_offset as fn(&MapLayout, u64) -> u64),
            (l.indirect_elem, elem_len, MapLayout::elem_offset),
        ] {
            if is_indirect {
                if len > MAX_INDIRECT {
                    return Err(Broken::Senseless("a key or value of no believable size"));
                }
                places.extend(slots().map(|i| pointed(offset(l, i))));
                room += len * u64::from(taken.count_ones());
            }
        }
        if room > 0 {
            budget.take(room)?;
            self.indirect.resize(self.indirect.len().max(room as usize), 0);
            let mut left = self.indirect.as_mut_slice();
            let mut parts = Vec::with_capacity(places.len());
            let keys = if l.indirect_key { taken.count_ones() as usize } else { 0 };
            for (n, addr) in places.iter().enumerate() {
                let len = if n < keys { key_len } else { elem_len } as usize;
                let (buf, tail) = left.split_at_mut(len.min(left.len()));
                parts.push(Part { addr: *addr, buf, ok: false });
                left = tail;
            }
            self.mem.read_parts(&mut parts);
            if let Some(p) = parts.iter().find(|p| !p.ok) {
                return Err(ReadError { addr: p.addr, len: p.buf.len(), cause: ReadCause::Absent }.into());
            }
        }
        let n = u64::from(taken.count_ones());
        let outside = Broken::Senseless("a slot that lies outside its bucket or group");
        for (nth, i) in (0u64..).zip(slots()) {
            let elsewhere = |from: u64, len: u64| {
                let from = (from + nth * len) as usize;
                self.indirect.get(from..from + len as usize)
            };
            let inside = |offset: u64, len: u64| {
                let from = offset as usize;
                run.get(from..from.checked_add(usize::try_from(len).ok()?)?)
            };
            let (key_at, key) = if l.indirect_key {
                (pointed(l.key_offset(i)), elsewhere(0, key_len))
            } else {
                (run_at.plus(l.key_offset(i)), inside(l.key_offset(i), key_len))
            };
            let (elem_at, elem) = if l.indirect_elem {
                let keys = if l.indirect_key { n * key_len } else { 0 };
                (pointed(l.elem_offset(i)), elsewhere(keys, elem_len))
            } else {
                (run_at.plus(l.elem_offset(i)), inside(l.elem_offset(i), elem_len))
            };
            let (Some(key), Some(elem)) = (key, elem) else { return Err(outside) };
            if !f(Entry { key_at, key, elem_at, elem }) {
                return Err(Broken::Stopped);
            }
        }
        Ok(())
    }
}
