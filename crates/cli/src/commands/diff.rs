//! `lastgasp diff BEFORE AFTER`.

use anyhow::{Context as _, Result};
use lastgasp_diagnosis::Facts;
use lastgasp_report::{diff_json, diff_text};

use super::capture::{provenance_of, take_subject};
use super::stop::Stop;
use super::subject::Subject;
use crate::args::AnswerFormat;
use crate::exit::Exit;
use crate::output::say;

/// Prints what changed from one capture to another.
pub(super) fn diff(before: &str, after: &str, format: AnswerFormat) -> Result<Exit> {
    // Both are looked for before either is read: a process is not stopped for a name that was mistyped.
    let subjects =
        [before, after].map(|s| Subject::parse(s).with_context(|| format!("cannot compare {before} and {after}")));
    let [before, after] = subjects;
    let (before, after) = (facts_of(&before?)?, facts_of(&after?)?);
    match format {
        AnswerFormat::Text => say(&diff_text(&before, &after)),
        AnswerFormat::Json => say(&(serde_json::to_string_pretty(&diff_json(&before, &after))? + "\n")),
    }
    Ok(Exit::Fine)
}

/// Each is what it is itself: a death that is told by several captures would be compared with itself.
fn facts_of(subject: &Subject) -> Result<Facts> {
    if let Subject::Capture(path) = subject {
        return Ok(lastgasp_store::read(path)?);
    }
    let taken = take_subject(subject, None, Stop::ForTheCopy)?;
    Ok(taken.decoded(&provenance_of(&taken)).facts)
}
