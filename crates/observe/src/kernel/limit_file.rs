//! A group's limit file, read for all who are watched in that group or below it: a hundred containers have
//! the same groups above them, and each of those files would be read a hundred times for one answer.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use crate::kernel::cgroup::Cgroup;
use crate::kernel::files::read_text;

/// A limit file, and what it said last. It is opened for each reading: a descriptor for each group would be
/// one more for each calm process.
#[derive(Debug)]
pub(crate) struct LimitFile {
    path: PathBuf,
    last: Mutex<Option<Reading>>,
}

/// What it said, and when it was about to be read: what is written later is not in it.
#[derive(Clone, Copy, Debug)]
struct Reading {
    at: Instant,
    bytes: u64,
}

/// All that somebody has, by path.
static SHARED: Mutex<BTreeMap<PathBuf, Weak<LimitFile>>> = Mutex::new(BTreeMap::new());

impl LimitFile {
    /// The one of that path.
    pub(crate) fn shared(path: PathBuf) -> Arc<Self> {
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = shared.get(&path).and_then(Weak::upgrade) {
            return file;
        }
        // Those that nobody has any more go before they are many.
        if shared.len() >= 64 && shared.len().is_power_of_two() {
            shared.retain(|_, file| file.strong_count() > 0);
        }
        let file = Arc::new(Self { path: path.clone(), last: Mutex::new(None) });
        shared.insert(path, Arc::downgrade(&file));
        file
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The limit, `u64::MAX` for none; `None` of a group that is gone. Somebody else's reading will do if it
    /// is not older than that.
    ///
    /// # Errors
    /// The system's error.
    pub(crate) fn limit(&self, at_most: Duration) -> io::Result<Option<u64>> {
        let began = Instant::now();
        let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = last.filter(|last| began.saturating_duration_since(last.at) < at_most) {
            return Ok(Some(last.bytes));
        }
        // Nobody waits for who reads.
        let bytes = limit_in(&self.path);
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        // What failed, and what is gone, is asked for again.
        *last = bytes.as_ref().ok().copied().flatten().map(|bytes| Reading { at: began, bytes });
        bytes
    }
}

/// What a limit file says, `u64::MAX` for no limit; `None` of a group that is gone.
fn limit_in(file: &Path) -> io::Result<Option<u64>> {
    let text = read_text::<32>(&File::open(file)?).unwrap_or_default();
    let text = text.trim();
    // Version 2 says `max`.
    Ok((!text.is_empty()).then(|| text.parse().ok().and_then(Cgroup::as_limit).unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn one_reading_is_for_all_of_a_moment_and_for_nobody_who_wants_a_new_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("memory.max");
        std::fs::write(&path, "4096\n").unwrap();
        let [one, other] = [(); 2].map(|()| LimitFile::shared(path.clone()));
        assert_eq!(one.limit(SECOND).unwrap(), Some(4096));
        std::fs::write(&path, "max\n").unwrap();
        assert_eq!(other.limit(SECOND * 60).unwrap(), Some(4096), "as it was a moment ago");
        assert_eq!(other.limit(Duration::ZERO).unwrap(), Some(u64::MAX));
        assert_eq!(one.limit(SECOND * 60).unwrap(), Some(u64::MAX), "what one has read the others have");
    }

    /// Of a group that is gone nothing is remembered, and of the next one of its name neither.
    #[test]
    fn what_is_gone_is_asked_for_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("memory.max");
        std::fs::write(&path, "4096\n").unwrap();
        let file = LimitFile::shared(path.clone());
        assert_eq!(file.limit(SECOND).unwrap(), Some(4096));
        // As the kernel's, which is open and says nothing any more.
        std::fs::write(&path, "").unwrap();
        assert_eq!(file.limit(Duration::ZERO).unwrap(), None);
        std::fs::remove_file(&path).unwrap();
        assert!(file.limit(SECOND * 60).is_err());
        std::fs::write(&path, "8192\n").unwrap();
        assert_eq!(file.limit(SECOND * 60).unwrap(), Some(8192));
    }

    #[test]
    fn what_nobody_has_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let path = |n: usize| folder.path().join(n.to_string());
        let kept = LimitFile::shared(path(0));
        for n in 1..500 {
            LimitFile::shared(path(n));
        }
        let shared = SHARED.lock().unwrap();
        assert!(shared.len() <= 128 && Weak::upgrade(&shared[&path(0)]).is_some());
        drop((shared, kept));
    }
}
