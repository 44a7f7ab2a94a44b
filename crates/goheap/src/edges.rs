//! Objects and pointers as they are read to a layout and edges, two threads at once: part by part, whoever is
//! done takes the next, as equal bytes take unequal times.

use std::ops::Range;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use lastgasp_goruntime::layout::Sudog;
use lastgasp_goruntime::{Gap, HeapObjects, Near, PointerMap, PointerReader, PointerVisitor, Runtime};
use lastgasp_heapgraph::{Bits, EdgePart, EdgeWriter, HeapLayout, ObjectId, Span};
use lastgasp_inferior::{Addr, Memory};
use rustc_hash::FxHashMap;

use crate::side_by_side::side_by_side;
use crate::types::{Interfaces, Seeds};
use crate::watched::{Pointed, Watched};

/// Bytes of the smallest array that is looked at.
pub(crate) const LEAST_ARRAY: u64 = 512;

/// A heap, read.
pub(crate) struct Edges {
    pub(crate) layout: HeapLayout,
    pub(crate) parts: Vec<EdgePart>,
    /// What objects say of types.
    pub(crate) seeds: Seeds,
    /// What the `g` of each goroutine points to. These are no edges: what a goroutine holds is held by it,
    /// and not by the runtime's list of all of them.
    pub(crate) of_goroutines: Vec<(u64, Addr)>,
    /// Where something is waited for.
    pub(crate) watched: Watched,
    /// Pointers to there, by the object and the bytes from its slot's start.
    pub(crate) pointed: Pointed<(ObjectId, u64)>,
    /// The runtime's records of goroutines that wait (`sudog`).
    pub(crate) sudogs: Vec<ObjectId>,
    /// Bytes of objects with pointers that could not be read: they point nowhere.
    pub(crate) unread: u64,
    /// The runtime's spans of which an object points to one that is large enough to be looked at as an array.
    pub(crate) to_arrays: Bits,
}

/// Where the `g` of live goroutines stand, by the start of their object: the goroutine's number.
pub(crate) type Places = FxHashMap<Addr, u64>;

impl Edges {
    pub(crate) fn read(
        rt: &Runtime,
        mem: &(dyn Memory + Sync),
        objects: &HeapObjects,
        goroutines: &Places,
        watch: &[Addr],
        gaps: &mut Vec<Gap>,
    ) -> Self {
        let spans = objects.spans().iter();
        let spans = spans.map(|s| Span { base: s.start.0, slot_bytes: s.elem_size, slots: s.slots });
        let mut layout = HeapLayout::new(spans.collect());
        if layout.refused() > 0 {
            gaps.push(Gap::new("heap objects", format!("{} spans lie within others", layout.refused())));
        }
        // Most spans have no goroutine's `g`.
        let mut with_g = Bits::new(objects.spans().len());
        let span_at = |at: &Addr| objects.spans().partition_point(|s| s.start <= *at).checked_sub(1);
        goroutines.keys().filter_map(span_at).for_each(|span| {
            with_g.insert(span);
        });
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
        let watched = Watched::of(&layout, watch);
        let work = |range: Range<usize>| {
            let mut reader = PointerReader::new(rt, mem, objects);
            let writer = EdgeWriter::new(&layout);
            let interfaces = Interfaces::new(rt, mem);
            let mut visitor = Visitor {
                objects,
                places: &places,
                goroutines,
                with_g: &with_g,
                layout: &layout,
                watched: &watched,
                sudog: &rt.layout.sudog,
                may_be_sudog: false,
                is_sudog: false,
                writer,
                id: None,
                of: None,
                is_garbage: false,
                last: None,
                interfaces,
                span: 0,
                own: Own { to_arrays: Bits::new(objects.spans().len()), ..Own::default() },
            };
            reader.read(range, &mut visitor);
            let mut gaps = Vec::new();
            visitor.own.seeds.boxes.shrink_to_fit();
            visitor.own.unread = reader.take_unread();
            reader.finish(&mut gaps);
            (visitor.writer.finish(), visitor.own, gaps)
        };
        let ranges = parts(objects);
        let next = AtomicUsize::new(0);
        let some = || {
            let mut done = Vec::new();
            while let Some((at, range)) = ranges.get(next.fetch_add(1, Relaxed)).cloned() {
                done.push((at, work(range)));
            }
            done
        };
        let (mut done, others) = side_by_side(some, some);
        done.extend(others);
        done.sort_by_key(|(at, _)| *at);
        let (mut parts, mut all) = (Vec::new(), Own::default());
        let mut to_arrays = Bits::new(objects.spans().len());
        for (_, (part, own, said)) in done {
            parts.push(part);
            all.seeds.append(own.seeds);
            all.of_goroutines.extend(own.of_goroutines);
            all.pointed.append(own.pointed);
            all.sudogs.extend(own.sudogs);
            all.unread = all.unread.saturating_add(own.unread);
            to_arrays.unite(&own.to_arrays);
            gaps.extend(said.into_iter().filter(|g| !g.what.is_empty()));
        }
        let Own { seeds, of_goroutines, pointed, sudogs, unread, .. } = all;
        Self { layout, parts, seeds, of_goroutines, watched, pointed, sudogs, unread, to_arrays }
    }
}

/// Parts that are read by themselves.
const PARTS: u64 = 8;

