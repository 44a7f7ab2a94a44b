//! All that this crate knows of a processor: its name in ELF, where a core file keeps a thread's registers, the page size. One file per architecture; the one in
//! use is chosen here and nowhere else. What Go adds to it (how code names variables, how a frame is left) stands in `goruntime/src/arch`.

mod amd64;

pub(crate) use amd64::{ELF_ARCHITECTURE, ELF_MACHINE, NAME, PAGE, PRSTATUS, prstatus, user_registers};

/// Offsets in the kernel's `struct elf_prstatus` (`include/linux/elfcore.h`), in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Prstatus {
    /// `pr_pid`: the thread.
    pub(crate) pid: usize,
    /// The stack pointer in `pr_reg`.
    pub(crate) sp: usize,
    /// The program counter in `pr_reg`.
    pub(crate) pc: usize,
}
