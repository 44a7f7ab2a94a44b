//! `lastgasp check --with CAPTURE`, `--typed`, `--good REVISION`: findings held against what was seen, what
//! types say, and what changed.

use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow};
use lastgasp_diagnosis::facts::{Frame, Profile, Site};
use lastgasp_diagnosis::{Diagnosis, Facts, diagnose};
use lastgasp_gosource::changed::{Between, Changes, NotKnown, Repository, changed_lines, unix_seconds};
use lastgasp_gosource::escapes::Ask;
use lastgasp_gosource::join::{Allocated, cure_diff, excerpts, link, see};
use lastgasp_gosource::project::{Options, load};
use lastgasp_gosource::typed::{confirm, types_of};
use lastgasp_gosource::{Finding, check as look};
use lastgasp_report::{BesideFindings, Linked};

use super::evidence_of::evidence_of;
use crate::args::WithFlags;

/// Seconds that a pprof server is asked to look.
const SECONDS: u32 = 10;
/// Findings whose cure is shown as a difference.
const CURES: usize = 3;
/// Allocation sites whose functions are asked for what changed.
const CHANGED_SITES: usize = 4;

/// Holds findings against what the flags name; they come back in the order of what they weigh. Gives what is
/// told beside them.
pub(super) fn hold(
    findings: &mut Vec<Finding>,
    flags: &WithFlags,
    what: &[String],
    tags: &[String],
) -> Result<BesideFindings> {
    let mut beside = BesideFindings::default();
    if flags.typed {
        let folder = tempdir()?;
        let (dir, patterns) = module_and_patterns(what);
        let tags = if tags.is_empty() { Vec::new() } else { vec![format!("-tags={}", tags.join(","))] };
        let whom = Ask { go: flags.go.clone(), dir, patterns, flags: tags };
        let answer = types_of(&whom, &folder.0);
        let judged = confirm(findings, &answer.facts, Path::new("."));
        beside.gaps.extend(answer.gaps);
        beside.toolchain = answer.version;
        beside.typed = judged.typed;
        beside.refuted = judged.gone;
    }
    let Some(with) = &flags.with else { return Ok(beside) };
    let evidence = evidence_of(with, SECONDS)?;
    beside.subject = evidence.subject;
    let is_profile = evidence.facts.is_none();
    let facts = evidence.facts.unwrap_or_else(|| of_profile(&evidence.allocated));
    beside.gaps.extend(evidence.allocated.gaps.iter().cloned());
    see(findings, &facts);
    if is_profile {
        beside.gaps.push(
            "a profile shows what is allocated, and nothing of goroutines, collections and what is kept".to_owned(),
        );
    } else {
        against(findings, &facts, flags, what, &mut beside);
    }
    Ok(beside)
}

/// What a report is told beside, of the source in a folder: what its findings are about there.
pub(super) fn source_of(dir: &Path, facts: &Facts) -> Result<(BesideFindings, Vec<Finding>)> {
    let options = Options::default();
    let what = [dir.display().to_string()];
    let project = load(Path::new("."), &what, &options).map_err(|e| anyhow!(e))?;
    let mut findings = look(&project, options.max_bytes).findings;
    see(&mut findings, facts);
    let mut beside = BesideFindings::default();
    against(&findings, facts, &WithFlags::default(), &what, &mut beside);
    beside.verdict.clear();
    let named: Vec<&Finding> =
        findings.iter().filter(|f| beside.linked.iter().any(|l| l.findings.contains(&f.fingerprint))).collect();
    beside.excerpts = excerpts(&project, facts, &named);
    Ok((beside, findings))
}

/// What is told beside findings that were held against a capture.
fn against(findings: &[Finding], facts: &Facts, flags: &WithFlags, what: &[String], beside: &mut BesideFindings) {
    let diagnosis = diagnose(facts);
    beside.verdict = diagnosis.findings.first().map(|f| f.sentence.clone()).unwrap_or_default();
    beside.linked = linked(findings, facts, &diagnosis);
    if facts.graph.is_none() {
        beside
            .gaps
            .push("the capture has no graph of the heap: copies and what is kept without use are not known".to_owned());
    }
    for finding in findings.iter().filter(|f| is_seen(f)).take(CURES) {
        let source = std::fs::read_to_string(&finding.place.file).unwrap_or_default();
        if let Some(diff) = cure_diff(finding, &source) {
            beside.cures.push((finding.fingerprint.clone(), diff));
        }
    }
    beside.died_unix = unix_seconds(&facts.capture.taken_at);
    match changes(facts, findings, flags, &module_and_patterns(what).0, beside.died_unix) {
        Ok(changes) => beside.changes = Some(changes),
        // Nobody who did not ask what changed is told that it cannot be known.
        Err(_) if flags.good.is_none() => {}
        Err(why) => beside.gaps.push(format!("what changed is not known: {why}")),
    }
}

