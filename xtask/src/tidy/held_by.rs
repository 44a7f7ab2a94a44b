//! Tests that documents name: what says which test holds a promise, or a line of the threat model, is worth
//! what that test is. One that was renamed leaves a promise that nobody holds.

use std::collections::BTreeSet;

use super::tree::Tree;

/// Documents whose lines name tests.
const DOCUMENTS: &[&str] = &["docs/promises.md", "docs/security.md"];

/// Each name in backticks that has the form of a test's is a function's, a case's of lab/vm, or a target's.
pub(super) fn check(tree: &Tree) -> Vec<String> {
    let known: BTreeSet<&str> =
        tree.ending(".rs").chain(tree.ending(".sh")).flat_map(|(_, text)| functions(text)).collect();
    let is_known = |name: &str| known.contains(name) || known.contains(format!("case_{name}").as_str());
    let mut out = Vec::new();
    for document in DOCUMENTS {
        for (i, line) in tree.text(document).unwrap_or_default().lines().enumerate() {
            let quoted = line.split('`').skip(1).step_by(2);
            for name in quoted.filter(|name| is_of_a_test(name) && !is_known(name)) {
                out.push(format!("{document}:{}: there is no test `{name}`", i + 1));
            }
        }
    }
    out
}

/// A sentence in snake case: metrics have the name of this project, and what is shorter may be anything.
fn is_of_a_test(name: &str) -> bool {
    name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        && name.matches('_').count() >= 2
        && !name.starts_with("lastgasp_")
}

/// Names of functions, of Rust (`fn name`) and of a shell (`name()`).
fn functions(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| {
        let line = line.trim_start();
        let rust = line.split_once("fn ").map(|(_, rest)| rest);
        let shell = line.split_once("()").map(|(name, _)| name);
        let rest = rust.or(shell)?;
        rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().filter(|name| !name.is_empty())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_promise_whose_test_is_gone_is_found() {
        let tree = |test: &str| {
            Tree::with(&[
                ("docs/promises.md", "| kept | `it_is_kept_always` (a.rs), `lastgasp_a_b_c`, `a.b_c_d`, `a_b` |\n"),
                ("docs/security.md", "| held | `systemd_kill9_both` (lab/vm/guest/systemd.sh) |\n"),
                ("crates/a/src/a.rs", test),
                ("lab/vm/guest/systemd.sh", "case_systemd_kill9_both() {\n"),
            ])
        };
        assert_eq!(check(&tree("    fn it_is_kept_always() {")), [""; 0]);
        let gone = check(&tree("    fn it_is_kept_mostly() {"));
        assert_eq!(gone, ["docs/promises.md:1: there is no test `it_is_kept_always`"]);
    }
}
