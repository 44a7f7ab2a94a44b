//! Writing a capture, and rescuing one whose writer died.

use std::collections::VecDeque;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, PosixFadviseAdvice, RenameFlags, posix_fadvise, renameat2};

use crate::error::{CaptureError, io_error};
use crate::manifest::{FileEntry, GapEntry, Manifest};
use crate::names::{FACTS, MANIFEST, MEMORY, REMOVED};
use crate::reader::{Capture, MAX_FILE, read_plain};
use crate::stream::Stream;

const PARTIAL: &str = ".partial-";

/// A capture in the making. Dropped without [`Writer::seal`] it leaves nothing behind.
#[derive(Debug)]
pub struct Writer {
    store: PathBuf,
    /// Locked as long as we live: how others, in other process namespaces too, know that this folder is being
    /// written.
    partial: Partial,
    id: String,
    files: Vec<FileEntry>,
    /// Files that are written and on their way to the disk, in the order in which they were added.
    unsettled: VecDeque<(String, File)>,
    sealed: bool,
}

impl Writer {
    /// Starts a capture `id` in `store`, which is made if need be. Where there is one of that name, or will
    /// be, it becomes `id-2`, and so on: [`Writer::id`].
    ///
    /// # Errors
    /// [`CaptureError::Io`]: the store cannot be written.
    pub fn create(store: &Path, id: &str) -> Result<Self, CaptureError> {
        fs::create_dir_all(store).map_err(io_error(store))?;
        // Containers that share a store may all be process 1: the time makes the name theirs alone.
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_nanos());
        let id = free_id(store, id);
        let partial = store.join(format!("{PARTIAL}{}x{now:x}-{id}", std::process::id()));
        // Captures tell how a service is built: for its owner's eyes.
        DirBuilder::new().mode(0o700).create(&partial).map_err(io_error(&partial))?;
        let partial = Partial::open(partial)?;
        // Where locks are not to be had (some network file systems) the folder is written all the same.
        let _ = partial.dir.try_lock();
        let (files, unsettled) = (Vec::new(), VecDeque::new());
        Ok(Self { store: store.into(), partial, id, files, unsettled, sealed: false })
    }

    /// Name that the capture will have.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Writes a file and has it go to the disk, without waiting for that: it is durable, and has its name,
    /// when [`Writer::settle`] or [`Writer::seal`] has returned.
    ///
    /// To wait for one file after the other was the longest part of a capture: a commit of the file system's
    /// journal for each of a dozen, where one holds them all.
    ///
    /// # Errors
    /// [`CaptureError::Io`]: a full disk, most likely. What was added before stays good.
    pub fn add(&mut self, name: &str, content: &[u8]) -> Result<(), CaptureError> {
        let file = self.partial.write_unsynced(name, content)?;
        self.unsettled.push_back((name.into(), file));
        self.files.push(FileEntry::of(name, content));
        Ok(())
    }

    /// Waits until all that was added is durable.
    ///
    /// # Errors
    /// [`CaptureError::Io`]: a full disk, most likely. What was added before the file that it names stays
    /// good.
    pub fn settle(&mut self) -> Result<(), CaptureError> {
        self.partial.settle(&mut self.unsettled)
    }

    /// Writes a file piece by piece, durable before it returns; for what is too large to be had in memory.
    /// One that could not be written leaves nothing behind.
    ///
    /// # Errors
    /// [`CaptureError::Io`]: what `fill` says, or a full disk, most likely. What was added before stays good.
    pub fn add_stream<T>(
        &mut self,
        name: &str,
        fill: impl FnOnce(Stream) -> io::Result<(Stream, T)>,
    ) -> Result<T, CaptureError> {
        let (entry, told) = self.partial.stream_synced(name, fill)?;
        self.files.push(entry);
        Ok(told)
    }

    /// Removes a file that was added: it is given up for those that are needed more.
    pub fn give_up(&mut self, name: &str) {
        self.files.retain(|f| f.name != name);
        self.unsettled.retain(|(n, _)| n != name);
        for name in [name, &unfinished(name)] {
            let _ = fs::remove_file(self.partial.at(name));
        }
    }

    /// Bytes that are free where it is written, as far as the system says.
    #[must_use]
    pub fn free_bytes(&self) -> Option<u64> {
        let stat = nix::sys::statvfs::fstatvfs(&self.partial.dir).ok()?;
        Some(stat.blocks_available().saturating_mul(stat.fragment_size()))
    }

    /// Writes the manifest and gives the capture its name. `files`, `id` and `schema` of the manifest are
    /// filled in.
    ///
    /// # Errors
    /// [`CaptureError::Io`].
    pub fn seal(mut self, manifest: Manifest) -> Result<PathBuf, CaptureError> {
        let files = std::mem::take(&mut self.files);
        let manifest = Manifest { id: self.id.clone(), files, ..manifest };
        let path = finish(&self.store, &self.partial, &mut self.unsettled, manifest)?;
        self.sealed = true;
        Ok(path)
    }

    /// As [`Writer::seal`], in the place of a capture that stands in the same store: whoever opens that name
    /// finds the one or the other, each of them whole. What the old one has beside what was added here is
    /// lost, but for files that were [`Writer::adopt`]ed.
    ///
    /// # Errors
    /// [`CaptureError::Io`]: the old one stays, unless the file system cannot exchange names and the system
    /// fails in that very moment; then the new one is found by [`recover`].
    pub fn seal_in_place_of(mut self, old: &Path, manifest: Manifest) -> Result<(), CaptureError> {
        let id = old.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut files = std::mem::take(&mut self.files);
        files.sort_by(|a, b| a.name.cmp(&b.name));
        let manifest = Manifest { schema: Manifest::SCHEMA.into(), id: id.clone(), files, ..manifest };
        self.partial.add_manifest(&mut self.unsettled, &manifest)?;
        let new = &self.partial.path;
        let going = self.store.join(format!("{REMOVED}{id}"));
        match renameat2(AT_FDCWD, new, AT_FDCWD, old, RenameFlags::RENAME_EXCHANGE) {
            Ok(()) => fs::rename(new, &going).map_err(io_error(new))?,
            Err(Errno::EINVAL | Errno::ENOSYS) => {
                fs::rename(old, &going).map_err(io_error(old))?;
                fs::rename(new, old).map_err(io_error(new))?;
            }
            Err(e) => return Err(io_error(old)(e.into())),
        }
        self.sealed = true;
        File::open(&self.store).and_then(|d| d.sync_all()).map_err(io_error(&self.store))?;
        // What is left of it is removed by the next start.
        let _ = fs::remove_dir_all(&going);
        Ok(())
    }

    /// Takes over a file of another capture of the same store, if it has it, without a copy.
    ///
    /// # Errors
    /// [`CaptureError::Io`]: the file system has no links.
    pub fn adopt(&mut self, from: &Capture, name: &str) -> Result<(), CaptureError> {
        let Some(entry) = from.manifest().files.iter().find(|f| f.name == name) else { return Ok(()) };
        fs::hard_link(from.path().join(name), self.partial.at(name)).map_err(io_error(self.partial.path.join(name)))?;
        self.files.push(entry.clone());
        Ok(())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if !self.sealed {
            let _ = fs::remove_dir_all(&self.partial.path);
        }
    }
}

