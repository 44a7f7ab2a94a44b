//! One holder that keeps most of the live heap. The page: `one-root-holds-most.md`.

use super::rule::{Case, Rule, RuleInfo};
use crate::facts::{Facts, GraphFacts, HEAP_GRAPH, Phase};
use crate::finding::{ConfidenceFactor, Evidence, Finding, Level};
use crate::findings::Findings;
use crate::graph_certainty::{beside_the_growth, of_graph, rival_of_dead_variables, source};
use crate::graph_holder::GraphHolder;
use crate::made;
use crate::rival::Rival;
use crate::subject::Subject;
use crate::thresholds::one_root_holds_most::NEW;
use crate::units::{bytes, count, percent, plural};
use crate::unknown::{About, RETENTION};
use crate::window::Window;

/// The rule.
pub(super) struct OneRootHoldsMost;

impl Rule for OneRootHoldsMost {
    const INFO: RuleInfo = RuleInfo {
        code: "one-root-holds-most",
        title: "one variable, or the goroutines of one function, keep most of the live heap",
        doc: include_str!("one-root-holds-most.md"),
    };
    const BESIDE: bool = true;

    fn check(case: &Case<'_>, out: &mut Findings) {
        match &case.facts.graph {
            Some(g) => out.found(GraphHolder::of(case.facts).map(|holder| find(case, g, &holder))),
            None if case.growth.culprit.is_some() || case.heap.is_some() => {
                out.not_known(About::Retention, no_graph(case.facts));
            }
            None => {}
        }
    }
}

/// Why there is no graph, and how to get one.
fn no_graph(facts: &Facts) -> String {
    let gap = facts.capture.gaps.iter().find(|g| g.what == HEAP_GRAPH);
    let why = match gap {
        Some(gap) => format!("no graph of the heap: {}", gap.why),
        None if facts.capture.phase == Phase::Core => "no graph of the heap was made of this core file (lastgasp report CORE makes one where it has all of the memory)".into(),
        None if facts.nothing_was_copied() => "nothing of the dead process could be copied".into(),
        None => "no graph of the heap was taken (of a live process: lastgasp capture PID --heap)".into(),
    };
    format!("{RETENTION}{why}")
}

fn find(case: &Case<'_>, g: &GraphFacts, holder: &GraphHolder<'_>) -> Finding {
    let root = holder.root;
    let mut factors = vec![ConfidenceFactor { name: "share of the live heap that it keeps", value: holder.share }];
    factors.extend(of_graph(g));
    let started = (!root.created_by.is_empty()).then(|| format!("they were started by {}", root.created_by));
    let variable = (!root.type_name.is_empty()).then(|| format!("its type is {}", root.type_name));
    let allocated = holder.site.and_then(|s| {
        let function = s.stack.first()?;
        let at = if s.at.is_empty() { String::new() } else { format!(" ({})", s.at) };
        Some(format!(
            "allocated in {function}{at}, as {} of it say: about {}",
            plural(s.sampled, "live sample"),
            bytes(s.bytes)
        ))
    });
    let grows = match root.grows_in() {
        [] => None,
        places => Some(format!("it is written, as when it grows, in {}", made::places_text(places))),
    };
    let made = made::made_in(root).filter(|_| allocated.is_none());
    let made = made.map(|made| format!("in the program's code {}", made::text(made)));
    Finding {
        code: OneRootHoldsMost::INFO.code,
        subject: Subject::Holder { name: root.name.clone() },
        level: Level::Info,
        title: match root.goroutines {
            0 => "one variable keeps most of the live heap".into(),
            1 => "one goroutine keeps most of the live heap".into(),
            _ => "the goroutines of one function keep most of the live heap".into(),
        },
        sentence: format!("{}.", holder.text()),
        factors,
        rivals: rivals(g, holder, case.window),
        evidence: [variable, grows, started, allocated, made]
            .into_iter()
            .flatten()
            .map(|text| Evidence { text, source: source(g) })
            .chain(beside_the_growth(case.facts, case.growth, case.window, &[&root.name]))
            .collect(),
        cure: cure(holder),
        site: None,
        do_now: Vec::new(),
    }
}

fn rivals(g: &GraphFacts, holder: &GraphHolder<'_>, window: Option<&Window>) -> Vec<Rival> {
    let new = window.map(|w| (w, holder.surely_of(w))).filter(|(_, part)| *part >= NEW).map(|(w, part)| {
        format!(
            "at least {} of the {} that grew is its: the process had used only {} before",
            percent(part),
            bytes(w.growth()),
            bytes(w.start_bytes)
        )
    });
    let mut out = vec![Rival::tested(
        "what it has always held, and needs",
        new,
        "the same of a calmer time: lastgasp diff with a capture after a restart",
    )];
    out.extend(rival_of_dead_variables(g, holder.root.goroutines));
    out
}

