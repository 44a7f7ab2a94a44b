//! Files of a stream: `changes-1700000000000.jsonl`, named by when they were begun.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::{EventLimits, Stream};

/// Largest file, beyond which another is begun; smaller where all of them together must be small.
const MAX_SEGMENT: u64 = 4 << 20;
const MIN_SEGMENT: u64 = 16 << 10;
/// Files of a stream that are looked at, at most: a folder with more of them is not ours alone.
const MAX_SEGMENTS: usize = 10_000;

/// A file of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) path: PathBuf,
    /// When it was begun, by its name.
    pub(crate) begun_ms: i64,
    pub(crate) bytes: u64,
    pub(crate) written: SystemTime,
}

/// All files of a stream, oldest first. What is no plain file is none of ours.
pub(crate) fn segments(folder: &Path, stream: Stream) -> Vec<Segment> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut all: Vec<Segment> = entries
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let name = entry.file_name();
            let begun_ms = begun(name.to_str()?, stream)?;
            let meta = entry.path().symlink_metadata().ok().filter(fs::Metadata::is_file)?;
            let written = meta.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            Some(Segment { path: entry.path(), begun_ms, bytes: meta.len(), written })
        })
        .take(MAX_SEGMENTS)
        .collect();
    all.sort_by(|a, b| a.begun_ms.cmp(&b.begun_ms).then_with(|| a.path.cmp(&b.path)));
    all
}

fn begun(name: &str, stream: Stream) -> Option<i64> {
    let number = name.strip_prefix(stream.name())?.strip_prefix('-')?.strip_suffix(".jsonl")?;
    number.parse().ok().filter(|_| number.bytes().all(|b| b.is_ascii_digit()))
}

/// Path of a file that is begun at that moment.
pub(crate) fn path(folder: &Path, stream: Stream, begun_ms: i64) -> PathBuf {
    folder.join(format!("{}-{:013}.jsonl", stream.name(), begun_ms.max(0)))
}

/// Size of a file at which another one is begun.
pub(crate) fn largest(limits: &EventLimits, stream: Stream) -> u64 {
    (budget(limits, stream) / 8).clamp(MIN_SEGMENT, MAX_SEGMENT)
}

fn budget(limits: &EventLimits, stream: Stream) -> u64 {
    limits.bytes / 16 * stream.share()
}

/// Files that must go: those that were written last too long ago, and the oldest of too many bytes. The
/// newest stays.
pub(crate) fn to_remove(all: &[Segment], limits: &EventLimits, stream: Stream, now: SystemTime) -> Vec<PathBuf> {
    let Some((_newest, older)) = all.split_last() else { return Vec::new() };
    let mut total = all.iter().map(|s| s.bytes).fold(0, u64::saturating_add);
    let mut gone = Vec::new();
    for segment in older {
        let age = now.duration_since(segment.written).unwrap_or(Duration::ZERO);
        if age > limits.age || total > budget(limits, stream) {
            total = total.saturating_sub(segment.bytes);
            gone.push(segment.path.clone());
        }
    }
    gone
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let folder = Path::new("/s");
        let p = path(folder, Stream::Changes, 1_700_000_000_000);
        assert_eq!(p, Path::new("/s/changes-1700000000000.jsonl"));
        assert_eq!(begun("changes-1700000000000.jsonl", Stream::Changes), Some(1_700_000_000_000));
        for other in ["changes-x.jsonl", "changes--1.jsonl", "feeds-1.jsonl", "changes-1.jsonl.gz", "changes-.jsonl"] {
            assert_eq!(begun(other, Stream::Changes), None, "{other}");
        }
    }

    #[test]
    fn the_oldest_go_and_the_newest_stays() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(100 * 86_400);
        let segment = |days_ago: u64, bytes: u64| Segment {
            path: format!("/{days_ago}").into(),
            begun_ms: 0,
            bytes,
            written: now - Duration::from_secs(days_ago * 86_400),
        };
        let limits = EventLimits { bytes: 1600, age: Duration::from_secs(10 * 86_400) };
        let gone = |all: &[Segment]| to_remove(all, &limits, Stream::Changes, now).len();
        assert_eq!(gone(&[segment(3, 100), segment(2, 200), segment(1, 100)]), 0);
        assert_eq!(gone(&[segment(3, 100), segment(2, 250), segment(1, 100)]), 1);
        assert_eq!(gone(&[segment(3, 500), segment(2, 500), segment(1, 500)]), 2, "whatever it has, the newest stays");
        assert_eq!(gone(&[segment(20, 1), segment(11, 1), segment(11, 1)]), 2);
        assert_eq!(gone(&[segment(0, 1)]), 0);
    }
}
