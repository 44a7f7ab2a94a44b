//! A collection that is filled and never emptied. The page: `collection-only-grows.md`.

use super::rule::{Case, Rule, RuleInfo};
use crate::facts::{Facts, GraphCensus, GraphFacts};
use crate::finding::{Evidence, Finding, Level};
use crate::findings::Findings;
use crate::graph_certainty::{beside_the_growth, of_collection, share_of_live, source_of_collection};
use crate::rival::Rival;
use crate::subject::Subject;
use crate::thresholds::collection_only_grows::{AS_FAST, MIN_ELEMENTS, MIN_FACTOR, MIN_LOOKS, ONE_STEP, RISING};
use crate::units::{bytes, count, percent, plural, seconds};
use crate::way::root_of;

/// The rule.
pub(super) struct CollectionOnlyGrows;

impl Rule for CollectionOnlyGrows {
    const INFO: RuleInfo = RuleInfo {
        code: "collection-only-grows",
        title: "one collection is filled and never emptied",
        doc: include_str!("collection-only-grows.md"),
    };
    const BESIDE: bool = true;

    fn check(case: &Case<'_>, out: &mut Findings) {
        out.found(largest(case.facts).map(|(c, g, rise)| find(case, g, c, &rise)));
    }
}

/// The collection that only grows and keeps most.
fn largest(facts: &Facts) -> Option<(&GraphCensus, Option<&GraphFacts>, Rise)> {
    // The runtime's list of goroutines only ever grows, and nobody can bound it there.
    let own = facts.collections().filter(|(c, _)| !c.owner.starts_with("runtime runtime.allg"));
    let growing = own.filter_map(|(c, g)| Some((c, g, Rise::of(c)?)));
    growing.max_by_key(|(c, ..)| (c.retained_bytes.max(c.bytes), c.elements))
}

/// The collection that only grows, if it alone keeps more than all others together of what is live.
pub(super) fn most_is_filled(facts: &Facts) -> Option<&GraphCensus> {
    let (c, graph, _) = largest(facts)?;
    let named = c.count <= 1 && !c.type_name.is_empty();
    (named && share_of_live(graph?, c.retained_bytes) > 0.5).then_some(c)
}

/// Where to look first for what keeps a growth that nobody is known to hold: ` Look first at global
/// main.series, which grew from 6,000 to 55,500 elements in 13 s.`; nothing where no collection only grows.
pub(super) fn look_first(facts: &Facts) -> String {
    largest(facts).map_or_else(String::new, |(c, _, rise)| {
        let to = plural(c.elements, "element");
        let time = seconds(rise.ms as f64 / 1e3);
        let of_types = of_types(&c.owner).map_or_else(String::new, |why| format!(" {why}"));
        format!(" Look first at {}, which grew from {} to {to} in {time}.{of_types}", c.owner, count(rise.first))
    })
}

/// What to do of a list in which the standard library has an entry for each type that it has met: a program
/// has as many as were written, and more only by reflection. Nobody can bound the list, and no type is ever
/// freed. Seen blind: a row's type made of each query's column names, 11,739 of them after 38 s, and what
/// `reflect` and `encoding/json` keep of each 10 kB.
fn of_types(owner: &str) -> Option<&'static str> {
    const LISTS: [&str; 6] = [
        "global encoding/json.encoderCache",
        "global encoding/json.fieldCache",
        "global encoding/xml.tinfoMap",
        "global reflect.structLookupCache",
        "global reflect.ptrMap",
        "global reflect.lookupCache",
    ];
    LISTS.iter().any(|list| owner.starts_with(list)).then_some(
        "It has an entry for each type, and so many are only made at run time (reflect.StructOf, MapOf, FuncOf): Go never frees a type, nor what packages remember of it. Make one type for many calls, or use a map or a slice in its place.",
    )
}

/// A rise without a fall.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Rise {
    /// Elements at the first look.
    first: u64,
    /// Looks, that of the capture included.
    looks: usize,
    /// Milliseconds from the first look to the capture.
    ms: u64,
    /// Elements a second in the later half of the time against those in the earlier.
    pace: f64,
}

