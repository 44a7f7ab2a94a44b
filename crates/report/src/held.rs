//! Who keeps the heap alive, in lines for the terminal.

use lastgasp_diagnosis::facts::{Facts, GraphFacts, GraphRoot};
use lastgasp_diagnosis::units::{bytes, count, percent};

/// Holders that get a line of their own.
const MOST: usize = 5;
/// Part of the live bytes below which nobody is named.
const WORTH_A_LINE: f64 = 0.01;

/// What is live, and the holders of most of it.
pub(crate) fn held_lines(facts: &Facts) -> Vec<String> {
    let Some(g) = &facts.graph else { return Vec::new() };
    let mut out = vec![format!(
        "{} in {} objects are reachable, {} are garbage",
        bytes(g.live_bytes),
        count(g.objects),
        bytes(g.garbage_bytes)
    )];
    let worth = |n: u64| n > 0 && n as f64 >= WORTH_A_LINE * g.live_bytes as f64;
    out.extend(g.roots.iter().take(MOST).filter(|r| worth(r.retained_bytes)).map(line));
    if worth(g.shared_bytes) {
        let (held, objects) = (bytes(g.shared_bytes), count(g.shared_objects));
        out.push(format!("several of them together, and none alone, hold {held} in {objects} objects"));
    }
    out.push(caution(g));
    out
}

fn line(r: &GraphRoot) -> String {
    let held = format!("{} in {} objects", bytes(r.retained_bytes), count(r.objects));
    match r.goroutines {
        0 => format!("{} holds {held}", r.name),
        1 => format!("1 goroutine in {} holds {held}", r.name),
        n => format!("{} goroutines in {} hold {held}", count(n), r.name),
    }
}

/// How far it can be trusted.
fn caution(g: &GraphFacts) -> String {
    let mut out = format!("the types of {} of these bytes are known", percent(g.typed_share()));
    if g.conservative {
        out.push_str("; what goroutines hold was taken from every word of their stacks, in use or not");
    }
    if !g.roots_not_read.is_empty() {
        out.push_str(&format!("; what is held only by {} counts as garbage", g.roots_not_read.join(" or ")));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holders_are_named_largest_first_and_small_ones_are_not() {
        let root = |name: &str, bytes, objects, goroutines| GraphRoot {
            kind: String::new(),
            name: name.into(),
            objects,
            retained_bytes: bytes,
            goroutines,
            ..GraphRoot::default()
        };
        let graph = GraphFacts {
            objects: 32_000,
            live_bytes: 2_000_000_000,
            garbage_bytes: 5_000_000,
            typed_bytes: 1_000_000_000,
            conservative: true,
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
                "main.cache holds 1.20 GB in 31,000 objects",
                "158 goroutines in main.(*Server).ugcTab hold 704 MB in 158 objects",
                "the types of 50 % of these bytes are known; what goroutines hold was taken from every word of \
                 their stacks, in use or not; what is held only by finalizers counts as garbage",
            ]
        );
        assert!(held_lines(&Facts::default()).is_empty());
    }
}
