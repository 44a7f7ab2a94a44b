//! The processors whose processes are read.

use serde::{Deserialize, Serialize};

use super::amd64;
use super::prstatus::Prstatus;

/// A processor and its system, as an ELF file names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Arch {
    /// linux/amd64.
    Amd64,
}

impl Arch {
    /// All that are read.
    const ALL: &'static [Self] = &[Self::Amd64];

    /// The processor that an ELF file names; `None` for one that is not read.
    pub(crate) fn of(elf: object::Architecture) -> Option<Self> {
        Self::ALL.iter().copied().find(|a| a.elf() == elf)
    }

    /// Name as Go and messages give it: `linux/amd64`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Amd64 => amd64::NAME,
        }
    }

    /// The processor of that name; `None` for one that is not read.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|a| a.name() == name)
    }

    /// Names of all that are read, for messages.
    pub(crate) fn supported() -> String {
        Self::ALL.iter().map(|a| a.name()).collect::<Vec<_>>().join(", ")
    }

    fn elf(self) -> object::Architecture {
        match self {
            Self::Amd64 => amd64::ELF_ARCHITECTURE,
        }
    }

    /// Where a core file keeps a thread's registers.
    pub(crate) fn prstatus(self) -> &'static Prstatus {
        match self {
            Self::Amd64 => &amd64::PRSTATUS,
        }
    }

    /// Its number in an ELF file (`e_machine`).
    pub(crate) fn elf_machine(self) -> u16 {
        match self {
            Self::Amd64 => amd64::ELF_MACHINE,
        }
    }

    /// The smallest page that its kernels use, in bytes: for a core that does not say.
    pub(crate) fn smallest_page(self) -> u64 {
        match self {
            Self::Amd64 => amd64::PAGE,
        }
    }
}

/// The general registers of a thread beside stack pointer and program counter: words that may point to
/// something. What a processor has fewer of is 0.
pub type GeneralRegisters = [u64; 32];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_read_is_no_processor() {
        assert_eq!(Arch::of(object::Architecture::X86_64), Some(Arch::Amd64));
        for other in [object::Architecture::Aarch64, object::Architecture::X86_64_X32, object::Architecture::Unknown] {
            assert_eq!(Arch::of(other), None);
        }
        assert_eq!(Arch::supported(), "linux/amd64");
        assert_eq!((Arch::of_name("linux/amd64"), Arch::of_name("linux/mips")), (Some(Arch::Amd64), None));
    }
}
