//! The graph: objects, their pointers, roots, and who of them needs a number.
//!
//! A leaf (an object that points nowhere) with one holder is dominated by that holder, and dominates nothing.
//! It is folded: its bytes are its holder's, and it needs no number. A leaf that several hold is dominated by
//! what dominates all of them, so it has a number like any object with pointers. Strings, slices of bytes and
//! boxed numbers are leaves, and most have one holder.

use std::fmt;
use std::sync::Arc;

use crate::bits::{Bits, Ranked};
use crate::edges::{EdgePart, Edges, Piece, Refused};
use crate::layout::{HeapLayout, ObjectId};
use crate::roots::{GroupId, RootId, Roots};

/// What keeps an object: another, or something outside the heap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Holder {
    /// All roots together: no single one of them keeps it.
    All,
    /// The roots of one group.
    Group(GroupId),
    /// One root.
    Root(RootId),
    /// One object.
    Object(ObjectId),
}

/// More nodes or pointers than 32 bits number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLarge;

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the heap has more objects or pointers than can be numbered")
    }
}

impl std::error::Error for TooLarge {}

/// A heap's objects and who points to whom.
#[derive(Clone, Debug)]
pub struct Graph {
    layout: Arc<HeapLayout>,
    pub(crate) edges: Edges,
    roots: Roots,
    /// Objects that are no folded leaves, nor garbage that points nowhere.
    pub(crate) numbered: Ranked,
    /// How many pointers of each run of pieces lead to these.
    to_numbered: Vec<u64>,
    refused: Refused,
    threads: usize,
    /// What is held for certain, where others only may hold some of it: see [`Graph::is_cut`].
    for_certain: Option<Bits>,
    /// Objects, and who alone is to be asked who leads to them: see [`Graph::only_by`]. Both sorted.
    only_by: Option<(Vec<u32>, Vec<u32>)>,
}

/// The node of all roots together.
pub(crate) const ALL: u32 = 0;
/// No node.
pub(crate) const NONE: u32 = u32::MAX;

impl Graph {
    /// Puts together what was read: the layout, the pointers in the parts in which they were written, the
    /// roots. `threads` work on it and on what is asked of it later; answers do not depend on how many.
    ///
    /// # Errors
    /// Where there are 2^30 nodes or more: of objects there are fewer.
    pub fn new(
        layout: impl Into<Arc<HeapLayout>>,
        parts: Vec<EdgePart>,
        roots: Roots,
        threads: usize,
    ) -> Result<Self, TooLarge> {
        let (layout, threads) = (layout.into(), threads.clamp(1, 64));
        let (edges, refused) = Edges::new(parts);
        let numbered = Ranked::new(Bits::new(0)).ok_or(TooLarge)?;
        let to_numbered = Vec::new();
        Self {
            layout,
            edges,
            roots: Roots::new(),
            numbered,
            to_numbered,
            refused,
            threads,
            for_certain: None,
            only_by: None,
        }
        .with_roots(roots)
    }

    /// The same objects and pointers, held by others.
    ///
    /// # Errors
    /// As [`Graph::new`].
    pub fn with_roots(mut self, mut roots: Roots) -> Result<Self, TooLarge> {
        roots.tidy(&self.layout);
        let (numbered, to_numbered) = numbered(&self.layout, &self.edges, &roots, self.threads);
        self.numbered = Ranked::new(numbered).ok_or(TooLarge)?;
        self.to_numbered = to_numbered;
        self.roots = roots;
        let nodes = self.objects_from() as u64 + u64::from(self.numbered.count());
        // Whoever walks notes two bits beside each.
        if nodes < 1 << 30 { Ok(self) } else { Err(TooLarge) }
    }

    /// Takes from roots what `gone` says, each of which another holds too. Objects keep their numbers.
    pub(crate) fn let_go(&mut self, gone: impl Fn(RootId, ObjectId) -> bool) {
        self.roots.retain(|root, object| !gone(root, object));
    }

    /// Takes note of what is held for certain.
    pub(crate) fn prefer(&mut self, for_certain: Bits) {
        self.for_certain = Some(for_certain);
    }

    /// Lets nobody but `by` be said to lead to some objects, and nobody but roots that `lists` to `by`: for
    /// dominators and paths. What is reached stays the same, as long as those roots hold `by`, and these
    /// point to the objects.
    pub fn only_by(&mut self, objects: &[ObjectId], by: &[ObjectId], lists: impl Fn(RootId) -> bool) {
        if objects.is_empty() {
            return;
        }
        let sorted = |of: &[ObjectId]| {
            let mut of: Vec<u32> = of.iter().map(|o| o.0).collect();
            of.sort_unstable();
            of
        };
        let (objects, by) = (sorted(objects), sorted(by));
        let is_one = |of: &[u32], object: ObjectId| of.binary_search(&object.0).is_ok();
        self.let_go(|root, object| is_one(&objects, object) || is_one(&by, object) && !lists(root));
        self.only_by = Some((objects, by));
    }

