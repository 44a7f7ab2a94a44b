//! What to do about what stays alive, where the heap's graph names what keeps it: the collection that only
//! has to be bounded, or the habit of Go's own that keeps things which nobody meant to keep. Pure.
//!
//! "Find what keeps it" is no answer in a report that has found it.

use crate::facts::{Facts, Frame, GraphCensus, GraphFacts, GraphPath, Group};
use crate::graph_certainty::share_of_live;
use crate::hollow_maps::HollowMaps;
use crate::made::called;
use crate::owner::{is_inside, owner_on};
use crate::pieces::Pieces;
use crate::reachability::Reachability;
use crate::thresholds::one_root_holds_most::MOST;
use crate::thresholds::unprofiled_heap::{MIN_ENTRIES, MIN_TIMERS};
use crate::units::{bytes, count, percent, plural};
use crate::waits::{Doing, doing};
use crate::way::is_by_timers;

/// How `goheap` names finalizers and cleanups whose object was found unreachable, and which nobody has run.
pub(crate) const DUE: &str = "(waits to be run)";
/// Outermost functions of goroutines that run finalizers and cleanups, of one release or another
/// (`runtime/mfinal.go`, `runtime/mcleanup.go`).
const RUNS_FINALIZERS: [&str; 3] = ["runtime.runfinq", "runtime.runFinalizers", "runtime.runCleanups"];
/// Collections after which what a finalizer alone keeps would have been found unreachable. Chosen: one to
/// find it, one to free it, and as many more.
const MIN_MARKS: usize = 4;
/// Part of what is live from which on the series of a metric are told to be too many. Chosen: a program's own
/// numbers are no matter of a quarter of its memory.
const SERIES: f64 = 0.25;
/// How `goheap` names cleanups (`runtime.AddCleanup`), which no cycle holds up.
const CLEANUP: &str = "(cleanup)";
/// Children of a context that can be cancelled (`context.cancelCtx`).
pub(crate) const CONTEXTS: &str = "map[context.canceler]struct {}";
/// Channels that are free lists of buffers as often as queues.
const BUFFERS: [&str; 6] = [
    "chan *bytes.Buffer",
    "chan []uint8",
    "chan *[]uint8",
    "chan *strings.Builder",
    "chan *bufio.Writer",
    "chan *bufio.Reader",
];
/// The timers of a processor, of one release or another.
const TIMERS: [&str; 3] = ["[]runtime.timerWhen", "[]*runtime.timer", "[]runtime.timer"];

/// What to do where the cause is one of those that only look like a cache: texts of which a piece is kept,
/// finalizers that do not run, timers that have not fired, contexts that nobody cancels, a channel whose
/// receivers do not keep up. `None` where it is none of them, or nobody knows.
/// `marks` are the collections that ended in the growth.
pub(crate) fn habit(facts: &Facts, reach: Option<&Reachability<'_>>, marks: usize) -> Option<String> {
    let reach = reach?;
    let graph = facts.graph.as_ref()?;
    Pieces::of(graph)
        .map(|pieces| pieces.cure())
        .or_else(|| HollowMaps::of(graph).map(|maps| maps.cure()))
        .or_else(|| series(graph))
        .or_else(|| finalizers(facts, reach, marks))
        .or_else(|| timers(facts, graph))
        .or_else(|| reach.collection().and_then(|c| contexts_or_channel(facts, c)))
}

/// `Bound global main.cache .entries (map[string]main.item), of 32,095 elements, which keeps 135 MB (96 % of
/// what is live): let old entries go by age or number, and delete what is done with.`
pub(crate) fn collection(facts: &Facts, reach: Option<&Reachability<'_>>) -> Option<String> {
    let graph = facts.graph.as_ref()?;
    let c = reach?.collection().filter(|c| c.elements >= MIN_ENTRIES)?;
    Some(format!(
        "Bound {} ({}), of {}, which keeps {} ({} of what is live): let old entries go by age or number, and delete what is done with.",
        c.owner,
        c.type_name,
        plural(c.elements, "element"),
        bytes(c.retained_bytes),
        percent(share_of_live(graph, c.retained_bytes).min(1.0))
    ))
}

