//! What grew: per site, summed up by owning function and by caller. Pure.

use std::collections::BTreeMap;

use rustc_hash::FxHashSet;

use crate::facts::{Amount, Facts, Frame, Group};
use crate::owner::{frame, is_inside, is_standard_library, owner_on, owning_frame, place_of};
use crate::thresholds::heap_growth::{MAJORITY, NEARLY_ALL};

/// Growth since the baseline; without one, what is there.
#[derive(Clone, Debug, Default)]
pub struct Growth {
    /// Whether there is a baseline.
    pub has_baseline: bool,
    /// Sum over the sites that grew.
    pub total: Amount,
    /// Growth of each site, in the order of `facts.profile.sites`.
    pub by_site: Vec<Amount>,
    /// Function that the growth is named after.
    pub culprit: Option<Culprit>,
}

/// The function that most of the growth is named after.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Culprit {
    /// Frame of its largest site: function, file and line.
    pub frame: Frame,
    /// Index of that site.
    pub site: usize,
    /// Growth of all its sites.
    pub growth: Amount,
    /// Current in-use of all its sites.
    pub current: Amount,
    /// Allocated by all its sites since the baseline, freed or not.
    pub allocated: Amount,
    /// Allocated by all its sites before the baseline, freed or not.
    pub allocated_before: Amount,
    /// Bytes of an object that it has allocated since the baseline, and before it, in the mean over all
    /// bytes. A mean over all objects would be that of the smallest: one sample of 48 bytes stands for 10,900
    /// of them (seen on a busy machine, `lab/deaths`, lock-held: one buffer's header was sampled before the
    /// baseline, and all its pages of 150 kB were "30 times as large as before").
    pub sizes: Sizes,
    /// What pprof would have shown of them.
    pub published: Amount,
    /// Samples behind `current`.
    pub samples: u64,
    /// One standard error of `current.bytes`.
    pub error_bytes: u64,
    /// Part of the whole growth, 0 to 1.
    pub share: f64,
    /// Part of its growth, 0 to 1, by itself and by the one function that it calls which allocated most of
    /// it: who only calls several that allocate may be a wrapper of all there is.
    pub one_way: f64,
    /// The allocating function, if it is another than the named one (a library that it calls).
    pub through: Option<String>,
    /// Who calls it: the next frame of the same owner outwards.
    pub caller: Option<Frame>,
    /// Goroutines that have it on their stack.
    pub goroutines: u64,
    /// Part, 0 to 1, of what its sites allocated since the baseline that was freed again, each site weighed
    /// by its growth: what a function drops by the way says nothing of what it keeps (seen: contexts that
    /// nobody cancels, of which the one function freed 7 %, and none of it where the growth was).
    pub freed_where_it_grew: f64,
}

/// Mean sizes of what was allocated, in bytes; 0 where nothing was.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sizes {
    /// Since the baseline.
    pub since: f64,
    /// Before it.
    pub before: f64,
}

impl Growth {
    /// Sums up.
    #[must_use]
    pub fn of(facts: &Facts) -> Self {
        let has_baseline = facts.profile.baseline_t_ms.is_some();
        let by_site: Vec<Amount> = facts.profile.sites.iter().map(|s| s.current.minus(s.baseline)).collect();
        let total = by_site.iter().fold(Amount::default(), |sum, a| sum.plus(*a));
        let culprit = culprit(facts, &by_site, total);
        Self { has_baseline, total, by_site, culprit }
    }
}

/// By owning function first: it holds when many paths lead to one function. Where no function has the
/// majority, down the call tree: the deepest caller under which the majority was allocated.
fn culprit(facts: &Facts, by_site: &[Amount], total: Amount) -> Option<Culprit> {
    if total.bytes == 0 {
        return None;
    }
    let mut owners: BTreeMap<&str, u64> = BTreeMap::new();
    for (site, grown) in facts.profile.sites.iter().zip(by_site) {
        let named = owner_on(facts, &site.stack);
        if let Some(f) = named {
            let sum = owners.entry(f.function.as_str()).or_default();
            *sum = grown.bytes.saturating_add(*sum);
        }
    }
    let (function, most) = owners.iter().max_by_key(|(_, b)| **b)?;
    let majority = |b: u64| b as f64 >= total.bytes as f64 * MAJORITY;
    let function = if majority(*most) {
        (*function).to_owned()
    } else {
        deepest_majority(facts, by_site, &majority).unwrap_or_else(|| (*function).to_owned())
    };
    Some(describe(facts, by_site, total, &function))
}

