//! Incidents, as messages tell of them: what the store has of all kills of a service is told as one verdict,
//! and told again when its cause is clearer.
//!
//! A verdict is asked for when a message of kills is due, and again some times after it: captures of the last
//! deaths, graphs of heaps and changes that somebody tells of late make it clearer.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use lastgasp_incident::evidence::{Evidence, Loader as _, Query};
use lastgasp_incident::{Incident, newest};
use lastgasp_recorder::guard::guarded;
use lastgasp_recorder::own_process::give_back_freed_memory;
use lastgasp_store::CaptureStore;
use lastgasp_store::events::{ReadLimits, read_at_most};
use serde_json::{Value, json};

use super::digest::Notification;
use super::event::Event;
use super::verdict::Verdict;
use crate::changes::events::now_ms;

/// How far back an incident is looked for, and the events before it.
const BACK_MS: i64 = 86_400_000;
const EVENTS_BACK_MS: i64 = 6 * 3_600_000;
/// And how much of them: this is the daemon, which must stay small.
const MOST_EVENTS: ReadLimits = ReadLimits { changes: 5_000, points: 200_000 };
/// When it is asked again, after a message.
const AGAIN: [Duration; 5] = [
    Duration::from_secs(10),
    Duration::from_secs(30),
    Duration::from_secs(60),
    Duration::from_secs(300),
    Duration::from_secs(900),
];
/// And after a capture of the same service, once those that come with it are there.
const AFTER_CAPTURE: Duration = Duration::from_secs(3);
/// Shortest time between two messages of one incident.
const APART: Duration = Duration::from_secs(8);
/// A verdict of the same cause is news when it is surer by so much.
const SURER: f64 = 0.15;
/// Below this a cause is no news.
const NAMED: f64 = 0.3;
/// Incidents that are remembered at most, and updates of each.
const MAX_STORIES: usize = 64;
const MAX_UPDATES: u8 = 6;

impl Verdict {
    fn of(incident: &Incident) -> Self {
        Self {
            service: incident.service.clone(),
            sentence: incident.sentence.clone(),
            confidence: incident.confidence,
            kind: incident.kind.name().to_owned(),
            key: incident.key.clone(),
            at: incident.at,
            kills: incident.kills,
            first: incident.between.0,
            act: incident.do_now.first().map(|act| act.act.clone()),
        }
    }

    /// As it stands in a message.
    pub(super) fn document(&self) -> Value {
        json!({
            "sentence": self.sentence,
            "confidence": (self.confidence * 100.0).round() / 100.0,
            "kind": self.kind,
            "key": self.key,
            "at_unix_ms": self.at,
            "kills": self.kills,
            "first_unix_ms": self.first,
            "do_now": self.act,
        })
    }
}

/// Who gives verdicts: a store, or nobody.
#[derive(Clone, Debug, Default)]
pub(crate) struct Verdicts(Option<PathBuf>);

impl Verdicts {
    /// By all that a store has.
    pub(crate) fn of_store(store: &Path) -> Self {
        Self(Some(store.to_owned()))
    }

    /// The newest incident of the service of an event; `None` where there is none, or nothing can be read.
    pub(super) fn of(&self, event: &Event) -> Option<Verdict> {
        let store = self.0.as_ref()?;
        let now = now_ms();
        let query = Query {
            service: Some(event.service.clone()),
            since_unix_ms: Some(now.saturating_sub(BACK_MS)),
            now_unix_ms: now,
        };
        let mut evidence = Evidence { now_unix_ms: now, ..Evidence::default() };
        CaptureStore(store.clone()).load(&query, &mut evidence).ok()?;
        let query = Query { since_unix_ms: Some(now.saturating_sub(EVENTS_BACK_MS)), ..query };
        read_at_most(store, &query, MOST_EVENTS, &mut evidence);
        let verdict = newest(evidence, Some(&event.service)).map(|(incident, _)| Verdict::of(&incident));
        give_back_freed_memory();
        verdict
    }
}

/// What was told of an incident.
#[derive(Debug)]
struct Story {
    /// The event that it was told by, to be told by again.
    by: Notification,
    told: Option<Verdict>,
    at: Instant,
    updates: u8,
    /// When it is asked again, soonest first.
    asks: Vec<Instant>,
}

/// Incidents that were told of, by service.
#[derive(Debug, Default)]
pub(super) struct Stories(BTreeMap<String, Story>);

impl Stories {
    /// A capture came: of a service that was told of, more may be known.
    pub(super) fn heard(&mut self, event: &Event, now: Instant) {
        if let Some(story) = self.0.get_mut(&event.service).filter(|_| event.killed) {
            let at = (now + AFTER_CAPTURE).max(story.at + APART);
            // One ask for all that come together.
            if !story.asks.iter().any(|a| *a >= now && *a <= at) {
                story.asks.push(at);
                story.asks.sort();
            }
        }
    }

    /// A message of kills is about to be sent.
    pub(super) fn told(&mut self, by: &Notification, now: Instant) {
        let service = by.latest.service.clone();
        if !self.0.contains_key(&service) && self.0.len() >= MAX_STORIES {
            let oldest = self.0.iter().min_by_key(|(_, s)| s.at).map(|(name, _)| name.clone());
            oldest.and_then(|name| self.0.remove(&name));
        }
        let asks = AGAIN.iter().map(|after| now + *after).collect();
        let story = Story { by: by.clone(), told: by.incident.clone(), at: now, updates: 0, asks };
        self.0.insert(service, story);
    }

