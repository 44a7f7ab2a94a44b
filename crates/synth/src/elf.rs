//! The process's executable and its core file, written as the linker and the kernel write them (`elf(5)`).

use lastgasp_inferior::Addr;

use crate::flavour::Flavour;
use crate::layout::put;
use crate::process::{Process, VARIABLES, VARIABLES_LEN};
use crate::tables::{TEXT, return_address};

const MODULE: u64 = 0x5f_0000;
const NOTE: u64 = 0x4f_0000;
const PAGE: u64 = 4096;
/// Bits of `p_flags` (`elf.h`).
const READ: u64 = 4;
const WRITE: u64 = 2;
const EXECUTE: u64 = 1;
/// Values of `p_type` (`elf.h`).
const PT_LOAD: u64 = 1;
const PT_NOTE: u64 = 4;
/// Bytes of the file header, a program header, a section header, a symbol.
const EHDR: usize = 64;
const PHDR: usize = 56;
const SHDR: usize = 64;

/// A segment: type, flags, address, bytes.
type Segment = (u64, u64, u64, Vec<u8>);
/// A section: name, type, address, length or bytes of its own.
type Section<'a> = (&'a str, u32, u64, Content);

enum Content {
    /// So many bytes of a segment.
    Loaded(u64),
    /// Bytes of its own, not loaded into the process.
    Own(Vec<u8>),
}

