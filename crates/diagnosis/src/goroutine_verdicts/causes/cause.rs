//! The form of a cause: a code with its page, and a pure function from a blocked goroutine to what is said of
//! it.

use crate::rival::Rival;
pub(in super::super) use crate::rule_info::RuleInfo;

pub(in super::super) use super::super::scene::Scene;
use super::super::scene::Seen;
use super::super::verdict::{Holder, Sureness};
use super::super::wait_graph::Chain;

/// A blocked goroutine as the causes are asked about it.
pub(in super::super) struct Case<'a> {
    pub(in super::super) seen: Seen<'a>,
    /// Whom it waits for over locks; absent where it waits for none.
    pub(in super::super) chain: Option<Chain>,
}

/// What a cause says of a goroutine that it recognizes.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) struct Judged {
    /// The cause in a clause that stands behind `it waits for ...: `.
    pub(in super::super) clause: String,
    pub(in super::super) sureness: Sureness,
    pub(in super::super) holders: Vec<Holder>,
    pub(in super::super) rivals: Vec<Rival>,
}

impl Judged {
    /// A cause that nothing else would look like.
    pub(in super::super) fn sure(clause: impl Into<String>) -> Self {
        Self { clause: clause.into(), sureness: Sureness::Sure, holders: Vec::new(), rivals: Vec::new() }
    }

    pub(in super::super) fn with(mut self, sureness: Sureness, rivals: Vec<Rival>) -> Self {
        (self.sureness, self.rivals) = (sureness, rivals);
        self
    }

    pub(in super::super) fn held_by(mut self, holders: Vec<Holder>) -> Self {
        self.holders = holders;
        self
    }
}

/// A cause. It has no state.
pub(in super::super) trait Cause {
    /// Code, title and page.
    const INFO: RuleInfo;
    /// What would end it, for `{place}` where they wait.
    const CURE: &'static str;

    /// Whether it is why this goroutine is not woken.
    fn check(scene: &Scene<'_>, case: &Case<'_>) -> Option<Judged>;
}
