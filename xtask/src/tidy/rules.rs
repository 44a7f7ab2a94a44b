//! The headings of rules: what a person needs who is told a finding.

use super::tree::Tree;

const FOLDER: &str = "crates/diagnosis/src/rules";
const HEADINGS: &[&str] = &["What it finds", "Why it matters", "Known problems"];

/// A rule has a page (`code.md`), or the same headings in its own documentation.
pub(super) fn check(tree: &Tree) -> Vec<String> {
    let mut out = Vec::new();
    let names = tree.below(FOLDER);
    for name in &names {
        let stem = name.trim_end_matches(".rs").trim_end_matches(".md");
        let is_page = name.ends_with(".md");
        // A rule's folder has the page inside, or beside it.
        let pages = [format!("{FOLDER}/{stem}.md"), format!("{FOLDER}/{stem}/{stem}.md")];
        let page = pages.iter().find_map(|p| tree.text(p).map(|t| (p.clone(), t)));
        let source = [format!("{FOLDER}/{stem}.rs"), format!("{FOLDER}/{stem}/mod.rs")];
        let code = source.iter().find_map(|p| tree.text(p).map(|t| (p.clone(), t)));
        let is_rule = |t: &str| t.contains("impl Rule for") || t.contains("fn rule(") || t.contains("RuleInfo {");
        let text = match (page, code) {
            (Some(page), _) => page,
            (None, Some((path, text))) if is_rule(text) && stem != "mod" => (path, text),
            _ if is_page => (format!("{FOLDER}/{name}"), ""),
            _ => continue,
        };
        let has = |heading: &str| {
            text.1.lines().any(|l| l.trim_start_matches(['/', '!', ' ', '#']).trim_end() == heading && l.contains('#'))
        };
        out.extend(HEADINGS.iter().filter(|h| !has(h)).map(|h| format!("{}: no heading {h:?}", text.0)));
    }
    out.sort();
    out.dedup();
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heading_that_is_missing_is_found() {
        let page = "# Growth\n\n## What it finds\n\n## Why it matters\n";
        let code = "//! # What it finds\n//! # Why it matters\n//! # Known problems\npub(super) fn rule() {}\n";
        let tree = |page: &str, code: &str| {
            Tree::with(&[
                ("crates/diagnosis/src/rules/a.rs", "impl Rule for A {}"),
                ("crates/diagnosis/src/rules/a.md", page),
                ("crates/diagnosis/src/rules/b.rs", code),
                ("crates/diagnosis/src/rules/mod.rs", "trait Rule {} fn rule() {}"),
            ])
        };
        assert_eq!(check(&tree(page, code)), ["crates/diagnosis/src/rules/a.md: no heading \"Known problems\""]);
        assert!(check(&tree(&format!("{page}## Known problems\n"), code)).is_empty());
        assert_eq!(check(&tree(&format!("{page}## Known problems\n"), "fn rule() {}")).len(), 3);
    }
}
