//! Which object is of which kind: what is offered is weighed against what is known, and what is believed
//! waits for its own typed pointers to be followed (`propagate`).

use std::collections::VecDeque;

use lastgasp_goruntime::types::{CodeTypes, Shape, Word};
use lastgasp_goruntime::{GoType, HeapObjects, Runtime, TypeReader};
use lastgasp_heapgraph::{HeapLayout, ObjectId};
use lastgasp_inferior::{Addr, Memory};
use rustc_hash::FxHashMap;

use super::kinds::{Closures, Kind, Kinds, Target, UNTYPED};
use super::numbers::{Believed, Numbers};
use super::slots::{SlotClass, Slots};
use super::trust::Trust;

/// What is said of an object's bytes by who points to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// One value, which needs a slot of its size.
    Whole,
    /// So many bytes, which need a slot of that size.
    Bytes(u64),
    /// At least so many, or one value: no more is known.
    AtLeast(u64),
}

/// What stands where a `*T` leads to, by what is known of `T`.
#[derive(Clone, Copy)]
enum Pointed {
    /// A `T`.
    Whole,
    /// Something larger that begins with one, a timer of the runtime's.
    Timer,
    /// A node of a `sync.Map`, which says of which of two types it is.
    TrieNode,
}

/// The kinds of all objects, in the making.
pub(crate) struct Assigner<'a> {
    pub(super) rt: &'a Runtime,
    pub(super) mem: &'a dyn Memory,
    pub(super) objects: &'a HeapObjects,
    pub(super) layout: &'a HeapLayout,
    pub(super) slots: Slots,
    pub(super) types: TypeReader<'a>,
    pub(super) kinds: Kinds,
    /// Of each type that pointers lead to what stands there; and its kind's number, once that is asked for.
    pointed: FxHashMap<Addr, (Pointed, Option<u32>)>,
    /// By number: kind, and how it is believed.
    of: Believed,
    /// Objects whose pointers are still to be followed.
    pub(super) pending: Vec<u64>,
    /// Spans in which some wait, by their place in the layout.
    pub(super) queue: VecDeque<u32>,
    pub(super) queued: Vec<bool>,
    /// Index in the layout of each of the runtime's spans.
    places: Vec<Option<usize>>,
    /// How a typed word is believed.
    pub(super) by_word: Trust,
    /// Types of words of package variables, as code has them, by where they stand.
    pub(super) variables: FxHashMap<Addr, String>,
    /// Types of whole package variables, by where they stand, from debug information.
    pub(super) declared: FxHashMap<Addr, Addr>,
    /// What an address leads to that was looked up before it is asked for.
    placed: (Addr, Place),
}

/// What an address leads to: the object, its span's place in the layout, and the bytes from its slot's start.
pub(super) type Place = Option<(ObjectId, usize, u64)>;

impl<'a> Assigner<'a> {
    pub(crate) fn new(
        rt: &'a Runtime,
        mem: &'a dyn Memory,
        objects: &'a HeapObjects,
        layout: &'a HeapLayout,
        code: Option<&CodeTypes>,
    ) -> Self {
        let mut types = TypeReader::new(rt, mem);
        let closures =
            code.filter(|code| code.is_of(rt)).map(|code| Closures::of(code, &mut types)).unwrap_or_default();
        let slots = Slots::new(layout, objects);
        let mut places = vec![None; objects.spans().len()];
        for (index, span) in slots.spans().iter().enumerate() {
            if let Some(place) = places.get_mut(*span) {
                *place = Some(index);
            }
        }
        Self {
            rt,
            mem,
            objects,
            layout,
            types,
            kinds: Kinds::new(closures),
            pointed: FxHashMap::default(),
            of: Believed::nothing(layout.bound()),
            pending: vec![0; layout.bound() / 64],
            queue: VecDeque::new(),
            queued: vec![false; slots.spans().len()],
            slots,
            places,
            by_word: Trust::Pointer,
            variables: FxHashMap::default(),
            declared: FxHashMap::default(),
            placed: (Addr(0), None),
        }
    }

