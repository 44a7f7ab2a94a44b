//! Known collections, looked at again: all ways are followed together, word by word, and where several go
//! through one word it is read once.

use lastgasp_inferior::{Addr, Memory, Part};
use rustc_hash::FxHashMap;

use super::way::{Anchor, Hop, MAX_HOPS, StackAnchor, Way};
use crate::collections::SliceHeader;
use crate::collections::headers::{HeaderKind, MapFields, map_of};
use crate::collections::words::word;
use crate::goroutine::g::RawG;
use crate::runtime::Runtime;

/// Bytes of a map's header that are read.
const MAP_BYTES: u64 = 48;
/// Places that are no further apart are read as one, up to so many bytes.
const GAP: u64 = 64;
const RUN: u64 = 512;

/// What a look says of a collection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QuickReading {
    /// Elements: of a map its keys.
    pub elements: u64,
    /// Elements that there is room for.
    pub capacity: u64,
    /// Where the header stands; of a map that is nil, null.
    pub header: Addr,
    /// The array behind it; of a map with tables their directory.
    pub array: Addr,
}

/// Where a word is counted from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum From {
    /// It is an anchor's word: its index.
    Anchor(u32),
    /// It stands behind what another word points to: its index.
    Word(u32),
}

/// A word on a way.
#[derive(Clone, Copy, Debug)]
struct Word {
    from: From,
    hop: Hop,
    /// Whether a slice's header begins here.
    slice: bool,
}

/// Ways to known collections.
#[derive(Clone, Debug, Default)]
pub struct KnownWays {
    anchors: Vec<Anchor>,
    /// Words that others are counted from stand before them.
    words: Vec<Word>,
    /// Where each round of reading ends: the words of one hang on those before.
    rounds: Vec<u32>,
    /// The last word of each way, and what stands there.
    ends: Vec<(u32, HeaderKind)>,
}

