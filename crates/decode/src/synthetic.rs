//! A make-believe program for tests: functions whose program counters the symbolizer resolves as it would a
//! real one's.

use lastgasp_goruntime::{ModuleData, Symbolizer, layout};
use lastgasp_inferior::{Addr, AddrRange};
use lastgasp_synth::{Flavour, FunctionSpec, Process};

/// Bytes of code a function; what is inlined into one stands in the second half.
const CODE: u64 = 96;

/// Where in a function the call before a return address stands, and where the return address.
#[derive(Clone, Copy, Debug)]
pub(crate) enum At {
    /// Both in its own code.
    Own,
    /// Both in the code that is inlined into it.
    Inlined,
    /// The call is its own, and inlined code follows.
    Edge,
}

pub(crate) struct Program {
    process: Process,
    module: ModuleData,
}

impl Program {
    /// The names of functions, and what is inlined into each. Function number i begins on line 100 i.
    pub(crate) fn new(functions: &[(&str, Option<&str>)]) -> Self {
        let functions: Vec<FunctionSpec<'_>> = functions
            .iter()
            .zip(0..)
            .map(|((name, inlined), i)| (*name, 100 * i, 32, *name == "runtime.goexit", *inlined))
            .collect();
        let process = Process::build(Flavour::Go27, &functions, &[], &[]);
        let at = process.at;
        let module = ModuleData {
            at: Process::module_data(),
            types: AddrRange::sized(at.types.0, at.types.1),
            pc_header: at.pc_header,
            funcnametab: at.funcnametab,
            cutab: at.cutab,
            filetab: at.filetab,
            pctab: at.pctab,
            pclntable: at.pclntable,
            ftab: at.ftab,
            pcs: AddrRange { start: at.text, end: at.etext },
            text: at.text,
            gofunc: at.gofunc,
            variables: AddrRange::sized(at.variables, 0x2_0000),
        };
        Self { process, module }
    }

    pub(crate) fn symbols(&self) -> Symbolizer<'_> {
        Symbolizer::new(&self.process, &self.module, layout::for_minor(27).unwrap())
    }

    /// Return address of a call in function number `i`.
    pub(crate) fn return_address(&self, i: u64, at: At) -> Addr {
        self.module.text.plus(
            i * CODE
                + match at {
                    At::Own => 11,
                    At::Inlined => CODE / 2 + 11,
                    At::Edge => CODE / 2,
                },
        )
    }
}
