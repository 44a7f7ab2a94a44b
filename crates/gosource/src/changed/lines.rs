//! Lines of the functions that a verdict names, and of those that they call, that are not as they were in the
//! last good revision: each with the commit that made it what it is. Authors are not asked for.

use std::collections::BTreeMap;

use lastgasp_diagnosis::facts::{Frame, Vcs};

use super::functions::{Declared, functions};
use super::hunks::{Hunk, hunks};
use super::repository::{NotKnown, Repository};
use crate::join::Function;

/// The two revisions, and the functions that are asked about.
#[derive(Clone, Debug, Default)]
pub struct Between {
    /// What the binary that died was built from; `None` if it does not say.
    pub died: Option<Vcs>,
    /// When it died, in seconds since 1970; 0: not known.
    pub died_unix: i64,
    /// The revision known to be good: a hash, a tag, a branch.
    pub good: Option<String>,
    /// Frames of the verdict, the one that matters most first.
    pub frames: Vec<Frame>,
}

/// What changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// The good revision's hash.
    pub good: String,
    /// That of the one that died.
    pub died: String,
    /// Whether the binary was built from a working copy with changes that no revision has.
    pub is_modified: bool,
    /// Lines of the verdict's functions, in the order of its frames, then those of what they call.
    pub lines: Vec<ChangedLines>,
    /// Go files that differ at all.
    pub files: usize,
}

/// Lines that changed, of one function and one commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedLines {
    /// The function, as the source names it: `(*Server).ugcTab`.
    pub function: String,
    /// The function of the verdict that calls it; `None` if it is of the verdict itself.
    pub called_by: Option<String>,
    /// File, from the repository's root.
    pub file: String,
    /// First line.
    pub first: u32,
    /// Last line.
    pub last: u32,
    /// Whether lines were only removed here.
    pub is_removal: bool,
    /// Hash of the commit, in short; empty where lines were only removed.
    pub commit: String,
    /// When it was committed, in seconds since 1970.
    pub committed_unix: i64,
}

impl ChangedLines {
    /// `changed in abc1234, 3 days before`
    #[must_use]
    pub fn words(&self, died_unix: i64) -> String {
        if self.is_removal {
            return "lines were removed here".to_owned();
        }
        let before = died_unix.saturating_sub(self.committed_unix);
        let when = match before {
            _ if died_unix == 0 || self.committed_unix == 0 => String::new(),
            s if s < 0 => ", with a date after the death".to_owned(),
            s if s < 2 * 3600 => format!(", {} minutes before", s / 60),
            s if s < 2 * 86_400 => format!(", {} hours before", s / 3600),
            s => format!(", {} days before", s / 86_400),
        };
        format!("changed in {}{when}", self.commit)
    }
}

/// Seconds since 1970 of a time as RFC 3339 has it; 0 of anything else.
#[must_use]
pub fn unix_seconds(time: &str) -> i64 {
    time.parse::<jiff::Timestamp>().map_or(0, jiff::Timestamp::as_second)
}

/// Functions of a verdict that are looked at, those that they call, and lines of them that are told of.
const MOST_FRAMES: usize = 16;
const MOST_CALLED: usize = 64;
const MOST_LINES: usize = 100;
/// Files of a package that are read for the functions that are called.
const MOST_FILES: usize = 200;

/// What changed in the functions of a verdict.
///
/// # Errors
/// No revision, no repository, none that is good: said.
pub fn changed_lines(repository: &Repository, between: &Between) -> Result<Changes, NotKnown> {
    let vcs = between.died.as_ref().filter(|v| !v.revision.is_empty()).ok_or(NotKnown::NoRevision)?;
    let died = repository.commit(&vcs.revision)?;
    let good = repository.commit(between.good.as_deref().ok_or(NotKnown::NothingGood)?)?;
    let diff = repository.git(&[
        "diff",
        "--no-color",
        "--no-ext-diff",
        "--no-textconv",
        "--no-renames",
        "-U0",
        &good,
        &died,
        "--",
        "*.go",
    ])?;
    let changed = hunks(&diff);
    let mut changes = Changes {
        good,
        died: died.clone(),
        is_modified: vcs.modified == "true",
        files: changed.len(),
        ..Changes::default()
    };
    let listed = repository.git(&["ls-tree", "-r", "--name-only", &died])?;
    let files: Vec<&str> = listed.lines().filter(|f| f.ends_with(".go")).collect();
    let mut seen = std::collections::BTreeSet::new();
    let mut called: Vec<(String, String, String)> = Vec::new();
    for frame in between.frames.iter().take(MOST_FRAMES) {
        let function = Function::parse(&frame.function);
        let Some(file) = file_of(&files, &frame.file) else { continue };
        let text = repository.git(&["show", "--no-textconv", &format!("{died}:{file}")])?;
        let all = functions(&text);
        let Some(declared) = all.iter().find(|d| d.receiver == function.receiver && d.name == function.name) else {
            continue;
        };
        if seen.insert((file.to_owned(), declared.first)) {
            add(repository, &mut changes, &changed, file, declared, None)?;
            let names = declared.calls.iter().map(|c| (folder(file).to_owned(), spelled(declared), c.clone()));
            called.extend(names.take(MOST_CALLED));
        }
    }
    of_called(repository, &mut changes, &changed, &called, &mut seen)?;
    Ok(changes)
}

