//! All that this crate knows of a processor: its name in ELF, where a core file keeps a thread's registers,
//! the page size. One file per architecture; the one in use is chosen here and nowhere else. What Go adds to
//! it (how code names variables, how a frame is left) stands in `goruntime/src/arch`.

mod amd64;
mod prstatus;

pub(crate) use amd64::{ELF_ARCHITECTURE, NAME, PAGE, PRSTATUS, user_registers};
