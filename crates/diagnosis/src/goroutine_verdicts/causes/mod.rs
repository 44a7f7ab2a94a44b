//! The causes, one file and one page each: why a blocked goroutine is not woken.
//!
//! To add one: `new_cause.rs` (a [`Cause`]), `new-cause.md` (its page, with the headings of its neighbours),
//! its name in the two lists below. Their order is that in which they are asked: the first that recognizes a
//! goroutine names it, so that the more special ones stand first.

mod add_after_wait;
mod cause;
mod cond_nobody_signals;
mod context_never_cancelled;
mod double_lock;
mod io_without_deadline;
mod lock_held_by_blocked;
mod lock_never_released;
mod lock_order_cycle;
mod missing_done;
mod nil_channel;
mod range_over_open_channel;
mod read_lock_recursion;
mod receive_nobody_sends;
mod response_body_not_closed;
mod select_stuck;
mod select_without_cases;
mod send_nobody_receives;
mod slow_consumer;
mod ticker_never_stopped;
mod too_many_goroutines;

use cause::Judged;
pub(super) use cause::{Case, Cause};
pub(super) use io_without_deadline::{asks_without_deadline, is_idle};
pub(super) use response_body_not_closed::reads_body;
pub(crate) use too_many_goroutines::TOO_MANY;
pub(super) use too_many_goroutines::TooManyGoroutines;

use crate::rule_info::RuleInfo;

use super::scene::Scene;

/// In the order in which they are asked.
const ALL: &[Entry] = &[
    Entry::of::<nil_channel::NilChannel>(),
    Entry::of::<select_without_cases::SelectWithoutCases>(),
    Entry::of::<response_body_not_closed::ResponseBodyNotClosed>(),
    Entry::of::<read_lock_recursion::ReadLockRecursion>(),
    Entry::of::<lock_order_cycle::LockOrderCycle>(),
    Entry::of::<double_lock::DoubleLock>(),
    Entry::of::<lock_held_by_blocked::LockHeldByBlocked>(),
    Entry::of::<lock_never_released::LockNeverReleased>(),
    Entry::of::<add_after_wait::AddAfterWait>(),
    Entry::of::<missing_done::MissingDone>(),
    Entry::of::<cond_nobody_signals::CondNobodySignals>(),
    Entry::of::<ticker_never_stopped::TickerNeverStopped>(),
    Entry::of::<context_never_cancelled::ContextNeverCancelled>(),
    Entry::of::<slow_consumer::SlowConsumer>(),
    Entry::of::<send_nobody_receives::SendNobodyReceives>(),
    Entry::of::<range_over_open_channel::RangeOverOpenChannel>(),
    Entry::of::<receive_nobody_sends::ReceiveNobodySends>(),
    Entry::of::<io_without_deadline::IoWithoutDeadline>(),
    Entry::of::<select_stuck::SelectStuck>(),
    Entry::of::<TooManyGoroutines>(),
];

/// A cause, as a value.
pub(super) struct Entry {
    pub(super) info: RuleInfo,
    pub(super) cure: &'static str,
    check: fn(&Scene<'_>, &Case<'_>) -> Option<Judged>,
}

impl Entry {
    const fn of<C: Cause>() -> Self {
        Self { info: C::INFO, cure: C::CURE, check: C::check }
    }
}

/// The first cause that recognizes a goroutine.
pub(super) fn judge(scene: &Scene<'_>, case: &Case<'_>) -> Option<(&'static Entry, Judged)> {
    ALL.iter().find_map(|entry| Some((entry, (entry.check)(scene, case)?)))
}

/// A cause by its code.
pub(super) fn by_code(code: &str) -> Option<&'static Entry> {
    ALL.iter().find(|e| e.info.code == code)
}

/// Every cause, by code.
#[must_use]
pub fn causes() -> Vec<&'static RuleInfo> {
    let mut all: Vec<&RuleInfo> = ALL.iter().map(|e| &e.info).collect();
    all.sort_by_key(|i| i.code);
    all
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    const HEADINGS: [&str; 8] = [
        "What it means",
        "Why it is bad",
        "How it is proved",
        "In a report",
        "Example",
        "The cure",
        "Rivals",
        "What it cannot tell",
    ];

    #[test]
    fn every_cause_has_a_page_with_the_same_headings_and_go_code_before_and_after() {
        for info in causes() {
            assert_eq!(info.faults_of_page(&HEADINGS), Vec::<String>::new());
            let mut code = 0;
            for section in info.doc.split("\n## ").skip(1) {
                let (heading, text) = section.split_once('\n').unwrap_or_default();
                let has_code = text.lines().any(|l| l.starts_with("    "));
                code += usize::from(has_code && matches!(heading, "Example" | "The cure"));
            }
            assert_eq!(code, 2, "{}: an example, and its cure", info.code);
        }
    }

    #[test]
    fn codes_are_unique_and_the_names_of_their_files() {
        let codes: BTreeSet<String> = causes().iter().map(|i| i.code.to_owned()).collect();
        assert_eq!(codes.len(), ALL.len());
        // Cargo runs tests in the package's folder.
        let files = |extension: &str| -> BTreeSet<String> {
            let names = std::fs::read_dir(Path::new("src/goroutine_verdicts/causes")).unwrap();
            let names = names.map(|e| e.unwrap().file_name().to_string_lossy().into_owned());
            names.filter_map(|n| n.strip_suffix(extension).map(|n| n.replace('_', "-"))).collect()
        };
        assert_eq!(files(".md"), codes);
        let mut sources = files(".rs");
        sources.retain(|n| n != "mod" && n != "cause");
        assert_eq!(sources, codes, "a cause that is not in the list");
    }
}
