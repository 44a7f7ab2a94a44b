//! Parts of sentences that several rules share.

use crate::command::is_command;
use crate::facts::{Facts, Frame, Reason, Sample};
use crate::finding::Level;
use crate::thresholds::heap_growth::{LONG_REST_SECONDS, MAX_PAUSE, NEAR_LIMIT};
use crate::units::{bytes, seconds, short};
use crate::window::Window;

/// `main.build (svc/server.go:71)`.
pub(crate) fn place(at: &Frame) -> String {
    format!("{} ({}:{})", at.function, short(&at.file), at.line)
}

/// The service, or what to say without a name.
pub(crate) fn service(facts: &Facts) -> &str {
    if facts.target.service.is_empty() { "the process" } else { &facts.target.service }
}

/// `the 704 MB by which svc grew in 3.7 s, then the kernel killed it`.
pub(crate) fn growth(facts: &Facts, w: &Window) -> String {
    format!(
        "the {} by which {} grew in {}{}",
        bytes(w.growth()),
        service(facts),
        seconds(w.seconds()),
        ending(facts, w)
    )
}

/// How it ended, with how long it had stood at its limit.
pub(crate) fn ending(facts: &Facts, w: &Window) -> String {
    let stood = match w.at_limit_ms {
        0 => String::new(),
        ms => format!("; it stood at its limit for {}", seconds(ms as f64 / 1e3)),
    };
    let end = match facts.capture.reason {
        Reason::OomKill => ", then the kernel killed it",
        Reason::Killed => ", then it was killed",
        _ => "",
    };
    format!("{stood}{end}")
}

/// How much it hurts: the end has come, or is near.
pub(crate) fn level(facts: &Facts, end_bytes: u64) -> Level {
    let killed = facts.capture.reason == Reason::OomKill;
    let near = facts.target.limit_bytes.is_some_and(|l| end_bytes as f64 > l as f64 * NEAR_LIMIT);
    if killed || near { Level::Critical } else { Level::Warning }
}

/// Seconds for which it had been watched at rest before it grew, or in between: a short rest does not end a
/// growth, and yet shows that the process had started. `None` where nobody can tell: what was before the
/// oldest sample that is kept is not known.
pub(crate) fn rested(facts: &Facts, w: &Window) -> Option<f64> {
    let samples = &facts.timeline.samples;
    let first = samples.first()?.t_ms;
    let before = w.onset_ms.saturating_sub(first);
    let rest = before.max(flat_ms(samples, w)) as f64 / 1e3;
    // The watch begins at 0; of a long one the oldest samples are gone.
    (rest >= RESTED_SECONDS || first <= 1000).then_some(rest)
}

/// Whether most of a window lies between two samples: when memory began to grow in there nobody saw, and
/// "from its start on" is not to be said (seen from outside: a server that was idle for three seconds, and
/// was first looked at again when requests had come).
pub(crate) fn began_unseen(facts: &Facts, w: &Window) -> bool {
    let samples = &facts.timeline.samples;
    let inside = |s: &&Sample| s.t_ms >= w.onset_ms && s.t_ms <= w.end_ms;
    let times = samples.iter().filter(inside).map(|s| s.t_ms);
    let longest = times.clone().zip(times.skip(1)).map(|(a, b)| b.saturating_sub(a)).max();
    longest.is_some_and(|gap| gap >= w.end_ms.saturating_sub(w.onset_ms) / 2 && gap > 1000)
}

/// Seconds of rest from which on a process had started before it grew by a window. One that waits for a
/// processor, or for what it loads, pauses too: of a long growth a short pause says nothing (seen: the lab's
/// start-up on a machine with seven runnable for two processors, 18 s of growth after a second of hardly any,
/// was called a leak).
pub(crate) fn rest_of_a_start(w: &Window) -> f64 {
    (w.seconds() / MAX_PAUSE).clamp(RESTED_SECONDS, LONG_REST_SECONDS)
}

/// The longest stretch of the window in which usage moved by less than a fiftieth of the growth; 0 if it is
/// no longer than what steady growth takes for that, twice over.
fn flat_ms(samples: &[Sample], w: &Window) -> u64 {
    let inside = samples.iter().filter(|s| s.t_ms >= w.onset_ms && s.t_ms <= w.end_ms);
    let little = (w.growth() / 50).max(1_000_000);
    let (mut longest, mut since): (u64, Option<&Sample>) = (0, None);
    for sample in inside {
        let start = since.filter(|s| s.usage_bytes.abs_diff(sample.usage_bytes) <= little).unwrap_or(sample);
        since = Some(start);
        longest = longest.max(sample.t_ms - start.t_ms);
    }
    let steady = (w.end_ms - w.onset_ms) / 50;
    if longest > steady.saturating_mul(4).max(2000) { longest } else { 0 }
}

