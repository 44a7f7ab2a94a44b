//! Goroutines as Go prints them (`debug=2`), and how a capture's `goroutines.txt` agrees with what the
//! program printed just before and just after.

use std::collections::{BTreeMap, BTreeSet};

/// A goroutine: what can be compared of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Goroutine {
    /// `chan receive`, `running`; without how long, without `locked to thread`.
    pub state: String,
    /// `function file:line`, innermost first; the creator last, with its number where the text has it.
    pub frames: Vec<String>,
    /// Whether it is locked to its thread.
    pub locked: bool,
    /// Whether Go left out frames in the middle (more than 100).
    pub elided: bool,
}

impl Goroutine {
    /// As it is but for who created it: what many goroutines have in common.
    fn shape(&self) -> Self {
        let mut shape = self.clone();
        if let Some(last) = shape.frames.last_mut()
            && let Some((creator, rest)) = last.split_once(" in goroutine ")
        {
            *last = format!("{creator} {}", rest.split_once(' ').map_or("", |(_, place)| place));
        }
        shape
    }

    /// Whether it stands still until somebody wakes it.
    #[must_use]
    pub fn is_parked(&self) -> bool {
        !matches!(self.state.as_str(), "running" | "runnable" | "syscall" | "copystack" | "preempted")
    }
}

/// Reads the text of `debug=2`: by number.
#[must_use]
pub fn parse(text: &str) -> BTreeMap<u64, Goroutine> {
    text.split("\n\n").filter_map(one).collect()
}

fn one(block: &str) -> Option<(u64, Goroutine)> {
    let mut lines = block.trim_start_matches('\n').lines();
    let head = lines.next()?.strip_prefix("goroutine ")?;
    let (number, rest) = head.split_once(' ')?;
    let inside = rest.get(rest.find('[')? + 1..rest.rfind(']')?)?;
    let mut parts = inside.split(", ");
    let state = parts.next()?.to_owned();
    let mut g = Goroutine { state, frames: Vec::new(), locked: inside.contains("locked to thread"), elided: false };
    while let Some(call) = lines.next() {
        if call.starts_with("...") {
            g.elided = true;
            continue;
        }
        let function = if call.starts_with("created by ") { call } else { without_arguments(call) };
        // `\t/path/file.go:12 +0x3f`: the offset is not compared.
        let place = lines.next().unwrap_or_default().trim_start();
        let place = place.rsplit_once(" +0x").map_or(place, |(p, _)| p);
        g.frames.push(format!("{function} {place}"));
    }
    Some((number.parse().ok()?, g))
}

/// `net/http.(*conn).serve(0xc000, {0x1, 0x2})` without its last parentheses.
fn without_arguments(call: &str) -> &str {
    if !call.ends_with(')') {
        return call;
    }
    let mut depth = 0usize;
    for (i, c) in call.char_indices().rev() {
        match c {
            ')' => depth += 1,
            '(' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return call.get(..i).unwrap_or(call);
                }
            }
            _ => {}
        }
    }
    call
}

/// How a capture agrees with the program's two answers around it.
#[derive(Clone, Debug, Default)]
pub struct Agreement {
    /// Goroutines that were parked with the same stack before and after.
    pub compared: usize,
    /// Those that the capture shows in the same state with the same frames.
    pub same: Vec<Goroutine>,
    /// Those that the capture shows elsewhere: they may have moved and come back.
    pub moved: Vec<(u64, Goroutine, Goroutine)>,
    /// Those that the capture does not have.
    pub missing: Vec<(u64, Goroutine)>,
}

/// Compares one capture.
#[must_use]
pub fn compare(
    before: &BTreeMap<u64, Goroutine>,
    after: &BTreeMap<u64, Goroutine>,
    ours: &BTreeMap<u64, Goroutine>,
) -> Agreement {
    let mut out = Agreement::default();
    for (id, g) in before {
        if !g.is_parked() || g.elided || after.get(id) != Some(g) {
            continue;
        }
        out.compared += 1;
        match ours.get(id) {
            Some(o) if o == g => out.same.push(g.clone()),
            Some(o) => out.moved.push((*id, g.clone(), o.clone())),
            None => out.missing.push((*id, g.clone())),
        }
    }
    out
}

/// After so many comparisons a shape that was never equal is wrong, not late.
const ENOUGH: usize = 4;

/// What the rounds together have shown.
#[derive(Clone, Debug, Default)]
pub struct Rounds {
    /// How often a goroutine of this shape was compared, and found equal.
    shapes: BTreeMap<Goroutine, (usize, usize)>,
    /// Every shape that the program itself has printed.
    printed: BTreeSet<Goroutine>,
    /// Those seen elsewhere.
    moved: Vec<(u64, Goroutine, Goroutine)>,
    /// Those not seen.
    missing: Vec<(u64, Goroutine)>,
    /// Sum over the rounds.
    pub compared: usize,
    /// Sum over the rounds.
    pub equal: usize,
    /// Equal and compared in the round in which most were equal in proportion.
    pub best: (usize, usize),
}

