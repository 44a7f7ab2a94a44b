//! A compiler's text, read line by line: of a large service it is hundreds of megabytes, so what nobody asked
//! for is forgotten at once, and no line, flow or number of them is believed without bound.

use std::io::BufRead;

use rustc_hash::{FxHashMap, FxHashSet};

use super::message::{Message, Place};
use super::record::{Allocation, Flow, Inlined, Position, Stays};

/// How much of a text is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes of a line; what is behind them is skipped. Generics of generics make lines of a megabyte.
    pub line: usize,
    /// Records of each kind.
    pub records: usize,
    /// Flows that wait for their allocation to be named, in a package.
    pub waiting: usize,
    /// Flows of one allocation, and steps of one flow.
    pub of_one: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { line: 64 << 10, records: 1 << 20, waiting: 1 << 16, of_one: 32 }
    }
}

/// What is wanted of a text, by line of a file as the compiler prints it.
pub trait Wanted {
    /// Whether records of this place are kept. `package` is the heading before it.
    fn is_wanted(&self, package: &str, file: &str, line: u32) -> bool;
}

impl<F: Fn(&str, &str, u32) -> bool> Wanted for F {
    fn is_wanted(&self, package: &str, file: &str, line: u32) -> bool {
        self(package, file, line)
    }
}

/// What a text says of the places that were asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    /// Values on the heap, each once.
    pub allocations: Vec<Allocation>,
    /// Calls that were inlined.
    pub inlined: Vec<Inlined>,
    /// Values that stay on the stack.
    pub stays: Vec<Stays>,
    /// Packages that it has a heading of, in the order of the text.
    pub packages: Vec<String>,
    /// Files of which it has a line, by package and file: where a package stands.
    pub files: Vec<(String, String)>,
    /// Lines that are of the compiler's decisions.
    pub lines: u64,
    /// Lines of errors and anything else, the first few: what `go` says when it fails.
    pub others: Vec<String>,
    /// Why the rest was left out; `None` if all was read.
    pub stopped: Option<Stopped>,
}

/// Why some of a text was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// It has more records than are kept.
    TooMany,
    /// It could not be read on.
    Unreadable(String),
}

/// Lines of errors that are kept, and bytes of each.
const OTHERS: usize = 40;
const OTHER_BYTES: usize = 400;

/// Reads a text. Bytes that are no UTF-8 are replaced.
pub fn read(mut from: impl BufRead, wanted: &dyn Wanted, bounds: Bounds) -> Text {
    let mut state = State { bounds, ..State::new(wanted) };
    let mut line = Vec::new();
    loop {
        match bounded_line(&mut from, &mut line, bounds.line) {
            Ok(true) => state.line(String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r'])),
            Ok(false) => break,
            Err(e) => {
                state.text.stopped = Some(Stopped::Unreadable(e.to_string()));
                break;
            }
        }
    }
    state.text
}

/// The next line, of which at most so many bytes are kept; false at the end.
fn bounded_line(from: &mut impl BufRead, line: &mut Vec<u8>, most: usize) -> std::io::Result<bool> {
    line.clear();
    let mut any = false;
    loop {
        let chunk = match from.fill_buf() {
            Ok(chunk) => chunk,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(e),
        };
        if chunk.is_empty() {
            return Ok(any);
        }
        any = true;
        let end = chunk.iter().position(|&b| b == b'\n');
        let taken = end.map_or(chunk.len(), |at| at + 1);
        let room = most.saturating_sub(line.len()).min(taken);
        line.extend(chunk.iter().take(room));
        from.consume(taken);
        if end.is_some() {
            return Ok(true);
        }
    }
}

struct State<'a> {
    bounds: Bounds,
    wanted: &'a dyn Wanted,
    text: Text,
    package: String,
    /// Flows by the place and subject that they were printed for.
    waiting: FxHashMap<(Position, String), Vec<Flow>>,
    /// Which of them the lines that come now belong to.
    open: Option<(Position, String)>,
    seen: FxHashSet<(Position, String)>,
    seen_inlined: FxHashSet<Inlined>,
    seen_stays: FxHashSet<Stays>,
    seen_files: FxHashSet<(String, String)>,
    last_file: String,
}

