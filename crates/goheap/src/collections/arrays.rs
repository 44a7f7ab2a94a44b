//! Arrays of the heap, and how much of each is within reach: every pointer to one, what it is, and so from
//! where to where it leads. A slice leads from its first element to its last, and may be extended to its
//! capacity; a string to its bytes; a pointer to one value. What a pointer is, the type of its holder says;
//! where that is not known, what stands beside it may be a slice's length and capacity: that is believed
//! where the capacity ends exactly where the array does, or where the pointer leads into its middle.

use std::rc::Rc;

use lastgasp_goruntime::collections::SliceHeader;
use lastgasp_goruntime::types::Word;
use lastgasp_goruntime::{Gap, Near, PointerReader, PointerVisitor, TypeReader, variable_pointers};
use lastgasp_heapgraph::ObjectId;
use lastgasp_inferior::Addr;
use rustc_hash::{FxHashMap, FxHashSet};

use super::map_types::MapType;
use super::slots::smaller_slot;
use super::what::What;
use crate::edges::LEAST_ARRAY;
use crate::heap::Heap;

/// Most arrays that are looked at.
const MAX_ARRAYS: usize = 1 << 21;
/// Bytes of an element that are supposed where its type is not known.
const ELEM: u64 = 8;
/// Sizes of elements that are tried where the type is not known.
const SIZES: [u64; 12] = [1, 2, 4, 8, 12, 16, 24, 32, 40, 48, 64, 96];

/// A slot or variable that leads to an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum From {
    /// In an object, so many bytes from the start of its slot.
    Object(ObjectId, u64),
    /// A package variable, or a part of one.
    Variable(Addr),
}

/// What leads to an array, as the largest of its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sequence {
    /// Where it stands.
    pub(crate) from: From,
    /// Its first element.
    pub(crate) at: Addr,
    pub(crate) len: u64,
    /// 0 of a string.
    pub(crate) cap: u64,
    /// Type of its elements; of a string, and where it is not known, none.
    pub(crate) elem: Option<Addr>,
    pub(crate) elem_bytes: u64,
    pub(crate) is_string: bool,
}

/// What leads to an array, all together.
#[derive(Clone, Debug)]
pub(crate) struct Array {
    pub(crate) object: ObjectId,
    /// Offsets in the object of the first byte and of the one behind the last that is within reach; without
    /// what slices may be extended to.
    pub(crate) used: (u64, u64),
    /// What is within reach, where that is several parts: of one, as nearly all have it, `used` says it.
    parts: Vec<(u64, u64)>,
    /// Whether something leads to it of which it is not known how much it uses.
    pub(crate) whole: bool,
    /// How many pointers lead to it, of variables and objects.
    pub(crate) pointers: u32,
    /// The longest slice or string.
    pub(crate) longest: Option<Sequence>,
    /// Whether any slice that leads to it has the array's end as that of its capacity.
    pub(crate) to_end: bool,
}

/// Parts of an array that are kept apart; with more the whole from the first to the last counts as used.
const MAX_PARTS: usize = 64;

impl Array {
    fn new(object: ObjectId) -> Self {
        let used = (u64::MAX, 0);
        Self { object, used, parts: Vec::new(), whole: false, pointers: 0, longest: None, to_end: false }
    }

    fn add(&mut self, from: u64, to: u64) {
        let before = self.used;
        self.used = (self.used.0.min(from), self.used.1.max(to));
        if self.parts.is_empty() {
            if before.0 > before.1 || before == (from, to) {
                return;
            }
            self.parts.push(before);
        }
        if self.parts.last() != Some(&(from, to)) && self.parts.len() <= MAX_PARTS {
            self.parts.push((from, to));
        }
    }

    /// Bytes within reach, parts that overlap counted once.
    pub(crate) fn used_bytes(&self) -> u64 {
        if self.parts.is_empty() || self.parts.len() > MAX_PARTS {
            return self.used.1.saturating_sub(self.used.0);
        }
        let mut parts = self.parts.clone();
        parts.sort_unstable();
        let (mut sum, mut end) = (0, 0);
        for (from, to) in parts {
            let from = from.max(end);
            sum += to.saturating_sub(from);
            end = end.max(to);
        }
        sum
    }
}

