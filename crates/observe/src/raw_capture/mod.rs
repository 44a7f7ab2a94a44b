//! Evidence as it was taken, and the same saved as a core file and loaded again.
//!
//! - `raw`: [`RawCapture`], plain data: no handle to a live process.
//! - `binary`: what of the target's executable decoding needs, out of its file or out of a saved capture.
//! - `other_memory`: what of a process's memory is kept beside the evidence, if a person asks for it;
//!   `source`: where it is.
//! - `save`, `load`: to a sparse ELF core and back. `stored`: what a core has no place for, as JSON in a note
//!   of ours; `describe`, `census`: from and to that form.

mod binary;
mod census;
mod describe;
mod load;
mod other_memory;
mod raw;
mod save;
mod source;
mod stored;

pub use binary::{Binary, Variable};
pub use load::{LoadError, Loaded, is_saved};
pub use other_memory::{MemoryMap, OtherMemory, Region};
pub use raw::{NOTHING_COPIED, Phase, RawCapture, Reason, Spans};
pub use save::{NOTE_DESCRIPTION, Saved};
pub use source::{DeadMemory, Held, Source};
pub use stored::{StoredError, StoredV1, WhenRead, parse};
