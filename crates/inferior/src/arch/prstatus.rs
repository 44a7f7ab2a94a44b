//! What a core file keeps of a thread.

/// Offsets in the kernel's `struct elf_prstatus` (`include/linux/elfcore.h`), in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Prstatus {
    /// `pr_pid`: the thread.
    pub(crate) pid: usize,
    /// The stack pointer in `pr_reg`.
    pub(crate) sp: usize,
    /// The program counter in `pr_reg`.
    pub(crate) pc: usize,
    /// The other general registers in `pr_reg`: the first, and how many there are in a row.
    pub(crate) general: (usize, usize),
    /// Bytes of it.
    pub(crate) size: usize,
    /// Registers that a note of ours has beside these, and what they are in user mode.
    pub(crate) fixed: &'static [(usize, u64)],
}
