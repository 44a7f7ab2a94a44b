//! `runtime.moduledata`: what the linker tells the runtime about the module. Source: `runtime/symtab.go`.

use lastgasp_inferior::{Addr, AddrRange, ElfImage, Memory, Section};

use crate::layout::Layout;

/// The fields of `moduledata` that we use, as the process has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModuleData {
    /// Where it stands; 0 where that is not known (captures saved before it was noted).
    pub at: Addr,
    /// `pcHeader`: start of pclntab.
    pub pc_header: Addr,
    /// `funcnametab`: address and length.
    pub funcnametab: (Addr, u64),
    /// `cutab`: address and number of u32.
    pub cutab: (Addr, u64),
    /// `filetab`: address and length.
    pub filetab: (Addr, u64),
    /// `pctab`: address and length.
    pub pctab: (Addr, u64),
    /// `pclntable`: address and length.
    pub pclntable: (Addr, u64),
    /// `ftab`: address and number of entries, the last of which only ends the table.
    pub ftab: (Addr, u64),
    /// Where code may be: `[minpc, maxpc)`.
    pub pcs: AddrRange,
    /// Base of function entry offsets.
    pub text: Addr,
    /// Base of funcdata offsets.
    pub gofunc: Addr,
    /// Type descriptors and their names.
    pub types: AddrRange,
    /// All of data and bss: where package-level variables stand.
    pub variables: AddrRange,
}

/// Magic of pclntab: Go 1.18-1.19, and 1.20 to at least 1.27.
const MAGICS: [u32; 2] = [0xffff_fff0, 0xffff_fff1];
/// Largest pclntab we take for real.
const MAX_TABLE: u64 = 1 << 30;

/// Finds pclntab, then the module data that points to it. Gives where it stands in the process. `constants`
/// holds what no process has changed, `mem` all.
pub(crate) fn find(
    image: &ElfImage,
    bias: u64,
    constants: &dyn Memory,
    mem: &dyn Memory,
    layout: &Layout,
) -> Result<Addr, String> {
    let mut last = "no pclntab: not a Go executable, or one whose tables are hidden (a packer)".to_owned();
    for pclntab in pclntab_candidates(image, bias, constants) {
        match find_for(image, bias, mem, layout, pclntab) {
            Ok(at) => return Ok(at),
            Err(e) => last = e,
        }
    }
    Err(last)
}

/// The module data at `at`, checked.
pub(crate) fn at(mem: &dyn Memory, layout: &Layout, at: Addr) -> Result<ModuleData, String> {
    read(mem, layout, at).and_then(|md| validate(md, mem)).map_err(|e| format!("module data at {at}: {e}"))
}

/// The section that holds pclntab, by its names.
pub(crate) fn pclntab_section(image: &ElfImage) -> Option<&Section> {
    image.sections().iter().find(|s| s.name == ".gopclntab" || s.name == ".data.rel.ro.gopclntab")
}

pub(crate) fn is_header(b: &[u8]) -> bool {
    let magic = b.get(..4).and_then(|m| m.try_into().ok()).map(u32::from_le_bytes);
    magic.is_some_and(|m| MAGICS.contains(&m)) && matches!(b.get(4..8), Some([0, 0, 1 | 2 | 4, 8]))
}

/// By section name; where the sections are gone or merged (c-shared), by the magic in the segments.
fn pclntab_candidates(image: &ElfImage, bias: u64, mem: &dyn Memory) -> Vec<Addr> {
    if let Some(s) = pclntab_section(image) {
        let at = Addr(s.range.start.0.wrapping_add(bias));
        if mem.bytes(at, 8, 8).is_ok_and(|b| is_header(&b)) {
            return vec![at];
        }
    }
    let (mut found, mut left) = (Vec::new(), MAX_SCANNED);
    for range in image.load_ranges(false).into_iter().chain(image.load_ranges(true)) {
        // All magics end alike; the instruction quantum and the pointer's size are those of amd64.
        search(mem, range, bias, (1, &[0xff, 0xff, 0xff, 0, 0, 1, 8]), &mut left, &mut found);
    }
    found.retain(|at| mem.bytes(*at, 8, 8).is_ok_and(|b| is_header(&b)));
    found
}

/// Most hits of one search.
const MAX_HITS: usize = 8;

/// Bytes of all segments together that one search goes through: as large as one pclntab may be. A sparse file
/// states a hundred segments of any size.
const MAX_SCANNED: u64 = MAX_TABLE;

