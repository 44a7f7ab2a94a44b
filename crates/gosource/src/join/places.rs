//! Lines of files, the same however they are spelled: `/home/me/svc/a.go`, `example.com/svc/a.go` of a build
//! with `-trimpath`, `./a.go` of the compiler, `/go/pkg/mod/example.com/lib@v1.2.3/a.go`,
//! `svc/vendor/example.com/lib/a.go`, `/usr/local/go/src/fmt/print.go` and `fmt/print.go`.

use std::path::{Component, Path, PathBuf};

use rustc_hash::FxHashSet;

use super::names::Function;
use crate::escapes::Packages;
use lastgasp_diagnosis::facts::Frame;

/// A line of a file of a package.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Line {
    /// Import path of the package.
    pub package: String,
    /// Name of the file in its folder.
    pub file: String,
    /// Line, counted from 1.
    pub line: u32,
}

/// What is known of where packages stand.
#[derive(Clone, Debug, Default)]
pub struct Places {
    packages: Packages,
    /// Import paths that somebody has named: a build log's headings.
    named: FxHashSet<String>,
    /// Where `./` is.
    dir: PathBuf,
}

impl Places {
    /// What `go list` says, what a log has headings of, and where it ran.
    #[must_use]
    pub fn new(packages: Packages, named: impl IntoIterator<Item = String>, dir: PathBuf) -> Self {
        Self { packages, named: named.into_iter().collect(), dir }
    }

    /// The packages.
    #[must_use]
    pub fn packages(&self) -> &Packages {
        &self.packages
    }

    /// Where `./` is.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The line that a frame of a profile stands in.
    #[must_use]
    pub fn of_frame(&self, frame: &Frame) -> Line {
        let package = Function::parse(&frame.function).package;
        let by_file = self.import_path(&frame.file);
        let package = match by_file {
            Some(path) => path,
            None if package == "main" => self.main_package(&frame.file).unwrap_or(package),
            None => package,
        };
        Line { package, file: base(&frame.file).to_owned(), line: frame.line }
    }

    /// The line that the compiler means, of the package that it compiled.
    #[must_use]
    pub fn of_compiler(&self, package: &str, file: &str, line: u32) -> Line {
        let package = self.import_path(file).unwrap_or_else(|| package.to_owned());
        Line { package, file: base(file).to_owned(), line }
    }

    /// The file of a line on this machine, if its package's folder is known.
    #[must_use]
    pub fn path(&self, line: &Line) -> Option<PathBuf> {
        let package = self.packages.of_path(&line.package)?;
        (!package.dir.is_empty()).then(|| Path::new(&package.dir).join(&line.file))
    }

    /// Import path of the package that a file belongs to, as far as its name tells.
    fn import_path(&self, file: &str) -> Option<String> {
        if file.starts_with("./") || file.starts_with("../") {
            let path = normal(&self.dir.join(file));
            return self.of_dir(folder(path.to_str()?));
        }
        let dir = folder(file);
        if let Some(path) = self.of_dir(dir) {
            return Some(path);
        }
        if let Some((_, cached)) = file.rsplit_once("/pkg/mod/") {
            if let Some((_, standard)) =
                cached.split_once("/src/").filter(|_| cached.starts_with("golang.org/toolchain@"))
            {
                return Some(folder(standard).to_owned());
            }
            return Some(without_version(&unescaped(folder(cached))));
        }
        // The standard library's copies of other modules are packages of that name; those of a module are
        // known by the name behind it.
        if let Some((before, vendored)) = file.rsplit_once("/vendor/") {
            return Some(match before.ends_with("/src") {
                true => format!("vendor/{}", folder(vendored)),
                false => folder(vendored).to_owned(),
            });
        }
        let mut rest = dir;
        while let Some((_, behind)) = rest.split_once("/src/") {
            if self.is_known(behind) {
                return Some(behind.to_owned());
            }
            rest = behind;
        }
        if !file.starts_with('/') {
            let path = without_version(dir);
            if self.is_known(&path) || path.split('/').next().is_some_and(|host| host.contains('.')) {
                return Some(path);
            }
        }
        None
    }

    fn of_dir(&self, dir: &str) -> Option<String> {
        Some(self.packages.of_dir(dir)?.import_path.clone())
    }

    fn is_known(&self, import_path: &str) -> bool {
        self.packages.of_path(import_path).is_some() || self.named.contains(import_path)
    }

