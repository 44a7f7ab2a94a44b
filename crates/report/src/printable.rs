//! Names come from the process that is looked at: what a terminal would obey, or would show in another order,
//! is escaped.

use std::borrow::Cow;

/// Text on one line, with control characters (C0, DEL, C1), line separators and marks that change the
/// direction of writing as `\\u{..}`.
#[must_use]
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_active) {
        return text.into();
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_active(c) { out.extend(c.escape_unicode()) } else { out.push(c) }
    }
    out.into()
}

fn is_active(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_escaped() {
        assert_eq!(printable("a\x1b[2Jb\r\n\u{9b}1m\x7f"), "a\\u{1b}[2Jb\\u{d}\\u{a}\\u{9b}1m\\u{7f}");
        assert_eq!(printable("x\u{202e}y\u{2069}z\u{2028}"), "x\\u{202e}y\\u{2069}z\\u{2028}");
        let plain = "main.(*Größe[go.shape.int]).λ·日本 +0x1d";
        assert!(matches!(printable(plain), Cow::Borrowed(p) if p == plain));
    }
}
