//! The rules, one a file; their pages stand in `docs/rules`, which `lastgasp explain` prints.
//!
//! To add one: `new_rule.rs` (a [`Rule`] with its tests), its page in `docs/rules`, its name in the two lists
//! below, a folder with true and healthy snippets in `lab/source/corpus`. Tests hold that nothing was
//! forgotten.

mod append_never_cleared;
mod body_not_closed;
mod channel_is_nil;
mod channel_one_sided;
mod client_no_timeout;
mod config_length_loop;
mod conn_no_deadline;
mod context_not_handed_on;
mod defer_in_loop;
mod dial_no_timeout;
mod escape_append_growth;
mod escape_interface_call;
mod escape_no_size;
mod escape_pointee;
mod escape_pointer_parameter;
mod escape_pointer_sent;
mod escape_returned_pointer;
mod escape_slice_of_pointers;
mod file_not_closed;
mod goroutine_no_exit;
mod goroutine_unbounded;
mod lock_held_across_wait;
mod lock_not_released;
mod lock_order;
mod locked_again;
mod make_without_size;
mod map_only_grows;
mod not_given_back;
mod range_never_closed;
mod rebuilt_per_request;
mod request_no_context;
mod result_channel_read_once;
mod rows_not_closed;
mod rule;
mod select_no_way_out;
mod send_abandoned;
mod server_no_timeout;
mod slice_kept;
mod slots_not_cleared;
mod ticker_not_stopped;
mod time_after_in_loop;
mod unlock_of_another;
mod wg_add_inside;
mod wg_count_mismatch;
mod wg_done_missed;

use rule::{Case, Rule};
pub(crate) use rule::{Out, Report};

use lastgasp_diagnosis::RuleInfo;

use crate::finding::Level;

/// In the order of their codes.
pub(crate) const ALL: &[Entry] = &[
    Entry::of::<append_never_cleared::AppendNeverCleared>(),
    Entry::of::<body_not_closed::BodyNotClosed>(),
    Entry::of::<channel_is_nil::ChannelIsNil>(),
    Entry::of::<channel_one_sided::ChannelOneSided>(),
    Entry::of::<client_no_timeout::ClientNoTimeout>(),
    Entry::of::<config_length_loop::ConfigLengthLoop>(),
    Entry::of::<conn_no_deadline::ConnNoDeadline>(),
    Entry::of::<context_not_handed_on::ContextNotHandedOn>(),
    Entry::of::<defer_in_loop::DeferInLoop>(),
    Entry::of::<dial_no_timeout::DialNoTimeout>(),
    Entry::of::<escape_append_growth::EscapeAppendGrowth>(),
    Entry::of::<escape_interface_call::EscapeInterfaceCall>(),
    Entry::of::<escape_no_size::EscapeNoSize>(),
    Entry::of::<escape_pointee::EscapePointee>(),
    Entry::of::<escape_pointer_parameter::EscapePointerParameter>(),
    Entry::of::<escape_pointer_sent::EscapePointerSent>(),
    Entry::of::<escape_returned_pointer::EscapeReturnedPointer>(),
    Entry::of::<escape_slice_of_pointers::EscapeSliceOfPointers>(),
    Entry::of::<file_not_closed::FileNotClosed>(),
    Entry::of::<goroutine_no_exit::GoroutineNoExit>(),
    Entry::of::<goroutine_unbounded::GoroutineUnbounded>(),
    Entry::of::<lock_held_across_wait::LockHeldAcrossWait>(),
    Entry::of::<lock_not_released::LockNotReleased>(),
    Entry::of::<lock_order::LockOrder>(),
    Entry::of::<locked_again::LockedAgain>(),
    Entry::of::<make_without_size::MakeWithoutSize>(),
    Entry::of::<map_only_grows::MapOnlyGrows>(),
    Entry::of::<not_given_back::NotGivenBack>(),
    Entry::of::<range_never_closed::RangeNeverClosed>(),
    Entry::of::<rebuilt_per_request::RebuiltPerRequest>(),
    Entry::of::<request_no_context::RequestNoContext>(),
    Entry::of::<result_channel_read_once::ResultChannelReadOnce>(),
    Entry::of::<rows_not_closed::RowsNotClosed>(),
    Entry::of::<select_no_way_out::SelectNoWayOut>(),
    Entry::of::<send_abandoned::SendAbandoned>(),
    Entry::of::<server_no_timeout::ServerNoTimeout>(),
    Entry::of::<slice_kept::SliceKept>(),
    Entry::of::<slots_not_cleared::SlotsNotCleared>(),
    Entry::of::<ticker_not_stopped::TickerNotStopped>(),
    Entry::of::<time_after_in_loop::TimeAfterInLoop>(),
    Entry::of::<unlock_of_another::UnlockOfAnother>(),
    Entry::of::<wg_add_inside::WgAddInside>(),
    Entry::of::<wg_count_mismatch::WgCountMismatch>(),
    Entry::of::<wg_done_missed::WgDoneMissed>(),
];

