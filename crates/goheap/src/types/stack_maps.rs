//! Maps whose headers stand on stacks: nothing on the heap names their types. Where the memory profile knows
//! of one array of groups or buckets by which map's code it was allocated, the rest of that map is of it too.

use lastgasp_goruntime::collections::{MapReader, ReadBudget};
use lastgasp_goruntime::types::MapForm;
use lastgasp_inferior::Addr;

use super::assign::{Assigner, Extent};
use super::kinds::Kind;
use super::trust::Trust;
use crate::on_stacks::StackMap;

/// Bytes of directories and tables that are read.
const MAX_BYTES: u64 = 256 << 20;

impl Assigner<'_> {
    /// What is known of a part of each is said of all of it.
    pub(crate) fn add_stack_maps(&mut self, maps: &[StackMap]) {
        let reader = MapReader::new(self.rt, self.mem);
        let mut budget = ReadBudget::of(MAX_BYTES);
        for map in maps {
            let Ok(found) = reader.arrays(map.at, &mut budget) else { continue };
            // What the header counts stands there: else it is none.
            if found.counted != found.elements {
                continue;
            }
            let Some(of) = self.map_of_arrays(&found.arrays) else { continue };
            if MapForm::of(&self.rt.version) == MapForm::Groups {
                self.offer(map.array, Kind::MapDirectory(of), Trust::Pointer, Extent::AtLeast(0));
            }
            for array in found.arrays {
                self.offer(array, Kind::MapRuns(of), Trust::Pointer, Extent::AtLeast(0));
            }
        }
    }

    /// The map's type that all arrays agree on of which one is known.
    fn map_of_arrays(&self, arrays: &[Addr]) -> Option<Addr> {
        let mut known = None;
        for array in arrays {
            let Some(object) = self.layout.object_at(array.0) else { continue };
            let (number, _) = self.kind_of(object);
            let of = match self.kinds.get(number).map(|k| k.kind) {
                Some(Kind::MapRuns(of) | Kind::MapRun(of)) => of,
                _ => continue,
            };
            if *known.get_or_insert(of) != of {
                return None;
            }
        }
        known
    }
}