fn is_seen(finding: &Finding) -> bool {
    finding.evidence.iter().any(|e| e.source == "capture")
}

/// Findings of the capture, each with those of the source that are about the same.
fn linked(findings: &[Finding], facts: &Facts, diagnosis: &Diagnosis) -> Vec<Linked> {
    let each = diagnosis.findings.iter().map(|of_capture| Linked {
        code: of_capture.code.to_owned(),
        sentence: of_capture.sentence.clone(),
        findings: link(findings, facts, of_capture).iter().map(|f| f.fingerprint.clone()).collect(),
    });
    each.filter(|l| !l.findings.is_empty()).collect()
}

/// What changed in the functions that the process died in.
fn changes(
    facts: &Facts,
    findings: &[Finding],
    flags: &WithFlags,
    dir: &Path,
    died_unix: i64,
) -> Result<Changes, NotKnown> {
    let good = match &flags.good {
        None => None,
        Some(good) if Path::new(good).is_dir() => {
            let earlier = evidence_of(good, SECONDS).map_err(|e| NotKnown::Git(format!("{good}: {e:#}")))?.facts;
            let revision = earlier.and_then(|f| f.target.vcs).map(|v| v.revision).filter(|r| !r.is_empty());
            Some(revision.ok_or(NotKnown::NoRevision)?)
        }
        Some(good) => Some(good.clone()),
    };
    let mut sites: Vec<&Site> = facts.profile.sites.iter().collect();
    sites.sort_by_key(|s| std::cmp::Reverse(s.since_baseline().0.bytes));
    let frame = |at: &u32| facts.frames.get(*at as usize).cloned();
    let of_sites = sites.iter().take(CHANGED_SITES).flat_map(|s| s.stack.iter().filter_map(frame));
    let of_findings = findings.iter().filter(|f| is_seen(f)).take(CHANGED_SITES);
    let of_findings =
        of_findings.map(|f| Frame { function: f.function.clone(), file: f.place.file.clone(), line: f.place.line });
    let frames = of_findings.chain(of_sites).collect();
    let between = Between { died: facts.target.vcs.clone(), died_unix, good, frames };
    if between.died.as_ref().is_none_or(|v| v.revision.is_empty()) {
        return Err(NotKnown::NoRevision);
    }
    if between.good.is_none() {
        return Err(NotKnown::NothingGood);
    }
    changed_lines(&Repository::of(dir)?, &between)
}

/// Facts of a profile alone.
fn of_profile(allocated: &Allocated) -> Facts {
    let mut facts = Facts::default();
    for stack in &allocated.stacks {
        let first = facts.frames.len() as u32;
        facts.frames.extend(stack.frames.iter().cloned());
        facts.profile.sites.push(Site {
            stack: (first..facts.frames.len() as u32).collect(),
            current: stack.in_use,
            allocated: stack.allocated,
            ..Site::default()
        });
    }
    facts.profile = Profile { rate: 1, ..facts.profile };
    facts.target.age_ms = allocated.seconds.map(|s| (s * 1e3) as u64);
    facts
}

/// Where `go` and `git` run, and what `go` is asked for: a folder is one with all below it, as `lastgasp
/// check` takes it.
fn module_and_patterns(what: &[String]) -> (PathBuf, Vec<String>) {
    let all = || vec!["./...".to_owned()];
    match what {
        [] => (PathBuf::from("."), all()),
        [one] if Path::new(one).is_dir() => (PathBuf::from(one), all()),
        several => {
            let each = several.iter().map(|w| match Path::new(w).is_dir() {
                true if w.starts_with(['.', '/']) => format!("{}/...", w.trim_end_matches('/')),
                true => format!("./{}/...", w.trim_end_matches('/')),
                false => w.clone(),
            });
            (PathBuf::from("."), each.collect())
        }
    }
}

/// A folder that is gone when this is.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn tempdir() -> Result<Scratch> {
    let path = std::env::temp_dir().join(format!("lastgasp-types-{}", std::process::id()));
    // Of nobody else: what is built in it is run.
    std::os::unix::fs::DirBuilderExt::mode(&mut std::fs::DirBuilder::new(), 0o700).create(&path)?;
    Ok(Scratch(path))
}
