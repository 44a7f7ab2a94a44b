//! pclntab and its side tables, written the way the linker does (`cmd/link/internal/ld/pcln.go`).

use lastgasp_inferior::Addr;

/// A function to be.
#[derive(Clone, Debug)]
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) line: u32,
    /// Bytes between SP and the return address while it runs.
    pub(crate) frame: u32,
    pub(crate) top: bool,
    /// A function that is inlined into its second half.
    pub(crate) inlines: Option<String>,
}

/// Bytes of code per function.
pub(crate) const CODE: u32 = 96;
/// Where code begins.
pub(crate) const TEXT: u64 = 0x40_0000;
/// PC of the call inside a function, from its start; the return address is one more.
const CALL: u64 = 10;

/// Return address of the call in a function (by its index): what stacks hold.
#[must_use]
pub fn return_address(function: usize) -> Addr {
    Addr(TEXT + function as u64 * u64::from(CODE) + CALL + 1)
}

/// The tables, by the names they have in `moduledata`.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    pub(crate) funcnametab: Vec<u8>,
    pub(crate) cutab: Vec<u8>,
    pub(crate) filetab: Vec<u8>,
    pub(crate) pctab: Vec<u8>,
    /// Function table and `_func` structures.
    pub(crate) pclntable: Vec<u8>,
    pub(crate) functions: u64,
    pub(crate) gofunc: Vec<u8>,
}

impl Tables {
    pub(crate) fn of(functions: &[Function]) -> Self {
        let mut t = Self { pctab: vec![0], gofunc: vec![0; 8], ..Self::default() };
        t.filetab.extend(b"synth/main.go\0");
        t.cutab.extend(0u32.to_le_bytes());
        let head = (functions.len() * 8 + 4).next_multiple_of(8);
        let mut metas = Vec::new();
        for (i, f) in functions.iter().enumerate() {
            t.pclntable.extend((i as u32 * CODE).to_le_bytes());
            t.pclntable.extend(((head + metas.len()) as u32).to_le_bytes());
            let meta = t.function(i as u32, f);
            metas.extend(meta);
        }
        t.pclntable.extend((functions.len() as u32 * CODE).to_le_bytes());
        t.pclntable.resize(head, 0);
        t.pclntable.extend(metas);
        t.functions = functions.len() as u64;
        t
    }

    fn function(&mut self, index: u32, f: &Function) -> Vec<u8> {
        let name = self.name(&f.name);
        let pcsp = self.stream(&[(f.frame as i32, CODE)]);
        let pcfile = self.stream(&[(0, CODE)]);
        let pcln = self.stream(&[(f.line as i32, CODE / 2), (f.line as i32 + 1, CODE / 2)]);
        let mut meta = Vec::new();
        // entryOff, nameOff, args, deferreturn, pcsp, pcfile, pcln, npcdata, cuOffset, startLine: _func in
        // runtime2.go.
        for word in [index * CODE, name, 0, 0, pcsp, pcfile, pcln, 3, 0, f.line] {
            meta.extend(word.to_le_bytes());
        }
        // funcID, flag (1: top frame), padding, nfuncdata.
        meta.extend([0, u8::from(f.top), 0, 4]);
        let (tree_index, tree) = match &f.inlines {
            None => (0, u32::MAX),
            Some(callee) => {
                let at = self.gofunc.len() as u32;
                let callee = self.name(callee);
                // inlinedCall: funcID and padding, nameOff, parentPc, startLine.
                for word in [0, callee, 1, 1] {
                    self.gofunc.extend(word.to_le_bytes());
                }
                (self.stream(&[(-1, CODE / 2), (0, CODE / 2)]), at)
            }
        };
        // pcdata: unsafe points, stack maps, inline tree index; then funcdata: args, locals, stack objects,
        // inline tree.
        for word in [0, 0, tree_index, u32::MAX, u32::MAX, u32::MAX, tree] {
            meta.extend(word.to_le_bytes());
        }
        meta.resize(meta.len().next_multiple_of(8), 0);
        meta
    }

    fn name(&mut self, name: &str) -> u32 {
        let at = self.funcnametab.len() as u32;
        self.funcnametab.extend(name.as_bytes());
        self.funcnametab.push(0);
        at
    }

    /// A pc-value stream of (value, bytes of code).
    fn stream(&mut self, steps: &[(i32, u32)]) -> u32 {
        let at = self.pctab.len() as u32;
        let mut last = -1;
        for (i, (value, code)) in steps.iter().enumerate() {
            let delta = value - last;
            last = *value;
            let zigzag = ((delta << 1) ^ (delta >> 31)) as u32;
            debug_assert!(zigzag != 0 || i == 0, "a zero step would end the stream");
            self.varint(zigzag);
            self.varint(*code);
        }
        self.pctab.push(0);
        at
    }

    fn varint(&mut self, mut v: u32) {
        while v >= 0x80 {
            self.pctab.push(v as u8 | 0x80);
            v >>= 7;
        }
        self.pctab.push(v as u8);
    }
}
