//! Events on their way to the store, and what is known of feeds: the one place of the daemon that writes
//! them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use lastgasp_incident::evidence::{Change, ChangeKind, FeedState, Generation, Hole, MetricSeries, UnixMs};
use lastgasp_store::events::{Added, EventError, EventLimits, EventLog, Salt, last_feeds};

/// Feeds that are known at most; holes of each that are kept.
const MAX_FEEDS: usize = 256;
const MAX_HOLES: usize = 64;
/// Between what a feed is, and why it was never reached.
const NEVER: &str = ", never reached: ";
/// Pause after an attempt to open the files that failed.
const AGAIN: Duration = Duration::from_secs(10);
/// A feed whose last word is as old as this when the daemon starts has a hole since then.
const RESTART_MS: i64 = 5_000;

/// Counted since the start.
#[derive(Debug, Default)]
pub(crate) struct EventCounts {
    /// Changes that were written.
    pub(crate) changes: AtomicU64,
    /// Changes that were known already.
    pub(crate) duplicates: AtomicU64,
    /// Requests that were refused.
    pub(crate) refused: AtomicU64,
    /// Writes that failed.
    pub(crate) failed: AtomicU64,
}

/// The same, as they are told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct EventStats {
    pub(crate) changes: u64,
    pub(crate) duplicates: u64,
    pub(crate) refused: u64,
    pub(crate) failed: u64,
    /// Feeds that are known, and those of them that are connected.
    pub(crate) feeds: (usize, usize),
}

/// Events and feeds; shared by threads.
#[derive(Clone, Debug)]
pub(crate) struct Events(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    store: PathBuf,
    state: Mutex<State>,
    feeds: Mutex<Feeds>,
    salt: Salt,
    counts: EventCounts,
}

#[derive(Debug)]
struct State {
    limits: EventLimits,
    log: Option<EventLog>,
    tried: Option<Instant>,
}

#[derive(Debug, Default)]
struct Feeds {
    all: BTreeMap<String, FeedState>,
    changed: bool,
}

impl Events {
    /// Those of a store. Feeds that were connected when the last daemon ended have a hole since then.
    pub(crate) fn open(store: &Path, limits: EventLimits) -> Self {
        let log = EventLog::open(store, limits);
        if let Err(e) = &log {
            tracing::error!(event = "no-events", "changes, metrics and lives of processes are not kept: {e}");
        }
        let now = now_ms();
        let all = last_feeds(store).into_iter().map(|f| (f.source.clone(), restarted(f, now))).collect();
        let state = State { limits, log: log.ok(), tried: Some(Instant::now()) };
        let feeds = Mutex::new(Feeds { all, changed: true });
        let counts = EventCounts::default();
        Self(Arc::new(Shared {
            store: store.to_owned(),
            state: Mutex::new(state),
            feeds,
            salt: Salt::of(store),
            counts,
        }))
    }

    pub(crate) fn salt(&self) -> &Salt {
        &self.0.salt
    }

    pub(crate) fn stats(&self) -> EventStats {
        let counts = &self.0.counts;
        let n = |c: &AtomicU64| c.load(Ordering::Relaxed);
        let feeds = self.0.feeds.lock().unwrap_or_else(PoisonError::into_inner);
        EventStats {
            changes: n(&counts.changes),
            duplicates: n(&counts.duplicates),
            refused: n(&counts.refused),
            failed: n(&counts.failed),
            feeds: (feeds.all.len(), feeds.all.values().filter(|f| f.connected).count()),
        }
    }

    pub(crate) fn counts(&self) -> &EventCounts {
        &self.0.counts
    }

