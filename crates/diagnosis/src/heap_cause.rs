//! Why the Go heap grew: one mechanism, chosen among its rivals by what tells them apart. Every rule about
//! the heap reads it from here, so that no two of them say different things of one growth. Pure.

use crate::calls::{Calls, Waiting};
use crate::collector::{Collector, Pace};
use crate::facts::{Amount, Facts, Frame};
use crate::growth::{Culprit, Growth};
use crate::heap_use::HeapUse;
use crate::large_objects::HugeObjects;
use crate::owner::frame;
use crate::partition::Partition;
use crate::reachability::{HeldBy, Reachability};
use crate::recursion::Recursion;
use crate::rival::{Rival, Told};
use crate::sentence::{began_unseen, rest_of_a_start, rested};
use crate::shared_object::SharedObject;
use crate::suspects::{Suspect, family, suspects, waiting_pile, working_pile};
use crate::thresholds::heap_growth::{
    ALIVE, FLAT, FREED, GARBAGE, LARGE_PER_CALL, LARGER, MAJORITY, MAX_CALL_SECONDS, MIN_BEFORE, MIN_BYTES_PER_CALL,
    MIN_CALLS, MIN_MARKS, MIN_SHARE, MIXED, NEIGHBOURS, SURVIVED,
};
use crate::thresholds::waiting_calls::{AT_MOST_EACH, MANY, MIN_HELD, MIN_NEW, MIN_OBJECTS, MOST_CALLS, SOME_CALLS};
use crate::units::{bytes, count, percent, plural, seconds};
use crate::waits::is_held_up;
use crate::window::Window;

/// A rival of what stays alive.
const ITS_START: &str = "a start that loads more than the limit holds";

/// A rival of calls that build something large.
const SLOW_CALLS: &str = "calls that take longer (a slow dependency), each with what it always held";

/// How memory came to be used up by the heap.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Mechanism<'a> {
    /// A few objects are most of it.
    HugeObjects(HugeObjects<'a>),
    /// Nothing was ever collected.
    CollectorOff,
    /// What was alive fitted, and the collector would have run too late.
    Headroom,
    /// Goroutines that wait hold it.
    WaitingCalls,
    /// Calls at work hold it: bytes each.
    CallsAtWork(u64),
    /// It stays alive, and no calls in flight explain it.
    StaysAlive,
    /// The evidence does not decide.
    NotSettled,
}

/// Where it was allocated.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Origin<'a> {
    /// By the profile.
    Profiled(&'a Culprit),
    /// By what goroutines did, the likeliest first; it may be empty.
    Suspects(Vec<Suspect<'a>>),
}

/// The growth of the heap, explained as far as that is possible.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct HeapCause<'a> {
    /// How.
    pub(crate) mechanism: Mechanism<'a>,
    /// What else it could be.
    pub(crate) rivals: Vec<Rival>,
    /// Where.
    pub(crate) origin: Origin<'a>,
    /// Calls in flight there.
    pub(crate) calls: Option<Calls<'a>>,
    /// Whether those calls were found by the culprit's own stacks; else by their number alone.
    linked: bool,
    /// Bytes that are kept by way of those calls, where they are held up, and others lead there too.
    pub(crate) by_way: Option<u64>,
    /// The collector.
    pub(crate) collector: Collector,
    /// What the growth is made of.
    pub(crate) parts: Partition,
    /// Whether somebody else keeps what each of those calls waits with.
    handed_over: bool,
    /// Whether nobody saw when it began.
    began_unseen: bool,
    /// What of the way to the culprit is a recursion, if no variable holds the growth.
    pub(crate) recursion: Option<Recursion<'a>>,
    /// What the heap's graph says of it, where there is one.
    pub(crate) reach: Option<Reachability<'a>>,
}

