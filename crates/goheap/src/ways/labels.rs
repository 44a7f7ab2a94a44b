//! What a pointer from one thing to another is called in the source: a field, an element, a key.

use std::cell::RefCell;
use std::sync::Arc;

use lastgasp_goruntime::types::Shape;
use lastgasp_goruntime::{Symbolizer, TypeReader};
use lastgasp_heapgraph::{Holder, ObjectId, RootId};
use lastgasp_inferior::{Addr, BlockCache, Memory};
use rustc_hash::FxHashMap;

use crate::functions::is_of_waiting;
use crate::heap::Heap;
use crate::roots::RootName;
use crate::types::ObjectType;

/// What a pointer of an object of unknown type is called.
const UNKNOWN: &str = "?";
/// An element of an array behind a slice, a value or key of a map.
const ELEMENT: &str = "[...]";
/// What a function captures, by a way of which no more is known.
const CAPTURED: &str = "(captured)";
/// Structs within arrays within structs that are gone into.
const MAX_DEPTH: usize = 64;
/// Bytes of one object that are looked through for a pointer: of a larger one the ways are told without
/// fields.
const MAX_BYTES: u64 = 256 << 20;
/// Bytes of a package variable that are looked through.
const MAX_VARIABLE: u64 = 1 << 20;
/// Bytes that are read at once, and of an object for which no room is made.
const CHUNK: usize = 1 << 20;
const SMALL: usize = 1024;

/// Names of pointers.
pub(super) struct Labels<'h, 'a> {
    heap: &'h Heap<'a>,
    state: RefCell<State<'h>>,
}

/// A label by its number: the same words have the same.
pub(super) type Label = u32;
/// No words.
pub(super) const EMPTY: Label = 0;

/// All labels that were met.
struct Words {
    all: Vec<Arc<str>>,
    numbers: FxHashMap<Arc<str>, Label>,
}

impl Words {
    fn new() -> Self {
        let mut words = Self { all: Vec::new(), numbers: FxHashMap::default() };
        words.number("");
        words
    }

    fn number(&mut self, words: &str) -> Label {
        if let Some(known) = self.numbers.get(words) {
            return *known;
        }
        let words: Arc<str> = words.into();
        self.all.push(words.clone());
        let number = (self.all.len() - 1) as Label;
        self.numbers.insert(words, number);
        number
    }
}

struct State<'h> {
    /// Where objects are looked into, one beside another.
    memory: BlockCache<&'h dyn Memory>,
    words: Words,
    types: TypeReader<'h>,
    symbols: Symbolizer<'h>,
    /// Functions by an address in them.
    frames: FxHashMap<Addr, String>,
    /// What is captured, by the number of the closure's name and the field.
    closures: FxHashMap<(u32, Label), Label>,
    /// Of each type: its pointers.
    fields: FxHashMap<Addr, Arc<Pointers>>,
    /// Where the pointers of the object of before lead to, sorted, with their names: children of one object
    /// come in a row.
    of: Option<(ObjectId, Targets)>,
}

/// Where pointers lead to, in the order of addresses, with their names.
type Targets = Vec<(u64, Name)>;

/// What a pointer is called in a value, and in a value that is an element.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Name {
    alone: Label,
    element: Label,
}

impl Name {
    fn get(self, is_array: bool) -> Label {
        if is_array { self.element } else { self.alone }
    }
}

/// The pointers of a value of a type.
struct Pointers {
    /// Bytes of a value.
    size: u64,
    /// Their names by offset.
    words: Vec<(u64, Name)>,
    /// The name of all of them, where they have one.
    only: Option<Name>,
    /// That of a pointer which is not found again.
    none: Name,
}

