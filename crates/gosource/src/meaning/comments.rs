//! What people say of a line right above it.

use crate::syntax::ast::Span;

/// Whether the comment right above a place, its last `lines` of them, has one of these words, in lower case.
pub(crate) fn above_names(text: &str, at: Span, lines: usize, words: &[&str]) -> bool {
    let before = text.get(..at.start as usize).unwrap_or_default();
    // The last is the line itself, as far as the expression.
    let above = before.lines().rev().skip(1).map(str::trim).take_while(|l| l.starts_with("//"));
    above.take(lines).any(|l| {
        let lower = l.to_lowercase();
        words.iter().any(|w| lower.contains(w))
    })
}
