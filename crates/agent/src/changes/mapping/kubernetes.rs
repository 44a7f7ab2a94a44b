//! Kubernetes: objects as they stand, events of a watch (`{"type": "MODIFIED", "object": ...}`), admission
//! reviews and lists. Workloads, ConfigMaps, Secrets (their size alone), nodes, autoscalers.
//!
//! A watch tells of every state of an object, most of which change nothing that runs: a change has another
//! `metadata.generation` (workloads) or another content (ConfigMaps). What an object was before is remembered
//! as hashes and numbers, so that a memory limit that was raised is not told as a release.

use std::collections::BTreeMap;

use lastgasp_incident::evidence::{Change, ChangeKind, Scope, UnixMs};
use serde_json::{Value, json};

use super::fields::{first_text, measured, names, text};
use super::time::{moment, of_text};
use super::{Mapped, Received};
use crate::changes::payload::Measured;

/// Objects that are remembered at most.
const MAX_OBJECTS: usize = 10_000;
/// Keys of a ConfigMap that are told apart, containers of a workload, items of a list.
const MAX_KEYS: usize = 256;
const MAX_CONTAINERS: usize = 64;
const MAX_ITEMS: usize = 500;

/// What objects were when they were last told of.
#[derive(Debug, Default)]
pub(crate) struct KnownObjects(BTreeMap<String, State>);

#[derive(Clone, Debug, Default, PartialEq)]
struct State {
    /// Of a workload.
    images: String,
    replicas: Option<u64>,
    limits: String,
    environment: String,
    /// Of a ConfigMap, by key.
    contents: BTreeMap<String, Measured>,
}

impl KnownObjects {
    fn replace(&mut self, id: &str, state: State) -> Option<State> {
        if !self.0.contains_key(id) && self.0.len() >= MAX_OBJECTS {
            self.0.pop_first();
        }
        self.0.insert(id.to_owned(), state)
    }
}

/// What is being done to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Added,
    Modified,
    Deleted,
    /// Nobody says.
    Unsaid,
}

/// `None`: it is nothing of Kubernetes.
pub(super) fn map(value: &Value, received: &Received<'_>, known: &mut KnownObjects) -> Option<Mapped> {
    let is_object = |v: &Value| v.get("apiVersion").is_some() && v.get("kind").is_some();
    if text(value, "/kind") == "AdmissionReview" {
        return Some(of_review(value, received, known));
    }
    if let Some(object) = value.get("object").filter(|o| is_object(o)) {
        let act = match text(value, "/type").as_str() {
            "ADDED" => Act::Added,
            "MODIFIED" => Act::Modified,
            "DELETED" => Act::Deleted,
            _ => return Some(Mapped::none("an event of a watch that tells of no object")),
        };
        return Some(of_object(object, value.get("oldObject"), act, received, known));
    }
    if !is_object(value) {
        return None;
    }
    let Some(items) = value.get("items").and_then(Value::as_array) else {
        return Some(of_object(value, None, Act::Unsaid, received, known));
    };
    let mut mapped = Mapped::default();
    let item_kind = text(value, "/kind").trim_end_matches("List").to_owned();
    for item in items.iter().take(MAX_ITEMS) {
        // Items of a typed list do not say what they are.
        let whole = match item.get("kind") {
            Some(_) => item.clone(),
            None => {
                let mut item = item.clone();
                if let Some(fields) = item.as_object_mut() {
                    fields.insert("kind".into(), item_kind.clone().into());
                }
                item
            }
        };
        mapped.add(of_object(&whole, None, Act::Unsaid, received, known));
    }
    Some(mapped)
}

