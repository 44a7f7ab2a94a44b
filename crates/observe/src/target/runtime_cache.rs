//! Where the runtimes of binaries stand, remembered: in memory, and on disk for the next lastgasp. What is
//! read back is only a hint: `Runtime::apply` holds it against the process, and what does not fit is found
//! anew and written over.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::PathBuf;

use lastgasp_goruntime::{DiscoverError, Runtime, RuntimeLocation, binary_key};
use lastgasp_inferior::{ElfImage, Memory};
use serde::{Deserialize, Serialize};

use crate::kernel::owned_dir::OwnedDir;

/// Names the folder; empty for none.
const VARIABLE: &str = "LASTGASP_CACHE_DIR";
/// Largest file that we take for one of ours.
const MAX_FILE: u64 = 64 << 10;
/// Most files of ours; one more, and all of them are removed: a build machine runs a new binary every minute.
const MAX_FILES: usize = 4096;

/// A file of the folder.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    /// The lastgasp that wrote it: another one may have other rules.
    lastgasp: String,
    /// The binary: a file that was renamed is no good.
    key: String,
    /// Of `located` as JSON: some of it would not be missed before it is too late if a bit had tipped over.
    crc32: u32,
    located: RuntimeLocation,
}

impl Entry {
    fn of(key: &str, located: &RuntimeLocation) -> io::Result<Self> {
        let crc32 = crc32fast::hash(&serde_json::to_vec(located)?);
        Ok(Self { lastgasp: env!("CARGO_PKG_VERSION").into(), key: key.to_owned(), crc32, located: located.clone() })
    }
}

/// What a file of the folder says of the binary `key`; `None` if it is damaged, of another binary or of
/// another lastgasp. At most 64 KiB are read of a file.
#[must_use]
pub fn remembered(key: &str, file: &[u8]) -> Option<RuntimeLocation> {
    let entry: Entry = serde_json::from_slice(file).ok()?;
    let whole = Entry::of(key, &entry.located).ok()?;
    (entry == whole).then_some(entry.located)
}

/// What is known of binaries.
#[derive(Debug, Default)]
pub struct RuntimeCache {
    known: RefCell<BTreeMap<String, RuntimeLocation>>,
    folder: Option<PathBuf>,
}

impl RuntimeCache {
    /// In memory alone.
    #[must_use]
    pub fn in_memory() -> Self {
        Self::default()
    }

    /// In `folder` too, which is made when there is something to write.
    #[must_use]
    pub fn in_folder(folder: PathBuf) -> Self {
        Self { folder: Some(folder), ..Self::default() }
    }

    /// In the folder that this user's caches are kept in: `/var/cache/lastgasp` for root, whatever the
    /// environment of a `sudo` says; `$XDG_CACHE_HOME/lastgasp` or `~/.cache/lastgasp` for all others.
    /// `LASTGASP_CACHE_DIR` names another one; empty means none.
    #[must_use]
    pub fn of_user() -> Self {
        let var = |name| std::env::var_os(name).map(PathBuf::from);
        let absolute = |name| var(name).filter(|p| p.is_absolute());
        let folder = match var(VARIABLE) {
            Some(named) => Some(named).filter(|p| !p.as_os_str().is_empty()),
            None if nix::unistd::geteuid().is_root() => Some(PathBuf::from("/var/cache/lastgasp")),
            None => {
                let base = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")));
                base.map(|b| b.join("lastgasp"))
            }
        };
        Self { folder, ..Self::default() }
    }

    /// As [`Runtime::discover`], with what is remembered.
    ///
    /// # Errors
    /// As there. That the memory on disk is of no use is none.
    pub fn discover(&self, image: &ElfImage, bias: u64, mem: &dyn Memory) -> Result<Runtime, DiscoverError> {
        let Some(key) = key(image) else {
            return Runtime::apply(image, bias, mem, &Runtime::locate(image, bias, mem)?);
        };
        let known = self.known.borrow().get(&key).cloned();
        let known = known.or_else(|| self.read(&key));
        if let Some(located) = known
            && let Ok(runtime) = Runtime::apply(image, bias, mem, &located)
        {
            self.known.borrow_mut().insert(key, located);
            return Ok(runtime);
        }
        let located = Runtime::locate(image, bias, mem)?;
        let runtime = Runtime::apply(image, bias, mem, &located)?;
        let _ = self.write(&key, &located);
        self.known.borrow_mut().insert(key, located);
        Ok(runtime)
    }

    /// What is remembered of an image, if anything: a hint.
    #[must_use]
    pub fn hint(&self, image: &ElfImage) -> Option<RuntimeLocation> {
        let key = key(image)?;
        let known = self.known.borrow().get(&key).cloned();
        known.or_else(|| self.read(&key))
    }

    /// Notes where a runtime was found, for the next lastgasp too.
    pub fn note(&self, image: &ElfImage, located: &RuntimeLocation) {
        let Some(key) = key(image) else { return };
        if self.known.borrow().get(&key) != Some(located) {
            let _ = self.write(&key, located);
            let mut known = self.known.borrow_mut();
            if known.len() >= MAX_FILES {
                known.clear();
            }
            known.insert(key, located.clone());
        }
    }

