//! Writing a capture, and rescuing one whose writer died.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::manifest::{FileEntry, GapEntry, Manifest};
use crate::{CaptureError, FACTS, MANIFEST, io_error};

const PARTIAL: &str = ".partial-";

/// A capture in the making. Dropped without [`Writer::seal`] it leaves nothing behind.
#[derive(Debug)]
pub struct Writer {
    store: PathBuf,
    partial: PathBuf,
    /// Locked as long as we live: how others, in other process namespaces too, know that this folder is being written.
    _lock: File,
    id: String,
    files: Vec<FileEntry>,
    sealed: bool,
}

impl Writer {
    /// Starts a capture `id` in `store`, which is made if need be.
    ///
    /// # Errors
    /// [`CaptureError::Io`]: the store cannot be written.
    pub fn create(store: &Path, id: &str) -> Result<Self, CaptureError> {
        fs::create_dir_all(store).map_err(io_error(store))?;
        // Containers that share a store may all be process 1: the time makes the name theirs alone.
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_nanos());
        let partial = store.join(format!("{PARTIAL}{}x{now:x}-{id}", std::process::id()));
        fs::create_dir(&partial).map_err(io_error(&partial))?;
        let lock = File::open(&partial).map_err(io_error(&partial))?;
        // Where locks are not to be had (some network file systems) the folder is written all the same.
        let _ = lock.try_lock();
        let mut writer =
            Self { store: store.into(), partial, _lock: lock, id: id.into(), files: Vec::new(), sealed: false };
        writer.restrict()?;
        Ok(writer)
    }

    /// Captures tell how a service is built: for its owner's eyes.
    fn restrict(&mut self) -> Result<(), CaptureError> {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(&self.partial, fs::Permissions::from_mode(0o700)).map_err(io_error(&self.partial))
    }

    /// Writes a file, durable before it returns.
    ///
    /// # Errors
    /// [`CaptureError::Io`]: a full disk, most likely. What was added before stays good.
    pub fn add(&mut self, name: &str, content: &[u8]) -> Result<(), CaptureError> {
        write_synced(&self.partial.join(name), content)?;
        self.files.push(FileEntry::of(name, content));
        Ok(())
    }

    /// Writes the manifest and gives the capture its name. `files`, `id` and `schema` of the manifest are filled in.
    ///
    /// # Errors
    /// [`CaptureError::Io`].
    pub fn seal(mut self, manifest: Manifest) -> Result<PathBuf, CaptureError> {
        let files = std::mem::take(&mut self.files);
        let path = finish(&self.store, &self.partial, Manifest { id: self.id.clone(), files, ..manifest })?;
        self.sealed = true;
        Ok(path)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if !self.sealed {
            let _ = fs::remove_dir_all(&self.partial);
        }
    }
}

/// Under another name first: a file that has its name is whole, also for who rescues a partial folder.
fn write_synced(path: &Path, content: &[u8]) -> Result<(), CaptureError> {
    let unfinished = path.with_file_name(format!(".{}", path.file_name().unwrap_or_default().to_string_lossy()));
    let mut file = File::create(&unfinished).map_err(io_error(path))?;
    file.write_all(content).map_err(io_error(path))?;
    file.sync_all().map_err(io_error(path))?;
    fs::rename(&unfinished, path).map_err(io_error(path))
}

fn sync_dir(path: &Path) -> Result<(), CaptureError> {
    File::open(path).and_then(|d| d.sync_all()).map_err(io_error(path))
}

fn finish(store: &Path, partial: &Path, mut manifest: Manifest) -> Result<PathBuf, CaptureError> {
    manifest.schema = Manifest::SCHEMA.into();
    manifest.files.sort_by(|a, b| a.name.cmp(&b.name));
    let json = serde_json::to_vec_pretty(&manifest).map_err(|e| io_error(partial)(e.into()))?;
    write_synced(&partial.join(MANIFEST), &json)?;
    sync_dir(partial)?;
    // Two captures of one second get different names.
    let mut path = store.join(&manifest.id);
    for n in 2..1000 {
        if !path.exists() {
            break;
        }
        path = store.join(format!("{}-{n}", manifest.id));
    }
    fs::rename(partial, &path).map_err(io_error(&path))?;
    sync_dir(store)?;
    Ok(path)
}

