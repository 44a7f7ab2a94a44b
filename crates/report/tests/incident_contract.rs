//! docs/formats/incident.md against what is written: every field is documented, and nothing is documented
//! that is not written. And what hostile names can do to text and page: nothing.
#![allow(clippy::unwrap_used)]

#[path = "../../incident/tests/world/mod.rs"]
#[allow(dead_code, reason = "the tests of the crate use more of it")]
mod world;

use std::collections::{BTreeMap, BTreeSet};

use lastgasp_incident::evidence::{ChangeKind, Evidence, MetricRole};
use lastgasp_incident::{Brief, Incident, newest};
use lastgasp_report::incident::{document, none_document, none_text, page, text};
use serde_json::Value;
use world::{Kind, T0, World};

const FORM: &str = include_str!("../../../docs/formats/incident.md");

/// Fields by the section that documents them.
fn documented() -> BTreeMap<String, BTreeSet<String>> {
    let (mut out, mut section) = (BTreeMap::<String, BTreeSet<String>>::new(), String::new());
    for line in FORM.lines() {
        if let Some(name) = line.strip_prefix("## ") {
            section = name.to_owned();
        } else if let Some(field) = line.strip_prefix("| `").and_then(|l| l.split('`').next()) {
            out.entry(section.clone()).or_default().insert(field.to_owned());
        }
    }
    out
}

fn world() -> Evidence {
    let mut w = World::new();
    w.feed("etcd", &[ChangeKind::Config]);
    let kind = Kind { jump: Some((312, 230_184, 5, "global main.ugctab .avids")), ..Kind::default() };
    w.die(6, "v1.42", T0 - 86_400_000, T0, 700, &kind);
    w.die(6, "v1.41", T0 - 86_400_000, T0 + 9_000, 700, &kind);
    // Killed again, young.
    w.die(6, "v1.42", T0 + 30_000, T0 + 40_000, 700, &Kind { at_rest: false, ..kind });
    for g in w.evidence.generations.iter_mut().skip(12) {
        g.started_unix_ms = T0 + 30_000;
    }
    for c in w.evidence.captures.iter_mut().skip(12) {
        c.started_unix_ms = T0 + 30_000;
    }
    w.metric(MetricRole::Retries, "svc", T0 + 9_000, 12.0, 1020.0);
    w.metric(MetricRole::Attempts, "svc", T0 + 9_000, 100.0, 1120.0);
    w.change(ChangeKind::Config, "ugctab", T0 - 5_500).elements = Some(230_184);
    w.evidence
}

fn told() -> (Incident, Vec<Brief>) {
    let (i, _) = newest(world(), Some("svc")).unwrap();
    (i, vec![Brief { service: "svc".into(), kills: 1, nearly: 0, between: (1000, 2000) }])
}

fn fields(v: &Value) -> BTreeSet<String> {
    v.as_object().unwrap().keys().cloned().collect()
}

#[test]
fn the_document_is_as_documented() {
    let (i, earlier) = told();
    let d = document(&i, &earlier);
    let documented = documented();
    assert_eq!(fields(&d), documented["incident"]);
    for (list, section) in
        [("causes", "cause"), ("checks", "check"), ("cohorts", "cohort"), ("order", "onset"), ("what_if", "what-if")]
    {
        let all = d[list].as_array().unwrap();
        assert!(!all.is_empty(), "{list}");
        assert!(all.iter().all(|v| fields(v) == documented[section]), "{list}: {:?}", all.first().map(fields));
    }
    // What a table names in words is there.
    for (value, row) in [
        (&d["spread"], "spread"),
        (&d["loop"], "loop"),
        (&d["do_now"][0], "do_now"),
        (&d["not_it"][0], "not_it"),
        (&d["window"], "window"),
        (&d["captures"][0], "captures"),
        (&d["earlier"][0], "earlier"),
        (&d["timeline"][0], "timeline"),
    ] {
        let line = FORM.lines().find(|l| l.starts_with(&format!("| `{row}` |"))).unwrap();
        for field in fields(value) {
            assert!(line.contains(&format!("`{field}`")), "{row}.{field}");
        }
    }
    assert_eq!(d["checks"].as_array().unwrap().len(), 6);
    let none = none_document(None, 0, T0, &[]);
    assert!(fields(&none).is_subset(&documented["incident"]) && none["cause"].is_null() && none["kills"] == 0);
}

/// The kinds that causes have are those that are documented.
#[test]
fn kinds_are_documented() {
    let row = FORM.lines().find(|l| l.starts_with("| `kind` |")).unwrap();
    for kind in [
        "config",
        "release",
        "code-path",
        "traffic",
        "dependency",
        "limit",
        "gc",
        "leak",
        "goroutine-leak",
        "off-heap",
        "node",
        "unknown",
    ] {
        assert!(row.contains(&format!("`{kind}`")), "{kind}");
    }
}

#[test]
fn the_text_says_the_verdict_first_and_fits_the_width() {
    let (i, earlier) = told();
    let text = text(&i, &earlier);
    assert!(text.starts_with("VERDICT  config ugctab at "), "{text}");
    let labels = [
        "DO NOW", "NOT IT", "CHECKS", "LOOP", "ORDER", "COHORTS", "WHAT IF", "TIMELINE", "RANKING", "UNKNOWN",
        "CAPTURES", "NEXT", "EARLIER",
    ];
    for label in labels {
        assert!(text.lines().any(|l| l.starts_with(label)), "{label}: {text}");
    }
    let long = text.lines().find(|l| l.chars().count() > 120 && l.trim().contains(' ') && !l.contains("c-rs"));
    assert_eq!(long, None);
    assert!(none_text(Some("svc"), T0, &["a gap".into()]).contains("no incident of svc"));
}

#[test]
fn hostile_names_stay_names() {
    let evil = "</script><img src=x onerror=alert(1)>\u{1b}[2J\u{202e}";
    let mut e = world();
    for c in &mut e.changes {
        (c.key, c.by, c.to) = (evil.into(), evil.into(), evil.into());
    }
    for c in &mut e.captures {
        c.findings[0].subject = evil.into();
        c.growth.culprit = evil.into();
        c.census.iter_mut().for_each(|k| k.owner = format!("global {evil}"));
    }
    for g in &mut e.generations {
        g.build.version = evil.into();
        g.labels.insert(evil.into(), evil.into());
    }
    let (i, earlier) = newest(e, None).unwrap();
    let page = page(&i, &earlier);
    assert!(!page.contains("<img") && page.contains("default-src 'none'"));
    assert_eq!(page.matches("</script>").count(), 2);
    let text = text(&i, &earlier);
    assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'));
}

#[test]
fn a_page_of_hundreds_of_instances_stays_small() {
    let mut w = World::new();
    let kind = Kind { jump: Some((312, 230_184, 5, "global main.ugctab .avids")), ..Kind::default() };
    w.die(312, "v1.42", T0 - 86_400_000, T0, 120, &kind);
    for j in 0..500 {
        w.change(ChangeKind::Config, &format!("key-{j}"), T0 - j * 60_000);
    }
    let (i, earlier) = newest(w.evidence, None).unwrap();
    assert_eq!(i.kills, 312);
    let bytes = page(&i, &earlier).len();
    assert!(bytes < 1_500_000, "{bytes}");
}
