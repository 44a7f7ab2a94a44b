//! linux/amd64.

use super::prstatus::Prstatus;

/// As messages name it.
pub(crate) const NAME: &str = "linux/amd64";
/// As ELF files name it.
pub(crate) const ELF_ARCHITECTURE: object::Architecture = object::Architecture::X86_64;
/// The same in a file that we write (`e_machine`).
pub(crate) const ELF_MACHINE: u16 = 62;
/// The page size of its kernels in bytes: there is no other.
pub(crate) const PAGE: u64 = 4096;

/// `pr_reg` begins at 112 and is a `user_regs_struct`: 27 words of 8 bytes, the first 15 from r15 to
/// rdi, rip the 17th, rsp the 20th. `cs`
/// and `ss` say 64-bit user mode: with others a debugger takes a thread for one of 32 bits.
pub(crate) const PRSTATUS: Prstatus = Prstatus {
    pid: 32,
    pc: 112 + 16 * 8,
    sp: 112 + 19 * 8,
    general: (112, 15),
    size: 336,
    fixed: &[(112 + 17 * 8, 0x33), (112 + 20 * 8, 0x2b)],
};
