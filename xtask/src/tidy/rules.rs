//! The pages of rules: what a person needs who is told a finding.

use super::tree::Tree;

const FOLDER: &str = "crates/diagnosis/src/rules";
/// What every page says, in this order; it may say more.
const HEADINGS: &[&str] =
    &["What it finds", "Why it matters", "How sure it is", "Rivals", "What it cannot tell", "Cures", "Thresholds"];

/// A rule has a page (`code.md`) and includes it; a page has the headings of the others, in their order.
pub(super) fn check(tree: &Tree) -> Vec<String> {
    let mut out = Vec::new();
    let files = || tree.paths().filter(|p| p.starts_with(FOLDER));
    let pages: Vec<&str> = files().filter(|p| p.ends_with(".md")).collect();
    for page in &pages {
        let text = tree.text(page).unwrap_or_default();
        let name = page.rsplit('/').next().unwrap_or_default();
        if !text.starts_with(&format!("# {}\n", name.trim_end_matches(".md"))) {
            out.push(format!("{page}: does not begin with its code"));
        }
        let mut headings = text.lines().filter_map(|l| l.strip_prefix("## "));
        if let Some(missing) = HEADINGS.iter().find(|h| !headings.any(|got| got.trim_end() == **h)) {
            out.push(format!("{page}: no heading {missing:?}, or not in the order of the others"));
        }
        let include = format!("include_str!(\"{name}\")");
        if !files().any(|f| tree.text(f).unwrap_or_default().contains(&include)) {
            out.push(format!("{page}: no rule includes it"));
        }
    }
    for file in files().filter(|f| tree.text(f).unwrap_or_default().contains("impl Rule for ")) {
        let text = tree.text(file).unwrap_or_default();
        let included = text.split("include_str!(\"").nth(1).and_then(|t| t.split('"').next()).unwrap_or_default();
        if !pages.iter().any(|p| p.rsplit('/').next() == Some(included)) {
            out.push(format!("{file}: a rule without a page"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(page: &str, code: &str) -> Vec<String> {
        check(&Tree::with(&[
            ("crates/diagnosis/src/rules/a.rs", code),
            ("crates/diagnosis/src/rules/a-b.md", page),
            ("crates/diagnosis/src/rules/mod.rs", "pub(crate) trait Rule {}"),
        ]))
    }

    #[test]
    fn a_page_that_is_not_whole_is_found() {
        let code = "impl Rule for A { doc: include_str!(\"a-b.md\") }";
        let page = HEADINGS.iter().fold("# a-b\n".to_owned(), |all, h| all + "\n## " + h + "\n");
        assert!(complaints(&page, code).is_empty());
        let more = page.replace("## Rivals", "## In a report\n\n## Rivals");
        assert!(complaints(&more, code).is_empty());
        let folder = "crates/diagnosis/src/rules";
        let without = page.replace("## Rivals\n", "");
        let order = "or not in the order of the others";
        assert_eq!(complaints(&without, code), [format!("{folder}/a-b.md: no heading \"Rivals\", {order}")]);
        let none = complaints(&page, "impl Rule for A {}");
        assert_eq!(
            none,
            [format!("{folder}/a-b.md: no rule includes it"), format!("{folder}/a.rs: a rule without a page")]
        );
        assert_eq!(complaints(&page.replace("# a-b\n\n", ""), code).len(), 1);
    }
}
