//! Goroutines along the watch, by `go` statement in words of the source.

use std::collections::BTreeMap;

use lastgasp_diagnosis::facts::{Frame, GoroutineLook, GoroutineLooks, StartedAt};
use lastgasp_goruntime::{Symbolizer, created_by};
use lastgasp_inferior::Addr;
use lastgasp_observe::target::goroutine_looks as seen;

/// Most `go` statements that are told, the largest at any look first.
const MAX_SITES: usize = 64;

/// The looks of a watch. The runtime's own goroutines are in no site.
pub(crate) fn goroutine_looks(taken: &seen::GoroutineLooks, symbols: &Symbolizer<'_>) -> GoroutineLooks {
    by_statement(taken, |pc| {
        let site = created_by(symbols, pc)?;
        let frame =
            Frame { function: site.frame.function.clone(), file: site.frame.file.clone(), line: site.frame.line };
        (!frame.function.starts_with("runtime.")).then_some(frame)
    })
}

fn by_statement(taken: &seen::GoroutineLooks, named: impl Fn(Addr) -> Option<Frame>) -> GoroutineLooks {
    let all = taken.all();
    let mut names: BTreeMap<Addr, Option<Frame>> = BTreeMap::new();
    for (pc, _) in all.iter().flat_map(|l| &l.seen.sites) {
        names.entry(*pc).or_insert_with(|| named(*pc));
    }
    // One statement of the source may be compiled into several places.
    let mut places: BTreeMap<&Frame, Vec<Addr>> = BTreeMap::new();
    for (pc, name) in &names {
        if let Some(name) = name {
            places.entry(name).or_default().push(*pc);
        }
    }
    let count = |look: &seen::GoroutineLook, pcs: &[Addr]| {
        pcs.iter().map(|pc| look.of(*pc)).try_fold(0u64, |sum, n| Some(sum.saturating_add(n?)))
    };
    let one = |(frame, pcs): (&Frame, Vec<Addr>)| StartedAt {
        created_by: frame.clone(),
        counts: all.iter().map(|look| count(look, &pcs)).collect(),
    };
    let mut sites: Vec<StartedAt> = places.into_iter().map(one).collect();
    let most = |s: &StartedAt| s.counts.iter().flatten().max().copied().unwrap_or(0);
    sites.sort_by(|a, b| most(b).cmp(&most(a)).then_with(|| a.created_by.cmp(&b.created_by)));
    sites.truncate(MAX_SITES);
    let look = |l: &seen::GoroutineLook| GoroutineLook {
        t_ms: l.t_ms,
        live: l.seen.live,
        newest: l.seen.newest,
        one_in: l.seen.one_in,
    };
    GoroutineLooks { looks: all.iter().map(look).collect(), sites }
}

#[cfg(test)]
mod tests {
    use lastgasp_goruntime::GoroutinesBySite;

    use super::*;

    #[test]
    fn places_of_one_statement_are_one_site_and_what_was_not_kept_is_unknown() {
        let look = |t_ms, sites: &[(u64, u64)], more| seen::GoroutineLook {
            t_ms,
            seen: GoroutinesBySite {
                live: 100,
                newest: 7,
                one_in: 1,
                sites: sites.iter().map(|(pc, n)| (Addr(*pc), *n)).collect(),
                more,
                ..GoroutinesBySite::default()
            },
        };
        let taken = seen::GoroutineLooks::new(vec![
            look(1, &[(1, 5)], false),
            look(2, &[(1, 10), (2, 20), (3, 1)], false),
            look(3, &[(1, 30), (3, 40)], true),
        ]);
        let named = |pc: Addr| {
            let function = match pc.0 {
                1 | 2 => "main.serve",
                _ => return None,
            };
            Some(Frame { function: function.into(), file: "a.go".into(), line: 3 })
        };
        let looks = by_statement(&taken, named);
        assert_eq!(looks.looks.iter().map(|l| l.t_ms).collect::<Vec<_>>(), [1, 2, 3]);
        let [site] = &looks.sites[..] else { panic!("{looks:?}") };
        assert_eq!(site.counts, [Some(5), Some(30), None]);
        assert_eq!(looks.of(&site.created_by), [(1, 5), (2, 30)]);
    }
}
