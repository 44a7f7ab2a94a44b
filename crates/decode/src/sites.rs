//! Allocation sites: which frames of each a reader sees, and what was allocated there.

use std::collections::{BTreeMap, HashMap};

use lastgasp_diagnosis::facts::{Amount, Profile, Site};
use lastgasp_goruntime::{Counts, MemProfile, Symbolizer, unsample, variance};
use lastgasp_inferior::Addr;
use lastgasp_observe::target::baselines::{Baseline, BaselineHistory, SiteCounts};

use crate::frames::{Frames, is_bottom};
use crate::memory::gc;
use crate::series::series;

/// One site per visible stack: buckets that differ only in size class or in the runtime's own frames are one
/// place to a reader.
pub(crate) fn sites(
    profile: &MemProfile,
    baseline: Option<&Baseline>,
    history: &BaselineHistory,
    symbols: &Symbolizer<'_>,
    frames: &mut Frames,
) -> Profile {
    let before: HashMap<Addr, SiteCounts> =
        baseline.map(|b| b.sites.iter().map(|s| (s.addr, *s)).collect()).unwrap_or_default();
    let amount = |raw: Counts| {
        let c = unsample(raw, profile.rate);
        Amount { bytes: c.bytes, objects: c.objects }
    };
    let mut by_stack: BTreeMap<Vec<u32>, (Site, f64, Vec<Addr>)> = BTreeMap::new();
    for b in &profile.buckets {
        let (allocated, current) = profile.current(b);
        let (published_allocated, published) = profile.published(b);
        let stack = visible(&b.stack, symbols);
        let stack: Vec<u32> = stack.iter().map(|f| frames.of(f)).collect();
        let (site, spread, buckets) = by_stack.entry(stack).or_default();
        site.current = site.current.plus(amount(current));
        site.allocated = site.allocated.plus(amount(allocated));
        site.published = site.published.plus(amount(published));
        site.published_allocated = site.published_allocated.plus(amount(published_allocated));
        site.burst = site.burst.plus(amount(profile.burst(b)));
        let then = before.get(&b.addr).copied().unwrap_or_default();
        site.baseline = site.baseline.plus(amount(then.in_use));
        site.baseline_allocated = site.baseline_allocated.plus(amount(then.allocated));
        site.samples += current.objects;
        buckets.push(b.addr);
        *spread += variance(current, profile.rate);
    }
    let mut sites: Vec<(Site, Vec<Addr>)> = by_stack
        .into_iter()
        .map(|(stack, (s, spread, buckets))| (Site { stack, error_bytes: spread.sqrt() as u64, ..s }, buckets))
        .collect();
    // Stable: equal amounts keep the order of their stacks.
    sites.sort_by_key(|(s, _)| std::cmp::Reverse(s.current.bytes));
    let (sites, buckets): (Vec<Site>, Vec<Vec<Addr>>) = sites.into_iter().unzip();
    let (series_t_ms, series) = series(&sites, &buckets, profile.rate, history);
    Profile {
        rate: profile.rate,
        baseline_t_ms: baseline.map(|b| b.t_ms),
        baseline_gc: baseline.map(|b| gc(&b.gauges)),
        sites,
        series,
        series_t_ms,
    }
}

/// The frames of an allocation stack, the runtime's own at the top left out as pprof does (`hideRuntime`),
/// unless there are no others.
pub(crate) fn visible(stack: &[Addr], symbols: &Symbolizer<'_>) -> Vec<lastgasp_goruntime::Frame> {
    // pprof asks who stands at the return address, not at the call before it: where inlined code of another
    // package follows the call, it stops hiding there. Seen in nats-server (`itabsinit`, Go 1.27; `cargo
    // xtask real`).
    let hidden = |pc: &Addr| {
        symbols
            .innermost(*pc)
            .is_some_and(|f| f.function.starts_with("runtime.") || f.function.starts_with("internal/runtime/"))
    };
    let first = stack.iter().position(|pc| !hidden(pc)).unwrap_or(0);
    let shown = logical(stack.get(first..).unwrap_or_default(), symbols);
    if shown.is_empty() { logical(stack, symbols) } else { shown }
}

