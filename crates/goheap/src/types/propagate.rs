//! Types that go on from typed objects through their pointers, span by span. A list of work and no recursion;
//! a span is read once for all of its objects that wait.

use std::sync::Arc;
use std::time::Instant;

use lastgasp_goruntime::{Near, PointerReader, PointerVisitor};
use lastgasp_heapgraph::ObjectId;
use lastgasp_inferior::Addr;

use super::assign::{Assigner, Place};
use super::kinds::{Plan, Target, UNTYPED};
use super::slots::SlotClass;
use super::trust::Trust;

/// Largest slot of which all pointers are held against the kind before any is followed, in bytes.
const MAX_CHECKED: u64 = 4096;
/// Objects of a span that are read one by one, and times that this is tried, before all of it is read.
const FEW: usize = 4;
/// Largest slot that is read alone, in bytes.
const MAX_ALONE: u64 = 4096;
/// Times that a span is read at most, on average: an object's kind gets better a few times, and no more.
const MAX_READS_A_SPAN: usize = 10_000;
/// Pointers of a large object that are looked up before the first of them is followed.
const TOGETHER: usize = 64;

impl Assigner<'_> {
    /// Goes on from all that waits, until nothing does, or the time is over.
    pub(crate) fn follow(&mut self, until: Option<Instant>) {
        let mut reader = PointerReader::new(self.rt, self.mem, self.objects);
        let mut room = Room::default();
        let mut left = self.queued.len().saturating_mul(MAX_READS_A_SPAN);
        while let Some(index) = self.queue.pop_front() {
            if until.is_some_and(|until| Instant::now() >= until) {
                return;
            }
            if let Some(queued) = self.queued.get_mut(index as usize) {
                *queued = false;
            }
            let (Some(class), Some(span)) = (self.slots.class(index as usize), self.slots.span(index as usize)) else {
                continue;
            };
            let slots = self.objects.spans().get(span).map_or(0, |s| s.slots);
            let Some(first) = self.layout.slot(index as usize, 0) else { continue };
            // Few are read alone, but what leads from one to the next in the same span again and again is a
            // list.
            for alone in 0.. {
                let waiting = self.waiting(first, slots);
                if waiting.is_empty() {
                    break;
                }
                left = left.saturating_sub(1);
                if left == 0 {
                    return;
                }
                let mut visitor = Propagate::new(self, class, &mut room);
                if waiting.len() <= FEW && alone < FEW && class.slot_bytes <= MAX_ALONE {
                    for object in waiting {
                        reader.read_slot(span, object.0 - first.0, &mut visitor);
                    }
                    visitor.finish();
                    continue;
                }
                reader.read(span..span.saturating_add(1), &mut visitor);
                visitor.finish();
                break;
            }
        }
    }

    /// The objects of a span that wait, as many as are read alone and one more.
    fn waiting(&self, first: ObjectId, slots: u32) -> Vec<ObjectId> {
        let from = first.0 as usize / 64;
        let words = self.pending.get(from..from + slots.div_ceil(64) as usize).unwrap_or_default();
        let mut found = Vec::new();
        for (word, base) in words.iter().zip((first.0..).step_by(64)) {
            let mut word = *word;
            while word != 0 && found.len() <= FEW {
                found.push(ObjectId(base + word.trailing_zeros()));
                word &= word - 1;
            }
        }
        found
    }
}

/// A pointer, and what stands beside it.
struct Found {
    offset: u64,
    to: Addr,
    /// Where it leads, if that was looked up.
    place: Option<Place>,
    before: Option<u64>,
    after: [Option<u64>; 2],
}

/// What is found in a span, in memory that serves the next one too.
#[derive(Default)]
struct Room {
    /// Objects of the span, and where their pointers begin among those that were found.
    objects: Vec<(ObjectId, usize)>,
    found: Vec<Found>,
    /// What the pointers of one object are.
    targets: Vec<Option<Target>>,
}

/// Follows what waits in a span. Objects of a list stand side by side and lead to each other: what comes to
/// wait meanwhile is followed too, and the span is not read again for it.
struct Propagate<'a, 'b> {
    all: &'b mut Assigner<'a>,
    class: SlotClass,
    room: &'b mut Room,
    /// The kind that was asked for last, and its plan: objects of a span mostly are of one.
    plan: (u32, Plan),
    /// Whether the object that is read waits, or may come to: it has no kind yet.
    may_wait: bool,
    /// A large object, which is followed as it is read.
    large: Option<Large>,
}

/// A large object that is read.
struct Large {
    /// Bytes of the runtime's own in front of it.
    header: u64,
    plan: Plan,
    /// Pointers that are looked up and not followed yet.
    found: Vec<Found>,
}

impl<'a, 'b> Propagate<'a, 'b> {
    fn new(all: &'b mut Assigner<'a>, class: SlotClass, room: &'b mut Room) -> Self {
        room.objects.clear();
        room.found.clear();
        Self { all, class, room, plan: (UNTYPED, Plan::Nothing), may_wait: false, large: None }
    }

