//! The page's scripts under node, with a stand-in for the browser (`tests/page/`): the sample, an empty
//! document, and documents that nobody should write. Each page must draw all that it can, throw nothing, make
//! no element or attribute that the page's own scripts do not make, and show every string as text. Skips
//! loudly on a machine without node.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::print_stderr)]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use lastgasp_report::page;
use serde_json::{Value, json};

/// Strings that end a script, a tag, an attribute or a line, or that read as something that they are not.
const HOSTILE: &[&str] = &[
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "\"><svg onload=alert(1)>",
    "' onmouseover='alert(1)",
    "javascript:alert(1)",
    "<!--<script>",
    "]]>\u{2028}\u{2029}\u{0}\u{7}\u{1b}[31m",
    "main.\u{202e}tset\u{202c}.run\u{200f}",
    "{{JSON}}/*{{JS}}*//*{{CSS}}*/{{TITLE}}",
    "__proto__",
    "constructor",
    "toString",
    "&lt;b&gt;&amp;",
    "\u{1f4a5}\u{d7ff}\u{ffff}",
    "${alert(1)}`\\",
    ")}; url(x) expression(1)",
];

fn sample() -> Value {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/html/sample.json");
    serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
}

/// The document with every value for which `with` has another replaced by that.
fn changed(value: &Value, with: &mut impl FnMut(&Value) -> Option<Value>) -> Value {
    if let Some(other) = with(value) {
        return other;
    }
    match value {
        Value::Array(items) => items.iter().map(|v| changed(v, with)).collect(),
        Value::Object(fields) => fields.iter().map(|(k, v)| (k.clone(), changed(v, with))).collect(),
        other => other.clone(),
    }
}

/// The sample with each of its top fields replaced, one at a time.
fn each_field(sample: &Value, by: &Value) -> Vec<(String, Value)> {
    let fields = sample.as_object().unwrap().keys();
    fields
        .map(|key| {
            let mut d = sample.clone();
            d[key] = by.clone();
            (key.clone(), d)
        })
        .collect()
}

/// A sample with many sites, deep stacks and a long watch: more than a report ever lists.
fn large(sample: &Value) -> Value {
    let mut d = sample.clone();
    let frame = |i: usize| json!({"function": format!("example.com/svc/pkg{}.(*T[go.shape.int]).Call{i}", i % 7), "file": "svc/a.go", "line": i});
    let sites: Vec<Value> = (0..400)
        .map(|i| {
            let mut site = sample["profile"]["sites"][0].clone();
            site["id"] = json!(i);
            site["stack"] = (0..300).map(|f| frame(f * (1 + i % 3))).collect();
            site
        })
        .collect();
    d["profile"]["sites"] = json!(sites);
    let mut group = sample["goroutines"]["groups"][0].clone();
    group["stack"] = (0..20_000).map(frame).collect();
    d["goroutines"]["groups"] = json!([group]);
    let one = sample["timeline"]["samples"][0].clone();
    d["timeline"]["samples"] = (0..130_000)
        .map(|i| {
            let mut s = one.clone();
            s["t_ms"] = json!(i * 10);
            s
        })
        .collect();
    d
}

