//! The answer of `lastgasp diff` for a terminal and as JSON.

use lastgasp_diagnosis::facts::Facts;
use lastgasp_diagnosis::units::{bytes, count};
use lastgasp_diagnosis::{Change, Diff, State};
use serde_json::{Value, json};

use crate::printable::printable;

/// Changes of one kind that get a line in the text.
const MOST: usize = 10;
/// The same in the JSON.
const MOST_IN_JSON: usize = 200;

/// What changed, for a terminal.
#[must_use]
pub fn diff_text(a: &Facts, b: &Facts) -> String {
    let d = Diff::of(a, b);
    let mut lines = vec![format!("BEFORE   {}", what(a)), format!("AFTER    {}", what(b))];
    if let Some(why) = not_the_same(a, b) {
        lines.push(format!("CAUTION  {why}"));
    }
    lines.push(format!("HEAP     in use {}", bytes_from_to(a.gc.heap_in_use, b.gc.heap_in_use)));
    if let (Some(x), Some(y)) = (&a.graph, &b.graph) {
        lines.push(format!("         live {}", bytes_from_to(x.live_bytes, y.live_bytes)));
    }
    let graph = "no graph of the heap in ";
    let profile = "no memory profile in ";
    block(&mut lines, "TYPES", d.types.as_deref(), graph, (a.graph.is_none(), b.graph.is_none()), &object_line);
    block(&mut lines, "HELD BY", d.roots.as_deref(), graph, (a.graph.is_none(), b.graph.is_none()), &object_line);
    block(
        &mut lines,
        "CENSUS",
        d.collections.as_deref(),
        graph,
        (a.graph.is_none(), b.graph.is_none()),
        &collection_line,
    );
    block(&mut lines, "SITES", d.sites.as_deref(), profile, (a.profile.rate == 0, b.profile.rate == 0), &object_line);
    block(&mut lines, "GOROUT.", Some(&d.goroutines), "", (false, false), &goroutine_line);
    lines.iter().map(|l| format!("{}\n", printable(l))).collect()
}

/// What changed, as JSON (schema lastgasp.diff/1).
#[must_use]
pub fn diff_json(a: &Facts, b: &Facts) -> Value {
    let d = Diff::of(a, b);
    let list = |changes: &[Change]| -> Value { changes.iter().take(MOST_IN_JSON).map(change).collect() };
    let known = |changes: &Option<Vec<Change>>| changes.as_deref().map_or(Value::Null, list);
    json!({
        "schema": "lastgasp.diff/1",
        "before": side(a),
        "after": side(b),
        "caution": not_the_same(a, b),
        "types": known(&d.types),
        "roots": known(&d.roots),
        "collections": known(&d.collections),
        "sites": known(&d.sites),
        "goroutines": list(&d.goroutines),
    })
}

fn side(f: &Facts) -> Value {
    json!({
        "service": f.target.service,
        "pid": f.target.pid,
        "taken_at": f.capture.taken_at,
        "phase": f.capture.phase.to_string(),
        "build_id": f.target.build_id,
        "heap_in_use_bytes": f.gc.heap_in_use,
        "live_bytes": f.graph.as_ref().map(|g| g.live_bytes),
    })
}

fn change(c: &Change) -> Value {
    json!({
        "name": c.name,
        "of": c.of,
        "state": c.state.name(),
        "before_bytes": c.before.0,
        "after_bytes": c.after.0,
        "before_count": c.before.1,
        "after_count": c.after.1,
    })
}

/// `resource-service (pid 4711), post-kill 2026-11-26T02:25:04Z`.
fn what(f: &Facts) -> String {
    let service = if f.target.service.is_empty() { "a process" } else { &f.target.service };
    format!("{service} (pid {}, {}), {} {}", f.target.pid, f.target.go_version, f.capture.phase, f.capture.taken_at)
}

/// Why names of the two may not be of the same things.
fn not_the_same(a: &Facts, b: &Facts) -> Option<String> {
    if a.target.service != b.target.service {
        return Some("these are two services: what has the same name in both need not be the same".into());
    }
    let other_build =
        a.target.build_id.is_some() && b.target.build_id.is_some() && a.target.build_id != b.target.build_id;
    (other_build && (a.target.stripped || b.target.stripped))
        .then(|| "these are two builds, and stripped: variables are told by where they stand, which differs".into())
}

fn bytes_from_to(before: u64, after: u64) -> String {
    format!("{} -> {} ({})", bytes(before), bytes(after), signed_bytes(after.abs_diff(before), after < before))
}

fn signed_bytes(n: u64, less: bool) -> String {
    format!("{}{}", if less { '-' } else { '+' }, bytes(n))
}

