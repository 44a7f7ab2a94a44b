//! What the linker wrote about the build: Go version, module, version control. Source: `debug/buildinfo`,
//! `cmd/link/internal/ld/data.go` (`buildinfo`).

use serde::{Deserialize, Serialize};

/// A module with its version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Module {
    /// Import path: `example.com/svc`.
    pub path: String,
    /// Version, `(devel)` for a local build.
    pub version: String,
}

/// What `go version -m` prints, as far as we use it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildInfo {
    /// Release as the linker wrote it: `go1.22.10`; `unknown` where garble was at work.
    pub go_version: String,
    /// Import path of the main package.
    pub path: String,
    /// Module of the main package; empty for a build outside of any.
    pub module: Module,
    /// `build` lines: key and value.
    pub settings: Vec<(String, String)>,
}

impl BuildInfo {
    /// The value of a `build` line.
    #[must_use]
    pub fn setting(&self, key: &str) -> Option<&str> {
        self.settings.iter().find(|(k, _)| k == key).map(|(_, v)| v.as_str())
    }
}

/// Bytes of the version, of a path and of a module's version that are kept of it...
const MAX_WORD: usize = 1024;
/// ...and of all settings together, of which `-ldflags` is the longest.
const MAX_SETTINGS: usize = 64 << 10;

const MAGIC: &[u8] = b"\xff Go buildinf:";
const FLAG_INLINE: u8 = 2;

/// Parses the section `.go.buildinfo`, or any bytes that hold its magic on a 16-byte boundary. `None` for Go
/// before 1.18, whose pointer form names a version that is refused anyway.
#[must_use]
pub fn parse_buildinfo(data: &[u8]) -> Option<BuildInfo> {
    let at = (0..data.len()).step_by(16).find(|i| data.get(*i..).is_some_and(|d| d.starts_with(MAGIC)))?;
    let data = data.get(at..)?;
    if data.get(15)? & FLAG_INLINE == 0 {
        return None;
    }
    let (version, rest) = varint_string(data.get(32..)?)?;
    let (modinfo, _) = varint_string(rest).unwrap_or_default();
    let go_version = bounded(&String::from_utf8_lossy(version));
    let (mut info, mut settings) = (BuildInfo { go_version, ..BuildInfo::default() }, 0);
    // The text stands between two 16-byte markers.
    let text = modinfo.get(16..modinfo.len().saturating_sub(16)).unwrap_or_default();
    for line in String::from_utf8_lossy(text).lines() {
        let mut f = line.split('\t');
        match (f.next(), f.next(), f.next()) {
            (Some("path"), Some(p), _) => info.path = bounded(p),
            (Some("mod"), Some(p), v) => info.module = Module { path: bounded(p), version: bounded(v.unwrap_or("")) },
            (Some("build"), Some(kv), _) => {
                settings += kv.len();
                if let Some((k, v)) = kv.split_once('=').filter(|_| settings <= MAX_SETTINGS) {
                    info.settings.push((k.to_owned(), v.to_owned()));
                }
            }
            _ => {}
        }
    }
    Some(info)
}

/// A word of it, whatever its length says.
fn bounded(word: &str) -> String {
    word.chars().take(MAX_WORD).collect()
}

/// A uvarint length and so many bytes; the rest.
fn varint_string(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut len = 0usize;
    for (i, b) in data.iter().take(5).enumerate() {
        len |= usize::from(b & 0x7f) << (7 * i);
        if b & 0x80 == 0 {
            let body = data.get(i + 1..)?;
            return (len <= body.len()).then(|| body.split_at(len));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn section(version: &str, modinfo: &str) -> Vec<u8> {
        let mut s = MAGIC.to_vec();
        s.extend([8, FLAG_INLINE]);
        s.resize(32, 0);
        let wrapped =
            if modinfo.is_empty() { String::new() } else { format!("0123456789abcdef{modinfo}0123456789abcdef") };
        for text in [version, &wrapped] {
            let mut n = text.len();
            while n >= 0x80 {
                s.push(n as u8 | 0x80);
                n >>= 7;
            }
            s.push(n as u8);
            s.extend(text.as_bytes());
        }
        s
    }

    #[test]
    fn version_module_and_revision() {
        let info = parse_buildinfo(&section(
            "go1.24.11",
            "path\texample.com/svc/cmd/svc\nmod\texample.com/svc\tv1.4.1\t\nbuild\tvcs.revision=abc\nbuild\t-ldflags=\"-s -w\"\n",
        ))
        .unwrap();
        assert_eq!(info.go_version, "go1.24.11");
        assert_eq!(info.module, Module { path: "example.com/svc".into(), version: "v1.4.1".into() });
        assert_eq!(info.setting("vcs.revision"), Some("abc"));
        assert_eq!(info.setting("-ldflags"), Some("\"-s -w\""));
    }

    /// It stays with each process for as long as that is watched.
    #[test]
    fn what_is_kept_of_it_is_bounded() {
        let long = "x".repeat(300_000);
        let text = format!("path\t{long}\nmod\t{long}\t{long}\nbuild\ta=1\nbuild\tb={long}\nbuild\tc=2\n");
        let info = parse_buildinfo(&section(&format!("go1.24.11{long}"), &text)).unwrap();
        let words = [&info.go_version, &info.path, &info.module.path, &info.module.version];
        assert!(words.iter().all(|w| w.len() == MAX_WORD));
        assert_eq!(info.settings, [("a".to_owned(), "1".to_owned())], "what is too much, and all behind it");
    }

    proptest! {
        #[test]
        fn never_panics(cut in 0usize..200, flips in proptest::collection::vec((0usize..100, any::<u8>()), 0..8)) {
            let mut s = section("go1.24.11", "path\ta\nmod\ta\tv1\nbuild\tx=y\n");
            for (at, v) in flips {
                if let Some(b) = s.get_mut(at) { *b = v; }
            }
            s.truncate(s.len().saturating_sub(cut));
            let _ = parse_buildinfo(&s);
        }
    }
}
