//! Configuration servers that are watched, read-only: a thread for each, so that one that hangs holds up
//! nothing. What cannot be reached is asked again with growing pauses, and the time without it is a hole of
//! the feed.
//!
//! Values are measured as they stream by (`payload`), and of what was known the sizes, numbers of elements
//! and hashes alone are kept, of so many keys at most.

mod apollo;
mod client;
mod consul;
mod etcd;
mod known;
mod nacos;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lastgasp_incident::evidence::{Change, ChangeKind, Scope};
use lastgasp_recorder::guard::{guarded, spawn_guarded};
use lastgasp_store::events::Salt;

use super::events::{Events, now_ms};
use super::mapping::clean;
use super::payload::Measured;
use crate::config::{Feed, FeedType};
use client::Client;

const THREAD: &str = "feed";
/// Pauses between attempts: the first, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// Threads of the feeds that are configured, by name.
#[derive(Debug)]
pub(crate) struct Watchers {
    events: Events,
    running: BTreeMap<String, (Feed, Arc<AtomicBool>)>,
}

impl Watchers {
    pub(crate) fn start(wanted: &BTreeMap<String, Feed>, events: Events) -> Self {
        let mut all = Self { events, running: BTreeMap::new() };
        all.replace(wanted);
        all
    }

    /// Starts and ends feeds so that they are as configured; those that stay the same go on.
    pub(crate) fn replace(&mut self, wanted: &BTreeMap<String, Feed>) {
        self.running.retain(|name, (feed, stop)| {
            let stays = wanted.get(name) == Some(feed);
            if !stays {
                stop.store(true, Ordering::Relaxed);
                self.events.forget(&source(name, feed));
            }
            stays
        });
        for (name, feed) in wanted {
            if self.running.contains_key(name) {
                continue;
            }
            let stop = Arc::new(AtomicBool::new(false));
            let told = Told::new(name, feed, self.events.clone(), Arc::clone(&stop));
            self.events.expect(&told.source, std::slice::from_ref(&told.kind), false, &feed.url);
            let of = feed.clone();
            if let Err(e) = spawn_guarded(THREAD, 512 << 10, move || follow(&of, &told)) {
                tracing::error!(feed = name, "no thread for it: {e}");
            }
            self.running.insert(name.clone(), (feed.clone(), stop));
        }
    }
}

fn source(name: &str, feed: &Feed) -> String {
    format!("{}:{}", feed.is.name(), clean(name))
}

/// One who watches a server.
trait Watcher: Send {
    /// Asks once, for as long as the server likes to think, and tells of what is another.
    fn round(&mut self, client: &Client, told: &Told) -> Result<(), String>;
}

/// Watches until it is told to stop.
fn follow(feed: &Feed, told: &Told) {
    let mut pause = PAUSES.0;
    let mut watcher = watcher(feed);
    while !told.is_over() {
        let client = Client::new(feed);
        // What it knew may be half changed after a panic.
        let round = guarded(THREAD, || watcher.round(&client, told)).unwrap_or_else(|panicked| {
            watcher = self::watcher(feed);
            Err(panicked.to_string())
        });
        match round {
            Ok(()) => {
                told.events.heard(&told.source);
                pause = PAUSES.0;
            }
            Err(why) => {
                if told.is_over() {
                    return;
                }
                told.events.lost(&told.source, &clean(&why));
                sleep(pause, told);
                pause = (pause * 2).min(PAUSES.1);
            }
        }
    }
}

fn watcher(feed: &Feed) -> Box<dyn Watcher> {
    match feed.is {
        FeedType::Etcd => Box::new(etcd::Etcd::new(feed)),
        FeedType::Consul => Box::new(consul::Consul::new(feed)),
        FeedType::Nacos => Box::new(nacos::Nacos::new(feed)),
        FeedType::Apollo => Box::new(apollo::Apollo::new(feed)),
    }
}

/// Sleeps, and wakes when it is over.
fn sleep(time: Duration, told: &Told) {
    const PIECE: Duration = Duration::from_millis(200);
    let mut left = time;
    while !left.is_zero() && !told.is_over() {
        std::thread::sleep(left.min(PIECE));
        left = left.saturating_sub(PIECE);
    }
}

/// To whom a watcher tells.
#[derive(Debug)]
struct Told {
    source: String,
    kind: ChangeKind,
    services: Vec<String>,
    events: Events,
    over: Arc<AtomicBool>,
}

impl Told {
    fn new(name: &str, feed: &Feed, events: Events, over: Arc<AtomicBool>) -> Self {
        let kind = ChangeKind::from(feed.kind.as_str());
        Self { source: source(name, feed), kind, services: feed.services.clone(), events, over }
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// Tells of a key whose content is another; `None`: it was removed. Versions are the server's own.
    fn changed(&self, key: &str, before: Option<&Kept>, now: Option<&Kept>) -> Result<(), String> {
        let key = clean(key);
        let version = now.or(before).map(|k| k.version.clone()).unwrap_or_default();
        let removed = u8::from(now.is_none());
        self.events
            .add_changes(&[Change {
                id: format!("{key}@{version}/{removed}"),
                kind: self.kind.clone(),
                key,
                // These servers keep no time of a change: it is when we heard of it, a moment later.
                at_unix_ms: now_ms(),
                received_unix_ms: now_ms(),
                source: self.source.clone(),
                scope: Scope { services: self.services.clone(), ..Scope::default() },
                size_bytes: Some(now.map_or(0, |k| k.measured.bytes)),
                size_bytes_before: before.map(|k| k.measured.bytes),
                elements: now.and_then(|k| k.measured.elements),
                elements_before: before.and_then(|k| k.measured.elements),
                from: before.map(|k| k.version.clone()).unwrap_or_default(),
                to: now.map(|k| k.version.clone()).unwrap_or_default(),
                hash: now.map(|k| k.measured.hash.clone()).unwrap_or_default(),
                title: if now.is_none() { "a key was removed".into() } else { String::new() },
                ..Change::default()
            }])
            .map(drop)
    }
}

/// What is kept of a key.
#[derive(Clone, Debug, Default, PartialEq)]
struct Kept {
    measured: Measured,
    /// The server's own version of it.
    version: String,
}

/// Reads bytes as an answer of each kind of server.
pub(crate) fn read_answers(bytes: &[u8], piece: usize, salt: &Salt) {
    let (mut etcd, mut consul, mut apollo) =
        (etcd::Answer::new(salt), consul::Answer::new(salt), apollo::Answer::new(salt));
    let mut parts = bytes.chunks(piece);
    let _ = parts.clone().try_for_each(|p| etcd.push(p));
    let _ = parts.clone().try_for_each(|p| consul.push(p));
    let _ = parts.try_for_each(|p| apollo.push(p));
    let _ = etcd.finish();
    let _ = client::decoded(&String::from_utf8_lossy(bytes));
}

#[cfg(test)]
mod replay;
#[cfg(test)]
mod tests;
