//! Findings in real projects that were read and labelled by hand: `labels/*.toml`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};
use lastgasp_gosource::project::{Options, load};
use lastgasp_gosource::{Level, check};
use serde::Deserialize;

use crate::corpus::{Spots, folder, percent};

/// The labels of one module.
#[derive(Deserialize)]
struct Labels {
    /// Path and version, as the module cache has it; `std@VERSION` is the toolchain's own.
    module: String,
    finding: Vec<Label>,
}

/// One finding, as it was when it was read.
#[derive(Deserialize)]
struct Label {
    code: String,
    file: String,
    line: u32,
    /// Whether its sentence is true, and somebody who wrote such code would want to read it.
    right: bool,
    #[serde(default)]
    #[allow(dead_code)]
    note: String,
}

/// Where a module of the cache is; nothing is fetched.
fn place(module: &str) -> Result<Option<PathBuf>> {
    let variable = if module.starts_with("std@") { "GOROOT" } else { "GOMODCACHE" };
    let Ok(out) = Command::new("go").args(["env", variable]).output() else { return Ok(None) };
    let root = PathBuf::from(String::from_utf8(out.stdout)?.trim());
    let path = if module.starts_with("std@") {
        let version = std::fs::read_to_string(root.join("VERSION")).unwrap_or_default();
        if version.lines().next().map(|v| v.trim_start_matches("go")) != module.strip_prefix("std@") {
            return Ok(None);
        }
        root.join("src")
    } else {
        // Capital letters are written `!a` in the cache.
        root.join(module.chars().fold(String::new(), |mut all, c| {
            if c.is_ascii_uppercase() {
                all.push('!');
            }
            all.push(c.to_ascii_lowercase());
            all
        }))
    };
    Ok(path.is_dir().then_some(path))
}

/// The module of a file of labels, where it is, and what was labelled as right.
pub(crate) fn right(name: &str) -> Result<(String, Option<PathBuf>, Spots)> {
    let file = folder().join("labels").join(format!("{name}.toml"));
    let text = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    let labels: Labels = toml::from_str(&text).with_context(|| file.display().to_string())?;
    let right = labels.finding.into_iter().filter(|l| l.right).map(|l| (l.file, l.line, l.code)).collect();
    Ok((labels.module.clone(), place(&labels.module)?, right))
}

/// The table: of what is found now, how much was labelled, and how much of that is right.
pub(crate) fn table() -> Result<String> {
    let mut out = "Findings in real projects, labelled by hand (lab/source/labels)\n\n".to_owned();
    let mut by_code: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    let mut by_level: BTreeMap<Level, (usize, usize)> = BTreeMap::new();
    let (mut right, mut wrong, mut gone_right, mut gone_wrong) = (0, 0, 0, 0);
    let mut files: Vec<_> = std::fs::read_dir(folder().join("labels"))?.flatten().map(|e| e.path()).collect();
    files.sort();
    for file in files {
        let text = std::fs::read_to_string(&file)?;
        let labels: Labels = toml::from_str(&text).with_context(|| file.display().to_string())?;
        let Some(place) = place(&labels.module)? else {
            writeln!(out, "SKIPPED {}: not in the module cache (go mod download fetches it)", labels.module)?;
            continue;
        };
        let options = Options::default();
        let project = load(&place, &[], &options).map_err(anyhow::Error::msg)?;
        let findings = check(&project, options.max_bytes).findings;
        let found: BTreeMap<(String, String, u32), Level> =
            findings.into_iter().map(|f| ((f.code, f.place.file, f.place.line), f.level)).collect();
        let (mut here, mut good) = (0, 0);
        for l in &labels.finding {
            let level = found.get(&(l.code.clone(), l.file.clone(), l.line));
            let still = level.is_some();
            if let Some(level) = level.filter(|l| **l > Level::Hint) {
                let sum = by_level.entry(*level).or_insert((0, 0));
                sum.0 += usize::from(l.right);
                sum.1 += 1;
            }
            match (still, l.right) {
                (true, true) => right += 1,
                (true, false) => wrong += 1,
                (false, true) => gone_right += 1,
                (false, false) => gone_wrong += 1,
            }
            if still {
                let entry = by_code.entry(l.code.clone()).or_default();
                entry.0 += usize::from(l.right);
                entry.1 += 1;
                here += 1;
                good += usize::from(l.right);
            }
        }
        writeln!(out, "{:<62}{here:>5} labelled{good:>5} right", labels.module)?;
    }
    writeln!(out, "\n{:<28}{:>9}{:>7}{:>11}", "rule", "labelled", "right", "precision")?;
    for (code, (good, all)) in &by_code {
        writeln!(out, "{code:<28}{all:>9}{good:>7}{:>11}", percent(*good, *all))?;
    }
    writeln!(out, "{:<28}{:>9}{right:>7}{:>11}", "all", right + wrong, percent(right, right + wrong))?;
    for (level, (good, all)) in by_level.iter().rev() {
        writeln!(out, "{:<28}{all:>9}{good:>7}{:>11}", format!("of these {}", level.word()), percent(*good, *all))?;
    }
    writeln!(
        out,
        "Of all labels {gone_wrong} wrong findings are no longer made, and {gone_right} right ones are missed now.\n"
    )?;
    Ok(out)
}

/// Every label, a line each: module, rule, file, line, what was labelled, and the level that is told now.
pub(crate) fn each() -> Result<String> {
    let mut out = String::new();
    let mut files: Vec<_> = std::fs::read_dir(folder().join("labels"))?.flatten().map(|e| e.path()).collect();
    files.sort();
    for file in files {
        let labels: Labels = toml::from_str(&std::fs::read_to_string(&file)?)?;
        let Some(place) = place(&labels.module)? else { continue };
        let options = Options::default();
        let project = load(&place, &[], &options).map_err(anyhow::Error::msg)?;
        let findings = check(&project, options.max_bytes).findings;
        let levels: BTreeMap<(String, String, u32), Level> =
            findings.into_iter().map(|f| ((f.code, f.place.file, f.place.line), f.level)).collect();
        for l in labels.finding {
            let level = levels.get(&(l.code.clone(), l.file.clone(), l.line)).map_or("gone", |l| l.word());
            let said = if l.right { "right" } else { "wrong" };
            writeln!(out, "{} {} {}:{} {said} {level}", labels.module, l.code, l.file, l.line)?;
        }
    }
    Ok(out)
}
