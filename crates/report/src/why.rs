//! The answer of `lastgasp why` for a terminal and as JSON.

use lastgasp_diagnosis::facts::{GraphFacts, GraphPath, GraphRoot, GraphSite, GraphType};
use lastgasp_diagnosis::units::{bytes, count, percent, plural};
use lastgasp_diagnosis::{Why, way};
use serde_json::Value;

use crate::document::why_document;
use crate::held::{census_line, copies_line, waste_line};
use crate::printable::printable;

/// Ways that are told.
const MOST_WAYS: usize = 12;
/// Types, holders and sites that are told, and lines of each other kind.
const MOST: usize = 6;

/// The answer as text; `None` where nothing of that name is in the graph.
#[must_use]
pub fn why_text(g: &GraphFacts, asked: &str) -> Option<String> {
    let why = Why::of(g, asked);
    if why.is_empty() {
        return None;
    }
    let mut lines: Vec<String> = Vec::new();
    lines.extend(why.types.iter().take(MOST).map(|t| type_line(t)));
    lines.extend(why.roots.iter().take(MOST).map(|r| root_line(g, r)));
    lines.extend(why.sites.iter().take(MOST).flat_map(|s| site_lines(s)));
    let all = why.types.len().max(why.roots.len()).max(why.sites.len());
    if all > MOST {
        lines.push(format!("... and {} more of that name", count((all - MOST) as u64)));
    }
    if why.paths.is_empty() {
        if why.sites.is_empty() && !(why.types.is_empty() && why.roots.is_empty()) {
            lines
                .push("none of the ways that the graph names leads there: it has those to the most bytes alone".into());
        }
    } else {
        lines.push(if why.types.is_empty() { "what it keeps, by way:".into() } else { "kept by:".into() });
        lines.extend(why.paths.iter().take(MOST_WAYS).map(|p| path_line(p)));
        if why.paths.len() > MOST_WAYS {
            let rest = why.paths.iter().skip(MOST_WAYS).map(|p| p.bytes).fold(0, u64::saturating_add);
            lines.push(format!("{:>10}  by {} more ways", bytes(rest), count((why.paths.len() - MOST_WAYS) as u64)));
        }
    }
    let more = [
        ("copies of one content:", why.copies.iter().take(MOST).map(|c| copies_line(c)).collect::<Vec<_>>()),
        ("collections:", why.census.iter().take(MOST).map(|c| census_line(c)).collect()),
        ("kept and not used:", why.waste.iter().take(MOST).map(|w| waste_line(w)).collect()),
    ];
    for (head, rows) in more.into_iter().filter(|(_, rows)| !rows.is_empty()) {
        lines.push(head.into());
        lines.extend(rows.into_iter().map(|row| format!("  {row}")));
    }
    Some(lines.iter().map(|l| format!("{}\n", printable(l))).collect())
}

/// The answer as JSON (schema lastgasp.why/1); `None` likewise.
#[must_use]
pub fn why_json(g: &GraphFacts, asked: &str) -> Option<Value> {
    let why = Why::of(g, asked);
    (!why.is_empty()).then(|| why_document(asked, &why))
}

/// What may be asked for: the largest types and holders, for somebody who has asked for what is not there.
#[must_use]
pub fn what_can_be_asked(g: &GraphFacts) -> String {
    let types: Vec<&str> = g.types.iter().take(MOST).map(|t| t.name.as_str()).collect();
    let roots: Vec<&str> = g.roots.iter().take(MOST).map(|r| r.name.as_str()).collect();
    printable(&format!("the largest types are {}; the largest holders {}", listed(&types), listed(&roots))).into_owned()
}

fn listed(names: &[&str]) -> String {
    if names.is_empty() { "not known".into() } else { names.join(", ") }
}

fn type_line(t: &GraphType) -> String {
    format!(
        "{}: {} of {}, keeping {} alive",
        t.name,
        plural(t.objects, "object"),
        bytes(t.bytes),
        bytes(t.retained_bytes)
    )
}

fn root_line(g: &GraphFacts, r: &GraphRoot) -> String {
    let kind = match (r.goroutines, r.type_name.is_empty()) {
        (0, true) => r.kind.clone(),
        (0, false) => format!("{}, {}", r.kind, r.type_name),
        (n, _) => plural(n, "goroutine"),
    };
    let mostly = if r.mostly.is_empty() { String::new() } else { format!(", most of it {}", r.mostly) };
    let share = percent(r.retained_bytes as f64 / g.live_bytes.max(1) as f64);
    let held = plural(r.objects, "object");
    format!(
        "{} ({kind}): alone keeps {} in {held} alive, {share} of what is live{mostly}",
        r.name,
        bytes(r.retained_bytes)
    )
}