    /// Says that the span is read.
    fn finish(mut self) {
        self.follow_large();
        // Up and down: lists grow either way.
        for upwards in [true, false].into_iter().cycle() {
            let n = self.room.objects.len();
            let mut any = false;
            for i in 0..n {
                any |= self.follow(if upwards { i } else { n - 1 - i });
            }
            if !any {
                return;
            }
        }
    }

    /// Follows what was found of a large object.
    fn follow_large(&mut self) {
        let Some(large) = &mut self.large else { return };
        let mut next = 0;
        for f in large.found.drain(..) {
            let at = f.offset.checked_sub(large.header);
            let target = at.and_then(|at| target(self.all, &large.plan, at, &mut next));
            if let Some(target) = target {
                self.all.follow_one(target, &f);
            }
        }
    }

    /// Follows the pointers of one of the objects, if it waits.
    fn follow(&mut self, index: usize) -> bool {
        let Self { all, class, room, plan, .. } = self;
        let Room { objects, found, targets } = &mut **room;
        let Some((object, from)) = objects.get(index).copied() else { return false };
        if !all.take(object) {
            return false;
        }
        let to = objects.get(index + 1).map_or(found.len(), |o| o.1);
        let (kind, trust) = all.kind_of(object);
        if plan.0 != kind {
            let Some(known) = all.kinds.get(kind) else { return true };
            *plan = (kind, known.plan.clone());
        }
        let plan = &plan.1;
        let found = found.get(from..to).unwrap_or_default();
        let mut next = 0;
        targets.clear();
        targets.extend(found.iter().map(|f| target(all, plan, f.offset.checked_sub(class.header)?, &mut next)));
        // Where the collector sees a pointer and the type has none, it is another type.
        let is_whole = !matches!(plan, Plan::Partly { .. } | Plan::Nothing);
        if trust < Trust::Header && is_whole && targets.iter().any(Option::is_none) {
            all.refuse(object);
            return true;
        }
        for (target, f) in targets.iter().zip(found) {
            if let Some(target) = target {
                all.follow_one(*target, f);
            }
        }
        true
    }
}

impl Assigner<'_> {
    fn follow_one(&mut self, target: Target, f: &Found) {
        if let Some(place) = f.place {
            self.looked_up(f.to, place);
        }
        self.apply(target, f.to, f.before, f.after);
    }
}

impl PointerVisitor for Propagate<'_, '_> {
    fn object(&mut self, span: usize, slot: u32, _: u32) {
        self.follow_large();
        self.large = None;
        let Some(object) = self.all.object(span, slot) else { return };
        let (kind, _) = self.all.kind_of(object);
        if self.class.slot_bytes <= MAX_CHECKED {
            self.may_wait = kind == UNTYPED || self.all.waits(object);
            self.room.objects.push((object, self.room.found.len()));
        } else if self.all.take(object) {
            let known = self.all.kinds.get(kind);
            let header = self.class.header;
            self.large = known.map(|known| Large { header, plan: known.plan.clone(), found: Vec::new() });
        }
    }

    fn pointer(&mut self, _: u32, _: u64, _: Addr) {}

    fn pointer_near(&mut self, _: u32, offset: u64, to: Addr, near: Near<'_>) {
        let (before, after) = (near.word(-1), [near.word(1), near.word(2)]);
        match &mut self.large {
            Some(large) => {
                let place = Some(self.all.look_up(to));
                large.found.push(Found { offset, to, place, before, after });
                if large.found.len() >= TOGETHER {
                    self.follow_large();
                }
            }
            // Pointers of a large object that does not wait come behind none.
            None if self.room.objects.is_empty() => {}
            None => {
                // Of what was followed already nothing is asked, but where its kind gets better.
                let place = self.may_wait.then(|| self.all.look_up(to));
                self.room.found.push(Found { offset, to, place, before, after });
            }
        }
    }
}

/// What a plan has at an offset. `next` is where in its list it is looked for first: pointers come in their
/// order.
fn target(all: &mut Assigner<'_>, plan: &Plan, offset: u64, next: &mut usize) -> Option<Target> {
    let within = |bytes: u64, repeated: bool| match bytes {
        0 => None,
        _ if offset < bytes => Some(offset),
        _ if repeated => offset.checked_rem(bytes),
        _ => None,
    };
    let mut listed = |words: &Arc<[(u64, Target)]>, at: u64| {
        let index = match words.get(*next) {
            Some((known, _)) if *known == at => *next,
            _ => words.binary_search_by_key(&at, |(at, _)| *at).ok()?,
        };
        *next = index + 1;
        words.get(index).map(|(_, target)| *target)
    };
    match plan {
        Plan::Nothing => None,
        Plan::Listed { bytes, repeated, words } => listed(words, within(*bytes, *repeated)?),
        Plan::Asked { of, bytes, repeated } => all.types.word_at(*of, within(*bytes, *repeated)?).map(Target::Word),
        Plan::Partly { words } => listed(words, offset),
    }
}
