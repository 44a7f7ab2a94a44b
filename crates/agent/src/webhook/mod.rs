//! Webhooks: messages about captures, with the verdict in one sentence. A thread for each, so that one
//! that does not answer holds up neither the others nor the writing of captures.
//!
//! [`digest`] decides what is told when (one message for all that die together), [`incidents`] what the
//! incident is by all that the store has of it, and when that is clearer than what was told, [`message`] in
//! which words.

mod digest;
mod event;
mod incidents;
mod message;
mod verdict;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use lastgasp_recorder::guard::{Panicked, USUAL_STACK, guarded, spawn_vital};
use ureq::Agent;
use ureq::tls::{RootCerts, TlsConfig};

pub(crate) use event::{Event, event};

use crate::config::{Shape, Webhook};
use crate::self_stats::Counts;
use digest::{Digest, Notification};
use incidents::Stories;
pub(crate) use incidents::Verdicts;

/// Captures that may wait to be told of; beyond that they are not told of, and the log says so.
const QUEUE: usize = 1024;
/// Pauses between attempts to send one message, of which there are one more.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(5)];

const THREAD: &str = "webhook";
/// Pause before a thread that a panic has ended begins anew.
const AGAIN: Duration = Duration::from_millis(100);

/// Webhooks by name, each with a queue and a thread.
#[derive(Debug, Default)]
pub(crate) struct Webhooks {
    hooks: BTreeMap<String, Hook>,
    counts: Arc<Counts>,
    verdicts: Verdicts,
}

#[derive(Debug)]
struct Hook {
    rules: Webhook,
    queue: SyncSender<Event>,
    thread: JoinHandle<Result<(), Panicked>>,
}

impl Webhooks {
    /// Starts those that are configured.
    pub(crate) fn start(wanted: &BTreeMap<String, Webhook>, counts: Arc<Counts>, verdicts: Verdicts) -> Self {
        let mut webhooks = Self { hooks: BTreeMap::new(), counts, verdicts };
        webhooks.replace(wanted);
        webhooks
    }

    /// Starts and ends webhooks so that they are as configured; those that stay the same keep what they have
    /// to tell.
    pub(crate) fn replace(&mut self, wanted: &BTreeMap<String, Webhook>) {
        self.hooks.retain(|name, hook| wanted.get(name) == Some(&hook.rules));
        for (name, rules) in wanted {
            if self.hooks.contains_key(name) {
                continue;
            }
            let (queue, events) = sync_channel(QUEUE);
            let (counts, verdicts) = (Arc::clone(&self.counts), self.verdicts.clone());
            let hook = Telling { name: name.clone(), rules: rules.clone(), counts, verdicts };
            let thread = spawn_vital(THREAD, USUAL_STACK, move || hook.tell_all(&events, poster(&hook.rules)));
            match thread {
                Ok(thread) => {
                    self.hooks.insert(name.clone(), Hook { rules: rules.clone(), queue, thread });
                }
                Err(e) => tracing::error!(webhook = name, "no thread for it: {e}"),
            }
        }
    }

    /// Tells all of a capture; never waits.
    pub(crate) fn send(&self, event: &Event) {
        for (name, hook) in &self.hooks {
            if hook.queue.try_send(event.clone()).is_err() {
                self.counts.webhooks_failed.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(webhook = name, "too much to tell: a capture is not told of");
            }
        }
    }

    /// Tells what is still to be told, and ends.
    pub(crate) fn finish(self) {
        let threads: Vec<_> = self.hooks.into_values().map(|hook| hook.thread).collect();
        for thread in threads {
            let _ = thread.join();
        }
    }
}

/// One webhook, as its thread knows it.
#[derive(Debug)]
struct Telling {
    name: String,
    rules: Webhook,
    counts: Arc<Counts>,
    verdicts: Verdicts,
}

