//! Memory that is kept alive and not used: `arrays` (parts of arrays that nothing leads to), `maps` (empty and
//! oversized ones), `boxes` (small values in interfaces, `[]*T` that could be `[]T`).

mod arrays;
mod boxes;
mod maps;

use lastgasp_goruntime::TypeReader;
use rustc_hash::FxHashMap;

use crate::collections::arrays::Arrays;
use crate::collections::maps::FoundMap;
use crate::heap::Heap;
use crate::ways::Ways;

/// Wasted bytes of one owner and type from which on they are told.
const LEAST_TOLD: u64 = 16 << 10;

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

/// Waste of one kind, owner and type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waste {
    /// What kind.
    pub kind: WasteKind,
    /// The way by which it is kept.
    pub owner: String,
    /// As `%T` spells it.
    pub type_name: String,
    /// How many there are.
    pub count: u64,
    /// Bytes that they keep alive.
    pub kept_bytes: u64,
    /// Bytes of these that are used.
    pub used_bytes: u64,
}

impl Waste {
    /// Bytes that are not used.
    #[must_use]
    pub fn wasted_bytes(&self) -> u64 {
        self.kept_bytes.saturating_sub(self.used_bytes)
    }
}

/// Waste, put together by kind, owner and type.
#[derive(Default)]
struct Sums {
    all: FxHashMap<(WasteKind, String, String), (u64, u64, u64)>,
}

impl Sums {
    fn add(&mut self, kind: WasteKind, owner: String, type_name: String, [count, kept, used]: [u64; 3]) {
        let sum = self.all.entry((kind, owner, type_name)).or_default();
        *sum = (sum.0 + count, sum.1.saturating_add(kept), sum.2.saturating_add(used));
    }
}

impl Sums {
    /// What of one owner is known by its type and what is not are one, where there is only one such type: of
    /// arrays alike some were sampled as they were allocated.
    fn joined(mut self) -> FxHashMap<(WasteKind, String, String), (u64, u64, u64)> {
        let is_unknown = |name: &str| name.starts_with("[]unknown (");
        let mut known: FxHashMap<(WasteKind, String), Vec<String>> = FxHashMap::default();
        for (kind, owner, name) in self.all.keys().filter(|(.., name)| !is_unknown(name)) {
            known.entry((*kind, owner.clone())).or_default().push(name.clone());
        }
        let unknown: Vec<_> = self.all.keys().filter(|(.., name)| is_unknown(name)).cloned().collect();
        for key in unknown {
            if let Some([name]) = known.get(&(key.0, key.1.clone())).map(Vec::as_slice)
                && let Some((count, kept, used)) = self.all.remove(&key)
            {
                self.add(key.0, key.1, name.clone(), [count, kept, used]);
            }
        }
        self.all
    }
}

/// All of it, the most wasted bytes first.
pub(crate) fn waste(
    heap: &Heap<'_>,
    types: &mut TypeReader<'_>,
    maps: &[FoundMap],
    arrays: &Arrays,
    ways: &Ways<'_, '_>,
) -> Vec<Waste> {
    let mut sums = Sums::default();
    arrays::add(heap, types, maps, arrays, ways, &mut sums);
    maps::add(maps, ways, &mut sums);
    boxes::add(heap, types, arrays, ways, &mut sums);
    let mut all: Vec<Waste> = sums
        .joined()
        .into_iter()
        .map(|((kind, owner, type_name), (count, kept_bytes, used_bytes))| Waste {
            kind,
            owner,
            type_name,
            count,
            kept_bytes,
            used_bytes,
        })
        .filter(|w| w.wasted_bytes() >= LEAST_TOLD)
        .collect();
    all.sort_by(|a, b| {
        (b.wasted_bytes(), a.kind, &a.owner, &a.type_name).cmp(&(a.wasted_bytes(), b.kind, &b.owner, &b.type_name))
    });
    all
}
