//! What roots reach, exactly: live and garbage, and what would be live without some.

use crate::bits::Bits;
use crate::graph::{Graph, Holder};
use crate::layout::ObjectId;
use crate::retained::Retained;
use crate::roots::RootId;

/// What a walk from roots came to.
#[derive(Clone, Debug, Default)]
pub struct Reach {
    /// The objects.
    pub objects: Bits,
    /// Their count and bytes.
    pub retained: Retained,
}

impl Graph {
    /// Walks from all roots through what `enter` lets pass, asked of roots (with their groups) and objects.
    /// Needs no dominators: a bit an object, and four bytes for each that waits.
    pub fn reach(&self, enter: impl Fn(Holder) -> bool) -> Reach {
        self.reach_beside(Reach { objects: Bits::new(self.layout().bound()), ..Reach::default() }, enter)
    }

    /// Walks from what `holds` says that roots hold.
    pub(crate) fn reach_by(&self, holds: impl Fn(RootId, ObjectId) -> bool) -> Reach {
        let held = self.roots().held().iter().filter(|(root, object)| holds(*root, *object));
        self.spread(Bits::new(self.layout().bound()), held.map(|(_, object)| *object), |_| true)
    }

    /// As [`Graph::reach`], with what is reached already: what was before is not gone through again, so that
    /// roots can be added one by one at the cost of what each adds.
    pub fn reach_beside(&self, before: Reach, enter: impl Fn(Holder) -> bool) -> Reach {
        if !enter(Holder::All) {
            return Reach { retained: self.layout().total_of(&before.objects), objects: before.objects };
        }
        let mut last: Option<(RootId, bool)> = None;
        let mut is_open = |root: RootId| {
            let open = match last {
                Some((r, open)) if r == root => open,
                _ => enter(Holder::Root(root)) && self.roots().group_of(root).is_none_or(|g| enter(Holder::Group(g))),
            };
            last = Some((root, open));
            open
        };
        let held = self.roots().held().iter().filter(|(root, _)| is_open(*root)).map(|(_, object)| *object);
        self.spread(before.objects, held, |object| enter(Holder::Object(object)))
    }

    /// Walks from objects through what `enter` lets pass and is not in `seen`.
    fn spread(&self, mut seen: Bits, from: impl Iterator<Item = ObjectId>, enter: impl Fn(ObjectId) -> bool) -> Reach {
        let mut waiting = Vec::new();
        let mut meet = |object: u32, waiting: &mut Vec<u32>| {
            // What may not be entered is asked again each time it is met: it must not be in the set.
            if seen.contains(object as usize) || !enter(ObjectId(object)) {
                return;
            }
            seen.insert(object as usize);
            // The others point nowhere.
            if self.numbered.bits().contains(object as usize) {
                waiting.push(object);
            }
        };
        for object in from {
            meet(object.0, &mut waiting);
            while let Some(from) = waiting.pop() {
                self.edges.of(from, |to| meet(to, &mut waiting));
            }
        }
        let retained = self.layout().total_of(&seen);
        Reach { objects: seen, retained }
    }
}