impl Process {
    /// The executable: code, tables, types, module data, build information and a build id; with a symbol
    /// table, or stripped.
    #[must_use]
    pub fn image(&self, flavour: Flavour, stripped: bool) -> Vec<u8> {
        let text = self.span(TEXT, self.at.etext.0);
        let tables_end = self.at.gofunc.0 + 64;
        let tables = self.span(self.at.pc_header.0, tables_end);
        let types = self.span(self.at.types.0.0, self.at.types.0.0 + self.at.types.1);
        let mut data = self.span(MODULE, MODULE + flavour.offsets().module_size as u64);
        data.resize(data.len().next_multiple_of(16), 0);
        let (info_at, info) = (MODULE + data.len() as u64, build_info(flavour));
        data.extend(&info);
        let note = note(3, b"GNU\0", &[0xab; 20]);
        let (text_len, table_len, note_len) = (text.len() as u64, tables.len() as u64, note.len() as u64);
        let segments = vec![
            (PT_LOAD, READ | EXECUTE, TEXT, text),
            (PT_LOAD, READ, NOTE, note.clone()),
            (PT_NOTE, READ, NOTE, note),
            (PT_LOAD, READ, self.at.pc_header.0, tables),
            (PT_LOAD, READ, self.at.types.0.0, types),
            (PT_LOAD, READ | WRITE, MODULE, data),
        ];
        let module = if flavour == Flavour::Go22 { ".noptrdata" } else { ".go.module" };
        let mut sections: Vec<Section<'_>> = vec![
            (".text", 1, TEXT, Content::Loaded(text_len)),
            (".note.gnu.build-id", 7, NOTE, Content::Loaded(note_len)),
            (".gopclntab", 1, self.at.pc_header.0, Content::Loaded(table_len)),
            (module, 1, MODULE, Content::Loaded(flavour.offsets().module_size as u64)),
            (".go.buildinfo", 1, info_at, Content::Loaded(info.len() as u64)),
        ];
        if !stripped {
            let (symbols, strings) = self.symbols();
            sections.push((".symtab", 2, 0, Content::Own(symbols)));
            sections.push((".strtab", 3, 0, Content::Own(strings)));
        }
        write(2, TEXT, &segments, sections)
    }

    /// The core file: notes (a thread, the process, its entry point, the mapped executable) and all memory
    /// but the executable's own pages.
    #[must_use]
    pub fn core(&self) -> Vec<u8> {
        let mut prstatus = vec![0; 336];
        put(&mut prstatus, 32, 4711);
        put(&mut prstatus, 240, return_address(0).0);
        let mut prpsinfo = vec![0; 136];
        put(&mut prpsinfo, 24, 4711);
        let words = |w: &[u64]| w.iter().flat_map(|w| w.to_le_bytes()).collect::<Vec<u8>>();
        let mut files = words(&[1, PAGE, TEXT, MODULE + PAGE, 0]);
        files.extend(b"/srv/synth\0");
        let mut notes = Vec::new();
        for (kind, body) in [(1, prstatus), (3, prpsinfo), (6, words(&[9, TEXT, 0, 0])), (0x4649_4c45, files)] {
            notes.extend(note(kind, b"CORE\0", &body));
        }
        let mut segments: Vec<Segment> = vec![(PT_NOTE, READ, 0, notes)];
        let id = note(3, b"GNU\0", &[0xab; 20]);
        segments.push((PT_LOAD, READ, NOTE, id));
        let held = self.regions.iter().filter(|r| r.0 >= MODULE);
        segments.extend(held.map(|(at, bytes)| (PT_LOAD, READ | WRITE, *at, bytes.clone())));
        write(4, 0, &segments, Vec::new())
    }

    /// Adds `moduledata` (`runtime/symtab.go`); after all that it points to.
    pub fn with_module(&mut self, flavour: Flavour) {
        let o = flavour.offsets();
        let mut b = vec![0; o.module_size];
        let at = self.at;
        put(&mut b, 0, at.pc_header.0);
        for (offset, table) in
            [(8, at.funcnametab), (32, at.cutab), (56, at.filetab), (80, at.pctab), (104, at.pclntable), (128, at.ftab)]
        {
            for (field, word) in [table.0.0, table.1, table.1].into_iter().enumerate() {
                put(&mut b, offset + field * 8, word);
            }
        }
        // minpc, maxpc, text, etext; noptrdata to enoptrbss in pairs.
        for (i, word) in [at.text.0, at.etext.0, at.text.0, at.etext.0, VARIABLES].into_iter().enumerate() {
            put(&mut b, 160 + i * 8, word);
        }
        for i in 0..7 {
            put(&mut b, 200 + i * 8, VARIABLES + VARIABLES_LEN);
        }
        put(&mut b, 296, at.types.0.0);
        put(&mut b, o.etypes, at.types.0.0 + at.types.1);
        put(&mut b, o.gofunc, at.gofunc.0);
        self.regions.push((MODULE, b));
        self.regions.sort_by_key(|r| r.0);
    }

    /// Where the module data stands.
    #[must_use]
    pub fn module_data() -> Addr {
        Addr(MODULE)
    }

    /// Bytes from `start` to `end`, zeros where there is nothing.
    fn span(&self, start: u64, end: u64) -> Vec<u8> {
        let mut out = vec![0; (end - start) as usize];
        for (at, bytes) in self.regions.iter().filter(|r| (start..end).contains(&r.0)) {
            for (to, from) in out.iter_mut().skip((at - start) as usize).zip(bytes) {
                *to = *from;
            }
        }
        out
    }

    /// `.symtab` and `.strtab` of the runtime's variables.
    fn symbols(&self) -> (Vec<u8>, Vec<u8>) {
        let at = self.at;
        let (mut table, mut strings) = (vec![0; 24], vec![0]);
        for (name, value) in [
            ("runtime.mbuckets", at.mbuckets),
            ("runtime.mProfCycle", at.mprof_cycle),
            ("runtime.MemProfileRate", at.mem_profile_rate),
            ("runtime.allglen", at.allglen),
            ("runtime.allgptr", at.allgptr),
            ("runtime.allm", at.allm),
            ("runtime.mheap_", at.mheap),
            ("runtime.gcController", at.gc_controller),
            ("runtime.memstats", at.memstats),
            ("runtime.gcphase", at.gcphase),
        ] {
            let mut s = vec![0; 24];
            // st_name, st_info (global object), st_other, st_shndx 1.
            put(&mut s, 0, strings.len() as u64 | 0x11 << 32 | 1 << 48);
            put(&mut s, 8, value.0);
            put(&mut s, 16, 8);
            table.extend(s);
            strings.extend(name.as_bytes());
            strings.push(0);
        }
        (table, strings)
    }
}

