//! `goroutines.txt`: what Go's own traceback (`debug=2`) prints at that moment, so that panicparse and all
//! else that reads it reads this. Source: `runtime/traceback.go` (`traceback1`, `goroutineheader`,
//! `showframe`).
//!
//! Different on purpose: the values of arguments and of labels are users' data and stay in the target (`...`
//! stands for arguments, as Go writes it for inlined calls); goroutines that run are shown with their
//! stacks, which Go cannot do from inside; a stack that ends early, or that was left out of the copy, ends
//! with Go's own line for that. The verdict on a blocked goroutine stands in its header, behind what Go says
//! there: a line of its own is none that panicparse reads (v2.5.0: "expected a function after a goroutine
//! header"), and what it does not know between the brackets it passes over, as it does of Go's own labels.

use std::fmt::Write as _;

use std::collections::HashMap;

use lastgasp_diagnosis::facts::{Goroutine, GoroutineState};
use lastgasp_diagnosis::{Facts, GoroutineVerdict, GoroutineVerdicts};

use crate::goroutine_view::{Call, CallSite, View};
use crate::printable::printable;
use crate::printed_name::printed_name;

/// Innermost and outermost frames that are printed of a deep stack (`tracebackInnerFrames`,
/// `tracebackOuterFrames`).
const INNER: usize = 50;
const OUTER: usize = 50;
/// Most text: half a million goroutines' worth.
const MAX_TEXT: usize = 512 << 20;
const ELIDED: &str = "...additional frames elided...";
const UNAVAILABLE: &str = "\tgoroutine running on other thread; stack unavailable";

/// All goroutines but the runtime's own. Empty of facts that do not have them one by one
/// (`lastgasp.facts/1`).
#[must_use]
pub fn traceback(facts: &Facts, verdicts: &GoroutineVerdicts) -> String {
    let mut out = String::new();
    let told = verdicts.each.iter().filter(|v| v.tier.is_trouble());
    let told: HashMap<u64, &GoroutineVerdict> = told.map(|v| (v.id, v)).collect();
    for g in facts.goroutines.list.each.iter() {
        if out.len() > MAX_TEXT {
            out.push_str("\n...additional goroutines elided...\n");
            break;
        }
        if !out.is_empty() {
            out.push('\n');
        }
        // Writing into a string cannot fail.
        let _ = one(&mut out, View::of(facts), g, facts.target.go_minor, told.get(&g.id).copied());
    }
    out
}

fn one(
    out: &mut String,
    view: View<'_>,
    g: &Goroutine,
    minor: u16,
    verdict: Option<&GoroutineVerdict>,
) -> std::fmt::Result {
    let Some(kind) = view.kind(g) else { return Ok(()) };
    let state = if kind.wait_reason.is_empty() { kind.state.name() } else { &kind.wait_reason };
    write!(out, "goroutine {} [{}", g.id, printable(state))?;
    if kind.state == GoroutineState::Leaked {
        write!(out, " (leaked)")?;
    }
    let minutes = g.waited_ms / 60_000;
    if minutes >= 1 {
        write!(out, ", {minutes} minutes")?;
    }
    if kind.locked {
        write!(out, ", locked to thread")?;
    }
    if let Some(v) = verdict {
        write!(out, ", {}: {}", v.tier.name(), v.code)?;
    }
    let calls = view.stack(kind.stack);
    writeln!(out, "]:")?;
    if calls.is_empty() {
        writeln!(out, "{UNAVAILABLE}")?;
    } else if kind.left_out {
        // Where it stopped is known, and nothing below. (panicparse wants a call before the line.)
        let physical = calls.iter().position(|c| !c.inlined).map_or(calls.len(), |i| i + 1);
        for call in calls.iter().take(physical) {
            print(out, call, minor)?;
        }
        writeln!(out, "{ELIDED}")?;
    } else {
        stack(out, &calls, kind.cut.is_none(), minor)?;
    }
    let creator = |place: Option<u32>, id: u64| {
        // The first goroutine has no creator to speak of.
        place.filter(|_| id != 1).and_then(|i| view.place(i)).filter(|c| is_shown(c.function, minor))
    };
    if let Some(c) = creator(kind.created_by, g.id) {
        created_by(out, c, g.parent, minor)?;
    }
    for a in view.ancestors(g) {
        writeln!(out, "[originating from goroutine {}]:", a.id)?;
        for c in
            a.stack.iter().take(INNER + OUTER).filter_map(|i| view.place(*i)).filter(|c| is_shown(c.function, minor))
        {
            write!(out, "{}(...)", printable(&printed_name(&c.frame.function, minor)))?;
            write!(out, "\n\t{}:{}", printable(&c.frame.file), c.frame.line)?;
            end_of_line(out, c.offset)?;
        }
        if a.stack.len() == if minor < 21 { INNER + OUTER } else { INNER } {
            writeln!(out, "{ELIDED}")?;
        }
        if let Some(c) = creator(a.created_by, a.id) {
            created_by(out, c, 0, minor)?;
        }
    }
    Ok(())
}