/// A review is always answered with leave: we only listen.
fn of_review(value: &Value, received: &Received<'_>, known: &mut KnownObjects) -> Mapped {
    let act = match text(value, "/request/operation").as_str() {
        "CREATE" => Act::Added,
        "UPDATE" => Act::Modified,
        "DELETE" => Act::Deleted,
        _ => Act::Unsaid,
    };
    let old = value.pointer("/request/oldObject").filter(|o| o.is_object());
    let dry = value.pointer("/request/dryRun") == Some(&Value::Bool(true));
    let object = value.pointer("/request/object").filter(|o| o.is_object()).or(old);
    let mut mapped = match object {
        Some(_) if dry => Mapped::none("a dry run"),
        Some(object) => of_object(object, old, act, received, known),
        None => Mapped::none("a review without an object"),
    };
    // It is asked before it is done: its time is now, and its identity the request's.
    let uid = text(value, "/request/uid");
    for change in &mut mapped.changes {
        change.at_unix_ms = received.now_ms;
        change.id = format!("review/{uid}/{}/{}", change.kind.name(), change.key);
    }
    let version = first_text(value, &["/apiVersion"]);
    mapped.answer = Some(json!({
        "apiVersion": if version.is_empty() { "admission.k8s.io/v1" } else { version.as_str() },
        "kind": "AdmissionReview",
        "response": {"uid": uid, "allowed": true},
    }));
    mapped
}

fn of_object(
    object: &Value,
    old: Option<&Value>,
    act: Act,
    received: &Received<'_>,
    known: &mut KnownObjects,
) -> Mapped {
    let kind = text(object, "/kind");
    match kind.as_str() {
        "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" | "Rollout" | "Pod" => {
            workload(&kind, object, old, act, received, known)
        }
        "ConfigMap" => config_map(object, old, act, received, known),
        "Secret" => secret(object, act, received),
        "Node" => match act {
            Act::Added | Act::Deleted => Mapped::one(Change {
                kind: ChangeKind::Platform,
                scope: Scope { nodes: vec![text(object, "/metadata/name")], ..Scope::default() },
                title: if act == Act::Added { "a node was added".into() } else { "a node was removed".into() },
                ..named(object, act, received)
            }),
            _ => Mapped::none("the state of a node"),
        },
        "HorizontalPodAutoscaler" | "ResourceQuota" | "LimitRange" | "VerticalPodAutoscaler" => Mapped::one(Change {
            kind: if kind == "HorizontalPodAutoscaler" { ChangeKind::Scale } else { ChangeKind::Limit },
            scope: Scope {
                services: names(object, &["/spec/scaleTargetRef/name", "/spec/targetRef/name"]),
                ..Scope::default()
            },
            title: format!("{kind} was written"),
            ..named(object, act, received)
        }),
        _ => Mapped::none("an object of a kind that changes nothing here"),
    }
}

/// What all changes of an object have in common.
fn named(object: &Value, act: Act, received: &Received<'_>) -> Change {
    let uid = first_text(object, &["/metadata/uid", "/metadata/name"]);
    let version = first_text(object, &["/metadata/generation", "/metadata/resourceVersion"]);
    Change {
        id: if version.is_empty() {
            String::new()
        } else {
            format!("{uid}/{version}/{}", u8::from(act == Act::Deleted))
        },
        key: text(object, "/metadata/name"),
        at_unix_ms: written(object, act).unwrap_or(0),
        source: received.feed("kubernetes"),
        by: manager(object),
        to: version,
        ..Change::default()
    }
}

/// When somebody wrote the object last, its state aside; of a new one when it was made.
fn written(object: &Value, act: Act) -> Option<UnixMs> {
    let made = moment(object.pointer("/metadata/creationTimestamp"));
    let deleted = moment(object.pointer("/metadata/deletionTimestamp"));
    let fields = object.pointer("/metadata/managedFields").and_then(Value::as_array);
    let latest = fields.and_then(|all| {
        let own = all.iter().filter(|f| text(f, "/subresource").is_empty());
        own.filter_map(|f| of_text(f.get("time")?.as_str()?)).max()
    });
    match act {
        Act::Deleted => deleted,
        Act::Added | Act::Unsaid => latest.or(made),
        // When it was made says nothing of when it was changed.
        Act::Modified => latest,
    }
}

