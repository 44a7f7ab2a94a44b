//! Copies that are known by their size alone: large objects as large as so many elements of a collection.
//! What calls build of a list as an array stands in no census, and its content differs from call to call
//! (seen blind in lab/cluster: each call ranked a list of 280,000 anew; 21 objects of 6.73 MB).

use lastgasp_diagnosis::facts::{Facts, GraphCensus, LargeObjects};

use crate::evidence::CopiesSummary;

/// How such copies are equal.
pub(crate) const BY_SIZE: &str = "size";
/// Pages of the runtime, in bytes: large objects are rounded up to them (`runtime/sizeclasses.go`).
const PAGE: u64 = 8192;
/// Elements from which on a size is no chance: of elements of whole words one in twenty sizes at most is that
/// of some number of them.
const MIN_ELEMENTS: u64 = 20 * PAGE / WORD;
/// Size of a word: elements of arrays of words are as large as some of them.
const WORD: u64 = 8;
/// Of the live bytes one in so many at least: of many kinds of large objects some have any size. Chosen.
const MUCH: u64 = 4;
/// The same factor by which a jump is told.
const FACTOR: u64 = 10;
/// Words of the largest elements that are looked for. Chosen: a structure of a kilobyte.
const MAX_WORDS: u64 = 128;

/// The copies that have most bytes, where live objects are enough for them.
pub(crate) fn by_size(facts: &Facts) -> Option<CopiesSummary> {
    let graph = facts.graph.as_ref().filter(|g| g.of_one_moment)?;
    let live = graph.live_bytes;
    let large = &facts.heap.as_ref()?.large;
    let jumped = |c: &&GraphCensus| c.elements >= MIN_ELEMENTS && c.before.is_some_and(|b| b <= c.elements / FACTOR);
    let numbers = graph.census.iter().chain(&facts.census).filter(jumped).map(|c| c.elements);
    let of = |n: u64| large.iter().filter(move |l| l.count > 1 && is_of(l, n)).map(move |l| (n, l));
    let total = |l: &LargeObjects| l.count.saturating_mul(l.size);
    let is_much = |l: &LargeObjects| (live / MUCH..=live).contains(&total(l));
    let (elements, of) = numbers.flat_map(of).filter(|(_, l)| is_much(l)).max_by_key(|(n, l)| (total(l), *n))?;
    Some(CopiesSummary {
        copies: of.count,
        elements,
        bytes_each: of.size,
        total_bytes: total(of),
        equal: BY_SIZE.to_owned(),
        ..CopiesSummary::default()
    })
}

/// Whether an object is as large as so many elements of some whole words each; where the runtime knows how
/// large its elements are, of those.
fn is_of(of: &LargeObjects, elements: u64) -> bool {
    let fits = |each: u64| {
        let all = elements.checked_mul(each).filter(|all| *all <= of.size);
        all.is_some_and(|all| of.size - all < PAGE && !is_round(all))
    };
    match of.element_size {
        0 => (1..=MAX_WORDS).any(|words| fits(words * WORD)),
        size => fits(size),
    }
}

/// Whether a buffer of somebody's choosing may have that size.
fn is_round(bytes: u64) -> bool {
    bytes.is_multiple_of(1_000_000) || bytes.is_multiple_of(1 << 16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use lastgasp_diagnosis::facts::{GraphFacts, Heap};

    #[test]
    fn arrays_of_as_many_elements_are_known_by_their_size() {
        let census = |elements, before| GraphCensus { elements, before: Some(before), ..GraphCensus::default() };
        let facts = |elements, size, live_bytes| Facts {
            graph: Some(GraphFacts {
                of_one_moment: true,
                live_bytes,
                census: vec![census(elements, 9_000), census(80_000, 312)],
                ..GraphFacts::default()
            }),
            heap: Some(Heap {
                large: vec![LargeObjects { count: 21, size, ..LargeObjects::default() }],
                ..Heap::default()
            }),
            ..Facts::default()
        };
        let found = by_size(&facts(280_000, 6_725_632, 190_000_000)).unwrap();
        assert_eq!((found.copies, found.elements, found.total_bytes), (21, 280_000, 141_238_272));
        assert_eq!(by_size(&facts(280_000, 6_750_208, 190_000_000)), None, "of another number");
        assert_eq!(by_size(&facts(280_000, 6_725_632, 100_000_000)), None, "most are garbage");
        assert_eq!(by_size(&facts(250_000, 10_002_432, 290_000_000)), None, "any buffer is of a round size");
        assert_eq!(by_size(&facts(1 << 61, 6_725_632, 190_000_000)), None);
        assert_eq!(by_size(&facts(5_000, 122_880, 190_000_000)), None, "any size is of some so few");
    }
}
