//! What is known of single objects before anything is followed: what the heap, stacks and variables say by
//! themselves.

use lastgasp_goruntime::types::typed_variables;
use lastgasp_goruntime::{Runtime, TypeReader, each_goroutine};
use lastgasp_heapgraph::{HeapLayout, ObjectId};
use lastgasp_inferior::{Addr, Memory};
use lastgasp_observe::raw_capture::RawCapture;
use rustc_hash::FxHashMap;

use super::assign::{Assigner, Extent};
use super::kinds::{Kind, Target};
use super::trust::Trust;

/// Objects in interfaces that are kept of each part of the heap that is read by itself: what a typed object
/// holds is found by its type too.
const MAX_BOXES: usize = 1 << 20;
/// Words that were taken for the address of a type and are none, after which only modules are looked into.
const MAX_WRONG: usize = 1 << 16;
/// Where a type or an interface table may stand at the lowest: below, there is no memory.
const LOWEST: u64 = 1 << 16;
/// And at the highest.
const HIGHEST: u64 = 1 << 47;
/// Goroutines that wait for one channel each, or in a `select` for many.
const MAX_WAITING: usize = 1 << 12;
/// Bytes of one stack that are looked through for interfaces, and of all.
const MAX_STACK: u64 = 1 << 20;
const MAX_STACKS: u64 = 256 << 20;

/// What was seen as the heap's pointers were read.
#[derive(Default)]
pub(crate) struct Seeds {
    /// The type that is kept with an object.
    pub(crate) headers: Vec<(ObjectId, Addr)>,
    /// An interface's type, and where its data word leads.
    pub(crate) boxes: Vec<(Addr, Addr)>,
}

impl Seeds {
    pub(crate) fn append(&mut self, mut other: Self) {
        self.headers.append(&mut other.headers);
        self.boxes.append(&mut other.boxes);
    }
}

/// Recognises interfaces: a word that is no pointer to the collector and yet the address of a type or of an
/// interface table, and behind it a pointer to an object. No other value has that form: who holds a type's
/// address otherwise (`reflect`) holds it as a pointer.
pub(crate) struct Interfaces<'a> {
    types: TypeReader<'a>,
    /// The type that a word names.
    words: FxHashMap<u64, Option<Addr>>,
    wrong: usize,
}

impl<'a> Interfaces<'a> {
    pub(crate) fn new(rt: &'a Runtime, mem: &'a dyn Memory) -> Self {
        Self { types: TypeReader::new(rt, mem), words: FxHashMap::default(), wrong: 0 }
    }

    /// The type of what an interface with this first word holds.
    pub(crate) fn of(&mut self, word: u64, layout: &HeapLayout) -> Option<Addr> {
        if !(LOWEST..HIGHEST).contains(&word) || !word.is_multiple_of(8) {
            return None;
        }
        if let Some(known) = self.words.get(&word) {
            return *known;
        }
        let at = Addr(word);
        let is_static = self.types.is_static(at);
        if !is_static && (self.wrong > MAX_WRONG || layout.slot_at(word).is_some()) {
            return None;
        }
        let own = if is_static { self.types.get(at) } else { None };
        let found = own.or_else(|| self.types.of_itab(at).filter(|t| self.types.is_static(t.at))).map(|t| t.at);
        self.wrong += usize::from(found.is_none());
        self.words.insert(word, found);
        found
    }

    /// Whether so many are kept that no more are.
    pub(crate) fn is_full(boxes: &[(Addr, Addr)]) -> bool {
        boxes.len() >= MAX_BOXES
    }
}

