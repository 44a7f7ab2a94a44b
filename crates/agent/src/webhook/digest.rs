//! Digest of many captures in few messages: pure. Of a matter (kills and dangers of one service, whatever was
//! found of each; leaks of one cause) one message tells after a moment of settling, with all that died
//! meanwhile; then it is silent for a while and counts. A kill after a message of a mere danger is news at
//! once. What is said of many kills is what was found of most of them.
//!
//! A process that dies is captured several times. It is told of once: what was found of it stands, though a
//! later capture of it finds nothing (nine seconds after a function was named, "nothing was found" was once
//! told), and what a later one finds is told instead of what still waits.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use lastgasp_store::Form;

use super::event::Event;
use super::verdict::Verdict;

/// Causes that are remembered at most; of more than that the one silent for longest is forgotten.
const MAX_CAUSES: usize = 256;
/// Causes of one matter of which an event is remembered.
const MAX_FOUND: usize = 32;
/// Victims of a cause that are counted apart at most.
const MAX_VICTIMS: usize = 10_000;

/// Message about the captures of one cause.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Notification {
    /// The capture that tells most: of a dead process rather than of one in danger, whole rather than light.
    pub(crate) latest: Event,
    /// Captures since the last message.
    pub(crate) captures: u64,
    /// Processes that they are of, and those of them that were killed.
    pub(crate) victims: usize,
    pub(crate) killed: usize,
    /// Whether it was told of before.
    pub(crate) again: bool,
    /// What the incident is, by all that is known of it.
    pub(crate) incident: Option<Verdict>,
    /// Whether it tells of what was told before, since its cause is clearer now.
    pub(crate) update: bool,
}

#[derive(Debug)]
struct Cause {
    /// What is to be told next.
    best: Option<Event>,
    /// Processes by what was found of them.
    votes: BTreeMap<String, u64>,
    /// The last event of each cause that was found.
    found: BTreeMap<String, Event>,
    captures: u64,
    victims: BTreeSet<(i32, u64)>,
    killed: BTreeSet<(i32, u64)>,
    due: Instant,
    told: Option<Instant>,
    told_of_kill: bool,
}

/// Captures that are to be told of or were, by cause.
#[derive(Debug)]
pub(crate) struct Digest {
    settle: Duration,
    pause: Duration,
    causes: BTreeMap<String, Cause>,
    /// Matter under which each victim was counted last, and the cause that was found of it; empty: none.
    cause_of: BTreeMap<(i32, u64), (String, String)>,
}

impl Digest {
    pub(crate) fn new(settle: Duration, pause: Duration) -> Self {
        Self { settle, pause, causes: BTreeMap::new(), cause_of: BTreeMap::new() }
    }

    /// Adds a capture.
    pub(crate) fn add(&mut self, event: Event, now: Instant) {
        let event = self.of_its_process(event);
        let matter = event.matter();
        let waiting = self.take_over(&event, &matter);
        if !self.causes.contains_key(&matter) && self.causes.len() >= MAX_CAUSES {
            let quiet = self.causes.iter().filter(|(_, c)| c.best.is_none()).min_by_key(|(_, c)| c.told);
            if let Some(name) = quiet.or(self.causes.iter().min_by_key(|(_, c)| c.due)).map(|(name, _)| name.clone()) {
                self.causes.remove(&name);
            }
        }
        let fresh = Cause {
            best: None,
            votes: BTreeMap::new(),
            found: BTreeMap::new(),
            captures: 0,
            victims: BTreeSet::new(),
            killed: BTreeSet::new(),
            due: now,
            told: None,
            told_of_kill: false,
        };
        let cause = self.causes.entry(matter.clone()).or_insert(fresh);
        // What was told of long ago is news.
        if cause.told.is_some_and(|told| now.duration_since(told) >= self.pause) && cause.best.is_none() {
            (cause.told, cause.told_of_kill) = (None, false);
            cause.votes.clear();
        }
        // More is known of what was told of already: whoever tells of incidents asks again by himself.
        if event.again && cause.told.is_some() && cause.best.is_none() {
            return;
        }
        let settled = now + self.settle;
        let news = event.killed && !cause.told_of_kill;
        if cause.best.is_none() {
            cause.due = cause.told.map_or(settled, |told| (told + self.pause).max(settled));
        }
        if news {
            cause.due = cause.due.min(settled);
        }
        cause.captures += u64::from(!event.again) + waiting;
        if cause.victims.len() < MAX_VICTIMS {
            cause.victims.insert(event.victim);
            if event.killed {
                cause.killed.insert(event.victim);
            }
        }
        if self.cause_of.len() >= MAX_VICTIMS {
            self.cause_of.pop_first();
        }
        let before =
            self.cause_of.remove(&event.victim).filter(|(m, _)| *m == matter).map(|(_, c)| c).unwrap_or_default();
        let of_it = if event.found { event.cause.clone() } else { before.clone() };
        if event.found && before != event.cause && cause.votes.len() < MAX_CAUSES {
            // A later capture of a process may say better what it is.
            if let Some(votes) = cause.votes.get_mut(&before) {
                *votes = votes.saturating_sub(1);
            }
            *cause.votes.entry(event.cause.clone()).or_default() += 1;
        }
        self.cause_of.insert(event.victim, (matter, of_it));
        if event.found && (cause.found.len() < MAX_FOUND || cause.found.contains_key(&event.cause)) {
            cause.found.insert(event.cause.clone(), event.clone());
        }
        let votes = |e: &Event| cause.votes.get(&e.cause).copied().unwrap_or(0);
        let rank = |e: &Event| (e.found, votes(e), e.killed, e.form == Form::Whole);
        let same = |best: &Event| event.again && event.victim == best.victim;
        let better = cause.best.as_ref().is_none_or(|best| same(best) || rank(&event) > rank(best));
        if better {
            cause.best = Some(event);
        }
    }

