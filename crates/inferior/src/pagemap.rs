//! Which pages of a process are in memory: `/proc/PID/pagemap` (kernel:
//! `Documentation/admin-guide/mm/pagemap.rst`), a word for each page. Opened while the process lives, it can
//! be read as long as its address space is held.

use std::cell::Cell;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use crate::addr::{Addr, AddrRange};
use crate::arch::page_size;

/// The page tables of a process, opened.
#[derive(Debug)]
pub struct PageMap(File);

/// What there is of a range.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pages {
    /// In memory, by address; neighbours are one.
    pub present: Vec<AddrRange>,
    /// Bytes that are swapped out. To read them is to have them read back, on the account of their process.
    pub swapped: u64,
}

/// Of which pages to say that they are present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Anonymous and private ones: the process's own.
    Own,
    /// Pages of files, too.
    All,
}

/// Bits of an entry.
const PRESENT: u64 = 1 << 63;
const SWAPPED: u64 = 1 << 62;
const OF_FILE_OR_SHARED: u64 = 1 << 61;
/// A guard region (Linux 6.15): to touch it is a fault.
const GUARD: u64 = 1 << 58;
/// Bytes of entries that are read at a time: 32 MiB of address space.
const BLOCK: usize = 64 << 10;

impl PageMap {
    /// Opens that of `pid`.
    ///
    /// # Errors
    /// The system's error.
    pub fn open(pid: i32) -> io::Result<Self> {
        File::open(format!("/proc/{pid}/pagemap")).map(Self)
    }

    /// From its file, opened.
    pub(crate) fn of(file: File) -> Self {
        Self(file)
    }

    /// Its file: for who hands it on.
    #[must_use]
    pub fn into_file(self) -> File {
        self.0
    }

    /// What there is of a range, page by page. `enough` bytes found end the search (what `smaps` says is
    /// resident: where a terabyte is reserved, a gigabyte of entries would have to be read for it).
    ///
    /// # Errors
    /// The system's error; an address space that is gone has no pages.
    pub fn pages(&self, range: AddrRange, wanted: Wanted, enough: u64) -> io::Result<Pages> {
        let mut found = Pages::default();
        let (seen, size) = (Cell::new(0), page_size());
        let tell = |page, entry| {
            if entry & PRESENT != 0 {
                seen.set(seen.get() + size);
                if wanted == Wanted::All || entry & OF_FILE_OR_SHARED == 0 {
                    push(&mut found.present, page);
                }
            } else if entry & SWAPPED != 0 {
                found.swapped += size;
            }
        };
        self.each(range, tell, || seen.get() < enough)?;
        Ok(found)
    }

    /// Whole pages of a range that are neither in memory nor swapped out: of anonymous private memory what
    /// was never touched, or was given back. To read it is to read zeros.
    ///
    /// # Errors
    /// As [`PageMap::pages`].
    pub fn untouched(&self, range: AddrRange) -> io::Result<Vec<AddrRange>> {
        let size = page_size();
        let start = Addr(range.start.0.div_ceil(size).saturating_mul(size));
        let whole = AddrRange { start, end: Addr(range.end.0 / size * size).max(start) };
        let mut found = Vec::new();
        let tell = |page, entry| {
            if entry & (PRESENT | SWAPPED | OF_FILE_OR_SHARED | GUARD) == 0 {
                push(&mut found, page);
            }
        };
        self.each(whole, tell, || true)?;
        Ok(found)
    }

    /// Pages of a range that are the process's own, in memory or swapped out.
    ///
    /// # Errors
    /// As [`PageMap::pages`]; fewer entries than pages are one too.
    pub fn held(&self, range: AddrRange) -> io::Result<Vec<AddrRange>> {
        let mut found = Vec::new();
        let tell = |page, entry| {
            let is_own = entry & PRESENT != 0 && entry & OF_FILE_OR_SHARED == 0;
            if is_own || entry & SWAPPED != 0 {
                push(&mut found, page);
            }
        };
        let told = self.each(range, tell, || true)?;
        if told < range.end { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(found) }
    }

