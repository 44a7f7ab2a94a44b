//! Reading back: line by line, whatever the size of the files; damaged lines are skipped and said.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use lastgasp_incident::evidence::{
    Change, Evidence, FeedState, Generation, Loader, MetricPoint, MetricSeries, Query, UnixMs,
};
use rustc_hash::FxHashSet;
use serde::de::DeserializeOwned;

use super::line::{MAX_LINE, record};
use super::segments::{Segment, segments};
use super::{FOLDER, Stream};

/// How far back a life is looked for that began before the time that is asked for: a process may be old.
const LIVES_BEFORE: Duration = Duration::from_secs(2 * 3600);
/// A file whose last line was written so long before the time that is asked for is passed over.
const SLACK: Duration = Duration::from_secs(60);
/// Bytes at the end of the changes that are read for what was seen last.
const RECENT_BYTES: u64 = 32 << 20;

/// How much is read of one time at most; what is left out is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadLimits {
    /// Changes: the latest.
    pub changes: usize,
    /// Points of all series: the first.
    pub points: usize,
}

impl Default for ReadLimits {
    fn default() -> Self {
        Self { changes: 25_000, points: 2_000_000 }
    }
}

/// What could not be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Damage {
    /// Lines that were damaged or cut short, and in how many files.
    pub lines: u64,
    /// Files with such lines, or that could not be read at all.
    pub files: u64,
    /// Why the last of them could not be read, where it could not.
    pub why: Option<String>,
}

impl Damage {
    /// In words; `None` where there is none.
    #[must_use]
    pub fn sentence(&self) -> Option<String> {
        let why = self.why.as_deref().map(|w| format!(" ({w})")).unwrap_or_default();
        let (lines, files) = (self.lines, self.files);
        match (lines, files) {
            (0, 0) => None,
            (0, _) => Some(format!("{files} files of events cannot be read{why}")),
            _ => Some(format!("{lines} damaged lines in {files} files of events were skipped{why}")),
        }
    }

    fn note(&mut self, lines: u64, read: std::io::Result<()>) {
        self.lines += lines;
        self.files += u64::from(lines > 0 || read.is_err());
        self.why = read.err().map(|e| e.to_string()).or(self.why.take());
    }
}

/// Events of a store, as evidence.
#[derive(Clone, Debug)]
pub struct EventStore(pub PathBuf);

impl Loader for EventStore {
    type Error = std::convert::Infallible;

    fn load(&self, query: &Query, into: &mut Evidence) -> Result<(), Self::Error> {
        read(&self.0, query, into);
        Ok(())
    }
}

/// Adds the events of a store to evidence: changes that took effect or were told of in the time that is asked
/// for, lives that reach into it, points in it, and the last state of every feed. A change that stands there
/// twice is added once.
pub fn read(store: &Path, query: &Query, into: &mut Evidence) -> Damage {
    read_at_most(store, query, ReadLimits::default(), into)
}

/// As [`read()`], and no more than that.
pub fn read_at_most(store: &Path, query: &Query, limits: ReadLimits, into: &mut Evidence) -> Damage {
    let folder = store.join(FOLDER);
    let most = limits.changes.max(1);
    let since = query.since_unix_ms.unwrap_or(i64::MIN);
    let (from, to) = (since, query.now_unix_ms);
    let mut damage = Damage::default();

    let mut changes: Vec<Change> = Vec::new();
    let mut known = FxHashSet::default();
    let mut left_out = 0u64;
    visit(&folder, Stream::Changes, since, &mut damage, |change: Change| {
        let heard = if change.received_unix_ms == 0 { change.at_unix_ms } else { change.received_unix_ms };
        if heard > to || (change.at_unix_ms < from && heard < from) {
            return;
        }
        if !known.insert((change.source.clone(), change.id.clone())) {
            return;
        }
        changes.push(change);
        // Now and then, since each takes a move of all that stay.
        if changes.len() >= most + most.div_ceil(4) {
            let more = changes.len() - most;
            left_out += more as u64;
            changes.drain(..more).for_each(|c| {
                known.remove(&(c.source, c.id));
            });
        }
    });
    if changes.len() > most {
        let more = changes.len() - most;
        left_out += more as u64;
        changes.drain(..more);
    }
    if left_out > 0 {
        into.gaps.push(format!("of so many changes the {left_out} that were told of first are left out"));
    }
    into.changes.append(&mut changes);

    let mut lives: BTreeMap<(String, i32, UnixMs), Generation> = BTreeMap::new();
    let before = since.saturating_sub(millis(LIVES_BEFORE));
    let reaches = |life: &Generation| {
        let end = life.ended_unix_ms.unwrap_or(life.last_seen_unix_ms.max(life.first_seen_unix_ms));
        let fits = query.service.as_ref().is_none_or(|s| *s == life.service);
        fits && end >= from && life.started_unix_ms <= to
    };
    // A month has many more lives than reach into the time that is asked for: these are not even kept here.
    // What is told of a life last counts.
    visit(&folder, Stream::Generations, before, &mut damage, |life: Generation| {
        let key = (life.instance.clone(), life.pid, life.started_unix_ms);
        if reaches(&life) {
            lives.insert(key, life);
        } else {
            lives.remove(&key);
        }
    });
    into.generations.extend(lives.into_values());

    let mut series: BTreeMap<Vec<String>, MetricSeries> = BTreeMap::new();
    let (mut points, mut cut) = (0, false);
    visit(&folder, Stream::Metrics, since, &mut damage, |more: MetricSeries| {
        let key = vec![
            more.role.name().to_owned(),
            more.name.clone(),
            more.source.clone(),
            more.subject.service.clone(),
            more.subject.caller.clone(),
            more.subject.instance.clone(),
        ];
        let fits = |p: &MetricPoint| (from..=to).contains(&p.unix_ms) && p.value.is_finite();
        let new: Vec<MetricPoint> = more.points.iter().copied().filter(fits).collect();
        points += new.len();
        cut |= points > limits.points;
        if new.is_empty() || cut {
            return;
        }
        series.entry(key).or_insert_with(|| MetricSeries { points: Vec::new(), ..more }).points.extend(new);
    });
    if cut {
        into.gaps.push(format!("of the metrics of this time the first {} points alone were read", limits.points));
    }
    for (_, mut one) in series {
        one.points.sort_by_key(|p| p.unix_ms);
        one.points.dedup_by_key(|p| p.unix_ms);
        into.series.push(one);
    }

    into.feeds.extend(feeds(&folder, &mut damage));
    into.gaps.extend(damage.sentence());
    damage
}