impl Telling {
    /// Runs the webhook's thread. Should a panic end it, what was to be told is lost, which is counted, and
    /// it begins anew.
    fn tell_all(&self, events: &Receiver<Event>, send: impl Fn(&Notification, &[Duration]) -> Result<(), String>) {
        let mut waiting = 0;
        while guarded(THREAD, || self.tell(events, &send, &mut waiting)).is_err() {
            self.counts.webhooks_failed.fetch_add(std::mem::take(&mut waiting), Ordering::Relaxed);
            std::thread::sleep(AGAIN);
        }
    }

    /// Tells until nobody will have more to tell; `waiting` are causes that are to be told of.
    fn tell(
        &self,
        events: &Receiver<Event>,
        send: &impl Fn(&Notification, &[Duration]) -> Result<(), String>,
        waiting: &mut u64,
    ) {
        let mut digest = Digest::new(self.rules.settle.0, self.rules.pause.0);
        let mut stories = Stories::default();
        loop {
            let next = digest.due().into_iter().chain(stories.due()).min();
            let wait = next.map_or(Duration::from_secs(3600), |at| at.saturating_duration_since(Instant::now()));
            let over = match events.recv_timeout(wait) {
                Ok(event) => {
                    stories.heard(&event, Instant::now());
                    digest.add(event, Instant::now());
                    false
                }
                Err(RecvTimeoutError::Timeout) => false,
                Err(RecvTimeoutError::Disconnected) => true,
            };
            let mut due = if over { digest.all() } else { digest.take(Instant::now()) };
            *waiting = digest.waiting() + due.len() as u64;
            for notification in due.iter_mut().filter(|n| n.killed > 0) {
                // Reading the store may not answer: what was found of the capture is told in any case.
                notification.incident = guarded(THREAD, || self.verdicts.of(&notification.latest)).ok().flatten();
                stories.told(notification, Instant::now());
            }
            if !over {
                let clearer = stories.clearer(Instant::now(), |event| self.verdicts.of(event));
                *waiting += clearer.len() as u64;
                due.extend(clearer);
            }
            for notification in due {
                // When we are about to end, one attempt must do.
                let pauses: &[Duration] = if over { &[] } else { &PAUSES };
                // A panic over one message costs that message.
                let sent = guarded(THREAD, || send(&notification, pauses));
                *waiting -= 1;
                match sent.map_err(|panicked| panicked.to_string()).flatten() {
                    Ok(()) => self.counts.webhooks_sent.fetch_add(1, Ordering::Relaxed),
                    Err(why) => {
                        tracing::error!(
                            webhook = self.name,
                            cause = notification.latest.cause,
                            event = "webhook-failed",
                            "not told: {why}"
                        );
                        self.counts.webhooks_failed.fetch_add(1, Ordering::Relaxed)
                    }
                };
            }
            if over {
                return;
            }
        }
    }
}

/// Sends messages as that webhook wants them.
fn poster(rules: &Webhook) -> impl Fn(&Notification, &[Duration]) -> Result<(), String> {
    let agent: Agent = Agent::config_builder()
        .timeout_global(Some(rules.timeout.0))
        .user_agent(concat!("lastgasp/", env!("CARGO_PKG_VERSION")))
        // The machine's own certificates: a company's may be among them.
        .tls_config(TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build())
        .build()
        .into();
    move |notification, pauses| {
        let body = match rules.shape {
            Shape::Generic => message::generic(notification),
            Shape::Slack => message::slack(notification),
        };
        post(&agent, rules, &body, pauses)
    }
}

fn post(agent: &Agent, rules: &Webhook, body: &str, pauses: &[Duration]) -> Result<(), String> {
    // Read each time: a secret that is rotated is a new file.
    let url = rules.address()?;
    let mut pauses = pauses.iter();
    loop {
        // The address may be a secret, and errors name it.
        let sent = agent.post(&url).content_type("application/json").send(body).map(drop);
        let Err(error) = sent else { return Ok(()) };
        let final_word = matches!(&error, ureq::Error::StatusCode(code) if (400..500).contains(code) && *code != 429 && *code != 408);
        match pauses.next() {
            Some(pause) if !final_word => std::thread::sleep(*pause),
            _ => return Err(error.to_string().replace(&url, "(address)")),
        }
    }
}

