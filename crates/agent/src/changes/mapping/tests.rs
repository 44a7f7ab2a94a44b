use lastgasp_incident::evidence::{Change, ChangeKind};
use serde_json::{Value, json};

use super::*;
use crate::changes::payload::base64::Base64;

static SALT: std::sync::LazyLock<Salt> = std::sync::LazyLock::new(|| Salt::of(std::path::Path::new("/nonexistent")));
const NOW: i64 = 1_700_000_000_000;

fn mapped_with(
    headers: &[(&'static str, &'static str)],
    body: &[u8],
    known: &mut KnownObjects,
) -> Result<Mapped, Unmapped> {
    let salt = &*SALT;
    let header = |name: &str| headers.iter().find(|(n, _)| *n == name).map(|(_, v)| *v);
    map(body, &Received { now_ms: NOW, salt, source: None, header: &header }, known)
}

fn mapped(headers: &[(&'static str, &'static str)], body: &Value) -> Mapped {
    mapped_with(headers, body.to_string().as_bytes(), &mut KnownObjects::default()).unwrap()
}

fn one(headers: &[(&'static str, &'static str)], body: &Value) -> Change {
    let mut all = mapped(headers, body).changes;
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

fn told(c: &Change) -> (&str, &str, &str, &str, i64) {
    (c.kind.name(), &c.key, &c.source, &c.to, c.at_unix_ms - NOW)
}

#[test]
fn the_plain_form() {
    let c = one(
        &[],
        &json!({"kind": "config", "key": "ugctab", "count": 230_184, "size": 3_100_000, "service": "resource-service", "at": "2023-11-14T22:13:10Z", "by": "ops-admin", "id": 77}),
    );
    assert_eq!(told(&c), ("config", "ugctab", "webhook:plain", "", -10_000));
    assert_eq!(
        (c.elements, c.size_bytes, c.by.as_str(), c.id.as_str()),
        (Some(230_184), Some(3_100_000), "ops-admin", "77")
    );
    assert_eq!((c.scope.services, c.received_unix_ms), (vec!["resource-service".to_owned()], NOW));
    // A content is counted and forgotten.
    let secret = json!({"key": "k", "value": {"ids": ["s3cret-1", "s3cret-2", "s3cret-3"]}});
    let c = one(&[], &secret);
    assert_eq!((c.elements, c.hash.len()), (Some(3), 32));
    assert!(!format!("{c:?}").contains("s3cret"));
    let many = mapped(&[], &json!([{"key": "a"}, {"key": "b", "kind": "admin"}]));
    assert_eq!(
        many.changes.iter().map(|c| c.kind.clone()).collect::<Vec<_>>(),
        [ChangeKind::Config, ChangeKind::Admin]
    );
    assert_eq!(one(&[], &json!({"kind": "release", "service": "s"})).key, "s");
}

#[test]
fn the_same_body_again_is_the_same_change_for_some_minutes() {
    let body = json!({"key": "k", "count": 1});
    let first = one(&[], &body).id;
    assert_eq!(first.len(), 32);
    let salt = &*SALT;
    let later = |ms| {
        let received = Received { now_ms: NOW + ms, salt, source: None, header: &|_| None };
        map(body.to_string().as_bytes(), &received, &mut KnownObjects::default()).unwrap().changes[0].id.clone()
    };
    // NOW is 200 s into its five minutes.
    assert_eq!(later(0), later(30_000));
    assert_ne!(later(0), later(600_000));
}

#[test]
fn clocks_that_are_wrong_are_kept_and_said() {
    let ahead = one(&[], &json!({"key": "k", "at": NOW / 1000 + 7200, "title": "t"}));
    assert_eq!(
        (ahead.at_unix_ms - NOW, ahead.title.as_str()),
        (7_200_000, "t (by a clock that is 2 hours ahead of ours)")
    );
    let late = one(&[], &json!({"key": "k", "at": "2020-01-01T00:00:00Z"}));
    assert!(late.title.contains("days late") && late.at_unix_ms < NOW);
    assert_eq!(one(&[], &json!({"key": "k", "at": "never"})).at_unix_ms, NOW);
}

#[test]
fn cloudevents_in_all_modes() {
    let event = json!({"specversion": "1.0", "id": "e-1", "source": "/ops", "type": "com.example.config.published", "subject": "ugctab",
        "time": "2023-11-14T22:13:10Z", "data": {"kind": "config", "key": "ugctab", "count": 230_184}});
    let c = one(&[("content-type", "application/cloudevents+json")], &event);
    assert_eq!(told(&c), ("config", "ugctab", "webhook:plain", "", -10_000));
    assert_eq!((c.id.as_str(), c.by.as_str(), c.elements), ("/ops e-1", "/ops", Some(230_184)));
    let batch = mapped(&[("content-type", "application/cloudevents-batch+json")], &json!([event, event]));
    assert_eq!((batch.changes.len(), &batch.changes[0].id), (2, &batch.changes[1].id));
    let headers = [
        ("ce-specversion", "1.0"),
        ("ce-id", "e-2"),
        ("ce-source", "/ops"),
        ("ce-type", "x"),
        ("ce-time", "2023-11-14T22:13:10Z"),
    ];
    let c = one(&headers, &json!({"key": "k"}));
    assert_eq!((c.id.as_str(), c.key.as_str(), c.at_unix_ms - NOW), ("/ops e-2", "k", -10_000));
    // Of a type that nobody knows: that it was, and of what.
    let other = json!({"specversion": "1.0", "id": "3", "source": "s", "type": "org.weather.changed", "subject": "rain", "data": {"v": "s3cret"}});
    let c = one(&[], &other);
    assert_eq!((c.kind.name(), c.key.as_str(), c.title.as_str()), ("event", "rain", "org.weather.changed"));
    assert!(!format!("{c:?}").contains("s3cret"));
    let coded = json!({"specversion": "1.0", "id": "4", "source": "s", "type": "t", "data_base64": Base64::encode(br#"{"key":"b"}"#)});
    assert_eq!(one(&[], &coded).key, "b");
    let flag = json!({"specversion": "1.0", "id": "5", "source": "s", "type": "feature_flag.evaluation", "data": {"feature_flag.key": "new-tab"}});
    assert_eq!(told(&one(&[], &flag)).1, "new-tab");
}

#[test]
fn cdevents_alone_and_in_an_envelope() {
    let event = json!({
        "context": {"version": "0.4.1", "id": "271069a8", "source": "/event/source/123", "type": "dev.cdevents.service.upgraded.0.2.0", "timestamp": "2023-11-14T22:13:10Z"},
        "subject": {"id": "resource-service", "type": "service", "content": {"environment": {"id": "prod"}, "artifactId": "pkg:oci/rs@sha256%3A0b31"}}});
    let c = one(&[], &event);
    assert_eq!(told(&c), ("release", "resource-service", "webhook:cdevents", "pkg:oci/rs@sha256%3A0b31", -10_000));
    assert_eq!((c.title.as_str(), c.id.as_str()), ("service upgraded in prod", "271069a8"));
    let enveloped = json!({"specversion": "1.0", "id": "x", "source": "/s", "type": "dev.cdevents.service.upgraded.0.2.0", "data": event});
    assert_eq!(one(&[], &enveloped).key, "resource-service");
    let mut run = event.clone();
    run["context"]["type"] = "dev.cdevents.pipelinerun.started.0.2.0".into();
    assert_eq!(mapped(&[], &run).ignored.len(), 1);
}

fn deployment(generation: u64, image: &str, memory: &str, replicas: u64, env: &str) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "resource-service", "namespace": "prod", "uid": "u-1", "generation": generation, "creationTimestamp": "2023-01-01T00:00:00Z",
            "managedFields": [{"manager": "kubectl", "time": "2023-11-14T22:13:10Z"}, {"manager": "kcm", "subresource": "status", "time": "2023-11-14T22:13:19Z"}]},
        "spec": {"replicas": replicas, "template": {"spec": {"containers": [
            {"name": "c", "image": image, "resources": {"limits": {"memory": memory}}, "env": [{"name": "GOGC", "value": env}]}]}}}})
}

