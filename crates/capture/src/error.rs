//! What goes wrong with captures, with its cure where there is one.

use std::path::PathBuf;

use thiserror::Error;

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
