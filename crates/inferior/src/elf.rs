//! An executable's ELF file: sections, segments, symbols. Read piece by piece with `pread`; never mapped, so
//! that a file that is cut short under our hands is an error and not a SIGBUS.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use object::elf::FileHeader64;
use object::read::elf::{ElfFile32, ElfFile64, FileHeader as _, ProgramHeader as _, SectionHeader as _};
use object::{Endianness, Object as _};
use thiserror::Error;

use crate::addr::{Addr, AddrRange};
use crate::arch::Arch;
use crate::bounded_reads::BoundedReads;
use crate::image_facts::{FileState, ImageFacts, MAX_SEGMENTS, Section, Segment};
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

/// A symbol of an ELF file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symbol {
    /// Address as the file states it.
    pub addr: Addr,
    /// Size in bytes, 0 if not stated.
    pub size: u64,
}

/// A symbol whose name was not read yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnnamedSymbol {
    /// Its addresses, as the file states them.
    pub range: AddrRange,
    /// Where its name stands in the string table.
    name: u64,
}

/// An executable's file, opened.
#[derive(Debug)]
pub struct ElfImage {
    /// One descriptor for all processes that run it.
    file: Arc<File>,
    name: String,
    facts: ImageFacts,
}

/// An image and where it was loaded.
#[derive(Debug)]
pub struct LoadedImage {
    /// The ELF file: an executable or a library.
    pub image: ElfImage,
    /// What is added to its addresses to get the process's.
    pub bias: u64,
}

