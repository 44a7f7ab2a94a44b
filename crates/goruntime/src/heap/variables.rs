//! Package variables as roots: the words of data and bss that the linker's own maps call pointers. Source:
//! `runtime/symtab.go` (`moduledata`: `gcdatamask`, `gcbssmask`), `runtime/mgcmark.go` (`markrootBlock`).
//!
//! What stands in `noptrdata` and `noptrbss` points to nothing of the heap.

use lastgasp_inferior::{Addr, AddrRange, Memory};

use crate::gap::Gap;
use crate::heap::bits::{Bits, word_of};
use crate::runtime::Runtime;

/// Most modules that are followed: a program has one, and one more for each plugin.
const MAX_MODULES: usize = 256;
/// Largest section that is believed, in bytes.
const MAX_SECTION: u64 = 4 << 30;
/// Bytes of a section that are read at once: 64 words of its mask.
const WINDOW: u64 = 64 * 64 * 8;
/// What is read alone when a larger piece cannot be.
const PAGE: usize = 4096;

/// A part of a module with variables that may hold pointers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VariableSection {
    /// Number of its module; the program itself is 0.
    pub module: usize,
    /// `data`: variables that begin with a value; `bss`: those that do not.
    pub name: &'static str,
    /// Its addresses.
    pub range: AddrRange,
}

/// Where a module's variables and their maps are.
struct Module {
    data: AddrRange,
    bss: AddrRange,
    /// `bitvector`: the number of bits (`int32`), and where they stand.
    data_mask: (i32, Addr),
    bss_mask: (i32, Addr),
    next: Addr,
}

impl Module {
    fn read(rt: &Runtime, mem: &dyn Memory, at: Addr) -> Result<Self, String> {
        let l = &rt.layout.moduledata;
        let word = |offset: u64| mem.ptr(at.plus(offset)).map_err(|e| e.to_string());
        let mask = |offset: u64| -> Result<(i32, Addr), String> {
            let n = mem.u32(at.plus(offset)).map_err(|e| e.to_string())?;
            Ok((n.cast_signed(), word(offset + 8)?))
        };
        Ok(Self {
            data: AddrRange { start: word(l.data)?, end: word(l.edata)? },
            bss: AddrRange { start: word(l.bss)?, end: word(l.ebss)? },
            data_mask: mask(l.gcdatamask)?,
            bss_mask: mask(l.gcbssmask)?,
            next: word(l.next)?,
        })
    }
}

/// Calls `visit` for every word of the package variables of all modules that holds a pointer, nil left out:
/// its section, where it stands, and what it holds; in the order of addresses within a section.
pub fn variable_pointers(
    rt: &Runtime,
    mem: &dyn Memory,
    gaps: &mut Vec<Gap>,
    mut visit: impl FnMut(VariableSection, Addr, Addr),
) {
    let mut at = rt.module.at;
    if at.is_null() {
        gaps.push(Gap::new("package variables", "where the module data stands was not noted"));
    }
    let mut seen = Vec::new();
    while !at.is_null() && seen.len() < MAX_MODULES && !seen.contains(&at) {
        let number = seen.len();
        seen.push(at);
        let module = match Module::read(rt, mem, at) {
            Ok(module) => module,
            Err(e) => {
                gaps.push(Gap::new("package variables", format!("module {number}: {e}")));
                break;
            }
        };
        for (name, range, mask) in [("data", module.data, module.data_mask), ("bss", module.bss, module.bss_mask)] {
            let section = VariableSection { module: number, name, range };
            if let Err(why) = each(mem, section, mask, &mut visit) {
                gaps.push(Gap::new("package variables", format!("{name} of module {number}: {why}")));
            }
        }
        at = module.next;
    }
}

fn each(
    mem: &dyn Memory,
    section: VariableSection,
    (bits, mask): (i32, Addr),
    visit: &mut impl FnMut(VariableSection, Addr, Addr),
) -> Result<(), String> {
    let range = section.range;
    let len = range.end.0.checked_sub(range.start.0).filter(|len| *len <= MAX_SECTION);
    let len = len.ok_or("its bounds make no sense")?;
    // The mask ends behind the last pointer.
    let bits = u64::try_from(bits).ok().filter(|bits| bits.saturating_mul(8) <= len.next_multiple_of(8));
    let end = bits.ok_or("its pointer map has another length")?.saturating_mul(8).min(len / 8 * 8);
    let (mut lost, mut buffer) = (0, vec![0; WINDOW as usize]);
    for from in (0..end).step_by(WINDOW as usize) {
        let n = WINDOW.min(end - from) as usize;
        let map = mem.bytes(mask.plus(from / 64), n.div_ceil(64), WINDOW as usize).map_err(|e| e.to_string())?;
        let Some(words) = buffer.get_mut(..n) else { break };
        if mem.read(range.start.plus(from), words).is_err() {
            for (i, page) in words.chunks_mut(PAGE).enumerate() {
                if mem.read(range.start.plus(from + (i * PAGE) as u64), page).is_err() {
                    page.fill(0);
                    lost += page.len();
                }
            }
        }
        for i in 0..n.div_ceil(512) {
            for bit in Bits(word_of(&map, i)) {
                let at = i * 64 + bit as usize;
                let to = word_of(words, at);
                if to != 0 && at * 8 < n {
                    visit(section, range.start.plus(from + at as u64 * 8), Addr(to));
                }
            }
        }
    }
    // A page that a core leaves out was never written (and where a core is cut short, that is said): of data
    // it is the file's, of bss nothing.
    if lost as u64 == end && end > 0 { Err("nothing of it could be read".into()) } else { Ok(()) }
}
