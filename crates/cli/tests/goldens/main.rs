//! Goldens: recorded captures of real processes, and what this version says of them, file by file. A folder
//! below `captures/<release>/` is a case: it has the capture (`capture/`), one line about it (`about.txt`),
//! and what is expected (`report.txt`, `report.json`, `heap.txt`). No code names a case.
//!
//! `cargo xtask goldens` (`UPDATE_GOLDENS=1 cargo test -p lastgasp-cli --test goldens`) writes what is
//! expected anew: read the diff before you commit it. Needs neither root nor Go nor network; the pages'
//! scripts are run where there is node.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::print_stderr)]

mod cases;
mod expected;
mod profile;
mod stable;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::Command;

use cases::{Case, all, folder, lastgasp, said};
use expected::Expected;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

/// The release before this one, whose captures are kept.
const RELEASE_BEFORE: &str = "0.1.0";

fn document(capture: &Path) -> Value {
    serde_json::from_str(&said(&["report", capture.to_str().unwrap(), "--format", "json"])).unwrap()
}

#[test]
fn reports_as_text() {
    let mut expected = Expected::default();
    for case in all() {
        let text = said(&["report", case.capture().to_str().unwrap()]);
        // It is the same wherever the folder lies.
        assert!(!text.contains(folder().to_str().unwrap()), "{}: names the folder", case.name);
        expected.hold(&case.path.join("report.txt"), &text);
    }
    expected.done();
}

#[test]
fn reports_as_json() {
    let mut expected = Expected::default();
    for case in all() {
        let document = document(&case.capture());
        assert_eq!(document["schema"], "lastgasp.report/1", "{}", case.name);
        let text = stable::text(&document, &case.capture());
        assert!(!text.contains(folder().to_str().unwrap()), "{}: names the folder", case.name);
        expected.hold(&case.path.join("report.json"), &text);
    }
    expected.done();
}

#[test]
fn profiles_made_of_the_facts() {
    let mut expected = Expected::default();
    for case in all() {
        let made = profile::Profile::read(&profile::made(&case.capture()));
        expected.hold(&case.path.join("heap.txt"), &made.text());
        // The file that the release itself wrote can be read, and tells of as many bytes.
        let written = profile::Profile::read(&fs::read(case.capture().join("heap.pb.gz")).unwrap());
        assert_eq!(written.total("inuse_space"), made.total("inuse_space"), "{}", case.name);
    }
    expected.done();
}

/// Of captures with a graph of the heap: the profile of who keeps what, and the answers about the largest
/// holder and type.
#[test]
fn graphs_of_the_heap() {
    let mut expected = Expected::default();
    let mut graphs = 0;
    for case in all() {
        let Some(packed) = profile::retained(&case.capture()) else { continue };
        graphs += 1;
        let made = profile::Profile::read(&packed);
        let document = document(&case.capture());
        assert_eq!(made.total("retained_space"), document["graph"]["live_bytes"].as_i64().unwrap(), "{}", case.name);
        expected.hold(&case.path.join("retained.txt"), &made.text());
        let mut answers = String::new();
        for name in ["/graph/roots/0/name", "/graph/types/0/type", "/graph/sites/0/stack/0"] {
            let Some(asked) = document.pointer(name).and_then(Value::as_str) else { continue };
            answers.push_str(&format!("{}\n", said(&["why", case.capture().to_str().unwrap(), asked])));
        }
        expected.hold(&case.path.join("why.txt"), &answers);
    }
    expected.done();
    assert!(graphs >= 2, "{graphs}");
}

/// What changed between two captures of one death, and of two services.
#[test]
fn two_captures_side_by_side() {
    let mut expected = Expected::default();
    let find = |name: &str| all().into_iter().find(|c| c.name.ends_with(name)).unwrap();
    for (before, after) in [
        ("incident-go1.26.6-pre-kill", "incident-go1.26.6-post-kill"),
        ("unreleased/graph-waste", "unreleased/graph-incident"),
    ] {
        let (before, after) = (find(before), find(after));
        let [a, b] = [&before, &after].map(|c| c.capture().to_str().unwrap().to_owned());
        let text = said(&["diff", &a, &b]);
        assert!(!text.contains(folder().to_str().unwrap()), "names the folder: {text}");
        expected.hold(&after.path.join("diff.txt"), &text);
        let document: Value = serde_json::from_str(&said(&["diff", &a, &b, "--format", "json"])).unwrap();
        assert_eq!(document["schema"], "lastgasp.diff/1");
    }
    expected.done();
}

