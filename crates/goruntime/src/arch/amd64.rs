//! linux/amd64: the runtime's constants, how code names variables, where the kernel saves registers for a
//! signal handler.

use iced_x86::{Decoder, DecoderOptions, Instruction, Mnemonic, Register};
use lastgasp_inferior::Addr;

use super::go_arch::{GoArch, MemoryOperand};

/// linux/amd64.
pub(crate) static GO_ARCH: GoArch = GoArch {
    return_address_size: 8,
    frame_pointer_size: 8,
    signal_frame_sp: SIGNAL_FRAME_SP,
    signal_frame_pc: SIGNAL_FRAME_SP + 8,
    pc_quantum: 1,
    arena_base: 1 << 47,
    operands,
};

/// Where the kernel keeps the registers of what a signal interrupted, from the handler's return address on:
/// `rt_sigframe.pretcode`, then `ucontext` (`uc_flags`, `uc_link`, `uc_stack`), then `sigcontext`
/// (`r8`...`r15`, `rdi`, `rsi`, `rbp`, `rbx`, `rdx`, `rax`, `rcx`, `rsp`, `rip`).
const SIGNAL_FRAME_SP: u64 = 8 + 40 + 15 * 8;

/// The RIP-relative operands of a function's code in order; without those that fetch where the thread's own
/// variables stand from the table of offsets, which only libraries have:
/// `mov r14, [rip+x]; mov r14, fs:[r14]` loads g where a release's other link modes need no operand (oracle
/// test `go1_27_c_shared`).
fn operands(code: &[u8], entry: Addr) -> Vec<MemoryOperand> {
    let instructions: Vec<Instruction> = Decoder::with_ip(64, code, entry.0, DecoderOptions::NONE).iter().collect();
    let next = instructions.iter().skip(1).map(Some).chain([None]);
    let named = instructions.iter().zip(next).filter(|(i, next)| {
        i.is_ip_rel_memory_operand()
            && !next.is_some_and(|n| n.memory_segment() == Register::FS && n.memory_base() == i.op0_register())
    });
    named
        .map(|(i, _)| MemoryOperand { target: Addr(i.ip_rel_memory_address()), is_lea: i.mnemonic() == Mnemonic::Lea })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mov_lea_and_cmp_with_immediate() {
        // mov rax,[rip+0x10]; lea rcx,[rip+0x20]; cmp dword [rip+0x30],0: the immediate counts into the
        // instruction's length.
        let code = [0x48, 0x8b, 0x05, 0x10, 0, 0, 0, 0x48, 0x8d, 0x0d, 0x20, 0, 0, 0, 0x83, 0x3d, 0x30, 0, 0, 0, 0];
        let got = operands(&code, Addr(0x1000));
        assert_eq!(got.iter().map(|o| o.target.0).collect::<Vec<_>>(), [0x1017, 0x102e, 0x1045]);
        assert_eq!(got.iter().map(|o| o.is_lea).collect::<Vec<_>>(), [false, true, false]);
    }

    #[test]
    fn the_offset_of_a_thread_local_variable_is_no_variable() {
        // mov r14,[rip+0x10]; mov r14,fs:[r14]; mov rax,[rip+0x20]; mov r14,fs:[r14]
        let code = [
            0x4c, 0x8b, 0x35, 0x10, 0, 0, 0, 0x64, 0x4d, 0x8b, 0x36, 0x48, 0x8b, 0x05, 0x20, 0, 0, 0, 0x64, 0x4d, 0x8b,
            0x36,
        ];
        assert_eq!(operands(&code, Addr(0x1000)), [MemoryOperand { target: Addr(0x1032), is_lea: false }]);
    }
}
