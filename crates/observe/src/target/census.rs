//! The quick census of a target: which collections are known, and how many elements each had at calmer times.
//! Of a collection that does not change one number is kept, whatever the number of looks.

use std::sync::Arc;
use std::time::{Duration, Instant};

use lastgasp_goruntime::quick_census::{FindLimits, Finder, KnownWays, QuickReading, Way};
use lastgasp_goruntime::{Runtime, Symbolizer};
use lastgasp_inferior::{BlockCache, Memory};
use nix::time::ClockId;
use rustc_hash::{FxHashMap, FxHashSet};

use super::wanted_constants::WantedConstants;

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
/// So long a collection is known to which no way leads, in milliseconds. A goroutine that publishes a new
/// configuration runs, and waits below its old call again only when that is done: on a busy machine seconds
/// later. (Seen: a search that ended just then forgot the collection with all its numbers, and the capture of
/// the death that followed did not know that it had jumped.)
const UNSEEN_MS: u64 = 60_000;
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

    /// Whether it is worth to be known on, where no way leads to it now.
    fn may_come_back(&self, now_ms: u64) -> bool {
        match self.changes.last() {
            Some((since, UNKNOWN)) => now_ms.saturating_sub(*since) < UNSEEN_MS,
            Some(_) => true,
            // It was never seen.
            None => false,
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
    stillness: Stillness,
    is_off: bool,
    /// What processes of its binary are asked for.
    constants: Arc<WantedConstants>,
}

/// Searches of a process that allocates nothing. A search finds what was made since the last one; of an idle
/// process each found the same again, which was half of what a light sample of it cost.
#[derive(Clone, Copy, Debug, Default)]
struct Stillness {
    /// Bytes that the process had ever allocated when the last search began, and when that was.
    at: Option<(u64, Instant)>,
    /// Searches that began with so many and came to their end.
    searches: u32,
}

impl Stillness {
    /// Searches without an allocation between them before there are no more: what a goroutine that ran was
    /// about to publish the second one finds.
    const ENOUGH: u32 = 2;
    /// No longer than this, all the same: the gauge is behind by a span for each P.
    const MOST: Duration = Duration::from_secs(600);

    /// Whether a search may find something new.
    fn wants_a_search(&self, allocated: Option<u64>, now: Instant) -> bool {
        let Some((at, then)) = self.at else { return true };
        allocated != Some(at) || self.searches < Self::ENOUGH || now.saturating_duration_since(then) >= Self::MOST
    }

    /// A search begins.
    fn begins(&mut self, allocated: Option<u64>, now: Instant) {
        if allocated != self.at.map(|(at, _)| at) {
            self.searches = 0;
        }
        self.at = allocated.map(|allocated| (allocated, now));
    }
}

impl QuickCensus {
    /// Switches it on, as it is at first, or off: then it knows nothing and reads nothing.
    pub fn switch(&mut self, on: bool) {
        if self.is_off == on {
            *self = Self { is_off: !on, constants: Arc::clone(&self.constants), ..Self::default() };
        }
    }

    /// What is asked for of the binary's constants is learned from other processes of it too.
    pub fn shares(&mut self, constants: Arc<WantedConstants>) {
        self.constants = constants;
    }

    /// Looks at all that is known, and searches on for what is not, when it is time for that, for about as
    /// long as `most` of processor time. Nothing is stopped. A look that `left_off` says is not whole is
    /// none, and a search that it was part of begins anew. `allocated`: bytes that the process has ever
    /// allocated, where that is known.
    pub fn keep_up(
        &mut self,
        rt: &Runtime,
        mem: &dyn Memory,
        (t_ms, allocated): (u64, Option<u64>),
        most: Duration,
        left_off: impl Fn() -> bool,
    ) {
        if self.is_off {
            return;
        }
        let now = Instant::now();
        let is_due = self.search.is_none() && self.due.is_none_or(|due| due <= now);
        if is_due && self.stillness.wants_a_search(allocated, now) {
            self.stillness.begins(allocated, now);
            self.search = Some(Finder::new(FindLimits { collections: MAX_COLLECTIONS, ..FindLimits::default() }));
        }
        let most = if self.rest < Duration::from_secs(30) { most.max(EARLY_SEARCH) } else { most };
        if let Some(search) = &mut self.search {
            let began = own_processor_time();
            let constants = BlockCache::new(mem);
            let symbols = Symbolizer::new(&constants, &rt.module, rt.layout);
            let code = rt.module.pcs.start;
            if search.reads_constants() {
                constants.read_ahead(&self.constants.in_process(code));
            }
            let mut more = true;
            while more && !left_off() && own_processor_time().saturating_sub(began) < most {
                more = search.step(rt, mem, &symbols);
            }
            let found = search.ways();
            if left_off() {
                self.search = None;
                return;
            }
            self.constants.note(code, &constants.wanted());
            if more {
                self.merge(found, None, t_ms);
            } else {
                self.search = None;
                self.stillness.searches += 1;
                self.rest = next_rest(self.rest);
                self.due = Some(now + self.rest);
                let look = self.known.look(rt, mem);
                if left_off() {
                    self.due = Some(now);
                    return;
                }
                self.merge(found, Some(&look), t_ms);
            }
        }
        let look = self.known.look(rt, mem);
        if !left_off() {
            self.history.note(t_ms, &look);
        }
    }

    /// Adds what was found. With a look, which a search that is at its end has, those go that it has not
    /// found and to which no way has led for a while. Where there are too many, those to which none leads now
    /// go first.
    fn merge(&mut self, found: Vec<Way>, look: Option<&[Option<QuickReading>]>, now_ms: u64) {
        let old = std::mem::take(&mut self.history.collections);
        let all_new = |known: &FxHashSet<&Way>| found.iter().all(|w| known.contains(w));
        if look.is_none() && all_new(&old.iter().map(|c| &c.way).collect()) {
            self.history.collections = old;
            return;
        }
        let leads = |i: usize| look.is_none_or(|l| l.get(i).is_some_and(Option::is_some));
        let mut left: FxHashMap<Way, (usize, KnownCollection)> =
            old.into_iter().enumerate().map(|(i, c)| (c.way.clone(), (i, c))).collect();
        let mut all: Vec<KnownCollection> = Vec::new();
        for way in found {
            let changes = left.remove(&way).map(|(_, c)| c.changes).unwrap_or_default();
            all.push(KnownCollection { way, changes, now: None });
        }
        let mut others: Vec<(bool, usize, KnownCollection)> = left
            .into_values()
            .map(|(i, c)| (!leads(i), i, c))
            .filter(|(lost, _, c)| !lost || c.may_come_back(now_ms))
            .collect();
        others.sort_by_key(|(lost, i, _)| (*lost, *i));
        all.extend(others.into_iter().map(|(.., c)| c));
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

    /// Two searches of a process that allocates nothing, and then none for minutes; one that allocates is
    /// searched whenever that is due.
    #[test]
    fn who_allocates_nothing_is_not_searched_again_and_again() {
        let (mut still, mut now, mut searches) = (Stillness::default(), Instant::now(), Vec::new());
        let mut visit = |allocated: Option<u64>, times: u32| {
            let mut n = 0;
            for _ in 0..times {
                now += Duration::from_secs(5);
                if still.wants_a_search(allocated, now) {
                    still.begins(allocated, now);
                    still.searches += 1;
                    n += 1;
                }
            }
            searches.push(n);
        };
        visit(Some(1000), 100);
        visit(Some(1008), 100);
        // Since its last search.
        visit(Some(1008), 120);
        visit(None, 10);
        visit(Some(2000), 1);
        visit(Some(3000), 1);
        assert_eq!(searches, [2, 2, 1, 10, 1, 1]);
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

    fn known(at: u64, changes: Vec<(u64, u64)>) -> KnownCollection {
        let way = Way { anchor: Anchor::Variable(Addr(at)), hops: Vec::new(), kind: HeaderKind::Slice };
        KnownCollection::new(way, changes, None)
    }

    /// What is known, and how many numbers of each.
    fn all(census: &QuickCensus) -> Vec<(Anchor, usize)> {
        census.history.collections.iter().map(|c| (c.way.anchor, c.changes.len())).collect()
    }

    /// A search that is at its end keeps what was known and is still there, with its numbers; another way is
    /// new.
    #[test]
    fn what_was_known_keeps_its_numbers() {
        let at = |at: u64| Anchor::Variable(Addr(at));
        let mut census = QuickCensus::default();
        census.history.collections = [1, 2, 3].map(|n| known(n, vec![(0, n)])).into();
        census.history.collections.push(known(5, Vec::new()));
        let found = [4, 2].map(|n| known(n, Vec::new()).way);
        census.merge(found.to_vec(), Some(&[reading(1), reading(2), None, None]), 6000);
        assert_eq!(all(&census), [(at(4), 0), (at(2), 1), (at(1), 1), (at(3), 1)], "but what was never seen");
        assert_eq!(census.known.len(), 4);
    }

    /// A goroutine that publishes runs: at a search that ends just then no way leads to what it holds, and it
    /// is known on, with what it was, for as long as a busy machine may take.
    #[test]
    fn what_is_out_of_sight_comes_back_with_its_numbers() {
        let mut census = QuickCensus::default();
        census.history.collections.push(known(1, Vec::new()));
        census.history.note(6000, &[reading(312)]);
        // Two searches, with a look each: it is out of sight.
        census.merge(Vec::new(), Some(&[None]), 14_000);
        census.history.note(14_000, &[None]);
        census.merge(Vec::new(), Some(&[None]), 30_000);
        census.history.note(30_000, &[None]);
        census.history.note(32_000, &[reading(230_000)]);
        let looks: Vec<_> = census.history.looks(&census.history.collections[0]).collect();
        assert_eq!(looks, [(6000, 312), (32_000, 230_000)]);
        // It goes for good.
        census.history.note(40_000, &[None]);
        census.merge(Vec::new(), Some(&[None]), 40_000 + UNSEEN_MS - 1);
        assert_eq!(census.history.collections.len(), 1);
        census.merge(Vec::new(), Some(&[None]), 40_000 + UNSEEN_MS);
        assert!(census.history.collections.is_empty() && census.known.is_empty());
    }

    /// What is out of sight takes the room of nothing that is there.
    #[test]
    fn what_is_out_of_sight_goes_first_where_there_are_too_many() {
        let mut census = QuickCensus::default();
        census.history.collections = (0..MAX_COLLECTIONS as u64).map(|n| known(n, vec![(0, n)])).collect();
        let look: Vec<_> = (0..MAX_COLLECTIONS).map(|n| if n % 2 == 0 { None } else { reading(1) }).collect();
        let found: Vec<Way> = (0..400).map(|n| known(1 << 20 | n, Vec::new()).way).collect();
        census.merge(found, Some(&look), 1000);
        let kept = |odd: u64| {
            all(&census).iter().filter(|(a, n)| *n == 1 && matches!(a, Anchor::Variable(at) if at.0 % 2 == odd)).count()
        };
        assert_eq!((census.history.collections.len(), kept(1), kept(0)), (MAX_COLLECTIONS, 500, 100));
    }
}
