//! What the program that prints types says, by file and line. Its lines are as foreign as any: bounded, and
//! what is no fact is left out.

use std::io::{BufRead, Read as _};

use rustc_hash::FxHashMap;
use serde::Deserialize;

/// A fact about an expression.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct TypeFact {
    /// `call`, `conversion`, `range`, `store`, `send`, `receive`, `slice`, `literal`; `package` at the end of
    /// each.
    #[serde(rename = "k")]
    pub kind: String,
    /// File, absolute.
    #[serde(rename = "f")]
    pub file: String,
    /// Line.
    #[serde(rename = "l")]
    pub line: u32,
    /// Column in bytes.
    #[serde(rename = "c")]
    pub column: u32,
    /// Function that it stands in, as profiles name it.
    #[serde(rename = "in")]
    pub function: String,
    /// Of a call: what it resolves to, `(*sync.Mutex).Lock`. Of others: the type, or its kind.
    pub what: String,
    /// Of a call: the types of its results.
    pub results: Vec<String>,
    /// Of a call through an interface: what it may be, by class hierarchy.
    pub targets: Vec<String>,
    /// Of a call: whether its target is known at run time alone.
    pub dynamic: bool,
    /// Of a send: whether what is sent has pointers.
    pub pointer: bool,
    /// Of a package: errors of its types.
    pub errors: u64,
    /// The first of them.
    pub error: String,
}

/// All facts of the packages that were asked about.
#[derive(Clone, Debug, Default)]
pub struct TypeFacts {
    by_line: FxHashMap<(String, u32), Vec<TypeFact>>,
    /// Packages, each with its errors.
    pub packages: Vec<TypeFact>,
    /// Whether there were more than are kept.
    pub is_cut: bool,
}

/// Facts that are kept: a million lines of Go have about as many calls.
const MOST: usize = 4 << 20;
/// Bytes of a line.
const MOST_LINE: u64 = 64 << 10;

impl TypeFacts {
    /// Reads lines of JSON.
    #[must_use]
    pub fn read(mut from: impl BufRead) -> Self {
        let mut all = Self::default();
        let mut line = Vec::new();
        let mut kept = 0usize;
        loop {
            line.clear();
            match (&mut from).take(MOST_LINE).read_until(b'\n', &mut line) {
                Ok(0) | Err(_) => return all,
                Ok(_) => {}
            }
            if kept >= MOST {
                all.is_cut = true;
                return all;
            }
            let Ok(fact) = serde_json::from_slice::<TypeFact>(&line) else { continue };
            match fact.kind.as_str() {
                "cut" => all.is_cut = true,
                "package" => all.packages.push(fact),
                _ => {
                    kept += 1;
                    all.by_line.entry((fact.file.clone(), fact.line)).or_default().push(fact);
                }
            }
        }
    }

    /// Facts of a line of a file.
    pub fn at(&self, file: &str, line: u32) -> impl Iterator<Item = &TypeFact> {
        self.by_line.get(&(file.to_owned(), line)).into_iter().flatten()
    }

    /// Facts of some lines of a file.
    pub fn within(&self, file: &str, first: u32, last: u32) -> impl Iterator<Item = &TypeFact> {
        // A foreign line number bounds no loop: a statement of more lines is looked at in its first ones.
        let last = last.min(first.saturating_add(2_000));
        (first..=last).flat_map(move |line| self.at(file, line))
    }

    /// Functions that one calls, as profiles name it, and what calls through interfaces may be.
    pub fn calls_of(&self, function: &str) -> Vec<&TypeFact> {
        let mut calls: Vec<_> =
            self.by_line.values().flatten().filter(|f| f.kind == "call" && f.function == function).collect();
        calls.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
        calls
    }

    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_line.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_by_line_and_rubbish_left_out() {
        let text = b"{\"k\":\"call\",\"f\":\"/a.go\",\"l\":3,\"in\":\"main.f\",\"what\":\"fmt.Sprint\",\"results\":[\"string\"]}\nrubbish\n{\"k\":\"range\",\"f\":\"/a.go\",\"l\":5,\"what\":\"map\"}\n{\"k\":\"package\",\"what\":\"a\",\"errors\":2}\n";
        let facts = TypeFacts::read(&text[..]);
        assert_eq!(facts.at("/a.go", 3).next().unwrap().what, "fmt.Sprint");
        assert_eq!(facts.within("/a.go", 1, u32::MAX).count(), 2);
        assert_eq!(facts.packages[0].errors, 2);
        assert_eq!(facts.calls_of("main.f").len(), 1);
        assert!(!facts.is_cut);
    }
}
