//! Words and bytes at places within a copy; nothing is there behind its end.

/// Little-endian word at a place in bytes; 0 behind their end.
pub(crate) fn word(bytes: &[u8], at: u64) -> u64 {
    let from = usize::try_from(at).ok().and_then(|at| bytes.get(at..at.checked_add(8)?));
    from.and_then(|b| b.try_into().ok()).map_or(0, u64::from_le_bytes)
}

/// The byte at a place in bytes; 0 behind their end.
pub(crate) fn byte(bytes: &[u8], at: u64) -> u8 {
    usize::try_from(at).ok().and_then(|at| bytes.get(at)).copied().unwrap_or(0)
}
