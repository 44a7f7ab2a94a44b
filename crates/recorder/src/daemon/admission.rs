//! Admission: which processes come under watch. New ones are looked at by other threads ([`super::attach`]),
//! as often as they need until their runtime can be read; what is no Go program, or is not wanted, is
//! remembered and passed by.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use lastgasp_observe::target::discover::Depth;

use super::attach::{Attached, Attachers, Looked};
use super::attach_latency::AttachLatency;
use super::library_rescan::LibraryRescan;
use super::process_events::{News, ProcessEvents};

/// How long a process may take until its Go runtime can be read.
const MAX_START: Duration = Duration::from_secs(10);

/// Who could not be looked at for want of descriptors is looked at again after so long, for as long as it
/// takes.
const AGAIN: Duration = Duration::from_secs(2);

/// Who found the queue full comes again after so long.
const CROWDED: Duration = Duration::from_secs(1);

/// What is known of processes that are not watched.
#[derive(Debug)]
pub(crate) struct Admission {
    process_events: ProcessEvents,
    attachers: Attachers,
    /// Go processes whose runtime has not started, with when they are looked at next and when they were first
    /// seen.
    starting: BTreeMap<i32, (Instant, Instant)>,
    /// Those that are no Go programs, and may load a Go library yet.
    library_rescan: LibraryRescan,
    attach_latency: AttachLatency,
    /// Processes that are not watched, by number, with their start time: not to be looked at again at every
    /// scan.
    passed: BTreeMap<i32, u64>,
}

/// Whether what is known of numbers holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// It does: with events it is heard of who takes a number and becomes a program, and asking the kernel
    /// for the start of each process costs 30 microseconds.
    Certain,
    /// It may be of others that had the numbers before.
    Doubtful,
}

/// What a look at a process came to.
#[derive(Debug)]
pub(crate) enum Admitted {
    /// It is to be watched; with the time since its exec, as far as that is known.
    Watch(Box<Attached>, Option<Duration>),
    /// It is Go and cannot be read, which is said once.
    Refused {
        /// Its name.
        service: String,
        /// Why, with the cure.
        why: String,
    },
    /// This process is out of descriptors: it will be looked at again.
    PutOff,
    /// It is not watched, or will be looked at again.
    Nothing,
}

impl Admission {
    /// Nobody is known yet.
    pub(crate) fn new(process_events: ProcessEvents, attachers: Attachers) -> Self {
        Self {
            process_events,
            attachers,
            starting: BTreeMap::new(),
            library_rescan: LibraryRescan::default(),
            attach_latency: AttachLatency::new(),
            passed: BTreeMap::new(),
        }
    }

    /// Whether the kernel tells of new processes.
    pub(crate) fn has_events(&self) -> bool {
        self.process_events.has_events()
    }

    /// When to come back at the latest.
    pub(crate) fn due(&self) -> Instant {
        let starting = self.starting.values().map(|(at, _)| *at).min();
        let events = self.process_events.due();
        [starting, self.library_rescan.due()].into_iter().flatten().fold(events, Instant::min)
    }

    /// What has started since, or has become another program, or is a new process with a number that was used
    /// before: what was known of those is void.
    pub(crate) fn hear(&mut self) -> News {
        let news = self.process_events.news();
        for pid in &news.pids {
            self.passed.remove(pid);
            self.library_rescan.forget(*pid);
        }
        self.attach_latency.heard(news.execs.clone());
        news
    }

    /// Has a process looked at; later, where too many wait in front of it.
    pub(crate) fn look_at(&mut self, pid: i32, depth: Depth) {
        if !self.attachers.look_at(pid, depth) {
            let later = Instant::now() + CROWDED;
            self.starting.insert(pid, (later, later));
        }
    }

    /// Has a process looked at then, as one that is starting: more than once, if it must be.
    pub(crate) fn look_at_later(&mut self, pid: i32, at: Instant) {
        self.starting.insert(pid, (at, at));
    }

    /// Has those looked at whose time has come.
    pub(crate) fn look_at_due(&mut self, now: Instant) {
        for (pid, (at, _)) in self.starting.iter_mut().filter(|(_, (at, _))| *at <= now) {
            // Until the answer is there.
            *at = now + MAX_START;
            self.attachers.look_at(*pid, Depth::Libraries);
        }
        for pid in self.library_rescan.take_due(now) {
            self.attachers.look_at(pid, Depth::Libraries);
        }
    }

