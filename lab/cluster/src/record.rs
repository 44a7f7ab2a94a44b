//! What was so: a play as the lab itself saw it, kept beside the store as `played.json`. Verdicts are held
//! against it, and never see it.

use std::path::Path;
use std::time::SystemTime;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

/// Milliseconds since 1970.
#[must_use]
pub fn now_ms() -> i64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_millis() as i64)
}

/// A play.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Record {
    /// Name of the scenario.
    pub scenario: String,
    /// Seed that its numbers were moved by.
    pub seed: u64,
    /// The calm's begin.
    pub began_unix_ms: i64,
    /// The end.
    pub ended_unix_ms: i64,
    /// What was done, in the order of time.
    pub acts: Vec<Done>,
    /// Lives of the service's processes.
    pub lives: Vec<Life>,
    /// Why something that should have been done was not.
    pub failures: Vec<String>,
    /// Changes of which lastgasp could not be told, each with its reason.
    pub unheard: Vec<String>,
    /// What the daemon's webhook sent.
    pub told: Vec<Told>,
    /// Memory of the instance that used most, as it was looked at ten times a second: time, bytes.
    pub usage: Vec<(i64, u64)>,
    /// What the machine could give: see [`Pressure`].
    pub pressure: Pressure,
}

/// How busy the machine was meanwhile.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Pressure {
    /// Share of the time in which something waited for a processor (`/proc/pressure/cpu`); absent where the
    /// kernel does not say.
    pub processor: Option<f64>,
    /// Share of all processors that were busy.
    pub busy: f64,
}

/// An action, done.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Done {
    /// Its id; empty where it has none.
    pub id: String,
    /// When it began.
    pub at_unix_ms: i64,
    /// When it was done.
    pub until_unix_ms: i64,
    /// What, in words.
    pub what: String,
}

/// A life of a process of the service.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Life {
    /// Instance.
    pub instance: String,
    /// Data centre.
    pub data_centre: String,
    /// Version.
    pub version: String,
    /// Process number.
    pub pid: u32,
    /// Start.
    pub started_unix_ms: i64,
    /// End; absent while it lives.
    pub ended_unix_ms: Option<i64>,
    /// `oom`: the kernel killed it for memory; `killed`: somebody else did; `stopped`: the supervisor did;
    /// `exited`: by itself; `alive`.
    pub ending: String,
    /// Most bytes that its group used, in this life or one before.
    pub peak_bytes: u64,
}

/// A message of the daemon.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Told {
    /// When it came.
    pub at_unix_ms: i64,
    /// Its body.
    pub body: String,
}

impl Record {
    /// Kills for memory, in the order of time.
    pub fn kills(&self) -> impl Iterator<Item = &Life> {
        self.lives.iter().filter(|l| l.ending == "oom")
    }

    /// The first of them.
    #[must_use]
    pub fn first_kill(&self) -> Option<i64> {
        self.kills().filter_map(|l| l.ended_unix_ms).min()
    }

    /// Most memory that an instance was seen to use from a moment on.
    #[must_use]
    pub fn peak_since(&self, from_unix_ms: i64) -> u64 {
        self.usage.iter().filter(|(at, _)| *at >= from_unix_ms).map(|(_, bytes)| *bytes).max().unwrap_or(0)
    }

    /// When an action was done.
    #[must_use]
    pub fn time_of(&self, id: &str) -> Option<i64> {
        self.acts.iter().find(|a| a.id == id).map(|a| a.at_unix_ms)
    }

    /// Reads one.
    ///
    /// # Errors
    /// It is not there or no such file.
    pub fn load(file: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
        serde_json::from_str(&text).with_context(|| file.display().to_string())
    }

    /// Writes it.
    ///
    /// # Errors
    /// The system's.
    pub fn save(&self, file: &Path) -> Result<()> {
        std::fs::write(file, serde_json::to_string_pretty(self)?).with_context(|| file.display().to_string())
    }
}
