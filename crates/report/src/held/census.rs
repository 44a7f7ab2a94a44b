//! CENSUS: the largest collections, and those that grew.

use lastgasp_diagnosis::facts::{Facts, GraphCensus};
use lastgasp_diagnosis::units::{bytes, count, percent, plural, seconds};

use super::line::{is_worth_a_line, kind_of};

/// Collections that get a line.
const MOST: usize = 5;
/// Factor by which one must have grown to get a line whatever its size.
const GREW: u64 = 10;
/// Elements that it must have then.
const MANY: u64 = 1000;

/// Those that grew since an earlier look, then the largest by what they keep.
pub(crate) fn census_lines(facts: &Facts) -> Vec<String> {
    let Some(g) = &facts.graph else { return Vec::new() };
    let grew = |c: &GraphCensus| c.before.is_some_and(|b| c.elements >= MANY && c.elements / GREW >= b.max(1));
    let mut all: Vec<&GraphCensus> =
        g.census.iter().filter(|c| grew(c) || is_worth_a_line(g, c.bytes.max(c.retained_bytes))).collect();
    all.sort_by_key(|c| (!grew(c), std::cmp::Reverse(c.bytes.max(c.retained_bytes))));
    all.into_iter().take(MOST).map(census_line).collect()
}

/// `global main.config .avids: []int64 of 230,000 elements (312 of them 4.0 s before), 1.84 MB, 90 % full`.
pub(crate) fn census_line(c: &GraphCensus) -> String {
    let before = c.before.filter(|b| *b != c.elements).map_or_else(String::new, |b| {
        let ago =
            c.before_ms_ago.map_or_else(|| "before".to_owned(), |ms| format!("{} before", seconds(ms as f64 / 1e3)));
        format!(" (it had {} {ago})", count(b))
    });
    let keeps = match c.retained_bytes > c.bytes.saturating_add(c.bytes / 10) {
        true => format!(", keeps {}", bytes(c.retained_bytes)),
        false => String::new(),
    };
    let fill = match c.kind.as_str() {
        "string" => String::new(),
        _ if c.fill > 0.0 => format!(", {} full", percent(c.fill.min(1.0))),
        _ => String::new(),
    };
    let many = if c.count > 1 { format!("{} x ", count(c.count)) } else { String::new() };
    let words = match c.kind.as_str() {
        "string" => plural(c.elements, "byte"),
        _ => plural(c.elements, "element"),
    };
    let together = if c.count > 1 { " together" } else { "" };
    format!(
        "{}: {many}{} of {words}{together}{before}, {}{keeps}{fill}",
        c.owner,
        kind_of(&c.type_name),
        bytes(c.bytes)
    )
}

#[cfg(test)]
mod tests {
    use lastgasp_diagnosis::facts::GraphFacts;

    use super::*;

    #[test]
    fn what_grew_comes_first_and_what_is_small_does_not() {
        let of = |owner: &str, elements, bytes| GraphCensus {
            owner: owner.into(),
            type_name: "[]int64".into(),
            kind: "slice".into(),
            elements,
            bytes,
            retained_bytes: bytes,
            fill: 0.9,
            count: 1,
            ..GraphCensus::default()
        };
        let jumped = GraphCensus {
            before: Some(312),
            before_ms_ago: Some(4000),
            ..of("global main.config .avids", 230_000, 1_840_000)
        };
        let many =
            GraphCensus { count: 158, retained_bytes: 900_000_000, ..of("main.ugcTab", 36_340_000, 704_000_000) };
        let graph = GraphFacts {
            live_bytes: 1_000_000_000,
            census: vec![many, jumped, of("global main.small", 10, 80)],
            ..GraphFacts::default()
        };
        let facts = Facts { graph: Some(graph), ..Facts::default() };
        assert_eq!(
            census_lines(&facts),
            [
                "global main.config .avids: []int64 of 230,000 elements (it had 312 4.0 s before), 1.84 MB, 90 % full",
                "main.ugcTab: 158 x []int64 of 36,340,000 elements together, 704 MB, keeps 900 MB, 90 % full",
            ]
        );
    }
}