/// All documents, by name.
fn documents() -> Vec<(String, Value)> {
    let sample = sample();
    let mut out = vec![
        ("sample".to_owned(), sample.clone()),
        ("empty".to_owned(), json!({})),
        ("not an object".to_owned(), json!([1, null, "x"])),
        ("a string".to_owned(), json!(HOSTILE[0])),
        ("null".to_owned(), Value::Null),
        ("large".to_owned(), large(&sample)),
    ];
    let mut put = |name: &str, with: &mut dyn FnMut(&Value) -> Option<Value>| {
        out.push((name.to_owned(), changed(&sample, &mut |v| with(v))));
    };
    // Every string is hostile, each time another; all of them in one place, too.
    let mut n = 0;
    put("hostile strings", &mut |v| {
        n += 1;
        v.as_str().map(|_| HOSTILE[n % HOSTILE.len()].into())
    });
    put("all that is hostile at once", &mut |v| v.as_str().map(|_| HOSTILE.concat().into()));
    put("very long strings", &mut |v| v.as_str().map(|s| format!("{s}{}", "x<y>/".repeat(4000)).into()));
    put("empty strings", &mut |v| v.as_str().map(|_| "".into()));
    put("null for numbers", &mut |v| v.is_number().then_some(Value::Null));
    put("null for strings", &mut |v| v.is_string().then_some(Value::Null));
    put("numbers as strings", &mut |v| v.is_number().then(|| v.to_string().into()));
    put("strings as numbers", &mut |v| v.is_string().then(|| 7.into()));
    put("strings as objects", &mut |v| v.is_string().then(|| json!({"toString": "x", "length": 3})));
    put("all numbers negative", &mut |v| v.as_f64().map(|x| (-1.0 - x.abs()).into()));
    put("all numbers nought", &mut |v| v.is_number().then(|| 0.into()));
    put("huge numbers", &mut |v| v.is_number().then(|| 1.7e308.into()));
    let mut sign = 1.0;
    put("huge numbers of both signs", &mut |v| {
        sign = -sign;
        v.is_number().then(|| (sign * 1.7e308).into())
    });
    put("tiny numbers", &mut |v| v.is_number().then(|| 5e-324.into()));
    put("the largest whole number", &mut |v| v.is_number().then(|| u64::MAX.into()));
    put("empty lists", &mut |v| v.is_array().then(|| json!([])));
    put("lists of null", &mut |v| v.is_array().then(|| json!([null, null])));
    put("lists of numbers", &mut |v| v.is_array().then(|| json!([1, 2.5, -3])));
    put("lists of lists", &mut |v| v.is_array().then(|| json!([[[]], [{}], []])));
    put("lists of strings", &mut |v| v.is_array().then(|| json!(HOSTILE)));
    put("lists of empty objects", &mut |v| v.is_array().then(|| json!([{}, {}, {}])));
    put("objects for lists", &mut |v| v.is_array().then(|| json!({"0": 1, "length": 2})));
    put("one of each list", &mut |v| v.as_array().filter(|l| l.len() > 1).map(|l| json!([l[0]])));
    for (what, by) in [
        ("null", Value::Null),
        ("a list", json!([{}, [], 1, "x"])),
        ("an object", json!({"x": {"y": 1}})),
        ("a string", json!(HOSTILE[1])),
        ("a number", json!(-0.5)),
        ("true", json!(true)),
    ] {
        for (key, d) in each_field(&sample, &by) {
            out.push((format!("{key} is {what}"), d));
        }
    }
    out
}

/// What node said of each page; `None`, said loudly, where there is no node.
fn drawn(pages: &[(String, String)]) -> Option<BTreeMap<String, Value>> {
    if !Command::new("node").arg("--version").output().is_ok_and(|o| o.status.success()) {
        eprintln!("SKIPPED: there is no node on this machine: the report page's scripts were NOT run");
        return None;
    }
    // Two at a time, each every other page: most of it is node's computing.
    let halves: Vec<String> = std::thread::scope(|scope| {
        let half = |first: usize| scope.spawn(move || ran(pages.iter().skip(first).step_by(2)));
        [half(0), half(1)].map(|thread| thread.join().unwrap()).into()
    });
    let said = halves.concat();
    let lines = said.lines().map(|l| serde_json::from_str::<Value>(l).unwrap());
    let seen: BTreeMap<String, Value> = lines.map(|v| (v["name"].as_str().unwrap().to_owned(), v)).collect();
    assert_eq!(seen.len(), pages.len());
    Some(seen)
}

