use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;

use super::load::{parse, read};
use super::*;

fn parsed(text: &str) -> Result<Config> {
    let (config, origins) = parse(text, "test.toml")?;
    config.check(&origins)?;
    Ok(config)
}

fn refused(text: &str, words: &[&str]) {
    let error = parsed(text).unwrap_err().to_string();
    for word in words {
        assert!(error.contains(word), "{error}\nshould contain {word:?}");
    }
}

#[test]
fn what_is_not_given_is_the_default() {
    assert_eq!(parsed("").unwrap(), Config::default());
    let config = parsed("[store]\nmax_bytes = \"5G\"\n[watch]\nmode = \"observe\"\n").unwrap();
    assert_eq!((config.store.max_bytes, config.store.max_captures), (Bytes(5 << 30), 500));
    assert_eq!(config.watch.mode, WatchMode::Observe);
}

#[test]
fn mistakes_are_named_with_their_place() {
    refused("[store]\nmax_byte = 5\n", &["test.toml", "line 2", "max_byte", "max_bytes"]);
    refused("[watch]\nmode = \"freze\"\n", &["line 2", "freze", "observe", "brake"]);
    refused("[strike]\nabove = 1.5\n", &["strike.above", "test.toml:2", "0.1 to 0.98"]);
    refused("[pin]\nhold = \"10s\"\n", &["pin.hold", "1900ms"]);
    refused("[pin]\nhold = 10\n", &["line 2"]);
    refused("[strike]\nabove = nan\n", &["strike.above"]);
    refused("[http]\nlisten = \"localhost\"\n", &["http.listen", "127.0.0.1:9464"]);
    refused("[http]\nlisten = \"unix:http.sock\"\n", &["http.listen", "absolute"]);
    refused("[log]\nlevel = \"lo=ud\"\n", &["log.level"]);
    refused("[webhook.oncall]\nshape = \"slack\"\n", &["webhook.oncall.url", "url_file"]);
    refused("[webhook.oncall]\nurl = \"ftp://x\"\n", &["webhook.oncall.url", "https://"]);
    refused("[feed.a]\nurl = \"http://x\"\n", &["feed.a.keys", "is missing"]);
    refused("[feed.a]\ntype = \"nacos\"\nurl = \"http://x\"\nkeys = [\"a\"]\n", &["feed.a.keys", "GROUP/DATA-ID"]);
    refused("[feed.a]\ntype = \"zookeeper\"\n", &["zookeeper", "etcd"]);
    refused("[metrics.a]\nurl = \"http://x\"\n", &["metrics.a.preset", "haproxy"]);
    refused("[changes]\ntoken_file = \"/nonexistent\"\n", &["changes.token_file", "/nonexistent"]);
    refused("[include]\nservices = [\"\"]\n", &["include.services"]);
    refused("[store\n", &["test.toml", "line 1"]);
}

/// Every key is documented, and every documented key is one.
#[test]
fn every_key_is_documented() {
    let mut config = Config::default();
    config.webhook.insert("oncall".into(), Webhook::default());
    config.feed.insert("oncall".into(), Feed::default());
    config.metrics.insert("oncall".into(), MetricsSource::default());
    let loaded = Loaded { config, origins: Origins::default() };
    let shown = as_json(&loaded).unwrap();
    let mut shown: Vec<String> =
        shown["keys"].as_object().unwrap().keys().map(|k| k.replace(".oncall.", ".*.")).collect();
    let mut documented: Vec<String> = keys::KEYS.iter().map(|k| k.name.to_owned()).collect();
    shown.sort();
    documented.sort();
    assert_eq!(shown, documented);
}

/// `lastgasp config --markdown` made the table in the documents.
#[test]
fn the_documents_say_the_same() {
    let page = include_str!("../../../../docs/operations/configuration.md");
    assert!(
        page.contains(&as_markdown().unwrap()),
        "run: lastgasp config --markdown, and put its output into docs/operations/configuration.md"
    );
}

#[test]
fn origins_and_secrets() {
    let text = "[store]\npath = \"/x\"\n\n[webhook.oncall]\nurl = \"https://hooks.example/hush\"\n";
    let (config, mut origins) = parse(text, "a.toml").unwrap();
    origins.set("watch.mode", "--mode");
    let loaded = Loaded { config, origins };
    let shown = as_text(&loaded).unwrap();
    assert!(shown.contains("store.path = \"/x\"    # a.toml:2"), "{shown}");
    assert!(
        shown.contains("watch.mode = \"freeze\"    # --mode") && shown.contains("pin.hold = \"1800ms\"    # default")
    );
    assert!(shown.contains("webhook.oncall.url = \"(hidden)\"    # a.toml:5") && !shown.contains("hush"));
}

#[test]
fn an_address_may_stand_in_a_file() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "https://hooks.example/x\n").unwrap();
    let hook = Webhook { url_file: file.path().into(), ..Webhook::default() };
    assert_eq!(hook.address().unwrap(), "https://hooks.example/x");
    assert!(Webhook { url: "https://y".into(), ..hook }.address().unwrap_err().contains("not both"));
}

/// It names webhooks, stores and whom to stop: who else can write it says what the daemon does.
#[test]
fn a_configuration_that_others_may_write_is_refused() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "[watch]\nmode = \"observe\"\n").unwrap();
    let mode = |bits: u32| std::fs::set_permissions(file.path(), Permissions::from_mode(bits)).unwrap();
    let refused = |words: &str| {
        let error = read(file.path()).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    };
    mode(0o644);
    assert!(read(file.path()).unwrap().contains("observe"));
    mode(0o646);
    refused("written by everybody");
    if nix::unistd::geteuid().is_root() {
        mode(0o664);
        assert!(read(file.path()).is_ok(), "root's own group");
        nix::unistd::chown(file.path(), None, Some(65534.into())).unwrap();
        refused("written by its group");
        mode(0o644);
        nix::unistd::chown(file.path(), Some(65534.into()), None).unwrap();
        refused("written by another user");
    }
}

/// The defaults of the configuration are the recorder's own.
#[test]
fn the_defaults_are_the_recorders() {
    let (ours, recorders) =
        (crate::settings::settings(&Config::default()), lastgasp_recorder::daemon::Settings::default());
    assert_eq!(ours.policy, recorders.policy);
    assert_eq!(
        (ours.calm_sample, ours.memory, ours.concurrent_stops),
        (recorders.calm_sample, recorders.memory, recorders.concurrent_stops)
    );
    assert_eq!((ours.brake, ours.pin_probe), (recorders.brake, recorders.pin_probe));
}

proptest::proptest! {
    #[test]
    fn no_text_is_feared(text in "[\\[\\]a-z.=\"0-9\\n #]{0,200}") {
        let _ = parsed(&text);
    }
}
