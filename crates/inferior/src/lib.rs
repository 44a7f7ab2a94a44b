//! A process, a core file or a capture's memory, seen as one readable address space.
//!
//! Design constraints:
//! - One seam, [`Memory`]: code above it never knows whether the bytes come from a live process, from what
//!   was copied while it stood still ([`Snapshot`]), from the executable's file ([`FileMemory`]) or from a
//!   test.
//! - Nothing here writes, stops or signals anything. What acts on a target lives in the crate `recorder`.
//! - Nothing here knows Go.

mod addr;
mod arch;
mod corefile;
mod elf;
mod images;
mod live;
mod mapping;
mod memory;
mod resident;
mod snapshot;
mod stat;
mod thread;

pub use addr::{Addr, AddrRange};
pub use arch::{Arch, clock_ticks, page_size};
pub use corefile::{CoreFile, CoreMapping, Match};
pub use elf::{ElfImage, FileMemory, ImageError, LoadedImage, Section, Symbol};
pub use images::{MappedFile, mapped_files};
pub use live::{LiveProcess, OpenError, Usage, resident_bytes, start_time};
pub use mapping::{Mapping, parse_maps};
pub use memory::{BlockCache, Layered, Memory, Part, ReadCause, ReadError};
pub use resident::{Resident, parse_smaps};
pub use snapshot::Snapshot;
pub use stat::Stat;
pub use thread::{ThreadRegisters, thread_ids, thread_registers};