    /// Looks up what an address leads to, and glances at what is known of that: whoever looks at many before
    /// the first is asked for waits for all of them together.
    pub(super) fn look_up(&self, at: Addr) -> Place {
        let place = self.layout.place_of(at.0);
        std::hint::black_box(place.map(|(object, ..)| self.of.get(object.0)));
        place
    }

    /// Says what an address leads to, which is asked next.
    pub(super) fn looked_up(&mut self, at: Addr, place: Place) {
        self.placed = (at, place);
    }

    fn leads_to(&self, at: Addr) -> Place {
        if self.placed.0 == at { self.placed.1 } else { self.layout.place_of(at.0) }
    }

    /// The number of the kind of an object, and how it is believed.
    pub(crate) fn kind_of(&self, object: ObjectId) -> (u32, Trust) {
        self.of.get(object.0)
    }

    /// Says what stands at an address; whether it is believed.
    pub(crate) fn offer(&mut self, at: Addr, kind: Kind, trust: Trust, extent: Extent) -> bool {
        let Some((object, index, class)) = self.starts_at(at) else { return false };
        let Some(number) = self.kinds.number(&mut self.types, kind) else { return false };
        self.place(object, index, class, number, trust, extent)
    }

    /// The object that begins where is pointed to: what points into the middle of something says nothing of
    /// the whole.
    fn starts_at(&self, at: Addr) -> Option<(ObjectId, usize, SlotClass)> {
        let (object, index, offset) = self.leads_to(at)?;
        let class = self.slots.class(index)?;
        (offset == class.header).then_some((object, index, class))
    }

    /// As [`Assigner::offer`], of an object that begins where was pointed to.
    fn place(
        &mut self,
        object: ObjectId,
        index: usize,
        class: SlotClass,
        number: u32,
        trust: Trust,
        extent: Extent,
    ) -> bool {
        let (before, believed) = self.kind_of(object);
        if before == number && believed >= trust {
            return true;
        }
        let Some(known) = self.kinds.get(number) else { return false };
        if known.noscan.is_some_and(|noscan| noscan != class.noscan) {
            return false;
        }
        let fits = match extent {
            Extent::Whole => known.bytes.is_none_or(|bytes| class.holds(bytes) && (!class.tiny || bytes == 16)),
            Extent::Bytes(bytes) => class.holds(bytes) && (!class.tiny || bytes == 16),
            Extent::AtLeast(bytes) => {
                bytes.max(known.bytes.unwrap_or(0)) <= class.room() && (!class.tiny || bytes == 16)
            }
        };
        if !fits {
            return false;
        }
        let mut trust = trust;
        if before != UNTYPED && before != number {
            if self.is_part_of_map(number, before) {
                trust = trust.max(believed);
            } else if !self.is_better(number, trust, before, believed) {
                return false;
            }
        }
        let has_pointers = !class.noscan && self.kinds.get(number).is_some_and(|k| k.has_plan());
        if !self.of.set(object.0, number, trust) {
            return false;
        }
        // A kind that is only believed more leads nowhere new.
        if has_pointers && before != number {
            self.wait(object, index);
        }
        true
    }

    /// Takes back what was believed of an object that contradicts it.
    pub(super) fn refuse(&mut self, object: ObjectId) {
        self.of.set(object.0, UNTYPED, Trust::None);
    }

    fn is_better(&mut self, number: u32, trust: Trust, before: u32, believed: Trust) -> bool {
        if trust != believed {
            return trust > believed;
        }
        let (Some(new), Some(old)) = (self.kinds.get(number), self.kinds.get(before)) else { return false };
        let (Kind::One(new_at), Kind::One(old_at)) = (new.kind, old.kind) else { return false };
        match new.bytes.cmp(&old.bytes) {
            // What is a part of the other at its start was meant by whoever pointed there; the whole was
            // allocated.
            std::cmp::Ordering::Equal => self.begins_with(new_at, old_at),
            order => order.is_gt(),
        }
    }

