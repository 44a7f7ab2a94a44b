//! Names of files and folders.

use super::tree::Tree;

/// Names that say nothing of what is inside.
const BANNED: &[&str] = &["utils", "util", "common", "helpers", "helper", "misc"];
/// Lines of a source file. Most have 100 to 400.
const CEILING: usize = 800;

/// No banned name, no `foo.rs` beside `foo/`, no file that is too long.
pub(super) fn check(tree: &Tree) -> Vec<String> {
    let mut out = Vec::new();
    for (path, text) in tree.ending(".rs") {
        let stems = path.split('/').map(|part| part.trim_end_matches(".rs"));
        if let Some(banned) = stems.into_iter().find(|s| BANNED.contains(s)) {
            out.push(format!("{path}: {banned} says nothing"));
        }
        let folder = path.trim_end_matches(".rs");
        // Test and fuzz targets are no modules; a folder beside one holds what it reads.
        if path.contains("/src/") && !tree.below(folder).is_empty() {
            out.push(format!("{path}: beside a folder of its name; {folder}/mod.rs instead"));
        }
        let lines = text.lines().count();
        if lines > CEILING {
            out.push(format!("{path}: {lines} lines, more than {CEILING}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_says_nothing_and_what_stands_twice() {
        let long = "x\n".repeat(801);
        let tree = Tree::with(&[
            ("crates/a/src/utils.rs", ""),
            ("crates/a/src/common/mod.rs", ""),
            ("crates/a/src/foo.rs", ""),
            ("crates/a/src/foo/bar.rs", ""),
            ("crates/a/src/baz/mod.rs", &long),
            ("crates/a/src/community.rs", ""),
            ("crates/a/tests/curves.rs", ""),
            ("crates/a/tests/curves/one.txt", ""),
        ]);
        let found = check(&tree);
        assert_eq!(found.len(), 4, "{found:#?}");
        for (i, what) in
            ["baz/mod.rs: 801", "common/mod.rs: common", "foo.rs: beside", "utils.rs: utils"].iter().enumerate()
        {
            assert!(found[i].contains(what), "{found:#?}");
        }
    }
}
