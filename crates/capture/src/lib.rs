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

mod manifest;
mod reader;
pub mod retention;
mod stream;
mod writer;

use std::path::PathBuf;

use thiserror::Error;

pub use manifest::{FileEntry, GapEntry, Manifest};
pub use reader::{Capture, is_own, list, remove};
pub use stream::Stream;
pub use writer::{Writer, recover};

/// The file that a capture must have for a report to be made from it.
pub const FACTS: &str = "facts.json.gz";
/// The file that holds memory of the target: user data, and as large as the target. It is never read whole.
pub const MEMORY: &str = "memory.core";
/// What a folder is called that is being removed.
pub(crate) const REMOVED: &str = ".removed-";
/// The file that makes a folder a capture.
pub const MANIFEST: &str = "manifest.json";

/// Why a capture could not be written or read.
#[derive(Debug, Error)]
pub enum CaptureError {
    /// The system said no.
    #[error("{path}: {error}{}", cure(.error))]
    Io {
        /// Which file or folder.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// The folder is not a capture.
    #[error("{path} is not a capture: {why}")]
    NotACapture {
        /// Which folder.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// A file is not what was written.
    #[error("{path} is damaged: {why}")]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// In what way.
        why: String,
    },
}

fn cure(e: &std::io::Error) -> &'static str {
    match e.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
            " (free some space, or give another folder with --store or --out)"
        }
        std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
            " (give a folder that you may write with --store or --out)"
        }
        _ => "",
    }
}

pub(crate) fn io_error(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> CaptureError {
    let path = path.into();
    move |error| CaptureError::Io { path, error }
}
