//! Maps with room for many more elements than they have. The page: `map-too-big.md`.

use super::rule::{Case, Rule, RuleInfo};
use crate::facts::{GraphCensus, GraphFacts};
use crate::finding::{Evidence, Finding, Level};
use crate::findings::Findings;
use crate::graph_certainty::{beside_the_growth, of_graph, source};
use crate::hollow_maps::HollowMaps;
use crate::rival::Rival;
use crate::subject::Subject;
use crate::thresholds::map_too_big::{MIN_SHARE, WAS_FULL};
use crate::units::{count, plural};
use crate::way::root_of;

/// The rule.
pub(super) struct MapTooBig;

impl Rule for MapTooBig {
    const INFO: RuleInfo = RuleInfo {
        code: "map-too-big",
        title: "maps with room for many more elements than they have",
        doc: include_str!("map-too-big.md"),
    };
    const BESIDE: bool = true;

    fn check(case: &Case<'_>, out: &mut Findings) {
        if let Some(g) = &case.facts.graph {
            out.found(find(case, g));
        }
    }
}

fn find(case: &Case<'_>, g: &GraphFacts) -> Option<Finding> {
    let maps = HollowMaps::from(g, MIN_SHARE)?;
    let w = maps.waste();
    let one = g.census.iter().find(|c| c.owner == w.owner && c.type_name == w.type_name);
    let name = root_of(&w.owner).rsplit(' ').next().unwrap_or_default();
    Some(Finding {
        code: MapTooBig::INFO.code,
        subject: Subject::Collection { owner: w.owner.clone(), type_name: w.type_name.clone() },
        level: Level::Info,
        title: "a map much too big for what is in it".into(),
        sentence: format!("{}.", maps.text()),
        factors: of_graph(g),
        rivals: vec![fills_again(one)],
        evidence: std::iter::once("a Go map never shrinks: what it once had room for it keeps".to_owned())
            .chain(one.map(|c| format!("it has {} now", plural(c.elements, "element"))))
            .map(|text| Evidence { text, source: source(g) })
            .chain(beside_the_growth(case.facts, case.growth, case.window, &[name]))
            .collect(),
        cure: maps.cure(),
        site: None,
        do_now: Vec::new(),
    })
}

/// One that is filled again after it was emptied needs its room.
fn fills_again(c: Option<&GraphCensus>) -> Rival {
    const CAUSE: &str = "one that is filled and emptied again and again, and needs its room";
    const TELL: &str = "how full it was before: looks of the flight ring at it";
    let Some(c) = c.filter(|c| c.looks.len() > 2) else { return Rival::open(CAUSE, TELL) };
    let room = if c.fill > 0.0 { c.elements as f64 / c.fill } else { f64::INFINITY };
    let most = c.looks.iter().map(|(_, n)| *n).max().unwrap_or(0);
    if most as f64 >= WAS_FULL * room || !room.is_finite() {
        return Rival::open(
            CAUSE,
            format!("whether it fills again: it had {} elements at an earlier look", count(most)),
        );
    }
    let said = format!("at {} it had {} elements at most", plural(c.looks.len() as u64, "look"), count(most));
    Rival::ruled_out(CAUSE, said)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnose::diagnose;
    use crate::facts::{Facts, GraphWaste};

    fn found(kind: &str, looks: &[(u64, u64)]) -> Option<Finding> {
        let (owner, type_name) = ("global main.sessions".to_owned(), "map[string]*main.session".to_owned());
        let w = GraphWaste {
            kind: kind.into(),
            owner: owner.clone(),
            type_name: type_name.clone(),
            count: 1,
            kept_bytes: 320_000_000,
            used_bytes: 1_000_000,
            wasted_bytes: 319_000_000,
        };
        let c =
            GraphCensus { owner, type_name, elements: 1_000, fill: 0.001, looks: looks.to_vec(), ..Default::default() };
        let g = GraphFacts {
            live_bytes: 1_000_000_000,
            of_one_moment: true,
            waste: vec![w],
            census: vec![c],
            ..GraphFacts::default()
        };
        let facts = Facts { graph: Some(g), ..Facts::default() };
        diagnose(&facts).findings.into_iter().find(|f| f.code == MapTooBig::INFO.code)
    }

    #[test]
    fn a_map_that_was_emptied_is_named() {
        let f = found("oversized", &[(15_000, 1_000), (10_000, 1_100), (5_000, 1_000)]).unwrap();
        assert_eq!(
            f.sentence,
            "1 map of global main.sessions (map[string]*main.session) takes 320 MB and has use for 1.00 MB of it: \
             319 MB is room for elements that are not there (32 % of what is live)."
        );
        assert!(f.confidence() > 0.9, "{:?}", f.rivals);
        assert!(found("empty", &[]).unwrap().sentence.contains("has no element"));
        assert!(found("overcapacity", &[]).is_none());
    }

    #[test]
    fn one_that_breathes_needs_its_room() {
        let f = found("oversized", &[(15_000, 1_000), (10_000, 900_000), (5_000, 1_000)]).unwrap();
        assert!(f.confidence() <= crate::UNTESTED, "{:?}", f.rivals);
        assert!(found("oversized", &[]).unwrap().confidence() <= crate::UNTESTED, "nobody looked");
    }
}