    /// Whether the one kind is what the other is to the allocator, which knows the runtime's own types alone:
    /// `*maps.table` of any map. (Go 1.22 and 1.23 note `*runtime.bmap` with the list of a map's overflow
    /// buckets: without this 4,800 buckets of a map without pointers had no type.)
    fn is_part_of_map(&mut self, number: u32, before: u32) -> bool {
        let (Some(new), Some(old)) = (self.kinds.get(number), self.kinds.get(before)) else { return false };
        let (wanted, of) = match (new.kind, old.kind) {
            (Kind::Map(_), Kind::One(of)) => (["maps.Map", "runtime.hmap"], of),
            (Kind::MapTable(_), Kind::One(of)) => (["maps.table", ""], of),
            (Kind::MapDirectory(_), Kind::One(of) | Kind::Array(of)) => (["*maps.table", ""], of),
            (Kind::MapExtra(_), Kind::One(of)) => (["runtime.mapextra", ""], of),
            (Kind::MapOverflow(_), Kind::One(of)) => (["[]*runtime.bmap", ""], of),
            (Kind::MapOverflows(_), Kind::One(of) | Kind::Array(of)) => (["*runtime.bmap", ""], of),
            _ => return false,
        };
        self.types.get(of).is_some_and(|of| wanted.contains(&&*of.name))
    }

    /// Whether a value of a type begins with one of another.
    fn begins_with(&mut self, outer: Addr, inner: Addr) -> bool {
        const DEEPEST: usize = 64;
        let mut at = outer;
        for _ in 0..DEEPEST {
            let first = match self.types.get(at).as_deref() {
                Some(GoType { shape: Shape::Struct { fields }, .. }) => fields.first().map(|f| f.type_at),
                Some(GoType { shape: Shape::Array { elem, .. }, .. }) => Some(*elem),
                _ => None,
            };
            match first {
                Some(first) if first == inner => return true,
                Some(first) => at = first,
                None => return false,
            }
        }
        false
    }

    fn wait(&mut self, object: ObjectId, index: usize) {
        if let Some(word) = self.pending.get_mut(object.0 as usize / 64) {
            *word |= 1 << (object.0 % 64);
        }
        if let Some(queued) = self.queued.get_mut(index)
            && !*queued
        {
            *queued = true;
            self.queue.push_back(index as u32);
        }
    }

    /// Whether an object waits.
    pub(super) fn waits(&self, object: ObjectId) -> bool {
        self.pending.get(object.0 as usize / 64).is_some_and(|word| word >> (object.0 % 64) & 1 == 1)
    }

    /// Whether an object waits; then it does not any more.
    pub(super) fn take(&mut self, object: ObjectId) -> bool {
        let Some(word) = self.pending.get_mut(object.0 as usize / 64) else { return false };
        let bit = 1 << (object.0 % 64);
        let was = *word & bit != 0;
        *word &= !bit;
        was
    }

    /// The object in a slot of one of the runtime's spans.
    pub(super) fn object(&self, span: usize, slot: u32) -> Option<ObjectId> {
        self.layout.slot(self.places.get(span).copied().flatten()?, slot)
    }

    /// What a pointer of a typed object says of where it leads. `before` and `after` are the words beside it.
    pub(super) fn apply(&mut self, target: Target, to: Addr, before: Option<u64>, after: [Option<u64>; 2]) {
        match target {
            Target::Whole(kind) => {
                self.offer(to, kind, Trust::Pointer, Extent::AtLeast(0));
            }
            Target::Array(Kind::MapDirectory(map)) if after[0] == Some(0) => {
                self.offer(to, Kind::MapRun(map), Trust::Pointer, Extent::Whole);
            }
            Target::Array(kind) => {
                self.offer(to, kind, Trust::Pointer, Extent::AtLeast(0));
            }
            Target::Word(Word::Interface { table }) => {
                let Some(word) = before.map(Addr) else { return };
                let of = if table { self.types.of_itab(word) } else { self.types.get(word) };
                if let Some(of) = of {
                    self.boxed(&of, to, Trust::Interface);
                }
            }
            Target::Word(word) => self.word(word, to, after),
        }
    }

