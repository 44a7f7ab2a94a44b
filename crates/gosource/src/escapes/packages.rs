//! Packages as `go list` tells of them: where each stands, and which module it is of.

use rustc_hash::FxHashMap;
use serde::Deserialize;

/// A package that a program is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Package {
    /// Import path; `vendor/...` where the standard library has a copy of another module.
    pub import_path: String,
    /// Name, as its files say it: `main` of a command.
    pub name: String,
    /// Folder of its files.
    pub dir: String,
    /// Whether it is of the standard library.
    pub standard: bool,
    /// Whether others demanded it, and not the patterns that were given.
    pub dep_only: bool,
    /// Its module; absent of the standard library and outside of modules.
    pub module: Option<Module>,
}

/// A module.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Module {
    /// Its path.
    pub path: String,
    /// Version, as in `v1.2.3`; empty of the main module.
    pub version: String,
    /// Whether it is the one that is worked on.
    pub main: bool,
}

impl Package {
    /// Whether the people who ask can change it: of the main module, or of none but not the standard library.
    #[must_use]
    pub fn is_own(&self) -> bool {
        !self.standard && self.module.as_ref().is_none_or(|m| m.main)
    }
}

/// Packages, found by import path or folder.
#[derive(Clone, Debug, Default)]
pub struct Packages {
    each: Vec<Package>,
    by_path: FxHashMap<String, usize>,
    by_dir: FxHashMap<String, usize>,
}

/// Packages that are kept: Kubernetes, whole, has five thousand.
const MOST: usize = 1 << 17;

impl Packages {
    /// What `go list -json` prints: objects, one behind the other. What is no package is left out.
    #[must_use]
    pub fn parse(json: &[u8]) -> Self {
        let each = serde_json::Deserializer::from_slice(json).into_iter::<Package>().take(MOST).map_while(Result::ok);
        Self::of(each)
    }

    /// An index of packages.
    pub fn of(each: impl IntoIterator<Item = Package>) -> Self {
        let mut all = Self::default();
        for package in each {
            let at = all.each.len();
            all.by_path.insert(package.import_path.clone(), at);
            if !package.dir.is_empty() {
                all.by_dir.entry(package.dir.clone()).or_insert(at);
            }
            all.each.push(package);
        }
        all
    }

    /// Every one, as listed.
    pub fn iter(&self) -> impl Iterator<Item = &Package> {
        self.each.iter()
    }

    /// The package of an import path.
    #[must_use]
    pub fn of_path(&self, import_path: &str) -> Option<&Package> {
        self.each.get(*self.by_path.get(import_path)?)
    }

    /// The package whose files are in a folder.
    #[must_use]
    pub fn of_dir(&self, dir: &str) -> Option<&Package> {
        self.each.get(*self.by_dir.get(dir)?)
    }

    /// Whether none is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.each.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_one_behind_the_other() {
        let json = br#"{"ImportPath":"fmt","Dir":"/go/src/fmt","Standard":true,"DepOnly":true}
            {"ImportPath":"example.com/a","Dir":"/a","Name":"main","Module":{"Path":"example.com/a","Main":true}}
            {"ImportPath": "example.com/b","Dir":"/b","Module":{"Path":"example.com/b","Version":"v1.0.0"}} rubbish"#;
        let all = Packages::parse(json);
        let own: Vec<_> = all.iter().map(|p| (p.import_path.as_str(), p.is_own())).collect();
        assert_eq!(own, [("fmt", false), ("example.com/a", true), ("example.com/b", false)]);
        assert_eq!(all.of_dir("/b").unwrap().import_path, "example.com/b");
        assert!(all.of_path("c").is_none());
    }
}
