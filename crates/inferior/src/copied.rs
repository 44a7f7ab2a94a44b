//! All memory of a process that is its own, copied at one moment: what is made of it is read when the process
//! runs again.
//!
//! Reading a heap in place costs a call to the kernel for every small piece, and a program of many goroutines
//! is nothing but small pieces: where a process is not too large it stands still for less if all of it is
//! copied, some gigabytes a second, and looked at afterwards. What is too large for that is packed as it is
//! copied ([`PackedPages`]), but for what holds no pointers.

use std::fs::File;
use std::os::unix::fs::FileExt as _;

use crate::addr::{Addr, AddrRange};
use crate::arch::page_size;
use crate::mapping::{Mapping, parse_maps};
use crate::memory::{Memory, Part, ReadCause, ReadError};
use crate::packed::{PackedPages, Packing, PagesOf};
use crate::pagemap::PageMap;
use crate::ranges::Ranges;
use crate::resident::Resident;
use crate::snapshot::Snapshot;

/// Longest memory map that is read, in bytes.
const MAX_MAPS: usize = 4 << 20;
/// Most address space whose pages are looked through while a process stands still: two million entries.
const MAX_LOOKED_THROUGH: u64 = 8 << 30;
/// Mappings of files up to this are copied whole, the pages that were never written too: an executable's
/// variables are such.
const MAX_OF_A_FILE: u64 = 16 << 20;
/// Bytes that are copied in one go: two threads take turns.
const PIECE: u64 = 1 << 20;
/// Room beside what was resident before: it runs on until it stands still.
const MORE: u64 = 8 << 20;

/// Bytes that a copy of a process would hold by what of each mapping is resident, with room for some more;
/// `None` where its address space is too large to be looked through.
#[must_use]
pub fn bytes_to_copy(resident: &[Resident]) -> Option<u64> {
    let mut looked_through = 0u64;
    let mut bytes = MORE;
    for r in resident.iter().filter(|r| r.mapping.readable) {
        let len = r.mapping.range.len();
        if r.mapping.writable {
            looked_through = looked_through.saturating_add(len);
        }
        bytes = bytes.saturating_add(if is_copied_whole(&r.mapping) { len } else { r.anon });
    }
    (looked_through <= MAX_LOOKED_THROUGH).then(|| bytes.saturating_add(bytes / 8))
}

fn is_copied_whole(m: &Mapping) -> bool {
    m.writable && m.inode != 0 && m.range.len() <= MAX_OF_A_FILE
}

/// The files that tell which pages a process has, opened while it lives.
#[derive(Debug)]
pub struct OwnPages {
    maps: File,
    page_map: PageMap,
}

impl OwnPages {
    /// Of `/proc/PID/maps` and `/proc/PID/pagemap`, opened.
    #[must_use]
    pub fn new(maps: File, page_map: File) -> Self {
        Self { maps, page_map: PageMap::of(page_map) }
    }

    fn mappings(&self) -> Option<Vec<Mapping>> {
        let (mut text, mut piece) = (Vec::new(), vec![0; 64 << 10]);
        loop {
            let n = self.maps.read_at(&mut piece, text.len() as u64).ok()?;
            text.extend_from_slice(piece.get(..n)?);
            if n == 0 {
                return Some(parse_maps(&String::from_utf8_lossy(&text)));
            }
            if text.len() > MAX_MAPS {
                return None;
            }
        }
    }

    /// Which memory there is; `None` if that cannot be told, or not quickly.
    #[must_use]
    pub fn places(&self) -> Option<Places> {
        let mut places = Places::default();
        let mut looked_through = 0u64;
        let (mut all, mut held, mut fixed) = (Vec::new(), Vec::new(), Vec::new());
        for m in self.mappings()?.into_iter().filter(|m| m.readable && !m.path.starts_with("[v")) {
            if is_copied_whole(&m) {
                held.push(m.range);
                continue;
            }
            if !m.writable {
                fixed.push(m.range);
                // What was relocated and is written no more is its own too; of other files there is nothing.
                if m.inode == 0 || m.executable || m.range.len() > MAX_OF_A_FILE {
                    continue;
                }
            }
            looked_through = looked_through.saturating_add(m.range.len());
            if looked_through > MAX_LOOKED_THROUGH {
                return None;
            }
            held.extend(self.page_map.held(m.range).ok()?);
            // Of anonymous memory a page that was never touched is zero.
            if m.writable && m.inode == 0 {
                all.push(m.range);
            }
        }
        places.held = Ranges::union(held);
        places.untouched = Ranges::union(all).minus(&places.held);
        places.fixed = Ranges::union(fixed);
        Some(places)
    }
}

