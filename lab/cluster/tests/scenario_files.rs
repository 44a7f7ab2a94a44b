//! The scenarios of the repository, and the page that describes their format, held against what reads them.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use lastgasp_cluster::scenario::{Bug, Scenario};
use lastgasp_lab::build::repo_root;

fn all() -> Vec<Scenario> {
    Scenario::all(&repo_root().join("lab/cluster/scenarios")).unwrap()
}

#[test]
fn all_are_right_and_a_third_is_out_of_tuning() {
    let all = all();
    let held = all.iter().filter(|s| s.hold_out).count();
    assert!(all.len() >= 60, "{}", all.len());
    assert!(held * 3 >= all.len() - 2 && held * 2 < all.len(), "{held} of {}", all.len());
    // Every family has some of both, but for the smallest.
    let mut families: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for s in &all {
        let of = families.entry(&s.family).or_default();
        *(if s.hold_out { &mut of.1 } else { &mut of.0 }) += 1;
    }
    for (family, (tuned, held)) in &families {
        assert!(*tuned > 0 && (*held > 0 || *tuned < 3), "{family}: {tuned} tuned on, {held} held out");
    }
    assert!(all.iter().any(|s| s.ci));
}

#[test]
fn every_way_of_the_issue_is_played() {
    let all = all();
    let families: BTreeSet<&str> = all.iter().map(|s| s.family.as_str()).collect();
    for family in [
        "config",
        "release",
        "leak",
        "goroutines",
        "dependency",
        "retries",
        "traffic",
        "path",
        "gc",
        "limit",
        "off-heap",
        "node",
        "two",
        "none",
    ] {
        assert!(families.contains(family), "{family}");
    }
    let seven: BTreeSet<&str> = all
        .iter()
        .filter(|s| s.family == "goroutines")
        .flat_map(|s| s.version.values().flat_map(|v| v.bugs.iter().map(|b| b.kind.as_str())))
        .collect();
    let known = Bug::KINDS.iter().filter(|(k, _)| k.starts_with("goroutines-")).map(|(k, _)| *k).collect();
    assert_eq!(seven, known);
}

/// Rows of a page's tables by heading.
fn documented(page: &str) -> BTreeMap<String, BTreeSet<String>> {
    let (mut out, mut heading): (BTreeMap<String, BTreeSet<String>>, _) = (BTreeMap::new(), String::new());
    for line in page.lines() {
        if let Some(h) = line.strip_prefix("## ") {
            h.clone_into(&mut heading);
        } else if let Some(rest) = line.strip_prefix("| `") {
            let key = rest.split('`').next().unwrap().to_owned();
            assert!(out.entry(heading.clone()).or_default().insert(key.clone()), "{heading}.{key} stands there twice");
        }
    }
    out
}

/// Keys that a table takes: what the reader says when it is given another one.
fn taken(before: &str, table: &str) -> BTreeSet<String> {
    let text = format!("title = \"t\"\nfamily = \"f\"\n{before}\n{table}\nzzz = 1\n");
    let said = format!("{:#}", Scenario::of(&text, "t").unwrap_err());
    let list = said.split_once("expected").unwrap_or_else(|| panic!("{said}")).1;
    list.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn the_page_has_every_key_and_no_other() {
    let page = fs::read_to_string(repo_root().join("docs/scenarios.md")).unwrap();
    let documented = documented(&page);
    let tables = [
        ("File", "", ""),
        ("service", "", "[service]"),
        ("service.key", "", "[service.key.ugctab]"),
        ("version", "", "[version.\"1.41.0\"]"),
        ("bugs", "", "[[version.\"1.41.0\".bugs]]\nkind = \"leak\""),
        ("dependency", "", "[dependency]"),
        ("balancer", "", "[balancer]"),
        ("caller", "", "[caller.tianma]"),
        ("node", "", "[node]"),
        ("feeds", "", "[feeds]"),
        ("do", "", "[[do]]\nat = \"1s\""),
        ("truth", "", "[truth]\nkind = \"none\""),
    ];
    for (heading, before, table) in tables {
        let said = documented.get(heading).unwrap_or_else(|| panic!("no table {heading}"));
        assert_eq!(*said, taken(before, table), "{heading}");
    }
}

#[test]
fn the_page_has_every_key_of_every_action_and_every_bug() {
    let page = fs::read_to_string(repo_root().join("docs/scenarios.md")).unwrap();
    let (_, rows) = page.split_once("## do").unwrap();
    let (rows, _) = rows.split_once("## truth").unwrap();
    for action in taken("", "[[do]]\nat = \"1s\"").into_iter().filter(|a| a != "at" && a != "id") {
        let row = rows.lines().find(|l| l.starts_with(&format!("| `{action}` "))).unwrap();
        // What is needed is there, so that the reader gets as far as the key that nobody knows.
        let keys = taken("", &format!("[[do]]\nat = \"1s\"\n[do.{action}]"));
        for key in keys {
            assert!(row.contains(&format!("`{key}`")), "{action}.{key}: {row}");
        }
    }
    for (kind, _) in Bug::KINDS {
        assert!(page.contains(&format!("`{kind}`")), "{kind}");
    }
}
