//! The reckoning of who can be woken: a walk over the graph that goes on with a goroutine's stack once what
//! it waits for is reached. Every object is gone through once, whatever the number of goroutines.

use lastgasp_heapgraph::{Bits, Graph, ObjectId, RootId, Roots, Walk};
use rustc_hash::FxHashMap;

use super::reached::{By, Reached};

/// What a root is to the reckoning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// It runs, or what runs comes by it: a goroutine, a finalizer, a variable of the runtime.
    Runs,
    /// A package variable.
    Variable,
    /// A goroutine that goes on once something wakes it.
    Woken,
    /// It holds nothing by itself.
    Never,
}

/// Where something that is waited for stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In a slot that it has for itself or with the struct that it is of.
    Slot(ObjectId),
    /// In a slot of several tiny objects: who owns it is told one by one.
    Shared,
    /// On the stack of a goroutine.
    Stack(RootId),
    /// In a package variable.
    Variable,
    /// Where we see no pointers: C, the runtime's own.
    Outside,
}

/// What is given to the reckoning; things that are waited for and goroutines that wait are numbers.
pub(super) struct Scene<'a> {
    pub(super) graph: &'a Graph,
    /// Roots with all that each holds, what others hold too.
    pub(super) roots: &'a Roots,
    /// Of each thing where it stands.
    pub(super) places: Vec<Place>,
    /// Of each blocked goroutine its root, and the things that it waits for.
    pub(super) blocked: Vec<(RootId, Vec<u32>)>,
    /// Things in shared slots by the objects, and by the roots, that may own them.
    pub(super) owned_by_object: FxHashMap<ObjectId, Vec<u32>>,
    pub(super) owned_by_root: FxHashMap<RootId, Vec<u32>>,
    /// Objects whose pointers do not count: what the runtime has of those that wait.
    pub(super) closed: Vec<ObjectId>,
    /// What can run begins with these too, that are no roots: objects that timers which are set and the
    /// scheduler lead to, and things in shared slots.
    pub(super) at_once: Vec<(ObjectId, By)>,
    /// The same of timers that send on channels: these, the channels, and nothing else.
    pub(super) senders: Vec<ObjectId>,
    /// Arrays by which the runtime has timers.
    pub(super) timer_heaps: Vec<ObjectId>,
    pub(super) things_at_once: Vec<(u32, By)>,
    /// What weak pointers lead to, by what they are made of.
    pub(super) weak: FxHashMap<ObjectId, Vec<ObjectId>>,
    /// Things in slots of their own, by slot. Made by [`Scene::index`], as what follows.
    in_slot: FxHashMap<ObjectId, Vec<u32>>,
    on_stack: FxHashMap<RootId, Vec<u32>>,
    waiters: Vec<Vec<u32>>,
    /// Objects at which there is more to do than to go on.
    special: Bits,
    shut: Bits,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Reckoned {
    /// Of each thing how it was reached, and from which root first.
    pub(super) things: Vec<(Reached, By)>,
    /// Of each blocked goroutine how it is woken, and from which root.
    pub(super) goroutines: Vec<(Reached, By)>,
    /// Times that stacks were added.
    pub(super) rounds: u32,
}

impl<'a> Scene<'a> {
    pub(super) fn new(graph: &'a Graph, roots: &'a Roots) -> Self {
        Self {
            graph,
            roots,
            places: Vec::new(),
            blocked: Vec::new(),
            owned_by_object: FxHashMap::default(),
            owned_by_root: FxHashMap::default(),
            closed: Vec::new(),
            at_once: Vec::new(),
            senders: Vec::new(),
            timer_heaps: Vec::new(),
            things_at_once: Vec::new(),
            weak: FxHashMap::default(),
            in_slot: FxHashMap::default(),
            on_stack: FxHashMap::default(),
            waiters: Vec::new(),
            special: Bits::default(),
            shut: Bits::default(),
        }
    }

    /// All is given.
    pub(super) fn index(mut self) -> Self {
        self.waiters = vec![Vec::new(); self.places.len()];
        for (goroutine, (_, things)) in (0..).zip(&self.blocked) {
            for thing in things {
                if let Some(waiters) = self.waiters.get_mut(*thing as usize) {
                    waiters.push(goroutine);
                }
            }
        }
        for (thing, place) in (0..).zip(&self.places) {
            match place {
                Place::Slot(object) => self.in_slot.entry(*object).or_default().push(thing),
                Place::Stack(root) => self.on_stack.entry(*root).or_default().push(thing),
                Place::Shared | Place::Variable | Place::Outside => {}
            }
        }
        self.special = Bits::new(self.graph.layout().bound());
        let all = self.in_slot.keys().chain(self.owned_by_object.keys()).chain(&self.closed).chain(self.weak.keys());
        let all = all.chain(&self.timer_heaps);
        all.for_each(|object| {
            self.special.insert(object.0 as usize);
        });
        self.shut = Bits::new(self.graph.layout().bound());
        self.closed.iter().for_each(|object| {
            self.shut.insert(object.0 as usize);
        });
        self
    }

