//! A process, a core file or a capture's memory, seen as one readable address space.
//!
//! Design constraints:
//! - One seam, [`Memory`]: code above it never knows whether the bytes come from a live process, from what
//!   was copied while it stood still ([`Snapshot`]), from the executable's file ([`FileMemory`]) or from a
//!   test.
//! - Nothing here writes, stops or signals anything. What acts on a target lives in the crate `recorder`.
//! - Nothing here knows Go.
//!
//! ```
//! use lastgasp_inferior::{Addr, LiveProcess, Memory, Snapshot};
//!
//! let live = LiveProcess::open(std::process::id() as i32)?;
//! let word = Box::new(0x1a57_u64);
//! let at = Addr(std::ptr::from_ref(&*word) as u64);
//! assert_eq!(live.u64(at)?, 0x1a57);
//!
//! // The same bytes out of a copy, whatever becomes of the process; what was not copied is an error.
//! let mut copy = Snapshot::with_budget(4096, 1);
//! assert!(copy.copy(&live, at, 8));
//! copy.seal();
//! assert_eq!(copy.u64(at)?, 0x1a57);
//! assert!(copy.u64(at.plus(8)).is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod addr;
mod arch;
mod bounded_reads;
mod copied;
mod core_notes;
mod core_writer;
mod corefile;
mod elf;
mod handed;
mod image_facts;
mod images;
mod live;
mod mapping;
mod memory;
mod packed;
mod pagemap;
mod proc_text;
mod ranges;
mod remembered;
mod resident;
mod snapshot;
mod stat;
mod thread;
mod windows;

pub use addr::{Addr, AddrRange};
pub use arch::{Arch, GeneralRegisters, clock_ticks, page_size};
pub use copied::{CopiedMemory, OwnPages, Places, bytes_to_copy};
pub use core_writer::{Access, Added, Bounds, CoreProcess, CoreWriter, Cut, OwnNote};
pub use corefile::{CoreFile, CoreMapping, Match};
pub use elf::{ElfImage, FileMemory, ImageError, LoadedImage, Symbol, UnnamedSymbol, section_names};
pub use handed::HandedMemory;
pub use image_facts::{FileState, ImageFacts, Section};
pub use images::{MappedFile, mapped_files, try_mapped_files};
pub use live::{
    LiveProcess, OpenError, Usage, address_space, bias_in, mappings_in, resident_by, resident_bytes, start_time,
};
pub use mapping::{Mapping, parse_maps};
pub use memory::{BlockCache, Layered, Memory, Part, ReadCause, ReadError};
pub use packed::{PackedPages, Packing, PagesOf, Picked};
pub use pagemap::{PageMap, Pages, Wanted};
pub use ranges::Ranges;
pub use remembered::{Absent, RememberedMemory};
pub use resident::{Resident, parse_smaps};
pub use snapshot::Snapshot;
pub use stat::Stat;
pub use thread::{ThreadRegisters, thread_ids, thread_registers};
