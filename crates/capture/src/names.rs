//! Names of files and folders that a capture and its store consist of.

/// The file that a capture must have for a report to be made from it.
pub const FACTS: &str = "facts.json.gz";
/// The file that holds memory of the target: user data, and as large as the target. It is never read whole.
pub const MEMORY: &str = "memory.core";
/// What a folder is called that is being removed.
pub(crate) const REMOVED: &str = ".removed-";
/// The file that makes a folder a capture.
pub const MANIFEST: &str = "manifest.json";
