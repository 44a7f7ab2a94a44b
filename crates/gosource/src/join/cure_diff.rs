//! Cures as differences to read. Never applied: the line is all that is known, and whether it is right for
//! the rest of the program its authors know. Where a cure takes more than a line there is none.

use crate::finding::Finding;

/// A cure of a line or two, as `diff -u` would print it; `None` where it takes more than that.
#[must_use]
pub fn cure_diff(finding: &Finding, source: &str) -> Option<String> {
    let lines: Vec<&str> = source.lines().collect();
    let at = (finding.place.line as usize).checked_sub(1)?;
    let line = *lines.get(at)?;
    let below = lines.get(at + 1..).unwrap_or_default();
    let new: Vec<String> = match finding.code.as_str() {
        "slice-kept" => vec![cloned(line)?],
        "make-without-size" | "escape-no-size" => vec![sized(line, below)?],
        "client-no-timeout" => vec![with_timeout(line)?],
        "ticker-not-stopped" => vec![line.to_owned(), deferred_stop(line)?],
        _ => return None,
    };
    let above = at.checked_sub(1).and_then(|i| lines.get(i));
    let mut out = format!("--- {0}\n+++ {0}\n", finding.place.file);
    let context = u32::from(above.is_some());
    let first = finding.place.line - context;
    let behind = below.first();
    let shown = context as usize + 1 + usize::from(behind.is_some());
    out += &format!("@@ -{first},{shown} +{first},{} @@\n", shown - 1 + new.len());
    let mut add = |mark: char, text: &str| {
        let text: String = text.chars().take(MOST).collect();
        out.push(mark);
        out += &text;
        out.push('\n');
    };
    above.iter().for_each(|l| add(' ', l));
    let keeps = new.first().is_some_and(|n| n == line);
    add(if keeps { ' ' } else { '-' }, line);
    new.iter().skip(usize::from(keeps)).for_each(|l| add('+', l));
    behind.iter().for_each(|l| add(' ', l));
    Some(out)
}

/// Characters of a line that are shown.
const MOST: usize = 300;

/// `a = b[:3]` with what it keeps cut off from the rest: `a = slices.Clone(b[:3])`.
fn cloned(line: &str) -> Option<String> {
    let close = line.rfind(']')?;
    let colon = line.get(..close)?.rfind(':')?;
    let open = line.get(..colon)?.rfind('[')?;
    let before = line.get(..open)?;
    let begin = before.rfind(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.')).map_or(0, |i| i + 1);
    let operand = line.get(begin..open).filter(|o| !o.is_empty())?;
    let (head, slice, tail) = (line.get(..begin)?, line.get(open..=close)?, line.get(close + 1..)?);
    // The index of a map, or of what is sliced: no slice of its own.
    let is_one = !slice.contains('"') && slice.matches('[').count() == slice.matches(']').count();
    (is_one && !head.ends_with("Clone(")).then(|| format!("{head}slices.Clone({operand}{slice}){tail}"))
}

/// `make(map[K]V)` with the length of what is ranged over below.
fn sized(line: &str, below: &[&str]) -> Option<String> {
    let over = below.iter().take(6).find_map(|l| {
        let rest = l.trim().strip_prefix("for ")?;
        let (_, over) = rest.split_once("range ")?;
        let over = over.split('{').next()?.trim();
        let is_name = over.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.'));
        (is_name && !over.is_empty() && !over.chars().all(|c| c.is_ascii_digit())).then(|| over.to_owned())
    })?;
    let begin = line.find("make(")?;
    let arguments = line.get(begin + 5..)?;
    let mut depth = 1usize;
    let end = arguments.char_indices().find_map(|(i, c)| {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            _ => {}
        }
        (depth == 0).then_some(i)
    })?;
    let inside = arguments.get(..end)?;
    let sized = if inside.starts_with("map[") && !inside.contains(',') {
        format!("{inside}, len({over})")
    } else if let Some(kind) = inside.strip_suffix(", 0").filter(|k| k.starts_with('[')) {
        format!("{kind}, 0, len({over})")
    } else {
        return None;
    };
    Some(format!("{}{sized}{}", line.get(..begin + 5)?, arguments.get(end..)?))
}

fn with_timeout(line: &str) -> Option<String> {
    line.contains("http.Client{}").then(|| line.replacen("http.Client{}", "http.Client{Timeout: 10 * time.Second}", 1))
}

fn deferred_stop(line: &str) -> Option<String> {
    let (name, _) = line.split_once(":=")?;
    let indent: String = line.chars().take_while(|c| c.is_whitespace()).collect();
    let name = name.trim();
    name.chars().all(|c| c.is_alphanumeric() || c == '_').then(|| format!("{indent}defer {name}.Stop()"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn diff(code: &str, line: u32, source: &str) -> Option<String> {
        let mut finding = Finding { code: code.into(), ..Finding::default() };
        finding.place.file = "a.go".into();
        finding.place.line = line;
        cure_diff(&finding, source)
    }

    #[test]
    fn a_sub_slice_is_cut_off() {
        let diff = diff("slice-kept", 2, "func test(b []int) {\n\ta = b[:3]\n\treturn\n}\n");
        assert_eq!(
            diff.as_deref(),
            Some(
                "--- a.go\n+++ a.go\n@@ -1,3 +1,3 @@\n func test(b []int) {\n-\ta = b[:3]\n+\ta = slices.Clone(b[:3])\n \treturn\n"
            )
        );
    }

    #[test]
    fn a_map_gets_the_size_of_what_fills_it() {
        let source = "func f(ids []int64) {\n\tm := make(map[int64]struct{})\n\tfor _, id := range ids {\n";
        assert!(diff("make-without-size", 2, source).unwrap().contains("+\tm := make(map[int64]struct{}, len(ids))"));
        let source = "\tout := make([]T, 0)\n\tfor _, x := range s.all {\n";
        assert!(diff("make-without-size", 1, source).unwrap().contains("+\tout := make([]T, 0, len(s.all))"));
        assert_eq!(diff("make-without-size", 1, "\tm := make(map[int]int)\n\tfor x := range f() {\n"), None);
    }

    #[test]
    fn a_line_is_added_below() {
        let diff = diff("ticker-not-stopped", 1, "\tt := time.NewTicker(d)\n\tfor {\n").unwrap();
        assert_eq!(
            diff,
            "--- a.go\n+++ a.go\n@@ -1,2 +1,3 @@\n \tt := time.NewTicker(d)\n+\tdefer t.Stop()\n \tfor {\n"
        );
    }

    #[test]
    fn a_line_that_is_not_there_has_no_cure() {
        assert_eq!(diff("slice-kept", 1, "a = b[x[1]:3]"), None);
        assert!(diff("slice-kept", 1, "c = b[len(b)-3:]").unwrap().contains("+c = slices.Clone(b[len(b)-3:])"));
        assert_eq!(diff("slice-kept", 9, "x\n"), None);
        assert_eq!(diff("slice-kept", 0, "x\n"), None);
        assert_eq!(diff("slice-kept", 1, "a = m[\"x:y\"]"), None);
        assert_eq!(diff("lock-order", 1, "mu.Lock()"), None);
    }
}