/// Series of a metric, one for each set of label values that was ever seen (`prometheus.MetricVec`): a bound
/// of the map is none that a program could set (seen blind: a label with the text of an error that has a
/// URL).
fn series(graph: &GraphFacts) -> Option<String> {
    let of_metrics = graph.census.iter().filter(|c| c.type_name.contains("prometheus.metricWithLabelValues"));
    let c = of_metrics.max_by_key(|c| c.retained_bytes).filter(|c| share_of_live(graph, c.retained_bytes) >= SERIES)?;
    Some(format!(
        "Let the labels of {} have few values: there is a series for each set of them that was ever seen, {} now, which keep {} ({} of what is live). No ids, addresses, paths or texts of errors as labels; delete series that are over (DeleteLabelValues).",
        c.owner,
        count(c.elements),
        bytes(c.retained_bytes),
        percent(share_of_live(graph, c.retained_bytes).min(1.0))
    ))
}

/// One goroutine runs all finalizers, one after another; what it waits for all of them wait for.
fn finalizers(facts: &Facts, reach: &Reachability<'_>, marks: usize) -> Option<String> {
    let root = Some(reach.holder.as_ref()?.root()).filter(|root| root.kind == "finalizer")?;
    if let Some(function) = root.name.strip_suffix(CLEANUP) {
        let set = in_code(facts, "finalizer", "Finalizers and cleanups are set");
        return Some(format!(
            "What a cleanup's function captures, and what it is given, stays until the object is freed that it is set for; if either leads back to that object, that is never: let {} have a copy of what it needs (a key, a handle), and not the object.{set}",
            function.trim_end()
        ));
    }
    if !root.name.ends_with(DUE) {
        return in_a_cycle(facts, marks);
    }
    let what = match runs_finalizers(facts).map(|(g, at)| (doing(facts, g), at)) {
        Some((Doing::Waiting(wait), at)) => format!(
            "and the goroutine that runs them waits for {} in {}: see that this ends, and let no finalizer wait",
            wait.what(),
            at.function
        ),
        Some((Doing::Working, at)) => {
            format!("and the goroutine that runs them does not keep up: it is in {}", at.function)
        }
        _ => "and the goroutine that runs them does not keep up: see what a finalizer waits for".to_owned(),
    };
    let set = in_code(facts, "finalizer", "Finalizers are set");
    Some(format!(
        "What has a finalizer is freed only after that has run, {what}; better, free it by hand (Close).{set}"
    ))
}

/// Of what finalizers alone keep, and which is not due though collections ended meanwhile: what leads back to
/// itself is never found unreachable (`runtime.SetFinalizer`: "if a cyclic structure includes a block with a
/// finalizer, that cycle is not guaranteed to be garbage collected"; seen blind: a session and its lane).
fn in_a_cycle(facts: &Facts, marks: usize) -> Option<String> {
    let set = in_code(facts, "finalizer", "Finalizers are set");
    (marks >= MIN_MARKS).then(|| {
        format!("Nothing but their finalizers leads to them, after {} that ended in the growth: an object with a finalizer that leads back to itself, by whatever it holds, is never freed. Cut that way (set the field to nil) or take the finalizer away (runtime.SetFinalizer(x, nil)) when it is closed.{set}", plural(marks as u64, "collection"))
    })
}

/// The goroutine that runs finalizers, or one that runs cleanups, where it is in the program's code, and
/// where there: it is in nobody's way while it waits for the next one.
pub(crate) fn runs_finalizers(facts: &Facts) -> Option<(&Group, &Frame)> {
    let runs = |g: &&Group| RUNS_FINALIZERS.iter().any(|f| is_inside(facts, &g.stack, f));
    let busy = facts.goroutines.groups.iter().find(runs)?;
    owner_on(facts, &busy.stack).filter(|f| !f.function.starts_with("runtime.")).map(|at| (busy, at))
}

