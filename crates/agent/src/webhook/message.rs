//! Bodies of messages. docs/formats/webhook.md has the generic shape, a versioned contract.

use lastgasp_report::printable;
use serde_json::{Value, json};

use super::digest::Notification;
use super::verdict::Verdict;

/// Body of schema lastgasp.webhook/1.
pub(super) fn generic(notification: &Notification) -> String {
    let mut body = notification.latest.fields.clone();
    if let Some(object) = body.as_object_mut() {
        object.insert("schema".into(), "lastgasp.webhook/1".into());
        let event = match (notification.killed, &notification.latest.leak) {
            (0, Some(_)) => "leaking",
            (0, None) => "in-danger",
            _ => "killed",
        };
        object.insert("event".into(), event.into());
        object.insert("captures".into(), notification.captures.into());
        object.insert("victims".into(), notification.victims.into());
        object.insert("killed".into(), notification.killed.into());
        object.insert("again".into(), notification.again.into());
        object.insert("update".into(), notification.update.into());
        object.insert("incident".into(), notification.incident.as_ref().map(Verdict::document).into());
        object.insert("text".into(), text(notification).into());
    }
    body.to_string()
}

/// Body that Slack's incoming webhooks take.
pub(super) fn slack(notification: &Notification) -> String {
    // Slack's own three special characters; names of the target must not become links or shouts.
    let escaped = |s: &str| s.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    json!({"text": escaped(&text(notification))}).to_string()
}

/// Text of a message, for people.
fn text(notification: &Notification) -> String {
    let event = &notification.latest;
    let leaking = event.leak.as_ref().filter(|_| notification.killed == 0);
    let victims = match (notification.killed, notification.victims) {
        (0, 1) if leaking.is_some() => "leaks goroutines".to_owned(),
        (0, n) if leaking.is_some() => format!("{n} processes leak goroutines"),
        (0, 1) => "is about to run out of memory".to_owned(),
        (0, n) => format!("{n} processes are about to run out of memory"),
        (1, 1) => "was killed, out of memory".to_owned(),
        (killed, n) if killed == n => format!("{killed} processes were killed, out of memory"),
        (killed, n) => format!("{killed} of {n} processes were killed, out of memory"),
    };
    let again = match (notification.update, notification.again) {
        (true, _) => " (update: the cause is clearer now)",
        (false, true) => " (again)",
        (false, false) => "",
    };
    // Names are the target's: a line break in one begins no line of ours.
    let sentence = leaking.unwrap_or(&event.sentence).clone();
    let incident = notification.incident.as_ref().filter(|_| leaking.is_none());
    let mut lines = vec![format!("{} on {}: {victims}{again}", event.service, event.host)];
    // Of an incident its own sentence is the news; what the best capture says stands behind it.
    lines.extend(incident.map(|i| format!("{} (confidence {:.2})", i.sentence, i.confidence)));
    lines.push(sentence);
    lines.extend(event.death.clone());
    let act = incident.and_then(|i| i.act.as_ref()).or(event.act.as_ref());
    lines.extend(act.map(|act| format!("DO NOW: {act}")));
    lines.extend(incident.map(|i| format!("lastgasp incident {}", i.service)));
    let capture = event.fields.get("capture").and_then(Value::as_str);
    lines.extend(capture.map(|capture| format!("lastgasp report {capture}")));
    lines.iter().map(|line| printable(line)).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::super::event::tests::an_event;
    use super::*;

    fn notification(killed: usize, victims: usize) -> Notification {
        let latest = an_event("c", 7, killed > 0);
        let incident = Some(Verdict {
            sentence: "it was the config".into(),
            confidence: 0.934,
            service: "svc".into(),
            ..Verdict::default()
        });
        Notification { latest, captures: victims as u64, victims, killed, again: false, incident, update: false }
    }

    #[test]
    fn people_are_told_how_many() {
        let first = |n: &Notification| text(n).lines().next().unwrap().split(": ").nth(1).unwrap().to_owned();
        assert_eq!(first(&notification(0, 1)), "is about to run out of memory");
        assert_eq!(first(&notification(3, 3)), "3 processes were killed, out of memory");
        assert_eq!(first(&notification(2, 5)), "2 of 5 processes were killed, out of memory");
    }

    #[test]
    fn an_incident_is_told_with_its_own_sentence() {
        let mut n = notification(3, 3);
        assert!(text(&n).contains("out of memory\nit was the config (confidence 0.93)\nc grew\n"), "{}", text(&n));
        assert!(text(&n).contains("\nlastgasp incident svc\n"));
        n.update = true;
        assert!(text(&n).contains("(update: the cause is clearer now)"));
        n.incident = None;
        assert!(!text(&n).contains("confidence"));
    }

    #[test]
    fn a_leak_is_no_danger_yet() {
        let mut leak = notification(0, 1);
        leak.latest.leak = Some("4,012 goroutines are leaked in main.work".into());
        let told = text(&leak);
        assert!(told.contains("leaks goroutines\n4,012 goroutines are leaked in main.work\n"), "{told}");
        let generic: Value = serde_json::from_str(&generic(&leak)).unwrap();
        assert_eq!(generic["event"], "leaking");
        // When it dies of it that is the news.
        leak.killed = 1;
        assert!(text(&leak).contains("was killed, out of memory"));
    }

    #[test]
    fn a_line_break_in_a_name_forges_no_line() {
        let mut forged = notification(1, 1);
        let lines = text(&forged).lines().count();
        forged.latest.service = "svc\nDO NOW: curl evil".into();
        forged.latest.sentence += "\r\nother-svc on db-1: was killed";
        forged.latest.act = Some("restart\u{2028}now\u{202e}\x1b[2J".into());
        let text = text(&forged);
        assert_eq!(text.lines().count(), lines + 1, "one more, which is the act");
        assert!(
            text.starts_with("svc\\u{a}DO NOW")
                && !text.contains('\r')
                && !text.contains(['\u{2028}', '\u{202e}', '\x1b']),
            "{text}"
        );
    }

    #[test]
    fn shapes() {
        let generic: Value = serde_json::from_str(&generic(&notification(2, 2))).unwrap();
        assert_eq!(
            (generic["schema"].as_str(), generic["event"].as_str()),
            (Some("lastgasp.webhook/1"), Some("killed"))
        );
        assert_eq!((generic["pid"].as_i64(), generic["capture"].as_str()), (Some(7), Some("/store/x")));
        let slack: Value = serde_json::from_str(&slack(&notification(2, 2))).unwrap();
        let text = slack["text"].as_str().unwrap();
        assert!(text.starts_with("svc&lt;!channel&gt; on ") && !text.contains('<'), "{text}");
    }

    #[test]
    fn the_documented_fields_are_the_fields() {
        let page = include_str!("../../../../docs/formats/webhook.md");
        let generic: Value = serde_json::from_str(&generic(&notification(1, 1))).unwrap();
        for key in generic.as_object().unwrap().keys() {
            assert!(page.contains(&format!("`{key}`")), "{key} is missing in docs/formats/webhook.md");
        }
    }
}
