//! An ELF core file, written from parts: pieces of memory, threads, mapped files, notes of the caller's own.
//! gdb and [`crate::CoreFile`] read it.
//!
//! Sparse: whole pages of zeros are holes of the file, and what cannot be read is left out by ending one
//! segment and beginning another, since absent is not zero. Memory comes first in the file, then notes and
//! program headers, the ELF header last of all: a file whose writer died is no core. Nothing is kept in
//! proportion to the target but the list of segments.

use std::io::{self, Seek, SeekFrom, Write};

use crate::addr::{Addr, AddrRange};
use crate::arch::Arch;
use crate::core_notes::{NT_AUXV, NT_FILE, NT_PRPSINFO, NT_PRSTATUS, OWNER};
use crate::mapping::Mapping;
use crate::memory::Memory;
use crate::ranges::Ranges;
use crate::thread::ThreadRegisters;

/// The unit of what is there and what is not, and of holes; pages of all kernels are multiples of it.
const PAGE: u64 = 4096;
/// Bytes of memory that are read at a time.
const CHUNK: u64 = 1 << 20;
/// Sizes in bytes of an ELF header, a program header, a section header.
const EHDR: u64 = 64;
const PHDR: u64 = 56;
const SHDR: u64 = 64;

/// What a piece of memory may be used for (`PF_R` and so on).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// Read.
    Read,
    /// Read and written.
    ReadWrite,
    /// Read and executed.
    ReadExecute,
}

impl Access {
    /// That of a mapping; what may not even be read counts as readable, as in the kernel's own cores.
    #[must_use]
    pub fn of(mapping: &Mapping) -> Self {
        match (mapping.writable, mapping.executable) {
            (true, _) => Self::ReadWrite,
            (false, true) => Self::ReadExecute,
            (false, false) => Self::Read,
        }
    }

    fn flags(self) -> u32 {
        match self {
            Self::Read => 4,
            Self::ReadWrite => 6,
            Self::ReadExecute => 5,
        }
    }
}

/// Why a piece of memory is not all there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// The file has reached its bound.
    Full,
    /// The caller wished it: no time is left, or the process has ended.
    Told,
}

/// How far a piece of memory is to be added.
#[derive(Clone, Copy)]
pub struct Bounds<'a> {
    /// Most bytes of memory in the file, all that was added before included; holes cost nothing.
    pub max_bytes: u64,
    /// Asked before every read of a mebibyte, and may end it.
    pub go_on: &'a dyn Fn() -> bool,
}

impl Bounds<'_> {
    /// None.
    pub const NONE: Self = Self { max_bytes: u64::MAX, go_on: &|| true };
}

/// What became of a piece of memory, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Added {
    /// In the file, holes included.
    pub held: u64,
    /// Could not be read.
    pub absent: u64,
    /// Why it ends early, if it does.
    pub cut: Option<Cut>,
}

/// Who was running, for debuggers.
#[derive(Clone, Copy, Debug)]
pub struct CoreProcess<'a> {
    /// Its processor.
    pub arch: Arch,
    /// Process number.
    pub pid: i32,
    /// Name of the executable; the first 15 bytes are kept.
    pub name: &'a str,
    /// Where its threads stood.
    pub threads: &'a [ThreadRegisters],
    /// `/proc/PID/auxv`, or what is known of it.
    pub auxv: &'a [u8],
    /// Its memory map, of which the files are kept.
    pub mappings: &'a [Mapping],
}

/// A note of the caller's own: its type, which the caller defines, and its bytes.
pub type OwnNote<'a> = (u32, &'a [u8]);

/// A segment of the file.
#[derive(Clone, Copy, Debug)]
struct Segment {
    vaddr: u64,
    len: u64,
    offset: u64,
    access: Access,
    /// Whether its place in the file is, within a page, that of its address.
    aligned: bool,
}

/// A core file in the making. Dropped without [`CoreWriter::finish`] it is not one.
#[derive(Debug)]
pub struct CoreWriter<W> {
    out: W,
    /// Where the next byte goes.
    at: u64,
    /// Bytes of a hole that were not sought over yet.
    hole: u64,
    segments: Vec<Segment>,
    written: u64,
    chunk: Vec<u8>,
}

