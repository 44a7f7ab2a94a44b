//! Many live collections of one content. The page: `copies-of-one-content.md`.

use super::rule::{Case, Rule, RuleInfo};
use crate::buffers::may_be_buffers;
use crate::facts::{GraphCopies, GraphFacts};
use crate::finding::{ConfidenceFactor, Evidence, Finding, Level};
use crate::findings::Findings;
use crate::graph_certainty::{
    beside_the_growth, holder_text, of_graph, rival_of_dead_variables, share_of_live, source,
};
use crate::rival::Rival;
use crate::subject::Subject;
use crate::thresholds::copies_of_one_content::{MANY, MAX_HOLDERS, MAX_OTHERS, MIN_SHARE};
use crate::units::{bytes, count, percent, plural, short};

/// The rule.
pub(super) struct CopiesOfOneContent;

impl Rule for CopiesOfOneContent {
    const INFO: RuleInfo = RuleInfo {
        code: "copies-of-one-content",
        title: "many live copies of one content: one of them, shared, would do",
        doc: include_str!("copies-of-one-content.md"),
    };
    const BESIDE: bool = true;

    fn check(case: &Case<'_>, out: &mut Findings) {
        if let Some(g) = &case.facts.graph {
            out.found(find(case, g));
        }
    }
}

fn find(case: &Case<'_>, g: &GraphFacts) -> Option<Finding> {
    let mut worth: Vec<&GraphCopies> = g
        .copies
        .iter()
        .filter(|c| c.copies > 1 && c.savable_bytes > 0 && share_of_live(g, c.savable_bytes) >= MIN_SHARE)
        .filter(|c| !may_be_buffers(c))
        .collect();
    worth.sort_by_key(|c| std::cmp::Reverse(c.savable_bytes));
    let (c, others) = worth.split_first()?;
    let of = if c.type_name.is_empty() { "collections" } else { c.type_name.as_str() };
    let held = held_by(c);
    let built = if c.site.is_empty() { String::new() } else { format!(", built in {}", site(c)) };
    let equal = if is_compared(c) { "equal content" } else { "equal type, length and size" };
    let share = share_of_live(g, c.savable_bytes);
    let known: u64 = c.holders.iter().map(|h| h.copies).fold(0, u64::saturating_add);
    let mut factors = vec![ConfidenceFactor {
        name: "share of the copies whose holders are known",
        value: (known as f64 / c.copies as f64).min(1.0),
    }];
    factors.extend(of_graph(g));
    let names: Vec<&str> = c.holders.iter().map(|h| h.function.as_str()).collect();
    let rest = others.iter().take(MAX_OTHERS).map(|o| {
        format!(
            "{} copies of {} with {} each too: {} to save",
            count(o.copies),
            o.type_name,
            plural(o.elements, "element"),
            bytes(o.savable_bytes)
        )
    });
    let first = format!(
        "as one they would take {} and not {}: {} of the {} that are live would be free",
        bytes(c.total_bytes.saturating_sub(c.savable_bytes)),
        bytes(c.total_bytes),
        percent(share),
        bytes(g.live_bytes)
    );
    let evidence = std::iter::once(first).chain(as_many(g, c)).chain(rest);
    Some(Finding {
        code: CopiesOfOneContent::INFO.code,
        subject: subject(c),
        level: if share >= 0.5 { Level::Warning } else { Level::Info },
        title: format!("one {} is alive many times over", what(c)),
        sentence: format!(
            "{} live copies of {of} with {} each, of {equal}: {} each, {} together{held}{built}; one of them, shared, would save {}.",
            count(c.copies),
            plural(c.elements, "element"),
            bytes(c.bytes_each),
            bytes(c.total_bytes),
            bytes(c.savable_bytes)
        ),
        factors,
        rivals: rivals(g, c),
        evidence: evidence
            .map(|text| Evidence { text, source: source(g) })
            .chain(beside_the_growth(case.facts, case.growth, case.window, &names))
            .collect(),
        cure: cure(c),
        site: None,
        do_now: Vec::new(),
    })
}

/// A collection with as many elements as each of the copies: what they may be made of.
fn as_many(g: &GraphFacts, c: &GraphCopies) -> Option<String> {
    let jumped = g.census.iter().find(|one| {
        c.elements > 0 && one.elements == c.elements && one.count <= 1 && one.before.is_some_and(|b| b < one.elements)
    })?;
    let before = jumped.before.unwrap_or_default();
    Some(format!(
        "as many elements as {} has, which had {} before: they may be made of it",
        jumped.owner,
        count(before)
    ))
}

/// `map`, `slice`: what it is, by its type.
fn what(c: &GraphCopies) -> &'static str {
    match c.type_name.as_str() {
        t if t.starts_with("map[") => "map",
        t if t.starts_with("[]") => "slice",
        "string" => "string",
        t if t.starts_with('[') => "array",
        _ => "collection",
    }
}

fn is_compared(c: &GraphCopies) -> bool {
    c.equal == "content"
}

/// `, held by 158 goroutines in main.ugcTab`.
fn held_by(c: &GraphCopies) -> String {
    let named: Vec<String> =
        c.holders.iter().take(MAX_HOLDERS).map(|h| holder_text(&h.function, h.goroutines)).collect();
    match c.holders.len().saturating_sub(named.len()) {
        _ if named.is_empty() => String::new(),
        0 => format!(", held by {}", named.join(" and ")),
        more => format!(", held by {} and {} more", named.join(", "), count(more as u64)),
    }
}

/// `main.build (svc/server.go:71)`.
fn site(c: &GraphCopies) -> String {
    if c.site_at.is_empty() { c.site.clone() } else { format!("{} ({})", c.site, short(&c.site_at)) }
}

