//! Looks at files of watched processes: when the executable was written, whether it was replaced, names of
//! the environment, mounted ConfigMaps. On a thread of its own: any of these reads may hang.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use lastgasp_incident::evidence::UnixMs;
use lastgasp_recorder::guard::{guarded, spawn_guarded};
use lastgasp_store::events::Salt;

use super::mounts::{Config, ConfigMaps};

const THREAD: &str = "life-looks";
/// Longest environment that is read.
const MAX_ENVIRONMENT: u64 = 256 << 10;
/// How often the same process is looked at again.
const AGAIN: Duration = Duration::from_secs(10);
/// For each second of work so many of rest, 0.2 % of a core, unless a look takes longer than `MAX_REST` makes
/// up for (4 ms).
const REST: u32 = 500;
const MAX_REST: Duration = Duration::from_secs(2);
/// Several are looked at before it rests: a waking, with cold caches, costs more than a look.
const TOGETHER: Duration = Duration::from_millis(200);

/// A process that is looked at.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Subject {
    pub(super) pid: i32,
    pub(super) started_unix_ms: UnixMs,
    pub(super) service: String,
    pub(super) instance: String,
}

/// What a look found.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Look {
    pub(super) pid: i32,
    pub(super) started_unix_ms: UnixMs,
    /// When the executable that runs was written.
    pub(super) file_unix_ms: Option<UnixMs>,
    /// When another was laid in its place.
    pub(super) replaced_unix_ms: Option<UnixMs>,
    /// Salted hash of the names of its environment, and how many.
    pub(super) environment: Option<(String, u64)>,
    /// Mounted ConfigMaps that were written.
    pub(super) configs: Vec<Config>,
}

impl Look {
    /// Whether there is anything in it that was not told before, or is told again.
    fn says_something(&self) -> bool {
        self.file_unix_ms.is_some()
            || self.replaced_unix_ms.is_some()
            || self.environment.is_some()
            || !self.configs.is_empty()
    }
}

/// The thread.
#[derive(Debug)]
pub(super) struct Looker {
    subjects: SyncSender<Vec<Subject>>,
    looks: Mutex<Receiver<Look>>,
}

impl Looker {
    pub(super) fn start(salt: Salt) -> std::io::Result<Self> {
        let (subjects, queue) = sync_channel::<Vec<Subject>>(1);
        let (sender, looks) = channel();
        spawn_guarded(THREAD, 512 << 10, move || {
            let (mut known, mut owed) = (Known::default(), Duration::ZERO);
            while let Ok(subjects) = queue.recv() {
                known.keep(&subjects);
                for subject in &subjects {
                    let began = Instant::now();
                    let look = guarded(THREAD, || known.look(subject, &salt));
                    if let Ok(Some(look)) = look {
                        let _ = sender.send(look);
                    }
                    owed += (began.elapsed() * REST).min(MAX_REST);
                    if owed >= TOGETHER {
                        std::thread::sleep(owed);
                        owed = Duration::ZERO;
                    }
                }
            }
        })?;
        Ok(Self { subjects, looks: Mutex::new(looks) })
    }

    /// Has them looked at, unless it still looks at others.
    pub(super) fn look_at(&self, subjects: impl Iterator<Item = Subject>) {
        let _ = self.subjects.try_send(subjects.collect());
    }

    /// What was found since.
    pub(super) fn looks(&self) -> Vec<Look> {
        self.looks.lock().unwrap_or_else(PoisonError::into_inner).try_iter().take(1000).collect()
    }
}

/// What is remembered from look to look.
#[derive(Debug, Default)]
struct Known(BTreeMap<(i32, UnixMs), OfOne>);

#[derive(Debug)]
struct OfOne {
    looked: Instant,
    said_file: bool,
    said_environment: bool,
    configs: ConfigMaps,
}

impl Known {
    fn keep(&mut self, subjects: &[Subject]) {
        let there: std::collections::BTreeSet<_> = subjects.iter().map(|s| (s.pid, s.started_unix_ms)).collect();
        self.0.retain(|key, _| there.contains(key));
    }

