//! What is there twice: maps, slices and strings of equal content. First those are put together that have
//! one type and as many elements, then the content of each is taken as a number (`content`). Where that
//! could not be done for all of them, as a budget ended or one was caught while being changed, they are of
//! one shape and no more is said.

pub(crate) mod content;
pub(crate) mod sites;

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;

use lastgasp_goruntime::TypeReader;
use lastgasp_goruntime::collections::MapReader;
use lastgasp_heapgraph::{Holder, ObjectId};
use lastgasp_inferior::Addr;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::collections::arrays::{Arrays, Sequence, unknown_elements};
use crate::collections::maps::{FoundMap, unknown_map};
use crate::functions::is_standard;
use crate::heap::Heap;
use crate::side_by_side::side_by_side;
use content::{Contents, NotRead};
pub use sites::BuiltAt;
use sites::Sites;

/// Elements of the smallest collection of which copies are looked for, or its bytes.
const LEAST_ELEMENTS: u64 = 512;
const LEAST_BYTES: u64 = 64 << 10;
/// Bytes of alike ones that are compared by two threads.
const WORTH_A_THREAD: u64 = 16 << 20;
/// Holders of a group that are told apart.
const MAX_HOLDERS: usize = 32;
/// Steps from an object up to what holds it.
const MAX_STEPS: usize = 1 << 16;

/// Collections of equal content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copies {
    /// Their type as `%T` spells it.
    pub type_name: String,
    /// How many there are.
    pub copies: u64,
    /// Elements in each.
    pub elements: u64,
    /// Bytes of all, with what each alone keeps.
    pub total_bytes: u64,
    /// Those of the largest: what is left if all of them are one.
    pub largest_bytes: u64,
    /// Whether all of the content was compared; else type, number of elements and size are equal.
    pub of_content: bool,
    /// Who holds them, those of the most copies first.
    pub holders: Vec<HeldCopies>,
    /// Where they were built, if that of a sampled part of one is known.
    pub built: Option<BuiltAt>,
}

/// Copies of which it is not yet asked who holds them.
pub(crate) struct Told {
    copies: Copies,
    /// Each of them.
    pub(crate) objects: Vec<ObjectId>,
}

impl Told {
    /// Whether all of their content was compared.
    pub(crate) fn is_of_content(&self) -> bool {
        self.copies.of_content
    }

    /// With their holders.
    pub(crate) fn held(self, heap: &Heap<'_>) -> Copies {
        Copies { holders: held_by(heap, &holders(heap, &self.objects)), ..self.copies }
    }
}

/// Who holds some of the copies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldCopies {
    /// Function of the goroutines, or the package variable.
    pub name: String,
    /// Number of goroutines; 0 for a variable.
    pub goroutines: u64,
    /// Copies that it holds.
    pub copies: u64,
}

/// One that may be a copy. A heap has hundreds of thousands of arrays of one shape, so what was found of it
/// before is not kept once more.
struct One<'a> {
    object: ObjectId,
    /// The number of its type's name, where that is known.
    name: Option<NameId>,
    bytes: u64,
    what: Content<'a>,
}

impl One<'_> {
    /// What of it may have been sampled.
    fn parts(&self, heap: &Heap<'_>) -> Vec<ObjectId> {
        match &self.what {
            Content::Map(m) => {
                let arrays = m.arrays.arrays.iter().chain(&m.arrays.tables);
                arrays.filter_map(|a| heap.graph.layout().object_at(a.0)).collect()
            }
            Content::Sequence(_) => vec![self.object],
        }
    }
}

/// A name's number among `Names`: its place, from 1 on.
type NameId = NonZeroU32;

/// Names of types, each once.
#[derive(Default)]
struct Names {
    all: Vec<Arc<str>>,
    numbers: FxHashMap<Arc<str>, NameId>,
}

impl Names {
    fn number(&mut self, name: &str) -> Option<NameId> {
        if let Some(known) = self.numbers.get(name) {
            return Some(*known);
        }
        let name: Arc<str> = name.into();
        self.all.push(Arc::clone(&name));
        let number = u32::try_from(self.all.len()).ok().and_then(NameId::new)?;
        self.numbers.insert(name, number);
        Some(number)
    }

    fn get(&self, number: NameId) -> Option<&str> {
        self.all.get(number.get() as usize - 1).map(|name| &**name)
    }
}

/// What is compared.
enum Content<'a> {
    Map(&'a FoundMap),
    Sequence(&'a Sequence),
}

/// How much of a content is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    /// As much as tells apart what differs mostly.
    Glance,
    /// All of it.
    Whole,
}

