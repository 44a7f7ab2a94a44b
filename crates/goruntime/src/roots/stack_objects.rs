//! The stack objects of one stack: which of them something points to. Source: `runtime/mgcstack.go`
//! (`stackScanState`), `runtime/mgcmark.go` (`scanstack`).

use std::rc::Rc;

use lastgasp_inferior::{Addr, AddrRange};

use super::stack_maps::StackObject;

/// Most stack objects of one stack, and most pointers into it that wait to be followed.
const MOST: usize = 4 << 20;

/// Stack objects of all frames of a stack, and what may point to them.
#[derive(Default)]
pub(super) struct StackObjects {
    stack: AddrRange,
    objects: Vec<Placed>,
    /// Pointers into the stack, and whether they are only taken for some.
    sure: Vec<Addr>,
    unsure: Vec<Addr>,
    /// Whether there were more than are kept.
    too_many: bool,
}

struct Placed {
    at: Addr,
    size: u32,
    pointers: Rc<[u32]>,
    frame: Addr,
    seen: bool,
}

/// A stack object that something points to.
pub(super) struct Reached {
    pub(super) at: Addr,
    pub(super) pointers: Rc<[u32]>,
    /// The frame that it is of: its program counter.
    pub(super) frame: Addr,
    /// Whether only words that may be no pointers lead to it.
    pub(super) unsure: bool,
}

impl StackObjects {
    /// For another stack; forgets all.
    pub(super) fn begin(&mut self, stack: AddrRange) {
        self.stack = stack;
        self.objects.clear();
        self.sure.clear();
        self.unsure.clear();
        self.too_many = false;
    }

    /// Whether there were more objects, or pointers to them, than any stack has: some are left out.
    pub(super) fn too_many(&self) -> bool {
        self.too_many
    }

    /// Whether a word points into the stack; then it is noted.
    pub(super) fn point(&mut self, to: Addr, unsure: bool) -> bool {
        let inside = self.stack.contains(to);
        if inside {
            let waiting = if unsure { &mut self.unsure } else { &mut self.sure };
            if waiting.len() < MOST { waiting.push(to) } else { self.too_many = true }
        }
        inside
    }

    pub(super) fn add(&mut self, at: Addr, object: &StackObject, frame: Addr) {
        if self.objects.len() >= MOST {
            self.too_many = true;
            return;
        }
        self.objects.push(Placed { at, size: object.size, pointers: Rc::clone(&object.pointers), frame, seen: false });
    }

    /// All are added.
    pub(super) fn index(&mut self) {
        self.objects.sort_by_key(|o| o.at);
    }

    /// Bytes of the object at an address, or around it, from there on; `None` where there is none.
    pub(super) fn bytes_at(&self, at: Addr) -> Option<u64> {
        let index = self.objects.partition_point(|o| o.at <= at).checked_sub(1);
        let object = index.and_then(|i| self.objects.get(i))?;
        u64::from(object.size).checked_sub(at.0 - object.at.0).filter(|left| *left > 0)
    }

    /// The next that something points to, each once; those first that are sure to be pointed to.
    pub(super) fn next(&mut self) -> Option<Reached> {
        loop {
            let (to, unsure) = match self.sure.pop() {
                Some(to) => (to, false),
                None => (self.unsure.pop()?, true),
            };
            let index = self.objects.partition_point(|o| o.at <= to).checked_sub(1);
            let Some(object) = index.and_then(|i| self.objects.get_mut(i)) else { continue };
            if object.seen || to.0 - object.at.0 >= u64::from(object.size) {
                continue;
            }
            object.seen = true;
            return Some(Reached { at: object.at, pointers: Rc::clone(&object.pointers), frame: object.frame, unsure });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_lives_when_something_points_to_it() {
        let object = |offset, size, pointers: &[u32]| StackObject { offset, size, pointers: pointers.into() };
        let mut all = StackObjects::default();
        all.begin(AddrRange { start: Addr(0x1000), end: Addr(0x2000) });
        all.add(Addr(0x1800), &object(-64, 24, &[8]), Addr(7));
        all.add(Addr(0x1100), &object(-32, 16, &[0]), Addr(8));
        all.add(Addr(0x1200), &object(-16, 8, &[0]), Addr(9));
        all.index();
        assert!(!all.point(Addr(0x2000), false), "behind the stack");
        assert!(all.point(Addr(0x1817), false) && all.point(Addr(0x1818), false) && all.point(Addr(0x1100), true));
        let mut seen = Vec::new();
        while let Some(r) = all.next() {
            seen.push((r.at.0, r.frame.0, r.unsure));
            // Whoever reads it finds a pointer to the third in it.
            all.point(Addr(0x1200), r.unsure);
        }
        assert_eq!(seen, [(0x1800, 7, false), (0x1200, 9, false), (0x1100, 8, true)]);
    }
}
