//! Number of elements of a content that streams by: of JSON the largest array or object in it, of other text
//! the lines, of a single line the parts between commas.
//!
//! Which of several lists in a document is *the* list nobody says; the largest is the one that fills a heap.
//! What is not well-formed JSON is counted as text.

/// Deepest container whose elements are counted; deeper ones are passed over.
const MAX_DEPTH: usize = 64;

/// A counter that bytes are pushed through.
#[derive(Debug, Default)]
pub(crate) struct Elements {
    json: Json,
    text: Text,
}

impl Elements {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        for b in bytes {
            self.json.push(*b);
            self.text.push(*b);
        }
    }

    /// Elements so far; `None` where it is neither a list nor a table.
    pub(crate) fn count(&self) -> Option<u64> {
        self.json.count().or_else(|| self.text.count())
    }
}

/// A container of JSON that is open.
#[derive(Clone, Copy, Debug)]
struct Open {
    is_object: bool,
    commas: u64,
    any: bool,
}

#[derive(Debug, Default)]
struct Json {
    open: Vec<Open>,
    /// Containers open below those.
    deeper: u64,
    in_string: bool,
    escaped: bool,
    /// Values at the top: several in JSON Lines.
    roots: u64,
    most: u64,
    is_none: bool,
}

impl Json {
    fn push(&mut self, b: u8) {
        if self.is_none {
            return;
        }
        if self.in_string {
            match b {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => self.in_string = false,
                _ => {}
            }
            return;
        }
        match b {
            b' ' | b'\t' | b'\r' | b'\n' => {}
            b'[' | b'{' => {
                self.note();
                if self.open.len() < MAX_DEPTH {
                    self.roots += u64::from(self.open.is_empty());
                    self.open.push(Open { is_object: b == b'{', commas: 0, any: false });
                } else {
                    self.deeper += 1;
                }
            }
            b']' | b'}' if self.deeper > 0 => self.deeper -= 1,
            b']' | b'}' => match self.open.pop() {
                Some(open) if open.is_object == (b == b'}') => {
                    self.most = self.most.max(if open.any { open.commas + 1 } else { 0 });
                }
                _ => self.is_none = true,
            },
            b',' => match self.open.last_mut() {
                Some(open) if self.deeper == 0 => open.commas += 1,
                Some(_) => {}
                None => self.is_none = true,
            },
            _ => {
                self.note();
                // Something else than a container stands at the top.
                self.is_none |= self.open.is_empty();
                self.in_string = b == b'"';
            }
        }
    }

    fn note(&mut self) {
        if let Some(open) = self.open.last_mut() {
            open.any = true;
        }
    }

    fn count(&self) -> Option<u64> {
        let whole = !self.is_none && self.open.is_empty() && !self.in_string && self.roots > 0;
        // Of lines of JSON the lines are the list.
        whole.then(|| if self.roots > 1 { self.most.max(self.roots) } else { self.most })
    }
}

#[derive(Debug, Default)]
struct Text {
    /// Lines with something in them that have ended.
    lines: u64,
    line_has_something: bool,
    commas: u64,
}

impl Text {
    fn push(&mut self, b: u8) {
        match b {
            b'\n' => {
                self.lines += u64::from(self.line_has_something);
                self.line_has_something = false;
            }
            b' ' | b'\t' | b'\r' => {}
            b',' => {
                self.commas += 1;
                self.line_has_something = true;
            }
            _ => self.line_has_something = true,
        }
    }

    fn count(&self) -> Option<u64> {
        let lines = self.lines + u64::from(self.line_has_something);
        match (lines, self.commas) {
            (2.., _) => Some(lines),
            (1, 1..) => Some(self.commas + 1),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn count(text: &str) -> Option<u64> {
        let mut all = Elements::default();
        all.push(text.as_bytes());
        for piece in [1, 3] {
            let mut pieces = Elements::default();
            text.as_bytes().chunks(piece).for_each(|p| pieces.push(p));
            assert_eq!(pieces.count(), all.count(), "{text}");
        }
        all.count()
    }

    #[test]
    fn lists_and_tables_of_every_form() {
        let ids: Vec<String> = (0..230_184).map(|n| n.to_string()).collect();
        assert_eq!(count(&format!("[{}]", ids.join(","))), Some(230_184));
        assert_eq!(count(&format!("{{\"v\":1,\"tab\":{{\"ids\":[{}]}}}}", ids.join(", "))), Some(230_184));
        assert_eq!(count(&ids.join("\n")), Some(230_184));
        assert_eq!(count(&ids.join(",")), Some(230_184));
        assert_eq!(count("{\"a\":1,\"b\":[],\"c\":{}}"), Some(3));
        assert_eq!(count("[]"), Some(0));
        assert_eq!(count("{\"a\":\"[1,2,3,4]\"}"), Some(1), "what stands in a string is no element");
        assert_eq!(count(r#"["a\"],[","b"]"#), Some(2));
        assert_eq!(count("{\"a\":1}\n{\"a\":2}\n{\"a\":3}\n"), Some(3), "JSON Lines");
        assert_eq!(count("hello"), None);
        assert_eq!(count("42"), None);
        assert_eq!(count(""), None);
        assert_eq!(count("a: 1\nb: 2\n\n"), Some(2));
        assert_eq!(count("[1,2"), Some(2), "cut off: as text, two parts");
        assert_eq!(count("[1}"), None);
    }

    #[test]
    fn depth_is_bounded() {
        let deep = format!("{}1,2{}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(count(&deep), Some(1));
    }

    proptest! {
        #[test]
        fn arrays_are_counted(n in 0usize..300, pad in "[ \n\t]{0,3}") {
            let values = vec!["\"x,]\""; n].join(&format!("{pad},{pad}"));
            prop_assert_eq!(count(&format!("[{values}]")), Some(n as u64));
        }

        #[test]
        fn no_bytes_are_feared(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut e = Elements::default();
            e.push(&bytes);
            let _ = e.count();
        }
    }
}
