//! What is known of files that processes run or have loaded: whether each is Go, and where its runtime
//! stands. It is told by whoever may be lost over them ([`ForeignReader`]); nothing of a file is opened or
//! read here. A file is known by its place and its state, so that a hundred instances are looked at once; one
//! at which looks are lost is tried less and less often; and what nobody runs any more is forgotten.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use lastgasp_inferior::{MappedFile, try_mapped_files};
use lastgasp_observe::kernel::files::{FileKey, file_key, means_out_of_descriptors};
use lastgasp_observe::target::discover::Depth;
use lastgasp_observe::target::inspect::{
    FileSays, Files, ForeignReader, Inspected, KnownBinary, Located, MAX_LIBRARIES, NotInspected,
};

/// Most files that are remembered: anybody may run any number of them.
const MAX_KNOWN: usize = 8192;
/// How long a file that nobody has asked for is remembered; a Go program's, whose descriptor is kept, is
/// given back sooner if nobody runs it.
const UNUSED: Duration = Duration::from_secs(600);
const UNUSED_OF_GO: Duration = Duration::from_secs(30);
/// Time between two looks for what can be forgotten.
const SWEEP: Duration = Duration::from_secs(10);
/// A file at which a look was lost is looked at again after this time, and then after twice as long each
/// time, up to that.
const PAUSES: (Duration, Duration) = (Duration::from_secs(4), Duration::from_secs(600));
/// Who found no worker comes again after so long.
const BUSY: Duration = Duration::from_millis(200);

/// What a look at the files of a process has shown.
#[derive(Debug)]
pub(crate) enum Found {
    /// One of them is Go.
    Go(Known),
    /// None is, as far as a look of that depth shows it; or nobody wants it.
    Other,
    /// There is no such process.
    NoProcess,
    /// It cannot be said before then.
    Later(Instant),
    /// Nothing could be opened.
    OutOfDescriptors,
}

/// A Go program or library that a process runs.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    /// It; or why it cannot be read.
    pub(crate) go: Result<KnownBinary, String>,
    /// Path of a library.
    pub(crate) name: Option<String>,
    /// What is added to a library's addresses.
    pub(crate) bias: Option<u64>,
}

/// A file's entry.
#[derive(Clone, Debug)]
enum Entry {
    Other,
    Go(KnownBinary),
    Unreadable(String),
    /// Looks at it were lost: so many, when the next is, and at which process the last was.
    Lost(u32, Instant, i32),
}

/// A library's name: what is not open has no other.
type LibraryKey = (String, u64);

/// Files that are known.
#[derive(Debug, Default)]
pub(crate) struct Binaries {
    executables: BTreeMap<FileKey, (Entry, Instant)>,
    libraries: BTreeMap<LibraryKey, (Entry, Instant)>,
    swept: Option<Instant>,
}

impl Binaries {
    /// What the files of a process are. `wanted` is asked before one of them is opened by whoever does.
    pub(crate) fn look(
        all: &Mutex<Self>,
        foreign: &dyn ForeignReader,
        pid: i32,
        depth: Depth,
        wanted: impl Fn() -> bool,
    ) -> Found {
        let key = match file_key(&format!("/proc/{pid}/exe")) {
            Ok(key) => key,
            Err(e) if means_out_of_descriptors(&e) => return Found::OutOfDescriptors,
            // A kernel thread has none; of another user's we may not know it.
            Err(e) if e.kind() == std::io::ErrorKind::PermissionDenied => return Found::Other,
            Err(_) => return Found::NoProcess,
        };
        let now = Instant::now();
        let known = lock(all).executable(key, now);
        let entry = match known {
            // What was lost over a file may have been lost over the memory of one that runs it: another that
            // does is tried once.
            Some(Entry::Lost(tried, again, lost)) if now < again && (lost == pid || tried > OTHERS_TRIED) => {
                return Found::Later(again);
            }
            Some(entry) if !entry.is_to_be_asked() => entry,
            _ if !wanted() => return Found::Other,
            before => match foreign.inspect(pid, &Files::Executable) {
                Ok(inspected) => {
                    let entry = inspected.into_iter().next().map_or(Entry::Other, Entry::of);
                    lock(all).note_executable(key, entry.clone(), now);
                    entry
                }
                Err(why) => {
                    return lock(all)
                        .not_inspected(pid, why, before.as_ref(), |all, e| all.note_executable(key, e, now));
                }
            },
        };
        match entry {
            Entry::Go(known) => Found::Go(Known { go: Ok(known), name: None, bias: None }),
            Entry::Unreadable(why) => Found::Go(Known { go: Err(why), name: None, bias: None }),
            _ if depth == Depth::Executable || !wanted() => Found::Other,
            _ => Self::look_at_libraries(all, foreign, pid),
        }
    }