/// Symbol tables larger than this are not searched (one of 256 MiB belongs to no program we know).
const MAX_TABLE: u64 = 256 << 20;
/// Sections larger than this are not read as a whole.
const MAX_WHOLE: u64 = 16 << 20;
/// Bytes of a build id: a SHA-1 has 20, and the longest that a linker makes of anything 64.
const MAX_BUILD_ID: usize = 64;
/// Bytes of a table that are in memory at a time.
const BLOCK: usize = 1 << 20;
/// Most places of the string table at which a wanted name stands.
const MAX_NAMES: usize = 4096;
/// Longest name of a symbol that is read, in bytes: those of generic code run long.
const MAX_SYMBOL_NAME: u64 = 4096;

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
    let Ok(cache) = file.try_clone().map(BoundedReads::of) else { return Vec::new() };
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
        let cache = BoundedReads::of(file.try_clone().map_err(|error| ImageError::Io { file: name.clone(), error })?);
        let kind = object::FileKind::parse(&cache).map_err(|_| format("not an ELF file".into()))?;
        if kind != object::FileKind::Elf64 {
            let what = if kind == object::FileKind::Elf32 { "a 32-bit program".into() } else { format!("{kind:?}") };
            return Err(format(format!("{what}: only 64-bit ELF is read")));
        }
        let unreadable = |e: object::read::Error| format(format!("not a readable ELF file: {e}"));
        // Of the tables only headers: a parse of the whole file would read all of its symbols.
        let header = FileHeader64::<Endianness>::parse(&cache).map_err(unreadable)?;
        let endian = header.endian().map_err(unreadable)?;
        let machine = architecture(header.e_machine(endian));
        let Some(arch) = Arch::of(machine) else {
            let only = Arch::supported();
            return Err(format(format!("architecture {machine:?} is not supported yet: only {only} is")));
        };
        let program_headers = header.program_headers(endian, &cache).map_err(unreadable)?;
        let (mut segments, mut notes) = (Vec::new(), Vec::new());
        for p in program_headers {
            if segments.len() >= MAX_SEGMENTS || notes.len() >= MAX_SEGMENTS {
                return Err(format(format!("more than {MAX_SEGMENTS} segments")));
            }
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
        let table = header.sections(endian, &cache).map_err(unreadable)?;
        // The first is none.
        let mut sections: Vec<Section> = table
            .iter()
            .skip(1)
            .map(|s| Section {
                name: String::from_utf8_lossy(table.section_name(endian, s).unwrap_or_default()).into_owned(),
                range: AddrRange::sized(Addr(s.sh_addr(endian)), s.sh_size(endian)),
                file_offset: s.file_range(endian).map(|r| r.0),
            })
            .collect();
        sections.sort_by(|a, b| (a.range, &a.name).cmp(&(b.range, &b.name)));
        let build_id = if table.is_empty() {
            program_headers.iter().find_map(|p| gnu_build_id(p.notes(endian, &cache).ok()??, endian))
        } else {
            table.iter().find_map(|s| gnu_build_id(s.notes(endian, &cache).ok()??, endian))
        };
        let has_symbols = sections.iter().any(|s| s.name == ".symtab");
        let entry = Addr(header.e_entry(endian));
        let state =
            file.metadata().map(|m| FileState::of(&m)).map_err(|e| ImageError::Io { file: name.clone(), error: e })?;
        let facts = ImageFacts { arch, sections, segments, notes, entry, build_id, has_symbols, state };
        Ok(Self { file: Arc::new(file), name, facts })
    }

    /// The image of a file that somebody else has read ([`ImageFacts`]): not a byte of it is read here.
    ///
    /// # Errors
    /// [`ImageError::Format`]: what was said of it cannot be.
    pub fn told(file: Arc<File>, name: impl Into<String>, facts: ImageFacts) -> Result<Self, ImageError> {
        let name = name.into();
        if !facts.can_be() {
            return Err(ImageError::Format { file: name, why: "what was read of its headers cannot be".into() });
        }
        Ok(Self { file, name, facts })
    }

    /// What is known of it without its bytes.
    #[must_use]
    pub fn facts(&self) -> &ImageFacts {
        &self.facts
    }

    /// Whose file it is, and which, as it was when it was opened.
    #[must_use]
    pub fn state(&self) -> FileState {
        self.facts.state
    }

    /// Its file, for who is handed it with [`ElfImage::facts`] and makes an image of both
    /// ([`ElfImage::told`]): that reads by offsets alone, and needs no place of its own in the file. To open
    /// it anew may not come to an end, where its storage does not answer.
    #[must_use]
    pub fn file(&self) -> &File {
        &self.file
    }

    /// The processor that it is for.
    #[must_use]
    pub fn arch(&self) -> Arch {
        self.facts.arch
    }

    /// The name given at opening.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The section `name`.
    #[must_use]
    pub fn section(&self, name: &str) -> Option<&Section> {
        self.facts.sections.iter().find(|s| s.name == name)
    }

    /// All sections, by address.
    #[must_use]
    pub fn sections(&self) -> &[Section] {
        &self.facts.sections
    }

    /// GNU build id in hex.
    #[must_use]
    pub fn build_id(&self) -> Option<&str> {
        self.facts.build_id.as_deref()
    }

    /// Where its ELF notes stand, which hold its build ids.
    #[must_use]
    pub fn notes(&self) -> &[AddrRange] {
        &self.facts.notes
    }

    /// Its entry point.
    #[must_use]
    pub fn entry(&self) -> Addr {
        self.facts.entry
    }

    /// Whether there is no symbol table.
    #[must_use]
    pub fn is_stripped(&self) -> bool {
        !self.facts.has_symbols
    }

    /// Addresses (as stated) of writable segments as far as the file holds them, and of read-only ones.
    #[must_use]
    pub fn load_ranges(&self, writable: bool) -> Vec<AddrRange> {
        self.facts
            .segments
            .iter()
            .filter(|s| s.writable == writable)
            .map(|s| AddrRange::sized(Addr(s.vaddr), s.file_size))
            .collect()
    }

    /// Address and file offset of the first loadable segment.
    #[must_use]
    pub fn first_load(&self) -> Option<(u64, u64)> {
        self.facts.segments.iter().min_by_key(|s| s.vaddr).map(|s| (s.vaddr, s.file_offset))
    }

    /// The whole of a section's bytes.
    ///
    /// # Errors
    /// [`ImageError`] if it has none, is absurdly large or cannot be read.
    pub fn section_bytes(&self, section: &Section) -> Result<Vec<u8>, ImageError> {
        self.place(section, MAX_WHOLE)?;
        self.section_head(section, MAX_WHOLE as usize)
    }

    /// The first bytes of a section, at most so many.
    ///
    /// # Errors
    /// [`ImageError`] if it has none, goes on behind the file's end or cannot be read.
    pub fn section_head(&self, section: &Section, most: usize) -> Result<Vec<u8>, ImageError> {
        let (offset, len) = self.place(section, u64::MAX)?;
        let mut buf = vec![0; len.min(most as u64) as usize];
        self.file.read_exact_at(&mut buf, offset).map_err(|e| self.io(e))?;
        Ok(buf)
    }

    /// Where a section stands in the file: offset and length, if it is no longer than `most`.
    fn place(&self, section: &Section, most: u64) -> Result<(u64, u64), ImageError> {
        let format = |why: String| ImageError::Format {
            file: self.name.clone(),
            why: format!("section {}: {why}", section.name),
        };
        let (offset, len) = (section.file_offset.ok_or_else(|| format("holds no bytes".into()))?, section.range.len());
        if len > most {
            return Err(format(format!("larger than {} MiB", most >> 20)));
        }
        if offset.saturating_add(len) > self.file.metadata().map_err(|e| self.io(e))?.len() {
            return Err(format("goes on behind the end of the file".into()));
        }
        Ok((offset, len))
    }

    fn io(&self, error: std::io::Error) -> ImageError {
        ImageError::Io { file: self.name.clone(), error }
    }

    /// Those of `wanted` that the symbol table has. The strings are searched first, and then the table for
    /// who is named so, each in large pieces of which one is in memory at a time: of both together a file of
    /// any user may state half a gigabyte. (Name by name it took 200 ms for the 190 MB of prometheus, `cargo
    /// xtask real`.)
    ///
    /// # Errors
    /// [`ImageError`] if the tables are absurdly large or can no longer be read.
    pub fn symbols(&self, wanted: &[&str]) -> Result<BTreeMap<String, Symbol>, ImageError> {
        let mut found = BTreeMap::new();
        let (Some(table), Some(strings)) = (self.section(".symtab"), self.section(".strtab")) else {
            return Ok(found);
        };
        let names = self.places_of_names(strings, wanted)?;
        let (offset, len) = self.place(table, MAX_TABLE)?;
        let mut block = vec![0; BLOCK / SYMBOL * SYMBOL];
        let mut at = 0;
        while at < len && found.len() < wanted.len() && !names.is_empty() {
            let n = (len - at).min(block.len() as u64) as usize;
            let Some(block) = block.get_mut(..n) else { break };
            self.file.read_exact_at(block, offset + at).map_err(|e| self.io(e))?;
            for s in block.chunks_exact(SYMBOL).filter_map(RawSymbol::parse).filter(|s| s.defined) {
                if let Some(name) = names.get(&s.name) {
                    found.insert((*name).to_owned(), Symbol { addr: Addr(s.value), size: s.size });
                }
            }
            at += n as u64;
        }
        Ok(found)
    }

    /// The symbols with a size that begin in one of `ranges` (addresses of the file, sorted), by address, at
    /// most `most` of them. Their names are read one by one ([`ElfImage::symbol_name`]): mostly few of them
    /// are wanted.
    ///
    /// # Errors
    /// As [`ElfImage::symbols`].
    pub fn symbols_within(&self, ranges: &[AddrRange], most: usize) -> Result<Vec<UnnamedSymbol>, ImageError> {
        let mut found = Vec::new();
        let Some(table) = self.section(".symtab") else { return Ok(found) };
        let (offset, len) = self.place(table, MAX_TABLE)?;
        let mut block = vec![0; BLOCK / SYMBOL * SYMBOL];
        let mut at = 0;
        while at < len && found.len() < most {
            let n = (len - at).min(block.len() as u64) as usize;
            let Some(block) = block.get_mut(..n) else { break };
            self.file.read_exact_at(block, offset + at).map_err(|e| self.io(e))?;
            let symbols = block.chunks_exact(SYMBOL).filter_map(RawSymbol::parse);
            let wanted =
                symbols.filter(|s| s.defined && s.size > 0 && ranges.iter().any(|r| r.contains(Addr(s.value))));
            found
                .extend(wanted.map(|s| UnnamedSymbol { range: AddrRange::sized(Addr(s.value), s.size), name: s.name }));
            at += n as u64;
        }
        found.truncate(most);
        found.sort_by_key(|s| s.range.start);
        Ok(found)
    }

    /// The name of a symbol; `None` if it is none, or longer than any is.
    #[must_use]
    pub fn symbol_name(&self, symbol: &UnnamedSymbol) -> Option<String> {
        let (offset, len) = self.place(self.section(".strtab")?, MAX_TABLE).ok()?;
        let most = len.checked_sub(symbol.name)?.min(MAX_SYMBOL_NAME) as usize;
        let mut text = vec![0; most];
        self.file.read_exact_at(&mut text, offset.checked_add(symbol.name)?).ok()?;
        text.truncate(memchr::memchr(0, &text)?);
        String::from_utf8(text).ok().filter(|t| !t.is_empty())
    }

    /// Where names stand in a string table. The end of another name may be one too (linkers share tails), and
    /// so each end is looked back from.
    fn places_of_names<'w>(&self, strings: &Section, wanted: &[&'w str]) -> Result<BTreeMap<u64, &'w str>, ImageError> {
        let (offset, len) = self.place(strings, MAX_TABLE)?;
        let longest = wanted.iter().map(|w| w.len()).max().unwrap_or(0);
        let (mut block, mut places) = (vec![0; longest + BLOCK], BTreeMap::new());
        let mut at = 0;
        while at < len && places.len() < MAX_NAMES {
            // With what is before it, for a name that the block's beginning cuts.
            let before = longest.min(at as usize);
            let start = at - before as u64;
            let n = ((len - start) as usize).min(before + BLOCK);
            let Some(block) = block.get_mut(..n) else { break };
            self.file.read_exact_at(block, offset + start).map_err(|e| self.io(e))?;
            let block = &*block;
            let mut from = before;
            while let Some(end) = block.get(from..).and_then(|rest| memchr::memchr(0, rest)).map(|i| from + i) {
                from = end + 1;
                let Some(text) = block.get(..end).filter(|text| text.last().is_some_and(|b| *b != 0)) else {
                    from += zeros(block.get(from..).unwrap_or_default());
                    continue;
                };
                for name in wanted.iter().filter(|w| text.ends_with(w.as_bytes())) {
                    places.insert(start + (end - name.len()) as u64, *name);
                }
            }
            at = start + n as u64;
        }
        Ok(places)
    }

    /// The file's read-only segments at the addresses where a process has them, and those of its writable
    /// ones that `constant` names (in the process's addresses): in a position-independent executable the
    /// linker puts constant tables into a segment that is writable until it is relocated.
    ///
    /// # Errors
    /// The system's error (too many open files).
    pub fn memory(&self, bias: u64, constant: &[AddrRange]) -> std::io::Result<FileMemory> {
        let (writable, read_only): (Vec<Segment>, Vec<Segment>) = self.facts.segments.iter().partition(|s| s.writable);
        let pieces =
            constant.iter().flat_map(|c| writable.iter().filter_map(|s| s.part(c.start.0.wrapping_sub(bias), c.len())));
        Ok(FileMemory { file: Arc::clone(&self.file), segments: read_only.into_iter().chain(pieces).collect(), bias })
    }
}

