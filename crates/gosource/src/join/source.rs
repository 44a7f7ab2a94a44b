//! Source files, line by line, and whether a line can be the one that a profile means: a profile of another
//! version of the code has lines that do not exist, or that are of another function.

use std::cell::RefCell;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use rustc_hash::FxHashMap;

use super::names::Function;

/// Why a line is not the one that the profile means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// There is no such file here.
    NoFile,
    /// The file has fewer lines.
    NoSuchLine {
        /// How many it has.
        lines: u32,
    },
    /// There is nothing on it but a comment or white space.
    Empty,
    /// It is of another function.
    OtherFunction {
        /// Which.
        found: String,
    },
}

impl Mismatch {
    /// The reason in words, of a line of a file.
    #[must_use]
    pub fn words(&self, file: &str, line: u32, function: &str) -> String {
        match self {
            Self::NoFile => format!("{file} is not here"),
            Self::NoSuchLine { lines } => {
                format!(
                    "the profile is of another version of the code: {file} has {lines} lines here, and line {line} is meant"
                )
            }
            Self::Empty => {
                format!("the profile is of another version of the code: nothing stands on line {line} of {file} here")
            }
            Self::OtherFunction { found } => format!(
                "the profile is of another version of the code: line {line} of {file} is of {found} here, and of {function} there"
            ),
        }
    }

    /// Whether it shows that profile and source are of different versions.
    #[must_use]
    pub fn is_of_another_version(&self) -> bool {
        *self != Self::NoFile
    }
}

/// Source files, read when they are asked for.
#[derive(Debug, Default)]
pub struct Sources {
    files: RefCell<FxHashMap<PathBuf, Option<Rc<Source>>>>,
}

/// Bytes of a file that are read: the largest of Go's own tree has 3 MB.
const MOST_BYTES: u64 = 16 << 20;
/// Files that are kept in memory.
const MOST_FILES: usize = 4096;
/// Characters of a line that are shown.
const SHOWN: usize = 200;

#[derive(Debug)]
struct Source {
    lines: Vec<String>,
    imports: Vec<String>,
}

impl Sources {
    /// The line, without white space around it.
    ///
    /// # Errors
    /// It is not the line that is meant.
    pub fn line(&self, path: &Path, line: u32, function: &Function) -> Result<String, Mismatch> {
        let source = self.source(path).ok_or(Mismatch::NoFile)?;
        let lines = u32::try_from(source.lines.len()).unwrap_or(u32::MAX);
        let at = (line as usize).checked_sub(1).ok_or(Mismatch::NoSuchLine { lines })?;
        let text = source.lines.get(at).ok_or(Mismatch::NoSuchLine { lines })?.trim();
        if text.is_empty() || text.starts_with("//") {
            return Err(Mismatch::Empty);
        }
        // The bracket that closes a function may be where deferred calls run; so it is no mismatch.
        if let Some(found) = source.function_at(at)
            && !function.name.is_empty()
            && !matches!(function.name.as_str(), "glob" | "init")
            && found != (function.receiver.as_str(), function.name.as_str())
            // A method that the compiler made of an embedded one, or a literal that was inlined, has its own
            // name: only a plain function's or method's is compared.
            && !function.is_literal
        {
            let (receiver, name) = found;
            let found = if receiver.is_empty() { name.to_owned() } else { format!("{receiver}.{name}") };
            return Err(Mismatch::OtherFunction { found });
        }
        Ok(text.chars().take(SHOWN).collect())
    }

    /// The lines around one, and the number of the first of them; none where the file or the line is not
    /// there.
    #[must_use]
    pub fn around(&self, path: &Path, line: u32, around: u32) -> (u32, Vec<String>) {
        let first = line.saturating_sub(around).max(1);
        let Some(source) = self.source(path).filter(|s| line > 0 && s.lines.len() >= line as usize) else {
            return (first, Vec::new());
        };
        let wanted = line.saturating_add(around).saturating_sub(first).saturating_add(1) as usize;
        let lines = source.lines.iter().skip(first as usize - 1).take(wanted.min(64));
        (first, lines.map(|l| l.chars().take(SHOWN).collect()).collect())
    }

    /// Whether a name is that of a package that the file imports; `false` where the file cannot be read.
    #[must_use]
    pub fn imports(&self, path: &Path, name: &str) -> bool {
        self.source(path).is_some_and(|s| s.imports.iter().any(|i| i == name))
    }

    fn source(&self, path: &Path) -> Option<Rc<Source>> {
        if let Some(known) = self.files.borrow().get(path) {
            return known.clone();
        }
        let read = || {
            let file = std::fs::File::open(path).ok()?;
            if !file.metadata().ok()?.is_file() {
                return None;
            }
            let mut bytes = Vec::new();
            file.take(MOST_BYTES).read_to_end(&mut bytes).ok()?;
            Some(Rc::new(Source::of(&String::from_utf8_lossy(&bytes))))
        };
        let source = read();
        let mut files = self.files.borrow_mut();
        if files.len() < MOST_FILES {
            files.insert(path.to_owned(), source.clone());
        }
        source
    }
}

