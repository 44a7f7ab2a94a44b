//! The report for a terminal: verdict first. Plain text; the caller decides about colour.

use std::fmt::Write as _;

use lastgasp_diagnosis::facts::HEAP_GRAPH;
use lastgasp_diagnosis::units::{bytes, count, percent, seconds};
use lastgasp_diagnosis::{
    Diagnosis, Facts, GoroutineSummary, LimitWhatIf, RETENTION, feeds, nothing_found, starts_a_collection,
};

use crate::blocked::blocked_lines;
use crate::death_sentence::{death_lines, neighbour_lines};
use crate::held::{census_lines, copies_lines, held_lines, waste_lines};
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
    block(out, "BLOCKED", &blocked_lines(&d.goroutines))?;
    block(out, "HELD", &held_lines(facts))?;
    block(out, "COPIES", &copies_lines(facts))?;
    block(out, "CENSUS", &census_lines(facts))?;
    block(out, "WASTE", &waste_lines(facts))?;
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
        let stood = match w.at_limit_ms {
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
        let unless =
            if d.limits.iter().all(|l| l.seconds.is_finite()) { "" } else { ", if no more than now comes to be alive" };
        block(out, "LIMIT", &[format!("a larger limit would buy: {}{unless} [estimated]", limits.join(", "))])?;
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
            let of = bytes(g);
            format!("{of:>8} {word} {:>5}  {}", percent(g as f64 / total as f64), first_frames(facts, &s.stack))
        })
        .collect();
    block(out, "SITES", &lines)
}

/// The innermost frames of a stack. The line is the first one's, and stands there.
fn first_frames(facts: &Facts, stack: &[u32]) -> String {
    let frames = stack.iter().take(3).filter_map(|f| facts.frames.get(*f as usize));
    let named = frames.enumerate().map(|(i, f)| match f.line {
        line if i == 0 && line > 0 => format!("{}:{line}", f.function),
        _ => f.function.clone(),
    });
    named.collect::<Vec<_>>().join(" < ")
}

/// What the profile held when it was last looked at, with how old that is: never as if it were of the death.
fn last_look(out: &mut String, facts: &Facts) -> std::fmt::Result {
    let Some(look) = facts.last_look.as_ref().filter(|_| facts.nothing_was_copied()) else { return Ok(()) };
    let before = seconds(facts.capture.t_ms.saturating_sub(look.t_ms) as f64 / 1e3);
    let head = format!(
        "nothing could be copied; {before} before the end the Go heap had {} live and held, by its profile:",
        bytes(look.gc.heap_live)
    );
    let held =
        look.sites.iter().take(5).map(|s| format!("{:>8} {}", bytes(s.current.bytes), first_frames(facts, &s.stack)));
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
            "{} cycles, GOGC {percent}, GOMEMLIMIT {limit}, heap {}, goal {}",
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
    lines.extend(kinds(facts).into_iter().take(3).map(|(n, what)| format!("{:>7} x {what}", count(n))));
    block(out, "GOROUT.", &lines)
}

/// Goroutines by what a line says of them, the most first: groups whose stacks differ further out alone are
/// one here.
fn kinds(facts: &Facts) -> Vec<(u64, String)> {
    let mut kinds: Vec<(u64, String)> = Vec::new();
    for group in &facts.goroutines.groups {
        let frame = |i: &u32| facts.frames.get(*i as usize);
        let top = group.stack.iter().filter_map(frame).find(|f| !f.function.starts_with("runtime."));
        let place = match (top, group.created_by.as_ref().and_then(frame)) {
            (Some(f), _) => f.function.clone(),
            // What has not run yet stands nowhere; what is in the runtime alone says less than who began it.
            (None, Some(f)) => format!("started by {}", f.function),
            (None, None) => group.stack.first().and_then(frame).map_or("?", |f| f.function.as_str()).to_owned(),
        };
        // The runtime has one word for this and for a program's own semaphore.
        let of_the_collector = if starts_a_collection(facts, group) { " (at work, for the collector)" } else { "" };
        let what = format!("{}{of_the_collector}: {place}", group.why());
        if let Some((n, _)) = kinds.iter_mut().find(|(_, known)| *known == what) {
            *n = n.saturating_add(group.count);
        } else if kinds.len() < MAX_KINDS {
            kinds.push((group.count, what));
        }
    }
    kinds.sort_by_key(|(n, _)| std::cmp::Reverse(*n));
    kinds
}

/// Kinds of goroutines that are told apart to find the largest.
const MAX_KINDS: usize = 256;

fn unknown(out: &mut String, facts: &Facts, d: &Diagnosis) -> std::fmt::Result {
    // Why there is no graph of the heap is said with what is not known for it.
    let said = d.unknown.iter().any(|u| u.starts_with(RETENTION));
    let gaps = facts.capture.gaps.iter().filter(|g| !said || g.what != HEAP_GRAPH);
    let gaps = gaps.map(|g| format!("{}: {}", g.what, g.why));
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
    let container = t.container.as_ref().map_or_else(String::new, |id| format!(", container {id}"));
    block(
        out,
        "CAPTURE",
        &[format!(
            "{} of {} (pid {}, {}{}{container}), {} {}; {stopped}; {} copied",
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

    fn frame(function: &str, line: u32) -> Frame {
        Frame { function: function.into(), file: "a.go".into(), line }
    }

    /// It stood behind the third frame.
    #[test]
    fn a_line_number_stands_behind_its_own_frame() {
        let frames = vec![frame("main.a", 7), frame("main.b", 8), frame("main.c", 9), frame("main.d", 10)];
        let facts = Facts { frames, ..Facts::default() };
        assert_eq!(first_frames(&facts, &[0, 1, 2, 3]), "main.a:7 < main.b < main.c");
        assert_eq!(first_frames(&facts, &[99]), "");
    }

    /// The same line was once printed twice, and "runnable: ?" for what has not run yet.
    #[test]
    fn goroutines_of_one_kind_are_one_line() {
        let group = |count, state: &str, stack: &[u32], created_by| Group {
            count,
            state: state.into(),
            stack: stack.to_vec(),
            created_by,
            ..Group::default()
        };
        let frames = vec![frame("runtime.gopark", 1), frame("main.wait", 2), frame("main.a", 3), frame("main.b", 4)];
        let groups = vec![
            group(50, "waiting", &[0, 2], None),
            group(40, "waiting", &[0, 1, 2], None),
            group(30, "waiting", &[0, 1, 3], None),
            group(20, "runnable", &[], Some(3)),
            group(2, "runnable", &[0], None),
            group(1, "runnable", &[], None),
        ];
        let facts = Facts { frames, goroutines: Goroutines { groups, ..Goroutines::default() }, ..Facts::default() };
        let said: Vec<String> = kinds(&facts).into_iter().map(|(n, what)| format!("{n} {what}")).collect();
        assert_eq!(
            said,
            [
                "70 waiting: main.wait",
                "50 waiting: main.a",
                "20 runnable: started by main.b",
                "2 runnable: runtime.gopark",
                "1 runnable: ?"
            ]
        );
    }

    #[test]
    fn the_container_is_named() {
        let mut facts = Facts::default();
        assert!(!terminal(&facts, &diagnose(&facts)).contains("container"));
        facts.target.container = Some("0123456789ab".into());
        assert!(terminal(&facts, &diagnose(&facts)).contains(", container 0123456789ab)"));
    }

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