impl Content<'_> {
    /// As a number: of equals it is one. The shape says whether bytes are the content.
    fn number(
        &self,
        (look, shape): (Look, &Shape),
        contents: &mut Contents<'_>,
        types: &mut TypeReader<'_>,
        reader: &mut MapReader<'_>,
    ) -> Result<u128, NotRead> {
        match self {
            Self::Map(m) => {
                let plain = if let Shape::PlainMap { slot, .. } = shape { Some(*slot) } else { None };
                match look {
                    Look::Glance => contents.glance_at_map(types, reader, m, plain),
                    Look::Whole => contents.map(types, reader, m, plain),
                }
            }
            Self::Sequence(s) => {
                let is_plain = matches!(shape, Shape::PlainArray { .. });
                match (s.elem.filter(|_| !is_plain), look) {
                    (Some(elem), Look::Glance) => contents.glance_at_values(types, s.at, elem, s.len),
                    (Some(elem), Look::Whole) => contents.values(types, s.at, elem, s.len),
                    (None, Look::Glance) => contents.glance_at_bytes(s.at, s.len.saturating_mul(s.elem_bytes)),
                    (None, Look::Whole) => contents.bytes(s.at, s.len.saturating_mul(s.elem_bytes)),
                }
            }
        }
    }
}

/// What two must have in common to be compared.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Shape {
    /// A type with pointers.
    Typed { name: String, elements: u64 },
    /// Slots of so many bytes without pointers.
    PlainMap { slot: u64, elements: u64 },
    /// Elements of so many bytes without pointers.
    PlainArray { elem_bytes: u64, elements: u64, is_string: bool },
}