/// Who wrote it: the name of a program, as Kubernetes keeps it.
fn manager(object: &Value) -> String {
    let fields = object.pointer("/metadata/managedFields").and_then(Value::as_array);
    let own = fields.into_iter().flatten().filter(|f| text(f, "/subresource").is_empty());
    own.max_by_key(|f| f.get("time").and_then(Value::as_str).and_then(of_text))
        .map(|f| text(f, "/manager"))
        .unwrap_or_default()
}

fn workload(
    kind: &str,
    object: &Value,
    old: Option<&Value>,
    act: Act,
    received: &Received<'_>,
    known: &mut KnownObjects,
) -> Mapped {
    let owner = || {
        let owners = object.pointer("/metadata/ownerReferences").and_then(Value::as_array)?;
        owners
            .iter()
            .find(|o| o.get("controller") == Some(&Value::Bool(true)))
            .or(owners.first())
            .map(|o| text(o, "/name"))
    };
    if kind == "Pod" {
        return Mapped::none("a pod: that it starts and ends is seen on its node");
    }
    let id = first_text(object, &["/metadata/uid", "/metadata/name"]);
    let now = state(object, received);
    let before = known.replace(&id, now.clone());
    let before = old.map(|old| state(old, received)).or(before);
    let name = owner().unwrap_or_else(|| text(object, "/metadata/name"));
    let service = first_text(object, &["/metadata/labels/app.kubernetes.io~1name", "/metadata/labels/app"]);
    let mut services = vec![name.clone()];
    services.extend(Some(service).filter(|s| !s.is_empty() && *s != name));
    let change = |kind: ChangeKind, from: String, to: String, title: String| {
        let named = named(object, act, received);
        Change {
            id: if named.id.is_empty() { String::new() } else { format!("{}/{}", named.id, kind.name()) },
            kind,
            key: name.clone(),
            scope: Scope { services: services.clone(), ..Scope::default() },
            from,
            to,
            title,
            ..named
        }
    };
    let number = |n: Option<u64>| n.map(|n| n.to_string()).unwrap_or_default();
    if act == Act::Deleted {
        // A replica set goes when its history is long enough.
        return if kind == "ReplicaSet" {
            Mapped::none("a replica set of an earlier revision was removed")
        } else {
            Mapped::one(change(
                ChangeKind::Scale,
                number(now.replicas),
                "0".into(),
                format!("{kind} {name} was deleted"),
            ))
        };
    }
    let Some(before) = before else {
        // A replica set is made for a revision; after that only its number of pods changes.
        let generation = text(object, "/metadata/generation");
        if kind == "ReplicaSet" && act == Act::Modified && generation != "1" {
            return Mapped::none("a replica set of which nothing was known before");
        }
        return Mapped::one(change(
            ChangeKind::Release,
            String::new(),
            now.images,
            format!("{kind} {name} was written"),
        ));
    };
    let mut changes = Vec::new();
    if before.images != now.images {
        changes.push(change(ChangeKind::Release, before.images, now.images, format!("another image of {name}")));
    }
    if before.limits != now.limits {
        changes.push(change(ChangeKind::Limit, before.limits, now.limits, format!("other memory limits of {name}")));
    }
    if before.environment != now.environment {
        let another =
            change(ChangeKind::Environment, String::new(), String::new(), format!("another environment of {name}"));
        changes.push(Change { hash: now.environment, ..another });
    }
    // The replica sets of a rollout grow and shrink by themselves.
    if before.replicas != now.replicas && kind != "ReplicaSet" {
        changes.push(change(
            ChangeKind::Scale,
            number(before.replicas),
            number(now.replicas),
            format!("another number of instances of {name}"),
        ));
    }
    if changes.is_empty() {
        return Mapped::none("an object whose state changed, and not what is wanted of it");
    }
    Mapped { changes, ..Mapped::default() }
}

