//! Why the Go heap grew: one mechanism, chosen among its rivals by what tells them apart. Every rule about
//! the heap reads it from here, so that no two of them say different things of one growth. Pure.

mod choose;
mod rivals;
mod whose_calls;

use crate::calls::{Calls, Waiting};
use crate::collector::Collector;
use crate::facts::{Facts, GraphFacts};
use crate::growth::{Culprit, Growth};
use crate::heap_use::HeapUse;
use crate::held_up::HeldUp;
use crate::hollow_maps::HollowMaps;
use crate::large_objects::HugeObjects;
use crate::owner::is_method_of;
use crate::partition::Partition;
use crate::pieces::Pieces;
use crate::reachability::{Reachability, goroutines_of};
use crate::recursion::Recursion;
use crate::rival::{Rival, Told};
use crate::sentence::began_unseen;
use crate::suspects::{
    Suspect, at_work_within, awaited_by, family, held_up_beside, suspects, waiting_pile, working_pile,
};
use crate::thresholds::heap_growth::{MAJORITY, MIN_SHARE};
use crate::thresholds::waiting_calls::MOST_CALLS;
use crate::units::{bytes, count};
use crate::way::way;
use crate::window::Window;

pub(crate) use self::whose_calls::{a_few_each, one_for_each_of};

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
        // A method of what keeps it is nearer than who only calls at that moment (seen blind: a bus whose
        // subscribers never leave, of which the function that trades on it was suspected).
        if let (Origin::Suspects(all), Some(name)) = (&mut it.origin, it.reach.as_ref().and_then(|r| r.shared_name())) {
            all.sort_by_key(|s| !is_method_of(&s.at.function, name));
        }
        let holder = it.reach.as_ref().and_then(|r| r.goroutines()).map(|held| held.root().name.as_str());
        if let (Origin::Suspects(all), Some(holder)) = (&mut it.origin, holder)
            && !all.iter().any(|s| s.at.function == holder)
            && let Some(within) = at_work_within(facts, holder)
        {
            all.insert(0, within);
        }
        if let Some(beside) = it.calls.as_ref().and_then(|calls| held_up_beside(facts, calls, window)) {
            (it.calls, it.linked) = (Some(beside), false);
        } else if let Some(awaited) = it.calls.as_ref().and_then(|calls| awaited_by(facts, calls, window)) {
            (it.calls, it.linked) = (Some(awaited), false);
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
        // Pages that stacks had before they grew are free, and were none of the heap's (seen blind: a
        // recursion without an end, 202 MB of stacks, and "it is the Go heap" of the 67 MB of the stack
        // before).
        let in_use = parts.share(parts.heap.saturating_sub(facts.gc.heap_free));
        if it.mechanism != Mechanism::WaitingCalls && parts.stacks > parts.heap && in_use < MIN_SHARE {
            return None;
        }
        let held_otherwise = it.reach.is_some_and(|r| r.variable().is_some()) || it.shared().is_some();
        let may_be = it.mechanism == Mechanism::StaysAlive && !held_otherwise;
        it.recursion = culprit.filter(|_| may_be).and_then(|c| Recursion::on_the_way_to(facts, c));
        it.rivals = it.rivals_of(facts, window);
        Some(it)
    }

    /// Who has the queue at hand that stays alive, and waits for something else.
    pub(crate) fn held_up(&self, facts: &'a Facts, window: &Window) -> Option<HeldUp<'a>> {
        let may_be = self.mechanism == Mechanism::StaysAlive && self.recursion.is_none();
        // Where most of it is room for nothing, nothing waits in a queue.
        let may_be = may_be && self.of_no_use(facts).is_none();
        may_be.then(|| HeldUp::of(facts, window)).flatten()
    }

    /// Goroutines that were there before and keep ever more each, in words, where they are who keeps what
    /// stays alive.
    pub(crate) fn kept_by_each(&self, facts: &Facts) -> Option<String> {
        let root = self.each_keeps_more(facts).filter(|_| self.mechanism == Mechanism::StaysAlive)?;
        Some(format!(
            "{} goroutines in {}, as many as before it began, keep ever more each, {} by now",
            count(root.goroutines),
            root.name,
            bytes(root.retained_bytes / root.goroutines.max(1))
        ))
    }

    /// What to do about them: by which way they keep it.
    pub(crate) fn cure_of_each(&self, facts: &Facts) -> Option<String> {
        let root = self.each_keeps_more(facts).filter(|_| self.mechanism == Mechanism::StaysAlive)?;
        let paths = facts.graph.iter().flat_map(|g| &g.paths);
        let path = paths.rev().filter(|p| goroutines_of(p) == Some(&root.name)).max_by_key(|p| p.bytes);
        let way = path.map_or_else(String::new, |p| format!(" by way of {}", way(&p.steps, &p.type_name)));
        Some(format!(
            "See what each turn of {} leaves behind{way}, which is never let go while the goroutine lives: make it anew for each turn (a buffer, a logger, a list), or bound it.",
            root.name
        ))
    }

    /// Maps that were emptied, where they are most of what stays alive.
    pub(crate) fn hollow_maps(&self, facts: &'a Facts) -> Option<HollowMaps<'a>> {
        self.graph_of_what_stays(facts).and_then(HollowMaps::of)
    }

    /// What keeps memory though nobody has a use for it, in words, where that is most of what stays alive:
    /// pieces of large texts, maps that were emptied.
    pub(crate) fn of_no_use(&self, facts: &'a Facts) -> Option<String> {
        let graph = self.graph_of_what_stays(facts)?;
        Pieces::of(graph).map(|pieces| pieces.text()).or_else(|| HollowMaps::of(graph).map(|maps| maps.text()))
    }

    fn graph_of_what_stays(&self, facts: &'a Facts) -> Option<&'a GraphFacts> {
        let may_be = self.mechanism == Mechanism::StaysAlive && self.recursion.is_none();
        facts.graph.as_ref().filter(|_| may_be)
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
            served: self.calls.as_ref().map_or(0, |c| c.served),
            waiting: waiting.map_or(0, |w| w.count),
            waits_for: waiting.map_or("", |w| w.wait.what()),
            bytes_each,
        }
    }

    /// Of what stays alive: who keeps it, its name and the part of the growth, where no function allocated
    /// most of it.
    pub(crate) fn keeper(&self) -> Option<(String, &'a str, f64)> {
        let Origin::Profiled(culprit) = &self.origin else { return None };
        let few = culprit.share < MAJORITY && self.mechanism == Mechanism::StaysAlive && self.recursion.is_none();
        self.reach.as_ref().filter(|_| few)?.keeper()
    }

    /// Of calls that build something large, whether most of them wait with it.
    pub(crate) fn they_wait(&self) -> Option<&Waiting<'a>> {
        let calls = self.calls.as_ref().filter(|c| c.part_waiting() >= MOST_CALLS)?;
        calls.waiting.as_ref()
    }

    /// Whether it may be that calls only take longer.
    pub(crate) fn may_be_slow(&self) -> bool {
        self.rivals.iter().any(|r| r.cause == SLOW_CALLS && r.told == Told::NotApart)
    }

    /// Whether it may be a program that still loads.
    pub(crate) fn may_be_its_start(&self) -> bool {
        !self.began_unseen && self.rivals.iter().any(|r| r.cause == ITS_START && r.told == Told::NotApart)
    }
}
