//! The quick census of a target: which collections are known, and how many elements each had at calmer times.
//! Of a collection that does not change one number is kept, whatever the number of looks.

use std::time::{Duration, Instant};

use lastgasp_goruntime::quick_census::{FindLimits, Finder, KnownWays, QuickReading, Way};
use lastgasp_goruntime::{Runtime, Symbolizer};
use lastgasp_inferior::{BlockCache, Memory};
use nix::time::ClockId;
use rustc_hash::{FxHashMap, FxHashSet};

/// Most looks that are kept.
pub const MAX_CENSUS_LOOKS: usize = 24;
/// Most collections of a target that are known.
pub const MAX_COLLECTIONS: usize = 1000;
/// What a look says of a collection to which no way leads just then.
const UNKNOWN: u64 = u64::MAX;
/// Time from the end of one search for new collections to the next: each is twice the one before, and from a
/// minute on four times. A process loads most of what it will ever hold in its first seconds, and what is not
/// known by then has no number to be held against when it jumps. (Seen in the lab: a configuration that was
/// loaded a second after the first search jumped nine seconds later, and nobody knew that it had been small.)
const FIRST_REST: Duration = Duration::from_secs(2);
const LONGEST_REST: Duration = Duration::from_secs(3600);
/// So long a search may take at once where the ones before it were as frequent as that.
const EARLY_SEARCH: Duration = Duration::from_millis(10);

/// The rest after one more search.
fn next_rest(rest: Duration) -> Duration {
    let times = if rest < Duration::from_secs(60) { 2 } else { 4 };
    (rest * times).clamp(FIRST_REST, LONGEST_REST)
}

/// A collection, and how many elements it had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownCollection {
    /// The way to it.
    pub way: Way,
    /// When the number of elements was another than at the look before, and which; by time.
    changes: Vec<(u64, u64)>,
    /// The look at the capture, if the way led to it.
    pub now: Option<QuickReading>,
}

impl KnownCollection {
    /// One with these numbers: milliseconds, elements.
    #[must_use]
    pub fn new(way: Way, changes: Vec<(u64, u64)>, now: Option<QuickReading>) -> Self {
        Self { way, changes, now }
    }

    /// See [`KnownCollection::new`].
    #[must_use]
    pub fn changes(&self) -> &[(u64, u64)] {
        &self.changes
    }

    fn note(&mut self, t_ms: u64, elements: u64) {
        if self.changes.last().is_none_or(|(_, last)| *last != elements) {
            self.changes.push((t_ms, elements));
        }
    }

    /// A look is forgotten: what was new at it is new at the next one.
    fn forget(&mut self, t_ms: u64, next: u64) {
        let Ok(i) = self.changes.binary_search_by_key(&t_ms, |(t, _)| *t) else { return };
        match self.changes.get(i + 1) {
            Some((t, _)) if *t <= next => {
                self.changes.remove(i);
            }
            _ => {
                if let Some(change) = self.changes.get_mut(i) {
                    change.0 = next;
                }
            }
        }
        self.changes.dedup_by_key(|(_, elements)| *elements);
    }
}

/// Collections of a target at calmer times ("the flight ring" to people): plain data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CensusHistory {
    /// When the looks were, on the timeline's clock, oldest first.
    pub times: Vec<u64>,
    /// What they were at.
    pub collections: Vec<KnownCollection>,
    /// When it was looked for the capture, on the same clock.
    pub t_ms: u64,
}

impl CensusHistory {
    /// Elements of a collection at each look at it, oldest first.
    pub fn looks<'a>(&'a self, collection: &'a KnownCollection) -> impl Iterator<Item = (u64, u64)> + 'a {
        let mut changes = collection.changes.iter().peekable();
        let mut now = UNKNOWN;
        self.times.iter().filter_map(move |t| {
            while let Some((_, elements)) = changes.next_if(|(at, _)| at <= t) {
                now = *elements;
            }
            (now != UNKNOWN).then_some((*t, now))
        })
    }

