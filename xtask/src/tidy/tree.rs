//! The repository's own files, as git knows them, with their texts.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};

/// Files by path from the root. Those that are no text have none.
#[derive(Default)]
pub(super) struct Tree {
    files: BTreeMap<String, String>,
}

impl Tree {
    /// What git has, and what is new and not ignored.
    pub(super) fn of(root: &Path) -> Result<Self> {
        let out = Command::new("git")
            .current_dir(root)
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .output()?;
        ensure!(out.status.success(), "git ls-files: {}", String::from_utf8_lossy(&out.stderr));
        let names = String::from_utf8(out.stdout)?;
        let mut files = BTreeMap::new();
        for name in names.split('\0').filter(|n| !n.is_empty()) {
            // What was removed and not yet committed is listed, and is not there.
            if let Ok(bytes) = std::fs::read(root.join(name)) {
                files.insert(name.to_owned(), String::from_utf8(bytes).unwrap_or_default());
            }
        }
        Ok(Self { files })
    }

    /// Paths and texts of those whose path ends so.
    pub(super) fn ending<'a>(&'a self, end: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.files.iter().filter(move |(p, _)| p.ends_with(end)).map(|(p, t)| (p.as_str(), t.as_str()))
    }

    /// All paths.
    pub(super) fn paths(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// A file's text.
    pub(super) fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(String::as_str)
    }

    /// Names directly below a folder: files, and folders without their contents.
    pub(super) fn below(&self, folder: &str) -> BTreeSet<&str> {
        let inside = self.paths().filter_map(|p| p.strip_prefix(folder)?.strip_prefix('/'));
        inside.filter_map(|p| p.split('/').next()).collect()
    }

    /// Whether there is a file or a folder whose path is this one, or ends with it.
    pub(super) fn has(&self, path: &str) -> bool {
        let path = path.trim_end_matches('/');
        let inside = format!("{path}/");
        self.paths().any(|p| {
            let ends = |p: &str| p.strip_suffix(path).is_some_and(|before| before.is_empty() || before.ends_with('/'));
            ends(p) || p.match_indices(&inside).any(|(at, _)| at == 0 || p[..at].ends_with('/'))
        })
    }
}

#[cfg(test)]
impl Tree {
    /// A tree for tests.
    pub(super) fn with(files: &[(&str, &str)]) -> Self {
        Self { files: files.iter().map(|(p, t)| ((*p).to_owned(), (*t).to_owned())).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_whole_or_ends() {
        let tree = Tree::with(&[("crates/cli/src/commands/run.rs", ""), ("lab/vm/run.sh", "")]);
        for path in
            ["crates/cli/src/commands/run.rs", "commands/run.rs", "run.rs", "lab/vm", "commands/", "lab/vm/run.sh"]
        {
            assert!(tree.has(path), "{path}");
        }
        for path in ["un.rs", "vm/ru", "commands/run", "lab/v", "ab/vm"] {
            assert!(!tree.has(path), "{path}");
        }
        assert_eq!(tree.below("lab").into_iter().collect::<Vec<_>>(), ["vm"]);
    }
}
