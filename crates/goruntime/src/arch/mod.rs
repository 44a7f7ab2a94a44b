//! All that depends on the processor: how code names the runtime's variables, and how a frame is left. One
//! file per processor; which one holds is said by the image that is read ([`Arch`]), not by the machine that
//! reads it.

mod amd64;
mod amd64_steps;
mod go_arch;

pub(crate) use go_arch::{
    ARGUMENTS, Act, CONTEXT, Call, FLOATS, GoArch, MemoryOperand, Operand, Place, REGISTERS, Step,
};
use lastgasp_inferior::Arch;

/// What is known of Go on a processor.
pub(crate) fn of(arch: Arch) -> &'static GoArch {
    match arch {
        Arch::Amd64 => &amd64::GO_ARCH,
    }
}
