//! Requests as they come: the head, and how the body behind it is delimited. Pure; bytes are foreign, and
//! whatever they say, no more is kept of them than the limits allow.

use std::net::IpAddr;

/// Headers that are looked at, at most; a request with more of them is refused.
const MAX_HEADERS: usize = 64;
/// Longest line that tells of a chunk's size.
const MAX_CHUNK_LINE: usize = 256;

/// Head of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) method: String,
    /// Path, without the query.
    pub(crate) path: String,
    /// What stands behind the question mark.
    pub(crate) query: String,
    /// In their order; names in lower case. Values that are no UTF-8 are left out.
    pub(crate) headers: Vec<(String, String)>,
    /// Who connected; unknown in tests.
    pub(crate) peer: Option<IpAddr>,
}

/// Why a head cannot be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadHead {
    /// It is none, or is not at its end.
    NoRequest,
    /// It is of another version of HTTP.
    Version,
}

impl Head {
    /// Parses it; gives the number of its bytes, too.
    pub(crate) fn parse(bytes: &[u8]) -> Result<(Self, usize), BadHead> {
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut request = httparse::Request::new(&mut headers);
        let length = match request.parse(bytes) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) => return Err(BadHead::NoRequest),
            Err(httparse::Error::Version) => return Err(BadHead::Version),
            Err(_) => return Err(BadHead::NoRequest),
        };
        let target = request.path.unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let text = |h: &httparse::Header<'_>| {
            let value = std::str::from_utf8(h.value).ok()?;
            Some((h.name.to_ascii_lowercase(), value.trim().to_owned()))
        };
        let head = Self {
            method: request.method.unwrap_or_default().to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers: request.headers.iter().filter_map(text).collect(),
            peer: None,
        };
        Ok((head, length))
    }

    /// Value of a header, by its name in lower case; of several the first.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// A parameter of the query, as it stands there.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.split('&').find_map(|p| p.split_once('=').filter(|(n, _)| *n == name)).map(|(_, v)| v)
    }

    /// How the body is delimited, or why it is not taken: status and sentence.
    pub(crate) fn framing(&self, limit: usize) -> Result<Framing, (&'static str, &'static str)> {
        const BAD: &str = "400 Bad Request";
        let coded = self.header("content-encoding").is_some_and(|c| !c.eq_ignore_ascii_case("identity"));
        if coded {
            return Err(("415 Unsupported Media Type", "compressed bodies are not taken: send it as it is"));
        }
        let lengths: Vec<&str> =
            self.headers.iter().filter(|(n, _)| n == "content-length").map(|(_, v)| v.as_str()).collect();
        let codings: Vec<&str> =
            self.headers.iter().filter(|(n, _)| n == "transfer-encoding").map(|(_, v)| v.as_str()).collect();
        match (lengths.as_slice(), codings.as_slice()) {
            ([length], []) => {
                // No sign, no blank: what two parsers could read in two ways is refused.
                let digits = !length.is_empty() && length.len() <= 12 && length.bytes().all(|b| b.is_ascii_digit());
                let length: usize =
                    length.parse().ok().filter(|_| digits).ok_or((BAD, "a length that is no number"))?;
                if length > limit { Err(TOO_LARGE) } else { Ok(Framing::Length(length)) }
            }
            ([], [coding]) if coding.eq_ignore_ascii_case("chunked") => Ok(Framing::Chunked(Chunked::new(limit))),
            ([], []) => Err(("411 Length Required", "give the length of the body")),
            _ => Err((BAD, "a body of two lengths, or in a coding that is not known")),
        }
    }
}

/// Answer to a body that is too large.
pub(crate) const TOO_LARGE: (&str, &str) = ("413 Content Too Large", "larger than what is taken here");

/// How a body is delimited.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// By its length.
    Length(usize),
    /// By chunks.
    Chunked(Chunked),
}

/// A body that comes in chunks (RFC 9112, 7.1); extensions and trailers are skipped.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Chunked {
    limit: usize,
    pub(crate) body: Vec<u8>,
    line: Vec<u8>,
    expects: Expects,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expects {
    Size,
    Data(usize),
    /// The end of the line behind a chunk.
    DataEnd,
    Trailer,
    Nothing,
}

impl Chunked {
    fn new(limit: usize) -> Self {
        Self { limit, body: Vec::new(), line: Vec::new(), expects: Expects::Size }
    }

