//! JSON that streams by: tokens with the path to them, strings in pieces, so that one of megabytes is never
//! whole in memory. Not recursive; depth, keys and numbers are bounded.
//!
//! It reads answers of servers, whose form is known; where a document is at hand as a whole, `serde_json`
//! reads it.

use std::mem::take;

/// Deepest path.
pub(crate) const MAX_DEPTH: usize = 32;
/// Longest key, and longest number.
const MAX_KEY: usize = 1024;
const MAX_SCALAR: usize = 64;

/// Token; its path has the keys of objects, and `""` for elements of arrays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token<'a> {
    /// An object or array begins at the path.
    Begin,
    /// It ends.
    End,
    /// More of a string, escapes resolved.
    Part(&'a [u8]),
    /// A string is at its end.
    StringEnd,
    /// A number, `true`, `false` or `null`.
    Scalar(&'a str),
}

/// Why it cannot be read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadJson(pub(crate) &'static str);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// A value, or the end of an array that is empty.
    Value,
    /// A key, or the end of an object.
    Key,
    Colon,
    /// A comma or an end.
    After,
    String {
        is_key: bool,
    },
    Escape {
        is_key: bool,
    },
    Unicode {
        is_key: bool,
        digits: u8,
        code: u32,
    },
    Scalar,
}

/// A reader that bytes are pushed through. Several documents may follow each other.
#[derive(Debug)]
pub(crate) struct JsonStream {
    state: State,
    path: Vec<String>,
    /// Whether each open container is an object.
    open: Vec<bool>,
    buffer: Vec<u8>,
    /// The first half of a character beyond the basic plane.
    surrogate: Option<u32>,
}

impl Default for JsonStream {
    fn default() -> Self {
        Self { state: State::Value, path: Vec::new(), open: Vec::new(), buffer: Vec::new(), surrogate: None }
    }
}

