//! Waste as it is found, object by object, and its kinds.

use lastgasp_heapgraph::ObjectId;

use super::pointed::Pointed;

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

/// Of which owners are looked for: those that waste the most.
const MAX_FOUND: usize = 1 << 17;

/// Waste one by one.
#[derive(Default)]
pub(crate) struct Found {
    /// Kind, object, type, and count, bytes kept and bytes used.
    pub(super) all: Vec<(WasteKind, ObjectId, String, [u64; 3])>,
    /// Slices of pointers, with their types, that are waste if nothing else holds what they lead to.
    pub(super) pointed: Vec<(ObjectId, String, Pointed)>,
}

impl Found {
    /// The objects, one for each of them.
    pub(crate) fn objects(&self) -> impl Iterator<Item = ObjectId> + '_ {
        self.all.iter().map(|(_, object, ..)| *object)
    }

    /// All objects of which the holders are asked for.
    pub(crate) fn asked_for(&self) -> impl Iterator<Item = ObjectId> + '_ {
        self.objects().chain(self.pointed.iter().flat_map(|(array, _, of)| of.objects.iter().copied().chain([*array])))
    }

    /// The most wasted bytes first; no more than owners are looked for.
    pub(super) fn most_first(&mut self) {
        self.all.sort_by_key(|(.., [_, kept, used])| std::cmp::Reverse(kept.saturating_sub(*used)));
        self.all.truncate(MAX_FOUND);
    }

    pub(super) fn add(&mut self, kind: WasteKind, object: ObjectId, type_name: String, numbers: [u64; 3]) {
        self.all.push((kind, object, type_name, numbers));
    }
}
