//! Reports of a recorded incident (lab/programs/incident, Go 1.26, stripped, killed on cgroup v1): what a
//! user reads, as golden text. No Go and no root needed. Refresh with
//! `INSTA_UPDATE=always cargo test -p lastgasp-report`.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::io::Read as _;

use flate2::read::GzDecoder;
use lastgasp_diagnosis::{Facts, Level, diagnose};
use lastgasp_report::{document, heap_profile, page, published_profile, terminal};

fn incident() -> Facts {
    let mut json = String::new();
    GzDecoder::new(&include_bytes!("fixtures/incident.facts.json.gz")[..]).read_to_string(&mut json).unwrap();
    serde_json::from_str(&json).unwrap()
}

#[test]
fn the_terminal_report() {
    let facts = incident();
    insta::assert_snapshot!(terminal(&facts, &diagnose(&facts)));
}

/// The contract's fields, all but the long lists.
#[test]
fn the_document() {
    let facts = incident();
    let mut d = document(&facts, &diagnose(&facts), None);
    d["timeline"]["samples"].as_array_mut().unwrap().truncate(1);
    d["profile"]["sites"].as_array_mut().unwrap().truncate(1);
    d["goroutines"]["groups"].as_array_mut().unwrap().truncate(1);
    insta::assert_snapshot!(serde_json::to_string_pretty(&d).unwrap());
}

#[test]
fn the_same_facts_give_the_same_bytes() {
    let facts = incident();
    for profile in [heap_profile, published_profile] {
        assert_eq!(profile(&facts, 1), profile(&facts, 1));
        assert!(profile(&facts, 1).starts_with(&[0x1f, 0x8b]));
    }
    let html = page(&document(&facts, &diagnose(&facts), None));
    assert!(html.len() < 1_500_000, "{}", html.len());
}

/// Facts of nothing: no finding, no panic, a page all the same.
#[test]
fn nothing_at_all() {
    let facts = Facts::default();
    let d = diagnose(&facts);
    assert_eq!(d.level(), Level::None);
    assert!(terminal(&facts, &d).starts_with("VERDICT  no finding"));
    assert!(page(&document(&facts, &d, None)).contains("<html"));
}
