//! What the runtime notes of single objects beside them, read once for all who ask.

use lastgasp_goruntime::{Gap, HeapObjects, Runtime, Special, SpecialKind, each_special};
use lastgasp_heapgraph::{HeapLayout, ObjectId};
use lastgasp_inferior::{Addr, Memory};

/// An object that the memory profile sampled as it was allocated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sample {
    /// The object, or the slot of several tiny ones.
    pub(crate) object: ObjectId,
    /// Whether it begins where the slot does.
    pub(crate) is_start: bool,
    /// Its bucket in the memory profile.
    pub(crate) bucket: Addr,
}

/// All that were sampled, by number.
#[derive(Clone, Debug, Default)]
pub(crate) struct Samples {
    all: Vec<Sample>,
}

impl Samples {
    /// Reads all that is noted of objects; the records of no sample go to `others`.
    pub(crate) fn read(
        rt: &Runtime,
        mem: &dyn Memory,
        objects: &HeapObjects,
        layout: &HeapLayout,
        others: &mut Vec<Special>,
        gaps: &mut Vec<Gap>,
    ) -> Self {
        let mut all = Vec::new();
        each_special(rt, mem, objects, gaps, |special| {
            if special.kind != SpecialKind::Profile {
                others.push(special);
                return;
            }
            let Some((at, bucket)) = special.object(objects).zip(special.bucket) else { return };
            if let Some(object) = layout.object_at(at.0) {
                all.push(Sample { object, is_start: layout.address(object) == Some(at.0), bucket });
            }
        });
        all.sort_by_key(|s| s.object);
        all.shrink_to_fit();
        Self { all }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Sample> + '_ {
        self.all.iter().copied()
    }

    /// The bucket of an object, if it was sampled: of several tiny ones in a slot that of the last.
    pub(crate) fn bucket(&self, object: ObjectId) -> Option<Addr> {
        let behind = self.all.partition_point(|s| s.object <= object);
        let last = self.all.get(behind.checked_sub(1)?)?;
        (last.object == object).then_some(last.bucket)
    }
}
