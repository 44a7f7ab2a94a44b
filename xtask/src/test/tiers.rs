//! Which test belongs to which tier. The one place; a test holds it against the workspace.
//!
//! A tier is what a machine must have. Unit tests (`src/`) are of the first tier, but for the live ones among
//! them: those are told by their names.

/// What a test needs, the cheaper first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Tier {
    /// Nothing: no root, no Go, no network. Seconds.
    Fast,
    /// A Go toolchain, found or fetched; processes of our own are read and stopped. Minutes.
    Go,
    /// Root: cgroups, the kernel's OOM killer, the daemon on the whole machine.
    Root,
}

/// Integration tests (`tests/` of a crate), by tier. Targets of one name in several crates are of one tier.
pub(super) const TARGETS: &[(Tier, &[&str])] = &[
    (
        Tier::Fast,
        &[
            "changed",
            "climbs",
            "contract",
            "core_writer",
            "escapes",
            "explain",
            "goldens",
            "incident_contract",
            "kept_memory",
            "large",
            "misleading",
            "one_death",
            "page",
            "recorded",
            "replay",
            "saved",
            "scenario_files",
            "scenarios",
            "seen",
            "shapes",
            "slow_graph",
            "source_corpus",
            "source_forms",
            "synthetic",
            "whole",
        ],
    ),
    (
        Tier::Go,
        &[
            "causes",
            "census_asks",
            "collections",
            "core_files",
            "garble",
            "goroutine_leaks",
            "goroutines",
            "heap_graph",
            "heaps",
            "hostile",
            "library",
            "memory",
            "objects",
            "oracle",
            "profiling",
            "quick_census",
            "roots",
            "runtime_cache",
            "source_and_heap",
            "spans",
            "typed",
            "types",
            "wait_objects",
            "waits",
        ],
    ),
    (
        Tier::Root,
        &[
            "around_a_death",
            "bad_days",
            "census",
            "changes",
            "cluster",
            "daemon",
            "deaths",
            "incident",
            "keep_memory",
            "live_heap",
            "packed_heap",
            "ps",
            "watch",
            "watch_bad_days",
            "watch_bad_disks",
            "watch_bad_groups",
            "watch_deployed",
            "watch_early",
            "watch_hostile",
            "watch_silent",
            "watch_leaks",
        ],
    ),
];

/// Unit tests that need a process to act upon, a cgroup or Go: all whose path holds one of these. They are of
/// the last tier.
pub(super) const LIVE: &[&str] = &[
    "act::limit_tests::",
    "act::own_cgroup::tests::",
    "daemon::limit_notices::tests::",
    "daemon::memory_alarm::tests::",
    "daemon::memory_notices::tests::",
    "daemon::process_events::tests::",
    "kernel::cgroup::tests::a_group_whose_name_is_no_text",
    "kernel::exit::tests::a_stranger_that_was_killed",
    "kernel::owned_dir::tests::another_users",
    "live::tests::another_process_of_the_same_number",
    "pin::pin::tests::memory_outlives_a_kill",
    "pin::pin::tests::an_interrupted_wait",
    "undo::journal::tests::a_group_that_was_left_behind",
    "undo::journal::tests::a_journal_of_the_release_before",
    "watch::oom_notice::tests::a_group_that_is",
];

/// What `cargo test` is asked for to run a tier: target selection and what follows `--`.
pub(super) fn runs(tier: Tier) -> Vec<(Vec<String>, Vec<String>)> {
    let mut targets = Vec::new();
    for name in TARGETS.iter().filter(|(t, _)| *t == tier).flat_map(|(_, names)| *names) {
        targets.extend(["--test".to_owned(), (*name).to_owned()]);
    }
    let units = || vec!["--lib".to_owned(), "--bins".to_owned()];
    match tier {
        Tier::Fast => {
            let skipped = LIVE.iter().flat_map(|path| ["--skip".to_owned(), (*path).to_owned()]).collect();
            vec![([units(), targets].concat(), skipped)]
        }
        Tier::Go => vec![(targets, Vec::new())],
        Tier::Root => vec![(units(), LIVE.iter().map(|path| (*path).to_owned()).collect()), (targets, Vec::new())],
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::{Path, PathBuf};
    use std::process::Command;

    use lastgasp_lab::build::repo_root;

    use super::*;

    /// Names of the workspace's integration tests, from cargo.
    fn targets() -> BTreeSet<String> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let out = Command::new(cargo)
            .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .unwrap();
        let all: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
        let targets = all["packages"].as_array().unwrap().iter().flat_map(|p| p["targets"].as_array().unwrap());
        let tests = targets.filter(|t| t["kind"][0] == "test");
        tests.map(|t| t["name"].as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn every_test_target_is_in_exactly_one_tier() {
        let listed: Vec<String> = TARGETS.iter().flat_map(|(_, names)| *names).map(|n| (*n).to_owned()).collect();
        let once: BTreeSet<String> = listed.iter().cloned().collect();
        assert_eq!(listed.len(), once.len(), "a target is listed twice: {listed:?}");
        assert_eq!(once, targets());
    }

    #[test]
    fn the_tiers_together_run_all() {
        let all: Vec<String> =
            [Tier::Fast, Tier::Go, Tier::Root].into_iter().flat_map(runs).flat_map(|r| r.0).collect();
        for name in targets() {
            assert_eq!(all.iter().filter(|a| **a == name).count(), 1, "{name}");
        }
        // What the first leaves out of the units the last runs.
        assert_eq!(
            runs(Tier::Fast)[0].1.iter().filter(|a| *a != "--skip").collect::<Vec<_>>(),
            LIVE.iter().collect::<Vec<_>>()
        );
        assert_eq!(runs(Tier::Root)[0].1, LIVE);
    }

    /// All sources of the product's crates, by path.
    fn sources(folder: &Path, into: &mut Vec<(PathBuf, String)>) {
        for entry in std::fs::read_dir(folder).unwrap().flatten().map(|e| e.path()) {
            if entry.is_dir() {
                sources(&entry, into);
            } else if entry.extension().is_some_and(|e| e == "rs") && entry.iter().any(|part| part == "src") {
                into.push((entry.clone(), std::fs::read_to_string(entry).unwrap()));
            }
        }
    }

    #[test]
    fn live_units_are_there_and_those_that_need_go_are_among_them() {
        let mut files = Vec::new();
        sources(&repo_root().join("crates"), &mut files);
        let stem = |p: &Path| p.file_stem().unwrap().to_string_lossy().into_owned();
        for path in LIVE {
            let words: Vec<&str> = path.split("::").filter(|w| !w.is_empty() && *w != "tests").collect();
            let (name, module) = (words[words.len() - 1], words[words.len() - 2]);
            let found = files
                .iter()
                .any(|(p, text)| stem(p) == name || stem(p) == module && text.contains(&format!("fn {name}")));
            assert!(found, "{path}: nothing of that name");
        }
        for (p, _) in files.iter().filter(|(_, text)| text.contains("lastgasp_lab::toolchain")) {
            assert!(
                LIVE.iter().any(|path| path.contains(&format!("{}::", stem(p)))),
                "{}: Go in a unit test",
                p.display()
            );
        }
    }
}