/// Where what of a process stands.
#[derive(Debug, Default)]
pub struct Places {
    /// Pages of its own.
    held: Ranges,
    /// Anonymous memory of which no page was ever touched, which is zero.
    untouched: Ranges,
    /// What cannot be written.
    fixed: Ranges,
}

impl Places {
    /// Leaves out of what is held what nobody needs.
    pub fn leave_out(&mut self, unneeded: &Ranges) {
        self.held = self.held.minus(unneeded);
    }
}

/// Memory of one moment. What cannot be written is read where it is: it does not change.
#[derive(Debug)]
pub struct CopiedMemory<M, C = Snapshot> {
    copy: C,
    untouched: Ranges,
    fixed: Ranges,
    live: M,
    page: u64,
}

impl<M: Memory> CopiedMemory<M> {
    /// Copies all of a process that stands still, from `from`, into `room`. What cannot be written is read of
    /// `live` later. `None` where there is more than there is room for, or a part could not be read: then
    /// nothing is as it was at that moment but the process itself.
    #[must_use]
    pub fn take(from: &dyn Memory, pages: &OwnPages, mut room: Snapshot, live: M) -> Option<Self> {
        let Places { held, untouched, fixed } = pages.places()?;
        if held.bytes() > room.budget() as u64 {
            return None;
        }
        let mut pieces: Vec<(Addr, usize)> = Vec::new();
        for range in held.as_slice() {
            let starts = (range.start.0..range.end.0).step_by(PIECE as usize);
            pieces.extend(starts.map(|at| (Addr(at), PIECE.min(range.end.0 - at) as usize)));
        }
        let lost = room.copy_all(from, &pieces);
        (lost == 0 && room.refused() == 0).then_some(Self { copy: room, untouched, fixed, live, page: page_size() })
    }

    /// Makes it readable: what need not be done while the process stands still.
    #[must_use]
    pub fn sealed(mut self) -> Self {
        self.copy.seal();
        self
    }
}

impl<M: Memory> CopiedMemory<M, PackedPages> {
    /// Packs what a process that stands still has of pages with pointers, and of the others what is picked,
    /// as far as it is known what stands there (by address). What cannot be written is read of `live` later;
    /// what is in no copy cannot be read. `None` as [`PackedPages::take`].
    #[must_use]
    pub fn pack(
        from: &(dyn Memory + Sync),
        places: Places,
        known: &[PagesOf],
        how: &Packing<'_>,
        live: M,
    ) -> Option<Self> {
        let Places { held, untouched, fixed } = places;
        let copy = PackedPages::take(from, &held, known, how)?;
        Some(Self { copy, untouched, fixed, live, page: page_size() })
    }

    /// Bytes that the copy takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.copy.bytes()
    }
}

impl<M: Memory, C: Memory> CopiedMemory<M, C> {
    /// Page by page: some were copied, and some were never touched.
    fn mixed(&self, addr: Addr, buf: &mut [u8]) -> bool {
        let mut done = 0;
        while done < buf.len() {
            let Some(at) = addr.0.checked_add(done as u64) else { return false };
            let here = (self.page - at % self.page).min((buf.len() - done) as u64);
            let Some(place) = buf.get_mut(done..done + here as usize) else { return false };
            let range = AddrRange::sized(Addr(at), here);
            if self.copy.read(range.start, place).is_err() {
                if !holds(&self.untouched, range) {
                    return false;
                }
                place.fill(0);
            }
            done += here as usize;
        }
        true
    }
}

