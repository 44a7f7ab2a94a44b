//! Goroutines by what they do: those of one stack, state and creator are one line of a report.

use std::collections::{BTreeMap, HashMap};

use lastgasp_diagnosis::facts::{Goroutines, Group};
use lastgasp_goruntime::{Call, Goroutine, Status, is_system};

use crate::frames::{Frames, is_bottom};

/// What goroutines of a group have in common.
type Key = (Vec<u32>, &'static str, &'static str, Option<u32>, bool);

/// Goroutines whose stacks were left out of the copy count with those like them; `decode_all_goroutines` has said so.
pub(crate) fn group(goroutines: &[Goroutine], frames: &mut Frames) -> Goroutines {
    let mut groups: BTreeMap<Key, u64> = BTreeMap::new();
    // Goroutines that do the same share one list of calls.
    let mut known: HashMap<*const Call, Vec<u32>> = HashMap::new();
    let mut out = Goroutines::default();
    for g in goroutines {
        out.stack_bytes = out.stack_bytes.saturating_add(g.stack_bytes);
        if is_system(g) {
            continue;
        }
        out.total += 1;
        out.running += u64::from(g.status == Status::Running);
        let stack = known
            .entry(g.stack.as_ptr())
            .or_insert_with(|| g.calls().filter(|c| !is_bottom(&c.frame)).map(|c| frames.of(&c.frame)).collect());
        let created = g.created_by.as_ref().map(|c| frames.of(&c.frame));
        *groups.entry((stack.clone(), g.status.name(), g.wait_reason, created, g.approximate)).or_default() += 1;
    }
    out.groups = groups
        .into_iter()
        .map(|((stack, state, reason, created_by, approximate), count)| Group {
            count,
            state: state.into(),
            wait_reason: reason.into(),
            stack,
            created_by,
            approximate,
        })
        .collect();
    out.groups.sort_by_key(|g| std::cmp::Reverse(g.count));
    out
}
