//! Services of the daemon, put together: started with a configuration, given another one on SIGHUP,
//! asked for pages, and ended.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use lastgasp_recorder::daemon::status::Status;
use lastgasp_recorder::daemon::{Captured, Handle, LifeNotice};
use lastgasp_recorder::guard::spawn_guarded;
use lastgasp_store::Archive;

use crate::capture_writers::CaptureWriters;
use crate::changes::events::Events;
use crate::changes::inbox::Inbox;
use crate::changes::local;
use crate::changes::watchers::Watchers;
use crate::config::{self, Config, WatchFlags};
use crate::destination::Destination;
use crate::graph_limits::GraphLimits;
use crate::http::request::Head;
use crate::http::{self, Address, Answer, Site};
use crate::log::Level;
use crate::metrics::{self, Scrape};
use crate::metrics_in::Sources;
use crate::recent_captures::RecentCaptures;
use crate::self_stats::{Counts, SelfStats};
use crate::settings::{event_limits, graph_limits_of, rules, settings};
use crate::status::{self, Snapshot};
use crate::vital_threads::VitalThreads;
use crate::webhook::{Verdicts, Webhooks};

/// Pause between two attempts to listen on an address that is taken.
const BIND_AGAIN: Duration = Duration::from_secs(5);

/// Services around the watch: archive, webhooks, pages, log level, and the configuration that they follow.
#[derive(Debug)]
pub struct Services {
    flags: WatchFlags,
    handle: Handle,
    level: Level,
    archive: Arc<Archive>,
    recent: Arc<RecentCaptures>,
    webhooks: Arc<Mutex<Webhooks>>,
    graph_limits: GraphLimits,
    counts: Arc<Counts>,
    vital: VitalThreads,
    events: Events,
    inbox: Inbox,
    watchers: Mutex<Watchers>,
    local: Arc<AtomicBool>,
    sources: Mutex<Sources>,
    current: Mutex<Config>,
}

impl Services {
    /// Starts them; evidence comes through `captured`, starts and ends of watched processes through `lives`.
    ///
    /// # Errors
    /// No thread can be had.
    pub fn start(
        config: Config,
        flags: WatchFlags,
        level: Level,
        handle: Handle,
        captured: Receiver<Captured>,
        lives: Receiver<LifeNotice>,
    ) -> Result<(Arc<Self>, CaptureWriters)> {
        let archive = Arc::new(Archive::open(&config.store.path, rules(&config)));
        let counts = Arc::new(Counts::default());
        let verdicts = Verdicts::of_store(&config.store.path);
        let webhooks = Arc::new(Mutex::new(Webhooks::start(&config.webhook, Arc::clone(&counts), verdicts)));
        let graph_limits = GraphLimits::new(graph_limits_of(&config));
        let (recent, vital) = (Arc::new(RecentCaptures::default()), VitalThreads::default());
        let to = Destination {
            archive: Arc::clone(&archive),
            recent: Arc::clone(&recent),
            handle: handle.clone(),
            webhooks: Arc::clone(&webhooks),
            graph_limits: graph_limits.clone(),
            counts: Arc::clone(&counts),
        };
        let writers = CaptureWriters::start(captured, to, &vital)?;
        let listen = config.listen().map_err(anyhow::Error::msg)?;
        let events = Events::open(&config.store.path, event_limits(&config));
        let inbox = Inbox::new(events.clone(), config.changes.clone());
        let local = Arc::new(AtomicBool::new(config.changes.local));
        let store = &config.store.path;
        local::start(lives, handle.clone(), events.clone(), store, &config.node, Arc::clone(&local))?;
        let sources = Mutex::new(Sources::start(&config.metrics, events.clone()));
        let watchers = Mutex::new(Watchers::start(&config.feed, events.clone()));
        let current = Mutex::new(config);
        let all = Arc::new(Self {
            flags,
            handle,
            level,
            archive,
            recent,
            webhooks,
            graph_limits,
            counts,
            vital,
            events,
            inbox,
            watchers,
            local,
            sources,
            current,
        });
        if let Some(address) = listen {
            all.serve(address)?;
        }
        Ok((all, writers))
    }

    /// Serves the pages. Where the address is taken, watching goes on without them, and it is tried again: a
    /// daemon that was restarted may meet its predecessor's end.
    fn serve(self: &Arc<Self>, address: Address) -> io::Result<()> {
        let all = Arc::clone(self);
        let to = address.clone();
        let begin = move || http::serve(&to, Pages(Arc::clone(&all)));
        match begin() {
            Ok(bound) => say_where(&bound),
            Err(e) => {
                tracing::error!(%address, "/metrics, /healthz and /status cannot be served there ({e}): tried again until they can (http.listen names another address, or \"off\")");
                let again = move || {
                    loop {
                        std::thread::sleep(BIND_AGAIN);
                        if let Ok(bound) = begin() {
                            return say_where(&bound);
                        }
                    }
                };
                spawn_guarded("http-bind", 128 << 10, again)?;
            }
        }
        Ok(())
    }

