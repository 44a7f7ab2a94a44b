//! What the linker wrote about the build: Go version, module, version control. Source: `debug/buildinfo`,
//! `cmd/link/internal/ld/data.go` (`buildinfo`).

/// A module with its version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Module {
    /// Import path: `example.com/svc`.
    pub path: String,
    /// Version, `(devel)` for a local build.
    pub version: String,
}

/// What `go version -m` prints, as far as we use it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
    let mut info = BuildInfo { go_version: String::from_utf8_lossy(version).into_owned(), ..BuildInfo::default() };
    // The text stands between two 16-byte markers.
    let text = modinfo.get(16..modinfo.len().saturating_sub(16)).unwrap_or_default();
    for line in String::from_utf8_lossy(text).lines() {
        let mut f = line.split('\t');
        match (f.next(), f.next(), f.next()) {
            (Some("path"), Some(p), _) => info.path = p.to_owned(),
            (Some("mod"), Some(p), v) => {
                info.module = Module { path: p.to_owned(), version: v.unwrap_or("").to_owned() }
            }
            (Some("build"), Some(kv), _) => {
                if let Some((k, v)) = kv.split_once('=') {
                    info.settings.push((k.to_owned(), v.to_owned()));
                }
            }
            _ => {}
        }
    }
    Some(info)
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
