//! linux/amd64: the runtime's constants, how code names variables, where the kernel saves registers for a
//! signal handler.

use iced_x86::{Decoder, DecoderOptions, FlowControl, Instruction, Mnemonic, Register};
use lastgasp_inferior::Addr;

use super::go_arch::{Call, GoArch, MemoryOperand};

/// linux/amd64.
pub(crate) static GO_ARCH: GoArch = GoArch {
    return_address_size: 8,
    frame_pointer_size: 8,
    signal_frame_sp: SIGNAL_FRAME_SP,
    signal_frame_pc: SIGNAL_FRAME_SP + 8,
    pc_quantum: 1,
    arena_base: 1 << 47,
    operands,
    call_before,
    steps: super::amd64_steps::steps,
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

/// The integer registers that arguments are passed in, in order (`cmd/compile/abi-internal.md`).
const ARGUMENTS: [Register; 5] = [Register::RAX, Register::RBX, Register::RCX, Register::RDI, Register::RSI];

/// The call that returns to `returns_to`. An argument is what was last put into its register; on the way back
/// nothing is looked at behind a call, which leaves no register as it was, or behind a jump or return, from
/// which nobody comes.
fn call_before(code: &[u8], entry: Addr, returns_to: Addr) -> Option<Call> {
    let len = usize::try_from(returns_to.0.checked_sub(entry.0)?).ok()?;
    let code = code.get(..len)?;
    let instructions: Vec<Instruction> = Decoder::with_ip(64, code, entry.0, DecoderOptions::NONE).iter().collect();
    let (call, before) = instructions.split_last()?;
    if call.next_ip() != returns_to.0 || call.mnemonic() != Mnemonic::Call || !call.is_call_near() {
        return None;
    }
    let run = before.iter().rev().take_while(|i| {
        matches!(i.flow_control(), FlowControl::Next | FlowControl::ConditionalBranch) && !i.is_invalid()
    });
    let (mut arguments, mut settled) = ([None; 5], [false; 5]);
    for i in run {
        // What writes a register has it for its first operand; what else may write (`xchg`, a division) is
        // not used to hand an address over.
        let written = i.op0_register().full_register();
        for ((register, argument), settled) in ARGUMENTS.iter().zip(&mut arguments).zip(&mut settled) {
            let second = i.mnemonic() == Mnemonic::Xchg && i.op1_register().full_register() == *register;
            let is_written = written == *register && !matches!(i.mnemonic(), Mnemonic::Cmp | Mnemonic::Test);
            if *settled || !(is_written || second) {
                continue;
            }
            *settled = true;
            if i.mnemonic() == Mnemonic::Lea && i.is_ip_rel_memory_operand() {
                *argument = Some(Addr(i.ip_rel_memory_address()));
            }
        }
    }
    Some(Call { target: Addr(call.near_branch_target()), arguments })
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

    #[test]
    fn what_a_call_is_given() {
        // lea rax,[rip+0x10]; call +0x100; lea rax,[rip+0x20]; mov ebx,3; cmp rax,rbx; call +0x200
        let code = [
            0x48, 0x8d, 0x05, 0x10, 0, 0, 0, 0xe8, 0, 1, 0, 0, 0x48, 0x8d, 0x05, 0x20, 0, 0, 0, 0xbb, 3, 0, 0, 0, 0x48,
            0x39, 0xd8, 0xe8, 0, 2, 0, 0,
        ];
        let second = call_before(&code, Addr(0x1000), Addr(0x1020)).unwrap();
        assert_eq!(second, Call { target: Addr(0x1220), arguments: [Some(Addr(0x1033)), None, None, None, None] });
        let first = call_before(&code, Addr(0x1000), Addr(0x100c)).unwrap();
        assert_eq!((first.target, first.arguments[0]), (Addr(0x110c), Some(Addr(0x1017))));
        assert_eq!(call_before(&code, Addr(0x1000), Addr(0x1013)), None, "no call ends there");
        assert_eq!(call_before(&code, Addr(0x1000), Addr(0x2000)), None);
    }
}