    /// Has everybody looked at who is not known yet.
    pub(crate) fn look_at_everybody(&mut self, known: Known, is_watched: impl Fn(i32) -> bool) {
        let pids = std::fs::read_dir("/proc")
            .map(|d| d.filter_map(|e| e.ok()?.file_name().to_str()?.parse::<i32>().ok()).collect::<BTreeSet<_>>());
        self.look_at_unknown(&pids.unwrap_or_default(), known, is_watched);
    }

    fn look_at_unknown(&mut self, pids: &BTreeSet<i32>, known: Known, is_watched: impl Fn(i32) -> bool) {
        self.passed.retain(|pid, _| pids.contains(pid));
        self.attach_latency.only(pids);
        for pid in pids {
            let is_known = is_watched(*pid)
                || self.starting.contains_key(pid)
                || self.library_rescan.knows(*pid)
                || self.passed.get(pid).is_some_and(|start| {
                    known == Known::Certain || lastgasp_inferior::start_time(*pid) == Some(*start)
                });
            if !is_known {
                self.look_at(*pid, Depth::Libraries);
            }
        }
    }

    /// What a look at `pid`, which is not watched, has shown.
    pub(crate) fn decide(&mut self, pid: i32, looked: Looked, now: Instant) -> Admitted {
        if !matches!(looked, Looked::Other(_)) {
            self.library_rescan.forget(pid);
        }
        let admitted = match looked {
            Looked::NotYet => {
                let (_, since) = *self.starting.get(&pid).unwrap_or(&(now, now));
                // Ever more rarely, and never later than by a quarter of the time that its start takes (from
                // a cold disk: some 50 ms).
                let pause = (now.duration_since(since) / 4).clamp(Duration::from_millis(1), Duration::from_millis(250));
                if now.duration_since(since) < MAX_START {
                    self.starting.insert(pid, (now + pause, since));
                } else {
                    self.starting.remove(&pid);
                    self.pass(pid);
                }
                return Admitted::Nothing;
            }
            Looked::Found(attached) => {
                let took = self.attach_latency.of(pid, attached.executable.start_time);
                Admitted::Watch(attached, took)
            }
            Looked::Refused { service, why } if self.pass(pid) => Admitted::Refused { service, why },
            Looked::Refused { .. } => Admitted::Nothing,
            Looked::Excluded => {
                self.pass(pid);
                Admitted::Nothing
            }
            Looked::Other(Depth::Executable) => {
                self.library_rescan.begin(pid, now);
                Admitted::Nothing
            }
            Looked::Other(Depth::Libraries) => {
                if !self.library_rescan.in_vain(pid) {
                    self.pass(pid);
                }
                Admitted::Nothing
            }
            Looked::OutOfDescriptors => {
                self.starting.insert(pid, (now + AGAIN, now));
                return Admitted::PutOff;
            }
            Looked::Later(at) => {
                self.starting.insert(pid, (at, at));
                return Admitted::Nothing;
            }
            Looked::NoProcess => {
                self.process_events.no_process(pid);
                Admitted::Nothing
            }
        };
        self.starting.remove(&pid);
        self.attach_latency.decided(pid);
        admitted
    }

    /// Not to be looked at again; gives whether that is new.
    pub(crate) fn pass(&mut self, pid: i32) -> bool {
        lastgasp_inferior::start_time(pid).is_some_and(|start| self.passed.insert(pid, start) != Some(start))
    }