/// A timer keeps what its function holds until it fires, also where nobody waits for it any more.
fn timers(facts: &Facts, graph: &GraphFacts) -> Option<String> {
    let of_timers = graph.census.iter().filter(|c| TIMERS.contains(&c.type_name.as_str()));
    let (mut timers, mut kept) = (0_u64, 0_u64);
    for c in of_timers {
        (timers, kept) = (timers.saturating_add(c.elements), kept.saturating_add(c.retained_bytes));
    }
    // What several lead to, as contexts and their parents do to each other, no list of timers keeps alone.
    let ways: Vec<&GraphPath> = graph.paths.iter().filter(|p| is_by_timers(&p.steps)).collect();
    let kept = kept.max(ways.iter().map(|p| p.bytes).fold(0, u64::saturating_add));
    let enough = timers >= MIN_TIMERS && share_of_live(graph, kept) >= MOST;
    // A client's timeouts are such as well, and keep little (seen blind: deliveries that wait for their next
    // try, and the requests in flight beside them).
    let is_context =
        |p: &&&GraphPath| p.type_name == "context.timerCtx" || p.steps.iter().any(|s| s.contains(".cancelCtx"));
    let by_contexts = ways.iter().filter(is_context).map(|p| p.bytes).fold(0, u64::saturating_add);
    let of_contexts = by_contexts.saturating_mul(2) >= ways.iter().map(|p| p.bytes).fold(0, u64::saturating_add).max(1);
    if enough && of_contexts {
        return Some(format!(
            "{} that have not fired keep {}, and are those of contexts that nobody cancelled: call the function that context.WithTimeout or WithDeadline gives, and that of WithCancel (defer cancel()), when the work is done.{}",
            plural(timers, "timer"),
            bytes(kept),
            in_code(facts, "context", "Contexts are derived")
        ));
    }
    enough.then(|| {
        format!(
            "{} that have not fired keep {}: stop a timer (Stop) as soon as what it was set for is done, or let its function hold no more than it needs.{}",
            plural(timers, "timer"),
            bytes(kept),
            in_code(facts, "timer", "Timers are set")
        )
    })
}

/// ` Contexts are derived in main.poll (main.go:9) or main.serve (main.go:30).`: where the program's code
/// does so, if few functions do.
fn in_code(facts: &Facts, call: &str, are: &str) -> String {
    called(facts, call).map_or_else(String::new, |at| format!(" {are} in {at}."))
}

