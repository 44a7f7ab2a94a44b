//! What a process allocated, by stack.

use lastgasp_diagnosis::Facts;
use lastgasp_diagnosis::facts::{Amount, Frame};

/// What a process allocated.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Allocated {
    /// By stack.
    pub stacks: Vec<Stack>,
    /// Seconds in which `Stack::lately` was allocated; `None` if that is not known.
    pub seconds: Option<f64>,
    /// Go version of the process; empty if it is not known.
    pub go_version: String,
    /// Share of processor time that its collector has taken, 0 to 1.
    pub collector_share: Option<f64>,
    /// Why it may be less than it seems, in plain words.
    pub gaps: Vec<String>,
}

/// An allocation stack.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stack {
    /// Calls, innermost first, inlined ones included.
    pub frames: Vec<Frame>,
    /// Allocated since the process started, or as far as the profile goes back.
    pub allocated: Amount,
    /// Allocated in the seconds that a rate is reckoned of.
    pub lately: Amount,
    /// In use.
    pub in_use: Amount,
    /// Bytes of each object; 0 where objects of several sizes are counted together.
    pub size: u64,
}

impl Allocated {
    /// Of a capture's facts. Rates are those since the baseline, where there is one that somebody saw some
    /// time ago: what went on in the end. Else they are those of the whole life.
    #[must_use]
    pub fn of_facts(facts: &Facts) -> Self {
        let since_baseline = facts.seconds_since_baseline().filter(|s| *s >= 0.1);
        let life = facts.target.age_ms.map(|ms| ms as f64 / 1e3).filter(|s| *s > 0.0);
        let frame = |at: &u32| facts.frames.get(*at as usize).cloned();
        let stacks = facts.profile.sites.iter().map(|site| Stack {
            frames: site.stack.iter().filter_map(frame).collect(),
            allocated: site.allocated,
            lately: if since_baseline.is_some() { site.since_baseline().0 } else { site.allocated },
            in_use: site.current,
            size: 0,
        });
        let mut gaps = Vec::new();
        if facts.profile.rate == 0 {
            gaps.push("the memory profile of that process is off: nothing is known of what it allocates".to_owned());
        }
        Self {
            stacks: stacks.collect(),
            seconds: since_baseline.or(life),
            go_version: facts.target.go_version.clone(),
            collector_share: facts.gc.cpu_share,
            gaps,
        }
    }

    /// All that was allocated.
    #[must_use]
    pub fn total(&self) -> Amount {
        self.stacks.iter().fold(Amount::default(), |sum, s| sum.plus(s.allocated))
    }
}