impl Assigner<'_> {
    /// What was seen in the heap.
    pub(crate) fn add_seeds(&mut self, seeds: Seeds) {
        for (object, at) in seeds.headers {
            let Some((_, class)) = self.slots.of(self.layout, object) else { continue };
            let Some(start) = self.layout.address(object).and_then(|s| s.checked_add(class.header)) else { continue };
            let Some(of) = self.types.get(at) else { continue };
            // Slots are never twice as large as asked for.
            let kind = if class.room() / of.size.max(1) >= 2 { Kind::Array(at) } else { Kind::One(at) };
            self.offer(Addr(start), kind, Trust::Header, Extent::AtLeast(0));
        }
        for (at, to) in seeds.boxes {
            if let Some(of) = self.types.get(at) {
                self.boxed(&of, to, Trust::Interface);
            }
        }
    }

    /// What the runtime's own lists lead to: goroutines, threads, and the channels that goroutines wait for.
    pub(crate) fn add_runtime(&mut self) {
        let (rt, mem) = (self.rt, self.mem);
        let kind = |all: &mut Self, name: &'static str| match all.types.named(name) {
            Some(at) => Kind::One(at),
            None => Kind::Runtime(name),
        };
        let (g, m, sudog) = (kind(self, "runtime.g"), kind(self, "runtime.m"), kind(self, "runtime.sudog"));
        let mut all = Vec::new();
        each_goroutine(rt, mem, |_, at| all.push(at));
        for at in all {
            self.offer(at, g, Trust::Interface, Extent::AtLeast(rt.layout.g.sizeof));
            let mut waiting = mem.ptr(at.plus(rt.layout.g.waiting)).unwrap_or(Addr(0));
            for _ in 0..MAX_WAITING {
                if waiting.is_null()
                    || !self.offer(waiting, sudog, Trust::Interface, Extent::AtLeast(rt.layout.sudog.sizeof))
                {
                    break;
                }
                let l = &rt.layout.sudog;
                if let Ok(channel) = mem.ptr(waiting.plus(l.c_traced.unwrap_or(l.c))) {
                    self.channel(channel, None);
                }
                waiting = mem.ptr(waiting.plus(l.waitlink)).unwrap_or(Addr(0));
            }
        }
        let mut thread = mem.ptr(rt.globals.allm).unwrap_or(Addr(0));
        for _ in 0..MAX_WAITING {
            if thread.is_null() {
                break;
            }
            self.offer(thread, m, Trust::Interface, Extent::AtLeast(rt.layout.m.sizeof));
            for own in [rt.layout.m.g0, rt.layout.m.gsignal] {
                let at = mem.ptr(thread.plus(own)).unwrap_or(Addr(0));
                self.offer(at, g, Trust::Interface, Extent::AtLeast(rt.layout.g.sizeof));
            }
            thread = mem.ptr(thread.plus(rt.layout.m.alllink)).unwrap_or(Addr(0));
        }
    }

    /// Interfaces on the stacks of goroutines that do not run. What stands in a frame may be of a call before
    /// it, so it is believed the least.
    pub(crate) fn add_stacks(&mut self) {
        let (rt, mem, layout) = (self.rt, self.mem, self.layout);
        let l = &rt.layout.g;
        let mut interfaces = Interfaces::new(rt, mem);
        let mut stacks = Vec::new();
        each_goroutine(rt, mem, |_, at| {
            let word = |offset: u64| mem.u64(at.plus(offset)).unwrap_or(0);
            let status = mem.u32(at.plus(l.atomicstatus)).unwrap_or(0) & 0xfff;
            let sp = match status {
                1 | 4 | 9 => word(l.sched_sp),
                3 => word(l.syscallsp),
                _ => return,
            };
            let hi = word(l.stack_hi);
            if sp >= word(l.stack_lo) && sp < hi && sp.is_multiple_of(8) {
                stacks.push((sp, (hi - sp).min(MAX_STACK)));
            }
        });
        let mut left = MAX_STACKS;
        for (sp, len) in stacks {
            left = left.saturating_sub(len);
            if left == 0 {
                return;
            }
            let Ok(bytes) = mem.bytes(Addr(sp), len as usize, MAX_STACK as usize) else { continue };
            let mut before = 0;
            for word in bytes.chunks_exact(8).map(|w| w.try_into().map_or(0, u64::from_le_bytes)) {
                if before != 0
                    && layout.object_at(word).is_some()
                    && let Some(of) = interfaces.of(before, layout).and_then(|at| self.types.get(at))
                {
                    self.boxed(&of, Addr(word), Trust::Stack);
                }
                before = word;
            }
        }
    }

    /// Interfaces in package variables, and what variables are by the debug information, where there is some.
    pub(crate) fn add_variables(&mut self, taken: &RawCapture) {
        let (rt, mem, layout) = (self.rt, self.mem, self.layout);
        let mut interfaces = Interfaces::new(rt, mem);
        let mut boxes = Vec::new();
        let mut last = Addr(0);
        lastgasp_goruntime::variable_pointers(rt, mem, &mut Vec::new(), |_, at, to| {
            // Two pointers in a row are no interface.
            if last.plus(8) != at
                && layout.object_at(to.0).is_some()
                && let Ok(before) = mem.u64(Addr(at.0.wrapping_sub(8)))
            {
                boxes.extend(interfaces.of(before, layout).map(|of| (of, to)));
            }
            last = at;
        });
        for (at, to) in boxes {
            if let Some(of) = self.types.get(at) {
                self.boxed(&of, to, Trust::Interface);
            }
        }
        let Some(image) = taken.binary.image() else { return };
        for variable in typed_variables(image, taken.binary.bias, &mut self.types) {
            self.declared.extend(variable.type_at.map(|of| (variable.at, of)));
            for (offset, word) in variable.words {
                let at = variable.at.plus(offset);
                let word_at = |words: i64| mem.u64(Addr(at.0.wrapping_add_signed(words * 8))).ok();
                let Some(to) = word_at(0).filter(|to| *to != 0) else { continue };
                self.apply(Target::Word(word), Addr(to), word_at(-1), [word_at(1), word_at(2)]);
            }
        }
    }
}