impl Rise {
    /// Of a collection that has grown at most looks, and shrunk at none.
    fn of(c: &GraphCensus) -> Option<Self> {
        // Oldest first, whatever the order was; the capture's own look last.
        let mut looks: Vec<(u64, u64)> = c.looks.iter().copied().filter(|(ms, _)| *ms > 0).collect();
        looks.sort_by_key(|(ms, _)| std::cmp::Reverse(*ms));
        looks.push((0, c.elements));
        let (ms, first) = *looks.first()?;
        let all = c.elements.checked_sub(first)?;
        let steps = || looks.windows(2).filter_map(|w| Some((w.first()?.1, w.last()?.1)));
        let falls = steps().any(|(a, b)| b < a);
        let rising = steps().filter(|(a, b)| b > a).count() as f64 / (looks.len() - 1).max(1) as f64;
        let largest = steps().map(|(a, b)| b.saturating_sub(a)).max().unwrap_or(0);
        let is_rise = looks.len() >= MIN_LOOKS
            && !falls
            && c.elements >= MIN_ELEMENTS
            && c.elements as f64 >= MIN_FACTOR * first.max(1) as f64
            && rising >= RISING
            && largest as f64 <= ONE_STEP * all as f64;
        // Where it stood at half of the time: at the last look that is as old as that.
        let (half_ms, half) = looks.iter().rev().copied().find(|(age, _)| *age >= ms / 2)?;
        let rate = |n: u64, ms: u64| n as f64 / ms.max(1) as f64;
        let (later, earlier) = (
            rate(c.elements.saturating_sub(half), half_ms),
            rate(half.saturating_sub(first), ms.saturating_sub(half_ms)),
        );
        let pace = if earlier > 0.0 { later / earlier } else { f64::from(later > 0.0) };
        is_rise.then_some(Self { first, looks: looks.len(), ms, pace })
    }
}

