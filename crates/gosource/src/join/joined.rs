//! Allocation sites with their reasons, ranked as the profile ranks them.

use std::collections::BTreeMap;

use lastgasp_diagnosis::facts::{Amount, Frame};

use super::advice::{Advice, Case, advise};
use super::evidence::{Allocated, Stack};
use super::explain::{Explained, Index, Unexplained};
use super::names::Function;
use super::outdated::{minor, note};
use super::places::{Line, Places};
use super::source::{Mismatch, Sources};
use crate::escapes::{Reason, Subject, Text};

/// What is asked: which lines of which packages the compiler is to be asked of.
#[derive(Clone, Debug, Default)]
pub struct Question {
    /// Import paths of packages that are to be compiled, sorted.
    pub packages: Vec<String>,
    lines: rustc_hash::FxHashSet<Line>,
}

/// Frames of a stack whose packages are asked: what was inlined into what stands in the first few.
const ASKED_FRAMES: usize = 6;
/// Frames of a stack whose lines are kept of the compiler's text.
const KEPT_FRAMES: usize = 16;
/// Share of the bytes for whose packages the compiler is asked: of the rest each package costs its
/// compilation and no site of it matters.
const ASKED_SHARE: f64 = 0.999;

impl Question {
    /// What to ask about a process's allocations.
    #[must_use]
    pub fn of(allocated: &Allocated, places: &Places) -> Self {
        let mut question = Self::default();
        let mut stacks: Vec<&Stack> = allocated.stacks.iter().collect();
        stacks.sort_by_key(|s| std::cmp::Reverse(s.allocated.bytes));
        let total = allocated.total().bytes as f64;
        let mut so_far = 0.0;
        let mut packages = std::collections::BTreeSet::new();
        for stack in stacks {
            let lines = stack.frames.iter().take(KEPT_FRAMES).map(|f| places.of_frame(f));
            for (depth, line) in lines.enumerate() {
                if so_far <= total * ASKED_SHARE && depth < ASKED_FRAMES && !is_never_compiled(&line.package) {
                    packages.insert(line.package.clone());
                }
                question.lines.insert(line);
            }
            so_far += stack.allocated.bytes as f64;
        }
        question.packages = packages.into_iter().collect();
        question
    }

    /// Whether a line is one of those that are asked about.
    #[must_use]
    pub fn has(&self, line: &Line) -> bool {
        self.lines.contains(line)
    }
}

/// Of the runtime itself the compiler's text is of no use, and it takes long.
fn is_never_compiled(package: &str) -> bool {
    package.is_empty() || package == "main" || package == "runtime" || package.starts_with("internal/runtime/")
}

/// Sites, the most bytes first, and how much of it is explained.
#[derive(Clone, Debug, Default)]
pub struct Joined {
    /// By line of the innermost call.
    pub sites: Vec<JoinedSite>,
    /// What it covers.
    pub coverage: Coverage,
}

/// How much of what was allocated has a reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// All.
    pub total: Amount,
    /// With a reason that the compiler gives.
    pub by_compiler: Amount,
    /// With growth at run time for a reason.
    pub by_run_time: Amount,
    /// Of lines that are not those of this source.
    pub of_another_version: Amount,
}

impl Coverage {
    /// Share of the bytes that have a reason; 1 where nothing was allocated.
    #[must_use]
    pub fn share(&self) -> f64 {
        if self.total.bytes == 0 {
            return 1.0;
        }
        (self.by_compiler.bytes as f64 + self.by_run_time.bytes as f64) / self.total.bytes as f64
    }
}

/// A line that allocates.
#[derive(Clone, Debug, PartialEq)]
pub struct JoinedSite {
    /// The frame as the profile has it.
    pub frame: Frame,
    /// The same, the same however it is spelled.
    pub at: Line,
    /// The file on this machine, where it is known.
    pub path: Option<String>,
    /// The line's text, if it is the one that is meant.
    pub source: Option<String>,
    /// Whether it is in code that can be changed.
    pub is_own: bool,
    /// Allocated.
    pub allocated: Amount,
    /// Allocated in the seconds that rates are reckoned of.
    pub lately: Amount,
    /// In use.
    pub in_use: Amount,
    /// Share of all bytes, which is its share of the collector's cycles: they come by bytes allocated.
    pub share: f64,
    /// Why, the most bytes first: a line may allocate for other reasons in another function that it was
    /// inlined into.
    pub reasons: Vec<Reasoned>,
    /// Why not, of what has none, with its bytes.
    pub unexplained: Vec<(Unexplained, Amount)>,
    /// What to do.
    pub advice: Advice,
    /// What of the usual advice is out of date for that toolchain.
    pub note: Option<String>,
    /// The nearest call in code that can be changed, if the line itself is not in such; most bytes go by it.
    pub caller: Option<Frame>,
}

