//! Functions by name: one pass over the names, one over the function table, both in large blocks and no
//! further than needed. The runtime is linked first, so its names stand near the start of both.

use lastgasp_inferior::{Addr, Memory};
use rustc_hash::FxHashMap;

use crate::binary::moduledata::ModuleData;
use crate::layout::Layout;

/// Bytes read at a time.
const BLOCK: u64 = 256 << 10;
/// Longest name that we look for.
const MAX_NAME: usize = 256;

/// Start and length of the code of each wanted function.
pub(crate) fn find_functions(
    mem: &dyn Memory,
    md: &ModuleData,
    layout: &Layout,
    wanted: &[&str],
) -> FxHashMap<String, (Addr, u64)> {
    let names = name_offsets(mem, md, wanted);
    let mut found = FxHashMap::default();
    let (mut table, mut metas) = windows(mem, md);
    let mut entry = |i: u64| -> Option<(Addr, u64)> {
        let b = table.at(i.checked_mul(8)?, 8)?;
        let word = |at: usize| b.get(at..at + 4).and_then(|w| w.try_into().ok()).map(u32::from_le_bytes).map(u64::from);
        Some((md.text.plus(word(0)?), word(4)?))
    };
    for i in 0..md.ftab.1.saturating_sub(1) {
        if found.len() == names.len() {
            break;
        }
        let Some((start, meta)) = entry(i) else { break };
        let name = metas.at(meta.saturating_add(layout.func.name_off), 4).and_then(|b| b.try_into().ok());
        let Some(name) = name.and_then(|b| names.get(&u32::from_le_bytes(b))) else { continue };
        let end = entry(i + 1).map_or(start, |(e, _)| e);
        found.entry((*name).to_owned()).or_insert((start, end.0.saturating_sub(start.0)));
    }
    found
}

/// Calls `visit` with every function: start and length of its code, and the offset of its name in
/// `funcnametab`; in the order of addresses, at most `most` of them.
pub(crate) fn each_function(
    mem: &dyn Memory,
    md: &ModuleData,
    layout: &Layout,
    most: u64,
    mut visit: impl FnMut(Addr, u64, u32),
) {
    let (mut table, mut metas) = windows(mem, md);
    let mut entry = |i: u64| -> Option<(Addr, u64)> {
        let b = table.at(i.checked_mul(8)?, 8)?;
        let word = |at: usize| b.get(at..at + 4).and_then(|w| w.try_into().ok()).map(u32::from_le_bytes).map(u64::from);
        Some((md.text.plus(word(0)?), word(4)?))
    };
    let Some(mut this) = entry(0) else { return };
    for i in 1..md.ftab.1.min(most) {
        let Some(next) = entry(i) else { return };
        let name = metas.at(this.1.saturating_add(layout.func.name_off), 4).and_then(|b| b.try_into().ok());
        if let (Some(name), Some(len)) = (name, next.0.0.checked_sub(this.0.0)) {
            visit(this.0, len, u32::from_le_bytes(name));
        }
        this = next;
    }
}

/// The function table, and what it refers to.
fn windows<'a>(mem: &'a dyn Memory, md: &ModuleData) -> (Window<'a>, Window<'a>) {
    /// Bytes of an entry of `ftab`; the last is half of one, the end of the code.
    const ENTRY: u64 = 8;
    let ((table, entries), (metas, bytes)) = (md.ftab, md.pclntable);
    (Window::new(mem, table, entries.saturating_mul(ENTRY)), Window::new(mem, metas, bytes))
}

