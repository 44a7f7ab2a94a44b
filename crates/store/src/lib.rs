//! The store of captures: a decoded one becomes a folder ([`write()`]), a folder becomes facts again
//! ([`read()`]), all that stand there of one death are told as one ([`tell()`]), and what they take is kept
//! bounded ([`Archive`]). Beside them stands what happened in the world ([`events`]). The folder itself,
//! crash-safe, is `lastgasp_capture`'s.

mod archive;
mod error;
pub mod events;
mod keep_memory;
mod read;
mod recent_facts;
mod siblings;
mod summaries;
mod told;
mod write;

pub use archive::{Archive, Rules};
pub use error::StoreError;
pub use keep_memory::KeepMemory;
pub use read::read;
pub use summaries::{CaptureStore, brief};
pub use told::{Told, tell};
pub use write::{Form, Written, rewrite, write, write_as, write_keeping};
