//! From the address of a descriptor to a type that is believed, and remembered.

use std::sync::Arc;

use lastgasp_inferior::{Addr, Memory};
use rustc_hash::FxHashMap;

use super::descriptor::{ARRAY_LEN, CHAN_DIR, ELEM, LIST, Raw};
use super::go_type::{ChanDir, Field, GoType, Shape};
use super::kind::Kind;
use super::map_layout::MapLayout;
use super::modules::Modules;
use super::names::{read_name, stored_name};
use crate::runtime::Runtime;

/// Types that are remembered, believed or not; large services have some 60,000. What is asked for beyond is
/// no type.
const MAX_TYPES: usize = 1 << 20;
/// Fields of a struct that are believed.
const MAX_FIELDS: u64 = 1 << 16;
/// Fields of all structs together.
const MAX_ALL_FIELDS: usize = 4 << 20;
/// Methods of an interface that are believed.
const MAX_METHODS: u64 = 1 << 16;
/// `abi.StructField`: name, type, offset.
const FIELD: usize = 24;
/// Elements within elements that are gone through for a name: reflection makes no more in practice.
const MAX_WRAPPED: usize = 16;

/// The types of a process.
///
/// ```text
/// let mut types = TypeReader::new(&rt, &mem);
/// let map = types.get(at)?;               // Arc<GoType>: name, size, shape
/// let key = types.get(map.map()?.key)?;   // other types are named by address, and asked for alike
/// ```
///
/// Nothing is gone into but what is asked for: a type that names itself, or a chain without end, costs what
/// its reader follows of it.
pub struct TypeReader<'a> {
    rt: &'a Runtime,
    mem: &'a dyn Memory,
    modules: Arc<Modules>,
    known: FxHashMap<Addr, Option<Arc<GoType>>>,
    fields: usize,
    /// What was looked for by name.
    pub(super) by_name: FxHashMap<String, Option<Addr>>,
}

impl<'a> TypeReader<'a> {
    /// A reader that knows nothing yet. `mem` must have the binary's constants too.
    #[must_use]
    pub fn new(rt: &'a Runtime, mem: &'a dyn Memory) -> Self {
        let modules = Arc::new(Modules::read(rt, mem));
        Self { rt, mem, modules, known: FxHashMap::default(), fields: 0, by_name: FxHashMap::default() }
    }

    /// The type whose descriptor stands at an address; `None` for what is none, or cannot be read.
    pub fn get(&mut self, at: Addr) -> Option<Arc<GoType>> {
        if let Some(known) = self.known.get(&at) {
            return known.clone();
        }
        if self.known.len() >= MAX_TYPES {
            return None;
        }
        let found = self.read(at).map(Arc::new);
        self.known.insert(at, found.clone());
        found
    }

    /// Whether a descriptor stands in a module, where the linker put it. One that does not was made up by
    /// reflection, or is none: what lies in the heap may look like anything.
    #[must_use]
    pub fn is_static(&self, at: Addr) -> bool {
        self.modules.types_of(at).is_some()
    }

    /// Where the modules have their types.
    #[must_use]
    pub fn modules(&self) -> &Modules {
        &self.modules
    }