impl<W: Write + Seek> CoreWriter<W> {
    /// A file, from its start on.
    ///
    /// # Errors
    /// The system's error.
    pub fn begin(mut out: W) -> io::Result<Self> {
        // Its header is written last.
        out.seek(SeekFrom::Start(EHDR))?;
        let chunk = vec![0; CHUNK as usize];
        Ok(Self { out, at: EHDR, hole: 0, segments: Vec::new(), written: 0, chunk })
    }

    /// Adds what `memory` holds of `range`, which must not overlap with what was added before.
    ///
    /// # Errors
    /// The system's error in writing: a full disk, most likely. What cannot be read is none.
    pub fn add(
        &mut self,
        range: AddrRange,
        access: Access,
        memory: &dyn Memory,
        bounds: Bounds<'_>,
    ) -> io::Result<Added> {
        let mut added = Added::default();
        let mut chunk = std::mem::take(&mut self.chunk);
        let mut here = range.start.0;
        while here < range.end.0 {
            let end = range.end.0.min((here / CHUNK * CHUNK).saturating_add(CHUNK));
            if !(bounds.go_on)() {
                added.cut = Some(Cut::Told);
                break;
            }
            let Some(bytes) = chunk.get_mut(..(end - here) as usize) else { break };
            if memory.read(Addr(here), bytes).is_ok() {
                self.append(here, bytes, access, bounds, &mut added)?;
            } else {
                self.add_by_pages(here, bytes, access, (memory, bounds), &mut added)?;
            }
            if added.cut.is_some() {
                break;
            }
            here = end;
        }
        self.chunk = chunk;
        Ok(added)
    }

    /// Adds zeros that need not be read: whole pages that the process never touched. They are holes of the
    /// file, and count for no bytes. A range that is not of whole pages is left out.
    pub fn add_zeros(&mut self, range: AddrRange, access: Access) {
        let whole = range.start.0.is_multiple_of(PAGE) && range.end.0.is_multiple_of(PAGE) && !range.is_empty();
        if !whole {
            return;
        }
        let (vaddr, len) = (range.start.0, range.len());
        match self.segments.last_mut() {
            Some(last) if last.aligned && last.access == access && last.vaddr + last.len == vaddr => last.len += len,
            // Behind what is packed a hole has no place.
            _ => self.begin_segment(vaddr, len, access, true),
        }
        self.hole = self.hole.saturating_add(len);
        self.at = self.at.saturating_add(len);
    }

