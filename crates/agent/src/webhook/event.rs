//! One capture, as far as messages tell of it.

use std::path::Path;

use lastgasp_diagnosis::facts::Phase;
use lastgasp_diagnosis::{Diagnosis, Facts};
use lastgasp_report::started_at;
use lastgasp_store::Form;
use serde_json::{Value, json};

/// What messages tell of a capture.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Event {
    /// The same for all victims of one cause.
    pub(crate) cause: String,
    /// Process number and start.
    pub(crate) victim: (i32, u64),
    /// Whether it was killed, or is in danger only.
    pub(crate) killed: bool,
    /// How much of it was written.
    pub(crate) form: Form,
    pub(super) service: String,
    pub(super) host: String,
    pub(super) sentence: String,
    pub(super) act: Option<String>,
    pub(super) fields: Value,
}

/// The event of a capture that has been written to `path`.
pub(crate) fn event(facts: &Facts, diagnosis: &Diagnosis, cause: &str, path: &Path, form: Form) -> Event {
    let light = form == Form::Light;
    let target = &facts.target;
    let verdict = diagnosis.verdict();
    let sentence = verdict.map_or("nothing was found that explains it", |v| v.sentence.as_str()).to_owned();
    let act = verdict.and_then(|v| v.do_now.first()).map(|(act, _)| act.clone());
    let host = nix::unistd::gethostname().map(|h| h.to_string_lossy().into_owned()).unwrap_or_default();
    let fields = json!({
        "host": host,
        "service": target.service,
        "pid": target.pid,
        "started_at": started_at(target.started_unix),
        "started_unix": target.started_unix,
        "container": target.container,
        "cgroup": target.cgroup,
        "go_version": target.go_version,
        "module": {"path": target.module.path, "version": target.module.version},
        "vcs_revision": target.vcs.as_ref().map(|v| &v.revision),
        "limit_bytes": target.limit_bytes,
        "phase": facts.capture.phase,
        "reason": facts.capture.reason,
        "taken_at": facts.capture.taken_at,
        "light": light,
        "cause": cause,
        "capture": path,
        "report": (!light).then(|| path.join("report.html")),
        "verdict": verdict.map(|v| json!({
            "code": v.code,
            "level": v.level.name(),
            "title": v.title,
            "sentence": v.sentence,
            "confidence": (v.confidence() * 100.0).round() / 100.0,
            "cure": v.cure,
        })),
    });
    Event {
        cause: cause.to_owned(),
        victim: (target.pid, target.started_unix),
        killed: facts.capture.phase == Phase::PostKill,
        form,
        service: target.service.clone(),
        host,
        sentence,
        act,
        fields,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use lastgasp_diagnosis::diagnose;

    use super::*;

    /// Of a made-up process.
    pub(in super::super) fn an_event(cause: &str, pid: i32, killed: bool) -> Event {
        let mut facts = Facts::default();
        facts.target.pid = pid;
        facts.target.service = "svc<!channel>".into();
        facts.capture.phase = if killed { "post-kill" } else { "pre-kill" }.into();
        let diagnosis = diagnose(&facts);
        event(&facts, &diagnosis, cause, Path::new("/store/x"), Form::Whole)
    }
}
