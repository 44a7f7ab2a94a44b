//! The rules, one file and one page each.
//!
//! To add one: `new_rule.rs` (a [`Rule`] with its tests), `new-rule.md` (its page, with the headings of its
//! neighbours), its name in the two lists below, its thresholds in `thresholds.rs`. The tests here hold that
//! nothing was forgotten. (Two lists, since rustfmt does not see a module that a macro declares.)

mod collection_jumped;
mod collection_only_grows;
mod collector_headroom;
mod collector_off;
mod copies_of_one_content;
mod deep_stacks;
mod finalizers_wait;
mod goroutine_growth;
mod heap_growth;
mod huge_object;
mod map_too_big;
mod one_root_holds_most;
mod others_in_group;
mod outside_heap;
mod rule;
mod slice_retention;
mod stands_at_limit;
mod touched_late;
mod unexplained_growth;
mod unprofiled_heap;
mod waiting_calls;

pub(crate) use rule::Case;
use rule::Rule;

use crate::finding::Level;
use crate::findings::Findings;
use crate::rule_info::RuleInfo;

/// In the order of their codes, which is the order in which they speak.
const ALL: &[Entry] = &[
    Entry::of::<collection_jumped::CollectionJumped>(),
    Entry::of::<collection_only_grows::CollectionOnlyGrows>(),
    Entry::of::<collector_headroom::CollectorHeadroom>(),
    Entry::of::<collector_off::CollectorOff>(),
    Entry::of::<copies_of_one_content::CopiesOfOneContent>(),
    Entry::of::<deep_stacks::DeepStacks>(),
    Entry::of::<finalizers_wait::FinalizersWait>(),
    Entry::of::<goroutine_growth::GoroutineGrowth>(),
    Entry::of::<heap_growth::HeapGrowth>(),
    Entry::of::<huge_object::HugeObject>(),
    Entry::of::<map_too_big::MapTooBig>(),
    Entry::of::<one_root_holds_most::OneRootHoldsMost>(),
    Entry::of::<others_in_group::OthersInGroup>(),
    Entry::of::<outside_heap::OutsideHeap>(),
    Entry::of::<slice_retention::SliceRetention>(),
    Entry::of::<stands_at_limit::StandsAtLimit>(),
    Entry::of::<touched_late::TouchedLate>(),
    Entry::of::<unexplained_growth::UnexplainedGrowth>(),
    Entry::of::<unprofiled_heap::UnprofiledHeap>(),
    Entry::of::<waiting_calls::WaitingCalls>(),
];

/// A rule, as a value.
struct Entry {
    info: RuleInfo,
    last_resort: bool,
    beside: bool,
    check: fn(&Case<'_>, &mut Findings),
}

impl Entry {
    const fn of<R: Rule>() -> Self {
        Self { info: R::INFO, last_resort: R::LAST_RESORT, beside: R::BESIDE, check: R::check }
    }
}

/// Every rule, by code.
pub fn catalogue() -> impl ExactSizeIterator<Item = &'static RuleInfo> {
    ALL.iter().map(|entry| &entry.info)
}

/// Has every rule look at a case.
pub(crate) fn check(case: &Case<'_>) -> Findings {
    let (mut out, mut beside) = (Findings::default(), Findings::default());
    for entry in ALL.iter().filter(|e| !e.last_resort && !e.beside) {
        (entry.check)(case, &mut out);
    }
    for entry in ALL.iter().filter(|e| e.last_resort && out.found.is_empty()).collect::<Vec<_>>() {
        (entry.check)(case, &mut out);
    }
    for entry in ALL.iter().filter(|e| e.beside) {
        (entry.check)(case, &mut beside);
    }
    if !out.found.is_empty() {
        for f in &mut beside.found {
            f.level = f.level.min(Level::Info);
        }
    }
    out.append(beside);
    out
}

/// Whether what a rule finds stands beside the verdict of another.
pub(crate) fn is_beside(code: &str) -> bool {
    ALL.iter().any(|e| e.beside && e.info.code == code)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    const HEADINGS: [&str; 8] = [
        "What it finds",
        "Why it matters",
        "In a report",
        "How sure it is",
        "Rivals",
        "What it cannot tell",
        "Cures",
        "Thresholds",
    ];

    #[test]
    fn every_rule_has_a_page_with_the_same_headings() {
        let faults: Vec<String> = catalogue().flat_map(|i| i.faults_of_page(&HEADINGS)).collect();
        assert!(faults.is_empty(), "{faults:#?}");
    }

    #[test]
    fn codes_are_unique_sorted_and_the_names_of_their_files() {
        let codes: Vec<&str> = catalogue().map(|i| i.code).collect();
        assert!(codes.is_sorted_by(|a, b| a < b), "{codes:?}");
        // Cargo runs tests in the package's folder.
        let files = |extension: &str| -> BTreeSet<String> {
            let names = std::fs::read_dir(Path::new("src/rules")).unwrap().map(|e| e.unwrap().file_name());
            let names = names.map(|n| n.to_string_lossy().into_owned());
            names.filter_map(|n| n.strip_suffix(extension).map(|n| n.replace('_', "-"))).collect()
        };
        let codes: BTreeSet<String> = codes.into_iter().map(str::to_owned).collect();
        assert_eq!(files(".md"), codes);
        let mut rules = files(".rs");
        rules.retain(|n| n != "mod" && n != "rule");
        assert_eq!(rules, codes, "a rule that is not in the list");
    }

    #[test]
    fn no_rule_has_the_code_of_a_cause() {
        let causes: BTreeSet<&str> = crate::goroutine_verdicts::causes().iter().map(|i| i.code).collect();
        assert!(causes.len() > 10 && catalogue().all(|rule| !causes.contains(rule.code)));
    }

    /// `thresholds.rs` has a module for each rule, and the rule's page names each number with its value.
    #[test]
    fn every_threshold_stands_in_the_page_of_its_rule() {
        let mut seen = 0;
        for (name, value, module) in thresholds() {
            let info = catalogue().find(|i| i.code.replace('-', "_") == module);
            let info = info.unwrap_or_else(|| panic!("thresholds of {module}, which is no rule"));
            assert!(info.doc.contains(&format!("- `{name}` = {value}: ")), "{}: {name} = {value}", info.code);
            seen += 1;
        }
        let listed: usize =
            catalogue().map(|i| i.doc.lines().filter(|l| l.starts_with("- `") && l.contains("` = ")).count()).sum();
        assert_eq!(listed, seen, "a page lists a threshold that there is not");
        assert!(seen > 10, "{seen}");
    }

    /// Name, value as it is written, module.
    fn thresholds() -> Vec<(&'static str, &'static str, &'static str)> {
        let (mut out, mut module) = (Vec::new(), "");
        for line in include_str!("../thresholds.rs").lines() {
            if let Some(name) = line.strip_prefix("pub(crate) mod ") {
                module = name.trim_end_matches(" {");
            } else if let Some((name, value)) =
                line.trim().strip_prefix("pub(crate) const ").and_then(|l| l.split_once(" = "))
            {
                out.push((name.split_once(':').unwrap().0, value.trim_end_matches(';'), module));
            }
        }
        out
    }
}
