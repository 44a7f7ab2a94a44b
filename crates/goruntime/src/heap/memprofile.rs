//! The memory profile that the runtime keeps: *published* (what pprof shows) and *current* (with the cycles
//! that pprof does not show yet). Source: `runtime/mprof.go`; un-sampling: `runtime/pprof/protomem.go`,
//! `scaleHeapSample`.

use lastgasp_inferior::{Addr, Memory};
use rustc_hash::FxHashSet;

use crate::bounds::MAX_BUCKETS;
use crate::gap::Gap;
use crate::profile_bucket::{bucket_extent, word_at};
use crate::runtime::Runtime;

/// Raw (sampled) counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Number of objects.
    pub objects: u64,
    /// Bytes of these objects together.
    pub bytes: u64,
}

/// One cycle of `memRecord`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordCycle {
    /// Sampled allocations.
    pub allocs: Counts,
    /// Those of the sampled objects that the sweeper found dead.
    pub frees: Counts,
}

/// Counters of one bucket: `memRecord` (`mprof.go`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemRecord {
    /// Published: what pprof shows.
    pub active: RecordCycle,
    /// The three cycles in the making.
    pub future: [RecordCycle; 3],
}

/// One allocation stack of the memory profile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    /// Where it stands; never moves, so it is the site's identity within the process.
    pub addr: Addr,
    /// Size class of its objects in bytes.
    pub size: u64,
    /// Return addresses, innermost first, one per logical frame.
    pub stack: Vec<Addr>,
    /// Sampled counts, published and not yet.
    pub record: MemRecord,
}

/// The memory profile.
#[derive(Clone, Debug, Default)]
pub struct MemProfile {
    /// `MemProfileRate` in bytes: one sample per so many allocated bytes on average; 0 means that profiling
    /// is off.
    pub rate: u64,
    /// The cycle counter.
    pub cycle: u32,
    /// Whether the cycle's slot of `future` has been flushed into `active` already.
    pub flushed: bool,
    /// Whether nothing has been published yet.
    pub clear: bool,
    /// Sites, in the order of their addresses.
    pub buckets: Vec<Bucket>,
}

/// Samples are never farther apart than this on average, whatever the rate (`fastexprand`). A program may set
/// `math.MaxInt64`; pprof's own numbers are then without sense.
const MOST_APART: u64 = 0x700_0000;

/// The estimate of what was really allocated behind sampled counts: each object of size s was sampled with
/// probability 1 - exp(-s/rate).
#[must_use]
pub fn unsample(raw: Counts, rate: u64) -> Counts {
    if raw.objects == 0 || raw.bytes == 0 {
        return Counts::default();
    }
    if rate <= 1 {
        return raw;
    }
    let rate = rate.min(MOST_APART);
    let average = raw.bytes as f64 / raw.objects as f64;
    let scale = 1.0 / (1.0 - (-average / rate as f64).exp());
    Counts { objects: (raw.objects as f64 * scale) as u64, bytes: (raw.bytes as f64 * scale) as u64 }
}

/// Variance of the bytes that [`unsample`] estimates, in bytes squared.
#[must_use]
pub fn variance(raw: Counts, rate: u64) -> f64 {
    if raw.objects == 0 || rate <= 1 {
        return 0.0;
    }
    let rate = rate.min(MOST_APART);
    let size = raw.bytes as f64 / raw.objects as f64;
    let p = 1.0 - (-size / rate as f64).exp();
    if p > 0.0 { raw.objects as f64 * size * size * (1.0 - p) / (p * p) } else { 0.0 }
}

impl MemProfile {
    /// What `/debug/pprof/heap` would report as (allocated, in use) for a site in this moment: `active`, and
    /// the cycle whose flush is due (`memProfileInternal` does that flush before it looks). Before the first
    /// GC has published anything pprof adds everything up, and so do we.
    #[must_use]
    pub fn published(&self, b: &Bucket) -> (Counts, Counts) {
        if self.clear { self.current(b) } else { totals(self.visible(b)) }
    }