    fn look_at_libraries(all: &Mutex<Self>, foreign: &dyn ForeignReader, pid: i32) -> Found {
        let files = match try_mapped_files(pid) {
            Ok(files) => files,
            Err(e) if means_out_of_descriptors(&e) => return Found::OutOfDescriptors,
            Err(_) => return Found::Other,
        };
        let now = Instant::now();
        let (mut unknown, mut later) = (Vec::new(), None::<Instant>);
        for file in files {
            match lock(all).library(&key_of(&file), now) {
                Some(Entry::Go(known)) if !matches!(known.says.runtime, Located::NotYet(_)) => {
                    return loaded(Ok(known), &file);
                }
                Some(Entry::Unreadable(why)) => return loaded(Err(why), &file),
                Some(Entry::Other) => {}
                Some(Entry::Lost(tried, ..)) if tried > MOST_TRIED => {}
                Some(Entry::Lost(_, again, _)) if now < again => later = Some(later.map_or(again, |l| l.min(again))),
                // What hung among others is looked at alone.
                Some(Entry::Lost(..)) => unknown.push((vec![file], true)),
                Some(Entry::Go(_)) | None => match unknown.last_mut() {
                    Some((together, false)) if together.len() < MAX_LIBRARIES => together.push(file),
                    _ => unknown.push((vec![file], false)),
                },
            }
        }
        for (files, _) in unknown {
            match foreign.inspect(pid, &Files::Libraries(files.clone())) {
                Ok(inspected) => {
                    for (file, inspected) in files.iter().zip(inspected) {
                        let entry = Entry::of(inspected);
                        lock(all).note_library(key_of(file), entry.clone(), now);
                        match entry {
                            Entry::Go(known) => return loaded(Ok(known), file),
                            Entry::Unreadable(why) => return loaded(Err(why), file),
                            _ => {}
                        }
                    }
                }
                Err(why) => {
                    let keys: Vec<LibraryKey> = files.iter().map(key_of).collect();
                    let before = keys.first().and_then(|key| lock(all).library(key, now));
                    return lock(all).not_inspected(pid, why, before.as_ref(), |all, entry| {
                        keys.into_iter().for_each(|key| all.note_library(key, entry.clone(), now));
                    });
                }
            }
        }
        later.map_or(Found::Other, Found::Later)
    }

    /// What comes of a look that was none; a lost one is noted.
    fn not_inspected(
        &mut self,
        pid: i32,
        why: NotInspected,
        before: Option<&Entry>,
        note: impl FnOnce(&mut Self, Entry),
    ) -> Found {
        let now = Instant::now();
        match why {
            NotInspected::NoProcess => Found::NoProcess,
            NotInspected::Denied => Found::Other,
            NotInspected::OutOfDescriptors => Found::OutOfDescriptors,
            NotInspected::Busy => Found::Later(now + BUSY),
            NotInspected::Lost(_) => {
                let tried = if let Some(Entry::Lost(tried, ..)) = before { *tried } else { 0 };
                let again = now + pause_after(tried);
                note(self, Entry::Lost(tried.saturating_add(1), again, pid));
                Found::Later(again)
            }
        }
    }

    fn executable(&mut self, key: FileKey, now: Instant) -> Option<Entry> {
        self.sweep(now);
        let (entry, used) = self.executables.get_mut(&key)?;
        *used = now;
        Some(entry.clone())
    }

    fn library(&mut self, key: &LibraryKey, now: Instant) -> Option<Entry> {
        let (entry, used) = self.libraries.get_mut(key)?;
        *used = now;
        Some(entry.clone())
    }

    fn note_executable(&mut self, key: FileKey, entry: Entry, now: Instant) {
        make_room(&mut self.executables);
        self.executables.insert(key, (entry, now));
    }

    fn note_library(&mut self, key: LibraryKey, entry: Entry, now: Instant) {
        make_room(&mut self.libraries);
        self.libraries.insert(key, (entry, now));
    }

    /// Forgets what nobody has asked for in a while.
    fn sweep(&mut self, now: Instant) {
        if self.swept.is_some_and(|swept| now.duration_since(swept) < SWEEP) {
            return;
        }
        self.swept = Some(now);
        self.executables.retain(|_, (entry, used)| entry.is_kept(now.duration_since(*used)));
        self.libraries.retain(|_, (entry, used)| entry.is_kept(now.duration_since(*used)));
    }
}

/// After so many lost looks at an executable nobody who runs it is tried out of turn.
const OTHERS_TRIED: u32 = 2;

/// A library at which looks were lost so often is passed by.
const MOST_TRIED: u32 = 6;

/// How long after so many lost looks the next one is.
fn pause_after(tried: u32) -> Duration {
    PAUSES.0.saturating_mul(1 << tried.min(16)).min(PAUSES.1)
}

fn lock(all: &Mutex<Binaries>) -> MutexGuard<'_, Binaries> {
    all.lock().unwrap_or_else(PoisonError::into_inner)
}