    /// Whether an object's pointers do not count.
    pub(super) fn is_closed(&self, object: ObjectId) -> bool {
        self.shut.contains(object.0 as usize)
    }

    /// Reckons it. `start` says what each root is; `wakes` whether what is reached wakes those that wait for
    /// it.
    pub(super) fn reckon(&self, start: impl Fn(RootId) -> Start, wakes: impl Fn(u32) -> bool) -> Reckoned {
        let senders = self.senders.iter().map(|object| (*object, By::Timer));
        self.reckon_from((senders.chain(self.at_once.iter().copied()), &[]), start, wakes).0
    }

    /// The same as if no timer sent on a channel: what is reached then is reached by others. Also tells which
    /// objects are.
    pub(super) fn reckon_without_senders(
        &self,
        start: impl Fn(RootId) -> Start,
        wakes: impl Fn(u32) -> bool,
    ) -> (Reckoned, Walk<'a>) {
        // A thread of the scheduler that is about to send has them too.
        let mut senders = Bits::new(self.graph.layout().bound());
        self.senders.iter().for_each(|object| {
            senders.insert(object.0 as usize);
        });
        let others = self.at_once.iter().copied().filter(|(object, _)| !senders.contains(object.0 as usize));
        self.reckon_from((others, &self.timer_heaps), start, wakes)
    }

    fn reckon_from(
        &self,
        (at_once, shut): (impl Iterator<Item = (ObjectId, By)> + Clone, &[ObjectId]),
        start: impl Fn(RootId) -> Start,
        wakes: impl Fn(u32) -> bool,
    ) -> (Reckoned, Walk<'a>) {
        let mut state = State {
            scene: self,
            out: Reckoned {
                things: vec![Default::default(); self.places.len()],
                goroutines: vec![Default::default(); self.blocked.len()],
                rounds: 0,
            },
            next: Vec::new(),
            colour: Reached::ByRunning,
            left: self.places.len(),
            shut,
        };
        let mut walk = Walk::new(self.graph);
        let roots = || (0..self.roots.len() as u32).map(RootId);
        for (colour, kind, place) in [
            (Reached::ByRunning, Start::Runs, Place::Outside),
            (Reached::ByVariables, Start::Variable, Place::Variable),
        ] {
            state.colour = colour;
            for (thing, _) in (0..).zip(&self.places).filter(|(_, p)| **p == place) {
                state.reach(thing, By::Itself, &wakes);
            }
            if kind == Start::Runs {
                self.things_at_once.iter().for_each(|(thing, by)| state.reach(*thing, *by, &wakes));
                at_once.clone().for_each(|(object, by)| state.object(object, by, &mut walk, &wakes));
            }
            let mut now: Vec<RootId> = roots().filter(|root| start(*root) == kind).collect();
            now.append(&mut state.next);
            while !now.is_empty() {
                state.out.rounds += 1;
                for root in now {
                    state.root(root, &mut walk, &wakes);
                }
                now = std::mem::take(&mut state.next);
            }
        }
        (state.out, walk)
    }
}

struct State<'s, 'a> {
    scene: &'s Scene<'a>,
    out: Reckoned,
    /// Roots of goroutines that were woken and are not gone through yet.
    next: Vec<RootId>,
    colour: Reached,
    /// How many of the things that are waited for nothing has reached. Without any there is nothing to walk
    /// for: in a healthy program that is so long before all of its heap is gone through.
    left: usize,
    /// Few objects whose pointers do not count, beside those of the scene.
    shut: &'s [ObjectId],
}

impl State<'_, '_> {
    /// Goes through what a root holds.
    fn root(&mut self, root: RootId, walk: &mut Walk<'_>, wakes: &impl Fn(u32) -> bool) {
        let scene = self.scene;
        let by = By::Root(root);
        for things in [scene.owned_by_root.get(&root), scene.on_stack.get(&root)].into_iter().flatten() {
            things.iter().for_each(|thing| self.reach(*thing, by, wakes));
        }
        for object in scene.roots.held_by(root) {
            self.object(object, by, walk, wakes);
        }
    }

