//! SARIF 2.1.0, which code hosts and editors read. A test holds it against the schema of OASIS.

use lastgasp_gosource::{Finding, Level, Place, catalogue, level_of};
use serde_json::{Value, json};

use super::CheckView;

/// The log of one run.
#[must_use]
pub fn check_sarif(view: &CheckView<'_>) -> Value {
    let rules: Vec<&str> = catalogue().map(|i| i.code).collect();
    let results: Vec<Value> = view.shown.iter().map(|f| result(f, &rules)).collect();
    let notifications: Vec<Value> = view
        .checked
        .gaps
        .iter()
        .map(|g| {
            let mut region = serde_json::Map::new();
            if let Some(line) = g.line {
                region.insert("startLine".into(), line.into());
            }
            let mut place = json!({"artifactLocation": {"uri": uri(&g.file)}});
            if !region.is_empty() {
                place["region"] = Value::Object(region);
            }
            json!({"level": "note", "message": {"text": g.text}, "locations": [{"physicalLocation": place}]})
        })
        .collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "lastgasp",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": catalogue().map(|i| json!({
                    "id": i.code,
                    "shortDescription": {"text": i.title},
                    "fullDescription": {"text": section(i.doc, "What it finds")},
                    "help": {"text": section(i.doc, "Cures"), "markdown": i.doc},
                    "defaultConfiguration": {"level": word(level_of(i.code).unwrap_or_default())},
                })).collect::<Vec<_>>(),
            }},
            "columnKind": "utf16CodeUnits",
            "invocations": [{"executionSuccessful": true, "toolExecutionNotifications": notifications}],
            "results": results,
        }],
    })
}

fn result(f: &Finding, rules: &[&str]) -> Value {
    let mut out = json!({
        "ruleId": f.code,
        "level": word(f.level),
        "message": {"text": format!("{} {}", capital(&f.sentence), f.cure)},
        "locations": [{
            "physicalLocation": physical(&f.place),
            "logicalLocations": [{"fullyQualifiedName": f.function, "kind": "function"}],
        }],
        "partialFingerprints": {"lastgasp/1": f.fingerprint},
        "properties": {"certainty": f.certainty.word(), "why": f.why, "evidence": f.evidence},
    });
    if let Some(n) = rules.iter().position(|r| *r == f.code) {
        out["ruleIndex"] = n.into();
    }
    if !f.related.is_empty() {
        let related =
            f.related.iter().enumerate().map(
                |(n, r)| json!({"id": n + 1, "message": {"text": r.note}, "physicalLocation": physical(&r.place)}),
            );
        out["relatedLocations"] = related.collect::<Vec<_>>().into();
    }
    out
}

/// Columns are told in bytes by us and in UTF-16 units by SARIF: they differ in lines with other letters
/// before the place, where only the lines are told.
fn physical(p: &Place) -> Value {
    json!({
        "artifactLocation": {"uri": uri(&p.file)},
        "region": {"startLine": p.line, "startColumn": p.column.max(1), "endLine": p.end_line, "endColumn": p.end_column.max(1)},
    })
}

fn word(level: Level) -> &'static str {
    match level {
        Level::Critical => "error",
        Level::Warning => "warning",
        Level::Hint => "note",
    }
}

/// A relative path as a URI reference.
fn uri(file: &str) -> String {
    let mut out = String::new();
    for b in file.bytes() {
        if b.is_ascii_alphanumeric() || b"/-._~!$&'()*+,;=@".contains(&b) {
            out.push(char::from(b));
        } else {
            out.push_str(&format!("%{b:02X}"));
        }
    }
    out
}

fn section<'a>(doc: &'a str, heading: &str) -> &'a str {
    let text = doc.split(&format!("\n## {heading}\n")).nth(1).unwrap_or(doc);
    text.split("\n## ").next().unwrap_or(text).trim()
}

fn capital(sentence: &str) -> String {
    let mut out: String = sentence.to_owned();
    if let Some(first) = out.get(..1) {
        let upper = first.to_uppercase();
        out.replace_range(..1, &upper);
    }
    if !out.ends_with('.') {
        out.push('.');
    }
    out
}
