//! Findings that were there when the check was introduced: they are known by their fingerprints and left out.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::finding::Finding;

/// Name and version of the form.
const SCHEMA: &str = "lastgasp.baseline/1";

/// A baseline file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Baseline {
    /// `lastgasp.baseline/1`.
    pub schema: String,
    /// Fingerprints, with what a person wants to know of each.
    pub findings: BTreeMap<String, Known>,
}

/// A finding of the baseline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// Code.
    pub code: String,
    /// File.
    pub file: String,
    /// Function.
    #[serde(default)]
    pub function: String,
}

impl Baseline {
    /// Of findings.
    #[must_use]
    pub fn of(findings: &[Finding]) -> Self {
        let known =
            |f: &Finding| Known { code: f.code.clone(), file: f.place.file.clone(), function: f.function.clone() };
        Self {
            schema: SCHEMA.to_owned(),
            findings: findings.iter().map(|f| (f.fingerprint.clone(), known(f))).collect(),
        }
    }

    /// From a file's text.
    ///
    /// # Errors
    /// It is no baseline, or one of a form that this release does not know.
    pub fn parse(text: &str) -> Result<Self, String> {
        let out: Self =
            serde_json::from_str(text).map_err(|e| format!("no baseline: {e}; --write-baseline writes one"))?;
        if out.schema != SCHEMA {
            return Err(format!("a baseline of the form {:?}; this release reads {SCHEMA}", out.schema));
        }
        Ok(out)
    }

    /// Takes away what is known; gives how many that were.
    pub fn take_from(&self, findings: &mut Vec<Finding>) -> usize {
        let before = findings.len();
        findings.retain(|f| !self.findings.contains_key(&f.fingerprint));
        before - findings.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_taken_away() {
        let f = |fingerprint: &str| Finding { fingerprint: fingerprint.into(), ..Finding::default() };
        let text = serde_json::to_string(&Baseline::of(&[f("a"), f("b")])).unwrap();
        let mut now = vec![f("a"), f("c")];
        assert_eq!(Baseline::parse(&text).unwrap().take_from(&mut now), 1);
        assert_eq!(now, [f("c")]);
        assert!(Baseline::parse("{}").is_err());
        assert!(Baseline::parse(&text.replace("/1", "/9")).unwrap_err().contains("/9"));
    }
}