/// `.go.buildinfo` (`cmd/link/internal/ld/data.go`): magic, pointer size, flag "inline", then two strings
/// with their lengths.
fn build_info(flavour: Flavour) -> Vec<u8> {
    let mut b = b"\xff Go buildinf:\x08\x02".to_vec();
    b.resize(32, 0);
    let version: &[u8] = if flavour == Flavour::Go22 { b"go1.22.0" } else { b"go1.27.0" };
    let info = b"0123456789abcdefpath\tsynth\nmod\tsynth\tv1.0.0\t\n0123456789abcdef";
    for text in [version, info.as_slice()] {
        b.push(text.len() as u8);
        b.extend(text);
    }
    b
}

fn note(kind: u32, name: &[u8], body: &[u8]) -> Vec<u8> {
    let mut b = Vec::new();
    for word in [name.len() as u32, body.len() as u32, kind] {
        b.extend(word.to_le_bytes());
    }
    for part in [name, body] {
        b.extend(part);
        b.resize(b.len().next_multiple_of(4), 0);
    }
    b
}

/// An ELF file of `kind` (2: executable, 4: core).
fn write(kind: u16, entry: u64, segments: &[Segment], mut sections: Vec<Section<'_>>) -> Vec<u8> {
    let mut names = vec![0];
    if !sections.is_empty() {
        sections.push((".shstrtab", 3, 0, Content::Own(Vec::new())));
    }
    let mut body: Vec<u8> = Vec::new();
    let head = EHDR + segments.len() * PHDR;
    let mut programs = Vec::new();
    let mut placed = Vec::new();
    for (kind, flags, vaddr, bytes) in segments {
        let (offset, len) = ((head + body.len()) as u64, bytes.len() as u64);
        for word in [kind | flags << 32, offset, *vaddr, *vaddr, len, len, 4] {
            programs.extend(word.to_le_bytes());
        }
        if *kind == PT_LOAD {
            placed.push((*vaddr, len, offset));
        }
        body.extend(bytes);
    }
    let strtab = sections.iter().position(|s| s.0 == ".strtab").map_or(0, |i| i + 1);
    let mut headers = vec![0; SHDR];
    for (name, kind, vaddr, content) in &sections {
        let named = names.len() as u64;
        names.extend(name.as_bytes());
        names.push(0);
        let (offset, len) = match content {
            Content::Loaded(len) => {
                let at = placed.iter().find(|p| (p.0..p.0 + p.1).contains(vaddr));
                (at.map_or(0, |p| p.2 + (vaddr - p.0)), *len)
            }
            Content::Own(bytes) => {
                let bytes = if *name == ".shstrtab" { &names } else { bytes };
                body.extend(bytes);
                ((head + body.len() - bytes.len()) as u64, bytes.len() as u64)
            }
        };
        let mut h = vec![0; SHDR];
        put(&mut h, 0, named | u64::from(*kind) << 32);
        for (i, word) in [2, *vaddr, offset, len].into_iter().enumerate() {
            put(&mut h, 8 + i * 8, word);
        }
        if *name == ".symtab" {
            put(&mut h, 40, strtab as u64 | 1 << 32);
            put(&mut h, 56, 24);
        }
        headers.extend(h);
    }
    let mut file = b"\x7fELF\x02\x01\x01".to_vec();
    file.resize(16, 0);
    let section_count = if sections.is_empty() { 0 } else { sections.len() as u64 + 1 };
    let section_at = if sections.is_empty() { 0 } else { (head + body.len()) as u64 };
    for (value, len) in [
        (u64::from(kind), 2),
        (62, 2),
        (1, 4),
        (entry, 8),
        (EHDR as u64, 8),
        (section_at, 8),
        (0, 4),
        (EHDR as u64, 2),
        (PHDR as u64, 2),
        (segments.len() as u64, 2),
        (SHDR as u64, 2),
        (section_count, 2),
        (section_count.saturating_sub(1), 2),
    ] {
        file.extend(value.to_le_bytes().iter().take(len));
    }
    file.extend(programs);
    file.extend(body);
    if section_count > 0 {
        file.extend(headers);
    }
    file
}
