//! What can go wrong between facts and a folder.

use std::path::PathBuf;

use lastgasp_capture::{CaptureError, FACTS};
use lastgasp_inferior::ImageError;
use lastgasp_observe::raw_capture::LoadError;
use thiserror::Error;

/// Why a capture could not be written or read back.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The folder, or a file of it.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// Facts or a report that are no JSON.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// Compressing failed.
    #[error(transparent)]
    Compress(#[from] std::io::Error),
    /// Its memory is no core.
    #[error(transparent)]
    Core(#[from] ImageError),
    /// Its memory is no capture.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// Facts that cannot be decompressed.
    #[error("{FACTS} of {path}")]
    Decompress {
        /// The capture.
        path: PathBuf,
        /// What the decompressor said.
        source: std::io::Error,
    },
    /// Facts that cannot be parsed.
    #[error("{FACTS} of {path}")]
    Parse {
        /// The capture.
        path: PathBuf,
        /// What the parser said.
        source: serde_json::Error,
    },
    /// A store that is not there, or cannot be read.
    #[error("{path}: cannot be read as a store of captures (name the folder that `watch` or `run` writes to)")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Facts that are none of lastgasp's.
    #[error("{path} is no capture of lastgasp's: {FACTS} has the schema {schema:?}")]
    OtherSchema {
        /// The capture.
        path: PathBuf,
        /// Its schema.
        schema: String,
    },
}
