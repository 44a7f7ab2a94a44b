//! The report for a terminal: verdict first. Plain text; the caller decides about colour.

use std::fmt::Write as _;

use lastgasp_diagnosis::units::{bytes, count, percent, seconds};
use lastgasp_diagnosis::{Diagnosis, Facts, GoroutineSummary, LimitWhatIf, feeds, nothing_found};

use crate::death_sentence::{death_lines, neighbour_lines};
use crate::memory::{heap_lines, sums};
use crate::printable::printable;

/// The report.
#[must_use]
pub fn terminal(facts: &Facts, d: &Diagnosis) -> String {
    let mut out = String::new();
    // Writing into a String cannot fail.
    let _ = write(&mut out, facts, d);
    out
}

fn write(out: &mut String, facts: &Facts, d: &Diagnosis) -> std::fmt::Result {
    verdict(out, facts, d)?;
    block(out, "DEATH", &death_lines(facts))?;
    not_it(out, d)?;
    growth(out, facts, d)?;
    last_look(out, facts)?;
    memory(out, facts)?;
    block(out, "BESIDE", &neighbour_lines(facts))?;
    goroutines(out, facts, d)?;
    unknown(out, facts, d)?;
    provenance(out, facts)
}

/// A labelled block: the label once, then lines below each other.
fn block(out: &mut String, label: &str, lines: &[String]) -> std::fmt::Result {
    for (i, line) in lines.iter().enumerate() {
        let label = if i == 0 { label } else { "" };
        writeln!(out, "{label:<9}{}", wrap(line, 9))?;
    }
    Ok(())
}

