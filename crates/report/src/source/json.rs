//! The JSON of a check: `docs/formats/check.md`.

use serde_json::{Value, json};

use super::{CheckView, by_level};

/// The document `lastgasp.check/1`.
#[must_use]
pub fn check_json(view: &CheckView<'_>) -> Value {
    let checked = view.checked;
    let [tests, platforms, vendor] = view.not_read;
    let mut levels = serde_json::Map::new();
    for (level, count) in by_level(view.shown) {
        levels.insert(level.word().to_owned(), count.into());
    }
    json!({
        "schema": "lastgasp.check/1",
        "findings": view.shown,
        "gaps": checked.gaps,
        "summary": {
            "packages": checked.packages,
            "files": checked.files,
            "lines": checked.lines,
            "findings": levels,
            "hints_left_out": view.hints_left_out,
            "in_baseline": view.in_baseline,
            "suppressed": checked.suppressed,
            "generated_files": checked.generated,
            "test_files_left_out": tests,
            "files_of_other_platforms": platforms,
            "vendor_folders_left_out": vendor,
        },
    })
}