impl<'a> HeapCause<'a> {
    /// Explains a growth that is made of these parts; `None` where the heap is not much of it.
    pub(crate) fn of(facts: &'a Facts, growth: &'a Growth, window: &Window, parts: Partition) -> Option<Self> {
        let collector = Collector::of(facts, window);
        let culprit = growth.culprit.as_ref().filter(|_| growth.has_baseline && facts.profile.rate != 0);
        let (origin, calls) = match culprit {
            Some(c) => (Origin::Profiled(c), Calls::of_culprit(facts, c, window).or_else(|| family(facts, c, window))),
            None => (Origin::Suspects(suspects(facts, Some(window))), waiting_pile(facts, window)),
        };
        let mut it = Self {
            mechanism: Mechanism::NotSettled,
            rivals: Vec::new(),
            origin,
            calls,
            linked: true,
            by_way: None,
            collector,
            parts,
            handed_over: false,
            began_unseen: began_unseen(facts, window),
            recursion: None,
            reach: Reachability::of(facts.graph.as_ref(), parts.heap),
        };
        // By way of whom the growth is kept is the first to ask, whatever others did at that moment (seen
        // from outside: v2ray, of which 80 goroutines in a select were suspected, and the pipes of 40 writers
        // were full).
        if let (Origin::Suspects(all), Some(by)) = (&mut it.origin, it.reach.and_then(|r| r.way_from())) {
            all.sort_by_key(|s| s.at.function != by.0);
        }
        let stacks = it.waiting_calls(facts).map_or(0, |_| parts.stacks);
        if stacks == 0 && matches!(it.origin, Origin::Suspects(_)) {
            it.calls = working_pile(facts, window);
        } else if let Some(pile) = it.pile(facts, window).filter(|_| it.waiting_calls(facts).is_none()) {
            (it.calls, it.linked) = (Some(pile), false);
        }
        it.handed_over = it.is_handed_over(facts);
        if let Some(calls) = it.holders_calls(facts, window) {
            (it.calls, it.linked) = (Some(calls), true);
        } else if let Some((calls, bytes)) = it.held_up_on_the_way(facts, window) {
            (it.calls, it.linked, it.by_way) = (Some(calls), false, Some(bytes));
        }
        let by_gauges = facts.gc.is_known() && parts.share(parts.heap.saturating_add(stacks)) >= MIN_SHARE;
        // A capture of the profile alone has no gauges.
        let by_profile = !facts.gc.is_known() && culprit.is_some_and(|c| parts.share(c.growth.bytes) >= MIN_SHARE);
        if !by_gauges && !by_profile {
            return None;
        }
        it.mechanism = it.choose(facts, window);
        let held_otherwise = it.reach.is_some_and(|r| r.variable().is_some()) || it.shared().is_some();
        let may_be = it.mechanism == Mechanism::StaysAlive && !held_otherwise;
        it.recursion = culprit.filter(|_| may_be).and_then(|c| Recursion::on_the_way_to(facts, c));
        it.rivals = it.rivals_of(facts, window);
        Some(it)
    }

    /// In a word, with the calls in flight.
    pub(crate) fn in_a_word(&self) -> HeapUse {
        let (how, bytes_each) = match &self.mechanism {
            Mechanism::HugeObjects(_) => ("huge-objects", None),
            Mechanism::CollectorOff => ("collector-off", None),
            Mechanism::Headroom => ("headroom", None),
            Mechanism::WaitingCalls => ("waiting-calls", None),
            Mechanism::CallsAtWork(each) => ("calls-at-work", Some(*each)),
            Mechanism::StaysAlive => ("stays-alive", None),
            Mechanism::NotSettled => ("not-settled", None),
        };
        let waiting = self.calls.as_ref().and_then(|c| c.waiting.as_ref());
        HeapUse {
            how,
            calls_of: self.calls.as_ref().map_or_else(String::new, |c| c.of.function.clone()),
            calls: self.calls.as_ref().map_or(0, |c| c.total),
            served: self.calls.as_ref().map_or(0, |c| c.called),
            waiting: waiting.map_or(0, |w| w.count),
            waits_for: waiting.map_or("", |w| w.wait.what()),
            bytes_each,
        }
    }

