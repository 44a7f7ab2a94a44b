//! From what was asked for to the packages that are read.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::files::{FileKind, Gap, GapKind, Options, Package, SourceFile};
use super::module::{Module, find_module, workspace};
use super::source::{Read, header, kind};

/// Bytes of a file in which its package clause and build constraints must stand; as much as `go list` reads
/// of usual files.
const HEADER_BYTES: u64 = 64 << 10;

/// Everything that was asked for.
#[derive(Clone, Debug, Default)]
pub struct Project {
    /// Packages, by folder and name.
    pub packages: Vec<Package>,
    /// What was not read.
    pub gaps: Vec<Gap>,
    /// Files that another system, processor or tag would build.
    pub other_platforms: usize,
    /// Test files that were left out.
    pub tests_left_out: usize,
    /// `vendor` folders that were left out.
    pub vendor_left_out: usize,
}

/// The packages below folders, of files, or of import paths of the module of `from`. A folder means all below
/// it, as `DIR/...` does for Go; `std` is not known here.
///
/// # Errors
/// Something that was asked for is not there.
pub fn load(from: &Path, asked: &[String], options: &Options) -> Result<Project, String> {
    let mut walk = Walk { from, options, project: Project::default(), modules: BTreeMap::new(), files: 0 };
    let mut places = BTreeSet::new();
    let everything = [".".to_owned()];
    for pattern in if asked.is_empty() { &everything } else { asked } {
        for place in resolve(from, pattern)? {
            places.insert(place);
        }
    }
    let mut found: BTreeMap<PathBuf, Vec<PathBuf>> = BTreeMap::new();
    for place in places {
        if place.is_dir() {
            walk.folder(&place, &mut found);
        } else {
            found.entry(place.parent().unwrap_or(Path::new("")).to_owned()).or_default().push(place);
        }
    }
    for (dir, mut files) in found {
        files.sort();
        files.dedup();
        walk.package(&dir, &files);
    }
    walk.project.gaps.sort();
    Ok(walk.project)
}

/// The folders and files of one pattern.
fn resolve(from: &Path, pattern: &str) -> Result<Vec<PathBuf>, String> {
    let plain = pattern.strip_suffix("/...").unwrap_or(pattern);
    let plain = if plain == "..." { "." } else { plain };
    let place = from.join(plain);
    if place.exists() {
        let used = workspace(&place);
        // The folders of a workspace may be outside of it; those below are walked anyway.
        let outside = used.into_iter().filter(|u| u.is_dir() && !u.starts_with(&place));
        return Ok(std::iter::once(place.clone()).chain(outside).collect());
    }
    if let Ok(Some(module)) = find_module(&absolute(from)) {
        let inside = plain.strip_prefix(&module.path).filter(|rest| rest.is_empty() || rest.starts_with('/'));
        if let Some(place) = inside.map(|rest| module.dir.join(rest.trim_start_matches('/'))).filter(|p| p.is_dir()) {
            return Ok(vec![place]);
        }
        return Err(format!(
            "{pattern}: no such folder or file, and no package of module {}: give a folder, a file, or an import path of \
             this module",
            module.path
        ));
    }
    Err(format!("{pattern}: no such folder or file, and {} is in no module", from.display()))
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

struct Walk<'a> {
    from: &'a Path,
    options: &'a Options,
    project: Project,
    /// By folder; what was said of a bad one is said once.
    modules: BTreeMap<PathBuf, Option<Arc<Module>>>,
    files: usize,
}

