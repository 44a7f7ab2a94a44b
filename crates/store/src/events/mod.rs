//! What happened in the world, beside the captures: changes, lives of processes, metrics, and which feeds
//! were connected. Append-only files of JSON lines in the store's folder `events`, bounded, crash-safe
//! (docs/formats/events.md).
//!
//! [`EventLog`] writes them, [`read()`] and [`EventStore`] read them back. A line says its own checksum: what
//! was cut short by a crash or damaged is skipped, counted and said, and costs no other line. Files are only
//! ever appended to, by as many processes as like (`lastgasp event add` beside the daemon), and removed as a
//! whole when they are too old or too many.

mod line;
mod log;
mod read;
mod salt;
mod seen;
mod segments;

use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;

pub use log::{Added, EventLog};
pub use read::{Damage, EventStore, ReadLimits, last_feeds, last_lives, read, read_at_most};
pub use salt::{ContentHash, Salt};

/// The folder in a store.
pub const FOLDER: &str = "events";

/// Kinds of record, each in files of its own: a flood of one displaces no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stream {
    Changes,
    Feeds,
    Generations,
    Metrics,
}

impl Stream {
    pub(crate) const ALL: [Self; 4] = [Self::Changes, Self::Feeds, Self::Generations, Self::Metrics];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Changes => "changes",
            Self::Feeds => "feeds",
            Self::Generations => "generations",
            Self::Metrics => "metrics",
        }
    }

    /// Its part of all bytes, in sixteenths.
    pub(crate) fn share(self) -> u64 {
        match self {
            Self::Changes => 4,
            Self::Feeds => 1,
            Self::Generations => 3,
            Self::Metrics => 8,
        }
    }
}

/// How much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventLimits {
    /// Bytes of all files together.
    pub bytes: u64,
    /// Age at which a file is removed, counted from when it was written last.
    pub age: Duration,
}

impl Default for EventLimits {
    fn default() -> Self {
        Self { bytes: 256 << 20, age: Duration::from_secs(35 * 86_400) }
    }
}

/// Why events could not be written.
#[derive(Debug, Error)]
#[error("{path}: {error} (free some space, or name another store)")]
pub struct EventError {
    /// Which file or folder.
    pub path: PathBuf,
    /// What the system said.
    pub error: std::io::Error,
}

pub(crate) fn at(path: &Path) -> impl FnOnce(std::io::Error) -> EventError + '_ {
    move |error| EventError { path: path.to_owned(), error }
}

#[cfg(test)]
mod tests;