    /// Takes more of it; whether it is whole now.
    pub(crate) fn push(&mut self, mut bytes: &[u8]) -> Result<bool, (&'static str, &'static str)> {
        const BAD: (&str, &str) = ("400 Bad Request", "chunks that are none");
        while let Some((first, rest)) = bytes.split_first() {
            match self.expects {
                Expects::Data(left) => {
                    let (taken, behind) = bytes.split_at(left.min(bytes.len()));
                    self.body.extend_from_slice(taken);
                    bytes = behind;
                    self.expects =
                        if taken.len() == left { Expects::DataEnd } else { Expects::Data(left - taken.len()) };
                }
                Expects::Nothing => return Ok(true),
                Expects::Size | Expects::DataEnd | Expects::Trailer => {
                    bytes = rest;
                    if *first != b'\n' {
                        self.line.push(*first);
                        if self.line.len() > MAX_CHUNK_LINE {
                            return Err(BAD);
                        }
                        continue;
                    }
                    let line = std::mem::take(&mut self.line);
                    let line = line.strip_suffix(b"\r").unwrap_or(&line);
                    self.expects = match self.expects {
                        Expects::Size => match chunk_size(line).ok_or(BAD)? {
                            0 => Expects::Trailer,
                            n if self.body.len().saturating_add(n) > self.limit => return Err(TOO_LARGE),
                            n => Expects::Data(n),
                        },
                        Expects::DataEnd if line.is_empty() => Expects::Size,
                        Expects::Trailer if line.is_empty() => Expects::Nothing,
                        Expects::Trailer => Expects::Trailer,
                        _ => return Err(BAD),
                    };
                }
            }
        }
        Ok(self.expects == Expects::Nothing)
    }
}

fn chunk_size(line: &[u8]) -> Option<usize> {
    let digits = line.split(|b| *b == b';').next()?.trim_ascii();
    let digits = std::str::from_utf8(digits).ok()?;
    let plain = !digits.is_empty() && digits.len() <= 8 && digits.bytes().all(|b| b.is_ascii_hexdigit());
    usize::from_str_radix(digits, 16).ok().filter(|_| plain)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn head(text: &str) -> Head {
        Head::parse(text.as_bytes()).unwrap().0
    }

    #[test]
    fn heads() {
        let h = head("POST /v1/changes?source=a&x=b HTTP/1.1\r\nHost: h\r\nX-GitHub-Event:  deployment \r\n\r\nrest");
        assert_eq!((h.method.as_str(), h.path.as_str(), h.parameter("x")), ("POST", "/v1/changes", Some("b")));
        assert_eq!((h.header("x-github-event"), h.header("none")), (Some("deployment"), None));
        assert_eq!(Head::parse(b"GET / HTTP/3\r\n\r\n"), Err(BadHead::Version));
        assert_eq!(Head::parse(b"GET / HTTP/1.1\r\n"), Err(BadHead::NoRequest));
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(MAX_HEADERS + 1));
        assert_eq!(Head::parse(many.as_bytes()), Err(BadHead::NoRequest));
    }

    #[test]
    fn bodies_are_delimited_in_one_way_or_refused() {
        let framing = |headers: &str| head(&format!("POST / HTTP/1.1\r\n{headers}\r\n")).framing(100);
        let refused = |headers: &str| framing(headers).unwrap_err().0;
        assert_eq!(framing("Content-Length: 100\r\n"), Ok(Framing::Length(100)));
        assert!(matches!(framing("Transfer-Encoding: Chunked\r\n"), Ok(Framing::Chunked(_))));
        assert!(refused("Content-Length: 101\r\n").starts_with("413"));
        assert!(refused("").starts_with("411"));
        assert!(refused("Content-Length: +5\r\n").starts_with("400"));
        assert!(refused("Content-Length: 5\r\nContent-Length: 6\r\n").starts_with("400"));
        assert!(refused("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n").starts_with("400"));
        assert!(refused("Transfer-Encoding: gzip, chunked\r\n").starts_with("400"));
        assert!(refused("Content-Length: 5\r\nContent-Encoding: gzip\r\n").starts_with("415"));
    }

    #[test]
    fn chunks() {
        let text = b"4\r\nWiki\r\n6;x=y\r\npedia \r\n0\r\nTrailer: x\r\n\r\n";
        for piece in 1..text.len() {
            let mut c = Chunked::new(10);
            let mut whole = false;
            for bytes in text.chunks(piece) {
                assert!(!whole);
                whole = c.push(bytes).unwrap();
            }
            assert!(whole && c.body == b"Wikipedia ");
        }
        assert_eq!(Chunked::new(9).push(text), Err(TOO_LARGE));
        assert!(Chunked::new(9).push(b"-1\r\n").is_err());
        assert!(Chunked::new(9).push(b"4\r\nWikiX\r\n").is_err());
        assert!(Chunked::new(9).push(&[b'1'; 1000]).is_err());
        assert_eq!(Chunked::new(9).push(b"ffffffffffffffff\r\n").unwrap_err().0, "400 Bad Request");
    }

    proptest! {
        #[test]
        fn no_bytes_are_feared(bytes in proptest::collection::vec(any::<u8>(), 0..400), limit in 0usize..200) {
            let _ = Head::parse(&bytes);
            let mut c = Chunked::new(limit);
            let _ = c.push(&bytes);
            prop_assert!(c.body.len() <= limit);
        }
    }
}
