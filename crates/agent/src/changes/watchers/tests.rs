use std::time::Instant;

use lastgasp_incident::evidence::{Change, Evidence, Query};
use lastgasp_store::events::{EventLimits, read};

use super::replay::{ok, serve, status};
use super::*;
use crate::changes::payload::base64::Base64;
use crate::config::Time;

struct World {
    store: tempfile::TempDir,
    events: Events,
    told: Told,
    feed: Feed,
}

fn world(is: FeedType, url: &str, keys: &[&str]) -> World {
    let store = tempfile::tempdir().unwrap();
    let events = Events::open(store.path(), EventLimits::default());
    let keys = keys.iter().map(|k| (*k).to_owned()).collect();
    let feed = Feed {
        is,
        url: url.into(),
        keys,
        round: Time(Duration::from_secs(1)),
        services: vec!["rs".into()],
        ..Feed::default()
    };
    let told = Told::new("a", &feed, events.clone(), Arc::default());
    World { store, events, told, feed }
}

impl World {
    fn changes(&self) -> Vec<Change> {
        let mut evidence = Evidence::default();
        read(self.store.path(), &Query { now_unix_ms: i64::MAX, ..Query::default() }, &mut evidence);
        evidence.changes
    }

    fn rounds(&self, n: usize) -> Result<(), String> {
        let mut watcher = watcher(&self.feed);
        (0..n).try_for_each(|_| watcher.round(&Client::new(&self.feed), &self.told))
    }
}

type Row = (String, Option<u64>, Option<u64>, String, String);

fn rows(changes: &[Change]) -> Vec<Row> {
    changes.iter().map(|c| (c.key.clone(), c.elements_before, c.elements, c.from.clone(), c.to.clone())).collect()
}

fn row(key: &str, before: Option<u64>, now: Option<u64>, from: &str, to: &str) -> Row {
    (key.into(), before, now, from.into(), to.into())
}

fn list(n: usize) -> String {
    format!("[{}]", vec!["1234567"; n].join(","))
}

#[test]
fn consul_as_its_documentation_has_it() {
    let entry = |key: &str, value: &str, index: u64| {
        format!(
            r#"{{"LockIndex":0,"Key":"{key}","Flags":0,"Value":"{}","CreateIndex":7,"ModifyIndex":{index}}}"#,
            Base64::encode(value.as_bytes())
        )
    };
    let answer = |index: u64, entries: &[String]| {
        ok(&format!("X-Consul-Index: {index}\r\n"), &format!("[{}]", entries.join(",")))
    };
    let (url, asked) = serve(vec![
        answer(10, &[entry("config/ugctab", &list(312), 9), entry("config/other", "x", 10)]),
        answer(10, &[]),
        answer(42, &[entry("config/ugctab", &list(230_184), 42), entry("config/other", "x", 10)]),
        status("404 Not Found", "X-Consul-Index: 43\r\n"),
        status("500 Internal Server Error", ""),
    ]);
    let w = world(FeedType::Consul, &url, &["config/"]);
    assert!(w.rounds(5).unwrap_err().contains("500"));
    let changes = w.changes();
    assert_eq!(
        rows(&changes),
        [
            row("config/ugctab", Some(312), Some(230_184), "9", "42"),
            row("config/other", None, None, "10", ""),
            row("config/ugctab", Some(230_184), None, "42", ""),
        ]
    );
    assert_eq!((changes[0].source.as_str(), &changes[0].scope.services[0]), ("consul:a", &"rs".to_owned()));
    let asked: Vec<String> = asked.try_iter().map(|(line, _)| line).collect();
    assert_eq!(asked[1], "GET /v1/kv/config/?recurse=true&index=10&wait=1s HTTP/1.1");
}

#[test]
fn nacos_as_its_documentation_has_it() {
    let config = |md5: &str, content: &str| ok(&format!("Content-MD5: {md5}\r\n"), content);
    let (url, asked) = serve(vec![
        config("aaa", &list(312)),
        ok("", ""),
        ok("", "ugctab%02DEFAULT_GROUP%02prod%01\n"),
        config("bbb", &list(230_184)),
        ok("", "ugctab%02DEFAULT_GROUP%02prod%01"),
        status("404 Not Found", ""),
    ]);
    let mut w = world(FeedType::Nacos, &url, &["DEFAULT_GROUP/ugctab"]);
    w.feed.namespace = "prod".into();
    w.rounds(4).unwrap();
    let key = "DEFAULT_GROUP/ugctab";
    assert_eq!(
        rows(&w.changes()),
        [row(key, Some(312), Some(230_184), "aaa", "bbb"), row(key, Some(230_184), None, "bbb", "")]
    );
    let asked: Vec<(String, String)> = asked.try_iter().collect();
    assert!(asked[0].0.starts_with("GET /nacos/v1/cs/configs?dataId=ugctab&group=DEFAULT_GROUP&tenant=prod "));
    assert_eq!(asked[1].1, "Listening-Configs=ugctab%02DEFAULT_GROUP%02aaa%02prod%01");
}

