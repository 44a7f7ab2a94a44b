//! Small slices and strings that keep large arrays. The page: `slice-retention.md`.

use super::rule::{Case, Rule, RuleInfo};
use crate::facts::{GraphFacts, GraphWaste};
use crate::finding::{Evidence, Finding, Level};
use crate::findings::Findings;
use crate::graph_certainty::{beside_the_growth, of_graph, share_of_live, source};
use crate::rival::Rival;
use crate::subject::Subject;
use crate::thresholds::slice_retention::{HARDLY, KNOWN_TYPES, MANY, MAX_OTHERS, MIN_SHARE};
use crate::units::{bytes, percent, plural};
use crate::way::root_of;

/// The rule.
pub(super) struct SliceRetention;

impl Rule for SliceRetention {
    const INFO: RuleInfo = RuleInfo {
        code: "slice-retention",
        title: "small slices or strings keep large arrays alive",
        doc: include_str!("slice-retention.md"),
    };
    const BESIDE: bool = true;

    fn check(case: &Case<'_>, out: &mut Findings) {
        if let Some(g) = &case.facts.graph {
            out.found(find(case, g));
        }
    }
}

/// What is cut from something larger; and slices of which next to nothing is used though there are many: that
/// the rest is zero does not tell room that was made ahead from an array that was cut (seen in lab/cluster:
/// 1,368 slices of three bytes, each of a block of 131 kB in which nothing but zeros had been written).
fn is_retention(w: &GraphWaste) -> bool {
    let hardly_used = w.count >= MANY && w.used_bytes as f64 <= HARDLY * w.kept_bytes as f64 && w.used_bytes > 0;
    match w.kind.as_str() {
        "subslice" | "substring" => true,
        "overcapacity" => hardly_used,
        _ => false,
    }
}

fn find(case: &Case<'_>, g: &GraphFacts) -> Option<Finding> {
    let mut all: Vec<&GraphWaste> = g.waste.iter().filter(|w| is_retention(w) && w.wasted_bytes > 0).collect();
    all.sort_by_key(|w| std::cmp::Reverse(w.wasted_bytes));
    let (w, others) = all.split_first()?;
    let wasted = all.iter().map(|w| w.wasted_bytes).fold(0, u64::saturating_add);
    if share_of_live(g, wasted) < MIN_SHARE {
        return None;
    }
    let strings = w.kind == "substring";
    let (word, whole) = if strings { ("string", "texts") } else { ("slice", "arrays") };
    let keep = if w.count == 1 { "keeps" } else { "keep" };
    let kind = if w.type_name.is_empty() { String::new() } else { format!(" ({})", w.type_name) };
    let name = root_of(&w.owner).rsplit(' ').next().unwrap_or_default();
    let rest = others.iter().take(MAX_OTHERS).map(|o| {
        format!("{} by {} of the same kind of {} too", bytes(o.wasted_bytes), plural(o.count, word_of(o)), o.owner)
    });
    let together = match others.is_empty() {
        true => String::new(),
        false => format!("; with {} {}", plural(others.len() as u64, "more owner"), bytes(wasted)),
    };
    let known = g.typed_share() >= KNOWN_TYPES;
    let told = known.then(|| {
        format!(
            "no other reference uses the rest: the types of {} of the live bytes are known",
            percent(g.typed_share())
        )
    });
    Some(Finding {
        code: SliceRetention::INFO.code,
        subject: Subject::Collection { owner: w.owner.clone(), type_name: w.type_name.clone() },
        level: Level::Info,
        title: format!("small {word}s keep large {whole} alive"),
        sentence: format!(
            "{} of {}{kind} {keep} {whole} of {} alive and {} {} of them: {} is kept for nothing ({} of what is live){together}.",
            plural(w.count, word),
            w.owner,
            bytes(w.kept_bytes),
            if w.count == 1 { "uses" } else { "use" },
            bytes(w.used_bytes),
            bytes(w.wasted_bytes),
            percent(share_of_live(g, w.wasted_bytes).min(1.0))
        ),
        factors: of_graph(g),
        rivals: (w.kind == "overcapacity")
            .then(|| Rival::open("room that was made ahead and will be used", "whether the slices grow later"))
            .into_iter()
            .chain([Rival::tested(
                "another reference that uses the rest, of a type that is not known",
                told,
                "the types of the objects that have none here: a binary with DWARF",
            )])
            .collect(),
        evidence: rest
            .map(|text| Evidence { text, source: source(g) })
            .chain(beside_the_growth(case.facts, case.growth, case.window, &[name]))
            .collect(),
        cure: if strings {
            format!(
                "Where {} gets its strings: strings.Clone(s[i:j]). The text that it was cut from can then go.",
                w.owner
            )
        } else {
            format!(
                "Where {} gets its slices: append([]T(nil), a[i:j]...), slices.Clone(a[i:j]) or copy into a new one. The array that it was cut from can then go.",
                w.owner
            )
        },
        site: None,
        do_now: Vec::new(),
    })
}