/// A reason, with what is allocated for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reasoned {
    /// Why.
    pub explained: Explained,
    /// What is allocated so.
    pub amount: Amount,
    /// The call that it was inlined into, if it was.
    pub inlined_into: Option<Frame>,
}

#[derive(Default)]
struct Gathered<'a> {
    stacks: Vec<(&'a Stack, Vec<Line>)>,
    allocated: Amount,
}

/// Joins what was allocated to what the compiler said.
#[must_use]
pub fn join(allocated: &Allocated, text: &Text, places: &Places, sources: &Sources, toolchain: &str) -> Joined {
    let index = Index::new(text, places, sources);
    let total = allocated.total();
    let mut by_line: BTreeMap<(&str, &str, u32), Gathered<'_>> = BTreeMap::new();
    for stack in &allocated.stacks {
        let Some(leaf) = stack.frames.first() else { continue };
        let lines = stack.frames.iter().take(KEPT_FRAMES).map(|f| places.of_frame(f)).collect();
        let gathered = by_line.entry((&leaf.function, &leaf.file, leaf.line)).or_default();
        gathered.allocated = gathered.allocated.plus(stack.allocated);
        gathered.stacks.push((stack, lines));
    }
    let mut joined = Joined { coverage: Coverage { total, ..Coverage::default() }, ..Joined::default() };
    let version = if toolchain.is_empty() { &allocated.go_version } else { toolchain };
    for gathered in by_line.into_values() {
        if let Some(site) = one(&gathered, &index, places, sources, minor(version), &mut joined.coverage) {
            joined.sites.push(site);
        }
    }
    // As pprof ranks: by bytes; of equal ones by name.
    joined.sites.sort_by(|a, b| b.allocated.bytes.cmp(&a.allocated.bytes).then_with(|| a.frame.cmp(&b.frame)));
    joined
}