#[test]
fn apollo_as_its_documentation_has_it() {
    let namespace = |release: &str, keys: &[(&str, &str)]| {
        let keys: serde_json::Map<String, serde_json::Value> =
            keys.iter().map(|(k, v)| ((*k).to_owned(), (*v).into())).collect();
        ok("", &serde_json::json!({"appId": "rs", "cluster": "default", "namespaceName": "application", "configurations": keys, "releaseKey": release}).to_string())
    };
    let (url, asked) = serve(vec![
        namespace("r-1", &[("ugctab", &list(312)), ("timeout", "500"), ("old", "1")]),
        status("304 Not Modified", ""),
        ok("", r#"[{"namespaceName":"application","notificationId":101,"messages":{}}]"#),
        namespace("r-2", &[("ugctab", &list(230_184)), ("timeout", "500")]),
    ]);
    let w = world(FeedType::Apollo, &url, &["rs/default/application"]);
    w.rounds(3).unwrap();
    assert_eq!(
        rows(&w.changes()),
        [
            row("application/ugctab", Some(312), Some(230_184), "r-1", "r-2"),
            row("application/old", None, None, "r-2", "")
        ]
    );
    let asked: Vec<String> = asked.try_iter().map(|(line, _)| line).collect();
    assert!(asked[3].contains("releaseKey=r-1"), "{asked:?}");
}

/// A compacted history: all is read once more, and what is another is told, with a hole.
#[test]
fn etcd_whose_history_is_gone() {
    let kv = |value: &str, revision: u64| {
        format!(
            r#"{{"header":{{"revision":"{revision}"}},"kvs":[{{"key":"L2NvbmZpZy91Z2N0YWI=","mod_revision":"{revision}","version":"1","value":"{}"}}],"count":"1"}}"#,
            Base64::encode(value.as_bytes())
        )
    };
    let (url, _asked) = serve(vec![
        ok("", &kv(&list(312), 5)),
        ok(
            "",
            "{\"result\":{\"header\":{\"revision\":\"90\"},\"created\":true}}\n{\"result\":{\"header\":{\"revision\":\"90\"},\"canceled\":true,\"compact_revision\":\"80\"}}\n",
        ),
        ok("", &kv(&list(230_184), 88)),
        ok("", "{\"error\":{\"grpc_code\":14,\"message\":\"etcdserver: no leader\"}}\n"),
    ]);
    let w = world(FeedType::Etcd, &url, &["/config/"]);
    w.events.heard(&w.told.source);
    assert_eq!(w.rounds(3).unwrap_err(), "etcdserver: no leader");
    assert_eq!(rows(&w.changes()), [row("/config/ugctab", Some(312), Some(230_184), "5", "88")]);
    assert!(w.events.feeds()[0].holes[0].why.contains("compacted"));
}

/// Who takes a request and says nothing is given up; who talks nonsense or without end is refused.
#[test]
fn servers_that_hang_or_talk_nonsense_are_given_up() {
    let (url, _asked) = serve(Vec::new());
    let w = world(FeedType::Nacos, &url, &["G/d"]);
    let began = Instant::now();
    assert!(w.rounds(1).is_err());
    assert!(began.elapsed() < Duration::from_secs(12));
    for nonsense in ["[[[", "{\"a\":", "\u{0}", "{\"kvs\":7}"] {
        let (url, _asked) = serve(vec![ok("", nonsense)]);
        assert!(world(FeedType::Etcd, &url, &["/"]).rounds(1).is_err(), "{nonsense}");
    }
    let nobody = world(FeedType::Consul, "http://127.0.0.1:1", &["/"]).rounds(1).unwrap_err();
    assert!(nobody.contains("127.0.0.1:1"), "{nobody}");
}

/// The threads: a feed that cannot be reached is not connected and holds up nothing; one that is taken out of
/// the configuration ends.
#[test]
fn a_feed_that_is_not_there_is_said() {
    let w = world(FeedType::Etcd, "http://127.0.0.1:1", &["/"]);
    let wanted: BTreeMap<String, Feed> = [("a".to_owned(), w.feed.clone())].into();
    let mut all = Watchers::start(&wanted, w.events.clone());
    let began = Instant::now();
    while w.events.feeds()[0].detail == w.feed.url {
        assert!(began.elapsed() < Duration::from_secs(10));
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(!w.events.feeds()[0].connected);
    let stop = Arc::clone(&all.running["a"].1);
    all.replace(&BTreeMap::new());
    assert!(stop.load(Ordering::Relaxed) && all.running.is_empty());
}