    /// Tells the entry of each page that a range touches; returns the end of what was told. Whether more is
    /// wanted is asked before each [`BLOCK`].
    fn each(
        &self,
        range: AddrRange,
        mut tell: impl FnMut(AddrRange, u64),
        is_more_wanted: impl Fn() -> bool,
    ) -> io::Result<Addr> {
        let size = page_size();
        let (mut page, end) = (range.start.0 / size, range.end.0.div_ceil(size));
        let mut entries = vec![0; BLOCK];
        while page < end && is_more_wanted() {
            let want = (BLOCK as u64).min((end - page).saturating_mul(8)) as usize;
            let Some(block) = entries.get_mut(..want) else { break };
            let read = self.0.read_at(block, page * 8)?;
            if read < 8 {
                break;
            }
            for entry in block.chunks_exact(8).take(read / 8) {
                let entry = entry.try_into().map_or(0, u64::from_le_bytes);
                tell(AddrRange::sized(Addr(page * size), size), entry);
                page += 1;
            }
        }
        Ok(Addr(page.saturating_mul(size)))
    }

    /// Bytes of the process's own that are in memory in a range.
    ///
    /// # Errors
    /// As [`PageMap::pages`].
    pub fn own_bytes(&self, range: AddrRange) -> io::Result<u64> {
        let pages = self.pages(range, Wanted::Own, u64::MAX)?;
        Ok(pages.present.iter().map(|r| r.len()).fold(0, u64::saturating_add))
    }
}

/// Adds a range behind the others, joined with the last if it touches it.
fn push(ranges: &mut Vec<AddrRange>, range: AddrRange) {
    match ranges.last_mut() {
        Some(last) if last.end == range.start => last.end = range.end,
        _ => ranges.push(range),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: u64 = 4096;

    /// Of memory that was never touched no page is there.
    #[test]
    fn what_was_touched_is_present() {
        // Zeroed memory of this size is fresh from the kernel: its pages come as they are written.
        let mut memory = vec![0u8; 4 << 20];
        let start = (memory.as_ptr() as u64).next_multiple_of(PAGE);
        let skip = (start - memory.as_ptr() as u64) as usize;
        for page in [3, 4, 900] {
            memory[skip + page * PAGE as usize] = 1;
        }
        let map = PageMap::open(std::process::id() as i32).unwrap();
        let range = AddrRange::sized(Addr(start), 1000 * PAGE);
        let pages = map.pages(range, Wanted::Own, u64::MAX).unwrap();
        // All pages are either there or were never touched (seen: all of them there, memory used before).
        let untouched = map.untouched(range).unwrap();
        let mut all = [pages.present.clone(), untouched].concat();
        all.sort_unstable_by_key(|r| r.start);
        assert_eq!(all.first().map(|r| r.start), Some(range.start));
        assert!(all.windows(2).all(|pair| pair[0].end == pair[1].start), "{all:?}");
        assert_eq!(all.last().map(|r| r.end), Some(range.end));
        assert_eq!(memory[skip + 900 * PAGE as usize], 1);
        // More may come with it: huge pages, or memory that was used before.
        for page in [3, 4, 900] {
            assert!(pages.present.iter().any(|r| r.contains(Addr(start + page * PAGE))), "{page}");
        }
        assert_eq!(pages.swapped, 0);
        assert_eq!(map.pages(range, Wanted::Own, PAGE).unwrap().present.first(), pages.present.first());
    }

    /// Code is a file's: present, and not the process's own.
    #[test]
    fn pages_of_files_are_told_apart() {
        let maps = crate::parse_maps(&std::fs::read_to_string("/proc/self/maps").unwrap());
        let code = maps.iter().find(|m| m.executable && m.inode != 0).unwrap().range;
        let map = PageMap::open(std::process::id() as i32).unwrap();
        assert!(map.pages(code, Wanted::Own, u64::MAX).unwrap().present.is_empty());
        assert!(!map.pages(code, Wanted::All, u64::MAX).unwrap().present.is_empty());
    }
}
