//! How many goroutines there are by the `go` statement that started them, without their stacks: what a look
//! at a calm process can afford. Source: `runtime/proc.go` (`newproc1`, `gfput`), `runtime/runtime2.go`.

use lastgasp_inferior::{Addr, Memory, Part};
use rustc_hash::FxHashMap;

use super::g::pointers;
use super::status::Presence;
use crate::runtime::Runtime;

/// Most structures that are there for a look to be taken: the array of pointers alone is 8 MB.
const MAX_SLOTS: usize = 1 << 20;
/// Structures that are read at once.
const AT_ONCE: usize = 2048;
/// Different `go` statements that are counted; what others started is in the sum alone.
const MAX_STATEMENTS: usize = 4096;
/// Most bytes of a `g` from its state to its `go` statement that are believed: some 150 in every minor.
const MAX_SPAN: u64 = 1024;

/// Goroutines that live, by who started them; the runtime's own are among them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GoroutinesBySite {
    /// Structures, those of goroutines that have ended included.
    pub slots: u64,
    /// Goroutines that live.
    pub live: u64,
    /// The highest number that one of them has. Numbers are given in the order of starts, in lots of 16 to
    /// each processor: so many were started since the process began, give or take a lot of each.
    pub newest: u64,
    /// One in so many structures was looked at: 1 is all of them, else `live` and the counts are estimates.
    pub one_in: u64,
    /// The `go` statements that started most of them, by the address that the call returns to, and how many;
    /// the largest first.
    pub sites: Vec<(Addr, u64)>,
    /// Whether there are others than those in `sites`.
    pub more: bool,
}

/// Looks at `most_read` structures at most, evenly taken from all, and gives the `most_sites` largest sites.
/// `None` where there are too many to be looked at, or they cannot be read. Of a process that runs each is
/// right by itself.
#[must_use]
pub fn goroutines_by_site(
    rt: &Runtime,
    mem: &dyn Memory,
    most_read: usize,
    most_sites: usize,
) -> Option<GoroutinesBySite> {
    let mut gaps = Vec::new();
    let all = pointers(rt, mem, &mut gaps).1;
    if !gaps.is_empty() || all.len() > MAX_SLOTS {
        return None;
    }
    let g = &rt.layout.g;
    let from = g.atomicstatus.min(g.goid).min(g.gopc);
    let span = g.atomicstatus.max(g.goid).max(g.gopc).checked_sub(from)?.checked_add(8).filter(|n| *n <= MAX_SPAN)?;
    let span = usize::try_from(span).ok()?;
    let one_in = all.len().div_ceil(most_read.max(1)).max(1);
    let some: Vec<Addr> = all.iter().step_by(one_in).copied().collect();
    let mut by_site: FxHashMap<Addr, u64> = FxHashMap::default();
    let mut out = GoroutinesBySite { slots: all.len() as u64, one_in: one_in as u64, ..GoroutinesBySite::default() };
    let (mut read, mut buf) = (0usize, vec![0u8; span.checked_mul(AT_ONCE.min(some.len()).max(1))?]);
    for lot in some.chunks(AT_ONCE) {
        let pieces = buf.chunks_exact_mut(span);
        let mut parts: Vec<Part<'_>> =
            lot.iter().zip(pieces).map(|(g, buf)| Part { addr: g.plus(from), buf, ok: false }).collect();
        mem.read_parts(&mut parts);
        for part in parts.iter().filter(|p| p.ok) {
            read += 1;
            let word = |offset: u64| -> Option<u64> {
                let at = usize::try_from(offset.checked_sub(from)?).ok()?;
                part.buf.get(at..at.checked_add(8)?)?.try_into().ok().map(u64::from_le_bytes)
            };
            let (Some(status), Some(goid), Some(gopc)) = (word(g.atomicstatus), word(g.goid), word(g.gopc)) else {
                continue;
            };
            if !matches!(Presence::parse(status as u32), Presence::Live(_)) {
                continue;
            }
            out.live += 1;
            out.newest = out.newest.max(goid);
            if by_site.len() < MAX_STATEMENTS || by_site.contains_key(&Addr(gopc)) {
                *by_site.entry(Addr(gopc)).or_default() += 1;
            }
        }
    }
    // A process that is gone has none.
    if read == 0 {
        return None;
    }
    out.more = by_site.len() > most_sites || by_site.len() >= MAX_STATEMENTS;
    out.sites = by_site.into_iter().map(|(at, n)| (at, n.saturating_mul(out.one_in))).collect();
    out.sites.sort_unstable_by_key(|(at, n)| (std::cmp::Reverse(*n), *at));
    out.sites.truncate(most_sites);
    out.live = out.live.saturating_mul(out.one_in);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::super::decode_all_goroutines;
    use super::super::labels::LabelSalt;
    use super::*;
    use crate::binary::pclntab::Symbolizer;
    use crate::evidence::{FLAVOURS, Fixture};

    #[test]
    fn as_many_as_are_decoded_and_of_the_same_statements() {
        for flavour in FLAVOURS {
            let f = Fixture::whole(flavour);
            let symbols = Symbolizer::new(&f.process, &f.runtime.module, f.runtime.layout);
            let salt = LabelSalt::default();
            let all = decode_all_goroutines(&f.runtime, &f.process, &symbols, &[], &salt, &mut Vec::new());
            let looked = goroutines_by_site(&f.runtime, &f, 1000, 100).unwrap();
            assert_eq!((looked.live, looked.one_in, looked.more), (all.live.len() as u64, 1, false));
            assert_eq!(looked.slots, looked.live + all.dead);
            assert_eq!(looked.newest, all.live.iter().map(|g| g.goid).max().unwrap());
            assert_eq!(looked.sites.iter().map(|(_, n)| n).sum::<u64>(), looked.live);
            assert!(looked.sites.windows(2).all(|w| w[0].1 >= w[1].1));
            let one = goroutines_by_site(&f.runtime, &f, 1000, 1).unwrap();
            assert_eq!((one.sites.len(), one.more), (1, looked.sites.len() > 1));
        }
    }

    #[test]
    fn of_many_a_part_is_looked_at_and_counted_for_all() {
        let f = Fixture::whole(FLAVOURS[0]);
        let looked = goroutines_by_site(&f.runtime, &f, 2, 100).unwrap();
        assert!(looked.one_in >= 2 && looked.live.is_multiple_of(looked.one_in), "{looked:?}");
    }

    #[test]
    fn a_list_that_makes_no_sense_is_no_number() {
        let mut f = Fixture::whole(FLAVOURS[0]);
        f.process.overwrite(f.process.at.allglen, u64::MAX);
        assert_eq!(goroutines_by_site(&f.runtime, &f, 1000, 100), None);
    }
}
