//! pprof files as text: sample types, functions, values. Messages: google/pprof, `proto/profile.proto`, read
//! by hand so that what is compared does not come from the code that writes it.

use std::fmt::Write as _;
use std::fs;
use std::io::Read as _;
use std::path::Path;

use flate2::read::GzDecoder;
use lastgasp_diagnosis::facts::{Facts, from_json};
use lastgasp_report::{heap_profile, retained_profile};

/// The heap profile that is made of a capture's facts, as this version writes it into a capture.
pub(crate) fn made(capture: &Path) -> Vec<u8> {
    heap_profile(&facts(capture), 0)
}

/// The profile of what keeps the heap, where the capture has a graph of it.
pub(crate) fn retained(capture: &Path) -> Option<Vec<u8>> {
    retained_profile(&facts(capture), 0)
}

fn facts(capture: &Path) -> Facts {
    let mut json = Vec::new();
    GzDecoder::new(&fs::read(capture.join("facts.json.gz")).unwrap()[..]).read_to_end(&mut json).unwrap();
    from_json(&json).unwrap()
}

/// A profile, as far as it is compared. All numbers but those of samples are indexes into `strings`.
#[derive(Debug, Default)]
pub(crate) struct Profile {
    types: Vec<(u64, u64)>,
    samples: Vec<(Vec<u64>, Vec<i64>)>,
    /// Id; function id and line of each call, innermost first.
    locations: Vec<(u64, Vec<(u64, u64)>)>,
    /// Id, name, file.
    functions: Vec<(u64, u64, u64)>,
    strings: Vec<String>,
    period: (u64, u64, u64),
    default: u64,
}

/// A field's number and content.
enum Field<'a> {
    Number(u64, u64),
    Bytes(u64, &'a [u8]),
}

fn varint(rest: &mut &[u8]) -> u64 {
    let mut out = 0;
    for shift in (0..64).step_by(7) {
        let (first, others) = rest.split_first().unwrap();
        *rest = others;
        out |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return out;
        }
    }
    panic!("a number of more than ten bytes");
}

fn fields(mut rest: &[u8]) -> Vec<Field<'_>> {
    let mut out = Vec::new();
    while !rest.is_empty() {
        let key = varint(&mut rest);
        match key & 7 {
            0 => out.push(Field::Number(key >> 3, varint(&mut rest))),
            2 => {
                let length = varint(&mut rest) as usize;
                let (content, others) = rest.split_at(length);
                out.push(Field::Bytes(key >> 3, content));
                rest = others;
            }
            other => panic!("profile.proto has no field of wire type {other}"),
        }
    }
    out
}

/// The numbers of a field, packed or one by one.
fn numbers(message: &[u8], wanted: u64) -> Vec<u64> {
    let mut out = Vec::new();
    for field in fields(message) {
        match field {
            Field::Number(n, value) if n == wanted => out.push(value),
            Field::Bytes(n, mut packed) if n == wanted => {
                while !packed.is_empty() {
                    out.push(varint(&mut packed));
                }
            }
            _ => {}
        }
    }
    out
}

fn number(message: &[u8], wanted: u64) -> u64 {
    numbers(message, wanted).last().copied().unwrap_or(0)
}

impl Profile {
    /// Decodes a `.pb.gz`.
    pub(crate) fn read(packed: &[u8]) -> Self {
        let mut content = Vec::new();
        GzDecoder::new(packed).read_to_end(&mut content).unwrap();
        let mut p = Self::default();
        for field in fields(&content) {
            match field {
                Field::Bytes(1, m) => p.types.push((number(m, 1), number(m, 2))),
                Field::Bytes(2, m) => {
                    p.samples.push((numbers(m, 1), numbers(m, 2).into_iter().map(|v| v as i64).collect()));
                }
                Field::Bytes(4, m) => {
                    let lines = fields(m).into_iter().filter_map(|f| match f {
                        Field::Bytes(4, line) => Some((number(line, 1), number(line, 2))),
                        _ => None,
                    });
                    p.locations.push((number(m, 1), lines.collect()));
                }
                Field::Bytes(5, m) => p.functions.push((number(m, 1), number(m, 2), number(m, 4))),
                Field::Bytes(6, text) => p.strings.push(String::from_utf8(text.into()).unwrap()),
                Field::Bytes(11, m) => (p.period.0, p.period.1) = (number(m, 1), number(m, 2)),
                Field::Number(12, value) => p.period.2 = value,
                Field::Number(14, value) => p.default = value,
                // Mappings hold addresses of one run, and the time is the clock's.
                Field::Bytes(3, _) | Field::Number(9, _) => {}
                Field::Number(n, _) | Field::Bytes(n, _) => panic!("field {n} is not compared"),
            }
        }
        p
    }

    fn string(&self, index: u64) -> &str {
        &self.strings[index as usize]
    }

    /// Sum of a sample type.
    pub(crate) fn total(&self, of: &str) -> i64 {
        let at = self.types.iter().position(|(name, _)| self.string(*name) == of).unwrap();
        self.samples.iter().map(|(_, values)| values[at]).sum()
    }

    /// A line of values for each sample in the file's order, below it its calls, innermost first.
    pub(crate) fn text(&self) -> String {
        let mut out = String::new();
        let types = self.types.iter().map(|(name, unit)| format!("{}/{}", self.string(*name), self.string(*unit)));
        writeln!(out, "types {}", types.collect::<Vec<_>>().join(" ")).unwrap();
        let (period, unit, each) = self.period;
        writeln!(out, "period {}/{} {each}", self.string(period), self.string(unit)).unwrap();
        writeln!(out, "default {}", self.string(self.default)).unwrap();
        for (calls, values) in &self.samples {
            writeln!(out, "{}", values.iter().map(i64::to_string).collect::<Vec<_>>().join(" ")).unwrap();
            for id in calls {
                let (_, lines) = self.locations.iter().find(|(l, _)| l == id).unwrap();
                for (function, line) in lines {
                    let (_, name, file) = self.functions.iter().find(|(f, ..)| f == function).unwrap();
                    writeln!(out, "  {} {}:{line}", self.string(*name), self.string(*file)).unwrap();
                }
            }
        }
        out
    }
}
