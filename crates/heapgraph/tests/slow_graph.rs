//! Everything that is computed, against a simple slow algorithm: leave one thing out and see what is not
//! reached any more. On random graphs with leaves, several roots, groups, garbage.
#![allow(clippy::unwrap_used)]

#[path = "slow_graph/slow.rs"]
mod slow;

use std::collections::{BTreeMap, BTreeSet};

use lastgasp_heapgraph::{
    Dominators, EdgeWriter, Graph, GroupId, HeapLayout, Holder, ObjectId, Paths, Retained, RootId, Roots, Span,
};
use proptest::prelude::*;
use slow::Slow;

/// A heap as it is made up: slots of three spans, numbered through.
#[derive(Clone, Debug)]
struct Plan {
    /// Slots of each span.
    slots: [u32; 3],
    /// Slots that are free.
    free: BTreeSet<u32>,
    /// From and to, by slot.
    pointers: Vec<(u32, u32)>,
    groups: u32,
    /// The group of each root, and the slots it holds.
    roots: Vec<(Option<u32>, Vec<u32>)>,
}

fn plans() -> impl Strategy<Value = Plan> {
    (prop::array::uniform3(1u32..9), 0u32..4).prop_flat_map(|(slots, groups)| {
        let all = slots.iter().sum::<u32>();
        let near =
            (0..all, -3i64..4).prop_map(move |(a, by)| (a, (i64::from(a) + by).rem_euclid(i64::from(all)) as u32));
        let pointer = prop_oneof![(0..all, 0..all), near];
        let root = (prop::option::of(0..groups + 1), prop::collection::vec(0..all, 0..4));
        (
            prop::collection::btree_set(0..all, 0..4),
            prop::collection::vec(pointer, 0..40),
            prop::collection::vec(root, 0..5),
        )
            .prop_map(move |(free, pointers, roots)| Plan { slots, free, pointers, groups, roots })
    })
}