    /// Other limits from now on.
    pub(crate) fn set_limits(&self, limits: EventLimits) {
        let mut state = self.state();
        state.limits = limits;
        if let Some(log) = &state.log {
            log.set_limits(limits);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with_log<T>(&self, write: impl FnOnce(&EventLog) -> Result<T, EventError>) -> Result<T, String> {
        let mut state = self.state();
        if state.log.is_none() && state.tried.is_none_or(|t| t.elapsed() >= AGAIN) {
            state.tried = Some(Instant::now());
            state.log = EventLog::open(&self.0.store, state.limits).ok();
        }
        let Some(log) = &state.log else { return Err("the store's folder of events cannot be written".into()) };
        write(log).map_err(|e| {
            let before = self.0.counts.failed.fetch_add(1, Ordering::Relaxed);
            // A full disk fails at every attempt.
            if before.is_multiple_of(100) {
                tracing::error!(event = "event-lost", "events could not be written: {e}");
            }
            e.to_string()
        })
    }

    /// Writes changes, and notes that their feeds speak.
    pub(crate) fn add_changes(&self, changes: &[Change]) -> Result<Added, String> {
        let added = self.with_log(|log| log.add_changes(changes))?;
        self.0.counts.changes.fetch_add(added.new as u64, Ordering::Relaxed);
        self.0.counts.duplicates.fetch_add(added.known as u64, Ordering::Relaxed);
        let now = now_ms();
        for change in changes {
            self.feed(&change.source, |f| {
                spoke(f, now);
                if !f.kinds.contains(&change.kind) {
                    f.kinds.push(change.kind.clone());
                    f.kinds.sort();
                }
            });
        }
        Ok(added)
    }

    pub(crate) fn note_generations(&self, lives: &[Generation]) {
        if !lives.is_empty() {
            let _ = self.with_log(|log| log.note_generations(lives));
        }
    }

    pub(crate) fn note_series(&self, series: &[MetricSeries]) {
        if !series.is_empty() {
            let _ = self.with_log(|log| log.note_series(series));
        }
    }

    /// A feed that should be there: by its configuration.
    pub(crate) fn expect(&self, source: &str, kinds: &[ChangeKind], metrics: bool, detail: &str) {
        self.feed(source, |f| {
            f.kinds = kinds.to_vec();
            f.metrics = metrics;
            detail.clone_into(&mut f.detail);
        });
    }

    /// A feed has said something, be it that there is nothing new.
    pub(crate) fn heard(&self, source: &str) {
        let was = self.feed(source, |f| {
            let was = f.connected;
            spoke(f, now_ms());
            was
        });
        if was == Some(false) {
            tracing::info!(feed = source, event = "feed-connected", "a feed speaks");
            self.flush_feeds();
        }
    }

    /// A feed cannot be reached, or has lost something: a hole since it spoke last.
    pub(crate) fn lost(&self, source: &str, why: &str) {
        let now = now_ms();
        let was_connected = self.feed(source, |f| {
            let was = std::mem::replace(&mut f.connected, false);
            open_hole(f, now, why);
            was
        });
        if was_connected == Some(true) {
            tracing::warn!(feed = source, event = "feed-lost", "a feed does not speak any more: {why}");
            self.flush_feeds();
        }
    }

    /// A feed that is no longer in the configuration.
    pub(crate) fn forget(&self, source: &str) {
        self.feed(source, |f| {
            f.connected = false;
            open_hole(f, now_ms(), "it was taken out of the configuration");
        });
    }

    fn feed<T>(&self, source: &str, change: impl FnOnce(&mut FeedState) -> T) -> Option<T> {
        let mut feeds = self.0.feeds.lock().unwrap_or_else(PoisonError::into_inner);
        if !feeds.all.contains_key(source) && feeds.all.len() >= MAX_FEEDS {
            return None;
        }
        feeds.changed = true;
        let fresh = || FeedState { source: source.to_owned(), ..FeedState::default() };
        Some(change(feeds.all.entry(source.to_owned()).or_insert_with(fresh)))
    }

    /// Writes the states of feeds, if they are others than those that were written.
    pub(crate) fn flush_feeds(&self) {
        let all: Vec<FeedState> = {
            let mut feeds = self.0.feeds.lock().unwrap_or_else(PoisonError::into_inner);
            if !std::mem::take(&mut feeds.changed) {
                return;
            }
            feeds.all.values().cloned().collect()
        };
        let _ = self.with_log(|log| log.note_feeds(&all));
    }

    /// States of all feeds.
    #[cfg(test)]
    pub(crate) fn feeds(&self) -> Vec<FeedState> {
        self.0.feeds.lock().unwrap_or_else(PoisonError::into_inner).all.values().cloned().collect()
    }
}

fn spoke(f: &mut FeedState, now: UnixMs) {
    if !f.connected {
        f.connected = true;
        if f.since_unix_ms == 0 {
            f.since_unix_ms = now;
            let detail = f.detail.split(NEVER).next().unwrap_or_default();
            f.detail = detail.to_owned();
        }
        if let Some(hole) = f.holes.last_mut().filter(|h| h.to_unix_ms.is_none()) {
            hole.to_unix_ms = Some(now);
        }
    }
    f.last_unix_ms = now;
}

fn open_hole(f: &mut FeedState, now: UnixMs, why: &str) {
    let is_open = f.holes.last().is_some_and(|h| h.to_unix_ms.is_none());
    if f.since_unix_ms == 0 {
        // It was never connected: all of the time is unknown.
        let detail = f.detail.split(NEVER).next().unwrap_or_default();
        f.detail = format!("{detail}{NEVER}{why}");
        return;
    }
    if is_open {
        return;
    }
    let from = if f.last_unix_ms > 0 { f.last_unix_ms } else { now };
    f.holes.push(Hole { from_unix_ms: from, to_unix_ms: None, why: why.to_owned() });
    if f.holes.len() > MAX_HOLES {
        f.holes.remove(0);
    }
}

/// A feed as it is known after a start: nobody listened since the last daemon ended.
fn restarted(mut f: FeedState, now: UnixMs) -> FeedState {
    if f.connected && now.saturating_sub(f.last_unix_ms) > RESTART_MS {
        f.connected = false;
        open_hole(&mut f, now, "lastgasp was not running");
    }
    f.connected = false;
    f
}

/// Now, by our clock.
pub(crate) fn now_ms() -> UnixMs {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_begin_at_the_last_word_and_end_at_the_next() {
        let store = tempfile::tempdir().unwrap();
        let events = Events::open(store.path(), EventLimits::default());
        events.expect("etcd", &[ChangeKind::Config], false, "http://x");
        events.lost("etcd", "nobody is there");
        let f = &events.feeds()[0];
        assert_eq!(
            (f.connected, f.since_unix_ms, f.holes.len(), f.detail.as_str()),
            (false, 0, 0, "http://x, never reached: nobody is there")
        );
        events.heard("etcd");
        let spoke = events.feeds()[0].last_unix_ms;
        assert_eq!(events.feeds()[0].detail, "http://x");
        events.lost("etcd", "it hangs");
        events.lost("etcd", "it hangs still");
        let f = events.feeds().remove(0);
        assert_eq!(
            (f.connected, f.holes.len(), f.holes[0].from_unix_ms, f.holes[0].to_unix_ms),
            (false, 1, spoke, None)
        );
        // Times are in milliseconds: a hole that ends in the one in which it began is none.
        std::thread::sleep(std::time::Duration::from_millis(5));
        events.heard("etcd");
        let f = events.feeds().remove(0);
        assert!(f.connected && f.holes[0].to_unix_ms.is_some() && !f.covers(spoke, i64::MAX));
    }

    #[test]
    fn nobody_listened_while_we_did_not_run() {
        let store = tempfile::tempdir().unwrap();
        let events = Events::open(store.path(), EventLimits::default());
        events.heard("etcd");
        let change =
            Change { id: "1".into(), source: "webhook:plain".into(), kind: ChangeKind::Config, ..Change::default() };
        assert_eq!(events.add_changes(&[change.clone(), change]).unwrap(), Added { new: 1, known: 1, too_long: 0 });
        events.flush_feeds();
        drop(events);
        let now = now_ms();
        let last = last_feeds(store.path());
        assert_eq!((last.len(), last[1].kinds.clone()), (2, vec![ChangeKind::Config]));
        let later = restarted(last[0].clone(), now + 60_000);
        assert_eq!((later.connected, later.holes[0].why.as_str()), (false, "lastgasp was not running"));
        assert!(restarted(last[0].clone(), now).holes.is_empty(), "a quick restart misses nothing worth the word");
    }
}
