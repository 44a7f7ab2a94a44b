//! The store as one daemon's own: who else may write there could plant captures and a journal, and two
//! daemons would each bring the store within the limits of its own and take the same deaths twice.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use nix::libc;

use crate::config::others_write;

/// How long a predecessor's end is waited for: one that was killed lets go as the last of its threads ends.
const PATIENCE: Duration = Duration::from_secs(5);
const AGAIN: Duration = Duration::from_millis(100);

/// The store, held for as long as this is.
#[derive(Debug)]
pub struct OwnStore(#[allow(dead_code, reason = "its lock is held by it")] File);

impl OwnStore {
    /// Makes the store if it is not there, and holds it.
    ///
    /// # Errors
    /// It cannot be made; others may write there; another daemon holds it. Each with its cure.
    pub fn hold(store: &Path) -> Result<Self> {
        Self::hold_within(store, PATIENCE)
    }

    fn hold_within(store: &Path, patience: Duration) -> Result<Self> {
        let named = || format!("the store {} (--store or store.path names another)", store.display());
        // What captures tell is for their owner's eyes.
        DirBuilder::new().recursive(true).mode(0o700).create(store).with_context(named)?;
        let folder = OpenOptions::new().read(true).custom_flags(libc::O_DIRECTORY).open(store).with_context(named)?;
        if let Some(who) = others_write(&folder.metadata().with_context(named)?) {
            bail!(
                "{}: {who} may write there, and could plant captures and what is to be undone: chmod go-w, chown, or another folder",
                named()
            );
        }
        let began = Instant::now();
        loop {
            match folder.try_lock() {
                Ok(()) => return Ok(Self(folder)),
                Err(TryLockError::WouldBlock) if began.elapsed() < patience => std::thread::sleep(AGAIN),
                Err(TryLockError::WouldBlock) => {
                    bail!("{}: another lastgasp watch uses it", named());
                }
                // Some network file systems have no locks.
                Err(TryLockError::Error(e)) => {
                    tracing::warn!("whether another lastgasp watch uses the store cannot be said: {e}");
                    return Ok(Self(folder));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{Permissions, set_permissions};
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    use super::*;

    #[test]
    fn one_daemon_holds_a_store_and_nobody_else_may_write_there() {
        let parent = tempfile::tempdir().unwrap();
        let store = parent.path().join("a/store");
        let hold = || OwnStore::hold_within(&store, Duration::from_millis(300)).map_err(|e| format!("{e:#}"));
        let first = hold().unwrap();
        assert_eq!(store.metadata().unwrap().mode() & 0o777, 0o700, "nobody else reads what it makes");
        assert!(hold().unwrap_err().contains("another lastgasp watch uses it"));
        drop(first);
        drop(hold().unwrap());
        set_permissions(&store, Permissions::from_mode(0o757)).unwrap();
        assert!(hold().unwrap_err().contains("everybody may write there"));
        set_permissions(&store, Permissions::from_mode(0o755)).unwrap();
        drop(hold().unwrap());
        if nix::unistd::geteuid().is_root() {
            nix::unistd::chown(&store, Some(65534.into()), None).unwrap();
            assert!(hold().unwrap_err().contains("another user"));
        }
    }
}