/// Where `needle` stands in a range (in the file's addresses), `skip` bytes behind an address that is a
/// multiple of 8; gives those addresses. `left`: bytes that may still be searched.
fn search(
    mem: &dyn Memory,
    range: AddrRange,
    bias: u64,
    (skip, needle): (u64, &[u8]),
    left: &mut u64,
    found: &mut Vec<Addr>,
) {
    const CHUNK: u64 = 1 << 16;
    let finder = memchr::memmem::Finder::new(needle);
    let start = Addr(range.start.0.wrapping_add(bias));
    let len = range.len().min(*left);
    *left -= len;
    let mut at = 0;
    while at < len && found.len() < MAX_HITS {
        // So much more that a needle which the chunk's end cuts is found.
        let want = (CHUNK + needle.len() as u64 - 1).min(len - at) as usize;
        if let Ok(b) = mem.bytes(start.plus(at), want, want) {
            let hits = finder.find_iter(&b).filter_map(|i| start.plus(at).0.checked_add(i as u64)?.checked_sub(skip));
            found.extend(hits.filter(|a| a % 8 == 0).map(Addr).take(MAX_HITS - found.len()));
        }
        at += CHUNK;
    }
}

fn find_for(image: &ElfImage, bias: u64, mem: &dyn Memory, layout: &Layout, pclntab: Addr) -> Result<Addr, String> {
    // pcHeader.funcnameOffset is at 32 in every version since 1.18 (symtab.go, pcHeader).
    let names = mem.u64(pclntab.plus(32)).map_err(|e| e.to_string())?;
    let mut key = pclntab.0.to_le_bytes().to_vec();
    key.extend(pclntab.0.wrapping_add(names).to_le_bytes());
    let (mut found, mut left) = (Vec::new(), MAX_SCANNED);
    // From Go 1.26 the linker gives it a section of its own; before, it is among the data without pointers.
    // The segments hold large tables too.
    let likely = [".go.module", ".noptrdata", ".data"].iter().filter_map(|n| image.section(n)).map(|s| s.range);
    for range in likely.chain(image.load_ranges(true)) {
        search(mem, range, bias, (0, &key), &mut left, &mut found);
        if !found.is_empty() {
            break;
        }
    }
    let mut why = format!("no module data points to the pclntab at {pclntab}");
    for there in found {
        match at(mem, layout, there) {
            Ok(_) => return Ok(there),
            Err(e) => why = e,
        }
    }
    Err(why)
}

fn read(mem: &dyn Memory, layout: &Layout, at: Addr) -> Result<ModuleData, String> {
    let l = &layout.moduledata;
    let word = |offset: u64| mem.u64(at.plus(offset)).map_err(|e| e.to_string());
    let slice = |offset: u64| -> Result<(Addr, u64), String> { Ok((Addr(word(offset)?), word(offset + 8)?)) };
    let range =
        |a: u64, b: u64| -> Result<AddrRange, String> { Ok(AddrRange { start: Addr(word(a)?), end: Addr(word(b)?) }) };
    Ok(ModuleData {
        at,
        pc_header: Addr(word(l.pc_header)?),
        funcnametab: slice(l.funcnametab)?,
        cutab: slice(l.cutab)?,
        filetab: slice(l.filetab)?,
        pctab: slice(l.pctab)?,
        pclntable: slice(l.pclntable)?,
        ftab: slice(l.ftab)?,
        pcs: range(l.minpc, l.maxpc)?,
        text: Addr(word(l.text)?),
        gofunc: Addr(word(l.gofunc)?),
        types: range(l.types, l.etypes)?,
        variables: range(l.noptrdata, l.enoptrbss)?,
    })
}

/// As `moduledataverify1`: sizes in bounds, code where it should be, the function table's ends agreeing with
/// minpc and maxpc.
fn validate(md: ModuleData, mem: &dyn Memory) -> Result<ModuleData, String> {
    validate_sizes(&md)?;
    let first = mem.u32(md.ftab.0).map_err(|e| e.to_string())?;
    if md.text.plus(u64::from(first)) != md.pcs.start {
        return Err("the function table does not start at minpc".into());
    }
    Ok(md)
}

/// What can be said of module data without memory.
pub(crate) fn validate_sizes(md: &ModuleData) -> Result<(), String> {
    let tables = [md.funcnametab.1, md.cutab.1, md.filetab.1, md.pctab.1, md.pclntable.1, md.ftab.1];
    if tables.iter().any(|n| *n > MAX_TABLE) || md.ftab.1 < 2 {
        return Err("a table of absurd size".into());
    }
    if md.pcs.is_empty() || md.variables.is_empty() || md.text > md.pcs.start {
        return Err("text or data where none can be".into());
    }
    Ok(())
}
