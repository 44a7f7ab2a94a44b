//! Whether what calls hold was read: bytes that somebody sent, as large as they send them. Pure.
//!
//! What a call reads in is nobody's to build once and share, and as large as the sender makes it: what it is
//! at the moment of death is no bound of it. (Seen from outside: "let at most 58 calls run at a time; what
//! they hold fits", of calls that read endless bodies. 30 at a time died just the same.)

use crate::facts::Facts;
use crate::growth::Culprit;
use crate::owner::frame;

/// Functions of the standard library that take in what they are sent, whole. With those of them that decode:
/// what they build is as large as what they read.
const READERS: [&str; 17] = [
    "bufio.(*Reader).collectFragments",
    "bufio.(*Reader).ReadBytes",
    "bufio.(*Reader).ReadString",
    "bufio.(*Scanner).Scan",
    "bytes.(*Buffer).ReadFrom",
    "encoding/csv.(*Reader).",
    "encoding/gob.(*Decoder).",
    "encoding/json.(*Decoder).",
    "encoding/xml.(*Decoder).",
    "io.ReadAll",
    "io/ioutil.ReadAll",
    "mime/multipart.(*Reader).",
    "net/http.(*Request).ParseForm",
    "net/http.(*Request).ParseMultipartForm",
    "net/textproto.(*Reader).",
    "strings.(*Builder).ReadFrom",
    "google.golang.org/grpc.recv",
];

/// The function by which the culprit reads in what it holds; `None` if it is not seen to read.
pub(crate) fn reads_by<'a>(facts: &'a Facts, culprit: &Culprit) -> Option<&'a str> {
    let site = facts.profile.sites.get(culprit.site)?;
    let mut inner = site.stack.iter().filter_map(|i| frame(facts, *i)).map(|f| f.function.as_str());
    inner.find(|name| *name == culprit.frame.function || reads(name)).filter(|name| reads(name))
}

/// Whether it is one that reads in.
pub(crate) fn reads(function: &str) -> bool {
    READERS.iter().any(|known| if known.ends_with('.') { function.starts_with(known) } else { function == *known })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Frame, Profile, Site};

    #[test]
    fn a_reader_between_the_allocation_and_the_program() {
        let names = ["io.ReadAll", "main.handle", "net/http.(*Request).ParseForm", "encoding/json.(*Decoder).refill"];
        let frames = names.map(|n| Frame { function: n.into(), ..Frame::default() });
        let of = |stack: &[u32]| {
            let site = Site { stack: stack.to_vec(), ..Site::default() };
            let profile = Profile { sites: vec![site], ..Profile::default() };
            Facts { frames: frames.to_vec(), profile, ..Facts::default() }
        };
        let culprit = Culprit { frame: frames[1].clone(), ..Culprit::default() };
        assert_eq!(reads_by(&of(&[0, 1]), &culprit), Some("io.ReadAll"));
        assert_eq!(reads_by(&of(&[3, 1]), &culprit), Some("encoding/json.(*Decoder).refill"), "by its prefix");
        assert_eq!(reads_by(&of(&[1]), &culprit), None);
        assert_eq!(reads_by(&of(&[1, 2]), &culprit), None, "who calls it is another matter");
        assert_eq!(reads_by(&Facts::default(), &culprit), None);
    }
}
