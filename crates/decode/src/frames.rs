//! Functions, files and lines by index: a profile names the same frame thousands of times.

use std::collections::HashMap;

use lastgasp_diagnosis::facts::Frame;

/// Frames, each once, in the order in which they were first met.
#[derive(Default)]
pub(crate) struct Frames {
    pub(crate) list: Vec<Frame>,
    index: HashMap<lastgasp_goruntime::Frame, u32>,
    bytes: usize,
    /// Whether there were names for which there was no room.
    pub(crate) full: bool,
}

/// Bytes of all names of one capture: ten times what prometheus has in all its tables. A name may be 4 kB
/// long, and a profile names a hundred thousand.
pub(crate) const MAX_NAMES: usize = 16 << 20;

impl Frames {
    pub(crate) fn of(&mut self, f: &lastgasp_goruntime::Frame) -> u32 {
        if let Some(i) = self.index.get(f) {
            return *i;
        }
        self.bytes += f.bytes();
        if self.bytes > MAX_NAMES && f.bytes() > UNNAMED.len() {
            self.full = true;
            return self.of(&lastgasp_goruntime::Frame { function: UNNAMED.into(), file: String::new(), line: 0 });
        }
        let i = self.list.len() as u32;
        self.list.push(Frame { function: f.function.clone(), file: f.file.clone(), line: f.line });
        self.index.insert(f.clone(), i);
        i
    }
}

/// What a frame is called for whose name there was no room.
const UNNAMED: &str = "?";

/// Where every goroutine's stack ends: it says nothing, and pprof leaves it out (`allFrames` in
/// runtime/pprof/proto.go). Seen against real programs' own profiles (`cargo xtask real`).
pub(crate) fn is_bottom(f: &lastgasp_goruntime::Frame) -> bool {
    f.function == "runtime.goexit"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(function: &str, line: u32) -> lastgasp_goruntime::Frame {
        lastgasp_goruntime::Frame { function: function.into(), file: "a.go".into(), line }
    }

    #[test]
    fn a_frame_has_one_index() {
        let mut frames = Frames::default();
        let indices = [("f", 1), ("g", 1), ("f", 1), ("f", 2)].map(|(f, line)| frames.of(&frame(f, line)));
        assert_eq!(indices, [0, 1, 0, 2]);
        let of: Vec<_> = frames.list.iter().map(|f| (f.function.as_str(), f.line)).collect();
        assert_eq!(of, [("f", 1), ("g", 1), ("f", 2)]);
    }

    /// Names without end become one frame without a name.
    #[test]
    fn names_are_bounded_in_sum() {
        let mut frames = Frames::default();
        let long =
            |i: usize| lastgasp_goruntime::Frame { function: format!("{i}{}", "x".repeat(4090)), ..frame("", 1) };
        let all: Vec<u32> = (0..8000).map(|i| frames.of(&long(i))).collect();
        assert!(frames.full && frames.list.iter().map(|f| f.function.len()).sum::<usize>() <= MAX_NAMES);
        assert_eq!(frames.list[all[7999] as usize].function, UNNAMED);
        assert_eq!((all[7998], frames.of(&long(0))), (all[7999], 0));
    }

    #[test]
    fn goexit_alone_is_the_bottom() {
        for (function, bottom) in
            [("runtime.goexit", true), ("runtime.goexit0", false), ("runtime.main", false), ("main.goexit", false)]
        {
            assert_eq!(is_bottom(&frame(function, 1)), bottom, "{function}");
        }
    }
}
