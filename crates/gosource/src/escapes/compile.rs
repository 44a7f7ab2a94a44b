//! The user's own toolchain, asked what it decides of some packages.
//!
//! `go list -export` builds packages and nothing else: no program is linked, run or written anywhere but into
//! the build cache, which replays the text of what it has compiled with the same flags before. Flags are
//! given to the packages that are asked for alone, so all others come out of the cache as they are. Read off
//! Go 1.19 to 1.27: the text comes on standard error, below a heading for each package.

use std::io::{BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::packages::Packages;
use super::read::{Bounds, Text, Wanted, read};

/// Whom to ask, and of what.
#[derive(Clone, Debug, Default)]
pub struct Ask {
    /// The `go` command; empty: the one on `PATH`.
    pub go: PathBuf,
    /// Folder in which it runs: of the module.
    pub dir: PathBuf,
    /// Patterns of packages, as `go` knows them; empty: `.`.
    pub patterns: Vec<String>,
    /// More flags of the build, such as `-tags=a,b`.
    pub flags: Vec<String>,
}

/// What a toolchain said.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// Its version, as in `go1.22.10`; empty if it did not say.
    pub version: String,
    /// What it decided.
    pub text: Text,
    /// Whether it failed: then what it said of some packages may be missing, and `text.others` says why.
    pub failed: bool,
}

/// Why a toolchain could not be asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CompileError {
    /// There is none.
    #[error(
        "{go} cannot be started ({why}): name the go command with --go, or give the text of `go build -gcflags=all=-m=2` with --build-log"
    )]
    NoToolchain {
        /// What was tried.
        go: String,
        /// What the system said.
        why: String,
    },
    /// It could not list the packages.
    #[error("go list {patterns} failed in {dir}: {why}")]
    NoPackages {
        /// What was asked for.
        patterns: String,
        /// Where.
        dir: String,
        /// Its last words.
        why: String,
    },
}

/// Bytes of a list of packages; of 5,000 it has 4 MB.
const LIST_BYTES: u64 = 256 << 20;
/// Bytes of an error that are kept.
const ERROR_BYTES: u64 = 64 << 10;
const FIELDS: &str = "-json=ImportPath,Name,Dir,Standard,DepOnly,Module";

impl Ask {
    /// A command line of that toolchain.
    #[must_use]
    pub fn command(&self) -> Command {
        let go = if self.go.as_os_str().is_empty() { Path::new("go") } else { &self.go };
        let mut command = Command::new(go);
        if !self.dir.as_os_str().is_empty() {
            command.current_dir(&self.dir);
        }
        command.stdin(Stdio::null());
        command
    }

    /// The packages that the patterns name, with all that they import.
    ///
    /// # Errors
    /// There is no toolchain, or it knows no such package.
    pub fn packages(&self) -> Result<Packages, CompileError> {
        let mut command = self.command();
        command.args(["list", "-e", "-deps", FIELDS]).args(&self.flags).arg("--").args(self.patterns());
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(|e| self.no_toolchain(&e))?;
        let errors = child.stderr.take().map(|mut err| {
            std::thread::spawn(move || {
                let mut said = Vec::new();
                let _ = err.by_ref().take(ERROR_BYTES).read_to_end(&mut said);
                let _ = std::io::copy(&mut err, &mut std::io::sink());
                String::from_utf8_lossy(&said).into_owned()
            })
        });
        let mut json = Vec::new();
        if let Some(out) = child.stdout.take() {
            let _ = out.take(LIST_BYTES).read_to_end(&mut json);
        }
        let said = errors.and_then(|e| e.join().ok()).unwrap_or_default();
        let _ = child.wait();
        let packages = Packages::parse(&json);
        if packages.iter().all(|p| p.dir.is_empty()) {
            let why = said.lines().map(str::trim).rfind(|l| !l.is_empty()).unwrap_or("it says nothing").to_owned();
            let patterns = self.patterns().join(" ");
            return Err(CompileError::NoPackages { patterns, dir: self.dir.display().to_string(), why });
        }
        Ok(packages)
    }

    fn patterns(&self) -> Vec<String> {
        if self.patterns.is_empty() { vec![".".to_owned()] } else { self.patterns.clone() }
    }

    fn no_toolchain(&self, e: &std::io::Error) -> CompileError {
        let go = if self.go.as_os_str().is_empty() { "go".to_owned() } else { self.go.display().to_string() };
        CompileError::NoToolchain { go, why: e.to_string() }
    }

    /// Version of the toolchain, as it says it itself in that folder (`go.mod` may ask for another).
    #[must_use]
    pub fn version(&self) -> String {
        let said = self.command().args(["env", "GOVERSION"]).stderr(Stdio::null()).output();
        said.map(|out| String::from_utf8_lossy(&out.stdout).trim().to_owned()).unwrap_or_default()
    }
}

/// Has the packages of some import paths compiled, or what the compiler said of them replayed.
///
/// # Errors
/// There is no toolchain.
pub fn ask(whom: &Ask, import_paths: &[String], wanted: &dyn Wanted) -> Result<Told, CompileError> {
    let mut told = Told { version: whom.version(), ..Told::default() };
    // A command line has room for 2 MB, and an import path rarely more than 100 bytes.
    for some in import_paths.chunks(4_000) {
        let mut command = whom.command();
        command.args(["list", "-e", "-export", "-deps", "-f", ""]).args(&whom.flags);
        command.args(some.iter().map(|path| format!("-gcflags={path}=-m=2")));
        let mut child = command
            .arg("--")
            .args(whom.patterns())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|e| whom.no_toolchain(&e))?;
        if let Some(said) = child.stderr.take() {
            merge(&mut told.text, read(BufReader::with_capacity(1 << 16, said), wanted, Bounds::default()));
        }
        told.failed |= !child.wait().is_ok_and(|status| status.success());
    }
    Ok(told)
}

fn merge(into: &mut Text, more: Text) {
    into.allocations.extend(more.allocations);
    into.inlined.extend(more.inlined);
    into.stays.extend(more.stays);
    into.packages.extend(more.packages);
    into.files.extend(more.files);
    into.lines += more.lines;
    into.others.extend(more.others);
    into.stopped = into.stopped.take().or(more.stopped);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_toolchain_is_said_with_what_to_do() {
        let whom = Ask { go: "/nowhere/go".into(), ..Ask::default() };
        let said = whom.packages().unwrap_err().to_string();
        assert!(said.contains("--build-log") && said.contains("/nowhere/go"), "{said}");
        assert_eq!(whom.version(), "");
    }
}
