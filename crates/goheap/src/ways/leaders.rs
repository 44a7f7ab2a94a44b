//! Who leads to what nobody holds alone: objects of one type to which several roots have ways that have
//! nothing in common, as a queue between who fills it and who empties it.

use std::collections::BTreeMap;

use lastgasp_heapgraph::{Holder, ObjectId, RootId};
use rustc_hash::FxHashSet;

use crate::heap::Heap;
use crate::roots::RootKind;

/// Objects that are asked about at most.
const MOST_OBJECTS: usize = 4096;
/// Steps back through objects that nobody holds alone.
const MOST_BACK: usize = 3;
/// Pointers to each that are followed back.
const MOST_POINTERS: usize = 8;
/// Steps up the dominator tree at most, from an object to the root that keeps it.
const MOST_STEPS: usize = 256;
/// Leaders that are told of.
const MOST_LEADERS: usize = 6;

/// Goroutines in one function, or a variable, that lead to such objects.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Leader {
    /// How many of the objects it leads to: each goroutine for itself.
    pub objects: u64,
    /// How many goroutines; 0 of a variable.
    pub goroutines: u64,
    /// `goroutine`, `global`, ...
    pub kind: &'static str,
    /// The function; the variable.
    pub name: String,
}

/// Of each tag the leaders of its objects, those that lead to most first. A look at every pointer, and one
/// more for each step back through objects that nobody holds alone either.
pub(super) fn leaders(heap: &Heap<'_>, tagged: &[(ObjectId, usize)]) -> BTreeMap<usize, Vec<Leader>> {
    let mut known: BTreeMap<(usize, RootKind, &str), Led> = BTreeMap::new();
    // What is asked about, each with the object and the tag that it leads to.
    let mut asked: Vec<(ObjectId, (ObjectId, usize))> =
        tagged.iter().take(MOST_OBJECTS).map(|(object, tag)| (*object, (*object, *tag))).collect();
    let mut seen: FxHashSet<(ObjectId, ObjectId)> = asked.iter().map(|(at, (object, _))| (*at, *object)).collect();
    for _ in 0..MOST_BACK {
        let objects: Vec<ObjectId> = asked.iter().map(|(at, _)| *at).collect();
        let mut next = Vec::new();
        for ((_, (object, tag)), holders) in asked.iter().zip(heap.graph.holders(&objects, MOST_POINTERS)) {
            for holder in holders {
                match kept_by(heap, holder) {
                    Some(Keeper::Root(root)) => {
                        let Some(name) = heap.root_name(Holder::Root(root)) else { continue };
                        let entry = known.entry((*tag, name.kind, name.name.as_str())).or_default();
                        entry.objects.insert(*object);
                        entry.roots.insert(root);
                    }
                    Some(Keeper::Shared(above)) if seen.insert((above, *object)) => next.push((above, (*object, *tag))),
                    _ => {}
                }
            }
        }
        next.truncate(MOST_OBJECTS);
        asked = next;
        if asked.is_empty() {
            break;
        }
    }
    let mut out: BTreeMap<usize, Vec<Leader>> = BTreeMap::new();
    for ((tag, kind, name), Led { objects, roots }) in known {
        out.entry(tag).or_default().push(Leader {
            objects: objects.len() as u64,
            goroutines: if kind == RootKind::Goroutine { roots.len() as u64 } else { 0 },
            kind: kind.name(),
            name: name.to_owned(),
        });
    }
    for all in out.values_mut() {
        all.sort_unstable_by(|a, b| b.objects.cmp(&a.objects).then_with(|| a.cmp(b)));
        all.truncate(MOST_LEADERS);
    }
    out
}

/// What is led to, and by whom.
#[derive(Default)]
struct Led {
    objects: FxHashSet<ObjectId>,
    roots: FxHashSet<RootId>,
}

/// What keeps a holder.
enum Keeper {
    /// One root alone.
    Root(RootId),
    /// Several roots: the object on the way to it that nobody holds alone.
    Shared(ObjectId),
}

fn kept_by(heap: &Heap<'_>, holder: Holder) -> Option<Keeper> {
    let mut at = holder;
    for _ in 0..MOST_STEPS {
        let Holder::Object(object) = at else { break };
        at = heap.dominators.dominator(&heap.graph, at)?;
        if at == Holder::All {
            return Some(Keeper::Shared(object));
        }
    }
    match at {
        Holder::Root(root) => Some(Keeper::Root(root)),
        _ => None,
    }
}