#[test]
fn workloads_say_what_is_another() {
    let mut known = KnownObjects::default();
    let mut watch = |kind: &str, object: Value| {
        let event = json!({"type": kind, "object": object}).to_string();
        mapped_with(&[], event.as_bytes(), &mut known).unwrap()
    };
    let first = watch("ADDED", deployment(1, "rs:1.41", "8Gi", 3, "100")).changes;
    assert_eq!(told(&first[0]), ("release", "resource-service", "webhook:kubernetes", "rs:1.41", -10_000));
    assert_eq!(first[0].by, "kubectl");
    let kinds = |m: Mapped| {
        m.changes.iter().map(|c| (c.kind.name().to_owned(), c.from.clone(), c.to.clone())).collect::<Vec<_>>()
    };
    let said = |kind: &str, from: &str, to: &str| vec![(kind.to_owned(), from.to_owned(), to.to_owned())];
    assert_eq!(watch("MODIFIED", deployment(1, "rs:1.41", "8Gi", 3, "100")).ignored.len(), 1, "its state alone");
    assert_eq!(
        kinds(watch("MODIFIED", deployment(2, "rs:1.42", "8Gi", 3, "100"))),
        said("release", "rs:1.41", "rs:1.42")
    );
    assert_eq!(kinds(watch("MODIFIED", deployment(3, "rs:1.42", "12Gi", 3, "100"))), said("limit", "8Gi", "12Gi"));
    assert_eq!(kinds(watch("MODIFIED", deployment(4, "rs:1.42", "12Gi", 5, "100"))), said("scale", "3", "5"));
    let environment = watch("MODIFIED", deployment(5, "rs:1.42", "12Gi", 5, "s3cret"));
    assert!(!format!("{environment:?}").contains("s3cret"));
    assert_eq!(kinds(environment), said("environment", "", ""));
    assert_eq!(kinds(watch("DELETED", deployment(5, "rs:1.42", "12Gi", 5, "s3cret"))), said("scale", "5", "0"));
}