    fn read(&self, key: &str) -> Option<RuntimeLocation> {
        let folder = OwnedDir::open(self.folder.as_deref()?).ok()?;
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
            .open(folder.path(key))
            .ok()?;
        if !file.metadata().is_ok_and(|m| m.is_file() && m.len() <= MAX_FILE) {
            return None;
        }
        let mut text = Vec::new();
        file.take(MAX_FILE).read_to_end(&mut text).ok()?;
        remembered(key, &text)
    }

    fn write(&self, key: &str, located: &RuntimeLocation) -> io::Result<()> {
        let Some(path) = &self.folder else { return Ok(()) };
        let folder = match OwnedDir::open(path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                DirBuilder::new().recursive(true).mode(0o700).create(path)?;
                OwnedDir::open(path)?
            }
            opened => opened?,
        };
        make_room(&folder)?;
        let entry = Entry::of(key, located)?;
        let new = folder.path(&format!("{key}.{}.new", std::process::id()));
        // One that was left behind by a lastgasp that died with our number.
        let _ = fs::remove_file(&new);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
        let written = file.write_all(&serde_json::to_vec(&entry)?).and_then(|()| fs::rename(&new, folder.path(key)));
        if written.is_err() {
            let _ = fs::remove_file(&new);
        }
        written
    }
}

/// A file's name: the binary, and whose file it is. Two files of one build id need not be the same program:
/// what somebody's own makes us believe is believed of that user's alone. `None` for one that others than its
/// owner may write: nothing is remembered of it, and nothing believed.
fn key(image: &ElfImage) -> Option<String> {
    let state = image.state();
    (state.mode & 0o022 == 0).then(|| format!("{}-u{}", binary_key(image), state.uid))
}

/// Whether a file has a name that we give, or gave: `ID-HASH`, `ID-HASH-uUID`, and while they are written
/// `.PID.new` behind that.
fn is_entry(name: &str) -> bool {
    let digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
    let hex = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_hexdigit());
    let key = match name.strip_suffix(".new").map(|n| n.rsplit_once('.')) {
        Some(Some((key, pid))) if digits(pid) => key,
        Some(_) => return false,
        None => name,
    };
    let mut parts = key.splitn(3, '-');
    let (id, hash, owner) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""), parts.next());
    (matches!(id, "none" | "go") || hex(id) && id.len() <= 40)
        && hash.len() == 16
        && hex(hash)
        && owner.is_none_or(|o| o.strip_prefix('u').is_some_and(digits))
}

/// Removes our files where they are too many.
fn make_room(folder: &OwnedDir) -> io::Result<()> {
    // Only ours: the folder may have been named by its user, and hold other things.
    let names = fs::read_dir(folder.path("."))?.filter_map(|e| e.ok()?.file_name().into_string().ok());
    let files: Vec<PathBuf> = names.filter(|n| is_entry(n)).map(|n| folder.path(&n)).take(MAX_FILES + 1).collect();
    if files.len() > MAX_FILES {
        files.iter().for_each(|f| drop(fs::remove_file(f)));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn only_our_own_files_make_room() {
        let dir = tempfile::tempdir().unwrap();
        let hash = "0123456789abcdef";
        let ours = [
            format!("none-{hash}"),
            format!("go-{hash}-u0"),
            format!("0123456789abcdef0123456789abcdef01234567-{hash}-u65534"),
            format!("abc-{hash}.12.new"),
            format!("abc-{hash}-u7.12.new"),
        ];
        let theirs = [
            "report.html".to_owned(),
            "go-1.24.tar".to_owned(),
            format!("mine-{hash}"),
            format!("go-{hash}0"),
            format!("go-{hash}-x"),
            format!("go-{hash}-u"),
            format!("go-{hash}-u1-2"),
            format!("go-{hash}.new"),
            format!("go-{hash}.x.new"),
            format!("-{hash}"),
        ];
        ours.iter().for_each(|n| assert!(is_entry(n), "{n}"));
        theirs.iter().for_each(|n| assert!(!is_entry(n), "{n}"));
        let left = || fs::read_dir(dir.path()).unwrap().count();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let folder = OwnedDir::open(dir.path()).unwrap();
        theirs.iter().for_each(|n| fs::write(dir.path().join(n), "theirs").unwrap());
        // As many again as would be too many: they are not ours to count either.
        (0..MAX_FILES).for_each(|n| drop(File::create(dir.path().join(format!("note{n}"))).unwrap()));
        (0..MAX_FILES).for_each(|n| drop(File::create(dir.path().join(format!("go-{n:016x}-u0"))).unwrap()));
        make_room(&folder).unwrap();
        assert_eq!(left(), theirs.len() + 2 * MAX_FILES);
        fs::write(dir.path().join(&ours[0]), "").unwrap();
        make_room(&folder).unwrap();
        assert_eq!(left(), theirs.len() + MAX_FILES);
    }
}
