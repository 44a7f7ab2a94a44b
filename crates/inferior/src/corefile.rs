//! An ELF core file: the memory of a process at one moment, its threads' registers, and which files it had
//! mapped. Written by the kernel (`fs/binfmt_elf.c`) or by gdb's `gcore`. Read piece by piece with `pread`,
//! never as a whole and never mapped: it may be larger than this machine's memory, or be cut short under our
//! hands.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::time::SystemTime;

use object::elf::{FileHeader64, PN_XNUM, ProgramHeader64};
use object::read::elf::{ElfFile64, FileHeader as _, ProgramHeader as _};
use object::{Architecture, LittleEndian, Object as _, ReadCache, ReadRef as _};

use crate::addr::{Addr, AddrRange};
use crate::arch::{Arch, GeneralRegisters, Prstatus};
use crate::core_notes::{NT_AUXV, NT_FILE, NT_PRPSINFO, NT_PRSTATUS, OWNER};
use crate::elf::{ElfImage, ImageError};
use crate::memory::{Memory, ReadCause, ReadError};
use crate::thread::ThreadRegisters;

/// A piece of memory that the core holds.
#[derive(Clone, Copy, Debug)]
struct Piece {
    vaddr: u64,
    size: u64,
    offset: u64,
}

/// A file that the process had mapped, by its lowest mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoreMapping {
    /// Where its first byte was mapped.
    pub start: Addr,
    /// Path in the process's own view of the file system.
    pub path: String,
}

/// Whether an image is the one that a core was made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Match {
    /// Its notes (build ids) are in the core, byte for byte.
    Same,
    /// The core has other bytes where its notes should be.
    Other,
    /// The core does not hold them (`coredump_filter` without bit 4).
    Unknown,
}

/// A core file, opened.
#[derive(Debug)]
pub struct CoreFile {
    file: File,
    name: String,
    arch: Arch,
    /// What its kernel said of pages, in bytes: of two notes, this one (`AT_PAGESZ`) is believed first.
    auxv_page: Option<u64>,
    file_page: Option<u64>,
    /// By address; they do not overlap.
    pieces: Vec<Piece>,
    /// Mapped, and not in the file: what `coredump_filter` left out.
    left_out: u64,
    missing: u64,
    threads: Vec<ThreadRegisters>,
    pid: i32,
    entry: Option<Addr>,
    mapped: Vec<CoreMapping>,
    written: SystemTime,
    own_notes: Vec<Own>,
}

/// Where a note stands that lastgasp itself has written.
#[derive(Clone, Copy, Debug)]
struct Own {
    kind: u32,
    offset: u64,
    len: usize,
}

/// Most bytes of notes that are read: some kilobytes a thread (NT_X86_XSTATE), so tens of thousands of
/// threads.
const MAX_NOTES: u64 = 256 << 20;
/// Most segments: the kernel's own `vm.max_map_count` is 65530 by default, and rarely raised beyond this.
const MAX_PIECES: usize = 4 << 20;

const AT_PAGESZ: u64 = 6;
const AT_ENTRY: u64 = 9;

impl CoreFile {
    /// Whether a file is an ELF core, as far as its first bytes tell.
    #[must_use]
    pub fn is_core(file: &File) -> bool {
        let mut head = [0; 18];
        file.read_exact_at(&mut head, 0).is_ok()
            && head.starts_with(b"\x7fELF\x02\x01")
            && head.get(16..18) == Some(&object::elf::ET_CORE.0.to_le_bytes())
    }

