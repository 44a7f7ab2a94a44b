//! How long a bucket of the memory profile is: a header, the stack of an allocation, its counts. Source:
//! `runtime/mprof.go`.

use lastgasp_inferior::{Addr, Memory};

use crate::runtime::Runtime;

/// `profstackdepth` at its most (runtime1.go).
const MAX_STACK: u64 = 1024;

/// Header fields of a bucket: next in the list, and its whole length in bytes.
pub(crate) fn bucket_extent(rt: &Runtime, mem: &dyn Memory, at: Addr) -> Result<(Addr, usize), String> {
    let l = &rt.layout.bucket;
    let header = mem.bytes(at, l.sizeof as usize, 256).map_err(|e| e.to_string())?;
    let word = |offset: u64| -> u64 { word_at(&header, offset as usize) };
    if word(l.typ) != 1 {
        return Err(format!("no bucket of the memory profile at {at}"));
    }
    let nstk = word(l.nstk);
    if nstk > MAX_STACK {
        return Err(format!("a bucket at {at} with a stack of {nstk} frames"));
    }
    Ok((Addr(word(l.allnext)), (l.sizeof + nstk * 8 + rt.layout.mem_record.sizeof) as usize))
}

/// A word of its bytes; 0 behind their end.
pub(crate) fn word_at(b: &[u8], offset: usize) -> u64 {
    b.get(offset..offset + 8).and_then(|w| w.try_into().ok()).map_or(0, u64::from_le_bytes)
}
