//! linux/amd64: what instructions do with addresses. Whatever is not known to write one register alone is
//! taken to write all that an instruction can write.

use iced_x86::{Decoder, DecoderOptions, FlowControl, Instruction, Mnemonic, OpKind, Register};
use lastgasp_inferior::Addr;

use super::go_arch::{Act, Operand, Place, REGISTERS, Step};

/// The registers by their numbers: those of Go's calling convention, that of the closure, the others.
const ORDER: [Register; REGISTERS] = [
    Register::RAX,
    Register::RBX,
    Register::RCX,
    Register::RDI,
    Register::RSI,
    Register::R8,
    Register::R9,
    Register::R10,
    Register::R11,
    Register::RDX,
    Register::RBP,
    Register::R12,
    Register::R13,
    Register::R14,
    Register::R15,
];
/// Bits of those in which long products and divisions are.
const RAX: u16 = 1;
const RDX: u16 = 1 << 9;
/// All of them.
const ALL: u16 = (1 << REGISTERS) - 1;

pub(super) fn steps(code: &[u8], entry: Addr) -> Vec<Step> {
    let mut steps = Vec::with_capacity(code.len() / 4);
    let mut decoder = Decoder::with_ip(64, code, entry.0, DecoderOptions::NONE);
    let mut instruction = Instruction::default();
    while decoder.can_decode() {
        decoder.decode_out(&mut instruction);
        if instruction.is_invalid() {
            break;
        }
        let (at, next) = (Addr(instruction.ip()), Addr(instruction.next_ip()));
        steps.push(Step { at, next, act: act(&instruction) });
    }
    steps
}

fn act(i: &Instruction) -> Act {
    match i.flow_control() {
        FlowControl::Next => other(i),
        FlowControl::ConditionalBranch => Act::Jump { to: Addr(i.near_branch_target()), maybe: true },
        FlowControl::UnconditionalBranch => Act::Jump { to: Addr(i.near_branch_target()), maybe: false },
        FlowControl::Call if i.is_call_near() => Act::Call(Some(Addr(i.near_branch_target()))),
        FlowControl::Call | FlowControl::IndirectCall => Act::Call(None),
        FlowControl::IndirectBranch => Act::Away,
        FlowControl::Return => Act::Return,
        FlowControl::Interrupt | FlowControl::Exception | FlowControl::XbeginXabortXend => Act::Stop,
    }
}

fn other(i: &Instruction) -> Act {
    let first = i.op0_kind();
    match i.mnemonic() {
        Mnemonic::Mov if first == OpKind::Register => match (whole(i.op0_register()), i.op1_kind()) {
            (Some(to), OpKind::Memory) => Act::Load { to, from: place(i) },
            (Some(to), OpKind::Register) => match whole(i.op1_register()) {
                Some(from) => Act::Move { to, from },
                None => Act::Lose(1 << to),
            },
            _ => lose(i.op0_register()),
        },
        Mnemonic::Mov if first == OpKind::Memory => match whole(i.op1_register()) {
            Some(from) if i.op1_kind() == OpKind::Register => Act::Store { to: place(i), from },
            _ => overwrite(i),
        },
        Mnemonic::Lea => match whole(i.op0_register()) {
            Some(to) => Act::Address { to, of: place(i) },
            None => lose(i.op0_register()),
        },
        // What an address becomes if something is added to it is said as of LEA.
        Mnemonic::Add if first == OpKind::Register && whole(i.op0_register()).is_some() => {
            match (whole(i.op0_register()), added(i)) {
                (Some(to), Some(by)) => Act::Address { to, of: Place::Behind(to, by) },
                _ => lose(i.op0_register()),
            }
        }
        Mnemonic::Xor if first == OpKind::Register && i.op1_kind() == OpKind::Register => {
            // Go zeroes registers by halves: the upper one becomes zero too.
            let is_zero = i.op0_register() == i.op1_register() && i.op0_register().size() >= 4;
            match whole(i.op0_register().full_register()).filter(|_| is_zero) {
                Some(to) => Act::Zero { to },
                None => lose(i.op0_register()),
            }
        }
        Mnemonic::Cmp => match (operand(i, 0), operand(i, 1)) {
            (Some(left), Some(right)) => Act::Compare { left, right },
            _ => Act::Nothing,
        },
        Mnemonic::Test | Mnemonic::Bt | Mnemonic::Nop | Mnemonic::Ucomisd | Mnemonic::Ucomiss => Act::Nothing,
        Mnemonic::Mul | Mnemonic::Div | Mnemonic::Idiv | Mnemonic::Cqo | Mnemonic::Cdq => Act::Lose(RAX | RDX),
        Mnemonic::Imul if i.op_count() == 1 => Act::Lose(RAX | RDX),
        Mnemonic::Push => Act::Stack { by: -8, lost: 0 },
        Mnemonic::Pop if first == OpKind::Register => Act::Stack { by: 8, lost: mask(i.op0_register()) },
        Mnemonic::Add | Mnemonic::Sub if first == OpKind::Register && i.op0_register() == Register::RSP => {
            match added(i) {
                Some(by) if i.mnemonic() == Mnemonic::Add => Act::Stack { by, lost: 0 },
                Some(by) => Act::Stack { by: by.saturating_neg(), lost: 0 },
                None => Act::LoseStack,
            }
        }
        _ if first == OpKind::Memory && writes_first_alone(i) => overwrite(i),
        _ if first == OpKind::Register && writes_first_alone(i) => lose(i.op0_register()),
        _ => Act::Lose(ALL),
    }
}

