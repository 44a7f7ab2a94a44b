//! Allocation stacks: which frames of each a reader sees, and what was allocated there.

use std::collections::{BTreeMap, HashMap};

use lastgasp_diagnosis::facts::{Amount, Profile, Site};
use lastgasp_goruntime::{Counts, MemProfile, Symbolizer, unsample, variance};
use lastgasp_inferior::Addr;
use lastgasp_observe::target::baselines::{Baseline, SiteCounts};

use crate::frames::{Frames, is_bottom};
use crate::memory::gc;

/// One site per visible stack: buckets that differ only in size class or in the runtime's own frames are one place to a reader.
pub(crate) fn sites(
    profile: &MemProfile,
    baseline: Option<&Baseline>,
    symbols: &Symbolizer<'_>,
    frames: &mut Frames,
) -> Profile {
    let before: HashMap<Addr, SiteCounts> =
        baseline.map(|b| b.sites.iter().map(|s| (s.addr, *s)).collect()).unwrap_or_default();
    let amount = |raw: Counts| {
        let c = unsample(raw, profile.rate);
        Amount { bytes: c.bytes, objects: c.objects }
    };
    let mut by_stack: BTreeMap<Vec<u32>, (Site, f64)> = BTreeMap::new();
    for b in &profile.buckets {
        let (allocated, current) = profile.current(b);
        let (published_allocated, published) = profile.published(b);
        let stack = visible(&b.stack, symbols);
        let stack: Vec<u32> = stack.iter().map(|f| frames.of(f)).collect();
        let (site, spread) = by_stack.entry(stack).or_default();
        site.current = site.current.plus(amount(current));
        site.allocated = site.allocated.plus(amount(allocated));
        site.published = site.published.plus(amount(published));
        site.published_allocated = site.published_allocated.plus(amount(published_allocated));
        site.burst = site.burst.plus(amount(profile.burst(b)));
        let then = before.get(&b.addr).copied().unwrap_or_default();
        site.baseline = site.baseline.plus(amount(then.in_use));
        site.baseline_allocated = site.baseline_allocated.plus(amount(then.allocated));
        site.samples += current.objects;
        *spread += variance(current, profile.rate);
    }
    let mut sites: Vec<Site> = by_stack
        .into_iter()
        .map(|(stack, (s, spread))| Site { stack, error_bytes: spread.sqrt() as u64, ..s })
        .collect();
    // Stable: equal amounts keep the order of their stacks.
    sites.sort_by_key(|s| std::cmp::Reverse(s.current.bytes));
    Profile {
        rate: profile.rate,
        baseline_t_ms: baseline.map(|b| b.t_ms),
        baseline_gc: baseline.map(|b| gc(&b.gauges)),
        sites,
    }
}

/// The frames of an allocation stack, the runtime's own at the top left out as pprof does (`hideRuntime`), unless there are no others.
fn visible(stack: &[Addr], symbols: &Symbolizer<'_>) -> Vec<lastgasp_goruntime::Frame> {
    // pprof asks who stands at the return address, not at the call before it: where inlined code of another package follows the call, it stops hiding there.
    // Seen in nats-server (`itabsinit`, Go 1.27; `cargo xtask real`).
    let hidden = |pc: &Addr| {
        symbols
            .innermost(*pc)
            .is_some_and(|f| f.function.starts_with("runtime.") || f.function.starts_with("internal/runtime/"))
    };
    let first = stack.iter().position(|pc| !hidden(pc)).unwrap_or(0);
    let shown = logical(stack.get(first..).unwrap_or_default(), symbols);
    if shown.is_empty() { logical(stack, symbols) } else { shown }
}

/// Return addresses to frames.
fn logical(stack: &[Addr], symbols: &Symbolizer<'_>) -> Vec<lastgasp_goruntime::Frame> {
    let call = |pc: &Addr| Addr(pc.0.saturating_sub(1));
    let Some((last, above)) = stack.split_last() else { return Vec::new() };
    let above = above.iter().filter_map(|pc| symbols.innermost(call(pc)));
    // A stack deeper than the runtime keeps may end within a function that was inlined: those around it are known all the same, and pprof shows them. Seen in
    // caddy's deep regexps (`cargo xtask real`).
    above.chain(symbols.frames(call(last))).filter(|f| !is_bottom(f)).collect()
}