    /// Whether a pointer says nothing of who holds its target: that is held for certain, and what points to
    /// it may be garbage; or others alone are to be asked.
    pub(crate) fn is_cut(&self, from: u32, to: u32) -> bool {
        if let Some((objects, by)) = &self.only_by {
            // Most pointers lead elsewhere.
            let is_one = |of: &[u32], object: u32| {
                of.first().is_some_and(|first| *first <= object)
                    && of.last().is_some_and(|last| object <= *last)
                    && of.binary_search(&object).is_ok()
            };
            if is_one(objects, to) && !is_one(by, from) || is_one(by, to) {
                return true;
            }
        }
        let is_certain = |certain: &Bits| !certain.contains(from as usize) && certain.contains(to as usize);
        self.for_certain.as_ref().is_some_and(is_certain)
    }

    /// Where objects are.
    pub fn layout(&self) -> &HeapLayout {
        &self.layout
    }

    /// What holds objects from outside.
    pub fn roots(&self) -> &Roots {
        &self.roots
    }

    /// What was given and is not in the graph.
    pub fn refused(&self) -> Refused {
        self.refused
    }

    /// How many pointers between objects there are.
    pub fn pointers(&self) -> u64 {
        self.edges.count()
    }

    /// How many objects have a number of their own: all but folded leaves and garbage without pointers.
    pub fn numbered(&self) -> usize {
        self.numbered.count() as usize
    }

    /// Bytes of memory that the pointers take.
    pub fn pointer_memory(&self) -> usize {
        self.edges.memory()
    }

    /// The objects that `object` points to, in the order of its words; one that stands in several words may
    /// be named more than once.
    pub fn pointers_of(&self, object: ObjectId) -> Vec<ObjectId> {
        let mut targets = Vec::new();
        self.edges.of(object.0, |to| targets.push(ObjectId(to)));
        targets
    }

    /// What holds each of `objects` directly: roots, then objects by number, at most `most` of each. Looks
    /// once at every pointer there is, however many are asked for.
    pub fn holders(&self, objects: &[ObjectId], most: usize) -> Vec<Vec<Holder>> {
        let mut sorted: Vec<ObjectId> = objects.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        let mut wanted = Bits::new(self.layout.bound());
        for object in &sorted {
            wanted.insert(object.0 as usize);
        }
        let place = |object: u32| sorted.binary_search(&ObjectId(object)).ok();
        let add = |lists: &mut Vec<Vec<Holder>>, object: u32, holder: Holder| {
            let list = wanted.contains(object as usize).then(|| place(object)).flatten();
            if let Some(list) = list.map(|at| &mut lists[at])
                && list.len() < most
                && list.last() != Some(&holder)
            {
                list.push(holder);
            }
        };
        let mut out = vec![Vec::new(); sorted.len()];
        self.roots.held().iter().for_each(|(root, object)| add(&mut out, object.0, Holder::Root(*root)));
        let runs = self.in_runs(|run| {
            let mut lists = vec![Vec::new(); sorted.len()];
            self.edges.each(run, |from, to| {
                to.iter().for_each(|to| add(&mut lists, *to, Holder::Object(ObjectId(from))));
            });
            lists
        });
        for (list, more) in runs.into_iter().flat_map(|lists| lists.into_iter().enumerate()) {
            let room = most - out[list].len();
            out[list].extend(more.into_iter().take(room));
        }
        objects.iter().map(|o| place(o.0).map_or_else(Vec::new, |at| out[at].clone())).collect()
    }