/// A partial folder, opened: what is checked is what is written and read, whatever becomes of its name. A
/// store may be where others can write too.
#[derive(Debug)]
struct Partial {
    path: PathBuf,
    dir: File,
}

impl Partial {
    fn open(path: PathBuf) -> Result<Self, CaptureError> {
        let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
        let opened = OpenOptions::new().read(true).custom_flags(flags.bits()).open(&path);
        let dir = opened.map_err(io_error(&path))?;
        Ok(Self { path, dir })
    }

    /// Whether nobody but us has had a hand in it.
    fn is_ours(&self) -> io::Result<bool> {
        let meta = self.dir.metadata()?;
        Ok(meta.uid() == nix::unistd::geteuid().as_raw() && meta.mode() & 0o022 == 0)
    }

    /// A file's path, by way of the opened folder.
    fn at(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.dir.as_raw_fd())).join(name)
    }

    /// Writes a file and begins to bring it to the disk.
    fn write_unsynced(&self, name: &str, content: &[u8]) -> Result<File, CaptureError> {
        let write = || {
            let mut file = self.unfinished(name)?;
            file.write_all(content)?;
            // The kernel begins to write what it is told will not be needed, and does not wait
            // (mm/fadvise.c): it finds places on the disk for it now, and whoever is waited for first takes
            // all others along.
            let _ = posix_fadvise(&file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED);
            Ok(file)
        };
        write().map_err(io_error(self.path.join(name)))
    }

    /// Waits for files that were written so; each has its name as soon as it is durable.
    fn settle(&self, files: &mut VecDeque<(String, File)>) -> Result<(), CaptureError> {
        while let Some((name, file)) = files.front() {
            self.finished(name, file).map_err(io_error(self.path.join(name)))?;
            files.pop_front();
        }
        Ok(())
    }

    /// Writes the manifest after all else; all of the folder is durable then.
    fn add_manifest(&self, files: &mut VecDeque<(String, File)>, manifest: &Manifest) -> Result<(), CaptureError> {
        let json = serde_json::to_vec_pretty(manifest).map_err(|e| io_error(&self.path)(e.into()))?;
        files.push_back((MANIFEST.into(), self.write_unsynced(MANIFEST, &json)?));
        self.settle(files)?;
        self.dir.sync_all().map_err(io_error(&self.path))
    }

    fn stream_synced<T>(
        &self,
        name: &str,
        fill: impl FnOnce(Stream) -> io::Result<(Stream, T)>,
    ) -> Result<(FileEntry, T), CaptureError> {
        let write = || {
            let (stream, told) = fill(Stream::new(self.unfinished(name)?))?;
            let (file, bytes, crc32) = stream.end();
            self.finished(name, &file)?;
            Ok((FileEntry { name: name.into(), bytes, crc32: format!("{crc32:08x}") }, told))
        };
        write().map_err(|e| {
            let _ = fs::remove_file(self.at(&unfinished(name)));
            io_error(self.path.join(name))(e)
        })
    }

    /// Under another name first: a file that has its name is whole, also for who rescues a partial folder.
    fn unfinished(&self, name: &str) -> io::Result<File> {
        let unfinished = self.at(&unfinished(name));
        // Never what stands there already, be it a link to elsewhere.
        match fs::remove_file(&unfinished) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)
    }

    fn finished(&self, name: &str, file: &File) -> io::Result<()> {
        file.sync_all()?;
        fs::rename(self.at(&unfinished(name)), self.at(name))
    }
}

