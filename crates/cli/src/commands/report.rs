//! `lastgasp report CAPTURE|CORE|PID`.

use std::path::Path;

use anyhow::{Context as _, Result};
use lastgasp_diagnosis::Level;
use lastgasp_report::{beside_json, beside_text, document, page, terminal};
use lastgasp_store::{Told, tell};

use super::capture::{provenance_of, take_subject};
use super::check_with::source_of;
use super::stop::Stop;
use super::subject::Subject;
use crate::args::{FailOn, Format};
use crate::exit::Exit;
use crate::output::say;

/// Prints a report.
pub(super) fn report(
    subject: &str,
    exe: Option<&Path>,
    format: Format,
    out: Option<&Path>,
    fail_on: Option<FailOn>,
    source: Option<&Path>,
) -> Result<Exit> {
    let Told { facts, diagnosis, path } = told(subject, exe)?;
    let path = path.map(|p| p.display().to_string());
    let source = source.map(|dir| source_of(dir, &facts)).transpose()?;
    let whole = || {
        let mut document = document(&facts, &diagnosis, path.as_deref());
        if let Some((beside, findings)) = &source {
            document["source"] = beside_json(beside);
            let named = findings.iter().filter(|f| beside.linked.iter().any(|l| l.findings.contains(&f.fingerprint)));
            document["source"]["findings"] = serde_json::to_value(named.collect::<Vec<_>>()).unwrap_or_default();
        }
        document
    };
    let text = match format {
        Format::Text => {
            let told = source.as_ref().map(|(beside, findings)| beside_text(beside, findings)).unwrap_or_default();
            let heading = if told.is_empty() { "" } else { "\nSOURCE\n" };
            terminal(&facts, &diagnosis) + heading + &told
        }
        Format::Json => serde_json::to_string_pretty(&whole())? + "\n",
        Format::Html => page(&whole()),
    };
    match out {
        Some(file) => std::fs::write(file, text)
            .with_context(|| format!("{}: cannot be written (give another file with --out)", file.display()))?,
        None => say(&text),
    }
    let bar = fail_on.map(|f| match f {
        FailOn::Info => Level::Info,
        FailOn::Warning => Level::Warning,
        FailOn::Critical => Level::Critical,
    });
    Ok(match bar {
        Some(bar) if diagnosis.level() >= bar => Exit::Findings,
        _ if !facts.capture.is_complete() => Exit::Partial,
        _ => Exit::Fine,
    })
}

/// What there is to tell of a subject: of a capture whose process died, the death.
fn told(subject: &str, exe: Option<&Path>) -> Result<Told<'static>> {
    let subject = Subject::parse(subject)?;
    if let Subject::Capture(path) = &subject {
        return Ok(tell(path)?);
    }
    let taken = take_subject(&subject, exe, Stop::ForTheCopy)?;
    Ok(Told::alone(&taken.decoded(&provenance_of(&taken)).facts).into_owned())
}
