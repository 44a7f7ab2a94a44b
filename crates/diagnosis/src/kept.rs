//! What keeps a growth of which no one root holds most: in words for a sentence, and which of the suspects
//! may be named beside it. Pure.
//!
//! Who allocates at the moment of death may be anybody (seen blind: the load's own clients, beside a table of
//! traces that nobody ends; the server that answered, beside a list of what it had refused). What the
//! references say of the end comes first, and of the suspects only one that has to do with it.

use crate::facts::{Facts, GraphCensus, GraphPath, GraphPlace, Group};
use crate::finding::ConfidenceFactor;
use crate::graph_certainty::share_of_live;
use crate::heap_cause::{HeapCause, Mechanism};
use crate::made::called_in;
use crate::owner::{is_inside, is_of_its_elements, is_of_package_of, package, package_of_elements};
use crate::reachability::{KeptCollection, Reachability, frame_of, goroutines_of, holder_of};
use crate::shared_object::SharedObject;
use crate::suspects::Suspect;
use crate::thresholds::one_root_holds_most::MOST;
use crate::thresholds::unprofiled_heap::MIN_PART;
use crate::timers::{Place, Timers};
use crate::units::{bytes, percent, plural};
use crate::way::way;
use crate::what_to_bound::CONTEXTS;

/// What keeps a growth that stays alive, where no one root holds most of it; nothing of it where one does.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kept<'a> {
    /// The collection by a way that begins at goroutines: in words, and the function, if that is a place.
    led: Option<(String, Option<&'a str>)>,
    /// Whether that is a queue: it is led to by whoever receives from it, and filled by others
    /// (`lab/deaths`, queue-full).
    is_queue: bool,
    /// The collection that was filled and never emptied at the looks of the flight ring, or that has most of
    /// the growth at the end.
    collection: Option<&'a GraphCensus>,
    is_filled: bool,
    /// Part that it keeps: of what is live, of one that was filled; of the growth, at least, of another.
    part: f64,
    /// An object that several lead to, each of a crowd.
    several: Option<String>,
    /// That object, and the part of the growth that it keeps, at least.
    shared: Option<(SharedObject<'a>, f64)>,
    /// Timers that have not fired.
    timers: Option<Timers<'a>>,
    /// The way by which the largest part of what is live is kept, where nothing else is known, and that part.
    way: Option<(&'a GraphPath, f64)>,
    /// Whether that may be a good part of the growth as well.
    is_most_of_growth: bool,
}

impl<'a> Kept<'a> {
    /// Of a growth. `filled` is the collection that was filled and never emptied and keeps most of what is
    /// live.
    pub(crate) fn of(facts: &'a Facts, heap: &HeapCause<'a>, filled: Option<&'a GraphCensus>) -> Self {
        let reach = heap.reach.as_ref();
        if heap.mechanism != Mechanism::StaysAlive || reach.is_some_and(|r| r.holder.is_some()) {
            return Self::default();
        }
        let led = reach.and_then(Reachability::shared_collection);
        // A way from `main.main`, or by a library's frame, says of no function that it fills it.
        let by_a_place = led.as_ref().is_some_and(|(_, from)| from.is_some());
        // Maps that were emptied are told as such.
        let alone = !by_a_place && heap.hollow_maps(facts).is_none();
        let filled = filled.filter(|_| alone && led.is_none());
        let of_a_package = |c: &KeptCollection<'_>| package_of_elements(&c.of.type_name).is_some();
        let most = reach.and_then(Reachability::kept_collection).filter(of_a_package).filter(|_| alone);
        let of_live = |c: &GraphCensus| facts.graph.as_ref().map_or(0.0, |g| share_of_live(g, c.retained_bytes));
        let several = reach.and_then(Reachability::kept_by_several);
        let timers = reach.and_then(|reach| Timers::of(facts, reach));
        let nothing = led.is_none() && filled.is_none() && most.is_none() && several.is_none() && timers.is_none();
        let largest = reach.and_then(Reachability::largest_way);
        Self {
            led,
            is_most_of_growth: reach.zip(largest).is_some_and(|(r, (path, _))| r.part(path.bytes) >= MIN_PART),
            way: largest.filter(|_| nothing && heap.hollow_maps(facts).is_none()),
            is_queue: reach.and_then(Reachability::collection).is_some_and(|c| c.kind == "chan"),
            collection: filled.or(most.map(|c| c.of)),
            is_filled: filled.is_some(),
            part: filled.map(|c| of_live(c).min(1.0)).or(most.map(|c| c.part)).unwrap_or_default(),
            several,
            shared: reach.and_then(Reachability::shared_object),
            timers,
        }
    }

    /// `one map[string]main.customer of 41,339 elements keeps 203 MB of it, by way of goroutine in
    /// main.load`; `None` where nothing is known to keep it.
    pub(crate) fn text(&self) -> Option<String> {
        let collection = |c: &GraphCensus| {
            let (owner, of, keeps) = (&c.owner, &c.type_name, bytes(c.retained_bytes));
            if of == CONTEXTS {
                let contexts = plural(c.elements, "context");
                return format!("{contexts}, derived from one and not cancelled, keep {keeps} of it: {owner}");
            }
            let filled = if self.is_filled { ", filled and never emptied," } else { "" };
            format!("{owner} ({of}) of {}{filled} keeps {keeps} of it", plural(c.elements, "element"))
        };
        let led = self.led.as_ref().map(|(text, _)| text.clone());
        let timers = || self.timers.as_ref().map(Timers::text);
        let by_way = || {
            let (path, share) = self.way?;
            let (way, kept) = (way(&path.steps, &path.type_name), bytes(path.bytes));
            Some(format!("{kept}, {} of what is alive, are kept by way of {way}", percent(share)))
        };
        self.collection.map(collection).or(led).or_else(timers).or_else(|| self.several.clone()).or_else(by_way)
    }

    /// Of contexts: where the program's code derives them, as far as it says; else nothing.
    pub(crate) fn derived_in(&self, facts: &'a Facts) -> &'a [GraphPlace] {
        let by_timers = self.by_timers().is_some_and(|timers| timers.of_contexts);
        let is_it = by_timers || self.collection.is_some_and(|c| c.type_name == CONTEXTS);
        if is_it { called_in(facts, "context") } else { &[] }
    }

    /// The first suspect that has to do with what keeps it.
    pub(crate) fn suspect<'s>(&self, facts: &Facts, suspects: &'s [Suspect<'a>]) -> Option<&'s Suspect<'a>> {
        if self.by_timers().is_some() {
            return None;
        }
        // What most of it hangs on is not what happens at that moment.
        if let Some(path) = self.way_of_most() {
            return suspects.iter().find(|s| is_on(path, &s.at.function));
        }
        if let Some((shared, _)) = self.told_shared() {
            return suspects.iter().find(|s| shared.is_of_package(&s.at.function));
        }
        match (self.collection, self.filler()) {
            (Some(c), _) => suspects.iter().find(|s| is_of_its_elements(&s.at.function, &c.type_name)),
            (None, Some(from)) => suspects.first().filter(|s| is_within(facts, from, s)),
            (None, None) => suspects.first(),
        }
    }

    /// What is known of the timers that keep it, where it is told by them.
    pub(crate) fn whose_timers(&self) -> Option<String> {
        self.by_timers()?.whose()
    }

    /// The place in the program that these timers are of.
    pub(crate) fn timers_place(&self) -> Option<Place<'a>> {
        self.by_timers()?.place()
    }

    fn by_timers(&self) -> Option<&Timers<'a>> {
        self.timers.as_ref().filter(|_| self.collection.is_none() && self.led.is_none())
    }

    /// The function whose goroutines lead to it, unless they only take from it.
    pub(crate) fn filler(&self) -> Option<&'a str> {
        self.led.as_ref().and_then(|(_, from)| *from).filter(|_| !self.is_queue)
    }

    /// What the sentence is about where there is no suspect.
    pub(crate) fn name(&self) -> Option<&'a str> {
        let led = self.led.as_ref().and_then(|(_, from)| *from);
        let root = || holder_of(self.way_of_most()?);
        let shared = || self.told_shared().map(|(shared, _)| shared.name());
        led.or_else(|| self.collection.map(|c| c.owner.as_str())).or_else(shared).or_else(root)
    }

    /// The object that several lead to, where it is told by that.
    fn told_shared(&self) -> Option<&(SharedObject<'a>, f64)> {
        let by_another = self.collection.is_some() || self.led.is_some() || self.timers.is_some();
        self.shared.as_ref().filter(|_| !by_another)
    }

    fn way_of_most(&self) -> Option<&'a GraphPath> {
        self.way.filter(|(_, share)| self.is_most_of_growth && *share >= MOST).map(|(path, _)| path)
    }

    /// Whether a sentence that names it is as sure as that, whichever suspect is named beside it.
    pub(crate) fn is_told_by_itself(&self) -> bool {
        self.told_shared().is_some()
    }

    /// What is known of that collection, or of timers, as a factor of the confidence.
    pub(crate) fn factor(&self) -> Option<ConfidenceFactor> {
        if let Some(timers) = self.by_timers() {
            return Some(ConfidenceFactor { name: "share of what is live that timers keep", value: timers.share });
        }
        if let Some((_, part)) = self.told_shared() {
            return Some(ConfidenceFactor {
                name: "share of it that the object keeps, at least, by the heap's references",
                value: *part,
            });
        }
        if let Some((_, share)) = self.way.filter(|_| self.way_of_most().is_some()) {
            return Some(ConfidenceFactor { name: "share of what is live that is kept by that way", value: share });
        }
        self.collection?;
        let name = if self.is_filled {
            "share of what is live that the collection keeps"
        } else {
            "share of it that the collection keeps, at least, by the heap's references"
        };
        Some(ConfidenceFactor { name, value: self.part })
    }
}

/// Whether a way begins in a function, or goes by a frame of it; or by a variable of its package, or to what
/// is of its package.
fn is_on(path: &GraphPath, function: &str) -> bool {
    let variable = path.steps.first().and_then(|root| root.strip_prefix("global "));
    let is_beside = variable.is_some_and(|name| package(name) == package(function));
    let in_frame = frame_of(path) == Some(function) || goroutines_of(path) == Some(function);
    in_frame || is_beside || is_of_package_of(function, &path.type_name)
}

/// Whether a suspect is that function, or stands below it.
fn is_within(facts: &Facts, function: &str, suspect: &Suspect<'_>) -> bool {
    let of_suspect = |g: &&Group| is_inside(facts, &g.stack, &suspect.at.function);
    facts.goroutines.groups.iter().filter(of_suspect).any(|g| is_inside(facts, &g.stack, function))
}
