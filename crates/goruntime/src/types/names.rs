//! Names as descriptors point to them (`abi.Name`): a byte of flags, the length as a varint, the bytes.

use lastgasp_inferior::{Addr, AddrRange, Memory};

use super::descriptor::Raw;
use crate::runtime::Runtime;

/// Longest name we believe: names of instantiated generic types run long.
const MAX_NAME: usize = 4096;
/// Bytes of the first read: most names are shorter.
const FIRST: usize = 64;
/// Flags of a name: exported, has a tag, has a package's path, embedded.
const FLAGS: u8 = 0b1111;

/// The name at an address.
pub(super) fn read_name(mem: &dyn Memory, at: Addr) -> Option<String> {
    let mut head = [0; FIRST];
    let mut have = FIRST;
    if mem.read(at, &mut head).is_err() {
        // Near the end of what can be read.
        have = 4;
        mem.read(at, head.get_mut(..have)?).ok()?;
    }
    if *head.first()? & !FLAGS != 0 {
        return None;
    }
    let (mut len, mut used) = (0usize, 0usize);
    loop {
        let b = *head.get(1 + used)?;
        len |= usize::from(b & 0x7f) << (7 * used);
        used += 1;
        if b & 0x80 == 0 {
            break;
        }
        if used == 2 {
            return None;
        }
    }
    let from = 1 + used;
    let bytes = match head.get(from..from + len).filter(|_| from + len <= have) {
        Some(bytes) => bytes.to_vec(),
        None => mem.bytes(at.plus(from as u64), len, MAX_NAME).ok()?,
    };
    String::from_utf8(bytes).ok().filter(|s| !s.is_empty() && !s.chars().any(char::is_control))
}

/// The name that a descriptor in a module's section of types has, from its offset there.
pub(super) fn stored_name(mem: &dyn Memory, types: AddrRange, offset: i32, extra_star: bool) -> Option<String> {
    let at = types.start.plus(u64::try_from(offset).ok()?);
    let text = read_name(mem, at).filter(|_| types.contains(at))?;
    Some(if extra_star { text.strip_prefix('*').unwrap_or(&text).to_owned() } else { text })
}

/// Name and size in bytes of the type that is described at `at`, and nothing else of it: of a copy of little
/// memory that is all there is. `None` for what is no type of the program's own module.
#[must_use]
pub fn type_name(rt: &Runtime, mem: &dyn Memory, at: Addr) -> Option<(String, u64)> {
    let raw = Raw::read_common(mem, at)?;
    let name = stored_name(mem, rt.module.types, raw.name_offset(), raw.extra_star())?;
    Some((name, raw.size()))
}