fn cure(holder: &GraphHolder<'_>) -> String {
    let kind = holder.mostly().map_or_else(|| "what they keep".to_owned(), |kind| format!("the {kind}"));
    match holder.root.goroutines {
        0 => {
            let way = holder.way().unwrap_or_else(|| holder.root.name.clone());
            format!("Bound what {way} keeps: by number, bytes or age; delete what is done with.")
        }
        1 => format!(
            "Look at what that goroutine in {} still needs: let {kind} go as soon as it is done with.",
            holder.root.name
        ),
        n => format!(
            "Bound how many run in {} at a time ({} do), share {kind} between them where it is the same, and let it go as soon as it is done with.",
            holder.root.name,
            count(n)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnose::diagnose;
    use crate::facts::{Gap, Gc, GraphPlace, GraphRoot, Sample};

    fn facts(goroutines: u64, bytes: u64) -> Facts {
        let root = GraphRoot {
            kind: if goroutines == 0 { "global".into() } else { "goroutine".into() },
            name: if goroutines == 0 { "main.cache".into() } else { "main.ugcTab".into() },
            objects: 31_000,
            retained_bytes: bytes,
            goroutines,
            mostly: "[]int64".into(),
            mostly_bytes: bytes,
            ..GraphRoot::default()
        };
        let g =
            GraphFacts { live_bytes: 1_000_000_000, of_one_moment: true, roots: vec![root], ..GraphFacts::default() };
        Facts { graph: Some(g), ..Facts::default() }
    }

    fn found(facts: &Facts) -> Option<Finding> {
        diagnose(facts).findings.into_iter().find(|f| f.code == OneRootHoldsMost::INFO.code)
    }

    /// Grows from 50 MB to a gigabyte in a second.
    fn growing(mut facts: Facts) -> Facts {
        let sample = |i: u64| Sample { t_ms: i * 10, usage_bytes: 50_000_000 + i * 9_500_000, ..Sample::default() };
        facts.timeline.samples = (0..=100).map(sample).collect();
        facts
    }

    #[test]
    fn who_holds_most_is_named_and_the_share_is_the_confidence() {
        let f = found(&growing(facts(0, 900_000_000))).unwrap();
        assert_eq!(
            f.sentence,
            "main.cache keeps 900 MB in 31,000 objects alive (90 % of what is live), most of it []int64."
        );
        assert!((f.confidence() - 0.9).abs() < 1e-9, "{:?} {:?}", f.factors, f.rivals);
        assert!(found(&facts(0, 900_000_000)).unwrap().confidence() <= crate::UNTESTED, "it may always have been so");
        assert!(found(&facts(0, 400_000_000)).is_none());
    }

    /// Of a stripped binary the variable has no name, and the code that appends to it has one.
    #[test]
    fn who_writes_a_slice_without_a_name_is_told() {
        let written = |type_name: &str| {
            let mut facts = growing(facts(0, 900_000_000));
            let root = &mut facts.graph.as_mut().unwrap().roots[0];
            (root.name, root.type_name) = ("svc bss+0xfe8".into(), type_name.into());
            root.written = vec![GraphPlace { function: "main.keepHead".into(), at: "svc/heap.go:68".into() }];
            let evidence = found(&facts).unwrap().evidence;
            evidence.into_iter().map(|e| e.text).find(|text| text.contains("is written"))
        };
        let said = "it is written, as when it grows, in main.keepHead (svc/heap.go:68)";
        assert_eq!(written("[][]uint8").as_deref(), Some(said));
        assert_eq!(written("map[string]int"), None, "a map is written once and grows by itself");
    }

    #[test]
    fn goroutines_are_a_group_and_dead_variables_their_rival() {
        let mut facts = growing(facts(158, 900_000_000));
        let f = found(&facts).unwrap();
        assert!(f.sentence.starts_with("158 goroutines in main.ugcTab keep 900 MB"), "{}", f.sentence);
        assert!(f.confidence() > 0.8);
        facts.graph.as_mut().unwrap().conservative = true;
        assert!(found(&facts).unwrap().confidence() <= crate::UNTESTED);
    }

    /// A finding of the graph never takes the place of one that says why memory grew, nor its level.
    #[test]
    fn it_stands_beside_what_says_why_it_grew() {
        let mut facts = growing(facts(0, 900_000_000));
        facts.gc = Gc { heap_in_use: 950_000_000, ..Gc::default() };
        facts.target.limit_bytes = Some(1_000_000_000);
        let d = diagnose(&facts);
        assert_ne!(d.verdict().unwrap().code, OneRootHoldsMost::INFO.code, "{:?}", d.findings);
        assert_eq!(d.findings.last().unwrap().level, Level::Info);
        // What nobody has another word for is still unexplained.
        facts.gc = Gc::default();
        facts.capture.reason = crate::facts::Reason::OomKill;
        let codes: Vec<&str> = diagnose(&facts).findings.iter().map(|f| f.code).collect();
        assert_eq!(codes, ["unexplained-growth", "one-root-holds-most"]);
    }

    #[test]
    fn without_a_graph_it_is_said_why() {
        let mut facts = growing(Facts { gc: Gc { heap_in_use: 950_000_000, ..Gc::default() }, ..Facts::default() });
        let said =
            |facts: &Facts| diagnose(facts).unknown.into_iter().find(|u| u.contains("keeps the memory reachable"));
        assert!(said(&facts).unwrap().contains("lastgasp capture PID --heap"));
        facts.capture.gaps.push(Gap::new(HEAP_GRAPH, "no time was left"));
        assert!(said(&facts).unwrap().ends_with("no graph of the heap: no time was left"));
        facts.capture.gaps.clear();
        facts.capture.phase = Phase::Core;
        assert!(said(&facts).unwrap().contains("core file"));
        facts.graph = Some(GraphFacts::default());
        assert_eq!(said(&facts), None);
    }
}
