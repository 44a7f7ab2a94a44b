//! What a rule is, and what it says.

pub(crate) use lastgasp_diagnosis::RuleInfo;

pub(crate) use crate::callers::{Ask, Bound};
use crate::finding::Level;
pub(crate) use crate::meaning::case::Case;
use crate::syntax::FnId;
use crate::syntax::ast::Span;

/// What a rule has found, before it is a finding.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    /// Function; none at package level.
    pub(crate) func: Option<FnId>,
    /// File, where there is no function.
    pub(crate) file: usize,
    /// Where, in the function's file.
    pub(crate) span: Span,
    /// Level.
    pub(crate) level: Level,
    /// Sentence.
    pub(crate) sentence: String,
    /// Why, where it is another than the rule's.
    pub(crate) why: Option<String>,
    /// Cure, where it is another than the rule's.
    pub(crate) cure: Option<String>,
    /// What other packages of the module would have to say for it to be a hint.
    pub(crate) ask: Option<Ask>,
    /// File number, where, what.
    pub(crate) related: Vec<(usize, Span, String)>,
}

/// What one rule finds in one package.
pub(crate) struct Out {
    level: Level,
    pub(crate) reports: Vec<Report>,
}

impl Out {
    pub(crate) fn new(level: Level) -> Self {
        Self { level, reports: Vec::new() }
    }

    /// Something at a place of a function; the rule may say more of it.
    pub(crate) fn found(&mut self, func: FnId, span: Span, sentence: impl Into<String>) -> &mut Report {
        self.add(Some(func), 0, span, sentence.into())
    }

    /// Something at a place of a file that is in no function.
    pub(crate) fn found_in_file(&mut self, file: usize, span: Span, sentence: impl Into<String>) -> &mut Report {
        self.add(None, file, span, sentence.into())
    }

    fn add(&mut self, func: Option<FnId>, file: usize, span: Span, sentence: String) -> &mut Report {
        self.reports.push(Report {
            func,
            file,
            span,
            level: self.level,
            sentence,
            why: None,
            cure: None,
            ask: None,
            related: Vec::new(),
        });
        let last = self.reports.len() - 1;
        &mut self.reports[last]
    }
}

/// A rule: one file, and one page in `docs/rules`.
pub(crate) trait Rule {
    /// Code, title and page.
    const INFO: RuleInfo;
    /// Level of what it finds, unless it says otherwise.
    const LEVEL: Level;
    /// Whether it says something only where evidence shows that it costs: told when hints are asked for.
    const QUIET: bool = false;
    /// Why what it finds is believed.
    const WHY: &'static str;
    /// What to do.
    const CURE: &'static str;

    /// Looks at a package.
    fn check(case: &Case<'_>, out: &mut Out);
}
