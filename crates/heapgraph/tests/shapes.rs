//! Known shapes, large ones and hostile ones: exact answers, no stack that overflows, no time that explodes.
#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use lastgasp_heapgraph::{
    Dominators, EdgeWriter, Graph, HeapLayout, Holder, ObjectId, Paths, Refused, Retained, RootId, Roots, Span,
};

const BASE: u64 = 0xc0_0000_0000;
const BYTES: u64 = 16;

fn address(object: u32) -> u64 {
    BASE + u64::from(object) * BYTES
}

fn object(n: u32) -> Holder {
    Holder::Object(ObjectId(n))
}

/// `objects` of 16 bytes, what each points to, and what each root holds.
fn graph(objects: u32, pointers: impl Fn(u32) -> Vec<u32>, held: &[&[u32]]) -> Graph {
    let mut layout = HeapLayout::new(vec![Span { base: BASE, slot_bytes: BYTES, slots: objects }]);
    layout.allocate_all(0);
    let mut writer = EdgeWriter::new(&layout);
    for from in 0..objects {
        writer.object(ObjectId(from));
        for to in pointers(from) {
            writer.pointer(address(to));
        }
    }
    let part = writer.finish();
    let mut roots = Roots::new();
    for held in held {
        let root = roots.root(None);
        for o in *held {
            roots.hold(root, &layout, address(*o));
        }
    }
    Graph::new(layout, vec![part], roots, 2).unwrap()
}

/// Far above what any of these takes in an unoptimised build on a busy machine, far below a square of steps.
fn at_once<T>(work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let out = work();
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
    out
}

fn retained(objects: u32) -> Retained {
    Retained { bytes: u64::from(objects) * BYTES, objects }
}

#[test]
fn a_chain_of_a_million() {
    const N: u32 = 1_000_000;
    let chain = graph(N, |n| if n + 1 < N { vec![n + 1] } else { Vec::new() }, &[&[0]]);
    at_once(|| {
        let dominators = Dominators::of(&chain).unwrap();
        assert_eq!(chain.numbered(), N as usize - 1);
        for n in [0, 1, 17, N / 2, N - 2, N - 1] {
            assert_eq!(dominators.retained(&chain, object(n)), Some(retained(N - n)), "{n}");
        }
        assert_eq!(dominators.dominator(&chain, object(N - 1)), Some(object(N - 2)));
        // Of one type: the first keeps all.
        assert_eq!(dominators.by_group(&chain, 1, |_| Some(0))[0].retained, retained(N));
        let paths = Paths::of(&chain, |_| true);
        assert_eq!(paths.to(&chain, ObjectId(N - 1)).unwrap().len(), N as usize + 1);
        // A root, the first, and its links as one step that repeats.
        let steps = paths.merged(&chain, |_| true, |_, to| u64::from(to != Holder::Root(RootId(0))), 100);
        assert_eq!(steps.iter().map(|s| s.repeats).collect::<Vec<_>>(), [false, false, true]);
        assert_eq!(steps[2].ending, retained(N));
        assert_eq!(chain.reach(|h| h != object(N / 2)).retained, retained(N / 2));
    });
}

/// Links that stand in arrays, as of a skip list: a pair of steps that repeats.
#[test]
fn a_list_whose_links_stand_in_arrays() {
    const N: u32 = 1_000;
    // Entries are even, and each has an array, odd, which leads to the next entry.
    let list = graph(N, |n| if n + 1 < N { vec![n + 1] } else { Vec::new() }, &[&[0]]);
    let label = |from: Holder, to: Holder| match (from, to) {
        (_, Holder::Root(_)) => 1,
        (Holder::Root(_), _) => 2,
        (_, Holder::Object(o)) => 3 + u64::from(o.0 % 2),
        _ => 0,
    };
    let steps = Paths::of(&list, |_| true).merged(&list, |_| true, label, 100);
    assert_eq!(steps.iter().map(|s| s.label).collect::<Vec<_>>(), [0, 1, 2, 4, 3, 4]);
    let ending: Vec<u32> = steps.iter().map(|s| s.ending.objects).collect();
    assert_eq!(ending, [0, 0, 1, 1, N / 2 - 1, N / 2 - 1]);
}

