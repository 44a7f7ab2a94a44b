//! An executable's ELF file: sections, segments, symbols. Read piece by piece with `pread`; never mapped, so
//! that a file that is cut short under our hands is an error and not a SIGBUS.

use std::collections::BTreeMap;
use std::fs::{File, Metadata};
use std::os::unix::fs::FileExt as _;

use object::read::elf::{ElfFile32, ElfFile64, FileHeader as _, ProgramHeader as _};
use object::{Endianness, Object as _, ObjectSection as _, ReadCache};
use thiserror::Error;

use crate::addr::{Addr, AddrRange};
use crate::arch::Arch;
use crate::memory::{Memory, ReadCause, ReadError};
use crate::ranges::Ranges;

/// Why an executable is not for us.
#[derive(Debug, Error)]
pub enum ImageError {
    /// Could not be opened or read.
    #[error("{file}: {error}")]
    Io {
        /// Name of the file, as it was given at opening.
        file: String,
        /// The system's error.
        error: std::io::Error,
    },
    /// Not an ELF file of the kind we read.
    #[error("{file}: {why}")]
    Format {
        /// Name of the file, as it was given at opening.
        file: String,
        /// What is wrong with it.
        why: String,
    },
}

/// A section of an ELF file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// Name with its dot.
    pub name: String,
    /// Addresses as the file states them.
    pub range: AddrRange,
    /// Where its bytes stand in the file; `None` for `.bss` and its like.
    pub file_offset: Option<u64>,
}

/// A symbol of an ELF file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symbol {
    /// Address as the file states it.
    pub addr: Addr,
    /// Size in bytes, 0 if not stated.
    pub size: u64,
}

/// A loadable segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Segment {
    vaddr: u64,
    file_offset: u64,
    file_size: u64,
    writable: bool,
    executable: bool,
}

impl Segment {
    /// The part of it that lies in `len` bytes from `vaddr`.
    fn part(&self, vaddr: u64, len: u64) -> Option<Self> {
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

/// An executable's file, opened.
#[derive(Debug)]
pub struct ElfImage {
    file: File,
    name: String,
    arch: Arch,
    sections: Vec<Section>,
    segments: Vec<Segment>,
    notes: Vec<AddrRange>,
    entry: Addr,
    build_id: Option<String>,
    has_symbols: bool,
}

/// An image and where it was loaded.
#[derive(Debug)]
pub struct LoadedImage {
    /// The ELF file: an executable or a library.
    pub image: ElfImage,
    /// What is added to its addresses to get the process's.
    pub bias: u64,
}

/// Tables larger than this are not read (a symbol table of 256 MiB belongs to no program we know).
const MAX_TABLE: u64 = 256 << 20;

/// Most sections of a file that is not read otherwise.
const MAX_FOREIGN: usize = 1024;

/// Names of the sections of an ELF file of any class and processor: what it is, though it cannot be read, is
/// known by them. Empty of what is no ELF file.
#[must_use]
pub fn section_names(file: &File) -> Vec<String> {
    fn names<'a>(sections: impl Iterator<Item = impl object::ObjectSection<'a>>) -> Vec<String> {
        let name = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
        sections.take(MAX_FOREIGN).filter_map(|s| s.name_bytes().map(name).ok()).collect()
    }
    let Ok(cache) = file.try_clone().map(ReadCache::new) else { return Vec::new() };
    match object::FileKind::parse(&cache) {
        Ok(object::FileKind::Elf32) => {
            ElfFile32::<Endianness, _>::parse(&cache).map(|e| names(e.sections())).unwrap_or_default()
        }
        Ok(object::FileKind::Elf64) => {
            ElfFile64::<Endianness, _>::parse(&cache).map(|e| names(e.sections())).unwrap_or_default()
        }
        _ => Vec::new(),
    }
}

impl ElfImage {
    /// Reads the headers of `file`; `name` is for messages.
    ///
    /// # Errors
    /// [`ImageError`] for what is not a little-endian 64-bit ELF file of an [`Arch`].
    pub fn open(file: File, name: impl Into<String>) -> Result<Self, ImageError> {
        let name = name.into();
        let format = |why: String| ImageError::Format { file: name.clone(), why };
        let cache = ReadCache::new(file.try_clone().map_err(|error| ImageError::Io { file: name.clone(), error })?);
        let kind = object::FileKind::parse(&cache).map_err(|_| format("not an ELF file".into()))?;
        if kind != object::FileKind::Elf64 {
            let what = if kind == object::FileKind::Elf32 { "a 32-bit program".into() } else { format!("{kind:?}") };
            return Err(format(format!("{what}: only 64-bit ELF is read")));
        }
        let elf =
            ElfFile64::<Endianness, _>::parse(&cache).map_err(|e| format(format!("not a readable ELF file: {e}")))?;
        let Some(arch) = Arch::of(elf.architecture()) else {
            let (other, only) = (elf.architecture(), Arch::supported());
            return Err(format(format!("architecture {other:?} is not supported yet: only {only} is")));
        };
        let endian = elf.endian();
        let (mut segments, mut notes) = (Vec::new(), Vec::new());
        for p in elf.elf_program_headers() {
            if p.p_type(endian) == object::elf::PT_NOTE {
                notes.push(AddrRange::sized(Addr(p.p_vaddr(endian)), p.p_filesz(endian)));
            }
            if p.p_type(endian) == object::elf::PT_LOAD {
                segments.push(Segment {
                    vaddr: p.p_vaddr(endian),
                    file_offset: p.p_offset(endian),
                    file_size: p.p_filesz(endian),
                    writable: p.p_flags(endian).contains(object::elf::PF_W),
                    executable: p.p_flags(endian).contains(object::elf::PF_X),
                });
            }
        }
        let mut sections: Vec<Section> = elf
            .sections()
            .map(|s| Section {
                name: String::from_utf8_lossy(s.name_bytes().unwrap_or_default()).into_owned(),
                range: AddrRange::sized(Addr(s.address()), s.size()),
                file_offset: s.file_range().map(|r| r.0),
            })
            .collect();
        sections.sort_by(|a, b| (a.range, &a.name).cmp(&(b.range, &b.name)));
        let build_id = elf.build_id().ok().flatten().map(|b| b.iter().map(|x| format!("{x:02x}")).collect());
        let has_symbols = elf.elf_header().e_shnum(endian) > 0 && sections.iter().any(|s| s.name == ".symtab");
        let entry = Addr(elf.entry());
        Ok(Self { file, name, arch, sections, segments, notes, entry, build_id, has_symbols })
    }