/// What is remembered of a workload. Values of its environment go into a hash, and nowhere else.
fn state(object: &Value, received: &Received<'_>) -> State {
    let containers = object.pointer("/spec/template/spec/containers").and_then(Value::as_array);
    let (mut images, mut limits, mut environment) = (Vec::new(), Vec::new(), received.salt.content());
    for container in containers.into_iter().flatten().take(MAX_CONTAINERS) {
        images.push(text(container, "/image"));
        limits.push(first_text(container, &["/resources/limits/memory", "/resources/requests/memory"]));
        for place in ["env", "envFrom"] {
            environment.push(container.get(place).unwrap_or(&Value::Null).to_string().as_bytes());
        }
    }
    State {
        images: images.join(","),
        replicas: object.pointer("/spec/replicas").and_then(Value::as_u64),
        limits: limits.join(","),
        environment: environment.finish(),
        contents: BTreeMap::new(),
    }
}

fn contents(object: &Value, received: &Received<'_>) -> BTreeMap<String, Measured> {
    let mut all = BTreeMap::new();
    for place in ["data", "binaryData"] {
        let entries = object.get(place).and_then(Value::as_object);
        for (key, value) in entries.into_iter().flatten().take(MAX_KEYS) {
            all.insert(super::clean(key), measured(value, received.salt));
        }
    }
    all
}

/// A change for each key whose content is another; of one that is new to us all of them.
fn config_map(
    object: &Value,
    old: Option<&Value>,
    act: Act,
    received: &Received<'_>,
    known: &mut KnownObjects,
) -> Mapped {
    let id = first_text(object, &["/metadata/uid", "/metadata/name"]);
    let now = if act == Act::Deleted { BTreeMap::new() } else { contents(object, received) };
    let before = known.replace(&id, State { contents: now.clone(), ..State::default() }).map(|s| s.contents);
    let before = old.map(|old| contents(old, received)).or(before);
    let name = text(object, "/metadata/name");
    let service = first_text(object, &["/metadata/labels/app.kubernetes.io~1name", "/metadata/labels/app"]);
    let services: Vec<String> = Some(service).filter(|s| !s.is_empty()).into_iter().collect();
    let all_keys: Vec<&String> = now.keys().chain(before.iter().flat_map(BTreeMap::keys)).collect();
    let mut changes: Vec<Change> = Vec::new();
    for key in all_keys {
        let (new, was) = (now.get(key), before.as_ref().and_then(|b| b.get(key)));
        if new == was || changes.iter().any(|c| c.key.ends_with(&format!("/{key}"))) {
            continue;
        }
        let named = named(object, act, received);
        changes.push(Change {
            id: if named.id.is_empty() { String::new() } else { format!("{}/{key}", named.id) },
            kind: ChangeKind::Config,
            key: format!("{name}/{key}"),
            scope: Scope { services: services.clone(), ..Scope::default() },
            size_bytes: Some(new.map_or(0, |m| m.bytes)),
            size_bytes_before: was.map(|m| m.bytes),
            elements: new.and_then(|m| m.elements),
            elements_before: was.and_then(|m| m.elements),
            hash: new.map(|m| m.hash.clone()).unwrap_or_default(),
            title: if new.is_none() {
                "a key of a ConfigMap was removed".into()
            } else {
                "a ConfigMap was written".into()
            },
            ..named
        });
    }
    if changes.is_empty() {
        return Mapped::none("a ConfigMap whose content is the same");
    }
    Mapped { changes, ..Mapped::default() }
}

/// Of a Secret that it was written, and how large it is.
fn secret(object: &Value, act: Act, received: &Received<'_>) -> Mapped {
    let entries = object.get("data").and_then(Value::as_object);
    let bytes = entries.map(|all| all.values().filter_map(Value::as_str).map(|v| v.len() as u64 / 4 * 3).sum());
    Mapped::one(Change {
        kind: ChangeKind::Config,
        size_bytes: bytes,
        title: "a Secret was written".into(),
        ..named(object, act, received)
    })
}