    /// Reads the configuration again. A wrong one changes nothing.
    pub fn reload(&self) {
        let loaded = match config::load(&self.flags) {
            Ok(loaded) => loaded,
            Err(e) => {
                self.counts.reloads_failed.fetch_add(1, Ordering::Relaxed);
                return tracing::error!(event = "reload-refused", "the configuration stays as it was: {e:#}");
            }
        };
        let new = loaded.config;
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, changed) in [
            ("store.path", new.store.path != current.store.path),
            ("http.listen", new.http != current.http),
            ("node", new.node != current.node),
            ("log.format", new.log.format != current.log.format),
        ] {
            if changed {
                tracing::warn!(key, "takes a restart to change");
            }
        }
        let mut watch = settings(&new);
        // Its journal and its captures stand where they stand.
        watch.store.clone_from(&current.store.path);
        self.level.set(&new.log.level);
        self.archive.set_rules(rules(&new));
        self.graph_limits.set(graph_limits_of(&new));
        self.webhooks.lock().unwrap_or_else(PoisonError::into_inner).replace(&new.webhook);
        self.events.set_limits(event_limits(&new));
        self.inbox.set_rules(new.changes.clone());
        self.sources.lock().unwrap_or_else(PoisonError::into_inner).replace(&new.metrics);
        self.local.store(new.changes.local, Ordering::Relaxed);
        self.watchers.lock().unwrap_or_else(PoisonError::into_inner).replace(&new.feed);
        self.handle.reload(watch);
        *current = Config { store: config::Store { path: current.store.path.clone(), ..new.store.clone() }, ..new };
        tracing::info!(event = "reloaded", "the configuration was read again");
    }

    /// Ends them, after everything that was taken has been written and told.
    pub fn finish(&self, writers: CaptureWriters) {
        writers.finish();
        let webhooks = std::mem::take(&mut *self.webhooks.lock().unwrap_or_else(PoisonError::into_inner));
        webhooks.finish();
        self.events.flush_feeds();
    }

    fn page_of(&self, path: &str) -> Option<Answer> {
        let (status, kind, body) = match (path, self.handle.status()) {
            ("/metrics", Some(status)) => {
                let own = self.own();
                ("200 OK", http::PROMETHEUS, metrics::text(Scrape { status, own }))
            }
            ("/status", Some(status)) => ("200 OK", http::JSON, self.document(&status)),
            ("/healthz", Some(status)) => {
                let (status, body) = health(&status, &self.problems(&status));
                (status, http::PLAIN, body)
            }
            // It looks many times a second when it is well.
            ("/metrics" | "/healthz" | "/status", None) => {
                ("503 Service Unavailable", http::PLAIN, "the watch did not answer within a second\n".into())
            }
            _ => return None,
        };
        Some(Answer { status, kind, body })
    }

    fn own(&self) -> SelfStats {
        SelfStats { events: self.events.stats(), ..SelfStats::read(&self.counts, self.archive.size()) }
    }

    /// What is wrong, a sentence each.
    fn problems(&self, status: &Status) -> Vec<String> {
        self.vital.problems().into_iter().chain(status.problems.iter().cloned()).collect()
    }

    fn document(&self, status: &Status) -> String {
        let own = self.own();
        let (path, quota) = {
            let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
            (current.store.path.clone(), rules(&current).quota)
        };
        status::text(&Snapshot {
            status,
            own: &own,
            problems: &self.problems(status),
            captures: &self.recent.all(),
            store: (&path, quota.bytes, quota.captures),
        })
    }
}

/// What is served.
struct Pages(Arc<Services>);

impl Site for Pages {
    fn page(&self, path: &str) -> Option<Answer> {
        self.0.page_of(path)
    }

    fn may_post(&self, head: &Head) -> Result<usize, Answer> {
        self.0.inbox.may_post(head)
    }

    fn post(&self, head: &Head, body: &[u8]) -> Answer {
        self.0.inbox.post(head, body)
    }
}

/// Health in words: what is wrong, and how much is watched all the same.
fn health(status: &Status, problems: &[String]) -> (&'static str, String) {
    let pin = status.pin_window.as_ref().map_or("the pin has not been tried yet".into(), ToString::to_string);
    let (code, word) = if problems.is_empty() { ("200 OK", "ok") } else { ("503 Service Unavailable", "not well") };
    let problems: String = problems.iter().map(|p| format!("{p}\n")).collect();
    let watching = format!("watching {} Go processes, mode {}", status.targets.len(), status.mode);
    (code, format!("{word}\n{problems}{watching}\n{pin}\n"))
}

fn say_where(bound: &Address) {
    tracing::info!(address = %bound, event = "serving", "serving /metrics, /healthz and /status");
    if !bound.is_of_this_machine() {
        tracing::warn!(address = %bound, "metrics are served to whoever reaches this address, without a password");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn health_in_words() {
        let status = Status { mode: "freeze", ..Status::default() };
        let well = "ok\nwatching 0 Go processes, mode freeze\nthe pin has not been tried yet\n";
        assert_eq!(health(&status, &[]), ("200 OK", well.into()));
        let (code, body) = health(&status, &["a thread (x) has ended".into()]);
        assert!(
            code.starts_with("503 ") && body.starts_with("not well\na thread (x) has ended\nwatching 0 "),
            "{body}"
        );
    }
}
