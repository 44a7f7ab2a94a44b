//! What is remembered of binaries on disk: used when it is right, found anew when it is not, never another
//! user's. On a real Go process; skips loudly where there is no Go.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr)]

use std::cell::Cell;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use lastgasp_goruntime::{Runtime, binary_key};
use lastgasp_inferior::{Addr, ElfImage, LiveProcess, Memory, ReadError};
use lastgasp_lab::build::{Mode, cache_dir};
use lastgasp_lab::oracle::Oracle;
use lastgasp_lab::toolchain;
use lastgasp_observe::target::runtime_cache::RuntimeCache;

/// Counts what is read of the process.
struct Counted<'a>(&'a LiveProcess, Cell<usize>);

impl Memory for Counted<'_> {
    fn read(&self, addr: Addr, buf: &mut [u8]) -> Result<(), ReadError> {
        self.1.set(self.1.get() + buf.len());
        self.0.read(addr, buf)
    }
}

struct Scene {
    /// Bytes that are read of the process where nothing is remembered. What is remembered saves the search,
    /// and is read once and not twice.
    cold: usize,
    _oracle: Oracle,
    live: LiveProcess,
    folder: tempfile::TempDir,
}

/// `None` if it had to be skipped, which was said.
fn scene() -> Option<Scene> {
    let go = match toolchain::any(&cache_dir()) {
        Ok(go) => go,
        Err(e) => {
            eprintln!("SKIPPED: {e:#}");
            return None;
        }
    };
    let oracle = Oracle::start(&go, Mode::Stripped).unwrap();
    let live = LiveProcess::open(oracle.pid()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let counted = Counted(&live, Cell::new(0));
    RuntimeCache::in_memory().discover(live.image(), live.bias(), &counted).unwrap();
    Some(Scene { cold: counted.1.get(), _oracle: oracle, live, folder })
}

impl Scene {
    /// Finds everything as a lastgasp that has just been started would. Gives the bytes that it read of the
    /// process.
    fn discover(&self) -> (Runtime, usize) {
        let counted = Counted(&self.live, Cell::new(0));
        let cache = RuntimeCache::in_folder(self.folder.path().into());
        let runtime = cache.discover(self.live.image(), self.live.bias(), &counted).unwrap();
        (runtime, counted.1.get())
    }

    fn file(&self) -> PathBuf {
        self.file_of(self.live.image())
    }

    fn file_of(&self, image: &ElfImage) -> PathBuf {
        self.folder.path().join(format!("{}-u{}", binary_key(image), image.state().uid))
    }

    fn files(&self) -> usize {
        fs::read_dir(self.folder.path()).unwrap().count()
    }
}

#[test]
fn what_was_found_once_is_known_to_the_next() {
    let Some(s) = scene() else { return };
    let (first, read) = s.discover();
    assert_eq!(read, s.cold);
    assert_eq!((s.files(), s.file().metadata().unwrap().mode() & 0o777), (1, 0o600));
    let (second, cached) = s.discover();
    assert!(cached < s.cold, "{cached} of {}", s.cold);
    assert_eq!((second.module, second.globals), (first.module, first.globals));
}

#[test]
fn what_is_damaged_or_a_lie_is_found_anew_and_written_over() {
    let Some(s) = scene() else { return };
    let (truth, _) = s.discover();
    let good = fs::read_to_string(s.file()).unwrap();
    let swap = |a: &str, b: &str| {
        assert!(good.contains(a), "{good}");
        good.replacen(a, b, 1)
    };
    let digits = |name: &str| -> String {
        let at = good.find(name).unwrap() + name.len() + 2;
        good[at..].chars().take_while(char::is_ascii_digit).collect()
    };
    let allgptr = digits("runtime.allgptr");
    let lies = [
        String::new(),
        good[..good.len() / 2].to_owned(),
        "\0".repeat(70_000),
        "[".repeat(60_000),
        swap("\"lastgasp\":\"", "\"lastgasp\":\"99."),
        swap("\"key\":\"", "\"key\":\"x"),
        swap(&allgptr, &digits("runtime.allm")),
        swap(&allgptr, "18446744073709551615"),
        swap(&digits("module_data"), "0"),
    ];
    for lie in lies {
        fs::write(s.file(), &lie).unwrap();
        let (runtime, read) = s.discover();
        assert!(read >= s.cold, "believed: {lie}");
        assert_eq!((&runtime.module, runtime.globals), (&truth.module, truth.globals));
        assert_eq!(fs::read_to_string(s.file()).unwrap(), good, "not written over");
    }
    // A lie with its checksum right: only the process itself can tell.
    let forge = |from: &str, to: &str| {
        let mut entry: serde_json::Value = serde_json::from_str(&swap(from, to)).unwrap();
        let mut located: lastgasp_goruntime::RuntimeLocation =
            serde_json::from_value(entry["located"].clone()).unwrap();
        located.variables.retain(|_, a| *a != 0);
        entry["crc32"] = crc32fast::hash(&serde_json::to_vec(&located).unwrap()).into();
        entry["located"] = serde_json::to_value(&located).unwrap();
        entry.to_string()
    };
    for lie in [
        forge(&allgptr, &digits("runtime.allm")),
        forge(&allgptr, "18446744073709551615"),
        forge(&allgptr, "0"),
        forge(&digits("module_data"), "0"),
        forge(&digits("runtime.mheap_"), &digits("runtime.MemProfileRate")),
    ] {
        fs::write(s.file(), &lie).unwrap();
        let (runtime, read) = s.discover();
        assert!(read >= s.cold, "believed: {lie}");
        assert_eq!(runtime.globals, truth.globals);
        assert_eq!(fs::read_to_string(s.file()).unwrap(), good, "not written over");
    }
    assert_eq!(s.files(), 1);
}

#[test]
fn what_is_no_plain_file_of_ours_is_not_read() {
    let Some(s) = scene() else { return };
    s.discover();
    let elsewhere = tempfile::tempdir().unwrap();
    let kept = elsewhere.path().join("kept");
    fs::rename(s.file(), &kept).unwrap();
    std::os::unix::fs::symlink(&kept, s.file()).unwrap();
    assert!(s.discover().1 >= s.cold, "followed a link");
    assert!(s.file().symlink_metadata().unwrap().is_file(), "the link was replaced");
    fs::remove_file(s.file()).unwrap();
    nix::unistd::mkfifo(&s.file(), nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert!(s.discover().1 >= s.cold, "and did not wait for a writer");
}

#[test]
fn a_folder_that_others_may_write_is_left_alone() {
    let Some(s) = scene() else { return };
    let refused = |path: &Path| {
        s.discover();
        s.discover().1 >= s.cold && fs::read_dir(path).unwrap().count() == 0
    };
    for mode in [0o777, 0o770, 0o1777] {
        fs::set_permissions(s.folder.path(), fs::Permissions::from_mode(mode)).unwrap();
        assert!(refused(s.folder.path()), "{mode:o}");
    }
    fs::set_permissions(s.folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
    if nix::unistd::geteuid().is_root() {
        std::os::unix::fs::chown(s.folder.path(), Some(65534), None).unwrap();
        assert!(refused(s.folder.path()), "another user's");
    } else {
        eprintln!("SKIPPED: another user's folder (needs root)");
    }
}

#[test]
fn the_folder_is_made_for_its_owner_alone() {
    let Some(s) = scene() else { return };
    let folder = s.folder.path().join("a/b");
    let cache = RuntimeCache::in_folder(folder.clone());
    cache.discover(s.live.image(), s.live.bias(), &s.live).unwrap();
    assert_eq!(folder.metadata().unwrap().mode() & 0o777, 0o700);
    assert_eq!(fs::read_dir(folder).unwrap().count(), 1);
}

/// The same build id in another user's file: nothing is shared. In a file that others may write: nothing is
/// remembered, and what is known is not believed.
#[test]
fn another_owners_binary_of_the_same_build_id_shares_nothing() {
    let Some(s) = scene() else { return };
    let elsewhere = tempfile::tempdir().unwrap();
    let copy = elsewhere.path().join("copy");
    fs::copy(format!("/proc/{}/exe", s.live.pid()), &copy).unwrap();
    let discover = |mode: u32, uid: Option<u32>| {
        std::os::unix::fs::chown(&copy, uid, None).unwrap();
        fs::set_permissions(&copy, fs::Permissions::from_mode(mode)).unwrap();
        let image = ElfImage::open(fs::File::open(&copy).unwrap(), "copy").unwrap();
        let counted = Counted(&s.live, Cell::new(0));
        let cache = RuntimeCache::in_folder(s.folder.path().into());
        cache.discover(&image, s.live.bias(), &counted).unwrap();
        // And within one lastgasp too.
        let first = counted.1.replace(0);
        cache.discover(&image, s.live.bias(), &counted).unwrap();
        (first, counted.1.get(), s.file_of(&image))
    };
    for mode in [0o775, 0o757, 0o777] {
        let (first, second, file) = discover(mode, None);
        assert!(first >= s.cold && second >= s.cold && !file.exists() && s.files() == 0, "{mode:o}");
    }
    let (first, second, ours) = discover(0o755, None);
    assert!(first >= s.cold && second < s.cold && s.files() == 1);
    assert!(discover(0o775, None).0 >= s.cold, "what was known was believed of a file that others may write");
    if !nix::unistd::geteuid().is_root() {
        return eprintln!("SKIPPED: another user's file (needs root)");
    }
    let (first, _, theirs) = discover(0o755, Some(65534));
    assert!(first >= s.cold && theirs != ours && s.files() == 2, "shared with another user's");
    assert!(discover(0o755, Some(65534)).0 < s.cold);
}
