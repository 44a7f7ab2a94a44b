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
        let mut seen = Bits::new(self.layout().bound());
        let mut waiting = Vec::new();
        let mut meet = |object: u32, waiting: &mut Vec<u32>| {
            // The others point nowhere.
            if seen.insert(object as usize) && self.numbered.bits().contains(object as usize) {
                waiting.push(object);
            }
        };
        for (_, object) in self.roots().held().iter().filter(|(root, object)| holds(*root, *object)) {
            meet(object.0, &mut waiting);
            while let Some(from) = waiting.pop() {
                self.edges.of(from, |to| meet(to, &mut waiting));
            }
        }
        let retained = self.layout().total_of(&seen);
        Reach { objects: seen, retained }
    }

    /// As [`Graph::reach`], with what is reached already: what was before is not gone through again, so that
    /// roots can be added one by one at the cost of what each adds.
    pub fn reach_beside(&self, before: Reach, enter: impl Fn(Holder) -> bool) -> Reach {
        let mut seen = before.objects;
        let mut waiting = Vec::new();
        let mut meet = |object: u32, waiting: &mut Vec<u32>| {
            // What may not be entered is asked again each time it is met: it must not be in the set.
            if seen.contains(object as usize) || !enter(Holder::Object(ObjectId(object))) {
                return;
            }
            seen.insert(object as usize);
            // The others point nowhere.
            if self.numbered.bits().contains(object as usize) {
                waiting.push(object);
            }
        };
        let mut last: Option<(RootId, bool)> = None;
        if !enter(Holder::All) {
            return Reach { retained: self.layout().total_of(&seen), objects: seen };
        }
        for (root, object) in self.roots().held() {
            let open = match last {
                Some((r, open)) if r == *root => open,
                _ => enter(Holder::Root(*root)) && self.roots().group_of(*root).is_none_or(|g| enter(Holder::Group(g))),
            };
            last = Some((*root, open));
            if !open {
                continue;
            }
            meet(object.0, &mut waiting);
            while let Some(from) = waiting.pop() {
                self.edges.of(from, |to| meet(to, &mut waiting));
            }
        }
        let retained = self.layout().total_of(&seen);
        Reach { objects: seen, retained }
    }
}