/// Rescues or removes what dead writers left in `store`. Gives a line for each, for the log.
pub fn recover(store: &Path) -> Vec<String> {
    let mut done = Vec::new();
    let Ok(dir) = fs::read_dir(store) else { return done };
    let mut partials: Vec<PathBuf> = dir.filter_map(|e| Some(e.ok()?.path())).collect();
    partials.sort();
    for partial in partials {
        let name = partial.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Some((_, id)) = name.strip_prefix(PARTIAL).and_then(|r| r.split_once('-')) else { continue };
        // Who writes it holds a lock on it.
        let Ok(lock) = File::open(&partial) else { continue };
        if lock.try_lock().is_err() {
            continue;
        }
        match rescue(store, &partial, id) {
            Ok(Some(path)) => done.push(format!("rescued {}", path.display())),
            Ok(None) => done.push(format!("removed {name}: it was cut short before it held anything readable")),
            Err(e) => done.push(format!("{name}: {e}")),
        }
    }
    done
}

fn rescue(store: &Path, partial: &Path, id: &str) -> Result<Option<PathBuf>, CaptureError> {
    let mut manifest = Manifest { id: id.into(), ..Manifest::default() };
    for entry in fs::read_dir(partial).map_err(io_error(partial))? {
        let entry = entry.map_err(io_error(partial))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let content = fs::read(entry.path()).map_err(io_error(entry.path()))?;
        if name.starts_with('.') {
            fs::remove_file(entry.path()).map_err(io_error(entry.path()))?;
        } else if name != MANIFEST {
            manifest.files.push(FileEntry::of(&name, &content));
        }
    }
    if !manifest.files.iter().any(|f| f.name == FACTS) {
        fs::remove_dir_all(partial).map_err(io_error(partial))?;
        return Ok(None);
    }
    manifest
        .gaps
        .push(GapEntry { what: "some files".into(), why: "lastgasp was killed while it wrote this capture".into() });
    finish(store, partial, manifest).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Capture;

    #[test]
    fn written_whole_and_read_back() {
        let store = tempfile::tempdir().unwrap();
        let mut w = Writer::create(store.path(), "a").unwrap();
        w.add(FACTS, b"facts").unwrap();
        w.add("memory.json", b"{}").unwrap();
        let path = w.seal(Manifest { complete: true, ..Manifest::default() }).unwrap();
        let capture = Capture::open(&path).unwrap();
        assert_eq!(capture.manifest().files.len(), 2);
        assert_eq!(capture.read(FACTS).unwrap(), b"facts");
        assert_eq!(crate::list(store.path()).len(), 1);
    }

    #[test]
    fn a_living_writer_is_let_be() {
        let store = tempfile::tempdir().unwrap();
        let mut w = Writer::create(store.path(), "a").unwrap();
        w.add(FACTS, b"facts").unwrap();
        assert_eq!(recover(store.path()), Vec::<String>::new());
        w.seal(Manifest::default()).unwrap();
        assert_eq!(crate::list(store.path()).len(), 1);
    }

    #[test]
    fn a_dropped_writer_leaves_nothing() {
        let store = tempfile::tempdir().unwrap();
        let mut w = Writer::create(store.path(), "a").unwrap();
        w.add(FACTS, b"facts").unwrap();
        drop(w);
        assert_eq!(fs::read_dir(store.path()).unwrap().count(), 0);
    }

    /// A writer that was killed after each of its steps: the next start finds a capture that can be read, or nothing.
    #[test]
    fn a_killed_writer_is_rescued_or_removed() {
        for steps in 0..4 {
            let store = tempfile::tempdir().unwrap();
            let partial = store.path().join(format!("{PARTIAL}{}-svc", i32::MAX));
            fs::create_dir(&partial).unwrap();
            match steps {
                0 => {}
                1 => fs::write(partial.join(format!(".{FACTS}")), b"fac").unwrap(),
                _ => fs::write(partial.join(FACTS), b"facts").unwrap(),
            }
            if steps > 2 {
                fs::write(partial.join(format!(".{MANIFEST}")), b"{\"half").unwrap();
            }
            assert_eq!(recover(store.path()).len(), 1);
            let left = crate::list(store.path());
            assert_eq!(left.len(), usize::from(steps > 1));
            for path in left {
                let c = Capture::open(&path).unwrap();
                assert!(!c.manifest().complete && c.manifest().gaps.len() == 1);
                assert_eq!(c.read(FACTS).unwrap(), b"facts");
            }
        }
    }

    #[test]
    fn a_store_that_cannot_be_made_says_so() {
        let e = Writer::create(Path::new("/proc/nowhere"), "a").unwrap_err();
        assert!(e.to_string().contains("/proc/nowhere"), "{e}");
    }
}