/// Frames of the calls that return to these addresses, the bottom left out.
fn logical(stack: &[Addr], symbols: &Symbolizer<'_>) -> Vec<lastgasp_goruntime::Frame> {
    let call = |pc: &Addr| Addr(pc.0.saturating_sub(1));
    let Some((last, above)) = stack.split_last() else { return Vec::new() };
    let above = above.iter().filter_map(|pc| symbols.innermost(call(pc)));
    // A stack deeper than the runtime keeps may end within a function that was inlined: those around it are
    // known all the same, and pprof shows them. Seen in caddy's deep regexps (`cargo xtask real`).
    above.chain(symbols.frames(call(last))).filter(|f| !is_bottom(f)).collect()
}

#[cfg(test)]
mod tests {
    use lastgasp_goruntime::{Bucket, MemRecord, MemStats};

    use super::*;
    use crate::synthetic::At::{Edge, Inlined, Own};
    use crate::synthetic::{At, Program};

    const FUNCTIONS: &[(&str, Option<&str>)] = &[
        ("runtime.goexit", None),
        ("runtime.main", None),
        ("main.main", None),
        ("main.handle", Some("main.small")),
        ("runtime.mallocgc", None),
        ("internal/runtime/maps.newTable", None),
        ("runtime.itabsinit", Some("abi.(*Type).Len")),
        ("runtimes.New", None),
        ("runtime/pprof.profileWriter", None),
        ("internal/runtimes.New", None),
    ];
    const GOEXIT: (u64, At) = (0, Own);
    const RUNTIME_MAIN: (u64, At) = (1, Own);
    const MAIN: (u64, At) = (2, Own);
    const HANDLE: (u64, At) = (3, Own);
    const SMALL_IN_HANDLE: (u64, At) = (3, Inlined);
    const MALLOC: (u64, At) = (4, Own);
    const NEW_TABLE: (u64, At) = (5, Own);
    const ITABS_BEFORE_INLINED: (u64, At) = (6, Edge);
    const ITABS: (u64, At) = (6, Own);
    const RUNTIMES: (u64, At) = (7, Own);
    const PPROF: (u64, At) = (8, Own);
    const INTERNAL_RUNTIMES: (u64, At) = (9, Own);
    /// Outside of all code.
    const NOWHERE: (u64, At) = (1000, Own);