    /// Reads headers and notes of `file`; `name` is for messages.
    ///
    /// # Errors
    /// [`ImageError`] for what is not a 64-bit little-endian core of an architecture that is supported.
    pub fn open(file: File, name: impl Into<String>) -> Result<Self, ImageError> {
        let name = name.into();
        let io = |error| ImageError::Io { file: name.clone(), error };
        let format = |why: String| ImageError::Format { file: name.clone(), why };
        if !Self::is_core(&file) {
            return Err(format("not a 64-bit little-endian ELF core file".into()));
        }
        let meta = file.metadata().map_err(io)?;
        let cache = ReadCache::new(file.try_clone().map_err(io)?);
        let (architecture, headers) =
            program_headers(&cache).map_err(|e| format(format!("not a readable ELF file: {e}")))?;
        let Some(arch) = Arch::of(architecture) else {
            let (other, only) = (architecture, Arch::supported());
            return Err(format(format!(
                "a core of architecture {other:?}, which is not supported yet: only {only} is"
            )));
        };
        let endian = LittleEndian;
        let mut core = Self {
            file,
            name: name.clone(),
            arch,
            auxv_page: None,
            file_page: None,
            pieces: Vec::new(),
            left_out: 0,
            missing: 0,
            threads: Vec::new(),
            pid: 0,
            entry: None,
            mapped: Vec::new(),
            written: meta.modified().unwrap_or(SystemTime::UNIX_EPOCH),
            own_notes: Vec::new(),
        };
        let mut notes = 0u64;
        for p in headers {
            let (offset, size) = (p.p_offset(endian), p.p_filesz(endian));
            match p.p_type(endian) {
                object::elf::PT_LOAD => core.add_piece(p.p_vaddr(endian), size, p.p_memsz(endian), offset, meta.len()),
                object::elf::PT_NOTE => {
                    notes = notes.saturating_add(size);
                    if notes > MAX_NOTES {
                        return Err(format(format!(
                            "{notes} bytes of notes at offset {offset:#x}: more than any process has"
                        )));
                    }
                    let held = size.min(meta.len().saturating_sub(offset));
                    core.missing = core.missing.saturating_add(size - held);
                    core.read_notes(offset, held);
                }
                _ => {}
            }
        }
        if core.pieces.is_empty() {
            return Err(format("holds no memory at all".into()));
        }
        core.tidy();
        Ok(core)
    }

    /// The processor that the process ran on.
    #[must_use]
    pub fn arch(&self) -> Arch {
        self.arch
    }

    /// The page size of the kernel that the process ran on, in bytes: 4 KiB to 64 KiB. gdb's `gcore` writes 1
    /// into `NT_FILE` (`linux-tdep.c`: "we have no good way to determine the correct value").
    #[must_use]
    pub fn page_size(&self) -> u64 {
        let believed = |n: &u64| n.is_power_of_two() && (4096..=65536).contains(n);
        self.auxv_page.filter(believed).or(self.file_page.filter(believed)).unwrap_or(self.arch.smallest_page())
    }

    /// The name given at opening.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The process's number; 0 if the core does not say.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Where its threads stood, by thread id.
    #[must_use]
    pub fn threads(&self) -> &[ThreadRegisters] {
        &self.threads
    }

    /// The files that were mapped, in the order of their addresses.
    #[must_use]
    pub fn mapped_files(&self) -> &[CoreMapping] {
        &self.mapped
    }

    /// Whether there is a note of that type that lastgasp itself has written.
    #[must_use]
    pub fn has_own_note(&self, kind: u32) -> bool {
        self.own_notes.iter().any(|n| n.kind == kind)
    }

    /// The note of that type that lastgasp itself has written into it ([`crate::CoreWriter`]); of several the
    /// last.
    #[must_use]
    pub fn own_note(&self, kind: u32) -> Option<Vec<u8>> {
        let note = self.own_notes.iter().rev().find(|n| n.kind == kind)?;
        let mut body = vec![0; note.len];
        self.file.read_exact_at(&mut body, note.offset).ok()?;
        Some(body)
    }

    /// When the file was last written.
    #[must_use]
    pub fn written(&self) -> SystemTime {
        self.written
    }

    /// The executable among the mapped files: the one that holds the entry point.
    #[must_use]
    pub fn executable(&self) -> Option<&CoreMapping> {
        let entry = self.entry?;
        self.mapped.iter().rev().find(|m| m.start <= entry)
    }

    /// Bytes that the headers promise and the file does not hold: it was cut short (RLIMIT_CORE, a full
    /// disk).
    #[must_use]
    pub fn missing(&self) -> u64 {
        self.missing
    }

    /// Bytes that were mapped and, by `coredump_filter`, not written.
    #[must_use]
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// What is added to the addresses of `image` to get the process's: by the entry point for the executable,
    /// by the first mapping for another file.
    #[must_use]
    pub fn bias_of(&self, image: &ElfImage, mapped: Option<&CoreMapping>) -> u64 {
        let page = self.page_size();
        let by_entry = self.entry.filter(|_| mapped.is_none() || mapped == self.executable());
        match (by_entry, mapped) {
            (Some(entry), _) => entry.0.wrapping_sub(image.entry().0),
            (None, Some(m)) => m.start.0.wrapping_sub(image.first_load().map_or(0, |(v, _)| v / page * page)),
            (None, None) => 0,
        }
    }

