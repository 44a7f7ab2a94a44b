//! `lastgasp check [PACKAGES|DIR]`.

use std::collections::BTreeSet;
use std::io::IsTerminal as _;
use std::path::Path;

use anyhow::{Context as _, Result, anyhow};
use lastgasp_gosource::project::{GapKind, Options, Platform, load};
use lastgasp_gosource::{Baseline, Certainty, Level, check as look, is_quiet};
use lastgasp_report::{CheckView, Look, beside_json, beside_text, check_github, check_json, check_sarif, check_text};

use super::check_with::hold;
use crate::args::{CheckFlags, CheckFormat, SourceLevel};
use crate::exit::Exit;
use crate::output::{complain, say};

/// Reads source and prints what it finds.
pub(super) fn check(flags: &CheckFlags) -> Result<Exit> {
    let tags: BTreeSet<String> = flags.tags.iter().cloned().collect();
    let mut platform = Platform { tags, ..Platform::default() };
    if let Some(system) = &flags.goos {
        platform.system.clone_from(system);
    }
    if let Some(processor) = &flags.goarch {
        platform.processor.clone_from(processor);
    }
    let options = Options { platform, tests: flags.tests, vendor: flags.vendor, ..Options::default() };
    let project = load(Path::new("."), &flags.what, &options).map_err(|e| anyhow!(e))?;
    let mut checked = look(&project, options.max_bytes);
    let mut shown = std::mem::take(&mut checked.findings);
    let beside = hold(&mut shown, &flags.with, &flags.what, &flags.tags)?;
    let all = shown.len();
    if !flags.hints {
        shown.retain(|f| !is_quiet(&f.code) || f.certainty == Certainty::Seen);
    }
    let hints_left_out = all - shown.len();
    if let Some(file) =
        flags.write_baseline.then(|| flags.baseline.clone().unwrap_or_else(|| ".lastgasp-baseline.json".into()))
    {
        let text = serde_json::to_string_pretty(&Baseline::of(&shown))? + "\n";
        std::fs::write(&file, text)
            .with_context(|| format!("{}: cannot be written (give another file with --baseline)", file.display()))?;
        complain(&format!(
            "lastgasp: {}: {} findings, left out from now on with --baseline",
            file.display(),
            shown.len()
        ));
        return Ok(Exit::Fine);
    }
    let mut in_baseline = 0;
    if let Some(file) = &flags.baseline {
        let text = std::fs::read_to_string(file)
            .with_context(|| format!("{}: cannot be read (--write-baseline writes one)", file.display()))?;
        let baseline = Baseline::parse(&text).map_err(|e| anyhow!("{}: {e}", file.display()))?;
        in_baseline = baseline.take_from(&mut shown);
    }
    if let Some(least) = flags.level {
        shown.retain(|f| f.level >= level(least));
    }
    let view = CheckView {
        checked: &checked,
        shown: &shown,
        hints_left_out,
        in_baseline,
        not_read: [project.tests_left_out, project.other_platforms, project.vendor_left_out],
    };
    say(&match flags.format {
        CheckFormat::Text => {
            let colours = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
            let look = if colours { Look::Coloured } else { Look::Plain };
            let told = beside_text(&beside, &shown);
            let between = if told.is_empty() { "" } else { "\n" };
            told + between + &check_text(&view, look, &|file| std::fs::read_to_string(file).ok())
        }
        CheckFormat::Json => {
            let mut document = check_json(&view);
            document["beside"] = beside_json(&beside);
            serde_json::to_string_pretty(&document)? + "\n"
        }
        CheckFormat::Sarif => serde_json::to_string_pretty(&check_sarif(&view))? + "\n",
        CheckFormat::Github => check_github(&view),
    });
    // What Go itself does not read either, and comments that are none, are no holes in what was checked.
    let holes = checked.gaps.iter().any(|g| !matches!(g.kind, GapKind::Link | GapKind::Suppression | GapKind::Module));
    Ok(match flags.fail_on {
        Some(bar) if shown.iter().any(|f| f.level >= level(bar)) => Exit::Findings,
        _ if holes => Exit::Partial,
        _ => Exit::Fine,
    })
}

fn level(l: SourceLevel) -> Level {
    match l {
        SourceLevel::Hint => Level::Hint,
        SourceLevel::Warning => Level::Warning,
        SourceLevel::Critical => Level::Critical,
    }
}
