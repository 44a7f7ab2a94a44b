//! Types that go on from typed objects through their pointers, span by span. A list of work and no recursion;
//! a span is read once for all of its objects that wait.

use std::sync::Arc;
use std::time::Instant;

use lastgasp_goruntime::{Near, PointerReader, PointerVisitor};
use lastgasp_heapgraph::ObjectId;
use lastgasp_inferior::Addr;

use super::assign::{Assigner, Place};
use super::kinds::{Plan, Target};
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
                let mut visitor = Propagate::new(self);
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
    place: Place,
    before: Option<u64>,
    after: [Option<u64>; 2],
}

/// Follows what waits in a span. Objects of a list stand side by side and lead to each other: what comes to
/// wait meanwhile is followed too, and the span is not read again for it.
pub(super) struct Propagate<'a, 'b> {
    all: &'b mut Assigner<'a>,
    /// Objects of the span, and where their pointers begin among those that were found.
    objects: Vec<(ObjectId, usize)>,
    found: Vec<Found>,
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
    pub(super) fn new(all: &'b mut Assigner<'a>) -> Self {
        Self { all, objects: Vec::new(), found: Vec::new(), large: None }
    }

    /// Says that the span is read.
    pub(super) fn finish(mut self) {
        self.follow_large();
        // Up and down: lists grow either way.
        for upwards in [true, false].into_iter().cycle() {
            let n = self.objects.len();
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
        for f in large.found.drain(..) {
            let target = f.offset.checked_sub(large.header).and_then(|at| target(self.all, &large.plan, at));
            if let Some(target) = target {
                self.all.looked_up(f.to, f.place);
                self.all.apply(target, f.to, f.before, f.after);
            }
        }
    }

    /// Follows the pointers of one of the objects, if it waits.
    fn follow(&mut self, index: usize) -> bool {
        let Some((object, from)) = self.objects.get(index).copied() else { return false };
        if !self.all.take(object) {
            return false;
        }
        let to = self.objects.get(index + 1).map_or(self.found.len(), |o| o.1);
        let (kind, trust) = self.all.kind_of(object);
        let (Some(known), Some((_, class))) = (self.all.kinds.get(kind), self.all.slots.of(self.all.layout, object))
        else {
            return true;
        };
        let plan = known.plan.clone();
        let found = self.found.get(from..to).unwrap_or_default();
        let target = |all: &mut Assigner<'a>, f: &Found| target(all, &plan, f.offset.checked_sub(class.header)?);
        // Where the collector sees a pointer and the type has none, it is another type.
        let is_whole = !matches!(plan, Plan::Partly { .. } | Plan::Nothing);
        if trust < Trust::Header && is_whole && found.iter().any(|f| target(self.all, f).is_none()) {
            self.all.refuse(object);
            return true;
        }
        for f in found {
            if let Some(target) = target(self.all, f) {
                self.all.looked_up(f.to, f.place);
                self.all.apply(target, f.to, f.before, f.after);
            }
        }
        true
    }
}

impl PointerVisitor for Propagate<'_, '_> {
    fn object(&mut self, span: usize, slot: u32, _: u32) {
        self.follow_large();
        self.large = None;
        let Some(object) = self.all.object(span, slot) else { return };
        let Some((_, class)) = self.all.slots.of(self.all.layout, object) else { return };
        if class.slot_bytes <= MAX_CHECKED {
            self.objects.push((object, self.found.len()));
        } else if self.all.take(object) {
            let known = self.all.kinds.get(self.all.kind_of(object).0);
            self.large = known.map(|known| Large { header: class.header, plan: known.plan.clone(), found: Vec::new() });
        }
    }

    fn pointer(&mut self, _: u32, _: u64, _: Addr) {}

    fn pointer_near(&mut self, _: u32, offset: u64, to: Addr, near: Near<'_>) {
        let (before, after) = (near.word(-1), [near.word(1), near.word(2)]);
        match &mut self.large {
            Some(large) => {
                let place = self.all.look_up(to);
                large.found.push(Found { offset, to, place, before, after });
                if large.found.len() >= TOGETHER {
                    self.follow_large();
                }
            }
            // Pointers of a large object that does not wait come behind none.
            None if self.objects.is_empty() => {}
            None => {
                let place = self.all.look_up(to);
                self.found.push(Found { offset, to, place, before, after });
            }
        }
    }
}

/// What a plan has at an offset.
fn target(all: &mut Assigner<'_>, plan: &Plan, offset: u64) -> Option<Target> {
    let within = |bytes: u64, repeated: bool| match bytes {
        0 => None,
        _ if repeated => offset.checked_rem(bytes),
        _ => (offset < bytes).then_some(offset),
    };
    let listed = |words: &Arc<[(u64, Target)]>, at: u64| {
        let index = words.binary_search_by_key(&at, |(at, _)| *at).ok()?;
        words.get(index).map(|(_, target)| *target)
    };
    match plan {
        Plan::Nothing => None,
        Plan::Listed { bytes, repeated, words } => listed(words, within(*bytes, *repeated)?),
        Plan::Asked { of, bytes, repeated } => all.types.word_at(*of, within(*bytes, *repeated)?).map(Target::Word),
        Plan::Partly { words } => listed(words, offset),
    }
}