/// Finds them, without their holders; the most bytes to save first.
pub(crate) fn copies(
    heap: &Heap<'_>,
    types: &mut TypeReader<'_>,
    maps: &[FoundMap],
    arrays: &Arrays,
    contents: &mut Contents<'_>,
    sites: &mut Sites<'_>,
) -> Vec<Told> {
    let mut alike: BTreeMap<Shape, Vec<One<'_>>> = BTreeMap::new();
    let layout = heap.graph.layout();
    let mut names = Names::default();
    for m in maps {
        let elements = m.arrays.elements;
        if elements == 0 || elements < LEAST_ELEMENTS && m.bytes < LEAST_BYTES {
            continue;
        }
        let bytes = retained(heap, m.object).max(m.bytes);
        let shape = match (contents.plain_slot(types, m), &m.of) {
            // One of which the type is not known may be equal to one of which it is.
            (Some(slot), _) => Shape::PlainMap { slot, elements },
            (None, Some(of)) => Shape::Typed { name: of.name.to_string(), elements },
            (None, None) => continue,
        };
        let name = m.of.as_ref().and_then(|of| names.number(&of.name));
        let one = One { object: m.object, name, bytes, what: Content::Map(m) };
        alike.entry(shape).or_default().push(one);
    }
    // Of each type of elements what arrays of it are called.
    let mut of_arrays: FxHashMap<(Option<Addr>, bool), Option<NameId>> = FxHashMap::default();
    for a in &arrays.all {
        let Some(s) = &a.longest else { continue };
        if s.len == 0 || s.len < LEAST_ELEMENTS && s.len.saturating_mul(s.elem_bytes) < LEAST_BYTES {
            continue;
        }
        let of_array = of_arrays.entry((s.elem, s.is_string));
        let name = *of_array.or_insert_with(|| match s.elem.and_then(|e| types.get(e)) {
            Some(elem) => names.number(&format!("[]{}", elem.name)),
            None if s.is_string => names.number("string"),
            None => None,
        });
        let is_plain =
            s.is_string || s.elem.map_or_else(|| heap.is_noscan_object(a.object), |e| contents.is_plain(types, e));
        let shape = match name.and_then(|name| names.get(name)) {
            _ if is_plain => Shape::PlainArray { elem_bytes: s.elem_bytes, elements: s.len, is_string: s.is_string },
            Some(name) => Shape::Typed { name: name.to_owned(), elements: s.len },
            None => continue,
        };
        let bytes = retained(heap, a.object).max(layout.bytes(a.object));
        alike.entry(shape).or_default().push(One { object: a.object, name, bytes, what: Content::Sequence(s) });
    }
    let mut candidates: Vec<(Shape, Vec<One<'_>>)> = alike.into_iter().filter(|(_, v)| v.len() > 1).collect();
    // Where a budget ends, the most was compared.
    candidates.sort_by_key(|(_, v)| std::cmp::Reverse(v.iter().map(|o| o.bytes).sum::<u64>()));
    let mut found = Vec::new();
    let mut reader = MapReader::new(heap.runtime, heap.contents);
    for (shape, all) in candidates {
        let mut glanced = Grouped::default();
        for (at, one) in (0..).zip(&all) {
            glanced.add(at, one.what.number((Look::Glance, &shape), contents, types, &mut reader));
        }
        let mut alike: Vec<u32> = glanced.equal.into_values().filter(|v| v.len() > 1).flatten().collect();
        // As they stand in memory, mostly.
        alike.sort_unstable();
        let alike: Vec<(u32, &One<'_>)> =
            alike.into_iter().filter_map(|at| Some((at, all.get(at as usize)?))).collect();
        let mut looked_at = grouped(heap, contents, types, &mut reader, (&shape, &alike));
        drop(alike);
        looked_at.unread.extend(glanced.unread);
        // One that cannot be read is like no other: that it is missing is said.
        contents.broken += glanced.broken + looked_at.broken;
        let groups = looked_at.equal.into_values().map(|v| (v, true)).chain([(looked_at.unread, false)]);
        for (group, of_content) in groups.filter(|(v, _)| v.len() > 1) {
            let group: Vec<&One<'_>> = group.into_iter().filter_map(|at| all.get(at as usize)).collect();
            let copies = describe(heap, (&shape, &names), &group, of_content, sites);
            found.push(Told { copies, objects: group.iter().map(|o| o.object).collect() });
        }
    }
    found.sort_by_key(|Told { copies: c, .. }| {
        (std::cmp::Reverse(c.total_bytes - c.largest_bytes), c.type_name.clone(), c.elements)
    });
    found
}

/// Those of one shape, by their indices: there are hundreds of thousands.
#[derive(Default)]
struct Grouped {
    /// By their content, or what was seen of it.
    equal: FxHashMap<u128, Vec<u32>>,
    /// Those at which a budget had ended.
    unread: Vec<u32>,
    /// How many could not be read.
    broken: u64,
}

impl Grouped {
    /// Those of equal content among some.
    fn of(
        (shape, all): (&Shape, &[(u32, &One<'_>)]),
        contents: &mut Contents<'_>,
        types: &mut TypeReader<'_>,
        reader: &mut MapReader<'_>,
    ) -> Self {
        let mut out = Self::default();
        for (at, one) in all {
            out.add(*at, one.what.number((Look::Whole, shape), contents, types, reader));
        }
        out
    }

    fn add(&mut self, at: u32, content: Result<u128, NotRead>) {
        match content {
            Ok(number) => self.equal.entry(number).or_default().push(at),
            Err(NotRead::Budget) => self.unread.push(at),
            Err(NotRead::Broken) => self.broken += 1,
            Err(NotRead::Blank) => {}
        }
    }

    fn unite(&mut self, other: Self) {
        // In no order: whoever asks sorts what is told.
        other.equal.into_iter().for_each(|(number, all)| self.equal.entry(number).or_default().extend(all));
        self.unread.extend(other.unread);
        self.broken += other.broken;
    }
}

/// Those of equal content, on two threads where that is much: of the dead it is there for two seconds.
fn grouped(
    heap: &Heap<'_>,
    contents: &mut Contents<'_>,
    types: &mut TypeReader<'_>,
    reader: &mut MapReader<'_>,
    (shape, all): (&Shape, &[(u32, &One<'_>)]),
) -> Grouped {
    if all.iter().map(|(_, one)| one.bytes).sum::<u64>() < WORTH_A_THREAD {
        return Grouped::of((shape, all), contents, types, reader);
    }
    let (own, others) = all.split_at(all.len() / 2);
    let share = contents.share();
    let (mut out, (theirs, left)) = side_by_side(
        || Grouped::of((shape, own), contents, types, reader),
        || {
            let mut contents = Contents::of(heap.contents, share);
            let mut types = TypeReader::new(heap.runtime, heap.memory);
            let mut reader = MapReader::new(heap.runtime, heap.contents);
            (Grouped::of((shape, others), &mut contents, &mut types, &mut reader), contents.budget.bytes)
        },
    );
    contents.budget.bytes += left;
    out.unite(theirs);
    out
}

/// Bytes that an object alone keeps.
pub(crate) fn retained(heap: &Heap<'_>, object: ObjectId) -> u64 {
    heap.dominators.retained(&heap.graph, Holder::Object(object)).map_or(0, |r| r.bytes)
}

/// Who holds copies, those of the most first.
fn held_by(heap: &Heap<'_>, held: &[Option<HeldBy>]) -> Vec<HeldCopies> {
    let mut by_name: BTreeMap<String, (FxHashSet<Holder>, u64, u64)> = BTreeMap::new();
    for by in held.iter().copied().flatten() {
        let Some(name) = heap.root_name(by.holder) else { continue };
        let known = by_name.entry(by.frame(heap).unwrap_or_else(|| name.name.clone())).or_default();
        known.0.insert(by.holder);
        known.1 += 1;
        known.2 = known.2.max(name.goroutines);
    }
    let mut holders: Vec<HeldCopies> = by_name
        .into_iter()
        .map(|(name, (roots, copies, all))| {
            // What several goroutines of a function hold is the group's.
            let by_group = roots.iter().any(|r| matches!(r, Holder::Group(_)));
            let goroutines = if by_group { all.min(copies.max(roots.len() as u64)) } else { roots.len() as u64 };
            HeldCopies { name, goroutines: if all == 0 { 0 } else { goroutines }, copies }
        })
        .collect();
    holders.sort_by(|a, b| (b.copies, &a.name).cmp(&(a.copies, &b.name)));
    holders.truncate(MAX_HOLDERS);
    holders
}

/// All that is said of equal ones but who holds them.
fn describe(
    heap: &Heap<'_>,
    (shape, known): (&Shape, &Names),
    group: &[&One<'_>],
    of_content: bool,
    sites: &mut Sites<'_>,
) -> Copies {
    // The one that most of the samples name.
    let mut built: FxHashMap<BuiltAt, u64> = FxHashMap::default();
    for part in group.iter().flat_map(|o| o.parts(heap)) {
        if let Some(site) = sites.of(part) {
            *built.entry(site).or_default() += 1;
        }
    }
    let built = built.into_iter().max_by(|a, b| (a.1, &b.0.function).cmp(&(b.1, &a.0.function))).map(|(site, _)| site);
    // What most of those are called of which it is known: what is equal byte for byte is one thing.
    let mut names: BTreeMap<&str, u64> = BTreeMap::new();
    for name in group.iter().filter_map(|o| known.get(o.name?)) {
        *names.entry(name).or_default() += 1;
    }
    let name = names.into_iter().max_by_key(|(_, n)| *n).map(|(name, _)| name.to_owned());
    let (elements, unknown) = match shape {
        Shape::Typed { name, elements } => (*elements, name.clone()),
        Shape::PlainMap { slot, elements } => (*elements, unknown_map(*slot)),
        Shape::PlainArray { elem_bytes, elements, .. } => (*elements, unknown_elements(*elem_bytes)),
    };
    Copies {
        type_name: name.unwrap_or(unknown),
        copies: group.len() as u64,
        elements,
        total_bytes: group.iter().map(|o| o.bytes).sum(),
        largest_bytes: group.iter().map(|o| o.bytes).max().unwrap_or(0),
        of_content,
        holders: Vec::new(),
        built,
    }
}

/// What holds an object from outside the heap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HeldBy {
    /// The root, or group of them.
    holder: Holder,
    /// The object that it holds directly, and by it all that is behind it.
    first: ObjectId,
}

impl HeldBy {
    /// The function whose frame has it: a goroutine is named for where it stands now, and what it builds a
    /// caller of that may hold.
    fn frame(&self, heap: &Heap<'_>) -> Option<String> {
        match self.holder {
            Holder::Root(root) => {
                let module = &heap.runtime.build_info.module.path;
                heap.frame(root, self.first).map(|f| f.function).filter(|f| !is_standard(f, module))
            }
            _ => None,
        }
    }
}

/// What each object would be garbage without; `None` where several hold it, or where what holds it is not
/// known.
fn holders(heap: &Heap<'_>, objects: &[ObjectId]) -> Vec<Option<HeldBy>> {
    // A leaf has no place among dominators: who holds it directly is looked up.
    let direct = heap.only_holders(objects);
    objects
        .iter()
        .zip(direct)
        .map(|(object, direct)| {
            let mut first = *object;
            let mut at = direct.unwrap_or(Holder::Object(*object));
            for _ in 0..MAX_STEPS {
                match at {
                    Holder::Object(object) => {
                        first = object;
                        at = heap.dominators.dominator(&heap.graph, at)?;
                    }
                    Holder::All => return None,
                    Holder::Root(_) | Holder::Group(_) => return Some(HeldBy { holder: at, first }),
                }
            }
            None
        })
        .collect()
}
