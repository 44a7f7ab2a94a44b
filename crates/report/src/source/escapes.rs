//! The answer of `lastgasp escapes` for a terminal and as JSON (docs/formats/escapes-json.md).

use lastgasp_diagnosis::facts::{Amount, Frame};
use lastgasp_diagnosis::units::{bytes, percent, plural, seconds, short};
use lastgasp_gosource::escapes::{Position, Step, Subject};
use lastgasp_gosource::join::{Allocated, Joined, JoinedSite, Reasoned};
use serde_json::{Value, json};

use crate::printable::printable;

/// What was joined, and from where.
#[derive(Clone, Copy, Debug)]
pub struct EscapesOf<'a> {
    /// What the evidence is of, in words: a service with its process number, a file.
    pub subject: &'a str,
    /// What was allocated.
    pub allocated: &'a Allocated,
    /// With its reasons.
    pub joined: &'a Joined,
    /// Version of the toolchain that told the reasons, or the name of the log that has them; empty if none
    /// did.
    pub compiler: &'a str,
    /// What went wrong or is not known, in plain words.
    pub gaps: &'a [String],
}

/// Sites in the JSON.
const MOST_IN_JSON: usize = 1000;
/// Steps of a flow in a line of text.
const STEPS: usize = 4;

/// Sites for a terminal, so many.
#[must_use]
pub fn escapes_text(of: &EscapesOf<'_>, most: usize) -> String {
    let (total, coverage) = (of.joined.coverage.total, &of.joined.coverage);
    let over = of.allocated.seconds;
    let lately = of.allocated.stacks.iter().fold(Amount::default(), |sum, s| sum.plus(s.lately));
    let rate =
        over.map_or_else(String::new, |s| format!(", {}/s over {}", bytes(per_second(lately.bytes, s)), seconds(s)));
    let mut lines =
        vec![format!("ALLOCATED  {} in {}{rate}: {}", bytes(total.bytes), plural(total.objects, "object"), of.subject)];
    let share = |a: Amount| percent(a.bytes as f64 / total.bytes.max(1) as f64);
    if of.compiler.is_empty() {
        lines.push("COMPILER   not asked".to_owned());
    } else {
        lines.push(format!(
            "COMPILER   {}: a reason for {} of the bytes, growth at run time for {}, none for {}",
            of.compiler,
            share(coverage.by_compiler),
            share(coverage.by_run_time),
            percent(1.0 - coverage.share())
        ));
    }
    if coverage.of_another_version.bytes > 0 {
        lines.push(format!(
            "CAUTION    {} of the bytes are of lines that this source does not have: it is another version of the code",
            share(coverage.of_another_version)
        ));
    }
    if let Some(collector) = of.allocated.collector_share {
        lines.push(format!(
            "COLLECTOR  takes {} of the processor; it runs by bytes allocated, so a site's share of them is its share of that",
            percent(collector)
        ));
    }
    lines.extend(of.gaps.iter().map(|g| format!("GAP        {g}")));
    for (i, site) in of.joined.sites.iter().take(most).filter(|s| s.allocated.bytes > 0).enumerate() {
        lines.push(String::new());
        site_lines(&mut lines, i + 1, site, over);
    }
    let rest = of.joined.sites.iter().skip(most).fold(Amount::default(), |sum, s| sum.plus(s.allocated));
    if rest.bytes > 0 {
        let sites = of.joined.sites.len().saturating_sub(most) as u64;
        lines.push(String::new());
        lines.push(format!(
            "and {} with {} ({}): --top, or --format json",
            plural(sites, "more site"),
            bytes(rest.bytes),
            share(rest)
        ));
    }
    lines.iter().map(|l| format!("{}\n", printable(l).trim_end())).collect()
}

fn per_second(n: u64, s: f64) -> u64 {
    (n as f64 / s) as u64
}

fn site_lines(lines: &mut Vec<String>, rank: usize, site: &JoinedSite, over: Option<f64>) {
    let rate =
        over.map_or_else(|| bytes(site.allocated.bytes), |s| format!("{}/s", bytes(per_second(site.lately.bytes, s))));
    let objects = over.map_or_else(
        || plural(site.allocated.objects, "object"),
        |s| format!("{}/s", plural(per_second(site.lately.objects, s), "object")),
    );
    lines.push(format!(
        "{rank:>3}  {:>6}  {rate} in {objects}  {}  {}:{}",
        percent(site.share),
        site.frame.function,
        short(&site.frame.file),
        site.frame.line
    ));
    let line = |name: &str, text: String| format!("     {name:<8}{text}");
    if let Some(source) = &site.source {
        lines.push(line("line", source.clone()));
    }
    for reasoned in site.reasons.iter().take(2) {
        lines.push(line("why", why(reasoned)));
        if let Some(flow) = flow(reasoned) {
            lines.push(line("flow", flow));
        }
    }
    if site.reasons.is_empty()
        && let Some(why) = site.why_not()
    {
        lines.push(line("why", format!("not known: {}", why.words(&site.at, &site.frame.function))));
    }
    if let Some(caller) = &site.caller {
        lines.push(line(
            "called",
            format!("mostly from {} at {}:{}", caller.function, short(&caller.file), caller.line),
        ));
    }
    let saves = site.advice.saves.map_or_else(String::new, |saves| {
        let share = saves.bytes as f64 / site.allocated.bytes.max(1) as f64;
        format!(
            " (saves {} of its bytes, {} of its objects)",
            percent(share),
            percent(saves.objects as f64 / site.allocated.objects.max(1) as f64)
        )
    });
    lines.push(line("advice", format!("{}{saves}", site.advice.sentence)));
    if let Some(note) = &site.note {
        lines.push(line("note", note.clone()));
    }
}