fn one(
    gathered: &Gathered<'_>,
    index: &Index<'_>,
    places: &Places,
    sources: &Sources,
    minor: u16,
    coverage: &mut Coverage,
) -> Option<JoinedSite> {
    let (first, lines) = gathered.stacks.first()?;
    let (frame, at) = (first.frames.first()?.clone(), lines.first()?.clone());
    let path = index.path(&frame, &at);
    let source = path.as_ref().and_then(|p| sources.line(p, at.line, &Function::parse(&frame.function)).ok());
    let is_own = is_own(places, &at, &frame);
    let (mut lately, mut in_use) = (Amount::default(), Amount::default());
    let mut reasons: Vec<Reasoned> = Vec::new();
    let mut unexplained: Vec<(Unexplained, Amount)> = Vec::new();
    let mut sizes: BTreeMap<u64, u64> = BTreeMap::new();
    let mut callers: BTreeMap<Frame, u64> = BTreeMap::new();
    for (stack, lines) in &gathered.stacks {
        lately = lately.plus(stack.lately);
        in_use = in_use.plus(stack.in_use);
        if stack.size > 0 {
            *sizes.entry(stack.size).or_default() += stack.allocated.objects;
        }
        let own = stack.frames.iter().zip(lines).skip(1).find(|(f, l)| self::is_own(places, l, f));
        if let Some((frame, _)) = own {
            *callers.entry(frame.clone()).or_default() += stack.allocated.bytes;
        }
        let mean = stack.allocated.bytes / stack.allocated.objects.max(1);
        match index.explain(&stack.frames, lines, mean) {
            Ok(explained) => {
                let sum = match explained.allocation.is_some() {
                    true => &mut coverage.by_compiler,
                    false => &mut coverage.by_run_time,
                };
                *sum = sum.plus(stack.allocated);
                let inlined_into =
                    (explained.compiled_in > 0).then(|| stack.frames.get(explained.compiled_in).cloned());
                let inlined_into = inlined_into.flatten();
                match reasons.iter_mut().find(|r| r.explained == explained && r.inlined_into == inlined_into) {
                    Some(known) => known.amount = known.amount.plus(stack.allocated),
                    None => reasons.push(Reasoned { explained, amount: stack.allocated, inlined_into }),
                }
            }
            Err(why) => {
                if matches!(&why, Unexplained::Mismatch(m) if m.is_of_another_version()) {
                    coverage.of_another_version = coverage.of_another_version.plus(stack.allocated);
                }
                match unexplained.iter_mut().find(|(known, _)| *known == why) {
                    Some((_, sum)) => *sum = sum.plus(stack.allocated),
                    None => unexplained.push((why, stack.allocated)),
                }
            }
        }
    }
    reasons.sort_by(|a, b| b.amount.bytes.cmp(&a.amount.bytes).then_with(|| a.inlined_into.cmp(&b.inlined_into)));
    unexplained.sort_by_key(|(_, sum)| std::cmp::Reverse(sum.bytes));
    let main = reasons.first().map(|r| &r.explained);
    let subject = main.and_then(|e| e.allocation.as_ref()).map(|a| Subject::of(&a.subject, a.is_variable));
    let share = gathered.allocated.bytes as f64 / coverage.total.bytes.max(1) as f64;
    let sizes: Vec<_> = sizes.into_iter().collect();
    let advice = match main {
        Some(explained) => advise(&Case {
            reason: explained.reason,
            subject,
            is_own,
            allocated: gathered.allocated,
            share,
            in_use,
            sizes: &sizes,
        }),
        None => Advice {
            cure: super::advice::Cure::Leave,
            sentence: "why it is on the heap is not known, so nothing is advised".to_owned(),
            saves: None,
        },
    };
    let note = main.and_then(|e| note(minor, e.reason, subject));
    let caller = if is_own { None } else { callers.into_iter().max_by_key(|(_, bytes)| *bytes).map(|(f, _)| f) };
    Some(JoinedSite {
        frame,
        at,
        path: path.map(|p| p.display().to_string()),
        source,
        is_own,
        allocated: gathered.allocated,
        lately,
        in_use,
        share,
        reasons,
        unexplained,
        advice,
        note,
        caller,
    })
}

/// Whether a frame is in code that can be changed. Where nobody knows the packages: not of the standard
/// library and not of the module cache, by its name.
fn is_own(places: &Places, at: &Line, frame: &Frame) -> bool {
    match places.packages().of_path(&at.package) {
        Some(package) => package.is_own(),
        None if places.packages().is_empty() => {
            let is_standard =
                !at.package.split('/').next().is_some_and(|host| host.contains('.')) && at.package != "main";
            !is_standard
                && !frame.file.contains("/pkg/mod/")
                && !frame.file.contains('@')
                && !frame.file.contains("/vendor/")
        }
        None => at.package == "main",
    }
}

impl JoinedSite {
    /// The reason of most of its bytes.
    #[must_use]
    pub fn reason(&self) -> Option<Reason> {
        self.reasons.first().map(|r| r.explained.reason)
    }

    /// Why there is no reason, of most of the bytes that have none.
    #[must_use]
    pub fn why_not(&self) -> Option<&Unexplained> {
        self.unexplained.first().map(|(why, _)| why)
    }
}

impl Unexplained {
    /// In words, of a line.
    #[must_use]
    pub fn words(&self, at: &Line, function: &str) -> String {
        match self {
            Self::NoStack => "the profile has no call of it but the runtime's own".to_owned(),
            Self::Mismatch(m) => m.words(&at.file, at.line, function),
            Self::NotCompiled => format!("nothing was compiled of {}", at.package),
            Self::NothingThere => "neither the compiler nor the line says what allocates here".to_owned(),
        }
    }

    /// Its name in documents.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoStack => "no-stack",
            Self::Mismatch(Mismatch::NoFile) => "no-file",
            Self::Mismatch(_) => "another-version",
            Self::NotCompiled => "not-compiled",
            Self::NothingThere => "nothing-there",
        }
    }
}