#[test]
fn a_ring_of_a_million_held_at_two_places() {
    const N: u32 = 1_000_000;
    let ring = graph(N, |n| vec![(n + 1) % N, (n + N - 1) % N], &[&[0], &[N / 2]]);
    at_once(|| {
        let dominators = Dominators::of(&ring).unwrap();
        for n in [0, 1, N / 2, N - 1] {
            assert_eq!(dominators.dominator(&ring, object(n)), Some(Holder::All), "{n}");
            assert_eq!(dominators.retained(&ring, object(n)), Some(retained(1)));
        }
        assert_eq!(dominators.retained(&ring, Holder::Root(RootId(0))), Some(retained(0)));
        assert_eq!(dominators.retained_together(&ring, |h| h != Holder::All), retained(N));
    });
}

/// What takes Semi-NCA a square of steps without jumps: the values of a list, held by an index too.
#[test]
fn a_list_with_an_index() {
    const N: u32 = 300_000;
    // 0 is the index; 1 to N are the list; the values come behind, shared.
    let pointers = |n| match n {
        0 => (N + 1..=2 * N).collect(),
        n if n == N => vec![2 * N],
        n if n < N => vec![n + 1, n + N],
        _ => Vec::new(),
    };
    let list = graph(2 * N + 1, pointers, &[&[1], &[0]]);
    at_once(|| {
        let dominators = Dominators::of(&list).unwrap();
        assert_eq!(dominators.retained(&list, object(1)), Some(retained(N)));
        assert_eq!(dominators.retained(&list, object(0)), Some(retained(1)));
        assert_eq!(dominators.dominator(&list, object(2 * N)), Some(Holder::All));
        assert_eq!(dominators.total(), retained(2 * N + 1));
    });
}

#[test]
fn a_clique() {
    const N: u32 = 700;
    let clique = graph(N, |_| (0..N).collect(), &[&[5]]);
    assert_eq!(clique.pointers(), u64::from(N * (N - 1)));
    let dominators = Dominators::of(&clique).unwrap();
    assert_eq!(dominators.retained(&clique, object(5)), Some(retained(N)));
    let below = dominators.dominated(&clique, object(5), 10_000);
    assert_eq!(below.len(), N as usize - 1);
    assert!(below.iter().all(|(_, r)| *r == retained(1)));
    assert_eq!(dominators.dominated(&clique, object(5), 3), below[..3]);
}

#[test]
fn diamonds_one_below_another() {
    // 3k -> 3k + 1, 3k + 2 -> 3k + 3.
    const N: u32 = 100_000;
    let pointers = |n| match n % 3 {
        _ if n >= 3 * N => Vec::new(),
        0 => vec![n + 1, n + 2],
        1 => vec![n + 2],
        _ => vec![n + 1],
    };
    let diamonds = graph(3 * N + 1, pointers, &[&[0]]);
    let dominators = Dominators::of(&diamonds).unwrap();
    for k in [0, 1, N / 2, N] {
        assert_eq!(dominators.retained(&diamonds, object(3 * k)), Some(retained(3 * (N - k) + 1)));
    }
    assert_eq!(dominators.dominator(&diamonds, object(3 * N)), Some(object(3 * N - 3)));
    assert_eq!(dominators.retained(&diamonds, object(1)), Some(retained(1)));
}

#[test]
fn one_object_with_a_million_pointers() {
    const N: u32 = 1_000_000;
    let array = graph(N, |n| if n == 0 { (0..N).rev().collect() } else { Vec::new() }, &[&[0], &[7]]);
    let dominators = Dominators::of(&array).unwrap();
    assert_eq!(array.numbered(), 2);
    assert_eq!(dominators.retained(&array, object(0)), Some(retained(N - 1)));
    assert_eq!(dominators.dominator(&array, object(7)), Some(Holder::All));
    assert_eq!(dominators.dominator(&array, object(8)), Some(object(0)));
    assert_eq!(array.pointers_of(ObjectId(0)).len(), N as usize - 1);
}

