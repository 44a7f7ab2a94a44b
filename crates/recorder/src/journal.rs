//! What we have done to the system and must undo, on disk before we do it. A journal whose owner is dead is carried out at the next start.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use lastgasp_inferior::start_time;
use serde::{Deserialize, Serialize};

use crate::cgroup::{self, remove_when_empty};

/// The acts of one lastgasp process.
#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    /// Who did it; with its start time, so that a reused number is not mistaken for it.
    pid: i32,
    start_time: u64,
    /// Cgroup folders that we made.
    made: Vec<PathBuf>,
    /// Cgroup folders that we may have frozen.
    may_be_frozen: Vec<PathBuf>,
}

/// A journal that is open; removed when dropped.
#[derive(Debug)]
pub struct Journal {
    file: PathBuf,
}

impl Journal {
    /// Writes the journal of this process into `store`, durable before it returns.
    ///
    /// # Errors
    /// The system's error.
    pub fn open(store: &Path, made: &[PathBuf], may_be_frozen: &[PathBuf]) -> io::Result<Self> {
        let pid = std::process::id() as i32;
        let dir = store.join(".journal");
        fs::create_dir_all(&dir)?;
        let file = dir.join(format!("{pid}.json"));
        let entry = Entry {
            pid,
            start_time: start_time(pid).unwrap_or(0),
            made: made.to_vec(),
            may_be_frozen: may_be_frozen.to_vec(),
        };
        fs::write(&file, serde_json::to_vec(&entry)?)?;
        fs::File::open(&file)?.sync_all()?;
        Ok(Self { file })
    }
}

impl Journal {
    /// Leaves it on disk for the next start to carry out.
    pub fn keep(mut self) {
        self.file = PathBuf::new();
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.file);
    }
}

/// Undoes what dead lastgasp processes left in `store`. Gives a line for each act undone.
pub fn recover(store: &Path) -> Vec<String> {
    let mut done = Vec::new();
    let Ok(dir) = fs::read_dir(store.join(".journal")) else {
        return done;
    };
    for file in dir.filter_map(|e| Some(e.ok()?.path())) {
        let Ok(entry) = fs::read(&file).and_then(|b| serde_json::from_slice::<Entry>(&b).map_err(io::Error::from))
        else {
            let _ = fs::remove_file(&file);
            continue;
        };
        if start_time(entry.pid) == Some(entry.start_time) {
            continue;
        }
        for dir in &entry.may_be_frozen {
            if thaw(dir) {
                done.push(format!("thawed {}", dir.display()));
            }
        }
        let left: Vec<&PathBuf> = entry.made.iter().rev().filter(|d| d.exists() && !remove_when_empty(d)).collect();
        done.extend(entry.made.iter().filter(|d| !d.exists()).map(|d| format!("removed {}", d.display())));
        // A group that still holds a living command stays, and so does the journal that remembers it.
        if left.is_empty() {
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