/// A rule, as a value.
pub(crate) struct Entry {
    pub(crate) info: RuleInfo,
    pub(crate) level: Level,
    pub(crate) quiet: bool,
    pub(crate) why: &'static str,
    pub(crate) cure: &'static str,
    pub(crate) check: fn(&Case<'_>, &mut Out),
}

impl Entry {
    const fn of<R: Rule>() -> Self {
        Self { info: R::INFO, level: R::LEVEL, quiet: R::QUIET, why: R::WHY, cure: R::CURE, check: R::check }
    }
}

/// Every rule about source, by code.
pub fn catalogue() -> impl ExactSizeIterator<Item = &'static RuleInfo> {
    ALL.iter().map(|e| &e.info)
}

/// Whether what a rule finds is only told when hints are asked for.
#[must_use]
pub fn is_quiet(code: &str) -> bool {
    ALL.iter().any(|e| e.info.code == code && e.quiet)
}

/// The level of what a rule finds by itself.
#[must_use]
pub fn level_of(code: &str) -> Option<Level> {
    ALL.iter().find(|e| e.info.code == code).map(|e| e.level)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    const HEADINGS: [&str; 5] = ["What it finds", "Why it matters", "How sure it is", "What it cannot tell", "Cures"];

    #[test]
    fn every_rule_has_a_page_with_the_same_headings() {
        let faults: Vec<String> = catalogue().flat_map(|i| i.faults_of_page(&HEADINGS)).collect();
        assert!(faults.is_empty(), "{faults:#?}");
    }

    #[test]
    fn codes_are_unique_sorted_and_the_names_of_their_files() {
        let codes: Vec<&str> = catalogue().map(|i| i.code).collect();
        assert!(codes.is_sorted_by(|a, b| a < b), "{codes:?}");
        let files = |folder: &str, end: &str| -> BTreeSet<String> {
            let names = std::fs::read_dir(Path::new(folder)).unwrap().map(|e| e.unwrap().file_name());
            let names = names.map(|n| n.to_string_lossy().into_owned());
            names.filter_map(|n| n.strip_suffix(end).map(|n| n.replace('_', "-"))).collect()
        };
        let codes: BTreeSet<String> = codes.into_iter().map(str::to_owned).collect();
        let mut pages = files("../../docs/rules", ".md");
        pages.remove("README");
        assert_eq!(pages, codes);
        let mut rules = files("src/rules", ".rs");
        rules.retain(|n| n != "mod" && n != "rule");
        assert_eq!(rules, codes, "a rule that is not in the list");
    }

    #[test]
    fn the_index_of_pages_has_every_rule_with_its_title() {
        let index = include_str!("../../../../docs/rules/README.md");
        for e in ALL {
            let level = format!("{}{}", e.level.word(), if e.quiet { " (with `--hints`)" } else { "" });
            let row = format!("| [{0}]({0}.md) | {level} | {1} |", e.info.code, e.info.title);
            assert!(index.contains(&row), "docs/rules/README.md: {row}");
        }
        assert_eq!(index.matches("\n| [").count(), ALL.len());
    }

    #[test]
    fn no_rule_has_the_code_of_a_rule_or_a_cause_of_captures() {
        let others: BTreeSet<&str> =
            lastgasp_diagnosis::catalogue().chain(lastgasp_diagnosis::causes()).map(|i| i.code).collect();
        assert!(others.len() > 20 && catalogue().all(|rule| !others.contains(rule.code)));
    }
}
