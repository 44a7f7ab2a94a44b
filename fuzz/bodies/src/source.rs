//! What is read beside source: the compiler's text, and profiles of others.

use lastgasp_gosource::escapes::{Bounds, Packages, Reason, read};
use lastgasp_gosource::join::{Allocated, Places, Question, Sources, join};
use lastgasp_gosource::typed::TypeFacts;

/// A compiler's text, or anything that somebody took for one; the same bytes as lines of the types' helper.
pub fn escapes(bytes: &[u8]) {
    let all = |_: &str, _: &str, _: u32| true;
    let small = Bounds { line: 256, records: 16, waiting: 8, of_one: 4 };
    let text = read(bytes, &all, small);
    assert!(text.allocations.len() <= 16 && text.inlined.len() <= 16 && text.stays.len() <= 16);
    assert!(text.allocations.iter().all(|a| a.flows.len() <= 4 && a.flows.iter().all(|f| f.steps.len() <= 4)));
    let text = read(bytes, &all, Bounds::default());
    for allocation in &text.allocations {
        let reason = Reason::of(allocation, &|name| name == "fmt");
        assert!(Reason::ALL.contains(&reason));
    }
    let _ = TypeFacts::read(bytes);
    let _ = Packages::parse(bytes);
}

/// A heap profile of a server that may be anything, joined to a text that has nothing of it.
pub fn pprof(bytes: &[u8]) {
    let Ok(allocated) = Allocated::of_pprof(bytes) else { return };
    let places = Places::default();
    let _ = Question::of(&allocated, &places);
    let joined = join(
        &allocated,
        &read(&b""[..], &|_: &str, _: &str, _: u32| true, Bounds::default()),
        &places,
        &Sources::default(),
        "",
    );
    assert_eq!(joined.coverage.total, allocated.total());
}
