//! Whose calls the growth is: those of the culprit, of who holds it, or of who waits with it.

use super::{HeapCause, Origin};
use crate::calls::Calls;
use crate::facts::{Facts, Frame, GraphRoot, Group};
use crate::graph_certainty::share_of_live;
use crate::growth::Culprit;
use crate::owner::{frame, is_inside};
use crate::reachability::{HeldBy, Reachability};
use crate::shared_object::SharedObject;
use crate::suspects::waiting_pile;
use crate::thresholds::heap_growth::{HELD_BY_THEM, MAJORITY, MIN_CALLS, MIN_SHARE};
use crate::thresholds::waiting_calls::{AS_MANY, AT_MOST_EACH, MANY, MIN_HELD, MIN_OBJECTS, MOST_CALLS, SOME_CALLS};
use crate::units::{bytes, count, plural};
use crate::waits::is_held_up;
use crate::window::Window;

impl<'a> HeapCause<'a> {
    /// Whether a variable or a single goroutine keeps one object for each of those that wait: a queue has
    /// what they have handed over, and wait for an answer to (`lab/deaths`, chan-receive: by the references
    /// 667 uploads are kept by a channel of the batcher's, which has ended; 667 calls wait for its receipt).
    pub(super) fn is_handed_over(&self, facts: &Facts) -> bool {
        let Some(held) = self.reach.as_ref().and_then(|r| r.holder.as_ref()) else { return false };
        let few = held.root().goroutines < MIN_CALLS;
        let one_each = |calls: &Calls<'_>| {
            let waiting = calls.waiting.as_ref().map(|w| w.count).filter(|n| *n >= MANY)?;
            if calls.part_waiting() >= MOST_CALLS && self.is_queue_of(waiting) {
                return Some(true);
            }
            let came = calls.are_called() || calls.came() == Some(true);
            let objects = match &self.origin {
                Origin::Profiled(c) if (MIN_OBJECTS..=1.3).contains(&(c.growth.objects as f64 / waiting as f64)) => {
                    true
                }
                _ => self.one_for_each(facts, 2).is_some(),
            };
            Some(came && objects && calls.part_waiting() >= MOST_CALLS)
        };
        few && self.calls.as_ref().and_then(one_each).unwrap_or(false)
    }

    /// Whether the one collection that keeps most of the growth has an element for each of those that wait:
    /// exact, where samples of what they hold may be too few (seen on a busy machine in `lab/deaths`,
    /// chan-receive: once in twenty plays, "what one function allocates stays alive", surely).
    pub(super) fn is_queue_of(&self, waiting: u64) -> bool {
        let elements = self.reach.as_ref().and_then(Reachability::collection).map_or(0, |c| c.elements);
        (1.0 - AS_MANY..=1.0 + AS_MANY).contains(&(elements as f64 / waiting.max(1) as f64))
    }

    /// The object that keeps most of the growth and is no list of the calls in flight (seen in lab/deaths,
    /// order-events: topics that stay in a map, told as "every call builds its own copy").
    pub(super) fn shared(&self) -> Option<&SharedObject<'a>> {
        let calls = self.calls.as_ref().map_or(0, |c| c.total);
        self.reach.as_ref().and_then(|r| r.shared_beside(calls))
    }

    /// Whether calls that are linked to the culprit are, by their number, the goroutines that hold the
    /// growth.
    pub(super) fn are_those(&self, held: &HeldBy<'_>, calls: &Calls<'_>) -> bool {
        let (some, all) = (calls.total as f64, held.root().goroutines as f64);
        self.linked
            && matches!(self.origin, Origin::Profiled(_))
            && some >= all * MOST_CALLS
            && all >= some * MOST_CALLS
    }

    /// The goroutines that wait, were there before the growth, and keep most of what is alive in many objects
    /// each: what they leave behind is the matter, and not that they wait for what is next (seen blind: 640
    /// connections of couriers, 4 goroutines more than at the onset, whose loggers took up a field with each
    /// message; "calls wait for the next message, and hold what grew", "let fewer calls in").
    pub(super) fn each_keeps_more<'g>(&self, facts: &'g Facts) -> Option<&'g GraphRoot> {
        let are_many = |c: &&Calls<'_>| c.total >= MIN_CALLS && c.part_waiting() >= MOST_CALLS;
        let calls = self.calls.as_ref().filter(are_many).filter(|c| c.stood_before)?;
        // What all of them lead to is none's own.
        if self.shared().is_some() || self.reach.as_ref().is_some_and(|r| r.one_of_all().is_some()) {
            return None;
        }
        let graph = facts.graph.as_ref().filter(|_| self.reach.is_some())?;
        let of_them = |r: &&GraphRoot| r.kind == "goroutine" && r.name == calls.of.function;
        let root = graph.roots.iter().find(of_them).filter(|r| share_of_live(graph, r.retained_bytes) >= MAJORITY)?;
        // A few objects each are what a call waits with; a profile counts those that came.
        let came = match &self.origin {
            Origin::Profiled(culprit) => culprit.growth.objects.min(root.objects),
            // A connection has some dozens of objects of its own.
            Origin::Suspects(_) => root.objects / 10,
        };
        (came > root.goroutines.max(1).saturating_mul(AT_MOST_EACH)).then_some(root)
    }

    /// Whether the references show that calls which nothing but their number links with the growth hold next
    /// to none of it (seen blind: 130 retries at work, "about 1.47 MB each", of deliveries that timers keep).
    pub(super) fn hold_next_to_nothing(&self, facts: &Facts) -> bool {
        let (Some(reach), Some(calls), Origin::Suspects(_)) = (&self.reach, &self.calls, &self.origin) else {
            return false;
        };
        if reach.is_list_of(calls.total) {
            return false;
        }
        // What they have handed over a variable keeps, and what stacks hold that were not read is garbage.
        if self.handed_over || !reach.is_whole() || facts.goroutines.unread > 0 {
            return false;
        }
        // Who holds it by a name that stands on no stack may be any of them.
        let stands = |name: &str| facts.goroutines.groups.iter().any(|g| is_inside(facts, &g.stack, name));
        if reach.goroutines().is_some_and(|held| !stands(&held.root().name)) {
            return false;
        }
        let theirs = |g: &&Group| is_inside(facts, &g.stack, &calls.of.function);
        let groups: Vec<&Group> = facts.goroutines.groups.iter().filter(theirs).collect();
        // A wrapper that `go` makes stands on no stack as it is told.
        let is_theirs = |name: &str| {
            let wrapped = name.rsplit_once(".gowrap").map_or(name, |(of, _)| of);
            let starts = |g: &Group| g.created_by.and_then(|i| frame(facts, i)).is_some_and(|f| f.function == wrapped);
            let of = |g: &&Group| is_inside(facts, &g.stack, name) || wrapped != name && starts(g);
            groups.iter().any(of)
        };
        // What several lead to is told by way of one of them, whoever else does.
        let lead_to_each = reach.crowd().is_some_and(|crowd| crowd.led_to_by().any(is_theirs));
        !lead_to_each && reach.part_of_goroutines(is_theirs) < HELD_BY_THEM
    }

    /// Calls of the function whose goroutines hold most of the growth, by the heap's references.
    /// Those that were found by the culprit's own stacks stay, if they are as many: a goroutine that holds
    /// what a caller of its has built is named by the graph for where it stands now (seen: `callDownstream`,
    /// for calls of `ugcTab`).
    pub(super) fn holders_calls(&self, facts: &'a Facts, window: &Window) -> Option<Calls<'a>> {
        let held = self.reach.as_ref().filter(|_| !self.handed_over)?.goroutines()?;
        if self.calls.as_ref().is_some_and(|calls| self.are_those(held, calls)) {
            return None;
        }
        Some(Calls::of(facts, frame_of(facts, &held.root().name)?, window)).filter(|c| c.total > 0)
    }

    /// Goroutines that are held up, by way of which most of the growth is kept though others lead there too:
    /// what they cannot get rid of piles up behind them (seen from outside: v2ray, whose clients did not
    /// read. 40 writers waited, with full pipes that who fills them leads to as well; `lab/deaths`,
    /// full-relays, of which those who fill may be caught at work). Of ways that are no crowd's, those at
    /// work in the culprit's own code come before them; who has no work leads to what all share as well, and
    /// is not meant.
    pub(super) fn held_up_on_the_way(&self, facts: &'a Facts, window: &Window) -> Option<(Calls<'a>, u64)> {
        let reach = self.reach.as_ref().filter(|r| r.holder.is_none())?;
        if self.shared().is_some() {
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
        let profiled = matches!(self.origin, Origin::Profiled(_));
        if profiled && self.calls.as_ref().is_some_and(|c| c.working >= MIN_CALLS) {
            return None;
        }
        let (function, bytes) = reach.way_from()?;
        Some((held_up(function)?, bytes))
    }

    /// Goroutines elsewhere that came with the growth, wait, and are as many as its objects: they may hold
    /// what others have built for them.
    pub(super) fn pile(&self, facts: &'a Facts, window: &Window) -> Option<Calls<'a>> {
        let Origin::Profiled(culprit) = &self.origin else { return None };
        // Who is at work there is known already.
        if self.calls.as_ref().is_some_and(|c| c.working >= MIN_CALLS) {
            return None;
        }
        let pile = waiting_pile(facts, window)?;
        let waiting = pile.waiting.as_ref()?.count;
        let came = pile.came() == Some(true);
        let bytes_each = culprit.growth.bytes / waiting.max(1);
        // Where they are not as many as its objects nothing links them to it (seen in lab/cluster: a cache
        // that grew by 1,800 pages while 51 calls of another function waited, and "51 calls hold 3.5 MB
        // each").
        let as_many = self.is_a_few_each(facts, culprit, waiting);
        (came && as_many && bytes_each >= MIN_HELD).then_some(pile)
    }

    /// Goroutines that wait for one kind of thing, came with the growth, and are as many as what it is made
    /// of.
    pub(super) fn waiting_calls(&self, facts: &Facts) -> Option<&Calls<'a>> {
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
        let are_calls = calls.are_called();
        let came = || calls.came().map(|came| came && waiting.count >= MANY);
        if !are_calls && !has_each && !came()? {
            return None;
        }
        match &self.origin {
            // What each waits with was allocated by it: at least one object each. Who waited already when
            // the growth was seen to begin has its own from before (seen blind in lab/cluster: 104 calls of a
            // dependency that hung, of which the window had seen the last 48 come, were "what one function
            // allocates stays alive", surely).
            Origin::Profiled(c) => {
                let enough = |objects: u64| one_for_each_of(objects, waiting.count);
                (enough(c.growth.objects) || has_each && enough(c.current.objects)).then_some(calls)
            }
            // The pile is of a function of the program: idle connections are in none (`waiting_pile`).
            Origin::Suspects(_) => Some(calls),
        }
    }

    /// Whether the culprit's new objects are one, or two, or three or four, for each that waits: by its
    /// samples, or by what the heap has exactly so many of. One sample of 48 bytes stands for 10,900 objects
    /// (seen on a busy machine in `lab/deaths`, chan-receive: in one play of twenty a picture's header was
    /// sampled, its 667 pictures were "11,600 objects", and nobody waited with them).
    pub(super) fn is_a_few_each(&self, facts: &Facts, culprit: &Culprit, waiting: u64) -> bool {
        a_few_each(culprit.growth.objects, waiting) || self.one_for(facts, waiting, MOST_EACH).is_some()
    }

    /// Objects that the heap has as many of as goroutines wait, and that are a good part of the growth: what
    /// they hold, where no profile says it.
    pub(super) fn one_for_each(&self, facts: &Facts, at_most: u64) -> Option<String> {
        self.one_for(facts, self.calls.as_ref()?.waiting.as_ref()?.count, at_most)
    }

    fn one_for(&self, facts: &Facts, waiting: u64, at_most: u64) -> Option<String> {
        let heap = facts.heap.as_ref()?;
        let large = heap.large.iter().map(|l| (l.count, l.size, l.total_bytes()));
        let all = large.chain(heap.classes.iter().map(|c| (c.objects, c.size, c.object_bytes())));
        let fits = |n: u64| a_few_each(n, waiting) && n <= waiting.saturating_mul(at_most);
        let (n, size, _) = all
            .filter(|(n, _, total)| fits(*n) && self.parts.share(*total) >= MIN_SHARE)
            .max_by_key(|(_, _, total)| *total)?;
        Some(format!("the heap has {} of {}, and {} wait", plural(n, "object"), bytes(size), count(waiting)))
    }
}

/// Objects that each of those that wait may have: more are no few.
const MOST_EACH: u64 = 4;

/// A frame of a function that some goroutine is in.
fn frame_of<'a>(facts: &'a Facts, function: &str) -> Option<&'a Frame> {
    let frames = facts.goroutines.groups.iter().flat_map(|g| &g.stack).filter_map(|i| frame(facts, *i));
    frames.into_iter().find(|f| f.function == function)
}

/// Whether objects are one for each that waits, or more.
pub(crate) fn one_for_each_of(objects: u64, waiting: u64) -> bool {
    objects as f64 / waiting.max(1) as f64 >= MIN_OBJECTS
}

/// Whether objects are one for each that waits, or a whole few: else their numbers only happen to be alike.
pub(crate) fn a_few_each(objects: u64, waiting: u64) -> bool {
    let each = objects as f64 / waiting.max(1) as f64;
    (MIN_OBJECTS..=1.3).contains(&each) || (1.3..4.5).contains(&each) && (each - each.round()).abs() <= 0.15
}