impl KnownWays {
    /// What is read to follow these. A way that is too long leads nowhere.
    #[must_use]
    pub fn new<'w>(ways: impl IntoIterator<Item = &'w Way>) -> Self {
        let mut known = Self::default();
        let mut anchors: FxHashMap<Anchor, u32> = FxHashMap::default();
        let mut numbers: FxHashMap<(From, Hop), u32> = FxHashMap::default();
        let mut words: Vec<(u32, Word)> = Vec::new();
        for way in ways {
            let anchor = *anchors.entry(way.anchor).or_insert_with(|| {
                known.anchors.push(way.anchor);
                known.anchors.len() as u32 - 1
            });
            let mut from = From::Anchor(anchor);
            let first = Hop::default();
            let hops = way.hops.iter().take(MAX_HOPS);
            let mut last = 0;
            for (depth, hop) in std::iter::once(&first).chain(hops).enumerate() {
                last = *numbers.entry((from, *hop)).or_insert_with(|| {
                    words.push((depth as u32, Word { from, hop: *hop, slice: false }));
                    words.len() as u32 - 1
                });
                from = From::Word(last);
            }
            if way.kind == HeaderKind::Slice
                && let Some((_, word)) = words.get_mut(last as usize)
            {
                word.slice = true;
            }
            known.ends.push((last, way.kind));
        }
        // By rounds; what hangs on a word is renumbered.
        let mut order: Vec<u32> = (0..words.len() as u32).collect();
        order.sort_by_key(|i| words.get(*i as usize).map(|(depth, _)| *depth));
        let mut new = vec![0u32; words.len()];
        for (to, from) in (0..).zip(&order) {
            if let Some(slot) = new.get_mut(*from as usize) {
                *slot = to;
            }
        }
        let renumbered = |i: u32| new.get(i as usize).copied().unwrap_or(0);
        for i in order {
            let Some((depth, word)) = words.get(i as usize) else { continue };
            while known.rounds.len() <= *depth as usize {
                known.rounds.push(known.words.len() as u32);
            }
            let from = match word.from {
                From::Word(w) => From::Word(renumbered(w)),
                anchor => anchor,
            };
            known.words.push(Word { from, ..*word });
            if let Some(end) = known.rounds.last_mut() {
                *end = known.words.len() as u32;
            }
        }
        known.ends.iter_mut().for_each(|(end, _)| *end = renumbered(*end));
        known
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Bytes that they take, about.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.anchors.len() * size_of::<Anchor>() + self.words.len() * size_of::<Word>() + self.ends.len() * 8
    }

    /// Follows all of them; `None` for one that leads nowhere now. Nothing is stopped: each is right by
    /// itself.
    #[must_use]
    pub fn look(&self, rt: &Runtime, mem: &dyn Memory) -> Vec<Option<QuickReading>> {
        let anchors = self.anchored(rt, mem);
        let mut held: Vec<Held> = vec![Held::default(); self.words.len()];
        let mut begin = 0;
        let mut runs = Runs::default();
        for end in self.rounds.iter().map(|e| *e as usize) {
            let places = (begin..end).filter_map(|i| {
                let w = self.words.get(i)?;
                let base = match w.from {
                    From::Anchor(a) => anchors.get(a as usize).copied().flatten()?,
                    From::Word(p) => held.get(p as usize).copied().filter(|h| h.ok && h.value != 0)?.value,
                };
                let at = base.wrapping_add(w.hop.offset);
                let before = if w.hop.tag != 0 { 8 } else { 0 };
                let len = before + if w.slice { SliceHeader::BYTES as u64 } else { 8 };
                Some((i as u32, at.checked_sub(before)?, len))
            });
            runs.read(mem, places);
            runs.each(|i, bytes| {
                let (Some(w), Some(to)) = (self.words.get(i as usize), held.get_mut(i as usize)) else { return };
                let before = if w.hop.tag != 0 { 8 } else { 0 };
                if w.hop.tag != 0 && word(bytes.1, 0) != w.hop.tag {
                    return;
                }
                let rest = bytes.1.get(before..).unwrap_or_default();
                *to = Held {
                    ok: true,
                    at: bytes.0.wrapping_add(before as u64),
                    value: word(rest, 0),
                    slice: if w.slice { SliceHeader::of(rest) } else { None },
                };
            });
            begin = end;
        }
        let maps = self.ends.iter().enumerate().filter_map(|(i, (end, kind))| {
            let h = held.get(*end as usize).filter(|h| h.ok && h.value != 0 && *kind == HeaderKind::Map)?;
            Some((i as u32, h.value, MAP_BYTES))
        });
        let mut out: Vec<Option<QuickReading>> =
            self.ends.iter().map(|(end, kind)| ended(&held, *end, *kind)).collect();
        runs.read(mem, maps);
        let fields = MapFields::of(rt);
        runs.each(|i, (at, bytes)| {
            let read = fields.and_then(|f| map_of(f, bytes));
            if let Some(slot) = out.get_mut(i as usize) {
                *slot = read.map(|r| QuickReading {
                    elements: r.elements,
                    capacity: r.capacity,
                    header: Addr(at),
                    array: r.array,
                });
            }
        });
        out
    }

    /// Where the first words stand: of a goroutine that still waits below the same call.
    fn anchored(&self, rt: &Runtime, mem: &dyn Memory) -> Vec<Option<u64>> {
        let stacks = || {
            self.anchors.iter().enumerate().filter_map(|(i, a)| match a {
                Anchor::Stack(s) => Some((i, s)),
                Anchor::Variable(_) => None,
            })
        };
        let mut out: Vec<Option<u64>> = self
            .anchors
            .iter()
            .map(|a| match a {
                Anchor::Variable(at) => Some(at.0),
                Anchor::Stack(_) => None,
            })
            .collect();
        let tops = waiting(rt, mem, stacks().map(|(_, s)| s.g));
        let placed: Vec<(usize, &StackAnchor, u64)> = stacks()
            .filter_map(|(i, s)| {
                let (goid, sp, top) = tops.get(&s.g).copied()?;
                // A frame that has returned stands below the stack pointer.
                let pc_at = top.checked_sub(s.pc_word).filter(|at| goid == s.goid && *at >= sp)?;
                top.checked_sub(s.word).filter(|at| *at > pc_at)?;
                Some((i, s, top))
            })
            .collect();
        let mut runs = Runs::default();
        let words = placed
            .iter()
            .enumerate()
            .flat_map(|(n, (_, s, top))| [(2 * n as u32, top - s.pc_word, 8), (2 * n as u32 + 1, top - s.word, 8)]);
        runs.read(mem, words);
        let mut right = vec![0u8; placed.len()];
        runs.each(|i, (_, bytes)| {
            let Some((_, s, _)) = placed.get(i as usize / 2) else { return };
            let wanted = if i % 2 == 0 { s.pc } else { s.object };
            if let Some(n) = right.get_mut(i as usize / 2)
                && word(bytes, 0) == wanted.0
            {
                *n += 1;
            }
        });
        for ((i, s, top), n) in placed.iter().zip(right) {
            if let Some(slot) = out.get_mut(*i).filter(|_| n == 2) {
                *slot = top.checked_sub(s.word);
            }
        }
        out
    }
}