    /// Goes through all that an object leads to.
    fn object(&mut self, object: ObjectId, by: By, walk: &mut Walk<'_>, wakes: &impl Fn(u32) -> bool) {
        let scene = self.scene;
        // What weak pointers lead to is none of the graph's.
        let mut behind = vec![object];
        while let Some(object) = behind.pop().filter(|_| self.left > 0) {
            walk.from(object, |object| {
                if self.left == 0 {
                    return false;
                }
                if !scene.special.contains(object.0 as usize) {
                    return true;
                }
                // The record of who waits for a lock points to that lock.
                let is_closed = scene.is_closed(object) || self.shut.contains(&object);
                let owned = scene.owned_by_object.get(&object).filter(|_| !is_closed);
                for things in [scene.in_slot.get(&object), owned].into_iter().flatten() {
                    things.iter().for_each(|thing| self.reach(*thing, by, wakes));
                }
                behind.extend(scene.weak.get(&object).into_iter().flatten());
                !is_closed
            });
        }
    }

    /// Something that is waited for is reached: who waits for it is woken.
    fn reach(&mut self, thing: u32, by: By, wakes: &impl Fn(u32) -> bool) {
        let Some(reached) = self.out.things.get_mut(thing as usize).filter(|(r, _)| *r == Reached::Never) else {
            return;
        };
        *reached = (self.colour, by);
        self.left -= 1;
        if !wakes(thing) {
            return;
        }
        for waiter in self.scene.waiters.get(thing as usize).into_iter().flatten() {
            if let Some(woken) = self.out.goroutines.get_mut(*waiter as usize)
                && woken.0 == Reached::Never
            {
                *woken = (self.colour, by);
                self.next.extend(self.scene.blocked.get(*waiter as usize).map(|(root, _)| *root));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use lastgasp_heapgraph::{EdgeWriter, HeapLayout, Span};

    use super::*;

    const BASE: u64 = 0xc000;

    fn at(n: u64) -> u64 {
        BASE + 64 * n
    }

    /// Sixty-four objects of 64 bytes with these pointers, and roots that hold these.
    fn graph(pointers: &[(u32, &[u64])], held: &[&[u64]]) -> Graph {
        let mut layout = HeapLayout::new(vec![Span { base: BASE, slot_bytes: 64, slots: 64 }]);
        layout.allocate_all(0);
        let mut writer = EdgeWriter::new(&layout);
        for (from, to) in pointers {
            writer.object(ObjectId(*from));
            to.iter().for_each(|to| {
                writer.pointer(at(*to));
            });
        }
        let part = writer.finish();
        let mut roots = Roots::new();
        for objects in held {
            let root = roots.root(None);
            objects.iter().for_each(|o| {
                roots.hold(root, &layout, at(*o));
            });
        }
        Graph::new(layout, vec![part], roots, 1).unwrap()
    }

    fn slots(objects: &[u32]) -> Vec<Place> {
        objects.iter().map(|o| Place::Slot(ObjectId(*o))).collect()
    }

    /// The first root runs, the second is a variable, the others are goroutines that wait.
    fn start(root: RootId) -> Start {
        match root.0 {
            0 => Start::Runs,
            1 => Start::Variable,
            _ => Start::Woken,
        }
    }

    fn colours(all: &[(Reached, By)]) -> Vec<Reached> {
        all.iter().map(|(reached, _)| *reached).collect()
    }

    const RUN: Reached = Reached::ByRunning;
    const VAR: Reached = Reached::ByVariables;
    const NO: Reached = Reached::Never;

    #[test]
    fn who_is_woken_wakes_others_and_who_is_left_is_lost() {
        // The runner leads to channel 10; who waits for that holds 11; who waits for that holds 12. A
        // variable leads to 13, and who waits for it holds 14. 15 and 16: two goroutines that each hold what
        // the other waits for.
        let graph = graph(&[(1, &[10])], &[&[1], &[13], &[11], &[12], &[], &[14], &[], &[15], &[16]]);
        let mut scene = Scene::new(&graph, graph.roots());
        scene.places = slots(&[10, 11, 12, 13, 14, 15, 16]);
        scene.blocked = [(2, 0), (3, 1), (4, 2), (5, 3), (6, 4), (7, 6), (8, 5)]
            .map(|(root, thing)| (RootId(root), vec![thing]))
            .to_vec();
        let scene = scene.index();
        let out = scene.reckon(start, |_| true);
        assert_eq!(colours(&out.goroutines), [RUN, RUN, RUN, VAR, VAR, NO, NO]);
        assert_eq!(out.things[2], (RUN, By::Root(RootId(3))), "by the goroutine that was woken before it");
        assert_eq!(out.things[4], (VAR, By::Root(RootId(5))));
        assert_eq!(out.rounds, 4 + 3, "those that run and three that are woken, then variables and two");
        let out = scene.reckon(start, |thing| thing != 0);
        assert_eq!(colours(&out.goroutines), [NO, NO, NO, VAR, VAR, NO, NO]);
        assert_eq!(out.things[0].0, RUN, "reached, but it wakes nobody");
    }

    #[test]
    fn a_select_is_woken_by_any_of_its_cases() {
        let graph = graph(&[], &[&[11], &[], &[]]);
        let mut scene = Scene::new(&graph, graph.roots());
        scene.places = slots(&[10, 11]);
        scene.blocked = vec![(RootId(2), vec![0, 1])];
        let out = scene.index().reckon(start, |_| true);
        assert_eq!((colours(&out.goroutines), colours(&out.things)), (vec![RUN], vec![NO, RUN]));
    }

    #[test]
    fn what_the_runtime_has_of_those_that_wait_leads_nowhere() {
        // A variable of the runtime leads to a record of who waits, and that to the lock.
        let graph = graph(&[(1, &[2]), (2, &[10, 3])], &[&[1], &[], &[10]]);
        let mut scene = Scene::new(&graph, graph.roots());
        scene.places = slots(&[10]);
        scene.blocked = vec![(RootId(2), vec![0])];
        scene.closed = vec![ObjectId(2)];
        let out = scene.index().reckon(start, |_| true);
        assert_eq!(colours(&out.goroutines), [NO]);
    }

    #[test]
    fn a_shared_slot_is_reached_by_who_may_own_what_is_in_it() {
        // Both lead to the slot; only object 2 has a pointer to the mutex itself.
        for (owner, want) in [(1, RUN), (2, VAR), (3, NO)] {
            let graph = graph(&[(1, &[10]), (2, &[10]), (3, &[10])], &[&[1], &[2], &[10]]);
            let mut scene = Scene::new(&graph, graph.roots());
            scene.places = vec![Place::Shared];
            scene.blocked = vec![(RootId(2), vec![0])];
            scene.owned_by_object.insert(ObjectId(owner), vec![0]);
            assert_eq!(colours(&scene.index().reckon(start, |_| true).goroutines), [want]);
        }
        // The runtime's record of who waits for it.
        let graph = graph(&[(1, &[10])], &[&[1], &[], &[10]]);
        let mut scene = Scene::new(&graph, graph.roots());
        scene.places = vec![Place::Shared];
        scene.blocked = vec![(RootId(2), vec![0])];
        scene.owned_by_object.insert(ObjectId(1), vec![0]);
        scene.closed = vec![ObjectId(1)];
        assert_eq!(colours(&scene.index().reckon(start, |_| true).goroutines), [NO]);
    }

    #[test]
    fn a_shared_slot_is_reached_by_the_root_that_may_own_what_is_in_it() {
        let graph = graph(&[], &[&[10], &[], &[10]]);
        for (owner, want) in [(0, RUN), (1, VAR), (2, NO)] {
            let mut scene = Scene::new(&graph, graph.roots());
            scene.places = vec![Place::Shared];
            scene.blocked = vec![(RootId(2), vec![0])];
            scene.owned_by_root.insert(RootId(owner), vec![0]);
            assert_eq!(colours(&scene.index().reckon(start, |_| true).goroutines), [want]);
        }
    }

    #[test]
    fn what_a_timer_leads_to_is_reached() {
        let graph = graph(&[(1, &[10])], &[&[], &[], &[]]);
        let mut scene = Scene::new(&graph, graph.roots());
        scene.places = slots(&[10]);
        scene.blocked = vec![(RootId(2), vec![0])];
        scene.at_once = vec![(ObjectId(1), By::Timer)];
        assert_eq!(scene.index().reckon(start, |_| true).goroutines, [(RUN, By::Timer)]);
    }

    #[test]
    fn a_weak_pointer_leads_to_what_it_is_of() {
        let graph = graph(&[(1, &[5]), (6, &[10])], &[&[1], &[], &[6]]);
        let mut scene = Scene::new(&graph, graph.roots());
        scene.places = slots(&[10]);
        scene.blocked = vec![(RootId(2), vec![0])];
        scene.weak.insert(ObjectId(5), vec![ObjectId(6)]);
        assert_eq!(colours(&scene.index().reckon(start, |_| true).goroutines), [RUN]);
    }

    #[test]
    fn what_stands_on_a_stack_is_had_by_that_goroutine_and_package_variables_by_all() {
        let graph = graph(&[], &[&[], &[], &[], &[]]);
        let mut scene = Scene::new(&graph, graph.roots());
        scene.places = vec![Place::Stack(RootId(0)), Place::Stack(RootId(2)), Place::Variable, Place::Outside];
        scene.blocked = (2..6).zip([1, 0, 2, 3]).map(|(root, thing)| (RootId(root), vec![thing])).collect();
        let out = scene.index().reckon(start, |_| true);
        assert_eq!(colours(&out.goroutines), [NO, RUN, VAR, RUN]);
    }
}
