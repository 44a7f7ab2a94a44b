//! Texts in the status document: names and paths are the targets' choice, and so is their length.

/// Longest text of a field, in bytes.
pub(super) const MAX_TEXT: usize = 512;

/// As much of a text as a field holds.
pub(super) fn clip(text: &str) -> &str {
    let mut end = text.len().min(MAX_TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}
