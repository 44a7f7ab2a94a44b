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
    /// All names, and of each function where its own begins.
    names: (Vec<u8>, Vec<u32>),
}

impl Functions {
    pub(super) fn read(rt: &Runtime, mem: &dyn Memory) -> Self {
        let (table, len) = rt.module.funcnametab;
        let names = usize::try_from(len).ok().and_then(|len| mem.bytes(table, len, MAX_NAMES).ok()).unwrap_or_default();
        let mut found =
            Self { all: Vec::new(), callees: FxHashMap::default(), duff: Vec::new(), names: Default::default() };
        each_function(mem, &rt.module, rt.layout, MAX_FUNCTIONS, |entry, len, at| {
            found.all.push((entry, len));
            found.names.1.push(at);
            let Some(name) = name(&names, at) else { return };
            if let Some(callee) = Callee::of(name, rt.version.minor) {
                found.callees.insert(entry, callee);
                if name.starts_with("runtime.duff") {
                    found.duff.push((entry, len));
                }
            }
        });
        found.names.0 = names;
        found
    }

    /// The name of the function that begins at an address; of none, once they are forgotten.
    pub(super) fn name(&self, entry: Addr) -> Option<&str> {
        let index = self.all.binary_search_by_key(&entry, |(entry, _)| *entry).ok()?;
        name(&self.names.0, *self.names.1.get(index)?)
    }

    /// Names are needed no more.
    pub(super) fn forget_names(&mut self) {
        self.names = Default::default();
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

/// The name at an offset of the table, if it is not too long.
fn name(names: &[u8], at: u32) -> Option<&str> {
    const LONGEST: usize = 512;
    let name = names.get(at as usize..)?;
    let end = memchr::memchr(0, name.get(..LONGEST).unwrap_or(name))?;
    std::str::from_utf8(name.get(..end)?).ok()
}

/// The instructions of a function; `None` where it is too long or cannot be read.
pub(super) fn steps(rt: &Runtime, mem: &dyn Memory, (entry, len): (Addr, u64)) -> Option<Vec<Step>> {
    let bytes = mem.bytes(entry, usize::try_from(len).ok()?, MAX_CODE as usize).ok()?;
    Some((arch::of(rt.arch).steps)(&bytes, entry))
}
