//! What is the truth of a scenario, and what a verdict may say of it.

use serde::Deserialize;

use super::quantity::Span;

/// Kinds of cause that a verdict knows, and `none`.
pub(super) const KINDS: [&str; 14] = [
    "config",
    "release",
    "code-path",
    "traffic",
    "dependency",
    "limit",
    "gc",
    "leak",
    "goroutine-leak",
    "off-heap",
    "node",
    "environment",
    "unknown",
    "none",
];

/// A name, or several of which each is right.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Names {
    /// Nothing is asked.
    #[default]
    Any,
    /// This one.
    One(String),
    /// One of these.
    Several(Vec<String>),
}

impl Names {
    /// All of them.
    #[must_use]
    pub fn all(&self) -> Vec<&str> {
        match self {
            Self::Any => Vec::new(),
            Self::One(name) => vec![name],
            Self::Several(names) => names.iter().map(String::as_str).collect(),
        }
    }

    /// Whether a text holds one of them, in whatever case; always, if nothing is asked.
    #[must_use]
    pub fn fit(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        let all = self.all();
        all.is_empty() || all.iter().any(|n| text.contains(&n.to_lowercase()))
    }
}

/// The truth.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Truth {
    /// Kind of the cause; `none`: nothing is to be found.
    pub kind: String,
    /// What the cause is called: one of these has to be in the verdict's key.
    #[serde(default)]
    pub key: Names,
    /// The action by its `id`, or a time, at which the cause began; empty: not asked.
    #[serde(default)]
    pub at: String,
    /// How far a verdict may be from it.
    #[serde(default = "tolerance")]
    pub within: Span,
    /// Other causes that are right too: the same thing said from another side, or the second of two.
    #[serde(default)]
    pub also: Vec<Accepted>,
    /// What the program does and no verdict may deny, for people.
    #[serde(default)]
    pub note: String,
    /// Whether nobody is killed.
    #[serde(default)]
    pub lives: bool,
}

fn tolerance() -> Span {
    Span::ms(8000)
}

/// Another cause that is right.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accepted {
    /// Kind.
    pub kind: String,
    /// As in the truth.
    #[serde(default)]
    pub key: Names,
    /// Only where a feed is masked: what can be known without it (`etcd`, `webhook`, `metrics`, `all`).
    #[serde(default)]
    pub without: Vec<String>,
}