/// Whether all of a range is in one of those.
fn holds(ranges: &Ranges, range: AddrRange) -> bool {
    let all = ranges.as_slice();
    let at = all.partition_point(|r| r.end <= range.start);
    all.get(at).is_some_and(|r| r.start <= range.start && range.end <= r.end)
}

impl<M: Memory, C: Memory> Memory for CopiedMemory<M, C> {
    fn read(&self, addr: Addr, buf: &mut [u8]) -> Result<(), ReadError> {
        if self.copy.read(addr, buf).is_ok() || self.mixed(addr, buf) {
            return Ok(());
        }
        if holds(&self.fixed, AddrRange::sized(addr, buf.len() as u64)) {
            return self.live.read(addr, buf);
        }
        Err(ReadError { addr, len: buf.len(), cause: ReadCause::Absent })
    }

    fn read_parts(&self, parts: &mut [Part<'_>]) {
        for part in parts {
            part.ok = self.read(part.addr, part.buf).is_ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::LiveProcess;

    fn pages() -> OwnPages {
        let open = |name: &str| File::open(format!("/proc/self/{name}")).unwrap();
        OwnPages::new(open("maps"), open("pagemap"))
    }

    fn copied(room: usize) -> Option<CopiedMemory<LiveProcess>> {
        let live = || LiveProcess::open(std::process::id() as i32).unwrap();
        // Not touched: what it will hold would be part of what is copied.
        let room = Snapshot::with_untouched_budget(room, 1024);
        CopiedMemory::take(&live(), &pages(), room, live()).map(CopiedMemory::sealed)
    }

    /// Written pages as they were, pages between them that were never touched as zeros, in one read.
    #[test]
    fn what_was_written_and_what_was_never_touched() {
        let mut memory = vec![0u8; 8 << 20];
        let page = page_size() as usize;
        let start = (memory.as_ptr() as usize).next_multiple_of(page);
        let skip = start - memory.as_ptr() as usize;
        for at in [0, 100] {
            memory[skip + at * page..][..page].fill(7);
        }
        // Other tests map and unmap meanwhile, and what is not all there is no copy.
        let copy = (0..50).find_map(|_| copied(256 << 20)).expect("this process is small");
        memory[skip] = 8;
        let mut read = vec![1; 101 * page];
        copy.read(Addr(start as u64), &mut read).unwrap();
        assert_eq!((read[0], read[page - 1], read[50 * page], read[100 * page]), (7, 7, 0, 7));
        assert_eq!(memory[skip], 8);
        // Code is no copy, and can be read; what is not mapped cannot.
        let code = copied as *const () as u64;
        assert!(copy.u64(Addr(code)).is_ok());
        assert!(copy.u64(Addr(0)).is_err() && copy.u64(Addr(u64::MAX - 3)).is_err());
    }

    /// Half a copy is none.
    #[test]
    fn without_room_there_is_none() {
        let memory = vec![1u8; 2 << 20];
        assert!(copied(1 << 20).is_none());
        assert_eq!(memory[4096], 1);
    }

    #[test]
    fn it_is_known_beforehand_how_much_it_will_be() {
        let mapping = |line| parse_maps(line).remove(0);
        let heap = mapping("c000000000-c004000000 rw-p 00000000 00:00 0 [anon: Go: heap]");
        let data = mapping("00600000-00700000 rw-p 00000000 fe:00 12 /bin/a");
        let code = mapping("00400000-00600000 r-xp 00000000 fe:00 12 /bin/a");
        let of = |mapping, anon| Resident { mapping, rss: anon, anon, huge: 0 };
        let all = [of(heap.clone(), 16 << 20), of(data, 4096), of(code, 0)];
        let bytes = MORE + (16 << 20) + (1 << 20);
        assert_eq!(bytes_to_copy(&all), Some(bytes + bytes / 8));
        // What a race detector reserves is not looked through.
        let huge = mapping("7e8000000000-7eb000000000 rw-p 00000000 00:00 0");
        assert_eq!(bytes_to_copy(&[of(heap, 1 << 20), of(huge, 1 << 20)]), None);
    }
}