    fn choose(&self, facts: &'a Facts, window: &Window) -> Mechanism<'a> {
        let at_work = self.bytes_per_call(window);
        let huge = HugeObjects::of(facts, self.parts.heap.min(self.parts.whole));
        // Several alike may be of calls in flight, a large one each.
        let of_calls = |h: &HugeObjects<'_>| h.sizes.len() > 2 && !h.grown_by_copying && at_work.is_some();
        if let Some(huge) = huge.filter(|h| !of_calls(h)) {
            return Mechanism::HugeObjects(huge);
        }
        // That it never ran says nothing of what it would have freed: where the references were followed,
        // most must be garbage (seen from outside: esbuild, which turns it off itself, with 61 % of its heap
        // alive; with GOMEMLIMIT it died two seconds later).
        let is_garbage = match &self.reach {
            Some(reach) => reach.live_part() < MIXED,
            None => self.collector.marks == 0 || self.is_alive() != Some(true),
        };
        if self.collector.pace == Pace::Off && is_garbage {
            return Mechanism::CollectorOff;
        }
        if let Some(mechanism) = self.by_holder(window) {
            return mechanism;
        }
        if self.by_way.is_some() {
            return Mechanism::WaitingCalls;
        }
        if self.waiting_calls(facts).is_some() {
            return match at_work.filter(|each| self.builds_more(*each)) {
                Some(each) => Mechanism::CallsAtWork(each),
                None => Mechanism::WaitingCalls,
            };
        }
        let at_work = at_work.filter(|_| self.most_are_at_work() || self.larger().is_some_and(|l| l >= LARGER));
        let limit = facts.target.limit_bytes.unwrap_or(u64::MAX);
        let fits = self.collector.pace == Pace::BeyondTheLimit && self.collector.live_fits(limit);
        // One mark alone proves nothing, and yet says which way it goes. Calls that build and drop leave
        // garbage beside what they hold.
        let marked_alive = self.collector.alive.is_some_and(|a| a >= ALIVE);
        let seems_alive = match (self.is_alive(), &self.reach) {
            (Some(alive), _) => alive,
            (None, Some(reach)) => reach.live_part() >= MIXED,
            (None, None) => marked_alive,
        };
        match (self.is_alive(), at_work) {
            (Some(false), _) if fits => Mechanism::Headroom,
            (Some(false), _) => Mechanism::NotSettled,
            (_, Some(each)) if seems_alive || marked_alive || !fits || self.freed().is_some() => {
                Mechanism::CallsAtWork(each)
            }
            _ if seems_alive || self.collector.live_slope.is_some_and(|slope| slope > FLAT) => Mechanism::StaysAlive,
            _ if fits => Mechanism::Headroom,
            _ => Mechanism::NotSettled,
        }
    }

    /// What the references say: nobody need ask what else may hold it.
    fn by_holder(&self, window: &Window) -> Option<Mechanism<'a>> {
        let reach = self.reach.as_ref().filter(|_| !self.handed_over)?;
        if reach.variable().is_some() || self.shared().is_some() {
            return Some(Mechanism::StaysAlive);
        }
        let held = reach.goroutines()?;
        let calls = self.calls.as_ref().filter(|c| c.of.function == held.root().name || self.are_those(held, c))?;
        let each = held.root().retained_bytes / held.root().goroutines.max(1);
        if held.root().goroutines < MIN_CALLS {
            return Some(Mechanism::StaysAlive);
        }
        let waits = calls.part_waiting() >= MOST_CALLS && !self.builds_more(each);
        if waits && calls.waiting.is_some() {
            return Some(Mechanism::WaitingCalls);
        }
        if window.seconds() > MAX_CALL_SECONDS {
            return Some(Mechanism::StaysAlive);
        }
        (each >= MIN_BYTES_PER_CALL).then_some(Mechanism::CallsAtWork(each))
    }

    /// Of what stays alive: who keeps it, its name and the part of the growth, where no function allocated
    /// most of it.
    pub(crate) fn keeper(&self) -> Option<(String, &'a str, f64)> {
        let Origin::Profiled(culprit) = &self.origin else { return None };
        let few = culprit.share < MAJORITY && self.mechanism == Mechanism::StaysAlive && self.recursion.is_none();
        self.reach.as_ref().filter(|_| few)?.keeper()
    }

