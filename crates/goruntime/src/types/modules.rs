//! Where descriptors may stand: the `types` section of each module. Source: `runtime/symtab.go`
//! (`moduledata`), `runtime/type.go` (`resolveNameOff`).

use lastgasp_inferior::{Addr, AddrRange, Memory};

use crate::runtime::Runtime;

/// Most modules that are followed: a program has one, and one more for each plugin.
const MAX_MODULES: usize = 256;

/// The sections of all modules with types.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Modules {
    types: Vec<AddrRange>,
}

impl Modules {
    /// Those of a process: the program's, and those of its plugins.
    #[must_use]
    pub fn read(rt: &Runtime, mem: &dyn Memory) -> Self {
        let mut types = vec![rt.module.types];
        let l = &rt.layout.moduledata;
        let mut seen = vec![rt.module.at];
        let next = |at: Addr| mem.ptr(at.plus(l.next)).ok();
        let mut at = if rt.module.at.is_null() { None } else { next(rt.module.at) };
        while let Some(module) = at.filter(|m| !m.is_null() && seen.len() < MAX_MODULES && !seen.contains(m)) {
            seen.push(module);
            let word = |offset: u64| mem.ptr(module.plus(offset)).ok();
            if let (Some(start), Some(end)) = (word(l.types), word(l.etypes)) {
                types.push(AddrRange { start, end });
            }
            at = next(module);
        }
        types.retain(|r| !r.is_empty());
        Self { types }
    }

    /// One module's, with its types there.
    #[cfg(test)]
    pub(crate) fn in_section(types: AddrRange) -> Self {
        Self { types: vec![types] }
    }

    /// The sections of all modules.
    #[must_use]
    pub fn sections(&self) -> &[AddrRange] {
        &self.types
    }

    /// The section of types that an address lies in.
    #[must_use]
    pub fn types_of(&self, at: Addr) -> Option<AddrRange> {
        self.types.iter().copied().find(|r| r.contains(at))
    }

    /// The sections of types, the program's own first.
    #[must_use]
    pub fn types(&self) -> &[AddrRange] {
        &self.types
    }
}