/// Name of a file that is not durable yet.
fn unfinished(name: &str) -> String {
    format!(".{name}")
}

/// Names of one capture after another that would have the same.
fn ids(id: &str) -> impl Iterator<Item = String> {
    (1..1000).map(move |n| if n == 1 { id.to_owned() } else { format!("{id}-{n}") })
}

/// A name that no capture has, nor one that is being written. A link that leads nowhere has its name too.
fn free_id(store: &Path, id: &str) -> String {
    let names = fs::read_dir(store).into_iter().flatten().filter_map(|e| e.ok()?.file_name().into_string().ok());
    let coming: Vec<String> =
        names.filter_map(|n| Some(n.strip_prefix(PARTIAL)?.split_once('-')?.1.to_owned())).collect();
    let is_free = |id: &String| !coming.contains(id) && store.join(id).symlink_metadata().is_err();
    ids(id).find(is_free).unwrap_or_else(|| id.to_owned())
}

fn finish(
    store: &Path,
    partial: &Partial,
    unsettled: &mut VecDeque<(String, File)>,
    mut manifest: Manifest,
) -> Result<PathBuf, CaptureError> {
    manifest.schema = Manifest::SCHEMA.into();
    manifest.files.sort_by(|a, b| a.name.cmp(&b.name));
    let mut taken = None;
    for id in ids(&manifest.id.clone()) {
        let path = store.join(&id);
        if path.symlink_metadata().is_ok() {
            continue;
        }
        manifest.id = id;
        partial.add_manifest(unsettled, &manifest)?;
        match fs::rename(&partial.path, &path) {
            // Somebody else was quicker.
            Err(e) if matches!(e.kind(), io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists) => {
                taken = Some(io_error(&path)(e));
            }
            renamed => {
                renamed.map_err(io_error(&path))?;
                File::open(store).and_then(|d| d.sync_all()).map_err(io_error(store))?;
                return Ok(path);
            }
        }
    }
    Err(taken.unwrap_or_else(|| io_error(store)(io::ErrorKind::AlreadyExists.into())))
}