/// Where the names stand in `funcnametab`.
fn name_offsets<'n>(mem: &dyn Memory, md: &ModuleData, wanted: &[&'n str]) -> FxHashMap<u32, &'n str> {
    let mut missing: FxHashMap<&[u8], &'n str> = wanted.iter().map(|w| (w.as_bytes(), *w)).collect();
    let mut offsets = FxHashMap::default();
    let (table, len) = md.funcnametab;
    let mut at = 0;
    while at < len && !missing.is_empty() {
        let n = BLOCK.min(len - at) as usize;
        let Ok(block) = mem.bytes(table.plus(at), n, n) else { break };
        let mut start = 0;
        for end in memchr::memchr_iter(0, &block) {
            if let Some(name) = block.get(start..end).and_then(|b| missing.remove(b)) {
                offsets.insert(at as u32 + start as u32, name);
            }
            start = end + 1;
        }
        // A name that the block cuts is read again with the next one; one that is longer than any of ours is
        // skipped.
        at += if start + MAX_NAME > n && start > 0 && at + (n as u64) < len { start as u64 } else { n as u64 };
    }
    offsets
}

/// A table that is read from front to back, a block at a time.
struct Window<'a> {
    mem: &'a dyn Memory,
    table: Addr,
    /// Bytes of the table.
    len: u64,
    start: u64,
    block: Vec<u8>,
    /// Bytes that may still be read: a hostile table that sends us back and forth ends.
    budget: u64,
}

impl<'a> Window<'a> {
    /// `bytes`: how long the table is.
    fn new(mem: &'a dyn Memory, table: Addr, bytes: u64) -> Self {
        let budget = bytes.saturating_add(64 * BLOCK);
        Self { mem, table, len: bytes, start: 0, block: Vec::new(), budget }
    }

    fn at(&mut self, offset: u64, len: usize) -> Option<&[u8]> {
        let held = offset.checked_sub(self.start).is_some_and(|skip| skip + len as u64 <= self.block.len() as u64);
        if !held {
            self.refill(offset, len)?;
        }
        let skip = (offset - self.start) as usize;
        self.block.get(skip..skip + len)
    }

    fn refill(&mut self, offset: u64, len: usize) -> Option<()> {
        let from = self.table.plus(offset);
        // Behind the table's end there may be nothing: what is asked for beyond fails as a whole, and went
        // for nothing again for each entry of the last page, until the budget was gone and the program's last
        // functions with it (Go 1.25 stripped). A memory that lacks the end of the table is read in less.
        let left = usize::try_from(self.len.saturating_sub(offset)).unwrap_or(usize::MAX);
        for n in [BLOCK as usize, 4096, len].map(|n| n.min(left).max(len)) {
            self.budget = self.budget.checked_sub(n as u64)?;
            if let Ok(block) = self.mem.bytes(from, n, n) {
                (self.start, self.block) = (offset, block);
                return Some(());
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use lastgasp_inferior::{ReadCause, ReadError};

    use super::*;

    /// Memory that ends where a table does.
    struct Ends {
        bytes: Vec<u8>,
        reads: Cell<usize>,
    }

    impl Memory for Ends {
        fn read(&self, addr: Addr, buf: &mut [u8]) -> Result<(), ReadError> {
            self.reads.set(self.reads.get() + 1);
            let missing = ReadError { addr, len: buf.len(), cause: ReadCause::Absent };
            let part = self.bytes.get(addr.0 as usize..).and_then(|b| b.get(..buf.len())).ok_or(missing)?;
            buf.copy_from_slice(part);
            Ok(())
        }
    }

    #[test]
    fn a_table_is_read_to_its_end_where_nothing_is_behind_it() {
        let bytes: Vec<u8> = (0..200_000u64).flat_map(u64::to_le_bytes).collect();
        let (len, entries) = (bytes.len() as u64, bytes.len() as u64 / 8);
        let mem = Ends { bytes, reads: Cell::new(0) };
        let mut window = Window::new(&mem, Addr(0), len);
        for i in 0..entries {
            assert_eq!(window.at(i * 8, 8), Some(&i.to_le_bytes()[..]), "{i}");
        }
        assert_eq!(window.at(len, 8), None);
        assert!(mem.reads.get() < 20, "{}", mem.reads.get());
        // One of which the end is not there.
        let mut window = Window::new(&mem, Addr(0), len + 4096);
        assert!((0..entries).all(|i| window.at(i * 8, 8).is_some()));
    }
}
