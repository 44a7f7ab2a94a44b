//! HELD: who keeps the heap alive, by which ways, of which types.

use lastgasp_diagnosis::facts::{Facts, GraphFacts, GraphPath, GraphRoot, GraphSite};
use lastgasp_diagnosis::units::{bytes, count, percent, plural};
use lastgasp_diagnosis::way;

use super::line::{is_worth_a_line, kind_of};

/// Holders that get a line of their own.
const MOST: usize = 5;
/// Ways, types, and sites that get one.
const MOST_OF_OTHERS: usize = 3;
/// Kinds of gaps that are named.
const MOST_GAPS: usize = 4;

/// What is live, the holders of most of it, and how far that can be trusted.
pub(crate) fn held_lines(facts: &Facts) -> Vec<String> {
    let Some(g) = &facts.graph else { return Vec::new() };
    let mut out = vec![format!(
        "{} in {} objects are reachable, {} are garbage",
        bytes(g.live_bytes),
        count(g.objects),
        bytes(g.garbage_bytes)
    )];
    out.extend(g.roots.iter().take(MOST).filter(|r| is_worth_a_line(g, r.retained_bytes)).map(|r| root(g, r)));
    if is_worth_a_line(g, g.shared_bytes) {
        let (held, objects) = (bytes(g.shared_bytes), count(g.shared_objects));
        out.push(format!("several of them together, and none alone, hold {held} in {objects} objects"));
    }
    let ways = g.paths.iter().filter(|p| is_worth_a_line(g, p.bytes));
    out.extend(ways.take(MOST_OF_OTHERS).map(by_way));
    let types: Vec<String> = g
        .types
        .iter()
        .filter(|t| is_worth_a_line(g, t.bytes))
        .take(MOST_OF_OTHERS)
        .map(|t| format!("{} {} ({})", count(t.objects), kind_of(&t.name), bytes(t.bytes)))
        .collect();
    if !types.is_empty() {
        out.push(format!("most of it is {}", types.join(", ")));
    }
    let sites = g.sites.iter().filter(|s| is_worth_a_line(g, s.bytes) && !s.kept_by.is_empty());
    out.extend(sites.take(MOST_OF_OTHERS).filter_map(allocated_here));
    out.push(caution(g));
    out
}

/// `main.cache holds 1.20 GB in 31,000 objects, 60 % of it, mostly []int64`.
fn root(g: &GraphFacts, r: &GraphRoot) -> String {
    let held = format!("{} in {} objects", bytes(r.retained_bytes), count(r.objects));
    let share = percent(r.retained_bytes as f64 / g.live_bytes.max(1) as f64);
    let mostly = match r.mostly_bytes.saturating_mul(2) > r.retained_bytes && !r.mostly.is_empty() {
        true => format!(", mostly {}", r.mostly),
        false => String::new(),
    };
    let started = if r.created_by.is_empty() { String::new() } else { format!(", started by {}", r.created_by) };
    match (r.goroutines, r.kind.as_str()) {
        (0, "finalizer") => format!("what waits in {} holds {held} ({share} of it{mostly})", r.name),
        (0, _) => format!("{} holds {held} ({share} of it{mostly})", r.name),
        (1, _) => format!("1 goroutine in {} holds {held} ({share} of it{mostly}{started})", r.name),
        (n, _) => format!("{} goroutines in {} hold {held} ({share} of it{mostly}{started})", count(n), r.name),
    }
}

/// `by way of global main.cache .avids -> []int64: 700 MB in 158 objects`.
fn by_way(p: &GraphPath) -> String {
    format!("by way of {}: {} in {}", way(&p.steps, &p.type_name), bytes(p.bytes), plural(p.objects, "object"))
}

/// `allocated in main.build (server.go:71), kept by global main.cache: about 700 MB`.
fn allocated_here(s: &GraphSite) -> Option<String> {
    let function = s.stack.first()?;
    let at = if s.at.is_empty() { String::new() } else { format!(" ({})", s.at) };
    Some(format!(
        "allocated in {function}{at}, kept by {}: about {}, by {}",
        s.kept_by,
        bytes(s.bytes),
        plural(s.sampled, "sample")
    ))
}