impl Rounds {
    /// Adds one.
    pub fn add(
        &mut self,
        before: &BTreeMap<u64, Goroutine>,
        after: &BTreeMap<u64, Goroutine>,
        ours: &BTreeMap<u64, Goroutine>,
    ) {
        let got = compare(before, after, ours);
        self.printed.extend(before.values().chain(after.values()).map(Goroutine::shape));
        let mut seen = |g: &Goroutine, equal: usize| {
            let n = self.shapes.entry(g.shape()).or_default();
            *n = (n.0 + 1, n.1 + equal);
        };
        got.same.iter().for_each(|g| seen(g, 1));
        got.moved.iter().for_each(|(_, g, _)| seen(g, 0));
        self.compared += got.compared;
        self.equal += got.same.len();
        let (equal, compared) = self.best;
        if compared == 0 || got.same.len() * compared > equal * got.compared {
            self.best = (got.same.len(), got.compared);
        }
        self.moved.extend(got.moved);
        self.missing.extend(got.missing);
    }

    /// One more answer of the program, without a capture: it may show what was only seen by us so far.
    pub fn hear(&mut self, answer: &BTreeMap<u64, Goroutine>) {
        self.printed.extend(answer.values().map(Goroutine::shape));
    }

    /// What no movement of the program explains: a goroutine that is not there; one with another creator; one
    /// of a shape that was compared often enough and never equal.
    #[must_use]
    pub fn wrong(&self) -> Vec<String> {
        let missing = self
            .missing
            .iter()
            .map(|(id, g)| format!("goroutine {id} [{}] is not in the capture: {}", g.state, g.frames.join(" < ")));
        let differ = self.moved.iter().filter_map(|(id, said, ours)| {
            let (compared, equal) = self.shapes.get(&said.shape()).copied().unwrap_or_default();
            if said.frames.last() != ours.frames.last() {
                Some(beside(*id, "with another beginning", said, ours))
            } else if equal == 0 && compared >= ENOUGH {
                Some(beside(*id, "of a shape that was often compared and never equal", said, ours))
            } else {
                None
            }
        });
        missing.chain(differ).collect()
    }

    /// Goroutines that we saw parked on their way, where the program itself has not shown one (yet): of
    /// places where they hardly ever wait.
    #[must_use]
    pub fn unconfirmed(&self) -> Vec<String> {
        let new = |g: &Goroutine| g.is_parked() && !self.printed.contains(&g.shape());
        let moved = self.moved.iter().filter(|(_, _, ours)| new(ours));
        moved.map(|(id, said, ours)| beside(*id, "parked where the program has not shown one", said, ours)).collect()
    }
}

fn beside(id: u64, what: &str, said: &Goroutine, ours: &Goroutine) -> String {
    let text = |g: &Goroutine| format!("[{}]\n    {}", g.state, g.frames.join("\n    "));
    format!("goroutine {id}, {what}\n  the program: {}\n  lastgasp:    {}", text(said), text(ours))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "goroutine 7 [chan receive, 3 minutes, locked to thread]:\n\
        net/http.(*conn).serve(0xc000123, {0x1, {0x2, 0x3}})\n\t/go/http.go:12 +0x3f\n\
        main.f[...](...)\n\t/src/main.go:3\n\
        created by main.main in goroutine 1\n\t/src/main.go:9 +0x1\n\n\
        goroutine 9 [running]:\nmain.g()\n\t/src/main.go:4 +0x1\n";

    #[test]
    fn reads_what_go_prints() {
        let got = parse(TEXT);
        let g = &got[&7];
        assert_eq!(g.state, "chan receive");
        assert!(g.locked && g.is_parked() && !got[&9].is_parked());
        assert_eq!(
            g.frames,
            [
                "net/http.(*conn).serve /go/http.go:12",
                "main.f[...] /src/main.go:3",
                "created by main.main in goroutine 1 /src/main.go:9"
            ]
        );
    }

    #[test]
    fn a_wrong_line_is_not_explained_away() {
        let said = parse(TEXT);
        let mut ours = said.clone();
        let mut rounds = Rounds::default();
        rounds.add(&said, &said, &ours);
        assert_eq!((rounds.best, rounds.unconfirmed().len(), rounds.wrong().len()), ((1, 1), 0, 0));
        ours.get_mut(&7).unwrap().frames[0] = "net/http.(*conn).serve /go/http.go:13".into();
        rounds.add(&said, &said, &ours);
        assert_eq!((rounds.equal, rounds.compared, rounds.unconfirmed().len(), rounds.wrong().len()), (1, 2, 1, 0));
        // On its way: the program never shows it parked there, but it may run.
        ours.get_mut(&7).unwrap().state = "running".into();
        let mut moving = Rounds::default();
        moving.add(&said, &said, &said);
        moving.add(&said, &said, &ours);
        assert!(moving.unconfirmed().is_empty());
        // Parked elsewhere, until the program shows it there itself.
        ours.get_mut(&7).unwrap().state = "select".into();
        moving.add(&said, &said, &ours);
        assert_eq!(moving.unconfirmed().len(), 1);
        moving.hear(&ours);
        assert!(moving.unconfirmed().is_empty() && moving.wrong().is_empty());
        ours.remove(&7);
        moving.add(&said, &said, &ours);
        assert_eq!(moving.wrong().len(), 1);
    }

    #[test]
    fn what_is_never_equal_is_wrong() {
        let said = parse(TEXT);
        let mut ours = said.clone();
        ours.get_mut(&7).unwrap().frames.remove(0);
        let mut rounds = Rounds::default();
        (0..ENOUGH).for_each(|_| rounds.add(&said, &said, &ours));
        assert_eq!(rounds.wrong().len(), ENOUGH);
    }
}
