//! Names with a meaning that are stored as they are said: kinds of change, roles of metrics. A name that this
//! version does not know is kept.

use serde::{Deserialize, Serialize};

/// Kind of a change in the world.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeKind {
    /// Another version of the service was put out: a deployment, a new image, a rollback of one.
    Release,
    /// A configuration was written: a ConfigMap, a key in etcd, Nacos, Apollo, Consul, a feature flag.
    Config,
    /// Source was merged or tagged; whether and where it runs a release says.
    Code,
    /// What services stand on: base image, kernel, node, mesh, runtime, a tool or platform.
    Platform,
    /// A service that is called: its release, its configuration, its fault.
    Dependency,
    /// Data that people published with an admin or operations platform.
    Admin,
    /// Another memory limit, request or soft limit.
    Limit,
    /// Environment of the process: GOGC, GOMEMLIMIT, flags.
    Environment,
    /// Another number of instances.
    Scale,
    /// Traffic was moved or grew by somebody's act: a campaign, a failover, a drained zone.
    Traffic,
    /// A collection in the heap of a process jumped, as the watch saw it: no change by itself, and a sign of
    /// one.
    Census,
    /// A name that this version does not know.
    #[serde(untagged)]
    Unknown(String),
}

impl Default for ChangeKind {
    fn default() -> Self {
        Self::Unknown(String::new())
    }
}

impl ChangeKind {
    /// As it is stored and as contracts have it.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Release => "release",
            Self::Config => "config",
            Self::Code => "code",
            Self::Platform => "platform",
            Self::Dependency => "dependency",
            Self::Admin => "admin",
            Self::Limit => "limit",
            Self::Environment => "environment",
            Self::Scale => "scale",
            Self::Traffic => "traffic",
            Self::Census => "census",
            Self::Unknown(name) => name,
        }
    }
}

impl From<&str> for ChangeKind {
    fn from(name: &str) -> Self {
        [
            Self::Release,
            Self::Config,
            Self::Code,
            Self::Platform,
            Self::Dependency,
            Self::Admin,
            Self::Limit,
            Self::Environment,
            Self::Scale,
            Self::Traffic,
            Self::Census,
        ]
        .into_iter()
        .find(|k| k.name() == name)
        .unwrap_or_else(|| Self::Unknown(name.to_owned()))
    }
}

/// What a metric counts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MetricRole {
    /// All requests that reached the service, retries among them.
    Attempts,
    /// First attempts alone: what users asked for.
    FirstAttempts,
    /// Attempts after a failed one.
    Retries,
    /// Failed requests.
    Errors,
    /// Requests that were given up for time.
    Timeouts,
    /// Requests that are being served.
    InFlight,
    /// Seconds that a request takes, mean or a quantile.
    Latency,
    /// Instances that the balancer holds for healthy.
    Healthy,
    /// A name that this version does not know.
    #[serde(untagged)]
    Unknown(String),
}

impl Default for MetricRole {
    fn default() -> Self {
        Self::Unknown(String::new())
    }
}

impl MetricRole {
    /// As it is stored and as contracts have it.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Attempts => "attempts",
            Self::FirstAttempts => "first-attempts",
            Self::Retries => "retries",
            Self::Errors => "errors",
            Self::Timeouts => "timeouts",
            Self::InFlight => "in-flight",
            Self::Latency => "latency",
            Self::Healthy => "healthy",
            Self::Unknown(name) => name,
        }
    }
}

impl From<&str> for MetricRole {
    fn from(name: &str) -> Self {
        [
            Self::Attempts,
            Self::FirstAttempts,
            Self::Retries,
            Self::Errors,
            Self::Timeouts,
            Self::InFlight,
            Self::Latency,
            Self::Healthy,
        ]
        .into_iter()
        .find(|k| k.name() == name)
        .unwrap_or_else(|| Self::Unknown(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back_known_or_not() {
        for name in [
            "release",
            "config",
            "code",
            "platform",
            "dependency",
            "admin",
            "limit",
            "environment",
            "scale",
            "traffic",
            "weather",
            "",
        ] {
            let kind = ChangeKind::from(name);
            let json = serde_json::to_string(&kind).unwrap();
            assert_eq!((json.as_str(), kind.name()), (format!("{name:?}").as_str(), name));
            assert_eq!(serde_json::from_str::<ChangeKind>(&json).unwrap(), kind);
        }
        for name in
            ["attempts", "first-attempts", "retries", "errors", "timeouts", "in-flight", "latency", "healthy", "mood"]
        {
            let role = MetricRole::from(name);
            let json = serde_json::to_string(&role).unwrap();
            assert_eq!((json.as_str(), role.name()), (format!("{name:?}").as_str(), name));
            assert_eq!(serde_json::from_str::<MetricRole>(&json).unwrap(), role);
        }
        assert!(serde_json::from_str::<ChangeKind>("7").is_err());
    }
}