/// Functions that are called by those of the verdict: only files that changed can have lines that did.
fn of_called(
    repository: &Repository,
    changes: &mut Changes,
    changed: &BTreeMap<String, Vec<Hunk>>,
    called: &[(String, String, String)],
    seen: &mut std::collections::BTreeSet<(String, u32)>,
) -> Result<(), NotKnown> {
    let died = changes.died.clone();
    for file in changed.keys().take(MOST_FILES) {
        let from_here: Vec<_> = called.iter().filter(|(dir, _, _)| dir == folder(file)).collect();
        if from_here.is_empty() {
            continue;
        }
        let text = repository.git(&["show", "--no-textconv", &format!("{died}:{file}")])?;
        for declared in functions(&text) {
            let by = from_here.iter().find(|(_, _, name)| *name == declared.name);
            if let Some((_, by, _)) = by
                && seen.insert((file.clone(), declared.first))
            {
                add(repository, changes, changed, file, &declared, Some(by.clone()))?;
            }
        }
    }
    Ok(())
}

/// Adds the lines of a function that changed, by commit.
fn add(
    repository: &Repository,
    changes: &mut Changes,
    changed: &BTreeMap<String, Vec<Hunk>>,
    file: &str,
    declared: &Declared,
    called_by: Option<String>,
) -> Result<(), NotKnown> {
    let Some(hunks) = changed.get(file) else { return Ok(()) };
    let line = |first, last, is_removal, commit: String, committed_unix| ChangedLines {
        function: spelled(declared),
        called_by: called_by.clone(),
        file: file.to_owned(),
        first,
        last,
        is_removal,
        commit,
        committed_unix,
    };
    for hunk in hunks.iter().filter(|h| h.first <= declared.last && h.last() >= declared.first) {
        if changes.lines.len() >= MOST_LINES {
            break;
        }
        if hunk.lines == 0 {
            // A gap before the function's first line is none of it.
            if hunk.first < declared.last {
                changes.lines.push(line(hunk.first, hunk.first, true, String::new(), 0));
            }
            continue;
        }
        let (first, last) = (hunk.first.max(declared.first), hunk.last().min(declared.last));
        let range = format!("{first},{last}");
        let revision = changes.died.clone();
        let blame = repository.git(&["blame", "--porcelain", "--no-textconv", "-L", &range, &revision, "--", file])?;
        for (commit, committed, first, last) in blamed(&blame) {
            changes.lines.push(line(first, last, false, commit, committed));
        }
    }
    Ok(())
}

/// Runs of lines of one commit: its short hash, when it was committed, first and last line.
fn blamed(porcelain: &str) -> Vec<(String, i64, u32, u32)> {
    let mut runs: Vec<(String, i64, u32, u32)> = Vec::new();
    let mut times: BTreeMap<String, i64> = BTreeMap::new();
    let mut current = String::new();
    for line in porcelain.lines() {
        if line.starts_with('\t') {
            continue;
        }
        if let Some(time) = line.strip_prefix("committer-time ") {
            times.insert(current.clone(), time.parse().unwrap_or(0));
            continue;
        }
        let mut words = line.split(' ');
        let (Some(hash), Some(_), Some(number)) = (words.next(), words.next(), words.next()) else { continue };
        if hash.len() < 40 || !hash.bytes().all(|b| b.is_ascii_hexdigit()) {
            continue;
        }
        let Ok(number) = number.parse::<u32>() else { continue };
        hash.clone_into(&mut current);
        match runs.last_mut() {
            Some(run) if run.0 == hash && run.3.checked_add(1) == Some(number) => run.3 = number,
            _ => runs.push((hash.to_owned(), 0, number, number)),
        }
    }
    for run in &mut runs {
        run.1 = times.get(&run.0).copied().unwrap_or(0);
        run.0.truncate(7);
    }
    runs
}

fn spelled(declared: &Declared) -> String {
    if declared.receiver.is_empty() {
        declared.name.clone()
    } else {
        format!("{}.{}", declared.receiver, declared.name)
    }
}

fn folder(file: &str) -> &str {
    file.rsplit_once('/').map_or("", |(dir, _)| dir)
}

/// The repository's file that a frame's is: the one that ends like it for the longest, if it is one alone.
fn file_of<'a>(files: &[&'a str], framed: &str) -> Option<&'a str> {
    let alike = |file: &str| file.rsplit('/').zip(framed.rsplit('/')).take_while(|(a, b)| a == b).count();
    let best = files.iter().map(|f| alike(f)).max().filter(|n| *n > 0)?;
    let mut found = files.iter().filter(|f| alike(f) == best);
    let one = found.next()?;
    found.next().is_none().then_some(*one)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_found_by_its_end() {
        let files = ["cmd/a/main.go", "cmd/b/main.go", "store/x.go"];
        assert_eq!(file_of(&files, "/build/cmd/b/main.go"), Some("cmd/b/main.go"));
        assert_eq!(file_of(&files, "example.com/svc/store/x.go"), Some("store/x.go"));
        assert_eq!(file_of(&files, "/app/main.go"), None, "either");
        assert_eq!(file_of(&files, "/usr/local/go/src/fmt/print.go"), None);
    }

    #[test]
    fn days_before() {
        let line = |committed_unix| ChangedLines {
            function: "f".into(),
            called_by: None,
            file: "a.go".into(),
            first: 1,
            last: 1,
            is_removal: false,
            commit: "abc1234".into(),
            committed_unix,
        };
        let now = 1_000_000_000;
        assert_eq!(line(now - 3 * 86_400).words(now), "changed in abc1234, 3 days before");
        assert_eq!(line(now - 7200).words(now), "changed in abc1234, 2 hours before");
        assert_eq!(line(now + 5).words(now), "changed in abc1234, with a date after the death");
        assert_eq!(line(now).words(0), "changed in abc1234");
    }
}
