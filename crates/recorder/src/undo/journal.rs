//! What we have done to the system and must undo, written down before we do it. A journal whose owner is dead
//! is carried out at the next start **with the same store** (`run` and `capture`): another store has another
//! journal.
//!
//! What stands in a journal is done, so it must be ours: the store may be in a folder where anybody can
//! write. The journal's folder and its files must be this user's and nobody else may write them; it is used
//! by way of its descriptor, whatever becomes of its name. Else nothing is read and nothing is written there.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;
use std::time::{Duration, SystemTime};

use lastgasp_observe::kernel::owned_dir::{OwnedDir, open_owned_file};
use nix::sys::statfs::fstatfs;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::cgroup_file::{is_cgroup, remove_when_empty, thaw};
use super::cgroup_limit::CgroupLimitChange;
use super::profile_rate::ProfileRateChange;
use crate::guard::{guarded, spawn_guarded};

/// The folder in the store.
const FOLDER: &str = ".journal";
/// Largest file that we take for one of ours.
const MAX_FILE: u64 = 64 << 10;
/// So long a write may take where a target waits for its end.
const IN_TIME: Duration = Duration::from_millis(40);

/// The acts of one lastgasp process. Every field may be absent: the journal of a lastgasp of another version
/// is carried out as far as it is known.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Entry {
    /// Cgroup folders that we made.
    made: Vec<PathBuf>,
    /// Cgroup folders that are thawed: earlier releases froze groups, and nobody else may freeze one of our
    /// making.
    may_be_frozen: Vec<PathBuf>,
    /// A memory profile that we may have switched on.
    profiling: Option<ProfileRateChange>,
    /// A cgroup's file that we may have changed.
    #[serde(rename = "tripwire")]
    limit: Option<CgroupLimitChange>,
    /// Acts of a later lastgasp.
    #[serde(flatten, skip_serializing)]
    unknown: BTreeMap<String, Value>,
}

impl Entry {
    /// What a later lastgasp may have done. (Every field is written, also where there is nothing to undo.)
    fn unknown_acts(&self) -> Vec<&str> {
        let is_nothing = |v: &Value| v.is_null() || v.as_array().is_some_and(Vec::is_empty);
        self.unknown.iter().filter(|(_, v)| !is_nothing(v)).map(|(k, _)| k.as_str()).collect()
    }

    /// What is left to do when all that is known was undone but for these groups, which still hold a command.
    fn rest(&self, made: Vec<PathBuf>) -> serde_json::Result<Vec<u8>> {
        let mut rest = serde_json::to_value(Self { made, ..Self::default() })?;
        if let Some(rest) = rest.as_object_mut() {
            rest.extend(self.unknown.clone());
        }
        serde_json::to_vec(&rest)
    }
}

/// A journal that is open; removed when dropped.
#[derive(Debug)]
pub(crate) struct Journal {
    /// By way of `_folder`.
    path: PathBuf,
    _folder: Folder,
    /// Locked as long as we live: how others, in other process namespaces too, know that its owner does.
    _lock: File,
}

impl Journal {
    /// Writes the journal of this process into `store`, before it returns.
    ///
    /// # Errors
    /// The system's error.
    pub(crate) fn open(store: &Path, made: &[PathBuf], may_be_frozen: &[PathBuf]) -> io::Result<Self> {
        Self::write(store, &Entry { made: made.to_vec(), may_be_frozen: may_be_frozen.to_vec(), ..Entry::default() })
    }

    /// As [`Journal::open`], for a memory profile that is about to be switched on.
    ///
    /// # Errors
    /// The system's error.
    pub(crate) fn of_profiling(store: &Path, change: &ProfileRateChange) -> io::Result<Self> {
        Self::write(store, &Entry { profiling: Some(change.clone()), ..Entry::default() })
    }

    /// As [`Journal::open`], for a brake that is about to be set; in time or not at all: see
    /// [`Journal::write_in_time`].
    pub(crate) fn of_brake(store: &Path, change: &CgroupLimitChange) -> io::Result<Self> {
        Self::write_in_time(store, Entry { limit: Some(change.clone()), ..Entry::default() })
    }