    type Stack = [(u64, At)];
    type Of = fn(&[Addr], &Symbolizer<'_>) -> Vec<lastgasp_goruntime::Frame>;

    fn names(of: Of, stack: &Stack) -> Vec<String> {
        let program = Program::new(FUNCTIONS);
        let stack: Vec<Addr> = stack.iter().map(|(i, at)| program.return_address(*i, *at)).collect();
        of(&stack, &program.symbols()).into_iter().map(|f| f.function).collect()
    }

    /// `hideRuntime` of runtime/pprof: leading frames of the runtime go, unless there are no others.
    #[test]
    fn what_pprof_shows_of_an_allocation() {
        for (why, stack, shown) in [
            ("the allocator", &[MALLOC, HANDLE, MAIN] as &Stack, &["main.handle", "main.main"] as &[&str]),
            ("and the runtime's inner packages", &[MALLOC, NEW_TABLE, HANDLE], &["main.handle"]),
            ("at the top alone", &[MALLOC, HANDLE, RUNTIME_MAIN, GOEXIT], &["main.handle", "runtime.main"]),
            ("not between others", &[MAIN, MALLOC, HANDLE], &["main.main", "runtime.mallocgc", "main.handle"]),
            ("nothing else there", &[MALLOC, RUNTIME_MAIN, GOEXIT], &["runtime.mallocgc", "runtime.main"]),
            ("the bottom alone", &[GOEXIT], &[]),
            ("nothing but the bottom below the runtime", &[MALLOC, GOEXIT], &["runtime.mallocgc"]),
            ("no stack", &[], &[]),
            ("a package that begins alike", &[MALLOC, RUNTIMES, MAIN], &["runtimes.New", "main.main"]),
            ("an inner one that begins alike", &[MALLOC, INTERNAL_RUNTIMES], &["internal/runtimes.New"]),
            ("below runtime/", &[MALLOC, PPROF, MAIN], &["runtime/pprof.profileWriter", "main.main"]),
            ("a call followed by inlined code", &[MALLOC, ITABS_BEFORE_INLINED], &["runtime.itabsinit"]),
            ("the same call elsewhere", &[MALLOC, ITABS, MAIN], &["main.main"]),
            (
                "an address of nobody's ends the hiding",
                &[MALLOC, NOWHERE, MALLOC, MAIN],
                &["runtime.mallocgc", "main.main"],
            ),
        ] {
            assert_eq!(names(visible, stack), shown, "{why}");
        }
    }

    /// The runtime keeps an entry for each inlined call; only where it ran out of room those around the last
    /// are not there.
    #[test]
    fn inlined_calls_are_undone_at_the_end_alone() {
        for (why, stack, shown) in [
            ("at the end", &[MAIN, SMALL_IN_HANDLE] as &Stack, &["main.main", "main.small", "main.handle"] as &[&str]),
            ("above it", &[SMALL_IN_HANDLE, HANDLE, MAIN], &["main.small", "main.handle", "main.main"]),
            ("the bottom is left out", &[SMALL_IN_HANDLE, GOEXIT], &["main.small"]),
            ("an address of nobody's has no frame", &[NOWHERE, MAIN, NOWHERE], &["main.main"]),
            ("no stack", &[], &[]),
        ] {
            assert_eq!(names(logical, stack), shown, "{why}");
        }
    }

    /// A return address stands behind its call: on the next line, or in other code.
    #[test]
    fn lines_are_those_of_the_calls() {
        let program = Program::new(FUNCTIONS);
        for ((i, at), function, line) in [
            (HANDLE, "main.handle", 300),
            (SMALL_IN_HANDLE, "main.small", 301),
            (ITABS_BEFORE_INLINED, "runtime.itabsinit", 600),
        ] {
            let frames = logical(&[program.return_address(i, at)], &program.symbols());
            assert_eq!((frames[0].function.as_str(), frames[0].line), (function, line));
        }
    }

    /// At rate 1 every object is a sample: what is counted is what there is.
    fn profile(buckets: Vec<Bucket>) -> MemProfile {
        // The cycle whose flush is due is 4 % 3, and it is flushed; the burst is in slot 0.
        MemProfile { rate: 1, cycle: 4, flushed: true, clear: false, buckets }
    }

    fn bucket(program: &Program, addr: u64, size: u64, stack: &Stack, active: (u64, u64), burst: u64) -> Bucket {
        let counts = |n: u64| Counts { objects: n, bytes: n * size };
        let mut record = MemRecord::default();
        (record.active.allocs, record.active.frees) = (counts(active.0), counts(active.1));
        record.future[0].allocs = counts(burst);
        Bucket {
            addr: Addr(addr),
            size,
            stack: stack.iter().map(|(i, at)| program.return_address(*i, *at)).collect(),
            record,
        }
    }

    fn amount(objects: u64, bytes: u64) -> Amount {
        Amount { bytes, objects }
    }

    #[test]
    fn buckets_of_one_visible_stack_are_one_site() {
        let program = Program::new(FUNCTIONS);
        let profile = profile(vec![
            bucket(&program, 1, 16, &[MALLOC, HANDLE, MAIN, GOEXIT], (10, 4), 1),
            // Another size class, and another way through the runtime.
            bucket(&program, 2, 1024, &[MALLOC, NEW_TABLE, HANDLE, MAIN, GOEXIT], (3, 1), 2),
            // Another line of the same function.
            bucket(&program, 3, 100_000, &[MALLOC, SMALL_IN_HANDLE, HANDLE, MAIN, GOEXIT], (1, 0), 0),
        ]);
        let mut frames = Frames::default();
        let got = sites(&profile, None, &BaselineHistory::default(), &program.symbols(), &mut frames);
        let stacks: Vec<Vec<&str>> = got
            .sites
            .iter()
            .map(|s| s.stack.iter().map(|i| frames.list[*i as usize].function.as_str()).collect())
            .collect();
        assert_eq!(stacks, [vec!["main.small", "main.handle", "main.main"], vec!["main.handle", "main.main"]]);
        let both = &got.sites[1];
        assert_eq!(both.current, amount(7 + 4, 7 * 16 + 4 * 1024));
        assert_eq!(both.allocated, amount(11 + 5, 11 * 16 + 5 * 1024));
        assert_eq!(both.published, amount(6 + 2, 6 * 16 + 2 * 1024));
        assert_eq!(both.published_allocated, amount(10 + 3, 10 * 16 + 3 * 1024));
        assert_eq!(both.burst, amount(1 + 2, 16 + 2 * 1024));
        assert_eq!((both.samples, both.error_bytes), (11, 0), "a rate of 1 errs by nothing");
        assert_eq!((got.rate, got.baseline_t_ms, both.baseline), (1, None, Amount::default()));
    }

    #[test]
    fn a_baseline_is_matched_by_bucket() {
        let program = Program::new(FUNCTIONS);
        let profile = profile(vec![
            bucket(&program, 1, 16, &[HANDLE], (10, 0), 0),
            bucket(&program, 2, 32, &[MALLOC, HANDLE], (20, 0), 0),
            bucket(&program, 3, 64, &[MAIN], (30, 0), 0),
        ]);
        let then = |addr, objects, bytes| SiteCounts {
            addr: Addr(addr),
            allocated: Counts { objects: 2 * objects, bytes: 2 * bytes },
            in_use: Counts { objects, bytes },
        };
        let baseline = Baseline {
            t_ms: 1234,
            // The last is of a bucket that was not copied.
            sites: vec![then(1, 1, 16), then(2, 2, 64), then(99, 1000, 1 << 20)],
            rate: 1,
            gauges: MemStats { gc_cycles: 7, ..MemStats::default() },
        };
        let got =
            sites(&profile, Some(&baseline), &BaselineHistory::default(), &program.symbols(), &mut Frames::default());
        let of: Vec<_> = got.sites.iter().map(|s| (s.baseline, s.baseline_allocated)).collect();
        assert_eq!(of, [(Amount::default(), Amount::default()), (amount(3, 80), amount(6, 160))]);
        assert_eq!((got.baseline_t_ms, got.baseline_gc.map(|g| g.cycles)), (Some(1234), Some(7)));
    }

    /// Un-sampled, a site of few samples errs by much, and one of objects larger than the rate by next to
    /// nothing.
    #[test]
    fn errors_follow_the_rate() {
        let program = Program::new(FUNCTIONS);
        let buckets =
            vec![bucket(&program, 1, 16, &[HANDLE], (1, 0), 0), bucket(&program, 2, 64 << 20, &[MAIN], (1, 0), 0)];
        let got = sites(
            &MemProfile { rate: 512 << 10, ..profile(buckets) },
            None,
            &BaselineHistory::default(),
            &program.symbols(),
            &mut Frames::default(),
        );
        let [large, small] = got.sites.as_slice() else { panic!("{:?}", got.sites) };
        assert_eq!((large.current, large.error_bytes), (amount(1, 64 << 20), 0));
        assert!(
            small.current.bytes.abs_diff(512 << 10) < 16 && small.current.objects.abs_diff(32768) <= 1,
            "{small:?}"
        );
        assert!(small.error_bytes.abs_diff(512 << 10) < 32, "{small:?}");
    }
}