    fn look(&mut self, subject: &Subject, salt: &Salt) -> Option<Look> {
        let key = (subject.pid, subject.started_unix_ms);
        let is_new = !self.0.contains_key(&key);
        let fresh = || OfOne {
            looked: Instant::now(),
            said_file: false,
            said_environment: false,
            configs: ConfigMaps::default(),
        };
        let one = self.0.entry(key).or_insert_with(fresh);
        if !is_new && one.looked.elapsed() < AGAIN {
            return None;
        }
        one.looked = Instant::now();
        let proc = Path::new("/proc").join(subject.pid.to_string());
        let exe = proc.join("exe");
        let written = |path: &Path| fs::metadata(path).ok()?.modified().ok().map(unix_ms);
        let link = fs::read_link(&exe).unwrap_or_default();
        let replaced = link.to_str().and_then(|l| l.strip_suffix(" (deleted)")).map(|path| {
            let path = path.trim_start_matches('/');
            let there = fs::symlink_metadata(proc.join("root").join(path)).ok().and_then(|m| m.modified().ok());
            there.map_or_else(|| unix_ms(SystemTime::now()), unix_ms)
        });
        let environment = if one.said_environment { None } else { environment(&proc.join("environ"), salt) };
        one.said_environment |= environment.is_some();
        // A file that runs is not written to; where it was replaced, the old one runs on.
        let file = if one.said_file { None } else { written(&exe) };
        one.said_file |= file.is_some();
        let look = Look {
            pid: subject.pid,
            started_unix_ms: subject.started_unix_ms,
            file_unix_ms: file,
            replaced_unix_ms: replaced,
            environment,
            configs: one.configs.look(&proc, salt),
        };
        (is_new || look.says_something()).then_some(look)
    }
}

pub(super) fn unix_ms(at: SystemTime) -> UnixMs {
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Hash of the sorted names in an environment, and how many there are. Values are passed over.
fn environment(path: &Path, salt: &Salt) -> Option<(String, u64)> {
    let mut bytes = Vec::new();
    fs::File::open(path).ok()?.take(MAX_ENVIRONMENT).read_to_end(&mut bytes).ok()?;
    Some(names(&bytes, salt))
}

fn names(environment: &[u8], salt: &Salt) -> (String, u64) {
    let name = |entry: &[u8]| entry.split(|b| *b == b'=').next().unwrap_or_default().to_vec();
    let mut names: Vec<Vec<u8>> = environment.split(|b| *b == 0).filter(|e| !e.is_empty()).map(name).collect();
    names.sort();
    names.dedup();
    let mut hash = salt.content();
    for name in &names {
        hash.push(name);
        hash.push(&[0]);
    }
    (hash.finish(), names.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_alone_are_hashed() {
        let salt = Salt::of(Path::new("/nonexistent"));
        let of = |text: &str| names(text.as_bytes(), &salt);
        assert_eq!(of("A=1\0B=2\0"), of("B=x\0A=\0"));
        assert_eq!(of("A=1\0B=2\0").1, 2);
        assert_ne!(of("A=1\0").0, of("A=1\0C=1\0").0);
        assert_ne!(of("AB=1\0").0, of("A=1\0B=1\0").0);
        assert_eq!(of("").1, 0);
    }

    #[test]
    fn a_look_at_ourselves() {
        let salt = Salt::of(Path::new("/nonexistent"));
        let pid = std::process::id() as i32;
        let subject = Subject { pid, started_unix_ms: 5, service: "s".into(), instance: "i".into() };
        let mut known = Known::default();
        let look = known.look(&subject, &salt).unwrap();
        assert!(look.file_unix_ms.is_some_and(|ms| ms > 1_600_000_000_000) && look.replaced_unix_ms.is_none());
        assert!(look.environment.is_some_and(|(_, names)| names > 0));
        assert!(known.look(&subject, &salt).is_none(), "not again at once");
        let later = |known: &mut Known| {
            known.0.values_mut().for_each(|one| one.looked = one.looked.checked_sub(AGAIN).unwrap());
            known.look(&subject, &salt)
        };
        assert_eq!(later(&mut known), None, "what was said is not said again");
        known.0.values_mut().for_each(|one| one.said_file = false);
        assert!(later(&mut known).is_some_and(|look| look.file_unix_ms.is_some() && look.environment.is_none()));
        known.keep(&[]);
        assert!(known.0.is_empty());
        let gone = known.look(&Subject { pid: i32::MAX, ..subject }, &salt).unwrap();
        assert_eq!((gone.file_unix_ms, gone.environment), (None, None));
    }
}
