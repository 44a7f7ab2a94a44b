//! The truth of each program.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use lastgasp_lab::build::repo_root;
use serde::Deserialize;

/// `expect.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// By name.
    #[serde(rename = "way")]
    pub ways: BTreeMap<String, Way>,
}

/// One program.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Way {
    /// Codes that are right, the best first, by role.
    pub code: ByRole<Vec<String>>,
    /// Tiers that are right, by role.
    #[serde(default)]
    pub tier: ByRole<Vec<String>>,
    /// Who is to be named as the holder, by role.
    #[serde(default)]
    pub holder: ByRole<Holder>,
    /// Whether it is a case of locks, whose holders are counted.
    #[serde(default)]
    pub lock: bool,
    /// Whether the code is judged whatever the tier is: of what is no leak, and slow.
    #[serde(default)]
    pub any_tier: bool,
    /// Goroutines that one group must have at least: of ways that are about numbers.
    #[serde(default)]
    pub group: Option<u64>,
    /// Whether the tests in CI play it.
    #[serde(default)]
    pub ci: bool,
    /// By name.
    #[serde(rename = "shape")]
    pub shapes: BTreeMap<String, Shape>,
}

/// Something for each role.
pub type ByRole<T> = BTreeMap<String, T>;

/// One form of a cause.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shape {
    /// Goroutines of each role, at least.
    pub roles: ByRole<usize>,
    /// As those of the way, where it differs.
    #[serde(default)]
    pub code: ByRole<Vec<String>>,
    /// As those of the way, where it differs.
    #[serde(default)]
    pub tier: ByRole<Vec<String>>,
    /// As those of the way, where it differs.
    #[serde(default)]
    pub holder: ByRole<Holder>,
    /// Roles that wait for the world outside: deadline and peer are judged.
    #[serde(default)]
    pub outside: Vec<String>,
    /// Whether package variables lead to what is waited for.
    #[serde(default)]
    pub globals: bool,
    /// Whether memory cannot tell: that nothing is found is then no miss.
    #[serde(default)]
    pub loose: bool,
}

/// Who is to be named as the holder of a lock.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(try_from = "String")]
pub enum Holder {
    /// The goroutine itself.
    Itself,
    /// Another one of its role.
    Ring,
    /// One of that role in its shape.
    Role(String),
    /// Another one of its shape.
    Any,
    /// No living goroutine.
    Nobody,
}

impl TryFrom<String> for Holder {
    type Error = String;

    fn try_from(s: String) -> Result<Self, String> {
        Ok(match s.as_str() {
            "self" => Self::Itself,
            "ring" => Self::Ring,
            "any" => Self::Any,
            "nobody" => Self::Nobody,
            _ => Self::Role(s.strip_prefix("role:").ok_or_else(|| format!("no such holder: {s}"))?.to_owned()),
        })
    }
}

/// What is right of the goroutines of one role.
#[derive(Clone, Debug)]
pub struct Right<'a> {
    /// Codes, the best first.
    pub codes: &'a [String],
    /// Tiers.
    pub tiers: Vec<&'a str>,
    /// Who is to be named.
    pub holder: Option<&'a Holder>,
}

impl Way {
    /// What is right of a role of a shape; `None` of roles of which nothing is to be said.
    #[must_use]
    pub fn right<'a>(&'a self, shape: &'a Shape, role: &str) -> Option<Right<'a>> {
        let codes = shape.code.get(role).or_else(|| self.code.get(role))?;
        let tiers = shape.tier.get(role).or_else(|| self.tier.get(role));
        let mut tiers: Vec<&str> = tiers.map_or_else(|| vec!["proved"], |t| t.iter().map(String::as_str).collect());
        if shape.globals {
            tiers.push("suspect");
        }
        Some(Right { codes, tiers, holder: shape.holder.get(role).or_else(|| self.holder.get(role)) })
    }
}

impl Expect {
    /// Reads it.
    ///
    /// # Errors
    /// A missing or malformed file, or a way without a program.
    pub fn load() -> Result<Self> {
        let file = home().join("expect.toml");
        let expect: Self = toml::from_str(&fs::read_to_string(&file)?).with_context(|| file.display().to_string())?;
        for name in expect.ways.keys() {
            let program = module().join(name);
            ensure!(program.join("main.go").exists(), "{}: no program", program.display());
        }
        Ok(expect)
    }
}

/// This crate's folder in the repository.
#[must_use]
pub fn home() -> PathBuf {
    repo_root().join("lab/causes")
}

/// The Go module of all programs.
#[must_use]
pub fn module() -> PathBuf {
    home().join("ways")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_program_has_a_truth() {
        let expect = Expect::load().unwrap();
        let mut folders: BTreeSet<String> = fs::read_dir(module())
            .unwrap()
            .flatten()
            .filter(|e| e.path().join("main.go").exists())
            .map(|e| e.file_name().into_string().unwrap())
            .collect();
        folders.retain(|f| !f.starts_with("healthy"));
        assert_eq!(folders, expect.ways.keys().cloned().collect());
    }

    /// Each shape of a truth is one that the program has, and the other way round.
    #[test]
    fn shapes_are_those_of_the_program() {
        for (name, way) in Expect::load().unwrap().ways {
            let source = fs::read_to_string(module().join(&name).join("main.go")).unwrap();
            let there: BTreeSet<String> = source
                .split("plant.Shape{Name: \"")
                .skip(1)
                .map(|rest| rest.split('"').next().unwrap().to_owned())
                .collect();
            assert_eq!(there, way.shapes.keys().cloned().collect(), "{name}");
            for (shape, s) in &way.shapes {
                for role in s.roles.keys() {
                    assert!(way.right(s, role).is_some(), "{name}, {shape}: nothing is right of {role}");
                    assert!(
                        source.contains(&format!("\"{shape}\", \"{role}\""))
                            || source.contains("shape, \"stuck\"")
                            || source.contains("role)"),
                        "{name}, {shape}: no {role}"
                    );
                }
            }
        }
    }

    #[test]
    fn ci_has_a_third_of_the_ways() {
        let expect = Expect::load().unwrap();
        let ci = expect.ways.values().filter(|w| w.ci).count();
        let all = expect.ways.len();
        assert!((all / 3..=all / 3 + 2).contains(&ci), "{ci} of {all}");
    }
}