    /// What an interface that holds a value of a type says of where its data word leads.
    pub(crate) fn boxed(&mut self, of: &GoType, to: Addr, trust: Trust) {
        if !of.direct_iface {
            self.offer(to, Kind::One(of.at), trust, Extent::Whole);
            return;
        }
        // The value itself is a pointer: what it says of its target is no more than any pointer says.
        if let Some(Target::Word(word)) = self.types.word_at(of.at, 0).map(Target::Word) {
            match (word, trust) {
                (Word::Pointer(elem), Trust::Stack) => {
                    self.offer(to, Kind::One(elem), trust, Extent::Whole);
                }
                (_, Trust::Stack) | (Word::Slice(_) | Word::String | Word::Interface { .. }, _) => {}
                (word, _) => self.word(word, to, [None, None]),
            }
        }
    }

    pub(crate) fn word(&mut self, word: Word, to: Addr, after: [Option<u64>; 2]) {
        match word {
            Word::Pointer(elem) => self.pointer(elem, to),
            Word::Slice(elem) => {
                let (Some(capacity), Some(of)) = (after[1], self.types.get(elem)) else { return };
                if let Some(bytes) = capacity.checked_mul(of.size)
                    && !self.offer(to, Kind::Array(elem), self.by_word, Extent::Bytes(bytes))
                {
                    self.rest_of_array(&of, to, bytes);
                }
            }
            Word::String => {
                if let Some(length) = after[0]
                    && !self.offer(to, Kind::String, self.by_word, Extent::AtLeast(length.max(1)))
                {
                    self.string_around(to, length.max(1));
                }
            }
            Word::Map(map) => {
                self.offer(to, Kind::Map(map), self.by_word, Extent::Whole);
            }
            Word::Chan(chan) => {
                if let Some(elem) = self.types.get(chan).and_then(|t| t.elem()) {
                    self.channel(to, Some(elem));
                }
            }
            Word::Func => {
                self.closure(to, self.by_word);
            }
            Word::Interface { .. } | Word::Unsafe => {}
        }
    }

    /// A closure, if what stands there is code.
    pub(super) fn closure(&mut self, at: Addr, trust: Trust) -> bool {
        let code = self.layout.object_at(at.0).and_then(|_| self.mem.ptr(at).ok());
        let Some(code) = code.filter(|code| self.rt.module.pcs.contains(*code)) else { return false };
        let is_known = self.kinds.closures().type_of(code).is_some();
        let extent = if is_known { Extent::Whole } else { Extent::AtLeast(8) };
        self.offer(at, Kind::Closure(code), trust, extent)
    }

    /// What a root leads to that is perhaps a closure: it is one if it begins with the code of one of which
    /// the code says what it captures, and has a slot of its size.
    pub(crate) fn add_closures(&mut self, roots: impl Iterator<Item = Addr>) {
        for at in roots {
            let Some(object) = self.layout.object_at(at.0) else { continue };
            if self.kind_of(object).1 == Trust::None
                && let Ok(code) = self.mem.ptr(at)
                && self.kinds.closures().type_of(code).is_some()
            {
                self.closure(at, Trust::Stack);
            }
        }
    }

    /// The bytes of a string that another is a part of (`s[100:132]`): what a string points into is bytes,
    /// wherever it begins. Whoever points to their start is believed before this.
    fn string_around(&mut self, to: Addr, length: u64) {
        let Some(object) = self.layout.object_at(to.0) else { return };
        let Some(start) = self.layout.address(object).filter(|start| *start < to.0) else { return };
        let end = (to.0 - start).saturating_add(length);
        if self.slots.of(self.layout, object).is_some_and(|(_, class)| class.noscan && !class.tiny) {
            self.offer(Addr(start), Kind::String, Trust::Stack, Extent::AtLeast(end));
        }
    }