/// What a word holds.
#[derive(Clone, Copy, Debug, Default)]
struct Held {
    ok: bool,
    at: u64,
    value: u64,
    slice: Option<SliceHeader>,
}

/// What stands at the end of a way, but for what a map's header says.
fn ended(held: &[Held], end: u32, kind: HeaderKind) -> Option<QuickReading> {
    let h = held.get(end as usize).filter(|h| h.ok)?;
    match kind {
        HeaderKind::Slice => {
            let s = h.slice?;
            Some(QuickReading { elements: s.len, capacity: s.cap, header: Addr(h.at), array: s.array })
        }
        // A map that is nil has no elements; another one is yet to be read.
        HeaderKind::Map => (h.value == 0).then(QuickReading::default),
        HeaderKind::String | HeaderKind::Chan => None,
    }
}

/// Of goroutines those that do not run: their numbers, stack pointers, and the stacks' tops. All are read at
/// once.
fn waiting(rt: &Runtime, mem: &dyn Memory, all: impl Iterator<Item = Addr>) -> FxHashMap<Addr, (u64, u64, u64)> {
    let mut all: Vec<Addr> = all.collect();
    all.sort_unstable();
    all.dedup();
    let size = rt.layout.g.sizeof as usize;
    let mut bytes = vec![0u8; all.len() * size];
    let places = all.iter().zip(bytes.chunks_exact_mut(size.max(1)));
    let mut parts: Vec<Part<'_>> = places.map(|(g, buf)| Part { addr: *g, buf, ok: false }).collect();
    mem.read_parts(&mut parts);
    let told = parts.iter().filter(|part| part.ok).filter_map(|part| {
        let raw = RawG::parse(rt, part.buf)?;
        let (_, sp) = raw.resume()?;
        let is_on_it = raw.stack_problem().is_none() && raw.stack.contains(sp);
        is_on_it.then_some((part.addr, (raw.goid, sp.0, raw.stack.end.0)))
    });
    told.collect()
}

/// Places that are read together, near ones as one.
#[derive(Default)]
struct Runs {
    /// By address: whose, where, how long.
    places: Vec<(u32, u64, u64)>,
    /// First address, bytes, where in the buffer, whether it was read.
    runs: Vec<(u64, u64, usize, bool)>,
    buffer: Vec<u8>,
}

