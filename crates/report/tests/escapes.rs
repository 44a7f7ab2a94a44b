//! docs/formats/escapes-json.md and check-beside.md against what is written, and what a person reads of the
//! same.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeSet;

use lastgasp_diagnosis::facts::{Amount, Frame};
use lastgasp_gosource::Finding;
use lastgasp_gosource::changed::{ChangedLines, Changes};
use lastgasp_gosource::escapes::{Bounds, Package, Packages, read};
use lastgasp_gosource::join::{Allocated, Excerpt, Places, Sources, Stack, join};
use lastgasp_lab::contract::Contract;
use lastgasp_report::{BesideFindings, EscapesOf, Linked, beside_json, beside_text, escapes_json, escapes_text};

/// `lastgasp escapes`: joined of a text and a profile that have everything in them.
#[test]
fn the_answer_of_escapes_is_as_documented() {
    let contract = Contract::of(include_str!("../../../docs/formats/escapes-json.md"));
    let text = "# example.com/svc\n./main.go:3:2: t escapes to heap:\n./main.go:3:2:   flow: ~r0 = &t:\n./main.go:3:2:     from return &t (return) at ./main.go:4:2\n./main.go:3:2: moved to heap: t\n./main.go:9:4: n escapes to heap\n./main.go:20:7: inlining call to newT\n";
    let text = read(text.as_bytes(), &|_: &str, _: &str, _: u32| true, Bounds::default());
    let frame = |function: &str, file: &str, line| Frame { function: function.into(), file: file.into(), line };
    let amount = Amount { bytes: 1000, objects: 10 };
    let stack = |frames| Stack { frames, allocated: amount, lately: amount, in_use: Amount::default(), size: 100 };
    let allocated = Allocated {
        stacks: vec![
            stack(vec![
                frame("example.com/svc.newT", "/svc/main.go", 3),
                frame("example.com/svc.f", "/svc/main.go", 20),
            ]),
            stack(vec![frame("example.com/svc.f", "/svc/main.go", 9)]),
            stack(vec![
                frame("fmt.Sprint", "/usr/local/go/src/fmt/print.go", 7),
                frame("example.com/svc.f", "/svc/main.go", 9),
            ]),
        ],
        seconds: Some(2.0),
        go_version: "go1.22.10".into(),
        collector_share: Some(0.1),
        gaps: Vec::new(),
    };
    let own = Package { import_path: "example.com/svc".into(), dir: "/svc".into(), ..Package::default() };
    let places = Places::new(Packages::of([own]), [], "/svc".into());
    let mut joined = join(&allocated, &text, &places, &Sources::default(), "go1.26.1");
    // What takes a file that is there, and the note of a reason that is not here.
    joined.sites[0].source = Some("t := T{}".into());
    joined.sites[0].note = Some("out of date".into());
    let gaps = ["something is missing".to_owned()];
    let of = EscapesOf { subject: "svc", allocated: &allocated, joined: &joined, compiler: "go1.26.1", gaps: &gaps };
    let mut seen = BTreeSet::new();
    let answer = escapes_json(&of);
    contract.check(&answer, &mut seen);
    let not_written = contract.not_in(&seen);
    assert!(not_written.is_empty(), "{not_written:?}");
    assert!(answer["coverage"]["share"].as_f64().unwrap() > 0.6, "{answer:#}");
    let text = escapes_text(&of, 20);
    assert!(
        text.contains("cause 1: the variable t is returned") && text.contains("inlined into example.com/svc.f"),
        "{text}"
    );
}

/// What is told beside findings, with everything in it.
#[test]
fn what_is_told_beside_findings_is_as_documented() {
    let contract = Contract::of(include_str!("../../../docs/formats/check-beside.md"));
    let changed = |called_by: Option<&str>, is_removal| ChangedLines {
        function: "buildAvidMap".into(),
        called_by: called_by.map(str::to_owned),
        file: "svc/server.go".into(),
        first: 69,
        last: 71,
        is_removal,
        commit: "abc1234".into(),
        committed_unix: 1_000_000_000 - 3 * 86_400,
    };
    let changes = Changes {
        good: "a".repeat(40),
        died: "b".repeat(40),
        is_modified: true,
        lines: vec![changed(Some("Server.ugcTab"), false), changed(None, true)],
        files: 2,
    };
    let mut finding = Finding { code: "slice-kept".into(), fingerprint: "f1".into(), ..Finding::default() };
    finding.place.file = "svc/server.go".into();
    finding.place.line = 12;
    finding.sentence = "it is kept".into();
    let beside = BesideFindings {
        subject: "svc (pid 7)".into(),
        verdict: "svc died of it.".into(),
        linked: vec![Linked { code: "slice-retention".into(), sentence: "kept.".into(), findings: vec!["f1".into()] }],
        cures: vec![("f1".into(), "--- a\n+++ a\n-\tx\n+\ty\n".into())],
        excerpts: vec![Excerpt {
            file: "svc/server.go".into(),
            line: 12,
            first: 12,
            lines: vec!["\ta = b[:3]".into()],
            function: "main.keep".into(),
            sites: vec![4],
            findings: vec!["f1".into()],
            note: "no".into(),
        }],
        changes: Some(changes),
        died_unix: 1_000_000_000,
        toolchain: "go1.26.1".into(),
        typed: 3,
        refuted: 1,
        gaps: vec!["something".into()],
    };
    let mut seen = BTreeSet::new();
    contract.check(&beside_json(&beside), &mut seen);
    let not_written = contract.not_in(&seen);
    assert!(not_written.is_empty(), "{not_written:?}");
    assert!(beside_json(&BesideFindings::default()).is_null());
    let text = beside_text(&beside, &[finding]);
    for line in [
        "LINE     slice-retention: kept.",
        "is svc/server.go:12 [slice-kept] it is kept",
        "CHANGED  svc/server.go:69-71 of buildAvidMap, which Server.ugcTab calls: changed in abc1234, 3 days before",
        "CAUTION  the binary was built from a working copy",
        "TYPES    of go1.26.1: 3 findings agree, 1 were something else",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
}
