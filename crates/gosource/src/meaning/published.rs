//! Names of what is loaded anew while a program runs.

/// Whether a name says that what it stands for is loaded anew while the program runs.
pub(crate) fn is_published(text: &str) -> bool {
    let lower = text.to_lowercase();
    ["conf", "cfg", "setting", "cache", "dict", "whitelist", "blacklist", ".load()"].iter().any(|w| lower.contains(w))
}