/// What an instruction adds, where it says it.
fn added(i: &Instruction) -> Option<i32> {
    match i.op1_kind() {
        OpKind::Immediate8to64 | OpKind::Immediate32to64 => i32::try_from(i.immediate(1).cast_signed()).ok(),
        _ => None,
    }
}

/// Whether an instruction writes nothing but its first operand.
fn writes_first_alone(i: &Instruction) -> bool {
    use Mnemonic as M;
    match i.mnemonic() {
        M::Imul => i.op_count() > 1,
        M::Add | M::Sub | M::Adc | M::Sbb | M::And | M::Or | M::Xor | M::Inc | M::Dec | M::Neg | M::Not => true,
        M::Shl | M::Shr | M::Sar | M::Rol | M::Ror | M::Shld | M::Shrd | M::Bswap | M::Movzx | M::Movsx => true,
        M::Movsxd | M::Mov | M::Bsf | M::Bsr | M::Popcnt | M::Lzcnt | M::Tzcnt | M::Bts | M::Btr | M::Btc => true,
        M::Sarx | M::Shlx | M::Shrx | M::Rorx | M::Andn | M::Blsr | M::Blsi | M::Blsmsk | M::Movbe => true,
        M::Cmova | M::Cmovae | M::Cmovb | M::Cmovbe | M::Cmove | M::Cmovg | M::Cmovge | M::Cmovl => true,
        M::Cmovle | M::Cmovne | M::Cmovno | M::Cmovnp | M::Cmovns | M::Cmovo | M::Cmovp | M::Cmovs => true,
        M::Seta | M::Setae | M::Setb | M::Setbe | M::Sete | M::Setg | M::Setge | M::Setl | M::Setle => true,
        M::Setne | M::Setno | M::Setnp | M::Setns | M::Seto | M::Setp | M::Sets => true,
        M::Movups | M::Movupd | M::Movaps | M::Movdqu | M::Movdqa | M::Movsd | M::Movss | M::Movd | M::Movq => true,
        M::Vmovdqu | M::Vmovups => true,
        M::Cvtsi2sd | M::Cvtsi2ss | M::Cvttsd2si | M::Cvttss2si | M::Cvtss2sd | M::Cvtsd2ss => true,
        M::Addsd | M::Subsd | M::Mulsd | M::Divsd | M::Addss | M::Subss | M::Mulss | M::Divss => true,
        M::Sqrtsd | M::Xorps | M::Pxor | M::Andps | M::Orps | M::Minsd | M::Maxsd => true,
        _ => false,
    }
}

/// The number of a register that is written whole.
fn whole(register: Register) -> Option<u8> {
    ORDER.iter().position(|r| *r == register).map(|i| i as u8)
}

