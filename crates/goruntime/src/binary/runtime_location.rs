//! What discovery found out about a binary: the same for every process that runs it, so it can be remembered.
//! In the addresses of the file.

use std::collections::BTreeMap;
use std::hash::Hasher as _;

use lastgasp_inferior::ElfImage;
use rustc_hash::FxHasher;
use serde::{Deserialize, Serialize};

/// Where a Go runtime stands in its binary. Made by `Runtime::locate`; `Runtime::apply` believes nothing of
/// it that the process does not confirm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuntimeLocation {
    /// The Go minor whose rules and layout found it.
    pub minor: u16,
    /// Address of the main module's `moduledata`, as the file states it (no load bias).
    pub module_data: u64,
    /// Addresses of the runtime's variables by symbol name (`runtime.allglen`), as the file states them.
    pub variables: BTreeMap<String, u64>,
}

/// Names a binary: its build id, and a hash of what stands where in it. The build id alone would not do: Go
/// before 1.24 writes no GNU build id, rules_go links every program with the Go build id "redacted", and
/// garble with none.
#[must_use]
pub fn binary_key(image: &ElfImage) -> String {
    let go_note = image.section(".note.go.buildid").and_then(|s| image.section_head(s, 4096).ok()).unwrap_or_default();
    let mut hash = FxHasher::default();
    hash.write(image.build_id().unwrap_or_default().as_bytes());
    hash.write(&go_note);
    hash.write_u64(image.state().len);
    for s in image.sections() {
        hash.write(s.name.as_bytes());
        for word in [s.range.start.0, s.range.end.0, s.file_offset.unwrap_or(u64::MAX)] {
            hash.write_u64(word);
        }
    }
    for range in image.load_ranges(false).into_iter().chain(image.load_ranges(true)) {
        hash.write_u64(range.start.0);
        hash.write_u64(range.end.0);
    }
    let id =
        image.build_id().map_or_else(|| if go_note.is_empty() { "none" } else { "go" }, |b| b.get(..40).unwrap_or(b));
    format!("{id}-{:016x}", hash.finish())
}
