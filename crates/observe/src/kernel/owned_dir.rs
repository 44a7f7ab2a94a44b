//! A folder that is ours alone, and files in such places: what is read there is believed, so nobody else may
//! have written it.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// A folder of this user's that nobody else may write, opened: what was checked is what is used, whatever
/// becomes of its name.
#[derive(Debug)]
pub struct OwnedDir(File);

impl OwnedDir {
    /// Opens it. A link is refused, and a folder that is another user's or that others may write: what we
    /// read there would be theirs.
    ///
    /// # Errors
    /// The system's, `PermissionDenied` for one that is not ours alone.
    pub fn open(path: &Path) -> io::Result<Self> {
        let dir = OpenOptions::new().read(true).custom_flags(libc::O_DIRECTORY | libc::O_NOFOLLOW).open(path)?;
        if !is_ours(&dir.metadata()?) {
            let why = format!("{} is another user's, or others may write there", path.display());
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
        }
        Ok(Self(dir))
    }

    /// The path of what has that name in it, by way of the opened folder.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.0.as_raw_fd())).join(name)
    }
}

/// Opens a plain file for reading if it is this user's and nobody else may write it. A link is not followed,
/// and nothing that stands there instead of a file can make us wait.
#[must_use]
pub fn open_owned_file(path: &Path) -> Option<File> {
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).ok()?;
    file.metadata().is_ok_and(|m| m.is_file() && is_ours(&m)).then_some(file)
}

/// Whether it is this user's and nobody else may write it.
fn is_ours(meta: &Metadata) -> bool {
    meta.uid() == nix::unistd::geteuid().as_raw() && meta.mode() & 0o022 == 0
}

#[cfg(test)]
mod tests {
    use std::fs::{self, DirBuilder, Permissions};
    use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _, chown, symlink};

    use super::*;

    fn made(parent: &Path, name: &str) -> PathBuf {
        let path = parent.join(name);
        DirBuilder::new().mode(0o700).create(&path).unwrap();
        path
    }

    #[test]
    fn what_was_checked_is_what_is_used() {
        let dir = tempfile::tempdir().unwrap();
        let path = made(dir.path(), "ours");
        fs::write(path.join("file"), "ours").unwrap();
        let opened = OwnedDir::open(&path).unwrap();
        fs::rename(&path, dir.path().join("away")).unwrap();
        let theirs = made(dir.path(), "ours");
        fs::write(theirs.join("file"), "theirs").unwrap();
        assert_eq!(fs::read_to_string(opened.path("file")).unwrap(), "ours");
    }

    #[test]
    fn a_folder_that_others_may_write_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = made(dir.path(), "folder");
        for (mode, ours) in [(0o700, true), (0o755, true), (0o770, false), (0o702, false), (0o1777, false)] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            match OwnedDir::open(&path) {
                Ok(_) => assert!(ours, "{mode:o}"),
                Err(e) => assert_eq!((ours, e.kind()), (false, io::ErrorKind::PermissionDenied), "{mode:o}"),
            }
        }
    }

    #[test]
    fn links_and_files_are_no_folders() {
        let dir = tempfile::tempdir().unwrap();
        let path = made(dir.path(), "folder");
        symlink(&path, dir.path().join("link")).unwrap();
        fs::write(dir.path().join("file"), "").unwrap();
        for name in ["link", "file", "nothing"] {
            assert!(OwnedDir::open(&dir.path().join(name)).is_err(), "{name}");
        }
    }

    #[test]
    fn another_users_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = made(dir.path(), "folder");
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        if chown(&path, Some(65534), None).and_then(|()| chown(&file, Some(65534), None)).is_err() {
            println!("SKIPPED: only root can give a folder away");
            return;
        }
        assert_eq!(OwnedDir::open(&path).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        assert!(open_owned_file(&file).is_none());
    }

    #[test]
    fn only_plain_files_of_ours_are_opened() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "text").unwrap();
        for (mode, ours) in [(0o600, true), (0o644, true), (0o620, false), (0o602, false)] {
            fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
            assert_eq!(open_owned_file(&file).is_some(), ours, "{mode:o}");
        }
        fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
        symlink(&file, dir.path().join("link")).unwrap();
        nix::unistd::mkfifo(&dir.path().join("pipe"), nix::sys::stat::Mode::S_IRUSR).unwrap();
        for name in ["link", "pipe", ".", "nothing"] {
            assert!(open_owned_file(&dir.path().join(name)).is_none(), "{name}");
        }
    }
}
