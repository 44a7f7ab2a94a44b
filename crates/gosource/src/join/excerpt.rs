//! Lines of the source around what a capture is about: where most was allocated, and where findings stand.

use lastgasp_diagnosis::facts::{Facts, Frame};
use serde::Serialize;

use super::names::Function;
use super::source::Sources;
use crate::finding::Finding;
use crate::project::{Package, Project};

/// Lines of a file, with the one that is meant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Excerpt {
    /// File, from the folder that was given.
    pub file: String,
    /// The line that is meant.
    pub line: u32,
    /// Number of the first line of `lines`.
    pub first: u32,
    /// The lines, as they stand there, each no longer than can be read; none where `note` says why.
    pub lines: Vec<String>,
    /// The function, as the capture or the finding names it.
    pub function: String,
    /// Numbers of the allocation sites of the capture whose first frame of this source it is.
    pub sites: Vec<usize>,
    /// Fingerprints of the findings that stand there.
    pub findings: Vec<String>,
    /// Why the lines cannot be the ones that ran; empty if they can.
    pub note: String,
}

/// Allocation sites whose lines are shown, the largest growth first.
const MOST_SITES: usize = 24;
/// Findings whose lines are shown.
const MOST_FINDINGS: usize = 24;
/// Lines before and after the one that is meant.
const AROUND: u32 = 4;

/// Lines around the places of a capture that lie in a project, and around findings of it. The largest sites
/// come first, as the capture ranks them, then findings.
#[must_use]
pub fn excerpts(project: &Project, facts: &Facts, findings: &[&Finding]) -> Vec<Excerpt> {
    let sources = Sources::default();
    let mut out: Vec<Excerpt> = Vec::new();
    let mut sites: Vec<_> = facts.profile.sites.iter().enumerate().collect();
    let weight = |site: &lastgasp_diagnosis::facts::Site| site.since_baseline().0.bytes.max(site.current.bytes);
    sites.sort_by_key(|(id, site)| (std::cmp::Reverse(weight(site)), *id));
    for (id, site) in sites.into_iter().filter(|(_, s)| weight(s) > 0).take(MOST_SITES) {
        let frames = site.stack.iter().filter_map(|at| facts.frames.get(*at as usize));
        let Some(new) = frames.into_iter().find_map(|frame| of_frame(project, &sources, frame)) else { continue };
        let known = out.iter_mut().find(|e| (&e.file, e.line, &e.function) == (&new.file, new.line, &new.function));
        match known {
            Some(known) => known.sites.push(id),
            None => out.push(Excerpt { sites: vec![id], ..new }),
        }
    }
    for finding in findings.iter().take(MOST_FINDINGS) {
        if let Some(known) = out.iter_mut().find(|e| e.file == finding.place.file && e.line == finding.place.line) {
            known.findings.push(finding.fingerprint.clone());
            continue;
        }
        let files = project.packages.iter().flat_map(|p| &p.files);
        let Some(file) = files.into_iter().find(|f| f.name == finding.place.file) else { continue };
        let (first, lines) = sources.around(&file.path, finding.place.line, AROUND);
        out.push(Excerpt {
            file: file.name.clone(),
            line: finding.place.line,
            first,
            lines,
            function: finding.function.clone(),
            findings: vec![finding.fingerprint.clone()],
            ..Excerpt::default()
        });
    }
    out
}

/// The lines of a frame, if its package is one of the project's. A program's own package is `main` whatever
/// its folder: of several the one is taken in whose file the line is of that function.
fn of_frame(project: &Project, sources: &Sources, frame: &Frame) -> Option<Excerpt> {
    let function = Function::parse(&frame.function);
    let base = frame.file.rsplit('/').next().filter(|b| !b.is_empty())?;
    let is_of = |p: &&Package| p.import_path == function.package || function.package == "main" && p.name == "main";
    let files = project.packages.iter().filter(is_of).flat_map(|p| &p.files);
    let mut not: Option<Excerpt> = None;
    for file in files.filter(|f| f.path.file_name().is_some_and(|n| n.to_string_lossy() == base)) {
        let excerpt = Excerpt {
            file: file.name.clone(),
            line: frame.line,
            function: frame.function.clone(),
            ..Excerpt::default()
        };
        match sources.line(&file.path, frame.line, &function) {
            Ok(_) => {
                let (first, lines) = sources.around(&file.path, frame.line, AROUND);
                return Some(Excerpt { first, lines, ..excerpt });
            }
            Err(why) => {
                let note = why.words(&file.name, frame.line, &frame.function);
                not.get_or_insert(Excerpt { note, ..excerpt });
            }
        }
    }
    not
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use lastgasp_diagnosis::facts::{Amount, Site};

    use super::*;
    use crate::project::{Options, load};

    fn project(folder: &Path) -> Project {
        std::fs::create_dir_all(folder).unwrap();
        std::fs::write(folder.join("go.mod"), "module example.com/svc\n\ngo 1.24\n").unwrap();
        let code =
            "package main\n\nfunc main() {}\n\nfunc build() []int {\n\treturn make([]int, 1<<20) // <script>\n}\n";
        std::fs::write(folder.join("main.go"), code).unwrap();
        load(folder, &[], &Options::default()).unwrap()
    }

    fn facts(line: u32, function: &str) -> Facts {
        let mut facts = Facts::default();
        let frame = |function: &str, file: &str, line| Frame { function: function.into(), file: file.into(), line };
        facts.frames =
            vec![frame("strings.Repeat", "strings/strings.go", 3), frame(function, "/build/svc/main.go", line)];
        let current = Amount { bytes: 4096, objects: 1 };
        facts.profile.sites = vec![Site::default(), Site { stack: vec![0, 1], current, ..Site::default() }];
        facts
    }

    #[test]
    fn the_first_frame_of_the_project_is_shown_with_its_lines() {
        let folder = tempfile::tempdir().unwrap();
        let project = project(folder.path());
        let got = excerpts(&project, &facts(6, "main.build"), &[]);
        assert_eq!(got.len(), 1);
        assert_eq!((got[0].file.as_str(), got[0].line, got[0].first), ("main.go", 6, 2));
        assert_eq!(got[0].sites, [1]);
        assert!(got[0].lines[4].contains("make([]int, 1<<20)") && got[0].note.is_empty(), "{got:?}");
    }

    #[test]
    fn a_line_of_another_version_is_said_and_not_shown() {
        let folder = tempfile::tempdir().unwrap();
        let project = project(folder.path());
        for (line, function) in [(60, "main.build"), (6, "main.other")] {
            let got = excerpts(&project, &facts(line, function), &[]);
            assert!(got[0].lines.is_empty() && got[0].note.contains("another version"), "{got:?}");
        }
        assert!(excerpts(&project, &facts(6, "other/pkg.build"), &[]).is_empty());
    }
}
