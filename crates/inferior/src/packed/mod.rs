//! Memory of a process that stands still, packed as it is read: what is too large for a copy as it is.
//!
//! Pages with pointers shrink to a fifth and less (`words`), so that all of them fit beside what is reckoned
//! of them, and two threads pack about as fast as the kernel gives bytes. Of pages without pointers some
//! heads of objects are kept (`picked`), and nothing else.

mod picked;
mod words;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::addr::{Addr, AddrRange};
use crate::memory::{Memory, Part, ReadCause, ReadError};
use crate::ranges::Ranges;

pub use picked::Picked;

use words::{BEHIND, MOST, PAGE, pack, unpack};

/// Bytes that are read and packed in one go.
const BATCH: usize = 1 << 20;
/// Pieces that are read in one go: the kernel takes 1024 at most.
const MOST_PIECES: usize = 512;
/// The part of all after which it is held against the budget how much the whole will be.
const JUDGED_AFTER: usize = 16;

/// What stands in a run of pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PagesOf {
    /// Where.
    pub range: AddrRange,
    /// Bytes of each of the objects there, which begin at its start.
    pub slot: u64,
    /// Whether they may hold pointers: then all of it is kept, else what is picked.
    pub has_pointers: bool,
}

/// Pages in a row that were packed alike.
#[derive(Clone, Copy, Debug)]
struct Run {
    start: u64,
    pages: u32,
    /// Words of an object.
    period: u32,
    /// Its batch, and its first page among those of that.
    batch: u32,
    first: u32,
}

impl Run {
    fn end(&self) -> u64 {
        self.start + u64::from(self.pages) * PAGE as u64
    }
}

/// Pages packed in one go.
#[derive(Debug, Default)]
struct Batch {
    bytes: Box<[u8]>,
    /// Where each page begins; what has no bytes is zero.
    starts: Box<[u32]>,
}

/// Packed pages, and what was picked of others. What is in neither cannot be read.
#[derive(Debug, Default)]
pub struct PackedPages {
    /// By address.
    runs: Vec<Run>,
    batches: Vec<Batch>,
    picked: Picked,
}

/// How memory is packed.
pub struct Packing<'a> {
    /// Most bytes that it may take.
    pub budget: usize,
    /// Of an object without pointers how many bytes of its head are kept, by that head.
    pub picked: &'a (dyn Fn(&[u8]) -> usize + Sync),
    /// Whether there is still time; asked before each megabyte.
    pub go_on: &'a (dyn Fn() -> bool + Sync),
}

impl PackedPages {
    /// Packs what is `held` of a process that stands still, by what stands `where` (by address). `None` where
    /// it is more than the budget, the time is over or a part cannot be read.
    #[must_use]
    pub fn take(from: &(dyn Memory + Sync), held: &Ranges, places: &[PagesOf], how: &Packing<'_>) -> Option<Self> {
        let picked = Picked::take(from, held, places, how)?;
        let runs = runs(held, places);
        let mut batches: Vec<&[Run]> = Vec::new();
        let mut rest = runs.as_slice();
        while !rest.is_empty() {
            let mut pages = 0;
            let fit = rest.iter().take(MOST_PIECES).take_while(|run| {
                pages += run.pages as usize;
                pages * PAGE <= BATCH
            });
            let (own, tail) = rest.split_at(fit.count().max(1));
            batches.push(own);
            rest = tail;
        }
        let used = AtomicUsize::new(picked.bytes());
        let done = AtomicUsize::new(0);
        let packed = each_of(&batches, how.go_on, |buffers, runs| {
            let batch = buffers.pack(from, runs)?;
            let used = used.fetch_add(batch.bytes.len() + batch.starts.len() * 4, Ordering::Relaxed);
            let done = done.fetch_add(1, Ordering::Relaxed) + 1;
            let is_judged = done > batches.len() / JUDGED_AFTER;
            // Not only what it is, but what it will be.
            let will_be = if is_judged { used / done * batches.len() } else { used };
            (used.max(will_be) <= how.budget).then_some(batch)
        })?;
        let mut all = Self { runs: Vec::with_capacity(runs.len()), batches: Vec::new(), picked };
        for (own, batch) in batches.into_iter().zip(packed) {
            let mut first = 0;
            for run in own {
                all.runs.push(Run { batch: all.batches.len() as u32, first, ..*run });
                first += run.pages;
            }
            all.batches.push(batch);
        }
        Some(all)
    }

