//! Lists that stand in documents and in code.

use super::tree::Tree;
use crate::chores::CHORES;

/// Fuzz targets, chores, the lab's programs, and the rules of docs/adr.
pub(super) fn check(tree: &Tree) -> Vec<String> {
    [fuzz_targets(tree), chores(tree), programs(tree)].concat()
}

/// Every target is built, has a body, a corpus, and is named in CONTRIBUTING.md.
fn fuzz_targets(tree: &Tree) -> Vec<String> {
    let mut out = Vec::new();
    let text = |path: &str| tree.text(path).unwrap_or_default();
    for file in tree.below("fuzz/fuzz_targets") {
        let name = file.trim_end_matches(".rs");
        let places = [
            ("fuzz/Cargo.toml", format!("name = \"{name}\"")),
            ("fuzz/bodies/src/lib.rs", format!("(\"{name}\", ")),
            ("CONTRIBUTING.md", format!("`{name}`")),
        ];
        for (place, word) in places.iter().filter(|(place, word)| !text(place).contains(word.as_str())) {
            out.push(format!("{place}: the fuzz target {name} is missing ({word})"));
        }
        if !tree.below("fuzz/corpus-kept").contains(name) {
            out.push(format!("fuzz/corpus-kept: nothing of the fuzz target {name}"));
        }
    }
    let known = tree.below("fuzz/fuzz_targets");
    for kept in tree.below("fuzz/corpus-kept").iter().filter(|k| !known.contains(format!("{k}.rs").as_str())) {
        out.push(format!("fuzz/corpus-kept/{kept}: no such fuzz target"));
    }
    out
}

/// What documents and comments call a chore is one; each is told of in one.
fn chores(tree: &Tree) -> Vec<String> {
    let mut out = Vec::new();
    const CALL: &str = "cargo xtask ";
    let texts = [".md", ".rs", ".sh", ".ci/run"].iter().flat_map(|end| tree.ending(end));
    for (file, text) in texts.filter(|(f, _)| *f != "CHANGELOG.md" && !f.starts_with("xtask/src/")) {
        for (i, line) in text.lines().enumerate() {
            for (at, _) in line.match_indices(CALL) {
                let name: String =
                    line[at + CALL.len()..].chars().take_while(|c| c.is_ascii_lowercase() || *c == '-').collect();
                if !name.is_empty() && name != "help" && CHORES.iter().all(|c| c.name != name) {
                    out.push(format!("{file}:{}: there is no `{CALL}{name}`", i + 1));
                }
            }
        }
    }
    for c in CHORES {
        let call = format!("{CALL}{}", c.name);
        if !tree.ending(".md").any(|(_, text)| text.contains(&call)) {
            out.push(format!("no document tells of `{call}`"));
        }
    }
    out
}

/// Every program of the lab has its line in lab/README.md, and none that is not there has.
fn programs(tree: &Tree) -> Vec<String> {
    let text = tree.text("lab/README.md").unwrap_or_default();
    let there = tree.below("lab/programs");
    let mut out: Vec<String> = there
        .iter()
        .filter(|p| !text.contains(&format!("`{p}`")))
        .map(|p| format!("lab/README.md: nothing of lab/programs/{p}"))
        .collect();
    for name in text.lines().filter_map(|l| l.split("](programs/").nth(1)?.split(')').next()) {
        if !there.contains(name.trim_end_matches('/')) {
            out.push(format!("lab/README.md: there is no lab/programs/{name}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_that_is_not_told_of_is_found() {
        let tree = |contributing: &str| {
            Tree::with(&[
                ("fuzz/fuzz_targets/elf.rs", ""),
                ("fuzz/Cargo.toml", "name = \"elf\""),
                ("fuzz/bodies/src/lib.rs", "(\"elf\", elf)"),
                ("fuzz/corpus-kept/elf/1", ""),
                ("CONTRIBUTING.md", contributing),
            ])
        };
        assert!(fuzz_targets(&tree("`elf`")).is_empty());
        assert_eq!(fuzz_targets(&tree("elf")), ["CONTRIBUTING.md: the fuzz target elf is missing (`elf`)"]);
    }

    #[test]
    fn a_chore_that_is_none_is_found() {
        let all: String = CHORES.iter().map(|c| format!("`cargo xtask {}`\n", c.name)).collect();
        assert!(chores(&Tree::with(&[("CONTRIBUTING.md", &all)])).is_empty());
        let more = format!("{all}cargo xtask dance\n");
        assert_eq!(chores(&Tree::with(&[("CONTRIBUTING.md", &more)])).len(), 1);
        assert_eq!(chores(&Tree::with(&[("README.md", "cargo xtask demo")])).len(), CHORES.len() - 1);
    }

    #[test]
    fn a_program_without_a_line_is_found() {
        let tree = |text: &str| Tree::with(&[("lab/README.md", text), ("lab/programs/idle/main.go", "")]);
        assert!(programs(&tree("[`idle`](programs/idle)")).is_empty());
        assert_eq!(programs(&tree("")).len(), 1);
        assert_eq!(programs(&tree("[`idle`](programs/idle)\n[`gone`](programs/gone)")).len(), 1);
    }
}
