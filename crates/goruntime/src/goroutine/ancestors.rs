//! The goroutines that led to one: `GODEBUG=tracebackancestors=N`. Source: `runtime/runtime2.go`
//! (`ancestorInfo`), `runtime/proc.go` (`saveAncestors`).

use lastgasp_inferior::{Addr, Memory};

use super::calls::{CallSite, call_at, created_by};
use crate::binary::pclntab::Symbolizer;
use crate::runtime::Runtime;

/// Most ancestors of one goroutine, and most frames of one of them (`tracebackInnerFrames`, 100 before Go
/// 1.21).
const MAX_ANCESTORS: u64 = 64;
const MAX_PCS: u64 = 100;

/// A goroutine that led to another (`GODEBUG=tracebackancestors=N`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ancestor {
    /// Its number; it may be gone.
    pub goid: u64,
    /// Its stack at the `go` statement, innermost first, as precisely as the program kept it.
    pub stack: Vec<CallSite>,
    /// Who started it.
    pub created_by: Option<CallSite>,
}

/// (program counters and how many, goid, gopc) of each.
fn records(
    rt: &Runtime,
    mem: &dyn Memory,
    at: Addr,
    visit: &mut dyn FnMut(Addr, u64),
) -> Result<Vec<(Addr, u64, u64, Addr)>, String> {
    let word = |a: Addr| mem.u64(a).map_err(|e| e.to_string());
    let l = &rt.layout.ancestor;
    let (list, len) = (Addr(word(at)?), word(at.plus(8))?);
    visit(at, 24);
    if len > MAX_ANCESTORS {
        return Err(format!("{len} ancestors"));
    }
    visit(list, len * l.sizeof);
    let mut out = Vec::new();
    for i in 0..len {
        let one = list.plus(i * l.sizeof);
        let (pcs, n) = (Addr(word(one.plus(l.pcs))?), word(one.plus(l.pcs + 8))?);
        if n > MAX_PCS {
            return Err(format!("an ancestor with {n} frames"));
        }
        visit(pcs, n * 8);
        out.push((pcs, n, word(one.plus(l.goid))?, Addr(word(one.plus(l.gopc))?)));
    }
    Ok(out)
}

/// Tells `visit` of all that must be copied to decode the ancestors at `at`.
pub(crate) fn extents(rt: &Runtime, mem: &dyn Memory, at: Addr, visit: &mut dyn FnMut(Addr, u64)) {
    let _ = records(rt, mem, at, visit);
}

/// The ancestors at `at`, the nearest first.
pub(crate) fn decode(
    rt: &Runtime,
    mem: &dyn Memory,
    symbols: &Symbolizer<'_>,
    at: Addr,
) -> Result<Vec<Ancestor>, String> {
    let mut out = Vec::new();
    for (pcs, n, goid, gopc) in records(rt, mem, at, &mut |_, _| {})? {
        let words = mem.bytes(pcs, n as usize * 8, MAX_PCS as usize * 8).map_err(|e| e.to_string())?;
        let pcs = words.chunks_exact(8).map(|w| Addr(w.try_into().map_or(0, u64::from_le_bytes)));
        let stack = pcs.filter_map(|pc| call_at(symbols, pc)).collect();
        out.push(Ancestor { goid, stack, created_by: created_by(symbols, gopc) });
    }
    Ok(out)
}