/// The pointers of one object in several entries, and all that they lead to with a number.
#[test]
fn one_object_with_many_pointers_to_others_with_pointers() {
    const N: u32 = 200_000;
    // 0 holds 1..N, each of which holds the next.
    let held = graph(N, |n| if n == 0 { (1..N).rev().collect() } else { vec![(n + 1) % N] }, &[&[0]]);
    let dominators = Dominators::of(&held).unwrap();
    assert_eq!(held.numbered(), N as usize);
    assert_eq!(dominators.retained(&held, object(0)), Some(retained(N)));
    assert!((1..N).all(|n| dominators.retained(&held, object(n)) == Some(retained(1))));
    assert_eq!(Paths::of(&held, |_| true).to(&held, ObjectId(N / 2)).unwrap().len(), 3);
    assert_eq!(held.reach(|h| h != object(77)).retained, retained(N - 1));
}

#[test]
fn nothing_at_all() {
    let nothing = Graph::new(HeapLayout::new(Vec::new()), Vec::new(), Roots::new(), 0).unwrap();
    let dominators = Dominators::of(&nothing).unwrap();
    assert_eq!(dominators.total(), Retained::default());
    assert_eq!(dominators.retained(&nothing, object(0)), None);
    assert_eq!(dominators.dominator(&nothing, Holder::All), None);
    assert!(dominators.largest_objects(&nothing, 5).is_empty());
    assert_eq!(Paths::of(&nothing, |_| true).merged(&nothing, |_| true, |_, _| 0, 0).len(), 1);
    assert_eq!(nothing.reach(|_| true).retained, Retained::default());

    // Objects without roots, a root that holds nothing, one that points nowhere.
    let mut layout = HeapLayout::new(vec![Span { base: BASE, slot_bytes: BYTES, slots: 3 }]);
    layout.allocate(0, [0b011]);
    let mut roots = Roots::new();
    let (root, _) = (roots.root(None), roots.root(None));
    for nowhere in [0, 1, BASE - 1, address(2), address(3), u64::MAX] {
        assert_eq!(roots.hold(root, &layout, nowhere), None);
    }
    assert_eq!(roots.hold(RootId(9), &layout, BASE), None);
    assert_eq!(roots.outside(), 7);
    let graph = Graph::new(layout, Vec::new(), roots, 9).unwrap();
    let dominators = Dominators::of(&graph).unwrap();
    assert_eq!(dominators.retained(&graph, Holder::Root(root)), Some(Retained::default()));
    assert_eq!(dominators.retained(&graph, object(0)), None);
    assert_eq!(Paths::of(&graph, |_| true).to(&graph, ObjectId(0)), None);
}

/// What was made with another heap, or of random words: no panic, and what is not there is not found.
#[test]
fn what_does_not_fit_together() {
    let large = graph(10_000, |n| vec![n / 2, n * 7 % 10_000, 9_999], &[&[0], &[9_999]]);
    let mut small = HeapLayout::new(vec![Span { base: BASE, slot_bytes: BYTES, slots: 100 }]);
    small.allocate_all(0);
    let mut writer = EdgeWriter::new(large.layout());
    for n in 0..10_000 {
        writer.object(ObjectId(n));
        let mut word = u64::from(n) | 1;
        for _ in 0..20 {
            word = word.wrapping_mul(0x5851_f42d_4c95_7f2d).rotate_left(17) ^ 0x1405_7b7e_f767_814f;
            writer.pointer(word);
            writer.pointer(BASE + word % 200_000);
        }
        assert!(n == 0 || !writer.object(ObjectId(n - 1)));
        assert!(!writer.object(ObjectId(u32::MAX)));
        assert_eq!(writer.pointer(BASE), Some(ObjectId(0)));
    }
    let part = writer.finish();
    let roots = large.roots().clone();
    let mixed = Graph::new(small, vec![part.clone(), part], roots, 2).unwrap();
    assert!(mixed.refused() != Refused::default());
    let dominators = Dominators::of(&mixed).unwrap();
    assert!(dominators.total().bytes <= 100 * BYTES);
    for n in (0..20_000).chain([u32::MAX]) {
        dominators.retained(&mixed, object(n));
        // Of the larger one, asked by numbers of the smaller.
        dominators.retained(&large, object(n));
    }
    dominators.by_group(&mixed, 3, |o| Some(o.0));
    let paths = Paths::of(&mixed, |_| true);
    (0..200).for_each(|n| drop(paths.to(&mixed, ObjectId(n))));
    paths.merged(&mixed, |_| true, |_, _| 1, 10);
}