    /// Whether `image`, loaded with `bias`, is what the process ran.
    #[must_use]
    pub fn matches(&self, image: &ElfImage, bias: u64) -> Match {
        /// Build ids are some hundred bytes.
        const MOST: usize = 64 << 10;
        // Nothing is loaded at half a page: the entry points are those of different programs.
        if !bias.is_multiple_of(self.page_size()) {
            return Match::Other;
        }
        let Ok(file) = image.memory(0, image.notes()) else { return Match::Unknown };
        let mut result = Match::Unknown;
        for note in image.notes() {
            let theirs = self.bytes(Addr(note.start.0.wrapping_add(bias)), note.len() as usize, MOST);
            match (file.bytes(note.start, note.len() as usize, MOST), theirs) {
                (Ok(ours), Ok(theirs)) if ours == theirs => result = Match::Same,
                (Ok(_), Ok(_)) => return Match::Other,
                _ => {}
            }
        }
        result
    }

    fn add_piece(&mut self, vaddr: u64, size: u64, mem_size: u64, offset: u64, file_len: u64) {
        let held = size.min(file_len.saturating_sub(offset));
        self.missing = self.missing.saturating_add(size - held);
        self.left_out = self.left_out.saturating_add(mem_size.saturating_sub(size));
        if held > 0 && vaddr.checked_add(held).is_some() && self.pieces.len() < MAX_PIECES {
            self.pieces.push(Piece { vaddr, size: held, offset });
        }
    }

    /// Sorts; of pieces that overlap (no kernel writes such) the first keeps its place.
    fn tidy(&mut self) {
        self.pieces.sort_by_key(|p| p.vaddr);
        let mut end = 0;
        self.pieces.retain(|p| {
            let keep = p.vaddr >= end;
            if keep {
                end = p.vaddr + p.size;
            }
            keep
        });
        self.threads.sort_by_key(|t| t.tid);
        self.threads.dedup_by_key(|t| t.tid);
    }

    /// Name and description are padded to 4 bytes each (`elf(5)`, "Notes").
    fn read_notes(&mut self, offset: u64, size: u64) {
        let mut bytes = vec![0; size as usize];
        if self.file.read_exact_at(&mut bytes, offset).is_err() {
            return;
        }
        let mut rest = bytes.as_slice();
        while let Some(Note { at, name, kind, body, rest: tail }) = next_note(rest) {
            let at = offset + (bytes.len() - rest.len() + at) as u64;
            rest = tail;
            match kind {
                _ if name == OWNER => self.own_notes.push(Own { kind, offset: at, len: body.len() }),
                NT_PRSTATUS => self.threads.extend(thread(body, self.arch.prstatus())),
                // pr_pid, behind four chars, padding, a word of flags and two 4-byte ids.
                NT_PRPSINFO => self.pid = word32(body, 24).map_or(0, u32::cast_signed),
                NT_AUXV => {
                    self.entry = auxv(body, AT_ENTRY).map(Addr).or(self.entry);
                    self.auxv_page = auxv(body, AT_PAGESZ).or(self.auxv_page);
                }
                NT_FILE => {
                    self.file_page = word64(body, 8);
                    self.mapped = mapped_files(body);
                }
                _ => {}
            }
        }
    }
}

/// What a core is of, and its program headers. Sections are not looked at: `gcore` writes their headers at
/// the end, which a core that was cut short lacks (test `a_core_without_its_section_headers_is_read`). Only
/// for more program headers than 16 bits count is the first of them asked, if it can be read.
fn program_headers(cache: &ReadCache<File>) -> Result<(Architecture, &[ProgramHeader64<LittleEndian>]), String> {
    let header = FileHeader64::<LittleEndian>::parse(cache).map_err(|e| e.to_string())?;
    // The header alone is a file too, and says what it is of.
    let alone = FileHeader64 {
        e_phoff: Default::default(),
        e_shoff: Default::default(),
        e_phnum: Default::default(),
        e_shnum: Default::default(),
        e_shstrndx: Default::default(),
        ..*header
    };
    let alone = object::pod::bytes_of(&alone);
    let architecture = ElfFile64::<LittleEndian, _>::parse(alone).map_err(|e| e.to_string())?.architecture();
    let count = header.phnum(LittleEndian, cache).unwrap_or_else(|_| PN_XNUM.into());
    let bounded = (count as usize).min(MAX_PIECES);
    let table = cache.read_slice_at(header.e_phoff(LittleEndian), bounded);
    Ok((architecture, table.map_err(|()| "the program headers are not all there")?))
}