    fn note(&mut self, t_ms: u64, look: &[Option<QuickReading>]) {
        self.times.push(t_ms);
        for (c, reading) in self.collections.iter_mut().zip(look) {
            c.note(t_ms, reading.map_or(UNKNOWN, |r| r.elements));
        }
        while self.times.len() > MAX_CENSUS_LOOKS {
            let last = self.times.last().copied().unwrap_or(0);
            // As baselines are thinned: the one whose neighbours are closest, in proportion to its age.
            let loss = |w: &[u64]| match w {
                [a, b, c] => c.saturating_sub(*a) as f64 / (last.saturating_sub(*b) + 1) as f64,
                _ => f64::MAX,
            };
            let least = self.times.windows(3).enumerate().min_by(|a, b| loss(a.1).total_cmp(&loss(b.1)));
            let Some(i) = least.map(|(i, _)| i + 1) else { break };
            let gone = self.times.remove(i);
            let Some(next) = self.times.get(i).copied() else { break };
            self.collections.iter_mut().for_each(|c| c.forget(gone, next));
        }
    }

    /// Bytes that it takes, about.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let one =
            |c: &KnownCollection| size_of::<KnownCollection>() + c.changes.capacity() * 16 + c.way.hops.capacity() * 16;
        self.times.len() * 8 + self.collections.iter().map(one).sum::<usize>()
    }
}

/// The quick census of a target that lives.
#[derive(Debug, Default)]
pub struct QuickCensus {
    history: CensusHistory,
    known: KnownWays,
    search: Option<Finder>,
    /// When the next search begins; none yet: at once.
    due: Option<Instant>,
    rest: Duration,
    is_off: bool,
}

impl QuickCensus {
    /// Switches it on, as it is at first, or off: then it knows nothing and reads nothing.
    pub fn switch(&mut self, on: bool) {
        if self.is_off == on {
            *self = Self { is_off: !on, ..Self::default() };
        }
    }

    /// Looks at all that is known, and searches on for what is not, when it is time for that, for about as
    /// long as `most` of processor time. Nothing is stopped. A look that `left_off` says is not whole is
    /// none, and a search that it was part of begins anew.
    pub fn keep_up(&mut self, rt: &Runtime, mem: &dyn Memory, t_ms: u64, most: Duration, left_off: impl Fn() -> bool) {
        if self.is_off {
            return;
        }
        let now = Instant::now();
        if self.search.is_none() && self.due.is_none_or(|due| due <= now) {
            self.search = Some(Finder::new(FindLimits { collections: MAX_COLLECTIONS, ..FindLimits::default() }));
        }
        let most = if self.rest < Duration::from_secs(30) { most.max(EARLY_SEARCH) } else { most };
        if let Some(search) = &mut self.search {
            let began = own_processor_time();
            let constants = BlockCache::new(mem);
            let symbols = Symbolizer::new(&constants, &rt.module, rt.layout);
            let mut more = true;
            while more && !left_off() && own_processor_time().saturating_sub(began) < most {
                more = search.step(rt, mem, &symbols);
            }
            let found = search.ways();
            if left_off() {
                self.search = None;
                return;
            }
            if more {
                self.merge(found, None);
            } else {
                self.search = None;
                self.rest = next_rest(self.rest);
                self.due = Some(now + self.rest);
                let look = self.known.look(rt, mem);
                if left_off() {
                    self.due = Some(now);
                    return;
                }
                self.merge(found, Some(&look));
            }
        }
        let look = self.known.look(rt, mem);
        if !left_off() {
            self.history.note(t_ms, &look);
        }
    }

    /// Adds what was found. With a look, which a search that is at its end has, those go that it has not
    /// found and to which no way leads any more.
    fn merge(&mut self, found: Vec<Way>, look: Option<&[Option<QuickReading>]>) {
        let old = std::mem::take(&mut self.history.collections);
        let all_new = |known: &FxHashSet<&Way>| found.iter().all(|w| known.contains(w));
        if look.is_none() && all_new(&old.iter().map(|c| &c.way).collect()) {
            self.history.collections = old;
            return;
        }
        let alive = |i: usize| look.is_none_or(|l| l.get(i).is_some_and(Option::is_some));
        let mut left: FxHashMap<Way, (usize, Vec<(u64, u64)>)> =
            old.into_iter().enumerate().map(|(i, c)| (c.way, (i, c.changes))).collect();
        let mut all: Vec<KnownCollection> = Vec::new();
        for way in found {
            let changes = left.remove(&way).map(|(_, changes)| changes).unwrap_or_default();
            all.push(KnownCollection { way, changes, now: None });
        }
        let mut others: Vec<_> = left.into_iter().filter(|(_, (i, _))| alive(*i)).collect();
        others.sort_by_key(|(_, (i, _))| *i);
        all.extend(others.into_iter().map(|(way, (_, changes))| KnownCollection { way, changes, now: None }));
        all.truncate(MAX_COLLECTIONS);
        self.known = KnownWays::new(all.iter().map(|c| &c.way));
        self.history.collections = all;
    }