    /// Gives up on a disk that does not answer within [`IN_TIME`]: a target may have a quarter of a second to
    /// live, and who waits for a network disk whose server is gone waits for ever (seen: a frozen file system
    /// kept workers until their victims' memory was gone).
    fn write_in_time(store: &Path, entry: Entry) -> io::Result<Self> {
        /// Writers that wait for the disk. When so many do it is known not to answer.
        static WAITING: AtomicUsize = AtomicUsize::new(0);
        const MAX_WAITING: usize = 4;
        if WAITING.fetch_add(1, Ordering::AcqRel) >= MAX_WAITING {
            WAITING.fetch_sub(1, Ordering::AcqRel);
            return Err(io::ErrorKind::TimedOut.into());
        }
        let (sender, written) = sync_channel(1);
        let store = store.to_owned();
        let writer = spawn_guarded("journal", 256 << 10, move || {
            let journal = guarded("journal", || Self::write(&store, &entry));
            let journal = journal.unwrap_or_else(|panicked| Err(io::Error::other(panicked)));
            WAITING.fetch_sub(1, Ordering::AcqRel);
            // Where nobody waits for it any more it is dropped, and so removed.
            let _ = sender.send(journal);
        });
        writer.inspect_err(|_| {
            WAITING.fetch_sub(1, Ordering::AcqRel);
        })?;
        written.recv_timeout(IN_TIME).unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    fn write(store: &Path, entry: &Entry) -> io::Result<Self> {
        let folder = Folder::make(store)?;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_nanos());
        let kind = match (&entry.profiling, &entry.limit) {
            (Some(_), _) => "p",
            (_, Some(_)) => "t",
            _ => "x",
        };
        // Two of one nanosecond, by two threads: the clock goes on.
        let path = |n: u128| folder.path(&format!("{}{kind}{:x}.json", std::process::id(), now + n));
        let create =
            |path: PathBuf| OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).map(|f| (f, path));
        let (mut lock, path) =
            (0..8).map(|n| create(path(n))).find(Result::is_ok).unwrap_or_else(|| create(path(8)))?;
        // Where locks are not to be had there is still the watchdog.
        let _ = lock.try_lock();
        lock.write_all(&serde_json::to_vec(entry)?)?;
        // Not synced: what it undoes ends with the kernel that a sync would outlive, and the daemon writes
        // one when it is about to strike (seen: 64 ms for the disk, and the victim was dead by then).
        Ok(Self { path, _folder: folder, _lock: lock })
    }

    /// Leaves it on disk for the next start with this store to carry out.
    pub(crate) fn keep(mut self) {
        self.path = PathBuf::new();
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// The journal's folder, opened.
#[derive(Debug)]
struct Folder(OwnedDir);

impl Folder {
    /// Opens that of `store`, made if need be.
    fn make(store: &Path) -> io::Result<Self> {
        fs::create_dir_all(store)?;
        match DirBuilder::new().mode(0o700).create(store.join(FOLDER)) {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => Err(e),
            _ => Self::open(store),
        }
    }

    /// Opens that of `store`, if it is ours alone.
    fn open(store: &Path) -> io::Result<Self> {
        OwnedDir::open(&store.join(FOLDER)).map(Self)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path(name)
    }

    /// The journals in it, by name. Of other files there are none, unless somebody put them there: they are
    /// not ours to read or to remove.
    fn journals(&self) -> io::Result<Vec<String>> {
        let names = fs::read_dir(self.path("."))?.filter_map(|e| e.ok()?.file_name().into_string().ok());
        let mut names: Vec<String> = names.filter(|n| is_journal(n)).collect();
        names.sort();
        Ok(names)
    }

    /// Opens one of them, if it is a plain file of ours.
    fn journal(&self, name: &str) -> Option<File> {
        open_owned_file(&self.path(name)).filter(|f| f.metadata().is_ok_and(|m| m.len() <= MAX_FILE))
    }
}

/// `PIDxTIME.json`, `PIDpTIME.json` or `PIDtTIME.json`, as [`Journal::write`] names them.
fn is_journal(name: &str) -> bool {
    let digits =
        |t: &str, hex| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit() || hex && matches!(b, b'a'..=b'f'));
    let parts = name.strip_suffix(".json").and_then(|n| n.split_once(['x', 'p', 't']));
    parts.is_some_and(|(pid, time)| digits(pid, false) && digits(time, true))
}

