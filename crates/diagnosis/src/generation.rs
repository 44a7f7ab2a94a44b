//! The process of the same service that died before this one began, as far as it tells cause from
//! consequence: when its memory began to grow, and whether goroutines had piled up by then. Pure.

use crate::facts::{Facts, GenerationBefore};
use crate::goroutine_verdicts::Onsets;
use crate::growth::Growth;
use crate::sentence::{RESTED_SECONDS, rested};
use crate::window::window;

impl GenerationBefore {
    /// That of a process with these facts, which died; `None` where it is not known when, or whether its
    /// memory grew. What was never seen at rest has no beginning.
    #[must_use]
    pub fn of(facts: &Facts) -> Option<Self> {
        let w = window(facts)?;
        let counted = || facts.timeline.samples.iter().filter(|s| s.goroutines > 0);
        let at_onset = counted().rev().find(|s| s.t_ms <= w.onset_ms)?.goroutines;
        let at_end = counted().next_back()?.goroutines;
        let was_at_rest = rested(facts, &w).is_some_and(|seconds| seconds >= RESTED_SECONDS);
        let no_pile = match Onsets::of(facts, Some(&w)) {
            Some(onsets) => onsets.consequence,
            // Fewer than makes a pile, or they had come and stayed long before.
            None => at_end.saturating_sub(at_onset) < at_onset.max(Onsets::LEAST),
        };
        Some(Self {
            pid: facts.target.pid,
            build_id: facts.target.build_id.clone(),
            memory_unix_ms: facts.unix_ms(w.onset_ms).filter(|_| was_at_rest),
            died_unix_ms: facts.unix_ms(facts.capture.t_ms)?,
            goroutines_at_onset: at_onset,
            goroutines_at_end: at_end,
            memory_first: was_at_rest && no_pile,
            culprit: Growth::of(facts).culprit.map(|c| c.frame.function),
        })
    }
}
