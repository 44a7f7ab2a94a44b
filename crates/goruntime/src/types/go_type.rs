//! A type, as its descriptor states it.

use std::sync::Arc;

use lastgasp_inferior::Addr;

use super::kind::Kind;
use super::map_layout::MapLayout;

/// A type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoType {
    /// Where its descriptor stands: its identity within the process. Two descriptors may describe one type (a
    /// plugin's and the program's).
    pub at: Addr,
    /// As `%T` spells it: `main.Item`, `[]*main.Item`, `map[string]int`, `main.Pair[int,string]`.
    pub name: Arc<str>,
    /// Bytes of a value.
    pub size: u64,
    /// Bytes up to the end of the last pointer in a value; 0 if there is none.
    pub ptr_bytes: u64,
    /// What a value's address is a multiple of.
    pub align: u8,
    /// Its kind.
    pub kind: Kind,
    /// Whether an interface's data word holds a value itself (a pointer, a map, a struct of one pointer) and
    /// not the address of one.
    pub direct_iface: bool,
    /// `Type.Hash`: what an interface table of it repeats.
    pub hash: u32,
    /// What it is made of.
    pub shape: Shape,
}

impl GoType {
    /// Whether a value holds no pointers.
    #[must_use]
    pub fn noscan(&self) -> bool {
        self.ptr_bytes == 0
    }

    /// The element of a pointer, slice, array, channel or map (there its values).
    #[must_use]
    pub fn elem(&self) -> Option<Addr> {
        match &self.shape {
            Shape::Pointer { elem } | Shape::Slice { elem } | Shape::Array { elem, .. } | Shape::Chan { elem, .. } => {
                Some(*elem)
            }
            Shape::Map(map) => Some(map.elem),
            Shape::Plain | Shape::Func | Shape::Interface { .. } | Shape::Struct { .. } => None,
        }
    }

    /// How a map of the type is laid out, if it is one.
    #[must_use]
    pub fn map(&self) -> Option<&MapLayout> {
        match &self.shape {
            Shape::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The fields of a struct; none of another.
    #[must_use]
    pub fn fields(&self) -> &[Field] {
        match &self.shape {
            Shape::Struct { fields } => fields,
            _ => &[],
        }
    }

    /// The field of a struct of that name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields().iter().find(|f| &*f.name == name)
    }
}

/// What a type is made of. Other types are named by where their descriptors stand: whether those are any is
/// seen when they are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Numbers, `bool`, `string`, `unsafe.Pointer`.
    Plain,
    /// `*T`.
    Pointer {
        /// `T`.
        elem: Addr,
    },
    /// `[]T`.
    Slice {
        /// `T`.
        elem: Addr,
    },
    /// `[n]T`.
    Array {
        /// `T`.
        elem: Addr,
        /// `n`.
        len: u64,
    },
    /// `chan T`.
    Chan {
        /// `T`.
        elem: Addr,
        /// Which ways values go.
        dir: ChanDir,
    },
    /// A function: a value is the address of a closure, whose first word is the code's.
    Func,
    /// An interface: a value is two words, `{type, data}` without methods and `{interface table, data}` with.
    Interface {
        /// How many methods it asks for.
        methods: u64,
    },
    /// A struct.
    Struct {
        /// Its fields in order.
        fields: Vec<Field>,
    },
    /// A map.
    Map(Box<MapLayout>),
}

/// A field of a struct.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name; of an embedded one its type's.
    pub name: Arc<str>,
    /// Where its type's descriptor stands.
    pub type_at: Addr,
    /// Bytes from the struct's start.
    pub offset: u64,
}

/// Which ways values go through a channel (`abi.ChanDir`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChanDir {
    /// `<-chan T`.
    Receive,
    /// `chan<- T`.
    Send,
    /// `chan T`.
    Both,
}
