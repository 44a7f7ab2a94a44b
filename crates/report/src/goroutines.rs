//! `goroutines.txt`: the shape of Go's own traceback (`debug=2`), so that panicparse and gotraceui read it. Arguments and offsets, which we do not read, are
//! left as `...` and `+0x0`.

use std::fmt::Write as _;

use lastgasp_goruntime::{Goroutine, Status, for_print, is_system};

/// All goroutines but the runtime's own. `now_ns` is the target's clock (CLOCK_MONOTONIC) for how long they have waited.
#[must_use]
pub fn traceback(goroutines: &[Goroutine], now_ns: u64) -> String {
    let mut out = String::new();
    for g in goroutines.iter().filter(|g| !is_system(g)) {
        if !out.is_empty() {
            out.push('\n');
        }
        let _ = one(&mut out, g, now_ns);
    }
    out
}

fn one(out: &mut String, g: &Goroutine, now_ns: u64) -> std::fmt::Result {
    let state = if g.status == Status::Waiting && !g.wait_reason.is_empty() { g.wait_reason } else { g.status.name() };
    write!(out, "goroutine {} [{state}", g.goid)?;
    let waited = now_ns.saturating_sub(u64::try_from(g.wait_since_ns).unwrap_or(0)) / 60_000_000_000;
    if g.wait_since_ns > 0 && waited >= 1 {
        write!(out, ", {waited} minutes")?;
    }
    if g.locked {
        write!(out, ", locked to thread")?;
    }
    writeln!(out, "]:")?;
    for f in g.stack.iter().filter(|f| !hidden(&f.function)) {
        writeln!(out, "{}(...)\n\t{}:{} +0x0", for_print(&f.function), f.file, f.line)?;
    }
    if let Some(f) = &g.created_by {
        write!(out, "created by {}", for_print(&f.function))?;
        if g.parent != 0 {
            write!(out, " in goroutine {}", g.parent)?;
        }
        writeln!(out, "\n\t{}:{} +0x0", f.file, f.line)?;
    }
    Ok(())
}

/// Frames of the runtime are hidden, but those that a program calls by name (`showframe`: exported functions).
fn hidden(function: &str) -> bool {
    function
        .strip_prefix("runtime.")
        .is_some_and(|name| !name.starts_with(|c: char| c.is_ascii_uppercase()) && name != "gopanic")
}