    /// The runtime whose types they are.
    #[must_use]
    pub fn runtime(&self) -> &'a Runtime {
        self.rt
    }

    /// The memory that they are read from.
    #[must_use]
    pub fn memory(&self) -> &'a dyn Memory {
        self.mem
    }

    /// The type of the values behind an interface table (`abi.ITab`: the interface, the type, the type's hash
    /// once more, methods).
    pub fn of_itab(&mut self, at: Addr) -> Option<Arc<GoType>> {
        if at.is_null() || !at.0.is_multiple_of(8) {
            return None;
        }
        let mut words = [0; 24];
        self.mem.read(at, &mut words).ok()?;
        let word = |i: usize| Some(u64::from_le_bytes(words.get(i * 8..i * 8 + 8)?.try_into().ok()?));
        let interface = self.get(Addr(word(0)?))?;
        if !matches!(interface.shape, Shape::Interface { methods: 1.. }) {
            return None;
        }
        let of = self.get(Addr(word(1)?))?;
        (u64::from(of.hash) == word(2)? & 0xffff_ffff && of.kind != Kind::Interface).then_some(of)
    }

    fn read(&mut self, at: Addr) -> Option<GoType> {
        let (raw, kind) = Raw::read(self.mem, at)?;
        let shape = self.shape(&raw, kind)?;
        let name = match self.modules.types_of(at) {
            Some(types) => stored_name(self.mem, types, raw.name_offset(), raw.extra_star())?,
            None => self.made_up_name(at, &shape)?,
        };
        Some(GoType {
            at,
            name: name.into(),
            size: raw.size(),
            ptr_bytes: raw.ptr_bytes(),
            align: raw.align(),
            kind,
            direct_iface: raw.direct_iface(&self.rt.version),
            hash: raw.hash(),
            shape,
        })
    }

    fn shape(&mut self, raw: &Raw, kind: Kind) -> Option<Shape> {
        let elem = Addr(raw.word(ELEM));
        let pointed = !elem.is_null() && elem.0.is_multiple_of(8);
        Some(match kind {
            Kind::Pointer if pointed => Shape::Pointer { elem },
            Kind::Slice if pointed => Shape::Slice { elem },
            Kind::Array if pointed => {
                let len = raw.word(ARRAY_LEN);
                let elem_size = self.mem.u64(elem).ok()?;
                (elem_size.checked_mul(len)? == raw.size()).then_some(Shape::Array { elem, len })?
            }
            Kind::Chan if pointed => {
                let dir = match raw.word(CHAN_DIR) {
                    1 => ChanDir::Receive,
                    2 => ChanDir::Send,
                    3 => ChanDir::Both,
                    _ => return None,
                };
                Shape::Chan { elem, dir }
            }
            Kind::Pointer | Kind::Slice | Kind::Array | Kind::Chan => return None,
            Kind::Func => Shape::Func,
            Kind::Interface => {
                let methods = raw.word(LIST + 8);
                (methods <= MAX_METHODS).then_some(Shape::Interface { methods })?
            }
            Kind::Struct => Shape::Struct { fields: self.struct_fields(raw)? },
            Kind::Map => Shape::Map(Box::new(MapLayout::read(&self.rt.version, raw)?)),
            _ => Shape::Plain,
        })
    }

    /// Fields one behind the other, all within the struct.
    fn struct_fields(&mut self, raw: &Raw) -> Option<Vec<Field>> {
        let (list, n, capacity) = (Addr(raw.word(LIST)), raw.word(LIST + 8), raw.word(LIST + 16));
        if n > MAX_FIELDS || n > capacity || self.fields.saturating_add(n as usize) > MAX_ALL_FIELDS {
            return None;
        }
        self.fields += n as usize;
        let bytes = self.mem.bytes(list, n as usize * FIELD, MAX_FIELDS as usize * FIELD).ok()?;
        let mut fields = Vec::with_capacity(bytes.len() / FIELD);
        let mut end = 0;
        for field in bytes.chunks_exact(FIELD) {
            let word = |i: usize| field.get(i * 8..i * 8 + 8).and_then(|w| w.try_into().ok()).map(u64::from_le_bytes);
            let (name, type_at, offset) = (Addr(word(0)?), Addr(word(1)?), word(2)?);
            let size = self.mem.u64(type_at).ok()?;
            if offset < end || !type_at.0.is_multiple_of(8) {
                return None;
            }
            end = offset.checked_add(size).filter(|end| *end <= raw.size())?;
            fields.push(Field { name: read_name(self.mem, name)?.into(), type_at, offset });
        }
        Some(fields)
    }

    /// How a type that reflection made is spelled: its name stands in a table of the runtime's, but what it
    /// is made of says it too, as far as that is of modules.
    fn made_up_name(&mut self, at: Addr, shape: &Shape) -> Option<String> {
        let mut before = String::new();
        let mut shape = shape.clone();
        for _ in 0..MAX_WRAPPED {
            let elem = match &shape {
                Shape::Pointer { elem } => {
                    before.push('*');
                    *elem
                }
                Shape::Slice { elem } => {
                    before.push_str("[]");
                    *elem
                }
                Shape::Array { elem, len } => {
                    before.push_str(&format!("[{len}]"));
                    *elem
                }
                Shape::Chan { elem, dir } => {
                    before.push_str(match dir {
                        ChanDir::Receive => "<-chan ",
                        ChanDir::Send => "chan<- ",
                        ChanDir::Both => "chan ",
                    });
                    *elem
                }
                Shape::Map(map) => {
                    let key = Some(map.key).filter(|key| self.is_static(*key))?;
                    before.push_str(&format!("map[{}]", self.get(key)?.name));
                    map.elem
                }
                Shape::Struct { .. } => {
                    before.push_str("struct {...}");
                    return Some(before);
                }
                Shape::Func => {
                    before.push_str("func(...)");
                    return Some(before);
                }
                // Reflection makes none of these.
                Shape::Plain | Shape::Interface { .. } => return None,
            };
            if elem == at {
                return None;
            }
            if self.is_static(elem) {
                before.push_str(&self.get(elem)?.name);
                return Some(before);
            }
            let (raw, kind) = Raw::read(self.mem, elem)?;
            shape = self.shape(&raw, kind)?;
        }
        None
    }
}
