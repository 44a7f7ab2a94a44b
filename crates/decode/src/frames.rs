//! Functions, files and lines by index: a profile names the same frame thousands of times.

use std::collections::HashMap;

use lastgasp_diagnosis::facts::Frame;

/// Frames by index.
#[derive(Default)]
pub(crate) struct Frames {
    pub(crate) list: Vec<Frame>,
    index: HashMap<lastgasp_goruntime::Frame, u32>,
}

impl Frames {
    pub(crate) fn of(&mut self, f: &lastgasp_goruntime::Frame) -> u32 {
        if let Some(i) = self.index.get(f) {
            return *i;
        }
        let i = self.list.len() as u32;
        self.list.push(Frame { function: f.function.clone(), file: f.file.clone(), line: f.line });
        self.index.insert(f.clone(), i);
        i
    }
}

/// Where every goroutine's stack ends: it says nothing, and pprof leaves it out (`allFrames` in runtime/pprof/proto.go). Seen against real programs'
/// own profiles (`cargo xtask real`).
pub(crate) fn is_bottom(f: &lastgasp_goruntime::Frame) -> bool {
    f.function == "runtime.goexit"
}
