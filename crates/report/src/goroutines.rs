//! `goroutines.txt`: what Go's own traceback (`debug=2`) prints at that moment, so that panicparse and all
//! else that reads it reads this. Source: `runtime/traceback.go` (`traceback1`, `goroutineheader`,
//! `showframe`).
//!
//! Different on purpose: the values of arguments and of labels are users' data and stay in the target (`...`
//! stands for arguments, as Go writes it for inlined calls); goroutines that run are shown with their stacks,
//! which Go cannot do from inside; a stack that ends early, or that was left out of the copy, ends with Go's
//! own line for that.

use std::fmt::Write as _;

use lastgasp_goruntime::{Call, CallSite, Goroutine, Status, for_print, is_system};

use crate::printable::printable;

/// Innermost and outermost frames that are printed of a deep stack (`tracebackInnerFrames`,
/// `tracebackOuterFrames`).
const INNER: usize = 50;
const OUTER: usize = 50;
/// Most text: half a million goroutines' worth.
const MAX_TEXT: usize = 512 << 20;
const ELIDED: &str = "...additional frames elided...";
const UNAVAILABLE: &str = "\tgoroutine running on other thread; stack unavailable";

/// All goroutines but the runtime's own. `now_ns` is the target's clock (CLOCK_MONOTONIC) for how long they
/// have waited; `minor` its Go 1.`minor`.
#[must_use]
pub fn traceback(goroutines: &[Goroutine], now_ns: u64, minor: u16) -> String {
    let mut out = String::new();
    for g in goroutines.iter().filter(|g| !is_system(g)) {
        if out.len() > MAX_TEXT {
            out.push_str("\n...additional goroutines elided...\n");
            break;
        }
        if !out.is_empty() {
            out.push('\n');
        }
        // Writing into a string cannot fail.
        let _ = one(&mut out, g, now_ns, minor);
    }
    out
}

fn one(out: &mut String, g: &Goroutine, now_ns: u64, minor: u16) -> std::fmt::Result {
    let state = if g.wait_reason.is_empty() { g.status.name() } else { g.wait_reason };
    write!(out, "goroutine {} [{state}", g.goid)?;
    if g.status == Status::Leaked {
        write!(out, " (leaked)")?;
    }
    let waited = now_ns.saturating_sub(u64::try_from(g.wait_since_ns).unwrap_or(0)) / 60_000_000_000;
    if g.wait_since_ns > 0 && waited >= 1 {
        write!(out, ", {waited} minutes")?;
    }
    if g.locked {
        write!(out, ", locked to thread")?;
    }
    writeln!(out, "]:")?;
    if g.stack.is_empty() {
        writeln!(out, "{UNAVAILABLE}")?;
    } else if g.left_out {
        // Where it stopped is known, and nothing below. (panicparse wants a call before the line.)
        let physical = g.stack.iter().position(|c| !c.inlined).map_or(g.stack.len(), |i| i + 1);
        for call in g.stack.iter().take(physical) {
            print(out, call, minor)?;
        }
        writeln!(out, "{ELIDED}")?;
    } else {
        stack(out, g, minor)?;
    }
    // The first goroutine has no creator to speak of.
    if let Some(c) = g.created_by.as_ref().filter(|c| g.goid != 1 && is_shown(&c.function, minor)) {
        created_by(out, c, g.parent, minor)?;
    }
    for a in g.ancestors.iter() {
        writeln!(out, "[originating from goroutine {}]:", a.goid)?;
        for c in a.stack.iter().filter(|c| is_shown(&c.function, minor)) {
            write!(out, "{}(...)", printable(&for_print(&c.frame.function, minor)))?;
            write!(out, "\n\t{}:{}", printable(&c.frame.file), c.frame.line)?;
            end_of_line(out, c.offset)?;
        }
        if a.stack.len() == if minor < 21 { INNER + OUTER } else { INNER } {
            writeln!(out, "{ELIDED}")?;
        }
        if let Some(c) = a.created_by.as_ref().filter(|c| a.goid != 1 && is_shown(&c.function, minor)) {
            created_by(out, c, 0, minor)?;
        }
    }
    Ok(())
}

fn stack(out: &mut String, g: &Goroutine, minor: u16) -> std::fmt::Result {
    let mut whole = g.cut.is_none();
    let mut calls = &*g.stack;
    if minor < 21 {
        // Go 1.20 ends after 100 physical frames, the runtime's own counted.
        let mut ends = calls.iter().enumerate().filter(|(_, c)| !c.inlined).map(|(i, _)| i + 1);
        if let Some((first, _)) = ends.nth(INNER + OUTER - 1).and_then(|i| calls.split_at_checked(i)) {
            whole &= first.len() == calls.len();
            calls = first;
        }
    }
    let mut shown: Vec<&Call> = Vec::new();
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

fn print(out: &mut String, call: &Call, minor: u16) -> std::fmt::Result {
    let panics = call.frame.function == "runtime.gopanic";
    let name = if panics { "panic".to_owned() } else { for_print(&call.frame.function, minor) };
    let arguments = if call.arguments { "..." } else { "" };
    write!(out, "{}({arguments})\n\t{}:{}", printable(&name), printable(&call.frame.file), call.frame.line)?;
    end_of_line(out, call.offset)
}

fn created_by(out: &mut String, c: &CallSite, parent: u64, minor: u16) -> std::fmt::Result {
    write!(out, "created by {}", printable(&for_print(&c.function, minor)))?;
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

fn is_call_shown(call: &Call, first: bool, minor: u16) -> bool {
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