fn find(case: &Case<'_>, g: Option<&GraphFacts>, c: &GraphCensus, rise: &Rise) -> Finding {
    let kind = if c.type_name.is_empty() { String::new() } else { format!(" ({})", c.type_name) };
    let keeps = g.map_or_else(String::new, |g| {
        let keeps = c.retained_bytes.max(c.bytes);
        format!("; it keeps {} ({} of what is live)", bytes(keeps), percent(share_of_live(g, keeps).min(1.0)))
    });
    let name = root_of(&c.owner).rsplit(' ').next().unwrap_or_default();
    let steady = (rise.pace >= AS_FAST).then(|| "it grows as fast at the end as at the beginning".to_owned());
    let rivals = vec![
        Rival::tested(
            "one that fills to a bound and stops",
            None,
            match &steady {
                Some(steady) => format!("a bound in the code, or a longer look: {steady}"),
                None => "a bound in the code, or a longer look: it grows more slowly at the end".to_owned(),
            },
        ),
        Rival::tested(
            "one collection that is replaced by larger ones",
            (c.count <= 1).then(|| "the same way leads to it at each look, and to it alone".to_owned()),
            "each collection by itself: several are merged by the words of their way",
        ),
    ];
    let per_second = (c.elements - rise.first.min(c.elements)) as f64 / (rise.ms.max(1) as f64 / 1e3);
    Finding {
        code: CollectionOnlyGrows::INFO.code,
        subject: Subject::Collection { owner: c.owner.clone(), type_name: c.type_name.clone() },
        level: Level::Warning,
        title: "one collection is filled and never emptied".into(),
        sentence: format!(
            "{}{kind} grew from {} to {} in {}, at {} of the flight ring, and shrank at none{keeps}.",
            c.owner,
            count(rise.first),
            plural(c.elements, "element"),
            seconds(rise.ms as f64 / 1e3),
            plural(rise.looks as u64, "look")
        ),
        factors: of_collection(g),
        rivals,
        evidence: std::iter::once(format!("about {} elements a second came", count(per_second.round() as u64)))
            .chain(steady)
            .map(|text| Evidence { text, source: source_of_collection(g) })
            .chain(beside_the_growth(case.facts, case.growth, case.window, &[name]))
            .collect(),
        cure: of_types(&c.owner).map_or_else(
            || format!("Bound {}: let old entries go by age or number, and delete what is done with.", c.owner),
            str::to_owned,
        ),
        site: None,
        do_now: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnose::diagnose;

    fn of(elements: &[u64]) -> GraphCensus {
        let (last, before) = elements.split_last().unwrap();
        let n = before.len() as u64;
        GraphCensus {
            owner: "global main.history".into(),
            type_name: "[]main.event".into(),
            kind: "slice".into(),
            elements: *last,
            bytes: last * 8,
            retained_bytes: last * 100,
            looks: before.iter().enumerate().map(|(i, e)| ((n - i as u64) * 5_000, *e)).collect(),
            count: 1,
            ..GraphCensus::default()
        }
    }

    fn found(c: GraphCensus) -> Option<Finding> {
        let g = GraphFacts { live_bytes: 10_000_000, of_one_moment: true, census: vec![c], ..GraphFacts::default() };
        let facts = Facts { graph: Some(g), ..Facts::default() };
        diagnose(&facts).findings.into_iter().find(|f| f.code == CollectionOnlyGrows::INFO.code)
    }

    #[test]
    fn what_rises_and_never_falls_is_named() {
        let f = found(of(&[1_000, 2_000, 3_000, 4_000, 5_000, 6_000, 7_000])).unwrap();
        assert_eq!(
            f.sentence,
            "global main.history ([]main.event) grew from 1,000 to 7,000 elements in 30 s, at 7 looks of the flight \
             ring, and shrank at none; it keeps 700 kB (7.0 % of what is live)."
        );
        assert!(f.evidence.iter().any(|e| e.text.contains("as fast at the end")), "{:?}", f.evidence);
        let grows = of(&[1_000, 2_000, 3_000, 4_000, 5_000, 6_000, 7_000]);
        let graph = GraphFacts { census: vec![grows], ..GraphFacts::default() };
        let facts = Facts { graph: Some(graph), ..Facts::default() };
        let said = " Look first at global main.history, which grew from 1,000 to 7,000 elements in 30 s.";
        assert_eq!((look_first(&facts).as_str(), look_first(&Facts::default()).as_str()), (said, ""));
        let mut types = facts.clone();
        types.graph.as_mut().unwrap().census[0].owner = "global encoding/json.encoderCache".into();
        assert!(look_first(&types).contains("reflect.StructOf") && !f.cure.contains("reflect"));
        // A cache that is not full yet looks the same.
        assert!(f.confidence() <= crate::UNTESTED);
    }

    #[test]
    fn what_falls_stands_jumps_or_is_small_is_not() {
        for other in [
            &[1_000, 2_000, 3_000, 2_900, 5_000, 6_000, 7_000][..],
            &[7_000, 7_000, 7_000, 7_000, 7_000, 7_000, 7_000],
            &[1_000, 1_010, 1_020, 1_030, 1_040, 6_990, 7_000],
            &[10, 20, 30, 40, 50, 60, 70],
            &[1_000, 2_000, 7_000],
            &[6_000, 6_100, 6_200, 6_300, 6_400, 6_500, 7_000],
        ] {
            assert!(found(of(other)).is_none(), "{other:?}");
        }
    }

    #[test]
    fn one_that_fills_up_slows_down() {
        let fills = Rise::of(&of(&[1_000, 4_000, 6_000, 7_000, 7_100, 7_150, 7_200])).unwrap();
        assert!(fills.pace < AS_FAST, "{fills:?}");
        let steady = Rise::of(&of(&[1_000, 2_000, 3_000, 4_000, 5_000, 6_000, 7_000])).unwrap();
        assert!((steady.pace - 1.0).abs() < 0.01, "{steady:?}");
    }
}