/// A cgroup's folder, opened; by way of it nothing else is reached. `None` for all else.
fn cgroup_folder(dir: &Path) -> Option<File> {
    let opened = OpenOptions::new().read(true).custom_flags(libc::O_DIRECTORY | libc::O_NOFOLLOW).open(dir).ok()?;
    is_cgroup(&fstatfs(&opened).ok()?).then_some(opened)
}

/// Undoes what dead lastgasp processes left in `store`. Gives a line for each act undone, or for why nothing
/// is.
pub fn recover(store: &Path) -> Vec<String> {
    let mut done = Vec::new();
    let folder = match Folder::open(store) {
        Ok(folder) => folder,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return done,
        Err(e) => {
            return vec![format!(
                "the journal in {} cannot be trusted ({e}): nothing that it says is undone; remove {FOLDER} there, or give another folder with --store or --out",
                store.display()
            )];
        }
    };
    for name in folder.journals().unwrap_or_default() {
        let Some(lock) = folder.journal(&name) else { continue };
        if lock.try_lock().is_err() {
            continue;
        }
        let file = folder.path(&name);
        let mut text = Vec::new();
        let read = (&lock).take(MAX_FILE).read_to_end(&mut text);
        let entry: Entry = match read.map(|_| serde_json::from_slice(&text)) {
            Ok(Ok(entry)) => entry,
            // Whole, but of a form that a later lastgasp has: that one can undo it.
            Ok(Err(e)) if e.is_data() => {
                done.push(format!("kept the journal {name}, written by another version of lastgasp: {e}"));
                continue;
            }
            // Cut short: its owner died before it had done anything.
            _ => {
                let _ = fs::remove_file(&file);
                continue;
            }
        };
        for dir in &entry.may_be_frozen {
            let opened = cgroup_folder(dir);
            if opened.is_some_and(|f| thaw(Path::new(&format!("/proc/self/fd/{}", f.as_raw_fd())))) {
                done.push(format!("thawed {}", dir.display()));
            }
        }
        if entry.profiling.as_ref().is_some_and(ProfileRateChange::undo) {
            done.push("switched a memory profile off again".to_owned());
        }
        if let Some(change) = entry.limit.as_ref().filter(|t| t.undo()) {
            done.push(format!("set {} back to {}", change.file.display(), change.saved));
        }
        // What is there and no cgroup is not what we made.
        let mine = entry.made.iter().rev().filter(|d| cgroup_folder(d).is_some());
        let mut left: Vec<PathBuf> = mine.filter(|d| !remove_when_empty(d)).cloned().collect();
        left.reverse();
        done.extend(entry.made.iter().filter(|d| !d.exists()).map(|d| format!("removed {}", d.display())));
        let unknown = entry.unknown_acts();
        for act in &unknown {
            done.push(format!("kept the journal {name}, written by another version of lastgasp: it has {act:?}"));
        }
        // A group that still holds a living command stays, and so does the journal that remembers it.
        if unknown.is_empty() {
            if left.is_empty() {
                let _ = fs::remove_file(&file);
            }
            continue;
        }
        // What was undone is not undone again at every start: by then a limit may be somebody else's.
        if let Err(e) = entry.rest(left).map_err(io::Error::from).and_then(|rest| rewrite(&file, &rest)) {
            done.push(format!("the journal {name} could not be written anew ({e}): what it says will be undone again"));
        }
    }
    done
}

