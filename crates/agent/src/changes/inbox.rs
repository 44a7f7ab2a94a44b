//! `POST /v1/changes`: who may tell of changes, how many, and what becomes of them.
//!
//! Without a token nothing is let in, unless the configuration says that whoever is on this machine may
//! (`changes.loopback_without_token`). With one the sender shows it: `Authorization: Bearer`, GitLab's
//! `X-Gitlab-Token`, or GitHub's signature of the body by it.

use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use ring::hmac::{HMAC_SHA256, Key, sign, verify};
use ring::rand::SystemRandom;
use serde_json::json;

use super::events::{Events, now_ms};
use super::mapping::{self, KnownObjects, Received};
use crate::config::{self, MIN_TOKEN};
use crate::http::request::Head;
use crate::http::{Answer, JSON};

/// Where changes are told.
pub(crate) const PATH: &str = "/v1/changes";
/// Largest body.
const MAX_BODY: usize = 1 << 20;
/// Requests a second, and at once; those without a valid token likewise.
const REQUESTS: (f64, f64) = (50.0, 500.0);
const STRANGERS: (f64, f64) = (2.0, 20.0);

/// What takes changes.
#[derive(Debug)]
pub(crate) struct Inbox {
    events: Events,
    rules: Mutex<config::Changes>,
    /// One body at a time is mapped: what a tree of one takes is taken once.
    known: Mutex<KnownObjects>,
    requests: Mutex<Bucket>,
    strangers: Mutex<Bucket>,
}

/// What a sender has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    Leave,
    /// A signature that is held against the body.
    Signature,
}

impl Inbox {
    pub(crate) fn new(events: Events, rules: config::Changes) -> Self {
        Self {
            events,
            rules: Mutex::new(rules),
            known: Mutex::default(),
            requests: Mutex::new(Bucket::new(REQUESTS)),
            strangers: Mutex::new(Bucket::new(STRANGERS)),
        }
    }

    /// Other rules from now on.
    pub(crate) fn set_rules(&self, rules: config::Changes) {
        *self.rules.lock().unwrap_or_else(PoisonError::into_inner) = rules;
    }

    /// The most bytes of a body, or why there may be none.
    pub(crate) fn may_post(&self, head: &Head) -> Result<usize, Answer> {
        if head.path != PATH {
            return Err(Answer::plain("404 Not Found", "changes are told to /v1/changes"));
        }
        if let Err(refused) = self.shown(head) {
            self.count_refused();
            if !take(&self.strangers) {
                return Err(Answer::plain("429 Too Many Requests", "too many requests without a valid token"));
            }
            return Err(refused);
        }
        if !take(&self.requests) {
            self.count_refused();
            return Err(Answer::plain(
                "429 Too Many Requests",
                "50 requests a second are taken: send several changes in one",
            ));
        }
        Ok(MAX_BODY)
    }

    fn count_refused(&self) {
        self.events.counts().refused.fetch_add(1, Ordering::Relaxed);
    }

    fn shown(&self, head: &Head) -> Result<Shown, Answer> {
        let rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if rules.token_file.as_os_str().is_empty() {
            return match rules.loopback_without_token {
                true if is_local(head) => Ok(Shown::Leave),
                true => Err(Answer::plain(
                    "403 Forbidden",
                    "without a token (changes.token_file) changes are taken from this machine alone",
                )),
                false => Err(Answer::plain(
                    "403 Forbidden",
                    "no token is configured, and so no changes are taken: set changes.token_file",
                )),
            };
        }
        let Some(token) = token(&rules.token_file) else {
            tracing::error!(event = "no-token", file = %rules.token_file.display(), "the token of changes cannot be read, or is shorter than {MIN_TOKEN} bytes: nobody can tell of changes");
            return Err(Answer::plain("503 Service Unavailable", "the token cannot be read here: the log says why"));
        };
        let bearer = head.header("authorization").and_then(|a| {
            let (scheme, token) = a.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
        });
        match (bearer.or(head.header("x-gitlab-token")), head.header("x-hub-signature-256")) {
            (Some(given), _) if is_equal(given.as_bytes(), &token) => Ok(Shown::Leave),
            (None, Some(_)) => Ok(Shown::Signature),
            (None, None) => Err(Answer::plain("401 Unauthorized", "give the token: Authorization: Bearer TOKEN")),
            (Some(_), _) => Err(Answer::plain("401 Unauthorized", "this is not the token")),
        }
    }