impl Walk<'_> {
    fn gap(&mut self, file: &Path, kind: GapKind, text: impl Into<String>) {
        let file = self.name(file);
        self.project.gaps.push(Gap { file, line: None, kind, text: text.into() });
    }

    /// How a path is printed.
    fn name(&self, path: &Path) -> String {
        let short = path.strip_prefix(self.from).unwrap_or(path);
        let text = short.to_string_lossy().replace('\\', "/");
        let text = text.strip_prefix("./").map_or(text.clone(), str::to_owned);
        if text.is_empty() { ".".into() } else { text }
    }

    /// Go files below a folder, by folder.
    fn folder(&mut self, top: &Path, found: &mut BTreeMap<PathBuf, Vec<PathBuf>>) {
        let mut left = vec![(top.to_owned(), 0)];
        while let Some((dir, depth)) = left.pop() {
            let entries = match std::fs::read_dir(&dir) {
                Ok(entries) => entries,
                Err(e) => {
                    self.gap(&dir, GapKind::Unreadable, e.to_string());
                    continue;
                }
            };
            let mut entries: Vec<_> = entries.flatten().collect();
            entries.sort_by_key(std::fs::DirEntry::file_name);
            for entry in entries {
                let (path, name) = (entry.path(), entry.file_name());
                let name = name.to_string_lossy();
                let Ok(what) = entry.file_type() else { continue };
                if what.is_symlink() && path.is_dir() {
                    self.gap(&path, GapKind::Link, "a link to a folder: not followed, as Go does not");
                } else if what.is_dir() {
                    if name == "vendor" && !self.options.vendor {
                        self.project.vendor_left_out += 1;
                    } else if name.starts_with(['.', '_']) || name == "testdata" || name == "node_modules" {
                        // Go does not look there either.
                    } else if depth >= self.options.max_depth {
                        self.gap(&path, GapKind::TooDeep, "folders below one another: not entered");
                    } else {
                        left.push((path, depth + 1));
                    }
                } else if name.ends_with(".go") && !name.starts_with(['.', '_']) {
                    if self.files >= self.options.max_files {
                        let text = format!("more than {} files: the rest was not read", self.options.max_files);
                        self.gap(&dir, GapKind::TooMany, text);
                        return;
                    }
                    self.files += 1;
                    found.entry(dir.clone()).or_default().push(path);
                }
            }
        }
    }

    /// The packages of a folder: usually one, with tests of outside two.
    fn package(&mut self, dir: &Path, files: &[PathBuf]) {
        let mut by_name: BTreeMap<String, Vec<SourceFile>> = BTreeMap::new();
        for path in files {
            let file_name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if !self.options.platform.takes_name(&file_name) {
                self.project.other_platforms += 1;
                continue;
            }
            if file_name.ends_with("_test.go") && !self.options.tests {
                self.project.tests_left_out += 1;
                continue;
            }
            let text = match read_head(path) {
                Read::Text(text) => text,
                Read::Not(gap, text) => {
                    self.gap(path, gap, text);
                    continue;
                }
            };
            let Some((head, package)) = header(&text) else {
                self.gap(path, GapKind::Syntax, "no package clause: not read");
                continue;
            };
            if !self.options.platform.takes_header(head) {
                self.project.other_platforms += 1;
                continue;
            }
            let kind = kind(&file_name, head);
            let file = SourceFile { path: path.clone(), name: self.name(path), kind, package: package.to_owned() };
            by_name.entry(package.to_owned()).or_default().push(file);
        }
        let module = self.module(dir);
        for (name, files) in by_name {
            let import_path = import_path(dir, module.as_deref());
            let written = files.iter().any(|f| f.kind != FileKind::Test);
            let import_path = if name.ends_with("_test") && !written { import_path + "_test" } else { import_path };
            self.project.packages.push(Package {
                import_path,
                name,
                dir: dir.to_owned(),
                files,
                module: module.clone(),
            });
        }
    }

    fn module(&mut self, dir: &Path) -> Option<Arc<Module>> {
        if let Some(known) = self.modules.get(dir) {
            return known.clone();
        }
        let found = match find_module(&absolute(dir)) {
            Ok(found) => found.map(Arc::new),
            Err(file) => {
                let text = "no module line, or not to be read: its packages have the names of their folders";
                if !self.project.gaps.iter().any(|g| g.kind == GapKind::Module && Path::new(&g.file) == file) {
                    self.gap(&file, GapKind::Module, text);
                }
                None
            }
        };
        self.modules.insert(dir.to_owned(), found.clone());
        found
    }
}

