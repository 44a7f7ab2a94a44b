//! linux/amd64.

use nix::libc::user_regs_struct;

use super::Prstatus;
use crate::{Addr, ThreadRegisters};

/// As messages name it.
pub(crate) const NAME: &str = "linux/amd64";
/// As ELF files name it.
pub(crate) const ELF_ARCHITECTURE: object::Architecture = object::Architecture::X86_64;
/// The same in a file that we write (`e_machine`).
pub(crate) const ELF_MACHINE: u16 = 62;
/// The kernel's page size in bytes.
pub(crate) const PAGE: u64 = 4096;

/// `pr_reg` begins at 112 and is a `user_regs_struct`: 27 words of 8 bytes, rip the 17th, rsp the 20th.
pub(crate) const PRSTATUS: Prstatus = Prstatus { pid: 32, pc: 112 + 16 * 8, sp: 112 + 19 * 8 };

/// Bytes of `struct elf_prstatus`.
const PRSTATUS_SIZE: usize = 336;
/// `cs` and `ss` in `pr_reg`, and what they are in 64-bit user mode: a debugger takes a thread with others for one of 32 bits.
const SEGMENTS: [(usize, u64); 2] = [(112 + 17 * 8, 0x33), (112 + 20 * 8, 0x2b)];

/// The note of a thread of which program counter and stack pointer are known; all other registers are 0.
pub(crate) fn prstatus(thread: &ThreadRegisters) -> Vec<u8> {
    let mut note = vec![0; PRSTATUS_SIZE];
    let mut put = |at: usize, bytes: &[u8]| {
        if let Some(place) = note.get_mut(at..at + bytes.len()) {
            place.copy_from_slice(bytes);
        }
    };
    put(PRSTATUS.pid, &thread.tid.to_le_bytes());
    put(PRSTATUS.pc, &thread.pc.0.to_le_bytes());
    put(PRSTATUS.sp, &thread.sp.0.to_le_bytes());
    SEGMENTS.iter().for_each(|(at, value)| put(*at, &value.to_le_bytes()));
    note
}

/// Program counter and stack pointer of what ptrace gives.
pub(crate) fn user_registers(regs: &user_regs_struct) -> (Addr, Addr) {
    (Addr(regs.rip), Addr(regs.rsp))
}
