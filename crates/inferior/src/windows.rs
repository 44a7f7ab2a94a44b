//! Many ranges of memory, copied with as few kernel calls, and as few pieces in each, as possible: ranges that
//! stand close together are read as one window, with what is between them, and taken apart here. (The kernel
//! takes hold of a page for every piece: of ten thousand small stacks that costs more than their bytes do.)
//! What is large is read by two threads: a target that stands still leaves a processor idle.

use std::sync::{Mutex, PoisonError};

use crate::addr::Addr;
use crate::memory::{Memory, Part};

/// Bytes that are read in one go.
pub(crate) const BATCH: usize = 1 << 20;
/// Windows that are read in one go: the kernel takes 1024 pieces at most.
const MOST_WINDOWS: usize = 512;
/// Ranges further apart than this are read by themselves: half a page costs about what a piece costs.
const GAP: u64 = 2048;
/// Longest window of several ranges, so that one absent page never costs more than this.
const LONGEST: u64 = 64 << 10;
/// So many batches are worth a second thread: less is read before it has begun.
const WORTH_A_THREAD: usize = 3;

/// Ranges that are read as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Window {
    start: Addr,
    len: usize,
    ranges: usize,
}

/// The first windows of a list of ranges, as many as fit, and how many ranges they hold: one at least.
fn windows(ranges: &[(Addr, usize)]) -> (Vec<Window>, usize) {
    let mut out: Vec<Window> = Vec::new();
    let mut used = 0usize;
    for (i, (addr, len)) in ranges.iter().enumerate() {
        if let Some(last) = out.last_mut() {
            let end = last.start.0.saturating_add(last.len as u64);
            let joined = addr.0.saturating_add(*len as u64).saturating_sub(last.start.0);
            let more = joined.saturating_sub(last.len as u64) as usize;
            if addr.0 >= end && addr.0 - end <= GAP && joined <= LONGEST && used + more <= BATCH {
                last.len = joined as usize;
                last.ranges += 1;
                used += more;
                continue;
            }
        }
        if !out.is_empty() && (out.len() >= MOST_WINDOWS || used.saturating_add(*len) > BATCH) {
            return (out, i);
        }
        out.push(Window { start: *addr, len: *len, ranges: 1 });
        used = used.saturating_add(*len);
    }
    (out, ranges.len())
}

/// What is read in one go.
#[derive(Debug)]
pub(crate) struct Batch<'a> {
    ranges: &'a [(Addr, usize)],
    windows: Vec<Window>,
}

impl<'a> Batch<'a> {
    /// All ranges, in their order.
    pub(crate) fn all_of(mut ranges: &'a [(Addr, usize)]) -> Vec<Self> {
        let mut out = Vec::new();
        while !ranges.is_empty() {
            let (windows, taken) = windows(ranges);
            let (own, rest) = ranges.split_at(taken);
            ranges = rest;
            out.push(Self { ranges: own, windows });
        }
        out
    }

    /// Its ranges.
    pub(crate) fn ranges(&self) -> &'a [(Addr, usize)] {
        self.ranges
    }

    /// Bytes of its ranges.
    pub(crate) fn bytes(&self) -> usize {
        self.ranges.iter().map(|(_, len)| *len).fold(0, usize::saturating_add)
    }

    /// Reads it into `room`, which has its bytes. Windows of several ranges are read into `scratch` first.
    fn read(&self, from: &dyn Memory, room: &mut [u8], scratch: &mut Vec<u8>) -> Done {
        let several = self.windows.iter().filter(|w| w.ranges > 1);
        // No more than is needed: a small service's profile is looked at every few seconds, and to touch a
        // megabyte of fresh memory cost more than all else of that.
        let needed = several.map(|w| w.len).sum::<usize>();
        if scratch.len() < needed {
            scratch.resize(needed, 0);
        }
        let (mut parts, mut places) = (Vec::with_capacity(self.windows.len()), Vec::new());
        let (mut free, mut rest, mut ranges) = (room, scratch.as_mut_slice(), self.ranges);
        for w in &self.windows {
            let (own, tail) = ranges.split_at(w.ranges.min(ranges.len()));
            ranges = tail;
            let bytes: usize = own.iter().map(|(_, len)| *len).sum();
            let (place, tail) = std::mem::take(&mut free).split_at_mut(bytes);
            free = tail;
            if w.ranges == 1 {
                parts.push(Part { addr: w.start, buf: place, ok: false });
                places.push((own, None));
            } else {
                let (buf, tail) = std::mem::take(&mut rest).split_at_mut(w.len);
                rest = tail;
                parts.push(Part { addr: w.start, buf, ok: false });
                places.push((own, Some(place)));
            }
        }
        from.read_parts(&mut parts);
        let (mut done, mut at) = (Done::default(), 0);
        for (part, (own, place)) in parts.iter().zip(&mut places) {
            let Some(place) = place else {
                done.note(own.iter().map(|range| (*range, part.ok)), &mut at);
                continue;
            };
            let mut free = &mut **place;
            let each = own.iter().map(|(addr, len)| {
                let (place, tail) = std::mem::take(&mut free).split_at_mut(*len);
                free = tail;
                let skip = (addr.0 - part.addr.0) as usize;
                let ok = match part.buf.get(skip..skip + len).filter(|_| part.ok) {
                    Some(bytes) => {
                        place.copy_from_slice(bytes);
                        true
                    }
                    // A page in between may be absent.
                    None => from.read(*addr, place).is_ok(),
                };
                ((*addr, *len), ok)
            });
            done.note(each, &mut at);
        }
        done
    }
}