/// A question that cannot be answered is refused with what can be asked, and nothing on standard output.
#[test]
fn questions_without_an_answer_have_a_cure() {
    let of = |name: &str| all().into_iter().find(|c| c.name.ends_with(name)).unwrap().capture();
    let (graph, none) = (of("graph-incident"), of("churn-go1.21.13-manual"));
    let [graph, none] = [&graph, &none].map(|c| c.to_str().unwrap());
    for (args, cure) in [
        (["why", graph, "main.nothing"], "the largest types are"),
        (["why", graph, "0xc000123000"], "--keep-memory"),
        (["why", none, "main.cache"], "lastgasp capture PID --heap"),
        (["why", "/nowhere", "main.cache"], "neither a capture's folder nor a core file nor a process number"),
        (["diff", graph, "/nowhere"], "neither a capture's folder nor a core file nor a process number"),
    ] {
        let out = lastgasp(&args);
        let err = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(2), "{args:?}: {err}");
        assert!(err.contains(cure) && out.stdout.is_empty(), "{args:?}: {err}");
    }
}

/// Whatever code a report names can be looked up.
#[test]
fn every_code_is_explained() {
    if !commands(&[]).contains(&"explain".to_owned()) {
        return eprintln!("SKIPPED: this lastgasp has no command `explain`");
    }
    let mut expected = Expected::of(&folder().join("explain"));
    let mut codes = BTreeSet::new();
    for case in all() {
        codes.extend(codes_of(&document(&case.capture())));
    }
    for code in codes {
        expected.hold(&folder().join("explain").join(format!("{code}.txt")), &said(&["explain", &code]));
    }
    expected.done();
}

fn codes_of(document: &Value) -> Vec<String> {
    let findings = document["findings"].as_array().into_iter().flatten();
    let codes = findings.map(|f| &f["code"]).chain([&document["verdict"]["code"]]);
    codes.filter_map(|c| c.as_str()).filter(|c| !c.is_empty()).map(str::to_owned).collect()
}

/// Subcommands of a command, by its help.
fn commands(of: &[&str]) -> Vec<String> {
    let help = said(&[of, &["--help"]].concat());
    let listed = help.lines().skip_while(|l| *l != "Commands:").skip(1).take_while(|l| !l.is_empty());
    // Deeper lines belong to the text of the command above.
    let names = listed.filter_map(|l| l.strip_prefix("  ").filter(|l| !l.starts_with(' ')));
    names.filter_map(|l| l.split_whitespace().next()).filter(|n| *n != "help").map(str::to_owned).collect()
}

#[test]
fn help_of_every_command() {
    let mut expected = Expected::of(&folder().join("help"));
    let mut open: Vec<Vec<String>> = vec![Vec::new()];
    while let Some(command) = open.pop() {
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        let file = format!("{}.txt", [&["lastgasp"][..], &words[..]].concat().join("-"));
        expected.hold(&folder().join("help").join(file), &said(&[&words[..], &["--help"]].concat()));
        for below in commands(&words) {
            open.push([&command[..], &[below]].concat());
        }
    }
    expected.done();
}

/// The goldens are of all that they must be of; a rule without one is not finished.
#[test]
fn nothing_is_without_a_golden() {
    let mut seen: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let mut note = |what: &'static str, value: &str| {
        seen.entry(what).or_default().insert(value.to_owned());
    };
    let cases = all();
    assert!(cases.len() >= 40, "{} captures", cases.len());
    for case in &cases {
        let d = document(&case.capture());
        let text = |at: &str| d.pointer(at).and_then(Value::as_str).unwrap_or_default().to_owned();
        note("phase", &text("/capture/phase"));
        note("reason", &text("/capture/reason"));
        note("minor", text("/target/go_version").split('.').nth(1).unwrap_or_default());
        note("stripped", &d["target"]["stripped"].to_string());
        note("profile", if d["profile"]["rate_bytes"] == 0 { "off" } else { "on" });
        for gap in d["capture"]["gaps"].as_array().into_iter().flatten() {
            note("gap", gap["what"].as_str().unwrap());
        }
        let codes = codes_of(&d);
        if codes.is_empty() {
            note("code", "none");
        }
        codes.iter().for_each(|c| note("code", c));
        note("light", &case.manifest()["light"].to_string());
        note("release", case.release());
        let about = fs::read_to_string(case.path.join("about.txt")).unwrap_or_default();
        assert_eq!(about.lines().count(), 1, "{}: about.txt says in one line what it is", case.name);
    }
    let has = |what: &str, wanted: &[&str]| {
        for value in wanted {
            assert!(seen[what].contains(*value), "no golden has the {what} {value}: {:?}", seen[what]);
        }
    };
    // A rule without a recorded capture that it speaks of is not finished.
    let catalogue = said(&["explain"]);
    let rules: Vec<&str> = lastgasp_diagnosis::catalogue().map(|i| i.code).collect();
    assert!(rules.iter().all(|code| catalogue.contains(code)), "{catalogue}");
    has("code", &rules);
    has("code", &["none"]);
    has("phase", &["pre-kill", "post-kill", "manual", "core"]);
    has("reason", &["forecast", "oom-kill", "killed", "manual"]);
    has("minor", &["19", "20", "21", "22", "23", "24", "25", "26", "27"]);
    has("stripped", &["true", "false"]);
    has("profile", &["on", "off"]);
    has("light", &["true", "false"]);
    has("gap", &["standstill", "memory", "span table", "some files"]);
    has("release", &[RELEASE_BEFORE]);
}