    /// All that the runtime knows, as (allocated, in use).
    #[must_use]
    pub fn current(&self, b: &Bucket) -> (Counts, Counts) {
        totals(b.record.future.iter().fold(b.record.active, |sum, c| add(sum, *c)))
    }

    /// Allocated since the last mark termination.
    #[must_use]
    pub fn burst(&self, b: &Bucket) -> Counts {
        b.record.future.get(((self.cycle + 2) % 3) as usize).map_or_else(Counts::default, |c| c.allocs)
    }

    /// What pprof sums up for a bucket: `active`, and the cycle whose flush is due.
    fn visible(&self, b: &Bucket) -> RecordCycle {
        if self.flushed {
            return b.record.active;
        }
        add(b.record.active, b.record.future.get((self.cycle % 3) as usize).copied().unwrap_or_default())
    }

    /// `clear` in `memProfileInternal`: no bucket has anything published. Called once, when all buckets are
    /// there.
    fn is_clear(&self) -> bool {
        self.buckets.iter().all(|b| {
            let v = self.visible(b);
            v.allocs.objects == 0 && v.frees.objects == 0
        })
    }
}

fn add(a: RecordCycle, b: RecordCycle) -> RecordCycle {
    let sum = |a: Counts, b: Counts| Counts {
        objects: a.objects.wrapping_add(b.objects),
        bytes: a.bytes.wrapping_add(b.bytes),
    };
    RecordCycle { allocs: sum(a.allocs, b.allocs), frees: sum(a.frees, b.frees) }
}

/// (allocated, in use). Frees may run ahead of allocs in a torn read: never below zero.
fn totals(c: RecordCycle) -> (Counts, Counts) {
    let in_use = Counts {
        objects: c.allocs.objects.saturating_sub(c.frees.objects),
        bytes: c.allocs.bytes.saturating_sub(c.frees.bytes),
    };
    (c.allocs, in_use)
}

/// Reads the profile.
pub fn decode_profile(rt: &Runtime, mem: &dyn Memory, gaps: &mut Vec<Gap>) -> MemProfile {
    let mut profile = MemProfile::default();
    let mut note = |what: &str, e: &dyn std::fmt::Display| gaps.push(Gap::new(what, e.to_string()));
    match mem.u64(rt.globals.mem_profile_rate) {
        // Go profiles nothing at what is not positive (`mallocgc`).
        Ok(rate) => profile.rate = rate.cast_signed().max(0).cast_unsigned(),
        Err(e) => note("memory profile rate", &e),
    }
    match mem.u32(rt.globals.mprof_cycle) {
        Ok(v) => (profile.cycle, profile.flushed) = (v >> 1, v & 1 == 1),
        Err(e) => note("memory profile cycle", &e),
    }
    let mut at = match mem.ptr(rt.globals.mbuckets) {
        Ok(head) => head,
        Err(e) => {
            note("memory profile", &e);
            return profile;
        }
    };
    let mut seen = FxHashSet::default();
    while !at.is_null() {
        if !seen.insert(at) || profile.buckets.len() >= MAX_BUCKETS {
            note(
                "memory profile",
                &format!("its list does not end where it is read to (at {at}, after {} sites)", profile.buckets.len()),
            );
            break;
        }
        match decode_bucket(rt, mem, at) {
            Ok((bucket, next)) => {
                profile.buckets.push(bucket);
                at = next;
            }
            Err(e) => {
                note("memory profile", &format!("{e}; {} buckets were read", profile.buckets.len()));
                break;
            }
        }
    }
    profile.buckets.sort_by_key(|b| b.addr);
    profile.clear = profile.is_clear();
    profile
}

