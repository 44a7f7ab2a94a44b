//! Graphs so large that their pointers are sorted part by part and owners stand in many rows, held against
//! another algorithm.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use lastgasp_heapgraph::{Dominators, EdgeWriter, Graph, HeapLayout, Holder, ObjectId, Retained, RootId, Roots, Span};

const OBJECTS: u32 = 300_000;
const ROOTS: u32 = 2_000;
const BYTES: u64 = 16;
const BASE: u64 = 0xc0_0000_0000;

/// The same numbers every time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % u64::from(n)) as u32
    }
}

/// What each object points to: its neighbours mostly, now and then anything. All of them point somewhere.
fn pointers(seed: u64, far: u32) -> Vec<Vec<u32>> {
    let mut dice = Dice(seed);
    let mut target = |from: u32| {
        if dice.below(1000) < far { dice.below(OBJECTS) } else { (from + 1 + dice.below(50)) % OBJECTS }
    };
    (0..OBJECTS).map(|from| (0..1 + from % 3).map(|_| target(from)).collect()).collect()
}

fn graph(pointers: &[Vec<u32>], held: &[u32]) -> Graph {
    let mut layout = HeapLayout::new(vec![Span { base: BASE, slot_bytes: BYTES, slots: OBJECTS }]);
    layout.allocate_all(0);
    let mut writer = EdgeWriter::new(&layout);
    for (from, to) in (0..).zip(pointers) {
        writer.object(ObjectId(from));
        for to in to {
            writer.pointer(BASE + u64::from(*to) * BYTES);
        }
    }
    let part = writer.finish();
    let mut roots = Roots::new();
    for object in held {
        let root = roots.root(None);
        roots.hold(root, &layout, BASE + u64::from(*object) * BYTES);
    }
    Graph::new(layout, vec![part], roots, 2).unwrap()
}

/// Immediate dominators by going round until nothing changes (Cooper, Harvey, Kennedy, A Simple, Fast
/// Dominance Algorithm, 2001): node 0 is all roots, then roots, then objects; `None` of garbage.
fn going_round(pointers: &[Vec<u32>], held: &[u32]) -> Vec<Option<usize>> {
    let roots = held.len();
    let targets = |node: usize| -> Vec<usize> {
        match node {
            0 => (1..=roots).collect(),
            n if n <= roots => vec![1 + roots + held[n - 1] as usize],
            n => pointers[n - 1 - roots].iter().map(|to| 1 + roots + *to as usize).collect(),
        }
    };
    let count = 1 + roots + pointers.len();
    let (mut order, mut seen) = (Vec::new(), vec![false; count]);
    let mut stack = vec![(0usize, 0usize)];
    seen[0] = true;
    while let Some((node, next)) = stack.pop() {
        match targets(node).get(next) {
            Some(to) => {
                stack.push((node, next + 1));
                if !std::mem::replace(&mut seen[*to], true) {
                    stack.push((*to, 0));
                }
            }
            None => order.push(node),
        }
    }
    let mut place = vec![usize::MAX; count];
    order.iter().enumerate().for_each(|(i, node)| place[*node] = i);
    let mut sources = vec![Vec::new(); count];
    for from in order.iter().copied() {
        targets(from).into_iter().for_each(|to| sources[to].push(from));
    }
    let mut found: Vec<Option<usize>> = vec![None; count];
    found[0] = Some(0);
    let mut changed = true;
    while changed {
        changed = false;
        for node in order.iter().rev().copied().filter(|node| *node != 0) {
            let mut new: Option<usize> = None;
            for source in sources[node].iter().copied().filter(|source| found[*source].is_some()) {
                new = Some(new.map_or(source, |mut a| {
                    let mut b = source;
                    while a != b {
                        while place[a] < place[b] {
                            a = found[a].unwrap();
                        }
                        while place[b] < place[a] {
                            b = found[b].unwrap();
                        }
                    }
                    a
                }));
            }
            changed |= found[node] != new;
            found[node] = new;
        }
    }
    found
}

#[test]
fn dominators_and_owners_of_many_are_those_of_another_algorithm() {
    for (seed, far) in [(1, 0), (2, 2), (3, 200)] {
        let pointers = pointers(seed, far);
        let mut dice = Dice(seed ^ 0xff);
        let held: Vec<u32> = (0..ROOTS).map(|_| dice.below(OBJECTS / 2)).collect();
        let graph = graph(&pointers, &held);
        let dominators = Dominators::of(&graph).unwrap();
        let wanted = going_round(&pointers, &held);
        let first = 1 + held.len();
        let holder = |node: usize| match node {
            0 => Holder::All,
            n if n < first => Holder::Root(RootId(n as u32 - 1)),
            n => Holder::Object(ObjectId((n - first) as u32)),
        };
        for object in (0..OBJECTS).filter(|o| !graph.is_folded(ObjectId(*o))) {
            let found = dominators.dominator(&graph, Holder::Object(ObjectId(object)));
            assert_eq!(found, wanted[first + object as usize].map(holder), "{seed}: {object}");
        }
        // Owners: up the same tree, to what is no object.
        let mut owned: BTreeMap<(Holder, u32), Retained> = BTreeMap::new();
        for object in 0..OBJECTS {
            let mut at = first + object as usize;
            while at >= first {
                let Some(above) = wanted[at] else { break };
                at = above;
            }
            if at < first {
                let sum = owned.entry((holder(at), object % 7)).or_default();
                sum.add(Retained { bytes: BYTES, objects: 1 });
            }
        }
        let (_, told) = dominators.by_group_and_owner(&graph, 7, |object| Some(object.0 % 7));
        let told: BTreeMap<(Holder, u32), Retained> = told.into_iter().map(|(h, g, r)| ((h, g), r)).collect();
        assert_eq!(told, owned, "{seed}");
    }
}

/// A group's number takes two bytes up to 65,535 groups, and four beyond.
#[test]
fn groups_are_told_apart_on_both_sides_of_two_bytes() {
    let pointers = pointers(11, 20);
    let graph = graph(&pointers, &(0..ROOTS).map(|i| i * 149).collect::<Vec<_>>());
    let dominators = Dominators::of(&graph).unwrap();
    let totals = |groups: u32| {
        let last_but = |object: ObjectId| Some(groups - 1 - object.0 % 3);
        dominators.by_group(&graph, groups as usize, last_but).split_off(groups as usize - 3)
    };
    let (two, four) = (totals(65_535), totals(65_536));
    assert!(two.iter().all(|g| g.own.objects > 0), "{two:?}");
    assert_eq!(format!("{two:?}"), format!("{four:?}"));
}