/// How far it can be trusted.
fn caution(g: &GraphFacts) -> String {
    let mut out = format!("the types of {} of these bytes are known", percent(g.typed_share()));
    if !g.of_one_moment && g.source != "core" {
        out.push_str("; it was not read of one moment, so that live and garbage are not told apart exactly");
    }
    if g.conservative {
        let of = match g.conservative_goroutines {
            0 => "goroutines hold was taken from every word of their stacks".to_owned(),
            1 => "1 goroutine holds was taken from every word of its stack".to_owned(),
            n => format!("{} goroutines hold was taken from every word of their stacks", count(n)),
        };
        out.push_str(&format!("; what {of}, in use or not"));
    }
    if !g.roots_not_read.is_empty() {
        out.push_str(&format!("; what is held only by {} counts as garbage", g.roots_not_read.join(" or ")));
    }
    for gap in g.gaps.iter().take(MOST_GAPS) {
        out.push_str(&format!("; not read: {gap}"));
    }
    if g.gaps.len() > MOST_GAPS {
        out.push_str(&format!("; and {} more that were not", count((g.gaps.len() - MOST_GAPS) as u64)));
    }
    out
}

#[cfg(test)]
mod tests {
    use lastgasp_diagnosis::facts::GraphType;

    use super::*;

    fn root(name: &str, bytes: u64, objects: u64, goroutines: u64) -> GraphRoot {
        GraphRoot { name: name.into(), objects, retained_bytes: bytes, goroutines, ..GraphRoot::default() }
    }

    #[test]
    fn holders_are_named_largest_first_and_small_ones_are_not() {
        let graph = GraphFacts {
            objects: 32_000,
            live_bytes: 2_000_000_000,
            garbage_bytes: 5_000_000,
            typed_bytes: 1_000_000_000,
            conservative: true,
            of_one_moment: true,
            roots_not_read: vec!["finalizers".into()],
            roots: vec![
                root("main.cache", 1_200_000_000, 31_000, 0),
                root("main.(*Server).ugcTab", 704_000_000, 158, 158),
                root("main.small", 100, 1, 0),
            ],
            ..GraphFacts::default()
        };
        let facts = Facts { graph: Some(graph), ..Facts::default() };
        assert_eq!(
            held_lines(&facts),
            [
                "2.00 GB in 32,000 objects are reachable, 5.00 MB are garbage",
                "main.cache holds 1.20 GB in 31,000 objects (60 % of it)",
                "158 goroutines in main.(*Server).ugcTab hold 704 MB in 158 objects (35 % of it)",
                "the types of 50 % of these bytes are known; what goroutines hold was taken from every word of \
                 their stacks, in use or not; what is held only by finalizers counts as garbage",
            ]
        );
        assert!(held_lines(&Facts::default()).is_empty());
    }

    #[test]
    fn ways_types_and_sites_are_told_where_there_are_any() {
        let graph = GraphFacts {
            live_bytes: 1_000_000_000,
            objects: 10,
            typed_bytes: 1_000_000_000,
            source: "dead".into(),
            gaps: vec!["the stacks of 3 goroutines".into()],
            conservative: true,
            conservative_goroutines: 3,
            roots: vec![GraphRoot {
                mostly: "map[int64]int64".into(),
                mostly_bytes: 690_000_000,
                created_by: "net/http.(*Server).Serve".into(),
                ..root("main.ugcTab", 700_000_000, 158, 158)
            }],
            paths: vec![GraphPath {
                steps: vec!["global main.cache".into(), ".avids".into(), "[]int64".into()],
                type_name: "[]int64".into(),
                objects: 1,
                bytes: 100_000_000,
                retained_bytes: 100_000_000,
            }],
            types: vec![GraphType {
                name: "map[int64]int64".into(),
                objects: 158,
                bytes: 600_000_000,
                ..GraphType::default()
            }],
            sites: vec![GraphSite {
                stack: vec!["main.build".into()],
                at: "server.go:71".into(),
                sampled: 1,
                bytes: 700_000_000,
                kept_by: "goroutines in main.ugcTab".into(),
                ..GraphSite::default()
            }],
            ..GraphFacts::default()
        };
        let facts = Facts { graph: Some(graph), ..Facts::default() };
        assert_eq!(
            held_lines(&facts).get(1..).unwrap_or_default(),
            [
                "158 goroutines in main.ugcTab hold 700 MB in 158 objects (70 % of it, mostly map[int64]int64, started by \
                 net/http.(*Server).Serve)",
                "by way of global main.cache .avids -> []int64: 100 MB in 1 object",
                "most of it is 158 map[int64]int64 (600 MB)",
                "allocated in main.build (server.go:71), kept by goroutines in main.ugcTab: about 700 MB, by 1 sample",
                "the types of 100 % of these bytes are known; it was not read of one moment, so that live and garbage \
                 are not told apart exactly; what 3 goroutines hold was taken from every word of their stacks, in use \
                 or not; not read: the stacks of 3 goroutines",
            ]
        );
    }
}