    /// Bytes that it takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let of_batch = |b: &Batch| b.bytes.len() + b.starts.len() * 4;
        self.batches.iter().map(of_batch).sum::<usize>() + self.runs.len() * size_of::<Run>() + self.picked.bytes()
    }

    /// A page by its number within its run.
    fn page(&self, run: &Run, number: u32, page: &mut [u8; PAGE]) -> Option<()> {
        let batch = self.batches.get(run.batch as usize)?;
        let at = run.first.checked_add(number)? as usize;
        let (from, to) = (*batch.starts.get(at)? as usize, *batch.starts.get(at + 1)? as usize);
        if from == to {
            page.fill(0);
        } else {
            unpack(batch.bytes.get(from..)?, run.period as usize, page);
        }
        Some(())
    }

    fn read_packed(&self, addr: Addr, buf: &mut [u8]) -> Option<()> {
        let mut index = self.runs.partition_point(|run| run.start <= addr.0).checked_sub(1)?;
        let mut scratch = [0; PAGE];
        let mut done = 0;
        while done < buf.len() {
            let at = addr.0.checked_add(done as u64)?;
            let mut run = self.runs.get(index)?;
            if at >= run.end() {
                index += 1;
                run = self.runs.get(index).filter(|run| run.start == at)?;
            }
            let offset = at.checked_sub(run.start)?;
            let (number, skip) = ((offset / PAGE as u64) as u32, (offset % PAGE as u64) as usize);
            let want = (PAGE - skip).min(buf.len() - done);
            let out = buf.get_mut(done..done + want)?;
            if let Ok(whole) = <&mut [u8; PAGE]>::try_from(&mut *out) {
                self.page(run, number, whole)?;
            } else {
                self.page(run, number, &mut scratch)?;
                out.copy_from_slice(scratch.get(skip..skip + want)?);
            }
            done += want;
        }
        Some(())
    }
}

impl Memory for PackedPages {
    fn read(&self, addr: Addr, buf: &mut [u8]) -> Result<(), ReadError> {
        let error = ReadError { addr, len: buf.len(), cause: ReadCause::Absent };
        self.read_packed(addr, buf).or_else(|| self.picked.read(addr, buf)).ok_or(error)
    }
}

/// What is held and has pointers, or of which nothing is known, as runs of pages that touch and are alike.
fn runs(held: &Ranges, places: &[PagesOf]) -> Vec<Run> {
    let mut out: Vec<Run> = Vec::new();
    let mut push = |from: u64, to: u64, period: u32| {
        let mut from = from / PAGE as u64 * PAGE as u64;
        let to = to.div_ceil(PAGE as u64) * PAGE as u64;
        while from < to {
            let bytes = (to - from).min(BATCH as u64);
            let pages = (bytes / PAGE as u64) as u32;
            match out.last_mut() {
                Some(last)
                    if last.end() == from && last.period == period && (last.pages + pages) as usize * PAGE <= BATCH =>
                {
                    last.pages += pages;
                }
                _ => out.push(Run { start: from, pages, period, batch: 0, first: 0 }),
            }
            from += bytes;
        }
    };
    let mut places = places.iter().peekable();
    for held in held.as_slice() {
        let (mut at, end) = (held.start.0, held.end.0);
        while at < end {
            while places.next_if(|p| p.range.end.0 <= at).is_some() {}
            match places.peek() {
                Some(place) if place.range.start.0 <= at => {
                    let to = place.range.end.0.min(end);
                    if place.has_pointers {
                        push(at, to, (place.slot / 8).min(PAGE as u64 / 8) as u32);
                    }
                    at = to;
                }
                next => {
                    let to = next.map_or(end, |p| p.range.start.0.min(end));
                    push(at, to, 0);
                    at = to;
                }
            }
        }
    }
    out
}