impl<'h, 'a> Labels<'h, 'a> {
    pub(super) fn of(heap: &'h Heap<'a>) -> Self {
        let types = TypeReader::new(heap.runtime, heap.memory);
        let symbols = Symbolizer::new(heap.memory, &heap.runtime.module, heap.runtime.layout);
        let (frames, fields, closures) = (FxHashMap::default(), FxHashMap::default(), FxHashMap::default());
        let memory = BlockCache::new(heap.memory as &dyn Memory);
        let words = Words::new();
        Self { heap, state: RefCell::new(State { memory, words, types, symbols, frames, closures, fields, of: None }) }
    }

    /// What a label says.
    pub(super) fn spelled(&self, label: Label) -> String {
        let state = self.state.borrow();
        state.words.all.get(label as usize).map_or_else(String::new, |words| words.to_string())
    }

    /// What the step from one holder to the next is called; empty where it is within one thing of the source
    /// (a map's header and its groups).
    pub(super) fn of_step(&self, from: Holder, to: Holder) -> Label {
        let words = match (from, to) {
            (Holder::Object(from), Holder::Object(to)) => match self.pointer(from, to) {
                Ok(label) => return label,
                Err(words) => words.into(),
            },
            (_, Holder::Root(_) | Holder::Group(_)) => self.heap.root_name(to).map(RootName::words).unwrap_or_default(),
            (Holder::Root(from), Holder::Object(to)) => {
                self.frame(from, to).or_else(|| self.in_variable(from, to)).unwrap_or_default()
            }
            _ => String::new(),
        };
        self.state.borrow_mut().words.number(&words)
    }

    /// The field of an object at an address within it.
    pub(super) fn within(&self, object: ObjectId, at: Addr) -> String {
        let start = self.heap.graph.layout().address(object).map(|slot| self.heap.start_of_value(slot));
        let (Some(offset), Some((of, _))) = (start.and_then(|s| at.0.checked_sub(s)), self.heap.type_of(object)) else {
            return String::new();
        };
        let mut state = self.state.borrow_mut();
        let size = |state: &mut State<'_>, of: Addr| state.types.get(of).map_or(0, |t| t.size);
        match of {
            ObjectType::Value(of) if offset < size(&mut state, of) => state.field_words(of, offset),
            ObjectType::Values(of) => match offset.checked_rem(size(&mut state, of)) {
                Some(offset) => format!("{ELEMENT}{}", state.field_words(of, offset)),
                None => String::new(),
            },
            _ => String::new(),
        }
    }

    /// `[frame main.buildAvidMap]`: in which frame a goroutine holds it, where that is not the one that the
    /// goroutine is named by.
    fn frame(&self, root: RootId, object: ObjectId) -> Option<String> {
        let pc = self.heap.holders.frame(root, object)?;
        let mut state = self.state.borrow_mut();
        let state = &mut *state;
        let function = state
            .frames
            .entry(pc)
            .or_insert_with(|| state.symbols.innermost(pc).map_or_else(String::new, |frame| frame.function));
        // The frame by which it waits says nothing of whose it is.
        let silent = function.is_empty() || is_of_waiting(function);
        let known = silent || self.heap.root_name(Holder::Root(root)).is_some_and(|r| r.name == *function);
        (!known).then(|| format!("[frame {function}]"))
    }

    /// The field of a package variable, or of what the linker has set aside for it, that leads to an object;
    /// `None` where the variable's type is not known.
    fn in_variable(&self, root: RootId, to: ObjectId) -> Option<String> {
        let stand = self.heap.holders.stand(root)?;
        let mut of = *self.heap.types.declared.get(&stand.variable)?;
        let mut state = self.state.borrow_mut();
        if stand.behind {
            of = state.types.get(of)?.elem()?;
        }
        let len = stand.range.end.0.checked_sub(stand.range.start.0)?.min(MAX_VARIABLE);
        let words = self.heap.memory.bytes(stand.range.start, len as usize, MAX_VARIABLE as usize).ok()?;
        let layout = self.heap.graph.layout();
        let (start, bytes) = (layout.address(to)?, layout.bytes(to));
        let leads_there = |word: &[u8]| {
            let value = u64::from_le_bytes(word.try_into().unwrap_or_default());
            value.wrapping_sub(start) < bytes
        };
        let at = words.chunks_exact(8).position(leads_there)? as u64 * 8;
        let size = state.types.get(of)?.size;
        (at < size).then(|| state.field_words(of, at))
    }

