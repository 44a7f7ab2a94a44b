//! A collection with many times the elements of before. The page: `collection-jumped.md`.

use super::rule::{Case, Rule, RuleInfo};
use crate::facts::{Facts, GraphCensus, GraphCopies, GraphFacts};
use crate::finding::{Evidence, Finding, Level};
use crate::findings::Findings;
use crate::graph_certainty::{beside_the_growth, of_collection, share_of_live, source_of_collection};
use crate::rival::Rival;
use crate::subject::Subject;
use crate::thresholds::collection_jumped::{FACTOR, MIN_ELEMENTS, SAME, STOOD};
use crate::units::{bytes, count, plural, seconds};
use crate::way::root_of;

/// The rule.
pub(super) struct CollectionJumped;

impl Rule for CollectionJumped {
    const INFO: RuleInfo = RuleInfo {
        code: "collection-jumped",
        title: "one collection has many times the elements of before",
        doc: include_str!("collection-jumped.md"),
    };
    const BESIDE: bool = true;

    fn check(case: &Case<'_>, out: &mut Findings) {
        let jumped = case.facts.collections().filter_map(|(c, g)| Some((c, g, before(c)?)));
        // Of several the one that was copied, as often as it takes to be most of what is live (seen blind in
        // lab/cluster: a list of 80,000 that all share, told in place of one of 280,000 that each call
        // copies); else the one that grew by the largest factor.
        let graph = case.facts.graph.as_ref();
        let copied = |c: &GraphCensus| {
            graph.and_then(|g| built(g, c).filter(|k| share_of_live(g, k.total_bytes) > 0.5)).is_some()
        };
        let factor = |c: &GraphCensus, before: u64| c.elements as f64 / before.max(1) as f64;
        let most = jumped
            .max_by(|(a, _, x), (b, _, y)| copied(a).cmp(&copied(b)).then(factor(a, *x).total_cmp(&factor(b, *y))));
        out.found(most.map(|(c, g, before)| find(case, g, c, before)));
    }
}

/// Elements before it jumped, if it did.
fn before(c: &GraphCensus) -> Option<u64> {
    let before = c.before?;
    (c.elements >= MIN_ELEMENTS && c.elements / FACTOR >= before.max(1)).then_some(before)
}

/// Live collections of as many elements each.
fn built<'a>(g: &'a GraphFacts, c: &GraphCensus) -> Option<&'a GraphCopies> {
    g.copies.iter().find(|k| k.copies > 1 && k.elements == c.elements && k.elements > 0)
}

fn find(case: &Case<'_>, g: Option<&GraphFacts>, c: &GraphCensus, before: u64) -> Finding {
    let ago = c.before_ms_ago.map_or_else(|| "before".to_owned(), |ms| format!("{} before", seconds(ms as f64 / 1e3)));
    let kind = if c.type_name.is_empty() { String::new() } else { format!(" ({})", c.type_name) };
    let keeps = match c.retained_bytes > c.bytes {
        _ if c.bytes == 0 => String::new(),
        true => format!("; it takes {}, {} with what it keeps", bytes(c.bytes), bytes(c.retained_bytes)),
        false => format!("; it takes {}", bytes(c.bytes)),
    };
    let copied = case.facts.graph.as_ref().and_then(|g| built(g, c)).map(|k| {
        format!(
            "{} live copies of {} have as many elements each: {} together",
            count(k.copies),
            k.type_name,
            bytes(k.total_bytes)
        )
    });
    let looks = match c.looks.len() {
        0 => None,
        n => Some(format!("by {} of the flight ring at it", plural(n as u64, "look"))),
    };
    Finding {
        code: CollectionJumped::INFO.code,
        subject: Subject::Collection { owner: c.owner.clone(), type_name: c.type_name.clone() },
        level: Level::Warning,
        title: "one collection has jumped".into(),
        sentence: format!(
            "{}{kind} has {}, and had {} {ago}{keeps}.",
            c.owner,
            plural(c.elements, "element"),
            count(before)
        ),
        factors: of_collection(g),
        rivals: rivals(case.facts, c, before),
        evidence: looks
            .into_iter()
            .chain(copied)
            .map(|text| Evidence { text, source: source_of_collection(g) })
            .chain(beside_the_growth(case.facts, case.growth, case.window, &[root_name(&c.owner)]))
            .collect(),
        cure: format!(
            "Look for what filled {} just then (a configuration, data published by an admin platform, a query without a bound), and refuse more than the service is made for.",
            c.owner
        ),
        site: None,
        do_now: Vec::new(),
    }
}

/// The last word of a way's root: the variable, or the function.
fn root_name(owner: &str) -> &str {
    let root = root_of(owner);
    root.rsplit(' ').next().unwrap_or(root)
}

/// Whether it stood where it was at enough looks before the jump.
fn stood(c: &GraphCensus, before: u64) -> usize {
    let near = |n: u64| n.abs_diff(before) as f64 <= SAME * before.max(1) as f64;
    c.looks.iter().filter(|(_, n)| near(*n)).count()
}