/// `rule 1: t is returned, and outlives the call`
fn why(reasoned: &Reasoned) -> String {
    let e = &reasoned.explained;
    let number = e.reason.number().map_or_else(String::new, |n| format!("cause {n}: "));
    let what = match &e.allocation {
        Some(a) => format!("{} {}", Subject::of(&a.subject, a.is_variable).words(), a.subject),
        None => "what is made here".to_owned(),
    };
    let into = reasoned.inlined_into.as_ref().map_or_else(String::new, |f| format!(", inlined into {}", f.function));
    let others: Vec<_> = e.others.iter().filter(|o| **o != e.reason).map(|o| o.code()).collect();
    let others =
        if others.is_empty() { String::new() } else { format!("; on the same line also: {}", others.join(", ")) };
    format!("{number}{what} {}{into}{others}", e.reason.words())
}

fn flow(reasoned: &Reasoned) -> Option<String> {
    let steps: Vec<&Step> = reasoned
        .explained
        .allocation
        .as_ref()?
        .flows
        .iter()
        .flat_map(|f| &f.steps)
        .filter(|s| s.tag != "spill")
        .collect();
    if steps.is_empty() {
        return None;
    }
    let shown: Vec<_> =
        steps.iter().take(STEPS).map(|s| format!("{} ({}, line {})", s.what, s.tag, s.at.line)).collect();
    let more = if steps.len() > STEPS { format!(" -> {} more", steps.len() - STEPS) } else { String::new() };
    Some(format!("{}{more}", shown.join(" -> ")))
}

/// Sites as JSON (schema lastgasp.escapes/1).
#[must_use]
pub fn escapes_json(of: &EscapesOf<'_>) -> Value {
    let coverage = &of.joined.coverage;
    let sites: Vec<Value> = of.joined.sites.iter().take(MOST_IN_JSON).map(|s| site(s, of.allocated.seconds)).collect();
    json!({
        "schema": "lastgasp.escapes/1",
        "subject": of.subject,
        "go_version": of.allocated.go_version,
        "compiler": of.compiler,
        "seconds": of.allocated.seconds,
        "collector_share": of.allocated.collector_share,
        "gaps": of.gaps,
        "coverage": {
            "total": amount(coverage.total),
            "by_compiler": amount(coverage.by_compiler),
            "by_run_time": amount(coverage.by_run_time),
            "of_another_version": amount(coverage.of_another_version),
            "share": coverage.share(),
        },
        "sites": sites,
        "sites_left_out": of.joined.sites.len().saturating_sub(MOST_IN_JSON),
    })
}

fn amount(a: Amount) -> Value {
    json!({ "bytes": a.bytes, "objects": a.objects })
}

fn site(s: &JoinedSite, over: Option<f64>) -> Value {
    let frame = |f: &Frame| json!({ "function": f.function, "file": f.file, "line": f.line });
    json!({
        "function": s.frame.function,
        "file": s.frame.file,
        "line": s.frame.line,
        "package": s.at.package,
        "path": s.path,
        "source": s.source,
        "own": s.is_own,
        "allocated": amount(s.allocated),
        "in_use": amount(s.in_use),
        "bytes_per_second": over.map(|o| s.lately.bytes as f64 / o),
        "objects_per_second": over.map(|o| s.lately.objects as f64 / o),
        "share": s.share,
        "reasons": s.reasons.iter().map(reason).collect::<Vec<_>>(),
        "unexplained": s.unexplained.iter().map(|(why, a)| json!({
            "code": why.code(),
            "sentence": why.words(&s.at, &s.frame.function),
            "allocated": amount(*a),
        })).collect::<Vec<_>>(),
        "advice": {
            "code": s.advice.cure.code(),
            "sentence": s.advice.sentence,
            "saves": s.advice.saves.map(amount),
        },
        "note": s.note,
        "caller": s.caller.as_ref().map(frame),
    })
}

fn reason(r: &Reasoned) -> Value {
    let at = |p: &Position| json!({ "file": p.file, "line": p.line, "column": p.column });
    let e = &r.explained;
    let steps = e.allocation.iter().flat_map(|a| &a.flows).flat_map(|f| &f.steps);
    json!({
        "code": e.reason.code(),
        "number": e.reason.number(),
        "sentence": why(r),
        "what": e.what,
        "by": if e.allocation.is_some() { "compiler" } else { "run-time" },
        "allocated": amount(r.amount),
        "inlined_into": r.inlined_into.as_ref().map(|f| json!({ "function": f.function, "file": f.file, "line": f.line })),
        "others": e.others.iter().map(|o| o.code()).collect::<Vec<_>>(),
        "flow": steps.map(|s| json!({ "what": s.what, "does": s.tag, "at": at(&s.at) })).collect::<Vec<_>>(),
    })
}
