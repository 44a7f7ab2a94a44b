//! A configuration that is replaced as a whole, in a process that dies of something else: the flight ring has
//! seen its collections jump, and the capture says so, of stripped programs too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use std::path::Path;
use std::process::Command;

use lastgasp_lab::build::{Mode, build, cache_dir, repo_root};
use lastgasp_lab::toolchain::find_or_fetch;
use serde_json::Value;

const LASTGASP: &str = env!("CARGO_BIN_EXE_lastgasp");

fn document(folder: &Path) -> Value {
    let out = Command::new(LASTGASP).args(["report", "--format", "json"]).arg(folder).output().unwrap();
    assert!(matches!(out.status.code(), Some(0 | 3)), "{}", String::from_utf8_lossy(&out.stderr));
    serde_json::from_slice(&out.stdout).unwrap()
}

/// The sentence of the finding that one collection has jumped.
fn jumped(document: &Value) -> String {
    let findings = document["findings"].as_array().unwrap();
    let found = findings.iter().find(|f| f["code"] == "collection-jumped");
    found.unwrap_or_else(|| panic!("{findings:#?}"))["sentence"].as_str().unwrap().to_owned()
}

/// `after` how long it publishes the large one, and for how long it works at it.
fn is_told(minor: u16, more: &[&str], after: [&str; 2]) -> Option<(Value, String)> {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("SKIPPED: needs root to make a cgroup");
        return None;
    }
    let toolchain = find_or_fetch(minor, &cache_dir()).map_err(|e| eprintln!("SKIPPED: {e:#}")).ok()?;
    let program = build(&toolchain, Mode::Stripped, &repo_root().join("lab/programs/swapped"), ".").unwrap();
    let store = tempfile::tempdir().unwrap();
    let mut command = Command::new(LASTGASP);
    command.args(["run", "--memory-max", "300M", "--store"]).arg(store.path()).args(more);
    let out =
        command.arg("--").arg(program).args(["-die", "-after", after[0], "-building", after[1]]).output().unwrap();
    let said = String::from_utf8_lossy(&out.stderr).into_owned() + &String::from_utf8_lossy(&out.stdout);
    let folders = std::fs::read_dir(store.path()).unwrap().flatten().map(|e| e.path());
    let last = folders.filter(|p| p.to_string_lossy().ends_with("post-kill")).max();
    let document = document(&last.unwrap_or_else(|| panic!("{said}")));
    let sentence = jumped(&document);
    assert!(sentence.contains("has 230,000 elements, and had 312 "), "{sentence}");
    Some((document, sentence))
}

/// With the graph of the dead its words and type are the graph's. The goroutine that holds it works for
/// seconds before it publishes, as on a busy machine: the search for collections that ends 14 seconds after
/// the first one finds it at work, and what it held is known on nevertheless.
#[test]
fn go1_26_with_the_graph() {
    let Some((document, sentence)) = is_told(26, &[], ["12s", "4s"]) else { return };
    let census = document["graph"]["census"].as_array().unwrap();
    let ids = census.iter().find(|c| c["type"] == "[]int64" && c["elements"] == 230_000).unwrap();
    assert_eq!(ids["before"], 312, "{ids:#}\n{sentence}");
}

/// No graph is made: what the flight ring knows is enough.
#[test]
fn go1_22_without_a_graph() {
    let Some((document, _)) = is_told(22, &["--no-graph"], ["10s", "0s"]) else { return };
    assert!(document["graph"].is_null());
}
