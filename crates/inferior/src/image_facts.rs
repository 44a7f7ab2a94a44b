//! What the headers of an ELF file say, as plain facts: a process that can be lost reads them, and whoever
//! started it takes them from its word without reading a byte of the file. They are checked as foreign
//! numbers are.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;

use serde::{Deserialize, Serialize};

use crate::addr::{Addr, AddrRange};
use crate::arch::Arch;

/// Most loadable segments, and most notes, that are believed in: the kernel's own loader takes 64 KiB of
/// program headers, and linkers write a dozen.
pub(crate) const MAX_SEGMENTS: usize = 128;
/// Most sections that are kept of a file for as long as its processes are watched: linkers write some forty.
const MAX_SECTIONS: usize = 512;
/// Bytes of a section's name, and hexadecimal digits of a build id, that are kept.
const MAX_NAME: usize = 128;

/// A section of an ELF file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Section {
    /// Name with its dot.
    pub name: String,
    /// Addresses as the file states them.
    pub range: AddrRange,
    /// Where its bytes stand in the file; `None` for `.bss` and its like.
    pub file_offset: Option<u64>,
}

/// A loadable segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Segment {
    pub(crate) vaddr: u64,
    pub(crate) file_offset: u64,
    pub(crate) file_size: u64,
    pub(crate) writable: bool,
    pub(crate) executable: bool,
}

impl Segment {
    /// The part of it that lies in `len` bytes from `vaddr`.
    pub(crate) fn part(&self, vaddr: u64, len: u64) -> Option<Self> {
        let start = vaddr.max(self.vaddr);
        let end = vaddr.checked_add(len)?.min(self.vaddr.checked_add(self.file_size)?);
        let skip = start - self.vaddr;
        (start < end).then(|| Self {
            vaddr: start,
            file_offset: self.file_offset.saturating_add(skip),
            file_size: end - start,
            ..*self
        })
    }
}

/// Whose a file is, and which: as it was when it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileState {
    /// Its number in its file system.
    pub inode: u64,
    /// Its length in bytes.
    pub len: u64,
    /// Its owner.
    pub uid: u32,
    /// Its kind, and who may what with it.
    pub mode: u32,
}

impl FileState {
    pub(crate) fn of(meta: &Metadata) -> Self {
        Self { inode: meta.ino(), len: meta.len(), uid: meta.uid(), mode: meta.mode() }
    }
}

/// What is known of an ELF file without its bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageFacts {
    pub(crate) arch: Arch,
    pub(crate) sections: Vec<Section>,
    pub(crate) segments: Vec<Segment>,
    pub(crate) notes: Vec<AddrRange>,
    pub(crate) entry: Addr,
    pub(crate) build_id: Option<String>,
    pub(crate) has_symbols: bool,
    pub(crate) state: FileState,
}

impl ImageFacts {
    /// The same, as far as it is told to whoever started us: sections that nobody asks for by name are left
    /// out where there are more than any linker writes.
    #[must_use]
    pub fn to_be_told(&self) -> Self {
        let mut told = self.clone();
        if told.sections.len() > MAX_SECTIONS {
            told.sections.retain(|s| s.name.starts_with(".go") || OF_ELF.contains(&s.name.as_str()));
            told.sections.truncate(MAX_SECTIONS);
        }
        for section in &mut told.sections {
            section.name = section.name.chars().take(MAX_NAME / 4).collect();
        }
        told.sections.sort_by(|a, b| (a.range, &a.name).cmp(&(b.range, &b.name)));
        told
    }

    /// Whether it has no symbol table.
    #[must_use]
    pub fn is_stripped(&self) -> bool {
        !self.has_symbols
    }

    /// Whether that can be: whoever said it may have been led astray by the file.
    #[must_use]
    pub fn can_be(&self) -> bool {
        self.sections.len() <= MAX_SECTIONS
            && self.segments.len() <= MAX_SEGMENTS
            && self.notes.len() <= MAX_SEGMENTS
            && self.sections.iter().all(|s| s.name.len() <= MAX_NAME)
            && self.sections.is_sorted_by(|a, b| (a.range, &a.name) <= (b.range, &b.name))
            && self.build_id.as_ref().is_none_or(|id| id.len() <= MAX_NAME && id.bytes().all(|b| b.is_ascii_hexdigit()))
    }
}

/// Sections that are asked for by name, beside those of Go.
const OF_ELF: [&str; 8] =
    [".symtab", ".strtab", ".noptrdata", ".data", ".text", ".typelink", ".rodata", ".data.rel.ro.gopclntab"];
