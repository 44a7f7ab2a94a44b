//! One report for one death: real captures from before a kill and from after it (those of the goldens, as
//! release 0.1.0 wrote them), in one store. Needs neither root nor Go.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Folders of the goldens by process, those of one process that died and was captured twice.
fn pairs() -> Vec<(PathBuf, PathBuf)> {
    let goldens = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/captures/0.1.0");
    let mut by_process: BTreeMap<(String, String), [Option<PathBuf>; 2]> = BTreeMap::new();
    for entry in fs::read_dir(goldens).unwrap() {
        let folder = entry.unwrap().path().join("capture");
        let manifest = manifest(&folder);
        let key = (manifest["target"]["pid"].to_string(), manifest["target"]["started_at"].to_string());
        let at = match manifest["phase"].as_str() {
            Some("pre-kill") => 0,
            Some("post-kill") => 1,
            _ => continue,
        };
        by_process.entry(key).or_default()[at] = Some(folder);
    }
    by_process.into_values().filter_map(|[before, after]| Some((before?, after?))).collect()
}

fn manifest(folder: &Path) -> Value {
    serde_json::from_slice(&fs::read(folder.join("manifest.json")).unwrap()).unwrap()
}

/// Puts a capture into a store under the name that it had.
fn put(store: &Path, folder: &Path) -> PathBuf {
    let to = store.join(manifest(folder)["id"].as_str().unwrap());
    fs::create_dir(&to).unwrap();
    for file in fs::read_dir(folder).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
    to
}

fn report(folder: &Path, format: &str) -> String {
    let out =
        Command::new(env!("CARGO_BIN_EXE_lastgasp")).args(["report", "--format", format]).arg(folder).output().unwrap();
    assert!(!out.stdout.is_empty(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

fn json(folder: &Path) -> Value {
    serde_json::from_str(&report(folder, "json")).unwrap()
}

/// None at all, or how bad.
fn level(report: &Value) -> usize {
    let levels = ["none", "info", "warning", "critical"];
    levels.iter().position(|l| report["verdict"]["level"] == **l).unwrap()
}

#[test]
fn either_folder_tells_the_death() {
    let pairs = pairs();
    assert!(pairs.len() > 10, "{}", pairs.len());
    for (before, after) in pairs {
        let store = tempfile::tempdir().unwrap();
        let (first, last) = (put(store.path(), &before), put(store.path(), &after));
        let (told, alone) = (json(&last), json(&before));
        for format in ["json", "text"] {
            assert_eq!(report(&first, format), report(&last, format), "{}", before.display());
        }
        // Nothing that was found before is lost.
        assert!(level(&told) >= level(&alone), "{}: {}", before.display(), told["verdict"]);
        assert_eq!(told["capture"]["phase"], "post-kill");
        let captures = told["death"]["captures"].as_array().unwrap();
        let name = |p: &Path| p.file_name().unwrap().to_string_lossy().into_owned();
        assert_eq!((captures.len(), &captures[0]["folder"]), (2, &name(&first).into()));
        assert_eq!(captures[1]["folder"], name(&last));
        // Every figure is of one of them.
        let mut gives: Vec<&Value> = captures.iter().flat_map(|c| c["gives"].as_array().unwrap()).collect();
        for figure in ["baseline", "gauges", "goroutines", "resident memory", "timeline"] {
            assert!(gives.iter().any(|g| **g == figure), "{figure}: {captures:?}");
        }
        gives.retain(|g| **g != "timeline");
        let all = gives.len();
        gives.sort_by_key(|g| g.to_string());
        gives.dedup();
        assert_eq!(gives.len(), all, "{captures:?}");
        let said = report(&first, "text");
        assert!(said.contains("\nDEATH    the process was ") && said.contains("told by 2 captures of it:"), "{said}");
        // The ledger closes still.
        let slices: i64 =
            told["memory"]["buckets"].as_array().unwrap().iter().map(|b| b["bytes"].as_i64().unwrap()).sum();
        assert_eq!(Some(slices), told["memory"]["rss_bytes"].as_i64());
    }
}

/// A capture alone tells what it knows, and the dead one that it is dead.
#[test]
fn without_the_other_one_it_is_as_ever() {
    let (before, after) = pairs().swap_remove(0);
    assert_eq!(json(&before)["death"], Value::Null);
    let told = json(&after);
    assert_eq!(told["death"]["captures"].as_array().unwrap().len(), 1);
    assert_eq!(told["death"]["before"]["last_day"], 0);
    assert!(!report(&after, "text").contains("captures of it"));
}
