//! What is going on, said at least every few seconds: who waits must see that something moves.

use std::io::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Longest silence. The promise is five seconds.
const SILENCE: Duration = Duration::from_secs(3);

/// A clock that says, whenever nothing was said for a while, what still goes on. Silent once dropped.
#[derive(Debug)]
pub struct Progress {
    began: Instant,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    said: Instant,
    /// What goes on side by side: (what, how far).
    doing: Vec<(&'static str, String)>,
    ended: bool,
}

impl Progress {
    /// Starts the clock.
    #[must_use]
    pub fn start() -> Self {
        Self::since(Duration::ZERO)
    }

    /// Goes on with a clock that another program has started so long ago.
    #[must_use]
    pub fn since(passed: Duration) -> Self {
        let began = Instant::now().checked_sub(passed).unwrap_or_else(Instant::now);
        let state = Arc::new(Mutex::new(State { said: Instant::now(), doing: Vec::new(), ended: false }));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            loop {
                std::thread::sleep(Duration::from_millis(200));
                let mut state = lock(&shared);
                if state.ended {
                    return;
                }
                if state.said.elapsed() >= SILENCE
                    && let Some(line) = summary(&state.doing)
                {
                    print(began, &mut state, &line);
                }
            }
        });
        Self { began, state }
    }

    /// Says something now.
    pub fn say(&self, line: &str) {
        print(self.began, &mut lock(&self.state), line);
    }

    /// Something begins, or is further than it was; said when there is nothing else to say.
    pub fn set(&self, what: &'static str, how_far: impl Into<String>) {
        let mut state = lock(&self.state);
        let how_far = how_far.into();
        match state.doing.iter_mut().find(|(w, _)| *w == what) {
            Some(entry) => entry.1 = how_far,
            None => state.doing.push((what, how_far)),
        }
    }

    /// Something is done.
    pub fn done(&self, what: &'static str, line: &str) {
        let mut state = lock(&self.state);
        state.doing.retain(|(w, _)| *w != what);
        print(self.began, &mut state, line);
    }

    /// Since the start.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        lock(&self.state).ended = true;
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn print(began: Instant, state: &mut State, line: &str) {
    state.said = Instant::now();
    // Where nobody listens any more there is nothing to be done.
    let _ = writeln!(std::io::stderr(), "[{:3} s] {line}", began.elapsed().as_secs());
}

/// One line of all that goes on; `None` if nothing does.
fn summary(doing: &[(&'static str, String)]) -> Option<String> {
    let parts = doing.iter().map(|(what, far)| if far.is_empty() { (*what).into() } else { format!("{what}: {far}") });
    let line = parts.collect::<Vec<String>>().join("; ");
    (!line.is_empty()).then_some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_on_is_one_line() {
        assert_eq!(summary(&[]), None);
        let doing = [("building lastgasp", "12 crates".into()), ("finding Go", String::new())];
        assert_eq!(summary(&doing).unwrap(), "building lastgasp: 12 crates; finding Go");
    }

    #[test]
    fn what_is_done_is_not_said_again() {
        let p = Progress::start();
        p.set("a", "1");
        p.set("b", "");
        p.set("a", "2");
        assert_eq!(lock(&p.state).doing, [("a", "2".to_owned()), ("b", String::new())]);
        p.done("a", "a is done");
        assert_eq!(lock(&p.state).doing, [("b", String::new())]);
    }
}
