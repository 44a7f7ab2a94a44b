//! What on a line allocates when the program runs, of a line that the profile says allocates and the compiler
//! says nothing of. By its words: the profile has no columns, and what is asked is only which of the few
//! things that the runtime allocates for stands there.

use crate::escapes::Reason;

/// The first thing on a line that the runtime may allocate for.
pub(super) fn reason_of(line: &str) -> Option<Reason> {
    let code = code(line);
    let has = |what: &str| code.contains(what);
    if has_call(&code, "append") {
        return Some(Reason::Growth);
    }
    if code.starts_with("go ") {
        return Some(Reason::Goroutine);
    }
    if has_call(&code, "make") {
        return Some(Reason::OutgrewStack);
    }
    if ["string(", "[]byte(", "[]rune("].iter().any(|c| has(c)) {
        return Some(Reason::Converted);
    }
    // An element of a slice is stored without an allocation: that there was one says that it is a map's.
    if is_element_stored(&code) {
        return Some(Reason::MapGrowth);
    }
    if has("+=") || has(" + ") || has("\" +") || has("+ \"") {
        return Some(Reason::Joined);
    }
    None
}

/// Without the content of strings and without a comment at its end.
fn code(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut quote: Option<char> = None;
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match quote {
            Some(q) => {
                if c == '\\' && q != '`' {
                    chars.next();
                } else if c == q {
                    quote = None;
                    out.push(c);
                }
            }
            None if c == '/' && chars.peek() == Some(&'/') => break,
            None => {
                if matches!(c, '"' | '`' | '\'') {
                    quote = Some(c);
                }
                out.push(c);
            }
        }
    }
    out.trim().to_owned()
}

/// Whether a built-in function is called, and not one whose name ends like it.
fn has_call(code: &str, name: &str) -> bool {
    let call = format!("{name}(");
    code.match_indices(&call).any(|(at, _)| {
        let before = code.get(..at).and_then(|b| b.chars().next_back());
        before.is_none_or(|c| !(c.is_alphanumeric() || c == '_' || c == '.'))
    })
}

/// `m[k] = v`, `m[k]++`, `m[k] += v`, `a, m[k] = f()`.
fn is_element_stored(code: &str) -> bool {
    if code.contains("]++") || code.contains("]--") {
        return true;
    }
    let bytes = code.as_bytes();
    for (at, _) in code.match_indices('=') {
        let byte = |at: Option<usize>| at.and_then(|at| bytes.get(at)).copied().unwrap_or(b' ');
        let (before, behind) = (byte(at.checked_sub(1)), byte(Some(at + 1)));
        if behind == b'=' || matches!(before, b'=' | b'!' | b'<' | b'>' | b':') {
            continue;
        }
        let target = code.get(..at).unwrap_or_default().trim_end_matches(['+', '-', '*', '/', '|', '&', '^', '%', ' ']);
        return target.split(", ").any(|t| t.ends_with(']'));
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_line_may_allocate_for() {
        assert_eq!(reason_of("out = append(out, x)"), Some(Reason::Growth));
        assert_eq!(reason_of("m[id] = struct{}{}"), Some(Reason::MapGrowth));
        assert_eq!(reason_of("counts[k]++ // append(x)"), Some(Reason::MapGrowth));
        assert_eq!(reason_of("a, m[k] = f()"), Some(Reason::MapGrowth));
        assert_eq!(reason_of("s += \"x\""), Some(Reason::Joined));
        assert_eq!(reason_of("b := make([]byte, n)"), Some(Reason::OutgrewStack));
        assert_eq!(reason_of("return string(b)"), Some(Reason::Converted));
        assert_eq!(reason_of("go serve(c)"), Some(Reason::Goroutine));
        for nothing in ["x := m[k]", "if m[k] == 3 {", "remake(3)", "w.append(x)", "f(\"append(\")", "", "}"] {
            assert_eq!(reason_of(nothing), None, "{nothing}");
        }
    }
}
