//! Memory that is remembered page by page as it is read: of the dead what was read once can be read again
//! when they are gone, and a word beside one that was read before costs no call to the kernel.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::addr::Addr;
use crate::arch::page_size;
use crate::memory::{Memory, Part, ReadCause, ReadError};

/// Parts of the table that are locked one by one: two threads read at once.
const SHARDS: u64 = 64;
/// Pages in a row that belong to one of them.
const RUN: u64 = 16;

/// No memory at all.
#[derive(Clone, Copy, Debug)]
pub struct Absent;

impl Memory for Absent {
    fn read(&self, addr: Addr, buf: &mut [u8]) -> Result<(), ReadError> {
        Err(ReadError { addr, len: buf.len(), cause: ReadCause::Absent })
    }
}

/// Memory whose pages do not change, remembered up to a bound; what is read beyond it is read anew each time.
#[derive(Debug)]
pub struct RememberedMemory<M> {
    inner: M,
    page: u64,
    /// Bytes that may still be remembered.
    left: AtomicU64,
    shards: Vec<Mutex<HashMap<u64, Box<[u8]>>>>,
}

impl<M: Memory> RememberedMemory<M> {
    /// Memory of which so many bytes at most are remembered.
    pub fn new(inner: M, bytes: u64) -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        Self { inner, page: page_size().max(1), left: AtomicU64::new(bytes), shards }
    }

    /// The memory below, which is read without being remembered: for what is read once.
    pub fn inner(&self) -> &M {
        &self.inner
    }

    /// What is remembered by now, and nothing else.
    #[must_use]
    pub fn alone(self) -> RememberedMemory<Absent> {
        RememberedMemory { inner: Absent, page: self.page, left: AtomicU64::new(0), shards: self.shards }
    }

    fn shard(&self, page: u64) -> Option<MutexGuard<'_, HashMap<u64, Box<[u8]>>>> {
        let at = page / self.page / RUN % SHARDS;
        self.shards.get(at as usize).map(|s| s.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Bytes within one page, if that is remembered.
    fn known(&self, addr: Addr, buf: &mut [u8]) -> bool {
        let page = addr.0 / self.page * self.page;
        let shard = self.shard(page);
        let skip = (addr.0 - page) as usize;
        let bytes = shard.as_ref().and_then(|s| s.get(&page)?.get(skip..skip.checked_add(buf.len())?));
        bytes.map(|bytes| buf.copy_from_slice(bytes)).is_some()
    }

    /// Notes a whole page.
    fn remember(&self, page: u64, bytes: &[u8]) {
        let room = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(self.page));
        if room.is_ok()
            && let Some(mut shard) = self.shard(page)
            && shard.insert(page, bytes.into()).is_some()
        {
            self.left.fetch_add(self.page, Ordering::Relaxed);
        }
    }

    /// Pieces of a range, none of them over the end of a page.
    fn pieces(&self, addr: Addr, len: usize) -> impl Iterator<Item = (u64, std::ops::Range<usize>)> + '_ {
        let mut done = 0;
        std::iter::from_fn(move || {
            let at = addr.0.checked_add(done as u64).filter(|_| done < len)?;
            let room = self.page - at % self.page;
            let n = (len - done).min(room as usize);
            done += n;
            Some((at, done - n..done))
        })
    }

    fn all_known(&self, addr: Addr, buf: &mut [u8]) -> bool {
        self.pieces(addr, buf.len())
            .all(|(at, range)| buf.get_mut(range).is_some_and(|piece| self.known(Addr(at), piece)))
    }
}