/// Lives of processes that were told of since then, as they were told of last, by start.
#[must_use]
pub fn last_lives(store: &Path, since: UnixMs) -> Vec<Generation> {
    /// Lives that are kept, at most.
    const MOST: usize = 20_000;
    let mut lives: BTreeMap<(UnixMs, i32, String), Generation> = BTreeMap::new();
    visit(&store.join(FOLDER), Stream::Generations, since, &mut Damage::default(), |life: Generation| {
        lives.insert((life.started_unix_ms, life.pid, life.instance.clone()), life);
        if lives.len() > MOST {
            lives.pop_first();
        }
    });
    lives.into_values().collect()
}

/// The last state of every feed.
#[must_use]
pub fn last_feeds(store: &Path) -> Vec<FeedState> {
    feeds(&store.join(FOLDER), &mut Damage::default())
}

fn feeds(folder: &Path, damage: &mut Damage) -> Vec<FeedState> {
    let mut all: BTreeMap<String, FeedState> = BTreeMap::new();
    visit(folder, Stream::Feeds, i64::MIN, damage, |feed: FeedState| {
        all.insert(feed.source.clone(), feed);
    });
    all.into_values().collect()
}

/// Changes at the end of the files, oldest first.
pub(crate) fn recent_changes(folder: &Path, mut each: impl FnMut(&Change)) {
    let all = segments(folder, Stream::Changes);
    let mut bytes = 0;
    let recent: Vec<&Segment> = all
        .iter()
        .rev()
        .take_while(|s| {
            let take = bytes < RECENT_BYTES;
            bytes += s.bytes;
            take
        })
        .collect();
    for segment in recent.into_iter().rev() {
        let _ = lines(&segment.path, |line| {
            if let Some(change) = record::<Change>(line) {
                each(&change);
            }
        });
    }
}

/// Every record of a stream in files that were written since then, in the order of writing.
fn visit<T: DeserializeOwned>(
    folder: &Path,
    stream: Stream,
    since: UnixMs,
    damage: &mut Damage,
    mut each: impl FnMut(T),
) {
    let since = u64::try_from(since).ok().map(|ms| SystemTime::UNIX_EPOCH + Duration::from_millis(ms));
    for segment in segments(folder, stream) {
        // A clock that was set back wrote later lines with an earlier time: what was begun later counts too.
        let begun = u64::try_from(segment.begun_ms).unwrap_or(0);
        let latest = segment.written.max(SystemTime::UNIX_EPOCH + Duration::from_millis(begun));
        if since.is_some_and(|since| latest + SLACK < since) {
            continue;
        }
        let mut bad = 0;
        let read = lines(&segment.path, |line| match record(line) {
            Some(record) => each(record),
            None => bad += 1,
        });
        damage.note(bad, read);
    }
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

/// Lines of a file that have something in them; one that is longer than any of ours is given empty.
fn lines(path: &Path, mut each: impl FnMut(&[u8])) -> std::io::Result<()> {
    let flags = nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK;
    let file: File = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let mut reader = BufReader::with_capacity(64 << 10, file);
    let mut line = Vec::new();
    loop {
        line.clear();
        let n = reader.by_ref().take(MAX_LINE as u64 + 1).read_until(b'\n', &mut line)?;
        if n == 0 {
            return Ok(());
        }
        if line.last() != Some(&b'\n') && n > MAX_LINE {
            // The rest of it is passed over.
            loop {
                let buffer = reader.fill_buf()?;
                let end = buffer.iter().position(|b| *b == b'\n');
                let (skip, over) = end.map_or((buffer.len(), buffer.is_empty()), |i| (i + 1, true));
                reader.consume(skip);
                if over {
                    break;
                }
            }
            each(b"");
            continue;
        }
        let text = line.trim_ascii();
        if !text.is_empty() {
            each(text);
        }
    }
}