    /// When one is to be asked again.
    pub(super) fn due(&self) -> Option<Instant> {
        self.0.values().filter_map(|s| s.asks.first().copied()).min()
    }

    /// Messages of those whose cause is clearer now.
    pub(super) fn clearer(&mut self, now: Instant, ask: impl Fn(&Event) -> Option<Verdict>) -> Vec<Notification> {
        let mut news = Vec::new();
        for story in self.0.values_mut() {
            if story.asks.first().is_none_or(|at| *at > now) {
                continue;
            }
            story.asks.retain(|at| *at > now);
            let verdict = guarded("webhook", || ask(&story.by.latest)).ok().flatten();
            let Some(verdict) = verdict.filter(|v| is_clearer(story.told.as_ref(), v)) else { continue };
            if story.updates >= MAX_UPDATES {
                continue;
            }
            story.updates += 1;
            story.at = now;
            story.told = Some(verdict.clone());
            let killed = usize::try_from(verdict.kills).unwrap_or(story.by.killed).max(story.by.killed);
            news.push(Notification {
                captures: 0,
                victims: killed.max(story.by.victims),
                killed,
                incident: Some(verdict),
                update: true,
                ..story.by.clone()
            });
        }
        news
    }
}

/// Whether a verdict says more than the one that was told: a cause where there was none, another one that is
/// surer, or the same with more confidence.
fn is_clearer(told: Option<&Verdict>, now: &Verdict) -> bool {
    if now.confidence < NAMED || now.kind == "unknown" {
        return false;
    }
    let Some(told) = told.filter(|t| t.kind != "unknown" && t.confidence >= NAMED) else { return true };
    let is_same = (&told.kind, &told.key) == (&now.kind, &now.key);
    // What was surer of another cause may have been wrong: that it is another now is news.
    if is_same { now.confidence >= told.confidence + SURER } else { now.confidence >= told.confidence - SURER }
}

#[cfg(test)]
mod tests {
    use super::super::event::tests::an_event;
    use super::*;

    const S: Duration = Duration::from_secs(1);

    fn verdict(kind: &str, confidence: f64) -> Verdict {
        Verdict { kind: kind.into(), confidence, kills: 9, ..Verdict::default() }
    }

    fn told(incident: Option<Verdict>) -> Notification {
        let latest = an_event("a", 1, true);
        Notification { latest, captures: 3, victims: 3, killed: 3, again: false, incident, update: false }
    }

    #[test]
    fn what_is_clearer_and_what_is_not() {
        let config = verdict("config", 0.6);
        assert!(is_clearer(None, &config) && is_clearer(Some(&verdict("unknown", 0.0)), &config));
        assert!(!is_clearer(None, &verdict("config", 0.2)) && !is_clearer(None, &verdict("unknown", 0.9)));
        assert!(
            !is_clearer(Some(&config), &verdict("config", 0.7)) && is_clearer(Some(&config), &verdict("config", 0.8))
        );
        assert!(
            is_clearer(Some(&config), &verdict("release", 0.55))
                && !is_clearer(Some(&config), &verdict("release", 0.4))
        );
        let other_key = Verdict { key: "ugctab".into(), ..config.clone() };
        assert!(is_clearer(Some(&config), &other_key));
    }

    #[test]
    fn an_incident_is_asked_again_and_told_when_it_is_clearer() {
        let (mut stories, t) = (Stories::default(), Instant::now());
        stories.told(&told(None), t);
        assert_eq!(stories.due(), Some(t + 10 * S));
        assert!(stories.clearer(t + 9 * S, |_| unreachable!("it is not due")).is_empty());
        assert!(stories.clearer(t + 10 * S, |_| None).is_empty());
        let news = stories.clearer(t + 30 * S, |_| Some(verdict("config", 0.9)));
        assert_eq!((news.len(), news[0].update, news[0].killed, news[0].captures), (1, true, 9, 0));
        assert!(stories.clearer(t + 60 * S, |_| Some(verdict("config", 0.9))).is_empty(), "once");
        // A capture of a later death: it is asked a moment after it.
        stories.heard(&an_event("a", 2, true), t + 70 * S);
        stories.heard(&an_event("a", 3, true), t + 71 * S);
        assert_eq!(stories.due(), Some(t + 73 * S));
        assert_eq!(stories.clearer(t + 73 * S, |_| Some(verdict("release", 0.9))).len(), 1);
        assert_eq!(stories.due(), Some(t + 300 * S));
        // In the end it is over.
        let _ = stories.clearer(t + 1000 * S, |_| None);
        assert_eq!(stories.due(), None);
    }

    #[test]
    fn what_is_remembered_is_bounded_and_a_panic_is_no_verdict() {
        let (mut stories, t) = (Stories::default(), Instant::now());
        for n in 0..200 {
            let mut one = told(None);
            one.latest.service = format!("s{n}");
            stories.told(&one, t + S * n);
        }
        assert_eq!((stories.0.len(), stories.0.contains_key("s199")), (MAX_STORIES, true));
        assert!(stories.clearer(t + 10_000 * S, |_| panic!("made to")).is_empty());
        assert!(Verdicts::default().of(&an_event("a", 1, true)).is_none());
        assert!(Verdicts::of_store(Path::new("/nonexistent")).of(&an_event("a", 1, true)).is_none());
    }
}