#[test]
fn config_maps_key_by_key() {
    let map = |version: u64, ids: u64, other: &str| {
        let list: Vec<u64> = (0..ids).collect();
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "tabs", "uid": "u", "resourceVersion": version.to_string(),
            "labels": {"app": "resource-service"}}, "data": {"ugctab.json": json!({"ids": list}).to_string(), "other": other}})
    };
    let mut known = KnownObjects::default();
    let mut send = |object: Value| {
        mapped_with(&[], json!({"type": "MODIFIED", "object": object}).to_string().as_bytes(), &mut known)
            .unwrap()
            .changes
    };
    assert_eq!(send(map(1, 312, "x")).len(), 2, "all of it is new");
    let changed = send(map(2, 20_000, "x"));
    assert_eq!(changed.len(), 1);
    let c = &changed[0];
    assert_eq!((c.key.as_str(), c.elements_before, c.elements), ("tabs/ugctab.json", Some(312), Some(20_000)));
    assert_eq!((c.id.as_str(), &c.scope.services[..]), ("u/2/0/ugctab.json", &["resource-service".to_owned()][..]));
    assert!(send(map(3, 20_000, "x")).is_empty(), "a label, say");
}

#[test]
fn reviews_are_answered_with_leave() {
    let review = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {"uid": "r-1", "operation": "UPDATE",
        "object": deployment(2, "rs:1.42", "8Gi", 3, ""), "oldObject": deployment(1, "rs:1.41", "8Gi", 3, "")}});
    let m = mapped(&[], &review);
    assert_eq!(m.answer.unwrap()["response"], json!({"uid": "r-1", "allowed": true}));
    assert_eq!(
        (m.changes.len(), told(&m.changes[0])),
        (1, ("release", "resource-service", "webhook:kubernetes", "rs:1.42", 0))
    );
    let mut dry = review.clone();
    dry["request"]["dryRun"] = true.into();
    assert!(mapped(&[], &dry).changes.is_empty());
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "uid": "u", "resourceVersion": "5"}, "data": {"p": "aHVzaA=="}});
    let c = one(&[], &secret);
    assert_eq!((c.size_bytes, c.hash.as_str(), format!("{c:?}").contains("aHVz")), (Some(6), "", false));
    let list = json!({"apiVersion": "v1", "kind": "ConfigMapList", "items": [{"metadata": {"name": "a"}, "data": {"k": "v"}}]});
    assert!(mapped(&[], &list).changes.is_empty() || mapped(&[], &list).changes[0].key == "a/k");
}

#[test]
fn argo_cd_by_object_and_by_template() {
    let app = json!({"app": {"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": "resource-service"},
        "status": {"sync": {"revision": "bbb"}, "history": [{"revision": "aaa"}, {"revision": "bbb"}],
            "operationState": {"phase": "Succeeded", "startedAt": "2023-11-14T22:13:10Z", "syncResult": {"revision": "bbb"}}}}});
    let c = one(&[], &app);
    assert_eq!(told(&c), ("release", "resource-service", "webhook:argocd", "bbb", -10_000));
    assert_eq!(c.from, "aaa");
    let flat = one(
        &[],
        &json!({"app": "resource-service", "revision": "bbb", "phase": "Succeeded", "finishedAt": "2023-11-14T22:13:10Z"}),
    );
    assert_eq!(told(&flat), ("release", "resource-service", "webhook:argocd", "bbb", -10_000));
    assert_eq!(mapped(&[], &json!({"app": "x", "revision": "b", "phase": "Failed"})).ignored.len(), 1);
}

