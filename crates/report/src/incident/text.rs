//! The incident for a terminal and for messages: verdict first, then what to do, what it is not, and the six
//! rows.

use lastgasp_diagnosis::units::{bytes, count, percent, seconds};
use lastgasp_incident::evidence::UnixMs;
use lastgasp_incident::{Brief, Incident, clock, rfc3339};

use crate::printable::printable;

/// Columns.
const WIDTH: usize = 110;
const INDENT: usize = 9;

/// The text.
#[must_use]
pub fn text(i: &Incident, earlier: &[Brief]) -> String {
    let mut out = String::new();
    verdict(&mut out, i);
    let acts = i.do_now.iter().enumerate().map(|(n, a)| {
        let peak = a.peak.map_or_else(String::new, |p| format!("; peak {}", bytes(p as u64)));
        format!("{} {} (in about {}{peak}): {}", n + 1, a.act, seconds(a.seconds as f64), a.effect)
    });
    block(&mut out, "DO NOW", acts);
    block(&mut out, "NOT IT", i.not_it.iter().map(|n| format!("{}: {}", n.suspect, n.because)));
    block(&mut out, "CHECKS", i.checks.iter().map(|c| format!("{:<19}{}: {}", c.title, c.state.name(), c.text)));
    block(&mut out, "LOOP", i.sustained.iter().map(|l| format!("{}: {}. {}", l.name, l.text, capital(l.cure))));
    order(&mut out, i);
    let labels = i.cohorts.iter().filter(|l| l.cohorts.len() > 1).map(|l| format!("{}: {}", l.name, l.text));
    let shared: Vec<String> =
        i.cohorts.iter().filter(|l| l.cohorts.len() == 1).map(|l| format!("{} {}", l.name, value(l))).collect();
    let shared = (!shared.is_empty()).then(|| format!("the same for all: {}", shared.join(", ")));
    let spread = i.spread.as_ref().map(|s| s.text.clone());
    block(&mut out, "COHORTS", labels.chain(shared).chain(spread));
    block(&mut out, "WHAT IF", i.what_if.iter().map(|w| w.text.clone()));
    let day = rfc3339(i.between.0);
    let day = day.split('T').next().unwrap_or_default();
    block(
        &mut out,
        "TIMELINE",
        std::iter::once(format!("{day}, UTC")).chain(i.timeline.iter().map(|m| format!("{} {}", clock(m.at), m.text))),
    );
    ranking(&mut out, i);
    block(&mut out, "UNKNOWN", i.unknown.iter().cloned());
    let best = i.captures.iter().take(3).map(|c| format!("{}  ({})", c.path, c.says));
    let more = (i.captures.len() > 3).then(|| format!("and {} more", count(i.captures.len() as u64 - 3)));
    block(&mut out, "CAPTURES", best.chain(more));
    if let Some(c) = i.captures.first() {
        block(&mut out, "NEXT", std::iter::once(format!("lastgasp report {}", c.path)));
    }
    let before = earlier.iter().take(5).map(|e| {
        format!(
            "{}: {}, {} from {} to {}",
            e.service,
            kills(e.kills),
            if e.kills == 0 { "in trouble" } else { "killed" },
            rfc3339(e.between.0),
            rfc3339(e.between.1)
        )
    });
    block(&mut out, "EARLIER", before);
    out
}

/// That there was none.
#[must_use]
pub fn none_text(service: Option<&str>, since: UnixMs, gaps: &[String]) -> String {
    let of = service.map_or_else(String::new, |s| format!(" of {s}"));
    let mut out = String::new();
    block(
        &mut out,
        "VERDICT",
        std::iter::once(format!(
            "no incident{of} since {}: nothing was killed for memory or near to it, as far as the store knows",
            rfc3339(since)
        )),
    );
    block(&mut out, "UNKNOWN", gaps.iter().cloned());
    out
}

fn kills(n: u64) -> String {
    if n == 1 { "1 process".into() } else { format!("{} processes", count(n)) }
}

fn value(l: &lastgasp_incident::cohorts::Label) -> &str {
    l.cohorts.first().map_or("", |c| c.value.as_str())
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |c| c.to_uppercase().chain(chars).collect())
}

fn verdict(out: &mut String, i: &Incident) {
    let key = if i.key.is_empty() { String::new() } else { format!(" {}", i.key) };
    let at = i.at.map_or_else(String::new, |t| format!(" at {}", clock(t)));
    block(out, "VERDICT", std::iter::once(format!("{}{key}{at}   [confidence {:.2}]", i.kind.name(), i.confidence)));
    block(out, "", std::iter::once(i.sentence.clone() + "."));
}

/// Terms of the first cause, and one line each of the others.
fn ranking(out: &mut String, i: &Incident) {
    let Some(first) = i.causes.first() else { return };
    let mut lines = vec![format!(
        "{} {}: log-odds {:+.1}, {}",
        first.kind.name(),
        first.key,
        first.log_odds,
        percent(first.confidence)
    )];
    lines.extend(first.terms.iter().map(|t| format!("  {:+.1} {}: {}", t.log_odds, t.name, t.text)));
    for c in i.causes.iter().skip(1).take(4) {
        let most = c.terms.iter().skip(1).max_by(|a, b| a.log_odds.abs().total_cmp(&b.log_odds.abs()));
        let why = most.map_or_else(String::new, |t| format!("; {:+.1} {}: {}", t.log_odds, t.name, t.text));
        lines.push(format!("{} {}: log-odds {:+.1}, {}{why}", c.kind.name(), c.key, c.log_odds, percent(c.confidence)));
    }
    block(out, "RANKING", lines);
}

fn order(out: &mut String, i: &Incident) {
    let lines = i.order.iter().map(|o| {
        let lag = o.lag_ms.filter(|_| o.series != "memory").map_or_else(String::new, |ms| {
            let s = seconds(ms.unsigned_abs() as f64 / 1e3);
            if ms < 0 { format!(" {s} before memory") } else { format!(" {s} after memory") }
        });
        let p = o.p.map_or_else(String::new, |p| {
            format!(
                "; {} of {} processes agree, sign test p = {}",
                o.agree,
                o.of,
                lastgasp_incident::cohorts::chance(p)
            )
        });
        format!("{:<15}{}{lag}{p}: {}", o.series, o.relation.name(), o.text)
    });
    block(out, "ORDER", lines);
}

/// A labelled block; nothing without lines. All that others named passes here.
fn block(out: &mut String, label: &str, lines: impl IntoIterator<Item = String>) {
    for (i, line) in lines.into_iter().enumerate() {
        let label = if i == 0 { label } else { "" };
        out.push_str(&format!("{label:<INDENT$}{}\n", wrap(&printable(&line))));
    }
}

/// Breaks a line at the width; what follows is indented by as much as the line itself, and the label.
fn wrap(text: &str) -> String {
    let own = text.len() - text.trim_start().len();
    let mut out = " ".repeat(own);
    let mut column = INDENT + own;
    for (i, word) in text.trim_start().split(' ').enumerate() {
        let len = word.chars().count();
        if i > 0 && column + 1 + len > WIDTH {
            out.push('\n');
            out.push_str(&" ".repeat(INDENT + own + 2));
            column = INDENT + own + 2;
        } else if i > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += len;
    }
    out
}
