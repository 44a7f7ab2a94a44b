//! Who is woken for ever by its own timer, with a way out (`case <-ctx.Done()`) to which nobody but itself
//! leads, or with none at all: it will poll until the process ends.

use lastgasp_heapgraph::{ObjectId, RootId, Walk};
use rustc_hash::{FxHashMap, FxHashSet};

use super::fixpoint::{Place, Scene, Start};
use super::reached::Reached;

/// A goroutine that its own timer wakes.
pub(super) struct Timed {
    pub(super) root: RootId,
    /// Its `g`, to which its own frames of the runtime and the runtime's lists lead.
    pub(super) own: Option<ObjectId>,
    /// The timers' channels.
    pub(super) timers: Vec<u32>,
    /// The channels that would be its way out.
    pub(super) ways_out: Vec<u32>,
    /// Whether its timer has just sent, and it is about to run.
    pub(super) fired: bool,
}

/// Who else leads to what a goroutine would need to end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Immortal {
    /// Somebody does, or may.
    #[default]
    No,
    /// Nobody.
    Yes,
    /// Nobody leads to its timers, and it waits for nothing else; nor does anybody to anything that its stack
    /// has, and there is something: it works for itself alone.
    ForItself,
}

/// Which of `timed` nothing else can ever reach. `start` says what each root is when timers wake nobody.
pub(super) fn immortal(
    scene: &Scene<'_>,
    timed: &[Timed],
    start: impl Fn(RootId) -> Start,
    is_timer: impl Fn(u32) -> bool,
) -> Vec<Immortal> {
    // Those whose timers have sent run, and that is no more than their timers waking them; but one that
    // somebody else leads to may do what it likes.
    let fired: FxHashMap<RootId, &Timed> = timed.iter().filter(|t| t.fired).map(|t| (t.root, t)).collect();
    let mut free: FxHashSet<RootId> = FxHashSet::default();
    let reckon = |free: &FxHashSet<RootId>| {
        let held = |root: RootId| fired.contains_key(&root) && !free.contains(&root);
        scene.reckon_without_senders(
            |root| if held(root) { Start::Never } else { start(root) },
            |thing| !is_timer(thing),
        )
    };
    let is_reached = |out: &super::fixpoint::Reckoned, thing: u32| {
        out.things.get(thing as usize).is_none_or(|(r, _)| *r != Reached::Never)
    };
    let is_open = |out: &super::fixpoint::Reckoned, t: &Timed| {
        let needs = if t.ways_out.is_empty() { &t.timers } else { &t.ways_out };
        needs.iter().any(|thing| is_reached(out, *thing))
    };
    let (mut out, mut walk) = reckon(&free);
    loop {
        let new: Vec<RootId> =
            fired.iter().filter(|(r, t)| !free.contains(r) && is_open(&out, t)).map(|(r, _)| *r).collect();
        if new.is_empty() {
            break;
        }
        free.extend(new);
        (out, walk) = reckon(&free);
    }
    // Each may lead to the way out of another, which can then be woken by it.
    let mut leads = Leads::default();
    let left: Vec<(u32, &Timed)> = (0u32..).zip(timed).filter(|(_, t)| !is_open(&out, t)).collect();
    for (number, timed) in &left {
        leads.follow(scene, *number, timed.root);
    }
    let mut found = vec![Immortal::No; timed.len()];
    for (number, timed) in left {
        if let Some(found) = found.get_mut(number as usize) {
            *found = one(scene, &leads, &walk, number, timed);
        }
    }
    found
}

