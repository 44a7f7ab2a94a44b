//! What the linker wrote about the build: Go version, module, version control. Source: `debug/buildinfo`, `cmd/link/internal/ld/data.go` (`buildinfo`).

use std::fmt;

/// A Go release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoVersion {
    /// 22 for Go 1.22.
    pub minor: u16,
    /// As the binary says it: `go1.22.10`, `go1.25.5 X:greenteagc`, from Go 1.26 on `go1.27.0-X:nogreenteagc`.
    pub text: String,
}

impl GoVersion {
    /// Parses `go1.22.10`, `go1.27rc1`, `devel go1.28-abcdef`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.get(text.find("go1.")? + 4..)?;
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        Some(Self { minor: digits.parse().ok()?, text: text.to_owned() })
    }

    /// The patch release: 10 for `go1.22.10`, 0 for `go1.20` and for release candidates; `None` for a build between releases.
    #[must_use]
    pub fn patch(&self) -> Option<u16> {
        let rest = self.text.split_once("go1.")?.1.trim_start_matches(|c: char| c.is_ascii_digit());
        match rest.strip_prefix('.') {
            Some(patch) => patch.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok(),
            None if rest.starts_with('-') || self.text.starts_with("devel") => None,
            None => Some(0),
        }
    }

    /// The experiments (`GOEXPERIMENT`) that depart from the release's own choice.
    pub fn experiments(&self) -> impl Iterator<Item = &str> {
        let list = [" X:", "-X:"].iter().find_map(|mark| self.text.split_once(mark)).map_or("", |(_, list)| list);
        let list = list.split_whitespace().next().unwrap_or("");
        list.split(',').filter(|e| !e.is_empty())
    }
}

impl fmt::Display for GoVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A module with its version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Module {
    /// Import path.
    pub path: String,
    /// Version, `(devel)` for a local build.
    pub version: String,
}

/// What `go version -m` prints, as far as we use it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BuildInfo {
    /// `go1.22.10`.
    pub go_version: String,
    /// Path of the main package.
    pub path: String,
    /// Main module.
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

/// Parses the section `.go.buildinfo`, or any bytes that hold its magic on a 16-byte boundary. `None` for Go before 1.18, whose pointer form names a version
/// that is refused anyway.
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
        assert_eq!(GoVersion::parse(&info.go_version).unwrap().minor, 24);
        assert_eq!(info.module, Module { path: "example.com/svc".into(), version: "v1.4.1".into() });
        assert_eq!(info.setting("vcs.revision"), Some("abc"));
        assert_eq!(info.setting("-ldflags"), Some("\"-s -w\""));
    }

    #[test]
    fn odd_versions() {
        assert_eq!(GoVersion::parse("devel go1.28-0a1b2c Tue").map(|v| v.minor), Some(28));
        assert_eq!(GoVersion::parse("go1.27rc1 X:nogreenteagc").map(|v| v.minor), Some(27));
        assert_eq!(GoVersion::parse("go2.1"), None);
        let experiments = |t| GoVersion::parse(t).unwrap().experiments().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(experiments("go1.25.0 X:greenteagc,arenas"), ["greenteagc", "arenas"]);
        assert_eq!(experiments("go1.27.0-X:nogreenteagc,arenas"), ["nogreenteagc", "arenas"]);
        assert_eq!(experiments("go1.22.5 (Red Hat 1.22.5-1.el9) X:boringcrypto more"), ["boringcrypto"]);
        assert!(experiments("go1.22.5").is_empty());
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
