//! A message's words. docs/formats/webhook.md has the generic shape, a versioned contract.

use std::path::Path;

use lastgasp_diagnosis::{Diagnosis, Facts};
use lastgasp_report::printable;
use serde_json::{Value, json};

use super::digest::Told;

/// A capture, as far as it is told of.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Event {
    /// The same for all victims of one cause.
    pub(crate) cause: String,
    /// Process number and start.
    pub(crate) victim: (i32, u64),
    /// Whether it was killed, or is in danger only.
    pub(crate) killed: bool,
    /// Whether another capture of the cause is whole.
    pub(crate) light: bool,
    service: String,
    host: String,
    sentence: String,
    act: Option<String>,
    fields: Value,
}

/// Of a capture that has been written.
pub(crate) fn event(facts: &Facts, diagnosis: &Diagnosis, cause: &str, path: &Path, light: bool) -> Event {
    let target = &facts.target;
    let verdict = diagnosis.verdict();
    let sentence = verdict.map_or("nothing was found that explains it", |v| v.sentence.as_str()).to_owned();
    let act = verdict.and_then(|v| v.do_now.first()).map(|(act, _)| act.clone());
    let host = nix::unistd::gethostname().map(|h| h.to_string_lossy().into_owned()).unwrap_or_default();
    let fields = json!({
        "host": host,
        "service": target.service,
        "pid": target.pid,
        "started_unix": target.started_unix,
        "container": target.container,
        "cgroup": target.cgroup,
        "go_version": target.go_version,
        "module": {"path": target.module.0, "version": target.module.1},
        "vcs_revision": target.vcs.as_ref().map(|v| &v.0),
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
        killed: facts.capture.phase == "post-kill",
        light,
        service: target.service.clone(),
        host,
        sentence,
        act,
        fields,
    }
}

/// Schema lastgasp.webhook/1.
pub(super) fn generic(told: &Told) -> String {
    let mut body = told.latest.fields.clone();
    if let Some(object) = body.as_object_mut() {
        object.insert("schema".into(), "lastgasp.webhook/1".into());
        object.insert("event".into(), if told.killed > 0 { "killed" } else { "in-danger" }.into());
        object.insert("captures".into(), told.captures.into());
        object.insert("victims".into(), told.victims.into());
        object.insert("killed".into(), told.killed.into());
        object.insert("again".into(), told.again.into());
        object.insert("text".into(), text(told).into());
    }
    body.to_string()
}

/// What Slack's incoming webhooks take.
pub(super) fn slack(told: &Told) -> String {
    // Slack's own three special characters; names of the target must not become links or shouts.
    let escaped = |s: &str| s.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    json!({"text": escaped(&text(told))}).to_string()
}

/// The message for people.
fn text(told: &Told) -> String {
    let event = &told.latest;
    let victims = match (told.killed, told.victims) {
        (0, 1) => "is about to run out of memory".to_owned(),
        (0, n) => format!("{n} processes are about to run out of memory"),
        (1, 1) => "was killed, out of memory".to_owned(),
        (killed, n) if killed == n => format!("{killed} processes were killed, out of memory"),
        (killed, n) => format!("{killed} of {n} processes were killed, out of memory"),
    };
    let again = if told.again { " (again)" } else { "" };
    let mut text = format!("{} on {}: {victims}{again}\n{}", event.service, event.host, event.sentence);
    if let Some(act) = &event.act {
        text += &format!("\nDO NOW: {act}");
    }
    if let Some(capture) = event.fields.get("capture").and_then(Value::as_str) {
        text += &format!("\nlastgasp report {capture}");
    }
    text.lines().map(printable).collect::<Vec<_>>().join("\n")
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
        event(&facts, &diagnosis, cause, Path::new("/store/x"), false)
    }

    fn told(killed: usize, victims: usize) -> Told {
        Told { latest: an_event("c", 7, killed > 0), captures: victims as u64, victims, killed, again: false }
    }

    #[test]
    fn people_are_told_how_many() {
        let first = |t: &Told| text(t).lines().next().unwrap().split(": ").nth(1).unwrap().to_owned();
        assert_eq!(first(&told(0, 1)), "is about to run out of memory");
        assert_eq!(first(&told(3, 3)), "3 processes were killed, out of memory");
        assert_eq!(first(&told(2, 5)), "2 of 5 processes were killed, out of memory");
    }

    #[test]
    fn shapes() {
        let generic: Value = serde_json::from_str(&generic(&told(2, 2))).unwrap();
        assert_eq!(
            (generic["schema"].as_str(), generic["event"].as_str()),
            (Some("lastgasp.webhook/1"), Some("killed"))
        );
        assert_eq!((generic["pid"].as_i64(), generic["capture"].as_str()), (Some(7), Some("/store/x")));
        let slack: Value = serde_json::from_str(&slack(&told(2, 2))).unwrap();
        let text = slack["text"].as_str().unwrap();
        assert!(text.starts_with("svc&lt;!channel&gt; on ") && !text.contains('<'), "{text}");
    }

    #[test]
    fn the_documented_fields_are_the_fields() {
        let page = include_str!("../../../../../docs/formats/webhook.md");
        let generic: Value = serde_json::from_str(&generic(&told(1, 1))).unwrap();
        for key in generic.as_object().unwrap().keys() {
            assert!(page.contains(&format!("`{key}`")), "{key} is missing in docs/formats/webhook.md");
        }
    }
}