fn word32(b: &[u8], at: usize) -> Option<u32> {
    b.get(at..at.checked_add(4)?)?.try_into().ok().map(u32::from_le_bytes)
}

fn word64(b: &[u8], at: usize) -> Option<u64> {
    b.get(at..at.checked_add(8)?)?.try_into().ok().map(u64::from_le_bytes)
}

/// A note, taken off a list of them.
struct Note<'a> {
    /// Where in the list its description stands.
    at: usize,
    name: &'a [u8],
    kind: u32,
    body: &'a [u8],
    rest: &'a [u8],
}

/// The first note of `b`.
fn next_note(b: &[u8]) -> Option<Note<'_>> {
    let (name, desc, kind) = (word32(b, 0)? as usize, word32(b, 4)? as usize, word32(b, 8)?);
    let owner = b.get(12..12usize.checked_add(name)?)?;
    let at = 12usize.checked_add(name.checked_next_multiple_of(4)?)?;
    let body = b.get(at..at.checked_add(desc)?)?;
    let next = at.checked_add(desc.checked_next_multiple_of(4)?)?;
    Some(Note { at, name: owner, kind, body, rest: b.get(next..).unwrap_or_default() })
}

fn thread(prstatus: &[u8], at: &Prstatus) -> Option<ThreadRegisters> {
    let (first, n) = at.general;
    let mut general = GeneralRegisters::default();
    for (i, register) in general.iter_mut().take(n).enumerate() {
        *register = word64(prstatus, first + i * 8)?;
    }
    Some(ThreadRegisters {
        tid: word32(prstatus, at.pid)?.cast_signed(),
        sp: Addr(word64(prstatus, at.sp)?),
        pc: Addr(word64(prstatus, at.pc)?),
        // No thread has zeros everywhere; a core of our own has where they were not to be had.
        general: Some(general).filter(|g| g.iter().any(|w| *w != 0)),
    })
}

fn auxv(body: &[u8], wanted: u64) -> Option<u64> {
    (0..body.len()).step_by(16).find(|at| word64(body, *at) == Some(wanted)).and_then(|at| word64(body, at + 8))
}

/// `NT_FILE` (`fill_files_note` in the kernel): count, page size, then (start, end, page offset) each, then
/// the paths, each ended by a zero byte. Of each path the mapping with the lowest file offset is kept.
fn mapped_files(body: &[u8]) -> Vec<CoreMapping> {
    let count = word64(body, 0).unwrap_or(0).min(body.len() as u64 / 24) as usize;
    let names = body.get(16 + count * 24..).unwrap_or_default();
    let mut lowest: BTreeMap<&[u8], (u64, u64)> = BTreeMap::new();
    for (i, path) in names.split(|b| *b == 0).take(count).enumerate() {
        let at = 16 + i * 24;
        let (Some(start), Some(offset)) = (word64(body, at), word64(body, at + 16)) else { break };
        let known = lowest.entry(path).or_insert((offset, start));
        *known = (*known).min((offset, start));
    }
    let mut out: Vec<CoreMapping> = lowest
        .into_iter()
        .filter(|(_, (offset, _))| *offset == 0)
        .map(|(path, (_, start))| CoreMapping { start: Addr(start), path: String::from_utf8_lossy(path).into_owned() })
        .collect();
    out.sort_by_key(|m| m.start);
    out
}

