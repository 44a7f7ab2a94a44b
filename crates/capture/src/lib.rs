//! The capture folder: written while a process dies, read back afterwards. Knows no Go: files are names and
//! bytes.
//!
//! # How it is crash-safe
//! A capture is written as `.partial-UNIQUE-ID/`, which the writer holds locked: all files are written
//! and begun to be brought to the disk, the most telling first, `manifest.json` last; then they are waited
//! for in that order, each under a name that begins with a dot until it is durable; then the folder is
//! renamed to `ID/` and the store is synced. So a folder with a capture's name is always whole. Whatever ends
//! the writer, the next lastgasp that opens the store finds the partial folder that nobody locks and either
//! rescues it, with a manifest that names what is missing, or removes it if nothing in it can be read
//! ([`recover`]).

mod error;
mod manifest;
mod names;
mod reader;
pub mod retention;
mod stream;
mod writer;

pub use error::CaptureError;
pub use manifest::{FileEntry, GapEntry, Manifest};
pub use names::{FACTS, MANIFEST, MEMORY};
pub use reader::{Capture, is_own, list, remove};
pub use stream::Stream;
pub use writer::{Writer, recover};
