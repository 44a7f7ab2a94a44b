//! Texts of `/proc/PID`, as far as their length is believed.

use std::fs::File;
use std::io::Read as _;

/// Bytes of a text of the kernel's that are read: 65,530 mappings (`vm.max_map_count`) make 6 MB of `maps`
/// and 46 of `smaps`; with paths of 4 kB each, which anybody can have, they would make 300.
const MAX_TEXT: u64 = 48 << 20;

/// All of a file of `/proc/PID`; a longer one than is believed in is an error.
pub(crate) fn bounded_text(file: File) -> std::io::Result<String> {
    // With room for most of them: without it the library asks for 32 bytes, 64, 128 ...
    let mut bytes = Vec::with_capacity(4096);
    file.take(MAX_TEXT).read_to_end(&mut bytes)?;
    if bytes.len() as u64 == MAX_TEXT {
        return Err(std::io::Error::other(format!("more than {} MiB of text", MAX_TEXT >> 20)));
    }
    Ok(match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(e) => String::from_utf8_lossy(e.as_bytes()).into_owned(),
    })
}