fn site_lines(s: &GraphSite) -> Vec<String> {
    let at = if s.at.is_empty() { String::new() } else { format!(" ({})", s.at) };
    let kind = if s.type_name.is_empty() { String::new() } else { format!(" of {}", s.type_name) };
    let garbage = match s.sampled_garbage {
        0 => String::new(),
        n => format!(", {} are garbage already", count(n)),
    };
    let function = s.stack.first().map_or("?", String::as_str);
    let kept = if s.kept_by.is_empty() { "by what is not known".to_owned() } else { format!("by {}", s.kept_by) };
    vec![
        format!(
            "allocated in {function}{at}: about {}{kind} is live, by {}{garbage}",
            bytes(s.bytes),
            plural(s.sampled, "sample")
        ),
        format!("  kept {kept}; {} with what the samples keep", bytes(s.retained_bytes)),
    ]
}

fn path_line(p: &GraphPath) -> String {
    let own = bytes(p.bytes);
    let keeps =
        if p.retained_bytes > p.bytes { format!(", keeping {}", bytes(p.retained_bytes)) } else { String::new() };
    format!("{own:>10}  {} ({}{keeps})", way(&p.steps, &p.type_name), plural(p.objects, "object"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph() -> GraphFacts {
        GraphFacts {
            live_bytes: 1_000_000,
            types: vec![GraphType { name: "[]int64".into(), objects: 3, bytes: 600_000, retained_bytes: 600_000 }],
            roots: vec![GraphRoot {
                kind: "global".into(),
                name: "main.cache".into(),
                type_name: "*main.Cache".into(),
                objects: 4,
                retained_bytes: 700_000,
                ..GraphRoot::default()
            }],
            paths: vec![GraphPath {
                steps: vec!["global main.cache".into(), ".avids".into()],
                type_name: "[]int64".into(),
                objects: 3,
                bytes: 600_000,
                retained_bytes: 600_000,
            }],
            sites: vec![GraphSite {
                stack: vec!["main.build".into()],
                at: "server.go:71".into(),
                type_name: "[]int64".into(),
                sampled: 1,
                bytes: 512_000,
                retained_bytes: 200_000,
                kept_by: "global main.cache .avids -> []int64".into(),
                ..GraphSite::default()
            }],
            ..GraphFacts::default()
        }
    }

    #[test]
    fn ways_in_words_of_the_source() {
        let g = graph();
        assert_eq!(
            why_text(&g, "[]int64").unwrap(),
            "[]int64: 3 objects of 600 kB, keeping 600 kB alive\n\
             kept by:\n    600 kB  global main.cache .avids -> []int64 (3 objects)\n"
        );
        assert_eq!(
            why_text(&g, "main.cache").unwrap(),
            "main.cache (global, *main.Cache): alone keeps 700 kB in 4 objects alive, 70 % of what is live\n\
             what it keeps, by way:\n    600 kB  global main.cache .avids -> []int64 (3 objects)\n"
        );
        assert_eq!(
            why_text(&g, "main.build").unwrap(),
            "allocated in main.build (server.go:71): about 512 kB of []int64 is live, by 1 sample\n  \
             kept by global main.cache .avids -> []int64; 200 kB with what the samples keep\n"
        );
        assert_eq!(why_text(&g, "main.nothing"), None);
        assert_eq!(what_can_be_asked(&g), "the largest types are []int64; the largest holders main.cache");
    }

    #[test]
    fn the_answer_as_json() {
        let answer = why_json(&graph(), "[]int64").unwrap();
        assert_eq!(answer["schema"], "lastgasp.why/1");
        assert_eq!(answer["paths"][0]["way"], "global main.cache .avids -> []int64");
        assert!(why_json(&graph(), "x").is_none());
    }

    /// Names are the target's.
    #[test]
    fn hostile_names_reach_no_terminal() {
        let mut g = graph();
        g.types.first_mut().unwrap().name = "evil\x1b[2J\n".into();
        let text = why_text(&g, "evil").unwrap();
        assert!(text.contains("evil\\u{1b}[2J\\u{a}"), "{text:?}");
    }
}
