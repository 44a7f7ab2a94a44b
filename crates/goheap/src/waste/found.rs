//! Waste as it is found, object by object, and its kinds.

use lastgasp_heapgraph::ObjectId;

/// What kind of waste it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum WasteKind {
    /// A slice that keeps a larger array alive.
    Subslice,
    /// A string that keeps larger bytes alive.
    Substring,
    /// Room behind a slice that was never used.
    Overcapacity,
    /// A large collection without elements.
    Empty,
    /// A map much larger than what is in it.
    Oversized,
    /// Small values in interfaces.
    Boxed,
    /// `[]*T` that could be `[]T`.
    PointerSlice,
}

impl WasteKind {
    /// As the document has it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Subslice => "subslice",
            Self::Substring => "substring",
            Self::Overcapacity => "overcapacity",
            Self::Empty => "empty",
            Self::Oversized => "oversized",
            Self::Boxed => "boxed",
            Self::PointerSlice => "pointer-slice",
        }
    }
}

/// Waste one by one: kind, object, type, and count, bytes kept and bytes used.
#[derive(Default)]
pub(crate) struct Found {
    pub(super) all: Vec<(WasteKind, ObjectId, String, [u64; 3])>,
}

impl Found {
    /// The objects, one for each of them.
    pub(crate) fn objects(&self) -> impl Iterator<Item = ObjectId> + '_ {
        self.all.iter().map(|(_, object, ..)| *object)
    }

    pub(super) fn add(&mut self, kind: WasteKind, object: ObjectId, type_name: String, numbers: [u64; 3]) {
        self.all.push((kind, object, type_name, numbers));
    }
}
