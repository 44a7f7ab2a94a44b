//! The program's functions, and those of the runtime's among them that compiled code calls.

use lastgasp_inferior::{Addr, Memory};
use rustc_hash::FxHashMap;

use super::callees::Callee;
use crate::arch::{self, Step};
use crate::binary::functab::each_function;
use crate::runtime::Runtime;

/// Most functions that are looked at; large services have some 200,000.
const MAX_FUNCTIONS: u64 = 1 << 20;
/// Largest table of names that is read, in bytes.
const MAX_NAMES: usize = 256 << 20;
/// Most code of one function, in bytes: what is longer was generated, and is a table rather than code.
const MAX_CODE: u64 = 64 << 10;

/// All functions of a program.
pub(super) struct Functions {
    /// Start and length of their code, by address.
    all: Vec<(Addr, u64)>,
    callees: FxHashMap<Addr, Callee>,
    /// Where `duffzero` and `duffcopy` stand, into the middle of which code calls.
    duff: Vec<(Addr, u64)>,
}

impl Functions {
    pub(super) fn read(rt: &Runtime, mem: &dyn Memory) -> Self {
        let (table, len) = rt.module.funcnametab;
        let names = usize::try_from(len).ok().and_then(|len| mem.bytes(table, len, MAX_NAMES).ok()).unwrap_or_default();
        let mut found = Self { all: Vec::new(), callees: FxHashMap::default(), duff: Vec::new() };
        each_function(mem, &rt.module, rt.layout, MAX_FUNCTIONS, |entry, len, name| {
            found.all.push((entry, len));
            let Some(name) = names.get(name as usize..).filter(|n| n.starts_with(b"runtime.")) else { return };
            let end = memchr::memchr(0, name.get(..256).unwrap_or(name)).unwrap_or(0);
            let Some(name) = name.get(..end).and_then(|n| std::str::from_utf8(n).ok()) else { return };
            if let Some(callee) = Callee::of(name, rt.version.minor) {
                found.callees.insert(entry, callee);
                if name.starts_with("runtime.duff") {
                    found.duff.push((entry, len));
                }
            }
        });
        found
    }

    pub(super) fn all(&self) -> &[(Addr, u64)] {
        &self.all
    }

    /// What the function at an address is to its callers.
    pub(super) fn callee(&self, at: Addr) -> Option<Callee> {
        if let Some(callee) = self.callees.get(&at) {
            return Some(*callee);
        }
        let (start, _) = self.duff.iter().find(|(start, len)| at.0.wrapping_sub(start.0) < *len)?;
        self.callees.get(start).copied()
    }

    /// The function that an address lies in.
    pub(super) fn at(&self, pc: Addr) -> Option<(Addr, u64)> {
        let index = self.all.partition_point(|(start, _)| *start <= pc).checked_sub(1)?;
        self.all.get(index).copied().filter(|(start, len)| pc.0.wrapping_sub(start.0) < *len)
    }
}

/// The instructions of a function; `None` where it is too long or cannot be read.
pub(super) fn steps(rt: &Runtime, mem: &dyn Memory, (entry, len): (Addr, u64)) -> Option<Vec<Step>> {
    let bytes = mem.bytes(entry, usize::try_from(len).ok()?, MAX_CODE as usize).ok()?;
    Some((arch::of(rt.arch).steps)(&bytes, entry))
}
