//! Go releases: minor, patch and experiments, as a binary states them.

use std::fmt;

/// A Go release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoVersion {
    /// 22 for Go 1.22.
    pub minor: u16,
    /// As the binary says it: `go1.22.10`, `go1.25.5 X:greenteagc`, from Go 1.26 on
    /// `go1.27.0-X:nogreenteagc`.
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

    /// The patch release: 10 for `go1.22.10`, 0 for `go1.20` and for release candidates; `None` for a build
    /// between releases.
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
