//! Writing: records are appended, and what is too old or too much is removed.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use lastgasp_incident::evidence::{Change, FeedState, Generation, MetricSeries};
use serde::Serialize;

use super::line::line;
use super::read::recent_changes;
use super::seen::Seen;
use super::segments::{largest, path, segments, to_remove};
use super::{EventError, EventLimits, FOLDER, Stream, at};

/// What became of changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Added {
    /// Written.
    pub new: usize,
    /// Known already, by source and id.
    pub known: usize,
    /// Too long to be written.
    pub too_long: usize,
}

/// Files of events, open for writing; shared by threads.
#[derive(Debug)]
pub struct EventLog {
    folder: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    limits: EventLimits,
    seen: Seen,
    open: Vec<Open>,
}

/// The file that a stream is appended to.
#[derive(Debug)]
struct Open {
    stream: Stream,
    path: PathBuf,
    file: File,
    bytes: u64,
    /// A line may have been cut short: the next one begins anew.
    torn: bool,
}

impl EventLog {
    /// Opens the folder of a store, which is made where there is none, and removes what is too old. What was
    /// written last is known again.
    ///
    /// # Errors
    /// The folder can be neither made nor read.
    pub fn open(store: &Path, limits: EventLimits) -> Result<Self, EventError> {
        let folder = store.join(FOLDER);
        DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(at(&folder))?;
        fs::read_dir(&folder).map_err(at(&folder))?;
        let mut seen = Seen::default();
        recent_changes(&folder, |change| {
            seen.insert(change);
        });
        let log = Self { folder, state: Mutex::new(State { limits, seen, open: Vec::new() }) };
        for stream in Stream::ALL {
            log.remove_old(&limits, stream);
        }
        Ok(log)
    }

    /// Other limits from now on.
    pub fn set_limits(&self, limits: EventLimits) {
        self.lock().limits = limits;
        for stream in Stream::ALL {
            self.remove_old(&limits, stream);
        }
    }

    /// Writes changes, each once: one that is known by its source and id is not written again. They are on
    /// the disk when this returns.
    ///
    /// # Errors
    /// The disk is full, say: then none of them counts as known.
    pub fn add_changes(&self, changes: &[Change]) -> Result<Added, EventError> {
        let mut added = Added::default();
        let mut state = self.lock();
        let mut bytes = Vec::new();
        for change in changes {
            match line(change) {
                None => added.too_long += 1,
                Some(_) if !state.seen.insert(change) => added.known += 1,
                Some(line) => {
                    bytes.extend(line);
                    added.new += 1;
                }
            }
        }
        if let Err(e) = self.append(&mut state, Stream::Changes, &bytes, true) {
            state.seen = Seen::default();
            recent_changes(&self.folder, |change| {
                state.seen.insert(change);
            });
            return Err(e);
        }
        Ok(added)
    }

    /// Writes what is known of lives of processes; of one life the last record counts.
    ///
    /// # Errors
    /// The disk is full, say.
    pub fn note_generations(&self, generations: &[Generation]) -> Result<(), EventError> {
        self.note(Stream::Generations, generations, true)
    }

    /// Writes states of feeds; of one feed the last record counts.
    ///
    /// # Errors
    /// The disk is full, say.
    pub fn note_feeds(&self, feeds: &[FeedState]) -> Result<(), EventError> {
        self.note(Stream::Feeds, feeds, true)
    }

    /// Writes further points of series. They are not waited for: a crash of the machine may cost the last
    /// half minute of them.
    ///
    /// # Errors
    /// The disk is full, say.
    pub fn note_series(&self, series: &[MetricSeries]) -> Result<(), EventError> {
        // JSON has no word for what is not finite: a line of it could not be read.
        let finite = |s: &MetricSeries| MetricSeries {
            points: s.points.iter().copied().filter(|p| p.value.is_finite()).collect(),
            ..s.clone()
        };
        let series: Vec<MetricSeries> = series.iter().map(finite).filter(|s| !s.points.is_empty()).collect();
        self.note(Stream::Metrics, &series, false)
    }

    fn note(&self, stream: Stream, records: &[impl Serialize], durable: bool) -> Result<(), EventError> {
        let bytes: Vec<u8> = records.iter().filter_map(line).flatten().collect();
        self.append(&mut self.lock(), stream, &bytes, durable)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn append(&self, state: &mut State, stream: Stream, bytes: &[u8], durable: bool) -> Result<(), EventError> {
        if bytes.is_empty() {
            return Ok(());
        }
        let limits = state.limits;
        // One that was removed under our hands, or is full, is not appended to.
        state.open.retain(|o| o.stream != stream || (o.bytes < largest(&limits, stream) && o.path.exists()));
        if !state.open.iter().any(|o| o.stream == stream) {
            state.open.push(self.begin(&limits, stream)?);
        }
        let Some(open) = state.open.iter_mut().find(|o| o.stream == stream) else { return Ok(()) };
        // In one write: that is how several processes may append to one file.
        let whole = if open.torn { [b"\n", bytes].concat() } else { bytes.to_vec() };
        open.torn = true;
        open.file.write_all(&whole).map_err(at(&open.path))?;
        open.torn = false;
        open.bytes += whole.len() as u64;
        if durable {
            open.file.sync_data().map_err(at(&open.path))?;
        }
        Ok(())
    }

    /// The newest file of a stream if it has room, or another one.
    fn begin(&self, limits: &EventLimits, stream: Stream) -> Result<Open, EventError> {
        let newest = segments(&self.folder, stream).pop().filter(|s| s.bytes < largest(limits, stream));
        let path = newest.map_or_else(|| path(&self.folder, stream, now_ms()), |s| s.path);
        let flags = nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK;
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o600)
            .custom_flags(flags)
            .open(&path)
            .map_err(at(&path))?;
        let bytes = file.metadata().map_err(at(&path))?.len();
        let mut last = [b'\n'];
        if bytes > 0 {
            let read = file.seek(SeekFrom::End(-1)).and_then(|_| file.read(&mut last));
            read.map_err(at(&path))?;
        } else if let Ok(folder) = File::open(&self.folder) {
            let _ = folder.sync_all();
        }
        self.remove_old(limits, stream);
        Ok(Open { stream, path, file, bytes, torn: last != *b"\n" })
    }

    fn remove_old(&self, limits: &EventLimits, stream: Stream) {
        for path in to_remove(&segments(&self.folder, stream), limits, stream, SystemTime::now()) {
            let _ = fs::remove_file(path);
        }
    }
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
