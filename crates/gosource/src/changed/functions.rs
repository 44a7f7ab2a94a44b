//! Where functions stand in a file that gofmt has formatted, and what they call by its name: enough to follow
//! a change from a function to those that it calls in its own package.

use std::collections::BTreeSet;

/// A function of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Declared {
    /// Type that it is a method of; empty of functions.
    pub(super) receiver: String,
    pub(super) name: String,
    /// First line, counted from 1.
    pub(super) first: u32,
    /// Last line.
    pub(super) last: u32,
    /// Names that stand before a bracket in it.
    pub(super) calls: BTreeSet<String>,
}

/// Functions that are kept of a file.
const MOST: usize = 10_000;

/// Functions of a file, in their order.
pub(super) fn functions(text: &str) -> Vec<Declared> {
    let mut all: Vec<Declared> = Vec::new();
    let mut open: Option<Declared> = None;
    for (i, line) in text.lines().enumerate() {
        let number = u32::try_from(i).unwrap_or(u32::MAX).saturating_add(1);
        if let Some((receiver, name)) = line.strip_prefix("func ").and_then(signature) {
            let one = Declared {
                receiver: receiver.to_owned(),
                name: name.to_owned(),
                first: number,
                last: number,
                calls: BTreeSet::new(),
            };
            // A function on one line has its end there.
            if line.trim_end().ends_with('}') {
                let body = line.split_once('{').map_or("", |(_, body)| body);
                let mut one = one;
                one.calls.extend(calls(body));
                all.push(one);
            } else {
                open = Some(one);
            }
        } else if let Some(mut one) = open.take() {
            one.last = number;
            if line.starts_with('}') {
                all.push(one);
            } else {
                one.calls.extend(calls(line));
                open = Some(one);
            }
        }
        if all.len() >= MOST {
            break;
        }
    }
    all
}

/// Receiver's type and name.
pub(crate) fn signature(rest: &str) -> Option<(&str, &str)> {
    let word_end = |s: &str| s.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(s.len());
    let (receiver, rest) = match rest.strip_prefix('(') {
        Some(of) => {
            let (inside, rest) = of.split_once(')')?;
            let typed = inside.split('[').next().unwrap_or(inside);
            let typed = typed.rsplit(|c: char| c.is_whitespace() || c == '*').find(|w| !w.is_empty())?;
            (typed, rest.trim_start())
        }
        None => ("", rest),
    };
    rest.get(..word_end(rest)).filter(|name| !name.is_empty()).map(|name| (receiver, name))
}

/// Names before a bracket: of functions, methods, conversions.
fn calls(line: &str) -> impl Iterator<Item = String> + '_ {
    let code = line.split("//").next().unwrap_or(line);
    code.match_indices('(').filter_map(move |(at, _)| {
        let before = code.get(..at)?;
        let name: String = before.chars().rev().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        let name: String = name.chars().rev().collect();
        name.chars().next().is_some_and(|c| c.is_alphabetic() || c == '_').then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_with_what_they_call() {
        let text = "package a\n\nfunc f(n int) int { return g(n) }\n\nfunc (s *S[K]) M() {\n\tif x {\n\t\ts.h(k(1)) // z()\n\t}\n}\n";
        let all = functions(text);
        let of: Vec<_> = all.iter().map(|f| (f.receiver.as_str(), f.name.as_str(), f.first, f.last)).collect();
        assert_eq!(of, [("", "f", 3, 3), ("S", "M", 5, 9)]);
        assert_eq!(all[0].calls.iter().map(String::as_str).collect::<Vec<_>>(), ["g"]);
        assert_eq!(all[1].calls.iter().map(String::as_str).collect::<Vec<_>>(), ["h", "k"]);
    }
}
