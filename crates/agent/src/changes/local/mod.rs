//! What needs no feed: starts and ends of watched processes, their builds, limits and settings of the
//! collector, memory that climbs, names of their environment, executables that were replaced, mounted
//! ConfigMaps, collections that jump.
//!
//! Two threads. One ([`run`]) hears of starts and ends, asks the watch every few seconds what it knows, and
//! writes; it touches no process. The other ([`look`]) reads `/proc` and mounts, which may hang: what it does
//! not say in time is not known.

mod climb;
mod limit;
mod lives;
mod look;
mod mounts;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use lastgasp_incident::evidence::ChangeKind;
use lastgasp_recorder::daemon::status::{Status, TargetStatus};
use lastgasp_recorder::daemon::{Handle, LifeNotice};
use lastgasp_recorder::guard::{guarded, spawn_guarded};
use lastgasp_store::events::last_lives;

use super::events::{Events, now_ms};
use crate::config::Node;
use lives::Lives;
use look::{Looker, Subject};

const THREAD: &str = "lives";
/// How often the watch is asked.
const ASK: Duration = Duration::from_secs(5);
/// How often states of feeds are written.
const FEEDS: Duration = Duration::from_secs(30);
/// Name of the feed.
pub(crate) const SOURCE: &str = "watch";
/// Lives of earlier daemons that are looked at, by age.
const EARLIER_MS: i64 = 7 * 86_400_000;

/// Starts the threads; the first ends when nobody tells of lives any more.
pub(crate) fn start(
    notices: Receiver<LifeNotice>,
    handle: Handle,
    events: Events,
    store: &std::path::Path,
    node: &Node,
    wanted: Arc<AtomicBool>,
) -> std::io::Result<()> {
    let kinds = [ChangeKind::Release, ChangeKind::Limit, ChangeKind::Environment, ChangeKind::Unknown("census".into())];
    if wanted.load(Ordering::Relaxed) {
        events.expect(SOURCE, &kinds, false, "what is seen of watched processes on this node");
    }
    let mut lives = Lives::new(node, last_lives(store, now_ms().saturating_sub(EARLIER_MS)));
    let looker = Looker::start(events.salt().clone())?;
    spawn_guarded(THREAD, 512 << 10, move || {
        let mut asked = Instant::now();
        let mut flushed = Instant::now();
        loop {
            let wait = ASK.saturating_sub(asked.elapsed());
            let notice = match notices.recv_timeout(wait) {
                Ok(notice) => Some(notice),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let is_on = wanted.load(Ordering::Relaxed);
            // One that panics is one that is lost.
            let _ = guarded(THREAD, || {
                let Some(notice) = notice.filter(|_| is_on) else { return };
                lives.hear(notice, now_ms());
                write(&mut lives, &events);
            });
            if asked.elapsed() >= ASK {
                asked = Instant::now();
                let _ = guarded(THREAD, || {
                    if !is_on {
                        return;
                    }
                    if let Some(status) = handle.status() {
                        ask(&mut lives, &status, &looker);
                        write(&mut lives, &events);
                        events.heard(SOURCE);
                    }
                });
            }
            if flushed.elapsed() >= FEEDS {
                flushed = Instant::now();
                events.flush_feeds();
            }
        }
    })
    .map(drop)
}

fn ask(lives: &mut Lives, status: &Status, looker: &Looker) {
    let now = now_ms();
    for target in &status.targets {
        lives.update(target, now);
    }
    let by_pid: BTreeMap<i32, &TargetStatus> = status.targets.iter().map(|t| (t.pid, t)).collect();
    lives.missing(|pid, started| by_pid.get(&pid).is_some_and(|t| t.started_unix.cast_signed() * 1000 == started), now);
    for look in looker.looks() {
        lives.looked(look, now);
    }
    looker.look_at(lives.open().map(|(pid, started, service, instance)| Subject {
        pid,
        started_unix_ms: started,
        service: service.to_owned(),
        instance: instance.to_owned(),
    }));
}

fn write(lives: &mut Lives, events: &Events) {
    let (generations, changes) = lives.take();
    events.note_generations(&generations);
    if !changes.is_empty() {
        let _ = events.add_changes(&changes);
    }
}
