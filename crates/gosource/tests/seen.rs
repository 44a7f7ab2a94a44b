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

/// Where what is rebuilt comes from: the configuration that jumped.
#[test]
fn the_collection_that_grew_is_told_beside_its_copies() {
    let mut facts = facts("crates/report/tests/fixtures/incident.facts.json.gz");
    let graph = facts.graph.get_or_insert_default();
    graph.copies = vec![lastgasp_diagnosis::facts::GraphCopies {
        type_name: "map[int64]struct {}".into(),
        copies: 158,
        elements: 230_000,
        bytes_each: 7_200_000,
        savable_bytes: 1_000_000_000,
        site: "main.buildAvidMap".into(),
        ..Default::default()
    }];
    let grown = |elements| lastgasp_diagnosis::facts::GraphCensus {
        owner: "goroutine in main.(*configStore).watch".into(),
        elements,
        before: Some(312),
        ..Default::default()
    };
    facts.census = vec![grown(229_999), grown(230_000)];
    let mut findings = findings();
    see(&mut findings, &facts);
    let told: Vec<_> = findings[0].evidence.iter().map(|e| e.text.as_str()).collect();
    assert!(told.iter().any(|t| t.starts_with("158 equal copies of map[int64]struct {}")), "{told:#?}");
    assert!(told.iter().any(|t| t.ends_with("which grew from 312 to 230,000")), "{told:#?}");
}