impl<'a> State<'a> {
    fn new(wanted: &'a dyn Wanted) -> Self {
        Self {
            bounds: Bounds::default(),
            wanted,
            text: Text::default(),
            package: String::new(),
            waiting: FxHashMap::default(),
            open: None,
            seen: FxHashSet::default(),
            seen_inlined: FxHashSet::default(),
            seen_stays: FxHashSet::default(),
            seen_files: FxHashSet::default(),
            last_file: String::new(),
        }
    }

    fn line(&mut self, line: &str) {
        match Message::of(line) {
            Message::Package(path) => {
                self.package = path.to_owned();
                self.waiting.clear();
                self.open = None;
                self.last_file.clear();
                if self.text.packages.len() < self.bounds.records {
                    self.text.packages.push(path.to_owned());
                }
            }
            Message::Opens(at, subject) => {
                self.open = None;
                if self.wants(at) && self.waiting.len() < self.bounds.waiting {
                    let key = (at.owned(), subject.to_owned());
                    // Of a generic function each instance is told of: the last is as good as the first.
                    self.waiting.insert(key.clone(), Vec::new());
                    self.open = Some(key);
                }
            }
            Message::Flow(to, from) => {
                let most = self.bounds.of_one;
                if let Some(flows) = self.flows().filter(|f| f.len() < most) {
                    flows.push(Flow { to: to.to_owned(), from: from.to_owned(), steps: Vec::new() });
                }
            }
            Message::Step(step) => {
                let most = self.bounds.of_one;
                if let Some(flow) = self.flows().and_then(|f| f.last_mut()).filter(|f| f.steps.len() < most) {
                    flow.steps.push(step);
                }
            }
            Message::Escapes(at, subject) => self.allocation(at, subject, false),
            Message::Moved(at, name) => self.allocation(at, name, true),
            Message::Stays(at, subject) => {
                if self.wants(at) {
                    let stays = Stays { at: at.owned(), package: self.package.clone(), subject: subject.to_owned() };
                    if self.seen_stays.insert(stays.clone()) && self.has_room(self.text.stays.len()) {
                        self.text.stays.push(stays);
                    }
                }
            }
            Message::Inlined(at, callee) => {
                if self.wants(at) {
                    let call = Inlined { at: at.owned(), package: self.package.clone(), callee: callee.to_owned() };
                    if self.seen_inlined.insert(call.clone()) && self.has_room(self.text.inlined.len()) {
                        self.text.inlined.push(call);
                    }
                }
            }
            Message::OfParameter => self.open = None,
            Message::Other => self.other(line),
        }
    }

    /// Notes the file that a line is of, and whether somebody asked for it.
    fn wants(&mut self, at: Place<'_>) -> bool {
        self.text.lines += 1;
        if self.last_file != at.file {
            at.file.clone_into(&mut self.last_file);
            let file = (self.package.clone(), at.file.to_owned());
            if self.text.files.len() < self.bounds.records && self.seen_files.insert(file.clone()) {
                self.text.files.push(file);
            }
        }
        self.wanted.is_wanted(&self.package, at.file, at.line)
    }

    fn has_room(&mut self, length: usize) -> bool {
        let has_room = length < self.bounds.records;
        if !has_room {
            self.text.stopped = Some(Stopped::TooMany);
        }
        has_room
    }

    fn flows(&mut self) -> Option<&mut Vec<Flow>> {
        self.waiting.get_mut(self.open.as_ref()?)
    }

    fn allocation(&mut self, at: Place<'_>, subject: &str, is_variable: bool) {
        if !self.wants(at) {
            return;
        }
        let mut key = (at.owned(), subject.to_owned());
        if subject == "append" {
            // Its flows are told of the whole expression.
            let of_it = |k: &&(Position, String)| k.0 == key.0 && k.1.starts_with("append(");
            if let Some(whole) = self.waiting.keys().find(of_it).cloned() {
                key = whole;
            }
        }
        if self.seen.contains(&key) || !self.has_room(self.text.allocations.len()) {
            return;
        }
        let flows = self.waiting.get(&key).cloned().unwrap_or_default();
        let (at, subject) = key.clone();
        self.seen.insert(key);
        self.text.allocations.push(Allocation { at, package: self.package.clone(), subject, is_variable, flows });
    }

