//! One rule per file. A rule is a pure function from facts to at most one finding.

use crate::facts::Facts;
use crate::finding::Finding;
use crate::growth::Growth;
use crate::window::Window;

mod goroutine_growth;
mod heap_growth;
mod outside_heap;
mod unprofiled_heap;

/// A rule.
pub(crate) type Rule = fn(&Facts, &Growth, Option<&Window>) -> Option<Finding>;

/// All rules.
pub(crate) const ALL: &[Rule] = &[heap_growth::rule, goroutine_growth::rule, outside_heap::rule, unprofiled_heap::rule];