fn rivals(facts: &Facts, c: &GraphCensus, before: u64) -> Vec<Rival> {
    let looks = stood(c, before);
    let rest = (looks >= STOOD).then(|| format!("it had {} at {}", count(before), plural(looks as u64, "look")));
    // One that fills and empties was as large before.
    let was_large = c.looks.iter().any(|(ms, n)| Some(*ms) > c.before_ms_ago && *n >= c.elements / 2);
    let breathes = (!was_large && looks >= STOOD).then(|| "no earlier look has seen it as large".to_owned());
    let mut out = vec![
        Rival::tested("one that fills and empties again and again", breathes, "more looks at it before"),
        Rival::tested(
            "a program that fills it as it starts",
            rest.or_else(|| old(facts, c)),
            "how large it is after a start",
        ),
    ];
    if c.count > 1 {
        out.push(Rival::open(
            "more collections of that owner, and not a larger one",
            "each of them by itself: they are merged by the words of their way",
        ));
    }
    out
}

/// That it had run for long enough when the collection was still small.
fn old(facts: &Facts, c: &GraphCensus) -> Option<String> {
    let age = facts.age_ms()?.checked_sub(c.before_ms_ago?)?;
    (age >= 60_000).then(|| format!("the process had run for {} then", seconds(age as f64 / 1e3)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnose::diagnose;

    fn config(looks: &[(u64, u64)]) -> GraphCensus {
        GraphCensus {
            owner: "global main.config .avids".into(),
            type_name: "[]int64".into(),
            kind: "slice".into(),
            elements: 230_000,
            bytes: 1_840_000,
            retained_bytes: 1_840_000,
            before: Some(312),
            before_ms_ago: Some(4_000),
            looks: looks.to_vec(),
            count: 1,
            ..GraphCensus::default()
        }
    }

    fn found(census: Vec<GraphCensus>) -> Option<Finding> {
        let g = GraphFacts { live_bytes: 1_000, of_one_moment: true, census, ..GraphFacts::default() };
        let facts = Facts { graph: Some(g), ..Facts::default() };
        diagnose(&facts).findings.into_iter().find(|f| f.code == CollectionJumped::INFO.code)
    }

    #[test]
    fn a_configuration_that_grew_at_once_is_named() {
        let f = found(vec![config(&[(16_000, 312), (12_000, 312), (8_000, 312), (4_000, 312)])]).unwrap();
        assert_eq!(
            f.sentence,
            "global main.config .avids ([]int64) has 230,000 elements, and had 312 4.0 s before; it takes 1.84 MB."
        );
        assert!(f.confidence() > 0.9, "{:?}", f.rivals);
        assert_eq!(root_name("goroutines in main.f .x"), "main.f");
    }

    #[test]
    fn what_is_copied_is_named_before_what_only_jumped() {
        let looks = [(16_000, 312), (12_000, 312), (8_000, 312), (4_000, 312)];
        let prices = GraphCensus { owner: "global main.prices".into(), before: Some(9_000), ..config(&looks) };
        let list = GraphCensus { elements: 80_000, ..config(&looks) };
        let copies = GraphCopies { copies: 21, elements: 230_000, total_bytes: 900, ..GraphCopies::default() };
        let g = GraphFacts { live_bytes: 1_000, of_one_moment: true, ..GraphFacts::default() };
        let named = |copies: Vec<GraphCopies>| {
            let g = GraphFacts { copies, census: vec![prices.clone(), list.clone()], ..g.clone() };
            let facts = Facts { graph: Some(g), ..Facts::default() };
            let found = diagnose(&facts).findings.into_iter().find(|f| f.code == CollectionJumped::INFO.code);
            found.unwrap().sentence
        };
        assert!(named(vec![copies]).starts_with("global main.prices"));
        assert!(named(Vec::new()).starts_with("global main.config"));
    }

    /// No graph was made: what the flight ring knows is enough, and said with less certainty.
    #[test]
    fn it_is_told_without_a_graph_too() {
        let looks = [(16_000, 312), (12_000, 312), (8_000, 312), (4_000, 312)];
        let owner = "goroutine in main.(*store).watch [+72 +0]".to_owned();
        let known = GraphCensus { owner, type_name: String::new(), bytes: 0, retained_bytes: 0, ..config(&looks) };
        let facts = Facts { census: vec![known], ..Facts::default() };
        let f = diagnose(&facts).findings.into_iter().find(|f| f.code == CollectionJumped::INFO.code).unwrap();
        assert_eq!(
            f.sentence,
            "goroutine in main.(*store).watch [+72 +0] has 230,000 elements, and had 312 4.0 s before."
        );
        assert!((0.7..0.95).contains(&f.confidence()), "{}", f.confidence());
    }

    #[test]
    fn what_may_breathe_or_start_is_not_sure() {
        assert!(found(vec![config(&[])]).unwrap().confidence() <= crate::UNTESTED);
        let breathes = [(16_000, 312), (12_000, 229_000), (8_000, 312), (6_000, 312), (4_000, 312)];
        assert!(found(vec![config(&breathes)]).unwrap().confidence() <= crate::UNTESTED);
        let several = GraphCensus { count: 9, ..config(&[(16_000, 312), (12_000, 312), (8_000, 312)]) };
        assert!(found(vec![several]).unwrap().confidence() <= crate::UNTESTED);
    }

    #[test]
    fn what_grew_little_or_is_small_has_not_jumped() {
        let of = |before, elements| GraphCensus { before, elements, ..config(&[]) };
        assert!(found(vec![of(Some(30_000), 230_000), of(None, 230_000), of(Some(1), 5_000)]).is_none());
        let both = found(vec![of(Some(1_000), 230_000), config(&[])]).unwrap();
        assert!(both.sentence.contains("had 312"), "{}", both.sentence);
    }
}
