//! What a processor's file fills in.

use lastgasp_inferior::Addr;

/// What is known of Go's code and stacks on one processor.
#[derive(Debug)]
pub(crate) struct GoArch {
    /// Bytes of what a call pushes.
    pub(crate) return_address_size: u64,
    /// Bytes of the frame pointer that a function with a frame saves between its variables and that.
    pub(crate) frame_pointer_size: u64,
    /// Where the kernel keeps the stack pointer of what a signal interrupted, from the handler's return
    /// address on; in bytes.
    pub(crate) signal_frame_sp: u64,
    /// The same of the program counter.
    pub(crate) signal_frame_pc: u64,
    /// `pcHeader.minLC` (`symtab.go`): the smallest instruction, in bytes.
    pub(crate) pc_quantum: u8,
    /// What is added to an address for its place in the heap's map: minus `arenaBaseOffset` (`malloc.go`).
    pub(crate) arena_base: u64,
    /// The memory operands of a function's code, in order, from its bytes and where they stand.
    pub(crate) operands: fn(&[u8], Addr) -> Vec<MemoryOperand>,
    /// The call that returns to an address, from a function's code and where it stands.
    pub(crate) call_before: fn(&[u8], Addr, Addr) -> Option<Call>,
}

/// A call of a function, with those of its arguments that are addresses of constants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    /// The function that is called.
    pub(crate) target: Addr,
    /// Integer arguments in the order of Go's calling convention: the first nine are in registers. `None` for
    /// what is no address that stands in the code itself.
    pub(crate) arguments: [Option<Addr>; 5],
}

/// A memory operand relative to the program counter: how Go code names a package-level variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MemoryOperand {
    /// The variable's address.
    pub(crate) target: Addr,
    /// Whether the address itself is taken (LEA) and not what stands there.
    pub(crate) is_lea: bool,
}
