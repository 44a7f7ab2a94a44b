//! The lab's incident: its source held against captures of its death, recorded once.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::io::Read as _;
use std::path::Path;

use lastgasp_diagnosis::Facts;
use lastgasp_gosource::join::see;
use lastgasp_gosource::project::{Options, load};
use lastgasp_gosource::{Certainty, Finding, Level, check};

fn facts(path: &str) -> Facts {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    let mut json = String::new();
    flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap()).read_to_string(&mut json).unwrap();
    lastgasp_diagnosis::facts::from_json(json.as_bytes()).unwrap()
}

fn findings() -> Vec<Finding> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../lab/programs/incident");
    let project = load(&root, &[], &Options::default()).unwrap();
    check(&project, Options::default().max_bytes).findings
}

#[test]
fn what_the_service_died_of_comes_first() {
    let mut findings = findings();
    let facts = facts("crates/report/tests/fixtures/incident.facts.json.gz");
    let weights = see(&mut findings, &facts);
    let first = &findings[0];
    assert_eq!(first.code, "rebuilt-per-request", "{:#?}", &findings[..3]);
    assert!(first.sentence.contains("buildAvidMap"), "{}", first.sentence);
    assert_eq!((first.certainty, first.level), (Certainty::Seen, Level::Critical));
    assert!(first.evidence.iter().any(|e| e.text.contains("/s is allocated")), "{:#?}", first.evidence);
    assert!(weights[0] > 0.5 && weights.is_sorted_by(|a, b| a >= b), "{weights:?}");
}
