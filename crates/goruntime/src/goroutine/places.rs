//! Where the `g` of goroutines stand.

use lastgasp_inferior::{Addr, Memory};

use super::g::{RawG, pointers};
use crate::runtime::Runtime;

/// Calls `visit` with the number of every live goroutine, and where its `g` stands.
pub fn each_goroutine(rt: &Runtime, mem: &dyn Memory, mut visit: impl FnMut(u64, Addr)) {
    // Whatever is wrong with them is said by whoever decodes them.
    for at in pointers(rt, mem, &mut Vec::new()).1 {
        let read = mem.bytes(at, rt.layout.g.sizeof as usize, 1 << 12).ok();
        if let Some(raw) = read.and_then(|b| RawG::parse(rt, &b)).filter(|raw| raw.status().is_some()) {
            visit(raw.goid, at);
        }
    }
}