/// How many zeros bytes begin with, in whole pieces: a table of a sparse file is nothing else.
fn zeros(bytes: &[u8]) -> usize {
    const PIECE: [u8; 4096] = [0; 4096];
    bytes.chunks_exact(PIECE.len()).take_while(|piece| *piece == PIECE).count() * PIECE.len()
}

/// The processor that `e_machine` names, as far as there is Go for it.
fn architecture(machine: object::elf::Machine) -> object::Architecture {
    match machine {
        object::elf::EM_X86_64 => object::Architecture::X86_64,
        object::elf::EM_AARCH64 => object::Architecture::Aarch64,
        object::elf::EM_LOONGARCH => object::Architecture::LoongArch64,
        object::elf::EM_MIPS => object::Architecture::Mips64,
        object::elf::EM_PPC64 => object::Architecture::PowerPc64,
        object::elf::EM_RISCV => object::Architecture::Riscv64,
        object::elf::EM_S390 => object::Architecture::S390x,
        _ => object::Architecture::Unknown,
    }
}

/// The GNU build id among notes, in hex.
fn gnu_build_id(
    mut notes: object::read::elf::NoteIterator<'_, FileHeader64<Endianness>>,
    endian: Endianness,
) -> Option<String> {
    while let Ok(Some(note)) = notes.next() {
        if note.name() == object::elf::ELF_NOTE_GNU && note.n_type(endian) == object::elf::NT_GNU_BUILD_ID {
            return Some(note.desc().iter().take(MAX_BUILD_ID).map(|x| format!("{x:02x}")).collect());
        }
    }
    None
}