    /// The processor that it is for.
    #[must_use]
    pub fn arch(&self) -> Arch {
        self.arch
    }

    /// The name given at opening.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The section `name`.
    #[must_use]
    pub fn section(&self, name: &str) -> Option<&Section> {
        self.sections.iter().find(|s| s.name == name)
    }

    /// All sections, by address.
    #[must_use]
    pub fn sections(&self) -> &[Section] {
        &self.sections
    }

    /// GNU build id in hex.
    #[must_use]
    pub fn build_id(&self) -> Option<&str> {
        self.build_id.as_deref()
    }

    /// Where its ELF notes stand, which hold its build ids.
    #[must_use]
    pub fn notes(&self) -> &[AddrRange] {
        &self.notes
    }

    /// Its entry point.
    #[must_use]
    pub fn entry(&self) -> Addr {
        self.entry
    }

    /// Whether there is no symbol table.
    #[must_use]
    pub fn is_stripped(&self) -> bool {
        !self.has_symbols
    }

    /// Addresses (as stated) of writable segments as far as the file holds them, and of read-only ones.
    #[must_use]
    pub fn load_ranges(&self, writable: bool) -> Vec<AddrRange> {
        self.segments
            .iter()
            .filter(|s| s.writable == writable)
            .map(|s| AddrRange::sized(Addr(s.vaddr), s.file_size))
            .collect()
    }

    /// Address and file offset of the first loadable segment.
    #[must_use]
    pub fn first_load(&self) -> Option<(u64, u64)> {
        self.segments.iter().min_by_key(|s| s.vaddr).map(|s| (s.vaddr, s.file_offset))
    }

    /// The file's metadata.
    ///
    /// # Errors
    /// The system's error.
    pub fn metadata(&self) -> std::io::Result<Metadata> {
        self.file.metadata()
    }

