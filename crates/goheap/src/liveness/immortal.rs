//! Who is woken for ever by its own timer, with a way out (`case <-ctx.Done()`) to which nobody but itself
//! leads: it will poll until the process ends.

use lastgasp_heapgraph::{ObjectId, RootId};
use rustc_hash::FxHashMap;

use super::fixpoint::{Place, Scene, Start};
use super::reached::Reached;

/// A goroutine that its own timer wakes: its root, and the channels that would be its way out.
pub(super) struct Timed {
    pub(super) root: RootId,
    pub(super) ways_out: Vec<u32>,
}

/// Which of `timed` nothing else can ever reach. `start` says what each root is when timers wake nobody.
pub(super) fn immortal(
    scene: &Scene<'_>,
    timed: &[Timed],
    start: impl Fn(RootId) -> Start,
    is_timer: impl Fn(u32) -> bool,
) -> Vec<bool> {
    let out = scene.reckon(start, |thing| !is_timer(thing));
    let reached = |thing: u32| out.things.get(thing as usize).is_none_or(|(r, _)| *r != Reached::Never);
    // Each may lead to the way out of another, which can then be woken by it.
    let mut leads = Leads::default();
    let left: Vec<(u32, &Timed)> =
        (0u32..).zip(timed).filter(|(_, t)| !t.ways_out.iter().any(|w| reached(*w))).collect();
    for (number, timed) in &left {
        leads.follow(scene, *number, timed.root);
    }
    let mut is_immortal = vec![false; timed.len()];
    for (number, timed) in left {
        let own = |thing: &u32| match scene.places.get(*thing as usize) {
            Some(Place::Slot(object)) => leads.by.get(object).is_none_or(|by| *by == number),
            _ => false,
        };
        if let Some(is) = is_immortal.get_mut(number as usize) {
            *is = !timed.ways_out.is_empty() && timed.ways_out.iter().all(own);
        }
    }
    is_immortal
}

/// Which one of several roots leads to each object.
#[derive(Default)]
struct Leads {
    by: FxHashMap<ObjectId, u32>,
}

/// Several do.
const MANY: u32 = u32::MAX;

impl Leads {
    /// All that a root leads to is its own, or shared where another came by before, and all that hangs on
    /// that: each object is gone through twice at most, whatever the number of roots.
    fn follow(&mut self, scene: &Scene<'_>, number: u32, root: RootId) {
        let mut waiting: Vec<(ObjectId, u32)> = scene.roots.held_by(root).map(|o| (o, number)).collect();
        while let Some((object, by)) = waiting.pop() {
            let known = self.by.get(&object).copied();
            let said = match known {
                None => by,
                Some(known) if known == by || known == MANY => continue,
                Some(_) => MANY,
            };
            self.by.insert(object, said);
            if !scene.is_closed(object) {
                waiting.extend(scene.graph.pointers_of(object).into_iter().map(|to| (to, said)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use lastgasp_heapgraph::{EdgeWriter, Graph, HeapLayout, Roots, Span};

    use super::*;

    #[test]
    fn who_alone_has_its_way_out_is_immortal() {
        // Root 0 runs. 2 has 10 for itself; 3 has 11, to which 0 leads; 4 and 5 both have 12 through 20, and
        // 5 has 13 for itself.
        let mut layout = HeapLayout::new(vec![Span { base: 0xc000, slot_bytes: 64, slots: 64 }]);
        layout.allocate_all(0);
        let at = |n: u64| 0xc000 + 64 * n;
        let mut writer = EdgeWriter::new(&layout);
        for (from, to) in [(1, 11), (20, 21), (21, 12)] {
            writer.object(ObjectId(from));
            writer.pointer(at(to));
        }
        let part = writer.finish();
        let mut roots = Roots::new();
        for objects in [&[1][..], &[], &[10, 30], &[11], &[21, 12, 20], &[20, 13]] {
            let root = roots.root(None);
            objects.iter().for_each(|o| {
                roots.hold(root, &layout, at(*o));
            });
        }
        let graph = Graph::new(layout, vec![part], roots, 1).unwrap();
        let mut scene = Scene::new(&graph, graph.roots());
        // 30 is a timer's channel, to which the runtime leads.
        scene.places = [10, 11, 12, 13, 30].map(|o| Place::Slot(ObjectId(o))).to_vec();
        let ways = [(2, vec![0]), (3, vec![1]), (4, vec![2]), (5, vec![2, 3]), (5, vec![3]), (2, vec![])];
        scene.blocked = ways.iter().map(|(root, things)| (RootId(*root), things.clone())).collect();
        let timed: Vec<Timed> =
            ways.into_iter().map(|(root, ways_out)| Timed { root: RootId(root), ways_out }).collect();
        let start = |root: RootId| if root.0 == 0 { Start::Runs } else { Start::Woken };
        let out = immortal(&scene.index(), &timed[..4], start, |thing| thing == 4);
        assert_eq!(out, [true, false, false, false]);
        let mut scene = Scene::new(&graph, graph.roots());
        scene.places = [10, 11, 12, 13, 30].map(|o| Place::Slot(ObjectId(o))).to_vec();
        let out = immortal(&scene.index(), &timed[4..], start, |thing| thing == 4);
        assert_eq!(out, [true, false], "without a way out it is what it was made for");
    }
}