/// Where one thread reads and packs.
struct Buffers {
    read: Vec<u8>,
    packed: Vec<u8>,
}

impl Buffers {
    fn new() -> Self {
        Self { read: vec![1; BATCH], packed: Vec::with_capacity(BATCH) }
    }

    /// Reads pieces of memory, one behind another.
    fn read(&mut self, from: &dyn Memory, pieces: impl Iterator<Item = (Addr, usize)>) -> Option<&[u8]> {
        let mut rest = self.read.as_mut_slice();
        let (mut parts, mut bytes) = (Vec::new(), 0);
        for (addr, len) in pieces {
            let (buf, tail) = std::mem::take(&mut rest).split_at_mut_checked(len)?;
            parts.push(Part { addr, buf, ok: false });
            rest = tail;
            bytes += len;
        }
        from.read_parts(&mut parts);
        let is_read = parts.iter().all(|part| part.ok);
        self.read.get(..bytes).filter(|_| is_read)
    }

    fn pack(&mut self, from: &dyn Memory, runs: &[Run]) -> Option<Batch> {
        self.read(from, runs.iter().map(|run| (Addr(run.start), run.pages as usize * PAGE)))?;
        let Self { read, packed } = self;
        packed.clear();
        let mut room = [0; MOST + BEHIND];
        let mut pages = read.as_chunks::<PAGE>().0.iter();
        let mut starts = Vec::new();
        for run in runs {
            for page in pages.by_ref().take(run.pages as usize) {
                starts.push(packed.len() as u32);
                let len = pack(page, run.period as usize, &mut room);
                packed.extend_from_slice(room.get(..len)?);
            }
        }
        starts.push(packed.len() as u32);
        packed.extend_from_slice(&[0; BEHIND]);
        Some(Batch { bytes: packed.as_slice().into(), starts: starts.into() })
    }
}