/// Its bit, of a part too.
fn mask(register: Register) -> u16 {
    if register.is_gpr() { whole(register.full_register()).map_or(0, |i| 1 << i) } else { 0 }
}

fn lose(register: Register) -> Act {
    match register.full_register() {
        Register::RSP => Act::LoseStack,
        _ => match mask(register) {
            0 => Act::Nothing,
            mask => Act::Lose(mask),
        },
    }
}

fn overwrite(i: &Instruction) -> Act {
    Act::Overwrite { to: place(i), bytes: u8::try_from(i.memory_size().size()).unwrap_or(u8::MAX).max(8) }
}

fn operand(i: &Instruction, n: u32) -> Option<Operand> {
    match i.op_kind(n) {
        OpKind::Register => whole(i.op_register(n)).map(Operand::Register),
        OpKind::Memory if i.memory_size().size() == 8 => Some(Operand::Word(place(i))),
        _ => None,
    }
}

fn place(i: &Instruction) -> Place {
    if !matches!(i.memory_segment(), Register::DS | Register::SS) || i.memory_index() != Register::None {
        return Place::Somewhere;
    }
    if i.is_ip_rel_memory_operand() {
        return Place::Static(Addr(i.ip_rel_memory_address()));
    }
    let Ok(offset) = i32::try_from(i.memory_displacement64().cast_signed()) else { return Place::Somewhere };
    match (i.memory_base(), whole(i.memory_base())) {
        (Register::RSP, _) => Place::Stack(offset),
        (_, Some(register)) => Place::Behind(register, offset),
        _ => Place::Somewhere,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acts(code: &[u8]) -> Vec<Act> {
        steps(code, Addr(0x1000)).into_iter().map(|s| s.act).collect()
    }

    #[test]
    fn moves_loads_stores_and_calls() {
        // mov rbx,[rip+0x10]; mov [rsp+0x50],rax; lea rax,[rip+0x20]; mov [r11+8],rdx; call +0; sub rsp,0x98
        let code = [
            0x48, 0x8b, 0x1d, 0x10, 0, 0, 0, 0x48, 0x89, 0x44, 0x24, 0x50, 0x48, 0x8d, 0x05, 0x20, 0, 0, 0, 0x49, 0x89,
            0x53, 0x08, 0xe8, 0, 0, 0, 0, 0x48, 0x81, 0xec, 0x98, 0, 0, 0,
        ];
        let want = [
            Act::Load { to: 1, from: Place::Static(Addr(0x1017)) },
            Act::Store { to: Place::Stack(0x50), from: 0 },
            Act::Address { to: 0, of: Place::Static(Addr(0x1033)) },
            Act::Store { to: Place::Behind(8, 8), from: 9 },
            Act::Call(Some(Addr(0x101c))),
            Act::Stack { by: -0x98, lost: 0 },
        ];
        assert_eq!(acts(&code), want);
    }

    #[test]
    fn what_is_not_known_writes_everything() {
        // rep movsq; cpuid; xchg rax,rbx; add eax,1; mov word [rsp],1; xor eax,eax; xor eax,ecx; xor al,al;
        // add rax,0x100; add rax,rcx
        let code = [
            0xf3, 0x48, 0xa5, 0x0f, 0xa2, 0x48, 0x93, 0x83, 0xc0, 1, 0x66, 0xc7, 0x04, 0x24, 1, 0, 0x31, 0xc0, 0x31,
            0xc8, 0x30, 0xc0, 0x48, 0x05, 0, 1, 0, 0, 0x48, 0x01, 0xc8,
        ];
        let want = [
            Act::Lose(ALL),
            Act::Lose(ALL),
            Act::Lose(ALL),
            Act::Lose(1),
            Act::Overwrite { to: Place::Stack(0), bytes: 8 },
            Act::Zero { to: 0 },
            Act::Lose(1),
            Act::Lose(1),
            Act::Address { to: 0, of: Place::Behind(0, 0x100) },
            Act::Lose(1),
        ];
        assert_eq!(acts(&code), want);
    }
}