    /// The label of a pointer from object to object, or the words of one.
    fn pointer(&self, from: ObjectId, to: ObjectId) -> Result<Label, &'static str> {
        let target = || self.heap.type_of(to).is_some_and(|(kind, name)| is_of_map(kind, name));
        Err(match self.heap.type_of(from) {
            None => UNKNOWN,
            Some((ObjectType::Value(at), name)) => {
                let field = self.field(from, to, at, false);
                return Ok(match closed_by(name) {
                    Some(function) => self.in_closure(from, function, field),
                    None => field,
                });
            }
            Some((ObjectType::Values(at), _)) => return Ok(self.field(from, to, at, true)),
            Some((ObjectType::Map(_), _)) if target() => return Ok(EMPTY),
            Some((ObjectType::Map(_), _)) => ELEMENT,
            Some((ObjectType::Chan(_), _)) => "(queued)",
            Some((ObjectType::String, _)) => return Ok(EMPTY),
            Some((kind @ (ObjectType::Other | ObjectType::MapRuns(_)), name)) if is_of_map(kind, name) => {
                if target() {
                    return Ok(EMPTY);
                }
                ELEMENT
            }
            Some((ObjectType::Other, name)) if name.starts_with("func") => {
                let captured = self.state.borrow_mut().words.number(CAPTURED);
                return Ok(match closed_by(name) {
                    Some(function) => self.in_closure(from, function, captured),
                    None => captured,
                });
            }
            Some((ObjectType::Other | ObjectType::MapRuns(_), _)) => return Ok(EMPTY),
        })
    }

    /// `[func main.arm.func1] .X1`: what a function captures, with whose it is, for that is a place in the
    /// program (seen blind: timers that keep what their function holds, and nobody said which).
    fn in_closure(&self, from: ObjectId, function: &str, field: Label) -> Label {
        let mut state = self.state.borrow_mut();
        let key = self.heap.types.name_number(self.heap.graph.layout(), from).map(|number| (number, field));
        if let Some(known) = key.and_then(|key| state.closures.get(&key)) {
            return *known;
        }
        let words = state.words.all.get(field as usize).cloned().unwrap_or_default();
        let label = state.words.number(format!("[func {function}] {words}").trim_end());
        state.closures.extend(key.map(|key| (key, label)));
        label
    }

    /// The field by which an object points to another.
    fn field(&self, from: ObjectId, to: ObjectId, of: Addr, is_array: bool) -> Label {
        let mut state = self.state.borrow_mut();
        let pointers = state.pointers(of);
        if let Some(only) = &pointers.only {
            return only.get(is_array);
        }
        if state.of.as_ref().is_none_or(|(known, _)| *known != from) {
            let room = state.of.take().map(|(_, room)| room).unwrap_or_default();
            state.of = Some((from, self.pointers_of(&state.memory, from, &pointers, room)));
        }
        let layout = self.heap.graph.layout();
        let (start, bytes) = (layout.address(to).unwrap_or_default(), layout.bytes(to));
        let Some((_, known)) = &state.of else { return pointers.none.get(is_array) };
        let first = known.partition_point(|(at, _)| *at < start);
        let found = known.get(first).filter(|(at, _)| at.wrapping_sub(start) < bytes);
        found.map_or(pointers.none, |(_, name)| *name).get(is_array)
    }

    /// Where the pointers of one object lead to, in the order of addresses.
    fn pointers_of(&self, memory: &dyn Memory, object: ObjectId, pointers: &Pointers, room: Targets) -> Targets {
        let layout = self.heap.graph.layout();
        let bytes = layout.bytes(object);
        let (Some(slot), true) = (layout.address(object), pointers.size > 0 && bytes <= MAX_BYTES) else {
            return Vec::new();
        };
        let start = self.heap.start_of_value(slot);
        let mut out = room;
        out.clear();
        let mut small = [0; SMALL];
        let mut large = vec![0; if bytes as usize > SMALL { CHUNK.min(bytes as usize) } else { 0 }];
        let chunk = if large.is_empty() { small.as_mut_slice() } else { large.as_mut_slice() };
        let mut at = start;
        while at < slot + bytes {
            let n = (slot + bytes - at).min(chunk.len() as u64) as usize;
            let Some(buf) = chunk.get_mut(..n) else { break };
            if memory.read(Addr(at), buf).is_err() {
                break;
            }
            for (i, word) in buf.chunks_exact(8).enumerate() {
                let value = u64::from_le_bytes(word.try_into().unwrap_or_default());
                let offset = (at - start + 8 * i as u64) % pointers.size;
                if value != 0
                    && let Ok(found) = pointers.words.binary_search_by_key(&offset, |(o, _)| *o)
                    && let Some((_, name)) = pointers.words.get(found)
                {
                    out.push((value, *name));
                }
            }
            at += n as u64;
        }
        // Of two ways to one object the first in the source.
        out.sort_by_key(|(value, _)| *value);
        out.dedup_by_key(|(value, _)| *value);
        out
    }
}