    /// Takes a body.
    pub(crate) fn post(&self, head: &Head, body: &[u8]) -> Answer {
        match self.shown(head) {
            Ok(Shown::Leave) => {}
            Ok(Shown::Signature) if self.is_signed(head, body) => {}
            Ok(Shown::Signature) => {
                self.count_refused();
                take(&self.strangers);
                return Answer::plain("401 Unauthorized", "the signature is not by the token");
            }
            Err(refused) => return refused,
        }
        let mapped = {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            let header = |name: &str| head.header(name);
            let received = Received {
                now_ms: now_ms(),
                salt: self.events.salt(),
                source: head.parameter("source"),
                header: &header,
            };
            mapping::map(body, &received, &mut known)
        };
        let mapped = match mapped {
            Ok(mapped) => mapped,
            Err(why) => {
                self.count_refused();
                return Answer::plain("400 Bad Request", &why.0);
            }
        };
        let added = match self.events.add_changes(&mapped.changes) {
            Ok(added) => added,
            // Who sends tries again: nothing is lost.
            Err(why) => return Answer::plain("503 Service Unavailable", &why),
        };
        for change in &mapped.changes {
            tracing::info!(
                event = "change",
                source = change.source,
                kind = change.kind.name(),
                key = change.key,
                elements = change.elements,
                "told of a change"
            );
        }
        let said = mapped.answer.unwrap_or_else(|| {
            let ids: Vec<&str> = mapped.changes.iter().map(|c| c.id.as_str()).collect();
            json!({"accepted": added.new, "duplicates": added.known, "too_long": added.too_long, "ids": ids, "ignored": mapped.ignored})
        });
        Answer { status: "200 OK", kind: JSON, body: format!("{said}\n") }
    }

    /// GitHub's signature: HMAC-SHA-256 of the body by the token, in hex.
    fn is_signed(&self, head: &Head, body: &[u8]) -> bool {
        let file = self.rules.lock().unwrap_or_else(PoisonError::into_inner).token_file.clone();
        let signature = head.header("x-hub-signature-256").and_then(|s| s.strip_prefix("sha256=")).and_then(of_hex);
        match (token(&file), signature) {
            (Some(token), Some(signature)) => verify(&Key::new(HMAC_SHA256, &token), body, &signature).is_ok(),
            _ => false,
        }
    }
}

/// A token, read each time: one that is rotated is a new file.
fn token(file: &Path) -> Option<Vec<u8>> {
    const MAX: u64 = 4096;
    fs::metadata(file).ok().filter(|m| m.is_file() && m.len() <= MAX)?;
    let bytes = fs::read(file).ok()?;
    let token = bytes.trim_ascii();
    (token.len() >= MIN_TOKEN).then(|| token.to_vec())
}

/// Whether two texts are equal, in a time that says nothing of where they differ: their codes by a key that
/// nobody knows are compared.
fn is_equal(a: &[u8], b: &[u8]) -> bool {
    let Ok(key) = Key::generate(HMAC_SHA256, &SystemRandom::new()) else { return false };
    verify(&key, a, sign(&key, b).as_ref()).is_ok()
}

/// Whether a request comes from a program of this machine, and not from a page that a browser of this machine
/// shows: such a one says its origin, or another host than ours.
fn is_local(head: &Head) -> bool {
    let host = head.header("host").unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, port)| if port.contains(']') { host } else { name });
    let name = name.trim_start_matches('[').trim_end_matches(']');
    let ours = name == "localhost" || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    head.peer.is_some_and(|peer| peer.is_loopback()) && ours && head.header("origin").is_none()
}