#[test]
fn github_and_gitlab() {
    let deployed = json!({"deployment": {"id": 42, "sha": "c0ffee", "ref": "main", "environment": "prod", "created_at": "2023-11-14T22:00:00Z"},
        "deployment_status": {"state": "success", "created_at": "2023-11-14T22:13:10Z"}, "repository": {"name": "resource-service"}});
    let c = one(&[("x-github-event", "deployment_status")], &deployed);
    assert_eq!(told(&c), ("release", "resource-service", "webhook:github", "c0ffee", -10_000));
    assert_eq!((c.id.as_str(), c.title.as_str()), ("deployment/42/success", "deployment of main to prod: success"));
    assert_eq!(mapped(&[("x-github-event", "ping")], &json!({"zen": "x"})).ignored.len(), 1);
    let push = json!({"ref": "refs/heads/main", "before": "a", "after": "b", "repository": {"name": "r", "default_branch": "main", "pushed_at": 1_699_999_990}, "commits": [{}, {}]});
    let c = one(&[("x-github-event", "push")], &push);
    assert_eq!((told(&c), c.from.as_str()), (("code", "r", "webhook:github", "b", -10_000), "a"));
    let gitlab = json!({"object_kind": "deployment", "status": "success", "status_changed_at": "2023-11-15 00:13:10 +0200", "deployment_id": 15,
        "environment": "prod", "project": {"name": "x", "path_with_namespace": "team/resource-service"}, "short_sha": "279484c0", "ref": "main"});
    let c = one(&[("x-gitlab-event", "Deployment Hook")], &gitlab);
    assert_eq!(told(&c), ("release", "resource-service", "webhook:gitlab", "279484c0", -10_000));
}

#[test]
fn alerts_are_kept_as_alerts() {
    let alert = |status: &str, kind: Option<&str>| json!({"status": status, "labels": {"alertname": "DbSlow", "service": "db", "change_kind": kind}, "startsAt": "2023-11-14T22:13:10Z", "fingerprint": "f"});
    let body = json!({"version": "4", "groupKey": "g", "receiver": "lastgasp", "alerts": [alert("firing", None), alert("resolved", None), alert("firing", Some("dependency"))]});
    let m = mapped(&[], &body);
    assert_eq!((told(&m.changes[0]), m.ignored.len()), (("alert", "DbSlow", "webhook:alertmanager", "", -10_000), 1));
    assert_eq!(m.changes[1].kind, ChangeKind::Dependency);
}

#[test]
fn what_is_of_no_form_is_refused_with_a_cure() {
    let refused = |body: &[u8]| mapped_with(&[], body, &mut KnownObjects::default()).unwrap_err().0;
    assert!(refused(b"\xff\xfe").contains("UTF-8"));
    assert!(refused(b"{").contains("not JSON"));
    assert!(refused(b"").contains("not JSON"));
    assert!(refused(b"{\"a\":1}").contains("docs/operations/changes.md"));
    assert!(refused("[".repeat(100_000).as_bytes()).contains("deeper"));
    let many = format!("[{}]", vec!["{\"key\":\"k\"}"; 501].join(","));
    assert!(refused(many.as_bytes()).contains("more than 500"));
    assert!(refused(b"7").contains("no form"));
}

proptest::proptest! {
    /// Any document of our keys, and any bytes: no panic, and bounded names.
    #[test]
    fn no_body_is_feared(body in "[\\[\\]{}:,\"a-z0-9 .]{0,120}", which in 0usize..4) {
        let headers: &[(&str, &str)] = [&[][..], &[("x-github-event", "push")], &[("ce-specversion", "1.0"), ("ce-type", "t")], &[("x-gitlab-event", "x")]][which];
        if let Ok(m) = mapped_with(headers, body.as_bytes(), &mut KnownObjects::default()) {
            for c in m.changes {
                proptest::prop_assert!(c.key.chars().count() <= 420);
            }
        }
    }
}
