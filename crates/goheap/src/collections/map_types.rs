//! The map types of a program, found among the descriptors of its modules: a map that nothing names is of one
//! of them. (`reflect.MapOf` makes others, which stand in the heap; those are known by their holders alone.)

use lastgasp_goruntime::types::MapLayout;
use lastgasp_goruntime::{GoType, TypeReader};
use lastgasp_inferior::Addr;
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// Bytes of sections with types that are looked through; the largest programs have some 40 MiB.
const MAX_SECTION: u64 = 256 << 20;
/// Bytes of a section that are read at once.
const WINDOW: usize = 1 << 20;
/// Most map types that are kept.
const MAX_TYPES: usize = 1 << 16;
/// Offset of the kind in a descriptor, the mask of it without flags, `abi.Map`.
const KIND: usize = 23;
const KIND_MASK: u8 = 0x1f;
const MAP: u8 = 21;
/// Bytes of a descriptor's head that are looked at before it is believed.
const HEAD: usize = 48;

/// A type of maps.
#[derive(Clone, Debug)]
pub(crate) struct MapType {
    /// The type.
    pub(crate) of: Arc<GoType>,
    /// Its layout.
    pub(crate) layout: MapLayout,
    /// Type of its keys.
    pub(crate) key: Arc<GoType>,
    /// Type of its values.
    pub(crate) elem: Arc<GoType>,
    /// Whether buckets or groups hold no pointers.
    pub(crate) noscan: bool,
    /// As `%T` spells it; where only the buckets or groups are known and several named types have them, as the
    /// type under these is spelled.
    pub(crate) name: Arc<str>,
}

impl MapType {
    /// That of a type; `None` where it is no map, or its parts make no sense.
    pub(crate) fn of(types: &mut TypeReader<'_>, at: Addr) -> Option<Self> {
        let of = types.get(at)?;
        let layout = of.map()?.clone();
        let (key, elem) = (types.get(layout.key)?, types.get(layout.elem)?);
        let noscan = key.noscan() && elem.noscan() && !layout.indirect_key && !layout.indirect_elem;
        let name = Arc::clone(&of.name);
        Some(Self { of, layout, key, elem, noscan, name })
    }

    /// Bytes of a key and of a value.
    pub(crate) fn sizes(&self) -> (u64, u64) {
        (self.key.size, self.elem.size)
    }

    /// Whether it has no name of its own: `map[K]V`.
    fn is_plain(&self) -> bool {
        self.name.starts_with("map[")
    }
}

/// All of them.
#[derive(Default)]
pub(crate) struct MapTypes {
    /// By the type of their buckets or groups; of several types with the same one the plain `map[K]V`.
    by_run: FxHashMap<Addr, Arc<MapType>>,
}

impl MapTypes {
    /// Those of a program's modules.
    pub(crate) fn read(types: &mut TypeReader<'_>) -> Self {
        let mut found = Vec::new();
        let mem = types.memory();
        let sections = types.modules().sections().to_vec();
        let mut buffer = vec![0; WINDOW];
        for section in sections {
            let (mut at, end) = (section.start, section.start.plus(section.len().min(MAX_SECTION)));
            while at < end && found.len() < MAX_TYPES {
                let len = (end.0 - at.0).min(WINDOW as u64) as usize;
                let Some(bytes) = buffer.get_mut(..len) else { break };
                if mem.read(at, bytes).is_err() {
                    at = at.plus(len as u64);
                    continue;
                }
                for i in (0..len.saturating_sub(HEAD)).step_by(8) {
                    // Cheap first: the kind, and a size and pointer bytes of one word.
                    let word =
                        |of: usize| bytes.get(of..of + 8).and_then(|w| w.try_into().ok()).map(u64::from_le_bytes);
                    let is_map = bytes.get(i + KIND).is_some_and(|k| k & KIND_MASK == MAP);
                    if is_map && word(i) == Some(8) && word(i + 8) == Some(8) {
                        found.push(at.plus(i as u64));
                    }
                }
                // What lies across two windows is looked at again.
                at = at.plus(if len < WINDOW { len as u64 } else { (len - HEAD) as u64 });
            }
        }
        found.dedup();
        let mut out = Self::default();
        for at in found {
            if let Some(of) = MapType::of(types, at) {
                out.add(Arc::new(of));
            }
        }
        out
    }

    fn add(&mut self, of: Arc<MapType>) {
        let known = self.by_run.entry(of.layout.run).or_insert_with(|| Arc::clone(&of));
        if of.is_plain() && !known.is_plain() {
            *known = of;
        } else if !of.is_plain() && !known.is_plain() && of.name != known.name {
            let name = format!("map[{}]{}", of.key.name, of.elem.name).into();
            *known = Arc::new(MapType { name, ..(*of).clone() });
        }
    }

    /// The one whose buckets or groups are of the type at an address.
    pub(crate) fn of_run(&self, run: Addr) -> Option<Arc<MapType>> {
        self.by_run.get(&run).cloned()
    }

    /// Those that fit, one for each type of buckets or groups.
    pub(crate) fn fitting<'a>(
        &'a self,
        fits: impl Fn(&MapType) -> bool + 'a,
    ) -> impl Iterator<Item = &'a Arc<MapType>> {
        self.by_run.values().filter(move |t| fits(t))
    }
}
