//! The flight ring's last look at the profile, as sites: where nothing of a dead process could be copied.

use lastgasp_diagnosis::facts::{LastLook, Profile};
use lastgasp_goruntime::{Bucket, Counts, MemProfile, MemRecord, Symbolizer};
use lastgasp_observe::raw_capture::RawCapture;
use lastgasp_observe::target::baselines::{BaselineHistory, SiteCounts};

use crate::frames::Frames;
use crate::memory::gc;
use crate::sites::sites;

/// Most sites that are named: each is old, and a list of a hundred says no more.
const MAX_SITES: usize = 10;

/// What the largest sites held then; `None` for a capture that has evidence, or where nobody looked.
pub(crate) fn last_look(taken: &RawCapture, symbols: &Symbolizer<'_>, frames: &mut Frames) -> Option<LastLook> {
    let history = &taken.baselines;
    let last = history.times().len().checked_sub(1).filter(|_| taken.is_of_the_flight_ring())?;
    let look = history.look(last)?;
    let buckets = look.sites.iter().filter_map(|site| bucket(site, history.stack(site.addr)?)).collect();
    let profile = MemProfile { rate: look.rate, buckets, ..MemProfile::default() };
    let Profile { mut sites, .. } = sites(&profile, None, &BaselineHistory::default(), symbols, frames);
    sites.truncate(MAX_SITES);
    Some(LastLook { t_ms: look.t_ms, gc: gc(&look.gauges), sites })
}

/// A bucket as it would have been copied then.
fn bucket(site: &SiteCounts, stack: &[lastgasp_inferior::Addr]) -> Option<Bucket> {
    let SiteCounts { addr, allocated, in_use } = *site;
    let freed = |of: fn(&Counts) -> u64| of(&allocated).saturating_sub(of(&in_use));
    let mut record = MemRecord::default();
    record.active.allocs = allocated;
    record.active.frees = Counts { objects: freed(|c| c.objects), bytes: freed(|c| c.bytes) };
    Some(Bucket { addr, size: allocated.bytes.checked_div(allocated.objects)?, stack: stack.to_vec(), record })
}

#[cfg(test)]
mod tests {
    use super::*;
    use lastgasp_goruntime::unsample;
    use lastgasp_inferior::Addr;

    #[test]
    fn a_bucket_holds_what_was_seen_of_it() {
        let counts = |objects| Counts { objects, bytes: objects * 48 };
        let site = SiteCounts { addr: Addr(1), allocated: counts(10), in_use: counts(4) };
        let made = bucket(&site, &[Addr(7)]).unwrap();
        let profile = MemProfile { rate: 512 << 10, buckets: vec![made], ..MemProfile::default() };
        let made = &profile.buckets[0];
        assert_eq!((profile.current(made), made.size), ((counts(10), counts(4)), 48));
        assert!(unsample(counts(4), profile.rate).bytes > counts(4).bytes);
        assert!(bucket(&SiteCounts { allocated: Counts::default(), ..site }, &[]).is_none());
        // Numbers that do not fit are no panic.
        let odd = SiteCounts { in_use: counts(20), ..site };
        assert_eq!(profile.current(&bucket(&odd, &[]).unwrap()).1, counts(10));
    }
}