/// Rescues or removes what dead writers left in `store`. Gives a line for each, for the log. What is not ours
/// alone is left as it is.
pub fn recover(store: &Path) -> Vec<String> {
    let mut done = Vec::new();
    let Ok(dir) = fs::read_dir(store) else { return done };
    let mut partials: Vec<PathBuf> = dir.filter_map(|e| Some(e.ok()?.path())).collect();
    partials.sort();
    for partial in partials {
        let name = partial.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with(REMOVED) {
            if Partial::open(partial.clone()).is_ok_and(|p| p.is_ours().unwrap_or(false)) {
                let _ = fs::remove_dir_all(&partial);
            }
            continue;
        }
        let Some((_, id)) = name.strip_prefix(PARTIAL).and_then(|r| r.split_once('-')) else { continue };
        let Ok(partial) = Partial::open(partial) else { continue };
        // Who writes it holds a lock on it.
        if partial.dir.try_lock().is_err() {
            continue;
        }
        if !partial.is_ours().unwrap_or(false) {
            done.push(format!("{name}: another user's, or one that others may write: left as it is"));
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

fn rescue(store: &Path, partial: &Partial, id: &str) -> Result<Option<PathBuf>, CaptureError> {
    let mut manifest = Manifest { id: id.into(), ..Manifest::default() };
    let mut names = Vec::new();
    for entry in fs::read_dir(partial.at(".")).map_err(io_error(&partial.path))? {
        names.push(entry.map_err(io_error(&partial.path))?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    for name in &names {
        let in_folder = || partial.path.join(name);
        if name.starts_with('.') {
            fs::remove_file(partial.at(name)).map_err(io_error(in_folder()))?;
        } else if name == MEMORY {
            // It is whole, since it has its name, and too large to be read: what it holds has checksums of
            // its own.
            let bytes = fs::symlink_metadata(partial.at(name)).map_err(io_error(in_folder()))?.len();
            manifest.files.push(FileEntry { name: name.clone(), bytes, crc32: String::new() });
        } else if name != MANIFEST {
            match read_plain(&partial.at(name), MAX_FILE, OFlag::O_NOFOLLOW) {
                Ok(content) => manifest.files.push(FileEntry::of(name, &content)),
                Err(e) => manifest.gaps.push(GapEntry { what: name.clone(), why: e.to_string() }),
            }
        }
    }
    if !manifest.files.iter().any(|f| f.name == FACTS) {
        fs::remove_dir_all(&partial.path).map_err(io_error(&partial.path))?;
        return Ok(None);
    }
    manifest
        .gaps
        .push(GapEntry { what: "some files".into(), why: "lastgasp was killed while it wrote this capture".into() });
    finish(store, partial, &mut VecDeque::new(), manifest).map(Some)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

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

    /// The new one has the name, with what was taken over; of the old one nothing is left.
    #[test]
    fn a_capture_takes_the_place_of_another() {
        let store = tempfile::tempdir().unwrap();
        let mut w = Writer::create(store.path(), "a").unwrap();
        w.add(FACTS, b"facts").unwrap();
        w.add(MEMORY, b"large").unwrap();
        w.add("old", b"1").unwrap();
        let path = w.seal(Manifest::default()).unwrap();
        let mut w = Writer::create(store.path(), "a").unwrap();
        w.add(FACTS, b"more facts").unwrap();
        w.adopt(&Capture::open(&path).unwrap(), MEMORY).unwrap();
        w.adopt(&Capture::open(&path).unwrap(), "never was").unwrap();
        w.seal_in_place_of(&path, Manifest { complete: true, ..Manifest::default() }).unwrap();
        let capture = Capture::open(&path).unwrap();
        assert_eq!((capture.manifest().id.as_str(), capture.manifest().complete), ("a", true));
        assert_eq!(capture.read(FACTS).unwrap(), b"more facts");
        assert!(capture.has(MEMORY) && !capture.has("old"));
        assert_eq!(fs::read_dir(store.path()).unwrap().count(), 1);
        assert_eq!(recover(store.path()), [""; 0]);
        // Where there is none to take the place of, nothing is left behind either.
        let w = Writer::create(store.path(), "b").unwrap();
        assert!(w.seal_in_place_of(&store.path().join("b"), Manifest::default()).is_err());
        assert_eq!(fs::read_dir(store.path()).unwrap().count(), 1);
    }

    /// Two captures of one second have names of their own, and their manifests say so; also where both are
    /// written at once, or another one took the name meanwhile.
    #[test]
    fn captures_of_one_name_have_ids_of_their_own() {
        let store = tempfile::tempdir().unwrap();
        let create = || Writer::create(store.path(), "a").unwrap();
        let seal = |mut w: Writer| {
            w.add(FACTS, b"facts").unwrap();
            let path = w.seal(Manifest::default()).unwrap();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            assert_eq!(Capture::open(&path).unwrap().manifest().id, name);
            name
        };
        let (first, second) = (create(), create());
        assert_eq!((first.id(), second.id()), ("a", "a-2"));
        fs::create_dir(store.path().join("a-2")).unwrap();
        assert_eq!([seal(second), seal(first), seal(create())], ["a-2-2", "a", "a-3"]);
    }

    /// Half of it is holes; what fails on the way leaves the rest of the capture as it was.
    #[test]
    fn a_large_file_comes_piece_by_piece() {
        use std::io::{Seek as _, SeekFrom};
        let store = tempfile::tempdir().unwrap();
        let mut w = Writer::create(store.path(), "a").unwrap();
        w.add(FACTS, b"facts").unwrap();
        let failed = w.add_stream("x", |mut s| {
            s.write_all(b"half")?;
            Err::<(Stream, ()), _>(io::Error::from(io::ErrorKind::StorageFull))
        });
        assert!(failed.unwrap_err().to_string().contains("free some space"));
        let told = w.add_stream(MEMORY, |mut s| {
            s.write_all(b"start")?;
            s.seek(SeekFrom::Current(1 << 20))?;
            s.write_all(b"end")?;
            Ok((s, 42))
        });
        assert_eq!(told.unwrap(), 42);
        w.add("more", b"more").unwrap();
        w.give_up("more");
        let path = w.seal(Manifest::default()).unwrap();
        let capture = Capture::open(&path).unwrap();
        let names: Vec<&str> = capture.manifest().files.iter().map(|f| f.name.as_str()).collect();
        assert_eq!(names, [FACTS, MEMORY]);
        assert_eq!(capture.read(MEMORY).unwrap().len(), (1 << 20) + 8);
        assert_eq!(fs::metadata(path.join(MEMORY)).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(&path).unwrap().count(), 3);
        let mut file = capture.open_file(MEMORY).unwrap();
        let mut head = [0; 5];
        io::Read::read_exact(&mut file, &mut head).unwrap();
        assert_eq!(&head, b"start");
        file = OpenOptions::new().write(true).open(path.join(MEMORY)).unwrap();
        file.set_len(100).unwrap();
        assert!(matches!(capture.open_file(MEMORY), Err(CaptureError::Damaged { .. })));
        assert!(matches!(capture.open_file("none"), Err(CaptureError::Io { .. })));
    }

    /// A file has its name when it is durable, and not before; one that is given up goes either way.
    #[test]
    fn files_are_named_when_they_are_settled() {
        let store = tempfile::tempdir().unwrap();
        let mut w = Writer::create(store.path(), "a").unwrap();
        w.add(FACTS, b"facts").unwrap();
        w.add("early", b"given up").unwrap();
        let names = |w: &Writer| {
            let all = fs::read_dir(&w.partial.path).unwrap();
            let mut names: Vec<_> = all.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        };
        assert_eq!(names(&w), [unfinished("early"), unfinished(FACTS)]);
        w.give_up("early");
        w.settle().unwrap();
        assert_eq!((names(&w), w.unsettled.len()), (vec![FACTS.to_owned()], 0));
        w.add("late", b"late").unwrap();
        assert_eq!(names(&w), [unfinished("late"), FACTS.to_owned()]);
        let path = w.seal(Manifest::default()).unwrap();
        let capture = Capture::open(&path).unwrap();
        assert_eq!((capture.read(FACTS).unwrap(), capture.read("late").unwrap()), (b"facts".into(), b"late".into()));
        assert_eq!(fs::read_dir(&path).unwrap().count(), 3);
    }

    /// What was written of memory before the writer died stays with the capture.
    #[test]
    fn a_rescued_capture_keeps_its_memory() {
        let store = tempfile::tempdir().unwrap();
        let mut w = Writer::create(store.path(), "a").unwrap();
        w.add(FACTS, b"facts").unwrap();
        w.settle().unwrap();
        w.add_stream(MEMORY, |mut s| s.write_all(b"core").map(|()| (s, ()))).unwrap();
        w.sealed = true;
        drop(w);
        assert!(recover(store.path())[0].contains("rescued"));
        let capture = Capture::open(&store.path().join("a")).unwrap();
        assert!(capture.manifest().files.iter().any(|f| f.name == MEMORY && f.bytes == 4 && f.crc32.is_empty()));
        assert!(capture.open_file(MEMORY).is_ok());
    }

    /// Removed as a whole; one that was being removed when its remover died goes at the next start.
    #[test]
    fn a_capture_is_removed() {
        let store = tempfile::tempdir().unwrap();
        let written = |id: &str| {
            let mut w = Writer::create(store.path(), id).unwrap();
            w.add(FACTS, b"facts").unwrap();
            w.seal(Manifest::default()).unwrap()
        };
        crate::remove(&written("a")).unwrap();
        assert_eq!(fs::read_dir(store.path()).unwrap().count(), 0);
        fs::rename(written("b"), store.path().join(format!("{REMOVED}b"))).unwrap();
        let kept = written("c");
        assert_eq!(recover(store.path()), Vec::<String>::new());
        assert_eq!(crate::list(store.path()), [kept]);
        assert_eq!(fs::read_dir(store.path()).unwrap().count(), 1);
        // What is no capture is not removed.
        let other = store.path().join("other");
        fs::create_dir(&other).unwrap();
        assert!(crate::remove(&other).is_err() && other.is_dir());
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

    /// A writer that was killed after each of its steps: the next start finds a capture that can be read, or
    /// nothing.
    #[test]
    fn a_killed_writer_is_rescued_or_removed() {
        for steps in 0..4 {
            let store = tempfile::tempdir().unwrap();
            let partial = store.path().join(format!("{PARTIAL}{}-svc", i32::MAX));
            DirBuilder::new().mode(0o700).create(&partial).unwrap();
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

    /// In a store where others may write stands what others want: none of it is read, followed, waited for or
    /// removed.
    #[test]
    fn what_others_put_there_is_left_as_it_is() {
        let store = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        fs::write(elsewhere.path().join(FACTS), b"theirs").unwrap();
        let partial = |n: u32| store.path().join(format!("{PARTIAL}{n}-svc"));
        std::os::unix::fs::symlink(elsewhere.path(), partial(1)).unwrap();
        nix::unistd::mkfifo(&partial(2), nix::sys::stat::Mode::S_IRWXU).unwrap();
        fs::write(partial(3), b"a file").unwrap();
        DirBuilder::new().create(partial(4)).unwrap();
        fs::write(partial(4).join(FACTS), b"facts").unwrap();
        fs::set_permissions(partial(4), fs::Permissions::from_mode(0o777)).unwrap();
        let mut expected = 1;
        if nix::unistd::geteuid().is_root() {
            DirBuilder::new().mode(0o700).create(partial(5)).unwrap();
            std::os::unix::fs::symlink("/dev/zero", partial(5).join(FACTS)).unwrap();
            std::os::unix::fs::chown(partial(5), Some(65534), None).unwrap();
            expected += 1;
        }
        let before = fs::read_dir(store.path()).unwrap().count();
        let said = recover(store.path());
        assert_eq!(said.len(), expected, "{said:?}");
        assert!(said.iter().all(|l| l.contains("left as it is")), "{said:?}");
        assert_eq!(fs::read_dir(store.path()).unwrap().count(), before);
        assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 1);
        assert_eq!(crate::list(store.path()), Vec::<PathBuf>::new());
    }

    /// Our own folder, with what cannot be there: the rest is rescued, and nothing behind a link is touched.
    #[test]
    fn links_and_pipes_are_not_rescued() {
        let store = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let kept = elsewhere.path().join("kept");
        fs::write(&kept, b"kept").unwrap();
        let partial = store.path().join(format!("{PARTIAL}1-svc"));
        DirBuilder::new().mode(0o700).create(&partial).unwrap();
        fs::write(partial.join(FACTS), b"facts").unwrap();
        std::os::unix::fs::symlink("/dev/zero", partial.join("memory.json")).unwrap();
        nix::unistd::mkfifo(&partial.join("report.txt"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        for name in [MANIFEST.to_owned(), format!(".{MANIFEST}")] {
            std::os::unix::fs::symlink(&kept, partial.join(name)).unwrap();
        }
        // And its name is taken, by a link that leads nowhere.
        std::os::unix::fs::symlink("/nowhere", store.path().join("svc")).unwrap();
        let said = recover(store.path());
        assert!(said.len() == 1 && said[0].ends_with("svc-2"), "{said:?}");
        let c = Capture::open(&store.path().join("svc-2")).unwrap();
        assert_eq!((c.manifest().files.len(), c.manifest().gaps.len()), (1, 3));
        assert_eq!(fs::read(&kept).unwrap(), b"kept");
    }

    #[test]
    fn a_store_that_cannot_be_made_says_so() {
        let e = Writer::create(Path::new("/proc/nowhere"), "a").unwrap_err();
        assert!(e.to_string().contains("/proc/nowhere"), "{e}");
    }
}