#[test]
fn groups_of_roots_retain_what_only_they_hold() {
    // Two goroutines of one group share 0 -> 1; a third, of none, holds 2 with one of them.
    let mut layout = HeapLayout::new(vec![Span { base: BASE, slot_bytes: BYTES, slots: 3 }]);
    layout.allocate_all(0);
    let mut writer = EdgeWriter::new(&layout);
    writer.object(ObjectId(0));
    writer.pointer(address(1));
    let part = writer.finish();
    let mut roots = Roots::new();
    let group = roots.group();
    let (a, b, c) = (roots.root(Some(group)), roots.root(Some(group)), roots.root(None));
    for (root, n) in [(a, 0), (b, 0), (b, 2), (c, 2)] {
        assert!(roots.hold(root, &layout, address(n)).is_some());
    }
    let graph = Graph::new(layout, vec![part], roots, 2).unwrap();
    let dominators = Dominators::of(&graph).unwrap();
    assert_eq!(dominators.retained(&graph, Holder::Group(group)), Some(retained(2)));
    assert_eq!(dominators.retained(&graph, Holder::Root(a)), Some(retained(0)));
    assert_eq!(dominators.dominator(&graph, object(0)), Some(Holder::Group(group)));
    assert_eq!(dominators.dominator(&graph, object(2)), Some(Holder::All));
    let holders = graph.holders(&[ObjectId(2), ObjectId(77), ObjectId(1), ObjectId(2)], 9);
    assert_eq!(holders[0], [Holder::Root(b), Holder::Root(c)]);
    assert_eq!((&holders[1][..], &holders[2][..], &holders[3]), (&[][..], &[object(0)][..], &holders[0]));
}

/// A chain that two hold is nobody's alone; held by the first alone, it is the first's, leaves and all.
#[test]
fn the_same_graph_held_by_others() {
    let chain = |n| if n < 3 { vec![n + 1] } else { Vec::new() };
    let both = graph(5, chain, &[&[0], &[1, 3, 4]]);
    let of = |graph: &Graph| {
        let dominators = Dominators::of(graph).unwrap();
        [0, 1].map(|r| dominators.retained(graph, Holder::Root(RootId(r))).unwrap())
    };
    assert_eq!(of(&both), [retained(1), retained(1)]);
    let of_first = both.reach(|h| h != Holder::Root(RootId(1))).objects;
    let mut roots = both.roots().clone();
    roots.retain(|root, o| root == RootId(0) || !of_first.contains(o.0 as usize));
    let both = both.with_roots(roots).unwrap();
    assert_eq!(of(&both), [retained(4), retained(1)]);
}

/// A processor, its list, a timer of somebody's with a pointer back, and what another timer keeps.
#[test]
fn what_only_a_list_is_asked_for_is_nobody_elses() {
    // 0 lists 1, which keeps 2 and 3; who holds 2, a timer, is led back to 1, and to the list itself.
    let edges = |n: u32| match n {
        0 => vec![1],
        1 => vec![2, 3],
        2 => vec![1, 0],
        _ => vec![],
    };
    let plain = graph(4, edges, &[&[0], &[2], &[1, 0]]);
    let retained = |g: &Graph, root| {
        let dominators = Dominators::of(g).unwrap();
        (dominators.retained(g, Holder::Root(RootId(root))).unwrap().bytes, dominators.total().bytes)
    };
    assert_eq!((retained(&plain, 0), retained(&plain, 1)), ((0, 4 * BYTES), (0, 4 * BYTES)));
    let mut of_lists = plain.clone();
    of_lists.only_by(&[ObjectId(1)], &[ObjectId(0)], |root| root == RootId(0));
    // The list keeps the processor and what the other timer has; whoever holds the timer nothing of it.
    assert_eq!((retained(&of_lists, 0), retained(&of_lists, 1)), ((3 * BYTES, 4 * BYTES), (0, 4 * BYTES)));
    let path = Paths::with_last(&of_lists, |_| true, |root| root == RootId(0)).to(&of_lists, ObjectId(3)).unwrap();
    assert_eq!(path[0], Holder::Root(RootId(0)));
}
