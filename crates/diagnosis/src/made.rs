//! Where a program's code makes what somebody keeps: the line, of a program that keeps no memory profile, as
//! far as the code says it. Pure.
//!
//! The code says which functions make a type, and not that one of them made what is there: it is a place to
//! look, and is told as that.

use crate::facts::{Facts, GraphFacts, GraphMade, GraphPlace, GraphRoot};
use crate::thresholds::unprofiled_heap::{COMES_WITH_ONE_IN, MOST_CALLERS, MOST_MAKERS};

/// The type that tells best where what a root keeps comes from, and its places.
pub(crate) fn made_in(root: &GraphRoot) -> Option<&GraphMade> {
    best(&root.made, root.objects, root.retained_bytes)
}

/// The same of what several roots keep together: of a collection that has most of it, or its elements, first.
pub(crate) fn made_of_shared<'a>(graph: &'a GraphFacts, collection: Option<&str>) -> Option<&'a GraphMade> {
    let of_it = |m: &&GraphMade| collection.is_some_and(|c| m.type_name == c || is_element(&m.type_name, c));
    let of_it = graph.shared_made.iter().filter(few).find(of_it);
    // Who adds to another map tells nothing of what most of it is.
    let other = || best(&graph.shared_made, graph.shared_objects, graph.shared_bytes).filter(|m| !m.is_added_to);
    of_it.or_else(other)
}

/// Whether a type is that of a collection's elements: `scan.Scan` of `[]*scan.Scan`.
fn is_element(type_name: &str, collection: &str) -> bool {
    let before = collection.strip_suffix(type_name);
    before.is_some_and(|b| b.ends_with([']', '*']) && b.starts_with(['[', 'm']))
}

/// Whether few functions make it.
fn few(m: &&GraphMade) -> bool {
    (1..=MOST_MAKERS).contains(&m.places.len())
}

/// What is most of it or comes with much of it, made in the fewest places; else a map that grows, by who adds
/// to it.
fn best(all: &[GraphMade], objects: u64, bytes: u64) -> Option<&GraphMade> {
    // One cache is made once, and holds a million: where the cache was made tells nothing of these.
    let is_much =
        |m: &GraphMade| m.bytes.saturating_mul(2) >= bytes || m.objects.saturating_mul(COMES_WITH_ONE_IN) >= objects;
    let values = all.iter().filter(few).filter(|m| !m.is_added_to && is_much(m));
    let maps = all.iter().filter(few).filter(|m| m.is_added_to);
    let best = |m: &&GraphMade| (m.places.len(), std::cmp::Reverse(m.bytes));
    values.min_by_key(best).or_else(|| maps.min_by_key(best))
}

/// `main.entry is made in main.(*cache).put (cache.go:41)`.
pub(crate) fn text(made: &GraphMade) -> String {
    let what = if made.is_added_to { "is added to" } else { "is made" };
    format!("{} {what} in {}", made.type_name, places_text(&made.places))
}

/// Where the program calls what does so: `mmap`, `context`, `timer`, `finalizer`; nothing where that is not
/// known, or may be anywhere.
pub(crate) fn called_in<'a>(facts: &'a Facts, what: &str) -> &'a [GraphPlace] {
    Some(all_called_in(facts, what)).filter(|all| all.len() <= MOST_CALLERS).unwrap_or_default()
}

/// The same, also where it may be anywhere.
pub(crate) fn all_called_in<'a>(facts: &'a Facts, what: &str) -> &'a [GraphPlace] {
    let calls = facts.graph.iter().flat_map(|g| &g.library_calls).find(|c| c.call == what);
    calls.map_or(&[], |c| &c.places)
}

/// The same in words.
pub(crate) fn called(facts: &Facts, what: &str) -> Option<String> {
    Some(called_in(facts, what)).filter(|places| !places.is_empty()).map(places_text)
}

/// `main.(*cache).put (cache.go:41) or main.load (load.go:7)`.
pub(crate) fn places_text<'p>(places: impl IntoIterator<Item = &'p GraphPlace>) -> String {
    let place = |p: &GraphPlace| {
        if p.at.is_empty() { p.function.clone() } else { format!("{} ({})", p.function, p.at) }
    };
    places.into_iter().map(place).collect::<Vec<String>>().join(" or ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(type_name: &str, (objects, bytes): (u64, u64), places: &[&str]) -> GraphMade {
        let place = |f: &&str| GraphPlace { function: (*f).into(), at: "svc/main.go:4".into() };
        let type_name = type_name.into();
        GraphMade { type_name, objects, bytes, places: places.iter().map(place).collect(), ..GraphMade::default() }
    }

    fn root(made: Vec<GraphMade>) -> GraphRoot {
        GraphRoot { objects: 2_000, retained_bytes: 100_000, made, ..GraphRoot::default() }
    }

    fn said(made: Vec<GraphMade>) -> Option<String> {
        made_in(&root(made)).map(text)
    }

    #[test]
    fn what_comes_with_each_of_many_says_where_they_come_from() {
        let bytes = made("[]uint8", (1_000, 90_000), &["main.a", "main.b", "main.c", "main.d"]);
        let entry = made("main.entry", (1_000, 5_000), &["main.(*cache).put"]);
        let cache = made("main.cache", (1, 48), &["main.main"]);
        let expected = "main.entry is made in main.(*cache).put (svc/main.go:4)";
        assert_eq!(said(vec![bytes.clone(), entry, cache.clone()]).as_deref(), Some(expected));
        // What was made once tells nothing of the thousand.
        assert_eq!(said(vec![bytes, cache]), None);
    }

    #[test]
    fn of_a_collection_that_several_keep_its_elements_are_told() {
        let scan = made("scan.Scan", (900, 30_000), &["shop/scan.Parse"]);
        let batch = made("batch.note", (900, 40_000), &["shop/batch.note"]);
        let graph = GraphFacts {
            shared_objects: 2_000,
            shared_bytes: 100_000,
            shared_made: vec![batch, scan],
            ..GraphFacts::default()
        };
        let said = |collection| made_of_shared(&graph, collection).map(|m| m.type_name.as_str());
        for collection in ["[]*scan.Scan", "[]scan.Scan", "map[string]*scan.Scan"] {
            assert_eq!(said(Some(collection)), Some("scan.Scan"), "{collection}");
        }
        assert_eq!(said(Some("[]otherscan.Scan")), Some("batch.note"));
        assert_eq!(said(None), Some("batch.note"));
        assert_eq!(made_of_shared(&GraphFacts::default(), None), None);
    }

    #[test]
    fn fewer_places_come_first_and_a_map_last() {
        let both = made("main.row", (900, 60_000), &["main.load", "main.merge"]);
        let one = made("main.tag", (900, 10_000), &["main.tagged"]);
        assert!(said(vec![both.clone(), one.clone()]).unwrap().starts_with("main.tag is made in main.tagged"));
        let both_said = "main.row is made in main.load (svc/main.go:4) or main.merge (svc/main.go:4)";
        assert_eq!(said(vec![both.clone()]).as_deref(), Some(both_said));
        let mut map = made("map[string][]uint8", (4, 9_000), &["main.put"]);
        map.is_added_to = true;
        assert!(said(vec![both.clone(), map.clone()]).unwrap().starts_with("main.row"));
        let added = "map[string][]uint8 is added to in main.put (svc/main.go:4)";
        assert_eq!(said(vec![map]).as_deref(), Some(added));
        assert_eq!(said(Vec::new()), None);
    }
}