    /// What alone holds each of `objects` directly; `None` where several do, or nothing. As
    /// [`Graph::holders`], in 12 bytes for each that is asked for.
    pub fn only_holders(&self, objects: &[ObjectId]) -> Vec<Option<Holder>> {
        if objects.is_empty() {
            return Vec::new();
        }
        let mut wanted = Bits::new(self.layout.bound());
        for object in objects {
            wanted.insert(object.0 as usize);
        }
        let Some(wanted) = Ranked::new(wanted) else { return vec![None; objects.len()] };
        /// Who came first to each, and who is not the only one to come.
        struct Met {
            first: Vec<u32>,
            several: Bits,
        }
        let fresh = || Met { first: vec![NONE; wanted.count() as usize], several: Bits::new(wanted.count() as usize) };
        let meet = |met: &mut Met, at: u32, holder: u32| {
            let first = &mut met.first[at as usize];
            if *first == NONE {
                *first = holder;
            } else if *first != holder {
                met.several.insert(at as usize);
            }
        };
        let runs = self.in_runs(|run| {
            let mut met = fresh();
            self.edges.each(run, |from, to| {
                to.iter().filter_map(|to| wanted.rank(*to)).for_each(|at| meet(&mut met, at, from));
            });
            met
        });
        let (mut by_root, mut by_object) = (fresh(), fresh());
        for (root, object) in self.roots.held() {
            if let Some(at) = wanted.rank(object.0) {
                meet(&mut by_root, at, root.0);
            }
        }
        for run in runs {
            by_object.several.unite(&run.several);
            for (at, holder) in (0..).zip(run.first).filter(|(_, holder)| *holder != NONE) {
                meet(&mut by_object, at, holder);
            }
        }
        let only = |object: &ObjectId| {
            let at = wanted.rank(object.0)? as usize;
            if by_root.several.contains(at) || by_object.several.contains(at) {
                return None;
            }
            match (by_root.first[at], by_object.first[at]) {
                (NONE, NONE) => None,
                (root, NONE) => Some(Holder::Root(RootId(root))),
                (NONE, object) => Some(Holder::Object(ObjectId(object))),
                _ => None,
            }
        };
        objects.iter().map(only).collect()
    }

    /// Whether an object is a leaf with one holder: it keeps itself alone, and what holds it keeps it.
    pub fn is_folded(&self, object: ObjectId) -> bool {
        self.node_of(object.0).is_none()
    }

    /// The only holder of a folded leaf.
    pub(crate) fn holder_of_leaf(&self, leaf: ObjectId) -> Option<Holder> {
        self.only_holders(&[leaf]).into_iter().flatten().next()
    }

    /// Node of the first object; before it are all, the groups, the roots.
    pub(crate) fn objects_from(&self) -> usize {
        1 + self.roots.groups() + self.roots.len()
    }

    /// How many nodes there are.
    pub(crate) fn nodes(&self) -> usize {
        self.objects_from() + self.numbered()
    }

    pub(crate) fn node_of_group(&self, group: GroupId) -> u32 {
        1 + group.0
    }

    pub(crate) fn node_of_root(&self, root: RootId) -> u32 {
        1 + self.roots.groups() as u32 + root.0
    }

    /// The node of an object, if it has one.
    pub(crate) fn node_of(&self, object: u32) -> Option<u32> {
        self.numbered.rank(object).map(|rank| self.objects_from() as u32 + rank)
    }

    /// What a node stands for.
    pub(crate) fn holder(&self, node: u32) -> Option<Holder> {
        let groups = self.roots.groups() as u32;
        if node == ALL {
            return Some(Holder::All);
        }
        if node <= groups {
            return Some(Holder::Group(GroupId(node - 1)));
        }
        match node.checked_sub(self.objects_from() as u32) {
            None => Some(Holder::Root(RootId(node - 1 - groups))),
            Some(rank) => self.numbered.select(rank).map(|o| Holder::Object(ObjectId(o))),
        }
    }

    /// The node that stands for something; `None` for a folded leaf, or what there is not.
    pub(crate) fn node(&self, holder: Holder) -> Option<u32> {
        match holder {
            Holder::All => Some(ALL),
            Holder::Group(g) => ((g.0 as usize) < self.roots.groups()).then(|| self.node_of_group(g)),
            Holder::Root(r) => ((r.0 as usize) < self.roots.len()).then(|| self.node_of_root(r)),
            Holder::Object(o) => self.node_of(o.0),
        }
    }

    /// Calls `each` with the nodes that are no objects and what they hold: nodes of groups and roots first,
    /// then for every root its objects, with and without node.
    pub(crate) fn outside_nodes(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        let groups = (0..self.roots.groups() as u32).map(|g| (ALL, self.node_of_group(GroupId(g))));
        let roots = (0..self.roots.len() as u32).map(RootId).map(|r| {
            let above = self.roots.group_of(r).map_or(ALL, |g| self.node_of_group(g));
            (above, self.node_of_root(r))
        });
        groups.chain(roots)
    }

    /// Works on all pointers, a run of pieces a thread; results are in the order of the objects, as many as
    /// threads at most.
    pub(crate) fn in_runs<T: Send>(&self, work: impl Fn(&[Piece]) -> T + Sync) -> Vec<T> {
        let pieces = self.pieces();
        on_threads(&runs(&pieces, self.threads), self.threads, |run| work(run))
    }