/// What node prints of these pages: a line each.
fn ran<'a>(pages: impl Iterator<Item = &'a (String, String)>) -> String {
    let dir = tempfile::tempdir().unwrap();
    for (name, html) in pages {
        std::fs::write(dir.path().join(format!("{name}.html")), html).unwrap();
    }
    let runner = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/page/run.js");
    let out = Command::new("node").arg(runner).arg(dir.path()).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

#[test]
fn whatever_the_document_the_page_is_drawn_and_nothing_of_it_is_markup() {
    let pages: Vec<(String, String)> = documents().iter().map(|(name, d)| (name.clone(), page(d))).collect();
    for (name, html) in &pages {
        assert_eq!(html.matches("<script").count(), 2, "{name}");
        for bad in ["<img", "<svg", "\u{2028}", "\u{2029}", "<!--"] {
            assert!(!html.contains(bad), "{name}: {bad:?}");
        }
    }
    let Some(seen) = drawn(&pages) else { return };
    let wrong: Vec<String> = seen
        .iter()
        .filter(|(_, v)| v["trouble"].as_array().is_none_or(|t| !t.is_empty()))
        .map(|(name, v)| format!("{name}: {:#}", v["trouble"]))
        .collect();
    assert!(wrong.is_empty(), "{} of {} pages:\n{}", wrong.len(), pages.len(), wrong.join("\n"));

    let sections = |name: &str| seen[name]["shown"]["sections"].as_array().unwrap().clone();
    let all: Vec<Value> = "verdict pprof timeline sites goroutines blocked held memory findings changes provenance"
        .split(' ')
        .map(Value::from)
        .collect();
    // Every view, and nothing missing; also where the strings are hostile or long, or the numbers huge.
    for name in ["sample", "hostile strings", "all that is hostile at once", "very long strings", "large"] {
        assert_eq!(sections(name), all, "{name}");
        let shown = &seen[name]["shown"];
        for what in ["charts", "rows", "frames"] {
            assert!(shown[what].as_u64().unwrap() > 0, "{name}: no {what}");
        }
    }
    // Of nothing, the verdict says so and the foot names what is not there.
    let empty = &seen["empty"]["shown"];
    assert_eq!(sections("empty"), all[..1]);
    assert_eq!(empty["verdict"], "This report carries no verdict.");
    let missing = empty["missing"].as_str().unwrap();
    for absent in ["a timeline", "allocation sites", "goroutines", "an account of memory", "provenance"] {
        assert!(missing.contains(absent), "{missing}");
    }
    // Text arrives as text: whole, in its place.
    let text = seen["hostile strings"]["shown"]["text"].as_str().unwrap();
    for shown in [
        "</script><script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "main.\\u202etset\\u202c",
        "&lt;b&gt;&amp;",
    ] {
        assert!(text.contains(shown), "{shown}");
    }
}

/// The stand-in sees what it is there for.
#[test]
fn a_page_that_makes_markup_of_a_string_is_found_out() {
    let good = page(&json!({"target": {"service": "<b>svc</b>"}}));
    let spoilt = |code: &str| good.replacen("(function (lg) {", &format!("{code}\n(function (lg) {{"), 1);
    let pages = [
        ("good", good.clone()),
        ("throws", spoilt("null.x;")),
        ("inner html", spoilt("document.getElementById('main').innerHTML = '<b>';")),
        ("script", spoilt("document.getElementById('main').append(document.createElement('script'));")),
        ("handler", spoilt("{ const p = document.createElement('p'); p.setAttribute('onclick', 'x'); document.getElementById('main').append(p); }")),
        ("link", spoilt("{ const a = document.createElement('a'); a.setAttribute('href', 'javascript:x'); document.getElementById('main').append(a); }")),
        ("string code", spoilt("eval('1');")),
        ("not a number", spoilt("document.getElementById('main').append('NaN MB');")),
    ]
    .map(|(name, html)| (name.to_owned(), html));
    let Some(seen) = drawn(&pages) else { return };
    for (name, v) in seen {
        let trouble = v["trouble"].as_array().unwrap();
        assert_eq!(trouble.is_empty(), name == "good", "{name}: {trouble:?}");
    }
}