/// The beginning of a file, cut at a character.
fn read_head(path: &Path) -> Read {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    let read = std::fs::metadata(path).and_then(|m| {
        if !m.is_file() {
            return Err(std::io::Error::other("not a regular file"));
        }
        std::fs::File::open(path)?.take(HEADER_BYTES).read_to_end(&mut bytes)
    });
    if let Err(e) = read {
        return Read::Not(GapKind::Unreadable, e.to_string());
    }
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Read::Not(GapKind::Encoding, "UTF-16: Go reads UTF-8 only, and so does this".into());
    }
    let start = if bytes.starts_with(&[0xef, 0xbb, 0xbf]) { 3 } else { 0 };
    Read::Text(String::from_utf8_lossy(bytes.get(start..).unwrap_or_default()).into_owned())
}

fn import_path(dir: &Path, module: Option<&Module>) -> String {
    let Some(module) = module else {
        return absolute(dir).file_name().map_or_else(|| "main".into(), |n| n.to_string_lossy().into_owned());
    };
    let dir = absolute(dir);
    let normal: PathBuf = dir.components().collect();
    match normal.strip_prefix(&module.dir) {
        Ok(rest) if !rest.as_os_str().is_empty() => {
            let rest = rest.to_string_lossy().replace('\\', "/");
            // Packages of the standard library have no module before their path.
            if module.path == "std" { rest } else { format!("{}/{rest}", module.path) }
        }
        _ => module.path.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        dir
    }

    #[test]
    fn packages_are_told_apart() {
        let dir = tree(&[
            ("go.mod", "module example.com/m\ngo 1.21\n"),
            ("a.go", "package m"),
            ("a_test.go", "package m"),
            ("sub/b.go", "// Code generated by x. DO NOT EDIT.\npackage b"),
            ("sub/c_windows.go", "package b"),
            ("sub/d.go", "//go:build ignore\n\npackage main"),
            ("vendor/v/v.go", "package v"),
            ("testdata/t.go", "package t"),
            ("nested/go.mod", "module example.com/nested\n"),
            ("nested/n.go", "package n"),
            ("bad/x.go", "nothing"),
        ]);
        let p = load(dir.path(), &[], &Options::default()).unwrap();
        let paths: Vec<_> = p.packages.iter().map(|p| p.import_path.as_str()).collect();
        assert_eq!(paths, ["example.com/m", "example.com/nested", "example.com/m/sub"]);
        assert_eq!((p.other_platforms, p.tests_left_out, p.vendor_left_out), (2, 1, 1));
        assert_eq!(p.packages[2].files[0].kind, FileKind::Generated);
        assert_eq!(p.packages[0].go_minor(), Some(21));
        assert_eq!(p.gaps.len(), 1, "{:?}", p.gaps);
        let one = load(dir.path(), &["example.com/m/sub/...".into()], &Options::default()).unwrap();
        assert_eq!(one.packages.len(), 1);
        assert!(load(dir.path(), &["gone".into()], &Options::default()).unwrap_err().contains("example.com/m"));
    }

    #[test]
    fn links_to_folders_are_said_and_not_followed() {
        let dir = tree(&[("a/a.go", "package a"), ("go.mod", "nonsense")]);
        std::os::unix::fs::symlink(dir.path(), dir.path().join("a/loop")).unwrap();
        let p = load(dir.path(), &[], &Options::default()).unwrap();
        assert_eq!(p.packages.len(), 1);
        let kinds: Vec<_> = p.gaps.iter().map(|g| g.kind).collect();
        assert_eq!(kinds.iter().filter(|k| **k == GapKind::Link).count(), 1, "{:?}", p.gaps);
        assert_eq!(kinds.iter().filter(|k| **k == GapKind::Module).count(), 1, "{:?}", p.gaps);
    }

    #[test]
    fn bounds_are_said() {
        let dir = tree(&[("a/a.go", "package a"), ("b/b.go", "package b"), ("c/c.go", "package c")]);
        let few = Options { max_files: 2, ..Options::default() };
        let p = load(dir.path(), &[], &few).unwrap();
        assert_eq!((p.packages.len(), p.gaps[0].kind), (2, GapKind::TooMany));
        let flat = Options { max_depth: 0, ..Options::default() };
        assert_eq!(load(dir.path(), &[], &flat).unwrap().gaps.len(), 3);
    }
}
