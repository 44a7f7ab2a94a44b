//! Sampled objects: the code that allocated them names their types.

use lastgasp_goruntime::types::{AllocSites, SiteType};
use lastgasp_heapgraph::ObjectId;
use lastgasp_inferior::Addr;

use super::assign::{Assigner, Extent};
use super::kinds::Kind;
use super::trust::Trust;
use crate::samples::{Sample, Samples};

impl Assigner<'_> {
    /// What the memory profile knows of single objects.
    pub(crate) fn add_sites(&mut self, samples: &Samples) {
        let mut sites = AllocSites::new(self.rt, self.mem);
        for Sample { object, bucket, .. } in samples.iter().filter(|s| s.is_start) {
            if let Some((at, room)) = self.place_of(object)
                && let Some(site) = sites.of(&mut self.types, bucket)
            {
                self.add_site(site, at, room);
            }
        }
    }

    /// Where the value of an object begins, and how many bytes there are for it; `None` of garbage.
    fn place_of(&self, object: ObjectId) -> Option<(Addr, u64)> {
        let (index, class) = self.slots.of(self.layout, object)?;
        let slot = object.0.checked_sub(self.layout.slot(index, 0)?.0)?;
        let at = self.layout.address(object)?.checked_add(class.header)?;
        (!self.objects.is_garbage(self.slots.span(index)?, slot)).then_some((Addr(at), class.room()))
    }

    fn add_site(&mut self, site: SiteType, at: Addr, room: u64) {
        let trust = Trust::Site;
        match site {
            SiteType::One(of) | SiteType::Either(of) if self.kinds.closures().has(of) => self.closure(at, trust),
            SiteType::One(of) => self.offer(at, Kind::One(of), trust, Extent::Whole),
            SiteType::Many(of) => self.offer(at, Kind::Array(of), trust, Extent::AtLeast(0)),
            SiteType::Either(of) => {
                let size = self.types.get(of).map_or(1, |t| t.size.max(1));
                // Slots are never twice as large as asked for.
                if room / size >= 2 {
                    self.offer(at, Kind::Array(of), trust, Extent::AtLeast(0))
                } else {
                    self.offer(at, Kind::One(of), trust, Extent::Whole)
                }
            }
            SiteType::Chan(of) => {
                let elem = self.types.get(of).and_then(|t| t.elem());
                self.channel(at, elem)
                    || elem.is_some_and(|e| self.offer(at, Kind::Array(e), trust, Extent::AtLeast(0)))
            }
            // The header, and an array of buckets or groups, by their sizes: where both have one, neither.
            SiteType::Map(of) | SiteType::MapPart(of) => {
                const HEADER: u64 = 48;
                let Some(map) = self.types.get(of).and_then(|t| t.map().cloned()) else { return };
                let is_new = matches!(site, SiteType::Map(_));
                if room > 512 && room / map.run_bytes >= 2 && !map.indirect_key && !map.indirect_elem {
                    self.offer(at, Kind::MapRuns(of), trust, Extent::AtLeast(0))
                } else if is_new && room == HEADER && map.run_bytes > 64 {
                    self.offer(at, Kind::Map(of), trust, Extent::Whole)
                } else {
                    false
                }
            }
            SiteType::String => self.offer(at, Kind::String, trust, Extent::AtLeast(0)),
            SiteType::Bytes => match self.types.named("uint8") {
                Some(byte) => self.offer(at, Kind::Array(byte), trust, Extent::AtLeast(0)),
                None => false,
            },
        };
    }
}