/// Of one whose way out nobody else leads to that is none of them.
fn one(scene: &Scene<'_>, leads: &Leads, walk: &Walk<'_>, number: u32, timed: &Timed) -> Immortal {
    let is_own_object = |object: &ObjectId| leads.by.get(object).is_none_or(|by| *by == number);
    let slot = |thing: &u32| match scene.places.get(*thing as usize) {
        Some(Place::Slot(object)) => Some(*object),
        _ => None,
    };
    let is_own = |thing: &u32| slot(thing).is_some_and(|object| is_own_object(&object));
    if !timed.ways_out.is_empty() {
        return if timed.ways_out.iter().all(is_own) { Immortal::Yes } else { Immortal::No };
    }
    if !timed.timers.iter().all(is_own) {
        return Immortal::No;
    }
    let of_timers: FxHashSet<ObjectId> = timed.timers.iter().filter_map(slot).collect();
    // The ticker itself is what leads to its channel.
    let is_ticker = |object: &ObjectId| {
        of_timers.contains(object) || scene.graph.pointers_of(*object).iter().any(|to| of_timers.contains(to))
    };
    let held: Vec<ObjectId> = scene.roots.held_by(timed.root).filter(|o| !is_ticker(o)).collect();
    let held: Vec<ObjectId> = held.into_iter().filter(|o| Some(*o) != timed.own && !scene.is_closed(*o)).collect();
    let alone = !held.is_empty() && held.iter().all(|o| is_own_object(o) && !walk.has_reached(*o));
    if alone { Immortal::ForItself } else { Immortal::Yes }
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
            if !scene.is_closed(object) && !scene.timer_heaps.contains(&object) {
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
        let of = |(root, ways_out)| Timed { root: RootId(root), own: None, timers: vec![4], ways_out, fired: false };
        let mut timed: Vec<Timed> = ways.into_iter().map(of).collect();
        let start = |root: RootId| if root.0 == 0 { Start::Runs } else { Start::Woken };
        let scene = scene.index();
        let is_timer = |thing| thing == 4;
        use Immortal::{ForItself, No, Yes};
        assert_eq!(immortal(&scene, &timed[..4], start, is_timer), [Yes, No, No, No]);
        // 13 is its own, and of another that has only that.
        assert_eq!(immortal(&scene, &timed[4..5], start, is_timer), [Yes]);
        // 10 is its own beside the timer's channel.
        assert_eq!(immortal(&scene, &timed[5..], start, is_timer), [ForItself]);
        // Whose timer has sent is about to run: what it has is its own still.
        let runs = |root: RootId| if root.0 == 2 { Start::Runs } else { start(root) };
        assert_eq!(immortal(&scene, &timed[..1], runs, is_timer), [No]);
        timed[0].fired = true;
        assert_eq!(immortal(&scene, &timed[..1], runs, is_timer), [Yes]);
    }

    #[test]
    fn who_has_no_way_out_works_for_itself_if_nobody_else_has_what_it_has() {
        // 10 is the timer's channel, 11 its ticker; 12 is a state, to which 0 leads or not.
        let mut layout = HeapLayout::new(vec![Span { base: 0xc000, slot_bytes: 64, slots: 64 }]);
        layout.allocate_all(0);
        let at = |n: u64| 0xc000 + 64 * n;
        let mut writer = EdgeWriter::new(&layout);
        for (from, to) in [(11, 10), (13, 12)] {
            writer.object(ObjectId(from));
            writer.pointer(at(to));
        }
        let part = writer.finish();
        let mut roots = Roots::new();
        for objects in [&[13][..], &[], &[11, 12], &[11], &[11, 14]] {
            let root = roots.root(None);
            objects.iter().for_each(|o| {
                roots.hold(root, &layout, at(*o));
            });
        }
        let graph = Graph::new(layout, vec![part], roots, 1).unwrap();
        let start = |root: RootId| if root.0 == 0 { Start::Runs } else { Start::Woken };
        for (root, want) in [(2, Immortal::Yes), (3, Immortal::Yes), (4, Immortal::ForItself)] {
            let mut scene = Scene::new(&graph, graph.roots());
            scene.places = vec![Place::Slot(ObjectId(10))];
            scene.blocked = vec![(RootId(root), vec![0])];
            // The timer is set.
            scene.senders = vec![ObjectId(10), ObjectId(11)];
            let timed = [Timed { root: RootId(root), own: None, timers: vec![0], ways_out: vec![], fired: false }];
            assert_eq!(immortal(&scene.index(), &timed, start, |_| true), [want], "{root}");
        }
    }
}