/// Numbered parts of the spans, of about equal bytes to read.
fn parts(objects: &HeapObjects) -> Vec<(usize, Range<usize>)> {
    let (all, mut sum) = (objects.bytes_with_pointers(), 0u64);
    let scanned = |s: &lastgasp_goruntime::ObjectSpan| s.map != PointerMap::None && s.objects > 0;
    let (mut ranges, mut from) = (Vec::new(), 0);
    for (index, span) in objects.spans().iter().enumerate() {
        sum = sum.saturating_add(if scanned(span) { span.bytes } else { 0 });
        let goal = all / PARTS * (ranges.len() as u64 + 1);
        if sum > goal && (ranges.len() as u64) < PARTS - 1 {
            ranges.push((ranges.len(), from..index + 1));
            from = index + 1;
        }
    }
    ranges.push((ranges.len(), from..objects.spans().len()));
    ranges
}

/// What is found beside the graph, as in [`Edges`].
#[derive(Default)]
struct Own {
    seeds: Seeds,
    of_goroutines: Vec<(u64, Addr)>,
    pointed: Pointed<(ObjectId, u64)>,
    sudogs: Vec<ObjectId>,
    unread: u64,
    to_arrays: Bits,
}

/// Slots are larger than a `sudog` by less than that.
const SUDOG_ROOM: u64 = 16;

struct Visitor<'a> {
    objects: &'a HeapObjects,
    places: &'a [Option<usize>],
    goroutines: &'a Places,
    /// Spans that have some of these.
    with_g: &'a Bits,
    layout: &'a HeapLayout,
    watched: &'a Watched,
    sudog: &'a Sudog,
    /// Whether the object has the size of one.
    may_be_sudog: bool,
    /// Whether it is one.
    is_sudog: bool,
    writer: EdgeWriter<'a>,
    /// The object that is read, if its pointers are edges.
    id: Option<ObjectId>,
    /// The goroutine whose `g` it is.
    of: Option<u64>,
    /// Whether the collector found it dead: what it points to may be something else by now.
    is_garbage: bool,
    /// Offset of the pointer before.
    last: Option<u64>,
    /// Index of the span that is read.
    span: usize,
    interfaces: Interfaces<'a>,
    own: Own,
}

impl Visitor<'_> {
    /// Whether a word of a `sudog` is what its goroutine waits for: that one's stack leads there as well, and
    /// is who holds it. Else the runtime's table of semaphores would share with each goroutine what it waits
    /// with, and nobody would be its holder (seen: 870 goroutines that waited for `WaitGroup`s of their own,
    /// with 257 MB that "one function allocated, and stay alive": `lab/deaths`, waitgroup).
    fn is_of_its_wait(&self, offset: u64) -> bool {
        offset == self.sudog.elem || offset == self.sudog.c
    }

    /// Notes whether the span that is read leads to an array: most lead to none, and whoever looks for arrays
    /// need not read them again.
    fn leads_to(&mut self, bytes: u64) {
        if bytes >= LEAST_ARRAY {
            self.own.to_arrays.insert(self.span);
        }
    }

    /// The same of what is no edge.
    fn leads_beside(&mut self, to: Addr) {
        self.leads_to(self.layout.object_at(to.0).map_or(0, |target| self.layout.bytes(target)));
    }
}

impl PointerVisitor for Visitor<'_> {
    fn object(&mut self, span: usize, slot: u32, _: u32) {
        self.span = span;
        let place = self.places.get(span).copied().flatten();
        self.id = place.and_then(|place| self.layout.slot(place, slot));
        let start = self.objects.spans().get(span).map(|s| s.start.plus(s.elem_size * u64::from(slot)));
        let start = start.filter(|_| self.with_g.contains(span));
        self.of = start.and_then(|start| self.goroutines.get(&start)).copied();
        let bytes = self.objects.spans().get(span).map_or(0, |s| s.elem_size);
        self.may_be_sudog = (self.sudog.sizeof..self.sudog.sizeof + SUDOG_ROOM).contains(&bytes);
        self.is_sudog = false;
        (self.last, self.is_garbage) = (None, self.objects.is_garbage(span, slot));
        if let Some(id) = self.id.filter(|_| self.of.is_none()) {
            self.writer.object(id);
        }
    }

    fn object_type(&mut self, _: u32, type_at: Addr) {
        self.own.seeds.headers.extend(self.id.filter(|_| !self.is_garbage).map(|id| (id, type_at)));
    }

    fn pointer(&mut self, _: u32, offset: u64, to: Addr) {
        match (self.of, self.id) {
            (Some(goid), _) => {
                self.own.of_goroutines.push((goid, to));
                self.leads_beside(to);
            }
            (None, Some(id)) => {
                // No program of Go has a pointer to a `g`, and of the runtime's own only these at that place,
                // their first.
                if self.may_be_sudog && offset == self.sudog.g && self.goroutines.contains_key(&to) {
                    self.is_sudog = true;
                    self.own.sudogs.push(id);
                }
                if self.is_sudog && self.is_of_its_wait(offset) {
                    self.leads_beside(to);
                    return;
                }
                let Some((target, bytes)) = self.writer.pointer_sized(to.0) else { return };
                self.leads_to(bytes);
                if self.watched.has(target) {
                    self.own.pointed.add((id, offset), to);
                }
            }
            (None, None) => {}
        }
    }

    fn pointer_near(&mut self, object: u32, offset: u64, to: Addr, near: Near<'_>) {
        self.pointer(object, offset, to);
        // Two pointers in a row are no interface.
        let alone = self.last.is_none_or(|last| last + 8 != offset) && offset > 0;
        self.last = Some(offset);
        if alone
            && !self.is_garbage
            && let Some(before) = near.word(-1).filter(|word| *word != 0)
            && let Some(of) = self.interfaces.of(before, self.layout)
            && !Interfaces::is_full(&self.own.seeds.boxes)
        {
            self.own.seeds.boxes.push((of, to));
        }
    }
}
