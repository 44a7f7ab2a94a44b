//! All that depends on the processor: how code names the runtime's variables, and how a frame is left. One
//! file per architecture.

mod amd64;

pub(crate) use amd64::{
    HEAP_ARENA_BYTES, MemoryOperand, PAGE_SIZE, RETURN_ADDRESS_SIZE, SIGNAL_FRAME_PC, SIGNAL_FRAME_SP,
    SMALL_SPAN_MAX_ELEM, operands,
};