fn decode_bucket(rt: &Runtime, mem: &dyn Memory, at: Addr) -> Result<(Bucket, Addr), String> {
    let (next, len) = bucket_extent(rt, mem, at)?;
    let bytes = mem.bytes(at, len, 1 << 16).map_err(|e| e.to_string())?;
    let size = word_at(&bytes, rt.layout.bucket.size as usize);
    let stack_at = rt.layout.bucket.sizeof as usize;
    let r = &rt.layout.mem_record;
    let record_at = len - r.sizeof as usize;
    let stack =
        bytes.get(stack_at..record_at).unwrap_or_default().chunks_exact(8).map(|w| Addr(word_at(w, 0))).collect();
    let cycle = |offset: u64| {
        let base = record_at + offset as usize;
        let count = |field: u64| word_at(&bytes, base + field as usize);
        // From Go 1.27 only objects are counted: bytes are objects times the size class.
        let bytes_of = |field: Option<u64>, objects: u64| field.map_or(objects.wrapping_mul(size), &count);
        let (allocs, frees) = (count(r.allocs), count(r.frees));
        RecordCycle {
            allocs: Counts { objects: allocs, bytes: bytes_of(r.alloc_bytes, allocs) },
            frees: Counts { objects: frees, bytes: bytes_of(r.free_bytes, frees) },
        }
    };
    let future = [0, 1, 2].map(|i| cycle(r.future + i * r.cycle_sizeof));
    Ok((Bucket { addr: at, size, stack, record: MemRecord { active: cycle(r.active), future } }, next))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unsampling_as_go_does_it() {
        // From runtime/pprof: 10 samples of 64 B at 512 KiB stand for about 81,920 objects.
        let got = unsample(Counts { objects: 10, bytes: 640 }, 524_288);
        assert!((got.objects as f64 - 81_925.0).abs() < 10.0, "{got:?}");
        assert_eq!(unsample(Counts { objects: 3, bytes: 9 }, 1), Counts { objects: 3, bytes: 9 });
        assert_eq!(unsample(Counts::default(), 524_288), Counts::default());
    }

    #[test]
    fn the_largest_rate_is_what_the_runtime_makes_of_it() {
        let one = Counts { objects: 1, bytes: 64 };
        for rate in [0x700_0000, i64::MAX as u64] {
            let got = unsample(one, rate);
            assert!((got.bytes as f64 / f64::from(0x700_0000) - 1.0).abs() < 0.01, "{got:?}");
            assert!(variance(one, rate).is_finite());
        }
    }

    #[test]
    fn small_objects_err_by_the_root_of_their_samples_and_large_ones_not_at_all() {
        let small = variance(Counts { objects: 100, bytes: 6400 }, 524_288).sqrt();
        assert!((small / unsample(Counts { objects: 100, bytes: 6400 }, 524_288).bytes as f64 - 0.1).abs() < 0.001);
        let large = variance(Counts { objects: 18, bytes: 18 << 25 }, 524_288).sqrt();
        assert!(large < 1.0, "{large}");
    }

    fn profile(flushed: bool, active: u64, future: [u64; 3]) -> MemProfile {
        let cycle = |n: u64| RecordCycle { allocs: Counts { objects: n, bytes: n * 8 }, frees: Counts::default() };
        let record = MemRecord { active: cycle(active), future: future.map(cycle) };
        let buckets = vec![Bucket { record, size: 8, ..Bucket::default() }];
        let p = MemProfile { rate: 1, cycle: 4, flushed, clear: false, buckets };
        MemProfile { clear: p.is_clear(), ..p }
    }

    #[test]
    fn published_adds_the_cycle_whose_flush_is_due() {
        let p = profile(true, 5, [0, 0, 7]);
        assert_eq!(p.published(&p.buckets[0]).1.objects, 5);
        assert_eq!(p.current(&p.buckets[0]).1.objects, 12);
        // Cycle 4: slot 1 is due, slot 0 (4+2 mod 3) takes new allocations.
        let p = profile(false, 5, [2, 3, 0]);
        assert_eq!(p.published(&p.buckets[0]).1.objects, 8);
        assert_eq!(p.burst(&p.buckets[0]).objects, 2);
    }

    #[test]
    fn before_the_first_gc_pprof_adds_everything_up() {
        let p = profile(true, 0, [0, 4, 0]);
        assert_eq!(p.published(&p.buckets[0]).1.objects, 4);
    }
}
