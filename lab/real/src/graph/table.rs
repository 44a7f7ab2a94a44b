//! The rows as text.

use std::fmt::Write as _;

use super::Row;

/// One line of the table.
#[must_use]
pub fn line(r: &Row) -> String {
    let (a, v) = (&r.first, &r.verdict);
    let share = |part: u64, whole: u64| part as f64 * 100.0 / whole.max(1) as f64;
    let kept: Vec<String> = v.kept.iter().map(|(why, n)| format!("{n} {}", why.name())).collect();
    format!(
        "{:<24} {:<10} {:<9} {:<7} {:>9} {:>7.1} {:>9} {:>7.1} {:>6.1} {:>9} {:>8} {:>6} {:>9} {:>9} {:>8} {:>8} {:>10} {:>12}  {}",
        r.program,
        r.go,
        r.mode,
        r.state,
        a.taken.0,
        a.taken.1 as f64 / 1e6,
        a.live.0,
        a.live.1 as f64 / 1e6,
        share(a.typed_bytes, a.live.1),
        a.pointers,
        format!("{}/{}", a.goroutines.1, a.goroutines.0),
        a.invalid_types + r.second.invalid_types,
        v.both,
        v.neither,
        v.let_go_before,
        v.let_go_between,
        if kept.is_empty() { "0".to_owned() } else { kept.join(", ") },
        v.unexplained + v.dead_and_reached,
        if r.failures.is_empty() { "ok" } else { "FAILED" }
    )
}

/// The table, under what was played where.
#[must_use]
pub fn render(header: &str, rows: &[Row]) -> String {
    let mut out = format!(
        "{header}\n\n{:<24} {:<10} {:<9} {:<7} {:>9} {:>7} {:>9} {:>7} {:>6} {:>9} {:>8} {:>6} {:>9} {:>9} {:>8} {:>8} {:>10} {:>12}  result\n",
        "program",
        "Go",
        "mode",
        "state",
        "objects",
        "MB",
        "live",
        "MB",
        "typed%",
        "pointers",
        "unsure/g",
        "wrong",
        "both",
        "neither",
        "since",
        "between",
        "kept so",
        "unexplained"
    );
    for r in rows {
        let _ = writeln!(out, "{}", line(r));
    }
    out += "\nstate: loaded: clients at work; parked: two seconds after they rest\nobjects, live: slots that are taken, and those that the graph reaches (equal to the graph that was made \
            while the program stood still, and all to the span table)\nunsure/g: goroutines of which some words are only taken for pointers, of all\nwrong: types that are none\n\
            Held against the marks of the one collection that began and ended after the capture: both: reached, and kept by it; neither: not reached, and taken by it; since: of \
            these what the collection before had kept: let go of since; between: reached, and taken by it: let go of between capture and collection; kept so: \
            not reached, and kept, for which the collector has a reason (its finalizer is to see it; the block in which a P places tiny objects); unexplained: kept without one, or \
            reached and found dead by the collection before: a root or a pointer that was not seen, or is none\n";
    out
}