impl JsonStream {
    /// Reads more of it.
    pub(crate) fn push(&mut self, bytes: &[u8], mut sink: impl FnMut(&[String], Token<'_>)) -> Result<(), BadJson> {
        let mut at = 0;
        while let Some(b) = bytes.get(at) {
            // Strings in pieces as long as there are.
            if let State::String { is_key } = self.state {
                let rest = bytes.get(at..).unwrap_or_default();
                let plain = rest.iter().position(|b| matches!(b, b'"' | b'\\')).unwrap_or(rest.len());
                if plain > 0 {
                    self.string_part(rest.get(..plain).unwrap_or_default(), is_key, &mut sink)?;
                    at += plain;
                    continue;
                }
            }
            at += 1;
            self.byte(*b, &mut sink)?;
        }
        Ok(())
    }

    /// Whether no document is begun and not ended.
    pub(crate) fn is_between(&self) -> bool {
        self.open.is_empty() && matches!(self.state, State::Value | State::After)
    }

    fn byte(&mut self, b: u8, sink: &mut impl FnMut(&[String], Token<'_>)) -> Result<(), BadJson> {
        match self.state {
            State::Scalar if !matches!(b, b',' | b']' | b'}' | b' ' | b'\t' | b'\r' | b'\n') => {
                self.buffer.push(b);
                return if self.buffer.len() > MAX_SCALAR { Err(BadJson("a number that is too long")) } else { Ok(()) };
            }
            State::Scalar => {
                let text = take(&mut self.buffer);
                let text = std::str::from_utf8(&text).map_err(|_| BadJson("a number that is none"))?;
                sink(&self.path, Token::Scalar(text));
                self.state = State::After;
            }
            _ => {}
        }
        match self.state {
            State::Escape { is_key } => {
                self.state = State::String { is_key };
                let plain = match b {
                    b'n' => b'\n',
                    b't' => b'\t',
                    b'r' => b'\r',
                    b'b' => 8,
                    b'f' => 12,
                    b'"' | b'\\' | b'/' => b,
                    b'u' => {
                        self.state = State::Unicode { is_key, digits: 0, code: 0 };
                        return Ok(());
                    }
                    _ => return Err(BadJson("an escape that is none")),
                };
                self.string_part(&[plain], is_key, sink)
            }
            State::Unicode { is_key, digits, code } => {
                let digit = char::from(b).to_digit(16).ok_or(BadJson("an escape that is none"))?;
                let (code, digits) = ((code << 4) | digit, digits + 1);
                if digits < 4 {
                    self.state = State::Unicode { is_key, digits, code };
                    return Ok(());
                }
                self.state = State::String { is_key };
                let whole = match (self.surrogate.take(), code) {
                    (Some(high), 0xdc00..=0xdfff) => 0x10000 + ((high - 0xd800) << 10) + (code - 0xdc00),
                    (None, 0xd800..=0xdbff) => {
                        self.surrogate = Some(code);
                        return Ok(());
                    }
                    _ => code,
                };
                let character = char::from_u32(whole).unwrap_or(char::REPLACEMENT_CHARACTER);
                self.string_part(character.encode_utf8(&mut [0; 4]).as_bytes(), is_key, sink)
            }
            State::String { is_key } if b == b'\\' => {
                self.state = State::Escape { is_key };
                Ok(())
            }
            State::String { is_key: true } => {
                let key = String::from_utf8_lossy(&take(&mut self.buffer)).into_owned();
                if let Some(last) = self.path.last_mut() {
                    *last = key;
                }
                self.surrogate = None;
                self.state = State::Colon;
                Ok(())
            }
            State::String { is_key: false } => {
                self.surrogate = None;
                self.state = State::After;
                sink(&self.path, Token::StringEnd);
                Ok(())
            }
            _ if matches!(b, b' ' | b'\t' | b'\r' | b'\n') => Ok(()),
            State::Colon if b == b':' => {
                self.state = State::Value;
                Ok(())
            }
            State::Key if b == b'"' => {
                self.state = State::String { is_key: true };
                Ok(())
            }
            State::Key if b == b'}' => self.end(b, sink),
            State::After if b == b',' && !self.open.is_empty() => {
                let is_object = self.open.last() == Some(&true);
                self.state = if is_object { State::Key } else { State::Value };
                Ok(())
            }
            State::After if matches!(b, b'}' | b']') => self.end(b, sink),
            // Another document.
            State::After if self.open.is_empty() => self.value(b, sink),
            State::Value if b == b']' => self.end(b, sink),
            State::Value => self.value(b, sink),
            _ => Err(BadJson("a sign that does not belong there")),
        }
    }

    fn value(&mut self, b: u8, sink: &mut impl FnMut(&[String], Token<'_>)) -> Result<(), BadJson> {
        match b {
            b'{' | b'[' => {
                if self.open.len() >= MAX_DEPTH {
                    return Err(BadJson("deeper than what is read"));
                }
                sink(&self.path, Token::Begin);
                self.open.push(b == b'{');
                self.path.push(String::new());
                self.state = if b == b'{' { State::Key } else { State::Value };
            }
            b'"' => self.state = State::String { is_key: false },
            b'-' | b'0'..=b'9' | b't' | b'f' | b'n' => {
                self.buffer = vec![b];
                self.state = State::Scalar;
            }
            _ => return Err(BadJson("a sign that does not belong there")),
        }
        Ok(())
    }

    fn end(&mut self, b: u8, sink: &mut impl FnMut(&[String], Token<'_>)) -> Result<(), BadJson> {
        if self.open.pop() != Some(b == b'}') {
            return Err(BadJson("an end of something else"));
        }
        self.path.pop();
        sink(&self.path, Token::End);
        self.state = State::After;
        Ok(())
    }

    fn string_part(
        &mut self,
        bytes: &[u8],
        is_key: bool,
        sink: &mut impl FnMut(&[String], Token<'_>),
    ) -> Result<(), BadJson> {
        if !is_key {
            sink(&self.path, Token::Part(bytes));
            return Ok(());
        }
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() > MAX_KEY { Err(BadJson("a key that is too long")) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    /// Everything that was told, a line each; strings whole.
    fn told(text: &[u8], piece: usize) -> Result<String, BadJson> {
        let (mut stream, mut out, mut string) = (JsonStream::default(), String::new(), Vec::new());
        for bytes in text.chunks(piece) {
            stream.push(bytes, |path, token| {
                let path: String = path.iter().map(|p| format!("/{p}")).collect();
                match token {
                    Token::Begin => out += &format!("{path} (\n"),
                    Token::End => out += &format!("{path} )\n"),
                    Token::Part(bytes) => string.extend_from_slice(bytes),
                    Token::StringEnd => {
                        out += &format!("{path} {:?}\n", String::from_utf8_lossy(&std::mem::take(&mut string)));
                    }
                    Token::Scalar(text) => out += &format!("{path} {text}\n"),
                }
            })?;
        }
        Ok(out)
    }

    #[test]
    fn tokens_with_their_paths() {
        let text =
            br#" {"result":{"events":[{"kv":{"key":"YQ==","n":"5\u00e9\n\ud83d\ude00"}},7 ,{}],"e":[]}, "b":true}
 {"x":null} "#;
        let expected = "\
\x20(\n/result (\n/result/events (\n/result/events/ (\n/result/events//kv (\n/result/events//kv/key \"YQ==\"
/result/events//kv/n \"5é\\n😀\"\n/result/events//kv )\n/result/events/ )\n/result/events/ 7\n/result/events/ (
/result/events/ )\n/result/events )\n/result/e (\n/result/e )\n/result )\n/b true\n )\n (\n/x null\n )\n";
        for piece in [1, 2, 7, 1000] {
            assert_eq!(told(text, piece).unwrap(), expected);
        }
    }

    #[test]
    fn what_is_none_is_refused() {
        for text in ["{]", "[}", "{\"a\" 1}", "[1 2]", "]", "{\"a\":\"\\x\"}", "nonsense"] {
            let whole = told(text.as_bytes(), 1);
            assert!(whole.is_err() || text == "nonsense", "{text}: {whole:?}");
        }
        assert!(told("[".repeat(MAX_DEPTH + 1).as_bytes(), 9).is_err());
        assert!(told(format!("{{\"{}\":1}}", "k".repeat(2000)).as_bytes(), 9).is_err());
        assert!(told("1".repeat(100).as_bytes(), 9).is_err());
    }

    /// As another reader reads it.
    fn walk(v: &Value, path: &str, out: &mut String) {
        match v {
            Value::Array(all) => {
                *out += &format!("{path} (\n");
                all.iter().for_each(|v| walk(v, &format!("{path}/"), out));
                *out += &format!("{path} )\n");
            }
            Value::Object(all) => {
                *out += &format!("{path} (\n");
                all.iter().for_each(|(k, v)| walk(v, &format!("{path}/{k}"), out));
                *out += &format!("{path} )\n");
            }
            Value::String(s) => *out += &format!("{path} {s:?}\n"),
            other => *out += &format!("{path} {other}\n"),
        }
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".{0,8}".prop_map(Value::from)
        ];
        let deep = leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::btree_map("[a-zé\"\\\\]{1,4}", inner, 0..4)
                    .prop_map(|m| Value::Object(m.into_iter().collect())),
            ]
        });
        proptest::collection::btree_map("[a-z]{1,3}", deep, 1..4).prop_map(|m| Value::Object(m.into_iter().collect()))
    }

    proptest! {
        #[test]
        fn as_another_reader_reads_it(value in json(), piece in 1usize..9) {
            let mut expected = String::new();
            walk(&value, "", &mut expected);
            prop_assert_eq!(told(value.to_string().as_bytes(), piece).unwrap(), expected);
        }

        #[test]
        fn no_bytes_are_feared(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut stream = JsonStream::default();
            let _ = stream.push(&bytes, |path, _| assert!(path.len() <= MAX_DEPTH));
            let _ = stream.is_between();
        }
    }
}
