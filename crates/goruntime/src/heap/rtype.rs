//! Type descriptors, as far as their names go. Source: `internal/abi/type.go` (`Type`, `Name`), the same in
//! Go 1.19 to 1.27.

use lastgasp_inferior::{Addr, Memory};

use crate::runtime::Runtime;

/// Offsets in `abi.Type`.
const SIZE: u64 = 0;
const TFLAG: u64 = 20;
const KIND: u64 = 23;
const STR: u64 = 40;
/// `TFlagExtraStar`: the name is stored with a `*` in front that is not part of it.
const EXTRA_STAR: u8 = 2;
/// Kinds are 1 (bool) to 26 (unsafe.Pointer); older releases keep flags in the upper bits.
const KIND_MASK: u8 = 0x1f;
const LAST_KIND: u8 = 26;
/// Longest name we believe: names of instantiated generic types run long.
const MAX_NAME: usize = 4096;
/// Largest size of a type that is believed, in bytes.
const MAX_SIZE: u64 = 1 << 40;

/// Name and size in bytes of the type that is described at `at`; `None` for what is no type of the module
/// (types made by reflection at run time have names elsewhere).
#[must_use]
pub fn type_name(rt: &Runtime, mem: &dyn Memory, at: Addr) -> Option<(String, u64)> {
    let size = mem.u64(at.plus(SIZE)).ok().filter(|s| *s <= MAX_SIZE)?;
    let kind = mem.u8(at.plus(KIND)).ok()? & KIND_MASK;
    if kind == 0 || kind > LAST_KIND {
        return None;
    }
    let offset = mem.u32(at.plus(STR)).ok()?.cast_signed();
    let types = rt.module.types;
    let name = types.start.plus(u64::try_from(offset).ok()?);
    if !types.contains(name) {
        return None;
    }
    let text = read_name(mem, name)?;
    let star = mem.u8(at.plus(TFLAG)).ok()? & EXTRA_STAR != 0;
    Some((if star { text.strip_prefix('*').unwrap_or(&text).to_owned() } else { text }, size))
}

/// `abi.Name`: a byte of flags, the length as a varint, the bytes.
fn read_name(mem: &dyn Memory, at: Addr) -> Option<String> {
    let (mut len, mut used) = (0usize, 0u64);
    loop {
        let b = mem.u8(at.plus(1 + used)).ok()?;
        len |= usize::from(b & 0x7f) << (7 * used);
        used += 1;
        if b & 0x80 == 0 {
            break;
        }
        if used == 3 {
            return None;
        }
    }
    let bytes = mem.bytes(at.plus(1 + used), len, MAX_NAME).ok()?;
    String::from_utf8(bytes).ok().filter(|s| !s.is_empty() && !s.chars().any(char::is_control))
}
