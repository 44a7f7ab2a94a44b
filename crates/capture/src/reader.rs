//! Reading a capture.

use std::fs;
use std::path::{Path, PathBuf};

use crate::manifest::{FileEntry, Manifest};
use crate::{CaptureError, MANIFEST, io_error};

/// Larger files are not read: no capture has one but `memory.core`, which is not read whole.
const MAX_FILE: u64 = 1 << 30;

/// A capture on disk.
#[derive(Clone, Debug)]
pub struct Capture {
    path: PathBuf,
    manifest: Manifest,
}

impl Capture {
    /// Opens a folder.
    ///
    /// # Errors
    /// [`CaptureError::NotACapture`] without a readable manifest.
    pub fn open(path: &Path) -> Result<Self, CaptureError> {
        let not = |why: String| CaptureError::NotACapture { path: path.into(), why };
        if !path.is_dir() {
            return Err(not("no such folder".into()));
        }
        let json = fs::read(path.join(MANIFEST)).map_err(|e| not(format!("{MANIFEST}: {e}")))?;
        let manifest: Manifest = serde_json::from_slice(&json).map_err(|e| not(format!("{MANIFEST}: {e}")))?;
        if !manifest.schema.starts_with("lastgasp.capture/") {
            return Err(not(format!("{MANIFEST} says schema {:?}", manifest.schema)));
        }
        Ok(Self { path: path.into(), manifest })
    }

    /// What it says of itself.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// A file's content, checked against the manifest.
    ///
    /// # Errors
    /// [`CaptureError::Damaged`] if it is not what was written.
    pub fn read(&self, name: &str) -> Result<Vec<u8>, CaptureError> {
        let path = self.path.join(name);
        let len = fs::metadata(&path).map_err(io_error(&path))?.len();
        if len > MAX_FILE {
            return Err(CaptureError::Damaged { path, why: format!("{len} bytes long") });
        }
        let content = fs::read(&path).map_err(io_error(&path))?;
        match self.manifest.files.iter().find(|f| f.name == name) {
            Some(entry) if *entry != FileEntry::of(name, &content) => {
                Err(CaptureError::Damaged { path, why: "its checksum is not the one in the manifest".into() })
            }
            _ => Ok(content),
        }
    }
}

/// The captures of a store, by name.
#[must_use]
pub fn list(store: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(store)
        .map(|d| d.filter_map(|e| Some(e.ok()?.path())).filter(|p| p.join(MANIFEST).is_file()).collect())
        .unwrap_or_default();
    found.retain(|p| !p.file_name().is_some_and(|n| n.to_string_lossy().starts_with('.')));
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_and_strangers_are_named() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Capture::open(dir.path()).unwrap_err().to_string().contains("not a capture"));
        fs::write(dir.path().join(MANIFEST), b"\xff\x00").unwrap();
        assert!(Capture::open(dir.path()).is_err());
        let manifest = Manifest {
            schema: Manifest::SCHEMA.into(),
            files: vec![FileEntry::of("a", b"abc")],
            ..Manifest::default()
        };
        fs::write(dir.path().join(MANIFEST), serde_json::to_vec(&manifest).unwrap()).unwrap();
        fs::write(dir.path().join("a"), b"abd").unwrap();
        let c = Capture::open(dir.path()).unwrap();
        assert!(matches!(c.read("a"), Err(CaptureError::Damaged { .. })));
        assert!(matches!(c.read("b"), Err(CaptureError::Io { .. })));
    }
}
