//! Objects and pointers as they are read to a layout and edges, two threads at once.

use std::ops::Range;

use lastgasp_goruntime::{Gap, HeapObjects, PointerMap, PointerReader, PointerVisitor, Runtime};
use lastgasp_heapgraph::{EdgePart, EdgeWriter, HeapLayout, ObjectId, Span};
use lastgasp_inferior::{Addr, Memory};
use rustc_hash::FxHashMap;

use crate::types::Types;

/// A heap, read.
pub(crate) struct Edges {
    pub(crate) layout: HeapLayout,
    pub(crate) parts: Vec<EdgePart>,
    pub(crate) types: Types,
    /// What the `g` of each goroutine points to. These are no edges: what a goroutine holds is held by it,
    /// and not by the runtime's list of all of them.
    pub(crate) of_goroutines: Vec<(u64, Addr)>,
}

/// Where the `g` of live goroutines stand, by the start of their object: the goroutine's number.
pub(crate) type Places = FxHashMap<Addr, u64>;

impl Edges {
    pub(crate) fn read(
        rt: &Runtime,
        mem: &(dyn Memory + Sync),
        objects: &HeapObjects,
        goroutines: &Places,
        gaps: &mut Vec<Gap>,
    ) -> Self {
        let spans = objects.spans().iter();
        let spans = spans.map(|s| Span { base: s.start.0, slot_bytes: s.elem_size, slots: s.slots });
        let mut layout = HeapLayout::new(spans.collect());
        if layout.refused() > 0 {
            gaps.push(Gap::new("heap objects", format!("{} spans lie within others", layout.refused())));
        }
        // Those that were refused have no place.
        let mut places = vec![None; objects.spans().len()];
        let starts: Vec<u64> = layout.spans().map(|(s, _)| s.base).collect();
        for (index, start) in starts.into_iter().enumerate() {
            let Ok(object_span) = objects.spans().binary_search_by_key(&start, |s| s.start.0) else { continue };
            if let Some(place) = places.get_mut(object_span) {
                *place = Some(index);
                layout.allocate(index, objects.taken(object_span));
            }
        }
        let work = |range: Range<usize>| {
            let mut reader = PointerReader::new(rt, mem, objects);
            let writer = EdgeWriter::new(&layout);
            let own = (Vec::new(), Vec::new());
            let mut visitor =
                Visitor { objects, places: &places, goroutines, layout: &layout, writer, id: None, of: None, own };
            reader.read(range, &mut visitor);
            let mut gaps = Vec::new();
            reader.finish(&mut gaps);
            (visitor.writer.finish(), visitor.own, gaps)
        };
        let middle = middle(objects);
        let (first, second) = (0..middle, middle..objects.spans().len());
        let halves = std::thread::scope(|scope| {
            let other = std::thread::Builder::new().spawn_scoped(scope, || work(second.clone()));
            let first = work(first);
            let second = match other.map(std::thread::ScopedJoinHandle::join) {
                Ok(Ok(second)) => second,
                Ok(Err(panic)) => std::panic::resume_unwind(panic),
                Err(_) => work(second.clone()),
            };
            [first, second]
        });
        let (mut parts, mut typed, mut of_goroutines) = (Vec::new(), Vec::new(), Vec::new());
        for (part, (types, held), said) in halves {
            parts.push(part);
            typed.extend(types);
            of_goroutines.extend(held);
            gaps.extend(said.into_iter().filter(|g| !g.what.is_empty()));
        }
        let types = Types::new(typed, &layout, objects);
        Self { layout, parts, types, of_goroutines }
    }
}

/// The span at which half of the bytes to read are behind.
fn middle(objects: &HeapObjects) -> usize {
    let (all, mut sum) = (objects.bytes_with_pointers(), 0);
    let scanned = |s: &lastgasp_goruntime::ObjectSpan| s.map != PointerMap::None && s.objects > 0;
    objects
        .spans()
        .iter()
        .position(|s| {
            sum += if scanned(s) { s.bytes } else { 0 };
            sum > all / 2
        })
        .unwrap_or(0)
}

/// Types of objects, by object; and what goroutines' own structures point to.
type Own = (Vec<(ObjectId, Addr)>, Vec<(u64, Addr)>);

struct Visitor<'a> {
    objects: &'a HeapObjects,
    places: &'a [Option<usize>],
    goroutines: &'a Places,
    layout: &'a HeapLayout,
    writer: EdgeWriter<'a>,
    /// The object that is read, if its pointers are edges.
    id: Option<ObjectId>,
    /// The goroutine whose `g` it is.
    of: Option<u64>,
    own: Own,
}

impl PointerVisitor for Visitor<'_> {
    fn object(&mut self, span: usize, slot: u32, _: u32) {
        let place = self.places.get(span).copied().flatten();
        self.id = place.and_then(|place| self.layout.slot(place, slot));
        let start = self.objects.spans().get(span).map(|s| s.start.plus(s.elem_size * u64::from(slot)));
        self.of = start.and_then(|start| self.goroutines.get(&start)).copied();
        if let Some(id) = self.id.filter(|_| self.of.is_none()) {
            self.writer.object(id);
        }
    }

    fn object_type(&mut self, _: u32, type_at: Addr) {
        self.own.0.extend(self.id.map(|id| (id, type_at)));
    }

    fn pointer(&mut self, _: u32, _: u64, to: Addr) {
        match self.of {
            Some(goid) => self.own.1.push((goid, to)),
            None if self.id.is_some() => drop(self.writer.pointer(to.0)),
            None => {}
        }
    }
}