    /// What is known, with a look at this moment: of a target that lives, or of a dead one whose memory is
    /// held.
    #[must_use]
    pub fn at_the_capture(&self, rt: &Runtime, mem: &dyn Memory, t_ms: u64) -> CensusHistory {
        let mut history = CensusHistory { t_ms, ..self.history.clone() };
        for (c, reading) in history.collections.iter_mut().zip(self.known.look(rt, mem)) {
            c.now = reading;
        }
        history
    }

    /// What is known, without a look.
    #[must_use]
    pub fn history(&self) -> &CensusHistory {
        &self.history
    }
}

/// What the calling thread has worked.
fn own_processor_time() -> Duration {
    ClockId::CLOCK_THREAD_CPUTIME_ID.now().map_or(Duration::ZERO, Duration::from)
}

#[cfg(test)]
mod tests {
    use lastgasp_goruntime::collections::HeaderKind;
    use lastgasp_goruntime::quick_census::Anchor;
    use lastgasp_inferior::Addr;

    use super::*;

    fn collection() -> KnownCollection {
        let way = Way { anchor: Anchor::Variable(Addr(0x1000)), hops: Vec::new(), kind: HeaderKind::Slice };
        KnownCollection::new(way, Vec::new(), None)
    }

    fn reading(elements: u64) -> Option<QuickReading> {
        Some(QuickReading { elements, ..QuickReading::default() })
    }

    #[test]
    fn what_stays_costs_one_number_and_every_look_comes_back() {
        let mut h = CensusHistory { collections: vec![collection(), collection()], ..CensusHistory::default() };
        let of = |t: u64| if t < 400_000 { 312 } else { 230_000 };
        let breathes = |t: u64| (t / 5000 % 7) * 10;
        for i in 0..200u64 {
            let t = i * 5000;
            let second = if i == 100 { None } else { reading(breathes(t)) };
            h.note(t, &[reading(of(t)), second]);
        }
        assert!(h.times.len() <= MAX_CENSUS_LOOKS);
        assert_eq!((h.times[0], h.times.last().copied()), (0, Some(199 * 5000)));
        assert_eq!(h.collections[0].changes.len(), 2);
        let looks: Vec<_> = h.looks(&h.collections[0]).collect();
        assert!(looks.len() == h.times.len() && looks.iter().all(|(t, n)| *n == of(*t)), "{looks:?}");
        let looks: Vec<_> = h.looks(&h.collections[1]).collect();
        assert!(looks.iter().all(|(t, n)| *n == breathes(*t)), "{looks:?}");
        assert!(h.collections[1].changes.len() <= MAX_CENSUS_LOOKS);
    }

    #[test]
    fn what_is_switched_off_is_forgotten() {
        let mut census = QuickCensus::default();
        census.history.collections.push(collection());
        census.switch(true);
        assert_eq!(census.history().collections.len(), 1);
        census.switch(false);
        assert!(census.is_off && census.history().collections.is_empty());
        census.switch(true);
        assert!(!census.is_off);
    }

    /// A search that is at its end keeps what was known and is still there, with its numbers; another way is
    /// new.
    #[test]
    fn what_was_known_keeps_its_numbers() {
        let way = |at: u64| Way { anchor: Anchor::Variable(Addr(at)), hops: Vec::new(), kind: HeaderKind::Slice };
        let known = |at: u64| KnownCollection::new(way(at), vec![(0, at)], None);
        let mut census = QuickCensus::default();
        census.history.collections = vec![known(1), known(2), known(3)];
        census.merge(vec![way(4), way(2)], Some(&[reading(1), reading(2), None]));
        let all: Vec<_> = census.history.collections.iter().map(|c| (c.way.clone(), c.changes.len())).collect();
        assert_eq!(all, [(way(4), 0), (way(2), 1), (way(1), 1)]);
        assert_eq!(census.known.len(), 3);
    }
}