#[cfg(test)]
mod tests {
    use lastgasp_lab::hook::listen;

    use super::event::tests::{an_event, of_service};
    use super::*;
    use crate::config::Time;

    fn hooks(url: &str) -> (Webhooks, Arc<Counts>) {
        let ms = |n| Time(Duration::from_millis(n));
        let rules = Webhook { url: url.into(), settle: ms(200), timeout: ms(5000), ..Webhook::default() };
        let counts = Arc::new(Counts::default());
        (Webhooks::start(&[("a".to_owned(), rules)].into(), Arc::clone(&counts), Verdicts::default()), counts)
    }

    #[test]
    fn what_dies_together_is_told_together_and_again_if_nobody_answers() {
        let (url, bodies) = listen(&[503, 200]).unwrap();
        let (hooks, counts) = hooks(&url);
        for pid in 0..5 {
            hooks.send(&an_event("cause", pid, true));
        }
        let bodies: Vec<String> = bodies.iter().take(2).collect();
        assert_eq!(bodies[0], bodies[1], "the same once more");
        let said: serde_json::Value = serde_json::from_str(&bodies[0]).unwrap();
        assert_eq!((said["captures"].as_u64(), said["killed"].as_u64()), (Some(5), Some(5)));
        hooks.finish();
        assert_eq!(
            (counts.webhooks_sent.load(Ordering::Relaxed), counts.webhooks_failed.load(Ordering::Relaxed)),
            (1, 0)
        );
    }

    /// A panic costs one message; the next one is told.
    #[test]
    fn a_message_that_panics_is_counted_and_the_next_is_told() {
        let ms = |n| Time(Duration::from_millis(n));
        let rules = Webhook { url: "http://x".into(), settle: ms(1), ..Webhook::default() };
        let counts = Arc::new(Counts::default());
        let verdicts = Verdicts::default();
        let hook = Telling { name: "a".into(), rules, counts: Arc::clone(&counts), verdicts };
        let (queue, events) = sync_channel(QUEUE);
        for (pid, cause) in [(1, "good"), (2, "bad"), (3, "fine")] {
            // Each of a service of its own.
            queue.send(of_service(cause, an_event(cause, pid, true))).unwrap();
        }
        drop(queue);
        let told = std::sync::Mutex::new(Vec::new());
        hook.tell_all(&events, |notification, _| {
            assert_ne!(notification.latest.cause, "bad", "made to");
            told.lock().unwrap().push(notification.latest.cause.clone());
            Ok(())
        });
        assert_eq!(told.lock().unwrap().iter().filter(|c| *c == "good" || *c == "fine").count(), 2);
        assert_eq!(
            (counts.webhooks_sent.load(Ordering::Relaxed), counts.webhooks_failed.load(Ordering::Relaxed)),
            (2, 1)
        );
    }

    #[test]
    fn at_the_end_nothing_stays_untold() {
        let (url, bodies) = listen(&[200]).unwrap();
        let (hooks, _) = hooks(&url);
        hooks.send(&an_event("cause", 1, false));
        hooks.finish();
        assert!(bodies.recv_timeout(Duration::from_secs(5)).is_ok() && bodies.try_recv().is_err(), "one message");
    }

    #[test]
    fn nobody_there_is_counted_and_keeps_no_secret_in_the_log() {
        let (hooks, counts) = hooks("http://127.0.0.1:1/secret");
        hooks.send(&an_event("cause", 1, false));
        hooks.finish();
        assert_eq!(counts.webhooks_failed.load(Ordering::Relaxed), 1);
        let rules = Webhook { url: "http://127.0.0.1:1/secret".into(), ..Webhook::default() };
        let error = post(&Agent::new_with_defaults(), &rules, "{}", &[]).unwrap_err();
        assert!(!error.contains("secret"), "{error}");
    }
}