fn of_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text.chars().map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok())).collect();
    let digits = digits.filter(|d| d.len() == 64)?;
    Some(digits.chunks_exact(2).filter_map(|two| Some((two.first()? << 4) | two.last()?)).collect())
}

/// So many a second, and so many at once.
#[derive(Debug)]
struct Bucket {
    rate: f64,
    most: f64,
    has: f64,
    at: Instant,
}

impl Bucket {
    fn new((rate, most): (f64, f64)) -> Self {
        Self { rate, most, has: most, at: Instant::now() }
    }

    fn take(&mut self, now: Instant) -> bool {
        self.has = (self.has + now.saturating_duration_since(self.at).as_secs_f64() * self.rate).min(self.most);
        self.at = now;
        let may = self.has >= 1.0;
        if may {
            self.has -= 1.0;
        }
        may
    }
}

fn take(bucket: &Mutex<Bucket>) -> bool {
    bucket.lock().unwrap_or_else(PoisonError::into_inner).take(Instant::now())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use lastgasp_incident::evidence::{Evidence, Query};
    use lastgasp_store::events::{EventLimits, read};

    use super::*;

    const TOKEN: &str = "0123456789abcdef0123";

    struct Place {
        store: tempfile::TempDir,
        inbox: Inbox,
    }

    fn place(rules: impl Fn(&Path) -> config::Changes) -> Place {
        let store = tempfile::tempdir().unwrap();
        fs::write(store.path().join("token"), format!("{TOKEN}\n")).unwrap();
        let events = Events::open(store.path(), EventLimits::default());
        let inbox = Inbox::new(events, rules(&store.path().join("token")));
        Place { store, inbox }
    }

    fn with_token() -> Place {
        place(|file| config::Changes { token_file: file.into(), ..config::Changes::default() })
    }

    fn head(headers: &[(&str, &str)]) -> Head {
        Head {
            method: "POST".into(),
            path: PATH.into(),
            headers: headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
            peer: Some([127, 0, 0, 1].into()),
            ..Head::default()
        }
    }

    fn refused(place: &Place, head: &Head) -> String {
        place.inbox.may_post(head).unwrap_err().status[..3].to_owned()
    }

    #[test]
    fn without_a_token_nobody_is_let_in() {
        let none = place(|_| config::Changes::default());
        assert_eq!(refused(&none, &head(&[("host", "127.0.0.1")])), "403");
        assert!(none.inbox.post(&head(&[("host", "127.0.0.1")]), b"{\"key\":\"k\"}").status.starts_with("403"));
        let local = place(|_| config::Changes { loopback_without_token: true, ..config::Changes::default() });
        for host in ["localhost:9464", "127.0.0.1:9464", "[::1]:9464", "127.0.0.1"] {
            assert!(local.inbox.may_post(&head(&[("host", host)])).is_ok(), "{host}");
        }
        // A page in a browser, a name that leads here, another machine.
        assert_eq!(refused(&local, &head(&[("host", "localhost"), ("origin", "http://evil")])), "403");
        assert_eq!(refused(&local, &head(&[("host", "evil.example")])), "403");
        assert_eq!(refused(&local, &head(&[])), "403");
        let far = Head { peer: Some([10, 0, 0, 1].into()), ..head(&[("host", "127.0.0.1")]) };
        assert_eq!(refused(&local, &far), "403");
    }

    #[test]
    fn the_token_is_asked_for() {
        let p = with_token();
        let ok = |headers: &[(&str, &str)]| p.inbox.may_post(&head(headers)).is_ok();
        let bearer = format!("Bearer {TOKEN}");
        assert!(ok(&[("authorization", &bearer)]) && ok(&[("authorization", &bearer.replace('B', "b"))]));
        assert!(ok(&[("x-gitlab-token", TOKEN)]));
        for wrong in ["Bearer x", "Bearer ", &bearer[..bearer.len() - 1], &format!("{bearer}x"), TOKEN, "Basic eDp5"] {
            assert_eq!(refused(&p, &head(&[("authorization", wrong)])), "401", "{wrong}");
        }
        assert_eq!(refused(&p, &head(&[])), "401");
        assert_eq!(refused(&p, &Head { path: "/metrics".into(), ..head(&[]) }), "404");
        // Rotated, too short, gone.
        fs::write(p.store.path().join("token"), "another-token-0123456").unwrap();
        assert_eq!(refused(&p, &head(&[("authorization", &bearer)])), "401");
        fs::write(p.store.path().join("token"), "short").unwrap();
        assert_eq!(refused(&p, &head(&[("authorization", "Bearer short")])), "503");
        fs::remove_file(p.store.path().join("token")).unwrap();
        assert_eq!(refused(&p, &head(&[("authorization", "Bearer ")])), "503");
        assert!(p.inbox.events.counts().refused.load(Ordering::Relaxed) >= 10);
    }

    #[test]
    fn githubs_signature_is_held_against_the_body() {
        let p = with_token();
        let body = br#"{"ref":"refs/heads/main","after":"b","repository":{"name":"r","default_branch":"main"}}"#;
        let tag = sign(&Key::new(HMAC_SHA256, TOKEN.as_bytes()), body);
        let hex: String = tag.as_ref().iter().map(|b| format!("{b:02x}")).collect();
        let signed = |s: &str| head(&[("x-hub-signature-256", s), ("x-github-event", "push")]);
        assert!(p.inbox.may_post(&signed("sha256=00")).is_ok(), "the body decides");
        for wrong in [
            "sha256=00",
            "x",
            &format!("sha256={}", hex.replace(&hex[..1], "g")),
            &format!("sha256={}", "0".repeat(64)),
        ] {
            assert!(p.inbox.post(&signed(wrong), body).status.starts_with("401"), "{wrong}");
        }
        let ok = p.inbox.post(&signed(&format!("sha256={hex}")), body);
        assert!(ok.status.starts_with("200") && ok.body.contains("\"accepted\":1"), "{ok:?}");
        assert!(p.inbox.post(&signed(&format!("sha256={hex}")), b"{}").status.starts_with("401"), "of another body");
    }

    #[test]
    fn what_is_told_stands_in_the_store_once() {
        let p = with_token();
        let bearer = format!("Bearer {TOKEN}");
        let sender = head(&[("authorization", &bearer)]);
        let body = br#"{"id":"1","kind":"config","key":"ugctab","count":230184}"#;
        assert!(p.inbox.post(&sender, body).body.contains("\"accepted\":1"));
        assert!(p.inbox.post(&sender, body).body.contains("\"duplicates\":1"), "a replay");
        assert!(p.inbox.post(&sender, b"nonsense").status.starts_with("400"));
        let mut evidence = Evidence::default();
        read(p.store.path(), &Query { now_unix_ms: i64::MAX, ..Query::default() }, &mut evidence);
        assert_eq!((evidence.changes.len(), evidence.changes[0].elements), (1, Some(230_184)));
    }

    #[test]
    fn so_many_a_second() {
        let mut bucket = Bucket::new((2.0, 3.0));
        let t = Instant::now();
        let taken = |b: &mut Bucket, at: Instant| (0..10).filter(|_| b.take(at)).count();
        assert_eq!((taken(&mut bucket, t), taken(&mut bucket, t + Duration::from_secs(1))), (3, 2));
        assert_eq!((taken(&mut bucket, t + Duration::from_secs(60)), taken(&mut bucket, t)), (3, 0));
        let p = with_token();
        let codes: Vec<String> = (0..30).map(|_| refused(&p, &head(&[]))).collect();
        assert!(codes[0] == "401" && codes[29] == "429", "{codes:?}");
        let bearer = format!("Bearer {TOKEN}");
        assert!(
            p.inbox.may_post(&head(&[("authorization", &bearer)])).is_ok(),
            "who has the token is not held up by who has not"
        );
    }
}
