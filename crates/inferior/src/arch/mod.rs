//! All that this crate knows of processors: names in ELF, where a core file keeps a thread's registers. The
//! processor is a property of what was opened ([`Arch`] travels with an image and with a core), never of the
//! machine we run on; what is of that machine stands in `host.rs` and is asked. One file per processor. What
//! Go adds to it (how code names variables, how a frame is left) stands in `goruntime/src/arch`.

mod amd64;
mod host;
mod processor;
mod prstatus;

pub use host::{clock_ticks, page_size};
pub(crate) use host::{general_registers, user_registers};
pub use processor::{Arch, GeneralRegisters};
pub(crate) use prstatus::Prstatus;
