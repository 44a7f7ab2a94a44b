//! A working copy, asked through the user's own `git`. Nothing is written: no lock is taken for the sake of
//! speed, no hook, filter, pager or difference program of the repository's configuration is run.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Why it is not known what changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotKnown {
    /// The binary does not say which revision it was built from.
    #[error(
        "the binary does not say which revision it was built from: build it in its repository, with -buildvcs=true (go run, and builds of single files, leave it out)"
    )]
    NoRevision,
    /// There is no working copy.
    #[error("{0} is in no git repository: name the folder of the working copy")]
    NoRepository(String),
    /// The repository does not have a revision.
    #[error("the repository has no revision {0}: fetch it (git fetch origin {0})")]
    NoSuchRevision(String),
    /// Nobody said which revision was good.
    #[error("no revision is known to be good: give one (--good REVISION), or a capture of before (--good CAPTURE)")]
    NothingGood,
    /// `git` failed.
    #[error("git failed: {0}")]
    Git(String),
}

/// A working copy.
#[derive(Clone, Debug)]
pub struct Repository {
    root: PathBuf,
}

/// Bytes of an answer that are read; a difference of two years of a large service has 50 MB.
const MOST_BYTES: u64 = 256 << 20;
const MOST_ERROR: usize = 300;

impl Repository {
    /// The working copy that a folder is in.
    ///
    /// # Errors
    /// It is in none, or there is no `git`.
    pub fn of(dir: &Path) -> Result<Self, NotKnown> {
        let asked = Self { root: dir.to_owned() };
        match asked.git(&["rev-parse", "--show-toplevel"]) {
            Ok(root) => Ok(Self { root: root.trim_end_matches('\n').into() }),
            Err(NotKnown::Git(why)) if why.contains("not a git repository") => {
                Err(NotKnown::NoRepository(dir.display().to_string()))
            }
            Err(e) => Err(e),
        }
    }

    /// Its folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A commit's whole hash, of whatever names it.
    ///
    /// # Errors
    /// There is no such commit.
    pub fn commit(&self, name: &str) -> Result<String, NotKnown> {
        if name.is_empty() || name.starts_with('-') {
            return Err(NotKnown::NoSuchRevision(name.to_owned()));
        }
        let asked = self.git(&["rev-parse", "--verify", "--quiet", &format!("{name}^{{commit}}")]);
        match asked {
            Ok(hash) => Ok(hash.trim().to_owned()),
            Err(NotKnown::Git(_)) => Err(NotKnown::NoSuchRevision(name.to_owned())),
            Err(e) => Err(e),
        }
    }

    /// What `git` answers.
    ///
    /// # Errors
    /// It cannot be started, or fails.
    pub(super) fn git(&self, arguments: &[&str]) -> Result<String, NotKnown> {
        let mut child = Command::new("git")
            .args(["-c", "core.fsmonitor=false", "-c", "core.pager=cat", "-c", "core.quotePath=false"])
            .args(arguments)
            .current_dir(&self.root)
            .env("GIT_OPTIONAL_LOCKS", "0")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_NO_LAZY_FETCH", "1")
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|e| NotKnown::Git(format!("it cannot be started: {e}")))?;
        let errors = child.stderr.take().map(|err| {
            std::thread::spawn(move || {
                let mut said = String::new();
                let _ = err.take(1 << 16).read_to_string(&mut said);
                said
            })
        });
        let mut said = Vec::new();
        if let Some(out) = child.stdout.take() {
            let _ = out.take(MOST_BYTES).read_to_end(&mut said);
        }
        let status = child.wait().map_err(|e| NotKnown::Git(e.to_string()))?;
        let error = errors.and_then(|e| e.join().ok()).unwrap_or_default();
        if !status.success() {
            let why = error.lines().next().unwrap_or("it says nothing");
            return Err(NotKnown::Git(why.chars().take(MOST_ERROR).collect()));
        }
        Ok(String::from_utf8_lossy(&said).into_owned())
    }
}
