//! Heads of objects without pointers, of those that say something: channels, closures.

use crate::addr::{Addr, AddrRange};
use crate::memory::Memory;
use crate::ranges::Ranges;

use super::{BATCH, Buffers, MOST_PIECES, Packing, PagesOf, each_of};

/// Most bytes of an object that are looked at.
const HEAD: usize = 128;
/// From this size on heads are read one by one, and not the whole.
const APART: u64 = 4096;

/// What was picked.
#[derive(Debug, Default)]
pub struct Picked {
    /// First address, bytes, and where they stand; by address.
    pieces: Vec<(u64, u32, u32)>,
    data: Vec<u8>,
}

/// Objects side by side, to be looked at.
#[derive(Clone, Copy, Debug)]
struct Slots {
    at: Addr,
    /// Bytes that are read.
    bytes: usize,
    slot: usize,
}

impl Picked {
    /// Looks at all objects without pointers that are held. `None` where a part cannot be read, or the time
    /// is over.
    pub(super) fn take(
        from: &(dyn Memory + Sync),
        held: &Ranges,
        places: &[PagesOf],
        how: &Packing<'_>,
    ) -> Option<Self> {
        let all = slots(held, places);
        let mut work: Vec<&[Slots]> = Vec::new();
        let mut rest = all.as_slice();
        while !rest.is_empty() {
            let mut bytes = 0;
            let fit = rest.iter().take(MOST_PIECES).take_while(|slots| {
                bytes += slots.bytes;
                bytes <= BATCH
            });
            let (own, tail) = rest.split_at(fit.count().max(1));
            work.push(own);
            rest = tail;
        }
        let parts = each_of(&work, how.go_on, |buffers: &mut Buffers, own| {
            let mut bytes = buffers.read(from, own.iter().map(|slots| (slots.at, slots.bytes)))?;
            let mut part = Self::default();
            for slots in *own {
                let (all, tail) = bytes.split_at_checked(slots.bytes)?;
                bytes = tail;
                for (i, object) in all.chunks(slots.slot).enumerate() {
                    let head = object.get(..HEAD).unwrap_or(object);
                    let kept = (how.picked)(head).min(head.len());
                    if kept > 0 {
                        part.push(slots.at.0 + (i * slots.slot) as u64, head.get(..kept)?);
                    }
                }
            }
            Some(part)
        })?;
        let mut all = Self::default();
        for part in parts {
            if all.data.len() + part.data.len() > how.budget {
                return None;
            }
            for (at, len, from) in part.pieces {
                all.push(at, part.data.get(from as usize..(from + len) as usize)?);
            }
        }
        Some(all)
    }

    fn push(&mut self, at: u64, bytes: &[u8]) {
        let Ok(from) = u32::try_from(self.data.len()) else { return };
        self.pieces.push((at, bytes.len() as u32, from));
        self.data.extend_from_slice(bytes);
    }

    /// Bytes that it takes.
    pub(super) fn bytes(&self) -> usize {
        self.data.len() + self.pieces.len() * size_of::<(u64, u32, u32)>()
    }

    /// Bytes within one of its pieces.
    pub(super) fn read(&self, addr: Addr, buf: &mut [u8]) -> Option<()> {
        let index = self.pieces.partition_point(|(at, ..)| *at <= addr.0).checked_sub(1)?;
        let (at, len, from) = *self.pieces.get(index)?;
        let skip = usize::try_from(addr.0 - at).ok()?;
        let own = self.data.get(from as usize..from as usize + len as usize)?;
        buf.copy_from_slice(own.get(skip..skip.checked_add(buf.len())?)?);
        Some(())
    }
}

/// Objects of places without pointers that are held: of large ones the head alone.
fn slots(held: &Ranges, places: &[PagesOf]) -> Vec<Slots> {
    let mut out = Vec::new();
    let held = held.as_slice();
    let mut first = 0;
    for place in places.iter().filter(|p| !p.has_pointers && p.slot > 0) {
        while held.get(first).is_some_and(|h| h.end <= place.range.start) {
            first += 1;
        }
        for held in held.iter().skip(first).take_while(|h| h.start < place.range.end) {
            let both = AddrRange { start: held.start.max(place.range.start), end: held.end.min(place.range.end) };
            if place.slot >= APART {
                heads(place, both, &mut out);
                continue;
            }
            // Whole objects: one over the edge is not all there.
            let before = (both.start.0 - place.range.start.0).div_ceil(place.slot);
            let start = place.range.start.0.saturating_add(before * place.slot);
            let mut count = both.end.0.saturating_sub(start) / place.slot;
            let most = (BATCH as u64 / place.slot).max(1);
            let mut at = start;
            while count > 0 {
                let n = count.min(most);
                out.push(Slots { at: Addr(at), bytes: (n * place.slot) as usize, slot: place.slot as usize });
                (at, count) = (at + n * place.slot, count - n);
            }
        }
    }
    out
}

/// Heads of large objects.
fn heads(place: &PagesOf, held: AddrRange, out: &mut Vec<Slots>) {
    let before = (held.start.0 - place.range.start.0).div_ceil(place.slot);
    let mut at = place.range.start.0.saturating_add(before.saturating_mul(place.slot));
    let fits =
        |at: u64| at.saturating_add(HEAD as u64) <= held.end.0 && at.saturating_add(place.slot) <= place.range.end.0;
    while fits(at) {
        out.push(Slots { at: Addr(at), bytes: HEAD, slot: HEAD });
        at += place.slot;
    }
}