    /// The whole of a section's bytes.
    ///
    /// # Errors
    /// [`ImageError`] if it has none, is absurdly large or cannot be read.
    pub fn section_bytes(&self, section: &Section) -> Result<Vec<u8>, ImageError> {
        let format =
            |why: &str| ImageError::Format { file: self.name.clone(), why: format!("section {}: {why}", section.name) };
        let offset = section.file_offset.ok_or_else(|| format("holds no bytes"))?;
        if section.range.len() > MAX_TABLE {
            return Err(format("larger than 256 MiB"));
        }
        let io = |error| ImageError::Io { file: self.name.clone(), error };
        if offset.saturating_add(section.range.len()) > self.file.metadata().map_err(io)?.len() {
            return Err(format("goes on behind the end of the file"));
        }
        let mut buf = vec![0; section.range.len() as usize];
        self.file.read_exact_at(&mut buf, offset).map_err(io)?;
        Ok(buf)
    }

    /// Those of `wanted` that the symbol table has. The table is read, searched and forgotten; in whole
    /// pieces, since name by name it took 200 ms for the 190 MB of prometheus (`cargo xtask real`).
    ///
    /// # Errors
    /// [`ImageError`] if the file can no longer be read.
    pub fn symbols(&self, wanted: &[&str]) -> Result<BTreeMap<String, Symbol>, ImageError> {
        let mut found = BTreeMap::new();
        let (Some(table), Some(strings)) = (self.section(".symtab"), self.section(".strtab")) else {
            return Ok(found);
        };
        let (table, strings) = (self.section_bytes(table)?, self.section_bytes(strings)?);
        for entry in table.chunks_exact(SYMBOL) {
            let Some(s) = RawSymbol::parse(entry).filter(|s| s.defined) else { continue };
            let Some(name) = strings.get(s.name..) else { continue };
            // The end first: it is wrong for nearly all of them, and costs less than to compare names.
            let hit = wanted.iter().find(|w| name.get(w.len()) == Some(&0) && name.starts_with(w.as_bytes()));
            if let Some(name) = hit {
                found.insert((*name).to_owned(), Symbol { addr: Addr(s.value), size: s.size });
                if found.len() == wanted.len() {
                    break;
                }
            }
        }
        Ok(found)
    }