    /// By another configuration: who is not watched is seen afresh.
    pub(crate) fn forget_passed(&mut self) {
        self.passed.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission() -> Admission {
        Admission::new(ProcessEvents::listen().0, Attachers::without_threads())
    }

    fn own() -> i32 {
        std::process::id() as i32
    }

    fn refused() -> Looked {
        Looked::Refused { service: "s".into(), why: "w".into() }
    }

    /// By a clock that is ours: looked at while it starts, at pauses that grow, one look at a time, and then
    /// no more.
    #[test]
    fn a_start_is_waited_for_and_not_for_ever() {
        let (mut a, began) = (admission(), Instant::now());
        let (mut now, mut pauses) = (began, Vec::new());
        loop {
            assert!(matches!(a.decide(own(), Looked::NotYet, now), Admitted::Nothing));
            let Some((at, _)) = a.starting.get(&own()).copied() else { break };
            pauses.push(at - now);
            a.look_at_due(at - Duration::from_micros(1));
            assert!(a.attachers.queued().is_empty(), "not before its time");
            now = at;
            a.look_at_due(now);
            assert_eq!(a.attachers.queued(), [(own(), Depth::Libraries)]);
            a.look_at_due(now + Duration::from_secs(1));
            assert!(a.attachers.queued().is_empty(), "the answer is not there yet");
        }
        assert!(pauses.is_sorted() && pauses[0] == Duration::from_millis(1));
        assert_eq!(pauses.last(), Some(&Duration::from_millis(250)));
        let took = now - began;
        assert!(took >= MAX_START && took <= MAX_START + Duration::from_millis(250), "{took:?}");
        a.look_at_unknown(&BTreeSet::from([own()]), Known::Doubtful, |_| false);
        assert!(a.attachers.queued().is_empty(), "it was passed by");
    }

    #[test]
    fn who_is_known_is_not_asked_for_again() {
        let (mut a, now) = (admission(), Instant::now());
        let all = BTreeSet::from([1, own()]);
        a.look_at_unknown(&all, Known::Certain, |pid| pid == 1);
        assert_eq!(a.attachers.queued(), [(own(), Depth::Libraries)]);
        a.decide(own(), Looked::Excluded, now);
        a.look_at_unknown(&all, Known::Doubtful, |pid| pid == 1);
        assert!(a.attachers.queued().is_empty());
        // Another process has its number now.
        a.passed.insert(own(), 1);
        a.look_at_unknown(&all, Known::Certain, |pid| pid == 1);
        assert!(a.attachers.queued().is_empty(), "with events that would have been heard of");
        a.look_at_unknown(&all, Known::Doubtful, |pid| pid == 1);
        assert_eq!(a.attachers.queued(), [(own(), Depth::Libraries)]);
        a.decide(own(), Looked::Excluded, now);
        a.forget_passed();
        a.look_at_unknown(&all, Known::Doubtful, |pid| pid == 1);
        assert_eq!(a.attachers.queued().len(), 1, "another configuration");
    }

    /// Whose worker has panicked, after the pause.
    #[test]
    fn who_is_looked_at_later_is_looked_at_once() {
        let (mut a, now) = (admission(), Instant::now());
        a.look_at_later(own(), now + Duration::from_millis(500));
        assert!(a.due() <= now + Duration::from_millis(500));
        a.look_at_unknown(&BTreeSet::from([own()]), Known::Doubtful, |_| false);
        a.look_at_due(now);
        assert!(a.attachers.queued().is_empty(), "not before its time, by a scan neither");
        a.look_at_due(now + Duration::from_millis(500));
        assert_eq!(a.attachers.queued(), [(own(), Depth::Libraries)]);
        a.decide(own(), refused(), now);
        assert!(a.starting.is_empty());
    }

    /// What could not be opened is not "no Go program": it is looked at until it can be.
    #[test]
    fn who_cannot_be_opened_is_looked_at_again() {
        let (mut a, mut now) = (admission(), Instant::now());
        for _ in 0..100 {
            assert!(matches!(a.decide(own(), Looked::OutOfDescriptors, now), Admitted::PutOff));
            a.look_at_due(now);
            assert!(a.attachers.queued().is_empty(), "not at once");
            now += AGAIN;
            a.look_at_due(now);
            assert_eq!(a.attachers.queued(), [(own(), Depth::Libraries)]);
        }
        assert!(a.passed.is_empty() && !a.library_rescan.knows(own()));
    }

    #[test]
    fn a_refusal_is_said_once() {
        let (mut a, now) = (admission(), Instant::now());
        assert!(matches!(a.decide(own(), refused(), now), Admitted::Refused { .. }));
        assert!(matches!(a.decide(own(), refused(), now), Admitted::Nothing));
        assert!(matches!(a.decide(i32::MAX, refused(), now), Admitted::Nothing), "it is gone");
    }

    /// What is no Go program is looked at three times more, for libraries, and then passed by.
    #[test]
    fn libraries_are_looked_for() {
        let (mut a, now) = (admission(), Instant::now());
        a.decide(own(), Looked::Other(Depth::Executable), now);
        for seconds in [1, 10, 60] {
            assert!(a.passed.is_empty());
            a.look_at_due(now + Duration::from_secs(seconds));
            assert_eq!(a.attachers.queued(), [(own(), Depth::Libraries)]);
            a.decide(own(), Looked::Other(Depth::Libraries), now + Duration::from_secs(seconds));
        }
        assert!(a.passed.contains_key(&own()) && !a.library_rescan.knows(own()));
    }
}