/// What came of a batch: the ranges that were read, each with its place in the batch's room, and how many were
/// not.
#[derive(Debug, Default)]
pub(crate) struct Done {
    pub(crate) pieces: Vec<(Addr, usize, usize)>,
    pub(crate) failed: usize,
}

impl Done {
    fn note(&mut self, ranges: impl Iterator<Item = ((Addr, usize), bool)>, at: &mut usize) {
        for ((addr, len), ok) in ranges {
            if ok {
                self.pieces.push((addr, *at, len));
            } else {
                self.failed += 1;
            }
            *at += len;
        }
    }
}

/// Reads batches into a room that has the bytes of them all, one after the other; gives what came of each.
pub(crate) fn read_all(
    from: &dyn Memory,
    batches: &[Batch<'_>],
    mut room: &mut [u8],
    scratch: &mut [Vec<u8>; 2],
) -> Vec<Done> {
    let rooms = batches.iter().map(|batch| {
        let (own, rest) = std::mem::take(&mut room).split_at_mut(batch.bytes());
        room = rest;
        (batch, own)
    });
    let [first, second] = scratch;
    let Some(shared) = from.shared().filter(|_| batches.len() >= WORTH_A_THREAD) else {
        return rooms.map(|(batch, own)| batch.read(from, own, first)).collect();
    };
    // Whoever is free takes the next: nobody waits for a thread that is given no processor, but for the one
    // batch that it may have begun.
    let queue = Mutex::new(rooms.enumerate());
    let work = |scratch: &mut Vec<u8>| {
        let mut all = Vec::new();
        loop {
            let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some((n, (batch, own))) = next else { return all };
            all.push((n, batch.read(shared, own, scratch)));
        }
    };
    let mut all = std::thread::scope(|scope| {
        let helper = std::thread::Builder::new().name("copy".into()).spawn_scoped(scope, || work(second));
        let mut all = work(first);
        // Where there is no thread to be had, all has been read here.
        all.extend(helper.map(|h| h.join().unwrap_or_default()).unwrap_or_default());
        all
    });
    all.sort_unstable_by_key(|(n, _)| *n);
    all.into_iter().map(|(_, done)| done).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::thread::ThreadId;

    use super::*;
    use crate::memory::{ReadCause, ReadError};

    /// The low byte of each address; a page in sixteen is absent. Notes who reads, and waits for so many.
    struct Shared {
        readers: Mutex<BTreeSet<String>>,
        several: bool,
    }

    impl Memory for Shared {
        fn read(&self, addr: Addr, buf: &mut [u8]) -> Result<(), ReadError> {
            self.readers.lock().unwrap().insert(format!("{:?}", std::thread::current().id()));
            let end = addr.0 + buf.len() as u64;
            if (addr.0 / 4096..=(end - 1) / 4096).any(|page| page % 16 == 7) {
                return Err(ReadError { addr, len: buf.len(), cause: ReadCause::Absent });
            }
            buf.iter_mut().enumerate().for_each(|(i, b)| *b = (addr.0 + i as u64) as u8);
            Ok(())
        }

        fn shared(&self) -> Option<&(dyn Memory + Sync)> {
            self.several.then_some(self as _)
        }
    }

    fn id() -> ThreadId {
        std::thread::current().id()
    }

    /// By two threads as by one: the same pieces in the same order, the same number that could not be read.
    #[test]
    fn two_threads_read_what_one_does() {
        let ranges: Vec<(Addr, usize)> = (0..40_000u64).map(|i| (Addr(0x10_0000 + i * 700), 300)).collect();
        let batches = Batch::all_of(&ranges);
        assert!(batches.len() > 2 * WORTH_A_THREAD);
        let bytes: usize = batches.iter().map(Batch::bytes).sum();
        let read = |several: bool| {
            let memory = Shared { readers: Mutex::default(), several };
            let mut room = vec![0; bytes];
            let done = read_all(&memory, &batches, &mut room, &mut Default::default());
            let pieces: Vec<_> = done.iter().map(|d| (d.pieces.clone(), d.failed)).collect();
            (pieces, memory.readers.into_inner().unwrap())
        };
        let (one, by) = read(false);
        assert_eq!(by, BTreeSet::from([format!("{:?}", id())]));
        let failed: usize = one.iter().map(|(_, failed)| failed).sum();
        assert!(failed > 1000, "{failed}");
        let several = (0..20).any(|_| {
            let (two, by) = read(true);
            assert_eq!(one, two);
            by.len() == 2
        });
        assert!(several, "the second thread never came to its turn");
    }

    /// Little is read before a second thread has begun.
    #[test]
    fn what_is_small_is_read_by_whoever_asks() {
        let memory = Shared { readers: Mutex::default(), several: true };
        let ranges = [(Addr(0x10_0000), 4096), (Addr(0x20_0000), 64)];
        let mut room = [0; 4160];
        let done = read_all(&memory, &Batch::all_of(&ranges), &mut room, &mut Default::default());
        assert_eq!(done.iter().map(|d| d.pieces.len()).collect::<Vec<_>>(), [2]);
        assert_eq!((room[1], room[4097]), (1, 1));
        assert_eq!(memory.readers.into_inner().unwrap(), BTreeSet::from([format!("{:?}", id())]));
    }
}
