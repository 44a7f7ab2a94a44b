//! The section of types as bytes, looked through from end to end: from Go 1.27 on the linker lists no types,
//! and before only those that reflection may look up.

use lastgasp_inferior::{Addr, Memory};

use super::super::kind::Kind;
use crate::runtime::Runtime;

/// Largest section that is looked through, in bytes.
const MAX_SECTION: usize = 256 << 20;
/// Largest size of a type that is believed, in bytes.
const MAX_SIZE: u64 = 1 << 40;
/// Longest name that is compared, in bytes.
const MAX_NAME: usize = 512;
/// Fields at a struct's start, all but the last without a size.
const MAX_FIRST: u64 = 8;

/// The section of types.
pub(super) struct Section<'a> {
    bytes: &'a [u8],
    start: Addr,
    text: Addr,
}

/// What looks like the descriptor of a type with methods, or a name.
pub(super) struct Descriptor<'a> {
    pub(super) kind: Kind,
    /// The type; of a pointer the one that it points to.
    pub(super) of: Addr,
    /// Its name.
    pub(super) name: &'a str,
    /// Where its `abi.UncommonType` stands.
    uncommon: usize,
}

/// `abi.Method`.
pub(super) struct Listed {
    pub(super) name: i32,
    pub(super) of: Option<Addr>,
    pub(super) by_interface: Option<Addr>,
    pub(super) code: Option<Addr>,
}

const TFLAG_UNCOMMON: u8 = 1;
const TFLAG_EXTRA_STAR: u8 = 2;
/// Bytes of `abi.Method`.
const METHOD: usize = 16;

/// A type that begins with another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Outer {
    pub(super) at: Addr,
    pub(super) bytes: u64,
    pub(super) noscan: bool,
    /// It is an array of the other.
    pub(super) is_array: bool,
}

impl<'a> Section<'a> {
    /// The bytes of the section of a program's own types.
    pub(super) fn bytes(rt: &Runtime, mem: &dyn Memory) -> Vec<u8> {
        let len = usize::try_from(rt.module.types.len()).unwrap_or(usize::MAX).min(MAX_SECTION);
        mem.bytes(rt.module.types.start, len, MAX_SECTION).unwrap_or_default()
    }

    pub(super) fn new(rt: &Runtime, bytes: &'a [u8]) -> Self {
        Self { bytes, start: rt.module.types.start, text: rt.module.text }
    }