    /// What can be read of a chunk that cannot be read as a whole.
    fn add_by_pages(
        &mut self,
        first: u64,
        chunk: &mut [u8],
        access: Access,
        (memory, bounds): (&dyn Memory, Bounds<'_>),
        added: &mut Added,
    ) -> io::Result<()> {
        let mut here = first;
        let mut rest = chunk;
        while !rest.is_empty() && added.cut.is_none() {
            let n = rest.len().min((PAGE - here % PAGE) as usize);
            let (page, tail) = rest.split_at_mut(n);
            if memory.read(Addr(here), page).is_ok() {
                self.append(here, page, access, bounds, added)?;
            } else {
                added.absent += n as u64;
            }
            here += n as u64;
            rest = tail;
        }
        Ok(())
    }

    /// Writes bytes at an address, pages of zeros as holes.
    fn append(
        &mut self,
        mut vaddr: u64,
        mut bytes: &[u8],
        access: Access,
        bounds: Bounds<'_>,
        added: &mut Added,
    ) -> io::Result<()> {
        while !bytes.is_empty() {
            let (n, zero) = run(vaddr, bytes);
            let (part, tail) = bytes.split_at(n);
            if !zero && self.written.saturating_add(n as u64) > bounds.max_bytes {
                added.cut = Some(Cut::Full);
                return Ok(());
            }
            let aligned = self.place(vaddr, n as u64, access)?;
            // Zeros that do not fill pages of the file are no hole.
            if zero && aligned {
                self.hole += n as u64;
                self.at += n as u64;
            } else {
                self.put(part)?;
                self.written += n as u64;
            }
            added.held += n as u64;
            vaddr += n as u64;
            bytes = tail;
        }
        Ok(())
    }

    /// Makes the file's end the place of `len` bytes at `vaddr`: the last segment goes on, or a new one
    /// begins. Gives whether the place is aligned as the address is.
    fn place(&mut self, vaddr: u64, len: u64, access: Access) -> io::Result<bool> {
        if let Some(last) = self.segments.last_mut()
            && last.vaddr + last.len == vaddr
            && last.access == access
        {
            last.len += len;
            return Ok(last.aligned);
        }
        // What is smaller than a page is packed: a page of the file for each would be a hundred times its
        // size.
        let aligned = len >= PAGE - vaddr % PAGE && len >= PAGE / 2;
        self.begin_segment(vaddr, len, access, aligned);
        Ok(aligned)
    }

    fn begin_segment(&mut self, vaddr: u64, len: u64, access: Access, aligned: bool) {
        if aligned {
            let skip = (vaddr % PAGE + PAGE - self.at % PAGE) % PAGE;
            self.hole += skip;
            self.at += skip;
        }
        self.segments.push(Segment { vaddr, len, offset: self.at, access, aligned });
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.hole > 0 {
            self.out.seek(SeekFrom::Current(self.hole.cast_signed()))?;
            self.hole = 0;
        }
        self.out.write_all(bytes)?;
        self.at += bytes.len() as u64;
        Ok(())
    }

    /// The memory that the file holds so far.
    #[must_use]
    pub fn held(&self) -> Ranges {
        Ranges::union(self.segments.iter().map(|s| AddrRange::sized(Addr(s.vaddr), s.len)))
    }

    /// Bytes of memory that were written: what the file takes of the disk, about.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Writes notes, program headers and, last, the header. Syncing is the caller's business.
    ///
    /// # Errors
    /// The system's error.
    pub fn finish(mut self, process: &CoreProcess<'_>, own: &[OwnNote<'_>]) -> io::Result<W> {
        self.segments.sort_unstable_by_key(|s| s.vaddr);
        let notes_at = self.align(4);
        self.write_notes(process, own)?;
        let notes_len = self.at - notes_at;
        let headers_at = self.align(8);
        let segments = std::mem::take(&mut self.segments);
        self.put(&program_header(4, 0, notes_at, 0, notes_len, 4))?;
        for s in &segments {
            let align = if s.aligned { PAGE } else { 1 };
            self.put(&program_header(1, s.access.flags(), s.offset, s.vaddr, s.len, align))?;
        }
        let count = segments.len() as u64 + 1;
        let many = count >= u64::from(object::elf::PN_XNUM);
        let sections_at = if many { self.at } else { 0 };
        if many {
            // How many there are stands in `sh_info` of the first section header (`elf(5)`, "PN_XNUM").
            let mut section = [0; SHDR as usize];
            put32(&mut section, 44, count as u32);
            self.put(&section)?;
        }
        self.out.seek(SeekFrom::Start(0))?;
        self.out.write_all(&header(process.arch, headers_at, count, sections_at))?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn align(&mut self, to: u64) -> u64 {
        let skip = (to - self.at % to) % to;
        self.hole += skip;
        self.at += skip;
        self.at
    }

    fn write_notes(&mut self, process: &CoreProcess<'_>, own: &[OwnNote<'_>]) -> io::Result<()> {
        const CORE: &[u8] = b"CORE\0";
        // The first thread is the one that debuggers show.
        let main = |t: &&ThreadRegisters| t.tid == process.pid;
        let (first, others): (Vec<_>, Vec<_>) = process.threads.iter().partition(main);
        for (i, thread) in first.into_iter().chain(others).enumerate() {
            self.put_note(CORE, NT_PRSTATUS, &prstatus(process.arch, thread))?;
            if i == 0 {
                self.put_note(CORE, NT_PRPSINFO, &prpsinfo(process))?;
            }
        }
        if process.threads.is_empty() {
            self.put_note(CORE, NT_PRPSINFO, &prpsinfo(process))?;
        }
        if !process.auxv.is_empty() {
            self.put_note(CORE, NT_AUXV, process.auxv)?;
        }
        let files = files(process.mappings);
        if !files.is_empty() {
            self.put_note(CORE, NT_FILE, &files)?;
        }
        own.iter().try_for_each(|(kind, body)| self.put_note(OWNER, *kind, body))
    }

    /// Name and description are padded to 4 bytes each (`elf(5)`, "Notes").
    fn put_note(&mut self, name: &[u8], kind: u32, body: &[u8]) -> io::Result<()> {
        let len = u32::try_from(body.len())
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "a note of more than 4 GiB"))?;
        for word in [name.len() as u32, len, kind] {
            self.put(&word.to_le_bytes())?;
        }
        for part in [name, body] {
            self.put(part)?;
            self.put([0; 3].get(..part.len().next_multiple_of(4) - part.len()).unwrap_or_default())?;
        }
        Ok(())
    }
}

