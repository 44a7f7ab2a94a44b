//! Code, title and page of what a report can say: of a rule, and of a cause of blocked goroutines.

/// What is published of a rule or a cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleInfo {
    /// Code, as in `findings[].code`; never renamed.
    pub code: &'static str,
    /// What it finds, in a few words.
    pub title: &'static str,
    /// Its page, in Markdown.
    pub doc: &'static str,
}
