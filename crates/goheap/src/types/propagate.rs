//! The pointers of typed objects in one span, each followed to what it leads to.

use std::sync::Arc;

use lastgasp_goruntime::{Near, PointerVisitor};
use lastgasp_heapgraph::ObjectId;
use lastgasp_inferior::Addr;

use super::assign::{Assigner, Trust};
use super::kinds::{Plan, Target};

/// Largest slot of which all pointers are held against the kind before any is followed, in bytes.
const MAX_CHECKED: u64 = 4096;

/// A pointer, and what stands beside it.
struct Found {
    offset: u64,
    to: Addr,
    before: Option<u64>,
    after: [Option<u64>; 2],
}

/// Follows what waits.
pub(super) struct Propagate<'a, 'b> {
    all: &'b mut Assigner<'a>,
    /// The object that is read, if it waits.
    now: Option<Now>,
    found: Vec<Found>,
}

struct Now {
    object: ObjectId,
    header: u64,
    plan: Plan,
    /// Whether it is seen whole before anything of it is followed.
    checked: bool,
}

impl<'a, 'b> Propagate<'a, 'b> {
    pub(super) fn new(all: &'b mut Assigner<'a>) -> Self {
        Self { all, now: None, found: Vec::new() }
    }

    /// Says that the last object is read.
    pub(super) fn finish(mut self) {
        self.end();
    }

    fn end(&mut self) {
        let Some(now) = self.now.take() else { return };
        let found = std::mem::take(&mut self.found);
        let target = |all: &mut Assigner<'a>, f: &Found| target(all, &now.plan, f.offset.checked_sub(now.header)?);
        // Where the collector sees a pointer and the type has none, it is another type.
        let partly = matches!(now.plan, Plan::Partly { .. } | Plan::Nothing);
        if now.checked && !partly && found.iter().any(|f| target(self.all, f).is_none()) {
            self.all.refuse(now.object);
        } else {
            for f in &found {
                if let Some(target) = target(self.all, f) {
                    self.all.apply(target, f.to, f.before, f.after);
                }
            }
        }
        self.found = found;
        self.found.clear();
    }
}

impl PointerVisitor for Propagate<'_, '_> {
    fn object(&mut self, span: usize, slot: u32, _: u32) {
        self.end();
        let Some(object) = self.all.object(span, slot) else { return };
        if !self.all.take(object) {
            return;
        }
        let (kind, trust) = self.all.kind_of(object);
        let (Some(known), Some((_, class))) = (self.all.kinds.get(kind), self.all.slots.of(self.all.layout, object))
        else {
            return;
        };
        let checked = trust < Trust::Header && class.slot_bytes <= MAX_CHECKED;
        self.now = Some(Now { object, header: class.header, plan: known.plan.clone(), checked });
    }

    fn pointer(&mut self, _: u32, _: u64, _: Addr) {}

    fn pointer_near(&mut self, _: u32, offset: u64, to: Addr, near: Near<'_>) {
        let Some(now) = &self.now else { return };
        let found = Found { offset, to, before: near.word(-1), after: [near.word(1), near.word(2)] };
        self.found.push(found);
        if !now.checked {
            // One at a time: what may be as large as the heap is not kept.
            let plan = now.plan.clone();
            let header = now.header;
            let Some(found) = self.found.pop() else { return };
            let target = offset.checked_sub(header).and_then(|at| target(self.all, &plan, at));
            if let Some(target) = target {
                self.all.apply(target, found.to, found.before, found.after);
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