/// The function nearest to the allocations that has the majority of the growth below it, by any path; or, of
/// those further in, the nearest that has nearly all of what that one has.
fn deepest_majority<'a>(facts: &'a Facts, by_site: &[Amount], majority: &dyn Fn(u64) -> bool) -> Option<String> {
    let nearest = |below: BTreeMap<&'a str, (u64, u64)>, enough: &dyn Fn(u64) -> bool| {
        let depth = |(b, depth): &(u64, u64)| depth.saturating_mul(1024) / (*b).max(1);
        below.into_iter().filter(|(_, (b, _))| enough(*b)).min_by_key(|(name, of)| (depth(of), *name))
    };
    let (found, (most, _)) = nearest(below(facts, by_site, None), majority)?;
    // A function that only just has the majority may be one that hands all calls on, with all but a crumb
    // below a single one of them (seen from outside: jaeger, of which a middleware for traces was named, and
    // not the receiver within it).
    let nearly_all = |b: u64| b as f64 >= most as f64 * NEARLY_ALL;
    let inside = nearest(below(facts, by_site, Some(found)), &nearly_all);
    Some(inside.map_or(found, |(name, _)| name).to_owned())
}

/// Bytes below each function, and how near to the allocations it stands, weighed by them: on all ways, or on
/// those within a function.
fn below<'a>(facts: &'a Facts, by_site: &[Amount], within: Option<&str>) -> BTreeMap<&'a str, (u64, u64)> {
    let mut below: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for (site, grown) in facts.profile.sites.iter().zip(by_site).filter(|(_, g)| g.bytes > 0) {
        let mut seen = FxHashSet::default();
        let start = owning_frame(facts, &site.stack).unwrap_or(0);
        let end = match within {
            Some(function) => place_of(facts, &site.stack, function).map_or(0, |at| at + 1),
            None => site.stack.len(),
        };
        for (depth, index) in site.stack.iter().enumerate().take(end).skip(start) {
            let Some(f) = frame(facts, *index) else { continue };
            if is_standard_library(&f.function, &facts.target.module.path) || !seen.insert(f.function.as_str()) {
                continue;
            }
            let entry = below.entry(f.function.as_str()).or_default();
            entry.0 = grown.bytes.saturating_add(entry.0);
            entry.1 = (grown.bytes / 1024).saturating_mul((depth - start) as u64).saturating_add(entry.1);
        }
    }
    below
}

fn describe(facts: &Facts, by_site: &[Amount], total: Amount, function: &str) -> Culprit {
    let mut out = Culprit::default();
    let mut best = 0;
    let (mut variance, mut freed, mut squares) = (0.0, 0.0, Sizes::default());
    let mut lines: BTreeMap<&Frame, u64> = BTreeMap::new();
    let mut ways: BTreeMap<&str, u64> = BTreeMap::new();
    for (i, (site, grown)) in facts.profile.sites.iter().zip(by_site).enumerate() {
        // The outermost call of a recursive function is the one to show; any will do for the sums.
        let Some(at) = place_of(facts, &site.stack, function) else {
            continue;
        };
        out.growth = out.growth.plus(*grown);
        out.current = out.current.plus(site.current);
        let allocated = site.allocated.minus(site.baseline_allocated);
        out.allocated = out.allocated.plus(allocated);
        freed += grown.bytes as f64 * (1.0 - grown.bytes as f64 / allocated.bytes.max(grown.bytes).max(1) as f64);
        squares.since += square(allocated);
        squares.before += square(site.baseline_allocated);
        out.allocated_before = out.allocated_before.plus(site.baseline_allocated);
        out.published = out.published.plus(site.published);
        out.samples = out.samples.saturating_add(site.samples);
        variance += (site.error_bytes as f64).powi(2);
        if let Some(f) = site.stack.get(at).and_then(|f| frame(facts, *f)) {
            let sum = lines.entry(f).or_default();
            *sum = grown.bytes.saturating_add(*sum);
        }
        let way = ways.entry(called_by(facts, &site.stack, at)).or_default();
        *way = grown.bytes.saturating_add(*way);
        if grown.bytes >= best {
            best = grown.bytes;
            out.site = i;
            out.through =
                site.stack.first().filter(|_| at > 0).and_then(|f| frame(facts, *f)).map(|f| f.function.clone());
            let callers = site.stack.iter().skip(at + 1).filter_map(|f| frame(facts, *f));
            let mut callers = callers.filter(|f| f.function != function);
            out.caller = callers.find(|f| !is_standard_library(&f.function, &facts.target.module.path)).cloned();
        }
    }
    out.sizes = Sizes {
        since: squares.since / out.allocated.bytes.max(1) as f64,
        before: squares.before / out.allocated_before.bytes.max(1) as f64,
    };
    out.frame = lines.into_iter().max_by_key(|(_, b)| *b).map(|(f, _)| f.clone()).unwrap_or_default();
    let itself = ways.remove("").unwrap_or(0);
    let one_way = ways.into_values().max().unwrap_or(0).saturating_add(itself);
    out.one_way = one_way as f64 / out.growth.bytes.max(1) as f64;
    out.freed_where_it_grew = freed / out.growth.bytes.max(1) as f64;
    out.share = out.growth.bytes as f64 / total.bytes.max(1) as f64;
    out.error_bytes = variance.sqrt() as u64;
    out.goroutines = goroutines_inside(facts, function);
    out
}

