//! Memory that is kept alive and not used: `arrays` (parts of arrays that nothing leads to), `maps` (empty
//! and oversized ones), `boxes` (small values in interfaces, `[]*T` that could be `[]T`).

mod arrays;
mod boxes;
mod found;
mod maps;
mod pointed;

use lastgasp_goruntime::TypeReader;
use rustc_hash::FxHashMap;

use crate::collections::arrays::Arrays;
use crate::collections::maps::FoundMap;
use crate::heap::Heap;

pub(crate) use found::Found;
pub use found::WasteKind;

/// Wasted bytes of one owner and type from which on they are told.
const LEAST_TOLD: u64 = 16 << 10;

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

/// All of it one by one, the most wasted bytes first, but slices of pointers, which are to be settled.
pub(crate) fn found(heap: &Heap<'_>, types: &mut TypeReader<'_>, maps: &[FoundMap], arrays: &Arrays) -> Found {
    let mut found = Found::default();
    arrays::add(heap, types, maps, arrays, &mut found);
    maps::add(maps, &mut found);
    boxes::add(heap, types, arrays, &mut found);
    found.most_first();
    found
}

/// What is known of slices of pointers when the holders of what they lead to are: then all is found.
pub(crate) fn settle(heap: &Heap<'_>, found: &mut Found) {
    boxes::settle(heap, found);
    found.most_first();
}

/// What is of one owner and type put together, the most wasted bytes first; `ways` are those to each.
pub(crate) fn waste(found: Found, ways: &mut impl Iterator<Item = Vec<String>>) -> Vec<Waste> {
    let mut sums = Sums::default();
    for (kind, _, type_name, numbers) in found.all {
        let way = ways.next().unwrap_or_default();
        sums.add(kind, way.join(" "), type_name, numbers);
    }
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
