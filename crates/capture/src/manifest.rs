//! `manifest.json`: what a capture is and what it lacks. Every field is optional to a reader and none is ever renamed.

use serde::{Deserialize, Serialize};

/// The manifest.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Manifest {
    /// `lastgasp.capture/1`.
    pub schema: String,
    /// The folder's name.
    pub id: String,
    /// RFC 3339.
    pub taken_at: String,
    /// `pre-kill`, `post-kill`, `manual`.
    pub phase: String,
    /// `forecast`, `oom-kill`, `killed`, `manual`.
    pub reason: String,
    /// Version of the writer.
    pub lastgasp_version: String,
    /// Who was captured: pid, service, versions.
    pub target: serde_json::Value,
    /// Whether nothing is missing.
    pub complete: bool,
    /// What it shows, so that two of the same cause have the same: service, version, culprit; absent where nobody has asked.
    pub cause: String,
    /// Whether it is one of many of its cause, of which others are whole.
    pub light: bool,
    /// What is missing, and why.
    pub gaps: Vec<GapEntry>,
    /// All other files.
    pub files: Vec<FileEntry>,
}

impl Manifest {
    /// The version of this form.
    pub const SCHEMA: &'static str = "lastgasp.capture/1";
}

/// Something missing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct GapEntry {
    /// What.
    pub what: String,
    /// Why.
    pub why: String,
}

/// A file of the capture.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FileEntry {
    /// Name in the folder.
    pub name: String,
    /// Length.
    pub bytes: u64,
    /// CRC-32 (IEEE) in hex.
    pub crc32: String,
}

impl FileEntry {
    /// Of a file's content.
    #[must_use]
    pub fn of(name: &str, content: &[u8]) -> Self {
        Self { name: name.into(), bytes: content.len() as u64, crc32: format!("{:08x}", crc32fast::hash(content)) }
    }
}
