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
    let (mut table, mut metas) = (Window::new(mem, md.ftab), Window::new(mem, md.pclntable));
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
    let (mut table, mut metas) = (Window::new(mem, md.ftab), Window::new(mem, md.pclntable));
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
    table: (Addr, u64),
    start: u64,
    block: Vec<u8>,
    /// Bytes that may still be read: a hostile table that sends us back and forth ends.
    budget: u64,
}

impl<'a> Window<'a> {
    /// `table`: address, and its length in whatever unit.
    fn new(mem: &'a dyn Memory, table: (Addr, u64)) -> Self {
        /// Entries of `ftab` have eight bytes.
        const LARGEST_UNIT: u64 = 8;
        let budget = table.1.saturating_mul(LARGEST_UNIT).saturating_add(64 * BLOCK);
        Self { mem, table, start: 0, block: Vec::new(), budget }
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
        let from = self.table.0.plus(offset);
        // Less where the table's end is the end of what is mapped.
        for n in [BLOCK as usize, 4096, len] {
            self.budget = self.budget.checked_sub(n as u64)?;
            if let Ok(block) = self.mem.bytes(from, n, n) {
                (self.start, self.block) = (offset, block);
                return Some(());
            }
        }
        None
    }
}
