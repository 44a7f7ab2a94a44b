//! One capture, as far as messages tell of it.

use std::path::Path;

use lastgasp_diagnosis::facts::{Phase, Reason};
use lastgasp_diagnosis::{Diagnosis, Facts};
use lastgasp_report::{death, death_sentence, started_at};
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
    /// Whether a rule found anything.
    pub(crate) found: bool,
    /// Whether the same capture was told of before, and more is known of it now.
    pub(crate) again: bool,
    /// How much of it was written.
    pub(crate) form: Form,
    pub(super) service: String,
    pub(super) host: String,
    pub(super) sentence: String,
    pub(super) act: Option<String>,
    /// How the process died, where it did: its age, how long it stood at its limit, what died before.
    pub(super) death: Option<String>,
    /// The leak that it was taken for, of a process that is in no danger.
    pub(super) leak: Option<String>,
    pub(super) fields: Value,
}

impl Event {
    /// The same, of a capture of which more is known now.
    pub(crate) fn told_again(self) -> Self {
        Self { again: true, ..self }
    }

    /// What it is told with: kills and dangers of one service are one incident, whatever was found of each; a
    /// leak is told with others of its cause.
    pub(super) fn matter(&self) -> String {
        if self.leak.is_none() { format!("service {}", self.service) } else { self.cause.clone() }
    }

    /// What was found of a process, told of its end: by another capture of it that found nothing.
    pub(super) fn ended_by(&self, end: &Self) -> Self {
        let mut told = Self { killed: end.killed, victim: end.victim, ..self.clone() };
        told.death = end.death.clone().or(told.death);
        if let (Some(fields), Some(of_end)) = (told.fields.as_object_mut(), end.fields.as_object()) {
            for key in OF_THE_END {
                if let Some(value) = of_end.get(key) {
                    fields.insert(key.into(), value.clone());
                }
            }
        }
        told
    }
}

/// Fields that tell of a victim and its end, and not of what was found.
const OF_THE_END: [&str; 9] =
    ["pid", "started_at", "started_unix", "container", "cgroup", "phase", "reason", "taken_at", "death"];

/// The event of a capture that has been written to `path`; facts and diagnosis are those of the whole death,
/// where there are more captures of it.
pub(crate) fn event(facts: &Facts, diagnosis: &Diagnosis, cause: &str, path: &Path, form: Form) -> Event {
    let light = form == Form::Light;
    let target = &facts.target;
    let verdict = diagnosis.verdict();
    let sentence = verdict.map_or("nothing was found that explains it", |v| v.sentence.as_str()).to_owned();
    let act = verdict.and_then(|v| v.do_now.first()).map(|(act, _)| act.clone());
    // Only what was taken for it tells of it: of a process in danger the verdict is the news.
    let leak = diagnosis.goroutines.leak.as_ref().filter(|_| facts.capture.reason == Reason::Leak);
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
        "death": death(facts),
        "leak": leak.map(|l| json!({
            "sentence": l.sentence,
            "goroutines": diagnosis.goroutines.groups.get(l.group).map(|g| g.count),
            "seconds_to_full": l.seconds_to_full.map(f64::round),
        })),
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
        // A leak that is told of must not make the death that it brings later old news.
        cause: if leak.is_some() { format!("leak {cause}") } else { cause.to_owned() },
        victim: (target.pid, target.started_unix),
        killed: facts.capture.phase == Phase::PostKill,
        found: verdict.is_some() || leak.is_some(),
        again: false,
        form,
        service: target.service.clone(),
        host,
        sentence,
        act,
        death: death_sentence(facts),
        leak: leak.map(|l| l.sentence.clone()),
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
        let event = event(&facts, &diagnosis, cause, Path::new("/store/x"), Form::Whole);
        Event { found: true, sentence: format!("{cause} grew"), ..event }
    }

    /// The same of another service.
    pub(in super::super) fn of_service(service: &str, event: Event) -> Event {
        Event { service: service.into(), ..event }
    }

    /// The same of one in which nothing was found.
    pub(in super::super) fn nothing_found(pid: i32, killed: bool) -> Event {
        let event = an_event("nothing", pid, killed);
        Event { found: false, sentence: "nothing was found that explains it".into(), ..event }
    }
}
