//! Filter of targets: includes and excludes by service, container, pod, cgroup.

use lastgasp_recorder::daemon::Subject;
use serde::{Deserialize, Serialize};
use wildmatch::WildMatch;

/// Patterns with `*` and `?`. A process is meant if any of them fits.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TargetFilter {
    pub(crate) services: Vec<String>,
    pub(crate) containers: Vec<String>,
    pub(crate) pods: Vec<String>,
    pub(crate) cgroups: Vec<String>,
}

/// So many characters of a container's id people copy from `docker ps`.
const SHORT_ID: usize = 12;

impl TargetFilter {
    pub(crate) fn is_empty(&self) -> bool {
        [&self.services, &self.containers, &self.pods, &self.cgroups].into_iter().all(Vec::is_empty)
    }

    /// Whether the process is meant.
    pub(crate) fn fits(&self, subject: &Subject<'_>) -> bool {
        let any = |patterns: &[String], text: &str| patterns.iter().any(|p| WildMatch::new(p).matches(text));
        any(&self.services, subject.service)
            || any(&self.cgroups, subject.cgroup)
            || subject.pod.is_some_and(|pod| any(&self.pods, pod))
            || subject
                .container
                .is_some_and(|id| any(&self.containers, id) || any(&self.containers, id.get(..SHORT_ID).unwrap_or(id)))
    }

    /// An empty pattern fits nothing, and is a mistake.
    pub(super) fn check(&self, table: &str) -> Result<(), (String, String)> {
        let all = [
            ("services", &self.services),
            ("containers", &self.containers),
            ("pods", &self.pods),
            ("cgroups", &self.cgroups),
        ];
        for (key, patterns) in all {
            if patterns.iter().any(String::is_empty) {
                return Err((format!("{table}.{key}"), "an empty pattern fits nothing".into()));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_meant_by_any_of_its_names() {
        let subject = Subject {
            service: "resource-service",
            container: Some("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"),
            pod: Some("12f7e0c1"),
            cgroup: "/kubepods/burstable/pod12f7e0c1/0123456789abcdef",
        };
        let filter = |field: fn(&mut TargetFilter) -> &mut Vec<String>, pattern: &str| {
            let mut filter = TargetFilter::default();
            field(&mut filter).push(pattern.into());
            filter.fits(&subject)
        };
        assert!(filter(|w| &mut w.services, "resource-*") && !filter(|w| &mut w.services, "resource"));
        assert!(filter(|w| &mut w.containers, "0123456789ab") && !filter(|w| &mut w.containers, "0123"));
        assert!(filter(|w| &mut w.pods, "12f7????") && !filter(|w| &mut w.pods, "*x"));
        assert!(filter(|w| &mut w.cgroups, "/kubepods/burstable/*") && !filter(|w| &mut w.cgroups, "/kubepods"));
        assert!(TargetFilter::default().is_empty() && !TargetFilter::default().fits(&subject));
    }
}