impl Memory for CoreFile {
    fn read(&self, addr: Addr, buf: &mut [u8]) -> Result<(), ReadError> {
        let error = ReadError { addr, len: buf.len(), cause: ReadCause::Absent };
        let mut done = 0usize;
        while done < buf.len() {
            let here = addr.0.checked_add(done as u64).ok_or(error)?;
            let i = self.pieces.partition_point(|p| p.vaddr <= here).checked_sub(1).ok_or(error)?;
            let piece = self.pieces.get(i).filter(|p| here - p.vaddr < p.size).ok_or(error)?;
            let skip = here - piece.vaddr;
            let n = (buf.len() - done).min((piece.size - skip).min(usize::MAX as u64) as usize);
            let part = buf.get_mut(done..done + n).ok_or(error)?;
            let offset = piece.offset.checked_add(skip).ok_or(error)?;
            self.file
                .read_exact_at(part, offset)
                .map_err(|e| ReadError { cause: e.raw_os_error().map_or(ReadCause::Absent, ReadCause::Os), ..error })?;
            done += n;
        }
        Ok(())
    }
}

/// The addresses that a core holds, for tests and messages.
impl CoreFile {
    /// Held memory, by address.
    pub fn ranges(&self) -> impl Iterator<Item = AddrRange> {
        self.pieces.iter().map(|p| AddrRange::sized(Addr(p.vaddr), p.size))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use proptest::prelude::*;

    use super::*;

    /// A core as the kernel lays it out, typed in by hand: ELF header, two program headers (notes, memory),
    /// notes, 32 bytes of memory at 0x1000.
    fn core() -> Vec<u8> {
        let mut prstatus = vec![0u8; 336];
        prstatus[32..36].copy_from_slice(&77u32.to_le_bytes());
        prstatus[240..248].copy_from_slice(&0x40_1000u64.to_le_bytes());
        prstatus[264..272].copy_from_slice(&0x7ff0_0000u64.to_le_bytes());
        let mut psinfo = vec![0u8; 136];
        psinfo[24..28].copy_from_slice(&76u32.to_le_bytes());
        let auxv: Vec<u8> = [9u64, 0x40_1234, 0, 0].iter().flat_map(|w| w.to_le_bytes()).collect();
        let mut files: Vec<u8> = [2u64, 4096, 0x40_0000, 0x40_2000, 0, 0x40_2000, 0x40_3000, 2]
            .iter()
            .flat_map(|w| w.to_le_bytes())
            .collect();
        files.extend(b"/bin/svc\0/bin/svc\0");
        let mut notes = Vec::new();
        for (kind, body) in [(1u32, &prstatus), (3, &psinfo), (6, &auxv), (0x4649_4c45, &files)] {
            notes.extend(5u32.to_le_bytes());
            notes.extend((body.len() as u32).to_le_bytes());
            notes.extend(kind.to_le_bytes());
            notes.extend(b"CORE\0\0\0\0");
            notes.extend(body);
            notes.resize(notes.len().next_multiple_of(4), 0);
        }
        let mut b = b"\x7fELF\x02\x01\x01".to_vec();
        b.resize(16, 0);
        for (v, n) in [
            (4u64, 2),
            (62, 2),
            (1, 4),
            (0, 8),
            (64, 8),
            (0, 8),
            (0, 4),
            (64, 2),
            (56, 2),
            (2, 2),
            (0, 2),
            (0, 2),
            (0, 2),
        ] {
            b.extend(&v.to_le_bytes()[..n]);
        }
        let at = 64 + 2 * 56;
        for p in
            [[4u64, at, 0, 0, notes.len() as u64, 0, 4], [1 | 6 << 32, at + notes.len() as u64, 0x1000, 0, 32, 4096, 0]]
        {
            b.extend(p.iter().flat_map(|w| w.to_le_bytes()));
        }
        b.extend(notes);
        b.extend(0u8..32);
        b
    }

    fn open(bytes: &[u8]) -> Result<CoreFile, ImageError> {
        let mut f = tempfile::tempfile().unwrap();
        f.write_all(bytes).unwrap();
        CoreFile::open(f, "test.core")
    }

    #[test]
    fn notes_and_memory() {
        let core = open(&core()).unwrap();
        assert_eq!(core.pid(), 76);
        assert_eq!(core.threads(), [ThreadRegisters::at(77, Addr(0x7ff0_0000), Addr(0x40_1000))]);
        assert_eq!(core.executable().unwrap(), &CoreMapping { start: Addr(0x40_0000), path: "/bin/svc".into() });
        assert_eq!(core.u8(Addr(0x101f)).unwrap(), 31);
        assert_eq!(core.u64(Addr(0x101c)).unwrap_err().cause, ReadCause::Absent);
        assert_eq!((core.missing(), core.left_out()), (0, 4064));
        let cut = &self::core()[..self::core().len() - 8];
        let core = open(cut).unwrap();
        assert_eq!(core.missing(), 8);
        assert!(core.u8(Addr(0x101f)).is_err() && core.u8(Addr(0x1000)).is_ok());
    }

    /// As `gcore` writes it: section headers are promised at the end, behind the memory.
    #[test]
    fn a_core_without_its_section_headers_is_read() {
        let mut bytes = core();
        let len = bytes.len() as u64;
        bytes[40..48].copy_from_slice(&len.to_le_bytes());
        bytes[58..64].copy_from_slice(&[64, 0, 3, 0, 2, 0]);
        let cut = open(&bytes).unwrap();
        assert_eq!((cut.pid(), cut.missing()), (76, 0));
        assert_eq!(cut.u8(Addr(0x101f)).unwrap(), 31);
    }

    /// `PN_XNUM`: the kernel counts them in the first section header.
    #[test]
    fn more_program_headers_than_sixteen_bits_count() {
        let mut bytes = core();
        let len = bytes.len() as u64;
        bytes[40..48].copy_from_slice(&len.to_le_bytes());
        bytes[56..62].copy_from_slice(&[0xff, 0xff, 64, 0, 1, 0]);
        let mut section = [0u8; 64];
        section[44..48].copy_from_slice(&2u32.to_le_bytes());
        let whole = [bytes.as_slice(), section.as_slice()].concat();
        assert_eq!(open(&whole).unwrap().pid(), 76);
        // Without it nobody knows how many: as many as the header could say are not there.
        assert!(open(&bytes).unwrap_err().to_string().contains("not all there"));
    }

    /// `NT_FILE` says what its offsets are counted in; what no kernel has is not believed.
    #[test]
    fn the_page_size_is_what_the_core_says() {
        let stated = |page: u64| {
            let mut bytes = core();
            let files: Vec<u8> = [2u64, 4096].iter().flat_map(|w| w.to_le_bytes()).collect();
            let at = bytes.windows(16).position(|w| w == files).unwrap() + 8;
            bytes[at..at + 8].copy_from_slice(&page.to_le_bytes());
            open(&bytes).unwrap()
        };
        assert_eq!((stated(4096).page_size(), stated(4096).arch()), (4096, Arch::Amd64));
        assert_eq!(stated(65536).page_size(), 65536);
        for nonsense in [0, 1, 512, 12345, u64::MAX] {
            assert_eq!(stated(nonsense).page_size(), 4096);
        }
        let image = ElfImage::open(File::open("/proc/self/exe").unwrap(), "exe").unwrap();
        assert_eq!(stated(65536).matches(&image, 4096), Match::Other, "nothing is loaded within a page");
    }

    #[test]
    fn what_is_no_core_is_named() {
        let exe = CoreFile::open(File::open("/proc/self/exe").unwrap(), "exe").unwrap_err();
        assert!(exe.to_string().contains("not a 64-bit little-endian ELF core"), "{exe}");
        let mut arm = core();
        arm[18] = 183;
        let e = open(&arm).unwrap_err().to_string();
        assert!(e.contains("Aarch64") && e.contains("linux/amd64"), "{e}");
    }

    proptest! {
        /// A core cut short or with flipped bytes is an error or a smaller core, never a panic.
        #[test]
        fn a_damaged_core_never_panics(cut in 0usize..900, flips in proptest::collection::vec((0usize..900, any::<u8>()), 0..12)) {
            let mut bytes = core();
            for (at, value) in flips {
                if let Some(b) = bytes.get_mut(at) { *b = value; }
            }
            bytes.truncate(bytes.len() - cut.min(bytes.len()));
            if let Ok(core) = open(&bytes) {
                let ranges: Vec<AddrRange> = core.ranges().collect();
                for r in ranges {
                    let _ = core.u64(r.start);
                    let _ = core.u8(Addr(r.end.0 - 1));
                }
                let _ = core.executable();
            }
        }
    }
}