fn key_of(file: &MappedFile) -> LibraryKey {
    (file.path.clone(), file.inode())
}

/// A library, with where that process has it.
fn loaded(go: Result<KnownBinary, String>, file: &MappedFile) -> Found {
    let bias = match go.as_ref().map(|known| known.image(&file.path)) {
        Ok(Ok(image)) => file.bias(&image),
        _ => None,
    };
    // One whose place is not known is at its file's addresses: what is read there says whether that is so.
    Found::Go(Known { go, name: Some(file.path.clone()), bias: Some(bias.unwrap_or(0)) })
}

impl Entry {
    fn of(inspected: Inspected) -> Self {
        match (inspected.says, inspected.file) {
            (FileSays::Go(says), Some(file)) => {
                Self::Go(KnownBinary { file, says: Arc::new(*says), constants: Arc::default() })
            }
            (FileSays::Unreadable(why), _) => Self::Unreadable(why),
            _ => Self::Other,
        }
    }

    /// Whether whoever looks is to be asked again: nothing is known for good.
    fn is_to_be_asked(&self) -> bool {
        match self {
            Self::Other | Self::Unreadable(_) => false,
            Self::Go(known) => matches!(known.says.runtime, Located::NotYet(_)),
            Self::Lost(..) => true,
        }
    }

    fn is_kept(&self, unused: Duration) -> bool {
        match self {
            Self::Go(known) if Arc::strong_count(&known.file) == 1 => unused < UNUSED_OF_GO,
            // As long as somebody runs it.
            Self::Go(_) => true,
            _ => unused < UNUSED,
        }
    }
}

/// Forgets the older half where there are too many: what somebody runs is looked at again.
fn make_room<K: Ord>(known: &mut BTreeMap<K, (Entry, Instant)>) {
    if known.len() < MAX_KNOWN {
        return;
    }
    let mut times: Vec<Instant> = known.values().map(|(_, used)| *used).collect();
    let middle = times.len() / 2;
    let (_, middle, _) = times.select_nth_unstable(middle);
    let middle = *middle;
    known.retain(|_, (_, used)| *used > middle);
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// Is lost at each look, and counts them.
    #[derive(Debug, Default)]
    struct Lost(AtomicU32);

    impl ForeignReader for Lost {
        fn inspect(&self, _: i32, _: &Files) -> Result<Vec<Inspected>, NotInspected> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Err(NotInspected::Lost("it hung".into()))
        }

        fn memory(
            &self,
            _: i32,
            _: Arc<std::fs::File>,
        ) -> std::io::Result<Option<lastgasp_observe::target::inspect::ForeignMemory>> {
            Ok(None)
        }
    }

    fn own() -> i32 {
        std::process::id() as i32
    }

    /// Its executable is not opened, and what is known of a file is known of all that run it.
    #[test]
    fn who_is_not_wanted_is_not_looked_at() {
        let (all, lost) = (Mutex::default(), Lost::default());
        for depth in [Depth::Executable, Depth::Libraries] {
            assert!(matches!(Binaries::look(&all, &lost, own(), depth, || false), Found::Other));
        }
        assert_eq!(lost.0.load(Ordering::Relaxed), 0);
        let this = lastgasp_observe::target::inspect::InThisProcess;
        assert!(matches!(Binaries::look(&all, &this, own(), Depth::Executable, || true), Found::Other));
        assert!(matches!(
            Binaries::look(&all, &lost, own(), Depth::Executable, || panic!("it is known")),
            Found::Other
        ));
    }

    /// A look that is lost costs one attempt; the next one comes later, and later.
    #[test]
    fn who_is_lost_over_is_looked_at_ever_more_rarely() {
        let (all, lost) = (Mutex::default(), Lost::default());
        for _ in 0..100 {
            let Found::Later(again) = Binaries::look(&all, &lost, own(), Depth::Executable, || true) else { panic!() };
            assert!(again > Instant::now() + PAUSES.0 / 2);
        }
        assert_eq!(lost.0.load(Ordering::Relaxed), 1, "one attempt, and then the pause");
        let pauses: Vec<u64> = (0..40).map(|tried| pause_after(tried).as_secs()).collect();
        assert!(pauses.is_sorted() && pauses[0] == 4 && pauses[1] == 8 && pauses[39] == 600, "{pauses:?}");
    }

    #[test]
    fn what_is_remembered_is_bounded_and_forgotten() {
        let (mut all, mut now) = (Binaries::default(), Instant::now());
        for n in 0..3 * MAX_KNOWN {
            now += Duration::from_millis(1);
            all.note_library((n.to_string(), 1), Entry::Other, now);
            assert!(all.libraries.len() <= MAX_KNOWN);
        }
        assert!(all.library(&((3 * MAX_KNOWN - 1).to_string(), 1), now).is_some());
        all.sweep(now + UNUSED);
        assert!(all.libraries.is_empty());
    }
}
