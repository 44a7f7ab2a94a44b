//! Modules and workspaces: `go.mod`, `go.work`.

use std::path::{Path, PathBuf};

/// Most bytes of a `go.mod` or `go.work` that are read.
const MAX_BYTES: usize = 1 << 20;

/// A module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    /// Its path, from the `module` line.
    pub path: String,
    /// Folder of its `go.mod`.
    pub dir: PathBuf,
    /// Minor of its `go` line: `go 1.22.3` gives 22.
    pub go_minor: Option<u32>,
}

impl Module {
    /// The module of a `go.mod`'s text; none without a `module` line.
    #[must_use]
    pub fn parse(text: &str, dir: &Path) -> Option<Self> {
        let mut path = None;
        let mut go_minor = None;
        for line in text.lines() {
            let line = line.split("//").next().unwrap_or_default().trim();
            if let Some(rest) = word(line, "module") {
                path = path.or_else(|| Some(rest.trim_matches(['"', '`']).to_owned()));
            } else if let Some(rest) = word(line, "go") {
                go_minor = go_minor.or_else(|| rest.split('.').nth(1)?.parse().ok());
            }
        }
        path.filter(|p| !p.is_empty()).map(|path| Self { path, dir: dir.to_owned(), go_minor })
    }
}

fn word<'a>(line: &'a str, word: &str) -> Option<&'a str> {
    let rest = line.strip_prefix(word)?;
    rest.starts_with([' ', '\t']).then(|| rest.trim())
}

/// The module that a folder is in, and the text of a `go.mod` that is none.
///
/// # Errors
/// The nearest `go.mod` has no `module` line, or cannot be read.
pub fn find_module(dir: &Path) -> Result<Option<Module>, PathBuf> {
    for up in dir.ancestors() {
        let file = up.join("go.mod");
        if file.is_file() {
            let text = read(&file).ok_or_else(|| file.clone())?;
            return Module::parse(&text, up).map(Some).ok_or(file);
        }
    }
    Ok(None)
}

/// The folders that a `go.work` in this folder uses, in its order; none if there is no such file.
#[must_use]
pub fn workspace(dir: &Path) -> Vec<PathBuf> {
    let Some(text) = read(&dir.join("go.work")) else { return Vec::new() };
    let mut out = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        let line = line.split("//").next().unwrap_or_default().trim();
        let used = match word(line, "use") {
            Some("(") => {
                inside = true;
                continue;
            }
            Some(one) => one,
            None if line == "use(" => {
                inside = true;
                continue;
            }
            None if line == ")" => {
                inside = false;
                continue;
            }
            None if inside && !line.is_empty() => line,
            None => continue,
        };
        out.push(dir.join(used.trim_matches('"')));
    }
    out
}

fn read(file: &Path) -> Option<String> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    std::fs::File::open(file).ok()?.take(MAX_BYTES as u64).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_and_its_version() {
        let m = Module::parse("// x\nmodule  \"example.com/a\" // y\n\ngo 1.22.3\n", Path::new("d")).unwrap();
        assert_eq!((&*m.path, m.go_minor), ("example.com/a", Some(22)));
        assert_eq!(Module::parse("modulex y\ngo 1.2\n", Path::new("d")), None);
    }

    #[test]
    fn a_workspace() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(
            dir.path().join("go.work"),
            "go 1.22\nuse ./a\nuse (\n\t./b // x\n\t\"./c\"\n)\nreplace x => y\n",
        )
        .unwrap();
        let used: Vec<_> = workspace(dir.path()).iter().map(|p| p.file_name().unwrap().to_owned()).collect();
        assert_eq!(used, ["a", "b", "c"]);
    }
}