/// Gives a journal another content, all of it or none.
fn rewrite(file: &Path, content: &[u8]) -> io::Result<()> {
    let new = file.with_extension("new");
    let _ = fs::remove_file(&new);
    let mut written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    written.write_all(content).and_then(|()| fs::rename(&new, file)).inspect_err(|_| {
        let _ = fs::remove_file(&new);
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

    use lastgasp_observe::kernel::cgroup::Mounts;

    use super::super::cgroup_file::write;
    use super::*;
    use crate::act::own_cgroup::OwnCgroup;

    /// The name of a journal whose owner is dead.
    const DEAD: &str = "2147483647x1.json";

    fn write_journal(folder: &Path, entry: &Entry) {
        fs::write(folder.join(DEAD), serde_json::to_vec(entry).unwrap()).unwrap();
    }

    /// A store with a trusted journal folder.
    fn store() -> (tempfile::TempDir, PathBuf) {
        let store = tempfile::tempdir().unwrap();
        let folder = store.path().join(FOLDER);
        DirBuilder::new().mode(0o700).create(&folder).unwrap();
        (store, folder)
    }

    #[test]
    fn the_folder_is_for_its_owner_and_a_living_owner_is_let_be() {
        let parent = tempfile::tempdir().unwrap();
        let store = parent.path().join("store");
        assert_eq!(recover(&store), Vec::<String>::new());
        let journal = Journal::open(&store, &["/nowhere/group".into()], &[]).unwrap();
        let folder = store.join(FOLDER);
        assert_eq!(folder.metadata().unwrap().mode() & 0o777, 0o700);
        let names: Vec<_> = fs::read_dir(&folder).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert!(names.len() == 1 && is_journal(names[0].to_str().unwrap()), "{names:?}");
        assert_eq!(recover(&store), Vec::<String>::new());
        journal.keep();
        assert_eq!(recover(&store), ["removed /nowhere/group"]);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
        drop(Journal::open(&store, &[], &[]).unwrap());
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
    }

    /// Frozen and left behind, in a real cgroup: thawed and removed.
    #[test]
    fn a_group_that_was_left_behind_is_thawed_and_removed() {
        let name = format!("lastgasp-journal-{}", std::process::id());
        let group = match OwnCgroup::create(&Mounts::detect(), &name, None) {
            Ok(group) => group,
            Err(e) => return println!("SKIPPED: {e}"),
        };
        let dirs = group.dirs().to_vec();
        if let Some(freezer) = &group.cgroup.freezer {
            write(&freezer.join("cgroup.freeze"), "1").unwrap();
        }
        let (store, folder) = store();
        write_journal(&folder, &Entry { made: dirs.clone(), may_be_frozen: dirs.clone(), ..Entry::default() });
        let said = recover(store.path());
        assert_eq!(said.iter().any(|l| l.starts_with("thawed")), group.cgroup.freezer.is_some(), "{said:?}");
        assert_eq!(said.iter().filter(|l| l.starts_with("removed")).count(), dirs.len(), "{said:?}");
        assert!(dirs.iter().all(|d| !d.exists()) && !folder.join(DEAD).exists());
    }

    /// What was undone once is not undone at the next start, when the limit is somebody else's: what stays is
    /// what a later lastgasp has done, for it to undo.
    #[test]
    fn a_journal_with_unknown_acts_is_carried_out_once() {
        let (store, folder) = store();
        let path = folder.join(DEAD);
        let group = "/nowhere/group";
        fs::write(&path, format!(r#"{{"made":["{group}"],"may_be_frozen":["{group}"],"traced":{{"pid":7}}}}"#))
            .unwrap();
        assert_eq!(recover(store.path()).len(), 2);
        let left: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        assert_eq!(
            (&left["traced"]["pid"], &left["made"], &left["may_be_frozen"]),
            (&7.into(), &Value::Array(vec![]), &Value::Array(vec![]))
        );
        let again = recover(store.path());
        assert!(again.len() == 1 && again[0].contains("it has \"traced\""), "{again:?}");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o600);
    }

    /// A lastgasp that was replaced by an older one: what that one knows is undone, and the rest is left for
    /// one that knows it.
    #[test]
    fn a_journal_of_another_version_is_carried_out_as_far_as_it_is_known() {
        const MADE: &str = r#""made":["/nowhere/group"]"#;
        const REMOVED: &str = "removed /nowhere/group";
        for (why, text, said, kept) in [
            ("an act less", format!("{{{MADE}}}"), vec![REMOVED], false),
            ("nothing at all", "{}".into(), vec![], false),
            ("one more, not done", format!(r#"{{{MADE},"traced":null,"moved":[]}}"#), vec![REMOVED], false),
            ("one more", format!(r#"{{{MADE},"traced":{{"pid":7}}}}"#), vec![REMOVED, "it has \"traced\""], true),
            ("another form", r#"{"made":{"group":"/nowhere/group"}}"#.into(), vec!["invalid type"], true),
            ("cut short", r#"{"made":["/nowh"#.into(), vec![], false),
            ("empty", String::new(), vec![], false),
        ] {
            let (store, folder) = store();
            fs::write(folder.join(DEAD), text).unwrap();
            let got = recover(store.path());
            assert_eq!(got.len(), said.len(), "{why}: {got:?}");
            assert!(got.iter().zip(&said).all(|(got, said)| got.contains(said)), "{why}: {got:?}");
            assert_eq!(folder.join(DEAD).exists(), kept, "{why}");
        }
    }

    /// What the release before wrote, word for word: an upgrade must not leave behind what it did.
    #[test]
    fn a_journal_of_the_release_before_is_carried_out() {
        let name = format!("lastgasp-journal-before-{}", std::process::id());
        let group = match OwnCgroup::create(&Mounts::detect(), &name, Some(64 << 20)) {
            Ok(group) => group,
            Err(e) => return println!("SKIPPED: {e}"),
        };
        let (file, dirs) = (group.cgroup.limit_file(), group.dirs().to_vec());
        let (store, folder) = store();
        let before =
            |name: &str, text: String| fs::write(folder.join(format!("2147483647{name}1.json")), text).unwrap();
        before(
            "t",
            format!(
                r#"{{"made":[],"may_be_frozen":[],"profiling":null,"tripwire":{{"file":"{}","ours":"67108864","saved":"33554432"}}}}"#,
                file.display()
            ),
        );
        assert_eq!(recover(store.path()), [format!("set {} back to 33554432", file.display())]);
        assert_eq!(fs::read_to_string(&file).unwrap().trim(), "33554432");
        if let Some(freezer) = &group.cgroup.freezer {
            write(&freezer.join("cgroup.freeze"), "1").unwrap();
        }
        let listed = serde_json::to_string(&dirs).unwrap();
        before("x", format!(r#"{{"made":{listed},"may_be_frozen":{listed},"profiling":null,"tripwire":null}}"#));
        let said = recover(store.path());
        assert_eq!(said.iter().any(|l| l.starts_with("thawed")), group.cgroup.freezer.is_some(), "{said:?}");
        assert!(dirs.iter().all(|d| !d.exists()) && fs::read_dir(&folder).unwrap().count() == 0, "{said:?}");
    }

    /// The names in a journal are those of the release before, in both directions.
    #[test]
    fn names_in_a_journal_stay() {
        let text = r#"{"made":["/a"],"may_be_frozen":["/b"],"profiling":{"pid":1,"start_time":2,"addr":3},"tripwire":{"file":"/c","ours":"4","saved":"max"}}"#;
        let entry: Entry = serde_json::from_str(text).unwrap();
        assert_eq!(entry.limit.as_ref().map(|l| l.saved.as_str()), Some("max"));
        assert_eq!(entry.profiling.as_ref().map(|p| p.start_time), Some(2));
        assert_eq!(serde_json::to_string(&entry).unwrap(), text);
        assert!(serde_json::from_str::<Entry>(r#"{"made":[],"may_be_frozen":[]}"#).is_ok(), "older still");
    }

    /// Anybody's journal, in a store where anybody can write: not obeyed, not written to, and said.
    #[test]
    fn a_folder_that_others_may_write_is_not_obeyed() {
        let (store, folder) = store();
        let made = store.path().join("empty");
        fs::create_dir(&made).unwrap();
        write_journal(&folder, &Entry { made: vec![made.clone()], ..Entry::default() });
        let refused = |what: &str| {
            let said = recover(store.path());
            assert!(said.len() == 1 && said[0].contains("cannot be trusted"), "{what}: {said:?}");
            assert!(made.exists(), "{what}");
            assert!(Journal::open(store.path(), &[], &[]).is_err(), "{what}");
        };
        for mode in [0o777, 0o1777, 0o770, 0o702] {
            fs::set_permissions(&folder, fs::Permissions::from_mode(mode)).unwrap();
            refused(&format!("{mode:o}"));
        }
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
        if nix::unistd::geteuid().is_root() {
            std::os::unix::fs::chown(&folder, Some(65534), None).unwrap();
            refused("another user's");
            std::os::unix::fs::chown(&folder, Some(0), None).unwrap();
        }
        // A link to a folder that is ours: what is in there would be removed.
        let ours = store.path().join("ours");
        fs::rename(&folder, &ours).unwrap();
        fs::write(ours.join("note"), "no journal").unwrap();
        symlink(&ours, &folder).unwrap();
        refused("a link");
        assert_eq!(fs::read_dir(&ours).unwrap().count(), 2);
        fs::remove_file(&folder).unwrap();
        nix::unistd::mkfifo(&folder, nix::sys::stat::Mode::S_IRWXU).unwrap();
        refused("a pipe");
    }

    /// In a folder of ours: only plain files of ours with a journal's name are read, and only they are
    /// removed.
    #[test]
    fn only_journals_are_read_and_removed() {
        let (store, folder) = store();
        let made = store.path().join("empty");
        fs::create_dir(&made).unwrap();
        let text = serde_json::to_vec(&Entry { made: vec!["/nowhere/x".into()], ..Entry::default() }).unwrap();
        for name in ["notes.txt", "x1.json", "1x.json", "1y2.json", "1xG.json", "12.json", "a1x2.json", "1x2.json.new"]
        {
            fs::write(folder.join(name), &text).unwrap();
        }
        nix::unistd::mkfifo(&folder.join("2x1.json"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        symlink(folder.join("notes.txt"), folder.join("3x1.json")).unwrap();
        fs::write(folder.join("4x1.json"), &text).unwrap();
        fs::set_permissions(folder.join("4x1.json"), fs::Permissions::from_mode(0o666)).unwrap();
        File::create(folder.join("5x1.json")).unwrap().set_len(MAX_FILE + 1).unwrap();
        let before = fs::read_dir(&folder).unwrap().count();
        assert_eq!(recover(store.path()), Vec::<String>::new());
        assert_eq!(fs::read_dir(&folder).unwrap().count(), before);
        // One that was cut short is ours to remove.
        fs::write(folder.join(DEAD), b"{\"made").unwrap();
        assert_eq!(recover(store.path()), Vec::<String>::new());
        assert_eq!(fs::read_dir(&folder).unwrap().count(), before);
    }

    /// What is no cgroup is neither written nor removed, whatever a journal says.
    #[test]
    fn only_cgroups_are_thawed_and_removed() {
        let (store, folder) = store();
        let made = store.path().join("empty");
        fs::create_dir(&made).unwrap();
        let fake = store.path().join("fake");
        fs::create_dir(&fake).unwrap();
        fs::write(store.path().join("victim"), "1\n").unwrap();
        symlink(store.path().join("victim"), fake.join("cgroup.freeze")).unwrap();
        write_journal(&folder, &Entry { made: vec![made.clone()], may_be_frozen: vec![fake], ..Entry::default() });
        assert_eq!(recover(store.path()), Vec::<String>::new());
        assert!(made.exists());
        assert_eq!(fs::read_to_string(store.path().join("victim")).unwrap(), "1\n");
        assert!(!folder.join(DEAD).exists(), "carried out as far as it goes");
    }
}