/// All of them.
#[derive(Default)]
pub(crate) struct Arrays {
    pub(crate) all: Vec<Array>,
    by_object: FxHashMap<ObjectId, u32>,
    pub(crate) left_out: u64,
}

impl Arrays {
    /// Looks at every pointer of package variables, and of the heap's spans that lead to arrays.
    pub(crate) fn read(heap: &Heap<'_>, types: &mut TypeReader<'_>, gaps: &mut Vec<Gap>) -> Self {
        let mut out = Self::default();
        let places = heap.objects.spans().iter().map(|s| heap.graph.layout().span_at(s.start.0)).collect();
        let mut visitor = Visitor {
            heap,
            types,
            places,
            words: FxHashMap::default(),
            out: &mut out,
            now: None,
            noscan: heap.graph.layout().spans().map(|(s, _)| heap.is_noscan(s.base)).collect(),
            large: heap.graph.layout().spans().map(|(s, _)| s.slot_bytes >= LEAST_ARRAY).collect(),
        };
        let mut reader = PointerReader::new(heap.runtime, heap.memory, &heap.objects);
        // Where no pointer led to an array none is looked for.
        reader.read_those(0..heap.objects.spans().len(), |span| heap.to_arrays.contains(span), &mut visitor);
        reader.finish(gaps);
        let mut of_variables = Vec::new();
        variable_pointers(heap.runtime, heap.memory, &mut Vec::new(), |_, at, to| of_variables.push((at, to)));
        let followed: FxHashSet<Addr> = of_variables.iter().map(|(at, _)| *at).collect();
        for (at, to) in of_variables {
            let Some(object) = visitor.large_object(to) else { continue };
            let mut near = [0; SliceHeader::BYTES];
            let read = heap.memory.read(at, &mut near).is_ok();
            let word = |i: usize| near.get(i..i + 8).and_then(|w| w.try_into().ok()).map_or(0, u64::from_le_bytes);
            // What is followed by another pointer has no length behind it.
            let after = [(8, word(8)), (16, word(16))].map(|(i, w)| (!followed.contains(&at.plus(i))).then_some(w));
            let after = if read { after } else { [None, None] };
            visitor.guess(object, to, From::Variable(at), after);
        }
        // Of stacks it is not known what beside a pointer is its own.
        for array in out.all.iter_mut().filter(|a| heap.on_stacks.contains(&a.object)) {
            array.whole = true;
        }
        out
    }

    fn of(&mut self, object: ObjectId) -> Option<&mut Array> {
        let index = match self.by_object.get(&object) {
            Some(index) => *index,
            None if self.all.len() >= MAX_ARRAYS => {
                self.left_out += 1;
                return None;
            }
            None => {
                let index = self.all.len() as u32;
                self.by_object.insert(object, index);
                self.all.push(Array::new(object));
                index
            }
        };
        self.all.get_mut(index as usize)
    }
}

/// What the object that is read is.
struct Now {
    object: ObjectId,
    header: u64,
    /// What its pointers are, once one of them was asked about: of most none leads to an array.
    words: Option<Option<Rc<Words>>>,
}

/// The pointers of a value, or of a bucket or group.
struct Words {
    bytes: u64,
    repeated: bool,
    /// None where there are too many to list: then the type is asked.
    listed: Option<Vec<(u64, Word)>>,
    of: Addr,
}

struct Visitor<'h, 't, 'r> {
    heap: &'h Heap<'h>,
    types: &'t mut TypeReader<'r>,
    places: Vec<Option<usize>>,
    words: FxHashMap<What, Option<Rc<Words>>>,
    out: &'t mut Arrays,
    now: Option<Now>,
    /// By the layout's span: whether its objects are large enough, and whether they hold no pointers.
    large: Vec<bool>,
    noscan: Vec<bool>,
}