/// Captures name people's code and nothing of the machine on which they were recorded.
#[test]
fn no_capture_tells_of_the_recorders_machine() {
    for case in all() {
        for entry in fs::read_dir(case.capture()).unwrap() {
            let path = entry.unwrap().path();
            let mut content = fs::read(&path).unwrap();
            if path.extension().is_some_and(|e| e == "gz") {
                let packed = std::mem::take(&mut content);
                GzDecoder::new(&packed[..]).read_to_end(&mut content).unwrap();
            }
            let text = String::from_utf8_lossy(&content);
            for bad in ["/root/", "/home/", "/tmp/", "/dev/shm"] {
                assert!(!text.contains(bad), "{}: {bad}", path.display());
            }
        }
    }
}

/// Each page draws itself, whole, out of the real document that it carries.
#[test]
fn pages_draw_themselves() {
    if !Command::new("node").arg("--version").output().is_ok_and(|o| o.status.success()) {
        return eprintln!("SKIPPED: there is no node on this machine: the pages' scripts were NOT run");
    }
    let dir = tempfile::tempdir().unwrap();
    let cases = all();
    for case in &cases {
        let file = dir.path().join(format!("{}.html", case.name.replace('/', "-")));
        said(&["report", case.capture().to_str().unwrap(), "--format", "html", "--out", file.to_str().unwrap()]);
    }
    let runner = Path::new(env!("CARGO_MANIFEST_DIR")).join("../report/tests/page/run.js");
    let out = Command::new("node").arg(runner).arg(dir.path()).arg("untouched").output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let mut drawn = 0;
    for line in String::from_utf8(out.stdout).unwrap().lines() {
        let page: Value = serde_json::from_str(line).unwrap();
        assert_eq!(page["trouble"], json!([]), "{}", page["name"]);
        let sections = page["shown"]["sections"].as_array().unwrap();
        for wanted in ["verdict", "goroutines", "provenance"] {
            assert!(sections.contains(&wanted.into()), "{}: no {wanted}", page["name"]);
        }
        drawn += 1;
    }
    assert_eq!(drawn, cases.len());
}

/// Captures of the release before stay readable, in every form.
#[test]
fn captures_of_the_release_before_are_opened() {
    let before: Vec<Case> = all().into_iter().filter(|c| c.release() == RELEASE_BEFORE).collect();
    assert!(before.len() >= 40, "{} captures of {RELEASE_BEFORE}", before.len());
    for case in before {
        assert_eq!(document(&case.capture())["provenance"]["lastgasp_version"], RELEASE_BEFORE, "{}", case.name);
        for format in ["text", "json", "html"] {
            assert!(!said(&["report", case.capture().to_str().unwrap(), "--format", format]).is_empty());
        }
    }
}

/// A capture of this release, changed: its manifest, then its facts as JSON.
fn altered(manifest: impl FnOnce(&mut Value), facts: impl FnOnce(&mut Value)) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let case = all().into_iter().find(|c| c.name.contains("dies-go1.26")).unwrap();
    let mut m = case.manifest();
    let mut content = Vec::new();
    GzDecoder::new(&fs::read(case.capture().join("facts.json.gz")).unwrap()[..]).read_to_end(&mut content).unwrap();
    let mut f: Value = serde_json::from_slice(&content).unwrap();
    manifest(&mut m);
    facts(&mut f);
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(&serde_json::to_vec(&f).unwrap()).unwrap();
    let packed = packed.finish().unwrap();
    for file in m["files"].as_array_mut().unwrap() {
        if file["name"] == "facts.json.gz" {
            file["bytes"] = packed.len().into();
            file["crc32"] = format!("{:08x}", crc32fast::hash(&packed)).into();
        }
    }
    fs::write(dir.path().join("facts.json.gz"), packed).unwrap();
    fs::write(dir.path().join("manifest.json"), m.to_string()).unwrap();
    fs::copy(case.capture().join("heap.pb.gz"), dir.path().join("heap.pb.gz")).unwrap();
    dir
}