/// Sum of the squares of its objects' sizes, as far as they are alike.
fn square(of: Amount) -> f64 {
    (of.bytes as f64).powi(2) / of.objects.max(1) as f64
}

/// The function, not of the standard library, that the frame at an index calls on the way to an allocation;
/// empty where that is its own, by a library or not.
fn called_by<'a>(facts: &'a Facts, stack: &[u32], at: usize) -> &'a str {
    let owner = owning_frame(facts, stack).unwrap_or(at);
    let within = stack.iter().take(at).skip(owner).rev().filter_map(|i| frame(facts, *i));
    let mut within = within.filter(|f| !is_standard_library(&f.function, &facts.target.module.path));
    within.next().map_or("", |f| f.function.as_str())
}

/// Goroutines that have a function on their stack.
fn goroutines_inside(facts: &Facts, function: &str) -> u64 {
    let inside = |g: &&Group| is_inside(facts, &g.stack, function);
    facts.goroutines.groups.iter().filter(inside).map(|g| g.count).fold(0, u64::saturating_add)
}

impl Culprit {
    /// Goroutines that have its caller (or itself, if it has none) on their stack, at work or not. Which of
    /// them are calls in flight `calls` tells.
    #[must_use]
    pub fn goroutines_inside(&self, facts: &Facts) -> u64 {
        self.caller.as_ref().map_or(self.goroutines, |c| goroutines_inside(facts, &c.function)).max(self.goroutines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Module, Site, Target};

    /// Facts with sites given as (stack innermost first, baseline, current).
    fn facts(sites: &[(&[&str], u64, u64)]) -> Facts {
        let mut f = Facts {
            target: Target { module: Module { path: "svc".into(), ..Module::default() }, ..Target::default() },
            ..Facts::default()
        };
        f.profile.baseline_t_ms = Some(0);
        for (stack, baseline, current) in sites {
            let mut site = Site { samples: 100, ..Site::default() };
            site.baseline.bytes = *baseline;
            site.current.bytes = *current;
            for name in *stack {
                site.stack.push(f.frames.len() as u32);
                f.frames.push(Frame { function: (*name).into(), file: "f.go".into(), line: 7 });
            }
            f.profile.sites.push(site);
        }
        f
    }

    #[test]
    fn one_function_by_many_paths() {
        let f = facts(&[
            (&["main.build", "main.a", "net/http.serve"], 0, 40),
            (&["main.build", "main.b", "net/http.serve"], 0, 40),
            (&["main.load"], 100, 110),
        ]);
        let c = Growth::of(&f).culprit.unwrap();
        assert_eq!((c.frame.function.as_str(), c.growth.bytes), ("main.build", 80));
    }

    /// As prometheus had it under queries: the closure around all handlers, which runs a query and writes
    /// what it says.
    #[test]
    fn who_calls_several_that_allocate_is_known() {
        let of = |query: u64, answer: u64| {
            let f = facts(&[
                (&["main.points", "main.query", "main.register.func1", "net/http.serve"], 0, query),
                (&["main.text", "main.answer", "main.register.func1", "net/http.serve"], 0, answer),
            ]);
            Growth::of(&f).culprit.unwrap()
        };
        let both = of(50, 40);
        assert_eq!(both.frame.function, "main.points", "it has the majority: {both:?}");
        assert_eq!(both.one_way, 1.0, "by itself");
        let f = facts(&[
            (&["main.points", "main.query", "main.register.func1"], 0, 30),
            (&["main.labels", "main.query", "main.register.func1"], 0, 25),
            (&["main.text", "main.answer", "main.register.func1"], 0, 45),
        ]);
        let c = describe(
            &f,
            &[30, 25, 45].map(|bytes| Amount { bytes, objects: 1 }),
            Amount { bytes: 100, objects: 3 },
            "main.register.func1",
        );
        assert_eq!((c.share, c.one_way), (1.0, 0.55));
        // No wrapper: it allocates itself.
        let f = facts(&[
            (&["main.remember", "main.serve"], 0, 45),
            (&["main.serve"], 0, 40),
            (&["main.put", "main.serve"], 0, 15),
        ]);
        let c = describe(
            &f,
            &[45, 40, 15].map(|bytes| Amount { bytes, objects: 1 }),
            Amount { bytes: 100, objects: 3 },
            "main.serve",
        );
        assert_eq!(c.one_way, 0.85);
    }

    #[test]
    fn a_library_is_named_by_its_caller() {
        let f = facts(&[
            (&["reflect.growslice", "encoding/json.Unmarshal", "main.decode", "main.handle"], 0, 900),
            (&["main.x"], 0, 10),
        ]);
        let c = Growth::of(&f).culprit.unwrap();
        assert_eq!(c.frame.function, "main.decode");
        assert_eq!(c.through.as_deref(), Some("reflect.growslice"));
        assert_eq!(c.caller.unwrap().function, "main.handle");
    }

    #[test]
    fn many_small_functions_are_named_by_their_common_caller() {
        let names: Vec<String> = (0..8).map(|i| format!("svc/parse.part{i}")).collect();
        let stacks: Vec<[&str; 4]> =
            names.iter().map(|n| [n.as_str(), "svc/parse.All", "main.handle", "net/http.serve"]).collect();
        let sites: Vec<(&[&str], u64, u64)> = stacks.iter().map(|s| (s.as_slice(), 0, 100_000)).collect();
        assert_eq!(Growth::of(&facts(&sites)).culprit.unwrap().frame.function, "svc/parse.All");
    }

    /// As jaeger has it: one half is received and the other stored, and a middleware has a crumb more than
    /// what it calls.
    #[test]
    fn who_hands_all_on_is_not_named_for_what_it_calls() {
        let f = facts(&[
            (&["example.com/zipkin.parse", "example.com/zipkin.Receive", "example.com/trace.middleware"], 0, 300_000),
            (&["example.com/zipkin.copy", "example.com/zipkin.Receive", "example.com/trace.middleware"], 0, 200_000),
            (&["example.com/trace.span", "example.com/trace.middleware"], 0, 8_000),
            (&["example.com/store.put", "example.com/queue.consume"], 0, 250_000),
            (&["example.com/store.index", "example.com/queue.consume"], 0, 242_000),
        ]);
        assert_eq!(Growth::of(&f).culprit.unwrap().frame.function, "example.com/zipkin.Receive");
    }

    /// Pages of 150 kB, of which one header of 48 bytes was sampled by chance before the baseline.
    #[test]
    fn a_sample_of_something_tiny_makes_nothing_larger() {
        let mut f = facts(&[(&["main.page"], 0, 150_000_000), (&["bytes.NewBuffer", "main.page"], 0, 0)]);
        let of = |bytes, objects| Amount { bytes, objects };
        f.profile.sites[0].baseline_allocated = of(45_000_000, 300);
        f.profile.sites[0].allocated = of(195_000_000, 1_300);
        let header = of(524_312, 10_923);
        (f.profile.sites[1].baseline_allocated, f.profile.sites[1].allocated) = (header, header);
        let sizes = Growth::of(&f).culprit.unwrap().sizes;
        assert!((0.95..1.05).contains(&(sizes.since / sizes.before)), "{sizes:?}");
    }

    #[test]
    fn nothing_grew() {
        assert_eq!(Growth::of(&facts(&[(&["main.load"], 100, 100)])).culprit, None);
    }
}