/// A plan as a graph, and as what the slow algorithm wants.
fn build(plan: &Plan, threads: usize) -> (Graph, Slow) {
    // 24, 3000 and 1 << 20 bytes: two with a reciprocal and one without neighbours on its pages.
    let (sizes, bases) = ([24, 3000, 1 << 20], [0xc0_0000_0000, 0xc0_0000_4000, 0xd0_0000_0000]);
    let spans: Vec<Span> =
        (0..3).map(|i| Span { base: bases[i], slot_bytes: sizes[i], slots: plan.slots[i] }).collect();
    let mut layout = HeapLayout::new(spans.clone());
    let mut addresses = Vec::new();
    for (i, span) in spans.iter().enumerate() {
        let mut bits = vec![0u8; 2];
        for slot in 0..span.slots {
            if !plan.free.contains(&(addresses.len() as u32)) {
                bits[slot as usize / 8] |= 1 << (slot % 8);
            }
            addresses.push(span.base + u64::from(slot) * span.slot_bytes);
        }
        layout.allocate(i, bits);
    }
    let objects: Vec<Option<ObjectId>> = addresses.iter().map(|a| layout.object_at(*a)).collect();
    let address = |slot: u32| addresses[slot as usize] + 7;

    let mut pointers = plan.pointers.clone();
    // The words of an object keep their order.
    pointers.sort_by_key(|p| p.0);
    let mut writers = [EdgeWriter::new(&layout), EdgeWriter::new(&layout)];
    let mut slow = Slow::default();
    let mut begun = None;
    for (from, to) in pointers {
        let Some(object) = objects[from as usize] else { continue };
        let writer = &mut writers[usize::from(from >= plan.slots[0])];
        if begun != Some(from) {
            assert!(writer.object(object));
            begun = Some(from);
        }
        let target = writer.pointer(address(to));
        assert_eq!(target, objects[to as usize]);
        if let Some(target) = target {
            slow.point(Holder::Object(object), Holder::Object(target));
        }
    }
    let parts = writers.into_iter().map(EdgeWriter::finish).collect();

    let mut roots = Roots::new();
    for _ in 0..plan.groups {
        let group = roots.group();
        slow.point(Holder::All, Holder::Group(group));
    }
    for (group, held) in &plan.roots {
        let root = roots.root(group.map(GroupId));
        let above = roots.group_of(root).map_or(Holder::All, Holder::Group);
        slow.point(above, Holder::Root(root));
        for slot in held {
            if let Some(object) = roots.hold(root, &layout, address(*slot)) {
                slow.point(Holder::Root(root), Holder::Object(object));
            }
        }
    }
    for object in objects.into_iter().flatten() {
        slow.bytes.insert(Holder::Object(object), layout.bytes(object));
    }
    (Graph::new(layout, parts, roots, threads).unwrap(), slow)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn dominators_and_retained_sizes(plan in plans(), threads in 1usize..4, most in 1usize..30) {
        let (graph, slow) = build(&plan, threads);
        let dominators = Dominators::of(&graph).unwrap();
        let live = slow.reach(|_| true);
        let objects: BTreeSet<Holder> = dominators.live().iter().map(|o| Holder::Object(ObjectId(o as u32))).collect();
        prop_assert_eq!(&objects, &live.iter().copied().filter(|h| matches!(h, Holder::Object(_))).collect());
        prop_assert_eq!(dominators.total(), slow.weight(&live));
        for holder in slow.holders() {
            let expected = live.contains(&holder).then(|| {
                let rest = slow.reach(|h| h != holder);
                slow.weight(&live.difference(&rest).copied().collect())
            });
            prop_assert_eq!(dominators.retained(&graph, holder), expected, "{:?}", holder);
            prop_assert_eq!(dominators.dominator(&graph, holder), slow.dominator(holder), "{:?}", holder);
            let below: Vec<(Holder, Retained)> = dominators.dominated(&graph, holder, 100);
            prop_assert!(below.iter().all(|(b, r)| slow.dominator(*b) == Some(holder)
                && dominators.retained(&graph, *b) == Some(*r)));
            prop_assert!(below.is_sorted_by_key(|(_, r)| std::cmp::Reverse(*r)));
        }
        let objects: Vec<ObjectId> = objects.iter().filter_map(|h| if let Holder::Object(o) = h { Some(*o) } else { None }).collect();
        for (object, holders) in objects.iter().zip(graph.holders(&objects, 1000)) {
            prop_assert_eq!(holders, slow.pointing_to(Holder::Object(*object)));
        }
        for (object, only) in objects.iter().zip(graph.only_holders(&objects)) {
            let all = slow.pointing_to(Holder::Object(*object));
            prop_assert_eq!(only, if let [one] = all[..] { Some(one) } else { None });
        }
        let top = dominators.top(&graph, most);
        prop_assert_eq!(top[0].holder, Holder::All);
        let nodes = live.iter().filter(|h| graph.numbered() > 0 || !matches!(h, Holder::Object(_))).count();
        prop_assert!(top.len() <= most && (top.len() == most || top.len() <= nodes));
        for (i, node) in top.iter().enumerate().skip(1) {
            prop_assert!(node.dominator < i);
            prop_assert_eq!(Some(top[node.dominator].holder), slow.dominator(node.holder));
            prop_assert_eq!(Some(node.retained), dominators.retained(&graph, node.holder));
        }
        // None that was left out retains more than the least that is there.
        if let Some(least) = top.iter().map(|n| n.retained).min().filter(|_| top.len() == most) {
            let there: BTreeSet<Holder> = top.iter().map(|n| n.holder).collect();
            for (holder, retained) in dominators.largest_objects(&graph, 1000) {
                prop_assert!(there.contains(&holder) || retained <= least);
            }
        }
        let layout = graph.layout();
        let mut owned = BTreeSet::new();
        let bound = layout.bound();
        for (owner, object, sum) in dominators.by_group_and_owner(&graph, bound, |object| Some(object.0)).1 {
            let object = ObjectId(object);
            prop_assert!(owned.insert(object), "twice");
            prop_assert_eq!(owner, slow.owner(Holder::Object(object)));
            prop_assert_eq!(sum, Retained { bytes: layout.bytes(object), objects: 1 });
        }
        prop_assert!(owned.iter().eq(&objects));
        // All of one group by owner, those of the other not at all.
        let mut of_owners: BTreeMap<Holder, Retained> = BTreeMap::new();
        for object in objects.iter().filter(|o| !o.0.is_multiple_of(3)) {
            let own = Retained { bytes: layout.bytes(*object), objects: 1 };
            of_owners.entry(slow.owner(Holder::Object(*object))).or_default().add(own);
        }
        let seventh = |object: ObjectId| (!object.0.is_multiple_of(3)).then_some(7);
        let (totals, by_owner) = dominators.by_group_and_owner(&graph, 8, seventh);
        prop_assert_eq!(totals, dominators.by_group(&graph, 8, seventh));
        let by_owner: BTreeMap<Holder, Retained> = by_owner.into_iter().map(|(owner, _, sum)| (owner, sum)).collect();
        prop_assert_eq!(by_owner, of_owners);
        let garbage = layout.allocated().iter().filter(|o| !dominators.live().contains(*o));
        let garbage: u64 = garbage.map(|o| layout.bytes(ObjectId(o as u32))).sum();
        prop_assert_eq!(garbage + dominators.total().bytes, layout.total().1);
    }

    #[test]
    fn roots_of_a_rank_hold_what_none_below_it_reaches(plan in plans(), ranks in any::<u64>(), threads in 1usize..3) {
        let (mut graph, _) = build(&plan, threads);
        let roots = graph.roots().clone();
        // A group has one rank.
        let rank = |root: RootId| {
            let place = roots.group_of(root).map_or(32 + root.0, |group| group.0);
            (ranks >> (2 * place % 64) & 3) as u32
        };
        let mut settled = roots.clone();
        for highest in 0..3 {
            let reach = graph.reach(|h| !matches!(h, Holder::Root(r) if rank(r) > highest));
            settled.retain(|root, object| rank(root) <= highest || !reach.objects.contains(object.0 as usize));
        }
        let expected = graph.clone().with_roots(settled).unwrap();
        let dominators = Dominators::of(&expected).unwrap();
        let ours = Dominators::settled(&mut graph, rank).unwrap();
        prop_assert_eq!(ours.live(), dominators.live());
        let objects = graph.layout().allocated().iter().map(|o| Holder::Object(ObjectId(o as u32)));
        let roots = (0..roots.len() as u32).map(|r| Holder::Root(RootId(r)));
        let groups = (0..graph.roots().groups() as u32).map(|g| Holder::Group(GroupId(g)));
        for holder in [Holder::All].into_iter().chain(groups).chain(roots.clone()).chain(objects) {
            prop_assert_eq!(ours.retained(&graph, holder), dominators.retained(&expected, holder), "{:?}", holder);
            prop_assert_eq!(ours.dominator(&graph, holder), dominators.dominator(&expected, holder), "{:?}", holder);
        }
        for root in (0..roots.len() as u32).map(RootId) {
            prop_assert!(graph.roots().held_by(root).eq(expected.roots().held_by(root)));
        }
    }

    #[test]
    fn sets(plan in plans(), members in any::<u64>(), roots in any::<u64>(), modulus in 1u32..6) {
        let (graph, slow) = build(&plan, 2);
        let dominators = Dominators::of(&graph).unwrap();
        let live = slow.reach(|_| true);

        let is_in = |h: Holder| match h {
            Holder::Object(o) => members >> (o.0 % 64) & 1 == 1,
            Holder::Root(r) => roots >> r.0 & 1 == 1,
            Holder::Group(_) | Holder::All => false,
        };
        let rest = slow.reach(|h| !is_in(h));
        prop_assert_eq!(
            dominators.retained_together(&graph, is_in),
            slow.weight(&live.difference(&rest).copied().collect())
        );
        let reach = graph.reach(|h| !is_in(h));
        prop_assert_eq!(reach.retained, slow.weight(&rest));
        prop_assert_eq!(reach.objects.count(), reach.retained.objects as usize);

        let group_of = |o: ObjectId| (!o.0.is_multiple_of(7)).then_some(o.0 % modulus);
        let totals = dominators.by_group(&graph, modulus as usize, group_of);
        let all = graph.layout().allocated().iter().map(|o| ObjectId(o as u32));
        let members: Vec<(ObjectId, u32)> = all.filter_map(|o| Some((o, group_of(o)?))).collect();
        let twice: Vec<(ObjectId, u32)> = members.iter().map(|(o, _)| (*o, 0)).chain(members.clone()).collect();
        prop_assert_eq!(&totals, &dominators.of_few(&graph, modulus as usize, &twice));
        for (group, totals) in totals.iter().enumerate() {
            let of_it = |h: &Holder| matches!(h, Holder::Object(o) if group_of(*o) == Some(group as u32));
            let own: BTreeSet<Holder> = live.iter().copied().filter(of_it).collect();
            let kept = own.iter().flat_map(|x| {
                let rest = slow.reach(|h| h != *x);
                live.difference(&rest).copied().collect::<Vec<_>>()
            });
            prop_assert_eq!(totals.own, slow.weight(&own));
            prop_assert_eq!(totals.retained, slow.weight(&kept.collect()));
        }
    }

    #[test]
    fn groups_whose_leaves_are_no_others(plan in plans()) {
        let (graph, slow) = build(&plan, 2);
        let dominators = Dominators::of(&graph).unwrap();
        // As types are: who points is of another group than who does not.
        let group_of = |o: ObjectId| Some(u32::from(slow.points(Holder::Object(o))) + 2 * (o.0 % 2));
        let totals = dominators.by_group(&graph, 4, group_of);
        let live = slow.reach(|_| true);
        for (group, totals) in totals.iter().enumerate() {
            let of_it = |h: &&Holder| matches!(h, Holder::Object(o) if group_of(*o) == Some(group as u32));
            let kept = live.iter().filter(of_it).flat_map(|x| {
                let rest = slow.reach(|h| h != *x);
                live.difference(&rest).copied().collect::<Vec<_>>()
            });
            prop_assert_eq!(totals.retained, slow.weight(&kept.collect()));
        }
    }

    #[test]
    fn paths(plan in plans(), members in any::<u64>(), last in any::<u64>(), most in 1usize..30, kinds in 1u64..4) {
        let (graph, slow) = build(&plan, 2);
        let live = slow.reach(|_| true);
        // Half of the time no root comes last.
        let is_last = |root: RootId| last & 1 == 1 && last >> (root.0 % 63 + 1) & 1 == 1;
        let is_first = |h: Holder| !matches!(h, Holder::Root(root) if is_last(root));
        let paths = Paths::with_last(&graph, |_| true, is_last);
        for object in graph.layout().allocated().iter().map(|o| ObjectId(o as u32)) {
            let target = Holder::Object(object);
            let path = paths.to(&graph, object);
            prop_assert_eq!(path.is_some(), live.contains(&target));
            let Some(path) = path else { continue };
            prop_assert!(matches!(path[0], Holder::Root(_)) && path.last() == Some(&target));
            prop_assert!(path.windows(2).all(|step| slow.is_pointer(step[0], step[1])), "{:?}", path);
            // Of what the first roots lead to that from these; of what they do not, from the last.
            let length = slow.distance(target, is_first).or_else(|| slow.distance(target, |_| true));
            prop_assert_eq!(path.len(), length.unwrap());
        }
        let is_in = |o: ObjectId| members >> (o.0 % 64) & 1 == 1;
        // Step by step along all of them at once: the same paths, of all but folded leaves.
        let roots = (0..graph.roots().len() as u32).map(|r| Holder::Root(RootId(r)));
        let ends = graph.layout().allocated().iter().map(|o| ObjectId(o as u32)).filter(|o| is_in(*o));
        let ends: Vec<Holder> = roots.chain(ends.map(Holder::Object)).collect();
        let mut ways: Vec<Vec<Holder>> = vec![Vec::new()];
        let numbers = paths.along(&graph, &ends, |before, from, to| {
            let mut way = ways[before as usize].clone();
            assert_eq!(way.last().copied().unwrap_or(Holder::All), from);
            way.push(to);
            ways.push(way);
            ways.len() as u32 - 1
        });
        for (end, number) in ends.iter().zip(numbers) {
            let way = number.map(|number| ways[number as usize].clone());
            let expected = match end {
                Holder::Object(object) => paths.to(&graph, *object).filter(|_| !graph.is_folded(*object)),
                root => Some(vec![*root]),
            };
            prop_assert_eq!(way, expected);
        }
        let few: Vec<ObjectId> = graph.layout().allocated().iter().map(|o| ObjectId(o as u32)).filter(|o| is_in(*o)).collect();
        let to_few = Paths::to_those(&graph, |_| true, &few);
        let all = Paths::of(&graph, |_| true);
        prop_assert!(few.iter().all(|o| to_few.to(&graph, *o) == all.to(&graph, *o)));
        let set = live.iter().copied().filter(|h| matches!(h, Holder::Object(o) if is_in(*o))).collect();
        let label = |from: Holder, to: Holder| {
            assert!(from == Holder::All || slow.is_pointer(from, to));
            match to { Holder::Object(o) => u64::from(o.0) % kinds, Holder::Root(RootId(r)) => 100 + u64::from(r), _ => unreachable!() }
        };
        let steps = paths.merged(&graph, is_in, label, most);
        prop_assert!(steps.len() <= most);
        prop_assert_eq!(steps[0].through, slow.weight(&set));
        for (i, step) in steps.iter().enumerate().skip(1) {
            prop_assert!(step.before < i);
        }
        let bytes: u64 = steps.iter().map(|s| s.ending.bytes).sum();
        prop_assert_eq!(bytes, slow.weight(&set).bytes);
        // Of all objects, whether they are asked for one by one or not. Roots that hold nothing have steps in
        // one of them alone: what counts is the labels on the way.
        let merged = |set: Option<&dyn Fn(ObjectId) -> bool>| {
            let (mut label, mut found) = (label, Vec::new());
            let (steps, ends) =
                paths.merged_telling(&graph, set, &mut label, usize::MAX, &mut |o, step| found.push((o.0, step)));
            let all = graph.layout().allocated().iter().map(|o| o as u32);
            found.extend(all.filter_map(|o| Some((o, ends.of(&graph, ObjectId(o))? as usize))));
            let labels = |(object, mut step): (u32, usize)| {
                let mut labels = Vec::new();
                while step != 0 {
                    labels.push((steps[step].label, steps[step].ending));
                    step = steps[step].before;
                }
                (object, labels)
            };
            found.into_iter().map(labels).collect::<Vec<_>>()
        };
        prop_assert_eq!(merged(None), merged(Some(&|_| true)));
    }
}
