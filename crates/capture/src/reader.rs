//! Reading a capture.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;

use crate::error::{CaptureError, io_error};
use crate::manifest::{FileEntry, Manifest};
use crate::names::{MANIFEST, REMOVED};

/// Larger files are not read: no capture has one but `memory.core`, which is not read whole.
pub(crate) const MAX_FILE: u64 = 1 << 30;
/// Largest manifest: one of ours has a few kilobytes.
const MAX_MANIFEST: u64 = 16 << 20;

/// A plain file, opened, and its length. A FIFO or a device of its name is refused and not waited for;
/// `flags` are added when it is opened.
fn open_plain(path: &Path, flags: OFlag) -> io::Result<(File, u64)> {
    let flags = flags | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits()).open(path)?;
    let meta = file.metadata()?;
    if !meta.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a plain file"));
    }
    Ok((file, meta.len()))
}

/// A plain file's content.
pub(crate) fn read_plain(path: &Path, max: u64, flags: OFlag) -> io::Result<Vec<u8>> {
    let (file, len) = open_plain(path, flags)?;
    let too_long = || io::Error::new(io::ErrorKind::FileTooLarge, format!("longer than {max} bytes"));
    if len > max {
        return Err(too_long());
    }
    let mut content = Vec::new();
    // It may grow under our hands, and what is no real file system may say any length.
    let read = file.take(max.saturating_add(1)).read_to_end(&mut content)?;
    if read as u64 > max { Err(too_long()) } else { Ok(content) }
}

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
        let json = read_plain(&path.join(MANIFEST), MAX_MANIFEST, OFlag::empty())
            .map_err(|e| not(format!("{MANIFEST}: {e}")))?;
        let manifest = Manifest::read(&json).map_err(|e| not(format!("{MANIFEST}: {e}")))?;
        if !manifest.schema.starts_with(Manifest::NAME) {
            return Err(not(format!("{MANIFEST} says schema {:?}", manifest.schema)));
        }
        Ok(Self { path: path.into(), manifest })
    }

    /// Its folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it says of itself.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Bytes of its files.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.manifest.files.iter().map(|f| f.bytes).fold(0, u64::saturating_add)
    }

    /// Whether the manifest names a file.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.manifest.files.iter().any(|f| f.name == name)
    }

    /// A file, opened: one that is too large to be read whole. Of it the length alone is checked against the
    /// manifest.
    ///
    /// # Errors
    /// [`CaptureError::Damaged`] if it is longer or shorter than it was written.
    pub fn open_file(&self, name: &str) -> Result<File, CaptureError> {
        let path = self.path.join(name);
        let (file, len) = open_plain(&path, OFlag::empty()).map_err(io_error(&path))?;
        match self.manifest.files.iter().find(|f| f.name == name) {
            Some(entry) if entry.bytes != len => {
                Err(CaptureError::Damaged { path, why: format!("{len} bytes long, and {} were written", entry.bytes) })
            }
            _ => Ok(file),
        }
    }

    /// A file's content, checked against the manifest.
    ///
    /// # Errors
    /// [`CaptureError::Damaged`] if it is not what was written.
    pub fn read(&self, name: &str) -> Result<Vec<u8>, CaptureError> {
        let path = self.path.join(name);
        let content = match read_plain(&path, MAX_FILE, OFlag::empty()) {
            Err(e) if matches!(e.kind(), io::ErrorKind::FileTooLarge | io::ErrorKind::InvalidInput) => {
                return Err(CaptureError::Damaged { path, why: e.to_string() });
            }
            read => read.map_err(io_error(&path))?,
        };
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

/// Whether a capture is this user's own: nobody else has had a hand in its folder. In a store that others may
/// write to, what they put there says nothing and weighs nothing.
#[must_use]
pub fn is_own(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    fs::symlink_metadata(path)
        .is_ok_and(|m| m.is_dir() && m.uid() == nix::unistd::geteuid().as_raw() && m.mode() & 0o022 == 0)
}

/// Removes a capture. It loses its name first, so that what a crash leaves of it is no capture any more;
/// [`crate::recover`] removes that.
///
/// # Errors
/// [`CaptureError::Io`]; [`CaptureError::NotACapture`] for a folder that is none: nothing of it is removed.
pub fn remove(path: &Path) -> Result<(), CaptureError> {
    let capture = Capture::open(path)?;
    let going =
        path.with_file_name(format!("{REMOVED}{}", capture.path.file_name().unwrap_or_default().to_string_lossy()));
    fs::rename(path, &going).map_err(io_error(path))?;
    fs::remove_dir_all(&going).map_err(io_error(going))
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

    /// Of whatever is in the folder, only plain files are read, and nothing is waited for.
    #[test]
    fn what_is_no_plain_file_is_refused_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let manifest = dir.path().join(MANIFEST);
        nix::unistd::mkfifo(&manifest, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let e = Capture::open(dir.path()).unwrap_err().to_string();
        assert!(e.contains("not a plain file"), "{e}");
        fs::remove_file(&manifest).unwrap();
        std::os::unix::fs::symlink("/dev/zero", &manifest).unwrap();
        assert!(Capture::open(dir.path()).is_err());
        fs::remove_file(&manifest).unwrap();
        fs::File::create(&manifest).unwrap().set_len(MAX_MANIFEST + 1).unwrap();
        let e = Capture::open(dir.path()).unwrap_err().to_string();
        assert!(e.contains("longer than"), "{e}");
        fs::write(&manifest, format!("{{\"schema\":\"{}\"}}", Manifest::SCHEMA)).unwrap();
        let c = Capture::open(dir.path()).unwrap();
        nix::unistd::mkfifo(&dir.path().join("a"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(matches!(c.read("a"), Err(CaptureError::Damaged { .. })));
    }
}
