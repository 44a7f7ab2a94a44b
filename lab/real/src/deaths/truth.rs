//! `deaths.toml`: which loads kill, under which limit, and what is true of each death.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context as _, Result, ensure};
use lastgasp_deaths::expect::{Causes, InCi, Way};
use lastgasp_lab::build::repo_root;
use serde::Deserialize;

use crate::PROGRAMS;

/// The file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Truth {
    /// What is aimed at.
    pub aims: Aims,
    /// In the order in which they are played.
    pub death: Vec<Death>,
}

/// What is aimed at.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Aims {
    /// Share of deaths of which the place is right, 0 to 1.
    pub site: f64,
    /// Most of the resident memory that no bucket of a ledger explains, 0 to 1.
    pub unknown: f64,
}

/// One program, dying of one load.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Death {
    /// Name of the program.
    pub program: String,
    /// Name of the load.
    pub load: String,
    /// Of the group, MiB.
    pub limit: u64,
    /// Functions of the program, not of its libraries, that are right as the place.
    pub site: Vec<String>,
    /// Words of lab/deaths/causes.toml that are right, the truth first.
    pub cause: Vec<String>,
    /// What it is easily taken for.
    pub rivals: Vec<String>,
}

impl Truth {
    /// Reads it.
    ///
    /// # Errors
    /// A missing or malformed file, or one that names what there is not.
    pub fn load() -> Result<Self> {
        let file = repo_root().join("lab/real/deaths.toml");
        let truth: Self = toml::from_str(&fs::read_to_string(&file)?).with_context(|| file.display().to_string())?;
        let causes = Causes::load()?;
        for death in &truth.death {
            ensure!(PROGRAMS.iter().any(|p| p.name == death.program), "{}: not built here", death.program);
            for word in death.cause.iter().chain(&death.rivals) {
                ensure!(causes.has(word), "{}: {word} is no word of causes.toml", death.id());
            }
            ensure!(!death.rivals.iter().any(|r| death.cause.contains(r)), "{}: a rival that is right", death.id());
        }
        Ok(truth)
    }
}

impl Death {
    /// `caddy/buffered-uploads`.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{}/{}", self.program, self.load)
    }

    /// As the judge wants it.
    #[must_use]
    pub fn way(&self) -> Way {
        Way {
            limit: self.limit,
            env: BTreeMap::new(),
            site: self.site.clone(),
            cause: self.cause.clone(),
            types: Vec::new(),
            owner: Vec::new(),
            holder: Vec::new(),
            rivals: self.rivals.clone(),
            unknowable: Vec::new(),
            cgo: false,
            start: None,
            ci: InCi::No,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_program_dies() {
        let truth = Truth::load().unwrap();
        for program in PROGRAMS {
            assert!(truth.death.iter().any(|d| d.program == program.name), "{}", program.name);
        }
        for death in &truth.death {
            assert!(!death.site.is_empty() && !death.cause.is_empty() && !death.rivals.is_empty(), "{}", death.id());
            let dir = tempfile::tempdir().unwrap();
            assert!(super::super::loads::doom(&death.program, &death.load, dir.path()).is_ok(), "{}", death.id());
        }
    }
}
