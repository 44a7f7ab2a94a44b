//! What a pointer from one thing to another is called in the source: a field, an element, a key.

use std::cell::RefCell;
use std::sync::Arc;

use lastgasp_goruntime::types::Shape;
use lastgasp_goruntime::{Symbolizer, TypeReader};
use lastgasp_heapgraph::{Holder, ObjectId, RootId};
use lastgasp_inferior::Addr;
use rustc_hash::FxHashMap;

use crate::heap::Heap;
use crate::roots::{RootKind, RootName};
use crate::types::ObjectType;

/// What a pointer of an object of unknown type is called.
const UNKNOWN: &str = "?";
/// An element of an array behind a slice, a value or key of a map.
const ELEMENT: &str = "[...]";
/// Structs within arrays within structs that are gone into.
const MAX_DEPTH: usize = 64;
/// Bytes of one object that are looked through for a pointer: of a larger one the ways are told without
/// fields.
const MAX_BYTES: u64 = 256 << 20;
/// Bytes of a package variable that are looked through.
const MAX_VARIABLE: u64 = 1 << 20;
/// Bytes that are read at once.
const CHUNK: usize = 1 << 20;

/// Names of pointers.
pub(super) struct Labels<'h, 'a> {
    heap: &'h Heap<'a>,
    state: RefCell<State<'h>>,
}

struct State<'h> {
    types: TypeReader<'h>,
    symbols: Symbolizer<'h>,
    /// Functions by an address in them.
    frames: FxHashMap<Addr, String>,
    /// Of each type: its pointers.
    fields: FxHashMap<Addr, Arc<Pointers>>,
    /// Where the pointers of the object of before lead to, sorted, with their names: children of one object
    /// come in a row.
    of: Option<(ObjectId, Targets)>,
}

/// Where pointers lead to, in the order of addresses, with their names.
type Targets = Vec<(u64, Arc<str>)>;

/// The pointers of a value of a type.
#[derive(Default)]
struct Pointers {
    /// Bytes of a value.
    size: u64,
    /// Their names by offset.
    words: Vec<(u64, Arc<str>)>,
    /// The name of all of them, where they have one.
    only: Option<Arc<str>>,
}

impl<'h, 'a> Labels<'h, 'a> {
    pub(super) fn of(heap: &'h Heap<'a>) -> Self {
        let types = TypeReader::new(heap.runtime, heap.memory);
        let symbols = Symbolizer::new(heap.memory, &heap.runtime.module, heap.runtime.layout);
        let (frames, fields) = (FxHashMap::default(), FxHashMap::default());
        Self { heap, state: RefCell::new(State { types, symbols, frames, fields, of: None }) }
    }