/// Bytes of an `Elf64_Sym`.
const SYMBOL: usize = 24;

/// Fields of an `Elf64_Sym` (`elf.h`) that we use; `name` is an offset in the string table.
struct RawSymbol {
    name: u64,
    defined: bool,
    value: u64,
    size: u64,
}

impl RawSymbol {
    fn parse(b: &[u8]) -> Option<Self> {
        let word = |at: usize| b.get(at..at + 8)?.try_into().ok().map(u64::from_le_bytes);
        Some(Self {
            name: u64::from(u32::from_le_bytes(b.get(..4)?.try_into().ok()?)),
            defined: b.get(6..8)? != [0, 0],
            value: word(8)?,
            size: word(16)?,
        })
    }
}

/// An executable's file as memory: what no process can have changed (code, read-only data, constant tables).
#[derive(Debug)]
pub struct FileMemory {
    file: Arc<File>,
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

    /// A little-endian ELF header with that many sections at the end of `bytes`, the first of which (after
    /// the empty one) has these names, types and places.
    fn with_sections(bytes: Vec<u8>, sections: &[(&str, u32, u64, u64)]) -> Vec<u8> {
        let mut bytes = bytes;
        bytes.resize(bytes.len().max(64), 0);
        let mut names = vec![0u8];
        let mut table = vec![[0u8; 64]];
        let mut rows: Vec<(usize, u32, u64, u64)> = Vec::new();
        for (name, kind, at, len) in sections {
            rows.push((names.len(), *kind, *at, *len));
            names.extend(name.as_bytes().iter().chain(&[0]));
        }
        rows.push((0, 3, bytes.len() as u64, names.len() as u64));
        bytes.extend(&names);
        for (name, kind, at, len) in &rows {
            let mut row = [0u8; 64];
            row[..4].copy_from_slice(&(*name as u32).to_le_bytes());
            row[4..8].copy_from_slice(&kind.to_le_bytes());
            row[24..32].copy_from_slice(&at.to_le_bytes());
            row[32..40].copy_from_slice(&len.to_le_bytes());
            table.push(row);
        }
        let at = bytes.len() as u64;
        bytes.extend(table.iter().flatten());
        bytes[..16].copy_from_slice(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
        for (at, value) in
            [(16, 2u16), (18, 62), (52, 64), (54, 56), (58, 64), (60, rows.len() as u16 + 1), (62, rows.len() as u16)]
        {
            bytes[at..at + 2].copy_from_slice(&value.to_le_bytes());
        }
        bytes[40..48].copy_from_slice(&at.to_le_bytes());
        bytes
    }

    /// Names that a block's end cuts, names that are the end of others, and names that are not there.
    #[test]
    fn symbols_are_found_wherever_their_names_stand() {
        let mut strings = vec![0u8];
        let mut put = |pad: usize, name: &str| {
            strings.extend(std::iter::repeat_n(b'x', pad));
            strings.push(0);
            let at = strings.len();
            strings.extend(name.as_bytes().iter().chain(&[0]));
            at as u32
        };
        let cut = put(BLOCK - 10, "runtime.mheap_");
        let other = put(2 * BLOCK, "go.runtime.allm");
        let wanted = ["runtime.mheap_", "runtime.allm", "allm", "runtime.none"];
        let symbol = |name: u32, value: u64, defined: u16| {
            let mut s = [0u8; SYMBOL];
            s[..4].copy_from_slice(&name.to_le_bytes());
            s[6..8].copy_from_slice(&defined.to_le_bytes());
            s[8..16].copy_from_slice(&value.to_le_bytes());
            s
        };
        let mut table = vec![symbol(1, 99, 1); BLOCK / SYMBOL];
        table.extend([symbol(cut, 7, 0), symbol(cut, 1, 1), symbol(other + 3, 2, 1), symbol(other + 11, 3, 1)]);
        let table: Vec<u8> = table.into_iter().flatten().collect();
        let bytes = [vec![0; 64], strings.clone(), table.clone()].concat();
        let places =
            [(".strtab", 3, 64, strings.len() as u64), (".symtab", 2, 64 + strings.len() as u64, table.len() as u64)];
        let image = image_of(&with_sections(bytes, &places)).unwrap();
        let found = image.symbols(&wanted).unwrap();
        let found: Vec<(&str, u64)> = found.iter().map(|(name, s)| (name.as_str(), s.addr.0)).collect();
        assert_eq!(found, [("allm", 3), ("runtime.allm", 2), ("runtime.mheap_", 1)]);
        assert!(image.symbols(&[]).unwrap().is_empty());
    }

    /// Tables of gigabytes in a sparse file: what they would need is asked for by nobody.
    #[test]
    fn what_a_file_says_of_its_tables_is_not_believed() {
        let huge = 64 << 30;
        let open = |bytes: &[u8]| {
            let mut f = tempfile::tempfile().unwrap();
            f.write_all(bytes).unwrap();
            f.set_len(huge).unwrap();
            ElfImage::open(f, "sparse")
        };
        let sparse = |sections: &[(&str, u32, u64, u64)]| open(&with_sections(Vec::new(), sections));
        let image = sparse(&[(".symtab", 2, 4096, huge - 4096), (".strtab", 3, 4096, huge - 4096)]).unwrap();
        assert!(image.symbols(&["main"]).is_err() && !image.is_stripped());
        assert!(image.section_bytes(image.section(".symtab").unwrap()).is_err());
        assert_eq!(image.section_head(image.section(".symtab").unwrap(), 100).unwrap(), [0; 100]);
        // Notes, in which the build id is looked for.
        let image = sparse(&[(".note", 7, 4096, huge - 4096)]).unwrap();
        assert_eq!(image.build_id(), None);
        // More sections, and more segments, than there is room to believe in.
        let mut many = with_sections(Vec::new(), &[]);
        many[60..62].copy_from_slice(&0u16.to_le_bytes());
        let at = u64::from_le_bytes(many[40..48].try_into().unwrap()) as usize;
        many[at + 32..at + 40].copy_from_slice(&(1u64 << 28).to_le_bytes());
        assert!(open(&many).is_err());
        let mut many = with_sections(Vec::new(), &[]);
        many[32..40].copy_from_slice(&64u64.to_le_bytes());
        many[56..58].copy_from_slice(&60_000u16.to_le_bytes());
        let load = [1u8, 0, 0, 0].iter().chain(&[0; 52]).copied().collect::<Vec<u8>>();
        many.splice(64..64, load.repeat(1000));
        assert!(open(&many).is_err());
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
