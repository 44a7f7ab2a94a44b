//! What was true of Go when people learned it and is not any more, for a toolchain. Measured with 1.24.11,
//! 1.25.14, 1.26.11 and 1.27.4, not read off release notes: a function that makes 32 bytes of variable size
//! allocates in 1.24 and not later, of 33 bytes in all; four ints appended to a slice that stays are 3
//! allocations in 1.24 and none later, to one that is returned 3 in 1.25 too and 1 from 1.26 on.

use crate::escapes::{Reason, Subject};

/// What is out of date of the usual advice about a reason, for a minor of Go; 0: not known.
pub(super) fn note(minor: u16, reason: Reason, subject: Option<Subject>) -> Option<String> {
    let release = format!("go1.{minor}");
    match reason {
        Reason::OutgrewStack if minor >= 25 => Some(format!(
            "that a slice of variable size is always on the heap is out of date: {release} keeps one that does not escape on the stack while it is small (32 bytes), and makes larger ones at run time, which the compiler does not tell"
        )),
        Reason::Growth if minor >= 26 => Some(format!(
            "that append allocates from its first element on is out of date: {release} begins in 32 bytes on the stack, of slices that escape too; what is counted here is what outgrew that"
        )),
        Reason::Growth if minor == 25 => Some(format!(
            "that append allocates from its first element on is out of date where the slice does not escape: {release} begins such a one in 32 bytes on the stack"
        )),
        Reason::InSlice => {
            Some("what is stored in a slice of pointers is on the heap; the slice itself need not be".to_owned())
        }
        Reason::SizeUnknown if matches!(subject, Some(Subject::MakeSlice)) && minor > 0 && minor < 25 => Some(format!(
            "{release} puts every slice of variable size on the heap; from go1.25 on one that does not escape begins on the stack"
        )),
        _ => None,
    }
}

/// The minor of a version, as in `go1.22.10`, `go1.27rc1`; 0 if it is none.
pub(super) fn minor(version: &str) -> u16 {
    let Some(rest) = version.trim().strip_prefix("go1.") else { return 0 };
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_for_a_toolchain() {
        assert_eq!([minor("go1.22.10"), minor("go1.27rc1"), minor("devel"), minor("")], [22, 27, 0, 0]);
        assert!(note(24, Reason::Growth, None).is_none());
        assert!(note(26, Reason::Growth, None).unwrap().contains("go1.26"));
        assert!(note(24, Reason::SizeUnknown, Some(Subject::MakeSlice)).unwrap().contains("from go1.25"));
        assert!(note(0, Reason::SizeUnknown, Some(Subject::MakeSlice)).is_none());
    }
}