fn block(
    lines: &mut Vec<String>,
    label: &str,
    changes: Option<&[Change]>,
    lacks: &str,
    missing: (bool, bool),
    line: &dyn Fn(&Change) -> String,
) {
    let rows: Vec<String> = match changes {
        None => {
            let which = match missing {
                (true, true) => "either",
                (true, false) => "the one before",
                _ => "the one after",
            };
            let cure = if lacks.contains("graph") { ": lastgasp capture PID --heap takes one" } else { "" };
            vec![format!("not compared: {lacks}{which}{cure}")]
        }
        Some([]) => vec!["no difference".into()],
        Some(all) => {
            let mut rows: Vec<String> = all.iter().take(MOST).map(line).collect();
            if all.len() > MOST {
                rows.push(format!("... and {} more", count((all.len() - MOST) as u64)));
            }
            rows
        }
    };
    for (i, row) in rows.into_iter().enumerate() {
        lines.push(format!("{:<9}{row}", if i == 0 { label } else { "" }));
    }
}

fn mark(state: State) -> &'static str {
    match state {
        State::Appeared => ", new",
        State::Went => ", gone",
        State::Grew | State::Shrank => "",
    }
}

fn named(c: &Change) -> String {
    if c.of.is_empty() { c.name.clone() } else { format!("{} ({})", c.name, c.of) }
}

/// ` +339 MB  map[int64]struct {}: 0 B in 0 -> 339 MB in 14,430 (new)`.
fn object_line(c: &Change) -> String {
    format!(
        "{:>9}  {}: {} in {} -> {} in {}{}",
        signed_bytes(c.bytes().unsigned_abs(), c.bytes() < 0),
        named(c),
        bytes(c.before.0),
        count(c.before.1),
        bytes(c.after.0),
        count(c.after.1),
        mark(c.state)
    )
}

/// ` +1.84 MB  global main.config .avids ([]int64): 312 -> 230,000 elements`.
fn collection_line(c: &Change) -> String {
    format!(
        "{:>9}  {}: {} -> {} elements{}",
        signed_bytes(c.bytes().unsigned_abs(), c.bytes() < 0),
        named(c),
        count(c.before.1),
        count(c.after.1),
        mark(c.state)
    )
}

/// `     +155  main.(*Server).ugcTab (select): 3 -> 158`.
fn goroutine_line(c: &Change) -> String {
    let sign = if c.count() < 0 { '-' } else { '+' };
    format!(
        "{:>9}  {}: {} -> {}{}",
        format!("{sign}{}", count(c.count().unsigned_abs())),
        named(c),
        count(c.before.1),
        count(c.after.1),
        mark(c.state)
    )
}

#[cfg(test)]
mod tests {
    use lastgasp_diagnosis::facts::{GraphCensus, GraphFacts, GraphType};

    use super::*;

    fn facts(bytes: u64, elements: u64) -> Facts {
        let mut facts = Facts {
            graph: Some(GraphFacts {
                live_bytes: bytes,
                types: vec![GraphType {
                    name: "main.entry".into(),
                    bytes,
                    objects: bytes / 100,
                    ..GraphType::default()
                }],
                census: vec![GraphCensus {
                    owner: "global main.config .avids".into(),
                    type_name: "[]int64".into(),
                    elements,
                    bytes: elements * 8,
                    ..GraphCensus::default()
                }],
                ..GraphFacts::default()
            }),
            ..Facts::default()
        };
        facts.target.service = "svc".into();
        facts.gc.heap_in_use = bytes;
        facts
    }

    #[test]
    fn what_changed_in_lines() {
        let text = diff_text(&facts(1_000_000, 312), &facts(3_000_000, 230_000));
        for line in [
            "HEAP     in use 1.00 MB -> 3.00 MB (+2.00 MB)",
            "         live 1.00 MB -> 3.00 MB (+2.00 MB)",
            "TYPES     +2.00 MB  main.entry: 1.00 MB in 10,000 -> 3.00 MB in 30,000",
            "HELD BY  no difference",
            "CENSUS    +1.84 MB  global main.config .avids ([]int64): 312 -> 230,000 elements",
            "SITES    not compared: no memory profile in either",
            "GOROUT.  no difference",
        ] {
            assert!(text.lines().any(|l| l == line), "{line}\n{text}");
        }
        assert!(!text.contains("CAUTION"));
    }

    #[test]
    fn what_cannot_be_compared_is_said() {
        let mut other = facts(1, 1);
        other.graph = None;
        let text = diff_text(&facts(1, 1), &other);
        assert!(
            text.contains("TYPES    not compared: no graph of the heap in the one after: lastgasp capture"),
            "{text}"
        );
        other.target.service = "other".into();
        assert!(diff_text(&facts(1, 1), &other).contains("CAUTION  these are two services"));
        let document = diff_json(&facts(1, 312), &other);
        assert_eq!((document["schema"].as_str(), document["types"].is_null()), (Some("lastgasp.diff/1"), true));
    }
}
