//! Many structures of one size, read in few kernel calls: a process stands still meanwhile.

use lastgasp_inferior::{Addr, Memory, Part};

/// Bytes that are read at once.
const AT_ONCE: usize = 4 << 20;
/// Structures that are read at once.
const MOST: usize = 4096;

/// Calls `visit` with the index and the bytes of each that could be read, in order.
pub(super) fn each(mem: &dyn Memory, places: &[Addr], size: usize, mut visit: impl FnMut(usize, &[u8])) {
    if size == 0 {
        return;
    }
    let count = (AT_ONCE / size).clamp(1, MOST);
    let mut bytes = vec![0; count.min(places.len()) * size];
    for (chunk, some) in places.chunks(count).enumerate() {
        let pieces = some.iter().zip(bytes.chunks_exact_mut(size));
        let mut parts: Vec<Part<'_>> = pieces.map(|(at, buf)| Part { addr: *at, buf, ok: false }).collect();
        mem.read_parts(&mut parts);
        for (i, part) in parts.iter().enumerate().filter(|(_, p)| p.ok) {
            visit(chunk * count + i, part.buf);
        }
    }
}

/// The word of a structure at an offset; 0 behind its end.
pub(super) fn word(bytes: &[u8], offset: u64) -> u64 {
    let at = offset as usize;
    at.checked_add(8).and_then(|end| bytes.get(at..end)).and_then(|w| w.try_into().ok()).map_or(0, u64::from_le_bytes)
}

/// The four bytes of a structure at an offset; 0 behind its end.
pub(super) fn half(bytes: &[u8], offset: u64) -> u32 {
    let at = offset as usize;
    at.checked_add(4).and_then(|end| bytes.get(at..end)).and_then(|w| w.try_into().ok()).map_or(0, u32::from_le_bytes)
}
