//! Fields of foreign documents: read where they stand, bounded, and cleaned.

use serde_json::Value;

use crate::changes::payload::{Measure, Measured};
use lastgasp_store::events::Salt;

/// Changes in one body, at most.
pub(super) const MAX_CHANGES: usize = 500;
/// Deepest body.
const MAX_DEPTH: usize = 64;
/// Longest name, in characters.
const MAX_NAME: usize = 200;
/// Longest list of names.
const MAX_NAMES: usize = 64;

/// Whether brackets stand deeper within each other than is read; said before a tree is built of it.
pub(super) fn is_too_deep(text: &str) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0usize, false, false);
    for b in text.bytes() {
        match b {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return true;
                }
            }
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

/// A foreign name: cut to a length, control characters and line breaks taken out.
pub(crate) fn clean(name: &str) -> String {
    let plain = |c: &char| {
        !c.is_control()
            && !matches!(c, '\u{2028}' | '\u{2029}' | '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    name.trim().chars().filter(plain).take(MAX_NAME).collect()
}

/// Text or number at a place (a JSON pointer), cleaned; empty where there is none.
pub(super) fn text(value: &Value, pointer: &str) -> String {
    match value.pointer(pointer) {
        Some(Value::String(s)) => clean(s),
        Some(Value::Number(n)) => n.to_string(),
        _ => String::new(),
    }
}

/// The first of several places at which there is a text.
pub(super) fn first_text(value: &Value, pointers: &[&str]) -> String {
    pointers.iter().map(|p| text(value, p)).find(|t| !t.is_empty()).unwrap_or_default()
}

/// A number that counts something: of a text, too.
pub(super) fn count(value: &Value, pointers: &[&str]) -> Option<u64> {
    pointers.iter().find_map(|p| match value.pointer(p)? {
        Value::Number(n) => n.as_u64().or_else(|| {
            let n = n.as_f64()?;
            (n.fract() == 0.0 && (0.0..9e15).contains(&n)).then_some(n as u64)
        }),
        Value::String(s) => s.trim().parse().ok(),
        _ => None,
    })
}

/// Names at one of several places: a list of texts, or one text.
pub(super) fn names(value: &Value, pointers: &[&str]) -> Vec<String> {
    let found = pointers.iter().find_map(|p| value.pointer(p));
    let all: Vec<String> = match found {
        Some(Value::String(s)) => s.split(',').take(MAX_NAMES).map(clean).collect(),
        Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).take(MAX_NAMES).map(clean).collect(),
        _ => Vec::new(),
    };
    all.into_iter().filter(|n| !n.is_empty()).collect()
}

/// What is kept of a content that stands in a document: a text as it is, anything else as JSON.
pub(super) fn measured(value: &Value, salt: &Salt) -> Measured {
    match value {
        Value::String(s) => Measure::of(salt, s.as_bytes()),
        other => Measure::of(salt, other.to_string().as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_are_cleaned() {
        assert_eq!(clean(" a\nDO NOW\u{202e}b\u{0}\u{2028} "), "aDO NOWb");
        assert_eq!(clean(&"é".repeat(1000)).chars().count(), MAX_NAME);
    }

    #[test]
    fn fields_of_all_types() {
        let v = json!({"a": {"b": 7}, "s": "x", "n": "230184", "f": 3.0, "l": ["p", 1, "q"], "c": "p, q,", "neg": -1});
        assert_eq!((text(&v, "/a/b"), text(&v, "/s"), text(&v, "/none")), ("7".into(), "x".into(), String::new()));
        assert_eq!(count(&v, &["/none", "/n"]), Some(230_184));
        assert_eq!((count(&v, &["/f"]), count(&v, &["/neg"]), count(&v, &["/s"])), (Some(3), None, None));
        assert_eq!(
            (names(&v, &["/l"]), names(&v, &["/c"])),
            (vec!["p".into(), "q".into()], vec!["p".into(), "q".into()])
        );
    }

    #[test]
    fn depth() {
        let deep = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        assert!(!is_too_deep(&deep(MAX_DEPTH)) && is_too_deep(&deep(MAX_DEPTH + 1)));
        assert!(!is_too_deep(&format!("\"{}\"", "\\\"[".repeat(1000))));
    }
}