impl<M: Memory> Memory for RememberedMemory<M> {
    fn read(&self, addr: Addr, buf: &mut [u8]) -> Result<(), ReadError> {
        if self.all_known(addr, buf) {
            return Ok(());
        }
        // What is small is read with the rest of its page.
        if (buf.len() as u64) < self.page && self.left.load(Ordering::Relaxed) >= self.page {
            let mut page = vec![0; self.page as usize];
            let mut is_read = true;
            for (at, _) in self.pieces(addr, buf.len()) {
                let start = at / self.page * self.page;
                let read = self.inner.read(Addr(start), &mut page);
                is_read &= read.is_ok();
                if read.is_ok() {
                    self.remember(start, &page);
                }
            }
            if is_read && self.all_known(addr, buf) {
                return Ok(());
            }
        }
        self.inner.read(addr, buf)?;
        for (at, range) in self.pieces(addr, buf.len()) {
            if let Some(bytes) = buf.get(range).filter(|bytes| bytes.len() as u64 == self.page) {
                self.remember(at, bytes);
            }
        }
        Ok(())
    }

    fn read_parts(&self, parts: &mut [Part<'_>]) {
        for part in parts.iter_mut() {
            part.ok = self.all_known(part.addr, part.buf);
        }
        let mut rest: Vec<&mut Part<'_>> = parts.iter_mut().filter(|p| !p.ok).collect();
        for part in &mut rest {
            part.ok = self.read(part.addr, part.buf).is_ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// Memory of which each byte is its address, as long as it is there.
    struct Dying {
        gone: Cell<bool>,
        reads: Cell<u32>,
    }

    impl Memory for Dying {
        fn read(&self, addr: Addr, buf: &mut [u8]) -> Result<(), ReadError> {
            if self.gone.get() {
                return Err(ReadError { addr, len: buf.len(), cause: ReadCause::Gone });
            }
            self.reads.set(self.reads.get() + 1);
            buf.iter_mut().zip(addr.0..).for_each(|(b, at)| *b = (at % 251) as u8);
            Ok(())
        }
    }

    fn dying() -> Dying {
        Dying { gone: Cell::new(false), reads: Cell::new(0) }
    }

    fn is_right(memory: &impl Memory, addr: u64, len: usize) -> bool {
        let mut buf = vec![0; len];
        memory.read(Addr(addr), &mut buf).is_ok() && buf.iter().zip(addr..).all(|(b, at)| *b == (at % 251) as u8)
    }

    #[test]
    fn what_was_read_is_there_when_the_process_is_gone() {
        let page = page_size();
        let memory = RememberedMemory::new(dying(), 64 * page);
        assert!(is_right(&memory, 10 * page + 100, 8), "a word");
        assert!(is_right(&memory, 20 * page + 16, 3 * page as usize), "three pages, two of them whole");
        assert!(is_right(&memory, 30 * page - 4, 8), "over a page's end");
        memory.inner().gone.set(true);
        for (addr, len) in
            [(10 * page, page as usize), (21 * page + 1, 2 * page as usize - 1), (29 * page, 2 * page as usize)]
        {
            assert!(is_right(&memory, addr, len), "{addr:#x}");
        }
        for addr in [20 * page + 16, 23 * page, 31 * page, 11 * page] {
            assert!(!is_right(&memory, addr, 8), "{addr:#x}");
        }
        let mut buf = [0; 8];
        let mut parts = [Part { addr: Addr(10 * page + 8), buf: &mut buf, ok: false }];
        memory.read_parts(&mut parts);
        assert!(parts.iter().all(|p| p.ok));
        let alone = memory.alone();
        assert!(is_right(&alone, 10 * page + 8, 8) && !is_right(&alone, 11 * page, 8));
    }

    #[test]
    fn words_of_one_page_cost_one_read_and_no_more_is_kept_than_allowed() {
        let page = page_size();
        let memory = RememberedMemory::new(dying(), 2 * page);
        assert!((0..page / 8).all(|i| is_right(&memory, 5 * page + 8 * i, 8)));
        assert_eq!(memory.inner().reads.get(), 1);
        assert!(is_right(&memory, 7 * page, 8) && is_right(&memory, 9 * page, 8) && is_right(&memory, 9 * page, 8));
        assert_eq!(memory.inner().reads.get(), 4, "the third page is read each time");
        assert!(is_right(&memory, 100 * page, 40 * page as usize));
        assert_eq!(memory.shards.iter().map(|s| s.lock().unwrap().len()).sum::<usize>(), 2);
    }
}