    /// The command's package: of several the one whose folder's name ends most like the file's.
    fn main_package(&self, file: &str) -> Option<String> {
        let mains = || self.packages.iter().filter(|p| p.name == "main" && !p.dep_only);
        let alike = |dir: &str| {
            let (a, b) = (folder(file).rsplit('/'), dir.rsplit('/'));
            a.zip(b).take_while(|(a, b)| a == b).count()
        };
        let best = mains().map(|p| alike(&p.dir).max(alike(&p.import_path))).max()?;
        let mut best_ones = mains().filter(|p| alike(&p.dir).max(alike(&p.import_path)) == best);
        let one = best_ones.next()?;
        // Of two that fit as well nobody knows which it is.
        best_ones.next().is_none().then(|| one.import_path.clone())
    }
}

/// The folder of a file's name; empty if it has none.
fn folder(file: &str) -> &str {
    file.rsplit_once('/').map_or("", |(dir, _)| dir)
}

/// The last part of a file's name.
fn base(file: &str) -> &str {
    file.rsplit('/').next().unwrap_or(file)
}

/// `example.com/lib@v1.2.3/sub` is `example.com/lib/sub`.
fn without_version(path: &str) -> String {
    path.split('/').map(|part| part.split('@').next().unwrap_or(part)).collect::<Vec<_>>().join("/")
}

/// `github.com/!burnt!sushi` is `github.com/BurntSushi`: the module cache spells capitals so.
fn unescaped(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    let mut is_capital = false;
    for c in path.chars() {
        match c {
            '!' => is_capital = true,
            c if is_capital => {
                out.extend(c.to_uppercase());
                is_capital = false;
            }
            c => out.push(c),
        }
    }
    out
}

/// A path without `.` and `..`, by its words alone.
fn normal(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            part => out.push(part),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::escapes::Package;

    fn places() -> Places {
        let package = |path: &str, dir: &str, name: &str| Package {
            import_path: path.into(),
            dir: dir.into(),
            name: name.into(),
            standard: !path.contains('.'),
            ..Package::default()
        };
        let packages = Packages::of([
            package("example.com/svc/cmd/a", "/home/me/svc/cmd/a", "main"),
            package("example.com/svc/cmd/b", "/home/me/svc/cmd/b", "main"),
            package("example.com/svc/store", "/home/me/svc/store", "store"),
            package("fmt", "/usr/local/go/src/fmt", "fmt"),
            package("gopkg.in/yaml.v3", "/go/pkg/mod/gopkg.in/yaml.v3@v3.0.1", "yaml"),
        ]);
        Places::new(packages, [], "/home/me/svc".into())
    }

    #[test]
    fn a_line_is_the_same_however_it_is_spelled() {
        let places = places();
        let frame = |function: &str, file: &str| {
            places.of_frame(&Frame { function: function.into(), file: file.into(), line: 7 }).package
        };
        for file in ["/home/me/svc/store/x.go", "example.com/svc/store/x.go", "/build/elsewhere/store/x.go"] {
            assert_eq!(frame("example.com/svc/store.Get", file), "example.com/svc/store", "{file}");
        }
        for file in ["/home/me/svc/cmd/b/main.go", "example.com/svc/cmd/b/main.go", "/app/cmd/b/main.go"] {
            assert_eq!(frame("main.main", file), "example.com/svc/cmd/b", "{file}");
        }
        assert_eq!(frame("main.main", "/app/main.go"), "main", "nobody knows which");
        for file in [
            "/usr/local/go/src/fmt/print.go",
            "fmt/print.go",
            "/go/pkg/mod/golang.org/toolchain@v0.0.1-go1.27.4.linux-amd64/src/fmt/print.go",
            "/opt/go/src/fmt/print.go",
        ] {
            assert_eq!(frame("fmt.Sprint", file), "fmt", "{file}");
        }
        for file in [
            "/go/pkg/mod/gopkg.in/yaml.v3@v3.0.1/yaml.go",
            "gopkg.in/yaml.v3@v3.0.1/yaml.go",
            "/other/pkg/mod/gopkg.in/yaml.v3@v3.0.2/yaml.go",
            "/home/x/vendor/gopkg.in/yaml.v3/yaml.go",
        ] {
            assert_eq!(frame("gopkg.in/yaml%2ev3.Unmarshal", file), "gopkg.in/yaml.v3", "{file}");
        }
        assert_eq!(
            frame("x.F", "/go/pkg/mod/github.com/!burnt!sushi/toml@v1.0.0/decode.go"),
            "github.com/BurntSushi/toml"
        );
        let compiler = |package: &str, file: &str| places.of_compiler(package, file, 7).package;
        assert_eq!(compiler("example.com/svc/cmd/a", "./store/x.go"), "example.com/svc/store");
        assert_eq!(compiler("example.com/svc/cmd/a", "cmd/a/main.go"), "example.com/svc/cmd/a");
        assert_eq!(
            places.path(&places.of_compiler("fmt", "/x/src/fmt/print.go", 1)),
            Some("/usr/local/go/src/fmt/print.go".into())
        );
    }
}
