//! The report's document in a form to keep: nothing of the machine, one short value a line, long lists cut in
//! the middle.

use std::path::Path;

use serde_json::Value;

/// Values that fit into so many characters stand on one line.
const WIDTH: usize = 140;
/// Longer lists are given by their first and last values, their length, and a CRC-32 of all: a change
/// anywhere shows.
const LONG: usize = 24;
const FIRST: usize = 6;
const LAST: usize = 3;

/// The document as text; `capture` is the folder that it must name, and whose name is left out.
pub(crate) fn text(document: &Value, capture: &Path) -> String {
    let mut document = document.clone();
    if let Some(path) = document.pointer_mut("/capture/path") {
        assert_eq!(path.as_str(), capture.to_str());
        *path = "(its folder)".into();
    }
    round(&mut document);
    let mut out = String::new();
    write(&document, 0, &mut out);
    out.push('\n');
    out
}

/// Fractions to nine digits: the last ones of a logarithm are the C library's.
fn round(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(round),
        Value::Object(fields) => fields.values_mut().for_each(round),
        Value::Number(n) if n.is_f64() => {
            *value = format!("{:.8e}", n.as_f64().unwrap()).parse::<f64>().unwrap().into()
        }
        _ => {}
    }
}

fn write(value: &Value, depth: usize, out: &mut String) {
    let line = value.to_string();
    let long = value.as_array().is_some_and(|items| items.len() > LONG);
    if line.len() <= WIDTH && !long {
        return out.push_str(&line);
    }
    let indent = "  ".repeat(depth + 1);
    match value {
        Value::Array(items) => {
            out.push('[');
            let all = items.len();
            let cut = |i: usize| long && i >= FIRST && i < all - LAST;
            for (i, item) in items.iter().enumerate().filter(|(i, _)| !cut(*i)) {
                if long && i == all - LAST {
                    let crc = crc32fast::hash(line.as_bytes());
                    out.push_str(&format!(",\n{indent}\"({all} values, CRC-32 of all {crc:08x})\""));
                }
                out.push_str(if i == 0 { "\n" } else { ",\n" });
                out.push_str(&indent);
                write(item, depth + 1, out);
            }
            out.push_str(&format!("\n{}]", "  ".repeat(depth)));
        }
        Value::Object(fields) => {
            out.push('{');
            for (i, (key, field)) in fields.iter().enumerate() {
                out.push_str(if i == 0 { "\n" } else { ",\n" });
                out.push_str(&format!("{indent}{}: ", Value::from(key.as_str())));
                write(field, depth + 1, out);
            }
            out.push_str(&format!("\n{}}}", "  ".repeat(depth)));
        }
        _ => out.push_str(&line),
    }
}

#[test]
fn a_change_in_the_middle_of_a_long_list_shows() {
    let list = |other: usize| Value::from((0..1000).map(|i| if i == 500 { other } else { i }).collect::<Vec<_>>());
    let form = |list: Value| text(&serde_json::json!({"list": list}), Path::new("x"));
    assert_ne!(form(list(500)), form(list(501)));
    assert!(form(list(500)).lines().count() < 20);
}
