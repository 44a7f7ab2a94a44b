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
    /// What each instruction of a function does with addresses, from its bytes and where they stand; up to
    /// the first that makes no sense.
    pub(crate) steps: fn(&[u8], Addr) -> Vec<Step>,
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

/// Integer registers of a processor that are told apart; the stack pointer is none of them. Those in which Go
/// passes arguments and results come first, in order (`cmd/compile/abi-internal.md`).
pub(crate) const REGISTERS: usize = 15;
/// How many of them are for arguments and results.
pub(crate) const ARGUMENTS: usize = 9;
/// How many other registers are for numbers with a fraction.
pub(crate) const FLOATS: usize = 15;
/// Which of the integer registers has the closure that is called.
pub(crate) const CONTEXT: u8 = 9;

/// An instruction, as far as addresses are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// Where it stands.
    pub(crate) at: Addr,
    /// Where the next one stands.
    pub(crate) next: Addr,
    /// What it does.
    pub(crate) act: Act,
}

/// What an instruction does. Registers are numbers below [`REGISTERS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// Nothing to be known of.
    Nothing,
    /// A register gets what another has.
    Move {
        /// The one that is written.
        to: u8,
        /// The one that is read.
        from: u8,
    },
    /// A register gets zero.
    Zero {
        /// The one that is written.
        to: u8,
    },
    /// A register gets an address.
    Address {
        /// The register.
        to: u8,
        /// What the address is of.
        of: Place,
    },
    /// A register gets a word of memory.
    Load {
        /// The register.
        to: u8,
        /// The word.
        from: Place,
    },
    /// A word of memory gets what a register has.
    Store {
        /// The word.
        to: Place,
        /// The register.
        from: u8,
    },
    /// So many bytes of memory get something else.
    Overwrite {
        /// Where.
        to: Place,
        /// How many.
        bytes: u8,
    },
    /// Two words are compared.
    Compare {
        /// The one.
        left: Operand,
        /// The other.
        right: Operand,
    },
    /// Registers get something else; a bit for each.
    Lose(u16),
    /// The stack pointer moves by so many bytes; a register may get something else.
    Stack {
        /// By how much.
        by: i32,
        /// Registers that get something else.
        lost: u16,
    },
    /// A call; `None` where its target is not said.
    Call(Option<Addr>),
    /// A jump that is made, or perhaps.
    Jump {
        /// Where to.
        to: Addr,
        /// Whether it may not be made.
        maybe: bool,
    },
    /// A jump to where a register or a table says.
    Away,
    /// The function returns.
    Return,
    /// It never gets behind this.
    Stop,
    /// The stack pointer is lost.
    LoseStack,
}

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operand {
    /// A register.
    Register(u8),
    /// A word of memory.
    Word(Place),
}

/// A place in memory, as an instruction names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// So many bytes from the stack pointer.
    Stack(i32),
    /// An address.
    Static(Addr),
    /// So many bytes from what a register holds.
    Behind(u8, i32),
    /// Any: what it depends on is not followed.
    Somewhere,
}
