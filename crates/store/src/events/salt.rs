//! Salted hashes of contents: within a store equal contents have equal hashes, and nobody outside of it can
//! try out what they were.

use std::fmt;
use std::fs::OpenOptions;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use ring::hmac::{Context, HMAC_SHA256, Key};
use ring::rand::{SecureRandom as _, SystemRandom};

use super::FOLDER;

const BYTES: usize = 32;
/// Bytes of a hash that are kept: 128 bits.
const KEPT: usize = 16;

/// Salt of a store.
#[derive(Clone)]
pub struct Salt(Key);

impl fmt::Debug for Salt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Salt(..)")
    }
}

impl Salt {
    /// The store's own, which is made where there is none. Where it can neither be read nor made, one that is
    /// forgotten with this process: its hashes are equal among themselves, and to no others.
    #[must_use]
    pub fn of(store: &Path) -> Self {
        let path = store.join(FOLDER).join("salt");
        let read = || {
            let mut bytes = [0; BYTES];
            let flags = nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK;
            OpenOptions::new().read(true).custom_flags(flags).open(&path).ok()?.read_exact(&mut bytes).ok()?;
            Some(bytes)
        };
        let make = || {
            let mut bytes = [0; BYTES];
            SystemRandom::new().fill(&mut bytes).ok()?;
            // Whole or not there: another process may read it at once.
            let fresh = path.with_extension(format!("{}", std::process::id()));
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh).ok()?;
            file.write_all(&bytes).ok()?;
            file.sync_all().ok()?;
            let linked = std::fs::hard_link(&fresh, &path);
            let _ = std::fs::remove_file(&fresh);
            linked.ok().map(|()| bytes)
        };
        // Made by somebody else between the two.
        let bytes = read().or_else(make).or_else(read).unwrap_or_else(|| {
            let mut bytes = [0; BYTES];
            let _ = SystemRandom::new().fill(&mut bytes);
            bytes
        });
        Self(Key::new(HMAC_SHA256, &bytes))
    }

    /// Hash of a content that streams by.
    #[must_use]
    pub fn content(&self) -> ContentHash {
        ContentHash(Context::with_key(&self.0))
    }

    /// Hash of a content that is at hand.
    #[must_use]
    pub fn hash(&self, content: &[u8]) -> String {
        let mut hash = self.content();
        hash.push(content);
        hash.finish()
    }
}

/// Hash of a content that streams by.
#[derive(Clone)]
pub struct ContentHash(Context);

impl fmt::Debug for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ContentHash(..)")
    }
}

impl ContentHash {
    /// More of it.
    pub fn push(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Hash in hex.
    #[must_use]
    pub fn finish(self) -> String {
        self.0.sign().as_ref().iter().take(KEPT).map(|b| format!("{b:02x}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_contents_are_equal_in_one_store_alone() {
        let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for store in [&a, &b] {
            std::fs::create_dir(store.path().join(FOLDER)).unwrap();
        }
        let first = Salt::of(a.path()).hash(b"[1,2,3]");
        assert_eq!((first.len(), &first), (32, &Salt::of(a.path()).hash(b"[1,2,3]")));
        assert_ne!(first, Salt::of(a.path()).hash(b"[1,2,4]"));
        assert_ne!(first, Salt::of(b.path()).hash(b"[1,2,3]"));
        // No folder, no salt that lasts.
        let none = tempfile::tempdir().unwrap();
        assert_ne!(Salt::of(none.path()).hash(b"x"), Salt::of(none.path()).hash(b"x"));
        assert!(!format!("{:?}", Salt::of(a.path())).contains('['));
    }
}