impl PointerVisitor for Visitor<'_, '_, '_> {
    fn object(&mut self, span: usize, slot: u32, _: u32) {
        let layout = self.heap.graph.layout();
        let object = self.places.get(span).copied().flatten().and_then(|place| layout.slot(place, slot));
        let object = object.filter(|o| self.heap.dominators.live().contains(o.0 as usize));
        self.now = object.map(|object| {
            let header = self.heap.objects.spans().get(span).map_or(0, lastgasp_goruntime::ObjectSpan::header);
            Now { object, header, words: None }
        });
    }

    fn pointer(&mut self, _: u32, _: u64, _: Addr) {}

    fn pointer_near(&mut self, _: u32, offset: u64, to: Addr, near: Near<'_>) {
        let Some(array) = self.large_object(to) else { return };
        let Some((object, header, words)) = self.words_now() else { return };
        let from = From::Object(object, offset);
        let after = [near.word(1), near.word(2)];
        let word = words.map(|w| (offset.checked_sub(header), w));
        match word {
            Some((Some(at), words)) => {
                let word = word_at(self.types, &words, at);
                self.typed(array, to, from, word, after);
            }
            // A part of itself, as a table of the runtime's: of no use here.
            _ if object == array => {}
            _ => self.guess(array, to, from, after),
        }
    }
}

fn words_of(types: &mut TypeReader<'_>, what: What) -> Option<Words> {
    let run = |map: &MapType, types: &mut TypeReader<'_>| {
        let l = &map.layout;
        let mut listed = Vec::new();
        for (of, indirect, is_key) in [(l.key, l.indirect_key, true), (l.elem, l.indirect_elem, false)] {
            let one = if indirect { vec![(0, Word::Pointer(of))] } else { types.words(of)? };
            for slot in 0..lastgasp_goruntime::types::MAP_SLOTS {
                let from = if is_key { l.key_offset(slot) } else { l.elem_offset(slot) };
                listed.extend(one.iter().map(|(at, word)| (from.saturating_add(*at), *word)));
            }
        }
        listed.sort_unstable_by_key(|(at, _)| *at);
        Some(Words { bytes: l.run_bytes, repeated: true, listed: Some(listed), of: l.run })
    };
    match what {
        What::One(of) | What::Array(of) | What::Runs(of) => {
            let bytes = types.get(of)?.size;
            let repeated = !matches!(what, What::One(_));
            Some(Words { bytes, repeated, listed: types.words(of), of })
        }
        What::RunsOf(map) => {
            let map = MapType::of(types, map)?;
            run(&map, types)
        }
        What::Map(_) | What::Chan(_) | What::Unknown | What::Other => None,
    }
}

fn word_at(types: &mut TypeReader<'_>, words: &Words, at: u64) -> Option<Word> {
    let at = match words.bytes {
        0 => return None,
        n if words.repeated => at % n,
        n if at < n => at,
        _ => return None,
    };
    match &words.listed {
        Some(listed) => listed.binary_search_by_key(&at, |(at, _)| *at).ok().and_then(|i| listed.get(i)).map(|w| w.1),
        None => types.word_at(words.of, at),
    }
}