    fn other(&mut self, line: &str) {
        // Of what the compiler decides much is of no use here; what `go` says of errors is to be seen.
        let of_decisions = [
            "can inline ",
            "cannot inline ",
            "leaking param",
            "closure capturing",
            "capturing by",
            "devirtualizing",
            "ignoring self-assignment",
            "does not escape",
            "func literal",
            "mark inlined",
            "hidden",
            "zero-copy",
            "PGO",
            "live at",
            "index bounds check",
            "Found Is",
        ];
        if of_decisions.iter().any(|w| line.contains(w)) || line.trim().is_empty() {
            return;
        }
        if self.text.others.len() < OTHERS {
            self.text.others.push(line.chars().take(OTHER_BYTES).collect());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
# example.com/esc
./main.go:20:6: can inline returned with cost 12 as: func() *T { t := T{...}; return &t }
./main.go:17:18: parameter t leaks to {heap} with derefs=0:
./main.go:17:18:   flow: {heap} = t:
./main.go:17:18:     from i.last = t (assign) at ./main.go:17:33
./main.go:20:2: t escapes to heap:
./main.go:20:2:   flow: ~r0 = &t:
./main.go:20:2:     from &t (address-of) at ./main.go:21:9
./main.go:20:2:     from return &t (return) at ./main.go:21:2
./main.go:24:31: &T{...} escapes to heap:
./main.go:24:31:   flow: ~r0 = &{storage for &T{...}}:
./main.go:24:31:     from &T{...} (spill) at ./main.go:24:31
./main.go:20:2: moved to heap: t
./main.go:24:31: &T{...} escapes to heap
./main.go:24:31: &T{...} escapes to heap
./main.go:27:12: inlining call to small
./main.go:55:11: make([]byte, n) does not escape
./main.go:99:2: undefined: nothing
";

    #[test]
    fn an_allocation_has_the_flow_that_was_printed_for_it() {
        let text = read(TEXT.as_bytes(), &|_: &str, _: &str, _: u32| true, Bounds::default());
        let of: Vec<_> =
            text.allocations.iter().map(|a| (a.subject.as_str(), a.is_variable, a.flows.len(), a.at.line)).collect();
        assert_eq!(of, [("t", true, 1, 20), ("&T{...}", false, 1, 24)]);
        assert_eq!(text.allocations[0].flows[0].steps[1].tag, "return");
        assert_eq!(text.allocations[0].package, "example.com/esc");
        assert_eq!(text.inlined[0].callee, "small");
        assert_eq!(text.stays[0].subject, "make([]byte, n)");
        assert_eq!(text.others, ["./main.go:99:2: undefined: nothing"]);
        assert_eq!(text.files, [("example.com/esc".to_owned(), "./main.go".to_owned())]);
    }

    #[test]
    fn what_nobody_asked_for_is_forgotten() {
        let text = read(TEXT.as_bytes(), &|_: &str, _: &str, line: u32| line == 24, Bounds::default());
        assert_eq!(text.allocations.len(), 1);
        assert!(text.inlined.is_empty() && text.stays.is_empty());
    }

    #[test]
    fn bounds_hold() {
        let bounds = Bounds { line: 32, records: 1, waiting: 1, of_one: 1 };
        let long = format!("{TEXT}{}\n./main.go:31:2: moved to heap: u\n", "x".repeat(1 << 20));
        let text = read(long.as_bytes(), &|_: &str, _: &str, _: u32| true, bounds);
        assert_eq!(text.allocations.len(), 1);
        assert_eq!(text.stopped, Some(Stopped::TooMany));
        assert!(text.allocations[0].flows.iter().all(|f| f.steps.len() <= 1));
    }
}