fn word_of(w: &GraphWaste) -> &'static str {
    if w.kind == "substring" { "string" } else { "slice" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnose::diagnose;
    use crate::facts::Facts;

    fn waste(kind: &str, count: u64, wasted: u64) -> GraphWaste {
        GraphWaste {
            kind: kind.into(),
            owner: "global main.heads".into(),
            type_name: if kind == "substring" { "string".into() } else { "[]uint8".into() },
            count,
            kept_bytes: wasted + 24,
            used_bytes: 24,
            wasted_bytes: wasted,
        }
    }

    fn found(waste: Vec<GraphWaste>, typed: u64) -> Option<Finding> {
        let g = GraphFacts {
            live_bytes: 1_000_000_000,
            typed_bytes: typed,
            of_one_moment: true,
            waste,
            ..GraphFacts::default()
        };
        let facts = Facts { graph: Some(g), ..Facts::default() };
        diagnose(&facts).findings.into_iter().find(|f| f.code == SliceRetention::INFO.code)
    }

    /// `a = b[:3]`, eight times.
    #[test]
    fn the_snippet_of_the_notes() {
        let f = found(vec![waste("subslice", 8, 512_000_000)], 990_000_000).unwrap();
        assert_eq!(
            f.sentence,
            "8 slices of global main.heads ([]uint8) keep arrays of 512 MB alive and use 24 B of them: 512 MB is kept \
             for nothing (51 % of what is live)."
        );
        assert!(f.confidence() > 0.9 && f.cure.contains("slices.Clone"), "{f:?}");
        let f = found(vec![waste("substring", 1, 512_000_000), waste("subslice", 2, 9)], 500_000_000).unwrap();
        assert!(f.cure.contains("strings.Clone") && f.sentence.starts_with("1 string of"), "{f:?}");
        assert!(f.sentence.contains("with 1 more owner "), "{}", f.sentence);
        assert!(f.confidence() <= crate::UNTESTED, "an unknown type may use the rest");
    }

    /// Three bytes each of 1,368 blocks in which nothing but zeros was written.
    #[test]
    fn many_slices_of_next_to_nothing_are_cut_whatever_the_rest_is() {
        let f = found(vec![waste("overcapacity", 1368, 179_000_000)], 990_000_000).unwrap();
        assert!(f.sentence.starts_with("1,368 slices of global main.heads"), "{}", f.sentence);
        assert!(f.confidence() <= crate::UNTESTED, "{f:?}");
    }

    #[test]
    fn little_and_other_waste_is_no_finding_of_this() {
        assert!(found(vec![waste("subslice", 8, 1_000_000)], 0).is_none());
        assert!(found(vec![waste("overcapacity", 8, 512_000_000)], 0).is_none());
    }
}
