//! What is planted and not told yet, each with why. A cell with more than these does not agree; each of them
//! is to go.

use crate::{Outcome, Problem};

/// What it is about, how its line begins, and why it is so.
const NOT_YET: [(&str, &str, &str); 5] = [
    (
        "waste",
        "subslice of main.holdPart",
        "only a stack has the slice, and of it the pointer alone: the length is a constant of the code",
    ),
    (
        "waste",
        "subslice of main.channel",
        "a channel without a typed holder: its buffer has a type in some builds only",
    ),
    ("waste", "subslice main.middle", "a pointer into the middle, of a variable whose type has no descriptor"),
    ("waste", "subslice of main.field.head", "a struct without a name has no descriptor: its fields have no names"),
    ("census", "main.cache.", "the linker keeps no descriptor of main.store: the way ends at main.cache"),
];

/// Takes them out of what does not agree, and notes which there were.
pub(super) fn take_out(out: &mut Outcome) {
    let known = |p: &Problem| NOT_YET.iter().find(|(what, begins, _)| p.what == *what && p.detail.starts_with(begins));
    out.not_yet.extend(out.problems.iter().filter_map(known).map(|(_, begins, _)| *begins));
    out.problems.retain(|p| known(p).is_none());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_noted_and_no_problem() {
        let mut out = Outcome::default();
        out.note("waste", "subslice of main.channel: 4096 bytes");
        out.note("waste", "subslice of main.other: 4096 bytes");
        take_out(&mut out);
        assert_eq!(out.not_yet.iter().copied().collect::<Vec<_>>(), ["subslice of main.channel"]);
        assert_eq!(out.problems.len(), 1);
    }
}
