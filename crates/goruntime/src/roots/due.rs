//! Finalizers and cleanups whose objects are gone and that wait for a goroutine to run them. Source:
//! `runtime/mfinal.go` (`allfin`, `finblock`), `runtime/mcleanup.go` (`gcCleanups.all`, `cleanupBlock`).
//!
//! Where the lists begin is told by the code that marks them (`markroot`), held against other code that names
//! the same: so it is found in stripped binaries too. The seventh and eighth operand of it are the lists in
//! every release from Go 1.19 (1.25) on; where the others do not agree, nothing is read.

use lastgasp_inferior::{Addr, Memory};

use super::specials::{NotedRoot, RootNote};
use crate::binary::pclntab::Symbolizer;
use crate::named_in_code::Operand::Nth;
use crate::named_in_code::agreed;
use crate::runtime::Runtime;

/// Most blocks of 4 KiB (512 bytes of cleanups).
const MAX_BLOCKS: usize = 1 << 20;
/// Most entries of a block: those of 4 KiB have a hundred.
const MAX_ENTRIES: u32 = 512;

/// Calls `visit` for every pointer that finalizers and cleanups hold which wait to be run, nil left out.
///
/// # Errors
/// Why not all of them could be found or read.
pub fn due_roots(
    rt: &Runtime,
    mem: &dyn Memory,
    symbols: &Symbolizer<'_>,
    mut visit: impl FnMut(NotedRoot),
) -> Result<(), String> {
    let l = &rt.layout.finalizers;
    let found = agreed(rt, symbols, ("runtime.markroot", Nth(7), 0), ("runtime.queuefinalizer", Nth(7), 0));
    let walked = found.and_then(|head| {
        let fields = [l.func, l.arg, l.fint, l.ot];
        let list = List { link: l.alllink, count: l.cnt, first: l.fin, size: l.sizeof, func: l.func, fields: &fields };
        list.walk(mem, head, RootNote::DueFinalizer, &mut visit)
    });
    let c = &rt.layout.cleanups;
    let (Some(all), Some(link), Some(count), Some(first)) = (c.all, c.alllink, c.n, c.cleanups) else {
        return walked;
    };
    let found = agreed(rt, symbols, ("runtime.markroot", Nth(8), 0), ("runtime.(*activeSweep).end", Nth(12), all));
    let cleaned = found.and_then(|head| {
        let (size, fields): (u64, &[u64]) = match c.sizeof {
            // An adapter, the function, its argument.
            Some(size) => (size, &[0, 8, 16]),
            None => (8, &[0]),
        };
        let func = if c.sizeof.is_some() { 8 } else { 0 };
        List { link, count, first, size, func, fields }.walk(mem, head, RootNote::DueCleanup, &mut visit)
    });
    walked.and(cleaned)
}

/// Blocks of entries, linked.
struct List<'a> {
    link: u64,
    count: u64,
    first: u64,
    size: u64,
    func: u64,
    fields: &'a [u64],
}

impl List<'_> {
    fn walk(
        &self,
        mem: &dyn Memory,
        head: Addr,
        note: RootNote,
        visit: &mut impl FnMut(NotedRoot),
    ) -> Result<(), String> {
        let ptr = |at: Addr| mem.ptr(at).map_err(|e| e.to_string());
        let mut at = ptr(head)?;
        for _ in 0..MAX_BLOCKS {
            if at.is_null() {
                return Ok(());
            }
            let n = mem.u32(at.plus(self.count)).map_err(|e| e.to_string())?;
            if n > MAX_ENTRIES {
                return Err(format!("a block of {n}"));
            }
            for i in 0..u64::from(n) {
                let entry = at.plus(self.first + i * self.size);
                let func = ptr(entry.plus(self.func))?;
                for field in self.fields {
                    let to = ptr(entry.plus(*field))?;
                    if !to.is_null() {
                        visit(NotedRoot { note, of: Addr::default(), func, to });
                    }
                }
            }
            at = ptr(at.plus(self.link))?;
        }
        Err(format!("more than {MAX_BLOCKS} blocks"))
    }
}