    /// Whether a variable or a single goroutine keeps one object for each of those that wait: a queue has
    /// what they have handed over, and wait for an answer to (`lab/deaths`, chan-receive: by the references
    /// 667 uploads are kept by a channel of the batcher's, which has ended; 667 calls wait for its receipt).
    fn is_handed_over(&self, facts: &Facts) -> bool {
        let Some(held) = self.reach.as_ref().and_then(|r| r.holder.as_ref()) else { return false };
        let few = held.root().goroutines < MIN_CALLS;
        let one_each = |calls: &Calls<'_>| {
            let waiting = calls.waiting.as_ref().map(|w| w.count).filter(|n| *n >= MANY)?;
            let came = calls.called.saturating_mul(2) > calls.total
                || calls.new.is_some_and(|new| new as f64 >= waiting as f64 * MIN_NEW);
            let objects = match &self.origin {
                Origin::Profiled(c) => (MIN_OBJECTS..=1.3).contains(&(c.growth.objects as f64 / waiting as f64)),
                Origin::Suspects(_) => self.one_for_each(facts, 2).is_some(),
            };
            Some(came && objects && calls.part_waiting() >= MOST_CALLS)
        };
        few && self.calls.as_ref().and_then(one_each).unwrap_or(false)
    }

    /// The object that keeps most of the growth and is no list of the calls in flight (seen in lab/deaths,
    /// order-events: topics that stay in a map, told as "every call builds its own copy").
    fn shared(&self) -> Option<&SharedObject<'a>> {
        let calls = self.calls.as_ref().map_or(0, |c| c.total);
        self.reach.as_ref().and_then(|r| r.shared_beside(calls))
    }

    /// Whether calls that are linked to the culprit are, by their number, the goroutines that hold the
    /// growth.
    fn are_those(&self, held: &HeldBy<'_>, calls: &Calls<'_>) -> bool {
        let (some, all) = (calls.total as f64, held.root().goroutines as f64);
        self.linked
            && matches!(self.origin, Origin::Profiled(_))
            && some >= all * MOST_CALLS
            && all >= some * MOST_CALLS
    }

    /// Calls of the function whose goroutines hold most of the growth, by the heap's references.
    /// Those that were found by the culprit's own stacks stay, if they are as many: a goroutine that holds
    /// what a caller of its has built is named by the graph for where it stands now (seen: `callDownstream`,
    /// for calls of `ugcTab`).
    fn holders_calls(&self, facts: &'a Facts, window: &Window) -> Option<Calls<'a>> {
        let held = self.reach.as_ref().filter(|_| !self.handed_over)?.goroutines()?;
        if self.calls.as_ref().is_some_and(|calls| self.are_those(held, calls)) {
            return None;
        }
        Some(Calls::of(facts, frame_of(facts, &held.root().name)?, window)).filter(|c| c.total > 0)
    }

    /// Goroutines that are held up, by way of which most of the growth is kept though others lead there too:
    /// what they cannot get rid of piles up behind them (seen from outside: v2ray, whose clients did not
    /// read. 40 writers waited, with full pipes that who fills them leads to as well; `lab/deaths`,
    /// full-relays). Those at work in the culprit's own code come before them; who has no work leads to what
    /// all share as well, and is not meant.
    fn held_up_on_the_way(&self, facts: &'a Facts, window: &Window) -> Option<(Calls<'a>, u64)> {
        let reach = self.reach.as_ref().filter(|r| r.holder.is_none())?;
        let profiled = matches!(self.origin, Origin::Profiled(_));
        if self.shared().is_some() || profiled && self.calls.as_ref().is_some_and(|c| c.working >= MIN_CALLS) {
            return None;
        }
        let held_up = |function: &str| {
            let calls = Calls::of(facts, frame_of(facts, function)?, window);
            let waiting = calls.waiting.as_ref().filter(|w| w.count >= MIN_CALLS && is_held_up(facts, w.group))?;
            (waiting.count as f64 >= calls.total as f64 * MOST_CALLS).then_some(calls)
        };
        if let Some(crowd) = reach.crowd()
            && let Some(calls) = crowd.led_to_by().find_map(held_up)
        {
            return Some((calls, crowd.retained_bytes()));
        }
        let (function, bytes) = reach.way_from()?;
        Some((held_up(function)?, bytes))
    }

    /// Whether it is what each of them builds, and not only that they wait: a lot by itself; or more than it
    /// was, and they end, since what they hold is freed again.
    fn builds_more(&self, each: u64) -> bool {
        let larger = self.larger().is_some_and(|l| l >= LARGER);
        each >= LARGE_PER_CALL || larger && self.freed().is_some()
    }

    /// Of calls that build something large, whether most of them wait with it.
    pub(crate) fn they_wait(&self) -> Option<&Waiting<'a>> {
        let calls = self.calls.as_ref().filter(|c| c.part_waiting() >= MOST_CALLS)?;
        calls.waiting.as_ref()
    }

    /// How many times as large as before the baseline an allocation of the culprit is, in the mean.
    fn larger(&self) -> Option<f64> {
        let Origin::Profiled(culprit) = &self.origin else { return None };
        let mean = |a: Amount| a.bytes as f64 / a.objects.max(1) as f64;
        let before = Some(culprit.allocated_before).filter(|a| a.bytes >= MIN_BEFORE && a.objects > 0)?;
        Some(mean(culprit.allocated) / mean(before))
    }

    fn most_are_at_work(&self) -> bool {
        self.calls.as_ref().is_some_and(|c| c.working >= MIN_CALLS && c.part_at_work() >= MOST_CALLS)
    }

    /// Whether it may be that calls only take longer.
    pub(crate) fn may_be_slow(&self) -> bool {
        self.rivals.iter().any(|r| r.cause == SLOW_CALLS && r.told == Told::NotApart)
    }

    /// Whether it may be a program that still loads.
    pub(crate) fn may_be_its_start(&self) -> bool {
        !self.began_unseen && self.rivals.iter().any(|r| r.cause == ITS_START && r.told == Told::NotApart)
    }

    /// Part of the culprit's growth that finished collections have left in use. The runtime publishes a
    /// profile of what a mark has gone through and the sweep after it has freed: garbage is in it on both
    /// sides, and what is left of a site there has survived.
    fn survived(&self) -> Option<f64> {
        let Origin::Profiled(culprit) = &self.origin else { return None };
        let before = culprit.current.minus(culprit.growth);
        let survived = culprit.published.minus(before).bytes;
        Some(survived as f64 / culprit.growth.bytes.max(1) as f64)
    }

    /// Whether the marks found alive what came in the window; `None` where they do not tell.
    fn is_alive(&self) -> Option<bool> {
        // The references say it of the end; where they say that it is mixed no mark of before knows better
        // (seen from outside: go-jsonnet, "274 collections found it alive", and 118 of 190 MB were garbage).
        if let Some(reach) = &self.reach {
            return reach.is_alive();
        }
        match self.survived() {
            Some(part) if part >= SURVIVED => return Some(true),
            // Published two collections late: where three have ended, it would be there.
            Some(part) if part <= SURVIVED / 10.0 && self.collector.marks > MIN_MARKS => return Some(false),
            _ => {}
        }
        let alive = self.collector.alive.filter(|_| self.collector.marks >= MIN_MARKS)?;
        if alive >= ALIVE {
            return Some(true);
        }
        (alive <= GARBAGE).then_some(false)
    }

    /// Goroutines that wait for one kind of thing, came with the growth, and are as many as what it is made
    /// of.
    fn waiting_calls(&self, facts: &Facts) -> Option<&Calls<'a>> {
        let calls = self.calls.as_ref()?;
        let waiting = calls.waiting.as_ref().filter(|w| w.count >= MIN_CALLS)?;
        // The others of the same function may wait for their turn and hold nothing: who has an object each is
        // known.
        let has_each = self.one_for_each(facts, 2).is_some();
        if calls.part_waiting() < MOST_CALLS && !(has_each && calls.part_waiting() >= SOME_CALLS) {
            return None;
        }
        // Where their stacks are the growth that is another finding.
        if self.parts.stacks > self.parts.heap {
            return None;
        }
        // Those that stand in their first function came with it, or were there before and have nothing to do
        // with it. Who was called is a call: connections are kept from one to the next.
        let are_calls = calls.called.saturating_mul(2) > calls.total;
        let came = || Some(waiting.count >= MANY && calls.new? as f64 >= waiting.count as f64 * MIN_NEW);
        if !are_calls && !has_each && !came()? {
            return None;
        }
        match &self.origin {
            // What each waits with was allocated by it: at least one object each.
            Origin::Profiled(c) => {
                let objects = c.growth.objects as f64 / waiting.count as f64;
                (objects >= MIN_OBJECTS).then_some(calls)
            }
            // The pile is of a function of the program: idle connections are in none (`waiting_pile`).
            Origin::Suspects(_) => Some(calls),
        }
    }

    /// Whether the culprit's new objects are one, or two, or three or four, for each that waits.
    fn is_a_few_each(&self, culprit: &Culprit) -> bool {
        let waiting = self.calls.as_ref().and_then(|c| c.waiting.as_ref()).map_or(0, |w| w.count);
        a_few_each(culprit.growth.objects, waiting)
    }

    /// Objects that the heap has as many of as goroutines wait, and that are a good part of the growth: what
    /// they hold, where no profile says it.
    fn one_for_each(&self, facts: &Facts, at_most: u64) -> Option<String> {
        let waiting = self.calls.as_ref()?.waiting.as_ref()?.count;
        let heap = facts.heap.as_ref()?;
        let large = heap.large.iter().map(|l| (l.count, l.size, l.total_bytes()));
        let all = large.chain(heap.classes.iter().map(|c| (c.objects, c.size, c.object_bytes())));
        let fits = |n: u64| a_few_each(n, waiting) && n <= waiting.saturating_mul(at_most);
        let (n, size, _) = all
            .filter(|(n, _, total)| fits(*n) && self.parts.share(*total) >= MIN_SHARE)
            .max_by_key(|(_, _, total)| *total)?;
        Some(format!("the heap has {} of {}, and {} wait", plural(n, "object"), bytes(size), count(waiting)))
    }

    /// Bytes that each call in flight holds, if the growth may be that of calls in flight.
    fn bytes_per_call(&self, window: &Window) -> Option<u64> {
        let calls = self.calls.as_ref().filter(|c| c.total >= MIN_CALLS)?;
        let bytes = match &self.origin {
            Origin::Profiled(culprit) => culprit.growth.bytes,
            Origin::Suspects(_) => self.parts.heap.min(self.parts.whole),
        };
        let each = bytes / calls.total.max(1);
        (window.seconds() <= MAX_CALL_SECONDS && each >= MIN_BYTES_PER_CALL).then_some(each)
    }

    /// Part of what the culprit allocated since the baseline that was freed again, where that is worth a
    /// word.
    fn freed(&self) -> Option<f64> {
        let Origin::Profiled(culprit) = &self.origin else { return None };
        let (allocated, freed) = (culprit.allocated.bytes, culprit.allocated.minus(culprit.growth).bytes);
        let part = freed as f64 / allocated.max(1) as f64;
        (part >= FREED).then_some(part)
    }

    fn rivals_of(&self, facts: &Facts, window: &Window) -> Vec<Rival> {
        let marks = self.collector.marks as u64;
        let alive = self.collector.alive.filter(|a| {
            let survived = self.survived().is_none_or(|part| part >= SURVIVED / 10.0);
            marks >= MIN_MARKS as u64 && *a >= ALIVE && survived
        });
        let alive = alive.map(|a| {
            format!(
                "{} since the onset; the last found {} of the growth alive",
                plural(marks, "collection"),
                percent(a)
            )
        });
        let survived = self.survived().filter(|part| *part >= SURVIVED).map(|part| {
            format!(
                "{} of what it allocated has survived collections: it is in the published profile",
                percent(part.min(1.0))
            )
        });
        let followed = self.reach.as_ref().filter(|r| r.is_alive() == Some(true)).map(Reachability::split);
        let alive = followed.or(alive).or(survived);
        let garbage = Rival::tested(
            "garbage that was not collected yet",
            alive,
            "a collection that ended in the growth would tell what of it is alive (a limit that leaves time for one, or GOMEMLIMIT)",
        );
        let mut rivals = match &self.mechanism {
            Mechanism::HugeObjects(huge) => self.rival_of_several(huge).into_iter().collect(),
            Mechanism::CollectorOff => Vec::new(),
            Mechanism::Headroom => vec![self.rival_burst(facts), self.rival_calls()],
            Mechanism::WaitingCalls => self.rivals_of_waiting(facts, garbage),
            // Calls that hold it are no leak that they leave behind, if they are as many as it takes.
            Mechanism::CallsAtWork(_) => vec![garbage, self.rival_leak(), self.rival_slow_calls()],
            Mechanism::StaysAlive => {
                let waiting = self.rival_waiting(facts, window);
                [garbage, self.rival_calls(), self.rival_start(facts, window)].into_iter().chain(waiting).collect()
            }
            Mechanism::NotSettled => self.all_that_is_left(garbage, window),
        };
        // Whatever the heap did: others under the same limit may have done it.
        rivals.extend(rival_neighbours(facts, window));
        rivals
    }

    /// Several large ones may be of as many calls.
    fn rival_of_several(&self, huge: &HugeObjects<'_>) -> Option<Rival> {
        let calls = self.calls.as_ref().map_or(0, |c| c.called);
        (huge.sizes.len() > 2 && calls > 2).then(|| {
            Rival::open(
                "calls in flight that hold one each",
                format!("{} are in flight there: whether each has one of its own", count(calls)),
            )
        })
    }

    /// What is alive at once for the first time, against a heap that always breathes so.
    fn rival_burst(&self, facts: &Facts) -> Rival {
        let flat = self.collector.live_slope.is_some_and(|slope| slope <= FLAT);
        let steady = if flat { self.collector.steady_marks } else { 0 };
        let same = format!("the last {steady} collections each found about {} alive", bytes(facts.gc.heap_marked));
        let followed = self.reach.as_ref().filter(|r| r.is_alive() == Some(false)).map(Reachability::split);
        let told = followed.or((steady >= MIN_MARKS || self.is_alive() == Some(false)).then_some(same));
        Rival::tested(
            "memory that is alive and new (a burst of work, a leak)",
            told,
            "two collections that find the same alive",
        )
    }

    /// What a waiting call allocated it may have dropped already.
    fn rivals_of_waiting(&self, facts: &Facts, garbage: Rival) -> Vec<Rival> {
        if self.handed_over {
            let tell = "whether it lets go of it when they have their answer";
            return vec![Rival::open("what keeps it for them, whether they wait or not", tell)];
        }
        if let Some(held) = self.reach.as_ref().and_then(Reachability::goroutines) {
            return vec![Rival::ruled_out("memory that others hold, while these wait", held.text())];
        }
        if self.by_way.is_some() {
            let tell = "whether the other end goes on at all, and how fast";
            return vec![Rival::open("others that lead there, and fill it faster than it is emptied", tell)];
        }
        let freed_nothing =
            || format!("{} since the onset freed nothing of it", plural(self.collector.marks as u64, "collection"));
        match &self.origin {
            Origin::Profiled(_) if !self.linked => {
                let tell = "who holds the objects: the heap's references";
                vec![Rival::open("memory that others hold, while these wait", tell)]
            }
            // One buffer each, or a few: else the numbers only happen to be alike.
            Origin::Profiled(c) if !self.is_a_few_each(c) => vec![Rival::open(
                "memory that others hold, while these wait",
                format!(
                    "{} have come for {} that wait, which is no few each: who holds them (the heap's references)",
                    plural(c.growth.objects, "object"),
                    count(self.calls.as_ref().and_then(|c| c.waiting.as_ref()).map_or(0, |w| w.count))
                ),
            )],
            Origin::Profiled(_) if self.freed().is_none() && self.collector.marks > 0 => {
                vec![Rival::ruled_out(garbage.cause, freed_nothing())]
            }
            Origin::Profiled(_) => vec![garbage],
            Origin::Suspects(_) => vec![Rival::tested(
                "memory that others hold, while these wait",
                self.one_for_each(facts, AT_MOST_EACH),
                "who allocated it: a memory profile",
            )],
        }
    }

    fn rival_leak(&self) -> Rival {
        let freed = self
            .reach
            .as_ref()
            .and_then(Reachability::goroutines)
            .map(|held| held.text())
            .or_else(|| self.freed_again());
        Rival::tested(
            "a leak that calls leave behind",
            freed,
            "whether it is freed when the calls end: the same site after the load has gone",
        )
    }

    /// Calls that end give back what they held.
    fn freed_again(&self) -> Option<String> {
        self.freed().map(|part| {
            format!(
                "{} of what was allocated there since the baseline was freed again: calls that end give it back",
                percent(part)
            )
        })
    }

    /// Calls that hold no more than they always did, and longer.
    fn rival_slow_calls(&self) -> Rival {
        let told = match (self.larger(), &self.calls) {
            (Some(larger), _) if larger >= LARGER => {
                Some(format!("an allocation there is {larger:.1} times as large as before"))
            }
            (_, Some(calls)) if self.most_are_at_work() => {
                Some(format!("{} of {} calls in flight are at work", count(calls.working), count(calls.total)))
            }
            _ => None,
        };
        Rival::tested(SLOW_CALLS, told, "how much a call held before the growth")
    }

    fn rival_calls(&self) -> Rival {
        let variable = self.reach.as_ref().and_then(Reachability::variable).map(|held| held.text());
        let variable = variable.or_else(|| self.shared().map(SharedObject::text));
        let few = match &self.calls {
            // What they could hold each would be nothing to speak of; or they are idle workers.
            Some(calls) if calls.total < MIN_CALLS => {
                Some(format!("no more than {} are in flight there", count(calls.total)))
            }
            Some(calls) if self.parts.heap / calls.total.max(1) >= MIN_BYTES_PER_CALL && calls.called > 0 => None,
            Some(calls) => {
                Some(format!("{} goroutines are there, and hold little each, or wait for work", count(calls.total)))
            }
            None => Some("hardly a call is in flight there".to_owned()),
        };
        let few = variable.or(few);
        Rival::tested("calls in flight that hold a copy each", few, "who holds the objects: the heap's references")
    }

    /// Goroutines elsewhere that came with the growth and wait, where the references name no holder: how many
    /// objects each has is told by samples, so that no number of them rules it out (seen: 2.9 and 3.2 for
    /// each in two runs of one program; `lab/deaths`, waitgroup).
    fn rival_waiting(&self, facts: &Facts, window: &Window) -> Option<Rival> {
        let Origin::Profiled(culprit) = &self.origin else { return None };
        let pile = waiting_pile(facts, window)?;
        let waiting = pile.waiting.as_ref().map(|w| w.count).filter(|n| *n >= MANY)?;
        let came = pile.new.is_some_and(|new| new as f64 >= waiting as f64 * MIN_NEW);
        let enough = culprit.growth.objects as f64 >= waiting as f64 * MIN_OBJECTS;
        let holder = self.reach.as_ref().and_then(|r| r.holder.as_ref()).map(HeldBy::text);
        let holder = holder.or_else(|| self.shared().map(SharedObject::text));
        (came && enough && culprit.growth.bytes / waiting >= MIN_HELD).then(|| {
            let tell = format!("{} wait in {}: who holds the objects", count(waiting), pile.of.function);
            Rival::tested("goroutines that wait, and hold it", holder, tell)
        })
    }

    /// A program that loads what it needs keeps all of it, and would stop.
    fn rival_start(&self, facts: &Facts, window: &Window) -> Rival {
        let enough = rest_of_a_start(window);
        let told = match rested(facts, window) {
            Some(rest) if rest >= enough => Some(format!("it had been at rest for {} before", seconds(rest))),
            Some(_) => None,
            None => Some("it had run for longer than what is kept of its past".to_owned()),
        };
        let told = told.or_else(|| self.by_another(facts));
        Rival::tested(ITS_START, told, "how large it is once it has started: with a larger limit, or where it lives")
    }

    /// The culprit's allocations are those of other goroutines than the first, which starts the program.
    fn by_another(&self, facts: &Facts) -> Option<String> {
        let Origin::Profiled(culprit) = &self.origin else { return None };
        let outermost = facts.profile.sites.get(culprit.site)?.stack.iter().rev().filter_map(|i| frame(facts, *i));
        let first = outermost.map(|f| f.function.as_str()).find(|f| !f.starts_with("runtime."))?;
        let starts = first == "main.main" || first.ends_with(".init") || first.contains(".init.");
        (!starts).then(|| {
            format!("it is allocated by goroutines that begin in {first}, and not by the one that starts the program")
        })
    }

    /// Goroutines elsewhere that came with the growth, wait, and are as many as its objects: they may hold
    /// what others have built for them.
    fn pile(&self, facts: &'a Facts, window: &Window) -> Option<Calls<'a>> {
        let Origin::Profiled(culprit) = &self.origin else { return None };
        // Who is at work there is known already.
        if self.calls.as_ref().is_some_and(|c| c.working >= MIN_CALLS) {
            return None;
        }
        let pile = waiting_pile(facts, window)?;
        let waiting = pile.waiting.as_ref()?.count;
        let came = pile.new.is_some_and(|new| new as f64 >= waiting as f64 * MIN_NEW);
        let bytes_each = culprit.growth.bytes / waiting.max(1);
        // Where they are not as many as its objects nothing links them to it (seen in lab/cluster: a cache
        // that grew by 1,800 pages while 51 calls of another function waited, and "51 calls hold 3.5 MB
        // each").
        let as_many = a_few_each(culprit.growth.objects, waiting);
        (came && as_many && bytes_each >= MIN_HELD).then_some(pile)
    }

    fn all_that_is_left(&self, garbage: Rival, window: &Window) -> Vec<Rival> {
        let mut out = Vec::new();
        if self.is_alive() == Some(false) {
            out.push(Rival::open(
                "garbage that comes faster than it is collected",
                "the collector's share of the processors",
            ));
        } else {
            out.push(garbage);
            out.push(Rival::open(
                "objects that stay reachable (a leak)",
                "who holds them: the heap's references; or a second collection in the growth",
            ));
        }
        if window.seconds() <= MAX_CALL_SECONDS && self.calls.as_ref().is_some_and(|c| c.total >= MIN_CALLS) {
            out.push(Rival::open(
                "calls in flight",
                "how many are at work and how many wait is mixed, or not enough came with the growth",
            ));
        }
        out
    }
}