impl State<'_> {
    fn pointers(&mut self, of: Addr) -> Arc<Pointers> {
        if let Some(known) = self.fields.get(&of) {
            return known.clone();
        }
        let none = self.name("");
        let mut found = Pointers { size: 0, words: Vec::new(), only: None, none };
        if let Some(go_type) = self.types.get(of) {
            found.size = go_type.size;
            let words = self.types.words(of).unwrap_or_default();
            let named = |(offset, _): &(u64, _)| (*offset, self.field_words(of, *offset));
            let words: Vec<(u64, String)> = words.iter().map(named).collect();
            found.words = words.iter().map(|(offset, words)| (*offset, self.name(words))).collect();
        }
        let first = found.words.first().map(|(_, name)| *name);
        found.only = match first {
            Some(first) => found.words.iter().all(|(_, name)| *name == first).then_some(first),
            None => Some(none),
        };
        let found = Arc::new(found);
        self.fields.insert(of, found.clone());
        found
    }

    fn name(&mut self, words: &str) -> Name {
        let element = self.words.number(&format!("{ELEMENT}{words}"));
        Name { alone: self.words.number(words), element }
    }

    /// `.config.names[...]`: fields and elements down to the word at an offset. The words of a string, slice
    /// or interface are none of their own.
    fn field_words(&mut self, of: Addr, mut offset: u64) -> String {
        let mut words = String::new();
        let mut of = self.types.get(of);
        for _ in 0..MAX_DEPTH {
            let Some(here) = of else { break };
            let inner = match &here.shape {
                Shape::Struct { fields } => {
                    let behind = fields.partition_point(|f| f.offset <= offset);
                    let Some(field) = behind.checked_sub(1).and_then(|i| fields.get(i)) else { break };
                    offset -= field.offset;
                    words.push('.');
                    words.push_str(&field.name);
                    field.type_at
                }
                Shape::Array { elem, .. } => {
                    let Some(inner) = self.types.get(*elem).filter(|t| t.size > 0) else { break };
                    offset %= inner.size;
                    words.push_str(ELEMENT);
                    *elem
                }
                _ => break,
            };
            of = self.types.get(inner);
        }
        words
    }
}

/// The function of a closure, by the name of what it is.
fn closed_by(name: &str) -> Option<&str> {
    name.strip_prefix("func closure ")
}

/// Whether it is a part of a map: groups, buckets, tables, their arrays.
fn is_of_map(kind: ObjectType, name: &str) -> bool {
    let name = name.trim_start_matches("[]").trim_start_matches('*');
    kind != ObjectType::String
        && (name.starts_with("map.") || name.contains("maps.table") || name == "runtime.mapextra")
}