    /// All pointers in pieces.
    pub(crate) fn pieces(&self) -> Vec<Piece> {
        pieces(&self.edges, self.threads)
    }

    /// Runs of those pieces, with the number of pointers of each that lead to what has a number of its own.
    pub(crate) fn counted_runs<'p>(&self, pieces: &'p [Piece]) -> Vec<(&'p [Piece], u64)> {
        runs(pieces, self.threads).into_iter().zip(self.to_numbered.iter().copied()).collect()
    }

    pub(crate) fn threads(&self) -> usize {
        self.threads
    }
}

/// Pieces of which each thread has so many: about equal ones, as they are in about equal bytes.
const PIECES_A_THREAD: usize = 16;

/// All pointers in pieces.
fn pieces(edges: &Edges, threads: usize) -> Vec<Piece> {
    edges.pieces(threads * PIECES_A_THREAD)
}

/// Neighbouring pieces for each thread.
fn runs(pieces: &[Piece], threads: usize) -> Vec<&[Piece]> {
    pieces.chunks(pieces.len().div_ceil(threads).max(1)).collect()
}

/// Does `work` for each of `items`, a run of neighbours a thread; results are in their order. A thread that
/// cannot be had is done without.
pub(crate) fn on_threads<I: Sync, T: Send>(items: &[I], threads: usize, work: impl Fn(&I) -> T + Sync) -> Vec<T> {
    if threads < 2 || items.len() < 2 {
        return items.iter().map(work).collect();
    }
    let work = &work;
    let run = items.len().div_ceil(threads);
    std::thread::scope(|scope| {
        let (mine, others) = items.split_at(run);
        let started: Vec<_> = others
            .chunks(run)
            .map(|run| {
                let thread = std::thread::Builder::new();
                (run, thread.spawn_scoped(scope, move || run.iter().map(work).collect::<Vec<T>>()))
            })
            .collect();
        let mut out: Vec<T> = mine.iter().map(work).collect();
        for (run, thread) in started {
            match thread.map(|t| t.join()) {
                Ok(Ok(results)) => out.extend(results),
                Ok(Err(panic)) => std::panic::resume_unwind(panic),
                Err(_) => out.extend(run.iter().map(work)),
            }
        }
        out
    })
}

/// The objects that need a number: those with pointers, and those with several holders; and how many pointers
/// of each run of pieces lead to such.
fn numbered(layout: &HeapLayout, edges: &Edges, roots: &Roots, threads: usize) -> (Bits, Vec<u64>) {
    /// Objects with pointers, with a holder, with more than one; and how many pointers there are.
    struct Seen {
        pointing: Bits,
        held: Bits,
        shared: Bits,
        pointers: u64,
    }
    let fresh = || {
        let bits = || Bits::new(layout.bound());
        Seen { pointing: bits(), held: bits(), shared: bits(), pointers: 0 }
    };
    let pieces = pieces(edges, threads);
    let seen = on_threads(&runs(&pieces, threads), threads, |run| {
        let mut seen = fresh();
        edges.each(run, |from, to| {
            seen.pointing.insert(from as usize);
            seen.pointers += to.len() as u64;
            for to in to {
                if !seen.held.insert(*to as usize) {
                    seen.shared.insert(*to as usize);
                }
            }
        });
        seen
    });
    let mut all = fresh();
    for (_, object) in roots.held() {
        if !all.held.insert(object.0 as usize) {
            all.shared.insert(object.0 as usize);
        }
    }
    for seen in &seen {
        let (held, shared) = (all.held.words_mut(), all.shared.words_mut());
        for (i, word) in all.pointing.words_mut().iter_mut().enumerate() {
            *word |= seen.pointing.words()[i];
            shared[i] |= seen.shared.words()[i] | held[i] & seen.held.words()[i];
            held[i] |= seen.held.words()[i];
        }
    }
    for (word, shared) in all.pointing.words_mut().iter_mut().zip(all.shared.words()) {
        *word |= shared;
    }
    // To a folded leaf leads one pointer, so those that lead to others need not be counted one by one.
    let folded = |seen: &Seen| {
        let words = seen.held.words().iter().zip(all.pointing.words());
        words.map(|(held, numbered)| u64::from((held & !numbered).count_ones())).sum::<u64>()
    };
    let to_numbered = seen.iter().map(|seen| seen.pointers - folded(seen)).collect();
    (all.pointing, to_numbered)
}
