//! A type by its name. The linker sorts descriptors for those that reflection may look up and, from Go 1.27
//! on, lists none; so the section is searched: for the name, then for a descriptor that refers to it.

use lastgasp_inferior::{Addr, AddrRange};

use super::reader::TypeReader;

/// Largest section of types that is searched, in bytes.
const MAX_SECTION: usize = 256 << 20;
/// Names that are looked for; each is a walk through the section.
const MAX_NAMES: usize = 64;
/// `abi.Type.Str`.
const STR: usize = 40;

impl TypeReader<'_> {
    /// Where the descriptor of a type of the program's own module stands, by its name as `%T` spells it. For
    /// a few types that the runtime itself makes; each name costs a walk through all types.
    pub fn named(&mut self, name: &str) -> Option<Addr> {
        if let Some(known) = self.by_name.get(name) {
            return *known;
        }
        if self.by_name.len() >= MAX_NAMES {
            return None;
        }
        let section = self.modules().types().first().copied();
        let found = section.and_then(|section| self.search(section, name));
        self.by_name.insert(name.to_owned(), found);
        found
    }

    fn search(&mut self, section: AddrRange, name: &str) -> Option<Addr> {
        let len = usize::try_from(section.len()).ok()?.min(MAX_SECTION);
        let bytes = self.memory().bytes(section.start, len, MAX_SECTION).ok()?;
        let mut offsets = Vec::new();
        for hit in memchr::memmem::find_iter(&bytes, name.as_bytes()) {
            // The name of a pointer to it serves it too: it is stored once, with a star in front.
            let starred = hit.checked_sub(1).filter(|at| bytes.get(*at) == Some(&b'*'));
            for (start, len) in [(Some(hit), name.len()), (starred, name.len() + 1)] {
                let Some(start) = start else { continue };
                // Flags, and the length as a varint.
                let length = if len < 0x80 { 1 } else { 2 };
                let Some(at) = start.checked_sub(1 + length) else { continue };
                let mut stated = 0;
                for (i, byte) in bytes.get(at + 1..start).unwrap_or_default().iter().enumerate() {
                    stated |= usize::from(byte & 0x7f) << (7 * i);
                }
                if stated == len
                    && let Ok(offset) = u32::try_from(at)
                {
                    offsets.push(offset);
                }
            }
        }
        for (i, descriptor) in bytes.windows(STR + 4).step_by(8).enumerate() {
            let said = descriptor.get(STR..).and_then(|b| b.try_into().ok()).map_or(0, u32::from_le_bytes);
            if offsets.contains(&said) {
                let at = section.start.plus(i as u64 * 8);
                if self.get(at).is_some_and(|t| &*t.name == name) {
                    return Some(at);
                }
            }
        }
        None
    }
}