/// What to do first: look for what changed. Memory would be back where it was only if it had been at rest
/// there: a program that still loads has no such place (seen: "memory would stay at 43.9 MB" of one that died
/// in its start). Of a command it is the input that changes.
pub(crate) fn look_for_change(facts: &Facts, w: &Window) -> (String, String) {
    let what = "a release, a configuration, data published by an admin platform";
    match rested(facts, w) {
        Some(rest) if rest >= RESTED_SECONDS => {
            let text = format!("Look for what changed just before the growth: {what}; if there is one, revert it");
            (text, format!("before the growth it had {}", bytes(w.start_bytes)))
        }
        Some(_) if is_command(facts) => {
            let text = "Look at what this run was given: a larger input than others, or other arguments; else for what is new in the program: a release, a configuration";
            let why = "it seems to be a command: nothing listens, and main.main is at work";
            (text.to_owned(), why.to_owned())
        }
        Some(_) => (format!("Look for what is new in this start: {what}"), "it was never seen at rest".to_owned()),
        None => (format!("Look for what changed before it grew: {what}"), "its beginning is out of sight".to_owned()),
    }
}

/// Whoever was at rest for so long had started.
pub(crate) const RESTED_SECONDS: f64 = 1.0;

/// What is in use is more than what can be resident where pages were never touched: that is said.
pub(crate) fn never_touched(facts: &Facts, w: &Window) -> Option<String> {
    let resident = facts.rss.map_or(w.end_bytes, |r| r.rss.saturating_add(r.swap));
    let beyond = facts.gc.heap_in_use.checked_sub(resident).filter(|b| *b > resident / 20)?;
    Some(format!(
        "the heap has {} in use and the process at most {} resident: {} of it was never touched",
        bytes(facts.gc.heap_in_use),
        bytes(resident),
        bytes(beyond)
    ))
}

/// A value for GOMEMLIMIT, in MiB, that leaves a tenth of the limit for what the runtime does not count.
pub(crate) fn memory_limit_for(limit: u64) -> String {
    format!("{}MiB", (limit / 10 * 9) >> 20)
}

/// What to do for that value to be in force: a program that has set a limit already may have done so itself
/// (`debug.SetMemoryLimit`), and what stands in its environment is then void (seen: a limit of 4 GiB set in
/// `main`, and the advice to start it with another in its environment, at 1.00).
pub(crate) fn set_memory_limit(facts: &Facts, value: &str) -> String {
    match facts.gc.memory_limit {
        None => format!("Start it with GOMEMLIMIT={value} in its environment"),
        Some(now) => format!(
            "Set GOMEMLIMIT={value} where it is set to {} now: in its environment, or, if the program calls debug.SetMemoryLimit, there, for that wins over the environment",
            bytes(now)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::window::window;

    #[test]
    fn a_limit_that_is_set_may_have_been_set_in_the_program() {
        let mut facts = Facts::default();
        assert_eq!(set_memory_limit(&facts, "180MiB"), "Start it with GOMEMLIMIT=180MiB in its environment");
        facts.gc.memory_limit = Some(4 << 30);
        let said = set_memory_limit(&facts, "180MiB");
        assert!(said.starts_with("Set GOMEMLIMIT=180MiB where it is set to 4.29 GB now"), "{said}");
        assert!(said.contains("debug.SetMemoryLimit"), "{said}");
    }

    #[test]
    fn a_short_pause_is_no_rest_before_a_long_growth() {
        let grew_for = |seconds: u64| rest_of_a_start(&Window { end_ms: seconds * 1000, ..Window::default() });
        assert!(1.3 >= grew_for(7), "the lab's leaks rest for 1.3 s");
        assert!(1.3 < grew_for(18), "a start-up that waits for a processor");
        assert!((grew_for(3600) - LONG_REST_SECONDS).abs() < 1e-9);
    }

    /// A table is loaded in a second, lies still for six, and then a leak begins.
    #[test]
    fn a_rest_within_the_growth_is_one() {
        let curve = |t: u64| match t {
            0..1000 => 60_000 * t,
            1000..7000 => 60_000_000,
            _ => 60_000_000 + (t - 7000) * 20_000,
        };
        let mut facts = Facts::default();
        let sample = |t_ms| Sample { t_ms, usage_bytes: curve(t_ms), ..Sample::default() };
        facts.timeline.samples = (0..20_000).step_by(20).map(sample).collect();
        let w = window(&facts).unwrap();
        assert!(rested(&facts, &w).unwrap() > 5.0, "{w:?}");
        // Steady growth never rests.
        facts.timeline.samples.iter_mut().for_each(|s| s.usage_bytes = s.t_ms * 15_000);
        assert!(rested(&facts, &window(&facts).unwrap()).unwrap() < 1.0);
        // What was before is out of sight.
        facts.timeline.samples.retain(|s| s.t_ms > 5000);
        assert_eq!(rested(&facts, &window(&facts).unwrap()), None);
    }
}