/// Breaks a line at 110 columns, later lines indented. All that the target named passes here, and its line
/// breaks and escape sequences end here.
fn wrap(text: &str, indent: usize) -> String {
    let text = &*printable(text);
    let mut out = String::new();
    let mut column = indent;
    for word in text.split(' ') {
        let len = word.chars().count();
        if column + len > 110 && column > indent {
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', indent));
            column = indent;
        } else if !out.is_empty() {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += len;
    }
    out
}

fn verdict(out: &mut String, facts: &Facts, d: &Diagnosis) -> std::fmt::Result {
    let Some(f) = d.verdict() else {
        return block(out, "VERDICT", &[nothing_found(facts).into()]);
    };
    writeln!(out, "VERDICT  {} [{}, confidence {:.2}]", printable(&f.title), f.level.name(), f.confidence())?;
    writeln!(out, "         {}", wrap(&f.sentence, 9))?;
    for e in &f.evidence {
        writeln!(out, "         - {} [{}]", wrap(&e.text, 11), e.source.name())?;
    }
    let acts: Vec<String> = f
        .do_now
        .iter()
        .enumerate()
        .map(
            |(i, (text, effect))| {
                if effect.is_empty() { format!("{} {text}", i + 1) } else { format!("{} {text} ({effect})", i + 1) }
            },
        )
        .chain(std::iter::once(format!("then: {}", f.cure)))
        .collect();
    block(out, "DO NOW", &acts)?;
    let rivals: Vec<String> =
        f.open_rivals().map(|r| format!("{} (what would tell: {})", r.cause, r.because)).collect();
    block(out, "OR ELSE", &rivals)?;
    for f in d.findings.iter().skip(1) {
        block(out, "ALSO", &[format!("{}: {}", f.title, f.sentence)])?;
    }
    Ok(())
}

fn not_it(out: &mut String, d: &Diagnosis) -> std::fmt::Result {
    let lines: Vec<String> =
        d.ruled_out.iter().map(|n| format!("{}: {} [{}]", n.suspect, n.because, n.source.name())).collect();
    block(out, "NOT IT", &lines)
}

fn growth(out: &mut String, facts: &Facts, d: &Diagnosis) -> std::fmt::Result {
    if let Some(w) = &d.window {
        let limit = facts.target.limit_bytes.map_or_else(String::new, |l| format!("; limit {}", bytes(l)));
        let stood = match w.stood_ms {
            0 => String::new(),
            ms => format!(", at which it stood for {}", seconds(ms as f64 / 1e3)),
        };
        block(
            out,
            "WINDOW",
            &[format!(
                "{}: {} to {} at {}/s ({}/s to {}/s), {} GC cycles finished{limit}{stood}",
                seconds(w.seconds()),
                bytes(w.start_bytes),
                bytes(w.end_bytes),
                bytes(w.rate as u64),
                bytes(w.rate_low as u64),
                bytes(w.rate_high as u64),
                w.gc_cycles
            )],
        )?;
    }
    let limits: Vec<String> = d.limits.iter().map(what_if).collect();
    if !limits.is_empty() {
        block(out, "LIMIT", &[format!("a larger limit would buy: {} [estimated]", limits.join(", "))])?;
    }
    if let Some(c) = &d.growth.culprit {
        block(
            out,
            "PPROF",
            &[format!(
                "/debug/pprof/heap would have shown {} for {}; the runtime held {}",
                bytes(c.published.bytes),
                c.frame.function,
                bytes(c.current.bytes)
            )],
        )?;
    }
    sites(out, facts, d)
}

/// `900 MB: +12 s`.
fn what_if(l: &LimitWhatIf) -> String {
    let buys = if l.seconds.is_finite() { format!("+{}", seconds(l.seconds)) } else { "not reached".to_owned() };
    format!("{}: {buys}", bytes(l.limit))
}

/// The five largest sites.
fn sites(out: &mut String, facts: &Facts, d: &Diagnosis) -> std::fmt::Result {
    let grown = |i: usize| d.growth.by_site.get(i).map_or(0, |a| a.bytes);
    let mut order: Vec<usize> = (0..facts.profile.sites.len()).collect();
    order.sort_by_key(|i| std::cmp::Reverse((grown(*i), *i)));
    let total = d.growth.total.bytes.max(1);
    let word = if d.growth.has_baseline { "grew" } else { "in use" };
    let lines: Vec<String> = order
        .into_iter()
        .take(5)
        .filter_map(|i| Some((grown(i), facts.profile.sites.get(i)?)))
        .filter(|(g, _)| *g > 0)
        .map(|(g, s)| {
            let frames: Vec<&str> = s
                .stack
                .iter()
                .take(3)
                .filter_map(|f| facts.frames.get(*f as usize))
                .map(|f| f.function.as_str())
                .collect();
            let line = s.stack.first().and_then(|f| facts.frames.get(*f as usize)).map_or(0, |f| f.line);
            format!("{:>8} {word} {:>5}  {} :{line}", bytes(g), percent(g as f64 / total as f64), frames.join(" < "))
        })
        .collect();
    block(out, "SITES", &lines)
}

/// What the profile held when it was last looked at, with how old that is: never as if it were of the death.
fn last_look(out: &mut String, facts: &Facts) -> std::fmt::Result {
    let Some(look) = &facts.last_look else { return Ok(()) };
    let before = seconds(facts.capture.t_ms.saturating_sub(look.t_ms) as f64 / 1e3);
    let head = format!(
        "nothing could be copied; {before} before the end the Go heap had {} live and held, by its profile:",
        bytes(look.gc.heap_live)
    );
    let held = look.sites.iter().take(5).map(|s| {
        let frames = s.stack.iter().take(3).filter_map(|f| facts.frames.get(*f as usize));
        let names: Vec<&str> = frames.map(|f| f.function.as_str()).collect();
        format!("{:>8} {}", bytes(s.current.bytes), names.join(" < "))
    });
    block(out, "LAST", &std::iter::once(head).chain(held).collect::<Vec<_>>())
}

fn memory(out: &mut String, facts: &Facts) -> std::fmt::Result {
    block(out, "MEMORY", &sums(facts))?;
    block(out, "HEAP", &heap_lines(facts))?;
    // Zeros that nobody has read are no numbers.
    if facts.nothing_was_copied() {
        return Ok(());
    }
    let g = &facts.gc;
    let limit = g.memory_limit.map_or_else(|| "none".into(), bytes);
    let percent = if g.percent < 0 { "off".into() } else { g.percent.to_string() };
    block(
        out,
        "GC",
        &[format!(
            "{} cycles, GOGC {percent}, GOMEMLIMIT {limit}, live heap {}, goal {}",
            count(u64::from(g.cycles)),
            bytes(g.heap_live),
            g.heap_goal.map_or_else(|| "none".into(), bytes)
        )],
    )
}

fn goroutines(out: &mut String, facts: &Facts, d: &Diagnosis) -> std::fmt::Result {
    if facts.nothing_was_copied() {
        return Ok(());
    }
    let g = &facts.goroutines;
    let summary = GoroutineSummary::of(facts, &d.growth);
    let inside = match (summary.in_site.filter(|n| *n > 0), summary.site_function) {
        (Some(n), Some(name)) => format!(", {} of them in {name}", count(n)),
        _ => String::new(),
    };
    let mut lines =
        vec![format!("{} ({} running){inside}, stacks {}", count(g.total), count(g.running), bytes(g.stack_bytes))];
    for group in g.groups.iter().take(3) {
        let top = group
            .stack
            .iter()
            .filter_map(|f| facts.frames.get(*f as usize))
            .find(|f| !f.function.starts_with("runtime."));
        lines.push(format!(
            "{:>7} x {}: {}",
            count(group.count),
            group.why(),
            top.map_or("?", |f| f.function.as_str())
        ));
    }
    block(out, "GOROUT.", &lines)
}

fn unknown(out: &mut String, facts: &Facts, d: &Diagnosis) -> std::fmt::Result {
    let gaps = facts.capture.gaps.iter().map(|g| format!("{}: {}", g.what, g.why));
    let missing: Vec<String> =
        feeds(facts).iter().filter(|f| !f.connected).map(|f| f.short_name().to_owned()).collect();
    let feeds = (!missing.is_empty()).then(|| format!("what changed: NO FEED CONNECTED for {}", missing.join(", ")));
    block(out, "UNKNOWN", &d.unknown.iter().cloned().chain(gaps).chain(feeds).collect::<Vec<_>>())
}

fn provenance(out: &mut String, facts: &Facts) -> std::fmt::Result {
    let (c, t) = (&facts.capture, &facts.target);
    let stopped = if c.stopped_ns == 0 {
        "never stopped for it".into()
    } else {
        format!("stood still for {:.1} ms", c.stopped_ns as f64 / 1e6)
    };
    block(
        out,
        "CAPTURE",
        &[format!(
            "{} of {} (pid {}, {}{}), {} {}; {stopped}; {} copied",
            c.phase,
            t.service,
            t.pid,
            t.go_version,
            if t.stripped { ", stripped" } else { "" },
            c.reason,
            c.taken_at,
            bytes(c.bytes_copied)
        )],
    )
}

#[cfg(test)]
mod tests {
    use lastgasp_diagnosis::diagnose;
    use lastgasp_diagnosis::facts::{Amount, Frame, Gap, Goroutines, Group, Heap, LargeObjects, Profile, Site, Target};

    use super::*;

    /// Executable, module, functions, types and gaps are named by the target.
    #[test]
    fn hostile_names_reach_no_terminal() {
        let bad = "evil\x1b[2J\nVERDICT  all is well\r\u{9b}31m\u{202e}";
        let mut facts = Facts {
            target: Target { service: bad.into(), go_version: bad.into(), cgroup: bad.into(), ..Target::default() },
            frames: vec![Frame { function: bad.into(), file: bad.into(), line: 1 }],
            profile: Profile {
                rate: 1,
                sites: vec![Site { stack: vec![0], current: Amount { bytes: 1 << 30, objects: 9 }, ..Site::default() }],
                ..Profile::default()
            },
            goroutines: Goroutines {
                total: 9,
                groups: vec![Group { count: 9, stack: vec![0], ..Group::default() }],
                ..Goroutines::default()
            },
            heap: Some(Heap {
                large: vec![LargeObjects { count: 1, size: 9, element: Some(bad.into()), ..LargeObjects::default() }],
                ..Heap::default()
            }),
            ..Facts::default()
        };
        facts.capture.gaps.push(Gap::new(bad, bad));
        let text = terminal(&facts, &diagnose(&facts));
        assert!(text.matches("evil\\u{1b}[2J\\u{a}").count() >= 4, "{text}");
        assert!(text.chars().all(|c| c == '\n' || !c.is_control() && c != '\u{202e}'), "{text:?}");
        assert_eq!(text.lines().filter(|l| l.starts_with("VERDICT")).count(), 1, "{text}");
    }
}