impl Source {
    fn of(text: &str) -> Self {
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let imports = imports(&lines);
        Self { lines, imports }
    }

    /// Receiver and name of the function that a line stands in: the last that begins before it, if none has
    /// ended since. Gofmt puts both at the beginning of a line.
    fn function_at(&self, at: usize) -> Option<(&str, &str)> {
        let up_to = self.lines.get(..=at)?;
        for (i, line) in up_to.iter().enumerate().rev() {
            if line.starts_with('}') && i < at {
                return None;
            }
            if let Some(rest) = line.strip_prefix("func ") {
                return signature(rest);
            }
        }
        None
    }
}

/// `(r *T[K]) name(...)`, `name[T any](...)`: receiver and name.
fn signature(rest: &str) -> Option<(&str, &str)> {
    let (receiver, rest) = match rest.strip_prefix('(') {
        Some(of) => {
            let (inside, rest) = of.split_once(')')?;
            let typed = inside.rsplit(|c: char| c.is_whitespace() || c == '*').find(|w| !w.is_empty())?;
            // Of `r *T[K, V]` the last word may be a part of the brackets.
            let typed = inside.split('[').next().filter(|_| inside.contains('[')).map_or(typed, |before| {
                before.rsplit(|c: char| c.is_whitespace() || c == '*').next().unwrap_or(before)
            });
            (typed, rest.trim_start())
        }
        None => ("", rest),
    };
    let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_'))?;
    rest.get(..end).filter(|name| !name.is_empty()).map(|name| (receiver, name))
}

/// Names by which a file calls the packages that it imports.
fn imports(lines: &[String]) -> Vec<String> {
    let mut names = Vec::new();
    let mut is_in_block = false;
    for line in lines {
        let line = line.trim();
        if line.starts_with("func ") || line.starts_with("type ") {
            break;
        }
        let spec = match line.strip_prefix("import") {
            Some(rest) if rest.trim_start().starts_with('(') => {
                is_in_block = true;
                continue;
            }
            Some(rest) => rest.trim(),
            None if is_in_block && line.starts_with(')') => {
                is_in_block = false;
                continue;
            }
            None if is_in_block => line,
            None => continue,
        };
        let Some((alias, rest)) = spec.split_once('"') else { continue };
        let Some((path, _)) = rest.split_once('"') else { continue };
        let alias = alias.trim();
        if !alias.is_empty() && alias != "_" && alias != "." {
            names.push(alias.to_owned());
            continue;
        }
        // The name of a package is most often its folder's: `v2` is of the one before it, and what stands
        // before a dash or behind a dot is not part of it.
        let mut parts = path.rsplit('/');
        let last = parts.next().unwrap_or_default();
        let is_version = last.strip_prefix('v').is_some_and(|n| !n.is_empty() && n.chars().all(|c| c.is_ascii_digit()));
        let last = if is_version { parts.next().unwrap_or(last) } else { last };
        let last = last.split('.').next().unwrap_or(last);
        names.push(last.to_owned());
        if let Some((_, behind)) = last.rsplit_once('-') {
            names.push(behind.to_owned());
        }
        if let Some(behind) = last.strip_prefix("go-") {
            names.push(behind.replace('-', ""));
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "package a\n\nimport (\n\t\"fmt\"\n\tx \"a/b\"\n\t\"gopkg.in/yaml.v3\"\n\t\"a/lib/v2\"\n)\n\n// F does.\nfunc F[T any](n int) int {\n\n\treturn n\n}\n\nfunc (l *List[K, V]) Add(n int) {\n\tfmt.Println(n)\n}\n\nvar g = make([]int, 3)\n";

    #[test]
    fn a_line_is_that_which_is_meant_or_it_is_said_why_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.go");
        std::fs::write(&path, FILE).unwrap();
        let sources = Sources::default();
        let line = |n, function: &str| sources.line(&path, n, &Function::parse(function));
        assert_eq!(line(13, "a.F[...]").as_deref(), Ok("return n"));
        assert_eq!(line(17, "a.(*List[...]).Add").as_deref(), Ok("fmt.Println(n)"));
        assert_eq!(line(17, "a.(*List[...]).Add.func1").as_deref(), Ok("fmt.Println(n)"));
        assert_eq!(line(20, "a.init").as_deref(), Ok("var g = make([]int, 3)"));
        assert_eq!(line(13, "a.G"), Err(Mismatch::OtherFunction { found: "F".into() }));
        assert_eq!(line(17, "a.Add"), Err(Mismatch::OtherFunction { found: "List.Add".into() }));
        assert_eq!(line(12, "a.F"), Err(Mismatch::Empty));
        assert_eq!(line(99, "a.F"), Err(Mismatch::NoSuchLine { lines: 20 }));
        assert_eq!(line(0, "a.F"), Err(Mismatch::NoSuchLine { lines: 20 }));
        assert_eq!(sources.line(Path::new("/nowhere.go"), 1, &Function::parse("a.F")), Err(Mismatch::NoFile));
        assert!(["fmt", "x", "yaml", "lib"].iter().all(|name| sources.imports(&path, name)));
        assert!(!sources.imports(&path, "b"));
    }
}