impl Runs {
    fn read(&mut self, mem: &dyn Memory, places: impl Iterator<Item = (u32, u64, u64)>) {
        self.places.clear();
        self.places.extend(places.filter(|(_, at, len)| at.checked_add(*len).is_some()));
        self.places.sort_unstable_by_key(|(_, at, _)| *at);
        self.runs.clear();
        let mut room = 0usize;
        for (_, at, len) in &self.places {
            let end = at + len;
            match self.runs.last_mut() {
                Some((start, bytes, ..)) if *at <= *start + *bytes + GAP && end.saturating_sub(*start) <= RUN => {
                    let wider = (*bytes).max(end - *start);
                    room += (wider - *bytes) as usize;
                    *bytes = wider;
                }
                _ => {
                    self.runs.push((*at, *len, room, false));
                    room += *len as usize;
                }
            }
        }
        self.buffer.resize(room, 0);
        let mut rest = self.buffer.as_mut_slice();
        let mut parts: Vec<Part<'_>> = Vec::with_capacity(self.runs.len());
        for (at, len, _, _) in &self.runs {
            let (buf, tail) = rest.split_at_mut((*len as usize).min(rest.len()));
            parts.push(Part { addr: Addr(*at), buf, ok: false });
            rest = tail;
        }
        mem.read_parts(&mut parts);
        let read: Vec<bool> = parts.iter().map(|p| p.ok).collect();
        for ((.., ok), read) in self.runs.iter_mut().zip(read) {
            *ok = read;
        }
    }

    /// Tells of each place that was read: whose it is, its address, its bytes.
    fn each(&self, mut f: impl FnMut(u32, (u64, &[u8]))) {
        let mut runs = self.runs.iter();
        let mut run = runs.next();
        for (i, at, len) in &self.places {
            while let Some((start, bytes, ..)) = run {
                if at + len <= start + bytes {
                    break;
                }
                run = runs.next();
            }
            let Some((start, _, room, ok)) = run else { return };
            let from = room + at.saturating_sub(*start) as usize;
            if *ok && let Some(bytes) = self.buffer.get(from..from + *len as usize) {
                f(*i, (*at, bytes));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Memory that is words by address.
    struct Words(FxHashMap<u64, u64>);

    impl Memory for Words {
        fn read(&self, addr: Addr, buf: &mut [u8]) -> Result<(), lastgasp_inferior::ReadError> {
            for (i, piece) in buf.chunks_mut(8).enumerate() {
                let word = self.0.get(&(addr.0 + i as u64 * 8)).copied().unwrap_or(0).to_le_bytes();
                piece.copy_from_slice(&word[..piece.len()]);
            }
            Ok(())
        }
    }

    #[test]
    fn near_places_are_read_as_one_and_told_apart() {
        let mem = Words((0..64u64).map(|i| (0x1000 + i * 8, i)).collect());
        let mut runs = Runs::default();
        runs.read(&mem, [(7, 0x1010, 8), (8, 0x1000, 24), (9, 0x1100, 8), (5, 0x1010, 16)].into_iter());
        assert_eq!(runs.runs.len(), 2);
        let mut told = Vec::new();
        runs.each(|i, (at, bytes)| told.push((i, at, word(bytes, 0), bytes.len())));
        told.sort_unstable();
        assert_eq!(told, [(5, 0x1010, 2, 16), (7, 0x1010, 2, 8), (8, 0x1000, 0, 24), (9, 0x1100, 32, 8)]);
    }

    #[test]
    fn ways_share_the_words_that_they_have_in_common() {
        let hop = |offset| Hop { offset, tag: 0 };
        let way = |hops: &[u64], kind| Way {
            anchor: Anchor::Variable(Addr(0x1000)),
            hops: hops.iter().map(|o| hop(*o)).collect(),
            kind,
        };
        let all = [way(&[8, 16], HeaderKind::Slice), way(&[8], HeaderKind::Map), way(&[8, 40, 0], HeaderKind::Slice)];
        let known = KnownWays::new(&all);
        assert_eq!((known.len(), known.words.len(), known.rounds.as_slice()), (3, 5, &[1, 2, 4, 5][..]));
    }
}
