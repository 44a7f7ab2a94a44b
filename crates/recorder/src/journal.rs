//! What we have done to the system and must undo, on disk before we do it. A journal whose owner is dead is carried out at the next start.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::cgroup::{self, remove_when_empty};
use crate::profiling::Switched;

/// The acts of one lastgasp process.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Entry {
    /// Cgroup folders that we made.
    made: Vec<PathBuf>,
    /// Cgroup folders that we may have frozen.
    may_be_frozen: Vec<PathBuf>,
    /// A memory profile that we may have switched on.
    #[serde(default)]
    profiling: Option<Switched>,
}

/// A journal that is open; removed when dropped.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    /// Locked as long as we live: how others, in other process namespaces too, know that its owner does.
    _lock: File,
}

impl Journal {
    /// Writes the journal of this process into `store`, durable before it returns.
    ///
    /// # Errors
    /// The system's error.
    pub fn open(store: &Path, made: &[PathBuf], may_be_frozen: &[PathBuf]) -> io::Result<Self> {
        Self::write(store, &Entry { made: made.to_vec(), may_be_frozen: may_be_frozen.to_vec(), profiling: None })
    }

    /// As [`Journal::open`], for a memory profile that is about to be switched on.
    ///
    /// # Errors
    /// The system's error.
    pub(crate) fn of_profiling(store: &Path, switched: &Switched) -> io::Result<Self> {
        Self::write(store, &Entry { profiling: Some(switched.clone()), ..Entry::default() })
    }

    fn write(store: &Path, entry: &Entry) -> io::Result<Self> {
        let dir = store.join(".journal");
        fs::create_dir_all(&dir)?;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_nanos());
        let kind = if entry.profiling.is_some() { "p" } else { "x" };
        let path = dir.join(format!("{}{kind}{now:x}.json", std::process::id()));
        let mut lock = File::create_new(&path)?;
        // Where locks are not to be had there is still the watchdog.
        let _ = lock.try_lock();
        lock.write_all(&serde_json::to_vec(entry)?)?;
        lock.sync_all()?;
        Ok(Self { path, _lock: lock })
    }

    /// Leaves it on disk for the next start to carry out.
    pub fn keep(mut self) {
        self.path = PathBuf::new();
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Undoes what dead lastgasp processes left in `store`. Gives a line for each act undone.
pub fn recover(store: &Path) -> Vec<String> {
    let mut done = Vec::new();
    let Ok(dir) = fs::read_dir(store.join(".journal")) else { return done };
    for file in dir.filter_map(|e| Some(e.ok()?.path())) {
        let Ok(lock) = File::open(&file) else { continue };
        if lock.try_lock().is_err() {
            continue;
        }
        let entry = fs::read(&file).and_then(|b| Ok(serde_json::from_slice::<Entry>(&b)?));
        // Cut short: its owner died before it had done anything.
        let Ok(entry) = entry else {
            let _ = fs::remove_file(&file);
            continue;
        };
        for dir in &entry.may_be_frozen {
            if thaw(dir) {
                done.push(format!("thawed {}", dir.display()));
            }
        }
        if entry.profiling.as_ref().is_some_and(Switched::undo) {
            done.push("switched a memory profile off again".to_owned());
        }
        let left = entry.made.iter().rev().filter(|d| d.exists() && !remove_when_empty(d)).count();
        done.extend(entry.made.iter().filter(|d| !d.exists()).map(|d| format!("removed {}", d.display())));
        // A group that still holds a living command stays, and so does the journal that remembers it.
        if left == 0 {
            let _ = fs::remove_file(&file);
        }
    }
    done
}

/// Thaws a cgroup if it is frozen. Gives whether it was.
pub fn thaw(dir: &Path) -> bool {
    let file = dir.join("cgroup.freeze");
    fs::read_to_string(&file).is_ok_and(|t| t.trim() == "1") && cgroup::write(&file, "0").is_ok()
}
