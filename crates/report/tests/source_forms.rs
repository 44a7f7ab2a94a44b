//! The forms of findings about source: JSON against its page, SARIF against the schema of OASIS (fixture,
//! from github.com/oasis-tcs/sarif-spec), text for a terminal. Needs nothing.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::BTreeSet;

use lastgasp_gosource::{Checked, Evidence, check_text};
use lastgasp_report::{CheckView, Look, check_github, check_json, check_sarif};
use serde_json::Value;

const SOURCE: &str = "package main

import \"sync\"

var mu sync.Mutex

func größe(ok bool) int {
\tmu.Lock()
\tif !ok {
\t\treturn 0
\t}
\tmu.Unlock()
\treturn 1
}

//lastgasp:ignore defer-in-loop
func broken( {
";

fn checked() -> Checked {
    let mut checked = check_text("a dir/x y.go", SOURCE, Some(21));
    assert_eq!(checked.findings.len(), 1, "{:?}", checked.findings);
    assert_eq!(checked.gaps.len(), 2, "{:?}", checked.gaps);
    let evidence = Evidence { text: "412 goroutines wait here".into(), source: "capture".into() };
    checked.findings[0].evidence.push(evidence);
    checked
}

fn view(checked: &Checked) -> CheckView<'_> {
    CheckView { checked, shown: &checked.findings, hints_left_out: 2, in_baseline: 1, not_read: [1, 2, 3] }
}

#[test]
fn every_field_of_the_json_has_a_row_and_every_row_a_field() {
    let checked = checked();
    let document = check_json(&view(&checked));
    let page = include_str!("../../../docs/formats/check.md");
    let section = |name: &str| page.split(&format!("\n## {name}\n")).nth(1).unwrap().split("\n## ").next().unwrap();
    let hold = |name: &str, value: &Value| {
        let rows = section(name).lines().filter_map(|l| l.strip_prefix("| `")?.split('`').next());
        let rows: BTreeSet<&str> = rows.collect();
        let fields: BTreeSet<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(rows, fields, "{name}");
    };
    hold("document", &document);
    let finding = &document["findings"][0];
    hold("finding", finding);
    hold("evidence", &finding["evidence"][0]);
    hold("related", &finding["related"][0]);
    hold("gap", document["gaps"].as_array().unwrap().iter().find(|g| g["line"].is_u64()).unwrap());
    hold("summary", &document["summary"]);
    assert_eq!(
        (&finding["code"], &finding["line"], &finding["function"]),
        (&"lock-not-released".into(), &8.into(), &"main.größe".into())
    );
}

#[test]
fn sarif_is_as_its_schema_says() {
    let schema: Value = serde_json::from_str(include_str!("fixtures/sarif-schema-2.1.0.json")).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let checked = checked();
    let log = check_sarif(&view(&checked));
    let errors: Vec<String> = validator.iter_errors(&log).map(|e| format!("{}: {e}", e.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    // The validator is one: what is wrong is refused.
    let mut wrong = log.clone();
    wrong["runs"][0]["results"][0]["level"] = "critical".into();
    assert!(!validator.is_valid(&wrong));
    let place = &log["runs"][0]["results"][0]["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "a%20dir/x%20y.go");
}

#[test]
fn text_shows_the_line_or_says_where_it_is() {
    let checked = checked();
    let view = view(&checked);
    let text = lastgasp_report::check_text(&view, Look::Plain, &|_| Some(SOURCE.to_owned()));
    for word in [
        "critical[lock-not-released]",
        "a dir/x y.go:8:2",
        "mu.Lock()",
        "held where this path ends",
        "412 goroutines wait here",
        "1 critical in",
        "not read: a dir/x y.go:17",
    ] {
        assert!(text.contains(word), "{word}: {text}");
    }
    // The file has become another: nothing is shown that is not so.
    let gone = lastgasp_report::check_text(&view, Look::Plain, &|_| Some("package main\n".to_owned()));
    assert!(gone.contains("a dir/x y.go:8:2") && !gone.contains("mu.Lock()\n"), "{gone}");
    let github = check_github(&view);
    assert!(github.starts_with("::error file=a dir/x y.go,line=8,"), "{github}");
}