    /// A capture in which nothing was found, of a process of which something was: told as that one's.
    fn of_its_process(&self, event: Event) -> Event {
        let known = self.cause_of.get(&event.victim);
        let known = known.and_then(|(matter, cause)| self.causes.get(matter)?.found.get(cause));
        match known {
            Some(found) if !event.found => found.ended_by(&event),
            _ => event,
        }
    }

    /// Takes over what waits to be told of the same process alone under another cause; gives the number of
    /// captures.
    fn take_over(&mut self, event: &Event, matter: &str) -> u64 {
        let Some((name, _)) = self.cause_of.get(&event.victim).filter(|(name, _)| *name != matter) else { return 0 };
        let alone = |c: &Cause| c.best.is_some() && c.victims.len() == 1 && c.victims.contains(&event.victim);
        let Some(cause) = self.causes.get_mut(name).filter(|c| event.found && alone(c)) else { return 0 };
        cause.best = None;
        cause.victims.clear();
        cause.killed.clear();
        std::mem::take(&mut cause.captures)
    }

    /// Causes that are to be told of.
    pub(crate) fn waiting(&self) -> u64 {
        self.causes.values().filter(|c| c.best.is_some()).count() as u64
    }

    /// When the next message is due.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.causes.values().filter(|c| c.best.is_some()).map(|c| c.due).min()
    }

    /// Messages that are due.
    pub(crate) fn take(&mut self, now: Instant) -> Vec<Notification> {
        self.tell(now, |cause| cause.due <= now)
    }

    /// All messages that are left.
    pub(crate) fn all(&mut self) -> Vec<Notification> {
        self.tell(Instant::now(), |_| true)
    }

    fn tell(&mut self, now: Instant, due: impl Fn(&Cause) -> bool) -> Vec<Notification> {
        let mut told = Vec::new();
        for cause in self.causes.values_mut().filter(|c| due(c)) {
            let Some(latest) = cause.best.take() else { continue };
            told.push(Notification {
                latest,
                captures: std::mem::take(&mut cause.captures),
                victims: std::mem::take(&mut cause.victims).len(),
                killed: cause.killed.len(),
                again: cause.told.is_some(),
                incident: None,
                update: false,
            });
            cause.told_of_kill |= !std::mem::take(&mut cause.killed).is_empty();
            cause.told = Some(now);
        }
        told
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::event::tests::{an_event, nothing_found, of_service};
    use super::*;

    const S: Duration = Duration::from_secs(1);

    fn digest() -> Digest {
        Digest::new(3 * S, 600 * S)
    }

    #[test]
    fn one_message_for_all_that_die_together() {
        let (mut d, t) = (digest(), Instant::now());
        for pid in 0..50 {
            d.add(an_event("a", pid, false), t);
            d.add(an_event("a", pid, true), t + S);
        }
        d.add(of_service("zother", an_event("b", 99, true)), t + S);
        assert_eq!(d.due(), Some(t + 3 * S));
        assert!(d.take(t + 2 * S).is_empty());
        let told = d.take(t + 4 * S);
        let counts: Vec<_> =
            told.iter().map(|t| (t.latest.cause.as_str(), t.captures, t.victims, t.killed, t.again)).collect();
        assert_eq!(counts, [("a", 100, 50, 50, false), ("b", 1, 1, 1, false)]);
        assert!(told[0].latest.killed);
        assert_eq!(d.due(), None);
    }

    #[test]
    fn then_it_is_silent_and_counts() {
        let (mut d, t) = (digest(), Instant::now());
        d.add(an_event("a", 1, true), t);
        assert_eq!(d.take(t + 3 * S).len(), 1);
        for i in 0..20 {
            d.add(an_event("a", 2 + i, true), t + 10 * S);
        }
        assert_eq!(d.due(), Some(t + 603 * S));
        let told = d.take(t + 603 * S);
        assert_eq!((told[0].captures, told[0].victims, told[0].again), (20, 20, true));
        // Long afterwards it is news again.
        d.add(an_event("a", 50, true), t + 5000 * S);
        assert_eq!(d.due(), Some(t + 5003 * S));
        assert!(!d.take(t + 5003 * S)[0].again);
    }

    #[test]
    fn a_kill_after_a_danger_is_told_at_once() {
        let (mut d, t) = (digest(), Instant::now());
        d.add(an_event("a", 1, false), t);
        assert_eq!(d.take(t + 3 * S)[0].killed, 0);
        d.add(an_event("a", 1, false), t + 4 * S);
        assert_eq!(d.due(), Some(t + 603 * S));
        d.add(an_event("a", 1, true), t + 5 * S);
        assert_eq!(d.due(), Some(t + 8 * S));
    }

    /// A light capture after the kill may find nothing; the kill is told all the same, with what was found.
    #[test]
    fn a_later_capture_that_finds_nothing_takes_nothing_back() {
        let (mut d, t) = (digest(), Instant::now());
        d.add(an_event("a", 1, false), t);
        assert_eq!(d.take(t + 3 * S)[0].latest.sentence, "a grew");
        d.add(nothing_found(1, true), t + 9 * S);
        let told = d.take(t + 12 * S);
        assert_eq!(told.len(), 1);
        let n = &told[0];
        assert_eq!((n.latest.sentence.as_str(), n.latest.cause.as_str(), n.killed), ("a grew", "a", 1));
        assert_eq!((n.latest.killed, &n.latest.fields["phase"]), (true, &"post-kill".into()));
        // Another process of which nothing is known is another matter.
        d.add(of_service("other", nothing_found(2, true)), t + 9 * S);
        assert!(d.take(t + 12 * S)[0].latest.sentence.starts_with("nothing was found"));
    }

    /// Before it is told, a death is one message, whatever its captures say.
    #[test]
    fn what_a_later_capture_finds_is_told_instead() {
        let (mut d, t) = (digest(), Instant::now());
        d.add(nothing_found(1, false), t);
        d.add(an_event("a", 1, false), t + S / 10);
        d.add(an_event("b", 1, true), t + S / 5);
        let told = d.take(t + 10 * S);
        let said: Vec<_> = told.iter().map(|n| (n.latest.cause.as_str(), n.captures, n.killed)).collect();
        assert_eq!(said, [("b", 3, 1)]);
    }

    /// Kills of one service are one incident, told by what was found of most of them.
    #[test]
    fn kills_of_one_service_are_one_matter() {
        let (mut d, t) = (digest(), Instant::now());
        d.add(an_event("rare", 1, true), t);
        for pid in 2..6 {
            d.add(an_event("common", pid, true), t + S);
        }
        d.add(nothing_found(6, true), t + S);
        let told = d.take(t + 3 * S);
        assert_eq!(told.len(), 1);
        assert_eq!((told[0].latest.cause.as_str(), told[0].captures, told[0].killed), ("common", 6, 6));
        // Another cause of the same service is the same incident, and no second message.
        d.add(an_event("third", 7, true), t + 20 * S);
        assert!(d.take(t + 30 * S).is_empty() && d.due() == Some(t + 603 * S));
    }

    /// What was found of one process is not told of another of which nothing was.
    #[test]
    fn findings_stay_with_their_process() {
        let (mut d, t) = (digest(), Instant::now());
        d.add(nothing_found(2, false), t);
        d.add(an_event("a", 1, true), t);
        assert_eq!(d.take(t + 3 * S)[0].latest.victim.0, 1);
        d.add(nothing_found(2, true), t + 5 * S);
        let told = d.take(t + 603 * S);
        assert!(told[0].latest.sentence.starts_with("nothing was found"), "{told:?}");
    }

    /// A capture that is told of again, with the graph of its heap, is the same capture.
    #[test]
    fn the_same_capture_again_counts_once() {
        let (mut d, t) = (digest(), Instant::now());
        let again = |e: Event| Event { again: true, sentence: "a grew, held by a cache".into(), ..e };
        d.add(an_event("a", 1, true), t);
        d.add(again(an_event("a", 1, true)), t + S);
        let told = d.take(t + 3 * S);
        assert_eq!((told[0].captures, told[0].latest.sentence.as_str()), (1, "a grew, held by a cache"));
        d.add(again(an_event("a", 1, true)), t + 5 * S);
        assert_eq!(d.due(), None, "told already");
    }

    proptest! {
        /// Nothing is lost, nothing told twice, and what is remembered is bounded.
        #[test]
        fn every_capture_is_told_of_once(events in proptest::collection::vec((0u8..200, 0i32..50, any::<bool>(), 0u64..100), 0..300)) {
            let (mut d, mut t) = (digest(), Instant::now());
            let mut told = 0;
            for (cause, pid, killed, after) in &events {
                t += Duration::from_secs(*after);
                told += d.take(t).iter().map(|t| t.captures).sum::<u64>();
                d.add(an_event(&cause.to_string(), *pid, *killed), t);
                prop_assert!(d.causes.len() <= MAX_CAUSES);
            }
            told += d.all().iter().map(|t| t.captures).sum::<u64>();
            prop_assert_eq!(told, events.len() as u64);
            prop_assert_eq!(d.due(), None);
        }
    }
}