impl Visitor<'_, '_, '_> {
    /// The object that is read, the bytes in front of it, and what its pointers are.
    fn words_now(&mut self) -> Option<(ObjectId, u64, Option<Rc<Words>>)> {
        let now = self.now.as_mut()?;
        let words = now.words.get_or_insert_with(|| {
            let what = self.heap.what(self.types, now.object);
            self.words.entry(what).or_insert_with(|| words_of(self.types, what).map(Rc::new)).clone()
        });
        Some((now.object, now.header, words.clone()))
    }

    /// The live object that an address leads to, if it is large enough.
    fn large_object(&self, to: Addr) -> Option<ObjectId> {
        let layout = self.heap.graph.layout();
        let span = layout.span_at(to.0)?;
        if !self.large.get(span).copied().unwrap_or(false) {
            return None;
        }
        layout.object_at(to.0).filter(|o| self.heap.dominators.live().contains(o.0 as usize))
    }

    /// Offset of an address in an object, and the object's bytes.
    fn place(&self, object: ObjectId, to: Addr) -> Option<(u64, u64)> {
        let layout = self.heap.graph.layout();
        Some((to.0.checked_sub(layout.address(object)?)?, layout.bytes(object)))
    }

    fn whole(&mut self, object: ObjectId) {
        if let Some(array) = self.out.of(object) {
            array.whole = true;
            array.pointers += 1;
        }
    }

    fn typed(&mut self, object: ObjectId, to: Addr, from: From, word: Option<Word>, after: [Option<u64>; 2]) {
        let Some((offset, bytes)) = self.place(object, to) else { return };
        let sequence = match (word, after) {
            (Some(Word::Slice(elem)), [Some(len), Some(cap)]) => {
                let size = self.types.get(elem).map(|t| t.size).filter(|s| *s > 0);
                size.map(|elem_bytes| Sequence {
                    from,
                    at: to,
                    len,
                    cap,
                    elem: Some(elem),
                    elem_bytes,
                    is_string: false,
                })
            }
            (Some(Word::String), [Some(len), _]) => {
                Some(Sequence { from, at: to, len, cap: 0, elem: None, elem_bytes: 1, is_string: true })
            }
            (Some(Word::Pointer(of)), _) => {
                let size = self.types.get(of).map(|t| t.size).filter(|s| *s > 0 && offset + *s <= bytes);
                match (size, self.out.of(object)) {
                    (Some(size), Some(array)) => {
                        array.pointers += 1;
                        array.add(offset, offset + size);
                    }
                    (None, Some(array)) => {
                        array.whole = true;
                        array.pointers += 1;
                    }
                    _ => {}
                }
                return;
            }
            _ => None,
        };
        self.sequence(object, offset, bytes, sequence);
    }

    fn sequence(&mut self, object: ObjectId, offset: u64, bytes: u64, sequence: Option<Sequence>) {
        let end = sequence.and_then(|s| {
            let used = s.len.checked_mul(s.elem_bytes)?.checked_add(offset).filter(|end| *end <= bytes)?;
            let room = s.cap.max(s.len).checked_mul(s.elem_bytes)?.checked_add(offset).filter(|end| *end <= bytes)?;
            (s.is_string || s.len <= s.cap).then_some((used, room))
        });
        let (Some(s), Some((used, room))) = (sequence, end) else { return self.whole(object) };
        let smaller = smaller_slot(bytes);
        if let Some(array) = self.out.of(object) {
            array.pointers += 1;
            array.add(offset, used);
            array.to_end |= room > smaller;
            if array.longest.is_none_or(|l| (s.len, s.cap) > (l.len, l.cap)) {
                array.longest = Some(s);
            }
        }
    }

    /// What a pointer may be of which nothing but what stands behind it is known.
    fn guess(&mut self, object: ObjectId, to: Addr, from: From, after: [Option<u64>; 2]) {
        let Some((offset, bytes)) = self.place(object, to) else { return };
        let known = match self.heap.what(self.types, object) {
            What::Array(of) => self.types.get(of).map(|t| (of, t.size)).filter(|(_, size)| *size > 0),
            _ => None,
        };
        let smaller = smaller_slot(bytes);
        let noscan = self.heap.graph.layout().span_at(to.0).and_then(|i| self.noscan.get(i)).copied().unwrap_or(false);
        let slice = |elem: Option<Addr>, elem_bytes: u64, len: u64, cap: u64| {
            Some(Sequence { from, at: to, len, cap, elem, elem_bytes, is_string: false })
        };
        let ends = |size: u64, cap: u64| {
            cap.checked_mul(size).and_then(|n| n.checked_add(offset)).is_some_and(|end| end > smaller && end <= bytes)
        };
        let sequence = match after {
            [Some(len), Some(cap)] if len <= cap && cap > 0 && cap <= bytes => match known {
                Some((of, size)) if ends(size, cap) || offset > 8 => slice(Some(of), size, len, cap),
                None if SIZES.iter().filter(|s| ends(**s, cap)).count() == 1 => {
                    let size = SIZES.iter().copied().find(|s| ends(*s, cap)).unwrap_or(ELEM);
                    slice(None, size, len, cap)
                }
                None if offset > 8 && len > 0 && offset.saturating_add(cap.saturating_mul(ELEM)) <= bytes => {
                    slice(None, ELEM, len, cap)
                }
                _ => None,
            },
            [Some(len), _] if offset > 8 && len > 0 && offset.saturating_add(len) <= bytes && known.is_none() => {
                Some(Sequence { from, at: to, len, cap: 0, elem: None, elem_bytes: 1, is_string: true })
            }
            // Bytes that fill their slot exactly.
            [Some(len), _] if known.is_none() && noscan && ends(1, len) => {
                Some(Sequence { from, at: to, len, cap: 0, elem: None, elem_bytes: 1, is_string: true })
            }
            _ => None,
        };
        self.sequence(object, offset, bytes, sequence);
    }
}

/// What a slice is called of which only the size of its elements is known.
pub(crate) fn unknown_elements(bytes: u64) -> String {
    format!("[]unknown ({bytes} bytes each)")
}
