//! `lastgasp escapes [PACKAGES] --with CAPTURE|FILE|PID|URL`.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io::BufReader;

use anyhow::{Context as _, Result};
use lastgasp_gosource::escapes::{Ask, Bounds, Packages, Stopped, Text, ask, read};
use lastgasp_gosource::join::{Places, Question, Sources, join};
use lastgasp_report::{EscapesOf, escapes_json, escapes_text};

use super::evidence_of::{Evidence, evidence_of};
use crate::args::{AnswerFormat, EscapeFlags};
use crate::exit::Exit;
use crate::output::say;

/// Lines of what a toolchain complains about that are shown.
const COMPLAINTS: usize = 4;

/// Prints why what a process allocates is on the heap.
pub(super) fn escapes(patterns: Vec<String>, flags: &EscapeFlags) -> Result<Exit> {
    let Evidence { subject, allocated, .. } = evidence_of(&flags.with, flags.seconds)?;
    let dir = flags.dir.canonicalize().with_context(|| flags.dir.display().to_string())?;
    let tags = flags.tags.iter().map(|t| format!("-tags={t}"));
    let whom = Ask { go: flags.go.clone(), dir: dir.clone(), patterns, flags: tags.collect() };
    let mut gaps = allocated.gaps.clone();
    let listed = whom.packages();
    // A log tells the reasons without a toolchain; where packages stand is then told by its paths alone.
    let packages = match (listed, &flags.build_log) {
        (Ok(packages), _) => packages,
        (Err(why), Some(_)) => {
            gaps.push(format!("where packages stand is taken from the log's paths: {why}"));
            Packages::default()
        }
        (Err(why), None) => return Err(why.into()),
    };
    let (text, compiler, places) = match &flags.build_log {
        Some(log) => {
            let name = log.display().to_string();
            let open = || std::fs::File::open(log).with_context(|| name.clone());
            // Read twice: which import paths it has headings of is to be known before lines are told apart.
            let headings = read(BufReader::new(open()?), &|_: &str, _: &str, _: u32| false, Bounds::default()).packages;
            let places = Places::new(packages, headings, dir);
            let question = Question::of(&allocated, &places);
            let text = read(BufReader::new(open()?), &kept(&question, &places), Bounds::default());
            if text.allocations.is_empty() && text.lines == 0 {
                gaps.push(format!("{name} has no line of go build -gcflags=all=-m=2"));
            }
            (text, name, places)
        }
        None => {
            let places = Places::new(packages, [], dir);
            let question = Question::of(&allocated, &places);
            let told = ask(&whom, &question.packages, &kept(&question, &places))?;
            if told.failed {
                let said = told.text.others.iter().filter(|l| !l.starts_with('#')).take(COMPLAINTS);
                let said: Vec<_> = said.map(String::as_str).collect();
                gaps.push(format!("the toolchain failed for some packages: {}", said.join("; ")));
            }
            (told.text, told.version, places)
        }
    };
    gaps.extend(cut_short(&text));
    let is_log = flags.build_log.is_some();
    if !is_log && !allocated.go_version.is_empty() && allocated.go_version.split(' ').next() != Some(compiler.as_str())
    {
        gaps.push(format!(
            "the process was built with {}, and {compiler} was asked: they decide differently here and there, and lines of the standard library may differ (GOTOOLCHAIN={} asks that one)",
            allocated.go_version, allocated.go_version
        ));
    }
    let toolchain = if is_log { "" } else { compiler.as_str() };
    let joined = join(&allocated, &text, &places, &Sources::default(), toolchain);
    let of = EscapesOf { subject: &subject, allocated: &allocated, joined: &joined, compiler: &compiler, gaps: &gaps };
    match flags.format {
        AnswerFormat::Text => say(&escapes_text(&of, flags.top)),
        AnswerFormat::Json => say(&(serde_json::to_string_pretty(&escapes_json(&of))? + "\n")),
    }
    Ok(if gaps.is_empty() { Exit::Fine } else { Exit::Partial })
}

/// What is kept of a compiler's text: the lines that are asked about. A file's package is found once.
fn kept<'a>(question: &'a Question, places: &'a Places) -> impl Fn(&str, &str, u32) -> bool + 'a {
    let known: RefCell<HashMap<(String, String), lastgasp_gosource::join::Line>> = RefCell::default();
    move |package, file, line| {
        let mut known = known.borrow_mut();
        let at =
            known.entry((package.to_owned(), file.to_owned())).or_insert_with(|| places.of_compiler(package, file, 0));
        at.line = line;
        question.has(at)
    }
}

fn cut_short(text: &Text) -> Option<String> {
    match text.stopped.as_ref()? {
        Stopped::TooMany => Some("the compiler's text has more lines of these files than are kept".to_owned()),
        Stopped::Unreadable(why) => Some(format!("the compiler's text could not be read to its end: {why}")),
    }
}