fn contexts_or_channel(facts: &Facts, c: &GraphCensus) -> Option<String> {
    if c.type_name == CONTEXTS {
        return Some(format!(
            "{} were derived from one context that lives on, and never cancelled: call the function that context.WithCancel, WithTimeout or WithDeadline gives (defer cancel()) when the work is done.{} It is {}.",
            plural(c.elements, "context"),
            in_code(facts, "context", "Contexts are derived"),
            c.owner
        ));
    }
    // Few buffers may be most of a heap, each as large as what it had last (seen blind: 79 of 1.5 MB).
    let of_buffers = BUFFERS.contains(&c.type_name.as_str());
    (c.kind == "chan" && (of_buffers || c.elements >= MIN_ENTRIES)).then(|| {
        // Who takes a buffer from a channel and puts it back waits for nobody (seen: 1,011 buffers in a free
        // list, each as large as the largest page that it had, told as "does not keep up").
        let free_list = if of_buffers {
            format!(
                "If {} is a free list of buffers: put none back that has grown beyond what most need (look at its Cap), and let fewer lie idle. If it is a queue: ",
                c.owner
            )
        } else {
            String::new()
        };
        let whoever = if free_list.is_empty() { "Whoever" } else { "whoever" };
        format!(
            "{free_list}{whoever} receives from {} ({}) does not keep up: {} are queued in it, and keep {}. See what the receivers wait for, and bound what may be queued (a shorter channel; drop or refuse what comes when it is full).",
            c.owner,
            c.type_name,
            plural(c.elements, "element"),
            bytes(c.retained_bytes)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_of_metrics_are_bounded_by_their_labels() {
        let series = |retained_bytes| GraphFacts {
            live_bytes: 84_000_000,
            census: vec![GraphCensus {
                owner: "global main.requests .metricMap .metrics".into(),
                type_name: "map[uint64][]prometheus.metricWithLabelValues".into(),
                elements: 23_298,
                retained_bytes,
                ..GraphCensus::default()
            }],
            ..GraphFacts::default()
        };
        let said = super::series(&series(33_400_000)).unwrap();
        assert!(said.contains("23,298 now, which keep 33.4 MB (40 % of what is live)"), "{said}");
        assert_eq!(super::series(&series(3_400_000)), None);
    }
    use crate::facts::{Goroutines, GraphCalls, GraphPlace, GraphRoot, GraphWaste};

    const MB: u64 = 1_000_000;

    fn graph(census: Vec<GraphCensus>) -> GraphFacts {
        GraphFacts { of_one_moment: true, live_bytes: 100 * MB, census, ..GraphFacts::default() }
    }

    fn of(owner: &str, type_name: &str, elements: u64) -> GraphCensus {
        let kind = type_name.split([' ', '[']).find(|k| !k.is_empty()).unwrap_or_default().to_owned();
        let (owner, type_name) = (owner.to_owned(), type_name.to_owned());
        GraphCensus { owner, type_name, kind, elements, retained_bytes: 95 * MB, count: 1, ..GraphCensus::default() }
    }

    /// The habit, and the collection.
    fn said(facts: &Facts) -> (Option<String>, Option<String>) {
        let reach = Reachability::of(facts.graph.as_ref(), 90 * MB);
        (habit(facts, reach.as_ref(), facts.gc.cycles as usize), collection(facts, reach.as_ref()))
    }

    fn facts(graph: GraphFacts) -> Facts {
        Facts { graph: Some(graph), ..Facts::default() }
    }

    #[test]
    fn a_collection_is_bounded_if_it_has_many() {
        let (habit, cure) = said(&facts(graph(vec![of("global main.cache", "map[string]int", 9_000)])));
        assert_eq!(habit, None);
        assert!(
            cure.unwrap().starts_with("Bound global main.cache (map[string]int), of 9,000 elements, which keeps 95")
        );
        // Three handlers lead to all that a server has.
        assert_eq!(said(&facts(graph(vec![of("global main.routes", "[]main.route", 3)]))), (None, None));
        // Nor is what stands inside the runtime's own structures a collection of anybody's.
        let own = graph(vec![of("runtime runtime.allp [...]", "[]*runtime.sudog", 11_000)]);
        assert_eq!(said(&facts(own)), (None, None));
    }

    #[test]
    fn contexts_are_cancelled_and_channels_emptied() {
        let contexts = graph(vec![of("global main.base .children", CONTEXTS, 14_340)]);
        let mut contexts = facts(contexts);
        assert!(said(&contexts).0.unwrap().starts_with("14,340 contexts were derived"));
        let place = GraphPlace { function: "main.poll".into(), at: "svc/main.go:9".into() };
        contexts.graph.as_mut().unwrap().library_calls =
            vec![GraphCalls { call: "context".into(), places: vec![place] }];
        let in_code = "when the work is done. Contexts are derived in main.poll (svc/main.go:9). It is global";
        assert!(said(&contexts).0.unwrap().contains(in_code));
        let queue = graph(vec![of("global main.in", "chan *main.entry", 146_496)]);
        assert!(said(&facts(queue)).0.unwrap().starts_with("Whoever receives from global main.in"));
    }

    #[test]
    fn timers_keep_what_their_functions_hold() {
        let mut heap = of("runtime runtime.allp [...] .timers.heap", "[]runtime.timerWhen", 604);
        heap.count = 2;
        assert!(said(&facts(graph(vec![heap.clone()]))).0.unwrap().starts_with("604 timers that have not fired"));
        // A few of them lead to much, as those of a scheduler do.
        heap.elements = 5;
        assert_eq!(said(&facts(graph(vec![heap]))).0, None);
    }

    /// As a scheduler had them that discards what `context.WithTimeout` gives: contexts and their parents
    /// lead to each other, so that no list of timers keeps them alone; stripped, with no name of the
    /// runtime's.
    #[test]
    fn contexts_with_a_deadline_are_kept_by_timers() {
        let mut heap = of("global jobs bss+0xab0 [...] .timers.heap", "[]runtime.timerWhen", 144_168);
        (heap.count, heap.retained_bytes) = (2, 2 * MB);
        let mut g = graph(vec![heap]);
        let path = |root: &str, rest: &[&str]| GraphPath {
            steps: [root, "[...]", ".timers.heap", "[...].timer"].iter().chain(rest).map(|s| (*s).to_owned()).collect(),
            bytes: 60 * MB,
            objects: 144_130,
            ..GraphPath::default()
        };
        g.paths = vec![path("global jobs bss+0xab0", &["?", ".X0", ".cancelCtx.Context", ".val"])];
        let said_of = |g: &GraphFacts| said(&facts(g.clone())).0.unwrap_or_default();
        assert!(said_of(&g).starts_with("144,168 timers that have not fired keep 60.0 MB, and are those of contexts"));
        g.paths = vec![path("runtime runtime.allp", &["?", ".f"])];
        assert!(said_of(&g).contains("stop a timer (Stop)"), "{}", said_of(&g));
        // A field of that name in a program's own structures has other elements.
        g.paths[0].steps[0] = "global main.game".into();
        g.paths[0].steps[3] = "[...].monster".into();
        assert_eq!(said_of(&g), "");
    }

    /// A channel of buffers may be a free list: then nobody is slow to receive.
    #[test]
    fn buffers_in_a_channel_may_lie_idle() {
        let idle = graph(vec![of("goroutines in main.report .free", "chan *bytes.Buffer", 1_011)]);
        let said = said(&facts(idle)).0.unwrap();
        assert!(
            said.starts_with("If goroutines in main.report .free is a free list of buffers: put none back"),
            "{said}"
        );
        assert!(said.contains("If it is a queue: whoever receives"), "{said}");
    }

    #[test]
    fn pieces_are_copied_rather_than_bounded() {
        let mut g = graph(vec![of("global main.seen", "map[string]int", 9_000)]);
        let waste = |wasted_bytes| GraphWaste {
            kind: "substring".into(),
            owner: "global main.seen".into(),
            kept_bytes: 95 * MB,
            used_bytes: MB,
            wasted_bytes,
            ..GraphWaste::default()
        };
        g.waste = vec![waste(94 * MB)];
        assert!(said(&facts(g.clone())).0.unwrap().contains("strings.Clone(s[i:j])"));
        g.waste = vec![waste(40 * MB)];
        assert_eq!(said(&facts(g)).0, None);
    }

    #[test]
    fn finalizers_that_wait_are_told_by_who_runs_them() {
        let root = GraphRoot {
            kind: "finalizer".into(),
            name: format!("main.(*codec).release-fm {DUE}"),
            retained_bytes: 90 * MB,
            ..GraphRoot::default()
        };
        let frames = ["runtime.gopark", "main.(*codec).release", "runtime.runFinalizers"];
        let group = Group {
            count: 1,
            state: "waiting".into(),
            wait_reason: "chan send".into(),
            stack: vec![0, 1, 2],
            ..Group::default()
        };
        let facts = Facts {
            frames: frames.map(|f| Frame { function: f.into(), ..Frame::default() }).into(),
            goroutines: Goroutines { total: 1, groups: vec![group], ..Goroutines::default() },
            ..facts(GraphFacts { roots: vec![root], ..graph(Vec::new()) })
        };
        let cure = said(&facts).0.unwrap();
        assert!(cure.contains("in main.(*codec).release: see that this ends"), "{cure}");
        // Those that are not due, after so many collections.
        let mut facts = facts;
        facts.graph.as_mut().unwrap().roots[0].name = "main.(*codec).release-fm".into();
        assert_eq!(said(&facts).0, None);
        facts.gc.cycles = 35;
        let cure = said(&facts).0.unwrap();
        assert!(
            cure.contains("after 35 collections that ended in the growth: an object with a finalizer that leads back"),
            "{cure}"
        );
    }
}
