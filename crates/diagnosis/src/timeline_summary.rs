//! The timeline as a report shows it: thinned out, with the onset and the capture among its events.

use crate::facts::{Event, Facts, Sample};
use crate::window::Window;

/// Most samples.
const MAX_SAMPLES: usize = 1200;

/// Samples, oldest first. The last ones are the story; older ones are thinned.
pub fn thinned(samples: &[Sample]) -> impl Iterator<Item = &Sample> {
    let step = samples.len().div_ceil(MAX_SAMPLES).max(1);
    let last = samples.len().saturating_sub(1);
    samples.iter().enumerate().filter(move |(i, _)| (last - i).is_multiple_of(step)).map(|(_, s)| s)
}

/// Events of the watch with the onset of the growth and the capture itself, oldest first.
#[must_use]
pub fn events(facts: &Facts, window: Option<&Window>) -> Vec<Event> {
    let event = |t_ms, kind: &str, text: &str| Event { t_ms, kind: kind.to_owned(), text: text.to_owned() };
    let mut out = facts.timeline.events.clone();
    out.extend(window.map(|w| event(w.onset_ms, "onset", "memory begins to grow")));
    out.push(event(facts.capture.t_ms, "capture", "this capture"));
    out.sort_by_key(|e| e.t_ms);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_sample_is_always_shown() {
        let sample = |t_ms| Sample { t_ms, ..Sample::default() };
        for n in [0, 1, 1200, 1201, 5000] {
            let all: Vec<Sample> = (0..n).map(sample).collect();
            let shown: Vec<&Sample> = thinned(&all).collect();
            assert!(shown.len() <= MAX_SAMPLES && shown.last().copied() == all.last(), "{n}: {}", shown.len());
        }
    }

    #[test]
    fn the_onset_and_the_capture_are_events() {
        let mut facts = Facts::default();
        facts.capture.t_ms = 5;
        facts.timeline.events.push(Event { t_ms: 9, kind: "exit".into(), text: String::new() });
        let window = Window { onset_ms: 3, ..Window::default() };
        let kinds: Vec<String> = events(&facts, Some(&window)).into_iter().map(|e| e.kind).collect();
        assert_eq!(kinds, ["onset", "capture", "exit"]);
    }
}