/// Does each piece of work, two threads at once; whoever is free takes the next. `None` where one fails.
fn each_of<W: Sync, T: Send>(
    work: &[W],
    go_on: &(dyn Fn() -> bool + Sync),
    each: impl Fn(&mut Buffers, &W) -> Option<T> + Sync,
) -> Option<Vec<T>> {
    let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let labour = || {
        let (mut buffers, mut done) = (Buffers::new(), Vec::new());
        while !failed.load(Ordering::Relaxed) {
            let n = next.fetch_add(1, Ordering::Relaxed);
            let Some(piece) = work.get(n) else { break };
            match each(&mut buffers, piece).filter(|_| go_on()) {
                Some(result) => done.push((n, result)),
                None => failed.store(true, Ordering::Relaxed),
            }
        }
        done
    };
    let mut all = std::thread::scope(|scope| {
        let helper = std::thread::Builder::new().name("pack".into()).spawn_scoped(scope, labour);
        let mut all = labour();
        // Where there is no thread to be had, all has been done here.
        all.extend(helper.map(|h| h.join().unwrap_or_default()).unwrap_or_default());
        all
    });
    all.sort_unstable_by_key(|(n, _)| *n);
    (all.len() == work.len()).then(|| all.into_iter().map(|(_, result)| result).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Memory from `START` on, of which some pages are missing.
    struct Heap {
        bytes: Vec<u8>,
        missing: Option<u64>,
    }

    const START: u64 = 0xc0_0000_0000;

    impl Memory for Heap {
        fn read(&self, addr: Addr, buf: &mut [u8]) -> Result<(), ReadError> {
            let error = ReadError { addr, len: buf.len(), cause: ReadCause::Absent };
            let at = addr.0.checked_sub(START).ok_or(error)? as usize;
            let range = AddrRange::sized(addr, buf.len() as u64);
            if self.missing.is_some_and(|page| range.contains(Addr(page))) {
                return Err(error);
            }
            buf.copy_from_slice(self.bytes.get(at..at + buf.len()).ok_or(error)?);
            Ok(())
        }
    }

    fn heap(pages: usize) -> Heap {
        let words = (0..pages * 512).map(|i| match i % 6 {
            0 => START + (i as u64 * 40) % (1 << 20),
            1 => i as u64 % 100,
            2 => 0x0045_1000 + (i as u64 / 6 % 2),
            _ => 0,
        });
        Heap { bytes: words.flat_map(u64::to_le_bytes).collect(), missing: None }
    }

    fn pages(from: u64, to: u64) -> AddrRange {
        AddrRange { start: Addr(START + from * PAGE as u64), end: Addr(START + to * PAGE as u64) }
    }

    fn how(budget: usize) -> Packing<'static> {
        // Of what begins with code.
        let picked = &|head: &[u8]| if head.starts_with(&[0, 0x10, 0x45, 0, 0]) { 8 } else { 0 };
        Packing { budget, picked, go_on: &|| true }
    }

    #[test]
    fn what_is_held_is_there_and_nothing_else() {
        let heap = heap(1200);
        let held = Ranges::union([pages(0, 300), pages(310, 1100), pages(1150, 1200)]);
        let place = |from, to, slot, has_pointers| PagesOf { range: pages(from, to), slot, has_pointers };
        let places =
            [place(2, 4, 48, true), place(4, 10, 48, false), place(290, 320, 48, true), place(320, 700, 999_424, true)];
        let packed = PackedPages::take(&heap, &held, &places, &how(64 << 20)).unwrap();
        assert!(packed.bytes() * 4 < heap.bytes.len(), "{}", packed.bytes());
        let is_held = |page: u64| held.as_slice().iter().any(|r| r.contains(pages(page, page + 1).start));
        for page in 0..1200 {
            let mut got = [1; PAGE];
            let is_there = packed.read(pages(page, page + 1).start, &mut got).is_ok();
            assert_eq!(is_there, is_held(page) && !(4..10).contains(&page), "{page}");
            assert!(!is_there || got[..] == heap.bytes[page as usize * PAGE..][..PAGE], "{page}");
        }
        let mut got = vec![0; 200 * PAGE - 37];
        packed.read(pages(50, 51).start.plus(13), &mut got).unwrap();
        assert!(got[..] == heap.bytes[50 * PAGE + 13..][..got.len()]);
        assert!(packed.read(pages(299, 300).start.plus(8), &mut got).is_err(), "over the end");
        // Of those without pointers what was picked: a word of some, and no word beside it.
        let own = |at: usize| heap.bytes[4 * PAGE..][at..at + 8].try_into().map(u64::from_le_bytes).unwrap();
        let mut picked = 0;
        for at in (0..6 * PAGE).step_by(48) {
            let read = packed.u64(pages(4, 5).start.plus(at as u64));
            assert_eq!(read.ok(), Some(own(at)).filter(|w| *w == 0x0045_1000), "{at}");
            picked += usize::from(read.is_ok());
            assert!(packed.u64(pages(4, 5).start.plus(at as u64 + 8)).is_err());
        }
        assert!(picked > 100, "{picked}");
    }

    #[test]
    fn half_of_it_is_none() {
        let mut heap = heap(600);
        let held = Ranges::union([pages(0, 600)]);
        let take = |heap: &Heap, how: &Packing<'_>| PackedPages::take(heap, &held, &[], how).is_some();
        assert!(take(&heap, &how(8 << 20)));
        assert!(!take(&heap, &how(100 << 10)));
        assert!(!take(&heap, &Packing { go_on: &|| false, ..how(8 << 20) }));
        heap.missing = Some(pages(500, 501).start.0);
        assert!(!take(&heap, &how(8 << 20)));
    }
}