/// Puts a field that nobody knows into every object.
fn put_unknown(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(put_unknown),
        Value::Object(fields) => {
            fields.values_mut().for_each(put_unknown);
            fields.insert("a_field_of_a_later_release".into(), json!({"of": ["any", 1, null]}));
        }
        _ => {}
    }
}

/// New fields may come at any time: they are passed over.
#[test]
fn a_later_release_of_the_same_schema_is_read() {
    let plain = altered(|_| {}, |_| {});
    let later = altered(put_unknown, put_unknown);
    let report = |dir: &tempfile::TempDir| said(&["report", dir.path().to_str().unwrap()]);
    assert_eq!(report(&later), report(&plain));
}

/// A later schema is read as far as it is known, and a gap says so: no capture is refused for its age.
#[test]
fn a_later_schema_is_read_as_far_as_it_is_known() {
    let read = |dir: &tempfile::TempDir| {
        let out = lastgasp(&["report", dir.path().to_str().unwrap(), "--format", "json"]);
        let document: Value = serde_json::from_slice(&out.stdout).unwrap();
        (out.status.code(), document)
    };
    let (_, plain) = read(&altered(|_| {}, |_| {}));
    let later = altered(
        |m| {
            m["schema"] = json!("lastgasp.capture/99");
            m["cause"] = json!({"code": "x"});
        },
        |f| {
            f["schema"] = json!("lastgasp.facts/99");
            f["capture"]["phase"] = json!("mid-kill");
            f["goroutines"]["groups"] = json!({"by": "stack"});
            f["charge"] = json!("much");
        },
    );
    let (code, report) = read(&later);
    assert_eq!(code, Some(3), "there are gaps");
    let gaps = report["capture"]["gaps"].as_array().unwrap();
    let missing: Vec<&str> = gaps.iter().map(|g| g["what"].as_str().unwrap()).collect();
    assert_eq!(missing, ["facts: goroutines.groups", "facts: charge", "facts", "manifest: cause"]);
    assert_eq!(report["capture"]["phase"], "mid-kill", "a phase that nobody here knows");
    assert_eq!(report["profile"], plain["profile"]);
    assert_eq!(report["goroutines"]["total"], plain["goroutines"]["total"]);
    assert_eq!(report["verdict"]["code"], plain["verdict"]["code"]);
}

/// Another schema is refused, by name, with the folder, as a usage error and not as a finding.
#[test]
fn another_schema_is_refused_by_name() {
    for (dir, named) in [
        (altered(|_| {}, |f| f["schema"] = json!("other.facts/1")), "other.facts/1"),
        (altered(|_| {}, |f| f["schema"] = json!("lastgasp.facts/0")), "lastgasp.facts/0"),
        (altered(|m| m["schema"] = json!("other.capture/1"), |_| {}), "other.capture/1"),
    ] {
        for format in ["text", "json", "html"] {
            let path = dir.path().to_str().unwrap();
            let out = lastgasp(&["report", path, "--format", format, "--fail-on", "info"]);
            let err = String::from_utf8_lossy(&out.stderr);
            assert_eq!(out.status.code(), Some(2), "{err}");
            assert!(err.contains(named) && err.contains(path), "{err}");
            assert!(out.stdout.is_empty() && !err.contains("panicked"), "{err}");
        }
    }
}

/// What is damaged is said to be; nothing is made of it.
#[test]
fn damage_is_named() {
    type Spoil = (&'static str, fn(&Path));
    let spoil: [Spoil; 4] = [
        ("facts.json.gz", |dir| {
            let file = dir.join("facts.json.gz");
            let mut content = fs::read(&file).unwrap();
            let middle = content.len() / 2;
            content[middle] ^= 0x40;
            fs::write(file, content).unwrap();
        }),
        ("facts.json.gz", |dir| {
            let file = fs::OpenOptions::new().write(true).open(dir.join("facts.json.gz")).unwrap();
            file.set_len(1000).unwrap();
        }),
        ("facts.json.gz", |dir| fs::remove_file(dir.join("facts.json.gz")).unwrap()),
        ("manifest.json", |dir| fs::write(dir.join("manifest.json"), "{\"schema\":").unwrap()),
    ];
    for (named, how) in spoil {
        let dir = altered(|_| {}, |_| {});
        how(dir.path());
        let out = lastgasp(&["report", dir.path().to_str().unwrap()]);
        let err = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(2), "{err}");
        assert!(err.contains(named) && out.stdout.is_empty() && !err.contains("panicked"), "{err}");
    }
}
