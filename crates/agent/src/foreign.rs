//! What reads bytes of others, for the fuzzer and for nobody else.

use std::path::Path;
use std::sync::OnceLock;

use lastgasp_store::events::Salt;

use crate::changes::mapping::{KnownObjects, Received, map};
use crate::changes::payload::base64::Base64;
use crate::changes::payload::elements::Elements;
use crate::changes::watchers;
use crate::http::request::Head;
use crate::metrics_in;

fn salt() -> &'static Salt {
    static SALT: OnceLock<Salt> = OnceLock::new();
    SALT.get_or_init(|| Salt::of(Path::new("/nonexistent")))
}

/// A request to tell of a change: the first byte chooses its headers, the rest is the body; and the whole as
/// a request as it comes.
pub fn told(bytes: &[u8]) {
    const HEADERS: [&[(&str, &str)]; 4] = [
        &[],
        &[("x-github-event", "deployment_status")],
        &[("ce-specversion", "1.0"), ("ce-type", "t"), ("ce-id", "1"), ("ce-source", "s"), ("ce-time", "x")],
        &[("x-gitlab-event", "Deployment Hook")],
    ];
    let Some((which, body)) = bytes.split_first() else { return };
    let headers = HEADERS.get(usize::from(*which) % HEADERS.len()).copied().unwrap_or_default();
    let header = |name: &str| headers.iter().find(|(n, _)| *n == name).map(|(_, v)| *v);
    let received = Received { now_ms: 1_790_000_000_000, salt: salt(), source: None, header: &header };
    let mut known = KnownObjects::default();
    // Twice: what was known of objects is held against them.
    for _ in 0..2 {
        if let Ok(mapped) = map(body, &received, &mut known) {
            for change in mapped.changes {
                assert!(change.key.chars().count() < 1000 && change.at_unix_ms != 0);
            }
        }
    }
    if let Ok((head, _)) = Head::parse(bytes) {
        let _ = head.framing(1 << 20);
    }
}

/// Answers of configuration servers and of Prometheus, in pieces of some size, and a page of metrics.
pub fn answers(bytes: &[u8]) {
    let Some((piece, bytes)) = bytes.split_first() else { return };
    let piece = usize::from(*piece).max(1);
    watchers::read_answers(bytes, piece, salt());
    metrics_in::read_answer(bytes);
    let (mut elements, mut base64) = (Elements::default(), Base64::default());
    for part in bytes.chunks(piece) {
        elements.push(part);
        base64.push(part, |_| {});
    }
    let _ = (elements.count(), base64.is_whole());
    metrics_in::text::samples(bytes, |_| {});
    let _ = metrics_in::selector::Selector::parse(&String::from_utf8_lossy(bytes));
}
