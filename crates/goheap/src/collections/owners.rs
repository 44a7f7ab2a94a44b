//! By which way an object is kept, in words of the source: `global main.cache .entries []`.

use lastgasp_goruntime::TypeReader;
use lastgasp_goruntime::types::Shape;
use lastgasp_heapgraph::{Holder, ObjectId, Paths};
use lastgasp_inferior::Addr;
use rustc_hash::FxHashMap;

use super::what::What;
use crate::heap::Heap;

/// Steps of a way that are told; the last ones of a longer way are left out.
const MAX_STEPS: usize = 24;
/// Bytes of an object in which the pointer to the next is looked for.
const MAX_OBJECT: u64 = 64 << 10;
/// Answers that are kept.
const MAX_KNOWN: usize = 1 << 16;

/// Tells owners.
pub(crate) struct Owners<'h> {
    heap: &'h Heap<'h>,
    paths: Paths,
    /// The words of an object and a field of it to what follows, by both.
    known: FxHashMap<(ObjectId, ObjectId), String>,
}

impl<'h> Owners<'h> {
    pub(crate) fn new(heap: &'h Heap<'h>) -> Self {
        Self { heap, paths: Paths::of(&heap.graph, |_| true), known: FxHashMap::default() }
    }

    /// The heap that they are of.
    pub(crate) fn heap(&self) -> &'h Heap<'h> {
        self.heap
    }

    /// The root at the end of an object's shortest way, and the way in words; none of garbage.
    pub(crate) fn of(&mut self, types: &mut TypeReader<'_>, object: ObjectId) -> Option<(Holder, String)> {
        let path = self.paths.to(&self.heap.graph, object)?;
        let mut steps = path.iter();
        let root = *steps.next()?;
        let mut words = self.heap.root_name(root).map_or_else(String::new, |n| format!("{} {}", n.kind.name(), n.name));
        let objects: Vec<ObjectId> =
            steps.filter_map(|h| if let Holder::Object(o) = h { Some(*o) } else { None }).collect();
        let mut last = String::new();
        for pair in objects.windows(2).take(MAX_STEPS) {
            let [from, to] = pair else { continue };
            let step = match self.known.get(&(*from, *to)) {
                Some(step) => step.clone(),
                None => {
                    let step = self.step(types, *from, *to);
                    if self.known.len() < MAX_KNOWN {
                        self.known.insert((*from, *to), step.clone());
                    }
                    step
                }
            };
            // One in a row, as of a list, is told once.
            if !step.is_empty() && step != last {
                words.push(' ');
                words.push_str(&step);
            }
            if !step.is_empty() {
                last = step;
            }
        }
        Some((root, words))
    }

    /// How one object leads to another: `.field`, `[]`; nothing where it is not known, or a part of a map.
    fn step(&self, types: &mut TypeReader<'_>, from: ObjectId, to: ObjectId) -> String {
        let elements = match self.heap.what(types, from) {
            What::One(of) => Some((of, false)),
            What::Array(of) => Some((of, true)),
            What::Runs(_) | What::RunsOf(_) | What::Chan(_) => return "[]".into(),
            What::Map(_) | What::Unknown | What::Other => None,
        };
        let Some((of, is_array)) = elements else { return String::new() };
        let field = self.offset_of(from, to).map(|offset| field_at(types, of, offset)).unwrap_or_default();
        match (is_array, field.is_empty()) {
            (true, true) => "[]".into(),
            (true, false) => format!("[]{field}"),
            (false, _) => field,
        }
    }

    /// Bytes from the start of an object's value to its pointer to another.
    fn offset_of(&self, from: ObjectId, to: ObjectId) -> Option<u64> {
        let layout = self.heap.graph.layout();
        let (at, to_at, to_bytes) = (layout.address(from)?, layout.address(to)?, layout.bytes(to));
        let bytes = layout.bytes(from).min(MAX_OBJECT);
        let read = self.heap.memory.bytes(Addr(at), bytes as usize, MAX_OBJECT as usize).ok()?;
        let words = read.chunks_exact(8).map(|w| w.try_into().map_or(0, u64::from_le_bytes));
        let place = words.enumerate().find(|(_, w)| w.wrapping_sub(to_at) < to_bytes).map(|(i, _)| i as u64 * 8)?;
        let header = self.heap.objects.find(Addr(at)).and_then(|o| self.heap.objects.spans().get(o.span));
        place.checked_sub(header.map_or(0, lastgasp_goruntime::ObjectSpan::header))
    }
}

/// The field of a type at an offset, with those within it: `.inner.list`.
pub(crate) fn field_at(types: &mut TypeReader<'_>, of: Addr, offset: u64) -> String {
    const MAX_DEPTH: usize = 16;
    let mut words = String::new();
    let Some(mut of) = types.get(of) else { return words };
    let mut offset = if of.size > 0 { offset % of.size } else { 0 };
    for _ in 0..MAX_DEPTH {
        let next = match &of.shape {
            Shape::Struct { fields } => {
                let behind = fields.partition_point(|f| f.offset <= offset);
                let Some(field) = behind.checked_sub(1).and_then(|i| fields.get(i)) else { break };
                words.push('.');
                words.push_str(&field.name);
                offset -= field.offset;
                types.get(field.type_at)
            }
            Shape::Array { elem, .. } => {
                words.push_str("[]");
                let elem = types.get(*elem);
                offset = elem.as_ref().and_then(|e| offset.checked_rem(e.size)).unwrap_or(0);
                elem
            }
            _ => break,
        };
        match next {
            Some(next) => of = next,
            None => break,
        }
    }
    words
}
