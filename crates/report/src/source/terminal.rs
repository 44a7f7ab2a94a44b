//! Findings as rustc prints them: the line, what is wrong with it, and what to do.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level as Mark, Renderer, Snippet};
use lastgasp_gosource::{Finding, Level, Place};

use super::{CheckView, by_level};
use crate::printable;

/// Longest line that is shown; of longer ones only the place is named.
const MAX_LINE: usize = 400;

/// How it looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// For files and pipes.
    Plain,
    /// For a terminal.
    Coloured,
}

/// All of a check. Texts of files are asked for by the names that findings have; where one is not there, or
/// is another by now, the place alone is named.
#[must_use]
pub fn check_text(view: &CheckView<'_>, look: Look, read: &dyn Fn(&str) -> Option<String>) -> String {
    let renderer = match look {
        Look::Plain => Renderer::plain(),
        Look::Coloured => Renderer::styled(),
    };
    let mut texts: BTreeMap<&str, Option<String>> = BTreeMap::new();
    for f in view.shown {
        for p in std::iter::once(&f.place).chain(f.related.iter().map(|r| &r.place)) {
            texts.entry(&p.file).or_insert_with(|| read(&p.file));
        }
    }
    let mut out = String::new();
    for f in view.shown {
        out.push_str(&one(f, &texts, &renderer));
        out.push_str("\n\n");
    }
    out.push_str(&summary(view));
    out
}

fn one(f: &Finding, texts: &BTreeMap<&str, Option<String>>, renderer: &Renderer) -> String {
    let level = match f.level {
        Level::Critical => Mark::ERROR.with_name("critical"),
        Level::Warning => Mark::WARNING,
        Level::Hint => Mark::INFO.with_name("hint"),
    };
    let sentence = printable(&f.sentence).into_owned();
    let title = level.primary_title(sentence).id(f.code.as_str());
    let text = |p: &Place| texts.get(p.file.as_str()).and_then(Option::as_deref);
    let main = text(&f.place).and_then(|t| window(t, &f.place, &f.related));
    let mut group = match main {
        Some(w) => {
            let mut snippet = Snippet::source(w.text).line_start(w.first).path(f.place.file.as_str());
            snippet = snippet.annotation(AnnotationKind::Primary.span(w.primary));
            for (span, note) in w.others {
                snippet = snippet.annotation(AnnotationKind::Context.span(span).label(note));
            }
            Group::with_title(title).element(snippet)
        }
        None => {
            let origin = annotate_snippets::Origin::path(f.place.file.as_str());
            Group::with_title(title).element(origin.line(f.place.line as usize).char_column(f.place.column as usize))
        }
    };
    // Places in other files, or far away in this one.
    for r in f.related.iter().filter(|r| !near(&f.place, &r.place)) {
        let note = printable(&r.note).into_owned();
        group =
            group.element(Mark::NOTE.message(format!("{note}: {}:{}:{}", r.place.file, r.place.line, r.place.column)));
    }
    for e in &f.evidence {
        group = group.element(Mark::NOTE.with_name(e.source.as_str()).message(printable(&e.text).into_owned()));
    }
    group = group.element(Mark::NOTE.message(format!("{}: {}", f.certainty.word(), f.why)));
    group = group.element(Mark::HELP.message(f.cure.as_str()));
    renderer.render(&[group])
}

/// Lines that are shown of a file.
struct Window<'a> {
    text: &'a str,
    first: usize,
    primary: Range<usize>,
    others: Vec<(Range<usize>, &'a str)>,
}

/// Whether two places are shown in one window.
fn near(a: &Place, b: &Place) -> bool {
    a.file == b.file && a.line.abs_diff(b.line) <= 40
}

fn window<'a>(text: &'a str, p: &Place, related: &'a [lastgasp_gosource::Related]) -> Option<Window<'a>> {
    let others: Vec<_> = related.iter().filter(|r| near(p, &r.place)).collect();
    let lines = || std::iter::once(p).chain(others.iter().map(|r| &r.place));
    let first = lines().map(|p| p.line).min()?;
    let last = lines().map(|p| p.line).max()?;
    let mut start = None;
    let mut end = 0;
    let mut at = 0;
    let mut starts: Vec<usize> = Vec::new();
    for (n, line) in text.split_inclusive('\n').enumerate() {
        let number = u32::try_from(n + 1).ok()?;
        if number >= first && number <= last {
            if line.len() > MAX_LINE {
                return None;
            }
            start.get_or_insert(at);
            starts.push(at);
            end = at + line.trim_end_matches(['\n', '\r']).len();
        }
        at += line.len();
    }
    let start = start?;
    let shown = text.get(start..end)?;
    // The first line of a place only: bodies of loops are long.
    let span = |p: &Place| -> Option<Range<usize>> {
        let line = starts.get(p.line.checked_sub(first)? as usize)? - start;
        let from = line + p.column.checked_sub(1)? as usize;
        let rest = shown.get(from..)?;
        let width = rest.find('\n').unwrap_or(rest.len());
        let to = if p.end_line == p.line { line + (p.end_column.checked_sub(1)? as usize) } else { from + width };
        let to = to.clamp(from, from + width);
        (shown.is_char_boundary(from) && shown.is_char_boundary(to)).then_some(from..to)
    };
    let others = others.iter().filter_map(|r| Some((span(&r.place)?, r.note.as_str()))).collect();
    Some(Window { text: shown, first: first as usize, primary: span(p)?, others })
}

fn summary(view: &CheckView<'_>) -> String {
    let checked = view.checked;
    let mut out = String::new();
    for g in &checked.gaps {
        let line = g.line.map_or(String::new(), |l| format!(":{l}"));
        // Writing into a String cannot fail.
        let _ = writeln!(out, "not read: {}{line}: {}", printable(&g.file), printable(&g.text));
    }
    let counts: Vec<String> = by_level(view.shown)
        .into_iter()
        .filter(|(_, n)| *n > 0)
        .map(|(l, n)| format!("{n} {}{}", l.word(), if n == 1 || l == Level::Critical { "" } else { "s" }))
        .collect();
    let counts = if counts.is_empty() { "nothing found".to_owned() } else { counts.join(", ") };
    let _ =
        writeln!(out, "{counts} in {} packages, {} files, {} lines", checked.packages, checked.files, checked.lines);
    let [tests, platforms, vendor] = view.not_read;
    let left = [
        (view.hints_left_out, "hints about escapes (--hints)"),
        (view.in_baseline, "findings of the baseline"),
        (checked.suppressed, "findings that a comment silences"),
        (checked.generated, "generated files"),
        (tests, "test files (--tests)"),
        (platforms, "files of other platforms"),
        (vendor, "vendor folders (--vendor)"),
    ];
    let left: Vec<String> = left.into_iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
    if !left.is_empty() {
        let _ = writeln!(out, "not shown: {}", left.join(", "));
    }
    out
}