/// A frame of a function that some goroutine is in.
fn frame_of<'a>(facts: &'a Facts, function: &str) -> Option<&'a Frame> {
    let frames = facts.goroutines.groups.iter().flat_map(|g| &g.stack).filter_map(|i| frame(facts, *i));
    frames.into_iter().find(|f| f.function == function)
}

/// Others that share the limit and are large beside what came: what they have gained meanwhile nobody knows
/// (seen: a service that had just loaded, beside a process that then filled the group; `lab/deaths`,
/// neighbour).
fn rival_neighbours(facts: &Facts, window: &Window) -> Option<Rival> {
    let others = facts.neighbours.as_ref().filter(|n| n.rss_bytes as f64 >= window.growth() as f64 * NEIGHBOURS)?;
    let tell = format!("they hold {} under the same limit: how much of it came meanwhile", bytes(others.rss_bytes));
    Some(Rival::open("others in its group, which grew as well", tell))
}

/// Whether objects are one for each that waits, or a whole few: else their numbers only happen to be alike.
pub(crate) fn a_few_each(objects: u64, waiting: u64) -> bool {
    let each = objects as f64 / waiting.max(1) as f64;
    (MIN_OBJECTS..=1.3).contains(&each) || (1.3..4.5).contains(&each) && (each - each.round()).abs() <= 0.15
}
