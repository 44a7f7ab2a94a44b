//! Live objects by type, as far as the heap itself says it: what has a header (over 512 bytes, with pointers,
//! from Go 1.22 on). All others are `unknown`, by the size of their slot.

use lastgasp_goruntime::{HeapObjects, Runtime, type_name};
use lastgasp_heapgraph::{Dominators, Graph, HeapLayout, ObjectId, Retained};
use lastgasp_inferior::{Addr, Memory};
use rustc_hash::FxHashMap;

/// Most types of objects and sizes of others that are told apart.
const MAX_KINDS: usize = 1 << 20;

/// Live objects of one type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeTotal {
    /// As `%T` spells it, an array behind a slice as the slice; `unknown` with the size of a slot, where it
    /// is not known.
    pub name: String,
    /// Whether it is known.
    pub is_known: bool,
    /// Objects and the bytes of their slots.
    pub own: Retained,
    /// What they keep alive, nothing counted twice.
    pub retained: Retained,
}

/// What is known of types.
pub(crate) struct Types {
    /// By object: the number of its kind.
    typed: Vec<(ObjectId, u32)>,
    /// Of each span in the layout's order: the kind of its objects that have no type of their own.
    untyped: Vec<u32>,
    kinds: Vec<Kind>,
}

/// What is counted as one.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    /// One object, or as many as fit into a slot, of the type at an address.
    Typed { at: Addr, slot_bytes: u64 },
    /// Objects of which the size of their slot is known, and whether they hold pointers.
    Untyped { slot_bytes: u64, noscan: bool },
}

impl Types {
    pub(crate) fn new(typed: Vec<(ObjectId, Addr)>, layout: &HeapLayout, objects: &HeapObjects) -> Self {
        let (mut numbers, mut kinds) = (FxHashMap::default(), Vec::new());
        let mut number = |kind: Kind| {
            *numbers.entry(kind).or_insert_with(|| {
                if kinds.len() < MAX_KINDS {
                    kinds.push(kind);
                }
                (kinds.len() - 1) as u32
            })
        };
        let untyped = layout.spans().map(|(span, _)| {
            let found = objects.spans().binary_search_by_key(&span.base, |s| s.start.0).ok();
            let noscan = found.and_then(|i| objects.spans().get(i)).is_some_and(lastgasp_goruntime::ObjectSpan::noscan);
            number(Kind::Untyped { slot_bytes: span.slot_bytes, noscan })
        });
        let untyped = untyped.collect();
        let typed = typed.into_iter().map(|(id, at)| (id, number(Kind::Typed { at, slot_bytes: layout.bytes(id) })));
        let typed = typed.collect();
        Self { typed, untyped, kinds }
    }

    fn of(&self, layout: &HeapLayout, object: ObjectId) -> Option<u32> {
        match self.typed.binary_search_by_key(&object, |(id, _)| *id) {
            Ok(at) => self.typed.get(at).map(|(_, kind)| *kind),
            Err(_) => self.untyped.get(layout.span_of(object)?).copied(),
        }
    }

    /// The type that stands with an object.
    pub(crate) fn header_of(&self, object: ObjectId) -> Option<Addr> {
        let at = self.typed.binary_search_by_key(&object, |(id, _)| *id).ok()?;
        match self.kinds.get(self.typed.get(at)?.1 as usize)? {
            Kind::Typed { at, .. } => Some(*at),
            Kind::Untyped { .. } => None,
        }
    }

    /// All of them, those of the most bytes first.
    pub(crate) fn totals(
        &self,
        rt: &Runtime,
        mem: &dyn Memory,
        graph: &Graph,
        dominators: &Dominators,
    ) -> Vec<TypeTotal> {
        // Kinds of one name are one group, so that nothing that they keep together is counted twice.
        let mut known: FxHashMap<Addr, Option<(String, u64)>> = FxHashMap::default();
        let (mut names, mut numbers): (Vec<(String, bool)>, FxHashMap<String, u32>) = Default::default();
        let groups: Vec<u32> = self
            .kinds
            .iter()
            .map(|kind| {
                let (name, is_typed) = match *kind {
                    Kind::Typed { at, slot_bytes } => {
                        match known.entry(at).or_insert_with(|| type_name(rt, mem, at)) {
                            // Behind a header of 8 bytes; slots are never twice as large as asked for.
                            Some((name, size)) if slot_bytes.saturating_sub(8) / (*size).max(1) >= 2 => {
                                (format!("[]{name}"), true)
                            }
                            Some((name, _)) => (name.clone(), true),
                            None => (unknown(slot_bytes, false), false),
                        }
                    }
                    Kind::Untyped { slot_bytes, noscan } => (unknown(slot_bytes, noscan), false),
                };
                *numbers.entry(name.clone()).or_insert_with(|| {
                    names.push((name, is_typed));
                    (names.len() - 1) as u32
                })
            })
            .collect();
        let layout = graph.layout();
        let of = |object| self.of(layout, object).and_then(|kind| groups.get(kind as usize).copied());
        let totals = dominators.by_group(graph, names.len(), of);
        let all = names.into_iter().zip(totals).filter(|(_, t)| t.own.objects > 0);
        let mut all: Vec<TypeTotal> =
            all.map(|((name, is_known), t)| TypeTotal { name, is_known, own: t.own, retained: t.retained }).collect();
        all.sort_by(|a, b| (b.own.bytes, &a.name).cmp(&(a.own.bytes, &b.name)));
        all
    }
}

fn unknown(slot_bytes: u64, noscan: bool) -> String {
    match (slot_bytes, noscan) {
        // Large objects have sizes of their own.
        (32_769.., true) => "unknown (over 32 KiB, without pointers)".into(),
        (32_769.., false) => "unknown (over 32 KiB)".into(),
        (n, true) => format!("unknown ({n} bytes, without pointers)"),
        (n, false) => format!("unknown ({n} bytes)"),
    }
}