    fn array<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        self.bytes.get(at..at.checked_add(N)?)?.try_into().ok()
    }

    fn u32(&self, at: usize) -> Option<u32> {
        self.array(at).map(u32::from_le_bytes)
    }

    fn u64(&self, at: usize) -> Option<u64> {
        self.array(at).map(u64::from_le_bytes)
    }

    /// The name at an offset: flags, the length as a varint, bytes.
    pub(super) fn name(&self, offset: i32) -> Option<&'a str> {
        let at = usize::try_from(offset).ok().filter(|at| *at > 0)?;
        let [flags, first, second] = self.array(at)?;
        let (len, from) = match first {
            0..0x80 => (usize::from(first), at + 2),
            _ => (usize::from(first & 0x7f) | usize::from(second) << 7, at + 3),
        };
        if flags > 0b1111 || len == 0 || len > MAX_NAME || (first >= 0x80 && second >= 0x80) {
            return None;
        }
        std::str::from_utf8(self.bytes.get(from..from + len)?).ok()
    }

    /// What can be a descriptor, each with its kind.
    fn candidates(&self) -> impl Iterator<Item = (usize, u8, Kind)> + '_ {
        (0..self.bytes.len()).step_by(8).filter_map(|at| {
            let [flags, align, field_align, kind] = self.array(at.checked_add(20)?)?;
            // Bits that no release gives.
            if flags & 0xc0 != 0 || align != field_align || !matches!(align, 1 | 2 | 4 | 8) {
                return None;
            }
            let kind = Kind::of(kind & 0x1f)?;
            let (size, pointers) = (self.u64(at)?, self.u64(at + 8)?);
            (size <= MAX_SIZE && pointers <= size).then_some((at, flags, kind))
        })
    }

    /// Descriptors of types that have methods or a name.
    pub(super) fn with_methods(&self) -> impl Iterator<Item = Descriptor<'a>> + '_ {
        let all = self.candidates().filter(|(_, flags, _)| flags & TFLAG_UNCOMMON != 0);
        all.filter_map(|(at, _, kind)| self.descriptor(at, kind))
    }

    /// Structs and arrays that begin with another type, and that one: what is none may be among them.
    pub(super) fn beginnings(&self) -> impl Iterator<Item = (Addr, Outer)> + '_ {
        const FIELD: usize = 24;
        let offset = |at: Addr| usize::try_from(at.0.checked_sub(self.start.0)?).ok();
        self.candidates().flat_map(move |(at, _, kind)| {
            let outer = move || {
                Some(Outer {
                    at: self.start.plus(at as u64),
                    bytes: self.u64(at)?,
                    noscan: self.u64(at + 8)? == 0,
                    is_array: kind == Kind::Array,
                })
            };
            let mut found = Vec::new();
            match kind {
                Kind::Array => found.extend(self.u64(at + 48).filter(|_| self.u64(at + 64) != Some(0)).map(Addr)),
                Kind::Struct => {
                    let (list, n) = (self.u64(at + 56).map(Addr).and_then(offset), self.u64(at + 64).unwrap_or(0));
                    for i in 0..n.min(MAX_FIRST) as usize {
                        let Some(field) = list.and_then(|list| list.checked_add(i * FIELD)) else { break };
                        if self.u64(field.saturating_add(16)) != Some(0) {
                            break;
                        }
                        // Behind fields without a size stands another at the same place.
                        found.extend(self.u64(field.saturating_add(8)).map(Addr));
                    }
                }
                _ => {}
            }
            found.into_iter().filter_map(move |inner| Some((inner, outer()?)))
        })
    }

    fn descriptor(&self, at: usize, kind: Kind) -> Option<Descriptor<'a>> {
        let uncommon = match kind {
            Kind::Pointer | Kind::Func | Kind::Slice => 56,
            Kind::Chan => 64,
            Kind::Array => 72,
            Kind::Struct | Kind::Interface => 80,
            // Descriptors of maps differ from release to release.
            Kind::Map => return None,
            _ => 48,
        };
        let mut of = self.start.plus(at as u64);
        let mut own = at;
        if kind == Kind::Pointer {
            of = Addr(self.u64(at + 48)?);
            own = usize::try_from(of.0.checked_sub(self.start.0)?).ok().filter(|own| own.is_multiple_of(8))?;
            Kind::of(self.array::<1>(own.checked_add(23)?)?[0] & 0x1f)?;
        }
        let name = self.name(self.u32(own.checked_add(40)?)?.cast_signed())?;
        let star = self.array::<1>(own + 20)?[0] & TFLAG_EXTRA_STAR != 0;
        let name = if star { name.strip_prefix('*')? } else { name };
        Some(Descriptor { kind, of, name, uncommon: at + uncommon })
    }

    /// The package of a type.
    pub(super) fn package(&self, of: &Descriptor<'a>) -> Option<&'a str> {
        self.name(self.u32(of.uncommon)?.cast_signed())
    }

    pub(super) fn methods(&self, of: &Descriptor<'a>) -> impl Iterator<Item = Listed> + '_ {
        // `{pkgpath nameOff, mcount, xcount uint16, moff uint32}`.
        let count = self.array(of.uncommon + 4).map_or(0, u16::from_le_bytes);
        let from = self.u32(of.uncommon + 8).map_or(usize::MAX, |moff| of.uncommon.saturating_add(moff as usize));
        let word = |at: usize| self.u32(at).map(u32::cast_signed);
        // What is not in the binary has a negative offset, or none.
        let there = |offset: i32| u64::try_from(offset).ok().filter(|o| *o > 0);
        let code = move |at: usize| there(word(at)?).map(|o| self.text.plus(o));
        (0..usize::from(count)).map_while(move |i| {
            let at = from.checked_add(i * METHOD).filter(|at| at.checked_add(METHOD).is_some())?;
            Some(Listed {
                name: word(at)?,
                of: there(word(at + 4)?).map(|o| self.start.plus(o)),
                by_interface: code(at + 8),
                code: code(at + 12),
            })
        })
    }
}
