//! A scenario: a world, what happens to it and when, and what is the truth of it. docs/scenarios.md describes
//! the file wholly; unknown keys are errors, so that what is misspelt is not left out in silence.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

mod act;
mod check;
mod quantity;
mod seed;
mod topology;
mod truth;

pub use act::{
    Act, BalancerChange, CallerChange, DependencyChange, Deploy, Environment, Event, Export, Feed, Files, Kill, Limit,
    Load, Neighbour, Pick, Publish, Restart, Trigger,
};
pub use quantity::{Size, Span};
pub use topology::{Balancer, Bug, Caller, Dependency, Feeds, Key, Node, Service, Use, Version};
pub use truth::{Accepted, Names, Truth};

/// A scenario, as its file says.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// One line for people.
    pub title: String,
    /// Whether it is kept out of tuning.
    #[serde(default)]
    pub hold_out: bool,
    /// Whether the tests in CI play it.
    #[serde(default)]
    pub ci: bool,
    /// What family it is of, for tables: `config`, `leak`.
    pub family: String,
    /// How long callers ask before lastgasp is started and the calm begins.
    #[serde(default = "warm_up")]
    pub warm_up: Span,
    /// How long it is played at most, from the calm's begin.
    #[serde(default = "longest")]
    pub duration: Span,
    /// How long it goes on after the first kill.
    #[serde(default = "after_kill")]
    pub after_kill: Span,
    /// The service.
    #[serde(default)]
    pub service: Service,
    /// Its releases, by version. Those that are named elsewhere and not here are as the first.
    #[serde(default)]
    pub version: BTreeMap<String, Version>,
    /// The service behind.
    #[serde(default)]
    pub dependency: Dependency,
    /// The balancer.
    #[serde(default)]
    pub balancer: Balancer,
    /// The services in front.
    #[serde(default = "topology::callers")]
    pub caller: BTreeMap<String, Caller>,
    /// The node.
    #[serde(default)]
    pub node: Node,
    /// What lastgasp is connected to.
    #[serde(default)]
    pub feeds: Feeds,
    /// What happens, in the order of time.
    #[serde(default, rename = "do")]
    pub acts: Vec<Act>,
    /// What is the truth of it.
    pub truth: Truth,
    /// Name of its file, without folder and ending.
    #[serde(skip)]
    pub name: String,
}

fn longest() -> Span {
    Span::ms(45_000)
}

fn after_kill() -> Span {
    Span::ms(7000)
}

/// With what Prometheus takes afterwards, longer than a request.
fn warm_up() -> Span {
    Span::ms(6000)
}

/// Largest file of a scenario that is read.
const LARGEST: u64 = 1 << 20;

impl Scenario {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// Every fault that it has, one a line, with where it stands.
    pub fn load(file: &Path) -> Result<Self> {
        let length = std::fs::metadata(file).with_context(|| file.display().to_string())?.len();
        if length > LARGEST {
            bail!("{}: {length} bytes are no scenario", file.display());
        }
        let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
        let name = file.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
        Self::of(&text, &name).with_context(|| format!("{} is no scenario (docs/scenarios.md)", file.display()))
    }

    /// The same of a text.
    ///
    /// # Errors
    /// As [`Scenario::load`].
    pub fn of(text: &str, name: &str) -> Result<Self> {
        let mut scenario: Self = toml::from_str(text)?;
        name.clone_into(&mut scenario.name);
        scenario.acts.sort_by_key(|a| a.at);
        let faults = check::faults(&scenario);
        if !faults.is_empty() {
            bail!("{}", faults.join("\n"));
        }
        Ok(scenario)
    }

    /// All of a folder, by name.
    ///
    /// # Errors
    /// One of them is none.
    pub fn all(folder: &Path) -> Result<Vec<Self>> {
        let mut files: Vec<_> = std::fs::read_dir(folder)
            .with_context(|| folder.display().to_string())?
            .flatten()
            .map(|e| e.path())
            .filter(|p| p.extension().is_some_and(|e| e == "toml"))
            .collect();
        files.sort();
        files.iter().map(|f| Self::load(f)).collect()
    }

    /// The version that instances begin with.
    #[must_use]
    pub fn first_version(&self) -> &str {
        &self.service.version
    }

    /// Every version that is named anywhere.
    #[must_use]
    pub fn versions(&self) -> Vec<String> {
        let mut all: Vec<String> = vec![self.service.version.clone()];
        all.extend(self.acts.iter().filter_map(|a| a.deploy.as_ref()).map(|d| d.version.clone()));
        all.sort();
        all.dedup();
        all
    }

    /// What a version is: as it says, or as the first does.
    #[must_use]
    pub fn release(&self, version: &str) -> Version {
        self.version.get(version).cloned().unwrap_or_default()
    }

    /// Names of all instances with their data centres: `resource-service-dc-a-1`.
    #[must_use]
    pub fn instances(&self) -> Vec<(String, String)> {
        let centres = &self.service.data_centres;
        (0..self.service.instances)
            .filter_map(|i| {
                let centre = centres.get(i % centres.len().max(1))?;
                Some((format!("{}-{centre}-{}", self.service.name, i / centres.len() + 1), centre.clone()))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests;