/// How many bytes from the start are alike, and whether they are whole pages of zeros.
fn run(vaddr: u64, bytes: &[u8]) -> (usize, bool) {
    const ZEROS: [u8; PAGE as usize] = [0; PAGE as usize];
    let page = |at: usize| {
        let n = (bytes.len() - at).min((PAGE - (vaddr + at as u64) % PAGE) as usize);
        let zero = n == ZEROS.len() && bytes.get(at..at + n).is_some_and(|p| p == ZEROS);
        (n, zero)
    };
    let (mut len, zero) = page(0);
    while len < bytes.len() {
        let (n, next) = page(len);
        if next != zero {
            break;
        }
        len += n;
    }
    (len, zero)
}

fn header(arch: Arch, headers_at: u64, count: u64, sections_at: u64) -> Vec<u8> {
    let many = sections_at > 0;
    let phnum = if many { u64::from(object::elf::PN_XNUM) } else { count };
    let mut b = b"\x7fELF\x02\x01\x01".to_vec();
    b.resize(16, 0);
    for (value, len) in [
        (u64::from(object::elf::ET_CORE.0), 2),
        (u64::from(arch.elf_machine()), 2),
        (1, 4),
        (0, 8),
        (headers_at, 8),
        (sections_at, 8),
        (0, 4),
        (EHDR, 2),
        (PHDR, 2),
        (phnum, 2),
        (SHDR, 2),
        (u64::from(many), 2),
        (0, 2),
    ] {
        b.extend(value.to_le_bytes().iter().take(len));
    }
    b
}

fn program_header(kind: u32, flags: u32, offset: u64, vaddr: u64, len: u64, align: u64) -> Vec<u8> {
    let first = u64::from(kind) | u64::from(flags) << 32;
    [first, offset, vaddr, 0, len, len, align].iter().flat_map(|w| w.to_le_bytes()).collect()
}

/// `struct elf_prstatus` of a thread of which stack pointer and program counter are known; the other general
/// registers are 0 where they were not to be had.
fn prstatus(arch: Arch, thread: &ThreadRegisters) -> Vec<u8> {
    let place = arch.prstatus();
    let mut note = vec![0; place.size];
    let mut put = |at: usize, bytes: &[u8]| {
        if let Some(place) = note.get_mut(at..at + bytes.len()) {
            place.copy_from_slice(bytes);
        }
    };
    put(place.pid, &thread.tid.to_le_bytes());
    put(place.sp, &thread.sp.0.to_le_bytes());
    put(place.pc, &thread.pc.0.to_le_bytes());
    let (first, n) = place.general;
    for (i, word) in thread.general.iter().flatten().take(n).enumerate() {
        put(first + i * 8, &word.to_le_bytes());
    }
    place.fixed.iter().for_each(|(at, value)| put(*at, &value.to_le_bytes()));
    note
}

/// `struct elf_prpsinfo` (`include/linux/elfcore.h`): the state's letter, ids, the name; arguments are left
/// empty.
fn prpsinfo(process: &CoreProcess<'_>) -> Vec<u8> {
    let mut b = vec![0; 136];
    if let Some(state) = b.get_mut(1) {
        *state = b'R';
    }
    put32(&mut b, 24, process.pid.cast_unsigned());
    let name = process.name.as_bytes();
    for (to, from) in b.iter_mut().skip(40).zip(name.iter().take(15)) {
        *to = *from;
    }
    b
}

/// `NT_FILE`: count, page size, then (start, end, page offset) each, then the paths. Empty if there is none.
fn files(mappings: &[Mapping]) -> Vec<u8> {
    let of_files: Vec<&Mapping> = mappings.iter().filter(|m| m.inode != 0 && m.path.starts_with('/')).collect();
    if of_files.is_empty() {
        return Vec::new();
    }
    let mut words = vec![of_files.len() as u64, PAGE];
    words.extend(of_files.iter().flat_map(|m| [m.range.start.0, m.range.end.0, m.offset / PAGE]));
    let mut b: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
    for m in of_files {
        b.extend(m.path.as_bytes());
        b.push(0);
    }
    b
}

fn put32(b: &mut [u8], at: usize, value: u32) {
    if let Some(place) = b.get_mut(at..at + 4) {
        place.copy_from_slice(&value.to_le_bytes());
    }
}