    /// What the step from one holder to the next is called; empty where it is within one thing of the source
    /// (a map's header and its groups).
    pub(super) fn words(&self, from: Holder, to: Holder) -> String {
        match (from, to) {
            (_, Holder::Root(_) | Holder::Group(_)) => self.heap.root_name(to).map(root_words).unwrap_or_default(),
            (Holder::Root(from), Holder::Object(to)) => {
                self.frame(from, to).or_else(|| self.in_variable(from, to)).unwrap_or_default()
            }
            (Holder::Object(from), Holder::Object(to)) => self.pointer(from, to),
            _ => String::new(),
        }
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
        let known = function.is_empty() || self.heap.root_name(Holder::Root(root)).is_some_and(|r| r.name == *function);
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

    fn pointer(&self, from: ObjectId, to: ObjectId) -> String {
        let target = self.heap.type_of(to);
        match self.heap.type_of(from) {
            None => UNKNOWN.to_owned(),
            Some((ObjectType::Value(at), _)) => self.field(from, to, at, false),
            Some((ObjectType::Values(at), _)) => self.field(from, to, at, true),
            Some((ObjectType::Map(_), _)) if target.is_some_and(|(kind, name)| is_of_map(kind, name)) => String::new(),
            Some((ObjectType::Map(_), _)) => ELEMENT.to_owned(),
            Some((ObjectType::Chan(_), _)) => "(queued)".to_owned(),
            Some((ObjectType::String, _)) => String::new(),
            Some((kind @ (ObjectType::Other | ObjectType::MapRuns(_)), name)) if is_of_map(kind, name) => {
                match target {
                    Some((kind, name)) if is_of_map(kind, name) => String::new(),
                    _ => ELEMENT.to_owned(),
                }
            }
            Some((ObjectType::Other, name)) if name.starts_with("func") => "(captured)".to_owned(),
            Some((ObjectType::Other | ObjectType::MapRuns(_), _)) => String::new(),
        }
    }

    /// The field by which an object points to another.
    fn field(&self, from: ObjectId, to: ObjectId, of: Addr, is_array: bool) -> String {
        let mut state = self.state.borrow_mut();
        let pointers = state.pointers(of);
        let named = |words: &str| if is_array { format!("{ELEMENT}{words}") } else { words.to_owned() };
        if let Some(only) = &pointers.only {
            return named(only);
        }
        if state.of.as_ref().is_none_or(|(known, _)| *known != from) {
            state.of = Some((from, self.pointers_of(from, &pointers)));
        }
        let layout = self.heap.graph.layout();
        let (start, bytes) = (layout.address(to).unwrap_or_default(), layout.bytes(to));
        let Some((_, known)) = &state.of else { return named("") };
        let first = known.partition_point(|(at, _)| *at < start);
        let found = known.get(first).filter(|(at, _)| at.wrapping_sub(start) < bytes);
        found.map_or_else(|| named(""), |(_, words)| named(words))
    }

    /// Where the pointers of one object lead to, in the order of addresses.
    fn pointers_of(&self, object: ObjectId, pointers: &Pointers) -> Targets {
        let layout = self.heap.graph.layout();
        let bytes = layout.bytes(object);
        let (Some(slot), true) = (layout.address(object), pointers.size > 0 && bytes <= MAX_BYTES) else {
            return Vec::new();
        };
        let start = self.heap.start_of_value(slot);
        let (mut out, mut chunk) = (Vec::new(), vec![0; CHUNK.min(bytes as usize)]);
        let mut at = start;
        while at < slot + bytes {
            let n = (slot + bytes - at).min(CHUNK as u64) as usize;
            let Some(buf) = chunk.get_mut(..n) else { break };
            if self.heap.memory.read(Addr(at), buf).is_err() {
                break;
            }
            for (i, word) in buf.chunks_exact(8).enumerate() {
                let value = u64::from_le_bytes(word.try_into().unwrap_or_default());
                let offset = (at - start + 8 * i as u64) % pointers.size;
                if value != 0
                    && let Ok(found) = pointers.words.binary_search_by_key(&offset, |(o, _)| *o)
                    && let Some((_, words)) = pointers.words.get(found)
                {
                    out.push((value, words.clone()));
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
        let mut found = Pointers::default();
        if let Some(go_type) = self.types.get(of) {
            found.size = go_type.size;
            let words = self.types.words(of).unwrap_or_default();
            found.words = words.iter().map(|(offset, _)| (*offset, self.field_words(of, *offset).into())).collect();
        }
        let first = found.words.first().map(|(_, words)| words.clone());
        found.only = match first {
            Some(first) => found.words.iter().all(|(_, words)| *words == first).then_some(first),
            None => Some("".into()),
        };
        let found = Arc::new(found);
        self.fields.insert(of, found.clone());
        found
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

/// `global main.cache`, `goroutines in main.(*Server).ugcTab`.
pub(crate) fn root_words(root: &RootName) -> String {
    match root.kind {
        RootKind::Global => format!("global {}", root.name),
        RootKind::Goroutine if root.goroutines == 1 => format!("goroutine in {}", root.name),
        RootKind::Goroutine => format!("goroutines in {}", root.name),
        RootKind::Finalizer => format!("finalizer {}", root.name),
        RootKind::Runtime => format!("runtime {}", root.name),
    }
}

/// Whether it is a part of a map: groups, buckets, tables, their arrays.
fn is_of_map(kind: ObjectType, name: &str) -> bool {
    let name = name.trim_start_matches("[]").trim_start_matches('*');
    kind != ObjectType::String
        && (name.starts_with("map.") || name.contains("maps.table") || name == "runtime.mapextra")
}