    /// The file's read-only segments at the addresses where a process has them, and those of its writable
    /// ones that `constant` names (in the process's addresses): in a position-independent executable the
    /// linker puts constant tables into a segment that is writable until it is relocated.
    ///
    /// # Errors
    /// The system's error (too many open files).
    pub fn memory(&self, bias: u64, constant: &[AddrRange]) -> std::io::Result<FileMemory> {
        let (writable, read_only): (Vec<Segment>, Vec<Segment>) = self.segments.iter().partition(|s| s.writable);
        let pieces =
            constant.iter().flat_map(|c| writable.iter().filter_map(|s| s.part(c.start.0.wrapping_sub(bias), c.len())));
        Ok(FileMemory { file: self.file.try_clone()?, segments: read_only.into_iter().chain(pieces).collect(), bias })
    }
}

/// Bytes of an `Elf64_Sym`.
const SYMBOL: usize = 24;

/// Fields of an `Elf64_Sym` (`elf.h`) that we use; `name` is an offset in the string table.
struct RawSymbol {
    name: usize,
    defined: bool,
    value: u64,
    size: u64,
}

impl RawSymbol {
    fn parse(b: &[u8]) -> Option<Self> {
        let word = |at: usize| b.get(at..at + 8)?.try_into().ok().map(u64::from_le_bytes);
        Some(Self {
            name: u32::from_le_bytes(b.get(..4)?.try_into().ok()?) as usize,
            defined: b.get(6..8)? != [0, 0],
            value: word(8)?,
            size: word(16)?,
        })
    }
}

/// An executable's file as memory: what no process can have changed (code, read-only data, constant tables).
#[derive(Debug)]
pub struct FileMemory {
    file: File,
    segments: Vec<Segment>,
    bias: u64,
}

impl FileMemory {
    /// The addresses that it holds, code left out but for what `wanted` names of it (external linkers put
    /// constants among code).
    #[must_use]
    pub fn ranges(&self, wanted: &[AddrRange]) -> Ranges {
        let place = |s: &Segment| AddrRange::sized(Addr(s.vaddr.wrapping_add(self.bias)), s.file_size);
        let (code, constants): (Vec<&Segment>, Vec<&Segment>) = self.segments.iter().partition(|s| s.executable);
        let wanted = Ranges::union(wanted.iter().copied());
        let of_code = Ranges::union(code.into_iter().map(place)).and(&wanted);
        Ranges::union(constants.into_iter().map(place).chain(of_code.as_slice().iter().copied()))
    }
}

impl Memory for FileMemory {
    fn read(&self, addr: Addr, buf: &mut [u8]) -> Result<(), ReadError> {
        let error = ReadError { addr, len: buf.len(), cause: ReadCause::Absent };
        let mut stated = addr.0.checked_sub(self.bias).ok_or(error)?;
        let mut rest = buf;
        // Segments may follow each other without a gap.
        while !rest.is_empty() {
            let segment =
                self.segments.iter().find(|s| stated >= s.vaddr && stated - s.vaddr < s.file_size).ok_or(error)?;
            let skip = stated - segment.vaddr;
            let n = (segment.file_size - skip).min(rest.len() as u64);
            let offset = segment.file_offset.checked_add(skip).ok_or(error)?;
            let (part, tail) = rest.split_at_mut(n as usize);
            self.file
                .read_exact_at(part, offset)
                .map_err(|e| ReadError { cause: e.raw_os_error().map_or(ReadCause::Absent, ReadCause::Os), ..error })?;
            stated = stated.checked_add(n).ok_or(error)?;
            rest = tail;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use proptest::prelude::*;

    use super::*;

    fn image_of(bytes: &[u8]) -> Result<ElfImage, ImageError> {
        let mut f = tempfile::tempfile().unwrap();
        f.write_all(bytes).unwrap();
        ElfImage::open(f, "test")
    }

    #[test]
    fn the_processor_is_what_the_file_says() {
        let mut bytes = std::fs::read("/proc/self/exe").unwrap();
        assert_eq!(image_of(&bytes).unwrap().arch(), Arch::Amd64);
        // `e_machine`: EM_AARCH64.
        bytes[18] = 183;
        let e = image_of(&bytes).unwrap_err().to_string();
        assert!(e.contains("Aarch64") && e.contains("only linux/amd64 is"), "{e}");
    }

    #[test]
    fn parses_this_test_binary() {
        let image = ElfImage::open(File::open("/proc/self/exe").unwrap(), "self").unwrap();
        let text = image.section(".text").unwrap().clone();
        assert!(!image.is_stripped());
        assert!(text.range.len() > 1000);
        assert_eq!(image.symbols(&["main"]).unwrap().len(), 1);
        let memory = image.memory(0x1000, &[]).unwrap();
        let mut code = [0; 16];
        memory.read(text.range.start.plus(0x1000), &mut code).unwrap();
        assert_eq!(code, image.section_bytes(&text).unwrap()[..16]);
        let at = text.range.start.plus(0x1000);
        let has = |ranges: &Ranges| ranges.as_slice().iter().any(|r| r.contains(at));
        assert!(!has(&memory.ranges(&[])), "code is no constant");
        let named = memory.ranges(&[AddrRange::sized(at, 16)]);
        assert!(has(&named) && named.bytes() == memory.ranges(&[]).bytes() + 16);
    }

    #[test]
    fn says_what_is_not_elf() {
        assert!(image_of(b"#!/bin/sh\n").unwrap_err().to_string().contains("not an ELF file"));
        assert!(image_of(b"").is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        /// A file cut short or with flipped bytes is an error or a smaller image, never a panic.
        #[test]
        fn a_damaged_file_never_panics(cut in 0usize..8192, flips in proptest::collection::vec((0usize..4096, any::<u8>()), 0..16)) {
            let mut bytes = std::fs::read("/proc/self/exe").unwrap();
            bytes.truncate(1 << 16);
            for (at, value) in flips {
                bytes[at] = value;
            }
            bytes.truncate(bytes.len() - cut);
            if let Ok(image) = image_of(&bytes) {
                let _ = image.symbols(&["main"]);
                for s in image.sections() {
                    let _ = image.section_bytes(s);
                }
                let _ = image.memory(0, &[]).unwrap().u64(Addr(0x1000));
            }
        }
    }
}