fn subject(c: &GraphCopies) -> Subject {
    if !c.site.is_empty() {
        let file = c.site_at.rsplit_once(':').map_or("", |(file, _)| file);
        return Subject::Site { function: c.site.clone(), file: short(file).to_owned() };
    }
    match c.holders.first() {
        Some(h) => Subject::Collection { owner: h.function.clone(), type_name: c.type_name.clone() },
        None => Subject::Process,
    }
}

fn rivals(g: &GraphFacts, c: &GraphCopies) -> Vec<Rival> {
    let compared = is_compared(c).then(|| "all of their content was compared".to_owned());
    let none_differs = (is_compared(c) && c.copies >= MANY)
        .then(|| format!("of {} none differs: whoever holds one has changed nothing in it", count(c.copies)));
    let holding = c.holders.iter().map(|h| h.goroutines).fold(0, u64::saturating_add);
    let mut out = vec![
        Rival::tested("different contents of the same shape", compared, "their content: a capture with all memory"),
        Rival::tested(
            "copies that their holders need, since each changes its own",
            none_differs,
            "whether the code writes into them",
        ),
    ];
    // 5,000 buffers of a program in the lab were equal since nothing had been written into them.
    if c.type_name.starts_with('[') {
        out.push(Rival::open("buffers that are not filled yet: zeros are equal", "what is in them"));
    }
    out.extend(rival_of_dead_variables(g, holding));
    out
}

fn cure(c: &GraphCopies) -> String {
    let place = if c.site.is_empty() { "the function that builds it".to_owned() } else { c.site.clone() };
    format!(
        "Build it once and share it read-only: have {place} run when its source changes and keep the result in an atomic.Pointer (or behind sync.Once, or singleflight where several ask at once). It saves {}.",
        bytes(c.savable_bytes)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnose::diagnose;
    use crate::facts::{CopyHolder, Facts, GraphCensus};

    fn copies(n: u64, equal: &str) -> GraphCopies {
        GraphCopies {
            type_name: "map[int64]struct {}".into(),
            copies: n,
            elements: 230_000,
            bytes_each: 4_460_000,
            total_bytes: n * 4_460_000,
            savable_bytes: (n - 1) * 4_460_000,
            equal: equal.into(),
            holders: vec![CopyHolder { function: "main.(*Server).ugcTab".into(), goroutines: n, copies: n }],
            site: "main.buildAvidMap".into(),
            site_at: "/src/resource-service/server.go:87".into(),
        }
    }

    fn facts(copies: GraphCopies) -> Facts {
        let g = GraphFacts {
            source: "dead".into(),
            live_bytes: 900_000_000,
            of_one_moment: true,
            copies: vec![copies],
            ..GraphFacts::default()
        };
        Facts { graph: Some(g), ..Facts::default() }
    }

    fn found(facts: &Facts) -> Option<Finding> {
        diagnose(facts).findings.into_iter().find(|f| f.code == CopiesOfOneContent::INFO.code)
    }

    #[test]
    fn buffers_of_connections_are_no_copies() {
        let buffers = |bytes_each| GraphCopies { type_name: "[]uint8".into(), bytes_each, ..copies(5_564, "content") };
        let found = |c| diagnose(&facts(c)).findings.iter().any(|f| f.code == "copies-of-one-content");
        assert!(!found(buffers(4096)));
        assert!(found(buffers(2_000_000)));
    }

    #[test]
    fn the_incident_of_the_notes() {
        let mut facts = facts(copies(158, "content"));
        let config = GraphCensus {
            owner: "global main.config .avids".into(),
            elements: 230_000,
            before: Some(312),
            count: 1,
            ..GraphCensus::default()
        };
        facts.graph.as_mut().unwrap().census.push(config);
        let f = found(&facts).unwrap();
        assert_eq!(
            f.sentence,
            "158 live copies of map[int64]struct {} with 230,000 elements each, of equal content: 4.46 MB each, 705 MB \
             together, held by 158 goroutines in main.(*Server).ugcTab, built in main.buildAvidMap \
             (resource-service/server.go:87); one of them, shared, would save 700 MB."
        );
        assert_eq!(f.title, "one map is alive many times over");
        assert!(f.evidence.iter().any(|e| e.text.contains("which had 312 before")), "{:?}", f.evidence);
        assert!((f.confidence() - 1.0).abs() < 1e-9, "{:?}", f.factors);
        assert_eq!(f.level, Level::Warning);
        assert!(matches!(&f.subject, Subject::Site { file, .. } if file == "resource-service/server.go"));
    }

    #[test]
    fn what_was_not_compared_or_may_be_changed_is_not_sure() {
        assert!(found(&facts(copies(158, "shape"))).unwrap().confidence() <= crate::UNTESTED);
        assert!(found(&facts(copies(3, "content"))).is_none(), "little to save");
        let mut few = copies(3, "content");
        few.savable_bytes = 500_000_000;
        assert!(found(&facts(few)).unwrap().confidence() <= crate::UNTESTED, "who knows whether they differ later");
        let mut by_word = facts(copies(158, "content"));
        by_word.graph.as_mut().unwrap().conservative = true;
        assert!(found(&by_word).unwrap().confidence() <= crate::UNTESTED, "dead variables");
        assert!(found(&facts(copies(1, "content"))).is_none(), "one is no copy");
        let buffers = GraphCopies { type_name: "[]uint8".into(), ..copies(158, "content") };
        assert!(found(&facts(buffers)).unwrap().confidence() <= crate::UNTESTED, "nothing was written into them");
    }
}