fn stack(out: &mut String, mut calls: &[Call<'_>], mut whole: bool, minor: u16) -> std::fmt::Result {
    if minor < 21 {
        // Go 1.20 ends after 100 physical frames, the runtime's own counted.
        let mut ends = calls.iter().enumerate().filter(|(_, c)| !c.inlined).map(|(i, _)| i + 1);
        if let Some((first, _)) = ends.nth(INNER + OUTER - 1).and_then(|i| calls.split_at_checked(i)) {
            whole &= first.len() == calls.len();
            calls = first;
        }
    }
    let mut shown: Vec<&Call<'_>> = Vec::new();
    for call in calls {
        if is_call_shown(call, shown.is_empty(), minor) {
            shown.push(call);
        }
    }
    // A stack of nothing but the runtime's frames is shown whole.
    if shown.is_empty() {
        shown.extend(calls);
    }
    // Later ones show both ends.
    let hidden = if minor < 21 { 0 } else { shown.len().saturating_sub(INNER + OUTER) };
    for (i, call) in shown.iter().enumerate() {
        match i.checked_sub(INNER) {
            Some(0) if hidden > 0 => writeln!(out, "...{hidden} frames elided...")?,
            Some(n) if n < hidden => {}
            _ => print(out, call, minor)?,
        }
    }
    // (Go 1.20 does not say so if any of its 100 frames were hidden.)
    if !whole {
        writeln!(out, "{ELIDED}")?;
    }
    Ok(())
}

fn print(out: &mut String, call: &Call<'_>, minor: u16) -> std::fmt::Result {
    let panics = call.frame.function == "runtime.gopanic";
    let name = if panics { "panic".to_owned() } else { printed_name(&call.frame.function, minor) };
    let arguments = if call.arguments { "..." } else { "" };
    write!(out, "{}({arguments})\n\t{}:{}", printable(&name), printable(&call.frame.file), call.frame.line)?;
    end_of_line(out, call.offset)
}

fn created_by(out: &mut String, c: CallSite<'_>, parent: u64, minor: u16) -> std::fmt::Result {
    write!(out, "created by {}", printable(&printed_name(c.function, minor)))?;
    if parent != 0 {
        write!(out, " in goroutine {parent}")?;
    }
    write!(out, "\n\t{}:{}", printable(&c.frame.file), c.frame.line)?;
    end_of_line(out, c.offset)
}

fn end_of_line(out: &mut String, offset: Option<u64>) -> std::fmt::Result {
    match offset {
        Some(o) => writeln!(out, " +{o:#x}"),
        None => writeln!(out),
    }
}

fn is_call_shown(call: &Call<'_>, first: bool, minor: u16) -> bool {
    if call.elided {
        return false;
    }
    let name = call.frame.function.as_str();
    // The boundary between ordinary code and what a panic runs; and what finalizers and cleanups run under
    // (from Go 1.25 on).
    (name == "runtime.gopanic" && !first)
        || (minor >= 25 && matches!(name, "runtime.runFinalizers" | "runtime.runCleanups"))
        || is_shown(name, minor)
}

/// Frames of the runtime are hidden, but those that programs call by name (`showfuncinfo`).
fn is_shown(function: &str, minor: u16) -> bool {
    let Some(name) = function.strip_prefix("runtime.") else { return function.contains('.') };
    let exported = |s: &str| s.starts_with(|c: char| c.is_ascii_uppercase());
    // From Go 1.23 on a method counts if its type is exported too.
    match name.rsplit_once('.').filter(|_| minor >= 23) {
        Some((receiver, method)) => {
            let receiver = receiver.strip_prefix("(*").and_then(|r| r.strip_suffix(')')).unwrap_or(receiver);
            exported(method) && (receiver.is_empty() || exported(receiver))
        }
        None => exported(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lastgasp_diagnosis::{Sureness, Tier};

    /// Without verdicts.
    fn plain(facts: &Facts) -> String {
        traceback(facts, &GoroutineVerdicts::default())
    }

    /// Between the brackets, where panicparse passes over what it does not know.
    #[test]
    fn a_verdict_stands_in_the_header() {
        let facts = facts();
        let id = facts.goroutines.list.each.get(1).unwrap().id;
        let verdict = |tier| GoroutineVerdict {
            id,
            blocked: 0,
            tier,
            code: "send-nobody-receives",
            cause: String::new(),
            sureness: Sureness::Sure,
            holders: Vec::new(),
            rivals: Vec::new(),
            group: 0,
        };
        let with = |tier| traceback(&facts, &GoroutineVerdicts { each: vec![verdict(tier)], ..Default::default() });
        let (proved, healthy) = (with(Tier::Proved), with(Tier::Healthy));
        let header = proved.lines().find(|l| l.starts_with(&format!("goroutine {id} ["))).unwrap();
        assert!(header.ends_with(", proved: send-nobody-receives]:"), "{header}");
        assert_eq!(header.matches(']').count(), 1);
        assert_eq!(healthy, plain(&facts), "of what is well nothing is said");
    }
    use crate::goroutine_view::example::facts;

    #[test]
    fn goroutines_as_go_prints_them() {
        const WAITS: &str =
            "main.take[...]()\n\t/src/shop/take.go:12\nmain.worker(...)\n\t/src/shop/worker.go:30 +0x41\n";
        const CREATED: &str = "created by main.main in goroutine 1\n\t/src/shop/main.go:20 +0x45\n";
        let expected = [
            "goroutine 1 [runnable]:\nmain.main()\n\t/src/shop/main.go:7 +0x10\n".to_owned(),
            format!("goroutine 18 [chan receive, 10 minutes]:\n{WAITS}{CREATED}"),
            format!("goroutine 19 [chan receive, 10 minutes]:\n{WAITS}{CREATED}"),
            format!("goroutine 20 [running, locked to thread]:\n{UNAVAILABLE}\n{CREATED}"),
            format!(
                "goroutine 21 [leaked (leaked)]:\nruntime.gopark()\n\t/go/src/runtime/proc.go:398 +0xce\n{ELIDED}\n{CREATED}"
            ),
            format!(
                "goroutine 22 [dreaming]:\nmain.worker(...)\n\t/src/shop/worker.go:30 +0x41\n{ELIDED}\n\
                 [originating from goroutine 18]:\nmain.start(...)\n\t/src/shop/main.go:20 +0x45\n\
                 main.main(...)\n\t/src/shop/main.go:7 +0x5\ncreated by main.main\n\t/src/shop/main.go:7 +0x5\n"
            ),
        ];
        let mut facts = facts();
        let blocks = |text: &str| text.split("\n\n").map(|b| format!("{}\n", b.trim_end())).collect::<Vec<_>>();
        // The last names nothing that there is.
        assert_eq!(blocks(&plain(&facts))[..6], expected);
        // A stack of nothing but the runtime's frames is shown whole.
        facts.goroutines.list.stacks[0].calls = vec![0, 3];
        assert!(plain(&facts).starts_with("goroutine 1 [runnable]:\nruntime.gopark()\n"));
    }

    #[test]
    fn of_the_first_form_there_are_none() {
        assert_eq!(plain(&Facts::default()), "");
    }

    #[test]
    fn deep_stacks_are_cut_as_go_cuts_them() {
        let mut facts = facts();
        let calls = |n: usize| vec![4; n];
        for (minor, deep, frames, words) in [
            (22, 100, 100, None),
            (22, 101, 100, Some("...1 frames elided...\n")),
            (22, 1000, 100, Some("...900 frames elided...\n")),
            (20, 100, 100, None),
            (20, 1000, 100, Some("...additional frames elided...\n")),
        ] {
            facts.target.go_minor = minor;
            facts.goroutines.list.stacks[0].calls = calls(deep);
            facts.goroutines.list.each.0.truncate(1);
            let text = plain(&facts);
            assert_eq!(text.matches("main.main()\n").count(), frames, "{deep}");
            assert_eq!(text.contains("elided"), words.is_some(), "{deep}");
            assert!(words.is_none_or(|w| text.contains(w)), "{deep} {text}");
        }
    }

    #[test]
    fn frames_of_the_runtime_are_hidden_as_go_hides_them() {
        let shown = |f: &str| (is_shown(f, 22), is_shown(f, 27));
        assert_eq!(shown("main.main"), (true, true));
        assert_eq!(shown("runtime.gopark"), (false, false));
        assert_eq!(shown("runtime.GC"), (true, true));
        assert_eq!(shown("runtime.(*Func).Entry"), (false, true));
        assert_eq!(shown("runtime.(*mheap).Alloc"), (false, false));
        assert_eq!(shown("runtime.GC.func1"), (true, false));
        assert_eq!(shown("internal/poll.runtime_pollWait"), (true, true));
        assert_eq!(shown("_cgoexp_1234"), (false, false));
    }
}