    /// The array that a slice is the rest of (`b[n:]`): its capacity goes on to the array's end, so that what
    /// stands before it tells how large the whole is, which must need the slot. A struct that ends in such an
    /// array looks alike: any pointer to it is believed before this.
    fn rest_of_array(&mut self, of: &GoType, to: Addr, bytes: u64) {
        let Some(object) = self.layout.object_at(to.0) else { return };
        let Some((_, class)) = self.slots.of(self.layout, object) else { return };
        let Some(start) = self.layout.address(object).and_then(|s| s.checked_add(class.header)) else { return };
        let Some(before) = to.0.checked_sub(start).filter(|before| *before > 0) else { return };
        if before.checked_rem(of.size) == Some(0)
            && let Some(whole) = before.checked_add(bytes)
        {
            self.offer(Addr(start), Kind::Array(of.at), Trust::Stack, Extent::Bytes(whole));
        }
    }

    fn pointer(&mut self, elem: Addr, to: Addr) {
        let (pointed, number) = match self.pointed.get(&elem) {
            Some(known) => *known,
            None => {
                let pointed = match self.types.get(elem) {
                    Some(of) if is_runtime_timer(self.rt, &of) => Pointed::Timer,
                    Some(of) if is_trie_node(&of) => Pointed::TrieNode,
                    _ => Pointed::Whole,
                };
                self.pointed.insert(elem, (pointed, None));
                (pointed, None)
            }
        };
        match pointed {
            Pointed::Whole => {
                let Some((object, index, class)) = self.starts_at(to) else { return };
                let number = number.unwrap_or_else(|| {
                    let number = self.kinds.number(&mut self.types, Kind::One(elem)).unwrap_or(UNTYPED);
                    self.pointed.insert(elem, (pointed, Some(number)));
                    number
                });
                if number != UNTYPED {
                    self.place(object, index, class, number, self.by_word, Extent::Whole);
                }
            }
            Pointed::Timer => {
                self.offer(to, Kind::One(elem), self.by_word, Extent::AtLeast(0));
            }
            Pointed::TrieNode => {
                if let Some(kind) = self.types.get(elem).and_then(|of| self.trie_node(&of, to)) {
                    self.offer(to, kind, self.by_word, Extent::Whole);
                }
            }
        }
    }

    /// A channel, if what stands there says that it is one of such elements.
    pub(crate) fn channel(&mut self, at: Addr, elem: Option<Addr>) -> bool {
        let (elem_at, bytes) = match self.rt.version.minor {
            ..=22 => (32, 96),
            23 | 24 => (40, 104),
            25.. => (40, 112),
        };
        if self.layout.object_at(at.0).is_none() {
            return false;
        }
        let Ok(said) = self.mem.ptr(at.plus(elem_at)) else { return false };
        if elem.is_some_and(|elem| elem != said) || !self.types.is_static(said) {
            return false;
        }
        self.offer(at, Kind::Chan(said), Trust::Interface, Extent::AtLeast(bytes))
    }

    /// `internal/sync.node` stands at the start of two others, and says of which
    /// (`internal/sync/hashtriemap.go`): what a `sync.Map` of Go 1.24 and later is made of.
    fn trie_node(&mut self, node: &GoType, to: Addr) -> Option<Kind> {
        let is_entry = self.mem.u8(to).ok()? == 1;
        let wanted = if is_entry { "sync.entry[" } else { "sync.indirect[" };
        let rest = node.name.split_once('[')?.1;
        self.types.named(&format!("{wanted}{rest}")).map(Kind::One)
    }

    /// All that was found, without what it was found with.
    pub(crate) fn finish(self) -> (Numbers, Kinds, TypeReader<'a>, Slots) {
        (self.of.finish(self.kinds.len()), self.kinds, self.types, self.slots)
    }
}

/// `time.Timer` and `time.Ticker` from Go 1.23 on: what a program holds is the first part of a larger
/// structure of the runtime's (`timeTimer`).
fn is_runtime_timer(rt: &Runtime, of: &GoType) -> bool {
    rt.version.minor >= 23 && matches!(&*of.name, "time.Timer" | "time.Ticker")
}

fn is_trie_node(of: &GoType) -> bool {
    of.name.starts_with("sync.node[")
}
